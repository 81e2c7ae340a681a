/* SPDX-License-Identifier: ISC */
/* Who this server is in TLS: the certificates and keys that the parent sends, kept as they came
 * until somebody wants TLS. A process in which nobody does holds no TLS library's memory (0.4 MiB).
 */
#ifndef ROLE_IDENTITY_H
#define ROLE_IDENTITY_H

#include "base/list.h"
#include "host/host.h"
#include "tls/context.h"

enum { IDENTITY_KEPT_MAX = 16 }; /* more would hold up the first handshake: they are read at once */

struct identity {
    struct host *host; /* borrowed; for the log and the clock */
    struct tls_context *context;
    struct list kept; /* certificates that have not been read */
    size_t kept_count;
    bool is_there;
};

/* In the caller's memory, with no certificate; finish wipes the keys. */
void identity_init(struct identity *identity, struct host *host);
void identity_finish(struct identity *identity);

/* Sets or replaces one, as tls_context_set. What cannot be used is told in the log: at once when
 * `is_read_now`, which one process of the server should say, else when TLS begins. */
void identity_set(struct identity *identity, struct slice name, struct slice chain,
                  struct slice key, bool is_read_now);

/* Whether there is any: TLS can be offered. */
bool identity_is_there(const struct identity *identity);

/* The context; must be there. */
struct tls_context *identity_context(struct identity *identity);

/* tls_context_set_time, with the clock's; call it now and then. */
void identity_set_time(struct identity *identity);

#endif
