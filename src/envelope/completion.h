/* SPDX-License-Identifier: ISC */
/* What a server has to know of a header: what a submission server adds when it is missing, Date:
 * and Message-ID: (RFC 6409 §8.2, §8.3; RFC 5322 §3.6); how many servers it has come through
 * already (RFC 5321 §6.3), and which mailing lists. Looks at a message while it streams through, in
 * pieces of any size; keeps nothing of it but the beginning of one line. A header that is none (a
 * line that is no field) is left alone: what is to be added would land in the text. */
#ifndef ENVELOPE_COMPLETION_H
#define ENVELOPE_COMPLETION_H

#include "base/buffer.h"
#include "base/time.h"

enum {
    ENVELOPE_COMPLETION_NAME_MAX = 12,
    ENVELOPE_COMPLETION_LISTS_MAX = 512, /* octets of List-Id that are kept */
};

struct envelope_completion {
    uint8_t name[ENVELOPE_COMPLETION_NAME_MAX]; /* the line's first octets, in lower case */
    uint8_t name_len;
    uint8_t state;
    bool has_date, has_message_id, is_list_id;
    uint32_t received; /* how many Received: fields */
    uint16_t list_id_len;
    uint8_t
        list_ids[ENVELOPE_COMPLETION_LISTS_MAX]; /* what List-Id: fields say, one after another */
};

/* Has the message come through the list with this identifier, "<team.example.org>"? */
MUST_USE bool envelope_completion_has_list(const struct envelope_completion *completion,
                                           struct slice id);

/* Nothing of the message has been seen. */
void envelope_completion_begin(struct envelope_completion *completion);

/* Looks at the next piece. True when the header ends in it: *ret_offset is where in the piece the
 * missing fields belong, 0 to piece.len. It is told once; further pieces cost nothing. */
MUST_USE bool envelope_completion_scan(struct envelope_completion *completion, struct slice piece,
                                       size_t *ret_offset);

/* The message is over. True when its header ran to the very end, which is where the missing fields
 * belong then. */
MUST_USE bool envelope_completion_end(struct envelope_completion *completion);

/* Puts the lines that are missing, none if all are there. `id` and `hostname` make the Message-ID:
 * they must be of atom characters and dots. */
void envelope_completion_put(const struct envelope_completion *completion, struct buffer *buffer,
                             struct wall date, int16_t zone_minutes, struct slice id,
                             struct slice hostname);

#endif
