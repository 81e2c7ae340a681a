/* SPDX-License-Identifier: ISC */
/* An mbox is written as PATH.part; PATH.part.state says up to which UID and which length it is
 * whole, and is renewed now and then. In a Maildir every message is a file whose name begins with
 * UIDVALIDITY.UID, so what is there can be seen; files lie in tmp/ until many are made durable by
 * one sync, and then move to cur/. */
#include "tool/outbox.h"

#include "base/cursor.h"
#include "delivery/maildir.h"
#include "delivery/mbox.h"
#include "tool/box.h"
#include "tool/files.h"
#include "tool/say.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum { STATE_EVERY = 200, STATE_MAX = 128, NAME_MAX_LEN = 255 };

/* A file of a Maildir that lies in tmp/. */
struct unsettled {
    char *part;
    char *whole;
};

struct outbox {
    enum outbox_kind kind;
    char *path;
    char *part_path;
    char *state_path;
    uint32_t uid_validity;
    uint32_t last_uid; /* mbox: written up to this one */
    uint64_t len;      /* mbox: bytes written */
    unsigned since_state;
    int file;
    struct buffer work;
    uint32_t *there; /* Maildir: UIDs that lie in it, sorted; owned */
    size_t there_count;
    struct unsettled unsettled[STATE_EVERY];
    size_t unsettled_count;
};

static const struct files_owner own = {.user = FILES_NOBODY, .group = FILES_NOBODY, .mode = 0600};

static char *
with_suffix(const char *path, const char *suffix)
{
    size_t len = strlen(path), suffix_len = strlen(suffix);
    char *joined = malloc(len + suffix_len + 1);

    if (!joined)
        abort();
    memcpy(joined, path, len);
    memcpy(joined + len, suffix, suffix_len + 1);
    return joined;
}

static int
say_cannot_write(const char *path)
{
    return say_error(EX_IOERR, "cannot write %s: %s; look at the disk, then begin again", path,
                     strerror(errno));
}

/* ---- mbox ---------------------------------------------------------------------------------- */

static int
write_state(struct outbox *outbox)
{
    char text[STATE_MAX];
    int len = snprintf(text, sizeof(text), "%" PRIu32 " %" PRIu32 " %" PRIu64 "\n",
                       outbox->uid_validity, outbox->last_uid, outbox->len);

    outbox->since_state = 0;
    if (fdatasync(outbox->file) != 0)
        return say_cannot_write(outbox->part_path);
    return files_replace(outbox->state_path, slice_of(text, (size_t)len), &own);
}

/* What the state says counts only for the same mailbox; otherwise the file is begun anew. */
static int
read_state(struct outbox *outbox)
{
    struct buffer text;
    uint32_t validity, uid;
    uint64_t len;
    int code = files_read_if_any(outbox->state_path, STATE_MAX, &text);
    struct cursor cursor = cursor_of(buffer_slice(&text));

    if (code == EX_OK && cursor_take_u32(&cursor, 0, UINT32_MAX, &validity) &&
        cursor_take_byte(&cursor, ' ') && cursor_take_u32(&cursor, 0, UINT32_MAX, &uid) &&
        cursor_take_byte(&cursor, ' ') && cursor_take_u64(&cursor, 0, INT64_MAX, &len) &&
        validity == outbox->uid_validity) {
        outbox->last_uid = uid;
        outbox->len = len;
    }
    buffer_finish(&text);
    return code;
}

/* One that was cut off when it had its name already, and its old one still. */
static bool
has_both_names(const struct outbox *outbox)
{
    struct stat whole, part;

    return lstat(outbox->path, &whole) == 0 && lstat(outbox->part_path, &part) == 0 &&
           whole.st_dev == part.st_dev && whole.st_ino == part.st_ino;
}

