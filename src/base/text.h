/* UTF-8 text from outside, and the numbers and patterns in it. Pure. */
#ifndef UVR_BASE_TEXT_H
#define UVR_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length of the UTF-8 sequence at `text`, and its code point; 0 if the sequence is not valid. */
size_t uvr_utf8_next(const char *text, uint32_t *point);

/* Removes from the end of a text that was cut what the cut has left of a character, if it was valid UTF-8 before. */
void uvr_utf8_trim(char *text);

/* Whether a code point is a control character, including those of two bytes. */
bool uvr_is_control(uint32_t point);

/* Whether a code point must not be shown as it is: a control character, one that does not show, or one that changes how
 * the text around it shows, such as a change of direction or a line separator. */
bool uvr_is_hidden(uint32_t point);

/* Whether two texts are the same, ignoring the case of ASCII letters. */
bool uvr_is_same_word(const char *one, const char *other);

/* How many UTF-16 units a valid UTF-8 text has. */
size_t uvr_utf16_units(const char *text);

/* Converts UTF-16 (little-endian) to UTF-8, as much as fits into `out` with its NUL; `size` is at least 1. Leaves byte
 * order marks and NULs out; half a pair becomes U+FFFD, and so does a single byte at the end. Returns how many bytes of
 * the input were converted: less than `length` if not all fits. */
size_t uvr_utf16_to_utf8(const char *bytes, size_t length, char *out, size_t size);

/* How a time may be written, for messages. */
#define UVR_TIME_EXAMPLES "2.5, 500ms, 90s, 5m or 2h"

/* Parses a time into milliseconds, rounded up: a decimal number, with or without a fraction, of seconds or of the unit
 * after it, ms, s, m or h. A time that is longer than 300 years is some time that is. Returns false for any other
 * text. */
bool uvr_time_parse(const char *text, uint64_t *milliseconds);

#define UVR_TIME_SIZE 32

/* Writes a time for people, in the unit that suits it: "0.5 s", "90 s", "5 min" or "2 h". Returns `text`. */
const char *uvr_time_text(char text[UVR_TIME_SIZE], uint64_t milliseconds);

/* Parses a number of bytes that is at most `most`, which is below 2^60: decimal, optionally followed by K, M or G,
 * powers of 1024, in upper or lower case. Returns false for any other text. */
bool uvr_size_parse(const char *text, uint64_t most, uint64_t *bytes);

/* Parses a number of this base (10 or 8) that is the whole text and at most `most`. Returns false for any other text.
 */
bool uvr_number_parse(const char *text, unsigned base, unsigned most, unsigned *value);

/* Whether the whole text matches a shell pattern: `*` matches any bytes, `?` any one byte, `[abc]`, `[a-z]` and `[!a]`
 * one byte of a set; a backslash makes the next byte literal. */
bool uvr_pattern_matches(const char *pattern, const char *text);

#define UVR_ESCAPED_SIZE 4

/* Escapes the first character of text from outside: a hidden character or a byte that is not UTF-8 becomes \xNN, byte
 * by byte; any other character stays as it is. Moves *text after it, and returns how many bytes of `escaped` are set.
 */
size_t uvr_escape_next(const char **text, char escaped[UVR_ESCAPED_SIZE]);

#define UVR_QUOTED_SIZE 136

/* Puts text from outside into double quotes for a message. Hidden characters and bytes that are not UTF-8 become \xNN;
 * a long text is cut and ends in "...". Returns `quoted`. */
const char *uvr_quote(char quoted[UVR_QUOTED_SIZE], const char *text);

#endif
