/* SPDX-License-Identifier: ISC */
/* Searches whose results the client is kept up to date on (RFC 5267 §4.3). Private to the room.
 *
 * A context is the search program as it was sent, and the UIDs that it has found. When messages
 * have come or changed, and the client has been told of them, the program is tried on those alone;
 * what differs is told. So a context costs nothing while nothing happens. */
#ifndef IMAP_CONTEXT_H
#define IMAP_CONTEXT_H

#include "imap/search_run.h"

enum {
    IMAP_CONTEXTS_MAX = 10,
    IMAP_CONTEXT_PROGRAM_MAX = 8192, /* octets */
    IMAP_CONTEXT_RANGES_MAX = 10000, /* of UIDs that were found */
};

struct imap_context {
    uint8_t tag[IMAP_TAG_MAX];
    uint8_t tag_len;
    bool is_uid;
    struct slice program;  /* owned */
    struct imap_set found; /* UIDs; owned */
    uint64_t modseq;       /* messages that changed later are to be tried */
    uint32_t uid_last;     /* as are those behind this UID */
};

struct imap_contexts {
    struct imap_context at[IMAP_CONTEXTS_MAX];
    size_t count;
};

/* True when a context of that tag is there: the command cannot be (§4.3). */
bool imap_context_is_there(const struct imap_server *server);

/* Makes one of the command that is being done, or says NO [NOUPDATE]. `modseq` and `uid_last` are
 * as the search began; `uids` is what it found. */
void imap_context_open(struct imap_server *server, struct slice program, struct imap_set uids,
                       uint64_t modseq, uint32_t uid_last);
/* "* NO [NOUPDATE "a1"]" */
void imap_context_refuse(struct imap_server *server);

/* Between commands: begins to bring a context up to date; false when all are. */
bool imap_context_step(struct imap_server *server);
/* Before the client is told which messages went. */
void imap_contexts_expunge(struct imap_server *server);
/* No mailbox is selected any more. */
void imap_contexts_close(struct imap_server *server);

#endif
