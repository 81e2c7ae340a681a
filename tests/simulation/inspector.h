/* SPDX-License-Identifier: ISC */
/* Reads everything that is in the mailboxes, octet by octet, when nobody else does anything. */
#ifndef TESTS_SIMULATION_INSPECTOR_H
#define TESTS_SIMULATION_INSPECTOR_H

#include "boxes.h"
#include "host/sim/sim.h"

struct inspector;

/* Does nothing until it is to look. */
struct inspector *inspector_open(struct sim *sim, struct boxes *boxes,
                                 const struct host_address *server);
void inspector_close(struct inspector **inspector);

/* Begins anew when the connection is lost, until it has seen all. */
void inspector_look(struct inspector *inspector);
bool inspector_is_done(const struct inspector *inspector);
/* What it has seen. */
const struct boxes_truth *inspector_truth(const struct inspector *inspector);

#endif
