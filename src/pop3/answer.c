/* SPDX-License-Identifier: ISC */
/* What becomes of the caller's answers to the engine's questions. */
#include "pop3/server_private.h"
#include "text/base64.h"

static void
put_challenge(struct pop3_server *server, struct slice challenge)
{
    buffer_put_text(&server->output, "+ ");
    base64_format(challenge, &server->output);
    buffer_put_text(&server->output, "\r\n");
}

/* The sentence for a refused login; RFC 3206 §3 and RFC 2449 §8 have the codes. */
static const char *
refusal_text(enum pop3_answer_kind kind)
{
    switch (kind) {
    case POP3_ANSWER_CREDENTIALS:
        return "[AUTH] name or password is wrong";
    case POP3_ANSWER_MECHANISM:
        return "that mechanism cannot be used";
    case POP3_ANSWER_MALFORMED:
        return "that is not what the mechanism says";
    case POP3_ANSWER_WEAK:
        return "[AUTH] begin TLS before you log in";
    case POP3_ANSWER_IN_USE:
        return "[IN-USE] another session holds the maildrop";
    case POP3_ANSWER_LOGIN_DELAY:
        return "[LOGIN-DELAY] too soon after the last login";
    case POP3_ANSWER_NOT_PERMITTED:
        return "[SYS/PERM] this maildrop cannot be opened";
    case POP3_ANSWER_EXPUNGED:
        return "that message is gone";
    case POP3_ANSWER_DAMAGED:
        return "[SYS/PERM] that message is damaged";
    case POP3_ANSWER_LIMIT:
        return "[SYS/TEMP] too many sessions of this account";
    case POP3_ANSWER_OK:
    case POP3_ANSWER_CHALLENGE:
    case POP3_ANSWER_TEMPORARY:
        break;
    }
    return "[SYS/TEMP] not now, try again later";
}

/* Every refusal is held back alike, and some of them are enough. */
static void
refuse_login(struct pop3_server *server, const struct pop3_answer *answer, struct instant now)
{
    pop3_put_error(server, refusal_text(answer->kind));
    if (answer->delay_ms > 0) {
        server->is_held = true;
        server->held_until = instant_after(now, duration_ms(answer->delay_ms));
    }
    if (++server->failures >= POP3_FAILURES_MAX)
        pop3_end(server, POP3_CLOSE_ERRORS);
}

void
pop3_begin_open(struct pop3_server *server)
{
    server->event = (struct pop3_event){0};
    pop3_raise(server, POP3_EVENT_OPEN, POP3_QUESTION_OPEN);
}

static void
answer_login(struct pop3_server *server, const struct pop3_answer *answer, struct instant now)
{
    if (answer->kind == POP3_ANSWER_OK && answer->challenge.len > 0) {
        put_challenge(server, answer->challenge);
        server->expects = POP3_LINE_EMPTY;
    } else if (answer->kind == POP3_ANSWER_OK) {
        pop3_begin_open(server);
    } else {
        refuse_login(server, answer, now);
    }
}

/* PASS has no way to pass a challenge on. */
static void
answer_auth(struct pop3_server *server, const struct pop3_answer *answer, struct instant now)
{
    if (answer->kind != POP3_ANSWER_CHALLENGE) {
        answer_login(server, answer, now);
        return;
    }
    if (server->via_pass) {
        pop3_put_error(server, refusal_text(POP3_ANSWER_TEMPORARY));
        server->event = (struct pop3_event){0};
        pop3_raise(server, POP3_EVENT_AUTH_ABORT, POP3_QUESTION_NONE);
        return;
    }
    put_challenge(server, answer->challenge);
    server->expects = POP3_LINE_RESPONSE;
}

/* RFC 1939 §4: when the maildrop cannot be opened the server may close; the grant has been used
 * up. */
static void
answer_open(struct pop3_server *server, const struct pop3_answer *answer)
{
    struct buffer *output = &server->output;

    if (answer->kind != POP3_ANSWER_OK) {
        pop3_put_error(server, refusal_text(answer->kind));
        pop3_end(server, POP3_CLOSE_SERVER);
        return;
    }
    server->state = POP3_TRANSACTION;
    server->uid_validity = answer->uid_validity;
    buffer_put_text(output, "+OK maildrop has ");
    buffer_put_decimal(output, server->maildrop.count);
    buffer_put_text(output, " messages (");
    buffer_put_decimal(output, server->maildrop.bytes);
    buffer_put_text(output, " octets)\r\n");
}

