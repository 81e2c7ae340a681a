/* SPDX-License-Identifier: ISC */
#include "sync/scan.h"

#include "base/hash.h"
#include "client/folder.h"
#include "client/wire.h"
#include "delivery/maildir.h"
#include "sync/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    uint8_t letter;
    uint32_t flag;
} letters[] = {{'D', CLIENT_DRAFT},    {'F', CLIENT_FLAGGED}, {'P', STATE_PASSED},
               {'R', CLIENT_ANSWERED}, {'S', CLIENT_SEEN},    {'T', CLIENT_DELETED}};

/* ---- names --------------------------------------------------------------------------------- */

static uint32_t
flag_of(uint8_t letter)
{
    for (size_t i = 0; i < COUNT_OF(letters); i++) {
        if (letters[i].letter == letter)
            return letters[i].flag;
    }
    return 0;
}

/* The letters behind ":2,". */
static struct slice
letters_of(struct slice name)
{
    size_t at = slice_find(name, SLICE(":2,"));

    return slice_skip(name, at + 3);
}

void
scan_put_name(struct buffer *out, struct slice unique, uint32_t flags, struct slice old)
{
    struct slice given = letters_of(old);

    buffer_put(out, unique);
    buffer_put_text(out, ":2,");
    for (unsigned letter = '!'; letter < 0x7F; letter++) { /* in the order of ASCII */
        bool is_kept =
            !flag_of((uint8_t)letter) && slice_find_byte(given, (uint8_t)letter) < given.len;
        if (flag_of((uint8_t)letter) & flags || is_kept)
            buffer_put_byte(out, (uint8_t)letter);
    }
}

static char *
path_of(const struct scan *scan, bool is_new, const char *name)
{
    char *path = NULL;

    if (asprintf(&path, "%s/%s/%s", scan->path, is_new ? "new" : "cur", name) < 0)
        abort();
    return path;
}

/* ---- listing ------------------------------------------------------------------------------- */

static void
add(struct scan *scan, bool is_new, const char *name)
{
    struct slice text = slice_of_string(name);
    struct slice unique = slice_first(text, slice_find(text, SLICE(":2,")));
    struct slice given = letters_of(text);

    if (unique.len == 0 || slice_find_byte(text, '\n') < text.len ||
        map_find(&scan->by_unique, unique))
        return;
    if (scan->count == scan->room) {
        scan->room = scan->room ? scan->room * 2 : 64;
        struct scan_file **files = realloc(scan->files, scan->room * sizeof(struct scan_file *));
        if (!files)
            abort();
        scan->files = files;
    }
    struct scan_file *file = ARENA_NEW(&scan->arena, struct scan_file);
    const char *copy = arena_copy_string(&scan->arena, unique);
    const char *whole = arena_copy_string(&scan->arena, text);
    if (!file || !copy || !whole)
        abort();
    *file = (struct scan_file){.unique = copy, .name = whole, .is_new = is_new};
    for (size_t i = 0; i < given.len; i++)
        file->flags |= flag_of(given.at[i]);
    scan->files[scan->count++] = file;
    map_set(&scan->by_unique, unique, file);
}

/* Also when the folder grows or shrinks meanwhile: what is read is added. */
static bool
list(struct scan *scan, bool is_new, struct client_problem *problem)
{
    char *path = path_of(scan, is_new, "");
    DIR *dir = opendir(path);
    bool is_good = dir || errno == ENOENT || errno == ENOTDIR;

    scan->is_there = scan->is_there && dir != NULL;
    errno = is_good ? 0 : errno;
    for (struct dirent *entry; dir && (entry = readdir(dir)); errno = 0) {
        if (entry->d_name[0] != '.' && entry->d_type != DT_DIR)
            add(scan, is_new, entry->d_name);
    }
    if (errno != 0)
        is_good = client_problem_set(problem, CLIENT_PROBLEM_FILE, "%s: %s", path, strerror(errno));
    if (dir)
        closedir(dir);
    free(path);
    return is_good;
}

bool
scan_again(struct scan *scan, struct client_problem *problem)
{
    scan->is_there = true;
    return list(scan, false, problem) && list(scan, true, problem);
}

bool
scan_open(struct scan *ret_scan, const char *path, struct client_problem *problem)
{
    uint64_t seed;

    client_random(&seed, sizeof(seed));
    *ret_scan = (struct scan){.path = path};
    arena_init(&ret_scan->arena, (size_t)1 << 33);
    map_init(&ret_scan->by_unique, seed);
    return scan_again(ret_scan, problem);
}

