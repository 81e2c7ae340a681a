/* SPDX-License-Identifier: ISC */
/* The reader: one message, its attachments. */
#include "screen/screen_private.h"

#include <stdlib.h>

void
screen_close_reader(struct screen *screen)
{
    sheet_text_free(screen->letter);
    screen->letter = NULL;
    screen->reading = 0;
    screen->is_choosing_part = false;
    if (screen->pane == PANE_READER)
        screen->pane = PANE_LIST;
}

void
screen_read(struct screen *screen, const struct entry *entry)
{
    screen_close_reader(screen);
    screen->reading = entry->id;
    screen->pane = PANE_READER;
    screen->line = 0;
    screen_wish(screen, WISH_READ)->id = entry->id;
}

void
screen_lay_out(struct screen *screen)
{
    size_t side = screen_side_columns(screen);
    size_t columns = screen->columns > side + 3 ? screen->columns - side - 2 : 20;

    if (screen->letter)
        sheet_lay_out(&screen->sheet, screen->letter, columns, screen->has_head);
}

void
screen_take_sheet(struct screen *screen, struct news *news)
{
    if (!news->sheet || news->sheet->id != screen->reading)
        return;
    sheet_text_free(screen->letter);
    screen->letter = news->sheet;
    news->sheet = NULL;
    screen->is_choosing_part = false;
    screen->line = 0;
    screen_lay_out(screen);
    screen_flag(screen, screen->reading, MARK_SEEN, true, false);
    if (screen->letter->asks && screen->pane == PANE_READER && screen->prompt.kind == PROMPT_NONE)
        screen_prompt(screen, ASK_RECEIPT, screen->letter->asks, SLICE(""));
}

/* ---- moving -------------------------------------------------------------------------------- */

static size_t
last_line(const struct screen *screen)
{
    size_t rows = screen_list_rows(screen);

    return screen->sheet.lines_count > rows ? screen->sheet.lines_count - rows : 0;
}

static void
scroll(struct screen *screen, long lines)
{
    size_t last = last_line(screen);

    if (lines < 0)
        screen->line = screen->line > (size_t)-lines ? screen->line - (size_t)-lines : 0;
    else
        screen->line = screen->line + (size_t)lines < last ? screen->line + (size_t)lines : last;
}

static bool
is_unseen(const struct entry *entry)
{
    return !(entry->flags & MARK_SEEN) && !entry->is_marked;
}

static bool
is_not_marked(const struct entry *entry)
{
    return !entry->is_marked;
}

/* The next message that fits, without going round the end; the list when there is none. */
static void
read_next(struct screen *screen, bool is_back, roster_fn fits)
{
    struct roster *roster = &screen->roster;
    size_t row;

    if (!roster_next(roster, roster->cursor, is_back, fits, &row) ||
        (is_back ? row > roster->cursor : row < roster->cursor)) {
        screen_say(screen, false, "This is the %s message.", is_back ? "first" : "last");
        return;
    }
    roster_go(roster, row);
    screen_read(screen, roster_chosen(roster));
}

static bool
press_motion(struct screen *screen, const struct key *key)
{
    long page = (long)screen_list_rows(screen) - 1;

    switch ((int)key->kind) {
    case PRESS_DOWN:
    case PRESS_ENTER:
        scroll(screen, 1);
        return true;
    case PRESS_UP:
    case PRESS_BACKSPACE:
        scroll(screen, -1);
        return true;
    case PRESS_WHEEL_DOWN:
        scroll(screen, 3);
        return true;
    case PRESS_WHEEL_UP:
        scroll(screen, -3);
        return true;
    case PRESS_PAGE_DOWN:
        scroll(screen, page);
        return true;
    case PRESS_PAGE_UP:
        scroll(screen, -page);
        return true;
    case PRESS_HOME:
        screen->line = 0;
        return true;
    case PRESS_END:
        screen->line = last_line(screen);
        return true;
    case PRESS_TAB:
        read_next(screen, false, is_unseen);
        return true;
    case PRESS_BACK_TAB:
        read_next(screen, true, is_unseen);
        return true;
    default:
        break;
    }
    if (key_is(key, ' ') && screen->line < last_line(screen))
        scroll(screen, page);
    else if (key_is(key, ' ') || key_is(key, 'j'))
        read_next(screen, false, is_not_marked);
    else if (key_is(key, '-'))
        scroll(screen, -page);
    else if (key_is(key, 'k'))
        read_next(screen, true, is_not_marked);
    else
        return false;
    return true;
}

