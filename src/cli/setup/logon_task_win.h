/* The scheduled task that starts serve at logon, as the XML that schtasks.exe takes. Pure. */
#ifndef UVR_CLI_SETUP_LOGON_TASK_WIN_H
#define UVR_CLI_SETUP_LOGON_TASK_WIN_H

/* All in UTF-8. */
typedef struct uvr_logon_task {
  const char *sid;     /* of the user */
  const char *conhost; /* the paths of conhost.exe, which gives a program a console without a window, */
  const char *program; /* of uvrelay.exe, */
  const char *log;     /* of the log, */
  const char *home;    /* and of the directory in which it is started */
} uvr_logon_task;

/* Makes the XML, with lines that end in LF. To be freed; NULL: there is no memory. */
char *uvr_logon_task_xml(const uvr_logon_task *task);

#endif
