/* SPDX-License-Identifier: ISC */
/* What the two sides of a client's session say, as lines for people: commands and replies as they
 * are, passwords and the content of messages left out. It only looks on. */
#ifndef SMTP_DIALOGUE_H
#define SMTP_DIALOGUE_H

#include "base/buffer.h"

enum { SMTP_DIALOGUE_LINE_MAX = 1024 }; /* longer ones are cut */

/* Called for each line, without its end; valid during the call. Content is one line of the client:
 * "(439 octets)". */
typedef void (*smtp_dialogue_fn)(void *context, bool is_server, struct slice line);

struct smtp_dialogue {
    smtp_dialogue_fn fn;
    void *context;
    struct buffer said, heard; /* a line that has begun */
    enum { SMTP_DIALOGUE_COMMANDS, SMTP_DIALOGUE_DATA, SMTP_DIALOGUE_CONTENT } state;
    bool is_challenged;     /* the server waits for a part of a login */
    uint64_t chunk;         /* octets of BDAT that are still to come */
    uint64_t content_bytes; /* so far */
};

/* Finish frees a line that has begun. */
void smtp_dialogue_init(struct smtp_dialogue *dialogue, smtp_dialogue_fn fn, void *context);
void smtp_dialogue_finish(struct smtp_dialogue *dialogue);

/* Bytes that the client has sent; that it has received. In pieces of any length, in the order in
 * which they went. */
void smtp_dialogue_said(struct smtp_dialogue *dialogue, struct slice bytes);
void smtp_dialogue_heard(struct smtp_dialogue *dialogue, struct slice bytes);

/* After STARTTLS: what had begun in the clear is forgotten. */
void smtp_dialogue_secured(struct smtp_dialogue *dialogue);

#endif
