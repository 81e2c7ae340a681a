/* SPDX-License-Identifier: ISC */
/* The machine under test: the production roles, each in a process of the simulator, with a parent
 * that starts them, connects them, and starts anew what dies, as role/parent does on Linux. */
#ifndef TESTS_SIMULATION_TOWN_H
#define TESTS_SIMULATION_TOWN_H

#include "host/sim/sim.h"

struct town;

/* Installs accounts user0 … on the disk and boots. */
struct town *town_open(struct sim *sim);
void town_close(struct town **town);

/* When the town next wants town_wake: a process waits to be started anew. */
struct instant town_next(const struct town *town);
void town_wake(struct town *town);

/* A process has died, by a crash of its own or by town_kill. */
void town_process_ended(struct town *town, struct host *host);
/* Has the power been cut? Then town_power_cycle is due. */
bool town_is_dead(const struct town *town);
/* Kills one process, drawn. */
void town_kill(struct town *town);
/* Everything died: what the disk kept is found by those who boot now. */
void town_power_cycle(struct town *town);

/* Asks all roles to end; true when they have. Then town_boot_again. */
void town_stop(struct town *town);
bool town_is_stopped(const struct town *town);
void town_boot_again(struct town *town);

/* The reason why a role refused to start, or NULL. */
const char *town_complaint(const struct town *town);

#endif
