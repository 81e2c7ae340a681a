/* SPDX-License-Identifier: ISC */
/* GETMETADATA and SETMETADATA (RFC 5464). Entries below /shared and /private are kept alike: who
 * may see a mailbox decides. Of the server, clients may set /private only. */
#include "imap/annotation.h"

enum {
    VALUE_MAX = ACCESS_STORE_ANNOTATION_VALUE_MAX,
    SET_BYTES_MAX = 60000, /* of one command: it goes in one note */
    ROW_BYTES = 16,
};

/* ---- entries --------------------------------------------------------------------------------- */

static bool
is_entry(struct slice name)
{
    if (name.len < 2 || name.len > ACCESS_STORE_ANNOTATION_NAME_MAX || name.at[0] != '/' ||
        name.at[name.len - 1] == '/')
        return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t byte = name.at[i];
        if (byte <= 0x19 || byte >= 0x7F || byte == '*' || byte == '%' ||
            (byte == '/' && i > 0 && name.at[i - 1] == '/'))
            return false;
    }
    return true;
}

bool
imap_take_entry(struct imap_server *server, struct cursor *cursor, struct slice *ret_entry)
{
    struct slice name;

    if (!imap_take_astring(cursor, &server->arena, &name) || !is_entry(name))
        return false;
    uint8_t *small = arena_new(&server->arena, name.len);
    if (!small)
        return false;
    for (size_t i = 0; i < name.len; i++)
        small[i] = byte_to_lower(name.at[i]);
    *ret_entry = slice_of(small, name.len);
    return true;
}

bool
imap_take_entries(struct imap_server *server, struct cursor *cursor,
                  struct imap_entries *ret_entries)
{
    ret_entries->count = 0;
    if (!cursor_take_byte(cursor, '('))
        return false;
    do {
        if (imap_over(server, ret_entries->count == IMAP_ENTRIES_MAX,
                      "[LIMIT] too many annotations") ||
            !imap_take_entry(server, cursor, &ret_entries->at[ret_entries->count++]))
            return false;
    } while (imap_take_space(cursor));
    return cursor_take_byte(cursor, ')');
}

/* ---- what the store has told ----------------------------------------------------------------- */

bool
imap_annotations_add(struct imap_server *server, struct imap_annotations *all,
                     const struct access_store_annotations *note)
{
    if (all->count + note->rows.count > all->size) {
        size_t size = (all->size + note->rows.count) * 2;
        struct access_store_annotation *at =
            ARENA_ARRAY(&server->arena, struct access_store_annotation, size);
        if (!at)
            return false;
        if (all->count > 0)
            memcpy(at, all->at, all->count * sizeof(*at));
        all->at = at;
        all->size = size;
    }
    for (size_t i = 0; i < note->rows.count; i++) {
        struct access_store_annotation row = note->rows.at[i];
        row.name = arena_copy(&server->arena, row.name);
        row.value = arena_copy(&server->arena, row.value);
        all->at[all->count++] = row;
    }
    return !arena_failed(&server->arena);
}

