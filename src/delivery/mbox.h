/* SPDX-License-Identifier: ISC */
/* The mbox form of letter boxes (RFC 4155 and the customs it describes): each message starts with a
 * line `From SENDER DATE`, ends with an empty line, and has LF line ends. Body lines that begin
 * with `From ` are quoted with `>`. We write mboxrd (lines `>*From ` get one more `>`), which can
 * be undone exactly; old mboxo files (only `From ` quoted) are read too. */
#ifndef DELIVERY_MBOX_H
#define DELIVERY_MBOX_H

#include "base/buffer.h"
#include "base/time.h"

enum mbox_variant { MBOX_RD, MBOX_O };

/* Puts one whole message: `From ` line, the message with CRLF made LF and lines quoted, the empty
 * line behind it. `sender` is a reverse-path without brackets; empty becomes MAILER-DAEMON. */
void mbox_put_message(struct buffer *buffer, struct slice sender, struct wall received,
                      struct slice message);

/* Only the `From ` line. */
void mbox_put_from_line(struct buffer *buffer, struct slice sender, struct wall received);

/* One message of an mbox file. All slices borrow from the file. */
struct mbox_item {
    struct slice sender;
    struct wall received; /* as the `From ` line says */
    struct slice content; /* still quoted, with the file's line ends, without the empty line */
    size_t offset;        /* of the `From ` line in the file */
};

/* Takes the next message of `file` from *offset on and moves *offset behind it. Junk before the
 * first `From ` line is passed over. False at the end. */
MUST_USE bool mbox_next(struct slice file, size_t *offset, struct mbox_item *ret_item);

/* True for a file that may be an mbox: empty, or beginning with a `From ` line. */
MUST_USE bool mbox_is_likely(struct slice file);

/* Puts the message as it was before it went into the box: unquoted, CRLF line ends. */
void mbox_put_content(struct buffer *buffer, const struct mbox_item *item,
                      enum mbox_variant variant);

#endif
