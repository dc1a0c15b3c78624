# Toolchain file: Windows programs for ARM64: see windows-clang.cmake.
set(machine aarch64)
include("${CMAKE_CURRENT_LIST_DIR}/windows-clang.cmake")
