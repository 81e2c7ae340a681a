/* SPDX-License-Identifier: ISC */
/* Addresses in header fields: RFC 5322 §3.4 and §4.4, RFC 6532, RFC 6854 (groups in From), and the
 * forms that occur without being legal. Parsing never fails: it gives what can be made out, in
 * order, and says what was wrong. Not for the SMTP envelope: that is room `envelope`. */
#ifndef MESSAGE_ADDRESS_H
#define MESSAGE_ADDRESS_H

#include "base/arena.h"
#include "base/buffer.h"

/* A longer list is cut (address_list.is_cut). */
enum { ADDRESSES_MAX = 10000 };

enum address_kind {
    ADDRESS_MAILBOX,
    ADDRESS_GROUP_START, /* name is the group's; its mailboxes follow */
    ADDRESS_GROUP_END    /* nothing in it; every start has its end */
};

enum address_defect {
    ADDRESS_NO_DOMAIN = 1 << 0,         /* "postmaster", "undisclosed recipients" */
    ADDRESS_NO_LOCAL = 1 << 1,          /* "<@example.org>", "<>", a name alone */
    ADDRESS_ROUTE = 1 << 2,             /* obs-route */
    ADDRESS_OBS_LOCAL = 1 << 3,         /* obs-local-part: blanks or comments round dots, a mix of
                                           atoms and quoted strings */
    ADDRESS_OBS_DOMAIN = 1 << 4,        /* blanks or comments inside the domain */
    ADDRESS_OBS_PHRASE = 1 << 5,        /* a dot in an unquoted name: "John Q. Public" */
    ADDRESS_EMPTY_ITEM = 1 << 6,        /* obs-mbox-list: ",," (marked at the next address; behind
                                           the last in the list's defects) */
    ADDRESS_UNCLOSED = 1 << 7,          /* a missing '>', '"', ')', ']' or ';' */
    ADDRESS_UNQUOTED_SPECIAL = 1 << 8,  /* "Brown @ Home <a@b>", "a@b <a@b>": taken as name */
    ADDRESS_BAD_DOTS = 1 << 9,          /* dots at the ends of, or side by side in, a local part */
    ADDRESS_MULTIPLE_AT = 1 << 10,      /* "a@b@c": the last one counts */
    ADDRESS_STRAY = 1 << 11,            /* something behind the address was passed over */
    ADDRESS_NOT_UTF8 = 1 << 12,         /* octets above 127 that are not UTF-8 */
    ADDRESS_CONTROL = 1 << 13,          /* control octets inside: left out of names */
    ADDRESS_SEMICOLON = 1 << 14,        /* ';' used as a comma, as some mailers do */
    ADDRESS_QUOTED_WORD = 1 << 15       /* an encoded word between quotes: not one by RFC 2047 §5,
                                           but meant as one */
};

/* Slices borrow from the text where they can, else live in the arena. */
struct address {
    struct address *next;
    enum address_kind kind;
    uint16_t defects;
    bool has_encoded_word; /* name or comment has "=?…?=" outside quotes: mime decodes it */
    struct slice name;     /* display name: unquoted, one blank between words; may be empty */
    struct slice route;    /* "@a,@b" without the colon; empty when there is none */
    struct slice local;    /* unquoted, without comments and blanks */
    struct slice domain;   /* without comments and blanks; a literal keeps its brackets */
    struct slice comment;  /* what comments say, one blank between them */
    struct slice raw;      /* in the text, without blanks round it and without the comma */
    size_t offset;         /* of raw in the text */
};

struct address_list {
    struct address *first;
    struct address *last; /* meaningful when there is a first */
    size_t count;      /* group starts and ends included */
    uint16_t defects;  /* of all addresses and of the list */
    bool is_cut;       /* ADDRESSES_MAX, or the arena's limit */
};

/* Reads an address-list; mailbox-list and a single mailbox are such lists too. `text` is the body
 * of a field, folded or not; it must outlive the list. */
void address_list_parse(struct arena *arena, struct slice text, struct address_list *ret_list);

/* Joins a second field's list (obsolete: a second To:) to the first. */
void address_list_append(struct address_list *list, struct address_list *more);

/* What to call the person: the name, else the comment, else empty. (`jean@jussieu.fr (Jean)`.) */
struct slice address_label(const struct address *address);

/* Puts local part and domain: local@domain, the local part quoted where it must be. */
void address_put_spec(struct buffer *buffer, const struct address *address);

/* Puts one address in canonical form, unfolded: `Name <local@domain>`, `local@domain`; a group's
 * start as `Name:`, its end as `;`. A name that has_encoded_word goes out as it is, others are
 * quoted where they must be. Routes and comments are left out, but a comment that serves as label
 * becomes the name. */
void address_format(const struct address *address, struct buffer *out);

/* Puts a list with commas, folded before FOLD_COLUMN_MAX (fold.h) where it can be; `column` is
 * where the first line stands already ("To: " makes 4). No line end at the end. */
void address_list_format(const struct address_list *list, size_t column, struct buffer *out);

/* True when both have equal local parts (octets) and equal domains (case, IDNA: domain.h). */
MUST_USE bool address_equal(const struct address *left, const struct address *right);

#endif
