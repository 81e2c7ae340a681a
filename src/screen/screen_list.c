/* SPDX-License-Identifier: ISC */
/* The list of messages and the side bar: what keys do there. */
#include "screen/screen_private.h"

#include <stdlib.h>

/* ---- undo ---------------------------------------------------------------------------------- */

static void
free_undo(struct undo *undo)
{
    free(undo->ids);
    free(undo->folder);
    free(undo);
}

void
screen_forget_undo(struct screen *screen)
{
    while (screen->undo) {
        struct undo *next = screen->undo->next;
        free_undo(screen->undo);
        screen->undo = next;
    }
}

static struct undo *
push_undo(struct screen *screen, enum undo_kind kind, const uint32_t *ids, size_t count)
{
    struct undo *undo = traffic_array(1, sizeof(*undo)), *last = screen->undo;

    undo->kind = kind;
    undo->ids = traffic_array(count, sizeof(*ids));
    memcpy(undo->ids, ids, count * sizeof(*ids));
    undo->count = count;
    undo->next = screen->undo;
    screen->undo = undo;
    for (size_t i = 0; last && i < UNDO_MAX; i++)
        last = last->next;
    while (last && last->next) { /* the oldest is forgotten */
        struct undo *old = last->next;
        last->next = old->next;
        free_undo(old);
    }
    return undo;
}

/* Where the messages of the oldest move that nobody has told of yet are now. */
void
screen_undo_moved(struct screen *screen, const struct news *news)
{
    struct undo *found = NULL;

    for (struct undo *undo = screen->undo; undo; undo = undo->next) {
        if (undo->kind == UNDO_MOVE && !undo->folder)
            found = undo;
    }
    if (!found || news->account != screen->account)
        return;
    found->folder = traffic_copy(traffic_text(news->folder));
    found->first = news->first;
    found->moved = news->count;
}

static bool
undo_move(struct screen *screen, const struct undo *undo)
{
    if (!undo->folder || undo->moved == 0) {
        screen_say(screen, true,
                   "The server does not say what they are called there: go to %s "
                   "and move them back.",
                   undo->folder ? undo->folder : "that folder");
        return undo->folder != NULL;
    }
    struct wish *wish = screen_wish(screen, WISH_BRING);
    traffic_set(&wish->folder, slice_of_string(undo->folder));
    wish->first = undo->first;
    wish->count = undo->moved;
    return true;
}

void
screen_undo(struct screen *screen)
{
    struct undo *undo = screen->undo;
    bool is_done = true;

    if (!undo) {
        screen_say(screen, false, "There is nothing to undo.");
        return;
    }
    screen_say(screen, false, "Undone.");
    for (size_t i = 0; undo->kind == UNDO_MARK && i < undo->count; i++) {
        struct entry *entry = roster_find(&screen->roster, undo->ids[i]);
        if (entry)
            entry->is_marked = false;
    }
    if (undo->kind == UNDO_FLAGS) {
        for (size_t i = 0; i < undo->count; i++)
            screen_flag(screen, undo->ids[i], undo->add ? undo->add : undo->remove, undo->add != 0,
                        false);
    } else if (undo->kind == UNDO_MOVE) {
        is_done = undo_move(screen, undo);
    }
    if (!is_done)
        return;
    screen->undo = undo->next;
    free_undo(undo);
}

/* ---- what is done to messages -------------------------------------------------------------- */

/* Shown at once; the server's word comes later. */
void
screen_flag(struct screen *screen, uint32_t id, uint32_t flag, bool is_set, bool has_undo)
{
    struct entry *entry = roster_find(&screen->roster, id);

    if (!entry || ((entry->flags & flag) != 0) == is_set)
        return;
    roster_set_flags(&screen->roster, id, is_set ? entry->flags | flag : entry->flags & ~flag);
    struct wish *wish = screen_wish(screen, WISH_FLAG);
    wish->ids = traffic_array(1, sizeof(*wish->ids));
    wish->ids[0] = id;
    wish->ids_count = 1;
    wish->add = is_set ? flag : 0;
    wish->remove = is_set ? 0 : flag;
    if (has_undo) {
        struct undo *undo = push_undo(screen, UNDO_FLAGS, &id, 1);
        undo->add = wish->remove;
        undo->remove = wish->add;
    }
}

void
screen_move(struct screen *screen, const uint32_t *ids, size_t count, const char *to)
{
    struct wish *wish = screen_wish(screen, WISH_MOVE);

    wish->ids = traffic_array(count, sizeof(*ids));
    memcpy(wish->ids, ids, count * sizeof(*ids));
    wish->ids_count = count;
    traffic_set(&wish->folder, slice_of_string(to));
    (void)push_undo(screen, UNDO_MOVE, ids, count);
    screen_say(screen, false, "%zu message%s moved to %s; u brings %s back.", count,
               count == 1 ? "" : "s", to, count == 1 ? "it" : "them");
}

