/* SPDX-License-Identifier: ISC */
/* /etc/aliases made known to the servers, as newaliases does it everywhere. */
#ifndef TOOL_ALIASES_H
#define TOOL_ALIASES_H

#include "tool/settings.h"

/* Reads `path`, or (NULL) the file of the option aliases_file, puts what it says into
 * DATA/directory/aliases, and has a running server read it. Lines that cannot be used are told;
 * mail for their names waits. Returns an exit code. */
MUST_USE int aliases_build(struct settings *settings, const char *path);

#endif
