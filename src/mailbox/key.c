/* SPDX-License-Identifier: ISC */
#include "mailbox/key.h"

#include "base/cursor.h"

/* The length is put at the end: octets might lie on it, for all that the compiler knows. */
static inline void
put_be(struct key *key, uint64_t number, unsigned octets)
{
    uint8_t *at = key->bytes + key->len;

    for (unsigned i = 0; i < octets; i++)
        at[i] = (uint8_t)(number >> (8 * (octets - 1 - i)));
    key->len = (uint16_t)(key->len + octets);
}

static void
put_text(struct key *key, struct slice text)
{
    assert(text.len <= (size_t)(KEY_LEN_MAX - key->len));
    memcpy(key->bytes + key->len, text.at, text.len);
    key->len = (uint16_t)(key->len + text.len);
}

struct key
key_prefix_kind(account_id account, enum key_kind kind)
{
    NOT_ZEROED struct key key;

    key.len = 0;
    put_be(&key, account, 8);
    put_be(&key, kind, 1);
    return key;
}

struct key
key_prefix_mailbox(account_id account, enum key_kind kind, mailbox_id mailbox)
{
    struct key key = key_prefix_kind(account, kind);

    put_be(&key, mailbox, 4);
    return key;
}

struct key
key_meta(void)
{
    return key_prefix_kind(0, KEY_META);
}

struct key
key_segment(uint32_t segment)
{
    return key_prefix_mailbox(0, KEY_SEGMENT, segment);
}

struct key
key_body(body_id body)
{
    struct key key = key_prefix_kind(0, KEY_BODY);

    put_be(&key, body, 8);
    return key;
}

struct key
key_record(body_id body)
{
    struct key key = key_prefix_kind(0, KEY_RECORD);

    put_be(&key, body, 8);
    return key;
}

struct key
key_purge(account_id account, mailbox_id mailbox)
{
    struct key key = key_prefix_kind(0, KEY_PURGE);

    put_be(&key, account, 8);
    put_be(&key, mailbox, 4);
    return key;
}

struct key
key_account(account_id account)
{
    return key_prefix_kind(account, KEY_ACCOUNT);
}

struct key
key_name(account_id account, struct slice name)
{
    struct key key = key_prefix_kind(account, KEY_NAME);

    put_text(&key, name);
    return key;
}

struct key
key_mailbox(account_id account, mailbox_id mailbox)
{
    return key_prefix_mailbox(account, KEY_MAILBOX, mailbox);
}

struct key
key_keyword(account_id account, mailbox_id mailbox, uint8_t index)
{
    struct key key = key_prefix_mailbox(account, KEY_KEYWORD, mailbox);

    put_be(&key, index, 1);
    return key;
}

struct key
key_message(account_id account, mailbox_id mailbox, uint32_t uid)
{
    struct key key = key_prefix_mailbox(account, KEY_MESSAGE, mailbox);

    put_be(&key, uid, 4);
    return key;
}

struct key
key_expunge(account_id account, mailbox_id mailbox, uint64_t sequence)
{
    struct key key = key_prefix_mailbox(account, KEY_EXPUNGE, mailbox);

    put_be(&key, sequence, 8);
    return key;
}

struct key
key_import(account_id account, struct slice id)
{
    struct key key = key_prefix_kind(account, KEY_IMPORT);

    put_text(&key, id);
    return key;
}

struct key
key_annotation(account_id account, mailbox_id mailbox, struct slice name)
{
    struct key key = key_prefix_mailbox(account, KEY_ANNOTATION, mailbox);

    put_text(&key, name);
    return key;
}

struct key
key_acl(account_id account, mailbox_id mailbox, struct slice identifier)
{
    struct key key = key_prefix_mailbox(account, KEY_ACL, mailbox);

    put_text(&key, identifier);
    return key;
}

struct key
key_owner(account_id account)
{
    return key_prefix_kind(account, KEY_OWNER);
}

struct key
key_owned(struct slice name)
{
    struct key key = key_prefix_kind(0, KEY_OWNED);

    put_text(&key, name);
    return key;
}

struct key
key_followed(account_id account, account_id owner, mailbox_id mailbox)
{
    struct key key = key_prefix_kind(account, KEY_FOLLOWED);

    put_be(&key, owner, 8);
    put_be(&key, mailbox, 4);
    return key;
}

struct key
key_url(account_id account, account_id owner, mailbox_id mailbox)
{
    struct key key = key_prefix_kind(account, KEY_URL);

    put_be(&key, owner, 8);
    put_be(&key, mailbox, 4);
    return key;
}

struct key
key_shares(struct slice identifier)
{
    struct key key = key_prefix_kind(0, KEY_SHARE);

    put_text(&key, identifier);
    put_be(&key, 0, 1);
    return key;
}

struct key
key_share(struct slice identifier, account_id owner, mailbox_id mailbox)
{
    struct key key = key_shares(identifier);

    put_be(&key, owner, 8);
    put_be(&key, mailbox, 4);
    return key;
}

