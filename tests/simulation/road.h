/* SPDX-License-Identifier: ISC */
/* The road that mail takes: a server where users of foo.test hand it in, the primary server of
 * example.test, and its secondary, each a machine of its own. The secondary keeps the mail of
 * customer.test, too, until that one calls. */
#ifndef TESTS_SIMULATION_ROAD_H
#define TESTS_SIMULATION_ROAD_H

#include "sender.h"

enum road_place { ROAD_ORIGIN, ROAD_PRIMARY, ROAD_SECONDARY, ROAD_PLACES };

/* How the secondary knows who is there: by a list, by XNAMES, by asking the primary each time, and
 * then taking mail, or not, when it cannot ask. */
enum road_names { ROAD_LISTED, ROAD_FED, ROAD_ASKED, ROAD_ASKED_OR_NOT, ROAD_NAMES };

struct road {
    struct sim *sim;
    struct sim_machine *machines[ROAD_PLACES];
    struct town *towns[ROAD_PLACES];
};

/* real_paths: an empty folder for each machine. */
void road_open(struct road *road, struct sim *sim, enum road_names names,
               const char *const real_paths[ROAD_PLACES]);
/* Nobody may be running in it. */
void road_close(struct road *road);

/* Where one of its servers listens. */
struct host_address road_address(enum road_place place, uint16_t port);

#endif
