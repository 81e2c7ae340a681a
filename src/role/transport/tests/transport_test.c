/* SPDX-License-Identifier: ISC */
/* The role on the simulator's host: a store that gives it messages, and hosts with our own server
 * engine that take them, or do not. */
#include "role/tests/world.h"

#include "note/store_transport.h"
#include "role/connection.h"
#include "sasl/digest.h"
#include "smtp/tests/office.h"
#include "text/base64.h"
#include "tls/certificate.h"

enum { POSTS_MAX = 4, TALKS_MAX = 64, SIDE_TRANSPORT = 1, DIGEST_SIZE = 32 };

struct post;

/* One connection of a post. */
struct talk {
    struct post *post;
    struct office_desk desk;
    struct connection *connection;
};

/* A host with an SMTP server. */
struct post {
    struct host *host;
    struct host_listener *listener;
    struct connection_shared *shared;
    struct office office;
    struct smtp_server_options options;
    struct tls_context *tls;
    struct talk talks[TALKS_MAX];
    size_t talk_count;
    uint16_t greeting;
    bool is_mute; /* accepts, and says nothing */
    struct host_stream *mute;
};

struct setup {
    struct world world;
    struct world_peer store;
    struct note_ledger ledger;
    struct arena arena;
    struct post posts[POSTS_MAX];
    uint64_t id;
};

/* ---- a post -------------------------------------------------------------------------------- */

static size_t
engine_feed(void *engine, struct slice input, struct instant now)
{
    return smtp_server_feed(engine, input, now);
}

static struct slice
engine_output(const void *engine)
{
    return smtp_server_output(engine);
}

static void
engine_sent(void *engine, size_t len, struct instant now)
{
    (void)now;
    smtp_server_sent(engine, len);
}

static struct instant
engine_deadline(const void *engine)
{
    return smtp_server_deadline(engine);
}

static void
engine_expire(void *engine, struct instant now)
{
    smtp_server_expire(engine, now);
}

static bool
engine_is_busy(const void *engine)
{
    return smtp_server_is_asking(engine);
}

static const struct connection_engine engine_kind = {
    engine_feed, engine_output, engine_sent, engine_deadline, engine_expire, engine_is_busy,
};

static void
on_process(void *owner)
{
    struct talk *talk = owner;

    office_desk_work(&talk->desk, host_now(talk->post->host));
    if (talk->desk.is_tls_due && talk->connection) {
        talk->desk.is_tls_due = false;
        connection_start_tls(talk->connection, talk->post->tls);
    }
    if (talk->desk.is_closed && talk->connection)
        connection_finish(talk->connection);
}

static void
on_secured(void *owner)
{
    struct talk *talk = owner;

    smtp_server_tls_started(talk->desk.server, false, host_now(talk->post->host));
}

static void
on_closed(void *owner, enum connection_end end)
{
    struct talk *talk = owner;

    (void)end;
    connection_close(&talk->connection);
    smtp_server_close(&talk->desk.server);
}

static void
on_accept(void *context, struct host_stream *stream)
{
    static const struct connection_owner owner_kind = {on_process, on_secured, on_closed};
    static const struct smtp_server_peer peer = {.is_trusted = true};
    struct post *post = context;

    if (post->is_mute) {
        post->mute = stream;
        return;
    }
    assert_true(post->talk_count < TALKS_MAX);
    struct talk *talk = &post->talks[post->talk_count++];
    talk->post = post;
    office_desk_init(&talk->desk, &post->office,
                     smtp_server_open(&post->options, &peer, host_now(post->host)));
    talk->desk.greeting = post->greeting;
    talk->connection = connection_open(&(struct connection_options){
        .shared = post->shared,
        .stream = stream,
        .engine_kind = &engine_kind,
        .engine = talk->desk.server,
        .owner_kind = &owner_kind,
        .owner = talk,
    });
}

