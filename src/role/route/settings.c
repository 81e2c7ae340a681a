/* SPDX-License-Identifier: ISC */
#include "role/route/settings.h"

#include "envelope/literal.h"

enum { NAMES_MAX = 65 };

static_assert((int)CONFIG_TLS_VERIFY == (int)ROUTING_TLS_VERIFY, "options name them in one order");

static void
add_name(struct routing_self *self, struct slice *names, struct slice name)
{
    if (name.len > 0 && self->name_count < NAMES_MAX)
        names[self->name_count++] = name;
}

static void
add_address(struct routing_self *self, struct routing_address *addresses, const uint8_t *bytes,
            uint8_t len)
{
    static const uint8_t any[16];

    /* Where it listens on all, the machine's addresses are not known here. */
    if (memcmp(bytes, any, len) == 0 || self->address_count == CONFIG_LISTENERS_MAX + NAMES_MAX)
        return;
    struct routing_address *address = &addresses[self->address_count++];
    address->len = len;
    memcpy(address->bytes, bytes, len);
}

static void
add_own_address(struct routing_self *self, struct routing_address *addresses, struct slice text)
{
    enum envelope_domain_kind kind;
    uint8_t bytes[16];
    char tagged[64];
    int len = snprintf(tagged, sizeof(tagged), "IPv6:%.*s", ROUTING_TEXT(slice_first(text, 50)));

    if (envelope_literal_parse(text, &kind, bytes) && kind == ENVELOPE_DOMAIN_IPV4)
        add_address(self, addresses, bytes, 4);
    else if (envelope_literal_parse(slice_of(tagged, (size_t)len), &kind, bytes))
        add_address(self, addresses, bytes, 16);
}

static void
set_self(const struct config *config, struct arena *arena, struct routing_self *self)
{
    struct slice *names = ARENA_ARRAY(arena, struct slice, NAMES_MAX);
    struct routing_address *addresses =
        ARENA_ARRAY(arena, struct routing_address, CONFIG_LISTENERS_MAX + NAMES_MAX);

    *self = (struct routing_self){.names = names, .addresses = addresses};
    if (!names || !addresses)
        return;
    add_name(self, names, config->hostname);
    for (size_t i = 0; i < config->own_names.count; i++)
        add_name(self, names, config->own_names.at[i]);
    for (size_t i = 0; i < config->smtp_listen.count; i++) {
        const struct host_address *address = &config->smtp_listen.at[i].address;
        if (address->family != HOST_FAMILY_UNIX)
            add_address(self, addresses, address->bytes,
                        address->family == HOST_FAMILY_IPV4 ? 4 : 16);
    }
    for (size_t i = 0; i < config->own_addresses.count; i++)
        add_own_address(self, addresses, config->own_addresses.at[i]);
}

static void
set_fetched(const struct config *config, struct arena *arena, struct routing_settings *settings)
{
    struct slice *domains = ARENA_ARRAY(arena, struct slice, config->atrn.count + 1);
    struct slice who, domain;

    settings->fetched = domains;
    for (size_t i = 0; domains && i < config->atrn.count; i++) {
        if (config_pair(config->atrn.at[i], &who, &domain) &&
            directory_domain_parse(arena, domain, &domains[settings->fetched_count]))
            settings->fetched_count++;
    }
}

const char *
route_settings(const struct config *config, struct arena *arena,
               struct routing_settings *ret_settings)
{
    static const enum routing_family families[] = {
        [CONFIG_IP_ANY] = ROUTING_ANY_FAMILY,      [CONFIG_IP_IPV6] = ROUTING_IPV6_FIRST,
        [CONFIG_IP_IPV4] = ROUTING_IPV4_FIRST,     [CONFIG_IP_ONLY_IPV6] = ROUTING_ONLY_IPV6,
        [CONFIG_IP_ONLY_IPV4] = ROUTING_ONLY_IPV4,
    };

    *ret_settings = (struct routing_settings){
        .family = families[config->ip_preference],
        .tls = (enum routing_tls)config->outgoing_tls,
        .has_sts = config->outgoing_sts,
        .is_local_allowed = config->local_destinations,
        .srs_domain = config->srs_domain,
        .has_smart_host = config->smart_host.len > 0,
        .tables = config->next_hop_tables.at,
        .table_count = config->next_hop_tables.count,
    };
    set_self(config, arena, &ret_settings->self);
    set_fetched(config, arena, ret_settings);
    if (!ret_settings->has_smart_host)
        return NULL;
    const char *what =
        routing_transport_parse(config->smart_host, arena, &ret_settings->smart_host);
    /* Sending elsewhere instead would be worse than not at all. */
    if (what)
        ret_settings->smart_host =
            (struct routing_transport){.carrier = ROUTING_ERROR,
                                       .status = "4.3.5",
                                       .host = SLICE(""),
                                       .path = SLICE(""),
                                       .auth = SLICE(""),
                                       .written = SLICE("error:"),
                                       .text = SLICE("smart_host is damaged")};
    return what;
}
