/* SPDX-License-Identifier: ISC */
/* RFC 2047. Decoding goes by runs: neighbouring words of one charset are converted together, since
 * many senders cut characters in two between words. */
#include "mime/encoded_word.h"

#include "base/cursor.h"
#include "base/hex.h"
#include "message/lexer.h"
#include "text/base64.h"
#include "text/charset.h"
#include "text/utf8.h"

/* ---- decoding ------------------------------------------------------------------------------ */

bool
mime_encoded_words_present(struct slice text)
{
    return !utf8_is_ascii(text) || slice_find(text, SLICE("=?")) < text.len;
}

/* One word taken apart. */
struct word {
    const struct charset *charset;
    bool is_base64;
    struct slice text;
};

/* encoded-word = "=?" charset ["*" language] "?" encoding "?" encoded-text "?=" (RFC 2047 2, RFC
 * 2231 5). Blanks inside the text are not allowed, but occur; line ends are not taken. */
static bool
take_word(struct cursor *cursor, struct word *ret_word)
{
    struct cursor at = *cursor;
    struct slice charset, encoding;

    if (!cursor_take_text(&at, SLICE("=?")))
        return false;
    at.end = at.at + slice_first(cursor_rest(&at), MIME_ENCODED_WORD_DECODE_MAX).len;
    if (!cursor_take_until(&at, '?', &charset) || !cursor_take_byte(&at, '?') ||
        !cursor_take_until(&at, '?', &encoding) || !cursor_take_byte(&at, '?') || encoding.len != 1)
        return false;
    ret_word->charset = charset_find(slice_first(charset, slice_find_byte(charset, '*')));
    if (!ret_word->charset)
        return false;
    size_t len = slice_find(cursor_rest(&at), SLICE("?="));
    struct slice text = slice_first(cursor_rest(&at), len);
    uint8_t letter = byte_to_lower(encoding.at[0]);
    if (len == cursor_left(&at) || (letter != 'q' && letter != 'b') ||
        slice_find_byte(text, '\n') < len || slice_find_byte(text, '\r') < len)
        return false;
    ret_word->is_base64 = letter == 'b';
    ret_word->text = text;
    cursor->at = at.at + len + 2;
    return true;
}

/* RFC 2047 4.2: like quoted-printable, but '_' is a space and there are no lines. */
static bool
put_q_decoded(struct buffer *octets, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.at[i];
        if (byte == '=') {
            int value = slice_hex_byte(slice_skip(text, i + 1));
            if (value < 0)
                return false;
            byte = (uint8_t)value;
            i += 2;
        } else if (byte == '_') {
            byte = ' ';
        }
        buffer_put_byte(octets, byte);
    }
    return true;
}

struct word_decoder {
    struct buffer *out;
    struct buffer octets; /* of the run of words being gathered */
    struct buffer digits; /* base64 of the group of four that its last words leave open */
    size_t digits_start;  /* where in octets that begins */
    struct buffer scratch;
};

static void
begin_run(struct word_decoder *decoder)
{
    buffer_clear(&decoder->octets);
    buffer_clear(&decoder->digits);
}

static size_t
count_digits(struct slice text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += !lexer_blanks[text.at[i]];
    return count;
}

/* Of what was decoded only the digits of the open group stay: each octet is decoded once, or twice,
 * however many words there are. */
static void
keep_open_group(struct word_decoder *decoder)
{
    struct slice digits = buffer_slice(&decoder->digits);
    size_t count = count_digits(digits), left = count % 4;
    uint8_t open[4] = {0};

    decoder->digits_start += count / 4 * 3;
    for (size_t i = digits.len; left > 0; i--) {
        if (!lexer_blanks[digits.at[i - 1]])
            open[--left] = digits.at[i - 1];
    }
    buffer_clear(&decoder->digits);
    buffer_put(&decoder->digits, slice_of(open, count % 4));
}

/* RFC 2047 5 (3) wants each word to be whole, but some senders cut base64 anywhere: then the text
 * of the next word goes on with the group of four that the last one has left open. */
static bool
put_base64_decoded(struct word_decoder *decoder, struct slice text)
{
    size_t open = buffer_len(&decoder->digits);
    bool is_ended = slice_find_byte(text, '=') < text.len;
    bool goes_on = open > 0 && (!is_ended || (open + count_digits(text)) % 4 == 0);

    if (!goes_on) {
        buffer_clear(&decoder->digits);
        decoder->digits_start = buffer_len(&decoder->octets);
    }
    size_t start = buffer_len(&decoder->digits);
    buffer_put(&decoder->digits, text);
    buffer_truncate(&decoder->octets, decoder->digits_start);
    if (base64_decode(buffer_slice(&decoder->digits), &decoder->octets).stray_count == 0) {
        if (is_ended) /* whatever its padding is worth, nothing goes on with it */
            buffer_clear(&decoder->digits);
        else
            keep_open_group(decoder);
        return true;
    }
    buffer_truncate(&decoder->digits, start);
    buffer_truncate(&decoder->octets, decoder->digits_start);
    base64_decode(buffer_slice(&decoder->digits), &decoder->octets);
    return false;
}

