/* SPDX-License-Identifier: ISC */
/* Private to the room: what the files of the server engine share. */
#ifndef IMAP_SERVER_PRIVATE_H
#define IMAP_SERVER_PRIVATE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "imap/grammar.h"
#include "imap/server.h"
#include "imap/set.h"

enum imap_state {
    IMAP_NOT_AUTHENTICATED = 1,
    IMAP_AUTHENTICATED = 2,
    IMAP_SELECTED = 4,
    IMAP_ANY = 7,
    IMAP_LOGGED_OUT = 8, /* nothing is taken any more */
};

/* What the next line is. */
enum imap_line {
    IMAP_LINE_COMMAND,
    IMAP_LINE_RESPONSE, /* to a SASL challenge */
    IMAP_LINE_DONE,     /* ends IDLE */
    IMAP_LINE_AFTER_TLS
};

/* Extensions that a client has switched on (RFC 5161). */
enum imap_enabled {
    IMAP_ENABLED_CONDSTORE = 1,
    IMAP_ENABLED_QRESYNC = 2,
    IMAP_ENABLED_UTF8 = 4,
    IMAP_ENABLED_REV2 = 8,
    IMAP_ENABLED_UIDONLY = 16,
};

/* What a command's end says. */
enum imap_status { IMAP_OK, IMAP_NO, IMAP_BAD };

enum { IMAP_ARENA_MAX = 64 << 20 };

/* A message as the store told of it. */
struct imap_row {
    uint32_t place, number;
    struct access_store_message message; /* record: also a long one */
};

/* Flags that the client changed itself, and which it need not hear of. */
struct imap_own_changes {
    struct buffer modseqs;         /* struct imap_modseqs, rising: what it changed has these */
    struct imap_set_builder raced; /* but of these UIDs there were changes that it never heard of */
    bool is_shown;                 /* it has been told what they are now */
};

struct imap_modseqs {
    uint64_t first, last;
};

enum { IMAP_BATCH_MAX = 256 };

/* Walks over messages and has the store tell of them, a batch at a time (scan.c). */
struct imap_scan {
    struct imap_walk walk;
    struct imap_set places;
    bool wants_records;
    uint32_t octets_max;
    /* Takes a row. False when there is no room, or when it has asked the store for more
     * (imap_scan_ask); it is then called again with the same row. */
    bool (*take)(struct imap_server *server, const struct imap_row *row);
    void (*end)(struct imap_server *server);
    struct imap_row asked[IMAP_BATCH_MAX]; /* of the batch: places, numbers, uids */
    size_t found;          /* places in `asked`: the first asked_count are asked for */
    size_t asked_count, asked_next;
    bool is_cut;           /* what has come from asked_next on is to be asked for again */
    size_t kept;           /* octets of rows */
    size_t batch;          /* how many to ask for next */
    size_t bytes;          /* of the batch */
    struct imap_row *rows; /* that wait to be taken */
    size_t row_count, row_next;
    bool is_asked, is_waiting, is_gone; /* is_gone: some messages are not there any more */
    enum access_store_result result;
    uint32_t done, goal; /* messages, for INPROGRESS */
    int64_t told_s;      /* when the client heard of it last */
    struct arena arena;  /* of the batch */
    /* Octets that take has asked for. */
    struct buffer octets;
    struct list gatherer; /* among all that gather much, which is done one after another */
    struct imap_server *server;
    struct access_store_read queued; /* while is_queued: what to ask for when it is our turn */
    uint64_t octets_left;
    bool is_streamed, is_queued, is_broken; /* is_broken: they could not be read */
    enum access_store_result broken_by;     /* never OK while is_broken */
};

