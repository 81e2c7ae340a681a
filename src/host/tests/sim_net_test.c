/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/sim/sim.h"

#include "base/hash.h"

#include <errno.h>
#include <stdlib.h>

static const struct sim_options rough = {
    .note_delay_max = {5000000},
    .stream_delay_max = {20000000},
    .stream_chunk_max = 3000,
};
static const struct host_address server_at = {
    .family = HOST_FAMILY_IPV4, .bytes = {127, 0, 0, 1}, .port = 25};

static struct instant
forever(void)
{
    return (struct instant){INT64_MAX - 1};
}

/* ---- streams: a client that sends and a server that sends back ------------------------------ */

struct talk {
    struct host *client_host, *server_host;
    struct host_listener *listener;
    struct host_stream *client, *server;
    struct buffer to_send, echo, got;
    bool has_server_seen_end, has_failed;
    unsigned turns_of_client;
    uint64_t trace;
};

static void
trace(struct talk *talk, int64_t what)
{
    talk->trace = hash64(slice_of(&what, sizeof(what)), talk->trace);
}

static void
on_server(void *context, unsigned events)
{
    struct talk *talk = context;
    uint8_t bytes[2000];

    if (events & HOST_READABLE) {
        int64_t len = host_stream_read(talk->server, bytes, sizeof(bytes));
        trace(talk, len);
        if (len < 0 && len != -EAGAIN) {
            host_stream_close(&talk->server);
            return;
        }
        talk->has_server_seen_end = len == 0;
        buffer_put(&talk->echo, slice_of(bytes, len > 0 ? (size_t)len : 0));
    }
    if (buffer_len(&talk->echo)) {
        int64_t len = host_stream_write(talk->server, buffer_slice(&talk->echo));
        buffer_consume(&talk->echo, len > 0 ? (size_t)len : 0);
    }
    if (talk->has_server_seen_end && buffer_len(&talk->echo) == 0) {
        host_stream_close(&talk->server);
        return;
    }
    host_stream_watch(talk->server,
                      (buffer_len(&talk->echo) ? HOST_WRITABLE : 0U) |
                          (talk->has_server_seen_end ? 0U : HOST_READABLE),
                      on_server, talk);
}

static void
on_client(void *context, unsigned events)
{
    struct talk *talk = context;
    uint8_t bytes[2000];

    talk->turns_of_client++;
    if (events & HOST_WRITABLE && buffer_len(&talk->to_send)) {
        int64_t len = host_stream_write(talk->client, buffer_slice(&talk->to_send));
        trace(talk, len);
        buffer_consume(&talk->to_send, len > 0 ? (size_t)len : 0);
        if (buffer_len(&talk->to_send) == 0)
            host_stream_shut(talk->client);
    }
    if (events & HOST_READABLE) {
        int64_t len = host_stream_read(talk->client, bytes, sizeof(bytes));
        trace(talk, len);
        if (len == 0 || (len < 0 && len != -EAGAIN)) {
            talk->has_failed = len < 0;
            host_stream_close(&talk->client);
            host_stop(talk->client_host);
            return;
        }
        buffer_put(&talk->got, slice_of(bytes, len > 0 ? (size_t)len : 0));
    }
    host_stream_watch(talk->client,
                      HOST_READABLE | (buffer_len(&talk->to_send) ? HOST_WRITABLE : 0U), on_client,
                      talk);
}

static void
on_accept(void *context, struct host_stream *stream)
{
    struct talk *talk = context;

    talk->server = stream;
    host_stream_watch(stream, HOST_READABLE, on_server, talk);
}

