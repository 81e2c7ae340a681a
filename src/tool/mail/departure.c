/* SPDX-License-Identifier: ISC */
#include "tool/mail/departure.h"

#include "client/imap.h"
#include "client/keep.h"
#include "client/submit.h"
#include "tool/files.h"
#include "tool/say.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

enum { ENTRY_MAX = (1 << 30) + (64 << 20), NAME_OCTETS = 8 };

/* ---- the queue ----------------------------------------------------------------------------- */

/* An entry is text: "account NAME", "from ADDRESS", "to ADDRESS" each on a line, an empty line, the
 * message. */
static int
write_entry(const struct client_account *account, struct slice sender,
            const struct slice *recipients, size_t count, struct slice content)
{
    static const struct files_owner owner = {.user = FILES_NOBODY, .mode = 0600};
    struct buffer entry, name;
    uint8_t random[NAME_OCTETS];
    char *folder = desk_state_path("outgoing"), *path = NULL;
    int code = folder ? files_make_folder(folder, 0700) : EX_CONFIG;

    buffer_init(&entry, ENTRY_MAX);
    buffer_init(&name, 64);
    buffer_put_text(&entry, "account ");
    buffer_put_text(&entry, account->name);
    buffer_put_text(&entry, "\nfrom ");
    buffer_put(&entry, sender);
    for (size_t i = 0; i < count; i++) {
        buffer_put_text(&entry, "\nto ");
        buffer_put(&entry, recipients[i]);
    }
    buffer_put_text(&entry, "\n\n");
    buffer_put(&entry, content);
    files_random(random, sizeof(random));
    buffer_put_padded(&name, (uint64_t)wall_seconds(client_wall()), 10);
    buffer_put_byte(&name, '-');
    buffer_put_hex(&name, slice_of(random, sizeof(random)));
    buffer_put_byte(&name, '\0');
    if (code == EX_OK) {
        path = files_path(folder, (const char *)buffer_slice(&name).at);
        code = files_replace(path, buffer_slice(&entry), &owner);
    }
    free(path);
    free(folder);
    buffer_finish(&entry);
    buffer_finish(&name);
    return code;
}

struct entry {
    struct buffer file;
    const char *account;
    bool has_sender; /* that of a receipt is empty */
    struct slice sender;
    struct slice *recipients;
    size_t count;
    struct slice content;
};

/* False when there are more recipients than there can be. */
static bool
take_line(struct entry *entry, struct arena *arena, struct slice line)
{
    if (slice_starts_with(line, SLICE("account "))) {
        entry->account = arena_copy_string(arena, slice_skip(line, 8));
    } else if (slice_starts_with(line, SLICE("from "))) {
        entry->has_sender = true;
        entry->sender = slice_skip(line, 5);
    } else if (slice_starts_with(line, SLICE("to "))) {
        if (entry->count == OUTGOING_RECIPIENTS_MAX)
            return false;
        entry->recipients[entry->count++] = slice_skip(line, 3);
    }
    return true;
}

static int
read_entry(const char *path, struct arena *arena, struct entry *ret_entry)
{
    bool is_sound = true;

    *ret_entry = (struct entry){0};
    int code = files_read(path, ENTRY_MAX, &ret_entry->file);
    if (code != EX_OK)
        return code;
    struct slice rest = buffer_slice(&ret_entry->file);
    ret_entry->recipients = ARENA_ARRAY(arena, struct slice, OUTGOING_RECIPIENTS_MAX);
    if (!ret_entry->recipients)
        abort();
    while (is_sound && rest.len > 0) {
        struct slice line = slice_first(rest, slice_find_byte(rest, '\n'));
        rest = slice_skip(rest, line.len + 1);
        if (line.len == 0)
            break;
        is_sound = take_line(ret_entry, arena, line);
    }
    ret_entry->content = rest;
    if (is_sound && ret_entry->account && ret_entry->has_sender && ret_entry->count > 0)
        return EX_OK;
    return say_error(EX_DATAERR, "%s is no message that waits; look at it, then remove it", path);
}

