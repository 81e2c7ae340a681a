/* SPDX-License-Identifier: ISC */
#include "tool/mail/rows.h"

#include "base/cursor.h"
#include "message/summary.h"
#include "mime/encoded_word.h"
#include "text/date.h"
#include "text/utf8.h"
#include "tool/mail/branches.h"
#include "tool/mail/desk.h"
#include "tool/mail/view.h"
#include "tool/report.h"

#include <stdlib.h>
#include <unistd.h>

enum { HEAD_ARENA_MAX = 16 << 20, CELL_MAX = 64 * 1024, FROM_COLUMNS = 24, SUBJECT_COLUMNS = 56 };

struct row {
    struct buffer from, subject;
    struct wall date;
    bool has_come;
};

struct rows {
    struct client_folder *folder;
    const struct picked *picked;
    struct row *rows;          /* as picked */
    struct branches *branches; /* of conversations; NULL: the order as picked */
    bool is_json;
};

static void
put_person(const struct summary *summary, struct buffer *out)
{
    const struct address *first = summary->from.first;
    struct buffer text;

    if (!first)
        return;
    buffer_init(&text, CELL_MAX);
    struct slice label = address_label(first);
    if (label.len > 0)
        buffer_put(&text, label);
    else
        address_put_spec(&text, first);
    struct buffer decoded;
    buffer_init(&decoded, CELL_MAX);
    mime_encoded_words_decode(&decoded, buffer_slice(&text));
    utf8_put_printable(out, slice_trim(buffer_slice(&decoded)));
    buffer_finish(&decoded);
    buffer_finish(&text);
}

static int
by_index(const void *left, const void *right)
{
    size_t l = *(const size_t *)left, r = *(const size_t *)right;

    return l < r ? -1 : l > r;
}

static void
take_head(void *context, size_t index, struct slice head)
{
    struct rows *rows = context;
    struct summary summary;
    struct header header;
    struct arena arena;
    size_t *found =
        bsearch(&index, rows->picked->indexes, rows->picked->count, sizeof(index), by_index);
    size_t place = found ? (size_t)(found - rows->picked->indexes) : 0;

    if (!found || rows->rows[place].has_come)
        return;
    struct row *row = &rows->rows[place];
    row->has_come = true;
    arena_init(&arena, HEAD_ARENA_MAX);
    header_parse(&arena, head, &header);
    summary_gather(&arena, &header, &summary);
    put_person(&summary, &row->from);
    view_put_head_field(&header, FIELD_SUBJECT, &row->subject);
    if (summary.has_date)
        row->date = summary.date.wall;
    if (rows->branches)
        branches_add(rows->branches, place, &summary,
                     client_folder_letter(rows->folder, index)->received);
    arena_finish(&arena);
}

static struct slice
cut(struct slice text, size_t characters, bool is_json)
{
    struct cursor cursor = cursor_of(text);
    uint32_t character;

    if (is_json || !isatty(STDOUT_FILENO))
        return text;
    while (characters-- > 0 && utf8_take(&cursor, &character)) {
    }
    return slice_first(text, text.len - cursor_left(&cursor));
}

static void
put_flags(uint32_t flags, struct buffer *out)
{
    buffer_put_byte(out, flags & CLIENT_SEEN ? '-' : 'N');
    buffer_put_text(out, flags & CLIENT_ANSWERED ? "r" : "");
    buffer_put_text(out, flags & CLIENT_FLAGGED ? "!" : "");
    buffer_put_text(out, flags & CLIENT_DELETED ? "D" : "");
    buffer_put_text(out, flags & CLIENT_DRAFT ? "d" : "");
}

