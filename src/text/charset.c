/* SPDX-License-Identifier: ISC */
#include "text/charset.h"
#include "text/charset_list.h"
#include "text/charset_private.h"
#include "text/utf8.h"

/* A name with more letters and digits is none of ours. */
enum { KEY_MAX = 48 };

/* A name's key: its letters and digits alone, lower-case, so that "ISO_8859-1:1987",
 * "iso8859-1" and "utf8" are found however they are pointed. */
static struct slice
make_key(struct slice name, uint8_t key[KEY_MAX])
{
    size_t len = 0;

    for (size_t i = 0; i < name.len; i++) {
        uint8_t octet = name.at[i];
        if (!byte_is_alpha(octet) && !byte_is_digit(octet))
            continue;
        if (len == KEY_MAX)
            return slice_of(key, 0);
        key[len++] = byte_to_lower(octet);
    }
    return slice_of(key, len);
}

static bool
has_alias(const struct charset *charset, struct slice key)
{
    struct slice aliases = slice_of_string(charset->aliases);

    while (aliases.len) {
        size_t len = slice_find_byte(aliases, ' ');
        if (slice_equal(slice_first(aliases, len), key))
            return true;
        aliases = slice_skip(aliases, len + 1);
    }
    return false;
}

static const struct charset *
find_key(struct slice key)
{
    for (size_t i = 0; key.len && i < charset_list_count; i++) {
        if (has_alias(&charset_list[i], key))
            return &charset_list[i];
    }
    return NULL;
}

const struct charset *
charset_find(struct slice name)
{
    uint8_t octets[KEY_MAX];
    struct slice key = make_key(name, octets);
    /* Most texts say that; the others are looked for. */
    const struct charset *charset =
        slice_equal(key, SLICE("utf8")) ? &charset_list[CHARSET_LIST_UTF8] : find_key(key);

    /* "x-sjis", "x-mac-roman": registered without their x since, or known so to everybody. */
    if (!charset && slice_starts_with(key, SLICE("x")))
        charset = find_key(slice_skip(key, 1));
    return charset;
}

struct slice
charset_name(const struct charset *charset)
{
    return charset->name;
}

const struct charset *
charset_next(size_t *place)
{
    return *place < charset_list_count ? &charset_list[(*place)++] : NULL;
}

void
charset_decoder_init(struct charset_decoder *decoder, const struct charset *charset)
{
    *decoder = (struct charset_decoder){.charset = charset};
    decoder->report.is_unknown = charset == NULL;
}

static bool
is_guessing(const struct charset_decoder *decoder)
{
    return !decoder->charset || decoder->charset->kind == CHARSET_ASCII;
}

/* Octets above 127 came in a text whose set is unknown, or should not have any. */
static void
guess(struct charset_decoder *decoder, struct slice text)
{
    size_t complete = text.len - utf8_incomplete_len(text);
    bool is_utf8 = utf8_valid_len(text) >= complete;

    decoder->report.is_mislabelled = decoder->charset != NULL;
    decoder->charset = &charset_list[is_utf8 ? CHARSET_LIST_UTF8 : CHARSET_LIST_WINDOWS];
}

static size_t
take_table(struct charset_decoder *decoder, struct slice text, struct buffer *out)
{
    const uint16_t *table = decoder->charset->table;
    struct slice rest = text;

    while (rest.len) {
        size_t len = utf8_ascii_len(rest);
        buffer_put(out, slice_first(rest, len));
        rest = slice_skip(rest, len);
        if (rest.len == 0)
            break;
        uint16_t character = table[rest.at[0] - 128];
        decoder->report.bad_count += character == 0;
        utf8_put(out, character ? character : UTF8_REPLACEMENT);
        rest = slice_skip(rest, 1);
    }
    return text.len;
}

static size_t
take_utf8(struct charset_decoder *decoder, struct slice text, struct buffer *out)
{
    struct slice complete = slice_first(text, text.len - utf8_incomplete_len(text));

    decoder->report.bad_count += utf8_put_repaired(out, complete);
    return complete.len;
}

/* Opens the converter at the first octets. Where the system has none the set is as good as unknown:
 * the ASCII part of it, at least, can be read. */
static size_t
take_iconv(struct charset_decoder *decoder, struct slice text, struct buffer *out)
{
    if (!decoder->converter)
        decoder->converter = charset_iconv_open(decoder->charset->iconv_name);
    if (!decoder->converter) {
        decoder->report.is_unknown = true;
        decoder->charset = &charset_list[CHARSET_LIST_WINDOWS];
        return take_table(decoder, text, out);
    }
    return charset_iconv_feed(decoder->converter, text, out, &decoder->report.bad_count);
}

