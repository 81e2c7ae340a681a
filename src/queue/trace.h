/* SPDX-License-Identifier: ISC */
/* What is kept of a message whose recipients never waited: the facts of the message and of each
 * recipient in one record, for whoever asks later where it went. */
#ifndef QUEUE_TRACE_H
#define QUEUE_TRACE_H

#include "base/cursor.h"
#include "queue/entry.h"

/* Puts the message, which begins a record, and a recipient behind it. */
void queue_trace_begin(struct buffer *buffer, const struct queue_message *message);
/* False when it would be longer than QUEUE_ENTRY_MAX: the record is as it was before. */
MUST_USE bool queue_trace_add(struct buffer *buffer, const struct queue_recipient *recipient);

/* Takes the message; *ret_rest is for queue_trace_next, which takes one recipient after another and
 * returns false behind the last, or at damage (*ret_rest is not at its end then). */
MUST_USE bool queue_trace_take(struct slice value, struct queue_message *ret_message,
                               struct cursor *ret_rest);
MUST_USE bool queue_trace_next(struct cursor *rest, struct queue_recipient *ret_recipient);

#endif
