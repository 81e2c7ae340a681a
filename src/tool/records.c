/* SPDX-License-Identifier: ISC */
#include "tool/records.h"

#include "dkim/sign.h"
#include "text/base64.h"
#include "tls/certificate.h"
#include "tls/digest.h"
#include "tls/signer.h"
#include "tool/files.h"
#include "tool/say.h"

#include <stddef.h>
#include <stdlib.h>
#include <sysexits.h>

enum {
    KEY_MAX = 16384,
    TEXT_MAX = 8192,
    PROBLEM_MAX = 512,
    STRING_MAX = 255,       /* of a TXT record, RFC 1035 §3.3 */
    STS_ID_OCTETS = 8,      /* of a hash, two signs each; RFC 8461 §3.1 allows 32 signs */
    STS_MAX_AGE_S = 604800, /* a week: long enough to protect, short enough to be mended */
};

/* The ports of users, with the names that RFC 6186 and RFC 8314 give them. */
static const struct service {
    const char *name;   /* of the SRV record */
    const char *type;   /* as config-v1.1.xml has it */
    const char *socket;
    uint16_t preference; /* IMAP before POP3; TLS from the first byte before STARTTLS */
    size_t listeners;    /* where in struct config */
    bool is_outgoing;
} services[] = {
    {"_imaps", "imap", "SSL", 0, offsetof(struct config, imaps_listen), false},
    {"_imap", "imap", "STARTTLS", 10, offsetof(struct config, imap_listen), false},
    {"_pop3s", "pop3", "SSL", 20, offsetof(struct config, pop3s_listen), false},
    {"_pop3", "pop3", "STARTTLS", 30, offsetof(struct config, pop3_listen), false},
    {"_submissions", "smtp", "SSL", 0, offsetof(struct config, submissions_listen), true},
    {"_submission", "smtp", "STARTTLS", 10, offsetof(struct config, submission_listen), true},
};

struct telling {
    const struct config *config;
    struct slice domain;
    record_fn fn;
    void *context;
    struct buffer name, value, text;
};

/* The port of a service; 0 when it is switched off. */
static uint16_t
port_of(const struct config *config, const struct service *service)
{
    const struct config_listeners *list =
        (const struct config_listeners *)((const char *)config + service->listeners);

    for (size_t i = 0; i < list->count; i++) {
        if (list->at[i].address.family != HOST_FAMILY_UNIX)
            return list->at[i].address.port;
    }
    return 0;
}

/* ---- records ------------------------------------------------------------------------------- */

void
records_put_text(struct slice name, struct slice text, struct buffer *out)
{
    buffer_put(out, name);
    buffer_put_text(out, ". IN TXT (");
    while (text.len > 0) {
        buffer_put_text(out, " \"");
        buffer_put(out, slice_first(text, STRING_MAX));
        buffer_put_byte(out, '"');
        text = slice_skip(text, STRING_MAX);
    }
    buffer_put_text(out, " )");
}

bool
records_put_dkim(struct slice key, struct buffer *out)
{
    struct buffer problem, public;

    buffer_init(&problem, PROBLEM_MAX);
    buffer_init(&public, KEY_MAX);
    struct tls_signer *signer = tls_signer_open_bare(key, &problem);
    bool is_good = signer && tls_signer_put_public(signer, &public);
    if (is_good) {
        bool is_rsa = tls_signer_form(signer) == TLS_SIGNATURE_PKCS1;
        buffer_put_text(out, is_rsa ? "v=DKIM1; k=rsa; p=" : "v=DKIM1; k=ed25519; p=");
        base64_format(buffer_slice(&public), out);
    }
    tls_signer_close(&signer);
    buffer_finish(&problem);
    buffer_finish(&public);
    return is_good;
}

/* "PREFIX" before the name, which may be empty. */
static struct slice
named(struct telling *telling, const char *prefix, struct slice rest)
{
    buffer_clear(&telling->name);
    buffer_put_text(&telling->name, prefix);
    buffer_put(&telling->name, rest);
    return buffer_slice(&telling->name);
}

