/* SPDX-License-Identifier: ISC */
/* Asks a running server, in notes over one of its sockets (note/tool_parent, note/tool_store). */
#ifndef TOOL_CLIENT_H
#define TOOL_CLIENT_H

#include "host/host.h"
#include "note/tool_parent.h"
#include "note/tool_store.h"
#include "tool/settings.h"

struct client;

/* Connects to the parent or the store. EX_UNAVAILABLE, after having said so, when the server is not
 * running; `is_quiet` leaves that unsaid. */
MUST_USE int client_open_parent(const struct settings *settings, bool is_quiet,
                                struct client **ret_client);
MUST_USE int client_open_store(const struct settings *settings, struct client **ret_client);
void client_close(struct client **client);

/* What notes and bodies are made with. */
struct host *client_host(struct client *client);
struct note_ledger *client_ledger(struct client *client);

/* A number for the next request. */
uint64_t client_next_id(struct client *client);

/* Puts the encoded note on its way and clears the buffer. Takes `handle` over. */
void client_send(struct client *client, struct buffer *note, host_handle handle);

/* Called for each note of the server, which lives until it returns: CLIENT_WAIT for more notes,
 * CLIENT_DONE to end client_wait. */
enum client_next { CLIENT_WAIT, CLIENT_DONE };
typedef enum client_next (*client_parent_fn)(void *context, const struct tool_parent_note *note);
typedef enum client_next (*client_store_fn)(void *context, const struct tool_store_note *note);

/* Waits until `fn` is done. EX_OK; or EX_UNAVAILABLE or EX_PROTOCOL after having said that the
 * server went away or spoke what this program does not know. */
MUST_USE int client_wait_parent(struct client *client, client_parent_fn fn, void *context);
MUST_USE int client_wait_store(struct client *client, client_store_fn fn, void *context);

/* Waits until the server has closed the socket. */
void client_wait_end(struct client *client);

/* A sentence for what the store answered, and the exit code for it. */
const char *client_store_result_text(enum tool_store_result result);
int client_store_result_code(enum tool_store_result result);

#endif
