/* SPDX-License-Identifier: ISC */
#include "client/folder_private.h"
#include "client/imap.h"

#include <stdlib.h>

enum { SET_MAX = 64 * 1024 - 1024, SET_UIDS_MAX = 500 };

struct imap {
    struct client_imap *session;
    size_t *found; /* of a search; owned */
};

/* ---- sets of messages ---------------------------------------------------------------------- */

/* Puts the UIDs of the first of these messages as a set, runs as ranges; returns how many. */
static size_t
put_set(const struct client_folder *folder, struct client_chosen chosen, struct buffer *out)
{
    size_t i = 0;

    while (i < chosen.count && i < SET_UIDS_MAX) {
        size_t first = chosen.indexes[i], last = first;
        while (++i < chosen.count && chosen.indexes[i] == last + 1)
            last++;
        buffer_put_text(out, buffer_len(out) > 0 ? "," : "");
        buffer_put_decimal(out, folder->letters[first].id);
        if (last > first) { /* UIDs between two that are neighbours here are nobody's */
            buffer_put_byte(out, ':');
            buffer_put_decimal(out, folder->letters[last].id);
        }
    }
    return i;
}

/* The same question for all of them, in sets that a command can hold. */
static bool
ask_of_each(struct client_folder *folder, struct client_chosen chosen,
            struct imap_client_question question, client_imap_fn fn, void *context,
            struct client_problem *problem)
{
    struct imap *imap = folder->state;
    bool is_good = true;
    struct buffer set;

    buffer_init(&set, SET_MAX);
    while (is_good && chosen.count > 0) {
        buffer_clear(&set);
        size_t count = put_set(folder, chosen, &set);
        chosen.indexes += count;
        chosen.count -= count;
        question.uids = buffer_slice(&set);
        is_good = client_imap_ask(imap->session, &question, fn, context, problem);
    }
    buffer_finish(&set);
    return is_good;
}

/* ---- reading ------------------------------------------------------------------------------- */

struct reading {
    struct buffer *out;
    uint32_t uid;
    bool has_come;
};

static void
take_body(void *context, const struct imap_client_event *event)
{
    struct reading *reading = context;

    if (event->kind != IMAP_CLIENT_EVENT_BODY)
        return;
    if (event->body.offset == 0)
        buffer_clear(reading->out);
    buffer_put(reading->out, event->body.bytes);
    reading->has_come = true;
}

static bool
read_letter(struct client_folder *folder, size_t index, struct buffer *out,
            struct client_problem *problem)
{
    struct imap_client_question question = {.command = IMAP_CLIENT_FETCH,
                                            .text = SLICE("BODY.PEEK[]")};
    struct reading reading = {.out = out};
    struct client_chosen one = {.indexes = &index, .count = 1};

    if (!ask_of_each(folder, one, question, take_body, &reading, problem))
        return false;
    if (!reading.has_come)
        return client_problem_set(problem, CLIENT_PROBLEM_MISSING, "%s: message %u has gone",
                                  folder->path, folder->letters[index].id);
    /* NIL, or nothing, and OK: that is not the message. */
    if (buffer_len(out) == 0 && !buffer_overflowed(out) && folder->letters[index].size > 0)
        return client_problem_set(problem, CLIENT_PROBLEM_REFUSED,
                                  "%s: the server gives nothing of message %u", folder->path,
                                  folder->letters[index].id);
    return !buffer_overflowed(out) ||
           client_problem_set(problem, CLIENT_PROBLEM_TOO_LARGE, "message %u is too large",
                              folder->letters[index].id);
}

struct heads {
    struct client_folder *folder;
    client_head_fn fn;
    void *context;
    struct buffer head;
};

static void
take_head(void *context, const struct imap_client_event *event)
{
    struct heads *heads = context;
    size_t index;

    if (event->kind == IMAP_CLIENT_EVENT_BODY) {
        if (event->body.offset == 0)
            buffer_clear(&heads->head);
        buffer_put(&heads->head, event->body.bytes);
    } else if (event->kind == IMAP_CLIENT_EVENT_FETCH) {
        if ((event->message.said & IMAP_CLIENT_SAID_UID) && buffer_len(&heads->head) > 0 &&
            client_folder_find(heads->folder, event->message.uid, &index))
            heads->fn(heads->context, index, buffer_slice(&heads->head));
        buffer_clear(&heads->head);
    }
}

