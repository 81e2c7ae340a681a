/* SPDX-License-Identifier: ISC */
/* Names of domains whose mail we keep for their own servers (option relay_feeds): each server is
 * asked at times, over a transport, and sooner when somebody asked for a name that is not among
 * those known. What it told last is kept in a file of the store's folder, `names-DOMAIN`, and told
 * to route, which looks names up; a list takes the place of the one before as a whole. The store
 * does not look into it. */
#include "role/store/outgoing.h"

#include "base/cursor.h"
#include "directory/names.h"
#include "role/snapshot.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    FILE_BYTES_MAX = DIRECTORY_NAMES_BYTES_MAX + 128, /* with its first line */
    FILE_NAME_MAX = CONFIG_FEED_DOMAIN_MAX + 16,
    ARENA_MAX = 256 * 1024,
    AGAIN_S = 60, /* after a failure, if the interval is not less */
    WISH_S = 10,  /* strangers may ask for any number of names that do not exist */
    LOST_S = 900, /* an answer that is not there by then will not come */
};

struct feed {
    struct slice domain, way; /* in feeds->arena */
    char file[FILE_NAME_MAX + 1];
    char file_new[FILE_NAME_MAX + 5];
    uint64_t serial;
    bool is_known;       /* there is a list */
    uint64_t ask, carry; /* open questions to route and to a transport, or 0 */
    struct instant begun, due;
};

struct feeds {
    struct feed *at;
    size_t count;
    struct arena arena;
    struct host_timer *timer;
};

static void
log_names(struct store_role *role, enum host_level level, const char *event,
          const struct feed *feed, struct slice why, uint64_t count)
{
    struct log_line line;

    log_begin(&line, role->host, level, event);
    log_text(&line, "domain", feed->domain);
    if (why.len > 0)
        log_text(&line, "why", why);
    else
        log_number(&line, "names", count);
    log_end(&line);
}

/* ---- the file ------------------------------------------------------------------------------ */

/* Its first line is the serial; behind it are the names. False: there is none. */
static bool
read_file(struct store_role *role, struct feed *feed, struct snapshot *ret_snapshot,
          struct slice *ret_names)
{
    if (snapshot_read(role->dir, feed->file, FILE_BYTES_MAX, ret_snapshot) < 0)
        return false;
    struct slice bytes = buffer_slice(&ret_snapshot->bytes);
    size_t len = slice_find_byte(bytes, '\n');
    struct cursor cursor = cursor_of(slice_first(bytes, len));
    if (cursor_take_u64(&cursor, 1, UINT64_MAX, &feed->serial) && cursor_is_done(&cursor)) {
        *ret_names = slice_skip(bytes, len + 1);
        return true;
    }
    snapshot_finish(ret_snapshot);
    return false;
}

static int
write_new(struct store_role *role, const struct feed *feed, struct slice names)
{
    struct host_file *file = NULL;
    char serial[32];
    int len = snprintf(serial, sizeof(serial), "%llu\n", (unsigned long long)feed->serial);
    struct slice pieces[] = {slice_of(serial, (size_t)len), names};
    int error =
        host_file_open(role->dir, feed->file_new, HOST_FILE_WRITE | HOST_FILE_CREATE, &file);

    if (error == 0)
        error = host_file_truncate(file, 0);
    if (error == 0)
        error = host_file_write(file, pieces, COUNT_OF(pieces), 0);
    if (error == 0)
        error = host_file_sync(file);
    if (error == 0)
        error = host_dir_rename(role->dir, feed->file_new, feed->file);
    if (error == 0)
        error = host_dir_sync(role->dir);
    host_file_close(&file);
    return error;
}

/* ---- telling route ------------------------------------------------------------------------- */

/* Takes the handle. */
static void
tell(struct store_role *role, const struct feed *feed, host_handle handle)
{
    struct outgoing *outgoing = role->outgoing;
    struct store_route_relay_names note = {
        .domain = feed->domain, .is_known = feed->is_known, .names = handle};

    buffer_clear(&role->note);
    if (handle >= 0 && outgoing->route &&
        store_route_put_relay_names(&role->note, &outgoing->route_ledger, &note))
        host_channel_send(outgoing->route, buffer_slice(&role->note), handle);
    else
        host_handle_close(role->host, handle);
}

