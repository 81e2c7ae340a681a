/* SPDX-License-Identifier: ISC */
/* facteur export: a mailbox becomes an mbox file or a Maildir. */
#include "tool/client.h"
#include "tool/command.h"
#include "tool/outbox.h"
#include "tool/people.h"
#include "tool/report.h"
#include "tool/say.h"

#include <stdlib.h>

enum {
    NOTE_MAX = 4096,
    MESSAGES_MAX = 100 * 1000 * 1000,
    /* Messages that are on their way from the store at once. */
    FLYING_MAX = 64,
    FLYING_BYTES_MAX = 16 << 20,
};

struct row {
    uint32_t uid;
    uint64_t len;
};

/* A message that was asked for. */
struct flight {
    uint64_t id;
    struct row row;
    struct buffer content;
    uint32_t flags;
    struct wall received;
    enum tool_store_result result;
    bool is_done;
};

struct export
{
    struct client *client;
    struct outbox *outbox;
    uint64_t account;
    struct slice mailbox;
    uint32_t uid_validity;
    struct row *rows; /* of the mailbox; owned */
    size_t count;
    size_t next;                       /* the first one that was not asked for */
    struct flight flights[FLYING_MAX]; /* a ring, in the order of the UIDs */
    size_t oldest, flying_count;
    uint64_t flying_bytes;
    struct buffer note;
    enum tool_store_result result;
    uint64_t exported, there, lost;
};

static void
add_row(struct export *export, const struct tool_store_message_row *row)
{
    if ((export->count & (export->count - 1)) == 0) {
        size_t room = export->count ? export->count * 2 : 1;
        struct row *rows = realloc(export->rows, room * sizeof(*rows));
        if (!rows)
            abort();
        export->rows = rows;
    }
    export->rows[export->count++] = (struct row){row->uid, row->len};
}

static enum client_next
on_list(void *context, const struct tool_store_note *note)
{
    struct export *export = context;

    if (note->kind == TOOL_STORE_MESSAGES) {
        for (size_t i = 0; i < note->as.messages.rows.count && export->count < MESSAGES_MAX; i++)
            add_row(export, &note->as.messages.rows.at[i]);
    }
    if (note->kind == TOOL_STORE_MAILBOXES) {
        for (size_t i = 0; i < note->as.mailboxes.rows.count; i++) {
            if (slice_equal(note->as.mailboxes.rows.at[i].name, export->mailbox))
                export->uid_validity = note->as.mailboxes.rows.at[i].uid_validity;
        }
    }
    if (note->kind != TOOL_STORE_DONE)
        return CLIENT_WAIT;
    export->result = note->as.done.result;
    return CLIENT_DONE;
}

static int
wait_list(struct export *export)
{
    client_send(export->client, &export->note, HOST_HANDLE_NONE);
    int code = client_wait_store(export->client, on_list, export);

    if (code == EX_OK && export->result != TOOL_STORE_RESULT_OK)
        return say_error(client_store_result_code(export->result), "%s",
                         client_store_result_text(export->result));
    return code;
}

/* The messages of the mailbox, and its UIDVALIDITY: names of what is exported are made of both. */
static int
list_mailbox(struct export *export)
{
    struct tool_store_mailbox_list boxes = {.id = client_next_id(export->client),
                                            .account = export->account};
    struct tool_store_mailbox_show show = {
        .id = client_next_id(export->client),
        .account = export->account,
        .mailbox = export->mailbox,
        .first_uid = 1,
        .count = UINT32_MAX,
    };

    if (!tool_store_put_mailbox_list(&export->note, client_ledger(export->client), &boxes))
        abort();
    int code = wait_list(export);
    if (code != EX_OK)
        return code;
    if (export->uid_validity == 0)
        return say_error(EX_NOUSER, "there is no mailbox %.*s; look at: facteur mailbox list",
                         (int)export->mailbox.len, (const char *)export->mailbox.at);
    if (!tool_store_put_mailbox_show(&export->note, client_ledger(export->client), &show))
        return say_error(EX_USAGE, "the mailbox name is too long; look at: facteur mailbox list");
    return wait_list(export);
}

/* ---- messages -------------------------------------------------------------------------------- */

static struct flight *
flight_of(struct export *export, uint64_t id)
{
    for (size_t i = 0; i < export->flying_count; i++) {
        struct flight *flight = &export->flights[(export->oldest + i) % FLYING_MAX];
        if (flight->id == id)
            return flight;
    }
    abort(); /* the ledger knows the number */
}

/* Until the oldest one is whole. */
static enum client_next
on_content(void *context, const struct tool_store_note *note)
{
    struct export *export = context;

    if (note->kind == TOOL_STORE_BYTES)
        buffer_put(&flight_of(export, note->as.bytes.id)->content, note->as.bytes.bytes);
    if (note->kind == TOOL_STORE_READ_DONE) {
        struct flight *flight = flight_of(export, note->as.read_done.id);
        flight->result = note->as.read_done.result;
        flight->flags = note->as.read_done.flags;
        flight->received = (struct wall){note->as.read_done.internal_ns};
        flight->is_done = true;
    }
    return export->flights[export->oldest].is_done ? CLIENT_DONE : CLIENT_WAIT;
}

static void
ask_for(struct export *export, const struct row *row)
{
    size_t place = (export->oldest + export->flying_count++) % FLYING_MAX;
    struct flight *flight = &export->flights[place];
    struct tool_store_read read = {
        .id = client_next_id(export->client),
        .account = export->account,
        .mailbox = export->mailbox,
        .uid = row->uid,
    };

    *flight = (struct flight){.id = read.id, .row = *row};
    buffer_init(&flight->content, (size_t)4 << 30);
    export->flying_bytes += row->len;
    if (!tool_store_put_read(&export->note, client_ledger(export->client), &read))
        abort();
    client_send(export->client, &export->note, HOST_HANDLE_NONE);
}

