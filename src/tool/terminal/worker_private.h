/* SPDX-License-Identifier: ISC */
/* Private to the files of the worker. */
#ifndef TOOL_TERMINAL_WORKER_PRIVATE_H
#define TOOL_TERMINAL_WORKER_PRIVATE_H

#include "client/shelf.h"
#include "tool/mail/view.h"
#include "tool/terminal/behind.h"
#include "tool/terminal/book.h"
#include "tool/terminal/worker.h"

struct worker {
    struct worker_options options;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    struct wish *first, *last; /* under the lock */
    bool is_ending, is_ended;  /* the same */
    int bell;
    /* of the thread alone */
    struct client_shelf *shelf;
    char *root;             /* of the copy on this machine; owned; NULL: there is none */
    bool is_local;          /* the shelf is on this machine: that copy, or a letter box */
    char *folder;           /* open, or to be opened again; owned */
    uint32_t generation;    /* of the list of messages: what ids mean */
    uint32_t validity;      /* UIDVALIDITY of it; 0: not known */
    bool is_trying;         /* the line may have been cut: the wish is granted once more */
    bool is_lost;           /* it was */
    struct behind *behind;  /* a run of sync; NULL: none */
    bool waits_still;       /* the run has failed for another reason than a line: go on without */
    struct news *changes;   /* that have come since they were last sent */
    struct instant retry;   /* when the server may be tried again */
    struct instant counted; /* when the folders were last counted */
    uint32_t open_id;       /* what `view` holds; 0: nothing */
    struct view view;       /* the message that is read */
    struct book *book;
    bool has_filled_book;
};

/* Tells of a problem; UNREACHABLE closes the shelf. */
void worker_fail(struct worker *worker, enum wish_kind wish, const struct client_problem *problem);
void worker_put(struct worker *worker, struct news *news);
void worker_tell_state(struct worker *worker, const char *text, bool is_online);
/* Sends what has changed since the last time; the fn of the shelf that gathers it. */
void worker_send_changes(struct worker *worker);
void worker_take_change(void *context, enum client_shelf_change change,
                        struct client_shelf_item item);
void worker_say(struct worker *worker, bool is_alert, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- worker_shelf.c: the server, or the copy on this machine */
/* A shelf, with the folder open that was open; false after having told why not. */
MUST_USE bool worker_have_shelf(struct worker *worker, enum wish_kind wish);
void worker_open_folder(struct worker *worker, const char *name);
void worker_tell_folders(struct worker *worker);
/* Off-line in the copy: ask the server again, now. */
void worker_try_server(struct worker *worker);
/* Looks how far the run of sync is; true when it has ended, and much may be new. */
bool worker_look_behind(struct worker *worker);
/* Before a change: the mark of the copy that says so is made. False, and the problem is set, where
 * nothing may be changed. */
MUST_USE bool worker_may_change(struct worker *worker, struct client_problem *problem);
/* True when the copy serves, and a server is not there. */
bool worker_is_off_line(const struct worker *worker);
/* What a folder of the account is called on the shelf that is open; owned by the caller. */
char *worker_name_on_shelf(const struct worker *worker, const char *name);

/* ---- worker_letter.c: one message */
void worker_read(struct worker *worker, const struct wish *wish);
void worker_save(struct worker *worker, const struct wish *wish);
void worker_show(struct worker *worker, const struct wish *wish);
void worker_receipt(struct worker *worker, const struct wish *wish);
/* The message of the wish is in worker->view; false after having told why not. */
MUST_USE bool worker_load(struct worker *worker, const struct wish *wish);

/* Pieces of it: a folder of this user's, the path of a part in it, the part as a new file; "~/x" as
 * the shell has it. Strings are the caller's. */
char *worker_make_folder(struct worker *worker);
char *worker_part_path(const struct view *view, uint32_t index, const char *folder);
MUST_USE bool worker_write_part(const struct view *view, uint32_t index, const char *path);
char *worker_expand(const char *path);

/* ---- worker_draft.c: what is written */
void worker_answer(struct worker *worker, const struct wish *wish);
void worker_resume(struct worker *worker, const struct wish *wish);
void worker_send(struct worker *worker, const struct wish *wish);
void worker_keep(struct worker *worker, const struct wish *wish);
void worker_resend(struct worker *worker, const struct wish *wish);
void worker_complete(struct worker *worker, const struct wish *wish);
void worker_files(struct worker *worker, const struct wish *wish);
/* Fills the book from what was sent, once. */
void worker_fill_book(struct worker *worker);

#endif
