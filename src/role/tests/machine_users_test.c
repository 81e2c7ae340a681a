/* SPDX-License-Identifier: ISC */
/* Against the name service of the machine that runs the test, whoever lives there. */
#include "role/tests/world.h"

#include "base/cursor.h"
#include "host/people.h"
#include "role/machine_users.h"

static bool
count_one(void *context, uint32_t number, struct slice login, struct slice comment)
{
    (void)login, (void)comment;
    *(size_t *)context += number >= MACHINE_USER_FIRST && number <= MACHINE_USER_LAST;
    return true;
}

static size_t
count_people(void)
{
    size_t count = 0;

    assert_true(host_people_each(count_one, &count));
    return count;
}

static void
the_helper_lists_people_page_by_page(void **state)
{
    struct buffer answer;
    size_t people = count_people();
    uint32_t first = 0, number;
    uint8_t len;
    struct slice text;

    (void)state;
    buffer_init(&answer, HOST_NOTE_MAX);
    for (uint8_t is_last = 0; !is_last;) {
        uint8_t question[4] = {(uint8_t)first, (uint8_t)(first >> 8), 0, 0};
        buffer_clear(&answer);
        machine_users_answer(NULL, slice_of(question, sizeof(question)), &answer);
        struct cursor cursor = cursor_of(buffer_slice(&answer));
        assert_true(cursor_take_le8(&cursor, &is_last));
        while (!cursor_is_done(&cursor)) {
            assert_true(cursor_take_le32(&cursor, &number));
            assert_in_range(number, MACHINE_USER_FIRST, MACHINE_USER_LAST);
            assert_true(cursor_take_le8(&cursor, &len) && len > 0);
            assert_true(cursor_take_bytes(&cursor, len, &text));
            assert_true(cursor_take_le8(&cursor, &len));
            assert_true(cursor_take_bytes(&cursor, len, &text));
            first++;
        }
    }
    assert_int_equal(first, people);
    buffer_clear(&answer);
    machine_users_answer(NULL, SLICE("no question"), &answer);
    assert_true(slice_equal(buffer_slice(&answer), SLICE("\x01")));
    buffer_finish(&answer);
}

static void
on_changed(void *context)
{
    ++*(unsigned *)context;
}

static void
people_become_accounts_of_a_domain(void **state)
{
    static struct world world;
    static const struct role nobody = {.name = "nobody"};
    struct directory_options options = {.separators = SLICE(""), .postmaster = SLICE("")};
    const struct directory_account *account;
    unsigned changes = 0;
    struct buffer lines;
    size_t count = 0;

    (void)state;
    world_open(&world, &nobody);
    struct machine_users *users = machine_users_open(world.host, on_changed, &changes);
    assert_non_null(users);
    for (unsigned i = 0; i < 2; i++) {
        machine_users_ask(users);
        machine_users_ask(users); /* is under way already */
        world_run(&world, 1000);
        assert_int_equal(changes, count_people() > 0); /* the second time nothing is new */
    }
    buffer_init(&lines, 1 << 24);
    machine_users_put(users, SLICE("a.test"), &lines);
    struct directory *directory = directory_parse(buffer_slice(&lines), &options);
    assert_int_equal(directory_problem_count(directory), 0);
    while ((account = directory_account_at(directory, count))) {
        assert_in_range(account->id, MACHINE_USER_ID + MACHINE_USER_FIRST,
                        MACHINE_USER_ID + MACHINE_USER_LAST);
        assert_true(slice_starts_with(account->name, account->login));
        count++;
    }
    assert_int_equal(count, count_people());
    directory_close(&directory);
    buffer_finish(&lines);
    machine_users_close(&users);
    assert_null(users);
    world_close(&world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_helper_lists_people_page_by_page),
        cmocka_unit_test(people_become_accounts_of_a_domain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
