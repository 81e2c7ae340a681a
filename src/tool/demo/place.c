/* SPDX-License-Identifier: ISC */
/* Folder, configuration, certificate, accounts of the demo. */
#include "tool/demo/demo.h"

#include "tool/certificate.h"
#include "tool/files.h"
#include "tool/people.h"
#include "tool/say.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TEXT_MAX = 65536, UNIX_PATH_MAX = 107 };

static const struct files_owner own = {.user = FILES_NOBODY, .group = FILES_NOBODY, .mode = 0600};

/* ---- domain -------------------------------------------------------------------------------- */

/* The domain of an earlier start: what stands behind the @ in the first line of credentials. */
static int
find_domain(struct demo *demo)
{
    struct buffer text;
    int code = files_read_if_any(demo->credentials_path, TEXT_MAX, &text);
    struct slice line = slice_first(buffer_slice(&text), slice_find_byte(buffer_slice(&text), ' '));
    struct slice domain = slice_skip(line, slice_find_byte(line, '@') + 1);

    if (code == EX_OK && domain.len > 0 && demo->domain &&
        !slice_equal_nocase(domain, slice_of_string(demo->domain)))
        code = say_error(EX_USAGE,
                         "%s holds a demo for %.*s already; choose another --dir, or leave "
                         "--domain away",
                         demo->folder, (int)domain.len, (const char *)domain.at);
    if (domain.len == 0)
        domain = SLICE("example.test");
    if (code == EX_OK && !demo->domain &&
        !(demo->domain = strndup((const char *)domain.at, domain.len)))
        abort();
    buffer_finish(&text);
    return code;
}

/* ---- configuration ------------------------------------------------------------------------- */

/* Whether this machine has an IPv6 loopback address to listen on. */
static bool
has_ipv6(void)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int descriptor = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_there =
        descriptor >= 0 &&
        bind(descriptor, (const struct sockaddr *)(const void *)&address, sizeof(address)) == 0;

    if (descriptor >= 0)
        close(descriptor);
    return is_there;
}

static void
put_listener(struct buffer *text, const char *option, unsigned port, bool is_dual)
{
    buffer_put_text(text, option);
    buffer_put_text(text, " = {\"127.0.0.1:");
    buffer_put_decimal(text, port);
    if (is_dual) {
        buffer_put_text(text, "\", \"[::1]:");
        buffer_put_decimal(text, port);
    }
    buffer_put_text(text, "\"}\n");
}

static void
put_quoted(struct buffer *text, const char *option, const char *folder, const char *rest)
{
    buffer_put_text(text, option);
    buffer_put_text(text, " = \"");
    for (const char *c = folder; *c; c++) {
        if (*c == '"' || *c == '\\' || *c == '$')
            buffer_put_byte(text, '\\');
        buffer_put_byte(text, (uint8_t)*c);
    }
    buffer_put_text(text, rest);
    buffer_put_text(text, "\"\n");
}

static int
write_config(const struct demo *demo)
{
    static const struct {
        const char *option;
        unsigned port;
    } services[] = {{"smtp_listen", 25},  {"submission_listen", 587}, {"submissions_listen", 465},
                    {"lmtp_listen", 24},  {"pop3_listen", 110},       {"pop3s_listen", 995},
                    {"imap_listen", 143}, {"imaps_listen", 993}};
    bool is_dual = has_ipv6();
    struct buffer text;

    buffer_init(&text, TEXT_MAX);
    buffer_put_text(&text,
                    "# Made by facteur demo. Yours to change: a later start leaves it as it is,"
                    "\n# unless --port-base is given.\n");
    put_quoted(&text, "hostname", "mail.", demo->domain);
    put_quoted(&text, "origin", "", demo->domain);
    put_quoted(&text, "postmaster", "alice@", demo->domain);
    put_quoted(&text, "data_dir", demo->folder, "/data");
    put_quoted(&text, "runtime_dir", demo->folder, "/run");
    put_quoted(&text, "tls_certificate", demo->folder, "/tls/chain.pem");
    put_quoted(&text, "tls_key", demo->folder, "/tls/key.pem");
    buffer_put_text(&text, "# Only loopback: passwords may be typed with netcat.\n"
                           "auth_plaintext_on_loopback = yes\nvrfy = trusted\n");
    for (size_t i = 0; i < COUNT_OF(services); i++)
        put_listener(&text, services[i].option, demo->port_base + services[i].port, is_dual);
    int code = files_replace(demo->config_path, buffer_slice(&text), &own);
    buffer_finish(&text);
    return code;
}

/* ---- certificate --------------------------------------------------------------------------- */

