/* SPDX-License-Identifier: ISC */
/* The way a message took, as its Received fields tell it (RFC 5321 §4.4): its stations in the order
 * of travel, and how long each leg took by the stations' clocks. Every station may lie, and the
 * oldest ones are what a sender wrote: this is testimony, not proof. */
#ifndef MESSAGE_ITINERARY_H
#define MESSAGE_ITINERARY_H

#include "message/header.h"
#include "message/trace.h"

/* RFC 5321 §6.3 takes 100 Received fields as the sign of a loop; the newest of more are kept. */
enum { ITINERARY_HOPS_MAX = 200 };

enum itinerary_tls {
    ITINERARY_TLS_UNKNOWN, /* the station did not say how it was spoken to */
    ITINERARY_TLS_NO,
    ITINERARY_TLS_YES,
};

/* A leg: the client `from` handed the message to the station `by`. Slices borrow from the message
 * or live in the arena; what is not known is empty. */
struct itinerary_hop {
    struct trace_received written;
    struct slice address;     /* of the client, as the station saw it, without brackets */
    struct slice tls_version; /* "1.3", where it was written */
    enum itinerary_tls tls;
    bool is_authenticated; /* the client logged in (RFC 3848) */
    bool has_delay;
    struct duration delay; /* since the station before, or since Date for the first; negative:
                              the two clocks differ */
};

struct itinerary {
    const struct itinerary_hop *hops; /* oldest first; in the arena */
    size_t count;
    bool is_cut; /* more than ITINERARY_HOPS_MAX, or the arena's limit */
    bool has_date;
    struct date date; /* the Date field: when the writer sent it off */
    bool has_total;
    struct duration total; /* from Date, or the first dated station, to the last */
};

/* Reads the fields of `header`. Never fails: a message without Received has no hops. */
void itinerary_read(struct arena *arena, const struct header *header,
                    struct itinerary *ret_itinerary);

#endif