/* Appends the octets of the word; false, and nothing put, when it is bad. */
static bool
put_octets(struct word_decoder *decoder, const struct word *word)
{
    size_t start = buffer_len(&decoder->octets);

    if (word->is_base64)
        return put_base64_decoded(decoder, word->text);
    buffer_clear(&decoder->digits);
    if (put_q_decoded(&decoder->octets, word->text))
        return true;
    buffer_truncate(&decoder->octets, start);
    return false;
}

/* Passes over what stands between two words of one text: blanks and folds. */
static void
skip_gap(struct cursor *cursor)
{
    while (!cursor_is_done(cursor) && lexer_blanks[*cursor->at])
        cursor->at++;
}

/* Text that came out of a word may hold anything: line ends and other controls become spaces, so
 * that nobody can write a second line into a list of subjects. */
static void
put_visible(struct buffer *buffer, struct slice text)
{
    size_t done = 0;

    for (size_t i = 0; i < text.len; i++) {
        if ((text.at[i] >= ' ' && text.at[i] != 127) || text.at[i] == '\t')
            continue;
        buffer_put(buffer, slice_between(text, done, i));
        buffer_put_byte(buffer, ' ');
        done = i + 1;
    }
    buffer_put(buffer, slice_skip(text, done));
}

/* The charset's text as valid UTF-8 without controls. `scratch` is emptied. */
static void
put_converted(struct buffer *buffer, const struct charset *charset, struct slice octets,
              struct buffer *scratch)
{
    buffer_clear(scratch);
    charset_to_utf8(charset, octets, scratch);
    put_visible(buffer, buffer_slice(scratch));
}

/* Takes a run of adjacent words of one charset. False, cursor untouched, when none is here. */
static bool
take_run(struct word_decoder *decoder, struct cursor *cursor)
{
    struct cursor at = *cursor;
    struct word word, next;

    begin_run(decoder);
    if (!take_word(&at, &word) || !put_octets(decoder, &word))
        return false;
    for (;;) {
        *cursor = at;
        skip_gap(&at);
        if (!take_word(&at, &next) || next.charset != word.charset || !put_octets(decoder, &next))
            break;
    }
    put_converted(decoder->out, word.charset, buffer_slice(&decoder->octets), &decoder->scratch);
    return true;
}

/* True when a good word is here: then the blanks before it are dropped. */
static bool
word_follows(struct word_decoder *decoder, struct cursor cursor)
{
    struct word word;

    begin_run(decoder);
    return take_word(&cursor, &word) && put_octets(decoder, &word);
}

/* Puts text without words: line ends go, octets above 127 that are not UTF-8 are guessed. */
static void
put_raw(struct word_decoder *decoder, struct slice text)
{
    struct cursor cursor = cursor_of(text);

    while (!cursor_is_done(&cursor)) {
        const uint8_t *start = cursor.at;
        while (!cursor_is_done(&cursor) && *cursor.at != '\r' && *cursor.at != '\n')
            cursor.at++;
        struct slice piece = slice_of(start, (size_t)(cursor.at - start));
        if (utf8_is_valid(piece))
            put_visible(decoder->out, piece);
        else
            put_converted(decoder->out, NULL, piece, &decoder->scratch);
        while (cursor_peek(&cursor) == '\r' || cursor_peek(&cursor) == '\n')
            cursor.at++;
    }
}

void
mime_encoded_words_decode(struct buffer *buffer, struct slice text)
{
    struct word_decoder decoder = {.out = buffer};
    struct cursor cursor = cursor_of(text);
    const uint8_t *raw = cursor.at;

    buffer_init(&decoder.octets, text.len + 16);
    buffer_init(&decoder.digits, text.len + 16);
    buffer_init(&decoder.scratch, text.len * 3 + 16);
    while (!cursor_is_done(&cursor)) {
        size_t at = slice_find(cursor_rest(&cursor), SLICE("=?"));
        cursor.at += at;
        const uint8_t *start = cursor.at;
        if (cursor_is_done(&cursor))
            break;
        if (!word_follows(&decoder, cursor)) {
            cursor.at += 2;
            continue;
        }
        put_raw(&decoder, slice_of(raw, (size_t)(start - raw)));
        while (take_run(&decoder, &cursor)) {
            raw = cursor.at;
            struct cursor ahead = cursor;
            skip_gap(&ahead);
            if (word_follows(&decoder, ahead))
                raw = (cursor = ahead).at;
        }
    }
    put_raw(&decoder, slice_of(raw, (size_t)(cursor.end - raw)));
    buffer_finish(&decoder.octets);
    buffer_finish(&decoder.digits);
    buffer_finish(&decoder.scratch);
}

