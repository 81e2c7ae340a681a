/* SPDX-License-Identifier: ISC */
/* LIST and LSUB: RFC 9051 §6.3.9, RFC 5258 (selection and return options), RFC 5819 (STATUS),
 * RFC 6154 (SPECIAL-USE), RFC 8440 (MYRIGHTS), RFC 9590 (METADATA). */
#include "imap/annotation.h"
#include "imap/rights.h"
#include "imap/status.h"
#include "imap/use.h"

enum { PATTERNS_MAX = 50 };

enum option {
    OPTION_SUBSCRIBED = 1,
    OPTION_REMOTE = 2,
    OPTION_RECURSIVE = 4,
    OPTION_SPECIAL_USE = 8,
    OPTION_CHILDREN = 16,
    OPTION_STATUS = 32,
    OPTION_METADATA = 64,
    OPTION_MYRIGHTS = 128,
};

struct list_task {
    struct imap_rows rows;
    unsigned select, give;
    uint32_t items;
    struct imap_entries entries; /* of METADATA */
    struct imap_annotations annotations;
    bool is_lsub, is_extended, is_hierarchy_asked;
    size_t pattern_count, next;
    struct slice patterns[PATTERNS_MAX];
    struct slice last_parent; /* that is not there, and was listed */
};

/* ---- what the client wants ------------------------------------------------------------------- */

static bool
take_option(struct cursor *cursor, unsigned *options)
{
    static const struct {
        struct slice name;
        unsigned bit;
    } names[] = {
        {{(const uint8_t *)"SUBSCRIBED", 10}, OPTION_SUBSCRIBED},
        {{(const uint8_t *)"REMOTE", 6}, OPTION_REMOTE},
        {{(const uint8_t *)"RECURSIVEMATCH", 14}, OPTION_RECURSIVE},
        {{(const uint8_t *)"SPECIAL-USE", 11}, OPTION_SPECIAL_USE},
        {{(const uint8_t *)"CHILDREN", 8}, OPTION_CHILDREN},
        {{(const uint8_t *)"STATUS", 6}, OPTION_STATUS},
        {{(const uint8_t *)"METADATA", 8}, OPTION_METADATA},
        {{(const uint8_t *)"MYRIGHTS", 8}, OPTION_MYRIGHTS},
    };

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (imap_take_word(cursor, names[i].name)) {
            *options |= names[i].bit;
            return true;
        }
    }
    return false;
}

/* list-select-opts = "(" [list-select-opt *(SP list-select-opt)] ")" */
static bool
take_selection(struct cursor *cursor, struct list_task *task)
{
    if (!cursor_take_byte(cursor, '('))
        return true;
    task->is_extended = true;
    while (!cursor_take_byte(cursor, ')')) {
        (void)!imap_take_space(cursor);
        if (!take_option(cursor, &task->select))
            return false;
    }
    /* RECURSIVEMATCH needs something to look for (RFC 5258 §3). */
    if (task->select & (OPTION_CHILDREN | OPTION_STATUS | OPTION_METADATA | OPTION_MYRIGHTS) ||
        (task->select & OPTION_RECURSIVE && !(task->select & OPTION_SUBSCRIBED)))
        return false;
    return imap_take_space(cursor);
}

static bool
take_pattern(struct imap_server *server, struct cursor *cursor, struct slice reference,
             struct list_task *task)
{
    struct slice sent, pattern;
    struct buffer joined;

    if (imap_over(server, task->pattern_count == PATTERNS_MAX, "[LIMIT] too many patterns") ||
        !imap_take_list_mailbox(cursor, &server->arena, &sent))
        return false;
    task->is_hierarchy_asked = sent.len == 0;
    buffer_init(&joined, (size_t)2 * IMAP_COMMAND_MAX);
    buffer_put(&joined, reference);
    buffer_put(&joined, sent);
    struct slice whole = arena_copy(&server->arena, buffer_slice(&joined));
    buffer_finish(&joined);
    if (!imap_pattern_decode(whole, imap_is_utf8(server), &server->arena, &pattern))
        pattern = whole; /* it matches nothing */
    task->patterns[task->pattern_count++] = pattern;
    return true;
}

static bool
take_patterns(struct imap_server *server, struct cursor *cursor, struct slice reference,
              struct list_task *task)
{
    if (!cursor_take_byte(cursor, '('))
        return take_pattern(server, cursor, reference, task);
    task->is_extended = true;
    do {
        if (!take_pattern(server, cursor, reference, task))
            return false;
    } while (imap_take_space(cursor));
    task->is_hierarchy_asked = false;
    return cursor_take_byte(cursor, ')');
}

