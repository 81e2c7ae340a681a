/* SPDX-License-Identifier: ISC */
/* How many names a file has. */
#ifndef HOST_LINKS_H
#define HOST_LINKS_H

#include "host/host.h"

/* More than one: somebody may have given another's file a name here, to have it written to. */
MUST_USE int host_file_links(struct host_file *file, uint64_t *ret_links);

#endif
