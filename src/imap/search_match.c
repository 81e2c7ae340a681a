/* SPDX-License-Identifier: ISC */
/* What a message says to a term. */
#include "imap/search.h"

#include "mime/encoded_word.h"
#include "mime/text.h"

enum { TEXT_MAX = 64 << 20, FIELD_MAX = 1 << 20, STACK_MAX = IMAP_SEARCH_TERMS_MAX };

static enum imap_search_need
need_of(enum imap_term_kind kind)
{
    return kind >= IMAP_TERM_HEADER        ? IMAP_NEED_OCTETS
           : kind >= IMAP_TERM_SENT_BEFORE ? IMAP_NEED_RECORD
           : kind >= IMAP_TERM_BEFORE      ? IMAP_NEED_ENTRY
                                           : IMAP_NEED_COLUMNS;
}

static int64_t
floor_day(int64_t seconds)
{
    return seconds >= 0 ? seconds / 86400 : -((-seconds + 86399) / 86400);
}

static bool
compare_day(int64_t day, int32_t wanted, enum imap_term_kind kind, enum imap_term_kind before)
{
    return kind == before ? day < wanted : kind == before + 1 ? day == wanted : day >= wanted;
}

/* ---- columns and entries --------------------------------------------------------------------- */

static bool
test_columns(const struct imap_term *term, const struct imap_candidate *candidate)
{
    const struct imap_mailbox *mailbox = candidate->mailbox;
    uint32_t place = candidate->place;

    if (term->kind == IMAP_TERM_FLAG)
        return mailbox->flags[place] & term->flag;
    if (term->kind == IMAP_TERM_KEYWORD)
        return mailbox->keywords[place] & imap_mailbox_keyword(mailbox, term->name);
    if (term->kind == IMAP_TERM_NUMBERS)
        return imap_set_has(&term->set, place);
    if (term->kind == IMAP_TERM_MODSEQ)
        return mailbox->modseqs[place] >= term->number;
    return term->kind == IMAP_TERM_ALL;
}

static bool
test_entry(const struct imap_term *term, const struct imap_candidate *candidate)
{
    const struct access_store_message *entry = candidate->entry;
    int64_t internal = entry->internal_ns / 1000000000;

    if (term->kind == IMAP_TERM_YOUNGER)
        return internal >= candidate->now_s - (int64_t)term->number;
    if (term->kind == IMAP_TERM_OLDER)
        return internal <= candidate->now_s - (int64_t)term->number;
    if (term->kind == IMAP_TERM_LARGER)
        return entry->len > term->number;
    if (term->kind == IMAP_TERM_SMALLER)
        return entry->len < term->number;
    if (term->kind == IMAP_TERM_EMAILID)
        return term->is_present && entry->body == term->number;
    if (term->kind >= IMAP_TERM_SAVED_BEFORE && term->kind <= IMAP_TERM_SAVED_SINCE)
        return compare_day(floor_day(entry->saved_ns / 1000000000), term->day, term->kind,
                           IMAP_TERM_SAVED_BEFORE);
    return compare_day(floor_day(internal), term->day, term->kind, IMAP_TERM_BEFORE);
}

/* ---- the record ------------------------------------------------------------------------------ */

static bool
is_in(struct collate_pattern *pattern, struct slice text)
{
    return text.at && collate_pattern_is_in(pattern, text);
}

static bool
is_in_decoded(struct collate_pattern *pattern, struct slice text)
{
    struct buffer decoded;

    if (!text.at)
        return false;
    if (!mime_encoded_words_present(text))
        return collate_pattern_is_in(pattern, text);
    buffer_init(&decoded, FIELD_MAX);
    mime_encoded_words_decode(&decoded, text);
    bool is_found = collate_pattern_is_in(pattern, buffer_slice(&decoded));
    buffer_finish(&decoded);
    return is_found;
}

/* `name <mailbox@host>`, so that what people see is found, whatever part of it they type. */
static bool
is_in_address(struct collate_pattern *pattern, const struct mime_record_address *address)
{
    struct buffer text;

    buffer_init(&text, FIELD_MAX);
    if (address->name.at)
        mime_encoded_words_decode(&text, address->name);
    if (address->mailbox.at) {
        buffer_put_text(&text, " <");
        buffer_put(&text, address->mailbox);
        if (address->host.at) {
            buffer_put_byte(&text, '@');
            buffer_put(&text, address->host);
        }
        buffer_put_byte(&text, '>');
    }
    bool is_found = collate_pattern_is_in(pattern, buffer_slice(&text));
    buffer_finish(&text);
    return is_found;
}

