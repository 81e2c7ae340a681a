/* SPDX-License-Identifier: ISC */
/* A stranger who asks the secondary whether it would take mail for somebody who is there, and for
 * somebody who is not. The first it must never refuse for good; the second it must refuse when it
 * could learn the names. */
#ifndef TESTS_SIMULATION_ASKER_H
#define TESTS_SIMULATION_ASKER_H

#include "oracle.h"
#include "host/sim/sim.h"

struct asker;

/* It asks at times, from now on. */
struct asker *asker_open(struct sim *sim, struct oracle *oracle, const struct host_address *smtp);
void asker_close(struct asker **asker);

/* From now on it wants both answered as they should be. */
void asker_finish(struct asker *asker);
bool asker_is_done(const struct asker *asker);

/* How often somebody who is not there was refused. */
uint64_t asker_refusals(const struct asker *asker);

#endif
