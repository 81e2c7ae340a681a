/* SPDX-License-Identifier: ISC */
#include "role/tests/world.h"

#include "directory/secret.h"
#include "note/access_auth.h"
#include "note/auth_issuer.h"
#include "note/auth_store.h"
#include "note/smtp_auth.h"
#include "role/auth/lockout.h"
#include "sasl/client.h"
#include "token/token.h"

static const char accounts[] = "domain a.test\n"
                               "account alice@a.test id=1\n"
                               "account bob@a.test id=2\n"
                               "account off@a.test id=3 disabled\n"
                               "account bare@a.test id=4\n";

struct setup {
    struct world world;
    struct world_peer smtp, access, store;
    struct note_ledger smtp_ledger, access_ledger, store_ledger;
    struct arena arena;
    struct buffer note;
    uint64_t session;
};

/* "pencil" for alice, bob and off; made once, since it is slow on purpose. */
static struct buffer secrets;

static void
put_secret(struct buffer *text, const char *name, uint64_t id, const char *password, bool with_apop)
{
    static const uint8_t random[DIRECTORY_RANDOM_LEN] = {4, 2};
    struct directory_secret_options options = {
        .name = slice_of_string(name), .id = id, .with_apop = with_apop};

    assert_int_equal(directory_secret_make(text, &options, slice_of_string(password),
                                           slice_of(random, sizeof(random))),
                     DIRECTORY_SECRET_MADE);
}

static int
make_secrets(void **state)
{
    (void)state;
    buffer_init(&secrets, 65536);
    put_secret(&secrets, "alice@a.test", 1, "pencil", false);
    put_secret(&secrets, "bob@a.test", 2, "pencil", true);
    put_secret(&secrets, "off@a.test", 3, "pencil", true);
    return 0;
}

static int
free_secrets(void **state)
{
    (void)state;
    buffer_finish(&secrets);
    return 0;
}

static void
open_setup_of(struct setup *setup, struct slice oauth_issuer)
{
    *setup = (struct setup){.session = 1};
    world_open(&setup->world, &role_auth);
    setup->world.config.auth_mechanisms |= CONFIG_MECHANISM_SCRAM_SHA_1;
    setup->world.config.oauth_issuer = oauth_issuer;
    arena_init(&setup->arena, 1 << 22);
    buffer_init(&setup->note, HOST_NOTE_MAX);
    world_write(&setup->world, "accounts", slice_of_string(accounts), false);
    world_write(&setup->world, "secrets", buffer_slice(&secrets), false);
    world_start(&setup->world);
    world_attach(&setup->world, &setup->smtp, ROLE_SMTP, 0);
    world_attach(&setup->world, &setup->access, ROLE_ACCESS, 2);
    world_attach(&setup->world, &setup->store, ROLE_STORE, 0);
}

static void
open_setup(struct setup *setup)
{
    open_setup_of(setup, SLICE(""));
}

static void
close_setup(struct setup *setup)
{
    world_detach(&setup->smtp);
    world_detach(&setup->access);
    world_detach(&setup->store);
    world_close(&setup->world);
    note_ledger_finish(&setup->smtp_ledger);
    note_ledger_finish(&setup->access_ledger);
    note_ledger_finish(&setup->store_ledger);
    arena_finish(&setup->arena);
    buffer_finish(&setup->note);
}

static void
send(struct setup *setup, struct world_peer *peer, bool is_put)
{
    assert_true(is_put);
    host_channel_send(peer->channel, buffer_slice(&setup->note), HOST_HANDLE_NONE);
    buffer_clear(&setup->note);
}

static struct smtp_auth_note
next_smtp(struct setup *setup)
{
    struct smtp_auth_note note;

    assert_true(
        smtp_auth_take(world_next(&setup->smtp), -1, 1, &setup->smtp_ledger, &setup->arena, &note));
    return note;
}

static struct access_auth_note
next_access(struct setup *setup)
{
    struct access_auth_note note;

    assert_true(access_auth_take(world_next(&setup->access), -1, 1, &setup->access_ledger,
                                 &setup->arena, &note));
    return note;
}

static const struct slice home = {(const uint8_t *)"\xC0\x00\x02\x01", 4};

