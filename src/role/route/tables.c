/* SPDX-License-Identifier: ISC */
/* The files of DATA/directory, and the configuration as settings of the decision. */
#include "host/log.h"
#include "role/route/route_private.h"
#include "role/route/settings.h"

#include <errno.h>

enum {
    ACCOUNTS_BYTES_MAX = 1 << 30, /* a million accounts take a tenth of it */
    TRANSPORTS_BYTES_MAX = 256 << 20,
    CREDENTIALS_BYTES_MAX = 1 << 20,
    SRS_KEY_BYTES_MAX = 4096,
    SETTINGS_BYTES_MAX = 1 << 20
};

/* Aliases come before accounts: these are parsed together. */
enum { FILE_ALIASES, FILE_ACCOUNTS, FILE_TRANSPORTS, FILE_CREDENTIALS, FILE_SRS_KEY };

#define LOOK_AGAIN duration_s(1)

void
tables_init(struct route_tables *tables)
{
    static const char *const names[] = {[FILE_ALIASES] = "aliases",
                                        [FILE_ACCOUNTS] = "accounts",
                                        [FILE_TRANSPORTS] = "transports",
                                        [FILE_CREDENTIALS] = "credentials",
                                        [FILE_SRS_KEY] = "srs-key"};

    for (size_t i = 0; i < COUNT_OF(names); i++)
        tables->files[i].name = names[i];
    buffer_init(&tables->aliases, ACCOUNTS_BYTES_MAX);
    buffer_init(&tables->credentials, CREDENTIALS_BYTES_MAX);
    buffer_init(&tables->srs_key, SRS_KEY_BYTES_MAX);
    arena_init(&tables->arena, SETTINGS_BYTES_MAX);
}

void
tables_finish(struct route_tables *tables)
{
    directory_close(&tables->directory);
    routing_transports_close(&tables->transports);
    names_finish(&tables->names);
    buffer_finish(&tables->aliases);
    buffer_finish(&tables->credentials);
    buffer_finish(&tables->srs_key);
    arena_finish(&tables->arena);
}

/* ---- files --------------------------------------------------------------------------------- */

static void
log_damage(struct route *route, const char *event, size_t number, struct slice place,
           const char *why)
{
    struct log_line line;

    log_begin(&line, route->start.host, HOST_LEVEL_ERROR, event);
    log_number(&line, "line", number);
    if (place.len > 0)
        log_text(&line, "at", place);
    log_string(&line, "why", why);
    log_end(&line);
}

static void
adopt_accounts(struct route *route, struct slice bytes)
{
    struct directory_options options = {
        .separators = route->start.config->subaddress_separator,
        .postmaster = route->start.config->postmaster,
        .names = route->tables.names.used,
    };
    const struct directory_problem *problem;
    struct log_line line;

    names_choose(route);
    options.names_count = route->tables.names.used_count;
    host_random(route->start.host, &options.seed, sizeof(options.seed));
    directory_close(&route->tables.directory);
    route->tables.directory =
        directory_parse_both(buffer_slice(&route->tables.aliases), bytes, &options);
    for (size_t i = 0; (problem = directory_problem(route->tables.directory, i)); i++)
        log_damage(route, "accounts_line_damaged", problem->line, problem->place, problem->what);
    log_begin(&line, route->start.host, HOST_LEVEL_INFO, "accounts_loaded");
    log_number(&line, "id_next", directory_id_next(route->tables.directory));
    log_number(&line, "problems", directory_problem_count(route->tables.directory));
    log_end(&line);
}

static void
adopt_transports(struct route *route, struct slice bytes)
{
    const struct routing_problem *problem;
    uint64_t seed;

    host_random(route->start.host, &seed, sizeof(seed));
    routing_transports_close(&route->tables.transports);
    route->tables.transports = routing_transports_parse(bytes, seed);
    for (size_t i = 0; (problem = routing_transports_problem(route->tables.transports, i)); i++)
        log_damage(route, "transports_line_damaged", problem->line, SLICE(""), problem->what);
}

