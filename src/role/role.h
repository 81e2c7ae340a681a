/* SPDX-License-Identifier: ISC */
/* What every role is: a table of functions that the frame (frame.c) calls in this order:
 * open, then attach, listen and tls as the parent's notes come, then start, then reload at any
 * time, then stop. The frame confines the process between the last attach and start, so that no
 * role can forget it. A role holds no global: its state is what open returned. */
#ifndef ROLE_ROLE_H
#define ROLE_ROLE_H

#include "config/config.h"
#include "host/host.h"

enum role_kind {
    ROLE_PARENT,
    ROLE_SMTP,
    ROLE_ACCESS,
    ROLE_AUTH,
    ROLE_ROUTE,
    ROLE_DELIVER,
    ROLE_LETTERBOX,
    ROLE_STORE,
    ROLE_RESOLVE,
    ROLE_TABLE,
    ROLE_TRANSPORT,
    ROLE_INDEX,
    ROLE_HAND,
    ROLE_ISSUER,
    ROLE_KEYS,
    ROLE_KINDS
};

/* What a listening handle is for. */
enum role_service {
    SERVICE_SMTP,
    SERVICE_SUBMISSION,  /* STARTTLS asked for */
    SERVICE_SUBMISSIONS, /* TLS from the first byte */
    SERVICE_LMTP,
    SERVICE_POP3,
    SERVICE_POP3S,
    SERVICE_IMAP,
    SERVICE_IMAPS,
    SERVICE_ADMIN, /* the tool's socket of this role */
    SERVICES
};

struct role_start {
    struct host *host;
    const struct config *config; /* the same place always; a reload changes the values */
    unsigned index;              /* this process among those of its kind, from 0 */
    unsigned processes;          /* how many there are of its kind, at least 1 */
    unsigned falls;              /* how often it fell before, by a bad access or an assertion */
    /* Tells the parent that this role wants to end; used for what cannot be gone on with. */
    void (*fail)(void *context, const char *why);
    void *fail_context;
};

/* This process's part of a limit that holds for all of its kind together: 1 at least. */
static inline uint64_t
role_share(const struct role_start *start, uint64_t whole)
{
    return whole > start->processes ? whole / start->processes : 1;
}

struct role_stats;
/* Names are lower case with underscores, of static storage. */
void role_stats_add(struct role_stats *stats, const char *name, uint64_t value);

struct role {
    enum role_kind kind;
    /* Returns the state, or NULL after a call of fail. */
    void *(*open)(const struct role_start *start);
    /* A channel to another role's process. The handle is the role's from here on. When that process
     * died and was started anew, the same peer and index come again: the old channel is replaced.
     */
    void (*attach)(void *state, enum role_kind peer, unsigned peer_index, host_handle handle);
    /* NULL for roles that listen to nothing. */
    void (*listen)(void *state, enum role_service service, host_handle handle);
    /* Certificates in PEM, for SNI name `name` (empty: the default); with their keys for the role
     * `keys`, for others `key` is empty. Without a chain it is a key of DKIM, and `name` is that of
     * its record. Comes again whenever they change; with neither chain nor key when the name is no
     * longer configured. NULL where no TLS. */
    void (*tls)(void *state, struct slice name, struct slice chain, struct slice key);
    /* Everything is attached and the process is confined: begin. False after a call of fail. NULL
     * where nothing begins. */
    bool (*start)(void *state);
    void (*reload)(void *state, const struct config *config);
    /* What `facteur status` shows: put one counter after another. NULL where there is nothing. */
    void (*stats)(void *state, struct role_stats *stats);
    /* Finish what can be finished soon (421, last turn), then call host_stop. NULL where there is
     * nothing: the frame calls it. */
    void (*stop)(void *state);
    /* Frees the state; the loop has ended. */
    void (*close)(void *state);
};

extern const struct role role_smtp, role_access, role_auth, role_route, role_deliver,
    role_letterbox, role_store, role_resolve, role_table, role_transport, role_index, role_hand,
    role_issuer, role_keys;

const char *role_kind_name(enum role_kind kind);
const char *role_service_name(enum role_service service);

#endif
