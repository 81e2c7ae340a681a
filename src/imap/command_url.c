/* SPDX-License-Identifier: ISC */
/* GENURLAUTH, URLFETCH, RESETKEY (RFC 4467 §7), with PARTIAL (RFC 5550 §4.3), and what else may be
 * wanted of a part (RFC 5524). Tokens are made and looked at by the store. */
#include "imap/binary.h"
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

/* What is wanted of one URL (RFC 5524 §3.1); nothing in particular: as RFC 4467 has it. */
struct wanted {
    struct slice url;
    bool has_body, has_binary, has_structure;
};

struct fetch_task {
    struct wanted urls[URLS_MAX];
    size_t count, next;
    struct imap_part part;
    struct buffer made, structure;
    /* BINARY: read once to learn how long it is, then again to send it. */
    struct imap_binary binary;
    struct imap_decoded decoded;
    bool is_undecodable;
    enum access_store_result unread; /* why some part could not be looked at */
};

static void
drop(struct imap_server *server)
{
    struct fetch_task *task = server->task;

    buffer_finish(&task->made);
    buffer_finish(&task->structure);
}

static bool fetch_next(struct imap_server *server);

static const struct wanted *
wanted(struct imap_server *server)
{
    struct fetch_task *task = server->task;

    return &task->urls[task->next];
}

static bool
is_extended(const struct wanted *wanted)
{
    return wanted->has_body || wanted->has_binary || wanted->has_structure;
}

/* The URL, and what is told before its octets. */
static void
put_url(struct imap_server *server)
{
    struct fetch_task *task = server->task;
    struct buffer *out = &server->output;

    server->is_line_open = true;
    buffer_put_text(out, "* URLFETCH ");
    imap_put_string(out, wanted(server)->url);
    buffer_put_byte(out, ' ');
    if (buffer_len(&task->structure) > 0) {
        buffer_put_text(out, "(BODYPARTSTRUCTURE ");
        buffer_put(out, buffer_slice(&task->structure));
        buffer_put_byte(out, ')');
    }
    if (buffer_len(&task->structure) > 0 &&
        (wanted(server)->has_body || wanted(server)->has_binary))
        buffer_put_byte(out, ' ');
    if (wanted(server)->has_body)
        buffer_put_text(out, "(BODY ");
    if (wanted(server)->has_binary)
        buffer_put_text(out, "(BINARY ");
}

static void
end_url(struct imap_server *server)
{
    struct fetch_task *task = server->task;

    if (wanted(server)->has_body || wanted(server)->has_binary)
        buffer_put_byte(&server->output, ')');
    buffer_put_text(&server->output, "\r\n");
    server->is_line_open = false;
    buffer_finish(&task->made);
    buffer_finish(&task->structure);
    task->next++;
    server->more = fetch_next;
}

/* RFC 4467 §7: what is wrong with a URL is never told, it is only NIL. Where the server is what
 * fails the end says so: it may be tried again. */
static void
put_nothing(struct imap_server *server)
{
    struct fetch_task *task = server->task;

    if (task->part.failure != ACCESS_STORE_RESULT_OK)
        task->unread = task->part.failure;
    buffer_put_text(&server->output, "* URLFETCH ");
    imap_put_string(&server->output, wanted(server)->url);
    buffer_put_text(&server->output, " NIL\r\n");
    buffer_finish(&task->made);
    buffer_finish(&task->structure);
    task->next++;
    server->more = fetch_next;
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

    if (!is_found || (!task->part.is_streamed && buffer_overflowed(&task->made))) {
        put_nothing(server);
        return;
    }
    if (!task->part.is_streamed) {
        put_url(server);
        if (!task->part.has_no_octets)
            imap_put_string(&server->output, buffer_slice(&task->made));
    }
    end_url(server);
}

/* ---- BINARY ---- */

static void
take_octets(struct imap_server *server, struct slice octets)
{
    struct fetch_task *task = server->task;

    if (!task->is_undecodable)
        imap_binary_feed(&task->binary, octets);
}

static void
begin_counting(struct imap_server *server, uint32_t len)
{
    struct fetch_task *task = server->task;

    (void)len;
    task->is_undecodable =
        !imap_binary_can(task->part.encoding) || task->part.encoding == MIME_ENCODING_UNKNOWN;
    if (task->is_undecodable)
        task->part.len = 0;
    else
        imap_binary_begin(&task->binary, task->part.encoding, 0, 0, NULL);
}

