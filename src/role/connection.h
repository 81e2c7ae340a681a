/* SPDX-License-Identifier: ISC */
/* Moves bytes between a stream, TLS where there is some, and a protocol engine; for every role that
 * accepts connections.
 *
 *     host_stream  <->  tls_engine (or nothing)  <->  protocol engine  <->  owner
 *
 * The owner holds the protocol engine and gives a table of its functions. Whenever something has
 * changed (input was fed, output was sent, time has passed, TLS has begun) the connection calls
 * owner->process: there the owner takes all events of its engine and answers those that it can
 * answer now. What is answered later, from another handler, is followed by connection_wake.
 *
 * Back-pressure: nothing is read while the engine does not take what came before. The engine stops
 * taking input while its output waits. Reads are small until the engine has shown that it takes
 * large ones; what it leaves is kept here, bounded by CONNECTION_HELD_MAX.
 * One read and one write serve a whole batch of pipelined commands.
 *
 * Cost of an idle connection: this struct (at most 512 bytes), the host's stream and timer, the
 * owner's engine, and with TLS the tls_engine. */
#ifndef ROLE_CONNECTION_H
#define ROLE_CONNECTION_H

#include "base/engine.h"
#include "host/host.h"
#include "tls/facts.h"

struct connection;

enum {
    CONNECTION_READ_MAX = 64 * 1024,        /* bytes by one read */
    CONNECTION_HELD_MAX = 96 * 1024,        /* kept while the engine takes nothing */
    CONNECTION_HANDSHAKE_MS = 30 * 1000,    /* for TLS to begin, if nothing else is said */
    CONNECTION_FLIGHTS_MAX = 2,             /* parts of the handshake behind which the time begins
                                               anew: a hello, and one that ours had asked for */
    CONNECTION_FLUSH_MS = 10 * 1000,        /* to send the last answers after connection_finish */
    CONNECTION_LINGER_MS = 2 * 1000         /* for the peer to close after we have shut our side */
};

enum connection_end {
    CONNECTION_END_FINISHED,  /* by connection_finish, everything was sent */
    CONNECTION_END_PEER,      /* the peer closed its side first */
    CONNECTION_END_LOST,      /* the stream broke, or the peer did not read in time */
    CONNECTION_END_TLS,       /* the TLS handshake or a record failed; see connection_problem */
    CONNECTION_END_DROPPED    /* by connection_drop */
};

/* What the owner does when called; `owner` is what was given at open. None of these may call
 * connection_close, but for `closed`, which should. */
struct connection_owner {
    /* Something has changed: take events, answer, give more. */
    void (*process)(void *owner);
    /* The TLS handshake is done (connection_tls tells about it); what the engine said before it in
     * the clear is forgotten by calling its ..._tls_started. NULL where TLS is never used. */
    void (*secured)(void *owner);
    /* It is over; nothing more will be called. Comes from the loop, never from inside another
     * call. */
    void (*closed)(void *owner, enum connection_end end);
};

/* One for each process: the buffers that all its connections read into. */
struct connection_shared;
struct connection_shared *connection_shared_open(struct host *host);
void connection_shared_close(struct connection_shared **shared);

struct connection_options {
    struct connection_shared *shared;
    struct host_stream *stream;   /* taken over */
    struct tls_context *tls;      /* TLS from the first byte; NULL to begin in the clear */
    struct duration handshake;    /* for each part of TLS's beginning that is the peer's; zero:
                                     CONNECTION_HANDSHAKE_MS */
    bool asks_certificate;        /* of clients, whenever TLS begins; they may have none */
    const char *const *protocols; /* what is spoken, by its names of RFC 7301, the last is NULL, for
                                     clients that name theirs in TLS; NULL: whatever they name is
                                     taken. Not copied */
    const struct engine_kind *engine_kind;
    void *engine; /* borrowed, lives until `closed` */
    const struct connection_owner *owner_kind;
    void *owner;
};

/* Begins: the engine's first output (a banner) is sent from the loop, soon. */
struct connection *connection_open(const struct connection_options *options);

/* Frees it at once; legal from `closed`, and anywhere that is not inside process or secured. */
void connection_close(struct connection **connection);

/* The owner has answered its engine outside of process. Does what can be done now; may call
 * process. Never frees the connection. */
void connection_wake(struct connection *connection);

/* From process, after the engine has asked for STARTTLS and its answer is in the output: sends
 * that in the clear, then begins the handshake as server. Bytes that the peer sent in the clear
 * after its request are thrown away (RFC 3207 §4.2, CVE-2011-0411). */
void connection_start_tls(struct connection *connection, struct tls_context *context);

/* The same as client, after the server has agreed; the expectation is copied by TLS at once. A
 * server may not say anything in the clear behind its agreement: that is fed to the engine. */
void connection_start_tls_client(struct connection *connection, struct tls_context *context,
                                 const struct tls_expectation *expectation);

/* Another engine speaks from here on, also what was held back is for it. */
void connection_change_engine(struct connection *connection, const struct engine_kind *engine_kind,
                              void *engine);

/* From process or elsewhere: no more input; send what is to be sent, close politely, then
 * `closed`. */
void connection_finish(struct connection *connection);

/* Like finish without sending anything. */
void connection_drop(struct connection *connection);

/* NULL in the clear and before the handshake is done. */
const struct tls_engine *connection_tls(const struct connection *connection);

/* True once connection_finish or _drop was called or the peer is gone. */
bool connection_is_ending(const struct connection *connection);

/* Why TLS failed; empty otherwise. */
struct slice connection_problem(const struct connection *connection);

/* Whether a certificate is to blame for it. */
enum tls_fault connection_fault(const struct connection *connection);

/* Bytes on the wire since the start. */
uint64_t connection_bytes_in(const struct connection *connection);
uint64_t connection_bytes_out(const struct connection *connection);

#endif
