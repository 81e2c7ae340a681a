/* SPDX-License-Identifier: ISC */
#include "delivery/program.h"

#include "delivery/mbox.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

/* ---- words --------------------------------------------------------------------------------- */

static const char needs_shell[] = ";&|<>$`(){}[]*?~#!\n\r";

struct words {
    struct slice rest;
    bool refuses_shell;
    const char *problem;
};

/* Copies one octet of a word; false at the word's end. */
static bool
take_octet(struct words *words, char *quote, struct buffer *word)
{
    struct slice *rest = &words->rest;
    char c = (char)rest->at[0];

    if (*quote == 0 && (c == ' ' || c == '\t'))
        return false;
    *rest = slice_skip(*rest, 1);
    if (c == 0) {
        words->problem = "expected text without NUL";
    } else if (c == *quote) {
        *quote = 0;
    } else if (*quote == 0 && (c == '\'' || c == '"')) {
        *quote = c;
    } else if (c == '\\' && *quote != '\'' && rest->len > 0) {
        buffer_put_byte(word, rest->at[0]);
        *rest = slice_skip(*rest, 1);
    } else if (words->refuses_shell && *quote != '\'' && strchr(needs_shell, c)) {
        words->problem = "expected a program and its arguments: no shell is there for more";
    } else {
        buffer_put_byte(word, (uint8_t)c);
    }
    return !words->problem;
}

/* False at the end of the line, and on a problem. */
static bool
take_word(struct words *words, struct arena *arena, struct slice *ret_word)
{
    struct buffer word;
    char quote = 0;

    words->rest = slice_trim(words->rest);
    if (words->rest.len == 0)
        return false;
    buffer_init(&word, PROGRAM_COMMAND_MAX);
    while (words->rest.len > 0 && take_octet(words, &quote, &word)) {
    }
    if (!words->problem && quote)
        words->problem = "expected a closing quote";
    if (!words->problem && buffer_overflowed(&word))
        words->problem = "expected a shorter line";
    *ret_word = arena_copy(arena, buffer_slice(&word));
    buffer_finish(&word);
    return !words->problem;
}

static const char *
take_vector(struct words *words, struct arena *arena, struct program *program)
{
    struct slice word;

    while (take_word(words, arena, &word)) {
        if (program->count == PROGRAM_WORDS_MAX)
            return "expected fewer arguments";
        program->words[program->count++] = word;
    }
    if (words->problem)
        return words->problem;
    if (program->count == 0 || program->words[0].len < 2 || program->words[0].at[0] != '/')
        return "expected the absolute path of a program";
    return arena_failed(arena) ? "expected a shorter line" : NULL;
}

static bool
is_name(struct slice word)
{
    for (size_t i = 0; i < word.len; i++) {
        uint8_t c = word.at[i];
        if (!byte_is_alpha(c) && !byte_is_digit(c) && c != '-' && c != '_' && c != '.')
            return false;
    }
    return word.len > 0 && word.len <= PROGRAM_NAME_MAX;
}

const char *
program_parse(struct slice text, struct arena *arena, struct program *ret_program)
{
    struct words words = {.rest = text};
    struct program program = {.name = SLICE(""), .user = SLICE("")};

    if (text.len > PROGRAM_COMMAND_MAX)
        return "expected a shorter line";
    if (!take_word(&words, arena, &program.name) || !is_name(program.name))
        return words.problem ? words.problem
                             : "expected a name of letters, digits, -, _ and . first: \"NAME USER "
                               "PATH ARGUMENT…\"";
    if (!take_word(&words, arena, &program.user) || !is_name(program.user))
        return words.problem ? words.problem : "expected the name of a user behind the name";
    const char *problem = take_vector(&words, arena, &program);
    if (!problem)
        *ret_program = program;
    return problem;
}

const char *
program_parse_command(struct slice text, struct arena *arena, struct program *ret_program)
{
    struct words words = {.rest = text, .refuses_shell = true};
    struct program program = {.name = SLICE(""), .user = SLICE("")};

    if (text.len > PROGRAM_COMMAND_MAX)
        return "expected a shorter line";
    const char *problem = take_vector(&words, arena, &program);
    if (!problem)
        *ret_program = program;
    return problem;
}

/* ---- arguments ----------------------------------------------------------------------------- */

static const char no_memory[] = "the arguments need too much memory";

