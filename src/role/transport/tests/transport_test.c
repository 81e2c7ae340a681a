/* SPDX-License-Identifier: ISC */
/* The role carries messages: results, hosts in turn, connections that are kept, TLS. */
#include "role/transport/tests/posts.h"
#include "role/transport/transport_role.h"

#include <stdio.h>

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

/* Messages for as many destinations; returns the milliseconds until all are answered. */
static unsigned
carry_to_many(struct setup *setup, unsigned first, unsigned count)
{
    struct store_transport_carry note = carry_of(setup, 1);
    size_t wanted = setup->store.count + count;
    unsigned ms = 0;
    char name[32];

    for (unsigned i = 0; i < count; i++) {
        note.id = setup->id++;
        snprintf(name, sizeof(name), "d%u", first + i);
        note.destination = slice_of_string(name);
        give(setup, &note, HOST_HANDLE_NONE);
    }
    for (; setup->store.count < wanted && ms < 2 * TRANSPORT_IDLE_MS; ms += 50)
        world_run(&setup->world, 50);
    assert_int_equal(setup->store.count, wanted);
    return ms;
}

static void
connections_that_are_kept_make_room_for_other_destinations(void **state)
{
    enum { MORE = 20 };
    struct setup *setup = *state;
    struct post *post = open_post(setup, 1);

    /* They are kept when the others come. */
    (void)carry_to_many(setup, 0, TRANSPORT_SESSIONS_MAX);
    assert_true(carry_to_many(setup, TRANSPORT_SESSIONS_MAX, MORE) < TRANSPORT_IDLE_MS / 4);
    world_run(&setup->world, 2 * TRANSPORT_IDLE_MS);
    /* They are at work when the others come. */
    assert_true(carry_to_many(setup, 0, TRANSPORT_SESSIONS_MAX + MORE) < TRANSPORT_IDLE_MS / 4);
    assert_int_equal(post->talk_count, 2 * (TRANSPORT_SESSIONS_MAX + MORE));
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

/* RFC 6531 §3.2: it does not go there; another host of the domain may have it. */
static void
a_host_that_cannot_have_a_message_is_asked_once(void **state)
{
    static const struct store_transport_recipient zoe = {.address = SLICE("zo\xC3\xA9@foo.com")};
    struct setup *setup = *state;
    struct post *post = open_post(setup, 1);
    struct store_transport_carry note = carry_of(setup, 1);

    post->options.is_utf8_off = true;
    note.is_utf8 = true;
    note.recipients.at = &zoe;
    struct store_transport_carried carried = carry(setup, &note);
    assert_int_equal(carried.results.at[0].outcome, STORE_TRANSPORT_OUTCOME_PERMANENT);
    expect_text(carried.results.at[0].status, "5.6.7");
    assert_int_equal(carried.attempts.count, 1);
    /* What is kept says so again; then the host itself is asked. */
    note.id++;
    carried = carry(setup, &note);
    expect_text(carried.results.at[0].status, "5.6.7");
    assert_int_equal(carried.attempts.count, 2);
    assert_true(carried.attempts.at[0].is_reused);
    assert_false(carried.attempts.at[1].is_reused);
    assert_int_equal(post->talk_count, 2);
    open_post(setup, 2);
    note = carry_of(setup, 2);
    note.is_utf8 = true;
    note.recipients.at = &zoe;
    note.destination = SLICE("other");
    carried = carry(setup, &note);
    assert_int_equal(carried.results.at[0].outcome, STORE_TRANSPORT_OUTCOME_DELIVERED);
    assert_int_equal(carried.attempts.count, 2);
    assert_int_equal(setup->posts[1].office.message_count, 1);
}

/* The store has a turn opened (ATRN), and the customer's host is at its other end. */
static void
open_turn(struct setup *setup, struct post *post, uint64_t id)
{
    const struct store_transport_turn turn = {.id = id};
    struct store_transport_note answer;
    struct buffer note;

    setup->store.keeps_handle = true;
    setup->store.handle = HOST_HANDLE_NONE;
    buffer_init(&note, HOST_NOTE_MAX);
    assert_true(store_transport_put_turn(&note, &setup->ledger, &turn));
    host_channel_send(setup->store.channel, buffer_slice(&note), HOST_HANDLE_NONE);
    buffer_finish(&note);
    struct slice bytes = world_next(&setup->store);
    assert_true(store_transport_take(bytes, setup->store.handle, 1, &setup->ledger, &setup->arena,
                                     &answer));
    assert_int_equal(answer.kind, STORE_TRANSPORT_TURNED);
    post_take_turn(post, &setup->store);
}

/* RFC 8689 §4.2.1: nothing can be proven of such a host. */
static void
what_a_customer_cannot_fetch_holds_up_nothing_behind_it(void **state)
{
    struct setup *setup = *state;
    struct post *post = open_post(setup, 1);
    uint64_t turn = setup->id++;
    char path[32];

    snprintf(path, sizeof(path), TRANSPORT_TURN "%llu", (unsigned long long)turn);
    open_turn(setup, post, turn);
    for (unsigned i = 0; i < 3; i++) {
        struct store_transport_carry note = carry_of(setup, 1);
        note.path = slice_of_string(path);
        note.requires_tls = i == 1;
        give(setup, &note, HOST_HANDLE_NONE);
    }
    for (unsigned i = 0; i < 3; i++) {
        struct store_transport_carried carried = answer_of(setup);
        assert_int_equal(carried.attempts.count, 1);
        assert_int_equal(carried.results.at[0].outcome,
                         i == 1 ? STORE_TRANSPORT_OUTCOME_PERMANENT
                                : STORE_TRANSPORT_OUTCOME_DELIVERED);
    }
    assert_int_equal(post->talk_count, 1);
    assert_int_equal(post->office.message_count, 2);
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
    note.id++;
    note.carrier = STORE_TRANSPORT_CARRIER_LMTP;
    note.path = SLICE("/run/x");
    expect_text(carry(setup, &note).results.at[0].text,
                "/run/x: nothing connects unix sockets: name the folder in socket_dirs");
    note.id++;
    note.carrier = STORE_TRANSPORT_CARRIER_PIPE;
    carried = carry(setup, &note);
    assert_int_equal(carried.results.at[0].outcome, STORE_TRANSPORT_OUTCOME_TEMPORARY);
    expect_text(carried.results.at[0].text, "the option programs has no program");
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
        TEST(connections_that_are_kept_make_room_for_other_destinations),
        TEST(the_next_host_is_tried_when_one_cannot_be_reached_or_refuses),
        TEST(hosts_that_cannot_be_had_make_it_temporary),
        TEST(a_mute_host_costs_its_time_and_no_more),
        TEST(tls_is_used_where_it_is_offered),
        TEST(broken_tls_keeps_no_mail_back_but_where_it_is_required),
        TEST(a_host_must_be_the_one_that_its_tlsa_record_tells),
        TEST(too_many_recipients_are_carried_in_several_transactions),
        TEST(a_host_that_cannot_have_a_message_is_asked_once),
        TEST(what_a_customer_cannot_fetch_holds_up_nothing_behind_it),
        TEST(large_messages_come_as_blobs),
        TEST(discard_and_error_need_no_host),
        TEST(a_store_that_dies_is_forgotten_and_a_new_one_served),
        TEST(it_stops_when_it_has_nothing_more_to_do),
        cmocka_unit_test(results_are_true_whatever_the_network_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
