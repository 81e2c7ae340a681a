/* SPDX-License-Identifier: ISC */
/* Who there is, and the files of each. */
#include "tool/lab/lab.h"

#include "base/buffer.h"
#include "base/cursor.h"
#include "tool/certificate.h"
#include "tool/files.h"
#include "tool/people.h"
#include "tool/say.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

enum { TEXT_MAX = 16384, UNIX_PATH_MAX = 107, NET_TEXT_MAX = 16 };

const struct lab_host lab_hosts[] = {
    {"mail.truc.fr", "truc.fr", "1.1", "fred", 10},
    {"smtp.machin.com", "machin.com", "2.1", "marc", 10},
    {"backup1.machin.com", "machin.com", "2.2", NULL, 20},
    {"backup2.machin.com", "machin.com", "2.3", NULL, 20},
    {"mail.foo.com", "foo.com", "3.1", "alice", 10},
    {"mail.bar.com", "bar.com", "4.1", "jqp", 10},
    {"mail.xyz.com", "xyz.com", "5.1", "jones", 10},
    {"mail.cnam.fr", "cnam.fr", "6.1", "bob", 10},
};
const size_t lab_host_count = COUNT_OF(lab_hosts);
static_assert(COUNT_OF(lab_hosts) <= LAB_HOSTS_MAX, "each has an address");

static const struct files_owner own = {.user = FILES_NOBODY, .group = FILES_NOBODY, .mode = 0644};

const struct lab_host *
lab_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(lab_hosts); i++) {
        if (strcmp(lab_hosts[i].name, name) == 0 || strcmp(lab_hosts[i].domain, name) == 0)
            return &lab_hosts[i];
    }
    return NULL;
}

/* The net that the lab was made with, else the one that is wanted. */
static int
find_net(struct lab *lab, const char *wanted)
{
    char *path = files_path(lab->folder, "net");
    struct buffer text;
    int code = files_read_if_any(path, NET_TEXT_MAX, &text);
    struct slice known = slice_trim(buffer_slice(&text));
    struct cursor cursor =
        cursor_of(known.len > 0 ? known : slice_of_string(wanted ? wanted : "1"));

    if (code == EX_OK && wanted && known.len > 0 && !slice_equal(known, slice_of_string(wanted)))
        code = say_error(EX_USAGE, "--net: the lab in %s has net %.*s; give another --dir",
                         lab->folder, (int)known.len, (const char *)known.at);
    else if (code == EX_OK &&
             (!cursor_take_u32(&cursor, 1, 255, &lab->net) || !cursor_is_done(&cursor)))
        code = say_error(EX_USAGE, "--net: expected a number from 1 to 255");
    buffer_clear(&text);
    buffer_put_decimal(&text, lab->net);
    if (code == EX_OK && known.len == 0)
        code = files_replace(path, buffer_slice(&text), &own);
    buffer_finish(&text);
    free(path);
    return code;
}

int
lab_open(const char *folder, const char *net, struct lab *ret_lab)
{
    const char *path = folder ? folder : LAB_FOLDER_USUAL;
    int code = files_make_folder(path, 0755);

    if (code != EX_OK)
        return code;
    ret_lab->folder = realpath(path, NULL);
    if (!ret_lab->folder)
        return say_error(EX_OSERR, "cannot find the folder %s; give another --dir", path);
    code = find_net(ret_lab, net);
    char *mark = files_path(ret_lab->folder, "signed");
    ret_lab->is_signed = files_exists(mark);
    free(mark);
    snprintf(ret_lab->names, sizeof(ret_lab->names), "127.%u.0.1", ret_lab->net % 256);
    for (size_t i = 0; i < COUNT_OF(lab_hosts); i++)
        snprintf(ret_lab->addresses[i], LAB_ADDRESS_SIZE, "127.%u.%s", ret_lab->net % 256,
                 lab_hosts[i].address);
    return code;
}

int
lab_want_signed(struct lab *lab)
{
    char *made = lab_path(lab, "names", "nsd.conf"), *mark = files_path(lab->folder, "signed");
    int code = EX_OK;

    if (!lab->is_signed && files_exists(made))
        code = say_error(EX_USAGE, "--signed: the lab in %s was made without; give another --dir",
                         lab->folder);
    else if (!lab->is_signed)
        code = files_replace(mark, SLICE(LAB_SIGNED "\n"), &own);
    lab->is_signed = true;
    free(made);
    free(mark);
    return code;
}

