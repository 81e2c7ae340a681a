/* SPDX-License-Identifier: ISC */
/* A fresh folder below the system's temporary one, a Linux host, and a store in it. */
#ifndef MAILBOX_TESTS_FOLDER_H
#define MAILBOX_TESTS_FOLDER_H

#include "host/host.h"
#include "mailbox/store.h"

struct folder {
    struct host *host;
    struct host_dir *dir;
    char path[256];
    struct store *store;
    char reports[4096]; /* what the store reported, one a line, cut */
    struct store_options options;
};

/* Makes the folder and the host; the close removes it with all that is in it. */
void folder_open(struct folder *folder);
void folder_close(struct folder *folder);
/* The same for cmocka: *state is a folder, one at a time. */
int folder_set_up(void **state);
int folder_tear_down(void **state);

/* Opens the store with folder->options; aborts when that fails. */
void folder_open_store(struct folder *folder);
/* As after a kill: the view falls back to its last commit. */
void folder_kill_store(struct folder *folder);

/* Commits and returns the result, which must come at once. */
enum store_result folder_commit(struct folder *folder);

/* Delivers `text` to the INBOX of an account in a turn of its own; returns the uid, 0 on failure.
 */
uint32_t folder_deliver(struct folder *folder, account_id account, const char *text);

/* Reads a message whole into `ret_text`. */
enum store_result folder_read(struct folder *folder, account_id account, const char *mailbox,
                              uint32_t uid, struct buffer *ret_text);

#endif
