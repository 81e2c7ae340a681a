/* SPDX-License-Identifier: ISC */
/* Questions in the bottom line: what is typed, how it may go on, and what follows. */
#include "screen/screen_private.h"

#include <stdlib.h>

/* Two letters stand in nearly every text: the server is not asked for them. */
enum { SEARCH_MIN = 3 };

static bool
is_question(enum prompt_kind kind)
{
    return kind == ASK_PURGE || kind == ASK_DISCARD || kind == ASK_RECEIPT;
}

static bool
takes_addresses(enum prompt_kind kind)
{
    return kind == PROMPT_TO || kind == PROMPT_CC || kind == PROMPT_BCC || kind == PROMPT_RESEND;
}

static bool
takes_folders(enum prompt_kind kind)
{
    return kind == PROMPT_MOVE || kind == PROMPT_FOLDER;
}

static void
forget_names(struct prompt *prompt)
{
    for (size_t i = 0; i < prompt->names_count; i++)
        free(prompt->names[i]);
    free(prompt->names);
    prompt->names = NULL;
    prompt->names_count = prompt->choice = 0;
}

void
screen_close_prompt(struct screen *screen)
{
    forget_names(&screen->prompt);
    free(screen->prompt.question);
    screen->prompt.question = NULL;
    screen->prompt.kind = PROMPT_NONE;
    screen->prompt.is_new = false;
}

/* ---- how it may go on ---------------------------------------------------------------------- */

static void
add_name(struct prompt *prompt, struct slice name)
{
    prompt->names = traffic_grow(prompt->names, prompt->names_count, sizeof(*prompt->names));
    prompt->names[prompt->names_count++] = traffic_copy(name);
}

/* Folders of the account whose names have what is typed. */
static void
suggest_folders(struct screen *screen)
{
    struct prompt *prompt = &screen->prompt;
    const struct account *account = screen_account(screen);
    struct buffer typed, name;

    buffer_init(&typed, 64 * 1024);
    buffer_init(&name, 64 * 1024);
    head_put_key(line_text(&prompt->line), &typed);
    for (size_t i = 0; i < account->folders_count; i++) {
        struct slice whole = slice_of_string(account->folders[i].name);
        buffer_clear(&name);
        head_put_key(whole, &name);
        if (slice_find(buffer_slice(&name), buffer_slice(&typed)) < buffer_len(&name))
            add_name(prompt, whole);
    }
    buffer_finish(&typed);
    buffer_finish(&name);
}

static void
suggest(struct screen *screen)
{
    struct prompt *prompt = &screen->prompt;
    struct slice text = line_text(&prompt->line);

    forget_names(prompt);
    prompt->start = 0;
    if (takes_folders(prompt->kind)) {
        suggest_folders(screen);
    } else if (takes_addresses(prompt->kind)) {
        struct slice before = slice_first(text, prompt->line.cursor);
        size_t comma = slice_find_last_byte(before, ',');
        prompt->start = comma < before.len ? comma + 1 : 0;
        while (prompt->start < before.len && before.at[prompt->start] == ' ')
            prompt->start++;
        struct slice piece = slice_skip(before, prompt->start);
        if (piece.len > 0)
            traffic_set(&screen_wish(screen, WISH_COMPLETE)->text, piece);
    } else if (prompt->kind == PROMPT_ATTACH || prompt->kind == PROMPT_SAVE) {
        traffic_set(&screen_wish(screen, WISH_FILES)->text, slice_first(text, prompt->line.cursor));
    }
    prompt->choice = prompt->names_count;
}

/* They count when the line still says what they go on from. */
void
screen_take_names(struct screen *screen, struct news *news)
{
    struct prompt *prompt = &screen->prompt;
    struct slice typed =
        slice_between(line_text(&prompt->line), prompt->start, prompt->line.cursor);
    bool is_kind = news->kind == NEWS_FILES
                       ? prompt->kind == PROMPT_ATTACH || prompt->kind == PROMPT_SAVE
                       : takes_addresses(prompt->kind);

    if (!is_kind || prompt->choice < prompt->names_count ||
        !slice_equal(typed, traffic_text(news->text)))
        return;
    forget_names(prompt);
    prompt->names = news->names;
    prompt->names_count = prompt->choice = news->names_count;
    news->names = NULL;
    news->names_count = 0;
}