static bool
test_addresses(const struct imap_term *term, const struct mime_record *record,
               const struct mime_record_message *summary)
{
    for (uint32_t i = 0; i < summary->addresses_count[term->list]; i++) {
        struct mime_record_address address =
            mime_record_address(record, summary->addresses_first[term->list] + i);
        if (is_in_address(term->pattern, &address))
            return true;
    }
    return false;
}

/* Without time and zone: the day as the sender wrote it (§6.4.4, SENTON). */
static bool
test_sent(const struct imap_term *term, bool has_date, int64_t date_s, int32_t zone_s)
{
    return has_date &&
           compare_day(floor_day(date_s + zone_s), term->day, term->kind, IMAP_TERM_SENT_BEFORE);
}

static bool
test_record(const struct imap_term *term, const struct imap_candidate *candidate)
{
    const struct imap_message *message = candidate->message;
    struct mime_record_message summary;

    if (term->kind == IMAP_TERM_THREADID)
        return term->is_present && imap_thread_id(message, candidate->entry->body) == term->number;
    if (!message->has_record)
        return false;
    mime_record_message(&message->record, 0, &summary);
    if (term->kind == IMAP_TERM_ADDRESS)
        return test_addresses(term, &message->record, &summary);
    if (term->kind == IMAP_TERM_SUBJECT)
        return is_in(term->pattern, summary.subject_text);
    return test_sent(term, summary.has_wall, wall_seconds(summary.wall), summary.zone_s);
}

/* ---- the headline ---------------------------------------------------------------------------- */

bool
imap_search_is_headline(enum imap_term_kind kind)
{
    bool is_saved = kind >= IMAP_TERM_SAVED_BEFORE && kind <= IMAP_TERM_SAVED_SINCE;

    return kind >= IMAP_TERM_BEFORE && kind <= IMAP_TERM_SUBJECT && !is_saved &&
           kind != IMAP_TERM_EMAILID;
}

static bool
test_headline(const struct imap_term *term, const struct imap_candidate *candidate)
{
    const struct imap_headline *headline = candidate->headline;
    struct access_store_message entry = {.len = headline->message_len,
                                         .internal_ns = headline->arrival_ns};
    struct imap_candidate known = {.entry = &entry, .now_s = candidate->now_s};

    if (term->kind == IMAP_TERM_SUBJECT)
        return is_in(term->pattern, imap_headline_subject(headline));
    if (term->kind >= IMAP_TERM_SENT_BEFORE)
        return test_sent(term, headline->has_date, wall_seconds((struct wall){headline->date_ns}),
                         headline->zone_s);
    return test_entry(term, &known);
}

/* ---- octets ---------------------------------------------------------------------------------- */

static bool
gather(void *context, struct slice text)
{
    struct buffer *all = context;

    buffer_put(all, text);
    return !buffer_overflowed(all);
}

static bool
test_text(const struct imap_term *term, const struct imap_candidate *candidate)
{
    struct mime_tree tree;
    struct buffer all;

    mime_tree_parse(candidate->octets, candidate->arena, &tree);
    if (tree.count == 0)
        return false;
    buffer_init(&all, TEXT_MAX);
    if (term->kind == IMAP_TERM_TEXT)
        mime_text_head(&tree, gather, &all);
    mime_text_body(&tree, gather, &all);
    bool is_found = collate_pattern_is_in(term->pattern, buffer_slice(&all));
    buffer_finish(&all);
    return is_found;
}

/* One field, unfolded: line ends go, the blanks behind them stay. */
static bool
test_field(const struct imap_term *term, struct slice field)
{
    struct buffer value;

    buffer_init(&value, FIELD_MAX);
    for (size_t i = 0; i < field.len; i++) {
        if (field.at[i] != '\r' && field.at[i] != '\n')
            buffer_put_byte(&value, field.at[i]);
    }
    bool is_found = is_in_decoded(term->pattern, slice_trim(buffer_slice(&value)));
    buffer_finish(&value);
    return is_found;
}

