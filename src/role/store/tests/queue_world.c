/* SPDX-License-Identifier: ISC */
#include "role/store/tests/queue_world.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAP_BYTES = 1 << 30, STEP_MS = 5 };

#define PREFIX "Return-Path: <fred@a.test>\r\n"

static void
make_folder(struct world *world)
{
    struct host_dir *data = NULL;

    assert_int_equal(host_dir_open(world->host, "/data", &data), 0);
    assert_int_equal(host_dir_make(data, "store"), 0);
    host_dir_close(&data);
}

/* As world_start, with the tool's socket between opening and starting. */
static void
start(struct queue_world *setup)
{
    struct world *world = &setup->world;
    struct role_start start = {.host = world->host,
                               .config = &world->config,
                               .processes = 1,
                               .fail = world_fail,
                               .fail_context = world};
    host_handle socket = sim_listen_tool(world->sim, world->host);

    world->state = role_store.open(&start);
    assert_non_null(world->state);
    setup->tool = (struct world_peer){.world = world};
    setup->tool.host = sim_host_open(world->sim, "tool");
    host_handle ours = sim_tool_connect(world->sim, setup->tool.host, socket);
    role_store.listen(world->state, SERVICE_ADMIN, socket);
    assert_true(role_store.start(world->state));
    static const struct host_channel_handler handler = {.on_note = world_on_note,
                                                        .on_closed = world_on_closed};
    setup->tool.channel = host_channel_open(setup->tool.host, ours, &handler, &setup->tool);
}

static void
meet(struct queue_world *setup)
{
    start(setup);
    world_attach(&setup->world, &setup->smtp, ROLE_SMTP, 0);
    world_attach(&setup->world, &setup->deliver, ROLE_DELIVER, 0);
    world_attach(&setup->world, &setup->route, ROLE_ROUTE, 0);
    world_attach(&setup->world, &setup->transport, ROLE_TRANSPORT, 0);
}

static void
part(struct queue_world *setup)
{
    struct world_peer *peers[] = {&setup->smtp, &setup->deliver, &setup->route, &setup->transport,
                                  &setup->tool};
    struct note_ledger *ledgers[] = {&setup->smtp_ledger, &setup->deliver_ledger,
                                     &setup->route_ledger, &setup->transport_ledger,
                                     &setup->tool_ledger};

    for (size_t i = 0; i < COUNT_OF(peers); i++)
        world_detach(peers[i]);
    for (size_t i = 0; i < COUNT_OF(ledgers); i++)
        note_ledger_finish(ledgers[i]);
}

int
queue_world_open(void **state)
{
    struct queue_world *setup = calloc(1, sizeof(*setup));

    if (!setup)
        abort();
    *state = setup;
    *setup = (struct queue_world){.id = 1, .folder = "/tmp/facteur-outgoing-XXXXXX"};
    assert_non_null(mkdtemp(setup->folder));
    struct sim_options options = {.real_path = setup->folder};
    world_open_seeded(&setup->world, &role_store, 1, &options);
    setup->world.config.queue_interval_max = duration_s(1);
    setup->world.config.store_map_size = MAP_BYTES;
    make_folder(&setup->world);
    arena_init(&setup->arena, 1 << 26);
    buffer_init(&setup->note, HOST_NOTE_MAX);
    meet(setup);
    return 0;
}

static int
remove_one(const char *path, const struct stat *facts, int kind, struct FTW *place)
{
    (void)facts, (void)kind, (void)place;
    return remove(path);
}

