/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "routing/list.h"

static const char accounts[] =
    "domain a.test\n"
    "account alice@a.test id=1\n"
    "list team@a.test to=alice@a.test,bob@b.test full-name=\"The \\\"team\\\"\" owner=ann@a.test "
    "unsubscribe=https://a.test/leave closed\n"
    "list odd%name@a.test to=alice@a.test full-name=\"caf\303\251\"\n"
    "list \"\\\"a b\\\"@a.test\" to=alice@a.test unsubscribe=mailto:leave@a.test\n";

static void
check(const struct directory *directory, const char *name, const char *sender, const char *fields)
{
    const struct directory_alias *list = directory_alias_find(directory, slice_of_string(name));
    struct buffer text;

    assert_non_null(list);
    buffer_init(&text, ROUTING_LIST_FIELDS_MAX);
    routing_list_put_sender(list, &text);
    assert_true(slice_equal(buffer_slice(&text), slice_of_string(sender)));
    buffer_clear(&text);
    routing_list_put_fields(list, &text);
    if (!slice_equal(buffer_slice(&text), slice_of_string(fields)))
        fail_msg("%.*s", (int)buffer_len(&text), (const char *)buffer_slice(&text).at);
    buffer_finish(&text);
}

static void
a_list_names_itself_and_its_owner(void **state)
{
    struct directory_options options = {SLICE("+"), SLICE(""), 7};
    struct directory *directory = directory_parse(slice_of_string(accounts), &options);

    (void)state;
    assert_int_equal(directory_problem_count(directory), 0);
    check(directory, "team@a.test", "ann@a.test",
          "List-Id: \"The \\\"team\\\"\" <team.a.test>\r\n"
          "List-Post: <mailto:team@a.test>\r\n"
          "List-Owner: <mailto:ann@a.test>\r\n"
          "List-Unsubscribe: <https://a.test/leave>\r\n"
          "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
          "Precedence: list\r\n");
    check(directory, "odd%name@a.test", "odd%name-owner@a.test",
          "List-Id: <odd-name.a.test>\r\n"
          "List-Post: <mailto:odd%25name@a.test>\r\n"
          "List-Owner: <mailto:odd%25name-owner@a.test>\r\n"
          "Precedence: list\r\n");
    check(directory, "\"a b\"@a.test", "\"a b-owner\"@a.test",
          "List-Id: <-a-b-.a.test>\r\n"
          "List-Post: <mailto:%22a%20b%22@a.test>\r\n"
          "List-Owner: <mailto:%22a%20b-owner%22@a.test>\r\n"
          "List-Unsubscribe: <mailto:leave@a.test>\r\n"
          "Precedence: list\r\n");
    directory_close(&directory);
}

static void
a_name_with_controls_is_left_out(void **state)
{
    struct directory_alias list = {.kind = DIRECTORY_LIST, .name = SLICE("l@a.test")};
    static const struct {
        struct slice name, start;
    } rows[] = {
        {SLICE("a ~"), SLICE("List-Id: \"a ~\" <l.a.test>\r\n")},
        {SLICE("a\177b"), SLICE("List-Id: <l.a.test>\r\n")},
        {SLICE("a\037b"), SLICE("List-Id: <l.a.test>\r\n")},
    };
    struct buffer text;

    (void)state;
    buffer_init(&text, ROUTING_LIST_FIELDS_MAX);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        list.full_name = rows[i].name;
        buffer_clear(&text);
        routing_list_put_fields(&list, &text);
        assert_true(slice_starts_with(buffer_slice(&text), rows[i].start));
    }
    buffer_finish(&text);
}

static void
a_closed_list_takes_only_its_members_mail(void **state)
{
    struct directory_options options = {SLICE("+"), SLICE(""), 7};
    struct directory *directory = directory_parse(slice_of_string(accounts), &options);
    const struct directory_alias *closed = directory_alias_find(directory, SLICE("team@a.test"));
    const struct directory_alias *open = directory_alias_find(directory, SLICE("odd%name@a.test"));

    (void)state;
    assert_true(routing_list_takes(closed, SLICE("Alice@A.test")));
    assert_true(routing_list_takes(closed, SLICE("bob@b.test")));
    assert_true(routing_list_takes(closed, SLICE("ann@a.test")));
    assert_false(routing_list_takes(closed, SLICE("eve@b.test")));
    assert_false(routing_list_takes(closed, SLICE("")));
    assert_true(routing_list_takes(open, SLICE("eve@b.test")));
    assert_true(routing_list_takes(open, SLICE("")));
    directory_close(&directory);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_names_itself_and_its_owner),
        cmocka_unit_test(a_name_with_controls_is_left_out),
        cmocka_unit_test(a_closed_list_takes_only_its_members_mail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
