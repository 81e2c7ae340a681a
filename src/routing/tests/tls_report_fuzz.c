/* SPDX-License-Identifier: ISC */
/* Records that name where reports about TLS go: what is found has no octet that could end a line.
 */
#include "routing/tls_report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct routing_tls_report report;
    struct arena arena;

    arena_init(&arena, 1 << 20);
    if (routing_tls_report_parse(slice_of(data, len), &arena, &report)) {
        assert(report.count <= ROUTING_TLS_REPORT_ADDRESSES_MAX);
        for (size_t i = 0; i < report.count; i++) {
            assert(report.addresses[i].len > 2);
            for (size_t k = 0; k < report.addresses[i].len; k++)
                assert(report.addresses[i].at[k] >= ' ');
        }
    }
    arena_finish(&arena);
    return 0;
}
