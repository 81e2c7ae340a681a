/* SPDX-License-Identifier: ISC */
#include "client/submit.h"

#include "mime/downgrade.h"
#include "sasl/scram.h"
#include "smtp/client.h"
#include "tls/facts.h"

#include <stdlib.h>

enum { CONVERTED_MAX = 1 << 30 };

struct submit {
    const struct client_login *login;
    const struct client_submission *what; /* NULL: only log in */
    struct smtp_client *engine;
    struct client_wire *wire;
    struct client_problem *problem;
    struct slice input;
    struct smtp_client_recipient recipients[SMTP_CLIENT_RECIPIENTS_MAX];
    size_t first, next; /* recipients of this transaction, and of the one behind it */
    struct smtp_client_message message;
    struct buffer converted;
    struct slice converted_slice;
    size_t accepted;
    bool is_over, is_ready;
    uint8_t nonce[SASL_NONCE_LEN];
};

/* ---- results ------------------------------------------------------------------------------- */

static void
refuse(struct submit *submit, size_t index, const struct smtp_client_reply *reply,
       enum smtp_client_outcome outcome)
{
    struct client_submit_refusal refusal = {
        .recipient = submit->what->recipients[index],
        .is_temporary = outcome != SMTP_CLIENT_PERMANENT,
        .code = reply->code,
        .text = reply->text,
    };

    /* One that is refused for good weighs more than what may be tried again. */
    if (!refusal.is_temporary && submit->problem->kind == CLIENT_PROBLEM_TEMPORARY)
        *submit->problem = (struct client_problem){0};
    client_problem_set(
        submit->problem, refusal.is_temporary ? CLIENT_PROBLEM_TEMPORARY : CLIENT_PROBLEM_REFUSED,
        "%.*s: %u %.*s", CLIENT_TEXT(refusal.recipient), reply->code, CLIENT_TEXT(reply->text));
    if (submit->what->on_refusal)
        submit->what->on_refusal(submit->what->context, &refusal);
}

/* Without a session. */
static void
refuse_all(struct submit *submit)
{
    struct smtp_client_reply reply = {.text = slice_of_string(submit->problem->text)};

    for (size_t i = 0; submit->what && i < submit->what->count; i++)
        refuse(submit, i, &reply, SMTP_CLIENT_TEMPORARY);
}

/* The next transaction, or the end. */
static void
go_on(struct submit *submit)
{
    const struct client_submission *what = submit->what;
    size_t count = 0;

    submit->is_ready = true;
    submit->first = submit->next;
    while (what && count < SMTP_CLIENT_RECIPIENTS_MAX && submit->next < what->count)
        submit->recipients[count++] =
            (struct smtp_client_recipient){.address = what->recipients[submit->next++]};
    if (count == 0) {
        smtp_client_quit(submit->engine, client_now());
        return;
    }
    submit->message = (struct smtp_client_message){.reverse_path = what->sender,
                                                   .recipients = submit->recipients,
                                                   .recipients_count = count,
                                                   .content = what->content};
    smtp_client_carry(submit->engine, &submit->message, client_now());
}

static void
take_close(struct submit *submit, const struct smtp_client_event *event)
{
    static const enum client_problem_kind kinds[] = {
        [SMTP_CLIENT_CLOSE_QUIT] = CLIENT_PROBLEM_NONE,
        [SMTP_CLIENT_CLOSE_REFUSED] = CLIENT_PROBLEM_TEMPORARY,
        [SMTP_CLIENT_CLOSE_INSECURE] = CLIENT_PROBLEM_INSECURE,
        [SMTP_CLIENT_CLOSE_LOGIN] = CLIENT_PROBLEM_LOGIN,
        [SMTP_CLIENT_CLOSE_PROTOCOL] = CLIENT_PROBLEM_PROTOCOL,
        [SMTP_CLIENT_CLOSE_SILENCE] = CLIENT_PROBLEM_UNREACHABLE,
        [SMTP_CLIENT_CLOSE_LOST] = CLIENT_PROBLEM_UNREACHABLE,
    };
    const struct client_submission *what = submit->what;
    enum client_problem_kind kind = kinds[event->close];

    submit->is_over = true;
    if (event->close == SMTP_CLIENT_CLOSE_QUIT)
        return;
    if (kind == CLIENT_PROBLEM_TEMPORARY && event->reply.code >= 500)
        kind = CLIENT_PROBLEM_REFUSED;
    client_problem_set(submit->problem, kind, "%s: %.*s", submit->login->account->outgoing.host,
                       CLIENT_TEXT(event->reply.text.len > 0 ? event->reply.text
                                                             : SLICE("the session has ended")));
    for (; what && submit->next < what->count; submit->next++) /* were not tried */
        refuse(submit, submit->next, &event->reply, SMTP_CLIENT_TEMPORARY);
}

