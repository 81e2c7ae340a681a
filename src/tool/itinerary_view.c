/* SPDX-License-Identifier: ISC */
#include "tool/itinerary_view.h"

#include "text/utf8.h"

/* ---- parts --------------------------------------------------------------------------------- */

static void
put_unit(uint64_t number, const char *unit, bool *is_first, struct buffer *out)
{
    if (!*is_first)
        buffer_put_byte(out, ' ');
    *is_first = false;
    buffer_put_decimal(out, number);
    buffer_put_text(out, unit);
}

/* The two largest units are enough. Received has whole seconds. */
void
itinerary_view_put_delay(struct duration delay, struct buffer *out)
{
    static const struct {
        uint64_t seconds;
        const char *unit;
    } units[] = {{86400, " d"}, {3600, " h"}, {60, " min"}, {1, " s"}};
    uint64_t left = (uint64_t)(delay.ns < 0 ? -(delay.ns / 1000000000) : delay.ns / 1000000000);
    bool is_first = true;
    size_t shown = 0;

    buffer_put_byte(out, delay.ns < 0 ? '-' : '+');
    for (size_t i = 0; i < COUNT_OF(units) && shown < 2; i++) {
        if (left / units[i].seconds == 0 && shown == 0 && i + 1 < COUNT_OF(units))
            continue;
        shown++;
        if (left / units[i].seconds > 0 || is_first)
            put_unit(left / units[i].seconds, units[i].unit, &is_first, out);
        left %= units[i].seconds;
    }
}

void
itinerary_view_put_protocol(const struct itinerary_hop *hop, struct buffer *out)
{
    if (slice_is_empty(hop->written.with))
        buffer_put_text(out, "protocol not told");
    else
        utf8_put_printable(out, hop->written.with);
    if (hop->tls == ITINERARY_TLS_NO)
        buffer_put_text(out, ", not encrypted");
    if (hop->tls == ITINERARY_TLS_YES)
        buffer_put_text(out, ", TLS");
    if (hop->tls == ITINERARY_TLS_YES && !slice_is_empty(hop->tls_version)) {
        buffer_put_byte(out, ' ');
        utf8_put_printable(out, hop->tls_version);
    }
    if (hop->is_authenticated)
        buffer_put_text(out, ", logged in");
}

void
itinerary_view_put_client(const struct itinerary_hop *hop, struct buffer *out)
{
    bool has_name = !slice_is_empty(hop->written.from);
    bool is_literal = has_name && hop->written.from.at[0] == '[';

    if (has_name)
        utf8_put_printable(out, hop->written.from);
    else if (slice_is_empty(hop->address))
        buffer_put_text(out, "(a program on the same machine)");
    if (slice_is_empty(hop->address) || is_literal)
        return;
    buffer_put_text(out, has_name ? " [" : "[");
    utf8_put_printable(out, hop->address);
    buffer_put_byte(out, ']');
}

/* ---- terminal ------------------------------------------------------------------------------ */

static void
put_line(const char *title, struct slice value, struct buffer *out)
{
    if (slice_is_empty(value))
        return;
    buffer_put_text(out, title);
    utf8_put_printable(out, value);
    buffer_put_byte(out, '\n');
}

static void
put_station(const struct itinerary_hop *hop, struct buffer *out)
{
    if (slice_is_empty(hop->written.by))
        buffer_put_text(out, "(a station that did not give its name)");
    else
        utf8_put_printable(out, hop->written.by);
    if (!(hop->written.defects & TRACE_NO_DATE)) {
        buffer_put_text(out, "  at ");
        date_format_iso8601(hop->written.date.wall, hop->written.date.zone_minutes, out);
    }
    buffer_put_byte(out, '\n');
}

static void
put_leg(const struct itinerary_hop *hop, struct buffer *out)
{
    buffer_put_text(out, "    │  ");
    itinerary_view_put_protocol(hop, out);
    if (hop->has_delay) {
        buffer_put_text(out, "; ");
        itinerary_view_put_delay(hop->delay, out);
        if (hop->delay.ns < 0)
            buffer_put_text(out, " (the clocks of the two differ)");
    }
    buffer_put_byte(out, '\n');
    if (!slice_is_empty(hop->written.recipient))
        put_line("    │  for ", hop->written.recipient, out);
    if (!slice_is_empty(hop->written.id))
        put_line("    │  id ", hop->written.id, out);
    buffer_put_text(out, "    ▼\n");
}

static void
put_end(const struct itinerary *itinerary, struct buffer *out)
{
    buffer_put_byte(out, '\n');
    buffer_put_decimal(out, itinerary->count);
    buffer_put_text(out, itinerary->count == 1 ? " leg" : " legs");
    if (itinerary->has_total) {
        buffer_put_text(out, ", ");
        itinerary_view_put_delay(itinerary->total, out);
        buffer_put_text(out, itinerary->has_date ? " since it was written" : " on the way");
    }
    if (itinerary->is_cut)
        buffer_put_text(out, "; older ones are left out");
    buffer_put_text(out, ".\n");
}

void
itinerary_view_put_text(const struct itinerary_view *view, struct buffer *out)
{
    const struct itinerary *itinerary = view->itinerary;

    put_line("From:    ", view->from, out);
    put_line("To:      ", view->to, out);
    put_line("Subject: ", view->subject, out);
    if (itinerary->has_date) {
        buffer_put_text(out, "Date:    ");
        date_format_iso8601(itinerary->date.wall, itinerary->date.zone_minutes, out);
        buffer_put_byte(out, '\n');
    }
    if (itinerary->count == 0) {
        buffer_put_text(out, "\nIt has not travelled: there is no Received field in it.\n");
        return;
    }
    buffer_put_byte(out, '\n');
    for (size_t i = 0; i < itinerary->count; i++) {
        const struct itinerary_hop *hop = &itinerary->hops[i];
        /* A client that is the station before needs no line of its own. */
        if (i == 0 || !slice_equal_nocase(hop->written.from, hop[-1].written.by)) {
            itinerary_view_put_client(hop, out);
            buffer_put_byte(out, '\n');
        }
        put_leg(hop, out);
        put_station(hop, out);
    }
    put_end(itinerary, out);
}
