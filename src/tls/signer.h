/* SPDX-License-Identifier: ISC */
/* A private key, in the process that holds keys and nothing else. Others have the certificate and
 * ask for signatures: tls_context_set with a sign function (tls/context.h). Knows libcrypto, not
 * libssl. */
#ifndef TLS_SIGNER_H
#define TLS_SIGNER_H

#include "base/buffer.h"
#include "base/time.h"

enum {
    TLS_KEY_ID_SIZE = 32,      /* SHA-256 of the public key (SubjectPublicKeyInfo, DER) */
    TLS_SIGNED_TEXT_MAX = 512, /* what a handshake has signed is shorter (RFC 8446 §4.4.3) */
    TLS_SIGNATURE_MAX = 1024,  /* RSA of 8192 bits */
    TLS_TICKET_SECRET_SIZE = 32,
    TLS_SERVER_CHAIN_MAX = 16, /* certificates of a server: those in use are two to four */
};

/* How a signature is made, as TLS names it (RFC 8446 §4.2.3). */
enum tls_signature_form {
    TLS_SIGNATURE_PKCS1,
    TLS_SIGNATURE_PSS, /* salt as long as the digest */
    TLS_SIGNATURE_ECDSA,
    TLS_SIGNATURE_EDDSA
};
enum tls_signature_digest {
    TLS_SIGNATURE_NO_DIGEST, /* with EDDSA */
    TLS_SIGNATURE_SHA256,
    TLS_SIGNATURE_SHA384,
    TLS_SIGNATURE_SHA512
};

struct tls_signature_question {
    const uint8_t *key_id; /* TLS_KEY_ID_SIZE octets */
    enum tls_signature_form form;
    enum tls_signature_digest digest;
    struct slice text;
};

struct tls_signer;

/* `key` is PEM and must be that of the first certificate of `chain`, which is PEM. NULL, and a
 * sentence in `problem`, when something is wrong: whatever tls_context_set would refuse. */
struct tls_signer *tls_signer_open(struct slice chain, struct slice key, struct buffer *problem);
/* A key without a certificate. */
struct tls_signer *tls_signer_open_bare(struct slice key, struct buffer *problem);
void tls_signer_close(struct tls_signer **signer);

/* TLS_KEY_ID_SIZE octets; valid while the signer is. */
const uint8_t *tls_signer_id(const struct tls_signer *signer);

/* Puts the signature of a question whose key it is; false, and nothing put, when this key cannot
 * sign so. */
MUST_USE bool tls_signer_sign(const struct tls_signer *signer,
                              const struct tls_signature_question *question,
                              struct buffer *ret_signature);

/* The form of its signatures; with RSA it can be PSS, too. */
enum tls_signature_form tls_signer_form(const struct tls_signer *signer);

/* Puts the public half as a DKIM record has it (p=, before base64): SubjectPublicKeyInfo of RSA
 * (RFC 6376 §3.6.1), the 32 octets of Ed25519 (RFC 8463 §4.2). False for keys of other kinds. */
MUST_USE bool tls_signer_put_public(const struct tls_signer *signer, struct buffer *ret_public);

/* Puts a new private key as PEM (PKCS #8): Ed25519, or RSA of 2048 bits. */
void tls_signer_make_key(bool is_rsa, struct buffer *ret_key);

/* What a server signs in a handshake and nothing else: TLS 1.3's 64 spaces and "TLS 1.3, server
 * CertificateVerify" before a digest (RFC 8446 §4.4.3), or TLS 1.2's two randoms and the parameters
 * of an ECDHE exchange (RFC 8422 §5.4). So whoever has taken a process over can have handshakes
 * signed, and neither mail nor code. */
MUST_USE bool tls_text_is_of_handshake(struct slice text);

/* Session tickets live through an epoch and the next; each epoch has a secret of its own. */
enum { TLS_TICKET_EPOCH_S = 12 * 3600 };
int64_t tls_ticket_epoch(struct wall now);

/* The secret of the tickets of one epoch (tls_context_set_tickets), out of a private key. From it
 * neither the key nor other epochs' secrets can be told. */
void tls_signer_ticket_secret(const struct tls_signer *signer, int64_t epoch,
                              uint8_t ret_secret[TLS_TICKET_SECRET_SIZE]);

#endif
