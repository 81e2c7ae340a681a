/* SPDX-License-Identifier: ISC */
#include "screen/tests/stage.h"

/* A folder of five messages, of which 3 answers 1, as it is after a start. */
static void
open_five(struct stage *stage)
{
    stage_open(stage, 24, 100, 1);
    assert_true(stage_wished(stage, WISH_OPEN));
    stage_tell_folders(stage, 0);
    stage_tell_opened(stage, "INBOX", 5);
    assert_int_equal(stage_tell_heads(stage), 5);
}

static void
the_first_wish_is_the_inbox(void **state)
{
    struct stage stage;

    (void)state;
    stage_open(&stage, 24, 80, 2);
    struct wish *wish = screen_next_wish(stage.screen);
    assert_int_equal(wish->kind, WISH_OPEN);
    assert_string_equal(wish->folder, "INBOX");
    wish_free(wish);
    for (uint32_t i = 0; i < 2; i++) {
        wish = screen_next_wish(stage.screen);
        assert_int_equal(wish->kind, WISH_FOLDERS);
        assert_int_equal(wish->account, i);
        wish_free(wish);
    }
    assert_null(screen_next_wish(stage.screen));
    STAGE_SHOWS(&stage, "Opening…");
    stage_close(&stage);
}

static void
the_list_is_newest_first_with_answers_below(void **state)
{
    struct stage stage;

    (void)state;
    open_five(&stage);
    const char *seen = stage_look(&stage);
    const char *five = strstr(seen, "Subject 5"), *four = strstr(seen, "Subject 4");
    const char *one = strstr(seen, "Subject 1"), *three = strstr(seen, "└─›Subject 3");
    const char *two = strstr(seen, "Subject 2");
    assert_true(five && four && one && three && two);
    assert_true(five < four && four < one && one < three && three < two);
    STAGE_SHOWS(&stage, "Person 5");
    STAGE_SHOWS(&stage, "10:05");
    STAGE_SHOWS(&stage, "INBOX                 5");
    stage_press(&stage, "t");
    seen = stage_look(&stage);
    assert_true(strstr(seen, "Subject 3") < strstr(seen, "Subject 2"));
    assert_null(strstr(seen, "└─›"));
    stage_close(&stage);
}

static void
reading_makes_seen_and_scrolls(void **state)
{
    struct stage stage;

    (void)state;
    open_five(&stage);
    stage_press(&stage, "j\r");
    struct wish *wish = stage_get_wish(&stage, WISH_READ);
    assert_int_equal(wish->id, 4);
    wish_free(wish);
    STAGE_SHOWS(&stage, "Reading…");
    stage_tell_sheet(&stage, 4,
                     "line 1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n20\n"
                     "> quoted\nhttps://example.test/\nlast line\n");
    wish = stage_get_wish(&stage, WISH_FLAG);
    assert_int_equal(wish->add, MARK_SEEN);
    assert_int_equal(wish->ids[0], 4);
    wish_free(wish);
    STAGE_SHOWS(&stage, "line 1");
    STAGE_SHOWS_NOT(&stage, "last line");
    stage_press(&stage, " ");
    STAGE_SHOWS(&stage, "last line");
    STAGE_SHOWS(&stage, "[1] map.pdf  application/pdf  12 KiB");
    stage_press(&stage, "q");
    STAGE_SHOWS(&stage, "Subject 5");
    STAGE_SHOWS(&stage, "INBOX                 4");
    stage_close(&stage);
}

static void
a_sheet_that_comes_late_is_not_shown(void **state)
{
    struct stage stage;

    (void)state;
    open_five(&stage);
    stage_press(&stage, "\rqj\r");
    stage_tell_sheet(&stage, 5, "of the first\n");
    STAGE_SHOWS_NOT(&stage, "of the first");
    stage_tell_sheet(&stage, 4, "of the second\n");
    STAGE_SHOWS(&stage, "of the second");
    stage_close(&stage);
}

static void
attachments_are_saved_under_the_name_that_is_typed(void **state)
{
    struct stage stage;

    (void)state;
    open_five(&stage);
    stage_press(&stage, "\r");
    stage_tell_sheet(&stage, 5, "see the map\n");
    stage_press(&stage, "vs");
    STAGE_SHOWS(&stage, "Save to file: map.pdf");
    stage_press(&stage, "\x7f\x7f\x7fxyz\r");
    struct wish *wish = stage_get_wish(&stage, WISH_SAVE);
    assert_string_equal(wish->text, "map.xyz");
    assert_int_equal(wish->part, 4);
    assert_int_equal(wish->id, 5);
    wish_free(wish);
    stage_close(&stage);
}

