/* SPDX-License-Identifier: ISC */
#include "tool/lab/mail.h"

#include "client/pop.h"
#include "client/submit.h"
#include "tool/say.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

enum { ADDRESS_MAX = 320, MESSAGE_MAX = 64 << 20 };

/* The host's person as an account of a mail program. */
struct person {
    char address[ADDRESS_MAX];
    char *trust;
    struct client_account account;
};

static void
person_init(struct person *person, const struct lab *lab, const struct lab_host *host)
{
    snprintf(person->address, sizeof(person->address), "%s@%s", host->person, host->domain);
    person->trust = lab_path(lab, host->name, "chain.pem");
    person->account = (struct client_account){
        .name = host->person,
        .address = person->address,
        .login = person->address,
        .trust = person->trust,
        .tls = CLIENT_TLS_REQUIRED,
        .incoming = {CLIENT_POP3, false, LAB_POP_PORT, lab_address(lab, host)},
        .outgoing = {CLIENT_SMTP, false, LAB_SUBMISSION_PORT, lab_address(lab, host)},
    };
}

static int
code_of(const struct client_problem *problem)
{
    return problem->kind == CLIENT_PROBLEM_UNREACHABLE || problem->kind == CLIENT_PROBLEM_TEMPORARY
               ? EX_TEMPFAIL
               : EX_UNAVAILABLE;
}

static void
on_refusal(void *context, const struct client_submit_refusal *refusal)
{
    (void)context;
    say_warning("%.*s: %u %.*s", CLIENT_TEXT(refusal->recipient), refusal->code,
                CLIENT_TEXT(refusal->text));
}

/* "S: 250 2.0.0 filed as ID": the last such answer. */
static void
find_id(struct slice dialogue, struct buffer *ret_id)
{
    static const char filed[] = " filed as ";
    size_t at;

    while ((at = slice_find(dialogue, slice_of_string(filed))) < dialogue.len) {
        dialogue = slice_skip(dialogue, at + strlen(filed));
        buffer_clear(ret_id);
        buffer_put(ret_id, slice_first(dialogue, slice_find_byte(dialogue, '\n')));
    }
}

int
lab_submit(const struct lab *lab, const struct lab_host *host, const struct lab_letter *letter,
           struct buffer *ret_dialogue, struct buffer *ret_id)
{
    struct client_problem problem = {0};
    struct person person;
    size_t accepted = 0;

    person_init(&person, lab, host);
    struct client_login login = {&person.account, SLICE(LAB_PASSWORD), ret_dialogue};
    struct client_submission submission = {
        .sender = letter->sender,
        .recipients = letter->recipients,
        .count = letter->count,
        .content = letter->content,
        .on_refusal = on_refusal,
    };
    bool is_done = client_submit(&login, &submission, &accepted, &problem);
    free(person.trust);
    if (!is_done && accepted == 0)
        return say_error(code_of(&problem), "%s: %s", host->name, problem.text);
    find_id(buffer_slice(ret_dialogue), ret_id);
    return EX_OK;
}

int
lab_read(const struct lab *lab, const struct lab_host *host, struct slice id,
         struct buffer *ret_message, struct buffer *ret_dialogue)
{
    struct client_problem problem = {0};
    struct person person;
    bool is_found = false;

    person_init(&person, lab, host);
    struct client_login login = {&person.account, SLICE(LAB_PASSWORD), ret_dialogue};
    struct client_pop *pop = client_pop_open(&login, &problem);
    bool is_good = pop != NULL;
    for (uint32_t number = pop ? client_pop_count(pop) : 0; number > 0 && is_good && !is_found;
         number--) {
        buffer_clear(ret_message);
        is_good = client_pop_read(pop, number, ret_message, &problem);
        is_found = slice_find(buffer_slice(ret_message), id) < buffer_len(ret_message);
    }
    is_good = is_good && client_pop_quit(pop, &problem);
    client_pop_close(&pop);
    free(person.trust);
    if (!is_good)
        return say_error(code_of(&problem), "%s: %s", host->name, problem.text);
    if (!is_found)
        buffer_clear(ret_message);
    return is_found ? EX_OK : EX_NOHOST;
}
