/* SPDX-License-Identifier: ISC */
#include "screen/roster.h"

#include "message/thread.h"

#include <stdlib.h>

enum { ARENA_MAX = 256 << 20, MARGIN = 2 };

void
roster_init(struct roster *roster, uint64_t seed)
{
    *roster = (struct roster){.seed = seed, .block = ROSTER_BLOCK};
}

static void
forget_head(struct entry *entry)
{
    if (entry->head)
        head_finish(entry->head);
    free(entry->head);
    entry->head = NULL;
}

static void
clear(struct roster *roster)
{
    for (size_t i = 0; i < roster->count; i++)
        forget_head(&roster->entries[i]);
    free(roster->entries);
    free(roster->rows);
    *roster =
        (struct roster){.seed = roster->seed, .block = ROSTER_BLOCK, .is_flat = roster->is_flat};
}

void
roster_finish(struct roster *roster)
{
    clear(roster);
}

/* ---- entries ------------------------------------------------------------------------------- */

static size_t
place_of(const struct roster *roster, uint32_t id)
{
    size_t low = 0, high = roster->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (roster->entries[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct entry *
roster_find(const struct roster *roster, uint32_t id)
{
    size_t place = place_of(roster, id);

    return place < roster->count && roster->entries[place].id == id ? &roster->entries[place]
                                                                    : NULL;
}

void
roster_add(struct roster *roster, struct item item)
{
    if (roster->count > 0 && roster->entries[roster->count - 1].id >= item.id)
        return;
    if (roster->count == roster->room) {
        roster->room = roster->room ? 2 * roster->room : 256;
        roster->entries = reallocarray(roster->entries, roster->room, sizeof(*roster->entries));
        if (!roster->entries)
            abort();
    }
    roster->entries[roster->count++] = (struct entry){.id = item.id, .flags = item.flags};
    roster->is_dirty = true;
}

void
roster_fill(struct roster *roster, const struct item *items, size_t count)
{
    clear(roster);
    for (size_t i = 0; i < count; i++)
        roster_add(roster, items[i]);
    roster->is_dirty = true;
}

void
roster_merge(struct roster *roster, const struct item *items, size_t count)
{
    struct entry *entries = traffic_array(count, sizeof(*entries));
    size_t old = 0;

    for (size_t i = 0; i < count; i++) { /* both ascend */
        while (old < roster->count && roster->entries[old].id < items[i].id)
            forget_head(&roster->entries[old++]);
        if (old < roster->count && roster->entries[old].id == items[i].id) {
            entries[i] = roster->entries[old++];
            entries[i].is_asked = false;
        } else {
            entries[i] = (struct entry){.id = items[i].id, .flags = items[i].flags};
        }
    }
    while (old < roster->count)
        forget_head(&roster->entries[old++]);
    free(roster->entries);
    roster->entries = entries;
    roster->count = roster->room = count;
    roster->is_dirty = true;
}

void
roster_remove(struct roster *roster, uint32_t id)
{
    size_t place = place_of(roster, id);

    if (place == roster->count || roster->entries[place].id != id)
        return;
    forget_head(&roster->entries[place]);
    memmove(roster->entries + place, roster->entries + place + 1,
            (roster->count - place - 1) * sizeof(*roster->entries));
    roster->count--;
    roster->is_dirty = true;
}

void
roster_set_flags(struct roster *roster, uint32_t id, uint32_t flags)
{
    struct entry *entry = roster_find(roster, id);

    if (!entry)
        return;
    entry->flags = flags;
    if (entry->head)
        entry->head->flags = flags;
}

void
roster_take_head(struct roster *roster, struct head *head)
{
    struct entry *entry = roster_find(roster, head->id);

    if (!entry)
        return;
    forget_head(entry);
    entry->head = traffic_array(1, sizeof(*entry->head));
    *entry->head = *head;
    entry->flags = head->flags;
    *head = (struct head){0};
    roster->is_dirty = true;
}

void
roster_ask_again(struct roster *roster)
{
    for (size_t i = 0; i < roster->count; i++)
        roster->entries[i].is_asked = roster->entries[i].head != NULL;
}

/* ---- rows ---------------------------------------------------------------------------------- */

static void
add_row(struct roster *roster, struct row row)
{
    if (!roster->is_filtered || roster->entries[row.entry].is_found)
        roster->rows[roster->rows_count++] = row;
}

struct walk {
    const struct thread_node *node;
    uint32_t branches;
    uint8_t depth;
    bool is_root;
};

/* One thread, without recursion. A message that is not there gives its place to the first answer
 * to it. `pending` has room for all entries. */
static void
add_thread(struct roster *roster, const struct thread_node *root, struct walk *pending)
{
    size_t count = 0;

    pending[count++] = (struct walk){.node = root, .is_root = true};
    while (count > 0) {
        struct walk at = pending[--count];
        const struct thread_node *node = at.node;
        uint8_t below = at.depth;
        if (!at.is_root && node->next) /* the root's siblings are other threads */
            pending[count++] = (struct walk){node->next, at.branches, at.depth, false};
        if (node->number > 0) {
            bool is_last = at.depth == 0 || !node->next;
            add_row(roster, (struct row){.entry = node->number - 1,
                                         .depth = at.depth,
                                         .is_last = is_last,
                                         .branches = at.branches});
            if (!is_last)
                at.branches |= 1U << at.depth;
            else
                at.branches &= ~(1U << at.depth);
            below = (uint8_t)(at.depth + (at.depth < ROSTER_DEPTH_MAX));
        }
        if (node->child)
            pending[count++] = (struct walk){node->child, at.branches, below, false};
    }
}

/* Threads of entries [first, count), newest thread first; false without memory for them. */
static bool
add_threads(struct roster *roster, size_t first)
{
    const struct thread_node *node = NULL;
    size_t count = roster->count - first, roots = 0;
    struct arena arena;
    bool is_good = true;

    arena_init(&arena, ARENA_MAX);
    struct threader *threader = threader_new(&arena, THREAD_REFS, roster->seed, count);
    for (size_t i = first; threader && is_good && i < roster->count; i++) {
        const struct head *head = roster->entries[i].head;
        struct thread_message message = {.number = (uint32_t)i + 1,
                                         .date = {(int64_t)i},
                                         .arrival = {(int64_t)i},
                                         .base_subject = SLICE("")};
        message.message_id = traffic_text(head ? head->message_id : NULL);
        message.in_reply_to = traffic_text(head ? head->in_reply_to : NULL);
        message.references = traffic_text(head ? head->references : NULL);
        is_good = threader_add(threader, &message);
    }
    is_good = threader && is_good && threader_finish(threader, &node);
    for (const struct thread_node *root = node; is_good && root; root = root->next)
        roots++;
    const struct thread_node **order = traffic_array(roots, sizeof(*order));
    struct walk *pending = traffic_array(2 * count + 2, sizeof(*pending));
    for (size_t i = 0; is_good && i < roots; i++, node = node->next)
        order[roots - 1 - i] = node;
    for (size_t i = 0; is_good && i < roots; i++)
        add_thread(roster, order[i], pending);
    free(pending);
    free(order);
    arena_finish(&arena);
    return is_good;
}

static void
keep_cursor(struct roster *roster)
{
    if (roster->chosen != 0) {
        for (size_t i = 0; i < roster->rows_count; i++) {
            if (roster->entries[roster->rows[i].entry].id == roster->chosen) {
                long moved = (long)i - (long)roster->cursor;
                long top = (long)roster->top + moved; /* its place on the screen stays */
                roster->top = top > 0 && roster->cursor > 0 ? (size_t)top : 0;
                roster->cursor = i;
                return;
            }
        }
    }
    roster_go(roster, roster->cursor);
}

void
roster_arrange(struct roster *roster)
{
    size_t first = roster->count > roster->block ? roster->count - roster->block : 0;

    if (!roster->is_dirty)
        return;
    roster->is_dirty = false;
    free(roster->rows);
    roster->rows = traffic_array(roster->count, sizeof(*roster->rows));
    roster->rows_count = 0;
    if (roster->is_flat || roster->count == first || !add_threads(roster, first)) {
        roster->rows_count = 0;
        first = roster->count;
    }
    while (first-- > 0)
        add_row(roster, (struct row){.entry = (uint32_t)first, .is_last = true});
    keep_cursor(roster);
}

struct entry *
roster_at(const struct roster *roster, size_t row)
{
    return row < roster->rows_count ? &roster->entries[roster->rows[row].entry] : NULL;
}

struct entry *
roster_chosen(const struct roster *roster)
{
    return roster_at(roster, roster->cursor);
}

/* ---- moving -------------------------------------------------------------------------------- */

void
roster_go(struct roster *roster, size_t row)
{
    if (row >= roster->rows_count)
        row = roster->rows_count > 0 ? roster->rows_count - 1 : 0;
    roster->cursor = row;
    const struct entry *entry = roster_chosen(roster);
    roster->chosen = entry ? entry->id : 0;
}

void
roster_step(struct roster *roster, long rows)
{
    bool is_up = rows < 0;
    size_t count = is_up ? (size_t)-rows : (size_t)rows;

    if (is_up)
        roster_go(roster, roster->cursor > count ? roster->cursor - count : 0);
    else
        roster_go(roster, roster->cursor + count);
}

void
roster_show(struct roster *roster, size_t height)
{
    size_t margin = height > 4 * MARGIN ? MARGIN : 0;

    if (roster->cursor < roster->top + margin)
        roster->top = roster->cursor > margin ? roster->cursor - margin : 0;
    if (roster->cursor + margin >= roster->top + height)
        roster->top = roster->cursor + margin + 1 - height;
    if (roster->top + height > roster->rows_count)
        roster->top = roster->rows_count > height ? roster->rows_count - height : 0;
}

/* ---- what is wanted ------------------------------------------------------------------------ */

static int
by_number(const void *left, const void *right)
{
    uint32_t l = *(const uint32_t *)left, r = *(const uint32_t *)right;

    return l < r ? -1 : l > r;
}

static void
want(struct entry *entry, uint32_t *ids, size_t *count)
{
    if (entry->is_asked || *count == ROSTER_WANTED_MAX)
        return;
    entry->is_asked = true;
    ids[(*count)++] = entry->id;
}

uint32_t *
roster_wanted(struct roster *roster, size_t height, size_t *ret_count)
{
    size_t from = roster->top > height ? roster->top - height : 0;
    size_t to = roster->top + 2 * height;
    uint32_t *ids = traffic_array(ROSTER_WANTED_MAX, sizeof(*ids));
    size_t count = 0;

    if (to >= roster->block && roster->block < ROSTER_BLOCK_MAX && roster->top < roster->block &&
        roster->block < roster->count) {
        roster->block += ROSTER_BLOCK;
        roster->is_dirty = true;
    }
    for (size_t row = from; row < to && row < roster->rows_count; row++)
        want(roster_at(roster, row), ids, &count);
    if (count == 0) {
        for (size_t i = 0; i < roster->block && i < roster->count; i++)
            want(&roster->entries[roster->count - 1 - i], ids, &count);
    }
    *ret_count = count;
    if (count == 0) {
        free(ids);
        return NULL;
    }
    qsort(ids, count, sizeof(*ids), by_number);
    return ids;
}

/* ---- searching ----------------------------------------------------------------------------- */

void
roster_search(struct roster *roster, struct slice words)
{
    struct buffer key;

    buffer_init(&key, 64 * 1024);
    head_put_key(words, &key);
    for (size_t i = 0; i < roster->count; i++) {
        struct entry *entry = &roster->entries[i];
        struct slice text = traffic_text(entry->head ? entry->head->key : NULL);
        entry->is_found = buffer_len(&key) > 0 && slice_find(text, buffer_slice(&key)) < text.len;
    }
    buffer_finish(&key);
    roster->is_dirty = roster->is_dirty || roster->is_filtered;
}

void
roster_found(struct roster *roster, const struct item *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct entry *entry = roster_find(roster, items[i].id);
        if (entry)
            entry->is_found = true;
    }
    roster->is_dirty = roster->is_dirty || roster->is_filtered;
}

bool
roster_next(const struct roster *roster, size_t row, bool is_back, roster_fn fits, size_t *ret_row)
{
    size_t count = roster->rows_count;

    for (size_t i = 1; i < count; i++) {
        size_t at = is_back ? (row + count - i) % count : (row + i) % count;
        if (fits(roster_at(roster, at))) {
            *ret_row = at;
            return true;
        }
    }
    return false;
}

size_t
roster_count_unseen(const struct roster *roster)
{
    size_t count = 0;

    for (size_t i = 0; i < roster->count; i++)
        count += !(roster->entries[i].flags & MARK_SEEN);
    return count;
}

size_t
roster_count_marked(const struct roster *roster)
{
    size_t count = 0;

    for (size_t i = 0; i < roster->count; i++)
        count += roster->entries[i].is_marked;
    return count;
}