const struct access_store_annotation *
imap_annotations_find(const struct imap_annotations *all, uint32_t mailbox, struct slice name)
{
    size_t low = 0, high = all->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct access_store_annotation *row = &all->at[middle];
        int order = row->mailbox != mailbox ? (row->mailbox < mailbox ? -1 : 1)
                                            : slice_compare(row->name, name);
        if (order == 0)
            return row;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static void
put_value(struct buffer *out, struct slice value)
{
    if (slice_find_byte(value, 0) < value.len) {
        imap_put_number(out, "~{", value.len, "}\r\n");
        buffer_put(out, value);
    } else {
        imap_put_string(out, value);
    }
}

static void
put_head(struct imap_server *server, struct slice name)
{
    buffer_put_text(&server->output, "* METADATA ");
    if (name.len == 0)
        buffer_put_text(&server->output, "\"\"");
    else
        imap_put_name(server, name);
    buffer_put_text(&server->output, " (");
}

void
imap_put_metadata(struct imap_server *server, struct slice name, uint32_t mailbox,
                  const struct imap_entries *entries, const struct imap_annotations *all)
{
    struct buffer *out = &server->output;

    put_head(server, name);
    for (size_t i = 0; i < entries->count; i++) {
        const struct access_store_annotation *row =
            imap_annotations_find(all, mailbox, entries->at[i]);
        if (i > 0)
            buffer_put_byte(out, ' ');
        imap_put_astring(out, entries->at[i]);
        buffer_put_byte(out, ' ');
        if (row)
            put_value(out, row->value);
        else
            buffer_put_text(out, "NIL");
    }
    buffer_put_text(out, ")\r\n");
}

/* ---- GETMETADATA ----------------------------------------------------------------------------- */

enum depth { DEPTH_0, DEPTH_1, DEPTH_INFINITY };

struct get_task {
    struct slice name;
    bool has_max;
    uint32_t max; /* octets of a value */
    enum depth depth;
    struct imap_entries entries;
    struct imap_annotations all;
    size_t next, put;
    uint32_t longest; /* that was over max */
};

static bool
take_option(struct cursor *cursor, struct get_task *task)
{
    if (imap_take_word(cursor, SLICE("MAXSIZE"))) {
        task->has_max = true;
        return imap_take_space(cursor) && cursor_take_u32(cursor, 0, UINT32_MAX, &task->max);
    }
    if (!imap_take_word(cursor, SLICE("DEPTH")) || !imap_take_space(cursor))
        return false;
    task->depth = DEPTH_INFINITY;
    if (imap_take_word(cursor, SLICE("infinity")))
        return true;
    task->depth = cursor_peek(cursor) == '1' ? DEPTH_1 : DEPTH_0;
    return cursor_take_byte(cursor, '0') || cursor_take_byte(cursor, '1');
}

/* ["(" getmetadata-option *(SP getmetadata-option) ")" SP]; entries begin with a slash or a quote.
 */
static bool
take_options(struct cursor *cursor, struct get_task *task)
{
    struct cursor ahead = *cursor;

    if (!cursor_take_byte(&ahead, '(') || !byte_is_alpha((uint8_t)cursor_peek(&ahead)))
        return true;
    *cursor = ahead;
    do {
        if (!take_option(cursor, task))
            return false;
    } while (imap_take_space(cursor));
    return cursor_take_byte(cursor, ')') && imap_take_space(cursor);
}

/* True when the row is what was asked for, or lies as deep below it as was asked. */
static bool
is_wanted(const struct get_task *task, struct slice name)
{
    for (size_t i = 0; i < task->entries.count; i++) {
        struct slice entry = task->entries.at[i];
        if (slice_equal(name, entry))
            return true;
        if (task->depth == DEPTH_0 || name.len <= entry.len || !slice_starts_with(name, entry) ||
            name.at[entry.len] != '/')
            continue;
        struct slice below = slice_skip(name, entry.len + 1);
        if (task->depth == DEPTH_INFINITY || slice_find_byte(below, '/') == below.len)
            return true;
    }
    return false;
}

static void
put_row(struct imap_server *server, const struct access_store_annotation *row)
{
    struct get_task *task = server->task;
    struct buffer *out = &server->output;

    if (task->has_max && row->value.len > task->max) {
        if (row->value.len > task->longest)
            task->longest = (uint32_t)row->value.len;
        return;
    }
    put_head(server, task->name);
    imap_put_astring(out, row->name);
    buffer_put_byte(out, ' ');
    put_value(out, row->value);
    buffer_put_text(out, ")\r\n");
    task->put++;
}

static bool
put_rows(struct imap_server *server)
{
    struct get_task *task = server->task;
    struct imap_annotations none = {0};

    for (; task->next < task->all.count; task->next++) {
        if (!imap_has_room(server))
            return true;
        if (is_wanted(task, task->all.at[task->next].name))
            put_row(server, &task->all.at[task->next]);
    }
    if (task->put == 0 && task->longest == 0 && task->depth == DEPTH_0)
        imap_put_metadata(server, task->name, 0, &task->entries, &none);
    if (task->longest > 0)
        imap_put_number(&server->text, "[METADATA LONGENTRIES ", task->longest, "] ");
    imap_end(server, IMAP_OK, "done");
    return true;
}

static void
on_annotations(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    struct get_task *task = server->task;

    (void)blob;
    if (note->kind == ACCESS_STORE_ANNOTATIONS) {
        if (!imap_annotations_add(server, &task->all, &note->as.annotations))
            imap_end(server, IMAP_NO, "[LIMIT] too much at once");
    } else if (note->as.done.result != ACCESS_STORE_RESULT_OK) {
        imap_end_result(server, note->as.done.result, "");
    } else {
        server->on_note = NULL;
        server->more = put_rows;
    }
}

/* A mailbox, or "" for the server; false for what is neither. */
static bool
take_owner(struct imap_server *server, struct cursor *cursor, struct slice *ret_name)
{
    struct slice sent;

    if (!imap_take_astring(cursor, &server->arena, &sent))
        return false;
    if (sent.len == 0)
        *ret_name = sent;
    else if (!imap_name_decode(sent, imap_is_utf8(server), &server->arena, ret_name) ||
             ret_name->len > ACCESS_STORE_ANNOTATIONS_ASK_NAME_MAX)
        *ret_name = SLICE("\n"); /* nothing has that name */
    return true;
}

void
imap_command_getmetadata(struct imap_server *server, struct cursor *cursor)
{
    struct get_task *task = imap_task(server, sizeof(*task));
    bool is_good = imap_take_space(cursor) && take_options(cursor, task) &&
                   take_owner(server, cursor, &task->name) && imap_take_space(cursor) &&
                   take_options(cursor, task);

    if (is_good && cursor_peek(cursor) == '(') {
        is_good = imap_take_entries(server, cursor, &task->entries);
    } else if (is_good) {
        task->entries.count = 1;
        is_good = imap_take_entry(server, cursor, &task->entries.at[0]);
    }
    if (!is_good || !imap_take_end(cursor)) {
        imap_bad(server, "expected: GETMETADATA [(options)] mailbox entries");
        return;
    }
    server->note.as.annotations_ask = (struct access_store_annotations_ask){.name = task->name};
    imap_ask(server, ACCESS_STORE_ANNOTATIONS_ASK, on_annotations);
}

/* ---- SETMETADATA ----------------------------------------------------------------------------- */

struct set_task {
    struct slice name;
    struct access_store_annotation rows[IMAP_ENTRIES_MAX];
    size_t count, bytes;
    const char *problem;
};

/* value = nstring / literal8 */
static bool
take_value(struct imap_server *server, struct cursor *cursor, struct access_store_annotation *row)
{
    struct slice value;

    if (!imap_take_nstring(cursor, &server->arena, &value))
        return false;
    row->has_value = value.at != NULL;
    row->value = row->has_value ? value : slice_of("", 0);
    return true;
}

static bool
take_rows(struct imap_server *server, struct cursor *cursor, struct set_task *task)
{
    if (!cursor_take_byte(cursor, '('))
        return false;
    do {
        struct access_store_annotation *row = &task->rows[task->count];
        if (imap_over(server, task->count == IMAP_ENTRIES_MAX, "[LIMIT] too many annotations") ||
            !imap_take_entry(server, cursor, &row->name) ||
            !imap_take_space(cursor) || !take_value(server, cursor, row))
            return false;
        bool is_private = slice_starts_with(row->name, SLICE("/private/"));
        if (!is_private && !slice_starts_with(row->name, SLICE("/shared/")))
            task->problem = "[CANNOT] entries begin with /private/ or /shared/";
        else if (!is_private && task->name.len == 0)
            task->problem = "[NOPERM] what all users share is not yours to set";
        task->bytes += row->name.len + row->value.len + ROW_BYTES;
        task->count++;
    } while (imap_take_space(cursor));
    return cursor_take_byte(cursor, ')');
}

static void
on_set(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    (void)blob;
    const struct set_task *task = server->task;

    for (size_t i = 0; note->as.done.result == ACCESS_STORE_RESULT_OK && i < task->count; i++)
        imap_notify_own_entry(server, task->name, task->rows[i].name);
    if (note->as.done.result == ACCESS_STORE_RESULT_LIMIT)
        imap_end(server, IMAP_NO, "[METADATA TOOMANY] there are too many");
    else
        imap_end_result(server, note->as.done.result, "done");
}

void
imap_command_setmetadata(struct imap_server *server, struct cursor *cursor)
{
    struct set_task *task = imap_task(server, sizeof(*task));

    if (!imap_take_space(cursor) || !take_owner(server, cursor, &task->name) ||
        !imap_take_space(cursor) || !take_rows(server, cursor, task) || !imap_take_end(cursor)) {
        imap_bad(server, "expected: SETMETADATA mailbox (entry value ...)");
        return;
    }
    for (size_t i = 0; i < task->count; i++) {
        if (task->rows[i].value.len <= VALUE_MAX)
            continue;
        imap_put_number(&server->text, "[METADATA MAXSIZE ", VALUE_MAX, "] ");
        imap_end(server, IMAP_NO, "that is too long");
        return;
    }
    if (task->problem || task->bytes > SET_BYTES_MAX) {
        imap_end(server, IMAP_NO, task->problem ? task->problem : "[LIMIT] too much at once");
        return;
    }
    server->note.as.annotations_set = (struct access_store_annotations_set){
        .name = task->name, .rows = {task->rows, task->count}};
    imap_ask(server, ACCESS_STORE_ANNOTATIONS_SET, on_set);
}
