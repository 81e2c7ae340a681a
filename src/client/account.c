/* SPDX-License-Identifier: ISC */
#include "client/account.h"

#include "base/cursor.h"
#include "text/utf8.h"

enum { HOST_MAX = 255 };

/* ---- servers ------------------------------------------------------------------------------- */

static const struct scheme {
    const char *name;
    enum client_protocol protocol;
    bool is_secure;
    uint16_t port; /* RFC 8314 §7, RFC 6409, RFC 9051, RFC 1939 */
} schemes[] = {
    {"imaps", CLIENT_IMAP, true, 993}, {"imap", CLIENT_IMAP, false, 143},
    {"pop3s", CLIENT_POP3, true, 995}, {"pop3", CLIENT_POP3, false, 110},
    {"smtps", CLIENT_SMTP, true, 465}, {"smtp", CLIENT_SMTP, false, 587},
};

static const struct scheme *
scheme_of(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        if (slice_equal_nocase(name, slice_of_string(schemes[i].name)))
            return &schemes[i];
    }
    return NULL;
}

static bool
is_host(struct slice host)
{
    for (size_t i = 0; i < host.len; i++) {
        uint8_t byte = host.at[i];
        if (!byte_is_alpha(byte) && !byte_is_digit(byte) && !strchr("-._:", byte))
            return false;
    }
    return host.len > 0 && host.len <= HOST_MAX && !memchr(host.at, '\0', host.len);
}

bool
client_server_parse(struct arena *arena, struct slice url, struct client_server *ret_server,
                    struct client_problem *problem)
{
    struct cursor cursor = cursor_of(slice_trim(url));
    struct slice name, host, rest;
    uint32_t port = 0;
    const struct scheme *scheme = NULL;

    if (cursor_take_until(&cursor, ':', &name) && cursor_take_text(&cursor, SLICE("://")))
        scheme = scheme_of(name);
    if (!scheme)
        return client_problem_set(problem, CLIENT_PROBLEM_SETTINGS,
                                  "'%.*s' is no server: write imaps://HOST, imap://, pop3s://, "
                                  "pop3://, smtps:// or smtp://, and :PORT when it is not the "
                                  "usual one",
                                  CLIENT_TEXT(url));
    bool has_brackets = cursor_take_byte(&cursor, '[');
    rest = cursor_rest(&cursor);
    host = slice_first(rest, slice_find_byte(rest, has_brackets ? ']' : ':'));
    host = has_brackets ? host : slice_first(host, slice_find_byte(host, '/'));
    cursor = cursor_of(slice_skip(rest, host.len + (has_brackets ? 1 : 0)));
    bool is_good = is_host(host);
    port = scheme->port;
    if (cursor_take_byte(&cursor, ':'))
        is_good = is_good && cursor_take_u32(&cursor, 1, UINT16_MAX, &port);
    (void)!cursor_take_byte(&cursor, '/');
    if (!is_good || !cursor_is_done(&cursor))
        return client_problem_set(problem, CLIENT_PROBLEM_SETTINGS,
                                  "'%.*s': expected %s://HOST or %s://HOST:PORT", CLIENT_TEXT(url),
                                  scheme->name, scheme->name);
    *ret_server = (struct client_server){.protocol = scheme->protocol,
                                         .is_secure = scheme->is_secure,
                                         .port = (uint16_t)port,
                                         .host = arena_copy_string(arena, host)};
    return ret_server->host != NULL;
}

void
client_server_format(const struct client_server *server, struct buffer *out)
{
    bool has_colon = strchr(server->host, ':') != NULL;

    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        if (schemes[i].protocol != server->protocol || schemes[i].is_secure != server->is_secure)
            continue;
        buffer_put_text(out, schemes[i].name);
        buffer_put_text(out, has_colon ? "://[" : "://");
        buffer_put_text(out, server->host);
        buffer_put_text(out, has_colon ? "]" : "");
        if (server->port != schemes[i].port) {
            buffer_put_byte(out, ':');
            buffer_put_decimal(out, server->port);
        }
    }
}

/* ---- the file ------------------------------------------------------------------------------ */

#define TEXT_KEY(name, member)                                                                     \
    {                                                                                              \
        name, offsetof(struct client_account, member)                                              \
    }

static const struct {
    const char *name;
    size_t offset; /* of a const char * */
} text_keys[] = {
    TEXT_KEY("address", address),
    TEXT_KEY("name", person),
    TEXT_KEY("organization", organization),
    TEXT_KEY("reply-to", reply_to),
    TEXT_KEY("login", login),
    TEXT_KEY("password-command", password_command),
    TEXT_KEY("trust", trust),
    TEXT_KEY("sent", sent),
    TEXT_KEY("copy", copy),
    TEXT_KEY("certificate", certificate),
};

