/* SPDX-License-Identifier: ISC */
#include "client/talk.h"

#include <stdio.h>

static const char unproven[] = "the server has not proven that it knows us";

void
talk_fail(struct talk *talk, enum client_problem_kind kind, struct slice text)
{
    talk->end = kind;
    (void)snprintf(talk->why, sizeof(talk->why), "%.*s", CLIENT_TEXT(text));
}

bool
talk_tell(const struct talk *talk, struct client_problem *problem)
{
    return client_problem_set(problem, talk->end ? talk->end : CLIENT_PROBLEM_PROTOCOL, "%s: %s",
                              talk->login.from->account->incoming.host, talk->why);
}

bool
talk_connect(struct talk *talk, struct client_problem *problem)
{
    const struct client_account *account = talk->login.from->account;
    /* `protocol` is not said: there are providers who refuse those who say "imap". */
    const struct client_wire_options options = {.host = account->incoming.host,
                                                .port = account->incoming.port,
                                                .is_secure = account->incoming.is_secure,
                                                .trust_file = account->trust};

    talk->wire = client_wire_open(&options, problem);
    return talk->wire;
}

void
talk_close(struct talk *talk, struct slice last_words)
{
    size_t sent;

    (void)login_end(&talk->login);
    if (talk->wire && last_words.len > 0)
        (void)client_wire_move(talk->wire, last_words, &sent, &talk->input, client_now());
    client_wire_close(&talk->wire);
}

bool
talk_start_tls(struct talk *talk)
{
    struct client_problem problem = {0};

    if (talk->input.len > 0)
        talk_fail(talk, CLIENT_PROBLEM_PROTOCOL, SLICE("the server goes on before TLS begins"));
    else if (!client_wire_start_tls(talk->wire, &problem))
        talk_fail(talk, problem.kind, slice_of_string(problem.text));
    else
        return true;
    return false;
}

bool
talk_begin_sasl(struct talk *talk, struct slice mechanism, struct slice *ret_response)
{
    bool is_begun = login_begin(&talk->login, talk->wire, mechanism, ret_response);

    if (!is_begun)
        talk_fail(talk, CLIENT_PROBLEM_LOGIN, slice_of_string(unproven));
    return is_begun;
}

bool
talk_step_sasl(struct talk *talk, struct slice challenge, struct slice *ret_response)
{
    bool is_good = login_step(&talk->login, challenge, ret_response);

    if (!is_good)
        talk_fail(talk, CLIENT_PROBLEM_LOGIN, slice_of_string(unproven));
    return is_good;
}

void
talk_logged_in(struct talk *talk)
{
    talk->is_in = login_end(&talk->login);
    if (!talk->is_in)
        talk_fail(talk, CLIENT_PROBLEM_LOGIN, slice_of_string(unproven));
    talk->is_answered = true;
}
