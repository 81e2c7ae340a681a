/* SPDX-License-Identifier: ISC */
/* facteur lab send: a message through the small Internet, and its way drawn. */
#include "base/cursor.h"
#include "directory/address.h"
#include "message/header.h"
#include "tool/command.h"
#include "tool/files.h"
#include "tool/itinerary_view.h"
#include "tool/lab/journey.h"
#include "tool/lab/mail.h"
#include "tool/report.h"
#include "tool/say.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define SENDER_USUAL "fred@truc.fr"
#define RECIPIENT_USUAL "marc@machin.com"

enum {
    RECIPIENTS_MAX = 100,
    MESSAGE_MAX = 64 << 20,
    DIALOGUE_MAX = 1 << 20,
    ID_MAX = 64,
    WAIT_S_USUAL = 30,
    WAIT_S_MAX = 86400,
    LOOK_US = 100000
};

struct sending {
    const struct command_call *call;
    struct lab lab;
    const struct lab_host *host; /* the sender's */
    struct slice sender;
    struct slice recipients[RECIPIENTS_MAX];
    size_t count;
    struct buffer content, message, dialogue, id;
    struct arena arena;
    struct journey journey;
};

/* ---- what is sent --------------------------------------------------------------------------- */

static int
read_addresses(struct sending *sending)
{
    const char *from = command_value(sending->call, "from"),
               *to = command_value(sending->call, "to");
    struct slice rest = slice_of_string(to ? to : RECIPIENT_USUAL);
    struct directory_address address;

    sending->sender = slice_of_string(from ? from : SENDER_USUAL);
    size_t at = slice_find_last_byte(sending->sender, '@');
    for (size_t i = 0; i < lab_host_count && !sending->host; i++) {
        const struct lab_host *host = &lab_hosts[i];
        if (host->person &&
            slice_equal(slice_first(sending->sender, at), slice_of_string(host->person)) &&
            slice_equal(slice_skip(sending->sender, at + 1), slice_of_string(host->domain)))
            sending->host = host;
    }
    if (!sending->host)
        return say_error(EX_USAGE,
                         "--from: %s is nobody of the lab; 'facteur lab status' shows all",
                         from ? from : SENDER_USUAL);
    while (rest.len > 0) {
        struct slice one = slice_trim(slice_first(rest, slice_find_byte(rest, ',')));
        rest = slice_skip(rest, slice_find_byte(rest, ',') + 1);
        if (sending->count == RECIPIENTS_MAX)
            return say_error(EX_USAGE, "--to: at most %d addresses", RECIPIENTS_MAX);
        if (!directory_address_parse(&sending->arena, one, &address))
            return say_error(EX_USAGE, "--to: '%.*s' is no address", (int)one.len,
                             (const char *)one.at);
        sending->recipients[sending->count++] = one;
    }
    return EX_OK;
}

/* Without Date and Message-ID: the first server adds what is missing. */
static void
put_letter(struct sending *sending)
{
    const char *subject = command_value(sending->call, "subject");
    struct buffer *out = &sending->content;

    buffer_put_text(out, "From: <");
    buffer_put(out, sending->sender);
    buffer_put_text(out, ">\r\nTo: ");
    for (size_t i = 0; i < sending->count; i++) {
        buffer_put_text(out, i > 0 ? ",\r\n <" : "<");
        buffer_put(out, sending->recipients[i]);
        buffer_put_text(out, ">");
    }
    buffer_put_text(out, "\r\nSubject: ");
    buffer_put_text(out, subject ? subject : "Bonjour");
    buffer_put_text(out, "\r\n\r\nComment allez-vous ?\r\n");
}

static int
prepare(struct sending *sending)
{
    int code = lab_open(command_value(sending->call, "dir"), NULL, &sending->lab);

    if (code == EX_OK)
        code = read_addresses(sending);
    if (code == EX_OK && lab_process(&sending->lab, sending->host->name) == 0)
        return say_error(EX_UNAVAILABLE,
                         "%s of the lab in %s does not run; start it with: "
                         "facteur lab start",
                         sending->host->name, sending->lab.folder);
    if (code == EX_OK && sending->call->count > 0)
        code = files_read_or_stdin(sending->call->arguments[0], MESSAGE_MAX, &sending->content);
    else if (code == EX_OK)
        put_letter(sending);
    return code;
}

