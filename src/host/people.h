/* SPDX-License-Identifier: ISC */
/* The users of this machine, from the name service. Blocks, and reads what the name service reads:
 * only for helpers (host_helper_open). */
#ifndef HOST_PEOPLE_H
#define HOST_PEOPLE_H

#include "base/slice.h"

/* Calls fn for each user of the machine until it returns false. `comment` is the whole comment
 * field. True when the list was gone through to its end. */
typedef bool (*host_people_fn)(void *context, uint32_t number, struct slice login,
                               struct slice comment);
bool host_people_each(host_people_fn fn, void *context);

#endif
