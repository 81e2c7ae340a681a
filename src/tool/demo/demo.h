/* SPDX-License-Identifier: ISC */
/* What `facteur demo` makes before it serves, and what it says when it does. */
#ifndef TOOL_DEMO_DEMO_H
#define TOOL_DEMO_DEMO_H

#include "tool/settings.h"

enum { DEMO_PORT_BASE = 10000, DEMO_PORT_BASE_MAX = 65535 - 995 };

struct demo {
    char *folder; /* absolute; these are owned */
    char *config_path;
    char *credentials_path;
    char *domain;
    unsigned port_base;
    bool is_port_given;
    bool is_first; /* there were no accounts before */
};

/* Makes folder, configuration and certificate where they are missing. The members that are not
 * owned were set by the caller; `domain` too, NULL for what stands in an earlier demo's credentials
 * or else example.test. */
MUST_USE int demo_make_place(struct demo *demo);

/* Makes the domain and the accounts alice and bob with fresh passwords, if there are none, and
 * writes `credentials`: "address password" a line. */
MUST_USE int demo_make_people(struct demo *demo, const struct settings *settings);

/* Writes accounts for `facteur mail --demo` into the folder desk: those of `credentials`. */
MUST_USE int demo_make_desk(const struct demo *demo, const struct settings *settings);

/* The port on 127.0.0.1 that a service has; 0 when it has none there. */
uint16_t demo_port_of(const struct config_listeners *listeners);

/* In a process of its own: waits until one byte comes from `ready`, delivers the welcome message if
 * this is the first start, and prints what to type next and then the line "ready". Returns an exit
 * code. */
int demo_greet(const struct demo *demo, const struct settings *settings, int ready);

#endif
