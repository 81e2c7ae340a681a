/* SPDX-License-Identifier: ISC */
/* Pieces of any size give what the whole gives, and any window of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "imap/binary.h"
#include "mime/decode.h"

static const struct {
    enum mime_encoding encoding;
    struct slice text;
} cases[] = {
    {MIME_ENCODING_BASE64, {(const uint8_t *)"SGVsbG8sIFdvcmxkIQA=\r\n", 22}},
    {MIME_ENCODING_BASE64, {(const uint8_t *)"SGVs\r\nbG8*sIFdvcmxk", 19}},
    {MIME_ENCODING_QUOTED_PRINTABLE, {(const uint8_t *)"=48ello=  \r\n, a  \r\n=C3=A9=", 26}},
    {MIME_ENCODING_8BIT, {(const uint8_t *)"as it is\r\n", 10}},
    {MIME_ENCODING_BINARY, {(const uint8_t *)"a\0b", 3}},
};

static void
make(struct buffer *out, struct imap_binary *binary, enum mime_encoding encoding, struct slice text,
     size_t piece, uint64_t from, uint64_t end)
{
    buffer_clear(out);
    imap_binary_begin(binary, encoding, from, end, out);
    for (; text.len > 0; text = slice_skip(text, piece))
        imap_binary_feed(binary, slice_first(text, piece));
    imap_binary_finish(binary);
}

static void
pieces_give_what_the_whole_gives(void **state)
{
    struct imap_binary binary;
    struct buffer whole, made;

    (void)state;
    buffer_init(&whole, 1000);
    buffer_init(&made, 1000);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct slice text = cases[i].text;
        buffer_clear(&whole);
        mime_decode(&whole, text, cases[i].encoding, NULL, 0);
        struct slice all = buffer_slice(&whole);
        for (size_t piece = 1; piece <= text.len; piece++) {
            make(&made, &binary, cases[i].encoding, text, piece, 0, UINT64_MAX);
            assert_true(slice_equal(buffer_slice(&made), all));
            assert_int_equal(binary.made, all.len);
            assert_int_equal(binary.has_zero, slice_find_byte(all, 0) < all.len);
            for (size_t from = 0; from <= all.len; from++) {
                make(&made, &binary, cases[i].encoding, text, piece, from, from + 3);
                size_t end = from + 3 < all.len ? from + 3 : all.len;
                assert_true(slice_equal(buffer_slice(&made), slice_between(all, from, end)));
            }
        }
    }
    buffer_finish(&whole);
    buffer_finish(&made);
}

static void
only_what_has_no_pieces_is_made_at_once(void **state)
{
    struct imap_binary binary;

    (void)state;
    assert_true(imap_binary_can(MIME_ENCODING_BASE64));
    assert_false(imap_binary_can(MIME_ENCODING_UUENCODE));
    imap_binary_begin(&binary, MIME_ENCODING_BASE64, 0, UINT64_MAX, NULL);
    imap_binary_feed(&binary, SLICE("SGVsbG8="));
    imap_binary_finish(&binary);
    assert_int_equal(binary.made, 5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_give_what_the_whole_gives),
        cmocka_unit_test(only_what_has_no_pieces_is_made_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
