/* SPDX-License-Identifier: ISC */
/* What is written: drafts from messages and messages from drafts. */
#include "message/summary.h"
#include "text/utf8.h"
#include "tool/files.h"
#include "tool/letter.h"
#include "tool/mail/departure.h"
#include "tool/mail/response.h"
#include "tool/mail/seal.h"
#include "tool/terminal/worker_private.h"
#include "client/keep.h"

#include <dirent.h>
#include <stdlib.h>

enum { LIST_MAX = 16 << 20, NAMES_MAX = 50, SENT_HEADS_MAX = 500 };

/* ---- from messages ------------------------------------------------------------------------- */

static char *
copy_of(const struct buffer *buffer)
{
    return traffic_copy(buffer_slice(buffer));
}

static void
put_draft(struct worker *worker, const struct wish *wish, struct draft *draft)
{
    struct news *news = news_new(NEWS_DRAFT, worker->options.account);

    news->wish = wish->kind;
    news->first = wish->id;
    news->draft = draft;
    worker_put(worker, news);
}

static void
forward(struct worker *worker, struct draft *draft)
{
    struct view *view = &worker->view;
    struct slice content = buffer_slice(&view->content);
    struct buffer subject;

    buffer_init(&subject, LIST_MAX);
    response_put_subject(view, "Fwd: ", &subject);
    draft->subject = copy_of(&subject);
    buffer_clear(&subject);
    view_put_field(view, FIELD_SUBJECT, &subject);
    draft->forwarded_name = copy_of(&subject);
    draft->forwarded = traffic_array(content.len + 1, 1);
    memcpy(draft->forwarded, content.at, content.len);
    draft->forwarded_len = content.len;
    buffer_finish(&subject);
}

static void
answer(struct worker *worker, const struct wish *wish, struct draft *draft)
{
    const struct desk *desk = worker->options.desk;
    struct view *view = &worker->view;
    struct summary summary = {0};
    struct buffer to, cc, text;

    if (view->tree.parts[0].fields)
        summary_gather(&view->arena, view->tree.parts[0].fields, &summary);
    buffer_init(&to, LIST_MAX);
    buffer_init(&cc, LIST_MAX);
    buffer_init(&text, LETTER_MAX);
    response_put_recipients(&summary, desk->login.account->address, wish->answer == ANSWER_ALL, &to,
                            &cc);
    draft->to = copy_of(&to);
    draft->cc = copy_of(&cc);
    response_put_subject(view, "Re: ", &text);
    draft->subject = copy_of(&text);
    buffer_clear(&text);
    response_put_references(&summary, &text);
    draft->references = copy_of(&text);
    draft->in_reply_to = traffic_copy(summary.message_id);
    buffer_clear(&text);
    response_put_quoted(view, &summary, &text);
    draft->text = copy_of(&text);
    draft->answered = wish->id;
    draft->answered_account = worker->options.account;
    draft->answered_generation = wish->generation;
    draft->answered_folder = traffic_copy(traffic_text(worker->folder));
    draft->is_encrypted = view->is_encrypted; /* what came secretly is not quoted in the open */
    buffer_finish(&to);
    buffer_finish(&cc);
    buffer_finish(&text);
}

static bool
can_write(struct worker *worker)
{
    if (worker->options.name)
        return true;
    worker_say(worker, true, "A letter box alone cannot send: begin with 'facteur account add'.");
    return false;
}

void
worker_answer(struct worker *worker, const struct wish *wish)
{
    struct draft *draft;

    if (!can_write(worker) || !worker_load(worker, wish))
        return;
    draft = draft_new(worker->options.account);
    if (wish->answer == ANSWER_FORWARD)
        forward(worker, draft);
    else
        answer(worker, wish, draft);
    put_draft(worker, wish, draft);
}

/* ---- drafts that were kept ----------------------------------------------------------------- */

static char *
copy_field(const struct view *view, enum field_id id)
{
    struct buffer text;

    buffer_init(&text, LIST_MAX);
    view_put_field(view, id, &text);
    char *copy = buffer_len(&text) > 0 ? copy_of(&text) : NULL;
    buffer_finish(&text);
    return copy;
}