static int
make_certificate(const struct demo *demo, const char *chain_path, const char *key_path)
{
    struct buffer host;

    buffer_init(&host, TEXT_MAX);
    buffer_put_text(&host, "mail.");
    buffer_put_text(&host, demo->domain);
    const struct slice names[] = {buffer_slice(&host), slice_of_string(demo->domain),
                                  SLICE("localhost"), SLICE("127.0.0.1"), SLICE("::1")};
    int code = certificate_make_files(names, COUNT_OF(names), chain_path, key_path);
    buffer_finish(&host);
    return code;
}

static int
make_tls(const struct demo *demo)
{
    char *folder = files_path(demo->folder, "tls");
    char *chain = files_path(folder, "chain.pem"), *key = files_path(folder, "key.pem");
    int code = files_make_folder(folder, 0700);

    if (code == EX_OK && (!files_exists(chain) || !files_exists(key)))
        code = make_certificate(demo, chain, key);
    free(folder);
    free(chain);
    free(key);
    return code;
}

int
demo_make_place(struct demo *demo)
{
    int code = files_make_folder(demo->folder, 0755);

    if (code == EX_OK && strlen(demo->folder) + strlen("/run/parent.sock") > UNIX_PATH_MAX)
        code = say_error(EX_USAGE,
                         "%s is too long a path for the sockets in it; choose a shorter "
                         "--dir",
                         demo->folder);
    if (code == EX_OK)
        code = find_domain(demo);
    if (code == EX_OK)
        code = make_tls(demo);
    if (code == EX_OK && (demo->is_port_given || !files_exists(demo->config_path)))
        code = write_config(demo);
    return code;
}

/* ---- people -------------------------------------------------------------------------------- */

enum { PASSWORD_LEN = 16 };

/* 16 of 32 letters: 80 bits, and nothing that looks like something else. */
static void
make_password(char ret_password[PASSWORD_LEN + 1])
{
    static const char letters[32] = "abcdefghijkmnpqrstuvwxyz23456789";
    uint8_t random[PASSWORD_LEN];

    files_random(random, sizeof(random));
    for (size_t i = 0; i < PASSWORD_LEN; i++)
        ret_password[i] = letters[random[i] % sizeof(letters)];
    ret_password[PASSWORD_LEN] = '\0';
}

static int
add_person(struct people *people, struct slice name, const char *full_name, const char *password)
{
    struct directory_account account = {
        .id = directory_id_next(people->directory),
        .name = name,
        .full_name = slice_of_string(full_name),
        .is_enabled = true,
    };
    struct people_password secret = {
        .name = name, .id = account.id, .password = slice_of_string(password), .with_apop = true};
    struct buffer line;
    int code = people_set_password(people, &secret);

    buffer_init(&line, TEXT_MAX);
    if (code == EX_OK && !directory_put_account(&line, &account))
        code = say_error(EX_USAGE, "--domain: expected a domain name, like example.test");
    if (code == EX_OK)
        code = people_append_accounts(people, buffer_slice(&line));
    buffer_finish(&line);
    return code;
}

static int
add_domain(struct people *people, const char *name)
{
    struct directory_domain domain = {.name = slice_of_string(name)};
    struct buffer line;
    int code;

    buffer_init(&line, TEXT_MAX);
    if (directory_put_domain(&line, &domain))
        code = people_append_accounts(people, buffer_slice(&line));
    else
        code = say_error(EX_USAGE, "--domain: expected a domain name like example.test, not '%s'",
                         name);
    buffer_finish(&line);
    return code;
}

static int
add_people(const struct demo *demo, struct people *people)
{
    static const struct {
        const char *local, *full_name;
    } persons[] = {{"alice", "Alice Liddell"}, {"bob", "Bob Sawyer"}};
    struct buffer credentials, name;
    int code = add_domain(people, demo->domain);

    buffer_init(&credentials, TEXT_MAX);
    buffer_init(&name, TEXT_MAX);
    for (size_t i = 0; code == EX_OK && i < COUNT_OF(persons); i++) {
        char password[PASSWORD_LEN + 1];
        make_password(password);
        buffer_clear(&name);
        buffer_put_text(&name, persons[i].local);
        buffer_put_byte(&name, '@');
        buffer_put_text(&name, demo->domain);
        code = add_person(people, buffer_slice(&name), persons[i].full_name, password);
        buffer_put(&credentials, buffer_slice(&name));
        buffer_put_byte(&credentials, ' ');
        buffer_put_text(&credentials, password);
        buffer_put_byte(&credentials, '\n');
    }
    if (code == EX_OK)
        code = files_replace(demo->credentials_path, buffer_slice(&credentials), &own);
    buffer_wipe(&credentials);
    buffer_finish(&name);
    return code;
}

/* A start that was cut off before credentials was complete begins again with fresh passwords. */
int
demo_make_people(struct demo *demo, const struct settings *settings)
{
    struct people people;
    int code = people_open(settings, true, &people);

    demo->is_first = !files_exists(demo->credentials_path);
    if (code == EX_OK && demo->is_first)
        code = add_people(demo, &people);
    people_close(&people);
    return code;
}
