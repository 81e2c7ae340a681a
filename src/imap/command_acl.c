/* SPDX-License-Identifier: ISC */
/* SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS (RFC 4314 §3). Who may ask is the store's
 * affair. */
#include "imap/rights.h"
#include "imap/server_private.h"
#include "imap/status.h"

struct acl_task {
    struct slice name, identifier;
    struct access_store_acl_entry *rows;
    size_t count, size;
};

/* SP mailbox; a name that nothing can have is not looked for. */
static bool
take_mailbox(struct imap_server *server, struct cursor *cursor, struct slice *ret_name)
{
    struct slice sent;

    if (!imap_take_space(cursor) || !imap_take_astring(cursor, &server->arena, &sent))
        return false;
    if (!imap_name_decode(sent, imap_is_utf8(server), &server->arena, ret_name) ||
        ret_name->len > ACCESS_STORE_ACL_ASK_NAME_MAX)
        *ret_name = slice_of("", 0);
    return true;
}

/* SP identifier; too long a one is cut and so no good. */
static bool
take_identifier(struct imap_server *server, struct cursor *cursor, struct slice *ret_identifier)
{
    return imap_take_space(cursor) && imap_take_astring(cursor, &server->arena, ret_identifier) &&
           ret_identifier->len <= ACCESS_STORE_ACL_SET_IDENTIFIER_MAX;
}

void
imap_end_forbidden(struct imap_server *server, uint16_t rights)
{
    imap_end_result(server,
                    rights & IMAP_RIGHT_LOOKUP ? ACCESS_STORE_RESULT_NO_PERMISSION
                                               : ACCESS_STORE_RESULT_NOT_FOUND,
                    "");
}

/* ---- changes --------------------------------------------------------------------------------- */

static void
on_set(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    (void)blob;
    if (note->as.done.result == ACCESS_STORE_RESULT_INVALID)
        imap_end(server, IMAP_NO, "[CANNOT] the list does not take that name");
    else
        imap_end_result(server, note->as.done.result, "done");
}

static void
set(struct imap_server *server, const struct access_store_acl_set *change)
{
    if (change->name.len == 0) {
        imap_end_result(server, ACCESS_STORE_RESULT_NOT_FOUND, "");
        return;
    }
    server->note.as.acl_set = *change;
    imap_ask(server, ACCESS_STORE_ACL_SET, on_set);
}

/* "SETACL" SP mailbox SP identifier SP mod-rights: ["+" / "-"] *letter */
void
imap_command_setacl(struct imap_server *server, struct cursor *cursor)
{
    struct access_store_acl_set change = {.mode = ACCESS_STORE_MODE_REPLACE};
    struct slice rights;

    if (!take_mailbox(server, cursor, &change.name) ||
        !take_identifier(server, cursor, &change.identifier) || !imap_take_space(cursor) ||
        !imap_take_astring(cursor, &server->arena, &rights) || !imap_take_end(cursor)) {
        imap_bad(server, "expected: SETACL mailbox identifier [+-]rights");
        return;
    }
    if (slice_starts_with(rights, SLICE("+")))
        change.mode = ACCESS_STORE_MODE_ADD;
    else if (slice_starts_with(rights, SLICE("-")))
        change.mode = ACCESS_STORE_MODE_REMOVE;
    if (change.mode != ACCESS_STORE_MODE_REPLACE)
        rights = slice_skip(rights, 1);
    if (!imap_rights_parse(rights, &change.rights))
        imap_bad(server, "rights are letters out of lrswipkxtea");
    else
        set(server, &change);
}

void
imap_command_deleteacl(struct imap_server *server, struct cursor *cursor)
{
    struct access_store_acl_set change = {.mode = ACCESS_STORE_MODE_REPLACE};

    if (!take_mailbox(server, cursor, &change.name) ||
        !take_identifier(server, cursor, &change.identifier) || !imap_take_end(cursor))
        imap_bad(server, "expected: DELETEACL mailbox identifier");
    else
        set(server, &change);
}

/* ---- questions ------------------------------------------------------------------------------- */

/* The first entry is the owner's. */
static bool
keep_rows(struct imap_server *server, const struct access_store_acl *note)
{
    struct acl_task *task = server->task;

    if (task->count + note->rows.count > task->size) {
        size_t size = (task->size + note->rows.count) * 2;
        struct access_store_acl_entry *rows =
            ARENA_ARRAY(&server->arena, struct access_store_acl_entry, size);
        if (!rows)
            return false;
        if (task->count > 0)
            memcpy(rows, task->rows, task->count * sizeof(*rows));
        task->rows = rows;
        task->size = size;
    }
    for (size_t i = 0; i < note->rows.count; i++)
        task->rows[task->count++] = (struct access_store_acl_entry){
            arena_copy(&server->arena, note->rows.at[i].identifier), note->rows.at[i].rights};
    return !arena_failed(&server->arena);
}

