/* SPDX-License-Identifier: ISC */
#include "town.h"

#include "note/parent_role.h"
#include "role/frame.h"
#include "signed.h"

#include <errno.h>
#include <stdlib.h>

enum {
    SMTP_PROCESSES = 2,
    DELIVER_PROCESSES = 2,
    TRANSPORT_PROCESSES = 2,
    PROCESSES_MAX = 16,
    RESTART_MS_MAX = 1000,
    SIDE_ROLE = 1,
};

struct process {
    struct town *town;
    enum role_kind kind;
    unsigned index;
    unsigned count;    /* of its kind */
    struct host *host; /* NULL: dead, to be started at `restart` */
    struct role_frame *frame;
    struct host_channel *control; /* in the parent */
    struct note_ledger ledger;
    struct instant restart;
    uint64_t reads_failed; /* by the disk, before it started */
};

struct town {
    struct sim *sim;
    struct sim_machine *machine;
    uint8_t ipv4[4];
    const struct names_zone *zone;
    struct host *parent; /* NULL: without power */
    struct names *names;
    struct process processes[PROCESSES_MAX];
    size_t process_count;
    struct arena config_arena;
    struct config config;
    struct buffer encoded; /* configuration, as roles get it */
    struct buffer note;
    host_handle smtp, submission, lmtp, pop3, imap, admin; /* the parent's */
    bool has_submission;
    bool is_stopping;
    char complaint[400];
};

static const char config_text[] = "data_dir = /data\n"
                                  "runtime_dir = /run\n"
                                  "pop3_apop = yes\n"
                                  "store_map_size = 1GiB\n"
                                  "store_segment_size = 1MiB\n"
                                  "log_level = debug\n";

/* Who talks to whom, as in role/parent. */
static const struct {
    enum role_kind left, right;
} links[] = {
    {ROLE_SMTP, ROLE_ROUTE},    {ROLE_SMTP, ROLE_AUTH},    {ROLE_SMTP, ROLE_STORE},
    {ROLE_ACCESS, ROLE_AUTH},   {ROLE_ACCESS, ROLE_STORE}, {ROLE_AUTH, ROLE_STORE},
    {ROLE_STORE, ROLE_DELIVER}, {ROLE_STORE, ROLE_ROUTE},  {ROLE_STORE, ROLE_TRANSPORT},
    {ROLE_SMTP, ROLE_KEYS},
};

/* ---- notes of the parent -------------------------------------------------------------------- */

static void
send_note(struct process *process, bool is_put, host_handle handle)
{
    struct town *town = process->town;

    assert(is_put);
    if (process->control)
        host_channel_send(process->control, buffer_slice(&town->note), handle);
    else
        host_handle_close(town->parent, handle);
    buffer_clear(&town->note);
}

/* A store whose log cannot be read does not start; it is tried again. */
static bool
may_refuse(const struct process *process)
{
    return process->kind == ROLE_STORE &&
           sim_disk_hits(process->town->machine)->reads > process->reads_failed;
}

static void
on_note(void *context, struct slice bytes, host_handle handle)
{
    struct process *process = context;
    struct parent_role_note note;
    struct arena arena;

    arena_init(&arena, 1024 * 1024);
    if (!parent_role_take(bytes, handle, SIDE_ROLE, &process->ledger, &arena, &note)) {
        snprintf(process->town->complaint, sizeof(process->town->complaint),
                 "%s sent a bad note to its parent", role_kind_name(process->kind));
    } else if (note.kind == PARENT_ROLE_FAILING && !may_refuse(process)) {
        snprintf(process->town->complaint, sizeof(process->town->complaint), "%s: %.*s",
                 role_kind_name(process->kind), (int)note.as.failing.why.len,
                 (const char *)note.as.failing.why.at);
    }
    arena_finish(&arena);
}

static void
on_closed(void *context)
{
    struct process *process = context;

    host_channel_close(&process->control);
}

static const struct host_channel_handler control_handler = {on_note, on_closed, NULL};

static void
send_listener(struct process *process, enum role_service service, host_handle original)
{
    host_handle copy = host_handle_copy(process->town->parent, original);
    struct parent_role_listen note = {.service = (uint8_t)service, .listener = copy};

    send_note(process, parent_role_put_listen(&process->town->note, &process->ledger, &note), copy);
}

