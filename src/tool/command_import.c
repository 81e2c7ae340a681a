/* SPDX-License-Identifier: ISC */
/* facteur import: a letter box becomes a mailbox of an account. Every message goes with a key made
 * of its content, which the store remembers: an import that was cut off is simply begun again. */
#include "base/hash.h"
#include "base/map.h"
#include "tool/box.h"
#include "tool/client.h"
#include "tool/command.h"
#include "tool/files.h"
#include "tool/people.h"
#include "tool/report.h"
#include "tool/say.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    KEY_MAX = 64,
    INLINE_MAX = 65536,
    NOTE_MAX = 72 * 1024,
    /* Messages that are on their way to the store at once: many share a turn and its sync. */
    FLYING_MAX = 400,
    FLYING_BYTES_MAX = 16 << 20,
};

struct import {
    struct client *client;
    struct box *box;
    uint64_t account;
    struct slice mailbox;
    struct map seen; /* content's key → how often it has come in this box */
    struct buffer note;
    struct map flying; /* number of the request → length of the message */
    size_t flying_count;
    uint64_t flying_bytes;
    bool is_ending; /* nothing more will be sent */
    uint64_t imported, there, refused;
    enum tool_store_result problem; /* the first one, else OK */
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
count_in(struct import *import, uint64_t id, size_t len)
{
    (void)!map_set(&import->flying, map_key_u64(&id), (void *)(uintptr_t)(len + 1));
    import->flying_count++;
    import->flying_bytes += len;
}

static void
count_out(struct import *import, uint64_t id)
{
    uintptr_t len = (uintptr_t)map_remove(&import->flying, map_key_u64(&id));

    assert(len > 0); /* the ledger knows the number */
    import->flying_count--;
    import->flying_bytes -= len - 1;
}

static bool
is_full(const struct import *import)
{
    return import->flying_count >= FLYING_MAX || import->flying_bytes >= FLYING_BYTES_MAX;
}

/* Room again for many: so they leave together. */
static bool
is_half_empty(const struct import *import)
{
    return import->flying_count <= FLYING_MAX / 2 && import->flying_bytes <= FLYING_BYTES_MAX / 2;
}

static enum client_next
on_appended(void *context, const struct tool_store_note *note)
{
    struct import *import = context;

    if (note->kind != TOOL_STORE_APPENDED)
        return CLIENT_WAIT;
    count_out(import, note->as.appended.id);
    if (note->as.appended.result != TOOL_STORE_RESULT_OK) {
        import->refused++;
        if (import->problem == TOOL_STORE_RESULT_OK)
            import->problem = note->as.appended.result;
    } else if (note->as.appended.was_there) {
        import->there++;
    } else {
        import->imported++;
    }
    say_progress_show(&import->progress, box_done(import->box));
    if (import->is_ending)
        return import->flying_count == 0 ? CLIENT_DONE : CLIENT_WAIT;
    return is_half_empty(import) ? CLIENT_DONE : CLIENT_WAIT;
}

static int
seal_body(struct client *client, struct slice content, host_handle *ret_handle)
{
    struct host_blob *blob = NULL;

    if (host_blob_open(client_host(client), &blob) < 0 || host_blob_put(blob, content) < 0 ||
        host_blob_seal(&blob, ret_handle) < 0) {
        host_blob_close(&blob);
        return say_error(EX_OSERR, "there is no memory for a message of %zu bytes; free some",
                         content.len);
    }
    return EX_OK;
}

static int
send_message(struct import *import, const struct box_message *message)
{
    char key[KEY_MAX];
    size_t key_len = make_key(import, message->content, key);
    bool is_inline = message->content.len <= INLINE_MAX;
    host_handle body = HOST_HANDLE_NONE;
    int code = is_inline ? EX_OK : seal_body(import->client, message->content, &body);
    struct tool_store_append append = {
        .id = client_next_id(import->client),
        .account = import->account,
        .mailbox = import->mailbox,
        .key = slice_of(key, key_len),
        .flags = message->flags,
        .internal_ns = message->received.ns,
        .body = is_inline ? message->content : SLICE(""),
    };

    if (code != EX_OK)
        return code;
    if (!tool_store_put_append(&import->note, client_ledger(import->client), &append)) {
        if (body != HOST_HANDLE_NONE)
            host_handle_close(client_host(import->client), body);
        return say_error(EX_USAGE, "the mailbox name is too long; give a shorter one");
    }
    client_send(import->client, &import->note, body);
    count_in(import, append.id, message->content.len);
    return EX_OK;
}

/* Stops at the first refusal that the next message would meet too. */
static bool
goes_on(const struct import *import)
{
    return import->problem == TOOL_STORE_RESULT_OK || import->problem == TOOL_STORE_RESULT_BAD;
}

/* The store files them in the order in which they are sent. What is on its way arrives, whatever
 * ended the reading of the box. */
static int
send_all(struct import *import)
{
    struct box_message message;
    int code = EX_OK, waited = EX_OK;

    while (code == EX_OK && waited == EX_OK && goes_on(import) &&
           box_next(import->box, &message, &code)) {
        code = send_message(import, &message);
        if (code == EX_OK && is_full(import))
            waited = client_wait_store(import->client, on_appended, import);
    }
    import->is_ending = true;
    if (waited == EX_OK && import->flying_count > 0)
        waited = client_wait_store(import->client, on_appended, import);
    return code == EX_OK ? waited : code;
}

static int
show_result(const struct import *import, int code, bool is_json)
{
    struct report *report = report_open(is_json);

    report_number(report, "imported", import->imported);
    report_number(report, "already_there", import->there);
    report_number(report, "refused", import->refused);
    int written = report_close(&report);
    if (code == EX_OK && import->problem != TOOL_STORE_RESULT_OK)
        return say_error(client_store_result_code(import->problem),
                         "not all is imported: %s; then "
                         "begin again, what is there stays",
                         client_store_result_text(import->problem));
    return code == EX_OK ? written : code;
}

static int
run_box(const struct command_call *call, const struct settings *settings, uint64_t account,
        struct box *box)
{
    const char *mailbox = command_value(call, "mailbox");
    struct import import = {
        .box = box, .account = account, .mailbox = slice_of_string(mailbox ? mailbox : "INBOX")};
    uint64_t seed;
    int code = client_open_store(settings, &import.client);

    if (code != EX_OK)
        return code;
    files_random(&seed, sizeof(seed));
    map_init(&import.seen, seed);
    map_init(&import.flying, seed);
    buffer_init(&import.note, NOTE_MAX);
    say_progress_begin(&import.progress, "importing", box_whole(box));
    code = send_all(&import);
    say_progress_end(&import.progress);
    code = show_result(&import, code, command_has(call, "json"));
    client_close(&import.client);
    map_finish(&import.seen);
    map_finish(&import.flying);
    buffer_finish(&import.note);
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
        "running.\n\nAn import that was cut off can be begun again: what is there already is "
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