static void
talk_open_from(struct talk *talk, struct sim *sim, bool has_server, struct sim_machine *machine)
{
    *talk = (struct talk){0};
    talk->client_host = sim_host_open(sim, "client");
    sim_host_move(talk->client_host, machine);
    talk->server_host = sim_host_open(sim, "server");
    buffer_init(&talk->to_send, 1000000);
    buffer_init(&talk->echo, 1000000);
    buffer_init(&talk->got, 1000000);
    if (has_server)
        talk->listener = host_listener_open(
            talk->server_host, sim_listen(sim, talk->server_host, &server_at), on_accept, talk);
    for (unsigned i = 0; i < 50000; i++)
        buffer_put_le32(&talk->to_send, i);
    assert_int_equal(host_stream_connect(talk->client_host, &server_at, &talk->client), 0);
    host_stream_watch(talk->client, HOST_READABLE | HOST_WRITABLE, on_client, talk);
}

static void
talk_open(struct talk *talk, struct sim *sim, bool has_server)
{
    talk_open_from(talk, sim, has_server, sim_machine(sim));
}

static void
talk_close(struct talk *talk)
{
    buffer_finish(&talk->to_send);
    buffer_finish(&talk->echo);
    buffer_finish(&talk->got);
    host_listener_close(&talk->listener);
    host_stream_close(&talk->client);
    host_stream_close(&talk->server);
    sim_host_close(&talk->client_host);
    sim_host_close(&talk->server_host);
}

static uint64_t
run_talk(uint64_t seed, unsigned cut_per_million, bool *ret_has_failed)
{
    struct sim_options options = rough;
    struct talk talk;
    struct host *stopped;

    options.cut_per_million = cut_per_million;
    struct sim *sim = sim_open(seed, &options);
    talk_open(&talk, sim, true);
    assert_int_equal(sim_run(sim, forever(), &stopped), SIM_STOPPED);
    assert_ptr_equal(stopped, talk.client_host);
    if (!talk.has_failed) {
        assert_int_equal(buffer_len(&talk.got), 200000);
        for (uint32_t i = 0; i < 50000; i++)
            assert_memory_equal(buffer_slice(&talk.got).at + 4 * (size_t)i, &i, 4);
    }
    *ret_has_failed = talk.has_failed;
    uint64_t result = talk.trace ^ (uint64_t)sim_now(sim).ns;
    talk_close(&talk);
    sim_close(&sim);
    return result;
}

static void
streams_carry_everything_in_pieces_and_a_seed_repeats_a_run(void **state)
{
    bool has_failed;

    (void)state;
    for (uint64_t seed = 0; seed < 10; seed++) {
        uint64_t first = run_talk(seed, 0, &has_failed);
        assert_false(has_failed);
        assert_int_equal(first, run_talk(seed, 0, &has_failed));
        assert_int_not_equal(first, run_talk(seed + 100, 0, &has_failed));
    }
}

static void
streams_break_where_that_is_asked_for(void **state)
{
    unsigned failures = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        bool has_failed;
        (void)run_talk(seed, 5000, &has_failed);
        failures += has_failed;
    }
    assert_true(failures > 0);
}

static void
where_nobody_listens_a_connection_is_refused(void **state)
{
    struct sim *sim = sim_open(1, &rough);
    struct talk talk;
    struct host *stopped;

    (void)state;
    talk_open(&talk, sim, false);
    assert_int_equal(sim_run(sim, forever(), &stopped), SIM_STOPPED);
    assert_true(talk.has_failed);
    talk_close(&talk);
    sim_close(&sim);
}

static void
a_killed_process_resets_or_ends_its_streams(void **state)
{
    struct sim *sim = sim_open(2, &rough);
    struct talk talk;
    struct host *stopped;

    (void)state;
    talk_open(&talk, sim, true);
    assert_int_equal(sim_run(sim, instant_after(sim_now(sim), duration_ms(60)), &stopped),
                     SIM_TIME);
    assert_non_null(talk.server);
    sim_host_kill(talk.server_host);
    assert_int_equal(sim_run(sim, forever(), &stopped), SIM_STOPPED);
    assert_true(buffer_len(&talk.got) < 200000);
    talk_close(&talk);
    sim_close(&sim);
}

