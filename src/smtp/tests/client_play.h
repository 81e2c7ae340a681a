/* SPDX-License-Identifier: ISC */
/* A client engine with somebody who uses it, for tests: carries messages one after another, answers
 * CONVERT, takes STARTTLS as done, and writes down all that it is told, a line each:
 *
 *     READY
 *     RESULT 0 delivered 250 2.0.0 Message accepted
 *     DONE
 *     CLOSE quit 221 2.0.0 Goodbye
 *
 * Behind a result may stand "session", "too-many", "dsn-passed" and "by-passed". */
#ifndef SMTP_TESTS_CLIENT_PLAY_H
#define SMTP_TESTS_CLIENT_PLAY_H

#include "base/buffer.h"
#include "smtp/client.h"

enum { CLIENT_PLAY_MESSAGES_MAX = 4 };

struct client_play {
    struct smtp_client_options options; /* set before begin */
    const struct smtp_client_message *messages[CLIENT_PLAY_MESSAGES_MAX];
    size_t message_count;
    const char *binding; /* of the TLS connection, exported by RFC 9266; NULL: none */
    const char *converted; /* answer to CONVERT; NULL: it cannot be had */
    bool stays;            /* no QUIT behind the last message */
    struct smtp_client *client;
    struct slice content;
    struct buffer journal;
    size_t carried;
    struct instant now;
    bool is_tls_due, is_closed;
};

/* All by default: our name is bar.com. The messages are the caller's. */
void client_play_init(struct client_play *play);
/* One message, the caller's. */
void client_play_set_message(struct client_play *play, const struct smtp_client_message *message);
void client_play_begin(struct client_play *play);
void client_play_finish(struct client_play *play);

/* Takes all events and does what they ask for. */
void client_play_work(struct client_play *play);

/* Plays a dialogue with whole lines, octet by octet and in pieces of seven. Lines "S:" are said by
 * the host, lines "C:" must be what the client says, "T:" is a TLS handshake, "E:" the end of the
 * connection, "W:" a wait until the client's patience ends. Fails the cmocka test unless the
 * journal is this and nothing is left to say. */
void client_play_dialogue(struct client_play *play, const char *dialogue, const char *journal);

/* cmocka's setup and teardown: *state is a client_play. */
int client_play_setup(void **state);
int client_play_teardown(void **state);

#endif
