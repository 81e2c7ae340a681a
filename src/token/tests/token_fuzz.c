/* SPDX-License-Identifier: ISC */
/* The first octet says what the rest is: a token as it is, a payload that gets a good signature, a
 * header that does, or a JWK set; with its highest bit, what an issuer says of a token. */
#include "token/tests/signer.h"
#include "token/token.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct signer *the_signer;

static void
close_signer(void)
{
    signer_close(&the_signer);
}

static void
introspect(struct slice text)
{
    struct token_policy policy = {.issuer = SLICE("i"), .claim = SLICE("email"), .now = {1}};
    struct buffer name;
    int64_t until_s = 0;

    buffer_init(&name, TOKEN_NAME_MAX);
    enum token_result result = token_introspect(text, &policy, &name, &until_s);
    assert((result == TOKEN_OK) == (buffer_len(&name) > 0));
    assert(result != TOKEN_OK || slice_find(text, SLICE("true")) < text.len);
    (void)token_keys_are_sound(text);
    buffer_finish(&name);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice text = slice_first(slice_of(data + (len > 0), len - (len > 0)), 4000);
    struct slice header = SLICE("{\"alg\":\"EdDSA\",\"kid\":\"ed\"}");
    struct slice payload = SLICE("{\"iss\":\"i\",\"exp\":9e9,\"email\":\"ann\"}");
    struct buffer keys, token, name;
    unsigned kind = len > 0 ? data[0] % 4U : 0;

    if (len > 0 && data[0] & 0x80) {
        introspect(text);
        return 0;
    }
    if (!the_signer) {
        the_signer = signer_open(false);
        (void)atexit(close_signer);
    }
    buffer_init(&keys, TOKEN_KEYS_MAX);
    buffer_init(&token, 2 * TOKEN_LEN_MAX);
    buffer_init(&name, TOKEN_NAME_MAX);
    signer_put_keys(the_signer, &keys);
    if (kind == 0)
        buffer_put(&token, text);
    else
        signer_put_token(the_signer, SIGNER_ED25519, kind == 2 ? text : header,
                         kind == 1 ? text : payload, &token);
    struct token_policy policy = {
        .keys = kind == 3 ? text : buffer_slice(&keys),
        .issuer = SLICE("i"),
        .claim = SLICE("email"),
        .now = {1},
    };
    enum token_result result = token_verify(buffer_slice(&token), &policy, &name);
    /* What is granted has a name; nobody signs for the fuzzer what it puts in place of a token. */
    assert((result == TOKEN_OK) == (buffer_len(&name) > 0));
    assert(kind != 0 || result != TOKEN_OK);
    buffer_finish(&keys);
    buffer_finish(&token);
    buffer_finish(&name);
    return 0;
}
