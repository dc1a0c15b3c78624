/* The record: see record_unix.h. Each entry is a line. */
#include "cli/setup/record_unix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/input/file.h"
#include "cli/setup/text_unix.h"

static int no_memory(uvrelay_error_t *error)
{
  return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory");
}

static int fail(const uvr_record *self, int code, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  return uvr_error_set_system(error, UVRELAY_PHASE_NONE, code, 0, "cannot write %s: %s", uvr_quote(quoted, self->path),
                              uv_strerror(code));
}

int uvr_record_open(uvr_record *self, const char *path, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  size_t length = 0;
  *self = (uvr_record){.path = strdup(path)};
  int code = self->path == NULL ? UV_ENOMEM : uvr_file_read(path, &self->text, &length);
  if (code == UV_ENOENT || code == UV_ENOTDIR) {
    self->text = strdup("");
    code = self->text == NULL ? UV_ENOMEM : 0;
  }
  return code == 0 ? 0
                   : uvr_error_set_system(error, UVRELAY_PHASE_NONE, code, 0, "cannot read the file %s: %s",
                                          uvr_quote(quoted, path), uv_strerror(code));
}

/* Writes it in place of the old one. */
static int save(const uvr_record *self, uvrelay_error_t *error)
{
  char *new = uvr_setup_format("%s.new", self->path);
  if (new == NULL) {
    return no_memory(error);
  }
  FILE *file = fopen(new, "we");
  int code = 0;
  if (file == NULL) {
    code = errno == ENOENT ? 0 : fail(self, -errno, error); /* its directory is still to be made */
    free(new);
    return code;
  }
  bool written = fputs(self->text, file) >= 0 && fflush(file) == 0;
  code = written ? 0 : -errno;
  if (fclose(file) != 0 && code == 0) {
    code = -errno;
  }
  if (code == 0 && rename(new, self->path) != 0) {
    code = -errno;
  }
  if (code != 0) {
    (void)unlink(new);
    (void)fail(self, code, error);
  }
  free(new);
  return code;
}

/* Finds the first line of an entry after `from`. */
static char *find(char *from, const char *name, const char *value, size_t *length)
{
  for (char *line = from; *line != '\0';) {
    size_t size = strcspn(line, "\n");
    size_t head = strlen(name);
    bool is_it =
        size > head && strncmp(line, name, head) == 0 && line[head] == '=' &&
        (value == NULL || (size - head - 1 == strlen(value) && memcmp(line + head + 1, value, strlen(value)) == 0));
    *length = size + (line[size] == '\n' ? 1 : 0);
    if (is_it) {
      return line;
    }
    line += *length;
  }
  return NULL;
}

bool uvr_record_has(const uvr_record *self, const char *name, const char *value)
{
  size_t length;
  return find(self->text, name, value, &length) != NULL;
}

char *uvr_record_last(const uvr_record *self, const char *name)
{
  size_t length = 0;
  size_t last = 0;
  const char *found = NULL;
  for (char *next = self->text; (next = find(next, name, NULL, &length)) != NULL; next += length) {
    found = next;
    last = length;
  }
  size_t head = strlen(name) + 1;
  last -= found != NULL && found[last - 1] == '\n' ? 1 : 0;
  return found == NULL ? NULL : strndup(found + head, last - head);
}

int uvr_record_add(uvr_record *self, const char *name, const char *value, uvrelay_error_t *error)
{
  if (uvr_record_has(self, name, value)) {
    return 0;
  }
  if (strchr(value, '\n') != NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "a path that contains a newline cannot be set up");
  }
  char *text = uvr_setup_format("%s%s=%s\n", self->text, name, value);
  if (text == NULL) {
    return no_memory(error);
  }
  free(self->text);
  self->text = text;
  return save(self, error);
}

static bool drop(uvr_record *self, const char *name, const char *value)
{
  size_t length;
  bool changed = false;
  char *line;
  while ((line = find(self->text, name, value, &length)) != NULL) {
    memmove(line, line + length, strlen(line + length) + 1);
    changed = true;
  }
  return changed;
}

int uvr_record_drop(uvr_record *self, const char *name, const char *value, uvrelay_error_t *error)
{
  return drop(self, name, value) ? save(self, error) : 0;
}

int uvr_record_finish(uvr_record *self, uvrelay_error_t *error)
{
  size_t length;
  char *path;
  for (char *line = self->text; *line != '\0'; line += length) {
    if (find(line, UVR_RECORD_DIRECTORY, NULL, &length) != line) {
      return 0;
    }
  }
  if (unlink(self->path) != 0 && errno != ENOENT && errno != ENOTDIR) {
    return fail(self, -errno, error);
  }
  while ((path = uvr_record_last(self, UVR_RECORD_DIRECTORY)) != NULL) {
    (void)rmdir(path);
    (void)drop(self, UVR_RECORD_DIRECTORY, path);
    free(path);
  }
  return 0;
}

void uvr_record_close(uvr_record *self)
{
  free(self->path);
  free(self->text);
  *self = (uvr_record){.path = NULL};
}