static const char *const tls_words[] = {
    [CLIENT_TLS_REQUIRED] = "required",
    [CLIENT_TLS_OFFERED] = "offered",
    [CLIENT_TLS_NEVER] = "never",
};

static const char **
text_at(struct client_account *account, size_t offset)
{
    return (const char **)(void *)((char *)account + offset);
}

static const char *const receipts_words[] = {
    [CLIENT_RECEIPTS_ASK] = "ask",
    [CLIENT_RECEIPTS_NEVER] = "never",
    [CLIENT_RECEIPTS_ALWAYS] = "always",
};

/* Three words, of which the first goes without saying. */
static bool
find_word(const char *key, const char *const *words, struct slice value, unsigned *ret_index,
          struct client_problem *problem)
{
    for (unsigned i = 0; i < 3; i++) {
        if (slice_equal(value, slice_of_string(words[i]))) {
            *ret_index = i;
            return true;
        }
    }
    return client_problem_set(problem, CLIENT_PROBLEM_SETTINGS, "%s = %.*s: expected %s, %s or %s",
                              key, CLIENT_TEXT(value), words[0], words[1], words[2]);
}

static bool
set_server(struct arena *arena, struct client_server *server, bool is_outgoing, struct slice value,
           struct client_problem *problem)
{
    if (!client_server_parse(arena, value, server, problem))
        return false;
    if ((server->protocol == CLIENT_SMTP) == is_outgoing)
        return true;
    return client_problem_set(problem, CLIENT_PROBLEM_SETTINGS, "%.*s cannot be the %s server",
                              CLIENT_TEXT(value), is_outgoing ? "outgoing" : "incoming");
}

static bool
is_text(struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        if ((value.at[i] < ' ' && value.at[i] != '\t') || value.at[i] == 0x7F)
            return false;
    }
    return utf8_is_valid(value);
}

bool
client_account_set(struct arena *arena, struct client_account *account, struct slice key,
                   struct slice value, struct client_problem *problem)
{
    unsigned word = 0;

    if (!is_text(value))
        return client_problem_set(problem, CLIENT_PROBLEM_SETTINGS,
                                  "the value is no UTF-8 text, or has control characters");
    for (size_t i = 0; i < COUNT_OF(text_keys); i++) {
        if (slice_equal(key, slice_of_string(text_keys[i].name))) {
            *text_at(account, text_keys[i].offset) = arena_copy_string(arena, value);
            return true;
        }
    }
    if (slice_equal(key, SLICE("tls"))) {
        bool is_good = find_word("tls", tls_words, value, &word, problem);
        account->tls = is_good ? (enum client_tls)word : account->tls;
        return is_good;
    }
    if (slice_equal(key, SLICE("receipts"))) {
        bool is_good = find_word("receipts", receipts_words, value, &word, problem);
        account->receipts = is_good ? (enum client_receipts)word : account->receipts;
        return is_good;
    }
    if (slice_equal(key, SLICE("incoming")))
        return set_server(arena, &account->incoming, false, value, problem);
    if (slice_equal(key, SLICE("outgoing")))
        return set_server(arena, &account->outgoing, true, value, problem);
    return client_problem_set(problem, CLIENT_PROBLEM_SETTINGS, "there is no key '%.*s'",
                              CLIENT_TEXT(key));
}

static bool
is_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t byte = name.at[i];
        if (!byte_is_alpha(byte) && !byte_is_digit(byte) && !(byte && strchr(".-_@+", byte)))
            return false;
    }
    return name.len > 0 && name.len <= CLIENT_ACCOUNT_NAME_MAX;
}

/* [name] */
static bool
begin_account(struct arena *arena, struct client_accounts *accounts, struct slice line,
              struct client_problem *problem)
{
    struct slice name = slice_trim(slice_between(line, 1, line.len - 1));

    if (line.at[line.len - 1] != ']' || !is_name(name))
        return client_problem_set(problem, CLIENT_PROBLEM_SETTINGS,
                                  "expected [NAME] of letters, digits, '.', '-', '_', '@'");
    if (accounts->count == CLIENT_ACCOUNTS_MAX)
        return client_problem_set(problem, CLIENT_PROBLEM_SETTINGS, "more than %d accounts",
                                  CLIENT_ACCOUNTS_MAX);
    struct client_account *account = &accounts->accounts[accounts->count];
    *account = (struct client_account){.name = arena_copy_string(arena, name)};
    for (size_t i = 0; account->name && i < accounts->count; i++) {
        if (strcmp(accounts->accounts[i].name, account->name) == 0)
            return client_problem_set(problem, CLIENT_PROBLEM_SETTINGS,
                                      "the account %s was there before", account->name);
    }
    accounts->count++;
    return account->name != NULL;
}

