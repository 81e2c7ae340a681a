/* SPDX-License-Identifier: ISC */
/* facteur status, reload, stop: what the parent of a running server is asked. */
#include "tool/client.h"
#include "tool/command.h"
#include "tool/rehearsal.h"
#include "tool/report.h"
#include "tool/say.h"

#include <stdlib.h>

enum { NOTE_MAX = 4096 };

/* ---- status -------------------------------------------------------------------------------- */

/* Pages come in their order and are kept, copied, until all is there. */
struct status {
    struct arena arena;
    const struct tool_parent_process **processes;
    size_t process_count;
    const struct tool_parent_listener **listeners;
    size_t listener_count;
    struct tool_parent_counters *counters;
    size_t counters_count;
    struct tool_parent_status_done done;
};

enum { ROWS_MAX = 4096, STATUS_ARENA_MAX = 64 * 1024 * 1024 };

static void
keep_processes(struct status *status, const struct tool_parent_processes *page)
{
    for (size_t i = 0; i < page->rows.count && status->process_count < ROWS_MAX; i++) {
        struct tool_parent_process *row = ARENA_NEW(&status->arena, struct tool_parent_process);
        if (!row)
            return;
        *row = page->rows.at[i];
        row->role = arena_copy(&status->arena, row->role);
        row->confinement = arena_copy(&status->arena, row->confinement);
        status->processes[status->process_count++] = row;
    }
}

static void
keep_listeners(struct status *status, const struct tool_parent_listeners *page)
{
    for (size_t i = 0; i < page->rows.count && status->listener_count < ROWS_MAX; i++) {
        struct tool_parent_listener *row = ARENA_NEW(&status->arena, struct tool_parent_listener);
        if (!row)
            return;
        row->service = arena_copy(&status->arena, page->rows.at[i].service);
        row->address = arena_copy(&status->arena, page->rows.at[i].address);
        status->listeners[status->listener_count++] = row;
    }
}

static void
keep_counters(struct status *status, const struct tool_parent_counters *page)
{
    struct tool_parent_counter *rows =
        ARENA_ARRAY(&status->arena, struct tool_parent_counter, page->rows.count);

    if (!rows || status->counters_count == ROWS_MAX)
        return;
    for (size_t i = 0; i < page->rows.count; i++) {
        rows[i] = page->rows.at[i];
        rows[i].name = arena_copy(&status->arena, rows[i].name);
    }
    status->counters[status->counters_count++] = (struct tool_parent_counters){
        .role = arena_copy(&status->arena, page->role),
        .index = page->index,
        .rows = {rows, page->rows.count},
    };
}

static enum client_next
on_status(void *context, const struct tool_parent_note *note)
{
    struct status *status = context;

    if (note->kind == TOOL_PARENT_PROCESSES)
        keep_processes(status, &note->as.processes);
    if (note->kind == TOOL_PARENT_LISTENERS)
        keep_listeners(status, &note->as.listeners);
    if (note->kind == TOOL_PARENT_COUNTERS)
        keep_counters(status, &note->as.counters);
    if (note->kind != TOOL_PARENT_STATUS_DONE)
        return CLIENT_WAIT;
    status->done = note->as.status_done;
    status->done.version = arena_copy(&status->arena, status->done.version);
    status->done.config_path = arena_copy(&status->arena, status->done.config_path);
    status->done.hostname = arena_copy(&status->arena, status->done.hostname);
    return CLIENT_DONE;
}

/* A process that serves says what it has counted, if nothing at all; in good time, unless it stands
 * still. The parent counts nothing: all else is its answer. */
static bool
has_answered(const struct status *status, const struct tool_parent_process *process)
{
    if (slice_equal(process->role, SLICE("parent")))
        return true;
    for (size_t i = 0; i < status->counters_count; i++) {
        if (slice_equal(status->counters[i].role, process->role) &&
            status->counters[i].index == process->index)
            return true;
    }
    return false;
}

static void
report_processes(struct report *report, const struct status *status)
{
    static const char *const states[] = {
        [TOOL_PARENT_STATE_STARTING] = "starting",
        [TOOL_PARENT_STATE_READY] = "ready",
        [TOOL_PARENT_STATE_STOPPING] = "stopping",
        [TOOL_PARENT_STATE_FAILED] = "failed",
    };

    report_list(report, "processes");
    for (size_t i = 0; i < status->process_count; i++) {
        const struct tool_parent_process *row = status->processes[i];
        report_row(report);
        report_text(report, "role", row->role);
        report_number(report, "index", row->index);
        report_number(report, "pid", row->pid);
        bool is_silent = row->state == TOOL_PARENT_STATE_READY && !has_answered(status, row);
        report_text(report, "state",
                    is_silent ? SLICE("silent") : slice_of_string(states[row->state]));
        report_number(report, "restarts", row->restarts);
        report_time(report, "started", (struct wall){row->started_ns});
        report_text(report, "confinement", row->confinement);
    }
    report_list_end(report);
}

