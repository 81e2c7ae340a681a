/* SPDX-License-Identifier: ISC */
/* NOTIFY (RFC 5465 §8): what the client wants to hear of. */
#include "imap/fetch.h"
#include "imap/notify.h"

#include <stdlib.h>

enum { ASKED_MAX = 2 << 20, KEPT_MAX = 64 << 20 , OWN_MAX = 64 << 10};

enum outcome { GOOD, MALFORMED, UNKNOWN_EVENT };

struct notify_task {
    struct imap_notify *made; /* until it is the session's */
    struct imap_notify_look look;
};

void
imap_notify_close(struct imap_notify **notify)
{
    struct imap_notify *old = *notify;

    if (!old)
        return;
    imap_view_close(&old->view);
    arena_finish(&old->arena);
    arena_finish(&old->kept);
    arena_finish(&old->own_arena);
    free(old);
    *notify = NULL;
}

static struct imap_notify *
new_notify(void)
{
    struct imap_notify *notify = calloc(1, sizeof(*notify));

    if (!notify)
        abort();
    arena_init(&notify->arena, ASKED_MAX);
    arena_init(&notify->kept, KEPT_MAX);
    arena_init(&notify->own_arena, OWN_MAX);
    list_init(&notify->view.link);
    return notify;
}

static void
drop(struct imap_server *server)
{
    struct notify_task *task = server->task;

    imap_notify_close(&task->made);
}

/* ---- events ---------------------------------------------------------------------------------- */

/* "(" fetch-att *(SP fetch-att) ")" behind MessageNew: kept as it was sent. */
static bool
take_items(struct imap_server *server, struct cursor *cursor, struct imap_notify *notify)
{
    struct cursor ahead = *cursor;
    struct imap_fetch_items items;

    if (!imap_take_space(&ahead) || cursor_peek(&ahead) != '(')
        return true;
    const uint8_t *start = ahead.at;
    if (!imap_take_fetch_items(&ahead, &server->arena, &items))
        return false;
    notify->items = arena_copy(&notify->arena, slice_of(start, (size_t)(ahead.at - start)));
    *cursor = ahead;
    return true;
}

static enum outcome
take_event(struct imap_server *server, struct cursor *cursor, struct imap_notify *notify,
           bool is_selected, unsigned *events)
{
    static const struct {
        struct slice name;
        unsigned event;
    } known[] = {
        {{(const uint8_t *)"MessageNew", 10}, IMAP_NOTIFY_NEW},
        {{(const uint8_t *)"MessageExpunge", 14}, IMAP_NOTIFY_EXPUNGE},
        {{(const uint8_t *)"FlagChange", 10}, IMAP_NOTIFY_FLAGS},
        {{(const uint8_t *)"MailboxName", 11}, IMAP_NOTIFY_NAME},
        {{(const uint8_t *)"SubscriptionChange", 18}, IMAP_NOTIFY_SUBSCRIPTION},
        {{(const uint8_t *)"MailboxMetadataChange", 21}, IMAP_NOTIFY_METADATA},
        {{(const uint8_t *)"ServerMetadataChange", 20}, IMAP_NOTIFY_SERVER_METADATA},
    };
    struct slice name;

    if (!imap_take_atom(cursor, &name))
        return MALFORMED;
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (!slice_equal_nocase(name, known[i].name))
            continue;
        *events |= known[i].event;
        bool is_new = known[i].event == IMAP_NOTIFY_NEW && is_selected;
        return !is_new || take_items(server, cursor, notify) ? GOOD : MALFORMED;
    }
    return UNKNOWN_EVENT;
}

/* MessageNew and MessageExpunge go together, and FlagChange with them (§5). */
static bool
is_sound(unsigned events, bool is_selected)
{
    unsigned both = IMAP_NOTIFY_NEW | IMAP_NOTIFY_EXPUNGE;
    unsigned messages = events & (both | IMAP_NOTIFY_FLAGS);

    return (messages == 0 || (messages & both) == both) && (!is_selected || events == messages);
}

