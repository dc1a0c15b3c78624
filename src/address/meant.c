/* Guesses: see meant.h. Each one rewrites the text as a kind of mistake suggests, and counts only if the result is an
 * address. */
#include "address/meant.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "address/form.h"
#include "base/error.h"
#include "base/near_word.h"

#define DIGITS  "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGITS
#define UNSAFE  " \t,;'\"`$&|<>()*?!#"

enum { TEXT_SIZE = 512 }; /* in a longer text nothing is guessed */

typedef struct guess {
  unsigned flags;
  uvr_meant_check *accepts;
  char *meant;
} guess;

/* How others write addresses, in lower case, and how they are written here. */
static const struct {
  const char *scheme;
  const char *start;
  const char *example;
  unsigned port; /* what the scheme stands for, if there is none in the text */
} foreign[] = {
    {"unix-connect:", "unix:", "unix:///PATH", 0},
    {"unix-listen:", "unix:", "unix:///PATH", 0},
    {"unix-client:", "unix:", "unix:///PATH", 0},
    {"local:", "unix:", "unix:///PATH", 0},
    {"file:", "unix:", "unix:///PATH", 0},
    {"ipc:", "unix:", "unix:///PATH", 0},
    {"tcp-connect:", "tcp:", "tcp://HOST:PORT", 0},
    {"tcp-listen:", "tcp:", "tcp://HOST:PORT", 0},
    {"tcp4:", "tcp:", "tcp://HOST:PORT", 0},
    {"tcp6:", "tcp:", "tcp://[IPV6]:PORT", 0},
    {"tcp4-connect:", "tcp:", "tcp://HOST:PORT", 0},
    {"tcp4-listen:", "tcp:", "tcp://HOST:PORT", 0},
    {"tcp6-connect:", "tcp:", "tcp://[IPV6]:PORT", 0},
    {"tcp6-listen:", "tcp://[::1]:", "tcp://[IPV6]:PORT", 0},
    {"http:", "tcp:", "tcp://HOST:PORT", 80},
    {"https:", "tcp:", "tcp://HOST:PORT", 443},
    {"ws:", "tcp:", "tcp://HOST:PORT", 80},
    {"wss:", "tcp:", "tcp://HOST:PORT", 443},
    {"ssh:", "tcp:", "tcp://HOST:PORT", 22},
    {"unix-abstract:", "abstract:", "abstract:NAME", 0},
    {"abstract-connect:", "abstract:", "abstract:NAME", 0},
    {"abstract-listen:", "abstract:", "abstract:NAME", 0},
    {"abstract-client:", "abstract:", "abstract:NAME", 0},
    {"pipe:", "npipe:", "npipe:NAME", 0},
    {"namedpipe:", "npipe:", "npipe:NAME", 0},
    {"@", "abstract:", "abstract:NAME", 0},
    {"exec:", "", "//./pipe/NAME for the pipe that this command relays to", 0},
    {"system:", "", "//./pipe/NAME for the pipe that this command relays to", 0},
};

#define FOREIGN (sizeof(foreign) / sizeof(foreign[0]))

static size_t find_foreign(const char *text)
{
  size_t i = 0;
  while (i < FOREIGN && !uvr_begins(text, foreign[i].scheme)) {
    i++;
  }
  return i;
}

const char *uvr_meant_foreign(const char *text)
{
  size_t i = find_foreign(text);
  return i < FOREIGN ? foreign[i].example : NULL;
}

const char *uvr_meant_pipe(const char *text)
{
  if (uvr_is_drive(text)) {
    for (; *text != '\0'; text++) {
      if (uvr_is_slash(text[0]) && uvr_begins(text + 1, "pipe") && uvr_is_slash(text[5])) {
        return text + 6;
      }
    }
    return NULL;
  }
  text += uvr_is_slash(*text) ? 1 : 0;
  if (*text != '.') {
    return NULL;
  }
  size_t before = strspn(text + 1, UVR_SLASHES);
  text += 1 + before;
  if (!uvr_begins(text, "pipe")) {
    return NULL;
  }
  text += strlen("pipe");
  size_t after = strspn(text, UVR_SLASHES);
  /* A shell removes all backslashes or none; ./pipeline is something else. */
  return (before == 0) == (after == 0) ? text + after : NULL;
}

