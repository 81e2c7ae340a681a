/* SPDX-License-Identifier: ISC */
/* The parts of the parent: private to this folder. */
#ifndef ROLE_PARENT_PARENT_PRIVATE_H
#define ROLE_PARENT_PARENT_PRIVATE_H

#include "base/arena.h"
#include "host/linux/process.h"
#include "note/parent_role.h"
#include "note/tool_parent.h"
#include "role/parent/parent.h"
#include "role/role.h"

#include <stdio.h>

enum {
    PROCESSES_MAX = 64,
    /* options.def: at most 64 processes of a kind, and 16 tables */
    CHILDREN_MAX = 4 * PROCESSES_MAX + 16 + 9,
    PARENT_LISTENERS_MAX = 6 * CONFIG_LISTENERS_MAX + 1,
    CERTIFICATE_WATCH_S = 30,
    SUBMIT_PATH_MAX = 128, /* longer than any socket's name can be */
    RESTART_FIRST_MS = 100,
    RESTART_LAST_MS = 30 * 1000,
    RESTART_FORGIVEN_S = 60, /* a child that ran so long starts anew at once */
    PARENT_PROGRAMS = 6, /* that roles are parts of */
    REPORT_MAX = PARENT_ROLE_READY_CONFINEMENT_MAX,
};

struct parent;

struct child {
    struct parent *parent;
    enum role_kind kind;
    unsigned index;
    struct host_process *process; /* NULL while it is dead */
    struct host_channel *control;
    struct host_timer *restart;
    struct note_ledger ledger;
    enum tool_parent_state state;
    uint32_t restarts;
    uint32_t falls; /* deaths by a bad access or an assertion, or in silence */
    bool is_asked;  /* for a sign of life, and has not given it */
    bool is_given_up;
    unsigned unanswered; /* looks of the watch since then */
    uint64_t reload_round; /* the last that it works by */
    int64_t delay_ms; /* before the next restart */
    struct instant started;
    struct wall started_wall;
    char report[REPORT_MAX + 1]; /* of its confinement */
};

/* A socket that is listened to, for as long as the parent lives. */
struct parent_listener {
    enum role_service service;
    host_handle handle;
    struct config_listener where;
};

struct certificate {
    struct slice name; /* SNI name; empty: the default. This and the paths borrow from the config */
    struct slice chain_path, key_path; /* no chain: a key of DKIM, `name` is that of its record */
    struct buffer chain, key;
};

/* As many as a configuration names. */
struct certificates {
    struct certificate *at;
    size_t count;
};

struct parent {
    struct host *host;
    const struct parent_options *options;
    struct arena config_arenas[2]; /* of the configuration in force and of the next, in turn */
    unsigned config_turn;
    struct config config;
    struct buffer fixed; /* hashes of the values that hold until a restart, as at the start */
    struct buffer late;  /* which of these options have changed since, as the last reload saw */
    struct wall started_wall;
    uint64_t log_seed;
    struct child children[CHILDREN_MAX];
    size_t child_count;
    unsigned processes; /* of each kind that has several */
    struct parent_listener listeners[PARENT_LISTENERS_MAX];
    size_t listener_count;
    char submit_path[SUBMIT_PATH_MAX];
    struct certificates certificates;
    struct host_timer *certificate_watch;
    struct host_timer *life_watch;
    struct host_timer *deadline; /* of stopping */
    struct host_listener *admin;
    host_handle store_admin;
    host_handle programs[PARENT_PROGRAMS];
    struct buffer program_paths[PARENT_PROGRAMS]; /* their files, for people */
    struct tool_link *links; /* the tools that are connected */
    uint64_t stats_round;
    uint64_t reload_round;
    uint64_t life_round; /* the last sign of life that was asked for */
    struct host_signal *signals[3];
    struct buffer note;
    struct arena note_arena;
    char report[REPORT_MAX + 1]; /* of its own confinement */
    bool is_ready; /* was once */
    bool is_data_dir_current; /* see folders_make */
    bool is_stopping;
    unsigned stop_stage;
    int exit_code;
};

/* Says a sentence on standard error, for a person who started us. */
void parent_complain(const struct parent *parent, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- parent.c ---- */

void parent_stop(struct parent *parent);
/* Looks whether all are ready, or, when stopping, all of this stage are gone. */
void parent_look(struct parent *parent);
/* Reads configuration, certificates and directory again. False, and nothing changed, with a line
 * for each error in `problems`. */
bool parent_reload(struct parent *parent, struct buffer *problems);

/* ---- confine.c ---- */

/* Before the parent's loop is made. */
void parent_forbid_rings(const struct config *config, const struct parent_options *options);
/* Gives up all that the parent does not need to serve, start and watch children, and reload. False
 * after a complaint. */
bool parent_confine(struct parent *parent);

/* ---- child.c ---- */

/* The programs that children run. False after a complaint. */
bool programs_open(struct parent *parent);
void programs_close(struct parent *parent);
void child_init(struct child *child, struct parent *parent, enum role_kind kind, unsigned index);
/* Starts its process and gives it everything but its links to others. 0 or -errno. */
int child_start(struct child *child);
void child_finish(struct child *child);
/* Connects two children, when both live. */
void child_link(struct child *left, struct child *right);
/* Connects it with all that it talks to. */
void child_link_all(struct child *child);
/* The last note of a start. */
void child_begin(struct child *child);
void child_send_certificate(struct child *child, const struct certificate *certificate);
void child_send_reload(struct child *child);
void child_send_stop(struct child *child);
void child_ask_stats(struct child *child, uint64_t id);
void child_ask_life(struct child *child);
/* Kills one that has been silent for too long; it is started anew as after any death. */
void child_give_up(struct child *child);
bool child_is_alive(const struct child *child);

/* ---- life.c ---- */

/* From now on, roles that give no sign of life for `silence_timer` are given up. */
void life_open(struct parent *parent);
void life_close(struct parent *parent);

/* ---- listen.c ---- */

/* Binds all that the configuration names, and the tool's sockets. False after a complaint. */
bool listeners_open(struct parent *parent);
void listeners_close(struct parent *parent);
void listener_put_address(const struct parent_listener *listener, struct buffer *out);

/* ---- certificate.c ---- */

/* Reads all files that the configuration names; names and paths borrow from it. False, and nothing
 * returned, with a line for each error in `problems`. */
bool certificates_read(const struct config *config, struct buffer *problems,
                       struct certificates *ret_certificates);
/* From now on these, which are the parent's from here on. When they are others than before, all
 * children are told; returns whether. */
bool certificates_adopt(struct parent *parent, struct certificates *fresh);
/* After the configuration was adopted, from which they were read in another place: names and paths
 * borrow from the parent's. */
void certificates_borrow(const struct parent *parent, struct certificates *certificates);
void certificates_send(struct parent *parent, struct child *child);
void certificates_forget(struct certificates *certificates);
/* Reads a whole file of at most `max` bytes into `out`: 0 or -errno. */
int file_read(struct slice path, size_t max, struct buffer *out);

/* ---- folder.c ---- */

/* Makes the data folders and gives each to the role that owns it. False after a complaint. */
bool folders_make(struct parent *parent);
/* The tool writes the directory's files as root: gives them to the roles that read them. */
void folders_give_directory(struct parent *parent);

/* ---- admin.c ---- */

/* A tool has connected; a child has counted; one works by a reload or has ended; the end. */
void admin_accept(void *context, host_handle handle);
void admin_on_stats(struct child *child, const struct parent_role_stats *stats);
void admin_on_reloaded(struct parent *parent);
void admin_close(struct parent *parent);

#endif
