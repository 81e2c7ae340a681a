/* SPDX-License-Identifier: ISC */
/* The first octet chooses the type, the rest is the data of a record. */
#include "dns/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    static const enum dns_type types[] = {DNS_A,   DNS_CNAME, DNS_PTR, DNS_MX,
                                          DNS_TXT, DNS_AAAA,  DNS_TLSA, DNS_SRV};
    struct dns_record record;
    struct arena arena;

    if (len == 0)
        return 0;
    enum dns_type type = types[at[0] % COUNT_OF(types)];
    arena_init(&arena, 1 << 20);
    struct slice name;
    size_t name_len;
    if (dns_name_parse(slice_of(at + 1, len - 1), &arena, &name, &name_len)) {
        assert(name_len > name.len && name_len < len && name.len <= DNS_NAME_MAX);
        assert(name.len == 0 || dns_name_is_sound(name));
    }
    if (dns_record_parse(type, slice_of(at + 1, len - 1), &arena, &record)) {
        assert(record.name.len <= DNS_NAME_MAX && record.data.len <= DNS_DATA_MAX);
        assert(record.name.len == 0 || dns_name_is_sound(record.name));
        assert(type != DNS_A || record.data.len == 4);
        assert(type != DNS_AAAA || record.data.len == 16);
    }
    arena_finish(&arena);
    return 0;
}
