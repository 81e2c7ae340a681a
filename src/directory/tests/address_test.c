/* SPDX-License-Identifier: ISC */
#include "directory/tests/test.h"

#include "directory/address.h"

static const struct {
    const char *text, *canonical; /* NULL: no address */
} rows[] = {
    {"alice@example.test", "alice@example.test"},
    {"<Alice@Example.TEST>", "alice@example.test"},
    {"<@foo.com:Jones@XYZ.COM>", "jones@xyz.com"},
    {"@a,@b:user@c.test", "user@c.test"},
    {"\"alice\"@example.test", "alice@example.test"},
    {"\"Alice\\ B\"@example.test", "\"alice b\"@example.test"},
    {"\"a@b\"@example.test", "\"a@b\"@example.test"},
    {"\"a\\\"b\\\\\"@example.test", "\"a\\\"b\\\\\"@example.test"},
    {"user%other.test@example.test", "user%other.test@example.test"},
    {"other.test!user@example.test", "other.test!user@example.test"},
    {"user@[192.0.2.1]", "user@[192.0.2.1]"},
    {"user@[IPv6:2001:DB8::1]", "user@[ipv6:2001:db8::1]"},
    {"postmaster", "postmaster"},
    {"<PostMaster>", "postmaster"},
    {"user+Detail@example.test", "user+detail@example.test"},
    {"g\xC3\x89rard@ex\xC3\xA4mple.test", "g\xC3\xA9rard@xn--exmple-cua.test"},
    {"ge\xCC\x81rard@XN--EXMPLE-CUA.test", "g\xC3\xA9rard@xn--exmple-cua.test"},
    {"user@example.test.", "user@example.test"},
    {"", NULL},
    {"<>", NULL},
    {"alice", NULL},
    {"@example.test", NULL},
    {"alice@", NULL},
    {"a@b@example.test", NULL},
    {"a b@example.test", NULL},
    {"\"a@example.test", NULL},
    {"\"a\"b@example.test", NULL},
    {"\"a\x01\"@example.test", NULL},
    {"alice@exa mple.test", NULL},
    {"alice@[192.0.2.1", NULL},
    {"alice@[]", NULL},
    {"alice@[a]b]", NULL},
    {"\xFF@example.test", NULL},
    {"@route.test", NULL},
};

static void
addresses_get_one_canonical_form(void **state)
{
    struct arena arena;
    struct buffer text;

    (void)state;
    arena_init(&arena, 65536);
    buffer_init(&text, 1024);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct directory_address address;
        bool is_address = directory_address_parse(&arena, slice_of_string(rows[i].text), &address);
        if (is_address != (rows[i].canonical != NULL))
            fail_msg("row %zu: %s", i, rows[i].text);
        buffer_clear(&text);
        if (is_address)
            directory_address_format(&text, &address);
        assert_slice(buffer_slice(&text), rows[i].canonical ? rows[i].canonical : "");
    }
    buffer_finish(&text);
    arena_finish(&arena);
}

/* Local part and domain of n octets each. */
static bool
is_address_of(struct arena *arena, size_t local_len, size_t domain_len)
{
    struct directory_address address;
    struct buffer text;

    buffer_init(&text, 2048);
    for (size_t i = 0; i < local_len; i++)
        buffer_put_byte(&text, 'a');
    buffer_put_byte(&text, '@');
    for (size_t i = 0; i < domain_len; i++)
        buffer_put_byte(&text, i % 50 == 49 && i + 1 < domain_len ? '.' : 'd');
    bool is_address = directory_address_parse(arena, buffer_slice(&text), &address);
    buffer_finish(&text);
    return is_address;
}

static void
parts_are_taken_up_to_their_bounds(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 65536);
    assert_true(is_address_of(&arena, DIRECTORY_LOCAL_MAX, 10));
    assert_false(is_address_of(&arena, DIRECTORY_LOCAL_MAX + 1, 10));
    assert_true(is_address_of(&arena, 1, DIRECTORY_DOMAIN_MAX));
    assert_false(is_address_of(&arena, 1, DIRECTORY_DOMAIN_MAX + 1));
    arena_finish(&arena);
}

static void
an_arena_that_is_full_makes_it_fail(void **state)
{
    struct directory_address address;

    (void)state;
    for (size_t limit = 0; limit < 64; limit += 8) {
        struct arena arena;
        arena_init(&arena, limit);
        bool is_address = directory_address_parse(&arena, SLICE("\"A B\"@EXAMPLE.test"), &address);
        assert_true(is_address != arena_failed(&arena));
        arena_finish(&arena);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_get_one_canonical_form),
        cmocka_unit_test(parts_are_taken_up_to_their_bounds),
        cmocka_unit_test(an_arena_that_is_full_makes_it_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
