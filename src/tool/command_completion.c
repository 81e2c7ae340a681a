/* SPDX-License-Identifier: ISC */
/* facteur completion: scripts for shells, made from the table of commands. */
#include "tool/command.h"
#include "tool/say.h"

enum { SCRIPT_MAX = 1 << 20 };

/* The first word of a name, and the second or nothing. */
static struct slice
first_word(const struct command *command)
{
    struct slice name = slice_of_string(command->name);

    return slice_first(name, slice_find_byte(name, ' '));
}

static struct slice
second_word(const struct command *command)
{
    struct slice name = slice_of_string(command->name);

    return slice_skip(name, slice_find_byte(name, ' ') + 1);
}

/* Commands of a group stand together in the table: only the first of each puts the group's word. */
static bool
is_first_of_group(const struct command *command)
{
    for (const struct command *c = NULL; (c = command_next(c)) && c != command;) {
        if (slice_equal(first_word(c), first_word(command)))
            return false;
    }
    return true;
}

static void
put_words(struct buffer *out)
{
    for (const struct command *c = NULL; (c = command_next(c));) {
        if (c->is_hidden || !is_first_of_group(c))
            continue;
        buffer_put(out, first_word(c));
        buffer_put_byte(out, ' ');
    }
}

static void
put_options(const struct command *command, struct buffer *out)
{
    for (size_t i = 0; i < COMMAND_OPTIONS_MAX && command->options[i].name; i++) {
        buffer_put_text(out, "--");
        buffer_put_text(out, command->options[i].name);
        buffer_put_byte(out, ' ');
    }
    buffer_put_text(out, "--help");
}

/* ---- bash (and zsh, which reads such scripts through bashcompinit) --------------------------- */

static void
put_second_words(struct buffer *out)
{
    for (const struct command *group = NULL; (group = command_next(group));) {
        if (group->is_hidden || !is_first_of_group(group) || second_word(group).len == 0)
            continue;
        buffer_put_text(out, "        ");
        buffer_put(out, first_word(group));
        buffer_put_text(out, ") words=\"");
        for (const struct command *c = NULL; (c = command_next(c));) {
            if (!slice_equal(first_word(c), first_word(group)))
                continue;
            buffer_put(out, second_word(c));
            buffer_put_byte(out, ' ');
        }
        buffer_put_text(out, "\" ;;\n");
    }
}

static void
put_bash_cases(struct buffer *out)
{
    for (const struct command *c = NULL; (c = command_next(c));) {
        if (c->is_hidden)
            continue;
        buffer_put_text(out, "    '");
        buffer_put_text(out, c->name);
        buffer_put_text(out, second_word(c).len > 0 ? "')" : " '*|'");
        if (second_word(c).len == 0) {
            buffer_put_text(out, c->name);
            buffer_put_text(out, "')");
        }
        buffer_put_text(out, " words=\"");
        put_options(c, out);
        buffer_put_text(out, "\" ;;\n");
    }
}

static void
put_bash(struct buffer *out)
{
    buffer_put_text(out, "# Completion of facteur for bash. Made by: facteur completion bash\n"
                         "_facteur() {\n"
                         "    local current=${COMP_WORDS[COMP_CWORD]} words=''\n"
                         "    COMPREPLY=()\n"
                         "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        words=\"");
    put_words(out);
    buffer_put_text(out, "\"\n    elif [ \"$COMP_CWORD\" -eq 2 ] && [ \"${current#-}\" = "
                         "\"$current\" ]; then\n        case ${COMP_WORDS[1]} in\n");
    put_second_words(out);
    buffer_put_text(out, "        esac\n    fi\n"
                         "    if [ \"${current#-}\" != \"$current\" ]; then\n"
                         "    case \"${COMP_WORDS[1]} ${COMP_WORDS[2]}\" in\n");
    put_bash_cases(out);
    buffer_put_text(out, "    esac\n    fi\n"
                         "    if [ -n \"$words\" ]; then\n"
                         "        COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
                         "    else\n"
                         "        COMPREPLY=($(compgen -f -- \"$current\"))\n"
                         "    fi\n}\n"
                         "complete -o filenames -F _facteur facteur\n");
}

