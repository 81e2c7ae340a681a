/* SPDX-License-Identifier: ISC */
#include "http/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Split at every position; what comes of it must not depend on that. */
static void
expect(const char *answer, const char *body, const char *problem)
{
    struct slice input = slice_of_string(answer);

    for (size_t split = 0; split <= input.len; split++) {
        struct http http;
        http_init(&http, &(struct http_request){.host = SLICE("a.test"), .path = SLICE("/x")});
        (void)!http_feed(&http, slice_first(input, split));
        (void)!http_feed(&http, slice_skip(input, split));
        http_end(&http, true);
        assert_int_equal(http.state, body ? HTTP_DONE : HTTP_FAILED);
        if (body)
            assert_true(slice_equal(buffer_slice(&http.body), slice_of_string(body)));
        else
            assert_string_equal(http.problem, problem);
        http_finish(&http);
    }
}

static void
a_text_is_counted_chunked_or_ends_with_the_connection(void **state)
{
    (void)state;
    expect("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, and more", "hello", NULL);
    expect("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", NULL);
    expect("HTTP/1.0 200 OK\nServer: x\n\nto the end", "to the end", NULL);
    expect(
        "HTTP/1.1 200\r\nTransfer-Encoding: Chunked\r\n\r\n5;x=y\r\nhello\r\nA \r\n, 12345678\r\n"
        "0\r\nTrailer: x\r\n\r\nmore",
        "hello, 12345678", NULL);
    expect("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\nyes", "yes", NULL);
    expect("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", "ok", NULL);
}

static void
whatever_else_comes_is_no_answer(void **state)
{
    static const char not_http[] = "the answer is not HTTP", cut[] = "the answer is cut short";
    (void)state;

    expect("HTTP/1.1 301 Moved\r\nLocation: x\r\n\r\n", NULL, "the answer is not 200");
    expect("HTTP/1.1 20x\r\n\r\n", NULL, not_http);
    expect("HTTP/2 200\r\n\r\n", NULL, not_http);
    expect("HTTP/1.1\r\n\r\n", NULL, not_http);
    expect("SSH-2.0-x\r\n", NULL, not_http);
    expect("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", NULL, not_http);
    expect("HTTP/1.1 200 OK\r\n: x\r\n\r\n", NULL, not_http);
    expect("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", NULL, "the answer is encoded");
    expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", NULL,
           "the answer is encoded");
    expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", NULL,
           "the answer has two lengths");
    expect("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", NULL, "the answer has no sound length");
    expect("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", NULL,
           "the answer has no sound length");
    expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", NULL, not_http);
    expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", NULL, not_http);
    expect("", NULL, cut);
    expect("HTTP/1.1 200 OK\r\n", NULL, cut);
    expect("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", NULL, cut);
    expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n", NULL, cut);
}

static void
a_text_without_length_ends_when_its_server_says_so(void **state)
{
    static const char head[] = "HTTP/1.1 200 OK\r\n";
    static const char *const ways[] = {"Content-Length: 2\r\n\r\nok",
                                       "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
                                       "\r\nok"};
    struct http http;
    (void)state;

    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        http_init(&http, &(struct http_request){.host = SLICE("a.test"), .path = SLICE("/x")});
        (void)!http_feed(&http, slice_of_string(head));
        (void)!http_feed(&http, slice_of_string(ways[i]));
        http_end(&http, false);
        assert_int_equal(http.state, i < 2 ? HTTP_DONE : HTTP_FAILED);
        if (i == 2)
            assert_string_equal(http.problem, "the answer is cut short");
        http_finish(&http);
    }
}

static const char *
problem_of_type(const char *answer)
{
    struct http http;

    http_init(&http, &(struct http_request){.host = SLICE("a.test"),
                                            .path = SLICE("/x"),
                                            .type = SLICE("text/plain")});
    (void)!http_feed(&http, slice_of_string(answer));
    http_end(&http, true);
    const char *problem = http.state == HTTP_DONE ? NULL : http.problem;
    http_finish(&http);
    return problem;
}

