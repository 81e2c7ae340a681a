/* SPDX-License-Identifier: ISC */
#include "client/shelf.h"

#include "client/shelf_private.h"

#include <stdlib.h>

/* ---- items --------------------------------------------------------------------------------- */

void
shelf_put(struct client_shelf *shelf, uint32_t id, uint32_t flags)
{
    if (shelf->count > 0 && shelf->items[shelf->count - 1].id >= id)
        return; /* a server may say things twice */
    if (shelf->count == shelf->room) {
        shelf->room = shelf->room ? shelf->room * 2 : 256;
        struct client_shelf_item *items = realloc(shelf->items, shelf->room * sizeof(*items));
        if (!items)
            abort();
        shelf->items = items;
    }
    shelf->items[shelf->count++] = (struct client_shelf_item){.id = id, .flags = flags};
}

static void
tell(struct client_shelf *shelf, enum client_shelf_change change, struct client_shelf_item item)
{
    if (shelf->fn)
        shelf->fn(shelf->context, change, item);
}

void
shelf_add(struct client_shelf *shelf, uint32_t id, uint32_t flags)
{
    size_t before = shelf->count;

    shelf_put(shelf, id, flags);
    if (shelf->count > before)
        tell(shelf, CLIENT_SHELF_ARRIVED, shelf->items[before]);
}

void
shelf_remove(struct client_shelf *shelf, size_t index)
{
    struct client_shelf_item item = shelf->items[index];

    memmove(shelf->items + index, shelf->items + index + 1,
            (shelf->count - index - 1) * sizeof(*shelf->items));
    shelf->count--;
    tell(shelf, CLIENT_SHELF_GONE, item);
}

void
shelf_set_flags(struct client_shelf *shelf, size_t index, uint32_t flags)
{
    if (shelf->items[index].flags == flags)
        return;
    shelf->items[index].flags = flags;
    tell(shelf, CLIENT_SHELF_FLAGS, shelf->items[index]);
}

bool
shelf_find(const struct client_shelf *shelf, uint32_t id, size_t *ret_index)
{
    size_t low = 0, high = shelf->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (shelf->items[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == shelf->count || shelf->items[low].id != id)
        return false;
    *ret_index = low;
    return true;
}

/* ---- lists of folders ---------------------------------------------------------------------- */

char *
shelf_copy(struct slice text)
{
    char *copy = strndup((const char *)text.at, text.len);

    if (!copy)
        abort();
    return copy;
}

static enum client_use
use_of_name(struct slice name)
{
    static const struct {
        const char *name;
        enum client_use use;
    } rows[] = {
        {"INBOX", CLIENT_USE_INBOX},         {"Drafts", CLIENT_USE_DRAFTS},
        {"Sent", CLIENT_USE_SENT},           {"Sent Messages", CLIENT_USE_SENT},
        {"Sent Items", CLIENT_USE_SENT},     {"Archive", CLIENT_USE_ARCHIVE},
        {"Junk", CLIENT_USE_JUNK},           {"Spam", CLIENT_USE_JUNK},
        {"Trash", CLIENT_USE_TRASH},         {"Deleted Messages", CLIENT_USE_TRASH},
        {"Deleted Items", CLIENT_USE_TRASH},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (slice_equal_nocase(name, slice_of_string(rows[i].name)))
            return rows[i].use;
    }
    return CLIENT_USE_NONE;
}

void
shelf_list_add(struct client_shelf_list *list, struct slice name, enum client_use use,
               char delimiter)
{
    struct client_shelf_folder *folders =
        realloc(list->folders, (list->count + 1) * sizeof(*folders));

    if (!folders)
        abort();
    list->folders = folders;
    folders[list->count++] = (struct client_shelf_folder){
        .name = shelf_copy(name),
        .use = use == CLIENT_USE_NONE ? use_of_name(name) : use,
        .delimiter = delimiter,
    };
}

static int
by_name(const void *left, const void *right)
{
    const struct client_shelf_folder *l = left, *r = right;
    bool l_first = l->use == CLIENT_USE_INBOX, r_first = r->use == CLIENT_USE_INBOX;

    return l_first != r_first ? (l_first ? -1 : 1) : strcmp(l->name, r->name);
}

void
shelf_list_sort(struct client_shelf_list *list)
{
    if (list->count > 0)
        qsort(list->folders, list->count, sizeof(*list->folders), by_name);
}

void
client_shelf_list_finish(struct client_shelf_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->folders[i].name);
    free(list->folders);
    *list = (struct client_shelf_list){0};
}

/* ---- the calls ----------------------------------------------------------------------------- */

struct client_shelf *
client_shelf_open(const struct client_folder_place *place, client_shelf_fn fn, void *context,
                  struct client_problem *problem)
{
    struct client_shelf *shelf = calloc(1, sizeof(*shelf));
    bool is_imap = place->login && place->login->account->incoming.protocol == CLIENT_IMAP;

