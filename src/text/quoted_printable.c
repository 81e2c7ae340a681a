/* SPDX-License-Identifier: ISC */
#include "text/quoted_printable.h"

#include "base/hex.h"

enum state {
    STATE_TEXT,
    STATE_CR,           /* CR: a line end if LF comes */
    STATE_ESCAPE,       /* '=' */
    STATE_ESCAPE_DIGIT, /* '=' and one digit */
    STATE_ESCAPE_BLANK, /* '=' and blanks: a soft break if the line ends */
    STATE_ESCAPE_CR     /* '=', blanks, CR: a soft break if LF comes */
};

/* Octets that go through as they are (RFC 2045 §6.7 (2)). */
static const bool is_literal[256] = {[33 ... 60] = true, [62 ... 126] = true};

void
quoted_printable_decoder_init(struct quoted_printable_decoder *decoder)
{
    decoder->report = (struct quoted_printable_report){0};
    decoder->offset = decoder->line_offset = decoder->escape_offset = 0;
    decoder->held_count = 0;
    decoder->state = STATE_TEXT;
    decoder->digit = 0;
}

static void
put_held(struct quoted_printable_decoder *decoder, struct buffer *out)
{
    buffer_put(out, slice_of(decoder->held, decoder->held_count));
    decoder->held_count = 0;
}

static void
hold(struct quoted_printable_decoder *decoder, uint8_t blank, struct buffer *out)
{
    if (decoder->held_count == QUOTED_PRINTABLE_BLANKS_MAX) {
        buffer_put_byte(out, decoder->held[0]);
        memmove(decoder->held, decoder->held + 1, --decoder->held_count);
    }
    decoder->held[decoder->held_count++] = blank;
}

/* `line_end` is where CR or LF of the encoded line stands. */
static void
end_line(struct quoted_printable_decoder *decoder, uint64_t line_end, uint64_t next)
{
    if (line_end - decoder->line_offset > QUOTED_PRINTABLE_LINE_MAX)
        decoder->report.has_long_line = true;
    decoder->line_offset = next;
    decoder->held_count = 0;
    decoder->state = STATE_TEXT;
}

/* The '=' began nothing: it stands for itself, and so do the blanks behind it. */
static void
give_up_escape(struct quoted_printable_decoder *decoder, struct buffer *out)
{
    if (decoder->report.bad_count++ == 0)
        decoder->report.bad_offset = decoder->escape_offset;
    buffer_put_byte(out, '=');
    put_held(decoder, out);
}

static void
take_text(struct quoted_printable_decoder *decoder, uint8_t octet, struct buffer *out)
{
    switch (octet) {
    case '\n':
        end_line(decoder, decoder->offset, decoder->offset + 1);
        buffer_put_byte(out, '\n');
        return;
    case '\r':
        decoder->state = STATE_CR;
        return;
    case ' ':
    case '\t':
        hold(decoder, octet, out);
        return;
    case '=':
        put_held(decoder, out);
        decoder->escape_offset = decoder->offset;
        decoder->state = STATE_ESCAPE;
        return;
    default:
        put_held(decoder, out);
        buffer_put_byte(out, octet);
        decoder->report.raw_count += !is_literal[octet];
    }
}

static void
take_cr(struct quoted_printable_decoder *decoder, uint8_t octet, struct buffer *out)
{
    if (octet == '\n') {
        end_line(decoder, decoder->offset - 1, decoder->offset + 1);
        buffer_put(out, SLICE("\r\n"));
        return;
    }
    put_held(decoder, out);
    buffer_put_byte(out, '\r');
    decoder->report.raw_count++;
    decoder->state = STATE_TEXT;
    take_text(decoder, octet, out);
}

/* Behind '=', or '=' and blanks. */
static void
take_escape(struct quoted_printable_decoder *decoder, uint8_t octet, struct buffer *out)
{
    if (decoder->state == STATE_ESCAPE && byte_hex_value(octet) >= 0) {
        decoder->digit = octet;
        decoder->state = STATE_ESCAPE_DIGIT;
    } else if (octet == ' ' || octet == '\t') {
        hold(decoder, octet, out);
        decoder->state = STATE_ESCAPE_BLANK;
    } else if (octet == '\r') {
        decoder->state = STATE_ESCAPE_CR;
    } else if (octet == '\n') {
        end_line(decoder, decoder->offset, decoder->offset + 1);
    } else {
        give_up_escape(decoder, out);
        decoder->state = STATE_TEXT;
        take_text(decoder, octet, out);
    }
}

static void
take_escape_digit(struct quoted_printable_decoder *decoder, uint8_t octet, struct buffer *out)
{
    uint8_t digits[2] = {decoder->digit, octet};
    int value = slice_hex_byte(slice_of(digits, 2));

    decoder->state = STATE_TEXT;
    if (value >= 0) {
        buffer_put_byte(out, (uint8_t)value);
        if (decoder->digit >= 'a' || octet >= 'a')
            decoder->report.has_lower_hex = true;
        return;
    }
    give_up_escape(decoder, out);
    buffer_put_byte(out, decoder->digit);
    take_text(decoder, octet, out);
}

