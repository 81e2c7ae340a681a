/* SPDX-License-Identifier: ISC */
/* Shelves of this machine, while others work on them. Shelves of servers: tests/interop. */
#include "client/keep.h"
#include "client/shelf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct room {
    char folder[64];
    size_t arrived, gone, changed;
};

static void
count_change(void *context, enum client_shelf_change change, struct client_shelf_item item)
{
    struct room *room = context;

    assert_true(item.id > 0);
    room->arrived += change == CLIENT_SHELF_ARRIVED;
    room->gone += change == CLIENT_SHELF_GONE;
    room->changed += change == CLIENT_SHELF_FLAGS;
}

static void
keep(const struct room *room, const char *folder, const char *subject)
{
    struct client_problem problem = {0};
    char path[256], text[200];

    (void)snprintf(path, sizeof(path), "%s/%s", room->folder, folder);
    (void)snprintf(text, sizeof(text), "Subject: %s\r\n\r\nThe text of %s.\r\n", subject, subject);
    assert_true(client_keep(path, CLIENT_KEEP_MAILDIR, slice_of_string(text), 0, &problem));
}

/* Two Maildirs in a folder: INBOX with two messages, and Lists/c with one. */
static struct client_shelf *
open_room(struct room *room)
{
    struct client_folder_place place = {0};
    struct client_problem problem = {0};
    char path[128];

    *room = (struct room){.folder = "/tmp/facteur-shelf-XXXXXX"};
    assert_non_null(mkdtemp(room->folder));
    (void)snprintf(path, sizeof(path), "%s/Lists", room->folder);
    assert_int_equal(mkdir(path, 0700), 0);
    keep(room, "INBOX", "first");
    keep(room, "INBOX", "second");
    keep(room, "Lists/c", "third");
    place.path = room->folder;
    struct client_shelf *shelf = client_shelf_open(&place, count_change, room, &problem);
    assert_non_null(shelf);
    return shelf;
}

static void
close_room(struct room *room, struct client_shelf **shelf)
{
    struct client_problem problem = {0};
    char command[128];

    client_shelf_close(shelf);
    (void)snprintf(command, sizeof(command), "rm -r '%s'", room->folder);
    assert_true(client_keep_pipe(command, SLICE(""), &problem));
}

static void
folders_of_a_tree_are_listed_and_counted(void **state)
{
    struct client_problem problem = {0};
    struct client_shelf_list list;
    struct room room;
    struct client_shelf *shelf = open_room(&room);

    (void)state;
    assert_true(client_shelf_has_folders(shelf));
    assert_true(client_shelf_folders(shelf, true, &list, &problem));
    assert_int_equal(list.count, 2);
    assert_string_equal(list.folders[0].name, "INBOX");
    assert_int_equal(list.folders[0].use, CLIENT_USE_INBOX);
    assert_int_equal(list.folders[0].unseen, 2);
    assert_string_equal(list.folders[1].name, "Lists/c");
    assert_int_equal(list.folders[1].messages, 1);
    client_shelf_list_finish(&list);
    close_room(&room, &shelf);
}

static void
add_subject(void *context, const struct client_shelf_head *head)
{
    buffer_put(context, slice_first(head->head, slice_find_byte(head->head, '\r')));
}

static void
changes_of_others_are_told_and_ids_stay(void **state)
{
    struct client_problem problem = {0};
    struct room room;
    struct client_shelf *shelf = open_room(&room);
    const struct client_shelf_item *items;
    struct buffer text;
    size_t count;

    (void)state;
    buffer_init(&text, 1000);
    assert_true(client_shelf_select(shelf, "INBOX", &problem));
    items = client_shelf_items(shelf, &count);
    assert_int_equal(count, 2);
    assert_int_equal(room.arrived, 0);
    uint32_t first = items[0].id, second = items[1].id;
    keep(&room, "INBOX", "later");
    assert_true(
        client_shelf_wait(shelf, instant_after(client_now(), duration_s(60)), -1, &problem));
    assert_int_equal(room.arrived, 1);
    items = client_shelf_items(shelf, &count);
    assert_int_equal(count, 3);
    assert_int_equal(items[0].id, first);
    assert_int_equal(items[1].id, second);
    struct client_ids newest = {.ids = &items[2].id, .count = 1};
    assert_true(client_shelf_heads(shelf, newest, add_subject, &text, &problem));
    assert_true(slice_equal(buffer_slice(&text), SLICE("Subject: later")));
    buffer_finish(&text);
    close_room(&room, &shelf);
}

static void
note_id(void *context, uint32_t id)
{
    *(uint32_t *)context = id;
}

