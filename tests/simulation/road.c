/* SPDX-License-Identifier: ISC */
#include "road.h"

#include "customer.h"
#include "seeds.h"
#include "signed.h"

static const uint8_t addresses[ROAD_PLACES][4] = {
    [ROAD_ORIGIN] = {127, 0, 1, 1},
    [ROAD_PRIMARY] = {127, 0, 1, 2},
    [ROAD_SECONDARY] = {127, 0, 1, 3},
};

static const struct names_row rows[] = {
    {.name = "example.test", .type = DNS_MX, .preference = 10, .target = "mx1.example.test"},
    {.name = "example.test", .type = DNS_MX, .preference = 20, .target = "mx2.example.test"},
    {.name = "foo.test", .type = DNS_MX, .preference = 10, .target = "smtp.foo.test"},
    {.name = "customer.test", .type = DNS_MX, .preference = 10, .target = "mx2.example.test"},
    {.name = "smtp.foo.test", .type = DNS_A, .ipv4 = {127, 0, 1, 1}},
    {.name = "mx1.example.test", .type = DNS_A, .ipv4 = {127, 0, 1, 2}},
    {.name = "mx2.example.test", .type = DNS_A, .ipv4 = {127, 0, 1, 3}},
};
static const struct names_zone zone = {rows, COUNT_OF(rows)};

/* As whom the secondary asks the primary for names. */
#define BACKUP "backup@example.test"
#define BACKUP_PASSWORD "secret-of-the-backup"

/* No notice of delay: what comes back to a sender is about letters that cannot be delivered. */
#define CONFIG_OF_ALL                                                                              \
    "outgoing_tls = none\nlocal_destinations = yes\n"                                              \
    "queue_notice = 0s\nqueue_notice_again = 0s\nstore_view_interval = 10s\n"                      \
    "queue_interval_max = 40min\n"

static const char *const configs[ROAD_PLACES] = {
    [ROAD_ORIGIN] = CONFIG_OF_ALL "hostname = smtp.foo.test\nsmtp_listen = 127.0.1.1:25\n"
                                  "relay_networks = 127.0.0.1/32\n"
                                  "dkim_keys = {\"" SIGNED_RECORD " /data/key\"}\n",
    [ROAD_PRIMARY] = CONFIG_OF_ALL "hostname = mx1.example.test\nsmtp_listen = 127.0.1.2:25\n"
                                   "auth_plaintext_on_loopback = yes\n"
                                   "relay_feed_to = {\"" BACKUP " example.test\"}\n",
    [ROAD_SECONDARY] = CONFIG_OF_ALL "hostname = mx2.example.test\nsmtp_listen = 127.0.1.3:25\n"
                                     "auth_plaintext_on_loopback = yes\n"
                                     "atrn = {\"" CUSTOMER_ADDRESS " customer.test\"}\n",
};

/* What the secondary does to know the names; the first has them in its directory. */
static const char *const ways[ROAD_NAMES] = {
    [ROAD_LISTED] = "",
    [ROAD_FED] = "relay_feeds = {\"example.test smtp:[127.0.1.2]:587 auth=primary tls=none\"}\n",
    [ROAD_ASKED] = "call_ahead = {\"example.test\"}\ncall_ahead_failure = accept\n",
    [ROAD_ASKED_OR_NOT] = "call_ahead = {\"example.test\"}\ncall_ahead_failure = defer\n",
};

struct host_address
road_address(enum road_place place, uint16_t port)
{
    struct host_address address = {.family = HOST_FAMILY_IPV4, .port = port};

    memcpy(address.bytes, addresses[place], sizeof(addresses[place]));
    return address;
}

static void
put_person(struct buffer *accounts, struct buffer *secrets, const struct seeds_person *person)
{
    buffer_put(accounts, SLICE("account "));
    buffer_put(accounts, person->address);
    buffer_put(accounts, SLICE(" id="));
    buffer_put_decimal(accounts, person->id);
    buffer_put(accounts, SLICE("\n"));
    seeds_put_secret(secrets, person);
}

