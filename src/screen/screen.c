/* SPDX-License-Identifier: ISC */
#include "screen/screen.h"

#include "screen/screen_private.h"

#include <stdarg.h>
#include <stdlib.h>

/* ---- wishes and words ---------------------------------------------------------------------- */

struct wish *
screen_wish(struct screen *screen, enum wish_kind kind)
{
    struct wish *wish = wish_new(kind, screen->account);

    wish->generation = screen->generation;
    if (screen->last_wish)
        screen->last_wish->next = wish;
    else
        screen->first_wish = wish;
    screen->last_wish = wish;
    return wish;
}

struct wish *
screen_next_wish(struct screen *screen)
{
    struct wish *wish = screen->first_wish;

    if (!wish)
        return NULL;
    screen->first_wish = wish->next;
    if (!screen->first_wish)
        screen->last_wish = NULL;
    wish->next = NULL;
    return wish;
}

void
screen_say(struct screen *screen, bool is_alert, const char *format, ...)
{
    char text[1000];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    traffic_set(&screen->note, slice_of_string(text));
    screen->is_alert = is_alert;
}

/* ---- folders ------------------------------------------------------------------------------- */

struct account *
screen_account(struct screen *screen)
{
    return &screen->accounts[screen->account];
}

struct folder *
screen_find_folder(struct screen *screen, uint32_t account, const char *name)
{
    const struct account *a = &screen->accounts[account];

    for (size_t i = 0; name && i < a->folders_count; i++) {
        if (strcmp(a->folders[i].name, name) == 0)
            return &a->folders[i];
    }
    return NULL;
}

struct folder *
screen_find_use(struct screen *screen, enum folder_use use)
{
    const struct account *account = screen_account(screen);

    for (size_t i = 0; i < account->folders_count; i++) {
        if (account->folders[i].use == use)
            return &account->folders[i];
    }
    return NULL;
}

enum folder_use
screen_use(struct screen *screen)
{
    const struct folder *folder = screen_find_folder(screen, screen->account, screen->folder);

    return folder ? folder->use : FOLDER_OTHER;
}

static void
open_folder(struct screen *screen, uint32_t account, const char *name)
{
    char *copy = traffic_copy(slice_of_string(name));

    screen_close_reader(screen);
    screen_forget_undo(screen);
    screen->account = account;
    free(screen->folder);
    screen->folder = copy;
    screen->is_opening = true;
    screen->is_heads_asked = false;
    screen->pane = PANE_LIST;
    roster_fill(&screen->roster, NULL, 0);
    traffic_set(&screen_wish(screen, WISH_OPEN)->folder, slice_of_string(name));
}

void
screen_go_on(struct screen *screen)
{
    enum after after = screen->after;
    char *folder = screen->after_folder;

    screen->after = AFTER_NOTHING;
    screen->after_folder = NULL;
    if (after == AFTER_QUIT) {
        screen->is_quitting = true;
        (void)screen_wish(screen, WISH_QUIT);
    } else if (after == AFTER_OPEN) {
        open_folder(screen, screen->after_account, folder);
    }
    free(folder);
}

/* Marked messages go to the folder for that, or for good where there is none. */
void
screen_purge(struct screen *screen)
{
    const struct folder *trash = screen_find_use(screen, FOLDER_TRASH);
    size_t count = 0, marked = roster_count_marked(&screen->roster);
    uint32_t *ids = traffic_array(marked, sizeof(*ids));

    for (size_t i = 0; i < screen->roster.count; i++) {
        if (screen->roster.entries[i].is_marked)
            ids[count++] = screen->roster.entries[i].id;
    }
    if (count > 0 && trash && strcmp(trash->name, screen->folder) != 0) {
        screen_move(screen, ids, count, trash->name);
        free(ids);
    } else if (count > 0) {
        struct wish *wish = screen_wish(screen, WISH_DELETE);
        wish->ids = ids;
        wish->ids_count = count;
    } else {
        free(ids);
    }
}

