/* SPDX-License-Identifier: ISC */
#include "client/login.h"

#include "sasl/scram.h"
#include "tls/facts.h"

size_t
login_mechanisms(const struct client_account *account,
                 struct slice mechanisms[LOGIN_MECHANISMS_MAX])
{
    static const enum sasl_mechanism best_first[LOGIN_MECHANISMS_MAX] = {SASL_SCRAM_SHA_256_PLUS,
                                                                         SASL_SCRAM_SHA_1_PLUS,
                                                                         SASL_SCRAM_SHA_256,
                                                                         SASL_SCRAM_SHA_1,
                                                                         SASL_PLAIN,
                                                                         SASL_LOGIN};
    /* A mechanism that is bound to TLS cannot be kept in reserve for when there is none. */
    bool has_tls = account->incoming.is_secure || account->tls == CLIENT_TLS_REQUIRED;
    size_t count = 0;

    for (size_t i = 0; i < COUNT_OF(best_first); i++) {
        if (has_tls || !sasl_mechanism_is_bound(best_first[i]))
            mechanisms[count++] = sasl_mechanism_name(best_first[i]);
    }
    return count;
}

bool
login_begin(struct login *login, const struct client_wire *wire, struct slice mechanism,
            struct slice *ret_response)
{
    uint8_t random[SASL_NONCE_RANDOM_LEN], room[SASL_NONCE_LEN];
    struct sasl_client_options options = {
        .authcid = slice_of_string(login->from->account->login),
        .password = login->from->password,
    };
    struct buffer binding;

    if (!sasl_mechanism_parse(mechanism, &options.mechanism))
        return false;
    client_random(random, sizeof(random));
    options.nonce = sasl_nonce_format(random, room);
    buffer_init(&binding, TLS_BINDING_MAX);
    bool has_binding = client_wire_put_binding(wire, &options.binding_kind, &binding);
    bool is_bound = sasl_mechanism_is_bound(options.mechanism);
    if (is_bound)
        options.binding = buffer_slice(&binding);
    else
        options.binding_kind = SLICE("");
    sasl_client_close(&login->sasl);
    if (has_binding || !is_bound)
        login->sasl = sasl_client_open(&options);
    buffer_finish(&binding);
    if (!login->sasl)
        return false;
    *ret_response = sasl_client_initial(login->sasl);
    return true;
}

bool
login_step(struct login *login, struct slice challenge, struct slice *ret_response)
{
    return login->sasl && sasl_client_step(login->sasl, challenge, ret_response);
}

bool
login_end(struct login *login)
{
    bool is_proven = !login->sasl || sasl_client_is_done(login->sasl);

    sasl_client_close(&login->sasl);
    return is_proven;
}
