/* SPDX-License-Identifier: ISC */
#include "sync/state.h"

#include "base/cursor.h"
#include "base/hash.h"
#include "client/wire.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { NAME_KEPT = 200, LINES_MAX = 1 << 30, WASTE_MAX = 1000 };

#define FIRST_LINE "facteur-sync 1 "

/* ---- files --------------------------------------------------------------------------------- */

/* "Lists/c" lies in "Lists%.c": no place has "%." in it. Long ones end in a hash. */
static char *
path_of(const char *root, const char *place)
{
    struct slice rest = slice_of_string(place);
    struct buffer name;
    char *path = NULL;

    buffer_init(&name, PATH_MAX);
    for (size_t i = 0; i < rest.len; i++) {
        if (rest.at[i] == '/')
            buffer_put_text(&name, "%.");
        else
            buffer_put_byte(&name, rest.at[i]);
    }
    if (buffer_len(&name) > NAME_KEPT) {
        uint64_t hash = hash64(rest, 0);
        buffer_truncate(&name, NAME_KEPT);
        buffer_put_text(&name, "%~");
        buffer_put_hex(&name, slice_of(&hash, sizeof(hash)));
    }
    if (asprintf(&path, "%s/.facteur/state/%.*s", root, CLIENT_TEXT(buffer_slice(&name))) < 0)
        abort();
    buffer_finish(&name);
    return path;
}

static bool
fail(const char *path, struct client_problem *problem)
{
    return client_problem_set(problem, CLIENT_PROBLEM_FILE, "%s: %s", path, strerror(errno));
}

static bool
write_all(int descriptor, struct slice bytes, bool is_durable)
{
    while (bytes.len > 0) {
        ssize_t count = write(descriptor, bytes.at, bytes.len);
        if (count < 0 && errno != EINTR)
            return false;
        bytes = slice_skip(bytes, count > 0 ? (size_t)count : 0);
    }
    return !is_durable || fdatasync(descriptor) == 0;
}

static bool
read_file(const char *path, struct buffer *out, struct client_problem *problem)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t count = 0;

    if (descriptor < 0)
        return errno == ENOENT || fail(path, problem);
    do {
        uint8_t *space = buffer_reserve(out, 64 * 1024);
        count = space ? read(descriptor, space, 64 * 1024) : 0;
        if (count > 0)
            buffer_commit(out, (size_t)count);
    } while (count > 0);
    close(descriptor);
    return count == 0 || fail(path, problem);
}

/* ---- entries ------------------------------------------------------------------------------- */

static struct state_entry *
find(const struct map *map, struct slice key)
{
    return map_find(map, key);
}

struct state_entry *
state_of_uid(const struct state *state, uint32_t uid)
{
    uint64_t key = uid;

    return find(&state->by_uid, map_key_u64(&key));
}

struct state_entry *
state_of_file(const struct state *state, const char *file)
{
    return find(&state->by_file, slice_of_string(file));
}

static void
drop(struct state *state, struct state_entry *entry)
{
    uint64_t key = entry->uid;

    map_remove(&state->by_uid, map_key_u64(&key));
    map_remove(&state->by_file, slice_of_string(entry->file));
    entry->uid = 0;
    state->forgotten++;
}

/* Without a line for it. */
static struct state_entry *
add(struct state *state, uint32_t uid, uint32_t flags, struct slice file)
{
    uint64_t key = uid;
    struct state_entry *entry = find(&state->by_uid, map_key_u64(&key));
    struct state_entry *other = find(&state->by_file, file);

    if (entry && entry == other) {
        entry->flags = flags;
        entry->is_dying = false;
        return entry;
    }
    if (entry)
        drop(state, entry);
    if (other)
        drop(state, other);
    if (state->count == state->room) {
        state->room = state->room ? state->room * 2 : 64;
        struct state_entry **entries =
            realloc(state->entries, state->room * sizeof(struct state_entry *));
        if (!entries)
            abort();
        state->entries = entries;
    }
    entry = ARENA_NEW(&state->arena, struct state_entry);
    const char *copy = arena_copy_string(&state->arena, file);
    if (!entry || !copy)
        abort();
    *entry = (struct state_entry){.uid = uid, .flags = flags, .file = copy};
    state->entries[state->count++] = entry;
    map_set(&state->by_uid, map_key_u64(&key), entry);
    map_set(&state->by_file, file, entry);
    return entry;
}

/* ---- lines --------------------------------------------------------------------------------- */

static void
put_pair(struct buffer *out, const struct state_entry *entry)
{
    buffer_put_text(out, "+ ");
    buffer_put_decimal(out, entry->uid);
    buffer_put_byte(out, ' ');
    buffer_put_decimal(out, entry->flags);
    buffer_put_byte(out, ' ');
    buffer_put_text(out, entry->file);
    buffer_put_byte(out, '\n');
}

