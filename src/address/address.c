/* Addresses: see address.h. A text is first checked as a whole (length, UTF-8, control characters), then parsed by the
 * form that its beginning shows. A text of no known form is compared with the usual mistakes, so that the refusal can
 * say what was probably meant; such a suggestion is made only if it would itself be accepted. */
#include "address/address.h"

#include <stdio.h>
#include <string.h>

#include <uv.h>

#include "address/form.h"
#include "address/meant.h"
#include "base/text.h"

#define LENGTH(array)     (sizeof(array) / sizeof((array)[0]))
#define SCHEME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-"
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
    return uvr_address_refuse(text, error, "is too long: the limit is %d bytes", (int)TEXT_MAX);
  }
  for (const char *next = text; *next != '\0';) {
    uint32_t point = 0;
    size_t length = uvr_utf8_next(next, &point);
    if (length == 0) {
      return uvr_address_refuse(text, error, "has the byte 0x%02x, which is not UTF-8: write it in UTF-8",
                                (unsigned)(unsigned char)*next);
    }
    if (uvr_is_control(point)) {
      return uvr_address_refuse(text, error, "has the control character 0x%02x: remove it", (unsigned)point);
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
      result = form->parse_bare(text, flags, out, error);
    }
    if (result == 0) {
      out->kind = form->kind;
    }
  }
  return result;
}

/* `start` and `rest` joined, if that is an address and not too long to show; if not, `otherwise`. */
static const char *suggest(char suggestion[UVR_MEANT_SIZE], const char *start, const char *rest, const char *otherwise)
{
  uvr_address ignored;
  memset(&ignored, 0, sizeof(ignored));
  int length = snprintf(suggestion, UVR_MEANT_SIZE, "%s%s", start, rest);
  bool good = length > 0 && length < UVR_MEANT_SIZE && parse_form(suggestion, 0, &ignored, NULL) == 0;
  return good ? suggestion : otherwise;
}

static bool is_accepted(const char *text, unsigned flags)
{
  uvr_address ignored;
  memset(&ignored, 0, sizeof(ignored));
  return parse_form(text, flags, &ignored, NULL) == 0;
}

/* Refuses a path, which may be of two kinds of sockets. */
static int refuse_path(const char *text, uvrelay_error_t *error)
{
  char one[UVR_MEANT_SIZE];
  char two[UVR_MEANT_SIZE];
  if (uvr_is_drive(text)) {
    char plain[UVR_MEANT_SIZE];
    (void)snprintf(plain, sizeof(plain), "%s", text);
    for (char *c = plain; *c != '\0'; c++) {
      *c = *c == '\\' ? '/' : *c; /* which every shell leaves alone */
    }
    return uvr_address_refuse(text, error,
                              "is the path of a file: if that is a libassuan socket file, add -a or write %s",
                              suggest(one, "assuan:///", strlen(text) < sizeof(plain) ? plain : "", "assuan:///PATH"));
  }
  return uvr_address_refuse(
      text, error, "is a path without a scheme: write %s for a Unix socket, or %s for a libassuan socket file",
      suggest(one, "unix://", text, "unix:///PATH"), suggest(two, "assuan://", text, "assuan:///PATH"));
}

