/* SPDX-License-Identifier: ISC */
/* Who a message says that it is from: the addresses of its From: and Sender: fields (RFC 5322
 * §3.6.2), and of the first Resent-From:, which is of who has sent it on last (§3.6.6); gathered
 * while it streams through in pieces of any size. For whoever must know all names that a reader may
 * be shown: of several From: fields all count, a field behind a line that is none counts, and what
 * programs read differently counts as unreadable. */
#ifndef MESSAGE_AUTHORS_H
#define MESSAGE_AUTHORS_H

#include "base/arena.h"
#include "base/buffer.h"

enum {
    AUTHORS_MAX = 20, /* addresses; nobody has more names than that in one letter */
    /* of those fields; an address has 320 and a name beside it */
    AUTHORS_OCTETS_MAX = 32 * 1024,
    AUTHORS_NAME_MAX = 12, /* of a field's name: one more than "resent-from" has */
};

struct authors {
    struct buffer fields;           /* bodies, each with a sign of its kind, ended by a NUL */
    uint8_t name[AUTHORS_NAME_MAX]; /* of the field that begins, in lower case */
    uint8_t name_len;
    uint8_t state;
    bool is_kept;    /* the field that goes on is one of them */
    bool has_resent; /* the first Resent-From: has come */
    bool is_unclear; /* a CR or LF alone: programs disagree where the line, or the header, ends */
};

/* Nothing of the message has been seen; finish frees. */
void authors_begin(struct authors *authors);
void authors_take(struct authors *authors, struct slice piece);
void authors_finish(struct authors *authors);

/* Each once, local@domain; none when the message names nobody. */
struct authors_list {
    struct slice at[AUTHORS_MAX];
    size_t count;
};
/* The message, or its header, is over. Texts live in the arena. False when that cannot be read in
 * one way only, or names more. */
MUST_USE bool authors_read(const struct authors *authors, struct arena *arena,
                           struct authors_list *ret_list);
/* The same of who has sent it on: none when nobody has. */
MUST_USE bool authors_read_resent(const struct authors *authors, struct arena *arena,
                                  struct authors_list *ret_list);

#endif