static void
tell_text(struct telling *telling, struct record record, struct slice text)
{
    struct slice rest = text;

    buffer_clear(&telling->value);
    while (rest.len > 0) {
        buffer_put_text(&telling->value, rest.at == text.at ? "\"" : " \"");
        buffer_put(&telling->value, slice_first(rest, STRING_MAX));
        buffer_put_byte(&telling->value, '"');
        rest = slice_skip(rest, STRING_MAX);
    }
    record.type = DNS_TXT;
    record.value = buffer_slice(&telling->value);
    record.expected = text;
    telling->fn(telling->context, &record);
}

static void
tell_hosts(struct telling *telling)
{
    struct slice host = telling->config->hostname;

    buffer_clear(&telling->value);
    buffer_put_text(&telling->value, "10 ");
    buffer_put(&telling->value, host);
    buffer_put_byte(&telling->value, '.');
    struct record mx = {.type = DNS_MX,
                        .name = telling->domain,
                        .value = buffer_slice(&telling->value),
                        .expected = host,
                        .why = "others bring the domain's mail to this server",
                        .is_needed = true};
    telling->fn(telling->context, &mx);
    struct record address = {.type = DNS_A,
                             .name = host,
                             .why = "the public addresses of this machine (A, AAAA), and at who "
                                    "gave them to you a record from each back to this name (PTR): "
                                    "many refuse mail without",
                             .is_needed = true};
    telling->fn(telling->context, &address);
}

static void
tell_senders(struct telling *telling)
{
    struct slice host = telling->config->hostname;
    bool is_relayed = telling->config->smart_host.len > 0;
    struct record spf = {.name = telling->domain,
                         .why = is_relayed ? "which hosts send mail from the domain; add what the "
                                             "owner of your smart_host says (include:…)"
                                           : "which hosts send mail from the domain",
                         .is_needed = true,
                         .is_free = true};
    struct record own = {.name = host,
                         .why = "the same for reports, which have no sender but the server's name",
                         .is_free = true};

    tell_text(telling, spf, SLICE("v=spf1 mx ~all"));
    if (!slice_equal_nocase(host, telling->domain))
        tell_text(telling, own, SLICE("v=spf1 a ~all"));
}

/* True, with its parts, when the entry of dkim_keys is for this domain. */
static bool
is_key_of(struct slice entry, struct slice domain, struct slice *ret_name, struct slice *ret_path)
{
    struct slice selector, owner;

    return config_dkim_key(entry, ret_name, ret_path) &&
           dkim_record_name_parse(*ret_name, &selector, &owner) &&
           slice_equal_nocase(owner, domain);
}

bool
records_has_key(const struct config *config, struct slice domain)
{
    struct slice name, path;
    bool has = false;

    for (size_t i = 0; i < config->dkim_keys.count; i++)
        has = has || is_key_of(config->dkim_keys.at[i], domain, &name, &path);
    return has;
}

static int
read_named(struct slice path, size_t max, struct buffer *ret_bytes)
{
    char *string = strndup((const char *)path.at, path.len);

    if (!string)
        abort();
    int code = files_read(string, max, ret_bytes);
    free(string);
    return code;
}

static int
tell_keys(struct telling *telling)
{
    const struct config_strings *keys = &telling->config->dkim_keys;
    struct record record = {.why = "the key that mail of the domain is signed with (DKIM)",
                            .is_needed = true};
    struct slice path;
    struct buffer key;
    int code = EX_OK;

    for (size_t i = 0; i < keys->count && code == EX_OK; i++) {
        if (!is_key_of(keys->at[i], telling->domain, &record.name, &path))
            continue;
        code = read_named(path, KEY_MAX, &key);
        buffer_clear(&telling->text);
        if (code == EX_OK && !records_put_dkim(buffer_slice(&key), &telling->text))
            code = say_error(EX_DATAERR, "%.*s: not a key of RSA or Ed25519 in PEM; make one with "
                                         "'facteur dkim generate'",
                             (int)path.len, (const char *)path.at);
        if (code == EX_OK)
            tell_text(telling, record, buffer_slice(&telling->text));
        buffer_wipe(&key);
    }
    return code;
}

