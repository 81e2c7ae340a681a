/* SPDX-License-Identifier: ISC */
#include "directory/tests/test.h"

#include "directory/directory.h"

static struct directory *
parse(const char *text)
{
    struct directory_options options = {SLICE("+"), SLICE(""), 42};

    return directory_parse(slice_of_string(text), &options);
}

static void
fields_of_an_account_are_read(void **state)
{
    struct directory *directory =
        parse("# everything\n"
              "domain example.test postmaster=alice@example.test\n"
              "account Alice@Example.test id=7 full-name=\"Alice Liddell\" quota=3MiB messages=9 "
              "delivery=mbox:/var/mail/alice system=alice disabled\n"
              "account bob@example.test id=9 delivery=maildir:/home/bob/Maildir\n");
    const struct directory_account *account = directory_account_at(directory, 0);

    (void)state;
    assert_int_equal(directory_problem_count(directory), 0);
    assert_int_equal(account->id, 7);
    assert_slice(account->name, "alice@example.test");
    assert_slice(account->full_name, "Alice Liddell");
    assert_true(account->has_quota);
    assert_int_equal(account->quota_bytes, 3 * 1024 * 1024);
    assert_int_equal(account->quota_messages, 9);
    assert_int_equal(account->delivery, DIRECTORY_MBOX);
    assert_slice(account->path, "/var/mail/alice");
    assert_slice(account->login, "alice");
    assert_false(account->is_enabled);
    account = directory_account_at(directory, 1);
    assert_int_equal(account->delivery, DIRECTORY_MAILDIR);
    assert_slice(account->path, "/home/bob/Maildir");
    assert_true(account->is_enabled);
    assert_false(account->has_quota);
    assert_null(directory_account_at(directory, 2));
    assert_int_equal(directory_id_next(directory), 10);
    assert_slice(directory_domain_at(directory, 0)->postmaster, "alice@example.test");
    directory_close(&directory);
    assert_null(directory);
}

static void
the_last_line_for_a_name_wins(void **state)
{
    struct directory *directory = parse("domain a.test\n"
                                        "account x@a.test id=1 full-name=Old\n"
                                        "account y@a.test id=2\n"
                                        "account X@a.test id=1 full-name=New\n"
                                        "account y@a.test removed id=2\n"
                                        "alias z@a.test to=x@a.test\n"
                                        "list z@a.test to=x@a.test,y@a.test\n");

    (void)state;
    assert_int_equal(directory_problem_count(directory), 0);
    assert_slice(directory_account_find(directory, SLICE("x@a.test"))->full_name, "New");
    assert_null(directory_account_find(directory, SLICE("y@a.test")));
    assert_null(directory_account_find_id(directory, 2));
    assert_null(directory_account_at(directory, 1));
    assert_int_equal(directory_alias_find(directory, SLICE("z@a.test"))->count, 2);
    assert_null(directory_alias_at(directory, 1));
    assert_int_equal(directory_id_next(directory), 3);
    directory_close(&directory);
}

static void
ids_are_never_given_twice(void **state)
{
    struct directory *directory = parse("ids next=100\n"
                                        "account x@a.test id=1\n"
                                        "account gone@a.test removed id=150\n"
                                        "account y@a.test id=1\n" /* that is x's */
                                        "account x@a.test id=4\n" /* x has a new one */
                                        "account z@a.test id=1\n");

    (void)state;
    assert_int_equal(directory_id_next(directory), 151);
    assert_int_equal(directory_problem_count(directory), 1);
    assert_int_equal(directory_problem(directory, 0)->line, 4);
    assert_null(directory_account_find(directory, SLICE("y@a.test")));
    assert_slice(directory_account_find_id(directory, 4)->name, "x@a.test");
    assert_slice(directory_account_find_id(directory, 1)->name, "z@a.test");
    directory_close(&directory);
}

static void
a_damaged_line_loses_no_other(void **state)
{
    static const char *const bad[] = {
        "account\n",
        "account a.test id=1\n",
        "account a@a.test\n",
        "account a@a.test id=0\n",
        "account a@a.test id=1x\n",
        "account a@a.test id=18446744073709551615\n",
        "account a@a.test id=18446744073709551616\n",
        "account a@a.test id=1 quota=1parsec\n",
        "account a@a.test id=1 quota=18446744073709551615KiB\n",
        "account a@a.test id=1 messages=-1\n",
        "account a@a.test id=1 delivery=mbox:relative\n",
        "account a@a.test id=1 delivery=pipe:/bin/sh\n",
        "account a@a.test id=1 system=../x\n",
        "account a@a.test id=1 dsiabled\n",
        "account a@a.test id=1 colour=blue\n",
        "account a@a.test id=1 full-name=\"open\n",
        "alias a@a.test\n",
        "alias a@a.test to=\n",
        "alias a@a.test to=a@a.test,\n",
        "alias a@a.test to=nobody\n",
        "alias a@a.test to=a@a.test full-name=x\n",
        "moved a@a.test\n",
        "moved a@a.test to=nowhere\n",
        "domain -a-.test\n",
        "domain b.test same-as=b.test\n",
        "domain b.test postmaster=me\n",
        "ids next=0\n",
        "ids\n",
        "acount a@a.test id=1\n",
        "\x01\n",
        "account a@a.test id=1 full-name=\xFF\n",
    };
    char text[512];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        snprintf(text, sizeof(text), "domain a.test\n%saccount good@a.test id=2", bad[i]);
        struct directory *directory = parse(text);
        if (directory_problem_count(directory) != 1)
            fail_msg("no problem seen in %s", bad[i]);
        assert_int_equal(directory_problem(directory, 0)->line, 2);
        assert_non_null(directory_problem(directory, 0)->what);
        assert_non_null(directory_account_find(directory, SLICE("good@a.test")));
        assert_non_null(directory_domain_find(directory, SLICE("A.test")));
        assert_null(directory_account_find(directory, SLICE("a@a.test")));
        directory_close(&directory);
    }
}

