/* SPDX-License-Identifier: ISC */
/* What TLS has to say of who logs in, for the role `auth`. */
#ifndef ROLE_EVIDENCE_H
#define ROLE_EVIDENCE_H

#include "base/buffer.h"

struct evidence {
    struct buffer binding; /* owned, as are the certificates; empty: none (RFC 9266) */
    struct slice binding_kind;
    struct buffer certificates; /* the client's, for EXTERNAL only */
};

/* `tls` may be NULL: then there is none. evidence_finish must follow. */
struct tls_engine;
void evidence_gather(struct evidence *evidence, const struct tls_engine *tls,
                     struct slice mechanism);
void evidence_finish(struct evidence *evidence);

#endif
