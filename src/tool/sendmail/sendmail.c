/* SPDX-License-Identifier: ISC */
#include "tool/sendmail/sendmail.h"

#include "tool/aliases.h"
#include "tool/files.h"
#include "tool/queue_client.h"
#include "tool/say.h"
#include "tool/sendmail/carry.h"
#include "tool/sendmail/options.h"
#include "tool/sendmail/outgoing.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TEXT_MAX = 4096, COPY_MAX = 16 * 1024 };

/* What all ways of use need. */
struct call {
    struct sendmail_options options;
    struct settings settings;
    struct arena arena;
    struct slice origin; /* domain of addresses without one */
    struct slice author; /* for From: */
    struct slice full_name;
    struct slice sender; /* canonical; empty: the null reverse-path */
};

bool
sendmail_is_name(const char *program)
{
    static const char *const names[] = {"sendmail", "mailq", "newaliases"};
    const char *slash = strrchr(program, '/');

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (strcmp(slash ? slash + 1 : program, names[i]) == 0)
            return true;
    }
    return false;
}

/* ---- who sends ----------------------------------------------------------------------------- */

/* The first part of the fifth field of passwd, where "&" is the login with a capital. */
static struct slice
name_of_user(struct arena *arena, const struct passwd *user)
{
    struct slice field = slice_of_string(user->pw_gecos ? user->pw_gecos : "");
    struct buffer name;

    field = slice_first(field, slice_find_byte(field, ','));
    buffer_init(&name, TEXT_MAX);
    for (size_t i = 0; i < field.len; i++) {
        if (field.at[i] != '&') {
            buffer_put_byte(&name, field.at[i]);
        } else {
            buffer_put_byte(&name, (uint8_t)toupper((unsigned char)user->pw_name[0]));
            buffer_put_text(&name, user->pw_name + 1);
        }
    }
    struct slice copy = arena_copy(arena, buffer_slice(&name));
    buffer_finish(&name);
    return copy;
}

static bool
read_address(struct call *call, const char *text, struct slice *ret_canonical)
{
    struct outgoing one;
    struct slice bad;

    outgoing_init(&one, 0);
    bool is_good = outgoing_add(&one, slice_of_string(text), call->origin, &bad) && one.count == 1;
    if (is_good)
        *ret_canonical = arena_copy(&call->arena, one.recipients[0]);
    outgoing_finish(&one);
    return is_good;
}

/* -f, else the user who calls. */
static int
find_sender(struct call *call)
{
    const struct passwd *user = getpwuid(getuid());
    const char *given = call->options.sender;
    bool is_null = given && (*given == '\0' || strcmp(given, "<>") == 0);
    char number[32];

    snprintf(number, sizeof(number), "user%u", (unsigned)getuid());
    if (!read_address(call,
                      given && !is_null ? given
                      : user            ? user->pw_name
                                        : number,
                      &call->author))
        return say_error(EX_USAGE, "sendmail: %s is no address to send from; give one with -f",
                         given ? given : number);
    call->sender = is_null ? SLICE("") : call->author;
    call->full_name = SLICE("");
    if (call->options.full_name)
        call->full_name = slice_of_string(call->options.full_name);
    else if (user && !given)
        call->full_name = name_of_user(&call->arena, user);
    return EX_OK;
}

/* ---- a message ----------------------------------------------------------------------------- */

/* All of standard input, or up to a line that is a dot. */
static int
read_message(const struct call *call, struct buffer *ret_message)
{
    size_t max = call->settings.config.message_size_max;
    bool is_line_start = true;
    char *line = NULL;
    size_t room = 0;
    ssize_t len;

    buffer_init(ret_message, max);
    while ((len = getline(&line, &room, stdin)) > 0) {
        if (!call->options.dots_are_text && is_line_start && line[0] == '.' &&
            (strcmp(line + 1, "\n") == 0 || strcmp(line + 1, "\r\n") == 0))
            break;
        buffer_put(ret_message, slice_of(line, (size_t)len));
        is_line_start = line[len - 1] == '\n';
    }
    free(line);
    if (ferror(stdin))
        return say_error(EX_IOERR, "sendmail: standard input: %s", strerror(errno));
    if (buffer_overflowed(ret_message))
        return say_error(EX_DATAERR,
                         "sendmail: the message has more than the %zu octets that "
                         "message_size_max allows; nothing was sent",
                         max);
    return EX_OK;
}

