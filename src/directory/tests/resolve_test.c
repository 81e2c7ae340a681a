/* SPDX-License-Identifier: ISC */
#include "directory/tests/test.h"

#include "directory/directory.h"

static const char accounts[] =
    "domain example.test postmaster=bob@example.test\n"
    "domain other.test\n"
    "domain third.test same-as=example.test\n"
    "domain [192.0.2.1] same-as=example.test\n"
    "domain ex\xC3\xA4mple.test\n"
    "account alice@example.test id=1\n"
    "account bob@example.test id=2\n"
    "account off@example.test id=3 disabled\n"
    "account carol@other.test id=4\n"
    "account g\xC3\xA9rard@ex\xC3\xA4mple.test id=5\n"
    "account a+b@example.test id=6\n"
    "alias both@example.test to=alice@example.test,bob@example.test,alice@example.test\n"
    "alias deep@example.test to=both@example.test,carol@other.test\n"
    "alias loop@example.test to=pool@example.test\n"
    "alias pool@example.test to=loop@example.test\n"
    "alias bob@example.test to=bob@example.test,alice+copy@example.test\n"
    "alias away@example.test to=fred@elsewhere.test\n"
    "alias half@example.test to=alice@example.test,nobody@example.test,off@example.test\n"
    "alias none@example.test to=nobody@example.test\n"
    "alias dead@example.test to=off@example.test\n"
    "alias @other.test to=carol@other.test\n"
    "alias folder@example.test to=alice+Lists@example.test\n"
    "moved dave@example.test to=dave@elsewhere.test\n"
    "moved erin@example.test to=alice@example.test\n"
    "account broken@example.test id=x\n"
    "domain broken.test same-as=\n"
    "account Abuse@other.test id=7\n"
    "list team@example.test to=alice@example.test,fred@elsewhere.test owner=carol@other.test\n"
    "list crew@example.test to=alice@example.test,bob@example.test\n"
    "relay machin.test\n"
    "relay listed.test listed\n"
    "recipient marc@listed.test\n";

static struct directory *
open_directory(const char *text)
{
    struct directory_options options = {SLICE("+"), SLICE("alice@example.test"), 7};

    return directory_parse(slice_of_string(text), &options);
}

/* "id id+detail foreign" of all targets. */
static void
put_targets(struct buffer *text, const struct directory_answer *answer)
{
    for (size_t i = 0; i < answer->count; i++) {
        const struct directory_target *target = &answer->targets[i];
        if (i > 0)
            buffer_put_byte(text, ' ');
        if (target->account)
            buffer_put_decimal(text, target->account->id);
        else
            buffer_put(text, target->name);
        if (target->detail.len > 0)
            buffer_put_byte(text, '+');
        buffer_put(text, target->detail);
    }
}