static void
adopt(struct route *route, size_t index, struct slice bytes)
{
    struct route_tables *tables = &route->tables;

    if (index == FILE_ACCOUNTS) {
        adopt_accounts(route, bytes);
    } else if (index == FILE_TRANSPORTS) {
        adopt_transports(route, bytes);
    } else {
        struct buffer *kept = index == FILE_ALIASES       ? &tables->aliases
                              : index == FILE_CREDENTIALS ? &tables->credentials
                                                          : &tables->srs_key;
        buffer_clear(kept);
        buffer_put(kept, index == FILE_SRS_KEY ? slice_trim(bytes) : bytes);
    }
}

/* Without a file of accounts nothing is known; without the others, there is nothing in them. What
 * cannot be read leaves the former table in force; where there was none, mail waits. */
static void
load_file(struct route *route, size_t index)
{
    static const size_t sizes[] = {
        [FILE_ALIASES] = ACCOUNTS_BYTES_MAX,      [FILE_ACCOUNTS] = ACCOUNTS_BYTES_MAX,
        [FILE_TRANSPORTS] = TRANSPORTS_BYTES_MAX, [FILE_CREDENTIALS] = CREDENTIALS_BYTES_MAX,
        [FILE_SRS_KEY] = SRS_KEY_BYTES_MAX,
    };
    struct route_file *file = &route->tables.files[index];
    struct snapshot snapshot;
    struct log_line line;

    if (index == FILE_ACCOUNTS && route->tables.files[FILE_ALIASES].is_unread)
        return; /* who is known by an alias alone would be unknown */
    int error = snapshot_read(route->dir, file->name, sizes[index], &snapshot);
    file->is_unread = error < 0 && error != -ENOENT && !file->is_there;
    if (error == 0) {
        adopt(route, index, buffer_slice(&snapshot.bytes));
        file->stamp = snapshot.stamp;
        file->is_there = true;
        snapshot_finish(&snapshot);
        return;
    }
    if (error == -ENOENT && index != FILE_ACCOUNTS) {
        adopt(route, index, SLICE(""));
        file->is_there = false;
        return;
    }
    log_begin(&line, route->start.host, HOST_LEVEL_ERROR, "table_not_read");
    log_string(&line, "file", file->name);
    log_error(&line, "error", error);
    log_end(&line);
}

static bool
has_changed(struct route *route, struct route_file *file)
{
    uint64_t stamp;

    if (file->is_there)
        return snapshot_has_changed(route->dir, file->name, file->stamp) ||
               host_dir_stamp(route->dir, file->name, &stamp) == -ENOENT;
    return host_dir_stamp(route->dir, file->name, &stamp) == 0;
}

bool
tables_are_read(const struct route *route)
{
    for (size_t i = 0; i < COUNT_OF(route->tables.files); i++) {
        if (route->tables.files[i].is_unread)
            return false;
    }
    return true;
}

/* ---- all ----------------------------------------------------------------------------------- */

static void
set_settings(struct route *route)
{
    const char *what;

    arena_reset(&route->tables.arena);
    what = route_settings(route->start.config, &route->tables.arena, &route->tables.settings);
    if (what)
        log_damage(route, "smart_host_damaged", 0, route->start.config->smart_host, what);
}

void
tables_load(struct route *route)
{
    route->tables.looked = host_now(route->start.host);
    set_settings(route);
    for (size_t i = 0; i < COUNT_OF(route->tables.files); i++)
        load_file(route, i);
    route->tables.settings.transports = route->tables.transports;
    route->tables.settings.directory = route->tables.directory;
    route_tell_change(route);
}

bool
tables_look_again(struct route *route)
{
    struct instant now = host_now(route->start.host);
    bool is_changed = false;

    if (instant_is_before(now, instant_after(route->tables.looked, LOOK_AGAIN)))
        return false;
    route->tables.looked = now;
    for (size_t i = 0; i < COUNT_OF(route->tables.files); i++) {
        if (!has_changed(route, &route->tables.files[i]))
            continue;
        load_file(route, i);
        /* What has changed itself is read in its turn. */
        if (i == FILE_ALIASES && !has_changed(route, &route->tables.files[FILE_ACCOUNTS]))
            load_file(route, FILE_ACCOUNTS);
        is_changed = true;
    }
    route->tables.settings.transports = route->tables.transports;
    route->tables.settings.directory = route->tables.directory;
    if (is_changed)
        route_tell_change(route);
    return is_changed;
}
