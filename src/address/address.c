/* Addresses: see address.h. A text is first checked as a whole (length, UTF-8, control characters), then parsed by the
 * form that its beginning shows. A text of no known form is compared with the usual mistakes, so that the refusal can
 * say what was probably meant; such a suggestion is made only if it would itself be accepted. */
#include "address/address.h"

#include <stdio.h>
#include <string.h>

#include <uv.h>

#include "address/form.h"
#include "base/text.h"

#define LENGTH(array)     (sizeof(array) / sizeof((array)[0]))
#define SCHEME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-"
#define SUGGESTION_SIZE   112 /* a longer one would not fit into the error's text */
#define LIST_SIZE         256
#define TEXT_MAX          (UVR_ADDRESS_PATH_SIZE - 1)

/* Every form, in the order in which messages list them; those that are not listed come last. */
static const uvr_address_form *const forms[] = {
    &uvr_npipe_form, &uvr_unix_form, &uvr_tcp_form, &uvr_assuan_form, &uvr_abstract_form, &uvr_fd_form,
};

/* NULL for UVR_ADDRESS_NONE. */
static const uvr_address_form *form_of(uvr_address_kind kind)
{
  for (size_t i = 0; i < LENGTH(forms); i++) {
    if (forms[i]->kind == kind) {
      return forms[i];
    }
  }
  return NULL;
}

/* How many forms are listed in messages. */
static size_t count_listed(void)
{
  size_t count = 0;
  while (count < LENGTH(forms) && !forms[count]->listen_only) {
    count++;
  }
  return count;
}

/* "//./pipe/NAME for a named pipe, unix:///PATH, ... or assuan:///PATH", or "npipe, unix, ... and assuan". */
static const char *list_forms(char list[LIST_SIZE], bool schemes)
{
  size_t used = 0;
  size_t count = count_listed();
  for (size_t i = 0; i < count && used < LIST_SIZE; i++) {
    const char *item = schemes ? forms[i]->scheme : forms[i]->example;
    int length = (int)strlen(item) - (schemes ? 1 : 0); /* without the colon */
    const char *last = schemes ? " and " : " or ";
    const char *separator = i + 1 == count ? "" : i + 2 == count ? last : ", ";
    used += (size_t)snprintf(list + used, LIST_SIZE - used, "%.*s%s", length, item, separator);
  }
  return list;
}

static int check_text(const char *text, uvrelay_error_t *error)
{
  char list[LIST_SIZE];
  if (text == NULL || *text == '\0') {
    return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL, "the address is empty: write %s",
                         list_forms(list, false));
  }
  if (memchr(text, '\0', TEXT_MAX + 1) == NULL) {
    return uvr_address_refuse(text, error, "is too long: at most %d bytes are taken", (int)TEXT_MAX);
  }
  for (const char *next = text; *next != '\0';) {
    uint32_t point = 0;
    size_t length = uvr_utf8_next(next, &point);
    if (length == 0) {
      return uvr_address_refuse(text, error, "has the byte 0x%02x, which is not UTF-8: write it in UTF-8",
                                (unsigned)(unsigned char)*next);
    }
    if (uvr_is_control(point)) {
      return uvr_address_refuse(text, error, "has the control character 0x%02x: leave it out", (unsigned)point);
    }
    next += length;
  }
  return 0;
}

/* Parses a text by the form that it has; UVR_NOT_THIS_FORM if it has none. */
static int parse_form(const char *text, unsigned flags, uvr_address *out, uvrelay_error_t *error)
{
  int result = UVR_NOT_THIS_FORM;
  for (size_t i = 0; i < LENGTH(forms) && result == UVR_NOT_THIS_FORM; i++) {
    const uvr_address_form *form = forms[i];
    bool known = !form->listen_only || (flags & UVR_ADDRESS_LISTEN) != 0;
    if (known && uvr_begins(text, form->scheme)) {
      result = form->parse(text, text + strlen(form->scheme), flags, out, error);
    } else if (known && form->parse_bare != NULL) {
      result = form->parse_bare(text, out, error);
    }
    if (result == 0) {
      out->kind = form->kind;
    }
  }
  return result;
}

/* `start` and `rest` joined, if that is an address and not too long to show; if not, `otherwise`. */
static const char *suggest(char suggestion[SUGGESTION_SIZE], const char *start, const char *rest, const char *otherwise)
{
  uvr_address ignored;
  memset(&ignored, 0, sizeof(ignored));
  int length = snprintf(suggestion, SUGGESTION_SIZE, "%s%s", start, rest);
  bool good = length > 0 && length < SUGGESTION_SIZE && parse_form(suggestion, 0, &ignored, NULL) == 0;
  return good ? suggestion : otherwise;
}

