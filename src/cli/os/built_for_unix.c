/* What the program was built for, on Unix: see built_for.h. musl has no macro that tells what it is, so a C library of
 * Linux that names itself in no other way is taken for musl. UVRELAY_STATIC comes from CMakeLists.txt. */
#include "cli/os/built_for.h"

#include <limits.h> /* defines __GLIBC__, if it is that */

#if defined(__linux__)
#define SYSTEM "Linux"
#elif defined(__APPLE__)
#define SYSTEM "macOS"
#else
#define SYSTEM "Unix"
#endif

#if defined(__UCLIBC__)
#define LIBRARY ", uClibc"
#elif defined(__GLIBC__)
#define LIBRARY ", glibc " UVR_DIGITS(__GLIBC__) "." UVR_DIGITS(__GLIBC_MINOR__)
#elif defined(__BIONIC__)
#define LIBRARY ", bionic"
#elif defined(__linux__)
#define LIBRARY ", musl"
#else
#define LIBRARY ""
#endif

#ifdef UVRELAY_STATIC
#define LINKED "static"
#else
#define LINKED "dynamic"
#endif

const char *uvr_built_for(void)
{
  return SYSTEM " " UVR_PROCESSOR LIBRARY ", " LINKED;
}
