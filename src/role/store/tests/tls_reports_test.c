/* SPDX-License-Identifier: ISC */
/* Reports about TLS (RFC 8460), by what the store asks of route and gives to transport. */
#include "role/store/tests/queue_world.h"

static const struct smtp_store_submit plain;
static const struct store_transport_attempt failure = {
    .host = {(const uint8_t *)"mx.b.test", 9},
    .is_connected = true,
    .tls_result = STORE_TRANSPORT_TLS_RESULT_TLSA_INVALID,
    .text = {(const uint8_t *)"no record matches", 17},
};
static unsigned reports;

/* A signed zone, whose host has another certificate. */
static void
secure(struct queue_world *world, struct store_route_hop *hop)
{
    static struct store_route_host host = {
        .name = {(const uint8_t *)"mx.b.test", 9}, .is_secure = true, .tlsa_failed = true};
    static struct store_route_tlsa tlsa = {
        .usage = 3, .matching = 1, .data = {(const uint8_t *)"12345678", 8}};

    (void)world;
    hop->tls = STORE_ROUTE_TLS_DANE;
    hop->hosts.at = &host;
    hop->tlsa.at = &tlsa;
    hop->hosts.count = hop->tlsa.count = 1;
    hop->sts_domain = SLICE("b.test");
    hop->sts_id = SLICE("1");
}

/* It must arrive whatever is wrong there (§5.3). */
static void
look_at(struct queue_world *world, const struct store_transport_carry *carry)
{
    (void)world;
    if (slice_find(carry->body, SLICE("TLS-Report-Domain: b.test")) == carry->body.len) {
        assert_int_equal(carry->tls, STORE_TRANSPORT_TLS_DANE);
        assert_int_equal(carry->tlsa.count, 1);
        return;
    }
    reports++;
    assert_int_equal(carry->tls, STORE_TRANSPORT_TLS_MAY);
    assert_int_equal(carry->tlsa.count, 0);
    assert_int_equal(carry->sts_domain.len, 0);
    assert_false(carry->hosts.at[0].tlsa_failed);
    assert_int_equal(carry->reverse_path.len, 0);
    assert_true(slice_equal(carry->recipients.at[0].address, SLICE("tls@b.test")));
}

static int
open_world(void **state)
{
    int result = queue_world_open(state);
    struct queue_world *world = *state;

    reports = 0;
    world->world.config.tls_reports = true;
    world->world.config.tls_report_interval = duration_s(20);
    world->world.role->reload(world->world.state, &world->world.config);
    world->on_hop = secure;
    world->on_carry = look_at;
    world->attempt = &failure;
    world->report_address = "tls@b.test";
    return result;
}

static void
a_period_is_reported_on_when_it_is_over(void **state)
{
    struct queue_world *world = *state;

    queue_world_submit(world, 1, "b.test", &plain);
    queue_world_run(world, 25 * 1000);
    assert_int_equal(world->report_asks, 1);
    assert_int_equal(reports, 1);
    assert_int_equal(world->carried, 2);
    queue_world_run(world, 50 * 1000); /* what carried the report is not reported on */
    assert_int_equal(world->report_asks, 1);
    assert_int_equal(world->carried, 2);
}

static void
who_cannot_be_asked_for_is_asked_for_again(void **state)
{
    struct queue_world *world = *state;

    world->report_address = NULL;
    queue_world_submit(world, 1, "b.test", &plain);
    queue_world_run(world, 25 * 1000);
    assert_int_equal(world->report_asks, 1);
    world->report_address = "tls@b.test";
    queue_world_run(world, 25 * 1000);
    assert_int_equal(world->report_asks, 2);
    assert_int_equal(reports, 1);
}

static void
nothing_is_told_where_it_is_not_wanted(void **state)
{
    struct queue_world *world = *state;

    world->world.config.tls_reports = false;
    queue_world_submit(world, 1, "b.test", &plain);
    queue_world_run(world, 45 * 1000);
    assert_int_equal(world->report_asks, 0);
    /* A week of such periods later it is forgotten. */
    queue_world_run(world, 150 * 1000);
    world->world.config.tls_reports = true;
    queue_world_run(world, 25 * 1000);
    assert_int_equal(world->report_asks, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, queue_world_close)
        TEST(a_period_is_reported_on_when_it_is_over),
        TEST(who_cannot_be_asked_for_is_asked_for_again),
        TEST(nothing_is_told_where_it_is_not_wanted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
