/* SPDX-License-Identifier: ISC */
#include "role/smtp/claim.h"

#include "role/smtp/sign.h"
#include "role/smtp/smtp.h"

enum { REFUSAL_MAX = 2 * SMTP_REPLY_TEXT_MAX };

static bool
is_checked(const struct smtp_session *session)
{
    return session->account != 0 && session->role->config->submission_senders != CONFIG_SENDERS_ANY;
}

static bool
is_read(const struct smtp_session *session)
{
    return session->account != 0 && session->role->config->submission_senders == CONFIG_SENDERS_OWN;
}

static void
log_refused(struct smtp_session *session, const char *where, struct slice address)
{
    struct log_line line;

    session->role->refused++;
    smtp_session_log(&line, session, HOST_LEVEL_WARNING, "sender_refused");
    log_address(&line, "user", smtp_server_facts(session->engine).identity);
    log_string(&line, "where", where);
    log_address(&line, "address", address);
    log_end(&line);
}

/* "<address> is not an address of <user>". */
static void
put_refusal(const struct smtp_session *session, struct slice address, struct buffer *text)
{
    buffer_put_byte(text, '<');
    buffer_put(text, slice_first(address, SMTP_REPLY_TEXT_MAX / 2));
    buffer_put_text(text, "> is not yours to send as: you are logged in as <");
    buffer_put(text, smtp_server_facts(session->engine).identity);
    buffer_put_byte(text, '>');
}

/* ---- MAIL ---------------------------------------------------------------------------------- */

void
claim_take_mail(struct smtp_session *session, const struct smtp_verdict *verdict)
{
    struct transaction *transaction = session->transaction;
    struct slice sender = transaction->reverse_path;

    if (!is_checked(session) || sender.len == 0 ||
        slice_equal_nocase(sender, smtp_server_facts(session->engine).identity)) {
        smtp_session_answer(session, verdict);
        return;
    }
    transaction->mail_verdict = *verdict;
    if (smtp_session_ask_claim(session, sender, WAITING_SENDER))
        return;
    smtp_session_drop_transaction(session);
    smtp_session_answer(session, &smtp_try_later);
}

static void
answer_mail(struct smtp_session *session, enum smtp_route_claim_result result)
{
    struct smtp_verdict verdict = {.code = 553, .status = ENVELOPE_STATUS(5, 7, 1)};
    struct slice sender = session->transaction->reverse_path;
    struct buffer text;

    if (result == SMTP_ROUTE_CLAIM_RESULT_OWN) {
        verdict = session->transaction->mail_verdict;
        smtp_session_answer_later(session, &verdict);
        return;
    }
    buffer_init(&text, REFUSAL_MAX);
    if (result != SMTP_ROUTE_CLAIM_RESULT_TEMPORARY) {
        log_refused(session, "mail_from", sender);
        put_refusal(session, sender, &text);
        verdict.text = buffer_slice(&text);
    } else {
        verdict = smtp_try_later;
    }
    smtp_session_drop_transaction(session);
    smtp_session_answer_later(session, &verdict);
    buffer_finish(&text);
}

/* ---- the message --------------------------------------------------------------------------- */

void
claim_begin(struct smtp_session *session)
{
    struct transaction *transaction = session->transaction;

    if (is_read(session) && !transaction->is_claimed) {
        transaction->is_claimed = true;
        authors_begin(&transaction->authors);
    }
}

void
claim_take(struct smtp_session *session, struct slice piece)
{
    if (session->transaction->is_claimed)
        authors_take(&session->transaction->authors, piece);
}

static void
refuse(struct smtp_session *session, struct slice address, struct slice text)
{
    log_refused(session, "message", address);
    smtp_session_refuse_body(
        session,
        &(struct smtp_verdict){.code = 550, .status = ENVELOPE_STATUS(5, 7, 1), .text = text});
}

static void
refuse_author(struct smtp_session *session, struct slice address)
{
    struct buffer text;

    buffer_init(&text, REFUSAL_MAX);
    buffer_put_text(&text, session->transaction->is_resent ? "Resent-From: " : "From: or Sender: ");
    put_refusal(session, address, &text);
    refuse(session, address, buffer_slice(&text));
    buffer_finish(&text);
}

/* Of two it is known without a question: who has logged in, and what MAIL said, about which route
 * has been asked. */
static bool
is_known(const struct smtp_session *session, struct slice address)
{
    return slice_equal_nocase(address, smtp_server_facts(session->engine).identity) ||
           slice_equal_nocase(address, session->transaction->reverse_path);
}

/* True when all of `claimed` are his. */
static bool
skip_known(const struct smtp_session *session)
{
    struct transaction *transaction = session->transaction;

    while (transaction->claimed_next < transaction->claimed.count &&
           is_known(session, transaction->claimed.at[transaction->claimed_next]))
        transaction->claimed_next++;
    return transaction->claimed_next == transaction->claimed.count;
}

/* One after the other: nearly all messages have one, and it is known. */
static void
look_at_authors(struct smtp_session *session)
{
    struct transaction *transaction = session->transaction;
    bool are_his = skip_known(session);

    if (are_his && transaction->is_foreign && !transaction->is_resent) {
        transaction->is_resent = true;
        transaction->claimed = transaction->resenters;
        transaction->claimed_next = 0;
        are_his = skip_known(session);
    }
    if (are_his)
        sign_or_hand_over(session);
    else if (!smtp_session_ask_claim(session, transaction->claimed.at[transaction->claimed_next],
                                     WAITING_AUTHOR))
        smtp_session_answer_body(session, NULL);
}

/* What strangers wrote may be sent on as it is, by who says that he does (RFC 5322 §3.6.6); what
 * others of this server wrote could as well have been forged here. */
static bool
may_be_sent_on(const struct transaction *transaction, enum smtp_route_claim_result result)
{
    return result == SMTP_ROUTE_CLAIM_RESULT_FOREIGN && !transaction->is_resent &&
           transaction->resenters.count > 0;
}

static void
take_author(struct smtp_session *session, enum smtp_route_claim_result result)
{
    struct transaction *transaction = session->transaction;

    if (result == SMTP_ROUTE_CLAIM_RESULT_TEMPORARY) {
        smtp_session_answer_body(session, NULL);
        return;
    }
    bool is_foreign = may_be_sent_on(transaction, result);
    if (result != SMTP_ROUTE_CLAIM_RESULT_OWN && !is_foreign) {
        refuse_author(session, transaction->claimed.at[transaction->claimed_next]);
        return;
    }
    transaction->is_foreign |= is_foreign;
    transaction->claimed_next++;
    look_at_authors(session);
}

void
claim_take_end(struct smtp_session *session)
{
    struct transaction *transaction = session->transaction;

    if (!transaction->is_claimed) {
        sign_or_hand_over(session);
        return;
    }
    if (!authors_read_resent(&transaction->authors, &transaction->arena, &transaction->resenters))
        transaction->resenters.count = 0;
    if (authors_read(&transaction->authors, &transaction->arena, &transaction->claimed))
        look_at_authors(session);
    else
        refuse(session, SLICE(""),
               SLICE("From: or Sender: cannot be read in one way only; give plain addresses"));
}

void
claim_on_claimed(struct smtp_session *session, const struct smtp_route_claimed *note)
{
    if (session->waiting == WAITING_SENDER) {
        answer_mail(session, note->result);
        return;
    }
    if (session->waiting == WAITING_SIGNER)
        sign_take_claim(session, note->result);
    else if (session->waiting == WAITING_AUTHOR)
        take_author(session, note->result);
    else
        return;
    connection_wake(session->connection);
}
