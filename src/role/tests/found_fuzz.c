/* SPDX-License-Identifier: ISC */
/* What the text index finds in a message is what SEARCH finds that reads it: TEXT and BODY, for
 * words from the message itself (what has blanks in it the index finds across line ends, too:
 * search/key.h). And what SUBJECT and HEADER find, TEXT finds. */
#include "imap/search.h"
#include "mime/text.h"
#include "search/key.h"
#include "text/utf8.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { WORDS = 12, WORD_MAX = 24 };

struct found {
    struct slice octets;
    struct imap_message message;
    struct mime_tree tree;
    struct buffer text, head, body; /* all that is said, as keys where it is the index's */
    bool has_control;               /* in the header; subjects are told without */
};

static bool
gather_text(void *context, struct slice text)
{
    buffer_put(context, text);
    return true;
}

/* As `deliver` does it. */
static bool
gather_key(void *context, struct slice text)
{
    search_key_put(context, text);
    return !buffer_overflowed(context);
}

static bool
is_true(const struct found *found, enum imap_term_kind kind, struct slice name, struct slice word)
{
    struct collate_pattern pattern;
    struct imap_term term = {.kind = kind, .name = name, .pattern = &pattern, .text = word};
    const struct imap_search search = {.terms = &term, .count = 1};
    uint32_t uid = 1;
    const struct imap_mailbox mailbox = {.uids = &uid};
    struct arena arena;
    const struct imap_candidate candidate = {.mailbox = &mailbox,
                                             .known = IMAP_NEED_OCTETS,
                                             .message = &found->message,
                                             .octets = found->octets,
                                             .arena = &arena};

    bool is_ready = collate_pattern_init(&pattern, COLLATION_UNICODE_CASEMAP, word);
    assert(is_ready);
    arena_init(&arena, 64 << 20);
    enum imap_truth truth = imap_search_test(&search, &candidate);
    collate_pattern_finish(&pattern);
    arena_finish(&arena);
    assert(truth != IMAP_UNKNOWN);
    return truth == IMAP_TRUE;
}

static void
expect(bool is_right, const char *what, struct slice word)
{
    if (is_right)
        return;
    fprintf(stderr, "%s: \"%.*s\"\n", what, (int)word.len, (const char *)word.at);
    abort();
}

/* SUBJECT looks into the first field of that name, HEADER into all of them, TEXT into all fields.
 */
static void
check_subject(const struct found *found, struct slice word, bool is_text)
{
    struct slice none = {0};

    bool is_subject = is_true(found, IMAP_TERM_SUBJECT, none, word);
    expect(is_text || !is_subject, "SUBJECT", word);
    bool is_header = is_true(found, IMAP_TERM_HEADER, SLICE("Subject"), word);
    expect(is_header || !is_subject, "SUBJECT and HEADER", word);
    expect(is_text || !is_header, "HEADER", word);
}

static void
check_word(const struct found *found, struct slice word)
{
    struct slice head = buffer_slice(&found->head), body = buffer_slice(&found->body), none = {0};
    struct buffer key;

    buffer_init(&key, SEARCH_SOUGHT_MAX);
    search_key_put(&key, word);
    struct slice sought = buffer_slice(&key);
    if (slice_find_byte(sought, ' ') < sought.len) { /* U+00A0 is a blank in keys */
        buffer_finish(&key);
        return;
    }
    bool is_in_body = slice_find(body, sought) < body.len;
    bool is_in_head = slice_find(head, sought) < head.len;
    bool is_text = is_true(found, IMAP_TERM_TEXT, none, word);
    expect(is_true(found, IMAP_TERM_BODY, none, word) == is_in_body, "BODY", word);
    expect(is_text == (is_in_body || is_in_head), "TEXT", word);
    if (!found->has_control)
        check_subject(found, word, is_text);
    buffer_finish(&key);
}

static bool
is_blank(uint8_t octet)
{
    return octet <= ' ' || octet == 127;
}

/* A control character, as which CR within a line counts. */
static bool
has_control(struct slice header)
{
    for (size_t i = 0; i < header.len; i++) {
        uint8_t octet = header.at[i];
        bool is_end = octet == '\n' ||
                      (octet == '\r' && i + 1 < header.len && header.at[i + 1] == '\n');
        if (octet == 127 || (octet < ' ' && octet != '\t' && !is_end))
            return true;
    }
    return false;
}

/* Some characters without a blank, from a place in what the message says. */
static struct slice
word_at(struct slice text, size_t place, size_t len_max)
{
    while (place < text.len && (is_blank(text.at[place]) || (text.at[place] & 0xC0) == 0x80))
        place++;
    struct slice word = utf8_first(slice_skip(text, place), len_max);
    size_t len = 0;
    while (len < word.len && !is_blank(word.at[len]))
        len++;
    return slice_first(word, len);
}

static void
check_words(const struct found *found)
{
    struct slice text = buffer_slice(&found->text);
    struct slice subject = {0};
    struct mime_record_message summary;
    size_t place = found->octets.len * 7;

    mime_record_message(&found->message.record, 0, &summary);
    subject = summary.subject_text;
    for (size_t i = 0; i < WORDS && text.len > 0; i++, place = place * 31 + 17) {
        struct slice from = i % 3 == 0 && subject.len > 0 ? subject : text;
        struct slice word = word_at(from, place % from.len, 1 + place % WORD_MAX);
        if (word.len > 0)
            check_word(found, word);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct found found = {.octets = slice_of(data, len)};
    struct arena arena;
    struct buffer record;

    arena_init(&arena, 64 << 20);
    buffer_init(&record, MIME_RECORD_MAX);
    buffer_init(&found.text, SIZE_MAX / 4);
    buffer_init(&found.head, SEARCH_HEAD_MAX);
    buffer_init(&found.body, SEARCH_BODY_MAX);
    mime_tree_parse(found.octets, &arena, &found.tree);
    mime_record_put(&record, &found.tree, &arena);
    imap_message_open(&found.message, buffer_slice(&record), (uint32_t)len);
    mime_text_head(&found.tree, gather_text, &found.text);
    mime_text_body(&found.tree, gather_text, &found.text);
    mime_text_head(&found.tree, gather_key, &found.head);
    mime_text_body(&found.tree, gather_key, &found.body);
    assert(utf8_is_valid(buffer_slice(&found.text)));
    struct slice header = slice_first(found.octets, found.tree.parts[0].body_start);
    found.has_control = has_control(header);
    bool is_whole = !buffer_overflowed(&found.head) && !buffer_overflowed(&found.body);
    if (is_whole && !found.message.record.is_cut && !arena_failed(&arena))
        check_words(&found);
    buffer_finish(&found.text);
    buffer_finish(&found.head);
    buffer_finish(&found.body);
    buffer_finish(&record);
    arena_finish(&arena);
    return 0;
}
