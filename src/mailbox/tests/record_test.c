/* SPDX-License-Identifier: ISC */
/* Parse records, short ones of which stand in the view beside the log. */
#include "mailbox/key.h"
#include "mailbox/mailbox.h"
#include "mailbox/message.h"
#include "mailbox/queue.h"
#include "mailbox/store_private.h"
#include "mailbox/tests/folder.h"
#include "mailbox/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ACCOUNT = 7, INBOX = 1, BODY_LEN = 100 };

static uint8_t octets[STORE_RECORD_SHORT + 1];

static int
open_world(void **state)
{
    static struct folder folder;

    for (size_t i = 0; i < sizeof(octets); i++)
        octets[i] = (uint8_t)(i * 7 + i / 256);
    folder_open(&folder);
    folder_open_store(&folder);
    *state = &folder;
    return 0;
}

static int
close_world(void **state)
{
    folder_close(*state);
    return 0;
}

static struct slice
record_of(size_t len)
{
    return slice_of(octets, len);
}

/* A message in the INBOX whose record has `len` octets. */
static body_id
deliver(struct folder *folder, size_t len)
{
    struct message_new message = {.internal = host_wall(folder->host)};
    uint8_t text[BODY_LEN] = {0};
    mailbox_id inbox;
    uint32_t uid;

    assert_int_equal(mailbox_open(folder->store, ACCOUNT, SLICE("INBOX"), &inbox), STORE_OK);
    assert_int_equal(mailbox_body_add(folder->store, slice_of(text, sizeof(text)), SLICE(""),
                                      record_of(len), &message.body),
                     STORE_OK);
    assert_int_equal(mailbox_message_append(folder->store, ACCOUNT, inbox, &message, &uid),
                     STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    return message.body;
}

struct told {
    enum store_result result;
    uint8_t bytes[sizeof(octets)];
    size_t len;
};

static void
keep(void *context, enum store_result result, struct slice bytes)
{
    struct told *told = context;

    assert_true(bytes.len <= sizeof(told->bytes));
    told->result = result;
    told->len = bytes.len;
    memcpy(told->bytes, bytes.at, bytes.len);
}

static void
assert_reads(struct folder *folder, body_id body, size_t len)
{
    struct told told = {.result = STORE_BUSY};

    mailbox_record_read(folder->store, body, keep, &told);
    assert_int_equal(told.result, STORE_OK);
    assert_true(slice_equal(slice_of(told.bytes, told.len), record_of(len)));
}

static bool
is_in_view(struct folder *folder, body_id body)
{
    struct key key = key_record(body);
    struct slice value;
    int result = view_get(folder->store->view, key_slice(&key), &value);

    assert_true(result == 0 || result == -ENOENT);
    return result == 0;
}

/* Changes the first octet of a record in the log. */
static void
hurt(struct folder *folder, body_id body)
{
    struct key key = key_body(body);
    struct body_entry entry;
    struct slice value;
    char path[400];

    assert_int_equal(view_get(folder->store->view, key_slice(&key), &value), 0);
    assert_true(body_entry_take(value, &entry));
    snprintf(path, sizeof(path), "%s/log/%08u.seg", folder->path, entry.place.segment);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, (long)(entry.place.offset + entry.len), SEEK_SET), 0);
    assert_int_equal(fputc(octets[0] + 1, file), octets[0] + 1);
    assert_int_equal(fclose(file), 0);
}

static void
a_short_record_stands_in_the_view_and_a_longer_one_in_the_log_only(void **state)
{
    struct folder *folder = *state;
    body_id none = deliver(folder, 0), one = deliver(folder, 1);
    body_id longest = deliver(folder, STORE_RECORD_SHORT);
    body_id longer = deliver(folder, STORE_RECORD_SHORT + 1);
    struct told told;

    assert_false(is_in_view(folder, none));
    assert_true(is_in_view(folder, one) && is_in_view(folder, longest));
    assert_false(is_in_view(folder, longer));
    assert_reads(folder, none, 0);
    assert_reads(folder, one, 1);
    assert_reads(folder, longest, STORE_RECORD_SHORT);
    assert_reads(folder, longer, STORE_RECORD_SHORT + 1);
    /* Whoever reads a short one does not look into the log. */
    hurt(folder, longest);
    hurt(folder, longer);
    assert_reads(folder, longest, STORE_RECORD_SHORT);
    mailbox_record_read(folder->store, longer, keep, &told);
    assert_int_equal(told.result, STORE_DAMAGED);
}

static void
a_record_goes_with_its_body(void **state)
{
    struct folder *folder = *state;
    body_id gone = deliver(folder, 500), kept = deliver(folder, 600);
    uint32_t uid = 1;
    size_t count;

    assert_int_equal(mailbox_message_expunge(folder->store, ACCOUNT, INBOX, &uid, 1, &count),
                     STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_int_equal(count, 1);
    assert_false(is_in_view(folder, gone));
    assert_true(is_in_view(folder, kept));
    assert_reads(folder, kept, 600);
}

/* It is read once, and by its place in the log. */
static void
what_only_passes_through_leaves_no_record(void **state)
{
    struct folder *folder = *state;
    uint8_t text[BODY_LEN] = {0};
    body_id waiting;

    assert_int_equal(mailbox_body_add(folder->store, slice_of(text, sizeof(text)), SLICE(""),
                                      record_of(500), &waiting),
                     STORE_OK);
    assert_int_equal(mailbox_queue_add(folder->store, 1, waiting, SLICE("facts")), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    assert_false(is_in_view(folder, waiting));
    assert_reads(folder, waiting, 500);
    folder_kill_store(folder);
    folder_open_store(folder);
    assert_false(is_in_view(folder, waiting));
    assert_reads(folder, waiting, 500);
}

/* As after a kill, when the view had not been written, or was lost. */
static void
replay_puts_the_same_records(void **state)
{
    struct folder *folder = *state;
    body_id one = deliver(folder, 500), longer = deliver(folder, STORE_RECORD_SHORT + 1);

    folder_kill_store(folder);
    folder_open_store(folder);
    assert_true(is_in_view(folder, one));
    assert_false(is_in_view(folder, longer));
    assert_reads(folder, one, 500);
    assert_reads(folder, longer, STORE_RECORD_SHORT + 1);
}

/* One that the disk has changed is not taken over; whoever asks for it hears. */
static void
replay_takes_no_damaged_record(void **state)
{
    struct folder *folder = *state;
    body_id hurt_one = deliver(folder, 500);
    body_id last = deliver(folder, 600);
    struct told told;

    hurt(folder, hurt_one);
    folder_kill_store(folder);
    folder_open_store(folder);
    assert_false(is_in_view(folder, hurt_one));
    assert_true(is_in_view(folder, last));
    mailbox_record_read(folder->store, hurt_one, keep, &told);
    assert_int_equal(told.result, STORE_DAMAGED);
    assert_int_equal(told.len, 0);
}

/* Of an earlier release. */
static void
a_view_without_records_has_them_read_from_the_log(void **state)
{
    struct folder *folder = *state;
    body_id one = deliver(folder, 500);
    struct key key = key_record(one);

    assert_int_equal(view_del(folder->store->view, key_slice(&key)), 0);
    assert_false(is_in_view(folder, one));
    assert_reads(folder, one, 500);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_short_record_stands_in_the_view_and_a_longer_one_in_the_log_only),
        CASE(a_record_goes_with_its_body),
        CASE(what_only_passes_through_leaves_no_record),
        CASE(replay_puts_the_same_records),
        CASE(replay_takes_no_damaged_record),
        CASE(a_view_without_records_has_them_read_from_the_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
