/* SPDX-License-Identifier: ISC */
/* Receipts that messages ask for (RFC 8098): whether one is due, sending it, and never twice. What
 * was sent or refused is remembered in a file of this user's, for an account as a whole; on an IMAP
 * server also by $MDNSent (RFC 3503), for other programs, which is the caller's to set: flag
 * CLIENT_RECEIPT_SENT. */
#ifndef TOOL_MAIL_RECEIPT_H
#define TOOL_MAIL_RECEIPT_H

#include "dsn/receipt.h"
#include "tool/mail/desk.h"
#include "tool/mail/view.h"

enum receipt_due {
    RECEIPT_NOT_DUE, /* not asked for, not permitted, not wanted, sent, refused, or one's own */
    RECEIPT_TO_ASK,  /* the person decides */
    RECEIPT_TO_SEND  /* nobody is asked: the account says so, and it is safe */
};

/* `flags` of the message. */
enum receipt_due receipt_look(const struct client_account *account, struct view *view,
                              uint32_t flags);

/* Puts "Alice <alice@…> asks for a receipt": what a person is asked, without the question. */
void receipt_put_question(struct view *view, struct buffer *out);

/* Sends it and remembers that. EX_OK, also when it waits; or a code after having said why not:
 * EX_DATAERR when none may be sent. */
MUST_USE int receipt_send(struct desk *desk, struct view *view, uint32_t flags, bool is_automatic);

/* Remembers that none is to be sent. */
MUST_USE int receipt_refuse(const struct client_account *account, struct view *view);

#endif