static void
begin(struct setup *setup, const char *mechanism, bool has_initial, struct slice initial)
{
    struct smtp_auth_begin note = {
        .session = setup->session++,
        .mechanism = slice_of_string(mechanism),
        .has_initial = has_initial,
        .initial = initial,
        .is_secure = true,
        .peer = home,
        .service = SLICE("smtp"),
    };

    send(setup, &setup->smtp, smtp_auth_put_begin(&setup->note, &setup->smtp_ledger, &note));
}

/* One PLAIN login through smtp; `message` with | for NUL. */
static struct smtp_auth_note
plain(struct setup *setup, const char *message)
{
    uint8_t octets[256];
    size_t len = strlen(message);

    memcpy(octets, message, len);
    for (size_t i = 0; i < len; i++)
        octets[i] = octets[i] == '|' ? 0 : octets[i];
    begin(setup, "PLAIN", true, slice_of(octets, len));
    return next_smtp(setup);
}

static void
assert_failed(const struct smtp_auth_note *note, enum smtp_auth_failure failure)
{
    assert_int_equal(note->kind, SMTP_AUTH_FAILED);
    assert_int_equal(note->as.failed.failure, failure);
}

static void
plain_logins_are_told_apart_by_the_password_alone(void **state)
{
    static const char *const wrong[] = {
        "|alice@a.test|Pencil", "|nobody@a.test|pencil",          "|off@a.test|pencil",
        "|bare@a.test|pencil",  "bob@a.test|alice@a.test|pencil", "|alice@b.test|pencil",
    };
    static struct setup setup;

    (void)state;
    open_setup(&setup);
    for (unsigned i = 0; i < 2; i++) { /* the second time it is remembered */
        struct smtp_auth_note note =
            plain(&setup, i ? "alice|ALICE@a.test|pencil" : "|Alice|pencil");
        assert_int_equal(note.kind, SMTP_AUTH_GRANTED);
        assert_int_equal(note.as.granted.account, 1);
        assert_true(slice_equal(note.as.granted.name, SLICE("alice@a.test")));
        assert_int_equal(note.as.granted.last_challenge.len, 0);
    }
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct smtp_auth_note note = plain(&setup, wrong[i]);
        assert_failed(&note, SMTP_AUTH_FAILURE_CREDENTIALS);
        /* alice's second failure, the one as bob, waits longer. */
        assert_int_equal(note.as.failed.delay_ms, i == 4 ? 1000 : 250);
    }
    close_setup(&setup);
}

/* A SCRAM login through smtp; returns the last note. */
static struct smtp_auth_note
scram(struct setup *setup, const char *name, const char *password, struct slice *ret_salt)
{
    struct sasl_client_options options = {
        .mechanism = SASL_SCRAM_SHA_256,
        .authcid = slice_of_string(name),
        .password = slice_of_string(password),
        .nonce = SLICE("clientnonce"),
    };
    struct sasl_client *client = sasl_client_open(&options);
    struct slice response;

    begin(setup, "SCRAM-SHA-256", true, sasl_client_initial(client));
    struct smtp_auth_note note = next_smtp(setup);
    assert_int_equal(note.kind, SMTP_AUTH_CHALLENGE);
    struct slice challenge = note.as.challenge.challenge;
    if (ret_salt)
        *ret_salt = slice_skip(challenge, slice_find(challenge, SLICE(",s=")));
    assert_true(sasl_client_step(client, challenge, &response));
    struct smtp_auth_step step = {setup->session - 1, response};
    send(setup, &setup->smtp, smtp_auth_put_step(&setup->note, &setup->smtp_ledger, &step));
    note = next_smtp(setup);
    if (note.kind == SMTP_AUTH_GRANTED) {
        assert_true(sasl_client_step(client, note.as.granted.last_challenge, &response));
        assert_true(sasl_client_is_done(client));
    }
    sasl_client_close(&client);
    return note;
}

static void
scram_logins_show_strangers_salts_that_stay(void **state)
{
    static struct setup setup;
    struct slice first, again, other;

    (void)state;
    open_setup(&setup);
    assert_int_equal(scram(&setup, "alice@a.test", "pencil", NULL).kind, SMTP_AUTH_GRANTED);
    struct smtp_auth_note note = scram(&setup, "alice@a.test", "pen", NULL);
    assert_failed(&note, SMTP_AUTH_FAILURE_CREDENTIALS);
    note = scram(&setup, "nobody@a.test", "pencil", &first);
    assert_failed(&note, SMTP_AUTH_FAILURE_CREDENTIALS);
    (void)scram(&setup, "nobody@a.test", "pencil", &again);
    (void)scram(&setup, "nobody2@a.test", "pencil", &other);
    assert_true(slice_equal(first, again));
    assert_false(slice_equal(first, other));
    /* The installation's key has been kept. */
    role_auth.reload(setup.world.state, &setup.world.config);
    (void)scram(&setup, "nobody@a.test", "pencil", &again);
    assert_true(slice_equal(first, again));
    close_setup(&setup);
}

