/* SPDX-License-Identifier: ISC */
/* Reading search keys. */
#include "imap/search.h"

#include "imap/server_private.h"

#include <stdlib.h>

enum argument {
    ARGUMENT_NONE,
    ARGUMENT_DATE,
    ARGUMENT_NUMBER,
    ARGUMENT_SECONDS,
    ARGUMENT_STRING,
    ARGUMENT_KEYWORD,
    ARGUMENT_HEADER,
    ARGUMENT_MODSEQ,
    ARGUMENT_ID,
    ARGUMENT_UIDS,
    ARGUMENT_UIDS_ABOVE,
    ARGUMENT_UIDS_BELOW,
};

struct key {
    const char *name;
    enum imap_term_kind kind;
    enum argument argument;
    uint8_t flag;
    bool is_negated;
    enum mime_record_list list;
};

static const struct key keys[] = {
    {"ALL", IMAP_TERM_ALL, .flag = 0},
    {"ANSWERED", IMAP_TERM_FLAG, .flag = IMAP_ANSWERED},
    {"DELETED", IMAP_TERM_FLAG, .flag = IMAP_DELETED},
    {"DRAFT", IMAP_TERM_FLAG, .flag = IMAP_DRAFT},
    {"FLAGGED", IMAP_TERM_FLAG, .flag = IMAP_FLAGGED},
    {"SEEN", IMAP_TERM_FLAG, .flag = IMAP_SEEN},
    {"UNANSWERED", IMAP_TERM_FLAG, .flag = IMAP_ANSWERED, .is_negated = true},
    {"UNDELETED", IMAP_TERM_FLAG, .flag = IMAP_DELETED, .is_negated = true},
    {"UNDRAFT", IMAP_TERM_FLAG, .flag = IMAP_DRAFT, .is_negated = true},
    {"UNFLAGGED", IMAP_TERM_FLAG, .flag = IMAP_FLAGGED, .is_negated = true},
    {"UNSEEN", IMAP_TERM_FLAG, .flag = IMAP_SEEN, .is_negated = true},
    {"NEW", IMAP_TERM_NONE, .flag = 0},
    {"RECENT", IMAP_TERM_NONE, .flag = 0},
    {"OLD", IMAP_TERM_ALL, .flag = 0},
    {"KEYWORD", IMAP_TERM_KEYWORD, ARGUMENT_KEYWORD},
    {"UNKEYWORD", IMAP_TERM_KEYWORD, ARGUMENT_KEYWORD, .is_negated = true},
    {"UID", IMAP_TERM_NUMBERS, ARGUMENT_UIDS},
    {"UIDAFTER", IMAP_TERM_NUMBERS, ARGUMENT_UIDS_ABOVE}, /* RFC 9738 */
    {"UIDBEFORE", IMAP_TERM_NUMBERS, ARGUMENT_UIDS_BELOW},
    {"MODSEQ", IMAP_TERM_MODSEQ, ARGUMENT_MODSEQ},
    {"BEFORE", IMAP_TERM_BEFORE, ARGUMENT_DATE},
    {"ON", IMAP_TERM_ON, ARGUMENT_DATE},
    {"SINCE", IMAP_TERM_SINCE, ARGUMENT_DATE},
    {"SAVEDBEFORE", IMAP_TERM_SAVED_BEFORE, ARGUMENT_DATE},
    {"SAVEDON", IMAP_TERM_SAVED_ON, ARGUMENT_DATE},
    {"SAVEDSINCE", IMAP_TERM_SAVED_SINCE, ARGUMENT_DATE},
    {"SAVEDATESUPPORTED", IMAP_TERM_ALL, .flag = 0},
    {"YOUNGER", IMAP_TERM_YOUNGER, ARGUMENT_SECONDS},
    {"OLDER", IMAP_TERM_OLDER, ARGUMENT_SECONDS},
    {"LARGER", IMAP_TERM_LARGER, ARGUMENT_NUMBER},
    {"SMALLER", IMAP_TERM_SMALLER, ARGUMENT_NUMBER},
    {"EMAILID", IMAP_TERM_EMAILID, ARGUMENT_ID},
    {"THREADID", IMAP_TERM_THREADID, ARGUMENT_ID},
    {"SENTBEFORE", IMAP_TERM_SENT_BEFORE, ARGUMENT_DATE},
    {"SENTON", IMAP_TERM_SENT_ON, ARGUMENT_DATE},
    {"SENTSINCE", IMAP_TERM_SENT_SINCE, ARGUMENT_DATE},
    {"SUBJECT", IMAP_TERM_SUBJECT, ARGUMENT_STRING},
    {"FROM", IMAP_TERM_ADDRESS, ARGUMENT_STRING, .list = MIME_RECORD_FROM},
    {"TO", IMAP_TERM_ADDRESS, ARGUMENT_STRING, .list = MIME_RECORD_TO},
    {"CC", IMAP_TERM_ADDRESS, ARGUMENT_STRING, .list = MIME_RECORD_CC},
    {"BCC", IMAP_TERM_ADDRESS, ARGUMENT_STRING, .list = MIME_RECORD_BCC},
    {"HEADER", IMAP_TERM_HEADER, ARGUMENT_HEADER},
    {"BODY", IMAP_TERM_BODY, ARGUMENT_STRING},
    {"TEXT", IMAP_TERM_TEXT, ARGUMENT_STRING},
};