static void
report_listeners(struct report *report, const struct status *status)
{
    report_list(report, "listeners");
    for (size_t i = 0; i < status->listener_count; i++) {
        report_row(report);
        report_text(report, "service", status->listeners[i]->service);
        report_text(report, "address", status->listeners[i]->address);
    }
    report_list_end(report);
}

static void
report_every_counter(struct report *report, const struct status *status)
{
    report_list(report, "counters");
    for (size_t i = 0; i < status->counters_count; i++) {
        const struct tool_parent_counters *counters = &status->counters[i];
        for (size_t row = 0; row < counters->rows.count; row++) {
            report_row(report);
            report_text(report, "role", counters->role);
            report_number(report, "index", counters->index);
            report_text(report, "counter", counters->rows.at[row].name);
            report_number(report, "value", counters->rows.at[row].value);
        }
    }
    report_list_end(report);
}

static uint64_t
sum_of_counter(const struct status *status, struct slice role, struct slice name)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < status->counters_count; i++) {
        const struct tool_parent_counters *counters = &status->counters[i];
        for (size_t row = 0; row < counters->rows.count; row++) {
            if (slice_equal(counters->role, role) && slice_equal(counters->rows.at[row].name, name))
                sum += counters->rows.at[row].value;
        }
    }
    return sum;
}

static bool
is_first_of_role(const struct status *status, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (slice_equal(status->counters[i].role, status->counters[index].role))
            return false;
    }
    return true;
}

/* For people: what has happened at all, whichever process of a role counted it. */
static void
report_sums(struct report *report, const struct status *status)
{
    report_list(report, "counters");
    for (size_t i = 0; i < status->counters_count; i++) {
        const struct tool_parent_counters *counters = &status->counters[i];
        for (size_t row = 0; is_first_of_role(status, i) && row < counters->rows.count; row++) {
            struct slice name = counters->rows.at[row].name;
            uint64_t sum = sum_of_counter(status, counters->role, name);
            if (sum == 0)
                continue;
            report_row(report);
            report_text(report, "role", counters->role);
            report_text(report, "counter", name);
            report_number(report, "value", sum);
        }
    }
    report_list_end(report);
}

/* An empty line between the tables, for people. */
static void
separate(bool is_json)
{
    if (!is_json)
        putchar('\n');
}

static int
show_status(const struct status *status, bool is_json)
{
    struct report *report = report_open(is_json);

    report_text(report, "version", status->done.version);
    report_text(report, "hostname", status->done.hostname);
    report_text(report, "configuration", status->done.config_path);
    report_time(report, "started", (struct wall){status->done.started_ns});
    separate(is_json);
    report_processes(report, status);
    separate(is_json);
    report_listeners(report, status);
    separate(is_json);
    if (is_json)
        report_every_counter(report, status);
    else
        report_sums(report, status);
    return report_close(&report);
}

static int
ask_status(struct client *client, bool is_json)
{
    static const struct tool_parent_process *processes[ROWS_MAX];
    static const struct tool_parent_listener *listeners[ROWS_MAX];
    static struct tool_parent_counters counters[ROWS_MAX];
    struct status status = {.processes = processes, .listeners = listeners, .counters = counters};
    struct tool_parent_status ask = {.id = client_next_id(client)};
    struct buffer note;

    arena_init(&status.arena, STATUS_ARENA_MAX);
    buffer_init(&note, NOTE_MAX);
    if (!tool_parent_put_status(&note, client_ledger(client), &ask))
        abort();
    client_send(client, &note, HOST_HANDLE_NONE);
    int code = client_wait_parent(client, on_status, &status);
    if (code == EX_OK)
        code = show_status(&status, is_json);
    buffer_finish(&note);
    arena_finish(&status.arena);
    return code;
}

static int
run_status(const struct command_call *call)
{
    struct settings settings;
    struct client *client = NULL;
    int code = settings_load(call, &settings);

    if (code == EX_OK)
        code = client_open_parent(&settings, false, &client);
    if (code == EX_OK)
        code = ask_status(client, command_has(call, "json"));
    client_close(&client);
    settings_finish(&settings);
    return code;
}