/* ---- encoding ------------------------------------------------------------------------------ */

/* Around the charset and the text: "=?" "?Q?" "?=". */
enum { WORD_FRAME = 7, LINE_MAX_WITH_WORD = 76 };

/* Octets that stand for themselves in Q: RFC 2047 5 (3) for phrases; in text all but "=?_". */
static bool
is_plain_in_q(uint8_t byte, enum mime_word_place place)
{
    if (byte_is_digit(byte) || byte_is_alpha(byte))
        return true;
    if (place == MIME_WORD_PHRASE)
        return byte == '!' || byte == '*' || byte == '+' || byte == '-' || byte == '/';
    return byte > ' ' && byte < 127 && byte != '=' && byte != '?' && byte != '_';
}

static size_t
q_len(struct slice text, enum mime_word_place place)
{
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++)
        len += text.at[i] == ' ' || is_plain_in_q(text.at[i], place) ? 1 : 3;
    return len;
}

static void
put_q(struct buffer *buffer, struct slice text, enum mime_word_place place)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.at[i];
        if (byte == ' ') {
            buffer_put_byte(buffer, '_');
        } else if (is_plain_in_q(byte, place)) {
            buffer_put_byte(buffer, byte);
        } else {
            buffer_put_byte(buffer, '=');
            buffer_put_byte(buffer, (uint8_t)digits[byte >> 4]);
            buffer_put_byte(buffer, (uint8_t)digits[byte & 15]);
        }
    }
}

struct word_writer {
    struct buffer *out;
    enum mime_word_place place;
    struct slice charset; /* of its words */
    bool is_utf8;         /* its characters may have several octets */
    bool is_base64;
    size_t column;
};

static size_t
frame_len(const struct word_writer *writer)
{
    return WORD_FRAME + writer->charset.len;
}

/* The longest piece of text, of whole characters, that fits a word of `room` octets; at least one
 * character. A word of base64 that others follow ends where no padding is needed, if it can: some
 * readers (GMime) join such words before they decode them, and stop at the first '='. */
static struct slice
piece_that_fits(const struct word_writer *writer, struct slice text, size_t room)
{
    size_t len = 0, unpadded = 0;

    for (size_t next = 0; next < text.len;) {
        do
            next++;
        while (writer->is_utf8 && next < text.len && (text.at[next] & 0xC0) == 0x80);
        size_t cost =
            writer->is_base64 ? (next + 2) / 3 * 4 : q_len(slice_first(text, next), writer->place);
        if (len > 0 && cost + frame_len(writer) > room)
            return slice_first(text, writer->is_base64 && unpadded > 0 ? unpadded : len);
        len = next;
        unpadded = len % 3 == 0 ? len : unpadded;
    }
    return slice_first(text, len);
}

static void
fold(struct word_writer *writer)
{
    buffer_put_text(writer->out, "\r\n ");
    writer->column = 1;
}

/* Puts text in the writer's charset as words, folded between them. `needs_blank`: plain text stands
 * before it. */
static void
put_octets_as_words(struct word_writer *writer, struct slice text, bool needs_blank)
{
    /* A word that would be cut to crumbs goes to a line of its own. */
    bool needs_fold =
        writer->column > 1 && writer->column + frame_len(writer) + 16 > LINE_MAX_WITH_WORD;

    writer->is_base64 = (text.len + 2) / 3 * 4 < q_len(text, writer->place);
    while (text.len > 0) {
        if (needs_fold) {
            fold(writer);
        } else if (needs_blank) {
            buffer_put_byte(writer->out, ' ');
            writer->column++;
        }
        size_t room = LINE_MAX_WITH_WORD - writer->column;
        struct slice piece = piece_that_fits(
            writer, text, room < MIME_ENCODED_WORD_MAX ? room : MIME_ENCODED_WORD_MAX);
        size_t start = buffer_len(writer->out);
        buffer_put_text(writer->out, "=?");
        buffer_put(writer->out, writer->charset);
        buffer_put_text(writer->out, writer->is_base64 ? "?B?" : "?Q?");
        if (writer->is_base64)
            base64_format(piece, writer->out);
        else
            put_q(writer->out, piece, writer->place);
        buffer_put_text(writer->out, "?=");
        writer->column += buffer_len(writer->out) - start;
        text = slice_skip(text, piece.len);
        needs_fold = true;
    }
}

