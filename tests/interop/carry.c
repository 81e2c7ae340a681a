/* SPDX-License-Identifier: ISC */
/* The role `transport` by itself, for tests with other people's servers: carries the message on its
 * standard input to one host, and tells what became of it.
 *
 * usage: carry ADDRESS PORT FROM RECIPIENT… [-- OPTION=VALUE…]
 *
 * ADDRESS is IPv4. Options: tls=none|may|encrypt|verify, carrier=smtp|lmtp, host=NAME, trust=FILE,
 * user=NAME, password=TEXT, notify=BITS, utf8=1, times=N (the same message, one after another).
 * Output: a line `result OUTCOME CODE STATUS TEXT` for each recipient, a line `attempt HOST TLS
 * TEXT` for each address. */
#include "host/address.h"
#include "host/linux/linux.h"
#include "note/store_transport.h"
#include "role/role.h"

#include <stdlib.h>
#include <unistd.h>

enum { BODY_MAX = 60000, SIDE_TRANSPORT = 1 };

struct carrying {
    struct host *host;
    struct host_channel *channel;
    void *role;
    struct note_ledger ledger;
    struct arena arena;
    struct store_transport_carry carry;
    unsigned times;
};

_Noreturn static void
complain(const char *what)
{
    fprintf(stderr, "carry: %s\n", what);
    exit(2);
}

static void
give(struct carrying *carrying)
{
    struct buffer note;

    buffer_init(&note, HOST_NOTE_MAX);
    carrying->carry.id++;
    if (!store_transport_put_carry(&note, &carrying->ledger, &carrying->carry))
        complain("this does not fit into a note");
    host_channel_send(carrying->channel, buffer_slice(&note), HOST_HANDLE_NONE);
    buffer_finish(&note);
}

static void
tell(const struct store_transport_carried *carried)
{
    static const char *const outcomes[] = {
        [STORE_TRANSPORT_OUTCOME_DELIVERED] = "delivered",
        [STORE_TRANSPORT_OUTCOME_TEMPORARY] = "temporary",
        [STORE_TRANSPORT_OUTCOME_PERMANENT] = "permanent",
        [STORE_TRANSPORT_OUTCOME_UNKNOWN] = "unknown",
    };

    for (size_t i = 0; i < carried->results.count; i++) {
        const struct store_transport_result *result = &carried->results.at[i];
        printf("result %s %u %.*s %.*s%s\n", outcomes[result->outcome], result->code,
               (int)result->status.len, (const char *)result->status.at, (int)result->text.len,
               (const char *)result->text.at, result->dsn_passed ? " [DSN]" : "");
    }
    for (size_t i = 0; i < carried->attempts.count; i++) {
        const struct store_transport_attempt *attempt = &carried->attempts.at[i];
        printf("attempt %.*s [%.*s] %d %s%.*s\n", (int)attempt->host.len,
               (const char *)attempt->host.at, (int)attempt->tls.len, (const char *)attempt->tls.at,
               (int)attempt->tls_result, attempt->is_reused ? "reused " : "",
               (int)attempt->text.len, (const char *)attempt->text.at);
    }
    fflush(stdout);
}

static void
on_note(void *context, struct slice bytes, host_handle handle)
{
    struct carrying *carrying = context;
    struct store_transport_note note;

    if (!store_transport_take(bytes, handle, SIDE_TRANSPORT, &carrying->ledger, &carrying->arena,
                              &note))
        complain("the role has sent a bad note");
    tell(&note.as.carried);
    if (--carrying->times > 0)
        give(carrying);
    else
        role_transport.stop(carrying->role);
}

static void
on_closed(void *context)
{
    (void)context;
    complain("the role has closed its channel");
}

static void
on_fail(void *context, const char *why)
{
    (void)context;
    complain(why);
}

/* ---- arguments ----------------------------------------------------------------------------- */

static bool
is_option(const char *argument, const char *name, struct slice *ret_value)
{
    size_t len = strlen(name);

    if (strncmp(argument, name, len) != 0 || argument[len] != '=')
        return false;
    *ret_value = slice_of_string(argument + len + 1);
    return true;
}

static enum store_transport_tls
tls_of(struct slice value)
{
    if (slice_equal(value, SLICE("none")))
        return STORE_TRANSPORT_TLS_NONE;
    if (slice_equal(value, SLICE("encrypt")))
        return STORE_TRANSPORT_TLS_ENCRYPT;
    return slice_equal(value, SLICE("verify")) ? STORE_TRANSPORT_TLS_VERIFY
                                               : STORE_TRANSPORT_TLS_MAY;
}

