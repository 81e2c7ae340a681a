/* SPDX-License-Identifier: ISC */
/* The page: stations as boxes from top to bottom, legs as arrows between them. */
#include "tool/itinerary_view.h"

#include "text/utf8.h"

enum {
    WIDTH = 760,
    BOX_LEFT = 20,
    BOX_WIDTH = 480,
    BOX_HEIGHT = 46,
    LEG_HEIGHT = 64,
    ARROW_X = 60,
    TEXT_MAX = 2000, /* octets of one text; what a station wrote may be long */
    /* Characters that surely fit into the drawing; the whole text is shown by pointing at it. */
    NAME_FITS = 44,
    SMALL_FITS = 58,
    LEG_FITS = 52,
    DELAY_FITS = 34,
};

struct page {
    struct buffer *out;
    struct buffer scratch;
    unsigned y;
};

/* ---- text ---------------------------------------------------------------------------------- */

/* What the message says goes through here, and nowhere else: HTML sees characters only. */
static void
put_escaped(struct buffer *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        switch (text.at[i]) {
        case '&':
            buffer_put_text(out, "&amp;");
            break;
        case '<':
            buffer_put_text(out, "&lt;");
            break;
        case '>':
            buffer_put_text(out, "&gt;");
            break;
        case '"':
            buffer_put_text(out, "&quot;");
            break;
        case '\'':
            buffer_put_text(out, "&#39;");
            break;
        default:
            buffer_put_byte(out, text.at[i]);
        }
    }
}

static void
put_printable(struct page *page, struct slice text)
{
    struct buffer clean;

    buffer_init(&clean, (size_t)4 * TEXT_MAX);
    utf8_put_printable(&clean, slice_first(text, TEXT_MAX));
    put_escaped(page->out, buffer_slice(&clean));
    buffer_finish(&clean);
}

/* How many octets its first characters have. */
static size_t
first_characters(struct slice text, size_t count)
{
    size_t len = 0;

    while (len < text.len && ((text.at[len] & 0xc0) == 0x80 || count-- > 0))
        len++;
    return len;
}

static void
put_text_at(struct page *page, unsigned x, unsigned y, const char *kind, size_t fits,
            struct slice text)
{
    size_t len = first_characters(text, fits);

    if (slice_is_empty(text))
        return;
    buffer_put_text(page->out, "<text x=\"");
    buffer_put_decimal(page->out, x);
    buffer_put_text(page->out, "\" y=\"");
    buffer_put_decimal(page->out, y);
    buffer_put_text(page->out, "\" class=\"");
    buffer_put_text(page->out, kind);
    buffer_put_text(page->out, "\">");
    if (len < text.len) {
        buffer_put_text(page->out, "<title>");
        put_printable(page, text);
        buffer_put_text(page->out, "</title>");
    }
    put_printable(page, slice_first(text, len));
    buffer_put_text(page->out, len < text.len ? "…</text>\n" : "</text>\n");
}

/* ---- drawing ------------------------------------------------------------------------------- */

static void
put_box(struct page *page, const char *kind, struct slice name, struct slice below)
{
    struct buffer *out = page->out;

    buffer_put_text(out, "<rect class=\"");
    buffer_put_text(out, kind);
    buffer_put_text(out, "\" rx=\"8\" x=\"");
    buffer_put_decimal(out, BOX_LEFT);
    buffer_put_text(out, "\" y=\"");
    buffer_put_decimal(out, page->y);
    buffer_put_text(out, "\" width=\"");
    buffer_put_decimal(out, BOX_WIDTH);
    buffer_put_text(out, "\" height=\"");
    buffer_put_decimal(out, BOX_HEIGHT);
    buffer_put_text(out, "\"/>\n");
    put_text_at(page, BOX_LEFT + 14, page->y + 20, "name", NAME_FITS, name);
    put_text_at(page, BOX_LEFT + 14, page->y + 37, "small", SMALL_FITS, below);
    page->y += BOX_HEIGHT;
}

static void
put_arrow(struct page *page, bool is_plain)
{
    struct buffer *out = page->out;

    buffer_put_text(out,
                    is_plain ? "<path class=\"leg plain\" d=\"M" : "<path class=\"leg\" d=\"M");
    buffer_put_decimal(out, ARROW_X);
    buffer_put_byte(out, ' ');
    buffer_put_decimal(out, page->y + 3);
    buffer_put_text(out, "v");
    buffer_put_decimal(out, LEG_HEIGHT - 8);
    buffer_put_text(out, "m-6 -9l6 9l6 -9\"/>\n");
}

