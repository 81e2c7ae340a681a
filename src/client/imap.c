/* SPDX-License-Identifier: ISC */
#include "client/imap.h"

#include "client/folder.h"
#include "client/talk.h"
#include "imap/grammar.h"

#include <stdio.h>
#include <stdlib.h>

struct client_imap {
    struct imap_client *engine;
    struct talk talk;
    bool is_idling;  /* the server has let IDLE begin: before that, DONE is not heard */
    bool is_changed; /* in IDLE: something came */
    int watched;     /* a descriptor that ends a wait; -1: none */
    client_imap_fn fn;
    void *context;
    struct slice message; /* of APPEND: what is left of it */
    char code[4096];      /* COPYUID has sets */
};

/* ---- events -------------------------------------------------------------------------------- */

static void
take_close(struct client_imap *imap, const struct imap_client_event *event)
{
    static const struct {
        enum client_problem_kind kind;
        const char *text;
    } ends[] = {
        [IMAP_CLIENT_CLOSE_DONE] = {CLIENT_PROBLEM_UNREACHABLE, "the session has ended"},
        [IMAP_CLIENT_CLOSE_REFUSED] = {CLIENT_PROBLEM_LOGIN, "refused"},
        [IMAP_CLIENT_CLOSE_INSECURE] = {CLIENT_PROBLEM_INSECURE,
                                        "the server has no TLS, which the account requires"},
        [IMAP_CLIENT_CLOSE_METHOD] = {CLIENT_PROBLEM_LOGIN,
                                      "no way to log in that both sides know"},
        [IMAP_CLIENT_CLOSE_PROTOCOL] = {CLIENT_PROBLEM_PROTOCOL, "the server breaks the rules"},
        [IMAP_CLIENT_CLOSE_SILENCE] = {CLIENT_PROBLEM_UNREACHABLE, "the server says nothing"},
        [IMAP_CLIENT_CLOSE_LOST] = {CLIENT_PROBLEM_UNREACHABLE, "the connection was lost"},
    };

    imap->talk.is_over = imap->talk.is_answered = true;
    imap->talk.is_ok = false;
    if (imap->talk.end != CLIENT_PROBLEM_NONE)
        return;
    bool is_later = slice_equal_nocase(event->code, SLICE("UNAVAILABLE")) ||
                    slice_equal_nocase(event->code, SLICE("INUSE")) ||
                    slice_equal_nocase(event->code, SLICE("LIMIT")) ||
                    (imap->talk.is_in && event->close == IMAP_CLIENT_CLOSE_REFUSED);
    talk_fail(&imap->talk, is_later ? CLIENT_PROBLEM_TEMPORARY : ends[event->close].kind,
              event->text.len > 0 ? event->text : slice_of_string(ends[event->close].text));
}

static void
take_reply(struct client_imap *imap, const struct imap_client_event *event)
{
    bool is_missing = slice_equal_nocase(event->code, SLICE("NONEXISTENT")) ||
                      slice_equal_nocase(event->code, SLICE("TRYCREATE"));
    bool is_later = slice_equal_nocase(event->code, SLICE("UNAVAILABLE")) ||
                    slice_equal_nocase(event->code, SLICE("INUSE"));

    imap->talk.is_answered = true;
    imap->talk.is_ok = event->result == IMAP_CLIENT_OK;
    (void)snprintf(imap->code, sizeof(imap->code), "%.*s", CLIENT_TEXT(event->code));
    if (!imap->talk.is_ok)
        talk_fail(&imap->talk,
                  is_missing ? CLIENT_PROBLEM_MISSING
                  : is_later ? CLIENT_PROBLEM_TEMPORARY
                             : CLIENT_PROBLEM_REFUSED,
                  event->text);
}

static void
respond(struct client_imap *imap, const struct imap_client_event *event)
{
    struct slice response;

    if (event->kind == IMAP_CLIENT_EVENT_AUTH
            ? talk_begin_sasl(&imap->talk, event->mechanism, &response)
            : talk_step_sasl(&imap->talk, event->bytes, &response))
        imap_client_respond(imap->engine, response, client_now());
    else
        imap_client_give_up(imap->engine, client_now());
}

