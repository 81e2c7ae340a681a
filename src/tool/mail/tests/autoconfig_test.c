/* SPDX-License-Identifier: ISC */
/* The look-ups around it: tests/interop/discover.py. */
#include "tool/mail/autoconfig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define FILE_OF(servers)                                                                           \
    "<?xml version=\"1.0\"?><clientConfig version=\"1.1\"><emailProvider id=\"x\">"                \
    "<domain>x</domain>" servers "</emailProvider></clientConfig>"
#define SERVER(direction, type, host, port, socket, login)                                         \
    "<" direction "Server type=\"" type "\"><hostname>" host "</hostname><port> " port             \
    " </port><socketType>" socket "</socketType><username>" login "</username></" direction        \
    "Server>"

static struct arena arena;

static struct autoconfig
parse(struct slice text)
{
    struct autoconfig found;

    arena_init(&arena, 1 << 16);
    assert_true(autoconfig_parse(&arena, text, "anna.b@example.test", &found));
    return found;
}

static void
the_best_servers_are_chosen(void **state)
{
    struct autoconfig found = parse(SLICE(
        FILE_OF(SERVER("incoming", "pop3", "pop.x", "995", "SSL", "a")
                    SERVER("incoming", "imap", "plain.x", "143", "plain", "b")
                        SERVER("incoming", "imap", "start.x", "143", "STARTTLS", "c")
                            SERVER("incoming", "imap", "best.x", "993", "SSL", "anna")
                                SERVER("incoming", "imap", "later.x", "993", "SSL", "d")
                                    SERVER("outgoing", "smtp", "out.x", "587", "STARTTLS", "e"))));

    (void)state;
    assert_string_equal(found.incoming, "imaps://best.x:993");
    assert_string_equal(found.login, "anna");
    assert_string_equal(found.outgoing, "smtp://out.x:587");
    arena_finish(&arena);
}

static void
parts_of_the_address_are_put_in(void **state)
{
    struct autoconfig found =
        parse(SLICE(FILE_OF(SERVER("incoming", "imap", "imap.%EMAILDOMAIN%", "993", "SSL",
                                   "%EMAILLOCALPART%+%EMAILLOCALPART%"))));

    (void)state;
    assert_string_equal(found.incoming, "imaps://imap.example.test:993");
    assert_string_equal(found.login, "anna.b+anna.b");
    arena_finish(&arena);
    found = parse(SLICE(FILE_OF(SERVER("incoming", "imap", "h", "993", "SSL", "%EMAILADDRESS%"))));
    assert_null(found.login); /* as always */
    assert_null(found.outgoing);
    arena_finish(&arena);
}

static void
what_is_no_such_file_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "<html>not found</html>",
        "<clientConfig><emailProvider>",
        "<!DOCTYPE a [<!ENTITY b \"c\">]>" FILE_OF(""),
    };
    struct autoconfig found;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        arena_init(&arena, 1 << 16);
        assert_false(autoconfig_parse(&arena, slice_of_string(wrong[i]), "a@x", &found));
        assert_null(found.incoming);
        arena_finish(&arena);
    }
}

static void
without_tls_there_is_nothing_to_take(void **state)
{
    struct autoconfig found =
        parse(SLICE(FILE_OF(SERVER("incoming", "imap", "h", "143", "plain", "a")
                                SERVER("outgoing", "smtp", "", "25", "SSL", "a"))));

    (void)state;
    assert_null(found.incoming);
    assert_null(found.outgoing);
    arena_finish(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_servers_are_chosen),
        cmocka_unit_test(parts_of_the_address_are_put_in),
        cmocka_unit_test(what_is_no_such_file_is_refused),
        cmocka_unit_test(without_tls_there_is_nothing_to_take),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
