/* SPDX-License-Identifier: ISC */
/* What is read as an address is written in one form, and read again as the same. */
#include "host/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct host_address address, again;
    struct buffer out;

    if (!host_address_parse(slice_of(data, len), 25, &address))
        return 0;
    assert(address.family == HOST_FAMILY_IPV4 || address.family == HOST_FAMILY_IPV6);
    assert(address.port == 25);
    buffer_init(&out, 100);
    host_address_put(&out, &address);
    assert(host_address_parse(buffer_slice(&out), 25, &again));
    assert(again.family == address.family &&
           slice_equal(host_address_bytes(&again), host_address_bytes(&address)));
    assert(host_address_customer(&address).len <= host_address_bytes(&address).len);
    buffer_finish(&out);
    return 0;
}
