/* SPDX-License-Identifier: ISC */
/* What a role logs in with at another server: one line of DATA/directory/credentials
 * (routing/credentials.h), read before the process is confined, and nothing else of that file. */
#ifndef ROLE_LOGIN_H
#define ROLE_LOGIN_H

#include "base/arena.h"
#include "role/role.h"
#include "routing/credentials.h"

/* Copies both into the arena, which the caller wipes; false when there is no such line. */
MUST_USE bool login_read(const struct role_start *start, struct slice name, struct arena *arena,
                         struct routing_credentials *ret_login);

#endif
