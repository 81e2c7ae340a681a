/* SPDX-License-Identifier: ISC */
/* Connections over real sockets of this machine, with the POP3 engine behind them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/linux/linux.h"
#include "host/linux/process.h"
#include "pop3/server.h"
#include "role/connection.h"
#include "tls/certificate.h"
#include "tls/facts.h"

#include <errno.h>
#include <time.h>

enum { WAIT_MS = 10000, RECEIVED_MAX = 8 << 20 };

/* Repeats what it is told, once it has done what it does of itself: without a word. */
struct parrot {
    struct buffer output;
    size_t bite; /* takes no more at once, and only when all is said; 0: takes all */
    bool is_busy, may_end, was_refused;
};

struct scene {
    struct host *host;
    struct host_listener *listener;
    struct connection_shared *shared;
    struct tls_context *server_tls, *client_tls;
    struct host_timer *guard, *later;
    struct buffer problem, received;
    bool is_implicit;   /* TLS from the first byte */
    struct duration handshake;
    bool answers_later; /* the owner answers from a timer */
    uint64_t message_bytes;

    struct pop3_server *engine;
    struct connection *connection;
    struct pop3_event question;
    bool has_question;
    uint64_t body_done;
    bool is_closed;
    enum connection_end end;
    struct parrot *parrot; /* instead of the engine, or NULL */

    struct host_stream *client;
    struct tls_engine *tls;
    const char *awaited; /* run stops when this has been received */
    bool is_client_ended;
};

/* ---- the owner ----------------------------------------------------------------------------- */

/* Gives the body as far as there is room: lines of 64 octets, every fourth with a dot in front. */
static bool
give_body(struct scene *scene)
{
    static const char line[] = "this line is exactly sixty-four octets long, its end included\r\n";

    while (scene->body_done < scene->message_bytes) {
        size_t wanted = pop3_server_wants_body(scene->engine);
        if (wanted < sizeof(line) - 1)
            return false;
        struct slice piece = slice_of(line, sizeof(line) - 1);
        assert_int_equal(pop3_server_put_body(scene->engine, piece), piece.len);
        scene->body_done += piece.len;
    }
    return true;
}

static void
answer(struct scene *scene)
{
    struct instant now = host_now(scene->host);
    struct pop3_answer answer = {.kind = POP3_ANSWER_OK, .uid_validity = 1};

    if (scene->question.kind == POP3_EVENT_AUTH_BEGIN &&
        slice_ends_with(scene->question.response, SLICE("wrong")))
        answer = (struct pop3_answer){.kind = POP3_ANSWER_CREDENTIALS, .delay_ms = 60};
    if (scene->question.kind == POP3_EVENT_OPEN)
        pop3_server_add_message(scene->engine, 7, scene->message_bytes);
    if (scene->question.kind == POP3_EVENT_READ && !give_body(scene))
        return;
    scene->has_question = false;
    pop3_server_answer(scene->engine, &answer, now);
}

static void
on_later(void *context)
{
    struct scene *scene = context;

    if (scene->has_question && !scene->is_closed) {
        answer(scene);
        connection_wake(scene->connection);
    }
}

static void
process(void *owner)
{
    struct scene *scene = owner;
    struct pop3_event event;

    while (pop3_server_next(scene->engine, &event)) {
        if (event.kind == POP3_EVENT_STARTTLS) {
            connection_start_tls(scene->connection, scene->server_tls);
        } else if (event.kind == POP3_EVENT_CLOSE) {
            connection_finish(scene->connection);
        } else if (event.kind != POP3_EVENT_AUTH_ABORT) {
            scene->question = event;
            scene->has_question = true;
            scene->body_done = 0;
            if (!scene->answers_later)
                answer(scene);
            else
                host_timer_set(scene->later, instant_after(host_now(scene->host), duration_ms(5)));
        }
    }
    if (scene->has_question && scene->question.kind == POP3_EVENT_READ && !scene->answers_later)
        answer(scene);
}

static void
secured(void *owner)
{
    struct scene *scene = owner;

    assert_non_null(connection_tls(scene->connection));
    if (scene->engine)
        pop3_server_tls_started(scene->engine, host_now(scene->host));
}

static void
closed(void *owner, enum connection_end end)
{
    struct scene *scene = owner;

    assert_false(scene->is_closed);
    scene->is_closed = true;
    scene->end = end;
    assert_int_equal(end == CONNECTION_END_TLS, connection_problem(scene->connection).len > 0);
    connection_close(&scene->connection);
    host_stop(scene->host);
}

