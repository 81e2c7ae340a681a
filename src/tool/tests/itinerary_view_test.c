/* SPDX-License-Identifier: ISC */
#include "tool/itinerary_view.h"
#include "text/tests/check.h"

static void
delays_are_told_in_two_units(void **state)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } delays[] = {
        {0, "+0 s"},           {3, "+3 s"},     {60, "+1 min"},          {125, "+2 min 5 s"},
        {3600, "+1 h"},        {3605, "+1 h"},  {90000, "+1 d 1 h"},     {-7, "-7 s"},
        {-3700, "-1 h 1 min"}, {86400, "+1 d"}, {1000000, "+11 d 13 h"},
    };
    struct buffer out;

    (void)state;
    buffer_init(&out, 100);
    for (size_t i = 0; i < COUNT_OF(delays); i++) {
        buffer_clear(&out);
        itinerary_view_put_delay(duration_s(delays[i].seconds), &out);
        assert_slice(buffer_slice(&out), slice_of_string(delays[i].text));
    }
    buffer_finish(&out);
}

static const char evil[] = "Received: from \x1B[31m<script>alert(1)</script> by \"><b>.test with "
                           "SMTP id <x&y>; Mon, 1 Jan 2001 10:00:00 +0000\r\n\r\n";

static void
draw(struct slice message, void (*put)(const struct itinerary_view *, struct buffer *),
     struct buffer *out)
{
    struct arena arena;
    struct header header;
    struct itinerary itinerary;

    arena_init(&arena, 1 << 20);
    header_parse(&arena, message, &header);
    itinerary_read(&arena, &header, &itinerary);
    struct itinerary_view view = {.itinerary = &itinerary,
                                  .from = SLICE("<b>fred</b>"),
                                  .to = SLICE("marc"),
                                  .subject = SLICE("a\x1B]0;b & c")};
    put(&view, out);
    arena_finish(&arena);
}

static void
the_terminal_is_drawn_for_and_not_commanded(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out, 100000);
    draw(slice_of_string(evil), itinerary_view_put_text, &out);
    assert_int_equal(slice_find_byte(buffer_slice(&out), 0x1B), buffer_len(&out));
    buffer_clear(&out);
    draw(SLICE("Received: from a (a [192.0.2.1]) by b with ESMTPSA (TLS1.3) id 7 for <c@d>;\r\n"
               " Mon, 1 Jan 2001 10:00:05 +0000\r\nDate: Mon, 1 Jan 2001 10:00:00 +0000\r\n\r\n"),
         itinerary_view_put_text, &out);
    assert_slice(buffer_slice(&out), SLICE("From:    <b>fred</b>\n"
                                           "To:      marc\n"
                                           "Subject: a ]0;b & c\n"
                                           "Date:    2001-01-01T10:00:00Z\n"
                                           "\n"
                                           "a [192.0.2.1]\n"
                                           "    │  ESMTPSA, TLS 1.3, logged in; +5 s\n"
                                           "    │  for c@d\n"
                                           "    │  id 7\n"
                                           "    ▼\n"
                                           "b  at 2001-01-01T10:00:05Z\n"
                                           "\n"
                                           "1 leg, +5 s since it was written.\n"));
    buffer_finish(&out);
}

static bool
has(const struct buffer *buffer, struct slice text)
{
    return slice_find(buffer_slice(buffer), text) < buffer_len(buffer);
}

static void
the_page_takes_nothing_from_a_message_but_text(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out, 100000);
    draw(slice_of_string(evil), itinerary_view_put_page, &out);
    assert_false(has(&out, SLICE("<script")));
    assert_false(has(&out, SLICE("<b>")));
    assert_true(has(&out, SLICE("&lt;b&gt;fred&lt;/b&gt;")));
    assert_true(has(&out, SLICE("a ]0;b &amp; c")));
    draw(SLICE("Received: from a by b with SMTP id 1&2\r\n\r\n"), itinerary_view_put_page, &out);
    assert_true(has(&out, SLICE("class=\"leg plain\"")));
    assert_true(has(&out, SLICE("id 1&amp;2")));
    assert_int_equal(slice_find_byte(buffer_slice(&out), 0x1B), buffer_len(&out));
    buffer_finish(&out);
}

/* What is longer than its box is cut, and whole where one points at it. */
static void
long_names_stay_in_their_boxes(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out, 100000);
    draw(SLICE("Received: from a by number-4711.relays.of.a.provider.with.many.hosts.example.net "
               "with SMTP id 1\r\n\r\n"),
         itinerary_view_put_page, &out);
    assert_true(
        has(&out, SLICE("<title>number-4711.relays.of.a.provider.with.many.hosts.example.net"
                        "</title>number-4711.relays.of.a.provider.with.many.h…</text>")));
    buffer_finish(&out);
}

static void
what_has_not_travelled_says_so(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out, 100000);
    draw(SLICE("Subject: x\r\n\r\n"), itinerary_view_put_text, &out);
    assert_true(has(&out, SLICE("It has not travelled")));
    draw(SLICE("Subject: x\r\n\r\n"), itinerary_view_put_page, &out);
    assert_true(has(&out, SLICE("<p>It has not travelled")));
    buffer_finish(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delays_are_told_in_two_units),
        cmocka_unit_test(the_terminal_is_drawn_for_and_not_commanded),
        cmocka_unit_test(the_page_takes_nothing_from_a_message_but_text),
        cmocka_unit_test(long_names_stay_in_their_boxes),
        cmocka_unit_test(what_has_not_travelled_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
