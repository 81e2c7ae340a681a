/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "queue/entry.h"

static struct queue_attempt
attempt_number(uint16_t code)
{
    return (struct queue_attempt){
        .at = {code},
        .host = SLICE("mx.machin.com"),
        .address = SLICE("\x7f\0\0\1"),
        .tls = SLICE("TLSv1.3"),
        .status = SLICE("4.4.1"),
        .text = SLICE("no answer"),
        .code = code,
        .duration_ms = 12,
    };
}

static void
a_message_is_read_as_it_was_put(void **state)
{
    struct queue_message message = {
        .id = SLICE("3QGLM7xcdfgBCD"),
        .reverse_path = SLICE("fred@truc.fr"),
        .envelope_id = SLICE("QQ314159"),
        .flags = QUEUE_RETURN_FULL | QUEUE_UTF8 | QUEUE_PRIORITY,
        .priority = -4,
        .arrival = {1000000000},
        .skip = 31,
        .recipients = 3,
        .open = 2,
    };
    struct queue_message taken;
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, QUEUE_ENTRY_MAX);
    queue_message_put(&buffer, &message);
    assert_true(queue_message_take(buffer_slice(&buffer), &taken));
    assert_true(slice_equal(taken.reverse_path, message.reverse_path));
    assert_true(slice_equal(taken.id, message.id));
    assert_int_equal(taken.priority, -4);
    assert_int_equal(taken.flags, message.flags);
    assert_int_equal(taken.arrival.ns, message.arrival.ns);
    assert_int_equal(taken.skip, 31);
    struct slice whole = buffer_slice(&buffer);
    for (size_t len = 0; len < whole.len; len++)
        assert_false(queue_message_take(slice_first(whole, len), &taken));
    assert_int_equal(taken.hold.len, 0);
    assert_int_equal(taken.released.ns, message.arrival.ns);
    buffer_clear(&buffer);
    message.hold = SLICE("for;3600");
    message.released.ns = message.arrival.ns + 3600;
    queue_message_put(&buffer, &message);
    assert_true(queue_message_take(buffer_slice(&buffer), &taken));
    assert_true(slice_equal(taken.hold, message.hold));
    assert_int_equal(taken.released.ns, message.released.ns);
    assert_false(
        queue_message_take(slice_first(buffer_slice(&buffer), buffer_len(&buffer) - 1), &taken));
    buffer_clear(&buffer);
    message.hold = SLICE("");
    message.open = 4;
    queue_message_put(&buffer, &message);
    assert_false(queue_message_take(buffer_slice(&buffer), &taken));
    buffer_finish(&buffer);
}

static void
the_history_keeps_the_first_attempt_and_the_last(void **state)
{
    struct queue_recipient recipient = {.address = SLICE("marc@machin.com")};
    struct queue_recipient taken;
    struct buffer buffer;

    (void)state;
    assert_null(queue_recipient_last(&recipient));
    for (uint16_t i = 1; i <= 40; i++) {
        struct queue_attempt attempt = attempt_number(i);
        queue_recipient_tried(&recipient, &attempt);
    }
    buffer_init(&buffer, QUEUE_ENTRY_MAX);
    queue_recipient_put(&buffer, &recipient);
    assert_true(queue_recipient_take(buffer_slice(&buffer), &taken));
    assert_int_equal(taken.attempts, 40);
    assert_int_equal(taken.history_count, QUEUE_HISTORY_MAX);
    assert_int_equal(taken.history[0].code, 1);
    assert_int_equal(taken.history[1].code, 40 - QUEUE_HISTORY_MAX + 2);
    assert_int_equal(queue_recipient_last(&taken)->code, 40);
    assert_true(slice_equal(taken.history[3].address, SLICE("\x7f\0\0\1")));
    buffer_finish(&buffer);
}

