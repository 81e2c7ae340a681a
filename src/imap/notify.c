/* SPDX-License-Identifier: ISC */
#include "imap/notify.h"

#include "base/hash.h"
#include "imap/rights.h"

#include <stdlib.h>

enum {
    MESSAGE_EVENTS = IMAP_NOTIFY_NEW | IMAP_NOTIFY_EXPUNGE | IMAP_NOTIFY_FLAGS,
    METADATA_EVENTS = IMAP_NOTIFY_METADATA | IMAP_NOTIFY_SERVER_METADATA,
};

/* ---- what there is --------------------------------------------------------------------------- */

static struct imap_notify_look *
look_of(struct imap_server *server)
{
    return server->look;
}

/* What has changed was not seen: it is looked for again, a while later. */
static void
end_blind(struct imap_server *server, enum access_store_result result)
{
    if (server->is_internal) {
        server->notify->is_stale = true;
        server->notify->is_resting = false;
        server->notify->rest_ms = IMAP_NOTIFY_AGAIN_MS;
    }
    imap_end_result(server, result, "");
}

static void
on_annotations(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    struct imap_notify_look *look = look_of(server);

    (void)blob;
    if (note->kind == ACCESS_STORE_ANNOTATIONS) {
        if (!imap_annotations_add(server, &look->annotations, &note->as.annotations))
            imap_end(server, IMAP_NO, "[NOTIFICATIONOVERFLOW] too many annotations");
    } else if (note->as.done.result != ACCESS_STORE_RESULT_OK) {
        end_blind(server, note->as.done.result);
    } else {
        server->on_note = NULL;
        server->more = look->then;
    }
}

static void
on_rows(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    struct imap_notify_look *look = look_of(server);

    (void)blob;
    if (note->kind == ACCESS_STORE_MAILBOXES) {
        if (!imap_rows_add(server, &look->rows, &note->as.mailboxes))
            imap_end(server, IMAP_NO, "[NOTIFICATIONOVERFLOW] too many mailboxes");
    } else if (note->as.done.result != ACCESS_STORE_RESULT_OK) {
        end_blind(server, note->as.done.result);
    } else if (server->notify->others & METADATA_EVENTS) {
        imap_rows_sort(&look->rows);
        server->note.as.annotations_ask =
            (struct access_store_annotations_ask){.name = slice_of("", 0), .is_all = true};
        imap_ask(server, ACCESS_STORE_ANNOTATIONS_ASK, on_annotations);
    } else {
        imap_rows_sort(&look->rows);
        server->on_note = NULL;
        server->more = look->then;
    }
}

void
imap_notify_look(struct imap_server *server, struct imap_notify_look *look,
                 bool (*then)(struct imap_server *server))
{
    look->then = then;
    server->look = look;
    server->more = NULL;
    server->note.as.mailbox_list =
        (struct access_store_mailbox_list){.name = slice_of("", 0), .wants_deleted = false};
    imap_ask(server, ACCESS_STORE_MAILBOX_LIST, on_rows);
}

static int
compare_rows(const void *left, const void *right)
{
    const struct access_store_mailbox_row *a = left, *b = right;

    if (a->owner != b->owner)
        return a->owner < b->owner ? -1 : 1;
    return a->mailbox < b->mailbox ? -1 : a->mailbox > b->mailbox;
}

void
imap_notify_keep(struct imap_server *server, const struct imap_notify_look *look)
{
    struct imap_notify *notify = server->notify;
    size_t rows = look->rows.count, marks = look->annotations.count;

    notify->row_count = notify->mark_count = 0;
    arena_reset(&notify->kept);
    notify->rows = ARENA_ARRAY(&notify->kept, struct access_store_mailbox_row, rows + 1);
    notify->marks = ARENA_ARRAY(&notify->kept, struct imap_notify_mark, marks + 1);
    if (!notify->rows || !notify->marks)
        return; /* of an account so large all is told as new each time */
    for (size_t i = 0; i < rows; i++) {
        notify->rows[i] = look->rows.at[i];
        notify->rows[i].name = arena_copy(&notify->kept, look->rows.at[i].name);
    }
    for (size_t i = 0; i < marks; i++) {
        const struct access_store_annotation *one = &look->annotations.at[i];
        notify->marks[i] = (struct imap_notify_mark){
            one->mailbox, arena_copy(&notify->kept, one->name), hash64(one->value, 0)};
    }
    notify->row_count = rows;
    notify->mark_count = marks;
    if (rows > 0)
        qsort(notify->rows, rows, sizeof(*notify->rows), compare_rows);
}

