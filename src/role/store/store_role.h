/* SPDX-License-Identifier: ISC */
/* The parts of the role `store`: private to this folder. See README.md for what it may do. */
#ifndef ROLE_STORE_STORE_ROLE_H
#define ROLE_STORE_STORE_ROLE_H

#include "base/list.h"
#include "base/map.h"
#include "host/log.h"
#include "mailbox/account.h"
#include "mailbox/check.h"
#include "mailbox/mailbox.h"
#include "mailbox/message.h"
#include "mailbox/reclaim.h"
#include "mailbox/store.h"
#include "note/access_store.h"
#include "note/auth_store.h"
#include "note/smtp_store.h"
#include "note/store_deliver.h"
#include "note/store_letterbox.h"
#include "note/tool_store.h"
#include "role/role.h"

enum {
    STORE_PEERS_MAX = 256,       /* processes of one kind */
    STORE_RECIPIENTS_MAX = 1000, /* of one message, as smtp_store.notes says */
    STORE_AHEAD_MAX = 64,        /* submits whose recipients came ahead, per smtp process */
    STORE_NOTE_ARENA_MAX = 8 << 20,
    /* A turn takes no more than this: the answer to the first should not wait for the last. */
    STORE_TURN_BYTES_MAX = 64 << 20,
    STORE_TURN_PARCELS_MAX = 2000,
    /* After so many messages that long commands have changed the view is written: all wait for
     * that, and for a million at once they would wait long. */
    STORE_VIEW_CHANGES_MAX = 50000,
    /* A turn waits at most so long for messages that are being parsed and no longer than this. */
    STORE_GATHER_MS = 1,
    STORE_GATHER_BYTES_MAX = 128 << 10,
    /* More waiting than this, and senders are not read until half of it is done. */
    STORE_WAITING_BYTES_MAX = 256 << 20,
    STORE_WAITING_PARCELS_MAX = 20000,
    STORE_PARSE_WAIT_S = 60, /* a deliver process that is silent so long is given up */
    STORE_PARSE_DEATHS_MAX = 2,
    STORE_TOOLS_MAX = 32,
    STORE_USER_MAX = AUTH_STORE_GRANT_NAME_MAX,
};

struct store_role;

/* ---- parcels --------------------------------------------------------------------------------- */

/* QUEUED: out of our own queue, for an account of ours; `sender` is its carriage. */
enum parcel_from { PARCEL_SUBMITTED, PARCEL_APPENDED, PARCEL_IMAP, PARCEL_QUEUED };

struct parcel_group {
    bool has_sender;
    struct slice sender, fields;
};

struct parcel_recipient {
    account_id account;
    enum smtp_store_box box;
    struct slice address, path, user;
    struct slice original_type, original;
    uint8_t notify;
    uint16_t group; /* its place in the parcel's, from 1 */
    uint64_t quota_bytes, quota_messages;
    uint64_t queue_message, queue_due_s; /* of one for another host, when it is entered */
    uint32_t queue_index;
    uint8_t queue_class;
    bool has_outcome;
    enum smtp_store_outcome_kind kind;
    const char *text; /* static */
    uint32_t uid;
};

