/* SPDX-License-Identifier: ISC */
/* Keys, entries and segment headers: what is taken must be put as the same octets again. */
#include "mailbox/entry.h"
#include "mailbox/key.h"
#include "mailbox/segment.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
assert_same(struct buffer *buffer, struct slice bytes)
{
    assert(slice_equal(buffer_slice(buffer), bytes));
    buffer_clear(buffer);
}

static void
try_entries(struct slice bytes, struct buffer *buffer)
{
    struct account_entry account;
    struct mailbox_entry mailbox;
    struct message_entry message;
    struct body_entry body;
    struct import_entry import;
    struct queued_entry queued;
    struct meta_entry meta;

    if (account_entry_take(bytes, &account)) {
        account_entry_put(buffer, &account);
        assert_same(buffer, bytes);
    }
    if (mailbox_entry_take(bytes, &mailbox)) {
        mailbox_entry_put(buffer, &mailbox);
        assert_same(buffer, bytes);
    }
    if (message_entry_take(bytes, &message)) {
        message_entry_put(buffer, &message);
        assert_same(buffer, bytes);
    }
    if (body_entry_take(bytes, &body)) {
        body_entry_put(buffer, &body);
        assert_same(buffer, bytes);
    }
    if (queued_entry_take(bytes, &queued)) {
        queued_entry_put(buffer, &queued);
        assert_same(buffer, bytes);
    }
    if (import_entry_take(bytes, &import)) {
        import_entry_put(buffer, &import);
        assert_same(buffer, bytes);
    }
    if (meta_entry_take(bytes, &meta) && meta.version <= VIEW_VERSION) {
        meta_entry_put(buffer, &meta);
        assert_same(buffer, bytes);
    }
}

static void
try_expunge(struct slice bytes, struct buffer *buffer)
{
    struct uid_range *ranges = malloc(EXPUNGE_RANGES_MAX * sizeof(*ranges));
    struct expunge_entry expunge;

    if (!ranges)
        abort();
    if (expunge_entry_take(bytes, ranges, &expunge)) {
        expunge_entry_put(buffer, &expunge);
        assert_same(buffer, bytes);
    }
    free(ranges);
}

static struct key
key_of(const struct key_parts *parts)
{
    switch (parts->kind) {
    case KEY_META:
        return key_meta();
    case KEY_SEGMENT:
        return key_segment((uint32_t)parts->number);
    case KEY_BODY:
        return key_body(parts->number);
    case KEY_RECORD:
        return key_record(parts->number);
    case KEY_PURGE:
        return key_purge(parts->number, (mailbox_id)parts->item);
    case KEY_QUEUED:
        return key_queued(parts->number);
    case KEY_QUEUED_RECIPIENT:
        return key_queued_recipient(parts->number, (uint32_t)parts->item);
    case KEY_QUEUE_DUE: {
        struct key key = key_prefix_kind(0, KEY_QUEUE_DUE);
        memcpy(key.bytes + key.len, parts->text.at, parts->text.len);
        key.len = (uint16_t)(key.len + parts->text.len);
        return key;
    }
    case KEY_SHARE: {
        struct key key = key_prefix_kind(0, KEY_SHARE);
        memcpy(key.bytes + key.len, parts->text.at, parts->text.len);
        key.len = (uint16_t)(key.len + parts->text.len);
        return key;
    }
    case KEY_OWNED:
        return key_owned(parts->text);
    case KEY_ACL:
        return key_acl(parts->account, (mailbox_id)parts->number, parts->text);
    case KEY_OWNER:
        return key_owner(parts->account);
    case KEY_URL:
        return key_url(parts->account, parts->number, (mailbox_id)parts->item);
    case KEY_FOLLOWED:
        return key_followed(parts->account, parts->number, (mailbox_id)parts->item);
    case KEY_QUEUE_DONE:
        return key_queue_done(parts->number, parts->item);
    case KEY_ACCOUNT:
        return key_account(parts->account);
    case KEY_NAME:
        return key_name(parts->account, parts->text);
    case KEY_MAILBOX:
        return key_mailbox(parts->account, (mailbox_id)parts->number);
    case KEY_KEYWORD:
        return key_keyword(parts->account, (mailbox_id)parts->number, (uint8_t)parts->item);
    case KEY_MESSAGE:
        return key_message(parts->account, (mailbox_id)parts->number, (uint32_t)parts->item);
    case KEY_EXPUNGE:
        return key_expunge(parts->account, (mailbox_id)parts->number, parts->item);
    case KEY_IMPORT:
        return key_import(parts->account, parts->text);
    case KEY_ANNOTATION:
        return key_annotation(parts->account, (mailbox_id)parts->number, parts->text);
    }
    abort();
}

static void
try_segment(struct slice bytes, struct buffer *buffer)
{
    struct segment_header header;
    char name[SEGMENT_NAME_SIZE];
    uint32_t number;
    bool is_new;

    if (segment_header_take(bytes, &header) && header.version <= SEGMENT_VERSION) {
        segment_header_put(buffer, &header);
        assert_same(buffer, slice_first(bytes, SEGMENT_HEADER_LEN));
    }
    if (segment_name_parse(bytes, &number, &is_new) && bytes.len == 12) {
        segment_name(number, is_new, name);
        assert(slice_equal(slice_of_string(name), bytes));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice bytes = slice_of(data, len);
    struct key_parts parts;
    struct buffer buffer;

    buffer_init(&buffer, 1 << 20);
    try_entries(bytes, &buffer);
    try_expunge(bytes, &buffer);
    try_segment(bytes, &buffer);
    if (key_parse(bytes, &parts)) {
        struct key key = key_of(&parts);
        assert(slice_equal(key_slice(&key), bytes));
    }
    buffer_finish(&buffer);
    return 0;
}
