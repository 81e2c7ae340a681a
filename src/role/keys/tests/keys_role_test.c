/* SPDX-License-Identifier: ISC */
#include "role/tests/world.h"

#include "note/asker_keys.h"
#include "tls/certificate.h"
#include "tls/signer.h"

struct setup {
    struct world world;
    struct world_peer smtp;
    struct note_ledger ledger;
    struct arena arena;
    uint64_t id;
    struct buffer text; /* as a handshake has it */
};

struct identity {
    struct buffer chain, key;
    uint8_t id[TLS_KEY_ID_SIZE];
};

static void
make_identity(struct setup *setup, struct identity *identity)
{
    struct slice host = SLICE("mail.example.test");
    struct tls_certificate_request request = {
        .names = &host, .names_count = 1, .now = host_wall(setup->world.host), .days = 2};
    struct buffer problem;

    buffer_init(&problem, 512);
    buffer_init(&identity->chain, TLS_CERTIFICATE_PEM_MAX);
    buffer_init(&identity->key, TLS_CERTIFICATE_PEM_MAX);
    assert_true(tls_certificate_make(&request, &identity->chain, &identity->key, &problem));
    struct tls_signer *signer =
        tls_signer_open(buffer_slice(&identity->chain), buffer_slice(&identity->key), &problem);
    assert_non_null(signer);
    memcpy(identity->id, tls_signer_id(signer), sizeof(identity->id));
    tls_signer_close(&signer);
    buffer_finish(&problem);
}

static void
give(struct setup *setup, const char *name, const struct identity *identity)
{
    role_keys.tls(setup->world.state, slice_of_string(name), buffer_slice(&identity->chain),
                  buffer_slice(&identity->key));
}

static void
finish_identity(struct identity *identity)
{
    buffer_finish(&identity->chain);
    buffer_finish(&identity->key);
}

static void
open_setup(struct setup *setup)
{
    *setup = (struct setup){.id = 1};
    world_open(&setup->world, &role_keys);
    arena_init(&setup->arena, 1 << 20);
    buffer_init(&setup->text, 512);
    for (size_t i = 0; i < 64; i++)
        buffer_put_byte(&setup->text, ' ');
    buffer_put(&setup->text, SLICE("TLS 1.3, server CertificateVerify\0"));
    for (size_t i = 0; i < 32; i++)
        buffer_put_byte(&setup->text, 7);
    world_start(&setup->world);
    world_attach(&setup->world, &setup->smtp, ROLE_SMTP, 0);
}

static void
close_setup(struct setup *setup)
{
    world_detach(&setup->smtp);
    world_close(&setup->world);
    note_ledger_finish(&setup->ledger);
    arena_finish(&setup->arena);
    buffer_finish(&setup->text);
}

static struct asker_keys_note
exchange(struct setup *setup, struct buffer *note, bool is_put)
{
    struct asker_keys_note answer;

    assert_true(is_put);
    host_channel_send(setup->smtp.channel, buffer_slice(note), HOST_HANDLE_NONE);
    buffer_finish(note);
    assert_true(asker_keys_take(world_next(&setup->smtp), HOST_HANDLE_NONE, 1, &setup->ledger,
                                &setup->arena, &answer));
    return answer;
}

static size_t
signature_len(struct setup *setup, const struct identity *identity, struct slice text)
{
    struct asker_keys_sign question = {
        .id = setup->id++,
        .key = slice_of(identity->id, sizeof(identity->id)),
        .form = ASKER_KEYS_FORM_ECDSA,
        .digest = ASKER_KEYS_DIGEST_SHA256,
        .text = text,
    };
    struct buffer note;

    buffer_init(&note, HOST_NOTE_MAX);
    struct asker_keys_note answer =
        exchange(setup, &note, asker_keys_put_sign(&note, &setup->ledger, &question));
    assert_int_equal(answer.kind, ASKER_KEYS_SIGNATURE);
    return answer.as.signature.octets.len;
}

