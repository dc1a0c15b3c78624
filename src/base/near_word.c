/* Mistyped words: see near_word.h. */
#include "base/near_word.h"

#include <string.h>

static char lower(char c)
{
  return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t least(size_t a, size_t b)
{
  return a < b ? a : b;
}

/* The edit distance, ignoring case, in which two swapped letters are one change; or a large number if the word is much
 * longer than any known one. */
static size_t distance(const char *word, size_t length, const char *known)
{
  enum { MAX = 20 };
  size_t rows[3][MAX + 1]; /* of the letters of `known` before the last one, before this one, and up to it */
  if (length > MAX) {
    return MAX;
  }
  for (size_t i = 0; i <= length; i++) {
    rows[1][i] = i;
  }
  for (size_t k = 0; known[k] != '\0'; k++) {
    rows[2][0] = k + 1;
    for (size_t i = 1; i <= length; i++) {
      size_t same = lower(word[i - 1]) == known[k] ? 0 : 1;
      size_t best = least(rows[1][i - 1] + same, least(rows[1][i], rows[2][i - 1]) + 1);
      if (i > 1 && k > 0 && lower(word[i - 1]) == known[k - 1] && lower(word[i - 2]) == known[k]) {
        best = least(best, rows[0][i - 2] + 1);
      }
      rows[2][i] = best;
    }
    memcpy(rows[0], rows[1], sizeof(rows[0]));
    memcpy(rows[1], rows[2], sizeof(rows[1]));
  }
  return rows[1][length];
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
