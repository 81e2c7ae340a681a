/* SPDX-License-Identifier: ISC */
/* A shelf on an IMAP server. Opening a folder asks for UIDs and for what is unseen, nothing else:
 * 100,000 messages are a few lines where the server has ESEARCH (RFC 4731). The list of UIDs is in
 * the order of sequence numbers, so what the server says of numbers (EXPUNGE, FETCH) can be told.
 */
#include "base/cursor.h"
#include "client/imap.h"
#include "client/shelf_private.h"

#include <inttypes.h>
#include <stdlib.h>

enum { SET_MAX = 64 * 1024 - 1024, SET_IDS_MAX = 500 };

#define HEAD_ITEMS                                                                                 \
    "FLAGS RFC822.SIZE INTERNALDATE BODY.PEEK[HEADER.FIELDS (FROM TO CC SUBJECT DATE MESSAGE-ID "  \
    "IN-REPLY-TO REFERENCES CONTENT-TYPE)]"

struct imap {
    struct client_imap *session;
    bool has_arrivals; /* EXISTS said more than are listed */
    char code[128];    /* COPYUID of MOVE comes before the reply (RFC 6851 §4.3) */
    /* of the question that runs */
    client_shelf_head_fn head_fn;
    client_shelf_found_fn found_fn;
    void *head_context, *found_context;
    struct buffer *body; /* takes what BODY brings */
    struct buffer head;
    bool has_body;
    struct client_shelf_list *list;
    struct client_shelf_folder *counted;
};

/* ---- what the server tells ----------------------------------------------------------------- */

static void
take_fetch(struct client_shelf *shelf, const struct imap_client_message *message)
{
    struct imap *imap = shelf->state;
    uint32_t flags = client_imap_flags(message);
    size_t index;

    if (message->said & IMAP_CLIENT_SAID_UID) {
        if (!shelf_find(shelf, message->uid, &index))
            return;
    } else if (message->number == 0 || message->number > shelf->count) {
        return;
    } else {
        index = message->number - 1;
    }
    if (message->said & IMAP_CLIENT_SAID_FLAGS)
        shelf_set_flags(shelf, index, flags);
    if (imap->head_fn && buffer_len(&imap->head) > 0) {
        struct client_shelf_head head = {.id = shelf->items[index].id,
                                         .flags = shelf->items[index].flags,
                                         .size = message->size,
                                         .received = message->date,
                                         .head = buffer_slice(&imap->head)};
        imap->head_fn(imap->head_context, &head);
    }
    buffer_clear(&imap->head);
}

static void
take_gone(struct client_shelf *shelf, uint32_t first, uint32_t last)
{
    for (size_t i = shelf->count; i-- > 0;) {
        if (shelf->items[i].id >= first && shelf->items[i].id <= last)
            shelf_remove(shelf, i);
    }
}

static void
take_folder(struct imap *imap, const struct imap_client_event *event)
{
    static const struct {
        uint32_t attribute;
        enum client_use use;
    } rows[] = {{IMAP_CLIENT_DRAFTS, CLIENT_USE_DRAFTS},
                {IMAP_CLIENT_SENT, CLIENT_USE_SENT},
                {IMAP_CLIENT_ARCHIVE, CLIENT_USE_ARCHIVE},
                {IMAP_CLIENT_JUNK, CLIENT_USE_JUNK},
                {IMAP_CLIENT_TRASH, CLIENT_USE_TRASH}};
    enum client_use use = CLIENT_USE_NONE;

    if (!imap->list || (event->attributes & IMAP_CLIENT_NOSELECT) ||
        slice_find_byte(event->name, 0) < event->name.len)
        return;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        use = event->attributes & rows[i].attribute ? rows[i].use : use;
    shelf_list_add(imap->list, event->name, use, (char)event->delimiter);
}

static void
take_body(struct imap *imap, const struct imap_client_body *body)
{
    struct buffer *out = imap->body ? imap->body : &imap->head;

    if (body->offset == 0)
        buffer_clear(out);
    buffer_put(out, body->bytes);
    imap->has_body = true;
}

