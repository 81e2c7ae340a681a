/* SPDX-License-Identifier: ISC */
/* An IMAP session for callers that wait: the automaton of imap/client.h on a connection. Messages
 * are named by UID. */
#ifndef CLIENT_IMAP_H
#define CLIENT_IMAP_H

#include "client/session.h"
#include "imap/client.h"

struct client_imap;

/* Connects and logs in; NULL and the problem is set. */
struct client_imap *client_imap_open(const struct client_login *login,
                                     struct client_problem *problem);

/* Called for each event that answers the question which runs; slices live during the call. */
typedef void (*client_imap_fn)(void *context, const struct imap_client_event *event);

/* Asks, and waits for the reply. False, and the problem is set, when it is not OK. `fn` may be
 * NULL; it gets all events but those of the connection and the reply itself. */
MUST_USE bool client_imap_ask(struct client_imap *imap, const struct imap_client_question *question,
                              client_imap_fn fn, void *context, struct client_problem *problem);

/* APPEND of a whole message; *ret_uid is 0 when the server does not tell. */
MUST_USE bool client_imap_append(struct client_imap *imap, struct slice mailbox, struct slice flags,
                                 struct slice message, uint32_t *ret_uid,
                                 struct client_problem *problem);

/* The same with the time when it was received; flags as in a question. */
struct client_imap_letter {
    struct slice mailbox, flags, message;
    struct wall received; /* 0: now */
};
MUST_USE bool client_imap_put(struct client_imap *imap, const struct client_imap_letter *letter,
                              uint32_t *ret_uid, struct client_problem *problem);

/* The code of the last reply ("COPYUID 1 2 3"); valid until the next question. */
struct slice client_imap_code(const struct client_imap *imap);

/* Flags as folder.h has them: those of a message that was fetched; and put as a question wants them
 * ("\\Seen $MDNSent"), those that the open mailbox keeps. */
uint32_t client_imap_flags(const struct imap_client_message *message);
void client_imap_put_flags(const struct client_imap *imap, uint32_t flags, struct buffer *out);

/* Waits, where the server has IDLE, until something has changed in the selected mailbox, or the
 * deadline; fn sees the changes. Without IDLE: NOOP at the deadline. */
MUST_USE bool client_imap_wait(struct client_imap *imap, struct instant deadline, client_imap_fn fn,
                               void *context, struct client_problem *problem);

/* From now on such a wait ends also when this descriptor has input; -1: no more. */
void client_imap_watch(struct client_imap *imap, int descriptor);

/* False when the session is over; a question that was refused does not end it. */
bool client_imap_is_open(const struct client_imap *imap);

/* What the server has said of itself; the selected mailbox. */
struct imap_client_facts client_imap_facts(const struct client_imap *imap);
struct imap_client_mailbox client_imap_mailbox(const struct client_imap *imap);

/* LOGOUT and free. Accepts a pointer to NULL. */
void client_imap_close(struct client_imap **imap);

#endif