/* One message on its way. */
struct parcel {
    struct list link; /* in the list of what it waits for */
    struct store_role *role;
    enum parcel_from from;
    void *sender; /* struct store_smtp or store_tool; NULL when it has gone */
    struct list sender_link;
    uint64_t id;    /* the sender's number for it */
    uint64_t parse; /* ours */
    struct arena arena;
    struct slice queue_id, reverse_path, envelope_id;
    uint32_t queue_flags; /* bits of queue_message_flag */
    int8_t priority;
    struct wall deliver_by;
    int64_t hold_until_s;
    struct slice hold; /* what was asked for */
    struct parcel_group *groups;
    size_t group_count;
    struct slice head; /* prefix and, when it came inline, the body; owned */
    size_t prefix_len;
    uint16_t skip; /* of it: Return-Path: */
    host_handle blob;
    struct host_mapping mapping;
    struct slice record; /* owned */
    struct slice reject_text;
    enum store_deliver_filter_action action;
    bool is_atomic;
    bool was_there;
    unsigned deaths; /* deliver processes that died with it */
    struct instant sent;
    struct parcel_recipient *recipients;
    size_t recipient_count;
    size_t boxes_open; /* letter boxes that have not answered yet */
    body_id body;
    struct list order_link; /* in `appended` of the role, if order matters, until it is parsed */
    bool is_parsed;
    /* for PARCEL_APPENDED and PARCEL_IMAP */
    struct slice mailbox, key;
    account_id asker; /* of PARCEL_IMAP: the session's own account, and what it is called */
    struct slice user;
    uint32_t flags;
    struct wall internal;
    struct slice *keywords;
    size_t keyword_count;
    enum tool_store_result result;
    uint32_t uid; /* wanted, by the tool */
    /* for PARCEL_IMAP */
    account_id replaced_owner; /* REPLACE: what goes when it comes; uid 0: nothing */
    mailbox_id replaced_mailbox;
    uint32_t replaced_uid;
    bool is_replaced_gone; /* it was not there any more */
    uint32_t uid_validity;
    uint64_t modseq_before, modseq; /* the lead's: of the mailbox, before and then */
    enum store_result store_result;
    struct parcel *lead;    /* of its group, once that has come */
    struct list group;      /* the lead's: the others, in their order */
    struct list group_link;
    size_t group_open;      /* the lead's: how many are not parsed yet */
    bool is_orphan;
};

/* A parcel of a sender's note; takes the handle. NULL when the blob is not to be had (it is then
 * closed). `inline_body` is copied. */
struct parcel *parcel_open(struct store_role *role, enum parcel_from from, struct slice prefix,
                           struct slice inline_body, host_handle blob);
void parcel_close(struct parcel **parcel);
struct slice parcel_tail(const struct parcel *parcel);
uint64_t parcel_len(const struct parcel *parcel);
/* Puts it into the turn; its recipients get their outcome for the case that the turn holds. False
 * when the view failed under it: the whole turn must be dropped. */
MUST_USE bool parcel_file(struct parcel *parcel);
/* Answers its sender and closes it. `result` is the turn's. */
void parcel_answer(struct parcel **parcel, enum store_result result);
/* Takes the bits of its keywords; new ones are named. */
MUST_USE enum store_result parcel_keywords(const struct parcel *parcel, mailbox_id mailbox,
                                           uint64_t *ret_keywords);
void parcel_settle(struct parcel_recipient *recipient, enum smtp_store_outcome_kind kind,
                   const char *text);

/* ---- peers ----------------------------------------------------------------------------------- */

struct store_smtp {
    struct store_role *role;
    struct host_channel *channel;
    struct note_ledger ledger;
    struct list parcels;
    struct list ahead; /* of struct recipients_ahead */
    size_t ahead_count;
    struct list burls; /* what is being read for BURL */
    size_t burl_count;
};
enum { STORE_BURLS_MAX = 16 }; /* at a time, of each process; the next may try again */

struct store_deliver {
    struct store_role *role;
    struct host_channel *channel;
    struct note_ledger ledger;
    struct list parcels; /* being parsed there, oldest first */
    size_t count;
};

struct store_access {
    struct store_role *role;
    unsigned index;
    struct host_channel *channel;
    struct note_ledger ledger;
    struct list readings;
    struct list watches;
    struct list parcels;
    size_t watch_count;
};

struct store_tool {
    struct list link;
    struct store_role *role;
    struct host_channel *channel;
    struct note_ledger ledger;
    struct list readings;
    struct list parcels;
    uint64_t check_id; /* its check that is open, or 0 */
    bool has_check;
};

/* A session that may read the mail of an account. */
enum { READ_NOTE_OCTETS = 65536 }; /* of a message in one note */

/* What a session reads in pieces: it gets all of them, whoever removes the message meanwhile. */
struct held_message {
    account_id account;
    mailbox_id mailbox;
    uint32_t uid;
    uint32_t len;
    body_id body; /* 0: none */
};

struct grant {
    unsigned access_index;
    uint64_t session;
    account_id account;
    uint8_t user[STORE_USER_MAX]; /* what the account is called */
    uint16_t user_len;
    bool has_maildrop;  /* it holds the account's lock */
    struct held_message held;
    struct buffer uids; /* marked for the update that is being told */
    struct list appends; /* parcels that wait for the last of their group */
    bool is_append_lost; /* one of the group could not be taken: nor is the rest */
};