static void
a_damaged_line_leaves_the_earlier_one_in_force(void **state)
{
    struct directory *directory =
        parse("account a@a.test id=1 full-name=Old\naccount a@a.test id=1 full-nmae=New\n");

    (void)state;
    assert_slice(directory_account_find(directory, SLICE("a@a.test"))->full_name, "Old");
    assert_int_equal(directory_problem_count(directory), 1);
    directory_close(&directory);
}

static void
problems_are_counted_beyond_those_that_are_kept(void **state)
{
    struct directory_options options = {SLICE(""), SLICE(""), 1};
    struct buffer text;

    (void)state;
    buffer_init(&text, 65536);
    for (size_t i = 0; i < DIRECTORY_PROBLEMS_MAX + 1; i++)
        buffer_put_text(&text, "nonsense x\n");
    struct directory *directory = directory_parse(buffer_slice(&text), &options);
    assert_int_equal(directory_problem_count(directory), DIRECTORY_PROBLEMS_MAX + 1);
    assert_non_null(directory_problem(directory, DIRECTORY_PROBLEMS_MAX - 1));
    assert_null(directory_problem(directory, DIRECTORY_PROBLEMS_MAX));
    directory_close(&directory);
    buffer_finish(&text);
}

static void
members_are_taken_up_to_their_bound(void **state)
{
    struct directory_options options = {SLICE(""), SLICE(""), 1};

    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        struct buffer text;
        buffer_init(&text, 65536);
        buffer_put_text(&text, "alias l@a.test to=x0@a.test");
        for (size_t i = 1; i < DIRECTORY_MEMBERS_MAX + extra; i++) {
            buffer_put_text(&text, ",x");
            buffer_put_decimal(&text, i);
            buffer_put_text(&text, "@a.test");
        }
        struct directory *directory = directory_parse(buffer_slice(&text), &options);
        assert_int_equal(directory_problem_count(directory), extra);
        directory_close(&directory);
        buffer_finish(&text);
    }
}

static void
logins_find_their_account(void **state)
{
    struct directory *directory = parse("domain a.test\n"
                                        "domain b.test\n"
                                        "domain c.test same-as=a.test\n"
                                        "account alice@a.test id=1\n"
                                        "account bob@a.test id=2\n"
                                        "account bob@b.test id=3\n"
                                        "account off@b.test id=4 disabled\n"
                                        "alias sales@a.test to=alice@a.test\n");
    static const struct {
        const char *login;
        uint64_t id; /* 0: nobody */
    } rows[] = {
        {"alice@a.test", 1},
        {"ALICE@A.TEST", 1},
        {"alice", 1},
        {"Alice", 1},
        {"alice@c.test", 1},
        {"bob", 0},
        {"bob@b.test", 3},
        {"off", 4},
        {"sales@a.test", 0},
        {"nobody", 0},
        {"", 0},
        {"@a.test", 0},
        {"alice+x@a.test", 0},
        {"alice@d.test", 0},
        {"<alice@a.test", 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct directory_account *account =
            directory_login_find(directory, slice_of_string(rows[i].login));
        if ((account ? account->id : 0) != rows[i].id)
            fail_msg("%s", rows[i].login);
    }
    directory_close(&directory);
}

static void
entries_of_every_kind_are_found(void **state)
{
    struct directory *directory = parse("domain ex\xC3\xA4mple.test\n"
                                        "alias @a.test to=x@a.test\n"
                                        "moved gone@a.test to=new@b.test\n");

    (void)state;
    assert_non_null(directory_domain_find(directory, SLICE("XN--EXMPLE-CUA.test")));
    assert_non_null(directory_alias_find(directory, SLICE("@A.test")));
    assert_slice(directory_moved_find(directory, SLICE("gone@a.test"))->to, "new@b.test");
    assert_slice(directory_moved_at(directory, 0)->name, "gone@a.test");
    assert_null(directory_domain_find(directory, SLICE("a.test")));
    assert_null(directory_alias_find(directory, SLICE("@")));
    assert_null(directory_moved_find(directory, SLICE("x")));
    directory_close(&directory);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_of_an_account_are_read),
        cmocka_unit_test(the_last_line_for_a_name_wins),
        cmocka_unit_test(ids_are_never_given_twice),
        cmocka_unit_test(a_damaged_line_loses_no_other),
        cmocka_unit_test(a_damaged_line_leaves_the_earlier_one_in_force),
        cmocka_unit_test(problems_are_counted_beyond_those_that_are_kept),
        cmocka_unit_test(members_are_taken_up_to_their_bound),
        cmocka_unit_test(logins_find_their_account),
        cmocka_unit_test(entries_of_every_kind_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
