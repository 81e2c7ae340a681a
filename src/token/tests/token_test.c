/* SPDX-License-Identifier: ISC */
/* Tokens of each kind of key are good; each thing that may be wrong is told by its name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "token/json.h"
#include "token/keys.h"
#include "token/tests/signer.h"
#include "token/token.h"

#define ISSUED                                                                                     \
    "\"iss\":\"https://id.test\",\"aud\":[\"web\",\"mail\"],\"email\":\"ann@example.test\""
#define GOOD "{" ISSUED ",\"exp\":2000,\"nbf\":1000}"

struct world {
    struct signer *signer;
    struct buffer keys, token, name;
    struct token_policy policy;
};

static int
set_up(void **state)
{
    static struct world world;

    world = (struct world){.signer = signer_open(true)};
    buffer_init(&world.keys, TOKEN_KEYS_MAX);
    buffer_init(&world.token, 2 * TOKEN_LEN_MAX);
    buffer_init(&world.name, TOKEN_NAME_MAX);
    signer_put_keys(world.signer, &world.keys);
    world.policy = (struct token_policy){
        .keys = buffer_slice(&world.keys),
        .issuer = SLICE("https://id.test"),
        .audience = SLICE("mail"),
        .claim = SLICE("email"),
        .now = {INT64_C(1500) * 1000000000},
    };
    *state = &world;
    return 0;
}

static int
tear_down(void **state)
{
    struct world *world = *state;

    signer_close(&world->signer);
    buffer_finish(&world->keys);
    buffer_finish(&world->token);
    buffer_finish(&world->name);
    return 0;
}

static enum token_result
verify(struct world *world)
{
    buffer_clear(&world->name);
    return token_verify(buffer_slice(&world->token), &world->policy, &world->name);
}

static enum token_result
check(struct world *world, enum signer_kind kind, const char *header, const char *payload)
{
    buffer_clear(&world->token);
    signer_put_token(world->signer, kind, slice_of_string(header), slice_of_string(payload),
                     &world->token);
    return verify(world);
}

static void
each_kind_of_key_signs(void **state)
{
    struct world *world = *state;
    static const char *const headers[SIGNER_KINDS][2] = {
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"}", "{\"alg\":\"RS256\"}"},
        {"{\"typ\":\"JWT\",\"alg\":\"ES256\",\"kid\":\"p256\"}", "{\"alg\":\"ES256\"}"},
        {"{\"alg\":\"EdDSA\",\"kid\":\"ed\"}", "{\"alg\":\"EdDSA\"}"},
    };

    for (int i = 0; i < SIGNER_KINDS; i++) {
        for (int j = 0; j < 2; j++) {
            assert_int_equal(check(world, (enum signer_kind)i, headers[i][j], GOOD), TOKEN_OK);
            assert_true(slice_equal(buffer_slice(&world->name), SLICE("ann@example.test")));
        }
    }
}

static void
what_is_wrong_in_a_header_is_told(void **state)
{
    static const struct {
        const char *header;
        enum token_result result;
    } cases[] = {
        {"{\"alg\":\"none\"}", TOKEN_NO_KEY},
        {"{\"alg\":\"HS256\",\"kid\":\"oct\"}", TOKEN_NO_KEY},
        {"{\"alg\":\"EdDSA\",\"kid\":\"rsa\"}", TOKEN_NO_KEY},
        {"{\"alg\":\"EdDSA\",\"kid\":\"other\"}", TOKEN_NO_KEY},
        {"{\"alg\":\"ES256\",\"kid\":\"p256\"}", TOKEN_FORGED}, /* signed by another */
        {"{\"alg\":\"RS256\"}", TOKEN_FORGED},
        {"{\"alg\":\"EdDSA\",\"crit\":[\"exp\"]}", TOKEN_MALFORMED},
        {"{\"alg\":\"EdDSA\",\"kid\":7}", TOKEN_MALFORMED},
        {"{\"alg\":\"EdDSA\",\"alg\":\"none\"}", TOKEN_MALFORMED},
        {"{\"alg\":7}", TOKEN_MALFORMED},
        {"[]", TOKEN_MALFORMED},
        {"", TOKEN_MALFORMED},
    };
    struct world *world = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(check(world, SIGNER_ED25519, cases[i].header, GOOD), cases[i].result);
}