static void
take_status(struct client_shelf_folder *folder, const struct imap_client_status *status)
{
    if (!folder)
        return;
    folder->is_counted = true;
    folder->messages = status->messages;
    folder->unseen = status->unseen;
}

static void
take(void *context, const struct imap_client_event *event)
{
    struct client_shelf *shelf = context;
    struct imap *imap = shelf->state;

    switch ((int)event->kind) {
    case IMAP_CLIENT_EVENT_EXISTS:
        imap->has_arrivals = imap->has_arrivals || event->number > shelf->count;
        break;
    case IMAP_CLIENT_EVENT_EXPUNGE:
        if (event->number > 0 && event->number <= shelf->count)
            shelf_remove(shelf, event->number - 1);
        break;
    case IMAP_CLIENT_EVENT_VANISHED:
        take_gone(shelf, event->first, event->last);
        break;
    case IMAP_CLIENT_EVENT_FETCH:
        take_fetch(shelf, &event->message);
        break;
    case IMAP_CLIENT_EVENT_BODY:
        take_body(imap, &event->body);
        break;
    case IMAP_CLIENT_EVENT_LIST:
        take_folder(imap, event);
        break;
    case IMAP_CLIENT_EVENT_STATUS:
        take_status(imap->counted, &event->status);
        break;
    case IMAP_CLIENT_EVENT_NUMBERS:
        for (uint32_t id = event->first; imap->found_fn; id++) {
            imap->found_fn(imap->found_context, id);
            if (id == event->last)
                break;
        }
        break;
    case IMAP_CLIENT_EVENT_NOTICE:
        if (slice_starts_with_nocase(event->code, SLICE("COPYUID ")))
            (void)snprintf(imap->code, sizeof(imap->code), "%.*s", CLIENT_TEXT(event->code));
        break;
    default: /* what we have not asked for */
        break;
    }
}

/* ---- asking -------------------------------------------------------------------------------- */

static bool
search(struct client_shelf *shelf, const char *key, const struct slice *text,
       client_shelf_found_fn fn, void *context, struct client_problem *problem)
{
    struct imap *imap = shelf->state;
    struct imap_client_term term = {
        .key = slice_of_string(key), .has_text = text != NULL, .text = text ? *text : SLICE("")};
    struct imap_client_question question = {
        .command = IMAP_CLIENT_SEARCH, .terms = &term, .terms_count = 1};

    imap->found_fn = fn;
    imap->found_context = context;
    bool is_good = client_imap_ask(imap->session, &question, take, shelf, problem);
    imap->found_fn = NULL;
    return is_good;
}

struct arrivals {
    struct client_shelf *shelf;
    uint32_t last; /* known before */
};

static void
take_arrival(void *context, uint32_t id)
{
    struct arrivals *arrivals = context;

    if (id > arrivals->last)
        shelf_add(arrivals->shelf, id, 0);
}

/* Lists what is new; when that does not add up, the server is asked for all of it again. */
static bool
look_for_arrivals(struct client_shelf *shelf, struct client_problem *problem)
{
    struct imap *imap = shelf->state;
    struct arrivals arrivals = {.shelf = shelf};
    char key[40];

    if (!imap->has_arrivals)
        return true;
    imap->has_arrivals = false;
    arrivals.last = shelf->count > 0 ? shelf->items[shelf->count - 1].id : 0;
    (void)snprintf(key, sizeof(key), "UID %" PRIu32 ":*", arrivals.last + 1);
    return search(shelf, key, NULL, take_arrival, &arrivals, problem);
}

static bool
ask(struct client_shelf *shelf, const struct imap_client_question *question,
    struct client_problem *problem)
{
    struct imap *imap = shelf->state;

    imap->code[0] = '\0';
    imap->has_body = false;
    if (!client_imap_ask(imap->session, question, take, shelf, problem))
        return false;
    if (imap->code[0] == '\0')
        (void)snprintf(imap->code, sizeof(imap->code), "%.*s",
                       CLIENT_TEXT(client_imap_code(imap->session)));
    return !shelf->name || look_for_arrivals(shelf, problem);
}

