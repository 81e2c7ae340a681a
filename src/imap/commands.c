/* SPDX-License-Identifier: ISC */
/* The table of commands, and how one is found and run. */
#include "imap/server_private.h"

#define COMMAND(text, in, name)                                                                    \
    {                                                                                              \
        {(const uint8_t *)(text), sizeof(text) - 1}, (in), imap_command_##name                     \
    }

enum { IN = IMAP_AUTHENTICATED | IMAP_SELECTED };

static const struct imap_command commands[] = {
    COMMAND("NOOP", IMAP_ANY, noop),
    COMMAND("FETCH", IMAP_SELECTED, fetch),
    COMMAND("STORE", IMAP_SELECTED, store),
    COMMAND("IDLE", IN, idle),
    COMMAND("SELECT", IN, select),
    COMMAND("EXAMINE", IN, examine),
    COMMAND("STATUS", IN, status),
    COMMAND("SEARCH", IMAP_SELECTED, search),
    COMMAND("ESEARCH", IN, esearch),
    COMMAND("SORT", IMAP_SELECTED, sort),
    COMMAND("THREAD", IMAP_SELECTED, thread),
    COMMAND("APPEND", IN, append),
    COMMAND("LIST", IN, list),
    COMMAND("LSUB", IN, lsub),
    COMMAND("COPY", IMAP_SELECTED, copy),
    COMMAND("MOVE", IMAP_SELECTED, move),
    COMMAND("EXPUNGE", IMAP_SELECTED, expunge),
    COMMAND("CLOSE", IMAP_SELECTED, close),
    COMMAND("UNSELECT", IMAP_SELECTED, unselect),
    COMMAND("CHECK", IMAP_SELECTED, noop),
    COMMAND("REPLACE", IMAP_SELECTED, replace),
    COMMAND("CREATE", IN, create),
    COMMAND("DELETE", IN, delete),
    COMMAND("RENAME", IN, rename),
    COMMAND("SUBSCRIBE", IN, subscribe),
    COMMAND("UNSUBSCRIBE", IN, unsubscribe),
    COMMAND("NAMESPACE", IN, namespace),
    COMMAND("GETQUOTA", IN, getquota),
    COMMAND("GETQUOTAROOT", IN, getquotaroot),
    COMMAND("SETACL", IN, setacl),
    COMMAND("DELETEACL", IN, deleteacl),
    COMMAND("GETACL", IN, getacl),
    COMMAND("LISTRIGHTS", IN, listrights),
    COMMAND("MYRIGHTS", IN, myrights),
    COMMAND("GENURLAUTH", IN, genurlauth),
    COMMAND("URLFETCH", IN, urlfetch),
    COMMAND("RESETKEY", IN, resetkey),
    COMMAND("CANCELUPDATE", IMAP_SELECTED, cancelupdate),
    COMMAND("NOTIFY", IN, notify),
    COMMAND("GETMETADATA", IN, getmetadata),
    COMMAND("SETMETADATA", IN, setmetadata),
    COMMAND("ENABLE", IN, enable),
    COMMAND("UNAUTHENTICATE", IN, unauthenticate),
    COMMAND("COMPRESS", IN, compress),
    COMMAND("CAPABILITY", IMAP_ANY, capability),
    COMMAND("ID", IMAP_ANY, id),
    COMMAND("LOGOUT", IMAP_ANY, logout),
    COMMAND("LOGIN", IMAP_NOT_AUTHENTICATED, login),
    COMMAND("AUTHENTICATE", IMAP_NOT_AUTHENTICATED, authenticate),
    COMMAND("STARTTLS", IMAP_NOT_AUTHENTICATED, starttls),
};

/* Those that have a form with UIDs. */
static bool
has_uid_form(const struct imap_command *command)
{
    return command->run == imap_command_fetch || command->run == imap_command_store ||
           command->run == imap_command_search || command->run == imap_command_sort ||
           command->run == imap_command_thread || command->run == imap_command_copy ||
           command->run == imap_command_move || command->run == imap_command_expunge ||
           command->run == imap_command_replace || command->run == imap_command_esearch;
}

/* An EXPUNGE response must not come while FETCH, STORE or SEARCH by sequence numbers are answered
 * (RFC 9051 §7.5.1). */
static bool
may_expunge(const struct imap_command *command, bool is_uid)
{
    return is_uid || (command->run != imap_command_fetch && command->run != imap_command_store &&
                      command->run != imap_command_search && command->run != imap_command_sort &&
                      command->run != imap_command_thread && command->run != imap_command_esearch);
}

bool
imap_take_end(struct cursor *cursor)
{
    struct cursor ahead = *cursor;

    (void)!cursor_take_byte(&ahead, '\r');
    return cursor_take_byte(&ahead, '\n') && cursor_is_done(&ahead);
}

static void
run(struct imap_server *server, const struct imap_command *command, struct cursor *cursor)
{
    if (!(command->states & server->state)) {
        imap_bad(server, server->state == IMAP_NOT_AUTHENTICATED ? "log in first"
                         : command->states == IMAP_SELECTED      ? "select a mailbox first"
                                                                 : "you are logged in already");
        return;
    }
    if (server->is_uid && !has_uid_form(command)) {
        imap_bad(server, "there is no such command with UIDs");
        return;
    }
    if (server->enabled & IMAP_ENABLED_UIDONLY && !server->is_uid && has_uid_form(command) &&
        command->run != imap_command_expunge &&
        command->run != imap_command_esearch) { /* RFC 9586 §3.2 */
        imap_bad(server, "[UIDREQUIRED] there are no message numbers with UIDONLY");
        return;
    }
    server->may_expunge = may_expunge(command, server->is_uid);
    server->view.is_pinned = true;
    command->run(server, cursor);
}

/* A browser was led here, to say what stands behind its request: nothing of that is looked at. */
static void
refuse_unknown(struct imap_server *server, struct slice line)
{
    if (server->state == IMAP_NOT_AUTHENTICATED && slice_find(line, SLICE(" HTTP/")) < line.len)
        imap_shut(server, IMAP_CLOSE_ERRORS, "this is not a web server");
    else
        imap_bad(server, "there is no such command");
}

void
imap_run(struct imap_server *server)
{
    struct cursor cursor = cursor_of(buffer_slice(&server->command));
    struct slice tag, name;

    server->is_uid = false;
    server->limit = NULL;
    server->portion_uid = 0;
    if (!imap_take_tag(&cursor, &tag) || !imap_take_space(&cursor)) {
        imap_bad(server, "expected: tag command");
        return;
    }
    server->is_uid = cursor_take_text_nocase(&cursor, SLICE("UID "));
    if (!imap_take_atom(&cursor, &name)) {
        imap_bad(server, "expected: tag command");
        return;
    }
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (slice_equal_nocase(commands[i].name, name)) {
            run(server, &commands[i], &cursor);
            return;
        }
    }
    refuse_unknown(server, buffer_slice(&server->command));
}
