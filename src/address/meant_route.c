/* Guesses at routes: see meant_route.h. Each half is taken as it is, if it is an address, or as uvr_meant() says. */
#include "address/meant_route.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "address/address.h"
#include "address/form.h"
#include "address/meant.h"
#include "base/text.h"

#define DIGITS "0123456789"
#define BLANKS " \t"

enum { TEXT_SIZE = 512, WORDS = 8, HALF_SIZE = UVR_MEANT_SIZE + 64 };

/* A text that is split at blanks, as a shell does, but with the quotes left where they are. */
typedef struct split_text {
  char text[TEXT_SIZE];
  char *words[WORDS];
  size_t count;
} split_text;

static bool is_address(const char *text, unsigned flags)
{
  uvr_address ignored;
  return uvr_address_parse(text, flags, &ignored, NULL) == 0;
}

/* One half of a route, with its options as they are. */
static bool guess_half(const char *text, unsigned flags, char out[HALF_SIZE])
{
  char address[TEXT_SIZE];
  char meant[UVR_MEANT_SIZE];
  text += strspn(text, BLANKS);
  size_t whole = strlen(text);
  while (whole > 0 && strchr(BLANKS, text[whole - 1]) != NULL) {
    whole--;
  }
  size_t length = strcspn(text, "?");
  length = length < whole ? length : whole;
  (void)snprintf(address, sizeof(address), "%.*s", (int)length, text);
  const char *found = address;
  if (address[strspn(address, DIGITS)] != '\0' && strpbrk(address, "/\\:~") == NULL) {
    return false; /* a word, which could be anything */
  }
  if (!is_address(address, flags)) {
    found = uvr_meant(address, flags, is_address, meant);
  }
  if (found == NULL && *address == '/') {
    int written = snprintf(meant, sizeof(meant), "unix://%s", address);
    found = written < (int)sizeof(meant) && is_address(meant, flags) ? meant : NULL;
  }
  int written = found == NULL ? -1 : snprintf(out, HALF_SIZE, "%s%.*s", found, (int)(whole - length), text + length);
  return written > 0 && written < HALF_SIZE;
}

static bool join(const char *left, const char *right, char meant[UVR_MEANT_ROUTE_SIZE])
{
  char listen[HALF_SIZE];
  char target[HALF_SIZE];
  if (!guess_half(left, UVR_ADDRESS_LISTEN, listen) || !guess_half(right, UVR_ADDRESS_VIA, target)) {
    return false;
  }
  int length = snprintf(meant, UVR_MEANT_ROUTE_SIZE, "%s=%s", listen, target);
  return length > 0 && length < UVR_MEANT_ROUTE_SIZE;
}

static bool split(const char *text, split_text *out)
{
  char quote = '\0';
  bool inside = false;
  out->count = 0;
  if (snprintf(out->text, sizeof(out->text), "%s", text) >= (int)sizeof(out->text)) {
    return false;
  }
  for (char *c = out->text; *c != '\0'; c++) {
    if (quote == '\0' && strchr(BLANKS, *c) != NULL) {
      *c = '\0';
      inside = false;
      continue;
    }
    if (!inside && out->count == WORDS) {
      return false;
    }
    if (!inside) {
      out->words[out->count++] = c;
      inside = true;
    }
    if (*c == quote) {
      quote = '\0';
    } else if (quote == '\0' && (*c == '"' || *c == '\'')) {
      quote = *c;
    }
  }
  return true;
}

/* ssh's [BIND:]PORT:HOST:HOSTPORT, or with a blank after PORT; the host is named as the other computer knows it. */
static bool guess_forward(const char *text, const char *more, char meant[UVR_MEANT_ROUTE_SIZE])
{
  char all[TEXT_SIZE];
  char left[HALF_SIZE];
  char right[HALF_SIZE];
  (void)snprintf(all, sizeof(all), "%s%s%s", text, more != NULL ? ":" : "", more != NULL ? more : "");
  char *target_port = strrchr(all, ':');
  if (target_port == NULL) {
    return false;
  }
  *target_port = '\0';
  char *target = strrchr(all, ':');
  if (target == NULL) {
    return false;
  }
  *target++ = '\0';
  char *port = strrchr(all, ':');
  (void)snprintf(left, sizeof(left), "tcp://127.0.0.1:%.20s", port != NULL ? port + 1 : all);
  (void)snprintf(right, sizeof(right), "via:tcp://%.100s:%.20s", target, target_port + 1);
  return join(left, right, meant);
}

static bool guess_ssh(const split_text *s, char meant[UVR_MEANT_ROUTE_SIZE])
{
  for (size_t i = 0; i < s->count && s->words[i] != NULL; i++) {
    const char *word = s->words[i];
    const char *next = i + 1 < s->count ? s->words[i + 1] : NULL;
    bool forward = uvr_begins(word, "localforward");
    if (strncmp(word, "-L", 2) == 0 && word[2] != '\0') {
      return guess_forward(word + 2, NULL, meant);
    }
    if ((forward || strcmp(word, "-L") == 0) && next != NULL) {
      return guess_forward(next, forward && i + 2 < s->count ? s->words[i + 2] : NULL, meant);
    }
  }
  return false;
}

/* Two words, and what precedes or separates them. */
static bool guess_words(const split_text *s, char meant[UVR_MEANT_ROUTE_SIZE])
{
  static const char *const ignored[] = {"socat", "uvrelay", "serve", "->", "=>", "-->", "=", "<->", "to", "|"};
  const char *halves[2] = {NULL, NULL};
  size_t count = 0;
  for (size_t i = 0; i < s->count; i++) {
    bool skip = s->words[i][0] == '-';
    for (size_t k = 0; k < sizeof(ignored) / sizeof(ignored[0]); k++) {
      skip = skip || strcmp(s->words[i], ignored[k]) == 0;
    }
    if (!skip && count < 2) {
      halves[count] = s->words[i];
    }
    count += skip ? 0 : 1;
  }
  return count == 2 && join(halves[0], halves[1], meant);
}

/* One word, with something between its halves. */
static bool guess_inside(const char *text, char meant[UVR_MEANT_ROUTE_SIZE])
{
  static const char *const between[] = {"<->", "-->", "->", "=>", "=", "|", ";", ","};
  char left[TEXT_SIZE];
  for (size_t i = 0; strlen(text) < sizeof(left) && i < sizeof(between) / sizeof(between[0]); i++) {
    for (const char *at = strstr(text, between[i]); at != NULL; at = strstr(at + 1, between[i])) {
      (void)snprintf(left, sizeof(left), "%.*s", (int)(at - text), text);
      if (join(left, at + strlen(between[i]), meant)) {
        return true;
      }
    }
  }
  return false;
}

/* Whether all characters of a text can be shown as they are. */
static bool is_plain(const char *text)
{
  uint32_t point = 0;
  for (size_t length; *text != '\0'; text += length) {
    length = uvr_utf8_next(text, &point);
    if (length == 0 || uvr_is_hidden(point)) {
      return false;
    }
  }
  return true;
}

const char *uvr_meant_route(const char *text, char meant[UVR_MEANT_ROUTE_SIZE])
{
  split_text s;
  bool good =
      split(text, &s) && (guess_ssh(&s, meant) || (s.count > 1 && guess_words(&s, meant)) || guess_inside(text, meant));
  return good && is_plain(meant) ? meant : NULL;
}