/* Puts valid UTF-8 as words, in the narrowest charset that has all its characters. */
static void
put_words(struct word_writer *writer, struct slice text, bool needs_blank)
{
    const struct charset *charset = charset_narrowest(text);
    struct charset_report report;
    struct buffer octets;

    buffer_init(&octets, text.len);
    writer->charset = charset_name(charset);
    writer->is_utf8 = slice_equal(writer->charset, SLICE("utf-8"));
    if (charset_from_utf8(charset, text, &octets, &report))
        put_octets_as_words(writer, buffer_slice(&octets), needs_blank);
    buffer_finish(&octets);
}

/* Puts text that needs no encoding, folded before blanks. A single word that is longer than a line
 * stays whole. */
static void
put_plain(struct word_writer *writer, struct slice text)
{
    while (text.len > 0) {
        size_t end = 0;
        while (end < text.len && text.at[end] == ' ')
            end++;
        while (end < text.len && text.at[end] != ' ')
            end++;
        bool has_blank = text.at[0] == ' ';
        if (has_blank && end > 1 && writer->column > 1 &&
            writer->column + end > LINE_MAX_WITH_WORD) {
            buffer_put_text(writer->out, "\r\n");
            writer->column = 0;
        }
        buffer_put(writer->out, slice_first(text, end));
        writer->column += end;
        text = slice_skip(text, end);
    }
}

/* A word of a field that must be encoded: 8-bit, controls, what looks like an encoded word, and
 * what is too long for a line that cannot be folded inside (RFC 5322 2.1.1: 998). */
static bool
must_encode(struct slice word)
{
    enum { PLAIN_WORD_MAX = 900 };

    if (word.len > PLAIN_WORD_MAX || slice_find(word, SLICE("=?")) < word.len)
        return true;
    for (size_t i = 0; i < word.len; i++)
        if (word.at[i] < ' ' || word.at[i] >= 127)
            return true;
    return false;
}

/* Finds the shortest part, of whole words, that has all that must be encoded; empty for none. */
static void
find_part_to_encode(struct slice text, size_t *ret_start, size_t *ret_end)
{
    size_t start = text.len, end = 0;

    for (size_t at = 0; at < text.len;) {
        size_t len = slice_find_byte(slice_skip(text, at), ' ');
        if (must_encode(slice_between(text, at, at + len))) {
            start = start < at ? start : at;
            end = at + len;
        }
        at += len + 1;
    }
    /* Readers trim blanks at both ends, so there they are encoded, with the word beside them. */
    if (text.len > 0 && text.at[0] == ' ') {
        size_t word = 0;
        while (word < text.len && text.at[word] == ' ')
            word++;
        word += slice_find_byte(slice_skip(text, word), ' ');
        start = 0;
        end = end > word ? end : word;
    }
    if (text.len > 0 && text.at[text.len - 1] == ' ') {
        size_t word = text.len;
        while (word > 0 && text.at[word - 1] == ' ')
            word--;
        size_t blank = slice_find_last_byte(slice_first(text, word), ' ');
        word = blank == word ? 0 : blank + 1;
        start = start < word ? start : word;
        end = text.len;
    }
    *ret_start = start < end ? start : 0;
    *ret_end = end;
}

/* phrase (RFC 5322 3.2.5): atoms with single blanks between them. */
static bool
is_plain_phrase(struct slice text)
{
    for (size_t at = 0; at < text.len;) {
        size_t len = slice_find_byte(slice_skip(text, at), ' ');
        if (!lexer_is_atom(slice_between(text, at, at + len)) || at + len + 1 == text.len)
            return false;
        at += len + 1;
    }
    return text.len > 0;
}

void
mime_encoded_words_put(struct buffer *buffer, struct slice text, enum mime_word_place place,
                       size_t column)
{
    struct word_writer writer = {.out = buffer, .place = place, .column = column};
    struct buffer repaired;
    size_t start, end;

    buffer_init(&repaired, text.len * 3 + 1);
    if (!utf8_is_valid(text)) {
        utf8_put_repaired(&repaired, text);
        text = buffer_slice(&repaired);
    }
    find_part_to_encode(text, &start, &end);
    if (place == MIME_WORD_PHRASE && end > 0) {
        start = 0;
        end = text.len;
    }
    if (place == MIME_WORD_PHRASE && end == 0 && !is_plain_phrase(text)) {
        lexer_put_quoted(buffer, text);
    } else {
        put_plain(&writer, slice_first(text, start > 0 ? start - 1 : 0));
        put_words(&writer, slice_between(text, start, end), start > 0);
        put_plain(&writer, slice_skip(text, end));
    }
    buffer_finish(&repaired);
}