struct imap_server {
    struct imap_server_options options;
    enum imap_state state;
    enum imap_line expects;
    uint8_t enabled;
    bool is_secure, is_held, is_closing, has_certificate;
    bool is_idling, is_changed, is_stopping;
    bool is_line_open; /* a response was begun, and its end waits for the store */
    bool is_read_only;
    uint8_t announced; /* how many keywords the client knows */
    struct instant idle_ends, stranger_ends, held_until;
    struct instant fed_at;
    uint32_t errors, failures;
    uint64_t account;
    /* The framer. */
    struct buffer command;
    size_t line_start; /* of the line that is being read, in command */
    uint64_t literal_left;
    uint64_t discard_left;
    bool is_discarding; /* the command in hand is thrown away, and has been answered */
    /* The command that is being done. */
    bool is_running;
    char tag[IMAP_TAG_MAX];
    uint8_t tag_len;
    bool is_uid;      /* UID FETCH and the like */
    bool may_expunge; /* its untagged responses may renumber */
    bool is_polling;  /* NOOP or CHECK: its client wants to know what is new */
    enum imap_status status;
    struct buffer text; /* of its end, with the response code */
    struct arena arena;
    void *task;                               /* what the command's file keeps, in the arena */
    bool (*more)(struct imap_server *server); /* next step; false: it waits */
    void (*on_note)(struct imap_server *server, const struct access_store_note *note,
                    struct slice blob);
    void (*drop)(struct imap_server *server); /* of what the task owns; may be NULL */
    struct imap_search_run *search_run;       /* of the task; see search_run.h */
    struct imap_scan *scan;
    struct imap_contexts *contexts; /* NULL: none; see context.h */
    struct imap_notify *notify;     /* NULL: NOTIFY was never used; see notify.h */
    struct imap_notify_look *look;  /* of the task */
    uint32_t new_from;              /* UID of the first new message that was not told of; 0: none */
    bool is_internal;               /* what runs is no command: its end says nothing */
    struct imap_part *part;         /* that is being fetched; see part.h */
    struct imap_set_builder own;    /* UIDs in the selected mailbox: the client put them there */
    const char *limit;                /* that the command is beyond, or NULL */
    uint32_t portion_uid;             /* portion.h: the lowest that is done; 0: all are */
    uint32_t portion_max;             /* the limit that this was by */
    struct imap_set_builder gathered; /* by the command that is being done */
    /* Events. */
    bool has_event;
    struct imap_event event;
    struct access_store_note note; /* of the event */
    struct buffer scratch;
    bool is_auth_open, is_auth_via_login;
    char mechanism[24];
    struct buffer output;
    struct imap_compress *compress; /* NULL: nothing is packed */
    bool wants_compress;            /* from the end of this command on */
    /* The selected mailbox. */
    struct imap_view view;
    uint32_t mailbox_id;
    uint64_t mailbox_owner; /* 0: the session's own account */
    uint16_t rights;        /* in it; bits of enum imap_right */
    uint32_t rights_serial; /* of the view's mailbox, when the rights were asked for */
    bool is_asking_rights;
    bool is_growth_aside; /* EXISTS was told in IDLE, or with an answer, not NOOP's or CHECK's */
    bool is_growth_due;   /* so it is told again in the IDLE that has begun */
    uint32_t sync_place;  /* how far the changed flags have been told */
    uint64_t sync_modseq;
    const struct imap_own_changes *own_changes; /* of the command that is being done; or NULL */
    /* While another is searched, the selected one lies here. */
    struct imap_view lent_view;
    uint32_t lent_mailbox;
    uint64_t lent_owner;
    bool is_lent;
    struct imap_set saved; /* SEARCHRES: UIDs; at is owned */
    bool is_saved;
};

/* ---- commands.c ---- */
struct imap_command {
    struct slice name;
    unsigned states;
    void (*run)(struct imap_server *server, struct cursor *cursor);
};
/* Runs the complete command in server->command. */
void imap_run(struct imap_server *server);
/* End of line, else BAD; for commands that take no more. */
MUST_USE bool imap_take_end(struct cursor *cursor);

/* ---- server.c ---- */
/* Ends the command: after untagged responses that are due, "tag OK text". `text` may begin with a
 * response code. */
void imap_end(struct imap_server *server, enum imap_status status, const char *text);
/* BAD; counted: too many end the session. NO when imap_over was called: the command is right, but
 * larger than this server takes. */
void imap_bad(struct imap_server *server, const char *text);
/* For what reads a command: notes `text`, which begins with [LIMIT] (RFC 5530 §3), for imap_bad
 * when `is_over`; gives `is_over` back. */
#define IMAP_KEYWORDS_LIMIT "[LIMIT] too many keywords, or too long ones"
bool imap_over(struct imap_server *server, bool is_over, const char *text);
/* NO, or OK, as the store's result says. */
void imap_end_result(struct imap_server *server, enum access_store_result result,
                     const char *ok_text);
/* Makes an event of server->note; its answer goes to on_note. */
void imap_ask(struct imap_server *server, enum access_store_kind kind,
              void (*on_note)(struct imap_server *server, const struct access_store_note *note,
                              struct slice blob));
void imap_raise(struct imap_server *server, enum imap_event_kind kind);
/* The client has said or read something: its time begins anew. A stranger has a while for each
 * line, and not for ever with many. */