static void
report_flags(struct report *report, const struct client_letter *letter, bool is_json)
{
    struct buffer flags;

    buffer_init(&flags, 16);
    put_flags(letter->flags, &flags);
    if (is_json) {
        report_bool(report, "seen", (letter->flags & CLIENT_SEEN) != 0);
        report_bool(report, "answered", (letter->flags & CLIENT_ANSWERED) != 0);
        report_bool(report, "flagged", (letter->flags & CLIENT_FLAGGED) != 0);
        report_bool(report, "deleted", (letter->flags & CLIENT_DELETED) != 0);
        report_bool(report, "draft", (letter->flags & CLIENT_DRAFT) != 0);
    } else {
        report_text(report, "flags", buffer_slice(&flags));
    }
    buffer_finish(&flags);
}

static uint32_t
id_of(const struct rows *rows, size_t place)
{
    return client_folder_letter(rows->folder, rows->picked->indexes[place])->id;
}

/* `branch` is NULL in a plain list. */
static void
report_letter(struct report *report, const struct rows *rows, size_t place,
              const struct branch *branch)
{
    const struct client_letter *letter =
        client_folder_letter(rows->folder, rows->picked->indexes[place]);
    const struct row *row = &rows->rows[place];
    struct buffer subject;

    buffer_init(&subject, 2 * CELL_MAX);
    report_row(report);
    report_number(report, "id", letter->id);
    if (branch && rows->is_json && branch->parent != SIZE_MAX)
        report_number(report, "parent", id_of(rows, branch->parent));
    else if (branch && rows->is_json)
        report_nothing(report, "parent", "");
    if (branch && rows->is_json)
        report_number(report, "depth", branch->depth);
    report_flags(report, letter, rows->is_json);
    report_time(report, "date", row->date);
    report_size(report, "size", letter->size);
    report_text(report, "from", cut(buffer_slice(&row->from), FROM_COLUMNS, rows->is_json));
    if (branch && !rows->is_json)
        buffer_put_text(&subject, branch->line);
    buffer_put(&subject, buffer_slice(&row->subject));
    report_text(report, "subject", cut(buffer_slice(&subject), SUBJECT_COLUMNS, rows->is_json));
    buffer_finish(&subject);
}

static void
report_letters(struct report *report, const struct rows *rows)
{
    size_t count = 0;

    report_list(report, "messages");
    if (rows->branches) {
        const struct branch *drawn = branches_draw(rows->branches, &count);
        for (size_t i = 0; i < count; i++)
            report_letter(report, rows, drawn[i].place, &drawn[i]);
    } else {
        for (size_t i = 0; i < rows->picked->count; i++)
            report_letter(report, rows, i, NULL);
    }
    report_list_end(report);
}

static int
write_rows(struct rows *rows)
{
    const struct picked *picked = rows->picked;
    struct client_problem problem = {0};

    rows->rows = calloc(picked->count + 1, sizeof(*rows->rows));
    if (!rows->rows)
        abort();
    for (size_t i = 0; i < picked->count; i++) {
        buffer_init(&rows->rows[i].from, CELL_MAX);
        buffer_init(&rows->rows[i].subject, CELL_MAX);
    }
    bool is_good =
        client_folder_heads(rows->folder, pick_chosen(picked), take_head, rows, &problem);
    int code = is_good ? EX_OK : desk_tell(&problem);
    if (is_good) {
        struct report *report = report_open(rows->is_json);
        report_letters(report, rows);
        code = report_close(&report);
    }
    for (size_t i = 0; i < picked->count; i++) {
        buffer_finish(&rows->rows[i].from);
        buffer_finish(&rows->rows[i].subject);
    }
    free(rows->rows);
    return code;
}

int
rows_write(struct client_folder *folder, const struct picked *picked, bool is_json)
{
    struct rows rows = {.folder = folder, .picked = picked, .is_json = is_json};

    return write_rows(&rows);
}

int
rows_write_threads(struct client_folder *folder, const struct picked *picked, bool is_json)
{
    struct rows rows = {.folder = folder,
                        .picked = picked,
                        .branches = branches_new(picked->count),
                        .is_json = is_json};
    int code = write_rows(&rows);

    branches_finish(&rows.branches);
    return code;
}
