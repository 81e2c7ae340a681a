/* SPDX-License-Identifier: ISC */
/* Codes of responses, as the client reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "imap/client.h"

static void
the_uid_of_what_was_appended_is_read(void **state)
{
    uint32_t uid_validity = 0, uid = 0;

    (void)state;
    assert_true(imap_client_parse_append_uid(SLICE("APPENDUID 38505 3955"), &uid_validity, &uid));
    assert_int_equal(uid_validity, 38505);
    assert_int_equal(uid, 3955);
    assert_true(imap_client_parse_append_uid(SLICE("appenduid 1 4294967295"), &uid_validity, &uid));
    assert_int_equal(uid, UINT32_MAX);
}

static void
other_codes_tell_no_uid(void **state)
{
    static const char *const codes[] = {
        "",
        "APPENDUID",
        "APPENDUID 1",
        "APPENDUID 0 1",
        "APPENDUID 1 0",
        "APPENDUID 1 2:3",
        "APPENDUID 1 4294967296",
        "COPYUID 1 2 3",
        "APPENDUIDS 1 2",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        uint32_t uid_validity = 7, uid = 8;
        assert_false(imap_client_parse_append_uid(slice_of_string(codes[i]), &uid_validity, &uid));
        assert_int_equal(uid_validity, 7);
        assert_int_equal(uid, 8);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_uid_of_what_was_appended_is_read),
        cmocka_unit_test(other_codes_tell_no_uid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