void
scan_finish(struct scan *scan)
{
    map_finish(&scan->by_unique);
    arena_finish(&scan->arena);
    free(scan->files);
    *scan = (struct scan){0};
}

struct scan_file *
scan_find(const struct scan *scan, const char *unique)
{
    return map_find(&scan->by_unique, slice_of_string(unique));
}

/* ---- one file ------------------------------------------------------------------------------ */

static bool
read_all(int descriptor, struct buffer *out)
{
    ssize_t count;

    do {
        uint8_t *space = buffer_reserve(out, 64 * 1024);
        if (!space)
            return false;
        count = read(descriptor, space, 64 * 1024);
        if (count > 0)
            buffer_commit(out, (size_t)count);
    } while (count > 0 || (count < 0 && errno == EINTR));
    return count == 0;
}

bool
scan_read(const struct scan *scan, const struct scan_file *file, struct buffer *out,
          struct wall *ret_received, bool *ret_gone, struct client_problem *problem)
{
    char *path = path_of(scan, file->is_new, file->name);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct buffer content;
    struct stat info;

    *ret_gone = descriptor < 0 && errno == ENOENT;
    buffer_init(&content, CLIENT_MESSAGE_MAX);
    bool is_good = descriptor >= 0 && fstat(descriptor, &info) == 0 && S_ISREG(info.st_mode) &&
                   read_all(descriptor, &content);
    if (is_good) {
        maildir_put_crlf(out, buffer_slice(&content));
        *ret_received = maildir_name_time(slice_of_string(file->name));
        if (ret_received->ns == 0)
            *ret_received = wall_of_seconds(info.st_mtime);
        is_good = !buffer_overflowed(out);
    }
    if (!is_good)
        client_problem_set(problem, CLIENT_PROBLEM_FILE, "%s: %s", path,
                           errno ? strerror(errno) : "not a message");
    if (descriptor >= 0)
        close(descriptor);
    buffer_finish(&content);
    free(path);
    return is_good;
}

uint64_t
scan_header_mark(struct slice header)
{
    while (slice_ends_with(header, SLICE("\r\n")))
        header = slice_first(header, header.len - 2);
    return hash64(header, 0);
}

struct scan_mark
scan_mark(struct slice message)
{
    size_t end =
        slice_starts_with(message, SLICE("\r\n")) ? 0 : slice_find(message, SLICE("\r\n\r\n"));

    return (struct scan_mark){.size = message.len,
                              .header = scan_header_mark(slice_first(message, end))};
}

bool
scan_set_flags(const struct scan *scan, struct scan_file *file, uint32_t flags, bool *ret_done,
               struct client_problem *problem)
{
    char *from = path_of(scan, file->is_new, file->name);
    struct buffer name;
    struct stat info;

    buffer_init(&name, PATH_MAX);
    scan_put_name(&name, slice_of_string(file->unique), flags, slice_of_string(file->name));
    buffer_put_byte(&name, '\0');
    char *to = path_of(scan, false, (const char *)buffer_slice(&name).at);
    buffer_finish(&name);
    /* What stands at the new name is another file with our unique name: leave it alone. */
    *ret_done = strcmp(from, to) == 0 || (lstat(to, &info) != 0 && rename(from, to) == 0);
    bool is_good = *ret_done || errno == ENOENT || errno == 0 || lstat(to, &info) == 0 ||
                   client_problem_set(problem, CLIENT_PROBLEM_FILE, "%s: %s", to, strerror(errno));
    free(from);
    free(to);
    return is_good;
}

bool
scan_remove(const struct scan *scan, const struct scan_file *file, bool *ret_done,
            struct client_problem *problem)
{
    char *path = path_of(scan, file->is_new, file->name);

    *ret_done = unlink(path) == 0;
    bool is_good =
        *ret_done || errno == ENOENT ||
        client_problem_set(problem, CLIENT_PROBLEM_FILE, "%s: %s", path, strerror(errno));
    free(path);
    return is_good;
}

void
scan_sync(const struct scan *scan)
{
    for (int is_new = 0; is_new < 2; is_new++) {
        char *path = path_of(scan, is_new != 0, "");
        int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (descriptor >= 0) {
            (void)fsync(descriptor);
            close(descriptor);
        }
        free(path);
    }
}