/* Keys that are being read: how many operands a level still wants, and what joins them. */
struct level {
    enum imap_term_kind join; /* NOT, OR, or AND for what is in brackets */
    unsigned have;
};

struct reader {
    struct imap_server *server;
    struct cursor *cursor;
    struct imap_search *search;
    struct level levels[IMAP_SEARCH_DEPTH_MAX];
    size_t depth;
    const char *problem;
};

static struct imap_term *
add(struct reader *reader, enum imap_term_kind kind)
{
    struct imap_search *search = reader->search;
    enum imap_search_need need = kind >= IMAP_TERM_HEADER        ? IMAP_NEED_OCTETS
                                 : kind >= IMAP_TERM_SENT_BEFORE ? IMAP_NEED_RECORD
                                 : kind >= IMAP_TERM_BEFORE      ? IMAP_NEED_ENTRY
                                                                 : IMAP_NEED_COLUMNS;

    if (search->count == IMAP_SEARCH_TERMS_MAX) {
        reader->problem = "[LIMIT] too many search keys";
        return NULL;
    }
    if (need > search->need)
        search->need = need;
    search->has_headline = search->has_headline || imap_search_is_headline(kind);
    struct imap_term *term = &search->terms[search->count++];
    *term = (struct imap_term){.kind = kind};
    return term;
}

/* ---- arguments ------------------------------------------------------------------------------- */

static bool
take_pattern(struct reader *reader, struct imap_term *term)
{
    struct slice text;

    if (!imap_take_astring(reader->cursor, &reader->server->arena, &text))
        return false;
    struct collate_pattern *pattern = calloc(1, sizeof(*pattern));
    if (!pattern)
        abort();
    if (!collate_pattern_init(pattern, COLLATION_UNICODE_CASEMAP, text)) {
        free(pattern);
        reader->problem = "[LIMIT] a text is too long to be searched for";
        return false;
    }
    term->pattern = pattern;
    term->text = text;
    term->is_present = text.len == 0;
    return true;
}

/* ["<entry>" SP "all"/"priv"/"shared" SP] mod-sequence-valzer */
static bool
take_modseq(struct reader *reader, struct imap_term *term)
{
    struct arena *arena = &reader->server->arena;
    struct slice entry, type;

    reader->search->has_modseq = true;
    reader->server->enabled |= IMAP_ENABLED_CONDSTORE;
    if (cursor_peek(reader->cursor) == '"' &&
        (!imap_take_string(reader->cursor, arena, &entry) || !imap_take_space(reader->cursor) ||
         !imap_take_atom(reader->cursor, &type) || !imap_take_space(reader->cursor)))
        return false;
    return imap_take_number64(reader->cursor, &term->number);
}

