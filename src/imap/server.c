/* SPDX-License-Identifier: ISC */
/* The life of a session: framer, output, timers, the end of commands. */
#include "imap/context.h"
#include "imap/notify.h"
#include "imap/part.h"
#include "imap/portion.h"
#include "imap/server_private.h"

#include <stdlib.h>

enum {
    TEXT_MAX = 256 * 1024,
    SCRATCH_MAX = 20 * 1024,
    DONE_LINE_MAX = 16,
    LITERAL_END_MAX = 32, /* {18446744073709551615+} and its CRLF */
};

void
imap_touch(struct imap_server *server, struct instant now)
{
    uint32_t ms = server->options.idle_ms > IMAP_IDLE_MS_MIN ? server->options.idle_ms
                                                             : (uint32_t)IMAP_IDLE_MS_MIN;

    if (server->state == IMAP_NOT_AUTHENTICATED) {
        server->idle_ends = instant_after(now, duration_ms(IMAP_EARLY_MS));
        if (instant_is_before(server->stranger_ends, server->idle_ends))
            server->idle_ends = server->stranger_ends;
    } else {
        server->idle_ends = instant_after(now, duration_ms(ms));
    }
}

static void drop_task(struct imap_server *server);

static void
greet(struct imap_server *server)
{
    buffer_put_text(&server->output, "* OK [");
    imap_put_capabilities(server);
    buffer_put_text(&server->output, "] ");
    buffer_put(&server->output, server->options.hostname);
    buffer_put_text(&server->output, " IMAP ready\r\n");
}

struct imap_server *
imap_server_open(const struct imap_server_options *options, struct instant now)
{
    struct imap_server *server = calloc(1, sizeof(*server));

    if (!server)
        abort();
    server->options = *options;
    server->state = IMAP_NOT_AUTHENTICATED;
    server->is_secure = options->is_secure;
    buffer_init(&server->command, IMAP_COMMAND_MAX);
    buffer_init(&server->text, TEXT_MAX);
    buffer_init(&server->scratch, SCRATCH_MAX);
    buffer_init(&server->output, IMAP_OUTPUT_MAX);
    arena_init(&server->arena, IMAP_ARENA_MAX);
    imap_set_builder_init(&server->gathered);
    imap_set_builder_init(&server->own);
    list_init(&server->view.link);
    server->stranger_ends = instant_after(now, duration_ms(IMAP_STRANGER_MS));
    imap_touch(server, now);
    greet(server);
    return server;
}

void
imap_server_has_certificate(struct imap_server *server)
{
    server->has_certificate = true;
    /* The greeting still waits for TLS, and has the list of mechanisms. */
    if (server->options.is_secure) {
        buffer_clear(&server->output);
        greet(server);
    }
}

void
imap_server_close(struct imap_server **server)
{
    struct imap_server *old = *server;

    if (!old)
        return;
    drop_task(old);
    imap_compress_end(old);
    imap_notify_close(&old->notify);
    imap_contexts_close(old);
    imap_set_builder_finish(&old->own);
    imap_view_close(&old->view);
    free((void *)(uintptr_t)old->saved.at);
    buffer_wipe(&old->command);
    buffer_finish(&old->text);
    buffer_wipe(&old->scratch);
    buffer_finish(&old->output);
    arena_wipe(&old->arena);
    free(old);
    *server = NULL;
}

/* ---- ends of commands ------------------------------------------------------------------------ */

/* Until somebody has logged in there may be a password in it. */
static void
drop_command(struct imap_server *server)
{
    if (server->state == IMAP_NOT_AUTHENTICATED)
        buffer_wipe(&server->command);
    else
        buffer_finish(&server->command);
    server->line_start = 0;
}

bool
imap_has_room(const struct imap_server *server)
{
    size_t packed = server->compress ? buffer_len(imap_compress_packed(server)) : 0;

    return buffer_len(&server->output) + packed < IMAP_OUTPUT_SOFT;
}

