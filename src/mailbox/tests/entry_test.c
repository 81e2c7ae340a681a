/* SPDX-License-Identifier: ISC */
/* Values of the view: what was put comes back; what is short, long, of another version or past a
 * limit is refused, and leaves what it should have filled alone. */
#include "mailbox/entry.h"

#include "mailbox/key.h"
#include "mailbox/turn.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct buffer value;

static int
set_up(void **state)
{
    (void)state;
    buffer_init(&value, 1 << 20);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    buffer_finish(&value);
    return 0;
}

/* ---- one taker for all kinds --------------------------------------------------------------- */

static struct uid_range ranges[EXPUNGE_RANGES_MAX];

union any_entry {
    struct meta_entry meta;
    struct account_entry account;
    struct mailbox_entry mailbox;
    struct message_entry message;
    struct body_entry body;
    struct import_entry import;
    struct expunge_entry expunge;
};

enum kind { META, ACCOUNT, MAILBOX, MESSAGE, BODY, IMPORT, EXPUNGE, KINDS };

static bool
take(enum kind kind, struct slice bytes, union any_entry *entry)
{
    switch (kind) {
    case META:
        return meta_entry_take(bytes, &entry->meta);
    case ACCOUNT:
        return account_entry_take(bytes, &entry->account);
    case MAILBOX:
        return mailbox_entry_take(bytes, &entry->mailbox);
    case MESSAGE:
        return message_entry_take(bytes, &entry->message);
    case BODY:
        return body_entry_take(bytes, &entry->body);
    case IMPORT:
        return import_entry_take(bytes, &entry->import);
    case EXPUNGE:
        return expunge_entry_take(bytes, ranges, &entry->expunge);
    case KINDS:
        break;
    }
    return false;
}

static const struct meta_entry meta = {
    .version = VIEW_VERSION, .shard = 2, .epoch = 3, .turn = 4, .end = {5, 6}, .next_body = 7};
static const struct account_entry account = {.next_mailbox = 1,
                                             .uid_validity = 2,
                                             .modseq = 3,
                                             .bytes = 4,
                                             .messages = 5,
                                             .quota_bytes = 6,
                                             .quota_messages = 7,
                                             .created = {8}};
static const struct mailbox_entry mailbox = {.uid_validity = 1,
                                             .uid_next = 2,
                                             .messages = 3,
                                             .unseen = 4,
                                             .bytes = 5,
                                             .modseq = 6,
                                             .expunge_floor = 7,
                                             .expunge_first = 8,
                                             .expunge_next = 9,
                                             .keywords = 10,
                                             .is_subscribed = true,
                                             .use = MAILBOX_USE_MAX,
                                             .created = {11},
                                             .name = {(const uint8_t *)"INBOX", 5}};
static const struct message_entry message = {
    .body = 1, .len = 2, .flags = 3, .keywords = 4, .modseq = 5, .internal = {6}, .saved = {7}};
static const struct body_entry body = {.place = {1, 2},
                                       .len = 3,
                                       .record_len = 4,
                                       .refs = 5,
                                       .marks = BODY_DAMAGED,
                                       .hash = 6,
                                       .record_hash = 7};
static const struct import_entry import = {.mailbox = 1, .uid = 2, .done = {3}};
static const struct uid_range some_ranges[] = {{1, 1}, {2, 5}, {7, UINT32_MAX}};
static const struct expunge_entry expunge = {.modseq = 9, .ranges = some_ranges, .count = 3};

static void
put(enum kind kind)
{
    buffer_clear(&value);
    switch (kind) {
    case META:
        meta_entry_put(&value, &meta);
        break;
    case ACCOUNT:
        account_entry_put(&value, &account);
        break;
    case MAILBOX:
        mailbox_entry_put(&value, &mailbox);
        break;
    case MESSAGE:
        message_entry_put(&value, &message);
        break;
    case BODY:
        body_entry_put(&value, &body);
        break;
    case IMPORT:
        import_entry_put(&value, &import);
        break;
    case EXPUNGE:
        expunge_entry_put(&value, &expunge);
        break;
    case KINDS:
        break;
    }
}