/* Posts have the addresses 192.0.2.1, 192.0.2.2 and so on. */
static struct post *
open_post(struct setup *setup, size_t number)
{
    struct post *post = &setup->posts[number - 1];
    struct host_address address = {.family = HOST_FAMILY_IPV4, .port = 25};

    memcpy(address.bytes, (const uint8_t[]){192, 0, 2, (uint8_t)number}, 4);
    post->host = sim_host_open(setup->world.sim, "post");
    post->shared = connection_shared_open(post->host);
    post->options.hostname = SLICE("foo.com");
    post->listener = host_listener_open(
        post->host, sim_listen(setup->world.sim, post->host, &address), on_accept, post);
    return post;
}

static void
close_post(struct post *post)
{
    if (!post->host)
        return;
    for (size_t i = 0; i < post->talk_count; i++) {
        connection_close(&post->talks[i].connection);
        office_desk_finish(&post->talks[i].desk);
    }
    host_stream_close(&post->mute);
    host_listener_close(&post->listener);
    connection_shared_close(&post->shared);
    tls_context_close(&post->tls);
    office_finish(&post->office);
    sim_host_close(&post->host);
}

/* SHA-256 of the certificate in a PEM text. */
static void
digest_certificate(struct slice pem, uint8_t ret_digest[DIGEST_SIZE])
{
    struct buffer der;
    size_t start = slice_find_byte(pem, '\n');
    struct slice text = slice_between(pem, start, slice_find(pem, SLICE("-----END")));

    buffer_init(&der, 65536);
    (void)base64_decode(text, &der);
    sasl_digest(SASL_HASH_SHA_256, buffer_slice(&der), ret_digest);
    buffer_finish(&der);
}

/* Gives the post a certificate; its digest is what a TLSA record 3 0 1 would say. */
static void
add_tls(struct post *post, uint8_t ret_digest[DIGEST_SIZE])
{
    struct slice name = SLICE("mx.foo.com");
    struct tls_certificate_request request = {
        .names = &name, .names_count = 1, .now = {time(NULL) * INT64_C(1000000000)}, .days = 30};
    struct buffer chain, key, problem;

    buffer_init(&chain, TLS_CERTIFICATE_PEM_MAX);
    buffer_init(&key, TLS_CERTIFICATE_PEM_MAX);
    buffer_init(&problem, 1024);
    post->tls = tls_context_open_server();
    assert_true(tls_certificate_make(&request, &chain, &key, &problem));
    assert_true(
        tls_context_set(post->tls, SLICE(""), buffer_slice(&chain), buffer_slice(&key), &problem));
    if (ret_digest)
        digest_certificate(buffer_slice(&chain), ret_digest);
    post->options.has_tls = true;
    buffer_finish(&chain);
    buffer_finish(&key);
    buffer_finish(&problem);
}

/* ---- the store ----------------------------------------------------------------------------- */

static void
open_seeded(struct setup *setup, uint64_t seed, const struct sim_options *options)
{
    *setup = (struct setup){.id = 1};
    world_open_seeded(&setup->world, &role_transport, seed, options);
    setup->world.config.hostname = SLICE("bar.com");
    setup->world.config.outbound_trust = SLICE("");
    arena_init(&setup->arena, 1 << 24);
    world_start(&setup->world);
    world_attach(&setup->world, &setup->store, ROLE_STORE, 0);
}

static int
open_setup(void **state)
{
    static const struct sim_options calm;
    static struct setup setup;

    open_seeded(&setup, 1, &calm);
    *state = &setup;
    return 0;
}

static int
close_setup(void **state)
{
    struct setup *setup = *state;

    setup->world.role->close(setup->world.state);
    setup->world.state = NULL;
    world_detach(&setup->store);
    for (size_t i = 0; i < POSTS_MAX; i++)
        close_post(&setup->posts[i]);
    world_close(&setup->world);
    note_ledger_finish(&setup->ledger);
    arena_finish(&setup->arena);
    return 0;
}

