/* SPDX-License-Identifier: ISC */
/* Our client and our server, who know one password, and somebody between them: octets 0 to 4 of the
 * input choose the mechanism, what both think of the binding, and which octet of which message is
 * changed how; the rest is the name. When nothing was changed both believe each other; when an
 * octet of SCRAM was, and means another one, not both do. */
#include "base/cursor.h"
#include "sasl/client.h"
#include "sasl/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { MESSAGES_MAX = 8, HEAD = 5, IS_BOUND = 1, IS_BOUND_OTHERWISE = 2, IS_INITIAL = 4 };

struct middle {
    uint8_t message, place, change; /* what is changed; nothing when 0 */
    uint8_t count;                  /* of messages that went by */
    bool has_changed;
    struct buffer octets;
};

static const struct slice password = {(const uint8_t *)"pencil", 6};

/* A message on its way; valid until the next. */
static struct slice
carry(struct middle *middle, struct slice message)
{
    struct buffer *octets = &middle->octets;

    buffer_clear(octets);
    buffer_put(octets, message);
    if (middle->count++ == middle->message && middle->change && message.len > 0) {
        octets->at[octets->start + middle->place % message.len] ^= middle->change;
        middle->has_changed = true;
    }
    return buffer_slice(octets);
}

/* Derived once for each hash. */
static const struct sasl_scram_keys *
keys_of(enum sasl_hash hash)
{
    static struct sasl_scram_keys keys[2];
    struct sasl_scram_keys *found = &keys[hash == SASL_HASH_SHA_256];

    if (found->iterations == 0)
        sasl_scram_derive(hash, password, SLICE("salt"), 4096, found);
    return found;
}

static enum sasl_server_status
answer(struct sasl_server *server, enum sasl_server_status status)
{
    if (status == SASL_SERVER_ASK_PASSWORD)
        return sasl_server_answer_password(server,
                                           slice_equal(sasl_server_password(server), password));
    if (status == SASL_SERVER_ASK_KEYS)
        return sasl_server_answer_keys(server, keys_of(sasl_server_hash(server)), true);
    return status;
}

/* True when the server grants. */
static bool
talk(struct sasl_client *client, struct sasl_server *server, struct middle *middle, bool is_initial)
{
    struct slice response = {0}, initial = sasl_client_initial(client);
    enum sasl_server_status status =
        sasl_server_start(server, is_initial, is_initial ? carry(middle, initial) : SLICE(""));
    bool is_first = !is_initial;

    for (unsigned step = 0; step < MESSAGES_MAX; step++) {
        status = answer(server, status);
        if (status == SASL_SERVER_GRANTED || status == SASL_SERVER_FAILED)
            break;
        if (status != SASL_SERVER_CHALLENGE)
            continue;
        struct slice challenge = sasl_server_message(server);
        if (is_first)
            response = initial;
        else if (!sasl_client_step(client, carry(middle, challenge), &response))
            return false;
        is_first = false;
        status = sasl_server_feed(server, carry(middle, response));
    }
    /* What proves the server comes with its success. */
    struct slice last = sasl_server_message(server);
    if (status == SASL_SERVER_GRANTED && last.len > 0)
        return sasl_client_step(client, carry(middle, last), &response);
    return status == SASL_SERVER_GRANTED;
}

static void
check(const uint8_t *head, struct slice name)
{
    struct middle middle = {.message = head[2] % MESSAGES_MAX, .place = head[3], .change = head[4]};
    enum sasl_mechanism mechanism = (enum sasl_mechanism)(head[0] % SASL_OAUTHBEARER);
    bool is_plus = mechanism == SASL_SCRAM_SHA_1_PLUS || mechanism == SASL_SCRAM_SHA_256_PLUS;
    bool is_bound = is_plus || head[1] & IS_BOUND;
    bool is_same = !(is_plus && head[1] & IS_BOUND_OTHERWISE);
    struct sasl_client_options ours = {.mechanism = mechanism,
                                       .authcid = name,
                                       .password = password,
                                       .nonce = SLICE("ours"),
                                       .binding = is_bound ? SLICE("binding") : SLICE(""),
                                       .binding_kind = SLICE("tls-exporter"),
                                       .is_binding_seen = is_plus};
    struct sasl_server_options theirs = {.mechanism = mechanism,
                                         .nonce = SLICE("theirs"),
                                         .binding = !is_bound ? SLICE("")
                                                    : is_same ? SLICE("binding")
                                                              : SLICE("another"),
                                         .binding_kind = SLICE("tls-exporter"),
                                         .is_binding_offered = is_plus};
    struct sasl_client *client = sasl_client_open(&ours);

    if (!client)
        return;
    struct sasl_server *server = sasl_server_open(&theirs);
    buffer_init(&middle.octets, SASL_MESSAGE_MAX);
    bool is_granted = talk(client, server, &middle, head[1] & IS_INITIAL);
    bool is_believed = is_granted && sasl_client_is_done(client);
    bool is_plain = sasl_mechanism_is_plaintext(mechanism);
    if (!middle.has_changed)
        assert(is_believed == is_same);
    else
        assert(is_plain || !is_believed);
    buffer_finish(&middle.octets);
    sasl_client_close(&client);
    sasl_server_close(&server);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len > HEAD)
        check(data, slice_of(data + HEAD, len - HEAD));
    return 0;
}
