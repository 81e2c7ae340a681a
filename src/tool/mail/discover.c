/* SPDX-License-Identifier: ISC */
#include "tool/mail/discover.h"

#include "client/wire.h"
#include "dns/resolver.h"
#include "http/client.h"
#include "http/url.h"
#include "tool/mail/autoconfig.h"
#include "tool/say.h"

#include <stdlib.h>

enum { WAIT_S = 20, URL_MAX = 1024 };

/* ---- the name system ----------------------------------------------------------------------- */

struct asking {
    struct arena *arena;
    struct dns_resolver *resolver;
    struct slice domain;
    struct discovered *found;
    bool is_down; /* nobody answers: ask no more */
};

static bool
is_below(struct slice name, struct slice domain)
{
    size_t more = name.len - domain.len;

    return name.len >= domain.len && slice_equal_nocase(slice_skip(name, more), domain) &&
           (more == 0 || name.at[more - 1] == '.');
}

/* The best of the records: the lowest preference, then the greatest weight. */
static const struct dns_record *
best_of(const struct dns_answer *answer)
{
    const struct dns_record *best = NULL;

    for (size_t i = 0; i < answer->count; i++) {
        const struct dns_record *record = &answer->records[i];
        if (!best || record->preference < best->preference ||
            (record->preference == best->preference && record->weight > best->weight))
            best = record;
    }
    return best;
}

/* "_imaps._tcp.example.org"; a target "." says that there is no such service (RFC 2782). */
static bool
ask(struct asking *asking, const char *service, const char *scheme,
    struct client_server *ret_server)
{
    struct client_problem unused = {0};
    struct dns_answer answer;
    struct buffer text;

    if (asking->is_down)
        return false;
    buffer_init(&text, URL_MAX);
    buffer_put_text(&text, service);
    buffer_put_text(&text, "._tcp.");
    buffer_put(&text, asking->domain);
    dns_resolver_look_up(asking->resolver, buffer_slice(&text), DNS_SRV, asking->arena, &answer);
    asking->is_down = answer.outcome == DNS_TEMPORARY;
    const struct dns_record *record = answer.outcome == DNS_FOUND ? best_of(&answer) : NULL;
    buffer_clear(&text);
    bool is_found = record && record->name.len > 0 && record->port > 0;
    if (is_found) {
        buffer_put_text(&text, scheme);
        buffer_put_text(&text, "://");
        buffer_put(&text, record->name);
        buffer_put_byte(&text, ':');
        buffer_put_decimal(&text, record->port);
        is_found = client_server_parse(asking->arena, buffer_slice(&text), ret_server, &unused);
        asking->found->is_certain = asking->found->is_certain &&
                                    (answer.is_secure || is_below(record->name, asking->domain));
    }
    buffer_finish(&text);
    return is_found;
}

static void
ask_names(struct arena *arena, const char *domain, const char *resolver, struct discovered *found)
{
    static const struct {
        const char *service, *scheme;
        bool is_incoming;
    } services[] = {{"_imaps", "imaps", true},        {"_imap", "imap", true},
                    {"_pop3s", "pop3s", true},        {"_pop3", "pop3", true},
                    {"_submissions", "smtps", false}, {"_submission", "smtp", false}};
    struct slice forwarder = slice_of_string(resolver ? resolver : "");
    struct dns_resolver_options options = {
        .forwarders = &forwarder, .forwarder_count = resolver != NULL, .is_local_allowed = true};
    const char *why;
    struct asking asking = {.arena = arena,
                            .resolver = dns_resolver_open(&options, &why),
                            .domain = slice_of_string(domain),
                            .found = found};

    if (!asking.resolver) {
        say_warning("the name system cannot be asked: %s", why);
        return;
    }
    found->is_certain = true;
    for (size_t i = 0; i < COUNT_OF(services); i++) {
        struct client_server *server =
            services[i].is_incoming ? &found->incoming : &found->outgoing;
        if (server->protocol == CLIENT_NONE)
            (void)!ask(&asking, services[i].service, services[i].scheme, server);
    }
    dns_resolver_close(&asking.resolver, NULL);
}

/* ---- the file ------------------------------------------------------------------------------ */