static void
access_hears_after_store(void **state)
{
    static struct setup setup;
    struct auth_store_note grant;

    (void)state;
    open_setup(&setup);
    struct access_auth_begin note = {.session = 77,
                                     .mechanism = SLICE("PLAIN"),
                                     .has_initial = true,
                                     .initial = SLICE("\0bob@a.test\0pencil"),
                                     .is_secure = true,
                                     .peer = home};
    send(&setup, &setup.access, access_auth_put_begin(&setup.note, &setup.access_ledger, &note));
    assert_true(auth_store_take(world_next(&setup.store), -1, 0, &setup.store_ledger, &setup.arena,
                                &grant));
    assert_int_equal(grant.as.grant.access_index, 2);
    assert_int_equal(grant.as.grant.session, 77);
    assert_int_equal(grant.as.grant.account, 2);
    world_run(&setup.world, 1000);
    assert_int_equal(setup.access.count, 0);
    struct auth_store_granted granted = {grant.as.grant.id, true};
    send(&setup, &setup.store, auth_store_put_granted(&setup.note, &setup.store_ledger, &granted));
    struct access_auth_note answer = next_access(&setup);
    assert_int_equal(answer.kind, ACCESS_AUTH_GRANTED);
    assert_int_equal(answer.as.granted.account, 2);
    close_setup(&setup);
}

static void
who_has_too_many_sessions_hears_it(void **state)
{
    static struct setup setup;
    struct access_auth_begin note = {.session = 77,
                                     .mechanism = SLICE("PLAIN"),
                                     .has_initial = true,
                                     .initial = SLICE("\0bob@a.test\0pencil"),
                                     .is_secure = true,
                                     .peer = home};
    struct auth_store_note grant;

    (void)state;
    open_setup(&setup);
    send(&setup, &setup.access, access_auth_put_begin(&setup.note, &setup.access_ledger, &note));
    assert_true(auth_store_take(world_next(&setup.store), -1, 0, &setup.store_ledger, &setup.arena,
                                &grant));
    struct auth_store_granted granted = {grant.as.grant.id, false};
    send(&setup, &setup.store, auth_store_put_granted(&setup.note, &setup.store_ledger, &granted));
    struct access_auth_note answer = next_access(&setup);
    assert_int_equal(answer.kind, ACCESS_AUTH_FAILED);
    assert_int_equal(answer.as.failed.failure, ACCESS_AUTH_FAILURE_LIMIT);
    close_setup(&setup);
}

static void
access_hears_of_no_grant_when_store_goes(void **state)
{
    static struct setup setup;
    struct access_auth_begin note = {.session = 77,
                                     .mechanism = SLICE("PLAIN"),
                                     .has_initial = true,
                                     .initial = SLICE("\0bob@a.test\0pencil"),
                                     .is_secure = true};

    (void)state;
    open_setup(&setup);
    send(&setup, &setup.access, access_auth_put_begin(&setup.note, &setup.access_ledger, &note));
    (void)world_next(&setup.store);
    host_channel_close(&setup.store.channel);
    struct access_auth_note answer = next_access(&setup);
    assert_int_equal(answer.kind, ACCESS_AUTH_FAILED);
    assert_int_equal(answer.as.failed.failure, ACCESS_AUTH_FAILURE_TEMPORARY);
    note.session = 78;
    send(&setup, &setup.access, access_auth_put_begin(&setup.note, &setup.access_ledger, &note));
    assert_int_equal(next_access(&setup).as.failed.failure, ACCESS_AUTH_FAILURE_TEMPORARY);
    close_setup(&setup);
}

/* MD5 of "<1896.697170952@dbc.mtview.ca.us>" and "pencil". */
#define TIMESTAMP "<1896.697170952@dbc.mtview.ca.us>"

