/* SPDX-License-Identifier: ISC */
#include "tool/lab/journey.h"

#include "tool/files.h"
#include "tool/lab/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

enum {
    ARENA_BYTES_MAX = 64 << 20,
    LOG_BYTES_MAX = 256 << 20,
    TITLE_MAX = 2048,
    TEXT_MAX = 1 << 20
};

void
journey_init(struct journey *journey)
{
    *journey = (struct journey){0};
    arena_init(&journey->arena, ARENA_BYTES_MAX);
}

void
journey_finish(struct journey *journey)
{
    arena_finish(&journey->arena);
}

const char *
journey_kind_name(enum journey_kind kind)
{
    static const char *const names[] = {
        [JOURNEY_SUBMISSION] = "submission", [JOURNEY_ACCEPTED] = "accepted",
        [JOURNEY_DECISION] = "decision",     [JOURNEY_DIALOGUE] = "dialogue",
        [JOURNEY_RESULT] = "result",         [JOURNEY_DELIVERED] = "delivered",
        [JOURNEY_HEADER] = "header",         [JOURNEY_READING] = "reading",
    };

    return names[kind];
}

void
journey_add(struct journey *journey, enum journey_kind kind, struct slice host, struct slice time,
            struct slice title, struct slice text)
{
    struct arena *arena = &journey->arena;
    size_t count = 0, room = 1;

    for (size_t i = 0; i < text.len && room < JOURNEY_LINES_MAX; i++)
        room += text.at[i] == '\n';
    struct slice *lines = ARENA_ARRAY(arena, struct slice, room);
    if (!lines || journey->part_count == JOURNEY_PARTS_MAX)
        return;
    for (struct slice rest = arena_copy(arena, text); rest.len > 0 && count < room;) {
        struct slice line = slice_first(rest, slice_find_byte(rest, '\n'));
        rest = slice_skip(rest, line.len + 1);
        lines[count++] = line;
    }
    journey->parts[journey->part_count++] = (struct journey_part){
        kind, arena_copy(arena, host), arena_copy(arena, time), arena_copy(arena, title), lines,
        count};
}

/* ---- one host's log ------------------------------------------------------------------------- */

/* With one host; hosts are spoken with at the same time. */
struct talk {
    struct slice peer, time;
    struct buffer text; /* that has not been added yet */
    bool has_asked_for_tls;
};

struct reading {
    const struct lab *lab;
    struct journey *journey;
    size_t station;
    struct slice recipients[JOURNEY_STATIONS_MAX]; /* that were queued */
    size_t recipient_count;
    struct slice queued_time;
    struct talk talks[JOURNEY_STATIONS_MAX];
    size_t talk_count;
    struct buffer steps; /* of the newest decision, and whom it is about */
    struct slice about, steps_time;
};