void
screen_leave_for(struct screen *screen, enum after after, uint32_t account, const char *folder)
{
    const struct folder *trash = screen_find_use(screen, FOLDER_TRASH);
    size_t count = roster_count_marked(&screen->roster);
    char question[200];

    screen->after = after;
    screen->after_account = account;
    free(screen->after_folder);
    screen->after_folder = folder ? traffic_copy(slice_of_string(folder)) : NULL;
    if (count == 0) {
        if (after == AFTER_NOTHING)
            screen_say(screen, false, "Nothing is marked for deletion.");
        screen_go_on(screen);
        return;
    }
    if (trash && strcmp(trash->name, screen->folder) != 0)
        (void)snprintf(question, sizeof(question), "Move %zu marked message%s to %.100s? (y/n)",
                       count, count == 1 ? "" : "s", trash->name);
    else
        (void)snprintf(question, sizeof(question), "Delete %zu marked message%s for good? (y/n)",
                       count, count == 1 ? "" : "s");
    screen_prompt(screen, ASK_PURGE, question, SLICE(""));
}

/* ---- sizes --------------------------------------------------------------------------------- */

/* Title, line for words, bar of keys. */
size_t
screen_list_rows(const struct screen *screen)
{
    return screen->rows > 4 ? screen->rows - 3 : 1;
}

size_t
screen_side_columns(const struct screen *screen)
{
    if (screen->columns < SIDE_FROM_COLUMNS || screen->pane == PANE_COMPOSE)
        return 0;
    size_t quarter = screen->columns / 4;
    return quarter < SIDE_COLUMNS_MAX ? quarter : SIDE_COLUMNS_MAX;
}

void
screen_wish_heads(struct screen *screen)
{
    size_t count;

    if (screen->is_heads_asked || screen->is_opening)
        return;
    roster_arrange(&screen->roster);
    roster_show(&screen->roster, screen_list_rows(screen));
    uint32_t *ids = roster_wanted(&screen->roster, screen_list_rows(screen), &count);
    if (!ids)
        return;
    struct wish *wish = screen_wish(screen, WISH_HEADS);
    wish->ids = ids;
    wish->ids_count = count;
    screen->is_heads_asked = true;
}

/* ---- news ---------------------------------------------------------------------------------- */

static void
take_folders(struct screen *screen, struct news *news)
{
    struct account *account = &screen->accounts[news->account];

    for (size_t i = 0; i < account->folders_count; i++)
        free(account->folders[i].name);
    free(account->folders);
    account->folders = news->folders;
    account->folders_count = news->folders_count;
    news->folders = NULL;
    news->folders_count = 0;
    /* A place without an INBOX, or a folder that has gone: another one is opened. */
    if (news->account == screen->account && !screen->is_opening && account->folders_count > 0 &&
        screen->pane == PANE_LIST && screen->roster.count == 0 &&
        !screen_find_folder(screen, screen->account, screen->folder))
        open_folder(screen, screen->account, account->folders[0].name);
}

static void
take_opened(struct screen *screen, const struct news *news)
{
    if (strcmp(news->folder, screen->folder) != 0)
        return; /* another one was wished for meanwhile */
    bool is_again = !screen->is_opening && news->generation == screen->generation;
    screen->is_opening = screen->is_heads_asked = false;
    screen->generation = news->generation;
    if (is_again) { /* the connection was lost, and is there again */
        roster_merge(&screen->roster, news->items, news->items_count);
        roster_arrange(&screen->roster);
        return;
    }
    roster_fill(&screen->roster, news->items, news->items_count);
    roster_arrange(&screen->roster);
    roster_go(&screen->roster, 0);
}

/* The side bar's numbers follow what is seen in the list. */
static void
count_again(struct screen *screen)
{
    struct folder *folder = screen_find_folder(screen, screen->account, screen->folder);

    if (!folder || screen->is_opening)
        return;
    folder->is_counted = true;
    folder->messages = (uint32_t)screen->roster.count;
    folder->unseen = (uint32_t)roster_count_unseen(&screen->roster);
}

