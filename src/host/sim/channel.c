/* SPDX-License-Identifier: ISC */
/* Channels of notes between processes of the simulator, and helpers, which live on them. Order is
 * kept within a channel; between channels nothing is promised, and delays see to it. */
#include "host/sim/world_private.h"
#include "host/log.h"

#include <errno.h>
#include <stdlib.h>

enum {
    WIRE_BYTES_MAX = 256 * 1024, /* on their way in one direction: the kernel's buffer */
    NOTES_IN_TURN_MAX = 16,
};

struct note {
    struct list link;
    struct instant at; /* when it arrives */
    host_handle handle;
    size_t len;
    uint8_t bytes[];
};

struct wire_end {
    unsigned holders;    /* handles and channels; 0: this end is closed */
    struct list inbox;   /* of struct note */
    size_t inbox_bytes;
    struct instant last; /* arrival of the newest note, or of the end */
};

struct wire {
    struct list in_world;
    struct wire_end ends[2];
};

struct host_channel {
    struct mortal mortal; /* first */
    struct host *host;
    struct wire *wire; /* NULL when the process is dead */
    unsigned end;
    struct host_channel_handler handler;
    void *context;
    struct list queue; /* of struct note, not sent yet */
    size_t queue_bytes;
    bool is_paused;
    bool is_over;
    bool is_broken;
    bool was_full;
};

/* ---- wires --------------------------------------------------------------------------------- */

struct wire *
wire_open(struct sim *sim)
{
    struct wire *wire = sim_allocate(sizeof(*wire));

    for (size_t i = 0; i < 2; i++) {
        wire->ends[i].holders = 1;
        wire->ends[i].last = sim->now;
        list_init(&wire->ends[i].inbox);
    }
    list_append(&sim->wires, &wire->in_world);
    return wire;
}

void
wire_hold(struct wire *wire, unsigned end)
{
    wire->ends[end].holders++;
}

static void
drop_notes(struct sim *sim, struct list *notes)
{
    LIST_EACH(link, notes) {
        struct note *note = LIST_ITEM(link, struct note, link);
        list_remove(link);
        if (note->handle != HOST_HANDLE_NONE)
            thing_close(sim, note->handle);
        free(note);
    }
}

void
wire_drop(struct sim *sim, struct wire *wire, unsigned end)
{
    struct wire_end *ours = &wire->ends[end];
    struct wire_end *theirs = &wire->ends[1 - end];

    if (--ours->holders > 0)
        return;
    if (theirs->holders > 0) {
        struct instant end_at = sim_after_at_most(sim, sim->options.note_delay_max);
        if (instant_is_before(theirs->last, end_at))
            theirs->last = end_at;
    } else {
        list_remove(&wire->in_world);
    }
    drop_notes(sim, &ours->inbox);
    ours->inbox_bytes = 0;
    if (theirs->holders == 0)
        free(wire);
}

struct instant
wires_next(const struct sim *sim)
{
    struct instant next = INSTANT_NEVER;

    LIST_EACH(link, (struct list *)(uintptr_t)&sim->wires) {
        const struct wire *wire = LIST_ITEM(link, struct wire, in_world);
        for (unsigned i = 0; i < 2; i++) {
            const struct wire_end *end = &wire->ends[i];
            struct instant at = INSTANT_NEVER;
            if (!list_is_empty(&end->inbox))
                at = LIST_ITEM(end->inbox.next, struct note, link)->at;
            else if (wire->ends[1 - i].holders == 0)
                at = end->last;
            if (instant_is_before(sim->now, at) && instant_is_before(at, next))
                next = at;
        }
    }
    return next;
}

/* ---- channels ------------------------------------------------------------------------------ */

static bool
has_arrived(const struct host_channel *channel)
{
    const struct list *inbox = &channel->wire->ends[channel->end].inbox;

    return !list_is_empty(inbox) &&
           LIST_ITEM(inbox->next, struct note, link)->at.ns <= channel->host->sim->now.ns;
}