static bool
take_id(struct reader *reader, struct imap_term *term)
{
    struct slice id;

    if (!imap_take_astring(reader->cursor, &reader->server->arena, &id))
        return false;
    struct cursor inside = cursor_of(id);
    term->is_present = cursor_take_byte(&inside, term->kind == IMAP_TERM_THREADID ? 'T' : 'M') &&
                       cursor_take_u64(&inside, 0, UINT64_MAX, &term->number) &&
                       cursor_is_done(&inside);
    return true;
}

static bool
take_numbers(struct reader *reader, struct imap_term *term, bool is_uids)
{
    struct imap_server *server = reader->server;
    bool was_uid = server->is_uid;

    server->is_uid = is_uids;
    bool is_taken = imap_take_places(server, reader->cursor, &term->set, NULL);
    server->is_uid = was_uid;
    return is_taken;
}

/* uniqueid: all above it, or all below. */
static bool
take_edge(struct reader *reader, struct imap_term *term, bool is_above)
{
    struct imap_range range = {1, UINT32_MAX};
    struct imap_set uids = {&range, 1};
    uint32_t edge;

    if (!imap_take_nz_number(reader->cursor, &edge))
        return false;
    uids.count = edge != (is_above ? UINT32_MAX : 1);
    if (is_above)
        range.first = edge + (uint32_t)uids.count;
    else
        range.last = edge - 1;
    return imap_view_places(&reader->server->view, &uids, true, &reader->server->arena, &term->set,
                            NULL);
}

static bool
take_argument(struct reader *reader, struct imap_term *term, enum argument argument)
{
    struct cursor *cursor = reader->cursor;
    uint32_t number;

    if (argument == ARGUMENT_NONE)
        return true;
    if (!imap_take_space(cursor))
        return false;
    switch (argument) {
    case ARGUMENT_DATE:
        return imap_take_date(cursor, &term->day);
    case ARGUMENT_NUMBER:
        return imap_take_number64(cursor, &term->number);
    case ARGUMENT_SECONDS:
        if (!imap_take_nz_number(cursor, &number))
            return false;
        term->number = number;
        return true;
    case ARGUMENT_STRING:
        return take_pattern(reader, term);
    case ARGUMENT_KEYWORD:
        return imap_take_atom(cursor, &term->name);
    case ARGUMENT_HEADER:
        return imap_take_astring(cursor, &reader->server->arena, &term->name) &&
               imap_take_space(cursor) && take_pattern(reader, term);
    case ARGUMENT_MODSEQ:
        return take_modseq(reader, term);
    case ARGUMENT_ID:
        return take_id(reader, term);
    case ARGUMENT_UIDS:
        return take_numbers(reader, term, true);
    case ARGUMENT_UIDS_ABOVE:
    case ARGUMENT_UIDS_BELOW:
        return take_edge(reader, term, argument == ARGUMENT_UIDS_ABOVE);
    case ARGUMENT_NONE:
        break;
    }
    return true;
}

/* ---- keys ------------------------------------------------------------------------------------ */

static bool
push(struct reader *reader, enum imap_term_kind join)
{
    if (reader->depth == IMAP_SEARCH_DEPTH_MAX) {
        reader->problem = "[LIMIT] search keys are nested too deep";
        return false;
    }
    reader->levels[reader->depth++] = (struct level){join, 0};
    return true;
}