/* ---- who wants to hear of what --------------------------------------------------------------- */

static bool
is_at_or_below(struct slice name, struct slice top)
{
    return slice_starts_with(name, top) && top.len > 0 &&
           (name.len == top.len || name.at[top.len] == '/');
}

static bool
is_named(enum imap_notify_filter_kind kind, struct slice name, struct slice filter)
{
    if (slice_equal(filter, name))
        return true;
    if (kind == IMAP_NOTIFY_MAILBOXES || !is_at_or_below(name, filter))
        return false;
    struct slice below = slice_skip(name, filter.len + 1);
    return kind == IMAP_NOTIFY_SUBTREE || slice_find_byte(below, '/') == below.len;
}

bool
imap_filter_matches(const struct imap_notify_filter *filter,
                    const struct access_store_mailbox_row *row)
{
    if (filter->kind == IMAP_NOTIFY_PERSONAL)
        return row->owner == 0;
    if (filter->kind == IMAP_NOTIFY_SUBSCRIBED)
        return row->is_subscribed;
    for (size_t i = 0; i < filter->name_count; i++) {
        if (is_named(filter->kind, row->name, filter->names[i]))
            return true;
    }
    return false;
}

/* Of the selected mailbox SELECTED decides (§3.1). */
static unsigned
events_of(const struct imap_server *server, const struct access_store_mailbox_row *row)
{
    const struct imap_notify *notify = server->notify;
    bool is_selected = server->state == IMAP_SELECTED && server->mailbox_id == row->mailbox &&
                       server->mailbox_owner == row->owner;
    unsigned events = 0;

    for (size_t i = 0; i < notify->filter_count; i++) {
        if (imap_filter_matches(&notify->filters[i], row))
            events |= notify->filters[i].events;
    }
    bool has_none = is_selected || !(row->rights & IMAP_RIGHT_READ);
    return has_none ? events & ~(unsigned)MESSAGE_EVENTS : events;
}

/* ---- the client's own changes --------------------------------------------------------------- */

static void
add_own(struct imap_server *server, struct imap_notify_own own)
{
    struct imap_notify *notify = server->notify;

    if (!notify || !(notify->others & own.events) || notify->own_count == IMAP_NOTIFY_OWN_MAX)
        return;
    own.name = arena_copy(&notify->own_arena, own.name);
    own.entry = arena_copy(&notify->own_arena, own.entry);
    if (!arena_failed(&notify->own_arena))
        notify->own[notify->own_count++] = own;
    notify->is_stale = true; /* looked at now, it hides nothing later */
}

void
imap_notify_own_name(struct imap_server *server, struct slice name)
{
    add_own(server, (struct imap_notify_own){
                        .name = name,
                        .events = IMAP_NOTIFY_NAME | IMAP_NOTIFY_SUBSCRIPTION,
                        .entry = slice_of("", 0),
                    });
}

void
imap_notify_own_entry(struct imap_server *server, struct slice name, struct slice entry)
{
    add_own(server, (struct imap_notify_own){
                        .name = name,
                        .events = METADATA_EVENTS,
                        .entry = entry,
                    });
}

void
imap_notify_own_messages(struct imap_server *server, struct slice name,
                         const struct imap_growth *growth)
{
    if (server->state == IMAP_SELECTED && server->notify && server->notify->items.at &&
        server->view.mailbox->uid_validity == growth->uid_validity)
        imap_set_builder_add(&server->own, growth->uid_last - growth->count + 1, growth->uid_last);
    add_own(server, (struct imap_notify_own){
                        .name = name,
                        .events = IMAP_NOTIFY_NEW,
                        .entry = slice_of("", 0),
                        .modseq_before = growth->modseq_before,
                        .modseq = growth->modseq,
                    });
}

static bool
is_own_name(const struct imap_notify *notify, struct slice name)
{
    for (size_t i = 0; i < notify->own_count; i++) {
        if (notify->own[i].events & IMAP_NOTIFY_NAME && slice_equal(notify->own[i].name, name))
            return true;
    }
    return false;
}

