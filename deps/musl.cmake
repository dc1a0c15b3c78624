# Toolchain file: programs for Linux that need nothing of the system but its kernel, so that one file runs on every
# distribution. gcc takes the headers, the start files and the C library of musl (Debian's musl-tools) instead of its
# own, as musl-gcc does, which cannot make a static program whose addresses are random (-static-pie).
set(CMAKE_C_COMPILER gcc)

execute_process(COMMAND ${CMAKE_C_COMPILER} -print-multiarch OUTPUT_VARIABLE multiarch OUTPUT_STRIP_TRAILING_WHITESPACE)
execute_process(COMMAND ${CMAKE_C_COMPILER} -print-file-name=include
  OUTPUT_VARIABLE compiler_headers OUTPUT_STRIP_TRAILING_WHITESPACE)
string(REPLACE "-gnu" "-musl" musl "${multiarch}")
if(NOT EXISTS /usr/lib/${musl}/rcrt1.o)
  message(FATAL_ERROR "There is no /usr/lib/${musl}/rcrt1.o, a part of musl: run `sh deps/setup`.")
endif()

# musl's headers do not include the kernel's; of all that lies in /usr/include, these may be found, and nothing of glibc's.
set(kernel_headers "${CMAKE_BINARY_DIR}/kernel-headers")
foreach(directory IN ITEMS linux asm-generic mtd ${multiarch}/asm)
  cmake_path(GET directory FILENAME name)
  file(MAKE_DIRECTORY "${kernel_headers}")
  file(CREATE_LINK /usr/include/${directory} "${kernel_headers}/${name}" SYMBOLIC)
endforeach()
set(CMAKE_C_FLAGS_INIT "-nostdinc -isystem /usr/include/${musl} -isystem ${compiler_headers} \
-idirafter \"${kernel_headers}\" -B/usr/lib/${musl}")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-static-pie")
