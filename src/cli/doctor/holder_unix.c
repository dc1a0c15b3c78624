/* Who listens: see holder_unix.h. The kernel's tables of sockets, net/unix and net/tcp, tell the number of the socket
 * that listens at an address; the process that has it among its descriptors is the one. A user can look at the
 * descriptors of own processes only. */
#include "cli/doctor/holder_unix.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LISTENS = 0x10000 /* in net/unix */, TCP_LISTENS = 10 /* in net/tcp */, COMMAND_SIZE = 4096 };

static FILE *open_listing(const char *proc, const char *name)
{
  char path[PATH_MAX];
  int length = snprintf(path, sizeof(path), "%s/%s", proc, name);
  return length > 0 && (size_t)length < sizeof(path) ? fopen(path, "re") : NULL;
}

/* The text after `count` words and the blanks after them. */
static const char *skip_words(const char *text, int count)
{
  text += strspn(text, " ");
  for (; count > 0; count--) {
    text += strcspn(text, " \n");
    text += strspn(text, " ");
  }
  return text;
}

/* If a line of net/unix is of the socket that listens at this name, the number of that; else 0. The table writes a NUL
 * as @. */
static uint64_t match_unix(char *line, const void *name)
{
  line[strcspn(line, "\n")] = '\0';
  unsigned long flags = strtoul(skip_words(line, 3), NULL, 16);
  return (flags & LISTENS) != 0 && strcmp(skip_words(line, 7), name) == 0 ? strtoull(skip_words(line, 6), NULL, 10) : 0;
}

/* The same for a line of net/tcp, and a port, on whatever address. */
static uint64_t match_tcp(char *line, const void *port)
{
  const char *address = skip_words(line, 1);
  const char *colon = strchr(address, ':');
  bool listens = strtoul(skip_words(line, 3), NULL, 16) == TCP_LISTENS;
  return listens && colon != NULL && strtoul(colon + 1, NULL, 16) == *(const uint16_t *)port
             ? strtoull(skip_words(line, 9), NULL, 10)
             : 0;
}

/* Whether a process has this socket. */
static bool has_socket(const char *proc, const char *process, const char *wanted)
{
  char path[PATH_MAX];
  char link[64];
  bool found = false;
  const struct dirent *entry;
  int length = snprintf(path, sizeof(path), "%s/%s/fd", proc, process);
  DIR *directory = length > 0 && (size_t)length < sizeof(path) ? opendir(path) : NULL;
  while (directory != NULL && !found && (entry = readdir(directory)) != NULL) {
    ssize_t size = readlinkat(dirfd(directory), entry->d_name, link, sizeof(link) - 1);
    link[size < 0 ? 0 : size] = '\0';
    found = strcmp(link, wanted) == 0;
  }
  if (directory != NULL) {
    (void)closedir(directory);
  }
  return found;
}

/* The number of the process that has the socket, or 0. Of several that of systemd counts last: it hands its sockets on.
 */
static int find_process(const char *proc, uint64_t number)
{
  char wanted[64];
  int found = 0;
  const struct dirent *entry;
  DIR *directory = opendir(proc);
  (void)snprintf(wanted, sizeof(wanted), "socket:[%" PRIu64 "]", number);
  while (directory != NULL && (entry = readdir(directory)) != NULL) {
    if (isdigit((unsigned char)entry->d_name[0]) && has_socket(proc, entry->d_name, wanted)) {
      int process = (int)strtol(entry->d_name, NULL, 10);
      found = process > found ? process : found;
    }
  }
  if (directory != NULL) {
    (void)closedir(directory);
  }
  return found;
}

