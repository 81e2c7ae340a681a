/* SPDX-License-Identifier: ISC */
/* What only the whole configuration can show. */
#include "config/config.h"

#include "base/cursor.h"
#include "http/url.h"

struct check {
    struct slice name;
    struct buffer *errors;
    bool is_good;
};

static void
complain(struct check *check, const char *option, const char *what)
{
    check->is_good = false;
    buffer_put(check->errors, check->name);
    buffer_put_text(check->errors, ": ");
    buffer_put_text(check->errors, option);
    buffer_put_text(check->errors, ": ");
    buffer_put_text(check->errors, what);
    buffer_put_byte(check->errors, '\n');
}

static struct slice
take_word(struct slice *rest)
{
    *rest = slice_trim(*rest);
    size_t end = slice_find_byte(*rest, ' ');
    struct slice word = slice_first(*rest, end);

    *rest = slice_trim(slice_skip(*rest, end));
    return word;
}

bool
config_tls_name(struct slice entry, struct slice *ret_name, struct slice *ret_chain,
                struct slice *ret_key)
{
    struct slice name = take_word(&entry), chain = take_word(&entry), key = take_word(&entry);

    if (name.len == 0 || name.len > 255 || chain.len == 0 || chain.at[0] != '/' || key.len == 0 ||
        key.at[0] != '/' || entry.len > 0)
        return false;
    *ret_name = name;
    *ret_chain = chain;
    *ret_key = key;
    return true;
}

bool
config_pair(struct slice entry, struct slice *ret_first, struct slice *ret_rest)
{
    struct slice first = take_word(&entry);

    if (first.len == 0 || entry.len == 0)
        return false;
    *ret_first = first;
    *ret_rest = entry;
    return true;
}

/* Entries of two words, the second of which may be anything that has no blank in it. */
static void
check_pairs(struct check *check, const char *option, const struct config_strings *entries,
            const char *what)
{
    struct slice first, rest;

    for (size_t i = 0; i < entries->count; i++) {
        if (!config_pair(entries->at[i], &first, &rest) || slice_find_byte(rest, ' ') < rest.len)
            complain(check, option, what);
    }
}

static void
check_senders(struct check *check, const struct config *config)
{
    struct slice account, what;

    for (size_t i = 0; i < config->send_as.count; i++) {
        if (!config_pair(config->send_as.at[i], &account, &what) ||
            slice_find_byte(what, ' ') < what.len ||
            (!slice_equal(what, SLICE("*")) && slice_find_byte(what, '@') == what.len))
            complain(check, "send_as",
                     "expected entries \"ACCOUNT ADDRESS\", \"ACCOUNT @DOMAIN\" or \"ACCOUNT *\"; "
                     "give the address of an account, and what it may send as");
    }
}

static void
check_relays(struct check *check, const struct config *config)
{
    struct slice domain, way;

    for (size_t i = 0; i < config->relay_feeds.count; i++) {
        if (!config_pair(config->relay_feeds.at[i], &domain, &way) ||
            domain.len > CONFIG_FEED_DOMAIN_MAX || !slice_starts_with(way, SLICE("smtp:")))
            complain(check, "relay_feeds",
                     "expected entries \"DOMAIN smtp:[HOST]:PORT auth=NAME\"; give the way to the "
                     "submission port of the domain's own server");
    }
    check_pairs(
        check, "atrn", &config->atrn,
        "expected entries \"ACCOUNT DOMAIN\"; give the address of an account, and a domain");
    check_pairs(
        check, "relay_feed_to", &config->relay_feed_to,
        "expected entries \"ACCOUNT DOMAIN\"; give the address of an account, and a domain");
}

bool
config_dkim_key(struct slice entry, struct slice *ret_record, struct slice *ret_key)
{
    const struct slice middle = SLICE("._domainkey.");
    struct slice record = take_word(&entry), key = take_word(&entry);
    size_t at = slice_find(record, middle);

    if (record.len > 255 || at == 0 || at + middle.len >= record.len || key.len == 0 ||
        key.at[0] != '/' || entry.len > 0)
        return false;
    *ret_record = record;
    *ret_key = key;
    return true;
}

static void
check_dkim(struct check *check, const struct config *config)
{
    struct slice record, key;

    for (size_t i = 0; i < config->dkim_keys.count; i++) {
        if (!config_dkim_key(config->dkim_keys.at[i], &record, &key))
            complain(check, "dkim_keys",
                     "expected entries \"SELECTOR._domainkey.DOMAIN /KEY-FILE\"; give absolute "
                     "paths without spaces");
    }
}

static void
check_tls(struct check *check, const struct config *config)
{
    struct slice name, chain, key;
    bool has_certificate = config->tls_certificate.len > 0;

    if (has_certificate != (config->tls_key.len > 0))
        complain(check, has_certificate ? "tls_key" : "tls_certificate",
                 "tls_certificate and tls_key belong together; set both or none");
    if (!has_certificate && config->submissions_listen.count > 0)
        complain(check, "submissions_listen",
                 "needs a certificate; set tls_certificate and tls_key, or "
                 "submissions_listen = {}");
    if (!has_certificate && config->imaps_listen.count > 0)
        complain(check, "imaps_listen",
                 "needs a certificate; set tls_certificate and tls_key, or imaps_listen = {}");
    if (!has_certificate && config->pop3s_listen.count > 0)
        complain(check, "pop3s_listen",
                 "needs a certificate; set tls_certificate and tls_key, or pop3s_listen = {}");
    for (size_t i = 0; i < config->tls_names.count; i++) {
        if (!config_tls_name(config->tls_names.at[i], &name, &chain, &key))
            complain(check, "tls_names",
                     "expected entries \"NAME /CHAIN-FILE /KEY-FILE\"; give absolute paths "
                     "without spaces");
    }
}

