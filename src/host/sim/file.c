/* SPDX-License-Identifier: ISC */
/* The files of host.h on the simulated disk. */
#include "host/file_name.h"
#include "host/links.h"
#include "host/sim/disk_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct host_dir {
    struct host *host;
    struct node *node;
    char *path; /* as host_dir_path tells it; owned */
};

struct host_file {
    struct host *host;
    struct node *node;
    bool may_write;
};

static char *
join(const char *left, const char *right)
{
    char *joined;

    if (asprintf(&joined, "%s/%s", left, right) < 0)
        abort();
    return joined;
}

/* ---- folders --------------------------------------------------------------------------------- */

static void
open_dir(struct host *host, struct node *node, char *path, struct host_dir **ret_dir)
{
    struct host_dir *dir = sim_allocate(sizeof(*dir));

    *dir = (struct host_dir){host, node, path};
    *ret_dir = dir;
}

/* Both the path on the simulated disk and the real one behind it are understood. */
int
host_dir_open(struct host *host, const char *path, struct host_dir **ret_dir)
{
    const char *real = host->machine->real_path;

    if (host->is_dead)
        return -EIO;
    if (real && strncmp(path, real, strlen(real)) == 0)
        path += strlen(real);
    struct node *node = disk_find(host->machine->disk, path);
    if (!node)
        return -ENOENT;
    if (!node->is_folder)
        return -ENOTDIR;
    while (*path == '/')
        path++;
    open_dir(host, node, join(real ? real : "", path), ret_dir);
    return 0;
}

int
host_dir_open_below(struct host_dir *dir, const char *name, struct host_dir **ret_dir)
{
    if (!file_name_is_legal(name))
        return -EINVAL;
    if (dir->host->is_dead)
        return -EIO;
    struct node *node = entries_find(&dir->node->entries, name);
    if (!node)
        return -ENOENT;
    if (!node->is_folder)
        return -ENOTDIR;
    open_dir(dir->host, node, join(dir->path, name), ret_dir);
    return 0;
}

void
host_dir_close(struct host_dir **dir)
{
    if (!*dir)
        return;
    free((*dir)->path);
    free(*dir);
    *dir = NULL;
}

const char *
host_dir_path(const struct host_dir *dir)
{
    return dir->path;
}

/* A change of folders, with the crash and the faults that may be due. */
static int
change_folder(struct host_dir *dir, struct change change)
{
    struct disk *disk = dir->host->machine->disk;
    enum moment moment = disk_begin(disk);
    int error = disk_fault(disk, SIM_FAULT_WRITE);

    if (moment == MOMENT_BEFORE)
        return disk_crash(disk, dir->host);
    if (error == 0)
        folder_change(disk, change);
    return moment == MOMENT_NONE ? error : disk_crash(disk, dir->host);
}

int
host_dir_make(struct host_dir *dir, const char *name)
{
    if (!file_name_is_legal(name))
        return -EINVAL;
    if (dir->host->is_dead)
        return -EIO;
    if (dir->host->machine->real_path) {
        char *path = join(dir->path, name);
        (void)mkdir(path, 0700); /* a crash may have left or taken it there, and not here */
        free(path);
    }
    if (entries_find(&dir->node->entries, name))
        return -EEXIST;
    return change_folder(dir, (struct change){.to = dir->node,
                                              .to_name = (char *)(uintptr_t)name,
                                              .node = disk_node(dir->host->machine->disk, true)});
}

int
host_dir_rename(struct host_dir *dir, const char *from, const char *to)
{
    return host_dir_move(dir, from, dir, to);
}

static void
give_back_room(struct disk *disk, struct node *node)
{
    if (!node)
        return;
    disk->used -= node->charged;
    node->charged = 0;
}

/* The real folder goes along, with what a library has made in it. */
static void
move_real(struct host_dir *from_dir, const char *from, struct host_dir *to_dir, const char *to)
{
    char *old = join(from_dir->path, from), *new = join(to_dir->path, to);

    (void)!rename(old, new); /* may have been done before a crash that undid it here */
    free(old);
    free(new);
}