static void
what_is_wrong_in_a_payload_is_told(void **state)
{
    static const struct {
        const char *payload;
        enum token_result result;
    } cases[] = {
        {"{" ISSUED ",\"exp\":1500}", TOKEN_OK}, /* clocks differ */
        {"{" ISSUED ",\"exp\":1441}", TOKEN_OK},
        {"{" ISSUED ",\"exp\":1440}", TOKEN_EXPIRED},
        {"{" ISSUED ",\"exp\":-1e300}", TOKEN_EXPIRED},
        {"{" ISSUED "}", TOKEN_EXPIRED},
        {"{" ISSUED ",\"exp\":\"2000\"}", TOKEN_MALFORMED},
        {"{" ISSUED ",\"exp\":2000,\"nbf\":1560}", TOKEN_OK},
        {"{" ISSUED ",\"exp\":2000,\"nbf\":1561}", TOKEN_TOO_EARLY},
        {"{" ISSUED ",\"exp\":2000,\"nbf\":null}", TOKEN_MALFORMED},
        {"{\"iss\":\"https://id.test/\",\"aud\":\"mail\",\"email\":\"a\",\"exp\":2000}",
         TOKEN_ISSUER},
        {"{\"aud\":\"mail\",\"email\":\"a\",\"exp\":2000}", TOKEN_ISSUER},
        {"{\"iss\":\"https://id.test\",\"aud\":\"web\",\"email\":\"a\",\"exp\":2000}",
         TOKEN_AUDIENCE},
        {"{\"iss\":\"https://id.test\",\"aud\":[7],\"email\":\"a\",\"exp\":2000}", TOKEN_AUDIENCE},
        {"{\"iss\":\"https://id.test\",\"email\":\"a\",\"exp\":2000}", TOKEN_AUDIENCE},
        {"{\"iss\":\"https://id.test\",\"aud\":\"mail\",\"email\":\"a\",\"exp\":2000}", TOKEN_OK},
        {"{\"iss\":\"https://id.test\",\"aud\":\"mail\",\"email\":\"\",\"exp\":2000}",
         TOKEN_NAMELESS},
        {"{\"iss\":\"https://id.test\",\"aud\":\"mail\",\"email\":[],\"exp\":2000}",
         TOKEN_NAMELESS},
        {"{\"iss\":\"https://id.test\",\"aud\":\"mail\",\"exp\":2000}", TOKEN_NAMELESS},
        {"[1]", TOKEN_MALFORMED},
        {"{" ISSUED ",\"exp\":2000} ", TOKEN_OK},
        {"{" ISSUED ",\"exp\":2000}x", TOKEN_MALFORMED},
    };
    struct world *world = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum token_result result =
            check(world, SIGNER_ED25519, "{\"alg\":\"EdDSA\"}", cases[i].payload);
        if (result != cases[i].result)
            fail_msg("%s: %s", cases[i].payload, token_result_name(result));
    }
}

/* A good token with so many octets in it that do not matter, and a name of so many. */
static enum token_result
check_long(struct world *world, size_t more, size_t name_len)
{
    struct buffer payload;

    buffer_init(&payload, 2 * TOKEN_LEN_MAX);
    buffer_put_text(&payload, "{\"iss\":\"https://id.test\",\"aud\":\"mail\",\"exp\":2000,");
    buffer_put_text(&payload, "\"email\":\"");
    for (size_t i = 0; i < name_len; i++)
        buffer_put_byte(&payload, 'n');
    buffer_put_text(&payload, "\"}");
    for (size_t i = 0; i < more; i++)
        buffer_put_byte(&payload, ' ');
    buffer_put_byte(&payload, 0);
    enum token_result result = check(world, SIGNER_ED25519, "{\"alg\":\"EdDSA\"}",
                                     (const char *)buffer_slice(&payload).at);
    buffer_finish(&payload);
    return result;
}

