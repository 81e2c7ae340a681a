/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "routing/srs.h"

#define KEY SLICE("0123456789abcdef")
#define OURS SLICE("fwd.example")

static struct slice
local_of(const struct buffer *address)
{
    return slice_first(buffer_slice(address), slice_find_last_byte(buffer_slice(address), '@'));
}

static void
a_sender_goes_out_and_its_bounce_finds_back(void **state)
{
    struct buffer out, back;

    (void)state;
    buffer_init(&out, 1024);
    buffer_init(&back, 1024);
    assert_true(routing_srs_forward(KEY, 20000, OURS, SLICE("Fred@truc.fr"), &out));
    assert_true(slice_starts_with(buffer_slice(&out), SLICE("SRS0=")));
    assert_true(slice_ends_with(buffer_slice(&out), SLICE("=truc.fr=Fred@fwd.example")));
    for (uint32_t days = 20000; days <= 20000 + ROUTING_SRS_DAYS; days++) {
        buffer_clear(&back);
        assert_int_equal(routing_srs_reverse(KEY, days, local_of(&out), &back), ROUTING_SRS_GOOD);
        assert_true(slice_equal(buffer_slice(&back), SLICE("Fred@truc.fr")));
    }
    buffer_clear(&back);
    assert_int_equal(routing_srs_reverse(KEY, 20001 + ROUTING_SRS_DAYS, local_of(&out), &back),
                     ROUTING_SRS_OLD);
    assert_int_equal(buffer_len(&back), 0);
    buffer_finish(&back);
    buffer_finish(&out);
}

/* Addresses are out there for weeks: what was made before an update is known behind it. The proof:
 * the first 40 bits of an HMAC of the day's letters, domain and local part in lower case. */
static void
proofs_stay_what_they_were(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out, 1024);
    assert_true(routing_srs_forward(KEY, 20000, OURS, SLICE("Fred@truc.fr"), &out));
    assert_true(
        slice_equal(buffer_slice(&out), SLICE("SRS0=gpqstmrg=ra=truc.fr=Fred@fwd.example")));
    buffer_finish(&out);
}

/* Two letters count 1,024 days and begin again. */
static void
days_are_known_around_the_turn_of_their_letters(void **state)
{
    struct buffer out, back;

    (void)state;
    buffer_init(&out, 1024);
    buffer_init(&back, 1024);
    for (uint32_t made = 20 * 1024 - 40; made < 20 * 1024 + 40; made++) {
        buffer_clear(&out);
        assert_true(routing_srs_forward(KEY, made, OURS, SLICE("Fred@truc.fr"), &out));
        for (int age = -2; age <= ROUTING_SRS_DAYS + 1; age++) {
            buffer_clear(&back);
            assert_int_equal(
                routing_srs_reverse(KEY, (uint32_t)((int)made + age), local_of(&out), &back),
                age >= -1 && age <= ROUTING_SRS_DAYS ? ROUTING_SRS_GOOD : ROUTING_SRS_OLD);
        }
    }
    buffer_finish(&back);
    buffer_finish(&out);
}

static void
hosts_that_change_case_do_no_harm(void **state)
{
    struct buffer out, back;
    uint8_t lower[200];

    (void)state;
    buffer_init(&out, 1024);
    buffer_init(&back, 1024);
    assert_true(routing_srs_forward(KEY, 20000, OURS, SLICE("Fred@truc.fr"), &out));
    struct slice local = local_of(&out);
    for (size_t i = 0; i < local.len; i++)
        lower[i] = byte_to_lower(local.at[i]);
    assert_int_equal(routing_srs_reverse(KEY, 20000, slice_of(lower, local.len), &back),
                     ROUTING_SRS_GOOD);
    assert_true(slice_equal(buffer_slice(&back), SLICE("fred@truc.fr")));
    buffer_finish(&back);
    buffer_finish(&out);
}

