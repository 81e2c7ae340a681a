/* SPDX-License-Identifier: ISC */
/* facteur receipt, accept, decline: answers in a form that programs understand. */
#include "client/invitation.h"
#include "client/wire.h"
#include "message/summary.h"
#include "tool/letter.h"
#include "tool/mail/departure.h"
#include "tool/mail/pick.h"
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
    struct compose_part parts[2];
    struct buffer to, subject, text, part, header;
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
    buffer_init(&response->header, LETTER_MAX);
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
    buffer_finish(&response->header);
    free(response->compose);
}

static int
read_message(struct response *response)
{
    struct client_problem problem = {0};
    const struct command_call *call = response->call;
    int code = desk_open(&response->desk);

    if (code == EX_OK)
        code = desk_log_in(&response->desk, command_value(call, "account"),
                           command_has(call, "trace"));
    if (code == EX_OK)
        code = desk_open_folder(&response->desk, call, true, &response->folder);
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

static void
put_body(const struct view *view, enum field_id id, struct buffer *out)
{
    const struct header *header = view->tree.parts[0].fields;
    const struct field *field = header ? header_find(header, id, NULL) : NULL;

    if (field)
        buffer_put(out, field->body);
}

/* RFC 8098 §3.1. */
static void
put_notification(struct response *response)
{
    struct buffer id, *out = &response->part;

    buffer_init(&id, FIELD_MAX);
    buffer_put_text(out, "Reporting-UA: facteur " FACTEUR_VERSION "\r\nFinal-Recipient: rfc822;");
    buffer_put_text(out, response->desk.login.account->address);
    put_body(&response->view, FIELD_MESSAGE_ID, &id);
    if (buffer_len(&id) > 0)
        buffer_put_text(out, "\r\nOriginal-Message-ID: ");
    buffer_put(out, buffer_slice(&id));
    buffer_put_text(out, "\r\nDisposition: manual-action/MDN-sent-manually; displayed\r\n");
    buffer_finish(&id);
}

static int
put_receipt(struct response *response)
{
    const struct view *view = &response->view;

    put_body(view, FIELD_DISPOSITION_NOTIFICATION_TO, &response->to);
    if (buffer_len(&response->to) == 0)
        return say_error(EX_DATAERR, "the message does not ask for a receipt; nothing was sent");
    buffer_put_text(&response->subject, "Shown: ");
    view_put_field(view, FIELD_SUBJECT, &response->subject);
    buffer_put_text(&response->text, "Your message \"");
    view_put_field(view, FIELD_SUBJECT, &response->text);
    buffer_put_text(&response->text, "\" of ");
    view_put_field(view, FIELD_DATE, &response->text);
    buffer_put_text(&response->text, "\nto ");
    buffer_put_text(&response->text, response->desk.login.account->address);
    buffer_put_text(&response->text,
                    " was shown. That does not mean that it was read or understood.\n");
    put_notification(response);
    buffer_put(&response->header, mime_part_header(&view->tree, &view->tree.parts[0]));
    response->parts[0] = (struct compose_part){.type = "message/disposition-notification",
                                               .octets = buffer_slice(&response->part)};
    response->parts[1] = (struct compose_part){.type = "text/rfc822-headers",
                                               .octets = buffer_slice(&response->header)};
    response->compose->parts = response->parts;
    response->compose->parts_count = COUNT_OF(response->parts);
    response->compose->multipart = "report";
    response->compose->report = "disposition-notification";
    response->compose->is_from_nobody = true;
    return EX_OK;
}

static int
run_receipt(const struct command_call *call)
{
    struct response response;

    init_response(&response, call);
    int code = read_message(&response);
    if (code == EX_OK)
        code = put_receipt(&response);
    if (code == EX_OK)
        code = send_response(&response);
    finish_response(&response);
    return code;
}

const struct command command_receipt = {
    .name = "receipt",
    .arguments = "MESSAGE",
    .summary = "Send the receipt that a message asks for",
    .about = "Some messages ask for word when they are shown ('facteur show' tells it). None is "
             "ever sent by itself: who writes learns from it that the address is read, and when. "
             "This sends one, to the address that asks, and says that the message was shown.",
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
    response->parts[0] = (struct compose_part){.type = "text/calendar",
                                               .parameter = "method",
                                               .value = "REPLY",
                                               .octets = buffer_slice(&response->part)};
    response->compose->parts = response->parts;
    response->compose->parts_count = 1;
    response->compose->multipart = "alternative";
    return EX_OK;
}

static int
respond(const struct command_call *call, const char *answer, const char *words)
{
    struct response response;

    init_response(&response, call);
    int code = read_message(&response);
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
