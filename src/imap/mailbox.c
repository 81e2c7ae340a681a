/* SPDX-License-Identifier: ISC */
#include "imap/headline.h"

#include <stdlib.h>

enum { COMPACT_MIN = 16, COMPACT_PART = 512, COLUMNS_FIRST = 64 };

/* ---- all ------------------------------------------------------------------------------------- */

void
imap_mailboxes_init(struct imap_mailboxes *all, uint64_t seed,
                    void (*unwatch)(void *context, uint64_t watch), void *context)
{
    *all = (struct imap_mailboxes){.unwatch = unwatch, .context = context};
    map_init(&all->map, seed);
    map_init(&all->watches, seed);
    list_init(&all->headlined);
    list_init(&all->gatherers);
}

void
imap_mailboxes_finish(struct imap_mailboxes *all)
{
    assert(all->map.count == 0); /* sessions close their views */
    map_finish(&all->map);
    map_finish(&all->watches);
}

static void *
grow(void *old, size_t count, size_t size)
{
    void *memory = reallocarray(old, count, size);

    if (!memory)
        abort();
    return memory;
}

static void
forget(struct imap_mailbox *mailbox)
{
    (void)!map_remove(&mailbox->all->map, slice_of(mailbox->key, sizeof(mailbox->key)));
    (void)!map_remove(&mailbox->all->watches, map_key_u64(&mailbox->watch));
}

void
imap_mailboxes_detach(struct imap_mailboxes *all)
{
    while (all->map.count > 0) {
        size_t place = 0;
        struct imap_mailbox *mailbox = map_next(&all->map, &place)->value;
        mailbox->is_detached = true;
        forget(mailbox);
        if (mailbox->is_loaded)
            continue;
        mailbox->is_loaded = true; /* whoever waits for it hears that it failed */
        mailbox->result = ACCESS_STORE_RESULT_TEMPORARY;
        LIST_EACH (link, &mailbox->views) {
            struct imap_view *view = LIST_ITEM(link, struct imap_view, link);
            view->on_change(view->context);
        }
    }
}

static void
drop(struct imap_mailbox *mailbox)
{
    struct imap_mailboxes *all = mailbox->all;

    if (!mailbox->is_detached) {
        forget(mailbox);
        if (mailbox->is_loading || mailbox->is_loaded)
            all->unwatch(all->context, mailbox->watch);
    }
    for (uint8_t i = 0; i < mailbox->name_count; i++)
        free((void *)(uintptr_t)mailbox->names[i].at);
    imap_headlines_drop(mailbox);
    free(mailbox->uids);
    free(mailbox->flags);
    free(mailbox->keywords);
    free(mailbox->modseqs);
    free(mailbox->tombs);
    free(mailbox);
}

void
imap_view_open(struct imap_view *view, struct imap_mailboxes *all, uint64_t account,
               uint32_t mailbox, void (*on_change)(void *context), void *context)
{
    uint64_t key[2] = {account, mailbox};
    struct imap_mailbox *found = map_find(&all->map, slice_of(key, sizeof(key)));

    if (!found) {
        found = calloc(1, sizeof(*found));
        if (!found)
            abort();
        found->all = all;
        memcpy(found->key, key, sizeof(key));
        found->watch = ++all->watch_count;
        list_init(&found->views);
        list_init(&found->headlines_link);
        (void)!map_set(&all->map, slice_of(found->key, sizeof(key)), found);
        (void)!map_set(&all->watches, map_key_u64(&found->watch), found);
    }
    *view = (struct imap_view){.mailbox = found, .on_change = on_change, .context = context};
    list_append(&found->views, &view->link);
}

void
imap_view_move(struct imap_view *to, struct imap_view *from)
{
    *to = *from;
    list_init(&to->link);
    if (!from->mailbox)
        return;
    list_remove(&from->link);
    list_append(&to->mailbox->views, &to->link);
    from->mailbox = NULL;
}

void
imap_view_close(struct imap_view *view)
{
    struct imap_mailbox *mailbox = view->mailbox;

    if (!mailbox)
        return;
    list_remove(&view->link);
    view->mailbox = NULL;
    if (list_is_empty(&mailbox->views))
        drop(mailbox);
    else
        imap_mailbox_compact(mailbox);
}

