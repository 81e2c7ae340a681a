/* SPDX-License-Identifier: ISC */
#include "sasl/tests/test.h"

#include "sasl/digest.h"

static void
assert_digest(enum sasl_hash hash, const uint8_t *digest, const char *hex)
{
    struct buffer text;

    buffer_init(&text, 2 * SASL_DIGEST_MAX);
    buffer_put_hex(&text, slice_of(digest, sasl_hash_len(hash)));
    assert_slice(buffer_slice(&text), hex);
    buffer_finish(&text);
}

static void
digests_are_those_of_the_standards(void **state)
{
    uint8_t digest[SASL_DIGEST_MAX];

    (void)state;
    /* RFC 1321 §A.5, RFC 3174 §7.3, RFC 6234 §8.5 */
    sasl_digest(SASL_HASH_MD5, SLICE("abc"), digest);
    assert_digest(SASL_HASH_MD5, digest, "900150983cd24fb0d6963f7d28e17f72");
    sasl_digest(SASL_HASH_SHA_1, SLICE("abc"), digest);
    assert_digest(SASL_HASH_SHA_1, digest, "a9993e364706816aba3e25717850c26c9cd0d89d");
    sasl_digest(SASL_HASH_SHA_256, SLICE("abc"), digest);
    assert_digest(SASL_HASH_SHA_256, digest,
                  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void
keyed_digests_are_those_of_the_standards(void **state)
{
    uint8_t digest[SASL_DIGEST_MAX];

    (void)state;
    /* RFC 2104 appendix, RFC 2202 §3 case 2, RFC 4231 §4.3 */
    sasl_hmac(SASL_HASH_MD5, SLICE("Jefe"), SLICE("what do ya want for nothing?"), digest);
    assert_digest(SASL_HASH_MD5, digest, "750c783e6ab0b503eaa86e310a5db738");
    sasl_hmac(SASL_HASH_SHA_1, SLICE("Jefe"), SLICE("what do ya want for nothing?"), digest);
    assert_digest(SASL_HASH_SHA_1, digest, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    sasl_hmac(SASL_HASH_SHA_256, SLICE("Jefe"), SLICE("what do ya want for nothing?"), digest);
    assert_digest(SASL_HASH_SHA_256, digest,
                  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

static void
an_empty_key_is_a_key(void **state)
{
    uint8_t digest[SASL_DIGEST_MAX];

    (void)state;
    sasl_hmac(SASL_HASH_SHA_256, (struct slice){0}, (struct slice){0}, digest);
    assert_digest(SASL_HASH_SHA_256, digest,
                  "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void
both_libraries_make_the_same(void **state)
{
    static const char *const keys[] = {
        "", "Jefe", "a key that is longer than a block of SHA-256, which is sixty-four octets"};
    uint8_t left[SASL_DIGEST_MAX], right[SASL_DIGEST_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        for (size_t k = 0; k < COUNT_OF(keys); k++) {
            sasl_hmac(SASL_HASH_SHA_256, slice_of_string(keys[i]), slice_of_string(keys[k]), left);
            sasl_hmac_sha_256(slice_of_string(keys[i]), slice_of_string(keys[k]), right);
            assert_memory_equal(left, right, sizeof(left));
        }
    }
    sasl_hmac_sha_256((struct slice){0}, (struct slice){0}, right);
    assert_digest(SASL_HASH_SHA_256, right,
                  "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void
pbkdf2_is_that_of_rfc_6070(void **state)
{
    uint8_t digest[SASL_DIGEST_MAX];

    (void)state;
    sasl_pbkdf2(SASL_HASH_SHA_1, SLICE("password"), SLICE("salt"), 1, digest);
    assert_digest(SASL_HASH_SHA_1, digest, "0c60c80f961f0e71f3a9b524af6012062fe037a6");
    sasl_pbkdf2(SASL_HASH_SHA_1, SLICE("password"), SLICE("salt"), 4096, digest);
    assert_digest(SASL_HASH_SHA_1, digest, "4b007901b765489abead49d926f721d065a429c1");
}

static void
comparison_sees_length_and_every_octet(void **state)
{
    (void)state;
    assert_true(sasl_equal(SLICE("abc"), SLICE("abc")));
    assert_true(sasl_equal((struct slice){0}, (struct slice){0}));
    assert_false(sasl_equal(SLICE("abc"), SLICE("abd")));
    assert_false(sasl_equal(SLICE("abc"), SLICE("abcd")));
}

static void
wiped_memory_is_zero(void **state)
{
    uint8_t secret[4] = {1, 2, 3, 4};

    (void)state;
    sasl_wipe(secret, sizeof(secret));
    sasl_wipe(NULL, 0);
    assert_memory_equal(secret, ((uint8_t[4]){0}), 4);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_are_those_of_the_standards),
        cmocka_unit_test(keyed_digests_are_those_of_the_standards),
        cmocka_unit_test(an_empty_key_is_a_key),
        cmocka_unit_test(both_libraries_make_the_same),
        cmocka_unit_test(pbkdf2_is_that_of_rfc_6070),
        cmocka_unit_test(comparison_sees_length_and_every_octet),
        cmocka_unit_test(wiped_memory_is_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
