/* SPDX-License-Identifier: ISC */
/* Private keys that are elsewhere: a provider of OpenSSL that is built in. Its keys know the public
 * half, which the library's own provider holds, and whom to ask for signatures. Nothing here has
 * seen a private key (docs/why/087-keys-out-of-reach.md).
 *
 * Only what a TLS server does with its key is there: to tell its size and group, to be compared
 * with a certificate, to sign in one call. */
#include "tls/openssl_private.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#define PROVIDER_NAME "facteur-keys"
#define SIGNATURE_NAME "facteur-remote"
#define PARAM_ORIGIN "facteur-origin" /* how a new key is told what it is */

struct remote_key {
    const struct tls_context *context; /* whom to ask; outlives the key */
    EVP_PKEY *public;
    uint8_t id[TLS_KEY_ID_SIZE];
};

struct remote_signature {
    const struct remote_key *key;
    enum tls_signature_digest digest;
    int padding; /* of RSA */
};

/* OpenSSL's tables hold functions of all types as one. */
#define FUNCTION(number, function)                                                                 \
    {                                                                                              \
        (number), (void (*)(void))(function)                                                       \
    }

/* ---- keys ---------------------------------------------------------------------------------- */

static void *
key_new(void *provider)
{
    (void)provider;
    struct remote_key *key = calloc(1, sizeof(*key));
    if (!key)
        abort();
    return key;
}

static void
key_free(void *keydata)
{
    struct remote_key *key = keydata;

    EVP_PKEY_free(key->public);
    free(key);
}

/* Everything that was ever imported has its other half somewhere. */
static int
key_has(const void *keydata, int selection)
{
    const struct remote_key *key = keydata;

    (void)selection;
    return key->public != NULL;
}

static int
key_match(const void *left, const void *right, int selection)
{
    const struct remote_key *one = left, *other = right;

    (void)selection;
    return EVP_PKEY_eq(one->public, other->public) == 1;
}

/* The only way to make one is tls_remote_key_open: what other providers export is refused. */
static int
key_import(void *keydata, int selection, const OSSL_PARAM params[])
{
    const OSSL_PARAM *param = OSSL_PARAM_locate_const(params, PARAM_ORIGIN);
    const void *origin;
    size_t len;
    struct remote_key *key = keydata;

    (void)selection;
    if (!param || OSSL_PARAM_get_octet_ptr(param, &origin, &len) != 1 || len != sizeof(*key))
        return 0;
    memcpy(key, origin, sizeof(*key));
    return EVP_PKEY_up_ref(key->public);
}

/* The public half, so that others can compare it with a certificate's. */
static int
key_export(void *keydata, int selection, OSSL_CALLBACK *take, void *argument)
{
    const struct remote_key *key = keydata;

    return EVP_PKEY_export(key->public, selection & ~OSSL_KEYMGMT_SELECT_PRIVATE_KEY, take,
                           argument);
}

static const OSSL_PARAM *
key_import_types(int selection)
{
    static const OSSL_PARAM types[] = {OSSL_PARAM_octet_ptr(PARAM_ORIGIN, NULL, 0), OSSL_PARAM_END};

    (void)selection;
    return types;
}

/* What is exported differs from kind to kind; nobody asks before. */
static const OSSL_PARAM *
key_export_types(int selection)
{
    static const OSSL_PARAM types[] = {OSSL_PARAM_END};

    (void)selection;
    return types;
}

static int
key_get_params(void *keydata, OSSL_PARAM params[])
{
    const struct remote_key *key = keydata;

    return EVP_PKEY_get_params(key->public, params);
}

static const OSSL_PARAM *
key_gettable_params(void *provider)
{
    static const OSSL_PARAM names[] = {
        OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
        OSSL_PARAM_END,
    };

    (void)provider;
    return names;
}

/* A name that nobody else has: a key of ours never meets the library's own signing. */
static const char *
key_operation_name(int operation)
{
    return operation == OSSL_OP_SIGNATURE ? SIGNATURE_NAME : NULL;
}