int
host_dir_move(struct host_dir *from_dir, const char *from, struct host_dir *to_dir, const char *to)
{
    if (!file_name_is_legal(from) || !file_name_is_legal(to))
        return -EINVAL;
    if (from_dir->host->is_dead)
        return -EIO;
    struct node *node = entries_find(&from_dir->node->entries, from);
    struct node *replaced = entries_find(&to_dir->node->entries, to);
    if (!node)
        return -ENOENT;
    if (node == replaced)
        return 0;
    if (replaced && replaced->is_folder != node->is_folder)
        return replaced->is_folder ? -EISDIR : -ENOTDIR;
    if (replaced && replaced->entries.count > 0)
        return -ENOTEMPTY;
    int error = change_folder(from_dir, (struct change){.from = from_dir->node,
                                                        .from_name = (char *)(uintptr_t)from,
                                                        .to = to_dir->node,
                                                        .to_name = (char *)(uintptr_t)to,
                                                        .node = node});
    if (error == 0)
        give_back_room(from_dir->host->machine->disk, replaced);
    if (error == 0 && node->is_folder && from_dir->host->machine->real_path)
        move_real(from_dir, from, to_dir, to);
    return error;
}

/* What a library made by itself in the real folder. */
static int
remove_real(struct host_dir *dir, const char *name)
{
    if (!dir->host->machine->real_path)
        return -ENOENT;
    char *path = join(dir->path, name);
    int error = unlink(path) < 0 ? -errno : 0;
    free(path);
    return error;
}

int
host_dir_remove(struct host_dir *dir, const char *name)
{
    if (!file_name_is_legal(name))
        return -EINVAL;
    if (dir->host->is_dead)
        return -EIO;
    struct node *node = entries_find(&dir->node->entries, name);
    if (!node)
        return remove_real(dir, name);
    if (node->is_folder && node->entries.count > 0)
        return -ENOTEMPTY;
    int error = change_folder(dir, (struct change){.from = dir->node,
                                                   .from_name = (char *)(uintptr_t)name,
                                                   .node = node});
    if (error == 0)
        give_back_room(dir->host->machine->disk, node);
    return error;
}

int
host_dir_sync(struct host_dir *dir)
{
    struct disk *disk = dir->host->machine->disk;

    if (dir->host->is_dead)
        return -EIO;
    enum moment moment = disk_begin(disk);
    int error = disk_fault(disk, SIM_FAULT_SYNC);
    if (error == 0 && (moment == MOMENT_NONE || moment == MOMENT_AFTER))
        folder_sync(disk, dir->node);
    return moment == MOMENT_NONE ? error : disk_crash(disk, dir->host);
}

int
host_dir_list(struct host_dir *dir, host_dir_fn fn, void *context)
{
    const struct entries *entries = &dir->node->entries;
    size_t count = entries->count;
    bool goes_on = true;

    if (dir->host->is_dead)
        return -EIO;
    char **names = sim_allocate((count + 1) * sizeof(char *));
    for (size_t i = 0; i < count; i++) {
        names[i] = strdup(entries->items[i].name);
        if (!names[i])
            abort();
    }
    for (size_t left = count; left > 0; left--) {
        size_t chosen = (size_t)sim_random(dir->host->sim, left);
        if (goes_on)
            goes_on = fn(context, names[chosen]);
        free(names[chosen]);
        names[chosen] = names[left - 1];
    }
    free(names);
    return 0;
}

int
host_dir_space(struct host_dir *dir, uint64_t *ret_free, uint64_t *ret_total)
{
    const struct disk *disk = dir->host->machine->disk;

    *ret_total = disk->room;
    *ret_free = disk->room > disk->used ? disk->room - disk->used : 0;
    return 0;
}

static void
read_info(const struct node *node, struct host_file_info *ret_info)
{
    *ret_info = (struct host_file_info){
        .size = node->seen.size,
        .inode = node->number,
        .modified = {node->modified_ns},
        .is_folder = node->is_folder,
    };
}

