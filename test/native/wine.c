/* What Wine cannot show: scenarios (or the beginnings of their names), and why. On Windows nobody asks this file. */
#include "native.h"

#include <string.h>

typedef struct excuse {
  const char *name;
  const char *why;
} excuse;

#define NO_RIGHTS "Wine does not enforce a pipe's security descriptor"
#define NO_RESET  "Wine's recv tells a reset as an end"

static const excuse excuses[] = {
    {"connect/denied", NO_RIGHTS},
    {"tcp/killed", NO_RESET},
    {"serve/killed", NO_RESET},
};

const char *wine_cannot(const char *name)
{
  for (size_t i = 0; i < sizeof(excuses) / sizeof(excuses[0]); i++) {
    if (strncmp(name, excuses[i].name, strlen(excuses[i].name)) == 0) {
      return excuses[i].why;
    }
  }
  return NULL;
}