static void
take_changes(struct screen *screen, const struct news *news)
{
    struct roster *roster = &screen->roster;

    for (size_t i = 0; i < news->items_count; i++) {
        struct item item = news->items[i];
        if (news->kind == NEWS_ARRIVED)
            roster_add(roster, item);
        else if (news->kind == NEWS_GONE)
            roster_remove(roster, item.id);
        else
            roster_set_flags(roster, item.id, item.flags);
    }
    if (news->kind == NEWS_ARRIVED && news->items_count > 0)
        screen_say(screen, false, "%zu new message%s.", news->items_count,
                   news->items_count == 1 ? "" : "s");
    roster_arrange(roster);
}

static void
take_heads(struct screen *screen, struct news *news)
{
    screen->is_heads_asked = false;
    for (size_t i = 0; i < news->heads_count; i++)
        roster_take_head(&screen->roster, &news->heads[i]);
    roster_arrange(&screen->roster);
}

static void
take_failure(struct screen *screen, const struct news *news)
{
    bool is_here = news->account == screen->account;

    if (news->wish == WISH_HEADS && is_here)
        screen->is_heads_asked = true; /* not again before something changes */
    if (news->wish == WISH_OPEN && is_here)
        screen->is_opening = false;
    if (news->wish == WISH_READ && is_here && !screen->letter)
        screen_close_reader(screen);
    if (news->wish == WISH_SEND)
        screen->is_sending = false;
    if (news->text && news->text[0])
        screen_say(screen, true, "%s", news->text);
}

static void
take_state(struct screen *screen, const struct news *news)
{
    struct account *account = &screen->accounts[news->account];

    account->is_online = news->is_online;
    account->is_local = news->is_local;
    traffic_set(&account->state, traffic_text(news->text));
    if (news->account == screen->account && screen->is_heads_asked && news->is_online) {
        screen->is_heads_asked = false;
        roster_ask_again(&screen->roster);
    }
}

static void
dispatch(struct screen *screen, struct news *news)
{
    bool is_open = news->account == screen->account && !screen->is_opening;

    switch (news->kind) {
    case NEWS_STATE:
        take_state(screen, news);
        break;
    case NEWS_FOLDERS:
        take_folders(screen, news);
        break;
    case NEWS_OPENED:
        if (news->account == screen->account)
            take_opened(screen, news);
        break;
    case NEWS_ARRIVED:
    case NEWS_GONE:
    case NEWS_FLAGS:
        if (is_open)
            take_changes(screen, news);
        else if (news->kind == NEWS_ARRIVED && news->account != screen->account)
            screen_say(screen, false, "New mail for %s.", screen->accounts[news->account].address);
        break;
    case NEWS_HEADS:
        if (is_open)
            take_heads(screen, news);
        break;
    case NEWS_SHEET:
        if (is_open)
            screen_take_sheet(screen, news);
        break;
    case NEWS_FOUND:
        if (is_open)
            screen_take_found(screen, news);
        break;
    case NEWS_MOVED:
        screen_undo_moved(screen, news);
        break;
    case NEWS_DRAFT:
        screen_take_draft(screen, news);
        break;
    case NEWS_SENT:
        screen_take_sent(screen, news);
        break;
    case NEWS_ADDRESSES:
    case NEWS_FILES:
        screen_take_names(screen, news);
        break;
    case NEWS_DONE:
        break;
    case NEWS_FAILED:
        take_failure(screen, news);
        break;
    case NEWS_SAID:
        screen_say(screen, news->is_alert, "%s", news->text ? news->text : "");
        break;
    }
}

void
screen_tell(struct screen *screen, struct news *news)
{
    if (news->account < screen->accounts_count) {
        dispatch(screen, news);
        count_again(screen);
        screen_wish_heads(screen);
    }
    news_free(news);
}

/* ---- keys ---------------------------------------------------------------------------------- */

static void
press_help(struct screen *screen, const struct key *key)
{
    size_t rows = screen_list_rows(screen), lines = screen_help_lines();
    size_t last = lines > rows ? lines - rows : 0;

    if (key->kind == PRESS_DOWN || key_is(key, 'j') || key->kind == PRESS_WHEEL_DOWN)
        screen->help_top += screen->help_top < last;
    else if (key->kind == PRESS_UP || key_is(key, 'k') || key->kind == PRESS_WHEEL_UP)
        screen->help_top -= screen->help_top > 0;
    else if (key->kind == PRESS_PAGE_DOWN || key_is(key, ' '))
        screen->help_top = screen->help_top + rows < last ? screen->help_top + rows : last;
    else if (key->kind == PRESS_PAGE_UP || key_is(key, '-'))
        screen->help_top = screen->help_top > rows ? screen->help_top - rows : 0;
    else
        screen->pane = screen->pane_before;
}

