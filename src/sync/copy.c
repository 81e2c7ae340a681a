/* SPDX-License-Identifier: ISC */
#include "sync/copy.h"

#include "base/cursor.h"
#include "sync/state.h"
#include "text/utf8.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LEVEL_MAX = 240, PLACE_MAX = PATH_MAX - 256 };

static const char *const parts[] = {"tmp", "new", "cur"};

/* ---- names and places ---------------------------------------------------------------------- */

static bool
is_part(struct slice level)
{
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (slice_equal(level, slice_of_string(parts[i])))
            return true;
    }
    return false;
}

static void
put_escaped(struct buffer *out, uint8_t byte)
{
    static const char digits[] = "0123456789ABCDEF";

    buffer_put_byte(out, '%');
    buffer_put_byte(out, (uint8_t)digits[byte >> 4]);
    buffer_put_byte(out, (uint8_t)digits[byte & 15]);
}

static bool
put_level(struct buffer *out, struct slice level)
{
    size_t before = buffer_len(out);

    if (level.len == 0)
        buffer_put_byte(out, '%');
    for (size_t i = 0; i < level.len; i++) {
        uint8_t byte = level.at[i];
        bool is_special = byte == '/' || byte == '%' || byte < ' ' || byte == 0x7F ||
                          (i == 0 && (byte == '.' || is_part(level)));
        if (is_special)
            put_escaped(out, byte);
        else
            buffer_put_byte(out, byte);
    }
    return buffer_len(out) - before <= LEVEL_MAX;
}

bool
copy_put_place(struct buffer *out, struct slice name, uint8_t delimiter)
{
    size_t depth = 0;

    for (;;) {
        size_t len = delimiter ? slice_find_byte(name, delimiter) : name.len;
        if (!put_level(out, slice_first(name, len)) || ++depth > COPY_DEPTH_MAX)
            return false;
        if (len == name.len)
            return !buffer_overflowed(out);
        buffer_put_byte(out, '/');
        name = slice_skip(name, len + 1);
    }
}

static bool
take_hex(struct cursor *cursor, uint8_t *ret_byte)
{
    static const char digits[] = "0123456789ABCDEF";
    unsigned value = 0;
    uint8_t byte;

    for (int i = 0; i < 2; i++) {
        if (!cursor_take_any(cursor, &byte) || byte == '\0')
            return false;
        const char *digit = strchr(digits, byte);
        if (!digit)
            return false;
        value = value * 16 + (unsigned)(digit - digits);
    }
    *ret_byte = (uint8_t)value;
    return true;
}

static bool
put_plain_level(struct buffer *out, struct slice level, uint8_t delimiter)
{
    struct cursor cursor = cursor_of(level);
    uint8_t byte;

    if (slice_equal(level, SLICE("%")))
        return true;
    if (level.len == 0 || level.at[0] == '.' || is_part(level))
        return false;
    while (cursor_take_any(&cursor, &byte)) {
        if (byte == '%' && !take_hex(&cursor, &byte))
            return false;
        if (byte == '\0' || byte == delimiter)
            return false;
        buffer_put_byte(out, byte);
    }
    return true;
}

bool
copy_put_name(struct buffer *out, struct slice place, uint8_t delimiter)
{
    size_t before = buffer_len(out);

    for (;;) {
        size_t len = slice_find_byte(place, '/');
        if (!put_plain_level(out, slice_first(place, len), delimiter))
            return false;
        if (len == place.len)
            break;
        if (delimiter == 0)
            return false;
        buffer_put_byte(out, delimiter);
        place = slice_skip(place, len + 1);
    }
    return !buffer_overflowed(out) && buffer_len(out) > before &&
           utf8_is_valid(slice_skip(buffer_slice(out), before));
}

/* ---- listing ------------------------------------------------------------------------------- */

static char *
join(const char *left, const char *right)
{
    char *path = NULL;

    if (asprintf(&path, "%s%s%s", left, left[0] && right[0] ? "/" : "", right) < 0)
        abort();
    return path;
}

static bool
is_folder(const char *path, const char *below)
{
    char *whole = join(path, below);
    struct stat info;
    bool is = lstat(whole, &info) == 0 && S_ISDIR(info.st_mode);

    free(whole);
    return is;
}

bool
copy_is_there(const char *root)
{
    return is_folder(root, ".facteur");
}

struct copy_uids {
    struct state state;
};

struct copy_uids *
copy_uids_open(const char *root, const char *place)
{
    struct copy_uids *uids = calloc(1, sizeof(*uids));
    struct client_problem unused = {0};

    if (!uids)
        abort();
    if (!state_open(&uids->state, root, place, true, &unused) || !uids->state.is_known)
        copy_uids_close(&uids);
    return uids;
}

void
copy_uids_close(struct copy_uids **uids)
{
    if (!*uids)
        return;
    state_finish(&(*uids)->state);
    free(*uids);
    *uids = NULL;
}

uint32_t
copy_uids_validity(const struct copy_uids *uids)
{
    return uids->state.validity;
}

uint32_t
copy_uids_find(const struct copy_uids *uids, const char *file)
{
    const struct state_entry *entry = state_of_file(&uids->state, file);

    return entry ? entry->uid : 0;
}

/* "changed" is taken by a run, which calls it "changing" until it is done. */
bool
copy_mark_changed(const char *root, struct client_problem *problem)
{
    char *path = join(root, ".facteur/changed");
    int descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    bool is_good = descriptor >= 0 || client_problem_set(problem, CLIENT_PROBLEM_FILE, "%s: %s",
                                                         path, strerror(errno));

    if (descriptor >= 0)
        close(descriptor);
    free(path);
    return is_good;
}

