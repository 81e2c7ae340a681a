/* SPDX-License-Identifier: ISC */
/* MTA-STS (RFC 8461): a web server tells policies, and the role keeps to them. */
#include "role/transport/tests/posts.h"

enum { VISITS_MAX = 16 };

struct web;

struct visit {
    struct web *web;
    struct connection *connection;
    struct buffer heard, output;
    bool is_answered;
};

/* Answers everything with the same. */
struct web {
    struct host *host;
    struct host_listener *listener;
    struct connection_shared *shared;
    struct tls_context *tls;
    const char *answer; /* NULL: none ever comes */
    struct visit visits[VISITS_MAX];
    size_t count;
};

struct scene {
    struct setup setup;
    struct web web;
    struct buffer chain, key;
    struct post *post;
};

/* ---- the web server ------------------------------------------------------------------------ */

static size_t
engine_feed(void *engine, struct slice input, struct instant now)
{
    struct visit *visit = engine;
    (void)now;

    buffer_put(&visit->heard, input);
    struct slice heard = buffer_slice(&visit->heard);
    if (visit->web->answer && slice_find(heard, SLICE("\r\n\r\n")) < heard.len) {
        buffer_put_text(&visit->output, visit->web->answer);
        visit->is_answered = true;
    }
    return input.len;
}

static struct slice
engine_output(const void *engine)
{
    const struct visit *visit = engine;

    return buffer_slice(&visit->output);
}

static void
engine_sent(void *engine, size_t len, struct instant now)
{
    struct visit *visit = engine;
    (void)now;

    buffer_consume(&visit->output, len);
}

static void
on_process(void *owner)
{
    struct visit *visit = owner;

    if (visit->is_answered)
        connection_finish(visit->connection);
}

static void
on_secured(void *owner)
{
    (void)owner;
}

static void
on_closed(void *owner, enum connection_end end)
{
    struct visit *visit = owner;

    (void)end;
    connection_close(&visit->connection);
}

static void
on_accept(void *context, struct host_stream *stream)
{
    static const struct engine_kind engine_kind = {
        .feed = engine_feed, .output = engine_output, .sent = engine_sent};
    static const struct connection_owner owner_kind = {on_process, on_secured, on_closed};
    struct web *web = context;

    assert_true(web->count < VISITS_MAX);
    struct visit *visit = &web->visits[web->count++];
    visit->web = web;
    buffer_init(&visit->heard, 10000);
    buffer_init(&visit->output, 100000);
    visit->connection = connection_open(&(struct connection_options){
        .shared = web->shared,
        .stream = stream,
        .tls = web->tls,
        .engine_kind = &engine_kind,
        .engine = visit,
        .owner_kind = &owner_kind,
        .owner = visit,
    });
}

/* ---- the scene ----------------------------------------------------------------------------- */

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"
#define GOOD HEAD "version: STSv1\nmode: enforce\nmx: mx.foo.com\nmax_age: 86400\n"

static int
open_scene(void **state)
{
    static const struct sim_options calm;
    static const struct host_address address = {
        .family = HOST_FAMILY_IPV4, .bytes = {192, 0, 2, 80}, .port = 443};
    static const struct slice names[] = {{(const uint8_t *)"mx.foo.com", 10},
                                         {(const uint8_t *)"mta-sts.foo.com", 15}};
    static struct scene scene;
    struct sim *sim;

    scene = (struct scene){.web.answer = GOOD};
    make_certificate(names, 2, &scene.chain, &scene.key);
    open_trusting(&scene.setup, 1, &calm, buffer_slice(&scene.chain));
    sim = scene.setup.world.sim;
    scene.web.host = sim_host_open(sim, "web");
    scene.web.shared = connection_shared_open(scene.web.host);
    scene.web.tls = open_tls(&scene.chain, &scene.key);
    scene.web.listener = host_listener_open(
        scene.web.host, sim_listen(sim, scene.web.host, &address), on_accept, &scene.web);
    scene.post = open_post(&scene.setup, 1);
    scene.post->tls = open_tls(&scene.chain, &scene.key);
    scene.post->options.has_tls = true;
    *state = &scene;
    return 0;
}

static int
close_scene(void **state)
{
    struct scene *scene = *state;
    struct web *web = &scene->web;

    for (size_t i = 0; i < web->count; i++) {
        connection_close(&web->visits[i].connection);
        buffer_finish(&web->visits[i].heard);
        buffer_finish(&web->visits[i].output);
    }
    host_listener_close(&web->listener);
    connection_shared_close(&web->shared);
    tls_context_close(&web->tls);
    sim_host_close(&web->host);
    buffer_finish(&scene->chain);
    buffer_finish(&scene->key);
    void *setup = &scene->setup;
    return close_setup(&setup);
}