static void
stage_tell_asking(struct stage *stage, uint32_t id)
{
    struct news *news = news_new(NEWS_SHEET, 0);

    news->sheet = traffic_array(1, sizeof(*news->sheet));
    news->sheet->id = id;
    news->sheet->text = traffic_copy(SLICE("hello\n"));
    news->sheet->asks = traffic_copy(SLICE("z@x asks for a receipt. Send it? (y/n)"));
    screen_tell(stage->screen, news);
}

static void
a_receipt_is_sent_or_refused_by_its_keys_and_others_go_on(void **state)
{
    struct stage stage;

    (void)state;
    open_five(&stage);
    stage_press(&stage, "\r");
    stage_tell_asking(&stage, 5);
    STAGE_SHOWS(&stage, "z@x asks for a receipt. Send it? (y/n)");
    stage_press(&stage, "j"); /* the next message */
    assert_false(stage_wished(&stage, WISH_RECEIPT));
    stage_tell_asking(&stage, 4);
    stage_press(&stage, "y");
    struct wish *wish = stage_get_wish(&stage, WISH_RECEIPT);
    assert_int_equal(wish->id, 4);
    assert_int_equal(wish->add, 1);
    wish_free(wish);
    stage_tell_asking(&stage, 4);
    stage_press(&stage, "n");
    wish = stage_get_wish(&stage, WISH_RECEIPT);
    assert_int_equal(wish->add, 0);
    wish_free(wish);
    stage_close(&stage);
}

static void
nothing_is_deleted_before_yes(void **state)
{
    struct stage stage;

    (void)state;
    open_five(&stage);
    stage_press(&stage, "dd");
    STAGE_SHOWS(&stage, "ND");
    assert_false(stage_wished(&stage, WISH_MOVE));
    stage_press(&stage, "q");
    STAGE_SHOWS(&stage, "Move 2 marked messages to Trash? (y/n)");
    stage_press(&stage, "x\x1b");
    assert_null(screen_next_wish(stage.screen));
    stage_press(&stage, "u$y");
    struct wish *wish = stage_get_wish(&stage, WISH_MOVE);
    assert_int_equal(wish->ids_count, 1);
    assert_int_equal(wish->ids[0], 5);
    assert_string_equal(wish->folder, "Trash");
    wish_free(wish);
    stage_close(&stage);
}

static void
what_was_moved_comes_back(void **state)
{
    struct stage stage;
    struct news *news;

    (void)state;
    open_five(&stage);
    stage_press(&stage, "sSent\r");
    assert_true(stage_wished(&stage, WISH_MOVE));
    news = news_new(NEWS_GONE, 0);
    news_add_item(news, (struct item){.id = 5});
    screen_tell(stage.screen, news);
    news = news_new(NEWS_MOVED, 0);
    traffic_set(&news->folder, SLICE("Sent"));
    news->first = 77;
    news->count = 1;
    screen_tell(stage.screen, news);
    STAGE_SHOWS_NOT(&stage, "Subject 5");
    stage_press(&stage, "u");
    struct wish *wish = stage_get_wish(&stage, WISH_BRING);
    assert_string_equal(wish->folder, "Sent");
    assert_int_equal(wish->first, 77);
    assert_int_equal(wish->count, 1);
    wish_free(wish);
    stage_press(&stage, "u");
    STAGE_SHOWS(&stage, "There is nothing to undo.");
    stage_close(&stage);
}

static void
flags_are_set_and_taken_back(void **state)
{
    struct stage stage;

    (void)state;
    open_five(&stage);
    stage_press(&stage, "F");
    struct wish *wish = stage_get_wish(&stage, WISH_FLAG);
    assert_int_equal(wish->add, MARK_FLAGGED);
    wish_free(wish);
    STAGE_SHOWS(&stage, "N!");
    stage_press(&stage, "u");
    wish = stage_get_wish(&stage, WISH_FLAG);
    assert_int_equal(wish->remove, MARK_FLAGGED);
    assert_int_equal(wish->add, 0);
    wish_free(wish);
    STAGE_SHOWS_NOT(&stage, "N!");
    stage_close(&stage);
}

