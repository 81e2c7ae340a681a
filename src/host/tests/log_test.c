/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/linux/linux.h"
#include "host/log.h"

#include <unistd.h>

/* Builds a line with `put` and returns what reached descriptor 2, without time and line end. */
static struct slice
logged(const struct host_log_settings *settings, void (*put)(struct host *), char *ret_text)
{
    struct host *host;
    int ends[2];
    int saved = dup(STDERR_FILENO);

    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    assert_int_equal(host_linux_open(&host), 0);
    host_log_configure(host, settings);
    put(host);
    host_linux_close(&host);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    close(ends[1]);
    ssize_t len = read(ends[0], ret_text, LOG_LINE_MAX + 100);
    close(ends[0]);
    close(saved);
    if (len <= 0)
        return SLICE("");
    struct slice line = slice_of(ret_text, (size_t)len);
    assert_int_equal(line.at[line.len - 1], '\n');
    return slice_skip(slice_trim(line), sizeof("2026-11-21T03:55:00.123Z ") - 1);
}

static void
put_hostile(struct host *host)
{
    struct log_line line;

    log_begin(&line, host, HOST_LEVEL_INFO, "seen");
    log_text(&line, "plain", SLICE("k3J9x"));
    log_text(&line, "empty", SLICE(""));
    log_text(&line, "lines", SLICE("a\r\nevent=forged id=1"));
    log_text(&line, "quotes", SLICE("say \"hi\"\\"));
    log_text(&line, "bytes", SLICE("\x00\x1b[2J\xff"));
    log_text(&line, "utf8", SLICE("andr\xc3\xa9"));
    log_text(&line, "c1", SLICE("\xc2\x9b"));
    log_number(&line, "bytes_n", 4096);
    log_duration(&line, "took_ms", (struct duration){1234567});
    log_error(&line, "error", -28);
    log_end(&line);
}

static void
what_is_hostile_cannot_leave_its_value(void **state)
{
    char text[LOG_LINE_MAX + 100];
    const struct host_log_settings settings = {.level_max = HOST_LEVEL_INFO,
                                               .process = "smtp/0"};

    (void)state;
    struct slice line = logged(&settings, put_hostile, text);
    struct slice expected = SLICE(
        "level=info process=smtp/0 event=seen plain=k3J9x empty=\"\" "
        "lines=\"a\\r\\nevent=forged id=1\" quotes=\"say \\\"hi\\\"\\\\\" "
        "bytes=\"\\x00\\x1b[2J\\xff\" utf8=andr\xc3\xa9 c1=\"\\xc2\\x9b\" bytes_n=4096 "
        "took_ms=1.234 error=\"No space left on device\"");
    assert_int_equal(line.len, expected.len);
    assert_memory_equal(line.at, expected.at, expected.len);
}

static void
put_long(struct host *host)
{
    struct log_line line;
    char value[LOG_VALUE_MAX + 1];

    memset(value, 'v', sizeof(value));
    log_begin(&line, host, HOST_LEVEL_INFO, "long");
    for (int i = 0; i < 10; i++)
        log_text(&line, "value", slice_of(value, sizeof(value) - (i == 0)));
    log_end(&line);
}

static void
a_line_has_a_longest_form_and_says_so(void **state)
{
    char text[LOG_LINE_MAX + 100];

    (void)state;
    struct slice line =
        logged(&(struct host_log_settings){.level_max = HOST_LEVEL_INFO}, put_long, text);
    assert_true(line.len <= LOG_LINE_MAX);
    assert_true(slice_ends_with(line, SLICE(" cut=1")));
    assert_true(slice_find(line, SLICE("v…\"")) < line.len);
}

static void
put_addresses(struct host *host)
{
    struct log_line line;
    struct host_address four = {.family = HOST_FAMILY_IPV4, .bytes = {192, 0, 2, 7}};
    struct host_address six = {.family = HOST_FAMILY_IPV6, .bytes = {0x20, 1, 0xd, 0xb8, [15] = 9}};

    log_begin(&line, host, HOST_LEVEL_INFO, "seen");
    log_address(&line, "from", SLICE("alice@example.test"));
    log_address(&line, "to", SLICE("alice@example.test"));
    log_address(&line, "null", SLICE(""));
    log_peer(&line, "four", &four);
    log_peer(&line, "six", &six);
    log_end(&line);
}

static void
addresses_are_masked_alike_where_asked_for(void **state)
{
    char text[LOG_LINE_MAX + 100];
    const struct host_log_settings settings = {
        .level_max = HOST_LEVEL_INFO, .mask_addresses = true, .mask_peers = true, .mask_seed = 1};

    (void)state;
    struct slice line = logged(&settings, put_addresses, text);
    assert_int_equal(slice_find(line, SLICE("alice")), line.len);
    size_t from = slice_find(line, SLICE("from=")) + 5;
    size_t to = slice_find(line, SLICE("to=")) + 3;
    assert_int_equal(line.at[from], '~');
    assert_memory_equal(line.at + from, line.at + to, sizeof("~01234567@example.test ") - 1);
    assert_true(slice_ends_with(line, SLICE("null=\"\" four=192.0.2.0 six=2001:db8::")));
}

static void
put_debug(struct host *host)
{
    log_event(host, HOST_LEVEL_DEBUG, "noise", "key", SLICE("value"));
}

static void
a_level_that_is_off_is_silent(void **state)
{
    char text[LOG_LINE_MAX + 100];

    (void)state;
    assert_int_equal(
        logged(&(struct host_log_settings){.level_max = HOST_LEVEL_INFO}, put_debug, text).len, 0);
    assert_int_not_equal(
        logged(&(struct host_log_settings){.level_max = HOST_LEVEL_DEBUG}, put_debug, text).len, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_hostile_cannot_leave_its_value),
        cmocka_unit_test(a_line_has_a_longest_form_and_says_so),
        cmocka_unit_test(addresses_are_masked_alike_where_asked_for),
        cmocka_unit_test(a_level_that_is_off_is_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