/* Carries a message to a domain whose record has this id; empty: that has none. */
static struct store_transport_carried
carry_with(struct scene *scene, const char *id)
{
    static const struct store_transport_address web = {.bytes = SLICE("\xC0\x00\x02\x50")};
    struct store_transport_carry note = carry_of(&scene->setup, 1);

    note.sts_domain = SLICE("foo.com");
    note.sts_id = slice_of_string(id);
    note.sts_addresses.at = &web;
    note.sts_addresses.count = id[0] ? 1 : 0;
    return carry(&scene->setup, &note);
}

static void
expect_host(struct store_transport_carried carried, enum store_transport_outcome outcome,
            enum store_transport_tls_result tls)
{
    assert_int_equal(carried.results.at[0].outcome, outcome);
    assert_int_equal(carried.attempts.at[carried.attempts.count - 1].tls_result, tls);
}

/* ---- the tests ----------------------------------------------------------------------------- */

static void
a_policy_is_fetched_once_and_its_host_verified(void **state)
{
    struct scene *scene = *state;
    struct store_transport_carried carried = carry_with(scene, "1");

    expect_host(carried, STORE_TRANSPORT_OUTCOME_DELIVERED, STORE_TRANSPORT_TLS_RESULT_VERIFIED);
    assert_int_equal(carried.attempts.count, 2);
    expect_text(carried.attempts.at[0].host, "mta-sts.foo.com");
    assert_int_equal(carried.attempts.at[0].port, 443);
    expect_text(buffer_slice(&scene->web.visits[0].heard),
                "GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.foo.com\r\n"
                "Accept: text/plain\r\nConnection: close\r\n\r\n");
    carried = carry_with(scene, "1");
    expect_host(carried, STORE_TRANSPORT_OUTCOME_DELIVERED, STORE_TRANSPORT_TLS_RESULT_VERIFIED);
    assert_true(carried.attempts.at[0].is_reused);
    assert_int_equal(scene->web.count, 1);
}

/* RFC 8461 §5: one that cannot be verified gets nothing, with and without TLS. */
static void
a_host_that_is_another_gets_nothing(void **state)
{
    struct scene *scene = *state;

    tls_context_close(&scene->post->tls);
    add_tls(scene->post, NULL);
    expect_host(carry_with(scene, "1"), STORE_TRANSPORT_OUTCOME_TEMPORARY,
                STORE_TRANSPORT_TLS_RESULT_NOT_TRUSTED);
    scene->post->options.has_tls = false;
    expect_host(carry_with(scene, "1"), STORE_TRANSPORT_OUTCOME_TEMPORARY,
                STORE_TRANSPORT_TLS_RESULT_NOT_SUPPORTED);
    assert_int_equal(scene->post->office.message_count, 0);
}

static void
a_policy_names_the_hosts_that_may_be_tried(void **state)
{
    struct scene *scene = *state;

    scene->web.answer = HEAD "version: STSv1\nmode: enforce\nmx: *.bar.com\nmax_age: 86400\n";
    expect_host(carry_with(scene, "1"), STORE_TRANSPORT_OUTCOME_TEMPORARY,
                STORE_TRANSPORT_TLS_RESULT_HOST_MISMATCH);
    assert_int_equal(scene->post->talk_count, 0);
    /* A new id: the policy is another one. */
    scene->web.answer = GOOD;
    expect_host(carry_with(scene, "2"), STORE_TRANSPORT_OUTCOME_DELIVERED,
                STORE_TRANSPORT_TLS_RESULT_VERIFIED);
    assert_int_equal(scene->web.count, 2);
}

/* RFC 8461 §3.3: what is known holds when the record is gone or the new policy cannot be had. */
static void
a_known_policy_holds_until_it_is_too_old(void **state)
{
    struct scene *scene = *state;

    expect_host(carry_with(scene, "1"), STORE_TRANSPORT_OUTCOME_DELIVERED,
                STORE_TRANSPORT_TLS_RESULT_VERIFIED);
    tls_context_close(&scene->post->tls);
    add_tls(scene->post, NULL);
    world_run(&scene->setup.world, 60 * 1000);
    expect_host(carry_with(scene, ""), STORE_TRANSPORT_OUTCOME_TEMPORARY,
                STORE_TRANSPORT_TLS_RESULT_NOT_TRUSTED);
    scene->web.answer = "HTTP/1.1 404 Not Found\r\n\r\n";
    expect_host(carry_with(scene, "2"), STORE_TRANSPORT_OUTCOME_TEMPORARY,
                STORE_TRANSPORT_TLS_RESULT_NOT_TRUSTED);
    world_run(&scene->setup.world, INT64_C(86400) * 1000);
    expect_host(carry_with(scene, ""), STORE_TRANSPORT_OUTCOME_DELIVERED,
                STORE_TRANSPORT_TLS_RESULT_ENCRYPTED);
}

