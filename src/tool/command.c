/* SPDX-License-Identifier: ISC */
#include "tool/command.h"

#include "config/nearest.h"
#include "tool/say.h"
#include "tool/settings.h"

#include <stdlib.h>
#include <string.h>

/* In the order of the manual. */
static const struct command *const commands[] = {
    &command_serve,
    &command_demo,
    &command_status,
    &command_reload,
    &command_stop,
    &command_check,
    &command_config_check,
    &command_config_show,
    &command_domain_add,
    &command_domain_remove,
    &command_domain_list,
    &command_domain_records,
    &command_domain_sts,
    &command_domain_autoconfig,
    &command_user_add,
    &command_user_passwd,
    &command_user_set,
    &command_user_remove,
    &command_user_list,
    &command_alias_add,
    &command_alias_remove,
    &command_alias_list,
    &command_alias_build,
    &command_mailbox_list,
    &command_mailbox_show,
    &command_queue_list,
    &command_queue_show,
    &command_queue_hold,
    &command_queue_release,
    &command_queue_retry,
    &command_queue_delete,
    &command_queue_bounce,
    &command_trace,
    &command_tlsrpt,
    &command_dkim_generate,
    &command_dkim_show,
    &command_import,
    &command_migrate,
    &command_export,
    &command_itinerary,
    &command_route,
    &command_relay_add,
    &command_relay_remove,
    &command_relay_list,
    &command_relay_export,
    &command_relay_import,
    &command_lab_start,
    &command_lab_send,
    &command_lab_stop,
    &command_lab_status,
    &command_mime_tree,
    &command_mime_part,
    &command_mime_check,
    &command_mime_build,
    &command_mime_split,
    &command_mime_join,
    &command_completion,
    &command_help,
    &command_version,
    &command_man,
    /* A person's own mail. */
    &command_account_add,
    &command_account_list,
    &command_account_remove,
    &command_account_test,
    &command_certificate_add,
    &command_certificate_list,
    &command_mail,
    &command_send,
    &command_reply,
    &command_forward,
    &command_bounce,
    &command_receipt,
    &command_accept,
    &command_decline,
    &command_fetch,
    &command_sync,
    &command_folders,
    &command_list,
    &command_thread,
    &command_search,
    &command_show,
    &command_save,
    &command_move,
    &command_flag,
    &command_delete,
};

const struct command *
command_next(const struct command *command)
{
    size_t next = 0;

    while (command && next < COUNT_OF(commands) && commands[next++] != command) {
    }
    return next < COUNT_OF(commands) ? commands[next] : NULL;
}

const struct command *
command_find(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (slice_equal(slice_of_string(commands[i]->name), name))
            return commands[i];
    }
    return NULL;
}

static size_t
option_index(const struct command *command, struct slice name)
{
    size_t i = 0;

    while (i < COMMAND_OPTIONS_MAX && command->options[i].name &&
           !slice_equal(slice_of_string(command->options[i].name), name))
        i++;
    return i < COMMAND_OPTIONS_MAX && command->options[i].name ? i : COMMAND_OPTIONS_MAX;
}

const char *
command_value(const struct command_call *call, const char *option)
{
    size_t index = option_index(call->command, slice_of_string(option));

    assert(index < COMMAND_OPTIONS_MAX);
    return call->values[index];
}

int
settings_load(const struct command_call *call, struct settings *ret_settings)
{
    const char *path = command_value(call, "config");

    path = path ? path : getenv("FACTEUR_CONFIG");
    return settings_load_path(path && path[0] ? path : SETTINGS_PATH, true, ret_settings);
}

const char *
command_next_value(const struct command_call *call, const char *option, size_t *place)
{
    size_t index = option_index(call->command, slice_of_string(option));

    assert(index < COMMAND_OPTIONS_MAX);
    while (*place < call->given_count) {
        const struct command_given *given = &call->given[(*place)++];
        if (given->option == index)
            return given->value;
    }
    return NULL;
}

bool
command_has(const struct command_call *call, const char *option)
{
    return command_value(call, option) != NULL;
}

/* ---- help ---------------------------------------------------------------------------------- */

static void
put_spaces(struct buffer *out, size_t count)
{
    while (count-- > 0)
        buffer_put_byte(out, ' ');
}

/* Words behind each other up to 78 columns, each line behind `indent` spaces. */
static void
put_wrapped(struct buffer *out, struct slice text, size_t indent, size_t column)
{
    enum { COLUMNS = 78 };

    while (text.len > 0) {
        struct slice word = slice_first(text, slice_find_byte(text, ' '));
        if (column > indent && column + 1 + word.len > COLUMNS) {
            buffer_put_byte(out, '\n');
            column = 0;
        }
        if (column < indent) {
            put_spaces(out, indent - column);
            column = indent;
        } else if (column > indent) {
            buffer_put_byte(out, ' ');
            column++;
        }
        buffer_put(out, word);
        column += word.len;
        text = slice_skip(text, word.len + 1);
    }
    buffer_put_byte(out, '\n');
}

