/* SPDX-License-Identifier: ISC */
#include "tool/box.h"

#include "delivery/maildir.h"
#include "tool/files.h"
#include "tool/say.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

/* new/ and cur/ hold messages, tmp/ what is not yet one. */
enum { PARTS = 2 };
static const char *const part_names[PARTS] = {"cur", "new"};

/* A file of a Maildir. */
struct entry {
    char *path; /* owned */
    uint32_t uid;
    int folder; /* where its name is looked for: the path may lead elsewhere by now */
};

struct box {
    enum box_kind kind;
    struct buffer content; /* of the message at hand */
    struct slice file;     /* mbox: mapped */
    size_t offset;
    struct entry *entries; /* Maildir: sorted, owned */
    int folders[PARTS];    /* -1: not open */
    struct uidlist uids;
    size_t count;
    size_t next;
};

/* Those that have a UID come first, by it: UIDs rise. */
static int
by_order(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;

    if (a->uid != b->uid)
        return a->uid == 0 ? 1 : b->uid == 0 ? -1 : a->uid < b->uid ? -1 : 1;
    return strcmp(a->path, b->path);
}

static void
add_entry(struct box *box, int folder, char *path)
{
    struct slice unique;
    unsigned flags;

    if ((box->count & (box->count - 1)) == 0) {
        box->entries =
            reallocarray(box->entries, box->count ? box->count * 2 : 1, sizeof(*box->entries));
        if (!box->entries)
            abort();
    }
    maildir_parse_name(slice_of_string(strrchr(path, '/') + 1), &unique, &flags);
    box->entries[box->count++] = (struct entry){path, uidlist_find(&box->uids, unique), folder};
}

/* Whoever owns the box may have put anything into it; it is often root who reads it. */
static void
list_part(struct box *box, DIR *dir, int folder, const char *path)
{
    struct stat info;

    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.')
            continue;
        char *file = files_path(path, entry->d_name);
        if (fstatat(folder, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0 ||
            S_ISREG(info.st_mode)) {
            add_entry(box, folder, file);
            continue;
        }
        say_warning("%s is no ordinary file and is passed over", file);
        free(file);
    }
}

static int
open_part(struct box *box, int maildir, size_t part, const char *path)
{
    int folder = openat(maildir, part_names[part], O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    int again = folder >= 0 ? fcntl(folder, F_DUPFD_CLOEXEC, 0) : -1;
    DIR *dir = again >= 0 ? fdopendir(again) : NULL;

    box->folders[part] = folder;
    if (!dir) {
        int code = say_error(say_code_of_errno(errno),
                             "cannot open the folder %s: %s; a Maildir has the folders cur, new "
                             "and tmp, and none of them is a link",
                             path, strerror(errno));
        if (again >= 0)
            close(again);
        return code;
    }
    list_part(box, dir, folder, path);
    closedir(dir);
    return EX_OK;
}

static int
list_maildir(struct box *box, const char *path)
{
    int maildir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC), code = EX_OK;

    uidlist_open(&box->uids, path);
    for (size_t i = 0; i < PARTS && code == EX_OK; i++) {
        char *folder = files_path(path, part_names[i]);
        code = open_part(box, maildir, i, folder);
        free(folder);
    }
    if (maildir >= 0)
        close(maildir);
    if (code != EX_OK)
        return code;
    if (box->count > 0)
        qsort(box->entries, box->count, sizeof(*box->entries), by_order);
    return EX_OK;
}

static int
map_file(struct box *box, const char *path)
{
    struct stat info;
    int file, code = files_open_plain(AT_FDCWD, path, path, &file);

    if (code != EX_OK)
        return code;
    if (fstat(file, &info) == 0 && info.st_size > 0) {
        void *at = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, file, 0);
        if (at == MAP_FAILED)
            code = say_error(EX_OSERR, "cannot map %s: %s", path, strerror(errno));
        else
            box->file = slice_of(at, (size_t)info.st_size);
    }
    close(file);
    if (code == EX_OK && !mbox_is_likely(box->file))
        code = say_error(EX_DATAERR,
                         "%s is no mbox: it does not begin with a line 'From …'; give "
                         "an mbox file or a Maildir",
                         path);
    return code;
}

int
box_open(const char *path, enum box_kind kind, struct box **ret_box)
{
    struct box *box = calloc(1, sizeof(*box));

    if (!box)
        abort();
    bool is_folder = files_is_folder(path);
    box->kind = kind != BOX_ANY ? kind : is_folder ? BOX_MAILDIR : BOX_MBOX;
    for (size_t i = 0; i < PARTS; i++)
        box->folders[i] = -1;
    buffer_init(&box->content, BOX_MESSAGE_MAX);
    *ret_box = box;
    return box->kind == BOX_MAILDIR ? list_maildir(box, path) : map_file(box, path);
}

void
box_close(struct box **box)
{
    struct box *b = *box;

    if (!b)
        return;
    if (b->file.len > 0)
        munmap((void *)(uintptr_t)b->file.at, b->file.len);
    for (size_t i = 0; i < b->count; i++)
        free(b->entries[i].path);
    free(b->entries);
    for (size_t i = 0; i < PARTS; i++)
        if (b->folders[i] >= 0)
            close(b->folders[i]);
    uidlist_finish(&b->uids);
    buffer_finish(&b->content);
    free(b);
    *box = NULL;
}

