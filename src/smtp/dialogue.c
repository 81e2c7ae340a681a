/* SPDX-License-Identifier: ISC */
#include "smtp/dialogue.h"

#include "base/cursor.h"

void
smtp_dialogue_init(struct smtp_dialogue *dialogue, smtp_dialogue_fn fn, void *context)
{
    *dialogue = (struct smtp_dialogue){.fn = fn, .context = context};
    buffer_init(&dialogue->said, SMTP_DIALOGUE_LINE_MAX);
    buffer_init(&dialogue->heard, SMTP_DIALOGUE_LINE_MAX);
}

void
smtp_dialogue_finish(struct smtp_dialogue *dialogue)
{
    buffer_finish(&dialogue->said);
    buffer_finish(&dialogue->heard);
}

void
smtp_dialogue_secured(struct smtp_dialogue *dialogue)
{
    buffer_clear(&dialogue->said);
    buffer_clear(&dialogue->heard);
    dialogue->state = SMTP_DIALOGUE_COMMANDS;
    dialogue->is_challenged = false;
}

/* Takes up to the end of a line; true when it is there. What is too long is cut. */
static bool
take_line(struct buffer *line, struct slice *bytes)
{
    size_t end = slice_find_byte(*bytes, '\n');
    struct slice part = slice_first(*bytes, end);
    size_t room = SMTP_DIALOGUE_LINE_MAX - buffer_len(line);
    bool is_whole = end < bytes->len;

    buffer_put(line, slice_first(part, room < part.len ? room : part.len));
    *bytes = slice_skip(*bytes, end + 1);
    return is_whole;
}

static struct slice
without_return(struct slice line)
{
    bool has_return = line.len > 0 && line.at[line.len - 1] == '\r';

    return slice_first(line, line.len - has_return);
}

static void
tell_content(struct smtp_dialogue *dialogue)
{
    struct buffer text;

    buffer_init(&text, SMTP_DIALOGUE_LINE_MAX);
    buffer_put_text(&text, "(");
    buffer_put_decimal(&text, dialogue->content_bytes);
    buffer_put_text(&text, " octets)");
    dialogue->fn(dialogue->context, false, buffer_slice(&text));
    buffer_finish(&text);
    dialogue->content_bytes = 0;
}

/* ---- the client ---------------------------------------------------------------------------- */

static bool
has_verb(struct slice line, const char *verb)
{
    size_t len = strlen(verb);

    return slice_equal_nocase(slice_first(line, len < line.len ? len : line.len),
                              slice_of_string(verb)) &&
           (line.len == len || line.at[len] == ' ');
}

/* BDAT 1234 LAST: so many octets stand behind the line. */
static void
begin_chunk(struct smtp_dialogue *dialogue, struct slice line)
{
    struct cursor cursor = cursor_of(slice_skip(line, 5));

    (void)!cursor_take_u64(&cursor, 0, UINT64_MAX, &dialogue->chunk);
    dialogue->content_bytes = dialogue->chunk;
}

static void
tell_command(struct smtp_dialogue *dialogue, struct slice line)
{
    static const char *const verbs[] = {"EHLO", "HELO", "LHLO", "STARTTLS", "MAIL",
                                        "RCPT", "DATA", "BDAT", "RSET",     "NOOP",
                                        "QUIT", "VRFY", "EXPN", "ETRN",     "HELP"};
    struct slice shown = SLICE("…"); /* a part of a login, or what we do not know */

    for (size_t i = 0; i < COUNT_OF(verbs) && !dialogue->is_challenged; i++) {
        if (has_verb(line, verbs[i]))
            shown = line;
    }
    if (!dialogue->is_challenged && has_verb(line, "AUTH")) {
        struct slice mechanism = slice_skip(line, 5);
        shown = slice_first(line, 5 + slice_find_byte(mechanism, ' '));
    }
    dialogue->is_challenged = false;
    dialogue->fn(dialogue->context, false, shown);
    if (has_verb(line, "DATA"))
        dialogue->state = SMTP_DIALOGUE_DATA;
    else if (has_verb(line, "BDAT"))
        begin_chunk(dialogue, line);
}

/* Content: until a line that is a dot, which is none of it. */
static void
look_at_content(struct smtp_dialogue *dialogue, struct slice line)
{
    if (!slice_equal(line, SLICE(".")))
        return;
    dialogue->content_bytes -= strlen(".\r\n");
    tell_content(dialogue);
    dialogue->state = SMTP_DIALOGUE_COMMANDS;
}

static struct slice
skip_chunk(struct smtp_dialogue *dialogue, struct slice bytes)
{
    size_t len = dialogue->chunk < bytes.len ? (size_t)dialogue->chunk : bytes.len;

    dialogue->chunk -= len;
    if (dialogue->chunk == 0)
        tell_content(dialogue);
    return slice_skip(bytes, len);
}

void
smtp_dialogue_said(struct smtp_dialogue *dialogue, struct slice bytes)
{
    /* A client that says more behind DATA was refused: it may not before it has its answer. */
    if (dialogue->state == SMTP_DIALOGUE_DATA)
        dialogue->state = SMTP_DIALOGUE_COMMANDS;
    while (bytes.len > 0) {
        if (dialogue->chunk > 0) {
            bytes = skip_chunk(dialogue, bytes);
            continue;
        }
        size_t before = bytes.len;
        bool is_whole = take_line(&dialogue->said, &bytes);
        if (dialogue->state == SMTP_DIALOGUE_CONTENT)
            dialogue->content_bytes += before - bytes.len;
        if (!is_whole)
            return;
        struct slice line = without_return(buffer_slice(&dialogue->said));
        if (dialogue->state == SMTP_DIALOGUE_CONTENT)
            look_at_content(dialogue, line);
        else
            tell_command(dialogue, line);
        buffer_clear(&dialogue->said);
    }
}

/* ---- the server ---------------------------------------------------------------------------- */

void
smtp_dialogue_heard(struct smtp_dialogue *dialogue, struct slice bytes)
{
    while (bytes.len > 0 && take_line(&dialogue->heard, &bytes)) {
        struct slice line = without_return(buffer_slice(&dialogue->heard));
        if (slice_starts_with(line, SLICE("354")) && dialogue->state == SMTP_DIALOGUE_DATA)
            dialogue->state = SMTP_DIALOGUE_CONTENT;
        dialogue->is_challenged = slice_starts_with(line, SLICE("334"));
        dialogue->fn(dialogue->context, true, dialogue->is_challenged ? SLICE("334 …") : line);
        buffer_clear(&dialogue->heard);
    }
}
