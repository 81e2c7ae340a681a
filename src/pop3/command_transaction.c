/* SPDX-License-Identifier: ISC */
/* Commands of the transaction state (RFC 1939 §5 and §7, RFC 1460 for LAST) and of both (CAPA,
 * QUIT). */
#include "pop3/server_private.h"

/* Takes a message number that exists and is not marked; otherwise the command is refused. */
static bool
take_message(struct pop3_server *server, struct cursor *cursor, uint32_t *ret_number)
{
    uint32_t number;

    (void)cursor_skip_blanks(cursor);
    if (!cursor_take_u32(cursor, 0, UINT32_MAX, &number)) {
        pop3_refuse(server, "that is not a message number");
        return false;
    }
    if (!pop3_maildrop_has(&server->maildrop, number)) {
        pop3_refuse(server, "no such message");
        return false;
    }
    if (pop3_maildrop_is_deleted(&server->maildrop, number)) {
        pop3_refuse(server, "that message is deleted");
        return false;
    }
    *ret_number = number;
    return true;
}

/* The same where nothing may follow. */
static bool
take_only_message(struct pop3_server *server, const struct pop3_call *call, uint32_t *ret_number)
{
    struct cursor cursor = cursor_of(slice_trim(call->arguments));
    uint32_t number;

    if (!take_message(server, &cursor, &number))
        return false;
    if (!cursor_is_done(&cursor)) {
        pop3_refuse(server, "too many arguments");
        return false;
    }
    *ret_number = number;
    return true;
}

static uint32_t
visible_count(const struct pop3_server *server)
{
    return server->maildrop.count - server->maildrop.deleted_count;
}

static uint64_t
visible_bytes(const struct pop3_server *server)
{
    return server->maildrop.bytes - server->maildrop.deleted_bytes;
}

void
pop3_command_stat(struct pop3_server *server, const struct pop3_call *call)
{
    (void)call;
    buffer_put_text(&server->output, "+OK ");
    buffer_put_decimal(&server->output, visible_count(server));
    buffer_put_byte(&server->output, ' ');
    buffer_put_decimal(&server->output, visible_bytes(server));
    buffer_put_text(&server->output, "\r\n");
}

void
pop3_command_list(struct pop3_server *server, const struct pop3_call *call)
{
    struct buffer *output = &server->output;
    uint32_t number;

    if (slice_trim(call->arguments).len > 0) {
        if (!take_only_message(server, call, &number))
            return;
        buffer_put_text(output, "+OK ");
        buffer_put_decimal(output, number);
        buffer_put_byte(output, ' ');
        buffer_put_decimal(output, pop3_maildrop_bytes(&server->maildrop, number));
        buffer_put_text(output, "\r\n");
        return;
    }
    buffer_put_text(output, "+OK ");
    buffer_put_decimal(output, visible_count(server));
    buffer_put_text(output, " messages (");
    buffer_put_decimal(output, visible_bytes(server));
    buffer_put_text(output, " octets)\r\n");
    server->list_next = 1;
    server->list_uids = false;
}

void
pop3_command_uidl(struct pop3_server *server, const struct pop3_call *call)
{
    struct buffer *output = &server->output;
    uint32_t number;

    if (slice_trim(call->arguments).len > 0) {
        if (!take_only_message(server, call, &number))
            return;
        buffer_put_text(output, "+OK ");
        buffer_put_decimal(output, number);
        buffer_put_byte(output, ' ');
        buffer_put_decimal(output, server->uid_validity);
        buffer_put_byte(output, '.');
        buffer_put_decimal(output, pop3_maildrop_uid(&server->maildrop, number));
        buffer_put_text(output, "\r\n");
        return;
    }
    pop3_put_ok(server, "unique ids follow");
    server->list_next = 1;
    server->list_uids = true;
}

static void
begin_read(struct pop3_server *server, uint32_t number)
{
    server->read_number = number;
    server->is_begun = false;
    server->event = (struct pop3_event){
        .uid = pop3_maildrop_uid(&server->maildrop, number),
        .bytes = pop3_maildrop_bytes(&server->maildrop, number),
        .is_top = server->stuffer.is_top,
    };
    pop3_raise(server, POP3_EVENT_READ, POP3_QUESTION_READ);
}

void
pop3_command_retr(struct pop3_server *server, const struct pop3_call *call)
{
    uint32_t number;

    if (!take_only_message(server, call, &number))
        return;
    pop3_stuffer_init(&server->stuffer);
    begin_read(server, number);
}