int
host_dir_find(struct host_dir *dir, const char *name, struct host_file_info *ret_info)
{
    struct stat info;

    if (!file_name_is_legal(name))
        return -EINVAL;
    const struct node *node = entries_find(&dir->node->entries, name);
    if (node) {
        read_info(node, ret_info);
        return 0;
    }
    if (!dir->host->machine->real_path)
        return -ENOENT;
    char *path = join(dir->path, name);
    int error = stat(path, &info) < 0 ? -errno : 0;
    free(path);
    if (error == 0)
        *ret_info = (struct host_file_info){.size = (uint64_t)info.st_size,
                                            .inode = info.st_ino,
                                            .is_folder = S_ISDIR(info.st_mode)};
    return error;
}

int
host_dir_stamp(struct host_dir *dir, const char *name, uint64_t *ret_stamp)
{
    struct host_file_info info;
    int error = host_dir_find(dir, name, &info);

    if (error < 0)
        return error;
    *ret_stamp = (uint64_t)info.modified.ns ^ info.inode << 48 ^ info.size;
    return 0;
}

/* ---- files ----------------------------------------------------------------------------------- */

int
host_file_open(struct host_dir *dir, const char *name, unsigned flags, struct host_file **ret_file)
{
    if (!file_name_is_legal(name))
        return -EINVAL;
    if (dir->host->is_dead)
        return -EIO;
    struct node *node = entries_find(&dir->node->entries, name);
    if (node && flags & HOST_FILE_EXCLUSIVE)
        return -EEXIST;
    if (node && node->is_folder)
        return flags & HOST_FILE_WRITE ? -EISDIR : -EINVAL;
    if (!node) {
        if (!(flags & HOST_FILE_CREATE))
            return -ENOENT;
        node = disk_node(dir->host->machine->disk, false);
        node->modified_ns = host_wall(dir->host).ns;
        int error = change_folder(dir, (struct change){.to = dir->node,
                                                       .to_name = (char *)(uintptr_t)name,
                                                       .node = node});
        if (error < 0)
            return error;
    }
    struct host_file *file = sim_allocate(sizeof(*file));
    *file = (struct host_file){dir->host, node, (flags & HOST_FILE_WRITE) != 0};
    *ret_file = file;
    return 0;
}

void
host_file_close(struct host_file **file_at)
{
    struct host_file *file = *file_at;

    if (!file)
        return;
    if (file->node->locked_by == file)
        file->node->locked_by = NULL;
    if (file->node->record_locked_by == file)
        file->node->record_locked_by = NULL;
    free(file);
    *file_at = NULL;
}

void
files_of_dead(struct host *host)
{
    LIST_EACH(link, &host->machine->disk->nodes) {
        struct node *node = LIST_ITEM(link, struct node, in_disk);
        if (node->locked_by && node->locked_by->host == host)
            node->locked_by = NULL;
        if (node->record_locked_by && node->record_locked_by->host == host)
            node->record_locked_by = NULL;
    }
}

int64_t
host_file_read(struct host_file *file, void *at, size_t len, uint64_t offset)
{
    if (file->host->is_dead)
        return -EIO;
    int error = disk_fault(file->host->machine->disk, SIM_FAULT_READ);
    if (error < 0)
        return error;
    bool is_bad = file->node->spoilt_from < file->node->spoilt_end;
    if (is_bad && offset < file->node->spoilt_end && offset + len > file->node->spoilt_from)
        return -EIO;
    return (int64_t)pages_read(&file->node->seen, at, len, offset);
}

/* As many of the first `len` bytes of the pieces as there is room for. */
static int
write_pieces(struct host_file *file, const struct slice *pieces, size_t count, uint64_t offset,
             uint64_t len)
{
    struct disk *disk = file->host->machine->disk;

    for (size_t i = 0; i < count && len > 0; i++) {
        struct slice piece = slice_first(pieces[i], len < SIZE_MAX ? (size_t)len : SIZE_MAX);
        size_t written = node_write(disk, file->node, piece, offset);
        if (written < piece.len)
            return disk_is_full(disk);
        sim_trail_add(disk->sim, piece);
        offset += written;
        len -= written;
    }
    return 0;
}

