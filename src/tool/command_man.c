/* SPDX-License-Identifier: ISC */
/* facteur man: the manual pages that are made from tables, in roff (man-pages(7) style). Run by the
 * build. */
#include "config/option.h"
#include "text/utf8.h"
#include "tool/command.h"
#include "tool/files.h"
#include "tool/say.h"

#include <stdlib.h>

enum { PAGE_MAX = 1 << 21 };

/* ---- roff ---------------------------------------------------------------------------------- */

/* One character: the minus sign, the backslash and the quote have a name of their own, and what is
 * not ASCII has its number. */
static void
put_character(struct buffer *out, uint32_t c)
{
    char name[16];

    if (c == '\\')
        buffer_put_text(out, "\\e");
    else if (c == '-')
        buffer_put_text(out, "\\-");
    else if (c == '\'')
        buffer_put_text(out, "\\(aq");
    else if (c < 0x80)
        buffer_put_byte(out, (uint8_t)c);
    else if (snprintf(name, sizeof(name), "\\[u%04X]", (unsigned)c) > 0)
        buffer_put_text(out, name);
}

/* Text that means itself: no requests at the start of lines, no escapes, real hyphens. */
static void
put_plain(struct buffer *out, struct slice text)
{
    struct cursor cursor = cursor_of(text);
    uint32_t c, before = '\n';

    while (utf8_take(&cursor, &c)) {
        if (before == '\n' && (c == '.' || c == '\''))
            buffer_put_text(out, "\\&");
        put_character(out, c);
        before = c;
    }
}

static void
put_string(struct buffer *out, const char *text)
{
    put_plain(out, slice_of_string(text));
}

static void
put_bold(struct buffer *out, const char *text)
{
    buffer_put_text(out, "\\fB");
    put_string(out, text);
    buffer_put_text(out, "\\fR");
}

static void
put_italic(struct buffer *out, const char *text)
{
    buffer_put_text(out, "\\fI");
    put_string(out, text);
    buffer_put_text(out, "\\fR");
}

/* Paragraphs are separated by empty lines. */
static void
put_paragraphs(struct buffer *out, const char *text)
{
    for (struct slice rest = slice_of_string(text); rest.len > 0;) {
        size_t end = slice_find(rest, SLICE("\n\n"));
        put_plain(out, slice_first(rest, end));
        rest = slice_skip(rest, end + 2);
        buffer_put_text(out, rest.len > 0 ? "\n.PP\n" : "\n");
    }
}

static void
put_head(struct buffer *out, const char *page, const char *section, const char *about)
{
    buffer_put_text(out, ".\\\" Made by: facteur man; do not edit.\n.TH ");
    buffer_put_text(out, page);
    buffer_put_byte(out, ' ');
    buffer_put_text(out, section);
    buffer_put_text(out, " \"\" \"facteur " FACTEUR_VERSION "\"\n.SH NAME\n");
    put_string(out, page);
    buffer_put_text(out, " \\- ");
    put_string(out, about);
    buffer_put_byte(out, '\n');
}

/* ---- facteur(1) ---------------------------------------------------------------------------- */

/* "facteur send [OPTIONS] [TO...]" */
static void
put_form(struct buffer *out, const struct command *command)
{
    buffer_put_text(out, ".B facteur ");
    put_string(out, command->name);
    buffer_put_text(out, "\n");
    if (command->options[0].name)
        buffer_put_text(out, "[\\fIOPTIONS\\fR]\n");
    if (command->arguments[0]) {
        put_italic(out, command->arguments);
        buffer_put_byte(out, '\n');
    }
}

static void
put_options(struct buffer *out, const struct command *command)
{
    for (size_t i = 0; i < COMMAND_OPTIONS_MAX && command->options[i].name; i++) {
        const struct command_option *option = &command->options[i];
        buffer_put_text(out, ".TP\n\\fB\\-\\-");
        put_string(out, option->name);
        buffer_put_text(out, "\\fR");
        if (option->letter) {
            buffer_put_text(out, ", \\fB\\-");
            buffer_put_byte(out, (uint8_t)option->letter);
            buffer_put_text(out, "\\fR");
        }
        if (option->value) {
            buffer_put_byte(out, ' ');
            put_italic(out, option->value);
        }
        buffer_put_byte(out, '\n');
        put_string(out, option->meaning);
        buffer_put_byte(out, '\n');
    }
}

static void
put_examples(struct buffer *out, const struct command *command)
{
    if (!command->examples)
        return;
    buffer_put_text(out, ".EX\n");
    put_string(out, command->examples);
    buffer_put_text(out, "\n.EE\n");
}

static void
put_command(struct buffer *out, const struct command *command)
{
    buffer_put_text(out, ".SS facteur ");
    put_string(out, command->name);
    buffer_put_byte(out, '\n');
    put_form(out, command);
    buffer_put_text(out, ".PP\n");
    put_paragraphs(out, command->about);
    put_options(out, command);
    if (command->examples)
        buffer_put_text(out, ".PP\n");
    put_examples(out, command);
}

