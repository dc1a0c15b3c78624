/* The limit of the log: see log_limit.h.
 *
 * A sort is a set of lines that are counted together: those that are the same, or all of one kind and route. It is
 * known by a hash. A line that may not pass is counted by the sort that holds it up, which keeps the last one; if there
 * are too many sorts or lines, it only counts as left out. */
#include "cli/output/log_limit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output/text_line.h"

enum { SORTS_MAX = 1024, KEPT_MAX = 4096 };

struct uvr_log_sort {
  uint64_t hash;
  bool same;       /* its lines are the same; else they only are of one kind and route */
  unsigned passed; /* lines, in this window */
  uint64_t held;   /* lines that were counted instead */
  uint64_t held_since;
  char *last; /* the last of them; NULL: it is too long to be kept, or there was no memory */
  size_t length;
  size_t capacity;
};

/* What makes lines the same. */

static uint64_t add_byte(uint64_t hash, char byte)
{
  return (hash ^ (unsigned char)byte) * 0x100000001B3U; /* FNV-1a */
}

/* With the NUL, so that two texts do not run into each other. */
static uint64_t add_text(uint64_t hash, const char *text)
{
  for (; text != NULL && *text != '\0'; text++) {
    hash = add_byte(hash, *text);
  }
  return add_byte(hash, '\0');
}

static bool is_digit(char c)
{
  return c >= '0' && c <= '9';
}