static const struct store_transport_recipient jones = {.address = SLICE("jones@foo.com")};
static const struct store_transport_host hosts[] = {
    {.name = SLICE("mx.foo.com"), .is_secure = true},
    {.name = SLICE("mx2.foo.com"), .is_secure = true},
};
static const struct store_transport_address addresses[] = {
    {.host = 0, .bytes = SLICE("\xC0\x00\x02\x01")},
    {.host = 1, .bytes = SLICE("\xC0\x00\x02\x02")},
};

/* To jones@foo.com, whose hosts are the first `count` posts. */
static struct store_transport_carry
carry_of(struct setup *setup, size_t count)
{
    return (struct store_transport_carry){
        .id = setup->id++,
        .queue_id = SLICE("Q1"),
        .carrier = STORE_TRANSPORT_CARRIER_SMTP,
        .destination = SLICE("foo.com"),
        .port = 25,
        .tls = STORE_TRANSPORT_TLS_MAY,
        .hosts = {hosts, count},
        .addresses = {addresses, count},
        .reverse_path = SLICE("smith@bar.com"),
        .recipients = {&jones, 1},
        .skip = 5,
        .body = SLICE("SKIP!Subject: hi\r\n\r\nText\r\n"),
    };
}

static void
give(struct setup *setup, const struct store_transport_carry *carry, host_handle handle)
{
    struct buffer note;

    buffer_init(&note, HOST_NOTE_MAX);
    assert_true(store_transport_put_carry(&note, &setup->ledger, carry));
    host_channel_send(setup->store.channel, buffer_slice(&note), handle);
    buffer_finish(&note);
}

static struct store_transport_carried
answer_of(struct setup *setup)
{
    struct store_transport_note note;

    for (unsigned i = 0; setup->store.taken == setup->store.count && i < 1000; i++)
        world_run(&setup->world, 1000);
    assert_true(store_transport_take(world_next(&setup->store), -1, SIDE_TRANSPORT, &setup->ledger,
                                     &setup->arena, &note));
    return note.as.carried;
}

static struct store_transport_carried
carry(struct setup *setup, const struct store_transport_carry *note)
{
    give(setup, note, HOST_HANDLE_NONE);
    return answer_of(setup);
}

static void
expect_text(struct slice text, const char *expected)
{
    if (!slice_equal(text, slice_of_string(expected)))
        fail_msg("\"%.*s\" is not \"%s\"", (int)text.len, text.at, expected);
}

/* ---- the tests ----------------------------------------------------------------------------- */

static void
each_recipient_has_a_result_and_each_address_a_line_of_history(void **state)
{
    struct setup *setup = *state;
    struct store_transport_recipient both[] = {jones, {.address = SLICE("unknown@foo.com")}};
    struct post *post = open_post(setup, 1);
    struct store_transport_carry note = carry_of(setup, 1);

    note.recipients.at = both;
    note.recipients.count = 2;
    struct store_transport_carried carried = carry(setup, &note);
    assert_int_equal(carried.reach, STORE_TRANSPORT_REACH_REACHED);
    assert_int_equal(carried.results.count, 2);
    assert_int_equal(carried.results.at[0].outcome, STORE_TRANSPORT_OUTCOME_DELIVERED);
    expect_text(carried.results.at[0].text, "Message accepted");
    assert_int_equal(carried.results.at[1].outcome, STORE_TRANSPORT_OUTCOME_PERMANENT);
    assert_int_equal(carried.results.at[1].code, 550);
    expect_text(carried.results.at[1].status, "5.1.1");
    assert_int_equal(carried.attempts.count, 1);
    assert_true(carried.attempts.at[0].is_connected);
    expect_text(carried.attempts.at[0].host, "mx.foo.com");
    assert_int_equal(post->office.message_count, 1);
    expect_text(post->office.messages[0].bytes, "Subject: hi\r\n\r\nText\r\n");
}

