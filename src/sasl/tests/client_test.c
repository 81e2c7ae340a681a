/* SPDX-License-Identifier: ISC */
#include "sasl/tests/test.h"

#include "sasl/client_private.h"
#include "sasl/server.h"
#include "text/base64.h"

static struct sasl_client_options
options_of(enum sasl_mechanism mechanism, const char *nonce)
{
    return (struct sasl_client_options){
        .mechanism = mechanism,
        .authcid = SLICE("user"),
        .authzid = SLICE(""),
        .password = SLICE("pencil"),
        .nonce = slice_of_string(nonce),
        .binding = SLICE(""),
        .binding_kind = SLICE(""),
    };
}

static void
scram_examples_of_the_rfcs_run_byte_for_byte(void **state)
{
    static const struct {
        enum sasl_mechanism mechanism;
        const char *nonce, *first, *challenge, *final, *last;
    } rows[] = {
        {SASL_SCRAM_SHA_1, "fyko+d2lbbFgONRv9qkxdawL", "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
         "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
         "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
         "v=rmF9pqV8S7suAoZWja4dJRkFsKQ="},
        {SASL_SCRAM_SHA_256, "rOprNGfwEbeRWgbNEkqO", "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
         "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
         "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
         "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
         "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct sasl_client_options options = options_of(rows[i].mechanism, rows[i].nonce);
        struct sasl_client *client = sasl_client_open(&options);
        struct slice response;
        assert_slice(sasl_client_initial(client), rows[i].first);
        assert_true(sasl_client_step(client, slice_of_string(rows[i].challenge), &response));
        assert_slice(response, rows[i].final);
        assert_false(sasl_client_is_done(client));
        assert_true(sasl_client_step(client, slice_of_string(rows[i].last), &response));
        assert_slice(response, "");
        assert_true(sasl_client_is_done(client));
        sasl_client_close(&client);
    }
}

static void
scram_refuses_what_no_honest_server_says(void **state)
{
    static const char *const rows[] = {
        "",
        "r=abc,s=QSXCR+Q6sek8bf92,i=4096",         /* not our nonce */
        "r=mine,s=QSXCR+Q6sek8bf92,i=4096",        /* nothing added to it */
        "r=minemore,s=QSXCR+Q6sek8bf92,i=4095",    /* cheap to guess */
        "r=minemore,s=QSXCR+Q6sek8bf92,i=1000001", /* keeps us busy */
        "r=minemore,s=QSXCR+Q6sek8bf92,i=4096x",
        "r=minemore,s=,i=4096",
        "r=minemore,s=!,i=4096",
        "r=minemore,i=4096,s=QSXCR+Q6sek8bf92",
        "r=minemore,s=QSXCR+Q6sek8bf92",
        "r=minemore,s=QSXCR+Q6sek8bf92,x=1",
        "r=minemore,s=QSXCR+Q6sek8bf92,i=4096,m=x", /* an extension that must be known */
        "m=x,r=minemore,s=QSXCR+Q6sek8bf92,i=4096",
        "e=unknown-user",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct sasl_client_options options = options_of(SASL_SCRAM_SHA_1, "mine");
        struct sasl_client *client = sasl_client_open(&options);
        struct slice response;
        (void)sasl_client_initial(client);
        assert_false(sasl_client_step(client, slice_of_string(rows[i]), &response));
        sasl_client_close(&client);
    }
}

static void
the_salt_of_a_server_has_a_limit(void **state)
{
    uint8_t salt[SASL_SALT_MAX + 1] = {7};
    struct buffer challenge;

    (void)state;
    buffer_init(&challenge, 200);
    for (size_t over = 0; over < 2; over++) {
        struct sasl_client_options options = options_of(SASL_SCRAM_SHA_1, "mine");
        struct sasl_client *client = sasl_client_open(&options);
        struct slice response;
        (void)sasl_client_initial(client);
        buffer_clear(&challenge);
        buffer_put_text(&challenge, "r=minemore,s=");
        base64_format(slice_of(salt, SASL_SALT_MAX + over), &challenge);
        buffer_put_text(&challenge, ",i=4096");
        assert_int_equal(sasl_client_step(client, buffer_slice(&challenge), &response), over == 0);
        sasl_client_close(&client);
    }
    buffer_finish(&challenge);
}

static void
a_server_that_does_not_know_the_keys_is_found_out(void **state)
{
    static const char *const rows[] = {"", "e=other-error", "v=", "v=rmF9pqV8S7suAoZWja4dJRkFsKU="};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct sasl_client_options options = options_of(SASL_SCRAM_SHA_1, "mine");
        struct sasl_client *client = sasl_client_open(&options);
        struct slice response;
        (void)sasl_client_initial(client);
        assert_true(
            sasl_client_step(client, SLICE("r=mine2,s=QSXCR+Q6sek8bf92,i=4096"), &response));
        assert_false(sasl_client_step(client, slice_of_string(rows[i]), &response));
        assert_false(sasl_client_is_done(client));
        sasl_client_close(&client);
    }
}

