/* SPDX-License-Identifier: ISC */
#include "client/pop.h"

#include "base/arena.h"
#include "client/talk.h"
#include "pop3/client.h"

#include <stdlib.h>

/* Unique ids of a whole maildrop: POP3_CLIENT_LIST_MAX of them are not met in one that is read by
 * hand, but a server may try. */
enum { IDS_MAX = 256 << 20 };

struct client_pop {
    struct pop3_client *engine;
    struct talk talk;
    struct arena arena;
    struct client_pop_message *messages; /* count + 1, from 1 on */
    uint32_t count;
    struct buffer *body; /* where a message goes; or NULL */
};

/* ---- events -------------------------------------------------------------------------------- */

static void
take_close(struct client_pop *pop, const struct pop3_client_event *event)
{
    static const struct {
        enum client_problem_kind kind;
        const char *text;
    } ends[] = {
        [POP3_CLIENT_CLOSE_UPDATE] = {CLIENT_PROBLEM_REFUSED, "not all was deleted"},
        [POP3_CLIENT_CLOSE_REFUSED] = {CLIENT_PROBLEM_LOGIN, "refused"},
        [POP3_CLIENT_CLOSE_INSECURE] = {CLIENT_PROBLEM_INSECURE,
                                        "the server has no TLS, which the account requires"},
        [POP3_CLIENT_CLOSE_METHOD] = {CLIENT_PROBLEM_LOGIN,
                                      "no way to log in that both sides know"},
        [POP3_CLIENT_CLOSE_PROTOCOL] = {CLIENT_PROBLEM_PROTOCOL, "the server breaks the rules"},
        [POP3_CLIENT_CLOSE_SILENCE] = {CLIENT_PROBLEM_UNREACHABLE, "the server says nothing"},
        [POP3_CLIENT_CLOSE_LOST] = {CLIENT_PROBLEM_UNREACHABLE, "the connection was lost"},
    };

    pop->talk.is_over = pop->talk.is_answered = true;
    pop->talk.is_ok = event->close == POP3_CLIENT_CLOSE_DONE;
    if (event->close == POP3_CLIENT_CLOSE_DONE || pop->talk.end != CLIENT_PROBLEM_NONE)
        return;
    bool is_busy = slice_equal_nocase(event->code, SLICE("IN-USE")) ||
                   slice_starts_with_nocase(event->code, SLICE("SYS/TEMP")) ||
                   slice_equal_nocase(event->code, SLICE("LOGIN-DELAY"));
    talk_fail(&pop->talk, is_busy ? CLIENT_PROBLEM_TEMPORARY : ends[event->close].kind,
              event->text.len > 0 ? event->text : slice_of_string(ends[event->close].text));
}

static void
take_item(struct client_pop *pop, const struct pop3_client_event *event)
{
    if (event->number == 0 || event->number > pop->count)
        return;
    struct client_pop_message *message = &pop->messages[event->number];
    if (event->command == POP3_CLIENT_LIST)
        message->octets = event->octets;
    else if (event->command == POP3_CLIENT_UIDL)
        message->uid = arena_copy_string(&pop->arena, event->bytes);
}

static void
take_reply(struct client_pop *pop, const struct pop3_client_event *event)
{
    pop->talk.is_ok = event->is_ok;
    if (!event->is_ok)
        talk_fail(&pop->talk, CLIENT_PROBLEM_REFUSED, event->text);
    if (event->is_ok && event->command == POP3_CLIENT_STAT)
        pop->count = event->number;
    /* What has more than one line is answered by END. */
    bool is_long = event->command == POP3_CLIENT_LIST || event->command == POP3_CLIENT_UIDL ||
                   event->command == POP3_CLIENT_RETR || event->command == POP3_CLIENT_TOP;
    pop->talk.is_answered = pop->talk.is_answered || !event->is_ok || !is_long;
}

static void
respond(struct client_pop *pop, const struct pop3_client_event *event)
{
    struct slice response;

    if (event->kind == POP3_CLIENT_EVENT_AUTH
            ? talk_begin_sasl(&pop->talk, event->mechanism, &response)
            : talk_step_sasl(&pop->talk, event->bytes, &response))
        pop3_client_respond(pop->engine, response, client_now());
    else
        pop3_client_give_up(pop->engine, client_now());
}

