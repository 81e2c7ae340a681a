/* SPDX-License-Identifier: ISC */
#include "role/connection.h"

#include <errno.h>
#include <stdlib.h>

enum {
    READ_FIRST = 16 * 1024,    /* bytes by one read until the engine has shown that it takes more */
    ROUNDS_MAX = 16,           /* of sending and making more output, in one turn of the loop */
    HOLD_BACK_MAX = 40 * 1024, /* octets of output that wait for the answer which is on its way */
    HOLD_BACK_MS = 200,        /* and no longer */
    PLAIN_MAX = CONNECTION_READ_MAX + 2 * TLS_PLAINTEXT_MAX /* what one read can decrypt to */
};

enum phase {
    PHASE_RUN,
    PHASE_FLUSH,  /* no input is taken any more; what is to be sent is sent */
    PHASE_LINGER, /* our side is shut; what still comes is thrown away */
    PHASE_OVER    /* `closed` is about to be called */
};

struct connection_shared {
    struct host *host;
    uint8_t cipher[CONNECTION_READ_MAX];
    uint8_t plain[PLAIN_MAX];
};

struct connection {
    struct connection_shared *shared;
    struct host_stream *stream;
    struct host_timer *timer;
    struct tls_engine *tls;
    struct tls_context *tls_next; /* to begin with once the clear output is sent */
    const struct engine_kind *engine_kind;
    void *engine;
    const struct connection_owner *owner_kind;
    void *owner;
    struct buffer held;        /* clear input that the engine has not taken */
    struct instant armed;      /* when the timer fires */
    struct instant phase_ends; /* handshake, flush or linger */
    struct instant held_until; /* what is held back; INSTANT_NEVER: nothing */
    uint64_t bytes_in, bytes_out;
    uint32_t read_size;
    unsigned watched;
    enum phase phase;
    enum connection_end end;
    bool is_pumping; /* a call of ours is below us on the stack */
    bool is_again;   /* something changed meanwhile */
    bool is_input_ended;
    bool is_blocked; /* the stream takes no more for now */
    bool is_secured; /* the owner has been told */
    bool asks_certificate;
    uint8_t flights;              /* of the handshake, that were answered */
    const char *const *protocols; /* its names of RFC 7301 */
    struct duration handshake;
};

static_assert(sizeof(struct connection) <= 512, "an idle connection must stay cheap");

static void on_stream(void *context, unsigned events);
static void pump(struct connection *connection);

struct connection_shared *
connection_shared_open(struct host *host)
{
    struct connection_shared *shared = malloc(sizeof(*shared));

    if (!shared)
        abort();
    shared->host = host;
    return shared;
}

void
connection_shared_close(struct connection_shared **shared)
{
    free(*shared);
    *shared = NULL;
}

/* ---- time and the watch on the stream ------------------------------------------------------ */

static struct instant
now_of(const struct connection *connection)
{
    return host_now(connection->shared->host);
}

/* The timer may fire too early, never too late: most deadlines only move away. */
static void
arm(struct connection *connection, struct instant when)
{
    if (instant_is_before(when, connection->armed)) {
        host_timer_set(connection->timer, when);
        connection->armed = when;
    }
}

static void
watch(struct connection *connection, unsigned events)
{
    if (events == connection->watched)
        return;
    connection->watched = events;
    host_stream_watch(connection->stream, events, on_stream, connection);
}

/* The owner is told from the loop. */
static void
become_over(struct connection *connection, enum connection_end end)
{
    if (connection->phase == PHASE_OVER)
        return;
    connection->phase = PHASE_OVER;
    connection->end = end;
    watch(connection, 0);
    arm(connection, now_of(connection));
}

/* The stream broke. When everything has been sent before, that is but the peer's way to close: many
 * clients do so as soon as they have their last answer, and do not read the end of TLS. */
static void
become_lost(struct connection *connection)
{
    become_over(connection,
                connection->phase == PHASE_LINGER ? connection->end : CONNECTION_END_LOST);
}

