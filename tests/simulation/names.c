/* SPDX-License-Identifier: ISC */
#include "names.h"

#include "base/list.h"
#include "note/route_resolve.h"

#include <stdlib.h>

enum {
    SIDE_ROUTE = 0,
    NOTE_ARENA_MAX = 64 * 1024,
    DELAY_MS_MAX = 300,
    TRIED_S = 30, /* as long as role/resolve waits (dns_timer) */
    RECORDS_MAX = 8,
};

struct names {
    struct sim *sim;
    struct host *host;
    const struct names_zone *zone;
    struct host_channel *channel;
    struct note_ledger ledger;
    struct list questions;
    struct host_timer *timer;
    struct arena arena;
    struct buffer note;
    bool is_failing;
};

struct question {
    struct list link;
    uint64_t id;
    uint16_t type;
    uint8_t name[256];
    size_t name_len;
    struct instant due;
    bool is_lost;
};

/* ---- answers ------------------------------------------------------------------------------- */

/* Whether the name has any records; those of the type go into the note. */
static bool
find(const struct names *names, const struct question *question,
     struct route_resolve_answer_record *records, size_t *ret_count)
{
    struct slice asked = slice_of(question->name, question->name_len);
    bool is_there = false;

    *ret_count = 0;
    for (size_t i = 0; i < names->zone->count; i++) {
        const struct names_row *row = &names->zone->rows[i];
        if (!slice_equal_nocase(slice_of_string(row->name), asked))
            continue;
        is_there = true;
        if (row->type != question->type || *ret_count == RECORDS_MAX)
            continue;
        bool is_mx = row->type == DNS_MX;
        records[(*ret_count)++] = (struct route_resolve_answer_record){
            .preference = row->preference,
            .name = is_mx ? slice_of_string(row->target) : SLICE(""),
            .data = is_mx ? SLICE("") : slice_of(row->ipv4, sizeof(row->ipv4)),
        };
    }
    return is_there;
}

static void
answer(struct names *names, const struct question *question)
{
    struct route_resolve_answer_record records[RECORDS_MAX];
    struct route_resolve_answer note = {.id = question->id,
                                        .ttl_s = 60,
                                        .canonical = SLICE(""),
                                        .why = SLICE(""),
                                        .records = {.at = records}};
    size_t count;

    bool is_there = find(names, question, records, &count);
    note.outcome = count > 0  ? ROUTE_RESOLVE_OUTCOME_FOUND
                   : is_there ? ROUTE_RESOLVE_OUTCOME_NO_DATA
                              : ROUTE_RESOLVE_OUTCOME_NO_NAME;
    note.records.count = count;
    if (question->is_lost) {
        note.outcome = ROUTE_RESOLVE_OUTCOME_TEMPORARY;
        note.why = SLICE("the name servers take too long");
        note.records.count = 0;
    }
    if (!route_resolve_put_answer(&names->note, &names->ledger, &note))
        abort();
    host_channel_send(names->channel, buffer_slice(&names->note), HOST_HANDLE_NONE);
    buffer_clear(&names->note);
}

static void
set_timer(struct names *names)
{
    struct instant next = INSTANT_NEVER;

    LIST_EACH (link, &names->questions) {
        const struct question *question = LIST_ITEM(link, struct question, link);
        if (instant_is_before(question->due, next))
            next = question->due;
    }
    host_timer_set(names->timer, next);
}

static void
on_timer(void *context)
{
    struct names *names = context;
    struct instant now = host_now(names->host);

    LIST_EACH (link, &names->questions) {
        struct question *question = LIST_ITEM(link, struct question, link);
        if (instant_is_before(now, question->due))
            continue;
        list_remove(link);
        answer(names, question);
        free(question);
    }
    set_timer(names);
}

/* ---- questions ----------------------------------------------------------------------------- */

static void
forget_route(struct names *names)
{
    host_channel_close(&names->channel);
    note_ledger_finish(&names->ledger);
    LIST_EACH (link, &names->questions) {
        list_remove(link);
        free(LIST_ITEM(link, struct question, link));
    }
}

static void
on_note(void *context, struct slice bytes, host_handle handle)
{
    struct names *names = context;
    struct route_resolve_note note;
    struct question *question = calloc(1, sizeof(*question));

    if (!question)
        abort();
    arena_reset(&names->arena);
    if (!route_resolve_take(bytes, handle, SIDE_ROUTE, &names->ledger, &names->arena, &note))
        abort();
    question->id = note.as.ask.id;
    question->type = note.as.ask.type;
    question->name_len = note.as.ask.name.len;
    memcpy(question->name, note.as.ask.name.at, note.as.ask.name.len);
    question->is_lost = names->is_failing && sim_random(names->sim, 2) == 0;
    question->due = instant_after(host_now(names->host),
                                  question->is_lost
                                      ? duration_s(TRIED_S)
                                      : duration_ms((int64_t)sim_random(names->sim, DELAY_MS_MAX)));
    list_append(&names->questions, &question->link);
    set_timer(names);
}

static void
on_closed(void *context)
{
    forget_route(context);
}

void
names_attach(struct names *names, host_handle handle)
{
    static const struct host_channel_handler handler = {on_note, on_closed, NULL};

    forget_route(names);
    sim_handle_give(names->sim, handle, names->host);
    names->channel = host_channel_open(names->host, handle, &handler, names);
}

void
names_fail(struct names *names, bool is_failing)
{
    names->is_failing = is_failing;
}

/* ---- life ---------------------------------------------------------------------------------- */

struct names *
names_open(struct sim *sim, struct sim_machine *machine, const struct names_zone *zone)
{
    struct names *names = calloc(1, sizeof(*names));

    if (!names)
        abort();
    names->sim = sim;
    names->zone = zone;
    names->host = sim_host_open(sim, "names");
    sim_host_move(names->host, machine);
    names->timer = host_timer_open(names->host, on_timer, names);
    list_init(&names->questions);
    arena_init(&names->arena, NOTE_ARENA_MAX);
    buffer_init(&names->note, HOST_NOTE_MAX);
    return names;
}

void
names_close(struct names **names_at)
{
    struct names *names = *names_at;

    if (!names)
        return;
    *names_at = NULL;
    forget_route(names);
    host_timer_close(&names->timer);
    sim_host_close(&names->host);
    arena_finish(&names->arena);
    buffer_finish(&names->note);
    free(names);
}