static bool is_in_word(char c)
{
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The same, but each word with a digit in it, and what is quoted, counts as one and the same word. */
static uint64_t add_without_numbers(uint64_t hash, const char *text)
{
  while (*text != '\0') {
    size_t length = 0;
    bool number = false;
    while (is_in_word(text[length])) {
      number = number || is_digit(text[length]);
      length++;
    }
    const char *closing = *text == '"' ? strchr(text + 1, '"') : NULL;
    if (closing != NULL) {
      length = (size_t)(closing - text) + 1;
      number = true;
    }
    length = length == 0 ? 1 : length;
    for (size_t i = 0; i < length && !number; i++) {
      hash = add_byte(hash, text[i]);
    }
    hash = number ? add_byte(hash, '#') : hash;
    text += length;
  }
  return hash;
}

/* Sorts. */

static uvr_log_sort *find(const uvr_log_limit *self, uint64_t hash)
{
  for (size_t i = 0; i < self->count; i++) {
    if (self->sorts[i].hash == hash) {
      return &self->sorts[i];
    }
  }
  return NULL;
}

/* Adds a sort that is not there yet, if there is room. */
static void add_sort(uvr_log_limit *self, uint64_t hash, bool same)
{
  if (self->count == self->capacity && self->capacity < SORTS_MAX) {
    size_t capacity = self->capacity == 0 ? 16 : self->capacity * 2;
    uvr_log_sort *sorts = realloc(self->sorts, capacity * sizeof(*sorts));
    if (sorts != NULL) {
      self->sorts = sorts;
      self->capacity = capacity;
    }
  }
  if (self->count < self->capacity) {
    self->sorts[self->count++] = (uvr_log_sort){.hash = hash, .same = same, .passed = 1};
  }
}

/* Counts a line instead of writing it. */
static void hold(uvr_log_sort *sort, const char *line, size_t length, uint64_t now)
{
  if (sort->capacity < length) {
    free(sort->last);
    sort->last = length <= KEPT_MAX ? malloc(length) : NULL;
    sort->capacity = sort->last == NULL ? 0 : length;
  }
  sort->length = sort->last == NULL ? 0 : length;
  if (sort->last != NULL) {
    memcpy(sort->last, line, length);
  }
  sort->held_since = sort->held == 0 ? now : sort->held_since;
  sort->held++;
}

static void leave_out(uvr_log_limit *self, uint64_t lines, uint64_t since)
{
  self->left_out_since = self->left_out == 0 ? since : self->left_out_since;
  self->left_out += lines;
}

/* Counts. */

static double seconds(uint64_t ms)
{
  uint64_t tenths = (ms + 50) / 100;
  return (double)tenths / 10;
}

static void hand_over(const uvr_log_limit *self, uvr_text_line *text)
{
  if (!text->failed) {
    self->write(self->user, text->text, text->length);
  }
  uvr_text_line_clear(text);
}

/* Writes the last line that a sort has held up, with the number of all of them. */
static void write_held(uvr_log_limit *self, const uvr_log_sort *sort, uint64_t now)
{
  uvr_text_line text = {.text = NULL};
  uint64_t ms = now - sort->held_since;
  const char *ending = self->json ? "}\n" : "\n";
  size_t kept = sort->length - strlen(ending);
  uvr_text_line_bytes(&text, sort->last, kept);
  if (sort->held > 1 && self->json) {
    uvr_text_line_number(&text, "repeated", sort->held);
    uvr_text_line_number(&text, "repeated_ms", ms);
  } else if (sort->held > 1) {
    uvr_text_line_add(&text,
                      sort->same ? ": the same %" PRIu64 " times in %g s" : ": one of %" PRIu64 " like it in %g s",
                      sort->held, seconds(ms));
  }
  uvr_text_line_bytes(&text, ending, strlen(ending));
  hand_over(self, &text);
}

static void write_left_out(uvr_log_limit *self, uint64_t now)
{
  uvr_text_line text = {.text = NULL};
  uint64_t ms = now - self->left_out_since;
  if (self->json) {
    uvr_text_line_begin(&text, "left-out");
    uvr_text_line_number(&text, "lines", self->left_out);
    uvr_text_line_number(&text, "left_out_ms", ms);
    uvr_text_line_add(&text, "}\n");
  } else {
    uvr_text_line_add(&text, "uvrelay: %" PRIu64 " more line%s of the log %s left out in %g s\n", self->left_out,
                      self->left_out == 1 ? "" : "s", self->left_out == 1 ? "was" : "were", seconds(ms));
  }
  hand_over(self, &text);
}

/* Writes what each sort has held up, and forgets those that have held up nothing. */
static void end_sorts(uvr_log_limit *self, uint64_t now)
{
  size_t kept = 0;
  for (size_t i = 0; i < self->count; i++) {
    uvr_log_sort *sort = &self->sorts[i];
    if (sort->held == 0) {
      free(sort->last);
      continue;
    }
    if (sort->last == NULL || self->passed >= self->allowance.all) {
      leave_out(self, sort->held, sort->held_since);
    } else {
      write_held(self, sort, now);
      self->passed++;
    }
    sort->held = 0;
    sort->passed = sort->same ? UINT32_MAX : 0; /* the same is only counted until a window has none of it */
    self->sorts[kept++] = *sort;
  }
  self->count = kept;
}

/* Ends a window. What is written now belongs to the next one. */
static void end_window(uvr_log_limit *self, uint64_t now)
{
  self->passed = 0;
  self->open = false;
  end_sorts(self, now);
  if (self->left_out > 0) {
    write_left_out(self, now);
    self->left_out = 0;
  }
}

static void begin_window(uvr_log_limit *self, uint64_t now)
{
  self->open = true;
  self->since = now;
  self->on_window(self->user);
}

void uvr_log_limit_tick(uvr_log_limit *self)
{
  uint64_t now = self->now(self->user);
  if (self->open && now - self->since >= UVR_LOG_LIMIT_MS) {
    end_window(self, now);
    if (self->passed > 0) {
      begin_window(self, now);
    }
  }
}

void uvr_log_limit_end(uvr_log_limit *self)
{
  end_window(self, self->now(self->user));
  for (size_t i = 0; i < self->count; i++) {
    free(self->sorts[i].last);
  }
  free(self->sorts);
  self->sorts = NULL;
  self->count = 0;
  self->capacity = 0;
  self->passed = 0;
}

/* Lines. */

/* Whether a line may pass; if not, it is counted. `alike` and `same` are what it is one of, or NULL. */
static bool may_pass(uvr_log_limit *self, const uvr_log_topic *topic, uvr_log_sort *alike, uvr_log_sort *same,
                     const char *line, size_t length, uint64_t now)
{
  unsigned most_same = topic->same > 0 ? topic->same : self->allowance.same;
  unsigned most = same == NULL ? self->allowance.all : self->allowance.all / 2;
  if (same != NULL && same->passed >= most_same) {
    hold(same, line, length, now);
    return false;
  }
  if (alike != NULL && alike->passed >= self->allowance.alike) {
    hold(alike, line, length, now);
    return false;
  }
  if (self->passed >= most && same != NULL) {
    hold(same, line, length, now);
    return false;
  }
  if (self->passed >= most) {
    leave_out(self, 1, now);
    return false;
  }
  return true;
}

void uvr_log_limit_add(uvr_log_limit *self, const uvr_log_topic *topic, const char *line, size_t length)
{
  uint64_t alike_hash = add_text(add_text(add_text(0xCBF29CE484222325U, topic->kind), topic->listen), topic->target);
  uint64_t same_hash = add_byte(add_without_numbers(alike_hash, topic->text), '\n');
  uvr_log_limit_tick(self);
  uint64_t now = self->now(self->user);
  if (!self->open) {
    begin_window(self, now);
  }
  uvr_log_sort *alike = find(self, alike_hash);
  uvr_log_sort *same = find(self, same_hash);
  if (!may_pass(self, topic, alike, same, line, length, now)) {
    return;
  }
  self->passed++;
  if (alike != NULL) {
    alike->passed++;
  }
  if (same != NULL) {
    same->passed++;
  }
  self->write(self->user, line, length);
  if (alike == NULL) {
    add_sort(self, alike_hash, false);
  }
  if (same == NULL) {
    add_sort(self, same_hash, true);
  }
}