/* Puts what the placeholder at the beginning of `rest` stands for and passes over it. */
static void
put_placeholder(struct buffer *out, const struct program_facts *facts, struct slice *rest)
{
    const struct {
        const char *name;
        struct slice value;
    } known[] = {{"sender", facts->sender}, {"recipient", facts->recipient},
                 {"local", facts->local},   {"detail", facts->detail},
                 {"domain", facts->domain}, {"queue_id", facts->queue_id}};
    struct slice after = slice_skip(*rest, 1);
    bool is_braced = after.len > 0 && after.at[0] == '{';
    size_t len = 0;

    after = slice_skip(after, is_braced);
    while (len < after.len && (byte_is_alpha(after.at[len]) || after.at[len] == '_'))
        len++;
    struct slice name = slice_first(after, len);
    bool is_closed = !is_braced || (len < after.len && after.at[len] == '}');
    size_t used = 1 + is_braced + len + (is_braced && is_closed);

    if (!is_braced && len == 0 && after.len > 0 && after.at[0] == '$') {
        buffer_put_byte(out, '$');
        *rest = slice_skip(*rest, 2);
        return;
    }
    for (size_t i = 0; is_closed && i < COUNT_OF(known); i++) {
        if (slice_equal(name, slice_of_string(known[i].name))) {
            buffer_put(out, known[i].value);
            *rest = slice_skip(*rest, used);
            return;
        }
    }
    if (is_closed && slice_equal(name, SLICE("size"))) {
        buffer_put_decimal(out, facts->size);
        *rest = slice_skip(*rest, used);
        return;
    }
    buffer_put_byte(out, '$');
    *rest = slice_skip(*rest, 1);
}

static const char *
expand_word(struct slice word, const struct program_facts *facts, struct arena *arena,
            const char **ret_argument)
{
    struct buffer out;
    struct slice rest = word;
    const char *problem = NULL;

    buffer_init(&out, PROGRAM_ARGUMENT_MAX);
    while (rest.len > 0) {
        if (rest.at[0] == '$') {
            put_placeholder(&out, facts, &rest);
        } else {
            buffer_put_byte(&out, rest.at[0]);
            rest = slice_skip(rest, 1);
        }
    }
    struct slice made = buffer_slice(&out);
    if (buffer_overflowed(&out))
        problem = "an address is too long for the program";
    else if (slice_find_byte(made, 0) < made.len)
        problem = "an address has an octet that no argument can have";
    else if (made.len > 0 && made.at[0] == '-' && word.at[0] != '-')
        problem = "an address begins with a hyphen, and the program would take it for an option";
    else if (!(*ret_argument = arena_copy_string(arena, made)))
        problem = no_memory;
    buffer_finish(&out);
    return problem;
}

const char *
program_expand(const struct program *program, const struct program_facts *facts,
               struct arena *arena, const char *const **ret_arguments)
{
    const char **arguments = ARENA_ARRAY(arena, const char *, program->count + 1);
    const char *problem = arguments ? NULL : no_memory;

    for (size_t i = 0; i < program->count && !problem; i++) {
        /* Where it lies is the operator's word, whatever an address says; commands have no
         * placeholders, which a shell would have put in. */
        bool is_fixed = i == 0 || program->name.len == 0;
        if (!is_fixed)
            problem = expand_word(program->words[i], facts, arena, &arguments[i]);
        else if (!(arguments[i] = arena_copy_string(arena, program->words[i])))
            problem = no_memory;
    }
    if (!problem)
        *ret_arguments = arguments;
    return problem;
}

static const char *
make_variable(const char *name, struct slice value, struct arena *arena)
{
    static const char safe[] = "@%+=:,./-_";
    struct buffer out;

    buffer_init(&out, PROGRAM_ARGUMENT_MAX);
    buffer_put_text(&out, name);
    buffer_put_byte(&out, '=');
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.at[i];
        bool is_safe = byte_is_alpha(c) || byte_is_digit(c) || c >= 0x80 ||
                       (c != 0 && strchr(safe, c) != NULL);
        buffer_put_byte(&out, is_safe ? c : '_');
    }
    const char *made = arena_copy_string(arena, buffer_slice(&out));
    buffer_finish(&out);
    return made;
}

const char *const *
program_variables(const struct program_facts *facts, struct arena *arena)
{
    static const char *const nothing[] = {NULL};
    const struct {
        const char *name;
        struct slice value;
    } all[] = {{"SENDER", facts->sender}, {"RECIPIENT", facts->recipient},
               {"LOCAL", facts->local},   {"DETAIL", facts->detail},
               {"DOMAIN", facts->domain}, {"QUEUE_ID", facts->queue_id}};
    const char **made = ARENA_ARRAY(arena, const char *, COUNT_OF(all) + 1);

    if (!made)
        return nothing;
    for (size_t i = 0; i < COUNT_OF(all); i++)
        made[i] = make_variable(all[i].name, all[i].value, arena);
    return made;
}

/* ---- the message --------------------------------------------------------------------------- */

/* An address in a field that ends with its line, whatever the address says. */
static void
put_field(struct buffer *out, const char *name, const char *before, struct slice address,
          const char *after)
{
    buffer_put_text(out, name);
    buffer_put_text(out, before);
    for (size_t i = 0; i < address.len; i++)
        buffer_put_byte(out, address.at[i] < ' ' || address.at[i] == 0x7F ? '_' : address.at[i]);
    buffer_put_text(out, after);
}

void
program_put_message(struct buffer *out, bool is_command, struct wall received,
                    const struct program_facts *facts, struct slice message)
{
    if (is_command)
        mbox_put_from_line(out, facts->sender, received);
    put_field(out, "Return-Path: ", "<", facts->sender, ">\n");
    put_field(out, "Delivered-To: ", "", facts->recipient, "\n");
    while (message.len > 0) {
        size_t end = slice_find(message, SLICE("\r\n"));
        buffer_put(out, slice_first(message, end));
        if (end < message.len)
            buffer_put_byte(out, '\n');
        message = slice_skip(message, end + 2);
    }
}

