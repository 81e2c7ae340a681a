/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "delivery/program.h"

#include <string.h>
#include <sysexits.h>

enum { ARENA_MAX = 1 << 20 };

static struct program_facts
fax(void)
{
    return (struct program_facts){
        .sender = SLICE("fred@truc.test"),
        .recipient = SLICE("fax+33@office.test"),
        .local = SLICE("fax"),
        .detail = SLICE("33"),
        .domain = SLICE("office.test"),
        .queue_id = SLICE("Q1"),
        .size = 1234,
    };
}

static void
a_program_has_a_name_a_user_and_words(void **state)
{
    struct program program;
    struct arena arena;
    (void)state;

    arena_init(&arena, ARENA_MAX);
    assert_null(program_parse(SLICE("fax uucp /usr/bin/fax 'two words' \"a \\\" b\" c\\ d \"\""),
                              &arena, &program));
    assert_true(slice_equal(program.name, SLICE("fax")));
    assert_true(slice_equal(program.user, SLICE("uucp")));
    assert_int_equal(program.count, 5);
    assert_true(slice_equal(program.words[0], SLICE("/usr/bin/fax")));
    assert_true(slice_equal(program.words[1], SLICE("two words")));
    assert_true(slice_equal(program.words[2], SLICE("a \" b")));
    assert_true(slice_equal(program.words[3], SLICE("c d")));
    assert_true(slice_equal(program.words[4], SLICE("")));
    arena_finish(&arena);
}

static void
what_is_no_program_is_refused(void **state)
{
    static const char *const lines[] = {"",           "fax",        "fax uucp",
                                        "fax uucp x", "fax uucp /", "f/x uucp /bin/true",
                                        "a b '/x",    "a b /x \"c", "a u;u /bin/true"};
    struct program program;
    struct arena arena;
    struct buffer many;
    (void)state;

    arena_init(&arena, ARENA_MAX);
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        assert_non_null(program_parse(slice_of_string(lines[i]), &arena, &program));
    assert_non_null(program_parse(SLICE("a b /x \0 c"), &arena, &program));
    buffer_init(&many, PROGRAM_COMMAND_MAX);
    buffer_put_text(&many, "a b /x");
    for (int i = 0; i < PROGRAM_WORDS_MAX - 1; i++)
        buffer_put_text(&many, " y");
    assert_null(program_parse(buffer_slice(&many), &arena, &program));
    buffer_put_text(&many, " y");
    assert_non_null(program_parse(buffer_slice(&many), &arena, &program));
    buffer_finish(&many);
    arena_finish(&arena);
}

static void
a_command_is_no_line_of_shell(void **state)
{
    static const char *const lines[] = {"/bin/a; /bin/b",
                                        "/bin/a | b",
                                        "/bin/a > f",
                                        "/bin/a $(b)",
                                        "/bin/a `b`",
                                        "exec /bin/a",
                                        "/bin/a && true",
                                        "/bin/a \"$HOME\"",
                                        "~/a",
                                        "/bin/a *",
                                        "IFS=' ' && exec /usr/bin/procmail || exit 75 #fred"};
    struct program program;
    struct arena arena;
    (void)state;

    arena_init(&arena, ARENA_MAX);
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        assert_non_null(program_parse_command(slice_of_string(lines[i]), &arena, &program));
    assert_null(program_parse_command(SLICE("/bin/a 'it > that' b"), &arena, &program));
    assert_int_equal(program.count, 3);
    assert_true(slice_equal(program.words[1], SLICE("it > that")));
    arena_finish(&arena);
}

static const char *
expanded(const char *words, const struct program_facts *about, struct arena *arena,
         const char *const **ret_arguments)
{
    struct program program;
    char line[PROGRAM_COMMAND_MAX];

    snprintf(line, sizeof(line), "x user /bin/$sender %s", words);
    assert_null(program_parse(slice_of_string(line), arena, &program));
    return program_expand(&program, about, arena, ret_arguments);
}

static void
placeholders_are_put_into_their_word(void **state)
{
    struct program_facts facts = fax();
    const char *const *arguments;
    struct arena arena;
    (void)state;

    arena_init(&arena, ARENA_MAX);
    assert_null(expanded("$sender <${recipient}> $local/$detail.$domain $queue_id $size $$x $x "
                         "${y $",
                         &facts, &arena, &arguments));
    assert_string_equal(arguments[0], "/bin/$sender");
    assert_string_equal(arguments[1], "fred@truc.test");
    assert_string_equal(arguments[2], "<fax+33@office.test>");
    assert_string_equal(arguments[3], "fax/33.office.test");
    assert_string_equal(arguments[4], "Q1");
    assert_string_equal(arguments[5], "1234");
    assert_string_equal(arguments[6], "$x");
    assert_string_equal(arguments[7], "$x");
    assert_string_equal(arguments[8], "${y");
    assert_string_equal(arguments[9], "$");
    assert_null(arguments[10]);
    arena_finish(&arena);
}