static void
mark(struct screen *screen, struct entry *entry)
{
    if (entry->is_marked)
        return;
    entry->is_marked = true;
    (void)push_undo(screen, UNDO_MARK, &entry->id, 1);
    screen_say(screen, false, "Marked for deletion: u takes that back, $ does it now.");
}

static void
answer(struct screen *screen, const struct entry *entry, enum answer_kind kind)
{
    struct wish *wish = screen_wish(screen, WISH_ANSWER);

    wish->id = entry->id;
    wish->answer = kind;
}

static void
archive(struct screen *screen, const struct entry *entry)
{
    const struct folder *folder = screen_find_use(screen, FOLDER_ARCHIVE);

    if (!folder)
        screen_say(screen, true, "This account has no folder Archive; s moves to any folder.");
    else if (strcmp(folder->name, screen->folder) != 0)
        screen_move(screen, &entry->id, 1, folder->name);
}

bool
screen_press_message(struct screen *screen, const struct key *key)
{
    struct entry *entry = roster_chosen(&screen->roster);

    if (key_is(key, 'u')) {
        if (entry && entry->is_marked && (!screen->undo || screen->undo->kind != UNDO_MARK))
            entry->is_marked = false;
        else
            screen_undo(screen);
        return true;
    }
    if (key->kind != PRESS_CHARACTER || !entry)
        return false;
    switch (key->character) {
    case 'd':
        mark(screen, entry);
        return true;
    case 'F':
        screen_flag(screen, entry->id, MARK_FLAGGED, !(entry->flags & MARK_FLAGGED), true);
        return true;
    case 'N':
        screen_flag(screen, entry->id, MARK_SEEN, !(entry->flags & MARK_SEEN), true);
        return true;
    case 'r':
        answer(screen, entry, ANSWER_SENDER);
        return true;
    case 'g':
        answer(screen, entry, ANSWER_ALL);
        return true;
    case 'f':
        answer(screen, entry, ANSWER_FORWARD);
        return true;
    case 'b':
        screen_prompt(screen, PROMPT_RESEND, "Bounce to: ", SLICE(""));
        return true;
    case 's':
        screen_prompt(screen, PROMPT_MOVE, "Move to folder: ", SLICE(""));
        return true;
    case 'A':
        archive(screen, entry);
        return true;
    case 'e':
        screen_wish(screen, WISH_RESUME)->id = entry->id;
        return true;
    default:
        return false;
    }
}

/* ---- the side bar -------------------------------------------------------------------------- */

/* With one account its name stands in the title; with more each has a row. */
bool
screen_side_at(struct screen *screen, size_t row, uint32_t *ret_account, const char **ret_folder)
{
    bool has_names = screen->accounts_count > 1;

    for (uint32_t i = 0; i < screen->accounts_count; i++) {
        const struct account *account = &screen->accounts[i];
        if (has_names && row-- == 0) {
            *ret_account = i;
            *ret_folder = NULL;
            return true;
        }
        if (row < account->folders_count) {
            *ret_account = i;
            *ret_folder = account->folders[row].name;
            return true;
        }
        row -= account->folders_count;
    }
    return false;
}

size_t
screen_side_count(const struct screen *screen)
{
    size_t count = screen->accounts_count > 1 ? screen->accounts_count : 0;

    for (size_t i = 0; i < screen->accounts_count; i++)
        count += screen->accounts[i].folders_count;
    return count;
}

static void
open_side(struct screen *screen, size_t row)
{
    uint32_t account;
    const char *folder;

    if (!screen_side_at(screen, row, &account, &folder))
        return;
    screen->side_cursor = row;
    screen_leave_for(screen, AFTER_OPEN, account, folder ? folder : "INBOX");
}

static void
enter_side(struct screen *screen)
{
    const char *folder;
    uint32_t account;

    screen->is_side = screen_side_columns(screen) > 0;
    for (size_t row = 0; screen_side_at(screen, row, &account, &folder); row++) {
        if (account == screen->account && folder && strcmp(folder, screen->folder) == 0)
            screen->side_cursor = row;
    }
}

static bool
press_side(struct screen *screen, const struct key *key)
{
    size_t count = screen_side_count(screen);

    if (key->kind == PRESS_DOWN || key_is(key, 'j')) {
        screen->side_cursor += screen->side_cursor + 1 < count;
    } else if (key->kind == PRESS_UP || key_is(key, 'k')) {
        screen->side_cursor -= screen->side_cursor > 0;
    } else if (key->kind == PRESS_ENTER) {
        screen->is_side = false;
        open_side(screen, screen->side_cursor);
    } else if (key->kind == PRESS_RIGHT || key->kind == PRESS_ESCAPE || key_is(key, 'q') ||
               key->kind == PRESS_LEFT) {
        screen->is_side = false;
    } else {
        return false;
    }
    return true;
}

/* ---- the list ------------------------------------------------------------------------------ */

static bool
is_unseen(const struct entry *entry)
{
    return !(entry->flags & MARK_SEEN) && !entry->is_marked;
}

static bool
is_found(const struct entry *entry)
{
    return entry->is_found;
}