/* The NAME of a //./pipe/NAME that was damaged on its way here, or NULL: a shell removes backslashes; MSYS replaces //
 * by / and puts its own directory before a /. */
static const char *damaged_pipe_name(const char *text)
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

/* How others write such addresses, in lower case, and how they are written here. */
static const struct {
  const char *scheme;
  const char *start;
  const char *example;
} foreign[] = {
    {"unix-connect:", "unix:", "unix:///PATH"},
    {"unix-listen:", "unix:", "unix:///PATH"},
    {"unix-client:", "unix:", "unix:///PATH"},
    {"local:", "unix:", "unix:///PATH"},
    {"tcp-connect:", "tcp://", "tcp://HOST:PORT"},
    {"tcp-listen:", "tcp://127.0.0.1:", "tcp://HOST:PORT"},
    {"tcp4:", "tcp://", "tcp://HOST:PORT"},
    {"tcp6:", "tcp://", "tcp://[IPV6]:PORT"},
    {"tcp4-connect:", "tcp://", "tcp://HOST:PORT"},
    {"tcp4-listen:", "tcp://127.0.0.1:", "tcp://HOST:PORT"},
    {"tcp6-connect:", "tcp://", "tcp://[IPV6]:PORT"},
    {"tcp6-listen:", "tcp://[::1]:", "tcp://[IPV6]:PORT"},
    {"unix-abstract:", "abstract:", "abstract:NAME"},
    {"abstract-connect:", "abstract:", "abstract:NAME"},
    {"abstract-listen:", "abstract:", "abstract:NAME"},
    {"abstract-client:", "abstract:", "abstract:NAME"},
    {"pipe:", "npipe:", "npipe:NAME"},
    {"@", "abstract:", "abstract:NAME"},
};

/* Refuses a text that is written as another program wants it; UVR_NOT_THIS_FORM if it is none. What follows a comma are
 * options of that program's. */
static int refuse_foreign(const char *text, uvrelay_error_t *error)
{
  for (size_t i = 0; i < LENGTH(foreign); i++) {
    if (uvr_begins(text, foreign[i].scheme)) {
      char suggestion[SUGGESTION_SIZE];
      char plain[SUGGESTION_SIZE];
      const char *rest = text + strlen(foreign[i].scheme);
      int length = (int)strcspn(rest, ",");
      bool fits = snprintf(plain, sizeof(plain), "%.*s", length, rest) < (int)sizeof(plain);
      return uvr_address_refuse(text, error, "is written as for another program: write %s",
                                suggest(suggestion, foreign[i].start, fits ? plain : "", foreign[i].example));
    }
  }
  return UVR_NOT_THIS_FORM;
}

/* Refuses a text of no known form, and guesses at what was meant. */
static int refuse_form(const char *text, uvrelay_error_t *error)
{
  char one[SUGGESTION_SIZE];
  char two[SUGGESTION_SIZE];
  char list[LIST_SIZE];
  const char *name = damaged_pipe_name(text);
  if (name != NULL) {
    return uvr_address_refuse(
        text, error, "seems to be a pipe's name that a shell altered: write %s, which shells leave alone, or %s",
        suggest(one, "npipe:", name, "npipe:NAME"), suggest(two, "//./pipe/", name, "//./pipe/NAME"));
  }
  if (uvr_is_drive(text)) {
    return uvr_address_refuse(text, error,
                              "is the path of a file: if that is a libassuan socket file, add -a or write %s",
                              suggest(one, "assuan:///", text, "assuan:///PATH"));
  }
  if (*text == '/') {
    return uvr_address_refuse(
        text, error, "is a path without a scheme: write %s for a Unix socket, or %s for a libassuan socket file",
        suggest(one, "unix://", text, "unix:///PATH"), suggest(two, "assuan://", text, "assuan:///PATH"));
  }
  if (suggest(one, "tcp://", text, NULL) != NULL) {
    return uvr_address_refuse(text, error, "has no scheme: write %s", one);
  }
  if (refuse_foreign(text, error) != UVR_NOT_THIS_FORM) {
    return UV_EINVAL;
  }
  if (uvr_begins(text, "via:")) {
    return uvr_address_refuse(text, error,
                              "begins with via:, which only the target of a route may, once: leave it out");
  }
  if (uvr_begins(text, uvr_fd_form.scheme)) {
    return uvr_address_refuse(text, error, "is a socket that can only be listened on, by serve: name another target");
  }
  size_t scheme = strspn(text, SCHEME_CHARACTERS);
  if (uvr_is_letter(*text) && text[scheme] == ':') {
    return uvr_address_refuse(text, error, "has an unknown scheme: the schemes are %s", list_forms(list, true));
  }
  return uvr_address_refuse(text, error, "has no scheme: write %s", list_forms(list, false));
}

