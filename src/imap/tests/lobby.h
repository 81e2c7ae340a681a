/* SPDX-License-Identifier: ISC */
/* What stands behind an engine in tests: one account with INBOX and Other, answering the notes of
 * access_store as the store does, from memory. */
#ifndef IMAP_TESTS_LOBBY_H
#define IMAP_TESTS_LOBBY_H

#include "imap/server.h"

/* Messages of a mailbox: LOBBY_MESSAGES, unless a test says that there may be more. */
enum { LOBBY_MESSAGES = 64, LOBBY_MESSAGES_MAX = 1100, LOBBY_TEXT_MAX = 8192, LOBBY_BOXES = 3 };
enum { LOBBY_MARKS_MAX = 8, LOBBY_ENTRIES_MAX = 2 };

/* Signs every URL. */
#define LOBBY_TOKEN "0123456789abcdef0123456789abcdef"

/* Messages that STORE, MOVE and EXPUNGE do in one part. */
enum { LOBBY_PART = 2 };

struct lobby_message {
    uint32_t uid;
    uint8_t flags;
    uint64_t keywords, modseq;
    size_t len;
    uint8_t text[];
};

struct lobby_box {
    struct slice name;
    uint32_t uid_next;
    uint64_t owner; /* 0: the session's own account */
    uint64_t watch; /* 0: nobody */
    struct lobby_message *messages[LOBBY_MESSAGES_MAX];
    size_t count;
};

/* An annotation. */
struct lobby_mark {
    uint32_t mailbox; /* 0: of the account */
    uint8_t name[64], value[64];
    size_t name_len, value_len;
};

struct lobby {
    struct imap_mailboxes mailboxes;
    struct imap_server *server;
    struct instant now;
    struct lobby_box boxes[LOBBY_BOXES];
    size_t box_count; /* 2, INBOX and Other, when it begins */
    uint16_t rights;  /* in all of them */
    struct lobby_mark marks[LOBBY_MARKS_MAX]; /* by mailbox and name */
    size_t mark_count;
    struct slice keywords[8];
    size_t keyword_count;
    char keyword_text[8][100];
    uint64_t modseq;
    uint64_t account_watch; /* 0: nobody */
    bool is_closed, is_unlimited; /* is_unlimited: the account has no quota */
    bool is_apart; /* octets never come with rows */
    bool is_late;  /* a message has gone when it is read */
    bool is_raced; /* behind the first part of STORE somebody gives the first message \Draft */
    bool is_short; /* an octet less than was asked for is read */
    bool is_damaged; /* octets cannot be read */
    size_t more_boxes; /* that are listed and nothing else */
    unsigned lists;    /* how often all were asked for */
    bool is_lost;  /* the store goes away when octets are to be read */
    bool is_chatty; /* rows come that nobody has asked for */
    bool is_busy;  /* mail comes in while octets are read */
    bool is_down;  /* MESSAGES_ASK fails */
    bool is_blind; /* MAILBOX_LIST fails behind its rows */
    bool is_forgetful; /* it does not know all that vanished */
    struct access_store_uid_range vanished; /* what it says of that; first 0: nothing */
    enum access_store_result watched; /* of the next WATCH */
    uint32_t hidden_uid; /* has gone, and nobody was told */
    size_t messages_max, text_max;
    size_t ranges_asked; /* by the last MESSAGES_ASK */
    unsigned message_asks;
    size_t output_most;  /* octets that waited for the client at once */
    size_t held; /* messages of one APPEND, until the last of it comes */
    bool is_away;  /* the next note is not answered: the store has gone */
    bool is_cut;   /* behind the first part of STORE, MOVE and EXPUNGE the store can do no more */
    /* The text index, when indexed_below > 0: it knows UIDs below that, and says of each search
     * that indexed_uid is the only one. */
    uint32_t indexed_below, indexed_uid;
    unsigned searches;
    unsigned asked; /* notes that the store was sent */
    int64_t tick_s, clock_s; /* each look at the clock moves it */
    struct lobby_note {
        struct access_store_note note;
        struct slice body;
    } notes[1100];
    size_t note_first, note_end; /* that wait to be answered */
    struct arena arena;
    struct buffer said; /* by the server */
};

/* A connection on which PLAIN is offered. */
void lobby_init(struct lobby *lobby);
/* The same with what else `wishes` say: mechanisms, TLS, limits. */
void lobby_init_as(struct lobby *lobby, const struct imap_server_options *wishes);
/* What the others of a test begin with. */
struct imap_server_options lobby_options(void);
void lobby_finish(struct lobby *lobby);
/* Puts a message into a box, as a delivery does; watchers hear of it. */
void lobby_deliver(struct lobby *lobby, size_t box, const char *text);
/* Somebody else turns \Flagged of the first message over, or removes it. */
void lobby_flag(struct lobby *lobby, size_t box);
void lobby_remove(struct lobby *lobby, size_t box);
/* Does all that comes of what the engine was told. */
void lobby_work(struct lobby *lobby);
/* Feeds what the client sends, does all that comes of it; what the server says is in `said`. */
void lobby_say(struct lobby *lobby, struct slice text);
/* The same from a clean sheet, byte by byte when `step` is 1; returns what was said. */
struct slice lobby_ask(struct lobby *lobby, const char *text, size_t step);

/* What the store answers about annotations, rights and what vanished, in the rows it is given;
 * false when something was set or nothing went: there is nothing to tell but the end. */
MUST_USE bool lobby_marks_answer(struct lobby *lobby, const struct access_store_note *note,
                                 struct access_store_annotation rows[LOBBY_MARKS_MAX],
                                 struct access_store_acl_entry entries[LOBBY_ENTRIES_MAX],
                                 struct access_store_note *ret_answer);

#endif