static bool
is_at_end(const struct host_channel *channel)
{
    const struct wire *wire = channel->wire;

    return wire->ends[1 - channel->end].holders == 0 &&
           list_is_empty(&wire->ends[channel->end].inbox) &&
           wire->ends[channel->end].last.ns <= channel->host->sim->now.ns;
}

static bool
can_send(const struct host_channel *channel)
{
    const struct wire_end *theirs = &channel->wire->ends[1 - channel->end];

    return !list_is_empty(&channel->queue) &&
           (theirs->holders == 0 || theirs->inbox_bytes < WIRE_BYTES_MAX);
}

static bool
owes_room(const struct host_channel *channel)
{
    return channel->was_full && channel->queue_bytes <= HOST_CHANNEL_SOFT / 2;
}

static bool
channel_is_ready(struct mortal *mortal)
{
    const struct host_channel *channel = (void *)mortal;

    if (channel->is_over || !channel->wire)
        return false;
    return channel->is_broken || can_send(channel) || owes_room(channel) ||
           (!channel->is_paused && (has_arrived(channel) || is_at_end(channel)));
}

static void
send_on(struct sim *sim, struct wire_end *theirs, struct note *note)
{
    note->at = sim_after_at_most(sim, sim->options.note_delay_max);
    if (instant_is_before(note->at, theirs->last))
        note->at = theirs->last;
    theirs->last = note->at;
    theirs->inbox_bytes += note->len;
    list_append(&theirs->inbox, &note->link);
    sim_trail_add(sim, slice_of(note->bytes, note->len));
}

static void
flush(struct host_channel *channel)
{
    struct sim *sim = channel->host->sim;
    struct wire_end *theirs = &channel->wire->ends[1 - channel->end];

    while (can_send(channel)) {
        struct note *note = LIST_ITEM(channel->queue.next, struct note, link);
        list_remove(&note->link);
        channel->queue_bytes -= note->len;
        if (theirs->holders == 0) {
            if (note->handle != HOST_HANDLE_NONE)
                thing_close(sim, note->handle);
            free(note);
            continue;
        }
        send_on(sim, theirs, note);
    }
}

void
channels_flush(struct host *host)
{
    LIST_EACH(link, &host->channels) {
        struct host_channel *channel = (void *)LIST_ITEM(link, struct mortal, link);
        if (!channel->is_broken)
            flush(channel);
    }
}

static void
finish(struct host_channel *channel)
{
    channel->is_over = true;
    channel->handler.on_closed(channel->context);
}

static void
take_note(struct host_channel *channel)
{
    struct wire_end *ours = &channel->wire->ends[channel->end];
    struct note *note = LIST_ITEM(ours->inbox.next, struct note, link);

    list_remove(&note->link);
    ours->inbox_bytes -= note->len;
    if (note->handle != HOST_HANDLE_NONE)
        sim_handle_give(channel->host->sim, note->handle, channel->host);
    channel->handler.on_note(channel->context, slice_of(note->bytes, note->len), note->handle);
    free(note);
}

static void
channel_turn(struct mortal *mortal)
{
    struct host_channel *channel = (void *)mortal;

    if (channel->is_broken) {
        finish(channel);
        return;
    }
    flush(channel);
    if (owes_room(channel)) {
        channel->was_full = false;
        if (channel->handler.on_room)
            channel->handler.on_room(channel->context);
    }
    uint64_t most = sim_random(channel->host->sim, NOTES_IN_TURN_MAX) + 1;
    while (most-- > 0 && !mortal->is_closed && channel->wire && !channel->is_broken &&
           !channel->is_paused && has_arrived(channel))
        take_note(channel);
    if (!mortal->is_closed && channel->wire && !channel->is_paused && is_at_end(channel))
        finish(channel);
}

