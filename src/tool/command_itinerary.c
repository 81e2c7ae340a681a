/* SPDX-License-Identifier: ISC */
/* facteur itinerary: the way a message took. */
#include "tool/command.h"
#include "tool/itinerary_view.h"
#include "tool/letter.h"
#include "tool/report.h"
#include "tool/say.h"

enum { FIELD_MAX = 64 << 10, DRAWING_MAX = 16 << 20 };

static int64_t
seconds(struct duration span)
{
    return span.ns / 1000000000;
}

/* Reports know whole numbers from 0 on; a negative delay is told as text's sign in "delay". */
static void
report_delay(struct report *report, bool has_delay, struct duration delay)
{
    struct buffer text;

    if (!has_delay) {
        report_nothing(report, "delay", "");
        return;
    }
    buffer_init(&text, 100);
    itinerary_view_put_delay(delay, &text);
    report_text(report, "delay", buffer_slice(&text));
    buffer_finish(&text);
}

static void
report_hop(struct report *report, const struct itinerary_hop *hop)
{
    static const char *const tls[] = {[ITINERARY_TLS_UNKNOWN] = "unknown",
                                      [ITINERARY_TLS_NO] = "no",
                                      [ITINERARY_TLS_YES] = "yes"};
    bool has_time = !(hop->written.defects & TRACE_NO_DATE);

    report_row(report);
    report_text(report, "from", hop->written.from);
    report_text(report, "address", hop->address);
    report_text(report, "by", hop->written.by);
    report_text(report, "with", hop->written.with);
    report_text(report, "tls", slice_of_string(tls[hop->tls]));
    report_text(report, "tls_version", hop->tls_version);
    report_bool(report, "authenticated", hop->is_authenticated);
    report_text(report, "id", hop->written.id);
    report_text(report, "for", hop->written.recipient);
    report_time(report, "time", has_time ? hop->written.date.wall : (struct wall){0});
    report_delay(report, hop->has_delay, hop->delay);
    report_bool(report, "clocks_differ", hop->has_delay && hop->delay.ns < 0);
}

static int
report_view(const struct itinerary_view *view)
{
    const struct itinerary *itinerary = view->itinerary;
    struct report *report = report_open(true);

    report_text(report, "from", view->from);
    report_text(report, "to", view->to);
    report_text(report, "subject", view->subject);
    report_time(report, "date", itinerary->has_date ? itinerary->date.wall : (struct wall){0});
    if (itinerary->has_total && itinerary->total.ns >= 0)
        report_number(report, "total_seconds", (uint64_t)seconds(itinerary->total));
    else
        report_nothing(report, "total_seconds", "");
    report_bool(report, "cut", itinerary->is_cut);
    report_list(report, "hops");
    for (size_t i = 0; i < itinerary->count; i++)
        report_hop(report, &itinerary->hops[i]);
    report_list_end(report);
    return report_close(&report);
}

static int
write_drawing(const struct itinerary_view *view, bool is_page)
{
    struct buffer drawing;
    int code = EX_OK;

    buffer_init(&drawing, DRAWING_MAX);
    if (is_page)
        itinerary_view_put_page(view, &drawing);
    else
        itinerary_view_put_text(view, &drawing);
    struct slice bytes = buffer_slice(&drawing);
    if (fwrite(bytes.at, 1, bytes.len, stdout) != bytes.len || fflush(stdout) != 0)
        code = say_output_failed();
    buffer_finish(&drawing);
    return code;
}

static int
show(const struct command_call *call, struct letter *letter)
{
    const struct header *header = letter->tree.parts[0].fields;
    struct header none = {0};
    struct itinerary itinerary;
    struct buffer from, to, subject;

    buffer_init(&from, FIELD_MAX);
    buffer_init(&to, FIELD_MAX);
    buffer_init(&subject, FIELD_MAX);
    letter_put_field(letter, FIELD_FROM, &from);
    letter_put_field(letter, FIELD_TO, &to);
    letter_put_field(letter, FIELD_SUBJECT, &subject);
    itinerary_read(&letter->arena, header ? header : &none, &itinerary);
    struct itinerary_view view = {.itinerary = &itinerary,
                                  .from = buffer_slice(&from),
                                  .to = buffer_slice(&to),
                                  .subject = buffer_slice(&subject)};
    int code = command_has(call, "json") ? report_view(&view)
                                         : write_drawing(&view, command_has(call, "html"));
    buffer_finish(&from);
    buffer_finish(&to);
    buffer_finish(&subject);
    return code;
}

static int
run_itinerary(const struct command_call *call)
{
    struct letter letter = {0};
    int code = letter_open(call->arguments[0], &letter);

    if (code == EX_OK)
        code = show(call, &letter);
    letter_finish(&letter);
    return code;
}

const struct command command_itinerary = {
    .name = "itinerary",
    .arguments = "FILE",
    .summary = "Draw the way a message took",
    .about = "Reads the Received fields of a message of any origin and draws its way: every "
             "station, the protocol and whether it was encrypted, and how long each leg took. "
             "Where a leg takes less than no time, the clocks of its two stations differ. A FILE "
             "of - is standard input.",
    .examples = "facteur itinerary letter.eml\n"
                "facteur itinerary letter.eml --html > way.html",
    .arguments_min = 1,
    .arguments_max = 1,
    .options = {COMMAND_OPTION_JSON, {"html", NULL, "Write a page to look at in a browser."}},
    .run = run_itinerary,
};
