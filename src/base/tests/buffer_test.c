/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buffer.h"

#include <fcntl.h>
#include <unistd.h>

static void
grows_up_to_its_bound_and_remembers_going_over(void **state)
{
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 1000);
    for (int i = 0; i < 100; i++)
        buffer_put(&buffer, SLICE("0123456789"));
    assert_false(buffer_overflowed(&buffer));
    assert_int_equal(buffer_len(&buffer), 1000);
    buffer_put_byte(&buffer, 'x');
    assert_true(buffer_overflowed(&buffer));
    assert_int_equal(buffer_len(&buffer), 1000);
    buffer_finish(&buffer);
}

static void
content_survives_taking_from_the_front(void **state)
{
    struct buffer buffer;
    uint8_t expected = 0;

    (void)state;
    buffer_init(&buffer, 4096);
    for (int round = 0; round < 1000; round++) {
        for (int i = 0; i < 7; i++)
            buffer_put_byte(&buffer, (uint8_t)(round * 7 + i));
        for (int i = 0; i < (round < 500 ? 5 : 7) && buffer_len(&buffer); i++) {
            assert_int_equal(buffer_slice(&buffer).at[0], expected++);
            buffer_consume(&buffer, 1);
        }
    }
    buffer_finish(&buffer);
}

static void
numbers_have_all_their_digits(void **state)
{
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 200);
    buffer_put_decimal(&buffer, 0);
    buffer_put_byte(&buffer, ' ');
    buffer_put_decimal(&buffer, UINT64_MAX);
    buffer_put_byte(&buffer, ' ');
    buffer_put_padded(&buffer, 7, 3);
    buffer_put_byte(&buffer, ' ');
    buffer_put_hex(&buffer, SLICE("\x00\xAF"));
    assert_true(slice_equal(buffer_slice(&buffer), SLICE("0 18446744073709551615 007 00af")));
    buffer_finish(&buffer);
}

static void
what_was_wiped_is_empty_and_serves_again(void **state)
{
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 10);
    buffer_wipe(&buffer); /* nothing was put */
    buffer_put(&buffer, SLICE("a secret"));
    buffer_put(&buffer, SLICE("another"));
    assert_true(buffer_overflowed(&buffer));
    buffer_wipe(&buffer);
    assert_true(buffer_len(&buffer) == 0 && !buffer_overflowed(&buffer) && !buffer.at);
    buffer_put(&buffer, SLICE("0123456789"));
    assert_true(slice_equal(buffer_slice(&buffer), SLICE("0123456789")));
    buffer_finish(&buffer);
}

/* One of many octets that are found nowhere else. */
static uint8_t
secret_octet(size_t at)
{
    return (uint8_t)(at * 131 + (at >> 3) * 89 + 41);
}

/* How many of the octets from 16 to 48 stand there; freed memory is none for a program to read, but
 * for the kernel it is like any other. The first ones are the allocator's. */
static size_t
count_left(uintptr_t place)
{
    enum { FIRST = 16, COUNT = 32 };
    uint8_t found[COUNT];
    size_t left = 0;
    int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);

    if (memory < 0)
        skip();
    ssize_t len = pread(memory, found, sizeof(found), (off_t)(place + FIRST));
    close(memory);
    for (ssize_t i = 0; i < len; i++)
        left += found[i] == secret_octet(FIRST + (size_t)i);
    return left;
}

static void
what_was_wiped_is_left_nowhere(void **state)
{
    uintptr_t places[16];
    size_t count = 0;
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 4000);
    for (size_t i = 0; i < 4000; i++) {
        buffer_put_byte(&buffer, secret_octet(i));
        if (count == 0 || places[count - 1] != (uintptr_t)buffer.at)
            places[count++] = (uintptr_t)buffer.at;
        if (i >= 48)
            assert_int_equal(count_left(places[count - 1]), 32);
    }
    assert_int_equal(count, 5); /* 256, 512, … 4096 */
    buffer_wipe(&buffer);
    for (size_t i = 0; i < count; i++)
        assert_true(count_left(places[i]) < 8);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_up_to_its_bound_and_remembers_going_over),
        cmocka_unit_test(content_survives_taking_from_the_front),
        cmocka_unit_test(numbers_have_all_their_digits),
        cmocka_unit_test(what_was_wiped_is_empty_and_serves_again),
        cmocka_unit_test(what_was_wiped_is_left_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