static void
start_tls(struct client_imap *imap)
{
    if (talk_start_tls(&imap->talk))
        imap_client_tls_started(imap->engine, client_now());
    else
        imap_client_input_ended(imap->engine);
}

static void
take_event(struct client_imap *imap, const struct imap_client_event *event)
{
    switch (event->kind) {
    case IMAP_CLIENT_EVENT_STARTTLS:
        start_tls(imap);
        break;
    case IMAP_CLIENT_EVENT_AUTH:
    case IMAP_CLIENT_EVENT_CHALLENGE:
        respond(imap, event);
        break;
    case IMAP_CLIENT_EVENT_LOGGED_IN:
        talk_logged_in(&imap->talk);
        break;
    case IMAP_CLIENT_EVENT_REPLY:
        take_reply(imap, event);
        break;
    case IMAP_CLIENT_EVENT_CLOSE:
        take_close(imap, event);
        break;
    case IMAP_CLIENT_EVENT_NOTICE:
    case IMAP_CLIENT_EVENT_NAMESPACE:
    case IMAP_CLIENT_EVENT_LIST:
    case IMAP_CLIENT_EVENT_STATUS:
    case IMAP_CLIENT_EVENT_EXISTS:
    case IMAP_CLIENT_EVENT_EXPUNGE:
    case IMAP_CLIENT_EVENT_VANISHED:
    case IMAP_CLIENT_EVENT_NUMBERS:
    case IMAP_CLIENT_EVENT_BODY:
    case IMAP_CLIENT_EVENT_FETCH:
    case IMAP_CLIENT_EVENT_APPEND:
    case IMAP_CLIENT_EVENT_IDLING:
        if (event->kind == IMAP_CLIENT_EVENT_IDLING) {
            imap->is_idling = true;
            client_wire_watch(imap->talk.wire, imap->watched);
        }
        imap->is_changed = imap->is_changed || (event->kind != IMAP_CLIENT_EVENT_IDLING &&
                                                event->kind != IMAP_CLIENT_EVENT_NOTICE);
        if (imap->fn)
            imap->fn(imap->context, event);
        break;
    }
}

/* One step: moves octets until something happens. */
static void
move(struct client_imap *imap, struct instant deadline)
{
    struct instant own = imap_client_deadline(imap->engine);
    bool is_mine = instant_is_before(deadline, own);
    size_t sent;

    switch (client_wire_move(imap->talk.wire, imap_client_output(imap->engine), &sent,
                             &imap->talk.input, is_mine ? deadline : own)) {
    case CLIENT_WIRE_MOVED:
        imap_client_sent(imap->engine, sent);
        break;
    case CLIENT_WIRE_SILENCE: /* of the server; or the watched descriptor is not silent */
        client_wire_watch(imap->talk.wire, -1);
        if (is_mine || instant_is_before(client_now(), own))
            imap_client_done(imap->engine, client_now());
        else
            imap_client_expire(imap->engine, client_now());
        break;
    case CLIENT_WIRE_ENDED:
        imap_client_input_ended(imap->engine);
        break;
    }
}

/* Moves the session on until the question is answered, or it is over. An IDLE ends at the first
 * change, or at the deadline. */
static void
run(struct client_imap *imap, bool is_idle, struct instant deadline)
{
    struct imap_client_event event;
    bool is_done = !is_idle;

    while (!imap->talk.is_answered) {
        if (imap_client_next(imap->engine, &event)) {
            take_event(imap, &event);
            continue;
        }
        if (!is_done && imap->is_idling && imap->is_changed) {
            client_wire_watch(imap->talk.wire, -1);
            imap_client_done(imap->engine, client_now());
            is_done = true;
        }
        size_t put = imap_client_append_put(imap->engine, imap->message, client_now());
        imap->message = slice_skip(imap->message, put);
        size_t taken = imap_client_feed(imap->engine, imap->talk.input, client_now());
        imap->talk.input = slice_skip(imap->talk.input, taken);
        if (taken == 0 && imap->talk.input.len == 0)
            move(imap, is_done || !imap->is_idling ? INSTANT_NEVER : deadline);
    }
}

/* ---- questions ----------------------------------------------------------------------------- */