static void
assert_not_taken(enum kind kind, struct slice bytes)
{
    union any_entry entry, before;

    memset(&before, 0x5A, sizeof(before));
    memcpy(&entry, &before, sizeof(before));
    assert_false(take(kind, bytes, &entry));
    assert_memory_equal(&entry, &before, sizeof(before));
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void
what_was_put_comes_back(void **state)
{
    union any_entry entry = {0};

    (void)state;
    put(META);
    assert_true(take(META, buffer_slice(&value), &entry));
    assert_int_equal(entry.meta.end.offset, 6);
    assert_int_equal(entry.meta.next_body, 7);
    put(ACCOUNT);
    assert_true(take(ACCOUNT, buffer_slice(&value), &entry));
    assert_memory_equal(&entry.account, &account, sizeof(account));
    put(MAILBOX);
    assert_true(take(MAILBOX, buffer_slice(&value), &entry));
    assert_true(slice_equal(entry.mailbox.name, mailbox.name));
    assert_true(entry.mailbox.is_subscribed);
    assert_int_equal(entry.mailbox.use, MAILBOX_USE_MAX);
    assert_int_equal(entry.mailbox.expunge_next, 9);
    put(MESSAGE);
    assert_true(take(MESSAGE, buffer_slice(&value), &entry));
    assert_memory_equal(&entry.message, &message, sizeof(message));
    put(BODY);
    assert_true(take(BODY, buffer_slice(&value), &entry));
    assert_int_equal(entry.body.place.offset, 2);
    assert_int_equal(entry.body.record_hash, 7);
    put(IMPORT);
    assert_true(take(IMPORT, buffer_slice(&value), &entry));
    assert_int_equal(entry.import.done.ns, 3);
    put(EXPUNGE);
    assert_true(take(EXPUNGE, buffer_slice(&value), &entry));
    assert_int_equal(entry.expunge.count, 3);
    assert_memory_equal(entry.expunge.ranges, some_ranges, sizeof(some_ranges));
}

static void
what_is_short_or_long_or_newer_is_refused(void **state)
{
    (void)state;
    for (enum kind kind = META; kind < KINDS; kind++) {
        put(kind);
        struct slice whole = buffer_slice(&value);
        /* Names and ranges may be shorter; there is a place to stop before each of those. */
        size_t tail = kind == MAILBOX ? mailbox.name.len - 1 : 0;
        for (size_t len = 0; len + tail < whole.len; len++) {
            if (kind != EXPUNGE || len < 9 || (len - 9) % 8 != 0)
                assert_not_taken(kind, slice_first(whole, len));
        }
        if (kind != MAILBOX) {
            buffer_put_byte(&value, 0);
            assert_not_taken(kind, buffer_slice(&value));
        }
        put(kind);
        value.at[0] = ENTRY_VERSION + 1;
        assert_not_taken(kind, buffer_slice(&value));
    }
}

/* Of a newer view its version is known, and nothing else. */
static void
a_newer_view_is_named(void **state)
{
    struct meta_entry newer = {0};

    (void)state;
    buffer_clear(&value);
    buffer_put_le8(&value, ENTRY_VERSION);
    buffer_put_le32(&value, VIEW_VERSION + 1);
    assert_true(meta_entry_take(buffer_slice(&value), &newer));
    assert_int_equal(newer.version, VIEW_VERSION + 1);
}

static void
mailboxes_have_names_and_keywords_up_to_their_limits(void **state)
{
    char name[MAILBOX_NAME_MAX + 1];

    (void)state;
    memset(name, 'n', sizeof(name));
    for (size_t over = 0; over < 2; over++) {
        struct mailbox_entry entry = mailbox, taken;
        entry.name = slice_of(name, MAILBOX_NAME_MAX + over);
        buffer_clear(&value);
        mailbox_entry_put(&value, &entry);
        assert_int_equal(mailbox_entry_take(buffer_slice(&value), &taken), !over);
        entry = mailbox;
        entry.keywords = (uint8_t)(64 + over);
        buffer_clear(&value);
        mailbox_entry_put(&value, &entry);
        assert_int_equal(mailbox_entry_take(buffer_slice(&value), &taken), !over);
        entry = mailbox;
        entry.expunge_first = entry.expunge_next + over;
        buffer_clear(&value);
        mailbox_entry_put(&value, &entry);
        assert_int_equal(mailbox_entry_take(buffer_slice(&value), &taken), !over);
    }
}

static void
bodies_have_their_limits_and_messages_a_body(void **state)
{
    struct message_entry without = message, taken_message;
    struct body_entry taken;

    (void)state;
    without.body = 0;
    buffer_clear(&value);
    message_entry_put(&value, &without);
    assert_false(message_entry_take(buffer_slice(&value), &taken_message));
    for (uint32_t over = 0; over < 2; over++) {
        struct body_entry entry = body;
        entry.len = BODY_LEN_MAX + over;
        buffer_clear(&value);
        body_entry_put(&value, &entry);
        assert_int_equal(body_entry_take(buffer_slice(&value), &taken), !over);
        entry = body;
        entry.record_len = BODY_RECORD_MAX + over;
        buffer_clear(&value);
        body_entry_put(&value, &entry);
        assert_int_equal(body_entry_take(buffer_slice(&value), &taken), !over);
    }
}

static void
expunged_ranges_rise_and_do_not_touch_each_other(void **state)
{
    static const struct {
        struct uid_range ranges[2];
        bool is_good;
    } cases[] = {
        {{{1, 2}, {3, 3}}, true},  {{{0, 0}, {1, 1}}, true},  {{{1, 2}, {2, 3}}, false},
        {{{3, 4}, {1, 2}}, false}, {{{2, 1}, {3, 4}}, false}, {{{1, 2}, {4, 3}}, false},
    };
    struct expunge_entry taken;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct expunge_entry entry = {.modseq = 1, .ranges = cases[i].ranges, .count = 2};
        buffer_clear(&value);
        expunge_entry_put(&value, &entry);
        assert_int_equal(expunge_entry_take(buffer_slice(&value), ranges, &taken),
                         cases[i].is_good);
    }
}

static void
expunged_ranges_have_a_limit_and_not_one_more(void **state)
{
    struct expunge_entry taken;

    (void)state;
    buffer_clear(&value);
    buffer_put_le8(&value, ENTRY_VERSION);
    buffer_put_le64(&value, 1);
    for (uint32_t i = 0; i < EXPUNGE_RANGES_MAX; i++) {
        buffer_put_le32(&value, 2 * i);
        buffer_put_le32(&value, 2 * i);
    }
    assert_true(expunge_entry_take(buffer_slice(&value), ranges, &taken));
    assert_int_equal(taken.count, EXPUNGE_RANGES_MAX);
    buffer_put_le32(&value, 2 * EXPUNGE_RANGES_MAX);
    buffer_put_le32(&value, 2 * EXPUNGE_RANGES_MAX);
    assert_not_taken(EXPUNGE, buffer_slice(&value));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_was_put_comes_back),
        TEST(what_is_short_or_long_or_newer_is_refused),
        TEST(a_newer_view_is_named),
        TEST(mailboxes_have_names_and_keywords_up_to_their_limits),
        TEST(bodies_have_their_limits_and_messages_a_body),
        TEST(expunged_ranges_rise_and_do_not_touch_each_other),
        TEST(expunged_ranges_have_a_limit_and_not_one_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
