/* SPDX-License-Identifier: ISC */
/* STATUS, CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 9051 §6.3), GETQUOTA (RFC 9208). */
#include "imap/rights.h"
#include "imap/server_private.h"
#include "imap/status.h"
#include "imap/use.h"

enum { NAME_MAX_OCTETS = ACCESS_STORE_MAILBOX_LIST_NAME_MAX };

/* SP mailbox; a name that nothing can have is empty. */
static bool
take_mailbox(struct imap_server *server, struct cursor *cursor, struct slice *ret_name)
{
    struct slice sent;

    if (!imap_take_space(cursor) || !imap_take_astring(cursor, &server->arena, &sent))
        return false;
    if (!imap_name_decode(sent, imap_is_utf8(server), &server->arena, ret_name) ||
        ret_name->len > NAME_MAX_OCTETS)
        *ret_name = slice_of("", 0);
    return true;
}

/* ---- STATUS ---------------------------------------------------------------------------------- */

struct status_task {
    uint32_t items;
    uint16_t rights;
};

static void
on_status(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    struct status_task *task = server->task;

    (void)blob;
    if (note->kind == ACCESS_STORE_MAILBOXES) {
        for (size_t i = 0; i < note->as.mailboxes.rows.count; i++) {
            const struct access_store_mailbox_row *row = &note->as.mailboxes.rows.at[i];
            task->rights = row->rights;
            if (row->rights & IMAP_RIGHT_READ)
                imap_put_status(server, row, task->items);
        }
    } else if (note->as.done.result == ACCESS_STORE_RESULT_OK &&
               !(task->rights & IMAP_RIGHT_READ)) {
        imap_end_forbidden(server, task->rights);
    } else {
        imap_end_result(server, note->as.done.result, "done");
    }
}

void
imap_command_status(struct imap_server *server, struct cursor *cursor)
{
    struct status_task *task = imap_task(server, sizeof(*task));
    struct slice name;

    if (!take_mailbox(server, cursor, &name) || !imap_take_space(cursor) ||
        !imap_take_status_items(cursor, &task->items) || !imap_take_end(cursor)) {
        imap_bad(server, "expected: STATUS mailbox (items)");
        return;
    }
    if (name.len == 0) {
        imap_end_result(server, ACCESS_STORE_RESULT_NOT_FOUND, "");
        return;
    }
    server->note.as.mailbox_list = (struct access_store_mailbox_list){
        .name = name, .wants_deleted = imap_status_wants_deleted(task->items)};
    imap_ask(server, ACCESS_STORE_MAILBOX_LIST, on_status);
}

/* ---- changes --------------------------------------------------------------------------------- */

struct edit_task {
    struct slice name, to;
};

static void
put_mailbox_id(struct buffer *text, const struct access_store_done *done)
{
    buffer_put_text(text, "[MAILBOXID (");
    imap_put_mailbox_id(text, done->owner, done->number);
    buffer_put_text(text, ")] ");
}

static void
on_edited(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    const struct access_store_done *done = &note->as.done;
    const struct edit_task *task = server->task;

    (void)blob;
    if (done->result == ACCESS_STORE_RESULT_OK && done->number != 0) /* RFC 8474 §4.1 */
        put_mailbox_id(&server->text, done);
    if (done->result == ACCESS_STORE_RESULT_OK) {
        imap_notify_own_name(server, task->name);
        imap_notify_own_name(server, task->to);
    }
    imap_end_result(server, done->result, "done");
}

static void
edit(struct imap_server *server, const struct access_store_mailbox_edit *change)
{
    if (change->name.len == 0 ||
        (change->edit == ACCESS_STORE_EDIT_RENAME && change->to.len == 0)) {
        imap_end(server, IMAP_NO, "[CANNOT] that is no name for a mailbox");
        return;
    }
    struct edit_task *task = imap_task(server, sizeof(*task));
    *task = (struct edit_task){change->name, change->to};
    server->note.as.mailbox_edit = *change;
    imap_ask(server, ACCESS_STORE_MAILBOX_EDIT, on_edited);
}