static void
put_zsh(struct buffer *out)
{
    buffer_put_text(out, "#compdef facteur\n"
                         "# Completion of facteur for zsh. Made by: facteur completion zsh\n"
                         "autoload -U +X bashcompinit && bashcompinit\n");
    put_bash(out);
}

/* ---- fish ---------------------------------------------------------------------------------- */

/* In single quotes, where only a quote and a backslash mean something. */
static void
put_quoted(struct buffer *out, const char *text)
{
    buffer_put_byte(out, '\'');
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            buffer_put_byte(out, '\\');
        buffer_put_byte(out, (uint8_t)*text);
    }
    buffer_put_byte(out, '\'');
}

static void
put_fish_condition(struct buffer *out, const struct command *command)
{
    buffer_put_text(out, "complete -c facteur -n '__fish_seen_subcommand_from ");
    buffer_put(out, first_word(command));
    if (second_word(command).len > 0) {
        buffer_put_text(out, "; and __fish_seen_subcommand_from ");
        buffer_put(out, second_word(command));
    }
    buffer_put_byte(out, '\'');
}

static void
put_fish_command(struct buffer *out, const struct command *command)
{
    bool is_plain = second_word(command).len == 0;

    if (is_first_of_group(command)) {
        buffer_put_text(out, "complete -c facteur -f -n __fish_use_subcommand -a ");
        buffer_put(out, first_word(command));
        if (is_plain) {
            buffer_put_text(out, " -d ");
            put_quoted(out, command->summary);
        }
        buffer_put_byte(out, '\n');
    }
    if (!is_plain) {
        buffer_put_text(out, "complete -c facteur -f -n '__fish_seen_subcommand_from ");
        buffer_put(out, first_word(command));
        buffer_put_text(out, "' -a ");
        buffer_put(out, second_word(command));
        buffer_put_text(out, " -d ");
        put_quoted(out, command->summary);
        buffer_put_byte(out, '\n');
    }
    for (size_t i = 0; i < COMMAND_OPTIONS_MAX && command->options[i].name; i++) {
        put_fish_condition(out, command);
        buffer_put_text(out, " -l ");
        buffer_put_text(out, command->options[i].name);
        buffer_put_text(out, command->options[i].value ? " -r -d " : " -d ");
        put_quoted(out, command->options[i].meaning);
        buffer_put_byte(out, '\n');
    }
}

static void
put_fish(struct buffer *out)
{
    buffer_put_text(out, "# Completion of facteur for fish. Made by: facteur completion fish\n");
    for (const struct command *c = NULL; (c = command_next(c));) {
        if (!c->is_hidden)
            put_fish_command(out, c);
    }
}

static int
run_completion(const struct command_call *call)
{
    static const struct {
        const char *shell;
        void (*put)(struct buffer *out);
    } shells[] = {{"bash", put_bash}, {"zsh", put_zsh}, {"fish", put_fish}};
    struct buffer script;

    buffer_init(&script, SCRIPT_MAX);
    for (size_t i = 0; i < COUNT_OF(shells); i++) {
        if (strcmp(call->arguments[0], shells[i].shell) == 0)
            shells[i].put(&script);
    }
    if (buffer_len(&script) == 0)
        return say_error(EX_USAGE, "completion: expected bash, zsh or fish, not '%s'",
                         call->arguments[0]);
    size_t written = fwrite(buffer_slice(&script).at, 1, buffer_len(&script), stdout);
    bool is_whole = written == buffer_len(&script) && fflush(stdout) == 0;
    buffer_finish(&script);
    return is_whole ? EX_OK : say_output_failed();
}

const struct command command_completion = {
    .name = "completion",
    .arguments = "SHELL",
    .summary = "Print the completion script for bash, zsh or fish",
    .about = "Prints a script that lets the shell complete commands and options.",
    .examples = ". <(facteur completion bash)\n"
                "facteur completion fish > ~/.config/fish/completions/facteur.fish",
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_completion,
};