static void
put_number(struct buffer *out, const char *what, uint64_t number)
{
    buffer_put_text(out, what);
    buffer_put_decimal(out, number);
    buffer_put_byte(out, '\n');
}

static void
put_end(struct buffer *out, const struct state_end *end)
{
    buffer_put_text(out, "e ");
    buffer_put_decimal(out, end->modseq);
    buffer_put_byte(out, ' ');
    buffer_put_decimal(out, end->uid_next);
    put_number(out, " ", end->messages);
}

static void
put_sent(struct buffer *out, const struct state_sent *sent)
{
    buffer_put_text(out, "s ");
    buffer_put_decimal(out, sent->flags);
    buffer_put_byte(out, ' ');
    buffer_put_decimal(out, sent->size);
    buffer_put_byte(out, ' ');
    buffer_put_decimal(out, sent->header);
    buffer_put_byte(out, ' ');
    buffer_put_text(out, sent->file);
    buffer_put_byte(out, '\n');
}

static void
add_sent(struct state *state, struct state_sent sent, struct slice file)
{
    if (state->sent_count == state->sent_room) {
        state->sent_room = state->sent_room ? state->sent_room * 2 : 16;
        struct state_sent *more = realloc(state->sent, state->sent_room * sizeof(*more));
        if (!more)
            abort();
        state->sent = more;
    }
    sent.file = arena_copy_string(&state->arena, file);
    if (!sent.file)
        abort();
    state->sent[state->sent_count++] = sent;
}

/* The rest of a line: a name within a folder. */
static bool
is_file(struct slice name)
{
    return name.len > 0 && slice_find_byte(name, '\0') == name.len &&
           slice_find_byte(name, '/') == name.len;
}

static bool
take_sent(struct state *state, struct cursor *line)
{
    struct state_sent sent = {0};

    if (!cursor_take_u32(line, 0, STATE_FLAGS, &sent.flags) || !cursor_take_byte(line, ' ') ||
        !cursor_take_u64(line, 0, UINT64_MAX, &sent.size) || !cursor_take_byte(line, ' ') ||
        !cursor_take_u64(line, 0, UINT64_MAX, &sent.header) || !cursor_take_byte(line, ' ') ||
        !is_file(cursor_rest(line)))
        return false;
    add_sent(state, sent, cursor_rest(line));
    return true;
}

static bool
take_pair(struct state *state, struct cursor *line)
{
    uint32_t uid, flags;

    if (!cursor_take_u32(line, 1, UINT32_MAX, &uid) || !cursor_take_byte(line, ' ') ||
        !cursor_take_u32(line, 0, STATE_FLAGS, &flags) || !cursor_take_byte(line, ' ') ||
        !is_file(cursor_rest(line)))
        return false;
    add(state, uid, flags, cursor_rest(line));
    return true;
}

/* The line is the UID of an entry, which need not be there: *ret_entry is NULL then. */
static bool
take_entry(struct state *state, struct cursor *line, struct state_entry **ret_entry)
{
    uint32_t uid;

    if (!cursor_take_u32(line, 1, UINT32_MAX, &uid) || !cursor_is_done(line))
        return false;
    *ret_entry = state_of_uid(state, uid);
    return true;
}

static bool
take_forgotten(struct state *state, struct cursor *line)
{
    struct state_entry *entry;

    if (!take_entry(state, line, &entry))
        return false;
    if (entry)
        drop(state, entry);
    return true;
}

static bool
take_dying(struct state *state, struct cursor *line)
{
    struct state_entry *entry;

    if (!take_entry(state, line, &entry))
        return false;
    if (entry)
        entry->is_dying = state->has_dying = true;
    return true;
}

static bool
take_end(struct state *state, struct cursor *line)
{
    struct state_end end;

    if (!cursor_take_u64(line, 0, INT64_MAX, &end.modseq) || !cursor_take_byte(line, ' ') ||
        !cursor_take_u32(line, 0, UINT32_MAX, &end.uid_next) || !cursor_take_byte(line, ' ') ||
        !cursor_take_u32(line, 0, UINT32_MAX, &end.messages) || !cursor_is_done(line))
        return false;
    state->end = end;
    state->sent_count = 0;
    return true;
}

