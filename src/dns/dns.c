/* SPDX-License-Identifier: ISC */
#include "dns/dns.h"

#include "base/cursor.h"

enum { LABEL_MAX = 63, NAME_TEXT_MAX = 253, IPV4_LEN = 4, IPV6_LEN = 16 };

const char *
dns_type_name(enum dns_type type)
{
    switch (type) {
    case DNS_A:
        return "A";
    case DNS_CNAME:
        return "CNAME";
    case DNS_PTR:
        return "PTR";
    case DNS_MX:
        return "MX";
    case DNS_TXT:
        return "TXT";
    case DNS_AAAA:
        return "AAAA";
    case DNS_SRV:
        return "SRV";
    case DNS_TLSA:
        return "TLSA";
    }
    return "TYPE";
}

const char *
dns_outcome_name(enum dns_outcome outcome)
{
    static const char *const names[] = {
        [DNS_FOUND] = "found", [DNS_NO_DATA] = "no data",     [DNS_NO_NAME] = "no such name",
        [DNS_BOGUS] = "bogus", [DNS_TEMPORARY] = "no answer",
    };
    return names[outcome];
}

static bool
is_name_octet(uint8_t octet)
{
    return byte_is_alpha(octet) || byte_is_digit(octet) || octet == '-' || octet == '_';
}

bool
dns_name_is_sound(struct slice name)
{
    size_t label = 0;

    if (name.len > 0 && name.at[name.len - 1] == '.')
        name.len--;
    if (name.len == 0 || name.len > NAME_TEXT_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        bool is_dot = name.at[i] == '.';
        if (is_dot ? label == 0 : !is_name_octet(name.at[i]))
            return false;
        label = is_dot ? 0 : label + 1;
        if (label > LABEL_MAX)
            return false;
    }
    return label > 0;
}

bool
dns_name_parse(struct slice wire, struct arena *arena, struct slice *ret_name, size_t *ret_len)
{
    struct cursor cursor = cursor_of(wire);
    uint8_t text[DNS_NAME_MAX];
    struct slice label;
    bool is_whole = false;
    size_t len = 0;
    uint8_t label_len;

    while (!is_whole && cursor_take_any(&cursor, &label_len)) {
        if (label_len == 0) {
            is_whole = true;
            continue;
        }
        if (label_len > LABEL_MAX || !cursor_take_bytes(&cursor, label_len, &label) ||
            len + (len > 0) + label_len > NAME_TEXT_MAX)
            return false;
        if (len > 0)
            text[len++] = '.';
        for (size_t i = 0; i < label.len; i++) {
            if (!is_name_octet(label.at[i]))
                return false;
            text[len++] = byte_to_lower(label.at[i]);
        }
    }
    if (!is_whole)
        return false;
    *ret_name = arena_copy(arena, slice_of(text, len));
    *ret_len = wire.len - cursor_left(&cursor);
    return !arena_failed(arena);
}

/* Only the name, and nothing behind it. */
static bool
parse_whole_name(struct slice wire, struct arena *arena, struct slice *ret_name)
{
    size_t len;

    return dns_name_parse(wire, arena, ret_name, &len) && len == wire.len;
}

/* RFC 1035 §3.3.14: one or more <character-string>s. */
static bool
parse_text(struct slice wire, struct arena *arena, struct slice *ret_text)
{
    struct cursor cursor = cursor_of(wire);
    uint8_t *text = arena_new(arena, wire.len + 1);
    struct slice part;
    size_t len = 0;
    uint8_t part_len;

    if (!text || wire.len == 0 || wire.len > DNS_DATA_MAX)
        return false;
    while (cursor_take_any(&cursor, &part_len)) {
        if (!cursor_take_bytes(&cursor, part_len, &part))
            return false;
        if (part.len > 0)
            memcpy(text + len, part.at, part.len);
        len += part.len;
    }
    *ret_text = slice_of(text, len);
    return true;
}

bool
dns_record_parse(enum dns_type type, struct slice wire, struct arena *arena,
                 struct dns_record *ret_record)
{
    struct dns_record record = {.name = SLICE(""), .data = SLICE("")};
    bool is_good = false;

    switch (type) {
    case DNS_A:
        is_good = wire.len == IPV4_LEN;
        break;
    case DNS_AAAA:
        is_good = wire.len == IPV6_LEN;
        break;
    case DNS_TLSA:
        is_good = wire.len > 3 && wire.len <= 3 + DNS_TLSA_DATA_MAX;
        break;
    case DNS_TXT:
        is_good = parse_text(wire, arena, &record.data);
        break;
    case DNS_MX:
        is_good = wire.len > 2 && parse_whole_name(slice_skip(wire, 2), arena, &record.name);
        if (is_good)
            record.preference = (uint16_t)(wire.at[0] << 8 | wire.at[1]);
        break;
    case DNS_SRV:
        is_good = wire.len > 6 && parse_whole_name(slice_skip(wire, 6), arena, &record.name);
        if (is_good) {
            record.preference = (uint16_t)(wire.at[0] << 8 | wire.at[1]);
            record.weight = (uint16_t)(wire.at[2] << 8 | wire.at[3]);
            record.port = (uint16_t)(wire.at[4] << 8 | wire.at[5]);
        }
        break;
    case DNS_PTR:
    case DNS_CNAME:
        is_good = parse_whole_name(wire, arena, &record.name);
        break;
    }
    if (is_good && (type == DNS_A || type == DNS_AAAA || type == DNS_TLSA))
        record.data = arena_copy(arena, wire);
    if (!is_good || arena_failed(arena))
        return false;
    *ret_record = record;
    return true;
}
