/* SPDX-License-Identifier: ISC */
/* The name and the header of a segment file. Little-endian: magic, version, shard, number, epoch,
 * first turn, wall time, secret, hash. */
#ifndef MAILBOX_SEGMENT_H
#define MAILBOX_SEGMENT_H

#include "base/buffer.h"
#include "base/time.h"

enum { SEGMENT_VERSION = 1, SEGMENT_HEADER_LEN = 64, SEGMENT_NAME_SIZE = 16 };

struct segment_header {
    uint16_t version;
    uint32_t shard;
    uint32_t number;
    uint64_t epoch;
    uint64_t first_turn; /* not 0 */
    struct wall begun;
    uint64_t secret;
};

/* NNNNNNNN.seg, or .new while it is being made. */
void segment_name(uint32_t number, bool is_new, char ret_name[SEGMENT_NAME_SIZE]);
/* NNNNNNNN.twin: a copy of the header beside it. */
void segment_twin_name(uint32_t number, char ret_name[SEGMENT_NAME_SIZE]);
/* False when the name is not one of ours. */
MUST_USE bool segment_name_parse(struct slice name, uint32_t *ret_number, bool *ret_is_new);

void segment_header_put(struct buffer *buffer, const struct segment_header *header);
/* False when it is damaged. Of a newer version only `version` is set. */
MUST_USE bool segment_header_take(struct slice bytes, struct segment_header *ret_header);

#endif
