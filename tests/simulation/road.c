/* SPDX-License-Identifier: ISC */
#include "road.h"

#include "seeds.h"

static const uint8_t addresses[ROAD_PLACES][4] = {
    [ROAD_ORIGIN] = {127, 0, 1, 1},
    [ROAD_PRIMARY] = {127, 0, 1, 2},
    [ROAD_SECONDARY] = {127, 0, 1, 3},
};

static const struct names_row rows[] = {
    {.name = "example.test", .type = DNS_MX, .preference = 10, .target = "mx1.example.test"},
    {.name = "example.test", .type = DNS_MX, .preference = 20, .target = "mx2.example.test"},
    {.name = "foo.test", .type = DNS_MX, .preference = 10, .target = "smtp.foo.test"},
    {.name = "smtp.foo.test", .type = DNS_A, .ipv4 = {127, 0, 1, 1}},
    {.name = "mx1.example.test", .type = DNS_A, .ipv4 = {127, 0, 1, 2}},
    {.name = "mx2.example.test", .type = DNS_A, .ipv4 = {127, 0, 1, 3}},
};
static const struct names_zone zone = {rows, COUNT_OF(rows)};

/* No notice of delay: what comes back to a sender is about letters that cannot be delivered. */
#define CONFIG_OF_ALL                                                                              \
    "outgoing_tls = none\nlocal_destinations = yes\n"                                              \
    "queue_notice = 0s\nqueue_notice_again = 0s\nstore_view_interval = 10s\n"                      \
    "queue_interval_max = 40min\n"

static const char *const configs[ROAD_PLACES] = {
    [ROAD_ORIGIN] = CONFIG_OF_ALL "hostname = smtp.foo.test\nsmtp_listen = 127.0.1.1:25\n"
                                  "relay_networks = 127.0.0.1/32\n",
    [ROAD_PRIMARY] = CONFIG_OF_ALL "hostname = mx1.example.test\nsmtp_listen = 127.0.1.2:25\n",
    [ROAD_SECONDARY] = CONFIG_OF_ALL "hostname = mx2.example.test\nsmtp_listen = 127.0.1.3:25\n",
};

struct host_address
road_address(enum road_place place, uint16_t port)
{
    struct host_address address = {.family = HOST_FAMILY_IPV4, .port = port};

    memcpy(address.bytes, addresses[place], sizeof(addresses[place]));
    return address;
}

/* Who lives there; of the primary's people the secondary knows the names. */
static void
put_people(enum road_place place, struct buffer *accounts, struct buffer *secrets)
{
    switch (place) {
    case ROAD_ORIGIN:
        buffer_put(accounts, SLICE("domain foo.test\n"));
        seeds_put_people(accounts, secrets, ORACLE_RETURNED, ORACLE_MAILBOXES);
        break;
    case ROAD_PRIMARY:
        buffer_put(accounts, SLICE("domain example.test\n"));
        seeds_put_people(accounts, secrets, 0, ORACLE_ACCOUNTS);
        break;
    case ROAD_SECONDARY:
        buffer_put(accounts, SLICE("domain mx2.example.test\nrelay example.test listed\n"));
        for (unsigned i = 0; i < ORACLE_ACCOUNTS; i++) {
            buffer_put(accounts, SLICE("recipient "));
            sender_put_address(accounts, i);
            buffer_put(accounts, SLICE("\n"));
        }
        break;
    case ROAD_PLACES:
        break;
    }
}

void
road_open(struct road *road, struct sim *sim, const char *const real_paths[ROAD_PLACES])
{
    road->sim = sim;
    for (enum road_place i = 0; i < ROAD_PLACES; i++) {
        struct sim_machine_options machine = {.real_path = real_paths[i]};
        struct town_options town = {.config = slice_of_string(configs[i]), .zone = &zone};
        struct buffer accounts, secrets;

        memcpy(machine.ipv4, addresses[i], sizeof(machine.ipv4));
        memcpy(town.ipv4, addresses[i], sizeof(town.ipv4));
        buffer_init(&accounts, 64 * 1024);
        buffer_init(&secrets, 64 * 1024);
        put_people(i, &accounts, &secrets);
        town.accounts = buffer_slice(&accounts);
        town.secrets = buffer_slice(&secrets);
        town.machine = road->machines[i] = sim_machine_open(sim, &machine);
        road->towns[i] = town_open(sim, &town);
        buffer_finish(&accounts);
        buffer_finish(&secrets);
    }
}

void
road_close(struct road *road)
{
    for (enum road_place i = 0; i < ROAD_PLACES; i++)
        town_close(&road->towns[i]);
}
