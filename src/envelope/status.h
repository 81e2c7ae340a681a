/* SPDX-License-Identifier: ISC */
/* Enhanced mail system status codes: class.subject.detail (RFC 3463, RFC 5248). */
#ifndef ENVELOPE_STATUS_H
#define ENVELOPE_STATUS_H

#include "base/buffer.h"
#include "base/cursor.h"

/* class 2, 4 or 5; all zero means "none given". Subject and detail are at most 999. */
struct envelope_status {
    uint8_t class;
    uint16_t subject;
    uint16_t detail;
};

enum { ENVELOPE_STATUS_PART_MAX = 999 };

#define ENVELOPE_STATUS(class, subject, detail) ((struct envelope_status){class, subject, detail})

static inline bool
envelope_status_is_given(struct envelope_status status)
{
    return status.class != 0;
}

/* Takes "5.1.1"; no leading zeros, at most three digits a part (RFC 3463 §2). */
MUST_USE bool envelope_status_take(struct cursor *cursor, struct envelope_status *ret_status);

/* Puts "5.1.1". */
void envelope_status_put(struct buffer *buffer, struct envelope_status status);

#endif
