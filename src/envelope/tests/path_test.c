/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "envelope/literal.h"
#include "envelope/path.h"

enum { ARENA_MAX = 1 << 20 };

struct good_path {
    const char *text; /* after FROM: or TO: */
    const char *canonical;
    const char *local;
    const char *domain;
    const char *route;
    enum envelope_domain_kind kind;
    const char *rest; /* what stays behind it */
};

static const struct good_path good_forward[] = {
    {"<jones@foo.com>", "jones@foo.com", "jones", "foo.com", "", ENVELOPE_DOMAIN_NAME, ""},
    {" <Jones@FOO.Com>", "Jones@foo.com", "Jones", "foo.com", "", ENVELOPE_DOMAIN_NAME, ""},
    {"Brown@foo.com", "Brown@foo.com", "Brown", "foo.com", "", ENVELOPE_DOMAIN_NAME, ""},
    {"<a@b> NOTIFY=NEVER", "a@b", "a", "b", "", ENVELOPE_DOMAIN_NAME, " NOTIFY=NEVER"},
    {"a@b NOTIFY=NEVER", "a@b", "a", "b", "", ENVELOPE_DOMAIN_NAME, " NOTIFY=NEVER"},
    {"<@foo.com:Jones@XYZ.COM>", "Jones@xyz.com", "Jones", "xyz.com", "@foo.com",
     ENVELOPE_DOMAIN_NAME, ""},
    {"<@A.com,@b.com,@[192.0.2.1]:u@c>", "u@c", "u", "c", "@a.com,@b.com,@[192.0.2.1]",
     ENVELOPE_DOMAIN_NAME, ""},
    {"<\"Jon Postel\"@foo.com>", "\"Jon Postel\"@foo.com", "Jon Postel", "foo.com", "",
     ENVELOPE_DOMAIN_NAME, ""},
    {"<\"jones\"@foo.com>", "jones@foo.com", "jones", "foo.com", "", ENVELOPE_DOMAIN_NAME, ""},
    {"<\"j\\o\\n.es\"@foo.com>", "jon.es@foo.com", "jon.es", "foo.com", "", ENVELOPE_DOMAIN_NAME,
     ""},
    {"<\"a\\\"b\\\\c\"@d>", "\"a\\\"b\\\\c\"@d", "a\"b\\c", "d", "", ENVELOPE_DOMAIN_NAME, ""},
    {"<\"a@b\"@c>", "\"a@b\"@c", "a@b", "c", "", ENVELOPE_DOMAIN_NAME, ""},
    {"<\"a..b\"@c>", "\"a..b\"@c", "a..b", "c", "", ENVELOPE_DOMAIN_NAME, ""},
    {"<\"<a>\"@c>", "\"<a>\"@c", "<a>", "c", "", ENVELOPE_DOMAIN_NAME, ""},
    {"<a%b@c>", "a%b@c", "a%b", "c", "", ENVELOPE_DOMAIN_NAME, ""},
    {"<b!a@c>", "b!a@c", "b!a", "c", "", ENVELOPE_DOMAIN_NAME, ""},
    {"<!#$%&'*+-/=?^_`{|}~@c>", "!#$%&'*+-/=?^_`{|}~@c", "!#$%&'*+-/=?^_`{|}~", "c", "",
     ENVELOPE_DOMAIN_NAME, ""},
    {"<user1@[192.168.42.1]>", "user1@[192.168.42.1]", "user1", "[192.168.42.1]", "",
     ENVELOPE_DOMAIN_IPV4, ""},
    {"<u@[IPv6:2001:DB8::1]>", "u@[ipv6:2001:db8::1]", "u", "[ipv6:2001:db8::1]", "",
     ENVELOPE_DOMAIN_IPV6, ""},
    {"<u@[IPv6:::ffff:192.0.2.1]>", "u@[ipv6:::ffff:192.0.2.1]", "u", "[ipv6:::ffff:192.0.2.1]", "",
     ENVELOPE_DOMAIN_IPV6, ""},
    {"<u@[X400:C=FR]>", "u@[x400:c=fr]", "u", "[x400:c=fr]", "", ENVELOPE_DOMAIN_TAGGED, ""},
    {"<u@[x-400:c]>", "u@[x-400:c]", "u", "[x-400:c]", "", ENVELOPE_DOMAIN_TAGGED, ""},
    {"<u@my_host.example>", "u@my_host.example", "u", "my_host.example", "", ENVELOPE_DOMAIN_NAME,
     ""},
    {"<ren\xC3\xA9@\xC3\xA9t\xC3\xA9.fr>", "ren\xC3\xA9@\xC3\xA9t\xC3\xA9.fr", "ren\xC3\xA9",
     "\xC3\xA9t\xC3\xA9.fr", "", ENVELOPE_DOMAIN_NAME, ""},
    {"<PostMaster>", "postmaster", "postmaster", "", "", ENVELOPE_DOMAIN_NONE, ""},
    {"postmaster", "postmaster", "postmaster", "", "", ENVELOPE_DOMAIN_NONE, ""},
    {"<postmaster@foo.com>", "postmaster@foo.com", "postmaster", "foo.com", "",
     ENVELOPE_DOMAIN_NAME, ""},
    {"<postmasters@foo.com>", "postmasters@foo.com", "postmasters", "foo.com", "",
     ENVELOPE_DOMAIN_NAME, ""},
};

