/* SPDX-License-Identifier: ISC */
/* Messages in mailboxes. The octets are stored once, as a body, however many mailboxes of however
 * many accounts name it; a message is an entry that names a body. */
#ifndef MAILBOX_MESSAGE_H
#define MAILBOX_MESSAGE_H

#include "mailbox/store.h"

/* System flags (RFC 9051 §2.3.2). */
enum message_flag {
    MESSAGE_SEEN = 1,
    MESSAGE_ANSWERED = 2,
    MESSAGE_FLAGGED = 4,
    MESSAGE_DELETED = 8,
    MESSAGE_DRAFT = 16,
    MESSAGE_FLAGS = 31,
};

/* Takes a body into the turn. The octets are borrowed until store_commit has called back. A body
 * that no message names when the turn is committed is left out. STORE_LIMIT over BODY_LEN_MAX,
 * BODY_RECORD_MAX or TURN_BODIES_MAX. */
MUST_USE enum store_result mailbox_body_add(struct store *store, struct slice first,
                                            struct slice second, struct slice record,
                                            body_id *ret_body);

struct message_new {
    body_id body; /* of mailbox_body_add in this turn */
    uint32_t flags;
    uint64_t keywords;
    struct wall internal; /* saved is the turn's time */
    uint32_t uid;         /* wanted, for imports: taken unless it is below UIDNEXT; 0: the next */
    bool is_over_quota_allowed;
};

/* Puts a message at the end of a mailbox. STORE_QUOTA when the account would pass a quota. */
MUST_USE enum store_result mailbox_message_append(struct store *store, account_id account,
                                                  mailbox_id mailbox,
                                                  const struct message_new *message,
                                                  uint32_t *ret_uid);

/* The same, once for each `key` of the account (1 to IMPORT_KEY_MAX octets): an append that was
 * done before changes nothing; *ret_uid is the one of then and *ret_was_there true. */
MUST_USE enum store_result mailbox_message_import(struct store *store, account_id account,
                                                  mailbox_id mailbox, struct slice key,
                                                  const struct message_new *message,
                                                  uint32_t *ret_uid, bool *ret_was_there);

/* Whether the key is known. Durable state. */
MUST_USE enum store_result mailbox_import_find(struct store *store, account_id account,
                                               struct slice key, bool *ret_was_there);

/* Copies these messages, in this order, into a mailbox that may be of another account; of the
 * flags, `flags` go along. Those that are not there are passed over; `fn` hears of each copy. That
 * there is room for all (mailbox_account_has_room_for) is the caller's business. */
struct message_copy {
    account_id from_account, to_account;
    mailbox_id from, to;
    uint32_t flags;
    bool has_keywords;
};
typedef void (*message_copied_fn)(void *context, uint32_t uid, uint32_t copy_uid);
MUST_USE enum store_result mailbox_message_copy_all(struct store *store,
                                                    const struct message_copy *copy,
                                                    const uint32_t *uids, size_t count,
                                                    message_copied_fn fn, void *context);

/* Flags and keywords after it: (before & ~cleared) | set. *ret_modseq is the message's new one; it
 * stays when nothing changed. */
struct message_change {
    uint32_t flags_set, flags_cleared;
    uint64_t keywords_set, keywords_cleared;
};
MUST_USE enum store_result mailbox_message_change(struct store *store, account_id account,
                                                  mailbox_id mailbox, uint32_t uid,
                                                  const struct message_change *change,
                                                  uint64_t *ret_modseq);

/* The MODSEQ of a message as the draft has it. */
MUST_USE enum store_result mailbox_message_modseq(struct store *store, account_id account,
                                                  mailbox_id mailbox, uint32_t uid,
                                                  uint64_t *ret_modseq);

/* Removes these messages (rising UIDs; those that are not there are passed over) under one MODSEQ,
 * and enters them into the expunge log. *ret_count: how many there were. */
enum { EXPUNGE_UIDS_MAX = 100000, EXPUNGE_LOG_MAX = 5000 };
MUST_USE enum store_result mailbox_message_expunge(struct store *store, account_id account,
                                                   mailbox_id mailbox, const uint32_t *uids,
                                                   size_t count, size_t *ret_count);

/* ---- reading: durable state ---- */

/* The entry of one message. */
MUST_USE enum store_result mailbox_message_get(struct store *store, account_id account,
                                               mailbox_id mailbox, uint32_t uid,
                                               struct message_entry *ret_entry);

/* Calls fn for each message with a UID >= first, by rising UID, until it returns false. */
typedef bool (*mailbox_message_fn)(void *context, uint32_t uid, const struct message_entry *entry);
MUST_USE enum store_result mailbox_message_list(struct store *store, account_id account,
                                                mailbox_id mailbox, uint32_t first,
                                                mailbox_message_fn fn, void *context);

/* UIDs that went after `modseq` (RFC 7162 §3.2.10), oldest first. STORE_LIMIT when the log does not
 * go back so far: the caller then compares all UIDs. */
typedef bool (*mailbox_expunge_fn)(void *context, uint64_t modseq, struct uid_range range);
MUST_USE enum store_result mailbox_expunge_list(struct store *store, account_id account,
                                                mailbox_id mailbox, uint64_t modseq,
                                                mailbox_expunge_fn fn, void *context);

/* Reads `len` octets of a body from `offset` on (cut at its end); a read of a whole body is checked
 * against its hash. fn is called once, at once or later; octets are valid during the call. */
typedef void (*mailbox_read_fn)(void *context, enum store_result result, struct slice bytes);
enum { BODY_READ_MAX = 1 << 20 };
void mailbox_body_read(struct store *store, body_id body, uint64_t offset, size_t len,
                       mailbox_read_fn fn, void *context);

/* Who reads a body in pieces holds it before the first: dropped meanwhile, it can be read to its
 * end, and its segment stays. For HOLD_IDLE_S after the last piece: space must come back while a
 * reader does not. Each hold has its release. */
enum { HOLD_IDLE_S = 600 }; /* the time that POP3 gives a silent client (RFC 1939 §3) */
void mailbox_body_hold(struct store *store, body_id body);
void mailbox_body_release(struct store *store, body_id body);

/* The parse record, checked against its hash; empty when it has none. */
void mailbox_record_read(struct store *store, body_id body, mailbox_read_fn fn, void *context);

#endif
