/* SPDX-License-Identifier: ISC */
#include "role/resolve/options.h"

/* Where Debian's dns-root-data puts the root's keys. */
#define TRUST_ANCHORS_USUAL SLICE("/usr/share/dns/root.key")

struct dns_resolver *
resolve_open_resolver(const struct config *config, const char **ret_why)
{
    struct dns_resolver_options options = {
        .forwarders = config->dns_resolvers.at,
        .forwarder_count = config->dns_resolvers.count,
        .stubs = config->dns_stubs.at,
        .stub_count = config->dns_stubs.count,
        .is_recursive = config->dns_recursive,
        .trust_anchors = config->dns_trust_anchors,
        .root_hints = config->dns_root_hints,
        .cache_bytes = (uint32_t)config->dns_cache,
    };
    struct dns_resolver *resolver = NULL;

    if (options.trust_anchors.len == 0) {
        options.trust_anchors = TRUST_ANCHORS_USUAL;
        resolver = dns_resolver_open(&options, ret_why);
        options.trust_anchors = SLICE("");
    }
    return resolver ? resolver : dns_resolver_open(&options, ret_why);
}