/* Whether `text` is plainly an address, and no path. */
static bool is_address(const char *text)
{
  uvr_address ignored;
  memset(&ignored, 0, sizeof(ignored));
  for (size_t i = 0; i < count_listed(); i++) {
    if (uvr_begins(text, forms[i]->scheme)) {
      return true;
    }
  }
  return parse_form(text, 0, &ignored, NULL) == 0;
}

/* The path of a libassuan socket file, with or without its scheme. */
static int parse_assuan_path(const char *text, uvr_address *out, uvrelay_error_t *error)
{
  if (uvr_begins(text, uvr_assuan_form.scheme)) {
    return parse_form(text, 0, out, error);
  }
  if (is_address(text)) {
    return uvr_address_refuse(text, error, "is not the path of a libassuan socket file: leave -a out");
  }
  out->kind = uvr_assuan_form.kind;
  return uvr_assuan_form.parse(text, text, UVR_ADDRESS_ASSUAN_PATH, out, error);
}

void uvr_address_set_via(uvr_address *address)
{
  char plain[UVR_ADDRESS_CANONICAL_SIZE];
  memcpy(plain, address->canonical, sizeof(plain));
  address->via = true;
  (void)snprintf(address->canonical, sizeof(address->canonical), "via:%.*s",
                 (int)(sizeof(address->canonical) - sizeof("via:")), plain);
}

bool uvr_address_is_windows_file(const uvr_address *address)
{
  return address->kind == UVR_ADDRESS_ASSUAN && uvr_is_drive(address->path);
}

/* Anything that begins with two slashes may lead to another computer, by //HOST, //./UNC/HOST and more. But Windows
 * takes \\?\C:\x as it stands, without resolving "..". It also takes \??\ for \\?\. */
bool uvr_address_is_remote_file(const uvr_address *address)
{
  const char *path = address->path;
  if (address->kind != UVR_ADDRESS_ASSUAN || (strncmp(path, "\\\\?\\", 4) == 0 && uvr_is_drive(path + 4))) {
    return false;
  }
  return uvr_is_slash(path[0]) && (uvr_is_slash(path[1]) || (path[1] == '?' && path[2] == '?'));
}

bool uvr_address_has(const uvr_address *address, uvr_address_trait trait)
{
  const uvr_address_form *form = form_of(address->kind);
  return form != NULL && (form->traits & trait) != 0;
}

void uvr_address_set_port(uvr_address *address, uint16_t port)
{
  const uvr_address_form *form = form_of(address->kind);
  if (form != NULL && form->set_port != NULL) {
    form->set_port(address, port);
  }
}

int uvr_address_parse(const char *text, unsigned flags, uvr_address *out, uvrelay_error_t *error)
{
  memset(out, 0, sizeof(*out));
  if ((flags & UVR_ADDRESS_VIA) != 0 && text != NULL && uvr_begins(text, "via:")) {
    int code = uvr_address_parse(text + strlen("via:"), flags & ~UVR_ADDRESS_VIA, out, error);
    if (code == 0) {
      uvr_address_set_via(out);
    }
    return code;
  }
  int result = check_text(text, error);
  if (result == 0) {
    result = (flags & UVR_ADDRESS_ASSUAN_PATH) != 0 ? parse_assuan_path(text, out, error)
                                                    : parse_form(text, flags, out, error);
  }
  if (result == UVR_NOT_THIS_FORM) {
    result = refuse_form(text, error);
  }
  if (result == 0 && strlen(out->canonical) > TEXT_MAX) { /* a path without its scheme may be shorter than that */
    result = uvr_address_refuse(text, error, "is too long: with its scheme, assuan:///, at most %d bytes are taken",
                                (int)TEXT_MAX);
  }
  if (result != 0) {
    memset(out, 0, sizeof(*out));
  }
  return result;
}
