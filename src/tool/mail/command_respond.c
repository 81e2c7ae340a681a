/* SPDX-License-Identifier: ISC */
/* facteur receipt, accept, decline: answers in a form that programs understand. */
#include "client/invitation.h"
#include "client/wire.h"
#include "message/summary.h"
#include "tool/mail/departure.h"
#include "tool/mail/pick.h"
#include "tool/mail/receipt.h"
#include "tool/mail/view.h"
#include "tool/say.h"

#include <stdlib.h>

enum { FIELD_MAX = 1 << 20, TEXT_MAX = 4 << 20 };

struct response {
    const struct command_call *call;
    struct desk desk;
    struct client_folder *folder;
    struct picked picked;
    struct view view;
    struct compose *compose;
    struct compose_part part_of_answer;
    struct buffer to, subject, text, part;
};

static void
init_response(struct response *response, const struct command_call *call)
{
    *response = (struct response){.call = call};
    response->compose = calloc(1, sizeof(*response->compose));
    if (!response->compose)
        abort();
    view_init(&response->view);
    buffer_init(&response->to, FIELD_MAX);
    buffer_init(&response->subject, FIELD_MAX);
    buffer_init(&response->text, TEXT_MAX);
    buffer_init(&response->part, TEXT_MAX);
}

static void
finish_response(struct response *response)
{
    client_folder_close(&response->folder);
    pick_finish(&response->picked);
    view_finish(&response->view);
    desk_close(&response->desk);
    buffer_finish(&response->to);
    buffer_finish(&response->subject);
    buffer_finish(&response->text);
    buffer_finish(&response->part);
    free(response->compose);
}

/* An answer to what lies in a letter box goes through the first account. */
static int
read_message(struct response *response, bool is_read_only)
{
    struct client_problem problem = {0};
    const struct command_call *call = response->call;
    int code = desk_open(&response->desk);

    if (code == EX_OK && command_value(call, "box"))
        code = desk_log_in(&response->desk, NULL, command_has(call, "trace"));
    if (code == EX_OK)
        code = desk_open_folder(&response->desk, call, is_read_only, &response->folder);
    if (code == EX_OK)
        code = pick_words(response->folder, call->arguments, 1, &response->picked);
    if (code == EX_OK && response->picked.count != 1)
        code = say_error(EX_USAGE, "one message is answered at a time");
    if (code == EX_OK && !client_folder_read(response->folder, response->picked.indexes[0],
                                             &response->view.content, &problem))
        code = desk_tell(&problem);
    return code == EX_OK ? view_parse(&response->view) : code;
}

static int
send_response(struct response *response)
{
    struct compose *compose = response->compose;
    struct composed composed;
    struct summary summary = {0};

    if (response->view.tree.parts[0].fields)
        summary_gather(&response->view.arena, response->view.tree.parts[0].fields, &summary);
    compose->account = response->desk.login.account;
    compose->to = buffer_slice(&response->to);
    compose->subject = buffer_slice(&response->subject);
    compose->text = buffer_slice(&response->text);
    compose->in_reply_to = summary.message_id;
    compose->references = summary.message_id;
    int code = compose_put(compose, &composed);
    if (code == EX_OK)
        code = departure_send(&response->desk, &composed);
    composed_finish(&composed);
    return code;
}

/* ---- receipt ------------------------------------------------------------------------------- */

/* Other programs of the person see by it that they must not send one (RFC 3503). */
static void
mark(struct response *response)
{
    struct client_problem problem = {0};
    struct client_chosen chosen = pick_chosen(&response->picked);

    if (!client_folder_flag(response->folder, chosen, CLIENT_RECEIPT_SENT, 0, &problem) ||
        !client_folder_finish(response->folder, &problem))
        say_warning("the receipt was sent, but the message was not marked: %s", problem.text);
}

