/* SPDX-License-Identifier: ISC */
/* Bearer tokens, the server's side: OAUTHBEARER (RFC 7628), and XOAUTH2, which says the same in
 * Google's words. */
#include "sasl/digest.h"
#include "sasl/server_private.h"

enum { KVSEP = 1 };

/* saslname = 1*(value-safe-char / "=2C" / "=3D") (RFC 5801 §4) */
static bool
put_saslname(struct buffer *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        struct slice rest = slice_skip(text, i);
        if (text.at[i] != '=') {
            buffer_put_byte(out, text.at[i]);
            continue;
        }
        bool is_comma = slice_starts_with(rest, SLICE("=2C"));
        if (!is_comma && !slice_starts_with(rest, SLICE("=3D")))
            return false;
        buffer_put_byte(out, is_comma ? ',' : '=');
        i += 2;
    }
    return true;
}

/* gs2-header kvsep: "n,a=ann@example.org," (RFC 7628 §3.1). Tokens have no channel binding. */
static bool
take_header(struct sasl_server *server, struct cursor *cursor)
{
    struct slice flag, name;

    if (!cursor_take_until(cursor, ',', &flag) || !cursor_take_byte(cursor, ',') ||
        !cursor_take_until(cursor, ',', &name) || !cursor_take_byte(cursor, ',') ||
        !cursor_take_byte(cursor, KVSEP))
        return false;
    if (!slice_equal(flag, SLICE("n")) && !slice_equal(flag, SLICE("y")))
        return false;
    if (name.len == 0)
        return true;
    return slice_starts_with(name, SLICE("a=")) && name.len > 2 &&
           put_saslname(&server->authzid, slice_skip(name, 2));
}

/* "Bearer" SP token (RFC 6750 §2.1) */
static bool
take_token(struct sasl_server *server, struct slice value)
{
    static const struct slice scheme = SLICE("Bearer ");

    if (buffer_len(&server->password) > 0 || value.len <= scheme.len ||
        !slice_equal_nocase(slice_first(value, scheme.len), scheme))
        return false;
    buffer_put(&server->password, slice_trim(slice_skip(value, scheme.len)));
    return true;
}

/* *(key "=" value kvsep) kvsep; other keys, as host and port, say nothing to us. */
static bool
take_pairs(struct sasl_server *server, struct cursor *cursor)
{
    bool is_google = server->mechanism == SASL_XOAUTH2;
    struct slice pair;

    while (!cursor_take_byte(cursor, KVSEP)) {
        if (!cursor_take_until(cursor, KVSEP, &pair) || !cursor_take_byte(cursor, KVSEP))
            return false;
        size_t equals = slice_find_byte(pair, '=');
        struct slice key = slice_first(pair, equals), value = slice_skip(pair, equals + 1);
        if (equals == pair.len)
            return false;
        if (slice_equal(key, SLICE("auth")) && !take_token(server, value))
            return false;
        if (is_google && slice_equal(key, SLICE("user"))) {
            buffer_clear(&server->authzid);
            buffer_put(&server->authzid, value);
        }
    }
    return cursor_is_done(cursor);
}

/* RFC 7628 §3.2.2; Google's has a status of HTTP. */
static enum sasl_server_status
complain(struct sasl_server *server)
{
    buffer_clear(&server->message);
    buffer_put_text(&server->message,
                    server->mechanism == SASL_XOAUTH2
                        ? "{\"status\":\"401\",\"schemes\":\"bearer\",\"scope\":\"mail\"}"
                        : "{\"status\":\"invalid_token\"}");
    server->stage = SASL_STAGE_SECOND;
    return SASL_SERVER_CHALLENGE;
}

enum sasl_server_status
sasl_bearer_server_feed(struct sasl_server *server, struct slice message)
{
    struct cursor cursor = cursor_of(message);

    /* What follows our complaint says nothing. */
    if (server->stage == SASL_STAGE_SECOND)
        return sasl_server_fail(server, SASL_FAILURE_CREDENTIALS);
    if ((server->mechanism == SASL_OAUTHBEARER && !take_header(server, &cursor)) ||
        !take_pairs(server, &cursor))
        return sasl_server_fail(server, SASL_FAILURE_MALFORMED);
    buffer_clear(&server->message);
    if (buffer_len(&server->password) == 0)
        return complain(server);
    server->stage = SASL_STAGE_TOKEN;
    return SASL_SERVER_ASK_TOKEN;
}

enum sasl_server_status
sasl_server_answer_token(struct sasl_server *server, bool is_right)
{
    assert(server->stage == SASL_STAGE_TOKEN);
    sasl_wipe(server->password.at, server->password.size);
    buffer_clear(&server->password);
    if (!is_right)
        return complain(server);
    server->stage = SASL_STAGE_OVER;
    return SASL_SERVER_GRANTED;
}

struct slice
sasl_server_token(const struct sasl_server *server)
{
    return buffer_slice(&server->password);
}