/* -N, -R, -V in the words of RFC 3461. */
static int
read_dsn(const struct call *call, struct arena *arena, struct carry *carry)
{
    const struct sendmail_options *options = &call->options;
    struct slice keyword;
    char text[TEXT_MAX];

    snprintf(text, sizeof(text), " NOTIFY=%s", options->notify ? options->notify : "");
    if (options->notify &&
        envelope_rcpt_parameters_parse(slice_of_string(text), ENVELOPE_DSN, arena, &carry->rcpt,
                                       &keyword) != ENVELOPE_PARAMETER_OK)
        return say_error(EX_USAGE, "sendmail -N %s: expected never, or success, failure, delay",
                         options->notify);
    snprintf(text, sizeof(text), " RET=%s", options->ret ? options->ret : "");
    if (options->ret &&
        envelope_mail_parameters_parse(slice_of_string(text), ENVELOPE_DSN, arena, &carry->mail,
                                       &keyword) != ENVELOPE_PARAMETER_OK)
        return say_error(EX_USAGE, "sendmail -R %s: expected full or hdrs", options->ret);
    if (options->envelope_id)
        carry->mail.envid = slice_of_string(options->envelope_id);
    return EX_OK;
}

static int
add_recipients(const struct call *call, struct slice message, struct outgoing *outgoing)
{
    struct slice bad;

    for (size_t i = 0; i < call->options.recipient_count; i++) {
        if (!outgoing_add(outgoing, slice_of_string(call->options.recipients[i]), call->origin,
                          &bad))
            return say_error(EX_USAGE, "sendmail: '%.*s' is no address; nothing was sent",
                             (int)bad.len, (const char *)bad.at);
    }
    if (call->options.from_header &&
        !outgoing_add_from_header(outgoing, message, call->origin))
        return say_error(EX_DATAERR, "sendmail: the header names more recipients than can be read; "
                                     "nothing was sent");
    if (outgoing->count == 0)
        return say_error(EX_USAGE, "sendmail: no recipients; give addresses, or -t and To: fields");
    return EX_OK;
}

static int
send_message(struct call *call)
{
    struct buffer message;
    struct outgoing outgoing;
    struct carry carry = {.sender = call->sender, .is_verbose = call->options.is_verbose};
    struct outgoing_facts facts = {
        .sender = call->author, .full_name = call->full_name, .origin = call->origin};
    int descriptor, code = read_message(call, &message);

    /* A From: line is put in, and a domain behind each name without one. */
    outgoing_init(&outgoing, call->settings.config.message_size_max * 2 + TEXT_MAX);
    if (code == EX_OK)
        code = add_recipients(call, buffer_slice(&message), &outgoing);
    if (code == EX_OK)
        code = read_dsn(call, &outgoing.arena, &carry);
    if (code == EX_OK && !outgoing_complete(&outgoing, buffer_slice(&message), &facts))
        code = say_error(EX_DATAERR, "sendmail: the header is too large; nothing was sent");
    if (code == EX_OK)
        code = carry_connect(&call->settings, &descriptor);
    if (code == EX_OK) {
        carry.recipients = outgoing.recipients;
        carry.count = outgoing.count;
        carry.content = buffer_slice(&outgoing.content);
        code = carry_message(descriptor, &carry);
        close(descriptor);
    }
    outgoing_finish(&outgoing);
    buffer_finish(&message);
    return code;
}

/* ---- other ways of use --------------------------------------------------------------------- */

/* Moves what is there from one side to the other; false at the end. Lines from people and programs
 * may end in LF: the server wants CRLF, and `is_behind_cr` says whether the last octet was a CR.
 * NULL: they stay as they are. */
