/* SPDX-License-Identifier: ISC */
/* The machine under test: the production roles, each in a process of the simulator, with a parent
 * that starts them, connects them, and starts anew what dies, as role/parent does on Linux. */
#ifndef TESTS_SIMULATION_TOWN_H
#define TESTS_SIMULATION_TOWN_H

#include "names.h"

struct town;

enum {
    TOWN_PORT_LMTP = 24,
    TOWN_PORT_SMTP = 25,
    TOWN_PORT_POP3 = 110,
    TOWN_PORT_IMAP = 143,
    TOWN_PORT_SUBMISSION = 587,
};

struct town_options {
    struct sim_machine *machine;
    uint8_t ipv4[4];                /* where it listens */
    struct slice config;            /* lines of facteur.conf besides those that all towns have */
    struct slice accounts, secrets; /* what the directory's files say */
    struct slice credentials;       /* likewise, by which it logs in elsewhere; or nothing */
    unsigned access_processes;      /* 0: one */
    bool has_submission;            /* it listens there, too */
    bool has_mail_key;              /* that of signed.h: for what it signs */
    const struct names_zone *zone;  /* NULL: it sends nothing to other hosts */
};

/* Installs it on the disk of its machine and boots. */
struct town *town_open(struct sim *sim, const struct town_options *options);
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
/* One process, drawn, does nothing for so long. */
void town_stall(struct town *town, struct duration span);
/* The one with the keys does. */
void town_stall_keys(struct town *town, struct duration span);
/* Everything dies, or has died by a power cut, and stays so. */
void town_power_off(struct town *town);
/* Those who boot now find what the disk kept. */
void town_power_on(struct town *town);
bool town_is_off(const struct town *town);

/* The name system is out of order for it. */
void town_fail_names(struct town *town, bool is_failing);

/* Asks all roles to end; true when they have. Then town_boot_again. */
void town_stop(struct town *town);
bool town_is_stopped(const struct town *town);
void town_boot_again(struct town *town);

/* The reason why a role refused to start, or NULL. */
const char *town_complaint(const struct town *town);

#endif
