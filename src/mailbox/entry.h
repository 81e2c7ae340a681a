/* SPDX-License-Identifier: ISC */
/* Values of the view: fixed fields behind a version octet. Takers check everything and fail on what
 * is not theirs; a newer version fails, too. */
#ifndef MAILBOX_ENTRY_H
#define MAILBOX_ENTRY_H

#include "base/buffer.h"
#include "base/time.h"
#include "mailbox/place.h"

enum { ENTRY_VERSION = 1, ENTRY_LEN_MAX = 1024, VIEW_VERSION = 2 };

/* How far the view is. */
struct meta_entry {
    uint32_t version; /* VIEW_VERSION */
    uint32_t shard;
    uint64_t epoch;
    uint64_t turn;    /* the last turn that it holds */
    struct place end; /* right behind that turn */
    body_id next_body;
};

struct account_entry {
    mailbox_id next_mailbox;
    uint32_t uid_validity; /* the last one given */
    uint64_t modseq;       /* the last change number, over all mailboxes */
    uint64_t bytes;        /* used */
    uint64_t messages;
    uint64_t quota_bytes; /* as last told; 0: none */
    uint64_t quota_messages;
    struct wall created;
};

struct mailbox_entry {
    uint32_t uid_validity;
    uint32_t uid_next;
    uint32_t messages;
    uint32_t unseen;
    uint64_t bytes;
    uint64_t modseq;        /* highest in it */
    uint64_t expunge_floor; /* expunges at or below this modseq may be forgotten */
    uint64_t expunge_first; /* sequence numbers of the expunge log: [first, next) */
    uint64_t expunge_next;
    uint8_t keywords; /* how many are named */
    bool is_subscribed;
    uint8_t use; /* a number of the protocols' (RFC 6154), up to MAILBOX_USE_MAX; 0: none */
    struct wall created;
    struct slice name; /* borrows from the value */
};

struct message_entry {
    body_id body;
    uint32_t len;
    uint32_t flags;
    uint64_t keywords; /* bit i: keyword i of the mailbox */
    uint64_t modseq;
    struct wall internal; /* INTERNALDATE */
    struct wall saved;    /* RFC 8514 SAVEDATE */
};

enum { BODY_DAMAGED = 1, MAILBOX_USE_MAX = 127 };

struct body_entry {
    struct place place;
    uint32_t len;
    uint32_t record_len; /* the parse record lies behind the body */
    uint32_t refs;
    uint32_t marks; /* BODY_DAMAGED: its hash was wrong when it was checked */
    uint64_t hash;
    uint64_t record_hash;
};

struct uid_range {
    uint32_t first;
    uint32_t last;
};

enum { EXPUNGE_RANGES_MAX = 4096 };

struct expunge_entry {
    uint64_t modseq;
    const struct uid_range *ranges;
    size_t count;
};

struct import_entry {
    mailbox_id mailbox;
    uint32_t uid;
    struct wall done;
};

/* A message of the queue, and what the queue knows of it: its own affair. */
struct queued_entry {
    body_id body; /* 0: everything is done, and the octets are gone */
    uint32_t len;
    struct slice facts; /* borrows from the value */
};

void queued_entry_put(struct buffer *buffer, const struct queued_entry *entry);
MUST_USE bool queued_entry_take(struct slice value, struct queued_entry *ret_entry);
void meta_entry_put(struct buffer *buffer, const struct meta_entry *entry);
MUST_USE bool meta_entry_take(struct slice value, struct meta_entry *ret_entry);
void account_entry_put(struct buffer *buffer, const struct account_entry *entry);
MUST_USE bool account_entry_take(struct slice value, struct account_entry *ret_entry);
void mailbox_entry_put(struct buffer *buffer, const struct mailbox_entry *entry);
MUST_USE bool mailbox_entry_take(struct slice value, struct mailbox_entry *ret_entry);
void message_entry_put(struct buffer *buffer, const struct message_entry *entry);
MUST_USE bool message_entry_take(struct slice value, struct message_entry *ret_entry);
void body_entry_put(struct buffer *buffer, const struct body_entry *entry);
MUST_USE bool body_entry_take(struct slice value, struct body_entry *ret_entry);
void import_entry_put(struct buffer *buffer, const struct import_entry *entry);
MUST_USE bool import_entry_take(struct slice value, struct import_entry *ret_entry);
/* At most EXPUNGE_RANGES_MAX ranges, rising; `ranges` is the caller's memory for as many. */
void expunge_entry_put(struct buffer *buffer, const struct expunge_entry *entry);
MUST_USE bool expunge_entry_take(struct slice value, struct uid_range *ranges,
                                 struct expunge_entry *ret_entry);

#endif
