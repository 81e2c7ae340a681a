/* SPDX-License-Identifier: ISC */
#include "tls/openssl_private.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

/* RFC 7218 §2.1 */
enum { USAGE_DANE_TA = 2, USAGE_DANE_EE = 3 };

enum { RECORD_OVERHEAD_MAX = 512 /* header, padding, tag of one record, and a ticket beside it */ };

/* ---- the BIO: OpenSSL's only way to the outside -------------------------------------------- */

static int
bio_read(BIO *bio, char *at, size_t len, size_t *ret_len)
{
    struct tls_engine *engine = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (!engine->input || engine->input->len == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    struct slice part = slice_first(*engine->input, len);
    memcpy(at, part.at, part.len);
    *engine->input = slice_skip(*engine->input, part.len);
    if (engine->state == TLS_HANDSHAKE)
        engine->handshake_bytes += part.len;
    *ret_len = part.len;
    return 1;
}

/* All or nothing: a peer that makes us answer without reading what we answer is cut off. */
static int
bio_write(BIO *bio, const char *at, size_t len, size_t *ret_len)
{
    struct tls_engine *engine = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (len > buffer_room(&engine->output))
        return 0;
    buffer_put(&engine->output, slice_of(at, len));
    *ret_len = len;
    return 1;
}

static long
bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static int
bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

BIO_METHOD *
tls_bio_method_open(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "engine");

    if (!method || BIO_meth_set_read_ex(method, bio_read) != 1 ||
        BIO_meth_set_write_ex(method, bio_write) != 1 ||
        BIO_meth_set_ctrl(method, bio_control) != 1 || BIO_meth_set_create(method, bio_create) != 1)
        abort();
    return method;
}

/* ---- opening ------------------------------------------------------------------------------- */

static struct tls_engine *
open_engine(struct tls_context *context)
{
    struct tls_engine *engine = calloc(1, sizeof(*engine));

    if (!engine)
        abort();
    engine->context = context;
    context->holders++;
    buffer_init(&engine->output, TLS_OUTPUT_MAX);
    engine->ssl = SSL_new(context->ssl_context);
    BIO *bio = BIO_new(context->bio_method);
    if (!engine->ssl || !bio)
        abort();
    BIO_set_data(bio, engine);
    SSL_set_bio(engine->ssl, bio, bio);
    SSL_set_app_data(engine->ssl, engine);
    return engine;
}

static void
fail(struct tls_engine *engine, const char *why)
{
    engine->state = TLS_FAILED;
    snprintf(engine->problem, sizeof(engine->problem), "%s", why);
}

/* Looks at what an OpenSSL call has left behind. */
static void
judge(struct tls_engine *engine, int result)
{
    int error = SSL_get_error(engine->ssl, result);
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    long verified = SSL_get_verify_result(engine->ssl);

    if (engine->state == TLS_HANDSHAKE && SSL_is_init_finished(engine->ssl))
        engine->state = TLS_OPEN;
    if (error == SSL_ERROR_ZERO_RETURN)
        engine->state = TLS_ENDED;
    else if (error == SSL_ERROR_SSL && engine->is_verified && verified != X509_V_OK)
        fail(engine, X509_verify_cert_error_string(verified));
    else if (error == SSL_ERROR_SSL)
        fail(engine, reason ? reason : "protocol error");
    else if (error == SSL_ERROR_SYSCALL)
        fail(engine, "the peer does not read what it made us send");
    ERR_clear_error();
}

struct tls_engine *
tls_engine_open_server(struct tls_context *context)
{
    assert(context->is_server);
    struct tls_engine *engine = open_engine(context);
    SSL_set_accept_state(engine->ssl);
    return engine;
}

void
tls_engine_ask_certificate(struct tls_engine *engine)
{
    assert(engine->context->is_server && engine->state == TLS_HANDSHAKE);
    SSL_set_verify(engine->ssl, SSL_VERIFY_PEER, NULL);
}

void
tls_engine_set_protocols(struct tls_engine *engine, const char *const *names)
{
    assert(engine->context->is_server && engine->state == TLS_HANDSHAKE);
    engine->protocols = names;
}