/* ---- machines -------------------------------------------------------------------------------- */

static struct sim_machine *
talk_open_far(struct talk *talk, struct sim *sim)
{
    const struct sim_machine_options options = {.ipv4 = {127, 0, 0, 2}};
    struct sim_machine *far = sim_machine_open(sim, &options);

    talk_open_from(talk, sim, true, far);
    return far;
}

static void
what_parted_machines_say_arrives_when_they_are_joined(void **state)
{
    struct sim *sim = sim_open(2, &rough);
    struct talk talk;
    struct host *stopped;

    (void)state;
    struct sim_machine *far = talk_open_far(&talk, sim);
    for (unsigned i = 0; i < 5; i++) { /* also while they are being connected */
        sim_machines_part(sim_machine(sim), far, true);
        size_t before = buffer_len(&talk.got);
        sim_advance(sim, instant_after(sim_now(sim), duration_s(3600)));
        assert_int_equal(sim_run(sim, forever(), &stopped), SIM_IDLE);
        assert_int_equal(buffer_len(&talk.got), before);
        sim_machines_part(sim_machine(sim), far, false);
        assert_int_equal(sim_run(sim, instant_after(sim_now(sim), duration_ms(10)), &stopped),
                         SIM_TIME);
    }
    assert_int_equal(sim_run(sim, forever(), &stopped), SIM_STOPPED);
    assert_int_equal(buffer_len(&talk.got), 200000);
    talk_close(&talk);
    sim_close(&sim);
}

static void
a_machine_without_power_answers_nobody(void **state)
{
    unsigned heard = 0, silent = 0;
    (void)state;

    for (uint64_t seed = 0; seed < 20; seed++) {
        struct sim *sim = sim_open(seed, &rough);
        struct talk talk;
        struct host *stopped;
        struct host_address from;
        (void)talk_open_far(&talk, sim);
        assert_int_equal(sim_run(sim, instant_after(sim_now(sim), duration_ms(60)), &stopped),
                         SIM_TIME);
        assert_non_null(talk.server);
        host_stream_peer(talk.server, &from);
        assert_memory_equal(from.bytes, ((const uint8_t[]){127, 0, 0, 2}), 4);
        sim_power_cut(sim_machine(sim));
        assert_true(sim_host_is_dead(talk.server_host) && !sim_host_is_dead(talk.client_host));
        bool has_heard = sim_run(sim, forever(), &stopped) == SIM_STOPPED;
        heard += has_heard;
        silent += !has_heard;
        assert_true(buffer_len(&talk.got) < 200000);
        if (!has_heard) {
            host_stream_close(&talk.client);
            talk.turns_of_client = 0;
            assert_int_equal(host_stream_connect(talk.client_host, &server_at, &talk.client), 0);
            host_stream_watch(talk.client, HOST_READABLE | HOST_WRITABLE, on_client, &talk);
            assert_int_equal(sim_run(sim, forever(), &stopped), SIM_IDLE);
            assert_int_equal(talk.turns_of_client, 0);
        }
        talk_close(&talk);
        sim_close(&sim);
    }
    assert_true(heard > 0 && silent > 0);
}

/* ---- time ------------------------------------------------------------------------------------ */

static void
stop_host(void *context)
{
    host_stop(context);
}

static void
time_jumps_to_what_comes_next(void **state)
{
    struct sim *sim = sim_open(3, &rough);
    struct host *host = sim_host_open(sim, "sleeper");
    struct host *stopped;

    (void)state;
    struct host_timer *timer = host_timer_open(host, stop_host, host);
    struct instant due = instant_after(host_now(host), duration_s(86400));
    struct wall wall = host_wall(host);
    host_timer_set(timer, due);
    assert_int_equal(sim_run(sim, (struct instant){due.ns - 1}, &stopped), SIM_TIME);
    assert_int_equal(sim_run(sim, forever(), &stopped), SIM_STOPPED);
    assert_true(sim_now(sim).ns >= due.ns && sim_now(sim).ns < due.ns + 1000000);
    assert_true(host_wall(host).ns - wall.ns >= duration_s(86400).ns);
    sim_wall_jump(sim, duration_s(-90000));
    assert_true(host_wall(host).ns < wall.ns);
    assert_int_equal(sim_run(sim, forever(), &stopped), SIM_IDLE);
    host_timer_close(&timer);
    sim_host_close(&host);
    sim_close(&sim);
}

