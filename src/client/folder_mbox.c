/* SPDX-License-Identifier: ISC */
/* An mbox file (RFC 4155). Flags stand in Status and X-Status, as mail readers have written them
 * since Berkeley Mail. Changes are gathered; finish writes a new file under both locks that other
 * programs know, and puts it in the place of the old one: what was appended meanwhile is kept. */
#include "client/folder_private.h"
#include "delivery/mbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LOCK_TRIES = 300, LOCK_WAIT_MS = 100, STALE_LOCK_S = 300, PIECE = 64 * 1024 };

struct item {
    struct mbox_item item;
    size_t end; /* of it in the file */
    bool is_changed, is_deleted;
};

struct mbox {
    struct buffer file;
    struct item *items; /* one for each letter; owned */
    size_t room;
    bool is_dirty;
};

static bool
read_letter(struct client_folder *folder, size_t index, struct buffer *out,
            struct client_problem *problem)
{
    struct mbox *mbox = folder->state;

    mbox_put_content(out, &mbox->items[index].item, MBOX_RD);
    return !buffer_overflowed(out) || client_problem_set(problem, CLIENT_PROBLEM_TOO_LARGE,
                                                         "message %zu is too large", index + 1);
}

static bool
flag_letters(struct client_folder *folder, struct client_chosen chosen, uint32_t add,
             uint32_t remove, struct client_problem *problem)
{
    struct mbox *mbox = folder->state;

    (void)problem;
    for (size_t i = 0; i < chosen.count; i++) {
        uint32_t *flags = &folder->letters[chosen.indexes[i]].flags;
        uint32_t wanted = (*flags | add) & ~remove;
        mbox->is_dirty = mbox->is_dirty || wanted != *flags;
        mbox->items[chosen.indexes[i]].is_changed |= wanted != *flags;
        *flags = wanted;
    }
    return true;
}

static bool
remove_letters(struct client_folder *folder, struct client_chosen chosen,
               struct client_problem *problem)
{
    struct mbox *mbox = folder->state;

    (void)problem;
    for (size_t i = 0; i < chosen.count; i++)
        mbox->items[chosen.indexes[i]].is_deleted = true;
    mbox->is_dirty = mbox->is_dirty || chosen.count > 0;
    return true;
}

/* ---- flags --------------------------------------------------------------------------------- */

static const struct {
    char letter;
    bool is_x; /* X-Status */
    uint32_t flag;
} letters[] = {{'R', false, CLIENT_SEEN},
               {'A', true, CLIENT_ANSWERED},
               {'F', true, CLIENT_FLAGGED},
               {'D', true, CLIENT_DELETED},
               {'T', true, CLIENT_DRAFT}};

/* A line of the header with its end, from the front of *text; false at the header's end. */
static bool
next_line(struct slice *text, struct slice *ret_line)
{
    struct slice line = slice_first(*text, slice_find_byte(*text, '\n') + 1);

    if (slice_trim(line).len == 0)
        return false;
    *text = slice_skip(*text, line.len);
    *ret_line = line;
    return true;
}

static bool
is_status(struct slice line)
{
    return slice_starts_with_nocase(line, SLICE("Status:")) ||
           slice_starts_with_nocase(line, SLICE("X-Status:"));
}

static uint32_t
flags_of(struct slice message)
{
    uint32_t flags = 0;
    struct slice line;

    while (next_line(&message, &line)) {
        struct slice value = slice_skip(line, slice_find_byte(line, ':'));
        for (size_t i = 0; is_status(line) && i < COUNT_OF(letters); i++) {
            if (slice_find_byte(value, (uint8_t)letters[i].letter) < value.len)
                flags |= letters[i].flag;
        }
    }
    return flags;
}

static void
put_status(struct buffer *out, uint32_t flags, bool is_x, struct slice line_end)
{
    buffer_put_text(out, is_x ? "X-Status: " : "Status: ");
    for (size_t i = 0; i < COUNT_OF(letters); i++) {
        if (letters[i].is_x == is_x && (flags & letters[i].flag))
            buffer_put_byte(out, (uint8_t)letters[i].letter);
    }
    buffer_put_text(out, is_x ? "" : "O"); /* old: a reader has seen that it is there */
    buffer_put(out, line_end);
}

