/* SPDX-License-Identifier: ISC */
/* GENURLAUTH, URLFETCH, RESETKEY (RFC 4467 §7), with PARTIAL (RFC 5550 §4.3). Tokens are made and
 * looked at by the store. */
#include "imap/part.h"

enum { URLS_MAX = 100 };

/* ---- GENURLAUTH ------------------------------------------------------------------------------ */

struct sign_task {
    struct imap_url urls[URLS_MAX];
    size_t count, next;
};

/* One URL behind another; they are told when all have their tokens. */
static bool sign_next(struct imap_server *server);

static void
on_signed(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    const struct access_store_url_signed *told = &note->as.url_signed;
    struct sign_task *task = server->task;

    (void)blob;
    if (told->result == ACCESS_STORE_RESULT_TEMPORARY ||
        told->result == ACCESS_STORE_RESULT_NO_SPACE) {
        imap_end_result(server, told->result, "");
        return;
    }
    if (told->result != ACCESS_STORE_RESULT_OK) { /* §7: whatever else it is */
        imap_bad(server, "that URL names no mailbox of yours");
        return;
    }
    task->urls[task->next++].token = arena_copy(&server->arena, told->token);
    server->on_note = NULL;
    server->more = sign_next;
}

static void
put_signed(struct imap_server *server, const struct sign_task *task)
{
    struct buffer *out = &server->output;
    struct buffer url;

    buffer_put_text(out, "* GENURLAUTH");
    for (size_t i = 0; i < task->count; i++) {
        buffer_init(&url, (size_t)2 * IMAP_URL_RUMP_MAX);
        buffer_put(&url, task->urls[i].rump);
        buffer_put_text(&url, ":INTERNAL:");
        buffer_put_hex(&url, task->urls[i].token);
        buffer_put_byte(out, ' ');
        imap_put_string(out, buffer_slice(&url));
        buffer_finish(&url);
    }
    buffer_put_text(out, "\r\n");
}

static bool
sign_next(struct imap_server *server)
{
    struct sign_task *task = server->task;

    if (task->next == task->count) {
        put_signed(server, task);
        imap_end(server, IMAP_OK, "done");
        return true;
    }
    const struct imap_url *url = &task->urls[task->next];
    server->more = NULL;
    server->note.as.url_sign = (struct access_store_url_sign){
        .owner = url->owner,
        .name = url->mailbox,
        .uid = url->uid,
        .expires_s = url->expires_s,
        .reach = imap_url_reach(url->access),
        .user = url->user,
        .rump = url->rump,
    };
    imap_ask(server, ACCESS_STORE_URL_SIGN, on_signed);
    return true;
}

static bool
take_rump(struct imap_server *server, struct cursor *cursor, struct sign_task *task)
{
    struct imap_url *url = &task->urls[task->count];
    struct slice text, mechanism;

    if (imap_over(server, task->count == URLS_MAX, "[LIMIT] too many URLs") ||
        !imap_take_astring(cursor, &server->arena, &text) ||
        !imap_url_parse_authorized(text, false, &server->arena, url) || url->mailbox.len == 0 ||
        !imap_name_decode(url->mailbox, true, &server->arena, &url->mailbox) ||
        url->mailbox.len > ACCESS_STORE_URL_SIGN_NAME_MAX ||
        url->owner.len > ACCESS_STORE_URL_SIGN_OWNER_MAX ||
        url->user.len > ACCESS_STORE_URL_SIGN_USER_MAX)
        return false;
    task->count++;
    return imap_take_space(cursor) && imap_take_atom(cursor, &mechanism) &&
           slice_equal_nocase(mechanism, SLICE("INTERNAL"));
}

void
imap_command_genurlauth(struct imap_server *server, struct cursor *cursor)
{
    struct sign_task *task = imap_task(server, sizeof(*task));
    bool is_good = cursor_peek(cursor) == ' ';

    while (is_good && imap_take_space(cursor))
        is_good = take_rump(server, cursor, task);
    if (!is_good || !imap_take_end(cursor))
        imap_bad(server, "expected: GENURLAUTH and pairs of URL;URLAUTH=access and INTERNAL");
    else
        server->more = sign_next;
}