/* ---- sending ------------------------------------------------------------------------------- */

struct later {
    struct slice *recipients; /* that may be tried again */
    size_t count;
    size_t accepted; /* others that the server has taken it for */
};

static void
note_refusal(void *context, const struct client_submit_refusal *refusal)
{
    struct later *later = context;

    if (refusal->is_temporary)
        later->recipients[later->count++] = refusal->recipient;
    else
        say_warning("%.*s: %u %.*s", CLIENT_TEXT(refusal->recipient), refusal->code,
                    CLIENT_TEXT(refusal->text));
}

/* What asks for a receipt must not ask its writer's own programs for one (RFC 3503 §3.2). */
static struct slice
copy_flags(struct slice content)
{
    struct header header;
    struct arena arena;

    arena_init(&arena, ENTRY_MAX);
    header_parse(&arena, content, &header);
    bool asks = header_find(&header, FIELD_DISPOSITION_NOTIFICATION_TO, NULL) != NULL;
    arena_finish(&arena);
    return asks ? SLICE("\\Seen $MDNSent") : SLICE("\\Seen");
}

/* A copy among what was sent. The message has gone: what fails here is told, no more. */
static void
save_copy(const struct client_login *login, struct slice content)
{
    const struct client_account *account = login->account;
    struct imap_client_question create = {.command = IMAP_CLIENT_CREATE,
                                          .mailbox = slice_of_string(account->sent)};
    struct slice flags = copy_flags(content);
    struct client_problem problem = {0};
    struct client_imap *imap;
    uint32_t uid;

    if (account->sent[0] == '/') {
        if (!client_keep(account->sent, client_keep_kind_of(account->sent), content, CLIENT_SEEN,
                         &problem))
            say_warning("sent, but not saved: %s", problem.text);
        return;
    }
    if (account->sent[0] == '\0' || account->incoming.protocol != CLIENT_IMAP)
        return;
    imap = client_imap_open(login, &problem);
    if (imap && !client_imap_append(imap, create.mailbox, flags, content, &uid, &problem) &&
        problem.kind == CLIENT_PROBLEM_MISSING) {
        problem = (struct client_problem){0};
        if (client_imap_ask(imap, &create, NULL, NULL, &problem))
            (void)!client_imap_append(imap, create.mailbox, flags, content, &uid, &problem);
    }
    if (problem.kind != CLIENT_PROBLEM_NONE)
        say_warning("sent, but not saved in %s: %s", account->sent, problem.text);
    client_imap_close(&imap);
}

struct departing {
    const struct client_login *login;
    struct slice sender, content;
    const struct slice *recipients;
    size_t count;
};

/* One attempt; those that may be tried again are left in *later. */
static int
attempt(const struct departing *departing, struct later *later, struct client_problem *problem)
{
    struct client_submission submission = {.sender = departing->sender,
                                           .recipients = departing->recipients,
                                           .count = departing->count,
                                           .content = departing->content,
                                           .on_refusal = note_refusal,
                                           .context = later};

    later->count = 0;
    later->recipients = calloc(departing->count + 1, sizeof(*later->recipients));
    if (!later->recipients)
        abort();
    bool is_done = client_submit(departing->login, &submission, &later->accepted, problem);
    if (later->accepted > 0)
        save_copy(departing->login, departing->content);
    if (is_done || later->accepted + later->count == departing->count)
        return EX_OK;
    return desk_code(problem->kind);
}

int
departure_send(struct desk *desk, const struct composed *composed)
{
    struct departing departing = {
        .login = &desk->login,
        .sender = buffer_slice(&composed->sender),
        .content = buffer_slice(&composed->outgoing.content),
        .recipients = composed->outgoing.recipients,
        .count = composed->outgoing.count,
    };
    struct client_problem problem = {0};
    struct later later;
    int code = attempt(&departing, &later, &problem);

    if (later.count > 0) {
        int queued = write_entry(desk->login.account, departing.sender, later.recipients,
                                 later.count, departing.content);
        if (queued == EX_OK)
            say_warning("not sent yet, for %zu recipients: %s; it waits and is tried by 'facteur "
                        "send --retry' and by the next 'facteur send' or 'facteur fetch'",
                        later.count, problem.text);
        code = code == EX_OK ? queued : code;
    }
    free(later.recipients);
    return code;
}

