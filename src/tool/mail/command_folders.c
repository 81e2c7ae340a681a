/* SPDX-License-Identifier: ISC */
/* facteur folders: the folders of an account, or of a place of Maildirs. */
#include "client/shelf.h"
#include "tool/mail/desk.h"
#include "tool/report.h"
#include "tool/say.h"

static struct slice
name_of_use(enum client_use use)
{
    static const char *const names[] = {
        [CLIENT_USE_NONE] = "",       [CLIENT_USE_INBOX] = "inbox",
        [CLIENT_USE_SENT] = "sent",   [CLIENT_USE_DRAFTS] = "drafts",
        [CLIENT_USE_JUNK] = "junk",   [CLIENT_USE_TRASH] = "trash",
        [CLIENT_USE_ARCHIVE] = "archive",
    };

    return slice_of_string(names[use]);
}

static int
write_folders(const struct client_shelf_list *list, bool is_json)
{
    struct report *report = report_open(is_json);

    report_list(report, "folders");
    for (size_t i = 0; i < list->count; i++) {
        const struct client_shelf_folder *folder = &list->folders[i];
        report_row(report);
        report_text(report, "name", slice_of_string(folder->name));
        report_text(report, "use", name_of_use(folder->use));
        if (folder->is_counted) {
            report_number(report, "messages", folder->messages);
            report_number(report, "unseen", folder->unseen);
        } else {
            report_nothing(report, "messages", "?");
            report_nothing(report, "unseen", "?");
        }
    }
    report_list_end(report);
    return report_close(&report);
}

static int
list_folders(struct desk *desk, const struct command_call *call)
{
    const char *box = command_value(call, "box");
    struct client_folder_place place = {.path = box, .is_read_only = true};
    struct client_shelf_list list = {0};
    struct client_problem problem = {0};
    int code = EX_OK;

    if (box && command_has(call, "account"))
        return say_error(EX_USAGE, "--box is a place of its own; leave --account out");
    if (!box) {
        code = desk_log_in(desk, command_value(call, "account"), command_has(call, "trace"));
        place.login = &desk->login;
    }
    if (code != EX_OK)
        return code;
    struct client_shelf *shelf = client_shelf_open(&place, NULL, NULL, &problem);
    if (shelf && client_shelf_folders(shelf, true, &list, &problem))
        code = write_folders(&list, command_has(call, "json"));
    else
        code = desk_tell(&problem);
    client_shelf_list_finish(&list);
    client_shelf_close(&shelf);
    return code;
}

static int
run_folders(const struct command_call *call)
{
    return desk_run(call, list_folders);
}

const struct command command_folders = {
    .name = "folders",
    .arguments = "",
    .summary = "List the folders of an account",
    .about = "Lists the folders of an account, or the Maildirs below a folder of this machine: "
             "what each is for, how many messages it has, and how many of them were not read.",
    .examples = "facteur folders\n"
                "facteur folders --box ~/Mail/alice@example.org",
    .options = {DESK_OPTION_ACCOUNT, DESK_OPTION_BOX, DESK_OPTION_TRACE, COMMAND_OPTION_JSON},
    .run = run_folders,
};