static const struct connection_owner owner_kind = {process, secured, closed};

/* ---- the parrot ---------------------------------------------------------------------------- */

static size_t
parrot_feed(void *engine, struct slice input, struct instant now)
{
    struct parrot *parrot = engine;

    (void)now;
    parrot->was_refused = parrot->was_refused || parrot->is_busy;
    if (parrot->is_busy)
        return 0;
    if (parrot->bite > 0)
        input = slice_first(input, buffer_len(&parrot->output) > 0 ? 0 : parrot->bite);
    buffer_put(&parrot->output, input);
    return input.len;
}

static struct slice
parrot_output(const void *engine)
{
    return buffer_slice(&((const struct parrot *)engine)->output);
}

static void
parrot_sent(void *engine, size_t len, struct instant now)
{
    struct parrot *parrot = engine;

    (void)now;
    buffer_consume(&parrot->output, len);
}

static struct instant
parrot_deadline(const void *engine)
{
    (void)engine;
    return INSTANT_NEVER;
}

static void
parrot_expire(void *engine, struct instant now)
{
    (void)engine, (void)now;
}

static bool
parrot_is_busy(const void *engine)
{
    return ((const struct parrot *)engine)->is_busy;
}

ENGINE_KIND(parrot);

static void
parrot_process(void *owner)
{
    struct scene *scene = owner;

    if (scene->parrot->may_end)
        scene->parrot->is_busy = false;
    if (scene->parrot->was_refused)
        host_stop(scene->host);
}

static const struct connection_owner parrot_owner = {parrot_process, secured, closed};

static void
on_accept(void *context, struct host_stream *stream)
{
    struct scene *scene = context;
    struct pop3_server_options options = {
        .hostname = SLICE("pop.example.test"),
        .is_tls_available = true,
        .is_secure = scene->is_implicit,
        .allows_clear_password = true,
        .expire_days = POP3_EXPIRE_NEVER,
    };

    if (!scene->parrot)
        scene->engine = pop3_server_open(&options, host_now(scene->host));
    scene->connection = connection_open(&(struct connection_options){
        .shared = scene->shared,
        .stream = stream,
        .tls = scene->is_implicit ? scene->server_tls : NULL,
        .handshake = scene->handshake,
        .engine_kind = scene->parrot ? &parrot_kind : &pop3_server_kind,
        .engine = scene->parrot ? (void *)scene->parrot : scene->engine,
        .owner_kind = scene->parrot ? &parrot_owner : &owner_kind,
        .owner = scene,
    });
}

/* ---- the client ---------------------------------------------------------------------------- */

static void
flush_client(struct scene *scene)
{
    if (!scene->tls)
        return;
    struct slice output = tls_engine_output(scene->tls);
    if (output.len > 0) {
        assert_int_equal(host_stream_write(scene->client, output), output.len);
        tls_engine_sent(scene->tls, output.len);
    }
}

static void
take_ciphertext(struct scene *scene, struct slice bytes)
{
    static uint8_t plain[80000];

    size_t len = tls_engine_take(scene->tls, &bytes, plain, sizeof(plain));
    buffer_put(&scene->received, slice_of(plain, len));
    flush_client(scene);
}

static void
on_client(void *context, unsigned events)
{
    static uint8_t bytes[60000];
    struct scene *scene = context;

    if (!(events & HOST_READABLE))
        return;
    int64_t len = host_stream_read(scene->client, bytes, sizeof(bytes));
    if (len == -EAGAIN)
        return;
    if (len <= 0) {
        scene->is_client_ended = true;
        host_stream_watch(scene->client, 0, on_client, scene);
    } else if (scene->tls) {
        take_ciphertext(scene, slice_of(bytes, (size_t)len));
    } else {
        buffer_put(&scene->received, slice_of(bytes, (size_t)len));
    }
    struct slice awaited = slice_of_string(scene->awaited);
    struct slice received = buffer_slice(&scene->received);
    size_t from = received.len > 70000 ? received.len - 70000 : 0;
    if (scene->is_client_ended ||
        slice_find(slice_skip(received, from), awaited) < received.len - from)
        host_stop(scene->host);
}

static void
on_guard(void *context)
{
    (void)context;
    fail_msg("nothing came in time");
}