/* Converts what is complete; returns how many octets that were. */
static size_t
take(struct charset_decoder *decoder, struct slice text, struct buffer *out)
{
    size_t ascii_len = 0;

    if (is_guessing(decoder)) {
        ascii_len = utf8_ascii_len(text);
        buffer_put(out, slice_first(text, ascii_len));
        text = slice_skip(text, ascii_len);
        /* The beginning of a character alone says nothing: "caf\xE9" may go on, or end here. */
        if (utf8_incomplete_len(text) == text.len)
            return ascii_len;
        guess(decoder, text);
    }
    switch (decoder->charset->kind) {
    case CHARSET_UTF8:
        return ascii_len + take_utf8(decoder, text, out);
    case CHARSET_TABLE:
        return ascii_len + take_table(decoder, text, out);
    case CHARSET_ICONV:
        return take_iconv(decoder, text, out);
    case CHARSET_ASCII:
    case CHARSET_UTF16:
    case CHARSET_UTF32:
        break;
    }
    assert(false);
    return text.len;
}

/* A mark that may stand at the start of a text, and the set that it means. */
struct mark {
    struct slice octets;
    const char *set;
};
static const struct mark marks[] = {
    {{(const uint8_t *)"\xEF\xBB\xBF", 3}, "utf8"},
    {{(const uint8_t *)"\xFF\xFE\0\0", 4}, "utf32le"},
    {{(const uint8_t *)"\0\0\xFE\xFF", 4}, "utf32be"},
    {{(const uint8_t *)"\xFF\xFE", 2}, "utf16le"},
    {{(const uint8_t *)"\xFE\xFF", 2}, "utf16be"},
};
enum { MARK_LEN_MAX = 4 };

/* Whether the mark means the set itself, or the set leaves the byte order to it. */
static bool
mark_fits(const struct mark *mark, const struct charset *charset)
{
    if (charset->kind == CHARSET_UTF16)
        return slice_starts_with(slice_of_string(mark->set), SLICE("utf16"));
    if (charset->kind == CHARSET_UTF32)
        return slice_starts_with(slice_of_string(mark->set), SLICE("utf32"));
    return has_alias(charset, slice_of_string(mark->set));
}

static bool
has_marks(const struct charset *charset)
{
    if (!charset)
        return false;
    if (charset->kind == CHARSET_UTF8 || charset->kind == CHARSET_UTF16 ||
        charset->kind == CHARSET_UTF32)
        return true;
    return charset->kind == CHARSET_ICONV && (slice_starts_with(charset->name, SLICE("utf-16")) ||
                                              slice_starts_with(charset->name, SLICE("utf-32")));
}

/* Settles the byte order from the first octets; returns how many of them were a mark. */
static size_t
take_mark(struct charset_decoder *decoder, struct slice start)
{
    const struct charset *charset = decoder->charset;
    size_t len = 0;

    decoder->is_started = true;
    if (!has_marks(charset))
        return 0;
    if (charset->kind == CHARSET_UTF16)
        decoder->charset = find_key(SLICE("utf16be"));
    if (charset->kind == CHARSET_UTF32)
        decoder->charset = find_key(SLICE("utf32be"));
    for (size_t i = 0; i < COUNT_OF(marks); i++) {
        if (mark_fits(&marks[i], charset) && slice_starts_with(start, marks[i].octets)) {
            decoder->charset = find_key(slice_of_string(marks[i].set));
            len = marks[i].octets.len;
            break;
        }
    }
    return len;
}

/* A first octet that says so at once: the common case, UTF-8 that begins with a letter. */
static bool
begins_without_mark(const struct charset_decoder *decoder, struct slice text)
{
    return decoder->charset->kind == CHARSET_UTF8 && decoder->pending_len == 0 && text.len > 0 &&
           text.at[0] > 0 && text.at[0] < marks[0].octets.at[0];
}