/* ---- notes ----------------------------------------------------------------------------------- */

static void
append(struct imap_mailbox *mailbox, const struct access_store_column *row)
{
    if (mailbox->count == mailbox->size) {
        uint32_t old = mailbox->size, size = old ? old + old / 2 : COLUMNS_FIRST;
        mailbox->uids = grow(mailbox->uids, size, sizeof(*mailbox->uids));
        mailbox->flags = grow(mailbox->flags, size, sizeof(*mailbox->flags));
        mailbox->keywords = grow(mailbox->keywords, size, sizeof(*mailbox->keywords));
        mailbox->modseqs = grow(mailbox->modseqs, size, sizeof(*mailbox->modseqs));
        mailbox->size = size;
        imap_headlines_grow(mailbox, old);
    }
    uint32_t place = mailbox->count++;
    mailbox->uids[place] = row->uid;
    mailbox->flags[place] = row->flags;
    mailbox->keywords[place] = row->keywords;
    mailbox->modseqs[place] = row->modseq;
}

uint32_t
imap_mailbox_place_from(const struct imap_mailbox *mailbox, uint32_t uid)
{
    uint32_t low = 0, high = mailbox->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (mailbox->uids[middle] < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void
note_place(struct imap_change *change, uint32_t place)
{
    change->first = place < change->first ? place : change->first;
    change->last = place > change->last ? place : change->last;
}

static void
note_change(struct imap_mailbox *mailbox, const struct imap_change *change)
{
    struct imap_change *oldest = &mailbox->changes[mailbox->change_next];

    if (oldest->modseq > mailbox->changes_from)
        mailbox->changes_from = oldest->modseq;
    *oldest = *change;
    mailbox->change_next = (uint8_t)((mailbox->change_next + 1U) % IMAP_CHANGES_KEPT);
}

/* Nothing is known of where changes were, up to now. */
static void
forget_changes(struct imap_mailbox *mailbox)
{
    memset(mailbox->changes, 0, sizeof(mailbox->changes));
    mailbox->changes_from = mailbox->modseq;
}

/* New ones go to the end; they come by rising UID. While the mailbox is being loaded, what lies
 * behind the last column will come with one. The place goes into `change`. */
static void
take_row(struct imap_mailbox *mailbox, const struct access_store_column *row,
         struct imap_change *change)
{
    uint32_t last = mailbox->count ? mailbox->uids[mailbox->count - 1] : 0;

    if (row->uid > last) {
        if (mailbox->is_loaded) {
            append(mailbox, row);
            note_place(change, mailbox->count - 1);
        }
        return;
    }
    uint32_t place = imap_mailbox_place_from(mailbox, row->uid);
    note_place(change, place);
    if (mailbox->uids[place] != row->uid || mailbox->flags[place] & IMAP_VANISHED)
        return;
    mailbox->flags[place] = row->flags & 0x7F;
    mailbox->keywords[place] = row->keywords;
    mailbox->modseqs[place] = row->modseq;
}

static int
compare_tombs(const void *left, const void *right)
{
    const struct imap_tomb *a = left, *b = right;

    return a->place < b->place ? -1 : a->place > b->place;
}

static void
bury(struct imap_mailbox *mailbox, const struct access_store_uid_range *range)
{
    for (uint32_t place = imap_mailbox_place_from(mailbox, range->first);
         place < mailbox->count && mailbox->uids[place] <= range->last; place++) {
        if (mailbox->flags[place] & IMAP_VANISHED)
            continue;
        mailbox->flags[place] |= IMAP_VANISHED;
        if (mailbox->tomb_count == mailbox->tomb_size) {
            mailbox->tomb_size = mailbox->tomb_size ? mailbox->tomb_size * 2 : COMPACT_MIN;
            mailbox->tombs = grow(mailbox->tombs, mailbox->tomb_size, sizeof(*mailbox->tombs));
        }
        mailbox->tombs[mailbox->tomb_count++] = (struct imap_tomb){place, ++mailbox->serial};
    }
}

static void
bury_all(struct imap_mailbox *mailbox, const struct access_store_uid_range_list *ranges)
{
    size_t before = mailbox->tomb_count;
    bool are_in_order = true;

    for (size_t i = 0; i < ranges->count; i++)
        bury(mailbox, &ranges->at[i]);
    /* Those of a long EXPUNGE, part after part, are. */
    for (size_t i = before; i < mailbox->tomb_count; i++)
        are_in_order = are_in_order && (i == 0 || compare_tombs(&mailbox->tombs[i - 1],
                                                               &mailbox->tombs[i]) < 0);
    if (!are_in_order)
        qsort(mailbox->tombs, mailbox->tomb_count, sizeof(*mailbox->tombs), compare_tombs);
}

static void
on_keywords(struct imap_mailbox *mailbox, const struct access_store_keywords *note)
{
    for (size_t i = 0; i < note->names.count; i++) {
        size_t index = note->first + i;
        struct slice name = note->names.at[i].name;
        if (index != mailbox->name_count || index >= IMAP_KEYWORDS_MAX)
            continue;
        uint8_t *copy = malloc(name.len + 1);
        if (!copy)
            abort();
        memcpy(copy, name.at, name.len);
        mailbox->names[mailbox->name_count++] = slice_of(copy, name.len);
    }
}

static void
on_columns(struct imap_mailbox *mailbox, const struct access_store_columns *note)
{
    if (mailbox->is_loaded)
        return;
    mailbox->uid_validity = note->uid_validity;
    mailbox->uid_next = note->uid_next;
    mailbox->modseq = note->modseq;
    for (size_t i = 0; i < note->rows.count; i++) {
        if (mailbox->count == 0 || note->rows.at[i].uid > mailbox->uids[mailbox->count - 1])
            append(mailbox, &note->rows.at[i]);
    }
    if (!note->is_last)
        return;
    mailbox->result = note->result;
    mailbox->is_loading = false;
    mailbox->is_loaded = true;
    forget_changes(mailbox);
}

static void
on_changes(struct imap_mailbox *mailbox, const struct access_store_changes *note)
{
    struct imap_change change = {note->modseq, UINT32_MAX, 0};

    for (size_t i = 0; i < note->rows.count; i++)
        take_row(mailbox, &note->rows.at[i], &change);
    if (note->rows.count > 0)
        note_change(mailbox, &change);
    bury_all(mailbox, &note->vanished);
    if (note->modseq > mailbox->modseq)
        mailbox->modseq = note->modseq;
    if (note->uid_next > mailbox->uid_next)
        mailbox->uid_next = note->uid_next;
    if (note->are_rights)
        mailbox->rights_serial++;
    if (note->is_gone) {
        struct access_store_uid_range all = {1, UINT32_MAX};
        mailbox->is_gone = true;
        bury_all(mailbox, &(struct access_store_uid_range_list){&all, 1});
    }
}

void
imap_mailboxes_on_note(struct imap_mailboxes *all, const struct access_store_note *note)
{
    uint64_t watch = note->kind == ACCESS_STORE_COLUMNS    ? note->as.columns.watch
                     : note->kind == ACCESS_STORE_KEYWORDS ? note->as.keywords.watch
                                                           : note->as.changes.watch;
    struct imap_mailbox *mailbox = map_find(&all->watches, map_key_u64(&watch));

    if (!mailbox)
        return;
    if (note->kind == ACCESS_STORE_KEYWORDS)
        on_keywords(mailbox, &note->as.keywords);
    else if (note->kind == ACCESS_STORE_COLUMNS)
        on_columns(mailbox, &note->as.columns);
    else if (note->kind == ACCESS_STORE_CHANGES)
        on_changes(mailbox, &note->as.changes);
    if (note->kind == ACCESS_STORE_KEYWORDS || !mailbox->is_loaded)
        return;
    LIST_EACH (link, &mailbox->views) {
        struct imap_view *view = LIST_ITEM(link, struct imap_view, link);
        view->on_change(view->context);
    }
}

/* ---- views ----------------------------------------------------------------------------------- */

void
imap_view_begin(struct imap_view *view)
{
    view->known = view->mailbox->count;
    view->serial = view->mailbox->serial;
    view->modseq = view->mailbox->modseq;
}

struct imap_range
imap_view_changed(const struct imap_view *view)
{
    const struct imap_mailbox *mailbox = view->mailbox;
    struct imap_range range = {UINT32_MAX, 0};

    if (view->modseq < mailbox->changes_from)
        return (struct imap_range){0, UINT32_MAX};
    for (size_t i = 0; i < IMAP_CHANGES_KEPT; i++) {
        const struct imap_change *change = &mailbox->changes[i];
        if (change->modseq <= view->modseq)
            continue;
        range.first = change->first < range.first ? change->first : range.first;
        range.last = change->last > range.last ? change->last : range.last;
    }
    return range;
}

static bool
is_told(const struct imap_view *view, const struct imap_tomb *tomb)
{
    return tomb->serial <= view->serial;
}

uint32_t
imap_view_count(const struct imap_view *view)
{
    uint32_t count = view->known;

    for (size_t i = 0; i < view->mailbox->tomb_count; i++)
        count -=
            view->mailbox->tombs[i].place < view->known && is_told(view, &view->mailbox->tombs[i]);
    return count;
}

bool
imap_view_has(const struct imap_view *view, uint32_t place)
{
    const struct imap_mailbox *mailbox = view->mailbox;

    if (place >= view->known || !(mailbox->flags[place] & IMAP_VANISHED))
        return place < view->known;
    for (size_t i = 0; i < mailbox->tomb_count; i++) {
        if (mailbox->tombs[i].place == place)
            return !is_told(view, &mailbox->tombs[i]);
    }
    return true;
}

uint32_t
imap_view_place_of_number(const struct imap_view *view, uint32_t number)
{
    const struct imap_mailbox *mailbox = view->mailbox;

    if (number == 0)
        return IMAP_NO_PLACE;
    uint32_t place = number - 1;
    for (size_t i = 0; i < mailbox->tomb_count && mailbox->tombs[i].place <= place; i++)
        place += is_told(view, &mailbox->tombs[i]);
    return place < view->known ? place : IMAP_NO_PLACE;
}

uint32_t
imap_view_place_of_uid(const struct imap_view *view, uint32_t uid)
{
    uint32_t place = imap_mailbox_place_from(view->mailbox, uid);

    return place < view->known && view->mailbox->uids[place] == uid && imap_view_has(view, place)
               ? place
               : IMAP_NO_PLACE;
}

uint32_t
imap_view_number_of_place(const struct imap_view *view, uint32_t place)
{
    const struct imap_mailbox *mailbox = view->mailbox;
    uint32_t number = place + 1;

    for (size_t i = 0; i < mailbox->tomb_count && mailbox->tombs[i].place < place; i++)
        number -= is_told(view, &mailbox->tombs[i]);
    return number;
}

bool
imap_view_places(const struct imap_view *view, const struct imap_set *set, bool is_uids,
                 struct arena *arena, struct imap_set *ret_places, bool *ret_is_outside)
{
    struct imap_range *ranges = ARENA_ARRAY(arena, struct imap_range, set->count + 1);
    uint32_t count = is_uids ? 0 : imap_view_count(view);
    size_t found = 0;

    if (!ranges)
        return false;
    for (size_t i = 0; i < set->count; i++) {
        struct imap_range range = set->at[i];
        if (is_uids) {
            uint32_t first = imap_mailbox_place_from(view->mailbox, range.first);
            uint32_t end = range.last == UINT32_MAX
                               ? view->mailbox->count
                               : imap_mailbox_place_from(view->mailbox, range.last + 1);
            end = end < view->known ? end : view->known;
            if (first < end)
                ranges[found++] = (struct imap_range){first, end - 1};
            continue;
        }
        if (range.last > count && ret_is_outside)
            *ret_is_outside = true;
        if (range.first > count)
            continue;
        range.last = range.last < count ? range.last : count;
        ranges[found++] = (struct imap_range){imap_view_place_of_number(view, range.first),
                                              imap_view_place_of_number(view, range.last)};
    }
    *ret_places = (struct imap_set){ranges, found};
    return true;
}

void
imap_walk_init(struct imap_walk *walk, const struct imap_view *view, const struct imap_set *places)
{
    *walk = (struct imap_walk){.view = view, .places = places};
}

/* Goes ahead to this place. */
static void
pass_tombs(struct imap_walk *walk, uint32_t place)
{
    const struct imap_mailbox *mailbox = walk->view->mailbox;

    while (walk->tomb < mailbox->tomb_count && mailbox->tombs[walk->tomb].place < place) {
        walk->shift += is_told(walk->view, &mailbox->tombs[walk->tomb]);
        walk->tomb++;
    }
}

bool
imap_walk_next(struct imap_walk *walk, uint32_t *ret_place, uint32_t *ret_number)
{
    const struct imap_mailbox *mailbox = walk->view->mailbox;

    while (walk->range < walk->places->count) {
        const struct imap_range *range = &walk->places->at[walk->range];
        if (walk->next < range->first)
            walk->next = range->first;
        if (walk->next > range->last || walk->next >= walk->view->known) {
            walk->range++;
            continue;
        }
        uint32_t place = walk->next++;
        pass_tombs(walk, place);
        if (walk->tomb < mailbox->tomb_count && mailbox->tombs[walk->tomb].place == place &&
            is_told(walk->view, &mailbox->tombs[walk->tomb]))
            continue;
        *ret_place = place;
        *ret_number = place + 1 - walk->shift;
        return true;
    }
    return false;
}

/* ---- compaction ------------------------------------------------------------------------------ */

/* Takes the places of the tombs up to `serial` out of the columns. */
static void
take_out(struct imap_mailbox *mailbox, uint64_t serial)
{
    size_t tomb = 0, kept = 0;
    uint32_t to = 0;

    for (uint32_t from = 0; from < mailbox->count; from++) {
        if (tomb < mailbox->tomb_count && mailbox->tombs[tomb].place == from) {
            struct imap_tomb old = mailbox->tombs[tomb++];
            if (old.serial <= serial) {
                imap_headline_drop(mailbox, from);
                continue;
            }
            mailbox->tombs[kept++] = (struct imap_tomb){to, old.serial};
        }
        mailbox->uids[to] = mailbox->uids[from];
        mailbox->flags[to] = mailbox->flags[from];
        mailbox->keywords[to] = mailbox->keywords[from];
        mailbox->modseqs[to] = mailbox->modseqs[from];
        imap_headline_move(mailbox, to, from);
        to++;
    }
    mailbox->tomb_count = kept;
    mailbox->count = to;
    forget_changes(mailbox);
}

void
imap_mailbox_compact(struct imap_mailbox *mailbox)
{
    uint64_t serial = mailbox->serial;
    size_t told = 0;

    if (mailbox->tomb_count < COMPACT_MIN + mailbox->count / COMPACT_PART)
        return;
    LIST_EACH (link, &mailbox->views) {
        const struct imap_view *view = LIST_ITEM(link, struct imap_view, link);
        if (view->is_pinned)
            return;
        serial = view->serial < serial ? view->serial : serial;
    }
    for (size_t i = 0; i < mailbox->tomb_count; i++)
        told += mailbox->tombs[i].serial <= serial;
    if (told < mailbox->tomb_count / 2 + 1)
        return;
    LIST_EACH (link, &mailbox->views) {
        struct imap_view *view = LIST_ITEM(link, struct imap_view, link);
        uint32_t gone = 0;
        for (size_t i = 0; i < mailbox->tomb_count; i++)
            gone += mailbox->tombs[i].place < view->known && mailbox->tombs[i].serial <= serial;
        view->known -= gone;
    }
    take_out(mailbox, serial);
}

uint64_t
imap_mailbox_keyword(const struct imap_mailbox *mailbox, struct slice name)
{
    for (uint8_t i = 0; i < mailbox->name_count; i++) {
        if (slice_equal_nocase(mailbox->names[i], name))
            return UINT64_C(1) << i;
    }
    return 0;
}