struct key
key_queued(uint64_t message)
{
    struct key key = key_prefix_kind(0, KEY_QUEUED);

    put_be(&key, message, 8);
    return key;
}

struct key
key_queued_recipient(uint64_t message, uint32_t index)
{
    struct key key = key_prefix_kind(0, KEY_QUEUED_RECIPIENT);

    put_be(&key, message, 8);
    put_be(&key, index, 4);
    return key;
}

struct key
key_queue_class(struct slice domain, uint8_t class)
{
    struct key key = key_prefix_kind(0, KEY_QUEUE_DUE);

    put_text(&key, domain);
    put_be(&key, 0, 1);
    put_be(&key, class, 1);
    return key;
}

struct key
key_queue_due(struct slice domain, uint8_t class, uint64_t due_s, uint64_t message, uint32_t index)
{
    struct key key = key_queue_class(domain, class);

    put_be(&key, due_s, 8);
    put_be(&key, message, 8);
    put_be(&key, index, 4);
    return key;
}

struct key
key_queue_domain_end(struct slice domain)
{
    struct key key = key_prefix_kind(0, KEY_QUEUE_DUE);

    put_text(&key, domain);
    put_be(&key, 1, 1);
    return key;
}

struct key
key_queue_done(uint64_t when_s, uint64_t message)
{
    struct key key = key_prefix_kind(0, KEY_QUEUE_DONE);

    put_be(&key, when_s, 8);
    put_be(&key, message, 8);
    return key;
}

static bool
take_be(struct cursor *cursor, size_t octets, uint64_t *ret_number)
{
    struct slice bytes;
    uint64_t number = 0;

    if (!cursor_take_bytes(cursor, octets, &bytes))
        return false;
    for (size_t i = 0; i < octets; i++)
        number = number << 8 | bytes.at[i];
    *ret_number = number;
    return true;
}

/* How many octets the number and the item behind the kind take; false when there is no such kind.
 * A length of 0 for the text means none. */
static bool
kind_shape(enum key_kind kind, size_t *ret_number, size_t *ret_item, size_t *ret_text_max)
{
    static const struct {
        uint8_t number, item;
        uint16_t text;
    } shapes[] = {
        [KEY_META] = {0, 0, 0},
        [KEY_SEGMENT] = {4, 0, 0},
        [KEY_BODY] = {8, 0, 0},
        [KEY_PURGE] = {8, 4, 0},
        [KEY_QUEUED] = {8, 0, 0},
        [KEY_QUEUED_RECIPIENT] = {8, 4, 0},
        [KEY_QUEUE_DUE] = {0, 0, QUEUE_DOMAIN_MAX + QUEUE_PLACE_LEN},
        [KEY_QUEUE_DONE] = {8, 8, 0},
        [KEY_SHARE] = {0, 0, IDENTIFIER_MAX + SHARE_PLACE_LEN},
        [KEY_OWNED] = {0, 0, IDENTIFIER_MAX},
        [KEY_RECORD] = {8, 0, 0},
        [KEY_ACCOUNT] = {0, 0, 0},
        [KEY_NAME] = {0, 0, MAILBOX_NAME_MAX},
        [KEY_MAILBOX] = {4, 0, 0},
        [KEY_KEYWORD] = {4, 1, 0},
        [KEY_MESSAGE] = {4, 4, 0},
        [KEY_EXPUNGE] = {4, 8, 0},
        [KEY_IMPORT] = {0, 0, IMPORT_KEY_MAX},
        [KEY_ANNOTATION] = {4, 0, ANNOTATION_NAME_MAX},
        [KEY_ACL] = {4, 0, IDENTIFIER_MAX},
        [KEY_OWNER] = {0, 0, 0},
        [KEY_FOLLOWED] = {8, 4, 0},
        [KEY_URL] = {8, 4, 0},
    };

    if ((size_t)kind >= COUNT_OF(shapes) || kind < KEY_META ||
        (kind > KEY_RECORD && kind < KEY_ACCOUNT))
        return false;
    *ret_number = shapes[kind].number;
    *ret_item = shapes[kind].item;
    *ret_text_max = shapes[kind].text;
    return true;
}

bool
key_parse(struct slice key, struct key_parts *ret_parts)
{
    struct cursor cursor = cursor_of(key);
    struct key_parts parts = {0};
    uint64_t kind;
    size_t number, item, text_max;

    if (!take_be(&cursor, 8, &parts.account) || !take_be(&cursor, 1, &kind) ||
        !kind_shape((enum key_kind)kind, &number, &item, &text_max) ||
        !take_be(&cursor, number, &parts.number) || !take_be(&cursor, item, &parts.item))
        return false;
    parts.kind = (enum key_kind)kind;
    if ((parts.account == 0) != (parts.kind <= KEY_RECORD))
        return false;
    parts.text = cursor_rest(&cursor);
    if (parts.text.len > text_max || (text_max > 0 && slice_is_empty(parts.text)))
        return false;
    *ret_parts = parts;
    return true;
}