/* events = ( "(" event *(SP event) ")" ) / "NONE" */
static enum outcome
take_events(struct imap_server *server, struct cursor *cursor, struct imap_notify *notify,
            bool is_selected, unsigned *events)
{
    enum outcome outcome = GOOD;

    if (imap_take_word(cursor, SLICE("NONE")))
        return GOOD;
    if (!cursor_take_byte(cursor, '('))
        return MALFORMED;
    do {
        enum outcome one = take_event(server, cursor, notify, is_selected, events);
        if (one == MALFORMED)
            return MALFORMED;
        outcome = one == UNKNOWN_EVENT ? one : outcome;
    } while (imap_take_space(cursor));
    if (!cursor_take_byte(cursor, ')'))
        return MALFORMED;
    return outcome == GOOD && !is_sound(*events, is_selected) ? MALFORMED : outcome;
}

/* ---- filters --------------------------------------------------------------------------------- */

static bool
take_name(struct imap_server *server, struct cursor *cursor, struct arena *arena,
          struct slice *ret_name)
{
    struct slice sent;

    if (!imap_take_astring(cursor, &server->arena, &sent))
        return false;
    if (!imap_name_decode(sent, imap_is_utf8(server), &server->arena, ret_name))
        *ret_name = slice_of("", 0); /* nothing has that name */
    *ret_name = arena_copy(arena, *ret_name);
    return true;
}

/* one-or-more-mailbox = mailbox / "(" mailbox *(SP mailbox) ")" */
static bool
take_names(struct imap_server *server, struct cursor *cursor, struct arena *arena,
           struct imap_notify_filter *filter)
{
    bool is_list = imap_take_space(cursor) && cursor_take_byte(cursor, '(');
    struct slice *names = ARENA_ARRAY(arena, struct slice, is_list ? IMAP_NOTIFY_NAMES_MAX : 1);

    filter->names = names;
    do {
        if (!names || filter->name_count == (is_list ? IMAP_NOTIFY_NAMES_MAX : 1) ||
            !take_name(server, cursor, arena, &names[filter->name_count++]))
            return false;
    } while (is_list && imap_take_space(cursor));
    return !is_list || cursor_take_byte(cursor, ')');
}

bool
imap_take_filter(struct imap_server *server, struct cursor *cursor, struct arena *arena,
                 struct imap_notify_filter *ret_filter)
{
    static const struct {
        struct slice word;
        enum imap_notify_filter_kind kind;
        bool has_names;
    } words[] = {
        {{(const uint8_t *)"personal", 8}, IMAP_NOTIFY_PERSONAL, false},
        {{(const uint8_t *)"inboxes", 7}, IMAP_NOTIFY_PERSONAL, false}, /* may be any (§6.3) */
        {{(const uint8_t *)"subscribed", 10}, IMAP_NOTIFY_SUBSCRIBED, false},
        {{(const uint8_t *)"subtree", 7}, IMAP_NOTIFY_SUBTREE, true},
        {{(const uint8_t *)"subtree-one", 11}, IMAP_NOTIFY_SUBTREE_ONE, true},
        {{(const uint8_t *)"mailboxes", 9}, IMAP_NOTIFY_MAILBOXES, true},
    };

    *ret_filter = (struct imap_notify_filter){0};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (!imap_take_word(cursor, words[i].word))
            continue;
        ret_filter->kind = words[i].kind;
        return !words[i].has_names || take_names(server, cursor, arena, ret_filter);
    }
    return false;
}

static enum outcome
take_selected(struct imap_server *server, struct cursor *cursor, struct imap_notify *notify)
{
    if (notify->has_selected || !imap_take_space(cursor))
        return MALFORMED;
    notify->has_selected = true;
    return take_events(server, cursor, notify, true, &notify->selected);
}

static enum outcome
take_other(struct imap_server *server, struct cursor *cursor, struct imap_notify *notify)
{
    struct imap_notify_filter *filter = &notify->filters[notify->filter_count];

    if (imap_over(server, notify->filter_count == IMAP_NOTIFY_FILTERS_MAX,
                  "[LIMIT] too many groups of mailboxes") ||
        !imap_take_filter(server, cursor, &notify->arena, filter) ||
        filter->kind == IMAP_NOTIFY_SUBTREE_ONE || !imap_take_space(cursor))
        return MALFORMED;
    notify->filter_count++;
    enum outcome outcome = take_events(server, cursor, notify, false, &filter->events);
    notify->others |= filter->events;
    return outcome;
}