static bool
take_line(struct state *state, struct slice text)
{
    struct cursor line = cursor_of(text);

    if (slice_equal(text, SLICE("r"))) {
        state->sent_count = 0;
        return true;
    }
    if (cursor_take_text(&line, SLICE("s ")))
        return take_sent(state, &line);
    if (cursor_take_text(&line, SLICE("+ ")))
        return take_pair(state, &line);
    if (cursor_take_text(&line, SLICE("- ")))
        return take_forgotten(state, &line);
    if (cursor_take_text(&line, SLICE("d ")))
        return take_dying(state, &line);
    if (cursor_take_text(&line, SLICE("e ")))
        return take_end(state, &line);
    return cursor_take_text(&line, SLICE("v ")) &&
           cursor_take_u32(&line, 0, UINT32_MAX, &state->validity) && cursor_is_done(&line);
}

static void
take_lines(struct state *state, struct slice text)
{
    struct slice first = slice_first(text, slice_find_byte(text, '\n'));

    state->must_be_written = true;
    if (first.len == text.len || !slice_starts_with(first, SLICE(FIRST_LINE)) ||
        !slice_equal(slice_skip(first, strlen(FIRST_LINE)), slice_of_string(state->place)))
        return;
    state->is_known = true;
    for (text = slice_skip(text, first.len + 1); text.len > 0;) {
        struct slice line = slice_first(text, slice_find_byte(text, '\n'));
        if (line.len == text.len || !take_line(state, line))
            return;
        text = slice_skip(text, line.len + 1);
    }
    state->must_be_written = false;
}

/* Of what was sent only that whose answer did not come. */
static void
drop_answered(struct state *state)
{
    size_t kept = 0;

    for (size_t i = 0; i < state->sent_count; i++) {
        if (!state_of_file(state, state->sent[i].file))
            state->sent[kept++] = state->sent[i];
    }
    state->sent_count = kept;
}

/* ---- writing ------------------------------------------------------------------------------- */

static void
sync_folder_of(const char *path)
{
    char *folder = strndup(path, (size_t)(strrchr(path, '/') - path));

    if (!folder)
        abort();
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0) {
        (void)fsync(descriptor);
        close(descriptor);
    }
    free(folder);
}

static bool
write_anew(struct state *state, struct client_problem *problem)
{
    struct buffer text;
    char *path = NULL;

    if (asprintf(&path, "%.*s/.new", (int)(strrchr(state->path, '/') - state->path), state->path) <
        0)
        abort();
    buffer_init(&text, LINES_MAX);
    buffer_put_text(&text, FIRST_LINE);
    buffer_put_text(&text, state->place);
    put_number(&text, "\nv ", state->validity);
    for (size_t i = 0; i < state->count; i++) {
        const struct state_entry *entry = state->entries[i];
        if (entry->uid != 0)
            put_pair(&text, entry);
        if (entry->uid != 0 && entry->is_dying)
            put_number(&text, "d ", entry->uid);
    }
    put_end(&text, &state->end);
    drop_answered(state);
    for (size_t i = 0; i < state->sent_count; i++)
        put_sent(&text, &state->sent[i]);
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool is_good = descriptor >= 0 && !buffer_overflowed(&text) &&
                   write_all(descriptor, buffer_slice(&text), true) &&
                   rename(path, state->path) == 0;
    if (!is_good)
        fail(path, problem);
    if (descriptor >= 0)
        close(descriptor);
    if (is_good)
        sync_folder_of(state->path);
    state->must_be_written = !is_good;
    buffer_clear(&state->lines);
    buffer_finish(&text);
    free(path);
    return is_good;
}

static bool
write_lines(struct state *state, bool is_durable, struct client_problem *problem)
{
    if (state->is_dry || (buffer_len(&state->lines) == 0 && !state->must_be_written))
        return true;
    if (state->must_be_written || buffer_overflowed(&state->lines))
        return write_anew(state, problem);
    int descriptor = open(state->path, O_WRONLY | O_APPEND | O_CLOEXEC);
    bool is_good =
        descriptor >= 0 && write_all(descriptor, buffer_slice(&state->lines), is_durable);
    if (!is_good)
        fail(state->path, problem);
    if (descriptor >= 0)
        close(descriptor);
    state->must_be_written = !is_good;
    buffer_clear(&state->lines);
    return is_good;
}

bool
state_commit(struct state *state, struct client_problem *problem)
{
    return write_lines(state, true, problem);
}

/* ---- what may be said ---------------------------------------------------------------------- */

struct state_entry *
state_pair(struct state *state, uint32_t uid, uint32_t flags, const char *file)
{
    struct state_entry *entry = add(state, uid, flags, slice_of_string(file));

    put_pair(&state->lines, entry);
    return entry;
}

void
state_forget(struct state *state, struct state_entry *entry)
{
    put_number(&state->lines, "- ", entry->uid);
    drop(state, entry);
}

