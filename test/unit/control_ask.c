/* The end that asks a serve, for the test of the end that answers: in a file of its own, as both have functions of the
 * same names. */
#include "cli/control/ask.c" /* NOLINT(bugprone-suspicious-include) */