/* ---- channels -------------------------------------------------------------------------------- */

struct end {
    struct host *host;
    struct host_channel *channel;
    unsigned came;
    uint32_t last;
    bool is_closed;
    unsigned rooms;
    host_handle handle;
};

static void
on_note(void *context, struct slice note, host_handle handle)
{
    struct end *end = context;
    uint32_t number;

    assert_true(note.len >= sizeof(number));
    memcpy(&number, note.at, sizeof(number));
    assert_true(end->came == 0 || number == end->last + 1); /* order */
    end->last = number;
    end->came++;
    if (handle != HOST_HANDLE_NONE)
        end->handle = handle;
}

static void
on_closed(void *context)
{
    struct end *end = context;

    end->is_closed = true;
    host_channel_close(&end->channel);
}

static void
on_room(void *context)
{
    ((struct end *)context)->rooms++;
}

static const struct host_channel_handler handler = {on_note, on_closed, on_room};

struct pair {
    struct sim *sim;
    struct end left, right;
};

static void
open_pair(struct pair *pair, uint64_t seed)
{
    host_handle left, right;

    *pair = (struct pair){.sim = sim_open(seed, &rough)};
    pair->left = (struct end){.host = sim_host_open(pair->sim, "left"), .handle = HOST_HANDLE_NONE};
    pair->right =
        (struct end){.host = sim_host_open(pair->sim, "right"), .handle = HOST_HANDLE_NONE};
    assert_int_equal(host_channel_pair(pair->left.host, &left, &right), 0);
    sim_handle_give(pair->sim, right, pair->right.host);
    assert_null(host_channel_open(pair->left.host, right, &handler, &pair->left));
    pair->left.channel = host_channel_open(pair->left.host, left, &handler, &pair->left);
    pair->right.channel = host_channel_open(pair->right.host, right, &handler, &pair->right);
}

static void
close_pair(struct pair *pair)
{
    host_channel_close(&pair->left.channel);
    host_channel_close(&pair->right.channel);
    sim_host_close(&pair->left.host);
    sim_host_close(&pair->right.host);
    sim_close(&pair->sim);
}

static void
send_numbers(struct end *from, uint32_t first, uint32_t count, size_t len)
{
    uint8_t *note = calloc(1, len);

    assert_non_null(note);
    for (uint32_t i = first; i < first + count; i++) {
        memcpy(note, &i, sizeof(i));
        host_channel_send(from->channel, slice_of(note, len), HOST_HANDLE_NONE);
    }
    free(note);
}

/* Sends happen in handlers; a job stands for one. */
static void
flush_turn(void *context)
{
    (void)context;
}

static enum sim_end
settle(struct pair *pair)
{
    struct host *stopped;

    host_defer(pair->left.host, flush_turn, NULL);
    return sim_run(pair->sim, forever(), &stopped);
}

