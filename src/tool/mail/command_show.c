/* SPDX-License-Identifier: ISC */
/* facteur show, save: a message as people read it, and what is attached to it. */
#include "tool/files.h"
#include "tool/mail/desk.h"
#include "tool/mail/pick.h"
#include "tool/mail/receipt.h"
#include "tool/mail/seal.h"
#include "tool/mail/view.h"
#include "tool/say.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { NAME_TRIES = 1000, NAME_ROOM = 256, FIELD_MAX = 1 << 20 };

static int show(const struct command_call *call, const struct view *view, uint32_t id);

/* What a command does with one message of a folder. */
typedef int (*letter_fn)(const struct command_call *call, const struct view *view, uint32_t id);

/* A receipt that the message asks for, after it was shown. Whatever happens with it, the message
 * was shown. */
static void
answer_request(struct desk *desk, struct client_folder *folder, size_t index, struct view *view)
{
    const struct client_account *account = desk->login.account;
    uint32_t flags = client_folder_letter(folder, index)->flags;
    struct client_chosen chosen = {.indexes = &index, .count = 1};
    struct client_problem problem = {0};
    struct buffer question;
    bool is_no = false;

    enum receipt_due due = receipt_look(account, view, flags);
    if (due == RECEIPT_NOT_DUE)
        return;
    buffer_init(&question, FIELD_MAX);
    receipt_put_question(view, &question);
    buffer_put_text(&question, "; send it? [y/N]");
    buffer_put_byte(&question, '\0');
    bool is_sent =
        due == RECEIPT_TO_SEND || say_ask_yes((const char *)buffer_slice(&question).at, &is_no);
    buffer_finish(&question);
    if (is_sent)
        is_sent = receipt_send(desk, view, flags, due == RECEIPT_TO_SEND) == EX_OK;
    else if (is_no)
        is_no = receipt_refuse(account, view) == EX_OK;
    if (is_sent)
        say_line("A receipt was sent.");
    if ((is_sent || is_no) && account->incoming.protocol == CLIENT_IMAP &&
        !client_folder_flag(folder, chosen, CLIENT_RECEIPT_SENT, 0, &problem))
        say_warning("%s", problem.text);
}

static int
with_letter(struct desk *desk, struct client_folder *folder, const struct command_call *call,
            size_t index, letter_fn fn)
{
    struct client_problem problem = {0};
    struct view view;
    int code = EX_OK;

    view_init(&view);
    if (!client_folder_read(folder, index, &view.content, &problem))
        code = desk_tell(&problem);
    if (code == EX_OK)
        code = view_parse(&view);
    if (code == EX_OK && (fn != show || !command_has(call, "raw")))
        code = seal_open(&view, &desk->accounts);
    if (code == EX_OK)
        code = fn(call, &view, client_folder_letter(folder, index)->id);
    if (code == EX_OK && fn == show && desk->login.account && !command_has(call, "raw") &&
        !command_has(call, "json") && !command_has(call, "peek"))
        answer_request(desk, folder, index, &view);
    view_finish(&view);
    return code;
}

/* For each message that the first `words` arguments name; then it is \Seen, if that is wanted. */
static int
with_folder(const struct command_call *call, size_t words, bool marks_seen, letter_fn fn)
{
    struct client_folder *folder = NULL;
    struct client_problem problem = {0};
    struct picked picked = {0};
    struct desk desk;
    int code = desk_open(&desk);

    if (code == EX_OK)
        code = desk_open_folder(&desk, call, !marks_seen, &folder);
    if (code == EX_OK)
        code = pick_words(folder, call->arguments, words, &picked);
    if (code == EX_OK && picked.count == 0)
        code = say_error(EX_NOINPUT, "there is no such message");
    for (size_t i = 0; i < picked.count && code == EX_OK; i++)
        code = with_letter(&desk, folder, call, picked.indexes[i], fn);
    bool has_flags = folder && (command_value(call, "box") ||
                                desk.login.account->incoming.protocol == CLIENT_IMAP);
    if (code == EX_OK && marks_seen && has_flags &&
        !client_folder_flag(folder, pick_chosen(&picked), CLIENT_SEEN, 0, &problem))
        say_warning("%s", problem.text); /* shown it is: a box that cannot be changed is no error */
    if (code == EX_OK && problem.kind == CLIENT_PROBLEM_NONE &&
        !client_folder_finish(folder, &problem)) {
        if (marks_seen)
            say_warning("%s", problem.text);
        else
            code = desk_tell(&problem);
    }
    pick_finish(&picked);
    client_folder_close(&folder);
    desk_close(&desk);
    return code;
}

/* ---- show ---------------------------------------------------------------------------------- */

static int
show(const struct command_call *call, const struct view *view, uint32_t id)
{
    struct slice content = buffer_slice(&view->content);

    if (!command_has(call, "raw"))
        return view_write(view, id, command_has(call, "json"));
    bool is_out = fwrite(content.at, 1, content.len, stdout) == content.len && fflush(stdout) == 0;
    return is_out ? EX_OK : say_output_failed();
}

static int
run_show(const struct command_call *call)
{
    return with_folder(call, call->count, !command_has(call, "peek"), show);
}