void *
imap_task(struct imap_server *server, size_t size)
{
    server->task = arena_new(&server->arena, size);
    assert(server->task); /* the arena is far larger than any task */
    return server->task;
}

bool
imap_is_utf8(const struct imap_server *server)
{
    return server->enabled & (IMAP_ENABLED_UTF8 | IMAP_ENABLED_REV2);
}

/* The last line of a command; then the session is ready for the next. */
static void
put_tagged(struct imap_server *server)
{
    static const char *const words[] = {" OK ", " NO ", " BAD "};
    struct buffer *out = &server->output;

    if (server->is_internal)
        return;
    if (server->tag_len > 0)
        buffer_put(out, slice_of(server->tag, server->tag_len));
    else
        buffer_put_byte(out, '*');
    buffer_put_text(out, words[server->status]);
    buffer_put(out, buffer_slice(&server->text));
    buffer_put_text(out, "\r\n");
}

/* What the command that is being done holds outside of the arena. */
static void
drop_task(struct imap_server *server)
{
    if (server->drop)
        server->drop(server);
    server->drop = NULL;
    if (server->part)
        buffer_finish(&server->part->header);
    server->part = NULL;
    imap_scan_finish(server);
    imap_set_builder_finish(&server->gathered);
}

static void
forget_command(struct imap_server *server)
{
    drop_task(server);
    server->is_running = server->is_internal = server->is_polling = server->is_line_open = false;
    server->view.is_pinned = false;
    server->more = NULL;
    server->on_note = NULL;
    server->task = NULL;
    server->own_changes = NULL;
    if (server->view.mailbox)
        imap_mailbox_compact(server->view.mailbox);
    arena_wipe(&server->arena);
    buffer_wipe(&server->scratch);
    buffer_finish(&server->text);
    drop_command(server);
}

static bool
complete(struct imap_server *server)
{
    if (server->state == IMAP_SELECTED && !server->is_internal &&
        !imap_sync(server, server->may_expunge))
        return true;
    put_tagged(server);
    forget_command(server);
    if (server->wants_compress && !server->compress)
        imap_compress_begin(server);
    server->wants_compress = false;
    if (server->errors >= IMAP_ERRORS_MAX)
        imap_shut(server, IMAP_CLOSE_ERRORS, "too many errors");
    else if (server->is_stopping)
        imap_shut(server, IMAP_CLOSE_SERVER, "the service goes down; come again");
    return false;
}

void
imap_end(struct imap_server *server, enum imap_status status, const char *text)
{
    imap_view_return(server);
    server->status = status;
    if (status == IMAP_OK)
        imap_portion_tell(server, text);
    buffer_put_text(&server->text, text);
    server->is_running = true;
    server->on_note = NULL;
    server->more = complete;
}

bool
imap_over(struct imap_server *server, bool is_over, const char *text)
{
    if (is_over)
        server->limit = text;
    return is_over;
}

void
imap_bad(struct imap_server *server, const char *text)
{
    const char *limit = server->limit;

    server->limit = NULL;
    if (limit) {
        buffer_clear(&server->text);
        imap_end(server, IMAP_NO, limit);
        return;
    }
    server->errors++;
    server->may_expunge = false;
    buffer_clear(&server->text);
    imap_end(server, IMAP_BAD, text);
}

