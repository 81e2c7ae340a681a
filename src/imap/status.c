/* SPDX-License-Identifier: ISC */
#include "imap/status.h"

#include <stdlib.h>

enum item {
    MESSAGES,
    RECENT,
    UIDNEXT,
    UIDVALIDITY,
    UNSEEN,
    DELETED,
    SIZE,
    HIGHESTMODSEQ,
    APPENDLIMIT,
    MAILBOXID,
    DELETED_STORAGE,
    ITEMS
};

static const struct slice names[ITEMS] = {
    [MESSAGES] = {(const uint8_t *)"MESSAGES", 8},
    [RECENT] = {(const uint8_t *)"RECENT", 6},
    [UIDNEXT] = {(const uint8_t *)"UIDNEXT", 7},
    [UIDVALIDITY] = {(const uint8_t *)"UIDVALIDITY", 11},
    [UNSEEN] = {(const uint8_t *)"UNSEEN", 6},
    [DELETED] = {(const uint8_t *)"DELETED", 7},
    [SIZE] = {(const uint8_t *)"SIZE", 4},
    [HIGHESTMODSEQ] = {(const uint8_t *)"HIGHESTMODSEQ", 13},
    [APPENDLIMIT] = {(const uint8_t *)"APPENDLIMIT", 11},
    [MAILBOXID] = {(const uint8_t *)"MAILBOXID", 9},
    [DELETED_STORAGE] = {(const uint8_t *)"DELETED-STORAGE", 15},
};

bool
imap_take_status_items(struct cursor *cursor, uint32_t *ret_items)
{
    uint32_t items = 0;
    struct slice name;

    if (!cursor_take_byte(cursor, '('))
        return false;
    do {
        unsigned item = 0;
        if (!imap_take_atom(cursor, &name))
            return false;
        while (item < ITEMS && !slice_equal_nocase(names[item], name))
            item++;
        if (item == ITEMS || item == DELETED_STORAGE)
            return false;
        items |= 1U << item;
    } while (imap_take_space(cursor));
    *ret_items = items;
    return cursor_take_byte(cursor, ')');
}

bool
imap_status_wants_deleted(uint32_t items)
{
    return items & 1U << DELETED;
}

static uint64_t
value_of(const struct imap_server *server, const struct access_store_mailbox_row *row,
         unsigned item)
{
    switch (item) {
    case MESSAGES:
        return row->messages;
    case UIDNEXT:
        return row->uid_next;
    case UIDVALIDITY:
        return row->uid_validity;
    case UNSEEN:
        return row->unseen;
    case DELETED:
        return row->deleted;
    case SIZE:
        return row->bytes;
    case HIGHESTMODSEQ:
        return row->modseq;
    case APPENDLIMIT:
        return server->options.message_bytes_max;
    default:
        return 0;
    }
}

static void
put_mailbox_id(struct buffer *out, const struct access_store_mailbox_row *row)
{
    buffer_put_text(out, " (");
    imap_put_mailbox_id(out, row->owner, row->uid_validity);
    buffer_put_byte(out, ')');
}

void
imap_put_status(struct imap_server *server, const struct access_store_mailbox_row *row,
                uint32_t items)
{
    struct buffer *out = &server->output;
    bool is_first = true;

    buffer_put_text(out, "* STATUS ");
    imap_put_name(server, row->name);
    buffer_put_text(out, " (");
    for (unsigned item = 0; item < ITEMS; item++) {
        if (!(items & 1U << item))
            continue;
        if (!is_first)
            buffer_put_byte(out, ' ');
        is_first = false;
        buffer_put(out, names[item]);
        if (item == MAILBOXID)
            put_mailbox_id(out, row);
        else
            imap_put_number(out, " ", value_of(server, row, item), "");
    }
    buffer_put_text(out, ")\r\n");
    if (items & 1U << HIGHESTMODSEQ)
        server->enabled |= IMAP_ENABLED_CONDSTORE;
}

bool
imap_rows_add(struct imap_server *server, struct imap_rows *rows,
              const struct access_store_mailboxes *note)
{
    if (rows->count + note->rows.count > rows->size) {
        size_t size = (rows->size + note->rows.count) * 2;
        struct access_store_mailbox_row *at =
            ARENA_ARRAY(&server->arena, struct access_store_mailbox_row, size);
        if (!at)
            return false;
        if (rows->count > 0)
            memcpy(at, rows->at, rows->count * sizeof(*at));
        rows->at = at;
        rows->size = size;
    }
    for (size_t i = 0; i < note->rows.count; i++) {
        struct access_store_mailbox_row row = note->rows.at[i];
        row.name = arena_copy(&server->arena, row.name);
        rows->at[rows->count++] = row;
    }
    return !arena_failed(&server->arena);
}

static int
compare_names(const void *left, const void *right)
{
    const struct access_store_mailbox_row *a = left, *b = right;

    return slice_compare(a->name, b->name);
}

void
imap_rows_sort(struct imap_rows *rows)
{
    if (rows->count > 0 && rows->at[rows->count - 1].owner != 0)
        qsort(rows->at, rows->count, sizeof(*rows->at), compare_names);
}

const struct access_store_mailbox_row *
imap_rows_find(const struct imap_rows *rows, struct slice name)
{
    size_t low = 0, high = rows->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = slice_compare(rows->at[middle].name, name);
        if (order == 0)
            return &rows->at[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
