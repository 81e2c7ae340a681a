/* SPDX-License-Identifier: ISC */
#include "http/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
expect(const char *text, const char *host, uint16_t port, const char *authority, const char *path)
{
    struct http_url url;

    assert_true(http_url_parse(slice_of_string(text), &url));
    assert_true(slice_equal(url.host, slice_of_string(host)));
    assert_true(slice_equal(url.authority, slice_of_string(authority)));
    assert_true(slice_equal(url.path, slice_of_string(path)));
    assert_int_equal(url.port, port);
}

static void
a_url_has_host_port_and_path(void **state)
{
    (void)state;
    expect("https://id.example.org/oauth/introspect?x=y", "id.example.org", 443, "id.example.org",
           "/oauth/introspect?x=y");
    expect("HTTPS://id.example.org", "id.example.org", 443, "id.example.org", "/");
    expect("https://192.0.2.1:8443/", "192.0.2.1", 8443, "192.0.2.1:8443", "/");
    expect("https://[2001:db8::1]:65535/x", "2001:db8::1", 65535, "[2001:db8::1]:65535", "/x");
}

static void
whatever_else_is_none(void **state)
{
    static const char *const texts[] = {
        "",
        "id.example.org",
        "http://id.example.org/",
        "https://",
        "https:///x",
        "https://[]/x",
        "https://[::1/x",
        "https://a.test:/x",
        "https://a.test:0/x",
        "https://a.test:65536/x",
        "https://a.test:443x",
        "https://user@a.test/",
        "https://user:secret@a.test/",
        "https://a.test/x#y",
        "https://a.test/x y",
        "https://a.test/x\r\nEvil: 1",
        "https://a.test/\x7f",
        "https://a.test/\xC3\xA9",
        "https://a_b.test/",
    };
    static char text[HTTP_URL_MAX + 2] = "https://a.test/";
    struct http_url url;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        assert_false(http_url_parse(slice_of_string(texts[i]), &url));
    memset(text + strlen(text), 'x', HTTP_URL_MAX - strlen(text));
    assert_true(http_url_parse(slice_of_string(text), &url));
    text[HTTP_URL_MAX] = 'x';
    assert_false(http_url_parse(slice_of_string(text), &url));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_has_host_port_and_path),
        cmocka_unit_test(whatever_else_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
