/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "note/ledger.h"
#include "note/smtp_route.h"

static void
an_answer_is_legal_once_and_only_to_a_request(void **state)
{
    struct note_ledger ledger = {0};

    (void)state;
    for (uint64_t id = 0; id < 1000; id++)
        assert_true(note_ledger_open(&ledger, id * 3));
    assert_false(note_ledger_open(&ledger, 30));
    for (uint64_t id = 0; id < 3000; id++)
        assert_int_equal(note_ledger_answer(&ledger, id), id % 3 == 0);
    assert_false(note_ledger_answer(&ledger, 0));
    assert_false(note_ledger_open(&ledger, UINT64_MAX));
    note_ledger_finish(&ledger);
}

static void
the_bound_on_open_requests_holds(void **state)
{
    struct note_ledger ledger = {0};

    (void)state;
    for (uint64_t id = 0; id < NOTE_LEDGER_MAX; id++)
        assert_true(note_ledger_open(&ledger, id));
    assert_false(note_ledger_open(&ledger, NOTE_LEDGER_MAX));
    assert_true(note_ledger_answer(&ledger, 5));
    assert_true(note_ledger_open(&ledger, NOTE_LEDGER_MAX));
    note_ledger_finish(&ledger);
}

static void
a_note_arrives_as_it_was_put_and_the_wrong_side_is_refused(void **state)
{
    struct note_ledger asker = {0}, answerer = {0};
    struct buffer buffer;
    struct arena arena;
    struct smtp_route_note got;
    struct smtp_route_recipient asked = {
        .id = 7, .address = SLICE("a@b.example"), .is_trusted_network = true};

    (void)state;
    buffer_init(&buffer, 4096);
    arena_init(&arena, 4096);
    assert_true(smtp_route_put_recipient(&buffer, &asker, &asked));
    assert_false(smtp_route_put_recipient(&buffer, &asker, &asked));
    struct slice bytes = buffer_slice(&buffer);
    assert_false(smtp_route_take(bytes, -1, 1, &answerer, &arena, &got));
    assert_false(smtp_route_take(bytes, 3, 0, &answerer, &arena, &got));
    for (size_t len = 0; len < bytes.len; len++)
        assert_false(smtp_route_take(slice_first(bytes, len), -1, 0, &answerer, &arena, &got));
    assert_true(smtp_route_take(bytes, -1, 0, &answerer, &arena, &got));
    assert_int_equal(got.kind, SMTP_ROUTE_RECIPIENT);
    assert_true(slice_equal(got.as.recipient.address, asked.address));
    buffer_clear(&buffer);
    struct smtp_route_route answer = {.id = 8};
    assert_false(smtp_route_put_route(&buffer, &answerer, &answer));
    answer.id = 7;
    assert_true(smtp_route_put_route(&buffer, &answerer, &answer));
    buffer_finish(&buffer);
    arena_finish(&arena);
    note_ledger_finish(&asker);
    note_ledger_finish(&answerer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_legal_once_and_only_to_a_request),
        cmocka_unit_test(the_bound_on_open_requests_holds),
        cmocka_unit_test(a_note_arrives_as_it_was_put_and_the_wrong_side_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