/* ---- its end ------------------------------------------------------------------------------- */

static const struct ending {
    int code;
    enum program_outcome outcome;
    struct envelope_status status;
    const char *text;
} endings[] = {
    {EX_OK, PROGRAM_DELIVERED, {2, 0, 0}, "the program has taken it"},
    {EX_USAGE, PROGRAM_PERMANENT, {5, 3, 5}, "the program was called wrongly"},
    {EX_DATAERR, PROGRAM_PERMANENT, {5, 6, 0}, "the program cannot use the message"},
    {EX_NOINPUT, PROGRAM_PERMANENT, {5, 3, 0}, "the program misses a file"},
    {EX_NOUSER, PROGRAM_PERMANENT, {5, 1, 1}, "the program knows no such recipient"},
    {EX_NOHOST, PROGRAM_PERMANENT, {5, 1, 2}, "the program knows no such host"},
    {EX_UNAVAILABLE, PROGRAM_PERMANENT, {5, 3, 0}, "the program does not serve"},
    {EX_SOFTWARE, PROGRAM_PERMANENT, {5, 3, 0}, "the program has an error"},
    {EX_OSERR, PROGRAM_TEMPORARY, {4, 3, 0}, "the program met an error of the system"},
    {EX_OSFILE, PROGRAM_TEMPORARY, {4, 3, 5}, "the program misses a file of the system"},
    {EX_CANTCREAT, PROGRAM_PERMANENT, {5, 2, 0}, "the program cannot make its output"},
    {EX_IOERR, PROGRAM_TEMPORARY, {4, 3, 0}, "the program could not read or write"},
    {EX_TEMPFAIL, PROGRAM_TEMPORARY, {4, 3, 0}, "the program asks to try again later"},
    {EX_PROTOCOL, PROGRAM_PERMANENT, {5, 5, 0}, "the program met an error of protocol"},
    {EX_NOPERM, PROGRAM_PERMANENT, {5, 7, 0}, "the program does not permit it"},
    {EX_CONFIG, PROGRAM_TEMPORARY, {4, 3, 5}, "the program is not configured rightly"},
};

static void
set_text(struct program_verdict *verdict, const char *words, int number)
{
    int len = number ? snprintf(verdict->text, sizeof(verdict->text), "%s %d", words, number)
                     : snprintf(verdict->text, sizeof(verdict->text), "%s", words);

    verdict->text_len = len > 0 ? (size_t)len : 0;
}

/* The first line that says something, behind ": ", with nothing in it that would not print. */
static void
add_output(struct program_verdict *verdict, struct slice line)
{
    size_t room = sizeof(verdict->text) - verdict->text_len;

    if (line.len == 0 || room < 3)
        return;
    verdict->text[verdict->text_len++] = ':';
    verdict->text[verdict->text_len++] = ' ';
    line = slice_first(line, room - 2);
    for (size_t i = 0; i < line.len; i++) {
        bool is_shown = line.at[i] >= ' ' && line.at[i] < 0x7F;
        verdict->text[verdict->text_len++] = (char)(is_shown ? line.at[i] : '?');
    }
}

static void
take_status(struct program_verdict *verdict, struct slice *line)
{
    struct cursor cursor = cursor_of(*line);
    struct envelope_status status;

    if (!envelope_status_take(&cursor, &status) || status.class == 2 ||
        (!cursor_is_done(&cursor) && cursor_peek(&cursor) != ' '))
        return;
    verdict->status = status;
    verdict->outcome = status.class == 4 ? PROGRAM_TEMPORARY : PROGRAM_PERMANENT;
    *line = slice_trim(cursor_rest(&cursor));
}

void
program_judge(int status, struct slice output, struct program_verdict *ret_verdict)
{
    struct program_verdict verdict = {.outcome = PROGRAM_PERMANENT,
                                      .status = ENVELOPE_STATUS(5, 3, 0)};
    struct slice line = SLICE("");
    bool is_known = false;

    while (output.len > 0 && line.len == 0) {
        size_t end = slice_find_byte(output, '\n');
        line = slice_trim(slice_first(output, end));
        output = slice_skip(output, end + 1);
    }
    for (size_t i = 0; i < COUNT_OF(endings) && !is_known; i++) {
        is_known = endings[i].code == status;
        if (is_known) {
            verdict.outcome = endings[i].outcome;
            verdict.status = endings[i].status;
            set_text(&verdict, endings[i].text, 0);
        }
    }
    if (status < 0) {
        verdict.outcome = PROGRAM_TEMPORARY;
        verdict.status = ENVELOPE_STATUS(4, 3, 0);
        set_text(&verdict, "the program was ended by signal", -status);
    } else if (!is_known) {
        set_text(&verdict, "the program ended with code", status);
    }
    if (status > 0)
        take_status(&verdict, &line);
    add_output(&verdict, line);
    *ret_verdict = verdict;
}
