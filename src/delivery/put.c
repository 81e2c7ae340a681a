/* SPDX-License-Identifier: ISC */
#include "delivery/put.h"

#include "base/cursor.h"
#include "delivery/maildir.h"
#include "delivery/mbox.h"
#include "host/links.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    PATH_BYTES_MAX = 1024 + 8,
    NAME_BYTES_MAX = 255,
    GROWTH_MAX = 64 * 1024,
    LOCK_TEXT_MAX = 64
};

static enum put_result
result_of(int error)
{
    switch (error) {
    case 0:
        return PUT_DONE;
    case -EWOULDBLOCK:
        return PUT_BUSY;
    case -ENOSPC:
    case -EDQUOT:
    case -EFBIG:
        return PUT_NO_SPACE;
    case -ELOOP:
    case -EMLINK:
    case -EISDIR:
    case -EINVAL:
    case -ENAMETOOLONG:
        return PUT_MISPLACED;
    default:
        return PUT_TEMPORARY;
    }
}

static int
note_problem(struct buffer *problem, const char *what, int error)
{
    if (error < 0) {
        buffer_put_text(problem, what);
        buffer_put_text(problem, ": ");
        buffer_put_text(problem, strerror(-error));
    }
    return error;
}

/* Splits an absolute path into an open folder and a name in it. */
static int
open_folder(struct host *host, const char *path, struct host_dir **ret_dir, char *ret_name)
{
    char folder[PATH_BYTES_MAX];
    const char *slash = strrchr(path, '/');

    if (path[0] != '/' || strlen(path) >= sizeof(folder) || strlen(slash + 1) > NAME_BYTES_MAX ||
        slash[1] == 0)
        return -EINVAL;
    size_t len = slash == path ? 1 : (size_t)(slash - path);
    memcpy(folder, path, len);
    folder[len] = 0;
    memcpy(ret_name, slash + 1, strlen(slash + 1) + 1);
    return host_dir_open(host, folder, ret_dir);
}

/* ---- mbox ------------------------------------------------------------------------------------ */

/* NAME.lock. Ours says `facteur SIZE LENGTH`: how long the box was before a letter of that length,
 * and is locked by fcntl while we live. So one that a killed process has left is known at once, and
 * the half letter that may stand behind SIZE, too. (Between making it and writing into it, it is as
 * empty as mutt's, and must grow old.) */
struct dot_lock {
    struct host_file *file; /* NULL where the folder lets us make none */
    bool is_left;           /* by a process that is dead: `size` and `len` are its last words */
    uint64_t size, len;
};

static int
write_lock(struct dot_lock *lock, uint64_t size, uint64_t len)
{
    struct buffer text;

    if (!lock->file)
        return 0;
    buffer_init(&text, LOCK_TEXT_MAX);
    buffer_put_text(&text, "facteur ");
    buffer_put_decimal(&text, size);
    buffer_put_byte(&text, ' ');
    buffer_put_decimal(&text, len);
    buffer_put_byte(&text, '\n');
    struct slice piece = buffer_slice(&text);
    /* In one write: what stands behind the line end, from a longer one, does not matter. */
    int error = host_file_write(lock->file, &piece, 1, 0);
    buffer_finish(&text);
    return error;
}

/* Whether the open file is ours, nobody alive has it, and it still has that name; what it says. */
static bool
is_left(struct host_dir *dir, const char *name, struct dot_lock *lock)
{
    uint8_t bytes[LOCK_TEXT_MAX];
    struct host_file_info there, open;
    int64_t len = host_file_read(lock->file, bytes, sizeof(bytes), 0);
    struct cursor cursor = cursor_of(slice_of(bytes, len > 0 ? (size_t)len : 0));

    return cursor_take_text(&cursor, SLICE("facteur ")) &&
           cursor_take_u64(&cursor, 0, INT64_MAX, &lock->size) &&
           cursor_take_text(&cursor, SLICE(" ")) &&
           cursor_take_u64(&cursor, 0, INT64_MAX, &lock->len) &&
           host_file_lock_record(lock->file) == 0 && host_file_info(lock->file, &open) == 0 &&
           host_dir_find(dir, name, &there) == 0 && there.inode == open.inode;
}

static int
make_lock(struct host_dir *dir, const char *name, struct dot_lock *lock)
{
    int error = host_file_open(dir, name, HOST_FILE_WRITE | HOST_FILE_CREATE | HOST_FILE_EXCLUSIVE,
                               &lock->file);

    if (error == 0)
        error = host_file_lock_record(lock->file);
    return error == 0 ? write_lock(lock, 0, 0) : error;
}

static void
give_back_lock(struct host_dir *dir, const char *name, struct dot_lock *lock)
{
    if (lock->file)
        (void)!host_dir_remove(dir, name);
    host_file_close(&lock->file);
}

/* A folder that its user may not write to (as /var/mail) has no such lock for us: then fcntl's
 * alone must do, as for every program without special rights. On failure nothing is left open. */
