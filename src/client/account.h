/* SPDX-License-Identifier: ISC */
/* Accounts of a person: which servers, which name, which address. A file holds them, one section
 * each:
 *
 *     [home]
 *     address = alice@example.test
 *     name = Alice Example
 *     reply-to = team@example.test
 *     login = alice@example.test
 *     incoming = imaps://mail.example.test
 *     outgoing = smtps://mail.example.test:465
 *     trust = /etc/ssl/mine.pem
 *     password-command = pass show mail/home
 *     sent = Sent
 *     copy = /srv/mail/home
 *     receipts = ask
 *
 * Lines that begin with # are comments. Schemes: imap, imaps, pop3, pop3s; smtp, smtps. Those with
 * an s have TLS from the first byte, the others require STARTTLS, unless `tls = offered` or
 * `tls = never` says otherwise. Passwords are not here: see secret.h. */
#ifndef CLIENT_ACCOUNT_H
#define CLIENT_ACCOUNT_H

#include "base/arena.h"
#include "base/buffer.h"
#include "client/problem.h"

enum { CLIENT_ACCOUNTS_MAX = 1000, CLIENT_ACCOUNT_NAME_MAX = 64 };

enum client_protocol { CLIENT_NONE, CLIENT_IMAP, CLIENT_POP3, CLIENT_SMTP };

enum client_tls { CLIENT_TLS_REQUIRED, CLIENT_TLS_OFFERED, CLIENT_TLS_NEVER };

/* What is done when a message asks for a receipt. */
enum client_receipts { CLIENT_RECEIPTS_ASK, CLIENT_RECEIPTS_NEVER, CLIENT_RECEIPTS_ALWAYS };

struct client_server {
    enum client_protocol protocol; /* NONE: not given */
    bool is_secure;                /* TLS from the first byte */
    uint16_t port;
    const char *host;
};

/* Strings are in the arena; NULL where nothing was said. */
struct client_account {
    const char *name; /* of the section: letters, digits, '.', '-', '_', '@' */
    const char *address;
    const char *person;
    const char *reply_to;
    const char *login; /* as `address` when nothing was said */
    const char *password_command;
    const char *trust;
    const char *sent; /* folder for what was sent; "" for none; as "Sent" when nothing was said */
    const char *copy; /* where sync.h keeps a copy; NULL: ~/Mail/NAME */
    const char *organization;
    const char *certificate; /* S/MIME: PEM file with certificate and key */
    enum client_tls tls;
    enum client_receipts receipts;
    struct client_server incoming, outgoing;
};

struct client_accounts {
    struct client_account *accounts; /* in the arena */
    size_t count;
};

/* Reads a file's text; the problem names the line. */
MUST_USE bool client_accounts_parse(struct arena *arena, struct slice text,
                                    struct client_accounts *ret_accounts,
                                    struct client_problem *problem);

/* Sets what a key of a section says: "tls", "offered". False, and the problem is set, when it is
 * not among what the key may say. */
MUST_USE bool client_account_set(struct arena *arena, struct client_account *account,
                                 struct slice key, struct slice value,
                                 struct client_problem *problem);

/* Puts the section of one account, as it is read again. */
void client_account_format(const struct client_account *account, struct buffer *out);

/* "imaps://host:port"; without a port the scheme's own. False, and the problem is set, when it is
 * none. */
MUST_USE bool client_server_parse(struct arena *arena, struct slice url,
                                  struct client_server *ret_server, struct client_problem *problem);
void client_server_format(const struct client_server *server, struct buffer *out);

/* The account of this name or address; NULL name: the first. NULL when there is none. */
const struct client_account *client_accounts_find(const struct client_accounts *accounts,
                                                  const char *name);

#endif