static void
put_exit_codes(struct buffer *out)
{
    static const struct {
        int code;
        const char *meaning;
    } codes[] = {
        {EX_OK, "Done."},
        {EX_USAGE, "Wrong command, option or argument."},
        {EX_DATAERR, "Data is damaged or not what was expected; check has found something."},
        {EX_NOINPUT, "A file that was named is not there."},
        {EX_NOUSER, "There is no such account, alias, domain or mailbox."},
        {EX_UNAVAILABLE, "The server is not running, or went away."},
        {EX_SOFTWARE, "An error in the program itself."},
        {EX_OSERR, "The system could not do it."},
        {EX_CANTCREAT, "What should be made is there already, or there is no space."},
        {EX_IOERR, "Reading or writing failed."},
        {EX_TEMPFAIL, "Not now; try again."},
        {EX_PROTOCOL, "Program and server are of different versions."},
        {EX_NOPERM, "Not permitted; try as root or as the owner."},
        {EX_CONFIG, "The configuration is wrong."},
    };

    buffer_put_text(out, ".SH EXIT STATUS\nThose of \\fBsysexits.h\\fR(3head).\n");
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        buffer_put_text(out, ".TP\n.B ");
        buffer_put_decimal(out, (uint64_t)codes[i].code);
        buffer_put_byte(out, '\n');
        put_string(out, codes[i].meaning);
        buffer_put_byte(out, '\n');
    }
}

static void
put_program_page(struct buffer *out)
{
    put_head(out, "facteur", "1", "a complete mail system in one program");
    buffer_put_text(out, ".SH SYNOPSIS\n.B facteur\n.I COMMAND\n[\\fIOPTIONS\\fR] "
                         "[\\fIARGUMENTS\\fR]\n.SH DESCRIPTION\n");
    put_paragraphs(
        out, "Facteur receives mail by SMTP and LMTP, keeps it durably and hands it out by "
             "POP3. One program is the server, in several confined processes, and the tool "
             "to manage it.\n\nData is printed on standard output, messages on standard error. "
             "Options begin with two dashes; a value follows as the next word or behind an "
             "equals sign. Every command tells more with --help.");
    buffer_put_text(out, ".SH COMMANDS\n");
    for (const struct command *c = NULL; (c = command_next(c));) {
        if (!c->is_hidden)
            put_command(out, c);
    }
    put_exit_codes(out);
    buffer_put_text(out,
                    ".SH ENVIRONMENT\n.TP\n.B FACTEUR_CONFIG\nThe configuration file of commands "
                    "without \\-\\-config.\n.SH FILES\n.TP\n.I /etc/facteur/facteur.conf\n"
                    "The configuration.\n.TP\n.I /var/lib/facteur\nAccounts and mail.\n"
                    ".SH SEE ALSO\nEach command has a page of its own, like\n"
                    ".BR facteur\\-send (1);\n.BR facteur\\-mail (1),\n"
                    ".BR facteur.conf (5),\n.BR facteur\\-directory (5)\n");
}

/* ---- facteur-send(1) and the like ---------------------------------------------------------- */

/* "facteur-account-add" */
static void
put_page_name(struct buffer *out, const struct command *command)
{
    buffer_put_text(out, "facteur-");
    for (const char *at = command->name; *at; at++)
        buffer_put_byte(out, *at == ' ' ? '-' : (uint8_t)*at);
}

static void
put_command_page(struct buffer *out, const struct command *command)
{
    struct buffer name;

    buffer_init(&name, PAGE_MAX);
    put_page_name(&name, command);
    buffer_put_byte(&name, '\0');
    put_head(out, (const char *)buffer_slice(&name).at, "1", command->summary);
    buffer_finish(&name);
    buffer_put_text(out, ".SH SYNOPSIS\n");
    put_form(out, command);
    buffer_put_text(out, ".SH DESCRIPTION\n");
    put_paragraphs(out, command->about);
    if (command->options[0].name) {
        buffer_put_text(out, ".SH OPTIONS\n");
        put_options(out, command);
    }
    if (command->examples) {
        buffer_put_text(out, ".SH EXAMPLES\n");
        put_examples(out, command);
    }
    put_exit_codes(out);
    buffer_put_text(out, ".SH SEE ALSO\n.BR facteur (1),\n.BR facteur.conf (5)\n");
}

/* The page facteur-mail(1) is written by hand: it has the keys. */
static bool
has_page(const struct command *command)
{
    return !command->is_hidden && strcmp(command->name, "mail") != 0;
}

