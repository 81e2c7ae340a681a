/* SPDX-License-Identifier: ISC */
/* "Did you mean …": the known word that a misspelt one is nearest to. */
#ifndef CONFIG_NEAREST_H
#define CONFIG_NEAREST_H

#include "base/slice.h"

/* Longer words are never near. */
enum { NEAREST_WORD_MAX = 64 };

/* How many letters must be put in, taken out, exchanged or swapped with their neighbour to make
 * one word of the other (optimal string alignment); NEAREST_WORD_MAX when either is too long. */
size_t nearest_distance(struct slice left, struct slice right);

/* True when `distance` is small enough, for a word of this length, to be a slip of the fingers. */
bool nearest_is_slip(size_t distance, size_t word_len);

#endif
