/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/address.h"

static void
addresses_read_and_write_alike(void **state)
{
    static const struct {
        const char *text;
        const char *written; /* NULL: no address */
    } rows[] = {
        {"192.0.2.1", "192.0.2.1:25"},
        {"2001:DB8:0:0:0:0:0:1", "[2001:db8::1]:25"},
        {"::ffff:192.0.2.1", "192.0.2.1:25"},
        {"::", "[::]:25"},
        {"", NULL},
        {"192.0.2", NULL},
        {"192.0.2.256", NULL},
        {"192.0.2.1 ", NULL},
        {"2001:db8:::1", NULL},
        {"fe80::1%lo", NULL},
        {"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct host_address address;
        struct buffer text;
        bool is_read = host_address_parse(slice_of_string(rows[i].text), 25, &address);
        assert_int_equal(is_read, rows[i].written != NULL);
        if (!is_read)
            continue;
        buffer_init(&text, 100);
        host_address_put_with_port(&text, &address);
        assert_true(slice_equal(buffer_slice(&text), slice_of_string(rows[i].written)));
        buffer_finish(&text);
    }
    struct host_address address;
    assert_false(host_address_parse(SLICE("192.0.2.1\0"), 25, &address));
}

static void
one_customer_of_ipv6_is_a_64(void **state)
{
    struct host_address left, right, other;

    (void)state;
    assert_true(host_address_parse(SLICE("2001:db8:1:2::3"), 0, &left));
    assert_true(host_address_parse(SLICE("2001:db8:1:2:ffff::4"), 0, &right));
    assert_true(host_address_parse(SLICE("2001:db8:1:3::3"), 0, &other));
    assert_true(slice_equal(host_address_customer(&left), host_address_customer(&right)));
    assert_false(slice_equal(host_address_customer(&left), host_address_customer(&other)));
    assert_true(host_address_parse(SLICE("192.0.2.1"), 0, &left));
    assert_int_equal(host_address_customer(&left).len, 4);
    assert_int_equal(
        host_address_customer(&(struct host_address){.family = HOST_FAMILY_UNIX}).len, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_read_and_write_alike),
        cmocka_unit_test(one_customer_of_ipv6_is_a_64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
