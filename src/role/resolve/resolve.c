/* SPDX-License-Identifier: ISC */
/* The role that asks the name system. See README.md. */
#include "role/role.h"

#include "base/list.h"
#include "dns/resolver.h"
#include "host/log.h"
#include "note/route_resolve.h"
#include "role/resolve/options.h"

#include <stdlib.h>

enum { SIDE_ROUTE = 0, QUESTIONS_MAX = 1000, NOTE_ARENA_MAX = 1024 * 1024 };

struct resolve;

/* Who asks: route, and issuer where there is one. */
struct asker {
    struct resolve *resolve;
    struct slice name;
    struct host_channel *channel;
    struct note_ledger ledger;
};

struct resolve {
    struct role_start start;
    struct dns_resolver *resolver;
    struct host_descriptor *descriptor;
    struct asker route, issuer;
    struct list questions; /* oldest first; only those that nobody has answered */
    struct host_timer *timer;
    struct arena arena; /* of the note in hand */
    struct buffer note;
    size_t open; /* also those whose answer comes too late */
    uint64_t asked, secure, bogus, temporary;
};

/* One question: of the library until it calls on_answer, and among `questions` until the note is
 * sent. */
struct question {
    struct list link;
    struct asker *asker;
    uint64_t id;
    struct instant asked;
};

/* ---- answers ------------------------------------------------------------------------------- */

static void
send_answer(struct asker *asker, uint64_t id, const struct dns_answer *answer)
{
    struct resolve *resolve = asker->resolve;
    static const enum route_resolve_outcome outcomes[] = {
        [DNS_FOUND] = ROUTE_RESOLVE_OUTCOME_FOUND,
        [DNS_NO_DATA] = ROUTE_RESOLVE_OUTCOME_NO_DATA,
        [DNS_NO_NAME] = ROUTE_RESOLVE_OUTCOME_NO_NAME,
        [DNS_BOGUS] = ROUTE_RESOLVE_OUTCOME_BOGUS,
        [DNS_TEMPORARY] = ROUTE_RESOLVE_OUTCOME_TEMPORARY,
    };
    struct route_resolve_answer_record records[DNS_RECORDS_MAX];
    struct route_resolve_answer note = {
        .id = id,
        .outcome = outcomes[answer->outcome],
        .is_secure = answer->is_secure,
        .ttl_s = answer->ttl_s,
        .canonical = answer->canonical,
        .why = slice_first(answer->why, ROUTE_RESOLVE_ANSWER_WHY_MAX),
    };

    resolve->secure += answer->is_secure;
    resolve->bogus += answer->outcome == DNS_BOGUS;
    resolve->temporary += answer->outcome == DNS_TEMPORARY;
    for (size_t i = 0; i < answer->count; i++)
        records[i] =
            (struct route_resolve_answer_record){.preference = answer->records[i].preference,
                                                 .name = answer->records[i].name,
                                                 .data = answer->records[i].data};
    note.records.at = records;
    note.records.count = answer->count;
    /* Many long texts may not fit into one note: the first do. */
    while (!route_resolve_put_answer(&resolve->note, &asker->ledger, &note)) {
        assert(note.records.count > 0);
        buffer_clear(&resolve->note);
        note.records.count /= 2;
    }
    host_channel_send(asker->channel, buffer_slice(&resolve->note), HOST_HANDLE_NONE);
    buffer_clear(&resolve->note);
}

static void
send_temporary(struct asker *asker, uint64_t id, struct slice why)
{
    struct dns_answer answer = {.outcome = DNS_TEMPORARY, .canonical = SLICE(""), .why = why};

    send_answer(asker, id, &answer);
}

static void
on_answer(void *context, const struct dns_answer *answer)
{
    struct question *question = context;
    struct resolve *resolve = question->asker->resolve;

    /* Out of the list: it took too long, or who asked is another one by now. */
    if (!list_is_empty(&question->link))
        send_answer(question->asker, question->id, answer);
    list_remove(&question->link);
    resolve->open--;
    free(question);
}

static void
set_timer(struct resolve *resolve)
{
    if (list_is_empty(&resolve->questions))
        return;
    const struct question *oldest = LIST_ITEM(resolve->questions.next, struct question, link);
    host_timer_set(resolve->timer, instant_after(oldest->asked, resolve->start.config->dns_timer));
}

static void
on_timer(void *context)
{
    struct resolve *resolve = context;
    struct instant now = host_now(resolve->start.host);

    LIST_EACH (link, &resolve->questions) {
        struct question *question = LIST_ITEM(link, struct question, link);
        if (instant_is_before(now,
                              instant_after(question->asked, resolve->start.config->dns_timer)))
            break;
        list_remove(link);
        send_temporary(question->asker, question->id, SLICE("the name servers take too long"));
    }
    set_timer(resolve);
}

static void
on_descriptor(void *context)
{
    struct resolve *resolve = context;

    dns_resolver_process(resolve->resolver);
    set_timer(resolve);
}

/* ---- questions ----------------------------------------------------------------------------- */

/* The library makes its descriptor with its thread, which must come after the confinement. */
static void
watch_resolver(struct resolve *resolve)
{
    int error =
        resolve->descriptor
            ? 0
            : host_descriptor_open(resolve->start.host, dns_resolver_descriptor(resolve->resolver),
                                   on_descriptor, resolve, &resolve->descriptor);
    if (error < 0)
        resolve->start.fail(resolve->start.fail_context,
                            "the resolver's answers cannot be watched");
}