/* What was attached becomes files again. */
static void
unpack(struct worker *worker, struct draft *draft)
{
    const struct view *view = &worker->view;
    char *folder = NULL;

    for (uint32_t i = 0; i < view->tree.count; i++) {
        if (!view_is_attachment(view, i) || (!folder && !(folder = worker_make_folder(worker))))
            continue;
        char *path = worker_part_path(view, i, folder);
        if (worker_write_part(view, i, path)) {
            draft->files = traffic_grow(draft->files, draft->files_count, sizeof(*draft->files));
            draft->files[draft->files_count++] = path;
        } else {
            free(path);
        }
    }
    free(folder);
}

void
worker_resume(struct worker *worker, const struct wish *wish)
{
    const struct view *view = &worker->view;
    struct draft *draft;
    struct buffer text;

    if (!can_write(worker) || !worker_load(worker, wish))
        return;
    draft = draft_new(worker->options.account);
    draft->to = copy_field(view, FIELD_TO);
    draft->cc = copy_field(view, FIELD_CC);
    draft->bcc = copy_field(view, FIELD_BCC);
    draft->subject = copy_field(view, FIELD_SUBJECT);
    draft->in_reply_to = copy_field(view, FIELD_IN_REPLY_TO);
    draft->references = copy_field(view, FIELD_REFERENCES);
    buffer_init(&text, LETTER_MAX);
    view_put_text(view, &text);
    draft->text = copy_of(&text);
    buffer_finish(&text);
    unpack(worker, draft);
    put_draft(worker, wish, draft);
}

/* ---- from drafts --------------------------------------------------------------------------- */

struct making {
    struct compose *compose;
    char *files[COMPOSE_FILES_MAX]; /* expanded; owned */
    struct composed composed;
    struct slice forwarded;
};

static int
make(const struct worker *worker, const struct draft *draft, bool is_kept, struct making *making)
{
    struct compose *compose = traffic_array(1, sizeof(*compose));
    const struct client_account *account = worker->options.desk->login.account;

    making->compose = compose;
    compose->account = account;
    compose->to = traffic_text(draft->to);
    compose->cc = traffic_text(draft->cc);
    compose->bcc = traffic_text(draft->bcc);
    /* A draft may be for nobody yet; Bcc names somebody and leaves no trace. */
    if (is_kept && compose->to.len + compose->cc.len + compose->bcc.len == 0)
        compose->bcc = slice_of_string(account->address);
    compose->subject = traffic_text(draft->subject);
    compose->text = traffic_text(draft->text);
    compose->in_reply_to = traffic_text(draft->in_reply_to);
    compose->references = traffic_text(draft->references);
    making->forwarded = slice_of(draft->forwarded, draft->forwarded_len);
    compose->forwarded = &making->forwarded;
    compose->forwarded_count = draft->forwarded ? 1 : 0;
    for (size_t i = 0; i < draft->files_count && i < COMPOSE_FILES_MAX; i++) {
        making->files[i] = worker_expand(draft->files[i]);
        compose->files[compose->files_count++] = making->files[i];
    }
    return compose_put(compose, &making->composed);
}

static void
unmake(struct making *making)
{
    composed_finish(&making->composed);
    for (size_t i = 0; i < making->compose->files_count; i++)
        free(making->files[i]);
    free(making->compose);
}

static void
remember(struct worker *worker, const struct draft *draft)
{
    book_put(worker->book, traffic_text(draft->to));
    book_put(worker->book, traffic_text(draft->cc));
    book_put(worker->book, traffic_text(draft->bcc));
    book_keep(worker->book);
}

/* The message that was answered, when its folder is still open. */
static void
mark_answered(struct worker *worker, const struct draft *draft)
{
    struct client_ids one = {.ids = &draft->answered, .count = 1};
    struct client_problem problem = {0};

    if (draft->answered == 0 || draft->answered_account != worker->options.account ||
        draft->answered_generation != worker->generation || !worker->shelf || !worker->folder ||
        strcmp(worker->folder, draft->answered_folder) != 0)
        return;
    if (!client_shelf_flag(worker->shelf, one, CLIENT_ANSWERED | CLIENT_SEEN, 0, &problem))
        worker_fail(worker, WISH_FLAG, &problem);
}

