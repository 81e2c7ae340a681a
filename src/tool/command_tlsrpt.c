/* SPDX-License-Identifier: ISC */
/* facteur tlsrpt: what became of TLS with other hosts, as it is counted for reports (RFC 8460). */
#include "tool/client.h"
#include "tool/command.h"
#include "tool/report.h"
#include "tool/say.h"

#include <stdlib.h>

enum { NOTE_MAX = 1024, ARENA_MAX = 256 << 20, FAILURES_MAX = 100000 };

/* Failures are shown behind the domains: they are kept, copied, until all is there. */
struct told {
    struct arena arena;
    struct report *report;
    struct row {
        int64_t start_s;
        struct slice domain;
        enum tool_store_tls_policy policy;
        struct tool_store_tls_failure failure;
    } * rows;
    size_t count;
    bool is_cut;
};

static struct slice
policy_name(enum tool_store_tls_policy policy)
{
    static const char *const names[TOOL_STORE_TLS_POLICY_COUNT] = {
        [TOOL_STORE_TLS_POLICY_NONE] = "no-policy-found",
        [TOOL_STORE_TLS_POLICY_STS] = "sts",
        [TOOL_STORE_TLS_POLICY_TLSA] = "tlsa",
    };

    return slice_of_string(names[policy]);
}

static void
keep_failures(struct told *told, const struct tool_store_tls_row *note)
{
    struct slice domain = arena_copy(&told->arena, note->domain);

    for (size_t i = 0; i < note->details.count; i++) {
        if (told->count == FAILURES_MAX || arena_failed(&told->arena)) {
            told->is_cut = true;
            return;
        }
        struct row *row = &told->rows[told->count++];
        *row = (struct row){note->start_s, domain, note->policy, note->details.at[i]};
        row->failure.result = arena_copy(&told->arena, row->failure.result);
        row->failure.host = arena_copy(&told->arena, row->failure.host);
        row->failure.address = arena_copy(&told->arena, row->failure.address);
        row->failure.reason = arena_copy(&told->arena, row->failure.reason);
    }
}

static enum client_next
on_note(void *context, const struct tool_store_note *note)
{
    struct told *told = context;
    struct report *report = told->report;

    if (note->kind == TOOL_STORE_TLS_DONE) {
        told->is_cut |= note->as.tls_done.is_cut;
        return CLIENT_DONE;
    }
    if (note->kind != TOOL_STORE_TLS_ROW)
        return CLIENT_WAIT;
    const struct tool_store_tls_row *row = &note->as.tls_row;
    report_row(report);
    report_time(report, "from", wall_of_seconds(row->start_s));
    report_time(report, "until", wall_of_seconds(row->end_s));
    report_text(report, "domain", row->domain);
    report_text(report, "policy", policy_name(row->policy));
    report_number(report, "successes", row->successes);
    report_number(report, "failures", row->failures);
    report_text(report, "text", row->text);
    keep_failures(told, row);
    return CLIENT_WAIT;
}

static void
report_failures(struct told *told)
{
    struct report *report = told->report;

    report_list(report, "failures");
    for (size_t i = 0; i < told->count; i++) {
        const struct row *row = &told->rows[i];
        report_row(report);
        report_time(report, "from", wall_of_seconds(row->start_s));
        report_text(report, "domain", row->domain);
        report_text(report, "policy", policy_name(row->policy));
        report_text(report, "result", row->failure.result);
        report_number(report, "count", row->failure.count);
        report_text(report, "host", row->failure.host);
        report_text(report, "address", row->failure.address);
        report_text(report, "reason", row->failure.reason);
    }
    report_list_end(report);
}

static int
ask(struct told *told, struct client *client, struct slice domain)
{
    struct tool_store_tls_ask note = {.id = client_next_id(client), .domain = domain};
    struct buffer bytes;

    buffer_init(&bytes, NOTE_MAX);
    bool is_put = tool_store_put_tls_ask(&bytes, client_ledger(client), &note);
    if (is_put)
        client_send(client, &bytes, HOST_HANDLE_NONE);
    buffer_finish(&bytes);
    return is_put ? client_wait_store(client, on_note, told)
                  : say_error(EX_USAGE, "no domain has so long a name");
}

static int
run(const struct command_call *call)
{
    struct told told = {.report = NULL};
    struct settings settings;
    struct client *client = NULL;
    bool has_domain = call->count > 0;
    int code = settings_load(call, &settings);

    if (code == EX_OK)
        code = client_open_store(&settings, &client);
    if (code == EX_OK) {
        arena_init(&told.arena, ARENA_MAX);
        told.rows = ARENA_ARRAY(&told.arena, struct row, FAILURES_MAX);
        if (!told.rows)
            abort();
        told.report = report_open(command_has(call, "json"));
        report_list(told.report, "domains");
        code = ask(&told, client, slice_of_string(has_domain ? call->arguments[0] : ""));
        report_list_end(told.report);
        report_failures(&told);
        int written = report_close(&told.report);
        code = code == EX_OK ? written : code;
        arena_finish(&told.arena);
    }
    if (told.is_cut)
        say_warning("not all is shown; name a domain");
    client_close(&client);
    settings_finish(&settings);
    return code;
}

const struct command command_tlsrpt = {
    .name = "tlsrpt",
    .arguments = "[DOMAIN]",
    .summary = "Show how often TLS with other domains' hosts succeeded and failed",
    .about =
        "Counts sessions per day (UTC; option tls_report_interval), domain and policy: by TLSA "
        "records, by MTA-STS, or by none; failures in the terms of RFC 8460. Kept for a week, "
        "or until the domain has got its report (option tls_reports).",
    .examples = "facteur tlsrpt\n"
                "facteur tlsrpt example.org --json",
    .arguments_max = 1,
    .options = {COMMAND_OPTION_CONFIG, COMMAND_OPTION_JSON},
    .run = run,
};