static bool
is_own_entry(const struct imap_notify *notify, struct slice name, struct slice entry)
{
    for (size_t i = 0; i < notify->own_count; i++) {
        const struct imap_notify_own *own = &notify->own[i];
        if (own->events & METADATA_EVENTS && slice_equal(own->name, name) &&
            slice_equal(own->entry, entry))
            return true;
    }
    return false;
}

/* True when what was put into the mailbox is all that has changed in it: each began where the one
 * before had ended. */
static bool
is_own_growth(const struct imap_notify *notify, const struct access_store_mailbox_row *row,
              uint64_t modseq_known)
{
    uint64_t modseq = modseq_known;
    bool has_any = false;

    for (size_t i = 0; i < notify->own_count; i++) {
        const struct imap_notify_own *own = &notify->own[i];
        if (!(own->events & IMAP_NOTIFY_NEW) || !slice_equal(own->name, row->name))
            continue;
        if (modseq > 0 && own->modseq_before != modseq)
            return false;
        modseq = own->modseq;
        has_any = true;
    }
    return has_any && row->modseq == modseq;
}

/* ---- telling --------------------------------------------------------------------------------- */

static void
put_status(struct imap_server *server, const struct access_store_mailbox_row *row, bool is_by_flags)
{
    bool has_modseq = server->enabled & IMAP_ENABLED_CONDSTORE;
    struct cursor items = cursor_of(
        is_by_flags ? (has_modseq ? SLICE("(UIDVALIDITY HIGHESTMODSEQ UNSEEN)")
                                  : SLICE("(UIDVALIDITY UNSEEN)"))
                    : (has_modseq ? SLICE("(MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ UNSEEN)")
                                  : SLICE("(MESSAGES UIDNEXT UIDVALIDITY UNSEEN)")));
    uint32_t bits;

    if (imap_take_status_items(&items, &bits))
        imap_put_status(server, row, bits);
}

void
imap_notify_put_status(struct imap_server *server, const struct imap_notify_look *look)
{
    for (size_t i = 0; i < look->rows.count; i++) {
        if (events_of(server, &look->rows.at[i]) & MESSAGE_EVENTS)
            put_status(server, &look->rows.at[i], false);
    }
}

static void
put_list(struct imap_server *server, const struct access_store_mailbox_row *row, bool is_there,
         struct slice old_name)
{
    struct buffer *out = &server->output;

    buffer_put_text(out, !is_there            ? "* LIST (\\NonExistent) \"/\" "
                         : row->is_subscribed ? "* LIST (\\Subscribed) \"/\" "
                                              : "* LIST () \"/\" ");
    imap_put_name(server, row->name);
    if (old_name.len > 0) {
        buffer_put_text(out, " (\"OLDNAME\" (");
        imap_put_name(server, old_name);
        buffer_put_text(out, "))");
    }
    buffer_put_text(out, "\r\n");
}

static const struct access_store_mailbox_row *
find_known(const struct imap_notify *notify, const struct access_store_mailbox_row *row)
{
    struct access_store_mailbox_row key = {.owner = row->owner, .mailbox = row->mailbox};

    return notify->row_count == 0
               ? NULL
               : bsearch(&key, notify->rows, notify->row_count, sizeof(key), compare_rows);
}

static struct slice
parent_of(struct slice name)
{
    size_t end = slice_find_last_byte(name, '/');

    return end < name.len ? slice_first(name, end) : slice_of("", 0);
}

static struct slice
leaf_of(struct slice name)
{
    struct slice parent = parent_of(name);

    return parent.len > 0 ? slice_skip(name, parent.len + 1) : name;
}

/* True when it was renamed because the mailbox above it was, and not itself besides. */
static bool
went_along(struct imap_server *server, const struct imap_notify_look *look,
           const struct access_store_mailbox_row *row, const struct access_store_mailbox_row *known)
{
    struct slice now = parent_of(row->name), before = parent_of(known->name);
    const struct access_store_mailbox_row *parent = imap_rows_find(&look->rows, now);
    const struct access_store_mailbox_row *old = parent ? find_known(server->notify, parent) : NULL;

    return old && before.len > 0 && slice_equal(old->name, before) && !slice_equal(now, before) &&
           slice_equal(leaf_of(row->name), leaf_of(known->name));
}

