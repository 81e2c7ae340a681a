/* SPDX-License-Identifier: ISC */
/* A load of SMTP (or LMTP) transactions for the benchmarks: keeps a number of connections open and
 * sends messages over them as fast as the server answers, the same way to every server.
 *
 * usage: load --port N [--host 127.0.0.1] [--connections 20] [--messages 10000] [--size 4096]
 *             [--seconds S] [--from A] [--to B[,B…]] [--lmtp] [--no-pipelining] [--tls]
 * Messages begin when all connections have been greeted (or nothing came for five seconds), and the
 * clock with them; S seconds later no message is begun any more. With --tls each connection begins
 * with STARTTLS. Prints one line of JSON: rate, latency percentiles, what failed. Exit 1 when a
 * message failed. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    RECIPIENTS_MAX = 1000,
    INPUT_MAX = 8192,
    CONNECTIONS_MAX = 20000,
    CONNECTIONS_A_SOURCE = 5000, /* of a loopback address: ports are few */
    GREETING_S = 5,
    ANSWER_MS = 60000
};

enum step {
    STEP_BANNER,
    STEP_BEFORE_TLS,
    STEP_STARTTLS,
    STEP_HELLO,
    STEP_READY,
    STEP_MAIL,
    STEP_RCPT,
    STEP_DATA,
    STEP_BODY,
    STEP_QUIT
};

struct connection {
    int fd;
    SSL *tls;
    enum step step;
    unsigned replies_due; /* of the group of commands in flight */
    char input[INPUT_MAX];
    size_t input_len;
    const char *output;
    size_t output_len;
    int64_t started_ns;
    bool is_blocked; /* the socket takes no more for now: it is watched for room */
    bool is_over;
};

static struct {
    const char *host;
    int port;
    int connections;
    long messages;
    size_t size;
    const char *from;
    const char *recipients[RECIPIENTS_MAX];
    size_t recipient_count;
    bool is_lmtp;
    bool is_pipelined;
    bool is_tls;
    double seconds;
} want = {"127.0.0.1", 0,     20,   10000, 4096, "load@bench.test", {"alice@example.test"},
          1,           false, true, false, 0};

static long begun, done, failed;
static int64_t *latencies_ns;
static char *envelope, *body;
static size_t envelope_len, body_len;
static char hello[64];
static int epoll_fd;
static SSL_CTX *tls_context;
static int64_t start_ns, last_begin_ns = INT64_MAX;
static struct connection *connections;
static int ready;

static int64_t
now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void
die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* Lines of 72 octets, as text has them; `size` counts header and body. */
static void
make_body(void)
{
    static const char header[] = "From: <load@bench.test>\r\nTo: <alice@example.test>\r\n"
                                 "Subject: a message of the benchmark\r\n"
                                 "Date: Sat, 21 Nov 2026 10:00:00 +0000\r\n"
                                 "Message-ID: <load@bench.test>\r\nMIME-Version: 1.0\r\n"
                                 "Content-Type: text/plain; charset=us-ascii\r\n\r\n";
    static const char line[] =
        "The quick brown fox jumps over the lazy dog and then goes home to eat.\r\n";

    body = malloc(want.size + sizeof(header) + sizeof(line) + 8);
    if (!body)
        die("memory");
    memcpy(body, header, sizeof(header) - 1);
    body_len = sizeof(header) - 1;
    while (body_len < want.size) {
        memcpy(body + body_len, line, sizeof(line) - 1);
        body_len += sizeof(line) - 1;
    }
    memcpy(body + body_len, ".\r\n", 3);
    body_len += 3;
}

static void
make_envelope(void)
{
    size_t room = 512 + want.recipient_count * 512;

    envelope = malloc(room);
    if (!envelope)
        die("memory");
    envelope_len = (size_t)snprintf(envelope, room, "MAIL FROM:<%s>\r\n", want.from);
    for (size_t i = 0; i < want.recipient_count; i++)
        envelope_len += (size_t)snprintf(envelope + envelope_len, room - envelope_len,
                                         "RCPT TO:<%s>\r\n", want.recipients[i]);
    envelope_len += (size_t)snprintf(envelope + envelope_len, room - envelope_len, "DATA\r\n");
}