int
host_file_write(struct host_file *file, const struct slice *pieces, size_t count, uint64_t offset)
{
    struct disk *disk = file->host->machine->disk;
    uint64_t len = 0;

    if (file->host->is_dead)
        return -EIO;
    if (!file->may_write)
        return -EBADF;
    for (size_t i = 0; i < count; i++)
        len += pieces[i].len;
    enum moment moment = disk_begin(disk);
    int error = disk_fault(disk, SIM_FAULT_WRITE);
    if (moment == MOMENT_BEFORE)
        return disk_crash(disk, file->host);
    /* Both a crash and a failure leave an unknown part of it. */
    if (moment == MOMENT_WITHIN || error < 0)
        len = sim_random(disk->sim, len + 1);
    int written = write_pieces(file, pieces, count, offset, len);
    file->node->modified_ns = host_wall(file->host).ns;
    if (moment != MOMENT_NONE)
        return disk_crash(disk, file->host);
    return error < 0 ? error : written;
}

/* Truncations and reservations. */
static int
resize(struct host_file *file, uint64_t size)
{
    struct disk *disk = file->host->machine->disk;

    if (file->host->is_dead)
        return -EIO;
    if (!file->may_write)
        return -EBADF;
    enum moment moment = disk_begin(disk);
    int error = disk_fault(disk, SIM_FAULT_WRITE);
    bool has_effect = error == 0 && moment != MOMENT_BEFORE && moment != MOMENT_WITHIN;
    if (has_effect && !node_resize(disk, file->node, size))
        error = disk_is_full(disk);
    if (has_effect)
        file->node->modified_ns = host_wall(file->host).ns;
    return moment == MOMENT_NONE ? error : disk_crash(disk, file->host);
}

int
host_file_reserve(struct host_file *file, uint64_t size)
{
    return size <= file->node->seen.size && !file->host->is_dead ? 0 : resize(file, size);
}

int
host_file_truncate(struct host_file *file, uint64_t size)
{
    return resize(file, size);
}

int
host_file_sync(struct host_file *file)
{
    struct disk *disk = file->host->machine->disk;

    if (file->host->is_dead)
        return -EIO;
    enum moment moment = disk_begin(disk);
    int error = disk_fault(disk, SIM_FAULT_SYNC);
    if (error < 0)
        node_forget(disk, file->node);
    else if (moment == MOMENT_NONE || moment == MOMENT_AFTER)
        node_sync(file->node);
    return moment == MOMENT_NONE ? error : disk_crash(disk, file->host);
}

int
host_file_push(struct host_file *file, uint64_t offset, uint64_t len)
{
    (void)offset;
    (void)len;
    return file->host->is_dead ? -EIO : 0; /* crashes keep any part of what was not synced anyway */
}

int
host_file_write_durably(struct host_file *file, const struct slice *pieces, size_t count,
                        uint64_t offset, bool *ret_is_unknown)
{
    int error = host_file_write(file, pieces, count, offset);

    *ret_is_unknown = false;
    if (error == 0) {
        error = host_file_sync(file);
        *ret_is_unknown = error < 0;
    }
    return error;
}

int
host_file_size(struct host_file *file, uint64_t *ret_size)
{
    if (file->host->is_dead)
        return -EIO;
    *ret_size = file->node->seen.size;
    return 0;
}

int
host_file_links(struct host_file *file, uint64_t *ret_links)
{
    if (file->host->is_dead)
        return -EIO;
    *ret_links = 1; /* this disk has no second names */
    return 0;
}

int
host_file_info(struct host_file *file, struct host_file_info *ret_info)
{
    if (file->host->is_dead)
        return -EIO;
    read_info(file->node, ret_info);
    return 0;
}

int
host_file_lock(struct host_file *file)
{
    if (file->host->is_dead)
        return -EIO;
    if (file->node->locked_by && file->node->locked_by != file)
        return -EWOULDBLOCK;
    file->node->locked_by = file;
    return 0;
}

int
host_file_lock_record(struct host_file *file)
{
    if (file->host->is_dead)
        return -EIO;
    const struct host_file *holder = file->node->record_locked_by;
    if (holder && holder->host != file->host)
        return -EWOULDBLOCK;
    file->node->record_locked_by = file;
    return 0;
}

/* ---- users ----------------------------------------------------------------------------------- */

/* Everybody in the simulator is the same user. */
int
host_user_assume(struct host *host, const char *user)
{
    (void)host;
    return *user == 0 ? 0 : -EPERM;
}

void
host_user_leave(struct host *host)
{
    (void)host;
}