static int
run_receipt(const struct command_call *call)
{
    struct response response;

    init_response(&response, call);
    int code = read_message(&response, command_value(call, "box") != NULL);
    bool has_flags = code == EX_OK && !command_value(call, "box") &&
                     response.desk.login.account->incoming.protocol == CLIENT_IMAP;
    if (code == EX_OK)
        code = receipt_send(
            &response.desk, &response.view,
            client_folder_letter(response.folder, response.picked.indexes[0])->flags, false);
    if (code == EX_OK && has_flags)
        mark(&response);
    finish_response(&response);
    return code;
}

const struct command command_receipt = {
    .name = "receipt",
    .arguments = "MESSAGE",
    .summary = "Send the receipt that a message asks for",
    .about = "Some messages ask for word when they are shown ('facteur show' tells it). Who writes "
             "learns from it that the address is read, and when. This sends one, to the address "
             "that asks, and says that the message was shown: once for a message, and never to a "
             "mailing list, to a program, or for a report.",
    .examples = "facteur receipt 7",
    .arguments_min = 1,
    .arguments_max = 1,
    .options = {DESK_OPTION_ACCOUNT, DESK_OPTION_FOLDER, DESK_OPTION_BOX, DESK_OPTION_TRACE},
    .run = run_receipt,
};

/* ---- accept, decline ----------------------------------------------------------------------- */

static int
put_answer(struct response *response, const char *answer, const char *words)
{
    struct slice organizer;

    if (!invitation_put_answer(&response->view.tree, answer,
                               slice_of_string(response->desk.login.account->address),
                               client_wall(), &response->view.arena, &organizer, &response->part))
        return say_error(EX_DATAERR,
                         "the message has no invitation that asks for an answer; nothing was sent");
    buffer_put(&response->to, organizer);
    buffer_put_text(&response->subject, words);
    buffer_put_text(&response->subject, ": ");
    view_put_field(&response->view, FIELD_SUBJECT, &response->subject);
    buffer_put_text(&response->text, words);
    buffer_put_text(&response->text, ".\n");
    response->part_of_answer = (struct compose_part){.type = "text/calendar",
                                                     .parameter = "method",
                                                     .value = "REPLY",
                                                     .octets = buffer_slice(&response->part)};
    response->compose->parts = &response->part_of_answer;
    response->compose->parts_count = 1;
    response->compose->multipart = "alternative";
    return EX_OK;
}

static int
respond(const struct command_call *call, const char *answer, const char *words)
{
    struct response response;

    init_response(&response, call);
    int code = read_message(&response, true);
    if (code == EX_OK)
        code = put_answer(&response, answer, words);
    if (code == EX_OK)
        code = send_response(&response);
    finish_response(&response);
    return code;
}

static int
run_accept(const struct command_call *call)
{
    return command_has(call, "perhaps") ? respond(call, "TENTATIVE", "Perhaps")
                                        : respond(call, "ACCEPTED", "Accepted");
}

static int
run_decline(const struct command_call *call)
{
    return respond(call, "DECLINED", "Declined");
}

const struct command command_accept = {
    .name = "accept",
    .arguments = "MESSAGE",
    .summary = "Accept an invitation",
    .about = "Answers an invitation from a calendar (text/calendar): to its organizer, in the form "
             "that calendars understand (RFC 5546). 'facteur show' tells what it invites to.",
    .examples = "facteur accept 7\nfacteur accept last --perhaps",
    .arguments_min = 1,
    .arguments_max = 1,
    .options = {{"perhaps", NULL, "You may come, or not."},
                DESK_OPTION_ACCOUNT,
                DESK_OPTION_FOLDER,
                DESK_OPTION_BOX,
                DESK_OPTION_TRACE},
    .run = run_accept,
};

const struct command command_decline = {
    .name = "decline",
    .arguments = "MESSAGE",
    .summary = "Decline an invitation",
    .about = "Answers an invitation from a calendar: you do not come. As 'facteur accept'.",
    .examples = "facteur decline 7",
    .arguments_min = 1,
    .arguments_max = 1,
    .options = {DESK_OPTION_ACCOUNT, DESK_OPTION_FOLDER, DESK_OPTION_BOX, DESK_OPTION_TRACE},
    .run = run_decline,
};
