/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "role/store/hops.h"

static struct store_route_host one_host = {.name = {(const uint8_t *)"mx.b.test", 9}};
static struct store_route_address one_address = {.bytes = {(const uint8_t *)"\x7f\0\0\1", 4}};

static struct store_route_hop
good_hop(void)
{
    return (struct store_route_hop){
        .outcome = STORE_ROUTE_OUTCOME_FOUND,
        .carrier = STORE_ROUTE_CARRIER_SMTP,
        .destination = SLICE("b.test"),
        .valid_s = 300,
        .is_for_domain = true,
        .hosts = {&one_host, 1},
        .addresses = {&one_address, 1},
    };
}

static struct instant
at_s(int64_t seconds)
{
    return (struct instant){seconds * 1000000000};
}

static void
a_hop_is_found_again_until_its_time_is_over(void **state)
{
    struct hops hops;
    struct store_route_hop hop = good_hop();

    (void)state;
    hops_init(&hops, 1);
    assert_null(hops_find(&hops, SLICE("b.test"), at_s(0)));
    hops_keep(&hops, SLICE("b.test"), &hop, at_s(0));
    assert_null(hops_find(&hops, SLICE("c.test"), at_s(0)));
    const struct store_route_hop *found = hops_find(&hops, SLICE("b.test"), at_s(1));
    assert_non_null(found);
    assert_true(slice_equal(found->destination, SLICE("b.test")));
    assert_ptr_not_equal(found->destination.at, hop.destination.at);
    assert_int_equal(found->hosts.count, 1);
    assert_true(slice_equal(found->hosts.at[0].name, SLICE("mx.b.test")));
    assert_ptr_not_equal(found->hosts.at, &one_host);
    assert_int_equal(found->addresses.at[0].bytes.len, 4);
    assert_non_null(hops_find(&hops, SLICE("b.test"), at_s(HOPS_VALID_MAX_S - 1)));
    assert_null(hops_find(&hops, SLICE("b.test"), at_s(HOPS_VALID_MAX_S)));
    assert_null(hops_find(&hops, SLICE("b.test"), at_s(1)));
    hop.valid_s = 2;
    hops_keep(&hops, SLICE("b.test"), &hop, at_s(0));
    hops_keep(&hops, SLICE("b.test"), &hop, at_s(1)); /* in the place of the former */
    assert_non_null(hops_find(&hops, SLICE("b.test"), at_s(2)));
    assert_null(hops_find(&hops, SLICE("b.test"), at_s(3)));
    hops_finish(&hops);
}

static void
route_is_asked_again_after_many_uses_and_when_its_tables_change(void **state)
{
    struct hops hops;
    struct store_route_hop hop = good_hop();

    (void)state;
    hops_init(&hops, 1);
    hops_keep(&hops, SLICE("b.test"), &hop, at_s(0));
    for (unsigned i = 0; i < HOPS_USES_MAX; i++)
        assert_non_null(hops_find(&hops, SLICE("b.test"), at_s(0)));
    assert_null(hops_find(&hops, SLICE("b.test"), at_s(0)));
    hops_keep(&hops, SLICE("b.test"), &hop, at_s(0));
    hops_forget(&hops);
    assert_null(hops_find(&hops, SLICE("b.test"), at_s(0)));
    hops_finish(&hops);
}

static void
only_what_holds_for_the_whole_domain_is_kept(void **state)
{
    struct store_route_hop rows[] = {good_hop(), good_hop(), good_hop(), good_hop(), good_hop()};
    struct hops hops;

    (void)state;
    rows[0].is_for_domain = false;
    rows[1].outcome = STORE_ROUTE_OUTCOME_TEMPORARY;
    rows[2].outcome = STORE_ROUTE_OUTCOME_PERMANENT;
    rows[3].carrier = STORE_ROUTE_CARRIER_LOCAL;
    rows[4].valid_s = 0;
    hops_init(&hops, 1);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        hops_keep(&hops, SLICE("b.test"), &rows[i], at_s(0));
        assert_null(hops_find(&hops, SLICE("b.test"), at_s(0)));
        assert_int_equal(hops_is_for_domain(&rows[i]), i == 4);
    }
    hops_finish(&hops);
}

static void
memory_is_bounded(void **state)
{
    struct store_route_hop hop = good_hop();
    struct hops hops;
    char domain[32];

    (void)state;
    hops_init(&hops, 1);
    for (unsigned i = 0; i < 2 * HOPS_MAX + 1; i++) {
        snprintf(domain, sizeof(domain), "%u.test", i);
        hops_keep(&hops, slice_of_string(domain), &hop, at_s(0));
        assert_non_null(hops_find(&hops, slice_of_string(domain), at_s(0)));
        assert_true(hops.map.count <= HOPS_MAX);
    }
    assert_int_equal(hops.map.count, 1);
    hops_finish(&hops);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hop_is_found_again_until_its_time_is_over),
        cmocka_unit_test(route_is_asked_again_after_many_uses_and_when_its_tables_change),
        cmocka_unit_test(only_what_holds_for_the_whole_domain_is_kept),
        cmocka_unit_test(memory_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
