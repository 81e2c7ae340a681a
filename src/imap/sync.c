/* SPDX-License-Identifier: ISC */
/* What has changed in the selected mailbox since the client was told last: EXPUNGE or VANISHED,
 * EXISTS, FETCH (RFC 9051 §7.5, RFC 7162 §3). */
#include "imap/context.h"
#include "imap/notify.h"
#include "imap/rights.h"

/* ---- what went before the client came -------------------------------------------------------- */

/* Those of a range that are not in the view. What the client was not told of yet still counts
 * there, and is told behind all else. */
static void
add_gone(const struct imap_view *view, uint32_t first, uint32_t last, struct imap_set_builder *gone)
{
    const struct imap_mailbox *mailbox = view->mailbox;
    uint32_t next = first, place = imap_mailbox_place_from(mailbox, first);

    for (; place < view->known && mailbox->uids[place] <= last; place++) {
        if (!imap_view_has(view, place))
            continue;
        if (mailbox->uids[place] > next)
            imap_set_builder_add(gone, next, mailbox->uids[place] - 1);
        next = mailbox->uids[place] + 1;
    }
    if (next <= last)
        imap_set_builder_add(gone, next, last);
}

void
imap_put_vanished(struct imap_server *server, const struct imap_set *known, bool is_complete)
{
    struct imap_range whole = {1, server->view.mailbox->uid_next - 1}; /* 0: there never was one */
    struct imap_set all = {&whole, whole.last > 0}, gone = imap_set_builder_set(&server->gathered);
    struct imap_set_builder told;

    imap_set_builder_init(&told);
    if (!is_complete || !imap_set_resolve(&gone, 0, &server->arena))
        gone = all; /* RFC 7162 §3.2.6: then all that are not there are told */
    if (!known)
        known = &all;
    for (size_t i = 0, j = 0; i < gone.count && j < known->count;) {
        const struct imap_range *a = &gone.at[i], *b = &known->at[j];
        uint32_t first = a->first > b->first ? a->first : b->first;
        uint32_t last = a->last < b->last ? a->last : b->last;
        if (first <= last)
            add_gone(&server->view, first, last, &told);
        i += a->last <= b->last;
        j += b->last <= a->last;
    }
    struct imap_set set = imap_set_builder_set(&told);
    if (set.count > 0) {
        buffer_put_text(&server->output, "* VANISHED (EARLIER) ");
        imap_set_put(&server->output, &set);
        buffer_put_text(&server->output, "\r\n");
    }
    imap_set_builder_finish(&told);
}

/* ---- what goes while it is there ------------------------------------------------------------- */

/* True when the client shall hear of this tomb now. */
static bool
is_new_tomb(const struct imap_view *view, const struct imap_tomb *tomb)
{
    return tomb->serial > view->serial && tomb->place < view->known;
}

static void
put_vanished(struct imap_server *server)
{
    const struct imap_view *view = &server->view;
    struct imap_set_builder gone;

    imap_set_builder_init(&gone);
    for (size_t i = 0; i < view->mailbox->tomb_count; i++) {
        const struct imap_tomb *tomb = &view->mailbox->tombs[i];
        uint32_t uid = view->mailbox->uids[tomb->place];
        if (is_new_tomb(view, tomb))
            imap_set_builder_add(&gone, uid, uid);
    }
    struct imap_set set = imap_set_builder_set(&gone);
    if (set.count > 0) {
        buffer_put_text(&server->output, "* VANISHED ");
        imap_set_put(&server->output, &set);
        buffer_put_text(&server->output, "\r\n");
    }
    imap_set_builder_finish(&gone);
}

/* Each number counts what the ones before it have left (RFC 9051 §7.5.1). */
static void
put_expunges(struct imap_server *server)
{
    const struct imap_view *view = &server->view;
    uint32_t gone = 0;

    for (size_t i = 0; i < view->mailbox->tomb_count; i++) {
        const struct imap_tomb *tomb = &view->mailbox->tombs[i];
        if (tomb->place >= view->known)
            break;
        if (is_new_tomb(view, tomb))
            imap_put_number(&server->output, "* ", tomb->place + 1 - gone, " EXPUNGE\r\n");
        gone++;
    }
}

