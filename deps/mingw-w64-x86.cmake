# Toolchain file: Windows programs for x86, 32 bits, by MinGW-w64.
set(mingw i686-w64-mingw32)
include("${CMAKE_CURRENT_LIST_DIR}/mingw-w64.cmake")