static void
apop_wants_the_digest_of_a_kept_secret(void **state)
{
    static struct setup setup;
    uint8_t octets[SASL_DIGEST_MAX];
    struct buffer digest;
    static const char *const names[] = {"bob@a.test", "bob", "alice@a.test", "off@a.test",
                                        "nobody"};

    (void)state;
    open_setup(&setup);
    sasl_digest(SASL_HASH_MD5, SLICE(TIMESTAMP "pencil"), octets);
    buffer_init(&digest, 32);
    buffer_put_hex(&digest, slice_of(octets, 16));
    for (size_t i = 0; i < COUNT_OF(names) + 1; i++) {
        bool is_spoiled = i == COUNT_OF(names);
        struct access_auth_apop note = {.session = i,
                                        .name = slice_of_string(names[is_spoiled ? 0 : i]),
                                        .timestamp = SLICE(TIMESTAMP),
                                        .digest = buffer_slice(&digest),
                                        .peer = home};
        if (is_spoiled)
            note.digest = SLICE("00000000000000000000000000000000");
        send(&setup, &setup.access, access_auth_put_apop(&setup.note, &setup.access_ledger, &note));
        world_run(&setup.world, 100);
        if (i < 2) {
            assert_int_equal(setup.store.count, i + 1);
            continue;
        }
        struct access_auth_note answer = next_access(&setup);
        assert_int_equal(answer.kind, ACCESS_AUTH_FAILED);
        assert_int_equal(answer.as.failed.failure, ACCESS_AUTH_FAILURE_CREDENTIALS);
    }
    buffer_finish(&digest);
    close_setup(&setup);
}

static void
guesses_are_delayed_and_then_locked(void **state)
{
    static struct setup setup;
    struct smtp_auth_note note;
    uint32_t delay = 0;

    (void)state;
    open_setup(&setup);
    for (unsigned i = 0; i <= LOCKOUT_PATIENCE; i++) {
        note = plain(&setup, "|alice@a.test|guess");
        assert_failed(&note, SMTP_AUTH_FAILURE_CREDENTIALS);
        assert_true(note.as.failed.delay_ms >= delay);
        delay = note.as.failed.delay_ms;
    }
    assert_int_equal(delay, LOCKOUT_DELAY_MAX_MS);
    note = plain(&setup, "|alice@a.test|pencil");
    assert_failed(&note, SMTP_AUTH_FAILURE_LOCKED);
    note = plain(&setup, "|bob@a.test|pencil"); /* not for what was done to alice */
    assert_int_equal(note.kind, SMTP_AUTH_GRANTED);
    world_run(&setup.world, LOCKOUT_LOCK_MIN_S * 1000 + 1);
    note = plain(&setup, "|alice@a.test|pencil");
    assert_int_equal(note.kind, SMTP_AUTH_GRANTED);
    close_setup(&setup);
}

static void
what_is_not_offered_or_too_weak_is_refused(void **state)
{
    static struct setup setup;

    (void)state;
    open_setup(&setup);
    setup.world.config.auth_mechanisms = CONFIG_MECHANISM_PLAIN;
    begin(&setup, "CRAM-MD5", false, SLICE(""));
    struct smtp_auth_note note = next_smtp(&setup);
    assert_failed(&note, SMTP_AUTH_FAILURE_MECHANISM);
    begin(&setup, "SCRAM-SHA-256", false, SLICE(""));
    note = next_smtp(&setup);
    assert_failed(&note, SMTP_AUTH_FAILURE_MECHANISM);
    begin(&setup, "PLAIN", true, SLICE("garbage"));
    note = next_smtp(&setup);
    assert_failed(&note, SMTP_AUTH_FAILURE_MALFORMED);
    struct smtp_auth_begin clear = {.session = 500, .mechanism = SLICE("PLAIN"), .peer = home};
    send(&setup, &setup.smtp, smtp_auth_put_begin(&setup.note, &setup.smtp_ledger, &clear));
    note = next_smtp(&setup);
    assert_failed(&note, SMTP_AUTH_FAILURE_WEAK);
    clear.session = 501;
    clear.peer = SLICE("\x7F\0\0\x01");
    send(&setup, &setup.smtp, smtp_auth_put_begin(&setup.note, &setup.smtp_ledger, &clear));
    note = next_smtp(&setup);
    assert_failed(&note, SMTP_AUTH_FAILURE_WEAK);
    setup.world.config.auth_plaintext_on_loopback = true;
    clear.session = 502;
    send(&setup, &setup.smtp, smtp_auth_put_begin(&setup.note, &setup.smtp_ledger, &clear));
    assert_int_equal(next_smtp(&setup).kind, SMTP_AUTH_CHALLENGE);
    clear.session = 503;
    clear.peer = SLICE("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02"); /* beside ::1 is not ::1 */
    send(&setup, &setup.smtp, smtp_auth_put_begin(&setup.note, &setup.smtp_ledger, &clear));
    note = next_smtp(&setup);
    assert_failed(&note, SMTP_AUTH_FAILURE_WEAK);
    clear.session = 504;
    clear.peer = SLICE("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01");
    send(&setup, &setup.smtp, smtp_auth_put_begin(&setup.note, &setup.smtp_ledger, &clear));
    assert_int_equal(next_smtp(&setup).kind, SMTP_AUTH_CHALLENGE);
    close_setup(&setup);
}

