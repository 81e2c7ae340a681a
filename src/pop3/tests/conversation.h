/* SPDX-License-Identifier: ISC */
/* Replays one client's input against a server engine and a lobby (lobby.h): whole, octet by octet,
 * and split in two at every position. Events and output must be the same each time, and the output
 * never longer than its bound. Answers that are held back are waited for. */
#ifndef POP3_TESTS_CONVERSATION_H
#define POP3_TESTS_CONVERSATION_H

#include "pop3/tests/lobby.h"

enum { CONVERSATION_MESSAGES_MAX = 16 };

struct conversation {
    struct pop3_server_options options;
    /* What mrose finds at the beginning of each run; its password is "secret". */
    struct slice messages[CONVERSATION_MESSAGES_MAX];
    size_t message_count;
    /* Put into the lobby of each run. */
    enum pop3_answer_kind open_answer, read_answer, update_answer;
    uint32_t delay_ms;

    struct buffer output;  /* what the client was told */
    struct buffer journal; /* what the lobby was told */
    int64_t held_ms;       /* how long answers were held back, in all */
    size_t left_count;     /* mrose's messages at the end */
};

/* Options: pop.example.test, TLS available and begun when it is asked for, clear passwords allowed,
 * PLAIN, LOGIN and SCRAM-SHA-256. Two messages of 120 and 200 octets, as RFC 1939 §10 has them. */
void conversation_init(struct conversation *conversation);
void conversation_finish(struct conversation *conversation);

/* cmocka's setup and teardown: *state is a conversation. */
int conversation_setup(void **state);
int conversation_teardown(void **state);

/* Runs it in all ways; fails the cmocka test when they differ. Long inputs are split at some
 * positions only. */
void conversation_run(struct conversation *conversation, struct slice input);

/* The same for a text, and behind "USER mrose" and "PASS secret". */
void conversation_say(struct conversation *conversation, const char *text);
void conversation_log_in_and_say(struct conversation *conversation, const char *text);

/* Fails the test unless it was said (to the client), told (to the lobby), or neither. */
void conversation_expect_said(const struct conversation *conversation, const char *text);
void conversation_expect_unsaid(const struct conversation *conversation, const char *text);
void conversation_expect_told(const struct conversation *conversation, const char *text);
void conversation_expect_untold(const struct conversation *conversation, const char *text);

/* Fails the test unless the output ends so. */
void conversation_expect_last(const struct conversation *conversation, const char *text);

#endif