/* Runs until the client has received `awaited`, or until a side has closed. */
static void
run_until(struct scene *scene, const char *awaited)
{
    struct slice received = buffer_slice(&scene->received);

    scene->awaited = awaited;
    if (awaited[0] && slice_find(received, slice_of_string(awaited)) < received.len)
        return;
    host_stream_watch(scene->client, HOST_READABLE, on_client, scene);
    host_timer_set(scene->guard, instant_after(host_now(scene->host), duration_ms(WAIT_MS)));
    host_linux_run(scene->host);
    host_timer_set(scene->guard, INSTANT_NEVER);
}

static void
expect(struct scene *scene, const char *awaited)
{
    run_until(scene, awaited);
    struct slice received = buffer_slice(&scene->received);
    assert_true(slice_find(received, slice_of_string(awaited)) < received.len);
}

static void
expect_closed(struct scene *scene, enum connection_end end)
{
    while (!scene->is_closed)
        run_until(scene, "\1 never");
    assert_int_equal(scene->end, end);
}

static void
say(struct scene *scene, const char *text)
{
    struct slice bytes = slice_of_string(text);

    if (scene->tls) {
        assert_int_equal(tls_engine_put(scene->tls, bytes), bytes.len);
        flush_client(scene);
    } else {
        assert_int_equal(host_stream_write(scene->client, bytes), bytes.len);
    }
}

static void
start_client_tls(struct scene *scene)
{
    scene->tls = tls_engine_open_client(scene->client_tls, SLICE("pop.example.test"));
    flush_client(scene);
}

static void
make_tls(struct scene *scene)
{
    struct buffer chain, key;
    struct slice name = SLICE("pop.example.test");
    struct tls_certificate_request request = {
        .names = &name, .names_count = 1, .now = host_wall(scene->host), .days = 1};

    buffer_init(&chain, TLS_CERTIFICATE_PEM_MAX);
    buffer_init(&key, TLS_CERTIFICATE_PEM_MAX);
    assert_true(tls_certificate_make(&request, &chain, &key, &scene->problem));
    scene->server_tls = tls_context_open_server();
    assert_true(tls_context_set(scene->server_tls, SLICE(""), buffer_slice(&chain),
                                buffer_slice(&key), &scene->problem));
    scene->client_tls = tls_context_open_client(true, buffer_slice(&chain), &scene->problem);
    assert_non_null(scene->client_tls);
    buffer_finish(&chain);
    buffer_finish(&key);
}

static void
scene_open(struct scene *scene)
{
    struct host_address address = {.family = HOST_FAMILY_IPV4, .bytes = {127, 0, 0, 1}};
    host_handle handle;

    *scene = (struct scene){.message_bytes = 640, .awaited = ""};
    assert_int_equal(host_linux_open(&scene->host), 0);
    buffer_init(&scene->problem, 1000);
    buffer_init(&scene->received, RECEIVED_MAX);
    make_tls(scene);
    scene->shared = connection_shared_open(scene->host);
    scene->guard = host_timer_open(scene->host, on_guard, scene);
    scene->later = host_timer_open(scene->host, on_later, scene);
    assert_int_equal(host_listen_tcp(&address, &handle, &address.port), 0);
    scene->listener = host_listener_open(scene->host, handle, on_accept, scene);
    assert_int_equal(host_stream_connect(scene->host, &address, &scene->client), 0);
}

static void
scene_close(struct scene *scene)
{
    tls_engine_close(&scene->tls);
    host_stream_close(&scene->client);
    connection_close(&scene->connection);
    pop3_server_close(&scene->engine);
    host_timer_close(&scene->guard);
    host_timer_close(&scene->later);
    host_listener_close(&scene->listener);
    connection_shared_close(&scene->shared);
    tls_context_close(&scene->server_tls);
    tls_context_close(&scene->client_tls);
    buffer_finish(&scene->problem);
    buffer_finish(&scene->received);
    host_linux_close(&scene->host);
}

static void
on_pause_over(void *context)
{
    struct scene *scene = context;
    host_stop(scene->host);
}

/* Lets the other side do what it can while the client does nothing. */
static void
pause_for(struct scene *scene, int64_t ms)
{
    struct host_timer *timer = host_timer_open(scene->host, on_pause_over, scene);

    host_stream_watch(scene->client, 0, on_client, scene);
    host_timer_set(timer, instant_after(host_now(scene->host), duration_ms(ms)));
    host_linux_run(scene->host);
    host_timer_close(&timer);
}