static bool
has_new_tombs(const struct imap_view *view)
{
    return view->serial != view->mailbox->serial;
}

/* Whether the client made the last change of this message itself. */
static bool
is_own_change(const struct imap_server *server, uint64_t modseq, uint32_t uid)
{
    if (!server->own_changes)
        return false;
    struct slice bytes = buffer_slice(&server->own_changes->modseqs);
    const struct imap_modseqs *ranges = (const void *)bytes.at;
    struct imap_set raced = imap_set_builder_set(&server->own_changes->raced);
    size_t low = 0, count = bytes.len / sizeof(*ranges), high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ranges[middle].last < modseq)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && ranges[low].first <= modseq && !imap_set_has(&raced, uid);
}

static void
put_change(struct imap_server *server, uint32_t place, uint32_t number)
{
    const struct imap_mailbox *mailbox = server->view.mailbox;
    struct buffer *out = &server->output;
    uint64_t modseq = mailbox->modseqs[place];
    bool is_silent = is_own_change(server, modseq, mailbox->uids[place]);

    if (is_silent &&
        (server->own_changes->is_shown || !(server->enabled & IMAP_ENABLED_CONDSTORE)))
        return;
    imap_put_fetch(server, place, number, server->is_uid || server->enabled & IMAP_ENABLED_QRESYNC);
    if (server->enabled & IMAP_ENABLED_CONDSTORE)
        imap_put_number(out, "MODSEQ (", modseq, is_silent ? ")" : ") ");
    if (!is_silent) {
        buffer_put_text(out, "FLAGS ");
        imap_put_flags(server, mailbox->flags[place], mailbox->keywords[place]);
    }
    buffer_put_text(out, ")\r\n");
}

bool
imap_is_pushing(const struct imap_server *server, bool *ret_may_expunge)
{
    const struct imap_notify *notify = server->notify;

    *ret_may_expunge = server->is_idling || !notify || !notify->is_delayed;
    return server->state == IMAP_SELECTED && (notify ? notify->selected != 0 : server->is_idling);
}

/* False when the output is full; server->sync_place says how far it is. */
static bool
put_changes(struct imap_server *server)
{
    struct imap_view *view = &server->view;
    const struct imap_mailbox *mailbox = view->mailbox;
    struct imap_range rest = imap_view_changed(view);
    struct imap_set places = {&rest, rest.first <= rest.last};
    struct imap_walk walk;
    uint32_t place, number;

    bool is_unwanted =
        !server->is_running && server->notify && !(server->notify->selected & IMAP_NOTIFY_FLAGS);
    if (view->modseq >= mailbox->modseq || is_unwanted)
        return true;
    rest.first = rest.first > server->sync_place ? rest.first : server->sync_place;
    imap_walk_init(&walk, view, &places);
    while (imap_walk_next(&walk, &place, &number)) {
        if (mailbox->modseqs[place] <= view->modseq || mailbox->flags[place] & IMAP_VANISHED)
            continue;
        if (!imap_has_room(server)) {
            server->sync_place = place;
            return false;
        }
        put_change(server, place, number);
    }
    return true;
}

/* Some clients (Thunderbird is one) act on an EXISTS that they read in IDLE or with the answer to
 * NOOP. They pass over one that comes with another answer, and over one that was pushed in IDLE
 * while their DONE was on its way; the message would be shown minutes later. When they go idle
 * the next time they hear the number again, once, and never twice within one IDLE. */
static void
put_growth(struct imap_server *server)
{
    struct imap_view *view = &server->view;
    uint32_t count = view->mailbox->count;
    bool is_grown = view->known != count;

    if (!is_grown && !(server->is_growth_due && server->is_idling))
        return;
    if (server->new_from == 0 && view->known < count)
        server->new_from = view->mailbox->uids[view->known];
    view->known = count;
    /* Who asked by NOTIFY to hear at any time listens at any time. */
    server->is_growth_aside =
        is_grown && !server->is_polling && (server->is_running || server->is_idling);
    server->is_growth_due = false;
    imap_put_number(&server->output, "* ", imap_view_count(view), " EXISTS\r\n");
}