/* What is in the file; an empty list where there is none. */
static void
tell_file(struct store_role *role, struct feed *feed)
{
    struct host_blob *blob = NULL;
    struct snapshot snapshot;
    struct slice names = SLICE("");
    host_handle handle = HOST_HANDLE_NONE;

    feed->is_known = read_file(role, feed, &snapshot, &names);
    if (host_blob_open(role->host, &blob) == 0 &&
        (names.len == 0 || host_blob_put(blob, names) == 0) && host_blob_seal(&blob, &handle) < 0)
        handle = HOST_HANDLE_NONE;
    host_blob_close(&blob);
    if (feed->is_known)
        snapshot_finish(&snapshot);
    tell(role, feed, handle);
}

void
feeds_tell(struct store_role *role)
{
    struct feeds *feeds = role->outgoing->feeds;

    for (size_t i = 0; role->dir && i < feeds->count; i++)
        tell_file(role, &feeds->at[i]);
}

/* ---- asking -------------------------------------------------------------------------------- */

static void
arm(struct store_role *role)
{
    struct feeds *feeds = role->outgoing->feeds;
    struct instant next = INSTANT_NEVER;

    for (size_t i = 0; i < feeds->count; i++) {
        if (instant_is_before(feeds->at[i].due, next))
            next = feeds->at[i].due;
    }
    if (feeds->timer)
        host_timer_set(feeds->timer, next);
}

static void
end_errand(struct store_role *role, struct feed *feed, bool is_good)
{
    struct duration wait = role->config->relay_feed_interval;

    if (!is_good && wait.ns > duration_s(AGAIN_S).ns)
        wait = duration_s(AGAIN_S);
    feed->ask = feed->carry = 0;
    feed->due = instant_after(host_now(role->host), wait);
    arm(role);
}

static void
begin_errand(struct store_role *role, struct feed *feed)
{
    struct buffer address;

    feed->begun = host_now(role->host);
    feed->carry = 0;
    buffer_init(&address, STORE_ROUTE_NEXT_HOP_RECIPIENT_MAX);
    buffer_put_text(&address, "postmaster@");
    buffer_put(&address, feed->domain);
    feed->ask = outgoing_ask_way(role, feed->way, buffer_slice(&address));
    buffer_finish(&address);
    if (feed->ask == 0)
        end_errand(role, feed, false);
    else
        feed->due = instant_after(feed->begun, duration_s(LOST_S));
}

static void
on_timer(void *context)
{
    struct store_role *role = context;
    struct feeds *feeds = role->outgoing->feeds;
    struct instant now = host_now(role->host);

    for (size_t i = 0; i < feeds->count && !role->is_stopping; i++) {
        if (!instant_is_before(now, feeds->at[i].due))
            begin_errand(role, &feeds->at[i]);
    }
    arm(role);
}

void
feeds_wish(struct store_role *role, struct slice domain)
{
    struct feeds *feeds = role->outgoing->feeds;

    for (size_t i = 0; i < feeds->count; i++) {
        struct feed *feed = &feeds->at[i];
        struct instant soon = instant_after(feed->begun, duration_s(WISH_S));
        if (!slice_equal_nocase(feed->domain, domain) || feed->ask || feed->carry ||
            !instant_is_before(soon, feed->due))
            continue;
        feed->due = soon;
        arm(role);
    }
}

bool
feeds_take_hop(struct store_role *role, const struct store_route_hop *hop)
{
    struct feeds *feeds = role->outgoing->feeds;

    for (size_t i = 0; i < feeds->count; i++) {
        struct feed *feed = &feeds->at[i];
        if (feed->ask == 0 || feed->ask != hop->id)
            continue;
        feed->ask = 0;
        feed->carry = outgoing_errand(role, hop, STORE_TRANSPORT_ERRAND_NAMES,
                                      feed->is_known ? feed->serial : 0, feed->domain);
        if (feed->carry != 0)
            return true;
        log_names(role, HOST_LEVEL_WARNING, "names_not_learned", feed,
                  hop->text.len > 0 ? hop->text : SLICE("no process could ask for them"), 0);
        end_errand(role, feed, false);
        return true;
    }
    /* One that was given up, by a reload. */
    return !map_find(&role->outgoing->asks, map_key_u64(&hop->id));
}

