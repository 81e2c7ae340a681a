/* SPDX-License-Identifier: ISC */
#include "client/wire.h"

#include "tls/engine.h"
#include "tls/facts.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    CIPHERTEXT_MAX = 32 * 1024,
    TRUST_MAX = 16 << 20,
    CLOSE_MS = 5 * 1000,
    NANOSECONDS_IN_MS = 1000000
};

struct client_wire {
    int descriptor, watched;
    bool has_ended;       /* the server's data, or the connection */
    char *host;           /* owned */
    char *trust_file;     /* owned, or NULL */
    const char *protocol; /* to be spoken inside of TLS */
    struct tls_context *context;
    struct tls_engine *tls;
    struct slice ciphertext; /* what is left in `input` */
    uint8_t input[CIPHERTEXT_MAX];
    uint8_t plaintext[TLS_PLAINTEXT_MAX];
};

struct instant
client_now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (struct instant){(int64_t)time.tv_sec * 1000000000 + time.tv_nsec};
}

struct wall
client_wall(void)
{
    struct timespec time;

    clock_gettime(CLOCK_REALTIME, &time);
    return (struct wall){(int64_t)time.tv_sec * 1000000000 + time.tv_nsec};
}

void
client_random(void *ret_bytes, size_t len)
{
    uint8_t *at = ret_bytes;

    while (len > 0) {
        ssize_t count = getrandom(at, len, 0);
        if (count < 0 && errno != EINTR)
            abort();
        at += count > 0 ? count : 0;
        len -= count > 0 ? (size_t)count : 0;
    }
}

/* ---- connecting ---------------------------------------------------------------------------- */

/* Waits for `events`; false when the deadline, or input of `watched` (-1: nothing), comes before.
 */
static bool
wait_watching(int descriptor, short events, int watched, struct instant deadline)
{
    struct pollfd pollers[] = {{.fd = descriptor, .events = events},
                               {.fd = watched, .events = POLLIN}};

    for (;;) {
        int64_t left_ms = -1;
        if (!instant_is_never(deadline)) {
            left_ms = (deadline.ns - client_now().ns + NANOSECONDS_IN_MS - 1) / NANOSECONDS_IN_MS;
            if (left_ms <= 0)
                return false;
        }
        int count =
            poll(pollers, COUNT_OF(pollers), left_ms > INT32_MAX ? INT32_MAX : (int)left_ms);
        if (count > 0 && pollers[0].revents == 0)
            return false;
        if (count > 0 || (count < 0 && errno != EINTR))
            return true;
    }
}

static bool
wait_for(int descriptor, short events, struct instant deadline)
{
    return wait_watching(descriptor, events, -1, deadline);
}

/* A connected descriptor, or a negative errno. */
static int
connect_to(const struct addrinfo *address)
{
    struct instant deadline = instant_after(client_now(), duration_ms(CLIENT_WIRE_CONNECT_MS));
    int descriptor = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t len = sizeof(int);
    int error = 0, on = 1;

    if (descriptor < 0)
        return -errno;
    if (connect(descriptor, address->ai_addr, address->ai_addrlen) != 0) {
        error = errno;
        if (error == EINPROGRESS && !wait_for(descriptor, POLLOUT, deadline))
            error = ETIMEDOUT;
        else if (error == EINPROGRESS)
            (void)getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &len);
    }
    if (error != 0) {
        close(descriptor);
        return -error;
    }
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return descriptor;
}

static bool
connect_to_host(struct client_wire *wire, uint16_t port, struct client_problem *problem)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *addresses = NULL;
    char service[8];
    int error = -EADDRNOTAVAIL;

    (void)snprintf(service, sizeof(service), "%u", (unsigned)port);
    int result = getaddrinfo(wire->host, service, &hints, &addresses);
    if (result != 0) /* a machine without a network has no configured address: loopback works */
        hints.ai_flags = 0, result = getaddrinfo(wire->host, service, &hints, &addresses);
    if (result != 0)
        return client_problem_set(problem, CLIENT_PROBLEM_UNREACHABLE, "%s: %s", wire->host,
                                  gai_strerror(result));
    for (struct addrinfo *a = addresses; a && wire->descriptor < 0; a = a->ai_next) {
        int descriptor = connect_to(a);
        error = descriptor < 0 ? descriptor : error;
        wire->descriptor = descriptor < 0 ? -1 : descriptor;
    }
    freeaddrinfo(addresses);
    return wire->descriptor >= 0 ||
           client_problem_set(problem, CLIENT_PROBLEM_UNREACHABLE, "%s port %u: %s", wire->host,
                              (unsigned)port, strerror(-error));
}

