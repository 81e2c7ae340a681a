/* SPDX-License-Identifier: ISC */
/* Sets of sequence numbers or UIDs (RFC 9051 §9, sequence-set). Kept as rising ranges that neither
 * overlap nor touch. */
#ifndef IMAP_SET_H
#define IMAP_SET_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/cursor.h"

enum { IMAP_SET_RANGES_MAX = 100000 }; /* nearly as many as a command of the longest has room for */
#define IMAP_SET_LIMIT "[LIMIT] too many ranges in a set"

struct imap_range {
    uint32_t first, last;
};

struct imap_set {
    const struct imap_range *at;
    size_t count;
};

enum { IMAP_STAR = 0 };

/* sequence-set, as written: "*" is IMAP_STAR until imap_set_resolve. At most IMAP_SET_RANGES_MAX
 * ranges. "$" is not taken here. */
MUST_USE bool imap_take_set(struct cursor *cursor, struct arena *arena, struct imap_set *ret_set);

/* Whether the set that begins here has more ranges than are taken. */
MUST_USE bool imap_set_is_over(const struct cursor *cursor);

/* Puts `star` (the largest number there is, 0 for none) for "*", sorts and joins. With star 0 what
 * names "*" goes. */
MUST_USE bool imap_set_resolve(struct imap_set *set, uint32_t star, struct arena *arena);

/* True when the number is in a set that was resolved. */
MUST_USE bool imap_set_has(const struct imap_set *set, uint32_t number);

/* Puts "1:3,5". */
void imap_set_put(struct buffer *buffer, const struct imap_set *set);

/* Gathers rising numbers into ranges. */
struct imap_set_builder {
    struct buffer ranges;
};
void imap_set_builder_init(struct imap_set_builder *builder);
void imap_set_builder_add(struct imap_set_builder *builder, uint32_t first, uint32_t last);
/* Borrows from the builder. */
struct imap_set imap_set_builder_set(const struct imap_set_builder *builder);
void imap_set_builder_finish(struct imap_set_builder *builder);

#endif
