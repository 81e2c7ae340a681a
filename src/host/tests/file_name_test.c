/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/file_name.h"

static void
a_name_leads_down_and_nowhere_else(void **state)
{
    (void)state;
    assert_true(file_name_is_legal("a"));
    assert_true(file_name_is_legal("..."));
    assert_true(file_name_is_legal(".hidden"));
    assert_false(file_name_is_legal(""));
    assert_false(file_name_is_legal("."));
    assert_false(file_name_is_legal(".."));
    assert_false(file_name_is_legal("a/b"));
    assert_false(file_name_is_legal("/"));
}

static void
a_name_is_as_long_as_file_systems_have_them(void **state)
{
    char name[FILE_NAME_BYTES_MAX + 2] = {0};

    (void)state;
    memset(name, 'x', FILE_NAME_BYTES_MAX);
    assert_true(file_name_is_legal(name));
    name[FILE_NAME_BYTES_MAX] = 'x';
    assert_false(file_name_is_legal(name));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_leads_down_and_nowhere_else),
        cmocka_unit_test(a_name_is_as_long_as_file_systems_have_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
