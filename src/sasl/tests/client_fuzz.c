/* SPDX-License-Identifier: ISC */
/* A hostile server: octet 0 chooses the mechanism, then challenges divided by LF. It does not know
 * the password, so SCRAM must never believe it. */
#include "base/cursor.h"
#include "sasl/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct cursor cursor = cursor_of(slice_of(data, len));
    uint8_t choice = 0;
    struct slice challenge, response;

    (void)!cursor_take_any(&cursor, &choice);
    struct sasl_client_options options = {
        .mechanism = (enum sasl_mechanism)(choice % SASL_MECHANISMS),
        .authcid = SLICE("user"),
        .password = SLICE("pencil"),
        .nonce = SLICE("mine"),
        .binding = SLICE("binding"),
        .binding_kind = SLICE("tls-exporter"),
    };
    struct sasl_client *client = sasl_client_open(&options);
    assert(client);
    (void)sasl_client_initial(client);
    while (cursor_take_until(&cursor, '\n', &challenge) && cursor_take_byte(&cursor, '\n')) {
        /* What costs a million rounds of HMAC is legal, but no sport. */
        if (slice_find(challenge, SLICE(",i=4096")) == challenge.len)
            challenge = slice_first(challenge, 16);
        if (!sasl_client_step(client, challenge, &response))
            break;
    }
    assert(!sasl_client_is_done(client) || sasl_mechanism_is_plaintext(options.mechanism));
    sasl_client_close(&client);
    return 0;
}
