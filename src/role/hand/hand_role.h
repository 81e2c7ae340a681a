/* SPDX-License-Identifier: ISC */
/* Private to the role: tasks (a note `carry` each) and errands (a program for a recipient). */
#ifndef ROLE_HAND_HAND_ROLE_H
#define ROLE_HAND_HAND_ROLE_H

#include "base/list.h"
#include "delivery/program.h"
#include "note/route_table.h"
#include "note/store_transport.h"
#include "note/transport_hand.h"
#include "role/role.h"

enum {
    HAND_ERRANDS_MAX = 20, /* programs that run at the same time; mail waits beyond */
    HAND_TRANSPORTS_MAX = 64,
    HAND_TASK_ARENA_MAX = 1024 * 1024,
    HAND_OUTPUT_MAX = 8192, /* octets of what a program says */
    HAND_GRACE_S = 5        /* between SIGTERM and SIGKILL */
};

struct hand_transport {
    struct hand *hand;
    struct host_channel *channel;
    struct note_ledger ledger;
};

struct hand {
    struct role_start start;
    struct host_channel *store;
    struct host_channel *route;
    struct note_ledger store_ledger, route_ledger;
    struct hand_transport transports[HAND_TRANSPORTS_MAX];
    struct arena arena; /* of the note in hand, but for tasks */
    struct buffer note;
    struct list tasks;   /* all of them */
    struct list waiting; /* those with recipients that wait for their program, in turn */
    size_t errand_count;
    bool is_stopping;
    uint64_t delivered, temporary, permanent, started, stopped, sockets;
};

/* ---- task.c */
struct hand_task;
/* False: a bad note. The task answers, and is gone, when the last of its programs has ended. */
MUST_USE bool task_open(struct hand *hand, struct slice note, host_handle handle);
/* Kills its programs; nobody hears of it. */
void task_close(struct hand_task **task);
struct hand_task *task_first(struct hand *hand);
/* Starts programs as far as there is room. */
void task_work(struct hand *hand);
/* What waits is not begun any more. */
void task_stop_all(struct hand *hand);

/* ---- forward.c */
void forward_attach(struct hand *hand, host_handle handle);
void forward_close(struct hand *hand);
/* The program of an alias ("|KEY") or of a user's .forward ("|KEY.LOGIN"), as the file says now; in
 * `arena`, all of it: the configuration may be exchanged while it waits. NULL, or why there is
 * none. */
const char *forward_find_program(struct hand *hand, struct slice path, struct arena *arena,
                                 struct program *ret_program);

#endif
