/* SPDX-License-Identifier: ISC */
/* Other addresses in place of those in a header, and in an envelope: what Unix mailers call
 * canonical addresses (fred@host → Fred.Dupont@truc.fr) and masquerade (@*.truc.fr → @truc.fr).
 * Nothing else of a field changes: names, comments, folds and the order stay. */
#ifndef MESSAGE_REWRITE_H
#define MESSAGE_REWRITE_H

#include "base/arena.h"
#include "base/buffer.h"

/* "OLD NEW": user@host user@domain; @host @domain (every user keeps the local part); @*.domain
 * @domain (of all hosts below, but not of the domain itself). Case does not matter. Slices borrow
 * from the text. */
struct rewrite_rule {
    struct slice from_local; /* empty: any */
    struct slice from_domain;
    bool is_below;         /* all domains that end in a dot and from_domain */
    struct slice to_local; /* empty: stays */
    struct slice to_domain;
};

/* NULL, or what was expected. */
const char *rewrite_rule_parse(struct slice text, struct rewrite_rule *ret_rule);

struct rewrite_rules {
    const struct rewrite_rule *at;
    size_t count;
};

/* All rules of a list, which live in the arena with their texts. NULL, or what was expected of
 * texts[*ret_bad]. */
const char *rewrite_rules_parse(const struct slice *texts, size_t count, struct arena *arena,
                                struct rewrite_rules *ret_rules, size_t *ret_bad);

/* The first rule that is about it says what comes in its place: puts local@domain, quoted where it
 * must be. False, and nothing put, when there is none. */
MUST_USE bool rewrite_address(const struct rewrite_rules *rules, struct slice local,
                              struct slice domain, struct buffer *out);

/* The same of "local@domain" as envelopes have it. */
MUST_USE bool rewrite_mailbox(const struct rewrite_rules *rules, struct slice mailbox,
                              struct buffer *out);

/* Puts the header (fields, without the empty line) with other addresses in From, Sender, Reply-To,
 * To, Cc, Bcc, their Resent- forms and Disposition-Notification-To. A field whose list cannot be
 * read to its end stays as it is. The arena is scratch. */
void rewrite_header(const struct rewrite_rules *rules, struct slice header, struct arena *arena,
                    struct buffer *out);

#endif