/* Reports go to the postmaster, who is always somebody. */
static void
tell_reports(struct telling *telling)
{
    static const struct {
        const char *prefix, *text, *why;
        bool is_needed;
    } rows[] = {
        {"_dmarc.", "v=DMARC1; p=none; rua=mailto:postmaster@",
         "what others do with mail that only pretends to be of the domain (DMARC); p=quarantine or "
         "p=reject when all of it is signed",
         true},
        {"_smtp._tls.", "v=TLSRPTv1; rua=mailto:postmaster@",
         "where others report that TLS with this server failed", false},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct record record = {.name = named(telling, rows[i].prefix, telling->domain),
                                .why = rows[i].why,
                                .is_needed = rows[i].is_needed,
                                .is_free = true};
        buffer_clear(&telling->text);
        buffer_put_text(&telling->text, rows[i].text);
        buffer_put(&telling->text, telling->domain);
        tell_text(telling, record, buffer_slice(&telling->text));
    }
}

static void
tell_services(struct telling *telling)
{
    for (size_t i = 0; i < COUNT_OF(services); i++) {
        uint16_t port = port_of(telling->config, &services[i]);
        if (port == 0)
            continue;
        buffer_clear(&telling->value);
        buffer_put_decimal(&telling->value, services[i].preference);
        buffer_put_text(&telling->value, " 1 ");
        buffer_put_decimal(&telling->value, port);
        buffer_put_byte(&telling->value, ' ');
        buffer_put(&telling->value, telling->config->hostname);
        buffer_put_byte(&telling->value, '.');
        buffer_clear(&telling->name);
        buffer_put_text(&telling->name, services[i].name);
        buffer_put_text(&telling->name, "._tcp.");
        buffer_put(&telling->name, telling->domain);
        struct record record = {
            .type = DNS_SRV,
            .name = buffer_slice(&telling->name),
            .value = buffer_slice(&telling->value),
            .expected = telling->config->hostname,
            .port = port,
            .why = services[i].is_outgoing ? "where mail programs find the server for sending"
                                           : "where mail programs find the server for reading"};
        telling->fn(telling->context, &record);
    }
}

/* TLSA 3 1 1: the key, whoever certifies it. */
static int
tell_tlsa(struct telling *telling)
{
    static const uint8_t kind[] = {3, 1, 1};
    struct tls_certificate_facts facts;
    struct buffer chain;

    if (telling->config->tls_certificate.len == 0)
        return EX_OK;
    int code = read_named(telling->config->tls_certificate, TLS_CERTIFICATE_PEM_MAX, &chain);
    if (code == EX_OK &&
        tls_certificate_look(buffer_slice(&chain), telling->config->hostname, &facts)) {
        buffer_clear(&telling->text);
        buffer_put(&telling->text, slice_of(kind, sizeof(kind)));
        buffer_put(&telling->text, slice_of(facts.key_id, sizeof(facts.key_id)));
        buffer_clear(&telling->value);
        buffer_put_text(&telling->value, "3 1 1 ");
        buffer_put_hex(&telling->value, slice_of(facts.key_id, sizeof(facts.key_id)));
        struct record record = {
            .type = DNS_TLSA,
            .name = named(telling, "_25._tcp.", telling->config->hostname),
            .value = buffer_slice(&telling->value),
            .expected = buffer_slice(&telling->text),
            .why = "only if the zone is signed (DNSSEC), and a new certificate keeps the key "
                   "(certbot --reuse-key): others then take no other key (DANE)",
            .is_conditional = true};
        telling->fn(telling->context, &record);
    }
    buffer_finish(&chain);
    return code;
}