static void
forwarders_in_a_row_keep_the_first_ones_way(void **state)
{
    struct slice other = SLICE("another-key-of-16+");
    struct buffer first, second, third, back;

    (void)state;
    buffer_init(&first, 1024);
    buffer_init(&second, 1024);
    buffer_init(&third, 1024);
    buffer_init(&back, 1024);
    assert_true(routing_srs_forward(other, 20000, SLICE("one.example"), SLICE("a@b.test"), &first));
    assert_true(routing_srs_forward(KEY, 20000, OURS, buffer_slice(&first), &second));
    assert_true(slice_starts_with(buffer_slice(&second), SLICE("SRS1=")));
    assert_int_equal(routing_srs_reverse(KEY, 20000, local_of(&second), &back), ROUTING_SRS_GOOD);
    assert_true(slice_equal(buffer_slice(&back), buffer_slice(&first)));
    /* The third does not make it longer: it leads to the first, not to the second. */
    assert_true(
        routing_srs_forward(other, 20000, SLICE("three.example"), buffer_slice(&second), &third));
    buffer_clear(&back);
    assert_int_equal(routing_srs_reverse(other, 20000, local_of(&third), &back), ROUTING_SRS_GOOD);
    assert_true(slice_equal(buffer_slice(&back), buffer_slice(&first)));
    buffer_finish(&first);
    buffer_finish(&second);
    buffer_finish(&third);
    buffer_finish(&back);
}

static void
what_was_not_made_here_leads_nowhere(void **state)
{
    static const char *const forged[] = {
        "SRS0=aaaaaaaa=bb=truc.fr=fred", "SRS0=",         "SRS0=a", "SRS1=aaaaaaaa=x==y",
        "srs0=aaaaaaaa=bb=truc.fr=fred", "SRS0=====fred", "SRS1=",  "SRS0=aaaaaaaa=bb",
    };
    struct buffer out, back;

    (void)state;
    buffer_init(&out, 1024);
    buffer_init(&back, 1024);
    for (size_t i = 0; i < COUNT_OF(forged); i++)
        assert_int_equal(routing_srs_reverse(KEY, 20000, slice_of_string(forged[i]), &back),
                         ROUTING_SRS_FORGED);
    assert_int_equal(routing_srs_reverse(KEY, 20000, SLICE("fred"), &back), ROUTING_SRS_NONE);
    assert_int_equal(routing_srs_reverse(KEY, 20000, SLICE(""), &back), ROUTING_SRS_NONE);
    assert_true(routing_srs_forward(KEY, 20000, OURS, SLICE("fred@truc.fr"), &out));
    assert_int_equal(routing_srs_reverse(SLICE("0123456789abcdeg"), 20000, local_of(&out), &back),
                     ROUTING_SRS_FORGED);
    buffer_finish(&back);
    buffer_finish(&out);
}

/* SRS0=PROOF=DAY=DOMAIN=LOCAL as SRS1 would be a way to the host DAY. */
static void
a_proof_of_one_kind_is_none_of_the_other(void **state)
{
    static const char *const senders[] = {"fred@truc.fr", "SRS0=x=y=z=fred@ab"};
    struct buffer out, back;
    uint8_t local[ROUTING_SRS_LOCAL_MAX];

    (void)state;
    buffer_init(&out, 1024);
    buffer_init(&back, 1024);
    for (size_t i = 0; i < COUNT_OF(senders); i++) {
        buffer_clear(&out);
        assert_true(routing_srs_forward(KEY, 20000, OURS, slice_of_string(senders[i]), &out));
        struct slice made = local_of(&out);
        memcpy(local, made.at, made.len);
        assert_int_equal(local[3], '0' + i);
        local[3] ^= 1;
        assert_int_equal(routing_srs_reverse(KEY, 20000, slice_of(local, made.len), &back),
                         ROUTING_SRS_FORGED);
    }
    assert_int_equal(buffer_len(&back), 0);
    buffer_finish(&back);
    buffer_finish(&out);
}

static void
some_senders_stay_as_they_are(void **state)
{
    static const char *const rows[] = {
        "", "fred", "@truc.fr", "\"a b\"@truc.fr", "fred@[192.0.2.1]", "fred@fwd.example",
        // The brackets say that no comma is missing.
        ("a.very.long.local.part.that.is.as.long.as.a.local.part.can.ever.b@"
         "a.very.long.domain.name.that.is.as.long.as.few.domain.names.are.example")};
    struct buffer out;

    (void)state;
    buffer_init(&out, 1024);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_false(routing_srs_forward(KEY, 20000, OURS, slice_of_string(rows[i]), &out));
    assert_int_equal(buffer_len(&out), 0);
    buffer_finish(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sender_goes_out_and_its_bounce_finds_back),
        cmocka_unit_test(proofs_stay_what_they_were),
        cmocka_unit_test(days_are_known_around_the_turn_of_their_letters),
        cmocka_unit_test(hosts_that_change_case_do_no_harm),
        cmocka_unit_test(forwarders_in_a_row_keep_the_first_ones_way),
        cmocka_unit_test(what_was_not_made_here_leads_nowhere),
        cmocka_unit_test(a_proof_of_one_kind_is_none_of_the_other),
        cmocka_unit_test(some_senders_stay_as_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