static void
aborted_and_forgotten_exchanges_get_their_one_answer(void **state)
{
    static struct setup setup;

    (void)state;
    open_setup(&setup);
    begin(&setup, "LOGIN", false, SLICE(""));
    assert_int_equal(next_smtp(&setup).kind, SMTP_AUTH_CHALLENGE);
    struct smtp_auth_abort abort_note = {setup.session - 1};
    send(&setup, &setup.smtp, smtp_auth_put_abort(&setup.note, &setup.smtp_ledger, &abort_note));
    struct smtp_auth_note note = next_smtp(&setup);
    assert_failed(&note, SMTP_AUTH_FAILURE_TEMPORARY);
    begin(&setup, "LOGIN", false, SLICE(""));
    assert_int_equal(next_smtp(&setup).kind, SMTP_AUTH_CHALLENGE);
    world_run(&setup.world, 301 * 1000);
    note = next_smtp(&setup);
    assert_failed(&note, SMTP_AUTH_FAILURE_TEMPORARY);
    /* Gone in the middle of a hash. */
    begin(&setup, "PLAIN", true, SLICE("\0alice@a.test\0pencil"));
    host_channel_close(&setup.smtp.channel);
    world_run(&setup.world, 1000);
    close_setup(&setup);
}

static void
changed_files_count_at_the_next_login(void **state)
{
    static struct setup setup;
    struct buffer line;

    (void)state;
    open_setup(&setup);
    assert_int_equal(plain(&setup, "|alice@a.test|pencil").kind, SMTP_AUTH_GRANTED);
    buffer_init(&line, 4096);
    put_secret(&line, "alice@a.test", 1, "crayon", false);
    world_write(&setup.world, "secrets", buffer_slice(&line), true);
    world_run(&setup.world, 200);
    assert_int_equal(plain(&setup, "|alice@a.test|pencil").kind, SMTP_AUTH_FAILED);
    assert_int_equal(plain(&setup, "|alice@a.test|crayon").kind, SMTP_AUTH_GRANTED);
    world_write(&setup.world, "accounts", SLICE("account alice@a.test id=1 disabled\n"), true);
    world_run(&setup.world, 200);
    assert_int_equal(plain(&setup, "|alice@a.test|crayon").kind, SMTP_AUTH_FAILED);
    buffer_finish(&line);
    close_setup(&setup);
}

static void
many_that_wait_for_a_hash_are_bounded_for_one_customer(void **state)
{
    static struct setup setup;
    unsigned refused = 0, computed = 0;

    (void)state;
    open_setup(&setup);
    for (unsigned i = 0; i < 40; i++)
        begin(&setup, "PLAIN", true, SLICE("\0nobody@a.test\0guess"));
    for (unsigned i = 0; i < 40; i++) {
        struct smtp_auth_note note = next_smtp(&setup);
        assert_int_equal(note.kind, SMTP_AUTH_FAILED);
        refused += note.as.failed.failure == SMTP_AUTH_FAILURE_TEMPORARY;
        computed += note.as.failed.failure == SMTP_AUTH_FAILURE_CREDENTIALS;
    }
    /* Two are with the helpers and sixteen wait; some come when there is room again. */
    assert_true(refused > 0 && computed >= 18);
    close_setup(&setup);
}

static void
a_bad_note_closes_the_channel_and_no_more(void **state)
{
    static struct setup setup;

    (void)state;
    open_setup(&setup);
    host_channel_send(setup.access.channel, SLICE("\x02nonsense"), HOST_HANDLE_NONE);
    host_channel_send(setup.store.channel, SLICE("\x02nonsense"), HOST_HANDLE_NONE);
    world_run(&setup.world, 100);
    assert_true(setup.access.is_closed && setup.store.is_closed);
    assert_int_equal(plain(&setup, "|alice@a.test|pencil").kind, SMTP_AUTH_GRANTED);
    close_setup(&setup);
}

