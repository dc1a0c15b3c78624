/* The /init of the stand-in WSL machine (test/lib/wsl_machine.py), a static program, as that of WSL is. It does what
 * was read in microsoft/WSL, src/linux/init: binfmt.cpp and util.cpp.
 *
 *   /init PATH ARGV0 [ARGUMENT...]     as the kernel calls it for a Windows program, by binfmt_misc with the flag P
 *   /init                              as process 1
 *
 * For a Windows program it finds the interop socket (WSL_INTEROP; if that is not set or not there, the first of the
 * parents' N_interop in /run/WSL), sends it what is to be started, and becomes what the program's exit code says. In
 * WSL the bytes are then moved by this process; here its standard descriptors are handed on, and test/lib/wsl_init.py
 * moves them, started by the other end of the socket. If this process ends, the program is ended.
 *
 * The request is a number of 32 bits, how many bytes follow, and these texts, each ended by a NUL: the file, the
 * current directory, how many words of WSLENV's variables there are and these (NAME=VALUE), and the program's words.
 * The answer is a number of 32 bits, 0, within ten seconds, as WSL connects in that time. Then a byte takes the
 * standard descriptors there, and another number comes back: the exit code, or 256 and a signal that has ended
 * wsl_init.py.
 *
 * As process 1 it is there until its standard input ends, and all other processes of the machine with it. */
#define _GNU_SOURCE
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { REQUEST_MAX = 1024 * 1024, ACCEPT_MS = 10000 };

typedef struct request {
  size_t length;
  char text[REQUEST_MAX];
} request;

static int complain(const char *what, int error)
{
  (void)fprintf(stderr, "<3>WSL (%d - ) ERROR: %s failed %d\n", (int)getpid(), what, error);
  return 1;
}

static void put(request *r, const char *text)
{
  size_t size = strlen(text) + 1;
  if (size <= sizeof r->text - r->length) {
    memcpy(r->text + r->length, text, size);
    r->length += size;
  }
}

/* The variables that WSLENV names, as NAME/FLAGS:NAME..., which alone are passed on. */
static void put_environment(request *r)
{
  char words[4096] = "", number[16];
  const char *names = getenv("WSLENV");
  char *found[256], *rest = NULL;
  int count = 0;
  (void)snprintf(words, sizeof words, "%s", names == NULL ? "" : names);
  for (char *word = strtok_r(words, ":", &rest); word != NULL && count < 256; word = strtok_r(NULL, ":", &rest)) {
    word[strcspn(word, "/")] = '\0';
    const char *value = getenv(word);
    if (value != NULL && asprintf(&found[count], "%s=%s", word, value) >= 0)
      count++;
  }
  (void)snprintf(number, sizeof number, "%d", count);
  put(r, number);
  for (int i = 0; i < count; i++)
    put(r, found[i]);
}

static long parent_of(long process)
{
  char path[64], text[512] = "";
  (void)snprintf(path, sizeof path, "/proc/%ld/stat", process);
  FILE *file = fopen(path, "re");
  if (file != NULL) {
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    (void)fclose(file);
  }
  const char *end = strrchr(text, ')');
  return end == NULL || strlen(end) < 5 ? 0 : strtol(end + 4, NULL, 10);
}

/* Returns the path of the socket, or NULL. */
static const char *find_socket(char *path, size_t size)
{
  const char *given = getenv("WSL_INTEROP");
  if (given != NULL && (access(given, F_OK) == 0 || errno != ENOENT))
    return given;
  for (long process = getppid(); process > 0; process = parent_of(process)) {
    (void)snprintf(path, size, "/run/WSL/%ld_interop", process);
    if (access(path, F_OK) == 0)
      return path;
  }
  return given;
}

