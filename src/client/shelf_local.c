/* SPDX-License-Identifier: ISC */
/* A shelf on this machine, and the maildrop of a POP3 server: letter boxes that folder.h opens, one
 * at a time. Ids stay while a Maildir changes: each unique name gets one, once. */
#include "base/map.h"
#include "client/folder.h"
#include "client/keep.h"
#include "client/shelf_private.h"
#include "text/unicode.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH_MAX = 8, FOLDERS_MAX = 2000, LOOK_MS = 3000, MOVES_MAX = 100 };

/* One move, so that it can be undone: files keep their names. */
struct moved {
    struct moved *next;
    char *from, *to; /* paths of Maildirs; owned */
    uint32_t first;  /* what the move was called */
    size_t count;
    char **uniques; /* owned */
};

struct local {
    struct client_folder *folder; /* the open one */
    char *path;                   /* its place; owned; NULL: a maildrop */
    struct map ids;               /* unique name -> id, as a pointer */
    uint32_t last_id;
    size_t *indexes;            /* of the folder's letters, one for each item; owned */
    struct timespec changed[2]; /* cur and new */
    struct moved *moved;        /* the last first; owned */
    uint32_t moves;             /* messages moved so far: names of moves */
    bool is_tree;
    bool is_opening; /* all that comes now was there before */
};

/* ---- where folders are --------------------------------------------------------------------- */

static char *
join(const char *folder, const char *name)
{
    char *path = NULL;

    if (asprintf(&path, "%s/%s", folder, name) < 0)
        abort();
    return path;
}

