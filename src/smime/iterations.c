/* SPDX-License-Identifier: ISC */
/* How long the passphrase of a PKCS #12 file (RFC 7292) has to be worked on: whoever wrote the file
 * says it, four thousand million times if he likes, and the library does as it is told. */
#include "smime/openssl_private.h"

#include <openssl/asn1t.h>
#include <openssl/err.h>

/* What is not there costs nothing: it is refused by who uses it. Whatever is too much counts as one
 * too many, so that no sum of them becomes little again. */
static uint64_t
count_of(const ASN1_INTEGER *number)
{
    uint64_t count = 0;

    if (!number)
        return 1;
    if (ASN1_INTEGER_get_uint64(&count, number) != 1 || count > SMIME_ITERATIONS_MAX)
        return SMIME_ITERATIONS_MAX + 1;
    return count;
}

/* PBES2 with PBKDF2 (RFC 8018); scrypt is bounded by the memory that the library gives it. */
static uint64_t
count_of_pbes2(const ASN1_TYPE *parameter)
{
    PBE2PARAM *scheme = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBE2PARAM), parameter);
    const ASN1_OBJECT *kind = NULL;
    uint64_t count = 0;

    if (scheme)
        X509_ALGOR_get0(&kind, NULL, NULL, scheme->keyfunc);
    if (kind && OBJ_obj2nid(kind) == NID_id_pbkdf2) {
        PBKDF2PARAM *function =
            ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBKDF2PARAM), scheme->keyfunc->parameter);
        count = function ? count_of(function->iter) : 0;
        PBKDF2PARAM_free(function);
    }
    PBE2PARAM_free(scheme);
    return count;
}

static uint64_t
count_of_algorithm(const X509_ALGOR *algorithm)
{
    const ASN1_OBJECT *kind = NULL;

    X509_ALGOR_get0(&kind, NULL, NULL, algorithm);
    if (OBJ_obj2nid(kind) == NID_pbes2)
        return count_of_pbes2(algorithm->parameter);
    PBEPARAM *scheme = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBEPARAM), algorithm->parameter);
    uint64_t count = scheme ? count_of(scheme->iter) : 0;
    PBEPARAM_free(scheme);
    return count;
}

/* Of the keys in a safe. Safes in safes, which nobody writes, count as too much. */
static uint64_t
count_of_bags(const STACK_OF(PKCS12_SAFEBAG) * bags)
{
    uint64_t total = 0;

    for (int i = 0; bags && i < sk_PKCS12_SAFEBAG_num(bags); i++) {
        const PKCS12_SAFEBAG *bag = sk_PKCS12_SAFEBAG_value(bags, i);
        const X509_ALGOR *algorithm = NULL;
        int kind = PKCS12_SAFEBAG_get_nid(bag);
        if (kind == NID_safeContentsBag)
            total += SMIME_ITERATIONS_MAX + 1;
        if (kind != NID_pkcs8ShroudedKeyBag)
            continue;
        X509_SIG_get0(PKCS12_SAFEBAG_get0_pkcs8(bag), &algorithm, NULL);
        total += count_of_algorithm(algorithm);
    }
    return total;
}

static uint64_t
count_of_safe(PKCS7 *safe, const char *passphrase)
{
    STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
    uint64_t total = 0;

    if (PKCS7_type_is_data(safe)) {
        bags = PKCS12_unpack_p7data(safe);
    } else if (PKCS7_type_is_encrypted(safe) && safe->d.encrypted) {
        total = count_of_algorithm(safe->d.encrypted->enc_data->algorithm);
        if (total <= SMIME_ITERATIONS_MAX)
            bags = PKCS12_unpack_p7encdata(safe, passphrase, -1);
    }
    total += count_of_bags(bags);
    sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
    return total;
}

bool
smime_pkcs12_is_mac_bounded(const PKCS12 *bag)
{
    const ASN1_INTEGER *count = NULL;

    PKCS12_get0_mac(NULL, NULL, NULL, &count, bag);
    return count_of(count) <= SMIME_ITERATIONS_MAX;
}

bool
smime_pkcs12_are_safes_bounded(const PKCS12 *bag, const char *passphrase)
{
    STACK_OF(PKCS7) *safes = PKCS12_unpack_authsafes(bag);
    uint64_t total = 0;

    for (int i = 0; safes && i < sk_PKCS7_num(safes) && total <= SMIME_ITERATIONS_MAX; i++)
        total += count_of_safe(sk_PKCS7_value(safes, i), passphrase);
    sk_PKCS7_pop_free(safes, PKCS7_free);
    ERR_clear_error();
    return total <= SMIME_ITERATIONS_MAX;
}
