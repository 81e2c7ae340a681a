/* SPDX-License-Identifier: ISC */
/* Any text decodes to UTF-8 without controls; what is decoded encodes and decodes to itself. */
#include "mime/encoded_word.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { TEXT_MAX = 256 * 1024 };

static void
check_visible(struct slice text)
{
    assert(utf8_is_valid(text));
    for (size_t i = 0; i < text.len; i++)
        assert((text.at[i] >= ' ' && text.at[i] != 127) || text.at[i] == '\t');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct buffer decoded, encoded, again;

    len = len < TEXT_MAX ? len : TEXT_MAX;
    buffer_init(&decoded, TEXT_MAX * 4);
    buffer_init(&encoded, TEXT_MAX * 64);
    buffer_init(&again, TEXT_MAX * 64);
    mime_encoded_words_decode(&decoded, slice_of(data, len));
    assert(!buffer_overflowed(&decoded));
    check_visible(buffer_slice(&decoded));
    mime_encoded_words_put(&encoded, buffer_slice(&decoded), MIME_WORD_TEXT, len % 80);
    assert(!buffer_overflowed(&encoded));
    assert(utf8_is_ascii(buffer_slice(&encoded)));
    mime_encoded_words_decode(&again, slice_trim(buffer_slice(&encoded)));
    /* At the start of a word U+FEFF is a byte order mark, and goes. */
    if (slice_find(buffer_slice(&decoded), SLICE("\xEF\xBB\xBF")) == buffer_len(&decoded))
        assert(slice_equal(buffer_slice(&again), buffer_slice(&decoded)));
    buffer_finish(&decoded);
    buffer_finish(&encoded);
    buffer_finish(&again);
    return 0;
}
