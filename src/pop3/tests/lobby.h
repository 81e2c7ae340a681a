/* SPDX-License-Identifier: ISC */
/* Where maildrops are handed out, in memory: answers the questions of server engines by rules that
 * can be read off here, for tests and dialogues.
 *
 * Users are added with their passwords; an unknown name is refused like a wrong password. PLAIN,
 * LOGIN and APOP are checked for real; SCRAM mechanisms are a fixed exchange that lets the first
 * user in: any initial response, "r=nonce,s=c2FsdA==,i=4096", "c=biws,p=proof", "v=signature". */
#ifndef POP3_TESTS_LOBBY_H
#define POP3_TESTS_LOBBY_H

#include "base/buffer.h"
#include "pop3/server.h"

enum { LOBBY_USERS_MAX = 8, LOBBY_MESSAGES_MAX = 4096, LOBBY_UID_VALIDITY = 1234 };

struct lobby_user {
    char name[64];
    char password[64];
    bool is_locked; /* a session holds the maildrop */
};

struct lobby_message {
    size_t user;
    uint32_t uid;
    struct slice bytes; /* owned; empty and at NULL once removed */
};

/* What all sessions share. All zeros is an empty one. */
struct lobby {
    struct lobby_user users[LOBBY_USERS_MAX];
    size_t user_count;
    struct lobby_message messages[LOBBY_MESSAGES_MAX];
    size_t message_count; /* the removed ones included: a uid is an index plus one */
    uint32_t delay_ms;    /* how long refused logins are held back */
    enum pop3_answer_kind open_answer, read_answer, update_answer; /* for failures; 0: OK */
};

/* One session. */
struct lobby_desk {
    struct lobby *lobby;
    struct pop3_server *server;
    struct buffer journal;  /* a line for each event */
    struct slice timestamp; /* as the banner had it; borrowed */
    bool starts_tls;        /* at once, when it is asked for */
    bool is_tls_due;
    bool is_closed;
    enum pop3_close close;
    size_t user; /* index, or LOBBY_USERS_MAX before a login */
    bool has_lock;
    int auth_step;
    char mechanism[32];
    char login_name[64]; /* of LOGIN */
    bool is_reading;
    bool is_top;
    uint32_t read_uid;
    size_t read_offset;
};

/* Frees the messages. */
void lobby_finish(struct lobby *lobby);

/* Both return what was added: the user's index, the message's uid. */
size_t lobby_add_user(struct lobby *lobby, const char *name, const char *password);
uint32_t lobby_add_message(struct lobby *lobby, size_t user, struct slice bytes);

/* How many messages that user has. */
size_t lobby_count(const struct lobby *lobby, size_t user);

/* Sets up a session's desk in the caller's memory; it owns the server, and finish closes it. */
void lobby_desk_init(struct lobby_desk *desk, struct lobby *lobby, struct pop3_server *server,
                     struct slice timestamp);
void lobby_desk_finish(struct lobby_desk *desk);

/* Takes all events that wait, answers the questions, goes on with the message that is read. */
void lobby_desk_work(struct lobby_desk *desk, struct instant now);

#endif
