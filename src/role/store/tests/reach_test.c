/* SPDX-License-Identifier: ISC */
/* What a session reaches, whatever a hijacked access says in its notes: nothing that its user has
 * no right to; and what may not be known of is as what is not there. */
#include "role/store/reach.h"

#include "host/sim/sim.h"
#include "mailbox/key.h"
#include "mailbox/sharing.h"
#include "mailbox/store_private.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ALICE = 7, BOB = 9 };

#define ALICE_NAME SLICE("alice@example.test")
#define BOB_NAME SLICE("bob@example.test")

struct scene {
    struct sim *sim;
    struct host *host;
    struct host_dir *dir;
    struct store *store;
    struct arena arena;
    struct config config;
    char view[128];
    mailbox_id work, secret;
};

static void
keep_result(void *context, enum store_result result)
{
    *(enum store_result *)context = result;
}

static void
commit(struct scene *scene)
{
    enum store_result result = STORE_BUSY;

    store_commit(scene->store, keep_result, &result);
    assert_int_equal(result, STORE_OK);
}

static void
share(struct scene *scene, mailbox_id mailbox, unsigned rights)
{
    assert_int_equal(mailbox_acl_set(scene->store, ALICE, mailbox, BOB_NAME, rights), STORE_OK);
    commit(scene);
}