static void
begin_sending(struct imap_server *server, uint32_t len)
{
    struct fetch_task *task = server->task;
    const struct imap_url *url = &task->part.what.url;
    uint64_t end = task->decoded.len, from = 0;

    (void)len;
    put_url(server);
    if (task->is_undecodable) {
        buffer_put_text(&server->output, "NIL");
        task->part.len = 0;
        return;
    }
    if (url->is_partial) {
        from = url->partial_start < end ? url->partial_start : end;
        if (url->partial_len > 0 && end - from > url->partial_len)
            end = from + url->partial_len;
    }
    buffer_put_text(&server->output, task->binary.has_zero ? "~{" : "{");
    buffer_put_decimal(&server->output, end - from);
    buffer_put_text(&server->output, "}\r\n");
    imap_binary_begin(&task->binary, task->part.encoding, from, end, &server->output);
}

static void
on_sent(struct imap_server *server, bool is_found)
{
    struct fetch_task *task = server->task;

    if (!is_found) {
        put_nothing(server);
        return;
    }
    if (!task->is_undecodable)
        imap_binary_finish(&task->binary);
    end_url(server);
}

static bool
send_binary(struct imap_server *server)
{
    struct fetch_task *task = server->task;

    task->part.structure = wanted(server)->has_structure ? &task->structure : NULL;
    task->part.decoded = task->is_undecodable ? NULL : &task->decoded;
    task->part.begin = begin_sending;
    task->part.is_looked_at = false;
    task->part.then = on_sent;
    imap_part_begin(server, &task->part);
    return true;
}

static void
on_counted(struct imap_server *server, bool is_found)
{
    struct fetch_task *task = server->task;

    if (!is_found) {
        put_nothing(server);
        return;
    }
    if (!task->is_undecodable)
        imap_binary_finish(&task->binary);
    task->decoded = (struct imap_decoded){task->binary.made, task->binary.lines};
    server->more = send_binary;
}

/* ---- the command ---- */

static void
begin_part(struct imap_server *server)
{
    struct fetch_task *task = server->task;
    struct imap_part *part = &task->part;
    const struct wanted *want = wanted(server);
    bool is_made = part->what.item.section == IMAP_SECTION_FIELDS ||
                   part->what.item.section == IMAP_SECTION_FIELDS_NOT;

    part->into = &task->made;
    part->then = on_part;
    if (want->has_binary && !is_made) {
        part->begin = begin_counting;
        part->take = take_octets;
        part->is_looked_at = true;
        part->then = on_counted;
    } else {
        part->begin = begin_octets;
        part->structure = want->has_structure ? &task->structure : NULL;
        part->has_no_octets = is_extended(want) && !want->has_body && !want->has_binary;
    }
    imap_part_begin(server, part);
}

static bool
fetch_next(struct imap_server *server)
{
    struct fetch_task *task = server->task;

    if (task->next == task->count) {
        imap_end_result(server, task->unread, "done");
        return true;
    }
    task->decoded = (struct imap_decoded){0};
    if (imap_part_parse(server, wanted(server)->url, &task->part) &&
        task->part.what.url.is_authorized)
        begin_part(server);
    else
        put_nothing(server);
    return true;
}

/* url-fetch-param, none of them twice, and not both BODY and BINARY (RFC 5524 §3.1). */
static bool
take_parameter(struct cursor *cursor, struct wanted *wanted)
{
    struct slice name;

    if (!imap_take_atom(cursor, &name))
        return false;
    bool *has = slice_equal_nocase(name, SLICE("BODY"))                ? &wanted->has_body
                : slice_equal_nocase(name, SLICE("BINARY"))            ? &wanted->has_binary
                : slice_equal_nocase(name, SLICE("BODYPARTSTRUCTURE")) ? &wanted->has_structure
                                                                       : NULL;
    if (!has || *has)
        return false;
    *has = true;
    return !wanted->has_body || !wanted->has_binary;
}

/* url-full / "(" url-full *(SP url-fetch-param) ")" */
static bool
take_wanted(struct imap_server *server, struct cursor *cursor, struct wanted *wanted)
{
    if (!cursor_take_byte(cursor, '('))
        return imap_take_astring(cursor, &server->arena, &wanted->url);
    bool is_good = imap_take_astring(cursor, &server->arena, &wanted->url);
    while (is_good && imap_take_space(cursor))
        is_good = take_parameter(cursor, wanted);
    return is_good && cursor_take_byte(cursor, ')');
}

void
imap_command_urlfetch(struct imap_server *server, struct cursor *cursor)
{
    struct fetch_task *task = imap_task(server, sizeof(*task));
    bool is_good = cursor_peek(cursor) == ' ';

    buffer_init(&task->made, IMAP_OUTPUT_MAX / 2);
    buffer_init(&task->structure, IMAP_OUTPUT_MAX / 2);
    server->drop = drop;
    while (is_good && imap_take_space(cursor))
        is_good = !imap_over(server, task->count == URLS_MAX, "[LIMIT] too many URLs") &&
                  take_wanted(server, cursor, &task->urls[task->count++]);
    if (!is_good || !imap_take_end(cursor))
        imap_bad(server,
                 "expected: URLFETCH and URLs, or (URL and BODY, BINARY, BODYPARTSTRUCTURE)");
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
