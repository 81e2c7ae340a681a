/* SPDX-License-Identifier: ISC */
/* GNU SASL as the oracle: our server with its client, our client with its server. */
#include "sasl/tests/test.h"

#include "sasl/client.h"
#include "sasl/server.h"
#include "text/base64.h"

#include <gsasl.h>

struct run {
    enum sasl_mechanism mechanism;
    const char *password; /* what the client believes */
    const char *real;     /* what the server knows */
    bool is_right;
};

static const struct run runs[] = {
    {SASL_PLAIN, "pencil", "pencil", true},
    {SASL_PLAIN, "pen", "pencil", false},
    {SASL_LOGIN, "pencil", "pencil", true},
    {SASL_SCRAM_SHA_1, "pencil", "pencil", true},
    {SASL_SCRAM_SHA_1, "pen", "pencil", false},
    {SASL_SCRAM_SHA_256, "pencil", "pencil", true},
    {SASL_SCRAM_SHA_256, "pen", "pencil", false},
    {SASL_SCRAM_SHA_256, "I\xC2\xADX", "IX", true},
    {SASL_SCRAM_SHA_256_PLUS, "pencil", "pencil", true},
    {SASL_SCRAM_SHA_256_PLUS, "pen", "pencil", false},
    {SASL_SCRAM_SHA_1_PLUS, "pencil", "pencil", true},
};

#define EXPORTED "0123456789abcdef0123456789abcdef"
#define EXPORTED_BASE64 "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

/* Both sides' properties from the run that hangs on the handle. */
static int
property(Gsasl *library, Gsasl_session *session, Gsasl_property name)
{
    const struct run *run = gsasl_callback_hook_get(library);

    if (name == GSASL_AUTHID)
        return gsasl_property_set(session, name, "user");
    if (name == GSASL_PASSWORD)
        return gsasl_property_set(session, name,
                                  gsasl_session_hook_get(session) ? run->real : run->password);
    if (name == GSASL_CB_TLS_EXPORTER && sasl_mechanism_is_bound(run->mechanism))
        return gsasl_property_set(session, name, EXPORTED_BASE64);
    if (name == GSASL_VALIDATE_SIMPLE)
        return strcmp(gsasl_property_get(session, GSASL_PASSWORD), run->real) == 0
                   ? GSASL_OK
                   : GSASL_AUTHENTICATION_ERROR;
    return GSASL_NO_CALLBACK;
}

static const char *
name_of(enum sasl_mechanism mechanism)
{
    return (const char *)sasl_mechanism_name(mechanism).at;
}

static struct slice
binding_of(const struct run *run)
{
    return sasl_mechanism_is_bound(run->mechanism) ? SLICE(EXPORTED) : SLICE("");
}

/* Answers our server's questions from the run. */
static enum sasl_server_status
answer(struct sasl_server *server, const struct run *run, enum sasl_server_status status)
{
    struct sasl_scram_keys keys;

    if (status == SASL_SERVER_ASK_PASSWORD) {
        assert_slice(sasl_server_authcid(server), "user");
        return sasl_server_answer_password(
            server, slice_equal(sasl_server_password(server), slice_of_string(run->real)));
    }
    if (status != SASL_SERVER_ASK_KEYS)
        return status;
    assert_slice(sasl_server_authcid(server), "user");
    sasl_scram_derive(sasl_server_hash(server), slice_of_string(run->real),
                      SLICE("sixteen octets.."), 4096, &keys);
    return sasl_server_answer_keys(server, &keys, true);
}

static bool
our_server_is_satisfied(Gsasl *library, const struct run *run)
{
    struct sasl_server_options options = {run->mechanism, SLICE("oursoursours"), binding_of(run),
                                          SLICE("tls-exporter"), binding_of(run).len > 0};
    struct sasl_server *server = sasl_server_open(&options);
    enum sasl_server_status status = sasl_server_start(server, false, SLICE(""));
    Gsasl_session *client;
    int result = GSASL_NEEDS_MORE;

    assert_int_equal(gsasl_client_start(library, name_of(run->mechanism), &client), GSASL_OK);
    while (status == SASL_SERVER_CHALLENGE) {
        char *out;
        size_t len;
        struct slice message = sasl_server_message(server);
        result = gsasl_step(client, (const char *)message.at, message.len, &out, &len);
        assert_true(result == GSASL_OK || result == GSASL_NEEDS_MORE);
        status = answer(server, run, sasl_server_feed(server, slice_of(out, len)));
        gsasl_free(out);
    }
    if (status == SASL_SERVER_GRANTED && result == GSASL_NEEDS_MORE) {
        char *out;
        size_t len;
        struct slice message = sasl_server_message(server);
        result = gsasl_step(client, (const char *)message.at, message.len, &out, &len);
        gsasl_free(out);
        assert_int_equal(result, GSASL_OK);
    }
    gsasl_finish(client);
    sasl_server_close(&server);
    return status == SASL_SERVER_GRANTED;
}

static bool
their_server_is_satisfied(Gsasl *library, const struct run *run)
{
    struct sasl_client_options options = {run->mechanism,
                                          SLICE("user"),
                                          SLICE(""),
                                          slice_of_string(run->password),
                                          SLICE("oursoursours"),
                                          binding_of(run),
                                          SLICE("tls-exporter"),
                                          binding_of(run).len > 0};
    struct sasl_client *client = sasl_client_open(&options);
    struct slice response = sasl_client_initial(client);
    Gsasl_session *server;
    int result = GSASL_NEEDS_MORE;

    assert_int_equal(gsasl_server_start(library, name_of(run->mechanism), &server), GSASL_OK);
    gsasl_session_hook_set(server, server);
    /* LOGIN has no initial response there: its first words are the prompt for the name. */
    if (run->mechanism == SASL_LOGIN) {
        char *out;
        size_t len;
        assert_int_equal(gsasl_step(server, NULL, 0, &out, &len), GSASL_NEEDS_MORE);
        gsasl_free(out);
    }
    while (result == GSASL_NEEDS_MORE) {
        char *out;
        size_t len;
        result = gsasl_step(server, (const char *)response.at, response.len, &out, &len);
        bool is_open = result == GSASL_NEEDS_MORE || (result == GSASL_OK && len > 0);
        if (is_open)
            assert_true(sasl_client_step(client, slice_of(out, len), &response));
        if (result == GSASL_OK || result == GSASL_NEEDS_MORE)
            gsasl_free(out);
    }
    assert_true(result != GSASL_OK || sasl_client_is_done(client));
    gsasl_finish(server);
    sasl_client_close(&client);
    return result == GSASL_OK;
}

static void
gnu_sasl_and_we_agree_on_every_run(void **state)
{
    Gsasl *library;

    (void)state;
    assert_int_equal(gsasl_init(&library), GSASL_OK);
    gsasl_callback_set(library, property);
    for (size_t i = 0; i < COUNT_OF(runs); i++) {
        struct run run = runs[i];
        gsasl_callback_hook_set(library, &run);
        assert_int_equal(our_server_is_satisfied(library, &run), run.is_right);
        assert_int_equal(their_server_is_satisfied(library, &run), run.is_right);
    }
    gsasl_done(library);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gnu_sasl_and_we_agree_on_every_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