static const struct {
    const char *address;
    enum directory_verdict verdict;
    const char *targets;
} rows[] = {
    {"alice@example.test", DIRECTORY_FOUND, "1"},
    {"ALICE@EXAMPLE.TEST", DIRECTORY_FOUND, "1"},
    {"<alice@example.test>", DIRECTORY_FOUND, "1"},
    {"alice@third.test", DIRECTORY_FOUND, "1"},
    {"alice@[192.0.2.1]", DIRECTORY_FOUND, "1"},
    {"alice+Shop@example.test", DIRECTORY_FOUND, "1+Shop"},
    {"alice+a+b@example.test", DIRECTORY_FOUND, "1+a+b"},
    {"alice+@example.test", DIRECTORY_FOUND, "1"},
    {"a+b@example.test", DIRECTORY_FOUND, "6"},
    {"+x@example.test", DIRECTORY_UNKNOWN, ""},
    {"nobody@example.test", DIRECTORY_UNKNOWN, ""},
    {"nobody+x@example.test", DIRECTORY_UNKNOWN, ""},
    {"off@example.test", DIRECTORY_DISABLED, ""},
    {"both@example.test", DIRECTORY_FOUND, "1 2 1+copy"},
    {"both+x@example.test", DIRECTORY_FOUND, "1+x 2+x 1+copy"},
    {"deep@example.test", DIRECTORY_FOUND, "4 1 2 1+copy"},
    {"loop@example.test", DIRECTORY_BROKEN, ""},
    {"bob@example.test", DIRECTORY_FOUND, "2 1+copy"},
    {"away@example.test", DIRECTORY_FOUND, "fred@elsewhere.test"},
    {"half@example.test", DIRECTORY_FOUND, "1"},
    {"none@example.test", DIRECTORY_BROKEN, ""},
    {"dead@example.test", DIRECTORY_DISABLED, ""},
    {"whoever@other.test", DIRECTORY_FOUND, "4"},
    {"carol+x@other.test", DIRECTORY_FOUND, "4+x"},
    {"folder@example.test", DIRECTORY_FOUND, "1+Lists"},
    {"dave@example.test", DIRECTORY_HAS_MOVED, ""},
    {"erin@example.test", DIRECTORY_HAS_MOVED, "1"},
    {"g\xC3\x89RARD@ex\xC3\x84mple.test", DIRECTORY_FOUND, "5"},
    {"g\xC3\xA9rard@xn--exmple-cua.test", DIRECTORY_FOUND, "5"},
    {"postmaster@example.test", DIRECTORY_FOUND, "2 1+copy"},
    {"PostMaster@other.test", DIRECTORY_FOUND, "1"},
    {"postmaster", DIRECTORY_FOUND, "1"},
    {"abuse@example.test", DIRECTORY_FOUND, "2 1+copy"},
    {"abuse@other.test", DIRECTORY_FOUND, "7"},
    {"abuse@elsewhere.test", DIRECTORY_FOREIGN, ""},
    {"postmaster@elsewhere.test", DIRECTORY_FOREIGN, ""},
    {"broken@example.test", DIRECTORY_BROKEN, ""},
    {"team@example.test", DIRECTORY_FOUND, "1 fred@elsewhere.test"},
    {"team-owner@example.test", DIRECTORY_FOUND, "4"},
    {"owner-team@example.test", DIRECTORY_FOUND, "4"},
    {"crew-owner@example.test", DIRECTORY_FOUND, "2 1+copy"},
    {"alice-owner@example.test", DIRECTORY_UNKNOWN, ""},
    {"Any.One@machin.test", DIRECTORY_RELAYED, "Any.One@machin.test"},
    {"a%b@machin.test", DIRECTORY_UNKNOWN, ""},
    {"b.test!a@machin.test", DIRECTORY_UNKNOWN, ""},
    {"\"a@b.test\"@machin.test", DIRECTORY_UNKNOWN, ""},
    {"marc@listed.test", DIRECTORY_RELAYED, "marc@listed.test"},
    {"MARC@Listed.test", DIRECTORY_RELAYED, "MARC@Listed.test"},
    {"marc+folder@listed.test", DIRECTORY_RELAYED, "marc+folder@listed.test"},
    {"nobody@listed.test", DIRECTORY_UNKNOWN, ""},
    {"nobody+marc@listed.test", DIRECTORY_UNKNOWN, ""},
    {"postmaster@listed.test", DIRECTORY_RELAYED, "postmaster@listed.test"},
    {"marc@sub.listed.test", DIRECTORY_FOREIGN, ""},
    {"broken+x@example.test", DIRECTORY_BROKEN, ""},
    {"who@broken.test", DIRECTORY_BROKEN, ""},
    {"", DIRECTORY_BAD_ADDRESS, ""},
    {"alice", DIRECTORY_BAD_ADDRESS, ""},
    {"alice@", DIRECTORY_BAD_ADDRESS, ""},
};

static void
each_address_leads_where_it_should(void **state)
{
    struct directory *directory = open_directory(accounts);
    struct arena arena;
    struct buffer text;

    (void)state;
    arena_init(&arena, 1 << 20);
    buffer_init(&text, 4096);
    assert_int_equal(directory_problem_count(directory), 2);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct directory_answer answer;
        arena_reset(&arena);
        directory_resolve(directory, slice_of_string(rows[i].address), &arena, &answer);
        buffer_clear(&text);
        put_targets(&text, &answer);
        if (answer.verdict != rows[i].verdict)
            fail_msg("%s: verdict %d", rows[i].address, answer.verdict);
        assert_slice(buffer_slice(&text), rows[i].targets);
    }
    buffer_finish(&text);
    arena_finish(&arena);
    directory_close(&directory);
}

