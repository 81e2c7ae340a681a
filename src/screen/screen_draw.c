/* SPDX-License-Identifier: ISC */
/* The state as a canvas. */
#include "screen/screen_private.h"

#include "text/date.h"

#include <stdlib.h>

enum { DATE_COLUMNS = 7, FROM_COLUMNS_MAX = 24, TEXT_ROOM = 1 << 20 };

/* ---- title and bottom ---------------------------------------------------------------------- */

static void
draw_title(struct screen *screen, struct canvas *canvas)
{
    const struct account *account = screen_account(screen);
    struct buffer title, state;
    const char *how = account->state ? account->state : "connecting…";

    buffer_init(&title, TEXT_ROOM);
    buffer_init(&state, TEXT_ROOM);
    buffer_put_text(&title, " ");
    buffer_put(&title, slice_of_string(account->address));
    buffer_put_text(&title, "  ›  ");
    buffer_put(&title, traffic_text(screen->folder));
    if (screen->is_opening)
        buffer_put_text(&title, "  …");
    buffer_put_text(&state, how);
    buffer_put_text(&state, " ");
    size_t right = width_of(buffer_slice(&state));
    size_t left = screen->columns > right ? screen->columns - right : screen->columns;
    canvas_put_field(canvas, 0, 0, screen->columns, INK_BAR, SLICE(""));
    canvas_put_field(canvas, 0, 0, left, INK_BAR, buffer_slice(&title));
    (void)canvas_put(canvas, 0, left, right, INK_BAR, buffer_slice(&state));
    buffer_finish(&title);
    buffer_finish(&state);
}

/* "key what it does" pairs. */
static const char *
keys_of(const struct screen *screen)
{
    if (screen->prompt.kind != PROMPT_NONE)
        return screen->prompt.kind >= ASK_PURGE ? "y:yes n:no Esc:back"
                                                : "Enter:done Tab:complete Esc:back";
    if (screen->pane == PANE_HELP)
        return "q:back j:down k:up";
    if (screen->pane == PANE_COMPOSE && screen->is_sending)
        return "it:is on its way";
    if (screen->pane == PANE_COMPOSE)
        return "y:send e:edit a:attach t:to c:cc b:bcc s:subject P:keep q:quit ?:help";
    if (screen->pane == PANE_READER && screen->is_choosing_part)
        return "s:save Enter:open j:next k:previous q:back";
    if (screen->pane == PANE_READER)
        return "q:back Space:on r:reply g:all f:forward d:delete j:next k:previous v:attachments "
               "h:header ?:help";
    if (screen->is_side)
        return "Enter:open j:down k:up q:back";
    return "q:quit Enter:read m:write r:reply d:delete u:undo s:move /:search c:folder F:flag "
           "Tab:unread ?:help";
}

static void
draw_keys(struct screen *screen, struct canvas *canvas)
{
    struct slice rest = slice_of_string(keys_of(screen));
    size_t row = screen->rows - 1, column = 1;

    canvas_put_field(canvas, row, 0, screen->columns, INK_BAR, SLICE(""));
    while (rest.len > 0) {
        struct slice pair = slice_first(rest, slice_find_byte(rest, ' '));
        size_t colon = slice_find_last_byte(pair, ':');
        rest = slice_skip(rest, pair.len + 1);
        if (column + width_of(pair) + 1 > screen->columns)
            return;
        column +=
            canvas_put(canvas, row, column, screen->columns, INK_KEY, slice_first(pair, colon));
        column += canvas_put(canvas, row, column, screen->columns, INK_BAR, SLICE(" "));
        column +=
            canvas_put(canvas, row, column, screen->columns, INK_BAR, slice_skip(pair, colon + 1));
        column += 2;
    }
}