static void
take_option(struct carrying *carrying, struct config *config, struct store_transport_host *host,
            struct store_transport_recipient *first, const char *argument)
{
    struct store_transport_carry *carry = &carrying->carry;
    struct slice value;

    if (is_option(argument, "tls", &value))
        carry->tls = tls_of(value);
    else if (is_option(argument, "carrier", &value))
        carry->carrier = slice_equal(value, SLICE("lmtp")) ? STORE_TRANSPORT_CARRIER_LMTP
                                                           : STORE_TRANSPORT_CARRIER_SMTP;
    else if (is_option(argument, "host", &value))
        host->name = value;
    else if (is_option(argument, "trust", &value))
        config->outbound_trust = value;
    else if (is_option(argument, "user", &value))
        carry->auth_name = value;
    else if (is_option(argument, "password", &value))
        carry->auth_secret = value;
    else if (is_option(argument, "notify", &value))
        first->notify = (uint8_t)(value.at[0] - '0');
    else if (is_option(argument, "utf8", &value))
        carry->is_utf8 = true;
    else if (is_option(argument, "times", &value))
        carrying->times = (unsigned)(value.at[0] - '0');
    else
        complain("unknown option");
}

static struct slice
read_body(void)
{
    static uint8_t body[BODY_MAX];
    size_t len = fread(body, 1, sizeof(body), stdin);

    return slice_of(body, len);
}

/* ---- the run ------------------------------------------------------------------------------- */

static void
open_role(struct carrying *carrying, const struct config *config)
{
    static const struct host_channel_handler handler = {.on_note = on_note, .on_closed = on_closed};
    struct role_start start = {
        .host = carrying->host, .config = config, .processes = 1, .fail = on_fail};
    host_handle ours = HOST_HANDLE_NONE, theirs = HOST_HANDLE_NONE;

    carrying->role = role_transport.open(&start);
    if (!carrying->role || host_channel_pair(carrying->host, &ours, &theirs) < 0)
        complain("the role cannot be opened");
    role_transport.attach(carrying->role, ROLE_STORE, 0, theirs);
    carrying->channel = host_channel_open(carrying->host, ours, &handler, carrying);
    if (role_transport.start && !role_transport.start(carrying->role))
        complain("the role does not start");
}

int
main(int argc, char **argv)
{
    static struct store_transport_recipient recipients[100];
    static struct carrying carrying = {.times = 1};
    struct store_transport_host host = {.name = SLICE("peer.test")};
    struct store_transport_address address = {.host = 0};
    struct host_address peer;
    struct arena config_arena;
    struct config config;
    size_t count = 0;
    int i = 4;

    if (argc < 5 || !host_address_parse(slice_of_string(argv[1]), 0, &peer))
        complain("usage: carry ADDRESS PORT FROM RECIPIENT… [-- OPTION=VALUE…]");
    arena_init(&config_arena, CONFIG_ARENA_MAX);
    config_default(&config_arena, &config);
    config.hostname = SLICE("bar.com");
    for (; i < argc && strcmp(argv[i], "--") != 0 && count < COUNT_OF(recipients); i++)
        recipients[count++].address = slice_of_string(argv[i]);
    address.bytes = slice_of(peer.bytes, 4);
    carrying.carry = (struct store_transport_carry){
        .queue_id = SLICE("carry"),
        .destination = SLICE("peer"),
        .port = (uint16_t)strtoul(argv[2], NULL, 10),
        .tls = STORE_TRANSPORT_TLS_MAY,
        .hosts = {&host, 1},
        .addresses = {&address, 1},
        .reverse_path = slice_of_string(argv[3]),
        .recipients = {recipients, count},
        .body = read_body(),
    };
    for (i++; i < argc; i++)
        take_option(&carrying, &config, &host, &recipients[0], argv[i]);
    arena_init(&carrying.arena, 1 << 26);
    if (host_linux_open(&carrying.host) < 0)
        complain("no host");
    open_role(&carrying, &config);
    give(&carrying);
    host_linux_run(carrying.host);
    role_transport.close(carrying.role);
    host_channel_close(&carrying.channel);
    host_linux_close(&carrying.host);
    note_ledger_finish(&carrying.ledger);
    arena_finish(&carrying.arena);
    arena_finish(&config_arena);
    return 0;
}
