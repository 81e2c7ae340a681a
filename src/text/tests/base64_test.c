/* SPDX-License-Identifier: ISC */
#include "text/base64.h"
#include "text/tests/check.h"

/* Case D5 of the courses, and RFC 4648 §10. */
static const struct {
    struct slice bytes, text;
} pairs[] = {
    {SLICE("\x23\x5C\x91"), SLICE("I1yR")},
    {SLICE("\x23\x5C"), SLICE("I1w=")},
    {SLICE(""), SLICE("")},
    {SLICE("f"), SLICE("Zg==")},
    {SLICE("fo"), SLICE("Zm8=")},
    {SLICE("foo"), SLICE("Zm9v")},
    {SLICE("foob"), SLICE("Zm9vYg==")},
    {SLICE("fooba"), SLICE("Zm9vYmE=")},
    {SLICE("foobar"), SLICE("Zm9vYmFy")},
    {SLICE("\x00\xFF\xFE\x10"), SLICE("AP/+EA==")},
};

static void
octets_and_text_go_both_ways(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out, 100);
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        buffer_clear(&out);
        base64_format(pairs[i].bytes, &out);
        assert_slice(buffer_slice(&out), pairs[i].text);
        buffer_clear(&out);
        assert_true(base64_parse(pairs[i].text, &out));
        assert_slice(buffer_slice(&out), pairs[i].bytes);
        buffer_clear(&out);
        struct base64_report report = base64_decode(pairs[i].text, &out);
        assert_slice(buffer_slice(&out), pairs[i].bytes);
        assert_false(report.stray_count || report.has_late || report.is_cut);
    }
    buffer_finish(&out);
}

static void
strict_form_refuses_all_else(void **state)
{
    static const struct slice bad[] = {
        SLICE("Zg"),
        SLICE("Zg="),
        SLICE("Zg==="),
        SLICE("Zh=="),
        SLICE("Zm9="),
        SLICE("Zm9v\r\n"),
        SLICE("Z=g="),
        SLICE("===="),
        SLICE("=Zg="),
        SLICE("Zm9-"),
        SLICE("Zg==Zg=="),
        SLICE("Zm 9"),
        SLICE("\xC3\xA9\xC3\xA9"),
        SLICE("Zm9*Zm9v"),
        SLICE("Zg=v"),
    };
    struct buffer out;

    (void)state;
    buffer_init(&out, 100);
    buffer_put(&out, SLICE("before"));
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (base64_parse(bad[i], &out))
            fail_msg("accepted: %.*s", (int)bad[i].len, (const char *)bad[i].at);
        assert_slice(buffer_slice(&out), SLICE("before"));
    }
    buffer_finish(&out);
}

static void
line_breaks_are_passed_over_and_the_first_stray_octet_is_named(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out, 100);
    struct base64_report report = base64_decode(SLICE("Zm\r\n9v\n Y\tmFy\r\n"), &out);
    assert_slice(buffer_slice(&out), SLICE("foobar"));
    assert_int_equal(report.stray_count, 0);
    assert_false(report.is_cut);

    buffer_clear(&out);
    report = base64_decode(SLICE("Zm9v\r\nY!mF*y"), &out);
    assert_slice(buffer_slice(&out), SLICE("foobar"));
    assert_int_equal(report.stray_count, 2);
    assert_int_equal(report.stray_offset, 7);
    buffer_finish(&out);
}

static void
what_stands_behind_the_padding_is_not_decoded_but_named(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out, 100);
    struct base64_report report = base64_decode(SLICE("Zg==\r\n\r\n_____\r\nFooter"), &out);
    assert_slice(buffer_slice(&out), SLICE("f"));
    assert_true(report.has_late);
    assert_int_equal(report.late_offset, 8);
    assert_false(report.is_cut);
    assert_int_equal(report.stray_count, 0);
    buffer_finish(&out);
}

