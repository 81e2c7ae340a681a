/* SPDX-License-Identifier: ISC */
/* Names of domains, both ways: what the servers of others have told of theirs (the store keeps it,
 * and tells us), and what we tell of ours to who may know it. See
 * docs/why/085-names-for-a-secondary.md. */
#include "base/hash.h"
#include "envelope/xtext.h"
#include "host/log.h"
#include "role/route/route_private.h"

enum {
    LINE_ARENA_MAX = 64 * 1024,
    LINE_MAX = 470,                               /* octets of names in a line of a reply */
    PAGE_MAX = SMTP_ROUTE_NAMED_NAMES_MAX - 2000, /* one more name always fits */
    MISSED_PAUSE_MS = 1000,
};

/* The same for all processes, and after a restart: it names a list. */
#define SERIAL_SEED UINT64_C(0x6e616d657331)

/* ---- those of others ------------------------------------------------------------------------- */

static struct directory_names **
find_told(struct route_names *names, struct slice domain)
{
    for (size_t i = 0; i < names->told_count; i++) {
        if (slice_equal(directory_names_domain(names->told[i]), domain))
            return &names->told[i];
    }
    return NULL;
}

/* Domains of the option without a list have an empty one that says so. */
void
names_choose(struct route *route)
{
    const struct config_strings *rows = &route->start.config->relay_feeds;
    struct route_names *names = &route->tables.names;
    struct slice word, rest, domain;
    struct arena arena;

    arena_init(&arena, LINE_ARENA_MAX);
    names->used_count = 0;
    for (size_t i = 0; i < rows->count && i < ROUTE_FEEDS_MAX; i++) {
        if (!config_pair(rows->at[i], &word, &rest) ||
            !directory_domain_parse(&arena, word, &domain))
            continue;
        struct directory_names **told = find_told(names, domain);
        if (!told && names->told_count < COUNT_OF(names->told)) {
            told = &names->told[names->told_count++];
            *told = directory_names_open(domain, false, SLICE(""), 0);
        }
        if (told)
            names->used[names->used_count++] = *told;
    }
    arena_finish(&arena);
}

static void
replace(struct route_names *names, struct directory_names **told, struct directory_names *with)
{
    for (size_t i = 0; i < names->used_count; i++) {
        if (names->used[i] == *told)
            names->used[i] = with;
    }
    directory_names_close(told);
    *told = with;
}

bool
names_take(struct route *route, const struct store_route_relay_names *note, host_handle handle)
{
    struct route_names *names = &route->tables.names;
    struct directory_names **told = find_told(names, note->domain);
    struct host_mapping mapping;
    struct log_line line;
    uint64_t seed;

    if (host_blob_map(route->start.host, handle, &mapping) < 0)
        return false;
    host_random(route->start.host, &seed, sizeof(seed));
    struct directory_names *new =
        directory_names_open(note->domain, note->is_known, mapping.bytes, seed);
    host_blob_unmap(route->start.host, &mapping);
    log_begin(&line, route->start.host, HOST_LEVEL_INFO, "names_known");
    log_text(&line, "domain", note->domain);
    log_bool(&line, "is_known", note->is_known);
    log_number(&line, "names", directory_names_count(new));
    log_end(&line);
    if (told)
        replace(names, told, new);
    else if (names->told_count < COUNT_OF(names->told))
        names->told[names->told_count++] = new;
    else
        directory_names_close(&new);
    route_tell_change(route);
    return true;
}

bool
names_are_known(const struct route *route, struct slice domain)
{
    const struct route_names *names = &route->tables.names;

    for (size_t i = 0; i < names->used_count; i++) {
        if (slice_equal(directory_names_domain(names->used[i]), domain))
            return directory_names_are_known(names->used[i]);
    }
    return false;
}

void
names_missed(struct route *route, struct slice address)
{
    struct route_names *names = &route->tables.names;
    struct instant now = host_now(route->start.host);
    struct slice domain = slice_skip(address, slice_find_last_byte(address, '@') + 1);
    struct store_route_relay_missed note = {.domain = domain};
    bool is_fed = false;

    for (size_t i = 0; i < names->used_count; i++)
        is_fed |= slice_equal_nocase(directory_names_domain(names->used[i]), domain);
    if (!is_fed || !route->store || instant_is_before(now, names->quiet_until))
        return;
    names->quiet_until = instant_after(now, duration_ms(MISSED_PAUSE_MS));
    buffer_clear(&route->note);
    if (store_route_put_relay_missed(&route->note, &route->store_ledger, &note))
        host_channel_send(route->store, buffer_slice(&route->note), HOST_HANDLE_NONE);
    buffer_clear(&route->note);
}

/* ---- ours ------------------------------------------------------------------------------------ */