static void
the_largest_record_keeps_to_its_bound(void **state)
{
    static uint8_t octets[2000];
    struct slice much = slice_of(octets, sizeof(octets));
    struct queue_recipient recipient = {.address = much, .original = much, .original_type = much};
    struct queue_recipient taken;
    struct buffer buffer;

    (void)state;
    for (int i = 0; i < 20; i++) {
        struct queue_attempt attempt = {.host = much, .tls = much, .status = much, .text = much};
        queue_recipient_tried(&recipient, &attempt);
    }
    buffer_init(&buffer, QUEUE_ENTRY_MAX);
    queue_recipient_put(&buffer, &recipient);
    assert_false(buffer_overflowed(&buffer));
    assert_true(queue_recipient_take(buffer_slice(&buffer), &taken));
    assert_int_equal(taken.address.len, QUEUE_PATH_MAX);
    assert_int_equal(taken.history[0].text.len, QUEUE_TEXT_MAX);
    buffer_finish(&buffer);
}

static void
domains_and_classes(void **state)
{
    struct queue_message message = {0};

    (void)state;
    assert_true(slice_equal(queue_domain(SLICE("\"a@b\"@c.fr")), SLICE("c.fr")));
    assert_int_equal(queue_domain(SLICE("postmaster")).len, 0);
    assert_int_equal(queue_class_of(&message, 0), QUEUE_ORDINARY);
    assert_int_equal(queue_class_of(&message, 100), QUEUE_BULK);
    message.recipients = 100;
    assert_int_equal(queue_class_of(&message, 19), QUEUE_ORDINARY);
    assert_int_equal(queue_class_of(&message, 20), QUEUE_BULK);
    message.recipients = 101;
    assert_int_equal(queue_class_of(&message, 0), QUEUE_BULK);
    message.flags = QUEUE_PRIORITY;
    message.priority = 3;
    assert_int_equal(queue_class_of(&message, 100), QUEUE_URGENT);
    message.priority = -1;
    assert_int_equal(queue_class_of(&message, 0), QUEUE_BULK);
    assert_string_equal(queue_state_name(QUEUE_RELAYED), "relayed");
    assert_true(queue_state_is_open(QUEUE_HELD) && !queue_state_is_open(QUEUE_FAILED));
}

/* The record of a recipient whose octet at `from_end` is another one. */
static bool
is_taken_with(size_t from_end, uint8_t octet)
{
    struct queue_recipient recipient = {.address = SLICE("a@b.c"), .state = QUEUE_HELD}, taken;
    struct buffer buffer;

    buffer_init(&buffer, QUEUE_ENTRY_MAX);
    queue_recipient_put(&buffer, &recipient);
    struct slice whole = buffer_slice(&buffer);
    uint8_t octets[200];
    assert_true(whole.len < sizeof(octets));
    memcpy(octets, whole.at, whole.len);
    octets[whole.len - from_end] = octet;
    bool is_taken = queue_recipient_take(slice_of(octets, whole.len), &taken);
    buffer_finish(&buffer);
    return is_taken;
}

static void
what_no_version_has_written_is_not_read(void **state)
{
    /* Behind the class: told, due and ends, attempts, the length of the history. */
    enum { CLASS = 1 + 1 + 8 + 8 + 4 + 1, STATE };

    (void)state;
    assert_true(is_taken_with(STATE, QUEUE_STATES - 1));
    assert_false(is_taken_with(STATE, QUEUE_STATES));
    assert_true(is_taken_with(CLASS, QUEUE_CLASSES - 1));
    assert_false(is_taken_with(CLASS, QUEUE_CLASSES));
    assert_false(is_taken_with(1, QUEUE_HISTORY_MAX + 1));
}

static void
why_one_was_passed_over_is_told_once(void **state)
{
    struct queue_recipient recipient = {.address = SLICE("marc@machin.com")};
    struct queue_attempt first = attempt_number(1), second = attempt_number(2);

    (void)state;
    queue_recipient_passed_over(&recipient, &first);
    queue_recipient_passed_over(&recipient, &second);
    assert_int_equal(recipient.attempts, 0);
    assert_int_equal(recipient.history_count, 1);
    assert_int_equal(queue_recipient_last(&recipient)->code, 1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_no_version_has_written_is_not_read),
    cmocka_unit_test(why_one_was_passed_over_is_told_once),
    cmocka_unit_test(a_message_is_read_as_it_was_put),
    cmocka_unit_test(the_history_keeps_the_first_attempt_and_the_last),
    cmocka_unit_test(the_largest_record_keeps_to_its_bound),
    cmocka_unit_test(domains_and_classes),
};

int
main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
