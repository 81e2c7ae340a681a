/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "envelope/parameter.h"

#include "base/buffer.h"

enum { ARENA_MAX = 1 << 20, ALL = 0x3FF };

struct row {
    const char *text;
    enum envelope_parameter_fault fault;
    const char *keyword; /* of a fault */
};

static const struct row mail_rows[] = {
    {"", ENVELOPE_PARAMETER_OK, ""},
    {"  ", ENVELOPE_PARAMETER_OK, ""},
    {" SIZE=0", ENVELOPE_PARAMETER_OK, ""},
    {" size=18446744073709551615", ENVELOPE_PARAMETER_OK, ""},
    {" SIZE=18446744073709551616", ENVELOPE_PARAMETER_VALUE, "SIZE"},
    {" SIZE=-1", ENVELOPE_PARAMETER_VALUE, "SIZE"},
    {" SIZE=", ENVELOPE_PARAMETER_SYNTAX, "SIZE="},
    {" SIZE", ENVELOPE_PARAMETER_VALUE, "SIZE"},
    {" SIZE=1 SIZE=1", ENVELOPE_PARAMETER_TWICE, "SIZE"},
    {"SIZE=1", ENVELOPE_PARAMETER_SYNTAX, "SIZE=1"},
    {" =1", ENVELOPE_PARAMETER_SYNTAX, "=1"},
    {" -A=1", ENVELOPE_PARAMETER_SYNTAX, "-A"},
    {" >", ENVELOPE_PARAMETER_SYNTAX, ">"},
    {" FROB=1", ENVELOPE_PARAMETER_UNKNOWN, "FROB"},
    {" NOTIFY=NEVER", ENVELOPE_PARAMETER_UNKNOWN, "NOTIFY"},
    {" BODY=8bitmime SMTPUTF8", ENVELOPE_PARAMETER_OK, ""},
    {" BODY=BINARYMIME", ENVELOPE_PARAMETER_OK, ""},
    {" BODY=9BIT", ENVELOPE_PARAMETER_VALUE, "BODY"},
    {" SMTPUTF8=1", ENVELOPE_PARAMETER_VALUE, "SMTPUTF8"},
    {" RET=FULL ENVID=QQ+2B314", ENVELOPE_PARAMETER_OK, ""},
    {" RET=SOME", ENVELOPE_PARAMETER_VALUE, "RET"},
    {" ENVID=a+0Ab", ENVELOPE_PARAMETER_VALUE, "ENVID"},
    {" ENVID=a+2", ENVELOPE_PARAMETER_VALUE, "ENVID"},
    {" AUTH=<>", ENVELOPE_PARAMETER_OK, ""},
    {" AUTH=e+3Dmc2@example.com", ENVELOPE_PARAMETER_OK, ""},
    {" AUTH=nobody", ENVELOPE_PARAMETER_VALUE, "AUTH"},
    {" REQUIRETLS", ENVELOPE_PARAMETER_OK, ""},
    {" MT-PRIORITY=-9", ENVELOPE_PARAMETER_OK, ""},
    {" MT-PRIORITY=9", ENVELOPE_PARAMETER_OK, ""},
    {" MT-PRIORITY=-0", ENVELOPE_PARAMETER_VALUE, "MT-PRIORITY"},
    {" MT-PRIORITY=10", ENVELOPE_PARAMETER_VALUE, "MT-PRIORITY"},
    {" BY=120;R", ENVELOPE_PARAMETER_OK, ""},
    {" BY=-120;NT", ENVELOPE_PARAMETER_OK, ""},
    {" BY=0;R", ENVELOPE_PARAMETER_VALUE, "BY"},
    {" BY=-1;R", ENVELOPE_PARAMETER_VALUE, "BY"},
    {" BY=1000000000;N", ENVELOPE_PARAMETER_VALUE, "BY"},
    {" BY=120", ENVELOPE_PARAMETER_VALUE, "BY"},
    {" HOLDFOR=86400", ENVELOPE_PARAMETER_OK, ""},
    {" HOLDFOR=1 HOLDUNTIL=2030-01-01T00:00:00Z", ENVELOPE_PARAMETER_VALUE, "HOLDUNTIL"},
    {" HOLDUNTIL=2030-01-01T00:00:00Z HOLDFOR=1", ENVELOPE_PARAMETER_VALUE, "HOLDFOR"},
    {" HOLDUNTIL=2030", ENVELOPE_PARAMETER_VALUE, "HOLDUNTIL"},
    {" HOLDUNTIL=2030-01-01T00:00:00Z", ENVELOPE_PARAMETER_OK, ""},
    {" HOLDUNTIL=2030-01-01T00:00:00+01:00", ENVELOPE_PARAMETER_VALUE, "HOLDUNTIL"},
    {" HOLDUNTIL=2030-02-30T00:00:00Z", ENVELOPE_PARAMETER_VALUE, "HOLDUNTIL"},
};

