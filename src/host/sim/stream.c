/* SPDX-License-Identifier: ISC */
/* Streams: connections that move bytes in pieces of any size, late, and break. */
#include "host/sim/world_private.h"

#include <errno.h>
#include <stdlib.h>

enum {
    PIPE_BYTES_MAX = 64 * 1024, /* on their way in one direction */
    CHUNKS_SIZE_FIRST = 8,
    CLIENT = 0, /* ends of a connection */
    SERVER = 1,
    CLIENT_PORT = 40000,
};

struct chunk {
    struct instant at; /* when it arrives */
    size_t len;
};

/* One direction. */
struct pipe {
    struct buffer bytes;
    struct chunk *chunks; /* what has not arrived yet, oldest first */
    size_t chunk_count;
    size_t chunk_size;
    size_t arrived; /* bytes at the front that can be read */
    size_t max;     /* of bytes; drawn for each connection */
    struct instant last;
    bool is_shut;      /* the writer has said its end; it arrives at `last` */
    bool is_abandoned; /* the reader is gone */
};

struct connection {
    struct list in_world;
    struct pipe pipes[2]; /* [CLIENT] carries what the client writes */
    struct host_address addresses[2];
    const struct sim_machine *machines[2];
    unsigned holders[2];
    bool is_local; /* within one machine, and no network is between: only its ends can end it */
    bool is_mute;  /* one end lies in the dark: nothing ever comes from it */
    bool is_reset;
    bool is_open; /* the client has learned that it is connected */
    bool is_refused;
    struct instant open_at; /* when the client learns that it is connected */
};

struct host_stream {
    struct mortal mortal; /* first */
    struct host *host;
    struct connection *connection; /* NULL when the process is dead */
    unsigned end;
    unsigned wanted;
    host_stream_fn fn;
    void *context;
};

/* ---- pipes --------------------------------------------------------------------------------- */

static void
pipe_open(struct sim *sim, struct pipe *pipe)
{
    buffer_init(&pipe->bytes, PIPE_BYTES_MAX);
    pipe->max =
        sim->options.stream_chunk_max ? sim_random(sim, PIPE_BYTES_MAX - 1) + 1 : PIPE_BYTES_MAX;
    pipe->last = sim->now;
}

static void
pipe_close(struct pipe *pipe)
{
    buffer_finish(&pipe->bytes);
    free(pipe->chunks);
}

static void
pipe_advance(struct pipe *pipe, struct instant now)
{
    size_t done = 0;

    while (done < pipe->chunk_count && pipe->chunks[done].at.ns <= now.ns)
        pipe->arrived += pipe->chunks[done++].len;
    pipe->chunk_count -= done;
    if (done > 0 && pipe->chunk_count > 0)
        memmove(pipe->chunks, pipe->chunks + done, pipe->chunk_count * sizeof(struct chunk));
}

static bool
pipe_has_ended(const struct pipe *pipe, struct instant now)
{
    return pipe->is_shut && pipe->chunk_count == 0 && pipe->arrived == 0 && pipe->last.ns <= now.ns;
}

static struct instant
pipe_next(const struct pipe *pipe)
{
    if (pipe->chunk_count > 0)
        return pipe->chunks[0].at;
    return pipe->is_shut ? pipe->last : INSTANT_NEVER;
}

static void
pipe_put(struct sim *sim, struct pipe *pipe, struct slice bytes)
{
    if (pipe->chunk_count == pipe->chunk_size) {
        pipe->chunk_size = pipe->chunk_size ? pipe->chunk_size * 2 : CHUNKS_SIZE_FIRST;
        pipe->chunks = realloc(pipe->chunks, pipe->chunk_size * sizeof(struct chunk));
        if (!pipe->chunks)
            abort();
    }
    struct instant at = sim_after_at_most(sim, sim->options.stream_delay_max);
    if (instant_is_before(pipe->last, at))
        pipe->last = at;
    pipe->chunks[pipe->chunk_count++] = (struct chunk){pipe->last, bytes.len};
    buffer_put(&pipe->bytes, bytes);
    sim_trail_add(sim, bytes);
}