static void
edit_named(struct imap_server *server, struct cursor *cursor, enum access_store_edit kind)
{
    struct access_store_mailbox_edit change = {.edit = kind, .to = slice_of("", 0)};

    if (!take_mailbox(server, cursor, &change.name) || !imap_take_end(cursor))
        imap_bad(server, "expected: one mailbox");
    else
        edit(server, &change);
}

/* create-param of RFC 6154 §3: SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")" */
static bool
take_use(struct cursor *cursor, uint8_t *ret_use, bool *ret_is_known)
{
    struct slice name;

    if (!imap_take_space(cursor))
        return true;
    if (!cursor_take_byte(cursor, '(') || !imap_take_word(cursor, SLICE("USE")) ||
        !imap_take_space(cursor) || !cursor_take_byte(cursor, '('))
        return false;
    while (!cursor_take_byte(cursor, ')')) {
        (void)!imap_take_space(cursor);
        const uint8_t *start = cursor->at;
        if (!cursor_take_byte(cursor, '\\') || !imap_take_atom(cursor, &name))
            return false;
        enum imap_use use = imap_use_find(slice_of(start, (size_t)(cursor->at - start)));
        *ret_is_known = *ret_is_known && use != IMAP_USE_NONE && *ret_use == 0;
        *ret_use = (uint8_t)use;
    }
    return cursor_take_byte(cursor, ')');
}

void
imap_command_create(struct imap_server *server, struct cursor *cursor)
{
    struct access_store_mailbox_edit change = {.edit = ACCESS_STORE_EDIT_CREATE,
                                               .to = slice_of("", 0)};
    bool is_known = true;

    if (!take_mailbox(server, cursor, &change.name) || !take_use(cursor, &change.use, &is_known) ||
        !imap_take_end(cursor))
        imap_bad(server, "expected: CREATE mailbox [(USE (use))]");
    else if (!is_known)
        imap_end(server, IMAP_NO, "[USEATTR] that use is not offered");
    else
        edit(server, &change);
}

void
imap_command_delete(struct imap_server *server, struct cursor *cursor)
{
    edit_named(server, cursor, ACCESS_STORE_EDIT_REMOVE);
}

void
imap_command_rename(struct imap_server *server, struct cursor *cursor)
{
    struct access_store_mailbox_edit change = {.edit = ACCESS_STORE_EDIT_RENAME};

    if (!take_mailbox(server, cursor, &change.name) || !take_mailbox(server, cursor, &change.to) ||
        !imap_take_end(cursor))
        imap_bad(server, "expected: RENAME mailbox mailbox");
    else
        edit(server, &change);
}

void
imap_command_subscribe(struct imap_server *server, struct cursor *cursor)
{
    edit_named(server, cursor, ACCESS_STORE_EDIT_SUBSCRIBE);
}

void
imap_command_unsubscribe(struct imap_server *server, struct cursor *cursor)
{
    edit_named(server, cursor, ACCESS_STORE_EDIT_UNSUBSCRIBE);
}

/* ---- quota ----------------------------------------------------------------------------------- */

/* The root of a quota is "" for the session's own account; for somebody else's it is a mailbox of
 * his, whose quota it is. */
struct quota_task {
    bool wants_root; /* GETQUOTAROOT */
    struct slice mailbox;
    struct slice root;
    struct access_store_mailbox_row row;
};

static bool
is_foreign(const struct imap_server *server, struct slice name)
{
    struct slice others = server->options.others, shared = server->options.shared;

    return (others.len > 0 && slice_starts_with(name, others)) ||
           (shared.len > 0 && slice_starts_with(name, shared));
}

static void
put_root(struct imap_server *server, struct slice root)
{
    if (root.len > 0)
        imap_put_name(server, root);
    else
        buffer_put_text(&server->output, "\"\"");
}

/* STORAGE counts units of 1024 octets. */
static void
put_quota(struct imap_server *server, const struct access_store_account_told *told)
{
    const struct quota_task *task = server->task;
    struct buffer *out = &server->output;

    buffer_put_text(out, "* QUOTA ");
    put_root(server, task->root);
    buffer_put_text(out, " (");
    if (told->quota_bytes > 0) {
        imap_put_number(out, "STORAGE ", (told->bytes + 1023) / 1024, " ");
        buffer_put_decimal(out, told->quota_bytes / 1024);
    }
    if (told->quota_messages > 0) {
        imap_put_number(out, told->quota_bytes > 0 ? " MESSAGE " : "MESSAGE ", told->messages, " ");
        buffer_put_decimal(out, told->quota_messages);
    }
    buffer_put_text(out, ")\r\n");
}