bool
copy_is_changed(const char *root)
{
    char *changed = join(root, ".facteur/changed"), *changing = join(root, ".facteur/changing");
    bool is_changed = access(changed, F_OK) == 0 || access(changing, F_OK) == 0;

    free(changed);
    free(changing);
    return is_changed;
}

uint8_t
copy_delimiter(const char *root)
{
    char *path = join(root, ".facteur/delimiter"); /* written by sync.c */
    uint8_t delimiter = '/';
    char text[4] = "";
    FILE *file = fopen(path, "re");

    free(path);
    if (!file)
        return delimiter;
    if (fread(text, 1, sizeof(text) - 1, file) > 0)
        delimiter = text[0] == '\n' ? 0 : (uint8_t)text[0];
    fclose(file);
    return delimiter;
}

struct listing {
    struct arena *arena;
    const char *root;
    struct copy_folder *folders; /* owned */
    size_t count, room;
    uint8_t delimiter;
    bool is_too_large;
};

static void
add_folder(struct listing *listing, const char *place, const char *path)
{
    struct copy_folder *folder;
    struct buffer name;

    buffer_init(&name, PLACE_MAX);
    if (copy_put_name(&name, slice_of_string(place), listing->delimiter)) {
        if (listing->count == listing->room) {
            listing->room = listing->room ? listing->room * 2 : 64;
            folder = realloc(listing->folders, listing->room * sizeof(*folder));
            if (!folder)
                abort();
            listing->folders = folder;
        }
        folder = &listing->folders[listing->count++];
        folder->name = arena_copy_string(listing->arena, buffer_slice(&name));
        folder->place = arena_copy_string(listing->arena, slice_of_string(place));
        folder->path = arena_copy_string(listing->arena, slice_of_string(path));
    }
    buffer_finish(&name);
}

/* Visits a folder of the tree and those below; no symbolic links, which may lead in circles. */
static void
visit(struct listing *listing, const char *place, unsigned depth)
{
    char *path = join(listing->root, place);
    DIR *dir = depth <= COPY_DEPTH_MAX ? opendir(path) : NULL;

    if (place[0] && is_folder(path, "cur") && is_folder(path, "new"))
        add_folder(listing, place, path);
    listing->is_too_large = listing->is_too_large || listing->count > COPY_FOLDERS_MAX;
    for (struct dirent *entry; dir && !listing->is_too_large && (entry = readdir(dir));) {
        bool may_be = entry->d_name[0] != '.' && !is_part(slice_of_string(entry->d_name)) &&
                      entry->d_type != DT_REG;
        char *below = may_be ? join(place, entry->d_name) : NULL;
        if (below && strlen(below) < PLACE_MAX && is_folder(path, entry->d_name))
            visit(listing, below, depth + 1);
        free(below);
    }
    if (dir)
        closedir(dir);
    free(path);
}

static int
by_place(const void *left, const void *right)
{
    const struct copy_folder *l = left, *r = right;
    bool l_first = strcmp(l->name, "INBOX") == 0, r_first = strcmp(r->name, "INBOX") == 0;

    if (l_first != r_first)
        return l_first ? -1 : 1;
    return strcmp(l->place, r->place);
}

bool
copy_list(struct arena *arena, const char *root, struct copy_folders *ret_folders,
          struct client_problem *problem)
{
    struct listing listing = {.arena = arena, .root = root, .delimiter = copy_delimiter(root)};

    visit(&listing, "", 0);
    struct copy_folder *folders =
        ARENA_ARRAY(arena, struct copy_folder, listing.count ? listing.count : 1);
    bool is_good = !arena_failed(arena) && !listing.is_too_large;
    if (is_good && listing.count > 0) {
        qsort(listing.folders, listing.count, sizeof(*folders), by_place);
        memcpy(folders, listing.folders, listing.count * sizeof(*folders));
    }
    free(listing.folders);
    *ret_folders = (struct copy_folders){.folders = folders, .count = is_good ? listing.count : 0};
    return is_good ||
           client_problem_set(problem, CLIENT_PROBLEM_TOO_LARGE, "%s: too many folders", root);
}

/* ---- making -------------------------------------------------------------------------------- */

bool
copy_make_path(char *path, struct client_problem *problem)
{
    for (char *at = path + 1;; at++) {
        char before = *at;
        if (before != '/' && before != '\0')
            continue;
        *at = '\0';
        bool is_there = mkdir(path, 0700) == 0 || errno == EEXIST;
        if (!is_there)
            client_problem_set(problem, CLIENT_PROBLEM_FILE, "%s: %s", path, strerror(errno));
        *at = before;
        if (!is_there || before == '\0')
            return is_there;
    }
}

bool
copy_make_folder(struct arena *arena, const char *root, const char *name, const char **ret_path,
                 struct client_problem *problem)
{
    struct buffer place;
    bool is_good;

    buffer_init(&place, PLACE_MAX);
    buffer_put_text(&place, root);
    buffer_put_byte(&place, '/');
    is_good = copy_put_place(&place, slice_of_string(name), copy_delimiter(root)) ||
              client_problem_set(problem, CLIENT_PROBLEM_SETTINGS,
                                 "%s: the name is too long for a folder here", name);
    *ret_path = is_good ? arena_copy_string(arena, buffer_slice(&place)) : NULL;
    for (size_t i = 0; i < COUNT_OF(parts) && *ret_path; i++) {
        char *path = join(*ret_path, parts[i]);
        if (!copy_make_path(path, problem))
            *ret_path = NULL;
        free(path);
    }
    buffer_finish(&place);
    return *ret_path != NULL;
}
