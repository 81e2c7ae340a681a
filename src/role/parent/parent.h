/* SPDX-License-Identifier: ISC */
/* The parent: binds the sockets, starts the roles, gives each its configuration, channels,
 * listening sockets and certificates, starts anew what dies, and takes everything down at the end.
 * It parses nothing but the configuration and keeps root only to start children. */
#ifndef ROLE_PARENT_PARENT_H
#define ROLE_PARENT_PARENT_H

#include "config/config.h"

struct parent_options {
    /* Read again at `facteur reload` and SIGHUP, with these words for messages; NULL: the
     * configuration given to parent_serve stays. */
    const char *config_path;
    /* Called once, when every role is ready and every socket is open. May be NULL. */
    void (*on_ready)(void *context, struct host *host);
    void *context;
    /* False in tests only: roles run without confinement. */
    bool is_confined;
};

/* Serves until SIGTERM, SIGINT or `facteur stop`; returns an exit code of <sysexits.h>: 0 after a
 * clean end. What is wrong has been said on standard error: one sentence with place and remedy. */
int parent_serve(const struct config *config, const struct parent_options *options);

/* Where the tool reaches the parent and the store: names below runtime_dir. */
#define PARENT_SOCKET_NAME "parent.sock"
#define SUBMIT_SOCKET_NAME "submit"
#define STORE_SOCKET_NAME "store.sock"

#endif