/* Of a verifier the half is lost: no password is wrong for it, and nobody guesses at it. */
static void
a_password_that_cannot_be_compared_is_not_called_wrong(void **state)
{
    static struct setup setup;

    (void)state;
    open_setup(&setup);
    world_write(&setup.world, "secrets",
                SLICE("secret bare@a.test id=4 crypt=$argon2id$v=19$m=65536,t\n"), true);
    world_run(&setup.world, 200);
    for (unsigned i = 0; i <= LOCKOUT_PATIENCE + 1; i++) {
        struct smtp_auth_note note = plain(&setup, "|bare@a.test|pencil");
        assert_failed(&note, SMTP_AUTH_FAILURE_TEMPORARY);
        assert_int_equal(note.as.failed.delay_ms, 0);
    }
    close_setup(&setup);
}

static void
keys_that_were_never_read_call_no_token_bad(void **state)
{
    static const char *const files[] = {NULL, "", "{\"keys\": []}"};
    static struct setup setup;

    (void)state;
    open_setup_of(&setup, SLICE("https://id.test"));
    setup.world.config.auth_mechanisms |= CONFIG_MECHANISM_OAUTHBEARER;
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        if (files[i])
            world_write(&setup.world, "oauth-keys.json", slice_of_string(files[i]), false);
        begin(&setup, "OAUTHBEARER", true,
              SLICE("n,,\1auth=Bearer eyJhbGciOiJFZERTQSJ9.e30.AAAA\1\1"));
        struct smtp_auth_note note = next_smtp(&setup);
        if (i < 2)
            assert_failed(&note, SMTP_AUTH_FAILURE_TEMPORARY);
        else
            assert_int_equal(note.kind, SMTP_AUTH_CHALLENGE); /* no key fits it */
    }
    close_setup(&setup);
}

/* ---- tokens whose issuer is asked ---------------------------------------------------------- */

struct issuer_setup {
    struct setup setup;
    struct world_peer issuer;
    struct note_ledger ledger;
};

static void
open_issuer(struct issuer_setup *with)
{
    *with = (struct issuer_setup){0};
    open_setup(&with->setup);
    with->setup.world.config.auth_mechanisms |= CONFIG_MECHANISM_OAUTHBEARER;
    with->setup.world.config.oauth_introspection = SLICE("https://id.test/");
    world_attach(&with->setup.world, &with->issuer, ROLE_ISSUER, 0);
}

static void
close_issuer(struct issuer_setup *with)
{
    world_detach(&with->issuer);
    note_ledger_finish(&with->ledger);
    close_setup(&with->setup);
}

/* Begins with a token; the number of the question that the issuer is asked. */
static uint64_t
bring(struct issuer_setup *with, const char *token)
{
    struct auth_issuer_note note;
    char message[256];

    int len = snprintf(message, sizeof(message), "n,,\1auth=Bearer %s\1\1", token);
    begin(&with->setup, "OAUTHBEARER", true, slice_of(message, (size_t)len));
    assert_true(auth_issuer_take(world_next(&with->issuer), -1, 0, &with->ledger,
                                 &with->setup.arena, &note));
    assert_int_equal(note.kind, AUTH_ISSUER_ASK);
    assert_true(slice_equal(note.as.ask.token, slice_of_string(token)));
    return note.as.ask.id;
}

static void
tell(struct issuer_setup *with, uint64_t id, bool is_told, uint8_t result, const char *name)
{
    struct auth_issuer_told told = {id, is_told, result, slice_of_string(name)};

    send(&with->setup, &with->issuer,
         auth_issuer_put_told(&with->setup.note, &with->ledger, &told));
}