void
worker_send(struct worker *worker, const struct wish *wish)
{
    const struct draft *draft = wish->draft;
    struct seal_wish seal = {.is_signed = draft->is_signed, .is_encrypted = draft->is_encrypted};
    struct making making = {0};
    size_t waiting = departure_count();
    struct client_problem none = {0}; /* it was told already */

    if (!can_write(worker)) {
        worker_fail(worker, WISH_SEND, &none);
        return;
    }
    int code = make(worker, draft, false, &making);

    if (code == EX_OK)
        code = seal_put(making.compose->account, &seal, &making.composed);
    if (code == EX_OK)
        code = departure_send(worker->options.desk, &making.composed);
    if (code == EX_OK) {
        struct news *news = news_new(NEWS_SENT, worker->options.account);
        bool waits = departure_count() > waiting;
        traffic_set(&news->text, waits ? SLICE("Not sent yet: it waits; 'facteur send --retry' "
                                               "tries again.")
                                       : SLICE("Sent."));
        remember(worker, draft);
        mark_answered(worker, draft);
        worker_put(worker, news);
    } else {
        worker_fail(worker, WISH_SEND, &none);
    }
    unmake(&making);
}

/* ---- keeping ------------------------------------------------------------------------------- */

static char *
drafts_folder(struct worker *worker)
{
    struct client_problem unused = {0};
    struct client_shelf_list list = {0};
    char *name = NULL;

    if (worker->shelf && client_shelf_folders(worker->shelf, false, &list, &unused)) {
        for (size_t i = 0; i < list.count && !name; i++) {
            if (list.folders[i].use == CLIENT_USE_DRAFTS)
                name = traffic_copy(slice_of_string(list.folders[i].name));
        }
        client_shelf_list_finish(&list);
    }
    return name ? name : traffic_copy(SLICE("Drafts"));
}

/* On this machine, when the server cannot have it. */
static void
keep_here(struct worker *worker, struct slice message)
{
    struct client_problem problem = {0};
    char *path = desk_state_path("drafts");

    if (path && client_keep(path, CLIENT_KEEP_MAILDIR, message, CLIENT_DRAFT, &problem))
        worker_say(worker, false, "Kept on this machine, in %s.", path);
    else
        worker_say(worker, true, "The draft cannot be kept: %s", problem.text);
    free(path);
}

static void
put_line(struct buffer *out, const char *name, const char *value)
{
    if (!value || !value[0])
        return;
    buffer_put_text(out, name);
    buffer_put_text(out, value);
    buffer_put_byte(out, '\n');
}

/* What is no address yet, or a file that has gone, stands above the text. */
static int
make_plain(const struct worker *worker, const struct draft *draft, struct making *making)
{
    struct draft plain = *draft;
    struct buffer text;

    buffer_init(&text, LETTER_MAX);
    put_line(&text, "To: ", draft->to);
    put_line(&text, "Cc: ", draft->cc);
    put_line(&text, "Bcc: ", draft->bcc);
    for (size_t i = 0; i < draft->files_count; i++)
        put_line(&text, "Attached: ", draft->files[i]);
    buffer_put_byte(&text, '\n');
    buffer_put(&text, traffic_text(draft->text));
    plain.to = plain.cc = plain.bcc = NULL;
    plain.files_count = 0;
    plain.text = copy_of(&text);
    int code = make(worker, &plain, true, making);
    free(plain.text);
    buffer_finish(&text);
    return code;
}

void
worker_keep(struct worker *worker, const struct wish *wish)
{
    struct client_problem problem = {0};
    struct making making = {0};
    struct buffer message;

    if (!can_write(worker))
        return;
    buffer_init(&message, LETTER_MAX);
    int code = make(worker, wish->draft, true, &making);
    bool is_plain = code != EX_OK;
    if (is_plain) { /* the screen has forgotten it */
        unmake(&making);
        making = (struct making){0};
        code = make_plain(worker, wish->draft, &making);
    }
    if (code == EX_OK) {
        if (wish->draft->bcc && wish->draft->bcc[0] && !is_plain) {
            buffer_put_text(&message, "Bcc: ");
            utf8_put_printable(&message, traffic_text(wish->draft->bcc));
            buffer_put_text(&message, "\r\n");
        }
        buffer_put(&message, buffer_slice(&making.composed.outgoing.content));
        char *folder = drafts_folder(worker);
        if (worker->shelf && worker_may_change(worker, &problem) &&
            client_shelf_add(worker->shelf, folder, buffer_slice(&message),
                             CLIENT_DRAFT | CLIENT_SEEN, &problem))
            worker_say(worker, false, "Kept in %s; e goes on with it there.", folder);
        else
            keep_here(worker, buffer_slice(&message));
        free(folder);
    }
    buffer_finish(&message);
    unmake(&making);
}

/* ---- sending on ---------------------------------------------------------------------------- */