struct job;
/* What is done for a job of IMAP: `file` makes its changes and sets job->result, `answer` tells
 * access (which is still there) when the turn is durable. */
struct job_kind {
    void (*file)(struct job *job);
    void (*answer)(struct job *job, enum store_result result);
    /* With job->has_more, when the turn is durable: tells access of it. The job is then filed
     * again, in a later turn. NULL: it is done in one. */
    void (*tell_part)(struct job *job);
};

/* What a turn also carries: one updated maildrop, one account to drop, a change by IMAP. */
struct job {
    struct list link;
    struct store_role *role;
    struct store_access *access; /* either */
    struct store_tool *tool;
    uint64_t id;
    account_id account;
    account_id asker;    /* with kind: the session's own account; `account` is what it changes */
    account_id filed_to; /* that a copy went to, or 0 */
    uint64_t session; /* whose lock ends, with access */
    uint32_t *uids; /* owned; NULL: remove the account */
    size_t count, filed; /* of them, and how many have been filed */
    uint64_t quota_bytes, quota_messages; /* what a login brings */
    enum store_result result;
    bool has_more, has_begun;    /* more than a part: what is done of it is durable */
    const struct job_kind *kind; /* NULL: maildrop or account */
    struct imap_change *change;  /* with kind; owned */
    struct tool_make *make;      /* the same */
};

struct outgoing;
struct indexing;

struct store_role {
    struct role_start start;
    struct outgoing *outgoing; /* outgoing.h */
    struct indexing *indexing; /* indexing.h */
    struct host *host;
    const struct config *config;
    struct host_dir *dir;
    struct store *store;
    struct store_smtp *smtp[STORE_PEERS_MAX];
    struct store_deliver *deliver[STORE_PEERS_MAX];
    struct store_access *access[STORE_PEERS_MAX];
    struct host_channel *auth;
    struct note_ledger auth_ledger;
    struct host_channel *letterbox;
    struct note_ledger letterbox_ledger;
    host_handle admin_handle;
    struct host_listener *admin;
    struct list tools;
    size_t tool_count;

    struct list unparsed; /* waiting for a deliver process */
    struct list appended; /* what tools append, in the order in which it came */
    struct list parsed;   /* of that: waiting for what came before it */
    struct list leads;    /* last ones of groups of APPEND: waiting for the others' parsing */
    struct list boxing;   /* waiting for letter boxes */
    struct list ready;    /* for the next turn */
    struct list filing;   /* in the turn on its way */
    struct map parcels;   /* by parse number, while deliver or letterbox has it */
    uint64_t parse_count;
    size_t waiting_bytes, waiting_parcels;
    bool is_paused;

    struct list jobs; /* for the next turn */
    struct list jobs_filing;
    struct list jobs_held; /* to go on when access has heard of what they did */
    size_t part_left;      /* messages that this turn's jobs may yet change in parts */
    size_t part_changes;   /* that they have changed since the view was written for their sake */
    bool is_turn_due, is_turn_on_its_way;
    bool is_gathering, has_gathered; /* a turn waits a moment for what is being parsed */
    struct host_timer *gather_timer;

    struct map grants; /* by access process and session */
    struct map locks;  /* by account: the grant that holds the maildrop */
    struct map readers; /* by access process and account: how many grants (struct reader_count) */
    struct map watched; /* by account and mailbox: struct watched */
    struct list watched_accounts; /* those with mailbox 0 */
    struct list watched_touched; /* by the turn that is being told */

    struct host_timer *view_timer, *background_timer, *watch_timer;
    struct instant view_due; /* it is not put off longer */
    uint64_t view_turns;     /* when it was thought of last */
    unsigned quiet_looks;    /* without a turn, purging or reclaiming */
    struct reclaim *reclaim;
    struct check *check;
    bool is_reclaiming, is_stopping, is_started;

    struct arena note_arena;
    struct buffer note;
    uint64_t delivered, rejected, unparsed_filed, deliver_deaths, turns, submitted, read_bytes;
};

