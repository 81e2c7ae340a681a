/* SPDX-License-Identifier: ISC */
#include "mailbox/tests/folder.h"

#include "host/linux/linux.h"
#include "mailbox/mailbox.h"
#include "mailbox/message.h"
#include "mailbox/tests/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void
on_report(void *context, const char *event, struct slice text)
{
    struct folder *folder = context;
    size_t len = strlen(folder->reports);

    snprintf(folder->reports + len, sizeof(folder->reports) - len, "%s: %.*s\n", event,
             (int)text.len, (const char *)text.at);
}

void
folder_open(struct folder *folder)
{
    *folder = (struct folder){0};
    tree_make("facteur-test", folder->path, sizeof(folder->path));
    if (host_linux_open(&folder->host) < 0 ||
        host_dir_open(folder->host, folder->path, &folder->dir) < 0)
        abort();
    folder->options = (struct store_options){
        .host = folder->host,
        .dir = folder->dir,
        .map_bytes = (uint64_t)1 << 30,
        .report = on_report,
        .report_context = folder,
    };
}

void
folder_close(struct folder *folder)
{
    store_close(&folder->store);
    host_dir_close(&folder->dir);
    host_linux_close(&folder->host);
    tree_remove(folder->path);
}

int
folder_set_up(void **state)
{
    static struct folder folder;

    folder_open(&folder);
    *state = &folder;
    return 0;
}

int
folder_tear_down(void **state)
{
    folder_close(*state);
    return 0;
}

void
folder_open_store(struct folder *folder)
{
    struct buffer why;

    buffer_init(&why, 1024);
    int result = store_open(&folder->options, &why, &folder->store);
    if (result < 0) {
        struct slice text = buffer_slice(&why);
        fprintf(stderr, "store_open: %d %.*s\n", result, (int)text.len, (const char *)text.at);
        abort();
    }
    buffer_finish(&why);
}

void
folder_kill_store(struct folder *folder)
{
    store_abandon(&folder->store);
}

static void
keep_result(void *context, enum store_result result)
{
    *(enum store_result *)context = result;
}

enum store_result
folder_commit(struct folder *folder)
{
    enum store_result result = STORE_BUSY;

    store_commit(folder->store, keep_result, &result);
    return result;
}

uint32_t
folder_deliver(struct folder *folder, account_id account, const char *text)
{
    struct message_new message = {.internal = host_wall(folder->host)};
    mailbox_id inbox;
    uint32_t uid = 0;

    if (mailbox_open(folder->store, account, SLICE("INBOX"), &inbox) != STORE_OK ||
        mailbox_body_add(folder->store, slice_of_string(text), slice_of("", 0),
                         SLICE("a parse record"), &message.body) != STORE_OK ||
        mailbox_message_append(folder->store, account, inbox, &message, &uid) != STORE_OK ||
        folder_commit(folder) != STORE_OK)
        return 0;
    return uid;
}

struct reading {
    struct buffer *text;
    enum store_result result;
    size_t got;
};

static void
keep_bytes(void *context, enum store_result result, struct slice bytes)
{
    struct reading *reading = context;

    reading->result = result;
    reading->got = bytes.len;
    buffer_put(reading->text, bytes);
}

enum store_result
folder_read(struct folder *folder, account_id account, const char *mailbox, uint32_t uid,
            struct buffer *ret_text)
{
    struct message_entry entry;
    struct reading reading = {ret_text, STORE_OK, 1};
    mailbox_id id;

    enum store_result result = mailbox_find(folder->store, account, slice_of_string(mailbox), &id);
    if (result == STORE_OK)
        result = mailbox_message_get(folder->store, account, id, uid, &entry);
    if (result != STORE_OK)
        return result;
    for (uint64_t at = 0; reading.result == STORE_OK && at < entry.len; at += reading.got)
        mailbox_body_read(folder->store, entry.body, at, 1 << 16, keep_bytes, &reading);
    return reading.result;
}
