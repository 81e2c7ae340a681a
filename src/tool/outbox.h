/* SPDX-License-Identifier: ISC */
/* A letter box on disk that is being written: an mbox file or a Maildir; one that was cut off is
 * gone on with. */
#ifndef TOOL_OUTBOX_H
#define TOOL_OUTBOX_H

#include "base/buffer.h"
#include "base/time.h"

enum outbox_kind { OUTBOX_MBOX, OUTBOX_MAILDIR };

struct outbox_message {
    uint32_t uid;
    uint32_t flags; /* as note/tool_store has them */
    struct wall received;
    struct slice content; /* CRLF line ends */
};

struct outbox;

/* Begins, or goes on with, the box at PATH for a mailbox of this UIDVALIDITY. Says what is wrong,
 * as when PATH is there already; outbox_close is due in any case. */
MUST_USE int outbox_open(const char *path, enum outbox_kind kind, uint32_t uid_validity,
                         struct outbox **ret_outbox);
void outbox_close(struct outbox **outbox);

/* True when the message was written by an earlier call that was cut off. */
bool outbox_has(const struct outbox *outbox, uint32_t uid);

/* Messages come in the order of their UIDs. */
MUST_USE int outbox_put(struct outbox *outbox, const struct outbox_message *message);

/* All is there: makes it durable and gives it its name. */
MUST_USE int outbox_complete(struct outbox *outbox);

#endif