/* RFC 8461 §3.3, §8.1: mail does not wait for a policy that is not there, nor is it asked for by
 * each message. */
static void
a_policy_that_cannot_be_had_is_none_for_a_while(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 301 Moved\r\nLocation: https://foo.com/\r\n\r\n",
        HEAD "<html>welcome</html>",
        "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nversion: STSv1\n",
        NULL,
    };
    struct scene *scene = *state;
    char id[] = "a";

    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        scene->web.answer = answers[i];
        id[0] = (char)('a' + i);
        struct store_transport_carried carried = carry_with(scene, id);
        assert_int_equal(carried.attempts.at[0].tls_result,
                         i == 1 ? STORE_TRANSPORT_TLS_RESULT_STS_INVALID
                                : STORE_TRANSPORT_TLS_RESULT_STS_FETCH);
        expect_host(carried, STORE_TRANSPORT_OUTCOME_DELIVERED,
                    STORE_TRANSPORT_TLS_RESULT_ENCRYPTED);
        expect_host(carry_with(scene, id), STORE_TRANSPORT_OUTCOME_DELIVERED,
                    STORE_TRANSPORT_TLS_RESULT_ENCRYPTED);
        assert_int_equal(scene->web.count, i + 1);
    }
    world_run(&scene->setup.world, 5 * 60 * 1000);
    scene->web.answer = GOOD;
    expect_host(carry_with(scene, id), STORE_TRANSPORT_OUTCOME_DELIVERED,
                STORE_TRANSPORT_TLS_RESULT_VERIFIED);
}

/* RFC 8461 §5: a policy in test is tried first, and mail goes even when it fails, even in the
 * clear. */
static void
a_policy_in_test_is_tried_and_told_about(void **state)
{
    struct scene *scene = *state;

    scene->web.answer = HEAD "version: STSv1\nmode: testing\nmx: *.bar.com\nmax_age: 86400\n";
    expect_host(carry_with(scene, "1"), STORE_TRANSPORT_OUTCOME_DELIVERED,
                STORE_TRANSPORT_TLS_RESULT_VERIFIED);
    tls_context_close(&scene->post->tls);
    add_tls(scene->post, NULL);
    world_run(&scene->setup.world, 60 * 1000);
    struct store_transport_carried carried = carry_with(scene, "1");
    expect_host(carried, STORE_TRANSPORT_OUTCOME_DELIVERED, STORE_TRANSPORT_TLS_RESULT_ENCRYPTED);
    assert_int_equal(carried.attempts.count, 2);
    assert_int_equal(carried.attempts.at[0].tls_result, STORE_TRANSPORT_TLS_RESULT_NOT_TRUSTED);
    tls_context_close(&scene->post->tls);
    scene->post->tls = tls_context_open_server(); /* without a certificate */
    world_run(&scene->setup.world, 60 * 1000);
    carried = carry_with(scene, "1");
    expect_host(carried, STORE_TRANSPORT_OUTCOME_DELIVERED, STORE_TRANSPORT_TLS_RESULT_UNNEEDED);
    assert_int_equal(carried.attempts.count, 3);
    assert_int_equal(scene->post->office.message_count, 3);
}

static void
a_web_server_that_is_another_tells_no_policy(void **state)
{
    struct scene *scene = *state;
    struct slice name = SLICE("mta-sts.foo.com");
    struct buffer chain, key;

    make_certificate(&name, 1, &chain, &key);
    tls_context_close(&scene->web.tls);
    scene->web.tls = open_tls(&chain, &key);
    buffer_finish(&chain);
    buffer_finish(&key);
    struct store_transport_carried carried = carry_with(scene, "1");
    expect_host(carried, STORE_TRANSPORT_OUTCOME_DELIVERED, STORE_TRANSPORT_TLS_RESULT_ENCRYPTED);
    assert_int_equal(carried.attempts.at[0].tls_result, STORE_TRANSPORT_TLS_RESULT_STS_WEBPKI);
}

static void
messages_wait_together_for_one_policy(void **state)
{
    static const struct store_transport_address web = {.bytes = SLICE("\xC0\x00\x02\x50")};
    struct scene *scene = *state;

    for (unsigned i = 0; i < 5; i++) {
        struct store_transport_carry note = carry_of(&scene->setup, 1);
        note.sts_domain = SLICE("foo.com");
        note.sts_id = SLICE("1");
        note.sts_addresses.at = &web;
        note.sts_addresses.count = 1;
        give(&scene->setup, &note, HOST_HANDLE_NONE);
    }
    for (unsigned i = 0; i < 5; i++)
        expect_host(answer_of(&scene->setup), STORE_TRANSPORT_OUTCOME_DELIVERED,
                    STORE_TRANSPORT_TLS_RESULT_VERIFIED);
    assert_int_equal(scene->web.count, 1);
}

