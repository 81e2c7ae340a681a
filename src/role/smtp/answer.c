/* SPDX-License-Identifier: ISC */
/* What route, auth and store have answered, made into replies to the client. */
#include "role/smtp/smtp.h"

static const struct {
    uint16_t code; /* 0: the engine's own positive one */
    struct envelope_status status;
    const char *text;
} verdicts[SMTP_ROUTE_VERDICT_COUNT] = {
    [SMTP_ROUTE_VERDICT_LOCAL] = {0, {2, 1, 5}, ""},
    [SMTP_ROUTE_VERDICT_UNKNOWN] = {550, {5, 1, 1}, "no such mailbox here"},
    [SMTP_ROUTE_VERDICT_RELAY_DENIED] = {554, {5, 7, 1}, "relay access denied"},
    [SMTP_ROUTE_VERDICT_TEMPORARY] = {451,
                                      {4, 3, 0},
                                      "the address cannot be looked up now, try again later"},
    [SMTP_ROUTE_VERDICT_FULL] = {452, {4, 2, 2}, "the mailbox is full"},
    [SMTP_ROUTE_VERDICT_MOVED] = {551, {5, 1, 6}, "the user has moved"},
    [SMTP_ROUTE_VERDICT_AMBIGUOUS] = {553, {5, 1, 4}, "the address is ambiguous"},
    [SMTP_ROUTE_VERDICT_REFUSED] = {550, {5, 7, 1}, "the address takes no mail from here"},
    [SMTP_ROUTE_VERDICT_UNVERIFIED] = {252,
                                       {2, 1, 5},
                                       "cannot verify the user, but will take the mail"},
};

static struct smtp_verdict
verdict_of_route(enum smtp_route_verdict verdict, struct slice text)
{
    return (struct smtp_verdict){
        .code = verdicts[verdict].code,
        .status = verdicts[verdict].status,
        .text = text.len ? text : slice_of_string(verdicts[verdict].text),
    };
}

/* What recipients take counts as the body does: a thousand with all their parameters are more than
 * half a megabyte, and every connection may have them. */
static bool
enter_recipient(struct smtp_session *session, const struct smtp_route_route *note)
{
    struct transaction *transaction = session->transaction;

    if (!transaction_add(transaction, session->rcpt_path, session->rcpt_parameters, note))
        return false;
    uint64_t bytes = transaction_envelope_bytes(transaction);
    session->role->body_bytes += bytes - transaction->envelope_bytes;
    transaction->envelope_bytes = bytes;
    return true;
}

/* 251: not local any more, but it goes on to the new address (RFC 5321 §3.4). */
static struct smtp_verdict
add_recipient(struct smtp_session *session, const struct smtp_route_route *note)
{
    struct smtp_verdict verdict = {.status = ENVELOPE_STATUS(2, 1, 5)};

    if (!smtp_session_has_memory(session))
        return smtp_verdict_no_memory;
    if (!enter_recipient(session, note))
        return (struct smtp_verdict){
            .code = 452, .status = ENVELOPE_STATUS(4, 5, 3), .text = SLICE("too many recipients")};
    if (note->verdict == SMTP_ROUTE_VERDICT_MOVED) {
        verdict.code = 251;
        verdict.text = note->text;
    }
    return verdict;
}

static void
answer_recipient(struct smtp_session *session, const struct smtp_verdict *verdict)
{
    if (verdict->code >= 400) {
        struct log_line line;
        session->role->refused++;
        smtp_session_log(&line, session, HOST_LEVEL_INFO, "recipient_refused");
        log_address(&line, "from", session->transaction->reverse_path);
        log_address(&line, "to", session->rcpt_path->canonical);
        log_number(&line, "code", verdict->code);
        log_end(&line);
    }
    smtp_session_answer(session, verdict);
}

/* Whether the store has been asked if the one mailbox that the address leads to is full. A list
 * takes the message all the same, and a mailbox without quota costs no question. */
static bool
ask_for_room(struct smtp_session *session, const struct smtp_route_route *note, uint32_t before)
{
    const struct smtp_route_target *target = &note->targets.at[0];

    return note->verdict == SMTP_ROUTE_VERDICT_LOCAL && note->targets.count == 1 &&
           target->box == SMTP_ROUTE_BOX_STORE && (target->quota_bytes || target->quota_messages) &&
           session->transaction->target_count == before + 1 &&
           smtp_session_ask_room(session, target);
}