static void
start_tls(struct client_pop *pop)
{
    if (talk_start_tls(&pop->talk))
        pop3_client_tls_started(pop->engine, client_now());
    else
        pop3_client_input_ended(pop->engine);
}

static void
take_event(struct client_pop *pop, const struct pop3_client_event *event)
{
    switch (event->kind) {
    case POP3_CLIENT_EVENT_STARTTLS:
        start_tls(pop);
        break;
    case POP3_CLIENT_EVENT_AUTH:
    case POP3_CLIENT_EVENT_CHALLENGE:
        respond(pop, event);
        break;
    case POP3_CLIENT_EVENT_LOGGED_IN:
        talk_logged_in(&pop->talk);
        break;
    case POP3_CLIENT_EVENT_REPLY:
        take_reply(pop, event);
        break;
    case POP3_CLIENT_EVENT_ITEM:
        take_item(pop, event);
        break;
    case POP3_CLIENT_EVENT_BODY:
        if (pop->body)
            buffer_put(pop->body, event->bytes);
        break;
    case POP3_CLIENT_EVENT_END:
        pop->talk.is_answered = true;
        break;
    case POP3_CLIENT_EVENT_CLOSE:
        take_close(pop, event);
        break;
    }
}

/* Moves the session on until the question is answered, or it is over. */
static void
run(struct client_pop *pop)
{
    struct pop3_client_event event;
    size_t sent;

    for (;;) {
        while (!pop->talk.is_answered && pop3_client_next(pop->engine, &event))
            take_event(pop, &event);
        if (pop->talk.is_answered)
            return;
        size_t taken = pop3_client_feed(pop->engine, pop->talk.input, client_now());
        pop->talk.input = slice_skip(pop->talk.input, taken);
        if (taken > 0)
            continue;
        switch (client_wire_move(pop->talk.wire, pop3_client_output(pop->engine), &sent,
                                 &pop->talk.input, pop3_client_deadline(pop->engine))) {
        case CLIENT_WIRE_MOVED:
            pop3_client_sent(pop->engine, sent);
            break;
        case CLIENT_WIRE_SILENCE:
            pop3_client_expire(pop->engine, client_now());
            break;
        case CLIENT_WIRE_ENDED:
            pop3_client_input_ended(pop->engine);
            break;
        }
    }
}

/* ---- questions ----------------------------------------------------------------------------- */

static bool
ask(struct client_pop *pop, enum pop3_client_command command, uint32_t number, uint32_t lines)
{
    pop->talk.is_answered = pop->talk.is_ok = false;
    pop->talk.end = CLIENT_PROBLEM_NONE;
    if (pop->talk.is_over || !pop3_client_ask(pop->engine, command, number, lines, client_now())) {
        talk_fail(&pop->talk, CLIENT_PROBLEM_UNREACHABLE, SLICE("the session has ended"));
        return false;
    }
    run(pop);
    return pop->talk.is_ok && (!pop->talk.is_over || command == POP3_CLIENT_QUIT);
}

/* STAT, LIST and UIDL: what client_pop_message tells. */
static bool
look_round(struct client_pop *pop, struct client_problem *problem)
{
    if (!ask(pop, POP3_CLIENT_STAT, 0, 0))
        return talk_tell(&pop->talk, problem);
    if (pop->count > POP3_CLIENT_LIST_MAX)
        return client_problem_set(problem, CLIENT_PROBLEM_TOO_LARGE, "%u messages", pop->count);
    pop->messages = ARENA_ARRAY(&pop->arena, struct client_pop_message, (size_t)pop->count + 1);
    if (!pop->messages)
        return client_problem_set(problem, CLIENT_PROBLEM_TOO_LARGE, "%u messages", pop->count);
    if (pop->count == 0)
        return true;
    if (!ask(pop, POP3_CLIENT_LIST, 0, 0))
        return talk_tell(&pop->talk, problem);
    if (!ask(pop, POP3_CLIENT_UIDL, 0, 0) && pop->talk.is_over) /* optional: RFC 1939 §7 */
        return talk_tell(&pop->talk, problem);
    return !arena_failed(&pop->arena) ||
           client_problem_set(problem, CLIENT_PROBLEM_TOO_LARGE, "the unique ids are too long");
}

