/* Mistyped words: see near_word.h. */
#include "base/near_word.h"

#include <string.h>

static char lower(char c)
{
  return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* The edit distance, ignoring case; or a large number if the word is much longer than any known one. */
static size_t distance(const char *word, size_t length, const char *known)
{
  enum { MAX = 20 };
  size_t row[MAX + 1];
  if (length > MAX) {
    return MAX;
  }
  for (size_t i = 0; i <= length; i++) {
    row[i] = i;
  }
  for (; *known != '\0'; known++) {
    size_t diagonal = row[0];
    row[0]++;
    for (size_t i = 1; i <= length; i++) {
      size_t above = row[i];
      size_t best = diagonal + (lower(word[i - 1]) == *known ? 0 : 1);
      best = above + 1 < best ? above + 1 : best;
      best = row[i - 1] + 1 < best ? row[i - 1] + 1 : best;
      row[i] = best;
      diagonal = above;
    }
  }
  return row[length];
}

unsigned uvr_near_word(const char *word, size_t length, const char *known)
{
  size_t known_length = strlen(known);
  size_t allowed = known_length >= 4 ? 2 : known_length == 3 && length >= 3 ? 1 : 0;
  size_t alike = 0;
  while (alike < length && lower(word[alike]) == known[alike]) {
    alike++;
  }
  size_t changes = distance(word, length, known);
  if (alike >= 4 || (alike == 3 && alike == length)) {
    return 0;
  }
  return changes <= allowed ? (unsigned)changes : UVR_NEAR_NOT;
}
