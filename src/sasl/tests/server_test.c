/* SPDX-License-Identifier: ISC */
#include "sasl/tests/test.h"

#include "sasl/server.h"

struct setup {
    enum sasl_mechanism mechanism;
    const char *nonce;
    const char *binding, *binding_kind;
    bool is_binding_offered;
};

static struct sasl_server *
open_server(struct setup setup)
{
    struct sasl_server_options options = {
        .mechanism = setup.mechanism,
        .nonce = slice_of_string(setup.nonce ? setup.nonce : "nonce"),
        .binding = slice_of_string(setup.binding ? setup.binding : ""),
        .binding_kind = slice_of_string(setup.binding_kind ? setup.binding_kind : ""),
        .is_binding_offered = setup.is_binding_offered,
    };
    return sasl_server_open(&options);
}

/* The conversation of RFC 5802 §5 and RFC 7677 §3: user "user", password "pencil". */
static const struct example {
    enum sasl_mechanism mechanism;
    enum sasl_hash hash;
    const char *nonce, *salt;
    size_t salt_len;
    const char *first, *challenge, *final, *last;
} examples[] = {
    {SASL_SCRAM_SHA_1, SASL_HASH_SHA_1, "3rfcNHYJY1ZVvWVs7j",
     "\x41\x25\xC2\x47\xE4\x3A\xB1\xE9\x3C\x6D\xFF\x76", 12, "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
     "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
     "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
     "v=rmF9pqV8S7suAoZWja4dJRkFsKQ="},
    {SASL_SCRAM_SHA_256, SASL_HASH_SHA_256, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
     "\x5B\x6D\x99\x68\x9D\x12\x35\x8E\xEC\xA0\x4B\x14\x12\x36\xFA\x81", 16,
     "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
     "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
     "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
     "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
     "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="},
};

static void
scram_examples_of_the_rfcs_run_byte_for_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(examples); i++) {
        const struct example *example = &examples[i];
        struct sasl_scram_keys keys;
        struct sasl_server *server =
            open_server((struct setup){.mechanism = example->mechanism, .nonce = example->nonce});
        sasl_scram_derive(example->hash, SLICE("pencil"),
                          slice_of(example->salt, example->salt_len), 4096, &keys);
        assert_int_equal(sasl_server_start(server, true, slice_of_string(example->first)),
                         SASL_SERVER_ASK_KEYS);
        assert_slice(sasl_server_authcid(server), "user");
        assert_slice(sasl_server_authzid(server), "");
        assert_int_equal(sasl_server_hash(server), example->hash);
        assert_int_equal(sasl_server_answer_keys(server, &keys, true), SASL_SERVER_CHALLENGE);
        assert_slice(sasl_server_message(server), example->challenge);
        assert_int_equal(sasl_server_feed(server, slice_of_string(example->final)),
                         SASL_SERVER_GRANTED);
        assert_slice(sasl_server_message(server), example->last);
        sasl_server_close(&server);
        assert_null(server);
    }
}

