/* SPDX-License-Identifier: ISC */
#include "mime/decode.h"

#include "mime/uuencode.h"
#include "text/base64.h"
#include "text/charset.h"
#include "text/quoted_printable.h"

struct mime_decoder {
    struct slice body;
    struct cursor rest; /* of the body */
    enum mime_encoding encoding;
    struct mime_defects *defects;
    size_t offset;
    size_t piece_max; /* encoded octets for one piece */
    bool is_text;
    bool is_finished;
    union {
        struct base64_decoder base64;
        struct quoted_printable_decoder quoted_printable;
        struct mime_uudecoder uuencode;
    };
    struct charset_decoder charset;
    struct buffer octets; /* behind the transfer encoding */
    struct buffer text;   /* behind the charset */
};

/* A piece grows at most threefold: an octet that means nothing becomes U+FFFD. */
enum { TEXT_PIECE_MAX = MIME_DECODE_PIECE * 4 };

struct mime_decoder *
mime_decoder_open(struct slice body, enum mime_encoding encoding, struct mime_defects *defects,
                  size_t offset)
{
    struct mime_decoder *decoder = malloc(sizeof(*decoder)); /* calloc has no short way */

    if (!decoder)
        abort();
    *decoder = (struct mime_decoder){
        .body = body,
        .rest = cursor_of(body),
        .encoding = encoding,
        .defects = defects,
        .offset = offset,
        .piece_max = MIME_DECODE_PIECE,
    };
    if (encoding == MIME_ENCODING_BASE64)
        base64_decoder_init(&decoder->base64);
    else if (encoding == MIME_ENCODING_QUOTED_PRINTABLE)
        quoted_printable_decoder_init(&decoder->quoted_printable);
    buffer_init(&decoder->octets, MIME_DECODE_PIECE + 1024);
    buffer_init(&decoder->text, TEXT_PIECE_MAX);
    return decoder;
}

struct mime_decoder *
mime_decoder_open_text(struct slice body, enum mime_encoding encoding, struct slice charset,
                       struct mime_defects *defects, size_t offset)
{
    struct mime_decoder *decoder = mime_decoder_open(body, encoding, defects, offset);

    decoder->is_text = true;
    charset_decoder_init(&decoder->charset, charset_find(charset));
    return decoder;
}

void
mime_decoder_set_piece(struct mime_decoder *decoder, size_t octets)
{
    assert(octets > 0 && octets <= MIME_DECODE_PIECE);
    decoder->piece_max = octets;
}

void
mime_decoder_close(struct mime_decoder **decoder)
{
    if (!*decoder)
        return;
    if ((*decoder)->is_text && !(*decoder)->is_finished) {
        buffer_clear(&(*decoder)->text);
        charset_decoder_finish(&(*decoder)->charset, &(*decoder)->text);
    }
    buffer_finish(&(*decoder)->octets);
    buffer_finish(&(*decoder)->text);
    free(*decoder);
    *decoder = NULL;
}

static void
complain(struct mime_decoder *decoder, enum mime_defect_kind kind, uint64_t offset)
{
    if (decoder->defects)
        mime_defects_add(decoder->defects, kind, decoder->offset + (size_t)offset);
}

/* The next octets behind the transfer encoding, which may be none before the end. */
static struct slice
next_octets(struct mime_decoder *decoder)
{
    struct slice piece = slice_first(cursor_rest(&decoder->rest), decoder->piece_max);

    buffer_clear(&decoder->octets);
    if (decoder->encoding == MIME_ENCODING_UUENCODE) {
        mime_uudecode(&decoder->uuencode, &decoder->rest, decoder->piece_max, &decoder->octets);
        return buffer_slice(&decoder->octets);
    }
    decoder->rest.at += piece.len;
    if (decoder->encoding == MIME_ENCODING_BASE64)
        base64_decoder_feed(&decoder->base64, piece, &decoder->octets);
    else if (decoder->encoding == MIME_ENCODING_QUOTED_PRINTABLE)
        quoted_printable_decoder_feed(&decoder->quoted_printable, piece, &decoder->octets);
    else
        return piece;
    return buffer_slice(&decoder->octets);
}

/* What the transfer decoder still held, and what it has to say about the whole. */
static struct slice
last_octets(struct mime_decoder *decoder)
{
    buffer_clear(&decoder->octets);
    if (decoder->encoding == MIME_ENCODING_BASE64) {
        base64_decoder_finish(&decoder->base64, &decoder->octets);
        const struct base64_report *report = &decoder->base64.report;
        if (report->stray_count > 0)
            complain(decoder, MIME_DEFECT_BASE64, report->stray_offset);
        else if (report->has_late)
            complain(decoder, MIME_DEFECT_BASE64, report->late_offset);
        else if (report->is_cut)
            complain(decoder, MIME_DEFECT_BASE64, decoder->body.len);
    } else if (decoder->encoding == MIME_ENCODING_QUOTED_PRINTABLE) {
        quoted_printable_decoder_finish(&decoder->quoted_printable, &decoder->octets);
        const struct quoted_printable_report *report = &decoder->quoted_printable.report;
        if (report->bad_count > 0)
            complain(decoder, MIME_DEFECT_QUOTED_PRINTABLE, report->bad_offset);
        else if (report->is_cut)
            complain(decoder, MIME_DEFECT_QUOTED_PRINTABLE, decoder->body.len);
    } else if (decoder->encoding == MIME_ENCODING_UUENCODE) {
        const struct mime_uudecoder *uuencode = &decoder->uuencode;
        if (uuencode->is_bad)
            complain(decoder, MIME_DEFECT_UUENCODE,
                     (uint64_t)(uuencode->bad_at - decoder->body.at));
        else if (!uuencode->has_begun || !uuencode->has_ended)
            complain(decoder, MIME_DEFECT_UUENCODE, decoder->body.len);
    }
    return buffer_slice(&decoder->octets);
}

bool
mime_decoder_next(struct mime_decoder *decoder, struct slice *ret_piece)
{
    while (!decoder->is_finished) {
        bool is_last = cursor_is_done(&decoder->rest);
        struct slice piece = is_last ? last_octets(decoder) : next_octets(decoder);
        decoder->is_finished = is_last;
        if (decoder->is_text) {
            buffer_clear(&decoder->text);
            charset_decoder_feed(&decoder->charset, piece, &decoder->text);
            if (is_last) {
                charset_decoder_finish(&decoder->charset, &decoder->text);
                const struct charset_report *report = &decoder->charset.report;
                if (report->bad_count > 0 || report->is_unknown || report->is_mislabelled)
                    complain(decoder, MIME_DEFECT_CHARSET, 0);
            }
            piece = buffer_slice(&decoder->text);
        }
        if (piece.len > 0) {
            *ret_piece = piece;
            return true;
        }
    }
    return false;
}

void
mime_decode(struct buffer *buffer, struct slice body, enum mime_encoding encoding,
            struct mime_defects *defects, size_t offset)
{
    struct mime_decoder *decoder = mime_decoder_open(body, encoding, defects, offset);
    struct slice piece;

    while (mime_decoder_next(decoder, &piece))
        buffer_put(buffer, piece);
    mime_decoder_close(&decoder);
}
