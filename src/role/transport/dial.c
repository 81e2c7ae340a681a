/* SPDX-License-Identifier: ISC */
/* A race for a connection to one host: its addresses are tried one after another, families in turn,
 * the next as soon as one fails or takes longer than a moment (RFC 8305 §5); the first wins. */
#include "role/haproxy.h"
#include "role/transport/socks.h"
#include "role/transport/transport_role.h"

#include <errno.h>
#include <stdlib.h>

enum { ADDRESSES_MAX = 16 };

struct runner {
    struct transport_dial *dial;
    struct transport_stream stream; /* .stream NULL: free */
    struct socks socks;             /* where there is a proxy */
};

struct transport_dial {
    struct transport_job *job;
    struct slice host;
    struct host_address addresses[ADDRESSES_MAX];
    size_t count, next;
    struct runner runners[TRANSPORT_RACE_MAX];
    struct host_timer *timer;
    struct instant next_at; /* when the next address may join */
};

static struct host *
host_of(const struct transport_dial *dial)
{
    return dial->job->transport->start.host;
}

/* ---- addresses ----------------------------------------------------------------------------- */

static bool
to_address(struct slice bytes, uint16_t port, struct host_address *ret_address)
{
    if (bytes.len != 4 && bytes.len != 16)
        return false;
    *ret_address = (struct host_address){
        .family = bytes.len == 4 ? HOST_FAMILY_IPV4 : HOST_FAMILY_IPV6, .port = port};
    memcpy(ret_address->bytes, bytes.at, bytes.len);
    return true;
}

/* The first that is left of another family than the last one; else the first that is left. */
static size_t
choose(const struct host_address *found, const bool *is_used, size_t count,
       const struct host_address *last)
{
    size_t any = count;

    for (size_t i = 0; i < count; i++) {
        if (is_used[i])
            continue;
        if (!last || found[i].family != last->family)
            return i;
        if (any == count)
            any = i;
    }
    return any;
}

/* In the order of trial, families in turn (RFC 8305 §4). */
static void
take_addresses(struct transport_dial *dial, const struct store_transport_address *addresses,
               size_t address_count, size_t host, uint16_t port)
{
    struct host_address found[ADDRESSES_MAX];
    bool is_used[ADDRESSES_MAX] = {false};
    size_t count = 0;

    for (size_t i = 0; i < address_count && count < ADDRESSES_MAX; i++) {
        if (addresses[i].host == host)
            count += to_address(addresses[i].bytes, port, &found[count]);
    }
    while (dial->count < count) {
        const struct host_address *last =
            dial->count > 0 ? &dial->addresses[dial->count - 1] : NULL;
        size_t chosen = choose(found, is_used, count, last);
        is_used[chosen] = true;
        dial->addresses[dial->count++] = found[chosen];
    }
}

/* ---- the race ------------------------------------------------------------------------------ */

static void
stop_runner(struct runner *runner)
{
    if (runner->stream.stream)
        host_stream_close(&runner->stream.stream);
}

static void
fail_runner_saying(struct runner *runner, const char *why)
{
    struct store_transport_attempt *attempt = runner->stream.attempt;
    struct instant now = host_now(host_of(runner->dial));

    attempt->duration_ms =
        (uint32_t)(instant_since(now, runner->stream.begun).ns / duration_ms(1).ns);
    attempt->text = arena_copy(&runner->dial->job->arena, slice_of_string(why));
    stop_runner(runner);
}

static void
fail_runner(struct runner *runner, int error)
{
    fail_runner_saying(runner, strerror(-error));
}

static bool
is_running(const struct transport_dial *dial)
{
    for (size_t i = 0; i < TRANSPORT_RACE_MAX; i++) {
        if (dial->runners[i].stream.stream)
            return true;
    }
    return false;
}

static void advance(struct transport_dial *dial);

/* The stream stands; what was read of it goes with it. */
static void
win(struct runner *runner, const struct transport_stream *won)
{
    struct transport_stream stream = *won;

    host_stream_watch(stream.stream, 0, NULL, NULL);
    stream.attempt->is_connected = true;
    runner->stream.stream = NULL;
    job_dialled(runner->dial->job, &stream);
}

