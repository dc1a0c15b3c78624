# Toolchain file: Windows programs for x86-64 by MinGW-w64. Of Debian's two variants the one with Windows' own
# threads is preferred: nothing it makes needs libwinpthread.
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR AMD64)

find_program(CMAKE_C_COMPILER NAMES x86_64-w64-mingw32-gcc-win32 x86_64-w64-mingw32-gcc)
if(NOT CMAKE_C_COMPILER)
  message(FATAL_ERROR "There is no x86_64-w64-mingw32-gcc on the PATH: run `sh deps/setup`.")
endif()
set(CMAKE_RC_COMPILER x86_64-w64-mingw32-windres)

# Headers and libraries are the target's, programs the host's.
set(CMAKE_FIND_ROOT_PATH /usr/x86_64-w64-mingw32)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
if(NOT DEFINED CMAKE_FIND_ROOT_PATH_MODE_PACKAGE) # BOTH, to find what is installed elsewhere
  set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
endif()
