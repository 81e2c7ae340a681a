/* SPDX-License-Identifier: ISC */
#include "directory/tests/test.h"

#include "directory/edit.h"

static struct directory *
parse(struct slice text)
{
    struct directory_options options = {SLICE("+"), SLICE(""), 42};

    return directory_parse(text, &options);
}

static const struct directory_account alice = {
    .id = 7,
    .name = {(const uint8_t *)"Alice@Example.test", 18},
    .full_name = {(const uint8_t *)"Alice \"A\" Liddell", 17},
    .is_enabled = true,
    .has_quota = true,
    .quota_bytes = 3 << 20,
    .quota_messages = 100,
    .has_delivery = true,
    .delivery = DIRECTORY_MBOX,
    .path = {(const uint8_t *)"/var/mail/a b", 13},
    .login = {(const uint8_t *)"alice", 5},
};

static void
lines_are_written_as_they_are_read(void **state)
{
    const struct slice members[] = {SLICE("alice@example.test"), SLICE("\"a,b\"@x.test")};
    const struct directory_alias list = {
        .kind = DIRECTORY_LIST,
        .name = SLICE("team@example.test"),
        .full_name = SLICE("Team"),
        .owner = SLICE("bob@example.test"),
        .unsubscribe = SLICE("https://example.test/leave"),
        .is_private = true,
        .is_closed = true,
        .members = members,
        .count = 2,
    };
    const struct directory_relay relay = {SLICE("Machin.test"), true};
    const struct directory_domain domain = {SLICE("Example.TEST"), SLICE("other.test"),
                                            SLICE("alice@example.test")};
    struct buffer text;

    (void)state;
    buffer_init(&text, 4096);
    assert_true(directory_put_domain(&text, &domain));
    assert_true(directory_put_account(&text, &alice));
    assert_true(directory_put_alias(&text, &list));
    assert_true(directory_put_relay(&text, &relay));
    assert_true(directory_put_recipient(&text, SLICE("marc@machin.test")));
    assert_true(directory_put_recipient_removed(&text, SLICE("anne@machin.test")));
    assert_true(directory_put_relay_removed(&text, SLICE("truc.test")));
    assert_slice(buffer_slice(&text),
                 "domain example.test same-as=other.test postmaster=alice@example.test\n"
                 "account alice@example.test id=7 full-name=\"Alice \\\"A\\\" Liddell\" quota=3MiB "
                 "messages=100 delivery=\"mbox:/var/mail/a b\" system=alice\n"
                 "list team@example.test to=\"alice@example.test,\\\"a,b\\\"@x.test\" "
                 "full-name=Team owner=bob@example.test unsubscribe=https://example.test/leave "
                 "private closed\n"
                 "relay machin.test listed\n"
                 "recipient marc@machin.test\n"
                 "recipient anne@machin.test removed\n"
                 "relay truc.test removed\n");
    struct directory *directory = parse(buffer_slice(&text));
    assert_int_equal(directory_problem_count(directory), 0);
    assert_slice(directory_account_at(directory, 0)->full_name, "Alice \"A\" Liddell");
    assert_int_equal(directory_alias_at(directory, 0)->count, 2);
    assert_true(directory_relay_at(directory, 0)->is_listed);
    assert_null(directory_relay_at(directory, 1));
    assert_non_null(directory_relay_find(directory, SLICE("MACHIN.test")));
    directory_close(&directory);
    buffer_finish(&text);
}

static void
what_cannot_be_read_again_is_not_written(void **state)
{
    struct directory_account bad[6];
    struct buffer text;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        bad[i] = alice;
    bad[0].name = SLICE("alice");
    bad[1].id = 0;
    bad[2].full_name = SLICE("two\nlines");
    bad[3].path = SLICE("relative");
    bad[4].login = SLICE("../../etc");
    bad[5].full_name = SLICE("\xFF");
    buffer_init(&text, 4096);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(directory_put_account(&text, &bad[i]));
    assert_false(directory_put_domain(&text, &(struct directory_domain){.name = SLICE("-x-")}));
    assert_false(directory_put_alias(
        &text, &(struct directory_alias){.name = SLICE("a@b.test"), .members = NULL, .count = 0}));
    assert_int_equal(buffer_len(&text), 0);
    buffer_finish(&text);
    buffer_init(&text, 20); /* no room */
    assert_false(directory_put_account(&text, &alice));
    assert_int_equal(buffer_len(&text), 0);
    buffer_finish(&text);
}

