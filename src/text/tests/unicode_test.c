/* SPDX-License-Identifier: ISC */
#include "text/unicode.h"
#include "text/tests/check.h"

static void
keys_of_equal_texts_are_equal(void **state)
{
    static const struct {
        const char *left, *right;
        bool is_equal;
    } pairs[] = {
        {"Hello", "hELLO", true},
        {"STRASSE", "straße", true},
        {"GÉRARD", "gérard", true},
        {"ge\u0301rard", "gérard", true},
        {"ﬁn", "FIN", true},
        {"Ⅷ", "viii", true},
        {"ΣΊΣΥΦΟΣ", "σίσυφος", true},
        {"ｆｕｌｌ", "full", true},
        {"gérard", "gerard", false},
        {"a", "ab", false},
        {"", "", true},
        {"é", "e", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        struct buffer left, right;
        buffer_init(&left, 100);
        buffer_init(&right, 100);
        unicode_put_search_key(&left, slice_of_string(pairs[i].left));
        unicode_put_search_key(&right, slice_of_string(pairs[i].right));
        assert_int_equal(slice_equal(buffer_slice(&left), buffer_slice(&right)),
                         pairs[i].is_equal);
        buffer_finish(&left);
        buffer_finish(&right);
    }
}

static void
plain_keys_have_no_accents(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out, 100);
    unicode_put_plain_key(&out, slice_of_string("Élève ÅNGSTRÖM ABC"));
    assert_slice(buffer_slice(&out), SLICE("eleve angstrom abc"));
    buffer_finish(&out);
}

static void
names_are_composed(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out, 100);
    unicode_put_nfc(&out, slice_of_string("e\u0301 \u212B plain"));
    assert_slice(buffer_slice(&out), slice_of_string("é Å plain"));
    buffer_finish(&out);
}

static void
what_is_not_utf8_is_repaired(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out, 100);
    unicode_put_search_key(&out, SLICE("A\xE9Z"));
    assert_slice(buffer_slice(&out), slice_of_string("a\uFFFDz"));
    buffer_clear(&out);
    unicode_put_nfc(&out, SLICE("\xFF\xFE"));
    assert_slice(buffer_slice(&out), slice_of_string("\uFFFD\uFFFD"));
    buffer_finish(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_equal_texts_are_equal),
        cmocka_unit_test(plain_keys_have_no_accents),
        cmocka_unit_test(names_are_composed),
        cmocka_unit_test(what_is_not_utf8_is_repaired),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