static void
a_connection_serves_the_next_message_and_then_ends(void **state)
{
    struct setup *setup = *state;
    struct post *post = open_post(setup, 1);
    struct store_transport_carry note = carry_of(setup, 1);

    assert_false(carry(setup, &note).attempts.at[0].is_reused);
    note.id++;
    assert_true(carry(setup, &note).attempts.at[0].is_reused);
    assert_int_equal(post->talk_count, 1);
    world_run(&setup->world, 20000);
    assert_true(post->talks[0].desk.is_closed);
    note.id++;
    assert_false(carry(setup, &note).attempts.at[0].is_reused);
    assert_int_equal(post->talk_count, 2);
    /* Another destination has connections of its own. */
    note.id++;
    note.destination = SLICE("elsewhere");
    assert_false(carry(setup, &note).attempts.at[0].is_reused);
    assert_int_equal(post->office.message_count, 4);
}

static void
the_next_host_is_tried_when_one_cannot_be_reached_or_refuses(void **state)
{
    struct setup *setup = *state;
    struct post *post = open_post(setup, 2);
    struct store_transport_carry note = carry_of(setup, 2);

    struct store_transport_carried carried = carry(setup, &note);
    assert_int_equal(carried.results.at[0].outcome, STORE_TRANSPORT_OUTCOME_DELIVERED);
    assert_int_equal(carried.results.at[0].attempt, 1);
    assert_int_equal(carried.attempts.count, 2);
    assert_false(carried.attempts.at[0].is_connected);
    expect_text(carried.attempts.at[0].text, "Connection refused");
    open_post(setup, 1)->greeting = 554;
    note.id++;
    note.destination = SLICE("other");
    carried = carry(setup, &note);
    assert_int_equal(carried.results.at[0].outcome, STORE_TRANSPORT_OUTCOME_DELIVERED);
    assert_true(carried.attempts.at[0].is_connected);
    assert_int_equal(carried.attempts.at[0].code, 554);
    assert_int_equal(post->office.message_count, 2);
}

static void
hosts_that_cannot_be_had_make_it_temporary(void **state)
{
    struct setup *setup = *state;
    struct store_transport_carry note = carry_of(setup, 2);

    struct store_transport_carried carried = carry(setup, &note);
    assert_int_equal(carried.reach, STORE_TRANSPORT_REACH_UNREACHABLE);
    assert_int_equal(carried.results.at[0].outcome, STORE_TRANSPORT_OUTCOME_TEMPORARY);
    expect_text(carried.results.at[0].status, "4.4.1");
    expect_text(carried.results.at[0].text, "mx2.foo.com: Connection refused");
    open_post(setup, 1)->greeting = 421;
    note = carry_of(setup, 1);
    carried = carry(setup, &note);
    assert_int_equal(carried.reach, STORE_TRANSPORT_REACH_REFUSED);
    assert_int_equal(carried.results.at[0].code, 421);
    note = carry_of(setup, 0);
    assert_int_equal(carry(setup, &note).results.at[0].outcome, STORE_TRANSPORT_OUTCOME_TEMPORARY);
}

/* RFC 5321 §4.5.3.2.1: five minutes for the greeting; then the next host has its turn. */
static void
a_mute_host_costs_its_time_and_no_more(void **state)
{
    struct setup *setup = *state;
    struct store_transport_carry note = carry_of(setup, 2);

    open_post(setup, 1)->is_mute = true;
    open_post(setup, 2);
    struct store_transport_carried carried = carry(setup, &note);
    assert_int_equal(carried.results.at[0].outcome, STORE_TRANSPORT_OUTCOME_DELIVERED);
    assert_in_range(carried.attempts.at[0].duration_ms, 300000, 301000);
}

