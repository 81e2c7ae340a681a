/* SPDX-License-Identifier: ISC */
/* Letter boxes on disk, read one message after another: an mbox file or a Maildir. */
#ifndef TOOL_BOX_H
#define TOOL_BOX_H

#include "base/buffer.h"
#include "base/time.h"
#include "delivery/mbox.h"
#include "tool/uidlist.h"

/* Flags as note/tool_store has them. */
enum box_flag {
    BOX_SEEN = 1,
    BOX_ANSWERED = 2,
    BOX_FLAGGED = 4,
    BOX_DELETED = 8,
    BOX_DRAFT = 16,
};

enum box_kind { BOX_ANY, BOX_MBOX, BOX_MBOX_O, BOX_MAILDIR };

/* A message larger than this is passed over and told. */
enum { BOX_MESSAGE_MAX = 1 << 30 };

struct box_message {
    struct slice content; /* CRLF line ends; valid until the next call */
    uint32_t flags;
    struct wall received; /* 0: not known */
    uint32_t uid;         /* in a Maildir of Dovecot's; 0: not known */
    struct slice keywords[UIDLIST_KEYWORDS_MAX];
    size_t keyword_count;
};

struct box;

/* Opens PATH for reading. BOX_ANY: a folder is a Maildir, a file an mbox. Says what is wrong. */
MUST_USE int box_open(const char *path, enum box_kind kind, struct box **ret_box);
void box_close(struct box **box);

/* The next message; false at the end, with *ret_code other than EX_OK when it is a failure that
 * was told. */
MUST_USE bool box_next(struct box *box, struct box_message *ret_message, int *ret_code);

/* The UIDVALIDITY of a Maildir of Dovecot's; 0: not known. */
uint32_t box_uid_validity(const struct box *box);

/* How far it is: bytes of an mbox, files of a Maildir. */
uint64_t box_done(const struct box *box);
uint64_t box_whole(const struct box *box);

#endif
