/* SPDX-License-Identifier: ISC */
/* The frame around every role: speaks parent_role notes with the parent, calls the functions of
 * role.h in their order, and confines the process before the role begins its work. */
#ifndef ROLE_FRAME_H
#define ROLE_FRAME_H

#include "role/role.h"

struct role_frame;

/* Drops rights for good; `index` is the process's among those of its role. Puts what could be had,
 * and what not, into `report`. False stops the start, with the reason in `report`. The simulator
 * passes a function that does nothing. */
typedef bool (*role_confine_fn)(void *context, enum role_kind kind, unsigned index,
                                const struct config *config, struct buffer *report);

/* Runs one of `roles` (indexed by kind), which the parent names. `control` is the channel to the
 * parent. The frame ends the loop of `host` when the role is done
 * or the parent is gone. */
struct role_frame *role_frame_open(struct host *host, const struct role *const *roles,
                                   host_handle control, role_confine_fn confine, void *context);

/* After the loop has ended: frees the role. Returns false when the role had failed. */
bool role_frame_close(struct role_frame **frame);

#endif