static struct pop3_client *
open_engine(const struct client_login *login)
{
    const struct client_account *account = login->account;
    static const enum pop3_client_tls tls[] = {[CLIENT_TLS_REQUIRED] = POP3_CLIENT_TLS_REQUIRED,
                                               [CLIENT_TLS_OFFERED] = POP3_CLIENT_TLS_OFFERED,
                                               [CLIENT_TLS_NEVER] = POP3_CLIENT_TLS_NEVER};
    struct pop3_client_options options = {
        .name = slice_of_string(account->login),
        .password = login->password,
        .tls = tls[account->tls],
        .is_secure = account->incoming.is_secure,
        .allows_clear_password = account->tls != CLIENT_TLS_REQUIRED,
        .trace = login->trace,
    };

    options.mechanisms_count = login_mechanisms(account, options.mechanisms);
    return pop3_client_open(&options);
}

static bool
log_in(struct client_pop *pop, struct client_problem *problem)
{
    pop->engine = open_engine(pop->talk.login.from);
    if (!pop->engine)
        return client_problem_set(problem, CLIENT_PROBLEM_SETTINGS,
                                  "name or password cannot be sent: empty, or too long");
    pop3_client_begin(pop->engine, client_now());
    if (!talk_connect(&pop->talk, problem)) {
        pop3_client_input_ended(pop->engine);
        return false;
    }
    pop3_client_connected(pop->engine, client_now());
    run(pop);
    return pop->talk.is_in || talk_tell(&pop->talk, problem);
}

struct client_pop *
client_pop_open(const struct client_login *login, struct client_problem *problem)
{
    struct client_pop *pop = calloc(1, sizeof(*pop));

    if (!pop)
        abort();
    pop->talk.login.from = login;
    pop->talk.input = SLICE("");
    arena_init(&pop->arena, IDS_MAX);
    if (!log_in(pop, problem) || !look_round(pop, problem))
        client_pop_close(&pop);
    return pop;
}

uint32_t
client_pop_count(const struct client_pop *pop)
{
    return pop->count;
}

struct client_pop_message
client_pop_message(const struct client_pop *pop, uint32_t number)
{
    assert(number >= 1 && number <= pop->count);
    return pop->messages[number];
}

static bool
read_into(struct client_pop *pop, enum pop3_client_command command, uint32_t number, uint32_t lines,
          struct buffer *out, struct client_problem *problem)
{
    pop->body = out;
    bool is_done = ask(pop, command, number, lines);
    pop->body = NULL;
    if (!is_done)
        return talk_tell(&pop->talk, problem);
    return !buffer_overflowed(out) ||
           client_problem_set(problem, CLIENT_PROBLEM_TOO_LARGE, "message %u is too large", number);
}

bool
client_pop_read(struct client_pop *pop, uint32_t number, struct buffer *out,
                struct client_problem *problem)
{
    return read_into(pop, POP3_CLIENT_RETR, number, 0, out, problem);
}

bool
client_pop_top(struct client_pop *pop, uint32_t number, uint32_t lines, struct buffer *out,
               struct client_problem *problem)
{
    bool has_top =
        pop3_client_facts(pop->engine).has_top || !pop3_client_facts(pop->engine).has_capabilities;

    return read_into(pop, has_top ? POP3_CLIENT_TOP : POP3_CLIENT_RETR, number, lines, out,
                     problem);
}

bool
client_pop_delete(struct client_pop *pop, uint32_t number, struct client_problem *problem)
{
    return ask(pop, POP3_CLIENT_DELE, number, 0) || talk_tell(&pop->talk, problem);
}

bool
client_pop_quit(struct client_pop *pop, struct client_problem *problem)
{
    return ask(pop, POP3_CLIENT_QUIT, 0, 0) || talk_tell(&pop->talk, problem);
}

void
client_pop_close(struct client_pop **pop)
{
    struct client_pop *p = *pop;

    if (!p)
        return;
    /* A QUIT that is not waited for. */
    talk_close(&p->talk, p->engine ? pop3_client_output(p->engine) : SLICE(""));
    pop3_client_close(&p->engine);
    arena_finish(&p->arena);
    free(p);
    *pop = NULL;
}