void
smtp_session_take_room(struct smtp_session *session, bool has_room)
{
    struct smtp_verdict verdict = {.status = ENVELOPE_STATUS(2, 1, 5)};
    const struct transaction *transaction = session->transaction;

    if (!has_room) {
        uint64_t quota = transaction->targets[transaction->target_count - 1].quota_bytes;
        /* What no mailbox so small can ever hold is not worth to be tried again (RFC 1870 §6.1). */
        if (quota && transaction->declared_bytes > quota)
            verdict =
                (struct smtp_verdict){.code = 552,
                                      .status = ENVELOPE_STATUS(5, 2, 3),
                                      .text = SLICE("the message is larger than the mailbox")};
        else
            verdict = verdict_of_route(SMTP_ROUTE_VERDICT_FULL, SLICE(""));
        transaction_remove_last(session->transaction);
    }
    answer_recipient(session, &verdict);
    connection_wake(session->connection);
}

/* What is to be held waits in the queue, and is asked about again when its time has come: an
 * address can be, a file cannot. */
static bool
may_be_held(const struct transaction *transaction, const struct smtp_route_route *note)
{
    for (size_t i = 0; transaction->hold_until_s > 0 && i < note->targets.count; i++) {
        if (note->targets.at[i].account == 0 && note->targets.at[i].box != SMTP_ROUTE_BOX_REMOTE)
            return false;
    }
    return true;
}

static const struct smtp_verdict cannot_hold = {
    .code = 550,
    .status = ENVELOPE_STATUS(5, 3, 3),
    .text = SLICE("mail for this address cannot be held"),
};

/* The recipient is taken as route has said, or refused as the next host would. */
static struct smtp_verdict
judge_probed(struct smtp_session *session, const struct smtp_store_probed *note)
{
    enum smtp_store_probe_verdict verdict = note ? note->verdict : SMTP_STORE_PROBE_VERDICT_UNKNOWN;
    struct smtp_route_target target = {.name = session->probed, .box = SMTP_ROUTE_BOX_REMOTE};
    struct smtp_route_route route = {.verdict = SMTP_ROUTE_VERDICT_LOCAL, .targets = {&target, 1}};

    if (verdict == SMTP_STORE_PROBE_VERDICT_BAD)
        return (struct smtp_verdict){.code = 550,
                                     .status = ENVELOPE_STATUS(5, 1, 1),
                                     .text = SLICE("the next host does not take mail for that "
                                                   "address")};
    if (verdict == SMTP_STORE_PROBE_VERDICT_UNKNOWN &&
        session->role->config->call_ahead_failure == CONFIG_AHEAD_DEFER)
        return (struct smtp_verdict){.code = 450,
                                     .status = ENVELOPE_STATUS(4, 4, 1),
                                     .text = SLICE("the next host cannot be asked about that "
                                                   "address now, try again later")};
    return add_recipient(session, &route);
}

void
smtp_session_on_probed(struct smtp_session *session, const struct smtp_store_probed *note)
{
    if (session->waiting != WAITING_PROBE)
        return;
    struct smtp_verdict verdict = judge_probed(session, note);
    answer_recipient(session, &verdict);
    connection_wake(session->connection);
}

/* False: it is not to be asked about. */
static bool
ask_ahead(struct smtp_session *session, const struct smtp_route_route *note)
{
    if (!note->asks_ahead || note->verdict != SMTP_ROUTE_VERDICT_LOCAL || note->targets.count != 1)
        return false;
    if (!smtp_session_ask_ahead(session, note->targets.at[0].name)) {
        struct smtp_verdict verdict = judge_probed(session, NULL);
        answer_recipient(session, &verdict);
    }
    return true;
}

void
smtp_session_take_route(struct smtp_session *session, const struct smtp_route_route *note)
{
    if (ask_ahead(session, note))
        return;
    uint32_t before = session->transaction->target_count;
    bool is_taken = note->targets.count > 0 && (note->verdict == SMTP_ROUTE_VERDICT_LOCAL ||
                                                note->verdict == SMTP_ROUTE_VERDICT_MOVED);

    struct smtp_verdict verdict = !is_taken ? verdict_of_route(note->verdict, note->text)
                                  : may_be_held(session->transaction, note)
                                      ? add_recipient(session, note)
                                      : cannot_hold;
    if (!is_taken && note->verdict == SMTP_ROUTE_VERDICT_LOCAL)
        verdict = smtp_try_later;
    if (!is_taken || !ask_for_room(session, note, before))
        answer_recipient(session, &verdict);
}

