/* SPDX-License-Identifier: ISC */
#include "client/invitation.h"

#include "client/notice.h"
#include "mime/decode.h"
#include "text/date.h"
#include "text/utf8.h"

enum { VALUE_MAX = 4096, DATE_DIGITS = 8 };

/* ---- content lines (RFC 5545 §3.1) --------------------------------------------------------- */

struct line {
    struct slice name, parameters, value;
};

static void
read_calendar(const struct mime_tree *tree, uint32_t index, struct buffer *ret_text)
{
    const struct mime_part *part = &tree->parts[index];
    struct mime_decoder *decoder =
        mime_decoder_open_text(mime_part_body(tree, part), part->encoding, SLICE("utf-8"), NULL, 0);
    struct slice piece;

    buffer_init(ret_text, NOTICE_PART_MAX);
    while (mime_decoder_next(decoder, &piece)) {
        if (piece.len <= buffer_room(ret_text))
            buffer_put(ret_text, piece);
    }
    mime_decoder_close(&decoder);
}

/* The next line, folds joined in `joined`; false at the end. */
static bool
next_line(struct slice *rest, struct buffer *joined, struct line *ret_line)
{
    bool is_quoted = false;
    size_t colon = 0, semicolon;

    buffer_clear(joined);
    if (rest->len == 0)
        return false;
    do {
        struct slice line = slice_first(*rest, slice_find_byte(*rest, '\n'));
        *rest = slice_skip(*rest, line.len + 1);
        if (slice_ends_with(line, SLICE("\r")))
            line.len--;
        buffer_put(joined, buffer_len(joined) > 0 ? slice_skip(line, 1) : line);
    } while (buffer_len(joined) > 0 && rest->len > 0 &&
             (rest->at[0] == ' ' || rest->at[0] == '\t'));
    struct slice whole = buffer_slice(joined);
    for (; colon < whole.len && (is_quoted || whole.at[colon] != ':'); colon++)
        is_quoted = is_quoted != (whole.at[colon] == '"');
    struct slice head = slice_first(whole, colon);
    semicolon = slice_find_byte(head, ';');
    ret_line->name = slice_first(head, semicolon);
    ret_line->parameters = slice_skip(head, semicolon);
    ret_line->value = slice_skip(whole, colon + 1);
    return true;
}

/* The value of a parameter, without its quotes; empty without it. */
static struct slice
parameter_of(const struct line *line, const char *name)
{
    struct slice rest = line->parameters, wanted = slice_of_string(name);

    while (rest.len > 0) {
        bool is_quoted = false;
        size_t end = 1;
        for (; end < rest.len && (is_quoted || rest.at[end] != ';'); end++)
            is_quoted = is_quoted != (rest.at[end] == '"');
        struct slice one = slice_between(rest, 1, end);
        size_t equals = slice_find_byte(one, '=');
        rest = slice_skip(rest, end);
        if (!slice_equal_nocase(slice_first(one, equals), wanted))
            continue;
        struct slice value = slice_skip(one, equals + 1);
        bool has_quotes =
            value.len > 1 && value.at[0] == '"' && slice_ends_with(value, SLICE("\""));
        return has_quotes ? slice_between(value, 1, value.len - 1) : value;
    }
    return SLICE("");
}

static bool
is_line(const struct line *line, const char *name)
{
    return slice_equal_nocase(line->name, slice_of_string(name));
}

/* ---- values -------------------------------------------------------------------------------- */

/* TEXT (RFC 5545 §3.3.11), as one line. */
static void
put_text(struct slice value, struct buffer *out)
{
    struct buffer plain;

    buffer_init(&plain, VALUE_MAX);
    for (size_t i = 0; i < value.len; i++) {
        bool is_escape = value.at[i] == '\\' && i + 1 < value.len;
        uint8_t byte = value.at[is_escape ? ++i : i];
        buffer_put_byte(&plain, is_escape && byte_to_lower(byte) == 'n' ? ' ' : byte);
    }
    utf8_put_printable(out, slice_trim(buffer_slice(&plain)));
    buffer_finish(&plain);
}

