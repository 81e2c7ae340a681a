/* SPDX-License-Identifier: ISC */
#include "text/quoted_printable.h"
#include "text/tests/check.h"

/* Case D4 of the courses (RFC 2045 §6.7's example) and the rules of that section one by one. */
static const struct {
    const char *what;
    struct slice encoded, decoded;
} decodings[] = {
    {"D4", SLICE("Now's the time =\r\nfor all folk to come=\r\n to the aid of their country."),
     SLICE("Now's the time for all folk to come to the aid of their country.")},
    {"rule 1", SLICE("G=E9rard Florin"), SLICE("G\xE9rard Florin")},
    {"equals sign", SLICE("1=3D1"), SLICE("1=1")},
    {"rule 3: blanks at a line's end go", SLICE("a \t \r\nb"), SLICE("a\r\nb")},
    {"rule 3: at the very end too", SLICE("a  "), SLICE("a")},
    {"rule 3: protected blanks stay", SLICE("a =20\r\nb=09\r\n"), SLICE("a  \r\nb\t\r\n")},
    {"rule 4: line ends stay", SLICE("a\r\n\r\nb\r\n"), SLICE("a\r\n\r\nb\r\n")},
    {"bare LF stays", SLICE("a\nb  \nc"), SLICE("a\nb\nc")},
    {"rule 5: soft break", SLICE("a=\r\nb=\nc"), SLICE("abc")},
    {"soft break with blanks behind", SLICE("a= \t\r\nb"), SLICE("ab")},
    {"soft break at the end", SLICE("abc="), SLICE("abc")},
    {"blanks before a soft break stay", SLICE("a  =\r\nb"), SLICE("a  b")},
    {"encoded line end", SLICE("a=0D=0Ab"), SLICE("a\r\nb")},
    {"lower case", SLICE("=e9=C3=a9"), SLICE("\xE9\xC3\xA9")},
    {"no digits", SLICE("a=b c=XY =ZZ"), SLICE("a=b c=XY =ZZ")},
    {"one digit", SLICE("x=4 y=4"), SLICE("x=4 y=4")},
    {"two signs", SLICE("==3D"), SLICE("==")},
    {"blank, then text", SLICE("a= b"), SLICE("a= b")},
    {"lone CR", SLICE("a\rb \r"), SLICE("a\rb \r")},
    {"CR after escape", SLICE("a=\rb"), SLICE("a=\rb")},
    {"8-bit", SLICE("\xC3\xA9"), SLICE("\xC3\xA9")},
    {"NUL", SLICE("a\0b"), SLICE("a\0b")},
};

static void
texts_decode_as_the_rules_say(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out, 1000);
    for (size_t i = 0; i < COUNT_OF(decodings); i++) {
        buffer_clear(&out);
        quoted_printable_decode(decodings[i].encoded, &out);
        assert_slice(buffer_slice(&out), decodings[i].decoded);
        for (size_t split = 0; split <= decodings[i].encoded.len; split++) {
            struct quoted_printable_decoder decoder;
            buffer_clear(&out);
            quoted_printable_decoder_init(&decoder);
            quoted_printable_decoder_feed(&decoder, slice_first(decodings[i].encoded, split), &out);
            quoted_printable_decoder_feed(&decoder, slice_skip(decodings[i].encoded, split), &out);
            quoted_printable_decoder_finish(&decoder, &out);
            assert_slice(buffer_slice(&out), decodings[i].decoded);
        }
    }
    buffer_finish(&out);
}

static void
oddities_are_counted_and_the_first_is_named(void **state)
{
    struct quoted_printable_report report;
    struct buffer out;

    (void)state;
    buffer_init(&out, 1000);
    report = quoted_printable_decode(SLICE("abc=3D\r\n=XY =\r\nd=4"), &out);
    assert_int_equal(report.bad_count, 2);
    assert_int_equal(report.bad_offset, 8);
    assert_true(report.is_cut);
    assert_false(report.has_lower_hex || report.has_long_line);
    report = quoted_printable_decode(SLICE("\xE9\x01=e9"), &out);
    assert_int_equal(report.raw_count, 2);
    assert_true(report.has_lower_hex);
    assert_int_equal(report.bad_count, 0);
    buffer_finish(&out);
}

static void
lines_of_76_are_right_and_of_77_too_long(void **state)
{
    uint8_t line[90];
    struct buffer out;

    (void)state;
    memset(line, 'x', sizeof(line));
    memcpy(line + 76, "\r\n", 2);
    buffer_init(&out, 1000);
    assert_false(quoted_printable_decode(slice_of(line, 78), &out).has_long_line);
    memcpy(line + 76, "x\r\n", 3);
    assert_true(quoted_printable_decode(slice_of(line, 79), &out).has_long_line);
    memcpy(line + 76, "=\r\n", 3);
    assert_true(quoted_printable_decode(slice_of(line, 79), &out).has_long_line);
    buffer_finish(&out);
}