static int
take_lock(struct host *host, struct host_dir *dir, const char *name, struct dot_lock *lock)
{
    struct host_file_info info;

    *lock = (struct dot_lock){0};
    if (host_file_open(dir, name, HOST_FILE_WRITE, &lock->file) == 0) {
        lock->is_left = is_left(dir, name, lock);
        if (lock->is_left)
            return 0;
        host_file_close(&lock->file);
    }
    int error = make_lock(dir, name, lock);
    if (error == -EEXIST && host_dir_find(dir, name, &info) == 0 &&
        wall_seconds(host_wall(host)) - wall_seconds(info.modified) > PUT_STALE_LOCK_S &&
        host_dir_remove(dir, name) == 0)
        error = make_lock(dir, name, lock);
    if (error < 0)
        give_back_lock(dir, name, lock);
    if (error == -EACCES || error == -EPERM || error == -EROFS)
        return 0;
    return error == -EEXIST ? -EWOULDBLOCK : error;
}

/* A letter of ours and nothing else: in what we write only the first line begins with `From `. */
static bool
is_one_letter(struct slice tail)
{
    while (tail.len && tail.at[0] == '\n')
        tail = slice_skip(tail, 1);
    return slice_starts_with(SLICE("From "), slice_first(tail, sizeof("From ") - 1)) &&
           slice_find(tail, SLICE("\nFrom ")) == tail.len;
}

/* Cuts off the half letter that the dead owner of the lock has left. */
static int
cut_half_letter(struct host_file *file, const struct dot_lock *lock)
{
    uint64_t size;
    int error = host_file_size(file, &size);

    if (error < 0 || !lock->is_left || size <= lock->size || size - lock->size >= lock->len)
        return error;
    size_t len = (size_t)(size - lock->size);
    uint8_t *tail = malloc(len);
    if (!tail)
        abort();
    if (host_file_read(file, tail, len, lock->size) != (int64_t)len)
        error = -EIO;
    else if (is_one_letter(slice_of(tail, len)))
        error = host_file_truncate(file, lock->size);
    free(tail);
    return error;
}

/* What must stand between the end of the box and a `From ` line: every message ends with an empty
 * line, but for one that another program, or a power cut, has left unfinished. */
static int
put_gap(struct host_file *file, uint64_t size, struct buffer *text)
{
    uint8_t last[2] = {'\n', '\n'};
    size_t len = size < sizeof(last) ? (size_t)size : sizeof(last);

    if (host_file_read(file, last + sizeof(last) - len, len, size - len) != (int64_t)len)
        return -EIO;
    if (last[1] != '\n')
        buffer_put_text(text, "\n\n");
    else if (last[0] != '\n')
        buffer_put_text(text, "\n");
    return 0;
}

/* Appends; when anything fails the file is cut back to what it was. */
static int
append(struct host_file *file, struct dot_lock *lock, const struct put_message *message,
       struct buffer *problem)
{
    struct buffer text;
    uint64_t size;
    int error = host_file_size(file, &size);

    buffer_init(&text, message->message.len * 2 + GROWTH_MAX);
    if (error == 0)
        error = put_gap(file, size, &text);
    note_problem(problem, "reading the box", error);
    if (error == 0) {
        mbox_put_message(&text, message->sender, message->received, message->message);
        error = note_problem(problem, "writing the lock file",
                             write_lock(lock, size, buffer_len(&text)));
    }
    if (error == 0) {
        struct slice piece = buffer_slice(&text);
        error = note_problem(problem, "writing the box", host_file_write(file, &piece, 1, size));
        if (error == 0)
            error = note_problem(problem, "syncing the box", host_file_sync(file));
        if (error < 0 && host_file_truncate(file, size) == 0)
            (void)!host_file_sync(file);
    }
    buffer_finish(&text);
    return error;
}

/* A file with two names may be another's, who has been chosen by whoever gave it the second. */
static int
must_have_one_name(struct host_file *file)
{
    uint64_t links;
    int error = host_file_links(file, &links);

    return error ? error : links > 1 ? -EMLINK : 0;
}

static int
open_and_append(struct host_dir *dir, const char *name, struct dot_lock *lock,
                const struct put_message *message, struct buffer *problem)
{
    struct host_file *file;
    struct host_file_info before;
    /* One that is empty, or whose writer died, may have a name that is not on the disk yet. */
    bool has_lasting_name =
        host_dir_find(dir, name, &before) == 0 && before.size > 0 && !lock->is_left;
    int error = note_problem(problem, "opening the box",
                             host_file_open(dir, name, HOST_FILE_WRITE | HOST_FILE_CREATE, &file));

    if (error < 0)
        return error;
    error = note_problem(problem, "a box with two names", must_have_one_name(file));
    if (error == 0)
        error = note_problem(problem, "locking the box", host_file_lock_record(file));
    if (error == 0)
        error = note_problem(problem, "cutting off half a letter", cut_half_letter(file, lock));
    if (error == 0 && !has_lasting_name)
        error = note_problem(problem, "syncing the folder", host_dir_sync(dir));
    if (error == 0)
        error = append(file, lock, message, problem);
    host_file_close(&file);
    return error;
}