/* "mailto:alice@example.org" with a name: Alice <alice@example.org>. */
static void
put_person(const struct line *line, struct buffer *out)
{
    struct slice address = line->value, name = parameter_of(line, "CN");

    if (slice_starts_with_nocase(address, SLICE("mailto:")))
        address = slice_skip(address, 7);
    if (name.len > 0 && !slice_equal_nocase(name, address)) {
        utf8_put_printable(out, name);
        buffer_put_text(out, " <");
        utf8_put_printable(out, address);
        buffer_put_byte(out, '>');
    } else {
        utf8_put_printable(out, address);
    }
}

/* DATE or DATE-TIME (§3.3.4, §3.3.5): 2026-11-27 19:00 (Europe/Paris). Anything else as it is. */
static void
put_time(const struct line *line, struct slice day, struct buffer *out)
{
    struct slice value = line->value, zone = parameter_of(line, "TZID");
    size_t digits = 0;

    while (digits < value.len && byte_is_digit(value.at[digits]))
        digits++;
    if (digits != DATE_DIGITS || (value.len != DATE_DIGITS && value.len < DATE_DIGITS + 5)) {
        utf8_put_printable(out, slice_first(value, VALUE_MAX));
        return;
    }
    if (!slice_equal(slice_first(value, DATE_DIGITS), day)) {
        buffer_put(out, slice_first(value, 4));
        buffer_put_byte(out, '-');
        buffer_put(out, slice_between(value, 4, 6));
        buffer_put_byte(out, '-');
        buffer_put(out, slice_between(value, 6, 8));
        buffer_put_text(out, value.len > DATE_DIGITS ? " " : "");
    }
    if (value.len == DATE_DIGITS)
        return;
    utf8_put_printable(out, slice_between(value, 9, 11));
    buffer_put_byte(out, ':');
    utf8_put_printable(out, slice_between(value, 11, 13));
    if (slice_ends_with(value, SLICE("Z")))
        zone = SLICE("UTC");
    if (zone.len > 0 && day.len == 0) {
        buffer_put_text(out, " (");
        utf8_put_printable(out, zone);
        buffer_put_byte(out, ')');
    }
}

/* ---- events -------------------------------------------------------------------------------- */

/* What is gathered while an event is read; the lines live in buffers, for they are put in another
 * order. */
struct event {
    struct buffer what, when, end, where, by, guests;
    struct buffer day; /* of the beginning, as it is written */
    size_t guests_count;
    bool is_repeated;
};

static void
event_init(struct event *event)
{
    struct buffer *buffers[] = {&event->what, &event->when,   &event->end, &event->where,
                                &event->by,   &event->guests, &event->day};

    *event = (struct event){0};
    for (size_t i = 0; i < COUNT_OF(buffers); i++)
        buffer_init(buffers[i], (size_t)VALUE_MAX * 16);
}

static void
event_finish(struct event *event)
{
    struct buffer *buffers[] = {&event->what, &event->when,   &event->end, &event->where,
                                &event->by,   &event->guests, &event->day};

    for (size_t i = 0; i < COUNT_OF(buffers); i++)
        buffer_finish(buffers[i]);
}

static void
put_guest(struct event *event, const struct line *line)
{
    static const struct {
        const char *state, *words;
    } states[] = {
        {"ACCEPTED", " (comes)"}, {"DECLINED", " (does not come)"}, {"TENTATIVE", " (perhaps)"}};
    struct slice state = parameter_of(line, "PARTSTAT");

    if (event->guests_count++ >= INVITATION_GUESTS_MAX)
        return;
    buffer_put_text(&event->guests, event->guests_count > 1 ? ", " : "");
    put_person(line, &event->guests);
    for (size_t i = 0; i < COUNT_OF(states); i++) {
        if (slice_equal_nocase(state, slice_of_string(states[i].state)))
            buffer_put_text(&event->guests, states[i].words);
    }
}

