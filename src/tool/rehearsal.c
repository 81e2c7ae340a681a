/* SPDX-License-Identifier: ISC */
#include "tool/rehearsal.h"

#include "config/option.h"
#include "delivery/program.h"
#include "host/address.h"
#include "role/resolve/options.h"
#include "routing/credentials.h"
#include "routing/transports.h"
#include "table/table.h"
#include "tls/certificate.h"
#include "tls/signer.h"
#include "tool/files.h"
#include "tool/people.h"
#include "tool/say.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define TEXT(slice) (int)(slice).len, (const char *)(slice).at

enum {
    PEM_MAX = 1 << 20,
    TRUST_MAX = 64 << 20, /* lists of what is revoked grow */
    LISTENING_MAX = 8 * CONFIG_LISTENERS_MAX,
    LISTENER_TEXT_MAX = 256,
    PROBLEM_MAX = 1024,
    REPEATED_MAX = 64 << 10,
    NAME_ROOM = 1024, /* root@ before any domain */
    FILE_MAX = 1 << 30,
    ROWS_SEED = 1,
};

struct rehearsal {
    const struct settings *settings;
    const struct config *config;
    struct arena arena;
    int code; /* of the first thing that is wrong */
};

static void
note(struct rehearsal *rehearsal, int code)
{
    if (rehearsal->code == EX_OK)
        rehearsal->code = code;
}

static char *
string_of(struct slice text)
{
    char *string = strndup(text.len ? (const char *)text.at : "", text.len);

    if (!string)
        abort();
    return string;
}

/* ---- files --------------------------------------------------------------------------------- */

/* The whole of a file that an option names; nothing when the option is empty. False when it cannot
 * be read. */
static bool
read_named(struct rehearsal *rehearsal, const char *option, struct slice path, size_t max,
           struct buffer *ret_bytes)
{
    char *string = string_of(path);

    buffer_init(ret_bytes, 0);
    int code = path.len ? files_read(string, max, ret_bytes) : EX_OK;
    if (code != EX_OK)
        note(rehearsal,
             say_error(code, "%s names that file; correct it in the configuration", option));
    free(string);
    return code == EX_OK;
}

static void
check_readable(struct rehearsal *rehearsal, const char *option, struct slice path)
{
    struct buffer bytes;

    (void)!read_named(rehearsal, option, path, TRUST_MAX, &bytes);
    buffer_finish(&bytes);
}

/* Whether clients will take the certificate, as far as it shows from here. */
static void
check_certificate(const char *option, struct slice name, struct slice chain)
{
    struct tls_certificate_facts facts;
    int64_t now_s = (int64_t)time(NULL);

    if (!tls_certificate_look(chain, name, &facts))
        return;
    if (now_s > facts.until_s)
        say_warning("%s: the certificate expired %lld days ago; renew it", option,
                    (long long)((now_s - facts.until_s) / (24 * 3600)));
    if (now_s < facts.from_s)
        say_warning("%s: the certificate is not valid yet; look at the clock of this machine",
                    option);
    /* A name with a star is asked for by nobody. */
    if (!facts.is_name_in_it && !slice_starts_with(name, SLICE("*")))
        say_warning("%s: the certificate is not for %.*s; programs that look for that name refuse "
                    "it",
                    option, TEXT(name));
}

/* A chain with its key, or, where chain is empty, a key alone. */
static void
check_key(struct rehearsal *rehearsal, const char *option, struct slice name,
          struct slice chain_path, struct slice key_path)
{
    struct buffer chain, key, problem;

    buffer_init(&problem, PROBLEM_MAX);
    bool has_chain = read_named(rehearsal, option, chain_path, PEM_MAX, &chain);
    bool has_key = read_named(rehearsal, option, key_path, PEM_MAX, &key);
    if (has_chain && has_key) {
        struct tls_signer *signer =
            chain_path.len ? tls_signer_open(buffer_slice(&chain), buffer_slice(&key), &problem)
                           : tls_signer_open_bare(buffer_slice(&key), &problem);
        if (!signer)
            note(rehearsal, say_error(EX_CONFIG, "%s: %.*s (%.*s); name another file", option,
                                      TEXT(buffer_slice(&problem)), TEXT(key_path)));
        else if (chain_path.len)
            check_certificate(option, name, buffer_slice(&chain));
        tls_signer_close(&signer);
    }
    buffer_finish(&problem);
    buffer_finish(&chain);
    buffer_wipe(&key);
}

