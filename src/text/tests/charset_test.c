/* SPDX-License-Identifier: ISC */
#include "text/charset.h"
#include "text/tests/check.h"
#include "text/utf8.h"

static void
sets_are_found_under_all_their_names(void **state)
{
    static const struct {
        const char *name, *found;
    } names[] = {
        {"utf-8", "utf-8"},
        {"UTF8", "utf-8"},
        {"Utf_8", "utf-8"},
        {"unicode-1-1-utf-8", "utf-8"},
        {"US-ASCII", "us-ascii"},
        {"ANSI_X3.4-1968", "us-ascii"},
        {"ascii", "us-ascii"},
        {"ISO-8859-1", "iso-8859-1"},
        {"latin1", "iso-8859-1"},
        {"ISO_8859-1:1987", "iso-8859-1"},
        {"iso8859-15", "iso-8859-15"},
        {"cp1252", "windows-1252"},
        {"x-sjis", "shift_jis"},
        {"\"koi8-r\"", "koi8-r"},
        {"GB2312", "gb18030"},
        {"ks_c_5601-1987", "euc-kr"},
        {"x-mac-roman", "macintosh"},
        {"iso-2022-jp", "iso-2022-jp"},
        {"iso-8859-8-i", "iso-8859-8"},
        {"UTF-16LE", "utf-16le"},
        {"x-unknown", ""},
        {"", ""},
        {"x", ""},
        {"-", ""},
        {"iso-8859-12", ""},
        {"ISO-2022-CN-EXT", ""},
        {"utf-8//TRANSLIT", ""},
        {"a-name-with-many-many-many-many-many-letters-that-is-none-of-ours", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const struct charset *charset = charset_find(slice_of_string(names[i].name));
        struct slice found = charset ? charset_name(charset) : SLICE("");
        assert_slice(found, slice_of_string(names[i].found));
    }
}

static void
each_set_finds_itself_and_reads_ascii(void **state)
{
    const struct charset *charset;
    struct buffer out;
    size_t place = 0, count = 0;

    (void)state;
    buffer_init(&out, 100);
    while ((charset = charset_next(&place))) {
        struct slice name = charset_name(charset);
        assert_ptr_equal(charset_find(name), charset);
        count++;
        if (slice_starts_with(name, SLICE("utf-16")) || slice_starts_with(name, SLICE("utf-32")))
            continue;
        buffer_clear(&out);
        struct charset_report report = charset_to_utf8(charset, SLICE("Hello, 42!\r\n"), &out);
        assert_slice(buffer_slice(&out), SLICE("Hello, 42!\r\n"));
        assert_int_equal(report.bad_count, 0);
        assert_false(report.is_unknown || report.is_mislabelled);
    }
    assert_true(count > 60);
    buffer_finish(&out);
}

static const struct {
    const char *name;
    struct slice text;
    const char *utf8;
    unsigned bad_count;
} texts[] = {
    {"iso-8859-1", SLICE("G\xE9rard Florin"), "Gérard Florin", 0},
    {"iso-8859-1", SLICE("\x80 10 \x93ok\x94"), "€ 10 “ok”", 0},
    {"windows-1252", SLICE("\x81"), "\uFFFD", 1},
    {"iso-8859-15", SLICE("\xA4\xBD"), "€œ", 0},
    {"iso-8859-2", SLICE("\xB1\xE6"), "ąć", 0},
    {"koi8-r", SLICE("\xF0\xD2\xC9\xD7\xC5\xD4"), "Привет", 0},
    {"windows-1251", SLICE("\xCF\xF0\xE8\xE2\xE5\xF2"), "Привет", 0},
    {"iso-8859-7", SLICE("\xE1\xE2\xE3"), "αβγ", 0},
    {"ibm850", SLICE("\x82\x84"), "éä", 0},
    {"macintosh", SLICE("\x8E"), "é", 0},
    {"utf-8", SLICE("\xEF\xBB\xBF\xC3\xA9"), "é", 0},
    {"utf-8", SLICE("a\xE9z\xC3"), "a\uFFFDz\uFFFD", 2},
    {"utf-16", SLICE("\xFF\xFE\xE9\x00"), "é", 0},
    {"utf-16", SLICE("\xFE\xFF\x00\xE9"), "é", 0},
    {"utf-16", SLICE("\x00\xE9\x00x"), "éx", 0},
    {"utf-16le", SLICE("\xFF\xFE\xE9\x00x\x00"), "éx", 0},
    {"utf-16be", SLICE("\xD8\x3D\xDE\x00"), "😀", 0},
    {"utf-16be", SLICE("\x00x\x00"), "x\uFFFD", 1},
    {"utf-32", SLICE("\x00\x00\x00\xE9"), "é", 0},
    {"utf-32", SLICE("\xFF\xFE\x00\x00\xE9\x00\x00\x00"), "é", 0},
    {"utf-7", SLICE("Hi Mom -+Jjo--!"), "Hi Mom -☺-!", 0},
    {"iso-2022-jp", SLICE("\x1B$BF|K\\8l\x1B(B."), "日本語.", 0},
    {"shift_jis", SLICE("\x93\xFA\x96\x7B\x8C\xEA"), "日本語", 0},
    {"euc-jp", SLICE("\xC6\xFC\xCB\xDC\xB8\xEC"), "日本語", 0},
    {"gb2312", SLICE("\xD6\xD0\xCE\xC4"), "中文", 0},
    {"big5", SLICE("\xA4\xA4\xA4\xE5"), "中文", 0},
    {"euc-kr", SLICE("\xC7\xD1\xB1\xDB"), "한글", 0},
    {"gb18030", SLICE("\xD6\xD0\xD6"), "中\uFFFD", 1},
    {"shift_jis", SLICE("a\x93"), "a\uFFFD", 1},
};

static void
texts_of_all_scripts_are_read_in_pieces_too(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out, 200);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        const struct charset *charset = charset_find(slice_of_string(texts[i].name));
        assert_non_null(charset);
        for (size_t split = 0; split <= texts[i].text.len; split++) {
            struct charset_decoder decoder;
            buffer_clear(&out);
            charset_decoder_init(&decoder, charset);
            charset_decoder_feed(&decoder, slice_first(texts[i].text, split), &out);
            charset_decoder_feed(&decoder, slice_skip(texts[i].text, split), &out);
            charset_decoder_finish(&decoder, &out);
            assert_slice(buffer_slice(&out), slice_of_string(texts[i].utf8));
            assert_int_equal(decoder.report.bad_count, texts[i].bad_count);
        }
    }
    buffer_finish(&out);
}