    if (!shelf)
        abort();
    shelf->login = place->login;
    shelf->path = place->login ? NULL : shelf_copy(slice_of_string(place->path));
    shelf->fn = fn;
    shelf->context = context;
    if (!(is_imap ? shelf_open_imap(shelf, problem) : shelf_open_local(shelf, problem)))
        client_shelf_close(&shelf);
    return shelf;
}

void
client_shelf_close(struct client_shelf **shelf)
{
    struct client_shelf *s = *shelf;

    if (!s)
        return;
    if (s->kind)
        s->kind->close(s);
    free(s->path);
    free(s->name);
    free(s->items);
    free(s);
    *shelf = NULL;
}

bool
client_shelf_is_connected(const struct client_shelf *shelf)
{
    return !shelf->kind->is_connected || shelf->kind->is_connected(shelf);
}

bool
client_shelf_has_folders(const struct client_shelf *shelf)
{
    return shelf->kind->move != NULL;
}

bool
client_shelf_folders(struct client_shelf *shelf, bool counts, struct client_shelf_list *ret_list,
                     struct client_problem *problem)
{
    struct client_shelf_list list = {0};

    if (!shelf->kind->folders(shelf, counts, &list, problem)) {
        client_shelf_list_finish(&list);
        return false;
    }
    shelf_list_sort(&list);
    *ret_list = list;
    return true;
}

bool
client_shelf_select(struct client_shelf *shelf, const char *name, struct client_problem *problem)
{
    char *copy = shelf_copy(slice_of_string(name));

    free(shelf->name);
    shelf->name = copy;
    shelf->count = 0;
    if (shelf->kind->select(shelf, problem))
        return true;
    free(shelf->name);
    shelf->name = NULL;
    shelf->count = 0;
    return false;
}

void
client_shelf_set_ids(struct client_shelf *shelf, client_shelf_id_fn fn, void *context)
{
    shelf->id_fn = fn;
    shelf->id_context = context;
}

uint32_t
client_shelf_validity(const struct client_shelf *shelf)
{
    return shelf->name && shelf->kind->validity ? shelf->kind->validity(shelf) : 0;
}

const struct client_shelf_item *
client_shelf_items(const struct client_shelf *shelf, size_t *ret_count)
{
    *ret_count = shelf->count;
    return shelf->items;
}

static bool
is_open(const struct client_shelf *shelf, struct client_problem *problem)
{
    return shelf->name || client_problem_set(problem, CLIENT_PROBLEM_MISSING, "no folder is open");
}

bool
client_shelf_heads(struct client_shelf *shelf, struct client_ids ids, client_shelf_head_fn fn,
                   void *context, struct client_problem *problem)
{
    return is_open(shelf, problem) &&
           (ids.count == 0 || shelf->kind->heads(shelf, ids, fn, context, problem));
}

bool
client_shelf_read(struct client_shelf *shelf, uint32_t id, struct buffer *out,
                  struct client_problem *problem)
{
    return is_open(shelf, problem) && shelf->kind->read(shelf, id, out, problem);
}

bool
client_shelf_flag(struct client_shelf *shelf, struct client_ids ids, uint32_t add, uint32_t remove,
                  struct client_problem *problem)
{
    return is_open(shelf, problem) &&
           (ids.count == 0 || shelf->kind->flag(shelf, ids, add, remove, problem));
}

bool
client_shelf_delete(struct client_shelf *shelf, struct client_ids ids,
                    struct client_problem *problem)
{
    return is_open(shelf, problem) && (ids.count == 0 || shelf->kind->remove(shelf, ids, problem));
}

static bool
has_folders(const struct client_shelf *shelf, struct client_problem *problem)
{
    return client_shelf_has_folders(shelf) ||
           client_problem_set(problem, CLIENT_PROBLEM_REFUSED, "there are no folders here");
}

bool
client_shelf_move(struct client_shelf *shelf, struct client_ids ids, const char *to,
                  uint32_t *ret_first, uint32_t *ret_count, struct client_problem *problem)
{
    *ret_first = *ret_count = 0;
    return is_open(shelf, problem) && has_folders(shelf, problem) &&
           (ids.count == 0 || shelf->kind->move(shelf, ids, to, ret_first, ret_count, problem));
}

bool
client_shelf_bring(struct client_shelf *shelf, const char *from, uint32_t first, uint32_t count,
                   struct client_problem *problem)
{
    return is_open(shelf, problem) && has_folders(shelf, problem) &&
           shelf->kind->bring(shelf, from, first, count, problem);
}

bool
client_shelf_add(struct client_shelf *shelf, const char *to, struct slice message, uint32_t flags,
                 struct client_problem *problem)
{
    return has_folders(shelf, problem) && shelf->kind->add(shelf, to, message, flags, problem);
}

bool
client_shelf_search(struct client_shelf *shelf, struct slice text, client_shelf_found_fn fn,
                    void *context, struct client_problem *problem)
{
    return is_open(shelf, problem) && shelf->kind->search(shelf, text, fn, context, problem);
}

bool
client_shelf_wait(struct client_shelf *shelf, struct instant deadline, int bell,
                  struct client_problem *problem)
{
    return shelf->kind->wait(shelf, deadline, bell, problem);
}
