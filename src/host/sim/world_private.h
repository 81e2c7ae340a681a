/* SPDX-License-Identifier: ISC */
/* The inside of the simulator, for the files of this folder only. Private to the room. */
#ifndef HOST_SIM_WORLD_PRIVATE_H
#define HOST_SIM_WORLD_PRIVATE_H

#include "base/list.h"
#include "host/sim/sim.h"
#include "host/timers.h"

struct disk;
struct wire;
struct connection;
struct socket;
struct blob_bytes;

/* ---- handles ------------------------------------------------------------------------------- */

enum thing_kind { THING_NONE, THING_WIRE, THING_SOCKET, THING_BLOB, THING_STREAM };

/* One entry of the world's table of handles: who holds what. */
struct thing {
    enum thing_kind kind;
    struct host *owner; /* NULL: on its way in a note */
    union {
        struct wire *wire;             /* `end` of it */
        struct connection *connection; /* likewise */
        struct socket *socket;
        struct blob_bytes *blob;
    };
    unsigned end;
};

host_handle thing_add(struct sim *sim, struct host *owner, struct thing thing);
/* The thing under a handle that this host holds; NULL otherwise. */
struct thing *thing_find(struct host *host, host_handle handle);
/* Takes it out of the table without closing what it stands for. */
void thing_forget(struct sim *sim, host_handle handle);
/* Closes what it stands for, as the last step of its life or because its holder died. */
void thing_close(struct sim *sim, host_handle handle);

/* ---- processes ----------------------------------------------------------------------------- */

struct job {
    host_fn fn;
    void *context;
};

struct jobs {
    struct job *items;
    size_t count;
    size_t size;
};

struct sim_machine {
    struct sim *sim;
    unsigned number;
    struct disk *disk;
    const char *real_path;
    uint8_t ipv4[4];
    bool is_off; /* since a power cut */
};

struct host {
    struct sim *sim;
    struct sim_machine *machine;
    struct list in_world;
    char name[24];
    struct timers timers;
    struct jobs jobs;
    struct jobs jobs_running;
    struct list streams;   /* of struct host_stream */
    struct list channels;  /* of struct host_channel */
    struct list listeners; /* of struct host_listener */
    struct list helpers;   /* of struct helper */
    struct list graveyard; /* of struct mortal: closed in this turn */
    struct host_log_settings log_settings;
    bool is_dead;
    bool is_stopped;
    bool is_stop_told; /* by sim_run */
    bool is_in_turn;
    struct instant stalled_until;
};

/* Front of everything that a handler may close while the turn still holds a pointer to it. */
struct mortal {
    struct list link; /* in a list of its host, then in the graveyard */
    bool is_closed;
    void (*turn)(struct mortal *mortal);     /* does what is ready; NULL: nothing */
    bool (*is_ready)(struct mortal *mortal); /* has it something to do now? */
};

/* Frees it now, or at the end of the turn of its host. */
void mortal_bury(struct host *host, struct mortal *mortal);

/* ---- the world ----------------------------------------------------------------------------- */

struct sim {
    uint64_t random;
    struct sim_options options;
    struct list hosts;
    struct instant now;
    int64_t wall_start_ns;
    uint64_t turns;
    uint64_t trail;
    struct thing *things;
    size_t thing_count;
    size_t thing_size;
    struct list wires;       /* channels */
    struct list connections; /* streams */
    struct list sockets;
    struct sim_machine machines[SIM_MACHINES_MAX];
    unsigned machine_count;
    bool is_parted[SIM_MACHINES_MAX][SIM_MACHINES_MAX];
    uint64_t cuts;
    bool has_crashed; /* since the last sim_run returned */
    struct host *crashed_host;
};

/* A moment not later than `span` from now. */
struct instant sim_after_at_most(struct sim *sim, struct duration span);
bool sim_chance(struct sim *sim, unsigned per_million);
/* These octets were said or written. */
void sim_trail_add(struct sim *sim, struct slice bytes);
/* malloc that cannot fail, zeroed. */
void *sim_allocate(size_t size);

/* The earliest event that the network has in store after now. */
struct instant wires_next(const struct sim *sim);
struct instant connections_next(const struct sim *sim);
struct instant sockets_next(const struct sim *sim);

/* In the middle of a turn: one step of the other processes, or of time. False: it is that late. */
bool sim_others_go_on(struct sim *sim, struct instant until);

/* The end of a turn: what a process has said leaves it. */
void channels_flush(struct host *host);

/* Of a host that is closed. */
void helpers_free(struct host *host);

/* What handles stand for is held by each of them, and closed when nobody holds it. */
void wire_drop(struct sim *sim, struct wire *wire, unsigned end);
void wire_hold(struct wire *wire, unsigned end);
/* A new wire; each of its two ends is held once. */
struct wire *wire_open(struct sim *sim);
void socket_drop(struct sim *sim, struct socket *socket);
void socket_hold(struct socket *socket);
void blob_drop(struct blob_bytes *blob);
void blob_hold(struct blob_bytes *blob);
void stream_end_drop(struct sim *sim, struct connection *connection, unsigned end);
void stream_end_hold(struct connection *connection, unsigned end);

/* A process has died: its ends of streams and channels, and its locks. */
void streams_of_dead(struct host *host);
/* What its power cut makes of its connections, before its processes die. */
void streams_of_dark(struct host *host);
void listeners_of_dead(struct host *host);
void channels_of_dead(struct host *host);
void files_of_dead(struct host *host);

/* ---- disk ---------------------------------------------------------------------------------- */

/* An empty disk. */
struct disk *disk_open(struct sim_machine *machine, uint64_t size);
void disk_close(struct disk **disk);

#endif
