/* What Wine cannot show: scenarios (or the beginnings of their names), and why. On Windows this table is not used. */
#include "native.h"

#include <string.h>

typedef struct excuse {
  const char *name;
  const char *why;
} excuse;

#define NO_RIGHTS "Wine does not enforce a pipe's security descriptor"
#define NO_LIST   "Wine cannot list its pipes"
#define NO_RESET  "Wine's recv tells a reset as an end"

static const excuse excuses[] = {
    {"names/by-their-beginning", NO_LIST},
    {"names/none", NO_LIST},
    {"names/several", NO_LIST},
    {"names/facts", NO_LIST},
    {"connect/denied", NO_RIGHTS},
    {"tcp/killed", NO_RESET},
    {"serve/killed", NO_RESET},
    {"stop/ctrl-break", "Wine cannot press Ctrl-Break"},
    {"many/handles", "Wine's GetProcessHandleCount always gives 0"},
    {"console/input-until-ctrl-z", "Wine's console does not take Ctrl-Z for the end of the input"},
    {"console/errors-are-red", "Wine's console shows escape sequences as they are"},
    {"console/closed-with", "Wine ends the programs of a console that is closed without telling them"},
    {"security/impersonation", "Wine ignores the impersonation level that a client asks for"},
    {"security/refused-to", NO_RIGHTS},
    {"security/no-instance-by", NO_RIGHTS},
    {"facts/killed-socket-that-is-armed", NO_RESET},
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