/* ---- mbox ---------------------------------------------------------------------------------- */

/* Letters of Status: and X-Status:, as mail readers have written them since Berkeley Mail. */
static uint32_t
flags_of_letters(struct slice letters)
{
    static const struct {
        char letter;
        uint32_t flag;
    } known[] = {{'R', BOX_SEEN},
                 {'A', BOX_ANSWERED},
                 {'F', BOX_FLAGGED},
                 {'D', BOX_DELETED},
                 {'T', BOX_DRAFT}};
    uint32_t flags = 0;

    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (slice_find_byte(letters, (uint8_t)known[i].letter) < letters.len)
            flags |= known[i].flag;
    }
    return flags;
}

static uint32_t
flags_of_header(struct slice message)
{
    struct slice status = SLICE("Status:"), x_status = SLICE("X-Status:");
    uint32_t flags = 0;

    while (message.len > 0) {
        struct slice line = slice_first(message, slice_find_byte(message, '\n'));
        if (slice_trim(line).len == 0)
            break;
        if (slice_starts_with_nocase(line, status))
            flags |= flags_of_letters(slice_skip(line, status.len));
        if (slice_starts_with_nocase(line, x_status))
            flags |= flags_of_letters(slice_skip(line, x_status.len));
        message = slice_skip(message, line.len + 1);
    }
    return flags;
}

static bool
next_of_mbox(struct box *box, struct box_message *ret_message)
{
    struct mbox_item item;

    if (!mbox_next(box->file, &box->offset, &item))
        return false;
    mbox_put_content(&box->content, &item, box->kind == BOX_MBOX_O ? MBOX_O : MBOX_RD);
    *ret_message = (struct box_message){
        .content = buffer_slice(&box->content),
        .flags = flags_of_header(buffer_slice(&box->content)),
        .received = item.received,
    };
    return true;
}

/* ---- Maildir ------------------------------------------------------------------------------- */

static uint32_t
flags_of_maildir(unsigned maildir)
{
    return (maildir & MAILDIR_SEEN ? (uint32_t)BOX_SEEN : 0) |
           (maildir & MAILDIR_REPLIED ? (uint32_t)BOX_ANSWERED : 0) |
           (maildir & MAILDIR_FLAGGED ? (uint32_t)BOX_FLAGGED : 0) |
           (maildir & MAILDIR_TRASHED ? (uint32_t)BOX_DELETED : 0) |
           (maildir & MAILDIR_DRAFT ? (uint32_t)BOX_DRAFT : 0);
}

/* Dovecot keeps the arrival as the time of the file. */
static struct wall
received_of(const struct box *box, const struct entry *entry, const char *name)
{
    struct stat info;

    if (box->uids.uid_validity == 0 ||
        fstatat(entry->folder, name, &info, AT_SYMLINK_NOFOLLOW) != 0)
        return maildir_name_time(slice_of_string(name));
    return wall_of_seconds(info.st_mtim.tv_sec);
}

static bool
next_of_maildir(struct box *box, struct box_message *ret_message, int *ret_code)
{
    struct buffer file;
    struct slice unique;
    unsigned flags;

    if (box->next == box->count)
        return false;
    const struct entry *entry = &box->entries[box->next++];
    const char *file_name = strrchr(entry->path, '/') + 1;
    struct slice name = slice_of_string(file_name);
    *ret_code = files_read_plain(entry->folder, file_name, entry->path, BOX_MESSAGE_MAX, &file);
    if (*ret_code == EX_OK)
        maildir_put_crlf(&box->content, buffer_slice(&file));
    buffer_finish(&file);
    if (*ret_code != EX_OK)
        return false;
    maildir_parse_name(name, &unique, &flags);
    *ret_message = (struct box_message){
        .content = buffer_slice(&box->content),
        .flags = flags_of_maildir(flags),
        .received = received_of(box, entry, file_name),
        .uid = entry->uid,
    };
    ret_message->keyword_count = uidlist_keywords(&box->uids, name, ret_message->keywords);
    return true;
}

bool
box_next(struct box *box, struct box_message *ret_message, int *ret_code)
{
    *ret_code = EX_OK;
    buffer_clear(&box->content);
    bool is_any = box->kind == BOX_MAILDIR ? next_of_maildir(box, ret_message, ret_code)
                                           : next_of_mbox(box, ret_message);
    if (is_any && buffer_overflowed(&box->content)) {
        *ret_code =
            say_error(EX_DATAERR, "a message is larger than %d bytes; take it out of the box",
                      BOX_MESSAGE_MAX);
        return false;
    }
    return is_any;
}

uint32_t
box_uid_validity(const struct box *box)
{
    return box->uids.uid_validity;
}

uint64_t
box_done(const struct box *box)
{
    return box->kind == BOX_MAILDIR ? box->next : box->offset;
}

uint64_t
box_whole(const struct box *box)
{
    return box->kind == BOX_MAILDIR ? box->count : box->file.len;
}