struct host_channel *
host_channel_open(struct host *host, host_handle handle,
                  const struct host_channel_handler *handler, void *context)
{
    struct thing *thing = thing_find(host, handle);

    if (!thing || thing->kind != THING_WIRE)
        return NULL;
    struct host_channel *channel = sim_allocate(sizeof(*channel));
    *channel = (struct host_channel){
        .mortal = {.turn = channel_turn, .is_ready = channel_is_ready},
        .host = host,
        .wire = thing->wire,
        .end = thing->end,
        .handler = *handler,
        .context = context,
    };
    thing_forget(host->sim, handle); /* the channel holds the wire now */
    list_init(&channel->queue);
    list_append(&host->channels, &channel->mortal.link);
    return channel;
}

static void
drop_queue(struct host_channel *channel)
{
    drop_notes(channel->host->sim, &channel->queue);
    channel->queue_bytes = 0;
}

void
host_channel_send(struct host_channel *channel, struct slice bytes, host_handle handle)
{
    bool is_deaf = channel->is_over || channel->is_broken || !channel->wire;
    bool breaks = bytes.len == 0 || bytes.len > HOST_NOTE_MAX ||
                  channel->queue_bytes + bytes.len > HOST_CHANNEL_HARD;

    if (is_deaf || breaks) {
        host_handle_close(channel->host, handle);
        if (is_deaf)
            return;
        log_event(channel->host, HOST_LEVEL_ERROR, "channel_broken", "why",
                  SLICE("note has no length that can be sent, or peer takes no notes"));
        channel->is_broken = true;
        drop_queue(channel);
        return;
    }
    struct note *note = sim_allocate(sizeof(*note) + bytes.len);
    note->handle = thing_find(channel->host, handle) ? handle : HOST_HANDLE_NONE;
    note->len = bytes.len;
    memcpy(note->bytes, bytes.at, bytes.len);
    if (note->handle != HOST_HANDLE_NONE)
        sim_handle_give(channel->host->sim, handle, NULL);
    list_append(&channel->queue, &note->link);
    channel->queue_bytes += note->len;
    channel->was_full = channel->was_full || host_channel_is_full(channel);
}

bool
host_channel_is_full(const struct host_channel *channel)
{
    return channel->queue_bytes > HOST_CHANNEL_SOFT;
}

void
host_channel_pause(struct host_channel *channel, bool is_paused)
{
    channel->is_paused = is_paused;
}

void
host_channel_close(struct host_channel **channel_at)
{
    struct host_channel *channel = *channel_at;

    if (!channel)
        return;
    *channel_at = NULL;
    if (channel->wire && !channel->is_broken)
        flush(channel);
    drop_queue(channel);
    if (channel->wire)
        wire_drop(channel->host->sim, channel->wire, channel->end);
    channel->wire = NULL;
    mortal_bury(channel->host, &channel->mortal);
}

void
channels_of_dead(struct host *host)
{
    LIST_EACH(link, &host->channels) {
        struct host_channel *channel = (void *)LIST_ITEM(link, struct mortal, link);
        drop_queue(channel); /* what the turn would have sent at its end is lost */
        if (channel->wire)
            wire_drop(host->sim, channel->wire, channel->end);
        channel->wire = NULL;
    }
}

int
host_channel_pair(struct host *host, host_handle *ret_left, host_handle *ret_right)
{
    if (host->is_dead)
        return -EMFILE;
    struct wire *wire = wire_open(host->sim);
    struct thing thing = {.kind = THING_WIRE, .wire = wire};
    *ret_left = thing_add(host->sim, host, thing);
    thing.end = 1;
    *ret_right = thing_add(host->sim, host, thing);
    return 0;
}

/* ---- asking at once -------------------------------------------------------------------------- */