const struct command command_show = {
    .name = "show",
    .arguments = "MESSAGE...",
    .summary = "Show a message",
    .about =
        "Shows a message as people read it: who wrote it, the text in any charset, HTML turned "
        "into text with its links for what they are, and a list of what is attached. Nothing "
        "is loaded from elsewhere, and nothing in it can touch the terminal. The message is "
        "marked as seen, unless --peek is given. When it asks for a receipt, so are you, on a "
        "terminal, or what the account says about receipts is done; never with --peek, --raw or "
        "--json.",
    .examples = "facteur show 7\n"
                "facteur show last --raw > letter.eml\n"
                "facteur show 3 --box Maildir/ --json",
    .arguments_min = 1,
    .arguments_max = COMMAND_ARGUMENTS_ANY,
    .options = {{"raw", NULL, "Write the message as it is, octet for octet."},
                {"peek", NULL, "Do not mark it as seen."},
                DESK_OPTION_ACCOUNT,
                DESK_OPTION_FOLDER,
                DESK_OPTION_BOX,
                DESK_OPTION_TRACE,
                COMMAND_OPTION_JSON},
    .run = run_show,
};

/* ---- save ---------------------------------------------------------------------------------- */

/* A new file of that name, or of "name-2" and so on: nothing is overwritten. */
static int
create_file(const char *folder, const char *name, char **ret_path)
{
    const char *dot = strrchr(name, '.');
    size_t stem = dot && dot != name ? (size_t)(dot - name) : strlen(name);

    for (int i = 1; i < NAME_TRIES; i++) {
        char *path = NULL, number[16] = "";
        if (i > 1)
            (void)snprintf(number, sizeof(number), "-%d", i);
        if (asprintf(&path, "%s/%.*s%s%s", folder, (int)stem, name, number, name + stem) < 0)
            abort();
        int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (descriptor >= 0) {
            *ret_path = path;
            return descriptor;
        }
        int error = errno;
        if (error != EEXIST)
            say_error(EX_CANTCREAT, "%s: %s", path, strerror(error));
        free(path);
        if (error != EEXIST)
            return -1;
    }
    say_error(EX_CANTCREAT, "%s has too many files named like %s", folder, name);
    return -1;
}

static int
save_part(const struct command_call *call, const struct view *view, uint32_t index)
{
    const char *folder = command_value(call, "to");
    struct buffer name, content;
    char *path = NULL;
    int code = EX_OK;

    buffer_init(&name, NAME_ROOM);
    buffer_init(&content, buffer_len(&view->content) + 1);
    view_put_name(view, index, &name);
    buffer_put_byte(&name, '\0');
    view_put_part(view, index, &content);
    int descriptor =
        create_file(folder ? folder : ".", (const char *)buffer_slice(&name).at, &path);
    if (descriptor < 0)
        code = EX_CANTCREAT;
    else if (!files_write(descriptor, buffer_slice(&content)))
        code = say_error(EX_IOERR, "%s: %s", path, strerror(errno));
    else
        printf("%s\n", path);
    if (descriptor >= 0)
        close(descriptor);
    free(path);
    buffer_finish(&name);
    buffer_finish(&content);
    return code;
}

/* True when the part's number is among the arguments, or none is. */
static bool
is_wanted(const struct command_call *call, const struct view *view, uint32_t index)
{
    struct buffer number;
    bool is_named = false;

    if (call->count < 2)
        return view_is_attachment(view, index);
    buffer_init(&number, NAME_ROOM);
    view_put_number(view, index, &number);
    for (size_t i = 1; i < call->count; i++)
        is_named =
            is_named || slice_equal(buffer_slice(&number), slice_of_string(call->arguments[i]));
    buffer_finish(&number);
    return is_named && view->tree.parts[index].kind != MIME_PART_MULTIPART;
}

static int
save(const struct command_call *call, const struct view *view, uint32_t id)
{
    const char *folder = command_value(call, "to");
    size_t count = 0;
    int code = EX_OK;

    for (uint32_t i = 0; i < view->tree.count && code == EX_OK; i++) {
        if (is_wanted(call, view, i)) {
            if (folder && count == 0)
                code = files_make_folder(folder, 0700);
            if (code == EX_OK)
                code = save_part(call, view, i);
            count++;
        }
    }
    if (code == EX_OK && count == 0)
        return say_error(EX_NOINPUT, "message %u has no such part; 'facteur show %u' lists them",
                         id, id);
    return code;
}

static int
run_save(const struct command_call *call)
{
    return with_folder(call, 1, false, save);
}

const struct command command_save = {
    .name = "save",
    .arguments = "MESSAGE [PART...]",
    .summary = "Save attachments to files",
    .about = "Writes what is attached to a message to files and prints their names: all of it, or "
             "the parts that are named by their numbers ('facteur show' lists them). Names are "
             "made safe; no file is overwritten: a second one becomes name-2.",
    .examples = "facteur save 7\n"
                "facteur save last 2 --to Downloads",
    .arguments_min = 1,
    .arguments_max = COMMAND_ARGUMENTS_ANY,
    .options = {{"to", "FOLDER", "Where, made when it is not there; default: here."},
                DESK_OPTION_ACCOUNT,
                DESK_OPTION_FOLDER,
                DESK_OPTION_BOX,
                DESK_OPTION_TRACE},
    .run = run_save,
};