void
smtp_session_on_route(struct smtp_session *session, const struct smtp_route_route *note)
{
    if (session->waiting != WAITING_RECIPIENT)
        return;
    struct smtp_route_recipient question = smtp_session_question(session);
    answers_keep(&session->role->answers, &question, note);
    smtp_session_take_route(session, note);
    connection_wake(session->connection);
}

/* RFC 1985 §5.3 */
void
smtp_session_on_flushed(struct smtp_session *session, const struct smtp_store_flushed *note)
{
    static const struct smtp_verdict words[SMTP_STORE_FLUSH_RESULT_COUNT] = {
        [SMTP_STORE_FLUSH_RESULT_NONE] = {.code = 251,
                                          .status = ENVELOPE_STATUS(2, 0, 0),
                                          .text = SLICE("no messages wait for that domain")},
        [SMTP_STORE_FLUSH_RESULT_STARTED] = {.code = 250,
                                             .status = ENVELOPE_STATUS(2, 0, 0),
                                             .text = SLICE("queuing for that domain started")},
        [SMTP_STORE_FLUSH_RESULT_BUSY] = {.code = 458,
                                          .status = ENVELOPE_STATUS(4, 5, 1),
                                          .text = SLICE("that cannot be done now, ask later")},
    };

    if (session->waiting == WAITING_FLUSH)
        smtp_session_answer_later(session, &words[note->result]);
}

/* A page begins with the serial, and where the next one begins; names follow. */
void
smtp_session_on_named(struct smtp_session *session, const struct smtp_route_named *note)
{
    static const struct smtp_verdict changed = {.code = 450,
                                                .status = ENVELOPE_STATUS(4, 5, 0),
                                                .text =
                                                    SLICE("the names have changed, begin anew")};
    static const struct smtp_verdict refused = {
        .code = 550, .status = ENVELOPE_STATUS(5, 7, 1), .text = SLICE("not for you")};
    struct smtp_verdict page = {.code = 250, .status = ENVELOPE_STATUS(2, 0, 0)};
    struct buffer text;
    char head[64];

    if (session->waiting != WAITING_NAMES)
        return;
    bool is_same = note->result == SMTP_ROUTE_NAMES_RESULT_SAME;
    if (is_same || note->next == 0)
        snprintf(head, sizeof(head), "%llu %s", (unsigned long long)note->serial,
                 is_same ? "same" : "end");
    else
        snprintf(head, sizeof(head), "%llu %u", (unsigned long long)note->serial, note->next);
    buffer_init(&text, SMTP_ROUTE_NAMED_NAMES_MAX + sizeof(head));
    buffer_put_text(&text, head);
    if (note->names.len > 0)
        buffer_put_byte(&text, '\n');
    buffer_put(&text, note->names);
    page.text = buffer_slice(&text);
    smtp_session_answer_later(session, note->result == SMTP_ROUTE_NAMES_RESULT_CHANGED   ? &changed
                                       : note->result == SMTP_ROUTE_NAMES_RESULT_REFUSED ? &refused
                                                                                         : &page);
    buffer_finish(&text);
}

/* Lines of one reply, separated as the engine wants them. */
void
smtp_session_on_verified(struct smtp_session *session, const struct smtp_route_verified *note)
{
    struct buffer text;

    if (session->waiting != WAITING_VERIFY)
        return;
    buffer_init(&text, SMTP_ROUTE_VERIFIED_LINES_MAX * (SMTP_ROUTE_LINE_TEXT_MAX + 1));
    for (size_t i = 0; i < note->lines.count; i++) {
        if (i > 0)
            buffer_put_byte(&text, '\n');
        buffer_put(&text, note->lines.at[i].text);
    }
    struct smtp_verdict verdict = verdict_of_route(note->verdict, buffer_slice(&text));
    smtp_session_answer_later(session, &verdict);
    buffer_finish(&text);
}

void
smtp_session_on_challenge(struct smtp_session *session, const struct smtp_auth_challenge *note)
{
    if (session->waiting != WAITING_AUTH)
        return;
    session->waiting = WAITING_NOT;
    smtp_server_challenge(session->engine, note->challenge, host_now(session->role->host));
    connection_wake(session->connection);
}

