/* SPDX-License-Identifier: ISC */
#include "routing/sts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buffer.h"

/* RFC 8461 §3.1 */
static void
a_record_has_one_version_and_one_id(void **state)
{
    static const struct {
        const char *text, *id; /* NULL: no record */
    } cases[] = {
        {"v=STSv1; id=20160831085700Z;", "20160831085700Z"},
        {"v=STSv1;id=1", "1"},
        {"v=STSv1 ; other=x ; id=a9 ;", "a9"},
        {"v=STSv1; id=12345678901234567890123456789012;", "12345678901234567890123456789012"},
        {"v=STSv1; id=123456789012345678901234567890123;", NULL},
        {"v=STSv1; id=;", NULL},
        {"v=STSv1; id=1-2;", NULL},
        {"v=STSv1; id=1; id=2;", NULL},
        {"v=STSv1;", NULL},
        {"v=STSv2; id=1;", NULL},
        {"v=spf1 -all", NULL},
        {"id=1; v=STSv1;", NULL},
        {"", NULL},
    };
    (void)state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct slice id = SLICE("untouched");
        bool is_record = routing_sts_record_parse(slice_of_string(cases[i].text), &id);
        assert_int_equal(is_record, cases[i].id != NULL);
        assert_true(
            slice_equal(id, cases[i].id ? slice_of_string(cases[i].id) : SLICE("untouched")));
    }
}

/* RFC 8461 §3.2 */
static void
a_policy_says_mode_hosts_and_age(void **state)
{
    struct routing_sts_policy policy;
    struct arena arena;
    (void)state;

    arena_init(&arena, 1 << 20);
    assert_true(routing_sts_policy_parse(SLICE("version: STSv1\r\nmode: enforce\r\n"
                                               "mx: Mail.example.com\r\nmx: *.example.net\r\n"
                                               "max_age: 604800\r\n"),
                                         &arena, &policy));
    assert_int_equal(policy.mode, ROUTING_STS_ENFORCE);
    assert_int_equal(policy.max_age_s, 604800);
    assert_int_equal(policy.pattern_count, 2);
    assert_true(routing_sts_allows(&policy, SLICE("MAIL.example.com")));
    assert_true(routing_sts_allows(&policy, SLICE("a.example.net")));
    assert_false(routing_sts_allows(&policy, SLICE("a.b.example.net")));
    assert_false(routing_sts_allows(&policy, SLICE("example.net")));
    assert_false(routing_sts_allows(&policy, SLICE("other.example.com")));
    /* What is put says the same. */
    struct buffer text;
    buffer_init(&text, ROUTING_STS_TEXT_MAX);
    routing_sts_policy_put(&text, &policy);
    assert_true(slice_equal(buffer_slice(&text),
                            SLICE("version: STSv1\nmode: enforce\nmx: mail.example.com\n"
                                  "mx: *.example.net\nmax_age: 604800\n")));
    buffer_finish(&text);
    /* The first of a field counts; what is not known is passed over. */
    assert_true(routing_sts_policy_parse(
        SLICE(
            "\nmode:testing\nmode: enforce\nnew: thing\nversion:STSv1\nmx:a\nmax_age:1\nmax_age:x"),
        &arena, &policy));
    assert_int_equal(policy.mode, ROUTING_STS_TESTING);
    assert_int_equal(policy.max_age_s, 1);
    assert_true(routing_sts_policy_parse(SLICE("version: STSv1\nmode: none\nmax_age: 9999999999\n"),
                                         &arena, &policy));
    assert_int_equal(policy.max_age_s, ROUTING_STS_AGE_MAX_S);
    arena_finish(&arena);
}

static void
what_is_no_policy_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "version: STSv1\nmode: enforce\nmx: a.test\n",
        "version: STSv1\nmode: enforce\nmax_age: 5\n",
        "version: STSv1\nmx: a.test\nmax_age: 5\n",
        "mode: enforce\nmx: a.test\nmax_age: 5\n",
        "version: STSv2\nmode: enforce\nmx: a.test\nmax_age: 5\n",
        "version: STSv1\nmode: strict\nmx: a.test\nmax_age: 5\n",
        "version: STSv1\nmode: enforce\nmx: a test\nmax_age: 5\n",
        "version: STSv1\nmode: enforce\nmx: *.\nmax_age: 5\n",
        "version: STSv1\nmode: enforce\nmx: a.test\nmax_age: -5\n",
        "version: STSv1\nmode: enforce\nmx: a.test\nmax_age: 12345678901\n",
        "version: STSv1\nmode: enforce\nmx: a.test\nmax_age: 5\n<html>\n",
    };
    struct routing_sts_policy policy;
    struct arena arena;
    (void)state;

    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        assert_false(routing_sts_policy_parse(slice_of_string(texts[i]), &arena, &policy));
    arena_finish(&arena);
}

static void
a_policy_has_no_more_hosts_than_the_limit(void **state)
{
    struct routing_sts_policy policy;
    struct buffer text;
    struct arena arena;
    (void)state;

    arena_init(&arena, 1 << 20);
    buffer_init(&text, ROUTING_STS_POLICY_MAX);
    buffer_put_text(&text, "version: STSv1\nmode: enforce\nmax_age: 5\n");
    for (size_t i = 0; i < ROUTING_STS_PATTERNS_MAX; i++)
        buffer_put_text(&text, "mx: a.test\n");
    assert_true(routing_sts_policy_parse(buffer_slice(&text), &arena, &policy));
    buffer_put_text(&text, "mx: a.test\n");
    assert_false(routing_sts_policy_parse(buffer_slice(&text), &arena, &policy));
    buffer_finish(&text);
    arena_finish(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_has_one_version_and_one_id),
        cmocka_unit_test(a_policy_says_mode_hosts_and_age),
        cmocka_unit_test(what_is_no_policy_is_refused),
        cmocka_unit_test(a_policy_has_no_more_hosts_than_the_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