/* All of them, as files. */
static int
write_pages(const char *folder)
{
    static const struct files_owner anybody = {.user = FILES_NOBODY, .mode = 0644};
    int code = EX_OK;

    for (const struct command *c = NULL; code == EX_OK && (c = command_next(c));) {
        struct buffer page, name;
        if (!has_page(c))
            continue;
        buffer_init(&page, PAGE_MAX);
        buffer_init(&name, PAGE_MAX);
        put_page_name(&name, c);
        buffer_put_text(&name, ".1");
        buffer_put_byte(&name, '\0');
        char *path = files_path(folder, (const char *)buffer_slice(&name).at);
        put_command_page(&page, c);
        code = files_replace(path, buffer_slice(&page), &anybody);
        free(path);
        buffer_finish(&name);
        buffer_finish(&page);
    }
    return code;
}

/* ---- facteur.conf(5) ----------------------------------------------------------------------- */

static void
put_option(struct buffer *out, const struct config_option *option, const struct config *standard)
{
    struct buffer text;

    buffer_init(&text, PAGE_MAX);
    buffer_put_text(out, ".TP\n");
    put_bold(out, option->name);
    buffer_put_text(out, " (");
    put_string(out, config_kind_name(option->kind));
    buffer_put_text(out, ")\n");
    put_string(out, option->meaning);
    buffer_put_text(out, "\n.br\nExpected: ");
    config_option_put_expected(option, &text);
    put_plain(out, buffer_slice(&text));
    buffer_put_text(out, ".\n.br\nDefault: ");
    buffer_clear(&text);
    config_value_put(option, standard, &text);
    put_plain(out, buffer_slice(&text));
    buffer_put_text(out, " (");
    put_string(out, option->reason);
    buffer_put_text(out, ").\n.br\n");
    buffer_put_text(out, option->is_reloadable ? "A change works after facteur reload.\n"
                                               : "A change works after a restart.\n");
    buffer_finish(&text);
}

static void
put_config_page(struct buffer *out)
{
    const char *section = NULL;
    struct arena arena;
    struct config standard;

    arena_init(&arena, CONFIG_ARENA_MAX);
    config_default(&arena, &standard);
    put_head(out, "facteur.conf", "5", "configuration of Facteur");
    buffer_put_text(out, ".SH DESCRIPTION\n");
    put_paragraphs(out,
                   "The file has lines of the form name = value. A # begins a remark. Values of "
                   "other signs than letters, digits, - . and _ stand in double quotes, in which a "
                   "backslash hides the meaning of the next sign and ${NAME} stands for a variable "
                   "of the environment. Lists stand in braces, with commas between their entries; "
                   "{} is the empty list.\n\nSizes have the units B, KiB, MiB, GiB and TiB, times "
                   "ms, s, min, h and d. An option that is not named has its default.");
    for (const struct config_option *o = NULL; (o = config_option_next(o));) {
        if (section != config_option_section(o)) {
            section = config_option_section(o);
            buffer_put_text(out, ".SH ");
            for (const char *c = section; *c; c++)
                buffer_put_byte(out, (uint8_t)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c));
            buffer_put_byte(out, '\n');
        }
        put_option(out, o, &standard);
    }
    buffer_put_text(out, ".SH EXAMPLES\n.EX\nhostname = mail.example.org\n"
                         "tls_certificate = \"/etc/facteur/tls/chain.pem\"\n"
                         "tls_key = \"/etc/facteur/tls/key.pem\"\n"
                         "message_size_max = \"100 MiB\"\nlmtp_listen = {}\n.EE\n"
                         ".SH SEE ALSO\n.BR facteur (1),\n.BR facteur\\-directory (5)\n");
    arena_finish(&arena);
}

static int
run_man(const struct command_call *call)
{
    struct buffer page;

    if (strcmp(call->arguments[0], "commands") == 0)
        return call->count == 2 ? write_pages(call->arguments[1])
                                : say_error(EX_USAGE, "man commands: into which folder?");
    buffer_init(&page, PAGE_MAX);
    if (strcmp(call->arguments[0], "facteur") == 0)
        put_program_page(&page);
    else if (strcmp(call->arguments[0], "facteur.conf") == 0)
        put_config_page(&page);
    else
        return say_error(EX_USAGE, "man: expected facteur, facteur.conf or commands, not '%s'",
                         call->arguments[0]);
    size_t written = fwrite(buffer_slice(&page).at, 1, buffer_len(&page), stdout);
    bool is_whole = written == buffer_len(&page) && fflush(stdout) == 0;
    buffer_finish(&page);
    return is_whole ? EX_OK : say_output_failed();
}

const struct command command_man = {
    .name = "man",
    .arguments = "PAGE [FOLDER]",
    .summary = "Print a manual page",
    .about = "Prints facteur(1) or facteur.conf(5) in roff, for the build; with 'commands', writes "
             "one page for each command into a folder.",
    .arguments_min = 1,
    .arguments_max = 2,
    .run = run_man,
    .is_hidden = true,
};
