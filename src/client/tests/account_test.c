/* SPDX-License-Identifier: ISC */
#include "client/account.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char two[] = "# mine\n"
                          "[home]\n"
                          "address = alice@example.test\n"
                          "name = Alice \xc3\x89xemple\n"
                          "incoming = imaps://mail.example.test\n"
                          "outgoing = smtp://mail.example.test:10587\n"
                          "\n"
                          "[ work ]\r\n"
                          "address=bob@example.org\r\n"
                          "login=bob\r\n"
                          "reply-to=team@example.org\r\n"
                          "incoming=pop3://[::1]:1110/\r\n"
                          "tls=never\r\n"
                          "sent=\r\n";

static struct client_accounts
parse(struct arena *arena, const char *text, struct client_problem *problem)
{
    struct client_accounts accounts = {0};

    (void)!client_accounts_parse(arena, slice_of_string(text), &accounts, problem);
    return accounts;
}

static void
test_an_account_is_its_five_settings_and_more(void **state)
{
    struct client_problem problem = {0};
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    struct client_accounts accounts = parse(&arena, two, &problem);
    assert_string_equal(problem.text, "");
    assert_int_equal(accounts.count, 2);
    const struct client_account *home = &accounts.accounts[0], *work = &accounts.accounts[1];
    assert_string_equal(home->login, "alice@example.test");
    assert_string_equal(home->sent, "Sent");
    assert_int_equal(home->incoming.protocol, CLIENT_IMAP);
    assert_true(home->incoming.is_secure);
    assert_int_equal(home->incoming.port, 993);
    assert_int_equal(home->outgoing.port, 10587);
    assert_int_equal(home->tls, CLIENT_TLS_REQUIRED);
    assert_string_equal(work->login, "bob");
    assert_string_equal(work->reply_to, "team@example.org");
    assert_string_equal(work->sent, "");
    assert_string_equal(work->incoming.host, "::1");
    assert_int_equal(work->incoming.port, 1110);
    assert_int_equal(work->tls, CLIENT_TLS_NEVER);
    assert_int_equal(work->outgoing.protocol, CLIENT_NONE);
    assert_ptr_equal(client_accounts_find(&accounts, NULL), home);
    assert_ptr_equal(client_accounts_find(&accounts, "work"), work);
    assert_ptr_equal(client_accounts_find(&accounts, "BOB@example.org"), work);
    assert_null(client_accounts_find(&accounts, "nobody"));
    arena_finish(&arena);
}

static void
test_what_is_written_is_read_as_the_same(void **state)
{
    struct client_problem problem = {0};
    struct buffer first, second;
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    buffer_init(&first, 1 << 16);
    buffer_init(&second, 1 << 16);
    struct client_accounts accounts = parse(&arena, two, &problem);
    for (size_t i = 0; i < accounts.count; i++)
        client_account_format(&accounts.accounts[i], &first);
    buffer_put_byte(&first, '\0');
    accounts = parse(&arena, (const char *)buffer_slice(&first).at, &problem);
    assert_int_equal(accounts.count, 2);
    for (size_t i = 0; i < accounts.count; i++)
        client_account_format(&accounts.accounts[i], &second);
    buffer_put_byte(&second, '\0');
    assert_string_equal((const char *)buffer_slice(&first).at,
                        (const char *)buffer_slice(&second).at);
    buffer_finish(&first);
    buffer_finish(&second);
    arena_finish(&arena);
}

static void
test_a_value_cannot_smuggle_in_a_key(void **state)
{
    struct client_account account = {
        .name = "x", .address = "a@b.test", .person = "A\ntls = never"};
    struct client_problem problem = {0};
    struct buffer text;
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    buffer_init(&text, 1 << 16);
    client_account_format(&account, &text);
    buffer_put_byte(&text, '\0');
    struct client_accounts accounts = parse(&arena, (const char *)buffer_slice(&text).at, &problem);
    assert_int_equal(accounts.accounts[0].tls, CLIENT_TLS_REQUIRED);
    buffer_finish(&text);
    arena_finish(&arena);
}

static void
test_errors_name_the_line(void **state)
{
    static const struct {
        const char *text, *problem;
    } rows[] = {
        {"address = a@b.test\n", "line 1: expected [NAME]"},
        {"[x]\nadress = a@b.test\n", "line 2: there is no key 'adress'"},
        {"[x\n", "line 1: expected [NAME]"},
        {"[x]\naddress = a@b\n[x]\n", "line 3: the account x was there"},
        {"[x]\nincoming = http://a\n", "line 2: 'http://a' is no server"},
        {"[x]\nincoming = imaps://a:0\n", "line 2: 'imaps://a:0': expected imaps://HOST"},
        {"[x]\nincoming = imaps://a:65536\n", "line 2: 'imaps://a:65536': expected"},
        {"[x]\nincoming = imaps://\n", "line 2: 'imaps://': expected"},
        {"[x]\nincoming = imaps://a b\n", "line 2: 'imaps://a b': expected"},
        {"[x]\nincoming = smtp://a\n", "line 2: smtp://a cannot be the incoming"},
        {"[x]\noutgoing = imap://a\n", "line 2: imap://a cannot be the outgoing"},
        {"[x]\ntls = on\n", "line 2: tls = on: expected required"},
        {"[x]\nname = \xff\n", "line 2: the value is no UTF-8"},
        {"[x]\nname = a\rb\n", "line 2: the value is no UTF-8"},
        {"[x]\naddress = alice\n", "the account x has no address"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct client_problem problem = {0};
        struct arena arena;
        arena_init(&arena, 1 << 20);
        struct client_accounts accounts = parse(&arena, rows[i].text, &problem);
        assert_int_equal(accounts.count, 0);
        assert_int_equal(problem.kind, CLIENT_PROBLEM_SETTINGS);
        if (strncmp(problem.text, rows[i].problem, strlen(rows[i].problem)) != 0)
            assert_string_equal(problem.text, rows[i].problem);
        arena_finish(&arena);
    }
}

static void
test_words_of_a_server_are_made_printable_and_cut(void **state)
{
    struct client_problem problem = {0};
    char *text = malloc(2000);

    (void)state;
    memset(text, 0xff, 1999);
    text[1999] = '\0';
    assert_false(client_problem_set(&problem, CLIENT_PROBLEM_REFUSED, "a\033[2Jb\n%s", text));
    assert_memory_equal(problem.text, "a [2Jb ", 7);
    assert_true(strlen(problem.text) < sizeof(problem.text));
    assert_false(client_problem_set(&problem, CLIENT_PROBLEM_LOGIN, "second"));
    assert_int_equal(problem.kind, CLIENT_PROBLEM_REFUSED);
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_account_is_its_five_settings_and_more),
        cmocka_unit_test(test_what_is_written_is_read_as_the_same),
        cmocka_unit_test(test_a_value_cannot_smuggle_in_a_key),
        cmocka_unit_test(test_errors_name_the_line),
        cmocka_unit_test(test_words_of_a_server_are_made_printable_and_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
