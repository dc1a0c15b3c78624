# How everything is built that ends up in the program or the library, libuv included, so that a mistake with memory is
# harder to use; test/package/test_hardening.py looks at the result. Builds with sanitizers have these instead.
#
# Linux: programs are position-independent (-pie in CMakeLists.txt, -static-pie for the static one), relocations are
# read-only when the program starts, and stacks are never executable. musl has no checked functions, so _FORTIFY_SOURCE
# does nothing in the static program.
#
# Windows, by MSVC: as below, and Control Flow Guard, shadow stacks where the processor has them, and the stack protector,
# which MSVC turns on by itself.
#
# Windows, by others: addresses are random in all of the address space, and data is never executable. The linkers turn this
# on by themselves today; it is asked for here so that it stays so. What MinGW-w64 cannot do, or not at a fair price:
# - Control Flow Guard: neither gcc nor the linker of binutils knows it (clang and lld do).
# - Shadow stacks (CET): the linker cannot mark a program as compatible with them.
# - _FORTIFY_SOURCE: its checked functions are in libssp; see the next point.
# - The stack protector: its own parts are in libssp, which comes with gcc; every program that embeds the library would
#   have to link it. And libssp takes its random number from CryptGenRandom whenever a program starts, which doubles the
#   time of the start.
if(UVRELAY_SANITIZE)
  return()
endif()
if(MSVC)
  add_compile_options(/guard:cf)
  add_link_options(/GUARD:CF)
  if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "ARM")
    add_link_options(/CETCOMPAT)
  endif()
  return()
endif()
if(WIN32)
  add_link_options(-Wl,--dynamicbase,--nxcompat)
  if(CMAKE_SIZEOF_VOID_P EQUAL 8)
    add_link_options(-Wl,--high-entropy-va)
  endif()
  return()
endif()
add_compile_options(-fstack-protector-strong)
# Level 3 needs gcc 12 or clang; a C library that does not know it takes it for 2.
set(fortify 3)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND CMAKE_C_COMPILER_VERSION VERSION_LESS 12)
  set(fortify 2)
endif()
# It needs optimization. Some systems' compilers define it themselves.
add_compile_options("$<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=${fortify}>")
add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack)
