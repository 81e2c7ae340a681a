/* SPDX-License-Identifier: ISC */
/* A Maildir: new/ and cur/ hold messages, flags stand in the names of files. Others deliver into it
 * and rename files meanwhile: what is no longer where it was is looked for by its unique name. */
#include "client/folder_private.h"
#include "client/keep.h"
#include "delivery/maildir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct file {
    const char *name; /* in cur or new; in the arena */
    bool is_new;
};

struct maildir {
    struct file *files; /* one for each letter; owned */
    size_t room;
};

/* ---- paths --------------------------------------------------------------------------------- */

static char *
path_of(const struct client_folder *folder, bool is_new, const char *name)
{
    char *path = NULL;

    if (asprintf(&path, "%s/%s/%s", folder->path, is_new ? "new" : "cur", name) < 0)
        abort();
    return path;
}

/* Finds the file again whose flags somebody has changed. */
static bool
find_again(struct client_folder *folder, size_t index)
{
    struct maildir *maildir = folder->state;
    struct slice wanted = slice_of_string(folder->letters[index].unique), unique;
    bool is_found = false;
    unsigned flags;

    for (int is_new = 0; is_new < 2 && !is_found; is_new++) {
        char *path = path_of(folder, is_new != 0, "");
        DIR *dir = opendir(path);
        free(path);
        for (struct dirent *entry; dir && !is_found && (entry = readdir(dir));) {
            maildir_parse_name(slice_of_string(entry->d_name), &unique, &flags);
            if (!slice_equal(unique, wanted))
                continue;
            maildir->files[index].name =
                arena_copy_string(&folder->arena, slice_of_string(entry->d_name));
            maildir->files[index].is_new = is_new != 0;
            is_found = maildir->files[index].name != NULL;
        }
        if (dir)
            closedir(dir);
    }
    return is_found;
}

/* The path of a letter's file as it is now; NULL, and the problem is set, when it has gone. */
static char *
present_path(struct client_folder *folder, size_t index, struct client_problem *problem)
{
    struct maildir *maildir = folder->state;
    struct stat info;

    for (int attempt = 0; attempt < 2; attempt++) {
        char *path = path_of(folder, maildir->files[index].is_new, maildir->files[index].name);
        if (stat(path, &info) == 0)
            return path;
        free(path);
        if (!find_again(folder, index))
            break;
    }
    client_problem_set(problem, CLIENT_PROBLEM_MISSING, "%s: message %u has gone", folder->path,
                       folder->letters[index].id);
    return NULL;
}

/* ---- what a folder does -------------------------------------------------------------------- */

static bool
read_letter(struct client_folder *folder, size_t index, struct buffer *out,
            struct client_problem *problem)
{
    char *path = present_path(folder, index, problem);
    struct buffer file;

    if (!path)
        return false;
    buffer_init(&file, CLIENT_MESSAGE_MAX);
    bool is_read = folder_read_file(path, &file, problem);
    if (is_read)
        maildir_put_crlf(out, buffer_slice(&file));
    buffer_finish(&file);
    free(path);
    return is_read && (!buffer_overflowed(out) ||
                       client_problem_set(problem, CLIENT_PROBLEM_TOO_LARGE,
                                          "message %u is too large", folder->letters[index].id));
}

static const struct {
    unsigned maildir;
    uint32_t flag;
} flag_rows[] = {{MAILDIR_SEEN, CLIENT_SEEN},
                 {MAILDIR_REPLIED, CLIENT_ANSWERED},
                 {MAILDIR_FLAGGED, CLIENT_FLAGGED},
                 {MAILDIR_TRASHED, CLIENT_DELETED},
                 {MAILDIR_DRAFT, CLIENT_DRAFT}};

