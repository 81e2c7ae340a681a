/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/linux/linux.h"
#include "role/identity.h"
#include "tls/certificate.h"

struct setup {
    struct host *host;
    struct identity identity;
    struct buffer chain, key, problem;
};

static void
open_setup(struct setup *setup)
{
    assert_int_equal(host_linux_open(&setup->host), 0);
    identity_init(&setup->identity, setup->host);
    buffer_init(&setup->chain, TLS_CERTIFICATE_PEM_MAX);
    buffer_init(&setup->key, TLS_CERTIFICATE_PEM_MAX);
    buffer_init(&setup->problem, 1024);
}

static void
close_setup(struct setup *setup)
{
    identity_finish(&setup->identity);
    buffer_finish(&setup->chain);
    buffer_finish(&setup->key);
    buffer_finish(&setup->problem);
    host_linux_close(&setup->host);
}

static void
give(struct setup *setup, const char *name, bool is_read_now)
{
    struct slice host = SLICE("mail.example.test");
    struct tls_certificate_request request = {
        .names = &host, .names_count = 1, .now = host_wall(setup->host), .days = 2};

    buffer_clear(&setup->chain);
    buffer_clear(&setup->key);
    assert_true(tls_certificate_make(&request, &setup->chain, &setup->key, &setup->problem));
    identity_set(&setup->identity, slice_of_string(name), buffer_slice(&setup->chain),
                 buffer_slice(&setup->key), is_read_now);
}

static void
it_is_read_when_somebody_wants_tls(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    assert_false(identity_is_there(&setup.identity));
    give(&setup, "", false);
    give(&setup, "a.test", false);
    give(&setup, "A.test", false); /* a newer one in its place */
    assert_true(identity_is_there(&setup.identity));
    assert_null(setup.identity.context);
    assert_int_equal(setup.identity.kept_count, 2);
    identity_set_time(&setup.identity);
    assert_null(setup.identity.context);
    struct tls_context *context = identity_context(&setup.identity);
    assert_true(tls_context_has_certificate(context));
    assert_int_equal(setup.identity.kept_count, 0);
    assert_true(tls_context_remove(context, SLICE("a.test")));
    give(&setup, "b.test", false); /* from here on they are set at once */
    assert_int_equal(setup.identity.kept_count, 0);
    assert_true(tls_context_remove(context, SLICE("b.test")));
    assert_ptr_equal(identity_context(&setup.identity), context);
    close_setup(&setup);
}

static void
it_is_read_at_once_where_that_is_wanted_and_when_there_are_many(void **state)
{
    struct setup setup;
    char name[16];

    (void)state;
    open_setup(&setup);
    give(&setup, "", true);
    assert_non_null(setup.identity.context);
    close_setup(&setup);
    open_setup(&setup);
    for (int i = 0; i < IDENTITY_KEPT_MAX; i++) {
        snprintf(name, sizeof(name), "n%d.test", i);
        give(&setup, name, false);
    }
    assert_null(setup.identity.context);
    give(&setup, "last.test", false);
    assert_non_null(setup.identity.context);
    assert_true(tls_context_remove(setup.identity.context, SLICE("n0.test")));
    assert_true(tls_context_remove(setup.identity.context, SLICE("last.test")));
    close_setup(&setup);
}

static void
what_cannot_be_used_ends_nothing(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    identity_set(&setup.identity, SLICE(""), SLICE("no certificate"), SLICE("no key"), false);
    assert_true(identity_is_there(&setup.identity));
    assert_false(tls_context_has_certificate(identity_context(&setup.identity)));
    close_setup(&setup);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_read_when_somebody_wants_tls),
        cmocka_unit_test(it_is_read_at_once_where_that_is_wanted_and_when_there_are_many),
        cmocka_unit_test(what_cannot_be_used_ends_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
