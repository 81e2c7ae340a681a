/* SPDX-License-Identifier: ISC */
/* Files in which people say what becomes of their mail: ~/.forward, read with its user's rights,
 * and the machine's aliases, for the commands in them. Neither counts when others could write to
 * it. */
#include "role/hand/hand_role.h"

#include "directory/unix_aliases.h"
#include "host/log.h"
#include "role/hand/forward_file.h"

enum { SIDE_ROUTE = 0, ALIASES_BYTES_MAX = 64 * 1024 * 1024 };

/* ---- files --------------------------------------------------------------------------------- */

static const char *
read_aliases(struct hand *hand, struct buffer *out)
{
    struct slice path = hand->start.config->aliases_file;
    char *text = arena_copy_string(&hand->arena, path);
    size_t slash = slice_find_last_byte(path, '/');
    struct host_dir *dir = NULL;
    struct host_user us;

    if (!text || slash == path.len || host_user_find(hand->start.host, "", &us) < 0)
        return "there is no file of aliases";
    text[slash] = 0;
    int error = host_dir_open(hand->start.host, slash > 0 ? text : "/", &dir);
    const char *why = error == 0 ? forward_file_read_below(dir, text + slash + 1, us.number,
                                                           ALIASES_BYTES_MAX, out)
                                 : "the folder of aliases cannot be read now";
    host_dir_close(&dir);
    return why;
}

/* ---- commands ------------------------------------------------------------------------------ */

const char *
forward_find_program(struct hand *hand, struct slice path, struct arena *arena,
                     struct program *ret_program)
{
    const struct config *config = hand->start.config;
    struct slice key = slice_first(path, DIRECTORY_PROGRAM_KEY_LEN);
    struct slice login = slice_skip(path, DIRECTORY_PROGRAM_KEY_LEN + 1);
    bool is_forward = path.len > DIRECTORY_PROGRAM_KEY_LEN;
    char *name = arena_copy_string(&hand->arena, login);
    struct buffer text, command;
    const char *why;

    if (!name || !directory_is_program(key) ||
        (is_forward && path.at[DIRECTORY_PROGRAM_KEY_LEN] != '.'))
        return "that is no program";
    if (is_forward ? config->forward_files != CONFIG_FORWARD_ALL
                   : config->alias_programs_user.len == 0)
        return is_forward ? "the option forward_files permits no programs"
                          : "the option alias_programs_user permits no programs";
    buffer_init(&text, ALIASES_BYTES_MAX);
    buffer_init(&command, PROGRAM_COMMAND_MAX);
    why = is_forward ? forward_file_read(hand->start.host, name, &text) : read_aliases(hand, &text);
    if (!why && !directory_unix_command(buffer_slice(&text), is_forward, key, &command))
        why = "";
    if (!why)
        why = program_parse_command(arena_copy(arena, buffer_slice(&command)), arena, ret_program);
    if (!why)
        ret_program->user = arena_copy(arena, is_forward ? login : config->alias_programs_user);
    buffer_finish(&text);
    buffer_finish(&command);
    return why && !*why ? "the file that named the program names it no more" : why;
}

/* ---- what route asks ----------------------------------------------------------------------- */

static void
warn(struct hand *hand, struct slice login, const char *why)
{
    struct log_line line;

    log_begin(&line, hand->start.host, HOST_LEVEL_WARNING, "forward_ignored");
    log_text(&line, "user", login);
    log_string(&line, "why", why);
    log_end(&line);
}

/* What `members` gets, and what that means. */
static enum route_table_outcome
look_up(struct hand *hand, struct slice key, struct buffer *members)
{
    const char *why =
        forward_file_members(hand->start.host, hand->start.config, key, &hand->arena, members);

    if (why && *why)
        warn(hand, slice_first(key, slice_find_last_byte(key, '@')), why);
    if (forward_file_is_temporary(why))
        return ROUTE_TABLE_OUTCOME_TEMPORARY;
    return why ? ROUTE_TABLE_OUTCOME_NOT_FOUND : ROUTE_TABLE_OUTCOME_FOUND;
}

static void
lose_route(struct hand *hand)
{
    host_channel_close(&hand->route);
    note_ledger_finish(&hand->route_ledger);
}

static void
on_note(void *context, struct slice bytes, host_handle handle)
{
    struct hand *hand = context;
    struct route_table_note note;
    struct buffer members;

    arena_reset(&hand->arena);
    if (!route_table_take(bytes, handle, SIDE_ROUTE, &hand->route_ledger, &hand->arena, &note) ||
        note.kind != ROUTE_TABLE_ASK) {
        host_handle_close(hand->start.host, handle);
        log_event(hand->start.host, HOST_LEVEL_ERROR, "bad_note", "from", SLICE("route"));
        lose_route(hand);
        return;
    }
    buffer_init(&members, ROUTE_TABLE_ANSWER_VALUE_MAX);
    struct route_table_answer answer = {.id = note.as.ask.id, .why = SLICE("")};
    answer.outcome = look_up(hand, note.as.ask.key, &members);
    answer.value = answer.outcome == ROUTE_TABLE_OUTCOME_FOUND ? buffer_slice(&members) : SLICE("");
    bool is_put = route_table_put_answer(&hand->note, &hand->route_ledger, &answer);
    assert(is_put);
    host_channel_send(hand->route, buffer_slice(&hand->note), HOST_HANDLE_NONE);
    buffer_clear(&hand->note);
    buffer_finish(&members);
}

static void
on_closed(void *context)
{
    lose_route(context);
}

void
forward_attach(struct hand *hand, host_handle handle)
{
    static const struct host_channel_handler handler = {.on_note = on_note, .on_closed = on_closed};

    lose_route(hand);
    hand->route = host_channel_open(hand->start.host, handle, &handler, hand);
}

void
forward_close(struct hand *hand)
{
    lose_route(hand);
}
