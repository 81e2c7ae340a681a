/* SPDX-License-Identifier: ISC */
/* ATRN (RFC 2645): mail is carried over the connection that its host has made to us. A process smtp
 * has that connection, and TLS on it; we have one end of a stream whose other end it gets. What
 * comes for the turn goes over that stream, one message after another. */
#include "role/transport/transport_role.h"

#include "base/cursor.h"

#include <stdlib.h>

enum { TURN_FIRST_S = 10 /* for the first message to come */ };

struct transport_turn {
    struct list link; /* in transport->turns */
    struct transport *transport;
    uint64_t id;
    struct host_stream *stream; /* until the first message; then the session's */
    struct transport_session *session;
    struct list waiting; /* jobs */
    struct host_timer *timer;
};

static struct transport_turn *
find(struct transport *transport, struct slice path)
{
    struct cursor cursor = cursor_of(path);
    uint64_t id;

    if (!cursor_take_text(&cursor, SLICE(TRANSPORT_TURN)) ||
        !cursor_take_u64(&cursor, 1, UINT64_MAX, &id) || !cursor_is_done(&cursor))
        return NULL;
    LIST_EACH (link, &transport->turns) {
        struct transport_turn *turn = LIST_ITEM(link, struct transport_turn, link);
        if (turn->id == id)
            return turn;
    }
    return NULL;
}

static void
refuse(struct transport_job *job)
{
    if (job->results[0].text.len == 0)
        job_set_all(job, STORE_TRANSPORT_OUTCOME_TEMPORARY, 0, ENVELOPE_STATUS(4, 4, 2),
                    SLICE("its host has ended the connection over which it fetches mail"));
    job_finish(job);
}

static void
close_turn(struct transport_turn *turn)
{
    list_remove(&turn->link);
    host_timer_close(&turn->timer);
    host_stream_close(&turn->stream);
    free(turn);
}

void
turn_over(struct transport_turn *turn)
{
    struct transport *transport = turn->transport;
    struct store_transport_turn_over note = {.id = turn->id};

    buffer_clear(&transport->note);
    bool is_put = store_transport_put_turn_over(&transport->note, &transport->ledger, &note);
    assert(is_put);
    if (transport->channel)
        host_channel_send(transport->channel, buffer_slice(&transport->note), HOST_HANDLE_NONE);
    buffer_clear(&transport->note);
    LIST_EACH (link, &turn->waiting) {
        struct transport_job *job = LIST_ITEM(link, struct transport_job, waiting_link);
        list_remove(&job->waiting_link);
        refuse(job);
    }
    close_turn(turn);
}

static void
on_timer(void *context)
{
    turn_over(context);
}

static bool
open_ends(struct transport_turn *turn, host_handle *ret_theirs)
{
    struct host *host = turn->transport->start.host;
    host_handle ours;

    if (host_stream_pair(host, &ours, ret_theirs) < 0)
        return false;
    if (host_stream_adopt(host, ours, &turn->stream) == 0)
        return true;
    host_handle_close(host, *ret_theirs);
    return false;
}

void
turn_open(struct transport *transport, const struct store_transport_turn *note)
{
    struct store_transport_turned answer = {.id = note->id, .stream = HOST_HANDLE_NONE};
    struct transport_turn *turn = calloc(1, sizeof(*turn));

    if (!turn)
        abort();
    turn->transport = transport;
    turn->id = note->id;
    list_init(&turn->waiting);
    list_init(&turn->link);
    if (open_ends(turn, &answer.stream)) {
        struct instant now = host_now(transport->start.host);
        list_append(&transport->turns, &turn->link);
        turn->timer = host_timer_open(transport->start.host, on_timer, turn);
        host_timer_set(turn->timer, instant_after(now, duration_s(TURN_FIRST_S)));
    } else {
        free(turn);
    }
    buffer_clear(&transport->note);
    bool is_put = store_transport_put_turned(&transport->note, &transport->ledger, &answer);
    assert(is_put);
    host_channel_send(transport->channel, buffer_slice(&transport->note), answer.stream);
    buffer_clear(&transport->note);
}

void
turn_take(struct transport_job *job)
{
    static const struct host_address nowhere = {.family = HOST_FAMILY_UNIX};
    struct transport_turn *turn = find(job->transport, job->carry.path);

    if (!turn || job->host > 0 || job->is_in_vain) {
        refuse(job);
        return;
    }
    if (turn->session && session_is_free(turn->session)) {
        session_take(turn->session, job);
        return;
    }
    if (turn->session) {
        list_append(&turn->waiting, &job->waiting_link);
        return;
    }
    struct transport_stream *stream = calloc(1, sizeof(*stream));
    if (!stream)
        abort();
    *stream = (struct transport_stream){
        .stream = turn->stream,
        .address = nowhere,
        .begun = host_now(job->transport->start.host),
        .attempt = job_attempt(job, job->carry.hosts.at[0].name, &nowhere),
    };
    stream->attempt->is_connected = true;
    turn->stream = NULL;
    host_timer_close(&turn->timer);
    job->host = 1;
    job_dialled(job, stream);
    free(stream);
    turn->session = job->session;
    session_set_turn(turn->session, turn);
}

bool
turn_go_on(struct transport_turn *turn)
{
    if (list_is_empty(&turn->waiting))
        return false;
    struct transport_job *job = LIST_ITEM(turn->waiting.next, struct transport_job, waiting_link);
    list_remove(&job->waiting_link);
    session_take(turn->session, job);
    return true;
}

void
turns_forget(struct transport *transport)
{
    LIST_EACH (link, &transport->turns) {
        close_turn(LIST_ITEM(link, struct transport_turn, link));
    }
}