/* Takes a text for what was meant, if it is an address. */
static bool UVR_PRINTF(2, 3) offer(const guess *g, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  int length = vsnprintf(g->meant, UVR_MEANT_SIZE, format, args);
  va_end(args);
  return length > 0 && length < UVR_MEANT_SIZE && strpbrk(g->meant, UNSAFE) == NULL && g->accepts(g->meant, g->flags);
}

/* The same for the name of a pipe, whose slashes may be of either kind. */
static bool offer_pipe(const guess *g, const char *start, const char *name)
{
  char copy[UVR_MEANT_SIZE];
  (void)snprintf(copy, sizeof(copy), "%s", name);
  for (char *c = copy; *c != '\0'; c++) {
    *c = *c == '\\' ? '/' : *c;
  }
  return strlen(name) < sizeof(copy) && *copy != '\0' && offer(g, "%s%s", start, copy);
}

/* A pipe's name with what should precede it, in whatever form: ./pipe/x, //x, \pipe\x, //HOST/pipe/x. */
static bool guess_pipe(const guess *g, const char *rest)
{
  const char *name = rest + strspn(rest, UVR_SLASHES);
  const char *host = name;
  name += *name == '.' ? 1 : 0;
  bool dot = name > host;
  name += dot ? strspn(name, UVR_SLASHES) : 0;
  if (uvr_begins(name, "pipe") && uvr_is_slash(name[4])) {
    name += strlen("pipe");
    return offer_pipe(g, "//./pipe/", name + strspn(name, UVR_SLASHES));
  }
  if (dot && uvr_begins(name, "pipe")) {
    return offer_pipe(g, "//./pipe/", name + strlen("pipe"));
  }
  if (!dot && strpbrk(name, UVR_SLASHES) != NULL) {
    return offer_pipe(g, "//", host);
  }
  return !dot && offer_pipe(g, "//./pipe/", name);
}

/* HOST:PORT with more around it than belongs there, or with too little. */
static bool guess_tcp(const guess *g, const char *rest, unsigned usual_port)
{
  char copy[TEXT_SIZE];
  rest += strspn(rest, "/");
  (void)snprintf(copy, sizeof(copy), "%.*s", (int)strcspn(rest, "/?#,"), rest);
  char *at = strrchr(copy, '@');
  char *host = at != NULL ? at + 1 : copy;
  char *blank = strpbrk(host, " \t");
  if (blank != NULL) {
    *blank = ':';
  }
  char *port = strrchr(host, ':');
  if (*host != '\0' && host[strspn(host, DIGITS)] == '\0') {
    return offer(g, "tcp://127.0.0.1:%s", host);
  }
  if ((host[0] == ':' && host[1] != ':') || uvr_begins(host, "*:")) {
    return offer(g, "tcp://127.0.0.1:%s", port + 1);
  }
  if (port != NULL && memchr(host, ':', (size_t)(port - host)) != NULL && *host != '[') {
    *port = '\0';
    return offer(g, "tcp://[%s]:%s", host, port + 1);
  }
  return offer(g, "tcp://%s", host) || (usual_port > 0 && offer(g, "tcp://%s:%u", host, usual_port));
}

static bool guess_unix(const guess *g, const char *rest)
{
  char copy[TEXT_SIZE];
  (void)snprintf(copy, sizeof(copy), "%s", rest);
  for (char *quote; (quote = strpbrk(copy, "'\"")) != NULL;) {
    memmove(quote, quote + 1, strlen(quote));
  }
  bool short_of_a_slash = copy[0] == '/' && copy[1] == '/' && copy[2] != '/' && strchr(copy + 2, '/') != NULL;
  return short_of_a_slash ? offer(g, "unix:/%s", copy) : offer(g, "unix:%s", copy);
}

/* The rest of an address whose scheme is meant to be this one. */
static bool guess_rest(const guess *g, const char *scheme, const char *rest, unsigned port)
{
  if (uvr_begins(scheme, "npipe")) {
    return guess_pipe(g, rest);
  }
  if (uvr_begins(scheme, "tcp")) {
    return guess_tcp(g, rest, port);
  }
  if (uvr_begins(scheme, "unix")) {
    return guess_unix(g, rest);
  }
  return offer(g, "%s%s", scheme, rest);
}