static void
check_files(struct rehearsal *rehearsal)
{
    const struct config *config = rehearsal->config;
    struct slice name, chain, key;

    if (config->tls_certificate.len)
        check_key(rehearsal, "tls_certificate and tls_key", config->hostname,
                  config->tls_certificate, config->tls_key);
    for (size_t i = 0; i < config->tls_names.count; i++) {
        if (config_tls_name(config->tls_names.at[i], &name, &chain, &key))
            check_key(rehearsal, "tls_names", name, chain, key);
    }
    for (size_t i = 0; i < config->dkim_keys.count; i++) {
        if (config_dkim_key(config->dkim_keys.at[i], &name, &key))
            check_key(rehearsal, "dkim_keys", name, SLICE(""), key);
    }
    check_readable(rehearsal, "tls_client_trust", config->tls_client_trust);
    check_readable(rehearsal, "oauth_trust", config->oauth_trust);
    char *trust = string_of(config->outbound_trust);
    if (*trust && !files_exists(trust))
        say_warning("outbound_trust: %s is not there; mail for hosts whose certificate must be "
                    "verified waits",
                    trust);
    free(trust);
}

/* ---- options that stand twice --------------------------------------------------------------- */

static void
check_repeated(const struct settings *settings)
{
    struct buffer text, told;

    buffer_init(&told, REPEATED_MAX);
    if (files_read(settings->path, CONFIG_TEXT_MAX, &text) == EX_OK)
        config_put_repeated(buffer_slice(&text), &told);
    struct slice rest = buffer_slice(&told);
    while (rest.len > 0) {
        size_t end = slice_find_byte(rest, '\n');
        say_warning("%s:%.*s", settings->path, TEXT(slice_first(rest, end)));
        rest = slice_skip(rest, end + 1);
    }
    buffer_finish(&told);
    buffer_finish(&text);
}

/* ---- places to listen ---------------------------------------------------------------------- */

struct place {
    const struct config_option *option;
    char text[LISTENER_TEXT_MAX];
};

static void
check_place(struct rehearsal *rehearsal, const struct place *places, size_t count,
            const struct place *place)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(places[i].text, place->text) == 0) {
            note(rehearsal, say_error(EX_CONFIG,
                                      "%s: %s stands in %s, too; a place serves once, choose "
                                      "another",
                                      place->option->name, place->text, places[i].option->name));
            return;
        }
    }
}

static void
check_listeners(struct rehearsal *rehearsal)
{
    struct place *places = calloc(LISTENING_MAX, sizeof(*places));
    size_t count = 0;
    struct buffer text;

    if (!places)
        abort();
    for (const struct config_option *o = NULL; (o = config_option_next(o));) {
        /* Where a proxy is reached nobody listens here. */
        bool is_ours = o->kind == CONFIG_LISTENERS && strcmp(o->name, "outbound_socks") != 0;
        size_t entries = is_ours ? config_value_count(o, rehearsal->config) : 0;
        for (size_t i = 0; i < entries && count < LISTENING_MAX; i++) {
            struct place *place = &places[count];
            buffer_init(&text, LISTENER_TEXT_MAX);
            config_value_put_text(o, rehearsal->config, i, &text);
            place->option = o;
            snprintf(place->text, sizeof(place->text), "%.*s", TEXT(buffer_slice(&text)));
            buffer_finish(&text);
            check_place(rehearsal, places, count++, place);
        }
    }
    free(places);
}

/* ---- where mail goes ----------------------------------------------------------------------- */