static void
become_flushing(struct connection *connection, enum connection_end end)
{
    if (connection->phase != PHASE_RUN)
        return;
    connection->phase = PHASE_FLUSH;
    connection->end = end;
    connection->phase_ends = instant_after(now_of(connection), duration_ms(CONNECTION_FLUSH_MS));
}

/* ---- input --------------------------------------------------------------------------------- */

static bool
takes_input(const struct connection *connection)
{
    return connection->phase == PHASE_RUN && !connection->tls_next;
}

/* Feeds what the engine takes, its owner answering before and in between: what the engine did of
 * itself may end just then, and it says nothing that would call for another look. Returns how much
 * that was. */
static size_t
feed(struct connection *connection, struct slice input)
{
    size_t done = 0, taken;

    do {
        connection->owner_kind->process(connection->owner);
        if (done == input.len || !takes_input(connection))
            break;
        taken = connection->engine_kind->feed(connection->engine, slice_skip(input, done),
                                              now_of(connection));
        done += taken;
    } while (taken > 0);
    return done;
}

/* A peer that sends faster than its engine takes is read in small pieces: that bounds what is
 * held. */
static void
offer(struct connection *connection, struct slice input, bool was_full)
{
    size_t taken = feed(connection, input);

    if (taken < input.len) {
        if (takes_input(connection))
            buffer_put(&connection->held, slice_skip(input, taken));
        connection->read_size = READ_FIRST;
    } else if (was_full && connection->read_size < CONNECTION_READ_MAX) {
        connection->read_size *= 4;
    }
}

/* The peer has its time for each part of the handshake, however long ours took. */
static void
renew_handshake(struct connection *connection)
{
    if (connection->flights >= CONNECTION_FLIGHTS_MAX)
        return;
    connection->flights++;
    connection->phase_ends = instant_after(now_of(connection), connection->handshake);
}

static void
decrypt(struct connection *connection, struct slice ciphertext, bool was_full)
{
    struct connection_shared *shared = connection->shared;
    size_t len =
        tls_engine_take(connection->tls, &ciphertext, shared->plain, sizeof(shared->plain));
    enum tls_state state = tls_engine_state(connection->tls);

    assert(ciphertext.len == 0);
    if (state == TLS_HANDSHAKE && tls_engine_output(connection->tls).len > 0)
        renew_handshake(connection);
    if (!connection->is_secured && (state == TLS_OPEN || state == TLS_ENDED)) {
        connection->is_secured = true;
        connection->phase_ends = INSTANT_NEVER;
        connection->owner_kind->secured(connection->owner);
    }
    if (len > 0)
        offer(connection, slice_of(shared->plain, len), was_full);
    if (state == TLS_FAILED)
        become_flushing(connection, CONNECTION_END_TLS);
    else if (state == TLS_ENDED)
        connection->is_input_ended = true;
}

static void
take_input(struct connection *connection)
{
    struct connection_shared *shared = connection->shared;
    uint8_t *at = connection->tls ? shared->cipher : shared->plain;
    int64_t count = host_stream_read(connection->stream, at, connection->read_size);

    if (count == -EAGAIN)
        return;
    if (count < 0) {
        become_lost(connection);
        return;
    }
    if (count == 0) {
        connection->is_input_ended = true;
        return;
    }
    connection->bytes_in += (uint64_t)count;
    struct slice input = slice_of(at, (size_t)count);
    bool was_full = input.len == connection->read_size;
    if (connection->phase != PHASE_RUN)
        return; /* lingering: thrown away */
    if (connection->tls)
        decrypt(connection, input, was_full);
    else
        offer(connection, input, was_full);
}

static void
feed_held(struct connection *connection)
{
    struct slice held = buffer_slice(&connection->held);

    if (held.len == 0)
        return;
    size_t taken = feed(connection, held);
    buffer_consume(&connection->held, taken);
    buffer_release_if_empty(&connection->held);
}

/* ---- output -------------------------------------------------------------------------------- */