/* turns.c */
void turns_open(struct store_role *role);
void turns_close(struct store_role *role);
void store_role_turn_soon(struct store_role *role);
/* Jobs that wait for access to hear: they go on, if it has. */
void store_role_release_jobs(struct store_role *role);
/* Answers all that were in the turn on its way. */
void store_role_drop_turn(struct store_role *role, enum store_result result);
/* Ends the loop when the role is to end and nothing is open. */
void store_role_finish_if_stopping(struct store_role *role);

/* store_role.c */
void store_role_wait(struct store_role *role, struct parcel *parcel);   /* counts it in */
void store_role_unwait(struct store_role *role, struct parcel *parcel); /* and out */
void store_role_bad_note(struct store_role *role, host_handle handle, const char *from);

/* parsers.c */
void parsers_attach(struct store_role *role, unsigned index, host_handle handle);
void parsers_close(struct store_role *role);
/* Has a parcel parsed, by whoever has the least to do. */
void parsers_take(struct store_role *role, struct parcel *parcel);
/* Keeps a record that is exactly right for this body; false for any other, which is not kept. */
MUST_USE bool parsers_keep_record(struct parcel *parcel, struct slice bytes);
/* The one that has the least to do, or NULL. */
struct store_deliver *parsers_least_busy(struct store_role *role);
/* Gives up processes that are silent for too long. */
void parsers_watch(struct store_role *role);

/* letterbox.c */
void letterbox_attach(struct store_role *role, host_handle handle);
void letterbox_close(struct store_role *role);
/* Puts a parsed parcel into its letter boxes, then makes it ready. */
void letterbox_take(struct store_role *role, struct parcel *parcel);

/* readers.c */
void readers_attach_access(struct store_role *role, unsigned index, host_handle handle);
void readers_attach_auth(struct store_role *role, host_handle handle);
void readers_close(struct store_role *role);
void job_file(struct job *job);
/* How many messages a job may change in this turn, and that it has used so much of that. */
MUST_USE size_t job_part_max(const struct job *job);
void job_part_end(struct job *job, size_t used, size_t changed);
/* After its turn: true when there is more of it, which is for a later turn. */
MUST_USE bool job_goes_on(struct job *job, enum store_result result);
void job_answer(struct job **job, enum store_result result);
enum access_store_result access_result_of(enum store_result result);

/* reading.c: lists and octets on their way to access or the tool, as fast as the channel takes. */
enum reading_kind {
    READING_MAILDROP,
    READING_OCTETS,
    READING_MESSAGES,
    READING_MAILBOXES,
    READING_IMAP_MAILBOXES,
    READING_IMAP_COLUMNS,
    READING_IMAP_VANISHED,
    READING_IMAP_ANNOTATIONS,
    READING_IMAP_ACL,
    READING_IMAP_MESSAGES, /* with or without their records */
};

struct reading {
    struct list link;
    struct store_role *role;
    enum reading_kind kind;
    struct store_access *access; /* either */
    struct store_tool *tool;
    uint64_t id;
    account_id account;
    mailbox_id mailbox; /* 0: READING_MAILBOXES of all accounts */
    uint32_t uid;       /* next one to list */
    uint64_t left;      /* messages or octets still to go */
    uint64_t offset;
    body_id body;
    uint32_t flags;
    struct wall internal;
    uint32_t uid_validity;
    account_id account_next;
    enum store_result result;
    bool is_done, is_waiting, is_pumping, is_abandoned;
    /* for IMAP */
    struct uid_range *ranges; /* owned */
    size_t range_count, range_at;
    uint64_t modseq;
    uint64_t watch;
    uint32_t octets_max;
    struct slice user;    /* owned; mailboxes: who asks */
    account_id asker;     /* mailboxes: his own account */
    struct buffer shares; /* struct reached: those of others, at the end of the list */
    size_t shares_next;
    bool has_shares;
    bool ends_in_done; /* octets: of a URL */
    bool has_owner;  /* acl: `user`, who comes first */
    bool is_foreign; /* annotations: /private is the owner's own */
    bool wants_more; /* records; counts of deleted messages; annotations of all mailboxes */
    struct imap_page *page; /* owned; being filled */
};
/* A zeroed one; reading_start owns it from then on. */
struct reading *reading_new(struct store_role *role, struct store_access *access,
                            struct store_tool *tool, enum reading_kind kind, uint64_t id);
