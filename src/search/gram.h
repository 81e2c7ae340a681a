/* SPDX-License-Identifier: ISC */
/* Grams: what of a text goes into the index, each as a number, with the octet where it stands.
 *
 * Of a narrow character (letters, digits, marks: all below GRAM_WIDE_FROM) it is the run of three
 * narrow ones that begins with it, of fewer at the end and before a wide one; a wide character
 * (Chinese and the like, of which there are thousands) is a gram by itself. Where narrow ones begin
 * behind a wide one, the first, and the first two, are grams as well. So for each text of two
 * characters or more there are grams that cover it: it stands exactly where they stand in step.
 * One of one narrow character is told by what characters a text has. */
#ifndef SEARCH_GRAM_H
#define SEARCH_GRAM_H

#include "base/slice.h"

enum {
    GRAM_CHARACTERS = 3,
    GRAM_BITS = 14, /* of a narrow character */
    GRAM_WIDE_FROM = 0x2E80,
};

/* Kinds, above the characters; a text that begins others has a stretch of numbers. */
enum { GRAM_KIND_SHIFT = GRAM_BITS * GRAM_CHARACTERS };
enum gram_kind {
    GRAM_NARROW,
    GRAM_WIDE,
    GRAM_BEHIND_WIDE,
    GRAM_PRESENT, /* a narrow character: that the text has it */
};

struct gram {
    uint64_t key;
    uint32_t at; /* octets from where the text begins */
};

/* Walks over the grams of a text, by rising octets. What is not valid UTF-8 gives some grams or
 * others, and no harm. */
struct gram_walk {
    struct slice text;
    size_t next;
    uint32_t characters[GRAM_CHARACTERS], places[GRAM_CHARACTERS];
    unsigned count;
    struct gram waiting[2];
    unsigned waiting_count;
    bool is_behind_wide;
};
void gram_walk_init(struct gram_walk *walk, struct slice text);
/* False at the end. */
MUST_USE bool gram_next(struct gram_walk *walk, struct gram *ret_gram);

/* Calls fn with the key GRAM_PRESENT of each narrow character of the text, once. */
typedef void (*gram_present_fn)(void *context, uint64_t key);
void gram_present(struct slice text, gram_present_fn fn, void *context);

/* What is sought: grams with low <= key < high, `at` octets behind where the text begins. */
struct gram_term {
    uint64_t low, high;
    uint32_t at;
};
/* Terms that stand together where the text stands, and only there; returns how many. A text of one
 * narrow character has one term, which stands where texts begin that have it. There is room for a
 * term for each octet; the text is not empty. */
size_t gram_plan(struct slice text, struct gram_term *ret_terms);

#endif
