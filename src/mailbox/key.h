/* SPDX-License-Identifier: ISC */
/* Keys of the view: 8 octets account, one octet kind, and what the kind needs; numbers are
 * big-endian, so that a mailbox is one stretch in the order of its UIDs. Account 0 holds what
 * belongs to the shard. */
#ifndef MAILBOX_KEY_H
#define MAILBOX_KEY_H

#include "base/slice.h"
#include "mailbox/place.h"

enum {
    MAILBOX_NAME_MAX = 400, /* octets of UTF-8; the key of a name must stay below LMDB's 511 */
    IMPORT_KEY_MAX = 64,    /* octets of an idempotency key */
    QUEUE_DOMAIN_MAX = 255, /* octets of the name of a domain in the queue */
    QUEUE_PLACE_LEN = 22,   /* octets behind it in a key by due time */
    ANNOTATION_NAME_MAX = 255,
    IDENTIFIER_MAX = 321, /* octets: a name, and "-" before one that takes rights away */
    SHARE_PLACE_LEN = 13, /* octets behind it in a key of what is shared */
    KEY_LEN_MAX = 9 + MAILBOX_NAME_MAX,
};

enum key_kind {
    KEY_META = 1,             /* shard: struct meta_entry */
    KEY_SEGMENT = 2,          /* shard, segment: octets that still live in it */
    KEY_BODY = 3,             /* shard, body: where it lies, how many name it */
    KEY_PURGE = 4,            /* shard, account, mailbox: dropped, its messages are still to go */
    KEY_QUEUED = 5,           /* shard, message: what waits for other hosts (mailbox/queue.h) */
    KEY_QUEUED_RECIPIENT = 6, /* shard, message, index */
    KEY_QUEUE_DUE = 7,        /* shard, domain, NUL, class, due time, message, index: nothing */
    KEY_QUEUE_DONE = 8,       /* shard, time, message: what became of it, if nothing else does */
    KEY_SHARE = 9,            /* shard, identifier, NUL, account, mailbox: nothing */
    KEY_OWNED = 10,           /* shard, an owner's name: the account */
    KEY_RECORD = 11,          /* shard, body: its parse record, if it is short */
    KEY_ACCOUNT = 16,         /* struct account_entry */
    KEY_NAME = 17,            /* name: the mailbox's number */
    KEY_MAILBOX = 18,         /* mailbox: struct mailbox_entry */
    KEY_KEYWORD = 19,         /* mailbox, index: the keyword's name */
    KEY_MESSAGE = 20,         /* mailbox, uid: struct message_entry */
    KEY_EXPUNGE = 21,         /* mailbox, sequence: struct expunge_entry */
    KEY_IMPORT = 22,          /* idempotency key: mailbox and uid */
    KEY_ANNOTATION = 23,      /* mailbox (0: the account), name: version, octets */
    KEY_ACL = 24,             /* mailbox, identifier: version, rights */
    KEY_OWNER = 25,           /* version, what others call the account */
    KEY_FOLLOWED = 26,        /* owner, mailbox of his: nothing; a subscription */
    KEY_URL = 27,             /* owner, mailbox: version, key of URLs (RFC 4467) */
};

struct key {
    uint16_t len;
    uint8_t bytes[KEY_LEN_MAX];
};

static inline struct slice
key_slice(const struct key *key)
{
    return slice_of(key->bytes, key->len);
}

struct key key_meta(void);
struct key key_segment(uint32_t segment);
struct key key_body(body_id body);
struct key key_record(body_id body);
struct key key_purge(account_id account, mailbox_id mailbox);
struct key key_account(account_id account);
/* name.len <= MAILBOX_NAME_MAX */
struct key key_name(account_id account, struct slice name);
struct key key_mailbox(account_id account, mailbox_id mailbox);
struct key key_keyword(account_id account, mailbox_id mailbox, uint8_t index);
struct key key_message(account_id account, mailbox_id mailbox, uint32_t uid);
struct key key_expunge(account_id account, mailbox_id mailbox, uint64_t sequence);
/* id.len <= IMPORT_KEY_MAX */
struct key key_import(account_id account, struct slice id);

/* name.len <= ANNOTATION_NAME_MAX */
struct key key_annotation(account_id account, mailbox_id mailbox, struct slice name);

/* identifier.len <= IDENTIFIER_MAX */
struct key key_acl(account_id account, mailbox_id mailbox, struct slice identifier);
struct key key_owner(account_id account);
struct key key_owned(struct slice name);
struct key key_followed(account_id account, account_id owner, mailbox_id mailbox);
struct key key_url(account_id account, account_id owner, mailbox_id mailbox);
struct key key_share(struct slice identifier, account_id owner, mailbox_id mailbox);
/* Up to the NUL. */
struct key key_shares(struct slice identifier);

struct key key_queued(uint64_t message);
struct key key_queued_recipient(uint64_t message, uint32_t index);
/* Up to the class; 0 < domain.len <= QUEUE_DOMAIN_MAX, and no NUL in it. */
struct key key_queue_class(struct slice domain, uint8_t class);
struct key key_queue_due(struct slice domain, uint8_t class, uint64_t due_s, uint64_t message,
                         uint32_t index);
/* Behind all of a domain. */
struct key key_queue_domain_end(struct slice domain);
struct key key_queue_done(uint64_t when_s, uint64_t message);

/* Prefixes for scans: all of a kind in an account (or shard: account 0), or in a mailbox. */
struct key key_prefix_kind(account_id account, enum key_kind kind);
struct key key_prefix_mailbox(account_id account, enum key_kind kind, mailbox_id mailbox);

/* What a key is about; false when it is none of ours. Fields that the kind has not are 0. */
struct key_parts {
    account_id account;
    enum key_kind kind;
    uint64_t number; /* segment, body, mailbox */
    uint64_t item;   /* uid, sequence, index, the purged mailbox */
    struct slice text;
};
MUST_USE bool key_parse(struct slice key, struct key_parts *ret_parts);

#endif
