/* SPDX-License-Identifier: ISC */
/* Annotations (RFC 5464), as the store keeps them, and what it tells of rights (RFC 4314). */
#include "imap/tests/lobby.h"

static struct slice
mark_name(const struct lobby_mark *mark)
{
    return slice_of(mark->name, mark->name_len);
}

static size_t
list_marks(const struct lobby *lobby, uint32_t mailbox, bool is_all,
           struct access_store_annotation rows[LOBBY_MARKS_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < lobby->mark_count; i++) {
        const struct lobby_mark *mark = &lobby->marks[i];
        if (is_all || mark->mailbox == mailbox)
            rows[count++] =
                (struct access_store_annotation){.mailbox = mark->mailbox,
                                                 .has_value = true,
                                                 .name = mark_name(mark),
                                                 .value = slice_of(mark->value, mark->value_len)};
    }
    return count;
}

/* The place of a mark, or where it belongs. */
static size_t
find_mark(const struct lobby *lobby, uint32_t mailbox, struct slice name)
{
    size_t at = 0;

    while (at < lobby->mark_count && (lobby->marks[at].mailbox < mailbox ||
                                      (lobby->marks[at].mailbox == mailbox &&
                                       slice_compare(mark_name(&lobby->marks[at]), name) < 0)))
        at++;
    return at;
}

static void
put_mark(struct lobby *lobby, uint32_t mailbox, const struct access_store_annotation *row)
{
    size_t at = find_mark(lobby, mailbox, row->name);
    struct lobby_mark *mark = &lobby->marks[at];
    bool is_there = at < lobby->mark_count && mark->mailbox == mailbox &&
                    slice_equal(mark_name(mark), row->name);

    if (is_there) {
        lobby->mark_count--;
        memmove(mark, mark + 1, (lobby->mark_count - at) * sizeof(*mark));
    }
    if (!row->has_value || lobby->mark_count == LOBBY_MARKS_MAX ||
        row->name.len > sizeof(mark->name) || row->value.len > sizeof(mark->value))
        return;
    memmove(mark + 1, mark, (lobby->mark_count - at) * sizeof(*mark));
    lobby->mark_count++;
    *mark = (struct lobby_mark){
        .mailbox = mailbox, .name_len = row->name.len, .value_len = row->value.len};
    memcpy(mark->name, row->name.at, row->name.len);
    memcpy(mark->value, row->value.at, row->value.len);
}

static uint32_t
mailbox_named(const struct lobby *lobby, struct slice name)
{
    for (uint32_t i = 0; i < lobby->box_count; i++) {
        if (slice_equal(lobby->boxes[i].name, name))
            return i + 1;
    }
    return 0;
}

bool
lobby_marks_answer(struct lobby *lobby, const struct access_store_note *note,
                   struct access_store_annotation rows[LOBBY_MARKS_MAX],
                   struct access_store_acl_entry entries[LOBBY_ENTRIES_MAX],
                   struct access_store_note *ret_answer)
{
    if (note->kind == ACCESS_STORE_ANNOTATIONS_SET) {
        const struct access_store_annotations_set *set = &note->as.annotations_set;
        for (size_t i = 0; i < set->rows.count; i++)
            put_mark(lobby, mailbox_named(lobby, set->name), &set->rows.at[i]);
        return false;
    }
    if (note->kind == ACCESS_STORE_ANNOTATIONS_ASK) {
        const struct access_store_annotations_ask *ask = &note->as.annotations_ask;
        size_t count = list_marks(lobby, mailbox_named(lobby, ask->name), ask->is_all, rows);
        *ret_answer = (struct access_store_note){.kind = ACCESS_STORE_ANNOTATIONS,
                                                 .as.annotations = {0, {rows, count}}};
        return true;
    }
    if (note->kind == ACCESS_STORE_VANISHED_ASK) {
        *ret_answer = (struct access_store_note){.kind = ACCESS_STORE_VANISHED_TOLD,
                                                 .as.vanished_told = {0, {&lobby->vanished, 1}}};
        return lobby->vanished.first > 0;
    }
    entries[0] = (struct access_store_acl_entry){SLICE("ann@example.test"), 2047};
    entries[1] = (struct access_store_acl_entry){SLICE("anyone"), lobby->rights & 3};
    *ret_answer = (struct access_store_note){.kind = ACCESS_STORE_ACL,
                                             .as.acl = {0, {entries, LOBBY_ENTRIES_MAX}}};
    return true;
}