enum put_result
put_mbox(struct host *host, const struct put_message *message, struct buffer *problem)
{
    struct host_dir *dir;
    struct dot_lock lock;
    char name[NAME_BYTES_MAX + 1], lock_name[NAME_BYTES_MAX + 8];
    int error = note_problem(problem, "becoming the user", host_user_assume(host, message->user));

    if (error < 0)
        return result_of(error);
    error =
        note_problem(problem, "opening the folder", open_folder(host, message->path, &dir, name));
    if (error == 0) {
        snprintf(lock_name, sizeof(lock_name), "%s.lock", name);
        error =
            note_problem(problem, "taking the lock file", take_lock(host, dir, lock_name, &lock));
        if (error == 0) {
            error = open_and_append(dir, name, &lock, message, problem);
            give_back_lock(dir, lock_name, &lock);
        }
        host_dir_close(&dir);
    }
    host_user_leave(host);
    return result_of(error);
}

/* ---- Maildir --------------------------------------------------------------------------------- */

/* Opens a folder below, made when it is not there. */
static int
open_below(struct host_dir *dir, const char *name, struct host_dir **ret_dir)
{
    int error = host_dir_open_below(dir, name, ret_dir);

    if (error != -ENOENT)
        return error;
    error = host_dir_make(dir, name);
    return error < 0 ? error : host_dir_open_below(dir, name, ret_dir);
}

/* cur/ is made last, behind a sync of all that was made before it: who finds it finds a box that
 * outlives a power cut, whoever made it, and whoever died in between. */
static int
make_lasting(struct host_dir *dir, struct host_dir *box)
{
    struct host_dir *cur;
    int error = host_dir_open_below(box, "cur", &cur);

    if (error == 0)
        host_dir_close(&cur);
    if (error != -ENOENT)
        return error;
    error = host_dir_sync(dir);
    if (error == 0)
        error = host_dir_sync(box);
    if (error == 0)
        error = host_dir_make(box, "cur");
    return error == -EEXIST ? 0 : error;
}

static int
write_file(struct host_dir *dir, const char *name, struct slice text, struct buffer *problem)
{
    struct host_file *file;
    int error = note_problem(
        problem, "making the file",
        host_file_open(dir, name, HOST_FILE_WRITE | HOST_FILE_CREATE | HOST_FILE_EXCLUSIVE, &file));

    if (error < 0)
        return error;
    error = note_problem(problem, "writing the file", host_file_write(file, &text, 1, 0));
    if (error == 0)
        error = note_problem(problem, "syncing the file", host_file_sync(file));
    host_file_close(&file);
    if (error < 0)
        (void)!host_dir_remove(dir, name);
    return error;
}

static int
write_and_move(struct host *host, struct host_dir *dir, struct host_dir *box,
               const struct put_message *message, struct buffer *problem)
{
    struct host_dir *tmp = NULL, *new = NULL;
    struct buffer name, content;
    uint64_t random;
    int error = open_below(box, "tmp", &tmp);

    if (error == 0)
        error = open_below(box, "new", &new);
    if (error == 0)
        error = make_lasting(dir, box);
    note_problem(problem, "opening the Maildir", error);
    host_random(host, &random, sizeof(random));
    buffer_init(&content, message->message.len + GROWTH_MAX);
    maildir_put_lf(&content, message->message);
    buffer_init(&name, 1024);
    maildir_put_name(&name, host_wall(host), random, message->hostname, buffer_len(&content));
    buffer_put_byte(&name, 0);
    const char *text = (const char *)buffer_slice(&name).at;
    if (error == 0)
        error = write_file(tmp, text, buffer_slice(&content), problem);
    if (error == 0)
        error = note_problem(problem, "moving to new/", host_dir_move(tmp, text, new, text));
    if (error == 0)
        error = note_problem(problem, "syncing new/", host_dir_sync(new));
    buffer_finish(&content);
    buffer_finish(&name);
    host_dir_close(&tmp);
    host_dir_close(&new);
    return error;
}

enum put_result
put_maildir(struct host *host, const struct put_message *message, struct buffer *problem)
{
    struct host_dir *dir, *box;
    char name[NAME_BYTES_MAX + 1];
    int error = note_problem(problem, "becoming the user", host_user_assume(host, message->user));

    if (error < 0)
        return result_of(error);
    error =
        note_problem(problem, "opening the folder", open_folder(host, message->path, &dir, name));
    if (error == 0) {
        error = note_problem(problem, "opening the Maildir", open_below(dir, name, &box));
        if (error == 0) {
            error = write_and_move(host, dir, box, message, problem);
            host_dir_close(&box);
        }
        host_dir_close(&dir);
    }
    host_user_leave(host);
    return result_of(error);
}
