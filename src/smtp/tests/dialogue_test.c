/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "smtp/dialogue.h"

static void
write_line(void *context, bool is_server, struct slice line)
{
    struct buffer *text = context;

    buffer_put_text(text, is_server ? "S: " : "C: ");
    buffer_put(text, line);
    buffer_put_byte(text, '\n');
}

/* Lines of what goes over the wire, "C " or "S " before each; their ends are "|" where CRLF stands.
 */
static void
play(const char *wire, size_t piece, struct buffer *text)
{
    struct smtp_dialogue dialogue;

    smtp_dialogue_init(&dialogue, write_line, text);
    while (*wire) {
        const char *end = strchr(wire, '\n');
        struct buffer bytes;
        buffer_init(&bytes, 1 << 16);
        for (const char *at = wire + 2; at < end; at++)
            buffer_put_text(&bytes, *at == '|' ? "\r\n" : (const char[]){*at, 0});
        struct slice rest = buffer_slice(&bytes);
        while (rest.len > 0) {
            struct slice part = slice_first(rest, piece < rest.len ? piece : rest.len);
            if (*wire == 'C')
                smtp_dialogue_said(&dialogue, part);
            else
                smtp_dialogue_heard(&dialogue, part);
            rest = slice_skip(rest, part.len);
        }
        buffer_finish(&bytes);
        wire = end + 1;
    }
    smtp_dialogue_finish(&dialogue);
}

static const struct {
    const char *wire, *shown;
} rows[] = {
    {"S 220 foo ready|\nC EHLO bar|\nS 250-foo|250 SIZE 1|\n",
     "S: 220 foo ready\nC: EHLO bar\nS: 250-foo\nS: 250 SIZE 1\n"},
    /* Content stays private, whatever it looks like. */
    {"C MAIL FROM:<a@b>|RCPT TO:<c@d>|DATA|\nS 250 a|250 b|354 go|\n"
     "C RCPT TO:<secret>||..|x.|.y|.|\nS 250 ok|\nC QUIT|\n",
     "C: MAIL FROM:<a@b>\nC: RCPT TO:<c@d>\nC: DATA\nS: 250 a\nS: 250 b\nS: 354 go\n"
     "C: (32 octets)\nS: 250 ok\nC: QUIT\n"},
    {"C DATA|\nS 354 go|\nC  .|.|\n", "C: DATA\nS: 354 go\nC: (4 octets)\n"},
    /* DATA refused: what comes next are commands again. */
    {"C DATA|\nS 554 no|\nC RSET|\nS 354 what|\nC QUIT|\n",
     "C: DATA\nS: 554 no\nC: RSET\nS: 354 what\nC: QUIT\n"},
    {"C BDAT 12|QUIT|.|DATA|BDAT 3 LAST|xyz\nS 250 a|250 b|\nC QUIT|\n",
     "C: BDAT 12\nC: (12 octets)\nC: …\nC: BDAT 3 LAST\nC: (3 octets)\nS: 250 a\nS: 250 b\n"
     "C: QUIT\n"},
    /* Logins: neither with the command nor behind a challenge. */
    {"C AUTH PLAIN AGEAYg==|\nS 235 in|\n", "C: AUTH PLAIN\nS: 235 in\n"},
    {"C AUTH LOGIN|\nS 334 VXNlcg==|\nC QUIT|\nS 334 UGFzcw==|\nC c2VjcmV0|\nS 535 no|\nC QUIT|\n",
     "C: AUTH LOGIN\nS: 334 …\nC: …\nS: 334 …\nC: …\nS: 535 no\nC: QUIT\n"},
    {"C c2VjcmV0|\n", "C: …\n"},
};

static void
test_a_dialogue_is_shown_without_secrets_and_content(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buffer text;
        buffer_init(&text, 1 << 16);
        play(rows[i].wire, SIZE_MAX, &text);
        assert_int_equal(buffer_len(&text), strlen(rows[i].shown));
        assert_memory_equal(text.at, rows[i].shown, buffer_len(&text));
        buffer_finish(&text);
    }
}

/* But where a client says more behind DATA before it was answered, which none may: not in pieces.
 */
static void
test_pieces_of_any_length_show_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (size_t piece = 1; piece < 40; piece++) {
            struct buffer text;
            buffer_init(&text, 1 << 16);
            play(rows[i].wire, piece, &text);
            assert_int_equal(buffer_len(&text), strlen(rows[i].shown));
            assert_memory_equal(text.at, rows[i].shown, buffer_len(&text));
            buffer_finish(&text);
        }
    }
}

static void
test_a_long_line_is_cut_and_a_new_channel_begins_anew(void **state)
{
    char longest[2 * SMTP_DIALOGUE_LINE_MAX];
    struct smtp_dialogue dialogue;
    struct buffer text;

    (void)state;
    memset(longest, 'x', sizeof(longest));
    memcpy(longest, "250 ", 4);
    longest[sizeof(longest) - 1] = '\n';
    buffer_init(&text, 1 << 16);
    smtp_dialogue_init(&dialogue, write_line, &text);
    smtp_dialogue_heard(&dialogue, slice_of((const uint8_t *)longest, sizeof(longest)));
    assert_int_equal(buffer_len(&text), 3 + SMTP_DIALOGUE_LINE_MAX + 1);
    buffer_clear(&text);
    smtp_dialogue_heard(&dialogue, SLICE("220 injected"));
    smtp_dialogue_secured(&dialogue);
    smtp_dialogue_heard(&dialogue, SLICE("250 good\r\n"));
    assert_int_equal(buffer_len(&text), strlen("S: 250 good\n"));
    /* A challenge of before is none any more: what follows is no secret. */
    smtp_dialogue_heard(&dialogue, SLICE("334 \r\n"));
    smtp_dialogue_secured(&dialogue);
    buffer_clear(&text);
    smtp_dialogue_said(&dialogue, SLICE("EHLO bar\r\n"));
    assert_int_equal(buffer_len(&text), strlen("C: EHLO bar\n"));
    smtp_dialogue_finish(&dialogue);
    buffer_finish(&text);
}

static void
test_lines_of_nothing_are_lines(void **state)
{
    struct smtp_dialogue dialogue;
    struct buffer text;

    (void)state;
    buffer_init(&text, 1 << 16);
    smtp_dialogue_init(&dialogue, write_line, &text);
    for (int i = 0; i < 2; i++) { /* with a buffer that has held something, too */
        smtp_dialogue_heard(&dialogue, SLICE("\n\r\n"));
        smtp_dialogue_heard(&dialogue, SLICE("x\n"));
    }
    smtp_dialogue_said(&dialogue, SLICE("\n\r\n"));
    buffer_put_byte(&text, 0);
    assert_string_equal((const char *)buffer_slice(&text).at,
                        "S: \nS: \nS: x\nS: \nS: \nS: x\nC: …\nC: …\n");
    smtp_dialogue_finish(&dialogue);
    buffer_finish(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_dialogue_is_shown_without_secrets_and_content),
        cmocka_unit_test(test_pieces_of_any_length_show_the_same),
        cmocka_unit_test(test_a_long_line_is_cut_and_a_new_channel_begins_anew),
        cmocka_unit_test(test_lines_of_nothing_are_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
