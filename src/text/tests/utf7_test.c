/* SPDX-License-Identifier: ISC */
#include "text/utf7.h"
#include "text/tests/check.h"

/* RFC 3501 §5.1.3's example, and others. */
static const struct {
    struct slice utf8, utf7;
} names[] = {
    {SLICE("~peter/mail/\xE5\x8F\xB0\xE5\x8C\x97/\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E"),
     SLICE("~peter/mail/&U,BTFw-/&ZeVnLIqe-")},
    {SLICE(""), SLICE("")},
    {SLICE("INBOX"), SLICE("INBOX")},
    {SLICE("Tom & Jerry"), SLICE("Tom &- Jerry")},
    {SLICE("\xC3\x89l\xC3\xA9ments envoy\xC3\xA9s"), SLICE("&AMk-l&AOk-ments envoy&AOk-s")},
    {SLICE("\xC3\xA9&"), SLICE("&AOk-&-")},
    {SLICE("&&-"), SLICE("&-&--")},
    {SLICE("\xF0\x9F\x98\x80"), SLICE("&2D3eAA-")},
    {SLICE("\xE2\x98\xBA!"), SLICE("&Jjo-!")},
};

static void
names_go_both_ways(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out, 200);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        buffer_clear(&out);
        assert_true(utf7_encode(names[i].utf8, &out));
        assert_slice(buffer_slice(&out), names[i].utf7);
        buffer_clear(&out);
        assert_true(utf7_decode(names[i].utf7, &out));
        assert_slice(buffer_slice(&out), names[i].utf8);
    }
    buffer_finish(&out);
}

static void
a_second_form_of_a_name_is_refused(void **state)
{
    static const struct slice bad[] = {
        SLICE("&"), SLICE("a&b"), SLICE("&Jjo"), SLICE("&Jjo!"), SLICE("&J-"), SLICE("&Jj-"),
        SLICE("&AOl-"),               /* left-over bits are not zero */
        SLICE("&AEE-"),               /* 'A' needs no shift */
        SLICE("&AOkAQQ-"),            /* nor inside one */
        SLICE("&AOk-&AOk-"),          /* one shift would do */
        SLICE("&2D0-"), SLICE("&3gA-"), SLICE("&3gDYPQ-"), /* lone surrogates */
        SLICE("&AOkA-"),              /* six bits too many */
        SLICE("\xC3\xA9"), SLICE("a\tb"), SLICE("&AO/-"), SLICE("a\x7F"),
    };
    struct buffer out;

    (void)state;
    buffer_init(&out, 200);
    buffer_put(&out, SLICE("before"));
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (utf7_decode(bad[i], &out))
            fail_msg("accepted: %.*s", (int)bad[i].len, (const char *)bad[i].at);
        assert_slice(buffer_slice(&out), SLICE("before"));
    }
    assert_false(utf7_encode(SLICE("a\xE9"), &out));
    assert_slice(buffer_slice(&out), SLICE("before"));
    buffer_finish(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_go_both_ways),
        cmocka_unit_test(a_second_form_of_a_name_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