static int
open_mbox(struct outbox *outbox)
{
    struct stat info;

    if (has_both_names(outbox))
        unlink(outbox->path);
    if (files_exists(outbox->path))
        return say_error(EX_CANTCREAT, "%s is there already; choose another name, or remove it",
                         outbox->path);
    int code = read_state(outbox);
    if (code != EX_OK)
        return code;
    outbox->file = open(outbox->part_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    /* It was removed or cut since, and its state was not: what that counts is not there. */
    if (outbox->file >= 0 && fstat(outbox->file, &info) == 0 &&
        (uint64_t)info.st_size < outbox->len)
        outbox->len = outbox->last_uid = 0;
    if (outbox->file < 0 || ftruncate(outbox->file, (off_t)outbox->len) != 0 ||
        lseek(outbox->file, 0, SEEK_END) < 0)
        return say_cannot_write(outbox->part_path);
    return EX_OK;
}

/* The reverse-path that stands in the Return-Path: line at the top, where delivery puts it. */
static struct slice
sender_of(struct slice content)
{
    struct slice name = SLICE("Return-Path:");
    struct slice line = slice_first(content, slice_find_byte(content, '\n'));

    if (!slice_starts_with_nocase(line, name))
        return SLICE("");
    line = slice_trim(slice_skip(line, name.len));
    return slice_starts_with(line, SLICE("<")) ? slice_between(line, 1, slice_find_byte(line, '>'))
                                               : line;
}

static bool
write_all(int file, struct slice bytes)
{
    while (bytes.len > 0) {
        ssize_t count = write(file, bytes.at, bytes.len);
        if (count < 0 && errno != EINTR)
            return false;
        bytes = slice_skip(bytes, count > 0 ? (size_t)count : 0);
    }
    return true;
}

static int
put_into_mbox(struct outbox *outbox, const struct outbox_message *message)
{
    mbox_put_message(&outbox->work, sender_of(message->content), message->received,
                     message->content);
    if (!write_all(outbox->file, buffer_slice(&outbox->work)))
        return say_cannot_write(outbox->part_path);
    outbox->len += buffer_len(&outbox->work);
    outbox->last_uid = message->uid;
    return ++outbox->since_state >= STATE_EVERY ? write_state(outbox) : EX_OK;
}

/* ---- Maildir ------------------------------------------------------------------------------- */

static int
by_uid(const void *left, const void *right)
{
    uint32_t l = *(const uint32_t *)left, r = *(const uint32_t *)right;

    return (l > r) - (l < r);
}

static void
note_name(struct outbox *outbox, struct slice name)
{
    struct cursor cursor = cursor_of(name);
    uint32_t validity, uid;

    if (!cursor_take_u32(&cursor, 0, UINT32_MAX, &validity) || validity != outbox->uid_validity ||
        !cursor_take_byte(&cursor, '.') || !cursor_take_u32(&cursor, 1, UINT32_MAX, &uid) ||
        !cursor_take_text(&cursor, SLICE(".facteur")))
        return;
    if ((outbox->there_count & (outbox->there_count - 1)) == 0) {
        size_t room = outbox->there_count ? outbox->there_count * 2 : 1;
        uint32_t *there = realloc(outbox->there, room * sizeof(*there));
        if (!there)
            abort();
        outbox->there = there;
    }
    outbox->there[outbox->there_count++] = uid;
}

/* Also what a mail reader has moved or flagged meanwhile is there. */
static void
note_folder(struct outbox *outbox, const char *part)
{
    char *folder = files_path(outbox->path, part);
    DIR *dir = opendir(folder);

    for (struct dirent *entry; dir && (entry = readdir(dir));)
        note_name(outbox, slice_of_string(entry->d_name));
    if (dir)
        closedir(dir);
    free(folder);
}

/* One that is there may be somebody else's, who had our writing done elsewhere by a link. */
static int
make_part(const char *folder)
{
    struct stat info;
    int code = files_make_folder(folder, 0700);

    if (code == EX_OK && lstat(folder, &info) == 0 && S_ISLNK(info.st_mode))
        code = say_error(EX_CANTCREAT, "%s is a link, which could lead anywhere; name a folder",
                         folder);
    return code;
}

static int
open_maildir(struct outbox *outbox)
{
    static const char *const parts[] = {"tmp", "new", "cur"};
    int code = files_make_folder(outbox->path, 0700);

    for (size_t i = 0; code == EX_OK && i < COUNT_OF(parts); i++) {
        char *folder = files_path(outbox->path, parts[i]);
        code = make_part(folder);
        free(folder);
    }
    note_folder(outbox, "new");
    note_folder(outbox, "cur");
    if (outbox->there_count > 0)
        qsort(outbox->there, outbox->there_count, sizeof(*outbox->there), by_uid);
    return code;
}

static unsigned
maildir_flags(uint32_t flags)
{
    return (flags & BOX_SEEN ? (unsigned)MAILDIR_SEEN : 0) |
           (flags & BOX_ANSWERED ? (unsigned)MAILDIR_REPLIED : 0) |
           (flags & BOX_FLAGGED ? (unsigned)MAILDIR_FLAGGED : 0) |
           (flags & BOX_DELETED ? (unsigned)MAILDIR_TRASHED : 0) |
           (flags & BOX_DRAFT ? (unsigned)MAILDIR_DRAFT : 0);
}

static int
write_part(const char *path, struct slice bytes)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool is_good = file >= 0 && write_all(file, bytes);
    int code = is_good ? EX_OK : say_cannot_write(path);

    if (file >= 0 && close(file) != 0 && is_good)
        code = say_cannot_write(path);
    return code;
}

