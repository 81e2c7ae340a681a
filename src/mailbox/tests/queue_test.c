/* SPDX-License-Identifier: ISC */
#include "mailbox/queue.h"
#include "mailbox/check.h"
#include "mailbox/message.h"
#include "mailbox/tests/folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static int
open_folder(void **state)
{
    static struct folder folder;

    folder_open(&folder);
    folder_open_store(&folder);
    *state = &folder;
    return 0;
}

static int
close_folder(void **state)
{
    folder_close(*state);
    return 0;
}

static body_id
enter(struct folder *folder, uint64_t message, const char *text)
{
    body_id body = 0;

    assert_int_equal(
        mailbox_body_add(folder->store, slice_of_string(text), SLICE(""), SLICE(""), &body),
        STORE_OK);
    assert_int_equal(mailbox_queue_add(folder->store, message, body, SLICE("facts")), STORE_OK);
    return body;
}

struct seen {
    char text[2000];
    size_t count;
    size_t stop; /* after so many; 0: never */
    size_t facts_len;
};

static bool
see(void *context, const struct queue_place *place)
{
    struct seen *seen = context;
    size_t len = strlen(seen->text);

    snprintf(seen->text + len, sizeof(seen->text) - len, "%.*s/%u/%llu/%llu/%u ",
             (int)place->domain.len, (const char *)place->domain.at, place->class,
             (unsigned long long)place->due_s, (unsigned long long)place->message, place->index);
    return ++seen->count != seen->stop;
}

static void
put_due(struct folder *folder, const char *domain, uint8_t class, uint64_t due_s, uint64_t message,
        uint32_t index)
{
    struct queue_place place = {slice_of_string(domain), class, due_s, message, index};

    mailbox_queue_put_due(folder->store, &place);
}

static void
entries_come_by_domain_class_and_time(void **state)
{
    struct folder *folder = *state;
    struct seen all = {0}, some = {0}, fronts = {0};

    put_due(folder, "b.fr", 1, 300, 1, 0);
    put_due(folder, "b.fr", 1, 200, 9, 1);
    put_due(folder, "b.fr", 1, 200, 2, 7);
    put_due(folder, "b.fr", 2, 1, 3, 0);
    put_due(folder, "b.fr.x", 1, 5, 4, 0);
    put_due(folder, "a.fr", 0, 70000, 5, 0);
    put_due(folder, "\xff.fr", 255, 1, 6, 0);
    assert_int_equal(folder_commit(folder), STORE_OK);
    struct queue_place from = {.domain = SLICE("b.fr"), .class = 1};
    assert_int_equal(mailbox_queue_list_due(folder->store, &from, see, &all), STORE_OK);
    assert_string_equal(all.text, "b.fr/1/200/2/7 b.fr/1/200/9/1 b.fr/1/300/1/0 ");
    from.due_s = 200;
    from.message = 2;
    from.index = 8;
    some.stop = 1;
    assert_int_equal(mailbox_queue_list_due(folder->store, &from, see, &some), STORE_OK);
    assert_string_equal(some.text, "b.fr/1/200/9/1 ");
    assert_int_equal(mailbox_queue_list_fronts(folder->store, see, &fronts), STORE_OK);
    assert_string_equal(fronts.text, "a.fr/0/70000/5/0 b.fr/1/200/2/7 b.fr/2/1/3/0 "
                                     "b.fr.x/1/5/4/0 \xff.fr/255/1/6/0 ");
    struct queue_place gone = {SLICE("b.fr"), 1, 200, 2, 7};
    mailbox_queue_del_due(folder->store, &gone);
    assert_int_equal(folder_commit(folder), STORE_OK);
    struct seen left = {0};
    from = (struct queue_place){.domain = SLICE("b.fr"), .class = 1};
    assert_int_equal(mailbox_queue_list_due(folder->store, &from, see, &left), STORE_OK);
    assert_string_equal(left.text, "b.fr/1/200/9/1 b.fr/1/300/1/0 ");
}

struct octets {
    char text[100];
    enum store_result result;
};

static void
on_read(void *context, enum store_result result, struct slice bytes)
{
    struct octets *octets = context;

    octets->result = result;
    snprintf(octets->text, sizeof(octets->text), "%.*s", (int)bytes.len, (const char *)bytes.at);
}