static void
pipe_shut(struct sim *sim, struct pipe *pipe)
{
    struct instant at = sim_after_at_most(sim, sim->options.stream_delay_max);

    if (pipe->is_shut)
        return;
    pipe->is_shut = true;
    if (instant_is_before(pipe->last, at))
        pipe->last = at;
}

/* ---- connections --------------------------------------------------------------------------- */

static struct connection *
connection_open(const struct sim_machine *machine, const struct host_address *to)
{
    struct sim *sim = machine->sim;
    struct connection *connection = sim_allocate(sizeof(*connection));
    struct host_address from = {.family = to->family};

    if (to->family == HOST_FAMILY_IPV4)
        memcpy(from.bytes, machine->ipv4, sizeof(machine->ipv4));
    else
        from.bytes[15] = 1;
    from.port = (uint16_t)(CLIENT_PORT + sim_random(sim, 20000));
    connection->addresses[CLIENT] = from;
    connection->addresses[SERVER] = *to;
    connection->machines[CLIENT] = connection->machines[SERVER] = machine;
    connection->holders[CLIENT] = connection->holders[SERVER] = 1;
    connection->open_at = sim_after_at_most(sim, sim->options.stream_delay_max);
    pipe_open(sim, &connection->pipes[CLIENT]);
    pipe_open(sim, &connection->pipes[SERVER]);
    list_append(&sim->connections, &connection->in_world);
    return connection;
}

/* Can nothing come through it now? */
static bool
is_silent(const struct sim *sim, const struct connection *connection)
{
    return connection->is_mute || sim->is_parted[connection->machines[CLIENT]->number]
                                                [connection->machines[SERVER]->number];
}

static void
reset(struct connection *connection)
{
    connection->is_reset = true;
    for (size_t i = 0; i < 2; i++) {
        buffer_clear(&connection->pipes[i].bytes);
        connection->pipes[i].chunk_count = 0;
        connection->pipes[i].arrived = 0;
    }
}

static void
cut_by_chance(struct sim *sim, struct connection *connection)
{
    if (connection->is_reset || connection->is_local ||
        !sim_chance(sim, sim->options.cut_per_million))
        return;
    sim->cuts++;
    reset(connection);
}

void
stream_end_hold(struct connection *connection, unsigned end)
{
    connection->holders[end]++;
}

/* One end is closed: its peer reads the end, or a reset when what it wrote was not read. */
void
stream_end_drop(struct sim *sim, struct connection *connection, unsigned end)
{
    struct pipe *incoming = &connection->pipes[1 - end];

    if (--connection->holders[end] > 0)
        return;
    if (connection->holders[1 - end] == 0) {
        list_remove(&connection->in_world);
        pipe_close(&connection->pipes[CLIENT]);
        pipe_close(&connection->pipes[SERVER]);
        free(connection);
        return;
    }
    incoming->is_abandoned = true;
    if (buffer_len(&incoming->bytes) > 0)
        reset(connection);
    else
        pipe_shut(sim, &connection->pipes[end]);
}

struct instant
connections_next(const struct sim *sim)
{
    struct instant next = INSTANT_NEVER;

    LIST_EACH (link, (struct list *)(uintptr_t)&sim->connections) {
        const struct connection *connection = LIST_ITEM(link, struct connection, in_world);
        if (is_silent(sim, connection))
            continue;
        const struct instant events[] = {pipe_next(&connection->pipes[CLIENT]),
                                         pipe_next(&connection->pipes[SERVER]),
                                         connection->open_at};
        for (size_t i = 0; i < COUNT_OF(events); i++)
            if (instant_is_before(sim->now, events[i]) && instant_is_before(events[i], next))
                next = events[i];
    }
    return next;
}

/* ---- streams ------------------------------------------------------------------------------- */

static unsigned
stream_events(struct host_stream *stream)
{
    struct connection *connection = stream->connection;
    struct instant now = stream->host->sim->now;

    if (!connection || (stream->end == CLIENT && instant_is_before(now, connection->open_at)))
        return 0;
    bool hears = !is_silent(stream->host->sim, connection);
    if (hears && (connection->is_reset || connection->is_refused))
        return stream->wanted;
    struct pipe *in = &connection->pipes[1 - stream->end];
    struct pipe *out = &connection->pipes[stream->end];
    unsigned events = 0;
    if (hears)
        pipe_advance(in, now);
    if (hears && (in->arrived > 0 || pipe_has_ended(in, now)))
        events |= HOST_READABLE;
    if (stream->end == CLIENT && !connection->is_open && !hears)
        return 0;
    connection->is_open |= stream->end == CLIENT;
    if ((hears && out->is_abandoned) || buffer_len(&out->bytes) < out->max)
        events |= HOST_WRITABLE;
    return events & stream->wanted;
}

