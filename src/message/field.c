/* SPDX-License-Identifier: ISC */
#include "message/field.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* How many lines behind a line that is no field are looked at for one that is. */
enum { JUNK_LOOKAHEAD = 8 };

/* What a name may have in it (RFC 5322 §2.2): printable US-ASCII but the colon. */
static bool
is_name_octet(uint8_t octet)
{
    return octet > 32 && octet < 127 && octet != ':';
}

static bool
is_blank(uint8_t octet)
{
    return octet == ' ' || octet == '\t';
}

/* Offset behind the line that begins at `start`. */
static size_t
line_end(struct slice message, size_t start)
{
    const uint8_t *found = memchr(message.at + start, '\n', message.len - start);
    return found ? (size_t)(found - message.at) + 1 : message.len;
}

static bool
is_empty_line(struct slice line)
{
    return line.len &&
           (line.at[0] == '\n' || (line.at[0] == '\r' && line.len > 1 && line.at[1] == '\n'));
}

/* The length of the octets before the colon, blanks before it included; 0 when the line is no
 * "name:". Octets that do not belong into names are let through, but blanks inside are not: that
 * is a sentence. */
static size_t
name_len(struct slice line)
{
    size_t len = 0;

    while (len < line.len && line.at[len] != ':' && !is_blank(line.at[len]) && line.at[len] != '\n')
        len++;
    if (len == 0)
        return 0;
    while (len < line.len && is_blank(line.at[len]))
        len++;
    return len < line.len && line.at[len] == ':' ? len : 0;
}

/* "From " that begins a letter box's line, not "From :", which is a field. */
static bool
is_mbox_from(struct slice line, bool is_first)
{
    if (line.at[0] != '>' && !is_first)
        return false;
    if (slice_starts_with(line, SLICE(">From ")))
        return true;
    return is_first && slice_starts_with(line, SLICE("From ")) && name_len(line) == 0;
}

/* What octets are in a field: all of them ORed, whether there is a NUL, how many CR. */
struct octets {
    uint64_t high, nul;
    size_t crs;
};

#ifdef __SSE2__

/* Sixteen octets at a time; returns how many were looked at. Counts of an octet's place are summed
 * up before they can overflow. */
static size_t
look_at_blocks(struct slice raw, struct octets *octets)
{
    enum { STEP = sizeof(__m128i), STEPS_MAX = 255 };
    const __m128i cr = _mm_set1_epi8('\r'), zero = _mm_setzero_si128();
    __m128i high = zero, nul = zero;
    size_t at = 0;

    while (raw.len - at >= STEP) {
        __m128i crs = zero;
        uint64_t sums[2];
        for (size_t i = 0; i < STEPS_MAX && raw.len - at >= STEP; i++, at += STEP) {
            __m128i block = _mm_loadu_si128((const __m128i *)(const void *)(raw.at + at));
            high = _mm_or_si128(high, block);
            nul = _mm_or_si128(nul, _mm_cmpeq_epi8(block, zero));
            crs = _mm_sub_epi8(crs, _mm_cmpeq_epi8(block, cr));
        }
        _mm_storeu_si128((__m128i *)(void *)sums, _mm_sad_epu8(crs, zero));
        octets->crs += sums[0] + sums[1];
    }
    octets->high |= _mm_movemask_epi8(high) != 0 ? 0x80 : 0;
    octets->nul |= _mm_movemask_epi8(nul) != 0;
    return at;
}

#else

#define EACH(octet) (UINT64_C(0x0101010101010101) * (octet))

/* High bit set in each octet of `word` that is zero, and in no other. */
static uint64_t
zeros(uint64_t word)
{
    uint64_t low_bits = (word & EACH(0x7F)) + EACH(0x7F);
    return ~(low_bits | word | EACH(0x7F));
}

/* Eight octets at a time. */
static size_t
look_at_blocks(struct slice raw, struct octets *octets)
{
    size_t at = 0;

    for (; raw.len - at >= sizeof(uint64_t); at += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, raw.at + at, sizeof(word));
        octets->high |= word & EACH(0x80);
        octets->nul |= zeros(word);
        /* Counts the marks, one in each octet, without an instruction that old processors lack. */
        octets->crs += (size_t)(((zeros(word ^ EACH('\r')) >> 7) * EACH(1)) >> 56);
    }
    return at;
}

#endif

/* What the octets themselves are guilty of; `cr_count` of the CRs stand before LF. */
static uint16_t
octet_defects(struct slice raw, size_t cr_count)
{
    struct octets octets = {0};

    for (size_t at = look_at_blocks(raw, &octets); at < raw.len; at++) {
        octets.high |= raw.at[at] & 0x80;
        octets.nul |= raw.at[at] == 0;
        octets.crs += raw.at[at] == '\r';
    }
    return (uint16_t)((octets.high ? FIELD_DEFECT_8BIT : 0) | (octets.nul ? FIELD_DEFECT_NUL : 0) |
                      (octets.crs != cr_count ? FIELD_DEFECT_BARE_CR : 0));
}

