/* How far a mistyped word is from a known one. Pure. */
#ifndef UVR_BASE_NEAR_WORD_H
#define UVR_BASE_NEAR_WORD_H

#include <stddef.h>

/* What uvr_near_word returns for another word; anything below is what was probably meant. */
enum { UVR_NEAR_NOT = 3 };

/* Compares the first `length` bytes of `word` with `known`, which is in lower case. Returns 0 if they are the same
 * except for case, or begin in the same way (four letters, or three that are the whole word); else how many letters
 * must be changed, inserted, removed or swapped, if these are two at most (one in a word of three letters); else
 * UVR_NEAR_NOT. A known word of one or two letters must be the same except for case. */
unsigned uvr_near_word(const char *word, size_t length, const char *known);

#endif
