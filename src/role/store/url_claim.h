/* SPDX-License-Identifier: ISC */
/* A URL that carries a permission (RFC 4467), as somebody else has read it. Private to this folder.
 */
#ifndef ROLE_STORE_URL_CLAIM_H
#define ROLE_STORE_URL_CLAIM_H

#include "note/access_store.h"
#include "role/store/reach.h"

struct url_claim {
    struct slice asker; /* who has logged in */
    bool is_submission; /* to hand it in: urlauth=submit+ASKER, and no other, will do */
    struct slice owner, name;
    uint32_t uid;
    int64_t expires_s;
    enum access_store_url_reach reach;
    struct slice user, rump, token;
};

/* The message that it permits to be read now; false whatever is wrong. */
MUST_USE bool url_claim_find(struct store_role *role, const struct url_claim *claim,
                             struct reached *ret_reached, struct message_entry *ret_entry);

#endif
