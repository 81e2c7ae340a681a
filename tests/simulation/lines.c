/* SPDX-License-Identifier: ISC */
#include "lines.h"

#include <errno.h>
#include <stdlib.h>

enum { OUTPUT_MAX = 2 * 1024 * 1024, INPUT_MAX = 64 * 1024, SILENCE_S = 900 };

struct lines {
    struct host *host;
    struct host_stream *stream;
    struct host_timer *silence;
    struct buffer input;
    struct buffer output;
    struct lines_handler handler;
    void *context;
    bool *gone; /* set while a handler runs that may close us */
};

static void on_stream(void *context, unsigned events);

static void
watch(struct lines *lines)
{
    unsigned events = HOST_READABLE | (buffer_len(&lines->output) ? HOST_WRITABLE : 0U);

    if (lines->stream)
        host_stream_watch(lines->stream, events, on_stream, lines);
}

/* The owner learns of the end once; it closes. */
static void
end(struct lines *lines)
{
    host_stream_close(&lines->stream);
    host_timer_set(lines->silence, INSTANT_NEVER);
    lines->handler.on_end(lines->context);
}

static void
on_silence(void *context)
{
    end(context);
}

/* Hands over whole lines; false when the owner has closed us. */
static bool
hand_over(struct lines *lines)
{
    bool gone = false;

    lines->gone = &gone;
    for (;;) {
        struct slice input = buffer_slice(&lines->input);
        size_t at = slice_find(input, SLICE("\r\n"));
        if (at == input.len)
            break;
        uint8_t *copy = malloc(at + 1);
        if (!copy)
            abort();
        memcpy(copy, input.at, at);
        buffer_consume(&lines->input, at + 2);
        lines->handler.on_line(lines->context, slice_of(copy, at));
        free(copy);
        if (gone)
            return false;
    }
    lines->gone = NULL;
    return true;
}

static void
on_stream(void *context, unsigned events)
{
    struct lines *lines = context;
    uint8_t bytes[8192];
    int64_t count = -EAGAIN;

    host_timer_set(lines->silence, instant_after(host_now(lines->host), duration_s(SILENCE_S)));
    if (events & HOST_WRITABLE && buffer_len(&lines->output)) {
        int64_t written = host_stream_write(lines->stream, buffer_slice(&lines->output));
        if (written < 0 && written != -EAGAIN && !(events & HOST_READABLE)) {
            end(lines);
            return;
        }
        buffer_consume(&lines->output, written > 0 ? (size_t)written : 0);
    }
    if (events & HOST_READABLE) {
        count = host_stream_read(lines->stream, bytes, sizeof(bytes));
        if (count > 0) {
            buffer_put(&lines->input, slice_of(bytes, (size_t)count));
            if (!hand_over(lines))
                return;
        } else if (count != -EAGAIN) {
            end(lines);
            return;
        }
    }
    watch(lines);
}

struct lines *
lines_open(struct host *host, const struct host_address *address,
           const struct lines_handler *handler, void *context)
{
    struct lines *lines = calloc(1, sizeof(*lines));

    if (!lines)
        abort();
    lines->host = host;
    lines->handler = *handler;
    lines->context = context;
    lines->silence = host_timer_open(host, on_silence, lines);
    buffer_init(&lines->input, INPUT_MAX);
    buffer_init(&lines->output, OUTPUT_MAX);
    host_timer_set(lines->silence, instant_after(host_now(host), duration_s(SILENCE_S)));
    if (host_stream_connect(host, address, &lines->stream) < 0)
        abort(); /* the simulator refuses later, by an event */
    watch(lines);
    return lines;
}

struct buffer *
lines_output(struct lines *lines)
{
    return &lines->output;
}

void
lines_flush(struct lines *lines)
{
    watch(lines);
}

void
lines_close(struct lines **lines_at)
{
    struct lines *lines = *lines_at;

    if (!lines)
        return;
    *lines_at = NULL;
    if (lines->gone)
        *lines->gone = true;
    host_stream_close(&lines->stream);
    host_timer_close(&lines->silence);
    buffer_finish(&lines->input);
    buffer_finish(&lines->output);
    free(lines);
}