/* ---- attachments --------------------------------------------------------------------------- */

static void
choose_part(struct screen *screen, size_t part)
{
    size_t rows = screen_list_rows(screen), line = screen->sheet.parts_line + part;

    screen->is_choosing_part = true;
    screen->part = part;
    if (line < screen->line || line >= screen->line + rows)
        screen->line = line + 1 > rows ? line + 1 - rows : 0;
}

static bool
press_part(struct screen *screen, const struct key *key)
{
    const struct sheet_part *part = &screen->letter->parts[screen->part];
    size_t count = screen->letter->parts_count;

    if (key->kind == PRESS_DOWN || key_is(key, 'j'))
        choose_part(screen, screen->part + 1 < count ? screen->part + 1 : screen->part);
    else if (key->kind == PRESS_UP || key_is(key, 'k'))
        choose_part(screen, screen->part > 0 ? screen->part - 1 : 0);
    else if (key_is(key, 's'))
        screen_prompt(screen, PROMPT_SAVE, "Save to file: ", traffic_text(part->name));
    else if (key->kind == PRESS_ENTER || key_is(key, 'o')) {
        struct wish *wish = screen_wish(screen, WISH_SHOW);
        wish->id = screen->reading;
        wish->part = part->index;
    } else if (key_is(key, 'q') || key_is(key, 'i') || key_is(key, 'v') ||
               key->kind == PRESS_ESCAPE)
        screen->is_choosing_part = false;
    else
        return false;
    return true;
}

/* ---- keys ---------------------------------------------------------------------------------- */

void
screen_find_in_sheet(struct screen *screen, struct slice words)
{
    size_t line;

    if (sheet_find(&screen->sheet, screen->line + 1, words, &line) ||
        sheet_find(&screen->sheet, 0, words, &line))
        screen->line = line < last_line(screen) ? line : last_line(screen);
    else
        screen_say(screen, false, "Not found in this message.");
}

static bool
press_character(struct screen *screen, uint32_t character)
{
    switch (character) {
    case 'q':
    case 'i':
        screen_close_reader(screen);
        return true;
    case 'h':
        screen->has_head = !screen->has_head;
        screen->line = 0;
        screen_lay_out(screen);
        return true;
    case 'v':
        if (screen->letter && screen->letter->parts_count > 0)
            choose_part(screen, 0);
        else
            screen_say(screen, false, "Nothing is attached.");
        return true;
    case '/':
        screen_prompt(screen, PROMPT_FIND, "Find: ", SLICE(""));
        return true;
    case 'n':
        screen_find_in_sheet(screen, line_text(&screen->prompt.line));
        return true;
    case 'm':
        screen_begin_draft(screen);
        return true;
    default:
        return false;
    }
}

bool
screen_press_reader(struct screen *screen, const struct key *key)
{
    if (screen->is_choosing_part)
        return press_part(screen, key);
    if (press_motion(screen, key))
        return true;
    if (key->kind == PRESS_ESCAPE || key->kind == PRESS_LEFT) {
        screen_close_reader(screen);
        return true;
    }
    if (screen_press_message(screen, key)) {
        if (key_is(key, 'd'))
            read_next(screen, false, is_not_marked);
        return true;
    }
    return key->kind == PRESS_CHARACTER && press_character(screen, key->character);
}
