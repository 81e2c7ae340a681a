/* SPDX-License-Identifier: ISC */
#include "sasl/tests/test.h"

#include "sasl/scram_grammar.h"

static void
values_end_at_a_comma(void **state)
{
    struct cursor cursor = cursor_of(SLICE("n=user,r=,x"));
    struct slice value;

    (void)state;
    assert_false(sasl_scram_take_value(&cursor, 'r', &value));
    assert_true(sasl_scram_take_value(&cursor, 'n', &value));
    assert_slice(value, "user");
    assert_int_equal(cursor_peek(&cursor), ',');
    assert_true(cursor_take_byte(&cursor, ','));
    assert_true(sasl_scram_take_value(&cursor, 'r', &value));
    assert_slice(value, "");
}

static void
only_optional_extensions_are_passed_over(void **state)
{
    static const struct {
        const char *text;
        bool is_good;
    } rows[] = {
        {"", true},        {",a=1", true},  {",a=1,Z=2==", true}, {",", false},
        {",a", false},     {",a=", false},  {",m=1", false},      {",1=x", false},
        {"a=1", false},    {",a=1,", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct cursor cursor = cursor_of(slice_of_string(rows[i].text));
        assert_int_equal(sasl_scram_skip_extensions(&cursor), rows[i].is_good);
    }
}

static void
nonces_are_printable_and_bounded(void **state)
{
    (void)state;
    assert_true(sasl_scram_nonce_is_valid(SLICE("!~+/="), 5));
    assert_false(sasl_scram_nonce_is_valid(SLICE("!~+/=x"), 5));
    assert_false(sasl_scram_nonce_is_valid(SLICE(""), 5));
    assert_false(sasl_scram_nonce_is_valid(SLICE("a,b"), 5));
    assert_false(sasl_scram_nonce_is_valid(SLICE("a b"), 5));
    assert_false(sasl_scram_nonce_is_valid(SLICE("a\x7F"), 5));
}

static void
names_survive_encoding(void **state)
{
    static const char *const bad[] = {"", "a=", "a=2", "a=2c", "a=3E", "=="};
    struct buffer wire, name;

    (void)state;
    buffer_init(&wire, 64);
    buffer_init(&name, 64);
    sasl_scram_put_name(&wire, SLICE("a,b=c=2C"));
    assert_slice(buffer_slice(&wire), "a=2Cb=3Dc=3D2C");
    assert_true(sasl_scram_put_name_decoded(&name, buffer_slice(&wire)));
    assert_slice(buffer_slice(&name), "a,b=c=2C");
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(sasl_scram_put_name_decoded(&name, slice_of_string(bad[i])));
    assert_false(sasl_scram_put_name_decoded(&name, SLICE("a\0b")));
    buffer_finish(&name);
    buffer_finish(&wire);
}

static void
digests_have_one_length(void **state)
{
    uint8_t digest[SASL_DIGEST_MAX];

    (void)state;
    assert_true(sasl_scram_digest_parse(SLICE("3q2+796tvu/erb7v3q2+796tvu8="), 20, digest));
    assert_int_equal(digest[0], 0xDE);
    assert_false(sasl_scram_digest_parse(SLICE("3q2+796tvu/erb7v3q2+796tvu8="), 32, digest));
    assert_false(sasl_scram_digest_parse(SLICE("3q2+796tvu/erb7v3q2+796tvg=="), 20, digest));
    assert_false(sasl_scram_digest_parse(SLICE(""), 20, digest));
}

static void
mixing_twice_changes_nothing(void **state)
{
    const uint8_t left[4] = {1, 2, 3, 255}, right[4] = {255, 0, 3, 7};
    uint8_t mix[4];

    (void)state;
    sasl_scram_mix(left, right, 4, mix);
    assert_memory_equal(mix, ((uint8_t[4]){254, 2, 0, 248}), 4);
    sasl_scram_mix(mix, right, 4, mix);
    assert_memory_equal(mix, left, 4);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_end_at_a_comma),
        cmocka_unit_test(only_optional_extensions_are_passed_over),
        cmocka_unit_test(nonces_are_printable_and_bounded),
        cmocka_unit_test(names_survive_encoding),
        cmocka_unit_test(digests_have_one_length),
        cmocka_unit_test(mixing_twice_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
