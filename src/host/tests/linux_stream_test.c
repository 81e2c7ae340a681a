/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/linux/linux.h"
#include "host/linux/process.h"

#include <errno.h>
#include <limits.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* A server that sends back what comes and closes at the end of the peer's data; a client that sends
 * `to_send`, shuts its side and reads to the end. */
struct world {
    struct host *host;
    struct host_listener *listener;
    struct host_stream *server;
    struct host_stream *client;
    struct buffer to_send;
    struct buffer echo; /* at the server, not sent yet */
    bool is_echo_done;
    struct buffer got;
    uint16_t port;
    unsigned accepted;
};

static void
on_server(void *context, unsigned events)
{
    struct world *world = context;
    uint8_t bytes[3000];

    if (events & HOST_READABLE) {
        int64_t len = host_stream_read(world->server, bytes, sizeof(bytes));
        assert_true(len >= 0);
        if (len == 0)
            world->is_echo_done = true;
        buffer_put(&world->echo, slice_of(bytes, (size_t)len));
    }
    if (buffer_len(&world->echo)) {
        int64_t sent = host_stream_write(world->server, buffer_slice(&world->echo));
        assert_true(sent > 0 || sent == -EAGAIN);
        buffer_consume(&world->echo, sent > 0 ? (size_t)sent : 0);
    }
    if (world->is_echo_done && buffer_len(&world->echo) == 0) {
        host_stream_close(&world->server);
        return;
    }
    unsigned wanted = buffer_len(&world->echo) ? HOST_WRITABLE : 0;
    wanted |= world->is_echo_done || buffer_len(&world->echo) > 100000 ? 0 : HOST_READABLE;
    host_stream_watch(world->server, wanted, on_server, world);
}

static void
on_client(void *context, unsigned events)
{
    struct world *world = context;
    uint8_t bytes[5000];

    if (events & HOST_WRITABLE) {
        int64_t sent = host_stream_write(world->client, buffer_slice(&world->to_send));
        assert_true(sent > 0 || sent == -EAGAIN);
        buffer_consume(&world->to_send, sent > 0 ? (size_t)sent : 0);
        if (buffer_len(&world->to_send) == 0)
            host_stream_shut(world->client);
    }
    if (events & HOST_READABLE) {
        int64_t len = host_stream_read(world->client, bytes, sizeof(bytes));
        assert_true(len >= 0);
        if (len == 0) {
            host_stream_close(&world->client);
            host_stop(world->host);
            return;
        }
        buffer_put(&world->got, slice_of(bytes, (size_t)len));
    }
    host_stream_watch(world->client,
                      HOST_READABLE | (buffer_len(&world->to_send) ? HOST_WRITABLE : 0), on_client,
                      world);
}

static void
on_accept(void *context, struct host_stream *stream)
{
    struct world *world = context;
    struct host_address peer, local;

    world->accepted++;
    host_stream_peer(stream, &peer);
    host_stream_local(stream, &local);
    assert_int_equal(peer.family, HOST_FAMILY_IPV4);
    assert_int_equal(peer.bytes[0], 127);
    assert_int_equal(local.port, world->port);
    world->server = stream;
    host_stream_watch(stream, HOST_READABLE, on_server, world);
}

static struct host_address
loopback(uint16_t port)
{
    return (struct host_address){
        .family = HOST_FAMILY_IPV4, .bytes = {127, 0, 0, 1}, .port = port};
}

static void
open_world(struct world *world, host_accept_fn fn)
{
    struct host_address any = loopback(0);
    host_handle handle;

    *world = (struct world){0};
    assert_int_equal(host_linux_open(&world->host), 0);
    assert_int_equal(host_listen_tcp(&any, &handle, &world->port), 0);
    world->listener = host_listener_open(world->host, handle, fn, world);
    assert_non_null(world->listener);
    buffer_init(&world->to_send, 10000000);
    buffer_init(&world->echo, 10000000);
    buffer_init(&world->got, 10000000);
}

static void
close_world(struct world *world)
{
    host_listener_close(&world->listener);
    host_stream_close(&world->server);
    host_stream_close(&world->client);
    host_linux_close(&world->host);
    buffer_finish(&world->to_send);
    buffer_finish(&world->echo);
    buffer_finish(&world->got);
}

static void
bytes_go_both_ways_with_half_close(void **state)
{
    struct world world;
    struct buffer expected;

    (void)state;
    open_world(&world, on_accept);
    for (unsigned i = 0; i < 1000000; i++)
        buffer_put_le32(&world.to_send, i * 2654435761U);
    buffer_init(&expected, 10000000);
    buffer_put(&expected, buffer_slice(&world.to_send));
    struct host_address address = loopback(world.port);
    assert_int_equal(host_stream_connect(world.host, &address, &world.client), 0);
    host_stream_watch(world.client, HOST_READABLE | HOST_WRITABLE, on_client, &world);
    host_linux_run(world.host);
    assert_true(slice_equal(buffer_slice(&world.got), buffer_slice(&expected)));
    buffer_finish(&expected);
    close_world(&world);
}

static void
keep_peer(void *context, struct host_stream *stream)
{
    struct world *world = context;

    world->server = stream;
    host_stop(world->host);
}