void
imap_end_result(struct imap_server *server, enum access_store_result result, const char *ok_text)
{
    static const char *const texts[ACCESS_STORE_RESULT_COUNT] = {
        [ACCESS_STORE_RESULT_IN_USE] = "[INUSE] it is in use",
        [ACCESS_STORE_RESULT_NOT_FOUND] = "[NONEXISTENT] there is no such mailbox",
        [ACCESS_STORE_RESULT_NO_PERMISSION] = "[NOPERM] you may not do this",
        [ACCESS_STORE_RESULT_TEMPORARY] = "[UNAVAILABLE] not now, try again later",
        [ACCESS_STORE_RESULT_EXPUNGED] = "[EXPUNGEISSUED] some of these messages are gone",
        [ACCESS_STORE_RESULT_EXISTS] = "[ALREADYEXISTS] there is one of that name",
        [ACCESS_STORE_RESULT_QUOTA] = "[OVERQUOTA] the account is full",
        [ACCESS_STORE_RESULT_LIMIT] = "[LIMIT] beyond a limit of this server",
        [ACCESS_STORE_RESULT_INVALID] = "[CANNOT] that never can be",
        [ACCESS_STORE_RESULT_NO_SPACE] = "[UNAVAILABLE] the disk is full",
        [ACCESS_STORE_RESULT_DAMAGED] = "[CORRUPTION] the message is damaged",
    };

    if (result == ACCESS_STORE_RESULT_OK)
        imap_end(server, IMAP_OK, ok_text);
    else
        imap_end(server, IMAP_NO, texts[result]);
}

void
imap_shut(struct imap_server *server, enum imap_close close, const char *text)
{
    if (server->state == IMAP_LOGGED_OUT)
        return;
    if (text) {
        buffer_put_text(&server->output, "* BYE ");
        buffer_put_text(&server->output, text);
        buffer_put_text(&server->output, "\r\n");
    }
    imap_view_return(server);
    imap_view_close(&server->view);
    server->state = IMAP_LOGGED_OUT;
    server->is_idling = server->is_held = false;
    if (server->is_running)
        forget_command(server);
    server->event = (struct imap_event){.close = close};
    imap_raise(server, IMAP_EVENT_CLOSE);
}

/* ---- events ---------------------------------------------------------------------------------- */

void
imap_raise(struct imap_server *server, enum imap_event_kind kind)
{
    server->event.kind = kind;
    server->has_event = true;
}

void
imap_ask(struct imap_server *server, enum access_store_kind kind,
         void (*on_note)(struct imap_server *server, const struct access_store_note *note,
                         struct slice blob))
{
    server->note.kind = kind;
    server->event = (struct imap_event){.note = &server->note};
    server->on_note = on_note;
    imap_raise(server, IMAP_EVENT_STORE);
}

/* What is told without being asked, while nothing else is done. True when a task was begun. */
static bool
tell_between(struct imap_server *server)
{
    /* A line that has begun to come in keeps its place in the buffer of commands. */
    bool is_line_empty = buffer_len(&server->command) == 0 && server->literal_left == 0;
    bool may_expunge;

    if (server->is_running || server->has_event || server->is_auth_open ||
        server->state == IMAP_LOGGED_OUT || !imap_has_room(server))
        return false;
    if (imap_is_rights_stale(server)) {
        imap_ask_rights(server);
        return false;
    }
    if (server->is_changed && imap_is_pushing(server, &may_expunge)) {
        server->is_changed = !imap_sync(server, may_expunge);
        if (server->is_changed) /* the output is full: until it goes on the view must stay */
            return false;
    }
    if (is_line_empty && imap_context_step(server))
        return true;
    return server->notify && is_line_empty && imap_notify_step(server);
}

static void
go_on(struct imap_server *server)
{
    do {
        while (!server->has_event && server->more && imap_has_room(server)) {
            if (!server->more(server))
                break;
        }
    } while (tell_between(server));
}

static size_t feed_packed(struct imap_server *server, struct slice input, struct instant now);

/* Output that is packed leaves room for more, of which nobody else would think: so little is left
 * of it sometimes that who sends it waits for the rest. */
static void
go_on_packed(struct imap_server *server)
{
    bool was_full;

    do {
        go_on(server);
        (void)feed_packed(server, slice_of("", 0), server->fed_at);
        was_full = !imap_has_room(server);
        imap_compress_pack(server);
    } while (was_full && imap_has_room(server) && !server->has_event);
}

