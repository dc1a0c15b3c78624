# Fails if PROGRAM is larger than MAX_KIB, has symbols left, needs a DLL that is not part of Windows, or would write to the
# tables of its delayed imports where it may not; and, unless DELAY_LOAD is set and OFF, if it loads more DLLs at its start
# than it needs. With MACHINE, as objdump names it, also if it is for another one.
cmake_minimum_required(VERSION 3.25)
file(SIZE "${PROGRAM}" size)
math(EXPR limit "${MAX_KIB} * 1024")
if(size GREATER_EQUAL limit)
  message(FATAL_ERROR "${PROGRAM} has ${size} bytes; it must stay under ${MAX_KIB} KiB.")
endif()

execute_process(COMMAND "${OBJDUMP}" -p "${PROGRAM}" OUTPUT_VARIABLE dump COMMAND_ERROR_IS_FATAL ANY)
if(MACHINE AND NOT dump MATCHES "file format pei-${MACHINE}[\r\n]")
  string(REGEX MATCH "file format [^\r\n]+" format "${dump}")
  message(FATAL_ERROR "${PROGRAM} has the ${format}, not pei-${MACHINE}.")
endif()

# What the system loads before the program's first line.
string(REGEX MATCHALL "DLL Name: [^\r\n]+" imports "${dump}")
list(TRANSFORM imports REPLACE "DLL Name: " "")
list(TRANSFORM imports TOLOWER)
if(NOT "kernel32.dll" IN_LIST imports)
  message(FATAL_ERROR "${OBJDUMP} shows no import of kernel32.dll in ${PROGRAM}: the list can't be right: ${imports}")
endif()
list(REMOVE_ITEM imports kernel32.dll msvcrt.dll)
list(FILTER imports EXCLUDE REGEX "^api-ms-win-crt-[a-z]+-l1-1-0[.]dll$") # the C runtime of Windows 10
if(NOT DEFINED DELAY_LOAD OR DELAY_LOAD)
  if(imports)
    message(FATAL_ERROR "${PROGRAM} loads ${imports} when it starts: see deps/delay-load.cmake.")
  endif()
else()
  list(REMOVE_ITEM imports
    advapi32.dll dbghelp.dll iphlpapi.dll ole32.dll shell32.dll user32.dll userenv.dll ws2_32.dll)
  if(imports)
    message(FATAL_ERROR "${PROGRAM} needs ${imports}, which is not known to be part of every Windows.")
  endif()
endif()

# The tables of delayed imports hold addresses of code until a function is first called, so they have base relocations,
# which ordinary tables of imports do not have. At that call the address is written there.
execute_process(COMMAND "${OBJDUMP}" -h "${PROGRAM}" OUTPUT_VARIABLE headers COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCH "ImageBase[ \t]+([0-9a-f]+)" found "${dump}")
set(base "0x${CMAKE_MATCH_1}")
string(REGEX MATCHALL "\\[[0-9a-f]+\\] (DIR64|HIGHLOW)" relocations "${dump}")
if(NOT relocations)
  message(FATAL_ERROR "${OBJDUMP} shows no base relocations in ${PROGRAM}.")
endif()
list(TRANSFORM relocations REPLACE ".([0-9a-f]+).*" "0x\\1")
set(delayed 0)
foreach(name IN ITEMS idata didat delay)
  if(NOT headers MATCHES
      "[0-9]+ [.]${name}[ \t]+([0-9a-f]+)[ \t]+([0-9a-f]+)[^\r\n]*[\r\n]+[ \t]+([A-Z, ]+)")
    continue()
  endif()
  set(flags "${CMAKE_MATCH_3}")
  math(EXPR from "0x${CMAKE_MATCH_2} - ${base}")
  math(EXPR to "${from} + 0x${CMAKE_MATCH_1}")
  foreach(at IN LISTS relocations)
    math(EXPR at "${at}")
    if(at GREATER_EQUAL from AND at LESS to)
      math(EXPR delayed "${delayed} + 1")
      if(flags MATCHES "READONLY")
        message(FATAL_ERROR
          "${PROGRAM} has delayed imports in .${name}, which is read-only: the first call of one would be an access "
          "violation. See deps/delay-load.cmake.")
      endif()
    endif()
  endforeach()
endforeach()
if(DELAY_LOAD AND delayed EQUAL 0)
  message(FATAL_ERROR "${PROGRAM} has no delayed imports in .idata, .didat or .delay: this test looks in the wrong place.")
endif()

execute_process(COMMAND "${OBJDUMP}" -t "${PROGRAM}" OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
if(NOT symbols MATCHES "no symbols")
  message(FATAL_ERROR "${PROGRAM} is not stripped.")
endif()
message("${PROGRAM}: ${size} bytes, ${delayed} delayed imports")
