# libuv: the host project's if it has one, the system's on request, else our pin, from source, the same for every target
# system. Its tests, documentation and warnings are none of ours. As two targets:
#   uvrelay_libuv         for the library and its users; shared if the library is, so that both have the same one
#   uvrelay_libuv_static  for the program and the unit tests; the pinned one is static
# and libuv_origin: host, system or pinned.

add_library(uvrelay_libuv INTERFACE)
add_library(uvrelay_libuv_static INTERFACE)

set(libuv_targets uv_a libuv::uv_a uv libuv::uv)
if(BUILD_SHARED_LIBS)
  set(libuv_targets uv libuv::uv uv_a libuv::uv_a)
endif()
# UVRELAY_LIBUV_TARGET: for a host whose own has another name, or that has both kinds.
foreach(target IN ITEMS ${UVRELAY_LIBUV_TARGET} ${libuv_targets})
  if(TARGET ${target})
    set(libuv_origin host)
    target_link_libraries(uvrelay_libuv INTERFACE ${target})
    target_link_libraries(uvrelay_libuv_static INTERFACE ${target})
    get_target_property(type ${target} TYPE)
    if(BUILD_SHARED_LIBS AND type STREQUAL "STATIC_LIBRARY")
      message(FATAL_ERROR
        "A shared uvrelay needs a shared libuv, but ${target} is static: the program would have two copies of it. "
        "Set BUILD_SHARED_LIBS to OFF for uvrelay, or provide the target uv.")
    endif()
    return()
  endif()
endforeach()

if(UVRELAY_SYSTEM_LIBUV)
  set(libuv_origin system)
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(UVRELAY_PC_LIBUV REQUIRED IMPORTED_TARGET GLOBAL libuv>=1.44.2)
  target_link_libraries(uvrelay_libuv INTERFACE PkgConfig::UVRELAY_PC_LIBUV)
  target_link_libraries(uvrelay_libuv_static INTERFACE PkgConfig::UVRELAY_PC_LIBUV)
  return()
endif()

set(libuv_origin pinned)
include("${CMAKE_CURRENT_LIST_DIR}/source.cmake")
# The newest that both upstream and a Debian suite that stays (trixie) offer.
set(libuv_1.50.0
  "1.50.0 6dc2b39aa7fa66c04e2e015bf47738b84e1c6b86b8987d57dd432d149d77ee25 https://dist.libuv.org/dist/v1.50.0/libuv-v1.50.0.tar.gz"
  "1.50.0 ec9de6ecf2a780fd2afb3b007947d2cd57c3bb17f3b9e721a66774980d35cd4d debian:trixie/libuv1_1.50.0.orig.tar.gz")
# The oldest that works, for tests: what Debian 12 has.
set(libuv_1.44.2
  "1.44.2 ccfcdc968c55673c6526d8270a9c8655a806ea92468afcbcabc2b16040f03cb4 https://dist.libuv.org/dist/v1.44.2/libuv-v1.44.2.tar.gz"
  "1.44.2 d79b4b06ef04be85fb890bf39d55942cc64c2e15fd14eaa32dae5dce94485484 debian:bookworm/libuv1_1.44.2.orig.tar.gz")
if(NOT DEFINED libuv_${UVRELAY_LIBUV_VERSION})
  message(FATAL_ERROR "UVRELAY_LIBUV_VERSION is ${UVRELAY_LIBUV_VERSION}; there are pins of 1.50.0 and 1.44.2.")
endif()
uvrelay_source(libuv ${libuv_${UVRELAY_LIBUV_VERSION}})

block()
  set(exclude EXCLUDE_FROM_ALL)
  if(UVRELAY_INSTALL)
    # Installed together, into its own places; and its .pc file shall find them wherever the prefix is moved.
    set(exclude "")
    include(GNUInstallDirs)
    set(CMAKE_INSTALL_DOCDIR "${CMAKE_INSTALL_DATAROOTDIR}/doc/libuv")
    set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME libuv)
    cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig")
    set(CMAKE_INSTALL_PREFIX "\${pcfiledir}/${CMAKE_INSTALL_PREFIX}")
  endif()
  set(LIBUV_BUILD_SHARED OFF) # 1.44.2 always has both
  if(BUILD_SHARED_LIBS)
    set(LIBUV_BUILD_SHARED ON)
  endif()
  set(LIBUV_BUILD_TESTS OFF)
  set(LIBUV_BUILD_BENCH OFF)
  set(BUILD_TESTING OFF)
  set(CMAKE_POLICY_DEFAULT_CMP0077 NEW) # such variables count for its options
  add_subdirectory("${libuv_source}" "${PROJECT_BINARY_DIR}/libuv" ${exclude} SYSTEM)
endblock()
foreach(target IN ITEMS uv uv_a)
  if(TARGET ${target})
    # Without data sections, its one table of 2.5 MiB of zeros takes no room in a Windows program.
    target_compile_options(${target} PRIVATE -w)
    if(WIN32 AND NOT MSVC)
      # For size: what libuv computes takes little time beside the calls of Windows that it makes.
      target_compile_options(${target} PRIVATE -fno-data-sections $<$<CONFIG:Release>:-Os>)
      target_link_options(${target} PRIVATE ${uvrelay_static_libgcc})
    endif()
    if(NOT UVRELAY_SANITIZE)
      target_compile_definitions(${target} PRIVATE NDEBUG)
    endif()
  endif()
endforeach()
target_link_libraries(uvrelay_libuv_static INTERFACE uv_a)
target_link_libraries(uvrelay_libuv INTERFACE $<IF:$<BOOL:${BUILD_SHARED_LIBS}>,uv,uv_a>)
