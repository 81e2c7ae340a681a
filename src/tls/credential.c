/* SPDX-License-Identifier: ISC */
/* Certificate chains and keys of a server, and which one fits a name (RFC 6066 §3, RFC 6125 §6.4).
 * */
#include "tls/openssl_private.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

void
tls_problem_put(struct buffer *problem, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    buffer_put_text(problem, what);
    if (reason) {
        buffer_put_text(problem, ": ");
        buffer_put_text(problem, reason);
    }
    ERR_clear_error();
}

int
tls_pem_no_password(char *at, int size, int is_writing, void *context)
{
    (void)at, (void)size, (void)is_writing, (void)context;
    return -1;
}

BIO *
tls_pem_open(struct slice bytes)
{
    if (bytes.len > INT32_MAX)
        return NULL;
    BIO *bio = BIO_new_mem_buf(bytes.at, (int)bytes.len);
    if (!bio)
        abort();
    return bio;
}

bool
tls_name_fold(struct slice name, uint8_t ret_name[TLS_NAME_MAX], struct slice *ret_folded)
{
    if (name.len > TLS_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++)
        ret_name[i] = byte_to_lower(name.at[i]);
    *ret_folded = slice_of(ret_name, name.len);
    return true;
}

void
tls_credential_close(struct tls_credential **credential)
{
    if (!*credential)
        return;
    X509_free((*credential)->certificate);
    EVP_PKEY_free((*credential)->key);
    sk_X509_pop_free((*credential)->chain, X509_free);
    free(*credential);
    *credential = NULL;
}

/* Reads all certificates of the PEM text: the first is the server's, the others are its chain. */
static bool
read_chain(struct tls_credential *credential, struct slice chain)
{
    BIO *bio = tls_pem_open(chain);
    X509 *one;
    bool is_good = bio != NULL;

    credential->chain = sk_X509_new_null();
    while (is_good && (one = PEM_read_bio_X509(bio, NULL, tls_pem_no_password, NULL))) {
        if (!credential->certificate)
            credential->certificate = one;
        else if (sk_X509_push(credential->chain, one) <= 0)
            abort();
        is_good = sk_X509_num(credential->chain) < TLS_SERVER_CHAIN_MAX;
    }
    BIO_free(bio);
    if (!is_good || !credential->certificate)
        return false;
    ERR_clear_error(); /* "no start line" at the end of the text */
    return true;
}

static EVP_PKEY *
read_key(struct slice key)
{
    BIO *bio = tls_pem_open(key);
    EVP_PKEY *found = bio ? PEM_read_bio_PrivateKey(bio, NULL, tls_pem_no_password, NULL) : NULL;

    BIO_free(bio);
    return found;
}

struct tls_credential *
tls_credential_parse(const struct tls_context *context, struct slice chain, struct slice key,
                     struct buffer *problem)
{
    bool is_remote = key.len == 0 && context->sign;
    struct tls_credential *credential = calloc(1, sizeof(*credential));

    if (!credential)
        abort();
    ERR_clear_error();
    if (!read_chain(credential, chain)) {
        tls_problem_put(problem, "the certificate chain is not PEM, or too long");
        tls_credential_close(&credential);
        return NULL;
    }
    credential->key = is_remote ? tls_remote_key_open(context, credential->certificate)
                                : read_key(key);
    if (!credential->key) {
        tls_problem_put(problem, is_remote ? "the certificate is for a kind of key that is not used"
                                           : "the key is not PEM, or it has a password");
        tls_credential_close(&credential);
        return NULL;
    }
    if (X509_check_private_key(credential->certificate, credential->key) != 1) {
        tls_problem_put(problem, "the key does not belong to the first certificate");
        tls_credential_close(&credential);
        return NULL;
    }
    return credential;
}

const struct tls_credential *
tls_credential_find(const struct tls_context *context, struct slice name)
{
    uint8_t bytes[TLS_NAME_MAX], wildcard[TLS_NAME_MAX + 1] = "*";
    struct slice folded;
    const struct tls_credential *found = NULL;

    if (tls_name_fold(name, bytes, &folded) && folded.len > 0) {
        found = map_find(&context->credentials, folded);
        struct slice parent = slice_skip(folded, slice_find_byte(folded, '.'));
        if (!found && parent.len > 1) {
            memcpy(wildcard + 1, parent.at, parent.len);
            found = map_find(&context->credentials, slice_of(wildcard, parent.len + 1));
        }
    }
    return found ? found : map_find(&context->credentials, SLICE(""));
}
