/* SPDX-License-Identifier: ISC */
/* facteur reply, forward: answers to messages, and messages passed on (RFC 5322 §3.6.4, §3.6.5). */
#include "tool/letter.h"
#include "tool/mail/departure.h"
#include "tool/mail/pick.h"
#include "tool/mail/response.h"
#include "tool/mail/seal.h"
#include "tool/mail/view.h"
#include "tool/say.h"

#include <stdlib.h>
#include <unistd.h>

enum { LIST_MAX = 4 << 20, FIELD_MAX = 1 << 20 };

/* The message that is answered, and what goes out because of it. */
struct answer {
    const struct command_call *call;
    struct desk desk;
    struct client_folder *folder;
    struct picked picked;
    struct view view;
    struct summary summary;
    struct compose *compose;
    struct buffer to, cc, subject, draft, references;
};

static int
open_answer(struct answer *answer, const struct command_call *call, bool takes_several)
{
    const char *account = command_value(call, "account");
    struct client_problem problem = {0};
    int code = desk_open(&answer->desk);

    answer->call = call;
    if (code == EX_OK && !command_value(call, "box"))
        code = desk_open_folder(&answer->desk, call, false, &answer->folder);
    if (code == EX_OK && command_value(call, "box")) {
        struct client_folder_place place = {.path = command_value(call, "box")};
        answer->folder = client_folder_open(&place, &problem);
        code = answer->folder ? desk_log_in(&answer->desk, account, command_has(call, "trace"))
                              : desk_tell(&problem);
    }
    if (code == EX_OK)
        code = pick_words(answer->folder, call->arguments, 1, &answer->picked);
    if (code == EX_OK && (takes_several ? answer->picked.count == 0 : answer->picked.count != 1))
        code = say_error(EX_USAGE, "'%s' is not %s message", call->arguments[0],
                         takes_several ? "a" : "one");
    if (code == EX_OK && !client_folder_read(answer->folder, answer->picked.indexes[0],
                                             &answer->view.content, &problem))
        code = desk_tell(&problem);
    if (code == EX_OK)
        code = view_parse(&answer->view);
    return code;
}

static void
gather(struct answer *answer)
{
    if (answer->view.tree.parts[0].fields)
        summary_gather(&answer->view.arena, answer->view.tree.parts[0].fields, &answer->summary);
}

static void
init_answer(struct answer *answer)
{
    view_init(&answer->view);
    answer->compose = calloc(1, sizeof(*answer->compose));
    if (!answer->compose)
        abort();
    buffer_init(&answer->to, LIST_MAX);
    buffer_init(&answer->cc, LIST_MAX);
    buffer_init(&answer->subject, FIELD_MAX);
    buffer_init(&answer->draft, LETTER_MAX);
    buffer_init(&answer->references, FIELD_MAX);
}

static void
finish_answer(struct answer *answer)
{
    client_folder_close(&answer->folder);
    pick_finish(&answer->picked);
    view_finish(&answer->view);
    desk_close(&answer->desk);
    buffer_finish(&answer->to);
    buffer_finish(&answer->cc);
    buffer_finish(&answer->subject);
    buffer_finish(&answer->draft);
    buffer_finish(&answer->references);
    free(answer->compose);
}

/* ---- sending ------------------------------------------------------------------------------- */

static int
write_text(struct answer *answer, bool is_quoted, struct buffer *ret_text, char **ret_path)
{
    struct buffer written;
    int code = compose_read_text(buffer_slice(&answer->draft), &written, ret_path);

    buffer_init(ret_text, LETTER_MAX);
    /* A person has edited the quotation; a program is given the one of its choice. */
    if (code == EX_OK && is_quoted && !isatty(STDIN_FILENO))
        buffer_put(ret_text, buffer_slice(&answer->draft));
    if (code == EX_OK)
        buffer_put(ret_text, buffer_slice(&written));
    buffer_finish(&written);
    return code;
}

