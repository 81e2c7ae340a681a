/* SPDX-License-Identifier: ISC */
/* Private to the room: what its files share with each other and with OpenSSL. */
#ifndef TLS_OPENSSL_PRIVATE_H
#define TLS_OPENSSL_PRIVATE_H

#include "base/map.h"
#include "tls/engine.h"
#include "tls/signer.h"

#include <openssl/bio.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>

enum { TLS_TICKET_NAME_SIZE = 16, TLS_TICKET_KEY_SIZE = 32 };

/* One certificate that a server shows; freed when it is replaced. Engines keep references to the
 * parts, which OpenSSL counts. */
struct tls_credential {
    X509 *certificate;
    EVP_PKEY *key;
    STACK_OF(X509) *chain; /* what is sent behind the certificate */
};

struct tls_context {
    SSL_CTX *ssl_context;
    BIO_METHOD *bio_method;
    size_t holders; /* its opener and its engines: the last one frees */
    bool is_server;
    bool is_verified;                               /* client */
    struct map credentials;                         /* server: name -> struct tls_credential */
    struct map sessions;                            /* client: server name -> SSL_SESSION */
    tls_sign_fn sign;                               /* server: who has the keys; NULL: we have */
    void *sign_context;
    OSSL_LIB_CTX *library; /* where keys that are elsewhere are known */
    OSSL_PROVIDER *provider;
    /* What ticket keys are derived from, of ticket_epoch and of the one before. */
    uint8_t ticket_secrets[TLS_TICKET_SECRETS][TLS_TICKET_SECRET_SIZE];
    bool has_ticket_secret;
    bool has_time;
    int64_t ticket_epoch;
};

struct tls_engine {
    SSL *ssl;
    struct tls_context *context;
    struct slice *input; /* what the BIO reads from; only during tls_engine_take */
    struct buffer output;
    enum tls_state state;
    bool is_ended;    /* we have said close_notify */
    bool is_session_kept; /* client side */
    bool is_verified; /* the peer's certificate must hold */
    size_t handshake_bytes;
    char problem[96];
    uint8_t *server_name_bytes;   /* client side: owned */
    struct slice server_name;     /* the same: what the session is kept under */
    const char *const *protocols; /* server side: names of what is spoken inside, or NULL */
};

/* ticket.c: makes the context give tickets and take them, and sets the secret from a key. */
bool tls_ticket_enable(struct tls_context *context);
bool tls_ticket_set_secret(struct tls_context *context, EVP_PKEY *key);

/* context.c: one holder less. */
void tls_context_release(struct tls_context *context);

/* remote_key.c: what keys that are elsewhere need of the library. */
bool tls_remote_library_open(struct tls_context *context);
void tls_remote_library_close(struct tls_context *context);
/* A key whose private half the context's sign function knows; or NULL. */
EVP_PKEY *tls_remote_key_open(const struct tls_context *context, X509 *certificate);

/* credential.c */
void tls_credential_close(struct tls_credential **credential);
/* Reads and checks PEM; without `key` the private half is elsewhere. NULL and a sentence when it is
 * wrong. */
struct tls_credential *tls_credential_parse(const struct tls_context *context, struct slice chain,
                                            struct slice key, struct buffer *problem);
/* Finds what fits a client's SNI name: the name, its wildcard, the default; or NULL. */
const struct tls_credential *tls_credential_find(const struct tls_context *context,
                                                 struct slice name);
/* Copies a name in lower case into ret_name; false when it is too long. */
bool tls_name_fold(struct slice name, uint8_t ret_name[TLS_NAME_MAX], struct slice *ret_folded);

/* Puts "what: reason of OpenSSL's last error" and empties its queue. */
void tls_problem_put(struct buffer *problem, const char *what);

/* A BIO over PEM bytes, and a password callback that knows none (the default asks the terminal). */
BIO *tls_pem_open(struct slice bytes);
int tls_pem_no_password(char *at, int size, int is_writing, void *context);

/* engine.c: the BIO that moves bytes between OpenSSL and an engine. */
BIO_METHOD *tls_bio_method_open(void);

#endif