static void
tls_is_used_where_it_is_offered(void **state)
{
    struct setup *setup = *state;
    struct post *post = open_post(setup, 1);
    struct store_transport_carry note = carry_of(setup, 1);

    add_tls(post, NULL);
    struct store_transport_carried carried = carry(setup, &note);
    assert_int_equal(carried.results.at[0].outcome, STORE_TRANSPORT_OUTCOME_DELIVERED);
    assert_int_equal(carried.attempts.at[0].tls_result, STORE_TRANSPORT_TLS_RESULT_ENCRYPTED);
    assert_true(slice_starts_with(carried.attempts.at[0].tls, SLICE("TLSv1.3 ")));
    note.id++;
    note.tls = STORE_TRANSPORT_TLS_NONE;
    carried = carry(setup, &note);
    assert_int_equal(carried.attempts.at[0].tls_result, STORE_TRANSPORT_TLS_RESULT_UNNEEDED);
}

/* RFC 7435 §3: a host whose TLS is broken gets its mail in the clear, unless TLS is wanted. */
static void
broken_tls_keeps_no_mail_back_but_where_it_is_required(void **state)
{
    struct setup *setup = *state;
    struct post *post = open_post(setup, 1);
    struct store_transport_carry note = carry_of(setup, 1);

    post->options.has_tls = true;
    post->tls = tls_context_open_server(); /* without a certificate */
    struct store_transport_carried carried = carry(setup, &note);
    assert_int_equal(carried.results.at[0].outcome, STORE_TRANSPORT_OUTCOME_DELIVERED);
    assert_int_equal(carried.attempts.count, 2);
    assert_int_equal(carried.attempts.at[0].tls_result, STORE_TRANSPORT_TLS_RESULT_VALIDATION);
    note.id++;
    note.tls = STORE_TRANSPORT_TLS_ENCRYPT;
    carried = carry(setup, &note);
    assert_int_equal(carried.results.at[0].outcome, STORE_TRANSPORT_OUTCOME_TEMPORARY);
    expect_text(carried.results.at[0].status, "4.7.5");
    assert_int_equal(post->office.message_count, 1);
}

/* RFC 7672 §2.2 */
static void
a_host_must_be_the_one_that_its_tlsa_record_tells(void **state)
{
    struct setup *setup = *state;
    struct post *post = open_post(setup, 1);
    uint8_t digest[DIGEST_SIZE];
    struct store_transport_tlsa record = {
        .usage = 3, .matching = 1, .data = slice_of(digest, sizeof(digest))};
    struct store_transport_carry note = carry_of(setup, 1);

    add_tls(post, digest);
    note.tls = STORE_TRANSPORT_TLS_DANE;
    note.tlsa.at = &record;
    note.tlsa.count = 1;
    struct store_transport_carried carried = carry(setup, &note);
    assert_int_equal(carried.results.at[0].outcome, STORE_TRANSPORT_OUTCOME_DELIVERED);
    assert_int_equal(carried.attempts.at[0].tls_result, STORE_TRANSPORT_TLS_RESULT_VERIFIED);
    digest[0] ^= 1;
    note.id++;
    note.destination = SLICE("again");
    carried = carry(setup, &note);
    assert_int_equal(carried.results.at[0].outcome, STORE_TRANSPORT_OUTCOME_TEMPORARY);
    assert_int_equal(carried.attempts.at[0].tls_result, STORE_TRANSPORT_TLS_RESULT_TLSA_INVALID);
    /* A host that has none offers no way around it. */
    post->options.has_tls = false;
    note.id++;
    carried = carry(setup, &note);
    assert_int_equal(carried.attempts.at[0].tls_result, STORE_TRANSPORT_TLS_RESULT_NOT_SUPPORTED);
    assert_int_equal(post->office.message_count, 1);
}

/* RFC 8461 §5 */
static void
a_policy_names_the_hosts_that_may_be_tried(void **state)
{
    struct setup *setup = *state;
    struct store_transport_verify_name pattern = {.name = SLICE("*.elsewhere.com")};
    struct store_transport_carry note = carry_of(setup, 1);

    open_post(setup, 1);
    note.sts = STORE_TRANSPORT_STS_ENFORCE;
    note.verify_names.at = &pattern;
    note.verify_names.count = 1;
    struct store_transport_carried carried = carry(setup, &note);
    assert_int_equal(carried.results.at[0].outcome, STORE_TRANSPORT_OUTCOME_TEMPORARY);
    assert_int_equal(carried.attempts.at[0].tls_result, STORE_TRANSPORT_TLS_RESULT_HOST_MISMATCH);
    assert_int_equal(setup->posts[0].talk_count, 0);
}

