/* SPDX-License-Identifier: ISC */
#include "directory/tests/test.h"

#include "directory/password.h"
#include "directory/secret.h"

static const uint8_t random_octets[DIRECTORY_RANDOM_LEN] = {
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, [40] = 40, [60] = 60};

static enum directory_secret_result
make(struct buffer *line, struct directory_secret_options options, struct slice password)
{
    options.name = SLICE("alice@example.test");
    options.id = 7;
    return directory_secret_make(line, &options, password,
                                 slice_of(random_octets, sizeof(random_octets)));
}

static void
made_secrets_prove_their_password(void **state)
{
    static const struct directory_secret_options options[] = {
        {.scheme = DIRECTORY_YESCRYPT},
        {.scheme = DIRECTORY_ARGON2ID},
        {.scheme = DIRECTORY_YESCRYPT, .without_scram = true},
        {.scheme = DIRECTORY_YESCRYPT, .with_apop = true, .with_sha_1 = true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        struct buffer line;
        buffer_init(&line, 4096);
        assert_int_equal(make(&line, options[i], SLICE("correct \"horse\"")),
                         DIRECTORY_SECRET_MADE);
        struct directory_secrets *secrets = directory_secrets_parse(buffer_slice(&line), 5);
        assert_int_equal(directory_secrets_problem_count(secrets), 0);
        const struct directory_secret *secret = directory_secret_find(secrets, 7);
        assert_non_null(secret);
        assert_true(
            slice_starts_with(secret->crypt, options[i].scheme == DIRECTORY_YESCRYPT
                                                 ? SLICE("$y$j9T$")
                                                 : SLICE("$argon2id$v=19$m=65536,t=2,p=1$")));
        assert_int_equal(directory_password_verify(secret->crypt, SLICE("correct \"horse\"")),
                         DIRECTORY_PASSWORD_RIGHT);
        assert_int_equal(directory_password_verify(secret->crypt, SLICE("correct \"horse")),
                         DIRECTORY_PASSWORD_WRONG);
        assert_int_equal(secret->sha_256 != NULL, !options[i].without_scram);
        assert_int_equal(secret->sha_1 != NULL, options[i].with_sha_1);
        assert_slice(secret->apop, options[i].with_apop ? "correct \"horse\"" : "");
        if (secret->sha_256) {
            struct sasl_scram_keys keys;
            sasl_scram_derive(SASL_HASH_SHA_256, SLICE("correct \"horse\""),
                              slice_of(secret->sha_256->salt, secret->sha_256->salt_len),
                              secret->sha_256->iterations, &keys);
            assert_memory_equal(keys.stored, secret->sha_256->stored, 32);
        }
        directory_secrets_close(&secrets);
        buffer_finish(&line);
    }
}

static void
passwords_are_taken_up_to_their_bound(void **state)
{
    static uint8_t password[DIRECTORY_PASSWORD_MAX + 1];
    struct buffer line;

    (void)state;
    memset(password, 'p', sizeof(password));
    buffer_init(&line, 4096);
    const struct directory_secret_options options = {.without_scram = true};
    assert_int_equal(make(&line, options, slice_of(password, DIRECTORY_PASSWORD_MAX)),
                     DIRECTORY_SECRET_MADE);
    buffer_clear(&line);
    assert_int_equal(make(&line, options, slice_of(password, sizeof(password))),
                     DIRECTORY_SECRET_BAD_PASSWORD);
    assert_int_equal(make(&line, options, SLICE("")), DIRECTORY_SECRET_BAD_PASSWORD);
    assert_int_equal(make(&line, options, SLICE("a\0b")), DIRECTORY_SECRET_BAD_PASSWORD);
    assert_int_equal(make(&line, options, SLICE("bell\x07")), DIRECTORY_SECRET_BAD_PASSWORD);
    assert_int_equal(buffer_len(&line), 0);
    struct directory_secret_options nameless = {.name = SLICE("x\ny"), .id = 1};
    assert_int_equal(directory_secret_make(&line, &nameless, SLICE("x"),
                                           slice_of(random_octets, sizeof(random_octets))),
                     DIRECTORY_SECRET_BAD_NAME);
    assert_int_equal(buffer_len(&line), 0);
    buffer_finish(&line);
}

static void
hashes_from_elsewhere_are_verified(void **state)
{
    /* The good ones are the examples of SHA-crypt. */
    static const struct {
        const char *crypt, *password; /* NULL: refused, or not to be had by any password */
    } rows[] = {
        {"$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/"
         "O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
         "Hello world!"},
        {"{SHA256-CRYPT}$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5", "Hello world!"},
        {"$2b$04$abcdefghijklmnopqrstuu", NULL}, /* cut, but of a known method */
        {"rl0uE0dZjzYGM", NULL},                 /* DES */
        {"*", NULL},
        {"!", NULL},
        {"", NULL},
        {"$nonsense$x", NULL},
        {"plain", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct directory_secret_options options = {.name = SLICE("a@b.test"), .id = 3};
        struct buffer line;
        buffer_init(&line, 1024);
        bool is_imported = directory_secret_import(&line, &options, slice_of_string(rows[i].crypt));
        assert_int_equal(is_imported, i < 3);
        if (rows[i].password) {
            struct directory_secrets *secrets = directory_secrets_parse(buffer_slice(&line), 5);
            const struct directory_secret *secret = directory_secret_find(secrets, 3);
            assert_int_equal(
                directory_password_verify(secret->crypt, slice_of_string(rows[i].password)),
                DIRECTORY_PASSWORD_RIGHT);
            assert_int_equal(directory_password_verify(secret->crypt, SLICE("other")),
                             DIRECTORY_PASSWORD_WRONG);
            directory_secrets_close(&secrets);
        }
        /* What is no hash fits nothing, either. */
        assert_int_not_equal(
            directory_password_verify(slice_of_string(rows[i].crypt), SLICE("wrong")),
            DIRECTORY_PASSWORD_RIGHT);
        buffer_finish(&line);
    }
}

static void
nothing_fits_the_fake(void **state)
{
    (void)state;
    assert_int_equal(directory_password_verify(directory_password_fake(), SLICE("")),
                     DIRECTORY_PASSWORD_WRONG);
    assert_int_equal(directory_password_verify(directory_password_fake(), SLICE("password")),
                     DIRECTORY_PASSWORD_WRONG);
}

static void
a_damaged_line_loses_no_other_and_shows_no_secret(void **state)
{
    static const char *const bad[] = {
        "secret\n",
        "secret a@a.test apop=hunter2\n",
        "secret a@a.test id=0 apop=hunter2\n",
        "secret a@a.test id=1 crypt=hunter2\n",
        "secret a@a.test id=1 crypt=$none$hunter2\n",
        "secret a@a.test id=1 scram-sha-256=4096,hunter2\n",
        "secret a@a.test id=1 hunter2\n",
        "secret a@a.test id=1 apop=\"hunter2\n",
        "hunter2 a@a.test id=1\n",
        "secret a@a.test removed\n",
        "installation key=hunter2\n",
        "installation\n",
    };
    char text[256];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        snprintf(text, sizeof(text), "%ssecret b@a.test id=2 apop=good\n", bad[i]);
        struct directory_secrets *secrets = directory_secrets_parse(slice_of_string(text), 5);
        if (directory_secrets_problem_count(secrets) != 1)
            fail_msg("no problem seen in %s", bad[i]);
        const struct directory_problem *problem = directory_secrets_problem(secrets, 0);
        assert_int_equal(problem->line, 1);
        assert_int_equal(slice_find(problem->place, SLICE("hunter2")), problem->place.len);
        assert_slice(directory_secret_find(secrets, 2)->apop, "good");
        assert_null(directory_secret_find(secrets, 1));
        directory_secrets_close(&secrets);
    }
}

/* Wherever the hash came from: nobody logs in without a password, nor with a piece of one. */
static void
nothing_is_no_password(void **state)
{
    const struct slice of_nothing =
        SLICE("$6$saltsalt$qkTgsCrWMTAS9gBGcf9W60sFfH.hU0oTCAOJjh"
              "bz5tSp/sU3/xXZK4OFwCtq8lIIdpJ6CatVdOTSHKp97TPkt/");
    const struct slice of_x =
        SLICE("$6$saltsalt$8RWsOfwR6M6PpnoeQiEiWzNTPo1f0HjVYjDnLZ"
              "hGx16aBFRkeqiHAzfXP/LgrOWMBMXqiU2pLrXsSOHNUyUm91");
    uint8_t text[DIRECTORY_CRYPT_MAX + 100] = "$6$";
    struct buffer line;

    (void)state;
    assert_int_equal(directory_password_verify(of_x, SLICE("x")), DIRECTORY_PASSWORD_RIGHT);
    assert_int_equal(directory_password_verify(of_nothing, SLICE("")), DIRECTORY_PASSWORD_WRONG);
    assert_int_equal(directory_password_verify(SLICE(""), SLICE("x")), DIRECTORY_PASSWORD_WRONG);
    assert_int_equal(directory_password_verify(SLICE(""), SLICE("")), DIRECTORY_PASSWORD_WRONG);
    assert_true(directory_crypt_is_known(of_x));
    /* A hash that is longer than any. */
    memset(text + 3, 'x', sizeof(text) - 3);
    assert_false(directory_crypt_is_known(slice_of(text, sizeof(text))));
    assert_int_equal(directory_password_verify(slice_of(text, sizeof(text)), SLICE("x")),
                     DIRECTORY_PASSWORD_WRONG);
    assert_false(directory_crypt_is_known(SLICE("$6")));
    assert_false(directory_crypt_is_known(SLICE("$6$")));
    assert_true(directory_crypt_is_known(SLICE("$6$x")));
    buffer_init(&line, 4096);
    assert_int_not_equal(make(&line, (struct directory_secret_options){0}, SLICE("")),
                         DIRECTORY_SECRET_MADE);
    assert_int_equal(buffer_len(&line), 0);
    buffer_finish(&line);
}

/* 31, 32 and 33 octets; and as many that are no base64. */
static void
a_key_has_its_length(void **state)
{
    static const struct {
        const char *line;
        bool is_good;
    } rows[] = {
        {"installation key=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\n", false},
        {"installation key=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", true},
        {"installation key=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", false},
        {"installation key=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA!=\n", false},
        {"installation key=\n", false},
        {"installation\n", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct directory_secrets *secrets =
            directory_secrets_parse(slice_of_string(rows[i].line), 5);
        if ((directory_secrets_problem_count(secrets) == 0) != rows[i].is_good)
            fail_msg("%s", rows[i].line);
        assert_int_equal(directory_secrets_key(secrets).len,
                         rows[i].is_good ? DIRECTORY_KEY_LEN : 0);
        directory_secrets_close(&secrets);
    }
}

static void
a_password_for_apop_has_its_length(void **state)
{
    struct buffer line;

    (void)state;
    buffer_init(&line, 4096);
    for (size_t len = 0; len <= DIRECTORY_PASSWORD_MAX + 1; len += len ? 1 : 510) {
        buffer_clear(&line);
        buffer_put_text(&line, "secret a@b.test id=7 apop=\"");
        for (size_t i = 0; i < len; i++)
            buffer_put_byte(&line, 'p');
        buffer_put_text(&line, "\"\n");
        struct directory_secrets *secrets = directory_secrets_parse(buffer_slice(&line), 5);
        assert_int_equal(directory_secrets_problem_count(secrets) == 0,
                         len > 0 && len <= DIRECTORY_PASSWORD_MAX);
        directory_secrets_close(&secrets);
    }
    buffer_finish(&line);
}

static void
removal_and_key_are_read_again(void **state)
{
    static const uint8_t key[DIRECTORY_KEY_LEN] = {9, 8, 7};
    struct buffer text;

    (void)state;
    buffer_init(&text, 1024);
    buffer_put_text(&text, "secret a@a.test id=1 apop=x\n");
    assert_true(directory_secret_put_removed(&text, SLICE("a@a.test"), 1));
    directory_secret_put_key(&text, slice_of(key, sizeof(key)));
    struct directory_secrets *secrets = directory_secrets_parse(buffer_slice(&text), 5);
    assert_null(directory_secret_find(secrets, 1));
    assert_int_equal(directory_secrets_key(secrets).len, DIRECTORY_KEY_LEN);
    assert_memory_equal(directory_secrets_key(secrets).at, key, DIRECTORY_KEY_LEN);
    directory_secrets_close(&secrets);
    assert_null(secrets);
    buffer_finish(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_secrets_prove_their_password),
        cmocka_unit_test(passwords_are_taken_up_to_their_bound),
        cmocka_unit_test(hashes_from_elsewhere_are_verified),
        cmocka_unit_test(nothing_fits_the_fake),
        cmocka_unit_test(a_damaged_line_loses_no_other_and_shows_no_secret),
        cmocka_unit_test(nothing_is_no_password),
        cmocka_unit_test(a_key_has_its_length),
        cmocka_unit_test(a_password_for_apop_has_its_length),
        cmocka_unit_test(removal_and_key_are_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
