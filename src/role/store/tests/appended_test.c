/* SPDX-License-Identifier: ISC */
/* APPEND with a parse record and without one: access is believed no more than deliver. */
#include "role/store/tests/queue_world.h"

#include "mime/record.h"
#include "note/access_store.h"
#include "note/auth_store.h"
#include "note/store_deliver.h"

enum { SESSION = 5, ACCOUNT = 7 };

static const struct slice message = {(const uint8_t *)"Subject: hi\r\n\r\nText\r\n", 21};

struct scene {
    struct queue_world *queue;
    struct world_peer auth, access;
    struct note_ledger auth_ledger, access_ledger;
    struct arena arena;
    struct buffer note, record;
    uint64_t id;
};

static void
send(struct scene *scene, struct world_peer *peer, bool is_put)
{
    assert_true(is_put);
    host_channel_send(peer->channel, buffer_slice(&scene->note), HOST_HANDLE_NONE);
    buffer_clear(&scene->note);
}

static void
log_in(struct scene *scene)
{
    struct auth_store_grant grant = {
        .id = 1, .session = SESSION, .account = ACCOUNT, .name = SLICE("alice@a.test")};
    struct auth_store_note answer;

    send(scene, &scene->auth, auth_store_put_grant(&scene->note, &scene->auth_ledger, &grant));
    assert_true(auth_store_take(world_next(&scene->auth), HOST_HANDLE_NONE, 1, &scene->auth_ledger,
                                &scene->arena, &answer));
    assert_true(answer.as.granted.is_granted);
}

static void
begin(struct scene *scene, void **state)
{
    struct mime_record record;

    *scene = (struct scene){.queue = *state};
    arena_init(&scene->arena, 1 << 22);
    buffer_init(&scene->note, HOST_NOTE_MAX);
    buffer_init(&scene->record, MIME_RECORD_MAX);
    world_attach(&scene->queue->world, &scene->auth, ROLE_AUTH, 0);
    world_attach(&scene->queue->world, &scene->access, ROLE_ACCESS, 0);
    log_in(scene);
    mime_record_make(message, &scene->arena, &scene->record, &record);
}

static void
end(struct scene *scene)
{
    world_detach(&scene->auth);
    world_detach(&scene->access);
    note_ledger_finish(&scene->auth_ledger);
    note_ledger_finish(&scene->access_ledger);
    buffer_finish(&scene->note);
    buffer_finish(&scene->record);
    arena_finish(&scene->arena);
}

static void
append_beside(struct scene *scene, struct slice record, bool has_more, host_handle handle)
{
    struct access_store_append note = {
        .id = ++scene->id,
        .session = SESSION,
        .mailbox = SLICE("INBOX"),
        .has_more = has_more,
        .body = handle == HOST_HANDLE_NONE ? message : SLICE(""),
        .body_blob = handle,
        .parse_record = record,
    };

    assert_true(access_store_put_append(&scene->note, &scene->access_ledger, &note));
    host_channel_send(scene->access.channel, buffer_slice(&scene->note), handle);
    buffer_clear(&scene->note);
}

static void
append(struct scene *scene, struct slice record, bool has_more)
{
    append_beside(scene, record, has_more, HOST_HANDLE_NONE);
}

static struct access_store_appended
next(struct scene *scene, uint64_t id, enum access_store_result result)
{
    struct access_store_note note;

    assert_true(access_store_take(world_next(&scene->access), HOST_HANDLE_NONE, 1,
                                  &scene->access_ledger, &scene->arena, &note));
    assert_int_equal(note.kind, ACCESS_STORE_APPENDED);
    assert_int_equal(note.as.appended.result, result);
    assert_int_equal(note.as.appended.id, id);
    return note.as.appended;
}

static void
hear(struct scene *scene, uint64_t id, uint32_t uid)
{
    assert_int_equal(next(scene, id, ACCESS_STORE_RESULT_OK).uid, uid);
}

/* How many messages deliver was asked about; nobody has heard yet that they are kept. */
static size_t
asked_of_deliver(struct scene *scene)
{
    world_run(&scene->queue->world, 100);
    assert_int_equal(scene->access.count, scene->access.taken);
    return scene->queue->deliver.count;
}

static struct slice
good(struct scene *scene)
{
    return buffer_slice(&scene->record);
}

