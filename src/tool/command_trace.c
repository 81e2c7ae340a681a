/* SPDX-License-Identifier: ISC */
/* facteur trace, queue show: what became of a message, with every attempt. */
#include "envelope/literal.h"
#include "tool/command.h"
#include "tool/queue_client.h"
#include "tool/say.h"

#include <stdlib.h>

enum { ARENA_MAX = 256 * 1024 * 1024, ATTEMPTS_MAX = 100000 };

/* Attempts are shown behind the recipients: they are kept, copied, until all is there. */
struct told {
    struct arena arena;
    struct report *report;
    struct row {
        struct slice id, recipient;
        struct tool_store_queue_attempt attempt;
    } * rows;
    size_t count;
    bool is_cut;
};

static void
keep_attempts(struct told *told, const struct tool_store_queue_entry *entry)
{
    struct slice id = arena_copy(&told->arena, entry->queue_id);
    struct slice recipient = arena_copy(&told->arena, entry->recipient);

    for (size_t i = 0; i < entry->history.count; i++) {
        if (told->count == ATTEMPTS_MAX || arena_failed(&told->arena)) {
            told->is_cut = true;
            return;
        }
        struct row *row = &told->rows[told->count++];
        *row = (struct row){id, recipient, entry->history.at[i]};
        row->attempt.host = arena_copy(&told->arena, row->attempt.host);
        row->attempt.address = arena_copy(&told->arena, row->attempt.address);
        row->attempt.tls = arena_copy(&told->arena, row->attempt.tls);
        row->attempt.status = arena_copy(&told->arena, row->attempt.status);
        row->attempt.text = arena_copy(&told->arena, row->attempt.text);
    }
}

static void
on_entry(void *context, const struct tool_store_queue_entry *entry)
{
    struct told *told = context;
    struct report *report = told->report;
    bool is_waiting = entry->state == TOOL_STORE_QUEUE_STATE_WAITING;

    report_row(report);
    report_text(report, "id", entry->queue_id);
    report_time(report, "arrived", (struct wall){entry->arrival_ns});
    report_text(report, "sender", entry->sender.len > 0 ? entry->sender : SLICE("<>"));
    report_text(report, "recipient", entry->recipient);
    report_text(report, "original", entry->original);
    report_text(report, "state", slice_of_string(queue_client_state(entry->state)));
    report_number(report, "attempts", entry->attempts);
    report_time(report, "next", (struct wall){is_waiting ? entry->due_ns : 0});
    report_time(report, "until", (struct wall){is_waiting ? entry->ends_ns : 0});
    report_text(report, "message_id", entry->message_id);
    report_text(report, "envelope_id", entry->envelope_id);
    keep_attempts(told, entry);
}

static void
report_address(struct report *report, struct slice address)
{
    struct buffer text;

    buffer_init(&text, 64);
    if (address.len == 4 || address.len == 16)
        envelope_address_put(&text, address.at, address.len);
    report_text(report, "address", buffer_slice(&text));
    buffer_finish(&text);
}

static void
report_attempts(struct told *told)
{
    struct report *report = told->report;

    report_list(report, "attempts");
    for (size_t i = 0; i < told->count; i++) {
        const struct row *row = &told->rows[i];
        const struct tool_store_queue_attempt *attempt = &row->attempt;
        report_row(report);
        report_text(report, "id", row->id);
        report_text(report, "recipient", row->recipient);
        report_time(report, "time", (struct wall){attempt->at_ns});
        report_text(report, "host", attempt->host);
        report_address(report, attempt->address);
        report_text(report, "tls", attempt->tls);
        report_number(report, "ms", attempt->duration_ms);
        report_number(report, "code", attempt->code);
        report_text(report, "status", attempt->status);
        report_text(report, "reply", attempt->text);
    }
    report_list_end(report);
}

static int
explain(const struct command_call *call, struct tool_store_queue_ask *ask)
{
    struct told told = {.report = NULL};
    struct queue_client_result result = {0};
    struct settings settings;
    struct client *client = NULL;
    int code = settings_load(call, &settings);

    if (code == EX_OK)
        code = client_open_store(&settings, &client);
    if (code == EX_OK) {
        arena_init(&told.arena, ARENA_MAX);
        told.rows = ARENA_ARRAY(&told.arena, struct row, ATTEMPTS_MAX);
        if (!told.rows)
            abort();
        told.report = report_open(command_has(call, "json"));
        report_list(told.report, "recipients");
        code = queue_client_ask(client, ask, on_entry, &told, &result);
        report_list_end(told.report);
        report_attempts(&told);
        int written = report_close(&told.report);
        code = code == EX_OK ? written : code;
        arena_finish(&told.arena);
    }
    if (told.is_cut)
        say_warning("only the first attempts are shown; ask for one queue id");
    client_close(&client);
    settings_finish(&settings);
    if (code == EX_OK && result.count == 0)
        code = say_error(EX_NOUSER,
                         "nothing is known of %s; the option trace_keep says for how "
                         "long it would be",
                         call->arguments[0]);
    return code;
}

static int
run_trace(const struct command_call *call)
{
    struct tool_store_queue_ask ask = {
        .action = TOOL_STORE_QUEUE_ACTION_LIST,
        .with_closed = true,
        .name = slice_of_string(call->arguments[0]),
    };

    return explain(call, &ask);
}

const struct command command_trace = {
    .name = "trace",
    .arguments = "QUEUE-ID|MESSAGE-ID|ADDRESS",
    .summary = "Tell where mail is, or what became of it",
    .about = "Looks for a queue id (it stands in Received: and in the log), a Message-ID with its "
             "<>, or the address of a sender or recipient, among all mail of the last 30 days "
             "(option trace_keep): delivered here, passed on, waiting, given back.\n\n"
             "Shows the recipients, and each attempt with the host, the TLS and what was answered.",
    .examples = "facteur trace 3SM56WBCBGGfBJ\n"
                "facteur trace alice@example.org",
    .arguments_min = 1,
    .arguments_max = 1,
    .options = {COMMAND_OPTION_CONFIG, COMMAND_OPTION_JSON},
    .run = run_trace,
};

static int
run_show(const struct command_call *call)
{
    struct tool_store_queue_ask ask = {
        .action = TOOL_STORE_QUEUE_ACTION_LIST,
        .with_closed = true,
        .queue_id = slice_of_string(call->arguments[0]),
    };

    return explain(call, &ask);
}

const struct command command_queue_show = {
    .name = "queue show",
    .arguments = "QUEUE-ID",
    .summary = "Show a queued message: recipients and attempts",
    .about = "Shows each recipient with its state and each attempt with the host, the TLS and what "
             "was answered. Contents are not shown.",
    .examples = "facteur queue show 3SM56WBCBGGfBJ",
    .arguments_min = 1,
    .arguments_max = 1,
    .options = {COMMAND_OPTION_CONFIG, COMMAND_OPTION_JSON},
    .run = run_show,
};
