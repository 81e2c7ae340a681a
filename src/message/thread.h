/* SPDX-License-Identifier: ISC */
/* Threads: RFC 5256 §3, ORDEREDSUBJECT and REFERENCES, and REFS (as REFERENCES but by Message-IDs
 * alone: threads with equal subjects stay apart, siblings are in order of arrival and threads in
 * that of the latest arrival in each).
 *
 * Costs grow with n log n whatever the messages say: chains, cycles and repeated ids included. */
#ifndef MESSAGE_THREAD_H
#define MESSAGE_THREAD_H

#include "base/buffer.h"
#include "base/time.h"
#include "message/message_id.h"
#include "message/summary.h"

/* ---- threads of many messages ---------------------------------------------------------------- */

enum thread_algorithm { THREAD_ORDEREDSUBJECT, THREAD_REFERENCES, THREAD_REFS };

/* The algorithm of that name; case does not matter. */
MUST_USE bool thread_algorithm_find(struct slice name, enum thread_algorithm *ret_algorithm);

/* One message. Everything is borrowed during the call only. */
struct thread_message {
    uint32_t number;                                  /* the caller's for it, not 0 */
    struct wall date;                                 /* sent date, or else the arrival (§2.2) */
    struct wall arrival;                              /* for REFS */
    struct slice message_id, in_reply_to, references; /* fields, unfolded */
    struct slice base_subject;                        /* UTF-8; not for REFS */
    bool is_reply_or_forward;                         /* the subject's base was not all of it */
};

struct threader;

/* `seed`: random; ids and subjects are strangers' choice. NULL at the arena's limit. */
struct threader *threader_new(struct arena *arena, enum thread_algorithm algorithm, uint64_t seed,
                              size_t messages_max);

/* Adds messages in the order of their sequence numbers. False above messages_max or at the arena's
 * limit. */
MUST_USE bool threader_add(struct threader *threader, const struct thread_message *message);

/* A message in its thread; number 0: one that is not there but holds its children together. */
struct thread_node {
    uint32_t number;
    const struct thread_node *child; /* first of them */
    const struct thread_node *next;  /* sibling */
};

/* False at the arena's limit. *ret_first is the first thread, NULL when there are none. */
MUST_USE bool threader_finish(struct threader *threader, const struct thread_node **ret_first);

/* Puts `(2)(3 6 (4 23)(44 7 96))`: RFC 5256 §5, thread-list; nothing without threads. The nodes
 * are walked without recursion, in memory of the arena; false at its limit. */
MUST_USE bool thread_list_put(struct buffer *buffer, struct arena *arena,
                              const struct thread_node *first);

#endif
