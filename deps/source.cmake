# The source of a dependency, pinned by hash, downloaded into UVRELAY_DOWNLOADS and never kept in the repository.
#
#   uvrelay_source(<name> "<version> <sha256> <origin>"...)
#
# sets <name>_source to a directory and <name>_version. The archives are alternatives, the best one first. An
# origin is a URL, or debian:<suite>/<package>_<version>.orig.tar.<ext> for a source package of Debian's, found
# by its name through the apt sources of the machine. An archive already there is taken before anything is
# downloaded, so that all build directories get the same one; every use checks its hash. Where none can be
# had, an error says what was tried.

if(PROJECT_IS_TOP_LEVEL)
  set(UVRELAY_DOWNLOADS "${PROJECT_SOURCE_DIR}/build/downloads" CACHE PATH "Where downloaded archives are kept")
else()
  set(UVRELAY_DOWNLOADS "${PROJECT_BINARY_DIR}/downloads" CACHE PATH "Where downloaded archives are kept")
endif()

# Sets <result> to whether the archive is there and is the pinned one; a file that is not is an error to report.
function(_uvrelay_have result file sha256)
  set(${result} FALSE PARENT_SCOPE)
  if(EXISTS "${UVRELAY_DOWNLOADS}/${file}")
    file(SHA256 "${UVRELAY_DOWNLOADS}/${file}" actual)
    if(actual STREQUAL sha256)
      set(${result} TRUE PARENT_SCOPE)
    else()
      file(REMOVE "${UVRELAY_DOWNLOADS}/${file}")
      message(WARNING "${UVRELAY_DOWNLOADS}/${file} is removed: its SHA-256 is ${actual}, not the pinned ${sha256}")
    endif()
  endif()
endfunction()

# Tries to download the archive; sets <reason> to why that failed, or to nothing.
function(_uvrelay_download reason file origin sha256)
  string(RANDOM LENGTH 12 unique)
  set(part "${UVRELAY_DOWNLOADS}/.part-${unique}")
  file(MAKE_DIRECTORY "${part}")
  set(failure "")
  if(origin MATCHES "^debian:([^/]+)/([^_]+)_(.+)[.]orig[.]")
    execute_process(
      COMMAND sh "${PROJECT_SOURCE_DIR}/deps/debian-source" "${CMAKE_MATCH_2}" "${CMAKE_MATCH_3}" "${CMAKE_MATCH_1}"
              "${part}"
      RESULT_VARIABLE status OUTPUT_QUIET ERROR_VARIABLE failure ERROR_STRIP_TRAILING_WHITESPACE TIMEOUT 180)
    if(NOT status EQUAL 0 AND failure STREQUAL "")
      set(failure "deps/debian-source: ${status}")
    endif()
  else()
    file(DOWNLOAD "${origin}" "${part}/${file}" STATUS status INACTIVITY_TIMEOUT 15 TIMEOUT 45)
    list(POP_FRONT status code failure)
    string(REPLACE "\"" "" failure "${failure}")
    if(code EQUAL 0)
      set(failure "")
    endif()
  endif()
  if(failure STREQUAL "")
    file(SHA256 "${part}/${file}" actual)
    if(actual STREQUAL sha256)
      file(RENAME "${part}/${file}" "${UVRELAY_DOWNLOADS}/${file}")
    else()
      set(failure "its SHA-256 is ${actual}, not the pinned ${sha256}")
    endif()
  endif()
  file(REMOVE_RECURSE "${part}")
  set(${reason} "${failure}" PARENT_SCOPE)
endfunction()

# Unpacks the archive into the build directory, once, and sets <directory>.
function(_uvrelay_unpack directory name version file sha256)
  string(SUBSTRING "${sha256}" 0 8 short)
  set(target "${PROJECT_BINARY_DIR}/sources/${name}-${version}-${short}")
  if(NOT EXISTS "${target}")
    file(REMOVE_RECURSE "${target}.part")
    file(ARCHIVE_EXTRACT INPUT "${UVRELAY_DOWNLOADS}/${file}" DESTINATION "${target}.part")
    file(GLOB top "${target}.part/*")
    file(RENAME "${top}" "${target}")
    file(REMOVE_RECURSE "${target}.part")
  endif()
  set(${directory} "${target}" PARENT_SCOPE)
endfunction()

function(uvrelay_source name)
  file(MAKE_DIRECTORY "${UVRELAY_DOWNLOADS}")
  # Another build directory may be configured right now.
  file(LOCK "${UVRELAY_DOWNLOADS}" DIRECTORY GUARD FUNCTION TIMEOUT 900)

  set(tried "")
  set(wanted "")
  foreach(step IN ITEMS have download)
    foreach(archive IN LISTS ARGN)
      separate_arguments(archive)
      list(GET archive 0 version)
      list(GET archive 1 sha256)
      list(GET archive 2 origin)
      cmake_path(GET origin FILENAME file)
      if(wanted STREQUAL "")
        set(wanted "${version}")
      endif()
      if(step STREQUAL "download")
        message(STATUS "${name} ${version}: trying ${origin}")
        _uvrelay_download(reason "${file}" "${origin}" "${sha256}")
        if(NOT reason STREQUAL "")
          string(APPEND tried "  ${origin}\n    ${reason}\n")
        endif()
      endif()
      _uvrelay_have(found "${file}" "${sha256}")
      if(found)
        break()
      endif()
    endforeach()
    if(found)
      break()
    endif()
  endforeach()

  if(NOT found)
    message(FATAL_ERROR
      "${name} ${wanted} can't be had. Tried:\n${tried}"
      "With a connection to the internet, or on Debian, configure again. Else put one of the files named above into "
      "${UVRELAY_DOWNLOADS} by hand; or, for libuv, install libuv1-dev and configure with -DUVRELAY_SYSTEM_LIBUV=ON.")
  endif()
  if(NOT version STREQUAL wanted)
    message(NOTICE
      "-- ${name} ${version} is taken instead of ${wanted}, which could not be had when this was downloaded; to try "
      "again, remove ${UVRELAY_DOWNLOADS}/${file}")
    if(NOT tried STREQUAL "")
      message(NOTICE "${tried}")
    endif()
  endif()
  _uvrelay_unpack(directory "${name}" "${version}" "${file}" "${sha256}")
  message(STATUS "${name} ${version}: ${UVRELAY_DOWNLOADS}/${file}")
  set(${name}_source "${directory}" PARENT_SCOPE)
  set(${name}_version "${version}" PARENT_SCOPE)
endfunction()