static bool
stream_is_ready(struct mortal *mortal)
{
    return stream_events((void *)mortal) != 0;
}

static void
stream_turn(struct mortal *mortal)
{
    struct host_stream *stream = (void *)mortal;
    unsigned events = stream_events(stream);

    if (events)
        stream->fn(stream->context, events);
}

static struct host_stream *
stream_open(struct host *host, struct connection *connection, unsigned end)
{
    struct host_stream *stream = sim_allocate(sizeof(*stream));

    stream->mortal = (struct mortal){.turn = stream_turn, .is_ready = stream_is_ready};
    stream->host = host;
    stream->connection = connection;
    stream->end = end;
    list_append(&host->streams, &stream->mortal.link);
    return stream;
}

void
host_stream_watch(struct host_stream *stream, unsigned events, host_stream_fn fn, void *context)
{
    stream->wanted = events;
    stream->fn = fn;
    stream->context = context;
}

int
host_stream_pair(struct host *host, host_handle *ret_left, host_handle *ret_right)
{
    static const struct host_address nowhere = {.family = HOST_FAMILY_UNIX};

    if (host->is_dead)
        return -EMFILE;
    struct connection *connection = connection_open(host->machine, &nowhere);
    connection->addresses[CLIENT] = nowhere;
    connection->open_at = host->sim->now;
    connection->is_local = connection->is_open = true;
    struct thing thing = {.kind = THING_STREAM, .connection = connection, .end = CLIENT};
    *ret_left = thing_add(host->sim, host, thing);
    thing.end = SERVER;
    *ret_right = thing_add(host->sim, host, thing);
    return 0;
}

int
host_stream_adopt(struct host *host, host_handle handle, struct host_stream **ret_stream)
{
    const struct thing *thing = thing_find(host, handle);

    if (!thing || thing->kind != THING_STREAM) {
        host_handle_close(host, handle);
        return thing ? -ENOTSOCK : -EBADF;
    }
    *ret_stream = stream_open(host, thing->connection, thing->end);
    thing_forget(host->sim, handle); /* the stream holds that end now */
    return 0;
}

/* How many of `len` bytes move in one call. */
static size_t
draw_len(struct sim *sim, size_t len)
{
    if (sim->options.stream_chunk_max == 0 || len == 0)
        return len;
    size_t most = sim_random(sim, sim->options.stream_chunk_max) + 1;
    return most < len ? most : len;
}

int64_t
host_stream_read(struct host_stream *stream, void *at, size_t len)
{
    struct connection *connection = stream->connection;
    struct sim *sim = stream->host->sim;

    if (!connection)
        return -ECONNRESET;
    if (is_silent(sim, connection) ||
        (stream->end == CLIENT && instant_is_before(sim->now, connection->open_at)))
        return -EAGAIN;
    if (connection->is_refused)
        return -ECONNREFUSED;
    cut_by_chance(sim, connection);
    if (connection->is_reset)
        return -ECONNRESET;
    struct pipe *pipe = &connection->pipes[1 - stream->end];
    pipe_advance(pipe, sim->now);
    if (pipe->arrived == 0)
        return pipe_has_ended(pipe, sim->now) ? 0 : -EAGAIN;
    size_t count = draw_len(sim, len < pipe->arrived ? len : pipe->arrived);
    memcpy(at, buffer_slice(&pipe->bytes).at, count);
    buffer_consume(&pipe->bytes, count);
    pipe->arrived -= count;
    return (int64_t)count;
}

