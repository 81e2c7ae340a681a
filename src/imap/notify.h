/* SPDX-License-Identifier: ISC */
/* NOTIFY (RFC 5465): what a client wants to hear of at any time. Private to the room.
 *
 * The store says only that something of the account has changed. Then its mailboxes are listed
 * again, as a command would, and compared with what the client knows: nothing is lost, however much
 * happens at once, and a session that is told of nothing costs nothing. */
#ifndef IMAP_NOTIFY_H
#define IMAP_NOTIFY_H

#include "imap/annotation.h"
#include "imap/server_private.h"
#include "imap/status.h"

enum imap_notify_event {
    IMAP_NOTIFY_NEW = 1,
    IMAP_NOTIFY_EXPUNGE = 2,
    IMAP_NOTIFY_FLAGS = 4,
    IMAP_NOTIFY_NAME = 8,
    IMAP_NOTIFY_SUBSCRIPTION = 16,
    IMAP_NOTIFY_METADATA = 32,
    IMAP_NOTIFY_SERVER_METADATA = 64,
};

enum imap_notify_filter_kind {
    IMAP_NOTIFY_PERSONAL,
    IMAP_NOTIFY_SUBSCRIBED,
    IMAP_NOTIFY_SUBTREE,
    IMAP_NOTIFY_SUBTREE_ONE, /* of RFC 7377 */
    IMAP_NOTIFY_MAILBOXES
};

enum { IMAP_NOTIFY_FILTERS_MAX = 50, IMAP_NOTIFY_NAMES_MAX = 1000 };

struct imap_notify_filter {
    enum imap_notify_filter_kind kind;
    unsigned events;
    const struct slice *names;
    size_t name_count;
};

/* An annotation that the client may know. */
struct imap_notify_mark {
    uint32_t mailbox;
    struct slice name;
    uint64_t hash;
};

/* A change that the client made itself: it need not be told of it. */
struct imap_notify_own {
    struct slice name; /* of the mailbox */
    unsigned events;
    struct slice entry; /* of METADATA */
    uint64_t modseq_before, modseq; /* of NEW: of the mailbox, before and then */
};

enum { IMAP_NOTIFY_OWN_MAX = 50 }; /* until the next look; of more the client hears */

struct imap_notify {
    struct arena arena; /* of what was asked for */
    bool has_selected, is_delayed;
    unsigned selected;  /* events of the selected mailbox */
    struct slice items; /* of FETCH for new messages, as sent; at NULL: none */
    struct imap_notify_filter filters[IMAP_NOTIFY_FILTERS_MAX];
    size_t filter_count;
    unsigned others; /* all events of all filters */
    bool wants_status;
    struct imap_view view; /* of the account */
    bool is_stale;         /* something has changed */
    /* Looks at many mailboxes are dear: behind one nothing is looked at for a while. */
    uint32_t rest_ms; /* 0: none */
    bool is_resting;  /* until rest_ends; else the rest begins when time is told next */
    struct instant rest_ends;
    /* What the client knows. */
    struct arena kept;
    struct access_store_mailbox_row *rows; /* by mailbox */
    size_t row_count;
    struct imap_notify_mark *marks; /* by mailbox and name */
    size_t mark_count;
    struct arena own_arena;
    struct imap_notify_own own[IMAP_NOTIFY_OWN_MAX];
    size_t own_count;
};

/* filter-mailboxes-other of RFC 5465 and RFC 7377; names are kept in the arena. */
MUST_USE bool imap_take_filter(struct imap_server *server, struct cursor *cursor,
                               struct arena *arena, struct imap_notify_filter *ret_filter);
bool imap_filter_matches(const struct imap_notify_filter *filter,
                         const struct access_store_mailbox_row *row);

/* After a look at more than so many mailboxes the next waits, for each of them; what changes
 * meanwhile is told together. An account's sessions (50) at its mailboxes (10,000) then take a
 * tenth of the store's time, whatever changes. */
enum { IMAP_NOTIFY_FREE_ROWS = 100, IMAP_NOTIFY_REST_US = 1500 };
enum { IMAP_NOTIFY_AGAIN_MS = 10 * 1000 }; /* behind a look that failed: what ails may pass */

void imap_notify_close(struct imap_notify **notify);

/* Asks for mailboxes and annotations; `then` comes when all are in `rows` and `annotations`. */
struct imap_notify_look {
    struct imap_rows rows;
    struct imap_annotations annotations;
    bool (*then)(struct imap_server *server);
};
void imap_notify_look(struct imap_server *server, struct imap_notify_look *look,
                      bool (*then)(struct imap_server *server));

/* Tells what has changed between what the client knows and what there is. */
void imap_notify_compare(struct imap_server *server, const struct imap_notify_look *look);
/* This is what the client knows from now on. */
void imap_notify_keep(struct imap_server *server, const struct imap_notify_look *look);
/* When time has to be told for a rest to begin or end; never when there is none. */
struct instant imap_notify_deadline(const struct imap_server *server);
/* True when that was all that `now` was told for. */
bool imap_notify_expire(struct imap_server *server, struct instant now);

/* STATUS of all mailboxes whose messages the client wants to hear of. */
void imap_notify_put_status(struct imap_server *server, const struct imap_notify_look *look);

#endif
