/* SPDX-License-Identifier: ISC */
/* facteur check: has the store verify itself while it serves. */
#include "tool/client.h"
#include "tool/command.h"
#include "tool/report.h"
#include "tool/say.h"

#include <stdlib.h>

enum { NOTE_MAX = 4096 };

struct check {
    struct say_progress progress;
    struct report *report;
    struct tool_store_check_done done;
};

static enum client_next
on_check(void *context, const struct tool_store_note *note)
{
    struct check *check = context;

    if (note->kind == TOOL_STORE_CHECK_PROGRESS) {
        check->progress.whole = note->as.check_progress.parts;
        say_progress_show(&check->progress, note->as.check_progress.parts_done);
    }
    if (note->kind == TOOL_STORE_CHECK_FINDING) {
        say_progress_end(&check->progress);
        report_row(check->report);
        report_text(check->report, "finding", note->as.check_finding.text);
    }
    if (note->kind != TOOL_STORE_CHECK_DONE)
        return CLIENT_WAIT;
    check->done = note->as.check_done;
    return CLIENT_DONE;
}

static int
say_result(const struct tool_store_check_done *done)
{
    if (done->result != TOOL_STORE_RESULT_OK && done->result != TOOL_STORE_RESULT_DAMAGED)
        return say_error(client_store_result_code(done->result), "the check did not end: %s",
                         client_store_result_text(done->result));
    if (done->findings > 0)
        return say_error(EX_DATAERR,
                         "%llu findings; what is damaged was set aside, all else is "
                         "served; restore it from a backup",
                         (unsigned long long)done->findings);
    say_line("All is well.");
    return EX_OK;
}

static int
ask_check(struct client *client, bool is_json)
{
    struct check check = {.report = report_open(is_json)};
    struct tool_store_check ask = {.id = client_next_id(client)};
    struct buffer note;

    buffer_init(&note, NOTE_MAX);
    if (!tool_store_put_check(&note, client_ledger(client), &ask))
        abort();
    client_send(client, &note, HOST_HANDLE_NONE);
    buffer_finish(&note);
    say_progress_begin(&check.progress, "checking", 0);
    report_list(check.report, "findings");
    int code = client_wait_store(client, on_check, &check);
    say_progress_end(&check.progress);
    report_list_end(check.report);
    report_number(check.report, "turns", check.done.turns);
    report_number(check.report, "bodies", check.done.bodies);
    report_number(check.report, "messages", check.done.messages);
    int written = report_close(&check.report);
    if (code == EX_OK)
        code = say_result(&check.done);
    return code == EX_OK ? written : code;
}

static int
run_check(const struct command_call *call)
{
    struct settings settings;
    struct client *client = NULL;
    int code = settings_load(call, &settings);

    if (code == EX_OK)
        code = client_open_store(&settings, &client);
    if (code == EX_OK)
        code = ask_check(client, command_has(call, "json"));
    client_close(&client);
    settings_finish(&settings);
    return code;
}

const struct command command_check = {
    .name = "check",
    .arguments = "",
    .summary = "Verify every message in the store while it serves",
    .about = "Reads the whole log of the store and verifies the checksum of every turn and every "
             "body and that the index agrees with them, while mail goes on coming and going. What "
             "is damaged is named and set aside. Exit code 65 when something was found.",
    .examples = "facteur check\nfacteur check --json",
    .options = {COMMAND_OPTION_CONFIG, COMMAND_OPTION_JSON},
    .run = run_check,
};