static void
draw_names(struct screen *screen, struct canvas *canvas)
{
    const struct prompt *prompt = &screen->prompt;
    size_t count = prompt->names_count < NAMES_SHOWN_MAX ? prompt->names_count : NAMES_SHOWN_MAX;
    size_t first = prompt->choice < prompt->names_count && prompt->choice >= count
                       ? prompt->choice + 1 - count
                       : 0;
    size_t bottom = screen->rows - 2;

    for (size_t i = 0; i < count && i < bottom; i++) {
        bool is_choice = first + i == prompt->choice;
        canvas_put_field(canvas, bottom - count + i, 0, screen->columns,
                         is_choice ? INK_CURSOR : INK_BAR, SLICE(""));
        canvas_put_field(
            canvas, bottom - count + i, 2, screen->columns > 4 ? screen->columns - 4 : 1,
            is_choice ? INK_CURSOR : INK_BAR, slice_of_string(prompt->names[first + i]));
    }
}

static void
draw_words(struct screen *screen, struct canvas *canvas)
{
    const struct prompt *prompt = &screen->prompt;
    size_t row = screen->rows - 2, used;

    if (prompt->kind == PROMPT_NONE) {
        canvas_put_field(canvas, row, 1, screen->columns - 1,
                         screen->is_alert ? INK_ALERT : INK_DIM, traffic_text(screen->note));
        return;
    }
    used =
        canvas_put(canvas, row, 1, screen->columns - 1, INK_STRONG, traffic_text(prompt->question));
    if (prompt->kind >= ASK_PURGE)
        return;
    if (1 + used + 1 < screen->columns)
        line_draw(&prompt->line, canvas, row, 1 + used, screen->columns - 1 - used);
    draw_names(screen, canvas);
}

/* ---- the side bar -------------------------------------------------------------------------- */

static void
draw_side_row(struct screen *screen, struct canvas *canvas, size_t row, size_t columns)
{
    uint32_t account;
    const char *name;
    char number[24] = "";

    if (!screen_side_at(screen, screen->side_top + row, &account, &name))
        return;
    bool is_open = account == screen->account && name && strcmp(name, screen->folder) == 0;
    bool is_cursor = screen->is_side && screen->side_top + row == screen->side_cursor;
    const struct folder *folder = name ? screen_find_folder(screen, account, name) : NULL;
    bool has_unseen = folder && folder->is_counted && folder->unseen > 0;
    enum ink ink = is_cursor        ? INK_CURSOR
                   : is_open        ? INK_CHOSEN
                   : has_unseen     ? INK_STRONG
                   : name && folder ? INK_TEXT
                                    : INK_LABEL;
    if (has_unseen)
        (void)snprintf(number, sizeof(number), "%u ", folder->unseen);
    canvas_put_field(canvas, row + 1, 0, columns, ink, SLICE(""));
    size_t left = name ? 1 + (screen->accounts_count > 1) : 0;
    size_t right = strlen(number);
    canvas_put_field(canvas, row + 1, left, columns > left + right ? columns - left - right : 1,
                     ink, slice_of_string(name ? name : screen->accounts[account].name));
    (void)canvas_put(canvas, row + 1, columns - right, right, ink, slice_of_string(number));
}

static void
draw_side(struct screen *screen, struct canvas *canvas, size_t columns)
{
    size_t rows = screen_list_rows(screen);

    if (screen->side_cursor >= screen->side_top + rows)
        screen->side_top = screen->side_cursor + 1 - rows;
    if (screen->side_cursor < screen->side_top)
        screen->side_top = screen->side_cursor;
    for (size_t row = 0; row < rows; row++) {
        draw_side_row(screen, canvas, row, columns);
        (void)canvas_put(canvas, row + 1, columns, 1, INK_DIM, SLICE("│"));
    }
}

/* ---- the list ------------------------------------------------------------------------------ */

/* "14:05" today, "21 Nov" this year, else "2024". */
static void
put_date(const struct screen *screen, struct wall date, struct buffer *out)
{
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct date_civil then = date_civil_of(date, screen->zone_minutes);
    struct date_civil now = date_civil_of(screen->now, screen->zone_minutes);
    char text[32];

    if (date.ns == 0)
        return;
    if (then.year == now.year && then.month == now.month && then.day == now.day)
        (void)snprintf(text, sizeof(text), " %02u:%02u", then.hour, then.minute);
    else if (then.year == now.year)
        (void)snprintf(text, sizeof(text), "%2u %s", then.day, months[(then.month - 1) % 12]);
    else
        (void)snprintf(text, sizeof(text), "%6d", then.year);
    buffer_put_text(out, text);
}

