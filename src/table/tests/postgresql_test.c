/* SPDX-License-Identifier: ISC */
/* A table of PostgreSQL against a server that speaks its protocol (version 3) as far as it takes,
 * and breaks off where a real one would not when asked to. The real one is met by the interop
 * tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "table/table.h"

enum {
    VERSION_3 = 3 << 16,
    MESSAGE_MAX = 4096,
    SERVER_S = 120 /* until it ends by itself, when a test that fails leaves it alone */
};

/* ---- the server ------------------------------------------------------------------------------ */

struct peer {
    int socket;
    struct buffer out;
    uint8_t body[MESSAGE_MAX];
    size_t len;
    bool ends; /* after what it is saying */
};

static void
put_be32(struct buffer *out, uint32_t number)
{
    const uint32_t swapped = htonl(number);

    buffer_put(out, slice_of((const uint8_t *)&swapped, 4));
}

static void
put_message(struct peer *peer, char kind, struct slice body)
{
    buffer_put_byte(&peer->out, (uint8_t)kind);
    put_be32(&peer->out, (uint32_t)body.len + 4);
    buffer_put(&peer->out, body);
}

static bool
flush(struct peer *peer)
{
    struct slice out = buffer_slice(&peer->out);
    bool is_sent = write(peer->socket, out.at, out.len) == (ssize_t)out.len;

    buffer_clear(&peer->out);
    return is_sent;
}

static bool
read_all(int descriptor, void *at, size_t len)
{
    for (uint8_t *next = at; len > 0;) {
        ssize_t got = read(descriptor, next, len);
        if (got <= 0)
            return false;
        next += got;
        len -= (size_t)got;
    }
    return true;
}

/* What stands behind a length that counts itself. */
static bool
read_body(struct peer *peer)
{
    uint32_t len;

    if (!read_all(peer->socket, &len, sizeof(len)) || ntohl(len) < 4 || ntohl(len) > MESSAGE_MAX)
        return false;
    peer->len = ntohl(len) - 4;
    return read_all(peer->socket, peer->body, peer->len);
}

/* One row of one column; NULL where there is no text. */
static void
put_row(struct peer *peer, const char *text)
{
    struct buffer row;

    buffer_init(&row, MESSAGE_MAX);
    buffer_put(&row, SLICE("\0\1"));
    put_be32(&row, text ? (uint32_t)strlen(text) : UINT32_MAX);
    buffer_put_text(&row, text ? text : "");
    put_message(peer, 'D', buffer_slice(&row));
    buffer_finish(&row);
}

/* Says what the key is to be answered with; false: nothing, the connection breaks. */
static bool
answer(struct peer *peer, struct slice key)
{
    static const char error[] = "SERROR\0C42P01\0Mrelation \"names\" does not exist\0";

    if (slice_equal(key, SLICE("cut")))
        return false;
    if (slice_equal(key, SLICE("error"))) {
        put_message(peer, 'E', slice_of((const uint8_t *)error, sizeof(error)));
        return true;
    }
    if (slice_equal(key, SLICE("notice")))
        put_message(peer, 'N', SLICE("SWARNING\0C01000\0Mread this\0\0"));
    put_message(peer, '1', SLICE(""));
    put_message(peer, '2', SLICE(""));
    put_message(peer, 'T', SLICE("\0\1value\0\0\0\0\0\0\0\0\0\0\31\377\377\377\377\377\377\0\0"));
    if (slice_equal(key, SLICE("two"))) {
        put_row(peer, "one");
        put_row(peer, NULL);
        put_row(peer, "two");
    } else if (slice_equal(key, SLICE("null"))) {
        put_row(peer, NULL);
    } else if (!slice_equal(key, SLICE("none"))) {
        put_row(peer, "found");
    }
    put_message(peer, 'C', SLICE("SELECT 1\0"));
    peer->ends = slice_equal(key, SLICE("restart"));
    return true;
}

/* The one parameter of Bind: names of portal and statement, formats, then the values. */
static struct slice
parameter_of(const struct peer *peer)
{
    struct slice body = slice_of(peer->body, peer->len);

    body = slice_skip(body, slice_find_byte(body, 0) + 1);
    body = slice_skip(body, slice_find_byte(body, 0) + 1);
    size_t formats = body.at[1];
    body = slice_skip(body, 2 + 2 * formats + 2);
    return slice_between(body, 4, 4 + (size_t)body.at[3]);
}

static bool
greet(struct peer *peer)
{
    uint32_t code;

    do {
        if (!read_body(peer) || peer->len < 4)
            return false;
        memcpy(&code, peer->body, 4);
        if (ntohl(code) != VERSION_3 && write(peer->socket, "N", 1) != 1) /* no encryption here */
            return false;
    } while (ntohl(code) != VERSION_3);
    put_message(peer, 'R', SLICE("\0\0\0\3"));
    char kind;
    if (!flush(peer) || !read_all(peer->socket, &kind, 1) || kind != 'p' || !read_body(peer))
        return false;
    if (!slice_equal(slice_of(peer->body, peer->len), SLICE("secret\0"))) {
        put_message(peer, 'E', SLICE("SFATAL\0C28P01\0Mwrong password\0\0"));
        (void)flush(peer);
        return false;
    }
    put_message(peer, 'R', SLICE("\0\0\0\0"));
    put_message(peer, 'Z', SLICE("I"));
    return flush(peer);
}

