/* SPDX-License-Identifier: ISC */
/* What a message tells besides its text, in plain words: reports of delivery (RFC 3464), receipts
 * and who asks for one (RFC 8098), invitations (RFC 5545, 5546), what lies elsewhere or is only a
 * piece (RFC 2046 §5.2). */
#ifndef CLIENT_NOTICE_H
#define CLIENT_NOTICE_H

#include "base/buffer.h"
#include "mime/part.h"

enum {
    NOTICE_RECIPIENTS_MAX = 100, /* of a report that are told one by one */
    NOTICE_PART_MAX = 4 << 20    /* octets of a part that are looked at */
};

/* Puts lines "Label:    sentence" that end in LF and that a terminal can show, in the columns of
 * the fields that stand above a message; nothing for a letter that is only that. Nothing is fetched
 * and nobody is answered. */
void notice_put(const struct mime_tree *tree, struct buffer *out);

#endif