static void
event_take(struct event *event, const struct line *line)
{
    if (is_line(line, "SUMMARY")) {
        put_text(line->value, &event->what);
    } else if (is_line(line, "LOCATION")) {
        put_text(line->value, &event->where);
    } else if (is_line(line, "ORGANIZER")) {
        put_person(line, &event->by);
    } else if (is_line(line, "ATTENDEE")) {
        put_guest(event, line);
    } else if (is_line(line, "RRULE") || is_line(line, "RDATE")) {
        event->is_repeated = true;
    } else if (is_line(line, "DTSTART")) {
        put_time(line, SLICE(""), &event->when);
        buffer_put(&event->day, slice_first(line->value, DATE_DIGITS));
    } else if (is_line(line, "DTEND")) {
        /* Whole days end before this one (RFC 5545 §3.6.1): the next day says nothing new. */
        if (line->value.len > DATE_DIGITS)
            put_time(line, buffer_slice(&event->day), &event->end);
    }
}

static void
put_row(const char *label, const char *before, const struct buffer *text, struct buffer *out)
{
    if (buffer_len(text) == 0)
        return;
    buffer_put_text(out, label);
    buffer_put_text(out, before);
    buffer_put(out, buffer_slice(text));
    buffer_put_byte(out, '\n');
}

static void
event_put(const struct event *event, struct slice method, struct buffer *out)
{
    static const struct {
        const char *method, *label;
    } labels[] = {{"REQUEST", "Invited:  "}, {"CANCEL", "Cancels:  "}, {"REPLY", "Answer:   "}};
    const char *label = "Event:    ";

    for (size_t i = 0; i < COUNT_OF(labels); i++) {
        if (slice_equal_nocase(method, slice_of_string(labels[i].method)))
            label = labels[i].label;
    }
    buffer_put_text(out, label);
    buffer_put(out, buffer_len(&event->what) > 0 ? buffer_slice(&event->what) : SLICE("(no name)"));
    if (buffer_len(&event->by) > 0)
        buffer_put_text(out, ", by ");
    buffer_put(out, buffer_slice(&event->by));
    buffer_put_byte(out, '\n');
    if (buffer_len(&event->when) > 0) {
        buffer_put_text(out, "When:     ");
        buffer_put(out, buffer_slice(&event->when));
        buffer_put_text(out, buffer_len(&event->end) > 0 ? " to " : "");
        buffer_put(out, buffer_slice(&event->end));
        buffer_put_text(out, event->is_repeated ? ", and again\n" : "\n");
    }
    put_row("Where:    ", "", &event->where, out);
    put_row("Who:      ", "", &event->guests, out);
}

/* METHOD stands before the events (RFC 5546 §1.4), where it is; else in the part's type. */
static struct slice
method_of(const struct mime_part *part)
{
    return mime_parameters_find(part->content_type.parameters, SLICE("method"));
}

void
invitation_put(const struct mime_tree *tree, uint32_t index, struct buffer *out)
{
    struct slice method = method_of(&tree->parts[index]);
    struct buffer text, joined;
    struct event event;
    struct line line;
    size_t count = 0, inner = 0;
    bool is_inside = false;

    read_calendar(tree, index, &text);
    buffer_init(&joined, NOTICE_PART_MAX);
    event_init(&event);
    for (struct slice rest = buffer_slice(&text);
         count < INVITATION_EVENTS_MAX && next_line(&rest, &joined, &line);) {
        bool is_begin = is_line(&line, "BEGIN"), is_end = is_line(&line, "END");
        bool is_event = slice_equal_nocase(slice_trim(line.value), SLICE("VEVENT"));
        if (is_begin && is_event && !is_inside) {
            is_inside = true;
            inner = 0;
        } else if (is_end && is_event && is_inside) {
            event_put(&event, method, out);
            event_finish(&event);
            event_init(&event);
            is_inside = false;
            count++;
        } else if (is_begin || is_end) { /* alarms and the like, with summaries of their own */
            inner += is_begin;
            inner -= is_end && inner > 0;
        } else if (is_inside && inner == 0) {
            event_take(&event, &line);
        }
    }
    event_finish(&event);
    buffer_finish(&joined);
    buffer_finish(&text);
}

/* ---- the answer ---------------------------------------------------------------------------- */