/* True when there is an answer in http->body. */
static bool
get(const struct http_url *url, const char *trust, struct http *http)
{
    struct instant deadline = instant_after(client_now(), duration_s(WAIT_S));
    struct client_problem unused = {0};
    char host[URL_MAX];
    struct slice input;
    size_t sent;

    (void)snprintf(host, sizeof(host), "%.*s", CLIENT_TEXT(url->host));
    struct client_wire_options options = {.host = host,
                                          .port = url->port,
                                          .is_secure = true,
                                          .trust_file = trust,
                                          .protocol = "http/1.1"};
    struct client_wire *wire = client_wire_open(&options, &unused);
    while (wire && http->state < HTTP_DONE) {
        switch (client_wire_move(wire, buffer_slice(&http->output), &sent, &input, deadline)) {
        case CLIENT_WIRE_MOVED:
            buffer_consume(&http->output, sent);
            if (input.len > 0)
                (void)!http_feed(http, input);
            break;
        case CLIENT_WIRE_ENDED:
            http_end(http, true); /* of XML it would be seen where somebody cuts it off */
            break;
        case CLIENT_WIRE_SILENCE:
            http->state = HTTP_FAILED;
            break;
        }
    }
    client_wire_close(&wire);
    return http->state == HTTP_DONE;
}

static bool
take_file(struct arena *arena, struct slice text, const char *address, struct discovered *found)
{
    struct client_problem unused = {0};
    struct autoconfig file;

    if (!autoconfig_parse(arena, text, address, &file))
        return false;
    bool has_any = false;
    if (file.incoming && found->incoming.protocol == CLIENT_NONE)
        has_any =
            client_server_parse(arena, slice_of_string(file.incoming), &found->incoming, &unused);
    if (has_any)
        found->login = file.login;
    if (file.outgoing && found->outgoing.protocol == CLIENT_NONE)
        has_any =
            client_server_parse(arena, slice_of_string(file.outgoing), &found->outgoing, &unused) ||
            has_any;
    return has_any;
}

static bool
read_file(struct arena *arena, struct slice text, const char *address, const char *trust,
          struct discovered *found)
{
    struct http_url url;
    struct http http;

    if (!http_url_parse(text, &url))
        return false;
    http_init(&http, &(struct http_request){.host = url.authority,
                                            .path = url.path,
                                            .accept = SLICE("text/xml, application/xml")});
    bool is_found =
        get(&url, trust, &http) && take_file(arena, buffer_slice(&http.body), address, found);
    http_finish(&http);
    return is_found;
}

/* ---- all of it ----------------------------------------------------------------------------- */

static const char *
name_source(struct arena *arena, const char *what, const char *where)
{
    char text[URL_MAX];

    (void)snprintf(text, sizeof(text), "%s %s", what, where);
    return arena_copy_string(arena, slice_of_string(text));
}

/* Where domains keep the file. */
static const char *
name_url(struct arena *arena, const char *address, const char *domain, bool is_first)
{
    char url[URL_MAX];

    if (is_first)
        (void)snprintf(url, sizeof(url),
                       "https://autoconfig.%s/mail/config-v1.1.xml?emailaddress=%s", domain,
                       address);
    else
        (void)snprintf(url, sizeof(url), "https://%s/.well-known/autoconfig/mail/config-v1.1.xml",
                       domain);
    return arena_copy_string(arena, slice_of_string(url));
}

static void
read_files(struct arena *arena, const char *address, const char *domain,
           const struct discover_options *options, struct discovered *found)
{
    for (int i = 0; i < (options->url ? 1 : 2); i++) {
        const char *url = options->url ? options->url : name_url(arena, address, domain, i == 0);
        if (!url || !read_file(arena, slice_of_string(url), address, options->trust, found))
            continue;
        found->source = name_source(arena, "the file", url);
        found->is_certain = true;
        return;
    }
}

void
discover(struct arena *arena, const char *address, const struct discover_options *options,
         struct discovered *ret_found)
{
    const char *at = strrchr(address, '@');

    *ret_found = (struct discovered){0};
    if (!at || !dns_name_is_sound(slice_of_string(at + 1)))
        return;
    if (!options->url)
        ask_names(arena, at + 1, options->resolver, ret_found);
    if (ret_found->incoming.protocol != CLIENT_NONE || ret_found->outgoing.protocol != CLIENT_NONE)
        ret_found->source = name_source(arena, "SRV records of", at + 1);
    else
        read_files(arena, address, at + 1, options, ret_found);
}