static void
put_summary(const struct command *command, struct buffer *out)
{
    enum { NAME_WIDTH = 18 };
    size_t len = strlen(command->name);

    put_spaces(out, 2);
    buffer_put_text(out, command->name);
    put_spaces(out, len < NAME_WIDTH ? NAME_WIDTH - len : 1);
    buffer_put_text(out, command->summary);
    buffer_put_byte(out, '\n');
}

void
command_put_overview(struct buffer *out)
{
    buffer_put_text(out, "facteur: a complete mail system in one program\n\n"
                         "usage: facteur COMMAND [OPTIONS] [ARGUMENTS]\n\n");
    for (const struct command *c = NULL; (c = command_next(c));) {
        if (!c->is_hidden)
            put_summary(c, out);
    }
    buffer_put_text(out, "\n`facteur COMMAND --help` tells more. Begin with: facteur demo\n");
}

/* The command that stands behind `command` among those that begin with this word: `user`. */
static const struct command *
next_of_group(const char *word, const struct command *command)
{
    struct slice group = slice_of_string(word);

    while ((command = command_next(command))) {
        struct slice name = slice_of_string(command->name);
        if (!command->is_hidden && slice_starts_with(name, group) && name.len > group.len &&
            name.at[group.len] == ' ')
            return command;
    }
    return NULL;
}

static void
put_group_overview(const char *word, struct buffer *out)
{
    buffer_put_text(out, "usage: facteur ");
    buffer_put_text(out, word);
    buffer_put_text(out, " COMMAND [OPTIONS] [ARGUMENTS]\n\n");
    for (const struct command *c = NULL; (c = next_of_group(word, c));)
        put_summary(c, out);
    buffer_put_text(out, "\n`facteur ");
    buffer_put_text(out, word);
    buffer_put_text(out, " COMMAND --help` tells more.\n");
}

static void
put_options(const struct command *command, struct buffer *out)
{
    enum { INDENT = 24 };

    for (size_t i = 0; i < COMMAND_OPTIONS_MAX && command->options[i].name; i++) {
        const struct command_option *option = &command->options[i];
        if (i == 0)
            buffer_put_text(out, "\noptions:\n");
        size_t start = buffer_len(out);
        buffer_put_text(out, "  --");
        buffer_put_text(out, option->name);
        if (option->letter) {
            buffer_put_text(out, ", -");
            buffer_put_byte(out, (uint8_t)option->letter);
        }
        if (option->value) {
            buffer_put_byte(out, ' ');
            buffer_put_text(out, option->value);
        }
        if (buffer_len(out) - start >= INDENT) {
            buffer_put_byte(out, '\n');
            start = buffer_len(out);
        }
        put_wrapped(out, slice_of_string(option->meaning), INDENT, buffer_len(out) - start);
    }
}

void
command_put_help(const struct command *command, struct buffer *out)
{
    struct slice rest = slice_of_string(command->about);

    buffer_put_text(out, "usage: facteur ");
    buffer_put_text(out, command->name);
    buffer_put_text(out, command->options[0].name ? " [OPTIONS]" : "");
    buffer_put_text(out, command->arguments[0] ? " " : "");
    buffer_put_text(out, command->arguments);
    buffer_put_text(out, "\n\n");
    while (rest.len > 0) {
        size_t end = slice_find(rest, SLICE("\n\n"));
        put_wrapped(out, slice_first(rest, end), 0, 0);
        rest = slice_skip(rest, end + 2);
        if (rest.len > 0)
            buffer_put_byte(out, '\n');
    }
    put_options(command, out);
    if (command->examples)
        buffer_put_text(out, "\nexamples:\n");
    for (rest = slice_of_string(command->examples ? command->examples : ""); rest.len > 0;) {
        size_t end = slice_find_byte(rest, '\n');
        put_spaces(out, 2);
        buffer_put(out, slice_first(rest, end));
        buffer_put_byte(out, '\n');
        rest = slice_skip(rest, end + 1);
    }
}

static int
print(struct buffer *text)
{
    size_t written = fwrite(buffer_slice(text).at, 1, buffer_len(text), stdout);
    bool is_whole = written == buffer_len(text) && fflush(stdout) == 0;

    buffer_finish(text);
    return is_whole ? EX_OK : say_output_failed();
}

enum { HELP_MAX = 1 << 20 };