/* SP "RETURN" SP "(" [return-option *(SP return-option)] ")" */
static bool
take_returns(struct imap_server *server, struct cursor *cursor, struct list_task *task)
{
    if (!imap_take_space(cursor))
        return true;
    task->is_extended = true;
    if (!imap_take_word(cursor, SLICE("RETURN")) || !imap_take_space(cursor) ||
        !cursor_take_byte(cursor, '('))
        return false;
    while (!cursor_take_byte(cursor, ')')) {
        unsigned before = task->give;
        (void)!imap_take_space(cursor);
        if (!take_option(cursor, &task->give))
            return false;
        if (task->give & ~before & OPTION_STATUS &&
            (!imap_take_space(cursor) || !imap_take_status_items(cursor, &task->items)))
            return false;
        if (task->give & ~before & OPTION_METADATA &&
            (!imap_take_space(cursor) || !imap_take_entries(server, cursor, &task->entries)))
            return false;
    }
    return !(task->give & (OPTION_REMOTE | OPTION_RECURSIVE));
}

/* ---- what is there --------------------------------------------------------------------------- */

/* The first row whose name is not before `name` with a slash behind it. */
static size_t
first_inferior(const struct imap_rows *rows, struct slice name)
{
    size_t low = 0, high = rows->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct slice row = rows->at[middle].name;
        int order = slice_compare(slice_first(row, name.len), name);
        bool is_before =
            order < 0 || (order == 0 && (row.len == name.len || row.at[name.len] < '/'));
        if (is_before)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool
is_inferior(struct slice name, struct slice of)
{
    return name.len > of.len && slice_starts_with(name, of) && name.at[of.len] == '/';
}

static bool
has_inferior(const struct imap_rows *rows, struct slice name, bool is_subscribed_wanted)
{
    for (size_t i = first_inferior(rows, name);
         i < rows->count && is_inferior(rows->at[i].name, name); i++) {
        if (!is_subscribed_wanted || rows->at[i].is_subscribed)
            return true;
    }
    return false;
}

static bool
matches(const struct list_task *task, struct slice name)
{
    for (size_t i = 0; i < task->pattern_count; i++) {
        if (imap_pattern_matches(task->patterns[i], name))
            return true;
    }
    return false;
}

/* ---- responses ------------------------------------------------------------------------------- */

static void
put_attribute(struct buffer *out, bool *is_first, struct slice name)
{
    if (!*is_first)
        buffer_put_byte(out, ' ');
    *is_first = false;
    buffer_put(out, name);
}

static void
put_entry(struct imap_server *server, const struct list_task *task, struct slice name,
          const struct access_store_mailbox_row *row, bool is_child_info)
{
    struct buffer *out = &server->output;
    bool is_first = true;

    buffer_put_text(out, task->is_lsub ? "* LSUB (" : "* LIST (");
    if (!row)
        put_attribute(out, &is_first,
                      task->is_lsub || !task->is_extended ? SLICE("\\Noselect")
                                                          : SLICE("\\NonExistent"));
    if (row && row->is_subscribed && !task->is_lsub &&
        (task->select | task->give) & OPTION_SUBSCRIBED)
        put_attribute(out, &is_first, SLICE("\\Subscribed"));
    if (!task->is_lsub)
        put_attribute(out, &is_first,
                      has_inferior(&task->rows, name, false) ? SLICE("\\HasChildren")
                                                             : SLICE("\\HasNoChildren"));
    if (row && row->use != IMAP_USE_NONE && !task->is_lsub)
        put_attribute(out, &is_first, imap_use_name(row->use));
    buffer_put_text(out, ") \"/\" ");
    imap_put_name(server, name);
    if (is_child_info)
        buffer_put_text(out, " (\"CHILDINFO\" (\"SUBSCRIBED\"))");
    buffer_put_text(out, "\r\n");
    if (row && task->give & OPTION_MYRIGHTS)
        imap_put_my_rights(server, row);
    if (row && task->give & OPTION_STATUS && row->rights & IMAP_RIGHT_READ)
        imap_put_status(server, row, task->items);
    /* Annotations of all mailboxes are those of the session's own. */
    if (row && task->give & OPTION_METADATA && row->owner == 0)
        imap_put_metadata(server, row->name, row->mailbox, &task->entries, &task->annotations);
}

/* Levels above a mailbox that are no mailboxes themselves (RFC 9051 §6.3.9: "%" lists them). */
static void
put_parents(struct imap_server *server, struct list_task *task, struct slice name)
{
    for (size_t i = 1; i < name.len; i++) {
        struct slice parent = slice_first(name, i);
        if (name.at[i] != '/' || imap_rows_find(&task->rows, parent) ||
            slice_equal(parent, task->last_parent) || is_inferior(task->last_parent, parent) ||
            !matches(task, parent))
            continue;
        task->last_parent = parent;
        put_entry(server, task, parent, NULL, task->select & OPTION_RECURSIVE);
    }
}

static void
put_row(struct imap_server *server, struct list_task *task,
        const struct access_store_mailbox_row *row)
{
    bool is_subscribed_wanted = task->select & OPTION_SUBSCRIBED;
    bool is_wanted = (!is_subscribed_wanted || row->is_subscribed) &&
                     (!(task->select & OPTION_SPECIAL_USE) || row->use != IMAP_USE_NONE);
    bool is_child_info = task->select & OPTION_RECURSIVE &&
                         has_inferior(&task->rows, row->name, is_subscribed_wanted);

    if (matches(task, row->name) && (is_wanted || is_child_info))
        put_entry(server, task, row->name, row, is_child_info);
    else if (task->is_lsub && matches(task, row->name) &&
             has_inferior(&task->rows, row->name, true))
        put_entry(server, task, row->name, NULL, false);
    /* LSUB "" %: the level above stands for what is subscribed below it (RFC 3501 §6.3.9). */
    bool is_stood_for = task->is_lsub && !matches(task, row->name);
    if (is_wanted && !(task->select & OPTION_SPECIAL_USE) &&
        (!is_subscribed_wanted || task->select & OPTION_RECURSIVE || is_stood_for))
        put_parents(server, task, row->name);
}

static bool
put_rows(struct imap_server *server)
{
    struct list_task *task = server->task;

    while (task->next < task->rows.count) {
        if (!imap_has_room(server))
            return true;
        put_row(server, task, &task->rows.at[task->next++]);
    }
    imap_end(server, IMAP_OK, "that is all");
    return true;
}

static void
on_annotations(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    struct list_task *task = server->task;

    (void)blob;
    if (note->kind == ACCESS_STORE_ANNOTATIONS) {
        if (!imap_annotations_add(server, &task->annotations, &note->as.annotations))
            imap_end(server, IMAP_NO, "[LIMIT] too many annotations");
    } else if (note->as.done.result != ACCESS_STORE_RESULT_OK) {
        imap_end_result(server, note->as.done.result, "");
    } else {
        server->on_note = NULL;
        server->more = put_rows;
    }
}

static void
on_rows(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    struct list_task *task = server->task;

    (void)blob;
    if (note->kind == ACCESS_STORE_MAILBOXES) {
        if (!imap_rows_add(server, &task->rows, &note->as.mailboxes))
            imap_end(server, IMAP_NO, "[LIMIT] too many mailboxes");
    } else if (note->as.done.result != ACCESS_STORE_RESULT_OK) {
        imap_end_result(server, note->as.done.result, "");
    } else if (task->give & OPTION_METADATA) {
        imap_rows_sort(&task->rows);
        server->note.as.annotations_ask =
            (struct access_store_annotations_ask){.name = slice_of("", 0), .is_all = true};
        imap_ask(server, ACCESS_STORE_ANNOTATIONS_ASK, on_annotations);
    } else {
        imap_rows_sort(&task->rows);
        server->on_note = NULL;
        server->more = put_rows;
    }
}

static void
list(struct imap_server *server, struct cursor *cursor, bool is_lsub)
{
    struct list_task *task = imap_task(server, sizeof(*task));
    struct slice reference;

    task->is_lsub = is_lsub;
    task->select = is_lsub ? OPTION_SUBSCRIBED : 0;
    task->last_parent = slice_of("", 0);
    if (!imap_take_space(cursor) || (!is_lsub && !take_selection(cursor, task)) ||
        !imap_take_astring(cursor, &server->arena, &reference) || !imap_take_space(cursor) ||
        !take_patterns(server, cursor, reference, task) ||
        (!is_lsub && !take_returns(server, cursor, task)) || !imap_take_end(cursor)) {
        imap_bad(server, is_lsub ? "expected: LSUB reference pattern"
                                 : "expected: LIST [options] reference patterns [RETURN options]");
        return;
    }
    if (task->is_hierarchy_asked && !task->is_extended) { /* §6.3.9: only the delimiter */
        buffer_put_text(&server->output, is_lsub ? "* LSUB (\\Noselect) \"/\" \"\"\r\n"
                                                 : "* LIST (\\Noselect) \"/\" \"\"\r\n");
        imap_end(server, IMAP_OK, "that is all");
        return;
    }
    server->note.as.mailbox_list = (struct access_store_mailbox_list){
        .name = slice_of("", 0), .wants_deleted = imap_status_wants_deleted(task->items)};
    imap_ask(server, ACCESS_STORE_MAILBOX_LIST, on_rows);
}

void
imap_command_list(struct imap_server *server, struct cursor *cursor)
{
    list(server, cursor, false);
}

void
imap_command_lsub(struct imap_server *server, struct cursor *cursor)
{
    list(server, cursor, true);
}