/* What a host wants to hear first that believes it is behind a proxy; a stream that is new has room
 * for it. To the host of a policy nothing is said. */
static bool
announce(const struct transport_dial *dial, const struct transport_stream *stream)
{
    struct host_address from;
    struct buffer header;

    if (dial->job->carry.proxy == HAPROXY_NONE || dial->job->fetch)
        return true;
    host_stream_local(stream->stream, &from);
    buffer_init(&header, HAPROXY_LINE_MAX);
    haproxy_put(&header, dial->job->carry.proxy == HAPROXY_1 ? HAPROXY_1 : HAPROXY_2, &from,
                &stream->address);
    int64_t written = host_stream_write(stream->stream, buffer_slice(&header));
    bool is_whole = written == (int64_t)buffer_len(&header);
    buffer_finish(&header);
    return is_whole;
}

static void
lose(struct runner *runner, const char *why)
{
    struct transport_dial *dial = runner->dial;

    fail_runner_saying(runner, why);
    advance(dial);
}

/* Speaks with the proxy for as long as something moves. */
static void
on_proxy(void *context, unsigned events)
{
    struct runner *runner = context;
    struct host_stream *stream = runner->stream.stream;
    uint8_t answer[SOCKS_ANSWER_MAX];
    const char *why = NULL;
    int64_t len = 0;
    (void)events;

    while (!why && !runner->socks.is_done) {
        struct slice output = socks_output(&runner->socks);
        bool is_writing = output.len > 0;
        len = is_writing ? host_stream_write(stream, output)
                         : host_stream_read(stream, answer, socks_wanted(&runner->socks));
        if (len == -EAGAIN) {
            host_stream_watch(stream, is_writing ? HOST_WRITABLE : HOST_READABLE, on_proxy, runner);
            return;
        }
        if (len < 0 || (len == 0 && !is_writing))
            why = len < 0 ? strerror((int)-len) : "the SOCKS proxy has closed the connection";
        else if (is_writing)
            socks_sent(&runner->socks, (size_t)len);
        else
            why = socks_take(&runner->socks, slice_of(answer, (size_t)len));
    }
    if (why)
        lose(runner, why);
    else if (!announce(runner->dial, &runner->stream))
        lose(runner, "the PROXY header could not be sent");
    else
        win(runner, &runner->stream);
}

static void
on_stream(void *context, unsigned events)
{
    struct runner *runner = context;
    struct transport_stream won = runner->stream;
    (void)events;

    /* Only reading tells whether it stands; a host that is quick has its greeting in it. */
    int64_t len = host_stream_read(won.stream, won.early, sizeof(won.early));
    if (len == 0 || (len < 0 && len != -EAGAIN)) {
        lose(runner, strerror(len == 0 ? ECONNRESET : (int)-len));
        return;
    }
    won.early_len = len > 0 ? (size_t)len : 0;
    if (announce(runner->dial, &won))
        win(runner, &won);
    else
        lose(runner, "the PROXY header could not be sent");
}

static void
set_source(const struct store_transport_carry *carry, const struct host_address *to,
           struct host_address *from, const struct host_address **ret_from)
{
    struct slice source = to->family == HOST_FAMILY_IPV4 ? carry->source_ipv4 : carry->source_ipv6;

    *ret_from = to_address(source, 0, from) && from->family == to->family ? from : NULL;
}

/* The next address joins the race. */
static void
start_runner(struct transport_dial *dial, struct runner *runner)
{
    const struct host_address *address = &dial->addresses[dial->next++];
    struct host_address from_room;
    const struct host_address *from;

    runner->dial = dial;
    runner->stream =
        (struct transport_stream){.address = *address, .begun = host_now(host_of(dial))};
    runner->stream.attempt = job_attempt(dial->job, dial->host, address);
    /* Through a proxy it is the proxy's address that the host sees. */
    const struct config_listeners *proxy = &dial->job->transport->start.config->outbound_socks;
    socks_begin(&runner->socks, address);
    if (proxy->count > 0)
        address = &proxy->at[0].address;
    set_source(&dial->job->carry, address, &from_room, &from);
    dial->job->transport->connections++;
    int error = host_stream_connect_from(host_of(dial), from, address, &runner->stream.stream);
    if (error < 0)
        fail_runner(runner, error);
    else
        host_stream_watch(runner->stream.stream, HOST_WRITABLE,
                          proxy->count > 0 ? on_proxy : on_stream, runner);
}

