/* SPDX-License-Identifier: ISC */
/* Replays one client's input against a server engine and an office (office.h): whole, octet by
 * octet, and split in two at every position. Events and output must be the same each time. There is
 * no TLS here: what follows an accepted STARTTLS is plaintext behind it. */
#ifndef SMTP_TESTS_CONVERSATION_H
#define SMTP_TESTS_CONVERSATION_H

#include "smtp/tests/office.h"

struct conversation {
    struct smtp_server_options options;
    struct smtp_server_peer peer;
    uint16_t greeting, tls_code;
    bool offers_names; /* XNAMES */
    struct smtp_verdict hello, body_begin;
    struct office office;  /* of the last run */
    struct buffer output;  /* what the client was told */
    struct buffer journal; /* what the office was told */
    int64_t held_ms;       /* how long answers were held back, in all */
};

/* Options: a host foo.com, everything else by default. */
void conversation_init(struct conversation *conversation);
void conversation_finish(struct conversation *conversation);

/* cmocka's setup and teardown: *state is a conversation. */
int conversation_setup(void **state);
int conversation_teardown(void **state);

/* Runs it in all ways; fails the cmocka test when they differ. Long inputs are split at 200
 * positions only. */
void conversation_run(struct conversation *conversation, struct slice input);

/* Fails the test unless the reply codes are these, in order: "220 250 250". A multi-line reply
 * counts once. */
void conversation_expect_codes(const struct conversation *conversation, const char *codes);

/* Fails the test unless it was said (to the client), told (to the office), or neither. */
void conversation_expect_said(const struct conversation *conversation, const char *text);
void conversation_expect_told(const struct conversation *conversation, const char *text);
void conversation_expect_untold(const struct conversation *conversation, const char *text);

#endif