/* Without a limit there is no root: the list of a QUOTA response has at least one resource
 * (RFC 9208 §7), and clients that read by the grammar stumble over an empty one. */
static void
on_account(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    const struct access_store_account_told *told = &note->as.account_told;
    struct quota_task *task = server->task;
    struct buffer *out = &server->output;
    bool is_limited = told->quota_bytes > 0 || told->quota_messages > 0;

    (void)blob;
    if (task->wants_root) {
        buffer_put_text(out, "* QUOTAROOT ");
        imap_put_name(server, task->mailbox);
        if (is_limited) {
            buffer_put_byte(out, ' ');
            put_root(server, task->root);
        }
        buffer_put_text(out, "\r\n");
    }
    if (is_limited)
        put_quota(server, told);
    if (is_limited || task->wants_root)
        imap_end(server, IMAP_OK, "done");
    else
        imap_end(server, IMAP_NO, "[NONEXISTENT] nothing limits it");
}

static void
ask_account(struct imap_server *server)
{
    struct quota_task *task = server->task;

    server->note.as.account_ask =
        (struct access_store_account_ask){.owner = task->row.owner, .mailbox = task->row.mailbox};
    imap_ask(server, ACCESS_STORE_ACCOUNT_ASK, on_account);
}

static void
on_owner(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    struct quota_task *task = server->task;

    (void)blob;
    if (note->kind == ACCESS_STORE_MAILBOXES) {
        for (size_t i = 0; i < note->as.mailboxes.rows.count; i++)
            task->row = note->as.mailboxes.rows.at[i];
    } else if (note->as.done.result == ACCESS_STORE_RESULT_NOT_FOUND &&
               !is_foreign(server, task->root)) {
        task->root = slice_of("", 0); /* as it will be, once it is made (RFC 9208 §4.1.3) */
        ask_account(server);
    } else if (note->as.done.result != ACCESS_STORE_RESULT_OK) {
        imap_end_result(server, note->as.done.result, "");
    } else if (!(task->row.rights & IMAP_RIGHT_READ)) {
        imap_end_forbidden(server, task->row.rights);
    } else {
        if (task->row.owner == 0)
            task->root = slice_of("", 0);
        ask_account(server);
    }
}

/* Whose it is the store tells. */
static void
ask_owner(struct imap_server *server, struct slice name)
{
    struct quota_task *task = server->task;

    task->root = name;
    server->note.as.mailbox_list = (struct access_store_mailbox_list){.name = name};
    imap_ask(server, ACCESS_STORE_MAILBOX_LIST, on_owner);
}

void
imap_command_getquota(struct imap_server *server, struct cursor *cursor)
{
    struct quota_task *task = imap_task(server, sizeof(*task));
    struct slice sent;

    task->root = slice_of("", 0);
    if (!imap_take_space(cursor) || !imap_take_astring(cursor, &server->arena, &sent) ||
        !imap_take_end(cursor)) {
        imap_bad(server, "expected: GETQUOTA root");
    } else if (sent.len == 0) {
        ask_account(server);
    } else if (!imap_name_decode(sent, imap_is_utf8(server), &server->arena, &task->root) ||
               task->root.len > NAME_MAX_OCTETS || !is_foreign(server, task->root)) {
        imap_end(server, IMAP_NO, "[NONEXISTENT] your own quota root is \"\"");
    } else {
        ask_owner(server, task->root);
    }
}

void
imap_command_getquotaroot(struct imap_server *server, struct cursor *cursor)
{
    struct quota_task *task = imap_task(server, sizeof(*task));

    task->wants_root = true;
    if (!take_mailbox(server, cursor, &task->mailbox) || !imap_take_end(cursor))
        imap_bad(server, "expected: GETQUOTAROOT mailbox");
    else if (task->mailbox.len == 0)
        imap_end_result(server, ACCESS_STORE_RESULT_NOT_FOUND, "");
    else
        ask_owner(server, task->mailbox);
}