static void
send_listeners(struct process *process)
{
    struct town *town = process->town;

    if (process->kind == ROLE_SMTP) {
        send_listener(process, SERVICE_SMTP, town->smtp);
        if (town->has_submission)
            send_listener(process, SERVICE_SUBMISSION, town->submission);
        send_listener(process, SERVICE_LMTP, town->lmtp);
    } else if (process->kind == ROLE_ACCESS) {
        send_listener(process, SERVICE_POP3, town->pop3);
        send_listener(process, SERVICE_IMAP, town->imap);
    } else if (process->kind == ROLE_STORE) {
        send_listener(process, SERVICE_ADMIN, town->admin);
    }
}

static void
send_key(struct process *process)
{
    const struct parent_role_certificate note = {
        .name = SLICE(SIGNED_RECORD), .chain = SLICE(""), .key = SLICE(SIGNED_KEY)};

    send_note(process, parent_role_put_certificate(&process->town->note, &process->ledger, &note),
              HOST_HANDLE_NONE);
}

static void
attach(struct process *process, const struct process *peer, host_handle handle)
{
    struct parent_role_attach note = {
        .peer = (uint8_t)peer->kind, .peer_index = peer->index, .channel = handle};

    send_note(process, parent_role_put_attach(&process->town->note, &process->ledger, &note),
              handle);
}

static void
link_pair(struct process *left, struct process *right)
{
    host_handle to_left, to_right;

    if (!left->control || !right->control)
        return;
    if (host_channel_pair(left->town->parent, &to_left, &to_right) < 0)
        abort();
    attach(left, right, to_left);
    attach(right, left, to_right);
}

/* The name system stands where the role resolve would. */
static void
link_names(struct process *route)
{
    const struct process resolve = {.kind = ROLE_RESOLVE};
    host_handle to_route, to_names;

    if (host_channel_pair(route->town->parent, &to_route, &to_names) < 0)
        abort();
    attach(route, &resolve, to_names);
    names_attach(route->town->names, to_route);
}

static bool
are_linked(const struct process *left, const struct process *right)
{
    for (size_t i = 0; i < COUNT_OF(links); i++)
        if ((links[i].left == left->kind && links[i].right == right->kind) ||
            (links[i].left == right->kind && links[i].right == left->kind))
            return true;
    return false;
}

/* ---- processes ------------------------------------------------------------------------------ */

static bool
confine_nothing(void *context, enum role_kind kind, unsigned index, const struct config *config,
                struct buffer *report)
{
    (void)context;
    (void)kind;
    (void)index;
    (void)config;
    (void)report;
    return true;
}

static const struct role *const roles[ROLE_KINDS] = {
    [ROLE_SMTP] = &role_smtp,       [ROLE_ACCESS] = &role_access,
    [ROLE_AUTH] = &role_auth,       [ROLE_ROUTE] = &role_route,
    [ROLE_DELIVER] = &role_deliver, [ROLE_LETTERBOX] = &role_letterbox,
    [ROLE_STORE] = &role_store,     [ROLE_RESOLVE] = &role_resolve,
    [ROLE_TABLE] = &role_table,     [ROLE_TRANSPORT] = &role_transport,
    [ROLE_KEYS] = &role_keys,
};

static void
start_process(struct process *process)
{
    struct town *town = process->town;
    host_handle ours, theirs;
    char name[24];

    snprintf(name, sizeof(name), "%u:%s/%u", town->ipv4[3], role_kind_name(process->kind),
             process->index);
    process->host = sim_host_open(town->sim, name);
    sim_host_move(process->host, town->machine);
    if (host_channel_pair(town->parent, &ours, &theirs) < 0)
        abort();
    sim_handle_give(town->sim, theirs, process->host);
    process->control = host_channel_open(town->parent, ours, &control_handler, process);
    process->frame = role_frame_open(process->host, roles, theirs, confine_nothing, NULL);
    process->restart = INSTANT_NEVER;
    process->reads_failed = sim_disk_hits(town->machine)->reads;
    struct parent_role_configure note = {
        .kind = (uint8_t)process->kind,
        .index = process->index,
        .processes = process->count,
        .log_seed = 1,
        .config = buffer_slice(&town->encoded),
        .config_blob = HOST_HANDLE_NONE,
    };
    send_note(process, parent_role_put_configure(&town->note, &process->ledger, &note),
              HOST_HANDLE_NONE);
    send_listeners(process);
    if (process->kind == ROLE_KEYS)
        send_key(process);
    if (process->kind == ROLE_ROUTE)
        link_names(process);
}

static void
begin_process(struct process *process)
{
    struct parent_role_start note = {.confine = true};

    send_note(process, parent_role_put_start(&process->town->note, &process->ledger, &note),
              HOST_HANDLE_NONE);
}

/* Frees what a dead or stopped process left behind. */
static void
bury(struct process *process)
{
    if (!process->host)
        return;
    sim_host_kill(process->host);
    (void)role_frame_close(&process->frame);
    sim_host_close(&process->host);
    host_channel_close(&process->control);
    note_ledger_finish(&process->ledger);
}