/* ---- the tests ----------------------------------------------------------------------------- */

static const char log_in[] = "USER mrose\r\nPASS secret\r\n";

static void
pipelined_commands_are_answered_in_order(void **state)
{
    struct scene scene;

    (void)state;
    for (int later = 0; later < 2; later++) {
        scene_open(&scene);
        scene.answers_later = later;
        expect(&scene, "ready\r\n");
        say(&scene, "USER mrose\r\nPASS secret\r\nSTAT\r\nRETR 1\r\nDELE 1\r\nNOOP\r\nQUIT\r\n");
        expect(&scene, "+OK maildrop has 1 messages (640 octets)\r\n+OK 1 640\r\n"
                       "+OK 640 octets\r\nthis line");
        expect(&scene, "included\r\n.\r\n+OK message 1 deleted\r\n+OK nothing done\r\n"
                       "+OK pop.example.test signing off (1 messages deleted)\r\n");
        expect_closed(&scene, CONNECTION_END_FINISHED);
        scene_close(&scene);
    }
}

static void
a_reader_that_stops_is_not_sent_more_than_fits(void **state)
{
    struct scene scene;

    (void)state;
    for (int with_tls = 0; with_tls < 2; with_tls++) {
        scene_open(&scene);
        scene.message_bytes = 64 * 100000;
        scene.is_implicit = with_tls;
        if (with_tls)
            start_client_tls(&scene);
        expect(&scene, "ready\r\n");
        say(&scene, log_in);
        say(&scene, "RETR 1\r\nQUIT\r\n");
        pause_for(&scene, 200);
        assert_true(connection_bytes_out(scene.connection) < scene.message_bytes);
        assert_false(scene.is_closed);
        expect(&scene, "signing off\r\n");
        assert_true(buffer_len(&scene.received) > scene.message_bytes);
        expect_closed(&scene, CONNECTION_END_FINISHED);
        scene_close(&scene);
    }
}

static void
what_is_injected_before_tls_is_forgotten(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    expect(&scene, "ready\r\n");
    say(&scene, "STLS\r\nUSER evil\r\nPASS injected\r\n");
    expect(&scene, "begin TLS now\r\n");
    assert_true(slice_ends_with(buffer_slice(&scene.received), SLICE("begin TLS now\r\n")));
    start_client_tls(&scene);
    while (tls_engine_state(scene.tls) == TLS_HANDSHAKE)
        expect(&scene, "");
    say(&scene, "PASS secret\r\n");
    expect(&scene, "-ERR USER comes first\r\n");
    say(&scene, log_in);
    expect(&scene, "maildrop has");
    say(&scene, "QUIT\r\n");
    expect_closed(&scene, CONNECTION_END_FINISHED);
    scene_close(&scene);
}

static void
tls_from_the_first_byte_is_spoken_or_the_connection_fails(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    scene.is_implicit = true;
    start_client_tls(&scene);
    expect(&scene, "ready\r\n");
    say(&scene, log_in);
    say(&scene, "QUIT\r\n");
    expect(&scene, "signing off\r\n");
    expect_closed(&scene, CONNECTION_END_FINISHED);
    assert_int_equal(tls_engine_state(scene.tls), TLS_ENDED); /* close_notify has come */
    scene_close(&scene);

    scene_open(&scene);
    scene.is_implicit = true;
    say(&scene, "USER mrose\r\n");
    expect_closed(&scene, CONNECTION_END_TLS);
    scene_close(&scene);
}

enum { HANDSHAKE_MS = 800 };

/* A server that waits for the client's part of the handshake. */
static void
open_handshake(struct scene *scene)
{
    scene_open(scene);
    scene->is_implicit = true;
    scene->handshake = duration_ms(HANDSHAKE_MS);
    while (!scene->connection)
        pause_for(scene, 1);
}

/* The whole process stands still. */
static void
stand_still(int64_t ms)
{
    const struct timespec span = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    assert_int_equal(nanosleep(&span, NULL), 0);
}

static void
a_handshake_that_waited_for_us_goes_on(void **state)
{
    struct scene scene;

    (void)state;
    open_handshake(&scene);
    start_client_tls(&scene);
    stand_still(2 * HANDSHAKE_MS);
    expect(&scene, "ready\r\n");
    scene_close(&scene);
}