static void
tokens_and_names_have_their_limits(void **state)
{
    struct world *world = *state;
    size_t more = 5800, longest = 0;

    assert_int_equal(check_long(world, 0, TOKEN_NAME_MAX), TOKEN_OK);
    assert_int_equal(buffer_len(&world->name), TOKEN_NAME_MAX);
    assert_int_equal(check_long(world, 0, TOKEN_NAME_MAX + 1), TOKEN_NAMELESS);
    /* Three octets are four in a token, so not each length is one of a token. */
    for (enum token_result result = TOKEN_OK; result == TOKEN_OK; more++) {
        result = check_long(world, more, 1);
        size_t len = buffer_len(&world->token);
        assert_int_equal(result, len <= TOKEN_LEN_MAX ? TOKEN_OK : TOKEN_MALFORMED);
        longest = len <= TOKEN_LEN_MAX ? len : longest;
    }
    assert_in_range(longest, TOKEN_LEN_MAX - 1, TOKEN_LEN_MAX);
    world->policy.claim = SLICE("");
    assert_int_equal(check_long(world, 0, 1), TOKEN_NAMELESS);
    world->policy.claim = SLICE("email");
}

static void
the_claim_with_the_name_has_a_name_of_63_octets_at_most(void **state)
{
    struct world *world = *state;
    char claim[65], payload[400];

    for (size_t len = 62; len < sizeof(claim); len++) {
        memset(claim, 'c', len);
        claim[len] = '\0';
        snprintf(payload, sizeof(payload), "{" ISSUED ",\"exp\":2000,\"%s\":\"ann\"}", claim);
        world->policy.claim = slice_of(claim, len);
        assert_int_equal(check(world, SIGNER_P256, "{\"alg\":\"ES256\"}", payload),
                         len < 64 ? TOKEN_OK : TOKEN_NAMELESS);
    }
    world->policy.claim = SLICE("email");
}

static void
a_changed_token_is_forged_or_malformed(void **state)
{
    struct world *world = *state;

    assert_int_equal(check(world, SIGNER_P256, "{\"alg\":\"ES256\"}", GOOD), TOKEN_OK);
    struct slice token = buffer_slice(&world->token);
    for (size_t i = 0; i < token.len; i++) {
        uint8_t *at = (uint8_t *)(uintptr_t)&token.at[i], kept = *at;
        *at = kept == 'A' ? 'B' : 'A';
        assert_int_not_equal(verify(world), TOKEN_OK);
        *at = kept;
        world->token.end = i; /* and one that was cut */
        assert_int_not_equal(verify(world), TOKEN_OK);
        world->token.end = token.len;
    }
    assert_int_equal(verify(world), TOKEN_OK);
    buffer_put_text(&world->token, ".x");
    assert_int_equal(verify(world), TOKEN_MALFORMED);
}

static void
keys_that_are_none_fit_nothing(void **state)
{
    static const char *const sets[] = {
        "",
        "{}",
        "{\"keys\":{}}",
        "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}]}",
        "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}]}",
        "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed448\",\"x\":\"AAAA\"}]}",
        "{\"keys\":[{\"kty\":\"OKP\",\"use\":\"enc\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}]}",
    };
    struct world *world = *state;

    for (size_t i = 0; i < COUNT_OF(sets); i++) {
        world->policy.keys = slice_of_string(sets[i]);
        assert_int_equal(check(world, SIGNER_ED25519, "{\"alg\":\"EdDSA\"}", GOOD), TOKEN_NO_KEY);
    }
    /* a short RSA key is none */
    world->policy.keys =
        SLICE("{\"keys\":[{\"kty\":\"RSA\",\"n\":\"zzzzzzzzzzzz\",\"e\":\"AQAB\"}]}");
    assert_int_equal(check(world, SIGNER_RSA, "{\"alg\":\"RS256\"}", GOOD), TOKEN_NO_KEY);
    json_t *set = json_object_of(SLICE("{\"a\":\"b\\u0000c\"}"));
    assert_null(set); /* jansson refuses NUL */
    assert_int_equal(keys_verify(NULL, SLICE("EdDSA"), slice_of(NULL, 0), SLICE("x"), SLICE("y")),
                     KEYS_NONE);
    world->policy.keys = buffer_slice(&world->keys);
}

