/* SPDX-License-Identifier: ISC */
#include "tool/queue_client.h"

#include "tool/say.h"

#include <stdio.h>
#include <sysexits.h>

enum { NOTE_MAX = 8192 };

struct answer {
    queue_client_fn fn;
    void *context;
    struct tool_store_queue_done done;
};

static enum client_next
on_note(void *context, const struct tool_store_note *note)
{
    struct answer *answer = context;

    if (note->kind == TOOL_STORE_QUEUE_ENTRY)
        answer->fn(answer->context, &note->as.queue_entry);
    if (note->kind != TOOL_STORE_QUEUE_DONE)
        return CLIENT_WAIT;
    answer->done = note->as.queue_done;
    return CLIENT_DONE;
}

int
queue_client_ask(struct client *client, struct tool_store_queue_ask *ask, queue_client_fn fn,
                 void *context, struct queue_client_result *ret_result)
{
    struct answer answer = {.fn = fn, .context = context};
    struct buffer note;

    ask->id = client_next_id(client);
    buffer_init(&note, NOTE_MAX);
    if (!tool_store_put_queue_ask(&note, client_ledger(client), ask)) {
        buffer_finish(&note);
        return say_error(EX_USAGE, "a name is too long for any message in the queue");
    }
    client_send(client, &note, HOST_HANDLE_NONE);
    buffer_finish(&note);
    int code = client_wait_store(client, on_note, &answer);
    if (code == EX_OK && answer.done.result != TOOL_STORE_RESULT_OK)
        return say_error(client_store_result_code(answer.done.result), "%s",
                         client_store_result_text(answer.done.result));
    if (code == EX_OK)
        *ret_result = (struct queue_client_result){answer.done.count, answer.done.busy};
    return code;
}

const char *
queue_client_state(enum tool_store_queue_state state)
{
    static const char *const names[TOOL_STORE_QUEUE_STATE_COUNT] = {
        [TOOL_STORE_QUEUE_STATE_WAITING] = "waiting",
        [TOOL_STORE_QUEUE_STATE_HELD] = "held",
        [TOOL_STORE_QUEUE_STATE_DELIVERED] = "delivered",
        [TOOL_STORE_QUEUE_STATE_RELAYED] = "relayed",
        [TOOL_STORE_QUEUE_STATE_FAILED] = "failed",
        [TOOL_STORE_QUEUE_STATE_DELETED] = "deleted",
    };

    return names[state];
}

static bool
is_waiting(const struct tool_store_queue_entry *entry)
{
    return entry->state == TOOL_STORE_QUEUE_STATE_WAITING;
}

static const struct tool_store_queue_attempt *
last_attempt(const struct tool_store_queue_entry *entry)
{
    return entry->history.count > 0 ? &entry->history.at[entry->history.count - 1] : NULL;
}

void
queue_client_report(struct report *report, const struct tool_store_queue_entry *entry)
{
    const struct tool_store_queue_attempt *last = last_attempt(entry);

    report_row(report);
    report_text(report, "id", entry->queue_id);
    report_time(report, "arrived", (struct wall){entry->arrival_ns});
    report_size(report, "size", entry->len);
    report_text(report, "sender", entry->sender.len > 0 ? entry->sender : SLICE("<>"));
    report_text(report, "recipient", entry->recipient);
    report_text(report, "state", slice_of_string(queue_client_state(entry->state)));
    report_number(report, "attempts", entry->attempts);
    report_time(report, "next", (struct wall){is_waiting(entry) ? entry->due_ns : 0});
    report_text(report, "status", last ? last->status : SLICE(""));
    report_text(report, "why", last ? last->text : SLICE(""));
}

/* ---- mailq --------------------------------------------------------------------------------- */

struct mailq {
    uint64_t messages, octets;
    char last[64]; /* queue id of the message above */
};

static struct slice
printable(struct slice text)
{
    return text.len > 0 ? text : SLICE("<>");
}

/* In the shape that programs expect from this command: id, size, arrival, sender; then why, and to
 * whom. `!` marks what is held. */
static void
print_entry(void *context, const struct tool_store_queue_entry *entry)
{
    struct mailq *mailq = context;
    const struct tool_store_queue_attempt *last = last_attempt(entry);
    struct slice sender = printable(entry->sender);
    struct buffer when;

    if (!slice_equal(slice_of_string(mailq->last), entry->queue_id)) {
        if (mailq->messages == 0)
            puts("-Queue ID-       --Size-- ----Arrival Time---- -Sender/Recipient-------");
        buffer_init(&when, 64);
        report_put_time(&when, (struct wall){entry->arrival_ns});
        printf("%s%.*s%c %8u %.*s %.*s\n", mailq->messages > 0 ? "\n" : "",
               (int)entry->queue_id.len, (const char *)entry->queue_id.at,
               is_waiting(entry) ? ' ' : '!', entry->len, (int)buffer_len(&when),
               (const char *)buffer_slice(&when).at, (int)sender.len, (const char *)sender.at);
        buffer_finish(&when);
        mailq->messages++;
        mailq->octets += entry->len;
        snprintf(mailq->last, sizeof(mailq->last), "%.*s", (int)entry->queue_id.len,
                 (const char *)entry->queue_id.at);
    }
    if (last && last->text.len > 0)
        printf("    (%.*s)\n", (int)last->text.len, (const char *)last->text.at);
    printf("%46s%.*s\n", "", (int)entry->recipient.len, (const char *)entry->recipient.at);
}

int
queue_client_mailq(const struct settings *settings)
{
    struct tool_store_queue_ask ask = {.action = TOOL_STORE_QUEUE_ACTION_LIST};
    struct queue_client_result result;
    struct mailq mailq = {0};
    struct client *client = NULL;
    int code = client_open_store(settings, &client);

    if (code == EX_OK)
        code = queue_client_ask(client, &ask, print_entry, &mailq, &result);
    client_close(&client);
    if (code != EX_OK)
        return code;
    if (mailq.messages == 0)
        puts("Mail queue is empty");
    else
        printf("-- %llu Kbytes in %llu Request%s.\n",
               (unsigned long long)((mailq.octets + 1023) / 1024),
               (unsigned long long)mailq.messages, mailq.messages == 1 ? "" : "s");
    return EX_OK;
}

static void
ignore_entry(void *context, const struct tool_store_queue_entry *entry)
{
    (void)context;
    (void)entry;
}

int
queue_client_retry(const struct settings *settings)
{
    struct tool_store_queue_ask ask = {.action = TOOL_STORE_QUEUE_ACTION_RETRY};
    struct queue_client_result result;
    struct client *client = NULL;
    int code = client_open_store(settings, &client);

    if (code == EX_OK)
        code = queue_client_ask(client, &ask, ignore_entry, NULL, &result);
    client_close(&client);
    return code;
}