/* Puts it on its way as flush does, but at once and past the channels of this process. */
static int
post(struct host *host, const struct thing *thing, struct slice bytes)
{
    struct sim *sim = host->sim;
    struct wire_end *theirs = &thing->wire->ends[1 - thing->end];

    if (theirs->holders == 0)
        return -EPIPE;
    struct note *note = sim_allocate(sizeof(*note) + bytes.len);
    note->handle = HOST_HANDLE_NONE;
    note->len = bytes.len;
    memcpy(note->bytes, bytes.at, bytes.len);
    send_on(sim, theirs, note);
    return 0;
}

/* The first note that has arrived there; -EAGAIN: none has. */
static int
fetch(struct host *host, const struct thing *thing, struct buffer *ret_answer)
{
    struct wire_end *ours = &thing->wire->ends[thing->end];
    struct instant now = host->sim->now;

    if (list_is_empty(&ours->inbox)) {
        bool is_over = thing->wire->ends[1 - thing->end].holders == 0;
        return is_over && !instant_is_before(now, ours->last) ? -EPIPE : -EAGAIN;
    }
    struct note *note = LIST_ITEM(ours->inbox.next, struct note, link);
    if (instant_is_before(now, note->at))
        return -EAGAIN;
    list_remove(&note->link);
    ours->inbox_bytes -= note->len;
    if (note->handle != HOST_HANDLE_NONE)
        thing_close(host->sim, note->handle);
    buffer_put(ret_answer, slice_of(note->bytes, note->len));
    free(note);
    return 0;
}

/* This process stands still, in the middle of its turn; the others go on. */
int
host_ask(struct host *host, host_handle handle, struct slice question, struct duration patience,
         struct buffer *ret_answer)
{
    struct sim *sim = host->sim;
    struct instant until = instant_after(sim->now, patience);
    const struct thing *thing = thing_find(host, handle);
    int error = -EAGAIN;

    buffer_clear(ret_answer);
    if (!thing || thing->kind != THING_WIRE)
        return -EBADF;
    if (question.len > 0 && post(host, thing, question) < 0)
        return -EPIPE;
    while (error == -EAGAIN) {
        thing = thing_find(host, handle);
        error = thing ? fetch(host, thing, ret_answer) : -EPIPE; /* we have died meanwhile */
        if (error == -EAGAIN && !sim_others_go_on(sim, until))
            error = -ETIMEDOUT;
    }
    return error;
}

/* ---- helpers ------------------------------------------------------------------------------- */

struct helper {
    struct list link; /* in its host */
    host_helper_fn fn;
    void *context;
    struct host_channel *channel;
};

static void
helper_on_note(void *context, struct slice question, host_handle handle)
{
    struct helper *helper = context;
    struct buffer answer;

    host_handle_close(helper->channel->host, handle);
    buffer_init(&answer, HOST_NOTE_MAX);
    helper->fn(helper->context, question, &answer);
    host_channel_send(helper->channel, buffer_slice(&answer), HOST_HANDLE_NONE);
    buffer_finish(&answer);
}

static void
helper_on_closed(void *context)
{
    struct helper *helper = context;

    host_channel_close(&helper->channel);
    list_remove(&helper->link);
    free(helper);
}

int
host_helper_open(struct host *host, enum host_helper_kind kind, host_helper_fn fn, void *context,
                 host_handle *ret_handle)
{
    static const struct host_channel_handler handler = {helper_on_note, helper_on_closed, NULL};
    host_handle theirs;

    (void)kind;
    int error = host_channel_pair(host, ret_handle, &theirs);
    if (error < 0)
        return error;
    struct helper *helper = sim_allocate(sizeof(*helper));
    helper->fn = fn;
    helper->context = context;
    helper->channel = host_channel_open(host, theirs, &handler, helper);
    list_append(&host->helpers, &helper->link);
    return 0;
}

void
helpers_free(struct host *host)
{
    LIST_EACH(link, &host->helpers) {
        struct helper *helper = LIST_ITEM(link, struct helper, link);
        list_remove(link);
        free(helper);
    }
}