/* Refuses a text of no known form, and guesses at what was meant. */
static int refuse_form(const char *text, unsigned flags, uvrelay_error_t *error)
{
  char one[UVR_MEANT_SIZE];
  char two[UVR_MEANT_SIZE];
  char list[LIST_SIZE];
  const char *name = uvr_meant_pipe(text);
  if (name != NULL) {
    return uvr_address_refuse(
        text, error, "looks like a pipe's name that a shell has altered: write %s, which shells leave alone, or %s",
        suggest(one, "npipe:", name, "npipe:NAME"), suggest(two, "//./pipe/", name, "//./pipe/NAME"));
  }
  const char *meant = uvr_meant(text, flags, is_accepted, one);
  if (uvr_is_drive(text) || (*text == '/' && meant == NULL)) {
    return refuse_path(text, error);
  }
  if (uvr_meant_foreign(text) != NULL) {
    return uvr_address_refuse(text, error, "is in the form of another program: write %s",
                              meant != NULL ? meant : uvr_meant_foreign(text));
  }
  if (uvr_begins(text, "via:")) {
    return uvr_address_refuse(text, error,
                              "begins with via:, which is allowed once, in the target of a route: remove it");
  }
  if (uvr_begins(text, uvr_fd_form.scheme)) {
    return uvr_address_refuse(text, error, "can only be listened on, by uvrelay serve: choose another target");
  }
  if (strcmp(text, "-") == 0 || uvr_is_same_word(text, "stdio")) {
    return uvr_address_refuse(text, error,
                              "has no scheme: standard input and output are always one side of the relay; write the "
                              "other one, such as //./pipe/NAME");
  }
  if (meant == NULL && (*text == '.' || strstr(text, ".sock") != NULL) && strchr(text, ':') == NULL) {
    return uvr_address_refuse(text, error, "has no scheme: write the whole path of a Unix socket, unix:///PATH");
  }
  size_t scheme = strspn(text, SCHEME_CHARACTERS);
  if (uvr_is_letter(*text) && text[scheme] == ':') {
    bool host = meant != NULL && uvr_begins(meant, "tcp://") && strcmp(meant + strlen("tcp://"), text) == 0;
    return meant == NULL
               ? uvr_address_refuse(text, error, "has an unknown scheme: the schemes are %s", list_forms(list, true))
               : uvr_address_refuse(text, error, host ? "has no scheme: write %s" : "has an unknown scheme: write %s",
                                    meant);
  }
  return uvr_address_refuse(text, error, "has no scheme: write %s", meant != NULL ? meant : list_forms(list, false));
}

/* Whether what follows a question mark looks like options of a route, after an address. */
static bool has_options(const char *text, unsigned flags, char address[UVR_MEANT_SIZE])
{
  size_t length = strcspn(text, "?");
  (void)snprintf(address, UVR_MEANT_SIZE, "%.*s", (int)length, text);
  return length < UVR_MEANT_SIZE && text[length] == '?' && strchr(text + length, '=') != NULL &&
         is_accepted(address, flags);
}

/* A form has refused a text: adds what was probably meant, if that shows. */
static void add_meant(const char *text, unsigned flags, uvrelay_error_t *error)
{
  char meant[UVR_MEANT_SIZE];
  if (has_options(text, flags, meant)) {
    (void)uvr_address_refuse(
        text, error,
        "has options after a ?, which only routes of uvrelay serve can have: write %s, and put flags before it", meant);
    return;
  }
  size_t length = error == NULL ? 0 : strlen(error->text);
  if (length > 0 && length + UVR_MEANT_SIZE < sizeof(error->text) &&
      uvr_meant(text, flags, is_accepted, meant) != NULL) {
    (void)snprintf(error->text + length, sizeof(error->text) - length, ", such as %s", meant);
  }
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
    return uvr_address_refuse(text, error, "is not the path of a libassuan socket file: remove -a");
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
  return address->kind == UVR_ADDRESS_ASSUAN && (address->has_variable || uvr_is_drive(address->path));
}

/* Anything that begins with two slashes may lead to another computer, by //HOST, //./UNC/HOST and more. But Windows
 * takes \\?\C:\x as it is, without resolving "..". It also takes \??\ for \\?\. */
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
  bool readable = result == 0;
  if (readable) {
    result = (flags & UVR_ADDRESS_ASSUAN_PATH) != 0 ? parse_assuan_path(text, out, error)
                                                    : parse_form(text, flags, out, error);
  }
  if (result == UVR_NOT_THIS_FORM) {
    result = refuse_form(text, flags, error);
  } else if (result != 0 && readable && (flags & UVR_ADDRESS_ASSUAN_PATH) == 0) {
    add_meant(text, flags, error);
  }
  if (result == 0 && strlen(out->canonical) > TEXT_MAX) { /* a path without its scheme may be shorter than that */
    result = uvr_address_refuse(text, error, "is too long: the limit is %d bytes, including the scheme assuan:///",
                                (int)TEXT_MAX);
  }
  if (result != 0) {
    memset(out, 0, sizeof(*out));
  }
  return result;
}
