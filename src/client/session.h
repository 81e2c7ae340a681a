/* SPDX-License-Identifier: ISC */
/* What the blocking sessions of SMTP, POP3 and IMAP are given. */
#ifndef CLIENT_SESSION_H
#define CLIENT_SESSION_H

#include "client/account.h"
#include "client/wire.h"

/* Borrowed for as long as the session lives. */
struct client_login {
    const struct client_account *account;
    struct slice password;
    /* States and dialogue are written there, secrets masked. NULL: nowhere. */
    struct buffer *trace;
};

#endif