/* Returns a connection; or -1 and has complained, except where WSL does not. */
static int connect_to_interop(void)
{
  char path[PATH_MAX];
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const char *where = find_socket(path, sizeof path);
  if (where == NULL)
    return -1;
  int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int length = snprintf(address.sun_path, sizeof address.sun_path, "%s", where);
  if (length >= (int)sizeof address.sun_path ||
      connect(connection, (const struct sockaddr *)&address, sizeof address) != 0) {
    (void)complain("UtilConnectUnix:535: connect", errno);
    return -1;
  }
  return connection;
}

/* Ten seconds, as in WSL, unless a test has written something else. */
static int accept_time_ms(void)
{
  char text[16] = "";
  FILE *file = fopen("/.accept-ms", "re");
  if (file != NULL) {
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    (void)fclose(file);
  }
  return *text == '\0' ? ACCEPT_MS : (int)strtol(text, NULL, 10);
}

static int send_all(int connection, const void *bytes, size_t length)
{
  for (size_t sent = 0; sent < length;) {
    ssize_t some = send(connection, (const char *)bytes + sent, length - sent, MSG_NOSIGNAL);
    if (some <= 0)
      return -1;
    sent += (size_t)some;
  }
  return 0;
}

static int send_request(int connection, const request *r)
{
  uint32_t length = (uint32_t)r->length;
  return send_all(connection, &length, sizeof length) == 0 ? send_all(connection, r->text, r->length) : -1;
}

static int send_standard(int connection)
{
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(3 * sizeof(int))];
  } control = {.bytes = ""};
  const int standard[3] = {0, 1, 2};
  struct iovec part = {.iov_base = (char[]){0}, .iov_len = 1};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof standard);
  memcpy(CMSG_DATA(header), standard, sizeof standard);
  return sendmsg(connection, &message, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

/* Returns whether a number has come. */
static int receive_number(int connection, int timeout_ms, uint32_t *number)
{
  struct pollfd one = {.fd = connection, .events = POLLIN};
  size_t got = 0;
  while (got < sizeof *number) {
    if (poll(&one, 1, timeout_ms) <= 0)
      return 0;
    ssize_t some = read(connection, (char *)number + got, sizeof *number - got);
    if (some <= 0)
      return 0;
    got += (size_t)some;
  }
  return 1;
}

static int become(uint32_t code)
{
  if (code > 256) {
    (void)signal((int)(code - 256), SIG_DFL);
    (void)raise((int)(code - 256));
  }
  return code > 255 ? 1 : (int)code;
}

/* The standard descriptors must be there to be sent. */
static void open_standard(void)
{
  FILE *file = fopen("/dev/null", "r+");
  while (file != NULL && fileno(file) < 3)
    file = fopen("/dev/null", "r+");
}

static int run_program(int argc, char **argv)
{
  static request r;
  char path[PATH_MAX], directory[PATH_MAX] = "/";
  uint32_t number = 0;
  if (realpath(argv[1], path) == NULL)
    return 1;
  put(&r, path);
  put(&r, getcwd(directory, sizeof directory) == NULL ? "/" : directory);
  put_environment(&r);
  put(&r, argc > 2 && strcmp(argv[1], argv[2]) == 0 ? basename(argv[2]) : argc > 2 ? argv[2] : argv[1]);
  for (int i = 3; i < argc; i++)
    put(&r, argv[i]);
  open_standard();
  int connection = connect_to_interop();
  if (connection < 0)
    return 1;
  if (send_request(connection, &r) != 0)
    return complain("Send: write", errno);
  if (!receive_number(connection, accept_time_ms(), &number))
    return complain("UtilAcceptVsock:271: accept4", ETIMEDOUT);
  if (send_standard(connection) != 0)
    return complain("Send: write", errno);
  return receive_number(connection, -1, &number) ? become(number) : 1;
}

static int be_process_1(void)
{
  char byte;
  (void)signal(SIGCHLD, SIG_IGN); /* the kernel forgets its children at once */
  while (read(0, &byte, 1) > 0)
    ;
  return 0;
}

int main(int argc, char **argv)
{
  return argc > 1 ? run_program(argc, argv) : be_process_1();
}
