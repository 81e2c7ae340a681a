/* SPDX-License-Identifier: ISC */
/* facteur reply, forward: answers to messages, and messages passed on (RFC 5322 §3.6.4, §3.6.5). */
#include "message/subject.h"
#include "message/summary.h"
#include "mime/encoded_word.h"
#include "text/date.h"
#include "tool/letter.h"
#include "tool/mail/departure.h"
#include "tool/mail/pick.h"
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
open_answer(struct answer *answer, const struct command_call *call)
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
    if (code == EX_OK && answer->picked.count != 1)
        code = say_error(EX_USAGE, "'%s' is not one message", call->arguments[0]);
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

/* ---- to whom ------------------------------------------------------------------------------- */

static bool
is_own(const struct answer *answer, const struct address *address)
{
    struct buffer spec;

    buffer_init(&spec, FIELD_MAX);
    address_put_spec(&spec, address);
    bool is_mine = slice_equal_nocase(buffer_slice(&spec),
                                      slice_of_string(answer->desk.login.account->address));
    buffer_finish(&spec);
    return is_mine;
}

/* Adds addresses, names decoded; without one's own where `is_others`. */
static void
add_list(const struct answer *answer, const struct address_list *list, bool is_others,
         struct buffer *out)
{
    for (const struct address *address = list->first; address; address = address->next) {
        struct address copy = *address;
        struct buffer name;
        if (address->kind != ADDRESS_MAILBOX || address->local.len == 0 ||
            (is_others && is_own(answer, address)))
            continue;
        buffer_init(&name, FIELD_MAX);
        mime_encoded_words_decode(&name, address_label(address));
        copy.name = buffer_slice(&name);
        copy.comment = SLICE("");
        copy.has_encoded_word = false;
        buffer_put_text(out, buffer_len(out) > 0 ? ", " : "");
        address_format(&copy, out);
        buffer_finish(&name);
    }
}

/* RFC 5322 §3.6.3: Reply-To, else From; our own messages are answered to whom they went. */
static void
add_recipients(struct answer *answer, bool is_to_all)
{
    const struct address_list *back = summary_reply_to(&answer->summary);

    if (back->first && is_own(answer, back->first))
        back = &answer->summary.to;
    add_list(answer, back, false, &answer->to);
    if (!is_to_all)
        return;
    if (back != &answer->summary.to)
        add_list(answer, &answer->summary.to, true, &answer->to);
    add_list(answer, &answer->summary.cc, true, &answer->cc);
}

/* ---- what it says -------------------------------------------------------------------------- */

static void
put_subject(struct answer *answer, const char *prefix)
{
    struct buffer subject;

    buffer_init(&subject, FIELD_MAX);
    view_put_field(&answer->view, FIELD_SUBJECT, &subject);
    struct subject_base base = subject_base(&answer->view.arena, buffer_slice(&subject));
    buffer_put_text(&answer->subject, prefix);
    buffer_put(&answer->subject, base.text);
    buffer_finish(&subject);
}

/* RFC 5322 §3.6.4: References of the parent, or its In-Reply-To, and its Message-ID behind them. */
static void
put_references(struct answer *answer)
{
    const struct summary *summary = &answer->summary;
    struct slice before = summary->references.len > 0 ? summary->references : summary->in_reply_to;

    answer->compose->in_reply_to = summary->message_id;
    if (summary->message_id.len == 0)
        return;
    buffer_put(&answer->references, before);
    buffer_put_text(&answer->references, before.len > 0 ? " " : "");
    buffer_put(&answer->references, summary->message_id);
    answer->compose->references = buffer_slice(&answer->references);
}