/* ---- TLS ----------------------------------------------------------------------------------- */

static bool
read_file(const char *path, struct buffer *out)
{
    FILE *file = fopen(path, "rbe");
    uint8_t *space;
    size_t len;

    if (!file)
        return false;
    while ((space = buffer_reserve(out, 4096)) && (len = fread(space, 1, 4096, file)) > 0)
        buffer_commit(out, len);
    bool is_whole = !ferror(file) && !buffer_overflowed(out);
    fclose(file);
    return is_whole;
}

/* Where distributions keep what they trust. */
bool
client_read_system_trust(struct buffer *out)
{
    static const char *const places[] = {
        "/etc/ssl/certs/ca-certificates.crt", /* Debian, Arch, Gentoo, Alpine */
        "/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora, RHEL */
        "/etc/ssl/ca-bundle.pem",             /* openSUSE */
        "/etc/ssl/cert.pem"};
    const char *own = getenv("SSL_CERT_FILE");

    if (own && own[0])
        return read_file(own, out);
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        if (read_file(places[i], out))
            return true;
    }
    return false;
}

static bool
open_context(struct client_wire *wire, struct client_problem *problem)
{
    const char *path = wire->trust_file;
    struct buffer trust, why;

    buffer_init(&trust, TRUST_MAX);
    buffer_init(&why, sizeof(problem->text));
    bool is_read = path ? read_file(path, &trust) : client_read_system_trust(&trust);
    if (!is_read)
        client_problem_set(problem, CLIENT_PROBLEM_SETTINGS,
                           "%s: cannot be read; TLS needs a file with certificates to trust",
                           path ? path : "$SSL_CERT_FILE, /etc/ssl/certs");
    else
        wire->context = tls_context_open_client(true, buffer_slice(&trust), &why);
    if (is_read && !wire->context)
        client_problem_set(problem, CLIENT_PROBLEM_SETTINGS, "%s: %.*s",
                           path ? path : "the system's certificates",
                           CLIENT_TEXT(buffer_slice(&why)));
    buffer_finish(&trust);
    buffer_finish(&why);
    return wire->context != NULL;
}

bool
client_wire_start_tls(struct client_wire *wire, struct client_problem *problem)
{
    struct instant deadline = instant_after(client_now(), duration_ms(CLIENT_WIRE_HANDSHAKE_MS));
    enum client_wire_event event = CLIENT_WIRE_MOVED;
    struct slice input;
    size_t sent;

    if (!wire->context && !open_context(wire, problem))
        return false;
    wire->tls = tls_engine_open_expecting(
        wire->context, &(struct tls_expectation){
                           .server_name = slice_of_string(wire->host),
                           .protocol = wire->protocol ? slice_of_string(wire->protocol) : SLICE(""),
                       });
    while (event == CLIENT_WIRE_MOVED && tls_engine_state(wire->tls) == TLS_HANDSHAKE)
        event = client_wire_move(wire, SLICE(""), &sent, &input, deadline);
    if (tls_engine_state(wire->tls) == TLS_OPEN)
        return true;
    struct slice why = tls_engine_problem(wire->tls);
    if (tls_engine_state(wire->tls) == TLS_FAILED && tls_engine_fault(wire->tls) != TLS_FAULT_OTHER)
        return client_problem_set(problem, CLIENT_PROBLEM_INSECURE,
                                  "%s: the certificate is not to be trusted: %.*s", wire->host,
                                  CLIENT_TEXT(why));
    return client_problem_set(problem, CLIENT_PROBLEM_UNREACHABLE, "%s: TLS failed: %.*s",
                              wire->host,
                              CLIENT_TEXT(why.len > 0 ? why : SLICE("the server went away")));
}

bool
client_wire_is_secure(const struct client_wire *wire)
{
    return wire->tls && tls_engine_state(wire->tls) == TLS_OPEN;
}

bool
client_wire_put_binding(const struct client_wire *wire, struct slice *ret_kind,
                        struct buffer *ret_binding)
{
    static const enum tls_binding kinds[] = {TLS_BINDING_EXPORTER, TLS_BINDING_END_POINT};

    for (size_t i = 0; wire->tls && i < COUNT_OF(kinds); i++) {
        if (tls_engine_put_binding(wire->tls, kinds[i], ret_binding)) {
            *ret_kind = tls_binding_name(kinds[i]);
            return true;
        }
    }
    return false;
}

/* ---- moving -------------------------------------------------------------------------------- */

