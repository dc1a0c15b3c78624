# uvrelay_delay_load(<target>): the DLLs that libuv names but a relay hardly ever needs are loaded when first called, not
# at every start of the program. Import libraries for that are made here, for the functions listed, and linked whole, so
# that they come before the ordinary ones. A function that is missing from the list (a newer libuv may use more) costs
# the old start-up time of its DLL and nothing else; a test looks at what the program imports.
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
    WSASendTo WSASetLastError WSASocketW WSAStartup bind closesocket connect getpeername getsockname getsockopt htonl htons
    ioctlsocket listen ntohs select send setsockopt shutdown socket)

function(uvrelay_delay_load target)
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
    list(APPEND libraries "${directory}/lib${dll}.a")
  endforeach()
  file(REMOVE_RECURSE "${directory}/tmp")
  list(JOIN libraries "," libraries)
  target_link_options(${target} PRIVATE "-Wl,--whole-archive,${libraries},--no-whole-archive")
endfunction()
