/* SPDX-License-Identifier: ISC */
/* A message for hosts that take 7-bit lines only: parts that have more are sent as quoted-printable
 * or base64 (RFC 6152 §3, RFC 2045 §6). Nothing else of the message changes. */
#ifndef MIME_DOWNGRADE_H
#define MIME_DOWNGRADE_H

#include "base/arena.h"
#include "base/buffer.h"

struct mime_downgrade {
    size_t parts; /* that have another encoding now */
    /* One of them stands in a multipart/signed (RFC 1847 §2.1), or the message has a signature
     * over its content (RFC 6376): that does not hold any more. */
    bool breaks_signature;
};

/* Puts the message in that form: lines of at most 998 octets of US-ASCII without NUL, ended by
 * CRLF. False, with the buffer cut back, when it has none: there is more than 7 bits, or a line
 * that is too long, outside of parts that can be encoded (header fields, text between the parts,
 * parts that say to be encoded already); or the arena or buffer is too small. */
MUST_USE bool mime_downgrade_put(struct slice message, struct arena *arena, struct buffer *buffer,
                                 struct mime_downgrade *ret_downgrade);

#endif