static size_t
secrets_len(struct setup *setup, int64_t epoch)
{
    struct asker_keys_tickets question = {.id = setup->id++, .epoch = epoch};
    struct buffer note;

    buffer_init(&note, HOST_NOTE_MAX);
    struct asker_keys_note answer =
        exchange(setup, &note, asker_keys_put_tickets(&note, &setup->ledger, &question));
    assert_int_equal(answer.kind, ASKER_KEYS_SECRETS);
    return answer.as.secrets.secrets.len;
}

static void
a_name_that_is_no_longer_configured_signs_no_more(void **state)
{
    static struct setup setup;
    struct identity first, second;

    (void)state;
    open_setup(&setup);
    make_identity(&setup, &first);
    make_identity(&setup, &second);
    give(&setup, "", &first);
    give(&setup, "b.test", &second);
    assert_true(signature_len(&setup, &second, buffer_slice(&setup.text)) > 60);
    role_keys.tls(setup.world.state, SLICE("B.test"), SLICE(""), SLICE(""));
    role_keys.tls(setup.world.state, SLICE("never.test"), SLICE(""), SLICE(""));
    assert_int_equal(signature_len(&setup, &second, buffer_slice(&setup.text)), 0);
    assert_true(signature_len(&setup, &first, buffer_slice(&setup.text)) > 60);
    give(&setup, "b.test", &second);
    assert_true(signature_len(&setup, &second, buffer_slice(&setup.text)) > 60);
    finish_identity(&first);
    finish_identity(&second);
    close_setup(&setup);
}

static void
only_handshakes_are_signed_and_with_keys_that_are_there(void **state)
{
    static struct setup setup;
    struct identity identity, stranger;

    (void)state;
    open_setup(&setup);
    make_identity(&setup, &identity);
    make_identity(&setup, &stranger);
    give(&setup, "", &identity);
    assert_true(signature_len(&setup, &identity, buffer_slice(&setup.text)) > 60);
    assert_int_equal(signature_len(&setup, &stranger, buffer_slice(&setup.text)), 0);
    assert_int_equal(signature_len(&setup, &identity, SLICE("pay 100 francs")), 0);
    close_setup(&setup);
    finish_identity(&identity);
    finish_identity(&stranger);
}

/* A process may show the old certificate for a moment. */
static void
the_key_before_a_new_one_still_signs(void **state)
{
    static struct setup setup;
    struct identity identities[3];

    (void)state;
    open_setup(&setup);
    for (size_t i = 0; i < COUNT_OF(identities); i++) {
        make_identity(&setup, &identities[i]);
        give(&setup, "a.test", &identities[i]);
        give(&setup, "A.test", &identities[i]); /* the same again pushes nothing out */
    }
    assert_int_equal(signature_len(&setup, &identities[0], buffer_slice(&setup.text)), 0);
    assert_true(signature_len(&setup, &identities[1], buffer_slice(&setup.text)) > 60);
    assert_true(signature_len(&setup, &identities[2], buffer_slice(&setup.text)) > 60);
    close_setup(&setup);
    for (size_t i = 0; i < COUNT_OF(identities); i++)
        finish_identity(&identities[i]);
}

static void
secrets_of_tickets_are_told_of_now_only(void **state)
{
    static struct setup setup;
    struct identity identity;

    (void)state;
    open_setup(&setup);
    int64_t epoch = tls_ticket_epoch(host_wall(setup.world.host));
    assert_int_equal(secrets_len(&setup, epoch), 0); /* no key yet */
    make_identity(&setup, &identity);
    give(&setup, "a.test", &identity);
    assert_int_equal(secrets_len(&setup, epoch), 2 * TLS_TICKET_SECRET_SIZE);
    assert_int_equal(secrets_len(&setup, epoch + 1), 0);
    assert_int_equal(secrets_len(&setup, epoch - 2), 0);
    close_setup(&setup);
    finish_identity(&identity);
}