static void
choose_name(struct prompt *prompt, bool is_back)
{
    if (prompt->names_count == 0)
        return;
    if (prompt->choice >= prompt->names_count)
        prompt->choice = is_back ? prompt->names_count - 1 : 0;
    else
        prompt->choice =
            (prompt->choice + (is_back ? prompt->names_count - 1 : 1)) % prompt->names_count;
    line_replace(&prompt->line, prompt->start, slice_of_string(prompt->names[prompt->choice]));
}

/* ---- search as it is typed ----------------------------------------------------------------- */

static void
search(struct screen *screen)
{
    struct roster *roster = &screen->roster;
    struct slice words = line_text(&screen->prompt.line);

    screen->serial++;
    roster->is_filtered = words.len > 0;
    roster->is_dirty = true;
    roster_search(roster, words);
    roster_arrange(roster);
    if (words.len < SEARCH_MIN || screen->asked_serial != 0)
        return; /* one question at a time: see screen_take_found */
    struct wish *wish = screen_wish(screen, WISH_SEARCH);
    traffic_set(&wish->text, words);
    wish->serial = screen->asked_serial = screen->serial;
}

/* The server has found what was typed when it was asked; by now that may be something else. */
void
screen_take_found(struct screen *screen, const struct news *news)
{
    bool is_asked = news->serial == screen->asked_serial;

    if (is_asked)
        screen->asked_serial = 0;
    if (news->serial == screen->serial) {
        roster_found(&screen->roster, news->items, news->items_count);
        roster_arrange(&screen->roster);
    } else if (is_asked && screen->prompt.kind == PROMPT_SEARCH) {
        search(screen);
    }
}

/* ---- opening and closing ------------------------------------------------------------------- */

void
screen_prompt(struct screen *screen, enum prompt_kind kind, const char *question, struct slice text)
{
    screen_close_prompt(screen);
    screen->prompt.kind = kind;
    screen->prompt.question = traffic_copy(slice_of_string(question));
    line_set(&screen->prompt.line, text);
    if (!is_question(kind))
        suggest(screen);
}

static void
take_recipients(struct screen *screen, enum prompt_kind kind, struct slice text)
{
    bool is_new = screen->prompt.is_new;
    struct draft *draft = screen->draft;

    traffic_set(kind == PROMPT_TO   ? &draft->to
                : kind == PROMPT_CC ? &draft->cc
                                    : &draft->bcc,
                text);
    screen_close_prompt(screen);
    if (!is_new)
        return;
    if (!draft->subject) {
        screen_prompt(screen, PROMPT_SUBJECT, "Subject: ", SLICE(""));
        screen->prompt.is_new = true;
    } else {
        screen_edit_draft(screen);
    }
}

static void
attach(struct screen *screen, struct slice path)
{
    struct draft *draft = screen->draft;

    if (path.len == 0)
        return;
    draft->files = traffic_grow(draft->files, draft->files_count, sizeof(*draft->files));
    draft->files[draft->files_count++] = traffic_copy(path);
    screen->file = draft->files_count - 1;
}

/* The folder that is meant: what was chosen, the only one that fits, or what is typed. */
static char *
typed_folder(struct screen *screen)
{
    const struct prompt *prompt = &screen->prompt;
    struct slice text = line_text(&prompt->line);
    const struct account *account = screen_account(screen);

    for (size_t i = 0; i < account->folders_count; i++) {
        if (slice_equal_nocase(slice_of_string(account->folders[i].name), text))
            return traffic_copy(slice_of_string(account->folders[i].name));
    }
    if (prompt->names_count == 1 && text.len > 0)
        return traffic_copy(slice_of_string(prompt->names[0]));
    return traffic_copy(text);
}

static void
take_folder(struct screen *screen, enum prompt_kind kind)
{
    char *folder = typed_folder(screen);
    const struct entry *entry = roster_chosen(&screen->roster);

    screen_close_prompt(screen);
    if (kind == PROMPT_MOVE && entry && folder[0] && strcmp(folder, screen->folder) != 0)
        screen_move(screen, &entry->id, 1, folder);
    else if (kind == PROMPT_FOLDER && folder[0] &&
             screen_find_folder(screen, screen->account, folder))
        screen_leave_for(screen, AFTER_OPEN, screen->account, folder);
    else if (kind == PROMPT_FOLDER && folder[0])
        screen_say(screen, true, "There is no folder %s.", folder);
    free(folder);
}

static void
save(struct screen *screen, struct slice path)
{
    if (path.len == 0 || !screen->letter || screen->part >= screen->letter->parts_count)
        return;
    struct wish *wish = screen_wish(screen, WISH_SAVE);
    wish->id = screen->reading;
    wish->part = screen->letter->parts[screen->part].index;
    traffic_set(&wish->text, path);
}