/* What we would log in with must be known, or the mail waits. */
static void
check_login(struct rehearsal *rehearsal, const char *option, struct slice name)
{
    char *path = files_path(rehearsal->settings->data_dir, "directory/credentials");
    struct routing_credentials found;
    struct buffer bytes;

    if (files_read_if_any(path, FILE_MAX, &bytes) == EX_OK &&
        !routing_credentials_find(buffer_slice(&bytes), name, &found))
        say_warning("%s: %s has no line '%.*s USER SECRET'; mail that needs it waits", option, path,
                    TEXT(name));
    buffer_wipe(&bytes);
    free(path);
}

static void
check_smart_host(struct rehearsal *rehearsal)
{
    struct slice text = rehearsal->config->smart_host;
    struct routing_transport transport;

    if (text.len == 0)
        return;
    const char *what = routing_transport_parse(text, &rehearsal->arena, &transport);
    if (what)
        note(rehearsal, say_error(EX_CONFIG, "smart_host: %s, not \"%.*s\"; correct the value",
                                  what, TEXT(text)));
    else if (transport.auth.len)
        check_login(rehearsal, "smart_host", transport.auth);
}

static void
check_transports(struct rehearsal *rehearsal)
{
    char *path = files_path(rehearsal->settings->data_dir, "directory/transports");
    const struct routing_problem *problem;
    struct buffer bytes;
    int code = files_read_if_any(path, FILE_MAX, &bytes);

    note(rehearsal, code);
    struct routing_transports *rows =
        code == EX_OK ? routing_transports_parse(buffer_slice(&bytes), ROWS_SEED) : NULL;
    for (size_t i = 0; rows && (problem = routing_transports_problem(rows, i)); i++)
        note(rehearsal, say_error(EX_CONFIG, "%s:%zu: %s; correct the line, it is passed over",
                                  path, problem->line, problem->what));
    routing_transports_close(&rows);
    buffer_finish(&bytes);
    free(path);
}

static bool
can_open_resolver(const struct config *config, const char **ret_why)
{
    struct dns_resolver *resolver = resolve_open_resolver(config, ret_why);
    bool can = resolver != NULL;

    if (can)
        dns_resolver_close(&resolver, NULL);
    return can;
}

/* The option without which a resolver can be opened; where several are wrong, all of them. */
static const char *
find_resolver_option(const struct config *config)
{
    struct config less = *config;
    const char *unused;

    less.dns_resolvers.count = 0;
    if (can_open_resolver(&less, &unused))
        return "dns_resolvers";
    less = *config;
    less.dns_stubs.count = 0;
    if (can_open_resolver(&less, &unused))
        return "dns_stubs";
    less = *config;
    less.dns_trust_anchors = SLICE("");
    if (can_open_resolver(&less, &unused))
        return "dns_trust_anchors";
    less = *config;
    less.dns_root_hints = SLICE("");
    return can_open_resolver(&less, &unused)
               ? "dns_root_hints"
               : "dns_resolvers, dns_stubs, dns_trust_anchors, dns_root_hints";
}

static void
check_resolver(struct rehearsal *rehearsal)
{
    const char *why = NULL;

    if (!can_open_resolver(rehearsal->config, &why))
        note(rehearsal, say_error(EX_CONFIG, "%s: %s",
                                  find_resolver_option(rehearsal->config), why));
}

/* Others look it up when mail comes from here, and many refuse what has no dot. */
static void
check_hostname(const struct config *config)
{
    struct slice name = config->hostname;

    if (slice_find_byte(name, '.') >= name.len)
        say_warning("hostname: %.*s has no domain, so others cannot find it, and many refuse mail "
                    "from there; give the whole name, like mail.example.org",
                    TEXT(name));
}

/* ---- tables and programs ------------------------------------------------------------------- */

/* One of the tables that are configured; those that are wrong are told elsewhere. */
static bool
is_table(const struct config *config, struct slice name)
{
    struct table_spec spec;

    for (size_t i = 0; i < config->tables.count; i++) {
        if (!table_spec_parse(config->tables.at[i], &spec) && slice_equal(spec.name, name))
            return true;
    }
    return false;
}

