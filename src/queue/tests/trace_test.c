/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "queue/trace.h"

static const struct queue_message message = {
    .id = {(const uint8_t *)"3SM56WBCBGGfBJ", 14},
    .message_id = {(const uint8_t *)"<a@b.fr>", 8},
    .reverse_path = {(const uint8_t *)"fred@truc.fr", 12},
    .envelope_id = {(const uint8_t *)"", 0},
    .recipients = 2,
};

static struct queue_recipient
recipient_number(char *name, size_t room, unsigned number)
{
    snprintf(name, room, "user-%u@machin.com", number);
    return (struct queue_recipient){
        .address = slice_of_string(name),
        .original = SLICE(""),
        .original_type = SLICE(""),
        .state = QUEUE_DELIVERED,
    };
}

static void
a_record_gives_back_its_message_and_recipients(void **state)
{
    struct queue_message taken;
    struct queue_recipient recipient;
    struct cursor rest;
    struct buffer buffer;
    char name[40];

    (void)state;
    buffer_init(&buffer, QUEUE_ENTRY_MAX);
    queue_trace_begin(&buffer, &message);
    for (unsigned i = 0; i < 2; i++) {
        recipient = recipient_number(name, sizeof(name), i);
        assert_true(queue_trace_add(&buffer, &recipient));
    }
    assert_true(queue_trace_take(buffer_slice(&buffer), &taken, &rest));
    assert_true(slice_equal(taken.message_id, SLICE("<a@b.fr>")));
    assert_true(queue_trace_next(&rest, &recipient));
    assert_true(slice_equal(recipient.address, SLICE("user-0@machin.com")));
    assert_true(queue_trace_next(&rest, &recipient));
    assert_int_equal(recipient.state, QUEUE_DELIVERED);
    assert_false(queue_trace_next(&rest, &recipient));
    assert_true(cursor_is_done(&rest));
    buffer_finish(&buffer);
}

static void
what_does_not_fit_changes_nothing(void **state)
{
    struct queue_recipient recipient;
    struct queue_message taken;
    struct cursor rest;
    struct buffer buffer;
    unsigned added = 0, found = 0;
    char name[40];

    (void)state;
    buffer_init(&buffer, QUEUE_ENTRY_MAX);
    queue_trace_begin(&buffer, &message);
    do
        recipient = recipient_number(name, sizeof(name), added);
    while (queue_trace_add(&buffer, &recipient) && ++added);
    assert_true(added > 500);
    assert_false(buffer_overflowed(&buffer));
    assert_true(queue_trace_take(buffer_slice(&buffer), &taken, &rest));
    while (queue_trace_next(&rest, &recipient))
        found++;
    assert_int_equal(found, added);
    assert_true(cursor_is_done(&rest));
    buffer_finish(&buffer);
}

/* A recipient with an address of so many octets. */
static struct queue_recipient
recipient_of(size_t len)
{
    static uint8_t address[QUEUE_PATH_MAX];

    memset(address, 'x', sizeof(address));
    return (struct queue_recipient){.address = slice_of(address, len),
                                    .original = SLICE(""),
                                    .original_type = SLICE(""),
                                    .state = QUEUE_DELIVERED};
}

static void
a_record_is_filled_to_its_last_octet(void **state)
{
    (void)state;
    for (size_t over = 0; over < 2; over++) {
        struct queue_recipient recipient = recipient_of(500);
        struct buffer buffer;
        buffer_init(&buffer, QUEUE_ENTRY_MAX);
        queue_trace_begin(&buffer, &message);
        size_t before = buffer_len(&buffer);
        assert_true(queue_trace_add(&buffer, &recipient));
        size_t each = buffer_len(&buffer) - before;
        while (QUEUE_ENTRY_MAX - buffer_len(&buffer) >= 2 * each)
            assert_true(queue_trace_add(&buffer, &recipient));
        size_t left = QUEUE_ENTRY_MAX - buffer_len(&buffer);
        recipient = recipient_of(500 + left - each + over);
        assert_int_equal(queue_trace_add(&buffer, &recipient), !over);
        assert_int_equal(buffer_len(&buffer), QUEUE_ENTRY_MAX - (over ? left : 0));
        buffer_finish(&buffer);
    }
}

static void
damage_is_noticed(void **state)
{
    struct queue_recipient recipient;
    struct queue_message taken;
    struct cursor rest;
    struct buffer buffer;
    char name[40];

    (void)state;
    buffer_init(&buffer, QUEUE_ENTRY_MAX);
    queue_trace_begin(&buffer, &message);
    size_t begun = buffer_len(&buffer);
    recipient = recipient_number(name, sizeof(name), 1);
    assert_true(queue_trace_add(&buffer, &recipient));
    struct slice whole = buffer_slice(&buffer);
    for (size_t len = 0; len < whole.len; len++) {
        bool is_taken = queue_trace_take(slice_first(whole, len), &taken, &rest);
        assert_int_equal(is_taken, len >= begun);
        if (is_taken) {
            assert_false(queue_trace_next(&rest, &recipient));
            assert_int_equal(cursor_is_done(&rest), len == begun);
        }
    }
    buffer_finish(&buffer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_gives_back_its_message_and_recipients),
        cmocka_unit_test(what_does_not_fit_changes_nothing),
        cmocka_unit_test(a_record_is_filled_to_its_last_octet),
    cmocka_unit_test(damage_is_noticed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