static void
an_issuer_tells_whose_a_token_is(void **state)
{
    static const struct {
        const char *answer;
        enum token_result result;
        int64_t until_s;
    } cases[] = {
        {"{\"active\":true," ISSUED ",\"exp\":2000}", TOKEN_OK, 2000},
        {"{\"active\":true," ISSUED "}", TOKEN_OK, INT64_MAX},
        {"{\"active\":true," ISSUED ",\"exp\":1e300}", TOKEN_OK, INT64_MAX},
        {"{\"active\":true,\"aud\":\"mail\",\"email\":\"ann@example.test\"}", TOKEN_OK, INT64_MAX},
        {"{\"active\":false}", TOKEN_INACTIVE, 0},
        {"{\"active\":false," ISSUED ",\"exp\":2000}", TOKEN_INACTIVE, 0},
        {"{\"active\":true," ISSUED ",\"exp\":1440}", TOKEN_EXPIRED, 0},
        {"{\"active\":true," ISSUED ",\"exp\":-1e300}", TOKEN_EXPIRED, 0},
        {"{\"active\":true," ISSUED ",\"nbf\":1561}", TOKEN_TOO_EARLY, 0},
        {"{\"active\":true," ISSUED ",\"exp\":\"never\"}", TOKEN_UNTOLD, 0},
        {"{\"active\":true,\"iss\":\"https://id.test/\",\"aud\":\"mail\",\"email\":\"a\"}",
         TOKEN_ISSUER, 0},
        {"{\"active\":true,\"iss\":null,\"aud\":\"mail\",\"email\":\"a\"}", TOKEN_ISSUER, 0},
        {"{\"active\":true,\"aud\":\"web\",\"email\":\"a\"}", TOKEN_AUDIENCE, 0},
        {"{\"active\":true,\"email\":\"a\"}", TOKEN_AUDIENCE, 0},
        {"{\"active\":true,\"aud\":\"mail\"}", TOKEN_NAMELESS, 0},
        {"{\"active\":true,\"aud\":\"mail\",\"email\":\"\"}", TOKEN_NAMELESS, 0},
        {"{\"active\":\"true\"," ISSUED "}", TOKEN_UNTOLD, 0},
        {"{\"active\":1," ISSUED "}", TOKEN_UNTOLD, 0},
        {"{" ISSUED "}", TOKEN_UNTOLD, 0},
        {"{\"active\":false,\"active\":true," ISSUED "}", TOKEN_UNTOLD, 0},
        {"[{\"active\":true}]", TOKEN_UNTOLD, 0},
        {"", TOKEN_UNTOLD, 0},
        {"<html>", TOKEN_UNTOLD, 0},
    };
    struct world *world = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t until_s = 0;
        buffer_clear(&world->name);
        assert_int_equal(token_introspect(slice_of_string(cases[i].answer), &world->policy,
                                          &world->name, &until_s),
                         cases[i].result);
        assert_int_equal(until_s, cases[i].until_s);
        assert_int_equal(buffer_len(&world->name) > 0, cases[i].result == TOKEN_OK);
    }
}

static void
a_set_of_keys_is_told_from_other_texts(void **state)
{
    struct world *world = *state;

    assert_true(token_keys_are_sound(buffer_slice(&world->keys)));
    assert_true(token_keys_are_sound(SLICE("{\"keys\":[]}")));
    assert_false(token_keys_are_sound(SLICE("{\"keys\":{}}")));
    assert_false(token_keys_are_sound(SLICE("{}")));
    assert_false(token_keys_are_sound(SLICE("<html>")));
    assert_false(token_keys_are_sound(SLICE("")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_key_signs),
        cmocka_unit_test(what_is_wrong_in_a_header_is_told),
        cmocka_unit_test(what_is_wrong_in_a_payload_is_told),
        cmocka_unit_test(tokens_and_names_have_their_limits),
        cmocka_unit_test(the_claim_with_the_name_has_a_name_of_63_octets_at_most),
        cmocka_unit_test(a_changed_token_is_forged_or_malformed),
        cmocka_unit_test(keys_that_are_none_fit_nothing),
        cmocka_unit_test(an_issuer_tells_whose_a_token_is),
        cmocka_unit_test(a_set_of_keys_is_told_from_other_texts),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