static void
check_table_names(struct rehearsal *rehearsal, const char *option,
                  const struct config_strings *names)
{
    for (size_t i = 0; i < names->count; i++) {
        if (!is_table(rehearsal->config, names->at[i]))
            note(rehearsal, say_error(EX_CONFIG, "%s: no table of 'tables' is called '%.*s'",
                                      option, TEXT(names->at[i])));
    }
}

static void
check_tables(struct rehearsal *rehearsal)
{
    const struct config_strings *tables = &rehearsal->config->tables;
    struct table_spec spec;

    for (size_t i = 0; i < tables->count; i++) {
        const char *what = table_spec_parse(tables->at[i], &spec);
        if (what)
            note(rehearsal, say_error(EX_CONFIG, "tables, entry %zu: %s", i + 1, what));
    }
    check_table_names(rehearsal, "alias_tables", &rehearsal->config->alias_tables);
    check_table_names(rehearsal, "next_hop_tables", &rehearsal->config->next_hop_tables);
}

static void
check_user(struct rehearsal *rehearsal, const char *option, struct slice name)
{
    char *user = string_of(name);
    const struct passwd *entry = getpwnam(user);

    if (!entry)
        note(rehearsal, say_error(EX_CONFIG, "%s: this machine has no user '%s'; make it, or name "
                                             "another",
                                  option, user));
    else if (entry->pw_uid == 0)
        note(rehearsal, say_error(EX_CONFIG, "%s: programs are never run as root; name another "
                                             "user than '%s'",
                                  option, user));
    free(user);
}

static void
check_programs(struct rehearsal *rehearsal)
{
    const struct config_strings *programs = &rehearsal->config->programs;
    struct program program;

    for (size_t i = 0; i < programs->count; i++) {
        const char *what = program_parse(programs->at[i], &rehearsal->arena, &program);
        if (what) {
            note(rehearsal, say_error(EX_CONFIG, "programs, entry %zu: %s", i + 1, what));
            continue;
        }
        char *path = string_of(program.words[0]);
        check_user(rehearsal, "programs", program.user);
        if (access(path, X_OK) != 0)
            note(rehearsal, say_error(EX_CONFIG, "programs: %s cannot be run: %s; look whether the "
                                                 "path is right",
                                      path, strerror(errno)));
        free(path);
    }
    if (rehearsal->config->alias_programs_user.len)
        check_user(rehearsal, "alias_programs_user", rehearsal->config->alias_programs_user);
}

/* ---- names --------------------------------------------------------------------------------- */

static void
check_domain(struct rehearsal *rehearsal, const char *option, struct slice text)
{
    struct slice domain;

    if (text.len && !directory_domain_parse(&rehearsal->arena, text, &domain))
        note(rehearsal, say_error(EX_CONFIG, "%s: expected a domain like example.org, not \"%.*s\"",
                                  option, TEXT(text)));
}

static void
check_names(struct rehearsal *rehearsal)
{
    const struct config *config = rehearsal->config;
    struct directory_address address;
    struct host_address host;

    check_domain(rehearsal, "origin", config->origin);
    check_domain(rehearsal, "srs_domain", config->srs_domain);
    for (size_t i = 0; i < config->own_names.count; i++)
        check_domain(rehearsal, "own_names", config->own_names.at[i]);
    for (size_t i = 0; i < config->call_ahead.count; i++)
        check_domain(rehearsal, "call_ahead", config->call_ahead.at[i]);
    for (size_t i = 0; i < config->own_addresses.count; i++) {
        if (!host_address_parse(config->own_addresses.at[i], 0, &host))
            note(rehearsal, say_error(EX_CONFIG,
                                      "own_addresses: expected addresses like 192.0.2.1 or "
                                      "2001:db8::1, not \"%.*s\"",
                                      TEXT(config->own_addresses.at[i])));
    }
    if (config->postmaster.len &&
        !directory_address_parse(&rehearsal->arena, config->postmaster, &address))
        note(rehearsal, say_error(EX_CONFIG, "postmaster: expected an address like "
                                             "alice@example.org, not \"%.*s\"",
                                  TEXT(config->postmaster)));
}