static void
each_part_of_a_handshake_has_its_time_and_no_more(void **state)
{
    struct scene scene;
    size_t hello = 0;

    (void)state;
    for (int parts = 0; parts < 3; parts++) {
        open_handshake(&scene);
        struct instant begun = host_now(scene.host);
        pause_for(&scene, HANDSHAKE_MS / 2);
        if (parts > 0) { /* half of a hello, or all of it, and then nothing */
            scene.tls = tls_engine_open_client(scene.client_tls, SLICE("pop.example.test"));
            struct slice bytes = tls_engine_output(scene.tls);
            hello = parts == 1 ? bytes.len / 2 : bytes.len;
            assert_int_equal(host_stream_write(scene.client, slice_first(bytes, hello)), hello);
        }
        while (!scene.is_closed)
            pause_for(&scene, 1);
        int64_t took_ns = instant_since(host_now(scene.host), begun).ns;
        assert_int_equal(scene.end, CONNECTION_END_TLS);
        assert_true((took_ns >= (int64_t)HANDSHAKE_MS * 1500000) == (parts == 2));
        scene_close(&scene);
    }
}

static void
a_half_closed_peer_still_gets_its_answers(void **state)
{
    struct scene scene;

    (void)state;
    for (int later = 0; later < 2; later++) {
        scene_open(&scene);
        scene.answers_later = later;
        expect(&scene, "ready\r\n");
        say(&scene, log_in);
        say(&scene, "RETR 1\r\nSTAT\r\n");
        host_stream_shut(scene.client);
        expect(&scene, "included\r\n.\r\n+OK 1 640\r\n");
        expect_closed(&scene, CONNECTION_END_PEER);
        scene_close(&scene);
    }
}

static void
a_peer_that_vanishes_ends_the_session(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    scene.message_bytes = 64 * 50000;
    expect(&scene, "ready\r\n");
    say(&scene, log_in);
    say(&scene, "RETR 1\r\n");
    expect(&scene, "this line");
    host_stream_close(&scene.client);
    host_timer_set(scene.guard, instant_after(host_now(scene.host), duration_ms(WAIT_MS)));
    host_linux_run(scene.host);
    assert_true(scene.is_closed);
    assert_int_equal(scene.end, CONNECTION_END_LOST);
    scene_close(&scene);
}

static void
a_client_that_leaves_after_quit_has_quit(void **state)
{
    struct scene scene;

    (void)state;
    for (int secure = 0; secure < 2; secure++) {
        scene_open(&scene);
        scene.is_implicit = secure;
        if (secure)
            start_client_tls(&scene);
        expect(&scene, "ready\r\n");
        say(&scene, "QUIT\r\n");
        while (!connection_is_ending(scene.connection))
            pause_for(&scene, 1);
        /* It has not read all: closing resets the connection. */
        host_stream_close(&scene.client);
        host_timer_set(scene.guard, instant_after(host_now(scene.host), duration_ms(WAIT_MS)));
        host_linux_run(scene.host);
        assert_true(scene.is_closed);
        assert_int_equal(scene.end, CONNECTION_END_FINISHED);
        scene_close(&scene);
    }
}

static void
an_answer_that_is_held_back_comes_by_the_timer(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    expect(&scene, "ready\r\n");
    struct instant before = host_now(scene.host);
    say(&scene, "USER mrose\r\nPASS wrong\r\nNOOP\r\n");
    expect(&scene, "-ERR [AUTH]");
    assert_true(instant_since(host_now(scene.host), before).ns >= duration_ms(55).ns);
    expect(&scene, "-ERR log in first\r\n");
    connection_drop(scene.connection);
    assert_true(connection_is_ending(scene.connection));
    expect_closed(&scene, CONNECTION_END_DROPPED);
    scene_close(&scene);
}

static void
more_input_than_the_engine_takes_waits_outside(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    scene.answers_later = true;
    expect(&scene, "ready\r\n");
    say(&scene, log_in);
    for (int i = 0; i < 20000; i++)
        say(&scene, "NOOP\r\n");
    say(&scene, "QUIT\r\n");
    expect(&scene, "signing off\r\n");
    struct slice received = buffer_slice(&scene.received);
    size_t count = 0;
    for (size_t at; (at = slice_find(received, SLICE("nothing done\r\n"))) < received.len; count++)
        received = slice_skip(received, at + 14);
    assert_int_equal(count, 20000);
    expect_closed(&scene, CONNECTION_END_FINISHED);
    scene_close(&scene);
}

