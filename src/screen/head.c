/* SPDX-License-Identifier: ISC */
#include "screen/head.h"

#include "message/summary.h"
#include "mime/encoded_word.h"
#include "screen/traffic.h"
#include "text/unicode.h"
#include "text/utf8.h"

#include <stdlib.h>

enum { FIELD_MAX = 64 * 1024, KEY_MAX = 4 * FIELD_MAX, ARENA_MAX = 16 << 20, NAMES_MAX = 20 };

static char *
copy_printable(struct slice raw)
{
    struct buffer decoded, line;

    buffer_init(&decoded, FIELD_MAX);
    buffer_init(&line, 4 * FIELD_MAX);
    mime_encoded_words_decode(&decoded, slice_first(raw, FIELD_MAX / 4));
    utf8_put_printable(&line, slice_trim(buffer_slice(&decoded)));
    char *copy = traffic_copy(buffer_slice(&line));
    buffer_finish(&decoded);
    buffer_finish(&line);
    return copy;
}

static void
put_person(const struct address *address, struct buffer *out)
{
    struct slice label = address_label(address);
    struct buffer decoded;

    if (label.len == 0) {
        address_put_spec(out, address);
        return;
    }
    buffer_init(&decoded, FIELD_MAX);
    mime_encoded_words_decode(&decoded, slice_first(label, FIELD_MAX / 4));
    utf8_put_printable(out, buffer_slice(&decoded));
    buffer_finish(&decoded);
}

static char *
copy_people(const struct address_list *list)
{
    struct buffer text, line;
    size_t count = 0;

    buffer_init(&text, KEY_MAX);
    buffer_init(&line, KEY_MAX);
    for (const struct address *a = list->first; a && count < NAMES_MAX; a = a->next) {
        if (a->kind == ADDRESS_GROUP_END)
            continue;
        buffer_put_text(&text, count++ > 0 ? ", " : "");
        put_person(a, &text);
    }
    utf8_put_printable(&line, buffer_slice(&text));
    char *copy = traffic_copy(buffer_slice(&line));
    buffer_finish(&text);
    buffer_finish(&line);
    return copy;
}

void
head_put_key(struct slice words, struct buffer *out)
{
    unicode_put_plain_key(out, words);
}

static char *
make_key(const struct head *head)
{
    const char *const texts[] = {head->from, head->to, head->subject};
    struct buffer key;

    buffer_init(&key, 4 * KEY_MAX);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        head_put_key(slice_of_string(texts[i]), &key);
        buffer_put_byte(&key, '\n');
    }
    char *copy = traffic_copy(buffer_slice(&key));
    buffer_finish(&key);
    return copy;
}

static bool
is_for(const struct address_list *list, const char *own)
{
    struct buffer spec;
    bool is_mine = false;

    buffer_init(&spec, FIELD_MAX);
    for (const struct address *a = list->first; own && a && !is_mine; a = a->next) {
        buffer_clear(&spec);
        if (a->kind == ADDRESS_MAILBOX)
            address_put_spec(&spec, a);
        is_mine = slice_equal_nocase(buffer_slice(&spec), slice_of_string(own));
    }
    buffer_finish(&spec);
    return is_mine;
}

static char *
copy_some(struct slice field)
{
    return field.len > 0 && field.len <= FIELD_MAX ? traffic_copy(field) : NULL;
}

void
head_parse(struct slice bytes, const char *own, struct head *head)
{
    struct arena arena;
    struct header header;
    struct summary summary;

    arena_init(&arena, ARENA_MAX);
    header_parse(&arena, bytes, &header);
    summary_gather(&arena, &header, &summary);
    const struct field *type = header_find(&header, FIELD_CONTENT_TYPE, NULL);
    head->date = summary.has_date ? summary.date.wall : head->received;
    head->from = copy_people(&summary.from);
    head->to = copy_people(&summary.to);
    head->subject = copy_printable(summary.subject);
    head->message_id = copy_some(summary.message_id);
    head->in_reply_to = copy_some(summary.in_reply_to);
    head->references = copy_some(summary.references);
    head->has_parts =
        type && slice_starts_with_nocase(slice_trim(type->body), SLICE("multipart/mixed"));
    head->has_mentions = is_for(&summary.to, own) || is_for(&summary.cc, own);
    head->key = make_key(head);
    arena_finish(&arena);
}

void
head_finish(struct head *head)
{
    free(head->from);
    free(head->to);
    free(head->subject);
    free(head->key);
    free(head->message_id);
    free(head->in_reply_to);
    free(head->references);
    *head = (struct head){0};
}