static void
tokens_are_taken_as_both_mechanisms_send_them(void **state)
{
    static const struct {
        enum sasl_mechanism mechanism;
        const char *message, *authzid, *token; /* NULL: malformed */
    } cases[] = {
        {SASL_OAUTHBEARER,
         "n,a=ann@example.test,\1host=server.example.com\1port=143\1auth=Bearer vF9dft4q==\1\1",
         "ann@example.test", "vF9dft4q=="},
        {SASL_OAUTHBEARER, "n,,\1auth=bearer  a.b.c\1\1", "", "a.b.c"},
        {SASL_OAUTHBEARER, "y,a=a=2Cb=3Dc,\1auth=Bearer x\1\1", "a,b=c", "x"},
        {SASL_OAUTHBEARER, "n,a=a=2,\1auth=Bearer x\1\1", NULL, NULL},
        {SASL_OAUTHBEARER, "p=tls-exporter,,\1auth=Bearer x\1\1", NULL, NULL},
        {SASL_OAUTHBEARER, "n,,\1auth=Basic x\1\1", NULL, NULL},
        {SASL_OAUTHBEARER, "n,,\1auth=Bearer x\1auth=Bearer y\1\1", NULL, NULL},
        {SASL_OAUTHBEARER, "n,,\1auth=Bearer x\1", NULL, NULL},
        {SASL_OAUTHBEARER, "n,,\1auth=Bearer \1\1", NULL, NULL},
        {SASL_OAUTHBEARER, "n,,\1auth=Bearer \1auth=Bearer x\1\1", NULL, NULL},
        {SASL_OAUTHBEARER, "n,,\1auth=Bearer x\1\1x", NULL, NULL},
        {SASL_OAUTHBEARER, "n,,auth=Bearer x\1\1", NULL, NULL},
        {SASL_OAUTHBEARER, "", NULL, NULL},
        {SASL_XOAUTH2, "user=ann@example.test\1auth=Bearer ya29.x\1\1", "ann@example.test",
         "ya29.x"},
        {SASL_XOAUTH2, "user=ann\1auth=Bearer\1\1", NULL, NULL},
        {SASL_XOAUTH2, "user\1auth=Bearer x\1\1", NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct sasl_server *server = open_server((struct setup){.mechanism = cases[i].mechanism});
        enum sasl_server_status status =
            sasl_server_start(server, true, slice_of_string(cases[i].message));
        if (!cases[i].token) {
            assert_int_equal(status, SASL_SERVER_FAILED);
            assert_int_equal(sasl_server_failure(server), SASL_FAILURE_MALFORMED);
        } else {
            assert_int_equal(status, SASL_SERVER_ASK_TOKEN);
            assert_slice(sasl_server_token(server), cases[i].token);
            assert_slice(sasl_server_authzid(server), cases[i].authzid);
            assert_int_equal(sasl_server_answer_token(server, true), SASL_SERVER_GRANTED);
            assert_slice(sasl_server_token(server), "");
        }
        sasl_server_close(&server);
    }
}

/* RFC 4422 appendix A: the message is who the client wants to act as, or empty. */
static void
external_asks_whether_tls_has_the_proof(void **state)
{
    static const struct setup setup = {.mechanism = SASL_EXTERNAL};

    (void)state;
    struct sasl_server *server = open_server(setup);
    assert_int_equal(sasl_server_start(server, false, SLICE("")), SASL_SERVER_CHALLENGE);
    assert_slice(sasl_server_message(server), "");
    assert_int_equal(sasl_server_feed(server, SLICE("ann")), SASL_SERVER_ASK_EXTERNAL);
    assert_slice(sasl_server_authzid(server), "ann");
    assert_int_equal(sasl_server_answer_external(server, true), SASL_SERVER_GRANTED);
    sasl_server_close(&server);

    server = open_server(setup);
    assert_int_equal(sasl_server_start(server, true, SLICE("")), SASL_SERVER_ASK_EXTERNAL);
    assert_slice(sasl_server_authzid(server), "");
    assert_int_equal(sasl_server_answer_external(server, false), SASL_SERVER_FAILED);
    assert_int_equal(sasl_server_failure(server), SASL_FAILURE_CREDENTIALS);
    sasl_server_close(&server);

    server = open_server(setup);
    assert_int_equal(sasl_server_start(server, true, slice_of("a\0b", 3)), SASL_SERVER_FAILED);
    assert_int_equal(sasl_server_failure(server), SASL_FAILURE_MALFORMED);
    sasl_server_close(&server);
}

/* RFC 7628 §3.2.3: the server says why, the client says something, the exchange fails. */
static void
a_bad_token_is_told_of_before_the_end(void **state)
{
    static const struct {
        enum sasl_mechanism mechanism;
        const char *message, *told;
    } cases[] = {
        {SASL_OAUTHBEARER, "n,,\1auth=Bearer x\1\1", "{\"status\":\"invalid_token\"}"},
        {SASL_OAUTHBEARER, "n,,\1\1", "{\"status\":\"invalid_token\"}"}, /* asks what there is */
        {SASL_XOAUTH2, "user=a\1auth=Bearer x\1\1",
         "{\"status\":\"401\",\"schemes\":\"bearer\",\"scope\":\"mail\"}"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct sasl_server *server = open_server((struct setup){.mechanism = cases[i].mechanism});
        assert_int_equal(sasl_server_start(server, false, SLICE("")), SASL_SERVER_CHALLENGE);
        assert_slice(sasl_server_message(server), "");
        enum sasl_server_status status =
            sasl_server_feed(server, slice_of_string(cases[i].message));
        if (status == SASL_SERVER_ASK_TOKEN)
            status = sasl_server_answer_token(server, false);
        assert_int_equal(status, SASL_SERVER_CHALLENGE);
        assert_slice(sasl_server_message(server), cases[i].told);
        assert_int_equal(sasl_server_feed(server, SLICE("\1")), SASL_SERVER_FAILED);
        assert_int_equal(sasl_server_failure(server), SASL_FAILURE_CREDENTIALS);
        sasl_server_close(&server);
    }
}

/* Runs example 1 with one message replaced; returns why it failed. */
static enum sasl_failure
spoiled(const char *first, const char *final, bool is_real)
{
    const struct example *example = &examples[1];
    struct sasl_scram_keys keys;
    struct sasl_server *server =
        open_server((struct setup){.mechanism = example->mechanism, .nonce = example->nonce});
    enum sasl_server_status status =
        sasl_server_start(server, true, slice_of_string(first ? first : example->first));

    if (status == SASL_SERVER_ASK_KEYS) {
        sasl_scram_derive(example->hash, SLICE("pencil"),
                          slice_of(example->salt, example->salt_len), 4096, &keys);
        assert_int_equal(sasl_server_answer_keys(server, &keys, is_real), SASL_SERVER_CHALLENGE);
        status = sasl_server_feed(server, slice_of_string(final ? final : example->final));
    }
    assert_int_equal(status, SASL_SERVER_FAILED);
    assert_int_equal(sasl_server_message(server).len, 0);
    enum sasl_failure failure = sasl_server_failure(server);
    sasl_server_close(&server);
    return failure;
}

#define NONCE "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define PROOF "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="

static void
scram_refuses_every_other_final_message(void **state)
{
    static const struct {
        const char *final;
        enum sasl_failure failure;
    } rows[] = {
        {"c=biws,r=" NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVU=",
         SASL_FAILURE_CREDENTIALS},
        {"c=biws,r=" NONCE ",x=y," PROOF, SASL_FAILURE_CREDENTIALS},
        {"c=eSws,r=" NONCE "," PROOF, SASL_FAILURE_BINDING}, /* "y,," */
        {"c=biwsYWJj,r=" NONCE "," PROOF, SASL_FAILURE_BINDING},
        {"c=,r=" NONCE "," PROOF, SASL_FAILURE_BINDING},
        {"c=biws,r=rOprNGfwEbeRWgbNEkqO," PROOF, SASL_FAILURE_MALFORMED},
        {"c=biws,r=" NONCE, SASL_FAILURE_MALFORMED},
        {"c=biws,r=" NONCE ",p=", SASL_FAILURE_MALFORMED},
        {"c=biws,r=" NONCE ",p=dHzb", SASL_FAILURE_MALFORMED},
        {"c=biws,r=" NONCE "," PROOF ",x=y", SASL_FAILURE_MALFORMED},
        {"c=biws,r=" NONCE ",m=a," PROOF, SASL_FAILURE_MALFORMED},
        {"r=" NONCE ",c=biws," PROOF, SASL_FAILURE_MALFORMED},
        {"", SASL_FAILURE_MALFORMED},
        {",", SASL_FAILURE_MALFORMED},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(spoiled(NULL, rows[i].final, true), rows[i].failure);
}

static void
scram_refuses_first_messages_outside_the_grammar(void **state)
{
    static const char *const rows[] = {
        "",
        "n",
        "n,",
        "n,,",
        "n,,n=user",
        "n,,n=user,r=",
        "n,,n=,r=abc",
        "n,,r=abc,n=user",
        "n,,n=us=er,r=abc",
        "n,,n=user,r=a\tb",
        "n,,n=user,r=abc,",
        "n,,n=user,r=abc,m=x",
        "n,,m=x,n=user,r=abc",
        "n,,n=user,r=abc,1=x",
        "n,a=,n=user,r=abc",
        "n,b=x,n=user,r=abc",
        "n,n=user,r=abc",
        "n,a=x",
        "n,a=x=zz,n=user,r=abc",
        "x,,n=user,r=abc",
        "p=tls-exporter,,n=user,r=abc", /* only -PLUS may */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(spoiled(rows[i], NULL, true), SASL_FAILURE_MALFORMED);
}

static void
a_user_that_does_not_exist_fails_at_the_proof(void **state)
{
    (void)state;
    assert_int_equal(spoiled(NULL, NULL, false), SASL_FAILURE_CREDENTIALS);
}

static void
names_and_acting_names_are_decoded(void **state)
{
    struct sasl_server *server = open_server((struct setup){.mechanism = SASL_SCRAM_SHA_256});

    (void)state;
    assert_int_equal(sasl_server_start(server, true, SLICE("y,a=b=3Dc,n=a=2Cb,r=xyz,f=ext,g=more")),
                     SASL_SERVER_ASK_KEYS);
    assert_slice(sasl_server_authcid(server), "a,b");
    assert_slice(sasl_server_authzid(server), "b=c");
    sasl_server_close(&server);
}

static void
a_client_that_was_not_shown_plus_is_found_out(void **state)
{
    struct sasl_server *server = open_server((struct setup){.mechanism = SASL_SCRAM_SHA_256,
                                                            .binding = "bytes",
                                                            .binding_kind = "tls-exporter",
                                                            .is_binding_offered = true});

    (void)state;
    assert_int_equal(sasl_server_start(server, true, SLICE("y,,n=user,r=abc")), SASL_SERVER_FAILED);
    assert_int_equal(sasl_server_failure(server), SASL_FAILURE_BINDING);
    sasl_server_close(&server);
}

static void
plus_wants_the_binding_that_we_have(void **state)
{
    static const struct {
        const char *first, *binding;
        enum sasl_server_status status;
        enum sasl_failure failure;
    } rows[] = {
        {"p=tls-exporter,,n=user,r=abc", "bytes", SASL_SERVER_ASK_KEYS, 0},
        {"p=tls-unique,,n=user,r=abc", "bytes", SASL_SERVER_FAILED, SASL_FAILURE_BINDING},
        {"p=tls-exporter,,n=user,r=abc", "", SASL_SERVER_FAILED, SASL_FAILURE_BINDING},
        {"n,,n=user,r=abc", "bytes", SASL_SERVER_FAILED, SASL_FAILURE_MALFORMED},
        {"y,,n=user,r=abc", "bytes", SASL_SERVER_FAILED, SASL_FAILURE_BINDING},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct sasl_server *server =
            open_server((struct setup){.mechanism = SASL_SCRAM_SHA_256_PLUS,
                                       .binding = rows[i].binding,
                                       .binding_kind = "tls-exporter",
                                       .is_binding_offered = true});
        assert_int_equal(sasl_server_start(server, true, slice_of_string(rows[i].first)),
                         rows[i].status);
        if (rows[i].status == SASL_SERVER_FAILED)
            assert_int_equal(sasl_server_failure(server), rows[i].failure);
        sasl_server_close(&server);
    }
}

static void
plain_asks_for_the_password(void **state)
{
    struct sasl_server *server = open_server((struct setup){.mechanism = SASL_PLAIN});

    (void)state;
    assert_int_equal(sasl_server_start(server, false, SLICE("")), SASL_SERVER_CHALLENGE);
    assert_slice(sasl_server_message(server), "");
    assert_int_equal(sasl_server_feed(server, SLICE("as\0tim\0tanstaaftanstaaf")),
                     SASL_SERVER_ASK_PASSWORD);
    assert_slice(sasl_server_authzid(server), "as");
    assert_slice(sasl_server_authcid(server), "tim");
    assert_slice(sasl_server_password(server), "tanstaaftanstaaf");
    assert_int_equal(sasl_server_answer_password(server, true), SASL_SERVER_GRANTED);
    assert_slice(sasl_server_password(server), "");
    sasl_server_close(&server);
}

static void
plain_messages_outside_the_grammar_are_refused(void **state)
{
    static const struct slice rows[] = {
        {(const uint8_t *)"", 0},         {(const uint8_t *)"\0", 1},
        {(const uint8_t *)"\0\0", 2},     {(const uint8_t *)"\0tim\0", 5},
        {(const uint8_t *)"\0\0pass", 6}, {(const uint8_t *)"\0tim\0pa\0ss", 10},
        {(const uint8_t *)"tim", 3},      {(const uint8_t *)"a\0tim", 5},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct sasl_server *server = open_server((struct setup){.mechanism = SASL_PLAIN});
        assert_int_equal(sasl_server_start(server, true, rows[i]), SASL_SERVER_FAILED);
        assert_int_equal(sasl_server_failure(server), SASL_FAILURE_MALFORMED);
        sasl_server_close(&server);
    }
}

static void
login_asks_for_name_and_password(void **state)
{
    (void)state;
    for (int has_initial = 0; has_initial < 2; has_initial++) {
        struct sasl_server *server = open_server((struct setup){.mechanism = SASL_LOGIN});
        if (has_initial) {
            assert_int_equal(sasl_server_start(server, true, SLICE("tim")), SASL_SERVER_CHALLENGE);
        } else {
            assert_int_equal(sasl_server_start(server, false, SLICE("")), SASL_SERVER_CHALLENGE);
            assert_slice(sasl_server_message(server), "Username:");
            assert_int_equal(sasl_server_feed(server, SLICE("tim")), SASL_SERVER_CHALLENGE);
        }
        assert_slice(sasl_server_message(server), "Password:");
        assert_int_equal(sasl_server_feed(server, SLICE("secret")), SASL_SERVER_ASK_PASSWORD);
        assert_slice(sasl_server_authcid(server), "tim");
        assert_slice(sasl_server_password(server), "secret");
        assert_int_equal(sasl_server_answer_password(server, false), SASL_SERVER_FAILED);
        assert_int_equal(sasl_server_failure(server), SASL_FAILURE_CREDENTIALS);
        sasl_server_close(&server);
    }
}

static void
messages_are_taken_up_to_their_bound(void **state)
{
    static uint8_t message[SASL_MESSAGE_MAX + 1];

    (void)state;
    memset(message, 'x', sizeof(message));
    message[0] = message[4] = 0;
    for (size_t extra = 0; extra < 2; extra++) {
        struct sasl_server *server = open_server((struct setup){.mechanism = SASL_PLAIN});
        assert_int_equal(
            sasl_server_start(server, true, slice_of(message, SASL_MESSAGE_MAX + extra)),
            extra ? SASL_SERVER_FAILED : SASL_SERVER_ASK_PASSWORD);
        sasl_server_close(&server);
    }
}

static void
client_nonces_are_taken_up_to_their_bound(void **state)
{
    struct buffer first;

    (void)state;
    buffer_init(&first, 1024);
    for (size_t extra = 0; extra < 2; extra++) {
        struct sasl_server *server = open_server((struct setup){.mechanism = SASL_SCRAM_SHA_256});
        buffer_clear(&first);
        buffer_put_text(&first, "n,,n=user,r=");
        for (size_t i = 0; i < 256 + extra; i++)
            buffer_put_byte(&first, 'r');
        assert_int_equal(sasl_server_start(server, true, buffer_slice(&first)),
                         extra ? SASL_SERVER_FAILED : SASL_SERVER_ASK_KEYS);
        sasl_server_close(&server);
    }
    buffer_finish(&first);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(external_asks_whether_tls_has_the_proof),
        cmocka_unit_test(tokens_are_taken_as_both_mechanisms_send_them),
        cmocka_unit_test(a_bad_token_is_told_of_before_the_end),
        cmocka_unit_test(scram_examples_of_the_rfcs_run_byte_for_byte),
        cmocka_unit_test(scram_refuses_every_other_final_message),
        cmocka_unit_test(scram_refuses_first_messages_outside_the_grammar),
        cmocka_unit_test(a_user_that_does_not_exist_fails_at_the_proof),
        cmocka_unit_test(names_and_acting_names_are_decoded),
        cmocka_unit_test(a_client_that_was_not_shown_plus_is_found_out),
        cmocka_unit_test(plus_wants_the_binding_that_we_have),
        cmocka_unit_test(plain_asks_for_the_password),
        cmocka_unit_test(plain_messages_outside_the_grammar_are_refused),
        cmocka_unit_test(login_asks_for_name_and_password),
        cmocka_unit_test(messages_are_taken_up_to_their_bound),
        cmocka_unit_test(client_nonces_are_taken_up_to_their_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
