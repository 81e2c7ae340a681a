/* SPDX-License-Identifier: ISC */
/* The paths of MAIL FROM and RCPT TO: RFC 5321 §4.1.2 and §4.1.3, in UTF-8 RFC 6531 §3.3. */
#ifndef ENVELOPE_PATH_H
#define ENVELOPE_PATH_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/cursor.h"

/* Octets as they stand in the command. RFC 5321 §4.5.3.1.1 requires 64 for a local part, and asks
 * not to stop there: forwarders and mailing lists (SRS, VERP) do write longer ones. */
enum {
    ENVELOPE_LOCAL_MAX = 256,
    ENVELOPE_DOMAIN_MAX = 255, /* RFC 5321 §4.5.3.1.2 */
    ENVELOPE_LABEL_MAX = 63, /* RFC 1035 §2.3.4; of a label in UTF-8 the octets are not counted */
    ENVELOPE_ROUTE_MAX = 512,
    /* No canonical form is longer than what it was made from. */
    ENVELOPE_CANONICAL_MAX = ENVELOPE_LOCAL_MAX + 1 + ENVELOPE_DOMAIN_MAX,
};

enum envelope_path_kind {
    ENVELOPE_PATH_NULL,       /* <>: reverse-paths only */
    ENVELOPE_PATH_POSTMASTER, /* <postmaster>, in any case: forward-paths only */
    ENVELOPE_PATH_MAILBOX,
};

enum envelope_domain_kind {
    ENVELOPE_DOMAIN_NONE, /* NULL and POSTMASTER */
    ENVELOPE_DOMAIN_NAME,
    ENVELOPE_DOMAIN_IPV4,   /* [192.168.42.1] */
    ENVELOPE_DOMAIN_IPV6,   /* [IPv6:…] */
    ENVELOPE_DOMAIN_TAGGED, /* [tag:…], a general address literal */
};

struct envelope_path {
    enum envelope_path_kind kind;
    enum envelope_domain_kind domain_kind;
    struct slice local;     /* without quotes and backslashes, case as it came; "postmaster" */
    struct slice domain;    /* lower case; of literals with the brackets */
    struct slice canonical; /* local@domain, quoted where it must be; "postmaster"; empty: <> */
    struct slice route;     /* "@a,@b" lower case, or empty */
    uint8_t address[16];    /* of literals, network order; 4 octets for IPv4 */
    bool is_utf8;           /* has octets that need SMTPUTF8 */
};

enum envelope_fault {
    ENVELOPE_OK,
    ENVELOPE_BAD_SYNTAX,
    ENVELOPE_BAD_LOCAL,  /* no local part, or characters that it cannot have */
    ENVELOPE_BAD_DOMAIN, /* no domain, or one that cannot be */
    ENVELOPE_LOCAL_LONG,
    ENVELOPE_DOMAIN_LONG,
    ENVELOPE_ROUTE_LONG,
    ENVELOPE_NOT_UTF8,  /* octets above 127 that are not UTF-8 */
    ENVELOPE_NO_MEMORY, /* the arena's limit */
};

/* Take a path from the front of the cursor; what follows it stays. On ENVELOPE_OK the cursor stands
 * behind it and *ret_path is set, its slices in `arena`; on a fault both are untouched.
 * Accepted beyond the grammar, because it is typed by hand and common: spaces before the path, a
 * path without brackets (then it ends at a space). Octets above 127 are accepted here as UTF-8 and
 * told in is_utf8: whether they may come is the caller's to know. */
MUST_USE enum envelope_fault envelope_path_take_reverse(struct cursor *cursor, struct arena *arena,
                                                        struct envelope_path *ret_path);
MUST_USE enum envelope_fault envelope_path_take_forward(struct cursor *cursor, struct arena *arena,
                                                        struct envelope_path *ret_path);

/* A whole slice that is one mailbox without brackets ("alice@example.test"). */
MUST_USE enum envelope_fault envelope_mailbox_parse(struct slice text, struct arena *arena,
                                                    struct envelope_path *ret_path);

/* A Domain or address literal (RFC 5321 §4.1.2, §4.1.3), as EHLO has it. The cursor is untouched
 * when it fails. *ret_domain borrows from the input, in its own case. Underscores are accepted:
 * many hosts have them in their names. */
MUST_USE bool envelope_domain_take(struct cursor *cursor, enum envelope_domain_kind *ret_kind,
                                   struct slice *ret_domain);

/* Puts "<canonical>", with the source route if asked for. */
void envelope_path_put(struct buffer *buffer, const struct envelope_path *path, bool with_route);

/* A sentence about the fault, for replies: "the local part is too long". */
const char *envelope_fault_text(enum envelope_fault fault);

#endif
