/* SPDX-License-Identifier: ISC */
#include "dsn/report.h"

#include "dsn/frame.h"
#include "dsn/words.h"
#include "text/utf8.h"

/* What one report is made of, while it is made. */
struct making {
    const struct dsn_report *report;
    struct dsn_frame frame;
};

/* ---- fields -------------------------------------------------------------------------------- */

static void
add_addresses(struct making *making, struct mime_draft *draft)
{
    const struct dsn_report *report = making->report;
    struct buffer text;

    buffer_init(&text, DSN_FIELD_MAX);
    buffer_put_text(&text, "Mail Delivery System <MAILER-DAEMON@");
    buffer_put(&text, report->domain);
    buffer_put_byte(&text, '>');
    mime_draft_add_field(draft, "From", dsn_frame_keep(&making->frame, &text));
    buffer_init(&text, DSN_FIELD_MAX);
    buffer_put_byte(&text, '<');
    buffer_put(&text, report->sender);
    buffer_put_byte(&text, '>');
    mime_draft_add_field(draft, "To", dsn_frame_keep(&making->frame, &text));
}

/* The subject tells of the worst that has happened. */
static void
add_subject(struct making *making, struct mime_draft *draft)
{
    const struct dsn_report *report = making->report;
    enum dsn_action worst = DSN_EXPANDED;

    for (size_t i = 0; i < report->count; i++) {
        if (report->recipients[i].action < worst)
            worst = report->recipients[i].action;
    }
    dsn_frame_add_subject(&making->frame, draft, dsn_words_subject(worst, report->language));
}

/* ---- parts --------------------------------------------------------------------------------- */

static struct mime_draft *
new_words(struct making *making)
{
    struct buffer text;

    buffer_init(&text, DSN_REPORT_EXTRA);
    dsn_words_put(&text, making->report, making->frame.subject);
    return mime_draft_new_text(making->frame.arena, "plain", dsn_frame_keep(&making->frame, &text));
}

static struct mime_draft *
new_status(struct making *making)
{
    const struct dsn_report *report = making->report;
    struct buffer text;

    buffer_init(&text, DSN_REPORT_EXTRA);
    dsn_status_put(&text, &report->facts, report->recipients, report->count);
    bool is_ascii = utf8_is_ascii(buffer_slice(&text));
    return mime_draft_new_verbatim(making->frame.arena,
                                   is_ascii ? "message/delivery-status"
                                            : "message/global-delivery-status",
                                   dsn_frame_keep(&making->frame, &text));
}

/* RFC 6533 §6: what has octets above 127 in its header is a global message, for those who take it;
 * the others get it as the octets that it is. */
static struct mime_draft *
new_returned(struct making *making)
{
    const struct dsn_report *report = making->report;
    bool is_utf8 = report->facts.is_utf8;

    if (report->returns_message)
        return mime_draft_new_verbatim(
            making->frame.arena,
            dsn_frame_is_global(&making->frame, is_utf8) ? "message/global" : "message/rfc822",
            report->message);
    return dsn_frame_new_header(&making->frame, is_utf8);
}

bool
dsn_report_put(struct buffer *buffer, struct arena *arena, const struct dsn_report *given)
{
    struct dsn_report settled = *given;
    const struct dsn_report *report = &settled;
    struct making making = {.report = report};
    struct mime_draft *draft = mime_draft_new_multipart(arena, "report");

    assert(report->sender.len > 0 && report->count > 0);
    if (!draft)
        return false;
    settled.returns_message &= settled.message.len <= DSN_RETURNED_MAX; /* as the words say */
    dsn_frame_open(&making.frame, arena, report->message);
    dsn_frame_add_fields(&making.frame, draft, report->date, report->id, report->domain);
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
