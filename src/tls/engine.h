/* SPDX-License-Identifier: ISC */
/* One TLS connection without a socket (RFC 8446, RFC 5246). The caller moves the bytes:
 *
 *     ciphertext from the peer  -> tls_engine_take -> plaintext
 *     plaintext                 -> tls_engine_put  -> tls_engine_output -> ciphertext to the peer
 *
 * Taking may produce output too (handshake, alerts, tickets): send tls_engine_output after every
 * call. Idle, an engine holds no buffers; in all it costs less than 30 KiB. */
#ifndef TLS_ENGINE_H
#define TLS_ENGINE_H

#include "tls/context.h"

struct tls_engine;

enum tls_state {
    TLS_HANDSHAKE, /* nothing can be put yet */
    TLS_OPEN,
    TLS_ENDED, /* the peer has said close_notify; putting still works */
    TLS_FAILED /* over; the output may hold an alert worth sending */
};

enum {
    TLS_PLAINTEXT_MAX = 16384,        /* of one record, RFC 8446 §5.1 */
    TLS_OUTPUT_MAX = 128 * 1024,      /* ciphertext that waits to be sent */
    TLS_HANDSHAKE_BYTES_MAX = 65536,  /* taken before the handshake must be done */
    TLS_PROTOCOL_MAX = 255            /* a protocol's name, RFC 7301 §3.1 */
};

/* The server's side: waits for a ClientHello. */
struct tls_engine *tls_engine_open_server(struct tls_context *context);

/* Before the handshake, the server's side: asks the client for a certificate. It may have none, and
 * whichever it shows is taken: tls_engine_put_peer_chain has it, tls/chain.h judges it. Sessions
 * with one are not resumed in TLS 1.3, so that the whole chain is there each time. */
void tls_engine_ask_certificate(struct tls_engine *engine);

/* Before the handshake, the server's side: what is spoken inside, by its names of RFC 7301; the
 * last is NULL; not copied. A client that names protocols, and none of these among them, means
 * somebody else: its handshake fails (no_application_protocol). One that names none is let in. */
void tls_engine_set_protocols(struct tls_engine *engine, const char *const *names);

/* `server_name` is sent as SNI and checked against the certificate where the context verifies;
 * it may be empty only where it does not. An IP address (text) is checked and not sent. */
struct tls_engine *tls_engine_open_client(struct tls_context *context, struct slice server_name);

/* A TLSA record (RFC 6698 §2.1). */
struct tls_tlsa {
    uint8_t usage, selector, matching;
    struct slice data;
};

/* What a client wants of the server that it meets. */
struct tls_expectation {
    struct slice server_name; /* as above */
    /* Other names that the certificate may have instead; where the context verifies, or `tlsa`. */
    const struct slice *names;
    size_t name_count;
    /* RFC 7672 §3: with one record that can be used, the certificate must match one of them; the
     * names matter for trust anchors (usage 2) only. Usages 0 and 1 cannot be used (§3.1.3). For
     * contexts that do not verify. */
    const struct tls_tlsa *tlsa;
    size_t tlsa_count;
    /* What is to be spoken inside, by its name of RFC 7301; empty: nothing is said of it. A server
     * that answers with another one is not believed (RFC 9325 §3.8). */
    struct slice protocol;
};
struct tls_engine *tls_engine_open_expecting(struct tls_context *context,
                                             const struct tls_expectation *expectation);

void tls_engine_close(struct tls_engine **engine);

enum tls_state tls_engine_state(const struct tls_engine *engine);

/* Why it failed, in a few words ("certificate verify failed"); empty otherwise. */
struct slice tls_engine_problem(const struct tls_engine *engine);

/* Decrypts from the front of *ciphertext, which is shortened by what was taken, into `at`; returns
 * how many bytes of plaintext were written. Fewer than `len` means that everything was taken, or
 * that the state is no longer TLS_OPEN. The handshake is advanced by the same call. */
MUST_USE size_t tls_engine_take(struct tls_engine *engine, struct slice *ciphertext, void *at,
                                size_t len);

/* Encrypts from the front of plaintext while output has room; returns how many bytes were taken.
 * 0 before the handshake is done. */
MUST_USE size_t tls_engine_put(struct tls_engine *engine, struct slice plaintext);

/* Says that we send nothing more (close_notify). */
void tls_engine_end(struct tls_engine *engine);

/* What is to be sent, and that `len` bytes of it were. */
struct slice tls_engine_output(const struct tls_engine *engine);
void tls_engine_sent(struct tls_engine *engine, size_t len);

#endif