void
smtp_session_on_failed(struct smtp_session *session, const struct smtp_auth_failed *note)
{
    static const struct {
        uint16_t code;
        struct envelope_status status;
        const char *text;
    } failures[SMTP_AUTH_FAILURE_COUNT] = {
        [SMTP_AUTH_FAILURE_CREDENTIALS] = {535, {5, 7, 8}, "authentication credentials are wrong"},
        [SMTP_AUTH_FAILURE_TEMPORARY] = {454,
                                         {4, 7, 0},
                                         "passwords cannot be checked now, try again later"},
        [SMTP_AUTH_FAILURE_LOCKED] = {454, {4, 7, 0}, "too many failures, try again later"},
        [SMTP_AUTH_FAILURE_MECHANISM] = {504, {5, 5, 4}, "this mechanism is not for this account"},
        [SMTP_AUTH_FAILURE_MALFORMED] = {501, {5, 5, 2}, "that response cannot be read"},
        [SMTP_AUTH_FAILURE_LIMIT] = {454, {4, 7, 0}, "too many sessions of this account"},
        [SMTP_AUTH_FAILURE_WEAK] = {534, {5, 7, 9}, "this mechanism is too weak"},
    };

    session->auth_request = 0;
    if (session->waiting != WAITING_AUTH)
        return;
    struct smtp_verdict verdict = {
        .code = failures[note->failure].code,
        .status = failures[note->failure].status,
        .text = slice_of_string(failures[note->failure].text),
        .delay = duration_ms(note->delay_ms),
    };
    smtp_session_answer_later(session, &verdict);
}

void
smtp_session_on_granted(struct smtp_session *session, const struct smtp_auth_granted *note)
{
    struct log_line line;

    session->auth_request = 0;
    if (session->waiting != WAITING_AUTH)
        return;
    session->account = note->account;
    smtp_session_log(&line, session, HOST_LEVEL_INFO, "authenticated");
    log_address(&line, "user", note->name);
    log_end(&line);
    smtp_session_offer_names(session, note->name);
    struct smtp_verdict verdict = {.identity = note->name, .last_challenge = note->last_challenge};
    smtp_session_answer_later(session, &verdict);
}

static void
log_filed(struct smtp_session *session, const struct smtp_verdict *verdict)
{
    struct log_line line;
    bool is_accepted = verdict->code == 0;

    if (is_accepted)
        session->role->accepted++;
    else
        session->role->refused++;
    smtp_session_log(&line, session, is_accepted ? HOST_LEVEL_INFO : HOST_LEVEL_WARNING,
                     is_accepted ? "accepted" : "deferred");
    log_address(&line, "from", session->transaction->reverse_path);
    log_number(&line, "recipients", session->transaction->recipient_count);
    /* Several of them may lead to one mailbox, and one of them to many. */
    log_number(&line, "leads_to", session->transaction->target_count);
    log_number(&line, "bytes", session->transaction->body_bytes);
    if (session->transaction->parameters.has_priority) {
        char priority[8];
        snprintf(priority, sizeof(priority), "%d", session->transaction->parameters.priority);
        log_string(&line, "priority", priority);
    }
    if (!is_accepted)
        log_number(&line, "code", verdict->code);
    log_end(&line);
}

/* 250 with the queue id, which is what a sender quotes when it asks where its mail is. */
static void
answer_one(struct smtp_session *session, struct smtp_verdict verdict)
{
    struct buffer text;

    buffer_init(&text, 128);
    if (verdict.code == 0) {
        buffer_put_text(&text, "filed as ");
        buffer_put(&text, smtp_session_queue_id(session));
        verdict.text = buffer_slice(&text);
    }
    smtp_session_answer(session, &verdict);
    buffer_finish(&text);
}

void
smtp_session_refuse_body(struct smtp_session *session, const struct smtp_verdict *verdict)
{
    uint32_t count = session->service == SERVICE_LMTP ? session->transaction->recipient_count : 1;

    log_filed(session, verdict);
    for (uint32_t i = 0; i < count; i++)
        answer_one(session, *verdict);
    smtp_session_drop_transaction(session);
}

void
smtp_session_answer_body(struct smtp_session *session, const struct smtp_store_filed *note)
{
    static const struct smtp_store_filed none = {0};
    const struct smtp_store_outcome_list *outcomes = note ? &note->outcomes : &none.outcomes;
    const struct transaction *transaction = session->transaction;
    bool is_lmtp = session->service == SERVICE_LMTP;
    uint32_t count = is_lmtp ? transaction->recipient_count : 1;

    struct smtp_verdict all = transaction_verdict(transaction, outcomes, UINT32_MAX);
    log_filed(session, &all);
    /* The engine may say ABORT with the last answer; until then the transaction stays. */
    for (uint32_t i = 0; i < count; i++)
        answer_one(session, is_lmtp ? transaction_verdict(transaction, outcomes, i) : all);
    smtp_session_drop_transaction(session);
}
