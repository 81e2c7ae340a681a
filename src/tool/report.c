/* SPDX-License-Identifier: ISC */
#include "tool/report.h"

#include "text/utf8.h"
#include "tool/json.h"
#include "tool/say.h"

#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

/* The widths of the columns are those of the first rows that are held. */
enum { CELL_MAX = 1 << 20, COLUMNS_MAX = 32, HELD_MAX = 1 << 30, HELD_ROWS_MAX = 1000 };

struct report {
    struct json_document *json; /* NULL: text */
    bool has_failed;
    bool is_in_list;
    const char *names[COLUMNS_MAX]; /* of the open list */
    bool is_number[COLUMNS_MAX];
    size_t widths[COLUMNS_MAX];
    const char *list_name;
    size_t columns;
    size_t column; /* of the next cell */
    size_t rows;
    size_t held_rows;    /* of these: in `cells` */
    size_t owed;         /* spaces that are written when something follows on the line */
    struct buffer cells; /* not written yet: 32-bit length and bytes, one after another */
};

struct report *
report_open(bool is_json)
{
    struct report *report = calloc(1, sizeof(*report));

    if (!report)
        abort();
    report->json = is_json ? json_document_open(stdout) : NULL;
    buffer_init(&report->cells, HELD_MAX);
    return report;
}

static void
write_text(struct report *report, struct slice text)
{
    if (fwrite(text.at, 1, text.len, stdout) != text.len)
        report->has_failed = true;
}

int
report_close(struct report **report)
{
    struct report *r = *report;

    if (r->json && !json_document_close(&r->json))
        r->has_failed = true;
    bool is_good = !r->has_failed && !buffer_overflowed(&r->cells) && fflush(stdout) == 0;
    buffer_finish(&r->cells);
    free(r);
    *report = NULL;
    return is_good ? EX_OK : say_output_failed();
}

/* ---- cells --------------------------------------------------------------------------------- */

static void
clean_cell(struct buffer *cell, struct slice value)
{
    buffer_init(cell, CELL_MAX);
    utf8_put_printable(cell, slice_first(value, CELL_MAX / 4));
}

static void
put_cell(struct report *report, const char *name, struct slice text, bool is_number)
{
    size_t column = report->column++;
    size_t width = utf8_length(text);

    assert(column < COLUMNS_MAX);
    if (column == report->columns) {
        assert(report->rows == 1);
        report->columns++;
        report->names[column] = name;
        report->is_number[column] = is_number;
        report->widths[column] = strlen(name);
    }
    if (width > report->widths[column])
        report->widths[column] = width;
    buffer_put_le32(&report->cells, (uint32_t)text.len);
    buffer_put(&report->cells, text);
}

static void
put_field(struct report *report, const char *name, struct slice text, bool is_number)
{
    if (report->is_in_list) {
        put_cell(report, name, text, is_number);
        return;
    }
    write_text(report, slice_of_string(name));
    write_text(report, SLICE(": "));
    write_text(report, text);
    write_text(report, SLICE("\n"));
}

/* ---- lists --------------------------------------------------------------------------------- */

void
report_list(struct report *report, const char *name)
{
    if (report->json)
        json_document_list(report->json, name);
    report->is_in_list = true;
    report->list_name = name;
    report->columns = report->column = report->rows = report->held_rows = 0;
    buffer_clear(&report->cells);
}

static void
pay_spaces(struct report *report)
{
    for (; report->owed > 0; report->owed--)
        write_text(report, SLICE(" "));
}

/* Numbers stand at the right, all else at the left; no spaces at the end of lines. */
static void
write_cell(struct report *report, size_t column, struct slice text)
{
    enum { GAP = 2 };
    size_t width = utf8_length(text);
    size_t space = report->widths[column] > width ? report->widths[column] - width : 0;

    report->owed += report->is_number[column] ? space : 0;
    if (text.len > 0)
        pay_spaces(report);
    write_text(report, text);
    report->owed += (report->is_number[column] ? 0 : space) + GAP;
    if (column + 1 == report->columns) {
        write_text(report, SLICE("\n"));
        report->owed = 0;
    }
}

static void
write_head(struct report *report)
{
    for (size_t column = 0; column < report->columns; column++) {
        struct buffer head;
        struct slice name = slice_of_string(report->names[column]);
        buffer_init(&head, CELL_MAX);
        for (size_t i = 0; i < name.len; i++) {
            bool is_letter = byte_is_alpha(name.at[i]);
            buffer_put_byte(&head, is_letter           ? (uint8_t)(name.at[i] & ~0x20)
                                   : name.at[i] == '_' ? ' '
                                                       : name.at[i]);
        }
        write_cell(report, column, buffer_slice(&head));
        buffer_finish(&head);
    }
}