/* A continuation line that has nothing but blanks. */
static bool
is_blank_line(struct slice line)
{
    return slice_trim(line).len == 0;
}

/* Measures the field that begins at `start`: fills raw, is_folded and the defects of its lines. */
static void
measure(struct slice message, size_t start, struct field *field)
{
    size_t at = start, cr_count = 0;
    uint16_t defects = 0;
    bool is_folded = false;

    do {
        size_t end = line_end(message, at);
        struct slice line = slice_of(message.at + at, end - at);
        size_t len = line.len;
        if (line.at[len - 1] == '\n') {
            len--;
            if (len && line.at[len - 1] == '\r') {
                len--;
                cr_count++;
            } else {
                defects |= FIELD_DEFECT_BARE_LF;
            }
        }
        if (UNLIKELY(len > FIELD_LINE_MAX))
            defects |= FIELD_DEFECT_LONG_LINE;
        if (at != start) {
            is_folded = true;
            if (is_blank_line(line))
                defects |= FIELD_DEFECT_BLANK_FOLD;
        }
        at = end;
    } while (at < message.len && is_blank(message.at[at]));
    field->raw = slice_of(message.at + start, at - start);
    field->offset = start;
    field->defects = defects | octet_defects(field->raw, cr_count);
    field->is_folded = is_folded;
}

static void
set_unnamed(struct field *field, enum field_kind kind, uint16_t defect)
{
    field->kind = kind;
    field->id = FIELD_OTHER;
    field->name = slice_of(field->raw.at, 0);
    field->body = slice_trim(field->raw);
    field->defects |= defect;
}

static void
set_named(struct field *field, size_t len)
{
    field->kind = FIELD_KIND_FIELD;
    field->name = slice_first(field->raw, len);
    if (is_blank(field->raw.at[len - 1])) {
        field->name = slice_trim(field->name);
        field->defects |= FIELD_DEFECT_NAME_BLANK;
    }
    field->id = field_id_of(field->name);
    for (size_t i = 0; field->id == FIELD_OTHER && i < field->name.len; i++) {
        if (!is_name_octet(field->name.at[i])) {
            field->defects |= FIELD_DEFECT_NAME;
            break;
        }
    }
    field->body = slice_trim(slice_skip(field->raw, len + 1));
}

/* Whether the header goes on behind a line that is no field: see field.h. */
static bool
goes_on_behind(struct slice message, size_t offset)
{
    for (int lines = 0; lines < JUNK_LOOKAHEAD && offset < message.len; lines++) {
        struct slice line = slice_between(message, offset, line_end(message, offset));
        size_t len = name_len(line);
        if (is_empty_line(line))
            return lines == 0;
        if (len && (lines == 0 || field_id_of(slice_trim(slice_first(line, len))) != FIELD_OTHER))
            return true;
        offset += line.len;
    }
    return offset == message.len;
}

static bool
end_header(struct field_reader *reader, size_t body_offset)
{
    reader->is_done = true;
    reader->header_len = reader->offset;
    reader->body_offset = body_offset;
    return false;
}

void
field_reader_init(struct field_reader *reader, struct slice message)
{
    *reader = (struct field_reader){.message = message};
}

bool
field_next(struct field_reader *reader, struct field *ret_field)
{
    struct slice rest = slice_skip(reader->message, reader->offset);
    struct field *field = ret_field; /* filled in its place: a header is mostly the filling of it */

    if (reader->is_done)
        return false;
    if (rest.len == 0)
        return end_header(reader, reader->offset);
    if (is_empty_line(rest))
        return end_header(reader, reader->offset + (rest.at[0] == '\r' ? 2 : 1));
    measure(reader->message, reader->offset, field);
    size_t len = name_len(rest);
    bool is_first_fold = is_blank(rest.at[0]);
    if (is_mbox_from(rest, reader->offset == 0)) {
        set_unnamed(field, FIELD_KIND_MBOX_FROM, FIELD_DEFECT_MBOX_FROM);
    } else if (len && !is_first_fold) {
        set_named(field, len);
    } else if (is_first_fold || goes_on_behind(reader->message, reader->offset + field->raw.len)) {
        set_unnamed(field, FIELD_KIND_JUNK, FIELD_DEFECT_JUNK);
        field->defects |= is_first_fold ? FIELD_DEFECT_FIRST_FOLD : 0;
    } else {
        reader->defects |= FIELD_DEFECT_NO_END;
        return end_header(reader, reader->offset);
    }
    reader->defects |= field->defects;
    reader->offset += field->raw.len;
    return true;
}
