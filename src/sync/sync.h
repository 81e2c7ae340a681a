/* SPDX-License-Identifier: ISC */
/* Makes a copy (copy.h) and the folders of an IMAP account alike, in both directions.
 *
 * It may be killed at any moment; the next run goes on. Two runs on one copy wait for each other.
 * Needs IMAP4rev1; is quicker with UIDPLUS, CONDSTORE, QRESYNC and MOVE. */
#ifndef SYNC_SYNC_H
#define SYNC_SYNC_H

#include "client/session.h"

enum sync_deed {
    SYNC_FETCHED,       /* a message came from the server */
    SYNC_SENT,          /* a message went to the server */
    SYNC_PAIRED,        /* both sides had it already */
    SYNC_MOVED,         /* a move on this machine was done on the server too */
    SYNC_FLAGGED_HERE,  /* flags of the server were set here */
    SYNC_FLAGGED_THERE, /* flags of this machine were set on the server */
    SYNC_DELETED_HERE,
    SYNC_DELETED_THERE,
    SYNC_KEPT,        /* deleted on one side, changed on the other: it is there again */
    SYNC_FOLDER_HERE, /* a folder was made */
    SYNC_FOLDER_THERE,
    SYNC_FOLDER_GONE_HERE,
    SYNC_FOLDER_GONE_THERE,
    SYNC_PASSED_OVER, /* not done; `why` says what and why */
    SYNC_DEEDS_COUNT
};

/* One word for programs: "fetched", "folder_here", … */
const char *sync_deed_name(enum sync_deed deed);

struct sync_event {
    enum sync_deed deed;
    const char *folder;   /* name */
    uint32_t uid;         /* 0: none, or not known yet */
    const char *file;     /* unique name of the file; NULL */
    const char *why;      /* of PASSED_OVER; NULL */
    uint64_t done, whole; /* of this folder's work, as far as it is known by now */
};

typedef void (*sync_event_fn)(void *context, const struct sync_event *event);

/* When all messages of a folder have gone from this machine, and there were some: somebody has
 * removed it, or a disk is not there. */
enum { SYNC_MANY = 20 };
enum sync_gone {
    SYNC_GONE_PASS_OVER, /* say it, and leave the server's alone; not for trash and junk */
    SYNC_GONE_DELETE,    /* delete them on the server too */
    SYNC_GONE_FETCH      /* fetch them again */
};

struct sync_options {
    const struct client_login *login;
    const char *root;           /* made when it is not there */
    const char *const *folders; /* these only; count 0: all */
    size_t folders_count;
    bool is_dry; /* says what it would do, and changes nothing */
    enum sync_gone when_gone;
    sync_event_fn on_event; /* may be NULL */
    void *context;
};

struct sync_tally {
    uint64_t deeds[SYNC_DEEDS_COUNT];
};

/* One run. False, and the problem is set, when it could not be finished; what has been done by
 * then holds. Folders that fail by themselves are passed over. */
MUST_USE bool sync_run(const struct sync_options *options, struct sync_tally *ret_tally,
                       struct client_problem *problem);

/* ---- waiting for changes ---- */

/* Sees what others change in a copy, from its opening on; also what a run changes there. */
struct sync_watch;

/* NULL, and the problem is set, when the system cannot watch files. */
struct sync_watch *sync_watch_open(const char *root, struct client_problem *problem);
void sync_watch_close(struct sync_watch **watch);

/* Waits until something has changed in the copy, or changes in the server's INBOX (IDLE), or
 * `seconds` are over. Begin with a run, and have a run after each wait. */
MUST_USE bool sync_watch_wait(struct sync_watch *watch, const struct sync_options *options,
                              unsigned seconds, struct client_problem *problem);

#endif
