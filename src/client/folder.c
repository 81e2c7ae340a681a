/* SPDX-License-Identifier: ISC */
#include "client/folder.h"

#include "client/folder_private.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

/* Names and unique ids of what a folder holds. */
enum { NAMES_MAX = 1 << 30, PIECE = 64 * 1024 };

struct client_letter *
folder_add(struct client_folder *folder)
{
    if (folder->count == folder->room) {
        size_t room = folder->room ? folder->room * 2 : 64;
        struct client_letter *letters = realloc(folder->letters, room * sizeof(*letters));
        if (!letters)
            abort();
        folder->letters = letters;
        folder->room = room;
    }
    folder->letters[folder->count] = (struct client_letter){0};
    return &folder->letters[folder->count++];
}

bool
folder_read_file(const char *path, struct buffer *out, struct client_problem *problem)
{
    FILE *file = fopen(path, "rbe");
    uint8_t *space;
    size_t len;

    if (!file)
        return client_problem_set(problem, CLIENT_PROBLEM_FILE, "%s: %s", path, strerror(errno));
    while ((space = buffer_reserve(out, PIECE)) && (len = fread(space, 1, PIECE, file)) > 0)
        buffer_commit(out, len);
    bool has_failed = ferror(file) != 0;
    fclose(file);
    if (has_failed)
        return client_problem_set(problem, CLIENT_PROBLEM_FILE, "%s: %s", path, strerror(EIO));
    return !buffer_overflowed(out) ||
           client_problem_set(problem, CLIENT_PROBLEM_TOO_LARGE, "%s: is too large", path);
}

static bool
open_local(struct client_folder *folder, struct client_problem *problem)
{
    struct stat info;

    if (stat(folder->path, &info) != 0)
        return client_problem_set(problem,
                                  errno == ENOENT ? CLIENT_PROBLEM_MISSING : CLIENT_PROBLEM_FILE,
                                  "%s: %s", folder->path, strerror(errno));
    return S_ISDIR(info.st_mode) ? folder_open_maildir(folder, problem)
                                 : folder_open_mbox(folder, problem);
}

static bool
open_on_server(struct client_folder *folder, struct client_problem *problem)
{
    const struct client_account *account = folder->login->account;

    if (account->incoming.protocol == CLIENT_IMAP)
        return folder_open_imap(folder, problem);
    if (account->incoming.protocol == CLIENT_NONE)
        return client_problem_set(problem, CLIENT_PROBLEM_SETTINGS,
                                  "the account %s has no incoming server", account->name);
    if (!slice_equal_nocase(slice_of_string(folder->path), SLICE("INBOX")))
        return client_problem_set(problem, CLIENT_PROBLEM_MISSING,
                                  "%s: POP3 knows no folders but INBOX", folder->path);
    return folder_open_pop(folder, problem);
}

struct client_folder *
client_folder_open(const struct client_folder_place *place, struct client_problem *problem)
{
    struct client_folder *folder = calloc(1, sizeof(*folder));
    const char *path = place->login ? place->folder : place->path;

    if (!folder)
        abort();
    arena_init(&folder->arena, NAMES_MAX);
    folder->login = place->login;
    folder->is_read_only = place->is_read_only;
    folder->path = arena_copy_string(&folder->arena, slice_of_string(path));
    if (!(place->login ? open_on_server(folder, problem) : open_local(folder, problem)))
        client_folder_close(&folder);
    return folder;
}

size_t
client_folder_count(const struct client_folder *folder)
{
    return folder->count;
}

const struct client_letter *
client_folder_letter(const struct client_folder *folder, size_t index)
{
    assert(index < folder->count);
    return &folder->letters[index];
}

bool
client_folder_find(const struct client_folder *folder, uint32_t id, size_t *ret_index)
{
    size_t low = 0, high = folder->count;

    while (low < high) { /* ids grow */
        size_t middle = low + (high - low) / 2;
        if (folder->letters[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == folder->count || folder->letters[low].id != id)
        return false;
    *ret_index = low;
    return true;
}

bool
client_folder_read(struct client_folder *folder, size_t index, struct buffer *out,
                   struct client_problem *problem)
{
    assert(index < folder->count);
    return folder->kind->read(folder, index, out, problem);
}

bool
client_folder_heads(struct client_folder *folder, struct client_chosen chosen, client_head_fn fn,
                    void *context, struct client_problem *problem)
{
    bool is_good = true;

    if (folder->kind->heads)
        return folder->kind->heads(folder, chosen, fn, context, problem);
    for (size_t i = 0; i < chosen.count && is_good; i++) {
        struct buffer message;
        buffer_init(&message, CLIENT_MESSAGE_MAX);
        is_good = client_folder_read(folder, chosen.indexes[i], &message, problem);
        if (is_good)
            fn(context, chosen.indexes[i], buffer_slice(&message));
        buffer_finish(&message);
    }
    return is_good;
}

static bool
may_change(const struct client_folder *folder, struct client_problem *problem)
{
    return !folder->is_read_only || client_problem_set(problem, CLIENT_PROBLEM_REFUSED,
                                                       "%s is open for reading", folder->path);
}

bool
client_folder_flag(struct client_folder *folder, struct client_chosen chosen, uint32_t add,
                   uint32_t remove, struct client_problem *problem)
{
    if (!may_change(folder, problem))
        return false;
    if (!folder->kind->flag)
        return client_problem_set(problem, CLIENT_PROBLEM_REFUSED,
                                  "POP3 has no flags; use an account with IMAP");
    return folder->kind->flag(folder, chosen, add, remove, problem);
}

bool
client_folder_delete(struct client_folder *folder, struct client_chosen chosen,
                     struct client_problem *problem)
{
    return may_change(folder, problem) && folder->kind->remove(folder, chosen, problem);
}

bool
client_folder_can_move(const struct client_folder *folder)
{
    return folder->kind->move != NULL;
}

bool
client_folder_move(struct client_folder *folder, struct client_chosen chosen, const char *to,
                   struct client_problem *problem)
{
    assert(folder->kind->move);
    return may_change(folder, problem) && folder->kind->move(folder, chosen, to, problem);
}

bool
client_folder_can_search(const struct client_folder *folder)
{
    return folder->kind->search != NULL;
}

bool
client_folder_search(struct client_folder *folder, const char *field, struct slice text,
                     struct client_chosen *ret_found, struct client_problem *problem)
{
    assert(folder->kind->search);
    return folder->kind->search(folder, field, text, ret_found, problem);
}

bool
client_folder_finish(struct client_folder *folder, struct client_problem *problem)
{
    return !folder->kind->finish || folder->kind->finish(folder, problem);
}

void
client_folder_close(struct client_folder **folder)
{
    struct client_folder *f = *folder;

    if (!f)
        return;
    if (f->kind && f->kind->close)
        f->kind->close(f);
    free(f->letters);
    arena_finish(&f->arena);
    free(f);
    *folder = NULL;
}
