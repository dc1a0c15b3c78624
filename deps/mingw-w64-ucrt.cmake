# Toolchain file: Windows programs for x86-64 by MinGW-w64, with the C runtime of Windows 10, UCRT. Debian has it since 13
# (gcc-mingw-w64-ucrt64).
set(mingw x86_64-w64-mingw32ucrt)
set(mingw_hint "install gcc-mingw-w64-ucrt64, or run `sh test/trixie.sh`")
include("${CMAKE_CURRENT_LIST_DIR}/mingw-w64.cmake")
