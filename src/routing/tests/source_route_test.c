/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "routing/source_route.h"

#include <string.h>

static const struct slice our_names[] = {SLICE("smtp.foo.com"), SLICE("other.org")};

static void
assert_slice(struct slice got, const char *expected)
{
    assert_int_equal(got.len, strlen(expected));
    assert_memory_equal(got.at, expected, got.len);
}

static void
hosts_that_are_us_leave_the_front(void **state)
{
    static const char *const cases[][2] = {
        {"jones@xyz.com", "jones@xyz.com"},
        {"@foo.com:jones@xyz.com", "jones@xyz.com"},
        {"@FOO.com,@smtp.foo.com:jones@xyz.com", "jones@xyz.com"},
        {"@foo.com,@bar.com:jones@xyz.com", "@bar.com:jones@xyz.com"},
        {"@bar.com,@foo.com:jones@xyz.com", "@bar.com,@foo.com:jones@xyz.com"},
        {"@other.org:jones@xyz.com", "@other.org:jones@xyz.com"}, /* the name behind our last */
        {"@bar.com", "@bar.com"}, /* no colon: no route */
        {"\"@foo.com:x\"@xyz.com", "\"@foo.com:x\"@xyz.com"},
        {"", ""},
    };
    struct directory_options options = {.seed = 1};
    struct directory *directory = directory_parse(SLICE("domain foo.com\n"), &options);
    struct routing_settings settings = {.directory = directory,
                                        .self = {.names = our_names, .name_count = 1}};
    struct arena arena;
    (void)state;

    arena_init(&arena, 64 * 1024);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_slice(routing_route_peel(&settings, slice_of_string(cases[i][0]), &arena),
                     cases[i][1]);
    arena_finish(&arena);
    directory_close(&directory);
}

static void
the_first_host_is_found_and_routes_are_dropped(void **state)
{
    (void)state;
    assert_slice(routing_route_first(SLICE("@a.org,@b.org:u@c.org")), "a.org");
    assert_slice(routing_route_first(SLICE("@a.org:u@c.org")), "a.org");
    assert_slice(routing_route_first(SLICE("u@c.org")), "");
    assert_slice(routing_route_first(SLICE("@a.org,@b.org")), "");
    assert_slice(routing_route_drop(SLICE("@a.org,@b.org")), "@a.org,@b.org");
    assert_slice(routing_route_drop(SLICE("@a.org,@b.org:u@c.org")), "u@c.org");
    assert_slice(routing_route_drop(SLICE("u@c.org")), "u@c.org");
    assert_slice(routing_route_drop(SLICE("")), "");
}

static void
the_way_back_grows_at_the_front(void **state)
{
    struct arena arena;
    (void)state;

    arena_init(&arena, 64 * 1024);
    assert_slice(routing_route_prepend(SLICE("foo.com"), SLICE("jqp@bar.com"), &arena),
                 "@foo.com:jqp@bar.com");
    assert_slice(routing_route_prepend(SLICE("foo.com"), SLICE("@bar.com:jqp@z.org"), &arena),
                 "@foo.com,@bar.com:jqp@z.org");
    assert_slice(routing_route_prepend(SLICE("foo.com"), SLICE(""), &arena), "");
    arena_finish(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_that_are_us_leave_the_front),
        cmocka_unit_test(the_first_host_is_found_and_routes_are_dropped),
        cmocka_unit_test(the_way_back_grows_at_the_front),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
