/* SPDX-License-Identifier: ISC */
/* Text to value. */
#include "config/member.h"

#include "base/checked.h"
#include "base/cursor.h"

#include <stdlib.h>

struct unit {
    const char *name;
    uint64_t factor;
};

/* Largest first: the first that divides a value is the one it is shown in. */
static const struct unit size_units[] = {
    {"TiB", 1ull << 40}, {"GiB", 1ull << 30}, {"MiB", 1ull << 20}, {"KiB", 1ull << 10}, {"B", 1},
};
static const struct unit duration_units[] = {
    {"d", 86400000000000}, {"h", 3600000000000}, {"min", 60000000000},
    {"s", 1000000000},     {"ms", 1000000},
};

static const struct unit *
units_of(enum config_kind kind, size_t *ret_count)
{
    *ret_count = kind == CONFIG_SIZE       ? COUNT_OF(size_units)
                 : kind == CONFIG_DURATION ? COUNT_OF(duration_units)
                                           : 0;
    return kind == CONFIG_SIZE ? size_units : duration_units;
}

/* A whole number and a unit. Bytes and zero need none. */
static bool
parse_number(enum config_kind kind, struct slice text, uint64_t *ret_number)
{
    struct cursor cursor = cursor_of(text);
    size_t count;
    const struct unit *units = units_of(kind, &count);
    uint64_t number;

    if (!cursor_take_u64(&cursor, 0, UINT64_MAX, &number))
        return false;
    struct slice unit = slice_trim(cursor_rest(&cursor));
    if (unit.len == 0 && (kind != CONFIG_DURATION || number == 0)) {
        *ret_number = number;
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        if (slice_equal_nocase(unit, slice_of_string(units[i].name)))
            return checked_multiply(number, units[i].factor, ret_number);
    }
    return false;
}

void
config_number_put(enum config_kind kind, uint64_t number, struct buffer *out)
{
    size_t count;
    const struct unit *units = units_of(kind, &count), *unit = units;

    if (count == 0) {
        buffer_put_decimal(out, number);
        return;
    }
    while (unit < units + count - 1 && (number == 0 || number % unit->factor != 0))
        unit++;
    if (number == 0 && kind == CONFIG_DURATION)
        unit--; /* 0 s reads better than 0 ms */
    buffer_put_decimal(out, number / unit->factor);
    buffer_put_byte(out, ' ');
    buffer_put_text(out, unit->name);
}

static bool
parse_bool(struct slice text, uint64_t *ret_number)
{
    static const char *const words[] = {"no", "yes", "off", "on", "false", "true"};

    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (slice_equal_nocase(text, slice_of_string(words[i]))) {
            *ret_number = i % 2;
            return true;
        }
    }
    return false;
}

static bool
parse_choice(const struct config_option *option, struct slice text, uint64_t *ret_number)
{
    struct slice name;

    for (size_t i = 0; config_option_choice(option, i, &name); i++) {
        if (slice_equal_nocase(text, name)) {
            *ret_number = i;
            return true;
        }
    }
    return false;
}

static bool
parse_plain(const struct config_option *option, struct slice text, struct arena *arena,
            struct config *config)
{
    uint64_t number;

    if (option->kind == CONFIG_STRING || option->kind == CONFIG_PATH) {
        if (!config_string_is_legal(option, text))
            return false;
        *(struct slice *)config_member(option, config) = arena_copy(arena, text);
        return !arena_failed(arena);
    }
    bool is_good = option->kind == CONFIG_BOOL     ? parse_bool(text, &number)
                   : option->kind == CONFIG_CHOICE ? parse_choice(option, text, &number)
                                                   : parse_number(option->kind, text, &number);
    return is_good && config_member_set_number(option, number, config);
}

static bool
parse_set(const struct config_option *option, const struct slice *texts, size_t count,
          struct config *config)
{
    uint64_t set = 0, bit;

    for (size_t i = 0; i < count; i++) {
        if (!parse_choice(option, texts[i], &bit))
            return false;
        set |= (uint64_t)1 << bit;
    }
    return config_member_set_number(option, set, config);
}

static bool
parse_strings(const struct config_option *option, const struct slice *texts, size_t count,
              struct arena *arena, struct config *config)
{
    struct slice *at = ARENA_ARRAY(arena, struct slice, count);

    if (!at || count > option->max)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!config_string_is_legal(option, texts[i]))
            return false;
        at[i] = arena_copy(arena, texts[i]);
    }
    if (arena_failed(arena))
        return false;
    *(struct config_strings *)config_member(option, config) = (struct config_strings){at, count};
    return true;
}

static bool
parse_listeners(const struct config_option *option, const struct slice *texts, size_t count,
                struct arena *arena, struct config *config)
{
    if (count > option->max)
        return false;
    struct config_listener *at =
        ARENA_ARRAY(arena, struct config_listener, count * CONFIG_LISTENER_MAKES_MAX);
    size_t made = 0, made_now;

    if (!at)
        return false;
    for (size_t i = 0; i < count; i++, made += made_now) {
        if (!config_listener_parse(texts[i], at + made, &made_now))
            return false;
        at[made].path = arena_copy(arena, at[made].path);
    }
    if (made > option->max || arena_failed(arena))
        return false;
    *(struct config_listeners *)config_member(option, config) = (struct config_listeners){at, made};
    return true;
}

static bool
parse_networks(const struct config_option *option, const struct slice *texts, size_t count,
               struct arena *arena, struct config *config)
{
    if (count > option->max)
        return false;
    struct config_network *at = ARENA_ARRAY(arena, struct config_network, count);

    if (!at)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!config_network_parse(texts[i], &at[i]))
            return false;
    }
    *(struct config_networks *)config_member(option, config) = (struct config_networks){at, count};
    return true;
}

bool
config_value_parse(const struct config_option *option, const struct slice *texts, size_t count,
                   struct arena *arena, struct config *config)
{
    switch (option->kind) {
    case CONFIG_SET:
        return parse_set(option, texts, count, config);
    case CONFIG_STRINGS:
        return parse_strings(option, texts, count, arena, config);
    case CONFIG_LISTENERS:
        return parse_listeners(option, texts, count, arena, config);
    case CONFIG_NETWORKS:
        return parse_networks(option, texts, count, arena, config);
    case CONFIG_BOOL:
    case CONFIG_NUMBER:
    case CONFIG_SIZE:
    case CONFIG_DURATION:
    case CONFIG_STRING:
    case CONFIG_PATH:
    case CONFIG_CHOICE:
        break;
    }
    return count == 1 && parse_plain(option, texts[0], arena, config);
}
