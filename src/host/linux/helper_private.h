/* SPDX-License-Identifier: ISC */
/* How helpers are confined. Private to the room. */
#ifndef HOST_LINUX_HELPER_PRIVATE_H
#define HOST_LINUX_HELPER_PRIVATE_H

#include "host/host.h"

/* In a helper, before its first question: gives up what its kind does not need. */
MUST_USE int helper_confine(enum host_helper_kind kind);

/* Gives up all capabilities but `kept` (bits by their numbers) for good; 0 or a negative errno. */
MUST_USE int keep_capabilities(uint64_t kept);

#endif