static struct slice
mail_field(struct setup *setup, const char *record)
{
    uint8_t hash[32] = {1};
    struct asker_keys_sign_mail question = {
        .id = setup->id++,
        .record = slice_of_string(record),
        .time_s = 1000,
        .names = SLICE("from:from"),
        .fields = SLICE("from:a@example.test\r\n"),
        .body_hash = slice_of(hash, sizeof(hash)),
    };
    struct buffer note;

    buffer_init(&note, HOST_NOTE_MAX);
    struct asker_keys_note answer =
        exchange(setup, &note, asker_keys_put_sign_mail(&note, &setup->ledger, &question));
    assert_int_equal(answer.kind, ASKER_KEYS_MAIL_SIGNATURE);
    return answer.as.mail_signature.field;
}

/* Keys of mail sign mail of their domain, keys of certificates handshakes: none does the other. */
static void
mail_is_signed_with_the_keys_of_mail(void **state)
{
    static struct setup setup;
    struct identity identity;
    struct buffer keys[2], problem;

    (void)state;
    open_setup(&setup);
    make_identity(&setup, &identity);
    give(&setup, "", &identity);
    buffer_init(&problem, 512);
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        buffer_init(&keys[i], TLS_CERTIFICATE_PEM_MAX);
        tls_signer_make_key(i == 0, &keys[i]);
        role_keys.tls(setup.world.state,
                      i == 0 ? SLICE("r._domainkey.a.test") : SLICE("e._domainkey.a.test"),
                      SLICE(""), buffer_slice(&keys[i]));
    }
    struct slice rsa = mail_field(&setup, "r._domainkey.a.test");
    assert_true(slice_starts_with(rsa, SLICE("DKIM-Signature: v=1; a=rsa-sha256; ")));
    struct slice ed = mail_field(&setup, "E._domainkey.A.test");
    assert_true(slice_starts_with(ed, SLICE("DKIM-Signature: v=1; a=ed25519-sha256; ")));
    assert_int_equal(mail_field(&setup, "x._domainkey.a.test").len, 0);
    assert_int_equal(mail_field(&setup, "").len, 0);
    struct tls_signer *signer = tls_signer_open_bare(buffer_slice(&keys[0]), &problem);
    memcpy(identity.id, tls_signer_id(signer), sizeof(identity.id));
    assert_int_equal(signature_len(&setup, &identity, buffer_slice(&setup.text)), 0);
    tls_signer_close(&signer);
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        buffer_finish(&keys[i]);
    buffer_finish(&problem);
    close_setup(&setup);
    finish_identity(&identity);
}

static void
a_bad_note_ends_the_channel_and_nothing_else(void **state)
{
    static struct setup setup;
    struct identity identity;

    (void)state;
    open_setup(&setup);
    make_identity(&setup, &identity);
    give(&setup, "", &identity);
    host_channel_send(setup.smtp.channel, SLICE("\xff\xff"), HOST_HANDLE_NONE);
    world_run(&setup.world, 100);
    assert_true(setup.smtp.is_closed);
    assert_null(setup.world.failed);
    world_detach(&setup.smtp);
    note_ledger_finish(&setup.ledger);
    world_attach(&setup.world, &setup.smtp, ROLE_SMTP, 0);
    assert_true(signature_len(&setup, &identity, buffer_slice(&setup.text)) > 60);
    close_setup(&setup);
    finish_identity(&identity);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_that_is_no_longer_configured_signs_no_more),
        cmocka_unit_test(only_handshakes_are_signed_and_with_keys_that_are_there),
        cmocka_unit_test(the_key_before_a_new_one_still_signs),
        cmocka_unit_test(secrets_of_tickets_are_told_of_now_only),
        cmocka_unit_test(mail_is_signed_with_the_keys_of_mail),
        cmocka_unit_test(a_bad_note_ends_the_channel_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