/* The lines that lead from a message to its answers. */
static void
put_tree(const struct row *row, struct buffer *out)
{
    for (unsigned depth = 1; depth < row->depth; depth++)
        buffer_put_text(out, row->branches & (1U << depth) ? "│ " : "  ");
    if (row->depth > 0)
        buffer_put_text(out, row->is_last ? "└─›" : "├─›");
}

static enum ink
ink_of(const struct screen *screen, const struct entry *entry, bool is_cursor)
{
    if (is_cursor)
        return screen->is_side ? INK_CHOSEN : INK_CURSOR;
    if (entry->is_marked)
        return INK_GONE;
    if (entry->flags & MARK_FLAGGED)
        return INK_FLAG;
    return entry->flags & MARK_SEEN ? INK_TEXT : INK_STRONG;
}

static void
draw_row(struct screen *screen, struct canvas *canvas, size_t row, size_t column)
{
    const struct roster *roster = &screen->roster;
    const struct entry *entry = roster_at(roster, roster->top + row);
    const struct head *head = entry->head;
    size_t columns = screen->columns - column, from = columns / 4, at = column + 1;
    enum ink ink = ink_of(screen, entry, roster->top + row == roster->cursor);
    char flags[4] = {entry->flags & MARK_SEEN ? (entry->flags & MARK_ANSWERED ? 'r' : ' ') : 'N',
                     entry->is_marked || entry->flags & MARK_DELETED ? 'D'
                     : entry->flags & MARK_FLAGGED                   ? '!'
                                                                     : ' ',
                     head && head->has_parts ? '+' : ' '};
    struct buffer text;

    buffer_init(&text, TEXT_ROOM);
    canvas_put_field(canvas, row + 1, column, columns, ink, SLICE(""));
    at += canvas_put(canvas, row + 1, at, 3, ink, slice_of_string(flags)) + 1;
    if (head)
        put_date(screen, head->date, &text);
    canvas_put_field(canvas, row + 1, at, DATE_COLUMNS, ink, buffer_slice(&text));
    at += DATE_COLUMNS;
    buffer_clear(&text);
    bool is_ours = screen_use(screen) == FOLDER_SENT || screen_use(screen) == FOLDER_DRAFTS;
    buffer_put_text(&text, head && is_ours ? "To " : "");
    buffer_put(&text, head ? traffic_text(is_ours ? head->to : head->from) : SLICE("…"));
    from = from < FROM_COLUMNS_MAX ? from : FROM_COLUMNS_MAX;
    canvas_put_field(canvas, row + 1, at, from, ink, buffer_slice(&text));
    at += from + 2;
    buffer_clear(&text);
    put_tree(&roster->rows[roster->top + row], &text);
    size_t tree = at < screen->columns
                      ? canvas_put(canvas, row + 1, at, screen->columns - at,
                                   ink == INK_TEXT ? INK_TREE : ink, buffer_slice(&text))
                      : 0;
    struct slice subject = traffic_text(head ? head->subject : "");
    if (at + tree < screen->columns)
        canvas_put_field(canvas, row + 1, at + tree, screen->columns - at - tree, ink,
                         head && subject.len == 0 ? SLICE("(no subject)") : subject);
    buffer_finish(&text);
}

void
screen_draw_list(struct screen *screen, struct canvas *canvas, size_t column)
{
    struct roster *roster = &screen->roster;
    size_t rows = screen_list_rows(screen);

    roster_arrange(roster);
    roster_show(roster, rows);
    for (size_t row = 0; row < rows && roster->top + row < roster->rows_count; row++)
        draw_row(screen, canvas, row, column);
    if (roster->rows_count > 0)
        return;
    canvas_put_field(canvas, 2, column + 2, screen->columns - column - 2, INK_DIM,
                     screen->is_opening    ? SLICE("Opening…")
                     : roster->is_filtered ? SLICE("Nothing was found. Esc shows all messages.")
                                           : SLICE("No messages here. m writes one."));
}