static const struct row rcpt_rows[] = {
    {" NOTIFY=NEVER", ENVELOPE_PARAMETER_OK, ""},
    {" notify=success,FAILURE,delay", ENVELOPE_PARAMETER_OK, ""},
    {" NOTIFY=NEVER,DELAY", ENVELOPE_PARAMETER_VALUE, "NOTIFY"},
    {" NOTIFY=DELAY,DELAY", ENVELOPE_PARAMETER_VALUE, "NOTIFY"},
    {" NOTIFY=DELAY,", ENVELOPE_PARAMETER_VALUE, "NOTIFY"},
    {" NOTIFY=", ENVELOPE_PARAMETER_SYNTAX, "NOTIFY="},
    {" ORCPT=rfc822;Bob+2Bx@example.com", ENVELOPE_PARAMETER_OK, ""},
    {" ORCPT=rfc822", ENVELOPE_PARAMETER_VALUE, "ORCPT"},
    {" ORCPT=rfc822;", ENVELOPE_PARAMETER_VALUE, "ORCPT"},
    {" ORCPT=;a@b", ENVELOPE_PARAMETER_VALUE, "ORCPT"},
    {" ORCPT=a2345678901234567890123456789012;a@b", ENVELOPE_PARAMETER_OK, ""},
    {" ORCPT=a23456789012345678901234567890123;a@b", ENVELOPE_PARAMETER_VALUE, "ORCPT"},
    {" ORCPT=rfc822;a+0D+0Ab", ENVELOPE_PARAMETER_VALUE, "ORCPT"},
    {" ORCPT=utf-8;ren\\x{E9}@example.com", ENVELOPE_PARAMETER_OK, ""},
    {" SIZE=1", ENVELOPE_PARAMETER_UNKNOWN, "SIZE"},
};

static void
assert_slice(struct slice found, const char *expected)
{
    if (!slice_equal(found, slice_of_string(expected)))
        fail_msg("expected \"%s\", found \"%.*s\"", expected, (int)found.len,
                 (const char *)found.at);
}

static void
check(const struct row *row, enum envelope_parameter_fault fault, struct slice keyword)
{
    if (fault != row->fault)
        fail_msg("%s: fault %d, expected %d", row->text, (int)fault, (int)row->fault);
    if (fault != ENVELOPE_PARAMETER_OK && fault != ENVELOPE_PARAMETER_SYNTAX)
        assert_slice(keyword, row->keyword);
}

static void
every_row_has_its_fault(void **state)
{
    struct envelope_mail_parameters mail;
    struct envelope_rcpt_parameters rcpt;
    struct slice keyword = SLICE("");
    struct arena arena;

    (void)state;
    arena_init(&arena, ARENA_MAX);
    for (size_t i = 0; i < COUNT_OF(mail_rows); i++)
        check(&mail_rows[i],
              envelope_mail_parameters_parse(slice_of_string(mail_rows[i].text), ALL, &arena, &mail,
                                             &keyword),
              keyword);
    for (size_t i = 0; i < COUNT_OF(rcpt_rows); i++)
        check(&rcpt_rows[i],
              envelope_rcpt_parameters_parse(slice_of_string(rcpt_rows[i].text), ALL, &arena, &rcpt,
                                             &keyword),
              keyword);
    arena_finish(&arena);
}

static void
values_arrive(void **state)
{
    struct envelope_mail_parameters mail;
    struct envelope_rcpt_parameters rcpt;
    struct slice keyword;
    struct arena arena;

    (void)state;
    arena_init(&arena, ARENA_MAX);
    assert_int_equal(envelope_mail_parameters_parse(
                         SLICE(" SIZE=1234 BODY=BINARYMIME SMTPUTF8 RET=HDRS ENVID=a+20b "
                               "AUTH=e+3Dmc2@EXAMPLE.com REQUIRETLS MT-PRIORITY=-3 BY=-5;NT "
                               "HOLDFOR=60"),
                         ALL, &arena, &mail, &keyword),
                     ENVELOPE_PARAMETER_OK);
    assert_int_equal(mail.size, 1234);
    assert_int_equal(mail.body, ENVELOPE_BODY_BINARYMIME);
    assert_int_equal(mail.ret, ENVELOPE_RET_HDRS);
    assert_slice(mail.envid, "a b");
    assert_slice(mail.auth, "e=mc2@example.com");
    assert_true(mail.is_utf8 && mail.requires_tls && mail.has_auth && mail.has_deliver_by);
    assert_int_equal(mail.priority, -3);
    assert_int_equal(mail.deliver_by_s, -5);
    assert_true(mail.deliver_by_traces && !mail.deliver_by_returns);
    assert_int_equal(mail.hold_for_s, 60);
    assert_int_equal(envelope_rcpt_parameters_parse(
                         SLICE(" NOTIFY=SUCCESS,DELAY ORCPT=UTF-8;ren\\x{E9}@example.com"), ALL,
                         &arena, &rcpt, &keyword),
                     ENVELOPE_PARAMETER_OK);
    assert_int_equal(rcpt.notify, ENVELOPE_NOTIFY_SUCCESS | ENVELOPE_NOTIFY_DELAY);
    assert_slice(rcpt.orcpt_type, "utf-8");
    assert_slice(rcpt.orcpt, "ren\xC3\xA9@example.com");
    arena_finish(&arena);
}