int
records_tell(const struct config *config, struct slice domain, record_fn fn, void *context)
{
    struct telling telling = {.config = config, .domain = domain, .fn = fn, .context = context};

    buffer_init(&telling.name, TEXT_MAX);
    buffer_init(&telling.value, TEXT_MAX);
    buffer_init(&telling.text, TEXT_MAX);
    tell_hosts(&telling);
    tell_senders(&telling);
    int code = tell_keys(&telling);
    if (code == EX_OK) {
        tell_reports(&telling);
        tell_services(&telling);
        code = tell_tlsa(&telling);
    }
    buffer_finish(&telling.name);
    buffer_finish(&telling.value);
    buffer_finish(&telling.text);
    return code;
}

/* ---- files of a web server ----------------------------------------------------------------- */

void
records_put_sts_policy(const struct config *config, bool is_enforced, struct buffer *out)
{
    buffer_put_text(out, "version: STSv1\r\nmode: ");
    buffer_put_text(out, is_enforced ? "enforce" : "testing");
    buffer_put_text(out, "\r\nmx: ");
    buffer_put(out, config->hostname);
    buffer_put_text(out, "\r\nmax_age: ");
    buffer_put_decimal(out, STS_MAX_AGE_S);
    buffer_put_text(out, "\r\n");
}

void
records_put_sts_record(struct slice domain, struct slice policy, struct buffer *out)
{
    struct tls_sha256 *hash = tls_sha256_begin();
    uint8_t digest[TLS_SHA256_SIZE];

    tls_sha256_add(hash, policy);
    tls_sha256_end(&hash, digest);
    buffer_put_text(out, "_mta-sts.");
    buffer_put(out, domain);
    buffer_put_text(out, ". IN TXT \"v=STSv1; id=");
    buffer_put_hex(out, slice_of(digest, STS_ID_OCTETS));
    buffer_put_text(out, ";\"");
}

static void
put_element(const char *name, struct slice text, struct buffer *out)
{
    buffer_put_text(out, "      <");
    buffer_put_text(out, name);
    buffer_put_byte(out, '>');
    buffer_put(out, text);
    buffer_put_text(out, "</");
    buffer_put_text(out, name);
    buffer_put_text(out, ">\n");
}

static void
put_server(const struct config *config, const struct service *service, struct buffer *out)
{
    const char *element = service->is_outgoing ? "outgoingServer" : "incomingServer";
    char port[8];

    (void)snprintf(port, sizeof(port), "%u", (unsigned)port_of(config, service));
    buffer_put_text(out, "    <");
    buffer_put_text(out, element);
    buffer_put_text(out, " type=\"");
    buffer_put_text(out, service->type);
    buffer_put_text(out, "\">\n");
    put_element("hostname", config->hostname, out);
    put_element("port", slice_of_string(port), out);
    put_element("socketType", slice_of_string(service->socket), out);
    put_element("username", SLICE("%EMAILADDRESS%"), out);
    put_element("authentication", SLICE("password-cleartext"), out);
    buffer_put_text(out, "    </");
    buffer_put_text(out, element);
    buffer_put_text(out, ">\n");
}

bool
records_put_autoconfig(const struct config *config, struct slice domain, struct buffer *out)
{
    bool is_any = false;

    buffer_put_text(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                         "<clientConfig version=\"1.1\">\n  <emailProvider id=\"");
    buffer_put(out, domain);
    buffer_put_text(out, "\">\n    <domain>");
    buffer_put(out, domain);
    buffer_put_text(out, "</domain>\n    <displayName>");
    buffer_put(out, domain);
    buffer_put_text(out, "</displayName>\n");
    for (size_t i = 0; i < COUNT_OF(services); i++) {
        if (config->tls_certificate.len > 0 && port_of(config, &services[i]) > 0) {
            put_server(config, &services[i], out);
            is_any = true;
        }
    }
    buffer_put_text(out, "  </emailProvider>\n</clientConfig>\n");
    return is_any;
}