/* Lines of the invitation that its answer repeats (RFC 5546 §3.2.3). */
static bool
is_repeated(const struct line *line)
{
    static const char *const names[] = {"UID",     "SEQUENCE", "ORGANIZER",    "SUMMARY",
                                        "DTSTART", "DTEND",    "RECURRENCE-ID"};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (is_line(line, names[i]))
            return true;
    }
    return false;
}

/* Lines of at most 75 octets, not cut inside of a character (RFC 5545 §3.1). */
static void
put_folded(struct slice line, struct buffer *out)
{
    enum { OCTETS_MAX = 74 };

    for (bool is_first = true; line.len > 0 || is_first; is_first = false) {
        size_t len = line.len < OCTETS_MAX ? line.len : OCTETS_MAX;
        while (len > 1 && len < line.len && (line.at[len] & 0xC0) == 0x80)
            len--;
        buffer_put_text(out, is_first ? "" : " ");
        buffer_put(out, slice_first(line, len));
        buffer_put_text(out, "\r\n");
        line = slice_skip(line, len);
    }
}

static void
put_stamp(struct wall now, struct buffer *out)
{
    struct date_civil utc = date_civil_of(now, 0);

    buffer_put_text(out, "DTSTAMP:");
    buffer_put_padded(out, (uint64_t)utc.year, 4);
    buffer_put_padded(out, utc.month, 2);
    buffer_put_padded(out, utc.day, 2);
    buffer_put_byte(out, 'T');
    buffer_put_padded(out, utc.hour, 2);
    buffer_put_padded(out, utc.minute, 2);
    buffer_put_padded(out, utc.second, 2);
    buffer_put_text(out, "Z\r\n");
}

/* The lines of the first event that are repeated; true when it has what an answer needs. */
static bool
put_repeated(struct slice text, struct arena *arena, struct slice *ret_organizer,
             struct buffer *out)
{
    struct buffer joined;
    struct line line;
    bool is_inside = false, has_uid = false;

    buffer_init(&joined, NOTICE_PART_MAX);
    *ret_organizer = SLICE("");
    while (next_line(&text, &joined, &line)) {
        bool is_event = slice_equal_nocase(slice_trim(line.value), SLICE("VEVENT"));
        if (is_line(&line, "END") && is_event)
            break;
        is_inside = is_inside || (is_line(&line, "BEGIN") && is_event);
        if (!is_inside || !is_repeated(&line))
            continue;
        put_folded(buffer_slice(&joined), out);
        has_uid = has_uid || is_line(&line, "UID");
        if (is_line(&line, "ORGANIZER") && slice_starts_with_nocase(line.value, SLICE("mailto:")))
            *ret_organizer = arena_copy(arena, slice_trim(slice_skip(line.value, 7)));
    }
    buffer_finish(&joined);
    return has_uid && ret_organizer->len > 0;
}

bool
invitation_put_answer(const struct mime_tree *tree, const char *answer, struct slice guest,
                      struct wall now, struct arena *arena, struct slice *ret_organizer,
                      struct buffer *out)
{
    struct buffer text, attendee;
    size_t start = buffer_len(out);
    bool is_put = false;

    for (uint32_t i = 0; i < tree->count && !is_put; i++) {
        const struct mime_part *part = &tree->parts[i];
        if (!mime_content_type_is(&part->content_type, "text", "calendar") ||
            !slice_equal_nocase(method_of(part), SLICE("REQUEST")))
            continue;
        read_calendar(tree, i, &text);
        buffer_init(&attendee, VALUE_MAX);
        buffer_put_text(&attendee, "ATTENDEE;PARTSTAT=");
        buffer_put_text(&attendee, answer);
        buffer_put_text(&attendee, ":mailto:");
        buffer_put(&attendee, guest);
        buffer_put_text(out, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Facteur//EN\r\n"
                             "METHOD:REPLY\r\nBEGIN:VEVENT\r\n");
        is_put = put_repeated(buffer_slice(&text), arena, ret_organizer, out);
        put_stamp(now, out);
        put_folded(buffer_slice(&attendee), out);
        buffer_put_text(out, "END:VEVENT\r\nEND:VCALENDAR\r\n");
        if (!is_put)
            buffer_truncate(out, start);
        buffer_finish(&attendee);
        buffer_finish(&text);
    }
    return is_put;
}