/* Accounts in front of what they may. */
static void
check_holders(const struct people *people, const char *option, const struct config_strings *rows)
{
    struct slice account, what;

    for (size_t i = 0; i < rows->count; i++) {
        if (config_pair(rows->at[i], &account, &what) &&
            !directory_account_find(people->directory, account))
            say_warning("%s: there is no account %.*s; make it with: facteur user add", option,
                        TEXT(account));
    }
}

/* To whom cron and other programs of the machine write. Tables may know more. */
static void
check_root(struct rehearsal *rehearsal, const struct people *people, struct slice origin)
{
    struct directory_answer answer;
    struct buffer name;

    buffer_init(&name, NAME_ROOM);
    buffer_put_text(&name, "root@");
    buffer_put(&name, origin);
    directory_resolve(people->directory, buffer_slice(&name), &rehearsal->arena, &answer);
    if (rehearsal->config->alias_tables.count == 0 &&
        (answer.verdict == DIRECTORY_UNKNOWN || answer.verdict == DIRECTORY_BROKEN))
        say_warning("mail for root of this machine, cron's for one, reaches nobody; say who gets "
                    "it with: facteur alias add %.*s ADDRESS",
                    TEXT(buffer_slice(&name)));
    buffer_finish(&name);
}

/* An origin that is given may be anybody's: a machine that only sends has no mail of its own. */
static void
check_origin(struct rehearsal *rehearsal, const struct people *people)
{
    const struct config *config = rehearsal->config;
    struct slice origin = settings_find_origin(rehearsal->settings, &rehearsal->arena);

    if (!config->local_submission || !directory_domain_at(people->directory, 0))
        return;
    if (directory_domain_find(people->directory, origin))
        check_root(rehearsal, people, origin);
    else if (config->origin.len == 0)
        say_warning("origin: mail for root and other names of this machine goes to %.*s, which is "
                    "no domain of this server; set origin to one that is",
                    TEXT(origin));
}

/* Names that must be this server's to be of use. */
static void
check_people(struct rehearsal *rehearsal)
{
    const struct config *config = rehearsal->config;
    struct people people;

    note(rehearsal, people_open(rehearsal->settings, false, &people));
    if (people.directory && config->srs_domain.len &&
        !directory_domain_find(people.directory, config->srs_domain))
        say_warning("srs_domain: %.*s is no domain of this server, so bounces would not come back; "
                    "add it with: facteur domain add",
                    TEXT(config->srs_domain));
    if (people.directory)
        check_origin(rehearsal, &people);
    if (people.directory && config->imap_shared_account.len &&
        !directory_login_find(people.directory, config->imap_shared_account))
        say_warning("imap_shared_account: there is no account %.*s; make it with: facteur user add",
                    TEXT(config->imap_shared_account));
    if (people.directory) {
        check_holders(&people, "send_as", &config->send_as);
        check_holders(&people, "atrn", &config->atrn);
        check_holders(&people, "relay_feed_to", &config->relay_feed_to);
    }
    people_close(&people);
}

int
rehearsal_run(const struct settings *settings)
{
    struct rehearsal rehearsal = {
        .settings = settings, .config = &settings->config, .code = EX_OK};

    arena_init(&rehearsal.arena, CONFIG_ARENA_MAX);
    check_repeated(settings);
    check_hostname(rehearsal.config);
    check_files(&rehearsal);
    check_listeners(&rehearsal);
    check_names(&rehearsal);
    check_smart_host(&rehearsal);
    check_tables(&rehearsal);
    check_programs(&rehearsal);
    check_resolver(&rehearsal);
    check_transports(&rehearsal);
    check_people(&rehearsal);
    arena_finish(&rehearsal.arena);
    return rehearsal.code;
}
