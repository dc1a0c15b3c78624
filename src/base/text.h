/* UTF-8 text that came from outside. Pure. */
#ifndef UVR_BASE_TEXT_H
#define UVR_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length of the UTF-8 sequence at `text`, with its code point, or 0 if there is none that is valid. */
size_t uvr_utf8_next(const char *text, uint32_t *point);

/* Whether a code point is a control character, those of two bytes included. */
bool uvr_is_control(uint32_t point);

/* Whether two texts are the same but for the case of ASCII letters. */
bool uvr_is_same_word(const char *one, const char *other);

/* How many UTF-16 units a valid UTF-8 text has. */
size_t uvr_utf16_units(const char *text);

/* Seconds, over 0, as decimal digits with or without a fraction, into milliseconds; what is less than one counts as
 * one, and what is more than about 300 years as that. False for any other text. */
bool uvr_seconds_parse(const char *text, uint64_t *milliseconds);

/* The decimal (or octal, by `base`) number that is the whole text, at most `most`. False for any other text. */
bool uvr_number_parse(const char *text, unsigned base, unsigned most, unsigned *value);

/* Whether all of the text matches a shell pattern: `*` is any bytes, `?` any one, `[abc]`, `[a-z]`, `[!a]` one of a
 * set, and \\ takes what follows as it is. */
bool uvr_pattern_matches(const char *pattern, const char *text);

#define UVR_QUOTED_SIZE 136

/* Puts text that came from outside, in double quotes, into a form fit for a message: control characters and bytes
 * that are not UTF-8 become \xNN, and a long text is cut and ends in "...". Returns `quoted`. */
const char *uvr_quote(char quoted[UVR_QUOTED_SIZE], const char *text);

#endif