/* RFC 5802 §5 and §7, with what may stand behind the verifier, and what may not. */
static void
the_last_words_of_a_server_may_have_extensions(void **state)
{
    static const struct {
        const char *text;
        bool is_good;
    } rows[] = {
        {"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=", true},      {"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=,x=1", true},
        {"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=,m=1", false}, {"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=,", false},
        {"x=1,v=rmF9pqV8S7suAoZWja4dJRkFsKQ=", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct sasl_client_options options =
            options_of(SASL_SCRAM_SHA_1, "fyko+d2lbbFgONRv9qkxdawL");
        struct sasl_client *client = sasl_client_open(&options);
        struct slice response;
        (void)sasl_client_initial(client);
        assert_true(sasl_client_step(client,
                                     SLICE("r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
                                           "s=QSXCR+Q6sek8bf92,i=4096"),
                                     &response));
        bool is_good = sasl_client_step(client, slice_of_string(rows[i].text), &response);
        assert_int_equal(is_good, rows[i].is_good);
        assert_int_equal(sasl_client_is_done(client), rows[i].is_good);
        sasl_client_close(&client);
    }
}

/* The server may know it from a time before SASLprep; SCRAM has no way to send it. */
static void
what_cannot_be_prepared_is_sent_as_it_is_by_plain(void **state)
{
    struct sasl_client_options options = options_of(SASL_PLAIN, "");

    (void)state;
    options.password = SLICE("\x07");
    struct sasl_client *client = sasl_client_open(&options);
    assert_non_null(client);
    struct slice initial = sasl_client_initial(client);
    assert_int_equal(initial.len, 7);
    assert_memory_equal(initial.at, "\0user\0\x07", 7);
    sasl_client_close(&client);
    options.password = SLICE("");
    assert_null(sasl_client_open(&options));
    options.password = SLICE("a\0b");
    assert_null(sasl_client_open(&options));
}

static void
challenges_are_taken_up_to_their_bound(void **state)
{
    static uint8_t challenge[SASL_MESSAGE_MAX + 1];

    (void)state;
    for (size_t over = 0; over < 2; over++) {
        struct sasl_client_options options = options_of(SASL_LOGIN, "");
        struct sasl_client *client = sasl_client_open(&options);
        struct slice response;
        (void)sasl_client_initial(client);
        bool is_good =
            sasl_client_step(client, slice_of(challenge, SASL_MESSAGE_MAX + over), &response);
        assert_int_equal(is_good, !over);
        sasl_client_close(&client);
    }
}

static void
plain_and_login_say_what_they_should(void **state)
{
    struct sasl_client_options options = options_of(SASL_PLAIN, "");
    struct slice response;

    (void)state;
    options.authzid = SLICE("as");
    struct sasl_client *client = sasl_client_open(&options);
    struct slice initial = sasl_client_initial(client);
    assert_int_equal(initial.len, 14);
    assert_memory_equal(initial.at, "as\0user\0pencil", 14);
    assert_true(sasl_client_is_done(client));
    assert_false(sasl_client_step(client, SLICE("what else?"), &response));
    sasl_client_close(&client);

    options = options_of(SASL_LOGIN, "");
    client = sasl_client_open(&options);
    assert_slice(sasl_client_initial(client), "user");
    assert_true(sasl_client_step(client, SLICE("Password:"), &response));
    assert_slice(response, "pencil");
    assert_true(sasl_client_is_done(client));
    assert_false(sasl_client_step(client, SLICE("Again:"), &response));
    sasl_client_close(&client);
}

static void
the_hash_is_the_one_of_the_name(void **state)
{
    (void)state;
    for (unsigned i = SASL_SCRAM_SHA_1; i <= SASL_SCRAM_SHA_256_PLUS; i++) {
        struct sasl_client_options options = options_of((enum sasl_mechanism)i, "n");
        options.binding = SLICE("bytes");
        struct sasl_client *client = sasl_client_open(&options);
        assert_int_equal(sasl_client_hash(client),
                         i < SASL_SCRAM_SHA_256 ? SASL_HASH_SHA_1 : SASL_HASH_SHA_256);
        sasl_client_close(&client);
    }
}

static void
names_and_passwords_that_cannot_be_sent_are_refused(void **state)
{
    static uint8_t long_name[1025];
    struct sasl_client_options good = options_of(SASL_SCRAM_SHA_256, "n"), bad;

    (void)state;
    memset(long_name, 'n', sizeof(long_name));
    const struct slice names[] = {SLICE(""), SLICE("a\0b"), slice_of(long_name, 1025)};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        bad = good;
        bad.authcid = names[i];
        assert_null(sasl_client_open(&bad));
    }
    const struct slice passwords[] = {SLICE(""), SLICE("\x07"), SLICE("a\0b")};
    for (size_t i = 0; i < COUNT_OF(passwords); i++) {
        bad = good;
        bad.password = passwords[i];
        assert_null(sasl_client_open(&bad));
    }
    bad = good;
    bad.mechanism = SASL_SCRAM_SHA_256_PLUS; /* without a binding */
    assert_null(sasl_client_open(&bad));
    good.authcid = slice_of(long_name, 1024);
    struct sasl_client *client = sasl_client_open(&good);
    assert_non_null(client);
    sasl_client_close(&client);
}

