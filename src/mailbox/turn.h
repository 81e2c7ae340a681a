/* SPDX-License-Identifier: ISC */
/* A turn as bytes in a segment, little-endian:
 *
 *     header   magic, version, shard, epoch, turn number, wall time, counts, lengths, hashes
 *     meta     a row for each body (id, references, lengths, hashes), then the changes of the view
 *     bodies   for each: the message's octets, then its parse record
 *     padding  to a multiple of TURN_ALIGN
 *
 * The header's hash covers header and place and is seeded with the segment's secret; the meta's
 * hash stands in the header, the bodies' hashes stand in the meta: each octet is hashed once. Rows
 * say how many octets, not where: a turn can be written again at another place. */
#ifndef MAILBOX_TURN_H
#define MAILBOX_TURN_H

#include "base/buffer.h"
#include "base/cursor.h"
#include "base/time.h"
#include "mailbox/place.h"

enum {
    TURN_VERSION = 1,
    TURN_HEADER_LEN = 72,
    TURN_ALIGN = 8,
    TURN_ROW_LEN = 36,
    TURN_BODIES_MAX = 1 << 16,
    TURN_META_MAX = 1 << 28, /* 256 MiB: the changes of one turn */
    TURN_KEY_MAX = 500,      /* LMDB takes 511 */
    TURN_VALUE_MAX = 1 << 20,
    BODY_LEN_MAX = 1 << 30,    /* octets of one message */
    BODY_RECORD_MAX = 1 << 20, /* octets of its parse record */
};

enum turn_kind {
    TURN_ORDINARY = 0,
    TURN_MOVED = 1, /* what still lives of an old segment, written again so that it can go */
};

/* A body on its way into a turn. The message is the octets of both parts. Everything is borrowed.
 */
struct turn_body {
    body_id id;
    uint32_t refs; /* message entries that name it when the turn is done */
    struct slice parts[2];
    struct slice record; /* the parse record, or empty */
    uint64_t hash;       /* turn_body_hash of the parts */
    uint64_t record_hash;
};

/* One change of the view; borrowed. */
struct turn_change {
    struct slice key;
    bool is_put;
    struct slice value; /* for a put */
};

/* What a turn does to a full disk decides how much of the last spare it may use. */
enum turn_need {
    TURN_TAKES,   /* new messages: nothing of it */
    TURN_CHANGES, /* flags, copies, names, which nobody can be kept from for long: half */
    TURN_FREES,   /* what removes: all */
};

struct turn {
    enum turn_kind kind;
    enum turn_need need;
    struct wall wall;
    const struct turn_body *bodies;
    size_t body_count;
    const struct turn_change *changes;
    size_t change_count;
};

/* What the header says. */
struct turn_header {
    uint32_t shard;
    uint64_t epoch;
    uint64_t number;
    enum turn_kind kind;
    struct wall wall;
    uint32_t body_count;
    uint32_t change_count;
    uint32_t meta_len;
    uint64_t total_len; /* of the whole turn with padding */
    uint64_t meta_hash;
};

/* One row of the meta. */
struct turn_row {
    body_id id;
    uint32_t refs;
    uint32_t len;
    uint32_t record_len;
    uint64_t hash;
    uint64_t record_hash;
    uint64_t offset; /* of the body, from the start of the turn */
};

/* Who writes, and where. */
struct turn_stamp {
    uint32_t shard;
    uint64_t epoch;
    uint64_t number;
    uint64_t secret; /* the segment's */
    struct place place;
};

/* The length of the turn on disk; 0 when it is over a bound. */
uint64_t turn_len(const struct turn *turn);

/* The row of a turn's body; `offset` is where the one before it ends (0 for the first). */
struct turn_row turn_row_of(const struct turn *turn, size_t index, uint64_t offset);

/* Puts header and meta; the bodies' octets follow them on disk, and then padding
 * (turn_padding(turn_len)). False when something is over its bound. */
MUST_USE bool turn_put(const struct turn *turn, const struct turn_stamp *stamp,
                       struct buffer *buffer);

enum turn_reading {
    TURN_GOOD,
    TURN_NEWER, /* a good header of a format we do not know */
    TURN_BAD,
};

/* Takes the header of the turn at `place`; its hash is checked. */
MUST_USE enum turn_reading turn_take_header(struct slice bytes, uint64_t secret, struct place place,
                                            struct turn_header *ret_header);

/* Reads rows and changes of a meta. */
struct turn_reader {
    struct cursor rows;
    struct cursor changes;
    uint64_t body_offset;
};

/* Checks all that a meta holds, so that the takers below end only at its end. Its hash is checked
 * by whoever has read it (turn_meta_hash). */
uint64_t turn_meta_hash(struct slice meta, uint64_t secret);
MUST_USE bool turn_open_meta(struct slice meta, const struct turn_header *header,
                             struct turn_reader *ret_reader);
MUST_USE bool turn_take_row(struct turn_reader *reader, struct turn_row *ret_row);
MUST_USE bool turn_take_change(struct turn_reader *reader, struct turn_change *ret_change);

/* The hash that bodies and parse records carry. */
uint64_t turn_body_hash(struct slice first, struct slice second);

#endif
