/* SPDX-License-Identifier: ISC */
#include "message/itinerary.h"

enum { ADDRESS_LEN_MAX = 45 }; /* of IPv6, with IPv4 at its end */

/* ---- what one station wrote ---------------------------------------------------------------- */

/* The first text in square brackets: "mail.example.org [IPv6:2001:db8::1]". */
static struct slice
bracketed(struct slice text)
{
    struct slice inside = slice_skip(text, slice_find_byte(text, '[') + 1);
    size_t end = slice_find_byte(inside, ']');

    if (end == inside.len)
        return slice_of(NULL, 0);
    inside = slice_first(inside, end);
    return slice_skip(inside, slice_starts_with_nocase(inside, SLICE("IPv6:")) ? 5 : 0);
}

/* An address without brackets, as Exchange and qmail write it. */
static bool
is_bare_address(struct slice text)
{
    size_t dots = 0, colons = 0, others = 0;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t octet = byte_to_lower(text.at[i]);
        dots += octet == '.';
        colons += octet == ':';
        others += !byte_is_digit(octet) && octet != '.' && octet != ':' &&
                  !(octet >= 'a' && octet <= 'f');
    }
    return text.len <= ADDRESS_LEN_MAX && others == 0 &&
           (colons >= 2 || (colons == 0 && dots == 3));
}

static bool
is_blank(uint8_t octet)
{
    return octet == ' ' || octet == '\t' || octet == '\r' || octet == '\n';
}

/* Does the word `by` stand here? */
static bool
is_by(struct slice body, size_t at)
{
    return at > 0 && slice_starts_with_nocase(slice_skip(body, at), SLICE("by")) &&
           is_blank(body.at[at - 1]) && at + 2 < body.len && is_blank(body.at[at + 2]);
}

/* The first comment in front of `by` that is nothing but an address. */
static struct slice
bare_address(struct slice body)
{
    size_t start = 0;
    int depth = 0;

    for (size_t i = 0; i < body.len && !(depth == 0 && is_by(body, i)); i++) {
        if (body.at[i] == '(' && depth++ == 0)
            start = i + 1;
        if (body.at[i] != ')' || --depth != 0)
            continue;
        struct slice comment = slice_trim(slice_between(body, start, i));
        if (is_bare_address(comment))
            return comment;
    }
    return slice_of(NULL, 0);
}

static struct slice
client_address(const struct trace_received *station, struct slice body)
{
    struct slice seen = bracketed(station->from_comment);

    if (slice_is_empty(seen))
        seen = bracketed(station->from);
    return slice_is_empty(seen) ? bare_address(body) : seen;
}

static bool
is_version_octet(uint8_t octet)
{
    return byte_is_digit(octet) || octet == '.' || octet == '_';
}

/* The digits behind "TLS", "TLSv" or "TLS ", when `text` begins so; else empty. */
static struct slice
version_at(struct slice text)
{
    size_t start = 3, end;

    if (!slice_starts_with_nocase(text, SLICE("TLS")))
        return slice_of(NULL, 0);
    if (start < text.len && (text.at[start] == 'v' || text.at[start] == ' '))
        start++;
    for (end = start; end < text.len && is_version_octet(text.at[end]); end++)
        continue;
    return end > start && byte_is_digit(text.at[start]) ? slice_between(text, start, end)
                                                        : slice_of(NULL, 0);
}

/* Stations tell it in one of several comments: "(using TLSv1.3 with cipher …)", "(version=TLS1_2
 * …)", "(TLS1.3)". Given with a dot, however it was written. */
static struct slice
tls_version(struct arena *arena, struct slice body)
{
    struct slice found = {0};
    int depth = 0;

    for (size_t i = 0; i < body.len && found.len == 0; i++) {
        depth += body.at[i] == '(' ? 1 : body.at[i] == ')' ? -1 : 0;
        if (depth > 0)
            found = version_at(slice_skip(body, i));
    }
    char *copy = arena_copy_string(arena, found);
    for (char *at = copy; at && *at; at++) {
        if (*at == '_')
            *at = '.';
    }
    return copy ? slice_of_string(copy) : slice_of(NULL, 0);
}