/* Puts the first of these ids as a set, neighbours in the folder as ranges; returns how many. */
static size_t
put_set(const struct client_shelf *shelf, struct client_ids ids, struct buffer *out)
{
    size_t i = 0, index;

    buffer_clear(out);
    while (i < ids.count && i < SET_IDS_MAX) {
        uint32_t first = ids.ids[i++], last = first;
        if (!shelf_find(shelf, first, &index))
            continue; /* it has gone meanwhile */
        while (i < ids.count && ++index < shelf->count && shelf->items[index].id == ids.ids[i])
            last = ids.ids[i++];
        buffer_put_text(out, buffer_len(out) > 0 ? "," : "");
        buffer_put_decimal(out, first);
        if (last > first) {
            buffer_put_byte(out, ':');
            buffer_put_decimal(out, last);
        }
    }
    return i;
}

static bool
ask_of_each(struct client_shelf *shelf, struct client_ids ids, struct imap_client_question question,
            struct client_problem *problem)
{
    bool is_good = true;
    struct buffer set;

    buffer_init(&set, SET_MAX);
    while (is_good && ids.count > 0) {
        size_t count = put_set(shelf, ids, &set);
        ids.ids += count;
        ids.count -= count;
        question.uids = buffer_slice(&set);
        is_good = question.uids.len == 0 || ask(shelf, &question, problem);
    }
    buffer_finish(&set);
    return is_good;
}

/* ---- folders ------------------------------------------------------------------------------- */

static bool
list_folders(struct client_shelf *shelf, bool counts, struct client_shelf_list *list,
             struct client_problem *problem)
{
    struct imap *imap = shelf->state;
    struct imap_client_facts facts = client_imap_facts(imap->session);
    bool has_uses = facts.has_list_extended && facts.has_special_use;
    struct imap_client_question question = {.command = IMAP_CLIENT_LIST,
                                            .mailbox = SLICE(""),
                                            .other = SLICE("*"),
                                            .text = has_uses ? SLICE("SPECIAL-USE") : SLICE("")};

    imap->list = list;
    bool is_good = ask(shelf, &question, problem);
    imap->list = NULL;
    for (size_t i = 0; is_good && counts && i < list->count; i++) {
        struct imap_client_question status = {.command = IMAP_CLIENT_STATUS,
                                              .mailbox = slice_of_string(list->folders[i].name),
                                              .text = SLICE("MESSAGES UNSEEN")};
        struct client_problem one = {0};
        imap->counted = &list->folders[i];
        /* A folder that cannot be counted is listed without numbers. */
        if (!client_imap_ask(imap->session, &status, take, shelf, &one) &&
            one.kind == CLIENT_PROBLEM_UNREACHABLE)
            is_good = client_problem_set(problem, one.kind, "%s", one.text);
    }
    imap->counted = NULL;
    return is_good;
}

static void
put_item(void *context, uint32_t id)
{
    shelf_put(context, id, CLIENT_SEEN);
}

static void
take_unseen(void *context, uint32_t id)
{
    struct client_shelf *shelf = context;
    size_t index;

    if (shelf_find(shelf, id, &index))
        shelf->items[index].flags &= ~(uint32_t)CLIENT_SEEN;
}

static bool
select_folder(struct client_shelf *shelf, struct client_problem *problem)
{
    struct imap *imap = shelf->state;
    struct imap_client_question question = {.command = IMAP_CLIENT_SELECT,
                                            .mailbox = slice_of_string(shelf->name)};
    bool has_esearch = client_imap_facts(imap->session).has_rev2;

    if (!client_imap_ask(imap->session, &question, NULL, NULL, problem))
        return false;
    imap->has_arrivals = false;
    uint32_t expected = client_imap_mailbox(imap->session).status.messages;
    if (expected == 0)
        return true;
    if (has_esearch && !search(shelf, "RETURN (ALL) ALL", NULL, put_item, shelf, problem))
        return false;
    /* Ranges may have holes: then every UID is asked for by itself. */
    if (shelf->count != client_imap_mailbox(imap->session).status.messages) {
        shelf->count = 0;
        if (!search(shelf, "ALL", NULL, put_item, shelf, problem))
            return false;
    }
    return search(shelf, has_esearch ? "RETURN (ALL) UNSEEN" : "UNSEEN", NULL, take_unseen, shelf,
                  problem);
}

