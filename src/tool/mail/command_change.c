/* SPDX-License-Identifier: ISC */
/* facteur delete, flag, move: messages of a folder, wherever it is. */
#include "client/keep.h"
#include "tool/mail/desk.h"
#include "tool/mail/pick.h"
#include "tool/say.h"

typedef int (*change_fn)(struct client_folder *folder, const struct command_call *call,
                         const struct picked *picked);

static int
change(const struct command_call *call, change_fn fn)
{
    struct client_folder *folder = NULL;
    struct client_problem problem = {0};
    struct picked picked = {0};
    struct desk desk;
    int code = desk_open(&desk);

    if (code == EX_OK)
        code = desk_open_folder(&desk, call, false, &folder);
    if (code == EX_OK)
        code = pick_words(folder, call->arguments, call->count, &picked);
    if (code == EX_OK && picked.count > 0)
        code = fn(folder, call, &picked);
    if (code == EX_OK && !client_folder_finish(folder, &problem))
        code = desk_tell(&problem);
    pick_finish(&picked);
    client_folder_close(&folder);
    desk_close(&desk);
    return code;
}

/* ---- delete -------------------------------------------------------------------------------- */

static int
delete_letters(struct client_folder *folder, const struct command_call *call,
               const struct picked *picked)
{
    struct client_problem problem = {0};

    (void)call;
    return client_folder_delete(folder, pick_chosen(picked), &problem) ? EX_OK
                                                                       : desk_tell(&problem);
}

static int
run_delete(const struct command_call *call)
{
    return change(call, delete_letters);
}

const struct command command_delete = {
    .name = "delete",
    .arguments = "MESSAGE...",
    .summary = "Delete messages",
    .about = "Deletes messages for good; 'facteur move --to Trash' keeps them for a while. On a "
             "POP3 server they go when the session has ended well: one that is cut off deletes "
             "nothing. Numbers of POP3, mbox and Maildir move up behind what was deleted; those of "
             "IMAP stay.",
    .examples = "facteur delete 7 9-12\n"
                "facteur delete all --box old.mbox",
    .arguments_min = 1,
    .arguments_max = COMMAND_ARGUMENTS_ANY,
    .options = {DESK_OPTION_ACCOUNT, DESK_OPTION_FOLDER, DESK_OPTION_BOX, DESK_OPTION_TRACE},
    .run = run_delete,
};

/* ---- flag ---------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    uint32_t flag;
} flag_words[] = {
    {"seen", CLIENT_SEEN},       {"answered", CLIENT_ANSWERED}, {"flagged", CLIENT_FLAGGED},
    {"deleted", CLIENT_DELETED}, {"draft", CLIENT_DRAFT},
};

/* "seen,flagged" */
static int
take_flags(const struct command_call *call, const char *option, uint32_t *ret_flags)
{
    const char *value = command_value(call, option);
    struct slice rest = slice_of_string(value ? value : "");

    *ret_flags = 0;
    while (rest.len > 0) {
        struct slice word = slice_first(rest, slice_find_byte(rest, ','));
        size_t i = 0;
        rest = slice_skip(rest, word.len + 1);
        while (i < COUNT_OF(flag_words) &&
               !slice_equal_nocase(slice_trim(word), slice_of_string(flag_words[i].name)))
            i++;
        if (i == COUNT_OF(flag_words))
            return say_error(EX_USAGE,
                             "--%s %s: expected seen, answered, flagged, deleted or draft, "
                             "separated by commas",
                             option, value);
        *ret_flags |= flag_words[i].flag;
    }
    return EX_OK;
}

static int
flag_letters(struct client_folder *folder, const struct command_call *call,
             const struct picked *picked)
{
    struct client_problem problem = {0};
    uint32_t add, remove;
    int code = take_flags(call, "add", &add);

    if (code == EX_OK)
        code = take_flags(call, "remove", &remove);
    if (code == EX_OK && add == 0 && remove == 0)
        code = say_error(EX_USAGE, "which flags? Give --add, --remove or both");
    if (code == EX_OK && !client_folder_flag(folder, pick_chosen(picked), add, remove, &problem))
        code = desk_tell(&problem);
    return code;
}

