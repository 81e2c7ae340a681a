/* SPDX-License-Identifier: ISC */
/* Rights in mailboxes (RFC 4314 §2.1), as bits of access_store. Private to the room. */
#ifndef IMAP_RIGHTS_H
#define IMAP_RIGHTS_H

#include "base/buffer.h"
#include "base/slice.h"

/* In the order of "lrswipkxtea". */
enum imap_right {
    IMAP_RIGHT_LOOKUP = 1,
    IMAP_RIGHT_READ = 2,
    IMAP_RIGHT_SEEN = 4,
    IMAP_RIGHT_WRITE = 8,
    IMAP_RIGHT_INSERT = 16,
    IMAP_RIGHT_POST = 32,
    IMAP_RIGHT_CREATE = 64,
    IMAP_RIGHT_REMOVE = 128,
    IMAP_RIGHT_DELETE = 256,
    IMAP_RIGHT_EXPUNGE = 512,
    IMAP_RIGHT_ADMINISTER = 1024,
    /* Who has none of these finds a mailbox READ-ONLY (§5.2). */
    IMAP_RIGHTS_CHANGE = IMAP_RIGHT_SEEN | IMAP_RIGHT_WRITE | IMAP_RIGHT_INSERT |
                         IMAP_RIGHT_DELETE | IMAP_RIGHT_EXPUNGE,
};

/* Letters, and "c" and "d" of RFC 2086 for what they stand for (§2.1.1); false for any other. */
MUST_USE bool imap_rights_parse(struct slice letters, uint16_t *ret_rights);

/* The letters, quoted when there are none; with "c" and "d". */
void imap_put_rights(struct buffer *out, uint16_t rights);

/* The system flags that these rights let change. */
uint8_t imap_rights_flags(uint16_t rights);

#endif
