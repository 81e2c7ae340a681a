/* SPDX-License-Identifier: ISC */
/* Private to the room: the SASL exchange of a session, POP3's or IMAP's. */
#ifndef CLIENT_LOGIN_H
#define CLIENT_LOGIN_H

#include "client/session.h"
#include "sasl/client.h"

enum { LOGIN_MECHANISMS_MAX = 6 };

struct login {
    const struct client_login *from;
    struct sasl_client *sasl; /* while an exchange runs */
};

/* The mechanisms that an account can speak, best first; returns how many. */
size_t login_mechanisms(const struct client_account *account,
                        struct slice mechanisms[LOGIN_MECHANISMS_MAX]);

/* The initial response; the response to a challenge. False: give the exchange up. Valid until the
 * next call. */
MUST_USE bool login_begin(struct login *login, const struct client_wire *wire,
                          struct slice mechanism, struct slice *ret_response);
MUST_USE bool login_step(struct login *login, struct slice challenge, struct slice *ret_response);

/* The server says that we are in: whether to believe it. Also ends what was given up. */
bool login_end(struct login *login);

#endif
