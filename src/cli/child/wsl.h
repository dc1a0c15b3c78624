/* What the program needs to start a Windows program from WSL: wsl_unix.c. On Windows nothing of it applies: wsl_win.c.
 *
 *   uvr_wsl wsl;
 *   uvr_wsl_init(&wsl);
 *   without --via, if uvr_wsl_is(&wsl):
 *     char *file = NULL;
 *     if (uvr_wsl_find_far_end(&wsl, &file, &error) == 0) {            not 0: exit 1
 *       uvr_command_make(&command, file, (const char *const[]){"uvrelay.exe", "mux", NULL}, &error);
 *     }
 *     free(file);
 *   at each start of the child, as the sockets may change, on a thread (wsl_search.h):
 *     uvr_wsl_start start;
 *     int code = uvr_wsl_prepare(&wsl, command.file, &start, &error);  not 0: with start.refused it cannot be started;
 *                                                                      else only a warning
 *     options.cwd = start.directory;                                   NULL: unchanged
 *     options.env = start.environment;                                 NULL: unchanged
 *     if start.has_socket: let the child inherit start.socket as UVR_WSL_SOCKET
 *     ... uv_spawn ...
 *     uvr_wsl_start_clear(&start);
 */
#ifndef UVR_CLI_CHILD_WSL_H
#define UVR_CLI_CHILD_WSL_H

#include <stdbool.h>

#include "uvrelay/common.h"

/* Where docs/wsl.md says to install uvrelay.exe, below the mount point of drive C: as it is started from there, only an
 * administrator of Windows can write to the directory. Usually /mnt/c/Program Files/uvrelay/uvrelay.exe, which is
 * C:\Program Files\uvrelay\uvrelay.exe on Windows. */
#define UVR_WSL_PLACE "Program Files/uvrelay/uvrelay.exe"

/* Where `uvrelay setup` makes a link to the uvrelay.exe that it has chosen, below the user's home directory. */
#define UVR_WSL_LINK ".uvrelay/uvrelay.exe"

/* Where everything is searched for. Nothing of it is owned. */
typedef struct uvr_wsl {
  const char *run;         /* the directory of the interop sockets */
  const char *virtiofs;    /* the directory of links from virtiofs' tags to drives */
  const char *proc;        /* the directory of processes */
  const char *mount;       /* where drive C is, unless the mount table shows it */
  const char *directory;   /* the program's own; NULL: the directory of the file that self/exe in `proc` links to */
  const char *path;        /* PATH; NULL: not set */
  const char *home;        /* HOME; NULL: not set */
  const char *interop;     /* WSL_INTEROP; NULL: not set */
  const char *distro_name; /* WSL_DISTRO_NAME; NULL: not set */
  const char *etc;         /* the directory of wsl.conf and os-release */
  const char *systemd;     /* a directory that is there if systemd runs the system */
  long process;            /* the number of this process */
} uvr_wsl;

/* Sets all of it for the system that the program runs on. The values of the environment are valid until it is changed.
 */
void uvr_wsl_init(uvr_wsl *self);

/* Whether the system is WSL. */
bool uvr_wsl_is(const uvr_wsl *self);

/* Finds uvrelay.exe: where UVR_WSL_LINK leads, if that link and its directory belong to this user or root; beside the
 * program; on PATH; in UVR_WSL_PLACE; where packages have it. Returns 0 and *file, absolute and to be freed; or
 * UV_ENOENT (the text names the places), UV_EACCES (there is one that is not executable), UV_ENOMEM and *error. */
int uvr_wsl_find_far_end(const uvr_wsl *self, char **file, uvrelay_error_t *error);

/* The uvrelay.exe that was installed with this program, in lib/uvrelay beside the program's directory, as packages do;
 * to be freed. NULL: there is none, or it or its directory belongs neither to root, nor to this user, nor to the owner
 * of the program's directory, or no memory. */
char *uvr_wsl_installed_program(const uvr_wsl *self);

/* The Windows path of a file on a Windows drive, such as C:/x for /mnt/c/x, by the mount table; NULL: it is not on one,
 * or there is no memory. To be freed. `path` is absolute; it is not looked at whether there is such a file. */
char *uvr_wsl_windows_path(const uvr_wsl *self, const char *path);

/* The descriptor that a program which is started gets WSL's socket as: the first one after the standard ones. */
enum { UVR_WSL_SOCKET = 3 };

/* How to start a program. */
typedef struct uvr_wsl_start {
  char *directory;    /* its current directory; NULL: that of this process */
  char **environment; /* all of it, ending with a NULL; NULL: that of this process. Invalid once that is changed. */
  bool has_socket;    /* it must inherit `socket` as UVR_WSL_SOCKET, to which its WSL_INTEROP leads */
  int socket;
  bool refused;       /* it is of no use to start the program: it would fail, with a misleading message or none */
  char remedy[192];   /* what to do then, as a phrase; else "" */
  bool lasting;       /* refused, until the system is repaired */
  bool on_linux_disk; /* it is a program for Windows, and lies on no drive of Windows, so that starting it is slow */
} uvr_wsl_start;

/* Whether uvr_wsl_prepare has anything to do for this file, as far as its name tells. */
bool uvr_wsl_may_concern(const char *file);

/* Finds out how to start the program of this file. Nothing is changed unless this is WSL and the name ends in ".exe",
 * in upper or lower case. Then the current directory is one on a Windows drive, because a start in any other takes
 * seconds, and WSL_INTEROP leads to a socket at which root or this user listens, by a descriptor, so that it cannot be
 * exchanged; if there is none, it leads nowhere. May block while a drive of Windows does not answer.
 *
 * Returns 0; or an error in *error (which may be NULL); *start is valid and must be cleared in any case. If the file is
 * a program for Windows (it begins with MZ), the first two refuse the start; else they are only warnings.
 * - UV_ENOENT: no process listens on any such socket
 * - UV_ENOTSUP: the kernel cannot start Windows programs, as its handler for them is missing or disabled (systemd may
 *   remove it); a shell would read the file
 * - UV_ENOMEM: a warning */
int uvr_wsl_prepare(const uvr_wsl *self, const char *file, uvr_wsl_start *start, uvrelay_error_t *error);

/* What a line means that WSL itself has written, as the start of a Windows program has failed, and what to do; NULL: it
 * is none of those that are known. */
const char *uvr_wsl_explain(const char *line);

void uvr_wsl_start_clear(uvr_wsl_start *start);

#endif
