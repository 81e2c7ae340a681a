/* SPDX-License-Identifier: ISC */
/* Content of parts; cases D4, D5 and D6 through a whole message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mime/decode.h"
#include "mime/part.h"
#include "mime/uuencode.h"

static void
check_body(const char *body, enum mime_encoding encoding, struct slice expected, uint64_t defects)
{
    struct mime_defects found = {0};
    struct buffer out;

    buffer_init(&out, 1024 * 1024);
    mime_decode(&out, slice_of_string(body), encoding, &found, 1000);
    assert_true(slice_equal(buffer_slice(&out), expected));
    assert_int_equal(found.kinds, defects);
    buffer_finish(&out);
}

#define BIT(kind) (UINT64_C(1) << MIME_DEFECT_##kind)

static void
case_d4_quoted_printable_is_one_line(void **state)
{
    (void)state;
    check_body("Now's the time =\r\nfor all folk to come=\r\n to the aid of their country.",
               MIME_ENCODING_QUOTED_PRINTABLE,
               SLICE("Now's the time for all folk to come to the aid of their country."), 0);
    check_body("a=4", MIME_ENCODING_QUOTED_PRINTABLE, SLICE("a=4"), BIT(QUOTED_PRINTABLE));
}

static void
case_d5_base64_names_what_is_wrong(void **state)
{
    struct mime_defects found = {0};
    struct buffer out;

    (void)state;
    check_body("I1yR", MIME_ENCODING_BASE64, SLICE("\x23\x5C\x91"), 0);
    check_body("I1\r\nw=\r\n", MIME_ENCODING_BASE64, SLICE("\x23\x5C"), 0);
    buffer_init(&out, 100);
    mime_decode(&out, SLICE("I1y!R"), MIME_ENCODING_BASE64, &found, 1000);
    assert_true(slice_equal(buffer_slice(&out), SLICE("\x23\x5C\x91")));
    assert_int_equal(found.items[0].kind, MIME_DEFECT_BASE64);
    assert_int_equal(found.items[0].offset, 1003);
    buffer_finish(&out);
}

static void
uuencoded_bodies_are_decoded(void **state)
{
    (void)state;
    check_body("begin 644 cat.txt\r\n#0V%T\r\n`\r\nend\r\n", MIME_ENCODING_UUENCODE, SLICE("Cat"),
               0);
    check_body("text\nbegin 644 x\n$86)C9 \n`\nend\nmore\n", MIME_ENCODING_UUENCODE, SLICE("abcd"),
               0);
    check_body("begin 644 x\n#0V%T\n", MIME_ENCODING_UUENCODE, SLICE("Cat"), BIT(UUENCODE));
    check_body("no such thing\n", MIME_ENCODING_UUENCODE, SLICE(""), BIT(UUENCODE));
}

static void
uuencoded_lines_come_as_many_as_asked_for(void **state)
{
    struct slice text = SLICE("begin 644 x\n#0V%T\n#0V%T\n`\nend\n");
    struct mime_uudecoder decoder = {0};
    struct cursor cursor = cursor_of(text);
    struct buffer out;

    (void)state;
    buffer_init(&out, 100);
    mime_uudecode(&decoder, &cursor, 1, &out);
    assert_true(slice_equal(buffer_slice(&out), SLICE("Cat")));
    assert_false(cursor_is_done(&cursor) || decoder.has_ended);
    mime_uudecode(&decoder, &cursor, 100, &out);
    assert_true(slice_equal(buffer_slice(&out), SLICE("CatCat")));
    assert_true(cursor_is_done(&cursor) && decoder.has_ended && !decoder.is_bad);
    buffer_finish(&out);
}

static void
other_encodings_are_taken_as_they_are(void **state)
{
    (void)state;
    check_body("a\r\nb", MIME_ENCODING_8BIT, SLICE("a\r\nb"), 0);
    check_body("a\r\nb", MIME_ENCODING_UNKNOWN, SLICE("a\r\nb"), 0);
    check_body("", MIME_ENCODING_BASE64, SLICE(""), 0);
}

static struct slice
text_of(struct buffer *out, const struct mime_tree *tree, size_t index)
{
    const struct mime_part *part = &tree->parts[index];
    struct mime_decoder *decoder =
        mime_decoder_open_text(mime_part_body(tree, part), part->encoding,
                               mime_content_type_charset(&part->content_type), NULL, 0);
    struct slice piece;

    buffer_clear(out);
    while (mime_decoder_next(decoder, &piece))
        buffer_put(out, piece);
    mime_decoder_close(&decoder);
    return buffer_slice(out);
}

static void
case_d6_the_accent_and_the_attachment_are_right(void **state)
{
    struct arena arena;
    struct buffer out;
    struct mime_tree tree;

    (void)state;
    arena_init(&arena, 1024 * 1024);
    buffer_init(&out, 1024);
    mime_tree_parse(SLICE("Content-Type: multipart/mixed; boundary=\"----=_NextPart\"\r\n\r\n"
                          "------=_NextPart\r\nContent-Type: text/plain; charset=\"iso-8859-1\"\r\n"
                          "Content-Transfer-Encoding: quoted-printable\r\n\r\nG=E9rard Florin\r\n"
                          "------=_NextPart\r\nContent-Type: application/msword; name=\"publi.doc\""
                          "\r\nContent-Transfer-Encoding: base64\r\n\r\n0M8R4KGxGuE=\r\n"
                          "------=_NextPart--\r\n"),
                    &arena, &tree);
    assert_int_equal(tree.count, 3);
    assert_true(slice_equal(text_of(&out, &tree, 1), SLICE("G\xC3\xA9rard Florin")));
    const struct mime_part *attachment = &tree.parts[2];
    assert_true(slice_equal(mime_file_name(&attachment->disposition, &attachment->content_type),
                            SLICE("publi.doc")));
    buffer_clear(&out);
    mime_decode(&out, mime_part_body(&tree, attachment), attachment->encoding, &tree.defects, 0);
    assert_true(slice_equal(buffer_slice(&out), SLICE("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1")));
    buffer_finish(&out);
    arena_finish(&arena);
}

static void
text_that_is_not_of_its_charset_is_noted(void **state)
{
    static const char *const charsets[] = {"utf-8", "us-ascii", "x-martian"};
    struct slice piece;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(charsets); i++) {
        struct mime_defects found = {0};
        struct mime_decoder *decoder = mime_decoder_open_text(
            SLICE("caf\xE9"), MIME_ENCODING_8BIT, slice_of_string(charsets[i]), &found, 0);
        while (mime_decoder_next(decoder, &piece))
            assert_true(piece.len > 0);
        assert_int_equal(found.kinds, BIT(CHARSET));
        mime_decoder_close(&decoder);
    }
}

static void
text_that_is_of_its_charset_has_nothing_noted(void **state)
{
    static const struct {
        const char *charset;
        struct slice text;
    } cases[] = {{"utf-8", SLICE("caf\xC3\xA9")},
                 {"us-ascii", SLICE("cafe")},
                 {"iso-8859-1", SLICE("caf\xE9")},
                 {"iso-2022-jp", SLICE("\x1B$B%+\x1B(B")},
                 {"utf-8", SLICE("")}};
    struct slice piece;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct mime_defects found = {0};
        struct mime_decoder *decoder = mime_decoder_open_text(
            cases[i].text, MIME_ENCODING_8BIT, slice_of_string(cases[i].charset), &found, 0);
        while (mime_decoder_next(decoder, &piece))
            assert_true(piece.len > 0);
        assert_int_equal(found.kinds, 0);
        mime_decoder_close(&decoder);
    }
}

static void
long_bodies_come_in_pieces_that_make_the_whole(void **state)
{
    struct buffer body, out;

    (void)state;
    buffer_init(&body, 1024 * 1024);
    buffer_init(&out, 1024 * 1024);
    for (unsigned i = 0; i < 20000; i++)
        buffer_put_text(&body, "=E2=82=AC\r\n");
    struct mime_decoder *decoder = mime_decoder_open_text(
        buffer_slice(&body), MIME_ENCODING_QUOTED_PRINTABLE, SLICE("utf-8"), NULL, 0);
    struct slice piece;
    size_t pieces = 0;
    while (mime_decoder_next(decoder, &piece)) {
        buffer_put(&out, piece);
        pieces++;
    }
    assert_true(pieces > 10);
    assert_int_equal(buffer_len(&out), 20000 * 5);
    for (unsigned i = 0; i < 20000; i++)
        assert_memory_equal(buffer_slice(&out).at + 5 * i, "\xE2\x82\xAC\r\n", 5);
    mime_decoder_close(&decoder);
    /* Closing before the end is legal too. */
    decoder = mime_decoder_open_text(buffer_slice(&body), MIME_ENCODING_8BIT, SLICE("iso-2022-jp"),
                                     NULL, 0);
    assert_true(mime_decoder_next(decoder, &piece));
    mime_decoder_close(&decoder);
    assert_null(decoder);
    mime_decoder_close(&decoder);
    buffer_finish(&body);
    buffer_finish(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_d4_quoted_printable_is_one_line),
        cmocka_unit_test(case_d5_base64_names_what_is_wrong),
        cmocka_unit_test(uuencoded_bodies_are_decoded),
        cmocka_unit_test(uuencoded_lines_come_as_many_as_asked_for),
        cmocka_unit_test(other_encodings_are_taken_as_they_are),
        cmocka_unit_test(case_d6_the_accent_and_the_attachment_are_right),
        cmocka_unit_test(text_that_is_not_of_its_charset_is_noted),
        cmocka_unit_test(text_that_is_of_its_charset_has_nothing_noted),
        cmocka_unit_test(long_bodies_come_in_pieces_that_make_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
