/* SPDX-License-Identifier: ISC */
/* facteur config check, show. */
#include "config/option.h"
#include "tool/command.h"
#include "tool/rehearsal.h"
#include "tool/report.h"
#include "tool/say.h"
#include "tool/settings.h"

#include <stdlib.h>

enum { TEXT_MAX = 4 * CONFIG_TEXT_MAX };

/* ---- check --------------------------------------------------------------------------------- */

static int
run_check(const struct command_call *call)
{
    struct settings settings;
    int code = settings_load(call, &settings);

    if (code == EX_OK)
        code = rehearsal_run(&settings);
    if (code == EX_OK)
        say_line("%s is right.", settings.path);
    settings_finish(&settings);
    return code;
}

const struct command command_config_check = {
    .name = "config check",
    .arguments = "",
    .summary = "Look whether the configuration is right",
    .about =
        "Reads the configuration, the files that it names, the transport table and the directory, "
        "and tells what a start would stumble over, with what was expected and what to do; as a "
        "warning, what is only odd, like a certificate for another name. Changes nothing.",
    .examples = "facteur config check --config ./facteur.conf",
    .options = {COMMAND_OPTION_CONFIG},
    .run = run_check,
};

/* ---- show ---------------------------------------------------------------------------------- */

static void
put_remark(struct buffer *out, const char *text)
{
    buffer_put_text(out, "# ");
    buffer_put_text(out, text);
    buffer_put_byte(out, '\n');
}

/* One option as it would stand in a file, with what it means above. */
static void
put_option(const struct config_option *option, const struct config *config,
           const struct config *standard, struct buffer *out)
{
    put_remark(out, option->meaning);
    buffer_put_text(out, "# Expected: ");
    config_option_put_expected(option, out);
    buffer_put_text(out, ". Default: ");
    config_value_put(option, standard, out);
    buffer_put_text(out, " (");
    buffer_put_text(out, option->reason);
    buffer_put_text(out, "). ");
    buffer_put_text(out, option->is_reloadable ? "Changes by reload.\n" : "Changes by restart.\n");
    buffer_put_text(out, option->name);
    buffer_put_text(out, " = ");
    config_value_put(option, config, out);
    buffer_put_text(out, "\n\n");
}

static int
show_text(const struct config *config, const struct config *standard)
{
    const char *section = NULL;
    struct buffer out;

    buffer_init(&out, TEXT_MAX);
    for (const struct config_option *o = NULL; (o = config_option_next(o));) {
        if (section != config_option_section(o)) {
            section = config_option_section(o);
            buffer_put_text(&out, "# ---- ");
            buffer_put_text(&out, section);
            buffer_put_text(&out, " ----\n\n");
        }
        put_option(o, config, standard, &out);
    }
    bool is_written =
        fwrite(buffer_slice(&out).at, 1, buffer_len(&out), stdout) == buffer_len(&out) &&
        fflush(stdout) == 0;
    buffer_finish(&out);
    return is_written ? EX_OK : say_output_failed();
}

/* The value as text or, for lists, texts. */
static void
report_value(struct report *report, const char *name, const struct config_option *option,
             const struct config *config)
{
    size_t count = config_value_count(option, config);
    struct buffer text;
    struct slice *entries = calloc(count + 1, sizeof(*entries));
    size_t *ends = calloc(count + 1, sizeof(*ends));

    if (!entries || !ends)
        abort();
    buffer_init(&text, TEXT_MAX);
    for (size_t i = 0; i < count; i++) {
        config_value_put_text(option, config, i, &text);
        ends[i] = buffer_len(&text);
    }
    for (size_t i = 0; i < count; i++)
        entries[i] = slice_between(buffer_slice(&text), i > 0 ? ends[i - 1] : 0, ends[i]);
    if (config_kind_is_list(option->kind))
        report_texts(report, name, entries, count);
    else
        report_text(report, name, entries[0]);
    buffer_finish(&text);
    free(entries);
    free(ends);
}

static int
show_json(const struct config *config, const struct config *standard)
{
    struct report *report = report_open(true);
    struct buffer expected;

    buffer_init(&expected, TEXT_MAX);
    report_list(report, "options");
    for (const struct config_option *o = NULL; (o = config_option_next(o));) {
        buffer_clear(&expected);
        config_option_put_expected(o, &expected);
        report_row(report);
        report_text(report, "name", slice_of_string(o->name));
        report_value(report, "value", o, config);
        report_value(report, "default", o, standard);
        report_text(report, "kind", slice_of_string(config_kind_name(o->kind)));
        report_text(report, "expected", buffer_slice(&expected));
        report_text(report, "meaning", slice_of_string(o->meaning));
        report_text(report, "reason", slice_of_string(o->reason));
        report_bool(report, "reloadable", o->is_reloadable);
        report_text(report, "section", slice_of_string(config_option_section(o)));
    }
    report_list_end(report);
    buffer_finish(&expected);
    return report_close(&report);
}

static int
run_show(const struct command_call *call)
{
    struct settings settings = {0};
    struct arena arena;
    struct config standard;
    bool shows_defaults = command_has(call, "default");
    int code = shows_defaults ? EX_OK : settings_load(call, &settings);

    arena_init(&arena, CONFIG_ARENA_MAX);
    config_default(&arena, &standard);
    if (code == EX_OK) {
        const struct config *config = shows_defaults ? &standard : &settings.config;
        code =
            command_has(call, "json") ? show_json(config, &standard) : show_text(config, &standard);
    }
    arena_finish(&arena);
    settings_finish(&settings);
    return code;
}

const struct command command_config_show = {
    .name = "config show",
    .arguments = "",
    .summary = "Show every option with value, default, unit and meaning",
    .about = "Prints every option: what it means, what is expected, its default and why, and its "
             "value now. The output is a configuration file itself.",
    .examples = "facteur config show --default > /etc/facteur/facteur.conf\n"
                "facteur config show --json | jq -r '.options[] | .name + \" \" + .meaning'",
    .options = {COMMAND_OPTION_CONFIG,
                COMMAND_OPTION_JSON,
                {"default", NULL, "Show the defaults; reads no file."}},
    .run = run_show,
};