int
queue_world_close(void **state)
{
    struct queue_world *setup = *state;

    part(setup);
    world_close(&setup->world);
    buffer_finish(&setup->note);
    arena_finish(&setup->arena);
    assert_int_equal(nftw(setup->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    free(setup);
    return 0;
}

void
queue_world_restart(struct queue_world *setup, void (*meanwhile)(struct queue_world *world))
{
    part(setup);
    setup->world.role->close(setup->world.state);
    meanwhile(setup);
    meet(setup);
}

void
queue_world_damage_view(const struct queue_world *world, struct slice pattern, size_t at)
{
    char path[128];
    unsigned count = 0;

    snprintf(path, sizeof(path), "%s/data/store/view/data.mdb", world->folder);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size_t size = (size_t)ftell(file);
    uint8_t *octets = malloc(size);
    assert_non_null(octets);
    rewind(file);
    assert_int_equal(fread(octets, 1, size, file), size);
    for (size_t i = 0; i + pattern.len + at < size; i++) {
        if (memcmp(octets + i, pattern.at, pattern.len) != 0)
            continue;
        uint8_t other = octets[i + at] ^ 0x55;
        assert_int_equal(fseek(file, (long)(i + at), SEEK_SET), 0);
        assert_int_equal(fwrite(&other, 1, 1, file), 1);
        count++;
    }
    assert_int_equal(fclose(file), 0);
    free(octets);
    assert_in_range(count, 1, 20);
}

static void
send(struct queue_world *setup, struct world_peer *peer, bool is_put)
{
    assert_true(is_put);
    host_channel_send(peer->channel, buffer_slice(&setup->note), HOST_HANDLE_NONE);
    buffer_clear(&setup->note);
}

/* ---- the others, as they answer -------------------------------------------------------------- */

static void
play_deliver(struct queue_world *setup, struct slice bytes)
{
    struct store_deliver_note note;

    assert_true(store_deliver_take(bytes, -1, 0, &setup->deliver_ledger, &setup->arena, &note));
    if (note.kind == STORE_DELIVER_PARSE) {
        struct store_deliver_parsed parsed = {.id = note.as.parse.id};
        send(setup, &setup->deliver,
             store_deliver_put_parsed(&setup->note, &setup->deliver_ledger, &parsed));
    } else if (note.kind == STORE_DELIVER_REPORT) {
        const struct store_deliver_report *report = &note.as.report;
        struct store_deliver_report_built built = {
            .id = report->id, .message = SLICE("From: <postmaster@a.test>\r\n\r\nText\r\n")};
        if (setup->may_not_build)
            built.message = SLICE("");
        for (size_t i = 0; i < report->recipients.count && !setup->may_not_build; i++)
            setup->reports[report->recipients.at[i].action]++;
        snprintf(setup->status, sizeof(setup->status), "%.*s",
                 (int)report->recipients.at[0].status.len, report->recipients.at[0].status.at);
        send(setup, &setup->deliver,
             store_deliver_put_report_built(&setup->note, &setup->deliver_ledger, &built));
    }
}

static void
tell_report_address(struct queue_world *setup, uint64_t id)
{
    struct store_route_report_mailbox mailbox = {.address = SLICE("")};
    struct store_route_report_addresses note = {
        .id = id, .outcome = STORE_ROUTE_OUTCOME_TEMPORARY, .addresses.at = &mailbox};

    setup->report_asks++;
    if (setup->report_address) {
        mailbox.address = slice_of_string(setup->report_address);
        note.outcome = STORE_ROUTE_OUTCOME_FOUND;
        note.addresses.count = 1;
    }
    send(setup, &setup->route,
         store_route_put_report_addresses(&setup->note, &setup->route_ledger, &note));
}

static void
play_route(struct queue_world *setup, struct slice bytes)
{
    struct store_route_note note;

    assert_true(store_route_take(bytes, -1, 0, &setup->route_ledger, &setup->arena, &note));
    if (note.kind == STORE_ROUTE_REPORT_ADDRESS) {
        tell_report_address(setup, note.as.report_address.id);
        return;
    }
    if (note.kind == STORE_ROUTE_LOCATE) {
        struct store_route_located located = {.id = note.as.locate.id,
                                              .verdict = STORE_ROUTE_VERDICT_LOCAL,
                                              .targets = {setup->targets, setup->target_count}};
        send(setup, &setup->route,
             store_route_put_located(&setup->note, &setup->route_ledger, &located));
        return;
    }
    assert_int_equal(note.kind, STORE_ROUTE_NEXT_HOP);
    bool is_ours = slice_ends_with(note.as.next_hop.recipient, SLICE("@a.test"));
    struct store_route_hop hop = {
        .id = note.as.next_hop.id,
        .outcome = is_ours ? STORE_ROUTE_OUTCOME_TEMPORARY : STORE_ROUTE_OUTCOME_FOUND,
        .status = SLICE("4.0.0"),
        .destination = slice_skip(note.as.next_hop.recipient,
                                  slice_find_last_byte(note.as.next_hop.recipient, '@') + 1),
        .valid_s = 300,
        .is_for_domain = !setup->is_route_particular,
    };
    if (setup->on_hop)
        setup->on_hop(setup, &hop);
    setup->asked += !is_ours;
    send(setup, &setup->route, store_route_put_hop(&setup->note, &setup->route_ledger, &hop));
}

static void
play_transport(struct queue_world *setup, struct slice bytes)
{
    struct store_transport_result results[STORE_TRANSPORT_CARRY_RECIPIENTS_MAX];
    bool is_good = setup->outcome == STORE_TRANSPORT_OUTCOME_DELIVERED;
    struct store_transport_note note;

    assert_true(store_transport_take(bytes, -1, 0, &setup->transport_ledger, &setup->arena, &note));
    size_t count = note.as.carry.recipients.count;
    for (size_t i = 0; i < count; i++)
        results[i] =
            (struct store_transport_result){.outcome = setup->outcome,
                                            .code = is_good ? 250 : 450,
                                            .status = is_good ? SLICE("2.0.0") : SLICE("4.2.0"),
                                            .text = SLICE("so it is")};
    struct store_transport_carried carried = {
        .id = note.as.carry.id,
        .reach = setup->reach,
        .results = {results, count},
        .attempts = {setup->attempt, setup->attempt ? 1 : 0},
    };
    setup->carried++;
    if (setup->on_carry)
        setup->on_carry(setup, &note.as.carry);
    setup->recipients += (unsigned)count;
    send(setup, &setup->transport,
         store_transport_put_carried(&setup->note, &setup->transport_ledger, &carried));
}

static void
play_smtp(struct queue_world *setup, struct slice bytes)
{
    struct smtp_store_note note;

    assert_true(smtp_store_take(bytes, -1, 1, &setup->smtp_ledger, &setup->arena, &note));
    assert_int_equal(note.kind, SMTP_STORE_FILED);
    bool is_refused = note.as.filed.outcomes.at[0].kind != SMTP_STORE_OUTCOME_KIND_DELIVERED;
    assert_true(!is_refused || setup->may_refuse);
    setup->refused += is_refused;
    setup->filed++;
}

/* What has been answered makes room for more notes. */
static void
forget(struct world_peer *peer)
{
    if (peer->taken < peer->count)
        return;
    for (size_t i = 0; i < peer->count; i++)
        buffer_finish(&peer->notes[i]);
    peer->taken = peer->count = 0;
}

/* Answers at most so many of what has come. */
static void
answer(struct queue_world *setup, struct world_peer *peer,
       void (*play)(struct queue_world *, struct slice), size_t most)
{
    for (; peer->taken < peer->count && most > 0; most--)
        play(setup, world_next(peer));
    forget(peer);
}

void
queue_world_answer_but_transport(struct queue_world *setup)
{
    answer(setup, &setup->smtp, play_smtp, SIZE_MAX);
    answer(setup, &setup->deliver, play_deliver, SIZE_MAX);
    answer(setup, &setup->route, play_route, SIZE_MAX);
    arena_reset(&setup->arena);
}

void
queue_world_run(struct queue_world *setup, int64_t ms)
{
    for (; ms > 0; ms -= STEP_MS) {
        world_run(&setup->world, STEP_MS);
        queue_world_answer_but_transport(setup);
        answer(setup, &setup->transport, play_transport,
               setup->carried_max > 0 ? setup->carried_max : SIZE_MAX);
    }
}

void
queue_world_submit(struct queue_world *setup, unsigned count, const char *domain,
                   const struct smtp_store_submit *wishes)
{
    struct smtp_store_recipient recipients[QUEUE_WORLD_RECIPIENTS_MAX];
    char addresses[QUEUE_WORLD_RECIPIENTS_MAX][32];
    struct smtp_store_submit note = *wishes;

    assert_in_range(count, 1, QUEUE_WORLD_RECIPIENTS_MAX);
    for (unsigned i = 0; i < count; i++) {
        snprintf(addresses[i], sizeof(addresses[i]), "user%u@%s", i, domain);
        recipients[i] = (struct smtp_store_recipient){.box = SMTP_STORE_BOX_REMOTE,
                                                      .address = slice_of_string(addresses[i])};
    }
    note.id = setup->id++;
    note.queue_id = note.queue_id.len > 0 ? note.queue_id : SLICE("Q1");
    note.reverse_path = note.reverse_path.len > 0 ? note.reverse_path : SLICE("fred@a.test");
    note.prefix = SLICE(PREFIX);
    note.prefix_return_path_len = sizeof(PREFIX) - 1;
    note.body = SLICE("Subject: hi\r\n\r\nText\r\n");
    note.recipients.at = recipients;
    note.recipients.count = count;
    send(setup, &setup->smtp, smtp_store_put_submit(&setup->note, &setup->smtp_ledger, &note));
}

static void
keep_row(struct queue_world *setup, const struct tool_store_queue_entry *entry,
         struct queue_world_answer *answer)
{
    struct queue_world_row *row = &answer->rows[answer->count++ % QUEUE_WORLD_ROWS_MAX];
    struct slice text =
        entry->history.count > 0 ? entry->history.at[entry->history.count - 1].text : SLICE("");

    *row = (struct queue_world_row){
        .state = entry->state,
        .attempts = entry->attempts,
        .history = entry->history.count,
        .due_ms = (entry->due_ns - host_wall(setup->world.host).ns) / 1000000,
    };
    snprintf(row->id, sizeof(row->id), "%.*s", (int)entry->queue_id.len, entry->queue_id.at);
    snprintf(row->recipient, sizeof(row->recipient), "%.*s", (int)entry->recipient.len,
             entry->recipient.at);
    snprintf(row->text, sizeof(row->text), "%.*s", (int)text.len, text.at);
}

void
queue_world_say(struct queue_world *setup, const struct tool_store_queue_ask *ask)
{
    struct tool_store_queue_ask note = *ask;

    note.id = setup->id++;
    send(setup, &setup->tool, tool_store_put_queue_ask(&setup->note, &setup->tool_ledger, &note));
}

void
queue_world_ask(struct queue_world *setup, const struct tool_store_queue_ask *ask,
                struct queue_world_answer *ret_answer)
{
    struct tool_store_note answer;

    *ret_answer = (struct queue_world_answer){0};
    queue_world_say(setup, ask);
    for (;;) {
        struct slice bytes = world_next(&setup->tool);
        assert_true(tool_store_take(bytes, -1, 1, &setup->tool_ledger, &setup->arena, &answer));
        if (answer.kind == TOOL_STORE_QUEUE_DONE)
            break;
        assert_int_equal(answer.kind, TOOL_STORE_QUEUE_ENTRY);
        keep_row(setup, &answer.as.queue_entry, ret_answer);
    }
    ret_answer->done = answer.as.queue_done;
    forget(&setup->tool);
    arena_reset(&setup->arena);
}
