/* SPDX-License-Identifier: ISC */
#include "role/trust.h"

#include "host/log.h"
#include "role/snapshot.h"

enum { TRUST_BYTES_MAX = 4 * 1024 * 1024 };

void
trust_init(struct trust *trust, struct host *host, struct slice path)
{
    struct host_blob *blob = NULL;
    struct snapshot snapshot;

    *trust = (struct trust){.host = host, .kept = HOST_HANDLE_NONE};
    if (snapshot_read_path(host, path, TRUST_BYTES_MAX, &snapshot) < 0)
        return;
    if (host_blob_open(host, &blob) == 0 &&
        host_blob_put(blob, buffer_slice(&snapshot.bytes)) == 0 &&
        host_blob_seal(&blob, &trust->kept) < 0)
        trust->kept = HOST_HANDLE_NONE;
    host_blob_close(&blob);
    snapshot_finish(&snapshot);
}

static struct tls_context *
open_context(struct trust *trust)
{
    struct tls_context *context = NULL;
    struct host_mapping mapping;
    struct buffer problem;

    if (trust->kept == HOST_HANDLE_NONE || host_blob_map(trust->host, trust->kept, &mapping) < 0)
        return NULL;
    buffer_init(&problem, 1024);
    context = tls_context_open_client(true, mapping.bytes, &problem);
    if (!context)
        log_event(trust->host, HOST_LEVEL_WARNING, "outbound_trust_unusable", "why",
                  buffer_slice(&problem));
    buffer_finish(&problem);
    host_blob_unmap(trust->host, &mapping);
    host_handle_close(trust->host, trust->kept);
    trust->kept = HOST_HANDLE_NONE;
    return context;
}

struct tls_context *
trust_context(struct trust *trust)
{
    if (!trust->context)
        trust->context = open_context(trust);
    return trust->context;
}

void
trust_finish(struct trust *trust)
{
    tls_context_close(&trust->context);
    host_handle_close(trust->host, trust->kept);
    trust->kept = HOST_HANDLE_NONE;
}
