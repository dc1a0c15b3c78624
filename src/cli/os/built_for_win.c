/* What the program was built for, on Windows: see built_for.h. */
#include "cli/os/built_for.h"

#include <stdlib.h> /* defines _UCRT in MinGW-w64, if it is that */

#if defined(_UCRT) || defined(_MSC_VER)
#define LIBRARY "UCRT"
#else
#define LIBRARY "msvcrt"
#endif

const char *uvr_built_for(void)
{
  return "Windows " UVR_PROCESSOR ", " LIBRARY ", static";
}
