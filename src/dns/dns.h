/* SPDX-License-Identifier: ISC */
/* What the name system answers, as values. Reading of records off the wire: RFC 1035 §3.3, RFC 3596
 * §2.2 (AAAA), RFC 2782 (SRV), RFC 6698 §2.1 (TLSA). */
#ifndef DNS_DNS_H
#define DNS_DNS_H

#include "base/arena.h"
#include "base/buffer.h"

enum {
    DNS_NAME_MAX = 255,   /* octets of a name as text, without the final dot */
    DNS_DATA_MAX = 4096,  /* of one record; a longer one is left out */
    DNS_RECORDS_MAX = 64, /* of one answer; the rest is left out */
    DNS_TLSA_DATA_MAX = 1024
};

/* Their numbers on the wire. */
enum dns_type {
    DNS_A = 1,
    DNS_CNAME = 5,
    DNS_PTR = 12,
    DNS_MX = 15,
    DNS_TXT = 16,
    DNS_AAAA = 28,
    DNS_SRV = 33,
    DNS_TLSA = 52
};

enum dns_outcome {
    DNS_FOUND,
    DNS_NO_DATA,   /* the name exists, but no record of this type (RFC 2308 §2.2) */
    DNS_NO_NAME,   /* the name does not exist */
    DNS_BOGUS,     /* somebody forged it, or the zone is broken: never to be used */
    DNS_TEMPORARY, /* nobody answered, or nothing that makes sense */
};

/* One record; which members count depends on its type. */
struct dns_record {
    uint16_t preference; /* MX, SRV */
    struct slice name;     /* MX, SRV, PTR, CNAME: lower case, no final dot; empty for the root */
    struct slice data; /* A: 4 octets; AAAA: 16; TXT: its strings joined; TLSA: three octets (usage,
                          selector, matching type) and the association */
    uint16_t weight, port; /* SRV */
};

struct dns_answer {
    enum dns_outcome outcome;
    bool is_secure;         /* validated up to a trust anchor, also what is not there */
    uint32_t ttl_s;         /* for how long it may be kept */
    struct slice canonical; /* the name behind the CNAMEs, or the one asked for */
    struct slice why;       /* bogus and temporary: for people; may be empty */
    const struct dns_record *records;
    size_t count;
};

/* The name of the type ("MX"); "TYPE" for one that is not in the list above. */
const char *dns_type_name(enum dns_type type);
const char *dns_outcome_name(enum dns_outcome outcome);

/* True for what may be asked for: labels of 1 to 63 letters, digits, hyphens and underscores, 253
 * octets at most, with or without a final dot. */
bool dns_name_is_sound(struct slice name);

/* A name in the wire's form, uncompressed, at the front of `wire`, as text in lower case; *ret_len
 * is how many octets of `wire` it takes. False when it is cut or holds other octets than
 * dns_name_is_sound allows. The root is the empty text. */
MUST_USE bool dns_name_parse(struct slice wire, struct arena *arena, struct slice *ret_name,
                             size_t *ret_len);

/* The data of one record; false when it is not well formed. Results live in the arena. */
MUST_USE bool dns_record_parse(enum dns_type type, struct slice wire, struct arena *arena,
                               struct dns_record *ret_record);

#endif
