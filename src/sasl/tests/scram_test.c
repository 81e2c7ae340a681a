/* SPDX-License-Identifier: ISC */
#include "sasl/tests/test.h"

#include "sasl/scram.h"

static void
keys_survive_writing_and_reading(void **state)
{
    struct sasl_scram_keys keys, again;
    struct buffer text;

    (void)state;
    buffer_init(&text, 512);
    for (int hash = SASL_HASH_SHA_1; hash <= SASL_HASH_SHA_256; hash++) {
        buffer_clear(&text);
        sasl_scram_derive((enum sasl_hash)hash, SLICE("pencil"), SLICE("salt of sixteen."), 4096,
                          &keys);
        sasl_scram_format(&text, &keys);
        assert_true(sasl_scram_parse((enum sasl_hash)hash, buffer_slice(&text), &again));
        assert_memory_equal(&keys, &again, sizeof(keys));
    }
    buffer_finish(&text);
}

static void
keys_with_bad_fields_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "4095,W22ZaJ0SNY7soEsUEjb6gQ==,AA==,AA==",
        "1000001,W22ZaJ0SNY7soEsUEjb6gQ==,AA==,AA==",
        "4096,,3q2+796tvu/erb7v3q2+796tvu8=,3q2+796tvu/erb7v3q2+796tvu8=",
        "4096,AAAA,3q2+796tvu/erb7v3q2+796tvu8=",
        "4096,AAAA,3q2+796tvu/erb7v3q2+796tvg==,3q2+796tvu/erb7v3q2+796tvu8=",
        "4096,AAAA,3q2+796tvu/erb7v3q2+796tvu8=,3q2+796tvu/erb7v3q2+796tvu8=,",
        "4096,AA!A,3q2+796tvu/erb7v3q2+796tvu8=,3q2+796tvu/erb7v3q2+796tvu8=",
    };
    struct sasl_scram_keys keys;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        assert_false(sasl_scram_parse(SASL_HASH_SHA_1, slice_of_string(texts[i]), &keys));
    assert_true(sasl_scram_parse(
        SASL_HASH_SHA_1,
        SLICE("4096,AAAA,3q2+796tvu/erb7v3q2+796tvu8=,3q2+796tvu/erb7v3q2+796tvu8="), &keys));
}

static void
salts_are_taken_up_to_their_bound(void **state)
{
    struct sasl_scram_keys keys, again;
    uint8_t salt[SASL_SALT_MAX] = {7};
    struct buffer text;

    (void)state;
    buffer_init(&text, 512);
    sasl_scram_derive(SASL_HASH_SHA_256, SLICE("x"), slice_of(salt, sizeof(salt)), 4096, &keys);
    sasl_scram_format(&text, &keys);
    assert_true(sasl_scram_parse(SASL_HASH_SHA_256, buffer_slice(&text), &again));
    assert_int_equal(again.salt_len, SASL_SALT_MAX);
    /* One octet more of salt: "AAAA" in front of its base64 makes three. */
    struct buffer longer;
    buffer_init(&longer, 512);
    buffer_put_text(&longer, "4096,AAAA");
    buffer_put(&longer, slice_skip(buffer_slice(&text), 5));
    assert_false(sasl_scram_parse(SASL_HASH_SHA_256, buffer_slice(&longer), &again));
    buffer_finish(&longer);
    buffer_finish(&text);
}

static void
fake_keys_stay_the_same_for_a_name(void **state)
{
    struct sasl_scram_keys first, again, other, elsewhere, sha_1;

    (void)state;
    sasl_scram_fake(SASL_HASH_SHA_256, SLICE("key"), SLICE("a@b"), &first);
    sasl_scram_fake(SASL_HASH_SHA_256, SLICE("key"), SLICE("a@b"), &again);
    sasl_scram_fake(SASL_HASH_SHA_256, SLICE("key"), SLICE("a@c"), &other);
    sasl_scram_fake(SASL_HASH_SHA_256, SLICE("yek"), SLICE("a@b"), &elsewhere);
    sasl_scram_fake(SASL_HASH_SHA_1, SLICE("key"), SLICE("a@b"), &sha_1);
    assert_memory_equal(&first, &again, sizeof(first));
    assert_memory_not_equal(first.salt, other.salt, SASL_SALT_LEN);
    assert_memory_not_equal(first.salt, elsewhere.salt, SASL_SALT_LEN);
    assert_memory_not_equal(first.salt, sha_1.salt, SASL_SALT_LEN);
    assert_int_equal(first.iterations, SASL_ITERATIONS_DEFAULT);
    assert_int_equal(first.salt_len, SASL_SALT_LEN);
}

static void
a_nonce_is_text(void **state)
{
    static const uint8_t random[SASL_NONCE_RANDOM_LEN] = {0xFF, 0xFE, 0xFD};
    uint8_t room[SASL_NONCE_LEN];

    (void)state;
    assert_slice(sasl_nonce_format(random, room), "//79AAAAAAAAAAAAAAAAAAAA");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_survive_writing_and_reading),
        cmocka_unit_test(keys_with_bad_fields_are_refused),
        cmocka_unit_test(salts_are_taken_up_to_their_bound),
        cmocka_unit_test(fake_keys_stay_the_same_for_a_name),
        cmocka_unit_test(a_nonce_is_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