static bool
is_folder(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static bool
is_maildir(const char *path)
{
    char *cur = join(path, "cur"), *new = join(path, "new");
    bool is_one = is_folder(cur) && is_folder(new);

    free(cur);
    free(new);
    return is_one;
}

/* Maildir++ has its folders beside cur as .Name.Below; other trees are folders in folders. */
static char *
path_of(const struct client_shelf *shelf, const char *name)
{
    const struct local *local = shelf->state;
    bool is_inbox = slice_equal_nocase(slice_of_string(name), SLICE("INBOX"));
    char *path;

    if (!local->is_tree || (is_inbox && is_maildir(shelf->path)))
        return shelf_copy(slice_of_string(shelf->path));
    if (!is_maildir(shelf->path))
        return join(shelf->path, name);
    if (asprintf(&path, "%s/.%s", shelf->path, name) < 0)
        abort();
    return path;
}

/* No name leads out of the tree. */
static bool
is_sound(const char *name)
{
    return name[0] != '\0' && name[0] != '/' && name[0] != '.' && !strstr(name, "/.") &&
           strlen(name) < NAME_MAX;
}

static void
list_below(const char *folder, const char *prefix, int depth, struct client_shelf_list *list)
{
    DIR *dir = depth < DEPTH_MAX ? opendir(folder) : NULL;

    for (struct dirent *entry; dir && (entry = readdir(dir)) && list->count < FOLDERS_MAX;) {
        char *path, *name;
        if (!is_sound(entry->d_name))
            continue;
        path = join(folder, entry->d_name);
        name = prefix[0] ? join(prefix, entry->d_name) : shelf_copy(slice_of_string(entry->d_name));
        if (is_maildir(path))
            shelf_list_add(list, slice_of_string(name), CLIENT_USE_NONE, '/');
        if (is_folder(path) && strcmp(entry->d_name, "cur") != 0 &&
            strcmp(entry->d_name, "new") != 0 && strcmp(entry->d_name, "tmp") != 0)
            list_below(path, name, depth + 1, list);
        free(path);
        free(name);
    }
    if (dir)
        closedir(dir);
}

/* .Name.Below beside cur. */
static void
list_beside(const char *folder, struct client_shelf_list *list)
{
    DIR *dir = opendir(folder);

    shelf_list_add(list, SLICE("INBOX"), CLIENT_USE_INBOX, '.');
    for (struct dirent *entry; dir && (entry = readdir(dir)) && list->count < FOLDERS_MAX;) {
        char *path = join(folder, entry->d_name);
        if (entry->d_name[0] == '.' && is_sound(entry->d_name + 1) && is_maildir(path))
            shelf_list_add(list, slice_of_string(entry->d_name + 1), CLIENT_USE_NONE, '.');
        free(path);
    }
    if (dir)
        closedir(dir);
}

/* Messages and unseen ones of a Maildir, by the names of its files. */
static void
count_letters(const char *path, struct client_shelf_folder *folder)
{
    for (int is_new = 0; is_new < 2; is_new++) {
        char *part = join(path, is_new ? "new" : "cur");
        DIR *dir = opendir(part);
        for (struct dirent *entry; dir && (entry = readdir(dir));) {
            const char *flags = strstr(entry->d_name, ":2,");
            if (entry->d_name[0] == '.')
                continue;
            folder->messages++;
            folder->unseen += !flags || !strchr(flags, 'S');
        }
        if (dir)
            closedir(dir);
        free(part);
    }
    folder->is_counted = true;
}

static bool
list_folders(struct client_shelf *shelf, bool counts, struct client_shelf_list *list,
             struct client_problem *problem)
{
    const struct local *local = shelf->state;

    (void)problem;
    if (!local->is_tree)
        shelf_list_add(list, SLICE("INBOX"), CLIENT_USE_INBOX, 0);
    else if (is_maildir(shelf->path))
        list_beside(shelf->path, list);
    else
        list_below(shelf->path, "", 0, list);
    for (size_t i = 0; counts && local->is_tree && i < list->count; i++) {
        char *path = path_of(shelf, list->folders[i].name);
        count_letters(path, &list->folders[i]);
        free(path);
    }
    return true;
}

/* ---- the open folder ----------------------------------------------------------------------- */

static void
init_ids(struct local *local)
{
    uint64_t seed;

    client_random(&seed, sizeof(seed));
    map_init(&local->ids, seed);
}

/* When its two folders were last changed; true when that is later than before. */
static bool
look_at_times(struct local *local)
{
    bool has_changed = false;

    for (int i = 0; local->path && i < 2; i++) {
        char *part = join(local->path, i ? "new" : "cur");
        struct stat info;
        if (stat(part, &info) == 0 && (info.st_mtim.tv_sec != local->changed[i].tv_sec ||
                                       info.st_mtim.tv_nsec != local->changed[i].tv_nsec)) {
            local->changed[i] = info.st_mtim;
            has_changed = true;
        }
        free(part);
    }
    return has_changed;
}

/* A file that comes back when its message has gone is a new one: ids of what is added ascend. */
static bool
has_come_back(const struct client_shelf *shelf, uintptr_t id)
{
    const struct local *local = shelf->state;
    size_t index;

    return id > 0 && !local->is_opening && !shelf_find(shelf, (uint32_t)id, &index);
}

static uint32_t
id_of(const struct client_shelf *shelf, const struct client_letter *letter)
{
    struct local *local = shelf->state;
    uintptr_t id;

    if (!letter->unique)
        return letter->id;
    id = (uintptr_t)map_find(&local->ids, slice_of_string(letter->unique));
    if (id == 0 || has_come_back(shelf, id)) {
        id = 0;
        if (shelf->id_fn && local->is_opening)
            id = shelf->id_fn(shelf->id_context, letter->unique);
        if (id == 0 || id >= CLIENT_SHELF_OWN_ID)
            id = ++local->last_id;
        (void)map_set(&local->ids, slice_of_string(letter->unique), (void *)id);
    }
    return (uint32_t)id;
}

struct known {
    uint32_t id;
    size_t index;
};

static int
by_id(const void *left, const void *right)
{
    const struct known *l = left, *r = right;

    return l->id < r->id ? -1 : l->id > r->id;
}

/* Opens the letter box anew; what differs from the items is told. */
static bool
open_again(struct client_shelf *shelf, struct client_problem *problem)
{
    struct local *local = shelf->state;
    struct client_folder_place place = {
        .login = shelf->login, .folder = "INBOX", .path = local->path};
    struct client_folder *folder;
    size_t index = 0;

    (void)look_at_times(local);
    folder = client_folder_open(&place, problem);
    if (!folder)
        return false;
    client_folder_close(&local->folder);
    local->folder = folder;
    size_t count = client_folder_count(folder);
    struct known *known = calloc(count + 1, sizeof(*known));
    free(local->indexes);
    local->indexes = calloc(count + 1, sizeof(*local->indexes));
    if (!known || !local->indexes)
        abort();
    for (size_t i = 0; i < count; i++)
        known[i] = (struct known){id_of(shelf, client_folder_letter(folder, i)), i};
    qsort(known, count, sizeof(*known), by_id);
    for (size_t i = 0; i < count; i++) {
        uint32_t flags = client_folder_letter(folder, known[i].index)->flags;
        while (index < shelf->count && shelf->items[index].id < known[i].id)
            shelf_remove(shelf, index);
        if (index < shelf->count && shelf->items[index].id == known[i].id)
            shelf_set_flags(shelf, index, flags);
        else
            shelf_add(shelf, known[i].id, flags);
        local->indexes[index++] = known[i].index;
    }
    while (shelf->count > index)
        shelf_remove(shelf, shelf->count - 1);
    free(known);
    return true;
}

static bool
select_folder(struct client_shelf *shelf, struct client_problem *problem)
{
    struct local *local = shelf->state;
    client_shelf_fn fn = shelf->fn;

    if (shelf->path && local->is_tree && !is_sound(shelf->name))
        return client_problem_set(problem, CLIENT_PROBLEM_MISSING, "%s: no such folder",
                                  shelf->name);
    client_folder_close(&local->folder);
    map_finish(&local->ids);
    init_ids(local);
    local->last_id = shelf->id_fn ? CLIENT_SHELF_OWN_ID : 0;
    free(local->path);
    local->path = shelf->path ? path_of(shelf, shelf->name) : NULL;
    shelf->fn = NULL; /* this is no change */
    local->is_opening = true;
    bool is_open = open_again(shelf, problem);
    local->is_opening = false;
    shelf->fn = fn;
    return is_open;
}

/* The indexes of these ids, ascending; owned by the caller. */
static size_t *
indexes_of(const struct client_shelf *shelf, struct client_ids ids, size_t *ret_count)
{
    const struct local *local = shelf->state;
    size_t *indexes = calloc(ids.count + 1, sizeof(*indexes)), count = 0, item;

    if (!indexes)
        abort();
    for (size_t i = 0; i < ids.count; i++) {
        if (shelf_find(shelf, ids.ids[i], &item))
            indexes[count++] = local->indexes[item];
    }
    *ret_count = count;
    return indexes;
}

struct heading {
    struct client_shelf *shelf;
    client_shelf_head_fn fn;
    void *context;
};

static void
take_head(void *context, size_t index, struct slice bytes)
{
    struct heading *heading = context;
    struct local *local = heading->shelf->state;
    const struct client_letter *letter = client_folder_letter(local->folder, index);
    struct client_shelf_head head = {.id = id_of(heading->shelf, letter),
                                     .flags = letter->flags,
                                     .size = letter->size,
                                     .received = letter->received,
                                     .head = bytes};

    heading->fn(heading->context, &head);
}

static bool
fetch_heads(struct client_shelf *shelf, struct client_ids ids, client_shelf_head_fn fn,
            void *context, struct client_problem *problem)
{
    struct local *local = shelf->state;
    struct heading heading = {.shelf = shelf, .fn = fn, .context = context};
    struct client_chosen chosen;
    size_t *indexes = indexes_of(shelf, ids, &chosen.count);

    chosen.indexes = indexes;
    for (size_t i = 0; i < chosen.count; i++) { /* one that has gone leaves the others */
        struct client_problem one = {0};
        struct client_chosen single = {.indexes = indexes + i, .count = 1};
        if (!client_folder_heads(local->folder, single, take_head, &heading, &one) &&
            one.kind == CLIENT_PROBLEM_UNREACHABLE) {
            free(indexes);
            return client_problem_set(problem, one.kind, "%s", one.text);
        }
    }
    free(indexes);
    return true;
}

static bool
read_message(struct client_shelf *shelf, uint32_t id, struct buffer *out,
             struct client_problem *problem)
{
    struct local *local = shelf->state;
    size_t item;

    if (!shelf_find(shelf, id, &item))
        return client_problem_set(problem, CLIENT_PROBLEM_MISSING, "the message has gone");
    return client_folder_read(local->folder, local->indexes[item], out, problem);
}

static bool
flag_messages(struct client_shelf *shelf, struct client_ids ids, uint32_t add, uint32_t remove,
              struct client_problem *problem)
{
    struct local *local = shelf->state;
    struct client_chosen chosen;
    size_t *indexes = indexes_of(shelf, ids, &chosen.count), item;

    chosen.indexes = indexes;
    /* A maildrop has no flags: they last as long as we do. */
    bool is_good =
        shelf->login || (client_folder_flag(local->folder, chosen, add, remove, problem) &&
                         client_folder_finish(local->folder, problem));
    for (size_t i = 0; is_good && i < ids.count; i++) {
        if (shelf_find(shelf, ids.ids[i], &item))
            shelf_set_flags(shelf, item, (shelf->items[item].flags | add) & ~remove);
    }
    free(indexes);
    return is_good;
}

static bool
remove_messages(struct client_shelf *shelf, struct client_ids ids, struct client_problem *problem)
{
    struct local *local = shelf->state;
    struct client_chosen chosen;
    size_t *indexes = indexes_of(shelf, ids, &chosen.count);

    chosen.indexes = indexes;
    bool is_good = client_folder_delete(local->folder, chosen, problem) &&
                   client_folder_finish(local->folder, problem);
    free(indexes);
    return is_good && open_again(shelf, problem);
}

/* ---- between folders ----------------------------------------------------------------------- */

static bool
add_message(struct client_shelf *shelf, const char *to, struct slice message, uint32_t flags,
            struct client_problem *problem)
{
    if (!is_sound(to))
        return client_problem_set(problem, CLIENT_PROBLEM_SETTINGS, "%s: no name for a folder", to);
    char *path = path_of(shelf, to);
    bool is_good = client_keep(path, CLIENT_KEEP_MAILDIR, message, flags, problem);
    free(path);
    return is_good;
}

static void
free_moved(struct moved *moved)
{
    for (size_t i = 0; i < moved->count; i++)
        free(moved->uniques[i]);
    free(moved->uniques);
    free(moved->from);
    free(moved->to);
    free(moved);
}

/* What is about to be moved. */
static void
note_move(struct local *local, struct client_chosen chosen, const char *to)
{
    struct moved *moved = calloc(1, sizeof(*moved)), *last = local->moved;

    if (!moved || !(moved->uniques = calloc(chosen.count + 1, sizeof(*moved->uniques))))
        abort();
    moved->from = shelf_copy(slice_of_string(local->path));
    moved->to = shelf_copy(slice_of_string(to));
    moved->first = CLIENT_SHELF_OWN_ID + local->moves;
    for (size_t i = 0; i < chosen.count; i++) {
        const char *unique = client_folder_letter(local->folder, chosen.indexes[i])->unique;
        moved->uniques[moved->count++] = shelf_copy(slice_of_string(unique ? unique : ""));
    }
    local->moves = (local->moves + (uint32_t)moved->count) % CLIENT_SHELF_OWN_ID;
    moved->next = local->moved;
    local->moved = moved;
    for (int i = 1; last && i < MOVES_MAX - 1; i++)
        last = last->next;
    while (last && last->next) {
        struct moved *old = last->next;
        last->next = old->next;
        free_moved(old);
    }
}

/* From Maildir to Maildir: each file is moved in one step, and keeps its name. */
static bool
rename_messages(struct client_shelf *shelf, struct client_ids ids, const char *to,
                uint32_t *ret_first, uint32_t *ret_count, struct client_problem *problem)
{
    struct local *local = shelf->state;
    struct client_chosen chosen;
    size_t *indexes = indexes_of(shelf, ids, &chosen.count);
    char *path = path_of(shelf, to);

    chosen.indexes = indexes;
    note_move(local, chosen, path);
    bool is_good = client_folder_move(local->folder, chosen, path, problem) &&
                   client_folder_finish(local->folder, problem);
    *ret_first = is_good ? local->moved->first : 0;
    *ret_count = is_good ? (uint32_t)local->moved->count : 0;
    free(indexes);
    free(path);
    return open_again(shelf, problem) && is_good;
}

static bool
move_messages(struct client_shelf *shelf, struct client_ids ids, const char *to,
              uint32_t *ret_first, uint32_t *ret_count, struct client_problem *problem)
{
    const struct local *local = shelf->state;
    bool is_good = true;
    size_t item;

    *ret_first = *ret_count = 0;
    if (!is_sound(to))
        return client_problem_set(problem, CLIENT_PROBLEM_SETTINGS, "%s: no name for a folder", to);
    if (client_folder_can_move(local->folder))
        return rename_messages(shelf, ids, to, ret_first, ret_count, problem);
    for (size_t i = 0; is_good && i < ids.count; i++) {
        struct buffer message;
        if (!shelf_find(shelf, ids.ids[i], &item))
            continue;
        buffer_init(&message, CLIENT_MESSAGE_MAX);
        is_good = read_message(shelf, ids.ids[i], &message, problem) &&
                  add_message(shelf, to, buffer_slice(&message),
                              shelf->items[item].flags & ~(uint32_t)CLIENT_DELETED, problem);
        buffer_finish(&message);
    }
    return is_good && remove_messages(shelf, ids, problem);
}

static bool
is_among(const struct moved *moved, const char *unique)
{
    for (size_t i = 0; unique && i < moved->count; i++) {
        if (strcmp(moved->uniques[i], unique) == 0)
            return true;
    }
    return false;
}

/* Those of a move that are still where it has put them. */
static bool
move_back(const struct moved *moved, struct client_problem *problem)
{
    struct client_folder_place place = {.path = moved->to};
    struct client_folder *folder = client_folder_open(&place, problem);
    size_t count = folder ? client_folder_count(folder) : 0;
    size_t *indexes = calloc(count + 1, sizeof(*indexes));
    struct client_chosen chosen = {.indexes = indexes};

    if (!indexes)
        abort();
    for (size_t i = 0; i < count; i++) {
        if (is_among(moved, client_folder_letter(folder, i)->unique))
            indexes[chosen.count++] = i;
    }
    bool is_good = folder && client_folder_move(folder, chosen, moved->from, problem) &&
                   client_folder_finish(folder, problem);
    client_folder_close(&folder);
    free(indexes);
    return is_good;
}

static bool
bring_back(struct client_shelf *shelf, const char *from, uint32_t first, uint32_t count,
           struct client_problem *problem)
{
    struct local *local = shelf->state;
    const struct moved *moved = local->moved;

    while (moved && (moved->first != first || moved->count != count ||
                     strcmp(moved->from, local->path) != 0))
        moved = moved->next;
    if (!moved)
        return client_problem_set(problem, CLIENT_PROBLEM_REFUSED, "they are in %s", from);
    bool is_good = move_back(moved, problem);
    return open_again(shelf, problem) && is_good;
}

/* ---- searching and waiting ----------------------------------------------------------------- */

/* Every message is read: that is what a folder of files can do. */
static bool
search_text(struct client_shelf *shelf, struct slice text, client_shelf_found_fn fn, void *context,
            struct client_problem *problem)
{
    struct buffer wanted, message, key;
    bool is_good = true;

    buffer_init(&wanted, CLIENT_MESSAGE_MAX);
    buffer_init(&message, CLIENT_MESSAGE_MAX);
    buffer_init(&key, CLIENT_MESSAGE_MAX);
    unicode_put_plain_key(&wanted, text);
    for (size_t i = 0; is_good && i < shelf->count; i++) {
        struct client_problem one = {0};
        buffer_clear(&message);
        buffer_clear(&key);
        if (!read_message(shelf, shelf->items[i].id, &message, &one)) {
            is_good = one.kind != CLIENT_PROBLEM_UNREACHABLE ||
                      client_problem_set(problem, one.kind, "%s", one.text);
            continue;
        }
        unicode_put_plain_key(&key, buffer_slice(&message));
        if (slice_find(buffer_slice(&key), buffer_slice(&wanted)) < buffer_len(&key))
            fn(context, shelf->items[i].id);
    }
    buffer_finish(&wanted);
    buffer_finish(&message);
    buffer_finish(&key);
    return is_good;
}

static bool
wait_for_change(struct client_shelf *shelf, struct instant deadline, int bell,
                struct client_problem *problem)
{
    struct local *local = shelf->state;
    struct pollfd poller = {.fd = bell, .events = POLLIN};

    for (;;) {
        if (shelf->name && local->path && look_at_times(local) && local->folder)
            return open_again(shelf, problem);
        int64_t left_ms = (deadline.ns - client_now().ns) / 1000000;
        if (left_ms <= 0)
            return true;
        if (poll(&poller, 1, left_ms < LOOK_MS ? (int)left_ms : LOOK_MS) > 0)
            return true;
    }
}

/* ---- beginning and end --------------------------------------------------------------------- */

static void
close_shelf(struct client_shelf *shelf)
{
    struct local *local = shelf->state;

    client_folder_close(&local->folder);
    map_finish(&local->ids);
    while (local->moved) {
        struct moved *next = local->moved->next;
        free_moved(local->moved);
        local->moved = next;
    }
    free(local->path);
    free(local->indexes);
    free(local);
}

static const struct shelf_kind tree = {
    .folders = list_folders,
    .select = select_folder,
    .heads = fetch_heads,
    .read = read_message,
    .flag = flag_messages,
    .remove = remove_messages,
    .move = move_messages,
    .bring = bring_back,
    .add = add_message,
    .search = search_text,
    .wait = wait_for_change,
    .close = close_shelf,
};

static const struct shelf_kind single = {
    .folders = list_folders,
    .select = select_folder,
    .heads = fetch_heads,
    .read = read_message,
    .flag = flag_messages,
    .remove = remove_messages,
    .search = search_text,
    .wait = wait_for_change,
    .close = close_shelf,
};

bool
shelf_open_local(struct client_shelf *shelf, struct client_problem *problem)
{
    struct local *local = calloc(1, sizeof(*local));

    if (!local)
        abort();
    init_ids(local);
    shelf->state = local;
    local->is_tree = shelf->path && is_folder(shelf->path);
    shelf->kind = local->is_tree ? &tree : &single;
    if (shelf->path && access(shelf->path, F_OK) != 0)
        return client_problem_set(problem, CLIENT_PROBLEM_MISSING, "%s: %s", shelf->path,
                                  strerror(errno));
    return true;
}
