/* SPDX-License-Identifier: ISC */
/* Session tickets (RFC 8446 §4.6.1) whose keys all processes share that show the same certificate:
 * HKDF (RFC 5869) over the number of the epoch and a secret, which comes from whoever has the
 * certificate's key.
 *
 * For TLS 1.2 no tickets are given: there, who later learns the ticket key can read what was
 * recorded. In TLS 1.3 each resumption makes a new key exchange. */
#include "tls/openssl_private.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

struct ticket_keys {
    uint8_t name[TLS_TICKET_NAME_SIZE];
    uint8_t cipher_key[TLS_TICKET_KEY_SIZE];
    uint8_t mac_key[TLS_TICKET_KEY_SIZE];
};

static bool
derive(const struct tls_context *context, int64_t epoch, struct ticket_keys *ret_keys)
{
    uint8_t secret[TLS_TICKET_SECRET_SIZE], info[15] = "tickets";
    size_t age = (size_t)(context->ticket_epoch - epoch);
    char digest[] = "SHA256";
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *kdf_context = EVP_KDF_CTX_new(kdf);

    for (size_t i = 0; i < 8; i++)
        info[7 + i] = (uint8_t)((uint64_t)epoch >> (8 * i));
    memcpy(secret, context->ticket_secrets[age], sizeof(secret));
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret, sizeof(secret)),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, sizeof(info)),
        OSSL_PARAM_construct_end(),
    };
    bool is_done = kdf_context &&
        EVP_KDF_derive(kdf_context, (uint8_t *)ret_keys, sizeof(*ret_keys), params) == 1;
    EVP_KDF_CTX_free(kdf_context);
    EVP_KDF_free(kdf);
    OPENSSL_cleanse(secret, sizeof(secret));
    return is_done;
}

static bool
use_keys(const struct ticket_keys *keys, const uint8_t *iv, EVP_CIPHER_CTX *cipher,
         EVP_MAC_CTX *mac, bool is_encrypting)
{
    char digest[] = "SHA256";
    uint8_t mac_key[TLS_TICKET_KEY_SIZE];

    memcpy(mac_key, keys->mac_key, sizeof(mac_key));
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, mac_key, sizeof(mac_key)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    bool is_set = EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, keys->cipher_key, iv,
                                    is_encrypting) == 1 &&
        EVP_MAC_CTX_set_params(mac, params) == 1;
    OPENSSL_cleanse(mac_key, sizeof(mac_key));
    return is_set;
}

/* For OpenSSL: 1 go on, 2 go on and give a fresh ticket, 0 no ticket or not ours, -1 failure.
 * Clients use a ticket once (RFC 8446 appendix C.4), so each use earns a new one. */
static int
on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
          EVP_MAC_CTX *mac, int is_encrypting)
{
    const struct tls_context *context = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    struct ticket_keys keys;
    int answer = 0;

    if (!context->has_ticket_secret || !context->has_time || SSL_version(ssl) < TLS1_3_VERSION)
        return 0;
    if (is_encrypting) {
        if (!derive(context, context->ticket_epoch, &keys) || RAND_bytes(iv, 16) != 1)
            return -1;
        memcpy(name, keys.name, sizeof(keys.name));
        answer = use_keys(&keys, iv, cipher, mac, true) ? 1 : -1;
    }
    for (int64_t age = 0; !is_encrypting && age < TLS_TICKET_SECRETS && answer == 0; age++) {
        if (!derive(context, context->ticket_epoch - age, &keys))
            return -1;
        if (CRYPTO_memcmp(name, keys.name, sizeof(keys.name)) == 0)
            answer = use_keys(&keys, iv, cipher, mac, false) ? 2 : -1;
    }
    OPENSSL_cleanse(&keys, sizeof(keys));
    return answer;
}

bool
tls_ticket_enable(struct tls_context *context)
{
    static const unsigned char id[] = "facteur";

    SSL_CTX_set_timeout(context->ssl_context, TLS_TICKET_EPOCH_S);
    return SSL_CTX_set_tlsext_ticket_key_evp_cb(context->ssl_context, on_ticket) == 1 &&
        SSL_CTX_set_num_tickets(context->ssl_context, 1) == 1 &&
        SSL_CTX_set_session_id_context(context->ssl_context, id, sizeof(id) - 1) == 1;
}

bool
tls_ticket_set_secret(struct tls_context *context, EVP_PKEY *key)
{
    unsigned char *der = NULL;
    int len = i2d_PrivateKey(key, &der);

    if (len <= 0)
        return false;
    bool is_set =
        EVP_Digest(der, (size_t)len, context->ticket_secrets[0], NULL, EVP_sha256(), NULL) == 1;
    memcpy(context->ticket_secrets[1], context->ticket_secrets[0], TLS_TICKET_SECRET_SIZE);
    OPENSSL_clear_free(der, (size_t)len);
    context->has_ticket_secret = is_set;
    return is_set;
}

void
tls_context_set_time(struct tls_context *context, struct wall now)
{
    context->ticket_epoch = tls_ticket_epoch(now);
    context->has_time = true;
}

void
tls_context_set_tickets(struct tls_context *context, int64_t epoch,
                        const uint8_t secrets[TLS_TICKET_SECRETS * TLS_TICKET_SECRET_SIZE])
{
    memcpy(context->ticket_secrets, secrets, sizeof(context->ticket_secrets));
    context->ticket_epoch = epoch;
    context->has_ticket_secret = context->has_time = true;
}
