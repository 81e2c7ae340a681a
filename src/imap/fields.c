/* SPDX-License-Identifier: ISC */
#include "imap/fields.h"

void
imap_fields_begin(struct imap_fields *fields, const struct slice *names, size_t count, bool is_not)
{
    fields->names = names;
    fields->count = count;
    fields->is_not = is_not;
    fields->is_wanted = fields->is_in_line = fields->is_over = false;
    fields->held = 0;
}

static bool
is_named(const struct imap_fields *fields, struct slice line)
{
    struct slice name = slice_trim(slice_first(line, slice_find_byte(line, ':')));

    for (size_t i = 0; i < fields->count; i++) {
        if (slice_equal_nocase(fields->names[i], name))
            return true;
    }
    return false;
}

/* What is held begins a line: a field, or the end of the header. */
static void
decide(struct imap_fields *fields, struct buffer *out)
{
    struct slice line = slice_of(fields->line, fields->held);

    fields->held = 0;
    if (slice_trim(line).len == 0) {
        fields->is_over = true;
        return;
    }
    fields->is_in_line = line.at[line.len - 1] != '\n';
    fields->is_wanted = is_named(fields, line) != fields->is_not;
    if (fields->is_wanted)
        buffer_put(out, line);
}

/* Holds what may be a name; returns how much was taken. */
static size_t
hold(struct imap_fields *fields, struct slice piece, struct buffer *out)
{
    size_t taken = 0;
    uint8_t byte = 0;

    if (fields->held == 0 && (piece.at[0] == ' ' || piece.at[0] == '\t')) {
        fields->is_in_line = true; /* a continuation */
        return 0;
    }
    while (taken < piece.len && fields->held < IMAP_FIELDS_HELD_MAX && byte != ':' && byte != '\n')
        fields->line[fields->held++] = byte = piece.at[taken++];
    if (fields->held == IMAP_FIELDS_HELD_MAX || byte == ':' || byte == '\n')
        decide(fields, out);
    return taken;
}

/* Takes the rest of a line whose field is known. */
static size_t
pass(struct imap_fields *fields, struct slice piece, struct buffer *out)
{
    size_t end = slice_find_byte(piece, '\n');
    struct slice part = slice_first(piece, end + 1);

    fields->is_in_line = end == piece.len;
    if (fields->is_wanted)
        buffer_put(out, part);
    return part.len;
}

void
imap_fields_feed(struct imap_fields *fields, struct slice piece, struct buffer *out)
{
    while (piece.len > 0 && !fields->is_over) {
        size_t taken = fields->is_in_line ? pass(fields, piece, out) : hold(fields, piece, out);
        piece = slice_skip(piece, taken);
    }
}

void
imap_fields_finish(struct imap_fields *fields, struct buffer *out)
{
    if (fields->held > 0)
        decide(fields, out);
    buffer_put_text(out, "\r\n");
}
