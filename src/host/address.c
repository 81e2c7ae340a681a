/* SPDX-License-Identifier: ISC */
/* Network addresses as text: RFC 5952 for IPv6. */
#include "host/address.h"

#include <arpa/inet.h>

static const uint8_t mapped_prefix[12] = {[10] = 0xFF, [11] = 0xFF}; /* ::ffff:0:0/96 */

void
host_address_put(struct buffer *buffer, const struct host_address *address)
{
    char text[INET6_ADDRSTRLEN];

    if (address->family == HOST_FAMILY_UNIX) {
        buffer_put_text(buffer, "unix:");
        buffer_put_decimal(buffer, address->user);
        return;
    }
    int family = address->family == HOST_FAMILY_IPV4 ? AF_INET : AF_INET6;
    if (inet_ntop(family, address->bytes, text, sizeof(text)))
        buffer_put_text(buffer, text);
}

void
host_address_put_with_port(struct buffer *buffer, const struct host_address *address)
{
    if (address->family == HOST_FAMILY_IPV6)
        buffer_put_byte(buffer, '[');
    host_address_put(buffer, address);
    if (address->family == HOST_FAMILY_IPV6)
        buffer_put_byte(buffer, ']');
    if (address->family == HOST_FAMILY_UNIX)
        return;
    buffer_put_byte(buffer, ':');
    buffer_put_decimal(buffer, address->port);
}

bool
host_address_parse(struct slice text, uint16_t port, struct host_address *ret_address)
{
    char string[INET6_ADDRSTRLEN];
    uint8_t bytes[16] = {0};
    struct host_address address = {.port = port};

    if (text.len >= sizeof(string) || slice_find_byte(text, 0) != text.len)
        return false;
    memcpy(string, text.at, text.len);
    string[text.len] = 0;
    if (inet_pton(AF_INET, string, bytes) == 1) {
        address.family = HOST_FAMILY_IPV4;
        memcpy(address.bytes, bytes, 4);
    } else if (inet_pton(AF_INET6, string, bytes) != 1) {
        return false;
    } else if (memcmp(bytes, mapped_prefix, sizeof(mapped_prefix)) == 0) {
        address.family = HOST_FAMILY_IPV4;
        memcpy(address.bytes, bytes + sizeof(mapped_prefix), 4);
    } else {
        address.family = HOST_FAMILY_IPV6;
        memcpy(address.bytes, bytes, 16);
    }
    *ret_address = address;
    return true;
}

struct slice
host_address_bytes(const struct host_address *address)
{
    switch (address->family) {
    case HOST_FAMILY_IPV4:
        return slice_of(address->bytes, 4);
    case HOST_FAMILY_IPV6:
        return slice_of(address->bytes, 16);
    case HOST_FAMILY_UNIX:
        break;
    }
    return slice_of(address->bytes, 0);
}

struct slice
host_address_customer(const struct host_address *address)
{
    return slice_first(host_address_bytes(address), 8);
}

bool
host_address_is_loopback(const struct host_address *address)
{
    static const uint8_t loopback6[16] = {[15] = 1};

    switch (address->family) {
    case HOST_FAMILY_IPV4:
        return address->bytes[0] == 127;
    case HOST_FAMILY_IPV6:
        return memcmp(address->bytes, loopback6, sizeof(loopback6)) == 0;
    case HOST_FAMILY_UNIX:
        break;
    }
    return true;
}
