/* SPDX-License-Identifier: ISC */
/* Private to the room: the state, and what its files do for one another. */
#ifndef SCREEN_SCREEN_PRIVATE_H
#define SCREEN_SCREEN_PRIVATE_H

#include "screen/line.h"
#include "screen/roster.h"
#include "screen/screen.h"
#include "screen/sheet.h"

enum { SIDE_COLUMNS_MAX = 26, SIDE_FROM_COLUMNS = 70, NAMES_SHOWN_MAX = 8, UNDO_MAX = 100 };

enum pane { PANE_LIST, PANE_READER, PANE_COMPOSE, PANE_HELP };

enum prompt_kind {
    PROMPT_NONE,
    PROMPT_SEARCH, /* in the list, as it is typed */
    PROMPT_FIND,   /* in the message */
    PROMPT_TO,
    PROMPT_CC,
    PROMPT_BCC,
    PROMPT_SUBJECT,
    PROMPT_ATTACH,
    PROMPT_MOVE,
    PROMPT_FOLDER,
    PROMPT_SAVE,
    PROMPT_RESEND,
    /* one key: y, n, or neither */
    ASK_PURGE,
    ASK_DISCARD,
    ASK_RECEIPT
};

struct prompt {
    enum prompt_kind kind;
    char *question;
    struct line line;
    char **names; /* how it may go on; owned */
    size_t names_count;
    size_t choice; /* names_count: none */
    size_t start;  /* octets of the line before what they go on from */
    bool is_new;   /* the draft's first question: the next one follows */
};

/* What to do when the question about marked messages has been answered. */
enum after { AFTER_NOTHING, AFTER_QUIT, AFTER_OPEN };

enum undo_kind { UNDO_FLAGS, UNDO_MARK, UNDO_MOVE };
struct undo {
    struct undo *next;
    enum undo_kind kind;
    uint32_t *ids;
    size_t count;
    uint32_t add, remove;  /* what undoes it */
    char *folder;          /* of MOVE: where they went; NULL while nobody has told */
    uint32_t first, moved; /* what they are called there */
};

struct account {
    char *name, *address, *state;
    struct folder *folders; /* owned */
    size_t folders_count;
    bool is_online, is_local;
};

struct screen {
    size_t rows, columns;
    struct wall now;
    int zone_minutes;
    struct account *accounts;
    size_t accounts_count;
    /* the folder that is open, or being opened */
    uint32_t account;
    char *folder;
    bool is_opening;
    uint32_t generation; /* of the open list */
    struct roster roster;
    bool is_heads_asked;
    enum pane pane, pane_before; /* before help */
    size_t help_top;
    /* side bar */
    bool is_side;
    size_t side_cursor, side_top;
    /* reader */
    uint32_t reading; /* id; 0: none */
    struct sheet_text *letter;
    struct sheet sheet;
    size_t line; /* first one shown */
    bool has_head, is_choosing_part;
    size_t part;
    /* composer */
    struct draft *draft;
    size_t file; /* chosen attachment */
    bool is_sending;
    struct prompt prompt;
    enum after after;
    uint32_t after_account;
    char *after_folder;
    /* search as it is typed */
    uint32_t serial, asked_serial; /* of what is typed; of what the server looks for */
    struct undo *undo;
    char *note;
    bool is_alert;
    struct wish *first_wish, *last_wish;
    bool is_quitting;
};

/* ---- screen.c */
struct wish *screen_wish(struct screen *screen, enum wish_kind kind);
void screen_say(struct screen *screen, bool is_alert, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
struct account *screen_account(struct screen *screen);
struct folder *screen_find_folder(struct screen *screen, uint32_t account, const char *name);
struct folder *screen_find_use(struct screen *screen, enum folder_use use);
enum folder_use screen_use(struct screen *screen);
/* Asks about marked messages first, where there are any. */
void screen_leave_for(struct screen *screen, enum after after, uint32_t account,
                      const char *folder);
void screen_go_on(struct screen *screen); /* does what was to come after */
void screen_purge(struct screen *screen);
size_t screen_list_rows(const struct screen *screen);
size_t screen_side_columns(const struct screen *screen);
void screen_wish_heads(struct screen *screen);

/* ---- screen_list.c */
bool screen_press_list(struct screen *screen, const struct key *key);
void screen_press_mouse(struct screen *screen, const struct key *key);
/* What may be done to the message under the cursor, from the list or the reader. */
bool screen_press_message(struct screen *screen, const struct key *key);
void screen_flag(struct screen *screen, uint32_t id, uint32_t flag, bool is_set, bool has_undo);
void screen_move(struct screen *screen, const uint32_t *ids, size_t count, const char *to);
void screen_undo(struct screen *screen);
void screen_undo_moved(struct screen *screen, const struct news *news);
void screen_forget_undo(struct screen *screen);
bool screen_side_at(struct screen *screen, size_t row, uint32_t *ret_account,
                    const char **ret_folder);
size_t screen_side_count(const struct screen *screen);

/* ---- screen_reader.c */
void screen_read(struct screen *screen, const struct entry *entry);
bool screen_press_reader(struct screen *screen, const struct key *key);
void screen_take_sheet(struct screen *screen, struct news *news);
void screen_lay_out(struct screen *screen);
void screen_close_reader(struct screen *screen);
void screen_find_in_sheet(struct screen *screen, struct slice words);

/* ---- screen_compose.c */
void screen_begin_draft(struct screen *screen);
bool screen_press_compose(struct screen *screen, const struct key *key);
void screen_take_draft(struct screen *screen, struct news *news);
void screen_take_sent(struct screen *screen, const struct news *news);
void screen_leave_compose(struct screen *screen);
void screen_edit_draft(struct screen *screen);

/* ---- screen_prompt.c */
void screen_prompt(struct screen *screen, enum prompt_kind kind, const char *question,
                   struct slice text);
void screen_close_prompt(struct screen *screen);
void screen_press_prompt(struct screen *screen, const struct key *key);
void screen_take_names(struct screen *screen, struct news *news);
void screen_take_found(struct screen *screen, const struct news *news);

/* ---- screen_draw.c, screen_help.c */
void screen_draw_list(struct screen *screen, struct canvas *canvas, size_t column);
void screen_draw_help(struct screen *screen, struct canvas *canvas);
size_t screen_help_lines(void);

#endif
