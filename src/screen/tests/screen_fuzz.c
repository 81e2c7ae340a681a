/* SPDX-License-Identifier: ISC */
/* Any keys in any order, with news that come early, late or never, and sizes that change: the state
 * stays sound and can be drawn. */
#include "screen/screen.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
put_sheet(struct news *news, struct slice rest)
{
    news->sheet = traffic_array(1, sizeof(*news->sheet));
    news->sheet->id = rest.len > 0 ? rest.at[0] % 8 : 1;
    news->sheet->text = traffic_copy(slice_first(rest, 200));
    news->sheet->notes = traffic_copy(slice_first(rest, 3));
    news->sheet->parts = traffic_array(1, sizeof(*news->sheet->parts));
    news->sheet->parts_count = 1;
    news->sheet->parts[0].name = traffic_copy(slice_first(rest, 5));
    news->sheet->parts[0].type = traffic_copy(SLICE("text/plain"));
}

/* News of the kind that the octet names, made of what follows it. */
static struct news *
make_news(uint8_t octet, struct slice rest)
{
    struct news *news = news_new((enum news_kind)(octet % (NEWS_SAID + 1)), octet / 64 % 2);

    news->wish = (enum wish_kind)(rest.len > 0 ? rest.at[0] % (WISH_QUIT + 1) : 0);
    news->first = news->count = news->serial = rest.len > 1 ? rest.at[1] % 4 : 1;
    news->is_online = rest.len % 2 == 0;
    traffic_set(&news->folder, rest.len > 2 && rest.at[2] % 2 ? SLICE("INBOX") : SLICE("Sent"));
    traffic_set(&news->text, slice_first(rest, 20));
    for (size_t i = 0; i < rest.len && i < 6; i++)
        news_add_item(news, (struct item){.id = rest.at[i] % 8 + (uint32_t)i, .flags = rest.at[i]});
    if (news->kind == NEWS_FOLDERS) {
        news_add_folder(news, "INBOX")->use = FOLDER_INBOX;
        news_add_folder(news, "Sent")->use = rest.len % 2 ? FOLDER_TRASH : FOLDER_SENT;
    } else if (news->kind == NEWS_HEADS) {
        struct head *head = news_add_head(news);
        head->id = rest.len > 0 ? rest.at[0] % 8 : 1;
        head_parse(slice_first(rest, 300), "a@example.test", head);
    } else if (news->kind == NEWS_SHEET) {
        put_sheet(news, rest);
    } else if (news->kind == NEWS_DRAFT && rest.len % 3 > 0) {
        news->draft = draft_new(0);
        traffic_set(&news->draft->subject, slice_first(rest, 10));
        if (rest.len % 3 == 2)
            traffic_set(&news->draft->to, slice_first(rest, 10));
    } else if (news->kind == NEWS_ADDRESSES || news->kind == NEWS_FILES) {
        news_add_name(news, slice_first(rest, 9));
        news_add_name(news, SLICE("x@example.test"));
    }
    return news;
}

/* What the world has to answer is sometimes answered by nothing. */
static void
drop_wishes(struct screen *screen)
{
    for (struct wish *wish; (wish = screen_next_wish(screen));)
        wish_free(wish);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct screen_account accounts[] = {{"home", "a@example.test"},
                                                     {"work", "b@example.test"}};
    struct screen_options options = {
        .rows = 12, .columns = 72, .accounts = accounts, .accounts_count = 1 + size % 2, .seed = 7};
    struct screen *screen = screen_new(&options);
    struct canvas canvas;

    canvas_init(&canvas, 12, 72);
    for (size_t i = 0; i < size && i < 400; i++) {
        struct slice rest = slice_of(data + i + 1, size - i - 1);
        struct key key = {
            .kind = PRESS_CHARACTER, .character = data[i], .row = i % 14, .column = i};
        if (data[i] == 0xFF) {
            canvas_finish(&canvas);
            canvas_init(&canvas, 1 + size % 20, 1 + i % 90);
            screen_resize(screen, canvas.rows, canvas.columns);
        } else if (data[i] >= 0xA0) {
            screen_tell(screen, make_news(data[i], rest));
            i += rest.len < 4 ? rest.len : 4;
        } else {
            if (data[i] >= 0x80 || data[i] == '\r' || data[i] == '\t' || data[i] == 27)
                key.kind = data[i] == '\r'   ? PRESS_ENTER
                           : data[i] == '\t' ? PRESS_TAB
                           : data[i] == 27   ? PRESS_ESCAPE
                                             : (enum key_kind)(data[i] % (PRESS_WHEEL_DOWN + 1));
            screen_press(screen, &key);
        }
        screen_draw(screen, &canvas);
        drop_wishes(screen);
    }
    canvas_finish(&canvas);
    screen_free(&screen);
    assert(!screen);
    return 0;
}
