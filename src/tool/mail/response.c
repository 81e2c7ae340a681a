/* SPDX-License-Identifier: ISC */
#include "tool/mail/response.h"

#include "message/subject.h"
#include "mime/encoded_word.h"
#include "text/date.h"
#include "tool/letter.h"
#include "tool/say.h"

#include <sysexits.h>

enum { FIELD_MAX = 1 << 20 };

/* ---- to whom ------------------------------------------------------------------------------- */

bool
response_is_own(const char *own, const struct address *address)
{
    struct buffer spec;

    buffer_init(&spec, FIELD_MAX);
    address_put_spec(&spec, address);
    bool is_mine = slice_equal_nocase(buffer_slice(&spec), slice_of_string(own));
    buffer_finish(&spec);
    return is_mine;
}

/* Adds addresses, names decoded; without one's own where `is_others`. */
static void
add_list(const char *own, const struct address_list *list, bool is_others, struct buffer *out)
{
    for (const struct address *address = list->first; address; address = address->next) {
        struct address copy = *address;
        struct buffer name;
        if (address->kind != ADDRESS_MAILBOX || address->local.len == 0 ||
            (is_others && response_is_own(own, address)))
            continue;
        buffer_init(&name, FIELD_MAX);
        mime_encoded_words_decode(&name, address_label(address));
        copy.name = buffer_slice(&name);
        copy.comment = SLICE("");
        copy.has_encoded_word = false;
        buffer_put_text(out, buffer_len(out) > 0 ? ", " : "");
        address_format(&copy, out);
        buffer_finish(&name);
    }
}

/* RFC 5322 §3.6.3: Reply-To, else From; our own messages are answered to whom they went. */
void
response_put_recipients(const struct summary *summary, const char *own, bool is_to_all,
                        struct buffer *to, struct buffer *cc)
{
    const struct address_list *back = summary_reply_to(summary);

    if (back->first && response_is_own(own, back->first))
        back = &summary->to;
    add_list(own, back, false, to);
    if (!is_to_all)
        return;
    if (back != &summary->to)
        add_list(own, &summary->to, true, to);
    add_list(own, &summary->cc, true, cc);
}

/* ---- what it says -------------------------------------------------------------------------- */

void
response_put_subject(struct view *view, const char *prefix, struct buffer *out)
{
    struct buffer subject;

    buffer_init(&subject, FIELD_MAX);
    view_put_field(view, FIELD_SUBJECT, &subject);
    struct subject_base base = subject_base(&view->arena, buffer_slice(&subject));
    buffer_put_text(out, prefix);
    buffer_put(out, base.text);
    buffer_finish(&subject);
}

/* RFC 5322 §3.6.4: References of the parent, or its In-Reply-To, and its Message-ID behind them. */
void
response_put_references(const struct summary *summary, struct buffer *out)
{
    struct slice before = summary->references.len > 0 ? summary->references : summary->in_reply_to;

    if (summary->message_id.len == 0)
        return;
    buffer_put(out, before);
    buffer_put_text(out, before.len > 0 ? " " : "");
    buffer_put(out, summary->message_id);
}

void
response_put_quoted(const struct view *view, const struct summary *summary, struct buffer *out)
{
    struct buffer text, from;

    buffer_init(&text, LETTER_MAX);
    buffer_init(&from, FIELD_MAX);
    view_put_field(view, FIELD_FROM, &from);
    if (summary->has_date) {
        buffer_put_text(out, "On ");
        date_format_rfc5322(summary->date.wall, summary->date.zone_minutes, out);
        buffer_put_text(out, ", ");
    }
    buffer_put(out, buffer_slice(&from));
    buffer_put_text(out, " wrote:\n");
    view_put_text(view, &text);
    for (struct slice rest = buffer_slice(&text); rest.len > 0;) {
        struct slice line = slice_first(rest, slice_find_byte(rest, '\n'));
        rest = slice_skip(rest, line.len + 1);
        buffer_put_text(out, line.len > 0 && line.at[0] != '>' ? "> " : ">");
        buffer_put(out, line);
        buffer_put_byte(out, '\n');
    }
    buffer_put_byte(out, '\n');
    buffer_finish(&text);
    buffer_finish(&from);
}

/* ---- sent again ---------------------------------------------------------------------------- */

/* RFC 5322 §3.6.6: fields about the resending stand before the others; nothing else changes. */
int
response_put_resent(struct view *view, struct composed *composed)
{
    struct slice content = buffer_slice(&composed->outgoing.content);
    static const struct {
        enum field_id id;
        const char *name;
    } rows[] = {{FIELD_DATE, "Resent-Date: "},
                {FIELD_FROM, "Resent-From: "},
                {FIELD_TO, "Resent-To: "},
                {FIELD_MESSAGE_ID, "Resent-Message-ID: "}};
    struct header header;
    struct buffer whole;

    header_parse(&view->arena, content, &header);
    buffer_init(&whole, LETTER_MAX);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct field *field = header_find(&header, rows[i].id, NULL);
        if (!field)
            continue;
        buffer_put_text(&whole, rows[i].name);
        buffer_put(&whole, field->body);
        buffer_put_text(&whole, "\r\n");
    }
    buffer_put(&whole, buffer_slice(&view->content));
    bool is_whole = !buffer_overflowed(&whole);
    buffer_clear(&composed->outgoing.content);
    buffer_put(&composed->outgoing.content, buffer_slice(&whole));
    buffer_finish(&whole);
    return is_whole ? EX_OK : say_error(EX_DATAERR, "the message becomes too large");
}
