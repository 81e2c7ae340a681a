/* SPDX-License-Identifier: ISC */
/* A small post office behind a server engine, for tests: answers every question by rules that can
 * be read off the address, keeps what was accepted, and writes down all that it was told.
 *
 * Local domains: example.test, foo.com, jussieu.fr. Everybody lives there but for these names:
 * unknown and green (550), moved (551), forwarded (251), busy (450), fault (451), full (452),
 * overquota (552), ambiguous (553). Other domains: 554, after AUTH 250. The password of alice is
 * "wonderland". A message with a line "X-Office: full", "refused" or "fault" is answered 452, 554
 * or 451 at its end, one with "gone" 421; with "last" it is the last of the session. With LMTP,
 * the answers for held-200 and held-500 are held back for so many ms. */
#ifndef SMTP_TESTS_OFFICE_H
#define SMTP_TESTS_OFFICE_H

#include "base/buffer.h"
#include "smtp/server.h"

enum { OFFICE_MESSAGES_MAX = 4096, OFFICE_RECIPIENTS_MAX = 1000 };

struct office_message {
    char *recipient; /* canonical, letters in lower case */
    struct slice bytes;
};

/* What all sessions share. */
struct office {
    struct office_message messages[OFFICE_MESSAGES_MAX];
    size_t message_count;
};

/* One session. */
struct office_desk {
    struct office *office;
    struct smtp_server *server;
    struct buffer journal; /* a line for each event */
    struct buffer body;
    char *recipients[OFFICE_RECIPIENTS_MAX];
    size_t recipient_count, answered_count;
    uint16_t greeting; /* code of the answer to CONNECT; 0: 220 */
    bool offers_names;
    uint16_t tls_code; /* of the answer to STARTTLS; 0: 220 */
    struct smtp_verdict hello, body_begin; /* answers to HELLO and BODY_BEGIN */
    bool is_tls_due;   /* STARTTLS was answered 220 */
    bool is_closed;
    int auth_step;
    char mechanism[32];
};

/* Frees the messages; the office is empty and usable again. */
void office_finish(struct office *office);

/* Sets up a session's desk in the caller's memory; it owns the server, and finish closes it. */
void office_desk_init(struct office_desk *desk, struct office *office, struct smtp_server *server);
void office_desk_finish(struct office_desk *desk);

/* Takes all events that wait, and answers the questions. */
void office_desk_work(struct office_desk *desk, struct instant now);

#endif