static void
take_escape_cr(struct quoted_printable_decoder *decoder, uint8_t octet, struct buffer *out)
{
    if (octet == '\n') {
        end_line(decoder, decoder->offset - 1, decoder->offset + 1);
        return;
    }
    give_up_escape(decoder, out);
    take_cr(decoder, octet, out);
}

static void
take_one(struct quoted_printable_decoder *decoder, uint8_t octet, struct buffer *out)
{
    switch ((enum state)decoder->state) {
    case STATE_TEXT:
        take_text(decoder, octet, out);
        break;
    case STATE_CR:
        take_cr(decoder, octet, out);
        break;
    case STATE_ESCAPE:
    case STATE_ESCAPE_BLANK:
        take_escape(decoder, octet, out);
        break;
    case STATE_ESCAPE_DIGIT:
        take_escape_digit(decoder, octet, out);
        break;
    case STATE_ESCAPE_CR:
        take_escape_cr(decoder, octet, out);
        break;
    }
}

/* How many octets from the start are text as they stand: literals, and blanks between literals. */
static size_t
plain_len(struct slice text)
{
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (is_literal[text.at[i]])
            len = i + 1;
        else if (text.at[i] != ' ' && text.at[i] != '\t')
            break;
    }
    return len;
}

void
quoted_printable_decoder_feed(struct quoted_printable_decoder *decoder, struct slice text,
                              struct buffer *out)
{
    while (text.len) {
        size_t plain = 0;
        if (decoder->state == STATE_TEXT && is_literal[text.at[0]])
            plain = plain_len(text);
        if (plain) {
            put_held(decoder, out);
            buffer_put(out, slice_first(text, plain));
            decoder->offset += plain;
            text = slice_skip(text, plain);
        } else {
            take_one(decoder, text.at[0], out);
            decoder->offset++;
            text = slice_skip(text, 1);
        }
    }
}

void
quoted_printable_decoder_finish(struct quoted_printable_decoder *decoder, struct buffer *out)
{
    /* The line end that belonged here may have been a boundary's: '=' before it is a soft break. */
    decoder->report.is_cut = decoder->state != STATE_TEXT && decoder->state != STATE_CR;
    if (decoder->state == STATE_ESCAPE_DIGIT) {
        give_up_escape(decoder, out);
        buffer_put_byte(out, decoder->digit);
    }
    if (decoder->state == STATE_CR) {
        put_held(decoder, out);
        buffer_put_byte(out, '\r');
        decoder->report.raw_count++;
    }
    end_line(decoder, decoder->offset, decoder->offset);
}

struct quoted_printable_report
quoted_printable_decode(struct slice text, struct buffer *out)
{
    struct quoted_printable_decoder decoder;

    quoted_printable_decoder_init(&decoder);
    quoted_printable_decoder_feed(&decoder, text, out);
    quoted_printable_decoder_finish(&decoder, out);
    return decoder.report;
}

static bool
is_line_end(struct slice rest)
{
    return rest.len == 0 || slice_starts_with(rest, SLICE("\r\n"));
}

/* Whether the first octet of `rest`, at this column, must be written as =XX. */
static bool
needs_escape(struct slice rest, size_t column)
{
    uint8_t octet = rest.at[0];

    if (octet == ' ' || octet == '\t')
        return is_line_end(slice_skip(rest, 1));
    if (!is_literal[octet])
        return true;
    if (column > 0)
        return false;
    return slice_starts_with(rest, SLICE("From ")) ||
           (octet == '.' && is_line_end(slice_skip(rest, 1)));
}

static void
put_escape(struct buffer *out, uint8_t octet)
{
    static const char digits[] = "0123456789ABCDEF";
    uint8_t text[3] = {'=', (uint8_t)digits[octet >> 4], (uint8_t)digits[octet & 15]};

    buffer_put(out, slice_of(text, sizeof(text)));
}

void
quoted_printable_encode(struct slice text, struct buffer *out)
{
    size_t column = 0;

    while (text.len) {
        if (slice_starts_with(text, SLICE("\r\n"))) {
            buffer_put(out, SLICE("\r\n"));
            column = 0;
            text = slice_skip(text, 2);
            continue;
        }
        size_t len = needs_escape(text, column) ? 3 : 1;
        size_t room =
            column < QUOTED_PRINTABLE_LINE_MAX ? QUOTED_PRINTABLE_LINE_MAX - 1 - column : 0;
        size_t plain = len == 1 ? plain_len(slice_first(text, room)) : 0;
        if (plain > 1) {
            buffer_put(out, slice_first(text, plain));
            column += plain;
            text = slice_skip(text, plain);
            continue;
        }
        size_t line_max = QUOTED_PRINTABLE_LINE_MAX - !is_line_end(slice_skip(text, 1));
        if (column + len > line_max) {
            buffer_put(out, SLICE("=\r\n"));
            column = 0;
            len = needs_escape(text, column) ? 3 : 1;
        }
        if (len == 3)
            put_escape(out, text.at[0]);
        else
            buffer_put_byte(out, text.at[0]);
        column += len;
        text = slice_skip(text, 1);
    }
}

size_t
quoted_printable_escape_count(struct slice text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t octet = text.at[i];
        if (octet == '\r' && i + 1 < text.len && text.at[i + 1] == '\n')
            i++;
        else
            count += !is_literal[octet] && octet != ' ' && octet != '\t';
    }
    return count;
}
