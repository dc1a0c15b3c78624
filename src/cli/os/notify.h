/* Telling the program that started this one how it goes, as systemd has it: notify_unix.c and notify_win.c. Not
 * part of the library. */
#ifndef UVR_CLI_OS_NOTIFY_H
#define UVR_CLI_OS_NOTIFY_H

/* Sends a state such as "READY=1" to the socket that the environment's NOTIFY_SOCKET names. Returns 0, also where it
 * names none; or a negative libuv code. */
int uvr_notify(const char *state);

#endif