static void
an_answer_has_the_type_that_was_asked_for(void **state)
{
    static const char other[] = "the answer is of another type";
    (void)state;

    assert_null(problem_of_type("HTTP/1.1 200 OK\r\nContent-Type: Text/Plain\r\n\r\nx"));
    assert_null(
        problem_of_type("HTTP/1.1 200 OK\r\ncontent-type:text/plain ; charset=utf-8\r\n\r\nx"));
    assert_string_equal(problem_of_type("HTTP/1.1 200 OK\r\n\r\nx"), other);
    assert_string_equal(problem_of_type("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\nx"),
                        other);
    assert_string_equal(
        problem_of_type("HTTP/1.1 200 OK\r\nContent-Type: text/plainer\r\n\r\nx"), other);
    assert_string_equal(problem_of_type("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                                        "Content-Type: text/html\r\n\r\nx"),
                        other);
    assert_string_equal(problem_of_type("HTTP/1.1 103 Hints\r\nContent-Type: text/plain\r\n\r\n"
                                        "HTTP/1.1 200 OK\r\n\r\nx"),
                        other);
}

/* Feeds the head, then as many times the piece. */
static enum http_state
feed_many(const char *head, const char *piece, size_t count)
{
    struct http http;

    http_init(&http, &(struct http_request){.host = SLICE("a.test"), .path = SLICE("/x")});
    (void)!http_feed(&http, slice_of_string(head));
    for (size_t i = 0; i < count; i++)
        (void)!http_feed(&http, slice_of_string(piece));
    http_end(&http, true);
    enum http_state state = http.state;
    http_finish(&http);
    return state;
}

static void
head_and_text_have_limits(void **state)
{
    static const char piece[] = "0123456789abcdef", status[] = "HTTP/1.1 200 OK\r\n";
    (void)state;

    assert_int_equal(feed_many("HTTP/1.1 200 OK\r\n\r\n", piece, HTTP_BODY_MAX / 16), HTTP_DONE);
    assert_int_equal(feed_many("HTTP/1.1 200 OK\r\n\r\n", piece, HTTP_BODY_MAX / 16 + 1),
                     HTTP_FAILED);
    assert_int_equal(feed_many("HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n", piece, 4096),
                     HTTP_DONE);
    assert_int_equal(feed_many("HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n", piece, 4097),
                     HTTP_FAILED);
    assert_int_equal(
        feed_many("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1000\r\n", 1),
        HTTP_FAILED);
    /* Lines without end, and lines without number. */
    assert_int_equal(feed_many(status, piece, HTTP_LINE_MAX / 16 + 1), HTTP_FAILED);
    assert_int_equal(feed_many(status, "a: b\r\n", HTTP_HEAD_MAX / 6 + 1), HTTP_FAILED);
}

static void
assert_request(const struct http_request *request, const char *text)
{
    struct http http;

    http_init(&http, request);
    assert_int_equal(http.state, HTTP_STATUS);
    assert_true(slice_equal(buffer_slice(&http.output), slice_of_string(text)));
    http_finish(&http);
}

static void
the_request_says_what_is_wanted(void **state)
{
    struct buffer form, basic;
    (void)state;

    buffer_init(&form, 100);
    buffer_init(&basic, 100);
    assert_request(&(struct http_request){.host = SLICE("mta-sts.foo.com"),
                                          .path = SLICE("/.well-known/mta-sts.txt"),
                                          .accept = SLICE("text/plain")},
                   "GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.foo.com\r\n"
                   "Accept: text/plain\r\nConnection: close\r\n\r\n");
    http_form_put(&form, "token", SLICE("a.b-c_d* e+f/g=\x7f\xC3"));
    http_form_put(&form, "hint", SLICE("x&y"));
    http_basic_put(&basic, SLICE("a:b"), SLICE("c d"));
    assert_request(&(struct http_request){.host = SLICE("id.test:8443"),
                                          .path = SLICE("/ask?x=1"),
                                          .accept = SLICE("application/json"),
                                          .authorization = buffer_slice(&basic),
                                          .form = buffer_slice(&form)},
                   "POST /ask?x=1 HTTP/1.1\r\nHost: id.test:8443\r\n"
                   "Accept: application/json\r\nAuthorization: Basic YSUzQWI6Yytk\r\n"
                   "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 44\r\n"
                   "Connection: close\r\n\r\n"
                   "token=a.b-c_d*+e%2Bf%2Fg%3D%7F%C3&hint=x%26y");
    buffer_finish(&form);
    buffer_finish(&basic);
}

static void
a_request_that_is_too_long_has_failed(void **state)
{
    static uint8_t octets[HTTP_REQUEST_MAX];
    struct http_request request = {.host = SLICE("a.test"), .path = SLICE("/")};
    struct http http;
    (void)state;

    memset(octets, 'x', sizeof(octets));
    for (size_t less = 1024; less > 0; less = less == 1024 ? 8 : 0) {
        request.form = slice_of(octets, sizeof(octets) - less);
        http_init(&http, &request);
        assert_int_equal(http.state, less == 1024 ? HTTP_STATUS : HTTP_FAILED);
        assert_int_equal(buffer_len(&http.output) > 0, less == 1024);
        http_finish(&http);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_counted_chunked_or_ends_with_the_connection),
        cmocka_unit_test(a_text_without_length_ends_when_its_server_says_so),
        cmocka_unit_test(whatever_else_comes_is_no_answer),
        cmocka_unit_test(an_answer_has_the_type_that_was_asked_for),
        cmocka_unit_test(head_and_text_have_limits),
        cmocka_unit_test(the_request_says_what_is_wanted),
        cmocka_unit_test(a_request_that_is_too_long_has_failed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