static void
watch(struct connection *connection, uint32_t events, int operation)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};

    if (epoll_ctl(epoll_fd, operation, connection->fd, &event) < 0)
        die("epoll_ctl");
}

/* Of SSL_read and SSL_write: what read and write would say. What waits for the peer's part of the
 * handshake goes on when there is something to read. */
static ssize_t
tls_result(const struct connection *connection, int result, bool *ret_waits_for_peer)
{
    if (result > 0)
        return result;
    int error = SSL_get_error(connection->tls, result);
    if (error == SSL_ERROR_ZERO_RETURN)
        return 0;
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
        ERR_print_errors_fp(stderr);
        errno = EPROTO;
        return -1;
    }
    *ret_waits_for_peer = error == SSL_ERROR_WANT_READ;
    errno = EAGAIN;
    return -1;
}

static ssize_t
send_some(struct connection *connection, bool *ret_waits_for_peer)
{
    *ret_waits_for_peer = false;
    if (!connection->tls)
        return write(connection->fd, connection->output, connection->output_len);
    return tls_result(connection,
                      SSL_write(connection->tls, connection->output, (int)connection->output_len),
                      ret_waits_for_peer);
}

static ssize_t
receive_some(struct connection *connection, void *at, size_t len)
{
    bool waits_for_peer;

    if (!connection->tls)
        return read(connection->fd, at, len);
    return tls_result(connection, SSL_read(connection->tls, at, (int)len), &waits_for_peer);
}

static void
begin_tls(struct connection *connection)
{
    connection->tls = SSL_new(tls_context);
    if (!connection->tls || SSL_set_fd(connection->tls, connection->fd) != 1)
        die("TLS");
    SSL_set_connect_state(connection->tls);
}

