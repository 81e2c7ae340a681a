/* SPDX-License-Identifier: ISC */
#include "delivery/put.h"

#include "delivery/maildir.h"
#include "delivery/mbox.h"

#include <errno.h>
#include <stdio.h>

enum { PATH_BYTES_MAX = 1024 + 8, NAME_BYTES_MAX = 255, GROWTH_MAX = 64 * 1024 };

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

/* Takes NAME.lock. A folder that its user may not write to (as /var/mail) has no such lock for us:
 * then fcntl's alone must do, as for every program without special rights. */
static int
take_dot_lock(struct host *host, struct host_dir *dir, const char *lock_name, bool *ret_taken)
{
    struct host_file *lock;
    struct host_file_info info;
    unsigned flags = HOST_FILE_WRITE | HOST_FILE_CREATE | HOST_FILE_EXCLUSIVE;
    int error = host_file_open(dir, lock_name, flags, &lock);

    if (error == -EEXIST && host_dir_find(dir, lock_name, &info) == 0 &&
        wall_seconds(host_wall(host)) - wall_seconds(info.modified) > PUT_STALE_LOCK_S &&
        host_dir_remove(dir, lock_name) == 0)
        error = host_file_open(dir, lock_name, flags, &lock);
    *ret_taken = error == 0;
    if (error == 0)
        host_file_close(&lock);
    if (error == -EACCES || error == -EPERM || error == -EROFS)
        return 0;
    return error == -EEXIST ? -EWOULDBLOCK : error;
}

/* Appends; when anything fails the file is cut back to what it was. */
static int
append(struct host_file *file, const struct put_message *message, struct buffer *problem)
{
    struct buffer text;
    uint64_t size;
    uint8_t last = '\n';
    int error = host_file_size(file, &size);

    if (error == 0 && size > 0 && host_file_read(file, &last, 1, size - 1) != 1)
        error = -EIO;
    if (error < 0)
        return note_problem(problem, "reading the box", error);
    buffer_init(&text, message->message.len * 2 + GROWTH_MAX);
    if (last != '\n')
        buffer_put_text(&text, "\n\n");
    mbox_put_message(&text, message->sender, message->received, message->message);
    struct slice piece = buffer_slice(&text);
    error = note_problem(problem, "writing the box", host_file_write(file, &piece, 1, size));
    if (error == 0)
        error = note_problem(problem, "syncing the box", host_file_sync(file));
    if (error < 0 && host_file_truncate(file, size) == 0)
        (void)!host_file_sync(file);
    buffer_finish(&text);
    return error;
}

static int
open_and_append(struct host_dir *dir, const char *name, const struct put_message *message,
                struct buffer *problem)
{
    struct host_file *file;
    struct host_file_info before;
    bool is_new = host_dir_find(dir, name, &before) == -ENOENT;
    int error = note_problem(problem, "opening the box",
                             host_file_open(dir, name, HOST_FILE_WRITE | HOST_FILE_CREATE, &file));

    if (error < 0)
        return error;
    error = note_problem(problem, "locking the box", host_file_lock_record(file));
    if (error == 0)
        error = append(file, message, problem);
    if (error == 0 && is_new)
        error = note_problem(problem, "syncing the folder", host_dir_sync(dir));
    host_file_close(&file);
    return error;
}

enum put_result
put_mbox(struct host *host, const struct put_message *message, struct buffer *problem)
{
    struct host_dir *dir;
    char name[NAME_BYTES_MAX + 1], lock_name[NAME_BYTES_MAX + 8];
    bool has_lock;
    int error = note_problem(problem, "becoming the user", host_user_assume(host, message->user));

    if (error < 0)
        return result_of(error);
    error =
        note_problem(problem, "opening the folder", open_folder(host, message->path, &dir, name));
    if (error == 0) {
        snprintf(lock_name, sizeof(lock_name), "%s.lock", name);
        error = note_problem(problem, "taking the lock file",
                             take_dot_lock(host, dir, lock_name, &has_lock));
        if (error == 0)
            error = open_and_append(dir, name, message, problem);
        if (has_lock)
            (void)!host_dir_remove(dir, lock_name);
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

static int
write_file(struct host_dir *dir, const char *name, struct slice message, struct buffer *problem)
{
    struct host_file *file;
    struct buffer text;
    int error = note_problem(
        problem, "making the file",
        host_file_open(dir, name, HOST_FILE_WRITE | HOST_FILE_CREATE | HOST_FILE_EXCLUSIVE, &file));

    if (error < 0)
        return error;
    buffer_init(&text, message.len + GROWTH_MAX);
    maildir_put_lf(&text, message);
    struct slice piece = buffer_slice(&text);
    error = note_problem(problem, "writing the file", host_file_write(file, &piece, 1, 0));
    if (error == 0)
        error = note_problem(problem, "syncing the file", host_file_sync(file));
    host_file_close(&file);
    buffer_finish(&text);
    if (error < 0)
        (void)!host_dir_remove(dir, name);
    return error;
}

static int
write_and_move(struct host *host, struct host_dir *box, const struct put_message *message,
               struct buffer *problem)
{
    struct host_dir *tmp = NULL, *new = NULL, *cur = NULL;
    struct buffer name;
    uint64_t random;
    int error = open_below(box, "tmp", &tmp);

    if (error == 0)
        error = open_below(box, "new", &new);
    if (error == 0)
        error = open_below(box, "cur", &cur);
    note_problem(problem, "opening the Maildir", error);
    host_random(host, &random, sizeof(random));
    buffer_init(&name, 1024);
    maildir_put_name(&name, host_wall(host), random, message->hostname, message->message.len);
    buffer_put_byte(&name, 0);
    const char *text = (const char *)buffer_slice(&name).at;
    if (error == 0)
        error = write_file(tmp, text, message->message, problem);
    if (error == 0)
        error = note_problem(problem, "moving to new/", host_dir_move(tmp, text, new, text));
    if (error == 0)
        error = note_problem(problem, "syncing new/", host_dir_sync(new));
    buffer_finish(&name);
    host_dir_close(&tmp);
    host_dir_close(&new);
    host_dir_close(&cur);
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
            error = write_and_move(host, box, message, problem);
            host_dir_close(&box);
        }
        host_dir_close(&dir);
    }
    host_user_leave(host);
    return result_of(error);
}