static void
ask(struct imap_server *server,
    void (*on_note)(struct imap_server *server, const struct access_store_note *note,
                    struct slice blob))
{
    struct acl_task *task = server->task;

    if (task->name.len == 0) {
        imap_end_result(server, ACCESS_STORE_RESULT_NOT_FOUND, "");
        return;
    }
    server->note.as.acl_ask = (struct access_store_acl_ask){.name = task->name};
    imap_ask(server, ACCESS_STORE_ACL_ASK, on_note);
}

/* "ACL" SP mailbox *(SP identifier SP rights) */
static void
on_acl(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    struct acl_task *task = server->task;
    struct buffer *out = &server->output;

    (void)blob;
    if (note->kind == ACCESS_STORE_ACL) {
        if (!keep_rows(server, &note->as.acl))
            imap_end(server, IMAP_NO, "[LIMIT] the list is too long");
        return;
    }
    if (note->as.done.result == ACCESS_STORE_RESULT_OK) {
        buffer_put_text(out, "* ACL ");
        imap_put_name(server, task->name);
        for (size_t i = 0; i < task->count; i++) {
            buffer_put_byte(out, ' ');
            imap_put_astring(out, task->rows[i].identifier);
            buffer_put_byte(out, ' ');
            imap_put_rights(out, task->rows[i].rights);
        }
        buffer_put_text(out, "\r\n");
    }
    imap_end_result(server, note->as.done.result, "done");
}

void
imap_command_getacl(struct imap_server *server, struct cursor *cursor)
{
    struct acl_task *task = imap_task(server, sizeof(*task));

    if (!take_mailbox(server, cursor, &task->name) || !imap_take_end(cursor))
        imap_bad(server, "expected: GETACL mailbox");
    else
        ask(server, on_acl);
}

/* "LISTRIGHTS" SP mailbox SP identifier SP required *(SP optional) */
static void
on_possible(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    struct acl_task *task = server->task;
    struct buffer *out = &server->output;

    (void)blob;
    if (note->kind == ACCESS_STORE_ACL) {
        if (task->count == 0 && !keep_rows(server, &note->as.acl))
            imap_end(server, IMAP_NO, "[LIMIT] the list is too long");
        return;
    }
    if (note->as.done.result == ACCESS_STORE_RESULT_OK) {
        bool is_owner =
            task->count > 0 && slice_equal_nocase(task->rows[0].identifier, task->identifier);
        buffer_put_text(out, "* LISTRIGHTS ");
        imap_put_name(server, task->name);
        buffer_put_byte(out, ' ');
        imap_put_astring(out, task->identifier);
        buffer_put_text(out,
                        is_owner ? " lrswipkxteacd\r\n" : " \"\" l r s w i p k x t e a c d\r\n");
    }
    imap_end_result(server, note->as.done.result, "done");
}

void
imap_command_listrights(struct imap_server *server, struct cursor *cursor)
{
    struct acl_task *task = imap_task(server, sizeof(*task));

    if (!take_mailbox(server, cursor, &task->name) ||
        !take_identifier(server, cursor, &task->identifier) || !imap_take_end(cursor))
        imap_bad(server, "expected: LISTRIGHTS mailbox identifier");
    else
        ask(server, on_possible);
}

void
imap_put_my_rights(struct imap_server *server, const struct access_store_mailbox_row *row)
{
    buffer_put_text(&server->output, "* MYRIGHTS ");
    imap_put_name(server, row->name);
    buffer_put_byte(&server->output, ' ');
    imap_put_rights(&server->output, row->rights);
    buffer_put_text(&server->output, "\r\n");
}

static void
on_mine(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    (void)blob;
    if (note->kind == ACCESS_STORE_MAILBOXES) {
        for (size_t i = 0; i < note->as.mailboxes.rows.count; i++)
            imap_put_my_rights(server, &note->as.mailboxes.rows.at[i]);
        return;
    }
    imap_end_result(server, note->as.done.result, "done");
}

void
imap_command_myrights(struct imap_server *server, struct cursor *cursor)
{
    struct slice name;

    if (!take_mailbox(server, cursor, &name) || !imap_take_end(cursor)) {
        imap_bad(server, "expected: MYRIGHTS mailbox");
    } else if (name.len == 0) {
        imap_end_result(server, ACCESS_STORE_RESULT_NOT_FOUND, "");
    } else {
        server->note.as.mailbox_list = (struct access_store_mailbox_list){.name = name};
        imap_ask(server, ACCESS_STORE_MAILBOX_LIST, on_mine);
    }
}
