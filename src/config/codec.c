/* SPDX-License-Identifier: ISC */
/* The values in the order of the table, little-endian: numbers as 64 bits, strings and lists behind
 * their 32-bit length. Both ends are one build (the parent compares build ids first), so there are
 * no names in it. */
#include "config/member.h"

#include "base/cursor.h"

static void
put_slice(struct slice text, struct buffer *out)
{
    buffer_put_le32(out, (uint32_t)text.len);
    buffer_put(out, text);
}

static void
put_address(const struct host_address *address, struct buffer *out)
{
    buffer_put_le8(out, (uint8_t)address->family);
    buffer_put(out, slice_of(address->bytes, sizeof(address->bytes)));
    buffer_put_le16(out, address->port);
}

static void
put_strings(const struct config_strings *list, struct buffer *out)
{
    buffer_put_le32(out, (uint32_t)list->count);
    for (size_t i = 0; i < list->count; i++)
        put_slice(list->at[i], out);
}

static void
put_listeners(const struct config_listeners *list, struct buffer *out)
{
    buffer_put_le32(out, (uint32_t)list->count);
    for (size_t i = 0; i < list->count; i++) {
        put_address(&list->at[i].address, out);
        put_slice(list->at[i].path, out);
    }
}

static void
put_networks(const struct config_networks *list, struct buffer *out)
{
    buffer_put_le32(out, (uint32_t)list->count);
    for (size_t i = 0; i < list->count; i++) {
        put_address(&list->at[i].address, out);
        buffer_put_le8(out, list->at[i].bits);
    }
}

void
config_encode(const struct config *config, struct buffer *out)
{
    for (const struct config_option *o = NULL; (o = config_option_next(o));) {
        const void *member = config_member_const(o, config);
        switch (o->kind) {
        case CONFIG_STRING:
        case CONFIG_PATH:
            put_slice(*(const struct slice *)member, out);
            break;
        case CONFIG_STRINGS:
            put_strings(member, out);
            break;
        case CONFIG_LISTENERS:
            put_listeners(member, out);
            break;
        case CONFIG_NETWORKS:
            put_networks(member, out);
            break;
        case CONFIG_BOOL:
        case CONFIG_NUMBER:
        case CONFIG_SIZE:
        case CONFIG_DURATION:
        case CONFIG_CHOICE:
        case CONFIG_SET:
            buffer_put_le64(out, config_member_number(o, config));
            break;
        }
    }
}

static bool
take_slice(struct cursor *cursor, struct arena *arena, struct slice *ret_text)
{
    uint32_t len;
    struct slice text;

    if (!cursor_take_le32(cursor, &len) || !cursor_take_bytes(cursor, len, &text))
        return false;
    *ret_text = arena_copy(arena, text);
    return !arena_failed(arena);
}

static bool
take_address(struct cursor *cursor, struct host_address *ret_address)
{
    uint8_t family;
    struct slice bytes;
    struct host_address address = {0};

    if (!cursor_take_le8(cursor, &family) || family > HOST_FAMILY_IPV6 ||
        !cursor_take_bytes(cursor, sizeof(address.bytes), &bytes) ||
        !cursor_take_le16(cursor, &address.port))
        return false;
    address.family = (enum host_family)family;
    memcpy(address.bytes, bytes.at, bytes.len);
    *ret_address = address;
    return true;
}

/* The count of a list, within the option's bound and what can be there at all. */
static bool
take_count(struct cursor *cursor, const struct config_option *option, uint32_t *ret_count)
{
    uint32_t count;

    if (!cursor_take_le32(cursor, &count) || count > option->max || count > cursor_left(cursor))
        return false;
    *ret_count = count;
    return true;
}

static bool
take_strings(struct cursor *cursor, const struct config_option *option, struct arena *arena,
             struct config_strings *ret_list)
{
    uint32_t count;

    if (!take_count(cursor, option, &count))
        return false;
    struct slice *at = ARENA_ARRAY(arena, struct slice, count);
    for (size_t i = 0; i < count && at; i++) {
        if (!take_slice(cursor, arena, &at[i]) || !config_string_is_legal(option, at[i]))
            return false;
    }
    *ret_list = (struct config_strings){at, count};
    return at != NULL;
}

static bool
take_listeners(struct cursor *cursor, const struct config_option *option, struct arena *arena,
               struct config_listeners *ret_list)
{
    uint32_t count;

    if (!take_count(cursor, option, &count))
        return false;
    struct config_listener *at = ARENA_ARRAY(arena, struct config_listener, count);
    for (size_t i = 0; i < count && at; i++) {
        if (!take_address(cursor, &at[i].address) || !take_slice(cursor, arena, &at[i].path) ||
            !config_listener_is_legal(&at[i]))
            return false;
    }
    *ret_list = (struct config_listeners){at, count};
    return at != NULL;
}

static bool
take_networks(struct cursor *cursor, const struct config_option *option, struct arena *arena,
              struct config_networks *ret_list)
{
    uint32_t count;

    if (!take_count(cursor, option, &count))
        return false;
    struct config_network *at = ARENA_ARRAY(arena, struct config_network, count);
    for (size_t i = 0; i < count && at; i++) {
        if (!take_address(cursor, &at[i].address) || !cursor_take_le8(cursor, &at[i].bits) ||
            !config_network_is_legal(&at[i]))
            return false;
    }
    *ret_list = (struct config_networks){at, count};
    return at != NULL;
}

static bool
take_value(struct cursor *cursor, const struct config_option *option, struct arena *arena,
           struct config *config)
{
    void *member = config_member(option, config);
    uint64_t number;

    switch (option->kind) {
    case CONFIG_STRING:
    case CONFIG_PATH:
        return take_slice(cursor, arena, member) &&
               config_string_is_legal(option, *(struct slice *)member);
    case CONFIG_STRINGS:
        return take_strings(cursor, option, arena, member);
    case CONFIG_LISTENERS:
        return take_listeners(cursor, option, arena, member);
    case CONFIG_NETWORKS:
        return take_networks(cursor, option, arena, member);
    case CONFIG_BOOL:
    case CONFIG_NUMBER:
    case CONFIG_SIZE:
    case CONFIG_DURATION:
    case CONFIG_CHOICE:
    case CONFIG_SET:
        break;
    }
    return cursor_take_le64(cursor, &number) && config_member_set_number(option, number, config);
}

bool
config_decode(struct slice bytes, struct arena *arena, struct config *ret_config)
{
    struct cursor cursor = cursor_of(bytes);
    struct config config = {0};

    for (const struct config_option *o = NULL; (o = config_option_next(o));) {
        if (!take_value(&cursor, o, arena, &config))
            return false;
    }
    if (!cursor_is_done(&cursor))
        return false;
    *ret_config = config;
    return true;
}