int64_t
host_stream_write(struct host_stream *stream, struct slice bytes)
{
    struct connection *connection = stream->connection;
    struct sim *sim = stream->host->sim;

    if (!connection)
        return -EPIPE;
    bool hears = !is_silent(sim, connection);
    if (stream->end == CLIENT &&
        (instant_is_before(sim->now, connection->open_at) || (!hears && !connection->is_open)))
        return -EAGAIN;
    cut_by_chance(sim, connection);
    struct pipe *pipe = &connection->pipes[stream->end];
    if (pipe->is_shut ||
        (hears && (connection->is_reset || connection->is_refused || pipe->is_abandoned)))
        return -EPIPE;
    size_t used = buffer_len(&pipe->bytes);
    if (used >= pipe->max)
        return -EAGAIN;
    struct slice part = slice_first(bytes, pipe->max - used);
    part = slice_first(part, draw_len(sim, part.len));
    if (part.len > 0)
        pipe_put(sim, pipe, part);
    return (int64_t)part.len;
}

int64_t
host_stream_write_near_end(struct host_stream *stream, struct slice bytes)
{
    return host_stream_write(stream, bytes);
}

void
host_stream_shut(struct host_stream *stream)
{
    if (stream->connection && !stream->connection->is_reset)
        pipe_shut(stream->host->sim, &stream->connection->pipes[stream->end]);
}

void
host_stream_close(struct host_stream **stream_at)
{
    struct host_stream *stream = *stream_at;

    if (!stream)
        return;
    *stream_at = NULL;
    if (stream->connection)
        stream_end_drop(stream->host->sim, stream->connection, stream->end);
    stream->connection = NULL;
    mortal_bury(stream->host, &stream->mortal);
}

/* Nobody is left to say that the connection has ended, until the machine is up again and is asked;
 * the peer may hear of it, or may not, when it does not ask. */
void
streams_of_dark(struct host *host)
{
    LIST_EACH (link, &host->streams) {
        struct host_stream *stream = (void *)LIST_ITEM(link, struct mortal, link);
        struct connection *connection = stream->connection;
        if (connection && connection->machines[CLIENT] != connection->machines[SERVER] &&
            sim_random(host->sim, 2) == 0)
            connection->is_mute = true;
    }
}

void
streams_of_dead(struct host *host)
{
    LIST_EACH (link, &host->streams) {
        struct host_stream *stream = (void *)LIST_ITEM(link, struct mortal, link);
        if (stream->connection)
            stream_end_drop(host->sim, stream->connection, stream->end);
        stream->connection = NULL;
    }
}

void
host_stream_peer(const struct host_stream *stream, struct host_address *ret_address)
{
    *ret_address = stream->connection ? stream->connection->addresses[1 - stream->end]
                                      : (struct host_address){.family = HOST_FAMILY_UNIX};
}

void
host_stream_set_peer(struct host_stream *stream, const struct host_address *peer)
{
    if (stream->connection)
        stream->connection->addresses[1 - stream->end] = *peer;
}

void
host_stream_local(const struct host_stream *stream, struct host_address *ret_address)
{
    *ret_address = stream->connection ? stream->connection->addresses[stream->end]
                                      : (struct host_address){.family = HOST_FAMILY_UNIX};
}

/* ---- sockets and listeners ------------------------------------------------------------------ */

/* Somebody who waits to be accepted. */
struct newcomer {
    struct list link;
    struct instant at;
    struct connection *connection; /* one of the two */
    struct wire *wire;
};

struct socket {
    struct list in_world;
    unsigned holders;
    bool is_for_tool;
    const struct sim_machine *machine;
    struct host_address address;
    struct list newcomers;
};

struct host_listener {
    struct mortal mortal; /* first */
    struct host *host;
    struct socket *socket; /* NULL when the process is dead */
    host_accept_fn on_stream;
    host_channel_accept_fn on_channel;
    void *context;
    bool is_paused;
};

void
socket_hold(struct socket *socket)
{
    socket->holders++;
}

void
socket_drop(struct sim *sim, struct socket *socket)
{
    if (--socket->holders > 0)
        return;
    list_remove(&socket->in_world);
    LIST_EACH (link, &socket->newcomers) {
        struct newcomer *newcomer = LIST_ITEM(link, struct newcomer, link);
        list_remove(link);
        if (newcomer->connection) {
            reset(newcomer->connection);
            stream_end_drop(sim, newcomer->connection, SERVER);
        } else {
            wire_drop(sim, newcomer->wire, SERVER);
        }
        free(newcomer);
    }
    free(socket);
}