bool
imap_server_next(struct imap_server *server, struct imap_event *ret_event)
{
    if (server->compress)
        go_on_packed(server);
    else
        go_on(server);
    if (!server->has_event)
        return false;
    server->has_event = false;
    *ret_event = server->event;
    return true;
}

void
imap_server_on_note(struct imap_server *server, const struct access_store_note *note,
                    struct slice blob)
{
    if (server->on_note)
        server->on_note(server, note, blob);
}

void
imap_server_store_lost(struct imap_server *server)
{
    if (server->is_asking_rights) {
        server->is_asking_rights = false;
        server->on_note = NULL;
        imap_shut(server, IMAP_CLOSE_SERVER, "[UNAVAILABLE] the store is away, try again later");
        return;
    }
    if (!server->is_running || !server->on_note)
        return;
    if (server->is_line_open) { /* an answer would be taken for what is missing of a literal */
        imap_shut(server, IMAP_CLOSE_SERVER, NULL);
        return;
    }
    imap_scan_finish(server);
    server->may_expunge = false;
    server->on_note = NULL;
    buffer_clear(&server->text);
    imap_end(server, IMAP_NO, "[UNAVAILABLE] the store is away, try again later");
}

bool
imap_server_is_busy(const struct imap_server *server)
{
    return server->has_event || server->is_running || server->is_auth_open || server->is_held;
}

/* ---- framer ---------------------------------------------------------------------------------- */

static bool
can_take(const struct imap_server *server)
{
    return !server->has_event && !server->is_running && !imap_is_rights_stale(server) &&
           !server->is_auth_open && !server->is_held && server->state != IMAP_LOGGED_OUT &&
           imap_has_room(server) && server->expects != IMAP_LINE_AFTER_TLS;
}

/* literal = "{" number64 ["+"] "}" CRLF at the end of a line. */
static bool
ends_in_literal(struct slice line, uint64_t *ret_len, bool *ret_is_waited_for)
{
    if (line.len > 0 && line.at[line.len - 1] == '\n')
        line.len--;
    if (line.len > 0 && line.at[line.len - 1] == '\r')
        line.len--;
    if (line.len < 3 || line.at[line.len - 1] != '}')
        return false;
    struct cursor cursor = cursor_of(slice_skip(line, slice_find_last_byte(line, '{') + 1));
    uint64_t len;
    if (!cursor_take_u64(&cursor, 0, INT64_MAX, &len))
        return false;
    *ret_is_waited_for = !cursor_take_byte(&cursor, '+');
    *ret_len = len;
    return cursor_take_byte(&cursor, '}') && cursor_is_done(&cursor);
}

/* Commands that carry messages. */
static bool
is_append(const struct imap_server *server)
{
    struct cursor cursor = cursor_of(buffer_slice(&server->command));
    struct slice tag;

    return server->state != IMAP_NOT_AUTHENTICATED && imap_take_tag(&cursor, &tag) &&
           imap_take_space(&cursor) &&
           (imap_take_word(&cursor, SLICE("APPEND")) || imap_take_word(&cursor, SLICE("REPLACE")) ||
            imap_take_word(&cursor, SLICE("UID REPLACE")));
}

static uint64_t
command_max(const struct imap_server *server)
{
    if (server->state == IMAP_NOT_AUTHENTICATED)
        return IMAP_COMMAND_MAX_EARLY;
    return is_append(server) ? server->options.message_bytes_max + IMAP_COMMAND_MAX
                             : (uint64_t)IMAP_COMMAND_MAX;
}

static void
keep_tag(struct imap_server *server)
{
    struct cursor cursor = cursor_of(buffer_slice(&server->command));
    struct slice tag;

    server->tag_len = 0;
    if (!imap_take_tag(&cursor, &tag))
        return;
    memcpy(server->tag, tag.at, tag.len);
    server->tag_len = (uint8_t)tag.len;
}