/* ---- events -------------------------------------------------------------------------------- */

static void
bind_login(struct submit *submit)
{
    struct buffer binding;
    struct slice kind;

    buffer_init(&binding, TLS_BINDING_MAX);
    if (client_wire_put_binding(submit->wire, &kind, &binding))
        smtp_client_bind(submit->engine, kind, buffer_slice(&binding));
    buffer_finish(&binding);
    smtp_client_set_verified(submit->engine, client_wire_is_secure(submit->wire));
}

static void
start_tls(struct submit *submit)
{
    if (submit->input.len > 0)
        client_problem_set(submit->problem, CLIENT_PROBLEM_PROTOCOL,
                           "%s: the server goes on before TLS begins",
                           submit->login->account->outgoing.host);
    else if (client_wire_start_tls(submit->wire, submit->problem)) {
        bind_login(submit);
        smtp_client_tls_started(submit->engine, client_now());
        return;
    }
    smtp_client_input_ended(submit->engine);
}

static void
convert(struct submit *submit, bool is_7bit_wanted)
{
    struct mime_downgrade how;
    struct arena arena;

    arena_init(&arena, CONVERTED_MAX);
    buffer_clear(&submit->converted);
    bool is_done = is_7bit_wanted &&
                   mime_downgrade_put(submit->what->content, &arena, &submit->converted, &how);
    arena_finish(&arena);
    submit->converted_slice = buffer_slice(&submit->converted);
    smtp_client_convert(submit->engine, is_done ? &submit->converted_slice : NULL, client_now());
}

static void
take_event(struct submit *submit, const struct smtp_client_event *event)
{
    switch (event->kind) {
    case SMTP_CLIENT_EVENT_STARTTLS:
        start_tls(submit);
        break;
    case SMTP_CLIENT_EVENT_READY:
    case SMTP_CLIENT_EVENT_DONE:
        if (smtp_client_facts(submit->engine).is_ready)
            go_on(submit);
        break;
    case SMTP_CLIENT_EVENT_ANSWER: /* nothing was asked */
        break;
    case SMTP_CLIENT_EVENT_RESULT:
        if (event->outcome == SMTP_CLIENT_DELIVERED)
            submit->accepted++;
        else
            refuse(submit, submit->first + event->recipient, &event->reply, event->outcome);
        break;
    case SMTP_CLIENT_EVENT_CONVERT:
        convert(submit, event->is_7bit_wanted);
        break;
    case SMTP_CLIENT_EVENT_CLOSE:
        take_close(submit, event);
        break;
    }
}

/* Lines as they go over the wire, in both directions; nothing of the login. */
static void
trace(const struct submit *submit, const char *mark, struct slice bytes)
{
    struct buffer *out = submit->login->trace;

    for (struct slice rest = bytes; out && submit->is_ready && rest.len > 0;) {
        struct slice line = slice_first(rest, slice_find_byte(rest, '\n'));
        rest = slice_skip(rest, line.len + 1);
        buffer_put_text(out, mark);
        buffer_put(out, slice_trim(line));
        buffer_put_byte(out, '\n');
    }
}

