/* What is special when the program runs in WSL and is to start a Windows program: wsl_unix.c; on Windows nothing of
 * it applies (wsl_win.c). Not part of the library.
 *
 *   uvr_wsl wsl;
 *   uvr_wsl_init(&wsl);
 *   without --via, where uvr_wsl_is(&wsl):
 *     char *file = NULL;
 *     if (uvr_wsl_find_far_end(&wsl, &file, &error) == 0) {            else: exit 1
 *       uvr_command_make(&command, file, (const char *const[]){"uvrelay.exe", "mux", NULL}, &error);
 *     }
 *     free(file);
 *   at each start of the child, as the sockets come and go:
 *     uvr_wsl_start start;
 *     int code = uvr_wsl_prepare(&wsl, command.file, &start, &error);  not 0: a warning; start it all the same
 *     options.cwd = start.directory;                                   NULL: as it is
 *     options.env = start.environment;                                 NULL: as it is
 *     ... uv_spawn ...
 *     uvr_wsl_start_clear(&start);
 */
#ifndef UVR_CLI_CHILD_WSL_H
#define UVR_CLI_CHILD_WSL_H

#include <stdbool.h>

#include "uvrelay/common.h"

/* Where README.md tells to put uvrelay.exe, below the mount point of drive C: a directory in which only an
 * administrator of Windows can put anything, as what is found there is started. Usually /mnt/c/Program
 * Files/uvrelay/uvrelay.exe, in Windows' words C:\Program Files\uvrelay\uvrelay.exe. */
#define UVR_WSL_PLACE "Program Files/uvrelay/uvrelay.exe"

/* Where all is looked for. Texts are the caller's. */
typedef struct uvr_wsl {
  const char *run;         /* the directory of the interop sockets */
  const char *virtiofs;    /* the directory of links from virtiofs' tags to drives */
  const char *proc;        /* the directory of processes */
  const char *mount;       /* where drive C is, if `proc` does not tell */
  const char *directory;   /* the program's own; NULL: that of the file that `proc` has as self/exe */
  const char *path;        /* PATH; NULL: there is none */
  const char *interop;     /* WSL_INTEROP; the same */
  const char *distro_name; /* WSL_DISTRO_NAME; the same */
  long process;            /* the number of this process */
} uvr_wsl;

/* The system that the program runs on. What is of the environment lasts until that is changed. */
void uvr_wsl_init(uvr_wsl *self);

/* Whether it is WSL. */
bool uvr_wsl_is(const uvr_wsl *self);

/* Finds uvrelay.exe: beside the program, on PATH, in UVR_WSL_PLACE. Returns 0 and *file, absolute and to be freed; or
 * UV_ENOENT (the text names all three places), UV_EACCES (there is one that is not executable), UV_ENOMEM and *error.
 */
int uvr_wsl_find_far_end(const uvr_wsl *self, char **file, uvrelay_error_t *error);

/* What a program is to be started with. */
typedef struct uvr_wsl_start {
  char *directory;    /* the current directory; NULL: as it is */
  char **environment; /* all of it, ending in a NULL; NULL: as it is. To be used before the own one is changed. */
} uvr_wsl_start;

/* Finds what the program of this file is to be started with: all as it is, unless this is WSL and the name ends in
 * ".exe" in any case. Then the current directory is one on a Windows drive, as others cost seconds; and WSL_INTEROP
 * leads to a socket at which somebody listens, if there is any. Never waits for anybody.
 *
 * Returns 0; or *error (which may be NULL) and what is a warning only, as *start is valid and to be cleared in any
 * case:
 * - UV_ENOENT: nobody listens at any such socket; WSL_INTEROP is as it was
 * - UV_ENOTSUP: the kernel does not know what to do with Windows programs, as systemd may have made it forget that (a
 *   shell would be given the file, which exits with nonsense)
 * - UV_ENOMEM */
int uvr_wsl_prepare(const uvr_wsl *self, const char *file, uvr_wsl_start *start, uvrelay_error_t *error);

void uvr_wsl_start_clear(uvr_wsl_start *start);

#endif