/* Our two sides with each other, bound and unbound, in both hashes, right and wrong password. */
static void
both_sides_agree(void **state)
{
    (void)state;
    for (unsigned n = SASL_SCRAM_SHA_1; n <= SASL_SCRAM_SHA_256_PLUS; n++) {
        for (int is_right = 0; is_right < 2; is_right++) {
            enum sasl_mechanism mechanism = (enum sasl_mechanism)n;
            struct sasl_client_options client_options = options_of(mechanism, "client");
            client_options.binding = SLICE("exported");
            client_options.binding_kind = SLICE("tls-exporter");
            client_options.is_binding_seen = true;
            client_options.authcid = SLICE("a,b=c");
            struct sasl_server_options server_options = {
                mechanism, SLICE("server"), SLICE("exported"), SLICE("tls-exporter"), true};
            struct sasl_client *client = sasl_client_open(&client_options);
            struct sasl_server *server = sasl_server_open(&server_options);
            struct sasl_scram_keys keys;
            struct slice response;
            assert_int_equal(sasl_server_start(server, true, sasl_client_initial(client)),
                             SASL_SERVER_ASK_KEYS);
            assert_slice(sasl_server_authcid(server), "a,b=c");
            sasl_scram_derive(sasl_server_hash(server), is_right ? SLICE("pencil") : SLICE("pen"),
                              SLICE("salt"), 4096, &keys);
            assert_int_equal(sasl_server_answer_keys(server, &keys, true), SASL_SERVER_CHALLENGE);
            assert_true(sasl_client_step(client, sasl_server_message(server), &response));
            enum sasl_server_status status = sasl_server_feed(server, response);
            assert_int_equal(status, is_right ? SASL_SERVER_GRANTED : SASL_SERVER_FAILED);
            assert_int_equal(sasl_client_step(client, sasl_server_message(server), &response),
                             is_right);
            sasl_server_close(&server);
            sasl_client_close(&client);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scram_examples_of_the_rfcs_run_byte_for_byte),
        cmocka_unit_test(scram_refuses_what_no_honest_server_says),
        cmocka_unit_test(the_salt_of_a_server_has_a_limit),
        cmocka_unit_test(a_server_that_does_not_know_the_keys_is_found_out),
        cmocka_unit_test(the_last_words_of_a_server_may_have_extensions),
        cmocka_unit_test(what_cannot_be_prepared_is_sent_as_it_is_by_plain),
        cmocka_unit_test(challenges_are_taken_up_to_their_bound),
        cmocka_unit_test(plain_and_login_say_what_they_should),
        cmocka_unit_test(the_hash_is_the_one_of_the_name),
        cmocka_unit_test(names_and_passwords_that_cannot_be_sent_are_refused),
        cmocka_unit_test(both_sides_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
