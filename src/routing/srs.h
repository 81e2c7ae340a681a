/* SPDX-License-Identifier: ISC */
/* The Sender Rewriting Scheme: mail that is sent on to another host leaves under an address of
 * ours, so that the sender's SPF is not asked about us, and a bounce comes back to us and finds its
 * way.
 *
 *     fred@truc.fr  becomes  SRS0=HHHHHHHH=TT=truc.fr=fred@ours.example
 *
 * H proves that we made it (HMAC-SHA-256), T is the day, in the Base32 of RFC 4648 (§6). What came
 * to us rewritten by another keeps the way back that it has: SRS1=H=its-host==….  */
#ifndef ROUTING_SRS_H
#define ROUTING_SRS_H

#include "base/buffer.h"

enum {
    ROUTING_SRS_KEY_MIN = 16,   /* octets */
    ROUTING_SRS_DAYS = 21,      /* as long as a bounce may take */
    ROUTING_SRS_LOCAL_MAX = 128 /* of the address that comes out; longer: left as it is */
};

/* Puts the address that takes the place of `sender`. `days`: since 1970. False, and nothing put,
 * when the sender is empty, no address, or would become too long: it must stay as it is. */
MUST_USE bool routing_srs_forward(struct slice key, uint32_t days, struct slice srs_domain,
                                  struct slice sender, struct buffer *out);

enum routing_srs_verdict {
    ROUTING_SRS_NONE,   /* not such an address */
    ROUTING_SRS_GOOD,   /* made by us, not too old */
    ROUTING_SRS_FORGED, /* or made with another key */
    ROUTING_SRS_OLD
};

/* Puts the address that a local part was made from; only for GOOD. */
enum routing_srs_verdict routing_srs_reverse(struct slice key, uint32_t days, struct slice local,
                                             struct buffer *out);

#endif