static void
write_rows(struct report *report)
{
    struct cursor cursor = cursor_of(buffer_slice(&report->cells));
    uint32_t len;
    struct slice text;

    if (report->rows == report->held_rows && report->rows > 0)
        write_head(report);
    for (size_t row = 0; row < report->held_rows; row++) {
        for (size_t column = 0; column < report->columns; column++) {
            if (cursor_take_le32(&cursor, &len) && cursor_take_bytes(&cursor, len, &text))
                write_cell(report, column, text);
        }
    }
    buffer_clear(&report->cells);
    report->held_rows = 0;
}

void
report_row(struct report *report)
{
    report->column = 0;
    if (report->json) {
        json_document_row(report->json);
        return;
    }
    if (report->held_rows == HELD_ROWS_MAX)
        write_rows(report);
    report->rows++;
    report->held_rows++;
}

void
report_list_end(struct report *report)
{
    report->is_in_list = false;
    if (report->json) {
        json_document_list_end(report->json);
        return;
    }
    write_rows(report);
    if (report->rows == 0 && isatty(STDOUT_FILENO)) {
        write_text(report, SLICE("no "));
        write_text(report, slice_of_string(report->list_name));
        write_text(report, SLICE("\n"));
    }
}

/* ---- fields -------------------------------------------------------------------------------- */

void
report_text(struct report *report, const char *name, struct slice value)
{
    struct buffer cell;

    clean_cell(&cell, value);
    if (report->json)
        json_document_text(report->json, name, buffer_slice(&cell));
    else
        put_field(report, name, buffer_slice(&cell), false);
    buffer_finish(&cell);
}

void
report_lines(struct report *report, const char *name, struct slice value)
{
    if (report->json)
        json_document_text(report->json, name, value);
    else
        report_text(report, name, value);
}

void
report_number(struct report *report, const char *name, uint64_t value)
{
    struct buffer cell;

    buffer_init(&cell, CELL_MAX);
    buffer_put_decimal(&cell, value);
    if (report->json)
        json_document_number(report->json, name, value);
    else
        put_field(report, name, buffer_slice(&cell), true);
    buffer_finish(&cell);
}

void
report_put_size(struct buffer *out, uint64_t bytes)
{
    static const char *const units[] = {" B", " KiB", " MiB", " GiB", " TiB"};
    size_t unit = 0;
    uint64_t tenths = bytes > UINT64_MAX / 10 ? UINT64_MAX : bytes * 10;

    while (tenths >= 10240 && unit + 1 < COUNT_OF(units)) {
        tenths /= 1024;
        unit++;
    }
    buffer_put_decimal(out, tenths / 10);
    if (unit > 0) {
        buffer_put_byte(out, '.');
        buffer_put_decimal(out, tenths % 10);
    }
    buffer_put_text(out, units[unit]);
}

void
report_size(struct report *report, const char *name, uint64_t bytes)
{
    struct buffer cell;

    buffer_init(&cell, CELL_MAX);
    report_put_size(&cell, bytes);
    if (report->json)
        json_document_number(report->json, name, bytes);
    else
        put_field(report, name, buffer_slice(&cell), true);
    buffer_finish(&cell);
}

void
report_bool(struct report *report, const char *name, bool value)
{
    if (report->json)
        json_document_bool(report->json, name, value);
    else
        put_field(report, name, value ? SLICE("yes") : SLICE("no"), false);
}

void
report_nothing(struct report *report, const char *name, const char *text)
{
    if (report->json)
        json_document_null(report->json, name);
    else
        put_field(report, name, slice_of_string(text), false);
}

void
report_put_time(struct buffer *out, struct wall when)
{
    time_t seconds = (time_t)wall_seconds(when);
    struct tm tm;
    char text[64];

    if (gmtime_r(&seconds, &tm) && strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0)
        buffer_put_text(out, text);
}

void
report_time(struct report *report, const char *name, struct wall when)
{
    struct buffer cell;

    if (when.ns == 0) {
        report_nothing(report, name, "never");
        return;
    }
    buffer_init(&cell, CELL_MAX);
    report_put_time(&cell, when);
    report_text(report, name, buffer_slice(&cell));
    buffer_finish(&cell);
}

void
report_texts(struct report *report, const char *name, const struct slice *values, size_t count)
{
    struct buffer all;

    buffer_init(&all, CELL_MAX);
    if (report->json)
        json_document_texts(report->json, name);
    for (size_t i = 0; i < count; i++) {
        struct buffer cell;
        clean_cell(&cell, values[i]);
        if (report->json)
            json_document_texts_add(report->json, buffer_slice(&cell));
        buffer_put_text(&all, i > 0 ? ", " : "");
        buffer_put(&all, buffer_slice(&cell));
        buffer_finish(&cell);
    }
    if (!report->json)
        put_field(report, name, buffer_slice(&all), false);
    buffer_finish(&all);
}