static bool
may_know(const struct route *route, uint64_t account, struct slice domain)
{
    const struct config_strings *rows = &route->start.config->relay_feed_to;
    struct slice who, which, named;
    struct arena arena;
    bool is_good = false;

    arena_init(&arena, LINE_ARENA_MAX);
    for (size_t i = 0; i < rows->count && !is_good && route->tables.directory; i++) {
        const struct directory_account *found =
            config_pair(rows->at[i], &who, &which)
                ? directory_account_find(route->tables.directory, who)
                : NULL;
        is_good = found && found->id == account && account != 0 &&
                  directory_domain_parse(&arena, which, &named) && slice_equal(named, domain);
    }
    arena_finish(&arena);
    return is_good;
}

/* Where tables elsewhere have names, too, nobody can count them up: every name is good. The same
 * where there are more than can be told. */
static void
fill_list(const struct route *route, struct route_list *list, struct slice domain)
{
    bool is_whole = route->start.config->alias_tables.count == 0 &&
                    directory_put_names(route->tables.directory, domain, &list->text) &&
                    !buffer_overflowed(&list->text);

    if (!is_whole) {
        buffer_clear(&list->text);
        buffer_put_byte(&list->text, '@');
        buffer_put(&list->text, domain);
        buffer_put_byte(&list->text, '\n');
    }
    list->serial = hash64(buffer_slice(&list->text), SERIAL_SEED);
    list->serial += list->serial == 0; /* which says "none" */
}

static const struct route_list *
get_list(struct route *route, struct slice domain)
{
    struct route_names *names = &route->tables.names;

    if (names->lists_of != route->tables_read)
        names_forget_lists(names);
    names->lists_of = route->tables_read;
    for (size_t i = 0; i < names->list_count; i++) {
        if (slice_equal(buffer_slice(&names->lists[i].domain), domain))
            return &names->lists[i];
    }
    if (names->list_count == ROUTE_LISTS_MAX)
        names_forget_lists(names);
    struct route_list *list = &names->lists[names->list_count++];
    buffer_init(&list->domain, DIRECTORY_DOMAIN_MAX);
    buffer_init(&list->text, DIRECTORY_NAMES_BYTES_MAX);
    buffer_put(&list->domain, domain);
    fill_list(route, list, domain);
    return list;
}

/* Words of local parts, as many to a line as fit, from a place in the list; returns the place
 * behind the last. */
static size_t
put_page(struct slice text, size_t from, struct buffer *page)
{
    size_t line = 0;

    while (from < text.len && buffer_len(page) <= PAGE_MAX) {
        struct slice rest = slice_skip(text, from);
        struct slice name = slice_first(rest, slice_find_byte(rest, '\n'));
        size_t at = slice_find_last_byte(name, '@'), before = buffer_len(page);
        if (line > 0)
            buffer_put_byte(page, line + at * 3 > LINE_MAX ? '\n' : ' ');
        line = line + at * 3 > LINE_MAX ? 0 : line;
        envelope_xtext_put(page, at > 0 ? slice_first(name, at) : SLICE("@"));
        line += buffer_len(page) - before;
        from += name.len + 1;
    }
    return from;
}

void
names_answer(struct route *route, const struct smtp_route_names *ask, struct buffer *page,
             struct smtp_route_named *ret_answer)
{
    struct slice domain;

    *ret_answer = (struct smtp_route_named){
        .id = ask->id, .result = SMTP_ROUTE_NAMES_RESULT_REFUSED, .names = SLICE("")};
    (void)tables_look_again(route);
    if (!directory_domain_parse(&route->arena, ask->domain, &domain) ||
        !may_know(route, ask->account, domain) ||
        !directory_domain_find(route->tables.directory, domain))
        return;
    const struct route_list *list = get_list(route, domain);
    struct slice text = buffer_slice(&list->text);
    ret_answer->serial = list->serial;
    if (ask->from == 0 && ask->serial == list->serial) {
        ret_answer->result = SMTP_ROUTE_NAMES_RESULT_SAME;
        return;
    }
    bool is_place = ask->from == 0 || (ask->from < text.len && text.at[ask->from - 1] == '\n');
    if (!is_place || (ask->from > 0 && ask->serial != list->serial)) {
        ret_answer->result = SMTP_ROUTE_NAMES_RESULT_CHANGED;
        return;
    }
    size_t next = put_page(text, ask->from, page);
    ret_answer->result = SMTP_ROUTE_NAMES_RESULT_PAGE;
    ret_answer->next = next < text.len ? (uint32_t)next : 0;
    ret_answer->names = buffer_slice(page);
}

/* ---- life ------------------------------------------------------------------------------------ */

void
names_forget_lists(struct route_names *names)
{
    for (size_t i = 0; i < names->list_count; i++) {
        buffer_finish(&names->lists[i].domain);
        buffer_finish(&names->lists[i].text);
    }
    names->list_count = 0;
}

void
names_finish(struct route_names *names)
{
    names_forget_lists(names);
    for (size_t i = 0; i < names->told_count; i++)
        directory_names_close(&names->told[i]);
    names->told_count = names->used_count = 0;
}
