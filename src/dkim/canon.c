/* SPDX-License-Identifier: ISC */
#include "dkim/canon.h"

static bool
is_blank(uint8_t octet)
{
    return octet == ' ' || octet == '\t';
}

/* ---- fields -------------------------------------------------------------------------------- */

bool
dkim_take_field(struct cursor *header, struct slice *ret_field)
{
    struct slice rest = cursor_rest(header);
    size_t len = 0;

    if (rest.len == 0 || is_blank(rest.at[0]) || slice_starts_with(rest, SLICE("\r\n")))
        return false;
    do {
        size_t line = slice_find(slice_skip(rest, len), SLICE("\r\n"));
        len = line + 2 <= rest.len - len ? len + line + 2 : rest.len;
    } while (len < rest.len && is_blank(rest.at[len]));
    header->at += len;
    *ret_field = slice_first(rest, len);
    return true;
}

struct slice
dkim_field_name(struct slice field)
{
    size_t colon = slice_find_byte(field, ':');

    return colon < field.len ? slice_trim(slice_first(field, colon)) : slice_of(field.at, 0);
}

struct slice
dkim_field_value(struct slice field)
{
    return slice_skip(field, slice_find_byte(field, ':') + 1);
}

/* Folds away, blanks between words as one space, none at either end. */
static void
put_relaxed_value(struct slice value, struct buffer *out)
{
    bool has_blank = false, has_begun = false;

    for (size_t i = 0; i < value.len; i++) {
        uint8_t octet = value.at[i];
        bool is_line_end = octet == '\r' && i + 1 < value.len && value.at[i + 1] == '\n';
        if (is_line_end) {
            i++;
        } else if (is_blank(octet)) {
            has_blank = true;
        } else {
            if (has_blank && has_begun)
                buffer_put_byte(out, ' ');
            buffer_put_byte(out, octet);
            has_blank = false;
            has_begun = true;
        }
    }
}

void
dkim_canon_field(enum dkim_canon canon, struct slice field, struct buffer *out)
{
    if (canon == DKIM_SIMPLE) {
        buffer_put(out, field);
        if (!slice_ends_with(field, SLICE("\r\n")))
            buffer_put_text(out, "\r\n");
        return;
    }
    struct slice name = dkim_field_name(field);
    for (size_t i = 0; i < name.len; i++)
        buffer_put_byte(out, byte_to_lower(name.at[i]));
    buffer_put_byte(out, ':');
    put_relaxed_value(dkim_field_value(field), out);
    buffer_put_text(out, "\r\n");
}

/* ---- body ---------------------------------------------------------------------------------- */

void
dkim_body_begin(struct dkim_body *body, enum dkim_canon canon, dkim_sink_fn sink, void *context)
{
    *body = (struct dkim_body){.canon = canon, .sink = sink, .context = context};
}

/* Something follows: what was held back was not at the end. */
static void
flush(struct dkim_body *body)
{
    static const char line_ends[] = "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";
    const uint64_t most = (sizeof(line_ends) - 1) / 2;

    for (; body->empty_lines > 0;
         body->empty_lines -= body->empty_lines < most ? body->empty_lines : most) {
        uint64_t count = body->empty_lines < most ? body->empty_lines : most;
        body->sink(body->context, slice_of(line_ends, (size_t)count * 2));
    }
    if (body->has_blank)
        body->sink(body->context, SLICE(" "));
    body->has_blank = false;
    body->has_content = true;
}

/* How many octets can go through as they are: no CR, and when relaxed no blanks. Octets are looked
 * at once: seeking the CR at each blank would be quadratic in a long line. */
static size_t
plain_run(const struct dkim_body *body, struct slice piece)
{
    size_t len = 0;

    if (body->canon == DKIM_SIMPLE)
        return slice_find_byte(piece, '\r');
    while (len < piece.len && piece.at[len] != '\r' && !is_blank(piece.at[len]))
        len++;
    return len;
}

/* The octet behind a CR: true when it was the LF of a line end, and is taken. */
static bool
end_cr(struct dkim_body *body, uint8_t octet)
{
    body->has_cr = false;
    if (octet == '\n') {
        body->has_blank = false;
        body->empty_lines++;
        return true;
    }
    flush(body);
    body->sink(body->context, SLICE("\r"));
    return false;
}

void
dkim_body_take(struct dkim_body *body, struct slice piece)
{
    while (piece.len > 0) {
        if (body->has_cr && end_cr(body, piece.at[0])) {
            piece = slice_skip(piece, 1);
            continue;
        }
        size_t run = plain_run(body, piece);
        if (run > 0) {
            flush(body);
            body->sink(body->context, slice_first(piece, run));
            piece = slice_skip(piece, run);
        } else {
            body->has_cr = piece.at[0] == '\r';
            body->has_blank |= !body->has_cr;
            piece = slice_skip(piece, 1);
        }
    }
}

void
dkim_body_end(struct dkim_body *body)
{
    if (body->has_cr) {
        flush(body);
        body->sink(body->context, SLICE("\r"));
    }
    /* §3.4.3: an empty body is one line end; §3.4.4: it is nothing. */
    if (body->canon == DKIM_SIMPLE || body->has_content)
        body->sink(body->context, SLICE("\r\n"));
}
