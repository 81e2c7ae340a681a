/* SPDX-License-Identifier: ISC */
#include "tool/mail/seen.h"

#include "base/cursor.h"
#include "tool/files.h"

#include <stdlib.h>
#include <unistd.h>

enum { FILE_MAX = 512 << 20, LINE_MAX = 4096 };

struct seen {
    char *path;
    int lock;
    struct buffer file; /* as it was read */
    struct map days;    /* id → day, as a pointer's number */
};

/* A last line without its end, as a full disk leaves it, goes: half an id may be that of another
 * message. */
static int
read_lines(struct seen *seen)
{
    static const struct files_owner owner = {.user = FILES_NOBODY, .mode = 0600};
    struct slice text = buffer_slice(&seen->file);
    size_t end = slice_find_last_byte(text, '\n');
    struct slice whole = slice_first(text, end < text.len ? end + 1 : 0);

    for (struct slice rest = whole; rest.len > 0;) {
        struct slice line = slice_first(rest, slice_find_byte(rest, '\n'));
        struct cursor cursor = cursor_of(line);
        uint32_t day;
        rest = slice_skip(rest, line.len + 1);
        if (cursor_take_u32(&cursor, 1, UINT32_MAX, &day) && cursor_take_byte(&cursor, ' '))
            map_set(&seen->days, cursor_rest(&cursor), (void *)(uintptr_t)day);
    }
    return whole.len == text.len ? EX_OK : files_replace(seen->path, whole, &owner);
}

int
seen_open(const char *kind, const char *account, struct seen **ret_seen)
{
    struct seen *seen = calloc(1, sizeof(*seen));
    char *folder = desk_state_path(kind), *lock = NULL;
    uint64_t seed;

    if (!seen)
        abort();
    seen->lock = -1;
    files_random(&seed, sizeof(seed));
    map_init(&seen->days, seed);
    *ret_seen = seen;
    int code = folder ? files_make_folder(folder, 0700) : EX_CONFIG;
    if (code == EX_OK) {
        seen->path = files_path(folder, account);
        if (asprintf(&lock, "%s.lock", seen->path) < 0)
            abort();
        code = files_lock(lock, &seen->lock);
    }
    if (code == EX_OK)
        code = files_read_if_any(seen->path, FILE_MAX, &seen->file);
    if (code == EX_OK)
        code = read_lines(seen);
    free(lock);
    free(folder);
    return code;
}

uint32_t
seen_day(const struct seen *seen, const char *unique)
{
    return (uint32_t)(uintptr_t)map_find(&seen->days, slice_of_string(unique));
}

static void
put_line(struct buffer *out, uint32_t day, struct slice unique)
{
    buffer_put_decimal(out, day);
    buffer_put_byte(out, ' ');
    buffer_put(out, unique);
    buffer_put_byte(out, '\n');
}

int
seen_add(struct seen *seen, const char *unique, uint32_t day)
{
    static const struct files_owner owner = {.user = FILES_NOBODY, .mode = 0600};
    struct buffer line;

    buffer_init(&line, LINE_MAX);
    put_line(&line, day, slice_of_string(unique));
    int code = files_append(seen->path, buffer_slice(&line), &owner);
    buffer_finish(&line);
    if (code == EX_OK)
        map_set(&seen->days, slice_of_string(unique), (void *)(uintptr_t)day);
    return code;
}

int
seen_tidy(struct seen *seen, seen_there_fn is_there, void *context)
{
    static const struct files_owner owner = {.user = FILES_NOBODY, .mode = 0600};
    const struct map_item *item;
    struct buffer text;
    size_t place = 0, gone = 0;
    int code = EX_OK;

    buffer_init(&text, FILE_MAX);
    while ((item = map_next(&seen->days, &place))) {
        char *unique = strndup((const char *)item->key.at, item->key.len);
        if (!unique)
            abort();
        if (is_there(context, unique))
            put_line(&text, (uint32_t)(uintptr_t)item->value, item->key);
        else
            gone++;
        free(unique);
    }
    if (gone > 0)
        code = files_replace(seen->path, buffer_slice(&text), &owner);
    buffer_finish(&text);
    return code;
}

void
seen_close(struct seen **seen)
{
    struct seen *s = *seen;

    if (!s)
        return;
    if (s->lock >= 0)
        close(s->lock);
    free(s->path);
    buffer_finish(&s->file);
    map_finish(&s->days);
    free(s);
    *seen = NULL;
}