static void
too_many_recipients_are_carried_in_several_transactions(void **state)
{
    struct setup *setup = *state;
    struct store_transport_recipient three[] = {
        jones, {.address = SLICE("brown@foo.com")}, {.address = SLICE("white@foo.com")}};
    struct post *post = open_post(setup, 1);
    struct store_transport_carry note = carry_of(setup, 1);

    post->options.recipients_max = 1;
    note.recipients.at = three;
    note.recipients.count = 3;
    struct store_transport_carried carried = carry(setup, &note);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(carried.results.at[i].outcome, STORE_TRANSPORT_OUTCOME_DELIVERED);
    assert_int_equal(post->talk_count, 1);
    assert_int_equal(post->office.message_count, 3);
}

static void
large_messages_come_as_blobs(void **state)
{
    struct setup *setup = *state;
    struct post *post = open_post(setup, 1);
    struct store_transport_carry note = carry_of(setup, 1);
    struct host_blob *blob;
    host_handle handle;
    struct buffer text;

    buffer_init(&text, 1 << 20);
    while (buffer_len(&text) < 300000)
        buffer_put_text(&text, "...a line of a large message\r\n");
    assert_int_equal(host_blob_open(setup->store.host, &blob), 0);
    assert_int_equal(host_blob_put(blob, buffer_slice(&text)), 0);
    assert_int_equal(host_blob_seal(&blob, &handle), 0);
    note.skip = 0;
    note.body = SLICE("");
    give(setup, &note, handle);
    assert_int_equal(answer_of(setup).results.at[0].outcome, STORE_TRANSPORT_OUTCOME_DELIVERED);
    assert_true(slice_equal(post->office.messages[0].bytes, buffer_slice(&text)));
    buffer_finish(&text);
}

static void
discard_and_error_need_no_host(void **state)
{
    struct setup *setup = *state;
    struct store_transport_carry note = carry_of(setup, 0);

    note.carrier = STORE_TRANSPORT_CARRIER_DISCARD;
    assert_int_equal(carry(setup, &note).results.at[0].outcome, STORE_TRANSPORT_OUTCOME_DELIVERED);
    note.id++;
    note.carrier = STORE_TRANSPORT_CARRIER_ERROR;
    note.code = 550;
    note.status = SLICE("5.1.2");
    note.text = SLICE("no such domain");
    struct store_transport_carried carried = carry(setup, &note);
    assert_int_equal(carried.results.at[0].outcome, STORE_TRANSPORT_OUTCOME_PERMANENT);
    expect_text(carried.results.at[0].status, "5.1.2");
    expect_text(carried.results.at[0].text, "no such domain");
}

static void
a_store_that_dies_is_forgotten_and_a_new_one_served(void **state)
{
    struct setup *setup = *state;
    struct store_transport_carry note = carry_of(setup, 2);

    open_post(setup, 1)->is_mute = true;
    open_post(setup, 2);
    give(setup, &note, HOST_HANDLE_NONE);
    world_run(&setup->world, 1000);
    world_detach(&setup->store);
    world_run(&setup->world, 1000);
    note_ledger_finish(&setup->ledger);
    setup->ledger = (struct note_ledger){0};
    world_attach(&setup->world, &setup->store, ROLE_STORE, 0);
    assert_int_equal(carry(setup, &note).results.at[0].outcome, STORE_TRANSPORT_OUTCOME_DELIVERED);
}

static void
it_stops_when_it_has_nothing_more_to_do(void **state)
{
    struct setup *setup = *state;
    struct store_transport_carry note = carry_of(setup, 1);
    struct post *post = open_post(setup, 1);

    (void)carry(setup, &note);
    setup->world.role->stop(setup->world.state);
    world_run(&setup->world, 3000);
    assert_true(sim_host_is_stopped(setup->world.host));
    assert_true(post->talks[0].desk.is_closed);
}