static void
a_stream_may_come_from_a_chosen_address(void **state)
{
    struct world world;
    struct host_address peer, from = {.family = HOST_FAMILY_IPV4, .bytes = {127, 0, 0, 9}};

    (void)state;
    open_world(&world, keep_peer);
    struct host_address address = loopback(world.port);
    assert_int_equal(host_stream_connect_from(world.host, &from, &address, &world.client), 0);
    host_linux_run(world.host);
    host_stream_peer(world.server, &peer);
    assert_memory_equal(peer.bytes, from.bytes, 4);
    assert_int_not_equal(peer.port, 0);
    struct host_address other = {.family = HOST_FAMILY_IPV6};
    struct host_stream *none = NULL;
    assert_int_equal(host_stream_connect_from(world.host, &other, &address, &none), -EAFNOSUPPORT);
    assert_null(none);
    close_world(&world);
}

static void
on_refused(void *context, unsigned events)
{
    struct world *world = context;
    uint8_t byte;

    (void)events;
    assert_int_equal(host_stream_read(world->client, &byte, 1), -ECONNREFUSED);
    host_stream_close(&world->client);
    host_stop(world->host);
}

static void
a_refused_connection_tells_why(void **state)
{
    struct world world;

    (void)state;
    open_world(&world, on_accept);
    struct host_address address = loopback(world.port);
    host_listener_close(&world.listener);
    int error = host_stream_connect(world.host, &address, &world.client);
    if (error == 0) {
        host_stream_watch(world.client, HOST_READABLE | HOST_WRITABLE, on_refused, &world);
        host_linux_run(world.host);
    } else {
        assert_int_equal(error, -ECONNREFUSED);
    }
    close_world(&world);
}

static void
keep_none(void *context, struct host_stream *stream)
{
    struct world *world = context;

    host_stream_close(&stream);
    if (++world->accepted == 3)
        host_stop(world->host);
}

static void
raise_limit(void *context)
{
    struct rlimit *limit = context;

    limit->rlim_cur = limit->rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, limit), 0);
}

static void
a_listener_without_descriptors_waits_and_goes_on(void **state)
{
    struct world world;
    struct host_stream *clients[3];
    struct rlimit limit;

    (void)state;
    open_world(&world, keep_none);
    struct host_address address = loopback(world.port);
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        assert_int_equal(host_stream_connect(world.host, &address, &clients[i]), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    rlim_t before = limit.rlim_cur;
    int next = dup(STDERR_FILENO);
    close(next);
    limit.rlim_cur = (rlim_t)next;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    struct host_timer *timer = host_timer_open(world.host, raise_limit, &limit);
    host_timer_set(timer, instant_after(host_now(world.host), duration_ms(50)));
    host_linux_run(world.host);
    assert_int_equal(world.accepted, 3);
    limit.rlim_cur = before;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    host_timer_close(&timer);
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        host_stream_close(&clients[i]);
    close_world(&world);
}

static void
resume(void *context)
{
    struct world *world = context;

    assert_int_equal(world->accepted, 0);
    host_listener_pause(world->listener, false);
}

static void
a_paused_listener_leaves_newcomers_in_the_queue(void **state)
{
    struct world world;
    struct host_stream *clients[3];

    (void)state;
    open_world(&world, keep_none);
    host_listener_pause(world.listener, true);
    struct host_address address = loopback(world.port);
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        assert_int_equal(host_stream_connect(world.host, &address, &clients[i]), 0);
    struct host_timer *timer = host_timer_open(world.host, resume, &world);
    host_timer_set(timer, instant_after(host_now(world.host), duration_ms(30)));
    host_linux_run(world.host);
    assert_int_equal(world.accepted, 3);
    host_timer_close(&timer);
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        host_stream_close(&clients[i]);
    close_world(&world);
}

static void
an_occupied_port_is_said_to_be(void **state)
{
    struct world world;
    host_handle handle;

    (void)state;
    open_world(&world, keep_none);
    struct host_address address = loopback(world.port);
    assert_int_equal(host_listen_tcp(&address, &handle, NULL), -EADDRINUSE);
    close_world(&world);
}

/* How many packets a client gets for a word and the end. */
static unsigned
packets(int64_t (*write_fn)(struct host_stream *, struct slice))
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7F000001)};
    struct tcp_info info;
    socklen_t len = sizeof(info);
    struct world world;
    char word[8];

    open_world(&world, keep_peer);
    address.sin_port = htons(world.port);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
    host_linux_run(world.host);
    assert_int_equal(write_fn(world.server, SLICE("bye")), 3);
    host_stream_shut(world.server);
    assert_int_equal(recv(client, word, sizeof(word), 0), 3);
    assert_int_equal(recv(client, word, sizeof(word), 0), 0);
    assert_int_equal(getsockopt(client, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    close(client);
    close_world(&world);
    return info.tcpi_segs_in;
}

/* The kernel keeps what is near the end for a moment only, which a busy machine may miss. */
static void
the_last_bytes_leave_with_the_end(void **state)
{
    unsigned together = UINT_MAX;

    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        unsigned one = packets(host_stream_write_near_end);
        together = one < together ? one : together;
    }
    assert_int_equal(together + 1, packets(host_stream_write));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_go_both_ways_with_half_close),
        cmocka_unit_test(a_stream_may_come_from_a_chosen_address),
        cmocka_unit_test(a_refused_connection_tells_why),
        cmocka_unit_test(a_listener_without_descriptors_waits_and_goes_on),
        cmocka_unit_test(a_paused_listener_leaves_newcomers_in_the_queue),
        cmocka_unit_test(an_occupied_port_is_said_to_be),
        cmocka_unit_test(the_last_bytes_leave_with_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
