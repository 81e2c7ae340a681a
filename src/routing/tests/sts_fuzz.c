/* SPDX-License-Identifier: ISC */
/* Any octets as a record and as a policy. What is accepted keeps the limits. */
#include "routing/sts.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    struct routing_sts_policy policy;
    struct slice text = slice_of(at, len), id;
    struct arena arena;

    arena_init(&arena, 1 << 20);
    if (routing_sts_record_parse(text, &id))
        assert(id.len > 0 && id.len <= ROUTING_STS_ID_MAX && id.at >= at &&
               id.at + id.len <= at + len);
    if (routing_sts_policy_parse(text, &arena, &policy)) {
        assert(policy.max_age_s <= ROUTING_STS_AGE_MAX_S);
        assert(policy.pattern_count <= ROUTING_STS_PATTERNS_MAX);
        assert(policy.pattern_count > 0 || policy.mode == ROUTING_STS_NONE);
        assert(!routing_sts_allows(&policy, SLICE("")));
        for (size_t i = 0; i < policy.pattern_count; i++)
            assert(slice_starts_with(policy.patterns[i], SLICE("*.")) ||
                   routing_sts_allows(&policy, policy.patterns[i]));
    }
    arena_finish(&arena);
    return 0;
}
