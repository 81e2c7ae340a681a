/* SPDX-License-Identifier: ISC */
#include "directory/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define ACCOUNTS                                                                                   \
    "domain example.test\n"                                                                        \
    "domain other.test same-as=example.test\n"                                                     \
    "domain third.test\n"                                                                          \
    "account alice@example.test id=1\n"                                                            \
    "account bob@example.test id=2 disabled\n"                                                     \
    "account carol@third.test id=3\n"                                                              \
    "alias sales@example.test to=alice@example.test\n"                                             \
    "list team@example.test to=alice@example.test\n"                                               \
    "moved dave@example.test to=dave@elsewhere.test\n"                                             \
    "alias @third.test to=carol@third.test\n"                                                      \
    "relay machin.test\n"

static struct directory *
parse(struct directory_names *const *names, size_t count)
{
    struct directory_options options = {
        .separators = SLICE("+"), .postmaster = SLICE(""), .names = names, .names_count = count};

    return directory_parse(SLICE(ACCOUNTS), &options);
}

static void
assert_names(const char *domain, const char *expected)
{
    struct directory *directory = parse(NULL, 0);
    struct buffer text;

    buffer_init(&text, 4096);
    assert_true(directory_put_names(directory, slice_of_string(domain), &text));
    buffer_put_byte(&text, 0);
    assert_string_equal((const char *)buffer_slice(&text).at, expected);
    buffer_finish(&text);
    directory_close(&directory);
}

static void
every_name_that_takes_mail_is_put(void **state)
{
    (void)state;
    assert_names("example.test",
                 "alice@example.test\ndave@example.test\nsales@example.test\n"
                 "team@example.test\nteam-owner@example.test\nabuse@example.test\n");
    assert_names("Third.TEST", "carol@third.test\n@third.test\nabuse@third.test\n");
}

static void
a_domain_that_stands_for_another_has_the_others_names(void **state)
{
    (void)state;
    assert_names("other.test", "alice@other.test\ndave@other.test\nsales@other.test\n"
                               "team@other.test\nteam-owner@other.test\nabuse@other.test\n");
}

static void
other_domains_have_no_names(void **state)
{
    struct directory *directory = parse(NULL, 0);
    struct buffer text;

    (void)state;
    buffer_init(&text, 4096);
    assert_false(directory_put_names(directory, SLICE("machin.test"), &text));
    assert_false(directory_put_names(directory, SLICE("nowhere.test"), &text));
    assert_int_equal(buffer_len(&text), 0);
    directory_close(&directory);
}

static enum directory_verdict
resolve(struct directory_names *names, const char *address)
{
    struct directory *directory = parse(&names, 1);
    struct directory_answer answer;
    struct arena arena;

    arena_init(&arena, 1 << 20);
    directory_resolve(directory, slice_of_string(address), &arena, &answer);
    arena_finish(&arena);
    directory_close(&directory);
    return answer.verdict;
}

static void
only_names_that_were_told_are_passed_on(void **state)
{
    struct directory_names *names = directory_names_open(
        SLICE("machin.test"), true,
        SLICE("Marc@machin.test\n\"a b\"@machin.test\neve@other.test\nnonsense\n\n"), 7);

    (void)state;
    assert_int_equal(directory_names_count(names), 2);
    assert_int_equal(resolve(names, "marc@machin.test"), DIRECTORY_RELAYED);
    assert_int_equal(resolve(names, "marc+list@MACHIN.test"), DIRECTORY_RELAYED);
    assert_int_equal(resolve(names, "\"a b\"@machin.test"), DIRECTORY_RELAYED);
    assert_int_equal(resolve(names, "postmaster@machin.test"), DIRECTORY_RELAYED);
    assert_int_equal(resolve(names, "eve@machin.test"), DIRECTORY_UNKNOWN);
    assert_int_equal(resolve(names, "marc%x@machin.test"), DIRECTORY_UNKNOWN);
    assert_int_equal(resolve(names, "eve@other.test"), DIRECTORY_UNKNOWN);
    directory_names_close(&names);
}