static struct runner *
find_place(struct transport_dial *dial)
{
    for (size_t i = 0; i < TRANSPORT_RACE_MAX; i++) {
        if (!dial->runners[i].stream.stream)
            return &dial->runners[i];
    }
    return NULL;
}

static void
arm(struct transport_dial *dial)
{
    bool may_grow = dial->next < dial->count && find_place(dial);
    struct instant next = may_grow ? dial->next_at : INSTANT_NEVER;

    for (size_t i = 0; i < TRANSPORT_RACE_MAX; i++) {
        struct runner *runner = &dial->runners[i];
        struct instant end = instant_after(runner->stream.begun, duration_ms(TRANSPORT_CONNECT_MS));
        if (runner->stream.stream && instant_is_before(end, next))
            next = end;
    }
    host_timer_set(dial->timer, next);
}

/* Lets as many run as may; arms the timer; tells when nobody is left. */
static void
advance(struct transport_dial *dial)
{
    struct instant now = host_now(host_of(dial));

    for (size_t i = 0; i < TRANSPORT_RACE_MAX; i++) {
        struct runner *runner = &dial->runners[i];
        struct instant end = instant_after(runner->stream.begun, duration_ms(TRANSPORT_CONNECT_MS));
        if (runner->stream.stream && !instant_is_before(now, end))
            fail_runner(runner, -ETIMEDOUT);
    }
    for (struct runner *runner = find_place(dial); runner && dial->next < dial->count;
         runner = find_place(dial)) {
        if (is_running(dial) && instant_is_before(now, dial->next_at))
            break;
        dial->next_at = instant_after(now, duration_ms(TRANSPORT_RACE_MS));
        start_runner(dial, runner);
    }
    if (!is_running(dial))
        job_dial_failed(dial->job);
    else
        arm(dial);
}

static void
on_timer(void *context)
{
    advance(context);
}

static struct transport_dial *
open_dial(struct transport_job *job, struct slice host)
{
    struct transport_dial *dial = calloc(1, sizeof(*dial));

    if (!dial)
        abort();
    dial->job = job;
    dial->host = host;
    dial->timer = host_timer_open(job->transport->start.host, on_timer, dial);
    /* From the loop: a race may be lost before it begins. */
    dial->next_at = host_now(job->transport->start.host);
    host_timer_set(dial->timer, dial->next_at);
    return dial;
}

struct transport_dial *
dial_open(struct transport_job *job, size_t host)
{
    const struct store_transport_carry *carry = &job->carry;
    struct transport_dial *dial = open_dial(job, carry->hosts.at[host].name);

    take_addresses(dial, carry->addresses.at, carry->addresses.count, host, carry->port);
    return dial;
}

struct transport_dial *
dial_open_policy(struct transport_job *job, struct slice host, uint16_t port)
{
    const struct store_transport_carry *carry = &job->carry;
    struct transport_dial *dial = open_dial(job, arena_copy(&job->arena, host));

    take_addresses(dial, carry->sts_addresses.at, carry->sts_addresses.count, 0, port);
    return dial;
}

void
dial_close(struct transport_dial **dial)
{
    if (!*dial)
        return;
    for (size_t i = 0; i < TRANSPORT_RACE_MAX; i++) {
        struct runner *runner = &(*dial)->runners[i];
        if (runner->stream.stream)
            runner->stream.attempt->text = SLICE("another address was faster");
        stop_runner(runner);
    }
    host_timer_close(&(*dial)->timer);
    free(*dial);
    *dial = NULL;
}
