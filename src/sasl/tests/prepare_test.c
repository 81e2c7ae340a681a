/* SPDX-License-Identifier: ISC */
#include "sasl/tests/test.h"

#include "sasl/prepare.h"

static void
prepares_as_rfc_4013_shows(void **state)
{
    static const struct {
        const char *text, *prepared; /* NULL: refused */
    } rows[] = {
        {"I\xC2\xADX", "IX"},   /* §3: soft hyphen mapped to nothing */
        {"user", "user"},       /* §3 */
        {"USER", "USER"},       /* §3: case preserved */
        {"\xC2\xAA", "a"},      /* §3: NFKC */
        {"\xE2\x85\xA8", "IX"}, /* §3: NFKC */
        {"\x07", NULL},         /* §3: prohibited character */
        {"\xD8\xA7\x31", NULL}, /* §3: bidirectional check */
        {"a\xC2\xA0z", "a z"},  /* §2.1: non-ASCII space */
        {"pass word", "pass word"},
        {"e\xCC\x81", "\xC3\xA9"},                /* combining accent */
        {"\xF0\x9F\xA6\x8A", "\xF0\x9F\xA6\x8A"}, /* younger than Unicode 3.2 */
        {"\xC2\xAD", NULL},                       /* nothing is left */
        {"", NULL},
        {"\xFF", NULL},         /* no UTF-8 */
        {"\xEE\x80\x80", NULL}, /* private use */
        {"tab\there", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buffer buffer;
        buffer_init(&buffer, 64);
        bool is_prepared = sasl_prepare(&buffer, slice_of_string(rows[i].text));
        assert_int_equal(is_prepared, rows[i].prepared != NULL);
        assert_slice(buffer_slice(&buffer), rows[i].prepared ? rows[i].prepared : "");
        buffer_finish(&buffer);
    }
}

static void
what_does_not_fit_is_refused(void **state)
{
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 3);
    assert_false(sasl_prepare(&buffer, SLICE("four")));
    /* U+FDFA becomes 33 octets. */
    assert_false(sasl_prepare(&buffer, SLICE("\xEF\xB7\xBA")));
    assert_true(sasl_prepare(&buffer, SLICE("two")));
    assert_false(sasl_prepare(&buffer, SLICE("a\0b")));
    buffer_clear(&buffer);
    assert_false(sasl_prepare(&buffer, SLICE("a\x7F")));
    buffer_finish(&buffer);
    for (size_t room = 32; room <= 33; room++) {
        buffer_init(&buffer, room);
        assert_int_equal(sasl_prepare(&buffer, SLICE("\xEF\xB7\xBA")), room == 33);
        buffer_finish(&buffer);
    }
}

static void
passwords_have_a_bound(void **state)
{
    enum { BOUND = 1024 };
    uint8_t text[BOUND + 1];
    struct buffer buffer;

    (void)state;
    memset(text, 'p', sizeof(text));
    buffer_init(&buffer, sizeof(text));
    assert_false(sasl_prepare(&buffer, slice_of(text, BOUND + 1)));
    assert_true(sasl_prepare(&buffer, slice_of(text, BOUND)));
    assert_int_equal(buffer_len(&buffer), BOUND);
    buffer_finish(&buffer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prepares_as_rfc_4013_shows),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(passwords_have_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
