/* Handlers of binfmt_misc: see binfmt_unix.h. Each is a file with its description: "enabled", then lines such as
 * "interpreter /init", "extension .exe" or "magic 4d5a". */
#include "cli/child/binfmt_unix.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int hex_digit(char c)
{
  static const char digits[] = "0123456789abcdef";
  const char *found = c == '\0' ? NULL : strchr(digits, c);
  return found == NULL ? -1 : (int)(found - digits);
}

/* Whether the head has this magic, in hexadecimal digits, at the offset. The mask, NULL: all bits, is such a text, too.
 */
static bool has_magic(const uvr_program_head *head, size_t offset, const char *magic, const char *mask)
{
  size_t i = 0;
  for (; hex_digit(magic[2 * i]) >= 0 && hex_digit(magic[2 * i + 1]) >= 0; i++) {
    int byte = hex_digit(magic[2 * i]) * 16 + hex_digit(magic[2 * i + 1]);
    int bits = 0xFF;
    if (mask != NULL && hex_digit(mask[0]) >= 0 && hex_digit(mask[1]) >= 0) {
      bits = hex_digit(mask[0]) * 16 + hex_digit(mask[1]);
      mask += 2;
    }
    if (offset + i >= head->length || ((head->bytes[offset + i] ^ byte) & bits) != 0) {
      return false;
    }
  }
  return i > 0;
}

/* The text after `key` at the beginning of a line, or NULL. */
static const char *value_of(const char *text, const char *key)
{
  for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
    line += *line == '\n' ? 1 : 0;
    if (strncmp(line, key, strlen(key)) == 0) {
      return line + strlen(key);
    }
  }
  return NULL;
}

/* Whether the handler that this text describes is for the file, if it is enabled. */
static bool handles(const char *text, const char *file, const uvr_program_head *head)
{
  const char *extension = value_of(text, "extension .");
  const char *magic = value_of(text, "magic ");
  const char *offset = value_of(text, "offset ");
  if (extension != NULL) {
    const char *dot = strrchr(file, '.');
    size_t length = strcspn(extension, "\n");
    return dot != NULL && length > 0 && strlen(dot + 1) == length && memcmp(dot + 1, extension, length) == 0;
  }
  return magic != NULL &&
         has_magic(head, offset == NULL ? 0 : strtoul(offset, NULL, 10), magic, value_of(text, "mask "));
}

static bool read_text(const char *directory, const char *name, char *text, size_t size)
{
  char path[512];
  int length = snprintf(path, sizeof(path), "%s/%s", directory, name);
  FILE *file = length > 0 && (size_t)length < sizeof(path) ? fopen(path, "re") : NULL;
  text[file == NULL ? 0 : fread(text, 1, size - 1, file)] = '\0';
  if (file != NULL) {
    (void)fclose(file);
  }
  return file != NULL;
}

static void describe(const char *name, const char *text, uvr_binfmt_entry *entry)
{
  const char *interpreter = value_of(text, "interpreter ");
  entry->enabled = strncmp(text, "enabled\n", 8) == 0;
  (void)snprintf(entry->name, sizeof(entry->name), "%s", name);
  (void)snprintf(entry->interpreter, sizeof(entry->interpreter), "%.*s",
                 interpreter == NULL ? 0 : (int)strcspn(interpreter, "\n"), interpreter == NULL ? "" : interpreter);
}

uvr_binfmt_state uvr_binfmt_look(const char *directory)
{
  char text[64];
  return !read_text(directory, "status", text, sizeof(text)) ? UVR_BINFMT_HIDDEN
         : strcmp(text, "enabled\n") == 0                    ? UVR_BINFMT_ON
                                                             : UVR_BINFMT_OFF;
}

bool uvr_binfmt_read(const char *directory, const char *name, uvr_binfmt_entry *entry)
{
  char text[2048];
  bool there = read_text(directory, name, text, sizeof(text));
  describe(name, text, entry);
  return there;
}

static bool is_handler(const char *name)
{
  return name[0] != '.' && strcmp(name, "register") != 0 && strcmp(name, "status") != 0;
}

bool uvr_binfmt_find(const char *directory, const char *file, const uvr_program_head *head, const char *except,
                     uvr_binfmt_entry *entry)
{
  bool found = false;
  const struct dirent *next;
  DIR *entries = uvr_binfmt_look(directory) == UVR_BINFMT_ON ? opendir(directory) : NULL;
  while (entries != NULL && !found && (next = readdir(entries)) != NULL) {
    char text[2048];
    if (is_handler(next->d_name) && (except == NULL || strcmp(next->d_name, except) != 0) &&
        read_text(directory, next->d_name, text, sizeof(text))) {
      describe(next->d_name, text, entry);
      found = entry->enabled && handles(text, file, head);
    }
  }
  if (entries != NULL) {
    (void)closedir(entries);
  }
  return found;
}

bool uvr_binfmt_handles(const char *directory, const char *file, const uvr_program_head *head)
{
  uvr_binfmt_entry entry;
  return uvr_binfmt_find(directory, file, head, NULL, &entry);
}