static int
run_flag(const struct command_call *call)
{
    return change(call, flag_letters);
}

const struct command command_flag = {
    .name = "flag",
    .arguments = "MESSAGE...",
    .summary = "Set and take away flags of messages",
    .about = "Flags are seen, answered, flagged, deleted and draft. POP3 has none.",
    .examples = "facteur flag 7 --add flagged\n"
                "facteur flag last-5 --remove seen --account work",
    .arguments_min = 1,
    .arguments_max = COMMAND_ARGUMENTS_ANY,
    .options = {{"add", "FLAGS", "Flags to set, separated by commas."},
                {"remove", "FLAGS", "Flags to take away."},
                DESK_OPTION_ACCOUNT,
                DESK_OPTION_FOLDER,
                DESK_OPTION_BOX,
                DESK_OPTION_TRACE},
    .run = run_flag,
};

/* ---- move ---------------------------------------------------------------------------------- */

/* Into a letter box of this machine: each is there before any goes here. */
static int
keep_letters(struct client_folder *folder, const char *path, const struct picked *picked)
{
    struct client_problem problem = {0};
    enum client_keep_kind kind = client_keep_kind_of(path);
    bool is_good = true;

    for (size_t i = 0; i < picked->count && is_good; i++) {
        struct buffer message;
        buffer_init(&message, CLIENT_MESSAGE_MAX);
        is_good = client_folder_read(folder, picked->indexes[i], &message, &problem) &&
                  client_keep(path, kind, buffer_slice(&message),
                              client_folder_letter(folder, picked->indexes[i])->flags, &problem);
        buffer_finish(&message);
    }
    is_good = is_good && client_folder_delete(folder, pick_chosen(picked), &problem);
    return is_good ? EX_OK : desk_tell(&problem);
}

static bool
is_maildir(const char *path)
{
    return path && client_keep_kind_of(path) == CLIENT_KEEP_MAILDIR;
}

static int
move_letters(struct client_folder *folder, const struct command_call *call,
             const struct picked *picked)
{
    const char *to = command_value(call, "to"), *box = command_value(call, "to-box");
    struct client_problem problem = {0};

    if (!to == !box)
        return say_error(EX_USAGE, "where to? Give --to FOLDER or --to-box PATH");
    if (box && is_maildir(command_value(call, "box")) && is_maildir(box))
        return client_folder_move(folder, pick_chosen(picked), box, &problem) ? EX_OK
                                                                              : desk_tell(&problem);
    if (box)
        return keep_letters(folder, box, picked);
    if (!client_folder_can_move(folder) || command_has(call, "box"))
        return say_error(EX_USAGE, "only IMAP has folders; give --to-box PATH");
    return client_folder_move(folder, pick_chosen(picked), to, &problem) ? EX_OK
                                                                         : desk_tell(&problem);
}

static int
run_move(const struct command_call *call)
{
    return change(call, move_letters);
}

const struct command command_move = {
    .name = "move",
    .arguments = "MESSAGE...",
    .summary = "Move messages to another folder",
    .about =
        "Moves messages of an IMAP account to another of its folders, which is made when it is "
        "not there; or from anywhere into an mbox or Maildir of this machine. A path that ends "
        "in a slash becomes a Maildir. Messages are on the disk there before they go here.",
    .examples = "facteur move 7 9-12 --to Archive\n"
                "facteur move all --to-box Maildir/ --account pop",
    .arguments_min = 1,
    .arguments_max = COMMAND_ARGUMENTS_ANY,
    .options = {{"to", "FOLDER", "A folder of the same account."},
                {"to-box", "PATH", "An mbox file or a Maildir of this machine."},
                DESK_OPTION_ACCOUNT,
                DESK_OPTION_FOLDER,
                DESK_OPTION_BOX,
                DESK_OPTION_TRACE},
    .run = run_move,
};