/* Reads a process's name, and its command line, in which NULs separate the words. Returns the length of that. */
static size_t describe_process(const char *proc, int process, uvr_holder *out, char command[COMMAND_SIZE])
{
  char name[64];
  size_t length = 0;
  (void)snprintf(name, sizeof(name), "%d/comm", process);
  FILE *file = open_listing(proc, name);
  if (file == NULL || fgets(out->program, sizeof(out->program), file) == NULL) {
    out->program[0] = '\0';
  }
  out->program[strcspn(out->program, "\n")] = '\0';
  if (file != NULL) {
    (void)fclose(file);
  }
  (void)snprintf(name, sizeof(name), "%d/cmdline", process);
  file = open_listing(proc, name);
  if (file != NULL) {
    length = fread(command, 1, COMMAND_SIZE - 1, file);
    (void)fclose(file);
  }
  command[length] = '\0';
  return length;
}

static uvr_holder_kind judge_process(const char *proc, const uvr_holder *holder, const char *command, size_t length)
{
  char path[PATH_MAX];
  struct stat status;
  size_t first = strlen(command);
  const char *second = first < length ? command + first + 1 : "";
  if (strcmp(holder->program, "systemd") == 0) {
    return UVR_HOLDER_SYSTEMD;
  }
  (void)snprintf(path, sizeof(path), "%s/%d", proc, holder->process);
  bool own = stat(path, &status) == 0 && status.st_uid == geteuid();
  return own && strncmp(holder->program, "uvrelay", 7) == 0 && strcmp(second, "serve") == 0 ? UVR_HOLDER_SERVE
                                                                                            : UVR_HOLDER_OTHER;
}

static void describe_holder(const char *proc, uint64_t number, uvr_holder *out)
{
  char command[COMMAND_SIZE];
  *out = (uvr_holder){.kind = UVR_HOLDER_HIDDEN, .process = find_process(proc, number)};
  if (out->process != 0) {
    size_t length = describe_process(proc, out->process, out, command);
    out->kind = judge_process(proc, out, command, length);
  }
}

/* Who has the socket that `match` finds in a table. Of several Unix sockets that of serve counts last: another program
 * can have put its own in the place of that of serve, which still listens; serve replaces none that is in use. */
static void find_holder(const char *proc, const char *table, uint64_t (*match)(char *line, const void *what),
                        const void *what, uvr_holder *out)
{
  FILE *file = open_listing(proc, table);
  char *line = NULL;
  size_t size = 0;
  while (file != NULL && (out->kind == UVR_HOLDER_NOBODY || (out->kind == UVR_HOLDER_SERVE && match == match_unix)) &&
         getline(&line, &size, file) > 0) {
    uvr_holder holder;
    uint64_t number = match(line, what);
    if (number != 0) {
      describe_holder(proc, number, &holder);
      *out = out->kind == UVR_HOLDER_NOBODY || holder.kind != UVR_HOLDER_SERVE ? holder : *out;
    }
  }
  free(line);
  if (file != NULL) {
    (void)fclose(file);
  }
}

int uvr_holder_find_serve(const char *proc)
{
  int found = 0;
  char command[COMMAND_SIZE];
  const struct dirent *entry;
  DIR *directory = opendir(proc);
  while (directory != NULL && (entry = readdir(directory)) != NULL) {
    uvr_holder holder = {.process = (int)strtol(entry->d_name, NULL, 10)};
    if (holder.process > found) {
      size_t length = describe_process(proc, holder.process, &holder, command);
      found = judge_process(proc, &holder, command, length) == UVR_HOLDER_SERVE ? holder.process : found;
    }
  }
  if (directory != NULL) {
    (void)closedir(directory);
  }
  return found;
}

void uvr_holder_find(const char *proc, const uvr_address *listener, uvr_holder *out)
{
  char name[UVR_ADDRESS_PATH_SIZE + 1];
  *out = (uvr_holder){.kind = UVR_HOLDER_NOBODY};
  if (listener->kind == UVR_ADDRESS_TCP) {
    find_holder(proc, "net/tcp", match_tcp, &listener->port, out);
    if (out->kind == UVR_HOLDER_NOBODY) {
      find_holder(proc, "net/tcp6", match_tcp, &listener->port, out);
    }
  } else {
    (void)snprintf(name, sizeof(name), "%s%s", listener->kind == UVR_ADDRESS_ABSTRACT ? "@" : "", listener->path);
    find_holder(proc, "net/unix", match_unix, name, out);
  }
}