/* Writes once; returns how much has gone. */
static size_t
write_some(struct connection *connection, struct slice bytes)
{
    if (bytes.len == 0 || connection->is_blocked || connection->phase == PHASE_OVER)
        return 0;
    int64_t count = connection->phase == PHASE_RUN
                        ? host_stream_write(connection->stream, bytes)
                        : host_stream_write_near_end(connection->stream, bytes);
    if (count < 0 && count != -EAGAIN) {
        become_lost(connection);
        return 0;
    }
    size_t sent = count < 0 ? 0 : (size_t)count;
    connection->bytes_out += sent;
    connection->is_blocked = sent < bytes.len;
    return sent;
}

/* Encrypts the engine's output while there is room for it. */
static bool
encrypt(struct connection *connection)
{
    bool has_moved = false;

    for (;;) {
        struct slice output = connection->engine_kind->output(connection->engine);
        size_t taken = tls_engine_put(connection->tls, output);
        if (taken == 0)
            return has_moved;
        connection->engine_kind->sent(connection->engine, taken, now_of(connection));
        has_moved = true;
    }
}

static void
begin_tls(struct connection *connection)
{
    buffer_finish(&connection->held);
    connection->tls = tls_engine_open_server(connection->tls_next);
    if (connection->asks_certificate)
        tls_engine_ask_certificate(connection->tls);
    if (connection->protocols)
        tls_engine_set_protocols(connection->tls, connection->protocols);
    connection->tls_next = NULL;
    connection->phase_ends = instant_after(now_of(connection), connection->handshake);
}

static bool
engine_is_busy(const struct connection *connection)
{
    const struct engine_kind *kind = connection->engine_kind;

    return kind->is_busy && kind->is_busy(connection->engine);
}

static struct instant
engine_deadline(const struct connection *connection)
{
    const struct engine_kind *kind = connection->engine_kind;

    return kind->deadline ? kind->deadline(connection->engine) : INSTANT_NEVER;
}

/* The replies to a pipelined group leave together (RFC 2920 §3.2), and so do the pieces that a long
 * answer is made of: while the engine waits for an answer, which comes in any case, the little that
 * it has said so far waits with it. That spares packets, system calls and the peer's waking up. */
static bool
is_held_back(struct connection *connection)
{
    size_t len = connection->engine_kind->output(connection->engine).len;
    bool is_back =
        connection->phase == PHASE_RUN && len <= HOLD_BACK_MAX && engine_is_busy(connection);

    if (!is_back || len == 0) {
        connection->held_until = INSTANT_NEVER;
        return is_back;
    }
    struct instant now = now_of(connection);
    if (instant_is_never(connection->held_until))
        connection->held_until = instant_after(now, duration_ms(HOLD_BACK_MS));
    return instant_is_before(now, connection->held_until);
}

/* Sends what can be sent; true when something has moved, so that there may be more. */
static bool
flush(struct connection *connection)
{
    bool has_moved = false;

    if (connection->tls) {
        has_moved = !is_held_back(connection) && encrypt(connection);
        size_t sent = write_some(connection, tls_engine_output(connection->tls));
        tls_engine_sent(connection->tls, sent);
        return has_moved || sent > 0;
    }
    if (is_held_back(connection))
        return false;
    size_t sent = write_some(connection, connection->engine_kind->output(connection->engine));
    if (sent > 0)
        connection->engine_kind->sent(connection->engine, sent, now_of(connection));
    if (connection->tls_next && connection->phase == PHASE_RUN &&
        connection->engine_kind->output(connection->engine).len == 0) {
        begin_tls(connection);
        return true;
    }
    return sent > 0;
}

/* What can still reach the peer: nothing of the engine's goes out where TLS has not begun. */
static bool
has_output(const struct connection *connection)
{
    if (!connection->tls)
        return connection->engine_kind->output(connection->engine).len > 0;
    enum tls_state state = tls_engine_state(connection->tls);
    return tls_engine_output(connection->tls).len > 0 ||
           ((state == TLS_OPEN || state == TLS_ENDED) &&
            connection->engine_kind->output(connection->engine).len > 0);
}

/* ---- the pump ------------------------------------------------------------------------------ */

