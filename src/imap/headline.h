/* SPDX-License-Identifier: ISC */
/* What clients search and sort by most, kept beside the columns of a mailbox once the store has
 * told it: subject, base subject, dates and size of a message. So the first FETCH ENVELOPE, SEARCH
 * SUBJECT or SORT of a mailbox reads parse records, and searches after it read memory.
 *
 * Headlines are a cache: any may be missing. All of a process hold at most
 * IMAP_HEADLINES_BYTES_MAX; beyond it those of the mailbox that was longest not asked go. They go
 * with the last view of their mailbox, too. */
#ifndef IMAP_HEADLINE_H
#define IMAP_HEADLINE_H

#include "imap/mailbox.h"
#include "imap/structure.h"

enum { IMAP_HEADLINES_BYTES_MAX = 16 << 20 };

struct imap_headline {
    int64_t arrival_ns, date_ns; /* date: has_date, in UTC */
    int32_t zone_s;
    uint32_t message_len;
    uint16_t subject_len, base_at, base_len;
    bool has_subject, has_date;
    uint8_t text[]; /* the subject; then, unless it is a part of it, the base subject */
};

/* NULL when there is none. Valid until notes or other sessions have their turn. */
static inline const struct imap_headline *
imap_headline_find(const struct imap_mailbox *mailbox, uint32_t place)
{
    return mailbox->headlines ? mailbox->headlines[place] : NULL;
}

static inline struct slice
imap_headline_subject(const struct imap_headline *headline)
{
    return slice_of(headline->has_subject ? headline->text : NULL, headline->subject_len);
}

static inline struct slice
imap_headline_base(const struct imap_headline *headline)
{
    return slice_of(headline->text + headline->base_at, headline->base_len);
}

/* Keeps what the store has told of the message at this place, unless it is kept or there is no
 * room. `summary` is NULL for a message without a record. */
void imap_headline_keep(struct imap_mailbox *mailbox, uint32_t place,
                        const struct access_store_message *message,
                        const struct mime_record_message *summary);

/* The same of a message whose record has come anyway; costs next to nothing once it is kept. */
void imap_headline_keep_opened(struct imap_mailbox *mailbox, uint32_t place,
                               const struct access_store_message *message,
                               const struct imap_message *opened);

/* Says that a mailbox's headlines are in use. */
void imap_headlines_touch(struct imap_mailbox *mailbox);

/* For mailbox.c: the columns have grown from `count` places to mailbox->size; a message has moved
 * to a place before it; a message has left; the mailbox goes. */
void imap_headlines_grow(struct imap_mailbox *mailbox, uint32_t count);
void imap_headline_move(struct imap_mailbox *mailbox, uint32_t to, uint32_t from);
void imap_headline_drop(struct imap_mailbox *mailbox, uint32_t place);
void imap_headlines_drop(struct imap_mailbox *mailbox);

#endif
