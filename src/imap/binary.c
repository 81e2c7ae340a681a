/* SPDX-License-Identifier: ISC */
#include "imap/binary.h"

enum {
    SPARE = 1024 + IMAP_FIELDS_HELD_MAX /* what decoders hold back from one piece to the next */
};

bool
imap_binary_can(enum mime_encoding encoding)
{
    return encoding != MIME_ENCODING_UUENCODE;
}

void
imap_binary_begin(struct imap_binary *binary, enum mime_encoding encoding, uint64_t from,
                  uint64_t end, struct buffer *out)
{
    *binary = (struct imap_binary){.encoding = encoding, .from = from, .end = end, .out = out};
    base64_decoder_init(&binary->base64);
    quoted_printable_decoder_init(&binary->quoted_printable);
}

void
imap_binary_pick(struct imap_binary *binary, const struct slice *names, size_t count, bool is_not)
{
    binary->is_fields = true;
    imap_fields_begin(&binary->fields, names, count, is_not);
}

static void
take(struct imap_binary *binary, struct slice octets)
{
    uint64_t first = binary->made, last = first + octets.len;

    binary->made = last;
    binary->has_zero = binary->has_zero || slice_find_byte(octets, 0) < octets.len;
    for (struct slice rest = octets; !binary->out && rest.len > 0;) {
        size_t end = slice_find_byte(rest, '\n');
        binary->lines += end < rest.len;
        rest = slice_skip(rest, end + 1);
    }
    if (!binary->out || last <= binary->from || first >= binary->end)
        return;
    size_t skip = binary->from > first ? (size_t)(binary->from - first) : 0;
    size_t stop = binary->end < last ? (size_t)(binary->end - first) : octets.len;
    buffer_put(binary->out, slice_between(octets, skip, stop));
}

void
imap_binary_feed(struct imap_binary *binary, struct slice piece)
{
    struct buffer made;

    if (!binary->is_fields && binary->encoding != MIME_ENCODING_BASE64 &&
        binary->encoding != MIME_ENCODING_QUOTED_PRINTABLE) {
        take(binary, piece);
        return;
    }
    buffer_init(&made, piece.len + SPARE);
    if (binary->is_fields)
        imap_fields_feed(&binary->fields, piece, &made);
    else if (binary->encoding == MIME_ENCODING_BASE64)
        base64_decoder_feed(&binary->base64, piece, &made);
    else
        quoted_printable_decoder_feed(&binary->quoted_printable, piece, &made);
    assert(!buffer_overflowed(&made));
    take(binary, buffer_slice(&made));
    buffer_finish(&made);
}

void
imap_binary_finish(struct imap_binary *binary)
{
    struct buffer made;

    buffer_init(&made, SPARE);
    if (binary->is_fields)
        imap_fields_finish(&binary->fields, &made);
    else if (binary->encoding == MIME_ENCODING_BASE64)
        base64_decoder_finish(&binary->base64, &made);
    else if (binary->encoding == MIME_ENCODING_QUOTED_PRINTABLE)
        quoted_printable_decoder_finish(&binary->quoted_printable, &made);
    take(binary, buffer_slice(&made));
    buffer_finish(&made);
}
