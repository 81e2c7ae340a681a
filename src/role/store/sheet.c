/* SPDX-License-Identifier: ISC */
#include "role/store/sheet.h"

#include "host/log.h"
#include "role/snapshot.h"

#include <errno.h>
#include <stdio.h>

enum { NAME_MAX_LEN = 64 };

static void
complain(struct sheet *sheet, int error)
{
    struct log_line line;

    sheet->is_unsound = true;
    log_begin(&line, sheet->host, HOST_LEVEL_ERROR, "not_kept");
    log_string(&line, "file", sheet->name);
    log_error(&line, "error", error);
    log_end(&line);
}

/* Behind its last line: what was begun there is cut off. */
static void
open_file(struct sheet *sheet)
{
    int error =
        host_file_open(sheet->dir, sheet->name, HOST_FILE_WRITE | HOST_FILE_CREATE, &sheet->file);

    if (error == 0)
        error = host_file_truncate(sheet->file, sheet->size);
    if (error < 0) {
        host_file_close(&sheet->file);
        complain(sheet, error);
    }
}

/* What a disk, or a process with too many files open, does not give now it may give later. */
static void
read_lines(struct sheet *sheet)
{
    struct snapshot snapshot;
    int error = snapshot_read(sheet->dir, sheet->name, sheet->size_max, &snapshot);

    sheet->is_unread = error < 0 && error != -ENOENT && error != -EFBIG;
    if (error < 0 && error != -ENOENT)
        complain(sheet, error);
    if (sheet->is_unread)
        return;
    if (error == 0) {
        struct slice rest = buffer_slice(&snapshot.bytes);
        for (size_t end; (end = slice_find_byte(rest, '\n')) < rest.len;) {
            sheet->fn(sheet->context, slice_first(rest, end));
            rest = slice_skip(rest, end + 1);
            sheet->size += end + 1;
        }
        snapshot_finish(&snapshot);
    }
    open_file(sheet);
}

void
sheet_open(struct sheet *sheet, struct host *host, struct host_dir *dir, const char *name,
           size_t size_max, sheet_fn fn, void *context)
{
    *sheet = (struct sheet){
        .host = host, .dir = dir, .name = name, .size_max = size_max, .fn = fn, .context = context};
    read_lines(sheet);
}

void
sheet_read_again(struct sheet *sheet)
{
    if (sheet->is_unread)
        read_lines(sheet);
}

static void
put_aside(struct sheet *sheet)
{
    char name[NAME_MAX_LEN];

    snprintf(name, sizeof(name), "%s.unread", sheet->name);
    int error = host_dir_rename(sheet->dir, sheet->name, name);
    if (error < 0)
        complain(sheet, error);
    sheet->is_unread = false;
}

void
sheet_close(struct sheet *sheet)
{
    host_file_close(&sheet->file);
}

void
sheet_add(struct sheet *sheet, struct slice lines, bool is_durable)
{
    if (sheet->is_unread)
        put_aside(sheet);
    if (!sheet->file)
        open_file(sheet);
    if (!sheet->file)
        return;
    int error = host_file_write(sheet->file, &lines, 1, sheet->size);
    if (error == 0 && is_durable)
        error = host_file_sync(sheet->file);
    if (error < 0)
        complain(sheet, error);
    else
        sheet->size += lines.len;
}

bool
sheet_is_long(const struct sheet *sheet, size_t len)
{
    return sheet->is_unsound || sheet->size > (uint64_t)len * 2 + SHEET_SLACK;
}

static int
write_new(struct sheet *sheet, const char *name, struct slice lines, struct host_file **ret_file)
{
    int error = host_file_open(sheet->dir, name, HOST_FILE_WRITE | HOST_FILE_CREATE, ret_file);

    if (error == 0)
        error = host_file_truncate(*ret_file, 0);
    if (error == 0)
        error = host_file_write(*ret_file, &lines, 1, 0);
    if (error == 0)
        error = host_file_sync(*ret_file);
    if (error == 0)
        error = host_dir_rename(sheet->dir, name, sheet->name);
    return error == 0 ? host_dir_sync(sheet->dir) : error;
}

void
sheet_replace(struct sheet *sheet, struct slice lines)
{
    struct host_file *file = NULL;
    char name[NAME_MAX_LEN];

    if (sheet->is_unread)
        put_aside(sheet);
    snprintf(name, sizeof(name), "%s.new", sheet->name);
    int error = write_new(sheet, name, lines, &file);
    if (error < 0) {
        host_file_close(&file);
        complain(sheet, error);
        return;
    }
    sheet_close(sheet);
    sheet->file = file;
    sheet->size = lines.len;
    sheet->is_unsound = false;
}
