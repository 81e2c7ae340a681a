/* SPDX-License-Identifier: ISC */
/* Each failure of TLS is a line of the log, in the terms of RFC 8460. The store counts
 * (tls_results.c).
 */
#include "role/transport/transport_role.h"

#include "host/log.h"
#include "role/tls_result.h"

/* RFC 8460 §4.2 */
static const char *
policy_of(const struct transport_job *job)
{
    if (job->carry.tlsa.count > 0)
        return "tlsa";
    return job->policy.mode != ROUTING_STS_NONE || job->carry.sts_id.len > 0 ? "sts"
                                                                             : "no-policy-found";
}

void
report_tls(struct transport_job *job)
{
    struct log_line line;

    for (size_t i = 0; i < job->attempt_count; i++) {
        const struct store_transport_attempt *attempt = &job->attempts[i];
        const char *name = tls_result_name(attempt->tls_result);
        if (!name)
            continue;
        log_begin(&line, job->transport->start.host, HOST_LEVEL_NOTICE, "tls_failure");
        log_text(&line, "id", job->carry.queue_id);
        log_text(&line, "domain", job->carry.destination);
        log_string(&line, "policy", policy_of(job));
        log_string(&line, "result", name);
        log_text(&line, "host", attempt->host);
        log_text(&line, "why", attempt->text);
        log_end(&line);
    }
}