static bool
is_type_known(uint16_t type)
{
    return type == DNS_A || type == DNS_AAAA || type == DNS_MX || type == DNS_TXT ||
           type == DNS_TLSA || type == DNS_PTR;
}

static void
on_ask(struct asker *asker, const struct route_resolve_ask *ask)
{
    struct resolve *resolve = asker->resolve;
    struct question *question;

    resolve->asked++;
    if (!is_type_known(ask->type) || !dns_name_is_sound(ask->name)) {
        struct dns_answer answer = {.outcome = DNS_NO_NAME,
                                    .canonical = SLICE(""),
                                    .why = SLICE("no host can have that name")};
        send_answer(asker, ask->id, &answer);
        return;
    }
    if (resolve->open == QUESTIONS_MAX) {
        send_temporary(asker, ask->id, SLICE("too many questions are open"));
        return;
    }
    question = calloc(1, sizeof(*question));
    if (!question)
        abort();
    question->asker = asker;
    question->id = ask->id;
    question->asked = host_now(resolve->start.host);
    list_append(&resolve->questions, &question->link);
    resolve->open++;
    if (!dns_resolver_ask(resolve->resolver, ask->name, (enum dns_type)ask->type, on_answer,
                          question)) {
        struct dns_answer answer = {.outcome = DNS_TEMPORARY,
                                    .canonical = SLICE(""),
                                    .why = SLICE("the resolver takes no question")};
        on_answer(question, &answer);
        return;
    }
    watch_resolver(resolve);
    set_timer(resolve);
}

/* What the former one has asked concerns nobody any more. */
static void
forget_asker(struct asker *asker)
{
    host_channel_close(&asker->channel);
    note_ledger_finish(&asker->ledger);
    LIST_EACH (link, &asker->resolve->questions) {
        if (LIST_ITEM(link, struct question, link)->asker == asker)
            list_remove(link);
    }
}

static void
on_note(void *context, struct slice bytes, host_handle handle)
{
    struct asker *asker = context;
    struct resolve *resolve = asker->resolve;
    struct route_resolve_note note;

    arena_reset(&resolve->arena);
    if (route_resolve_take(bytes, handle, SIDE_ROUTE, &asker->ledger, &resolve->arena, &note)) {
        on_ask(asker, &note.as.ask);
        return;
    }
    host_handle_close(resolve->start.host, handle);
    log_event(resolve->start.host, HOST_LEVEL_ERROR, "bad_note", "from", asker->name);
    forget_asker(asker);
}

static void
on_closed(void *context)
{
    forget_asker(context);
}

/* ---- the role ------------------------------------------------------------------------------ */

static void *
resolve_open(const struct role_start *start)
{
    const char *why;
    struct dns_resolver *resolver = resolve_open_resolver(start->config, &why);
    struct resolve *resolve = calloc(1, sizeof(*resolve));

    if (!resolve)
        abort();
    if (!resolver) {
        start->fail(start->fail_context, why);
        free(resolve);
        return NULL;
    }
    resolve->start = *start;
    resolve->resolver = resolver;
    resolve->route = (struct asker){.resolve = resolve, .name = SLICE("route")};
    resolve->issuer = (struct asker){.resolve = resolve, .name = SLICE("issuer")};
    list_init(&resolve->questions);
    resolve->timer = host_timer_open(start->host, on_timer, resolve);
    arena_init(&resolve->arena, NOTE_ARENA_MAX);
    buffer_init(&resolve->note, HOST_NOTE_MAX);
    return resolve;
}

static void
resolve_attach(void *state, enum role_kind peer, unsigned peer_index, host_handle handle)
{
    static const struct host_channel_handler handler = {.on_note = on_note, .on_closed = on_closed};
    struct resolve *resolve = state;
    struct asker *asker = peer == ROLE_ROUTE ? &resolve->route : &resolve->issuer;

    if ((peer != ROLE_ROUTE && peer != ROLE_ISSUER) || peer_index != 0) {
        host_handle_close(resolve->start.host, handle);
        return;
    }
    forget_asker(asker);
    asker->channel = host_channel_open(resolve->start.host, handle, &handler, asker);
}

static void
resolve_reload(void *state, const struct config *config)
{
    (void)config;
    set_timer(state);
}

static void
resolve_stats(void *state, struct role_stats *stats)
{
    const struct resolve *resolve = state;

    role_stats_add(stats, "questions", resolve->asked);
    role_stats_add(stats, "questions_open", resolve->open);
    role_stats_add(stats, "answers_secure", resolve->secure);
    role_stats_add(stats, "answers_bogus", resolve->bogus);
    role_stats_add(stats, "answers_temporary", resolve->temporary);
}

static void
drop_question(void *context)
{
    free(context);
}

static void
resolve_close(void *state)
{
    struct resolve *resolve = state;

    forget_asker(&resolve->route);
    forget_asker(&resolve->issuer);
    host_descriptor_close(&resolve->descriptor);
    dns_resolver_close(&resolve->resolver, drop_question);
    host_timer_close(&resolve->timer);
    arena_finish(&resolve->arena);
    buffer_finish(&resolve->note);
    free(resolve);
}

const struct role role_resolve = {
    .kind = ROLE_RESOLVE,
    .open = resolve_open,
    .attach = resolve_attach,
    .reload = resolve_reload,
    .stats = resolve_stats,
    .close = resolve_close,
};