static int
print_help(const struct command *command)
{
    struct buffer text;

    buffer_init(&text, HELP_MAX);
    if (command)
        command_put_help(command, &text);
    else
        command_put_overview(&text);
    return print(&text);
}

static int
print_group_help(const char *word)
{
    struct buffer text;

    buffer_init(&text, HELP_MAX);
    put_group_overview(word, &text);
    return print(&text);
}

/* ---- arguments ----------------------------------------------------------------------------- */

/* The nearest of the subcommands to what was typed; NULL when none is near. */
static const char *
nearest_command(struct slice typed)
{
    const char *nearest = NULL;
    size_t best = NEAREST_WORD_MAX;

    for (const struct command *c = NULL; (c = command_next(c));) {
        size_t distance = nearest_distance(slice_of_string(c->name), typed);
        if (!c->is_hidden && distance < best) {
            best = distance;
            nearest = c->name;
        }
    }
    return nearest_is_slip(best, typed.len) ? nearest : NULL;
}

static const char *
nearest_option(const struct command *command, struct slice typed)
{
    const char *nearest = NULL;
    size_t best = NEAREST_WORD_MAX;

    for (size_t i = 0; i < COMMAND_OPTIONS_MAX && command->options[i].name; i++) {
        size_t distance = nearest_distance(slice_of_string(command->options[i].name), typed);
        if (distance < best) {
            best = distance;
            nearest = command->options[i].name;
        }
    }
    return nearest_is_slip(best, typed.len) ? nearest : NULL;
}

/* Commands have one word or two: `user add` before `user`. */
static const struct command *
find_command(int count, char **words, int *ret_used)
{
    const struct command *command = NULL;
    struct buffer name;

    buffer_init(&name, NEAREST_WORD_MAX);
    buffer_put_text(&name, words[0]);
    *ret_used = 1;
    if (count > 1 && words[1][0] != '-') {
        buffer_put_byte(&name, ' ');
        buffer_put_text(&name, words[1]);
        command = command_find(buffer_slice(&name));
        *ret_used = command ? 2 : 1;
    }
    if (!command)
        command = command_find(slice_of_string(words[0]));
    buffer_finish(&name);
    return command;
}

static bool
is_group(const char *word)
{
    return next_of_group(word, NULL) != NULL;
}

static bool
asks_for_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* `facteur user`: what there is behind this word. */
static int
say_group(const char *word)
{
    struct buffer names;

    buffer_init(&names, HELP_MAX);
    for (const struct command *c = NULL; (c = next_of_group(word, c));) {
        buffer_put_text(&names, buffer_len(&names) > 0 ? ", " : "");
        buffer_put_text(&names, c->name);
    }
    buffer_put_byte(&names, '\0');
    say_error(EX_USAGE, "%s what? There are: %s", word, (const char *)buffer_slice(&names).at);
    buffer_finish(&names);
    return EX_USAGE;
}

static int
say_unknown(int count, char **words)
{
    struct buffer text;
    const char *nearest;

    if (is_group(words[0]))
        return say_group(words[0]);
    buffer_init(&text, HELP_MAX);
    buffer_put_text(&text, words[0]);
    if (count > 1 && words[1][0] != '-') {
        buffer_put_byte(&text, ' ');
        buffer_put_text(&text, words[1]);
    }
    nearest = nearest_command(buffer_slice(&text));
    nearest = nearest ? nearest : nearest_command(slice_of_string(words[0]));
    buffer_finish(&text);
    if (nearest)
        return say_error(EX_USAGE, "there is no command '%s'; did you mean 'facteur %s'?", words[0],
                         nearest);
    return say_error(EX_USAGE, "there is no command '%s'; 'facteur help' lists all", words[0]);
}

static int
say_unknown_option(const struct command *command, struct slice typed)
{
    const char *nearest = nearest_option(command, typed);

    if (nearest)
        return say_error(EX_USAGE, "%s: there is no option --%.*s; did you mean --%s?",
                         command->name, (int)typed.len, (const char *)typed.at, nearest);
    return say_error(EX_USAGE, "%s: there is no option --%.*s; see 'facteur %s --help'",
                     command->name, (int)typed.len, (const char *)typed.at, command->name);
}

/* The index of the option that a word names, "--subject", "--subject=TEXT" or "-s"; *ret_value is
 * what stands behind "=", or NULL. */
static size_t
find_option(const struct command *command, const char *word, const char **ret_value)
{
    struct slice typed = slice_of_string(word);
    size_t equals = slice_find_byte(typed, '=');
    size_t index = 0;

    *ret_value = NULL;
    if (word[1] == '-') {
        *ret_value = equals < typed.len ? word + equals + 1 : NULL;
        return option_index(command, slice_between(typed, 2, equals));
    }
    while (index < COMMAND_OPTIONS_MAX && command->options[index].name &&
           (command->options[index].letter != word[1] || word[2] != '\0'))
        index++;
    return index < COMMAND_OPTIONS_MAX && command->options[index].name ? index
                                                                       : COMMAND_OPTIONS_MAX;
}

