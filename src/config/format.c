/* SPDX-License-Identifier: ISC */
/* Value to text. */
#include "config/member.h"

size_t
config_value_count(const struct config_option *option, const struct config *config)
{
    const void *member = config_member_const(option, config);

    switch (option->kind) {
    case CONFIG_SET:
        return (size_t)__builtin_popcountll(config_member_number(option, config));
    case CONFIG_STRINGS:
        return ((const struct config_strings *)member)->count;
    case CONFIG_LISTENERS:
        return ((const struct config_listeners *)member)->count;
    case CONFIG_NETWORKS:
        return ((const struct config_networks *)member)->count;
    case CONFIG_BOOL:
    case CONFIG_NUMBER:
    case CONFIG_SIZE:
    case CONFIG_DURATION:
    case CONFIG_STRING:
    case CONFIG_PATH:
    case CONFIG_CHOICE:
        break;
    }
    return 1;
}

static void
put_choice(const struct config_option *option, size_t number, struct buffer *out)
{
    struct slice name;

    if (config_option_choice(option, number, &name))
        buffer_put(out, name);
}

/* The index-th member of a set: the position of its index-th one bit. */
static size_t
set_member(uint64_t set, size_t index)
{
    for (; index > 0; index--)
        set &= set - 1;
    return (size_t)__builtin_ctzll(set);
}

void
config_value_put_text(const struct config_option *option, const struct config *config, size_t index,
                      struct buffer *out)
{
    const void *member = config_member_const(option, config);

    switch (option->kind) {
    case CONFIG_BOOL:
        buffer_put_text(out, *(const bool *)member ? "yes" : "no");
        break;
    case CONFIG_NUMBER:
    case CONFIG_SIZE:
    case CONFIG_DURATION:
        config_number_put(option->kind, config_member_number(option, config), out);
        break;
    case CONFIG_STRING:
    case CONFIG_PATH:
        buffer_put(out, *(const struct slice *)member);
        break;
    case CONFIG_CHOICE:
        put_choice(option, config_member_number(option, config), out);
        break;
    case CONFIG_SET:
        put_choice(option, set_member(config_member_number(option, config), index), out);
        break;
    case CONFIG_STRINGS:
        buffer_put(out, ((const struct config_strings *)member)->at[index]);
        break;
    case CONFIG_LISTENERS:
        config_listener_put(&((const struct config_listeners *)member)->at[index], out);
        break;
    case CONFIG_NETWORKS:
        config_network_put(&((const struct config_networks *)member)->at[index], out);
        break;
    }
}

/* Words of these octets mean themselves in a file; everything else is quoted. */
static bool
is_bare(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];
        if (!byte_is_alpha(c) && !byte_is_digit(c) && c != '_' && c != '-' && c != '.')
            return false;
    }
    return text.len > 0;
}

/* In double quotes, where a backslash hides the meaning of the next octet (also of "${"). */
static void
put_quoted(struct slice text, struct buffer *out)
{
    buffer_put_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '"' || text.at[i] == '\\' || text.at[i] == '$')
            buffer_put_byte(out, '\\');
        buffer_put_byte(out, text.at[i]);
    }
    buffer_put_byte(out, '"');
}

void
config_value_put(const struct config_option *option, const struct config *config,
                 struct buffer *out)
{
    bool is_list = config_kind_is_list(option->kind);
    size_t count = config_value_count(option, config);
    struct buffer text;

    buffer_init(&text, CONFIG_ENCODED_MAX);
    buffer_put_text(out, is_list ? "{" : "");
    for (size_t i = 0; i < count; i++) {
        buffer_clear(&text);
        config_value_put_text(option, config, i, &text);
        buffer_put_text(out, i > 0 ? ", " : "");
        if (is_bare(buffer_slice(&text)))
            buffer_put(out, buffer_slice(&text));
        else
            put_quoted(buffer_slice(&text), out);
    }
    buffer_put_text(out, is_list ? "}" : "");
    buffer_finish(&text);
}
