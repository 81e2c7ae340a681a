/* SPDX-License-Identifier: ISC */
#include "tool/terminal/display.h"

#include "text/utf8.h"
#include "tool/say.h"

#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>
#include <wchar.h>

enum { DOUBLE_CLICK_MS = 400, ESCAPE_MS = 25 };

/* Colours that can be read on dark and on light ground; -1: the terminal's own. With 8 colours the
 * second of each. */
struct tone {
    short front, back;         /* of 256 */
    short few_front, few_back; /* of 8 */
    attr_t attributes;
};

static const struct tone dark[INK_COUNT] = {
    [INK_TEXT] = {-1, -1, -1, -1, 0},
    [INK_DIM] = {245, -1, -1, -1, 0},
    [INK_STRONG] = {-1, -1, -1, -1, A_BOLD},
    [INK_BAR] = {252, 236, COLOR_WHITE, COLOR_BLUE, 0},
    [INK_KEY] = {222, 236, COLOR_YELLOW, COLOR_BLUE, A_BOLD},
    [INK_CURSOR] = {231, 25, COLOR_BLACK, COLOR_CYAN, 0},
    [INK_CHOSEN] = {252, 238, -1, -1, A_BOLD},
    [INK_FLAG] = {215, -1, COLOR_YELLOW, -1, 0},
    [INK_GONE] = {131, -1, COLOR_RED, -1, 0},
    [INK_LABEL] = {73, -1, COLOR_CYAN, -1, 0},
    [INK_QUOTE] = {71, -1, COLOR_GREEN, -1, 0},
    [INK_QUOTE_2] = {103, -1, COLOR_MAGENTA, -1, 0},
    [INK_LINK] = {75, -1, COLOR_BLUE, -1, A_UNDERLINE},
    [INK_TREE] = {-1, -1, -1, -1, 0},
    [INK_ALERT] = {203, -1, COLOR_RED, -1, A_BOLD},
};

static const struct tone light[INK_COUNT] = {
    [INK_TEXT] = {-1, -1, -1, -1, 0},
    [INK_DIM] = {242, -1, -1, -1, 0},
    [INK_STRONG] = {-1, -1, -1, -1, A_BOLD},
    [INK_BAR] = {235, 253, COLOR_BLACK, COLOR_WHITE, 0},
    [INK_KEY] = {25, 253, COLOR_BLUE, COLOR_WHITE, A_BOLD},
    [INK_CURSOR] = {16, 153, COLOR_BLACK, COLOR_CYAN, 0},
    [INK_CHOSEN] = {235, 254, -1, -1, A_BOLD},
    [INK_FLAG] = {130, -1, COLOR_MAGENTA, -1, 0},
    [INK_GONE] = {131, -1, COLOR_RED, -1, 0},
    [INK_LABEL] = {24, -1, COLOR_BLUE, -1, 0},
    [INK_QUOTE] = {28, -1, COLOR_GREEN, -1, 0},
    [INK_QUOTE_2] = {60, -1, COLOR_MAGENTA, -1, 0},
    [INK_LINK] = {26, -1, COLOR_BLUE, -1, A_UNDERLINE},
    [INK_TREE] = {-1, -1, -1, -1, 0},
    [INK_ALERT] = {160, -1, COLOR_RED, -1, A_BOLD},
};

static const attr_t mono[INK_COUNT] = {
    [INK_DIM] = A_DIM,        [INK_STRONG] = A_BOLD,
    [INK_BAR] = A_REVERSE,    [INK_KEY] = A_REVERSE | A_BOLD,
    [INK_CURSOR] = A_REVERSE, [INK_CHOSEN] = A_BOLD | A_UNDERLINE,
    [INK_FLAG] = A_BOLD,      [INK_GONE] = A_DIM,
    [INK_LABEL] = A_BOLD,     [INK_LINK] = A_UNDERLINE,
    [INK_ALERT] = A_BOLD,
};

struct display {
    attr_t attributes[INK_COUNT];
    short pairs[INK_COUNT];
    SCREEN *terminal;
    struct timespec clicked; /* the last click, and where */
    int click_row;
};

/* ---- colours ------------------------------------------------------------------------------- */

