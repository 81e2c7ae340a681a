/* SPDX-License-Identifier: ISC */
#include "role/evidence.h"

#include "tls/chain.h"
#include "tls/facts.h"

void
evidence_gather(struct evidence *evidence, const struct tls_engine *tls,
                struct slice mechanism)
{
    *evidence = (struct evidence){0};
    buffer_init(&evidence->binding, TLS_BINDING_MAX);
    buffer_init(&evidence->certificates, TLS_CHAIN_MAX);
    if (!tls)
        return;
    if (tls_engine_put_binding(tls, TLS_BINDING_EXPORTER, &evidence->binding))
        evidence->binding_kind = tls_binding_name(TLS_BINDING_EXPORTER);
    if (slice_equal(mechanism, SLICE("EXTERNAL")))
        (void)!tls_engine_put_peer_chain(tls, &evidence->certificates);
}

void
evidence_finish(struct evidence *evidence)
{
    buffer_finish(&evidence->binding);
    buffer_finish(&evidence->certificates);
}