struct bad_path {
    const char *text;
    enum envelope_fault fault;
};

static const struct bad_path bad_forward[] = {
    {"", ENVELOPE_BAD_SYNTAX},
    {"   ", ENVELOPE_BAD_SYNTAX},
    {"<", ENVELOPE_BAD_SYNTAX},
    {"<>", ENVELOPE_BAD_LOCAL},
    {"<jones", ENVELOPE_BAD_DOMAIN},
    {"<jones>", ENVELOPE_BAD_DOMAIN},
    {"jones", ENVELOPE_BAD_DOMAIN},
    {"<jones@>", ENVELOPE_BAD_DOMAIN},
    {"<@foo.com>", ENVELOPE_BAD_SYNTAX},
    {"<@foo.com:>", ENVELOPE_BAD_LOCAL},
    {"<@:a@b>", ENVELOPE_BAD_DOMAIN},
    {"<@foo.com,bar.com:a@b>", ENVELOPE_BAD_SYNTAX},
    {"<jones@foo.com", ENVELOPE_BAD_SYNTAX},
    {"<jones@foo.com>>", ENVELOPE_OK}, /* the rest is for the parameters to refuse */
    {"jones@foo.com>", ENVELOPE_BAD_SYNTAX},
    {"<a b@c>", ENVELOPE_BAD_LOCAL},
    {"<.a@c>", ENVELOPE_BAD_LOCAL},
    {"<a.@c>", ENVELOPE_BAD_LOCAL},
    {"<a..b@c>", ENVELOPE_BAD_LOCAL},
    {"<\"\"@c>", ENVELOPE_BAD_LOCAL},
    {"<\"a@c>", ENVELOPE_BAD_LOCAL},
    {"<\"a\\\"@c>", ENVELOPE_BAD_LOCAL},
    {"<\"a\tb\"@c>", ENVELOPE_BAD_LOCAL},
    {"<a@b@c>", ENVELOPE_BAD_SYNTAX},
    {"<a@b..c>", ENVELOPE_BAD_DOMAIN},
    {"<a@.c>", ENVELOPE_BAD_DOMAIN},
    {"<a@c.>", ENVELOPE_BAD_DOMAIN},
    {"<a@-b.c>", ENVELOPE_BAD_DOMAIN},
    {"<a@b-.c>", ENVELOPE_BAD_DOMAIN},
    {"<a@b c>", ENVELOPE_BAD_SYNTAX},
    {"<a@[192.0.2.256]>", ENVELOPE_BAD_DOMAIN},
    {"<a@[192.0.2.01]>", ENVELOPE_BAD_DOMAIN},
    {"<a@[192.0.2]>", ENVELOPE_BAD_DOMAIN},
    {"<a@[IPv6:1:2:3:4:5:6:7]>", ENVELOPE_BAD_DOMAIN},
    {"<a@[IPv6:1:2:3:4:5:6:7:8:9]>", ENVELOPE_BAD_DOMAIN},
    {"<a@[IPv6:1::2::3]>", ENVELOPE_BAD_DOMAIN},
    {"<a@[IPv6:::1::2]>", ENVELOPE_BAD_DOMAIN},
    {"<a@[x-:a]>", ENVELOPE_BAD_DOMAIN},
    {"<a@[-:a]>", ENVELOPE_BAD_DOMAIN},
    {"<a@[IPv6:12345::]>", ENVELOPE_BAD_DOMAIN},
    {"<a@[IPv6:1:]>", ENVELOPE_BAD_DOMAIN},
    {"<a@[IPv6:]>", ENVELOPE_BAD_DOMAIN},
    {"<a@[]>", ENVELOPE_BAD_DOMAIN},
    {"<a@[192.0.2.1>", ENVELOPE_BAD_DOMAIN},
    {"<\xFF@c>", ENVELOPE_NOT_UTF8},
    {"<a@\xC3>", ENVELOPE_BAD_DOMAIN},
};

