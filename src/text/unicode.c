/* SPDX-License-Identifier: ISC */
/* The only file that knows libunistring. */
#include "text/unicode.h"

#include "base/filled.h"
#include "text/utf8.h"

#include <stdlib.h>
#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>

static void
put_ascii_lower(struct buffer *buffer, struct slice text)
{
    uint8_t *to = buffer_reserve(buffer, text.len);

    if (!to)
        return;
    for (size_t i = 0; i < text.len; i++)
        to[i] = byte_to_lower(text.at[i]);
    buffer_commit(buffer, text.len);
}

/* Valid UTF-8 for the library: `text` itself, or its repair in *repaired. */
static struct slice
make_valid(struct slice text, struct buffer *repaired)
{
    if (utf8_is_valid(text))
        return text;
    utf8_put_repaired(repaired, text);
    return buffer_slice(repaired);
}

/* The library allocates what it returns; it fails only without memory. */
static struct slice
check(const uint8_t *at, size_t len)
{
    if (!at)
        abort();
    memory_is_filled(at, len);
    return slice_of(at, len);
}

typedef void (*put_fn)(struct buffer *buffer, struct slice text);

static void
put_all(struct buffer *buffer, struct slice text)
{
    buffer_put(buffer, text);
}

static void
put_without_marks(struct buffer *buffer, struct slice text)
{
    struct cursor cursor = cursor_of(text);
    uint32_t character;

    while (utf8_take(&cursor, &character)) {
        if (!uc_is_general_category(character, UC_NON_SPACING_MARK))
            utf8_put(buffer, character);
    }
}

static void
put_folded(struct buffer *buffer, struct slice text, put_fn put)
{
    if (utf8_is_ascii(text)) {
        put_ascii_lower(buffer, text);
        return;
    }
    struct buffer repaired;
    buffer_init(&repaired, text.len * 3);
    struct slice valid = make_valid(text, &repaired);
    /* Unicode D146: fold what is decomposed, decompose again, fold again, decompose. The library
     * normalises behind each folding. */
    size_t once_len = 0, twice_len = 0, start_len = 0;
    uint8_t *start = u8_normalize(UNINORM_NFD, valid.at, valid.len, NULL, &start_len);
    struct slice decomposed = check(start, start_len);
    uint8_t *once = u8_casefold(decomposed.at, decomposed.len, NULL, UNINORM_NFKD, NULL, &once_len);
    struct slice folded = check(once, once_len);
    uint8_t *twice = u8_casefold(folded.at, folded.len, NULL, UNINORM_NFKD, NULL, &twice_len);
    put(buffer, check(twice, twice_len));
    free(start);
    free(once);
    free(twice);
    buffer_finish(&repaired);
}

void
unicode_put_search_key(struct buffer *buffer, struct slice text)
{
    put_folded(buffer, text, put_all);
}

void
unicode_put_plain_key(struct buffer *buffer, struct slice text)
{
    put_folded(buffer, text, put_without_marks);
}

/* Ideographs, the bulk of Chinese and Japanese text, are what they are. */
static bool
has_no_forms(uint32_t character)
{
    return character >= 0x3400 && character <= 0x9FFF;
}

/* Unicode's decompositions are at most UC_DECOMPOSITION_MAX_LENGTH long and few deep: what is still
 * to be decomposed stands on a stack, the next on top. */
static void
put_decomposed(struct buffer *buffer, uint32_t character)
{
    enum { STACK = UC_DECOMPOSITION_MAX_LENGTH * 4 };
    uint32_t stack[STACK];
    size_t height = 0;

    stack[height++] = character;
    while (height > 0) {
        ucs4_t pieces[UC_DECOMPOSITION_MAX_LENGTH];
        int tag;
        character = stack[--height];
        int count = has_no_forms(character) ? -1 : uc_decomposition(character, &tag, pieces);
        if (count < 0 || height + (size_t)count > STACK) {
            utf8_put(buffer, character);
            continue;
        }
        memory_is_filled(pieces, count > 0 ? (size_t)count * sizeof(pieces[0]) : 0);
        while (count > 0)
            stack[height++] = pieces[--count];
    }
}

void
unicode_put_title_decomposed(struct buffer *buffer, struct slice text)
{
    struct cursor cursor = cursor_of(text);
    uint32_t character;

    while (utf8_take(&cursor, &character)) {
        if (character < 0x80)
            buffer_put_byte(buffer, character >= 'a' && character <= 'z'
                                        ? (uint8_t)(character - 0x20)
                                        : (uint8_t)character);
        else if (has_no_forms(character))
            utf8_put(buffer, character);
        else
            put_decomposed(buffer, uc_totitle(character));
    }
}

void
unicode_put_nfc(struct buffer *buffer, struct slice text)
{
    if (utf8_is_ascii(text)) {
        buffer_put(buffer, text);
        return;
    }
    struct buffer repaired;
    buffer_init(&repaired, text.len * 3);
    struct slice valid = make_valid(text, &repaired);
    size_t len = 0;
    uint8_t *normal = u8_normalize(UNINORM_NFC, valid.at, valid.len, NULL, &len);
    buffer_put(buffer, check(normal, len));
    free(normal);
    buffer_finish(&repaired);
}