/* Takes what can be taken from the octets that wait. */
static void
take_pending(struct charset_decoder *decoder, struct buffer *out)
{
    struct slice waiting = slice_of(decoder->pending, decoder->pending_len);
    size_t taken = decoder->is_started ? 0 : take_mark(decoder, waiting);

    taken += take(decoder, slice_skip(waiting, taken), out);
    if (taken == 0 && decoder->pending_len == sizeof(decoder->pending)) {
        /* No set has characters that long: the first octet is garbage. */
        utf8_put(out, UTF8_REPLACEMENT);
        decoder->report.bad_count++;
        taken = 1;
    }
    decoder->pending_len = (uint8_t)(decoder->pending_len - taken);
    memmove(decoder->pending, decoder->pending + taken, decoder->pending_len);
}

void
charset_decoder_feed(struct charset_decoder *decoder, struct slice text, struct buffer *out)
{
    if (!decoder->is_started &&
        (!has_marks(decoder->charset) || begins_without_mark(decoder, text)))
        decoder->is_started = true;
    while (text.len && (decoder->pending_len || !decoder->is_started)) {
        decoder->pending[decoder->pending_len++] = text.at[0];
        text = slice_skip(text, 1);
        if (decoder->is_started || decoder->pending_len == MARK_LEN_MAX)
            take_pending(decoder, out);
    }
    if (text.len == 0)
        return;
    text = slice_skip(text, take(decoder, text, out));
    while (text.len) {
        decoder->pending[decoder->pending_len++] = text.at[0];
        text = slice_skip(text, 1);
        if (decoder->pending_len == sizeof(decoder->pending))
            take_pending(decoder, out);
    }
}

void
charset_decoder_finish(struct charset_decoder *decoder, struct buffer *out)
{
    if (!decoder->is_started)
        take_pending(decoder, out);
    if (decoder->pending_len && is_guessing(decoder)) {
        decoder->report.is_mislabelled = decoder->charset != NULL;
        decoder->charset = &charset_list[CHARSET_LIST_WINDOWS];
        take_pending(decoder, out);
    } else if (decoder->pending_len) {
        utf8_put(out, UTF8_REPLACEMENT);
        decoder->report.bad_count++;
    }
    charset_iconv_close(decoder->converter);
    decoder->converter = NULL;
    decoder->pending_len = 0;
}

struct charset_report
charset_to_utf8(const struct charset *charset, struct slice text, struct buffer *out)
{
    struct charset_decoder decoder;

    charset_decoder_init(&decoder, charset);
    charset_decoder_feed(&decoder, text, out);
    charset_decoder_finish(&decoder, out);
    return decoder.report;
}

/* The octet that stands for a character, or -1. */
static int
encode_character(const struct charset *charset, uint32_t character)
{
    if (character < 0x80)
        return (int)character;
    if (charset->kind != CHARSET_TABLE)
        return -1;
    for (int octet = charset->encode_first; octet < 256; octet++) {
        if (charset->table[octet - 128] == character)
            return octet;
    }
    return -1;
}

static bool
can_write(const struct charset *charset, struct slice text)
{
    struct cursor cursor = cursor_of(text);
    uint32_t character;

    while (utf8_take(&cursor, &character)) {
        if (encode_character(charset, character) < 0)
            return false;
    }
    return cursor_is_done(&cursor);
}

const struct charset *
charset_narrowest(struct slice text)
{
    static const int candidates[] = {CHARSET_LIST_LATIN1, CHARSET_LIST_LATIN9};

    if (utf8_is_ascii(text))
        return &charset_list[CHARSET_LIST_ASCII];
    for (size_t i = 0; i < COUNT_OF(candidates); i++) {
        if (can_write(&charset_list[candidates[i]], text))
            return &charset_list[candidates[i]];
    }
    return &charset_list[CHARSET_LIST_UTF8];
}

bool
charset_from_utf8(const struct charset *charset, struct slice text, struct buffer *out,
                  struct charset_report *ret_report)
{
    struct charset_report report = {0};
    struct cursor cursor = cursor_of(text);

    if (charset->kind == CHARSET_UTF8) {
        report.bad_count = utf8_put_repaired(out, text);
        *ret_report = report;
        return true;
    }
    if (charset->kind != CHARSET_TABLE && charset->kind != CHARSET_ASCII)
        return false;
    while (!cursor_is_done(&cursor)) {
        uint32_t character;
        uint8_t wrong;
        int octet = -1;
        if (utf8_take(&cursor, &character))
            octet = encode_character(charset, character);
        else if (!cursor_take_any(&cursor, &wrong))
            break;
        report.bad_count += octet < 0;
        buffer_put_byte(out, octet < 0 ? '?' : (uint8_t)octet);
    }
    *ret_report = report;
    return true;
}