/* ---- reader and composer ------------------------------------------------------------------- */

static void
draw_reader(struct screen *screen, struct canvas *canvas, size_t column)
{
    struct sheet_place place = {.row = 1,
                                .column = column + 1,
                                .rows = screen_list_rows(screen),
                                .columns = screen->columns - column - 1};

    if (!screen->letter) {
        (void)canvas_put(canvas, 1, column + 1, 20, INK_DIM, SLICE("Reading…"));
        return;
    }
    sheet_draw(&screen->sheet, screen->line, canvas, &place);
    if (!screen->is_choosing_part)
        return;
    size_t line = screen->sheet.parts_line + screen->part;
    if (line >= screen->line && line < screen->line + place.rows)
        canvas_tint(canvas, 1 + line - screen->line, column, screen->columns - column, INK_CURSOR);
}

static void
draw_field(struct canvas *canvas, size_t row, const char *label, struct slice value)
{
    (void)canvas_put(canvas, row, 1, 10, INK_LABEL, slice_of_string(label));
    if (canvas->columns > 12)
        canvas_put_field(canvas, row, 11, canvas->columns - 12, INK_TEXT, value);
}

static void
draw_compose(struct screen *screen, struct canvas *canvas)
{
    const struct draft *draft = screen->draft;
    size_t row = 1, last = screen->rows - 2;
    const char *seals[] = {"none", "signed", "encrypted", "signed and encrypted"};

    if (!draft)
        return;
    draw_field(canvas, row++, "From:", slice_of_string(screen->accounts[draft->account].address));
    draw_field(canvas, row++, "To:", traffic_text(draft->to));
    draw_field(canvas, row++, "Cc:", traffic_text(draft->cc));
    draw_field(canvas, row++, "Bcc:", traffic_text(draft->bcc));
    draw_field(canvas, row++, "Subject:", traffic_text(draft->subject));
    draw_field(canvas, row++, "Seal:",
               slice_of_string(seals[(draft->is_signed ? 1 : 0) + (draft->is_encrypted ? 2 : 0)]));
    for (size_t i = 0; i < draft->files_count && row < last; i++, row++) {
        draw_field(canvas, row, "Attached:", traffic_text(draft->files[i]));
        if (i == screen->file)
            canvas_tint(canvas, row, 11, screen->columns - 12, INK_CHOSEN);
    }
    if (draft->forwarded && row < last)
        draw_field(canvas, row++, "Attached:", traffic_text(draft->forwarded_name));
    for (size_t i = 0; i < screen->columns && row < last; i++)
        (void)canvas_put(canvas, row, i, 1, INK_DIM, SLICE("─"));
    row++;
    for (struct slice rest = traffic_text(draft->text); rest.len > 0 && row < last; row++) {
        struct slice line = slice_first(rest, slice_find_byte(rest, '\n'));
        rest = slice_skip(rest, line.len + 1);
        canvas_put_field(canvas, row, 1, screen->columns - 1,
                         line.len > 0 && line.at[0] == '>' ? INK_QUOTE : INK_TEXT, line);
    }
}

void
screen_draw(struct screen *screen, struct canvas *canvas)
{
    size_t side = screen_side_columns(screen), column = side > 0 ? side + 1 : 0;

    canvas_clear(canvas);
    if (screen->rows < 4 || screen->columns < 20) {
        (void)canvas_put(canvas, 0, 0, screen->columns, INK_ALERT, SLICE("Too small."));
        return;
    }
    if (screen->pane == PANE_HELP)
        screen_draw_help(screen, canvas);
    else if (screen->pane == PANE_COMPOSE)
        draw_compose(screen, canvas);
    else if (screen->pane == PANE_READER)
        draw_reader(screen, canvas, column);
    else
        screen_draw_list(screen, canvas, column);
    if (side > 0 && screen->pane != PANE_HELP)
        draw_side(screen, canvas, side);
    draw_title(screen, canvas);
    draw_words(screen, canvas);
    draw_keys(screen, canvas);
}