/* The message as it stands in the file, with other flags. */
static void
put_with_flags(struct buffer *out, struct slice raw, uint32_t flags)
{
    struct slice line;
    bool is_first = true;
    struct slice first = slice_first(raw, slice_find_byte(raw, '\n') + 1);
    struct slice line_end = slice_ends_with(first, SLICE("\r\n")) ? SLICE("\r\n") : SLICE("\n");

    for (; next_line(&raw, &line); is_first = false) {
        if (is_first || !is_status(line))
            buffer_put(out, line);
    }
    put_status(out, flags, false, line_end);
    if (flags & ~(uint32_t)CLIENT_SEEN)
        put_status(out, flags, true, line_end);
    buffer_put(out, raw);
}

/* ---- writing ------------------------------------------------------------------------------- */

/* What the file will hold: the letters that stay, and what has come behind them. */
static void
put_file(const struct client_folder *folder, struct slice now, struct buffer *out)
{
    const struct mbox *mbox = folder->state;
    struct slice file = buffer_slice(&mbox->file);

    for (size_t i = 0; i < folder->count; i++) {
        const struct item *item = &mbox->items[i];
        struct slice raw = slice_between(file, item->item.offset, item->end);
        if (item->is_deleted)
            continue;
        if (item->is_changed)
            put_with_flags(out, raw, folder->letters[i].flags);
        else
            buffer_put(out, raw);
    }
    buffer_put(out, slice_skip(now, file.len));
}

static void
pause_a_while(void)
{
    struct timespec wait = {.tv_nsec = LOCK_WAIT_MS * 1000000L};

    nanosleep(&wait, NULL);
}

