/* Standard handles for a child, by the name of their kind. Plain Win32, and none of the project's code.
 *
 *   anonymous          a pipe of CreatePipe, not overlapped, as WSL and shells give
 *   overlapped         a named pipe in byte mode whose child's end is overlapped
 *   message            the same with message type, read in byte mode, as Cygwin and MSYS2 give
 *   message-read       the same, read in message mode, which the child may not change
 *   message-duplex     the same, read in message mode, which the child may change: its end is for both ways
 *   wrong-way          as overlapped, and the child has the end for the other direction
 *   file:PATH          a file (standard output: created anew)
 *   sync-message       a pipe with messages whose child's end is not overlapped; sync-message-read: in message mode
 *   duplex             a named pipe in byte mode for both ways, not overlapped; for --both
 *   duplex-overlapped  the same, overlapped
 *   socket             a TCP connection, overlapped, as most programs make them
 *   socket-sync        the same, not overlapped
 *   socket-attached    as socket, and the parent has attached it to a completion port, as it has used it itself
 *   socket-WHAT        a socket that is no connection: listening, unconnected or datagram
 *   nul                NUL
 *   none               no handle at all (NULL)
 *   invalid            INVALID_HANDLE_VALUE
 *   stale              a number that is no handle
 *   event              a handle that is not a file
 *
 * A pipe's kind may be followed by -nowait: the child's end does not block (PIPE_NOWAIT), as programs of Cygwin leave
 * it; by -locked: the child may not change that; or by -blind: nor look at it. */
#ifndef STANDARD_HANDLES_H
#define STANDARD_HANDLES_H

#include "sockets.h" /* before windows.h */

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <windows.h>

static HANDLE open_file(const char *path, int for_input)
{
  SECURITY_ATTRIBUTES inherit = {sizeof inherit, NULL, TRUE};
  return CreateFileA(path, for_input ? GENERIC_READ : GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, &inherit,
                     for_input || strcmp(path, "NUL") == 0 ? OPEN_EXISTING : CREATE_ALWAYS, FILE_ATTRIBUTE_NORMAL,
                     NULL);
}

/* A named pipe whose reading end is the server's, as Cygwin makes them; the child's end alone is overlapped. */
static int make_named(HANDLE *reading, HANDLE *writing, int child_reads, DWORD access, DWORD mode, DWORD overlapped)
{
  static const char format[] = "\\\\.\\pipe\\uvrelay-parent-%lu-%s";
  SECURITY_ATTRIBUTES inherit = {sizeof inherit, NULL, TRUE};
  char name[80];
  __mingw_snprintf(name, sizeof name, format, (unsigned long)GetCurrentProcessId(), child_reads ? "in" : "out");
  *reading = CreateNamedPipeA(name, access | (child_reads ? overlapped : 0), mode, 1, 65536, 65536, 0,
                              child_reads ? &inherit : NULL);
  if (*reading == INVALID_HANDLE_VALUE)
    return 0;
  *writing = CreateFileA(name, GENERIC_WRITE | FILE_READ_ATTRIBUTES, 0, child_reads ? NULL : &inherit, OPEN_EXISTING,
                         child_reads ? 0 : overlapped, NULL);
  return *writing != INVALID_HANDLE_VALUE;
}

static int make_overlapped(HANDLE *reading, HANDLE *writing, int child_reads, DWORD access, DWORD mode)
{
  return make_named(reading, writing, child_reads, access, mode, FILE_FLAG_OVERLAPPED);
}

