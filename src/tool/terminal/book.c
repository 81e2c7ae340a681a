/* SPDX-License-Identifier: ISC */
#include "tool/terminal/book.h"

#include "message/address.h"
#include "mime/encoded_word.h"
#include "screen/traffic.h"
#include "text/unicode.h"
#include "text/utf8.h"
#include "tool/files.h"
#include "tool/mail/desk.h"

#include <stdlib.h>

enum { FILE_MAX = 16 << 20, LINE_MAX_OCTETS = 4096, ARENA_MAX = 64 << 20 };

struct book {
    char **lines; /* owned, oldest first */
    size_t count;
    bool has_changed;
};

static void
add(struct book *book, struct slice line)
{
    book->lines = traffic_grow(book->lines, book->count, sizeof(*book->lines));
    book->lines[book->count++] = traffic_copy(line);
}

struct book *
book_open(void)
{
    struct book *book = traffic_array(1, sizeof(*book));
    char *path = desk_state_path("addresses");
    struct buffer text;

    if (path && files_read_if_any(path, FILE_MAX, &text) == EX_OK) {
        for (struct slice rest = buffer_slice(&text); rest.len > 0;) {
            struct slice line = slice_first(rest, slice_find_byte(rest, '\n'));
            rest = slice_skip(rest, line.len + 1);
            if (line.len > 0 && book->count < BOOK_ADDRESSES_MAX)
                add(book, line);
        }
    }
    if (path)
        buffer_finish(&text);
    free(path);
    return book;
}

void
book_close(struct book **book)
{
    struct book *b = *book;

    for (size_t i = 0; i < b->count; i++)
        free(b->lines[i]);
    free(b->lines);
    free(b);
    *book = NULL;
}

bool
book_is_empty(const struct book *book)
{
    return book->count == 0;
}

/* "Name <address>", the name as people read it. */
static void
put_line(const struct address *address, struct buffer *out)
{
    struct address copy = *address;
    struct buffer name, printable;

    buffer_init(&name, LINE_MAX_OCTETS);
    buffer_init(&printable, LINE_MAX_OCTETS);
    mime_encoded_words_decode(&name, address_label(address));
    utf8_put_printable(&printable, buffer_slice(&name));
    copy.name = buffer_slice(&printable);
    copy.comment = SLICE("");
    copy.has_encoded_word = false;
    address_format(&copy, out);
    buffer_finish(&name);
    buffer_finish(&printable);
}

static struct slice
spec_of(struct slice line)
{
    size_t open = slice_find_last_byte(line, '<');

    return open < line.len ? slice_skip(line, open) : line;
}

static void
put_one(struct book *book, struct slice line)
{
    struct slice spec = spec_of(line);
    struct slice bare =
        slice_starts_with(spec, SLICE("<")) ? slice_between(spec, 1, spec.len - 1) : spec;

    for (size_t i = 0; i < book->count; i++) {
        struct slice old = slice_of_string(book->lines[i]), old_spec = spec_of(old);
        if (slice_starts_with(old_spec, SLICE("<")))
            old_spec = slice_between(old_spec, 1, old_spec.len - 1);
        if (!slice_equal_nocase(old_spec, bare))
            continue;
        if (i + 1 == book->count && slice_equal(old, line))
            return;
        /* A name is not forgotten because once none was written. */
        char *kept = spec.len == line.len ? book->lines[i] : traffic_copy(line);
        if (kept != book->lines[i])
            free(book->lines[i]);
        memmove(book->lines + i, book->lines + i + 1, (book->count - i - 1) * sizeof(*book->lines));
        book->lines[book->count - 1] = kept;
        book->has_changed = true;
        return;
    }
    if (book->count == BOOK_ADDRESSES_MAX) { /* the oldest gives way */
        free(book->lines[0]);
        memmove(book->lines, book->lines + 1, (book->count - 1) * sizeof(*book->lines));
        book->lines[book->count - 1] = traffic_copy(line);
    } else {
        add(book, line);
    }
    book->has_changed = true;
}

void
book_put(struct book *book, struct slice list)
{
    struct address_list addresses;
    struct arena arena;
    struct buffer line;

    arena_init(&arena, ARENA_MAX);
    buffer_init(&line, 4 * LINE_MAX_OCTETS);
    address_list_parse(&arena, list, &addresses);
    for (const struct address *a = addresses.first; a; a = a->next) {
        buffer_clear(&line);
        if (a->kind != ADDRESS_MAILBOX || a->local.len == 0 || a->domain.len == 0)
            continue;
        put_line(a, &line);
        struct slice text = buffer_slice(&line);
        if (text.len <= LINE_MAX_OCTETS && slice_find_byte(text, '\n') == text.len &&
            utf8_is_valid(text))
            put_one(book, text);
    }
    buffer_finish(&line);
    arena_finish(&arena);
}

void
book_keep(struct book *book)
{
    static const struct files_owner owner = {.user = FILES_NOBODY, .mode = 0600};
    char *path = book->has_changed ? desk_state_path("addresses") : NULL;
    struct buffer text;

    if (!path)
        return;
    buffer_init(&text, BOOK_ADDRESSES_MAX * (LINE_MAX_OCTETS + 1));
    for (size_t i = 0; i < book->count; i++) {
        buffer_put_text(&text, book->lines[i]);
        buffer_put_byte(&text, '\n');
    }
    if (files_replace(path, buffer_slice(&text), &owner) == EX_OK)
        book->has_changed = false;
    buffer_finish(&text);
    free(path);
}

/* At the beginning, or behind what is no letter: "ex" finds alice@example.test. */
static bool
has_word(struct slice key, struct slice typed)
{
    for (size_t at = 0; at < key.len;) {
        size_t found = slice_find(slice_skip(key, at), typed);
        if (found == key.len - at)
            return false;
        at += found;
        if (at == 0 || (!byte_is_alpha(key.at[at - 1]) && key.at[at - 1] < 0x80))
            return true;
        at++;
    }
    return false;
}

void
book_find(const struct book *book, struct slice typed, size_t max, book_fn fn, void *context)
{
    struct buffer wanted, key;

    buffer_init(&wanted, 16 * LINE_MAX_OCTETS);
    buffer_init(&key, 16 * LINE_MAX_OCTETS);
    unicode_put_plain_key(&wanted, slice_first(typed, LINE_MAX_OCTETS));
    for (size_t i = book->count; i-- > 0 && max > 0 && buffer_len(&wanted) > 0;) {
        buffer_clear(&key);
        unicode_put_plain_key(&key, slice_of_string(book->lines[i]));
        if (!has_word(buffer_slice(&key), buffer_slice(&wanted)))
            continue;
        fn(context, slice_of_string(book->lines[i]));
        max--;
    }
    buffer_finish(&wanted);
    buffer_finish(&key);
}
