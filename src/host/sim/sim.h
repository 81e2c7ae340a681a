/* SPDX-License-Identifier: ISC */
/* The simulator: a world of machines, on each of them several hosts (each stands for one process),
 * in one thread under one seed. Everything random in it comes from the seed, so a run that failed
 * can be had again.
 *
 * Time stands still while a process runs one turn of its loop and jumps to the next event when
 * none has anything to do. Which of the processes that can run does so next is drawn.
 *
 * A crash comes inside a disk operation. In that moment the process becomes a corpse: nothing that
 * its code still does has any effect (sends vanish, files answer -EIO), and sim_run returns as soon
 * as its handler does. The test then frees the role's memory by the role's own close, buries the
 * corpse, and starts a new host. */
#ifndef HOST_SIM_SIM_H
#define HOST_SIM_SIM_H

#include "host/host.h"

struct sim;

typedef void (*sim_log_fn)(void *context, const char *process, struct slice line);

struct sim_options {
    struct duration note_delay_max;   /* of one note on its way; order in a channel is kept */
    struct duration stream_delay_max; /* of bytes on their way */
    unsigned stream_chunk_max;        /* most bytes that move in one call; 0: no limit */
    unsigned cut_per_million;         /* chance that a read or write finds its stream reset */
    uint64_t disk_bytes;              /* size of the first machine's disk; 0: no limit */
    const char *real_path;            /* a real empty folder behind the root of the first machine's
                                         disk, for libraries that open files themselves; NULL:
                                         there are none */
    sim_log_fn on_log;                /* may be NULL */
    void *log_context;
};

/* A new world with one machine, whose disk is empty and whose address is 127.0.0.1. */
struct sim *sim_open(uint64_t seed, const struct sim_options *options);
/* Every host must have been closed. */
void sim_close(struct sim **sim);

/* A number below `bound` (> 0) out of the seed: for the test's own choices. */
uint64_t sim_random(struct sim *sim, uint64_t bound);

/* ---- machines ------------------------------------------------------------------------------ */

enum { SIM_MACHINES_MAX = 16 };

/* What processes share that fall together: a disk, an address, a power supply. Lives as long as
 * the world. */
struct sim_machine;

struct sim_machine_options {
    uint8_t ipv4[4];       /* where its connections come from */
    uint64_t disk_bytes;   /* as in sim_options */
    const char *real_path; /* as in sim_options */
};

/* The first one, which processes are on unless they are moved. */
struct sim_machine *sim_machine(struct sim *sim);
/* One more, at most SIM_MACHINES_MAX together. */
struct sim_machine *sim_machine_open(struct sim *sim, const struct sim_machine_options *options);

/* All its processes die now. Peers on other machines see their connections end, or hear nothing
 * ever again, as drawn; until sim_disk_power_cycle it does not answer newcomers. */
void sim_power_cut(struct sim_machine *machine);

/* While two machines are parted nothing passes between them: bytes and newcomers wait until they
 * are joined again. */
void sim_machines_part(struct sim_machine *left, struct sim_machine *right, bool is_parted);

/* ---- processes ----------------------------------------------------------------------------- */

/* A new process, alive and with nothing to do. */
struct host *sim_host_open(struct sim *sim, const char *name);

/* It runs on that machine. Before it does anything. */
void sim_host_move(struct host *host, struct sim_machine *machine);
/* It runs on a machine that has no name and no faults. For clients. */
void sim_host_move_away(struct host *host);

/* The process dies now, as by SIGKILL: it becomes a corpse, its peers see its channels and streams
 * end, its locks are free. What it had written to files stays as it is. */
void sim_host_kill(struct host *host);
bool sim_host_is_dead(const struct host *host);
/* It does nothing for so long, as a process that gets no processor; the others go on. */
void sim_host_stall(struct host *host, struct duration span);
/* True after host_stop: its loop has ended, and it does nothing more. */
bool sim_host_is_stopped(const struct host *host);

/* Buries it; streams, channels and listeners that its owner left open are closed and freed. */
void sim_host_close(struct host **host);

/* ---- running ------------------------------------------------------------------------------- */

enum sim_end {
    SIM_IDLE,    /* nobody has anything to do, now or later */
    SIM_TIME,    /* the given time has come */
    SIM_STOPPED, /* a host has stopped since the last call */
    SIM_CRASHED, /* the crash that was asked for has happened */
};

