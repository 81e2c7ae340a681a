/* SPDX-License-Identifier: ISC */
/* A segment: the grams of some of an account's messages and where they stand, written once. Private
 * to the room.
 *
 *     blocks    entries by rising key, 32 KiB and a hash: key, length, places by rising place
 *     table     of each block the first key and place, where it is, how long
 *     bodies    of each message its number and the places that are its
 *     foot      how long these are, their hashes
 *
 * Places count the octets of all texts of the account, with one between two texts that is no
 * text's; a segment's begin at 0. */
#ifndef SEARCH_SEGMENT_H
#define SEARCH_SEGMENT_H

#include "base/buffer.h"

enum {
    SEGMENT_BLOCK_OCTETS = 32 << 10,
    SEGMENT_CHUNK_PLACES = 2048,     /* in an entry */
    SEGMENT_CHUNK_OCTETS = 16 << 10, /* what these take at most */
    SEGMENT_BLOCK_OCTETS_MAX = SEGMENT_BLOCK_OCTETS + SEGMENT_CHUNK_OCTETS + 32,
    SEGMENT_RUN_BLOCKS = 32, /* read at once, by all cursors of a search together: 1 MiB */
    SEGMENT_FOOT_OCTETS = 64,
};
#define SEGMENT_PLACES_MAX (UINT32_MAX - 1)

struct segment_body {
    uint64_t body;
    uint32_t start, body_start, end; /* the header's text, the body's, the next message's */
};

/* ---- writing --------------------------------------------------------------------------------- */

struct segment_writer {
    struct buffer out; /* what nobody has taken yet: the caller takes it from the front */
    struct buffer table, bodies;
    uint8_t block[SEGMENT_BLOCK_OCTETS_MAX];
    size_t block_len;
    uint64_t block_key, table_key, key_of_row_before;
    uint32_t chunk[SEGMENT_CHUNK_PLACES];
    size_t chunk_count;
    uint64_t chunk_key;
    uint32_t block_first;
    uint64_t blocks_len, block_count, body_count, last_body;
    uint32_t bodies_end;
};
/* In the caller's memory. */
void segment_writer_init(struct segment_writer *writer);
void segment_writer_finish(struct segment_writer *writer);
/* By rising key, and for each by rising place. */
void segment_put_place(struct segment_writer *writer, uint64_t key, uint32_t place);
/* By rising places. */
void segment_put_body(struct segment_writer *writer, const struct segment_body *body);
/* Puts what is behind the blocks: nothing can be put any more. */
void segment_end(struct segment_writer *writer);

/* ---- reading --------------------------------------------------------------------------------- */

/* Where octets come from: false when they cannot be had. */
struct segment_source {
    bool (*read)(void *context, uint64_t offset, void *to, size_t len);
    void *context;
    uint64_t octets;
};

struct segment_block {
    uint64_t key; /* of its first entry */
    uint64_t offset;
    uint32_t first; /* place of its first entry */
    uint32_t len;
};

struct segment {
    struct segment_source source;
    uint8_t *tail; /* owned: the last octets, read at once, so that a disk is waited for once */
    size_t tail_len;
    struct segment_block *blocks; /* owned */
    size_t block_count, body_count;
    uint64_t bodies_offset, bodies_len, bodies_hash;
    struct segment_body *bodies; /* owned; NULL until segment_read_bodies */
    uint32_t *nearby; /* owned: of each stretch of places, the first body that ends behind it */
    size_t nearby_count;
};
/* Reads foot and table. False when the octets are not there or are not what was written. */
MUST_USE bool segment_open(struct segment *segment, struct segment_source source);
void segment_close(struct segment *segment);
MUST_USE bool segment_read_bodies(struct segment *segment);
/* The number among `bodies` of the one that a place is in; body_count when it is in none. */
size_t segment_body_of(const struct segment *segment, uint32_t place);

/* Goes over the places of the keys in a stretch. The longer it goes on without a jump, the more it
 * reads at once: a disk is slow to answer, not to read. */
struct segment_cursor {
    struct segment *segment; /* borrowed */
    uint64_t low, high;
    size_t block, last_block; /* at hand, SIZE_MAX: none yet; the last that may have such keys */
    uint8_t *run;             /* owned: blocks that were read at once */
    size_t run_first, run_count, run_size;
    size_t run_max;        /* how many may be read at once */
    const uint8_t *octets; /* of the block at hand, in the run */
    size_t len, at;
    uint64_t entry_key;
    uint32_t *places; /* owned: of the entry at hand */
    size_t count, next;
    uint64_t key; /* of these */
    bool is_damaged;
};
void segment_cursor_open(struct segment_cursor *cursor, struct segment *segment, uint64_t low,
                         uint64_t high);
void segment_cursor_close(struct segment_cursor *cursor);
/* Takes the next entry: `places`, `count`, `key`. False at the end, or with is_damaged. */
MUST_USE bool segment_cursor_entry(struct segment_cursor *cursor);
/* The same, of a cursor over one key; entries that end before `place` may be passed over. */
MUST_USE bool segment_cursor_entry_from(struct segment_cursor *cursor, uint32_t place);
/* How many blocks may have such entries: what reading them costs. */
size_t segment_cursor_blocks(const struct segment_cursor *cursor);

#endif
