/* SPDX-License-Identifier: ISC */
/* What the configuration says of routing, as the decision wants it. For the role, and for the tool,
 * which explains decisions. */
#ifndef ROLE_ROUTE_SETTINGS_H
#define ROLE_ROUTE_SETTINGS_H

#include "config/config.h"
#include "routing/next_hop.h"

/* Fills everything but the transport table. Borrows from the configuration; lists live in the
 * arena. NULL, or what is wrong with smart_host: then all mail that it would take has to wait. */
const char *route_settings(const struct config *config, struct arena *arena,
                           struct routing_settings *ret_settings);

#endif
