/* SPDX-License-Identifier: ISC */
/* The name system of the simulated world, in place of the role resolve, whose library opens sockets
 * of its own: answers route out of a list of names, late, and when it is out of order not at all.
 */
#ifndef TESTS_SIMULATION_NAMES_H
#define TESTS_SIMULATION_NAMES_H

#include "dns/dns.h"
#include "host/sim/sim.h"

struct names_row {
    const char *name;
    enum dns_type type;  /* DNS_MX or DNS_A */
    uint16_t preference; /* of an MX */
    const char *target;  /* of an MX */
    uint8_t ipv4[4];     /* of an A */
};

struct names_zone {
    const struct names_row *rows;
    size_t count;
};

struct names;

/* The zone must outlive it. */
struct names *names_open(struct sim *sim, struct sim_machine *machine,
                         const struct names_zone *zone);
void names_close(struct names **names);

/* The channel of a route process; replaces the one before. */
void names_attach(struct names *names, host_handle handle);

/* From now on some answers are "temporary", after the time a resolver tries; or none are. */
void names_fail(struct names *names, bool is_failing);

#endif