static void
the_list_narrows_as_one_types(void **state)
{
    struct stage stage;
    struct news *news;

    (void)state;
    open_five(&stage);
    stage_press(&stage, "/ject 2");
    STAGE_SHOWS(&stage, "Subject 2");
    STAGE_SHOWS_NOT(&stage, "Subject 5");
    struct wish *wish = stage_get_wish(&stage, WISH_SEARCH);
    assert_string_equal(wish->text, "jec"); /* it was asked when three letters stood there */
    news = news_new(NEWS_FOUND, 0);
    news->serial = wish->serial;
    wish_free(wish);
    screen_tell(stage.screen, news);
    wish = stage_get_wish(&stage, WISH_SEARCH); /* and is asked again for what stands there now */
    assert_string_equal(wish->text, "ject 2");
    news = news_new(NEWS_FOUND, 0);
    news->serial = wish->serial;
    wish_free(wish);
    news_add_item(news, (struct item){.id = 4});
    screen_tell(stage.screen, news);
    STAGE_SHOWS(&stage, "Subject 4"); /* its text has the words */
    stage_press(&stage, "\r\x1b");
    STAGE_SHOWS(&stage, "Subject 5");
    stage_close(&stage);
}

static void
a_message_is_written_and_stays_until_it_is_sent(void **state)
{
    struct stage stage;
    struct news *news;

    (void)state;
    open_five(&stage);
    stage_press(&stage, "mbo");
    struct wish *wish = stage_get_wish(&stage, WISH_COMPLETE);
    assert_string_equal(wish->text, "b");
    wish_free(wish);
    wish = stage_get_wish(&stage, WISH_COMPLETE);
    news = news_new(NEWS_ADDRESSES, 0);
    traffic_set(&news->text, slice_of_string(wish->text));
    wish_free(wish);
    news_add_name(news, SLICE("Bob <bob@example.test>"));
    screen_tell(stage.screen, news);
    STAGE_SHOWS(&stage, "  Bob <bob@example.test>");
    stage_press(&stage, "\t\rHello\r");
    wish = stage_get_wish(&stage, WISH_EDIT);
    assert_string_equal(wish->draft->to, "Bob <bob@example.test>");
    assert_string_equal(wish->draft->subject, "Hello");
    news = news_new(NEWS_DRAFT, 0);
    news->wish = WISH_EDIT;
    news->draft = wish->draft;
    wish->draft = NULL;
    wish_free(wish);
    traffic_set(&news->draft->text, SLICE("Dear Bob\n"));
    screen_tell(stage.screen, news);
    STAGE_SHOWS(&stage, "Dear Bob");
    stage_press(&stage, "ymap.pdf\x1b"); /* while it is sent, keys do nothing */
    wish = stage_get_wish(&stage, WISH_SEND);
    assert_string_equal(wish->draft->text, "Dear Bob\n");
    wish_free(wish);
    news = news_new(NEWS_FAILED, 0);
    news->wish = WISH_SEND;
    traffic_set(&news->text, SLICE("the server says no"));
    stage_press(&stage, "\x1b");
    screen_tell(stage.screen, news);
    STAGE_SHOWS(&stage, "Dear Bob");
    STAGE_SHOWS(&stage, "the server says no");
    stage_press(&stage, "amap.pdf\ry");
    wish = stage_get_wish(&stage, WISH_SEND);
    assert_int_equal(wish->draft->files_count, 1);
    wish_free(wish);
    screen_tell(stage.screen, news_new(NEWS_SENT, 0));
    STAGE_SHOWS(&stage, "Subject 5");
    STAGE_SHOWS(&stage, "Sent.");
    stage_close(&stage);
}

static void
what_comes_later_is_told_and_shown(void **state)
{
    struct stage stage;
    struct news *news;

    (void)state;
    open_five(&stage);
    news = news_new(NEWS_ARRIVED, 0);
    news_add_item(news, (struct item){.id = 6});
    screen_tell(stage.screen, news);
    STAGE_SHOWS(&stage, "1 new message.");
    assert_int_equal(stage_tell_heads(&stage), 1);
    STAGE_SHOWS(&stage, "Subject 6");
    /* The cursor has stayed on its message. */
    stage_press(&stage, "\r");
    struct wish *wish = stage_get_wish(&stage, WISH_READ);
    assert_int_equal(wish->id, 5);
    wish_free(wish);
    stage_close(&stage);
}

static void
a_hundred_thousand_messages_are_not_all_asked_for(void **state)
{
    struct stage stage;

    (void)state;
    stage_open(&stage, 40, 100, 1);
    stage_tell_folders(&stage, 0);
    stage_tell_opened(&stage, "INBOX", 100000);
    size_t asked = stage_tell_heads(&stage);
    assert_in_range(asked, 40, 1100);
    stage_press(&stage, "*");
    asked = stage_tell_heads(&stage);
    assert_in_range(asked, 30, 400);
    STAGE_SHOWS(&stage, "Subject 1");
    stage_close(&stage);
}

