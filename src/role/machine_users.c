/* SPDX-License-Identifier: ISC */
#include "role/machine_users.h"

#include "base/cursor.h"
#include "directory/edit.h"
#include "host/people.h"

#include <stdlib.h>

enum { ANSWER_MAX = 48 * 1024, ENTRY_MAX = 2 * 64 + 6, TEXT_MAX = 64, LIST_MAX = 16 * 1024 * 1024 };

struct machine_users {
    struct host *host;
    struct host_channel *channel;
    void (*changed)(void *context);
    void *context;
    struct buffer list; /* entries as the helper writes them */
    struct buffer arriving;
    uint32_t arrived;
    bool is_asking;
};

/* ---- in the helper ------------------------------------------------------------------------- */

/* One page of the list: those behind the first `skip` people, as long as there is room. */
struct page {
    uint32_t skip;
    struct buffer entries;
};

/* The full name is what stands before the first comma of the comment field. */
static bool
put_entry(void *context, uint32_t number, struct slice login, struct slice comment)
{
    struct page *page = context;
    struct slice name = slice_first(comment, slice_find_byte(comment, ','));

    if (number < MACHINE_USER_FIRST || number > MACHINE_USER_LAST || login.len > TEXT_MAX)
        return true;
    if (page->skip > 0) {
        page->skip--;
        return true;
    }
    if (buffer_room(&page->entries) < ENTRY_MAX)
        return false;
    if (name.len > TEXT_MAX)
        name.len = 0;
    buffer_put_le32(&page->entries, number);
    buffer_put_le8(&page->entries, (uint8_t)login.len);
    buffer_put(&page->entries, login);
    buffer_put_le8(&page->entries, (uint8_t)name.len);
    buffer_put(&page->entries, name);
    return true;
}

void
machine_users_answer(void *context, struct slice question, struct buffer *answer)
{
    struct cursor cursor = cursor_of(question);
    bool is_end = true;
    struct page page;

    (void)context;
    buffer_init(&page.entries, ANSWER_MAX);
    if (cursor_take_le32(&cursor, &page.skip) && cursor_is_done(&cursor))
        is_end = host_people_each(put_entry, &page);
    buffer_put_le8(answer, is_end);
    buffer_put(answer, buffer_slice(&page.entries));
    buffer_finish(&page.entries);
}

/* ---- in the role --------------------------------------------------------------------------- */

static void
ask_from(struct machine_users *users, uint32_t first)
{
    struct buffer question;

    buffer_init(&question, 4);
    buffer_put_le32(&question, first);
    host_channel_send(users->channel, buffer_slice(&question), HOST_HANDLE_NONE);
    buffer_finish(&question);
    users->is_asking = true;
}

struct entry {
    uint32_t number;
    struct slice login, full_name;
};

static bool
take_entry(struct cursor *cursor, struct entry *entry)
{
    uint8_t login_len, name_len;

    return cursor_take_le32(cursor, &entry->number) && cursor_take_le8(cursor, &login_len) &&
           cursor_take_bytes(cursor, login_len, &entry->login) &&
           cursor_take_le8(cursor, &name_len) &&
           cursor_take_bytes(cursor, name_len, &entry->full_name);
}

static void
finish_list(struct machine_users *users)
{
    struct buffer before = users->list;

    users->is_asking = false;
    if (slice_equal(buffer_slice(&before), buffer_slice(&users->arriving))) {
        buffer_clear(&users->arriving);
        return;
    }
    users->list = users->arriving;
    users->arriving = before;
    buffer_clear(&users->arriving);
    users->changed(users->context);
}

static void
on_answer(void *context, struct slice answer, host_handle handle)
{
    struct machine_users *users = context;
    struct cursor cursor = cursor_of(answer);
    struct entry entry;
    uint32_t count = 0;
    uint8_t is_last = 1;

    host_handle_close(users->host, handle);
    (void)!cursor_take_le8(&cursor, &is_last);
    buffer_put(&users->arriving, cursor_rest(&cursor));
    while (take_entry(&cursor, &entry))
        count++;
    users->arrived += count;
    /* A helper that sends neither an end nor an entry would be asked for ever. */
    if (is_last || count == 0 || users->arrived >= MACHINE_USERS_MAX)
        finish_list(users);
    else
        ask_from(users, users->arrived);
}

/* What is known stays known; the list does not change any more. */
static void
on_closed(void *context)
{
    struct machine_users *users = context;

    host_channel_close(&users->channel);
}

struct machine_users *
machine_users_open(struct host *host, void (*changed)(void *context), void *context)
{
    static const struct host_channel_handler handler = {.on_note = on_answer,
                                                        .on_closed = on_closed};
    host_handle handle;

    if (host_helper_open(host, HOST_HELPER_PRIVILEGED, machine_users_answer, NULL, &handle) < 0)
        return NULL;
    struct machine_users *users = calloc(1, sizeof(*users));
    if (!users)
        abort();
    users->host = host;
    users->changed = changed;
    users->context = context;
    buffer_init(&users->list, LIST_MAX);
    buffer_init(&users->arriving, LIST_MAX);
    users->channel = host_channel_open(host, handle, &handler, users);
    return users;
}

void
machine_users_close(struct machine_users **users)
{
    if (!*users)
        return;
    host_channel_close(&(*users)->channel);
    buffer_finish(&(*users)->list);
    buffer_finish(&(*users)->arriving);
    free(*users);
    *users = NULL;
}

void
machine_users_ask(struct machine_users *users)
{
    if (users->is_asking || !users->channel)
        return;
    buffer_clear(&users->arriving);
    users->arrived = 0;
    ask_from(users, 0);
}

void
machine_users_put(const struct machine_users *users, struct slice domain, struct buffer *lines)
{
    struct cursor cursor = cursor_of(buffer_slice(&users->list));
    struct entry entry;
    struct buffer name;

    buffer_init(&name, DIRECTORY_NAME_MAX);
    while (take_entry(&cursor, &entry)) {
        buffer_clear(&name);
        buffer_put(&name, entry.login);
        buffer_put_byte(&name, '@');
        buffer_put(&name, domain);
        struct directory_account account = {
            .id = MACHINE_USER_ID + entry.number,
            .name = buffer_slice(&name),
            .full_name = entry.full_name,
            .is_enabled = true,
            .login = entry.login,
        };
        /* A name that is no address has no mail. */
        if (!directory_put_account(lines, &account)) {
            account.full_name = SLICE("");
            (void)!directory_put_account(lines, &account);
        }
    }
    buffer_finish(&name);
}