static void
run(struct submit *submit)
{
    struct smtp_client_event event;
    size_t sent;

    while (!submit->is_over) {
        if (smtp_client_next(submit->engine, &event)) {
            take_event(submit, &event);
            continue;
        }
        size_t taken = smtp_client_feed(submit->engine, submit->input, client_now());
        trace(submit, "S: ", slice_first(submit->input, taken));
        submit->input = slice_skip(submit->input, taken);
        if (taken > 0)
            continue;
        struct slice output = smtp_client_output(submit->engine);
        switch (client_wire_move(submit->wire, output, &sent, &submit->input,
                                 smtp_client_deadline(submit->engine))) {
        case CLIENT_WIRE_MOVED:
            trace(submit, "C: ", slice_first(output, sent));
            smtp_client_sent(submit->engine, sent, client_now());
            break;
        case CLIENT_WIRE_SILENCE:
            smtp_client_expire(submit->engine, client_now());
            break;
        case CLIENT_WIRE_ENDED:
            smtp_client_input_ended(submit->engine);
            break;
        }
    }
    struct slice rest = smtp_client_output(submit->engine);
    if (rest.len > 0) /* QUIT: its answer is nobody's concern */
        (void)client_wire_move(submit->wire, rest, &sent, &submit->input, client_now());
}

/* ---- a session ----------------------------------------------------------------------------- */

static bool
open_session(struct submit *submit)
{
    static const enum smtp_client_tls tls[] = {[CLIENT_TLS_REQUIRED] = SMTP_CLIENT_TLS_REQUIRED,
                                               [CLIENT_TLS_OFFERED] = SMTP_CLIENT_TLS_OFFERED,
                                               [CLIENT_TLS_NEVER] = SMTP_CLIENT_TLS_NEVER};
    const struct client_account *account = submit->login->account;
    uint8_t random[SASL_NONCE_RANDOM_LEN];
    struct client_wire_options wire = {.host = account->outgoing.host,
                                       .port = account->outgoing.port,
                                       .is_secure = account->outgoing.is_secure,
                                       .trust_file = account->trust};
    /* What stands behind EHLO is nobody's business: RFC 4954 and RFC 6409 want no name of a client
     * that logs in, and the address literal of a machine behind NAT tells strangers about it. */
    struct smtp_client_options options = {
        .hostname = SLICE("[127.0.0.1]"),
        .tls = tls[account->tls],
        .is_secure = account->outgoing.is_secure,
        .is_local = account->tls != CLIENT_TLS_REQUIRED, /* the user has said: also in the clear */
        .name = submit->login->password.len > 0 ? slice_of_string(account->login) : SLICE(""),
        .password = submit->login->password,
    };

    if (account->outgoing.protocol != CLIENT_SMTP)
        return client_problem_set(submit->problem, CLIENT_PROBLEM_SETTINGS,
                                  "the account %s has no outgoing server", account->name);
    submit->wire = client_wire_open(&wire, submit->problem);
    if (!submit->wire)
        return false;
    client_random(random, sizeof(random));
    options.nonce = sasl_nonce_format(random, submit->nonce);
    submit->engine = smtp_client_open(&options);
    if (account->outgoing.is_secure)
        bind_login(submit);
    smtp_client_connected(submit->engine, client_now());
    return true;
}

static bool
carry(const struct client_login *login, const struct client_submission *submission,
      size_t *ret_accepted, struct client_problem *problem)
{
    struct submit *submit = calloc(1, sizeof(*submit));

    if (!submit)
        abort();
    submit->login = login;
    submit->what = submission;
    submit->problem = problem;
    submit->input = SLICE("");
    buffer_init(&submit->converted, CONVERTED_MAX);
    if (open_session(submit))
        run(submit);
    else
        refuse_all(submit);
    smtp_client_close(&submit->engine);
    client_wire_close(&submit->wire);
    buffer_finish(&submit->converted);
    *ret_accepted = submit->accepted;
    bool is_done = problem->kind == CLIENT_PROBLEM_NONE && submit->is_ready;
    free(submit);
    return is_done;
}

bool
client_submit(const struct client_login *login, const struct client_submission *submission,
              size_t *ret_accepted, struct client_problem *problem)
{
    return carry(login, submission, ret_accepted, problem) && *ret_accepted == submission->count;
}

bool
client_submit_test(const struct client_login *login, struct client_problem *problem)
{
    size_t accepted;

    return carry(login, NULL, &accepted, problem);
}