/* A pipe for both ways, whose server is the child. Ours is never overlapped. */
static int make_duplex(DWORD overlapped, HANDLE *childs, HANDLE *ours)
{
  SECURITY_ATTRIBUTES inherit = {sizeof inherit, NULL, TRUE};
  char name[80];
  __mingw_snprintf(name, sizeof name, "\\\\.\\pipe\\uvrelay-parent-%lu-both", (unsigned long)GetCurrentProcessId());
  *childs = CreateNamedPipeA(name, PIPE_ACCESS_DUPLEX | overlapped, PIPE_TYPE_BYTE | PIPE_READMODE_BYTE, 1, 65536,
                             65536, 0, &inherit);
  if (*childs == INVALID_HANDLE_VALUE)
    return 0;
  *ours = CreateFileA(name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
  return *ours != INVALID_HANDLE_VALUE;
}

static int make_anonymous(HANDLE *reading, HANDLE *writing, int child_reads)
{
  return CreatePipe(reading, writing, NULL, 0) &&
         SetHandleInformation(child_reads ? *reading : *writing, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
}

static int set_wait(HANDLE pipe, DWORD wait)
{
  DWORD state;
  if (!GetNamedPipeHandleStateA(pipe, &state, NULL, NULL, NULL, NULL, 0))
    return 0;
  state = (state & PIPE_READMODE_MESSAGE) | wait;
  return SetNamedPipeHandleState(pipe, &state, NULL, NULL);
}

/* Leaves the handle these rights only. */
static int restrict_rights(HANDLE *handle, DWORD rights)
{
  HANDLE all = *handle;
  return DuplicateHandle(GetCurrentProcess(), all, GetCurrentProcess(), handle, rights, TRUE, 0) && CloseHandle(all);
}

static int make_plain(const char *kind, int for_input, DWORD wait, HANDLE *childs, HANDLE *ours);

static int take_end(char *kind, const char *end)
{
  size_t length = strlen(kind), tail = strlen(end);
  if (length <= tail || strcmp(kind + length - tail, end) != 0)
    return 0;
  kind[length - tail] = '\0';
  return 1;
}

/* Makes one standard handle: the child's end and, for a pipe or a connection, ours. */
static int make_handle(const char *kind, int for_input, HANDLE *childs, HANDLE *ours)
{
  char rest[300];
  DWORD data = for_input ? FILE_READ_DATA : FILE_WRITE_DATA;
  __mingw_snprintf(rest, sizeof rest, "%s", kind);
  int blind = take_end(rest, "-blind"), locked = take_end(rest, "-locked"), nowait = take_end(rest, "-nowait");
  if (!make_plain(rest, for_input, nowait && for_input ? PIPE_NOWAIT : PIPE_WAIT, childs, ours))
    return 0;
  /* What only reads may not be changed, but was made so already. */
  if (nowait && !set_wait(*childs, PIPE_NOWAIT) && GetLastError() != ERROR_ACCESS_DENIED)
    return 0;
  return !(blind || locked) || restrict_rights(childs, data | SYNCHRONIZE | (blind ? 0 : FILE_READ_ATTRIBUTES));
}

static int make_socket(const char *what, HANDLE *childs, HANDLE *ours)
{
  int sync = strcmp(what, "-sync") == 0, attached = strcmp(what, "-attached") == 0;
  int pair = *what == '\0' || sync || attached;
  return sockets_start() && (pair ? sockets_pair(!sync, childs, ours) : sockets_lone(what + 1, childs)) &&
         (!attached || CreateIoCompletionPort(*childs, NULL, 1, 0) != NULL) &&
         SetHandleInformation(*childs, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT) &&
         (*ours == NULL || SetHandleInformation(*ours, HANDLE_FLAG_INHERIT, 0));
}

static int make_plain(const char *kind, int for_input, DWORD wait, HANDLE *childs, HANDLE *ours)
{
  const char *path = strncmp(kind, "file:", 5) == 0 ? kind + 5 : strcmp(kind, "nul") == 0 ? "NUL" : NULL;
  HANDLE *reading = for_input ? childs : ours, *writing = for_input ? ours : childs;
  if (strcmp(kind, "none") == 0)
    return 1;
  if (strcmp(kind, "invalid") == 0 || strcmp(kind, "stale") == 0) {
    *childs = strcmp(kind, "stale") == 0 ? (HANDLE)(uintptr_t)0x7ff0 : INVALID_HANDLE_VALUE;
    return 1;
  }
  if (strcmp(kind, "event") == 0) {
    SECURITY_ATTRIBUTES inherit = {sizeof inherit, NULL, TRUE};
    *childs = CreateEventA(&inherit, TRUE, FALSE, NULL);
    return *childs != NULL;
  }
  if (strcmp(kind, "wrong-way") == 0)
    return make_overlapped(for_input ? ours : childs, for_input ? childs : ours, !for_input, PIPE_ACCESS_INBOUND,
                           PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | wait);
  if (path != NULL) {
    *childs = open_file(path, for_input);
    return *childs != INVALID_HANDLE_VALUE;
  }
  if (strcmp(kind, "anonymous") == 0)
    return make_anonymous(reading, writing, for_input);
  if (strncmp(kind, "socket", 6) == 0)
    return make_socket(kind + 6, childs, ours);
  if (strcmp(kind, "duplex") == 0 || strcmp(kind, "duplex-overlapped") == 0)
    return make_duplex(kind[6] == '-' ? FILE_FLAG_OVERLAPPED : 0, childs, ours);
  if (strncmp(kind, "sync-message", 12) == 0)
    return make_named(reading, writing, for_input, PIPE_ACCESS_INBOUND,
                      PIPE_TYPE_MESSAGE | wait | (kind[12] == '-' ? PIPE_READMODE_MESSAGE : 0), 0);
  if (strcmp(kind, "overlapped") == 0)
    return make_overlapped(reading, writing, for_input, PIPE_ACCESS_INBOUND,
                           PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | wait);
  if (strcmp(kind, "message") == 0)
    return make_overlapped(reading, writing, for_input, PIPE_ACCESS_INBOUND,
                           PIPE_TYPE_MESSAGE | PIPE_READMODE_BYTE | wait);
  if (strcmp(kind, "message-read") == 0)
    return make_overlapped(reading, writing, for_input, PIPE_ACCESS_INBOUND,
                           PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE | wait);
  if (strcmp(kind, "message-duplex") == 0)
    return make_overlapped(reading, writing, for_input, PIPE_ACCESS_DUPLEX,
                           PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE | wait);
  SetLastError(ERROR_INVALID_PARAMETER);
  return 0;
}

#endif
