/* SPDX-License-Identifier: ISC */
#include "config/member.h"

static size_t
choice_count(const struct config_option *option)
{
    struct slice name;
    size_t count = 0;

    while (config_option_choice(option, count, &name))
        count++;
    return count;
}

uint64_t
config_member_number(const struct config_option *option, const struct config *config)
{
    const void *member = config_member_const(option, config);

    switch (option->kind) {
    case CONFIG_BOOL:
        return *(const bool *)member;
    case CONFIG_NUMBER:
    case CONFIG_SET:
        return *(const uint32_t *)member;
    case CONFIG_CHOICE:
        return *(const unsigned *)member;
    case CONFIG_SIZE:
        return *(const uint64_t *)member;
    case CONFIG_DURATION:
        return (uint64_t)((const struct duration *)member)->ns;
    case CONFIG_STRING:
    case CONFIG_PATH:
    case CONFIG_STRINGS:
    case CONFIG_LISTENERS:
    case CONFIG_NETWORKS:
        break;
    }
    abort();
}

static bool
is_in_bounds(const struct config_option *option, uint64_t number)
{
    if (option->kind == CONFIG_CHOICE)
        return number < choice_count(option);
    if (option->kind == CONFIG_SET)
        return number < (uint64_t)1 << choice_count(option);
    return number >= option->min && number <= option->max;
}

bool
config_member_set_number(const struct config_option *option, uint64_t number, struct config *config)
{
    void *member = config_member(option, config);

    if (!is_in_bounds(option, number))
        return false;
    switch (option->kind) {
    case CONFIG_BOOL:
        *(bool *)member = number == 1;
        break;
    case CONFIG_NUMBER:
    case CONFIG_SET:
        *(uint32_t *)member = (uint32_t)number;
        break;
    case CONFIG_CHOICE:
        *(unsigned *)member = (unsigned)number;
        break;
    case CONFIG_SIZE:
        *(uint64_t *)member = number;
        break;
    case CONFIG_DURATION:
        *(struct duration *)member = (struct duration){(int64_t)number};
        break;
    case CONFIG_STRING:
    case CONFIG_PATH:
    case CONFIG_STRINGS:
    case CONFIG_LISTENERS:
    case CONFIG_NETWORKS:
        abort();
    }
    return true;
}

bool
config_string_is_legal(const struct config_option *option, struct slice text)
{
    size_t longest = option->kind == CONFIG_STRINGS ? CONFIG_STRING_MAX : option->max;

    if (text.len > longest)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < ' ' || text.at[i] == 0x7F)
            return false;
    }
    return option->kind != CONFIG_PATH || text.len == 0 || text.at[0] == '/';
}