void reading_start(struct reading *reading);
void readings_go_on(struct list *readings);
void readings_abandon(struct list *readings);
/* Sends what stands in role->note; what could not be put would be a mistake of ours. */
void reading_send(struct reading *reading, bool is_put);
/* After reading->is_waiting: goes on. */
void reading_resume(struct reading *reading);

/* reading_imap.c: pages for IMAP. */
void reading_imap_next(struct reading *reading);
void reading_imap_tell_end(struct reading *reading);
void reading_imap_finish(struct reading *reading);

/* imap.c: what IMAP asks; false when the note is none of its. */
bool imap_on_note(struct store_access *access, const struct access_store_note *note,
                  host_handle handle);
void imap_list_mailboxes(struct store_access *access, account_id account, struct slice user,
                         const struct access_store_mailbox_list *note);
/* True when the mailboxes that each account begins with are still to be made. */
bool imap_is_account_new(struct store_role *role, account_id account);
static inline struct slice
grant_user(const struct grant *grant)
{
    return slice_of(grant->user, grant->user_len);
}
/* Walks over the accounts that speak through a process; begin with *place 0. */
MUST_USE bool readers_next(struct store_role *role, unsigned access, size_t *place,
                           account_id *ret_account, struct slice *ret_user);
struct grant *readers_find_grant(struct store_role *role, unsigned access, uint64_t session);
/* imap_job.c: what IMAP changes. */
void imap_job_start(struct store_access *access, const struct grant *grant,
                    const struct access_store_note *note);
/* Has the mailboxes made that each account begins with. */
void imap_job_welcome(struct store_access *access, const struct grant *grant);
void imap_change_close(struct imap_change **change);

/* imap_url.c */
void imap_url_ask(struct store_access *access, const struct grant *grant,
                  const struct access_store_url_ask *note);

/* imap_append.c */
void imap_append(struct store_access *access, struct grant *grant,
                 const struct access_store_append *note, host_handle handle);
/* After its parsing: true when its group is complete and *ret_lead can be filed. The parcel may be
 * gone when false. */
MUST_USE bool imap_append_is_ready(struct parcel *parcel, struct parcel **ret_lead);
/* The session is over: what waits for the rest of its group goes. */
void imap_append_forget(struct grant *grant);
MUST_USE bool imap_append_file(struct parcel *parcel);
void imap_append_answer(struct parcel *parcel, enum store_result result);

/* Ends a request that `done` ends. */
void imap_answer_done(struct store_access *access, uint64_t id, enum access_store_result result,
                      uint32_t number);
void imap_answer_made(struct store_access *access, uint64_t id, enum access_store_result result,
                      uint32_t number, account_id owner);

/* watching.c: mailboxes that access processes watch. */
void watching_open(struct store_access *access, uint64_t id, const struct grant *grant,
                   account_id account, mailbox_id mailbox);
void watching_close(struct store_access *access, uint64_t id);
/* All of a process. */
void watchings_drop(struct store_access *access);
/* The process has no session of that account any more: those of its watches end that no other may
 * have. */
void watchings_leave(struct store_access *access, account_id account);
void watchings_start(struct store_role *role);
void watchings_close(struct store_role *role);
/* Tells the names of all keywords that the mailbox has. */
void watching_tell_keywords(struct store_access *access, uint64_t id, account_id account,
                         mailbox_id mailbox);

/* tool.c */
void tool_listen(struct store_role *role, host_handle handle);
void tool_close(struct store_role *role);
enum tool_store_result tool_result_of(enum store_result result);
void tool_tell_check(struct store_role *role);
void tool_tell_finding(struct store_role *role, struct slice text);

/* background.c */
void background_start(struct store_role *role);
void background_close(struct store_role *role);
void background_check(struct store_role *role);

/* burl.c: what a URL stands for that smtp was given */
void burl_fetch(struct store_smtp *smtp, const struct smtp_store_fetch *note);
/* smtp is gone. */
void burls_forget(struct store_smtp *smtp);

#endif
