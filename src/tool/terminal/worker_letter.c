/* SPDX-License-Identifier: ISC */
/* One message: read, its attachments saved and shown. */
#include "text/utf8.h"
#include "tool/files.h"
#include "tool/letter.h"
#include "tool/mail/receipt.h"
#include "tool/mail/seal.h"
#include "tool/say.h"
#include "tool/terminal/worker_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HEAD_MAX = 16 << 20, FIELD_MAX = 16 << 20, NAME_TRIES = 1000 };

/* ---- reading ------------------------------------------------------------------------------- */

bool
worker_load(struct worker *worker, const struct wish *wish)
{
    struct client_problem problem = {0};
    struct view *view = &worker->view;

    if (worker->open_id == wish->id && wish->id != 0)
        return true;
    view_finish(view);
    view_init(view);
    worker->open_id = 0;
    if (!client_shelf_read(worker->shelf, wish->id, &view->content, &problem)) {
        worker_fail(worker, wish->kind, &problem);
        return false;
    }
    if (view_parse(view) != EX_OK)
        return false;
    /* What cannot be opened is told in the view. */
    if (worker->options.desk)
        (void)!seal_open(view, &worker->options.desk->accounts);
    worker->open_id = wish->id;
    return true;
}

static char *
copy_of(const struct buffer *buffer)
{
    return traffic_copy(buffer_slice(buffer));
}

static void
add_fields(const struct view *view, struct sheet_text *sheet)
{
    static const struct {
        enum field_id id;
        const char *label;
    } rows[] = {{FIELD_FROM, "From"}, {FIELD_REPLY_TO, "Reply-To"}, {FIELD_TO, "To"},
                {FIELD_CC, "Cc"},     {FIELD_DATE, "Date"},         {FIELD_SUBJECT, "Subject"}};
    struct buffer text;

    sheet->fields = traffic_array(COUNT_OF(rows), sizeof(*sheet->fields));
    buffer_init(&text, FIELD_MAX);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        buffer_clear(&text);
        view_put_field(view, rows[i].id, &text);
        if (buffer_len(&text) == 0)
            continue;
        struct sheet_field *field = &sheet->fields[sheet->fields_count++];
        field->label = traffic_copy(slice_of_string(rows[i].label));
        field->value = copy_of(&text);
    }
    buffer_finish(&text);
}

/* The header as it stands, a printable line each. */
static void
add_head(const struct view *view, struct sheet_text *sheet)
{
    struct slice rest =
        slice_first(mime_part_header(&view->tree, &view->tree.parts[0]), HEAD_MAX / 4);
    struct buffer text;

    buffer_init(&text, HEAD_MAX);
    while (rest.len > 0) {
        struct slice line = slice_first(rest, slice_find_byte(rest, '\n'));
        rest = slice_skip(rest, line.len + 1);
        utf8_put_printable(
            &text, slice_ends_with(line, SLICE("\r")) ? slice_first(line, line.len - 1) : line);
        buffer_put_byte(&text, '\n');
    }
    sheet->head = copy_of(&text);
    buffer_finish(&text);
}

static void
add_parts(const struct view *view, struct sheet_text *sheet)
{
    struct buffer text, part;

    buffer_init(&text, FIELD_MAX);
    for (uint32_t i = 0; i < view->tree.count; i++) {
        const struct mime_content_type *type = &view->tree.parts[i].content_type;
        if (!view_is_attachment(view, i))
            continue;
        sheet->parts = traffic_grow(sheet->parts, sheet->parts_count, sizeof(*sheet->parts));
        struct sheet_part *to = &sheet->parts[sheet->parts_count++];
        *to = (struct sheet_part){.index = i};
        buffer_clear(&text);
        view_put_name(view, i, &text);
        to->name = copy_of(&text);
        buffer_clear(&text);
        utf8_put_printable(&text, type->type);
        buffer_put_byte(&text, '/');
        utf8_put_printable(&text, type->subtype);
        to->type = copy_of(&text);
        buffer_init(&part, LETTER_MAX);
        view_put_part(view, i, &part);
        to->octets = buffer_len(&part);
        buffer_finish(&part);
    }
    buffer_finish(&text);
}

/* ---- receipts ------------------------------------------------------------------------------ */

static uint32_t
flags_of(const struct worker *worker, uint32_t id)
{
    size_t count;
    const struct client_shelf_item *items = client_shelf_items(worker->shelf, &count);

    for (size_t i = 0; i < count; i++) {
        if (items[i].id == id)
            return items[i].flags;
    }
    return 0;
}

/* Other programs see it by the mark: on a server, for elsewhere there is none. */
static void
mark_receipt(struct worker *worker, uint32_t id)
{
    struct client_ids one = {.ids = &id, .count = 1};
    struct client_problem problem = {0};

    if (!worker->is_local &&
        !client_shelf_flag(worker->shelf, one, CLIENT_RECEIPT_SENT, 0, &problem))
        worker_say(worker, true, "%s", problem.text);
}

static void
send_receipt(struct worker *worker, uint32_t id, bool is_automatic)
{
    if (receipt_send(worker->options.desk, &worker->view, flags_of(worker, id), is_automatic) !=
        EX_OK)
        return;
    mark_receipt(worker, id);
    worker_say(worker, false, "The receipt was sent.");
}

