/* SPDX-License-Identifier: ISC */
/* facteur import: a letter box becomes a mailbox of an account. Every message goes with a key made
 * of its content, which the store remembers: an import that was cut off is simply begun again. */
#include "base/hash.h"
#include "base/map.h"
#include "tool/appender.h"
#include "tool/box.h"
#include "tool/command.h"
#include "tool/files.h"
#include "tool/people.h"
#include "tool/report.h"
#include "tool/say.h"

#include <inttypes.h>
#include <stdlib.h>

enum { KEY_MAX = 64 };

struct import {
    struct appender appender;
    struct box *box;
    struct slice mailbox;
    struct map seen; /* content's key → how often it has come in this box */
    struct say_progress progress;
};

/* The same content may lie in a box twice, and shall then lie in the mailbox twice: its number
 * belongs to the key. */
static size_t
make_key(struct import *import, struct slice content, char ret_key[KEY_MAX])
{
    enum { SEED_A = 1, SEED_B = 2 };
    uint64_t place = hash64(import->mailbox, 0);
    uint64_t sums[2] = {hash64(content, place + SEED_A), hash64(content, place + SEED_B)};
    struct slice key = slice_of(sums, sizeof(sums));
    uintptr_t before = (uintptr_t)map_find(&import->seen, key);

    map_set(&import->seen, key, (void *)(before + 1));
    return (size_t)snprintf(ret_key, KEY_MAX, "%016" PRIx64 "%016" PRIx64 "-%zu", sums[0], sums[1],
                            (size_t)before);
}

static void
on_moved(void *context)
{
    struct import *import = context;

    say_progress_show(&import->progress, box_done(import->box));
}

static int
send_message(struct import *import, const struct box_message *message)
{
    char key[KEY_MAX];
    size_t key_len = make_key(import, message->content, key);
    struct tool_store_keyword keywords[UIDLIST_KEYWORDS_MAX];

    for (size_t i = 0; i < message->keyword_count; i++)
        keywords[i].name = message->keywords[i];
    struct appender_message append = {
        .mailbox = import->mailbox,
        .content = message->content,
        .key = slice_of(key, key_len),
        .flags = message->flags,
        .received = message->received,
        .keywords = keywords,
        .keyword_count = message->keyword_count,
        .uid = message->uid,
    };

    return appender_put(&import->appender, &append);
}

/* Dovecot's numbers are kept as long as nothing was in the mailbox here. */
static int
make_mailbox(struct import *import)
{
    struct tool_store_mailbox_make make = {.mailbox = import->mailbox,
                                           .is_subscribed = true,
                                           .uid_validity = box_uid_validity(import->box)};

    return make.uid_validity != 0 ? appender_make(&import->appender, &make) : EX_OK;
}

/* The store files them in the order in which they are sent. What is on its way arrives, whatever
 * ended the reading of the box. */
static int
send_all(struct import *import)
{
    struct box_message message;
    int code = EX_OK, sent = make_mailbox(import);

    while (code == EX_OK && sent == EX_OK && appender_goes_on(&import->appender) &&
           box_next(import->box, &message, &code))
        sent = send_message(import, &message);
    if (sent == EX_OK)
        sent = appender_end(&import->appender);
    return code == EX_OK ? sent : code;
}

static int
show_result(const struct import *import, int code, bool is_json)
{
    struct report *report = report_open(is_json);

    report_number(report, "imported", import->appender.imported);
    report_number(report, "already_there", import->appender.there);
    report_number(report, "refused", import->appender.refused);
    int written = report_close(&report);
    code = appender_result(&import->appender, code);
    return code == EX_OK ? written : code;
}

static int
run_box(const struct command_call *call, const struct settings *settings, uint64_t account,
        struct box *box)
{
    const char *mailbox = command_value(call, "mailbox");
    struct import import = {.box = box, .mailbox = slice_of_string(mailbox ? mailbox : "INBOX")};
    uint64_t seed;
    int code = client_open_store(settings, &import.appender.client);

    if (code != EX_OK)
        return code;
    files_random(&seed, sizeof(seed));
    map_init(&import.seen, seed);
    import.appender.account = account;
    import.appender.moved = on_moved;
    import.appender.context = &import;
    appender_init(&import.appender);
    say_progress_begin(&import.progress, "importing", box_whole(box));
    code = send_all(&import);
    say_progress_end(&import.progress);
    code = show_result(&import, code, command_has(call, "json"));
    client_close(&import.appender.client);
    map_finish(&import.seen);
    appender_finish(&import.appender);
    return code;
}

static int
read_format(const struct command_call *call, enum box_kind *ret_kind)
{
    static const struct {
        const char *name;
        enum box_kind kind;
    } formats[] = {{"mbox", BOX_MBOX}, {"mboxo", BOX_MBOX_O}, {"maildir", BOX_MAILDIR}};
    const char *format = command_value(call, "format");

    *ret_kind = BOX_ANY;
    for (size_t i = 0; format && i < COUNT_OF(formats); i++) {
        if (strcmp(format, formats[i].name) == 0)
            *ret_kind = formats[i].kind;
    }
    if (format && *ret_kind == BOX_ANY)
        return say_error(EX_USAGE, "--format: expected mbox, mboxo or maildir, not '%s'", format);
    return EX_OK;
}

static int
run_import(const struct command_call *call)
{
    struct settings settings;
    struct people people = {.lock = -1};
    const struct directory_account *account = NULL;
    struct box *box = NULL;
    enum box_kind kind = BOX_ANY;
    int code = settings_load(call, &settings);

    if (code == EX_OK)
        code = read_format(call, &kind);
    if (code == EX_OK)
        code = people_open(&settings, false, &people);
    if (code == EX_OK)
        code = people_find(&people, call->arguments[0], &account);
    if (code == EX_OK)
        code = box_open(call->arguments[1], kind, &box);
    if (code == EX_OK)
        code = run_box(call, &settings, account->id, box);
    box_close(&box);
    people_close(&people);
    settings_finish(&settings);
    return code;
}

const struct command command_import = {
    .name = "import",
    .arguments = "ADDRESS PATH",
    .summary = "Put the messages of an mbox file or Maildir into a mailbox",
    .about =
        "Reads PATH, an mbox file or a Maildir, and puts its messages with their flags and times "
        "into a mailbox of the account, which is made if it is not there. The server must be "
        "running.\n\nFrom a Maildir of Dovecot (dovecot-uidlist, dovecot-keywords) keywords come "
        "along, and, into a mailbox that had no message yet, UIDs and UIDVALIDITY: mail programs "
        "go on as before. Subfolders (.Sent) are Maildirs of their own.\n\nAn import that was cut "
        "off can be begun again: what is there already is "
        "passed over.",
    .examples = "facteur import alice@example.org /var/mail/alice\n"
                "facteur import alice@example.org ~/Maildir/.Sent --mailbox Sent",
    .arguments_min = 2,
    .arguments_max = 2,
    .options = {COMMAND_OPTION_CONFIG,
                COMMAND_OPTION_JSON,
                {"mailbox", "NAME", "The mailbox; default: INBOX."},
                {"format", "FORMAT",
                 "mbox (mboxrd), mboxo or maildir; default: what PATH looks "
                 "like."}},
    .run = run_import,
};