static void
put_leg(struct page *page, const struct itinerary_hop *hop)
{
    struct buffer *scratch = &page->scratch;

    put_arrow(page, hop->tls == ITINERARY_TLS_NO);
    buffer_clear(scratch);
    itinerary_view_put_protocol(hop, scratch);
    put_text_at(page, ARROW_X + 20, page->y + 28, hop->tls == ITINERARY_TLS_NO ? "warn" : "small",
                LEG_FITS, buffer_slice(scratch));
    buffer_clear(scratch);
    if (!slice_is_empty(hop->written.recipient)) {
        buffer_put_text(scratch, "for ");
        buffer_put(scratch, hop->written.recipient);
    }
    put_text_at(page, ARROW_X + 20, page->y + 46, "small", LEG_FITS, buffer_slice(scratch));
    buffer_clear(scratch);
    if (hop->has_delay) {
        itinerary_view_put_delay(hop->delay, scratch);
        if (hop->delay.ns < 0)
            buffer_put_text(scratch, " (the clocks differ)");
    }
    put_text_at(page, BOX_LEFT + BOX_WIDTH + 20, page->y + 37, hop->delay.ns < 0 ? "warn" : "delay",
                DELAY_FITS, buffer_slice(scratch));
    page->y += LEG_HEIGHT;
}

static void
put_client(struct page *page, const struct itinerary *itinerary)
{
    struct buffer name, when;

    buffer_init(&name, (size_t)4 * TEXT_MAX);
    buffer_init(&when, 100);
    itinerary_view_put_client(&itinerary->hops[0], &name);
    if (itinerary->has_date) {
        buffer_put_text(&when, "written ");
        date_format_iso8601(itinerary->date.wall, itinerary->date.zone_minutes, &when);
    }
    put_box(page, "client", buffer_slice(&name), buffer_slice(&when));
    buffer_finish(&name);
    buffer_finish(&when);
}

static void
put_station(struct page *page, const struct itinerary_hop *hop)
{
    struct buffer below;
    struct slice by = hop->written.by;

    buffer_init(&below, (size_t)4 * TEXT_MAX);
    if (!(hop->written.defects & TRACE_NO_DATE))
        date_format_iso8601(hop->written.date.wall, hop->written.date.zone_minutes, &below);
    if (!slice_is_empty(hop->written.id)) {
        buffer_put_text(&below, buffer_len(&below) ? ", id " : "id ");
        buffer_put(&below, slice_first(hop->written.id, TEXT_MAX));
    }
    put_box(page, "station", slice_is_empty(by) ? SLICE("(a station without a name)") : by,
            buffer_slice(&below));
    buffer_finish(&below);
}

/* ---- page ---------------------------------------------------------------------------------- */

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1d2733;--faint:#5b6b7c;--line:#9fb0c2;--box:#eef4fb;"
    "--bad:#b3261e;--good:#1f6f43;--back:#fff}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6edf5;--faint:#9fb0c2;--line:#54677c;"
    "--box:#1c2836;--bad:#ff8a80;--good:#7fd6a4;--back:#10161d}}"
    "body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--back);"
    "max-width:800px;margin:2rem auto;padding:0 1rem}"
    "dt{float:left;clear:left;width:5rem;color:var(--faint)}dd{margin:0 0 0 5.5rem}"
    "pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--box);padding:.5rem "
    ".75rem;margin:.4rem 0 0 2.5rem;border-left:3px solid var(--line);font-size:.85rem}"
    "ol{list-style:none;padding:0}li{margin-top:1.2rem}h2{font-size:1rem;margin:0 0 0 2.5rem}"
    "h2 em{float:left;margin-left:-2.5rem;color:var(--faint);font:inherit;font-weight:400}"
    "h2 span{font-weight:400}pre i{font-style:normal;color:var(--good)}"
    "@media print{:root{--ink:#000;--faint:#444;--line:#888;--box:#f4f4f4;--bad:#a00;--good:#063;"
    "--back:#fff}body{font-size:11pt;margin:0;max-width:none}h2{break-after:avoid}"
    "svg{max-width:16cm}}"
    "svg{width:100%;height:auto;font-size:13px}"
    "rect{fill:var(--box);stroke:var(--line)}rect.client{fill:none;stroke-dasharray:4 3}"
    "text{fill:var(--ink)}.name{font-weight:600;font-size:15px}.small{fill:var(--faint)}"
    ".warn{fill:var(--bad)}.delay{font-size:15px}"
    ".leg{fill:none;stroke:var(--good);stroke-width:2}.plain{stroke:var(--bad);stroke-dasharray:5 "
    "4}";

