/* SPDX-License-Identifier: ISC */
#include "role/haproxy.h"

#include "base/cursor.h"
#include "host/address.h"

enum {
    BEGINNING_LEN = 12, /* by then the versions differ, and neither is shorter */
    COMMAND_LOCAL = 0x20,
    COMMAND_PROXY = 0x21,
    FAMILY_TCP4 = 0x11,
    FAMILY_TCP6 = 0x21,
    TCP4_LEN = 12,
    TCP6_LEN = 36
};

static const uint8_t signature[BEGINNING_LEN] = {0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D,
                                                 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A};

static bool
is_second(const struct haproxy *header)
{
    return header->bytes[0] == signature[0];
}

static uint16_t
number_at(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

/* Octets behind the head of version 2. */
static size_t
following(const struct haproxy *header)
{
    return number_at(header->bytes + 14);
}

size_t
haproxy_wanted(const struct haproxy *header)
{
    if (header->is_done)
        return 0;
    if (header->len < BEGINNING_LEN)
        return BEGINNING_LEN - header->len;
    if (!is_second(header))
        return 1; /* the client may speak directly behind the line */
    if (header->len < HAPROXY_HEAD_LEN)
        return HAPROXY_HEAD_LEN - header->len;
    size_t kept =
        following(header) < HAPROXY_ADDRESSES_MAX ? following(header) : HAPROXY_ADDRESSES_MAX;
    return header->len < HAPROXY_HEAD_LEN + kept ? HAPROXY_HEAD_LEN + kept - header->len
                                                 : following(header) - kept - header->skipped;
}

/* ---- version 1 ----------------------------------------------------------------------------- */

/* One word up to a blank or the end. */
static struct slice
take_word(struct cursor *line)
{
    struct slice rest = cursor_rest(line);
    struct slice word = slice_first(rest, slice_find_byte(rest, ' '));

    line->at += word.len;
    (void)cursor_take_byte(line, ' ');
    return word;
}

/* A port: 0 to 65535 without leading zeros. */
static bool
parse_port(struct slice text, uint16_t *ret_port)
{
    struct cursor cursor = cursor_of(text);
    uint32_t port;

    if (text.len > 1 && text.at[0] == '0')
        return false;
    if (!cursor_take_u32(&cursor, 0, 65535, &port) || !cursor_is_done(&cursor))
        return false;
    *ret_port = (uint16_t)port;
    return true;
}

/* "PROXY TCP4 192.0.2.1 192.0.2.2 4711 25" without its CRLF. */
static const char *
read_line(struct haproxy *header, struct slice text)
{
    struct cursor line = cursor_of(text);
    struct host_address client, server;
    uint16_t client_port, server_port;

    (void)take_word(&line);
    struct slice family = take_word(&line);
    if (slice_equal(family, SLICE("UNKNOWN")))
        return NULL; /* whatever stands behind it */
    bool is_four = slice_equal(family, SLICE("TCP4"));
    if (!is_four && !slice_equal(family, SLICE("TCP6")))
        return "expected TCP4, TCP6 or UNKNOWN";
    enum host_family wanted = is_four ? HOST_FAMILY_IPV4 : HOST_FAMILY_IPV6;
    struct slice from = take_word(&line), to = take_word(&line);
    bool is_written_right = (slice_find_byte(from, ':') < from.len) == !is_four &&
                            (slice_find_byte(to, ':') < to.len) == !is_four;
    if (!parse_port(take_word(&line), &client_port) ||
        !parse_port(cursor_rest(&line), &server_port))
        return "expected two addresses and two ports";
    if (!is_written_right || !host_address_parse(from, client_port, &client) ||
        !host_address_parse(to, server_port, &server))
        return "expected two addresses of the family";
    /* An IPv4 address in IPv6 clothes has become one. */
    if (is_four && client.family != wanted)
        return "expected two addresses of the family";
    header->has_client = true;
    header->client = client;
    return NULL;
}

static const char *
take_line(struct haproxy *header)
{
    struct slice line = slice_of(header->bytes, header->len);

    if (!slice_starts_with(line, SLICE("PROXY ")))
        return "expected a PROXY header";
    if (line.at[line.len - 1] != '\n')
        return line.len < HAPROXY_LINE_MAX ? NULL : "expected a shorter line";
    if (line.at[line.len - 2] != '\r')
        return "expected CR LF at the end of the line";
    header->is_done = true;
    return read_line(header, slice_first(line, line.len - 2));
}

/* ---- version 2 ----------------------------------------------------------------------------- */

static void
set_client(struct haproxy *header, enum host_family family, size_t len, const uint8_t *port)
{
    const uint8_t *at = header->bytes + HAPROXY_HEAD_LEN;
    struct slice mapped = SLICE("\0\0\0\0\0\0\0\0\0\0\xFF\xFF");

    header->has_client = true;
    if (len == 16 && slice_starts_with(slice_of(at, len), mapped)) {
        family = HOST_FAMILY_IPV4;
        at += mapped.len;
        len -= mapped.len;
    }
    header->client = (struct host_address){.family = family, .port = number_at(port)};
    memcpy(header->client.bytes, at, len);
}

static const char *
read_addresses(struct haproxy *header)
{
    uint8_t command = header->bytes[12], family = header->bytes[13];
    const uint8_t *at = header->bytes + HAPROXY_HEAD_LEN;

    if (command == COMMAND_LOCAL)
        return NULL;
    if (family == FAMILY_TCP4 && following(header) >= TCP4_LEN)
        set_client(header, HOST_FAMILY_IPV4, 4, at + 8);
    else if (family == FAMILY_TCP6 && following(header) >= TCP6_LEN)
        set_client(header, HOST_FAMILY_IPV6, 16, at + 32);
    else if (family == FAMILY_TCP4 || family == FAMILY_TCP6)
        return "expected whole addresses";
    /* Other families (unix sockets, datagrams) say nothing that we could believe. */
    return NULL;
}

static const char *
take_second(struct haproxy *header)
{
    if (memcmp(header->bytes, signature, BEGINNING_LEN) != 0)
        return "expected a PROXY header";
    if (header->len < HAPROXY_HEAD_LEN)
        return NULL;
    if (header->bytes[12] != COMMAND_LOCAL && header->bytes[12] != COMMAND_PROXY)
        return "expected version 2 and the command LOCAL or PROXY";
    if (following(header) > HAPROXY_FOLLOWING_MAX)
        return "expected a shorter header";
    if (haproxy_wanted(header) > 0)
        return NULL;
    header->is_done = true;
    return read_addresses(header);
}

const char *
haproxy_take(struct haproxy *header, struct slice bytes)
{
    size_t room = HAPROXY_HEAD_LEN + HAPROXY_ADDRESSES_MAX;

    assert(bytes.len <= haproxy_wanted(header));
    if (header->len >= BEGINNING_LEN && is_second(header) && header->len == room) {
        header->skipped += bytes.len;
    } else {
        memcpy(header->bytes + header->len, bytes.at, bytes.len);
        header->len += bytes.len;
    }
    if (header->len < BEGINNING_LEN)
        return NULL;
    return is_second(header) ? take_second(header) : take_line(header);
}

/* ---- saying it ----------------------------------------------------------------------------- */

static void
put_u16(struct buffer *out, size_t number)
{
    buffer_put_byte(out, (uint8_t)(number >> 8));
    buffer_put_byte(out, (uint8_t)number);
}

static void
put_line(struct buffer *out, bool is_known, const struct host_address *from,
         const struct host_address *to)
{
    buffer_put_text(out, "PROXY ");
    if (!is_known) {
        buffer_put_text(out, "UNKNOWN\r\n");
        return;
    }
    buffer_put_text(out, from->family == HOST_FAMILY_IPV4 ? "TCP4 " : "TCP6 ");
    host_address_put(out, from);
    buffer_put_byte(out, ' ');
    host_address_put(out, to);
    buffer_put_byte(out, ' ');
    buffer_put_decimal(out, from->port);
    buffer_put_byte(out, ' ');
    buffer_put_decimal(out, to->port);
    buffer_put_text(out, "\r\n");
}

void
haproxy_put(struct buffer *out, enum haproxy_version version, const struct host_address *from,
            const struct host_address *to)
{
    bool is_known = from->family == to->family && from->family != HOST_FAMILY_UNIX;
    bool is_four = from->family == HOST_FAMILY_IPV4;

    if (version == HAPROXY_1) {
        put_line(out, is_known, from, to);
    } else if (version == HAPROXY_2) {
        buffer_put(out, slice_of(signature, sizeof(signature)));
        buffer_put_byte(out, is_known ? COMMAND_PROXY : COMMAND_LOCAL);
        buffer_put_byte(out, !is_known ? 0 : is_four ? FAMILY_TCP4 : FAMILY_TCP6);
        put_u16(out, !is_known ? 0 : is_four ? TCP4_LEN : TCP6_LEN);
        if (!is_known)
            return;
        buffer_put(out, host_address_bytes(from));
        buffer_put(out, host_address_bytes(to));
        put_u16(out, from->port);
        put_u16(out, to->port);
    }
}