static bool
copy(int from, int to, bool *is_behind_cr)
{
    uint8_t bytes[COPY_MAX], lines[2 * COPY_MAX];
    ssize_t len = read(from, bytes, sizeof(bytes));
    size_t out = 0;

    for (ssize_t i = 0; i < len; i++) {
        if (is_behind_cr && bytes[i] == '\n' && !*is_behind_cr)
            lines[out++] = '\r';
        if (is_behind_cr)
            *is_behind_cr = bytes[i] == '\r';
        lines[out++] = bytes[i];
    }
    for (size_t sent = 0; sent < out;) {
        ssize_t put = write(to, lines + sent, out - sent);
        if (put <= 0)
            return false;
        sent += (size_t)put;
    }
    return len > 0;
}

static int
hold_session(struct call *call)
{
    int server, code = carry_connect(&call->settings, &server);
    struct pollfd sides[2];
    bool is_behind_cr = false;

    if (code != EX_OK)
        return code;
    sides[0] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    sides[1] = (struct pollfd){.fd = server, .events = POLLIN};
    for (;;) {
        if (poll(sides, COUNT_OF(sides), -1) < 0 && errno != EINTR)
            break;
        if (sides[0].revents && !copy(STDIN_FILENO, server, &is_behind_cr)) {
            shutdown(server, SHUT_WR);
            sides[0].fd = -1;
        }
        if (sides[1].revents && !copy(server, STDOUT_FILENO, NULL))
            break;
    }
    close(server);
    return EX_OK;
}

static int
verify(const struct call *call)
{
    int code = EX_OK;
    struct slice bad;

    for (size_t i = 0; i < call->options.recipient_count; i++) {
        struct outgoing one;
        outgoing_init(&one, 0);
        if (!outgoing_add(&one, slice_of_string(call->options.recipients[i]), call->origin, &bad))
            code = say_error(EX_NOUSER, "sendmail: '%.*s' is no address", (int)bad.len,
                             (const char *)bad.at);
        for (size_t k = 0; k < one.count; k++)
            printf("%.*s\n", (int)one.recipients[k].len, (const char *)one.recipients[k].at);
        outgoing_finish(&one);
    }
    return code;
}

static int
run(struct call *call)
{
    switch (call->options.mode) {
    case SENDMAIL_SEND:
        return send_message(call);
    case SENDMAIL_SESSION:
        return hold_session(call);
    case SENDMAIL_VERIFY:
        return verify(call);
    case SENDMAIL_QUEUE:
        return queue_client_mailq(&call->settings);
    case SENDMAIL_RETRY:
        return queue_client_retry(&call->settings);
    case SENDMAIL_HELP: /* never comes here */
    case SENDMAIL_ALIASES:
        break;
    }
    return aliases_build(&call->settings, NULL);
}

/* The words of the manual page that people ask for most. */
static int
help(void)
{
    static const char text[] =
        "usage: sendmail [-i] [-t] [-f SENDER] [-F NAME] [-v] [ADDRESS...]   hand in mail\n"
        "       sendmail -bs      speak SMTP on standard input and output\n"
        "       sendmail -bv ADDRESS...      look whether these are addresses\n"
        "       sendmail -bp, mailq          show what waits: facteur queue list\n"
        "       sendmail -q       try it now: facteur queue retry --all\n"
        "       sendmail -bi, newaliases     make /etc/aliases known: facteur alias build\n"
        "\n"
        "The message is read from standard input, with -i beyond a line that is a dot.\n"
        "With -t its To:, Cc: and Bcc: say who gets it. man sendmail tells the rest.\n";

    return files_write(STDOUT_FILENO, slice_of_string(text)) ? EX_OK : say_output_failed();
}

int
sendmail_main(int count, char **words)
{
    struct call call = {0};
    const char *environment = getenv("FACTEUR_CONFIG");
    int code = sendmail_options_read(count, words, &call.options);

    if (code != EX_OK)
        return code;
    if (call.options.mode == SENDMAIL_HELP)
        return help();
    const char *path = call.options.config ? call.options.config
                       : environment       ? environment
                                           : SETTINGS_PATH;
    arena_init(&call.arena, CONFIG_ARENA_MAX);
    code = settings_load_path(path, false, &call.settings);
    if (code == EX_OK) {
        call.origin = settings_origin(&call.settings);
        code = find_sender(&call);
    }
    if (code == EX_OK)
        code = run(&call);
    settings_finish(&call.settings);
    arena_finish(&call.arena);
    return code;
}
