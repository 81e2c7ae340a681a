/* SPDX-License-Identifier: ISC */
/* What waits for other hosts, kept as messages are: a body by reference, records in the view, all
 * in turns. What the records say is the room queue's affair; here are their keys and the reference.
 *
 * A recipient that waits has a key by domain, class and due time: whoever looks for work scans one
 * domain from its front, and steps from domain to domain without seeing what lies between. */
#ifndef MAILBOX_QUEUE_H
#define MAILBOX_QUEUE_H

#include "mailbox/store.h"

enum { QUEUE_FACTS_MAX = 64 * 1024 /* octets of one record */ };

/* Enters a message under a number that was never used before; `body` is of mailbox_body_add in this
 * turn (STORE_NOT_FOUND otherwise). */
MUST_USE enum store_result mailbox_queue_add(struct store *store, uint64_t message, body_id body,
                                             struct slice facts);
/* Other facts for it. STORE_NOT_FOUND when it is not there. */
MUST_USE enum store_result mailbox_queue_change(struct store *store, uint64_t message,
                                                struct slice facts);
/* Gives its body back; the record stays for those who ask where a message went. */
MUST_USE enum store_result mailbox_queue_release(struct store *store, uint64_t message);
/* Takes the record out, and the recipients' (0 to recipients - 1), and gives the body back. */
void mailbox_queue_remove(struct store *store, uint64_t message, uint32_t recipients);

/* Puts a recipient's record, or another in its place. */
void mailbox_queue_put_recipient(struct store *store, uint64_t message, uint32_t index,
                                 struct slice facts);

/* Where a recipient stands in the order of its domain (0 < domain.len <= QUEUE_DOMAIN_MAX, no NUL).
 */
struct queue_place {
    struct slice domain;
    uint8_t class;
    uint64_t due_s;
    uint64_t message;
    uint32_t index;
};
void mailbox_queue_put_due(struct store *store, const struct queue_place *place);
void mailbox_queue_del_due(struct store *store, const struct queue_place *place);

/* Messages whose records are to go at a time. `facts` is empty for those that have records of their
 * own (above); for others, which never waited, it is all that is kept of them. */
void mailbox_queue_put_done(struct store *store, uint64_t when_s, uint64_t message,
                            struct slice facts);
void mailbox_queue_del_done(struct store *store, uint64_t when_s, uint64_t message);

/* As the turn that is being built has them; valid until the next change. */
MUST_USE enum store_result mailbox_queue_load(struct store *store, uint64_t message,
                                              struct queued_entry *ret_entry);
MUST_USE enum store_result mailbox_queue_load_recipient(struct store *store, uint64_t message,
                                                        uint32_t index, struct slice *ret_facts);

/* ---- reading: durable state; slices are valid until the next change ---- */

/* The records. */
MUST_USE enum store_result mailbox_queue_get(struct store *store, uint64_t message,
                                             struct queued_entry *ret_entry);
MUST_USE enum store_result mailbox_queue_get_recipient(struct store *store, uint64_t message,
                                                       uint32_t index, struct slice *ret_facts);

/* Calls fn for the entries of one domain and class from `from` (domain and class are its) on, in
 * order, until it returns false. */
typedef bool (*mailbox_queue_due_fn)(void *context, const struct queue_place *place);
MUST_USE enum store_result mailbox_queue_list_due(struct store *store,
                                                  const struct queue_place *from,
                                                  mailbox_queue_due_fn fn, void *context);

/* The first entry of each class in each domain, until fn returns false: at start, to know what
 * there is. Costs a step for each domain and class, however many entries they have. */
MUST_USE enum store_result mailbox_queue_list_fronts(struct store *store, mailbox_queue_due_fn fn,
                                                     void *context);

/* Messages with a number >= first, in order, until fn returns false. */
typedef bool (*mailbox_queue_message_fn)(void *context, uint64_t message,
                                         const struct queued_entry *entry);
MUST_USE enum store_result mailbox_queue_list(struct store *store, uint64_t first,
                                              mailbox_queue_message_fn fn, void *context);

/* Messages whose records are to go at `until_s` or before, in the order of time and number and
 * behind (from_s, first), until fn returns false. */
struct queue_done {
    uint64_t when_s, message;
    struct slice facts;
};
typedef bool (*mailbox_queue_done_fn)(void *context, const struct queue_done *done);
MUST_USE enum store_result mailbox_queue_list_done(struct store *store,
                                                   const struct queue_done *from, uint64_t until_s,
                                                   mailbox_queue_done_fn fn, void *context);

#endif