static void
assert_slice(struct slice found, const char *expected)
{
    if (!slice_equal(found, slice_of_string(expected)))
        fail_msg("expected \"%s\", found \"%.*s\"", expected, (int)found.len,
                 (const char *)found.at);
}

static void
forward_paths_are_read_and_made_canonical(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good_forward); i++) {
        const struct good_path *row = &good_forward[i];
        struct cursor cursor = cursor_of(slice_of_string(row->text));
        struct envelope_path path, again;
        struct arena arena;
        arena_init(&arena, ARENA_MAX);
        if (envelope_path_take_forward(&cursor, &arena, &path) != ENVELOPE_OK)
            fail_msg("refused: %s", row->text);
        assert_slice(path.canonical, row->canonical);
        assert_slice(path.local, row->local);
        assert_slice(path.domain, row->domain);
        assert_slice(path.route, row->route);
        assert_slice(cursor_rest(&cursor), row->rest);
        assert_int_equal(path.domain_kind, row->kind);
        if (path.kind == ENVELOPE_PATH_MAILBOX) {
            assert_int_equal(envelope_mailbox_parse(path.canonical, &arena, &again), ENVELOPE_OK);
            assert_slice(again.canonical, row->canonical);
        }
        arena_finish(&arena);
    }
}

static void
bad_paths_have_their_fault_and_leave_the_cursor(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad_forward); i++) {
        struct slice text = slice_of_string(bad_forward[i].text);
        struct cursor cursor = cursor_of(text);
        struct envelope_path path;
        struct arena arena;
        arena_init(&arena, ARENA_MAX);
        enum envelope_fault fault = envelope_path_take_forward(&cursor, &arena, &path);
        if (fault != bad_forward[i].fault)
            fail_msg("%s: %s", bad_forward[i].text, envelope_fault_text(fault));
        if (fault != ENVELOPE_OK)
            assert_ptr_equal(cursor.at, text.at);
        arena_finish(&arena);
    }
}

static void
the_null_path_is_for_senders_only_and_bare_postmaster_for_recipients(void **state)
{
    struct cursor cursor = cursor_of(SLICE("<> RET=HDRS"));
    struct envelope_path path;
    struct arena arena;
    struct buffer buffer;

    (void)state;
    arena_init(&arena, ARENA_MAX);
    buffer_init(&buffer, 100);
    assert_int_equal(envelope_path_take_reverse(&cursor, &arena, &path), ENVELOPE_OK);
    assert_int_equal(path.kind, ENVELOPE_PATH_NULL);
    assert_slice(cursor_rest(&cursor), " RET=HDRS");
    envelope_path_put(&buffer, &path, true);
    assert_slice(buffer_slice(&buffer), "<>");
    cursor = cursor_of(SLICE("<postmaster>"));
    assert_int_equal(envelope_path_take_reverse(&cursor, &arena, &path), ENVELOPE_BAD_DOMAIN);
    cursor = cursor_of(SLICE("<@a,@B:\"c d\"@e>"));
    assert_int_equal(envelope_path_take_reverse(&cursor, &arena, &path), ENVELOPE_OK);
    buffer_clear(&buffer);
    envelope_path_put(&buffer, &path, true);
    assert_slice(buffer_slice(&buffer), "<@a,@b:\"c d\"@e>");
    buffer_clear(&buffer);
    envelope_path_put(&buffer, &path, false);
    assert_slice(buffer_slice(&buffer), "<\"c d\"@e>");
    buffer_finish(&buffer);
    arena_finish(&arena);
}

/* "@domain,@domain" of `len` octets, each domain of 98. */
static void
put_route(struct buffer *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (i % 100 == 0)
            buffer_put_byte(text, i == 0 ? '@' : ',');
        else if (i % 100 == 1 && i > 1)
            buffer_put_byte(text, '@');
        else
            buffer_put_byte(text, i % 100 == 50 ? '.' : 'r');
    }
    if (len > 0)
        buffer_put_byte(text, ':');
}

