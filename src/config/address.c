/* SPDX-License-Identifier: ISC */
/* Listeners and networks: "192.0.2.1:25", "[2001:db8::1]:25", "*:25", "unix:/run/lmtp",
 * "192.0.2.0/24". */
#include "config/member.h"

#include "base/cursor.h"

#include <arpa/inet.h>

enum { PORT_MAX = 65535 };

static bool
parse_address(struct slice text, struct host_address *ret_address)
{
    char string[INET6_ADDRSTRLEN];
    struct host_address address = {0};

    if (text.len >= sizeof(string))
        return false;
    memcpy(string, text.at, text.len);
    string[text.len] = '\0';
    bool has_colon = slice_find_byte(text, ':') < text.len;
    address.family = has_colon ? HOST_FAMILY_IPV6 : HOST_FAMILY_IPV4;
    if (inet_pton(has_colon ? AF_INET6 : AF_INET, string, address.bytes) != 1)
        return false;
    *ret_address = address;
    return true;
}

static void
put_address(const struct host_address *address, struct buffer *out)
{
    char string[INET6_ADDRSTRLEN];
    int family = address->family == HOST_FAMILY_IPV6 ? AF_INET6 : AF_INET;

    if (inet_ntop(family, address->bytes, string, sizeof(string)))
        buffer_put_text(out, string);
}

bool
config_listener_parse(struct slice text, struct config_listener ret_made[CONFIG_LISTENER_MAKES_MAX],
                      size_t *ret_count)
{
    struct slice unix_prefix = SLICE("unix:");
    struct config_listener listener = {0};

    if (slice_starts_with(text, unix_prefix)) {
        listener.address.family = HOST_FAMILY_UNIX;
        listener.path = slice_skip(text, unix_prefix.len);
        ret_made[0] = listener;
        *ret_count = 1;
        return config_listener_is_legal(&listener);
    }
    size_t colon = slice_find_last_byte(text, ':');
    struct cursor port_text = cursor_of(slice_skip(text, colon + 1));
    struct slice address = slice_first(text, colon);
    uint32_t port;
    if (!cursor_take_u32(&port_text, 1, PORT_MAX, &port) || !cursor_is_done(&port_text))
        return false;
    bool is_any = slice_equal(address, SLICE("*"));
    bool has_brackets =
        address.len > 2 && address.at[0] == '[' && address.at[address.len - 1] == ']';
    if (has_brackets)
        address = slice_between(address, 1, address.len - 1);
    if (!parse_address(is_any ? SLICE("0.0.0.0") : address, &listener.address) ||
        has_brackets != (listener.address.family == HOST_FAMILY_IPV6))
        return false;
    listener.address.port = (uint16_t)port;
    ret_made[0] = listener;
    listener.address.family = HOST_FAMILY_IPV6; /* all zeros is [::] */
    ret_made[1] = listener;
    *ret_count = is_any ? 2 : 1;
    return true;
}

void
config_listener_put(const struct config_listener *listener, struct buffer *out)
{
    bool is_ipv6 = listener->address.family == HOST_FAMILY_IPV6;

    if (listener->address.family == HOST_FAMILY_UNIX) {
        buffer_put_text(out, "unix:");
        buffer_put(out, listener->path);
        return;
    }
    buffer_put_text(out, is_ipv6 ? "[" : "");
    put_address(&listener->address, out);
    buffer_put_text(out, is_ipv6 ? "]:" : ":");
    buffer_put_decimal(out, listener->address.port);
}

bool
config_listener_is_legal(const struct config_listener *listener)
{
    /* sun_path of a unix socket holds 108 octets with its NUL. */
    enum { UNIX_PATH_MAX = 107 };
    struct slice path = listener->path;

    if (listener->address.family != HOST_FAMILY_UNIX)
        return listener->address.port > 0 && path.len == 0;
    for (size_t i = 0; i < path.len; i++) {
        if (path.at[i] < ' ' || path.at[i] == 0x7F)
            return false;
    }
    return path.len > 1 && path.len <= UNIX_PATH_MAX && path.at[0] == '/';
}

bool
config_network_is_legal(const struct config_network *network)
{
    size_t width = network->address.family == HOST_FAMILY_IPV6 ? 16 : 4;

    if (network->address.family == HOST_FAMILY_UNIX || network->bits > width * 8)
        return false;
    for (size_t bit = network->bits; bit < width * 8; bit++) {
        if (network->address.bytes[bit / 8] & 0x80 >> bit % 8)
            return false;
    }
    return true;
}

bool
config_network_parse(struct slice text, struct config_network *ret_network)
{
    size_t slash = slice_find_byte(text, '/');
    struct config_network network = {0};

    if (!parse_address(slice_first(text, slash), &network.address))
        return false;
    uint32_t width = network.address.family == HOST_FAMILY_IPV6 ? 128 : 32, bits = width;
    struct cursor bits_text = cursor_of(slice_skip(text, slash + 1));
    if (slash < text.len &&
        (!cursor_take_u32(&bits_text, 0, width, &bits) || !cursor_is_done(&bits_text)))
        return false;
    network.bits = (uint8_t)bits;
    if (!config_network_is_legal(&network))
        return false;
    *ret_network = network;
    return true;
}

void
config_network_put(const struct config_network *network, struct buffer *out)
{
    put_address(&network->address, out);
    buffer_put_byte(out, '/');
    buffer_put_decimal(out, network->bits);
}

static bool
starts_with_bits(const uint8_t *bytes, const uint8_t *prefix, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;

    return memcmp(bytes, prefix, whole) == 0 &&
           (rest == 0 || (bytes[whole] ^ prefix[whole]) >> (8 - rest) == 0);
}

bool
config_networks_contain(const struct config_networks *networks, const struct host_address *address)
{
    static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    enum host_family family = address->family;
    const uint8_t *bytes = address->bytes;

    if (family == HOST_FAMILY_UNIX)
        return false;
    if (family == HOST_FAMILY_IPV6 && memcmp(bytes, mapped, sizeof(mapped)) == 0) {
        family = HOST_FAMILY_IPV4;
        bytes += sizeof(mapped);
    }
    for (size_t i = 0; i < networks->count; i++) {
        const struct config_network *network = &networks->at[i];
        if (network->address.family == family &&
            starts_with_bits(bytes, network->address.bytes, network->bits))
            return true;
    }
    return false;
}
