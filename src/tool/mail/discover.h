/* SPDX-License-Identifier: ISC */
/* Finds the servers of an address: what its domain says in the name system (RFC 6186, RFC 8314
 * §5.1), then in a file that it keeps (autoconfig.h). Only servers with TLS. */
#ifndef TOOL_MAIL_DISCOVER_H
#define TOOL_MAIL_DISCOVER_H

#include "client/account.h"

struct discover_options {
    const char *resolver; /* "192.0.2.1[@PORT]"; NULL: the system's */
    const char *url;      /* of the file, https://HOST[:PORT]/PATH; NULL: where domains keep it */
    const char *trust;    /* certificates (PEM) instead of the system's; NULL */
};

/* What was found; protocol NONE: nothing. Strings are in the arena. */
struct discovered {
    struct client_server incoming, outgoing;
    const char *login;  /* NULL: not said */
    const char *source; /* for people: "SRV records of example.org" */
    /* The domain itself vouches for the names: they are below it, DNSSEC has it so, or its own
     * certificate. Else a person must agree (RFC 6186 §6). */
    bool is_certain;
};

/* Asks and waits, for a minute at most where nobody answers. */
void discover(struct arena *arena, const char *address, const struct discover_options *options,
              struct discovered *ret_found);

#endif