/* ---- messages ------------------------------------------------------------------------------ */

static bool
fetch_heads(struct client_shelf *shelf, struct client_ids ids, client_shelf_head_fn fn,
            void *context, struct client_problem *problem)
{
    struct imap *imap = shelf->state;
    struct imap_client_question question = {.command = IMAP_CLIENT_FETCH,
                                            .text = SLICE(HEAD_ITEMS)};

    imap->head_fn = fn;
    imap->head_context = context;
    bool is_good = ask_of_each(shelf, ids, question, problem);
    imap->head_fn = NULL;
    return is_good;
}

static bool
read_message(struct client_shelf *shelf, uint32_t id, struct buffer *out,
             struct client_problem *problem)
{
    struct imap *imap = shelf->state;
    struct client_ids one = {.ids = &id, .count = 1};
    struct imap_client_question question = {.command = IMAP_CLIENT_FETCH,
                                            .text = SLICE("FLAGS BODY.PEEK[]")};

    imap->body = out;
    imap->has_body = false;
    bool is_good = ask_of_each(shelf, one, question, problem);
    imap->body = NULL;
    if (!is_good)
        return false;
    if (!imap->has_body)
        return client_problem_set(problem, CLIENT_PROBLEM_MISSING, "the message has gone");
    return !buffer_overflowed(out) ||
           client_problem_set(problem, CLIENT_PROBLEM_TOO_LARGE, "the message is too large");
}

static bool
store_flags(struct client_shelf *shelf, struct client_ids ids, const char *sign, uint32_t flags,
            struct client_problem *problem)
{
    struct imap_client_question question = {.command = IMAP_CLIENT_STORE,
                                            .text = slice_of_string(sign)};
    struct imap *imap = shelf->state;
    struct buffer names;

    buffer_init(&names, SET_MAX);
    client_imap_put_flags(imap->session, flags, &names);
    question.flags = buffer_slice(&names);
    bool is_good = question.flags.len == 0 || ask_of_each(shelf, ids, question, problem);
    buffer_finish(&names);
    return is_good;
}

static bool
flag_messages(struct client_shelf *shelf, struct client_ids ids, uint32_t add, uint32_t remove,
              struct client_problem *problem)
{
    size_t index;

    if (!store_flags(shelf, ids, "+", add, problem) ||
        !store_flags(shelf, ids, "-", remove, problem))
        return false;
    for (size_t i = 0; i < ids.count; i++) { /* STORE was silent */
        if (shelf_find(shelf, ids.ids[i], &index))
            shelf_set_flags(shelf, index, (shelf->items[index].flags | add) & ~remove);
    }
    return true;
}

/* Only these where the server has UIDPLUS, else all that is so marked. */
static bool
remove_messages(struct client_shelf *shelf, struct client_ids ids, struct client_problem *problem)
{
    struct imap *imap = shelf->state;
    struct imap_client_question question = {.command = IMAP_CLIENT_EXPUNGE};

    if (!store_flags(shelf, ids, "+", CLIENT_DELETED, problem))
        return false;
    return client_imap_facts(imap->session).has_uidplus ? ask_of_each(shelf, ids, question, problem)
                                                        : ask(shelf, &question, problem);
}

/* "COPYUID 38505 304,319:320 3956:3958" (RFC 4315 §3): what they are called there, when they
 * follow one another. */
static void
take_copy_uid(struct slice code, uint32_t *ret_first, uint32_t *ret_count)
{
    struct cursor cursor = cursor_of(slice_skip(code, slice_find_last_byte(code, ' ') + 1));
    uint32_t first, last;

    if (!slice_starts_with_nocase(code, SLICE("COPYUID ")) ||
        !cursor_take_u32(&cursor, 1, UINT32_MAX, &first))
        return;
    last = first;
    if (cursor_take_byte(&cursor, ':') && !cursor_take_u32(&cursor, first, UINT32_MAX, &last))
        return;
    if (!cursor_is_done(&cursor))
        return;
    *ret_first = first;
    *ret_count = last - first + 1;
}