/* "15;0" in COLORFGBG: some terminals say what their ground is. */
static bool
is_light_ground(void)
{
    const char *text = getenv("COLORFGBG"), *back = text ? strrchr(text, ';') : NULL;

    return back && (strcmp(back, ";7") == 0 || strcmp(back, ";15") == 0);
}

static void
choose_inks(struct display *display, enum display_theme theme)
{
    const struct tone *tones =
        theme == DISPLAY_LIGHT || (theme == DISPLAY_AUTO && is_light_ground()) ? light : dark;
    bool has_colours = theme != DISPLAY_MONO && !getenv("NO_COLOR") && has_colors() &&
                       start_color() == OK && use_default_colors() == OK;

    for (short ink = 0; ink < INK_COUNT; ink++) {
        bool is_many = has_colours && COLORS >= 256;
        display->attributes[ink] = has_colours ? tones[ink].attributes : mono[ink];
        display->pairs[ink] = 0;
        short front = (short)(is_many ? tones[ink].front : tones[ink].few_front);
        short back = (short)(is_many ? tones[ink].back : tones[ink].few_back);
        if (has_colours && init_pair((short)(ink + 1), front, back) == OK)
            display->pairs[ink] = (short)(ink + 1);
    }
}

/* ---- the terminal -------------------------------------------------------------------------- */

int
display_open(enum display_theme theme, struct display **ret_display)
{
    const char *name = getenv("TERM");
    struct display *display;

    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return say_error(EX_USAGE, "facteur mail wants a terminal; 'facteur list' and 'facteur "
                                   "show' do without");
    if (!setlocale(LC_ALL, "") || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        (void)setlocale(LC_CTYPE, "C.UTF-8");
    display = calloc(1, sizeof(*display));
    if (!display)
        abort();
    display->terminal = newterm(NULL, stdout, stdin);
    if (!display->terminal) {
        free(display);
        return say_error(EX_UNAVAILABLE,
                         "nothing is known of the terminal '%s'; set TERM to what "
                         "it is, as xterm-256color",
                         name ? name : "");
    }
    choose_inks(display, theme);
    (void)raw();
    (void)noecho();
    (void)nonl();
    (void)keypad(stdscr, TRUE);
    (void)nodelay(stdscr, TRUE);
    (void)set_escdelay(ESCAPE_MS);
    /* Clicks that come in one burst, as over a slow line, are joined by curses. */
    (void)mousemask(BUTTON1_PRESSED | BUTTON1_CLICKED | BUTTON1_DOUBLE_CLICKED | BUTTON4_PRESSED |
                        BUTTON5_PRESSED,
                    NULL);
    (void)mouseinterval(0);
    *ret_display = display;
    return EX_OK;
}

void
display_close(struct display **display)
{
    if (!*display)
        return;
    (void)endwin();
    delscreen((*display)->terminal);
    free(*display);
    *display = NULL;
}

void
display_leave(struct display *display)
{
    (void)set_term(display->terminal);
    (void)def_prog_mode();
    (void)endwin();
}

void
display_return(struct display *display)
{
    (void)set_term(display->terminal);
    (void)reset_prog_mode();
    (void)clearok(curscr, TRUE);
    (void)refresh();
}

void
display_size(const struct display *display, size_t *ret_rows, size_t *ret_columns)
{
    int rows, columns;

    (void)set_term(display->terminal);
    getmaxyx(stdscr, rows, columns);
    *ret_rows = rows > 0 ? (size_t)rows : 1;
    *ret_columns = columns > 0 ? (size_t)columns : 1;
}

/* ---- keys ---------------------------------------------------------------------------------- */

static bool
take_mouse(struct display *display, struct key *ret_key)
{
    MEVENT event;
    struct timespec now;

    if (getmouse(&event) != OK)
        return false;
    *ret_key = (struct key){.row = (size_t)event.y, .column = (size_t)event.x};
    if (event.bstate & BUTTON4_PRESSED) {
        ret_key->kind = PRESS_WHEEL_UP;
    } else if (event.bstate & BUTTON5_PRESSED) {
        ret_key->kind = PRESS_WHEEL_DOWN;
    } else if (event.bstate & BUTTON1_DOUBLE_CLICKED) {
        ret_key->kind = PRESS_DOUBLE_CLICK;
    } else if (event.bstate & (BUTTON1_PRESSED | BUTTON1_CLICKED)) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        int64_t passed_ms = (now.tv_sec - display->clicked.tv_sec) * 1000 +
                            (now.tv_nsec - display->clicked.tv_nsec) / 1000000;
        bool is_double = passed_ms < DOUBLE_CLICK_MS && display->click_row == event.y;
        ret_key->kind = is_double ? PRESS_DOUBLE_CLICK : PRESS_CLICK;
        display->clicked = now;
        display->click_row = event.y;
    } else {
        return false;
    }
    return true;
}

