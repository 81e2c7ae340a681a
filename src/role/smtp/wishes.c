/* SPDX-License-Identifier: ISC */
/* What a client wishes for its message beside being delivered: when (RFC 4865, RFC 2852), and
 * before which others (RFC 6710). */
#include "role/smtp/smtp.h"
#include "role/smtp/transaction.h"

static bool
is_submission(const struct smtp_session *session)
{
    return session->service == SERVICE_SUBMISSION || session->service == SERVICE_SUBMISSIONS;
}

static uint32_t
hold_s_max(const struct smtp_session *session)
{
    return (uint32_t)(session->role->config->future_release_max.ns / 1000000000);
}

void
smtp_session_offer_names(struct smtp_session *session, struct slice name)
{
    const struct config_strings *rows = &session->role->config->relay_feed_to;
    struct slice who, which;
    bool may = false;

    for (size_t i = 0; i < rows->count && session->account != 0; i++)
        may |= config_pair(rows->at[i], &who, &which) && slice_equal_nocase(who, name);
    smtp_server_offer_names(session->engine, is_submission(session) && may);
}

/* RFC 4865 §4.2: nowhere but at submission. */
void
smtp_session_offer(struct smtp_session *session)
{
    uint32_t longest = hold_s_max(session);
    struct wall now = host_wall(session->role->host);

    smtp_session_offer_names(session, smtp_server_facts(session->engine).identity);
    if (is_submission(session))
        smtp_server_offer_hold(session->engine, longest,
                               (struct wall){now.ns + (int64_t)longest * 1000000000});
}

static struct smtp_verdict
refuse(const char *why)
{
    return (struct smtp_verdict){
        .code = 501, .status = ENVELOPE_STATUS(5, 5, 4), .text = slice_of_string(why)};
}

/* False, and the verdict says why. */
static bool
check_hold(const struct smtp_session *session, const struct envelope_mail_parameters *parameters,
           struct smtp_verdict *verdict)
{
    int64_t now_s = wall_seconds(host_wall(session->role->host));
    int64_t until_s = transaction_hold_until_s(parameters, host_wall(session->role->host));

    if (until_s == 0)
        return true;
    if (until_s < now_s)
        *verdict = refuse("HOLDUNTIL is in the past");
    else if (until_s - now_s > hold_s_max(session))
        *verdict = refuse("Messages are not held for so long");
    else if (parameters->has_deliver_by && until_s - now_s > parameters->deliver_by_s)
        *verdict = refuse("It would be held for longer than it may take");
    else
        return true;
    return false;
}

struct smtp_verdict
smtp_session_check_wishes(const struct smtp_session *session,
                          struct envelope_mail_parameters *parameters)
{
    struct smtp_verdict verdict = {0};

    if (!check_hold(session, parameters, &verdict))
        return verdict;
    /* RFC 6710 §4.1: who is not known goes before nobody. */
    if (parameters->priority > 0 && session->account == 0 && !session->is_relay) {
        parameters->priority = 0;
        verdict.code = 250;
        verdict.status = ENVELOPE_STATUS(2, 3, 6);
        verdict.text = SLICE("0 is the priority: those above are for who is known here");
    }
    return verdict;
}
