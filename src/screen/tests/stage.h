/* SPDX-License-Identifier: ISC */
/* A screen with a world around it that a test plays: keys as text, news by hand, what is seen. */
#ifndef SCREEN_TESTS_STAGE_H
#define SCREEN_TESTS_STAGE_H

#include "screen/screen.h"
#include "text/tests/check.h"

struct stage {
    struct screen *screen;
    struct canvas canvas;
    struct buffer seen;
};

static inline void
stage_open(struct stage *stage, size_t rows, size_t columns, size_t accounts)
{
    static const struct screen_account both[] = {{"home", "alice@example.test"},
                                                 {"work", "alice@work.test"}};
    struct screen_options options = {.rows = rows,
                                     .columns = columns,
                                     .accounts = both,
                                     .accounts_count = accounts,
                                     /* Sat, 21 Nov 2026 12:00:00 UTC */
                                     .now = {INT64_C(1795262400) * 1000000000}};

    stage->screen = screen_new(&options);
    canvas_init(&stage->canvas, rows, columns);
    buffer_init(&stage->seen, 1 << 20);
}

static inline void
stage_close(struct stage *stage)
{
    screen_free(&stage->screen);
    canvas_finish(&stage->canvas);
    buffer_finish(&stage->seen);
}

/* Each octet a key: letters, '\r' Enter, '\t' Tab, '\x1b' Esc, '\x7f' Backspace. */
static inline void
stage_press(struct stage *stage, const char *keys)
{
    for (; *keys; keys++) {
        struct key key = {.kind = *keys == '\r'     ? PRESS_ENTER
                                  : *keys == '\t'   ? PRESS_TAB
                                  : *keys == '\x1b' ? PRESS_ESCAPE
                                  : *keys == '\x7f' ? PRESS_BACKSPACE
                                                    : PRESS_CHARACTER,
                          .character = (uint8_t)*keys};
        screen_press(stage->screen, &key);
    }
}

static inline void
stage_press_kind(struct stage *stage, enum key_kind kind)
{
    struct key key = {.kind = kind};

    screen_press(stage->screen, &key);
}

/* The next wish of that kind; those before it are passed over. NULL when there is none. */
static inline struct wish *
stage_wish(struct stage *stage, enum wish_kind kind)
{
    struct wish *wish;

    while ((wish = screen_next_wish(stage->screen)) && wish->kind != kind)
        wish_free(wish);
    return wish;
}

/* The same where there must be one. */
static inline struct wish *
stage_get_wish(struct stage *stage, enum wish_kind kind)
{
    struct wish *wish = stage_wish(stage, kind);

    if (!wish)
        abort();
    return wish;
}

/* True when there was such a wish. */
static inline bool
stage_wished(struct stage *stage, enum wish_kind kind)
{
    struct wish *wish = stage_wish(stage, kind);
    bool is_there = wish != NULL;

    if (wish)
        wish_free(wish);
    return is_there;
}

static inline const char *
stage_look(struct stage *stage)
{
    screen_draw(stage->screen, &stage->canvas);
    buffer_clear(&stage->seen);
    canvas_put_text(&stage->canvas, &stage->seen);
    buffer_put_byte(&stage->seen, '\0');
    return (const char *)buffer_slice(&stage->seen).at;
}

#define STAGE_SHOWS(stage, text) assert_non_null(strstr(stage_look(stage), text))
#define STAGE_SHOWS_NOT(stage, text) assert_null(strstr(stage_look(stage), text))

static inline void
stage_tell_folders(struct stage *stage, uint32_t account)
{
    static const struct {
        const char *name;
        enum folder_use use;
    } rows[] = {{"INBOX", FOLDER_INBOX},
                {"Drafts", FOLDER_DRAFTS},
                {"Sent", FOLDER_SENT},
                {"Trash", FOLDER_TRASH}};
    struct news *news = news_new(NEWS_FOLDERS, account);

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        news_add_folder(news, rows[i].name)->use = rows[i].use;
    screen_tell(stage->screen, news);
}

/* INBOX has ids 1 to `count`, all unread. */
static inline void
stage_tell_opened(struct stage *stage, const char *folder, uint32_t count)
{
    struct news *news = news_new(NEWS_OPENED, 0);

    traffic_set(&news->folder, slice_of_string(folder));
    for (uint32_t id = 1; id <= count; id++)
        news_add_item(news, (struct item){.id = id});
    screen_tell(stage->screen, news);
}

/* Answers the heads that are wished for, until none are: "Subject N" from "Person N". */
static inline size_t
stage_tell_heads(struct stage *stage)
{
    struct wish *wish;
    size_t count = 0;

    while ((wish = stage_wish(stage, WISH_HEADS))) {
        struct news *news = news_new(NEWS_HEADS, wish->account);
        for (size_t i = 0; i < wish->ids_count; i++) {
            struct head *head = news_add_head(news);
            char text[400];
            (void)snprintf(text, sizeof(text),
                           "From: Person %u <p@example.test>\r\nTo: alice@example.test\r\n"
                           "Subject: Subject %u\r\nDate: Sat, 21 Nov 2026 10:%02u:00 +0000\r\n"
                           "Message-ID: <%u@x>\r\n%s\r\n",
                           wish->ids[i], wish->ids[i], wish->ids[i] % 60, wish->ids[i],
                           wish->ids[i] == 3 ? "In-Reply-To: <1@x>\r\nReferences: <1@x>\r\n" : "");
            head->id = wish->ids[i];
            head_parse(slice_of_string(text), "alice@example.test", head);
        }
        count += wish->ids_count;
        wish_free(wish);
        screen_tell(stage->screen, news);
    }
    return count;
}

static inline void
stage_tell_sheet(struct stage *stage, uint32_t id, const char *text)
{
    struct news *news = news_new(NEWS_SHEET, 0);

    news->sheet = traffic_array(1, sizeof(*news->sheet));
    news->sheet->id = id;
    news->sheet->text = traffic_copy(slice_of_string(text));
    news->sheet->parts = traffic_array(1, sizeof(*news->sheet->parts));
    news->sheet->parts_count = 1;
    news->sheet->parts[0] = (struct sheet_part){.index = 4,
                                                .name = traffic_copy(SLICE("map.pdf")),
                                                .type = traffic_copy(SLICE("application/pdf")),
                                                .octets = 12345};
    screen_tell(stage->screen, news);
}

#endif
