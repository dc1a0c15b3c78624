# uvrelay_delay_load(<target>): the DLLs that libuv names but a relay hardly ever needs are loaded when first called, not
# at every start of the program. Import libraries for that are made here, for the functions listed, and linked whole, so
# that they come before the ordinary ones. A function that is missing from the list (a newer libuv may use more) costs
# the old start-up time of its DLL and nothing else; a test looks at what the program imports.
#
# It is worth having: see docs/performance.md. It is there with GNU's tools for 64 bits. Names for 32 bits
# carry the size of their arguments, which the lists below do not say; LLVM's dlltool makes no such libraries; Microsoft's
# linker has an option of its own for it, /DELAYLOAD.
#
# The tables of these libraries are written to when a function is first called. dlltool puts them into .idata, among those
# that the system fills in before the program runs and which newer linkers (binutils 2.44) therefore make read-only. So
# they get other names here, and deps/delay-load.ld puts them into a section of their own, in the order in which they are
# linked: those of .idata are sorted by the paths of the libraries, which differ from build to build.
set(delay_load OFF)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND CMAKE_SIZEOF_VOID_P EQUAL 8 AND CMAKE_DLLTOOL AND CMAKE_OBJCOPY)
  execute_process(COMMAND "${CMAKE_DLLTOOL}" --version OUTPUT_VARIABLE dlltool ERROR_QUIET)
  if(dlltool MATCHES "^GNU ")
    set(delay_load ON)
  endif()
endif()
option(UVRELAY_DELAY_LOAD "Load DLLs when they are first needed, not at the program's start" ${delay_load})
if(UVRELAY_DELAY_LOAD AND NOT delay_load)
  message(FATAL_ERROR
    "UVRELAY_DELAY_LOAD needs gcc for 64 bits and the dlltool and objcopy of GNU's binutils, but here are "
    "${CMAKE_C_COMPILER} (${CMAKE_C_COMPILER_ID}), ${CMAKE_DLLTOOL} and ${CMAKE_OBJCOPY}: set it to OFF.")
endif()

set(delayed_advapi32
    AddAccessAllowedAce AddMandatoryAce AllocateAndInitializeSid CopySid FreeSid GetKernelObjectSecurity
    GetSecurityDescriptorOwner GetSecurityInfo GetTokenInformation GetUserNameW InitializeAcl InitializeSecurityDescriptor
    OpenProcessToken RegCloseKey RegGetValueW RegOpenKeyExW RegQueryValueExW SetEntriesInAclA SetSecurityDescriptorDacl
    SetSecurityDescriptorOwner SetSecurityDescriptorSacl SetSecurityInfo SystemFunction036)
set(delayed_dbghelp MiniDumpWriteDump SymGetOptions SymSetOptions)
set(delayed_iphlpapi ConvertInterfaceIndexToLuid ConvertInterfaceLuidToNameW GetAdaptersAddresses)
set(delayed_ole32 CoTaskMemFree)
set(delayed_shell32 SHGetKnownFolderPath)
set(delayed_user32 DispatchMessageA GetClassNameW GetMessageA MapVirtualKeyW ShowWindow TranslateMessage)
set(delayed_userenv GetUserProfileDirectoryW)
set(delayed_ws2_32
    FreeAddrInfoW GetAddrInfoW WSADuplicateSocketW WSAGetLastError WSAGetOverlappedResult WSAIoctl WSARecv WSARecvFrom WSASend
    WSASendTo WSASetLastError WSASocketW WSAStartup bind closesocket connect getpeername getsockname getsockopt htonl
    ioctlsocket listen ntohs recv select send setsockopt shutdown socket)

function(uvrelay_delay_load target)
  if(NOT UVRELAY_DELAY_LOAD)
    return()
  endif()
  set(directory "${CMAKE_CURRENT_BINARY_DIR}/delay-load")
  file(MAKE_DIRECTORY "${directory}/tmp") # dlltool leaves two empty files at each run, and makes symbols of the path
  set(libraries "")
  foreach(dll IN ITEMS advapi32 dbghelp iphlpapi ole32 shell32 user32 userenv ws2_32)
    list(JOIN delayed_${dll} "\n" functions)
    file(WRITE "${directory}/${dll}.def" "LIBRARY ${dll}.dll\nEXPORTS\n${functions}\n")
    execute_process(
      COMMAND "${CMAKE_COMMAND}" -E env "TMPDIR=${directory}/tmp" "${CMAKE_DLLTOOL}" --input-def "${dll}.def"
              --output-delaylib "lib${dll}.a"
      WORKING_DIRECTORY "${directory}"
      COMMAND_ERROR_IS_FATAL ANY)
    # The places of names, addresses, names, and the DLL's name. A newer dlltool that has its own names for these sections
    # keeps them.
    set(renamed "")
    foreach(table IN ITEMS 4 5 6 7)
      list(APPEND renamed --rename-section ".idata$${table}=.delay$${table},contents,alloc,load,data")
    endforeach()
    execute_process(
      COMMAND "${CMAKE_OBJCOPY}" ${renamed} "lib${dll}.a"
      WORKING_DIRECTORY "${directory}"
      COMMAND_ERROR_IS_FATAL ANY)
    list(APPEND libraries "${directory}/lib${dll}.a")
  endforeach()
  file(REMOVE_RECURSE "${directory}/tmp")
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${libraries} "${PROJECT_SOURCE_DIR}/deps/delay-load.ld")
  list(JOIN libraries "," libraries)
  target_link_options(${target} PRIVATE
    "-Wl,--whole-archive,${libraries},--no-whole-archive" "-Wl,-T,${PROJECT_SOURCE_DIR}/deps/delay-load.ld")
endfunction()