static void
wrong_and_unknown_labels_are_guessed_and_reported(void **state)
{
    const struct charset *ascii = charset_find(SLICE("us-ascii"));
    struct charset_report report;
    struct buffer out;

    (void)state;
    buffer_init(&out, 200);
    report = charset_to_utf8(ascii, SLICE("caf\xE9"), &out);
    assert_true(report.is_mislabelled);
    assert_slice(buffer_slice(&out), slice_of_string("café"));
    buffer_clear(&out);
    report = charset_to_utf8(ascii, SLICE("caf\xC3\xA9"), &out);
    assert_true(report.is_mislabelled);
    assert_slice(buffer_slice(&out), slice_of_string("café"));
    buffer_clear(&out);
    report = charset_to_utf8(NULL, SLICE("caf\xE9 \x80"), &out);
    assert_true(report.is_unknown);
    assert_slice(buffer_slice(&out), slice_of_string("café €"));
    buffer_clear(&out);
    report = charset_to_utf8(NULL, SLICE("plain"), &out);
    assert_true(report.is_unknown && !report.is_mislabelled);
    assert_slice(buffer_slice(&out), SLICE("plain"));
    buffer_finish(&out);
}

static void
the_narrowest_set_is_chosen(void **state)
{
    static const struct {
        const char *text, *name;
    } cases[] = {
        {"", "us-ascii"},          {"Hello", "us-ascii"},   {"Gérard", "iso-8859-1"},
        {"œuvre à 10 €", "iso-8859-15"}, {"“quoted”", "utf-8"}, {"日本", "utf-8"},
        {"½ €", "utf-8"},          {"\xC2\x85", "utf-8"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_slice(charset_name(charset_narrowest(slice_of_string(cases[i].text))),
                     slice_of_string(cases[i].name));
    assert_slice(charset_name(charset_narrowest(SLICE("\xE9"))), SLICE("utf-8"));
}

static void
text_is_written_and_what_cannot_be_is_counted(void **state)
{
    struct charset_report report;
    struct buffer out;

    (void)state;
    buffer_init(&out, 200);
    assert_true(charset_from_utf8(charset_find(SLICE("iso-8859-15")),
                                  slice_of_string("10 € ½ é"), &out, &report));
    assert_slice(buffer_slice(&out), SLICE("10 \xA4 ? \xE9"));
    assert_int_equal(report.bad_count, 1);
    buffer_clear(&out);
    assert_true(charset_from_utf8(charset_find(SLICE("us-ascii")),
                                  SLICE("a\xFF"
                                        "b"),
                                  &out, &report));
    assert_slice(buffer_slice(&out), SLICE("a?b"));
    buffer_clear(&out);
    assert_true(charset_from_utf8(charset_find(SLICE("utf-8")), SLICE("a\xFF" "b"), &out, &report));
    assert_slice(buffer_slice(&out), slice_of_string("a\uFFFDb"));
    assert_int_equal(report.bad_count, 1);
    buffer_clear(&out);
    assert_false(charset_from_utf8(charset_find(SLICE("big5")), SLICE("a"), &out, &report));
    assert_int_equal(buffer_len(&out), 0);
    buffer_finish(&out);
}

/* All octets of all sets with one octet a character: what can be written reads back the same. */
static void
single_octet_sets_round_trip(void **state)
{
    const struct charset *charset;
    struct buffer text, back;
    size_t place = 0;

    (void)state;
    buffer_init(&text, 100);
    buffer_init(&back, 100);
    while ((charset = charset_next(&place))) {
        for (unsigned octet = 0xA0; octet < 256; octet++) {
            uint8_t byte = (uint8_t)octet;
            struct charset_report report;
            buffer_clear(&text);
            buffer_clear(&back);
            if (charset_to_utf8(charset, slice_of(&byte, 1), &text).bad_count ||
                !charset_from_utf8(charset, buffer_slice(&text), &back, &report) ||
                slice_equal(charset_name(charset), SLICE("us-ascii")))
                continue;
            assert_int_equal(report.bad_count, 0);
            assert_slice(buffer_slice(&back), slice_of(&byte, 1));
        }
    }
    buffer_finish(&text);
    buffer_finish(&back);
}

static void
modules_open_and_close(void **state)
{
    struct charset_modules *modules = charset_modules_open();

    (void)state;
    assert_non_null(modules);
    charset_modules_close(&modules);
    assert_null(modules);
    charset_modules_close(&modules);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_are_found_under_all_their_names),
        cmocka_unit_test(each_set_finds_itself_and_reads_ascii),
        cmocka_unit_test(texts_of_all_scripts_are_read_in_pieces_too),
        cmocka_unit_test(wrong_and_unknown_labels_are_guessed_and_reported),
        cmocka_unit_test(the_narrowest_set_is_chosen),
        cmocka_unit_test(text_is_written_and_what_cannot_be_is_counted),
        cmocka_unit_test(single_octet_sets_round_trip),
        cmocka_unit_test(modules_open_and_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