/* Names it to the server, if it is one. */
static void
offer_protocol(struct tls_engine *engine, struct slice protocol)
{
    uint8_t list[1 + TLS_PROTOCOL_MAX];

    if (protocol.len == 0)
        return;
    assert(protocol.len <= TLS_PROTOCOL_MAX);
    list[0] = (uint8_t)protocol.len;
    memcpy(list + 1, protocol.at, protocol.len);
    if (SSL_set_alpn_protos(engine->ssl, list, 1 + (unsigned)protocol.len) != 0)
        abort();
}

/* What the client wants from the server's certificate; false when the name cannot be a name. */
static bool
set_server_name(struct tls_engine *engine, struct slice name)
{
    char text[TLS_NAME_MAX + 1];

    if (name.len == 0)
        return !engine->context->is_verified;
    if (name.len > TLS_NAME_MAX || slice_find_byte(name, 0) < name.len)
        return false;
    memcpy(text, name.at, name.len);
    text[name.len] = '\0';
    X509_VERIFY_PARAM *param = SSL_get0_param(engine->ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(param, text) == 1)
        return true;
    ERR_clear_error();
    SSL_set_hostflags(engine->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(engine->ssl, text) == 1 &&
           SSL_set_tlsext_host_name(engine->ssl, text) == 1;
}

/* More names, each as good as the first. */
static bool
add_names(struct tls_engine *engine, const struct tls_expectation *expectation)
{
    char text[TLS_NAME_MAX + 1];

    for (size_t i = 0; i < expectation->name_count; i++) {
        struct slice name = expectation->names[i];
        if (name.len == 0 || name.len > TLS_NAME_MAX || slice_find_byte(name, 0) < name.len)
            return false;
        memcpy(text, name.at, name.len);
        text[name.len] = '\0';
        if (SSL_add1_host(engine->ssl, text) != 1)
            return false;
    }
    return true;
}

/* RFC 7672 §3.1: DANE-TA and DANE-EE. Records that OpenSSL cannot use are passed over; with none
 * left the connection is encrypted and nothing more (§2.2). */
static bool
add_tlsa(struct tls_engine *engine, const struct tls_expectation *expectation)
{
    char base[TLS_NAME_MAX + 1];
    bool has_usable = false;

    if (expectation->tlsa_count == 0)
        return true;
    if (expectation->server_name.len == 0 || expectation->server_name.len > TLS_NAME_MAX)
        return false;
    memcpy(base, expectation->server_name.at, expectation->server_name.len);
    base[expectation->server_name.len] = '\0';
    if (SSL_CTX_dane_enable(engine->context->ssl_context) != 1 ||
        SSL_dane_enable(engine->ssl, base) != 1)
        return false;
    SSL_dane_set_flags(engine->ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
    for (size_t i = 0; i < expectation->tlsa_count; i++) {
        const struct tls_tlsa *record = &expectation->tlsa[i];
        bool is_usage_good = record->usage == USAGE_DANE_TA || record->usage == USAGE_DANE_EE;
        has_usable |= is_usage_good &&
                      SSL_dane_tlsa_add(engine->ssl, record->usage, record->selector,
                                        record->matching, record->data.at, record->data.len) == 1;
    }
    ERR_clear_error();
    if (has_usable) {
        engine->is_verified = true;
        SSL_set_verify(engine->ssl, SSL_VERIFY_PEER, NULL);
    }
    return true;
}

static struct tls_engine *
open_client(struct tls_context *context, const struct tls_expectation *expectation)
{
    assert(!context->is_server);
    struct slice server_name = expectation->server_name;
    struct tls_engine *engine = open_engine(context);
    uint8_t *copy = malloc(server_name.len + 1);

    if (!copy)
        abort();
    if (server_name.len)
        memcpy(copy, server_name.at, server_name.len);
    engine->server_name_bytes = copy;
    engine->server_name = slice_of(copy, server_name.len);
    engine->is_verified = context->is_verified;
    ERR_clear_error();
    SSL_set_connect_state(engine->ssl);
    /* A session kept from before says nothing about other names or records. */
    bool is_plain = expectation->name_count == 0 && expectation->tlsa_count == 0;
    SSL_SESSION *session = is_plain ? map_find(&context->sessions, server_name) : NULL;
    if (session)
        SSL_set_session(engine->ssl, session);
    engine->is_session_kept = is_plain;
    offer_protocol(engine, expectation->protocol);
    if (!add_tlsa(engine, expectation) || !set_server_name(engine, server_name) ||
        !add_names(engine, expectation))
        fail(engine, "this server name cannot be checked");
    else
        judge(engine, SSL_do_handshake(engine->ssl));
    return engine;
}

struct tls_engine *
tls_engine_open_client(struct tls_context *context, struct slice server_name)
{
    return open_client(context, &(struct tls_expectation){.server_name = server_name});
}

struct tls_engine *
tls_engine_open_expecting(struct tls_context *context, const struct tls_expectation *expectation)
{
    return open_client(context, expectation);
}

void
tls_engine_close(struct tls_engine **engine)
{
    if (!*engine)
        return;
    /* Otherwise OpenSSL takes a connection without close_notify for a reason to forget its session,
     * which TLS 1.1 (RFC 4346 §7.2.1) has long made optional. */
    if ((*engine)->state != TLS_FAILED)
        SSL_set_shutdown((*engine)->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free((*engine)->ssl);
    tls_context_release((*engine)->context);
    buffer_finish(&(*engine)->output);
    free((*engine)->server_name_bytes);
    free(*engine);
    *engine = NULL;
}

/* ---- moving bytes -------------------------------------------------------------------------- */

enum tls_state
tls_engine_state(const struct tls_engine *engine)
{
    return engine->state;
}

struct slice
tls_engine_problem(const struct tls_engine *engine)
{
    return slice_of_string(engine->problem);
}

size_t
tls_engine_take(struct tls_engine *engine, struct slice *ciphertext, void *at, size_t len)
{
    size_t taken = 0;

    engine->input = ciphertext;
    while (taken < len && (engine->state == TLS_HANDSHAKE || engine->state == TLS_OPEN)) {
        size_t count = 0;
        ERR_clear_error();
        int result = SSL_read_ex(engine->ssl, (uint8_t *)at + taken, len - taken, &count);
        taken += count;
        judge(engine, result);
        if (engine->state == TLS_HANDSHAKE && engine->handshake_bytes > TLS_HANDSHAKE_BYTES_MAX)
            fail(engine, "the handshake is too long");
        if (result != 1)
            break;
    }
    engine->input = NULL;
    /* Nothing that comes after the end means anything. */
    if (engine->state == TLS_FAILED || engine->state == TLS_ENDED)
        *ciphertext = slice_skip(*ciphertext, ciphertext->len);
    return taken;
}

size_t
tls_engine_put(struct tls_engine *engine, struct slice plaintext)
{
    size_t taken = 0;

    if (engine->state != TLS_OPEN && engine->state != TLS_ENDED)
        return 0;
    while (taken < plaintext.len && !engine->is_ended) {
        size_t room = buffer_room(&engine->output), count = 0;
        if (room <= RECORD_OVERHEAD_MAX)
            break;
        struct slice part = slice_first(slice_skip(plaintext, taken), TLS_PLAINTEXT_MAX);
        part = slice_first(part, room - RECORD_OVERHEAD_MAX);
        ERR_clear_error();
        int result = SSL_write_ex(engine->ssl, part.at, part.len, &count);
        taken += count;
        if (result != 1) {
            judge(engine, result);
            break;
        }
    }
    return taken;
}

void
tls_engine_end(struct tls_engine *engine)
{
    if (engine->is_ended || (engine->state != TLS_OPEN && engine->state != TLS_ENDED))
        return;
    ERR_clear_error();
    engine->is_ended = true;
    if (SSL_shutdown(engine->ssl) < 0)
        ERR_clear_error();
}

struct slice
tls_engine_output(const struct tls_engine *engine)
{
    return buffer_slice(&engine->output);
}

void
tls_engine_sent(struct tls_engine *engine, size_t len)
{
    buffer_consume(&engine->output, len);
    buffer_release_if_empty(&engine->output);
}
