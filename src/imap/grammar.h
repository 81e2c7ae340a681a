/* SPDX-License-Identifier: ISC */
/* What commands are made of (RFC 9051 §9, RFC 3501 §9), one function a rule. A command is one
 * slice: its lines, with each literal's octets behind its "{n}" and line end. Takers fail without
 * moving; what they give borrows from the command or from the arena. */
#ifndef IMAP_GRAMMAR_H
#define IMAP_GRAMMAR_H

#include "base/arena.h"
#include "base/cursor.h"
#include "base/time.h"

enum {
    IMAP_TAG_MAX = 100,
    IMAP_ATOM_MAX = 1000,
    IMAP_LISTED_NAME_MAX = 1024, /* of a mailbox: 400 octets of the store's, behind an owner's */
    IMAP_FLAGS_MAX = 64,     /* keywords in one command */
    IMAP_KEYWORD_MAX = 100, /* octets */
};

MUST_USE bool imap_take_space(struct cursor *cursor);
/* tag = 1*<any ASTRING-CHAR except "+"> */
MUST_USE bool imap_take_tag(struct cursor *cursor, struct slice *ret_tag);
/* atom = 1*ATOM-CHAR */
MUST_USE bool imap_take_atom(struct cursor *cursor, struct slice *ret_atom);
/* string = quoted / literal; also literal8 (RFC 3516) and UTF-8 in quoted (RFC 9051). */
MUST_USE bool imap_take_string(struct cursor *cursor, struct arena *arena,
                               struct slice *ret_string);
/* literal, literal8: "{n}" CRLF octets, also with "+" (RFC 7888). *ret_is_binary may be NULL. */
MUST_USE bool imap_take_literal(struct cursor *cursor, struct slice *ret_octets,
                                bool *ret_is_binary);
/* astring = 1*ASTRING-CHAR / string */
MUST_USE bool imap_take_astring(struct cursor *cursor, struct arena *arena,
                                struct slice *ret_string);
/* nstring = string / nil; NIL has at == NULL. */
MUST_USE bool imap_take_nstring(struct cursor *cursor, struct arena *arena,
                                struct slice *ret_string);
/* list-mailbox = 1*list-char / string */
MUST_USE bool imap_take_list_mailbox(struct cursor *cursor, struct arena *arena,
                                     struct slice *ret_pattern);
/* nz-number; number; number64 */
MUST_USE bool imap_take_nz_number(struct cursor *cursor, uint32_t *ret_number);
MUST_USE bool imap_take_number64(struct cursor *cursor, uint64_t *ret_number);
/* date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE */
MUST_USE bool imap_take_date_time(struct cursor *cursor, struct wall *ret_wall);
/* date = date-text / DQUOTE date-text DQUOTE: the day as days since 1970-01-01. */
MUST_USE bool imap_take_date(struct cursor *cursor, int32_t *ret_day);

/* Flags of a command: system flags as bits (mailbox/message.h has the same), names of keywords. */
struct imap_flags {
    uint8_t bits; /* of system flags */
    bool has_recent;
    bool is_over_limit; /* more keywords, or a longer one, than are taken: reading fails */
    size_t keyword_count;
    struct slice keywords[IMAP_FLAGS_MAX];
};
enum imap_flag {
    IMAP_SEEN = 1,
    IMAP_ANSWERED = 2,
    IMAP_FLAGGED = 4,
    IMAP_DELETED = 8,
    IMAP_DRAFT = 16,
};
/* flag = "\Answered" / … / flag-keyword */
MUST_USE bool imap_take_flag(struct cursor *cursor, struct imap_flags *flags);
/* flag-list = "(" [flag *(SP flag)] ")" */
MUST_USE bool imap_take_flag_list(struct cursor *cursor, struct imap_flags *ret_flags);

/* The word, in any case, and nothing of a longer word. */
MUST_USE bool imap_take_word(struct cursor *cursor, struct slice word);

/* True for an octet that may stand in an atom. */
bool imap_is_atom_char(uint8_t byte);

/* A mailbox name as the client sent it, in the form that the store keeps: UTF-8, "INBOX" in
 * capitals. `is_utf8`: the session speaks UTF-8 (RFC 9051, RFC 6855), otherwise modified UTF-7.
 * False for what is neither. */
MUST_USE bool imap_name_decode(struct slice sent, bool is_utf8, struct arena *arena,
                               struct slice *ret_name);

/* The same for a pattern of LIST: "%" and "*" pass. */
MUST_USE bool imap_pattern_decode(struct slice sent, bool is_utf8, struct arena *arena,
                                  struct slice *ret_pattern);

/* True when the name matches: "*" any octets, "%" any but '/' (RFC 9051 §6.3.9). INBOX matches in
 * any case. Longer names than IMAP_LISTED_NAME_MAX match nothing. */
MUST_USE bool imap_pattern_matches(struct slice pattern, struct slice name);

#endif