/* ---- the way -------------------------------------------------------------------------------- */

static int
submit(struct sending *sending)
{
    struct lab_letter letter = {sending->sender, sending->recipients, sending->count,
                                buffer_slice(&sending->content)};
    int code = lab_submit(&sending->lab, sending->host, &letter, &sending->dialogue, &sending->id);

    if (code == EX_OK)
        journey_add(&sending->journey, JOURNEY_SUBMISSION, slice_of_string(sending->host->name),
                    SLICE(""), SLICE("the sender hands it in"), buffer_slice(&sending->dialogue));
    return code;
}

static int
follow(struct sending *sending)
{
    const char *wait = command_value(sending->call, "wait");
    uint32_t wait_s = WAIT_S_USUAL;
    struct cursor cursor = cursor_of(slice_of_string(wait ? wait : ""));
    time_t end;
    int code;

    if (wait && (!cursor_take_u32(&cursor, 0, WAIT_S_MAX, &wait_s) || !cursor_is_done(&cursor)))
        return say_error(EX_USAGE, "--wait: expected seconds, at most a day");
    end = time(NULL) + (time_t)wait_s;
    do {
        code = journey_follow(&sending->journey, &sending->lab, sending->host,
                              buffer_slice(&sending->id), 1);
    } while (code == EX_OK && !sending->journey.is_settled && time(NULL) < end &&
             usleep(LOOK_US) == 0);
    return code;
}

/* The lines of the header that the sender has not written. */
static void
put_added(struct slice message, struct slice content, struct buffer *out)
{
    while (message.len > 0) {
        size_t end = slice_find_byte(message, '\n');
        struct slice line = slice_trim(slice_first(message, end));
        if (line.len == 0)
            return;
        bool goes_on = message.at[0] == ' ' || message.at[0] == '\t';
        if (slice_find(content, line) < content.len) {
            message = slice_skip(message, end + 1);
            continue;
        }
        if (goes_on)
            buffer_put_text(out, "    ");
        buffer_put(out, line);
        buffer_put_byte(out, '\n');
        message = slice_skip(message, end + 1);
    }
}

/* The first mailbox that it reached is opened by whom it belongs to. */
static int
read_it(struct sending *sending)
{
    const struct journey_box *box = &sending->journey.boxes[0];
    struct buffer trace;

    if (sending->journey.box_count == 0 || !box->host->person)
        return EX_OK;
    buffer_clear(&sending->dialogue);
    int code = lab_read(&sending->lab, box->host, box->id, &sending->message, &sending->dialogue);
    if (code != EX_OK)
        return code == EX_NOHOST ? EX_OK : code;
    buffer_init(&trace, DIALOGUE_MAX);
    put_added(buffer_slice(&sending->message), buffer_slice(&sending->content), &trace);
    journey_add(&sending->journey, JOURNEY_HEADER, slice_of_string(box->host->name), SLICE(""),
                SLICE("header fields that the hosts have added, the last on top"),
                buffer_slice(&trace));
    journey_add(&sending->journey, JOURNEY_READING, slice_of_string(box->host->name), SLICE(""),
                SLICE("the reader fetches it"), buffer_slice(&sending->dialogue));
    buffer_finish(&trace);
    return EX_OK;
}

/* ---- drawing -------------------------------------------------------------------------------- */

static int
show_json(const struct sending *sending)
{
    const struct journey *journey = &sending->journey;
    struct report *report = report_open(true);

    report_text(report, "from", sending->sender);
    report_texts(report, "to", sending->recipients, sending->count);
    report_text(report, "id", buffer_slice(&sending->id));
    report_bool(report, "settled", journey->is_settled);
    report_number(report, "delivered", journey->box_count);
    report_list(report, "parts");
    for (size_t i = 0; i < journey->part_count; i++) {
        const struct journey_part *part = &journey->parts[i];
        report_row(report);
        report_text(report, "kind", slice_of_string(journey_kind_name(part->kind)));
        report_text(report, "host", part->host);
        report_text(report, "time", part->time);
        report_text(report, "title", part->title);
        report_texts(report, "lines", part->lines, part->line_count);
    }
    report_list_end(report);
    return report_close(&report);
}