static bool
newcomer_is_held(const struct sim *sim, const struct newcomer *newcomer)
{
    return newcomer->connection && is_silent(sim, newcomer->connection);
}

struct instant
sockets_next(const struct sim *sim)
{
    struct instant next = INSTANT_NEVER;

    LIST_EACH (link, (struct list *)(uintptr_t)&sim->sockets) {
        const struct socket *socket = LIST_ITEM(link, struct socket, in_world);
        LIST_EACH (waiting, (struct list *)(uintptr_t)&socket->newcomers) {
            const struct newcomer *newcomer = LIST_ITEM(waiting, struct newcomer, link);
            if (instant_is_before(sim->now, newcomer->at) && !newcomer_is_held(sim, newcomer) &&
                instant_is_before(newcomer->at, next))
                next = newcomer->at;
        }
    }
    return next;
}

static host_handle
add_socket(struct sim *sim, struct host *owner, const struct host_address *address)
{
    struct socket *socket = sim_allocate(sizeof(*socket));

    socket->holders = 1;
    socket->is_for_tool = address == NULL;
    socket->machine = owner->machine;
    if (address)
        socket->address = *address;
    list_init(&socket->newcomers);
    list_append(&sim->sockets, &socket->in_world);
    return thing_add(sim, owner, (struct thing){.kind = THING_SOCKET, .socket = socket});
}

host_handle
sim_listen(struct sim *sim, struct host *owner, const struct host_address *address)
{
    return add_socket(sim, owner, address);
}

host_handle
sim_listen_tool(struct sim *sim, struct host *owner)
{
    return add_socket(sim, owner, NULL);
}

static void
add_newcomer(struct sim *sim, struct socket *socket, struct connection *connection,
             struct wire *wire)
{
    struct newcomer *newcomer = sim_allocate(sizeof(*newcomer));

    newcomer->at = sim_after_at_most(sim, sim->options.stream_delay_max);
    newcomer->connection = connection;
    newcomer->wire = wire;
    list_append(&socket->newcomers, &newcomer->link);
}

host_handle
sim_tool_connect(struct sim *sim, struct host *owner, host_handle handle)
{
    struct socket *socket = sim->things[handle].socket;
    struct wire *wire = wire_open(sim);

    assert(sim->things[handle].kind == THING_SOCKET && socket->is_for_tool);
    add_newcomer(sim, socket, NULL, wire);
    return thing_add(sim, owner, (struct thing){.kind = THING_WIRE, .wire = wire, .end = CLIENT});
}

/* A socket at no particular address takes what comes to any of its family. */
static bool
leads_to(const struct host_address *address, const struct host_address *socket)
{
    static const uint8_t any[sizeof(address->bytes)];

    return socket->port == address->port && socket->family == address->family &&
           (memcmp(socket->bytes, any, sizeof(any)) == 0 ||
            memcmp(socket->bytes, address->bytes, sizeof(any)) == 0);
}

static struct socket *
find_socket(struct sim *sim, const struct host_address *address)
{
    LIST_EACH (link, &sim->sockets) {
        struct socket *socket = LIST_ITEM(link, struct socket, in_world);
        if (!socket->is_for_tool && leads_to(address, &socket->address))
            return socket;
    }
    return NULL;
}

/* A machine without power answers nobody. */
static bool
leads_into_the_dark(const struct sim *sim, const struct host_address *address)
{
    for (unsigned i = 0; i < sim->machine_count; i++) {
        const struct sim_machine *machine = &sim->machines[i];
        if (machine->is_off && address->family == HOST_FAMILY_IPV4 &&
            memcmp(machine->ipv4, address->bytes, sizeof(machine->ipv4)) == 0)
            return true;
    }
    return false;
}

int
host_stream_connect(struct host *host, const struct host_address *address,
                    struct host_stream **ret_stream)
{
    return host_stream_connect_from(host, NULL, address, ret_stream);
}