void
town_process_ended(struct town *town, struct host *host)
{
    for (size_t i = 0; i < town->process_count; i++) {
        struct process *process = &town->processes[i];
        if (process->host != host)
            continue;
        bury(process);
        if (!town->is_stopping)
            process->restart = instant_after(
                sim_now(town->sim), duration_ms((int64_t)sim_random(town->sim, RESTART_MS_MAX)));
    }
}

bool
town_is_dead(const struct town *town)
{
    return town->parent && sim_host_is_dead(town->parent);
}

bool
town_is_off(const struct town *town)
{
    return !town->parent;
}

void
town_fail_names(struct town *town, bool is_failing)
{
    if (town->names)
        names_fail(town->names, is_failing);
}

static struct process *
draw_process(struct town *town)
{
    struct process *process = &town->processes[sim_random(town->sim, town->process_count)];

    return process->host ? process : NULL;
}

void
town_kill(struct town *town)
{
    struct process *process = draw_process(town);

    if (!process)
        return;
    sim_host_kill(process->host);
    town_process_ended(town, process->host);
}

void
town_stall(struct town *town, struct duration span)
{
    struct process *process = draw_process(town);

    if (process)
        sim_host_stall(process->host, span);
}

void
town_stall_keys(struct town *town, struct duration span)
{
    for (size_t i = 0; i < town->process_count; i++)
        if (town->processes[i].kind == ROLE_KEYS && town->processes[i].host)
            sim_host_stall(town->processes[i].host, span);
}

struct instant
town_next(const struct town *town)
{
    struct instant next = INSTANT_NEVER;

    for (size_t i = 0; i < town->process_count; i++)
        if (instant_is_before(town->processes[i].restart, next))
            next = town->processes[i].restart;
    return next;
}

void
town_wake(struct town *town)
{
    for (size_t i = 0; i < town->process_count; i++) {
        struct process *process = &town->processes[i];
        if (sim_now(town->sim).ns < process->restart.ns)
            continue;
        start_process(process);
        for (size_t k = 0; k < town->process_count; k++)
            if (are_linked(process, &town->processes[k]))
                link_pair(process, &town->processes[k]);
        begin_process(process);
    }
}

/* ---- boot ----------------------------------------------------------------------------------- */

static host_handle
listen_on(struct town *town, uint16_t port)
{
    struct host_address address = {.family = HOST_FAMILY_IPV4, .port = port};

    memcpy(address.bytes, town->ipv4, sizeof(town->ipv4));
    return sim_listen(town->sim, town->parent, &address);
}

static void
boot(struct town *town)
{
    town->parent = sim_host_open(town->sim, "parent");
    sim_host_move(town->parent, town->machine);
    town->names = names_open(town->sim, town->machine, town->zone);
    town->is_stopping = false;
    town->smtp = listen_on(town, TOWN_PORT_SMTP);
    if (town->has_submission)
        town->submission = listen_on(town, TOWN_PORT_SUBMISSION);
    town->lmtp = listen_on(town, TOWN_PORT_LMTP);
    town->pop3 = listen_on(town, TOWN_PORT_POP3);
    town->imap = listen_on(town, TOWN_PORT_IMAP);
    town->admin = sim_listen_tool(town->sim, town->parent);
    for (size_t i = 0; i < town->process_count; i++)
        start_process(&town->processes[i]);
    for (size_t i = 0; i < town->process_count; i++)
        for (size_t k = 0; k < i; k++)
            if (are_linked(&town->processes[i], &town->processes[k]))
                link_pair(&town->processes[i], &town->processes[k]);
    for (size_t i = 0; i < town->process_count; i++)
        begin_process(&town->processes[i]);
}

static void
shut_down(struct town *town)
{
    for (size_t i = 0; i < town->process_count; i++) {
        bury(&town->processes[i]);
        town->processes[i].restart = INSTANT_NEVER;
    }
    names_close(&town->names);
    sim_host_close(&town->parent);
}

void
town_power_off(struct town *town)
{
    sim_power_cut(town->machine);
    shut_down(town);
}

void
town_power_on(struct town *town)
{
    sim_disk_power_cycle(town->machine);
    boot(town);
}

void
town_stop(struct town *town)
{
    struct parent_role_stop note = {.deadline_ms = 10000};

    town->is_stopping = true;
    for (size_t i = 0; i < town->process_count; i++) {
        town->processes[i].restart = INSTANT_NEVER;
        if (town->processes[i].host)
            send_note(&town->processes[i],
                      parent_role_put_stop(&town->note, &town->processes[i].ledger, &note),
                      HOST_HANDLE_NONE);
    }
}

