/* SPDX-License-Identifier: ISC */
/* LMTP to a program of this machine: we are confined, so another role connects the socket. */
#include "host/log.h"
#include "role/transport/transport_role.h"

#include <stdlib.h>

enum { SIDE_HAND = 1 };

/* The one that waits for this answer; 0: one that waits. */
static struct transport_job *
find_job(struct transport *transport, uint64_t reach_id)
{
    LIST_EACH (link, &transport->jobs) {
        struct transport_job *job = LIST_ITEM(link, struct transport_job, link);
        if (job->reach_id && (job->reach_id == reach_id || reach_id == 0))
            return job;
    }
    return NULL;
}

static void
fail(struct transport_job *job, struct slice why)
{
    job->reach_id = 0;
    job->attempts[job->attempt].text = arena_copy(&job->arena, why);
    job_dial_failed(job);
}

static void
lose(struct transport *transport)
{
    host_channel_close(&transport->hand);
    note_ledger_finish(&transport->hand_ledger);
    for (struct transport_job *job = find_job(transport, 0); job; job = find_job(transport, 0))
        fail(job, SLICE("the process that connects unix sockets ended"));
}

static void
on_reached(struct transport *transport, const struct transport_hand_reached *note,
           host_handle handle)
{
    struct host *host = transport->start.host;
    struct transport_job *job = find_job(transport, note->id);
    struct transport_stream *stream;

    if (!job) { /* given up */
        host_handle_close(host, handle);
        return;
    }
    if (handle == HOST_HANDLE_NONE) {
        fail(job, note->text);
        return;
    }
    stream = calloc(1, sizeof(*stream));
    if (!stream)
        abort();
    *stream = (struct transport_stream){.address = {.family = HOST_FAMILY_UNIX},
                                        .begun = host_now(host),
                                        .attempt = &job->attempts[job->attempt]};
    int error = host_stream_adopt(host, handle, &stream->stream);
    if (error < 0) {
        fail(job, slice_of_string(strerror(-error)));
    } else {
        stream->attempt->is_connected = true;
        job->reach_id = 0;
        job_dialled(job, stream);
    }
    free(stream);
}

static void
on_note(void *context, struct slice bytes, host_handle handle)
{
    struct transport *transport = context;
    struct transport_hand_note note;
    struct arena arena;

    arena_init(&arena, HOST_NOTE_MAX);
    bool is_good =
        transport_hand_take(bytes, handle, SIDE_HAND, &transport->hand_ledger, &arena, &note) &&
        note.kind == TRANSPORT_HAND_REACHED;
    if (is_good)
        on_reached(transport, &note.as.reached, handle);
    arena_finish(&arena);
    if (is_good)
        return;
    host_handle_close(transport->start.host, handle);
    log_event(transport->start.host, HOST_LEVEL_ERROR, "bad_note", "from", SLICE("hand"));
    lose(transport);
}

static void
on_closed(void *context)
{
    lose(context);
}

void
reach_attach(struct transport *transport, host_handle handle)
{
    static const struct host_channel_handler handler = {.on_note = on_note, .on_closed = on_closed};

    lose(transport);
    transport->hand = host_channel_open(transport->start.host, handle, &handler, transport);
}

void
reach_begin(struct transport_job *job)
{
    static const struct host_address nowhere = {.family = HOST_FAMILY_UNIX};
    struct transport *transport = job->transport;
    struct transport_hand_reach note = {.id = ++transport->reach_id, .path = job->carry.path};

    (void)job_attempt(job, job->carry.hosts.at[0].name, &nowhere);
    if (!transport->hand) {
        fail(job, SLICE("nothing connects unix sockets: name the folder in socket_dirs"));
        return;
    }
    job->reach_id = note.id;
    transport->connections++;
    bool is_put = transport_hand_put_reach(&transport->note, &transport->hand_ledger, &note);
    assert(is_put);
    host_channel_send(transport->hand, buffer_slice(&transport->note), HOST_HANDLE_NONE);
    buffer_clear(&transport->note);
}

void
reach_close(struct transport *transport)
{
    host_channel_close(&transport->hand);
    note_ledger_finish(&transport->hand_ledger);
}