static bool
create(struct client_shelf *shelf, const char *name, struct client_problem *problem)
{
    struct imap *imap = shelf->state;
    struct imap_client_question question = {.command = IMAP_CLIENT_CREATE,
                                            .mailbox = slice_of_string(name)};

    return client_imap_ask(imap->session, &question, take, shelf, problem);
}

static bool
move_messages(struct client_shelf *shelf, struct client_ids ids, const char *to,
              uint32_t *ret_first, uint32_t *ret_count, struct client_problem *problem)
{
    struct imap *imap = shelf->state;
    bool has_move = client_imap_facts(imap->session).has_move;
    struct imap_client_question question = {
        .command = has_move ? IMAP_CLIENT_MOVE : IMAP_CLIENT_COPY, .mailbox = slice_of_string(to)};
    struct client_problem found = {0};

    if (!ask_of_each(shelf, ids, question, &found) &&
        (found.kind != CLIENT_PROBLEM_MISSING || !create(shelf, to, problem) ||
         !ask_of_each(shelf, ids, question, problem)))
        return client_problem_set(problem, found.kind, "%s", found.text);
    if (ids.count <= SET_IDS_MAX)
        take_copy_uid(slice_of_string(imap->code), ret_first, ret_count);
    return has_move || remove_messages(shelf, ids, problem);
}

struct refreshing {
    struct client_shelf *shelf;
    uint32_t *ids; /* owned */
    size_t count, room;
};

static void
take_id(void *context, uint32_t id)
{
    struct refreshing *refreshing = context;

    if (refreshing->count == refreshing->room) {
        refreshing->room = refreshing->room ? refreshing->room * 2 : 256;
        uint32_t *ids = realloc(refreshing->ids, refreshing->room * sizeof(*ids));
        if (!ids)
            abort();
        refreshing->ids = ids;
    }
    refreshing->ids[refreshing->count++] = id;
}

/* Selects the folder again, and tells what has changed. */
static bool
select_again(struct client_shelf *shelf, struct client_problem *problem)
{
    struct imap *imap = shelf->state;
    struct refreshing refreshing = {.shelf = shelf};
    struct imap_client_question select = {.command = IMAP_CLIENT_SELECT,
                                          .mailbox = slice_of_string(shelf->name)};
    size_t index = 0;
    bool is_good = client_imap_ask(imap->session, &select, NULL, NULL, problem) &&
                   search(shelf, "ALL", NULL, take_id, &refreshing, problem);

    for (size_t i = 0; is_good && i <= refreshing.count; i++) { /* both ascend */
        uint32_t id = i < refreshing.count ? refreshing.ids[i] : UINT32_MAX;
        while (index < shelf->count && shelf->items[index].id < id)
            shelf_remove(shelf, index);
        if (index < shelf->count && shelf->items[index].id == id)
            index++;
        else if (i < refreshing.count && index == shelf->count) {
            shelf_add(shelf, id, CLIENT_SEEN);
            index = shelf->count;
        }
    }
    imap->has_arrivals = false;
    free(refreshing.ids);
    return is_good;
}

static bool
bring_back(struct client_shelf *shelf, const char *from, uint32_t first, uint32_t count,
           struct client_problem *problem)
{
    struct imap *imap = shelf->state;
    bool has_move = client_imap_facts(imap->session).has_move;
    struct imap_client_question select = {.command = IMAP_CLIENT_SELECT,
                                          .mailbox = slice_of_string(from)};
    struct imap_client_question move = {.command = has_move ? IMAP_CLIENT_MOVE : IMAP_CLIENT_COPY,
                                        .mailbox = slice_of_string(shelf->name)};
    struct imap_client_question mark = {
        .command = IMAP_CLIENT_STORE, .text = SLICE("+"), .flags = SLICE("\\Deleted")};
    struct imap_client_question expunge = {.command = IMAP_CLIENT_EXPUNGE};
    char set[32];