bool
imap_sync(struct imap_server *server, bool may_expunge)
{
    struct imap_view *view = &server->view;
    struct imap_mailbox *mailbox = view->mailbox;

    if (server->sync_place == 0) {
        imap_put_known_flags(server, false);
        if (may_expunge && has_new_tombs(view)) {
            imap_contexts_expunge(server);
            if (server->enabled & (IMAP_ENABLED_QRESYNC | IMAP_ENABLED_UIDONLY))
                put_vanished(server);
            else
                put_expunges(server);
            view->serial = mailbox->serial;
        }
        server->sync_modseq = mailbox->modseq;
    }
    view->is_pinned = true;
    if (!put_changes(server))
        return false;
    view->is_pinned = false;
    server->sync_place = 0;
    view->modseq = server->sync_modseq;
    put_growth(server);
    if (mailbox->is_gone && may_expunge && imap_view_count(view) == 0)
        buffer_put_text(&server->output, "* OK [CLOSED] the mailbox was deleted\r\n");
    return true;
}

uint64_t
imap_owner(const struct imap_server *server, uint64_t owner)
{
    return owner ? owner : server->account;
}

bool
imap_is_rights_stale(const struct imap_server *server)
{
    return server->is_asking_rights ||
           (server->state == IMAP_SELECTED && server->mailbox_owner != 0 && !server->is_lent &&
            server->view.mailbox->rights_serial != server->rights_serial);
}

/* RFC 4314 §5.1.1: who may no longer read is sent away; who may do other things hears of that. */
static void
on_rights(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    uint16_t before = server->rights;

    (void)blob;
    server->on_note = NULL;
    server->is_asking_rights = false;
    server->rights = note->as.account_told.rights;
    if (!(server->rights & IMAP_RIGHT_READ)) {
        imap_shut(server, IMAP_CLOSE_SERVER, "[NOPERM] you may no longer read this mailbox");
    } else if (server->rights != before) {
        imap_put_known_flags(server, true);
    }
}

void
imap_ask_rights(struct imap_server *server)
{
    if (server->is_asking_rights || server->has_event)
        return;
    server->is_asking_rights = true;
    server->rights_serial = server->view.mailbox->rights_serial;
    server->note.as.account_ask = (struct access_store_account_ask){.owner = server->mailbox_owner,
                                                                    .mailbox = server->mailbox_id};
    imap_ask(server, ACCESS_STORE_ACCOUNT_ASK, on_rights);
}

void
imap_deselect(struct imap_server *server)
{
    imap_contexts_close(server);
    imap_set_builder_finish(&server->own);
    imap_view_close(&server->view);
    server->saved.count = 0; /* "$" would mean other messages in the next one (RFC 5182 §2.1) */
    server->sync_place = 0;
    server->announced = 0;
    server->new_from = 0;
    server->is_changed = server->is_growth_aside = server->is_growth_due = false;
    if (server->state == IMAP_SELECTED)
        server->state = IMAP_AUTHENTICATED;
}

void
imap_view_lend(struct imap_server *server, uint64_t owner, uint32_t mailbox)
{
    assert(!server->is_lent);
    imap_view_move(&server->lent_view, &server->view);
    server->lent_mailbox = server->mailbox_id;
    server->lent_owner = server->mailbox_owner;
    server->mailbox_id = mailbox;
    server->mailbox_owner = owner;
    server->is_lent = true;
}

void
imap_view_return(struct imap_server *server)
{
    if (!server->is_lent)
        return;
    imap_view_close(&server->view);
    imap_view_move(&server->view, &server->lent_view);
    server->mailbox_id = server->lent_mailbox;
    server->mailbox_owner = server->lent_owner;
    server->is_lent = false;
}