static void
removed_names_are_gone(void **state)
{
    struct buffer text;

    (void)state;
    buffer_init(&text, 4096);
    buffer_put_text(&text, "domain a.test\ndomain b.test\naccount x@a.test id=5\n"
                           "alias y@a.test to=x@a.test\nalias @a.test to=x@a.test\n"
                           "moved z@a.test to=x@a.test\nmoved z@a.test removed\n");
    assert_true(directory_put_account_removed(&text, SLICE("X@A.test"), 5));
    assert_true(directory_put_alias_removed(&text, SLICE("y@a.test")));
    assert_true(directory_put_alias_removed(&text, SLICE("@a.test")));
    assert_true(directory_put_domain_removed(&text, SLICE("b.test")));
    assert_false(directory_put_account_removed(&text, SLICE("x"), 5));
    struct directory *directory = parse(buffer_slice(&text));
    assert_int_equal(directory_problem_count(directory), 0);
    assert_null(directory_account_at(directory, 0));
    assert_null(directory_alias_at(directory, 0));
    assert_null(directory_moved_at(directory, 0));
    assert_null(directory_domain_at(directory, 1));
    assert_int_equal(directory_id_next(directory), 6);
    directory_close(&directory);
    buffer_finish(&text);
}

static const char worn[] = "# people\n"
                           "domain a.test\n"
                           "\n"
                           "ids next=3\n"
                           "account x@a.test id=1 full-name=Old\n"
                           "account y@a.test id=2\n"
                           "account Y@a.test id=2 nonsense\n"
                           "account x@a.test id=1 full-name=New # kept\n"
                           "alias z@a.test to=x@a.test\n"
                           "list z@a.test to=x@a.test\n"
                           "account gone@a.test id=9\n"
                           "account gone@a.test id=9 removed\n"
                           "account q@a.test id=4";

static void
compaction_keeps_what_counts(void **state)
{
    struct buffer text;
    size_t lines;

    (void)state;
    assert_int_equal(directory_dead_lines(slice_of_string(worn), &lines), 5);
    assert_int_equal(lines, 13);
    buffer_init(&text, sizeof(worn) + 64);
    directory_compact(slice_of_string(worn), false, &text);
    assert_slice(buffer_slice(&text), "# people\n"
                                      "domain a.test\n"
                                      "\n"
                                      "account y@a.test id=2\n"
                                      "account Y@a.test id=2 nonsense\n"
                                      "account x@a.test id=1 full-name=New # kept\n"
                                      "list z@a.test to=x@a.test\n"
                                      "account q@a.test id=4\n"
                                      "ids next=10\n");
    /* A second time changes nothing. */
    struct buffer again;
    buffer_init(&again, sizeof(worn) + 64);
    directory_compact(buffer_slice(&text), false, &again);
    assert_true(slice_equal(buffer_slice(&again), buffer_slice(&text)));
    buffer_finish(&again);
    buffer_finish(&text);
}

static void
compaction_works_for_secrets(void **state)
{
    struct buffer text;

    (void)state;
    buffer_init(&text, 4096);
    directory_compact(SLICE("installation key=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
                            "secret a@a.test id=1 apop=one\n"
                            "secret b@a.test id=2 apop=two\n"
                            "secret a@a.test id=1 apop=three\n"
                            "secret c@a.test id=3 apop=four\n"
                            "secret b@a.test id=2 removed\n"
                            "secret c@a.test id=3 aqop=five\n"
                            "account x@a.test id=7\n"), /* by mistake: no "ids" come with it */
                      true, &text);
    assert_slice(buffer_slice(&text),
                 "installation key=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
                 "secret a@a.test id=1 apop=three\n"
                 "secret c@a.test id=3 apop=four\n"
                 "secret c@a.test id=3 aqop=five\n"
                 "account x@a.test id=7\n");
    buffer_finish(&text);
}

static void
a_missing_line_end_is_seen(void **state)
{
    (void)state;
    assert_false(directory_needs_line_end(SLICE("")));
    assert_false(directory_needs_line_end(SLICE("a\n")));
    assert_true(directory_needs_line_end(SLICE("a\nb")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_written_as_they_are_read),
        cmocka_unit_test(what_cannot_be_read_again_is_not_written),
        cmocka_unit_test(removed_names_are_gone),
        cmocka_unit_test(compaction_keeps_what_counts),
        cmocka_unit_test(compaction_works_for_secrets),
        cmocka_unit_test(a_missing_line_end_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