static void
begin_body(struct pop3_server *server)
{
    if (server->is_begun)
        return;
    server->is_begun = true;
    buffer_put_text(&server->output, "+OK ");
    buffer_put_decimal(&server->output,
                       pop3_maildrop_bytes(&server->maildrop, server->read_number));
    buffer_put_text(&server->output, " octets\r\n");
}

/* In the middle of a body there is no way to say that something is wrong but to close. */
static void
answer_read(struct pop3_server *server, const struct pop3_answer *answer)
{
    if (answer->kind == POP3_ANSWER_OK) {
        begin_body(server);
        pop3_stuffer_finish(&server->stuffer, &server->output);
        server->read_count++;
        if (server->read_number > server->last_read)
            server->last_read = server->read_number;
    } else if (server->is_begun) {
        pop3_end(server, POP3_CLOSE_SERVER);
    } else {
        pop3_put_error(server, refusal_text(answer->kind));
    }
    server->is_begun = false;
}

static void
answer_update(struct pop3_server *server, const struct pop3_answer *answer)
{
    struct buffer *output = &server->output;

    if (server->maildrop.deleted_count == 0) {
        buffer_put_text(output, "+OK ");
        buffer_put(output, server->options.hostname);
        buffer_put_text(output, " signing off\r\n");
    } else if (answer->kind == POP3_ANSWER_OK) {
        buffer_put_text(output, "+OK ");
        buffer_put(output, server->options.hostname);
        buffer_put_text(output, " signing off (");
        buffer_put_decimal(output, server->maildrop.deleted_count);
        buffer_put_text(output, " messages deleted)\r\n");
    } else {
        pop3_put_error(server, "[SYS/TEMP] some deleted messages were not removed");
    }
    pop3_end(server, POP3_CLOSE_QUIT);
}

void
pop3_server_answer(struct pop3_server *server, const struct pop3_answer *answer, struct instant now)
{
    enum pop3_question question = server->question;

    if (question == POP3_QUESTION_NONE)
        return;
    assert(!server->has_event);
    server->question = POP3_QUESTION_NONE;
    switch (question) {
    case POP3_QUESTION_AUTH:
        answer_auth(server, answer, now);
        break;
    case POP3_QUESTION_APOP:
        answer_login(server, answer, now);
        break;
    case POP3_QUESTION_OPEN:
        answer_open(server, answer);
        break;
    case POP3_QUESTION_READ:
        answer_read(server, answer);
        break;
    case POP3_QUESTION_UPDATE:
        answer_update(server, answer);
        break;
    case POP3_QUESTION_NONE:
        break;
    }
    buffer_wipe(&server->scratch);
}

void
pop3_server_add_message(struct pop3_server *server, uint32_t uid, uint64_t bytes)
{
    /* Those past the bound are not shown in this session; the next one begins with them. */
    if (server->question == POP3_QUESTION_OPEN)
        (void)!pop3_maildrop_add(&server->maildrop, uid, bytes);
}

/* The end of the body, and the first line when it is still to come, must fit in any case. */
enum { BODY_TAIL = 64 };

size_t
pop3_server_wants_body(const struct pop3_server *server)
{
    size_t room = buffer_room(&server->output);

    if (server->question != POP3_QUESTION_READ || room <= 2 * BODY_TAIL)
        return 0;
    return (room - 2 * BODY_TAIL) / 2;
}

bool
pop3_server_has_enough(const struct pop3_server *server)
{
    return server->question == POP3_QUESTION_READ && server->stuffer.is_done;
}

size_t
pop3_server_put_body(struct pop3_server *server, struct slice bytes)
{
    if (server->question != POP3_QUESTION_READ)
        return bytes.len;
    begin_body(server);
    /* The tail is kept free by lowering the bound for a moment. */
    size_t max = server->output.max;
    server->output.max = max - BODY_TAIL;
    size_t taken = buffer_len(&server->output) < server->output.max
                       ? pop3_stuffer_put(&server->stuffer, bytes, &server->output)
                       : 0;
    server->output.max = max;
    return taken;
}

bool
pop3_server_next_deleted(const struct pop3_server *server, size_t *place, uint32_t *ret_uid)
{
    while (*place < server->maildrop.count) {
        uint32_t number = (uint32_t)++ * place;
        if (pop3_maildrop_is_deleted(&server->maildrop, number)) {
            *ret_uid = pop3_maildrop_uid(&server->maildrop, number);
            return true;
        }
    }
    return false;
}