/* ---- URLFETCH -------------------------------------------------------------------------------- */

struct fetch_task {
    struct slice urls[URLS_MAX];
    size_t count, next;
    struct imap_part part;
    struct buffer made;
};

static void
drop(struct imap_server *server)
{
    struct fetch_task *task = server->task;

    buffer_finish(&task->made);
}

static bool fetch_next(struct imap_server *server);

static void
put_url(struct imap_server *server)
{
    struct fetch_task *task = server->task;

    buffer_put_text(&server->output, "* URLFETCH ");
    imap_put_string(&server->output, task->urls[task->next]);
    buffer_put_byte(&server->output, ' ');
}

static void
begin_octets(struct imap_server *server, uint32_t len)
{
    put_url(server);
    imap_put_number(&server->output, "{", len, "}\r\n");
}

static void
on_part(struct imap_server *server, bool is_found)
{
    struct fetch_task *task = server->task;

    if (!task->part.is_streamed) {
        put_url(server);
        if (is_found && !buffer_overflowed(&task->made))
            imap_put_string(&server->output, buffer_slice(&task->made));
        else
            buffer_put_text(&server->output, "NIL");
    }
    buffer_put_text(&server->output, "\r\n");
    buffer_finish(&task->made);
    task->next++;
    server->more = fetch_next;
}

/* RFC 4467 §7: what is wrong with a URL is never told, it is only NIL. */
static bool
fetch_next(struct imap_server *server)
{
    struct fetch_task *task = server->task;

    if (task->next == task->count) {
        imap_end(server, IMAP_OK, "done");
        return true;
    }
    bool is_good = imap_part_parse(server, task->urls[task->next], &task->part) &&
                   task->part.url.is_authorized;
    task->part.into = &task->made;
    task->part.begin = begin_octets;
    task->part.then = on_part;
    if (is_good)
        imap_part_begin(server, &task->part);
    else
        on_part(server, false);
    return true;
}

void
imap_command_urlfetch(struct imap_server *server, struct cursor *cursor)
{
    struct fetch_task *task = imap_task(server, sizeof(*task));
    bool is_good = cursor_peek(cursor) == ' ';

    buffer_init(&task->made, IMAP_OUTPUT_MAX / 2);
    server->drop = drop;
    while (is_good && imap_take_space(cursor))
        is_good = !imap_over(server, task->count == URLS_MAX, "[LIMIT] too many URLs") &&
                  imap_take_astring(cursor, &server->arena, &task->urls[task->count++]);
    if (!is_good || !imap_take_end(cursor))
        imap_bad(server, "expected: URLFETCH and URLs");
    else
        server->more = fetch_next;
}

/* ---- RESETKEY -------------------------------------------------------------------------------- */

static void
on_reset(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    (void)blob;
    imap_end_result(server, note->as.done.result, "[URLMECH INTERNAL] new keys");
}

/* "RESETKEY" [SP mailbox *(SP mechanism)] */
void
imap_command_resetkey(struct imap_server *server, struct cursor *cursor)
{
    struct slice sent, mechanism, name = slice_of("", 0);
    bool has_name = imap_take_space(cursor), is_known = true;
    bool is_good = !has_name || imap_take_astring(cursor, &server->arena, &sent);

    while (is_good && has_name && imap_take_space(cursor)) {
        is_good = imap_take_atom(cursor, &mechanism);
        is_known = is_known && is_good && slice_equal_nocase(mechanism, SLICE("INTERNAL"));
    }
    if (!is_good || !imap_take_end(cursor)) {
        imap_bad(server, "expected: RESETKEY [mailbox [INTERNAL]]");
    } else if (!is_known) {
        imap_end(server, IMAP_NO, "[CANNOT] the only mechanism is INTERNAL");
    } else if (has_name && (!imap_name_decode(sent, imap_is_utf8(server), &server->arena, &name) ||
                            name.len == 0 || name.len > ACCESS_STORE_URL_RESET_NAME_MAX)) {
        imap_end_result(server, ACCESS_STORE_RESULT_NOT_FOUND, "");
    } else {
        server->note.as.url_reset = (struct access_store_url_reset){.name = name};
        imap_ask(server, ACCESS_STORE_URL_RESET, on_reset);
    }
}