static bool
press_anywhere(struct screen *screen, const struct key *key)
{
    if (key->kind == PRESS_HELP || key_is(key, '?')) {
        screen->pane_before = screen->pane;
        screen->pane = PANE_HELP;
        screen->help_top = 0;
        return true;
    }
    return key_is(key, KEY_CONTROL('L'));
}

void
screen_press(struct screen *screen, const struct key *key)
{
    bool is_mouse = key->kind == PRESS_CLICK || key->kind == PRESS_DOUBLE_CLICK;

    if (screen->is_quitting)
        return;
    if (screen->prompt.kind != PROMPT_NONE) {
        screen_press_prompt(screen, key);
    } else if (screen->pane == PANE_HELP) {
        press_help(screen, key);
    } else {
        screen_say(screen, false, "%s", "");
        if (is_mouse)
            screen_press_mouse(screen, key);
        else if (!(screen->pane == PANE_READER    ? screen_press_reader(screen, key)
                   : screen->pane == PANE_COMPOSE ? screen_press_compose(screen, key)
                                                  : screen_press_list(screen, key)) &&
                 !press_anywhere(screen, key) && key->kind != PRESS_WHEEL_UP &&
                 key->kind != PRESS_WHEEL_DOWN && key->kind != PRESS_ESCAPE)
            screen_say(screen, false, "This key does nothing here; ? shows all that do.");
    }
    count_again(screen);
    screen_wish_heads(screen);
}

/* ---- beginning and end --------------------------------------------------------------------- */

struct screen *
screen_new(const struct screen_options *options)
{
    struct screen *screen = traffic_array(1, sizeof(*screen));

    screen->rows = options->rows;
    screen->columns = options->columns;
    screen->now = options->now;
    screen->zone_minutes = options->zone_minutes;
    screen->accounts_count = options->accounts_count;
    screen->accounts = traffic_array(options->accounts_count, sizeof(*screen->accounts));
    for (size_t i = 0; i < options->accounts_count; i++) {
        screen->accounts[i].name = traffic_copy(slice_of_string(options->accounts[i].name));
        screen->accounts[i].address = traffic_copy(slice_of_string(options->accounts[i].address));
    }
    roster_init(&screen->roster, options->seed);
    sheet_init(&screen->sheet);
    line_init(&screen->prompt.line);
    screen_say(screen, false, "%s", "");
    open_folder(screen, 0, "INBOX");
    for (uint32_t i = 0; i < options->accounts_count; i++)
        screen_wish(screen, WISH_FOLDERS)->account = i;
    return screen;
}

void
screen_free(struct screen **screen)
{
    struct screen *s = *screen;

    for (struct wish *wish; (wish = screen_next_wish(s));)
        wish_free(wish);
    screen_forget_undo(s);
    screen_close_prompt(s);
    line_finish(&s->prompt.line);
    for (size_t i = 0; i < s->accounts_count; i++) {
        struct account *account = &s->accounts[i];
        for (size_t j = 0; j < account->folders_count; j++)
            free(account->folders[j].name);
        free(account->folders);
        free(account->name);
        free(account->address);
        free(account->state);
    }
    free(s->accounts);
    free(s->folder);
    free(s->after_folder);
    free(s->note);
    roster_finish(&s->roster);
    sheet_finish(&s->sheet);
    sheet_text_free(s->letter);
    draft_free(s->draft);
    free(s);
    *screen = NULL;
}

void
screen_resize(struct screen *screen, size_t rows, size_t columns)
{
    screen->rows = rows;
    screen->columns = columns;
    screen_lay_out(screen);
    screen_wish_heads(screen);
}

void
screen_set_time(struct screen *screen, struct wall now, int zone_minutes)
{
    screen->now = now;
    screen->zone_minutes = zone_minutes;
}
