/* SPDX-License-Identifier: ISC */
/* The role deliver in the simulator: the test is `store` at the other end of its channel, and the
 * frame that counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/sim/sim.h"
#include "mime/record.h"
#include "note/store_deliver.h"
#include "role/role.h"

struct role_stats {
    uint64_t messages, refused, cut;
};

void
role_stats_add(struct role_stats *stats, const char *name, uint64_t value)
{
    if (strcmp(name, "messages") == 0)
        stats->messages = value;
    else if (strcmp(name, "bodies_refused") == 0)
        stats->refused = value;
    else if (strcmp(name, "records_cut") == 0)
        stats->cut = value;
}

struct fixture {
    struct sim *sim;
    struct host *store, *deliver;
    struct host_channel *channel;
    struct note_ledger ledger;
    struct arena arena;
    void *state;
    struct slice body; /* of the request that is open */
    unsigned answers;
    uint32_t parts;     /* of the last record; 0 when it was empty */
    bool was_inline, is_closed;
};

static void
on_parsed(void *context, struct slice bytes, host_handle handle)
{
    struct fixture *fixture = context;
    struct store_deliver_note note;
    struct mime_record record;

    arena_reset(&fixture->arena);
    assert_true(store_deliver_take(bytes, handle, 1, &fixture->ledger, &fixture->arena, &note));
    assert_int_equal(note.kind, STORE_DELIVER_PARSED);
    assert_int_equal(note.as.parsed.action, STORE_DELIVER_FILTER_ACTION_KEEP);
    fixture->answers++;
    fixture->parts = 0;
    fixture->was_inline = handle == HOST_HANDLE_NONE;
    if (!fixture->was_inline) {
        struct host_mapping mapping;
        assert_int_equal(host_blob_map(fixture->store, handle, &mapping), 0);
        assert_true(mime_record_open(mapping.bytes, fixture->body.len, &record));
        fixture->parts = record.parts_count;
        host_blob_unmap(fixture->store, &mapping);
        host_handle_close(fixture->store, handle);
    } else if (note.as.parsed.parse_record.len > 0) {
        assert_true(mime_record_open(note.as.parsed.parse_record, fixture->body.len, &record));
        fixture->parts = record.parts_count;
    }
}

static void
on_closed(void *context)
{
    struct fixture *fixture = context;

    fixture->is_closed = true;
    host_channel_close(&fixture->channel);
}

static int
set_up(void **state)
{
    static const struct host_channel_handler handler = {.on_note = on_parsed,
                                                        .on_closed = on_closed};
    static const struct sim_options options = {.note_delay_max = {1000000}};
    static struct fixture fixture;
    host_handle left = HOST_HANDLE_NONE, right = HOST_HANDLE_NONE;

    fixture = (struct fixture){0};
    arena_init(&fixture.arena, 1024 * 1024);
    fixture.sim = sim_open(7, &options);
    fixture.store = sim_host_open(fixture.sim, "store");
    fixture.deliver = sim_host_open(fixture.sim, "deliver");
    const struct role_start start = {.host = fixture.deliver, .processes = 1};
    fixture.state = role_deliver.open(&start);
    assert_int_equal(host_channel_pair(fixture.store, &left, &right), 0);
    sim_handle_give(fixture.sim, right, fixture.deliver);
    role_deliver.attach(fixture.state, ROLE_STORE, 0, right);
    fixture.channel = host_channel_open(fixture.store, left, &handler, &fixture);
    *state = &fixture;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *fixture = *state;

    host_channel_close(&fixture->channel);
    role_deliver.close(fixture->state);
    sim_host_close(&fixture->deliver);
    sim_host_close(&fixture->store);
    sim_close(&fixture->sim);
    note_ledger_finish(&fixture->ledger);
    arena_finish(&fixture->arena);
    return 0;
}

static void
run(struct fixture *fixture)
{
    struct host *host;

    assert_int_equal(sim_run(fixture->sim, (struct instant){INT64_MAX - 1}, &host), SIM_IDLE);
}

/* Asks for a message, inline or as a blob, and waits for the answer. */
static void
ask(struct fixture *fixture, uint64_t id, struct slice body, bool is_blob)
{
    struct store_deliver_parse parse = {.id = id, .queue_id = SLICE("k3J9x"),
                                        .reverse_path = SLICE("a@b"), .body_blob = -1};
    struct host_blob *blob = NULL;
    struct buffer note;

    fixture->body = body;
    if (is_blob) {
        assert_int_equal(host_blob_open(fixture->store, &blob), 0);
        assert_int_equal(host_blob_put(blob, body), 0);
        assert_int_equal(host_blob_seal(&blob, &parse.body_blob), 0);
    } else {
        parse.body = body;
    }
    buffer_init(&note, HOST_NOTE_MAX);
    assert_true(store_deliver_put_parse(&note, &fixture->ledger, &parse));
    host_channel_send(fixture->channel, buffer_slice(&note), parse.body_blob);
    buffer_finish(&note);
    run(fixture);
}

