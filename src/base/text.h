/* UTF-8 text from outside, and the numbers and patterns in it. Pure. */
#ifndef UVR_BASE_TEXT_H
#define UVR_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length of the UTF-8 sequence at `text`, and its code point; 0 if the sequence is not valid. */
size_t uvr_utf8_next(const char *text, uint32_t *point);

/* Whether a code point is a control character, including those of two bytes. */
bool uvr_is_control(uint32_t point);

/* Whether two texts are the same, ignoring the case of ASCII letters. */
bool uvr_is_same_word(const char *one, const char *other);

/* How many UTF-16 units a valid UTF-8 text has. */
size_t uvr_utf16_units(const char *text);

/* Parses a number of seconds over 0, decimal with or without a fraction, into milliseconds, rounded up and limited
 * to about 300 years. Returns false for any other text. */
bool uvr_seconds_parse(const char *text, uint64_t *milliseconds);

/* Parses a number of this base (10 or 8) that is the whole text and at most `most`. Returns false for any other text.
 */
bool uvr_number_parse(const char *text, unsigned base, unsigned most, unsigned *value);

/* Whether the whole text matches a shell pattern: `*` matches any bytes, `?` any one byte, `[abc]`, `[a-z]` and `[!a]`
 * one byte of a set; a backslash makes the next byte literal. */
bool uvr_pattern_matches(const char *pattern, const char *text);

#define UVR_ESCAPED_SIZE 4

/* Escapes the first character of text from outside: a control character or a byte that is not UTF-8 becomes \xNN, byte
 * by byte; any other character stays as it is. Moves *text behind it, and returns how many bytes of `escaped` are set.
 */
size_t uvr_escape_next(const char **text, char escaped[UVR_ESCAPED_SIZE]);

#define UVR_QUOTED_SIZE 136

/* Puts text from outside into double quotes for a message. Control characters and bytes that are not UTF-8 become \xNN;
 * a long text is cut and ends in "...". Returns `quoted`. */
const char *uvr_quote(char quoted[UVR_QUOTED_SIZE], const char *text);

#endif
