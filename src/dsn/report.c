/* SPDX-License-Identifier: ISC */
#include "dsn/report.h"

#include "dsn/words.h"
#include "message/header.h"
#include "mime/encoded_word.h"
#include "text/date.h"
#include "text/utf8.h"

enum { FIELD_MAX = 4096 };

/* What one report is made of, while it is made. */
struct making {
    const struct dsn_report *report;
    struct arena *arena;
    struct header header; /* of the message that was sent */
    struct slice subject; /* decoded */
};

/* Puts text into the arena; empty when there is no room. */
static struct slice
keep(struct making *making, struct buffer *text)
{
    struct slice kept = arena_copy(making->arena, buffer_slice(text));

    buffer_finish(text);
    return kept;
}

static struct slice
read_subject(struct making *making)
{
    const struct field *field = header_find(&making->header, FIELD_SUBJECT, NULL);
    struct buffer text;

    buffer_init(&text, FIELD_MAX);
    if (field)
        mime_encoded_words_decode(&text, slice_first(field->body, FIELD_MAX / 4));
    return keep(making, &text);
}

/* ---- fields -------------------------------------------------------------------------------- */

static void
add_addresses(struct making *making, struct mime_draft *draft)
{
    const struct dsn_report *report = making->report;
    struct buffer text;

    buffer_init(&text, FIELD_MAX);
    buffer_put_text(&text, "Mail Delivery System <MAILER-DAEMON@");
    buffer_put(&text, report->domain);
    buffer_put_byte(&text, '>');
    mime_draft_add_field(draft, "From", keep(making, &text));
    buffer_init(&text, FIELD_MAX);
    buffer_put_byte(&text, '<');
    buffer_put(&text, report->sender);
    buffer_put_byte(&text, '>');
    mime_draft_add_field(draft, "To", keep(making, &text));
}

static void
add_date_and_id(struct making *making, struct mime_draft *draft)
{
    const struct dsn_report *report = making->report;
    const struct field *id = header_find(&making->header, FIELD_MESSAGE_ID, NULL);
    struct buffer text;

    buffer_init(&text, FIELD_MAX);
    date_format_rfc5322(report->date, 0, &text);
    mime_draft_add_field(draft, "Date", keep(making, &text));
    buffer_init(&text, FIELD_MAX);
    buffer_put_byte(&text, '<');
    buffer_put(&text, report->id);
    buffer_put_byte(&text, '@');
    buffer_put(&text, report->domain);
    buffer_put_byte(&text, '>');
    mime_draft_add_field(draft, "Message-ID", keep(making, &text));
    if (id && id->body.len > 0 && id->body.len <= FIELD_MAX && utf8_is_ascii(id->body)) {
        mime_draft_add_field(draft, "In-Reply-To", id->body);
        mime_draft_add_field(draft, "References", id->body);
    }
}

/* The subject tells of the worst that has happened. */
static void
add_subject(struct making *making, struct mime_draft *draft)
{
    const struct dsn_report *report = making->report;
    enum dsn_action worst = DSN_EXPANDED;
    struct buffer text;

    for (size_t i = 0; i < report->count; i++) {
        if (report->recipients[i].action < worst)
            worst = report->recipients[i].action;
    }
    buffer_init(&text, 2 * FIELD_MAX);
    buffer_put_text(&text, dsn_words_subject(worst, report->language));
    buffer_put(&text, making->subject);
    mime_draft_add_text_field(draft, "Subject", keep(making, &text));
}

/* ---- parts --------------------------------------------------------------------------------- */

static struct mime_draft *
new_words(struct making *making)
{
    struct buffer text;

    buffer_init(&text, DSN_REPORT_EXTRA);
    dsn_words_put(&text, making->report, making->subject);
    return mime_draft_new_text(making->arena, "plain", keep(making, &text));
}

static struct mime_draft *
new_status(struct making *making)
{
    const struct dsn_report *report = making->report;
    struct buffer text;

    buffer_init(&text, DSN_REPORT_EXTRA);
    dsn_status_put(&text, &report->facts, report->recipients, report->count);
    bool is_ascii = utf8_is_ascii(buffer_slice(&text));
    return mime_draft_new_verbatim(
        making->arena, is_ascii ? "message/delivery-status" : "message/global-delivery-status",
        keep(making, &text));
}

/* RFC 6533 §6: what has octets above 127 in its header is a global message, for those who take it;
 * the others get it as the octets that it is. */
static struct mime_draft *
new_returned(struct making *making)
{
    const struct dsn_report *report = making->report;
    struct slice header = slice_first(report->message, making->header.header_len);
    bool is_global = report->facts.is_utf8 && !utf8_is_ascii(header) && utf8_is_valid(header);

    if (report->returns_message && report->message.len <= DSN_RETURNED_MAX)
        return mime_draft_new_verbatim(
            making->arena, is_global ? "message/global" : "message/rfc822", report->message);
    return mime_draft_new_verbatim(making->arena,
                                   is_global ? "message/global-headers" : "text/rfc822-headers",
                                   slice_first(header, DSN_REPORT_EXTRA / 4));
}

bool
dsn_report_put(struct buffer *buffer, struct arena *arena, const struct dsn_report *report)
{
    struct making making = {.report = report, .arena = arena};
    struct mime_draft *draft = mime_draft_new_multipart(arena, "report");

    assert(report->sender.len > 0 && report->count > 0);
    if (!draft)
        return false;
    header_parse(arena, report->message, &making.header);
    making.subject = read_subject(&making);
    add_date_and_id(&making, draft);
    add_addresses(&making, draft);
    add_subject(&making, draft);
    mime_draft_add_field(draft, "Auto-Submitted", SLICE("auto-replied")); /* RFC 3834 §5 */
    mime_draft_add_parameter(draft, "report-type", SLICE("delivery-status"));
    struct mime_draft *parts[] = {new_words(&making), new_status(&making), new_returned(&making)};
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (!parts[i])
            return false;
        mime_draft_append(draft, parts[i]);
    }
    return !arena_failed(arena) && mime_draft_put(draft, &report->entropy, buffer);
}