const struct command command_status = {
    .name = "status",
    .arguments = "",
    .summary = "Show what runs, listens and was counted",
    .about =
        "Asks the running server for its processes, how each is confined, its listening sockets "
        "and its counters: the sum of each role, where it is not 0; with --json each process has "
        "its own. A process that should serve and does not answer within two seconds is silent, "
        "and its counters are missing. Exit code 69 when it is not running.",
    .examples = "facteur status\nfacteur status --json | jq '.processes[] | select(.restarts > 0)'",
    .options = {COMMAND_OPTION_CONFIG, COMMAND_OPTION_JSON},
    .run = run_status,
};

/* ---- reload -------------------------------------------------------------------------------- */

static enum client_next
on_reloaded(void *context, const struct tool_parent_note *note)
{
    int *code = context;

    if (note->kind != TOOL_PARENT_RELOAD_DONE)
        return CLIENT_WAIT;
    struct slice text = note->as.reload_done.text;
    if (text.len > 0)
        say_line("%.*s", (int)slice_trim(text).len, (const char *)slice_trim(text).at);
    *code = note->as.reload_done.is_good ? EX_OK : EX_CONFIG;
    return CLIENT_DONE;
}

static int
ask_reload(struct client *client)
{
    struct tool_parent_reload ask = {.id = client_next_id(client)};
    struct buffer note;
    int result = EX_OK;

    buffer_init(&note, NOTE_MAX);
    if (!tool_parent_put_reload(&note, client_ledger(client), &ask))
        abort();
    client_send(client, &note, HOST_HANDLE_NONE);
    buffer_finish(&note);
    int code = client_wait_parent(client, on_reloaded, &result);
    if (code != EX_OK)
        return code;
    if (result != EX_OK)
        return say_error(result, "nothing was changed; correct the above and reload again");
    say_line("The server has read its configuration, certificates and directory again.");
    return EX_OK;
}

static int
run_reload(const struct command_call *call)
{
    struct settings settings;
    struct client *client = NULL;
    int code = settings_load(call, &settings);

    if (code == EX_OK)
        code = client_open_parent(&settings, false, &client);
    if (code == EX_OK)
        code = ask_reload(client);
    client_close(&client);
    /* The server goes on; that it will not come back some night is better known today. */
    if (code == EX_OK && rehearsal_run(&settings) != EX_OK)
        say_warning("the server goes on, but would not start with this; correct the above");
    settings_finish(&settings);
    return code;
}

const struct command command_reload = {
    .name = "reload",
    .arguments = "",
    .summary = "Have the running server read its files again",
    .about =
        "Configuration, certificates and directory are read again without a break in service; "
        "sessions go on. When something is wrong all stays as it was, and the errors are told. "
        "Options that need a restart keep their values until then; which of them have changed "
        "since the start is told, and logged (needs_restart). So is, as by 'facteur config check', "
        "what the next start would stumble over.",
    .examples = "facteur reload",
    .options = {COMMAND_OPTION_CONFIG},
    .run = run_reload,
};

/* ---- stop ---------------------------------------------------------------------------------- */

static enum client_next
on_stopping(void *context, const struct tool_parent_note *note)
{
    (void)context;
    return note->kind == TOOL_PARENT_STOPPING ? CLIENT_DONE : CLIENT_WAIT;
}

static int
run_stop(const struct command_call *call)
{
    struct settings settings;
    struct client *client = NULL;
    struct buffer note;
    int code = settings_load(call, &settings);

    buffer_init(&note, NOTE_MAX);
    if (code == EX_OK)
        code = client_open_parent(&settings, false, &client);
    if (code == EX_OK) {
        struct tool_parent_stop ask = {.id = client_next_id(client)};
        if (!tool_parent_put_stop(&note, client_ledger(client), &ask))
            abort();
        client_send(client, &note, HOST_HANDLE_NONE);
        code = client_wait_parent(client, on_stopping, NULL);
    }
    if (code == EX_OK) {
        client_wait_end(client);
        say_line("The server has stopped.");
    }
    buffer_finish(&note);
    client_close(&client);
    settings_finish(&settings);
    return code;
}

const struct command command_stop = {
    .name = "stop",
    .arguments = "",
    .summary = "Stop the running server",
    .about = "Sessions are told that the server closes and get the time of shutdown_timer to end. "
             "Comes back when nothing runs any more.",
    .examples = "facteur stop",
    .options = {COMMAND_OPTION_CONFIG},
    .run = run_stop,
};