static int
send_answer(struct answer *answer, bool is_quoted)
{
    const struct command_call *call = answer->call;
    struct compose *compose = answer->compose;
    struct composed composed;
    struct seal_wish wish;
    struct buffer text;
    const char *file;
    char *written;

    for (size_t place = 0; (file = command_next_value(call, "attach", &place)) &&
                           compose->files_count < COMPOSE_FILES_MAX;)
        compose->files[compose->files_count++] = file;
    int code = write_text(answer, is_quoted, &text, &written);
    if (code == EX_OK)
        code = seal_read_options(call, &wish);
    if (code == EX_OK) {
        compose->account = answer->desk.login.account;
        compose->from = command_value(call, "from");
        compose->to = buffer_slice(&answer->to);
        compose->cc = buffer_slice(&answer->cc);
        compose->subject = buffer_slice(&answer->subject);
        compose->text = buffer_slice(&text);
        code = compose_put(compose, &composed);
        /* What came secretly is not quoted in the open. */
        wish.is_encrypted = wish.is_encrypted || answer->view.is_encrypted;
        if (code == EX_OK)
            code = seal_put(compose->account, &wish, &composed);
        if (code == EX_OK)
            code = departure_send(&answer->desk, &composed);
        composed_finish(&composed);
    }
    compose_end_text(written, code);
    buffer_finish(&text);
    return code;
}

/* The message is \Answered then. POP3 cannot say it. */
static void
mark_answered(struct answer *answer)
{
    const struct client_account *account = answer->desk.login.account;
    struct client_problem problem = {0};
    bool has_flags =
        command_value(answer->call, "box") || account->incoming.protocol == CLIENT_IMAP;

    if (has_flags && (!client_folder_flag(answer->folder, pick_chosen(&answer->picked),
                                          CLIENT_ANSWERED, 0, &problem) ||
                      !client_folder_finish(answer->folder, &problem)))
        say_warning("%s", problem.text);
}

static int
run_reply(const struct command_call *call)
{
    struct answer answer = {0};
    bool is_quoted = !command_has(call, "bare");

    init_answer(&answer);
    int code = open_answer(&answer, call, false);
    if (code == EX_OK)
        code = seal_open(&answer.view, &answer.desk.accounts);
    if (code == EX_OK)
        gather(&answer);
    if (code == EX_OK) {
        response_put_recipients(&answer.summary, answer.desk.login.account->address,
                                command_has(call, "all"), &answer.to, &answer.cc);
        response_put_subject(&answer.view, "Re: ", &answer.subject);
        response_put_references(&answer.summary, &answer.references);
        answer.compose->in_reply_to = answer.summary.message_id;
        answer.compose->references = buffer_slice(&answer.references);
        if (is_quoted)
            response_put_quoted(&answer.view, &answer.summary, &answer.draft);
        code = send_answer(&answer, is_quoted);
    }
    if (code == EX_OK)
        mark_answered(&answer);
    finish_answer(&answer);
    return code;
}

const struct command command_reply = {
    .name = "reply",
    .arguments = "MESSAGE",
    .summary = "Answer a message",
    .about = "Sends an answer to who wrote the message, or with --all to everybody who got it. The "
             "text is read from standard input and stands below the quotation; on a terminal "
             "$VISUAL or $EDITOR is started with it. The answer belongs to the thread, and the "
             "message is marked as answered.",
    .examples = "echo 'I shall be there.' | facteur reply 7\n"
                "facteur reply last --all -a map.pdf",
    .arguments_min = 1,
    .arguments_max = 1,
    .options = {{"all", NULL, "To everybody who got the message."},
                {"bare", NULL, "Without quoting it."},
                {"attach", "FILE", "Attach a file; as often as you like.", .letter = 'a',
                 .is_repeatable = true},
                {"from", "ADDRESS", "Who writes; default: the account's name and address."},
                SEAL_OPTIONS,
                DESK_OPTION_ACCOUNT,
                DESK_OPTION_FOLDER,
                DESK_OPTION_BOX,
                DESK_OPTION_TRACE},
    .run = run_reply,
};

/* ---- forward ------------------------------------------------------------------------------- */

/* Messages as they are; the first is in the view. */
struct passed {
    struct buffer *contents;
    struct slice *messages;
};

static int
read_passed(struct answer *answer, struct passed *passed)
{
    size_t count = answer->picked.count;
    struct client_problem problem = {0};

    passed->contents = calloc(count, sizeof(*passed->contents));
    passed->messages = calloc(count, sizeof(*passed->messages));
    if (!passed->contents || !passed->messages)
        abort();
    passed->messages[0] = buffer_slice(&answer->view.content);
    for (size_t i = 1; i < count; i++) {
        buffer_init(&passed->contents[i], LETTER_MAX);
        if (!client_folder_read(answer->folder, answer->picked.indexes[i], &passed->contents[i],
                                &problem))
            return desk_tell(&problem);
        passed->messages[i] = buffer_slice(&passed->contents[i]);
    }
    answer->compose->forwarded = passed->messages;
    answer->compose->forwarded_count = count;
    return EX_OK;
}