void
state_begin(struct state *state, uint32_t validity)
{
    for (size_t i = 0; i < state->count; i++) {
        if (state->entries[i]->uid != 0)
            drop(state, state->entries[i]);
    }
    if (state->validity != 0)
        state->sent_count = 0;
    state->validity = validity;
    state->end = (struct state_end){0};
    state->must_be_written = true;
}

bool
state_sending(struct state *state, const struct state_sent *sent, struct client_problem *problem)
{
    state->is_sending = true;
    add_sent(state, *sent, slice_of_string(sent->file));
    put_sent(&state->lines, sent);
    return write_lines(state, false, problem);
}

void
state_deleting(struct state *state, struct state_entry *entry)
{
    entry->is_dying = true;
    put_number(&state->lines, "d ", entry->uid);
}

void
state_resolved(struct state *state)
{
    state->sent_count = 0;
    buffer_put_text(&state->lines, "r\n");
}

bool
state_done(struct state *state, struct state_end end, struct client_problem *problem)
{
    size_t live = state->count - state->forgotten;
    bool is_same = memcmp(&end, &state->end, sizeof(end)) == 0 && state->sent_count == 0;

    state->end = end;
    state->sent_count = 0;
    if (!is_same)
        put_end(&state->lines, &end);
    if (state->forgotten > live + WASTE_MAX)
        state->must_be_written = true;
    return state_commit(state, problem);
}

void
state_remove(struct state *state)
{
    if (!state->is_dry && unlink(state->path) == 0)
        sync_folder_of(state->path);
}

/* ---- opening ------------------------------------------------------------------------------- */

bool
state_open(struct state *ret_state, const char *root, const char *place, bool is_dry,
           struct client_problem *problem)
{
    struct buffer text;
    uint64_t seed;

    *ret_state = (struct state){.path = path_of(root, place), .is_dry = is_dry};
    client_random(&seed, sizeof(seed));
    arena_init(&ret_state->arena, (size_t)1 << 33);
    map_init(&ret_state->by_uid, seed);
    map_init(&ret_state->by_file, seed);
    buffer_init(&ret_state->lines, LINES_MAX);
    buffer_init(&text, LINES_MAX);
    ret_state->place = arena_copy_string(&ret_state->arena, slice_of_string(place));
    if (!ret_state->place)
        abort();
    bool is_good = read_file(ret_state->path, &text, problem);
    if (is_good)
        take_lines(ret_state, buffer_slice(&text));
    drop_answered(ret_state);
    buffer_finish(&text);
    return is_good;
}

void
state_finish(struct state *state)
{
    map_finish(&state->by_uid);
    map_finish(&state->by_file);
    arena_finish(&state->arena);
    buffer_finish(&state->lines);
    free(state->entries);
    free(state->sent);
    free(state->path);
    *state = (struct state){0};
}

/* ---- listing ------------------------------------------------------------------------------- */

static const char *
read_place(struct arena *arena, const char *path)
{
    char line[PATH_MAX + 32];
    const char *place = NULL;
    FILE *file = fopen(path, "re");

    if (!file)
        return NULL;
    if (fgets(line, sizeof(line), file)) {
        struct slice text = slice_of_string(line);
        if (slice_starts_with(text, SLICE(FIRST_LINE)) && slice_ends_with(text, SLICE("\n")))
            place = arena_copy_string(arena, slice_between(text, strlen(FIRST_LINE), text.len - 1));
    }
    fclose(file);
    return place;
}

bool
state_list(struct arena *arena, const char *root, struct state_places *ret_places,
           struct client_problem *problem)
{
    const char **places = NULL;
    size_t count = 0, room = 0;
    char *folder = NULL;

    if (asprintf(&folder, "%s/.facteur/state", root) < 0)
        abort();
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char *path = NULL;
        if (asprintf(&path, "%s/%s", folder, entry->d_name) < 0)
            abort();
        const char *place = entry->d_name[0] != '.' ? read_place(arena, path) : NULL;
        free(path);
        if (!place)
            continue;
        if (count == room) {
            room = room ? room * 2 : 64;
            const char **more = realloc(places, room * sizeof(*places));
            if (!more)
                abort();
            places = more;
        }
        places[count++] = place;
    }
    if (dir)
        closedir(dir);
    free(folder);
    ret_places->places = ARENA_ARRAY(arena, const char *, count ? count : 1);
    ret_places->count = ret_places->places ? count : 0;
    if (ret_places->count > 0)
        memcpy(ret_places->places, places, count * sizeof(*places));
    free(places);
    return !arena_failed(arena) ||
           client_problem_set(problem, CLIENT_PROBLEM_TOO_LARGE, "%s: too many folders", root);
}
