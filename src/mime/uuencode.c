/* SPDX-License-Identifier: ISC */
#include "mime/uuencode.h"

static uint8_t
value_of(struct slice line, size_t i)
{
    return i < line.len ? (uint8_t)((line.at[i] - ' ') & 63) : 0;
}

/* One line: its length, then four characters for each three octets. Trailing blanks, which stand
 * for zeros, may have been lost on the way. */
static bool
put_line(struct slice line, struct buffer *out)
{
    size_t left = value_of(line, 0);

    for (size_t i = 0; i < line.len; i++)
        if (line.at[i] < ' ' || line.at[i] > '`')
            return false;
    for (size_t i = 1; left > 0; i += 4) {
        uint32_t bits = (uint32_t)value_of(line, i) << 18 | (uint32_t)value_of(line, i + 1) << 12 |
                        (uint32_t)value_of(line, i + 2) << 6 | value_of(line, i + 3);
        const uint8_t octets[3] = {(uint8_t)(bits >> 16), (uint8_t)(bits >> 8), (uint8_t)bits};
        size_t count = left < 3 ? left : 3;
        buffer_put(out, slice_of(octets, count));
        left -= count;
    }
    return true;
}

static struct slice
take_line(struct cursor *cursor)
{
    struct slice rest = cursor_rest(cursor);
    struct slice line = slice_first(rest, slice_find_byte(rest, '\n'));

    cursor->at += line.len < rest.len ? line.len + 1 : line.len;
    if (line.len > 0 && line.at[line.len - 1] == '\r')
        line.len--;
    return line;
}

void
mime_uudecode(struct mime_uudecoder *decoder, struct cursor *cursor, size_t octets,
              struct buffer *out)
{
    size_t start = buffer_len(out);

    while (!cursor_is_done(cursor) && buffer_len(out) - start < octets &&
           !buffer_overflowed(out)) {
        struct slice line = take_line(cursor);
        if (decoder->has_ended)
            continue;
        if (!decoder->has_begun) {
            decoder->has_begun = slice_starts_with(line, SLICE("begin "));
            continue;
        }
        if (slice_equal(line, SLICE("end"))) {
            decoder->has_ended = true;
        } else if (line.len > 0 && !put_line(line, out) && !decoder->is_bad) {
            decoder->is_bad = true;
            decoder->bad_at = line.at;
        }
    }
}