static void
only_the_last_of_very_many_blanks_are_dropped(void **state)
{
    uint8_t line[QUOTED_PRINTABLE_BLANKS_MAX + 3];
    struct buffer out;

    (void)state;
    memset(line, ' ', sizeof(line));
    buffer_init(&out, 1000);
    line[0] = 'x';
    line[QUOTED_PRINTABLE_BLANKS_MAX + 1] = '\n';
    quoted_printable_decode(slice_of(line, QUOTED_PRINTABLE_BLANKS_MAX + 2), &out);
    assert_slice(buffer_slice(&out), SLICE("x\n"));
    buffer_clear(&out);
    line[QUOTED_PRINTABLE_BLANKS_MAX + 1] = ' ';
    line[QUOTED_PRINTABLE_BLANKS_MAX + 2] = '\n';
    quoted_printable_decode(slice_of(line, sizeof(line)), &out);
    assert_slice(buffer_slice(&out), SLICE("x \n"));
    buffer_finish(&out);
}

static const struct {
    struct slice text, encoded;
} encodings[] = {
    {SLICE(""), SLICE("")},
    {SLICE("G\xE9rard = 1\r\n"), SLICE("G=E9rard =3D 1\r\n")},
    {SLICE("end \r\nend\t"), SLICE("end=20\r\nend=09")},
    {SLICE("a\rb\nc"), SLICE("a=0Db=0Ac")},
    {SLICE("From me\r\nto From\r\n"), SLICE("=46rom me\r\nto From\r\n")},
    {SLICE(".\r\n..\r\n."), SLICE("=2E\r\n..\r\n=2E")},
    {SLICE("0123456789012345678901234567890123456789012345678901234567890123456789012345"),
     SLICE("0123456789012345678901234567890123456789012345678901234567890123456789012345")},
    {SLICE("01234567890123456789012345678901234567890123456789012345678901234567890123456"),
     SLICE("012345678901234567890123456789012345678901234567890123456789012345678901234=\r\n56")},
    {SLICE("01234567890123456789012345678901234567890123456789012345678901234567890123\xE9\r\n"),
     SLICE(
         "01234567890123456789012345678901234567890123456789012345678901234567890123=\r\n=E9\r\n")},
    {SLICE("0123456789012345678901234567890123456789012345678901234567890123456789012\xE9\r\n"),
     SLICE("0123456789012345678901234567890123456789012345678901234567890123456789012=E9\r\n")},
    {SLICE("012345678901234567890123456789012345678901234567890123456789012345678901234From x"),
     SLICE("012345678901234567890123456789012345678901234567890123456789012345678901234=\r\n=46rom "
           "x")},
};

static void
texts_are_encoded_in_lines_that_survive_transport(void **state)
{
    struct buffer out, back;

    (void)state;
    buffer_init(&out, 1000);
    buffer_init(&back, 1000);
    for (size_t i = 0; i < COUNT_OF(encodings); i++) {
        buffer_clear(&out);
        buffer_clear(&back);
        quoted_printable_encode(encodings[i].text, &out);
        assert_slice(buffer_slice(&out), encodings[i].encoded);
        struct quoted_printable_report report = quoted_printable_decode(buffer_slice(&out), &back);
        assert_slice(buffer_slice(&back), encodings[i].text);
        assert_false(report.bad_count || report.raw_count || report.has_long_line || report.is_cut);
    }
    buffer_finish(&out);
    buffer_finish(&back);
}

static void
every_octet_is_literal_or_escaped_as_rule_2_says(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out, 1000);
    for (unsigned octet = 33; octet < 256; octet++) {
        uint8_t text[3] = {'x', (uint8_t)octet, 'x'};
        bool is_literal = (octet >= 33 && octet <= 60) || (octet >= 62 && octet <= 126);
        buffer_clear(&out);
        quoted_printable_encode(slice_of(text, 3), &out);
        assert_int_equal(buffer_len(&out), is_literal ? 3 : 5);
        assert_int_equal(quoted_printable_escape_count(slice_of(text, 3)), is_literal ? 0 : 1);
    }
    assert_int_equal(quoted_printable_escape_count(SLICE("a b\r\n\r\n\n")), 1);
    buffer_finish(&out);
}

static void
hostile_repetition_takes_linear_time(void **state)
{
    static const char *const units[] = {" ", "a ", "=", "= ", "\r", "=\r", "=4", "a  \n"};
    struct buffer text, out;

    (void)state;
    buffer_init(&text, 2000000);
    buffer_init(&out, 8000000);
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        buffer_clear(&text);
        buffer_clear(&out);
        while (buffer_len(&text) < 1000000)
            buffer_put_text(&text, units[i]);
        quoted_printable_decode(buffer_slice(&text), &out);
        assert_true(buffer_len(&out) <= buffer_len(&text));
        buffer_clear(&out);
        quoted_printable_encode(buffer_slice(&text), &out);
        assert_true(buffer_len(&out) >= buffer_len(&text));
    }
    buffer_finish(&text);
    buffer_finish(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_decode_as_the_rules_say),
        cmocka_unit_test(oddities_are_counted_and_the_first_is_named),
        cmocka_unit_test(lines_of_76_are_right_and_of_77_too_long),
        cmocka_unit_test(only_the_last_of_very_many_blanks_are_dropped),
        cmocka_unit_test(texts_are_encoded_in_lines_that_survive_transport),
        cmocka_unit_test(every_octet_is_literal_or_escaped_as_rule_2_says),
        cmocka_unit_test(hostile_repetition_takes_linear_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