void
worker_receipt(struct worker *worker, const struct wish *wish)
{
    if (!worker->options.desk || !worker_load(worker, wish))
        return;
    if (wish->add)
        send_receipt(worker, wish->id, false);
    else if (receipt_refuse(worker->options.desk->login.account, &worker->view) == EX_OK)
        mark_receipt(worker, wish->id);
}

static char *
question_of(struct view *view)
{
    struct buffer text;

    buffer_init(&text, FIELD_MAX);
    receipt_put_question(view, &text);
    buffer_put_text(&text, ". Send it? (y/n)");
    char *question = copy_of(&text);
    buffer_finish(&text);
    return question;
}

/* ---- the page ------------------------------------------------------------------------------ */

void
worker_read(struct worker *worker, const struct wish *wish)
{
    struct view *view = &worker->view;
    enum receipt_due due = RECEIPT_NOT_DUE;
    struct news *news;
    struct buffer text;

    if (!worker_load(worker, wish)) {
        struct client_problem none = {0};
        worker_fail(worker, WISH_READ, &none);
        return;
    }
    news = news_new(NEWS_SHEET, worker->options.account);
    news->sheet = traffic_array(1, sizeof(*news->sheet));
    news->sheet->id = wish->id;
    add_fields(view, news->sheet);
    add_head(view, news->sheet);
    add_parts(view, news->sheet);
    buffer_init(&text, LETTER_MAX);
    buffer_put(&text, buffer_slice(&view->seals));
    view_put_notices(view, &text);
    news->sheet->notes = copy_of(&text);
    buffer_clear(&text);
    view_put_text(view, &text);
    news->sheet->text = copy_of(&text);
    buffer_finish(&text);
    if (worker->options.desk)
        due = receipt_look(worker->options.desk->login.account, view, flags_of(worker, wish->id));
    news->sheet->asks = due == RECEIPT_TO_ASK ? question_of(view) : NULL;
    worker_put(worker, news);
    if (due == RECEIPT_TO_SEND)
        send_receipt(worker, wish->id, true);
}

/* ---- attachments --------------------------------------------------------------------------- */

/* A new file; nothing is overwritten. */
bool
worker_write_part(const struct view *view, uint32_t index, const char *path)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct buffer part;

    if (descriptor < 0) {
        say_error(EX_CANTCREAT, "%s: %s", path, strerror(errno));
        return false;
    }
    buffer_init(&part, LETTER_MAX);
    view_put_part(view, index, &part);
    bool is_good = files_write(descriptor, buffer_slice(&part));
    int error = errno;
    buffer_finish(&part);
    if (close(descriptor) != 0 || !is_good) {
        say_error(EX_IOERR, "%s: %s", path, strerror(is_good ? errno : error));
        return false;
    }
    return true;
}

static bool
has_part(const struct worker *worker, const struct wish *wish)
{
    return wish->part < worker->view.tree.count;
}

char *
worker_expand(const char *path)
{
    const char *home = getenv("HOME");

    return path[0] == '~' && path[1] == '/' && home ? files_path(home, path + 2)
                                                    : traffic_copy(slice_of_string(path));
}

char *
worker_part_path(const struct view *view, uint32_t index, const char *folder)
{
    struct buffer name;

    buffer_init(&name, FIELD_MAX);
    view_put_name(view, index, &name);
    buffer_put_byte(&name, '\0');
    char *path = files_path(folder, (const char *)buffer_slice(&name).at);
    buffer_finish(&name);
    return path;
}

char *
worker_make_folder(struct worker *worker)
{
    const char *base = getenv("XDG_RUNTIME_DIR");
    char *folder = files_path(base && base[0] == '/' ? base : "/tmp", "facteur-XXXXXX");

    if (mkdtemp(folder))
        return folder;
    worker_say(worker, true, "%s: %s", folder, strerror(errno));
    free(folder);
    return NULL;
}

void
worker_save(struct worker *worker, const struct wish *wish)
{
    if (!worker_load(worker, wish) || !has_part(worker, wish))
        return;
    char *path = worker_expand(wish->text);
    if (files_is_folder(path)) { /* under its own name */
        char *whole = worker_part_path(&worker->view, wish->part, path);
        free(path);
        path = whole;
    }
    if (worker_write_part(&worker->view, wish->part, path))
        worker_say(worker, false, "Saved as %s.", path);
    free(path);
}

/* The program of the desktop, on its own: what it says goes nowhere. */
static bool
start_viewer(const char *path)
{
    char *words[] = {(char *)(uintptr_t) "xdg-open", (char *)(uintptr_t)path, NULL};
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
        for (int i = 0; i < 3; i++)
            (void)dup2(nothing, i);
        if (setsid() >= 0 && fork() == 0)
            (void)execvp(words[0], words);
        _exit(0);
    }
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

void
worker_show(struct worker *worker, const struct wish *wish)
{
    bool has_desktop = getenv("DISPLAY") || getenv("WAYLAND_DISPLAY");
    char *folder, *path;

    if (!worker_load(worker, wish) || !has_part(worker, wish))
        return;
    if (!has_desktop) {
        worker_say(worker, true, "There is no desktop to show it on; s saves it.");
        return;
    }
    folder = worker_make_folder(worker);
    if (!folder)
        return;
    path = worker_part_path(&worker->view, wish->part, folder);
    if (worker_write_part(&worker->view, wish->part, path)) {
        if (start_viewer(path))
            worker_say(worker, false, "xdg-open shows %s.", path);
        else
            worker_say(worker, true, "xdg-open cannot be run; s saves the attachment.");
    }
    free(path);
    free(folder);
}
