/* SPDX-License-Identifier: ISC */
/* URLs of messages and their parts (RFC 5092), as CATENATE (RFC 4469) takes them: relative to the
 * session. */
#ifndef IMAP_URL_H
#define IMAP_URL_H

#include "base/arena.h"
#include "base/slice.h"

struct imap_url {
    struct slice
        mailbox; /* unescaped, as a client would send it in UTF-8; empty: the selected one */
    uint32_t uid_validity; /* 0: not said */
    uint32_t uid;
    struct slice section; /* "1.2.MIME"; empty: all */
    bool is_partial;
    uint32_t partial_start, partial_len; /* len 0: to the end */
};

/* "/INBOX;UIDVALIDITY=785799047/;UID=113330/;SECTION=1.5.9/;PARTIAL=0.1024" or without what the
 * session gives. False for what is no URL of a message here. */
MUST_USE bool imap_url_parse(struct slice text, struct arena *arena, struct imap_url *ret_url);

#endif
