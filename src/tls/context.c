/* SPDX-License-Identifier: ISC */
#include "tls/openssl_private.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

enum { SESSIONS_MAX = 256 /* servers that a client context remembers */ };

/* RFC 9325 §4.2: forward secrecy and AEAD only. TLS 1.3 has nothing else. */
static const char ciphers_tls12[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

/* The moment in the server's handshake when the certificate is chosen. */
static int
on_certificate(SSL *ssl, void *argument)
{
    const struct tls_context *context = argument;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    const struct tls_credential *found =
        tls_credential_find(context, name ? slice_of_string(name) : SLICE(""));

    return found && SSL_use_cert_and_key(ssl, found->certificate, found->key, found->chain, 1) == 1;
}

static bool
is_one_of(struct slice name, const char *const *names)
{
    while (*names && !slice_equal(name, slice_of_string(*names)))
        names++;
    return *names;
}

/* A client has named protocols (RFC 7301 §3.2): each with its length before it. */
static int
on_protocols(SSL *ssl, const unsigned char **ret_at, unsigned char *ret_len,
             const unsigned char *offered, unsigned len, void *argument)
{
    const struct tls_engine *engine = SSL_get_app_data(ssl);
    struct slice left = slice_of(offered, len);

    (void)argument;
    if (!engine->protocols)
        return SSL_TLSEXT_ERR_NOACK;
    while (left.len > 0) {
        struct slice name = slice_first(slice_skip(left, 1), left.at[0]);
        if (is_one_of(name, engine->protocols)) {
            *ret_at = name.at;
            *ret_len = (unsigned char)name.len;
            return SSL_TLSEXT_ERR_OK;
        }
        left = slice_skip(left, 1 + name.len);
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* A client shows a certificate: who it is for is asked later, by whom it concerns. */
static int
on_client_chain(X509_STORE_CTX *store_context, void *argument)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store_context, SSL_get_ex_data_X509_STORE_CTX_idx());

    (void)argument;
    X509_STORE_CTX_set_error(store_context, X509_V_OK);
    /* A ticket would hold the first certificate only. */
    return SSL_set_num_tickets(ssl, 0);
}

/* A client has got a ticket: the newest for each server is kept. Returns 1: we hold it now. */
static int
on_session(SSL *ssl, SSL_SESSION *session)
{
    const struct tls_engine *engine = SSL_get_app_data(ssl);
    struct map *sessions = &engine->context->sessions;

    if (!engine->is_session_kept)
        return 0;
    if (sessions->count >= SESSIONS_MAX && !map_find(sessions, engine->server_name)) {
        size_t place = 0;
        SSL_SESSION_free(map_remove(sessions, map_next(sessions, &place)->key));
    }
    SSL_SESSION_free(map_set(sessions, engine->server_name, session));
    return 1;
}

static struct tls_context *
open_context(bool is_server)
{
    struct tls_context *context = calloc(1, sizeof(*context));
    char groups[] = "X25519:P-256:P-384";
    uint64_t seed;

    if (!context)
        abort();
    context->is_server = is_server;
    context->holders = 1;
    /* What is allowed is said here; the machine's openssl.cnf is out of reach once the process is
     * confined, and must not matter before that either. */
    if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
        abort();
    context->ssl_context = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
    context->bio_method = tls_bio_method_open();
    SSL_CTX *ssl_context = context->ssl_context;
    /* What fails here is the machine's memory or a library without TLS: no way to go on. */
    if (!ssl_context || RAND_bytes((unsigned char *)&seed, sizeof(seed)) != 1 ||
        SSL_CTX_set_min_proto_version(ssl_context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(ssl_context, ciphers_tls12) != 1 ||
        SSL_CTX_set1_groups_list(ssl_context, groups) != 1)
        abort();
    map_init(&context->credentials, seed);
    map_init(&context->sessions, seed);
    SSL_CTX_set_app_data(ssl_context, context);
    SSL_CTX_set_options(ssl_context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                            SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ssl_context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                         SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return context;
}

struct tls_context *
tls_context_open_server(void)
{
    struct tls_context *context = open_context(true);

    SSL_CTX_set_session_cache_mode(context->ssl_context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_cert_cb(context->ssl_context, on_certificate, context);
    SSL_CTX_set_alpn_select_cb(context->ssl_context, on_protocols, NULL);
    SSL_CTX_set_cert_verify_callback(context->ssl_context, on_client_chain, NULL);
    if (SSL_CTX_set_session_id_context(context->ssl_context, (const uint8_t *)"mail", 4) != 1)
        abort();
    if (!tls_ticket_enable(context))
        abort();
    return context;
}

/* Adds each certificate of the PEM text to those that are trusted; false when there is none. */
static bool
add_trust(SSL_CTX *ssl_context, struct slice trust)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ssl_context);
    BIO *bio = tls_pem_open(trust);
    size_t count = 0;

    for (X509 *one; bio && (one = PEM_read_bio_X509(bio, NULL, tls_pem_no_password, NULL));) {
        count += X509_STORE_add_cert(store, one) == 1;
        X509_free(one);
    }
    BIO_free(bio);
    return count > 0;
}

struct tls_context *
tls_context_open_client(bool is_verified, struct slice trust, struct buffer *problem)
{
    struct tls_context *context = open_context(false);

    ERR_clear_error();
    context->is_verified = is_verified;
    SSL_CTX_set_verify(context->ssl_context, is_verified ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_session_cache_mode(context->ssl_context,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context->ssl_context, on_session);
    if (trust.len > 0 && !add_trust(context->ssl_context, trust)) {
        tls_problem_put(problem, "the trusted certificates are not PEM");
        tls_context_close(&context);
        return NULL;
    }
    ERR_clear_error();
    return context;
}

void
tls_context_set_signer(struct tls_context *context, tls_sign_fn sign, void *sign_context)
{
    assert(context->is_server && !context->sign);
    if (!tls_remote_library_open(context))
        abort();
    context->sign = sign;
    context->sign_context = sign_context;
}

bool
tls_context_set(struct tls_context *context, struct slice name, struct slice chain,
                struct slice key, struct buffer *problem)
{
    uint8_t bytes[TLS_NAME_MAX];
    struct slice folded;

    assert(context->is_server);
    if (!tls_name_fold(name, bytes, &folded)) {
        buffer_put_text(problem, "the name is longer than 255 octets");
        return false;
    }
    if (context->credentials.count >= TLS_CERTIFICATES_MAX &&
        !map_find(&context->credentials, folded)) {
        buffer_put_text(problem, "there are too many certificates");
        return false;
    }
    struct tls_credential *credential = tls_credential_parse(context, chain, key, problem);
    if (!credential)
        return false;
    /* The default's key makes the tickets; without one, the first that came. */
    if (key.len > 0 && (folded.len == 0 || !context->has_ticket_secret) &&
        !tls_ticket_set_secret(context, credential->key)) {
        tls_problem_put(problem, "the key cannot be used");
        tls_credential_close(&credential);
        return false;
    }
    struct tls_credential *before = map_set(&context->credentials, folded, credential);
    tls_credential_close(&before);
    return true;
}

bool
tls_context_remove(struct tls_context *context, struct slice name)
{
    uint8_t bytes[TLS_NAME_MAX];
    struct slice folded;

    if (!tls_name_fold(name, bytes, &folded))
        return false;
    struct tls_credential *before = map_remove(&context->credentials, folded);
    bool was_there = before != NULL;
    tls_credential_close(&before);
    return was_there;
}

bool
tls_context_has_certificate(const struct tls_context *context)
{
    return context->credentials.count > 0;
}

void
tls_context_release(struct tls_context *context)
{
    const struct map_item *item;
    size_t place = 0;

    if (--context->holders > 0)
        return;
    while ((item = map_next(&context->credentials, &place))) {
        struct tls_credential *credential = item->value;
        tls_credential_close(&credential);
    }
    place = 0;
    while ((item = map_next(&context->sessions, &place)))
        SSL_SESSION_free(item->value);
    map_finish(&context->credentials);
    map_finish(&context->sessions);
    SSL_CTX_free(context->ssl_context);
    tls_remote_library_close(context);
    BIO_meth_free(context->bio_method);
    OPENSSL_cleanse(context->ticket_secrets, sizeof(context->ticket_secrets));
    free(context);
}

void
tls_context_close(struct tls_context **context)
{
    if (*context)
        tls_context_release(*context);
    *context = NULL;
}