/* An operand is complete: joins it with those before, and ends levels that have all of theirs. */
static bool
reduce(struct reader *reader)
{
    for (;;) {
        struct level *level = &reader->levels[reader->depth - 1];
        level->have++;
        if (level->join == IMAP_TERM_AND)
            return level->have == 1 || add(reader, IMAP_TERM_AND);
        if (level->join == IMAP_TERM_OR && level->have == 1)
            return true;
        if (!add(reader, level->join))
            return false;
        reader->depth--;
    }
}

static bool
take_named(struct reader *reader)
{
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        if (!imap_take_word(reader->cursor, slice_of_string(keys[i].name)))
            continue;
        struct imap_term *term = add(reader, keys[i].kind);
        if (!term)
            return false;
        term->flag = keys[i].flag;
        term->list = keys[i].list;
        if (!take_argument(reader, term, keys[i].argument))
            return false;
        return !keys[i].is_negated || add(reader, IMAP_TERM_NOT);
    }
    return false;
}

/* One step: an operator, a bracket, or a key with its arguments. *ret_is_operand: a key or a
 * bracket ended. */
static bool
take_key(struct reader *reader, bool *ret_is_operand)
{
    struct cursor *cursor = reader->cursor;
    int next = cursor_peek(cursor);

    *ret_is_operand = false;
    if (cursor_take_byte(cursor, '('))
        return push(reader, IMAP_TERM_AND);
    if (imap_take_word(cursor, SLICE("NOT")))
        return imap_take_space(cursor) && push(reader, IMAP_TERM_NOT);
    if (imap_take_word(cursor, SLICE("OR")))
        return imap_take_space(cursor) && push(reader, IMAP_TERM_OR);
    if (imap_take_word(cursor, SLICE("FUZZY"))) /* RFC 6203: exact matches are the fuzziest here */
        return imap_take_space(cursor);
    *ret_is_operand = true;
    if (byte_is_digit((uint8_t)next) || next == '*' || next == '$') {
        if (next != '$' && reader->server->enabled & IMAP_ENABLED_UIDONLY) {
            reader->problem = "[UIDREQUIRED] there are no message numbers with UIDONLY";
            return false;
        }
        struct imap_term *term = add(reader, IMAP_TERM_NUMBERS);
        reader->search->has_numbers = true;
        return term && take_numbers(reader, term, false);
    }
    return take_named(reader);
}

/* Closing brackets behind an operand. */
static bool
close_brackets(struct reader *reader)
{
    while (reader->depth > 1 && cursor_peek(reader->cursor) == ')') {
        const struct level *level = &reader->levels[reader->depth - 1];
        if (level->join != IMAP_TERM_AND || level->have == 0)
            return false;
        (void)!cursor_take_byte(reader->cursor, ')');
        reader->depth--;
        if (!reduce(reader))
            return false;
    }
    return true;
}

bool
imap_take_search(struct imap_server *server, struct cursor *cursor, struct imap_search *search,
                 const char **ret_problem)
{
    struct reader reader = {.server = server, .cursor = cursor, .search = search, .depth = 1};
    bool is_operand, is_good;

    reader.levels[0] = (struct level){IMAP_TERM_AND, 0};
    if (!search->terms)
        search->terms = ARENA_ARRAY(&server->arena, struct imap_term, IMAP_SEARCH_TERMS_MAX);
    if (!search->terms)
        return false;
    do {
        is_good = take_key(&reader, &is_operand);
        if (is_good && is_operand)
            is_good = reduce(&reader) && close_brackets(&reader);
        *ret_problem = reader.problem;
        if (!is_good)
            return false;
    } while (!is_operand || imap_take_space(cursor));
    return reader.depth == 1;
}

void
imap_search_finish(struct imap_search *search)
{
    for (size_t i = 0; i < search->count; i++) {
        struct imap_term *term = &search->terms[i];
        if (term->found)
            imap_set_builder_finish(term->found);
        free(term->found);
        if (term->pattern)
            collate_pattern_finish(term->pattern);
        free(term->pattern);
    }
    search->count = 0;
}
