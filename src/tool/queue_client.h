/* SPDX-License-Identifier: ISC */
/* What commands about the queue share: one question to the store, and its answers as rows. */
#ifndef TOOL_QUEUE_CLIENT_H
#define TOOL_QUEUE_CLIENT_H

#include "tool/client.h"
#include "tool/report.h"

struct queue_client_result {
    uint64_t count; /* recipients that fit, and were told or changed */
    uint64_t busy;  /* that fit, but were left alone: they are just being carried */
};

/* Called for each recipient; the entry lives until it returns. */
typedef void (*queue_client_fn)(void *context, const struct tool_store_queue_entry *entry);

/* Asks (ask->id is set here) and waits. EX_OK, or an exit code after having said why not. */
MUST_USE int queue_client_ask(struct client *client, struct tool_store_queue_ask *ask,
                              queue_client_fn fn, void *context,
                              struct queue_client_result *ret_result);

/* A row of a list of recipients. */
void queue_client_report(struct report *report, const struct tool_store_queue_entry *entry);

/* What the command line `mailq` prints. */
MUST_USE int queue_client_mailq(const struct settings *settings);
/* Has everything tried now that waits: `sendmail -q`. */
MUST_USE int queue_client_retry(const struct settings *settings);

/* "waiting" and so on. */
const char *queue_client_state(enum tool_store_queue_state state);

#endif