/* How often a message with this text has arrived. */
static size_t
count_arrived(const struct setup *setup, struct slice text)
{
    size_t count = 0;

    for (size_t i = 0; i < POSTS_MAX; i++) {
        const struct office *office = &setup->posts[i].office;
        for (size_t k = 0; k < office->message_count; k++)
            count += slice_equal(office->messages[k].bytes, text);
    }
    return count;
}

static void
carry_through_faults(struct setup *setup, uint64_t seed, size_t outcomes[4])
{
    char body[64];
    int len = snprintf(body, sizeof(body), "SKIP!Subject: %u\r\n\r\nText\r\n", (unsigned)seed);
    struct store_transport_carry note = carry_of(setup, 2);

    note.body = slice_of(body, (size_t)len);
    struct store_transport_carried carried = carry(setup, &note);
    assert_int_equal(carried.id, note.id);
    assert_int_equal(carried.results.count, 1);
    enum store_transport_outcome outcome = carried.results.at[0].outcome;
    size_t arrived = count_arrived(setup, slice_skip(note.body, 5));
    /* What is told is what was; only where the answer was lost it may be either. */
    if (outcome == STORE_TRANSPORT_OUTCOME_DELIVERED)
        assert_int_equal(arrived, 1);
    else if (outcome == STORE_TRANSPORT_OUTCOME_UNKNOWN)
        assert_in_range(arrived, 0, 1);
    else
        assert_int_equal(arrived, 0);
    outcomes[outcome]++;
}

static void
results_are_true_whatever_the_network_does(void **state)
{
    static struct setup setup;
    size_t outcomes[4] = {0};

    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct sim_options options = {
            .note_delay_max = duration_ms(5),
            .stream_delay_max = duration_ms(seed % 3 ? 50 : 2000),
            .stream_chunk_max = seed % 2 ? 7 : 500,
            .cut_per_million = seed % 4 ? 20000 : 100000,
        };
        open_seeded(&setup, seed, &options);
        for (size_t i = 1; i <= 2; i++) {
            struct post *post = open_post(&setup, i);
            if (seed % 5 == 0)
                add_tls(post, NULL);
        }
        for (uint64_t i = 0; i < 4; i++)
            carry_through_faults(&setup, seed * 4 + i, outcomes);
        void *it = &setup;
        close_setup(&it);
    }
    print_message("%zu delivered, %zu temporary, %zu unknown\n", outcomes[0], outcomes[1],
                  outcomes[3]);
    assert_true(outcomes[STORE_TRANSPORT_OUTCOME_DELIVERED] > 60);
    assert_true(outcomes[STORE_TRANSPORT_OUTCOME_TEMPORARY] > 0);
    assert_true(outcomes[STORE_TRANSPORT_OUTCOME_UNKNOWN] > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_setup, close_setup)
        TEST(each_recipient_has_a_result_and_each_address_a_line_of_history),
        TEST(a_connection_serves_the_next_message_and_then_ends),
        TEST(the_next_host_is_tried_when_one_cannot_be_reached_or_refuses),
        TEST(hosts_that_cannot_be_had_make_it_temporary),
        TEST(a_mute_host_costs_its_time_and_no_more),
        TEST(tls_is_used_where_it_is_offered),
        TEST(broken_tls_keeps_no_mail_back_but_where_it_is_required),
        TEST(a_host_must_be_the_one_that_its_tlsa_record_tells),
        TEST(a_policy_names_the_hosts_that_may_be_tried),
        TEST(too_many_recipients_are_carried_in_several_transactions),
        TEST(large_messages_come_as_blobs),
        TEST(discard_and_error_need_no_host),
        TEST(a_store_that_dies_is_forgotten_and_a_new_one_served),
        TEST(it_stops_when_it_has_nothing_more_to_do),
        cmocka_unit_test(results_are_true_whatever_the_network_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