/* Octets that the kernel took. */
static size_t
send_some(struct client_wire *wire, struct slice bytes)
{
    ssize_t count = 0;

    if (bytes.len > 0 && !wire->has_ended) {
        count = send(wire->descriptor, bytes.at, bytes.len, MSG_NOSIGNAL);
        if (count < 0 && errno != EAGAIN && errno != EINTR)
            wire->has_ended = true;
    }
    return count > 0 ? (size_t)count : 0;
}

static size_t
receive_some(struct client_wire *wire)
{
    ssize_t count = recv(wire->descriptor, wire->input, sizeof(wire->input), 0);

    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR))
        wire->has_ended = true;
    return count > 0 ? (size_t)count : 0;
}

static void
send_ciphertext(struct client_wire *wire)
{
    struct slice output = tls_engine_output(wire->tls);

    while (output.len > 0) {
        size_t sent = send_some(wire, output);
        if (sent == 0)
            return;
        tls_engine_sent(wire->tls, sent);
        output = tls_engine_output(wire->tls);
    }
}

/* Decrypts what has come; *ret_has_moved also for parts of records and of the handshake. */
static struct slice
take_ciphertext(struct client_wire *wire, bool *ret_has_moved)
{
    if (wire->ciphertext.len == 0)
        wire->ciphertext = slice_of(wire->input, receive_some(wire));
    size_t before = wire->ciphertext.len;
    size_t len =
        tls_engine_take(wire->tls, &wire->ciphertext, wire->plaintext, sizeof(wire->plaintext));
    enum tls_state state = tls_engine_state(wire->tls);
    *ret_has_moved = len > 0 || wire->ciphertext.len < before;
    if (len == 0 && (state == TLS_ENDED || state == TLS_FAILED))
        wire->has_ended = true;
    return slice_of(wire->plaintext, len);
}

enum client_wire_event
client_wire_move(struct client_wire *wire, struct slice output, size_t *ret_sent,
                 struct slice *ret_input, struct instant deadline)
{
    for (;;) {
        bool has_moved = false, is_handshake;
        *ret_sent = 0;
        if (wire->tls) {
            is_handshake = tls_engine_state(wire->tls) == TLS_HANDSHAKE;
            *ret_sent = tls_engine_put(wire->tls, output);
            send_ciphertext(wire);
            *ret_input = take_ciphertext(wire, &has_moved);
            send_ciphertext(wire);
            has_moved = has_moved && (ret_input->len > 0 || is_handshake);
        } else {
            *ret_sent = send_some(wire, output);
            *ret_input = slice_of(wire->input, receive_some(wire));
            has_moved = ret_input->len > 0;
        }
        if (has_moved || *ret_sent > 0)
            return CLIENT_WIRE_MOVED;
        if (wire->has_ended)
            return CLIENT_WIRE_ENDED;
        bool has_more = wire->tls ? tls_engine_output(wire->tls).len > 0 : output.len > 0;
        if (wire->ciphertext.len == 0 &&
            !wait_watching(wire->descriptor, (short)(POLLIN | (has_more ? POLLOUT : 0)),
                           wire->watched, deadline))
            return CLIENT_WIRE_SILENCE;
    }
}

void
client_wire_watch(struct client_wire *wire, int descriptor)
{
    wire->watched = descriptor;
}

/* ---- beginning and end --------------------------------------------------------------------- */

static char *
copy_string(const char *string)
{
    char *copy = strdup(string);

    if (!copy)
        abort();
    return copy;
}

struct client_wire *
client_wire_open(const struct client_wire_options *options, struct client_problem *problem)
{
    struct client_wire *wire = calloc(1, sizeof(*wire));

    if (!wire)
        abort();
    wire->descriptor = wire->watched = -1;
    wire->host = copy_string(options->host);
    wire->protocol = options->protocol;
    if (options->trust_file && options->trust_file[0])
        wire->trust_file = copy_string(options->trust_file);
    if (!connect_to_host(wire, options->port, problem) ||
        (options->is_secure && !client_wire_start_tls(wire, problem)))
        client_wire_close(&wire);
    return wire;
}

void
client_wire_close(struct client_wire **wire)
{
    struct client_wire *w = *wire;

    if (!w)
        return;
    if (w->tls) {
        struct instant deadline = instant_after(client_now(), duration_ms(CLOSE_MS));
        if (client_wire_is_secure(w))
            tls_engine_end(w->tls);
        send_ciphertext(w);
        while (!w->has_ended && tls_engine_output(w->tls).len > 0 &&
               wait_for(w->descriptor, POLLOUT, deadline))
            send_ciphertext(w);
    }
    if (w->descriptor >= 0)
        close(w->descriptor);
    tls_engine_close(&w->tls);
    tls_context_close(&w->context);
    free(w->host);
    free(w->trust_file);
    free(w);
    *wire = NULL;
}
