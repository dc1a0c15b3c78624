# Run by cpack when all files are staged, before they are packed (by cpack itself into a .deb, by archive.cmake). It adds what belongs to a package and not to an
# installation (licences of what is linked in, a short README, Debian's changelog and copyright), and puts files where the
# kind of package wants them.
#
# The licences of libraries that are linked in are those that were installed with the libraries, so they are of the right
# version.
set(source "${CPACK_UVRELAY_SOURCE}")
set(here "${CPACK_TEMPORARY_DIRECTORY}")
if("$ENV{SOURCE_DATE_EPOCH}" STREQUAL "") # as make.sh sets it
  string(TIMESTAMP now "%s" UTC)
  set(ENV{SOURCE_DATE_EPOCH} "${now}")
endif()
set(musl /usr/share/doc/musl-dev/copyright)
set(mingw /usr/share/doc/mingw-w64-x86-64-dev/copyright)
set(libgcc "Parts of libgcc are linked in, too; the GCC Runtime Library Exception permits that under any licence.")

# The text of a licence, which must be there.
function(read_licence result file)
  if(NOT EXISTS "${file}")
    message(FATAL_ERROR "${file} is missing: it has the licence of a library that is linked in. Install its package again.")
  endif()
  file(READ "${file}" text)
  string(STRIP "${text}" text)
  set(${result} "${text}\n" PARENT_SCOPE)
endfunction()

# Sets <result> to all licences, with the files that each is for. WINDOWS and LINUX: the name of a program for Windows,
# and of a static one for Linux, that is in the package.
function(all_licences result)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "OWN;WINDOWS;LINUX" "")
  set(line "----------------------------------------------------------------------")
  read_licence(text "${source}/LICENSE")
  set(all "uvrelay\n\n${text}")
  if(arg_OWN AND CPACK_UVRELAY_LIBUV) # else libuv is a package of its own
    string(APPEND all "\n${line}\n\nlibuv, which is linked into ${arg_OWN}\n")
    file(GLOB files "${CPACK_UVRELAY_LIBUV}/LICENSE" "${CPACK_UVRELAY_LIBUV}/LICENSE-extra")
    foreach(file IN LISTS files)
      read_licence(text "${file}")
      string(APPEND all "\n${text}")
    endforeach()
  endif()
  if(arg_LINUX)
    read_licence(text "${musl}")
    string(APPEND all "\n${line}\n\nmusl, the C library that is linked into ${arg_LINUX}\n\n${text}")
  endif()
  if(arg_WINDOWS)
    read_licence(text "${mingw}")
    string(APPEND all "\n${line}\n\nThe runtime of mingw-w64, of which parts are linked into ${arg_WINDOWS}\n\n"
      "(${libgcc})\n\n${text}")
  endif()
  set(${result} "${all}" PARENT_SCOPE)
endfunction()

function(write_file name text)
  get_filename_component(directory "${name}" DIRECTORY)
  file(MAKE_DIRECTORY "${directory}")
  file(WRITE "${name}" "${text}")
  file(CHMOD "${name}" PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
endfunction()

# What lintian is told to leave, and why.
function(write_overrides)
  if(EXISTS "${here}/usr/lib/uvrelay/uvrelay.exe")
    write_file("${here}/usr/share/lintian/overrides/uvrelay"
"# No program of this system: a copy of it is run on Windows. It is executable, as WSL starts only what is.
uvrelay: executable-in-usr-lib [usr/lib/uvrelay/uvrelay.exe]
")
  endif()
endfunction()

if(CPACK_UVRELAY_KIND STREQUAL "deb")
  set(doc "${here}/usr/share/doc/${CPACK_PACKAGE_NAME}")
  set(own "")
  set(windows "")
  if(EXISTS "${here}/usr/bin/uvrelay")
    set(own /usr/bin/uvrelay)
  endif()
  if(EXISTS "${here}/usr/lib/uvrelay/uvrelay.exe")
    string(APPEND own " and /usr/lib/uvrelay/uvrelay.exe")
    set(windows /usr/lib/uvrelay/uvrelay.exe)
  endif()
  all_licences(licences OWN "${own}" WINDOWS "${windows}")
  write_file("${doc}/copyright" "This is ${CPACK_PACKAGE_NAME}, from ${CPACK_PACKAGE_HOMEPAGE_URL}\n\n${licences}")
  # Debian's copyright has the licence, and its changelog the changes.
  file(REMOVE "${doc}/LICENSE" "${doc}/CHANGELOG.md")
  execute_process(COMMAND sh "${source}/deps/package/debian-changelog" "${source}/CHANGELOG.md" "${CPACK_PACKAGE_NAME}"
      "${CPACK_PACKAGE_VERSION}" "${CPACK_PACKAGE_CONTACT}" OUTPUT_VARIABLE changes COMMAND_ERROR_IS_FATAL ANY)
  write_file("${doc}/changelog" "${changes}")
  write_overrides()
  # As Debian's own tools strip; cmake --install leaves static libraries as they are.
  file(GLOB libraries "${here}/usr/lib/*/*.a")
  if(libraries)
    execute_process(COMMAND "${CPACK_UVRELAY_STRIP}" --strip-debug --remove-section=.comment --enable-deterministic-archives
      ${libraries} COMMAND_ERROR_IS_FATAL ANY)
  endif()
  if(EXISTS "${here}/usr/bin/uvrelay")
    execute_process(COMMAND "${CPACK_UVRELAY_STRIP}" --remove-section=.comment --remove-section=.note
      "${here}/usr/bin/uvrelay" COMMAND_ERROR_IS_FATAL ANY)
  endif()
  file(GLOB_RECURSE pages "${here}/usr/share/man/*")
  execute_process(COMMAND gzip -9n "${doc}/changelog" ${pages} COMMAND_ERROR_IS_FATAL ANY)
elseif(CPACK_UVRELAY_KIND STREQUAL "zip")
  all_licences(licences OWN uvrelay.exe WINDOWS uvrelay.exe)
  file(RENAME "${here}/bin/uvrelay.exe" "${here}/uvrelay.exe")
  file(RENAME "${here}/share/doc/uvrelay/docs" "${here}/docs")
  file(RENAME "${here}/share/doc/uvrelay/README.md" "${here}/README.md")
  file(RENAME "${here}/share/doc/uvrelay/CHANGELOG.md" "${here}/CHANGELOG.md")
  file(REMOVE_RECURSE "${here}/bin" "${here}/share")
  write_file("${here}/LICENSES.txt" "${licences}")
  configure_file("${source}/deps/package/README-windows.txt.in" "${here}/README.txt" @ONLY)
else()
  set(own bin/uvrelay)
  set(windows "")
  if(EXISTS "${here}/lib/uvrelay/uvrelay.exe")
    string(APPEND own " and lib/uvrelay/uvrelay.exe")
    set(windows lib/uvrelay/uvrelay.exe)
  endif()
  all_licences(licences OWN "${own}" LINUX bin/uvrelay WINDOWS "${windows}")
  file(REMOVE "${here}/share/doc/uvrelay/LICENSE")
  write_file("${here}/share/doc/uvrelay/LICENSES.txt" "${licences}")
  configure_file("${source}/deps/package/README-linux.txt.in" "${here}/share/doc/uvrelay/README.txt" @ONLY)
endif()