char *
lab_path(const struct lab *lab, const char *host, const char *name)
{
    char *folder = files_path(lab->folder, host), *path = files_path(folder, name);

    free(folder);
    return path;
}

/* Only what is not there: what a person has changed stays. */
static int
write_once(const struct lab *lab, const char *host, const char *name, struct buffer *text)
{
    char *path = lab_path(lab, host, name);
    int code = files_exists(path) ? EX_OK : files_replace(path, buffer_slice(text), &own);

    free(path);
    buffer_clear(text);
    return code;
}

static void
put(struct buffer *text, const char *before, const char *value, const char *after)
{
    buffer_put_text(text, before);
    buffer_put_text(text, value);
    buffer_put_text(text, after);
}

/* ---- one host ------------------------------------------------------------------------------ */

static bool
is_first_of_domain(size_t index)
{
    return index == 0 || strcmp(lab_hosts[index - 1].domain, lab_hosts[index].domain) != 0;
}

/* Whether other hosts keep mail for this one while it is away. */
static bool
has_secondary(const struct lab_host *host)
{
    for (size_t i = 0; i < COUNT_OF(lab_hosts); i++) {
        if (!lab_hosts[i].person && strcmp(lab_hosts[i].domain, host->domain) == 0)
            return host->person != NULL;
    }
    return false;
}

/* A secondary learns its primary's names from it, over TLS and with a password. */
static void
put_feed(struct buffer *text, const struct lab *lab, const struct lab_host *host)
{
    if (has_secondary(host)) {
        put(text, "relay_feed_to = \"" LAB_SECONDARY "@", host->domain, " ");
        put(text, "", host->domain, "\"\n");
    }
    if (host->person)
        return;
    put(text, "relay_feeds = \"", host->domain, " smtp:[");
    put(text, "", lab_address(lab, lab_find(host->domain)), "]:");
    buffer_put_decimal(text, LAB_SUBMISSION_PORT);
    buffer_put_text(text, " auth=primary tls=encrypt\"\nrelay_feed_interval = \"2 s\"\n");
}

static void
put_configuration(struct buffer *text, const struct lab *lab, const struct lab_host *host)
{
    put(text, "# Made by facteur lab.\nhostname = ", host->name, "\n");
    put(text, "data_dir = \"", lab->folder, "/");
    put(text, "", host->name, "/data\"\n");
    put(text, "runtime_dir = \"", lab->folder, "/");
    put(text, "", host->name, "/run\"\n");
    put(text, "tls_certificate = \"", lab->folder, "/");
    put(text, "", host->name, "/chain.pem\"\n");
    put(text, "tls_key = \"", lab->folder, "/");
    put(text, "", host->name, "/key.pem\"\n");
    put(text, "smtp_listen = ", lab_address(lab, host), ":");
    buffer_put_decimal(text, LAB_PORT);
    if (host->person) {
        put(text, "\nsubmission_listen = ", lab_address(lab, host), ":");
        buffer_put_decimal(text, LAB_SUBMISSION_PORT);
        put(text, "\npop3_listen = ", lab_address(lab, host), ":");
        buffer_put_decimal(text, LAB_POP_PORT);
    } else {
        buffer_put_text(text, "\nsubmission_listen = {}\npop3_listen = {}");
    }
    buffer_put_text(text, "\nsubmissions_listen = {}\nlmtp_listen = {}\n"
                          "pop3s_listen = {}\nimap_listen = {}\n"
                          "imaps_listen = {}\nprocesses = 1\nlog_level = debug\n"
                          "# So that one sees it try again.\nqueue_interval_max = \"2 s\"\n"
                          "# The hosts call from addresses of their own; 127.0.0.1 is you.\n"
                          "relay_networks = 127.0.0.1\nlocal_destinations = yes\n"
                          "dns_recursive = yes\ndns_stubs = {");
    for (size_t i = 0; i < COUNT_OF(lab_hosts); i++) {
        if (!is_first_of_domain(i))
            continue;
        put(text, i > 0 ? ", \"" : "\"", lab_hosts[i].domain, " ");
        put(text, "", lab->names, "@");
        buffer_put_decimal(text, LAB_NAMES_PORT);
        buffer_put_text(text, "\"");
    }
    buffer_put_text(text, "}\n");
    put_feed(text, lab, host);
    if (lab->is_signed)
        put(text, "dns_trust_anchors = \"", lab->folder, "/names/anchors\"\n");
}