static void
resend(struct screen *screen, struct slice to)
{
    const struct entry *entry = roster_chosen(&screen->roster);

    if (to.len == 0 || !entry)
        return;
    struct wish *wish = screen_wish(screen, WISH_RESEND);
    wish->id = entry->id;
    traffic_set(&wish->text, to);
}

static void
finish(struct screen *screen)
{
    enum prompt_kind kind = screen->prompt.kind;
    bool is_new = screen->prompt.is_new;
    char *copy = traffic_copy(line_text(&screen->prompt.line));
    struct slice text = slice_of_string(copy);

    if (kind == PROMPT_TO || kind == PROMPT_CC || kind == PROMPT_BCC) {
        take_recipients(screen, kind, text);
    } else if (takes_folders(kind)) {
        take_folder(screen, kind);
    } else {
        screen_close_prompt(screen);
        if (kind == PROMPT_SUBJECT)
            traffic_set(&screen->draft->subject, text);
        if (kind == PROMPT_SUBJECT && is_new)
            screen_edit_draft(screen);
        else if (kind == PROMPT_ATTACH)
            attach(screen, text);
        else if (kind == PROMPT_SAVE)
            save(screen, text);
        else if (kind == PROMPT_RESEND)
            resend(screen, text);
        else if (kind == PROMPT_FIND)
            screen_find_in_sheet(screen, text);
        else if (kind == PROMPT_SEARCH && screen->roster.is_filtered)
            screen_say(screen, false, "Esc shows all messages again.");
    }
    free(copy);
}

static void
give_up(struct screen *screen)
{
    enum prompt_kind kind = screen->prompt.kind;
    bool is_new = screen->prompt.is_new;

    screen_close_prompt(screen);
    if (kind == PROMPT_SEARCH) {
        screen->serial++;
        screen->roster.is_filtered = false;
        screen->roster.is_dirty = true;
        roster_arrange(&screen->roster);
    }
    if (is_new) {
        draft_free(screen->draft);
        screen->draft = NULL;
        screen_say(screen, false, "Nothing was written.");
    }
}

/* ---- keys ---------------------------------------------------------------------------------- */

static void
press_question(struct screen *screen, const struct key *key)
{
    enum prompt_kind kind = screen->prompt.kind;
    bool is_yes = key_is(key, 'y') || key_is(key, 'Y');
    bool is_no = key_is(key, 'n') || key_is(key, 'N');

    bool is_neither = key->kind == PRESS_ESCAPE || key_is(key, KEY_CONTROL('G'));

    if (!is_yes && !is_no && !is_neither && kind != ASK_RECEIPT)
        return; /* a question wants an answer */
    screen_close_prompt(screen);
    if (kind == ASK_RECEIPT && (is_yes || is_no)) {
        struct wish *wish = screen_wish(screen, WISH_RECEIPT);
        wish->id = screen->reading;
        wish->add = is_yes;
    } else if (kind == ASK_RECEIPT && !is_neither) { /* a stranger's wish does not stop reading */
        screen_press(screen, key);
    }
    if (kind == ASK_PURGE && is_yes)
        screen_purge(screen);
    if (kind == ASK_PURGE && (is_yes || is_no)) {
        screen_go_on(screen);
    } else if (kind == ASK_PURGE) {
        screen->after = AFTER_NOTHING;
    } else if (kind == ASK_DISCARD && is_yes) {
        draft_free(screen->draft);
        screen_leave_compose(screen);
        screen_say(screen, false, "The draft is gone.");
    } else if (kind == ASK_DISCARD && is_no) {
        screen_wish(screen, WISH_KEEP)->draft = screen->draft;
        screen_leave_compose(screen);
    }
}

void
screen_press_prompt(struct screen *screen, const struct key *key)
{
    struct prompt *prompt = &screen->prompt;

    if (is_question(prompt->kind)) {
        press_question(screen, key);
    } else if (key->kind == PRESS_ENTER) {
        finish(screen);
    } else if (key->kind == PRESS_ESCAPE || key_is(key, KEY_CONTROL('G'))) {
        give_up(screen);
    } else if (key->kind == PRESS_TAB || key->kind == PRESS_DOWN) {
        choose_name(prompt, false);
    } else if (key->kind == PRESS_BACK_TAB || key->kind == PRESS_UP) {
        choose_name(prompt, true);
    } else if (line_press(&prompt->line, key)) {
        if (prompt->kind == PROMPT_SEARCH)
            search(screen);
        else
            suggest(screen);
    }
}
