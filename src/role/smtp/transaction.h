/* SPDX-License-Identifier: ISC */
/* One message on its way from a client to the store: envelope, recipients and body, until it is
 * filed. Private to this folder. */
#ifndef ROLE_SMTP_TRANSACTION_H
#define ROLE_SMTP_TRANSACTION_H

#include "base/arena.h"
#include "dkim/sign.h"
#include "envelope/completion.h"
#include "host/host.h"
#include "imap/url_part.h"
#include "message/authors.h"
#include "note/smtp_route.h"
#include "note/smtp_store.h"
#include "smtp/server.h"

enum {
    /* Bodies up to this travel in the note, larger ones in a blob. */
    TRANSACTION_INLINE_MAX = SMTP_STORE_SUBMIT_BODY_MAX,
    /* What all recipients' aliases lead to; a message has one outcome for each. */
    TRANSACTION_TARGETS_MAX = SMTP_STORE_SUBMIT_RECIPIENTS_MAX,
    TRANSACTION_GROUPS_MAX = SMTP_STORE_SUBMIT_GROUPS_MAX,
    TRANSACTION_ARENA_MAX = 8 * 1024 * 1024,
    TRANSACTION_QUEUE_ID_LEN = 14,
};

/* What one RCPT led to: indexes into the transaction's targets. Two recipients may share one. */
struct transaction_recipient {
    uint32_t *targets;
    uint32_t target_count;
};

struct transaction {
    struct host *host;
    struct arena arena;
    struct slice reverse_path;
    struct slice envelope_id;
    struct slice only_recipient; /* canonical; empty as soon as there are two */
    struct transaction_recipient *recipients;
    struct smtp_store_recipient *targets;
    uint32_t recipient_count, recipient_room;
    uint32_t target_count, target_room;
    struct smtp_store_group groups[TRANSACTION_GROUPS_MAX];
    uint32_t group_count;
    struct envelope_mail_parameters parameters; /* its slices are not kept */
    struct instant begun;                       /* BY counts from here (RFC 2852 §4) */
    int64_t hold_until_s;                       /* 0: it goes at once */
    struct slice hold; /* "for;3600", "until;2030-01-01T00:00:00Z": as it was asked for */
    char queue_id[TRANSACTION_QUEUE_ID_LEN + 1];
    struct envelope_completion completion; /* of a message that a user hands in */
    struct buffer head;                    /* what is held of the header (head.h) */
    bool is_head_over;
    struct smtp_verdict mail_verdict;  /* while route is asked about the sender (claim.h) */
    struct authors authors;            /* whom the message names */
    bool is_claimed;                   /* they are looked at */
    struct authors_list claimed;       /* once it is over; lies in the arena */
    struct authors_list resenters;     /* who has sent it on last */
    size_t claimed_next;               /* the first of `claimed` that is not known to be his */
    bool is_foreign;                   /* strangers wrote it, and somebody sends it on */
    bool is_resent;                    /* … who is what `claimed` is about now */
    struct dkim_collection collection; /* of what is signed (sign.h) */
    struct slice author;               /* in whose name, once that is certain; else empty */
    bool is_signed;
    struct buffer body; /* until it is larger than TRANSACTION_INLINE_MAX */
    struct host_blob *blob;
    uint64_t declared_bytes; /* SIZE; 0: not said */
    uint64_t body_bytes;
    uint64_t envelope_bytes; /* that were counted for its recipients */
    int body_error;                /* a negative errno once a piece could not be kept */
    struct imap_url_part url_part; /* of BURL, while the store is asked; lies in the arena */
};

/* Begins one with what MAIL said; never NULL. */
struct transaction *transaction_open(struct host *host, const struct envelope_path *reverse_path,
                                     const struct envelope_mail_parameters *parameters);
/* Frees it and what it holds of the body; NULL is accepted. */
void transaction_close(struct transaction **transaction);

/* Until when MAIL wants the message to be held, in seconds since 1970; 0: it may go at once. */
int64_t transaction_hold_until_s(const struct envelope_mail_parameters *parameters,
                                 struct wall now);

/* Adds a recipient and the targets it leads to. False when the targets or their groups would be too
 * many; the transaction is then as before. */
MUST_USE bool transaction_add(struct transaction *transaction, const struct envelope_path *path,
                              const struct envelope_rcpt_parameters *parameters,
                              const struct smtp_route_route *route);

/* Takes the recipient back that was added last, and the one target that came with it. */
void transaction_remove_last(struct transaction *transaction);

/* What the envelope takes. */
uint64_t transaction_envelope_bytes(const struct transaction *transaction);

/* Keeps a piece of the body. What goes wrong is remembered in body_error. */
void transaction_put_body(struct transaction *transaction, struct slice piece);

/* Another form of the message takes its place; one that needs 7 bits only. The body is inline until
 * now: it may be in a blob then. */
void transaction_replace_body(struct transaction *transaction, struct slice message);

/* Hands the message to the store over `channel`; `note` is scratch. False, and nothing sent, when
 * the body could not be kept (body_error says why). The body is gone afterwards. */
struct transaction_submit {
    uint64_t id;
    bool is_atomic;
    bool is_submission;
    struct slice prefix; /* Return-Path: and Received: */
    uint16_t prefix_return_path_len;
};
MUST_USE bool transaction_submit(struct transaction *transaction,
                                 const struct transaction_submit *submit,
                                 struct host_channel *channel, struct note_ledger *ledger,
                                 struct buffer *note);

/* The answer to one recipient, or to all (recipient UINT32_MAX), out of what the store said of the
 * targets: the worst of them. */
struct smtp_verdict transaction_verdict(const struct transaction *transaction,
                                        const struct smtp_store_outcome_list *outcomes,
                                        uint32_t recipient);

#endif
