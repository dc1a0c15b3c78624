/* The names in the directory of places: NUMBER and an ending. For the two systems. */
#ifndef UVR_CLI_CONTROL_PLACE_NAMES_H
#define UVR_CLI_CONTROL_PLACE_NAMES_H

/* Further names are ignored. */
enum { UVR_CONTROL_NAMES_MAX = 256 };

/* Calls `found` with the number and the name of each entry of the directory that is a number without leading zeros and
 * the ending, in the order of the numbers, at most UVR_CONTROL_NAMES_MAX. */
void uvr_control_names_each(const char *directory, const char *ending,
                            void (*found)(void *user, int process, const char *name), void *user);

#endif