/* Protocol names of RFC 3848 and RFC 6531: ESMTP or LMTP (UTF8SMTP, UTF8LMTP), then S for TLS, then
 * A for authentication. HTTPS is what web mail writes. */
static struct slice
protocol_letters(struct slice protocol)
{
    static const char *const stems[] = {"ESMTP", "LMTP", "UTF8SMTP", "UTF8LMTP", "SMTP", "HTTP"};

    for (size_t i = 0; i < COUNT_OF(stems); i++) {
        struct slice stem = slice_of_string(stems[i]);
        if (slice_starts_with_nocase(protocol, stem))
            return slice_skip(protocol, stem.len);
    }
    return slice_of(NULL, 0);
}

static bool
has_letter(struct slice letters, uint8_t lower)
{
    for (size_t i = 0; i < letters.len; i++)
        if (byte_to_lower(letters.at[i]) == lower)
            return true;
    return false;
}

static void
read_station(struct arena *arena, struct slice body, struct itinerary_hop *hop)
{
    trace_received_parse(arena, body, &hop->written);
    struct slice letters = protocol_letters(hop->written.with);

    hop->address = client_address(&hop->written, body);
    hop->tls_version = tls_version(arena, body);
    hop->is_authenticated = has_letter(letters, 'a');
    /* "with Microsoft SMTP Server (TLS)" has no version. */
    if (has_letter(letters, 's') || !slice_is_empty(hop->tls_version) ||
        slice_find(body, SLICE("Server (TLS)")) < body.len)
        hop->tls = ITINERARY_TLS_YES;
    else if (!slice_is_empty(hop->written.with))
        hop->tls = ITINERARY_TLS_NO;
}

/* ---- the whole ----------------------------------------------------------------------------- */

static size_t
count_stations(const struct header *header)
{
    size_t count = 0;

    for (const struct field *field = header_find(header, FIELD_RECEIVED, NULL); field;
         field = header_find(header, FIELD_RECEIVED, field))
        count++;
    return count;
}

/* Years that no clock shows make no delay. */
static bool
is_between(struct wall from, struct wall to, struct duration *ret_span)
{
    return !__builtin_sub_overflow(to.ns, from.ns, &ret_span->ns);
}

/* Legs whose station wrote no date are passed over: the next one's delay covers both. */
static void
set_delays(struct itinerary *itinerary, struct itinerary_hop *hops)
{
    bool has_before = itinerary->has_date;
    struct wall before = itinerary->date.wall, first = before;

    for (size_t i = 0; i < itinerary->count; i++) {
        struct wall now = hops[i].written.date.wall;
        struct duration delay = {0}, total = {0};
        if (hops[i].written.defects & TRACE_NO_DATE)
            continue;
        if (!has_before)
            first = now;
        else if (!is_between(before, now, &delay) || !is_between(first, now, &total))
            continue;
        hops[i].has_delay = has_before;
        hops[i].delay = delay;
        itinerary->has_total = has_before;
        itinerary->total = total;
        has_before = true;
        before = now;
    }
}

void
itinerary_read(struct arena *arena, const struct header *header, struct itinerary *ret_itinerary)
{
    const struct field *date = header_find(header, FIELD_DATE, NULL);
    size_t written = count_stations(header);
    size_t room = written < ITINERARY_HOPS_MAX ? written : ITINERARY_HOPS_MAX;
    struct itinerary_hop *hops = ARENA_ARRAY(arena, struct itinerary_hop, room);
    const struct field *field = NULL;

    *ret_itinerary = (struct itinerary){.hops = hops, .is_cut = room < written};
    ret_itinerary->has_date = date && date_parse(date->body, &ret_itinerary->date);
    if (!hops) {
        ret_itinerary->is_cut = ret_itinerary->is_cut || room > 0;
        return;
    }
    /* The newest stands first in the message. */
    for (size_t i = room; i-- > 0;) {
        field = header_find(header, FIELD_RECEIVED, field);
        read_station(arena, field->body, &hops[i]);
    }
    ret_itinerary->count = room;
    ret_itinerary->is_cut = ret_itinerary->is_cut || arena_failed(arena);
    set_delays(ret_itinerary, hops);
}
