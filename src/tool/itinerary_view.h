/* SPDX-License-Identifier: ISC */
/* The way of a message drawn: for a terminal, and as a page that needs nothing but itself. */
#ifndef TOOL_ITINERARY_VIEW_H
#define TOOL_ITINERARY_VIEW_H

#include "message/itinerary.h"

/* More about the way, for the page: what was said at a station. */
struct itinerary_section {
    struct slice host;
    struct slice title;
    const struct slice *lines;
    size_t line_count;
};

struct itinerary_view {
    const struct itinerary *itinerary;
    struct slice from; /* decoded header fields; may be empty */
    struct slice to;
    struct slice subject;
    const struct itinerary_section *sections;
    size_t section_count;
};

/* Puts lines for a terminal, in UTF-8. Nothing from the message reaches it as a command. */
void itinerary_view_put_text(const struct itinerary_view *view, struct buffer *out);

/* Puts an HTML page with the drawing as SVG inside: no script, nothing loaded, everything from the
 * message escaped. */
void itinerary_view_put_page(const struct itinerary_view *view, struct buffer *out);

/* Parts of both. "+3 s", "+2 min 5 s", "-7 s"; "ESMTPS, TLS 1.3, logged in"; a station's name. */
void itinerary_view_put_delay(struct duration delay, struct buffer *out);
void itinerary_view_put_protocol(const struct itinerary_hop *hop, struct buffer *out);
void itinerary_view_put_client(const struct itinerary_hop *hop, struct buffer *out);

#endif