/* One file gets the name of its new flags, in cur/. */
static bool
rename_letter(struct client_folder *folder, size_t index, uint32_t add, uint32_t remove,
              struct client_problem *problem)
{
    struct maildir *maildir = folder->state;
    char *from = present_path(folder, index, problem);
    struct buffer name;
    struct slice unique;
    unsigned flags;

    if (!from)
        return false;
    maildir_parse_name(slice_of_string(maildir->files[index].name), &unique, &flags);
    for (size_t i = 0; i < COUNT_OF(flag_rows); i++) {
        flags |= add & flag_rows[i].flag ? flag_rows[i].maildir : 0;
        flags &= remove & flag_rows[i].flag ? ~flag_rows[i].maildir : ~0U;
    }
    buffer_init(&name, NAME_MAX + 1);
    buffer_put(&name, unique);
    maildir_put_flags(&name, flags);
    const char *new_name = arena_copy_string(&folder->arena, buffer_slice(&name));
    char *to = path_of(folder, false, new_name ? new_name : "");
    bool is_done = new_name && rename(from, to) == 0;
    if (is_done)
        maildir->files[index] = (struct file){.name = new_name};
    else
        client_problem_set(problem, CLIENT_PROBLEM_FILE, "%s: %s", from, strerror(errno));
    buffer_finish(&name);
    free(from);
    free(to);
    folder->letters[index].flags = (folder->letters[index].flags | add) & ~remove;
    return is_done;
}

static bool
flag_letters(struct client_folder *folder, struct client_chosen chosen, uint32_t add,
             uint32_t remove, struct client_problem *problem)
{
    for (size_t i = 0; i < chosen.count; i++) {
        if (!rename_letter(folder, chosen.indexes[i], add, remove, problem))
            return false;
    }
    return true;
}

static bool
remove_letters(struct client_folder *folder, struct client_chosen chosen,
               struct client_problem *problem)
{
    for (size_t i = 0; i < chosen.count; i++) {
        char *path = present_path(folder, chosen.indexes[i], problem);
        bool is_done = path && (unlink(path) == 0 || errno == ENOENT);
        if (path && !is_done)
            client_problem_set(problem, CLIENT_PROBLEM_FILE, "%s: %s", path, strerror(errno));
        free(path);
        if (!is_done)
            return false;
    }
    return true;
}

/* On another file system it becomes another file, and where another letter has its name. */
static bool
copy_letter(struct client_folder *folder, size_t index, const char *to,
            struct client_problem *problem)
{
    struct buffer message;

    buffer_init(&message, CLIENT_MESSAGE_MAX);
    bool is_kept = read_letter(folder, index, &message, problem) &&
                   client_keep(to, CLIENT_KEEP_MAILDIR, buffer_slice(&message),
                               folder->letters[index].flags, problem);
    buffer_finish(&message);
    return is_kept && remove_letters(folder, (struct client_chosen){&index, 1}, problem);
}

static bool
move_letters(struct client_folder *folder, struct client_chosen chosen, const char *to,
             struct client_problem *problem)
{
    struct maildir *maildir = folder->state;

    if (!client_keep_make_maildir(to, problem))
        return false;
    for (size_t i = 0; i < chosen.count; i++) {
        size_t index = chosen.indexes[i];
        char *from = present_path(folder, index, problem), *path = NULL;
        if (!from)
            return false;
        const struct file *file = &maildir->files[index];
        if (asprintf(&path, "%s/%s/%s", to, file->is_new ? "new" : "cur", file->name) < 0)
            abort();
        bool is_linked = link(from, path) == 0; /* that replaces nothing */
        bool is_done = is_linked && unlink(from) == 0;
        if (!is_linked && (errno == EXDEV || errno == EEXIST || errno == EPERM))
            is_done = copy_letter(folder, index, to, problem);
        else if (!is_done)
            client_problem_set(problem, CLIENT_PROBLEM_FILE, "%s: %s", path, strerror(errno));
        free(from);
        free(path);
        if (!is_done)
            return false;
    }
    return true;
}