/* A path of such lengths, its domain in labels of 63. */
static enum envelope_fault
parse_long(size_t local_len, size_t domain_len, size_t route_len)
{
    struct envelope_path path;
    struct buffer text;
    struct arena arena;

    buffer_init(&text, 4096);
    arena_init(&arena, ARENA_MAX);
    buffer_put_byte(&text, '<');
    put_route(&text, route_len);
    for (size_t i = 0; i < local_len; i++)
        buffer_put_byte(&text, 'l');
    buffer_put_byte(&text, '@');
    for (size_t i = 0; i < domain_len; i++)
        buffer_put_byte(&text, i % 64 == 63 ? '.' : 'd');
    buffer_put_byte(&text, '>');
    struct cursor cursor = cursor_of(buffer_slice(&text));
    enum envelope_fault fault = envelope_path_take_forward(&cursor, &arena, &path);
    buffer_finish(&text);
    arena_finish(&arena);
    return fault;
}

static void
lengths_hold_at_their_limit_and_not_beyond(void **state)
{
    (void)state;
    assert_int_equal(parse_long(ENVELOPE_LOCAL_MAX, ENVELOPE_DOMAIN_MAX, 0), ENVELOPE_OK);
    assert_int_equal(parse_long(ENVELOPE_LOCAL_MAX + 1, 10, 0), ENVELOPE_LOCAL_LONG);
    assert_int_equal(parse_long(1, ENVELOPE_DOMAIN_MAX + 2, 0), ENVELOPE_DOMAIN_LONG);
    assert_int_equal(parse_long(1, 63, 0), ENVELOPE_OK);
    assert_int_equal(parse_long(1, 10, ENVELOPE_ROUTE_MAX), ENVELOPE_OK);
    assert_int_equal(parse_long(1, 10, ENVELOPE_ROUTE_MAX + 1), ENVELOPE_ROUTE_LONG);
}

static void
a_label_of_64_octets_is_no_domain(void **state)
{
    struct cursor cursor =
        cursor_of(SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.fr"));
    enum envelope_domain_kind kind;
    struct slice domain;

    (void)state;
    assert_false(envelope_domain_take(&cursor, &kind, &domain));
    cursor.at++;
    assert_true(envelope_domain_take(&cursor, &kind, &domain));
    assert_int_equal(kind, ENVELOPE_DOMAIN_NAME);
}

static void
the_arena_limit_is_a_fault_and_not_a_crash(void **state)
{
    (void)state;
    for (size_t limit = 0; limit < 200; limit++) {
        struct cursor cursor = cursor_of(SLICE("<@a,@b:\"c d\"@example.org>"));
        struct envelope_path path;
        struct arena arena;
        arena_init(&arena, limit);
        enum envelope_fault fault = envelope_path_take_forward(&cursor, &arena, &path);
        assert_true(fault == ENVELOPE_OK || fault == ENVELOPE_NO_MEMORY);
        arena_finish(&arena);
    }
}

/* What inside brackets an address stands for, in the form of RFC 5952. */
static const struct {
    const char *inside;
    const char *text;
} literals[] = {
    {"192.0.2.1", "192.0.2.1"},
    {"IPv6:2001:DB8:0:0:8:800:200C:417A", "2001:db8::8:800:200c:417a"},
    {"IPv6:ff01:0:0:0:0:0:0:101", "ff01::101"},
    {"IPv6:0:0:0:0:0:0:0:1", "::1"},
    {"IPv6:::", "::"},
    {"ipv6:1::", "1::"},
    {"IPv6:1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
    {"IPv6:::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
    {"IPv6:0:1:0:0:1:0:0:1", "0:1::1:0:0:1"},
    {"IPv6:::ffff:192.0.2.128", "::ffff:c000:280"},
    {"IPv6:1:2:3:4:5:6:192.0.2.128", "1:2:3:4:5:6:c000:280"},
};

static void
address_literals_mean_their_octets(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(literals); i++) {
        enum envelope_domain_kind kind;
        uint8_t address[16];
        struct buffer text;
        buffer_init(&text, 64);
        if (!envelope_literal_parse(slice_of_string(literals[i].inside), &kind, address))
            fail_msg("refused: %s", literals[i].inside);
        envelope_address_put(&text, address, kind == ENVELOPE_DOMAIN_IPV4 ? 4 : 16);
        assert_slice(buffer_slice(&text), literals[i].text);
        buffer_finish(&text);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(forward_paths_are_read_and_made_canonical),
    cmocka_unit_test(bad_paths_have_their_fault_and_leave_the_cursor),
    cmocka_unit_test(the_null_path_is_for_senders_only_and_bare_postmaster_for_recipients),
    cmocka_unit_test(lengths_hold_at_their_limit_and_not_beyond),
    cmocka_unit_test(a_label_of_64_octets_is_no_domain),
    cmocka_unit_test(the_arena_limit_is_a_fault_and_not_a_crash),
    cmocka_unit_test(address_literals_mean_their_octets),
};

int
main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