/* IMAP looks for what NOTIFY and searches have to tell: often there is nothing. */
static void
input_that_waited_for_something_silent_is_taken(void **state)
{
    struct scene scene;
    struct parrot parrot = {.is_busy = true};

    (void)state;
    scene_open(&scene);
    scene.parrot = &parrot;
    buffer_init(&parrot.output, 1000);
    say(&scene, "ahoy");
    while (!parrot.was_refused)
        run_until(&scene, "\1 never");
    parrot.may_end = true;
    parrot.was_refused = false;
    connection_wake(scene.connection);
    expect(&scene, "ahoy");
    connection_drop(scene.connection);
    expect_closed(&scene, CONNECTION_END_DROPPED);
    buffer_finish(&parrot.output);
    scene_close(&scene);
}

/* All of it comes in one piece, and with it the end of TLS: the answers take many turns. */
static void
what_came_before_the_end_is_answered_to_its_end(void **state)
{
    struct scene scene;
    struct parrot parrot = {.bite = 8};
    char text[2000];

    (void)state;
    snprintf(text, sizeof(text), "%1999s", " ahoy");
    scene_open(&scene);
    scene.parrot = &parrot;
    scene.is_implicit = true;
    buffer_init(&parrot.output, 1000);
    buffer_put_text(&parrot.output, "ready");
    start_client_tls(&scene);
    expect(&scene, "ready");
    assert_int_equal(tls_engine_put(scene.tls, slice_of_string(text)), sizeof(text) - 1);
    tls_engine_end(scene.tls);
    flush_client(&scene);
    expect(&scene, " ahoy");
    expect_closed(&scene, CONNECTION_END_PEER);
    buffer_finish(&parrot.output);
    scene_close(&scene);
}

/* As in a search that says how far it is. */
static void
what_is_held_back_waits_for_the_answer_but_not_for_long(void **state)
{
    struct scene scene;
    struct parrot parrot = {0};

    (void)state;
    scene_open(&scene);
    scene.parrot = &parrot;
    buffer_init(&parrot.output, 1 << 20);
    say(&scene, "first ");
    expect(&scene, "first ");
    struct instant before = host_now(scene.host);
    parrot.is_busy = true;
    buffer_put_text(&parrot.output, "as far as it is ");
    connection_wake(scene.connection);
    expect(&scene, "as far as it is ");
    assert_true(parrot.is_busy);
    int64_t waited = instant_since(host_now(scene.host), before).ns;
    assert_true(waited >= duration_ms(195).ns && waited < duration_ms(WAIT_MS).ns);
    /* Much goes at once, and so does what the answer completes. */
    for (int i = 0; i < 5000; i++)
        buffer_put_text(&parrot.output, "a long one");
    buffer_put_text(&parrot.output, " much");
    connection_wake(scene.connection);
    expect(&scene, " much");
    buffer_put_text(&parrot.output, " little");
    connection_wake(scene.connection);
    parrot.is_busy = false;
    connection_wake(scene.connection);
    expect(&scene, " little");
    connection_drop(scene.connection);
    expect_closed(&scene, CONNECTION_END_DROPPED);
    buffer_finish(&parrot.output);
    scene_close(&scene);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipelined_commands_are_answered_in_order),
        cmocka_unit_test(a_reader_that_stops_is_not_sent_more_than_fits),
        cmocka_unit_test(what_is_injected_before_tls_is_forgotten),
        cmocka_unit_test(tls_from_the_first_byte_is_spoken_or_the_connection_fails),
        cmocka_unit_test(a_handshake_that_waited_for_us_goes_on),
        cmocka_unit_test(each_part_of_a_handshake_has_its_time_and_no_more),
        cmocka_unit_test(a_half_closed_peer_still_gets_its_answers),
        cmocka_unit_test(a_peer_that_vanishes_ends_the_session),
        cmocka_unit_test(a_client_that_leaves_after_quit_has_quit),
        cmocka_unit_test(an_answer_that_is_held_back_comes_by_the_timer),
        cmocka_unit_test(more_input_than_the_engine_takes_waits_outside),
        cmocka_unit_test(input_that_waited_for_something_silent_is_taken),
        cmocka_unit_test(what_came_before_the_end_is_answered_to_its_end),
        cmocka_unit_test(what_is_held_back_waits_for_the_answer_but_not_for_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