static void
a_queued_body_lives_until_it_is_released(void **state)
{
    struct folder *folder = *state;
    struct queued_entry entry;
    struct octets octets = {0};
    struct slice facts;

    body_id body = enter(folder, 64, "to another host");
    mailbox_queue_put_recipient(folder->store, 64, 0, SLICE("marc@machin.com"));
    assert_int_equal(folder_commit(folder), STORE_OK);
    store_sync_view(folder->store);
    folder_kill_store(folder);
    folder_open_store(folder);
    assert_int_equal(mailbox_queue_get(folder->store, 64, &entry), STORE_OK);
    assert_int_equal(entry.body, body);
    assert_int_equal(entry.len, 15);
    assert_true(slice_equal(entry.facts, SLICE("facts")));
    assert_int_equal(mailbox_queue_get_recipient(folder->store, 64, 0, &facts), STORE_OK);
    assert_true(slice_equal(facts, SLICE("marc@machin.com")));
    mailbox_body_read(folder->store, body, 0, 100, on_read, &octets);
    assert_int_equal(octets.result, STORE_OK);
    assert_string_equal(octets.text, "to another host");

    assert_int_equal(mailbox_queue_change(folder->store, 64, SLICE("new")), STORE_OK);
    assert_int_equal(mailbox_queue_release(folder->store, 64), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_int_equal(mailbox_queue_get(folder->store, 64, &entry), STORE_OK);
    assert_int_equal(entry.body, 0);
    assert_true(slice_equal(entry.facts, SLICE("new")));
    mailbox_body_read(folder->store, body, 0, 100, on_read, &octets);
    assert_int_equal(octets.result, STORE_NOT_FOUND);

    mailbox_queue_remove(folder->store, 64, 1);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_int_equal(mailbox_queue_get(folder->store, 64, &entry), STORE_NOT_FOUND);
    assert_int_equal(mailbox_queue_get_recipient(folder->store, 64, 0, &facts), STORE_NOT_FOUND);
    assert_int_equal(mailbox_queue_change(folder->store, 64, SLICE("x")), STORE_NOT_FOUND);
    assert_int_equal(mailbox_queue_add(folder->store, 65, body, SLICE("x")), STORE_NOT_FOUND);
}

static bool
count_message(void *context, uint64_t message, const struct queued_entry *entry)
{
    struct seen *seen = context;

    (void)entry;
    seen->stop = message;
    seen->count++;
    return true;
}

static bool
count_done(void *context, const struct queue_done *done)
{
    struct seen *seen = context;

    seen->stop = done->message;
    seen->facts_len += done->facts.len;
    seen->count++;
    return true;
}

static void
messages_and_ends_are_listed_in_order(void **state)
{
    struct folder *folder = *state;
    struct seen seen = {0}, done = {0};
    const struct queue_done first = {0}, behind = {.when_s = 400, .message = 97};

    enter(folder, 32, "one");
    enter(folder, 64, "two");
    enter(folder, 96, "three");
    mailbox_queue_put_done(folder->store, 500, 32, SLICE(""));
    mailbox_queue_put_done(folder->store, 400, 96, SLICE("facts"));
    mailbox_queue_put_done(folder->store, 600, 64, SLICE(""));
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_int_equal(mailbox_queue_list(folder->store, 33, count_message, &seen), STORE_OK);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.stop, 96);
    assert_int_equal(mailbox_queue_list_done(folder->store, &first, 500, count_done, &done),
                     STORE_OK);
    assert_int_equal(done.count, 2);
    assert_int_equal(done.stop, 32);
    assert_int_equal(done.facts_len, 5);
    done.count = 0;
    assert_int_equal(mailbox_queue_list_done(folder->store, &behind, 500, count_done, &done),
                     STORE_OK);
    assert_int_equal(done.count, 1);
    mailbox_queue_del_done(folder->store, 400, 96);
    assert_int_equal(folder_commit(folder), STORE_OK);
    done.count = 0;
    assert_int_equal(mailbox_queue_list_done(folder->store, &first, 500, count_done, &done),
                     STORE_OK);
    assert_int_equal(done.count, 1);
}

static void
ignore_finding(void *context, struct slice text)
{
    size_t *count = context;

    (void)text;
    ++*count;
}

static void
a_check_counts_the_references_of_the_queue(void **state)
{
    struct folder *folder = *state;
    size_t findings = 0;

    enter(folder, 32, "one");
    assert_int_equal(folder_commit(folder), STORE_OK);
    folder_deliver(folder, 7, "two");
    store_sync_view(folder->store);
    struct check *check = check_open(folder->store, ignore_finding, &findings);
    assert_non_null(check);
    while (check_step(check))
        ;
    check_close(&check);
    assert_int_equal(findings, 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(entries_come_by_domain_class_and_time, open_folder,
                                    close_folder),
    cmocka_unit_test_setup_teardown(a_queued_body_lives_until_it_is_released, open_folder,
                                    close_folder),
    cmocka_unit_test_setup_teardown(messages_and_ends_are_listed_in_order, open_folder,
                                    close_folder),
    cmocka_unit_test_setup_teardown(a_check_counts_the_references_of_the_queue, open_folder,
                                    close_folder),
};

int
main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