/* event-group = "(" filter-mailboxes SP events ")" */
static enum outcome
take_group(struct imap_server *server, struct cursor *cursor, struct imap_notify *notify)
{
    enum outcome outcome;

    if (!cursor_take_byte(cursor, '('))
        return MALFORMED;
    if (imap_take_word(cursor, SLICE("selected"))) {
        outcome = take_selected(server, cursor, notify);
    } else if (imap_take_word(cursor, SLICE("selected-delayed"))) {
        notify->is_delayed = true;
        outcome = take_selected(server, cursor, notify);
    } else {
        outcome = take_other(server, cursor, notify);
    }
    return outcome != MALFORMED && !cursor_take_byte(cursor, ')') ? MALFORMED : outcome;
}

/* notify-set = "SET" [SP "STATUS"] SP event-group *(SP event-group); or "NONE" */
static enum outcome
take_all(struct imap_server *server, struct cursor *cursor, struct imap_notify *notify)
{
    enum outcome outcome = GOOD;

    if (!imap_take_space(cursor))
        return MALFORMED;
    if (imap_take_word(cursor, SLICE("NONE")))
        return imap_take_end(cursor) ? GOOD : MALFORMED;
    if (!imap_take_word(cursor, SLICE("SET")) || !imap_take_space(cursor))
        return MALFORMED;
    notify->wants_status = imap_take_word(cursor, SLICE("STATUS"));
    if (notify->wants_status && !imap_take_space(cursor))
        return MALFORMED;
    do {
        enum outcome one = take_group(server, cursor, notify);
        if (one == MALFORMED)
            return MALFORMED;
        outcome = one == UNKNOWN_EVENT ? one : outcome;
    } while (imap_take_space(cursor));
    return imap_take_end(cursor) ? outcome : MALFORMED;
}

/* ---- the command ----------------------------------------------------------------------------- */

static bool
begin_to_know(struct imap_server *server)
{
    struct notify_task *task = server->task;

    if (server->notify->wants_status)
        imap_notify_put_status(server, &task->look);
    imap_notify_keep(server, &task->look);
    imap_end(server, IMAP_OK, "you will hear");
    return true;
}

static bool
look(struct imap_server *server)
{
    struct notify_task *task = server->task;

    imap_notify_look(server, &task->look, begin_to_know);
    return true;
}

static void
on_watched(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    (void)note; /* an account has no columns */
    (void)blob;
    server->on_note = NULL;
    server->more = look;
}

static void
on_account_change(void *context)
{
    struct imap_server *server = context;

    server->notify->is_stale = true;
    server->options.wake(server->options.wake_context);
}

/* The account is watched as its mailbox 0. */
static void
watch_account(struct imap_server *server)
{
    struct imap_view *view = &server->notify->view;

    imap_view_open(view, server->options.mailboxes, server->account, 0, on_account_change, server);
    server->more = look;
    if (view->mailbox->is_loading || view->mailbox->is_loaded)
        return;
    view->mailbox->is_loading = true;
    server->more = NULL;
    server->note.as.watch = (struct access_store_watch){.watch = view->mailbox->watch};
    imap_ask(server, ACCESS_STORE_WATCH, on_watched);
}

void
imap_command_notify(struct imap_server *server, struct cursor *cursor)
{
    struct notify_task *task = imap_task(server, sizeof(*task));

    task->made = new_notify();
    server->drop = drop;
    enum outcome outcome = take_all(server, cursor, task->made);
    if (outcome == MALFORMED) {
        imap_bad(server, "expected: NOTIFY NONE, or NOTIFY SET [STATUS] (mailboxes (events)) ...");
        return;
    }
    if (outcome == UNKNOWN_EVENT) {
        imap_end(server, IMAP_NO,
                 "[BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange"
                 " MailboxMetadataChange ServerMetadataChange)] no other events are known");
        return;
    }
    imap_notify_close(&server->notify);
    server->notify = task->made;
    task->made = NULL;
    server->new_from = 0;
    if (server->notify->others)
        watch_account(server);
    else
        imap_end(server, IMAP_OK, "done");
}