static bool
test_header(const struct imap_term *term, const struct imap_candidate *candidate)
{
    struct slice header = candidate->octets;
    struct imap_part_path path = {.depth = 0};
    enum mime_encoding encoding;
    uint32_t offset, len;

    if (!imap_section_find(candidate->message, &path, IMAP_SECTION_HEADER, &offset, &len,
                           &encoding))
        return false;
    for (header = slice_first(header, len); header.len > 0;) {
        size_t end = slice_find_byte(header, '\n') + 1;
        while (end < header.len && (header.at[end] == ' ' || header.at[end] == '\t'))
            end += slice_find_byte(slice_skip(header, end), '\n') + 1;
        struct slice field = slice_first(header, end);
        size_t colon = slice_find_byte(field, ':');
        header = slice_skip(header, field.len);
        if (slice_equal_nocase(slice_trim(slice_first(field, colon)), term->name) &&
            colon < field.len &&
            (term->is_present || test_field(term, slice_skip(field, colon + 1))))
            return true;
    }
    return false;
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* BODY and TEXT of a message that the index knows. */
static bool
is_indexed(const struct imap_term *term, const struct imap_candidate *candidate)
{
    return (term->kind == IMAP_TERM_BODY || term->kind == IMAP_TERM_TEXT) &&
           candidate->mailbox->uids[candidate->place] < term->indexed_below;
}

static bool
test_index(const struct imap_term *term, const struct imap_candidate *candidate)
{
    struct imap_set found = imap_set_builder_set(term->found);

    return imap_set_has(&found, candidate->mailbox->uids[candidate->place]);
}

static enum imap_truth
test_term(const struct imap_term *term, const struct imap_candidate *candidate)
{
    enum imap_search_need need = need_of(term->kind);
    bool is_true;

    if (is_indexed(term, candidate))
        return test_index(term, candidate) ? IMAP_TRUE : IMAP_FALSE;
    bool is_headline = candidate->headline && imap_search_is_headline(term->kind);
    if (need > candidate->known && !is_headline)
        return IMAP_UNKNOWN;
    if (is_headline)
        is_true = test_headline(term, candidate);
    else if (need == IMAP_NEED_COLUMNS)
        is_true = test_columns(term, candidate);
    else if (need == IMAP_NEED_ENTRY)
        is_true = test_entry(term, candidate);
    else if (need == IMAP_NEED_RECORD)
        is_true = test_record(term, candidate);
    else
        is_true = term->kind == IMAP_TERM_HEADER ? test_header(term, candidate)
                                                 : test_text(term, candidate);
    return is_true ? IMAP_TRUE : IMAP_FALSE;
}

static enum imap_truth
join(enum imap_term_kind kind, enum imap_truth left, enum imap_truth right)
{
    enum imap_truth decides = kind == IMAP_TERM_AND ? IMAP_FALSE : IMAP_TRUE;

    if (left == decides || right == decides)
        return decides;
    return left == IMAP_UNKNOWN || right == IMAP_UNKNOWN ? IMAP_UNKNOWN
           : kind == IMAP_TERM_AND                       ? IMAP_TRUE
                                                         : IMAP_FALSE;
}

enum imap_truth
imap_search_test(const struct imap_search *search, const struct imap_candidate *candidate)
{
    NOT_ZEROED uint8_t stack[STACK_MAX];
    size_t depth = 0;

    for (size_t i = 0; i < search->count; i++) {
        const struct imap_term *term = &search->terms[i];
        if (term->kind == IMAP_TERM_NOT) {
            uint8_t *top = &stack[depth - 1];
            *top = *top == IMAP_UNKNOWN ? IMAP_UNKNOWN : *top == IMAP_TRUE ? IMAP_FALSE : IMAP_TRUE;
        } else if (term->kind == IMAP_TERM_AND || term->kind == IMAP_TERM_OR) {
            depth--;
            stack[depth - 1] = (uint8_t)join(term->kind, stack[depth - 1], stack[depth]);
        } else {
            stack[depth++] = (uint8_t)test_term(term, candidate);
        }
    }
    return stack[0];
}