void
worker_resend(struct worker *worker, const struct wish *wish)
{
    struct draft draft = {.to = wish->text};
    struct making making = {0};

    if (!can_write(worker) || !worker_load(worker, wish))
        return;
    int code = make(worker, &draft, false, &making);
    if (code == EX_OK)
        code = response_put_resent(&worker->view, &making.composed);
    if (code == EX_OK)
        code = departure_send(worker->options.desk, &making.composed);
    if (code == EX_OK) {
        remember(worker, &draft);
        worker_say(worker, false, "Bounced.");
    }
    unmake(&making);
}

/* ---- how names go on ----------------------------------------------------------------------- */

static void
take_address(void *context, struct slice address)
{
    news_add_name(context, address);
}

void
worker_complete(struct worker *worker, const struct wish *wish)
{
    struct news *news = news_new(NEWS_ADDRESSES, worker->options.account);

    traffic_set(&news->text, slice_of_string(wish->text));
    book_find(worker->book, slice_of_string(wish->text), NAMES_MAX, take_address, news);
    worker_put(worker, news);
}

static int
by_name(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

void
worker_files(struct worker *worker, const struct wish *wish)
{
    struct news *news = news_new(NEWS_FILES, worker->options.account);
    struct slice typed = slice_of_string(wish->text);
    size_t slash = slice_find_last_byte(typed, '/');
    size_t start = slash < typed.len ? slash + 1 : 0;
    char *above = traffic_copy(start > 0 ? slice_first(typed, start) : SLICE("./"));
    char *folder = worker_expand(above);
    DIR *dir = opendir(folder);

    for (struct dirent *entry; dir && (entry = readdir(dir)) && news->names_count < NAMES_MAX;) {
        struct slice name = slice_of_string(entry->d_name), rest = slice_skip(typed, start);
        char *path = files_path(folder, entry->d_name), *shown = NULL;
        if (slice_starts_with(name, rest) && (name.at[0] != '.' || rest.len > 0) &&
            utf8_is_valid(name) &&
            asprintf(&shown, "%.*s%s%s", (int)start, wish->text, entry->d_name,
                     files_is_folder(path) ? "/" : "") >= 0)
            news_add_name(news, slice_of_string(shown));
        free(shown);
        free(path);
    }
    if (dir)
        closedir(dir);
    if (news->names_count > 0)
        qsort(news->names, news->names_count, sizeof(*news->names), by_name);
    traffic_set(&news->text, typed);
    free(above);
    free(folder);
    worker_put(worker, news);
}

/* ---- the book ------------------------------------------------------------------------------ */

static void
take_sent(void *context, const struct client_shelf_head *head)
{
    static const enum field_id ids[] = {FIELD_TO, FIELD_CC};
    struct worker *worker = context;
    struct arena arena;
    struct header header;

    arena_init(&arena, LIST_MAX);
    header_parse(&arena, head->head, &header);
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        const struct field *field = header_find(&header, ids[i], NULL);
        if (field)
            book_put(worker->book, field->body);
    }
    arena_finish(&arena);
}

static void
read_sent(struct worker *worker, struct client_shelf *shelf)
{
    struct client_problem unused = {0};
    const struct client_shelf_item *items;
    size_t count;

    if (!client_shelf_select(shelf, worker->options.desk->login.account->sent, &unused))
        return;
    items = client_shelf_items(shelf, &count);
    size_t first = count > SENT_HEADS_MAX ? count - SENT_HEADS_MAX : 0;
    uint32_t *ids = traffic_array(count - first, sizeof(*ids));
    for (size_t i = first; i < count; i++)
        ids[i - first] = items[i].id;
    struct client_ids newest = {.ids = ids, .count = count - first};
    if (client_shelf_heads(shelf, newest, take_sent, worker, &unused))
        book_keep(worker->book);
    free(ids);
}

/* By a connection of its own: the folder that is open stays open. */
void
worker_fill_book(struct worker *worker)
{
    const struct desk *desk = worker->options.desk;
    struct client_folder_place place = {.login = desk ? &desk->login : NULL};
    struct client_problem unused = {0};

    if (worker->has_filled_book)
        return;
    worker->has_filled_book = true;
    if (!worker->options.name || worker->is_local || !book_is_empty(worker->book) ||
        desk->login.account->incoming.protocol != CLIENT_IMAP ||
        desk->login.account->sent[0] == '/' || desk->login.account->sent[0] == '\0')
        return;
    struct client_shelf *shelf = client_shelf_open(&place, NULL, NULL, &unused);
    if (shelf)
        read_sent(worker, shelf);
    client_shelf_close(&shelf);
}