static void
put_forward_subject(struct answer *answer)
{
    response_put_subject(&answer->view, "Fwd: ", &answer->subject);
    if (answer->picked.count > 1) {
        buffer_put_text(&answer->subject, " (and ");
        buffer_put_decimal(&answer->subject, answer->picked.count - 1);
        buffer_put_text(&answer->subject, " more)");
    }
}

static int
run_forward(const struct command_call *call)
{
    struct answer answer = {0};
    struct passed passed = {0};

    init_answer(&answer);
    int code = open_answer(&answer, call, true);
    if (code == EX_OK)
        code = read_passed(&answer, &passed);
    if (code == EX_OK) {
        for (size_t i = 1; i < call->count; i++) {
            buffer_put_text(&answer.to, i > 1 ? ", " : "");
            buffer_put_text(&answer.to, call->arguments[i]);
        }
        put_forward_subject(&answer);
        code = send_answer(&answer, false);
    }
    for (size_t i = 1; passed.contents && i < answer.picked.count; i++)
        buffer_finish(&passed.contents[i]);
    free(passed.contents);
    free(passed.messages);
    finish_answer(&answer);
    return code;
}

const struct command command_forward = {
    .name = "forward",
    .arguments = "MESSAGE TO...",
    .summary = "Pass a message on",
    .about = "Sends the message to others, whole and unchanged, attached to one of your own "
             "(message/rfc822); several, like 3-9, as one digest (multipart/digest). "
             "What you say about it is read from standard input; on a terminal $VISUAL or $EDITOR "
             "is started.",
    .examples = "echo 'For your files.' | facteur forward 7 bob@example.org\n"
                "echo 'What you missed.' | facteur forward 3-9 bob@example.org",
    .arguments_min = 2,
    .arguments_max = COMMAND_ARGUMENTS_ANY,
    .options = {{"attach", "FILE", "Attach a file; as often as you like.", .letter = 'a',
                 .is_repeatable = true},
                {"from", "ADDRESS", "Who writes; default: the account's name and address."},
                SEAL_OPTIONS,
                DESK_OPTION_ACCOUNT,
                DESK_OPTION_FOLDER,
                DESK_OPTION_BOX,
                DESK_OPTION_TRACE},
    .run = run_forward,
};

/* ---- bounce -------------------------------------------------------------------------------- */

static int
run_bounce(const struct command_call *call)
{
    struct answer answer = {0};
    struct composed composed;

    init_answer(&answer);
    int code = open_answer(&answer, call, false);
    for (size_t i = 1; i < call->count; i++) {
        buffer_put_text(&answer.to, i > 1 ? ", " : "");
        buffer_put_text(&answer.to, call->arguments[i]);
    }
    if (code == EX_OK) {
        answer.compose->account = answer.desk.login.account;
        answer.compose->from = command_value(call, "from");
        answer.compose->to = buffer_slice(&answer.to);
        code = compose_put(answer.compose, &composed);
        if (code == EX_OK)
            code = response_put_resent(&answer.view, &composed);
        if (code == EX_OK)
            code = departure_send(&answer.desk, &composed);
        composed_finish(&composed);
    }
    finish_answer(&answer);
    return code;
}

const struct command command_bounce = {
    .name = "bounce",
    .arguments = "MESSAGE TO...",
    .summary = "Send a message again, as it is, to somebody else",
    .about = "For what came to the wrong person: the message goes on unchanged, From and all, with "
             "fields before it that say who sent it again (Resent-From and others). An answer goes "
             "to who wrote it. To add words of your own, use 'facteur forward'.",
    .examples = "facteur bounce 7 bob@example.org",
    .arguments_min = 2,
    .arguments_max = COMMAND_ARGUMENTS_ANY,
    .options = {{"from", "ADDRESS", "Who sends it again; default: the account's name and address."},
                DESK_OPTION_ACCOUNT,
                DESK_OPTION_FOLDER,
                DESK_OPTION_BOX,
                DESK_OPTION_TRACE},
    .run = run_bounce,
};
