/* SPDX-License-Identifier: ISC */
/* A whole transport table, and look-ups in it. */
#include "routing/transports.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    struct slice text = slice_of(at, len), pattern;
    struct routing_transports *transports = routing_transports_parse(text, len);
    const struct routing_problem *problem;

    for (size_t i = 0; (problem = routing_transports_problem(transports, i)); i++)
        assert(problem->line > 0 && problem->what);
    const struct routing_transport *found = routing_transports_find(
        transports, slice_first(text, 20), SLICE("a@b.example.com"), &pattern);
    if (found)
        assert(pattern.len > 0 && found->written.len > 0 &&
               (found->carrier != ROUTING_ERROR || found->status));
    routing_transports_close(&transports);
    return 0;
}