bool
feeds_take_names(struct store_role *role, const struct store_transport_names *names,
                 host_handle handle)
{
    struct feeds *feeds = role->outgoing->feeds;
    struct host_mapping mapping;
    struct feed *feed = NULL;

    for (size_t i = 0; i < feeds->count; i++) {
        if (feeds->at[i].carry != 0 && feeds->at[i].carry == names->id)
            feed = &feeds->at[i];
    }
    if (!feed)
        return true; /* it was given up */
    if (names->count > DIRECTORY_NAMES_MAX || host_blob_map(role->host, handle, &mapping) < 0)
        return false;
    bool is_good = mapping.bytes.len <= DIRECTORY_NAMES_BYTES_MAX;
    if (is_good) {
        feed->serial = names->serial;
        feed->is_known = true;
        int error = write_new(role, feed, mapping.bytes);
        log_names(role, error < 0 ? HOST_LEVEL_ERROR : HOST_LEVEL_INFO, "names_learned", feed,
                  error < 0 ? slice_of_string(strerror(-error)) : SLICE(""), names->count);
        tell(role, feed, host_handle_copy(role->host, handle));
    }
    host_blob_unmap(role->host, &mapping);
    return is_good;
}

bool
feeds_take_carried(struct store_role *role, const struct store_transport_carried *carried)
{
    struct feeds *feeds = role->outgoing->feeds;

    for (size_t i = 0; i < feeds->count; i++) {
        struct feed *feed = &feeds->at[i];
        if (feed->carry == 0 || feed->carry != carried->id)
            continue;
        const struct store_transport_result *result =
            carried->results.count > 0 ? &carried->results.at[0] : NULL;
        bool is_good = result && result->outcome == STORE_TRANSPORT_OUTCOME_DELIVERED;
        if (!is_good)
            log_names(role, HOST_LEVEL_WARNING, "names_not_learned", feed,
                      result ? result->text : SLICE("no answer"), 0);
        end_errand(role, feed, is_good);
        return true;
    }
    return false;
}

void
feeds_lose_route(struct store_role *role)
{
    struct feeds *feeds = role->outgoing->feeds;

    for (size_t i = 0; i < feeds->count; i++) {
        if (feeds->at[i].ask != 0)
            end_errand(role, &feeds->at[i], false);
    }
}

void
feeds_lose_transport(struct store_role *role)
{
    struct feeds *feeds = role->outgoing->feeds;

    for (size_t i = 0; i < feeds->count; i++) {
        if (feeds->at[i].carry != 0)
            end_errand(role, &feeds->at[i], false);
    }
}

/* ---- life ---------------------------------------------------------------------------------- */

/* Reads the option's rows; those that are damaged are named by `facteur check`. */
static void
load(struct store_role *role)
{
    const struct config_strings *rows = &role->config->relay_feeds;
    struct feeds *feeds = role->outgoing->feeds;
    struct slice word, way, domain;

    arena_reset(&feeds->arena);
    feeds->count = 0;
    feeds->at = ARENA_ARRAY(&feeds->arena, struct feed, rows->count + 1);
    for (size_t i = 0; feeds->at && i < rows->count; i++) {
        if (!config_pair(rows->at[i], &word, &way) || way.len > STORE_ROUTE_NEXT_HOP_WAY_MAX ||
            !directory_domain_parse(&feeds->arena, word, &domain) ||
            domain.len > CONFIG_FEED_DOMAIN_MAX || slice_find_byte(domain, '/') < domain.len)
            continue;
        struct feed *feed = &feeds->at[feeds->count++];
        *feed = (struct feed){.domain = arena_copy(&feeds->arena, domain),
                              .way = arena_copy(&feeds->arena, way),
                              .due = host_now(role->host)};
        snprintf(feed->file, sizeof(feed->file), "names-%.*s", (int)domain.len,
                 (const char *)domain.at);
        snprintf(feed->file_new, sizeof(feed->file_new), "%s.new", feed->file);
    }
}

void
feeds_open(struct store_role *role)
{
    struct feeds *feeds = calloc(1, sizeof(*feeds));

    if (!feeds)
        abort();
    arena_init(&feeds->arena, ARENA_MAX);
    role->outgoing->feeds = feeds;
}

void
feeds_start(struct store_role *role)
{
    role->outgoing->feeds->timer = host_timer_open(role->host, on_timer, role);
    feeds_reload(role);
}

void
feeds_reload(struct store_role *role)
{
    if (!role->outgoing->feeds->timer)
        return;
    load(role);
    feeds_tell(role);
    arm(role);
}

void
feeds_close(struct store_role *role)
{
    struct feeds *feeds = role->outgoing->feeds;

    host_timer_close(&feeds->timer);
    arena_finish(&feeds->arena);
    free(feeds);
    role->outgoing->feeds = NULL;
}