static void
hold_session(struct peer *peer)
{
    char kind;

    if (!greet(peer))
        return;
    while (read_all(peer->socket, &kind, 1) && read_body(peer)) {
        if (kind == 'B' && !answer(peer, parameter_of(peer)))
            return;
        if (kind != 'S')
            continue;
        put_message(peer, 'Z', SLICE("I"));
        if (!flush(peer) || peer->ends)
            return;
    }
}

static void
serve(int listener)
{
    static struct peer peer;

    alarm(SERVER_S);
    buffer_init(&peer.out, 1 << 16);
    for (;;) {
        peer.socket = accept(listener, NULL, NULL);
        if (peer.socket < 0)
            _exit(1);
        peer.ends = false;
        hold_session(&peer);
        buffer_clear(&peer.out);
        close(peer.socket);
    }
}

/* ---- the table ------------------------------------------------------------------------------- */

struct setup {
    pid_t server;
    struct table *table;
    struct buffer value;
};

static void
open_setup(struct setup *setup, const char *password)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    const struct table_login login = {SLICE("postman"), slice_of_string(password)};
    char text[200], why[TABLE_WHY_MAX + 1];
    struct table_spec spec;

    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(listen(listener, 8), 0);
    setup->server = fork();
    assert_true(setup->server >= 0);
    if (setup->server == 0)
        serve(listener);
    close(listener);
    snprintf(text, sizeof(text),
             "d postgresql postgresql://127.0.0.1:%u/db SELECT value FROM names WHERE name = $1",
             ntohs(address.sin_port));
    assert_null(table_spec_parse(slice_of_string(text), &spec));
    setup->table = table_open(&spec, SLICE(""), &login, why);
    assert_non_null(setup->table);
    buffer_init(&setup->value, TABLE_VALUE_MAX);
}

static void
end_server(struct setup *setup)
{
    if (setup->server <= 0)
        return;
    kill(setup->server, SIGKILL);
    waitpid(setup->server, NULL, 0);
    setup->server = 0;
}

static void
close_setup(struct setup *setup)
{
    table_close(&setup->table);
    buffer_finish(&setup->value);
    end_server(setup);
}

static void
expect(struct setup *setup, const char *key, enum table_outcome wanted, const char *value)
{
    buffer_clear(&setup->value);
    assert_int_equal(table_look_up(setup->table, slice_of_string(key), &setup->value), wanted);
    if (wanted == TABLE_TEMPORARY)
        assert_non_null(strstr(table_why(setup->table), value));
    else
        assert_true(slice_equal(buffer_slice(&setup->value), slice_of_string(value)));
}

static void
rows_are_joined_and_null_is_none(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup, "secret");
    expect(&setup, "one", TABLE_FOUND, "found");
    expect(&setup, "two", TABLE_FOUND, "one, two");
    expect(&setup, "null", TABLE_NOT_FOUND, "");
    expect(&setup, "none", TABLE_NOT_FOUND, "");
    expect(&setup, "notice", TABLE_FOUND, "found");
    close_setup(&setup);
}

static void
an_error_is_temporary_and_told(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup, "secret");
    expect(&setup, "error", TABLE_TEMPORARY, "relation \"names\" does not exist");
    expect(&setup, "one", TABLE_FOUND, "found");
    close_setup(&setup);
}

static void
a_server_that_was_restarted_is_asked_again(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup, "secret");
    for (unsigned i = 0; i < 3; i++) {
        expect(&setup, "restart", TABLE_FOUND, "found");
        expect(&setup, "one", TABLE_FOUND, "found");
    }
    close_setup(&setup);
}

/* The first time, with a connection that is new, and when it had stood. */
static void
a_connection_that_breaks_is_temporary(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup, "secret");
    expect(&setup, "cut", TABLE_TEMPORARY, "the query fails");
    expect(&setup, "one", TABLE_FOUND, "found");
    expect(&setup, "cut", TABLE_TEMPORARY, "the query fails");
    expect(&setup, "one", TABLE_FOUND, "found");
    end_server(&setup);
    expect(&setup, "one", TABLE_TEMPORARY, "no connection");
    close_setup(&setup);
}

static void
a_wrong_password_is_temporary(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup, "wrong");
    expect(&setup, "one", TABLE_TEMPORARY, "wrong password");
    close_setup(&setup);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_joined_and_null_is_none),
        cmocka_unit_test(an_error_is_temporary_and_told),
        cmocka_unit_test(a_server_that_was_restarted_is_asked_again),
        cmocka_unit_test(a_connection_that_breaks_is_temporary),
        cmocka_unit_test(a_wrong_password_is_temporary),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