void imap_touch(struct imap_server *server, struct instant now);
void imap_shut(struct imap_server *server, enum imap_close close, const char *text);
bool imap_has_room(const struct imap_server *server);
void *imap_task(struct imap_server *server, size_t size);
bool imap_is_utf8(const struct imap_server *server);

/* ---- respond.c: pieces of responses ---- */
void imap_put_string(struct buffer *out, struct slice string);  /* quoted or literal */
void imap_put_nstring(struct buffer *out, struct slice string); /* NIL for at == NULL */
void imap_put_astring(struct buffer *out, struct slice string);
void imap_put_name(struct imap_server *server, struct slice name); /* a mailbox */
void imap_put_flags(struct imap_server *server, uint8_t flags, uint64_t keywords);
void imap_put_date_time(struct buffer *out, int64_t ns);
void imap_put_capabilities(struct imap_server *server);
static inline void
imap_put_number(struct buffer *out, const char *before, uint64_t number, const char *after)
{
    buffer_put_text(out, before);
    buffer_put_decimal(out, number);
    buffer_put_text(out, after);
}
/* "* 7 FETCH (", with "UID 25 " when that is wanted; for UIDONLY "* 25 UIDFETCH (". */
void imap_put_fetch(struct imap_server *server, uint32_t place, uint32_t number, bool has_uid);
/* "* FLAGS (…)" and PERMANENTFLAGS, when there are keywords that the client does not know. */
void imap_put_known_flags(struct imap_server *server, bool is_forced);
/* "F7": a mailbox's name for ever (RFC 8474 §4); in that of somebody else stands his number, too.
 */
void imap_put_mailbox_id(struct buffer *out, uint64_t owner, uint32_t uid_validity);
/* NO because rights lack: a mailbox that may not be looked up is not there. */
void imap_end_forbidden(struct imap_server *server, uint16_t rights);

/* ---- sync.c ---- */
/* Tells what has changed in the selected mailbox; false when output is full: call again. */
MUST_USE bool imap_sync(struct imap_server *server, bool may_expunge);
/* True when changes of the selected mailbox are to be told now, between commands. */
bool imap_is_pushing(const struct imap_server *server, bool *ret_may_expunge);
void imap_deselect(struct imap_server *server);
/* "* VANISHED (EARLIER) 300:310,405": of the UIDs that the client may have (`known`, resolved;
 * NULL: any) those that went. They are `gathered`; unless the store does not know of all of them
 * (`is_complete` is false): then whatever is not there is told. */
void imap_put_vanished(struct imap_server *server, const struct imap_set *known, bool is_complete);
/* The account whose mailbox it is, for imap_view_open. */
uint64_t imap_owner(const struct imap_server *server, uint64_t owner);
/* True when it must be asked first what may be done in the selected mailbox, now that somebody has
 * changed that; nothing is told or taken until then. */
bool imap_is_rights_stale(const struct imap_server *server);
/* Asks, if nothing else waits to be asked. */
void imap_ask_rights(struct imap_server *server);
/* Puts the selected mailbox aside, for the view of another one. */
void imap_view_lend(struct imap_server *server, uint64_t owner, uint32_t mailbox);
/* Closes that view, and takes the selected mailbox back; nothing when none was lent. */
void imap_view_return(struct imap_server *server);

/* ---- scan.c ---- */
/* Takes the walk over from the command: `take` for each message, then `end`. */
void imap_scan_begin(struct imap_server *server, const struct imap_set *places, bool wants_records,
                     uint32_t octets_max,
                     bool (*take)(struct imap_server *server, const struct imap_row *row),
                     void (*end)(struct imap_server *server));
enum imap_ask {
    IMAP_ASK_STREAM, /* octets go into the output as they come; a break ends the session */
    IMAP_ASK_PIECE,  /* they are gathered in scan->octets */
    IMAP_ASK_WHOLE,  /* so, however many: sessions that need many wait for each other */
};
/* Asks for octets of a message. When all have come, take is called again. */
void imap_scan_ask(struct imap_server *server, uint32_t uid, uint64_t offset, uint64_t len,
                   enum imap_ask ask);
void imap_scan_finish(struct imap_server *server);

/* Takes a set of sequence numbers, or UIDs with server->is_uid, or "$", as places. */
MUST_USE bool imap_take_places(struct imap_server *server, struct cursor *cursor,
                               struct imap_set *ret_places, bool *ret_is_outside);
/* The ranges of UIDs that these places stand for, for a note: at most `max` from *place on;
 * *ret_is_all tells whether they are all. */