static void
messages_are_flagged_found_moved_and_deleted(void **state)
{
    struct client_problem problem = {0};
    struct room room;
    struct client_shelf *shelf = open_room(&room);
    uint32_t found = 0, moved, there;
    struct client_ids one = {.ids = &found, .count = 1};
    struct buffer text;
    size_t count;

    (void)state;
    assert_true(client_shelf_select(shelf, "INBOX", &problem));
    assert_true(client_shelf_search(shelf, SLICE("TEXT OF SECOND"), note_id, &found, &problem));
    assert_int_not_equal(found, 0);
    assert_true(client_shelf_flag(shelf, one, CLIENT_FLAGGED, 0, &problem));
    assert_int_equal(room.changed, 1);
    buffer_init(&text, 1000);
    assert_true(client_shelf_read(shelf, found, &text, &problem));
    assert_true(slice_starts_with(buffer_slice(&text), SLICE("Subject: second\r\n")));
    buffer_finish(&text);
    assert_false(client_shelf_move(shelf, one, "../out", &there, &moved, &problem));
    problem = (struct client_problem){0};
    assert_true(client_shelf_move(shelf, one, "Trash", &there, &moved, &problem));
    assert_int_equal(room.gone, 1);
    assert_true(client_shelf_add(shelf, "Trash", SLICE("Subject: x\r\n\r\n"), 0, &problem));
    assert_true(client_shelf_select(shelf, "Trash", &problem));
    const struct client_shelf_item *items = client_shelf_items(shelf, &count);
    assert_int_equal(count, 2);
    found = items[0].id;
    assert_true(client_shelf_delete(shelf, one, &problem));
    (void)client_shelf_items(shelf, &count);
    assert_int_equal(count, 1);
    assert_false(client_shelf_bring(shelf, "INBOX", 1, 1, &problem));
    assert_false(client_shelf_select(shelf, "../..", &problem));
    close_room(&room, &shelf);
}

static void
a_move_is_undone(void **state)
{
    struct client_problem problem = {0};
    struct room room;
    struct client_shelf *shelf = open_room(&room);
    uint32_t first, count, id;
    struct client_ids one = {.ids = &id, .count = 1};
    size_t items;

    (void)state;
    assert_true(client_shelf_select(shelf, "INBOX", &problem));
    id = client_shelf_items(shelf, &items)[0].id;
    assert_true(client_shelf_move(shelf, one, "Trash", &first, &count, &problem));
    assert_int_equal(count, 1);
    (void)client_shelf_items(shelf, &items);
    size_t left = items;
    assert_false(client_shelf_bring(shelf, "Trash", first + 1, count, &problem));
    problem = (struct client_problem){0};
    assert_true(client_shelf_bring(shelf, "Trash", first, count, &problem));
    const struct client_shelf_item *both = client_shelf_items(shelf, &items);
    assert_int_equal(items, left + 1);
    assert_true(both[0].id < both[1].id);
    assert_int_not_equal(both[1].id, id);
    assert_int_equal(room.arrived, 1);
    assert_true(client_shelf_select(shelf, "Trash", &problem));
    assert_false(client_shelf_bring(shelf, "Trash", first, count, &problem));
    close_room(&room, &shelf);
}

/* The unique names of the Maildir's files are read from outside, as another program would. */
static uint32_t
id_by_name(void *context, const char *unique)
{
    char *known = context;

    if (known[0] && strcmp(known, unique) != 0)
        return 0;
    (void)snprintf(known, 200, "%s", unique);
    return 500;
}

static void
ids_can_be_given_and_files_keep_their_names(void **state)
{
    struct client_problem problem = {0};
    struct room room;
    struct client_shelf *shelf = open_room(&room);
    char known[200] = "", again[200];
    uint32_t there, moved;
    size_t count;

    (void)state;
    assert_true(client_shelf_is_connected(shelf));
    assert_int_equal(client_shelf_validity(shelf), 0);
    client_shelf_set_ids(shelf, id_by_name, known);
    assert_true(client_shelf_select(shelf, "INBOX", &problem));
    const struct client_shelf_item *items = client_shelf_items(shelf, &count);
    assert_int_equal(count, 2);
    assert_int_equal(items[0].id, 500);
    assert_true(items[1].id > CLIENT_SHELF_OWN_ID);
    uint32_t id = 500, last = items[1].id;
    keep(&room, "INBOX", "later");
    assert_true(
        client_shelf_wait(shelf, instant_after(client_now(), duration_s(60)), -1, &problem));
    items = client_shelf_items(shelf, &count);
    assert_int_equal(count, 3);
    assert_true(items[2].id > last);
    struct client_ids one = {.ids = &id, .count = 1};
    assert_true(client_shelf_move(shelf, one, "Trash", &there, &moved, &problem));
    assert_int_equal(room.gone, 1);
    (void)snprintf(again, sizeof(again), "%s", known);
    assert_true(client_shelf_select(shelf, "Trash", &problem));
    items = client_shelf_items(shelf, &count);
    assert_int_equal(count, 1);
    assert_int_equal(items[0].id, 500); /* the same file */
    assert_string_equal(again, known);
    close_room(&room, &shelf);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_of_a_tree_are_listed_and_counted),
        cmocka_unit_test(changes_of_others_are_told_and_ids_stay),
        cmocka_unit_test(messages_are_flagged_found_moved_and_deleted),
        cmocka_unit_test(a_move_is_undone),
        cmocka_unit_test(ids_can_be_given_and_files_keep_their_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