static struct role_stats
stats_of(const struct fixture *fixture)
{
    struct role_stats stats = {0};

    role_deliver.stats(fixture->state, &stats);
    return stats;
}

static void
a_message_in_the_note_is_parsed(void **state)
{
    struct fixture *fixture = *state;

    ask(fixture, 1, SLICE("Subject: x\r\n\r\nbody\r\n"), false);
    assert_int_equal(fixture->answers, 1);
    assert_int_equal(fixture->parts, 1);
    ask(fixture, 2, SLICE(""), false);
    assert_int_equal(fixture->parts, 1);
    ask(fixture, 3, SLICE("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n1\r\n--b--"),
        false);
    assert_int_equal(fixture->parts, 2);
    assert_int_equal(fixture->answers, 3);
    assert_int_equal(stats_of(fixture).messages, 3);
}

static void
a_large_message_comes_and_its_record_goes_as_a_blob(void **state)
{
    struct fixture *fixture = *state;
    struct buffer body;

    buffer_init(&body, 4 * 1024 * 1024);
    buffer_put_text(&body, "Content-Type: multipart/mixed; boundary=b\r\n\r\n");
    for (unsigned i = 0; i < 3000; i++)
        buffer_put_text(&body, "--b\r\nContent-Type: a/b; name=c\r\n\r\nx\r\n");
    ask(fixture, 1, buffer_slice(&body), true);
    assert_int_equal(fixture->answers, 1);
    assert_int_equal(fixture->parts, 3001);
    assert_false(fixture->was_inline);
    /* The next small one is not disturbed by it. */
    ask(fixture, 2, SLICE("\r\nx"), true);
    assert_int_equal(fixture->parts, 1);
    assert_true(fixture->was_inline);
    buffer_finish(&body);
}

static void
a_body_that_cannot_be_mapped_gets_an_empty_record(void **state)
{
    struct fixture *fixture = *state;
    struct store_deliver_parse parse = {.id = 9, .queue_id = SLICE("k3J9x")};
    host_handle left = HOST_HANDLE_NONE, right = HOST_HANDLE_NONE;
    struct buffer note;

    /* A channel's end is no blob. */
    assert_int_equal(host_channel_pair(fixture->store, &left, &right), 0);
    parse.body_blob = right;
    buffer_init(&note, HOST_NOTE_MAX);
    assert_true(store_deliver_put_parse(&note, &fixture->ledger, &parse));
    host_channel_send(fixture->channel, buffer_slice(&note), right);
    run(fixture);
    assert_int_equal(fixture->answers, 1);
    assert_int_equal(fixture->parts, 0);
    assert_int_equal(stats_of(fixture).refused, 1);
    host_handle_close(fixture->store, left);
    buffer_finish(&note);
}

static void
a_bad_note_closes_the_channel_and_nothing_else(void **state)
{
    struct fixture *fixture = *state;

    host_channel_send(fixture->channel, SLICE("\x01garbage"), HOST_HANDLE_NONE);
    run(fixture);
    assert_true(fixture->is_closed);
    assert_int_equal(fixture->answers, 0);
    assert_false(sim_host_is_dead(fixture->deliver));
}

static void
a_new_channel_replaces_the_old_one(void **state)
{
    static const struct host_channel_handler handler = {.on_note = on_parsed,
                                                        .on_closed = on_closed};
    struct fixture *fixture = *state;
    host_handle left = HOST_HANDLE_NONE, right = HOST_HANDLE_NONE;

    assert_int_equal(host_channel_pair(fixture->store, &left, &right), 0);
    sim_handle_give(fixture->sim, right, fixture->deliver);
    role_deliver.attach(fixture->state, ROLE_STORE, 0, right);
    run(fixture);
    assert_true(fixture->is_closed);
    fixture->channel = host_channel_open(fixture->store, left, &handler, fixture);
    ask(fixture, 1, SLICE("\r\nx"), false);
    assert_int_equal(fixture->answers, 1);
    assert_int_equal(fixture->parts, 1);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_message_in_the_note_is_parsed),
        TEST(a_large_message_comes_and_its_record_goes_as_a_blob),
        TEST(a_body_that_cannot_be_mapped_gets_an_empty_record),
        TEST(a_bad_note_closes_the_channel_and_nothing_else),
        TEST(a_new_channel_replaces_the_old_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
