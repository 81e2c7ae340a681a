/* SPDX-License-Identifier: ISC */
/* facteur list, search: messages of a folder, wherever it is. */
#include "mime/text.h"
#include "text/unicode.h"
#include "tool/mail/desk.h"
#include "tool/mail/rows.h"
#include "tool/mail/view.h"
#include "tool/say.h"

#include <stdlib.h>

enum { LIST_DEFAULT = 50, KEY_MAX = 64 << 20 };

static int
take_limit(const struct command_call *call, size_t *ret_limit)
{
    const char *value = command_value(call, "last");
    char *end;

    *ret_limit = LIST_DEFAULT;
    if (!value)
        return EX_OK;
    unsigned long number = strtoul(value, &end, 10);
    if (*end != '\0' || value[0] < '0' || value[0] > '9')
        return say_error(EX_USAGE, "--last %s: expected a number", value);
    *ret_limit = number;
    return EX_OK;
}

static int
list_folder(struct client_folder *folder, const struct command_call *call)
{
    struct client_problem problem = {0};
    struct picked picked = {0};
    size_t limit;
    int code = take_limit(call, &limit);

    if (code == EX_OK && call->count > 0)
        code = pick_words(folder, call->arguments, call->count, &picked);
    else if (code == EX_OK)
        pick_last(folder, limit, &picked);
    if (code == EX_OK && call->command == &command_thread)
        code = rows_write_threads(folder, &picked, command_has(call, "json"));
    else if (code == EX_OK)
        code = rows_write(folder, &picked, command_has(call, "json"));
    pick_finish(&picked);
    if (code == EX_OK && !client_folder_finish(folder, &problem))
        code = desk_tell(&problem);
    return code;
}

/* Does it with the folder of the call's options. */
static int
with_folder(const struct command_call *call,
            int (*fn)(struct client_folder *folder, const struct command_call *call))
{
    struct client_folder *folder = NULL;
    struct desk desk;
    int code = desk_open(&desk);

    if (code == EX_OK)
        code = desk_open_folder(&desk, call, true, &folder);
    if (code == EX_OK)
        code = fn(folder, call);
    client_folder_close(&folder);
    desk_close(&desk);
    return code;
}

static int
run_list(const struct command_call *call)
{
    return with_folder(call, list_folder);
}

const struct command command_list = {
    .name = "list",
    .arguments = "[MESSAGE...]",
    .summary = "List messages",
    .about = "Lists messages of a folder of an account, or of an mbox or Maildir: the number by "
             "which other commands know it, flags (N new, r answered, ! flagged, D deleted, d "
             "draft), date, size, who wrote it and the subject. Nothing is changed by it.\n\n"
             "MESSAGE is a number, a range (3-9), last, last-5, unseen or all.",
    .examples = "facteur list\n"
                "facteur list unseen --account work\n"
                "facteur list --box /var/mail/alice --last 10 --json",
    .arguments_max = COMMAND_ARGUMENTS_ANY,
    .options = {DESK_OPTION_ACCOUNT,
                DESK_OPTION_FOLDER,
                DESK_OPTION_BOX,
                {"last", "NUMBER", "How many of the newest; 0: all; default: 50."},
                DESK_OPTION_TRACE,
                COMMAND_OPTION_JSON},
    .run = run_list,
};

const struct command command_thread = {
    .name = "thread",
    .arguments = "[MESSAGE...]",
    .summary = "List messages as conversations",
    .about = "Lists messages as 'facteur list' does, each below the one that it answers, as "
             "References and In-Reply-To say, or the subject where they say nothing (RFC 5256). "
             "With --json each message names its parent.",
    .examples = "facteur thread\n"
                "facteur thread --box Mail/home/Lists/c --last 0",
    .arguments_max = COMMAND_ARGUMENTS_ANY,
    .options = {DESK_OPTION_ACCOUNT,
                DESK_OPTION_FOLDER,
                DESK_OPTION_BOX,
                {"last", "NUMBER", "How many of the newest; 0: all; default: 50."},
                DESK_OPTION_TRACE,
                COMMAND_OPTION_JSON},
    .run = run_list,
};

/* ---- searching ----------------------------------------------------------------------------- */

