/* SPDX-License-Identifier: ISC */
#include "text/domain.h"
#include "text/tests/check.h"

static void
names_have_an_ascii_form(void **state)
{
    static const struct {
        const char *name, *ascii;
    } names[] = {
        {"Example.ORG", "example.org"},
        {"example.org.", "example.org"},
        {"bücher.example", "xn--bcher-kva.example"},
        {"BÜCHER.example", "xn--bcher-kva.example"},
        {"bu\u0308cher.example", "xn--bcher-kva.example"},
        {"xn--bcher-kva.example", "xn--bcher-kva.example"},
        {"XN--BCHER-KVA.example", "xn--bcher-kva.example"},
        {"faß.de", "xn--fa-hia.de"},
        {"例え。テスト", "xn--r8jz45g.xn--zckzah"},
        {"localhost", "localhost"},
        {"3com.com", "3com.com"},
    };
    struct buffer out;

    (void)state;
    buffer_init(&out, 300);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        buffer_clear(&out);
        assert_true(domain_to_ascii(slice_of_string(names[i].name), &out));
        assert_slice(buffer_slice(&out), slice_of_string(names[i].ascii));
    }
    buffer_finish(&out);
}

static void
what_is_no_domain_is_refused(void **state)
{
    static const struct slice bad[] = {
        SLICE(""), SLICE("."), SLICE(".org"), SLICE("a..b"), SLICE("-a.org"), SLICE("a-.org"),
        SLICE("a b.org"), SLICE("a_b.org"), SLICE("a.org.."), SLICE("[192.0.2.1]"),
        SLICE("\xC3\xA9\0.org"), SLICE("b\xFC" "cher.example"), SLICE("xn--\xC3\xA9.org"),
    };
    struct buffer out;

    (void)state;
    buffer_init(&out, 300);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (domain_to_ascii(bad[i], &out))
            fail_msg("accepted: %.*s", (int)bad[i].len, (const char *)bad[i].at);
        assert_int_equal(buffer_len(&out), 0);
    }
    buffer_finish(&out);
}

/* "xxx…x" of `len` octets, with dots so that no label is longer than 63, but the last as asked. */
static struct slice
long_name(uint8_t *space, size_t len)
{
    memset(space, 'x', len);
    for (size_t at = 63; at + 1 < len; at += 64)
        space[at] = '.';
    return slice_of(space, len);
}

static void
limits_of_name_and_label_are_exact(void **state)
{
    uint8_t space[300];

    (void)state;
    assert_true(domain_is_valid(long_name(space, 255)));
    assert_false(domain_is_valid(long_name(space, 257)));
    memset(space, 'x', sizeof(space));
    assert_true(domain_is_valid(slice_of(space, 63)));
    assert_false(domain_is_valid(slice_of(space, 64)));
}

static void
names_are_equal_in_any_form(void **state)
{
    (void)state;
    assert_true(domain_equal(SLICE("Example.org"), SLICE("EXAMPLE.ORG")));
    assert_true(domain_equal(SLICE("example.org."), SLICE("example.org")));
    assert_true(domain_equal(slice_of_string("bücher.example"), SLICE("xn--bcher-kva.EXAMPLE")));
    assert_false(domain_equal(slice_of_string("bücher.example"), SLICE("bucher.example")));
    assert_false(domain_equal(SLICE("example.org"), SLICE("example.com")));
    assert_true(domain_equal(SLICE("[192.0.2.1]"), SLICE("[192.0.2.1]")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_have_an_ascii_form),
        cmocka_unit_test(what_is_no_domain_is_refused),
        cmocka_unit_test(limits_of_name_and_label_are_exact),
        cmocka_unit_test(names_are_equal_in_any_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
