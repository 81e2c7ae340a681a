/* SPDX-License-Identifier: ISC */
/* What many TLS connections share: certificates chosen by SNI name (RFC 6066 §3), versions,
 * ciphers, tickets, trust. One context per process and side.
 *
 * A context must outlive the engines made from it. Certificates may be replaced at any time:
 * running engines keep what they began with. */
#ifndef TLS_CONTEXT_H
#define TLS_CONTEXT_H

#include "base/buffer.h"
#include "base/time.h"
#include "tls/signer.h"

struct tls_context;

enum {
    TLS_CERTIFICATES_MAX = 10000, /* names in one server context */
    TLS_NAME_MAX = 255            /* a domain name, RFC 1035 §3.1 */
};

/* A server context without certificates: until the first is set, handshakes fail with an alert.
 * TLS 1.2 and 1.3; forward-secret AEAD ciphers only. */
struct tls_context *tls_context_open_server(void);

/* Asks whoever has the private keys for a signature, and puts it; false: there is none, and the
 * handshake fails. It is waited for: OpenSSL cannot leave a handshake in the middle of it. */
typedef bool (*tls_sign_fn)(void *context, const struct tls_signature_question *question,
                            struct buffer *ret_signature);
/* Before the first tls_context_set without a key. */
void tls_context_set_signer(struct tls_context *context, tls_sign_fn sign, void *sign_context);

/* Sets, or replaces, the certificate shown to clients that ask for `name`: a domain, a wildcard
 * like "*.example.test", or empty for the default, shown when no other fits. `chain` is PEM, the
 * server's own certificate first; `key` is PEM and must be that certificate's, or is empty where
 * the signer has it: then no private key comes into this process. False when something is wrong: a
 * sentence about it is put into `problem` and the context is as before. */
MUST_USE bool tls_context_set(struct tls_context *context, struct slice name, struct slice chain,
                              struct slice key, struct buffer *problem);

/* Takes the certificate of `name` out; false when there was none. */
MUST_USE bool tls_context_remove(struct tls_context *context, struct slice name);

/* True once one has been set. */
bool tls_context_has_certificate(const struct tls_context *context);

/* Says what time it is: ticket keys change every TLS_TICKET_EPOCH_S seconds and tickets live
 * through that epoch and the next. Call it at least once an hour; before the first call no tickets
 * are given. */
void tls_context_set_time(struct tls_context *context, struct wall now);

/* Where a signer has the keys, it makes the secrets of tickets, too (tls_signer_ticket_secret): of
 * an epoch and of the one before, one behind the other. Processes that are given the same ones take
 * each other's tickets. Instead of tls_context_set_time. */
enum { TLS_TICKET_SECRETS = 2 };
void tls_context_set_tickets(struct tls_context *context, int64_t epoch,
                             const uint8_t secrets[TLS_TICKET_SECRETS * TLS_TICKET_SECRET_SIZE]);

/* A client context. `trust` holds PEM certificates; with is_verified false anybody is believed
 * (opportunistic TLS, RFC 7435) and `trust` may be empty. NULL and a sentence in `problem` when
 * `trust` is not PEM. The chain and the host name (RFC 6125) are checked in the handshake. */
struct tls_context *tls_context_open_client(bool is_verified, struct slice trust,
                                            struct buffer *problem);

/* Engines that are open keep what they need of it. */
void tls_context_close(struct tls_context **context);

#endif