static void
put_page(struct sending *sending, struct buffer *out)
{
    const struct journey *journey = &sending->journey;
    struct itinerary_section *sections =
        ARENA_ARRAY(&sending->arena, struct itinerary_section, journey->part_count);
    struct header header = {0};
    struct itinerary itinerary;

    header_parse(&sending->arena, buffer_slice(&sending->message), &header);
    itinerary_read(&sending->arena, &header, &itinerary);
    struct itinerary_view view = {.itinerary = &itinerary,
                                  .from = sending->sender,
                                  .to = sending->recipients[0],
                                  .subject = SLICE(""),
                                  .sections = sections,
                                  .section_count = sections ? journey->part_count : 0};
    for (size_t i = 0; i < view.section_count; i++)
        sections[i] =
            (struct itinerary_section){journey->parts[i].host, journey->parts[i].title,
                                       journey->parts[i].lines, journey->parts[i].line_count};
    itinerary_view_put_page(&view, out);
}

static int
show(struct sending *sending)
{
    struct buffer drawing;
    int code = EX_OK;

    if (command_has(sending->call, "json"))
        return show_json(sending);
    buffer_init(&drawing, MESSAGE_MAX);
    if (command_has(sending->call, "html")) {
        put_page(sending, &drawing);
    } else {
        journey_put_text(&sending->journey, &drawing);
        if (!sending->journey.is_settled)
            buffer_put_text(&drawing, "It still waits; 'facteur lab status' shows who runs.\n");
    }
    struct slice bytes = buffer_slice(&drawing);
    if (fwrite(bytes.at, 1, bytes.len, stdout) != bytes.len || fflush(stdout) != 0)
        code = say_output_failed();
    buffer_finish(&drawing);
    return code;
}

static int
run_send(const struct command_call *call)
{
    struct sending *sending = calloc(1, sizeof(*sending));
    int code;

    if (!sending)
        abort();
    sending->call = call;
    buffer_init(&sending->content, MESSAGE_MAX);
    buffer_init(&sending->message, MESSAGE_MAX);
    buffer_init(&sending->dialogue, DIALOGUE_MAX);
    buffer_init(&sending->id, ID_MAX);
    arena_init(&sending->arena, MESSAGE_MAX);
    journey_init(&sending->journey);
    code = prepare(sending);
    if (code == EX_OK)
        code = submit(sending);
    if (code == EX_OK)
        code = follow(sending);
    if (code == EX_OK)
        code = read_it(sending);
    if (code == EX_OK)
        code = show(sending);
    journey_finish(&sending->journey);
    arena_finish(&sending->arena);
    buffer_finish(&sending->content);
    buffer_finish(&sending->message);
    buffer_finish(&sending->dialogue);
    buffer_finish(&sending->id);
    free(sending->lab.folder);
    free(sending);
    return code;
}

const struct command command_lab_send = {
    .name = "lab send",
    .arguments = "[FILE]",
    .summary = "Send a message through the lab and draw its way",
    .about =
        "Hands a message in as a person of the lab, follows it from host to host, has the "
        "receiver fetch it by POP3, and shows all of it in order: dialogues, answers of the name "
        "system, decisions, and the header fields that were added. What stands in FILE (- for "
        "standard input) is sent, else a line of greeting.",
    .examples = "facteur lab send\n"
                "facteur lab send --to alice@foo.com,jones@xyz.com --json\n"
                "facteur lab send --from jqp@bar.com --html > way.html",
    .arguments_max = 1,
    .options = {{"dir", "DIR", "Where the lab lies; default: ./var/lab."},
                {"from", "ADDRESS", "Who writes; default: " SENDER_USUAL "."},
                {"to", "ADDRESS,…", "To whom; default: " RECIPIENT_USUAL "."},
                {"subject", "TEXT", "The subject."},
                {"wait", "SECONDS", "How long to wait for it to arrive; default: 30."},
                {"html", NULL, "Write a page to look at in a browser."},
                COMMAND_OPTION_JSON},
    .run = run_send,
};
