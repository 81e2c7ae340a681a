/* SPDX-License-Identifier: ISC */
/* facteur mailbox list, show. */
#include "tool/client.h"
#include "tool/command.h"
#include "tool/people.h"
#include "tool/report.h"
#include "tool/say.h"

#include <stdlib.h>

enum { NOTE_MAX = 4096 };

/* The account named by the first argument and an open store; what both commands begin with. */
struct place {
    struct settings settings;
    struct people people;
    struct client *client;
    uint64_t account; /* 0: all */
};

static int
place_open(const struct command_call *call, struct place *place)
{
    const struct directory_account *account;

    *place = (struct place){.people = {.lock = -1}};
    int code = settings_load(call, &place->settings);
    if (code == EX_OK)
        code = people_open(&place->settings, false, &place->people);
    if (code == EX_OK && call->count > 0) {
        code = people_find(&place->people, call->arguments[0], &account);
        place->account = code == EX_OK ? account->id : 0;
    }
    return code == EX_OK ? client_open_store(&place->settings, &place->client) : code;
}

static void
place_close(struct place *place)
{
    client_close(&place->client);
    people_close(&place->people);
    settings_finish(&place->settings);
}

/* ---- list ---------------------------------------------------------------------------------- */

struct listing {
    const struct place *place;
    struct report *report;
    enum tool_store_result result;
};

static void
report_mailbox(const struct listing *listing, const struct tool_store_mailbox_row *row)
{
    struct report *report = listing->report;
    const struct directory_account *account =
        directory_account_find_id(listing->place->people.directory, row->account);

    report_row(report);
    report_text(report, "account", account ? account->name : SLICE("(removed)"));
    report_text(report, "mailbox", row->name);
    report_number(report, "messages", row->messages);
    report_number(report, "unseen", row->unseen);
    report_size(report, "size", row->bytes);
    report_number(report, "uid_validity", row->uid_validity);
    report_number(report, "uid_next", row->uid_next);
    report_number(report, "modseq", row->modseq);
}

static enum client_next
on_mailboxes(void *context, const struct tool_store_note *note)
{
    struct listing *listing = context;

    if (note->kind == TOOL_STORE_MAILBOXES) {
        for (size_t i = 0; i < note->as.mailboxes.rows.count; i++)
            report_mailbox(listing, &note->as.mailboxes.rows.at[i]);
    }
    if (note->kind != TOOL_STORE_DONE)
        return CLIENT_WAIT;
    listing->result = note->as.done.result;
    return CLIENT_DONE;
}

/* Waits for the pages of an answer and ends the report. */
static int
finish_listing(struct place *place, client_store_fn fn, struct listing *listing)
{
    int code = client_wait_store(place->client, fn, listing);

    report_list_end(listing->report);
    int written = report_close(&listing->report);
    if (code == EX_OK && listing->result != TOOL_STORE_RESULT_OK)
        code = say_error(client_store_result_code(listing->result), "%s",
                         client_store_result_text(listing->result));
    return code == EX_OK ? written : code;
}

static int
run_list(const struct command_call *call)
{
    struct place place;
    struct buffer note;
    int code = place_open(call, &place);

    buffer_init(&note, NOTE_MAX);
    if (code == EX_OK) {
        struct tool_store_mailbox_list ask = {.id = client_next_id(place.client),
                                              .account = place.account};
        struct listing listing = {.place = &place,
                                  .report = report_open(command_has(call, "json"))};
        if (!tool_store_put_mailbox_list(&note, client_ledger(place.client), &ask))
            abort();
        client_send(place.client, &note, HOST_HANDLE_NONE);
        report_list(listing.report, "mailboxes");
        code = finish_listing(&place, on_mailboxes, &listing);
    }
    buffer_finish(&note);
    place_close(&place);
    return code;
}

const struct command command_mailbox_list = {
    .name = "mailbox list",
    .arguments = "[ADDRESS]",
    .summary = "Show the mailboxes of an account, or the inboxes of all",
    .about = "Shows each mailbox with the number of its messages, how many of them were not read, "
             "and its size.",
    .examples = "facteur mailbox list alice@example.org",
    .arguments_max = 1,
    .options = {COMMAND_OPTION_CONFIG, COMMAND_OPTION_JSON},
    .run = run_list,
};

/* ---- show ---------------------------------------------------------------------------------- */

static void
report_flags(struct report *report, uint32_t flags)
{
    static const char *const names[] = {"\\Seen", "\\Answered", "\\Flagged", "\\Deleted",
                                        "\\Draft"};
    struct slice set[COUNT_OF(names)];
    size_t count = 0;

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (flags & 1u << i)
            set[count++] = slice_of_string(names[i]);
    }
    report_texts(report, "flags", set, count);
}

static enum client_next
on_messages(void *context, const struct tool_store_note *note)
{
    struct listing *listing = context;

    if (note->kind == TOOL_STORE_MESSAGES) {
        for (size_t i = 0; i < note->as.messages.rows.count; i++) {
            const struct tool_store_message_row *row = &note->as.messages.rows.at[i];
            report_row(listing->report);
            report_number(listing->report, "uid", row->uid);
            report_time(listing->report, "received", (struct wall){row->internal_ns});
            report_size(listing->report, "size", row->len);
            report_number(listing->report, "modseq", row->modseq);
            report_number(listing->report, "email_id", row->email_id);
            report_flags(listing->report, row->flags);
        }
    }
    if (note->kind != TOOL_STORE_DONE)
        return CLIENT_WAIT;
    listing->result = note->as.done.result;
    return CLIENT_DONE;
}

static int
run_show(const struct command_call *call)
{
    struct place place;
    struct buffer note;
    int code = place_open(call, &place);

    buffer_init(&note, NOTE_MAX);
    if (code == EX_OK) {
        struct tool_store_mailbox_show ask = {
            .id = client_next_id(place.client),
            .account = place.account,
            .mailbox = slice_of_string(call->count > 1 ? call->arguments[1] : "INBOX"),
            .first_uid = 1,
            .count = UINT32_MAX,
        };
        struct listing listing = {.place = &place,
                                  .report = report_open(command_has(call, "json"))};
        report_list(listing.report, "messages");
        if (tool_store_put_mailbox_show(&note, client_ledger(place.client), &ask)) {
            client_send(place.client, &note, HOST_HANDLE_NONE);
            code = finish_listing(&place, on_messages, &listing);
        } else {
            report_list_end(listing.report);
            (void)!report_close(&listing.report);
            code =
                say_error(EX_USAGE, "the mailbox name is too long; look at: facteur mailbox list");
        }
    }
    buffer_finish(&note);
    place_close(&place);
    return code;
}

const struct command command_mailbox_show = {
    .name = "mailbox show",
    .arguments = "ADDRESS [MAILBOX]",
    .summary = "Show the messages of a mailbox",
    .about =
        "Shows UID, time of arrival, size and flags of each message of a mailbox, INBOX if none "
        "is named. Contents are not shown; see facteur export.",
    .examples = "facteur mailbox show alice@example.org",
    .arguments_min = 1,
    .arguments_max = 2,
    .options = {COMMAND_OPTION_CONFIG, COMMAND_OPTION_JSON},
    .run = run_show,
};
