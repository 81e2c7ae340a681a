/* SPDX-License-Identifier: ISC */
/* Private to the room: what the files of the migration share. */
#ifndef TOOL_MIGRATE_PRIVATE_H
#define TOOL_MIGRATE_PRIVATE_H

#include "client/imap.h"
#include "tool/migrate.h"
#include "tool/say.h"

enum { MIGRATE_KEYWORDS_MAX = 64 };

/* A mailbox of the other server. Slices are in the arena. */
struct migrate_box {
    struct slice wire_name; /* there */
    struct slice name;      /* here */
    uint32_t attributes;
    bool is_subscribed;
};

/* A message there. */
struct migrate_message {
    uint32_t uid;
    uint32_t flags;    /* enum box_flag */
    uint64_t keywords; /* bits of migrate.keywords */
    uint64_t size;
    struct wall date;
    bool was_there;
};

struct migrate {
    const struct migrate_options *options;
    struct client_imap *imap;
    struct client_problem problem; /* the last one with the other server */
    struct appender appender;
    struct arena arena;
    struct migrate_box *boxes;
    size_t box_count, box_size;
    uint8_t delimiter;
    struct slice prefix;     /* of its personal namespace */
    uint64_t whole;          /* messages of all mailboxes */
    uint64_t there, refused; /* of those that were not sent to the store */
    uint64_t known, brought; /* of the mailbox: how many the store has; of them, from us, now */
    struct say_progress progress;

    /* ---- the mailbox that is brought ---- */
    const struct migrate_box *box;
    uint64_t place; /* its part of the keys */
    struct migrate_message *messages;
    size_t message_count, message_size;
    struct arena box_arena;
    struct tool_store_keyword keywords[MIGRATE_KEYWORDS_MAX];
    size_t keyword_count;
    struct buffer body; /* of the message that comes */
    bool is_body_whole;
    int code; /* what ended it on our side */
};

/* ---- migrate_list.c: what is there ---- */

/* Lists the mailboxes and counts their messages. False: the problem says why. */
bool migrate_list(struct migrate *migrate);

/* Selects the box and lists its messages, with what the store knows of them. */
bool migrate_list_messages(struct migrate *migrate, uint32_t *ret_uid_validity);

/* ---- migrate_fetch.c ---- */

/* Brings the messages that are not there. */
bool migrate_fetch(struct migrate *migrate);

/* Shows how far it is. */
void migrate_show(void *context);

#endif
