/* SPDX-License-Identifier: ISC */
/* A message into a classic letter box, durably. */
#ifndef DELIVERY_PUT_H
#define DELIVERY_PUT_H

#include "base/buffer.h"
#include "host/host.h"

enum put_result {
    PUT_DONE,      /* on disk */
    PUT_BUSY,      /* somebody has the lock: try again soon */
    PUT_TEMPORARY, /* what may pass: an I/O error, a folder that is not there today */
    PUT_NO_SPACE,  /* disk or quota of the file system is full */
    PUT_MISPLACED  /* what will not pass by itself: not a regular file, a symbolic link */
};

struct put_message {
    const char *path;     /* absolute; of the mbox file, or of the Maildir folder */
    const char *user;     /* whose rights are used, when we have the right to; may be "" */
    struct slice sender;  /* for the `From ` line */
    struct slice message; /* CRLF lines */
    struct slice hostname;
    struct wall received;
};

/* The locks are NAME.lock (removed when older than PUT_STALE_LOCK_S; at once when a killed process
 * of ours has left it) and fcntl's; a box that is not there is made. On any failure the box is as
 * it was before; what a killed process has left unfinished is cut off by the next one. `problem`
 * gets a few words. */
enum { PUT_STALE_LOCK_S = 300 };
enum put_result put_mbox(struct host *host, const struct put_message *message,
                         struct buffer *problem);

/* Written to tmp/, synced, moved to new/, synced. A Maildir that is not there is made. */
enum put_result put_maildir(struct host *host, const struct put_message *message,
                            struct buffer *problem);

#endif
