/* SPDX-License-Identifier: ISC */
/* What we log in with at other hosts (smart hosts): DATA/directory/credentials, one a line,
 *
 *     NAME USER SECRET
 *
 * NAME is what auth=NAME of a transport says; the secret is the rest of the line; # for comments.
 */
#ifndef ROUTING_CREDENTIALS_H
#define ROUTING_CREDENTIALS_H

#include "base/slice.h"

enum { ROUTING_USER_MAX = 256, ROUTING_SECRET_MAX = 1024 };

struct routing_credentials {
    struct slice user, secret; /* borrow from the file */
};

/* Looks a name up in the file's bytes; the last line that fits wins. False when there is none. */
MUST_USE bool routing_credentials_find(struct slice file, struct slice name,
                                       struct routing_credentials *ret_credentials);

#endif
