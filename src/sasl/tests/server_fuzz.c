/* SPDX-License-Identifier: ISC */
/* A hostile client: octet 0 chooses mechanism, initial response and binding, then each message is a
 * length octet (0xFF: all the rest) and its bytes. Questions are answered from the length octet. */
#include "base/cursor.h"
#include "sasl/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct slice
take_message(struct cursor *cursor, uint8_t *ret_octet)
{
    struct slice message = {0};

    *ret_octet = 0;
    if (!cursor_take_any(cursor, ret_octet))
        return SLICE("");
    size_t want =
        *ret_octet == 0xFF || *ret_octet > cursor_left(cursor) ? cursor_left(cursor) : *ret_octet;
    return cursor_take_bytes(cursor, want, &message) ? message : SLICE("");
}

static enum sasl_server_status
answer(struct sasl_server *server, enum sasl_server_status status, uint8_t octet)
{
    struct sasl_scram_keys keys;

    if (status == SASL_SERVER_ASK_PASSWORD) {
        assert(sasl_server_password(server).len > 0 && sasl_server_authcid(server).len > 0);
        return sasl_server_answer_password(server, octet & 1);
    }
    if (status == SASL_SERVER_ASK_TOKEN) {
        assert(sasl_server_token(server).len > 0);
        return sasl_server_answer_token(server, octet & 1);
    }
    if (status == SASL_SERVER_ASK_EXTERNAL)
        return sasl_server_answer_external(server, octet & 1);
    if (status == SASL_SERVER_ASK_KEYS) {
        assert(sasl_server_authcid(server).len > 0);
        sasl_scram_fake(sasl_server_hash(server), SLICE("seed"), sasl_server_authcid(server),
                        &keys);
        return sasl_server_answer_keys(server, &keys, octet & 1);
    }
    return status;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct cursor cursor = cursor_of(slice_of(data, len));
    uint8_t choice = 0, octet;

    (void)!cursor_take_any(&cursor, &choice);
    struct sasl_server_options options = {
        .mechanism = (enum sasl_mechanism)(choice % SASL_MECHANISMS),
        .nonce = SLICE("nonce"),
        .binding = choice & 0x80 ? SLICE("binding") : SLICE(""),
        .binding_kind = SLICE("tls-exporter"),
        .is_binding_offered = choice & 0x80,
    };
    struct sasl_server *server = sasl_server_open(&options);
    struct slice message = choice & 0x40 ? take_message(&cursor, &octet) : SLICE("");
    enum sasl_server_status status = sasl_server_start(server, choice & 0x40, message);

    for (unsigned steps = 0; status != SASL_SERVER_GRANTED && status != SASL_SERVER_FAILED;
         steps++) {
        assert(steps < 6);
        if (status == SASL_SERVER_CHALLENGE) {
            message = take_message(&cursor, &octet);
            status = sasl_server_feed(server, message);
        } else {
            status = answer(server, status, choice);
        }
    }
    /* Keys that nothing fits cannot have been proven. */
    assert(status != SASL_SERVER_GRANTED || sasl_mechanism_is_plaintext(options.mechanism));
    sasl_server_close(&server);
    return 0;
}
