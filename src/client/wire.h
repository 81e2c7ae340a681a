/* SPDX-License-Identifier: ISC */
/* A connection to a server, with TLS from its first byte, later (STARTTLS) or never, for callers
 * that wait. Both directions move in one call, so that neither side can block the other. */
#ifndef CLIENT_WIRE_H
#define CLIENT_WIRE_H

#include "base/buffer.h"
#include "base/time.h"
#include "client/problem.h"

struct client_wire;

enum { CLIENT_WIRE_CONNECT_MS = 30 * 1000, CLIENT_WIRE_HANDSHAKE_MS = 60 * 1000 };

struct client_wire_options {
    const char *host; /* a name, or an address without brackets */
    uint16_t port;
    bool is_secure; /* TLS from the first byte */
    /* File with certificates in PEM that are trusted; NULL or empty: those of the system
     * ($SSL_CERT_FILE, else where distributions keep them). */
    const char *trust_file;
    /* What is to be spoken, by its name of RFC 7301, for servers that hear many protocols at one
     * port, or that refuse what is not meant for them; NULL: nothing is said. Not copied. */
    const char *protocol;
};

/* Looks the host up and tries its addresses one after another. NULL, and the problem is set, when
 * none answers or TLS fails. The server's certificate must be right: there is no way round. */
struct client_wire *client_wire_open(const struct client_wire_options *options,
                                     struct client_problem *problem);

/* Begins TLS on a connection that was open in the clear. */
MUST_USE bool client_wire_start_tls(struct client_wire *wire, struct client_problem *problem);

/* True while TLS stands. */
bool client_wire_is_secure(const struct client_wire *wire);

/* Puts the best channel binding that TLS has; *ret_kind is its name (RFC 9266, RFC 5929). False
 * without TLS. */
MUST_USE bool client_wire_put_binding(const struct client_wire *wire, struct slice *ret_kind,
                                      struct buffer *ret_binding);

enum client_wire_event {
    CLIENT_WIRE_MOVED,   /* something was sent, or input has come */
    CLIENT_WIRE_SILENCE, /* the deadline has passed */
    CLIENT_WIRE_ENDED    /* the server sends no more, or the connection is broken */
};

/* Sends of `output` what goes and takes what has come; waits until one of both was more than
 * nothing. The input is valid until the next call. */
enum client_wire_event client_wire_move(struct client_wire *wire, struct slice output,
                                        size_t *ret_sent, struct slice *ret_input,
                                        struct instant deadline);

/* From now on SILENCE is also said as soon as this descriptor has input; -1: no more. */
void client_wire_watch(struct client_wire *wire, int descriptor);

/* Sends what waits and the end of TLS, for at most some seconds; frees. Accepts a pointer to
 * NULL. */
void client_wire_close(struct client_wire **wire);

/* Puts the certificates (PEM) that this system trusts: $SSL_CERT_FILE, else where distributions
 * keep them. */
MUST_USE bool client_read_system_trust(struct buffer *out);

/* The clocks that engines want. */
struct instant client_now(void);
struct wall client_wall(void);

/* Octets that nobody can guess. */
void client_random(void *ret_bytes, size_t len);

#endif
