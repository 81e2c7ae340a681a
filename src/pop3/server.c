/* SPDX-License-Identifier: ISC */
/* The framer, the output and the timers of the server engine. */
#include "pop3/server.h"

#include "pop3/server_private.h"

#include <stdlib.h>

/* Room that a command's answer may need: the longest is a SASL challenge in base64. */
enum { ANSWER_MAX = 24 * 1024 };

/* Room that is kept free behind a body or a listing for its end. */
enum { TAIL_MAX = 128 };

/* A stranger may be silent as long as anybody, but does not stay for ever by small talk. */
static void
touch(struct pop3_server *server, struct instant now)
{
    uint32_t idle_ms = server->options.idle_ms;

    server->idle_ends =
        instant_after(now, duration_ms(idle_ms > POP3_IDLE_MS_MIN ? idle_ms : POP3_IDLE_MS_MIN));
    if (server->state == POP3_AUTHORIZATION &&
        instant_is_before(server->stranger_ends, server->idle_ends))
        server->idle_ends = server->stranger_ends;
}

/* RFC 1939 §4 and §7: with a timestamp, APOP is offered. */
static void
put_banner(struct pop3_server *server)
{
    struct buffer *output = &server->output;

    buffer_put_text(output, "+OK ");
    buffer_put(output, server->options.hostname);
    buffer_put_text(output, " POP3 ready");
    if (server->options.timestamp.len > 0) {
        buffer_put_byte(output, ' ');
        buffer_put(output, server->options.timestamp);
    }
    buffer_put_text(output, "\r\n");
}

struct pop3_server *
pop3_server_open(const struct pop3_server_options *options, struct instant now)
{
    struct pop3_server *server = calloc(1, sizeof(*server));

    if (!server)
        abort();
    assert(options->timestamp.len <= POP3_TIMESTAMP_MAX);
    assert(options->mechanisms_count <= POP3_MECHANISMS_MAX);
    server->options = *options;
    if (options->timestamp.len > 0)
        memcpy(server->timestamp, options->timestamp.at, options->timestamp.len);
    server->options.timestamp = slice_of(server->timestamp, options->timestamp.len);
    server->state = POP3_AUTHORIZATION;
    server->is_secure = options->is_secure;
    buffer_init(&server->line, POP3_SASL_LINE_MAX);
    buffer_init(&server->output, POP3_OUTPUT_MAX);
    buffer_init(&server->scratch, POP3_SASL_LINE_MAX);
    buffer_init(&server->name, POP3_NAME_MAX);
    server->stranger_ends = instant_after(now, duration_ms(POP3_STRANGER_MS));
    touch(server, now);
    put_banner(server);
    return server;
}

void
pop3_server_close(struct pop3_server **server)
{
    struct pop3_server *old = *server;

    if (!old)
        return;
    /* Passwords have passed through these. */
    buffer_wipe(&old->line);
    buffer_wipe(&old->scratch);
    buffer_finish(&old->output);
    buffer_finish(&old->name);
    pop3_maildrop_finish(&old->maildrop);
    free(old);
    *server = NULL;
}

/* ---- input --------------------------------------------------------------------------------- */

static bool
takes_lines(const struct pop3_server *server)
{
    return !server->has_event && server->question == POP3_QUESTION_NONE &&
        server->list_next == 0 && server->state != POP3_DONE && !server->is_held &&
        server->expects != POP3_LINE_AFTER_TLS && buffer_room(&server->output) >= ANSWER_MAX;
}

/* Long lines are for SASL only. */
static size_t
line_max(const struct pop3_server *server, struct slice start)
{
    return server->expects == POP3_LINE_COMMAND && !slice_starts_with_nocase(start, SLICE("AUTH "))
        ? POP3_LINE_MAX
        : POP3_SASL_LINE_MAX;
}

/* Keeps a part of a line until the rest of it comes. */
static void
keep(struct pop3_server *server, struct slice part)
{
    if (server->is_overlong)
        return;
    buffer_put(&server->line, part);
    struct slice line = buffer_slice(&server->line);
    if (buffer_overflowed(&server->line) || line.len > line_max(server, line)) {
        server->is_overlong = true;
        buffer_wipe(&server->line);
    }
}

static void
run_line(struct pop3_server *server, struct slice line)
{
    line = slice_first(line, line.len - 1);
    if (slice_ends_with(line, SLICE("\r")))
        line = slice_first(line, line.len - 1);
    if (server->expects == POP3_LINE_COMMAND)
        pop3_run_command(server, line);
    else
        pop3_run_response(server, line);
    pop3_fill(server);
}

/* A whole line has come; `last` is its end, or all of it. */
static void
take_line(struct pop3_server *server, struct slice last)
{
    if (buffer_len(&server->line) > 0 || server->is_overlong) {
        keep(server, last);
        last = buffer_slice(&server->line);
    } else if (last.len > line_max(server, last)) {
        server->is_overlong = true;
    }
    if (server->is_overlong) {
        server->is_overlong = false;
        if (server->expects != POP3_LINE_COMMAND)
            pop3_run_response(server, SLICE("*"));
        else
            pop3_refuse(server, "line is too long");
    } else {
        run_line(server, last);
    }
    buffer_wipe(&server->line);
}

