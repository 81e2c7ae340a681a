/* SPDX-License-Identifier: ISC */
/* Looking at signatures: RFC 8551 §3, RFC 5652 §5.6, RFC 8550. */
#include "smime/openssl_private.h"
#include "smime/smime.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

enum { AUTHORITIES_MAX = 10000 };

static void
describe(X509 *certificate, struct arena *arena, struct smime_verdict *verdict)
{
    struct smime_card card = smime_card_of(certificate, arena);

    verdict->name = card.name;
    verdict->issuer = card.issuer;
    verdict->addresses = card.addresses;
    verdict->addresses_count = card.addresses_count;
    verdict->certificate = card.certificate;
}

/* ---- trust --------------------------------------------------------------------------------- */

static X509_STORE *
open_store(struct slice trust, struct wall now)
{
    X509_STORE *store = X509_STORE_new();
    BIO *bio = smime_bio(trust);
    X509 *authority;

    if (!store)
        abort();
    for (int i = 0; i < AUTHORITIES_MAX &&
                    (authority = PEM_read_bio_X509(bio, NULL, smime_no_passphrase, NULL));
         i++) {
        (void)X509_STORE_add_cert(store, authority);
        X509_free(authority);
    }
    X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store), (time_t)wall_seconds(now));
    (void)X509_STORE_set_purpose(store, X509_PURPOSE_SMIME_SIGN);
    ERR_clear_error();
    BIO_free(bio);
    return store;
}

/* How far one signer is to be trusted. */
static void
judge(X509 *signer, STACK_OF(X509) * others, X509_STORE *store, struct smime_verdict *verdict)
{
    X509_STORE_CTX *context = X509_STORE_CTX_new();

    if (!context || X509_STORE_CTX_init(context, store, signer, others) != 1)
        abort();
    if (X509_verify_cert(context) != 1) {
        int error = X509_STORE_CTX_get_error(context);
        bool is_time =
            error == X509_V_ERR_CERT_HAS_EXPIRED || error == X509_V_ERR_CERT_NOT_YET_VALID;
        verdict->kind = is_time ? SMIME_EXPIRED : SMIME_UNTRUSTED;
        verdict->why = slice_of_string(X509_verify_cert_error_string(error));
    }
    X509_STORE_CTX_free(context);
    ERR_clear_error();
}

/* ---- signatures ---------------------------------------------------------------------------- */

static void
verify_signers(CMS_ContentInfo *cms, struct slice trust, struct wall now, struct arena *arena,
               struct smime_verdict *verdict)
{
    STACK_OF(X509) *signers = CMS_get0_signers(cms), *others = CMS_get1_certs(cms);
    X509_STORE *store = open_store(trust, now);
    int count = sk_X509_num(signers);

    verdict->kind = count > 0 ? SMIME_GOOD : SMIME_BROKEN;
    if (count > 0)
        describe(sk_X509_value(signers, 0), arena, verdict);
    for (int i = 0; i < count && verdict->kind == SMIME_GOOD; i++)
        judge(sk_X509_value(signers, i), others, store, verdict);
    sk_X509_free(signers);
    sk_X509_pop_free(others, X509_free);
    X509_STORE_free(store);
}

struct smime_verdict
smime_verify(struct slice signature, struct slice content, struct slice trust, struct wall now,
             struct arena *arena, struct buffer *inside)
{
    struct smime_verdict verdict = {.kind = SMIME_BROKEN, .why = SLICE("it cannot be understood")};
    BIO *bio = smime_bio(signature), *out = BIO_new(BIO_s_mem());
    BIO *signed_bio = content.len > 0 ? smime_bio(content) : NULL;
    CMS_ContentInfo *cms = d2i_CMS_bio(bio, NULL);

    if (!out)
        abort();
    bool is_signed = cms && OBJ_obj2nid(CMS_get0_type(cms)) == NID_pkcs7_signed;
    /* A detached signature must not bring a content of its own: which one would be shown? */
    bool has_content = is_signed && CMS_is_detached(cms) == 0;
    if (is_signed && has_content == (content.len == 0)) {
        bool is_unchanged = CMS_verify(cms, NULL, NULL, signed_bio, out,
                                       CMS_BINARY | CMS_NO_SIGNER_CERT_VERIFY) == 1;
        if (is_unchanged) {
            verdict.why = SLICE("");
            verify_signers(cms, trust, now, arena, &verdict);
        } else {
            verdict.kind = SMIME_CHANGED;
            verdict.why = SLICE("it was changed after it was signed");
        }
        if (is_unchanged && inside)
            smime_put_bio(out, inside);
    }
    ERR_clear_error();
    CMS_ContentInfo_free(cms);
    BIO_free(bio);
    BIO_free(out);
    BIO_free(signed_bio);
    return verdict;
}