/* The command is answered before it has ended; the rest of it is passed over. */
static void
refuse_early(struct imap_server *server, const char *text)
{
    if (server->expects == IMAP_LINE_COMMAND) /* else it goes on with one whose tag is kept */
        keep_tag(server);
    if (server->expects == IMAP_LINE_RESPONSE)
        imap_auth_give_up(server);
    if (server->expects == IMAP_LINE_DONE)
        server->is_idling = false;
    server->errors++;
    server->status = is_append(server) ? IMAP_NO : IMAP_BAD;
    buffer_put_text(&server->text, text);
    put_tagged(server);
    buffer_finish(&server->text);
    drop_command(server);
    if (server->errors >= IMAP_ERRORS_MAX)
        imap_shut(server, IMAP_CLOSE_ERRORS, "too many errors");
}

static void
begin_literal(struct imap_server *server, uint64_t len, bool is_waited_for)
{
    uint64_t max = command_max(server);

    if (server->is_discarding) {
        drop_command(server);
        server->is_discarding = !is_waited_for; /* who waits has been told no */
        server->discard_left = is_waited_for ? 0 : len;
        return;
    }
    bool is_too_big = is_append(server) && len > server->options.message_bytes_max;
    if (is_too_big || buffer_len(&server->command) + len > max) {
        refuse_early(server, "[TOOBIG] larger than this server takes");
        server->is_discarding = !is_waited_for;
        server->discard_left = is_waited_for ? 0 : len;
        return;
    }
    server->command.max = (size_t)max;
    server->literal_left = len;
    server->line_start = buffer_len(&server->command) + (size_t)len;
    if (is_waited_for)
        buffer_put_text(&server->output, "+ go ahead\r\n");
}

static void
on_done(struct imap_server *server, struct slice line)
{
    bool is_done = slice_equal_nocase(slice_trim(line), SLICE("DONE"));

    server->expects = IMAP_LINE_COMMAND;
    server->is_idling = false;
    server->may_expunge = true;
    if (is_done)
        imap_end(server, IMAP_OK, "no longer idle");
    else
        imap_bad(server, "DONE was expected");
}

static void
on_line(struct imap_server *server, struct instant now)
{
    struct slice line = slice_skip(buffer_slice(&server->command), server->line_start);
    bool is_waited_for = false;
    uint64_t len;

    imap_touch(server, now);
    if (server->expects == IMAP_LINE_RESPONSE) {
        imap_auth_response(server, line, now);
        if (!server->is_running) {
            arena_wipe(&server->arena);
            drop_command(server);
        }
        server->line_start = 0;
    } else if (server->expects == IMAP_LINE_DONE) {
        on_done(server, line);
    } else if (ends_in_literal(line, &len, &is_waited_for)) {
        begin_literal(server, len, is_waited_for);
    } else if (server->is_discarding) {
        server->is_discarding = false;
        drop_command(server);
    } else {
        server->is_running = true;
        keep_tag(server);
        imap_run(server);
    }
}

static size_t
min_size(uint64_t left, size_t right)
{
    return left < right ? (size_t)left : right;
}

/* A line goes on without end: it is answered, and what comes of it is passed over. Its last octets
 * are kept: they may announce a literal, whose octets must not be taken for commands. */
static void
on_overlong(struct imap_server *server, struct slice piece)
{
    uint8_t end[LITERAL_END_MAX];
    struct slice known = slice_skip(buffer_slice(&server->command), server->line_start);
    size_t last = min_size(piece.len, sizeof(end));
    size_t before = min_size(known.len, sizeof(end) - last);

    memcpy(end, slice_skip(known, known.len - before).at, before);
    memcpy(end + before, slice_skip(piece, piece.len - last).at, last);
    server->command.overflowed = false;
    if (!server->is_discarding)
        refuse_early(server, "[TOOBIG] the command is too long");
    drop_command(server);
    buffer_put(&server->command, slice_of(end, before + last));
    server->is_discarding = true;
    server->expects = IMAP_LINE_COMMAND;
}

