/* SPDX-License-Identifier: ISC */
/* facteur send: a message from the command line (seed case C6). */
#include "tool/files.h"
#include "tool/letter.h"
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

/* The values of a repeatable option. */
static int
gather(const struct command_call *call, const char *option, const char **ret_values,
       size_t *ret_count)
{
    const char *value;
    size_t count = 0;

    for (size_t place = 0; (value = command_next_value(call, option, &place));) {
        if (count == COMPOSE_FILES_MAX)
            return say_error(EX_USAGE, "--%s: a message takes at most %d", option,
                             COMPOSE_FILES_MAX);
        ret_values[count++] = value;
    }
    *ret_count = count;
    return EX_OK;
}

static int
gather_all(const struct command_call *call, struct compose *compose)
{
    int code = gather(call, "attach", compose->files, &compose->files_count);

    if (code == EX_OK)
        code = gather(call, "link", compose->links, &compose->links_count);
    if (code == EX_OK)
        code = gather(call, "picture", compose->pictures, &compose->pictures_count);
    if (code == EX_OK && compose->pictures_count > 0 && !command_has(call, "html"))
        code = say_error(EX_USAGE, "--picture: what shows it? Give --html too");
    return code;
}

/* The messages of a digest, from files. */
struct digest {
    struct buffer contents[COMPOSE_FILES_MAX];
    struct slice messages[COMPOSE_FILES_MAX];
};

static int
read_digest(const struct command_call *call, struct compose *compose, struct digest *digest)
{
    const char *path;
    int code = EX_OK;

    for (size_t place = 0; code == EX_OK && (path = command_next_value(call, "digest", &place));) {
        if (compose->forwarded_count == COMPOSE_FILES_MAX)
            return say_error(EX_USAGE, "a digest takes at most %d messages", COMPOSE_FILES_MAX);
        size_t i = compose->forwarded_count++;
        code = files_read(path, LETTER_MAX, &digest->contents[i]);
        digest->messages[i] = buffer_slice(&digest->contents[i]);
    }
    compose->forwarded = digest->messages;
    compose->is_digest = compose->forwarded_count > 0;
    return code;
}

static int
send_message(struct desk *desk, const struct command_call *call, const struct seal_wish *wish,
             struct compose *compose)
{
    struct buffer text = {0};
    struct composed composed;
    char *written = NULL;
    const char *subject = command_value(call, "subject");
    int code = gather_all(call, compose);

    if (code == EX_OK)
        code = compose_read_text(SLICE(""), &text, &written);
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
    compose_end_text(written, code);
    buffer_finish(&text);
    return code;
}

static int
send_new(struct desk *desk, const struct command_call *call)
{
    struct compose *compose = calloc(1, sizeof(*compose));
    struct digest *digest = calloc(1, sizeof(*digest));
    struct seal_wish wish;
    struct buffer to, cc, bcc;

    if (!compose || !digest)
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
    if (code == EX_OK)
        code = read_digest(call, compose, digest);
    if (code == EX_OK && wish.is_encrypted && compose->bcc.len > 0)
        code = say_error(EX_USAGE, "--bcc with --encrypt: who can read an encrypted message can "
                                   "see for whom else it is; send the hidden copy by itself");
    if (code == EX_OK)
        code = send_message(desk, call, &wish, compose);
    buffer_finish(&to);
    buffer_finish(&cc);
    buffer_finish(&bcc);
    for (size_t i = 0; i < compose->forwarded_count; i++)
        buffer_finish(&digest->contents[i]);
    free(digest);
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
             "read from standard input; on a terminal $VISUAL or $EDITOR is started. Text may be "
             "in UTF-8 or in the locale's charset; it goes in the narrowest of us-ascii, "
             "iso-8859-1, iso-8859-15 and utf-8. Attachments go octet for octet. A copy is saved "
             "among what was sent.\n\n"
             "When the server cannot be reached, or says not now, the message waits in "
             "$XDG_STATE_HOME/facteur/outgoing; --retry sends what waits, and so does the next "
             "'facteur send' or 'facteur fetch'. Recipients that are refused for good are told; "
             "what has waited and nobody takes any more is kept there (NAME.refused).",
    .examples = "echo 'See you at eight' | facteur send -s Dinner alice@example.org\n"
                "facteur send -s 'Our holiday' -a one.jpg -a two.jpg --cc bob@example.org "
                "alice@example.org < letter.txt\n"
                "facteur send -s 'What you missed' --digest one.eml --digest two.eml "
                "alice@example.org < /dev/null\n"
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
                {"digest", "FILE",
                 "A message to put into a digest (multipart/digest); as often as you like.",
                 .is_repeatable = true},
                {"link", "URL",
                 "Say where something can be had that is not sent (message/external-body); as "
                 "often as you like.",
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