/* RFC 8461 §10.2: the store is told, and what it has kept holds from the start. */
static void
the_store_keeps_what_was_learned(void **state)
{
    struct scene *scene = *state;
    int64_t now_s = wall_seconds(host_wall(scene->setup.world.host));
    struct store_transport_policy kept = {
        .domain = SLICE("foo.com"),
        .sts_id = SLICE("1"),
        .text = SLICE("version: STSv1\nmode: enforce\nmx: mx.foo.com\nmax_age: 86400\n"),
        .fetched_s = now_s - 3600,
        .until_s = now_s - 3600 + 86400,
    };

    tell_policy(&scene->setup, &kept);
    expect_host(carry_with(scene, "1"), STORE_TRANSPORT_OUTCOME_DELIVERED,
                STORE_TRANSPORT_TLS_RESULT_VERIFIED);
    assert_int_equal(scene->web.count, 0);
    assert_int_equal(scene->setup.learned_count, 0);
    /* Somebody between us and the domain takes away its record and its certificate. */
    tls_context_close(&scene->post->tls);
    add_tls(scene->post, NULL);
    world_run(&scene->setup.world, 60 * 1000);
    expect_host(carry_with(scene, ""), STORE_TRANSPORT_OUTCOME_TEMPORARY,
                STORE_TRANSPORT_TLS_RESULT_NOT_TRUSTED);
    /* A new one is learned, and told. */
    scene->web.answer = HEAD "version: STSv1\nmode: none\nmax_age: 1000\nmore: yes\n";
    expect_host(carry_with(scene, "2"), STORE_TRANSPORT_OUTCOME_DELIVERED,
                STORE_TRANSPORT_TLS_RESULT_ENCRYPTED);
    assert_int_equal(scene->setup.learned_count, 1);
    expect_text(scene->setup.learned.domain, "foo.com");
    expect_text(scene->setup.learned.sts_id, "2");
    expect_text(scene->setup.learned.text, "version: STSv1\nmode: none\nmax_age: 1000\n");
    assert_int_equal(scene->setup.learned.until_s - scene->setup.learned.fetched_s, 1000);
}

/* When half of its time is over it is fetched again, also for a message that is none. */
static void
a_policy_is_refreshed_before_its_end(void **state)
{
    static const struct store_transport_address web = {.bytes = SLICE("\xC0\x00\x02\x50")};
    struct scene *scene = *state;

    carry_with(scene, "1");
    world_run(&scene->setup.world, INT64_C(43000) * 1000);
    carry_with(scene, "1");
    assert_int_equal(scene->web.count, 1);
    world_run(&scene->setup.world, INT64_C(300) * 1000);
    struct store_transport_carry note = {
        .id = 999,
        .carrier = STORE_TRANSPORT_CARRIER_DISCARD,
        .destination = SLICE("foo.com"),
        .sts_domain = SLICE("foo.com"),
        .sts_id = SLICE("1"),
        .sts_addresses = {&web, 1},
    };
    struct store_transport_carried carried = carry(&scene->setup, &note);
    assert_int_equal(carried.results.count, 0);
    assert_int_equal(scene->web.count, 2);
    assert_int_equal(scene->setup.learned_count, 2);
    /* One that cannot be had again holds to its end, and is asked for now and then. */
    scene->web.answer = "HTTP/1.1 500 No\r\n\r\n";
    tls_context_close(&scene->post->tls);
    add_tls(scene->post, NULL);
    world_run(&scene->setup.world, INT64_C(86000) * 1000);
    expect_host(carry_with(scene, "1"), STORE_TRANSPORT_OUTCOME_TEMPORARY,
                STORE_TRANSPORT_TLS_RESULT_NOT_TRUSTED);
    expect_host(carry_with(scene, "1"), STORE_TRANSPORT_OUTCOME_TEMPORARY,
                STORE_TRANSPORT_TLS_RESULT_NOT_TRUSTED);
    assert_int_equal(scene->web.count, 3);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)
        TEST(a_policy_is_fetched_once_and_its_host_verified),
        TEST(a_host_that_is_another_gets_nothing),
        TEST(a_policy_names_the_hosts_that_may_be_tried),
        TEST(a_known_policy_holds_until_it_is_too_old),
        TEST(a_policy_that_cannot_be_had_is_none_for_a_while),
        TEST(a_policy_in_test_is_tried_and_told_about),
        TEST(a_web_server_that_is_another_tells_no_policy),
        TEST(messages_wait_together_for_one_policy),
        TEST(the_store_keeps_what_was_learned),
        TEST(a_policy_is_refreshed_before_its_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