static void
a_token_is_as_good_as_its_issuer_says(void **state)
{
    static struct issuer_setup with;

    (void)state;
    open_issuer(&with);
    tell(&with, bring(&with, "a-token"), true, TOKEN_OK, "alice@a.test");
    struct smtp_auth_note note = next_smtp(&with.setup);
    assert_int_equal(note.kind, SMTP_AUTH_GRANTED);
    assert_int_equal(note.as.granted.account, 1);
    /* Of nobody, of somebody who may not, bad, and of a kind that is not known. */
    static const struct {
        uint8_t result;
        const char *name;
    } cases[] = {{TOKEN_OK, "nobody@a.test"},
                 {TOKEN_OK, "off@a.test"},
                 {TOKEN_INACTIVE, "alice@a.test"},
                 {UINT8_MAX, "alice@a.test"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        tell(&with, bring(&with, "b"), true, cases[i].result, cases[i].name);
        note = next_smtp(&with.setup);
        assert_int_equal(note.kind, SMTP_AUTH_CHALLENGE); /* RFC 7628 §3.2.2 */
        struct smtp_auth_step step = {with.setup.session - 1, SLICE("\1")};
        send(&with.setup, &with.setup.smtp,
             smtp_auth_put_step(&with.setup.note, &with.setup.smtp_ledger, &step));
        note = next_smtp(&with.setup);
        assert_failed(&note, SMTP_AUTH_FAILURE_CREDENTIALS);
    }
    close_issuer(&with);
}

static void
an_issuer_that_is_away_is_no_yes_and_no_no(void **state)
{
    static struct issuer_setup with;

    (void)state;
    open_issuer(&with);
    tell(&with, bring(&with, "a"), false, TOKEN_OK, "alice@a.test");
    struct smtp_auth_note note = next_smtp(&with.setup);
    assert_failed(&note, SMTP_AUTH_FAILURE_TEMPORARY);
    /* Its client goes: the answer is for nobody. */
    uint64_t id = bring(&with, "b");
    struct smtp_auth_abort abort_note = {with.setup.session - 1};
    send(&with.setup, &with.setup.smtp,
         smtp_auth_put_abort(&with.setup.note, &with.setup.smtp_ledger, &abort_note));
    note = next_smtp(&with.setup);
    assert_failed(&note, SMTP_AUTH_FAILURE_TEMPORARY);
    tell(&with, id, true, TOKEN_OK, "alice@a.test");
    /* It dies while it is asked, and is not there then. */
    (void)bring(&with, "c");
    host_channel_close(&with.issuer.channel);
    note = next_smtp(&with.setup);
    assert_failed(&note, SMTP_AUTH_FAILURE_TEMPORARY);
    begin(&with.setup, "OAUTHBEARER", true, SLICE("n,,\1auth=Bearer d\1\1"));
    note = next_smtp(&with.setup);
    assert_failed(&note, SMTP_AUTH_FAILURE_TEMPORARY);
    close_issuer(&with);
}

static void
what_one_customer_asks_of_an_issuer_is_bounded(void **state)
{
    static struct issuer_setup with;
    struct smtp_auth_note note;

    (void)state;
    open_issuer(&with);
    for (unsigned i = 0; i < 16; i++)
        (void)bring(&with, "a");
    begin(&with.setup, "OAUTHBEARER", true, SLICE("n,,\1auth=Bearer b\1\1"));
    note = next_smtp(&with.setup);
    assert_failed(&note, SMTP_AUTH_FAILURE_TEMPORARY);
    assert_int_equal(with.issuer.count, 16);
    close_issuer(&with);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_logins_are_told_apart_by_the_password_alone),
        cmocka_unit_test(scram_logins_show_strangers_salts_that_stay),
        cmocka_unit_test(access_hears_after_store),
        cmocka_unit_test(who_has_too_many_sessions_hears_it),
        cmocka_unit_test(access_hears_of_no_grant_when_store_goes),
        cmocka_unit_test(apop_wants_the_digest_of_a_kept_secret),
        cmocka_unit_test(guesses_are_delayed_and_then_locked),
        cmocka_unit_test(what_is_not_offered_or_too_weak_is_refused),
        cmocka_unit_test(aborted_and_forgotten_exchanges_get_their_one_answer),
        cmocka_unit_test(changed_files_count_at_the_next_login),
        cmocka_unit_test(many_that_wait_for_a_hash_are_bounded_for_one_customer),
        cmocka_unit_test(a_bad_note_closes_the_channel_and_no_more),
        cmocka_unit_test(a_password_that_cannot_be_compared_is_not_called_wrong),
        cmocka_unit_test(keys_that_were_never_read_call_no_token_bad),
        cmocka_unit_test(a_token_is_as_good_as_its_issuer_says),
        cmocka_unit_test(an_issuer_that_is_away_is_no_yes_and_no_no),
        cmocka_unit_test(what_one_customer_asks_of_an_issuer_is_bounded),
    };
    return cmocka_run_group_tests(tests, make_secrets, free_secrets);
}