static void
an_address_stays_one_argument_and_no_option(void **state)
{
    struct program_facts hostile = fax();
    const char *const *arguments;
    struct arena arena;
    (void)state;

    arena_init(&arena, ARENA_MAX);
    hostile.sender = SLICE("\"a b; $recipient\"@x");
    assert_null(expanded("$sender", &hostile, &arena, &arguments));
    assert_string_equal(arguments[1], "\"a b; $recipient\"@x");
    assert_null(arguments[2]);
    hostile.sender = SLICE("-oQ/tmp@x");
    assert_non_null(expanded("$sender", &hostile, &arena, &arguments));
    assert_null(expanded("-f$sender --from=$sender <$sender", &hostile, &arena, &arguments));
    hostile.sender = SLICE("");
    assert_null(expanded("$sender", &hostile, &arena, &arguments));
    assert_string_equal(arguments[1], "");
    hostile.sender = SLICE("a\0b");
    assert_non_null(expanded("$sender", &hostile, &arena, &arguments));
    arena_finish(&arena);
}

static void
variables_hold_nothing_that_a_shell_takes_apart(void **state)
{
    struct program_facts hostile = fax();
    struct arena arena;
    (void)state;

    arena_init(&arena, ARENA_MAX);
    hostile.sender = SLICE("() { :; }; `id`\n$x@y-z_1");
    const char *const *variables = program_variables(&hostile, &arena);
    assert_string_equal(variables[0], "SENDER=_____:______id___x@y-z_1");
    assert_string_equal(variables[1], "RECIPIENT=fax+33@office.test");
    assert_string_equal(variables[5], "QUEUE_ID=Q1");
    assert_null(variables[6]);
    arena_finish(&arena);
}

static void
the_message_has_unix_lines(void **state)
{
    struct program_facts facts = fax(), hostile = facts;
    struct buffer out;
    (void)state;

    buffer_init(&out, 4096);
    program_put_message(&out, false, (struct wall){0}, &facts,
                        SLICE("Subject: a\r\n\r\nFrom b\r\nno end"));
    assert_true(
        slice_equal(buffer_slice(&out), SLICE("Return-Path: <fred@truc.test>\nDelivered-To: "
                                              "fax+33@office.test\nSubject: a\n\nFrom b\nno end")));
    buffer_clear(&out);
    hostile.sender = SLICE("a\nX: b");
    program_put_message(&out, true, (struct wall){0}, &hostile, SLICE(""));
    assert_true(slice_equal(buffer_slice(&out),
                            SLICE("From a_X:_b Thu Jan  1 00:00:00 1970\nReturn-Path: <a_X: b>\n"
                                  "Delivered-To: fax+33@office.test\n")));
    buffer_finish(&out);
}

static void
judged(int status, const char *output, enum program_outcome outcome, const char *code,
       const char *text)
{
    struct program_verdict verdict;
    struct buffer written;

    program_judge(status, slice_of_string(output), &verdict);
    buffer_init(&written, 32);
    envelope_status_put(&written, verdict.status);
    assert_int_equal(verdict.outcome, outcome);
    assert_true(slice_equal(buffer_slice(&written), slice_of_string(code)));
    assert_true(slice_equal(slice_of(verdict.text, verdict.text_len), slice_of_string(text)));
    buffer_finish(&written);
}

static void
its_end_is_judged(void **state)
{
    char long_line[1000];
    struct program_verdict verdict;
    (void)state;

    judged(0, "", PROGRAM_DELIVERED, "2.0.0", "the program has taken it");
    judged(0, "5.1.1 no\n", PROGRAM_DELIVERED, "2.0.0", "the program has taken it: 5.1.1 no");
    judged(EX_NOUSER, "", PROGRAM_PERMANENT, "5.1.1", "the program knows no such recipient");
    judged(EX_TEMPFAIL, "\n \nbusy\x07\nmore\n", PROGRAM_TEMPORARY, "4.3.0",
           "the program asks to try again later: busy?");
    judged(EX_TEMPFAIL, "5.7.1 spam", PROGRAM_PERMANENT, "5.7.1",
           "the program asks to try again later: spam");
    judged(EX_NOPERM, "4.7.1", PROGRAM_TEMPORARY, "4.7.1", "the program does not permit it");
    judged(EX_NOPERM, "2.0.0 well", PROGRAM_PERMANENT, "5.7.0",
           "the program does not permit it: 2.0.0 well");
    judged(EX_NOPERM, "5.1.1x", PROGRAM_PERMANENT, "5.7.0",
           "the program does not permit it: 5.1.1x");
    judged(1, "", PROGRAM_PERMANENT, "5.3.0", "the program ended with code 1");
    judged(-9, "5.1.1", PROGRAM_TEMPORARY, "4.3.0", "the program was ended by signal 9: 5.1.1");
    memset(long_line, 'x', sizeof(long_line));
    program_judge(1, slice_of(long_line, sizeof(long_line)), &verdict);
    assert_int_equal(verdict.text_len, PROGRAM_TEXT_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_has_a_name_a_user_and_words),
        cmocka_unit_test(what_is_no_program_is_refused),
        cmocka_unit_test(a_command_is_no_line_of_shell),
        cmocka_unit_test(placeholders_are_put_into_their_word),
        cmocka_unit_test(an_address_stays_one_argument_and_no_option),
        cmocka_unit_test(variables_hold_nothing_that_a_shell_takes_apart),
        cmocka_unit_test(the_message_has_unix_lines),
        cmocka_unit_test(its_end_is_judged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