bool
town_is_stopped(const struct town *town)
{
    for (size_t i = 0; i < town->process_count; i++)
        if (town->processes[i].host)
            return false;
    return true;
}

void
town_boot_again(struct town *town)
{
    shut_down(town);
    boot(town);
}

const char *
town_complaint(const struct town *town)
{
    return town->complaint[0] ? town->complaint : NULL;
}

/* ---- installation --------------------------------------------------------------------------- */

static void
must(int result)
{
    if (result < 0) {
        fprintf(stderr, "the town cannot be built: %s\n", strerror(-result));
        abort();
    }
}

static void
write_file(struct host_dir *dir, const char *name, struct slice bytes)
{
    struct host_file *file;

    must(host_file_open(dir, name, HOST_FILE_WRITE | HOST_FILE_CREATE, &file));
    must(host_file_write(file, &bytes, 1, 0));
    must(host_file_sync(file));
    host_file_close(&file);
}

static void
make_folder(struct host *host, const char *path, const char *name, struct host_dir **ret_dir)
{
    struct host_dir *above;

    must(host_dir_open(host, path, &above));
    must(host_dir_make(above, name));
    must(host_dir_sync(above));
    must(host_dir_open_below(above, name, ret_dir));
    host_dir_close(&above);
}

static void
install(struct town *town, const struct town_options *options)
{
    struct host *installer = sim_host_open(town->sim, "installer");
    struct host_dir *data, *directory, *store;

    sim_host_move(installer, town->machine);
    make_folder(installer, "/", "data", &data);
    make_folder(installer, "/data", "directory", &directory);
    make_folder(installer, "/data", "store", &store);
    write_file(directory, "accounts", options->accounts);
    write_file(directory, "secrets", options->secrets);
    if (options->credentials.len > 0)
        write_file(directory, "credentials", options->credentials);
    must(host_dir_sync(directory));
    host_dir_close(&directory);
    host_dir_close(&store);
    host_dir_close(&data);
    sim_host_close(&installer);
}

static void
read_config(struct town *town, struct slice own)
{
    struct buffer errors, text;

    buffer_init(&errors, 4096);
    buffer_init(&text, 4096);
    buffer_put(&text, slice_of_string(config_text));
    buffer_put(&text, own);
    arena_init(&town->config_arena, CONFIG_ARENA_MAX);
    if (!config_parse(buffer_slice(&text), SLICE("town.conf"), &town->config_arena, &errors,
                      &town->config)) {
        fprintf(stderr, "%.*s", (int)buffer_len(&errors), (const char *)buffer_slice(&errors).at);
        abort();
    }
    buffer_finish(&errors);
    buffer_finish(&text);
    buffer_init(&town->encoded, PARENT_ROLE_CONFIGURE_CONFIG_MAX);
    config_encode(&town->config, &town->encoded);
}

static void
add_processes(struct town *town, enum role_kind kind, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        town->processes[town->process_count++] = (struct process){
            .town = town, .kind = kind, .index = i, .count = count, .restart = INSTANT_NEVER};
}

struct town *
town_open(struct sim *sim, const struct town_options *options)
{
    static const struct names_zone nothing;
    struct town *town = calloc(1, sizeof(*town));

    if (!town)
        abort();
    town->sim = sim;
    town->machine = options->machine;
    town->zone = options->zone ? options->zone : &nothing;
    town->has_submission = options->has_submission;
    memcpy(town->ipv4, options->ipv4, sizeof(town->ipv4));
    buffer_init(&town->note, HOST_NOTE_MAX);
    read_config(town, options->config);
    add_processes(town, ROLE_STORE, 1);
    add_processes(town, ROLE_ROUTE, 1);
    add_processes(town, ROLE_AUTH, 1);
    add_processes(town, ROLE_DELIVER, DELIVER_PROCESSES);
    add_processes(town, ROLE_SMTP, SMTP_PROCESSES);
    add_processes(town, ROLE_ACCESS, options->access_processes ? options->access_processes : 1);
    if (options->has_mail_key)
        add_processes(town, ROLE_KEYS, 1);
    if (options->zone)
        add_processes(town, ROLE_TRANSPORT, TRANSPORT_PROCESSES);
    install(town, options);
    boot(town);
    return town;
}

void
town_close(struct town **town)
{
    shut_down(*town);
    arena_finish(&(*town)->config_arena);
    buffer_finish(&(*town)->encoded);
    buffer_finish(&(*town)->note);
    free(*town);
    *town = NULL;
}