static void
compare_row(struct imap_server *server, const struct imap_notify_look *look,
            const struct access_store_mailbox_row *row)
{
    const struct access_store_mailbox_row *known = find_known(server->notify, row);
    unsigned events = events_of(server, row);

    bool is_own = is_own_name(server->notify, row->name);
    bool is_own_mail = is_own_growth(server->notify, row, known ? known->modseq : 0);
    if (!known) {
        if (events & IMAP_NOTIFY_NAME && !is_own)
            put_list(server, row, true, slice_of("", 0));
        if (events & IMAP_NOTIFY_NEW && row->messages > 0 && !is_own_mail)
            put_status(server, row, false);
        return;
    }
    bool is_renamed = !slice_equal(known->name, row->name);
    if (is_own)
        events &= ~(unsigned)(IMAP_NOTIFY_NAME | IMAP_NOTIFY_SUBSCRIPTION);
    if (is_own_mail)
        events &= ~(unsigned)MESSAGE_EVENTS;
    if (is_renamed && events & IMAP_NOTIFY_NAME && !went_along(server, look, row, known))
        put_list(server, row, true, known->name);
    else if (known->is_subscribed != row->is_subscribed && events & IMAP_NOTIFY_SUBSCRIPTION)
        put_list(server, row, true, slice_of("", 0));
    bool has_messages = known->messages != row->messages || known->uid_next != row->uid_next;
    bool has_flags = known->unseen != row->unseen || known->modseq != row->modseq;
    if (has_messages && events & (IMAP_NOTIFY_NEW | IMAP_NOTIFY_EXPUNGE))
        put_status(server, row, false);
    else if (has_flags && events & IMAP_NOTIFY_FLAGS)
        put_status(server, row, true);
}

/* Those that are gone. A renamed one is found under its number. */
static void
compare_gone(struct imap_server *server, const struct imap_notify_look *look)
{
    const struct imap_notify *notify = server->notify;
    struct access_store_mailbox_row *there =
        ARENA_ARRAY(&server->arena, struct access_store_mailbox_row, look->rows.count + 1);

    if (!there)
        return;
    for (size_t i = 0; i < look->rows.count; i++)
        there[i] = look->rows.at[i];
    if (look->rows.count > 0)
        qsort(there, look->rows.count, sizeof(*there), compare_rows);
    for (size_t i = 0, at = 0; i < notify->row_count; i++) {
        const struct access_store_mailbox_row *known = &notify->rows[i];
        while (at < look->rows.count && compare_rows(&there[at], known) < 0)
            at++;
        bool is_there = at < look->rows.count && compare_rows(&there[at], known) == 0;
        if (!is_there && events_of(server, known) & IMAP_NOTIFY_NAME &&
            !is_own_name(notify, known->name))
            put_list(server, known, false, slice_of("", 0));
    }
}

/* ---- annotations ----------------------------------------------------------------------------- */

/* True when the client wants to hear of it; *ret_name: whose it is, empty for the server's. */
static bool
wants_mark(struct imap_server *server, const struct imap_notify_look *look, uint32_t mailbox,
           struct slice *ret_name)
{
    *ret_name = slice_of("", 0);
    if (mailbox == 0)
        return server->notify->others & IMAP_NOTIFY_SERVER_METADATA;
    for (size_t i = 0; i < look->rows.count; i++) {
        const struct access_store_mailbox_row *row = &look->rows.at[i];
        if (row->mailbox != mailbox || row->owner != 0)
            continue;
        *ret_name = row->name;
        return events_of(server, row) & IMAP_NOTIFY_METADATA;
    }
    return false;
}

static void
put_mark(struct imap_server *server, const struct imap_notify_look *look, uint32_t mailbox,
         struct slice entry)
{
    struct slice name;

    if (!wants_mark(server, look, mailbox, &name) || is_own_entry(server->notify, name, entry))
        return;
    buffer_put_text(&server->output, "* METADATA ");
    if (name.len > 0)
        imap_put_name(server, name);
    else
        buffer_put_text(&server->output, "\"\"");
    buffer_put_byte(&server->output, ' ');
    imap_put_astring(&server->output, entry);
    buffer_put_text(&server->output, "\r\n");
}

static int
order_of(const struct imap_notify_mark *mark, const struct access_store_annotation *one)
{
    if (mark->mailbox != one->mailbox)
        return mark->mailbox < one->mailbox ? -1 : 1;
    return slice_compare(mark->name, one->name);
}