static void
forget_unsettled(struct outbox *outbox)
{
    for (size_t i = 0; i < outbox->unsettled_count; i++) {
        free(outbox->unsettled[i].part);
        free(outbox->unsettled[i].whole);
    }
    outbox->unsettled_count = 0;
}

static int
sync_all(const struct outbox *outbox)
{
    int folder = open(outbox->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int code = folder >= 0 && syncfs(folder) == 0 ? EX_OK : say_cannot_write(outbox->path);

    if (folder >= 0)
        close(folder);
    return code;
}

/* What stands in cur/ has its content on the disk: an export that is begun again passes it over. */
static int
settle(struct outbox *outbox)
{
    int code = sync_all(outbox);

    for (size_t i = 0; code == EX_OK && i < outbox->unsettled_count; i++) {
        if (rename(outbox->unsettled[i].part, outbox->unsettled[i].whole) != 0)
            code = say_cannot_write(outbox->unsettled[i].whole);
    }
    forget_unsettled(outbox);
    return code;
}

static int
put_into_maildir(struct outbox *outbox, const struct outbox_message *message)
{
    char name[NAME_MAX_LEN];
    struct buffer full;

    snprintf(name, sizeof(name), "%" PRIu32 ".%" PRIu32 ".facteur", outbox->uid_validity,
             message->uid);
    buffer_init(&full, NAME_MAX_LEN + 1);
    buffer_put_text(&full, "cur/");
    buffer_put_text(&full, name);
    maildir_put_flags(&full, maildir_flags(message->flags));
    buffer_put_byte(&full, '\0');
    char *folder = files_path(outbox->path, "tmp");
    struct unsettled unsettled = {
        .part = files_path(folder, name),
        .whole = files_path(outbox->path, (const char *)buffer_slice(&full).at),
    };
    free(folder);
    buffer_finish(&full);

    maildir_put_lf(&outbox->work, message->content);
    int code = write_part(unsettled.part, buffer_slice(&outbox->work));
    if (code != EX_OK) {
        free(unsettled.part);
        free(unsettled.whole);
        return code;
    }
    outbox->unsettled[outbox->unsettled_count++] = unsettled;
    return outbox->unsettled_count == STATE_EVERY ? settle(outbox) : EX_OK;
}

/* ---- both ---------------------------------------------------------------------------------- */

int
outbox_open(const char *path, enum outbox_kind kind, uint32_t uid_validity,
            struct outbox **ret_outbox)
{
    struct outbox *outbox = calloc(1, sizeof(*outbox));

    if (!outbox)
        abort();
    outbox->kind = kind;
    outbox->uid_validity = uid_validity;
    outbox->file = -1;
    outbox->path = with_suffix(path, "");
    outbox->part_path = with_suffix(path, ".part");
    outbox->state_path = with_suffix(path, ".part.state");
    buffer_init(&outbox->work, (size_t)8 << 30);
    *ret_outbox = outbox;
    return kind == OUTBOX_MBOX ? open_mbox(outbox) : open_maildir(outbox);
}

void
outbox_close(struct outbox **outbox)
{
    struct outbox *o = *outbox;

    if (!o)
        return;
    if (o->file >= 0)
        close(o->file);
    if (o->unsettled_count > 0)
        (void)!settle(o); /* told; what is missing then comes when it is begun again */
    free(o->path);
    free(o->part_path);
    free(o->state_path);
    free(o->there);
    buffer_finish(&o->work);
    free(o);
    *outbox = NULL;
}

bool
outbox_has(const struct outbox *outbox, uint32_t uid)
{
    if (outbox->kind == OUTBOX_MBOX)
        return uid <= outbox->last_uid;
    return outbox->there_count > 0 && bsearch(&uid, outbox->there, outbox->there_count,
                                              sizeof(*outbox->there), by_uid) != NULL;
}

int
outbox_put(struct outbox *outbox, const struct outbox_message *message)
{
    buffer_clear(&outbox->work);
    return outbox->kind == OUTBOX_MBOX ? put_into_mbox(outbox, message)
                                       : put_into_maildir(outbox, message);
}

int
outbox_complete(struct outbox *outbox)
{
    if (outbox->kind == OUTBOX_MAILDIR) {
        int code = settle(outbox);
        return code == EX_OK ? sync_all(outbox) : code;
    }
    if (fdatasync(outbox->file) != 0 || link(outbox->part_path, outbox->path) != 0)
        return say_cannot_write(outbox->path);
    unlink(outbox->state_path);
    unlink(outbox->part_path);
    return EX_OK;
}