static void
notes_keep_their_order_and_carry_handles(void **state)
{
    struct pair pair;
    struct host_blob *blob;
    host_handle handle;
    struct host_mapping mapping;

    (void)state;
    open_pair(&pair, 4);
    send_numbers(&pair.left, 0, 1000, 100);
    assert_int_equal(host_blob_open(pair.left.host, &blob), 0);
    assert_int_equal(host_blob_put(blob, SLICE("a body")), 0);
    assert_int_equal(host_blob_seal(&blob, &handle), 0);
    uint32_t number = 1000;
    host_channel_send(pair.left.channel, slice_of(&number, sizeof(number)), handle);
    assert_int_equal(host_blob_map(pair.left.host, handle, &mapping), -EPERM); /* given away */
    assert_int_equal(settle(&pair), SIM_IDLE);
    assert_int_equal(pair.right.came, 1001);
    assert_int_equal(host_blob_map(pair.right.host, pair.right.handle, &mapping), 0);
    assert_true(slice_equal(mapping.bytes, SLICE("a body")));
    host_blob_unmap(pair.right.host, &mapping);
    host_handle_close(pair.right.host, pair.right.handle);
    close_pair(&pair);
}

/* ---- streams within a machine ---------------------------------------------------------------- */

static void
ignore(void *context, unsigned events)
{
    (void)context;
    (void)events;
}

/* Waits for what is on its way, and reads it. */
static struct slice
heard(struct pair *pair, struct host_stream *stream, struct buffer *text)
{
    uint8_t bytes[100];
    int64_t len;

    buffer_clear(text);
    host_stream_watch(stream, 0, ignore, NULL);
    for (unsigned i = 0; i < 1000; i++) {
        sim_advance(pair->sim, instant_after(sim_now(pair->sim), duration_ms(1)));
        len = host_stream_read(stream, bytes, sizeof(bytes));
        if (len > 0)
            buffer_put(text, slice_of(bytes, (size_t)len));
        else if (len != -EAGAIN)
            break;
    }
    return buffer_slice(text);
}

static void
a_stream_within_a_machine_is_handed_to_another_process(void **state)
{
    struct host_stream *ours, *theirs;
    host_handle left, right;
    struct host_address peer;
    struct buffer text;
    struct pair pair;

    (void)state;
    open_pair(&pair, 11);
    buffer_init(&text, 1000);
    assert_int_equal(host_stream_pair(pair.left.host, &left, &right), 0);
    assert_int_equal(host_stream_adopt(pair.left.host, left, &ours), 0);
    uint32_t number = 0;
    host_channel_send(pair.left.channel, slice_of(&number, sizeof(number)), right);
    assert_int_equal(host_stream_write(ours, SLICE("early")), 5); /* to nobody yet */
    assert_int_equal(settle(&pair), SIM_IDLE);
    assert_int_equal(host_stream_adopt(pair.left.host, pair.right.handle, &theirs), -EBADF);
    assert_int_equal(host_stream_adopt(pair.right.host, pair.right.handle, &theirs), 0);
    host_stream_peer(theirs, &peer);
    assert_int_equal(peer.family, HOST_FAMILY_UNIX);
    assert_int_equal(host_stream_write(theirs, SLICE("answer")), 6);
    assert_true(slice_equal(heard(&pair, theirs, &text), SLICE("early")));
    assert_true(slice_equal(heard(&pair, ours, &text), SLICE("answer")));
    sim_host_kill(pair.right.host);
    host_stream_close(&theirs);
    assert_int_equal(heard(&pair, ours, &text).len, 0);
    uint8_t byte;
    assert_int_equal(host_stream_read(ours, &byte, 1), 0);
    assert_int_equal(host_stream_write(ours, SLICE("late")), -EPIPE);
    host_stream_close(&ours);
    buffer_finish(&text);
    close_pair(&pair);
}

