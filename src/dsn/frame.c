/* SPDX-License-Identifier: ISC */
#include "dsn/frame.h"

#include "dsn/report.h"
#include "mime/encoded_word.h"
#include "text/date.h"
#include "text/utf8.h"

void
dsn_frame_open(struct dsn_frame *frame, struct arena *arena, struct slice message)
{
    struct buffer text;

    *frame = (struct dsn_frame){.arena = arena, .message = message};
    header_parse(arena, message, &frame->header);
    const struct field *field = header_find(&frame->header, FIELD_SUBJECT, NULL);
    buffer_init(&text, DSN_FIELD_MAX);
    if (field)
        mime_encoded_words_decode(&text, slice_first(field->body, DSN_FIELD_MAX / 4));
    frame->subject = dsn_frame_keep(frame, &text);
}

struct slice
dsn_frame_keep(struct dsn_frame *frame, struct buffer *text)
{
    struct slice kept = arena_copy(frame->arena, buffer_slice(text));

    buffer_finish(text);
    return kept;
}

void
dsn_frame_add_fields(struct dsn_frame *frame, struct mime_draft *draft, struct wall date,
                     struct slice id, struct slice domain)
{
    const struct field *about = header_find(&frame->header, FIELD_MESSAGE_ID, NULL);
    struct buffer text;

    buffer_init(&text, DSN_FIELD_MAX);
    date_format_rfc5322(date, 0, &text);
    mime_draft_add_field(draft, "Date", dsn_frame_keep(frame, &text));
    buffer_init(&text, DSN_FIELD_MAX);
    buffer_put_byte(&text, '<');
    buffer_put(&text, id);
    buffer_put_byte(&text, '@');
    buffer_put(&text, domain);
    buffer_put_byte(&text, '>');
    mime_draft_add_field(draft, "Message-ID", dsn_frame_keep(frame, &text));
    if (about && about->body.len > 0 && about->body.len <= DSN_FIELD_MAX &&
        utf8_is_ascii(about->body)) {
        mime_draft_add_field(draft, "In-Reply-To", about->body);
        mime_draft_add_field(draft, "References", about->body);
    }
}

void
dsn_frame_add_subject(struct dsn_frame *frame, struct mime_draft *draft, const char *words)
{
    struct buffer text;

    buffer_init(&text, 2 * DSN_FIELD_MAX);
    buffer_put_text(&text, words);
    buffer_put(&text, frame->subject);
    mime_draft_add_text_field(draft, "Subject", dsn_frame_keep(frame, &text));
}

static struct slice
header_of(const struct dsn_frame *frame)
{
    return slice_first(frame->message, frame->header.header_len);
}

bool
dsn_frame_is_global(const struct dsn_frame *frame, bool is_utf8)
{
    return is_utf8 && !utf8_is_ascii(header_of(frame)) && utf8_is_valid(header_of(frame));
}

struct mime_draft *
dsn_frame_new_header(struct dsn_frame *frame, bool is_utf8)
{
    bool is_global = dsn_frame_is_global(frame, is_utf8);

    return mime_draft_new_verbatim(frame->arena,
                                   is_global ? "message/global-headers" : "text/rfc822-headers",
                                   slice_first(header_of(frame), DSN_REPORT_EXTRA / 4));
}