static bool
take_function_key(struct display *display, wint_t code, struct key *ret_key)
{
    static const struct {
        int code;
        enum key_kind kind;
    } rows[] = {
        {KEY_ENTER, PRESS_ENTER}, {KEY_BTAB, PRESS_BACK_TAB}, {KEY_BACKSPACE, PRESS_BACKSPACE},
        {KEY_DC, PRESS_DELETE},   {KEY_UP, PRESS_UP},         {KEY_DOWN, PRESS_DOWN},
        {KEY_LEFT, PRESS_LEFT},   {KEY_RIGHT, PRESS_RIGHT},   {KEY_HOME, PRESS_HOME},
        {KEY_END, PRESS_END},     {KEY_PPAGE, PRESS_PAGE_UP}, {KEY_NPAGE, PRESS_PAGE_DOWN},
        {KEY_F(1), PRESS_HELP},
    };

    if (code == KEY_MOUSE)
        return take_mouse(display, ret_key);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (code == (wint_t)rows[i].code) {
            *ret_key = (struct key){.kind = rows[i].kind};
            return true;
        }
    }
    return false;
}

static void
take_character(wint_t code, struct key *ret_key)
{
    *ret_key = (struct key){.kind = PRESS_CHARACTER, .character = code};
    if (code == '\r' || code == '\n')
        ret_key->kind = PRESS_ENTER;
    else if (code == '\t')
        ret_key->kind = PRESS_TAB;
    else if (code == 27 || code == KEY_CONTROL('C'))
        ret_key->kind = PRESS_ESCAPE;
    else if (code == 127 || code == 8)
        ret_key->kind = PRESS_BACKSPACE;
}

static void
suspend(struct display *display)
{
    display_leave(display);
    (void)raise(SIGSTOP);
    display_return(display);
}

bool
display_take(struct display *display, struct key *ret_key, bool *ret_is_resized)
{
    wint_t code;

    *ret_is_resized = false;
    for (;;) {
        int kind = get_wch(&code);
        if (kind == ERR)
            return false;
        if (kind == KEY_CODE_YES && code == KEY_RESIZE) {
            *ret_is_resized = true;
            return false;
        }
        if (kind != KEY_CODE_YES && code == KEY_CONTROL('Z')) {
            suspend(display);
            continue;
        }
        if (kind == KEY_CODE_YES && !take_function_key(display, code, ret_key))
            continue;
        if (kind != KEY_CODE_YES)
            take_character(code, ret_key);
        return true;
    }
}

/* ---- showing ------------------------------------------------------------------------------- */

static void
show_cell(const struct display *display, int row, int column, const struct cell *cell)
{
    wchar_t text[CCHARW_MAX + 1] = L"";
    struct cursor cursor = cursor_of(slice_of_string(cell->text));
    uint32_t character;
    size_t len = 0;
    cchar_t out;

    while (len < CCHARW_MAX && utf8_take(&cursor, &character))
        text[len++] = (wchar_t)character;
    if (len == 0 || wcwidth(text[0]) < 1) { /* not known here */
        text[0] = L'?';
        len = 1;
    }
    text[len] = L'\0';
    if (setcchar(&out, text, display->attributes[cell->ink], display->pairs[cell->ink], NULL) == OK)
        (void)mvadd_wch(row, column, &out);
}

void
display_show(struct display *display, const struct canvas *canvas)
{
    (void)erase();
    for (size_t row = 0; row < canvas->rows; row++) {
        for (size_t column = 0; column < canvas->columns; column++) {
            const struct cell *cell = canvas_cell(canvas, row, column);
            if (cell->text[0] != '\0')
                show_cell(display, (int)row, (int)column, cell);
        }
    }
    (void)curs_set(canvas->has_cursor ? 1 : 0);
    if (canvas->has_cursor)
        (void)move((int)canvas->cursor_row, (int)canvas->cursor_column);
    (void)refresh();
}