/* Runs turns until one of these. Only SIM_STOPPED and SIM_CRASHED name a host (the corpse of the
 * process in whose operation the crash came; after a power cut all of its machine are corpses). */
enum sim_end sim_run(struct sim *sim, struct instant until, struct host **ret_host);

/* Lets time pass although nothing happens (after SIM_IDLE). */
void sim_advance(struct sim *sim, struct instant until);
struct instant sim_now(const struct sim *sim);
/* Sets the time of day forward or back; the monotonic clock does not notice. */
void sim_wall_jump(struct sim *sim, struct duration by);
/* How many turns have been run. */
uint64_t sim_turns(const struct sim *sim);
/* All that has happened, as one number: turns, when and by whom, draws, lines of the log, octets of
 * notes, streams and files. The same seed has the same one, in every build of one version. */
uint64_t sim_trail(const struct sim *sim);

/* ---- network ------------------------------------------------------------------------------- */

/* A listening socket, as the parent binds it; handles of it are copied and passed on. */
MUST_USE host_handle sim_listen(struct sim *sim, struct host *owner,
                                const struct host_address *address);
/* A socket for the tool: host_channel_listener_open on one side, sim_tool_connect on the other. */
MUST_USE host_handle sim_listen_tool(struct sim *sim, struct host *owner);
/* Connects to the tool socket that `socket` names (any holder's handle). */
MUST_USE host_handle sim_tool_connect(struct sim *sim, struct host *owner, host_handle socket);

/* Gives a handle to another process, as fork or a note does. */
void sim_handle_give(struct sim *sim, host_handle handle, struct host *owner);

/* How many connections have been reset by chance. */
uint64_t sim_network_cuts(const struct sim *sim);
/* From now on no faults of the network: no cuts, and no machines are parted. For the end of a run,
 * when all must be served. */
void sim_network_heal(struct sim *sim);

/* ---- disk ---------------------------------------------------------------------------------- */

/* Operations on the disk that change it or make it durable, counted from the start of the world. */
uint64_t sim_disk_operations(const struct sim_machine *machine);

/* The crash comes in operation number `operation` (from sim_disk_operations): before it, in the
 * middle of it or after it, as drawn. With `is_power_cut` all of the machine die, else only that
 * process. */
void sim_crash_at(struct sim_machine *machine, uint64_t operation, bool is_power_cut);

/* What a power cut leaves: all that was synced, and of the rest whatever the disk had written: any
 * subset of the writes, the torn halves of some. All its processes must be dead. */
void sim_disk_power_cycle(struct sim_machine *machine);

enum sim_disk_fault {
    SIM_FAULT_NONE,
    SIM_FAULT_WRITE, /* writes, truncations and reservations answer `error` */
    SIM_FAULT_SYNC,  /* syncs answer `error`; what they were to write may be lost for good,
                        though it can still be read (the kernel forgets after it has told once) */
    SIM_FAULT_READ,
};
/* The next `count` operations of that kind fail. */
void sim_disk_fail(struct sim_machine *machine, enum sim_disk_fault fault, unsigned count,
                   int error);

/* Room left from now on (ENOSPC beyond). */
void sim_disk_set_free(struct sim_machine *machine, uint64_t bytes);

/* How many operations have failed by these two since the start of the world. */
struct sim_disk_hits {
    uint64_t writes, syncs, reads;
    uint64_t room; /* found none */
};
const struct sim_disk_hits *sim_disk_hits(const struct sim_machine *machine);

/* Flips one bit of a file, as decay does; -ENOENT, -EINVAL past its end. `path` from the root. */
MUST_USE int sim_disk_damage(struct sim_machine *machine, const char *path, uint64_t offset,
                             unsigned bit);

/* From now on these octets of a file cannot be read (-EIO), as on a bad sector, until they have
 * been written again; one stretch a file, `len` 0: none. */
MUST_USE int sim_disk_spoil(struct sim_machine *machine, const char *path, uint64_t offset,
                            uint64_t len);

/* What is on the disk, for a test's own view: size and bytes as a reader sees them now. */
MUST_USE int sim_disk_size(struct sim_machine *machine, const char *path, uint64_t *ret_size);

#endif