    if (first >= CLIENT_SHELF_OWN_ID) /* they were moved in a copy on this machine */
        return client_problem_set(problem, CLIENT_PROBLEM_REFUSED, "they are in %s", from);
    (void)snprintf(set, sizeof(set), "%" PRIu32 ":%" PRIu32, first, first + count - 1);
    move.uids = mark.uids = slice_of_string(set);
    expunge.uids = client_imap_facts(imap->session).has_uidplus ? slice_of_string(set) : SLICE("");
    bool is_good = client_imap_ask(imap->session, &select, NULL, NULL, problem) &&
                   client_imap_ask(imap->session, &move, NULL, NULL, problem) &&
                   (has_move || (client_imap_ask(imap->session, &mark, NULL, NULL, problem) &&
                                 client_imap_ask(imap->session, &expunge, NULL, NULL, problem)));
    struct client_problem back = {0};
    if (select_again(shelf, &back))
        return is_good;
    return client_problem_set(problem, back.kind, "%s", back.text);
}

static bool
add_message(struct client_shelf *shelf, const char *to, struct slice message, uint32_t flags,
            struct client_problem *problem)
{
    struct imap *imap = shelf->state;
    struct slice names = flags & CLIENT_DRAFT ? SLICE("\\Seen \\Draft") : SLICE("\\Seen");
    struct client_problem found = {0};
    uint32_t uid;

    imap->has_arrivals = true; /* it may be the folder that is open */
    if (client_imap_append(imap->session, slice_of_string(to), names, message, &uid, &found))
        return true;
    if (found.kind != CLIENT_PROBLEM_MISSING)
        return client_problem_set(problem, found.kind, "%s", found.text);
    return create(shelf, to, problem) &&
           client_imap_append(imap->session, slice_of_string(to), names, message, &uid, problem);
}

static bool
search_text(struct client_shelf *shelf, struct slice text, client_shelf_found_fn fn, void *context,
            struct client_problem *problem)
{
    return search(shelf, "TEXT", &text, fn, context, problem);
}

static bool
wait_for_change(struct client_shelf *shelf, struct instant deadline, int bell,
                struct client_problem *problem)
{
    struct imap *imap = shelf->state;

    client_imap_watch(imap->session, bell);
    bool is_good = client_imap_wait(imap->session, deadline, take, shelf, problem);
    client_imap_watch(imap->session, -1);
    return is_good && (!shelf->name || look_for_arrivals(shelf, problem));
}

/* ---- beginning and end --------------------------------------------------------------------- */

static void
close_shelf(struct client_shelf *shelf)
{
    struct imap *imap = shelf->state;

    client_imap_close(&imap->session);
    buffer_finish(&imap->head);
    free(imap);
}

static bool
is_connected(const struct client_shelf *shelf)
{
    const struct imap *imap = shelf->state;

    return client_imap_is_open(imap->session);
}

static uint32_t
validity(const struct client_shelf *shelf)
{
    const struct imap *imap = shelf->state;

    return client_imap_mailbox(imap->session).status.uid_validity;
}

static const struct shelf_kind kind = {
    .folders = list_folders,
    .select = select_folder,
    .validity = validity,
    .is_connected = is_connected,
    .heads = fetch_heads,
    .read = read_message,
    .flag = flag_messages,
    .remove = remove_messages,
    .move = move_messages,
    .bring = bring_back,
    .add = add_message,
    .search = search_text,
    .wait = wait_for_change,
    .close = close_shelf,
};

bool
shelf_open_imap(struct client_shelf *shelf, struct client_problem *problem)
{
    struct imap *imap = calloc(1, sizeof(*imap));

    if (!imap)
        abort();
    buffer_init(&imap->head, CLIENT_MESSAGE_MAX);
    shelf->kind = &kind;
    shelf->state = imap;
    imap->session = client_imap_open(shelf->login, problem);
    return imap->session != NULL;
}
