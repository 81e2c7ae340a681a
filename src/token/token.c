/* SPDX-License-Identifier: ISC */
#include "token/token.h"

#include "token/json.h"
#include "token/keys.h"

static const double until_max_s = 1e15; /* later is never */

const char *
token_result_name(enum token_result result)
{
    static const char *const names[TOKEN_RESULTS] = {
        [TOKEN_OK] = "ok",
        [TOKEN_MALFORMED] = "token is malformed",
        [TOKEN_NO_KEY] = "no key fits the token",
        [TOKEN_FORGED] = "signature of the token is wrong",
        [TOKEN_EXPIRED] = "token has expired",
        [TOKEN_TOO_EARLY] = "token is not valid yet",
        [TOKEN_ISSUER] = "token is of another issuer",
        [TOKEN_AUDIENCE] = "token is for another audience",
        [TOKEN_NAMELESS] = "token names nobody",
        [TOKEN_INACTIVE] = "token is not active, says its issuer",
        [TOKEN_UNTOLD] = "the issuer's answer makes no sense",
    };

    return names[result];
}

/* Three parts, header.payload.signature (RFC 7515 §7.1). */
struct parts {
    struct slice text; /* what is signed: header.payload */
    struct buffer header, payload, signature;
};

static bool
take_parts(struct slice token, struct parts *parts)
{
    size_t first = slice_find_byte(token, '.');
    struct slice rest = slice_skip(token, first + 1);
    size_t second = slice_find_byte(rest, '.');

    if (token.len > TOKEN_LEN_MAX || second >= rest.len)
        return false;
    parts->text = slice_first(token, first + 1 + second);
    return json_base64_parse(slice_first(token, first), &parts->header) &&
           json_base64_parse(slice_first(rest, second), &parts->payload) &&
           json_base64_parse(slice_skip(rest, second + 1), &parts->signature);
}

/* ---- the header ------------------------------------------------------------------------------ */

static enum token_result
check_signature(const json_t *header, struct slice keys, const struct parts *parts)
{
    struct slice algorithm = json_text(header, "alg");
    struct slice key_id = json_text(header, "kid");

    if (!algorithm.at || json_object_get(header, "crit") ||
        (!key_id.at && json_object_get(header, "kid")))
        return TOKEN_MALFORMED;
    json_t *set = json_object_of(keys);
    enum keys_result result =
        keys_verify(set, algorithm, key_id, parts->text, buffer_slice(&parts->signature));
    json_decref(set);
    return result == KEYS_GOOD ? TOKEN_OK : result == KEYS_BAD ? TOKEN_FORGED : TOKEN_NO_KEY;
}

/* ---- claims ---------------------------------------------------------------------------------- */

/* NumericDate (RFC 7519 §2). False when it is there and no number. */
static bool
take_time(const json_t *claims, const char *name, bool *ret_is_there, double *ret_seconds)
{
    const json_t *value = json_object_get(claims, name);

    *ret_is_there = value != NULL;
    *ret_seconds = json_is_number(value) ? json_number_value(value) : 0;
    return !value || json_is_number(value);
}

static enum token_result
check_times(const json_t *claims, struct wall now, bool is_told, int64_t *ret_until_s)
{
    double seconds = (double)wall_seconds(now), expires, begins;
    bool has_expires, has_begins;

    if (!take_time(claims, "exp", &has_expires, &expires) ||
        !take_time(claims, "nbf", &has_begins, &begins))
        return TOKEN_MALFORMED;
    if ((!has_expires && !is_told) || (has_expires && seconds >= expires + TOKEN_LEEWAY_S))
        return TOKEN_EXPIRED;
    *ret_until_s = has_expires && expires < until_max_s ? (int64_t)expires : INT64_MAX;
    return has_begins && seconds < begins - TOKEN_LEEWAY_S ? TOKEN_TOO_EARLY : TOKEN_OK;
}

/* RFC 7519 §4.1.3: one string, or several. */
static bool
is_for(const json_t *claims, struct slice audience)
{
    const json_t *value = json_object_get(claims, "aud");

    if (audience.len == 0 || slice_equal(json_text(claims, "aud"), audience))
        return true;
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *one = json_array_get(value, i);
        if (json_is_string(one) &&
            slice_equal(slice_of(json_string_value(one), json_string_length(one)), audience))
            return true;
    }
    return false;
}

/* is_told: they come from the issuer itself, over a connection that is verified. */
static enum token_result
check_claims(const json_t *claims, const struct token_policy *policy, bool is_told,
             struct buffer *name, int64_t *ret_until_s)
{
    bool is_silent = is_told && !json_object_get(claims, "iss");
    char claim[64] = {0};

    if (policy->issuer.len == 0 ||
        (!is_silent && !slice_equal(json_text(claims, "iss"), policy->issuer)))
        return TOKEN_ISSUER;
    if (!is_for(claims, policy->audience))
        return TOKEN_AUDIENCE;
    enum token_result result = check_times(claims, policy->now, is_told, ret_until_s);
    if (result != TOKEN_OK)
        return result;
    if (policy->claim.len == 0 || policy->claim.len >= sizeof(claim))
        return TOKEN_NAMELESS;
    memcpy(claim, policy->claim.at, policy->claim.len);
    struct slice text = json_text(claims, claim);
    if (!text.at || text.len == 0 || text.len > TOKEN_NAME_MAX)
        return TOKEN_NAMELESS;
    buffer_put(name, text);
    return TOKEN_OK;
}

static enum token_result
verify(const struct parts *parts, const struct token_policy *policy, struct buffer *name)
{
    json_t *header = json_object_of(buffer_slice(&parts->header)), *claims = NULL;
    int64_t until_s;
    enum token_result result =
        header ? check_signature(header, policy->keys, parts) : TOKEN_MALFORMED;

    if (result == TOKEN_OK) {
        claims = json_object_of(buffer_slice(&parts->payload));
        result = claims ? check_claims(claims, policy, false, name, &until_s) : TOKEN_MALFORMED;
    }
    json_decref(header);
    json_decref(claims);
    return result;
}

enum token_result
token_verify(struct slice token, const struct token_policy *policy, struct buffer *name)
{
    struct parts parts;

    buffer_init(&parts.header, TOKEN_LEN_MAX);
    buffer_init(&parts.payload, TOKEN_LEN_MAX);
    buffer_init(&parts.signature, TOKEN_LEN_MAX);
    enum token_result result =
        take_parts(token, &parts) ? verify(&parts, policy, name) : TOKEN_MALFORMED;
    buffer_finish(&parts.header);
    buffer_finish(&parts.payload);
    buffer_finish(&parts.signature);
    return result;
}

/* RFC 7662 §2.2 */
enum token_result
token_introspect(struct slice answer, const struct token_policy *policy, struct buffer *name,
                 int64_t *ret_until_s)
{
    json_t *claims = json_object_of(answer);
    const json_t *active = json_object_get(claims, "active");
    enum token_result result = TOKEN_UNTOLD;
    int64_t until_s;

    if (json_is_true(active))
        result = check_claims(claims, policy, true, name, &until_s);
    else if (json_is_false(active))
        result = TOKEN_INACTIVE;
    if (result == TOKEN_OK)
        *ret_until_s = until_s;
    json_decref(claims);
    return result == TOKEN_MALFORMED ? TOKEN_UNTOLD : result;
}

bool
token_keys_are_sound(struct slice keys)
{
    json_t *set = json_object_of(keys);
    bool is_sound = json_is_array(json_object_get(set, "keys"));

    json_decref(set);
    return is_sound;
}