static int
open_scene(void **state)
{
    static struct scene scene;
    struct sim_options sim_options = {0};
    const char *base = getenv("TMPDIR");
    struct buffer why;

    scene = (struct scene){.sim = sim_open(1, &sim_options)};
    snprintf(scene.view, sizeof(scene.view), "%s/facteur-view-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(scene.view));
    scene.host = sim_host_open(scene.sim, "store");
    assert_int_equal(host_dir_open(scene.host, "/", &scene.dir), 0);
    struct store_options options = {
        .host = scene.host, .dir = scene.dir, .view_path = scene.view, .map_bytes = 64 << 20};
    buffer_init(&why, 1024);
    assert_int_equal(store_open(&options, &why, &scene.store), 0);
    buffer_finish(&why);
    arena_init(&scene.arena, CONFIG_ARENA_MAX);
    config_default(&scene.arena, &scene.config);
    assert_int_equal(mailbox_open(scene.store, ALICE, SLICE("Work"), &scene.work), STORE_OK);
    assert_int_equal(mailbox_open(scene.store, ALICE, SLICE("Work/Secret"), &scene.secret),
                     STORE_OK);
    assert_int_equal(mailbox_owner_set(scene.store, ALICE, ALICE_NAME), STORE_OK);
    commit(&scene);
    *state = &scene;
    return 0;
}

static int
remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

static int
close_scene(void **state)
{
    struct scene *scene = *state;

    store_abandon(&scene->store);
    host_dir_close(&scene->dir);
    sim_host_close(&scene->host);
    nftw(scene->view, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    sim_close(&scene->sim);
    arena_finish(&scene->arena);
    return 0;
}

static struct reach
bob(const struct scene *scene)
{
    return (struct reach){scene->store, &scene->config, BOB, BOB_NAME};
}

static enum store_result
get(const struct scene *scene, mailbox_id mailbox, unsigned needed)
{
    struct reach reach = bob(scene);
    struct reached reached;

    return reach_get(&reach, ALICE, mailbox, needed, &reached);
}

static enum store_result
find(const struct scene *scene, const char *name, unsigned needed)
{
    struct reach reach = bob(scene);
    struct reached reached;

    return reach_find(&reach, slice_of_string(name), needed, &reached);
}

static void
without_rights_there_is_nothing(void **state)
{
    struct scene *scene = *state;

    for (mailbox_id mailbox = 0; mailbox < 5; mailbox++)
        assert_int_equal(get(scene, mailbox, RIGHTS_ALL), STORE_NOT_FOUND);
    assert_int_equal(find(scene, "Other Users/alice@example.test/Work", RIGHTS_ALL),
                     STORE_NOT_FOUND);
    assert_int_equal(find(scene, "Other Users/alice@example.test/Nothing", RIGHTS_ALL),
                     STORE_NOT_FOUND);
    assert_int_equal(find(scene, "Other Users/nobody@example.test/Work", RIGHTS_ALL),
                     STORE_NOT_FOUND);
}

/* An octet of the view becomes another, behind each place where the pattern stands. */
static void
damage_view(const struct scene *scene, struct slice pattern)
{
    char path[160];
    unsigned count = 0;

    snprintf(path, sizeof(path), "%s/data.mdb", scene->view);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size_t size = (size_t)ftell(file);
    uint8_t *octets = malloc(size);
    assert_non_null(octets);
    rewind(file);
    assert_int_equal(fread(octets, 1, size, file), size);
    for (size_t i = 0; i + pattern.len < size; i++) {
        if (memcmp(octets + i, pattern.at, pattern.len) != 0)
            continue;
        uint8_t other = octets[i + pattern.len] ^ 0x55;
        assert_int_equal(fseek(file, (long)(i + pattern.len), SEEK_SET), 0);
        assert_int_equal(fwrite(&other, 1, 1, file), 1);
        count++;
    }
    assert_int_equal(fclose(file), 0);
    free(octets);
    assert_in_range(count, 1, 20);
}

/* Whose mailbox it is cannot be read: it may be there, and nobody need make it. */
static void
what_cannot_be_read_is_not_called_absent(void **state)
{
    struct scene *scene = *state;
    struct key key = key_owned(ALICE_NAME);

    share(scene, scene->work, RIGHTS_ALL);
    store_sync_view(scene->store);
    damage_view(scene, key_slice(&key));
    enum store_result result = find(scene, "Other Users/alice@example.test/Work", RIGHT_READ);
    assert_int_not_equal(result, STORE_OK);
    assert_int_not_equal(result, STORE_NOT_FOUND);
}

static void
each_right_opens_what_it_says(void **state)
{
    struct scene *scene = *state;

    share(scene, scene->work, RIGHT_READ);
    assert_int_equal(get(scene, scene->work, RIGHT_READ), STORE_OK);
    assert_int_equal(get(scene, scene->work, RIGHT_WRITE), STORE_NOT_FOUND);
    share(scene, scene->work, RIGHT_READ | RIGHT_LOOKUP);
    assert_int_equal(get(scene, scene->work, RIGHT_WRITE), STORE_FORBIDDEN);
    assert_int_equal(get(scene, scene->secret, RIGHT_READ), STORE_NOT_FOUND);
    assert_int_equal(find(scene, "Other Users/alice@example.test/Work", RIGHT_READ), STORE_OK);
    assert_int_equal(find(scene, "Other Users/alice@example.test/Work", RIGHT_REMOVE),
                     STORE_FORBIDDEN);
    share(scene, scene->work, 0);
    assert_int_equal(get(scene, scene->work, RIGHT_READ), STORE_NOT_FOUND);
}

static void
a_list_that_outlives_its_mailbox_opens_nothing(void **state)
{
    struct scene *scene = *state;

    share(scene, scene->work, RIGHTS_ALL);
    assert_int_equal(mailbox_remove(scene->store, ALICE, SLICE("Work")), STORE_OK);
    commit(scene);
    assert_int_equal(get(scene, scene->work, RIGHTS_ALL), STORE_NOT_FOUND);
}

static void
new_mailboxes_need_a_right_above_them(void **state)
{
    struct scene *scene = *state;
    struct reach reach = bob(scene);

    share(scene, scene->work, RIGHT_LOOKUP | RIGHT_READ);
    assert_int_equal(reach_check_new(&reach, ALICE, SLICE("Work/a/b")), STORE_FORBIDDEN);
    share(scene, scene->work, RIGHT_CREATE);
    assert_int_equal(reach_check_new(&reach, ALICE, SLICE("Work/a/b")), STORE_OK);
    assert_int_equal(reach_check_new(&reach, ALICE, SLICE("Work/Secret/a")), STORE_FORBIDDEN);
    assert_int_equal(reach_check_new(&reach, ALICE, SLICE("Top")), STORE_FORBIDDEN);
    assert_int_equal(reach_check_new(&reach, BOB, SLICE("Top")), STORE_OK);
}

static void
what_is_listed_can_be_looked_up(void **state)
{
    struct scene *scene = *state;
    struct reach reach = bob(scene);
    struct buffer shares, name;

    share(scene, scene->work, RIGHT_READ);
    assert_int_equal(reach_list(&reach, &shares), STORE_OK);
    assert_int_equal(buffer_len(&shares), 0);
    buffer_finish(&shares);
    /* to him and to all: it is listed once */
    assert_int_equal(
        mailbox_acl_set(scene->store, ALICE, scene->work, SLICE("anyone"), RIGHT_LOOKUP), STORE_OK);
    share(scene, scene->work, RIGHT_READ | RIGHT_LOOKUP);
    assert_int_equal(reach_list(&reach, &shares), STORE_OK);
    assert_int_equal(buffer_len(&shares), sizeof(struct reached));
    buffer_finish(&shares);
    buffer_init(&name, 1000);
    assert_true(reach_put_name(&reach, ALICE, SLICE("Work"), &name));
    assert_true(slice_equal(buffer_slice(&name), SLICE("Other Users/alice@example.test/Work")));
    assert_false(reach_put_name(&reach, BOB, SLICE("Work"), &name)); /* he shares nothing */
    buffer_finish(&name);
}

/* A program that hears of no such mailbox any more forgets what it has of it. */
static void
what_cannot_be_read_is_not_said_to_be_shared_with_nobody(void **state)
{
    struct scene *scene = *state;
    struct reach reach = bob(scene);
    struct view_snapshot *snapshot;
    struct buffer shares;

    share(scene, scene->work, RIGHT_READ | RIGHT_LOOKUP);
    store_sync_view(scene->store);
    assert_int_equal(view_snapshot_open(scene->store->view, &snapshot), 0);
    assert_false(view_snapshot_finds(snapshot, SLICE("a key that is lost")));
    view_snapshot_close(&snapshot);
    assert_int_equal(reach_list(&reach, &shares), STORE_TEMPORARY);
    buffer_finish(&shares);
}

static void
identifiers_have_one_form(void **state)
{
    struct scene *scene = *state;
    struct reach reach = bob(scene);
    static const struct {
        const char *sent, *kept;
    } rows[] = {
        {"carl", "carl@example.test"},
        {"-Carl", "-carl@example.test"},
        {"Carl@Example.ORG", "carl@example.org"},
        {"anyone", "anyone"},
        {"-anyone", "-anyone"},
        {"alice", NULL}, /* the owner */
        {"-alice@example.test", NULL},
        {"", NULL},
        {"-", NULL},
        {"a b", NULL},
        {"a/b", NULL},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buffer kept;
        buffer_init(&kept, 1000);
        bool is_good =
            reach_put_identifier(&reach, slice_of_string(rows[i].sent), ALICE_NAME, &kept);
        assert_int_equal(is_good, rows[i].kept != NULL);
        if (is_good)
            assert_true(slice_equal(buffer_slice(&kept), slice_of_string(rows[i].kept)));
        buffer_finish(&kept);
    }
    scene->config.imap_share_with_anyone = false;
    struct buffer kept;
    buffer_init(&kept, 1000);
    assert_false(reach_put_identifier(&reach, SLICE("anyone"), ALICE_NAME, &kept));
    buffer_finish(&kept);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_rights_there_is_nothing),
        TEST(what_cannot_be_read_is_not_called_absent),
        TEST(each_right_opens_what_it_says),
        TEST(a_list_that_outlives_its_mailbox_opens_nothing),
        TEST(new_mailboxes_need_a_right_above_them),
        TEST(what_is_listed_can_be_looked_up),
        TEST(what_cannot_be_read_is_not_said_to_be_shared_with_nobody),
        TEST(identifiers_have_one_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