static void
put_quoted(struct answer *answer)
{
    struct buffer *out = &answer->draft;
    struct buffer text, from;

    buffer_init(&text, LETTER_MAX);
    buffer_init(&from, FIELD_MAX);
    view_put_field(&answer->view, FIELD_FROM, &from);
    if (answer->summary.has_date) {
        buffer_put_text(out, "On ");
        date_format_rfc5322(answer->summary.date.wall, answer->summary.date.zone_minutes, out);
        buffer_put_text(out, ", ");
    }
    buffer_put(out, buffer_slice(&from));
    buffer_put_text(out, " wrote:\n");
    view_put_text(&answer->view, &text);
    for (struct slice rest = buffer_slice(&text); rest.len > 0;) {
        struct slice line = slice_first(rest, slice_find_byte(rest, '\n'));
        rest = slice_skip(rest, line.len + 1);
        buffer_put_text(out, line.len > 0 && line.at[0] != '>' ? "> " : ">");
        buffer_put(out, line);
        buffer_put_byte(out, '\n');
    }
    buffer_put_byte(out, '\n');
    buffer_finish(&text);
    buffer_finish(&from);
}

/* ---- sending ------------------------------------------------------------------------------- */

static int
write_text(struct answer *answer, bool is_quoted, struct buffer *ret_text)
{
    struct buffer written;
    int code = compose_read_text(buffer_slice(&answer->draft), &written);

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

    for (size_t place = 0; (file = command_next_value(call, "attach", &place)) &&
                           compose->files_count < COMPOSE_FILES_MAX;)
        compose->files[compose->files_count++] = file;
    int code = write_text(answer, is_quoted, &text);
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
    int code = open_answer(&answer, call);
    if (code == EX_OK)
        code = seal_open(&answer.view, &answer.desk.accounts);
    if (code == EX_OK)
        gather(&answer);
    if (code == EX_OK) {
        add_recipients(&answer, command_has(call, "all"));
        put_subject(&answer, "Re: ");
        put_references(&answer);
        if (is_quoted)
            put_quoted(&answer);
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

static int
run_forward(const struct command_call *call)
{
    struct answer answer = {0};

    init_answer(&answer);
    int code = open_answer(&answer, call);
    if (code == EX_OK) {
        for (size_t i = 1; i < call->count; i++) {
            buffer_put_text(&answer.to, i > 1 ? ", " : "");
            buffer_put_text(&answer.to, call->arguments[i]);
        }
        put_subject(&answer, "Fwd: ");
        answer.compose->forwarded = buffer_slice(&answer.view.content);
        code = send_answer(&answer, false);
    }
    finish_answer(&answer);
    return code;
}

const struct command command_forward = {
    .name = "forward",
    .arguments = "MESSAGE TO...",
    .summary = "Pass a message on",
    .about = "Sends the message to others, whole and unchanged, attached to one of your own "
             "(message/rfc822). What you say about it is read from standard input; on a terminal "
             "$VISUAL or $EDITOR is started.",
    .examples = "echo 'For your files.' | facteur forward 7 bob@example.org",
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

/* RFC 5322 §3.6.6: fields about the resending stand before the others; nothing else changes. */
static int
put_resent(struct answer *answer, struct composed *composed)
{
    struct slice content = buffer_slice(&composed->outgoing.content);
    static const struct {
        enum field_id id;
        const char *name;
    } rows[] = {{FIELD_DATE, "Resent-Date: "},
                {FIELD_FROM, "Resent-From: "},
                {FIELD_TO, "Resent-To: "},
                {FIELD_MESSAGE_ID, "Resent-Message-ID: "}};
    struct header header;
    struct buffer whole;

    header_parse(&answer->view.arena, content, &header);
    buffer_init(&whole, LETTER_MAX);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct field *field = header_find(&header, rows[i].id, NULL);
        if (!field)
            continue;
        buffer_put_text(&whole, rows[i].name);
        buffer_put(&whole, field->body);
        buffer_put_text(&whole, "\r\n");
    }
    buffer_put(&whole, buffer_slice(&answer->view.content));
    bool is_whole = !buffer_overflowed(&whole);
    buffer_clear(&composed->outgoing.content);
    buffer_put(&composed->outgoing.content, buffer_slice(&whole));
    buffer_finish(&whole);
    return is_whole ? EX_OK : say_error(EX_DATAERR, "the message becomes too large");
}

static int
run_bounce(const struct command_call *call)
{
    struct answer answer = {0};
    struct composed composed;

    init_answer(&answer);
    int code = open_answer(&answer, call);
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
            code = put_resent(&answer, &composed);
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