void
pop3_command_top(struct pop3_server *server, const struct pop3_call *call)
{
    struct cursor cursor = cursor_of(slice_trim(call->arguments));
    uint32_t number, lines;

    if (!take_message(server, &cursor, &number))
        return;
    if (cursor_skip_blanks(&cursor) == 0 || !cursor_take_u32(&cursor, 0, UINT32_MAX, &lines) ||
        !cursor_is_done(&cursor)) {
        pop3_refuse(server, "TOP wants a message and a number of lines");
        return;
    }
    pop3_stuffer_init_top(&server->stuffer, lines);
    begin_read(server, number);
}

void
pop3_command_dele(struct pop3_server *server, const struct pop3_call *call)
{
    uint32_t number;

    if (!take_only_message(server, call, &number))
        return;
    pop3_maildrop_delete(&server->maildrop, number);
    buffer_put_text(&server->output, "+OK message ");
    buffer_put_decimal(&server->output, number);
    buffer_put_text(&server->output, " deleted\r\n");
}

void
pop3_command_noop(struct pop3_server *server, const struct pop3_call *call)
{
    (void)call;
    pop3_put_ok(server, "nothing done");
}

void
pop3_command_last(struct pop3_server *server, const struct pop3_call *call)
{
    (void)call;
    buffer_put_text(&server->output, "+OK ");
    buffer_put_decimal(&server->output, server->last_read);
    buffer_put_text(&server->output, "\r\n");
}

void
pop3_command_rset(struct pop3_server *server, const struct pop3_call *call)
{
    (void)call;
    pop3_maildrop_reset(&server->maildrop);
    server->last_read = 0;
    buffer_put_text(&server->output, "+OK maildrop has ");
    buffer_put_decimal(&server->output, server->maildrop.count);
    buffer_put_text(&server->output, " messages (");
    buffer_put_decimal(&server->output, server->maildrop.bytes);
    buffer_put_text(&server->output, " octets)\r\n");
}

void
pop3_command_quit(struct pop3_server *server, const struct pop3_call *call)
{
    (void)call;
    /* Also when nothing was marked: the lock is given back before the client hears so. */
    if (server->state == POP3_TRANSACTION) {
        server->event = (struct pop3_event){0};
        pop3_raise(server, POP3_EVENT_UPDATE, POP3_QUESTION_UPDATE);
        return;
    }
    buffer_put_text(&server->output, "+OK ");
    buffer_put(&server->output, server->options.hostname);
    buffer_put_text(&server->output, " signing off\r\n");
    pop3_end(server, POP3_CLOSE_QUIT);
}

/* ---- CAPA ---------------------------------------------------------------------------------- */

static void
put_sasl_capability(struct pop3_server *server)
{
    bool is_first = true;

    for (size_t i = 0; i < server->options.mechanisms_count; i++) {
        if (!pop3_may_use(server, server->options.mechanisms[i]))
            continue;
        buffer_put_text(&server->output, is_first ? "SASL " : " ");
        buffer_put(&server->output, server->options.mechanisms[i]);
        is_first = false;
    }
    if (!is_first)
        buffer_put_text(&server->output, "\r\n");
}

/* LOGIN-DELAY and EXPIRE (RFC 2449 §6.5 and §6.7). */
static void
put_policies(struct pop3_server *server)
{
    struct buffer *output = &server->output;

    if (server->options.login_delay_s > 0) {
        buffer_put_text(output, "LOGIN-DELAY ");
        buffer_put_decimal(output, server->options.login_delay_s);
        buffer_put_text(output, "\r\n");
    }
    buffer_put_text(output, "EXPIRE ");
    if (server->options.expire_days == POP3_EXPIRE_NEVER)
        buffer_put_text(output, "NEVER");
    else
        buffer_put_decimal(output, server->options.expire_days);
    buffer_put_text(output, "\r\n");
}

void
pop3_command_capa(struct pop3_server *server, const struct pop3_call *call)
{
    struct buffer *output = &server->output;
    bool is_authorization = server->state == POP3_AUTHORIZATION;

    (void)call;
    pop3_put_ok(server, "capabilities follow");
    buffer_put_text(output, "TOP\r\nUIDL\r\nPIPELINING\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n");
    if (is_authorization && pop3_may_authenticate(server))
        buffer_put_text(output, "USER\r\n");
    if (is_authorization)
        put_sasl_capability(server);
    if (is_authorization && server->options.is_tls_available && !server->is_secure)
        buffer_put_text(output, "STLS\r\n");
    if (is_authorization)
        buffer_put_text(output, "UTF8 USER\r\n");
    put_policies(server);
    if (server->options.implementation.len > 0) {
        buffer_put_text(output, "IMPLEMENTATION ");
        buffer_put(output, server->options.implementation);
        buffer_put_text(output, "\r\n");
    }
    buffer_put_text(output, ".\r\n");
}