/* Asks for more than one, so that neither side waits for the other. */
static void
ask_ahead(struct export *export)
{
    while (export->next < export->count && export->flying_count < FLYING_MAX &&
           (export->flying_count == 0 || export->flying_bytes < FLYING_BYTES_MAX)) {
        const struct row *row = &export->rows[export->next++];
        if (outbox_has(export->outbox, row->uid))
            export->there++;
        else
            ask_for(export, row);
    }
}

static void
drop_oldest(struct export *export)
{
    struct flight *flight = &export->flights[export->oldest];

    buffer_finish(&flight->content);
    export->flying_bytes -= flight->row.len;
    export->oldest = (export->oldest + 1) % FLYING_MAX;
    export->flying_count--;
}

/* A message that is gone meanwhile, or damaged, does not end the work. */
static int
put_oldest(struct export *export)
{
    const struct flight *flight = &export->flights[export->oldest];
    struct outbox_message message = {.uid = flight->row.uid,
                                     .flags = flight->flags,
                                     .received = flight->received,
                                     .content = buffer_slice(&flight->content)};
    int code = EX_OK;

    if (flight->result == TOOL_STORE_RESULT_OK) {
        export->exported++;
        code = outbox_put(export->outbox, &message);
    } else {
        export->lost++;
        say_warning("message %u was left out: %s", flight->row.uid,
                    client_store_result_text(flight->result));
    }
    drop_oldest(export);
    return code;
}

static int
export_all(struct export *export)
{
    struct say_progress progress;
    int code = EX_OK;

    say_progress_begin(&progress, "exporting", export->count);
    for (ask_ahead(export); code == EX_OK && export->flying_count > 0; ask_ahead(export)) {
        code = client_wait_store(export->client, on_content, export);
        while (code == EX_OK && export->flying_count > 0 && export->flights[export->oldest].is_done)
            code = put_oldest(export);
        say_progress_show(&progress, export->exported + export->there + export->lost);
    }
    while (export->flying_count > 0)
        drop_oldest(export);
    say_progress_end(&progress);
    return code;
}

static int
show_result(const struct export *export, bool is_json)
{
    struct report *report = report_open(is_json);

    report_number(report, "exported", export->exported);
    report_number(report, "already_there", export->there);
    report_number(report, "left_out", export->lost);
    int written = report_close(&report);
    return export->lost > 0 ? EX_DATAERR : written;
}

static int
run_mailbox(const struct command_call *call, struct export *export)
{
    const char *format = command_value(call, "format");
    const char *path = call->arguments[1];
    bool is_maildir = format && strcmp(format, "maildir") == 0;

    if (format && !is_maildir && strcmp(format, "mbox") != 0)
        return say_error(EX_USAGE, "--format: expected mbox or maildir, not '%s'", format);
    if (strcmp(path, "-") == 0)
        return say_error(EX_USAGE, "an export can be gone on with, so it needs a file or folder of "
                                   "its own and not standard output; name one");
    int code = list_mailbox(export);
    if (code == EX_OK)
        code = outbox_open(path, is_maildir ? OUTBOX_MAILDIR : OUTBOX_MBOX, export->uid_validity,
                           &export->outbox);
    if (code == EX_OK)
        code = export_all(export);
    if (code == EX_OK)
        code = outbox_complete(export->outbox);
    outbox_close(&export->outbox);
    return code == EX_OK ? show_result(export, command_has(call, "json")) : code;
}

static int
run_export(const struct command_call *call)
{
    const char *mailbox = command_value(call, "mailbox");
    struct export export = {.mailbox = slice_of_string(mailbox ? mailbox : "INBOX")};
    struct settings settings;
    struct people people = {.lock = -1};
    const struct directory_account *account = NULL;
    int code = settings_load(call, &settings);

    buffer_init(&export.note, NOTE_MAX);
    if (code == EX_OK)
        code = people_open(&settings, false, &people);
    if (code == EX_OK)
        code = people_find(&people, call->arguments[0], &account);
    export.account = account ? account->id : 0;
    if (code == EX_OK)
        code = client_open_store(&settings, &export.client);
    if (code == EX_OK)
        code = run_mailbox(call, &export);
    client_close(&export.client);
    free(export.rows);
    buffer_finish(&export.note);
    people_close(&people);
    settings_finish(&settings);
    return code;
}

const struct command command_export = {
    .name = "export",
    .arguments = "ADDRESS PATH",
    .summary = "Write a mailbox to an mbox file or Maildir",
    .about = "Writes the messages of a mailbox to PATH, which becomes an mbox file (mboxrd) or a "
             "Maildir. The server must be running; nothing in the mailbox changes.\n\nAn export "
             "that was cut off goes on where it was when it is begun again with the same PATH. An "
             "mbox file is written as PATH.part until it is complete.",
    .examples = "facteur export alice@example.org alice.mbox\n"
                "facteur export alice@example.org ./Maildir --format maildir --mailbox Sent",
    .arguments_min = 2,
    .arguments_max = 2,
    .options = {COMMAND_OPTION_CONFIG,
                COMMAND_OPTION_JSON,
                {"mailbox", "NAME", "The mailbox; default: INBOX."},
                {"format", "FORMAT", "mbox (the default) or maildir."}},
    .run = run_export,
};