static void
close_folder(struct client_folder *folder)
{
    struct maildir *maildir = folder->state;

    free(maildir->files);
    free(maildir);
}

static const struct folder_kind kind = {.read = read_letter,
                                        .flag = flag_letters,
                                        .remove = remove_letters,
                                        .move = move_letters,
                                        .close = close_folder};

/* ---- opening ------------------------------------------------------------------------------- */

static void
add_file(struct client_folder *folder, bool is_new, const char *name)
{
    struct maildir *maildir = folder->state;

    if (folder->count == maildir->room) {
        maildir->room = maildir->room ? maildir->room * 2 : 64;
        struct file *files = realloc(maildir->files, maildir->room * sizeof(*files));
        if (!files)
            abort();
        maildir->files = files;
    }
    maildir->files[folder->count] = (struct file){
        .name = arena_copy_string(&folder->arena, slice_of_string(name)), .is_new = is_new};
    (void)folder_add(folder);
}

/* A link may stand for a letter, as search programs make them, and outlive it; a FIFO or a device
 * would be waited for, or have no end. A file that is not there just now gets another name. */
static bool
may_be_letter(DIR *dir, const struct dirent *entry)
{
    struct stat info;

    if (entry->d_name[0] == '.')
        return false;
    if (entry->d_type == DT_REG)
        return true;
    if (fstatat(dirfd(dir), entry->d_name, &info, 0) == 0)
        return S_ISREG(info.st_mode);
    return fstatat(dirfd(dir), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0 ||
           S_ISREG(info.st_mode);
}

static bool
list_files(struct client_folder *folder, bool is_new, struct client_problem *problem)
{
    char *path = path_of(folder, is_new, "");
    DIR *dir = opendir(path);

    if (!dir)
        client_problem_set(problem, CLIENT_PROBLEM_FILE,
                           "%s: %s; a Maildir has the folders cur, new and tmp", path,
                           strerror(errno));
    free(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (may_be_letter(dir, entry))
            add_file(folder, is_new, entry->d_name);
    }
    if (dir)
        closedir(dir);
    return dir != NULL;
}

static int
by_name(const void *left, const void *right)
{
    const struct file *l = left, *r = right;

    return strcmp(l->name, r->name);
}

static void
describe(struct client_folder *folder, size_t index)
{
    struct maildir *maildir = folder->state;
    const struct file *file = &maildir->files[index];
    struct client_letter *letter = &folder->letters[index];
    struct slice unique;
    struct stat info;
    unsigned flags;

    maildir_parse_name(slice_of_string(file->name), &unique, &flags);
    letter->id = (uint32_t)index + 1;
    letter->unique = arena_copy_string(&folder->arena, unique);
    letter->received = maildir_name_time(slice_of_string(file->name));
    for (size_t i = 0; i < COUNT_OF(flag_rows); i++)
        letter->flags |= flags & flag_rows[i].maildir ? flag_rows[i].flag : 0;
    char *path = path_of(folder, file->is_new, file->name);
    if (stat(path, &info) == 0)
        letter->size = (uint64_t)info.st_size;
    free(path);
}

bool
folder_open_maildir(struct client_folder *folder, struct client_problem *problem)
{
    struct maildir *maildir = calloc(1, sizeof(*maildir));

    if (!maildir)
        abort();
    folder->kind = &kind;
    folder->state = maildir;
    if (!list_files(folder, false, problem) || !list_files(folder, true, problem))
        return false;
    if (arena_failed(&folder->arena) || folder->count >= UINT32_MAX)
        return client_problem_set(problem, CLIENT_PROBLEM_TOO_LARGE, "%s: too many messages",
                                  folder->path);
    if (folder->count > 0)
        qsort(maildir->files, folder->count, sizeof(*maildir->files), by_name);
    for (size_t i = 0; i < folder->count; i++)
        describe(folder, i);
    return true;
}