static void
flush_output(struct connection *connection)
{
    bool waits_for_peer;

    while (connection->output_len) {
        ssize_t sent = send_some(connection, &waits_for_peer);
        if (sent < 0 && errno == EAGAIN && waits_for_peer)
            break;
        if (sent < 0 && errno == EAGAIN) {
            if (!connection->is_blocked)
                watch(connection, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
            connection->is_blocked = true;
            return;
        }
        if (sent < 0)
            die("write");
        connection->output += sent;
        connection->output_len -= (size_t)sent;
    }
    if (connection->is_blocked)
        watch(connection, EPOLLIN, EPOLL_CTL_MOD);
    connection->is_blocked = false;
}

static void
put(struct connection *connection, const char *text, size_t len)
{
    connection->output = text;
    connection->output_len = len;
    flush_output(connection);
}

/* The n-th line of the envelope, when the server gets one command at a time. */
static void
put_envelope_line(struct connection *connection, size_t number)
{
    const char *line = envelope;

    while (number-- > 0)
        line = strchr(line, '\n') + 1;
    put(connection, line, (size_t)(strchr(line, '\n') + 1 - line));
}

static void
begin_message(struct connection *connection)
{
    if (begun >= want.messages || now_ns() >= last_begin_ns) {
        connection->step = STEP_QUIT;
        connection->replies_due = 1;
        put(connection, "QUIT\r\n", 6);
        return;
    }
    begun++;
    connection->started_ns = now_ns();
    connection->step = STEP_MAIL;
    connection->replies_due = (unsigned)want.recipient_count + 2;
    if (want.is_pipelined)
        put(connection, envelope, envelope_len);
    else
        put_envelope_line(connection, 0);
}

static void
end_message(struct connection *connection)
{
    latencies_ns[done++] = now_ns() - connection->started_ns;
    begin_message(connection);
}

static void
on_envelope_reply(struct connection *connection)
{
    connection->replies_due--;
    if (connection->replies_due == 0) {
        connection->step = STEP_BODY;
        connection->replies_due = want.is_lmtp ? (unsigned)want.recipient_count : 1;
        put(connection, body, body_len);
    } else if (!want.is_pipelined) {
        put_envelope_line(connection, want.recipient_count + 2 - connection->replies_due);
    }
}

static void
begin_all(void)
{
    start_ns = now_ns();
    if (want.seconds > 0)
        last_begin_ns = start_ns + (int64_t)(want.seconds * 1e9);
    for (int i = 0; i < want.connections; i++) {
        if (connections[i].step == STEP_READY)
            begin_message(&connections[i]);
    }
}

/* One last line of a reply. */
static void
on_reply(struct connection *connection, const char *line)
{
    if (line[0] != '2' && line[0] != '3') {
        failed++;
        fprintf(stderr, "load: refused: %.200s\n", line);
        exit(1);
    }
    switch (connection->step) {
    case STEP_BANNER:
        connection->step = want.is_tls ? STEP_BEFORE_TLS : STEP_HELLO;
        put(connection, hello, strlen(hello));
        break;
    case STEP_BEFORE_TLS:
        connection->step = STEP_STARTTLS;
        put(connection, "STARTTLS\r\n", 10);
        break;
    case STEP_STARTTLS:
        begin_tls(connection);
        connection->step = STEP_HELLO;
        put(connection, hello, strlen(hello));
        break;
    case STEP_HELLO:
        connection->step = STEP_READY;
        ready++;
        if (start_ns)
            begin_message(connection);
        else if (ready == want.connections)
            begin_all();
        break;
    case STEP_READY:
        break;
    case STEP_MAIL:
    case STEP_RCPT:
    case STEP_DATA:
        on_envelope_reply(connection);
        break;
    case STEP_BODY:
        if (--connection->replies_due == 0)
            end_message(connection);
        break;
    case STEP_QUIT:
        connection->is_over = true;
        break;
    }
}

/* True when there may be more: what OpenSSL holds already is not told by the socket. */
static bool
on_input(struct connection *connection)
{
    ssize_t got = receive_some(connection, connection->input + connection->input_len,
                               INPUT_MAX - 1 - connection->input_len);
    if (got < 0 && errno == EAGAIN)
        return false;
    if (got <= 0) {
        fprintf(stderr, "load: the server closed a connection in step %d\n", connection->step);
        exit(1);
    }
    connection->input_len += (size_t)got;
    connection->input[connection->input_len] = 0;
    char *line = connection->input, *end;
    while (!connection->is_over &&
           (end = memchr(line, '\n', connection->input_len - (size_t)(line - connection->input)))) {
        *end = 0;
        if (end - line >= 4 && line[3] != '-')
            on_reply(connection, line);
        line = end + 1;
    }
    connection->input_len -= (size_t)(line - connection->input);
    memmove(connection->input, line, connection->input_len);
    return connection->tls && !connection->is_over;
}

/* False when the server does not take it up within some seconds. */
static bool
open_connection(struct connection *connection, int number)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)want.port)};
    struct sockaddr_in source = {.sin_family = AF_INET};
    struct timeval patience = {.tv_sec = GREETING_S};
    int one = 1;

    inet_pton(AF_INET, want.host, &address.sin_addr);
    source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(number / CONNECTIONS_A_SOURCE));
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0)
        die("socket");
    setsockopt(connection->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    setsockopt(connection->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
    if (ntohl(address.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET &&
        bind(connection->fd, (struct sockaddr *)&source, sizeof(source)) < 0)
        die("bind");
    if (connect(connection->fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        if (number == 0 || errno == EADDRNOTAVAIL)
            die("connect");
        close(connection->fd);
        return false;
    }
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    fcntl(connection->fd, F_SETFL, O_NONBLOCK);
    watch(connection, EPOLLIN, EPOLL_CTL_ADD);
    return true;
}

/* As many as the server takes up. */
static void
open_connections(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    for (int i = 0; i < want.connections; i++)
        if (!open_connection(&connections[i], i))
            want.connections = i;
}

static void
prepare_tls(void)
{
    tls_context = SSL_CTX_new(TLS_client_method());
    if (!tls_context)
        die("TLS");
    /* The certificate is one that the benchmark has made. */
    SSL_CTX_set_verify(tls_context, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_mode(tls_context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                      SSL_MODE_RELEASE_BUFFERS);
}

static int
compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

    return (a > b) - (a < b);
}

static void
report(int64_t elapsed_ns)
{
    double seconds = (double)elapsed_ns / 1e9;

    qsort(latencies_ns, (size_t)done, sizeof(*latencies_ns), compare);
    printf(
        "{\"messages\": %ld, \"failed\": %ld, \"seconds\": %.3f, \"rate\": %.1f, \"p50_ms\": %.3f, "
        "\"p99_ms\": %.3f, \"max_ms\": %.3f, \"connections\": %d}\n",
        done, failed, seconds, (double)done / seconds,
        done ? (double)latencies_ns[done / 2] / 1e6 : 0,
        done ? (double)latencies_ns[done * 99 / 100] / 1e6 : 0,
        done ? (double)latencies_ns[done - 1] / 1e6 : 0, want.connections);
}

static void
parse_recipients(char *list)
{
    want.recipient_count = 0;
    for (char *next; list && want.recipient_count < RECIPIENTS_MAX; list = next) {
        next = strchr(list, ',');
        if (next)
            *next++ = 0;
        want.recipients[want.recipient_count++] = list;
    }
}

static void
parse_options(int argc, char **argv)
{
    static const struct option options[] = {
        {"host", 1, NULL, 'h'},     {"port", 1, NULL, 'p'},    {"connections", 1, NULL, 'c'},
        {"messages", 1, NULL, 'm'}, {"size", 1, NULL, 's'},    {"from", 1, NULL, 'f'},
        {"to", 1, NULL, 't'},       {"lmtp", 0, NULL, 'l'},    {"no-pipelining", 0, NULL, 'n'},
        {"tls", 0, NULL, 'T'},      {"seconds", 1, NULL, 'S'}, {0},
    };
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 'h':
            want.host = optarg;
            break;
        case 'p':
            want.port = (int)strtol(optarg, NULL, 10);
            break;
        case 'c':
            want.connections = (int)strtol(optarg, NULL, 10);
            break;
        case 'm':
            want.messages = strtol(optarg, NULL, 10);
            break;
        case 's':
            want.size = strtoul(optarg, NULL, 10);
            break;
        case 'f':
            want.from = optarg;
            break;
        case 't':
            parse_recipients(optarg);
            break;
        case 'l':
            want.is_lmtp = true;
            break;
        case 'n':
            want.is_pipelined = false;
            break;
        case 'T':
            want.is_tls = true;
            break;
        case 'S':
            want.seconds = strtod(optarg, NULL);
            break;
        default:
            exit(2);
        }
    }
    if (want.port <= 0 || want.connections < 1 || want.connections > CONNECTIONS_MAX ||
        want.messages < 1) {
        fprintf(stderr, "usage: load --port N [--connections 20] [--messages 10000] [--size 4096] "
                        "[--to A,B] [--from A] [--lmtp] [--no-pipelining] [--tls] "
                        "[--seconds S]\n");
        exit(2);
    }
}

/* Moves all connections until each has ended. Returns when the last message was answered. */
static int64_t
run(void)
{
    int64_t heard_ns = now_ns(), last_ns = 0;

    for (int open = want.connections; open > 0;) {
        struct epoll_event events[256];
        int count = epoll_wait(epoll_fd, events, 256, start_ns ? ANSWER_MS : 100);
        heard_ns = count > 0 ? now_ns() : heard_ns;
        if (!start_ns && ready > 0 && now_ns() - heard_ns > (int64_t)GREETING_S * 1000000000)
            begin_all();
        if (count < 0 ||
            (count == 0 && (start_ns || now_ns() - heard_ns > (int64_t)ANSWER_MS * 1000000)))
            die("no answer for a minute");
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            long before = done;
            if (events[i].events & EPOLLOUT || connection->tls)
                flush_output(connection);
            while (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR) && on_input(connection))
                flush_output(connection);
            if (connection->is_over) {
                SSL_free(connection->tls);
                close(connection->fd);
                open--;
            }
            if (done > before)
                last_ns = now_ns();
        }
    }
    return last_ns;
}

int
main(int argc, char **argv)
{
    parse_options(argc, argv);
    make_body();
    make_envelope();
    snprintf(hello, sizeof(hello), "%s bench.test\r\n", want.is_lmtp ? "LHLO" : "EHLO");
    latencies_ns = calloc((size_t)want.messages, sizeof(*latencies_ns));
    connections = calloc((size_t)want.connections, sizeof(*connections));
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!latencies_ns || !connections || epoll_fd < 0)
        die("set-up");
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes where the server may have closed: it is said then */
    if (want.is_tls)
        prepare_tls();
    open_connections();
    int64_t last_ns = run();
    report(last_ns - start_ns);
    return failed > 0;
}