static size_t
take_some(struct imap_server *server, struct slice input, struct instant now)
{
    if (server->discard_left > 0) {
        size_t some = min_size(server->discard_left, input.len);
        server->discard_left -= some;
        return some;
    }
    if (server->literal_left > 0) {
        size_t some = min_size(server->literal_left, input.len);
        buffer_put(&server->command, slice_first(input, some));
        server->literal_left -= some;
        /* An octet now and then buys a stranger no time. */
        if (server->state != IMAP_NOT_AUTHENTICATED)
            imap_touch(server, now);
        return some;
    }
    size_t end = slice_find_byte(input, '\n');
    bool has_end = end < input.len;
    size_t some = has_end ? end + 1 : input.len;
    if (buffer_len(&server->command) + some > command_max(server)) {
        on_overlong(server, slice_first(input, some));
        if (has_end)
            on_line(server, now);
        return some;
    }
    buffer_put(&server->command, slice_first(input, some));
    if (has_end)
        on_line(server, now);
    return some;
}

static size_t
feed_clear(struct imap_server *server, struct slice input, struct instant now)
{
    size_t taken = 0;

    while (taken < input.len && can_take(server)) {
        taken += take_some(server, slice_skip(input, taken), now);
        go_on(server);
    }
    return taken;
}

/* What was unpacked comes first. */
static size_t
feed_packed(struct imap_server *server, struct slice input, struct instant now)
{
    size_t used = 0;

    for (;;) {
        imap_compress_taken(server, feed_clear(server, imap_compress_plain(server), now));
        if (!can_take(server) || imap_compress_plain(server).len > 0)
            return used;
        used += imap_compress_unpack(server, slice_skip(input, used));
        if (imap_compress_plain(server).len == 0) /* all of the input, and all that was in it */
            return used;
    }
}

size_t
imap_server_feed(struct imap_server *server, struct slice input, struct instant now)
{
    server->fed_at = now;
    return server->compress ? feed_packed(server, input, now) : feed_clear(server, input, now);
}

/* ---- output and timers ----------------------------------------------------------------------- */

struct slice
imap_server_output(const struct imap_server *server)
{
    const struct buffer *output = server->compress ? imap_compress_packed(server) : &server->output;

    return server->is_held ? slice_of("", 0) : buffer_slice(output);
}

void
imap_server_sent(struct imap_server *server, size_t len, struct instant now)
{
    struct buffer *output = server->compress ? imap_compress_packed(server) : &server->output;

    buffer_consume(output, len);
    buffer_release_if_empty(output);
    if (server->is_running || server->is_idling)
        imap_touch(server, now);
}

struct instant
imap_server_deadline(const struct imap_server *server)
{
    struct instant rest = imap_notify_deadline(server);

    if (server->is_held)
        return server->held_until;
    return instant_is_before(rest, server->idle_ends) ? rest : server->idle_ends;
}

void
imap_server_expire(struct imap_server *server, struct instant now)
{
    if (server->is_held) {
        server->is_held = instant_is_before(now, server->held_until);
        return;
    }
    if (imap_notify_expire(server, now) || instant_is_before(now, server->idle_ends))
        return;
    bool is_read = imap_server_output(server).len == 0;
    if (server->is_running && is_read) {
        /* It is we who are slow. */
        server->stranger_ends = instant_after(now, duration_ms(IMAP_STRANGER_MS));
        imap_touch(server, now);
    } else
        imap_shut(server, IMAP_CLOSE_IDLE, "[UNAVAILABLE] silent for too long");
    if (server->compress)
        imap_compress_pack(server);
}

void
imap_server_stop(struct imap_server *server, struct instant now)
{
    (void)now;
    server->is_stopping = true;
    if (!server->is_running && !server->is_auth_open)
        imap_shut(server, IMAP_CLOSE_SERVER, "[UNAVAILABLE] the service goes down; come again");
    if (server->compress)
        imap_compress_pack(server);
}

ENGINE_KIND(imap_server);