static bool
take_line(struct arena *arena, struct client_accounts *accounts, struct slice line,
          struct client_problem *problem)
{
    size_t equals = slice_find_byte(line, '=');

    if (line.len == 0 || line.at[0] == '#')
        return true;
    if (line.at[0] == '[')
        return begin_account(arena, accounts, line, problem);
    if (equals == line.len || accounts->count == 0)
        return client_problem_set(problem, CLIENT_PROBLEM_SETTINGS,
                                  "expected [NAME], and below it lines KEY = VALUE");
    return client_account_set(arena, &accounts->accounts[accounts->count - 1],
                              slice_trim(slice_first(line, equals)),
                              slice_trim(slice_skip(line, equals + 1)), problem);
}

static bool
complete(struct client_account *account, struct client_problem *problem)
{
    if (!account->address ||
        slice_find_byte(slice_of_string(account->address), '@') == strlen(account->address))
        return client_problem_set(problem, CLIENT_PROBLEM_SETTINGS,
                                  "the account %s has no address = LOCAL@DOMAIN", account->name);
    if (!account->login)
        account->login = account->address;
    if (!account->sent)
        account->sent = "Sent";
    return true;
}

bool
client_accounts_parse(struct arena *arena, struct slice text, struct client_accounts *ret_accounts,
                      struct client_problem *problem)
{
    struct client_accounts accounts = {
        .accounts = ARENA_ARRAY(arena, struct client_account, CLIENT_ACCOUNTS_MAX)};
    size_t number = 1;

    if (!accounts.accounts)
        return client_problem_set(problem, CLIENT_PROBLEM_TOO_LARGE, "too many accounts");
    for (struct slice rest = text; rest.len > 0; number++) {
        struct client_problem found = {0};
        struct slice line = slice_first(rest, slice_find_byte(rest, '\n'));
        rest = slice_skip(rest, line.len + 1);
        if (!take_line(arena, &accounts, slice_trim(line), &found))
            return client_problem_set(problem, CLIENT_PROBLEM_SETTINGS, "line %zu: %s", number,
                                      found.text);
    }
    for (size_t i = 0; i < accounts.count; i++) {
        if (!complete(&accounts.accounts[i], problem))
            return false;
    }
    if (arena_failed(arena))
        return client_problem_set(problem, CLIENT_PROBLEM_TOO_LARGE, "too many accounts");
    *ret_accounts = accounts;
    return true;
}

static void
put_line(struct buffer *out, const char *key, const char *value)
{
    buffer_put_text(out, key);
    buffer_put_text(out, " = ");
    for (; *value; value++) /* a line end would begin another key */
        buffer_put_byte(out, (uint8_t)*value < ' ' ? ' ' : (uint8_t)*value);
    buffer_put_byte(out, '\n');
}

static void
put_server(struct buffer *out, const char *key, const struct client_server *server)
{
    if (server->protocol == CLIENT_NONE)
        return;
    buffer_put_text(out, key);
    buffer_put_text(out, " = ");
    client_server_format(server, out);
    buffer_put_byte(out, '\n');
}

void
client_account_format(const struct client_account *account, struct buffer *out)
{
    buffer_put_byte(out, '[');
    buffer_put_text(out, account->name);
    buffer_put_text(out, "]\n");
    for (size_t i = 0; i < COUNT_OF(text_keys); i++) {
        struct client_account copy = *account;
        const char *value = *text_at(&copy, text_keys[i].offset);
        if (value)
            put_line(out, text_keys[i].name, value);
    }
    put_server(out, "incoming", &account->incoming);
    put_server(out, "outgoing", &account->outgoing);
    if (account->tls != CLIENT_TLS_REQUIRED)
        put_line(out, "tls", tls_words[account->tls]);
    if (account->receipts != CLIENT_RECEIPTS_ASK)
        put_line(out, "receipts", receipts_words[account->receipts]);
}

const struct client_account *
client_accounts_find(const struct client_accounts *accounts, const char *name)
{
    for (size_t i = 0; i < accounts->count; i++) {
        const struct client_account *account = &accounts->accounts[i];
        if (!name || strcmp(account->name, name) == 0)
            return account;
    }
    for (size_t i = 0; name && i < accounts->count; i++) {
        const struct client_account *account = &accounts->accounts[i];
        if (slice_equal_nocase(slice_of_string(account->address), slice_of_string(name)))
            return account;
    }
    return NULL;
}
