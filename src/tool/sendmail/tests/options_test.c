/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tool/sendmail/options.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

enum { WORDS_MAX = 16, LINE_SIZE = 256 };

/* Words between blanks. */
static int
read_line(const char *line, char *storage, char **words, struct sendmail_options *options)
{
    int count = 0;

    snprintf(storage, LINE_SIZE, "%s", line);
    for (char *word; (word = strsep(&storage, " "));) {
        assert_true(count < WORDS_MAX);
        words[count++] = word;
    }
    return sendmail_options_read(count, words, options);
}

static void
lines_that_programs_write(void **state)
{
    static const struct {
        const char *line;
        enum sendmail_mode mode;
        const char *sender;
        bool from_header, dots_are_text;
        size_t recipients;
    } cases[] = {
        {"/usr/sbin/sendmail -t -i", SENDMAIL_SEND, NULL, true, true, 0},
        {"sendmail -ti", SENDMAIL_SEND, NULL, true, true, 0},
        {"sendmail -FCronDaemon -i -B8BITMIME -oem root", SENDMAIL_SEND, NULL, false, true, 1},
        {"sendmail -oi -oem -oit a@b.test", SENDMAIL_SEND, NULL, false, true, 1},
        {"sendmail -f a@b.test -- -odd@c.test d@e.test", SENDMAIL_SEND, "a@b.test", false, false,
         2},
        {"sendmail -fa@b.test -ti", SENDMAIL_SEND, "a@b.test", true, true, 0},
        {"sendmail -r a@b.test x", SENDMAIL_SEND, "a@b.test", false, false, 1},
        {"sendmail -bs", SENDMAIL_SESSION, NULL, false, false, 0},
        {"sendmail -bp", SENDMAIL_QUEUE, NULL, false, false, 0},
        {"sendmail -q15m", SENDMAIL_RETRY, NULL, false, false, 0},
        {"sendmail -q", SENDMAIL_RETRY, NULL, false, false, 0},
        {"/usr/bin/mailq", SENDMAIL_QUEUE, NULL, false, false, 0},
        {"newaliases", SENDMAIL_ALIASES, NULL, false, false, 0},
        {"sendmail -bi", SENDMAIL_ALIASES, NULL, false, false, 0},
        {"mailq --help", SENDMAIL_HELP, NULL, false, false, 0},
        {"sendmail -t --help", SENDMAIL_HELP, NULL, true, false, 0},
        {"sendmail -- --help", SENDMAIL_SEND, NULL, false, false, 1},
        {"sendmail -d0.1 -O DeliveryMode=b -X /dev/null -h 10 -p ESMTP:x -L tag a b c",
         SENDMAIL_SEND, NULL, false, false, 3},
    };
    char storage[LINE_SIZE], *words[WORDS_MAX];
    struct sendmail_options options;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (read_line(cases[i].line, storage, words, &options) != EX_OK)
            fail_msg("%s", cases[i].line);
        assert_int_equal(options.mode, cases[i].mode);
        assert_int_equal(options.from_header, cases[i].from_header);
        assert_int_equal(options.dots_are_text, cases[i].dots_are_text);
        if (options.recipient_count != cases[i].recipients)
            fail_msg("%s: %zu recipients", cases[i].line, options.recipient_count);
        if (cases[i].sender)
            assert_string_equal(options.sender, cases[i].sender);
        else
            assert_null(options.sender);
    }
}

static void
lines_that_are_wrong(void **state)
{
    static const char *const lines[] = {"sendmail -f", "sendmail -z a@b.test", "sendmail -bd",
                                        "sendmail -bq", "sendmail -b",
                                        "sendmail --halp"};
    char storage[LINE_SIZE], *words[WORDS_MAX];
    struct sendmail_options options;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        assert_int_equal(read_line(lines[i], storage, words, &options), EX_USAGE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_that_programs_write),
        cmocka_unit_test(lines_that_are_wrong),
    };

    return cmocka_run_group_tests_name("tool/sendmail/options", tests, NULL, NULL);
}