/* Whatever is written into an address, it never leads out of the house. */
static void
no_spelling_makes_a_relay(void **state)
{
    static const struct {
        const char *address;
        enum directory_verdict verdict;
    } battery[] = {
        {"fred@elsewhere.test", DIRECTORY_FOREIGN},
        {"fred%elsewhere.test@example.test", DIRECTORY_UNKNOWN},
        {"fred%elsewhere.test", DIRECTORY_BAD_ADDRESS},
        {"fred%elsewhere.test@[192.0.2.1]", DIRECTORY_UNKNOWN},
        {"elsewhere.test!fred@example.test", DIRECTORY_UNKNOWN},
        {"elsewhere.test!fred", DIRECTORY_BAD_ADDRESS},
        {"\"fred@elsewhere.test\"@example.test", DIRECTORY_UNKNOWN},
        {"\"fred@elsewhere.test\"", DIRECTORY_BAD_ADDRESS},
        {"\"fred%elsewhere.test\"@example.test", DIRECTORY_UNKNOWN},
        {"fred@elsewhere.test@example.test", DIRECTORY_BAD_ADDRESS},
        {"@example.test:fred@elsewhere.test", DIRECTORY_FOREIGN},
        {"<@example.test:fred@elsewhere.test>", DIRECTORY_FOREIGN},
        {"<@example.test,@other.test:fred@elsewhere.test>", DIRECTORY_FOREIGN},
        {"<@elsewhere.test:alice@example.test>", DIRECTORY_FOUND},
        {"fred@[198.51.100.7]", DIRECTORY_FOREIGN},
        {"fred@[IPv6:2001:db8::7]", DIRECTORY_FOREIGN},
        {"fred@elsewhere.test.", DIRECTORY_FOREIGN},
        {"fred@sub.example.test", DIRECTORY_FOREIGN},
        {"fred@example.test.elsewhere.test", DIRECTORY_FOREIGN},
        {"alice+fred%elsewhere.test@example.test", DIRECTORY_FOUND},
        {"<fred@elsewhere.test>@example.test", DIRECTORY_BAD_ADDRESS},
        {"fred@elsewhere.test (alice@example.test)", DIRECTORY_BAD_ADDRESS},
        {"fred@elsewhere.test\r\nRCPT TO:<x@y>", DIRECTORY_BAD_ADDRESS},
        {"fred%elsewhere.test@localhost", DIRECTORY_FOREIGN},
    };
    struct directory *directory = open_directory(accounts);
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < COUNT_OF(battery); i++) {
        struct directory_answer answer;
        directory_resolve(directory, slice_of_string(battery[i].address), &arena, &answer);
        if (answer.verdict != battery[i].verdict)
            fail_msg("%s: verdict %d", battery[i].address, answer.verdict);
        for (size_t n = 0; n < answer.count; n++)
            assert_ptr_equal(answer.targets[n].account, directory_account_find_id(directory, 1));
    }
    arena_finish(&arena);
    directory_close(&directory);
}

static void
a_moved_user_is_told_the_new_address(void **state)
{
    struct directory *directory = open_directory(accounts);
    struct directory_answer answer;
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    directory_resolve(directory, SLICE("dave@example.test"), &arena, &answer);
    assert_slice(answer.moved_to, "dave@elsewhere.test");
    directory_resolve(directory, SLICE("alice@example.test"), &arena, &answer);
    assert_slice(answer.moved_to, "");
    arena_finish(&arena);
    directory_close(&directory);
}

static void
postmaster_falls_back_to_the_first_account(void **state)
{
    struct directory_options options = {SLICE(""), SLICE(""), 7};
    struct directory *directory =
        directory_parse(SLICE("domain a.test\naccount z@a.test id=9\naccount y@a.test id=3\n"
                              "account x@a.test id=1 disabled\n"),
                        &options);
    struct directory_answer answer;
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    directory_resolve(directory, SLICE("postmaster@a.test"), &arena, &answer);
    assert_int_equal(answer.verdict, DIRECTORY_FOUND);
    assert_int_equal(answer.targets[0].account->id, 3);
    directory_close(&directory);
    directory = directory_parse(SLICE("domain a.test\n"), &options);
    directory_resolve(directory, SLICE("postmaster@a.test"), &arena, &answer);
    assert_int_equal(answer.verdict, DIRECTORY_UNKNOWN);
    arena_finish(&arena);
    directory_close(&directory);
}