/* A scheme that is none of ours. Options of another program's follow a comma. */
static bool guess_foreign(const guess *g, const char *text)
{
  char copy[TEXT_SIZE];
  size_t i = find_foreign(text);
  if (i == FOREIGN || *foreign[i].start == '\0') {
    return false;
  }
  const char *rest = text + strlen(foreign[i].scheme);
  (void)snprintf(copy, sizeof(copy), "%.*s", (int)strcspn(rest, ","), rest);
  return foreign[i].start[strlen(foreign[i].start) - 1] == ':' && strchr(foreign[i].start, '/') != NULL
             ? offer(g, "%s%s", foreign[i].start, copy)
             : guess_rest(g, foreign[i].start, copy, foreign[i].port);
}

/* One of our schemes, mistyped or without its colon; or right, with a rest that is wrong. */
static bool guess_scheme(const guess *g, const char *text)
{
  static const char *const schemes[] = {"npipe", "unix", "tcp", "assuan", "abstract"};
  size_t length = strspn(text, LETTERS "+-.");
  const char *rest = text + length;
  if (*rest == ':' || *rest == '=') {
    rest++;
  } else if (!uvr_is_slash(*rest)) {
    return false;
  }
  for (size_t i = 0; length > 0 && i < sizeof(schemes) / sizeof(schemes[0]); i++) {
    if (uvr_near_word(text, length, schemes[i]) < UVR_NEAR_NOT) {
      char scheme[16];
      (void)snprintf(scheme, sizeof(scheme), "%s:", schemes[i]);
      return guess_rest(g, scheme, rest, 0);
    }
  }
  return false;
}

/* A pipe somewhere in the text, as in the command line of another relay. */
static bool guess_embedded(const guess *g, const char *text)
{
  char copy[TEXT_SIZE];
  for (; *text != '\0'; text++) {
    if (uvr_is_slash(text[0]) && uvr_is_slash(text[1])) {
      (void)snprintf(copy, sizeof(copy), "%.*s", (int)strcspn(text, " ,'\""), text);
      if (strchr(copy, '.') != NULL && guess_pipe(g, copy)) {
        return true;
      }
    }
  }
  return false;
}

/* A text without any scheme. */
static bool guess_bare(const guess *g, const char *text)
{
  bool word = text[strspn(text, LETTERS "-_.")] == '\0';
  if (text[0] == '~' && text[1] == '/') {
    g->meant[0] = '\0';
    return strlen(text) < UVR_MEANT_SIZE - sizeof("unix://") && offer(g, "unix:%s", text + 1) &&
           snprintf(g->meant, UVR_MEANT_SIZE, "unix://%s", text) > 0;
  }
  if (word && (strstr(text, ".sock") != NULL || text[strspn(text, DIGITS ".")] == '\0')) {
    return text[strspn(text, DIGITS)] == '\0' && guess_tcp(g, text, 0);
  }
  return guess_tcp(g, text, 0) || (word && *text != '-' && *text != '.' && guess_pipe(g, text));
}

static bool is_pipe_path(const char *text)
{
  const char *name = text + strspn(text, UVR_SLASHES);
  name += *name == '.' ? 1 : 0;
  name += strspn(name, UVR_SLASHES);
  return name > text && uvr_begins(name, "pipe");
}

const char *uvr_meant(const char *text, unsigned flags, uvr_meant_check *accepts, char meant[UVR_MEANT_SIZE])
{
  char copy[TEXT_SIZE];
  const guess g = {.flags = flags, .accepts = accepts, .meant = meant};
  const char *start = text + strspn(text, " \t'\"");
  size_t length = strlen(start);
  while (length > 0 && strchr(" \t'\"", start[length - 1]) != NULL) {
    length--;
  }
  if (length >= sizeof(copy)) {
    return NULL;
  }
  memcpy(copy, start, length);
  copy[length] = '\0';
  bool stripped = strcmp(copy, text) != 0;
  bool good = (stripped && offer(&g, "%s", copy)) || guess_foreign(&g, copy) || guess_scheme(&g, copy) ||
              (is_pipe_path(copy) && guess_pipe(&g, copy)) || guess_embedded(&g, copy) || guess_bare(&g, copy);
  return good ? meant : NULL;
}