/* Everything is sent: says so to the peer, and waits a moment for its side. */
static void
shut(struct connection *connection)
{
    connection->phase = PHASE_LINGER;
    connection->phase_ends = instant_after(now_of(connection), duration_ms(CONNECTION_LINGER_MS));
    if (connection->tls) {
        tls_engine_end(connection->tls);
        tls_engine_sent(connection->tls,
                        write_some(connection, tls_engine_output(connection->tls)));
    }
    if (connection->phase == PHASE_OVER)
        return;
    host_stream_shut(connection->stream);
    if (connection->is_input_ended)
        become_over(connection, connection->end);
}

/* Moves to the next phase where this one has nothing left to do. `is_unfinished`: the engine may
 * take more of what came before the end, now that its output has gone. */
static void
advance(struct connection *connection, bool is_unfinished)
{
    if (connection->tls && tls_engine_state(connection->tls) == TLS_FAILED)
        become_flushing(connection, CONNECTION_END_TLS);
    if (connection->phase == PHASE_RUN && connection->is_input_ended && !is_unfinished &&
        !has_output(connection) && !engine_is_busy(connection))
        become_flushing(connection, CONNECTION_END_PEER);
    if (connection->phase == PHASE_FLUSH && !has_output(connection))
        shut(connection);
    if (connection->phase == PHASE_LINGER && connection->is_input_ended)
        become_over(connection, connection->end);
}

static void
settle(struct connection *connection, bool is_unfinished)
{
    unsigned events = 0;
    struct instant deadline = connection->phase_ends;

    if (connection->phase != PHASE_RUN)
        buffer_finish(&connection->held);
    if (connection->phase == PHASE_OVER)
        return;
    if (!connection->is_input_ended &&
        (connection->phase == PHASE_LINGER ||
         (takes_input(connection) && buffer_len(&connection->held) == 0)))
        events |= HOST_READABLE;
    if (connection->is_blocked || is_unfinished)
        events |= HOST_WRITABLE;
    watch(connection, events);
    if (connection->phase == PHASE_RUN) {
        struct instant engine = engine_deadline(connection);
        deadline = instant_is_before(engine, deadline) ? engine : deadline;
        if (!connection->is_blocked && instant_is_before(connection->held_until, deadline))
            deadline = connection->held_until;
    }
    arm(connection, deadline);
}

static void
pump(struct connection *connection)
{
    bool has_moved = true;

    if (connection->is_pumping) {
        connection->is_again = true;
        return;
    }
    connection->is_pumping = true;
    for (unsigned round = 0; round < ROUNDS_MAX && has_moved; round++) {
        connection->is_again = false;
        if (takes_input(connection)) {
            feed_held(connection);
            connection->owner_kind->process(connection->owner);
        }
        has_moved = connection->phase <= PHASE_FLUSH && flush(connection);
        has_moved = has_moved || connection->is_again;
    }
    advance(connection, has_moved);
    connection->is_pumping = false;
    settle(connection, has_moved);
}

static void
on_stream(void *context, unsigned events)
{
    struct connection *connection = context;

    connection->is_pumping = true;
    if (events & HOST_WRITABLE)
        connection->is_blocked = false;
    if (events & HOST_READABLE && connection->watched & HOST_READABLE)
        take_input(connection);
    connection->is_pumping = false;
    if (connection->phase != PHASE_OVER)
        pump(connection);
}

/* The phase has taken too long. */
static void
expire_phase(struct connection *connection)
{
    if (connection->phase == PHASE_RUN)
        become_over(connection, CONNECTION_END_TLS);
    else if (connection->phase == PHASE_FLUSH)
        become_over(connection, CONNECTION_END_LOST);
    else
        become_over(connection, connection->end);
}

/* Where very many shake hands at once, what a peer has sent may have waited for us: a processor
 * does some hundred handshakes a second. */
static void
take_what_waits(struct connection *connection)
{
    if (connection->phase != PHASE_RUN || !connection->tls || connection->is_secured ||
        !(connection->watched & HOST_READABLE))
        return;
    connection->is_pumping = true;
    take_input(connection);
    connection->is_pumping = false;
}