static void
jump(struct screen *screen, bool is_back, roster_fn fits, const char *otherwise)
{
    size_t row;

    if (roster_next(&screen->roster, screen->roster.cursor, is_back, fits, &row))
        roster_go(&screen->roster, row);
    else
        screen_say(screen, false, "%s", otherwise);
}

static void
end_search(struct screen *screen)
{
    screen->serial++;
    screen->roster.is_filtered = false;
    screen->roster.is_dirty = true;
    roster_arrange(&screen->roster);
}

static bool
press_motion(struct screen *screen, const struct key *key)
{
    struct roster *roster = &screen->roster;
    long page = (long)screen_list_rows(screen);

    switch ((int)key->kind) {
    case PRESS_DOWN:
        roster_step(roster, 1);
        return true;
    case PRESS_UP:
        roster_step(roster, -1);
        return true;
    case PRESS_PAGE_DOWN:
        roster_step(roster, page);
        return true;
    case PRESS_PAGE_UP:
        roster_step(roster, -page);
        return true;
    case PRESS_HOME:
        roster_go(roster, 0);
        return true;
    case PRESS_END:
        roster_go(roster, SIZE_MAX);
        return true;
    case PRESS_WHEEL_DOWN:
        roster_step(roster, 3);
        return true;
    case PRESS_WHEEL_UP:
        roster_step(roster, -3);
        return true;
    case PRESS_TAB:
        jump(screen, false, is_unseen, "Nothing is unread.");
        return true;
    case PRESS_BACK_TAB:
        jump(screen, true, is_unseen, "Nothing is unread.");
        return true;
    default:
        break;
    }
    if (key_is(key, 'j'))
        roster_step(roster, 1);
    else if (key_is(key, 'k'))
        roster_step(roster, -1);
    else if (key_is(key, '='))
        roster_go(roster, 0);
    else if (key_is(key, '*'))
        roster_go(roster, SIZE_MAX);
    else if (key_is(key, 'n'))
        jump(screen, false, is_found, "Nothing else was found; / searches.");
    else
        return false;
    return true;
}

static void
quit(struct screen *screen)
{
    screen_leave_for(screen, AFTER_QUIT, 0, NULL);
}

static bool
press_character(struct screen *screen, uint32_t character)
{
    switch (character) {
    case 'q':
        quit(screen);
        return true;
    case 'm':
        screen_begin_draft(screen);
        return true;
    case '/':
    case 'l':
        screen_prompt(screen, PROMPT_SEARCH, "Search: ", SLICE(""));
        return true;
    case 'c':
        screen_prompt(screen, PROMPT_FOLDER, "Open folder: ", SLICE(""));
        return true;
    case '$':
        screen_leave_for(screen, AFTER_NOTHING, 0, NULL);
        return true;
    case 't':
        screen->roster.is_flat = !screen->roster.is_flat;
        screen->roster.is_dirty = true;
        roster_arrange(&screen->roster);
        screen_say(screen, false, screen->roster.is_flat ? "Newest first." : "Threads.");
        return true;
    case 'R':
        screen_leave_for(screen, AFTER_OPEN, screen->account, screen->folder);
        return true;
    default:
        return false;
    }
}

bool
screen_press_list(struct screen *screen, const struct key *key)
{
    const struct entry *entry = roster_chosen(&screen->roster);

    if (screen->is_side)
        return press_side(screen, key);
    if (press_motion(screen, key))
        return true;
    if (key->kind == PRESS_ENTER || key_is(key, ' ') || key->kind == PRESS_RIGHT) {
        if (entry)
            screen_read(screen, entry);
        return true;
    }
    if (key->kind == PRESS_LEFT) {
        enter_side(screen);
        return true;
    }
    if (key->kind == PRESS_ESCAPE) {
        end_search(screen);
        return true;
    }
    if (screen_press_message(screen, key)) {
        if (key_is(key, 'd') || key_is(key, 'F') || key_is(key, 'N'))
            roster_step(&screen->roster, 1);
        return true;
    }
    return key->kind == PRESS_CHARACTER && press_character(screen, key->character);
}

/* ---- the mouse ----------------------------------------------------------------------------- */

void
screen_press_mouse(struct screen *screen, const struct key *key)
{
    size_t side = screen_side_columns(screen), row = key->row - 1;
    struct roster *roster = &screen->roster;

    if (key->row == 0 || key->row > screen_list_rows(screen))
        return;
    if (key->column < side) {
        screen->is_side = false;
        open_side(screen, row + screen->side_top);
    } else if (screen->pane == PANE_LIST && roster->top + row < roster->rows_count) {
        screen->is_side = false;
        roster_go(roster, roster->top + row);
        if (key->kind == PRESS_DOUBLE_CLICK)
            screen_read(screen, roster_chosen(roster));
    } else if (screen->pane == PANE_READER && key->kind == PRESS_CLICK &&
               screen->line + row >= screen->sheet.parts_line && screen->letter) {
        size_t part = screen->line + row - screen->sheet.parts_line;
        screen->is_choosing_part = part < screen->letter->parts_count;
        screen->part = screen->is_choosing_part ? part : 0;
    }
}
