/* SPDX-License-Identifier: ISC */
#include "tool/client.h"

#include "host/linux/linux.h"
#include "host/linux/process.h"
#include "role/parent/parent.h"
#include "tool/files.h"
#include "tool/say.h"

#include <errno.h>
#include <stdlib.h>

enum { NOTE_ARENA_MAX = 8 * 1024 * 1024, SIDE_SERVER = 1 };

struct client {
    struct host *host;
    struct host_channel *channel;
    struct note_ledger ledger;
    struct arena arena; /* of the note at hand */
    uint64_t next_id;
    bool is_over;    /* the server closed the socket */
    bool is_misread; /* a note was not understood */
    bool is_done;
    client_parent_fn on_parent;
    client_store_fn on_store;
    void *context;
};

static enum client_next
handle(struct client *client, struct slice bytes, host_handle handle)
{
    struct tool_parent_note parent;
    struct tool_store_note store;

    if (client->on_parent &&
        tool_parent_take(bytes, handle, SIDE_SERVER, &client->ledger, &client->arena, &parent))
        return client->on_parent(client->context, &parent);
    if (client->on_store &&
        tool_store_take(bytes, handle, SIDE_SERVER, &client->ledger, &client->arena, &store))
        return client->on_store(client->context, &store);
    client->is_misread = true;
    return CLIENT_DONE;
}

static void
on_note(void *context, struct slice bytes, host_handle descriptor)
{
    struct client *client = context;

    /* Several notes may come in one turn of the loop: those behind the one that ends the wait must
     * not be lost. */
    if (handle(client, bytes, descriptor) == CLIENT_DONE) {
        client->is_done = true;
        host_stop(client->host);
    }
    arena_reset(&client->arena);
    if (descriptor != HOST_HANDLE_NONE)
        host_handle_close(client->host, descriptor);
}

static void
on_closed(void *context)
{
    struct client *client = context;

    client->is_over = true;
    host_stop(client->host);
}

static int
say_not_running(const char *path, int error, bool is_quiet)
{
    if (is_quiet)
        return EX_UNAVAILABLE;
    if (error == EACCES)
        return say_error(EX_NOPERM,
                         "may not use %s; run this as root or as the user that runs the "
                         "server",
                         path);
    return say_error(EX_UNAVAILABLE,
                     "the server is not running (nobody answers at %s: %s); start "
                     "it with: facteur serve",
                     path, strerror(error));
}

static int
open_client(const struct settings *settings, const char *name, bool is_quiet,
            struct client **ret_client)
{
    static const struct host_channel_handler handler = {.on_note = on_note, .on_closed = on_closed};
    char *path = files_path(settings->runtime_dir, name);
    host_handle descriptor;
    int result = host_channel_connect(path, &descriptor);

    *ret_client = NULL;
    if (result < 0) {
        int code = say_not_running(path, -result, is_quiet);
        free(path);
        return code;
    }
    free(path);
    struct client *client = calloc(1, sizeof(*client));
    if (!client || host_linux_open(&client->host) < 0)
        abort();
    arena_init(&client->arena, NOTE_ARENA_MAX);
    client->channel = host_channel_open(client->host, descriptor, &handler, client);
    *ret_client = client;
    return EX_OK;
}

int
client_open_parent(const struct settings *settings, bool is_quiet, struct client **ret_client)
{
    return open_client(settings, PARENT_SOCKET_NAME, is_quiet, ret_client);
}

int
client_open_store(const struct settings *settings, struct client **ret_client)
{
    return open_client(settings, STORE_SOCKET_NAME, false, ret_client);
}

void
client_close(struct client **client)
{
    struct client *c = *client;

    if (!c)
        return;
    host_channel_close(&c->channel);
    host_linux_close(&c->host);
    note_ledger_finish(&c->ledger);
    arena_finish(&c->arena);
    free(c);
    *client = NULL;
}

struct host *
client_host(struct client *client)
{
    return client->host;
}

struct note_ledger *
client_ledger(struct client *client)
{
    return &client->ledger;
}

uint64_t
client_next_id(struct client *client)
{
    return ++client->next_id;
}

void
client_send(struct client *client, struct buffer *note, host_handle descriptor)
{
    host_channel_send(client->channel, buffer_slice(note), descriptor);
    buffer_clear(note);
}

static int
wait_for(struct client *client)
{
    client->is_done = false;
    if (!client->is_over)
        host_linux_run(client->host);
    if (client->is_misread)
        return say_error(EX_PROTOCOL, "the server speaks another version's language; restart it "
                                      "after the upgrade");
    if (!client->is_done)
        return say_error(EX_UNAVAILABLE, "the server went away; look into its log, start it again "
                                         "and repeat this");
    return EX_OK;
}

int
client_wait_parent(struct client *client, client_parent_fn fn, void *context)
{
    client->on_parent = fn;
    client->on_store = NULL;
    client->context = context;
    return wait_for(client);
}

int
client_wait_store(struct client *client, client_store_fn fn, void *context)
{
    client->on_store = fn;
    client->on_parent = NULL;
    client->context = context;
    return wait_for(client);
}

void
client_wait_end(struct client *client)
{
    while (!client->is_over)
        host_linux_run(client->host);
}

const char *
client_store_result_text(enum tool_store_result result)
{
    switch (result) {
    case TOOL_STORE_RESULT_OK:
        return "done";
    case TOOL_STORE_RESULT_NOT_FOUND:
        return "there is no such account, mailbox or message in the store";
    case TOOL_STORE_RESULT_QUOTA:
        return "the account is full; raise its quota with: facteur user set ADDRESS --quota SIZE";
    case TOOL_STORE_RESULT_NO_SPACE:
        return "the disk of the data folder is full; make space and repeat this";
    case TOOL_STORE_RESULT_TEMPORARY:
        return "the store cannot do it now; repeat this, and look into the log if it stays so";
    case TOOL_STORE_RESULT_DAMAGED:
        return "it is damaged in the store; see: facteur check";
    case TOOL_STORE_RESULT_BAD:
        return "the store refuses it as malformed; look at the name or the file";
    case TOOL_STORE_RESULT_COUNT:
        break;
    }
    return "the store answers what this program does not know; use programs of one version";
}

int
client_store_result_code(enum tool_store_result result)
{
    switch (result) {
    case TOOL_STORE_RESULT_OK:
        return EX_OK;
    case TOOL_STORE_RESULT_NOT_FOUND:
        return EX_NOUSER;
    case TOOL_STORE_RESULT_QUOTA:
    case TOOL_STORE_RESULT_NO_SPACE:
        return EX_CANTCREAT;
    case TOOL_STORE_RESULT_TEMPORARY:
        return EX_TEMPFAIL;
    case TOOL_STORE_RESULT_DAMAGED:
    case TOOL_STORE_RESULT_BAD:
        return EX_DATAERR;
    case TOOL_STORE_RESULT_COUNT:
        break;
    }
    return EX_PROTOCOL;
}