static void
check_issuer_url(struct check *check, const char *option, struct slice text,
                 const struct config *config)
{
    struct http_url url;

    if (text.len == 0)
        return;
    if (!http_url_parse(text, &url))
        complain(check, option, "expected a URL as https://id.example.org/path");
    if (config->oauth_issuer.len == 0)
        complain(check, option, "whose it is must be known; set oauth_issuer");
}

static void
check_tokens(struct check *check, const struct config *config)
{
    const uint32_t bearers = CONFIG_MECHANISM_OAUTHBEARER | CONFIG_MECHANISM_XOAUTH2;

    if (config->auth_mechanisms & bearers && config->oauth_issuer.len == 0)
        complain(check, "oauth_issuer",
                 "OAUTHBEARER and XOAUTH2 need it; set it, or take them out of auth_mechanisms");
    if (config->auth_mechanisms & CONFIG_MECHANISM_EXTERNAL && config->tls_client_trust.len == 0)
        complain(check, "tls_client_trust",
                 "EXTERNAL needs it; set it, or take EXTERNAL out of auth_mechanisms");
    if (config->oauth_issuer.len > 0 && config->oauth_claim.len == 0)
        complain(check, "oauth_claim", "names nobody; set it to a claim, as email");
    check_issuer_url(check, "oauth_jwks", config->oauth_jwks, config);
    check_issuer_url(check, "oauth_introspection", config->oauth_introspection, config);
    if (config->oauth_jwks.len > 0 && config->oauth_introspection.len > 0)
        complain(check, "oauth_introspection",
                 "tokens are verified by keys or by asking, not both; leave oauth_jwks empty");
}

static void
check_delivery(struct check *check, const struct config *config)
{
    struct slice target = config->delivery_default;
    bool is_box =
        slice_starts_with(target, SLICE("mbox:/")) || slice_starts_with(target, SLICE("maildir:/"));

    if (!is_box && !slice_equal(target, SLICE("store")))
        complain(check, "delivery_default",
                 "expected store, mbox:/PATH or maildir:/PATH; give one of these");
    if (is_box &&
        !config_letterbox_is_allowed(config, slice_skip(target, slice_find_byte(target, ':') + 1)))
        complain(check, "delivery_default",
                 "letter boxes need a place; name the folder above them in letterbox_dirs");
    for (size_t i = 0; i < config->letterbox_dirs.count; i++) {
        if (config->letterbox_dirs.at[i].len < 2 || config->letterbox_dirs.at[i].at[0] != '/')
            complain(check, "letterbox_dirs", "expected absolute paths; begin them with /");
    }
}

static void
check_pop3(struct check *check, const struct config *config)
{
    struct cursor days = cursor_of(config->pop3_expire);
    uint32_t count;

    if (!slice_equal(config->pop3_expire, SLICE("NEVER")) &&
        (!cursor_take_u32(&days, 0, 36500, &count) || !cursor_is_done(&days)))
        complain(check, "pop3_expire", "expected NEVER or a number of days; give one of these");
}

static void
check_names(struct check *check, const struct config *config)
{
    struct slice hostname = config->hostname;

    for (size_t i = 0; i < hostname.len; i++) {
        uint8_t c = hostname.at[i];
        if (!byte_is_alpha(c) && !byte_is_digit(c) && c != '-' && c != '.') {
            complain(check, "hostname",
                     "expected a domain name of letters, digits, hyphens and dots; "
                     "write an international name in its xn-- form");
            break;
        }
    }
    for (size_t i = 0; i < config->socket_dirs.count; i++) {
        if (config->socket_dirs.at[i].len < 2 || config->socket_dirs.at[i].at[0] != '/')
            complain(check, "socket_dirs", "expected absolute paths; begin them with /");
    }
    if (config->subaddress_separator.len > 0 &&
        (byte_is_alpha(config->subaddress_separator.at[0]) ||
         byte_is_digit(config->subaddress_separator.at[0])))
        complain(check, "subaddress_separator",
                 "expected a sign, which no name has; give one like + or -");
    if (config->data_dir.len == 0)
        complain(check, "data_dir", "mail needs a place; give a folder");
    if (config->runtime_dir.len == 0)
        complain(check, "runtime_dir", "sockets need a place; give a folder");
}

bool
config_check(const struct config *config, struct slice name, struct buffer *errors)
{
    struct check check = {.name = name, .errors = errors, .is_good = true};

    check_names(&check, config);
    check_tokens(&check, config);
    check_tls(&check, config);
    check_dkim(&check, config);
    check_delivery(&check, config);
    check_pop3(&check, config);
    check_relays(&check, config);
    check_senders(&check, config);
    if (config->tarpit_errors > config->errors_max)
        complain(&check, "tarpit_errors", "is never reached; make it less than errors_max");
    return check.is_good;
}
