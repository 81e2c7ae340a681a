/* SPDX-License-Identifier: ISC */
/* What a list shows of a message. */
#ifndef SCREEN_HEAD_H
#define SCREEN_HEAD_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/time.h"

/* As enum client_flag has them. */
enum mark { MARK_SEEN = 1, MARK_ANSWERED = 2, MARK_FLAGGED = 4, MARK_DELETED = 8, MARK_DRAFT = 16 };

/* Strings are owned, UTF-8, printable. */
struct head {
    uint32_t id, flags;
    uint64_t size;
    struct wall date;     /* when it was sent, else received */
    struct wall received; /* 0: not known */
    char *from, *to;      /* names of people, else their addresses */
    char *subject;
    char *key; /* by which words are found in it: folded from, to and subject */
    char *message_id, *in_reply_to, *references; /* fields, unfolded; may be NULL */
    bool has_parts;                              /* probably attachments: multipart/mixed */
    bool has_mentions;                           /* one of its recipients is me */
};

/* Reads the fields of a header; `own` is the address of the reader, or NULL. id, flags, size and
 * received are the caller's; date falls back to received. */
void head_parse(struct slice bytes, const char *own, struct head *head);

void head_finish(struct head *head);

/* Puts the key for words that a person looks for. */
void head_put_key(struct slice words, struct buffer *out);

#endif
