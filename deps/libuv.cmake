# libuv as the target `uvrelay_libuv`: the host project's if it has one, the system's on request, else our pin,
# static, from source, the same for every target system. Its tests, documentation, shared library and warnings
# are none of ours.

add_library(uvrelay_libuv INTERFACE)

if(TARGET uv_a)
  target_link_libraries(uvrelay_libuv INTERFACE uv_a)
elseif(TARGET uv)
  target_link_libraries(uvrelay_libuv INTERFACE uv)
elseif(UVRELAY_SYSTEM_LIBUV)
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(LIBUV REQUIRED IMPORTED_TARGET libuv>=1.44)
  target_link_libraries(uvrelay_libuv INTERFACE PkgConfig::LIBUV)
else()
  include("${CMAKE_CURRENT_LIST_DIR}/source.cmake")
  # The newest that both upstream and a Debian suite that stays (trixie) offer.
  uvrelay_source(libuv
    "1.50.0 6dc2b39aa7fa66c04e2e015bf47738b84e1c6b86b8987d57dd432d149d77ee25 https://dist.libuv.org/dist/v1.50.0/libuv-v1.50.0.tar.gz"
    "1.50.0 ec9de6ecf2a780fd2afb3b007947d2cd57c3bb17f3b9e721a66774980d35cd4d debian:trixie/libuv1_1.50.0.orig.tar.gz")

  block()
    set(LIBUV_BUILD_SHARED OFF)
    set(LIBUV_BUILD_TESTS OFF)
    set(LIBUV_BUILD_BENCH OFF)
    set(BUILD_TESTING OFF)
    set(CMAKE_POLICY_DEFAULT_CMP0077 NEW) # such variables count for its options
    add_subdirectory("${libuv_source}" "${PROJECT_BINARY_DIR}/libuv" EXCLUDE_FROM_ALL SYSTEM)
  endblock()
  # Without data sections, its one table of 2.5 MiB of zeros takes no room in a Windows program.
  target_compile_options(uv_a PRIVATE -w $<$<PLATFORM_ID:Windows>:-fno-data-sections>)
  if(NOT UVRELAY_SANITIZE)
    target_compile_definitions(uv_a PRIVATE NDEBUG)
  endif()
  target_link_libraries(uvrelay_libuv INTERFACE uv_a)
endif()