static const OSSL_DISPATCH key_functions[] = {
    FUNCTION(OSSL_FUNC_KEYMGMT_NEW, key_new),
    FUNCTION(OSSL_FUNC_KEYMGMT_FREE, key_free),
    FUNCTION(OSSL_FUNC_KEYMGMT_HAS, key_has),
    FUNCTION(OSSL_FUNC_KEYMGMT_MATCH, key_match),
    FUNCTION(OSSL_FUNC_KEYMGMT_IMPORT, key_import),
    FUNCTION(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_import_types),
    FUNCTION(OSSL_FUNC_KEYMGMT_EXPORT, key_export),
    FUNCTION(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, key_export_types),
    FUNCTION(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get_params),
    FUNCTION(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable_params),
    FUNCTION(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, key_operation_name),
    {0, NULL},
};

/* ---- signing ------------------------------------------------------------------------------- */

static void *
signature_new(void *provider, const char *properties)
{
    (void)provider, (void)properties;
    struct remote_signature *signature = calloc(1, sizeof(*signature));
    if (!signature)
        abort();
    return signature;
}

static void
signature_free(void *context)
{
    free(context);
}

static bool
find_digest(const char *name, enum tls_signature_digest *ret_digest)
{
    const EVP_MD *digest = name && *name ? EVP_get_digestbyname(name) : NULL;

    *ret_digest = TLS_SIGNATURE_NO_DIGEST;
    if (!name || !*name)
        return true;
    switch (digest ? EVP_MD_get_type(digest) : NID_undef) {
    case NID_sha256:
        *ret_digest = TLS_SIGNATURE_SHA256;
        return true;
    case NID_sha384:
        *ret_digest = TLS_SIGNATURE_SHA384;
        return true;
    case NID_sha512:
        *ret_digest = TLS_SIGNATURE_SHA512;
        return true;
    default:
        return false;
    }
}

/* The padding of RSA. The salt of PSS is as long as the digest in TLS, as we sign it: what is said
 * of it says the same. */
static int
signature_set_params(void *context, const OSSL_PARAM params[])
{
    struct remote_signature *signature = context;
    const OSSL_PARAM *padding = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);

    if (!padding)
        return 1;
    if (padding->data_type == OSSL_PARAM_INTEGER)
        return OSSL_PARAM_get_int(padding, &signature->padding);
    bool is_pss = padding->data_type == OSSL_PARAM_UTF8_STRING &&
                  strcmp(padding->data, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0;
    signature->padding = is_pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING;
    return 1;
}

static const OSSL_PARAM *
signature_settable_params(void *context, void *provider)
{
    static const OSSL_PARAM names[] = {
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
        OSSL_PARAM_END,
    };

    (void)context, (void)provider;
    return names;
}

static int
signature_begin(void *context, const char *digest, void *keydata, const OSSL_PARAM params[])
{
    struct remote_signature *signature = context;

    signature->key = keydata;
    signature->padding = EVP_PKEY_is_a(signature->key->public, "RSA-PSS") ? RSA_PKCS1_PSS_PADDING
                                                                          : RSA_PKCS1_PADDING;
    return find_digest(digest, &signature->digest) &&
           (!params || signature_set_params(signature, params));
}

static enum tls_signature_form
form_of(const struct remote_signature *signature)
{
    const EVP_PKEY *public = signature->key->public;

    if (EVP_PKEY_is_a(public, "EC"))
        return TLS_SIGNATURE_ECDSA;
    if (!EVP_PKEY_is_a(public, "RSA") && !EVP_PKEY_is_a(public, "RSA-PSS"))
        return TLS_SIGNATURE_EDDSA;
    return signature->padding == RSA_PKCS1_PSS_PADDING ? TLS_SIGNATURE_PSS : TLS_SIGNATURE_PKCS1;
}

static int
signature_sign(void *context, unsigned char *at, size_t *len, size_t size,
               const unsigned char *text, size_t text_len)
{
    const struct remote_signature *signature = context;
    const struct remote_key *key = signature->key;
    struct buffer answer;

    if (!at) {
        *len = (size_t)EVP_PKEY_get_size(key->public);
        return 1;
    }
    const struct tls_signature_question question = {
        .key_id = key->id,
        .form = form_of(signature),
        .digest = signature->digest,
        .text = slice_of(text, text_len),
    };
    buffer_init(&answer, TLS_SIGNATURE_MAX);
    bool is_signed = text_len <= TLS_SIGNED_TEXT_MAX &&
                     key->context->sign(key->context->sign_context, &question, &answer) &&
                     buffer_len(&answer) <= size;
    if (is_signed) {
        *len = buffer_len(&answer);
        memcpy(at, buffer_slice(&answer).at, *len);
    } else {
        ERR_raise(ERR_LIB_USER, ERR_R_OPERATION_FAIL);
    }
    buffer_finish(&answer);
    return is_signed;
}