size_t
pop3_server_feed(struct pop3_server *server, struct slice input, struct instant now)
{
    size_t done = 0;

    while (done < input.len && takes_lines(server)) {
        struct slice rest = slice_skip(input, done);
        size_t end = slice_find_byte(rest, '\n');
        if (end == rest.len) {
            keep(server, rest);
            return input.len;
        }
        touch(server, now);
        take_line(server, slice_first(rest, end + 1));
        done += end + 1;
    }
    /* After the end nothing matters: what is still sent is taken and forgotten. */
    return server->state == POP3_DONE ? input.len : done;
}

bool
pop3_server_next(struct pop3_server *server, struct pop3_event *ret_event)
{
    /* The last answer goes out first. */
    if (!server->has_event || (server->is_held && server->event.kind == POP3_EVENT_CLOSE))
        return false;
    server->has_event = false;
    *ret_event = server->event;
    return true;
}

bool
pop3_server_is_busy(const struct pop3_server *server)
{
    return server->question != POP3_QUESTION_NONE || server->has_event || server->is_held ||
        server->list_next > 0;
}

void
pop3_raise(struct pop3_server *server, enum pop3_event_kind kind, enum pop3_question question)
{
    server->event.kind = kind;
    server->has_event = true;
    server->question = question;
}

void
pop3_end(struct pop3_server *server, enum pop3_close close)
{
    server->state = POP3_DONE;
    server->list_next = 0;
    server->event = (struct pop3_event){.close = close};
    pop3_raise(server, POP3_EVENT_CLOSE, POP3_QUESTION_NONE);
}

void
pop3_server_tls_started(struct pop3_server *server, struct instant now)
{
    /* RFC 2595 §4: what was said in the clear is forgotten, but for the banner. */
    buffer_wipe(&server->line);
    buffer_wipe(&server->scratch);
    buffer_finish(&server->name);
    server->is_overlong = false;
    server->is_secure = true;
    if (server->expects == POP3_LINE_AFTER_TLS)
        server->expects = POP3_LINE_COMMAND;
    touch(server, now);
}

void
pop3_server_has_certificate(struct pop3_server *server)
{
    server->has_certificate = true;
}

void
pop3_server_stop(struct pop3_server *server, struct instant now)
{
    (void)now;
    if (server->state == POP3_DONE)
        return;
    if (!server->is_begun && server->list_next == 0 && buffer_room(&server->output) > TAIL_MAX)
        pop3_put_error(server, "[SYS/TEMP] the server is going down");
    pop3_end(server, POP3_CLOSE_SERVER);
}

/* ---- output -------------------------------------------------------------------------------- */

void
pop3_put_ok(struct pop3_server *server, const char *text)
{
    buffer_put_text(&server->output, "+OK ");
    buffer_put_text(&server->output, text);
    buffer_put_text(&server->output, "\r\n");
}

void
pop3_put_error(struct pop3_server *server, const char *text)
{
    buffer_put_text(&server->output, "-ERR ");
    buffer_put_text(&server->output, text);
    buffer_put_text(&server->output, "\r\n");
}

void
pop3_refuse(struct pop3_server *server, const char *text)
{
    if (++server->errors < POP3_ERRORS_MAX) {
        pop3_put_error(server, text);
        return;
    }
    pop3_put_error(server, "too many errors");
    pop3_end(server, POP3_CLOSE_ERRORS);
}

void
pop3_fill(struct pop3_server *server)
{
    struct buffer *output = &server->output;
    const struct pop3_maildrop *maildrop = &server->maildrop;

    while (server->list_next > 0 && buffer_room(output) >= TAIL_MAX) {
        uint32_t number = server->list_next++;
        if (number > maildrop->count) {
            buffer_put_text(output, ".\r\n");
            server->list_next = 0;
            return;
        }
        if (pop3_maildrop_is_deleted(maildrop, number))
            continue;
        buffer_put_decimal(output, number);
        buffer_put_byte(output, ' ');
        if (server->list_uids) {
            buffer_put_decimal(output, server->uid_validity);
            buffer_put_byte(output, '.');
            buffer_put_decimal(output, pop3_maildrop_uid(maildrop, number));
        } else {
            buffer_put_decimal(output, pop3_maildrop_bytes(maildrop, number));
        }
        buffer_put_text(output, "\r\n");
    }
}

struct slice
pop3_server_output(const struct pop3_server *server)
{
    return server->is_held ? SLICE("") : buffer_slice(&server->output);
}

void
pop3_server_sent(struct pop3_server *server, size_t len, struct instant now)
{
    buffer_consume(&server->output, len);
    buffer_release_if_empty(&server->output);
    if (len > 0)
        touch(server, now);
    pop3_fill(server);
}

/* ---- time ---------------------------------------------------------------------------------- */

struct instant
pop3_server_deadline(const struct pop3_server *server)
{
    if (server->state == POP3_DONE && !server->is_held)
        return INSTANT_NEVER;
    return server->is_held ? server->held_until : server->idle_ends;
}

void
pop3_server_expire(struct pop3_server *server, struct instant now)
{
    if (server->is_held) {
        if (!instant_is_before(now, server->held_until))
            server->is_held = false;
        touch(server, now);
    } else if (server->state != POP3_DONE && !instant_is_before(now, server->idle_ends)) {
        /* RFC 1939 §3: nothing is removed, nothing is said. */
        pop3_end(server, POP3_CLOSE_IDLE);
    }
}

struct pop3_server_counts
pop3_server_counts(const struct pop3_server *server)
{
    return (struct pop3_server_counts){
        .messages = server->maildrop.count,
        .read = server->read_count,
        .deleted = server->maildrop.deleted_count,
    };
}

ENGINE_KIND(pop3_server);
