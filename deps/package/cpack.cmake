# What `cpack` makes of a build, by what is built:
#
#   the Linux program, the static one, the Windows program     uvrelay_X_ARCH.deb, a .tar.gz, a .zip
#   on Linux, the static library without the program           libuvrelay-dev_X_ARCH.deb
#   anything else                                              a .tar.gz of all that is installed
#
# make.sh makes the packages that are published; it sets what a single build cannot know, such as UVRELAY_WINDOWS_PROGRAM.
# This file is included last: CPack keeps what it was told last, and dependencies may have told it something.
include("${CMAKE_CURRENT_LIST_DIR}/project.cmake")
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_PACKAGE_NAME uvrelay)
set(CPACK_PACKAGE_VENDOR "uvrelay contributors")
set(CPACK_PACKAGE_CONTACT "${maintainer}")
set(CPACK_PACKAGE_HOMEPAGE_URL "${repository}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "relay between Windows named pipes, sockets and standard streams")
set(CPACK_PACKAGE_DESCRIPTION
"uvrelay lets programs in WSL use what listens on Windows: the ssh-agent of
Windows, 1Password or Pageant, Docker, gpg-agent. It listens on Unix sockets,
TCP ports and named pipes, and relays each connection to its target, through
one process on the Windows side. `uvrelay setup` sets it up, and `uvrelay
doctor` finds out why something does not work.")
set(CPACK_RESOURCE_FILE_LICENSE "${PROJECT_SOURCE_DIR}/LICENSE")
set(CPACK_RESOURCE_FILE_README "${PROJECT_SOURCE_DIR}/README.md")
set(CPACK_STRIP_FILES ON)
set(CPACK_SOURCE_GENERATOR TGZ)
set(CPACK_SOURCE_IGNORE_FILES "/build/" "/[.]git/" "/__pycache__/")
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
# For stage.cmake.
set(CPACK_UVRELAY_SOURCE "${PROJECT_SOURCE_DIR}")
set(CPACK_UVRELAY_LIBUV "${libuv_source}")
set(CPACK_UVRELAY_STRIP "${CMAKE_STRIP}")

set(packed runtime documentation)
if(BUILD_SHARED_LIBS OR NOT (TARGET uvrelay OR UNIX))
  set(kind all)
  set(CPACK_GENERATOR TGZ)
  set(CPACK_PACKAGE_FILE_NAME "uvrelay-${PROJECT_VERSION}-library")
  set(packed runtime documentation development libuv)
elseif(WIN32)
  set(machine x86_64)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "ARM64|aarch64")
    set(machine arm64)
  elseif(CMAKE_SIZEOF_VOID_P EQUAL 4)
    set(machine x86)
  endif()
  set(kind zip)
  set(CPACK_PACKAGE_FILE_NAME "uvrelay-${PROJECT_VERSION}-windows-${machine}")
elseif(UVRELAY_STATIC)
  set(kind tar)
  set(CPACK_PACKAGE_FILE_NAME "uvrelay-${PROJECT_VERSION}-linux-${CMAKE_SYSTEM_PROCESSOR}")
else()
  set(kind deb)
  set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
  set(CPACK_SET_DESTDIR ON) # so that the units name /usr/bin/uvrelay
  set(CPACK_INSTALL_PREFIX /usr)
  set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
  set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
  set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
  set(CPACK_DEBIAN_PACKAGE_SECTION net)
  set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
  if(TARGET uvrelay)
    set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
  else()
    # libuv's own package has the same files as a libuv that was built here, and with it a program has one libuv.
    set(packed development)
    if(NOT UVRELAY_PC_LIBUV_VERSION) # of the one that it was built with, if that is the system's
      set(UVRELAY_PC_LIBUV_VERSION 1.44.2)
    endif()
    set(CPACK_PACKAGE_NAME libuvrelay-dev)
    set(CPACK_DEBIAN_PACKAGE_SECTION libdevel)
    set(CPACK_DEBIAN_PACKAGE_DEPENDS "libc6-dev, libuv1-dev (>= ${UVRELAY_PC_LIBUV_VERSION})")
    set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "relays and named pipes for programs on libuv - development files")
    set(CPACK_PACKAGE_DESCRIPTION
"A static library that relays bytes between named pipes, sockets and standard
streams on the loop of a program, and carries many connections over one
stream. This package has its headers, the files by which CMake and pkg-config
find it, and its manual pages.")
  endif()
endif()
set(CPACK_COMPONENTS_ALL ${packed})
set(CPACK_INSTALL_CMAKE_PROJECTS "")
set(CPACK_UVRELAY_KIND ${kind})
if(kind STREQUAL "deb")
  set(CPACK_GENERATOR DEB)
  set(CPACK_PRE_BUILD_SCRIPTS "${CMAKE_CURRENT_LIST_DIR}/stage.cmake")
elseif(kind MATCHES "^(tar|zip)$")
  # CPack's own archives have their files in the order of the file system, and the owner of who runs it.
  set(CPACK_GENERATOR External)
  set(CPACK_EXTERNAL_ENABLE_STAGING ON)
  set(CPACK_EXTERNAL_PACKAGE_SCRIPT "${CMAKE_CURRENT_LIST_DIR}/archive.cmake")
  set(CPACK_INCLUDE_TOPLEVEL_DIRECTORY OFF)
endif()
foreach(component IN LISTS packed)
  list(APPEND CPACK_INSTALL_CMAKE_PROJECTS "${PROJECT_BINARY_DIR}" uvrelay ${component} /)
endforeach()
include(CPack)