static void
text_that_ends_early_gives_what_it_has(void **state)
{
    static const struct {
        struct slice text, bytes;
    } cut[] = {
        {SLICE("Zm9vY"), SLICE("foo")},   {SLICE("Zm9vYg"), SLICE("foob")},
        {SLICE("Zm9vYmE"), SLICE("fooba")}, {SLICE("Zm9vYg="), SLICE("foob")},
    };
    struct buffer out;

    (void)state;
    buffer_init(&out, 100);
    for (size_t i = 0; i < COUNT_OF(cut); i++) {
        buffer_clear(&out);
        assert_true(base64_decode(cut[i].text, &out).is_cut);
        assert_slice(buffer_slice(&out), cut[i].bytes);
    }
    buffer_finish(&out);
}

static void
fill(uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
}

static void
every_split_gives_the_same(void **state)
{
    static uint8_t bytes[200];
    struct buffer text, pieces, out;

    (void)state;
    fill(bytes, sizeof(bytes));
    buffer_init(&text, 1000);
    buffer_init(&pieces, 1000);
    buffer_init(&out, 1000);
    struct base64_encoder encoder;
    base64_encoder_init(&encoder);
    base64_encoder_feed(&encoder, slice_of(bytes, sizeof(bytes)), &text);
    base64_encoder_finish(&encoder, &text);
    assert_int_equal(buffer_len(&text), base64_lines_len(sizeof(bytes)));
    for (size_t split = 0; split <= sizeof(bytes); split++) {
        buffer_clear(&pieces);
        base64_encoder_feed(&encoder, slice_of(bytes, split), &pieces);
        base64_encoder_feed(&encoder, slice_of(bytes + split, sizeof(bytes) - split), &pieces);
        base64_encoder_finish(&encoder, &pieces);
        assert_slice(buffer_slice(&pieces), buffer_slice(&text));
    }
    for (size_t split = 0; split <= buffer_len(&text); split++) {
        struct base64_decoder decoder;
        base64_decoder_init(&decoder);
        buffer_clear(&out);
        base64_decoder_feed(&decoder, slice_first(buffer_slice(&text), split), &out);
        base64_decoder_feed(&decoder, slice_skip(buffer_slice(&text), split), &out);
        base64_decoder_finish(&decoder, &out);
        assert_slice(buffer_slice(&out), slice_of(bytes, sizeof(bytes)));
    }
    buffer_finish(&text);
    buffer_finish(&pieces);
    buffer_finish(&out);
}

static void
lines_have_at_most_76_octets_and_their_length_is_foretold(void **state)
{
    static uint8_t bytes[40000];
    struct buffer text;
    struct base64_encoder encoder;

    (void)state;
    fill(bytes, sizeof(bytes));
    buffer_init(&text, 60000);
    static const size_t lens[] = {0, 1, 56, 57, 58, 113, 114, 115, sizeof(bytes)};
    for (size_t i = 0; i < COUNT_OF(lens); i++) {
        buffer_clear(&text);
        base64_encoder_init(&encoder);
        base64_encoder_feed(&encoder, slice_of(bytes, lens[i]), &text);
        base64_encoder_finish(&encoder, &text);
        assert_int_equal(buffer_len(&text), base64_lines_len(lens[i]));
        struct slice rest = buffer_slice(&text);
        while (rest.len) {
            size_t len = slice_find(rest, SLICE("\r\n"));
            assert_true(len < rest.len && len > 0 && len <= BASE64_LINE_MAX);
            rest = slice_skip(rest, len + 2);
        }
    }
    buffer_finish(&text);
}

static void
an_output_at_its_bound_says_so(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out, 2);
    base64_decode(SLICE("Zm9vYmFy"), &out);
    assert_true(buffer_overflowed(&out));
    buffer_clear(&out);
    assert_false(base64_parse(SLICE("Zm9v"), &out));
    buffer_finish(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(octets_and_text_go_both_ways),
        cmocka_unit_test(strict_form_refuses_all_else),
        cmocka_unit_test(line_breaks_are_passed_over_and_the_first_stray_octet_is_named),
        cmocka_unit_test(what_stands_behind_the_padding_is_not_decoded_but_named),
        cmocka_unit_test(text_that_ends_early_gives_what_it_has),
        cmocka_unit_test(every_split_gives_the_same),
        cmocka_unit_test(lines_have_at_most_76_octets_and_their_length_is_foretold),
        cmocka_unit_test(an_output_at_its_bound_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