/* Both rows rise by mailbox and name. */
static void
compare_marks(struct imap_server *server, const struct imap_notify_look *look)
{
    const struct imap_notify *notify = server->notify;
    const struct imap_annotations *now = &look->annotations;
    size_t old = 0, at = 0;

    while (old < notify->mark_count || at < now->count) {
        int order = old == notify->mark_count ? 1
                    : at == now->count        ? -1
                                              : order_of(&notify->marks[old], &now->at[at]);
        if (order < 0) {
            put_mark(server, look, notify->marks[old].mailbox, notify->marks[old].name);
        } else if (order > 0 || notify->marks[old].hash != hash64(now->at[at].value, 0)) {
            put_mark(server, look, now->at[at].mailbox, now->at[at].name);
        }
        old += order <= 0;
        at += order >= 0;
    }
}

void
imap_notify_compare(struct imap_server *server, const struct imap_notify_look *look)
{
    compare_gone(server, look);
    for (size_t i = 0; i < look->rows.count; i++)
        compare_row(server, look, &look->rows.at[i]);
    compare_marks(server, look);
}

/* ---- between commands ------------------------------------------------------------------------ */

struct instant
imap_notify_deadline(const struct imap_server *server)
{
    const struct imap_notify *notify = server->notify;

    if (!notify || notify->rest_ms == 0)
        return INSTANT_NEVER;
    return notify->is_resting ? notify->rest_ends : server->fed_at;
}

bool
imap_notify_expire(struct imap_server *server, struct instant now)
{
    struct imap_notify *notify = server->notify;

    if (!notify || notify->rest_ms == 0 || instant_is_before(now, imap_notify_deadline(server)))
        return false;
    if (notify->is_resting)
        notify->rest_ms = 0;
    else
        notify->rest_ends = instant_after(now, duration_ms(notify->rest_ms));
    notify->is_resting = !notify->is_resting;
    return true;
}

static bool
tell(struct imap_server *server)
{
    struct imap_notify_look *look = look_of(server);

    server->notify->is_resting = false;
    server->notify->rest_ms =
        look->rows.count > IMAP_NOTIFY_FREE_ROWS
            ? (uint32_t)((uint64_t)look->rows.count * IMAP_NOTIFY_REST_US / 1000)
            : 0;

    imap_notify_compare(server, look);
    imap_notify_keep(server, look);
    server->notify->own_count = 0;
    arena_reset(&server->notify->own_arena);
    imap_end(server, IMAP_OK, "");
    return true;
}

/* Messages that are new in the selected mailbox, with what was asked for of them. */
static bool
find_new(struct imap_server *server, struct imap_range *ret_range)
{
    if (server->new_from == 0 || !server->notify->items.at || server->state != IMAP_SELECTED)
        return false;
    ret_range->first = imap_mailbox_place_from(server->view.mailbox, server->new_from);
    ret_range->last = server->view.known - 1;
    server->new_from = 0;
    return ret_range->first < server->view.known;
}

/* §5.2: but for those that the client has put there itself. False when there are no others. */
static bool
fetch_new(struct imap_server *server, struct imap_range places)
{
    struct imap_set own = imap_set_builder_set(&server->own);
    struct imap_set_builder others;
    struct imap_range *copy = NULL;

    imap_set_builder_init(&others);
    for (uint32_t place = places.first; place <= places.last; place++) {
        if (!imap_set_has(&own, server->view.mailbox->uids[place]))
            imap_set_builder_add(&others, place, place);
    }
    struct imap_set set = imap_set_builder_set(&others);
    if (set.count > 0)
        copy = ARENA_ARRAY(&server->arena, struct imap_range, set.count);
    if (copy) {
        memcpy(copy, set.at, set.count * sizeof(*copy));
        imap_fetch_places(server, server->notify->items, &(struct imap_set){copy, set.count});
    }
    imap_set_builder_finish(&others);
    imap_set_builder_finish(&server->own);
    return copy;
}

bool
imap_notify_step(struct imap_server *server)
{
    struct imap_range places;
    bool has_new = find_new(server, &places);

    if (!has_new && (!server->notify->is_stale || server->notify->rest_ms > 0))
        return false;
    server->is_running = server->is_internal = true;
    server->is_uid = server->may_expunge = false;
    server->view.is_pinned = true;
    if (has_new) {
        if (!fetch_new(server, places))
            imap_end(server, IMAP_OK, "");
    } else {
        struct imap_notify_look *look = imap_task(server, sizeof(*look));
        server->notify->is_stale = false;
        imap_notify_look(server, look, tell);
    }
    return true;
}
