/* SPDX-License-Identifier: ISC */
/* Who vouches for other servers: the file is copied before the process is confined, and nobody
 * looks at it before a server is to be verified; most never are. */
#ifndef ROLE_TRUST_H
#define ROLE_TRUST_H

#include "host/host.h"
#include "tls/context.h"

struct trust {
    struct host *host;
    host_handle kept;            /* a blob with the file; lies outside the heap */
    struct tls_context *context; /* once it was wanted */
};

/* A file that cannot be read is one that vouches for nobody. */
void trust_init(struct trust *trust, struct host *host, struct slice path);
void trust_finish(struct trust *trust);

/* For connections whose server is verified; NULL when there are no certificates to trust, which is
 * logged. */
struct tls_context *trust_context(struct trust *trust);

#endif
