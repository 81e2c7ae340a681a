/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "message/rewrite.h"

#include <string.h>

enum { RULES_MAX = 8 };

struct setup {
    struct rewrite_rule room[RULES_MAX];
    struct rewrite_rules rules;
};

static void
set_rules(struct setup *setup)
{
    static const char *const texts[] = {
        "fred@host.truc.fr Fred.Dupont@truc.fr", "@old.fr\t @new.fr", "@*.truc.fr @truc.fr",
        "odd@truc.fr two words@truc.fr", /* no rule: three words */
    };

    *setup = (struct setup){.rules = {.at = setup->room}};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (!rewrite_rule_parse(slice_of_string(texts[i]), &setup->room[setup->rules.count]))
            setup->rules.count++;
    assert_int_equal(setup->rules.count, 3);
}

static void
assert_header(const char *header, const char *expected)
{
    struct setup setup;
    struct arena arena;
    struct buffer out;

    set_rules(&setup);
    arena_init(&arena, 1024 * 1024);
    buffer_init(&out, 64 * 1024);
    rewrite_header(&setup.rules, slice_of_string(header), &arena, &out);
    buffer_put_byte(&out, 0);
    assert_string_equal((const char *)buffer_slice(&out).at, expected);
    buffer_finish(&out);
    arena_finish(&arena);
}

static void
rules_are_read_or_refused(void **state)
{
    static const char *const bad[] = {"",          "a@b",         "a@b c", "@b c@d",
                                      "@*.b @*.c", "a@b c@d e@f", "@ @b",  "b @c d"};
    struct rewrite_rule rule;
    (void)state;

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_non_null(rewrite_rule_parse(slice_of_string(bad[i]), &rule));
    assert_null(rewrite_rule_parse(SLICE(" @*.b.org  @b.org "), &rule));
    assert_true(rule.is_below && rule.from_local.len == 0 && rule.to_local.len == 0);
}

static void
a_list_of_rules_says_which_is_wrong(void **state)
{
    const struct slice texts[] = {SLICE("@a.org @b.org"), SLICE("@a.org"), SLICE("x")};
    struct rewrite_rules rules = {0};
    struct arena arena;
    size_t bad = 9;
    (void)state;

    arena_init(&arena, 4096);
    assert_non_null(rewrite_rules_parse(texts, COUNT_OF(texts), &arena, &rules, &bad));
    assert_int_equal(bad, 1);
    assert_int_equal(rules.count, 0);
    assert_null(rewrite_rules_parse(texts, 1, &arena, &rules, &bad));
    assert_int_equal(rules.count, 1);
    assert_null(rewrite_rules_parse(texts, 0, &arena, &rules, &bad));
    assert_int_equal(rules.count, 0);
    arena_finish(&arena);
}

static void
only_addresses_that_a_rule_is_about_change(void **state)
{
    (void)state;
    assert_header(
        "From: \"Fred\" (me, fred@host.truc.fr) <FRED@host.TRUC.fr>\r\n"
        "To: a@www.truc.fr, \"x y\"@old.fr,\r\n b@truc.fr (B), Team: c@sub.www.truc.fr;\r\n"
        "Subject: from fred@host.truc.fr\r\n"
        "X-From: fred@host.truc.fr\r\n"
        "cc : d@nottruc.fr,e@old.fr\r\n",
        "From: \"Fred\" (me, fred@host.truc.fr) <Fred.Dupont@truc.fr>\r\n"
        "To: a@truc.fr, \"x y\"@new.fr,\r\n b@truc.fr (B), Team: c@truc.fr;\r\n"
        "Subject: from fred@host.truc.fr\r\n"
        "X-From: fred@host.truc.fr\r\n"
        "cc : d@nottruc.fr,e@new.fr\r\n");
}

static void
odd_spellings_are_written_anew(void **state)
{
    (void)state;
    assert_header("Sender: Fred <fred @ old.fr>\r\n", "Sender: Fred <fred@new.fr>\r\n");
    assert_header("Sender: e @ old.fr\r\n", "Sender: e@new.fr\r\n");
    assert_header("From: e@old.fr <e@old.fr>\r\nno field\r\nTo: ,,<>\r\n",
                  "From: e@old.fr <e@new.fr>\r\nno field\r\nTo: ,,<>\r\n");
    assert_header("", "");
    assert_header("To: e@old.fr", "To: e@new.fr");
}

static void
mailboxes_of_an_envelope_change_too(void **state)
{
    struct setup setup;
    struct buffer out;
    (void)state;

    set_rules(&setup);
    buffer_init(&out, 1000);
    assert_true(rewrite_mailbox(&setup.rules, SLICE("\"x y\"@old.fr"), &out));
    assert_true(slice_equal(buffer_slice(&out), SLICE("\"x y\"@new.fr")));
    buffer_clear(&out);
    assert_false(rewrite_mailbox(&setup.rules, SLICE(""), &out));
    assert_false(rewrite_mailbox(&setup.rules, SLICE("postmaster"), &out));
    assert_false(rewrite_mailbox(&setup.rules, SLICE("a@truc.fr"), &out));
    assert_int_equal(buffer_len(&out), 0);
    buffer_finish(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_read_or_refused),
        cmocka_unit_test(a_list_of_rules_says_which_is_wrong),
        cmocka_unit_test(only_addresses_that_a_rule_is_about_change),
        cmocka_unit_test(odd_spellings_are_written_anew),
        cmocka_unit_test(mailboxes_of_an_envelope_change_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
