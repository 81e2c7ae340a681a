/* SPDX-License-Identifier: ISC */
#include "client/flowed.h"

static struct slice
take_line(struct slice *text)
{
    struct slice line = slice_first(*text, slice_find_byte(*text, '\n'));

    *text = slice_skip(*text, line.len + 1);
    return slice_ends_with(line, SLICE("\r")) ? slice_first(line, line.len - 1) : line;
}

static size_t
quote_depth(struct slice line)
{
    size_t depth = 0;

    while (depth < line.len && line.at[depth] == '>')
        depth++;
    return depth;
}

/* RFC 3676 §4.3: the signature's separator is not flowed. */
static bool
is_signature(struct slice line)
{
    return slice_equal(line, SLICE("-- "));
}

/* ---- writing ------------------------------------------------------------------------------- */

/* How much of an unquoted line stands on the first one: up to behind a blank before the limit. */
static size_t
break_place(struct slice line)
{
    size_t place = 0;

    if (line.len <= FLOWED_COLUMNS)
        return line.len;
    for (size_t i = 0; i < line.len && (i < FLOWED_COLUMNS || place == 0); i++) {
        if (line.at[i] == ' ' && !is_signature(slice_first(line, i + 1)))
            place = i + 1;
    }
    return place > 0 ? place : line.len;
}

static void
put_stuffed(struct slice line, struct buffer *out)
{
    /* What would be read as stuffing, a quote or an mbox's separator gets a blank before it. */
    if (slice_starts_with(line, SLICE(" ")) || slice_starts_with(line, SLICE(">")) ||
        slice_starts_with(line, SLICE("From ")))
        buffer_put_byte(out, ' ');
    buffer_put(out, line);
    buffer_put_text(out, "\r\n");
}

/* Each line of a paragraph has the marks of its depth, and a blank behind them (§4.5). */
static void
put_quoted(struct slice line, size_t depth, struct buffer *out)
{
    struct slice marks = slice_first(line, depth), rest = slice_skip(line, depth);
    size_t place;

    if (line.len <= FLOWED_COLUMNS || rest.len == 0) {
        buffer_put(out, line);
        buffer_put_text(out, "\r\n");
        return;
    }
    if (slice_starts_with(rest, SLICE(" ")))
        rest = slice_skip(rest, 1);
    do {
        place = break_place(rest);
        buffer_put(out, marks);
        buffer_put_byte(out, ' ');
        buffer_put(out, slice_first(rest, place));
        buffer_put_text(out, "\r\n");
        rest = slice_skip(rest, place);
    } while (rest.len > 0);
}

void
flowed_put(struct slice text, struct buffer *out)
{
    while (text.len > 0) {
        struct slice line = take_line(&text);
        size_t depth = quote_depth(line);
        if (is_signature(line)) {
            buffer_put_text(out, "-- \r\n");
            continue;
        }
        while (line.len > 0 && line.at[line.len - 1] == ' ')
            line.len--; /* a blank at the end would join the next line to this one */
        if (depth > 0) {
            put_quoted(line, depth, out);
            continue;
        }
        size_t place;
        while ((place = break_place(line)) < line.len) {
            put_stuffed(slice_first(line, place), out);
            line = slice_skip(line, place);
        }
        put_stuffed(line, out);
    }
}

/* ---- reading ------------------------------------------------------------------------------- */

void
flowed_read(struct slice text, bool deletes_blank, struct buffer *out)
{
    bool is_open = false; /* the last line goes on */
    size_t open_depth = 0;

    while (text.len > 0) {
        struct slice line = take_line(&text);
        size_t depth = quote_depth(line);
        struct slice content = slice_skip(line, depth);
        if (slice_starts_with(content, SLICE(" ")))
            content = slice_skip(content, 1);
        bool is_fixed = is_signature(content) || !slice_ends_with(content, SLICE(" "));
        if (is_open && (depth != open_depth || is_signature(content))) {
            buffer_put_byte(out, '\n'); /* §4.5: a paragraph that is not ended properly */
            is_open = false;
        }
        if (!is_open) {
            for (size_t i = 0; i < depth; i++)
                buffer_put_byte(out, '>');
            if (depth > 0 && content.len > 0)
                buffer_put_byte(out, ' ');
        }
        if (!is_fixed && deletes_blank)
            content = slice_first(content, content.len - 1);
        buffer_put(out, content);
        if (is_fixed)
            buffer_put_byte(out, '\n');
        is_open = !is_fixed;
        open_depth = depth;
    }
    if (is_open)
        buffer_put_byte(out, '\n');
}
