/* What the program was built for: built_for_unix.c and built_for_win.c. */
#ifndef UVR_CLI_OS_BUILT_FOR_H
#define UVR_CLI_OS_BUILT_FOR_H

#define UVR_DIGITS_(number) #number
/* The value of a macro that is a number, as text. */
#define UVR_DIGITS(macro) UVR_DIGITS_(macro)

#if defined(__x86_64__) || defined(_M_X64)
#define UVR_PROCESSOR "x86-64"
#elif defined(__aarch64__) || defined(_M_ARM64)
#define UVR_PROCESSOR "arm64"
#elif defined(__i386__) || defined(_M_IX86)
#define UVR_PROCESSOR "x86"
#elif defined(__arm__) || defined(_M_ARM)
#define UVR_PROCESSOR "arm"
#elif defined(__riscv)
#define UVR_PROCESSOR "riscv"
#else
#define UVR_PROCESSOR "another processor"
#endif

/* The system, the processor, the C library, and whether the program is linked statically, which on Windows means that
 * it needs no library but Windows' own: "Linux x86-64, glibc 2.36, dynamic". */
const char *uvr_built_for(void);

#endif