static void
put_term(struct page *page, const char *title, struct slice value)
{
    if (slice_is_empty(value))
        return;
    buffer_put_text(page->out, "<dt>");
    buffer_put_text(page->out, title);
    buffer_put_text(page->out, "</dt><dd>");
    put_printable(page, value);
    buffer_put_text(page->out, "</dd>\n");
}

static void
put_head(struct page *page, const struct itinerary_view *view)
{
    buffer_put_text(page->out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                               "<meta name=\"viewport\" content=\"width=device-width\">"
                               "<title>The way of a message</title><style>");
    buffer_put_text(page->out, style);
    buffer_put_text(page->out, "</style></head><body>\n<h1>The way of a message</h1>\n<dl>\n");
    put_term(page, "From", view->from);
    put_term(page, "To", view->to);
    put_term(page, "Subject", view->subject);
    buffer_put_text(page->out, "</dl>\n");
}

static void
put_drawing(struct page *page, const struct itinerary *itinerary)
{
    struct buffer *out = page->out;
    unsigned height =
        20 + BOX_HEIGHT + (unsigned)itinerary->count * (unsigned)(BOX_HEIGHT + LEG_HEIGHT);

    buffer_put_text(out, "<svg role=\"img\" aria-label=\"stations of the message\" viewBox=\"0 0 ");
    buffer_put_decimal(out, WIDTH);
    buffer_put_byte(out, ' ');
    buffer_put_decimal(out, height);
    buffer_put_text(out, "\">\n");
    page->y = 10;
    put_client(page, itinerary);
    for (size_t i = 0; i < itinerary->count; i++) {
        put_leg(page, &itinerary->hops[i]);
        put_station(page, &itinerary->hops[i]);
    }
    buffer_put_text(out, "</svg>\n");
}

/* Lines of a dialogue: what the client says stands out. */
static void
put_lines(struct page *page, const struct itinerary_section *section)
{
    buffer_put_text(page->out, "<pre>");
    for (size_t i = 0; i < section->line_count; i++) {
        bool is_client = slice_starts_with(section->lines[i], SLICE("C: "));
        buffer_put_text(page->out, is_client ? "<i>" : "");
        put_printable(page, section->lines[i]);
        buffer_put_text(page->out, is_client ? "</i>\n" : "\n");
    }
    buffer_put_text(page->out, "</pre>\n");
}

static void
put_sections(struct page *page, const struct itinerary_view *view)
{
    buffer_put_text(page->out, view->section_count > 0 ? "<ol>\n" : "");
    for (size_t i = 0; i < view->section_count; i++) {
        const struct itinerary_section *section = &view->sections[i];
        buffer_put_text(page->out, "<li><h2><em>");
        buffer_put_decimal(page->out, i + 1);
        buffer_put_text(page->out, "</em>");
        put_printable(page, section->host);
        buffer_put_text(page->out, " <span>");
        put_printable(page, section->title);
        buffer_put_text(page->out, "</span></h2>\n");
        if (section->line_count > 0)
            put_lines(page, section);
        buffer_put_text(page->out, "</li>\n");
    }
    buffer_put_text(page->out, view->section_count > 0 ? "</ol>\n" : "");
}

void
itinerary_view_put_page(const struct itinerary_view *view, struct buffer *out)
{
    struct page page = {.out = out};

    buffer_init(&page.scratch, (size_t)8 * TEXT_MAX);
    put_head(&page, view);
    if (view->itinerary->count == 0)
        buffer_put_text(out, "<p>It has not travelled: there is no Received field in it.</p>\n");
    else
        put_drawing(&page, view->itinerary);
    if (view->itinerary->is_cut)
        buffer_put_text(out, "<p>Older stations are left out.</p>\n");
    put_sections(&page, view);
    buffer_put_text(out,
                    "<p class=\"small\">As the stations themselves wrote it in the "
                    "<code>Received</code> fields; any of them may err.</p>\n</body></html>\n");
    buffer_finish(&page.scratch);
}
