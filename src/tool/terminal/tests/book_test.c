/* SPDX-License-Identifier: ISC */
#include "tool/terminal/book.h"

#include "client/keep.h"
#include "tool/terminal/inbox.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void
take(void *context, struct slice address)
{
    buffer_put(context, address);
    buffer_put_byte(context, '\n');
}

static void
check_found(const struct book *book, struct slice typed, const char *expected)
{
    struct buffer found;

    buffer_init(&found, 100000);
    book_find(book, typed, 3, take, &found);
    buffer_put_byte(&found, '\0');
    assert_string_equal((const char *)buffer_slice(&found).at, expected);
    buffer_finish(&found);
}

static void
addresses_are_found_by_what_their_words_begin_with(void **state)
{
    struct book *book = book_open();

    (void)state;
    assert_true(book_is_empty(book));
    book_put(book, SLICE("Alice <alice@example.test>, =?utf-8?q?J=C3=B6rg?= <jm@example.org>"));
    book_put(book, SLICE("bob@example.test, undisclosed recipients:;"));
    check_found(book, SLICE("JORG"), "Jörg <jm@example.org>\n");
    check_found(book, SLICE("exa"),
                "bob@example.test\nJörg <jm@example.org>\nAlice "
                "<alice@example.test>\n");
    check_found(book, SLICE("xample"), "");
    check_found(book, SLICE(""), "");
    book_close(&book);
}

static void
the_book_is_kept_and_each_address_stands_once(void **state)
{
    struct book *book = book_open();

    (void)state;
    book_put(book, SLICE("Old Name <bob@example.test>"));
    book_put(book, SLICE("carol@example.test"));
    book_put(book, SLICE("New Name <BOB@example.test>"));
    book_put(book, SLICE("bob@example.test")); /* takes the name from nobody */
    book_keep(book);
    book_close(&book);
    book = book_open();
    assert_false(book_is_empty(book));
    check_found(book, SLICE("b"), "New Name <BOB@example.test>\n");
    check_found(book, SLICE("car"), "carol@example.test\n");
    book_close(&book);
}

static void
the_oldest_gives_way(void **state)
{
    struct book *book = book_open();
    char text[64];

    (void)state;
    for (size_t i = 0; i <= BOOK_ADDRESSES_MAX; i++) {
        (void)snprintf(text, sizeof(text), "n%zu@example.test", i);
        book_put(book, slice_of_string(text));
    }
    check_found(book, SLICE("n1@"), "n1@example.test\n");
    check_found(book, SLICE("n0@"), "");
    book_close(&book);
}

static bool
can_be_read(int descriptor)
{
    struct pollfd poller = {.fd = descriptor, .events = POLLIN};

    return poll(&poller, 1, 0) == 1;
}

static void
the_bell_rings_while_there_are_news(void **state)
{
    struct inbox inbox;

    (void)state;
    inbox_open(&inbox);
    assert_false(can_be_read(inbox.bell));
    inbox_put(&inbox, news_new(NEWS_SAID, 1));
    inbox_put(&inbox, news_new(NEWS_SENT, 2));
    struct news *news = inbox_take(&inbox);
    assert_int_equal(news->kind, NEWS_SAID);
    news_free(news);
    assert_true(can_be_read(inbox.bell));
    news = inbox_take(&inbox);
    assert_int_equal(news->account, 2);
    news_free(news);
    assert_false(can_be_read(inbox.bell));
    assert_null(inbox_take(&inbox));
    inbox_close(&inbox);
}

/* Each test has a home of its own. */
static int
make_home(void **state)
{
    static char home[64];

    (void)snprintf(home, sizeof(home), "/tmp/facteur-book-XXXXXX");
    *state = home;
    return mkdtemp(home) && setenv("XDG_STATE_HOME", home, 1) == 0 ? 0 : -1;
}

static int
remove_home(void **state)
{
    struct client_problem problem = {0};
    char command[128];

    (void)snprintf(command, sizeof(command), "rm -r '%s'", (const char *)*state);
    return client_keep_pipe(command, SLICE(""), &problem) ? 0 : -1;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(addresses_are_found_by_what_their_words_begin_with,
                                        make_home, remove_home),
        cmocka_unit_test_setup_teardown(the_book_is_kept_and_each_address_stands_once, make_home,
                                        remove_home),
        cmocka_unit_test_setup_teardown(the_oldest_gives_way, make_home, remove_home),
        cmocka_unit_test(the_bell_rings_while_there_are_news),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