static const OSSL_DISPATCH signature_functions[] = {
    FUNCTION(OSSL_FUNC_SIGNATURE_NEWCTX, signature_new),
    FUNCTION(OSSL_FUNC_SIGNATURE_FREECTX, signature_free),
    FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, signature_begin),
    FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, signature_sign),
    FUNCTION(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, signature_set_params),
    FUNCTION(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, signature_settable_params),
    {0, NULL},
};

/* ---- the provider -------------------------------------------------------------------------- */

/* The names are the library's own: by them TLS knows what a key can do. The property sets ours
 * apart. */
static const OSSL_ALGORITHM *
query(void *provider, int operation, int *ret_no_cache)
{
    static const char properties[] = "provider=" PROVIDER_NAME;
    static const OSSL_ALGORITHM keys[] = {
        {"RSA:rsaEncryption", properties, key_functions, NULL},
        {"RSA-PSS:RSASSA-PSS", properties, key_functions, NULL},
        {"EC:id-ecPublicKey", properties, key_functions, NULL},
        {"ED25519", properties, key_functions, NULL},
        {"ED448", properties, key_functions, NULL},
        {NULL, NULL, NULL, NULL},
    };
    static const OSSL_ALGORITHM signatures[] = {
        {SIGNATURE_NAME, properties, signature_functions, NULL},
        {NULL, NULL, NULL, NULL},
    };

    (void)provider;
    *ret_no_cache = 0;
    if (operation == OSSL_OP_KEYMGMT)
        return keys;
    return operation == OSSL_OP_SIGNATURE ? signatures : NULL;
}

static int
provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *core, const OSSL_DISPATCH **out,
              void **ret_provider)
{
    static const OSSL_DISPATCH functions[] = {
        FUNCTION(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query),
        {0, NULL},
    };

    (void)core;
    *out = functions;
    *ret_provider = (void *)(uintptr_t)handle; /* not used, but NULL would say failure */
    return 1;
}

/* The library's context of its own: TLS goes on to look for keys of an exchange, and of peers, in
 * the default one, where there is nobody but the library's provider. What belongs to a key of ours
 * is found through that key. */
bool
tls_remote_library_open(struct tls_context *context)
{
    context->library = OSSL_LIB_CTX_new();
    context->provider = NULL;
    if (!context->library ||
        OSSL_PROVIDER_add_builtin(context->library, PROVIDER_NAME, provider_init) != 1)
        return false;
    context->provider = OSSL_PROVIDER_load(context->library, PROVIDER_NAME);
    return context->provider != NULL;
}

void
tls_remote_library_close(struct tls_context *context)
{
    if (context->provider)
        (void)OSSL_PROVIDER_unload(context->provider);
    OSSL_LIB_CTX_free(context->library);
}

EVP_PKEY *
tls_remote_key_open(const struct tls_context *context, X509 *certificate)
{
    struct remote_key origin = {.context = context, .public = X509_get0_pubkey(certificate)};
    void *pointer = &origin;
    unsigned char *der = NULL;
    EVP_PKEY *key = NULL;

    if (!origin.public)
        return NULL;
    int len = i2d_PUBKEY(origin.public, &der);
    bool is_named =
        len > 0 && EVP_Digest(der, (size_t)len, origin.id, NULL, EVP_sha256(), NULL) == 1;
    OPENSSL_free(der);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_ptr(PARAM_ORIGIN, &pointer, sizeof(origin)),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY_CTX *maker =
        EVP_PKEY_CTX_new_from_name(context->library, EVP_PKEY_get0_type_name(origin.public), NULL);
    if (!is_named || !maker || EVP_PKEY_fromdata_init(maker) != 1 ||
        EVP_PKEY_fromdata(maker, &key, EVP_PKEY_KEYPAIR, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(maker);
    return key;
}