/* A secondary takes what its primary would take (RFC 5321 §5.1): this much until it is told. */
static void
put_accounts(struct buffer *text, const struct lab_host *host)
{
    const struct lab_host *primary = lab_find(host->domain);

    if (host->person) {
        put(text, "domain ", host->domain, "\naccount ");
        put(text, host->person, "@", "");
        put(text, "", host->domain, " id=1\n");
        if (has_secondary(host))
            put(text, "account " LAB_SECONDARY "@", host->domain, " id=2\n");
        if (strcmp(host->domain, "cnam.fr") == 0)
            buffer_put_text(text, "domain direct.cnam.fr same-as=cnam.fr\n"
                                  "domain alias.cnam.fr same-as=cnam.fr\n");
        return;
    }
    put(text, "relay ", host->domain, " listed\nrecipient ");
    put(text, primary->person, "@", "");
    put(text, "", host->domain, "\n");
}

static int
make_certificate(const struct lab *lab, const struct lab_host *host)
{
    const struct slice names[] = {slice_of_string(host->name), slice_of_string(host->domain),
                                  slice_of_string(lab_address(lab, host))};
    char *chain = lab_path(lab, host->name, "chain.pem");
    char *key = lab_path(lab, host->name, "key.pem");
    int code = EX_OK;

    if (!files_exists(chain) || !files_exists(key))
        code = certificate_make_files(names, COUNT_OF(names), chain, key);
    free(chain);
    free(key);
    return code;
}

static int
make_passwords(const struct lab *lab, const struct lab_host *host)
{
    char *config = lab_path(lab, host->name, "facteur.conf");
    const char *const names[] = {host->person, has_secondary(host) ? LAB_SECONDARY : NULL};
    const struct directory_account *account = NULL;
    struct settings settings;
    struct people people = {.lock = -1};
    int code = settings_load_path(config, true, &settings);

    if (code == EX_OK)
        code = people_open(&settings, true, &people);
    bool is_new = code == EX_OK && !files_exists(people.secrets_path);
    for (size_t i = 0; is_new && i < COUNT_OF(names) && names[i] && code == EX_OK; i++) {
        code = people_find(&people, names[i], &account);
        if (code == EX_OK)
            code =
                people_set_password(&people, &(struct people_password){account->name, account->id,
                                                                       SLICE(LAB_PASSWORD), false});
    }
    people_close(&people);
    settings_finish(&settings);
    free(config);
    return code;
}

static int
make_host(const struct lab *lab, const struct lab_host *host)
{
    char *directory = lab_path(lab, host->name, "data/directory");
    char *socket = lab_path(lab, host->name, "run/parent.sock");
    struct buffer text;
    int code = strlen(socket) > UNIX_PATH_MAX
                   ? say_error(EX_USAGE,
                               "%s is too long a path for the sockets in it; choose a shorter "
                               "--dir",
                               lab->folder)
                   : files_make_folder(directory, 0755);

    buffer_init(&text, TEXT_MAX);
    put_configuration(&text, lab, host);
    if (code == EX_OK)
        code = write_once(lab, host->name, "facteur.conf", &text);
    buffer_clear(&text);
    put_accounts(&text, host);
    if (code == EX_OK)
        code = write_once(lab, host->name, "data/directory/accounts", &text);
    buffer_clear(&text);
    /* MX says which host, and no port can stand there. */
    buffer_put_text(&text, "* smtp::");
    buffer_put_decimal(&text, LAB_PORT);
    put(&text, " source=", lab_address(lab, host), "\n");
    if (code == EX_OK)
        code = write_once(lab, host->name, "data/directory/transports", &text);
    buffer_clear(&text);
    put(&text, "primary " LAB_SECONDARY "@", host->domain, " " LAB_PASSWORD "\n");
    if (code == EX_OK && !host->person)
        code = write_once(lab, host->name, "data/directory/credentials", &text);
    if (code == EX_OK)
        code = make_certificate(lab, host);
    if (code == EX_OK && host->person)
        code = make_passwords(lab, host);
    buffer_finish(&text);
    free(directory);
    free(socket);
    return code;
}

