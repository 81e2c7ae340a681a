/* SPDX-License-Identifier: ISC */
/* The resolver that the configuration describes: for the role, and for the tool. */
#ifndef ROLE_RESOLVE_OPTIONS_H
#define ROLE_RESOLVE_OPTIONS_H

#include "config/config.h"
#include "dns/resolver.h"

/* NULL, with ret_why as static text, when an option cannot be taken. */
struct dns_resolver *resolve_open_resolver(const struct config *config, const char **ret_why);

#endif
