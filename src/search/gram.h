/* SPDX-License-Identifier: ISC */
/* Grams: each run of three characters of a text, and its last two and last one. A text of three
 * characters or more stands in another only if all its grams of three do; one of one or two
 * characters exactly if some gram begins with it. */
#ifndef SEARCH_GRAM_H
#define SEARCH_GRAM_H

#include "base/slice.h"

enum { GRAM_CHARACTERS = 3, GRAM_LEN_MAX = GRAM_CHARACTERS * 4 };

/* Grams that have been met, so that each counts once. */
struct gram_set {
    uint64_t *places; /* owned; 0: free */
    size_t size;      /* a power of two */
    size_t count;
};

/* In the caller's memory; allocates nothing yet. */
void gram_set_init(struct gram_set *set);
void gram_set_finish(struct gram_set *set);
/* Forgets all grams, keeps the memory while it is not large. */
void gram_set_clear(struct gram_set *set);

/* Walks over the grams of a text, which is valid UTF-8. */
struct gram_walk {
    struct slice text;
    size_t at;
};

/* Gives the next gram that is not in the set, and enters it; the slice borrows from the text. False
 * at the end. */
MUST_USE bool gram_next(struct gram_walk *walk, struct gram_set *set, struct slice *ret_gram);

/* Words: the beginnings of runs of letters and digits (of what is not ASCII, all). A text of word
 * characters only, with GRAM_CHARACTERS + 1 characters or more and WORD_LEN_MAX octets or less,
 * stands in each text that has a word which begins with it: nobody need look there. */
enum { WORD_LEN_MAX = 24 };

/* Gives the next word of four characters or more that is not in the set, cut to whole characters,
 * and enters it. False at the end. */
MUST_USE bool word_next(struct gram_walk *walk, struct gram_set *set, struct slice *ret_word);

/* True for a text that a word may begin with, as told above. */
bool word_is_beginning(struct slice text);

/* How often grams occur, roughly: which of those of a sought text to ask for. */
enum { GRAM_COUNTS = 1 << 16 };
struct gram_counts {
    uint32_t at[GRAM_COUNTS]; /* by a hash of the gram */
    uint32_t texts;           /* how many were counted */
};
/* Counts the grams of one more text. */
void gram_counts_add(struct gram_counts *counts, struct gram_set *set, struct slice text);

/* Chooses at most `max` different grams of three characters of a text, the rarest first, and
 * returns how many: one, and more as long as they leave many texts out. The text has three
 * characters or more. */
size_t gram_choose(const struct gram_counts *counts, struct slice text, struct slice *ret_grams,
                   size_t max);

/* How many characters a text of valid UTF-8 has, but no more than `max`. */
size_t gram_characters(struct slice text, size_t max);

#endif
