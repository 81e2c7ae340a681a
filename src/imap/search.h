/* SPDX-License-Identifier: ISC */
/* Search programs (RFC 9051 §6.4.4 and extensions): terms and operators in postfix order, so that
 * neither reading nor doing them recurses. What a term needs is fetched only while the terms that
 * need less leave the answer open. */
#ifndef IMAP_SEARCH_H
#define IMAP_SEARCH_H

#include "base/arena.h"
#include "base/cursor.h"
#include "imap/headline.h"
#include "imap/set.h"
#include "imap/structure.h"
#include "text/collate.h"

enum { IMAP_SEARCH_TERMS_MAX = 2000, IMAP_SEARCH_DEPTH_MAX = 50 };

enum imap_term_kind {
    IMAP_TERM_NOT, /* operators */
    IMAP_TERM_AND,
    IMAP_TERM_OR,
    IMAP_TERM_ALL, /* what columns tell */
    IMAP_TERM_FLAG,
    IMAP_TERM_KEYWORD,
    IMAP_TERM_NONE, /* RECENT, NEW: no message is */
    IMAP_TERM_NUMBERS,
    IMAP_TERM_MODSEQ,
    IMAP_TERM_BEFORE, /* what the store's entries tell; days */
    IMAP_TERM_ON,
    IMAP_TERM_SINCE,
    IMAP_TERM_SAVED_BEFORE,
    IMAP_TERM_SAVED_ON,
    IMAP_TERM_SAVED_SINCE,
    IMAP_TERM_YOUNGER,
    IMAP_TERM_OLDER,
    IMAP_TERM_LARGER,
    IMAP_TERM_SMALLER,
    IMAP_TERM_EMAILID,
    IMAP_TERM_SENT_BEFORE, /* what the record tells */
    IMAP_TERM_SENT_ON,
    IMAP_TERM_SENT_SINCE,
    IMAP_TERM_SUBJECT,
    IMAP_TERM_ADDRESS,
    IMAP_TERM_THREADID,
    IMAP_TERM_HEADER, /* what the octets tell */
    IMAP_TERM_BODY,
    IMAP_TERM_TEXT,
};

/* What a term needs to be known. */
enum imap_search_need {
    IMAP_NEED_COLUMNS,
    IMAP_NEED_ENTRY,
    IMAP_NEED_RECORD,
    IMAP_NEED_OCTETS,
};

struct imap_term {
    enum imap_term_kind kind;
    uint8_t flag;    /* FLAG */
    bool is_present; /* EMAILID, THREADID: it can be one; HEADER: any value will do */
    uint64_t number; /* KEYWORD's bit, MODSEQ, sizes, seconds, EMAILID */
    int32_t day;
    struct imap_set set;             /* NUMBERS: places */
    struct slice name;               /* HEADER, KEYWORD */
    enum mime_record_list list;      /* ADDRESS */
    struct collate_pattern *pattern; /* finished by imap_search_finish */
    struct slice text;               /* of the pattern */
    /* BODY and TEXT, when the store has an index: it decides about UIDs below `indexed_below`. */
    uint32_t indexed_below;
    struct imap_set_builder *found; /* UIDs; finished by imap_search_finish */
};

struct imap_search {
    struct imap_term *terms;
    size_t count;
    enum imap_search_need need; /* the most that a term needs */
    bool has_modseq;            /* MODSEQ was among the keys */
    bool has_numbers;           /* message numbers were, or "$": they mean what they meant then */
    bool has_headline;          /* a key was that headlines can tell */
};

/* True for what a headline tells. */
bool imap_search_is_headline(enum imap_term_kind kind);

struct imap_server;

/* search-key *(SP search-key). On failure *ret_problem, when not NULL, is a text of a NO. */
MUST_USE bool imap_take_search(struct imap_server *server, struct cursor *cursor,
                               struct imap_search *search, const char **ret_problem);
void imap_search_finish(struct imap_search *search);

enum imap_truth { IMAP_FALSE, IMAP_TRUE, IMAP_UNKNOWN };

/* A message as far as it is known. */
struct imap_candidate {
    const struct imap_mailbox *mailbox;
    uint32_t place;
    enum imap_search_need known;
    const struct imap_headline *headline;     /* NULL: none is kept */
    const struct access_store_message *entry; /* from ENTRY on */
    const struct imap_message *message;       /* from RECORD on */
    struct slice octets;                      /* with OCTETS */
    int64_t now_s;
    struct arena *arena; /* for reading the octets; reset by the caller */
};
enum imap_truth imap_search_test(const struct imap_search *search,
                                 const struct imap_candidate *candidate);

#endif