static bool
begin(struct client_imap *imap, const struct imap_client_question *question, client_imap_fn fn,
      void *context, struct client_problem *problem)
{
    imap->talk.is_answered = imap->talk.is_ok = imap->is_changed = imap->is_idling = false;
    imap->code[0] = '\0';
    if (imap->talk.is_over)
        return talk_tell(&imap->talk, problem);
    imap->talk.end = CLIENT_PROBLEM_NONE;
    imap->fn = fn;
    imap->context = context;
    return imap_client_ask(imap->engine, question, client_now()) ||
           client_problem_set(problem, CLIENT_PROBLEM_SETTINGS,
                              "%s: the question cannot be sent: a name or text in it is too long "
                              "or has characters that it must not have",
                              imap->talk.login.from->account->incoming.host);
}

bool
client_imap_ask(struct client_imap *imap, const struct imap_client_question *question,
                client_imap_fn fn, void *context, struct client_problem *problem)
{
    if (!begin(imap, question, fn, context, problem))
        return false;
    run(imap, false, INSTANT_NEVER);
    return imap->talk.is_ok || talk_tell(&imap->talk, problem);
}

bool
client_imap_put(struct client_imap *imap, const struct client_imap_letter *letter,
                uint32_t *ret_uid, struct client_problem *problem)
{
    struct imap_client_question question = {.command = IMAP_CLIENT_APPEND,
                                            .mailbox = letter->mailbox,
                                            .flags = letter->flags,
                                            .has_date = letter->received.ns != 0,
                                            .date = letter->received,
                                            .octets = letter->message.len};
    uint32_t validity, uid = 0;

    imap->message = letter->message;
    bool is_done = client_imap_ask(imap, &question, NULL, NULL, problem);
    imap->message = SLICE("");
    if (!is_done)
        return false;
    if (imap_client_parse_append_uid(slice_of_string(imap->code), &validity, &uid))
        *ret_uid = uid;
    else
        *ret_uid = 0;
    return true;
}

bool
client_imap_append(struct client_imap *imap, struct slice mailbox, struct slice flags,
                   struct slice message, uint32_t *ret_uid, struct client_problem *problem)
{
    struct client_imap_letter letter = {.mailbox = mailbox, .flags = flags, .message = message};

    return client_imap_put(imap, &letter, ret_uid, problem);
}

static const struct {
    uint8_t bit; /* 0: a keyword */
    uint32_t flag;
    const char *name;
} flag_rows[] = {
    {IMAP_SEEN, CLIENT_SEEN, "\\Seen"},          {IMAP_ANSWERED, CLIENT_ANSWERED, "\\Answered"},
    {IMAP_FLAGGED, CLIENT_FLAGGED, "\\Flagged"}, {IMAP_DELETED, CLIENT_DELETED, "\\Deleted"},
    {IMAP_DRAFT, CLIENT_DRAFT, "\\Draft"},       {0, CLIENT_RECEIPT_SENT, "$MDNSent"},
};

uint32_t
client_imap_flags(const struct imap_client_message *message)
{
    uint32_t flags = 0;

    for (size_t i = 0; i < COUNT_OF(flag_rows); i++)
        flags |= message->flag_bits & flag_rows[i].bit ? flag_rows[i].flag : 0;
    for (struct slice rest = message->flags; rest.len > 0;) {
        struct slice name = slice_first(rest, slice_find_byte(rest, ' '));
        rest = slice_skip(rest, name.len + 1);
        if (slice_equal_nocase(name, SLICE("$MDNSent")))
            flags |= CLIENT_RECEIPT_SENT;
    }
    return flags;
}

void
client_imap_put_flags(const struct client_imap *imap, uint32_t flags, struct buffer *out)
{
    if (!client_imap_mailbox(imap).allows_receipts)
        flags &= ~(uint32_t)CLIENT_RECEIPT_SENT;
    for (size_t i = 0; i < COUNT_OF(flag_rows); i++) {
        if (!(flags & flag_rows[i].flag))
            continue;
        buffer_put_text(out, buffer_len(out) > 0 ? " " : "");
        buffer_put_text(out, flag_rows[i].name);
    }
}

