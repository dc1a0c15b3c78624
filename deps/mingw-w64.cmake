# Toolchain file: Windows programs for x86-64 by MinGW-w64, with the C runtime of old, msvcrt. Those for the others
# (mingw-w64-*.cmake) set `mingw` to their name and include this one. Of Debian's two variants the one with Windows' own
# threads is preferred: nothing it makes needs libwinpthread.
if(NOT DEFINED mingw)
  set(mingw x86_64-w64-mingw32)
endif()
if(NOT DEFINED mingw_hint)
  set(mingw_hint "run `sh deps/setup`")
endif()
set(CMAKE_SYSTEM_NAME Windows)
if(mingw MATCHES "^x86_64-")
  set(CMAKE_SYSTEM_PROCESSOR AMD64)
else()
  set(CMAKE_SYSTEM_PROCESSOR X86)
endif()

find_program(CMAKE_C_COMPILER NAMES ${mingw}-gcc-win32 ${mingw}-gcc)
if(NOT CMAKE_C_COMPILER)
  message(FATAL_ERROR "There is no ${mingw}-gcc on the PATH: ${mingw_hint}.")
endif()
set(CMAKE_RC_COMPILER ${mingw}-windres)

# Headers and libraries are the target's, programs the host's.
set(CMAKE_FIND_ROOT_PATH /usr/${mingw})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
if(NOT DEFINED CMAKE_FIND_ROOT_PATH_MODE_PACKAGE) # BOTH, to find what is installed elsewhere
  set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
endif()