int
host_stream_connect_from(struct host *host, const struct host_address *from,
                         const struct host_address *address, struct host_stream **ret_stream)
{
    struct sim *sim = host->sim;

    if (host->is_dead)
        return -EMFILE;
    if (address->family == HOST_FAMILY_UNIX || (from && from->family != address->family))
        return -EAFNOSUPPORT;
    struct connection *connection = connection_open(host->machine, address);
    if (from)
        memcpy(connection->addresses[CLIENT].bytes, from->bytes, sizeof(from->bytes));
    struct socket *socket = find_socket(sim, address);
    if (socket) {
        connection->machines[SERVER] = socket->machine;
        add_newcomer(sim, socket, connection, NULL);
    } else if (leads_into_the_dark(sim, address)) {
        connection->is_mute = true;
        stream_end_drop(sim, connection, SERVER);
    } else {
        connection->is_refused = true;
        stream_end_drop(sim, connection, SERVER);
    }
    *ret_stream = stream_open(host, connection, CLIENT);
    return 0;
}

/* The first that has arrived, or NULL. */
static struct newcomer *
next_newcomer(const struct host_listener *listener)
{
    const struct sim *sim = listener->host->sim;

    if (!listener->socket || listener->is_paused)
        return NULL;
    LIST_EACH (link, &listener->socket->newcomers) {
        struct newcomer *newcomer = LIST_ITEM(link, struct newcomer, link);
        if (newcomer->at.ns <= sim->now.ns && !newcomer_is_held(sim, newcomer))
            return newcomer;
    }
    return NULL;
}

static bool
listener_is_ready(struct mortal *mortal)
{
    return next_newcomer((void *)mortal) != NULL;
}

static void
listener_turn(struct mortal *mortal)
{
    struct host_listener *listener = (void *)mortal;
    struct host *host = listener->host;

    /* A handler before us, or another process, may have been faster. */
    struct newcomer *newcomer;
    while (!mortal->is_closed && (newcomer = next_newcomer(listener)) != NULL) {
        struct connection *connection = newcomer->connection;
        struct wire *wire = newcomer->wire;
        list_remove(&newcomer->link);
        free(newcomer);
        if (connection)
            listener->on_stream(listener->context, stream_open(host, connection, SERVER));
        else
            listener->on_channel(
                listener->context,
                thing_add(host->sim, host,
                          (struct thing){.kind = THING_WIRE, .wire = wire, .end = SERVER}));
    }
}

static struct host_listener *
listener_open(struct host *host, host_handle handle, host_accept_fn on_stream,
              host_channel_accept_fn on_channel, void *context)
{
    struct thing *thing = thing_find(host, handle);

    if (!thing || thing->kind != THING_SOCKET || thing->socket->is_for_tool != (on_channel != NULL))
        return NULL;
    struct host_listener *listener = sim_allocate(sizeof(*listener));
    *listener = (struct host_listener){
        .mortal = {.turn = listener_turn, .is_ready = listener_is_ready},
        .host = host,
        .socket = thing->socket,
        .on_stream = on_stream,
        .on_channel = on_channel,
        .context = context,
    };
    thing_forget(host->sim, handle);
    list_append(&host->listeners, &listener->mortal.link);
    return listener;
}

struct host_listener *
host_listener_open(struct host *host, host_handle handle, host_accept_fn fn, void *context)
{
    return listener_open(host, handle, fn, NULL, context);
}

struct host_listener *
host_channel_listener_open(struct host *host, host_handle handle, host_channel_accept_fn fn,
                           void *context)
{
    return listener_open(host, handle, NULL, fn, context);
}

void
host_listener_pause(struct host_listener *listener, bool is_paused)
{
    listener->is_paused = is_paused;
}

void
host_listener_close(struct host_listener **listener_at)
{
    struct host_listener *listener = *listener_at;

    if (!listener)
        return;
    *listener_at = NULL;
    if (listener->socket)
        socket_drop(listener->host->sim, listener->socket);
    listener->socket = NULL;
    mortal_bury(listener->host, &listener->mortal);
}

void
listeners_of_dead(struct host *host)
{
    LIST_EACH (link, &host->listeners) {
        struct host_listener *listener = (void *)LIST_ITEM(link, struct mortal, link);
        if (listener->socket)
            socket_drop(host->sim, listener->socket);
        listener->socket = NULL;
    }
}
