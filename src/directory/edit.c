/* SPDX-License-Identifier: ISC */
/* Lines to append, and compaction. */
#include "directory/edit.h"

#include "base/map.h"
#include "directory/table.h"

/* ---- lines --------------------------------------------------------------------------------- */

/* "kind name" with the name in canonical form; `is_domain` for a plain domain. */
static bool
put_head(struct buffer *buffer, const char *kind, struct slice name)
{
    struct directory_line line = {.kind = slice_of_string(kind), .name = name};
    struct arena arena;
    struct slice canonical;

    arena_init(&arena, 64 * 1024);
    bool is_name = directory_name_read(&arena, &line, &canonical);
    if (is_name) {
        buffer_put_text(buffer, kind);
        buffer_put_byte(buffer, ' ');
        directory_put_word(buffer, canonical);
    }
    arena_finish(&arena);
    return is_name;
}

static void
put_number(struct buffer *buffer, const char *key, uint64_t number)
{
    buffer_put_byte(buffer, ' ');
    buffer_put_text(buffer, key);
    buffer_put_byte(buffer, '=');
    buffer_put_decimal(buffer, number);
}

static void
put_size(struct buffer *buffer, const char *key, uint64_t bytes)
{
    static const char *const units[] = {"", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;

    while (bytes > 0 && bytes % 1024 == 0 && unit + 1 < COUNT_OF(units)) {
        bytes /= 1024;
        unit++;
    }
    put_number(buffer, key, bytes);
    buffer_put_text(buffer, units[unit]);
}

/* Ends the line, and reads it again as directory_parse will: what cannot be read is not put. */
static bool
finish_line(struct buffer *buffer, size_t start, bool is_good)
{
    static const struct directory_options options = {
        {(const uint8_t *)"", 0}, {(const uint8_t *)"", 0}, 0};

    buffer_put_byte(buffer, '\n');
    if (is_good && !buffer_overflowed(buffer)) {
        struct directory *directory =
            directory_parse(slice_skip(buffer_slice(buffer), start), &options);
        is_good = directory_problem_count(directory) == 0;
        directory_close(&directory);
    } else {
        is_good = false;
    }
    if (!is_good)
        buffer_truncate(buffer, start);
    return is_good;
}

static void
put_delivery(struct buffer *buffer, const struct directory_account *account)
{
    static const char *const names[] = {
        [DIRECTORY_STORE] = "store", [DIRECTORY_MBOX] = "mbox:", [DIRECTORY_MAILDIR] = "maildir:"};
    struct buffer value;

    buffer_init(&value, 4096);
    buffer_put_text(&value, names[account->delivery]);
    if (account->delivery != DIRECTORY_STORE)
        buffer_put(&value, account->path);
    directory_put_field(buffer, "delivery", buffer_slice(&value));
    buffer_finish(&value);
}

bool
directory_put_account(struct buffer *buffer, const struct directory_account *account)
{
    size_t start = buffer_len(buffer);
    bool is_good =
        directory_text_is_sound(account->full_name) && put_head(buffer, "account", account->name);

    put_number(buffer, "id", account->id);
    if (account->full_name.len > 0)
        directory_put_field(buffer, "full-name", account->full_name);
    if (account->has_quota) {
        put_size(buffer, "quota", account->quota_bytes);
        put_number(buffer, "messages", account->quota_messages);
    }
    if (account->has_delivery)
        put_delivery(buffer, account);
    if (account->login.len > 0)
        directory_put_field(buffer, "system", account->login);
    if (!account->is_enabled)
        buffer_put_text(buffer, " disabled");
    return finish_line(buffer, start, is_good);
}

bool
directory_put_alias(struct buffer *buffer, const struct directory_alias *alias)
{
    size_t start = buffer_len(buffer);
    bool is_list = alias->kind == DIRECTORY_LIST;
    bool is_good = directory_text_is_sound(alias->full_name) &&
                   put_head(buffer, is_list ? "list" : "alias", alias->name);
    struct buffer members;

    buffer_init(&members, DIRECTORY_LINE_MAX);
    for (size_t i = 0; i < alias->count; i++) {
        if (i > 0)
            buffer_put_byte(&members, ',');
        buffer_put(&members, alias->members[i]);
    }
    directory_put_field(buffer, "to", buffer_slice(&members));
    buffer_finish(&members);
    if (is_list && alias->full_name.len > 0)
        directory_put_field(buffer, "full-name", alias->full_name);
    if (is_list && alias->owner.len > 0)
        directory_put_field(buffer, "owner", alias->owner);
    if (is_list && alias->unsubscribe.len > 0)
        directory_put_field(buffer, "unsubscribe", alias->unsubscribe);
    if (alias->is_private)
        buffer_put_text(buffer, " private");
    if (is_list && alias->is_closed)
        buffer_put_text(buffer, " closed");
    return finish_line(buffer, start, is_good);
}

bool
directory_put_domain(struct buffer *buffer, const struct directory_domain *domain)
{
    size_t start = buffer_len(buffer);
    bool is_good = put_head(buffer, "domain", domain->name);

    if (domain->same_as.len > 0)
        directory_put_field(buffer, "same-as", domain->same_as);
    if (domain->postmaster.len > 0)
        directory_put_field(buffer, "postmaster", domain->postmaster);
    return finish_line(buffer, start, is_good);
}

bool
directory_put_relay(struct buffer *buffer, const struct directory_relay *relay)
{
    size_t start = buffer_len(buffer);
    bool is_good = put_head(buffer, "relay", relay->name);

    if (relay->is_listed)
        buffer_put_text(buffer, " listed");
    return finish_line(buffer, start, is_good);
}

bool
directory_put_recipient(struct buffer *buffer, struct slice name)
{
    size_t start = buffer_len(buffer);

    return finish_line(buffer, start, put_head(buffer, "recipient", name));
}

static bool
put_removed(struct buffer *buffer, const char *kind, struct slice name, uint64_t id)
{
    size_t start = buffer_len(buffer);
    bool is_good = put_head(buffer, kind, name);

    if (id > 0)
        put_number(buffer, "id", id);
    buffer_put_text(buffer, " removed");
    return finish_line(buffer, start, is_good);
}

bool
directory_put_relay_removed(struct buffer *buffer, struct slice name)
{
    return put_removed(buffer, "relay", name, 0);
}

bool
directory_put_recipient_removed(struct buffer *buffer, struct slice name)
{
    return put_removed(buffer, "recipient", name, 0);
}

bool
directory_put_account_removed(struct buffer *buffer, struct slice name, uint64_t id)
{
    return put_removed(buffer, "account", name, id);
}

bool
directory_put_alias_removed(struct buffer *buffer, struct slice name)
{
    return put_removed(buffer, "alias", name, 0);
}

bool
directory_put_domain_removed(struct buffer *buffer, struct slice name)
{
    return put_removed(buffer, "domain", name, 0);
}

/* ---- compaction ---------------------------------------------------------------------------- */

/* Reads the file line by line; what each line does to the names it is about. */
struct reader {
    struct cursor file;
    size_t number;
    struct arena arena;
    struct directory_line line;
};

static void
reader_init(struct reader *reader, struct slice file)
{
    *reader = (struct reader){.file = cursor_of(file)};
    arena_init(&reader->arena, 4 * DIRECTORY_LINE_MAX + file.len);
}

/* Reads the line as a whole, so that one which does not count overrules none that does. */
static void
check_line(struct arena *arena, struct directory_line *line)
{
    if (line->damage || directory_line_has(line, "removed"))
        return;
    if (slice_equal(line->kind, SLICE("account")))
        (void)directory_account_read(arena, line);
    else if (slice_equal(line->kind, SLICE("alias")) || slice_equal(line->kind, SLICE("list")))
        (void)directory_alias_read(arena, line);
    else if (slice_equal(line->kind, SLICE("moved")))
        (void)directory_moved_read(arena, line);
    else if (slice_equal(line->kind, SLICE("domain")))
        (void)directory_domain_read(arena, line);
    else if (slice_equal(line->kind, SLICE("relay")))
        (void)directory_relay_read(arena, line);
    else if (slice_equal(line->kind, SLICE("recipient")))
        (void)directory_recipient_read(arena, line);
    else if (slice_equal(line->kind, SLICE("secret")))
        (void)directory_secret_read(arena, line);
}

/* The next line and the key of what it is about; an empty key for what must be kept as it is. */
static bool
reader_next(struct reader *reader, struct buffer *key)
{
    struct slice name;

    buffer_clear(key);
    arena_reset(&reader->arena);
    if (!directory_line_take(&reader->file, &reader->number, &reader->arena, &reader->line))
        return false;
    struct directory_line *line = &reader->line;
    check_line(&reader->arena, line);
    if (line->damage || line->kind.len == 0)
        return true;
    if (slice_equal(line->kind, SLICE("secret"))) {
        const struct directory_field *id = directory_line_find(line, "id");
        name = id ? id->value : SLICE("");
    } else if (line->name.len == 0) {
        name = SLICE("-"); /* ids, installation */
    } else if (!directory_name_read(&reader->arena, line, &name)) {
        return true;
    }
    /* A list and an alias of one name are one thing. */
    buffer_put(key, slice_equal(line->kind, SLICE("list")) ? SLICE("alias") : line->kind);
    buffer_put_byte(key, ' ');
    buffer_put(key, name);
    return true;
}

/* Fills `last` with the number of the last line about each key, and gives the next id. */
static uint64_t
find_last(struct slice file, struct map *last, size_t *ret_lines)
{
    struct reader reader;
    struct buffer key;
    uint64_t id_max = 0, id;

    reader_init(&reader, file);
    buffer_init(&key, 4096);
    while (reader_next(&reader, &key)) {
        const struct directory_field *field = directory_line_find(&reader.line, "id");
        struct cursor number = cursor_of(field ? field->value : SLICE(""));
        if (cursor_take_u64(&number, 1, UINT64_MAX - 1, &id) && id > id_max)
            id_max = id;
        field = directory_line_find(&reader.line, "next");
        number = cursor_of(field ? field->value : SLICE(""));
        if (cursor_take_u64(&number, 1, UINT64_MAX - 1, &id) && id - 1 > id_max)
            id_max = id - 1;
        if (buffer_len(&key) > 0)
            (void)map_set(last, buffer_slice(&key), (void *)(uintptr_t)reader.number);
    }
    *ret_lines = reader.number;
    buffer_finish(&key);
    arena_finish(&reader.arena);
    return id_max + 1;
}

static bool
is_live(const struct map *last, const struct reader *reader, struct slice key)
{
    if (key.len == 0)
        return true;
    return map_find(last, key) == (void *)(uintptr_t)reader->number &&
           !directory_line_has(&reader->line, "removed") &&
           !slice_equal(reader->line.kind, SLICE("ids"));
}

size_t
directory_dead_lines(struct slice file, size_t *ret_lines)
{
    struct reader reader;
    struct buffer key;
    struct map last;
    size_t dead = 0;

    map_init(&last, 0);
    (void)find_last(file, &last, ret_lines);
    reader_init(&reader, file);
    buffer_init(&key, 4096);
    while (reader_next(&reader, &key)) {
        if (!is_live(&last, &reader, buffer_slice(&key)))
            dead++;
    }
    buffer_finish(&key);
    arena_finish(&reader.arena);
    map_finish(&last);
    return dead;
}

void
directory_compact(struct slice file, bool is_secrets, struct buffer *buffer)
{
    struct reader reader;
    struct buffer key;
    struct map last;
    bool has_accounts = false;
    size_t lines;

    map_init(&last, 0);
    uint64_t id_next = find_last(file, &last, &lines);
    reader_init(&reader, file);
    buffer_init(&key, 4096);
    while (reader_next(&reader, &key)) {
        has_accounts = has_accounts || slice_equal(reader.line.kind, SLICE("account")) ||
                       slice_equal(reader.line.kind, SLICE("ids"));
        if (!is_live(&last, &reader, buffer_slice(&key)))
            continue;
        buffer_put(buffer, reader.line.raw);
        if (directory_needs_line_end(reader.line.raw))
            buffer_put_byte(buffer, '\n');
    }
    if (has_accounts && !is_secrets) {
        buffer_put_text(buffer, "ids next=");
        buffer_put_decimal(buffer, id_next);
        buffer_put_byte(buffer, '\n');
    }
    buffer_finish(&key);
    arena_finish(&reader.arena);
    map_finish(&last);
}
