/* SPDX-License-Identifier: ISC */
/* MTA-STS (RFC 8461): what a domain says of the hosts that take its mail, as record (§3.1) and as
 * policy (§3.2). Fetching and keeping is the transport role's. */
#ifndef ROUTING_STS_H
#define ROUTING_STS_H

#include "base/arena.h"
#include "base/buffer.h"

enum {
    ROUTING_STS_ID_MAX = 32,
    ROUTING_STS_POLICY_MAX = 64 * 1024, /* octets (RFC 8461 §3.3) */
    ROUTING_STS_PATTERNS_MAX = 64,
    ROUTING_STS_TEXT_MAX = 17 * 1024, /* of what routing_sts_policy_put puts */
    ROUTING_STS_AGE_MAX_S = 31557600 /* (RFC 8461 §3.2) */
};

enum routing_sts_mode { ROUTING_STS_NONE, ROUTING_STS_TESTING, ROUTING_STS_ENFORCE };

struct routing_sts_policy {
    enum routing_sts_mode mode;
    uint32_t max_age_s;
    const struct slice *patterns; /* of hosts: "mx.example.com", "*.example.net" */
    size_t pattern_count;
};

/* The id in the text of a TXT record at _mta-sts.DOMAIN, borrowed from it; false when it is no such
 * record: others may stand beside it. */
MUST_USE bool routing_sts_record_parse(struct slice text, struct slice *ret_id);

/* False when it is none, or says more than the limits allow: then the domain has no policy.
 * Patterns live in the arena, in lower case. */
MUST_USE bool routing_sts_policy_parse(struct slice text, struct arena *arena,
                                       struct routing_sts_policy *ret_policy);

/* The policy as a text that parses to the same: what its fields say, and nothing else. */
void routing_sts_policy_put(struct buffer *buffer, const struct routing_sts_policy *policy);

/* Whether mail may go to a host of this name (RFC 8461 §4.1): "*." stands for one label. */
bool routing_sts_allows(const struct routing_sts_policy *policy, struct slice host);

#endif
