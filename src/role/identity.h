/* SPDX-License-Identifier: ISC */
/* Who this server is in TLS: the certificates that the parent sends, kept as they came until
 * somebody wants TLS. A process in which nobody does holds no TLS library's memory (0.4 MiB). Their
 * private keys are in the role `keys`, which is asked for each signature (docs/why/087). */
#ifndef ROLE_IDENTITY_H
#define ROLE_IDENTITY_H

#include "base/list.h"
#include "host/host.h"
#include "note/ledger.h"
#include "tls/context.h"

enum {
    IDENTITY_KEPT_MAX = 16, /* more would hold up the first handshake: they are read at once */
    /* How long a handshake waits for its signature. It holds up the others of its process: only a
     * machine that is close to its end comes near this. Waited is once: until that answer has come
     * nobody else waits, and there is no TLS. */
    IDENTITY_PATIENCE_S = 5,
};

struct identity {
    struct host *host; /* borrowed; for the log and the clock */
    struct tls_context *context;
    struct list kept; /* certificates that have not been read */
    size_t kept_count;
    bool has_certificate;
    host_handle keys; /* to the role `keys`; or none */
    struct note_ledger ledger;
    uint64_t last_id;
    struct duration patience;
    bool is_silent; /* the answer to the last question is overdue */
    bool has_tickets;
    int64_t ticket_epoch;
};

/* In the caller's memory, with no certificate. */
void identity_init(struct identity *identity, struct host *host);
void identity_finish(struct identity *identity);

/* The way to the role `keys`, which may come again: the old one is given up. Ours from here on. */
void identity_attach(struct identity *identity, host_handle keys);

/* Sets or replaces one, as tls_context_set; without a chain it is taken out. What cannot be used is
 * told in the log when TLS begins; the role `keys`, which has it too, has told before. */
void identity_set(struct identity *identity, struct slice name, struct slice chain);

/* Whether there is any, and somebody who has its key and answers: TLS can be offered. */
bool identity_is_there(struct identity *identity);

/* The context; a certificate must be there. While nobody has its key, handshakes fail. */
struct tls_context *identity_context(struct identity *identity);

/* Puts the DKIM-Signature: field that the key of this record makes of the content. Waits like a
 * handshake does. */
struct dkim_content;
enum identity_signing {
    IDENTITY_SIGNED,
    IDENTITY_CANNOT_SIGN, /* there is no such key, or it is none for that */
    IDENTITY_NO_ANSWER,   /* who has the keys is not there now, or too slow */
};
MUST_USE enum identity_signing identity_sign_mail(struct identity *identity, struct slice record,
                                                  const struct dkim_content *content,
                                                  struct buffer *ret_field);

/* Keeps tickets' secrets up to date; call it now and then. */
void identity_set_time(struct identity *identity);

#endif
