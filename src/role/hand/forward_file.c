/* SPDX-License-Identifier: ISC */
#include "role/hand/forward_file.h"

#include "directory/unix_aliases.h"

#include <errno.h>

enum { FORWARD_BYTES_MAX = 16 * 1024 };

static const char temporary[] = "it cannot be read now";

static const char *
check_file(struct host_file *file, uint32_t owner, size_t max, uint64_t *ret_size)
{
    struct host_file_info info;

    if (host_file_info(file, &info) < 0)
        return temporary;
    if (info.is_folder)
        return "it is no file";
    if (info.owner != 0 && info.owner != owner)
        return "it belongs to somebody else";
    if (info.mode & 022)
        return "others may write to it";
    if (info.size > max)
        return "it is too long";
    *ret_size = info.size;
    return NULL;
}

/* "" when there is none; what may pass, as all that is not known to stay, makes mail wait. */
static const char *
why_not(int error)
{
    switch (-error) {
    case ENOENT:
        return "";
    case ELOOP:
        return "it is a symbolic link";
    case EACCES:
    case EPERM:
        return "its user may not read it";
    case EINVAL:
    case EISDIR:
    case ENAMETOOLONG:
    case ENODEV:
    case ENOTDIR:
    case ENXIO:
        return "it is no regular file";
    default:
        return temporary;
    }
}

/* Where users are asked for, the C library has other words for "none" than ENOENT, and what stays
 * cannot be told from it: only what surely passes makes mail wait. */
static const char *
why_no_user(int error, const char *lasting)
{
    switch (-error) {
    case EAGAIN:
    case EINTR:
    case EIO:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ETIMEDOUT:
        return temporary;
    default:
        return lasting;
    }
}

const char *
forward_file_read_below(struct host_dir *dir, const char *name, uint32_t owner, size_t max,
                        struct buffer *out)
{
    struct host_file *file = NULL;
    uint64_t size = 0;
    int error = host_file_open(dir, name, HOST_FILE_READ, &file);

    if (error < 0)
        return why_not(error);
    const char *why = check_file(file, owner, max, &size);
    while (!why && buffer_len(out) < size) {
        char text[4096];
        size_t wanted =
            size - buffer_len(out) < sizeof(text) ? size - buffer_len(out) : sizeof(text);
        int64_t len = host_file_read(file, text, wanted, buffer_len(out));
        if (len <= 0)
            why = temporary;
        else
            buffer_put(out, slice_of(text, (size_t)len));
    }
    host_file_close(&file);
    return why;
}

const char *
forward_file_read(struct host *host, const char *login, struct buffer *out)
{
    struct host_dir *dir = NULL;
    struct host_user user;

    int error = host_user_find(host, login, &user);
    if (error < 0)
        return why_no_user(error, "");
    if (user.number == 0)
        return "it is root's";
    error = host_user_assume(host, login);
    if (error < 0)
        return why_no_user(error, "this server may not become its user");
    error = host_dir_open(host, user.home, &dir);
    const char *why =
        error < 0 ? why_not(error)
                  : forward_file_read_below(dir, ".forward", user.number, FORWARD_BYTES_MAX, out);
    host_dir_close(&dir);
    host_user_leave(host);
    return why;
}

bool
forward_file_is_temporary(const char *why)
{
    return why == temporary;
}

const char *
forward_file_members(struct host *host, const struct config *config, struct slice key,
                     struct arena *arena, struct buffer *members)
{
    size_t at = slice_find_last_byte(key, '@');
    struct slice login = slice_first(key, at);
    char *name = arena_copy_string(arena, login);
    bool is_all = config->forward_files == CONFIG_FORWARD_ALL;
    struct directory_unix machine = {
        .domain = slice_skip(key, at + 1),
        .folders = config->letterbox_dirs.at,
        .folder_count = is_all ? config->letterbox_dirs.count : 0,
        .may_run = is_all,
    };
    struct buffer text;

    if (!name || config->forward_files == CONFIG_FORWARD_NO)
        return "";
    buffer_init(&text, FORWARD_BYTES_MAX);
    const char *why = forward_file_read(host, name, &text);
    if (!why)
        why = directory_unix_forward(buffer_slice(&text), &machine, login, members);
    if (!why && buffer_overflowed(members))
        why = "it names too many";
    buffer_finish(&text);
    return why || buffer_len(members) > 0 ? why : "";
}
