/* SPDX-License-Identifier: ISC */
#include "mailbox/rescue.h"

#include "mailbox/segment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct rescue {
    struct host_dir *dir; /* the log's */
    rescue_fn fn;
    void *context;
    char (*names)[SEGMENT_NAME_SIZE + 1]; /* of the files */
    size_t count, size;
    uint8_t *chunk;
    /* The file in hand. */
    const char *name;
    struct host_file *file;
    struct stretch *bad; /* what could not be read of it */
    size_t bad_count, bad_size;
    uint64_t bad_bytes;
};

/* Blocks of one chunk. */
struct stretch {
    uint64_t from, end;
};

/* Segments and copies of their headers; what a crash has left of one that was never begun holds
 * nothing. */
static bool
note_name(void *context, const char *name)
{
    struct rescue *rescue = context;
    struct slice text = slice_of_string(name);
    bool is_ours = slice_ends_with(text, SLICE(".seg")) || slice_ends_with(text, SLICE(".twin"));

    if (!is_ours || text.len > SEGMENT_NAME_SIZE)
        return true;
    if (rescue->count == rescue->size) {
        rescue->size = rescue->size ? rescue->size * 2 : 16;
        rescue->names = realloc(rescue->names, rescue->size * sizeof(*rescue->names));
        if (!rescue->names)
            abort();
    }
    snprintf(rescue->names[rescue->count++], sizeof(*rescue->names), "%s", name);
    return true;
}

static int
compare_names(const void *left, const void *right)
{
    return strcmp(left, right);
}

/* All of it, or an error. */
static int
read_all(struct rescue *rescue, uint64_t offset, size_t len)
{
    int64_t got = host_file_read(rescue->file, rescue->chunk, len, offset);

    return got < 0 ? (int)got : (uint64_t)got == len ? 0 : -EIO;
}

static int
read_block(struct rescue *rescue, uint64_t offset, size_t len)
{
    int result = -EIO;

    for (int tries = 0; result < 0 && tries < RESCUE_TRIES; tries++)
        result = read_all(rescue, offset, len);
    return result;
}

static void
note_bad(struct rescue *rescue, uint64_t from, uint64_t end)
{
    struct stretch *last = rescue->bad_count ? &rescue->bad[rescue->bad_count - 1] : NULL;

    rescue->bad_bytes += end - from;
    if (last && last->end == from && from % RESCUE_CHUNK != 0) {
        last->end = end;
        return;
    }
    if (rescue->bad_count == rescue->bad_size) {
        rescue->bad_size = rescue->bad_size ? rescue->bad_size * 2 : 16;
        rescue->bad = realloc(rescue->bad, rescue->bad_size * sizeof(*rescue->bad));
        if (!rescue->bad)
            abort();
    }
    rescue->bad[rescue->bad_count++] = (struct stretch){from, end};
}

static void
read_chunk(struct rescue *rescue, uint64_t start, uint64_t end)
{
    if (read_all(rescue, start, (size_t)(end - start)) == 0)
        return;
    for (uint64_t at = start; at < end; at += RESCUE_BLOCK) {
        uint64_t next = end - at < RESCUE_BLOCK ? end : at + RESCUE_BLOCK;
        if (read_block(rescue, at, (size_t)(next - at)) < 0)
            note_bad(rescue, at, next);
    }
}

/* Zeros from now on. One write for all, because some file systems write larger blocks than ours
 * only when they get them whole. */
static int
give_up(struct rescue *rescue, struct stretch stretch)
{
    size_t len = (size_t)(stretch.end - stretch.from);

    if (read_block(rescue, stretch.from, len) == 0)
        return 0; /* the disk has thought better of it */
    memset(rescue->chunk, 0, len);
    struct slice zeros = slice_of(rescue->chunk, len);
    int result = host_file_write(rescue->file, &zeros, 1, stretch.from);
    if (result == 0)
        result = host_file_sync(rescue->file);
    if (result == 0)
        result = read_all(rescue, stretch.from, len);
    rescue->fn(rescue->context, rescue->name, stretch.from, len, result);
    return result;
}

static int
fail(struct buffer *why, int result, const char *what, const char *name)
{
    buffer_put_text(why, what);
    buffer_put_text(why, name);
    return result;
}

static int
rescue_open_file(struct rescue *rescue, uint64_t size, struct buffer *why)
{
    rescue->bad_count = 0;
    rescue->bad_bytes = 0;
    for (uint64_t at = 0; at < size; at += RESCUE_CHUNK)
        read_chunk(rescue, at, size - at < RESCUE_CHUNK ? size : at + RESCUE_CHUNK);
    if (rescue->bad_bytes > RESCUE_BLOCK && rescue->bad_bytes > size / RESCUE_SHARE)
        return fail(why, -EIO,
                    "too much of it cannot be read for a bad spot (is the disk there?); nothing of "
                    "it was changed: ",
                    rescue->name);
    for (size_t i = 0; i < rescue->bad_count; i++) {
        int result = give_up(rescue, rescue->bad[i]);
        if (result < 0)
            return fail(why, result,
                        "the disk takes no other octets either; copy the file to another disk: ",
                        rescue->name);
    }
    return 0;
}

static int
rescue_file(struct rescue *rescue, const char *name, struct buffer *why)
{
    uint64_t size;

    rescue->name = name;
    int result = host_file_open(rescue->dir, name, HOST_FILE_WRITE, &rescue->file);
    if (result == 0)
        result = host_file_size(rescue->file, &size);
    if (result < 0)
        fail(why, result, "cannot open the file of the log ", name);
    else
        result = rescue_open_file(rescue, size, why);
    host_file_close(&rescue->file);
    return result;
}

static int
rescue_files(struct rescue *rescue, struct buffer *why)
{
    int result = host_dir_list(rescue->dir, note_name, rescue);

    if (result < 0)
        return fail(why, result, "cannot list ", host_dir_path(rescue->dir));
    if (rescue->count > 0)
        qsort(rescue->names, rescue->count, sizeof(*rescue->names), compare_names);
    for (size_t i = 0; result == 0 && i < rescue->count; i++)
        result = rescue_file(rescue, rescue->names[i], why);
    return result;
}

int
log_rescue(struct host_dir *dir, rescue_fn fn, void *context, struct buffer *why)
{
    struct rescue rescue = {.fn = fn, .context = context};
    struct host_file *lock = NULL;

    int result = host_file_open(dir, "lock", HOST_FILE_WRITE, &lock);
    if (result == 0)
        result = host_dir_open_below(dir, "log", &rescue.dir);
    if (result < 0) {
        fail(why, result, "there is no store in ", host_dir_path(dir));
    } else {
        result = host_file_lock(lock);
        if (result < 0)
            fail(why, result, "a server has the store open, stop it first: ", host_dir_path(dir));
    }
    rescue.chunk = malloc(RESCUE_CHUNK);
    if (!rescue.chunk)
        abort();
    if (result == 0)
        result = rescue_files(&rescue, why);
    free(rescue.chunk);
    free(rescue.names);
    free(rescue.bad);
    host_dir_close(&rescue.dir);
    host_file_close(&lock);
    return result;
}
