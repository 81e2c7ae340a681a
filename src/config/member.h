/* SPDX-License-Identifier: ISC */
/* Private to the room: the member of struct config that a row is about, by its kind. */
#ifndef CONFIG_MEMBER_H
#define CONFIG_MEMBER_H

#include "config/option.h"

/* A choice is kept in an enum, which both compilers make an unsigned int. */
static_assert(sizeof(enum config_vrfy) == sizeof(unsigned), "choices are copied as unsigned");

static inline void *
config_member(const struct config_option *option, struct config *config)
{
    return (char *)config + option->offset;
}

static inline const void *
config_member_const(const struct config_option *option, const struct config *config)
{
    return (const char *)config + option->offset;
}

/* The number behind BOOL, NUMBER, SIZE, DURATION (ns), CHOICE and SET. */
uint64_t config_member_number(const struct config_option *option, const struct config *config);

/* Sets it; false, and nothing set, when it is out of the option's bounds or choices. */
MUST_USE bool config_member_set_number(const struct config_option *option, uint64_t number,
                                       struct config *config);

/* True for what STRING and PATH (and entries of STRINGS) may hold. */
bool config_string_is_legal(const struct config_option *option, struct slice text);

/* Address grammar of listeners and networks, in address.c. A listener of "*:port" makes two. */
enum { CONFIG_LISTENER_MAKES_MAX = 2 };
MUST_USE bool config_listener_parse(struct slice text,
                                    struct config_listener ret_made[CONFIG_LISTENER_MAKES_MAX],
                                    size_t *ret_count);
void config_listener_put(const struct config_listener *listener, struct buffer *out);
MUST_USE bool config_network_parse(struct slice text, struct config_network *ret_network);
void config_network_put(const struct config_network *network, struct buffer *out);
bool config_network_is_legal(const struct config_network *network);
bool config_listener_is_legal(const struct config_listener *listener);

#endif
