/* SPDX-License-Identifier: ISC */
#include "tool/appender.h"

#include "tool/files.h"
#include "tool/say.h"

enum {
    INLINE_MAX = 65536,
    NOTE_MAX = 80 * 1024,
    FLYING_MAX = 400,
    FLYING_BYTES_MAX = 16 << 20,
};

void
appender_init(struct appender *appender)
{
    uint64_t seed;

    files_random(&seed, sizeof(seed));
    map_init(&appender->flying, seed);
    buffer_init(&appender->note, NOTE_MAX);
    appender->flying_count = 0;
    appender->flying_bytes = 0;
    appender->is_ending = false;
    appender->imported = appender->there = appender->refused = 0;
    appender->problem = TOOL_STORE_RESULT_OK;
}

void
appender_finish(struct appender *appender)
{
    map_finish(&appender->flying);
    buffer_finish(&appender->note);
}

/* ---- mailboxes ------------------------------------------------------------------------------- */

static enum client_next
on_made(void *context, const struct tool_store_note *note)
{
    enum tool_store_result *result = context;

    if (note->kind != TOOL_STORE_DONE)
        return CLIENT_WAIT;
    *result = note->as.done.result;
    return CLIENT_DONE;
}

int
appender_make(struct appender *appender, const struct tool_store_mailbox_make *make)
{
    struct client *client = appender->client;
    enum tool_store_result result = TOOL_STORE_RESULT_OK;
    struct tool_store_mailbox_make note = *make;

    note.id = client_next_id(client);
    note.account = appender->account;
    bool is_put = tool_store_put_mailbox_make(&appender->note, client_ledger(client), &note);
    assert(is_put); /* the name has its bound */
    client_send(client, &appender->note, HOST_HANDLE_NONE);
    int code = client_wait_store(client, on_made, &result);
    if (code != EX_OK || result == TOOL_STORE_RESULT_OK)
        return code;
    return say_error(client_store_result_code(result), "the mailbox %.*s cannot be made: %s",
                     (int)make->mailbox.len, (const char *)make->mailbox.at,
                     client_store_result_text(result));
}

/* ---- messages -------------------------------------------------------------------------------- */

static void
count_in(struct appender *appender, uint64_t id, size_t len)
{
    (void)!map_set(&appender->flying, map_key_u64(&id), (void *)(uintptr_t)(len + 1));
    appender->flying_count++;
    appender->flying_bytes += len;
}

static void
count_out(struct appender *appender, uint64_t id)
{
    uintptr_t len = (uintptr_t)map_remove(&appender->flying, map_key_u64(&id));

    assert(len > 0); /* the ledger knows the number */
    appender->flying_count--;
    appender->flying_bytes -= len - 1;
}

static bool
is_full(const struct appender *appender)
{
    return appender->flying_count >= FLYING_MAX || appender->flying_bytes >= FLYING_BYTES_MAX;
}

/* Room again for many: so they leave together. */
static bool
is_half_empty(const struct appender *appender)
{
    return appender->flying_count <= FLYING_MAX / 2 &&
           appender->flying_bytes <= FLYING_BYTES_MAX / 2;
}

static enum client_next
on_appended(void *context, const struct tool_store_note *note)
{
    struct appender *appender = context;

    if (note->kind != TOOL_STORE_APPENDED)
        return CLIENT_WAIT;
    count_out(appender, note->as.appended.id);
    if (note->as.appended.result != TOOL_STORE_RESULT_OK) {
        appender->refused++;
        if (appender->problem == TOOL_STORE_RESULT_OK)
            appender->problem = note->as.appended.result;
    } else if (note->as.appended.was_there) {
        appender->there++;
    } else {
        appender->imported++;
    }
    if (appender->moved)
        appender->moved(appender->context);
    if (appender->is_ending)
        return appender->flying_count == 0 ? CLIENT_DONE : CLIENT_WAIT;
    return is_half_empty(appender) ? CLIENT_DONE : CLIENT_WAIT;
}

static int
seal_body(struct client *client, struct slice content, host_handle *ret_handle)
{
    struct host_blob *blob = NULL;

    if (host_blob_open(client_host(client), &blob) < 0 || host_blob_put(blob, content) < 0 ||
        host_blob_seal(&blob, ret_handle) < 0) {
        host_blob_close(&blob);
        return say_error(EX_OSERR, "there is no memory for a message of %zu bytes; free some",
                         content.len);
    }
    return EX_OK;
}

int
appender_put(struct appender *appender, const struct appender_message *message)
{
    struct client *client = appender->client;
    bool is_inline = message->content.len <= INLINE_MAX;
    host_handle body = HOST_HANDLE_NONE;
    int code = is_inline ? EX_OK : seal_body(client, message->content, &body);
    struct tool_store_append append = {
        .id = client_next_id(client),
        .account = appender->account,
        .mailbox = message->mailbox,
        .key = message->key,
        .flags = message->flags,
        .keywords = {message->keywords, message->keyword_count},
        .uid = message->uid,
        .internal_ns = message->received.ns,
        .body = is_inline ? message->content : SLICE(""),
    };

    if (code != EX_OK)
        return code;
    if (!tool_store_put_append(&appender->note, client_ledger(client), &append)) {
        if (body != HOST_HANDLE_NONE)
            host_handle_close(client_host(client), body);
        return say_error(EX_USAGE, "the mailbox name is too long; give a shorter one");
    }
    client_send(client, &appender->note, body);
    count_in(appender, append.id, message->content.len);
    return is_full(appender) ? client_wait_store(client, on_appended, appender) : EX_OK;
}

int
appender_end(struct appender *appender)
{
    int code = EX_OK;

    appender->is_ending = true;
    if (appender->flying_count > 0)
        code = client_wait_store(appender->client, on_appended, appender);
    appender->is_ending = false;
    return code;
}

bool
appender_goes_on(const struct appender *appender)
{
    return appender->problem == TOOL_STORE_RESULT_OK || appender->problem == TOOL_STORE_RESULT_BAD;
}

int
appender_result(const struct appender *appender, int code)
{
    if (code != EX_OK || appender->problem == TOOL_STORE_RESULT_OK)
        return code;
    return say_error(client_store_result_code(appender->problem),
                     "not all is imported: %s; then begin again, what is there stays",
                     client_store_result_text(appender->problem));
}