static void
every_size_can_be_drawn(void **state)
{
    struct stage stage;

    (void)state;
    open_five(&stage);
    for (size_t rows = 1; rows < 30; rows++) {
        for (size_t columns = 1; columns < 120; columns += 7) {
            screen_resize(stage.screen, rows, columns);
            canvas_finish(&stage.canvas);
            canvas_init(&stage.canvas, rows, columns);
            (void)stage_look(&stage);
            stage_press(&stage, "/x");
            (void)stage_look(&stage);
            stage_press(&stage, "\x1b?");
            (void)stage_look(&stage);
            stage_press(&stage, "q\r");
            stage_tell_sheet(&stage, 5, "wide 日本語 text that must be broken somewhere, 日本語\n");
            (void)stage_look(&stage);
            stage_press(&stage, "q");
        }
    }
    assert_int_equal(stage.canvas.rows, 29);
    stage_close(&stage);
}

static void
the_mouse_opens_folders_and_messages(void **state)
{
    struct stage stage;
    struct key click = {.kind = PRESS_CLICK, .row = 3, .column = 4};

    (void)state;
    open_five(&stage);
    screen_press(stage.screen, &click);
    struct wish *wish = stage_get_wish(&stage, WISH_OPEN);
    assert_true(wish && strcmp(wish->folder, "Sent") == 0);
    wish_free(wish);
    stage_tell_opened(&stage, "Sent", 2);
    click = (struct key){.kind = PRESS_DOUBLE_CLICK, .row = 2, .column = 60};
    screen_press(stage.screen, &click);
    wish = stage_get_wish(&stage, WISH_READ);
    assert_true(wish && wish->id == 1);
    wish_free(wish);
    stage_close(&stage);
}

static void
news_of_another_folder_changes_nothing(void **state)
{
    struct stage stage;

    (void)state;
    open_five(&stage);
    stage_press(&stage, "cSent\r");
    assert_true(stage_wished(&stage, WISH_OPEN));
    stage_tell_opened(&stage, "INBOX", 9); /* answered late */
    STAGE_SHOWS(&stage, "Opening…");
    stage_tell_opened(&stage, "Sent", 0);
    STAGE_SHOWS(&stage, "No messages here.");
    stage_close(&stage);
}

static void
a_place_without_an_inbox_shows_its_first_folder(void **state)
{
    struct stage stage;
    struct news *news;

    (void)state;
    stage_open(&stage, 24, 100, 1);
    assert_true(stage_wished(&stage, WISH_OPEN));
    news = news_new(NEWS_FAILED, 0);
    news->wish = WISH_OPEN;
    traffic_set(&news->text, SLICE("no such folder"));
    screen_tell(stage.screen, news);
    news = news_new(NEWS_FOLDERS, 0);
    news_add_folder(news, "Lists/a");
    screen_tell(stage.screen, news);
    struct wish *wish = stage_get_wish(&stage, WISH_OPEN);
    assert_string_equal(wish->folder, "Lists/a");
    wish_free(wish);
    stage_close(&stage);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_wish_is_the_inbox),
        cmocka_unit_test(the_list_is_newest_first_with_answers_below),
        cmocka_unit_test(reading_makes_seen_and_scrolls),
        cmocka_unit_test(a_sheet_that_comes_late_is_not_shown),
        cmocka_unit_test(attachments_are_saved_under_the_name_that_is_typed),
        cmocka_unit_test(a_receipt_is_sent_or_refused_by_its_keys_and_others_go_on),
        cmocka_unit_test(nothing_is_deleted_before_yes),
        cmocka_unit_test(what_was_moved_comes_back),
        cmocka_unit_test(flags_are_set_and_taken_back),
        cmocka_unit_test(the_list_narrows_as_one_types),
        cmocka_unit_test(a_message_is_written_and_stays_until_it_is_sent),
        cmocka_unit_test(what_comes_later_is_told_and_shown),
        cmocka_unit_test(a_hundred_thousand_messages_are_not_all_asked_for),
        cmocka_unit_test(every_size_can_be_drawn),
        cmocka_unit_test(the_mouse_opens_folders_and_messages),
        cmocka_unit_test(news_of_another_folder_changes_nothing),
        cmocka_unit_test(a_place_without_an_inbox_shows_its_first_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