struct access_store_uid_range_list imap_uid_ranges(struct imap_server *server,
                                                   const struct imap_set *places, size_t max,
                                                   bool *ret_is_all);

/* ---- compress.c ---- */
/* From now on, but for what is in the output, all is packed. */
void imap_compress_begin(struct imap_server *server);
void imap_compress_end(struct imap_server *server);
/* Moves the output into `packed`. */
void imap_compress_pack(struct imap_server *server);
struct buffer *imap_compress_packed(const struct imap_server *server);
/* When plain is empty: unpacks some of the input; returns how much of that was used. */
size_t imap_compress_unpack(struct imap_server *server, struct slice input);
struct slice imap_compress_plain(const struct imap_server *server);
void imap_compress_taken(struct imap_server *server, size_t len);

/* ---- notify.c, command_notify.c ---- */
/* Between commands: tells what NOTIFY asks for; true when it has begun something. */
bool imap_notify_step(struct imap_server *server);
void imap_notify_close(struct imap_notify **notify);
/* What the client has done itself: to the names of mailboxes, to an annotation, or that messages
 * were put into a mailbox. */
void imap_notify_own_name(struct imap_server *server, struct slice name);
void imap_notify_own_entry(struct imap_server *server, struct slice name, struct slice entry);
struct imap_growth {
    uint32_t uid_validity; /* tells whether it is the selected one */
    uint32_t uid_last, count;
    uint64_t modseq_before, modseq;
};
void imap_notify_own_messages(struct imap_server *server, struct slice name,
                              const struct imap_growth *growth);

/* ---- command_fetch.c ---- */
/* FETCH of these places, with items as a client writes them. */
void imap_fetch_places(struct imap_server *server, struct slice items,
                       const struct imap_set *places);

/* ---- commands, by file ---- */
#define IMAP_COMMAND(name)                                                                         \
    void imap_command_##name(struct imap_server *server, struct cursor *cursor)
IMAP_COMMAND(capability);
IMAP_COMMAND(noop);
IMAP_COMMAND(logout);
IMAP_COMMAND(id);
IMAP_COMMAND(enable);
IMAP_COMMAND(namespace);
IMAP_COMMAND(idle);
IMAP_COMMAND(starttls);
IMAP_COMMAND(login);
IMAP_COMMAND(authenticate);
IMAP_COMMAND(unauthenticate);
IMAP_COMMAND(compress);
IMAP_COMMAND(list);
IMAP_COMMAND(lsub);
IMAP_COMMAND(status);
IMAP_COMMAND(create);
IMAP_COMMAND(delete);
IMAP_COMMAND(rename);
IMAP_COMMAND(subscribe);
IMAP_COMMAND(unsubscribe);
IMAP_COMMAND(select);
IMAP_COMMAND(examine);
IMAP_COMMAND(close);
IMAP_COMMAND(unselect);
IMAP_COMMAND(expunge);
IMAP_COMMAND(fetch);
IMAP_COMMAND(store);
IMAP_COMMAND(copy);
IMAP_COMMAND(move);
IMAP_COMMAND(append);
IMAP_COMMAND(replace);
IMAP_COMMAND(search);
IMAP_COMMAND(sort);
IMAP_COMMAND(thread);
IMAP_COMMAND(notify);
IMAP_COMMAND(esearch);
IMAP_COMMAND(getmetadata);
IMAP_COMMAND(setmetadata);
IMAP_COMMAND(getquota);
IMAP_COMMAND(getquotaroot);
IMAP_COMMAND(setacl);
IMAP_COMMAND(deleteacl);
IMAP_COMMAND(getacl);
IMAP_COMMAND(listrights);
IMAP_COMMAND(myrights);
IMAP_COMMAND(genurlauth);
IMAP_COMMAND(urlfetch);
IMAP_COMMAND(resetkey);
IMAP_COMMAND(cancelupdate);
#undef IMAP_COMMAND

/* True when this mechanism can go on as things are, but for passwords in the clear. */
bool imap_may_offer(const struct imap_server *server, struct slice mechanism);

/* True for a mechanism that sends a password or a token as it is. */
bool imap_is_clear(struct slice mechanism);
/* After a response to a challenge has come in. */
void imap_auth_response(struct imap_server *server, struct slice line, struct instant now);
/* The client ends the exchange that is open, also behind the last word of the mechanism: then the
 * grant is there already, and ends. */
void imap_auth_give_up(struct imap_server *server);

#endif