static void
an_end_that_nobody_takes_ends_the_other(void **state)
{
    host_handle left, right, copy, listener;
    struct host_stream *ours, *none;
    uint8_t byte;
    struct pair pair;

    (void)state;
    open_pair(&pair, 12);
    assert_int_equal(host_stream_pair(pair.left.host, &left, &right), 0);
    assert_int_equal(host_stream_adopt(pair.left.host, left, &ours), 0);
    copy = host_handle_copy(pair.left.host, right);
    host_handle_close(pair.left.host, right);
    sim_advance(pair.sim, instant_after(sim_now(pair.sim), duration_s(1)));
    assert_int_equal(host_stream_read(ours, &byte, 1), -EAGAIN); /* the copy holds it */
    host_handle_close(pair.left.host, copy);
    sim_advance(pair.sim, instant_after(sim_now(pair.sim), duration_s(1)));
    assert_int_equal(host_stream_read(ours, &byte, 1), 0);
    host_stream_close(&ours);
    listener = sim_listen(pair.sim, pair.left.host, &server_at);
    assert_int_equal(host_stream_adopt(pair.left.host, listener, &none), -ENOTSOCK);
    assert_int_equal(host_handle_copy(pair.left.host, listener), -EBADF); /* it is closed */
    sim_host_kill(pair.left.host);
    assert_int_equal(host_stream_pair(pair.left.host, &left, &right), -EMFILE);
    close_pair(&pair);
}

static void
only_its_ends_cut_a_stream_within_a_machine(void **state)
{
    const struct sim_options cutting = {.cut_per_million = 1000000};
    struct sim *sim = sim_open(13, &cutting);
    struct host *host = sim_host_open(sim, "alone");
    host_handle left, right;
    struct host_stream *one, *other;
    uint8_t byte;

    (void)state;
    assert_int_equal(host_stream_pair(host, &left, &right), 0);
    assert_int_equal(host_stream_adopt(host, left, &one), 0);
    assert_int_equal(host_stream_adopt(host, right, &other), 0);
    assert_int_equal(host_stream_write(one, SLICE("x")), 1);
    assert_int_equal(host_stream_read(other, &byte, 1), 1);
    host_stream_close(&one);
    host_stream_close(&other);
    assert_int_equal(sim_network_cuts(sim), 0);
    sim_host_close(&host);
    sim_close(&sim);
}

static void
last_words_are_heard_and_unsent_ones_are_not(void **state)
{
    struct pair pair;

    (void)state;
    open_pair(&pair, 5);
    send_numbers(&pair.left, 0, 10, 10);
    host_defer(pair.left.host, flush_turn, NULL);
    struct host *stopped;
    assert_int_equal(
        sim_run(pair.sim, instant_after(sim_now(pair.sim), (struct duration){1}), &stopped),
        SIM_TIME);
    send_numbers(&pair.left, 10, 10, 10); /* its turn never ends */
    sim_host_kill(pair.left.host);
    assert_int_equal(sim_run(pair.sim, forever(), &stopped), SIM_IDLE);
    assert_int_equal(pair.right.came, 10);
    assert_true(pair.right.is_closed);
    close_pair(&pair);
}

static void
a_slow_reader_makes_a_channel_full_and_then_not(void **state)
{
    struct pair pair;

    (void)state;
    open_pair(&pair, 6);
    host_channel_pause(pair.right.channel, true);
    send_numbers(&pair.left, 0, 50, 60000);
    assert_int_equal(settle(&pair), SIM_IDLE);
    assert_true(host_channel_is_full(pair.left.channel));
    assert_int_equal(pair.right.came, 0);
    host_channel_pause(pair.right.channel, false);
    assert_int_equal(settle(&pair), SIM_IDLE);
    assert_int_equal(pair.right.came, 50);
    assert_int_equal(pair.left.rooms, 1);
    close_pair(&pair);
}

static void
past_its_bounds_a_channel_ends(void **state)
{
    struct pair pair;

    (void)state;
    open_pair(&pair, 7);
    host_channel_pause(pair.right.channel, true);
    send_numbers(&pair.left, 0, HOST_CHANNEL_HARD / HOST_NOTE_MAX + 1, HOST_NOTE_MAX);
    assert_int_equal(settle(&pair), SIM_IDLE);
    assert_true(pair.left.is_closed);
    close_pair(&pair);
    open_pair(&pair, 8);
    send_numbers(&pair.left, 0, 1, HOST_NOTE_MAX + 1);
    assert_int_equal(settle(&pair), SIM_IDLE);
    assert_true(pair.left.is_closed);
    close_pair(&pair);
}