/* What the secondary is told of the primary's people. */
static void
put_relays(enum road_names names, struct buffer *accounts)
{
    buffer_put(accounts, SLICE("domain mx2.example.test\nrelay customer.test\n"));
    buffer_put(accounts, names == ROAD_LISTED ? SLICE("relay example.test listed\n")
                                              : SLICE("relay example.test\n"));
    for (unsigned i = 0; i < ORACLE_ACCOUNTS && names == ROAD_LISTED; i++) {
        buffer_put(accounts, SLICE("recipient "));
        sender_put_address(accounts, i);
        buffer_put(accounts, SLICE("\n"));
    }
}

/* Who lives there. */
static void
put_people(enum road_place place, enum road_names names, struct buffer *accounts,
           struct buffer *secrets)
{
    const struct seeds_person backup = {
        .address = SLICE(BACKUP), .password = SLICE(BACKUP_PASSWORD), .id = ORACLE_ACCOUNTS + 1};
    const struct seeds_person customer = {.address = SLICE(CUSTOMER_ADDRESS),
                                          .password = SLICE(CUSTOMER_PASSWORD),
                                          .id = 1,
                                          .crypt = SLICE(CUSTOMER_CRYPT)};

    switch (place) {
    case ROAD_ORIGIN:
        buffer_put(accounts, SLICE("domain foo.test\n"));
        seeds_put_people(accounts, secrets, ORACLE_RETURNED, ORACLE_READ);
        break;
    case ROAD_PRIMARY:
        buffer_put(accounts, SLICE("domain example.test\n"));
        seeds_put_people(accounts, secrets, 0, ORACLE_ACCOUNTS);
        put_person(accounts, secrets, &backup);
        break;
    case ROAD_SECONDARY:
        put_relays(names, accounts);
        put_person(accounts, secrets, &customer);
        break;
    case ROAD_PLACES:
        break;
    }
}

static void
open_place(struct road *road, enum road_place place, enum road_names names, const char *real_path)
{
    bool is_secondary = place == ROAD_SECONDARY;
    struct sim_machine_options machine = {.real_path = real_path};
    struct town_options town = {.has_submission = place != ROAD_ORIGIN,
                                .has_mail_key = place == ROAD_ORIGIN,
                                .zone = &zone};
    struct buffer accounts, secrets, config;

    memcpy(machine.ipv4, addresses[place], sizeof(machine.ipv4));
    memcpy(town.ipv4, addresses[place], sizeof(town.ipv4));
    buffer_init(&accounts, 64 * 1024);
    buffer_init(&secrets, 64 * 1024);
    buffer_init(&config, 4096);
    put_people(place, names, &accounts, &secrets);
    buffer_put_text(&config, configs[place]);
    buffer_put_text(&config, is_secondary ? ways[names] : "");
    town.accounts = buffer_slice(&accounts);
    town.secrets = buffer_slice(&secrets);
    town.config = buffer_slice(&config);
    if (is_secondary)
        town.credentials = SLICE("primary " BACKUP " " BACKUP_PASSWORD "\n");
    town.machine = road->machines[place] = sim_machine_open(road->sim, &machine);
    road->towns[place] = town_open(road->sim, &town);
    buffer_finish(&accounts);
    buffer_finish(&secrets);
    buffer_finish(&config);
}

void
road_open(struct road *road, struct sim *sim, enum road_names names,
          const char *const real_paths[ROAD_PLACES])
{
    road->sim = sim;
    for (enum road_place i = 0; i < ROAD_PLACES; i++)
        open_place(road, i, names, real_paths[i]);
}

void
road_close(struct road *road)
{
    for (enum road_place i = 0; i < ROAD_PLACES; i++)
        town_close(&road->towns[i]);
}