static bool
take_text(void *context, struct slice text)
{
    buffer_put(context, text);
    return true;
}

/* Compared as people do: case and accents do not matter. */
static bool
has_text(const struct view *view, const char *field, struct slice key)
{
    static const struct {
        const char *name;
        enum field_id id;
    } fields[] = {
        {"from", FIELD_FROM}, {"to", FIELD_TO}, {"cc", FIELD_CC}, {"subject", FIELD_SUBJECT}};
    struct buffer text, plain;

    buffer_init(&text, KEY_MAX);
    buffer_init(&plain, KEY_MAX);
    for (size_t i = 0; field && i < COUNT_OF(fields); i++) {
        if (strcmp(field, fields[i].name) == 0)
            view_put_field(view, fields[i].id, &text);
    }
    if (!field) {
        mime_text_head(&view->tree, take_text, &text);
        mime_text_body(&view->tree, take_text, &text);
    }
    unicode_put_plain_key(&plain, buffer_slice(&text));
    struct slice whole = buffer_slice(&plain);
    bool is_there = slice_find(whole, key) < whole.len || key.len == 0;
    buffer_finish(&text);
    buffer_finish(&plain);
    return is_there;
}

/* Where the server cannot: message by message. */
static int
search_here(struct client_folder *folder, const char *field, struct slice text,
            struct picked *picked)
{
    struct client_problem problem = {0};
    struct buffer key;
    int code = EX_OK;

    buffer_init(&key, KEY_MAX);
    unicode_put_plain_key(&key, text);
    pick_last(folder, 0, picked);
    picked->count = 0;
    for (size_t i = 0; i < client_folder_count(folder) && code == EX_OK; i++) {
        struct view view;
        view_init(&view);
        if (!client_folder_read(folder, i, &view.content, &problem))
            code = desk_tell(&problem);
        if (code == EX_OK)
            code = view_parse(&view);
        if (code == EX_OK && has_text(&view, field, buffer_slice(&key)))
            picked->indexes[picked->count++] = i;
        view_finish(&view);
    }
    buffer_finish(&key);
    return code;
}

static int
search_folder(struct client_folder *folder, const struct command_call *call)
{
    static const char *const fields[] = {"from", "to", "cc", "subject"};
    struct slice text = slice_of_string(call->arguments[0]);
    struct client_problem problem = {0};
    struct client_chosen found = {0};
    struct picked picked = {0};
    const char *field = command_value(call, "in");
    int code = EX_OK;
    bool is_known = field == NULL;

    for (size_t i = 0; i < COUNT_OF(fields); i++)
        is_known = is_known || strcmp(field, fields[i]) == 0;
    if (!is_known)
        return say_error(EX_USAGE, "--in %s: expected from, to, cc or subject", field);
    if (client_folder_can_search(folder)) {
        if (!client_folder_search(folder, field, text, &found, &problem))
            return desk_tell(&problem);
        pick_last(folder, 0, &picked);
        picked.count = found.count;
        for (size_t i = 0; i < found.count; i++)
            picked.indexes[i] = found.indexes[i];
    } else {
        code = search_here(folder, field, text, &picked);
    }
    if (code == EX_OK)
        code = rows_write(folder, &picked, command_has(call, "json"));
    pick_finish(&picked);
    if (code == EX_OK && !client_folder_finish(folder, &problem))
        code = desk_tell(&problem);
    return code;
}

static int
run_search(const struct command_call *call)
{
    return with_folder(call, search_folder);
}

const struct command command_search = {
    .name = "search",
    .arguments = "TEXT",
    .summary = "Find messages that have a text",
    .about = "Lists the messages in which the text occurs: anywhere, or in one field. An IMAP "
             "server searches by itself; elsewhere messages are read one by one, and neither case "
             "nor accents matter.",
    .examples = "facteur search dinner\n"
                "facteur search gerard --in from --box Maildir/",
    .arguments_min = 1,
    .arguments_max = 1,
    .options = {{"in", "FIELD", "from, to, cc or subject; default: anywhere."},
                DESK_OPTION_ACCOUNT,
                DESK_OPTION_FOLDER,
                DESK_OPTION_BOX,
                DESK_OPTION_TRACE,
                COMMAND_OPTION_JSON},
    .run = run_search,
};