static void
what_is_not_offered_is_unknown(void **state)
{
    static const struct {
        const char *text;
        unsigned extension;
    } rows[] = {
        {" SIZE=1", ENVELOPE_SIZE},
        {" BODY=8BITMIME", ENVELOPE_8BITMIME},
        {" SMTPUTF8", ENVELOPE_SMTPUTF8},
        {" RET=FULL", ENVELOPE_DSN},
        {" AUTH=<>", ENVELOPE_AUTH},
        {" REQUIRETLS", ENVELOPE_REQUIRETLS},
        {" MT-PRIORITY=1", ENVELOPE_MT_PRIORITY},
        {" BY=1;N", ENVELOPE_DELIVERBY},
        {" HOLDFOR=1", ENVELOPE_FUTURERELEASE},
    };
    struct envelope_mail_parameters mail;
    struct slice keyword;
    struct arena arena;

    (void)state;
    arena_init(&arena, ARENA_MAX);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice text = slice_of_string(rows[i].text);
        assert_int_equal(
            envelope_mail_parameters_parse(text, ALL & ~rows[i].extension, &arena, &mail, &keyword),
            ENVELOPE_PARAMETER_UNKNOWN);
        assert_int_equal(
            envelope_mail_parameters_parse(text, rows[i].extension, &arena, &mail, &keyword),
            ENVELOPE_PARAMETER_OK);
    }
    assert_int_equal(envelope_mail_parameters_parse(SLICE(" BODY=BINARYMIME"), ENVELOPE_8BITMIME,
                                                    &arena, &mail, &keyword),
                     ENVELOPE_PARAMETER_VALUE);
    arena_finish(&arena);
}

/* "NAME=" and so many octets that the value is `len` long. */
static enum envelope_parameter_fault
parse_long(const char *name, const char *start, size_t len, bool is_mail)
{
    struct envelope_mail_parameters mail;
    struct envelope_rcpt_parameters rcpt;
    enum envelope_parameter_fault fault;
    struct slice keyword;
    struct buffer text;
    struct arena arena;

    arena_init(&arena, ARENA_MAX);
    buffer_init(&text, 2000);
    buffer_put_text(&text, name);
    buffer_put_text(&text, start);
    for (size_t i = strlen(start); i < len; i++)
        buffer_put_byte(&text, 'x');
    fault = is_mail
                ? envelope_mail_parameters_parse(buffer_slice(&text), ALL, &arena, &mail, &keyword)
                : envelope_rcpt_parameters_parse(buffer_slice(&text), ALL, &arena, &rcpt, &keyword);
    buffer_finish(&text);
    arena_finish(&arena);
    return fault;
}

static void
lengths_hold_at_their_limit_and_not_beyond(void **state)
{
    (void)state;
    assert_int_equal(parse_long(" ENVID=", "", ENVELOPE_ENVID_MAX, true), ENVELOPE_PARAMETER_OK);
    assert_int_equal(parse_long(" ENVID=", "", ENVELOPE_ENVID_MAX + 1, true),
                     ENVELOPE_PARAMETER_VALUE);
    assert_int_equal(parse_long(" ORCPT=", "rfc822;", ENVELOPE_ORCPT_MAX, false),
                     ENVELOPE_PARAMETER_OK);
    assert_int_equal(parse_long(" ORCPT=", "rfc822;", ENVELOPE_ORCPT_MAX + 1, false),
                     ENVELOPE_PARAMETER_VALUE);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_row_has_its_fault),
    cmocka_unit_test(values_arrive),
    cmocka_unit_test(what_is_not_offered_is_unknown),
    cmocka_unit_test(lengths_hold_at_their_limit_and_not_beyond),
};

int
main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