static void add_titled(struct reading *reading, enum journey_kind kind, struct slice time,
                       struct slice text, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

#define SHOWN(slice) (int)(slice).len, (const char *)(slice).at

static void
add_titled(struct reading *reading, enum journey_kind kind, struct slice time, struct slice text,
           const char *format, ...)
{
    const struct lab_host *host = reading->journey->stations[reading->station].host;
    char title[TITLE_MAX];
    va_list values;

    va_start(values, format);
    vsnprintf(title, sizeof(title), format, values);
    va_end(values);
    journey_add(reading->journey, kind, slice_of_string(host->name), time, slice_of_string(title),
                text);
}

static bool
is_recipient(const struct reading *reading, struct slice address)
{
    for (size_t i = 0; i < reading->recipient_count; i++) {
        if (slice_equal(reading->recipients[i], address))
            return true;
    }
    return false;
}

/* Steps stand in the log for a recipient, not for a message: those from before it was queued were
 * for another. */
static void
end_decision(struct reading *reading)
{
    bool is_ours = is_recipient(reading, reading->about);

    if (buffer_len(&reading->steps) > 0 && is_ours &&
        slice_compare(reading->steps_time, reading->queued_time) >= 0)
        add_titled(reading, JOURNEY_DECISION, reading->steps_time, buffer_slice(&reading->steps),
                   "where mail for %.*s goes", SHOWN(reading->about));
    buffer_clear(&reading->steps);
}

static void
take_step(struct reading *reading, const struct lab_log_line *line)
{
    struct slice step = lab_log_value(line, "step");

    if (slice_starts_with(step, SLICE("recipient ")))
        end_decision(reading);
    if (buffer_len(&reading->steps) == 0)
        reading->steps_time = line->time;
    reading->about = lab_log_value(line, "to");
    buffer_put(&reading->steps, step);
    buffer_put_byte(&reading->steps, '\n');
}

static void
end_talk(struct reading *reading, struct talk *talk)
{
    if (buffer_len(&talk->text) > 0)
        add_titled(reading, JOURNEY_DIALOGUE, talk->time, buffer_slice(&talk->text),
                   "speaks with %.*s", SHOWN(talk->peer));
    buffer_clear(&talk->text);
}

static struct talk *
find_talk(struct reading *reading, struct slice peer)
{
    size_t i = 0;

    while (i < reading->talk_count && !slice_equal(reading->talks[i].peer, peer))
        i++;
    if (i == JOURNEY_STATIONS_MAX)
        return NULL;
    if (i == reading->talk_count) {
        reading->talks[i].peer = peer;
        buffer_init(&reading->talks[i].text, TEXT_MAX);
        reading->talk_count++;
    }
    return &reading->talks[i];
}

/* A greeting begins a session; the same code answers STARTTLS. */
static void
take_dialogue(struct reading *reading, const struct lab_log_line *line, bool is_server)
{
    struct slice text = lab_log_value(line, "line");
    struct talk *talk = find_talk(reading, lab_log_value(line, "host"));

    if (!talk)
        return;
    if (is_server && slice_starts_with(text, SLICE("220")) && !talk->has_asked_for_tls)
        end_talk(reading, talk);
    if (buffer_len(&talk->text) == 0)
        talk->time = line->time;
    talk->has_asked_for_tls = slice_equal(text, SLICE("STARTTLS"));
    buffer_put_text(&talk->text, is_server ? "S: " : "C: ");
    buffer_put(&talk->text, text);
    buffer_put_byte(&talk->text, '\n');
}

/* "filed as ID", as our servers answer: the message has another name there. */
static void
add_station(struct reading *reading, struct slice host_name, struct slice text)
{
    struct journey *journey = reading->journey;
    static const char filed[] = "filed as ";
    size_t at = slice_find(text, slice_of_string(filed));
    const struct lab_host *host = NULL;

    for (size_t i = 0; i < lab_host_count; i++) {
        if (slice_equal(host_name, slice_of_string(lab_hosts[i].name)) ||
            slice_equal(host_name, slice_of_string(reading->lab->addresses[i])))
            host = &lab_hosts[i];
    }
    struct slice id = slice_skip(text, at + strlen(filed));
    id = slice_first(id, slice_find_byte(id, ' '));
    if (!host || at == text.len || journey->station_count == JOURNEY_STATIONS_MAX)
        return;
    for (size_t i = 0; i < journey->station_count; i++) {
        if (journey->stations[i].host == host && slice_equal(journey->stations[i].id, id))
            return;
    }
    journey->stations[journey->station_count++] =
        (struct journey_station){.host = host, .id = arena_copy(&journey->arena, id)};
}

static void
take_result(struct reading *reading, const struct lab_log_line *line, struct slice event)
{
    struct journey_station *station = &reading->journey->stations[reading->station];
    struct slice host = lab_log_value(line, "host"), text = lab_log_value(line, "text");
    struct slice tls = lab_log_value(line, "tls");

    add_titled(reading, JOURNEY_RESULT, line->time, SLICE(""), "%.*s: %.*s%s%.*s%s%.*s: %.*s %.*s",
               SHOWN(lab_log_value(line, "to")), SHOWN(event), host.len > 0 ? " by " : "",
               SHOWN(host), tls.len > 0 ? " over " : "", SHOWN(tls),
               SHOWN(lab_log_value(line, "code")), SHOWN(text));
    if (slice_equal(event, SLICE("delayed")))
        return;
    station->waiting -= station->waiting > 0;
    if (slice_equal(event, SLICE("relayed")))
        add_station(reading, host, text);
}

static void
take_delivered(struct reading *reading, const struct lab_log_line *line)
{
    struct journey *journey = reading->journey;
    struct journey_station *station = &journey->stations[reading->station];
    struct slice to = lab_log_value(line, "to");

    station->known += !is_recipient(reading, to); /* else it was counted when it was queued */
    add_titled(reading, JOURNEY_DELIVERED, line->time, SLICE(""), "%.*s: in %.*s, uid %.*s",
               SHOWN(to), SHOWN(lab_log_value(line, "mailbox")), SHOWN(lab_log_value(line, "uid")));
    if (journey->box_count < JOURNEY_STATIONS_MAX)
        journey->boxes[journey->box_count++] =
            (struct journey_box){station->host, station->id, arena_copy(&journey->arena, to)};
}

static void
take_queued(struct reading *reading, const struct lab_log_line *line)
{
    reading->journey->stations[reading->station].waiting++;
    reading->journey->stations[reading->station].known++;
    if (reading->recipient_count == 0)
        reading->queued_time = line->time;
    if (reading->recipient_count < JOURNEY_STATIONS_MAX)
        reading->recipients[reading->recipient_count++] = lab_log_value(line, "to");
}

static void
take_accepted(struct reading *reading, const struct lab_log_line *line)
{
    struct journey_station *station = &reading->journey->stations[reading->station];
    struct slice count = lab_log_value(line, "recipients");
    struct cursor leads = cursor_of(lab_log_value(line, "leads_to"));
    uint32_t taken = 1;

    (void)!cursor_take_u32(&leads, 1, UINT32_MAX, &taken);
    station->taken = taken;
    add_titled(reading, JOURNEY_ACCEPTED, line->time, SLICE(""),
               "took it from %.*s for %.*s recipient(s), id %.*s",
               SHOWN(lab_log_value(line, "client")), SHOWN(count), SHOWN(station->id));
}

static void
take_line(struct reading *reading, const struct lab_log_line *line)
{
    struct journey_station *station = &reading->journey->stations[reading->station];
    struct slice event = lab_log_value(line, "event");

    if (slice_equal(event, SLICE("next_hop_step")))
        take_step(reading, line);
    if (!lab_log_is(line, "id", station->id))
        return;
    if (slice_equal(event, SLICE("accepted")))
        take_accepted(reading, line);
    else if (slice_equal(event, SLICE("queued")))
        take_queued(reading, line);
    else if (slice_equal(event, SLICE("said")) || slice_equal(event, SLICE("heard")))
        take_dialogue(reading, line, slice_equal(event, SLICE("heard")));
    else if (slice_equal(event, SLICE("delivered")) && lab_log_value(line, "mailbox").len > 0)
        take_delivered(reading, line);
    else if (slice_equal(event, SLICE("delivered")) && lab_log_value(line, "attempts").len > 0)
        station->waiting -= station->waiting > 0; /* out of the queue, to somebody here */
    else if (slice_equal(event, SLICE("relayed")) || slice_equal(event, SLICE("delayed")) ||
             slice_equal(event, SLICE("failed")))
        take_result(reading, line, event);
}

/* Whether the first belongs before the second: a host takes a message before it does anything with
 * it, though it may say so later. At one time: in the order of the kinds. */
static bool
is_before(const struct journey_part *first, const struct journey_part *second)
{
    int order = slice_compare(first->time, second->time);

    if (first->kind == JOURNEY_ACCEPTED || second->kind == JOURNEY_ACCEPTED)
        return first->kind == JOURNEY_ACCEPTED;
    return order < 0 || (order == 0 && first->kind <= second->kind);
}

/* Lines of several processes are not always in order. */
static void
sort_parts(struct journey *journey, size_t first)
{
    for (size_t i = first + 1; i < journey->part_count; i++) {
        struct journey_part part = journey->parts[i];
        size_t place = i;
        for (; place > first && !is_before(&journey->parts[place - 1], &part); place--)
            journey->parts[place] = journey->parts[place - 1];
        journey->parts[place] = part;
    }
}

static int
read_station(struct journey *journey, const struct lab *lab, size_t index)
{
    struct reading reading = {.lab = lab, .journey = journey, .station = index};
    char *path = lab_path(lab, journey->stations[index].host->name, "log");
    struct lab_log_line line;
    struct buffer text;
    int code = files_read_if_any(path, LOG_BYTES_MAX, &text);
    size_t first = journey->part_count;

    buffer_init(&reading.steps, TEXT_MAX);
    journey->stations[index].taken = journey->stations[index].known = 0;
    journey->stations[index].waiting = 0;
    for (struct slice rest = buffer_slice(&text);
         code == EX_OK && lab_log_take(&rest, &journey->arena, &line);)
        take_line(&reading, &line);
    end_decision(&reading);
    for (size_t i = 0; i < reading.talk_count; i++) {
        end_talk(&reading, &reading.talks[i]);
        buffer_finish(&reading.talks[i].text);
    }
    sort_parts(journey, first);
    buffer_finish(&reading.steps);
    buffer_finish(&text);
    free(path);
    return code;
}

int
journey_follow(struct journey *journey, const struct lab *lab, const struct lab_host *host,
               struct slice id, size_t from)
{
    int code = EX_OK;
    bool is_settled = true;

    journey->part_count = from;
    journey->box_count = 0;
    journey->station_count = 1;
    journey->stations[0] =
        (struct journey_station){.host = host, .id = arena_copy(&journey->arena, id)};
    for (size_t i = 0; i < journey->station_count && code == EX_OK; i++) {
        const struct journey_station *station = &journey->stations[i];
        code = read_station(journey, lab, i);
        is_settled = is_settled && station->taken > 0 && station->known >= station->taken &&
                     station->waiting == 0;
    }
    journey->is_settled = is_settled;
    return code;
}

/* ---- for people ------------------------------------------------------------------------------ */

/* Lines of a log and of header fields: nothing that would drive a terminal. */
static void
put_printable(struct buffer *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        buffer_put_byte(out, text.at[i] < 0x20 || text.at[i] == 0x7F ? ' ' : text.at[i]);
}

void
journey_put_text(const struct journey *journey, struct buffer *out)
{
    for (size_t i = 0; i < journey->part_count; i++) {
        const struct journey_part *part = &journey->parts[i];
        buffer_put_padded(out, i + 1, 2);
        buffer_put_text(out, "  ");
        put_printable(out, part->host);
        buffer_put_text(out, "  ");
        put_printable(out, part->title);
        if (part->time.len > 0) {
            buffer_put_text(out, "  (");
            put_printable(out, part->time);
            buffer_put_text(out, ")");
        }
        buffer_put_text(out, "\n");
        for (size_t k = 0; k < part->line_count; k++) {
            buffer_put_text(out, "      ");
            put_printable(out, part->lines[k]);
            buffer_put_text(out, "\n");
        }
    }
}