static void
what_comes_with_its_record_needs_no_deliver(void **state)
{
    struct scene scene;

    begin(&scene, state);
    append(&scene, good(&scene), false);
    hear(&scene, 1, 1);
    assert_int_equal(asked_of_deliver(&scene), 0);
    end(&scene);
}

static void
what_comes_without_a_record_is_parsed(void **state)
{
    struct scene scene;

    begin(&scene, state);
    append(&scene, SLICE(""), false);
    assert_int_equal(asked_of_deliver(&scene), 1);
    queue_world_run(scene.queue, 10);
    hear(&scene, 1, 1);
    end(&scene);
}

/* Of another message, cut off, or nothing of the kind: never kept. */
static void
a_record_that_is_not_right_is_not_believed(void **state)
{
    struct mime_record record;
    struct scene scene;
    struct buffer other;

    begin(&scene, state);
    buffer_init(&other, MIME_RECORD_MAX);
    mime_record_make(slice_first(message, message.len - 1), &scene.arena, &other, &record);
    const struct slice records[] = {buffer_slice(&other),
                                    slice_first(good(&scene), good(&scene).len - 1), SLICE("x")};
    for (uint32_t i = 0; i < COUNT_OF(records); i++) {
        append(&scene, records[i], false);
        assert_int_equal(asked_of_deliver(&scene), 1);
        queue_world_run(scene.queue, 10);
        hear(&scene, i + 1, i + 1);
    }
    buffer_finish(&other);
    end(&scene);
}

/* MULTIAPPEND: kept together and in their order, whichever of them deliver has to parse. */
static void
several_wait_for_the_one_that_is_parsed(void **state)
{
    struct scene scene;

    begin(&scene, state);
    for (uint32_t i = 0; i < 4; i++) {
        append(&scene, i & 1 ? good(&scene) : SLICE(""), true);
        append(&scene, i & 2 ? good(&scene) : SLICE(""), false);
        if (i < 3)
            assert_int_equal(asked_of_deliver(&scene), i == 0 ? 2 : 1);
        queue_world_run(scene.queue, 10);
        hear(&scene, 2 * i + 1, 2 * i + 1);
        hear(&scene, 2 * i + 2, 2 * i + 2);
    }
    end(&scene);
}

/* RFC 3502: all or none. A handle that is no blob stands for memory that could not be had. */
static void
with_one_of_several_all_are_refused(void **state)
{
    const struct host_address place = {
        .family = HOST_FAMILY_IPV4, .bytes = {127, 0, 0, 1}, .port = 9};
    struct scene scene;

    begin(&scene, state);
    append(&scene, good(&scene), true);
    append(&scene, SLICE(""), true);
    append_beside(&scene, good(&scene), true,
                  sim_listen(scene.queue->world.sim, scene.access.host, &place));
    append(&scene, good(&scene), true);
    append(&scene, good(&scene), false);
    (void)next(&scene, 1, ACCESS_STORE_RESULT_TEMPORARY);
    for (uint64_t id = 3; id <= 5; id++)
        (void)next(&scene, id, ACCESS_STORE_RESULT_TEMPORARY);
    queue_world_run(scene.queue, 10); /* deliver has parsed it */
    (void)next(&scene, 2, ACCESS_STORE_RESULT_TEMPORARY);
    append(&scene, good(&scene), false);
    hear(&scene, 6, 1);
    end(&scene);
}

/* What a session has begun is neither kept for the next one nor left without an answer. */
static void
what_is_begun_ends_with_its_session(void **state)
{
    const struct access_store_session_end note = {.session = SESSION};
    struct scene scene;

    begin(&scene, state);
    append(&scene, good(&scene), true);
    send(&scene, &scene.access,
         access_store_put_session_end(&scene.note, &scene.access_ledger, &note));
    (void)next(&scene, 1, ACCESS_STORE_RESULT_TEMPORARY);
    log_in(&scene);
    append(&scene, good(&scene), false);
    hear(&scene, 2, 1);
    assert_int_equal(scene.access_ledger.count, 0);
    end(&scene);
}

#define TEST(function)                                                                             \
    cmocka_unit_test_setup_teardown(function, queue_world_open, queue_world_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_comes_with_its_record_needs_no_deliver),
        TEST(what_comes_without_a_record_is_parsed),
        TEST(a_record_that_is_not_right_is_not_believed),
        TEST(several_wait_for_the_one_that_is_parsed),
        TEST(with_one_of_several_all_are_refused),
        TEST(what_is_begun_ends_with_its_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
