/* SPDX-License-Identifier: ISC */
/* S/MIME (RFC 8551) with CMS (RFC 5652). Certificates and keys are PEM, signatures and envelopes
 * DER. What is signed is a whole MIME entity with CRLF line ends, its header included. */
#ifndef SMIME_SMIME_H
#define SMIME_SMIME_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/time.h"

/* A certificate, its private key, and others that lead to an authority. */
struct smime_identity;

/* `pem` holds all of them, the key without a passphrase, in any order. NULL, and a few words in
 * `problem`, when they do not fit. */
struct smime_identity *smime_identity_open(struct slice pem, struct buffer *problem);
void smime_identity_close(struct smime_identity **identity);

/* Puts a detached signature over `content` (SHA-256), with the certificates. */
MUST_USE bool smime_sign(const struct smime_identity *identity, struct slice content,
                         struct buffer *out, struct buffer *problem);

/* Puts `content` encrypted (AES-256-CBC) for everybody whose certificate is given, one PEM each. */
MUST_USE bool smime_encrypt(const struct slice *certificates, size_t count, struct slice content,
                            struct buffer *out, struct buffer *problem);

/* Puts what is inside of an envelope that is for this identity. */
MUST_USE bool smime_decrypt(const struct smime_identity *identity, struct slice envelope,
                            struct buffer *out, struct buffer *problem);

enum smime_verdict_kind {
    SMIME_GOOD,
    SMIME_CHANGED,   /* what was signed is not what is here */
    SMIME_UNTRUSTED, /* unchanged, but no authority that is trusted vouches for the signer */
    SMIME_EXPIRED,   /* unchanged, but a certificate is not valid at this time */
    SMIME_BROKEN     /* no signature that can be understood */
};

/* Strings are in the arena, as the certificate has them: whoever shows them makes them printable.
 */
struct smime_verdict {
    enum smime_verdict_kind kind;
    struct slice name;             /* of the signer; may be empty */
    struct slice issuer;           /* who vouches */
    const struct slice *addresses; /* mail addresses of the certificate */
    size_t addresses_count;
    struct slice certificate; /* PEM, of the signer */
    struct slice why;         /* a few words for what is not good */
};

/* Looks at a signature over `content`; or, with `content` empty, at signed data that hold their
 * content themselves (opaque), which is put into `inside`. `trust` is PEM. With several signers all
 * must be good; the first is told. */
struct smime_verdict smime_verify(struct slice signature, struct slice content, struct slice trust,
                                  struct wall now, struct arena *arena, struct buffer *inside);

#endif
