/* SPDX-License-Identifier: ISC */
#include "sasl/tests/test.h"

#include "sasl/mechanism.h"

static void
every_name_is_found_again_in_any_case(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SASL_MECHANISMS; i++) {
        struct slice name = sasl_mechanism_name((enum sasl_mechanism)i);
        uint8_t lower[32];
        enum sasl_mechanism found;
        for (size_t n = 0; n < name.len; n++)
            lower[n] = byte_to_lower(name.at[n]);
        assert_true(sasl_mechanism_parse(slice_of(lower, name.len), &found));
        assert_int_equal(found, i);
        assert_int_equal(sasl_mechanism_is_bound(found), slice_ends_with(name, SLICE("-PLUS")));
    }
}

static void
other_names_are_refused(void **state)
{
    static const char *const names[] = {"", "PLAI", "PLAINX", "CRAM-MD5", "SCRAM-SHA-256-PLU"};
    enum sasl_mechanism found = SASL_LOGIN;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_false(sasl_mechanism_parse(slice_of_string(names[i]), &found));
    assert_int_equal(found, SASL_LOGIN);
}

static void
some_are_for_encrypted_connections_only(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SASL_MECHANISMS; i++)
        assert_int_equal(sasl_mechanism_is_plaintext((enum sasl_mechanism)i),
                         i == SASL_PLAIN || i == SASL_LOGIN || i == SASL_EXTERNAL ||
                             sasl_mechanism_is_bearer((enum sasl_mechanism)i));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_is_found_again_in_any_case),
        cmocka_unit_test(other_names_are_refused),
        cmocka_unit_test(some_are_for_encrypted_connections_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