static bool
read_heads(struct client_folder *folder, struct client_chosen chosen, client_head_fn fn,
           void *context, struct client_problem *problem)
{
    struct imap_client_question question = {
        .command = IMAP_CLIENT_FETCH,
        .text = SLICE("BODY.PEEK[HEADER]"),
    };
    struct heads heads = {.folder = folder, .fn = fn, .context = context};

    buffer_init(&heads.head, CLIENT_MESSAGE_MAX);
    bool is_good = ask_of_each(folder, chosen, question, take_head, &heads, problem);
    buffer_finish(&heads.head);
    return is_good;
}

/* ---- changing ------------------------------------------------------------------------------ */

static bool
store(struct client_folder *folder, struct client_chosen chosen, const char *sign, uint32_t flags,
      struct client_problem *problem)
{
    struct imap_client_question question = {.command = IMAP_CLIENT_STORE,
                                            .text = slice_of_string(sign)};
    struct buffer names;

    buffer_init(&names, SET_MAX);
    client_imap_put_flags(((struct imap *)folder->state)->session, flags, &names);
    question.flags = buffer_slice(&names);
    bool is_good =
        question.flags.len == 0 || ask_of_each(folder, chosen, question, NULL, NULL, problem);
    buffer_finish(&names);
    return is_good;
}

static bool
flag_letters(struct client_folder *folder, struct client_chosen chosen, uint32_t add,
             uint32_t remove, struct client_problem *problem)
{
    if (!store(folder, chosen, "+", add, problem) || !store(folder, chosen, "-", remove, problem))
        return false;
    for (size_t i = 0; i < chosen.count; i++) {
        uint32_t *flags = &folder->letters[chosen.indexes[i]].flags;
        *flags = (*flags | add) & ~remove;
    }
    return true;
}

/* \Deleted, then gone: only these where the server has UIDPLUS, else all that is so marked. */
static bool
remove_letters(struct client_folder *folder, struct client_chosen chosen,
               struct client_problem *problem)
{
    struct imap *imap = folder->state;
    struct imap_client_question question = {.command = IMAP_CLIENT_EXPUNGE};

    if (!store(folder, chosen, "+", CLIENT_DELETED, problem))
        return false;
    if (client_imap_facts(imap->session).has_uidplus)
        return ask_of_each(folder, chosen, question, NULL, NULL, problem);
    return client_imap_ask(imap->session, &question, NULL, NULL, problem);
}

static bool
move_letters(struct client_folder *folder, struct client_chosen chosen, const char *to,
             struct client_problem *problem)
{
    struct imap *imap = folder->state;
    bool has_move = client_imap_facts(imap->session).has_move;
    struct slice name = slice_of_string(to);
    struct imap_client_question question = {
        .command = has_move ? IMAP_CLIENT_MOVE : IMAP_CLIENT_COPY, .mailbox = name};
    struct imap_client_question create = {.command = IMAP_CLIENT_CREATE, .mailbox = name};
    struct client_problem found = {0};

    if (!ask_of_each(folder, chosen, question, NULL, NULL, &found)) {
        if (found.kind != CLIENT_PROBLEM_MISSING ||
            !client_imap_ask(imap->session, &create, NULL, NULL, &found) ||
            !ask_of_each(folder, chosen, question, NULL, NULL, problem))
            return client_problem_set(problem, found.kind, "%s", found.text);
    }
    return has_move || remove_letters(folder, chosen, problem);
}

/* ---- searching ----------------------------------------------------------------------------- */

struct search {
    struct client_folder *folder;
    struct imap *imap;
    size_t count;
};

