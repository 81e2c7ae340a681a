/* SPDX-License-Identifier: ISC */
/* URLs of messages and their parts (RFC 5092), as CATENATE (RFC 4469) takes them: relative to the
 * session; and those that carry a permission (RFC 4467). */
#ifndef IMAP_URL_H
#define IMAP_URL_H

#include "base/arena.h"
#include "base/slice.h"

/* Who may use the URL: "user+fred", "submit+fred", "authuser", "anonymous". */
enum imap_url_access {
    IMAP_URL_USER,
    IMAP_URL_SUBMIT,
    IMAP_URL_AUTHUSER,
    IMAP_URL_ANONYMOUS,
};

enum { IMAP_URL_TOKEN = 32, IMAP_URL_RUMP_MAX = 4000 };

struct imap_url {
    struct slice
        mailbox; /* unescaped, as a client would send it in UTF-8; empty: the selected one */
    uint32_t uid_validity; /* 0: not said */
    uint32_t uid;
    struct slice section; /* "1.2.MIME"; empty: all */
    bool is_partial;
    uint32_t partial_start, partial_len; /* len 0: to the end */
    /* With a permission: */
    bool is_authorized;
    struct slice owner; /* unescaped: the user in whose name it was given */
    int64_t expires_s;  /* Unix time; 0: never */
    enum imap_url_access access;
    struct slice user; /* of access; empty: none goes with it */
    struct slice rump; /* the URL up to where the token is, or is to be; part of the text */
    struct slice token;
};

/* "/INBOX;UIDVALIDITY=785799047/;UID=113330/;SECTION=1.5.9/;PARTIAL=0.1024" or without what the
 * session gives. False for what is no URL of a message here. */
MUST_USE bool imap_url_parse(struct slice text, struct arena *arena, struct imap_url *ret_url);

/* "imap://joe@example.com/INBOX/;UID=20/;SECTION=1.2;EXPIRE=2030-01-02T03:04:05Z;URLAUTH=authuser",
 * and with `has_token` ":INTERNAL:" and the token in hexadecimal digits. Whatever server it names:
 * the token decides. */
MUST_USE bool imap_url_parse_authorized(struct slice text, bool has_token, struct arena *arena,
                                        struct imap_url *ret_url);

#endif
