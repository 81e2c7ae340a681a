/* SPDX-License-Identifier: ISC */
/* Collations of Internet protocols: equality, order and substrings of UTF-8 text.
 * i;octet and i;ascii-casemap (RFC 4790 §9.2, §9.3), i;unicode-casemap (RFC 5051).
 *
 * A collation turns a text into a key; keys are compared as octets. Text that is no UTF-8 is its
 * own key under i;unicode-casemap (RFC 5051 §2, step 1b). Keys of ASCII text are as long as it;
 * others at most COLLATE_GROWTH_MAX times. */
#ifndef TEXT_COLLATE_H
#define TEXT_COLLATE_H

#include "base/buffer.h"

enum collation {
    COLLATION_UNICODE_CASEMAP, /* the default: RFC 5255 §4.4 (I18NLEVEL=1) */
    COLLATION_ASCII_CASEMAP,
    COLLATION_OCTET,
};

/* U+FDFA becomes 18 characters of 33 octets. */
enum { COLLATE_GROWTH_MAX = 12 };

/* Puts the key of a text. */
void collate_put_key(struct buffer *buffer, enum collation collation, struct slice text);

/* Orders two texts: <0, 0, >0. */
int collate_compare(enum collation collation, struct slice left, struct slice right);

/* ---- substrings ------------------------------------------------------------------------------ */

enum {
    COLLATE_PATTERN_MAX = 4096, /* octets of a pattern's key; longer ones are refused */
    /* Memory that a pattern keeps from one text to the next: for all subjects and most bodies. What
     * a longer text took is given back, since many searches may wait at one time. */
    COLLATE_SCRATCH_MAX = 64 * 1024,
};

/* A text to look for, made ready once and looked for in many. In the caller's memory. */
struct collate_pattern {
    enum collation collation;
    struct buffer key;
    struct buffer scratch; /* keys of texts that are not ASCII */
    bool is_ascii;         /* the key is */
};

/* False, and nothing to finish, when the pattern is longer than COLLATE_PATTERN_MAX. */
MUST_USE bool collate_pattern_init(struct collate_pattern *pattern, enum collation collation,
                                   struct slice text);
void collate_pattern_finish(struct collate_pattern *pattern);

/* True when the pattern stands somewhere in the text; the empty pattern stands everywhere. ASCII
 * texts are read once and not copied. */
MUST_USE bool collate_pattern_is_in(struct collate_pattern *pattern, struct slice text);
/* The same for a text that is a key already (as a text index keeps it). */
MUST_USE bool collate_pattern_is_in_key(const struct collate_pattern *pattern, struct slice key);

#endif
