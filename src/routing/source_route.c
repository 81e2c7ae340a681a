/* SPDX-License-Identifier: ISC */
#include "routing/source_route.h"

enum { ROUTE_OCTETS_MAX = 4096 };

/* Octets up to the colon, or 0. */
static size_t
route_len(struct slice address)
{
    size_t colon = slice_find_byte(address, ':');

    return address.len > 0 && address.at[0] == '@' && colon < address.len ? colon : 0;
}

struct slice
routing_route_first(struct slice address)
{
    struct slice route = slice_first(address, route_len(address));

    return slice_between(route, route.len > 0, slice_find_byte(route, ','));
}

struct slice
routing_route_drop(struct slice address)
{
    size_t len = route_len(address);

    return slice_skip(address, len > 0 ? len + 1 : 0);
}

static bool
is_us(const struct routing_settings *settings, struct slice host)
{
    for (size_t i = 0; i < settings->self.name_count; i++) {
        if (slice_equal_nocase(settings->self.names[i], host))
            return true;
    }
    return settings->directory && directory_domain_find(settings->directory, host);
}

struct slice
routing_route_peel(const struct routing_settings *settings, struct slice address,
                   struct arena *arena)
{
    struct slice route = slice_first(address, route_len(address));
    struct buffer text;

    while (route.len > 0 && is_us(settings, routing_route_first(slice_skip(
                                                address, (size_t)(route.at - address.at)))))
        route = slice_skip(route, slice_find_byte(route, ',') + 1);
    if (route.len == 0)
        return routing_route_drop(address);
    if (route.at == address.at)
        return address;
    buffer_init(&text, ROUTE_OCTETS_MAX);
    buffer_put(&text, route);
    buffer_put_byte(&text, ':');
    buffer_put(&text, routing_route_drop(address));
    struct slice left = arena_copy(arena, buffer_slice(&text));
    buffer_finish(&text);
    return left;
}

struct slice
routing_route_prepend(struct slice host, struct slice address, struct arena *arena)
{
    bool has_route = route_len(address) > 0;
    struct buffer text;

    if (address.len == 0)
        return address;
    buffer_init(&text, ROUTE_OCTETS_MAX);
    buffer_put_byte(&text, '@');
    buffer_put(&text, host);
    buffer_put_byte(&text, has_route ? ',' : ':');
    buffer_put(&text, address);
    struct slice result = arena_copy(arena, buffer_slice(&text));
    buffer_finish(&text);
    return result;
}
