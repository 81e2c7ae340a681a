/* SPDX-License-Identifier: ISC */
#include "search/key.h"
#include "text/tests/check.h"

static void
keys_are_folded_and_have_single_blanks(void **state)
{
    static const struct {
        struct slice text, key;
    } cases[] = {
        {SLICE(""), SLICE("")},
        {SLICE("Hello"), SLICE("HELLO")},
        {SLICE("two  words\r\n on\ttwo\0lines"), SLICE("TWO WORDS ON TWO LINES")},
        {SLICE(" \r\n "), SLICE(" ")},
        {SLICE("\xC3\xA9t\xC3\xA9"), SLICE("E\xCC\x81TE\xCC\x81")},
        {SLICE("\xE9"), SLICE("\xEF\xBF\xBD")},
        {SLICE("中国 人"), SLICE("中国 人")},
        {SLICE("a\x7F\x01z"), SLICE("A Z")},
    };
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 1000);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        buffer_clear(&buffer);
        search_key_put(&buffer, cases[i].text);
        assert_slice(buffer_slice(&buffer), cases[i].key);
    }
    /* in pieces */
    buffer_clear(&buffer);
    search_key_put(&buffer, SLICE("one \r"));
    search_key_put(&buffer, SLICE("\n two"));
    assert_slice(buffer_slice(&buffer), SLICE("ONE TWO"));
    buffer_finish(&buffer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_folded_and_have_single_blanks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
