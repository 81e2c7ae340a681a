/* SPDX-License-Identifier: ISC */
/* Mailboxes: named, UID-numbered containers in an account (RFC 9051 §2.3.1, §5.1). Names are UTF-8,
 * 1 to MAILBOX_NAME_MAX octets, levels parted by '/'; the name INBOX matches in any case. Each
 * mailbox ever made here has another UIDVALIDITY. */
#ifndef MAILBOX_MAILBOX_H
#define MAILBOX_MAILBOX_H

#include "mailbox/store.h"

enum { MAILBOX_LEVELS_MAX = 32 };
#define UID_VALIDITY_ADOPTED_MAX UINT32_C(0xF0000000)

/* True for a name that a mailbox may have: no control octets, no empty level, not too long or
 * deep. */
MUST_USE bool mailbox_name_is_valid(struct slice name);
/* What a new name must be, too: without C1, U+2028 and U+2029 (RFC 9051 §5.1). Old ones may have
 * them, from before this was asked. */
MUST_USE bool mailbox_name_is_free_of_controls(struct slice name);

/* The number of a mailbox, as the draft has it. */
MUST_USE enum store_result mailbox_find(struct store *store, account_id account, struct slice name,
                                        mailbox_id *ret_mailbox);

/* The number of its last change, as the draft has it. */
MUST_USE enum store_result mailbox_modseq(struct store *store, account_id account,
                                          mailbox_id mailbox, uint64_t *ret_modseq);

/* Its record, as it is durable. `ret_entry->name` is valid until the next change. */
MUST_USE enum store_result mailbox_get(struct store *store, account_id account, mailbox_id mailbox,
                                       struct mailbox_entry *ret_entry);

/* Makes it, and the account when that is new. Superior levels are not made. STORE_EXISTS,
 * STORE_LIMIT. */
MUST_USE enum store_result mailbox_create(struct store *store, account_id account,
                                          struct slice name, mailbox_id *ret_mailbox);

/* Finds it, or makes it: for deliveries. */
MUST_USE enum store_result mailbox_open(struct store *store, account_id account, struct slice name,
                                        mailbox_id *ret_mailbox);

/* Renames it and all its inferiors (RFC 9051 §6.3.6), but INBOX's stay: renaming INBOX moves its
 * messages to a new mailbox and leaves INBOX empty. STORE_BUSY when the draft has touched the
 * account. */
MUST_USE enum store_result mailbox_rename(struct store *store, account_id account,
                                          struct slice from, struct slice to);

/* Drops it with all its messages, which go in the background. Inferiors stay. INBOX cannot go
 * (STORE_LIMIT). */
MUST_USE enum store_result mailbox_remove(struct store *store, account_id account,
                                          struct slice name);

/* RFC 9051 §6.3.7; the mark goes with the mailbox. */
MUST_USE enum store_result mailbox_set_subscribed(struct store *store, account_id account,
                                                  mailbox_id mailbox, bool is_subscribed);

/* What it is for (RFC 6154); 0 to MAILBOX_USE_MAX. */
MUST_USE enum store_result mailbox_set_use(struct store *store, account_id account,
                                           mailbox_id mailbox, uint8_t use);

/* Gives a mailbox the UIDVALIDITY that it had elsewhere, so that clients keep what they know of its
 * messages; for imports. STORE_EXISTS when it has ever had a message here, STORE_LIMIT
 * above UID_VALIDITY_ADOPTED_MAX: those made later must find higher ones. */
MUST_USE enum store_result mailbox_adopt(struct store *store, account_id account,
                                         mailbox_id mailbox, uint32_t uid_validity);

/* Calls fn for each mailbox of the account by name, until it returns false. Durable state. */
typedef bool (*mailbox_fn)(void *context, mailbox_id mailbox, const struct mailbox_entry *entry);
MUST_USE enum store_result mailbox_list(struct store *store, account_id account, mailbox_fn fn,
                                        void *context);

/* The bit of a keyword (RFC 9051 §2.3.2; ASCII, case does not matter), named in this mailbox when
 * it is new. STORE_LIMIT after KEYWORDS_MAX of them. */
enum { KEYWORDS_MAX = 64, KEYWORD_LEN_MAX = 100 };
MUST_USE enum store_result mailbox_keyword(struct store *store, account_id account,
                                           mailbox_id mailbox, struct slice name,
                                           uint64_t *ret_bit);
/* The same without naming anything: 0 for a keyword that the mailbox does not know. */
MUST_USE enum store_result mailbox_keyword_find(struct store *store, account_id account,
                                                mailbox_id mailbox, struct slice name,
                                                uint64_t *ret_bit);
/* Its name, valid until the next change. */
MUST_USE enum store_result mailbox_keyword_name(struct store *store, account_id account,
                                                mailbox_id mailbox, uint8_t index,
                                                struct slice *ret_name);

#endif
