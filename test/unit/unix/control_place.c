/* The places of serves, for the test of the end at which they answer. */
#include "cli/control/place_names.c" /* NOLINT(bugprone-suspicious-include) */
#include "cli/control/place_unix.c"  /* NOLINT(bugprone-suspicious-include) */