/* ---- names --------------------------------------------------------------------------------- */

static void
put_zone(struct buffer *text, const struct lab *lab, const char *domain)
{
    put(text, "$ORIGIN ", domain, ".\n$TTL 10\n@ IN SOA ns hostmaster 1 3600 600 86400 10\n");
    put(text, "@ IN NS ns\nns IN A ", lab->names, "\n");
    for (size_t i = 0; i < COUNT_OF(lab_hosts); i++) {
        const struct lab_host *host = &lab_hosts[i];
        if (strcmp(host->domain, domain) != 0)
            continue;
        buffer_put_text(text, "@ IN MX ");
        buffer_put_decimal(text, host->preference);
        put(text, " ", host->name, ".\n");
        put(text, "", host->name, ". IN A ");
        put(text, "", lab_address(lab, host), "\n");
    }
}

/* Names below cnam.fr that have no MX, a null MX, and another name. */
static void
put_oddities(struct buffer *text, const struct lab *lab, const char *domain)
{
    if (strcmp(domain, "cnam.fr") != 0)
        return;
    put(text, "direct IN A ", lab_address(lab, lab_find(domain)), "\n");
    buffer_put_text(text, "nomail IN MX 0 .\nalias IN CNAME @\n");
}

/* The zone as a file, and its lines of the server's configuration. */
static int
make_zone(const struct lab *lab, const struct lab_host *host, struct buffer *server)
{
    bool is_signed = lab->is_signed && strcmp(host->domain, LAB_SIGNED) == 0;
    struct buffer text;
    int code = EX_OK;

    buffer_init(&text, TEXT_MAX);
    put_zone(&text, lab, host->domain);
    put_oddities(&text, lab, host->domain);
    if (is_signed)
        code = lab_put_tlsa(lab, host, &text);
    if (code == EX_OK)
        code = write_once(lab, "names", host->domain, &text);
    if (code == EX_OK && is_signed)
        code = lab_sign_zone(lab);
    put(server, "zone:\n name: ", host->domain, "\n zonefile: ");
    put(server, "", host->domain, is_signed ? ".signed\n" : "\n");
    buffer_finish(&text);
    return code;
}

static int
make_names(const struct lab *lab)
{
    char *folder = files_path(lab->folder, "names");
    struct buffer server;
    int code = files_make_folder(folder, 0755);

    buffer_init(&server, TEXT_MAX);
    put(&server, "server:\n ip-address: ", lab->names, "@");
    buffer_put_decimal(&server, LAB_NAMES_PORT);
    put(&server, "\n zonesdir: \"", folder, "\"\n database: \"\"\n username: \"\"\n");
    put(&server, " pidfile: \"", folder, "/nsd.pid\"\n xfrdfile: \"");
    put(&server, "", folder, "/xfrd.state\"\n zonelistfile: \"");
    put(&server, "", folder, "/zone.list\"\n server-count: 1\n");
    buffer_put_text(&server, "remote-control:\n control-enable: no\n");
    for (size_t i = 0; i < COUNT_OF(lab_hosts) && code == EX_OK; i++) {
        if (is_first_of_domain(i))
            code = make_zone(lab, &lab_hosts[i], &server);
    }
    if (code == EX_OK)
        code = write_once(lab, "names", "nsd.conf", &server);
    buffer_finish(&server);
    free(folder);
    return code;
}

int
lab_make(const struct lab *lab)
{
    int code = EX_OK;

    for (size_t i = 0; i < COUNT_OF(lab_hosts) && code == EX_OK; i++)
        code = make_host(lab, &lab_hosts[i]);
    /* Behind them: certificates have their records. */
    return code == EX_OK ? make_names(lab) : code;
}
