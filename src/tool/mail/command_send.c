/* SPDX-License-Identifier: ISC */
/* facteur send: a message from the command line (seed case C6). */
#include "tool/files.h"
#include "tool/mail/departure.h"
#include "tool/mail/seal.h"
#include "tool/say.h"

#include <stdlib.h>

enum { LIST_MAX = 4 << 20 };

/* All values of an option, or all arguments, as one list. */
static void
join_option(const struct command_call *call, const char *option, struct buffer *out)
{
    const char *value;

    for (size_t place = 0; (value = command_next_value(call, option, &place));) {
        buffer_put_text(out, buffer_len(out) > 0 ? ", " : "");
        buffer_put_text(out, value);
    }
}

static int
send_message(struct desk *desk, const struct command_call *call, const struct seal_wish *wish,
             struct compose *compose)
{
    struct buffer text;
    struct composed composed;
    const char *file, *subject = command_value(call, "subject");

    for (size_t place = 0; (file = command_next_value(call, "attach", &place));) {
        if (compose->files_count == COMPOSE_FILES_MAX)
            return say_error(EX_USAGE, "a message takes at most %d files", COMPOSE_FILES_MAX);
        compose->files[compose->files_count++] = file;
    }
    for (size_t place = 0; (file = command_next_value(call, "picture", &place));) {
        if (compose->pictures_count == COMPOSE_FILES_MAX || !command_has(call, "html"))
            return say_error(EX_USAGE, "--picture: with --html, at most %d", COMPOSE_FILES_MAX);
        compose->pictures[compose->pictures_count++] = file;
    }
    int code = compose_read_text(SLICE(""), &text);
    if (code == EX_OK) {
        compose->account = desk->login.account;
        compose->from = command_value(call, "from");
        compose->reply_to = command_value(call, "reply-to");
        compose->html = command_value(call, "html");
        compose->is_flowed = command_has(call, "flowed");
        compose->wants_receipt = command_has(call, "receipt");
        compose->subject = slice_of_string(subject ? subject : "");
        compose->text = buffer_slice(&text);
        code = compose_put(compose, &composed);
        if (code == EX_OK)
            code = seal_put(compose->account, wish, &composed);
        if (code == EX_OK && command_has(call, "print")) {
            struct slice content = buffer_slice(&composed.outgoing.content);
            bool is_out = fwrite(content.at, 1, content.len, stdout) == content.len;
            code = is_out && fflush(stdout) == 0 ? EX_OK : EX_IOERR;
        } else if (code == EX_OK) {
            code = departure_send(desk, &composed);
        }
        composed_finish(&composed);
    }
    buffer_finish(&text);
    return code;
}

static int
send_new(struct desk *desk, const struct command_call *call)
{
    struct compose *compose = calloc(1, sizeof(*compose));
    struct seal_wish wish;
    struct buffer to, cc, bcc;

    if (!compose)
        abort();
    buffer_init(&to, LIST_MAX);
    buffer_init(&cc, LIST_MAX);
    buffer_init(&bcc, LIST_MAX);
    for (size_t i = 0; i < call->count; i++) {
        buffer_put_text(&to, i > 0 ? ", " : "");
        buffer_put_text(&to, call->arguments[i]);
    }
    join_option(call, "cc", &cc);
    join_option(call, "bcc", &bcc);
    compose->to = buffer_slice(&to);
    compose->cc = buffer_slice(&cc);
    compose->bcc = buffer_slice(&bcc);
    int code = seal_read_options(call, &wish);
    if (code == EX_OK && wish.is_encrypted && compose->bcc.len > 0)
        code = say_error(EX_USAGE, "--bcc with --encrypt: who can read an encrypted message can "
                                   "see for whom else it is; send the hidden copy by itself");
    if (code == EX_OK)
        code = send_message(desk, call, &wish, compose);
    buffer_finish(&to);
    buffer_finish(&cc);
    buffer_finish(&bcc);
    free(compose);
    return code;
}

static int
retry(struct desk *desk)
{
    size_t left;
    int code = departure_retry(desk, &left);

    if (code == EX_OK && left > 0)
        return say_error(EX_TEMPFAIL, "%zu messages wait still", left);
    return code;
}

static int
run_send(const struct command_call *call)
{
    struct desk desk;
    size_t left, waited = departure_count();
    int code = desk_open(&desk);

    if (code == EX_OK && command_has(call, "retry"))
        code = retry(&desk);
    else if (code == EX_OK) {
        code = desk_log_in(&desk, command_value(call, "account"), command_has(call, "trace"));
        if (code == EX_OK)
            code = send_new(&desk, call);
        /* The line is open: what waits may go too. */
        if (code == EX_OK && waited > 0 && departure_count() == waited &&
            !command_has(call, "print"))
            (void)!departure_retry(&desk, &left);
    }
    desk_close(&desk);
    return code;
}

const struct command command_send = {
    .name = "send",
    .arguments = "[TO...]",
    .summary = "Send a message",
    .about = "Sends a message through an account's server (see 'facteur account add'). The text is "
             "read from standard input; on a terminal $VISUAL or $EDITOR is started. Text in any "
             "charset is taken as it is, attachments go octet for octet. A copy is saved among "
             "what was sent.\n\n"
             "When the server cannot be reached, or says not now, the message waits in "
             "$XDG_STATE_HOME/facteur/outgoing; --retry sends what waits, and so does the next "
             "'facteur send' or 'facteur fetch'. Recipients that are refused for good are told.",
    .examples = "echo 'See you at eight' | facteur send -s Dinner alice@example.org\n"
                "facteur send -s 'Our holiday' -a one.jpg -a two.jpg --cc bob@example.org "
                "alice@example.org < letter.txt\n"
                "facteur send --retry",
    .arguments_max = COMMAND_ARGUMENTS_ANY,
    .options = {{"subject", "TEXT", "What it is about, in any language.", .letter = 's'},
                {"attach", "FILE", "Attach a file; as often as you like.", .letter = 'a',
                 .is_repeatable = true},
                {"cc", "ADDRESSES", "Who gets a copy.", .letter = 'c', .is_repeatable = true},
                {"bcc", "ADDRESSES", "Who gets a copy that the others do not see.", .letter = 'b',
                 .is_repeatable = true},
                {"from", "ADDRESS", "Who writes; default: the account's name and address."},
                {"reply-to", "ADDRESS", "Where answers are to go."},
                {"html", "FILE", "The same in HTML, as an alternative for those who show it."},
                {"picture", "FILE",
                 "A picture that the HTML shows as <img src=\"cid:FILE\">; as often as you like.",
                 .is_repeatable = true},
                {"receipt", NULL, "Ask for a receipt when it is shown; few readers send one."},
                {"flowed", NULL, "Let the reader's window break the lines (format=flowed)."},
                SEAL_OPTIONS,
                {"print", NULL, "Write the message to standard output instead of sending it."},
                {"retry", NULL, "Send what waits."},
                DESK_OPTION_ACCOUNT,
                DESK_OPTION_TRACE},
    .run = run_send,
};