/* NAME.lock, as mail programs have it; one that is old was left by a program that died. */
static bool
take_dot_lock(const char *lock, struct client_problem *problem)
{
    for (int i = 0; i < LOCK_TRIES; i++) {
        struct stat info;
        int descriptor = open(lock, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (descriptor >= 0) {
            close(descriptor);
            return true;
        }
        if (errno != EEXIST)
            return client_problem_set(problem, CLIENT_PROBLEM_FILE,
                                      "%s: %s; changing an mbox needs the right to make files "
                                      "beside it",
                                      lock, strerror(errno));
        if (stat(lock, &info) == 0 && time(NULL) - info.st_mtime > STALE_LOCK_S)
            (void)unlink(lock);
        pause_a_while();
    }
    return client_problem_set(problem, CLIENT_PROBLEM_TEMPORARY,
                              "%s: another program works on the mbox; try again", lock);
}

static bool
write_all(int descriptor, struct slice bytes)
{
    while (bytes.len > 0) {
        ssize_t count = write(descriptor, bytes.at, bytes.len);
        if (count < 0 && errno != EINTR)
            return false;
        bytes = slice_skip(bytes, count > 0 ? (size_t)count : 0);
    }
    return fsync(descriptor) == 0;
}

/* A new file beside the old one, with its owner and mode, in its place. */
static bool
replace(const char *path, int old, struct slice bytes, struct client_problem *problem)
{
    struct stat info;
    char *temporary = NULL;

    if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
        abort();
    int descriptor = mkostemp(temporary, O_CLOEXEC);
    bool is_done =
        descriptor >= 0 && fstat(old, &info) == 0 &&
        fchmod(descriptor, info.st_mode & 07777) == 0 &&
        (info.st_uid == geteuid() || fchown(descriptor, info.st_uid, info.st_gid) == 0) &&
        write_all(descriptor, bytes) && rename(temporary, path) == 0;
    if (!is_done) {
        client_problem_set(problem, CLIENT_PROBLEM_FILE, "%s: %s", temporary, strerror(errno));
        if (descriptor >= 0)
            (void)unlink(temporary);
    }
    if (descriptor >= 0)
        close(descriptor);
    free(temporary);
    return is_done;
}

/* All of a file, not by its name: to open and close it once more gives fcntl's lock back. */
static bool
read_locked(int descriptor, const char *path, struct buffer *out, struct client_problem *problem)
{
    ssize_t count = 1;

    while (count > 0) {
        uint8_t *space = buffer_reserve(out, PIECE);
        if (!space)
            return client_problem_set(problem, CLIENT_PROBLEM_TOO_LARGE, "%s: is too large", path);
        do
            count = read(descriptor, space, PIECE);
        while (count < 0 && errno == EINTR);
        if (count > 0)
            buffer_commit(out, (size_t)count);
    }
    return count == 0 ||
           client_problem_set(problem, CLIENT_PROBLEM_FILE, "%s: %s", path, strerror(errno));
}

/* Whether what has come behind the letters that were read is letters. Else the last of them was
 * still being delivered: the rest of it belongs to it. */
static bool
are_letters(struct slice before, struct slice behind)
{
    bool is_line = behind.len == 0 || slice_ends_with(before, SLICE("\n"));

    while (behind.len > 0 && (behind.at[0] == '\r' || behind.at[0] == '\n')) {
        behind = slice_skip(behind, 1);
        is_line = true;
    }
    return behind.len == 0 || (is_line && slice_starts_with(behind, SLICE("From ")));
}

/* Under both locks. */
static bool
write_box(struct client_folder *folder, int descriptor, struct client_problem *problem)
{
    struct mbox *mbox = folder->state;
    struct buffer now, next;
    struct slice before = buffer_slice(&mbox->file);

    buffer_init(&now, CLIENT_MESSAGE_MAX * 4);
    buffer_init(&next, CLIENT_MESSAGE_MAX * 4);
    bool is_good = read_locked(descriptor, folder->path, &now, problem);
    struct slice behind = slice_skip(buffer_slice(&now), before.len);
    if (is_good && (!slice_starts_with(buffer_slice(&now), before) || !are_letters(before, behind)))
        is_good = client_problem_set(problem, CLIENT_PROBLEM_TEMPORARY,
                                     "%s: another program has changed it; try again", folder->path);
    if (is_good) {
        put_file(folder, buffer_slice(&now), &next);
        is_good = !buffer_overflowed(&next) &&
                  replace(folder->path, descriptor, buffer_slice(&next), problem);
    }
    buffer_finish(&now);
    buffer_finish(&next);
    return is_good;
}

static bool
finish(struct client_folder *folder, struct client_problem *problem)
{
    struct mbox *mbox = folder->state;
    struct flock record = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char *lock = NULL;

    if (!mbox->is_dirty)
        return true;
    if (asprintf(&lock, "%s.lock", folder->path) < 0)
        abort();
    if (!take_dot_lock(lock, problem)) {
        free(lock);
        return false;
    }
    int descriptor = open(folder->path, O_RDWR | O_CLOEXEC);
    bool is_done = descriptor >= 0 && fcntl(descriptor, F_SETLKW, &record) == 0;
    if (!is_done)
        client_problem_set(problem, CLIENT_PROBLEM_FILE, "%s: %s", folder->path, strerror(errno));
    is_done = is_done && write_box(folder, descriptor, problem);
    mbox->is_dirty = !is_done;
    if (descriptor >= 0)
        close(descriptor);
    (void)unlink(lock);
    free(lock);
    return is_done;
}

static void
close_folder(struct client_folder *folder)
{
    struct mbox *mbox = folder->state;

    buffer_finish(&mbox->file);
    free(mbox->items);
    free(mbox);
}

static const struct folder_kind kind = {.read = read_letter,
                                        .flag = flag_letters,
                                        .remove = remove_letters,
                                        .finish = finish,
                                        .close = close_folder};

/* ---- opening ------------------------------------------------------------------------------- */

static void
add_item(struct client_folder *folder, const struct mbox_item *item, size_t end)
{
    struct mbox *mbox = folder->state;

    if (folder->count == mbox->room) {
        mbox->room = mbox->room ? mbox->room * 2 : 64;
        struct item *items = realloc(mbox->items, mbox->room * sizeof(*items));
        if (!items)
            abort();
        mbox->items = items;
    }
    mbox->items[folder->count] = (struct item){.item = *item, .end = end};
    struct client_letter *letter = folder_add(folder);
    letter->id = (uint32_t)folder->count;
    letter->size = item->content.len;
    letter->received = item->received;
    letter->flags = flags_of(item->content);
}

bool
folder_open_mbox(struct client_folder *folder, struct client_problem *problem)
{
    struct mbox *mbox = calloc(1, sizeof(*mbox));
    struct mbox_item item;
    size_t offset = 0;

    if (!mbox)
        abort();
    buffer_init(&mbox->file, CLIENT_MESSAGE_MAX * 4);
    folder->kind = &kind;
    folder->state = mbox;
    if (!folder_read_file(folder->path, &mbox->file, problem))
        return false;
    if (!mbox_is_likely(buffer_slice(&mbox->file)))
        return client_problem_set(problem, CLIENT_PROBLEM_FILE,
                                  "%s is no mbox: it does not begin with a line 'From …'",
                                  folder->path);
    while (folder->count < UINT32_MAX - 1 && mbox_next(buffer_slice(&mbox->file), &offset, &item))
        add_item(folder, &item, offset);
    return true;
}
