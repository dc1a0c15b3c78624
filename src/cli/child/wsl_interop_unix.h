/* The socket through which a Windows program is started from WSL. */
#ifndef UVR_CLI_CHILD_WSL_INTEROP_UNIX_H
#define UVR_CLI_CHILD_WSL_INTEROP_UNIX_H

/* Where it is searched for. */
typedef struct uvr_wsl_interop {
  const char *run;   /* the directory of the sockets */
  const char *proc;  /* the directory of processes */
  const char *given; /* the socket that is tried first; may be NULL */
  long process;      /* the number of this process */
} uvr_wsl_interop;

/* Finds a socket of WSL's, of root's or of this user's, at which somebody listens. Returns a descriptor that the path
 * /proc/self/fd/N leads from to that very socket, also in a process that inherits it; or -1, and *foreign says how many
 * sockets and links were left out because they belong to other users. */
int uvr_wsl_interop_find(const uvr_wsl_interop *self, unsigned *foreign);

/* The number of the parent of a process, or 0. `proc` is the directory of processes. */
long uvr_wsl_parent_of(const char *proc, long process);

#endif