static void
on_timer(void *context)
{
    struct connection *connection = context;
    struct instant now = now_of(connection);

    connection->armed = INSTANT_NEVER;
    if (!instant_is_before(now, connection->phase_ends))
        take_what_waits(connection);
    if (connection->phase != PHASE_OVER && !instant_is_before(now, connection->phase_ends))
        expire_phase(connection);
    if (connection->phase == PHASE_OVER) {
        connection->owner_kind->closed(connection->owner, connection->end);
        return;
    }
    if (connection->phase == PHASE_RUN && !instant_is_before(now, engine_deadline(connection)))
        connection->engine_kind->expire(connection->engine, now);
    pump(connection);
}

/* ---- what the owner calls ------------------------------------------------------------------ */

struct connection *
connection_open(const struct connection_options *options)
{
    struct connection *connection = calloc(1, sizeof(*connection));

    if (!connection)
        abort();
    *connection = (struct connection){
        .shared = options->shared,
        .stream = options->stream,
        .engine_kind = options->engine_kind,
        .engine = options->engine,
        .owner_kind = options->owner_kind,
        .owner = options->owner,
        .tls_next = options->tls,
        .asks_certificate = options->asks_certificate,
        .protocols = options->protocols,
        .handshake =
            options->handshake.ns > 0 ? options->handshake : duration_ms(CONNECTION_HANDSHAKE_MS),
        .armed = INSTANT_NEVER,
        .phase_ends = INSTANT_NEVER,
        .held_until = INSTANT_NEVER,
        .read_size = READ_FIRST,
    };
    buffer_init(&connection->held, CONNECTION_HELD_MAX);
    connection->timer = host_timer_open(options->shared->host, on_timer, connection);
    if (options->tls)
        begin_tls(connection);
    arm(connection, now_of(connection));
    return connection;
}

void
connection_close(struct connection **connection)
{
    struct connection *old = *connection;

    if (!old)
        return;
    assert(!old->is_pumping);
    host_timer_close(&old->timer);
    host_stream_close(&old->stream);
    tls_engine_close(&old->tls);
    buffer_finish(&old->held);
    free(old);
    *connection = NULL;
}

void
connection_wake(struct connection *connection)
{
    if (connection->phase != PHASE_OVER)
        pump(connection);
}

void
connection_start_tls(struct connection *connection, struct tls_context *context)
{
    assert(connection->is_pumping && !connection->tls);
    connection->tls_next = context;
    connection->is_again = true;
}

void
connection_change_engine(struct connection *connection, const struct engine_kind *engine_kind,
                         void *engine)
{
    connection->engine_kind = engine_kind;
    connection->engine = engine;
    connection->is_again = true;
}

void
connection_finish(struct connection *connection)
{
    if (connection->phase != PHASE_RUN)
        return;
    become_flushing(connection, CONNECTION_END_FINISHED);
    pump(connection);
}

void
connection_drop(struct connection *connection)
{
    become_over(connection, CONNECTION_END_DROPPED);
}

void
connection_start_tls_client(struct connection *connection, struct tls_context *context,
                            const struct tls_expectation *expectation)
{
    assert(!connection->tls);
    buffer_finish(&connection->held);
    connection->tls = tls_engine_open_expecting(context, expectation);
    connection->phase_ends = instant_after(now_of(connection), connection->handshake);
    connection->is_again = true;
}

const struct tls_engine *
connection_tls(const struct connection *connection)
{
    return connection->is_secured ? connection->tls : NULL;
}

bool
connection_is_ending(const struct connection *connection)
{
    return connection->phase != PHASE_RUN || connection->is_input_ended;
}

struct slice
connection_problem(const struct connection *connection)
{
    if (connection->end != CONNECTION_END_TLS || connection->phase == PHASE_RUN)
        return SLICE("");
    struct slice problem = tls_engine_problem(connection->tls);
    return problem.len > 0 ? problem : SLICE("the handshake took too long");
}

enum tls_fault
connection_fault(const struct connection *connection)
{
    return connection->tls ? tls_engine_fault(connection->tls) : TLS_FAULT_OTHER;
}

uint64_t
connection_bytes_in(const struct connection *connection)
{
    return connection->bytes_in;
}

uint64_t
connection_bytes_out(const struct connection *connection)
{
    return connection->bytes_out;
}