static void
twice(void *context, struct slice question, struct buffer *answer)
{
    uint32_t number;

    (void)context;
    memcpy(&number, question.at, sizeof(number));
    buffer_put_le32(answer, number * 2);
}

static void
helpers_answer(void **state)
{
    struct sim *sim = sim_open(9, &rough);
    struct end end = {.host = sim_host_open(sim, "asker"), .handle = HOST_HANDLE_NONE};
    host_handle handle;
    struct host *stopped;

    (void)state;
    assert_int_equal(host_helper_open(end.host, HOST_HELPER_PURE, twice, NULL, &handle), 0);
    end.channel = host_channel_open(end.host, handle, &handler, &end);
    send_numbers(&end, 21, 1, 4);
    host_defer(end.host, flush_turn, NULL);
    assert_int_equal(sim_run(sim, forever(), &stopped), SIM_IDLE);
    assert_int_equal(end.last, 42);
    host_channel_close(&end.channel);
    sim_host_close(&end.host);
    sim_close(&sim);
}

static void
on_tool(void *context, host_handle handle)
{
    struct end *end = context;

    end->channel = host_channel_open(end->host, handle, &handler, end);
}

static void
the_tool_reaches_a_process(void **state)
{
    struct sim *sim = sim_open(10, &rough);
    struct end server = {.host = sim_host_open(sim, "server"), .handle = HOST_HANDLE_NONE};
    struct end tool = {.host = sim_host_open(sim, "tool"), .handle = HOST_HANDLE_NONE};
    struct host *stopped;

    (void)state;
    host_handle socket = sim_listen_tool(sim, server.host);
    host_handle copy = host_handle_copy(server.host, socket);
    struct host_listener *listener =
        host_channel_listener_open(server.host, socket, on_tool, &server);
    tool.channel =
        host_channel_open(tool.host, sim_tool_connect(sim, tool.host, copy), &handler, &tool);
    send_numbers(&tool, 0, 3, 8);
    host_defer(tool.host, flush_turn, NULL);
    assert_int_equal(sim_run(sim, forever(), &stopped), SIM_IDLE);
    assert_int_equal(server.came, 3);
    host_channel_close(&tool.channel);
    assert_int_equal(sim_run(sim, forever(), &stopped), SIM_IDLE);
    assert_true(server.is_closed);
    host_listener_close(&listener);
    host_handle_close(server.host, copy);
    sim_host_close(&server.host);
    sim_host_close(&tool.host);
    sim_close(&sim);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_carry_everything_in_pieces_and_a_seed_repeats_a_run),
        cmocka_unit_test(streams_break_where_that_is_asked_for),
        cmocka_unit_test(where_nobody_listens_a_connection_is_refused),
        cmocka_unit_test(a_killed_process_resets_or_ends_its_streams),
        cmocka_unit_test(what_parted_machines_say_arrives_when_they_are_joined),
        cmocka_unit_test(a_machine_without_power_answers_nobody),
        cmocka_unit_test(time_jumps_to_what_comes_next),
        cmocka_unit_test(notes_keep_their_order_and_carry_handles),
        cmocka_unit_test(a_stream_within_a_machine_is_handed_to_another_process),
        cmocka_unit_test(an_end_that_nobody_takes_ends_the_other),
        cmocka_unit_test(only_its_ends_cut_a_stream_within_a_machine),
        cmocka_unit_test(last_words_are_heard_and_unsent_ones_are_not),
        cmocka_unit_test(a_slow_reader_makes_a_channel_full_and_then_not),
        cmocka_unit_test(past_its_bounds_a_channel_ends),
        cmocka_unit_test(helpers_answer),
        cmocka_unit_test(the_tool_reaches_a_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
