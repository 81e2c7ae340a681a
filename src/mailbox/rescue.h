/* SPDX-License-Identifier: ISC */
/* Gives up what the disk cannot read of a store's log, while nobody has the store open.
 *
 * A store does not open over a place of its log that cannot be read: acknowledged turns may stand
 * there, and a store that went on without them would give out their UIDs again (docs/why/094). When
 * the disk never reads it again somebody must decide to go on without. Then it must stay
 * unreadable, so that nothing comes back later: zeros are written over it, in place (which has most
 * disks put another sector there), and recovery names the place as damaged from then on. */
#ifndef MAILBOX_RESCUE_H
#define MAILBOX_RESCUE_H

#include "base/buffer.h"
#include "host/host.h"

enum {
    RESCUE_CHUNK = 1 << 20, /* octets read at once where all is well */
    RESCUE_BLOCK = 4096,    /* what is given up with one octet that cannot be read */
    RESCUE_TRIES = 3,       /* at reading a block */
    RESCUE_SHARE = 4,       /* when more than one part in so many of a file cannot be read (and more
                               than a block) the disk is away, and nothing is written */
};

/* Octets of the file log/`name`: 0 when they were given up, or the negative errno for which they
 * could not be written over. */
typedef void (*rescue_fn)(void *context, const char *name, uint64_t offset, uint64_t len,
                          int result);

/* Reads all files of the log below `dir`, the store's folder. 0, or a negative errno with a
 * sentence in `why`: -EWOULDBLOCK while a server has the store; -EIO when too much of a file cannot
 * be read; whatever kept a place from being written over, of which fn was told. */
MUST_USE int log_rescue(struct host_dir *dir, rescue_fn fn, void *context, struct buffer *why);

#endif