bool
client_imap_wait(struct client_imap *imap, struct instant deadline, client_imap_fn fn,
                 void *context, struct client_problem *problem)
{
    bool has_idle = imap_client_facts(imap->engine).has_idle;
    struct imap_client_question question = {.command =
                                                has_idle ? IMAP_CLIENT_IDLE : IMAP_CLIENT_NOOP};
    struct slice input;
    size_t sent;

    if (!has_idle && !imap->talk.is_over) {
        client_wire_watch(imap->talk.wire, imap->watched);
        enum client_wire_event event =
            client_wire_move(imap->talk.wire, SLICE(""), &sent, &input, deadline);
        if (event == CLIENT_WIRE_MOVED)
            imap->talk.input = input;
        else if (event == CLIENT_WIRE_ENDED)
            imap_client_input_ended(imap->engine);
        client_wire_watch(imap->talk.wire, -1);
    }
    if (!begin(imap, &question, fn, context, problem))
        return false;
    run(imap, has_idle, deadline);
    if (!imap->talk.is_over)
        client_wire_watch(imap->talk.wire, -1);
    return imap->talk.is_ok || talk_tell(&imap->talk, problem);
}

void
client_imap_watch(struct client_imap *imap, int descriptor)
{
    imap->watched = descriptor;
}

struct slice
client_imap_code(const struct client_imap *imap)
{
    return slice_of_string(imap->code);
}

bool
client_imap_is_open(const struct client_imap *imap)
{
    return !imap->talk.is_over;
}

struct imap_client_facts
client_imap_facts(const struct client_imap *imap)
{
    return imap_client_facts(imap->engine);
}

struct imap_client_mailbox
client_imap_mailbox(const struct client_imap *imap)
{
    return imap_client_mailbox(imap->engine);
}

/* ---- beginning and end --------------------------------------------------------------------- */

static struct imap_client *
open_engine(const struct client_login *login)
{
    static const enum imap_client_tls tls[] = {[CLIENT_TLS_REQUIRED] = IMAP_CLIENT_TLS_REQUIRED,
                                               [CLIENT_TLS_OFFERED] = IMAP_CLIENT_TLS_OFFERED,
                                               [CLIENT_TLS_NEVER] = IMAP_CLIENT_TLS_NEVER};
    const struct client_account *account = login->account;
    struct imap_client_options options = {
        .name = slice_of_string(account->login),
        .password = login->password,
        .tls = tls[account->tls],
        .is_secure = account->incoming.is_secure,
        .allows_clear_password = account->tls != CLIENT_TLS_REQUIRED,
        .trace = login->trace,
    };

    options.mechanisms_count = login_mechanisms(account, options.mechanisms);
    return imap_client_open(&options);
}

static bool
log_in(struct client_imap *imap, struct client_problem *problem)
{
    imap->engine = open_engine(imap->talk.login.from);
    if (!imap->engine)
        return client_problem_set(problem, CLIENT_PROBLEM_SETTINGS,
                                  "name or password cannot be sent: empty, or too long");
    imap_client_begin(imap->engine, client_now());
    if (!talk_connect(&imap->talk, problem)) {
        imap_client_input_ended(imap->engine);
        return false;
    }
    imap_client_connected(imap->engine, client_now());
    run(imap, false, INSTANT_NEVER);
    return imap->talk.is_in || talk_tell(&imap->talk, problem);
}

struct client_imap *
client_imap_open(const struct client_login *login, struct client_problem *problem)
{
    struct client_imap *imap = calloc(1, sizeof(*imap));

    if (!imap)
        abort();
    imap->talk.login.from = login;
    imap->watched = -1;
    imap->talk.input = imap->message = SLICE("");
    if (!log_in(imap, problem))
        client_imap_close(&imap);
    return imap;
}

void
client_imap_close(struct client_imap **imap)
{
    struct client_imap *i = *imap;
    struct imap_client_question logout = {.command = IMAP_CLIENT_LOGOUT_NOW};
    struct client_problem unused = {0};
    struct slice last_words = SLICE("");

    if (!i)
        return;
    if (i->talk.is_in && !i->talk.is_over)
        (void)client_imap_ask(i, &logout, NULL, NULL, &unused);
    else if (i->engine)
        last_words = imap_client_output(i->engine);
    talk_close(&i->talk, last_words);
    imap_client_close(&i->engine);
    free(i);
    *imap = NULL;
}
