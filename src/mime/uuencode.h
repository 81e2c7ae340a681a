/* SPDX-License-Identifier: ISC */
/* uuencode (POSIX, historical algorithm): not MIME, but old mail has it as "x-uuencode". */
#ifndef MIME_UUENCODE_H
#define MIME_UUENCODE_H

#include "base/buffer.h"
#include "base/cursor.h"

struct mime_uudecoder {
    bool has_begun; /* the "begin" line has passed */
    bool has_ended; /* the "end" line has passed: what follows is dropped */
    bool is_bad;    /* a line that is none */
    const uint8_t *bad_at; /* the first such line */
};

/* Decodes whole lines from the cursor until it is done or `octets` or more were put. Begins with
 * {0}. */
void mime_uudecode(struct mime_uudecoder *decoder, struct cursor *cursor, size_t octets,
                   struct buffer *out);

#endif