static void
what_was_told_makes_a_relay_of_a_domain(void **state)
{
    struct directory_names *names =
        directory_names_open(SLICE("new.test"), true, SLICE("a@new.test\n"), 7);

    (void)state;
    assert_int_equal(resolve(names, "a@new.test"), DIRECTORY_RELAYED);
    assert_int_equal(resolve(names, "b@new.test"), DIRECTORY_UNKNOWN);
    assert_int_equal(resolve(names, "b@machin.test"), DIRECTORY_RELAYED);
    directory_names_close(&names);
}

static void
a_catch_all_is_every_name(void **state)
{
    struct directory_names *names =
        directory_names_open(SLICE("machin.test"), true, SLICE("@Machin.test\n"), 7);

    (void)state;
    assert_int_equal(resolve(names, "anybody@machin.test"), DIRECTORY_RELAYED);
    directory_names_close(&names);
}

static void
before_anything_is_told_mail_has_to_wait(void **state)
{
    struct directory_names *names =
        directory_names_open(SLICE("new.test"), false, SLICE("a@new.test\n"), 7);

    (void)state;
    assert_int_equal(resolve(names, "a@new.test"), DIRECTORY_AWAITED);
    assert_int_equal(resolve(names, "postmaster@new.test"), DIRECTORY_RELAYED);
    directory_names_close(&names);
}

static void
before_anything_is_told_the_relays_line_counts(void **state)
{
    struct directory_names *names = directory_names_open(SLICE("machin.test"), false, SLICE(""), 7);

    (void)state;
    assert_int_equal(resolve(names, "anybody@machin.test"), DIRECTORY_RELAYED);
    directory_names_close(&names);
}

/* A list that was told empty has nobody in it: it is not the same as one that was never told. */
static void
nobody_is_nobody(void **state)
{
    struct directory_names *names = directory_names_open(SLICE("machin.test"), true, SLICE(""), 7);

    (void)state;
    assert_int_equal(resolve(names, "marc@machin.test"), DIRECTORY_UNKNOWN);
    directory_names_close(&names);
}

static void
names_above_the_limit_are_passed_over(void **state)
{
    struct buffer text;
    char line[32];

    (void)state;
    buffer_init(&text, DIRECTORY_NAMES_BYTES_MAX);
    for (unsigned i = 0; i <= DIRECTORY_NAMES_MAX; i++) {
        snprintf(line, sizeof(line), "u%u@machin.test\n", i);
        buffer_put_text(&text, line);
    }
    struct directory_names *names =
        directory_names_open(SLICE("machin.test"), true, buffer_slice(&text), 7);
    assert_int_equal(directory_names_count(names), DIRECTORY_NAMES_MAX);
    snprintf(line, sizeof(line), "u%u@machin.test", DIRECTORY_NAMES_MAX - 1);
    assert_true(directory_names_have(names, slice_of_string(line)));
    snprintf(line, sizeof(line), "u%u@machin.test", DIRECTORY_NAMES_MAX);
    assert_false(directory_names_have(names, slice_of_string(line)));
    directory_names_close(&names);
    buffer_finish(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_that_takes_mail_is_put),
        cmocka_unit_test(a_domain_that_stands_for_another_has_the_others_names),
        cmocka_unit_test(other_domains_have_no_names),
        cmocka_unit_test(only_names_that_were_told_are_passed_on),
        cmocka_unit_test(what_was_told_makes_a_relay_of_a_domain),
        cmocka_unit_test(a_catch_all_is_every_name),
        cmocka_unit_test(before_anything_is_told_mail_has_to_wait),
        cmocka_unit_test(before_anything_is_told_the_relays_line_counts),
        cmocka_unit_test(nobody_is_nobody),
        cmocka_unit_test(names_above_the_limit_are_passed_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
