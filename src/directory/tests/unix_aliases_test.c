/* SPDX-License-Identifier: ISC */
#include "directory/tests/test.h"

#include "directory/unix_aliases.h"

struct told {
    size_t line;
    const char *what;
    const char *included;
};

static bool
include(void *context, struct slice path, struct slice *ret_text)
{
    struct told *told = context;

    *ret_text = slice_of_string(told->included);
    return slice_equal(path, SLICE("/etc/team"));
}

static void
tell(void *context, size_t line, struct slice place, const char *what)
{
    struct told *told = context;

    (void)place;
    told->line = line;
    told->what = what;
}

static size_t
convert(const char *text, struct told *told, struct buffer *out)
{
    static const struct slice folders[] = {{(const uint8_t *)"/var/mail/", 10},
                                           {(const uint8_t *)"/srv", 4}};
    struct directory_unix machine = {
        .domain = SLICE("host.test"),
        .folders = folders,
        .folder_count = COUNT_OF(folders),
        .include = include,
        .problem = tell,
        .context = told,
    };

    buffer_init(out, 1 << 22);
    return directory_unix_aliases(slice_of_string(text), &machine, out);
}

static void
test_each_form_becomes_a_line(void **state)
{
    static const struct {
        const char *text, *lines;
    } rows[] = {
        {"postmaster: root\n", "alias postmaster@host.test to=root@host.test\n"},
        {"Root :alice , bob@x.test\n", "alias root@host.test to=alice@host.test,bob@x.test\n"},
        {"a: b,\n\tc\n\n# d\n  \ne: f", "alias a@host.test to=b@host.test,c@host.test\n"
                                        "alias e@host.test to=f@host.test\n"},
        {"a: \\a, b\n", "alias a@host.test to=a@host.test,b@host.test\n"},
        {"a: \"b c\"@x.test\n", "alias a@host.test to=\"\\\"b c\\\"@x.test\"\n"},
        {"\"a\": \"b\"\n", "alias a@host.test to=b@host.test\n"},
        {"a: /var/mail/a, /srv/b/\n", "alias a@host.test to=/var/mail/a,/srv/b/\n"},
        {"a: \"/var/mail/b c\"\n", "alias a@host.test to=\"/var/mail/b c\"\n"},
        {"a: :include:/etc/team\n", "alias a@host.test to=x@host.test,y@x.test,z@host.test\n"},
        {"a: \":include:/etc/team\", b\r\n",
         "alias a@host.test to=x@host.test,y@x.test,z@host.test,b@host.test\n"},
        {"a@b.test: c\n", "alias a@b.test to=c@host.test\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct told told = {.included = "# team\nx, y@x.test\n\n z \n"};
        struct buffer out;
        assert_int_equal(convert(rows[i].text, &told, &out), 0);
        assert_slice(buffer_slice(&out), rows[i].lines);
        buffer_finish(&out);
    }
}

/* The name gets a line without members, which the directory answers with "later". */
static void
test_what_cannot_be_used_is_told_and_waits(void **state)
{
    static const struct {
        const char *text, *included;
        size_t line;
        const char *lines;
    } rows[] = {
        {"a: b\nc: |/bin/cat\n", "", 2, "alias a@host.test to=b@host.test\nalias c@host.test\n"},
        {"\na: b, \"|/bin/cat x, y\"\n", "", 2, "alias a@host.test\n"},
        {"a: /etc/passwd\n", "", 1, "alias a@host.test\n"},
        {"a: /var/mail/../../etc/passwd\n", "", 1, "alias a@host.test\n"},
        {"a: /var/mailx\n", "", 1, "alias a@host.test\n"},
        {"a: /var/mail/\n", "", 1, "alias a@host.test\n"},
        {"a: :include:/etc/shadow\n", "", 1, "alias a@host.test\n"},
        {"a: :include:team\n", "", 1, "alias a@host.test\n"},
        {"a: :include:/etc/team\n", "/var/mail/x\n", 1, "alias a@host.test\n"},
        {"a: :include:/etc/team\n", ":include:/etc/team\n", 1, "alias a@host.test\n"},
        {"a: :include:/etc/team\n", "|cat\n", 1, "alias a@host.test\n"},
        {"a: :fail: no\n", "", 1, "alias a@host.test\n"},
        {"a: b c\n", "", 1, "alias a@host.test\n"},
        {"a:\n", "", 1, "alias a@host.test\n"},
        {"a b: c\n", "", 1, ""},
        {"nothing\n", "", 1, "alias nothing@host.test\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct told told = {.included = rows[i].included};
        struct buffer out;
        assert_int_equal(convert(rows[i].text, &told, &out), 1);
        assert_int_equal(told.line, rows[i].line);
        assert_slice(buffer_slice(&out), rows[i].lines);
        buffer_finish(&out);
    }
}

static void
test_an_alias_has_a_thousand_members_and_no_more(void **state)
{
    struct told told = {.included = ""};
    struct buffer text, out;

    (void)state;
    buffer_init(&text, 1 << 20);
    buffer_put_text(&text, "a: m");
    for (unsigned i = 1; i < DIRECTORY_MEMBERS_MAX; i++) {
        buffer_put_text(&text, ",\n m");
        buffer_put_decimal(&text, i);
    }
    buffer_put_byte(&text, 0);
    assert_int_equal(convert((const char *)text.at, &told, &out), 0);
    buffer_finish(&out);
    buffer_truncate(&text, buffer_len(&text) - 1);
    buffer_put_text(&text, ",n");
    buffer_put_byte(&text, 0);
    assert_int_equal(convert((const char *)text.at, &told, &out), 1);
    assert_slice(buffer_slice(&out), "alias a@host.test\n");
    buffer_finish(&out);
    buffer_finish(&text);
}

static void
test_lines_of_accounts_stand_before_these(void **state)
{
    struct directory_options options = {SLICE("+"), SLICE(""), 7};
    struct directory_answer answer;
    struct arena arena;

    (void)state;
    struct directory *directory = directory_parse_both(
        SLICE("alias a@host.test to=b@x.test,/var/mail/a\nalias c@host.test to=d@x.test\n"),
        SLICE("domain host.test\nalias c@host.test to=e@x.test\n"), &options);
    arena_init(&arena, 1 << 16);
    directory_resolve(directory, SLICE("a@host.test"), &arena, &answer);
    assert_int_equal(answer.verdict, DIRECTORY_FOUND);
    assert_int_equal(answer.count, 2);
    assert_false(answer.targets[0].is_file);
    assert_true(answer.targets[1].is_file);
    assert_null(answer.targets[1].account);
    assert_slice(answer.targets[1].name, "/var/mail/a");
    directory_resolve(directory, SLICE("c@host.test"), &arena, &answer);
    assert_int_equal(answer.count, 1);
    assert_slice(answer.targets[0].name, "e@x.test");
    /* What a stranger writes behind RCPT TO is never a file. */
    directory_resolve(directory, SLICE("/var/mail/a"), &arena, &answer);
    assert_int_equal(answer.verdict, DIRECTORY_BAD_ADDRESS);
    arena_finish(&arena);
    directory_close(&directory);
}

/* ---- programs and .forward ----------------------------------------------------------------- */

static const char *
forward(const char *text, bool may_run, struct buffer *out)
{
    static const struct slice folders[] = {{(const uint8_t *)"/srv", 4}};
    struct directory_unix machine = {
        .domain = SLICE("host.test"), .folders = folders, .folder_count = 1, .may_run = may_run};

    buffer_init(out, 1 << 16);
    return directory_unix_forward(slice_of_string(text), &machine, SLICE("fred"), out);
}

static void
test_a_forward_is_members_on_lines(void **state)
{
    static const struct {
        const char *text, *members;
    } rows[] = {
        {"", ""},
        {"# nothing\n\n", ""},
        {"bob\n", "bob@host.test"},
        {"\\fred, bob@x.test\n  # no\n\t/srv/fred/ \r\n", "=,bob@x.test,/srv/fred/"},
        {"\\bob\nfred\n", "bob@host.test,fred@host.test"},
        {"\"a,b\"@x.test,c", "\"a,b\"@x.test,c@host.test"},
    };
    static const char *const bad[] = {":include:/etc/team\n", "/etc/passwd\n", "a b\n",
                                      "|/bin/cat\n", "bob\n\"|/bin/cat\"\n"};
    struct buffer out;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_null(forward(rows[i].text, false, &out));
        assert_slice(buffer_slice(&out), rows[i].members);
        buffer_finish(&out);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_non_null(forward(bad[i], false, &out));
        assert_int_equal(buffer_len(&out), 0);
        buffer_finish(&out);
    }
}

static void
test_a_program_is_found_by_its_key(void **state)
{
    static const char text[] = "bob, \"|/bin/cat a, 'b c'\"\n|/bin/true\n|\"/bin/cat a, 'b c'\"\n";
    struct buffer out, command;

    (void)state;
    assert_null(forward(text, true, &out));
    struct slice members = slice_skip(buffer_slice(&out), directory_member_end(buffer_slice(&out)));
    struct slice first = slice_between(members, 1, 1 + DIRECTORY_PROGRAM_KEY_LEN);
    struct slice second =
        slice_between(members, 2 + DIRECTORY_PROGRAM_KEY_LEN, 2 + 2 * DIRECTORY_PROGRAM_KEY_LEN);
    assert_int_equal(members.len, 3 + 3 * DIRECTORY_PROGRAM_KEY_LEN);
    assert_true(directory_is_program(first) && directory_is_program(second));
    /* The two ways to write it are one. */
    assert_true(slice_ends_with(members, first));
    buffer_init(&command, 1024);
    assert_true(directory_unix_command(slice_of_string(text), true, first, &command));
    assert_slice(buffer_slice(&command), "/bin/cat a, 'b c'");
    buffer_clear(&command);
    assert_true(directory_unix_command(slice_of_string(text), true, second, &command));
    assert_slice(buffer_slice(&command), "/bin/true");
    buffer_clear(&command);
    assert_true(
        directory_unix_command(SLICE("x: y\nrobot: z,\n |/bin/true\n"), false, second, &command));
    assert_slice(buffer_slice(&command), "/bin/true");
    buffer_clear(&command);
    assert_false(directory_unix_command(SLICE("robot: |/bin/false\n"), false, second, &command));
    assert_false(directory_is_program(SLICE("|0123456789abcdeF")));
    assert_false(directory_is_program(SLICE("|0123456789abcde")));
    buffer_finish(&command);
    buffer_finish(&out);
}

static void
test_a_program_of_an_alias_is_a_target_and_its_owner_the_sender(void **state)
{
    static const char lines[] = "alias a@host.test to=|0123456789abcdef,b@x.test\n"
                                "alias owner-a@host.test to=c@x.test\n";
    struct directory_options options = {SLICE("+"), SLICE(""), 7};
    struct directory_answer answer;
    struct arena arena;

    (void)state;
    struct directory *directory =
        directory_parse_both(slice_of_string(lines), SLICE("domain host.test\n"), &options);
    assert_int_equal(directory_problem_count(directory), 0);
    arena_init(&arena, 1 << 16);
    directory_resolve(directory, SLICE("a@host.test"), &arena, &answer);
    assert_int_equal(answer.verdict, DIRECTORY_FOUND);
    assert_int_equal(answer.count, 2);
    assert_true(answer.targets[0].is_program);
    assert_slice(answer.targets[0].name, "|0123456789abcdef@host.test");
    assert_false(answer.targets[1].is_program);
    assert_slice(answer.targets[1].list->name, "a@host.test");
    /* What a stranger writes behind RCPT TO is never a program. */
    directory_resolve(directory, SLICE("|0123456789abcdef@host.test"), &arena, &answer);
    assert_int_equal(answer.verdict, DIRECTORY_UNKNOWN);
    directory_resolve(directory, SLICE("owner-a@host.test"), &arena, &answer);
    assert_null(answer.targets[0].list);
    arena_finish(&arena);
    directory_close(&directory);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_form_becomes_a_line),
        cmocka_unit_test(test_what_cannot_be_used_is_told_and_waits),
        cmocka_unit_test(test_an_alias_has_a_thousand_members_and_no_more),
        cmocka_unit_test(test_lines_of_accounts_stand_before_these),
        cmocka_unit_test(test_a_forward_is_members_on_lines),
        cmocka_unit_test(test_a_program_is_found_by_its_key),
        cmocka_unit_test(test_a_program_of_an_alias_is_a_target_and_its_owner_the_sender),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
