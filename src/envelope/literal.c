/* SPDX-License-Identifier: ISC */
/* Address literals (RFC 5321 §4.1.3) and the text form of addresses (RFC 4291 §2.2, RFC 5952). */
#include "envelope/literal.h"

#include "base/hex.h"

enum { GROUPS = 8 };

static byte_set tag_octets = {
    ['-'] = true,
    ['0' ... '9'] = true,
    ['A' ... 'Z'] = true,
    ['a' ... 'z'] = true,
};

/* Snum 3("." Snum), Snum = 1*3DIGIT of at most 255; leading zeros, which some read as octal, are
 * refused. */
static bool
take_ipv4(struct cursor *cursor, uint8_t ret_address[4])
{
    struct cursor work = *cursor;
    uint8_t address[4];
    uint32_t number;

    for (int i = 0; i < 4; i++) {
        if (i > 0 && !cursor_take_byte(&work, '.'))
            return false;
        const uint8_t *start = work.at;
        if (!cursor_take_u32(&work, 0, 255, &number) || (work.at - start > 1 && *start == '0'))
            return false;
        address[i] = (uint8_t)number;
    }
    memcpy(ret_address, address, sizeof(address));
    *cursor = work;
    return true;
}

/* The digit that comes next, or -1. */
static int
peek_hex(const struct cursor *cursor)
{
    return cursor_is_done(cursor) ? -1 : byte_hex_value(*cursor->at);
}

/* IPv6-hex = 1*4HEXDIG */
static bool
take_group(struct cursor *cursor, uint8_t ret_group[2])
{
    struct cursor work = *cursor;
    unsigned value = 0, digits = 0;

    for (int digit; digits < 4 && (digit = peek_hex(&work)) >= 0; digits++) {
        value = value << 4 | (unsigned)digit;
        work.at++;
    }
    if (digits == 0 || peek_hex(&work) >= 0)
        return false;
    ret_group[0] = (uint8_t)(value >> 8);
    ret_group[1] = (uint8_t)value;
    *cursor = work;
    return true;
}

/* The groups in front of and behind "::" are gathered in a row; then the hind ones move to the
 * end. */
static bool
parse_ipv6(struct slice text, uint8_t ret_address[16])
{
    struct cursor cursor = cursor_of(text);
    uint8_t address[16] = {0};
    int groups = 0, gap = -1;

    if (cursor_take_text(&cursor, SLICE("::")))
        gap = 0;
    while (!cursor_is_done(&cursor)) {
        if (groups > 0 && groups != gap && !cursor_take_byte(&cursor, ':'))
            return false;
        if (groups <= GROUPS - 2 && take_ipv4(&cursor, address + (ptrdiff_t)2 * groups)) {
            groups += 2;
            break;
        }
        if (groups == GROUPS || !take_group(&cursor, address + (ptrdiff_t)2 * groups))
            return false;
        groups++;
        if (gap < 0 && cursor_take_text(&cursor, SLICE("::")))
            gap = groups;
    }
    if (!cursor_is_done(&cursor) || (gap < 0 ? groups != GROUPS : groups >= GROUPS))
        return false;
    if (gap >= 0) {
        size_t hind = (size_t)(groups - gap) * 2;
        memmove(address + 16 - hind, address + (ptrdiff_t)2 * gap, hind);
        memset(address + (ptrdiff_t)2 * gap, 0, 16 - hind - (size_t)gap * 2);
    }
    memcpy(ret_address, address, sizeof(address));
    return true;
}

bool
envelope_literal_parse(struct slice inside, enum envelope_domain_kind *ret_kind,
                       uint8_t ret_address[16])
{
    struct cursor cursor = cursor_of(inside);
    struct slice tag;

    if (take_ipv4(&cursor, ret_address) && cursor_is_done(&cursor)) {
        *ret_kind = ENVELOPE_DOMAIN_IPV4;
        return true;
    }
    cursor = cursor_of(inside);
    /* Standardized-tag = Ldh-str */
    if (!cursor_take_set(&cursor, tag_octets, ENVELOPE_LABEL_MAX, &tag) ||
        !cursor_take_byte(&cursor, ':') || cursor_is_done(&cursor))
        return false;
    if (slice_equal_nocase(tag, SLICE("IPv6"))) {
        if (!parse_ipv6(cursor_rest(&cursor), ret_address))
            return false;
        *ret_kind = ENVELOPE_DOMAIN_IPV6;
        return true;
    }
    if (tag.at[tag.len - 1] == '-')
        return false;
    *ret_kind = ENVELOPE_DOMAIN_TAGGED;
    return true;
}

static void
put_ipv4(struct buffer *buffer, const uint8_t *address)
{
    for (int i = 0; i < 4; i++) {
        if (i > 0)
            buffer_put_byte(buffer, '.');
        buffer_put_decimal(buffer, address[i]);
    }
}

static unsigned
group_at(const uint8_t *address, int group)
{
    return (unsigned)address[2 * group] << 8 | address[2 * group + 1];
}

/* Lower-case, without leading zeros (RFC 5952 §4.1, §4.3). */
static void
put_group(struct buffer *buffer, unsigned value)
{
    bool has_begun = false;

    for (int shift = 12; shift >= 0; shift -= 4) {
        unsigned digit = value >> shift & 15;
        has_begun = has_begun || digit != 0 || shift == 0;
        if (has_begun)
            buffer_put_byte(buffer, (uint8_t) "0123456789abcdef"[digit]);
    }
}

/* The first longest run of two zero groups or more (RFC 5952 §4.2). */
static void
find_zeros(const uint8_t *address, int *ret_start, int *ret_count)
{
    *ret_start = GROUPS;
    *ret_count = 1;
    for (int start = 0; start < GROUPS; start++) {
        int end = start;
        while (end < GROUPS && group_at(address, end) == 0)
            end++;
        if (end - start > *ret_count) {
            *ret_start = start;
            *ret_count = end - start;
        }
    }
}

void
envelope_address_put(struct buffer *buffer, const uint8_t *address, size_t len)
{
    int zeros, count;

    if (len == 4) {
        put_ipv4(buffer, address);
        return;
    }
    find_zeros(address, &zeros, &count);
    for (int group = 0; group < GROUPS; group++) {
        if (group == zeros) {
            buffer_put_text(buffer, "::");
            group += count - 1;
            continue;
        }
        if (group > 0 && group != zeros + count)
            buffer_put_byte(buffer, ':');
        put_group(buffer, group_at(address, group));
    }
}
