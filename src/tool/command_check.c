/* SPDX-License-Identifier: ISC */
/* facteur check: has the store verify itself while it serves; and, while nobody serves, gives up
 * what the disk cannot read of its log. */
#include "host/linux/linux.h"
#include "mailbox/rescue.h"
#include "tool/client.h"
#include "tool/command.h"
#include "tool/files.h"
#include "tool/report.h"
#include "tool/say.h"

#include <errno.h>
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
run_check(const struct settings *settings, bool is_json)
{
    struct client *client = NULL;
    int code = client_open_store(settings, &client);

    if (code == EX_OK)
        code = ask_check(client, is_json);
    client_close(&client);
    return code;
}

/* ---- rescue ---------------------------------------------------------------------------------- */

struct rescue {
    struct report *report;
    uint64_t bytes;
};

static void
on_given_up(void *context, const char *name, uint64_t offset, uint64_t len, int result)
{
    struct rescue *rescue = context;

    report_row(rescue->report);
    report_text(rescue->report, "file", slice_of_string(name));
    report_number(rescue->report, "from", offset);
    report_number(rescue->report, "to", offset + len);
    report_text(rescue->report, "result",
                result == 0 ? SLICE("given up") : slice_of_string(strerror(-result)));
    rescue->bytes += result == 0 ? len : 0;
}

static int
say_rescued(uint64_t bytes)
{
    if (bytes == 0) {
        say_line("All of the log can be read.");
        return EX_OK;
    }
    return say_error(EX_DATAERR,
                     "%llu octets of the log could not be read and are given up; start the "
                     "server: it serves the rest and logs what is damaged; facteur check then "
                     "names the messages",
                     (unsigned long long)bytes);
}

static int
run_rescue(const struct settings *settings, bool is_json)
{
    struct rescue rescue = {.report = report_open(is_json)};
    char *path = files_path(settings->data_dir, "store");
    struct host_dir *dir = NULL;
    struct host *host = NULL;
    struct buffer why;

    if (host_linux_open(&host) < 0)
        abort();
    buffer_init(&why, 1024);
    report_list(rescue.report, "places");
    int result = host_dir_open(host, path, &dir);
    if (result < 0) {
        buffer_put_text(&why, "cannot open ");
        buffer_put_text(&why, path);
    } else {
        result = log_rescue(dir, on_given_up, &rescue, &why);
    }
    report_list_end(rescue.report);
    int written = report_close(&rescue.report);
    buffer_put_byte(&why, 0);
    int code = result < 0 ? say_error(result == -EWOULDBLOCK ? EX_TEMPFAIL : EX_IOERR, "%s: %s",
                                      (const char *)buffer_slice(&why).at, strerror(-result))
                          : say_rescued(rescue.bytes);
    buffer_finish(&why);
    host_dir_close(&dir);
    host_linux_close(&host);
    free(path);
    return code == EX_OK ? written : code;
}

static int
run(const struct command_call *call)
{
    struct settings settings;
    int code = settings_load(call, &settings);

    if (code == EX_OK)
        code = command_has(call, "rescue") ? run_rescue(&settings, command_has(call, "json"))
                                           : run_check(&settings, command_has(call, "json"));
    settings_finish(&settings);
    return code;
}

const struct command command_check = {
    .name = "check",
    .arguments = "",
    .summary = "Verify every message in the store while it serves",
    .about = "Reads the whole log of the store and verifies the checksum of every turn and every "
             "body and that the index agrees with them, while mail goes on coming and going. What "
             "is damaged is named and set aside. Exit code 65 when something was found. A store "
             "does not start over a place of its log that the disk cannot read, for acknowledged "
             "mail may stand there. When the disk never reads it again, --rescue gives it up: run "
             "it while the server is stopped, after a copy of the store's folder if there is room.",
    .examples = "facteur check\nfacteur check --json\nfacteur check --rescue",
    .options = {COMMAND_OPTION_CONFIG, COMMAND_OPTION_JSON,
                {"rescue", NULL,
                 "While the server is stopped: write zeros over what the disk cannot read of the "
                 "log, and say what that was."}},
    .run = run,
};
