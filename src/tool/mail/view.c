/* SPDX-License-Identifier: ISC */
#include "tool/mail/view.h"

#include "client/notice.h"
#include "client/reading.h"
#include "mime/part_number.h"
#include "tool/letter.h"
#include "tool/say.h"

#include <stdlib.h>
#include <sysexits.h>

enum { ARENA_MAX = 256 << 20, FIELD_MAX = 4 << 20, COLUMN = 9 };

void
view_init(struct view *view)
{
    *view = (struct view){0};
    buffer_init(&view->content, LETTER_MAX);
    buffer_init(&view->seals, FIELD_MAX);
    arena_init(&view->arena, ARENA_MAX);
}

int
view_parse(struct view *view)
{
    mime_tree_parse(buffer_slice(&view->content), &view->arena, &view->tree);
    return view->tree.count > 0
               ? EX_OK
               : say_error(EX_DATAERR, "the message has too many parts to be looked at");
}

void
view_finish(struct view *view)
{
    buffer_finish(&view->content);
    buffer_finish(&view->seals);
    arena_finish(&view->arena);
}

const char *
view_signature_name(enum view_signature signature)
{
    static const char *const names[] = {
        [VIEW_UNSIGNED] = "none",       [VIEW_GOOD] = "good",       [VIEW_OF_ANOTHER] = "other",
        [VIEW_PARTIAL] = "partial",     [VIEW_UNKNOWN] = "unknown", [VIEW_REVOKED] = "revoked",
        [VIEW_UNTRUSTED] = "untrusted", [VIEW_EXPIRED] = "expired", [VIEW_CHANGED] = "changed",
        [VIEW_BROKEN] = "broken",
    };

    return names[signature];
}

/* ---- fields -------------------------------------------------------------------------------- */

void
view_put_head_field(const struct header *header, enum field_id id, struct buffer *out)
{
    const struct field *field = header ? header_find(header, id, NULL) : NULL;

    if (field)
        reading_put_line(field->body, out);
}

void
view_put_field(const struct view *view, enum field_id id, struct buffer *out)
{
    view_put_head_field(view->tree.parts[0].fields, id, out);
}

void
view_put_text(const struct view *view, struct buffer *out)
{
    reading_put_text(&view->tree, out);
}

void
view_put_notices(const struct view *view, struct buffer *out)
{
    notice_put(&view->tree, out);
}

bool
view_is_attachment(const struct view *view, uint32_t index)
{
    return reading_is_attachment(&view->tree, index);
}

void
view_put_number(const struct view *view, uint32_t index, struct buffer *out)
{
    mime_part_number_put(out, &view->tree, index);
}

void
view_put_name(const struct view *view, uint32_t index, struct buffer *out)
{
    reading_put_name(&view->tree, index, out);
}

void
view_put_part(const struct view *view, uint32_t index, struct buffer *out)
{
    reading_put_part(&view->tree, index, out);
}

/* ---- the page ------------------------------------------------------------------------------ */

static const struct {
    enum field_id id;
    const char *label, *json;
} shown[] = {
    {FIELD_FROM, "From", "from"},
    {FIELD_REPLY_TO, "Reply-To", "reply_to"},
    {FIELD_TO, "To", "to"},
    {FIELD_CC, "Cc", "cc"},
    {FIELD_DATE, "Date", "date"},
    {FIELD_SUBJECT, "Subject", "subject"},
    {FIELD_MESSAGE_ID, NULL, "message_id"},
};

static void
report_attachments(const struct view *view, struct report *report)
{
    struct buffer text, part;

    buffer_init(&text, FIELD_MAX);
    report_list(report, "attachments");
    for (uint32_t i = 0; i < view->tree.count; i++) {
        const struct mime_content_type *type = &view->tree.parts[i].content_type;
        if (!view_is_attachment(view, i))
            continue;
        report_row(report);
        buffer_clear(&text);
        view_put_number(view, i, &text);
        report_text(report, "part", buffer_slice(&text));
        buffer_clear(&text);
        view_put_name(view, i, &text);
        report_text(report, "name", buffer_slice(&text));
        buffer_clear(&text);
        buffer_put(&text, type->type);
        buffer_put_byte(&text, '/');
        buffer_put(&text, type->subtype);
        report_text(report, "type", buffer_slice(&text));
        buffer_init(&part, LETTER_MAX);
        view_put_part(view, i, &part);
        report_size(report, "size", buffer_len(&part));
        buffer_finish(&part);
    }
    report_list_end(report);
    buffer_finish(&text);
}

static int
write_json(const struct view *view, uint32_t id)
{
    struct report *report = report_open(true);
    struct buffer text;

    buffer_init(&text, LETTER_MAX);
    report_number(report, "id", id);
    for (size_t i = 0; i < COUNT_OF(shown); i++) {
        buffer_clear(&text);
        view_put_field(view, shown[i].id, &text);
        report_text(report, shown[i].json, buffer_slice(&text));
    }
    report_text(report, "signature", slice_of_string(view_signature_name(view->signature)));
    buffer_clear(&text);
    if (view->signed_part != 0)
        view_put_number(view, view->signed_part, &text);
    report_text(report, "signed_part", buffer_slice(&text));
    report_bool(report, "encrypted", view->is_encrypted);
    report_lines(report, "seals", buffer_slice(&view->seals));
    buffer_clear(&text);
    view_put_notices(view, &text);
    report_lines(report, "notices", buffer_slice(&text));
    report_attachments(view, report);
    buffer_clear(&text);
    view_put_text(view, &text);
    report_lines(report, "text", buffer_slice(&text));
    buffer_finish(&text);
    return report_close(&report);
}

static void
put_fields(const struct view *view, struct buffer *out)
{
    struct buffer text;

    buffer_init(&text, FIELD_MAX);
    for (size_t i = 0; i < COUNT_OF(shown); i++) {
        buffer_clear(&text);
        view_put_field(view, shown[i].id, &text);
        if (!shown[i].label || buffer_len(&text) == 0)
            continue;
        buffer_put_text(out, shown[i].label);
        buffer_put_byte(out, ':');
        for (size_t len = strlen(shown[i].label) + 1; len < COLUMN + 1; len++)
            buffer_put_byte(out, ' ');
        buffer_put(out, buffer_slice(&text));
        buffer_put_byte(out, '\n');
    }
    buffer_finish(&text);
}

static bool
has_attachments(const struct view *view)
{
    for (uint32_t i = 0; i < view->tree.count; i++) {
        if (view_is_attachment(view, i))
            return true;
    }
    return false;
}

int
view_write(const struct view *view, uint32_t id, bool is_json)
{
    struct report *report;
    struct buffer page;

    if (is_json)
        return write_json(view, id);
    buffer_init(&page, LETTER_MAX);
    put_fields(view, &page);
    buffer_put(&page, buffer_slice(&view->seals));
    view_put_notices(view, &page);
    buffer_put_byte(&page, '\n');
    view_put_text(view, &page);
    if (has_attachments(view))
        buffer_put_byte(&page, '\n');
    struct slice bytes = buffer_slice(&page);
    bool is_out = fwrite(bytes.at, 1, bytes.len, stdout) == bytes.len && fflush(stdout) == 0;
    buffer_finish(&page);
    if (!is_out)
        return say_output_failed();
    if (!has_attachments(view))
        return EX_OK;
    report = report_open(false);
    report_attachments(view, report);
    return report_close(&report);
}