/* ---- trying again -------------------------------------------------------------------------- */

static int
by_name(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* The names of all that waits, oldest first; owned by the caller. */
static char **
list_entries(const char *folder, size_t *ret_count)
{
    char **names = NULL;
    size_t count = 0;
    DIR *dir = opendir(folder);

    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9' || strchr(entry->d_name, '.'))
            continue;
        char **grown = realloc(names, (count + 1) * sizeof(*names));
        if (!grown || !(grown[count] = strdup(entry->d_name)))
            abort();
        names = grown;
        count++;
    }
    if (dir)
        closedir(dir);
    if (count > 0)
        qsort(names, count, sizeof(*names), by_name);
    *ret_count = count;
    return names;
}

/* Nobody takes it any more, and there may be no other copy of it. */
static void
put_aside(const char *path)
{
    char *aside = NULL;

    if (asprintf(&aside, "%s.refused", path) < 0)
        abort();
    if (rename(path, aside) == 0)
        say_warning("nobody takes what has waited; it is kept as %s", aside);
    else
        say_warning("nobody takes what waits: %s", path);
    free(aside);
}

/* One entry: gone when nothing is left of it, written anew with what is. */
static int
retry_entry(struct desk *desk, const char *path)
{
    struct client_problem problem = {0};
    struct later later = {0};
    struct arena arena;
    struct entry entry;

    arena_init(&arena, ENTRY_MAX);
    int code = read_entry(path, &arena, &entry);
    if (code == EX_OK)
        code = desk_log_in(desk, entry.account, false);
    if (code == EX_OK) {
        struct departing departing = {.login = &desk->login,
                                      .sender = entry.sender,
                                      .content = entry.content,
                                      .recipients = entry.recipients,
                                      .count = entry.count};
        code = attempt(&departing, &later, &problem);
        bool is_same = later.count == entry.count;
        if (later.count > 0 && !is_same)
            code = write_entry(desk->login.account, entry.sender, later.recipients, later.count,
                               entry.content);
        if (later.count == 0 && later.accepted == 0 && entry.sender.len > 0)
            put_aside(path);
        else if (!is_same && (later.count == 0 || code == EX_OK))
            (void)unlink(path);
        else if (is_same)
            say_warning("%s waits still: %s", strrchr(path, '/') + 1, problem.text);
    }
    free(later.recipients);
    buffer_finish(&entry.file);
    arena_finish(&arena);
    return code;
}

int
departure_retry(struct desk *desk, size_t *ret_left)
{
    char *folder = desk_state_path("outgoing"), *lock = desk_state_path("outgoing.lock");
    int code = EX_OK, descriptor = -1;
    size_t count = 0;

    *ret_left = 0;
    char **names = folder ? list_entries(folder, &count) : NULL;
    if (count > 0 && lock)
        code = files_lock(lock, &descriptor); /* nothing is sent twice */
    for (size_t i = 0; i < count; i++) {
        char *path = files_path(folder, names[i]);
        if (descriptor >= 0 && files_exists(path)) { /* one that cannot go keeps back no other */
            int result = retry_entry(desk, path);
            code = code == EX_OK && result != EX_TEMPFAIL ? result : code;
        }
        free(path);
        free(names[i]);
    }
    free(names);
    if (descriptor >= 0)
        close(descriptor);
    free(folder);
    free(lock);
    *ret_left = departure_count();
    return code;
}

size_t
departure_count(void)
{
    char *folder = desk_state_path("outgoing");
    size_t count = 0;
    char **names = folder ? list_entries(folder, &count) : NULL;

    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
    free(folder);
    return count;
}