/* The index of the first message whose id is not smaller: ids grow. */
static size_t
first_from(const struct client_folder *folder, uint32_t id)
{
    size_t low = 0, high = folder->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (folder->letters[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void
take_numbers(void *context, const struct imap_client_event *event)
{
    struct search *search = context;
    struct client_folder *folder = search->folder;

    if (event->kind != IMAP_CLIENT_EVENT_NUMBERS)
        return;
    for (size_t i = first_from(folder, event->first); i < folder->count; i++) {
        if (folder->letters[i].id > event->last || search->count == folder->count)
            break;
        search->imap->found[search->count++] = i;
    }
}

static int
by_index(const void *left, const void *right)
{
    size_t l = *(const size_t *)left, r = *(const size_t *)right;

    return l < r ? -1 : l > r;
}

static bool
search_letters(struct client_folder *folder, const char *field, struct slice text,
               struct client_chosen *ret_found, struct client_problem *problem)
{
    struct imap *imap = folder->state;
    struct imap_client_term term = {
        .key = slice_of_string(field ? field : "TEXT"), .has_text = true, .text = text};
    struct imap_client_question question = {
        .command = IMAP_CLIENT_SEARCH, .terms = &term, .terms_count = 1};
    struct search search = {.folder = folder, .imap = imap};

    free(imap->found);
    imap->found = calloc(folder->count + 1, sizeof(*imap->found));
    if (!imap->found)
        abort();
    if (!client_imap_ask(imap->session, &question, take_numbers, &search, problem))
        return false;
    qsort(imap->found, search.count, sizeof(*imap->found), by_index);
    *ret_found = (struct client_chosen){.indexes = imap->found, .count = search.count};
    return true;
}

/* ---- opening and closing ------------------------------------------------------------------- */

static void
close_folder(struct client_folder *folder)
{
    struct imap *imap = folder->state;

    client_imap_close(&imap->session);
    free(imap->found);
    free(imap);
}

static const struct folder_kind kind = {.read = read_letter,
                                        .heads = read_heads,
                                        .flag = flag_letters,
                                        .remove = remove_letters,
                                        .move = move_letters,
                                        .search = search_letters,
                                        .close = close_folder};

static void
take_letter(void *context, const struct imap_client_event *event)
{
    struct client_folder *folder = context;
    const struct imap_client_message *message = &event->message;

    if (event->kind != IMAP_CLIENT_EVENT_FETCH || !(message->said & IMAP_CLIENT_SAID_UID))
        return;
    struct client_letter *letter = folder_add(folder);
    letter->id = message->uid;
    letter->size = message->size;
    letter->received = message->date;
    letter->flags = client_imap_flags(message);
}

static int
by_id(const void *left, const void *right)
{
    const struct client_letter *l = left, *r = right;

    return l->id < r->id ? -1 : l->id > r->id;
}

/* A UID is for ever, together with its UIDVALIDITY. */
static bool
name_letters(struct client_folder *folder, struct client_problem *problem)
{
    struct imap *imap = folder->state;
    uint32_t validity = client_imap_mailbox(imap->session).status.uid_validity;
    struct buffer name;

    buffer_init(&name, 32);
    for (size_t i = 0; i < folder->count; i++) {
        buffer_clear(&name);
        buffer_put_decimal(&name, validity);
        buffer_put_byte(&name, '.');
        buffer_put_decimal(&name, folder->letters[i].id);
        folder->letters[i].unique = arena_copy_string(&folder->arena, buffer_slice(&name));
    }
    buffer_finish(&name);
    return !arena_failed(&folder->arena) ||
           client_problem_set(problem, CLIENT_PROBLEM_TOO_LARGE, "%s: too many messages",
                              folder->path);
}

bool
folder_open_imap(struct client_folder *folder, struct client_problem *problem)
{
    struct imap *imap = calloc(1, sizeof(*imap));
    struct imap_client_question select = {.command = folder->is_read_only ? IMAP_CLIENT_EXAMINE
                                                                          : IMAP_CLIENT_SELECT,
                                          .mailbox = slice_of_string(folder->path)};
    struct imap_client_question fetch = {.command = IMAP_CLIENT_FETCH,
                                         .uids = SLICE("1:*"),
                                         .text = SLICE("FLAGS RFC822.SIZE INTERNALDATE")};
    size_t kept = 0;

    if (!imap)
        abort();
    folder->kind = &kind;
    folder->state = imap;
    imap->session = client_imap_open(folder->login, problem);
    if (!imap->session || !client_imap_ask(imap->session, &select, NULL, NULL, problem))
        return false;
    if (client_imap_mailbox(imap->session).status.messages > 0 &&
        !client_imap_ask(imap->session, &fetch, take_letter, folder, problem))
        return false;
    if (folder->count > 0)
        qsort(folder->letters, folder->count, sizeof(*folder->letters), by_id);
    for (size_t i = 1; i < folder->count; i++) { /* a server may say things twice */
        if (folder->letters[i].id != folder->letters[kept].id)
            folder->letters[++kept] = folder->letters[i];
    }
    folder->count = folder->count > 0 ? kept + 1 : 0;
    return name_letters(folder, problem);
}
