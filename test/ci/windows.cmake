# Usage: cmake [-D PRESET=native|msvc] -P test/ci/windows.cmake
#
# On Windows itself: says what machine this is, then configures, builds and tests with the preset, as
# `cmake --workflow --preset PRESET` does. It needs CMake 3.25 and a compiler: for `native`, which is the default, gcc of a
# MinGW-w64 and Ninja on PATH, as in a shell of MSYS2; for `msvc` any Visual Studio with its C compiler. The sources of libuv
# and cmocka are downloaded. It needs no Wine, no Python and no WSL, and changes nothing outside of build/.
cmake_minimum_required(VERSION 3.25)

if(NOT CMAKE_HOST_WIN32)
  message(FATAL_ERROR "This is for Windows itself. Elsewhere, `sh test/run.sh windows` builds and tests under Wine.")
endif()
if(NOT DEFINED PRESET)
  set(PRESET native)
endif()

# What the outcome may depend on.
cmake_host_system_information(RESULT facts QUERY
  OS_NAME OS_RELEASE OS_VERSION OS_PLATFORM NUMBER_OF_LOGICAL_CORES TOTAL_PHYSICAL_MEMORY)
list(JOIN facts ", " facts)
message("System: ${facts} MiB; CMake ${CMAKE_VERSION}; preset ${PRESET}")

cmake_path(SET root NORMALIZE "${CMAKE_CURRENT_LIST_DIR}/../..")
execute_process(COMMAND "${CMAKE_COMMAND}" --workflow --preset "${PRESET}" WORKING_DIRECTORY "${root}"
  RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "The preset ${PRESET} has failed (${status}): see above.")
endif()