/* Takes the option at words[*at] into the call; moves *at behind what it used. */
static int
take_option(struct command_call *call, int count, char **words, int *at)
{
    const char *value;
    size_t index = find_option(call->command, words[*at], &value);
    const struct command_option *option = &call->command->options[index];

    if (index == COMMAND_OPTIONS_MAX && words[*at][1] == '-')
        return say_unknown_option(call->command, slice_first(slice_of_string(words[*at] + 2),
                                                             strcspn(words[*at] + 2, "=")));
    if (index == COMMAND_OPTIONS_MAX)
        return say_error(EX_USAGE,
                         "%s: there is no option %s; options begin with two dashes, see 'facteur "
                         "%s --help'",
                         call->command->name, words[*at], call->command->name);
    if (call->values[index] && !option->is_repeatable)
        return say_error(EX_USAGE, "%s: --%s was given twice; give it once", call->command->name,
                         option->name);
    (*at)++;
    if (!option->value && value)
        return say_error(EX_USAGE, "%s: --%s takes no value; write --%s alone", call->command->name,
                         option->name, option->name);
    if (option->value && !value && *at == count)
        return say_error(EX_USAGE, "%s: --%s needs a value: --%s %s", call->command->name,
                         option->name, option->name, option->value);
    if (!option->value)
        value = "";
    else if (!value)
        value = words[(*at)++];
    call->given[call->given_count++] = (struct command_given){.option = index, .value = value};
    if (!call->values[index])
        call->values[index] = value;
    return EX_OK;
}

static int
run_call(struct command_call *call, int count, char **words)
{
    const struct command *command = call->command;
    bool is_behind = false; /* of "--" */
    int code = EX_OK;

    for (int at = 0; at < count && code == EX_OK;) {
        bool is_option = !is_behind && words[at][0] == '-' && words[at][1] != '\0';
        if (is_option && asks_for_help(words[at]))
            return print_help(command);
        if (!is_option) {
            words[call->count++] = words[at++];
        } else if (strcmp(words[at], "--") == 0) {
            is_behind = true;
            at++;
        } else {
            code = take_option(call, count, words, &at);
        }
    }
    if (code != EX_OK)
        return code;
    if (call->count < command->arguments_min || call->count > command->arguments_max)
        return say_error(EX_USAGE, "%s: wrong number of arguments; the form is: facteur %s%s%s",
                         command->name, command->name, command->arguments[0] ? " " : "",
                         command->arguments);
    return command->run(call);
}

static int
run_command(const struct command *command, int count, char **words)
{
    struct command_given *given = calloc((size_t)count + 1, sizeof(*given));
    struct command_call call = {.command = command, .arguments = words, .given = given};

    if (!given)
        abort();
    int code = run_call(&call, count, words);
    free(given);
    return code;
}

int
command_main(int count, char **words)
{
    int used;

    if (count == 0) {
        print_help(NULL);
        return EX_USAGE;
    }
    if (asks_for_help(words[0]))
        return print_help(NULL);
    if (count == 2 && asks_for_help(words[1]) && is_group(words[0]))
        return print_group_help(words[0]);
    if (strcmp(words[0], "--version") == 0)
        return command_version.run(NULL);
    const struct command *command = find_command(count, words, &used);
    return command ? run_command(command, count - used, words + used) : say_unknown(count, words);
}

/* ---- help and version ---------------------------------------------------------------------- */

static int
run_help(const struct command_call *call)
{
    int used;

    if (call->count == 0)
        return print_help(NULL);
    const struct command *command = find_command((int)call->count, call->arguments, &used);
    if (!command && call->count == 1 && is_group(call->arguments[0]))
        return print_group_help(call->arguments[0]);
    return command ? print_help(command) : say_unknown((int)call->count, call->arguments);
}

const struct command command_help = {
    .name = "help",
    .arguments = "[COMMAND]",
    .summary = "Tell what the commands do",
    .about = "Lists all commands, or tells one command's form, options and examples.",
    .arguments_max = 2,
    .run = run_help,
};

static int
run_version(const struct command_call *call)
{
    (void)call;
    printf("facteur %s\n", FACTEUR_VERSION);
    return fflush(stdout) == 0 ? EX_OK : say_output_failed();
}

const struct command command_version = {
    .name = "version",
    .arguments = "",
    .summary = "Print the version",
    .about = "Prints name and version of the program.",
    .run = run_version,
};