/* A chain of n aliases in front of one account. */
static enum directory_verdict
verdict_of_chain(size_t length)
{
    struct directory_options options = {SLICE(""), SLICE(""), 7};
    struct directory_answer answer;
    struct arena arena;
    struct buffer text;

    buffer_init(&text, 65536);
    buffer_put_text(&text, "domain a.test\naccount a0@a.test id=1\n");
    for (size_t i = 1; i <= length; i++) {
        buffer_put_text(&text, "alias a");
        buffer_put_decimal(&text, i);
        buffer_put_text(&text, "@a.test to=a");
        buffer_put_decimal(&text, i - 1);
        buffer_put_text(&text, "@a.test\n");
    }
    struct directory *directory = directory_parse(buffer_slice(&text), &options);
    buffer_clear(&text);
    buffer_put_byte(&text, 'a');
    buffer_put_decimal(&text, length);
    buffer_put_text(&text, "@a.test");
    arena_init(&arena, 1 << 20);
    directory_resolve(directory, buffer_slice(&text), &arena, &answer);
    arena_finish(&arena);
    directory_close(&directory);
    buffer_finish(&text);
    return answer.verdict;
}

static void
aliases_lead_on_up_to_the_bound(void **state)
{
    (void)state;
    assert_int_equal(verdict_of_chain(DIRECTORY_DEPTH_MAX), DIRECTORY_FOUND);
    assert_int_equal(verdict_of_chain(DIRECTORY_DEPTH_MAX + 1), DIRECTORY_BROKEN);
}

/* Two aliases that together have n members, all accounts. */
static enum directory_verdict
verdict_of_crowd(size_t size)
{
    struct directory_options options = {SLICE(""), SLICE(""), 7};
    struct directory_answer answer;
    struct arena arena;
    struct buffer text;

    buffer_init(&text, 1 << 20);
    buffer_put_text(&text, "domain a.test\nalias all@a.test to=one@a.test,two@a.test\n");
    for (size_t i = 0; i < size; i++) {
        buffer_put_text(&text, "account u");
        buffer_put_decimal(&text, i);
        buffer_put_text(&text, "@a.test id=");
        buffer_put_decimal(&text, i + 1);
        buffer_put_byte(&text, '\n');
    }
    for (size_t half = 0; half < 2; half++) {
        buffer_put_text(&text,
                        half ? "\nalias two@a.test to=u0@a.test" : "alias one@a.test to=u0@a.test");
        for (size_t i = half ? size / 2 : 1; i < (half ? size : size / 2); i++) {
            buffer_put_text(&text, ",u");
            buffer_put_decimal(&text, i);
            buffer_put_text(&text, "@a.test");
        }
    }
    struct directory *directory = directory_parse(buffer_slice(&text), &options);
    arena_init(&arena, 1 << 20);
    directory_resolve(directory, SLICE("all@a.test"), &arena, &answer);
    assert_true(answer.verdict == DIRECTORY_BROKEN || answer.count == size);
    arena_finish(&arena);
    directory_close(&directory);
    buffer_finish(&text);
    return answer.verdict;
}

static void
targets_are_taken_up_to_the_bound(void **state)
{
    (void)state;
    assert_int_equal(verdict_of_crowd(DIRECTORY_TARGETS_MAX), DIRECTORY_FOUND);
    assert_int_equal(verdict_of_crowd(DIRECTORY_TARGETS_MAX + 1), DIRECTORY_BROKEN);
}

static void
an_arena_that_is_full_gives_no_wrong_answer(void **state)
{
    struct directory *directory = open_directory(accounts);

    (void)state;
    for (size_t limit = 0; limit < 8192; limit += 16) {
        struct directory_answer answer;
        struct arena arena;
        arena_init(&arena, limit);
        directory_resolve(directory, SLICE("Deep@example.test"), &arena, &answer);
        if (arena_failed(&arena))
            assert_int_equal(answer.verdict, DIRECTORY_BROKEN);
        else
            assert_int_equal(answer.count, 4);
        arena_finish(&arena);
    }
    directory_close(&directory);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_address_leads_where_it_should),
        cmocka_unit_test(no_spelling_makes_a_relay),
        cmocka_unit_test(a_moved_user_is_told_the_new_address),
        cmocka_unit_test(postmaster_falls_back_to_the_first_account),
        cmocka_unit_test(aliases_lead_on_up_to_the_bound),
        cmocka_unit_test(targets_are_taken_up_to_the_bound),
        cmocka_unit_test(an_arena_that_is_full_gives_no_wrong_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
