/* SPDX-License-Identifier: ISC */
/* One process of a role: started, given what it may have, watched, started anew. */
#include "role/parent/parent_private.h"

#include "host/log.h"

#include <signal.h>

enum { PROGRAM_PATH_MAX = 4096 };

/* Who talks to whom: a channel for each pair of processes. */
static const struct {
    enum role_kind left, right;
} links[] = {
    {ROLE_SMTP, ROLE_ROUTE},    {ROLE_SMTP, ROLE_AUTH},       {ROLE_SMTP, ROLE_STORE},
    {ROLE_ACCESS, ROLE_AUTH},   {ROLE_ACCESS, ROLE_STORE},    {ROLE_AUTH, ROLE_STORE},
    {ROLE_STORE, ROLE_DELIVER}, {ROLE_STORE, ROLE_LETTERBOX}, {ROLE_ROUTE, ROLE_RESOLVE},
    {ROLE_STORE, ROLE_ROUTE},   {ROLE_ROUTE, ROLE_TABLE},     {ROLE_STORE, ROLE_TRANSPORT},
    {ROLE_STORE, ROLE_INDEX},   {ROLE_STORE, ROLE_HAND},      {ROLE_TRANSPORT, ROLE_HAND},
    {ROLE_ROUTE, ROLE_HAND},    {ROLE_AUTH, ROLE_ISSUER},     {ROLE_ISSUER, ROLE_RESOLVE},
    {ROLE_SMTP, ROLE_KEYS},     {ROLE_ACCESS, ROLE_KEYS},
};

/* Which role listens for which service. */
static enum role_kind
role_of_service(enum role_service service)
{
    switch (service) {
    case SERVICE_SMTP:
    case SERVICE_SUBMISSION:
    case SERVICE_SUBMISSIONS:
    case SERVICE_LMTP:
        return ROLE_SMTP;
    case SERVICE_POP3:
    case SERVICE_POP3S:
    case SERVICE_IMAP:
    case SERVICE_IMAPS:
        return ROLE_ACCESS;
    case SERVICE_ADMIN:
    case SERVICES:
        break;
    }
    return ROLE_STORE;
}

bool
child_is_alive(const struct child *child)
{
    return child->process != NULL;
}

/* Sends the note that was put into the parent's buffer, with a handle or without. */
static void
send(struct child *child, bool is_put, host_handle handle)
{
    struct parent *parent = child->parent;

    if (is_put && child->control)
        host_channel_send(child->control, buffer_slice(&parent->note), handle);
    else
        host_handle_close(parent->host, handle);
    buffer_clear(&parent->note);
}

/* ---- what comes back ------------------------------------------------------------------------- */

static void
log_child(struct child *child, enum host_level level, const char *event, const char *key,
          struct slice value)
{
    struct log_line line;

    log_begin(&line, child->parent->host, level, event);
    log_string(&line, "role", role_kind_name(child->kind));
    log_number(&line, "index", child->index);
    log_text(&line, key, value);
    log_end(&line);
}

static void
on_ready(struct child *child, const struct parent_role_ready *note)
{
    size_t len = note->confinement.len < REPORT_MAX ? note->confinement.len : REPORT_MAX;

    child->state = TOOL_PARENT_STATE_READY;
    if (len)
        memcpy(child->report, note->confinement.at, len);
    child->report[len] = 0;
    log_child(child, HOST_LEVEL_INFO, "role_ready", "confinement", note->confinement);
    parent_look(child->parent);
}

/* Before everything was ready once, a role that cannot begin ends the start: its reason is for the
 * person who waits. */
static void
on_failing(struct child *child, const struct parent_role_failing *note)
{
    struct parent *parent = child->parent;

    child->state = TOOL_PARENT_STATE_FAILED;
    log_child(child, HOST_LEVEL_ERROR, "role_failing", "why", note->why);
    if (parent->is_ready || parent->is_stopping)
        return;
    parent_complain(parent, "%s cannot start: %.*s", role_kind_name(child->kind),
                    (int)note->why.len, (const char *)note->why.at);
    parent->exit_code = 78; /* EX_CONFIG */
    parent_stop(parent);
}

static void
on_note(void *context, struct slice bytes, host_handle handle)
{
    struct child *child = context;
    struct parent *parent = child->parent;
    struct parent_role_note note;

    arena_reset(&parent->note_arena);
    if (!parent_role_take(bytes, handle, 1, &child->ledger, &parent->note_arena, &note)) {
        host_handle_close(parent->host, handle);
        log_child(child, HOST_LEVEL_ERROR, "bad_note", "action", SLICE("killed"));
        host_process_signal(child->process, 9);
        return;
    }
    switch (note.kind) {
    case PARENT_ROLE_READY:
        on_ready(child, &note.as.ready);
        break;
    case PARENT_ROLE_FAILING:
        on_failing(child, &note.as.failing);
        break;
    case PARENT_ROLE_STATS:
        admin_on_stats(child, &note.as.stats);
        break;
    case PARENT_ROLE_RELOADED:
        child->reload_round = note.as.reloaded.id;
        admin_on_reloaded(parent);
        break;
    case PARENT_ROLE_LIFE:
        child->is_asked = false;
        break;
    case PARENT_ROLE_HELLO:
    case PARENT_ROLE_CONFIGURE:
    case PARENT_ROLE_ATTACH:
    case PARENT_ROLE_LISTEN:
    case PARENT_ROLE_CERTIFICATE:
    case PARENT_ROLE_START:
    case PARENT_ROLE_RELOAD:
    case PARENT_ROLE_STOP:
    case PARENT_ROLE_STATS_ASK:
    case PARENT_ROLE_LIFE_ASK:
        break;
    }
}

/* Its end is told by on_process_end; here only the channel goes. */
static void
on_control_closed(void *context)
{
    struct child *child = context;

    host_channel_close(&child->control);
    note_ledger_finish(&child->ledger);
}

static const struct host_channel_handler control_handler = {
    .on_note = on_note,
    .on_closed = on_control_closed,
};

/* Which programs roles are parts of: each links only what its roles need, for what a library
 * relocates and keeps ready is paid in every process (docs/why/051-several-programs.md). */
static const struct {
    const char *name;
    uint32_t roles;
} programs[PARENT_PROGRAMS] = {
    {"facteur-office", 1U << ROLE_STORE | 1U << ROLE_ROUTE | 1U << ROLE_DELIVER |
                           1U << ROLE_LETTERBOX | 1U << ROLE_HAND},
    {"facteur-network",
     1U << ROLE_SMTP | 1U << ROLE_ACCESS | 1U << ROLE_TRANSPORT | 1U << ROLE_AUTH |
         1U << ROLE_ISSUER},
    {"facteur-resolve", 1U << ROLE_RESOLVE},
    {"facteur-table", 1U << ROLE_TABLE},
    {"facteur-index", 1U << ROLE_INDEX},
    {"facteur-keys", 1U << ROLE_KEYS},
};

static size_t
program_of(enum role_kind kind)
{
    size_t program = 0;

    while (!(programs[program].roles >> kind & 1))
        program++;
    return program;
}

/* ---- death and rebirth ----------------------------------------------------------------------- */

static void
restart(void *context)
{
    struct child *child = context;

    if (child->parent->is_stopping || child_is_alive(child))
        return;
    child->restarts++;
    if (child_start(child) < 0) {
        host_timer_set(child->restart,
                       instant_after(host_now(child->parent->host), duration_ms(RESTART_LAST_MS)));
        return;
    }
    child_link_all(child);
    child_begin(child);
}

static void
log_death(struct child *child, int status)
{
    struct log_line line;

    log_begin(&line, child->parent->host, HOST_LEVEL_ERROR, "role_died");
    log_string(&line, "role", role_kind_name(child->kind));
    log_number(&line, "index", child->index);
    log_number(&line, status < 0 ? "signal" : "code", (uint64_t)(status < 0 ? -status : status));
    log_number(&line, "restart_ms", (uint64_t)child->delay_ms);
    log_end(&line);
}

/* Its program is damaged, or lacks a library: what to do stands in the log, and on the terminal of
 * who waits for the start. Nothing serves when that was the last. */
static void
on_not_executed(struct child *child)
{
    struct parent *parent = child->parent;
    struct slice path = buffer_slice(&parent->program_paths[program_of(child->kind)]);
    bool is_any_alive = false;

    log_child(child, HOST_LEVEL_ERROR, "program_not_executed", "program", path);
    for (size_t i = 0; i < parent->child_count; i++)
        is_any_alive |= child_is_alive(&parent->children[i]);
    if (parent->is_stopping || (parent->is_ready && is_any_alive))
        return;
    parent_complain(parent,
                    "the program %.*s cannot be run: it is damaged, or a library that it needs is "
                    "missing; 'ldd %.*s' says which, else install Facteur anew",
                    (int)path.len, (const char *)path.at, (int)path.len, (const char *)path.at);
    parent->exit_code = 71; /* EX_OSERR */
    parent_stop(parent);
}

static bool
is_fall(int status)
{
    return status == -SIGSEGV || status == -SIGBUS || status == -SIGABRT;
}

/* Doubles the delay for one that dies again and again, so that it cannot eat the machine. */
static void
on_process_end(void *context, int status)
{
    struct child *child = context;
    struct parent *parent = child->parent;
    struct instant now = host_now(parent->host);
    bool was_ready = child->state == TOOL_PARENT_STATE_READY;
    bool ran_long = instant_since(now, child->started).ns > duration_s(RESTART_FORGIVEN_S).ns;

    host_process_close(&child->process);
    host_channel_close(&child->control);
    note_ledger_finish(&child->ledger);
    child->falls += is_fall(status) || child->is_given_up;
    if (child->state != TOOL_PARENT_STATE_STOPPING)
        child->state = TOOL_PARENT_STATE_FAILED;
    if (status == HOST_PROCESS_NOT_EXECUTED && !was_ready)
        on_not_executed(child);
    if (!parent->is_stopping) {
        child->delay_ms = ran_long ? RESTART_FIRST_MS : child->delay_ms;
        log_death(child, status);
        host_timer_set(child->restart, instant_after(now, duration_ms(child->delay_ms)));
        child->delay_ms =
            child->delay_ms * 2 < RESTART_LAST_MS ? child->delay_ms * 2 : RESTART_LAST_MS;
    }
    admin_on_reloaded(parent);
    parent_look(parent);
}

/* ---- giving ---------------------------------------------------------------------------------- */

/* Puts the encoded configuration inline, or into a blob when it is long. */
static struct slice
encode_config(struct child *child, struct buffer *encoded, host_handle *ret_blob)
{
    struct host_blob *blob = NULL;

    *ret_blob = HOST_HANDLE_NONE;
    struct config config = child->parent->config;
    /* Only root may walk down to the folder (enter_data_dir): a role finds it as the current one
     * that it inherits, under a name that stays absolute, as SQLite and the filters want it. */
    if (child->parent->is_data_dir_current)
        config.data_dir = SLICE("/proc/self/cwd");
    config_encode(&config, encoded);
    if (buffer_len(encoded) <= PARENT_ROLE_CONFIGURE_CONFIG_MAX)
        return buffer_slice(encoded);
    if (host_blob_open(child->parent->host, &blob) < 0 ||
        host_blob_put(blob, buffer_slice(encoded)) < 0 || host_blob_seal(&blob, ret_blob) < 0)
        host_blob_close(&blob);
    return slice_of("", 0);
}

static void
send_configure(struct child *child)
{
    struct parent *parent = child->parent;
    struct buffer encoded;
    host_handle blob;

    buffer_init(&encoded, CONFIG_ENCODED_MAX);
    struct parent_role_configure note = {
        .kind = (uint8_t)child->kind,
        .index = child->index,
        .processes = parent->processes,
        .log_seed = parent->log_seed,
        .falls = child->falls,
        .config = encode_config(child, &encoded, &blob),
        .config_blob = blob,
    };
    send(child, parent_role_put_configure(&parent->note, &child->ledger, &note), blob);
    buffer_finish(&encoded);
}

void
child_send_reload(struct child *child)
{
    struct parent *parent = child->parent;
    struct buffer encoded;
    host_handle blob;

    buffer_init(&encoded, CONFIG_ENCODED_MAX);
    struct parent_role_reload note = {.id = parent->reload_round,
                                      .config = encode_config(child, &encoded, &blob),
                                      .config_blob = blob};
    send(child, parent_role_put_reload(&parent->note, &child->ledger, &note), blob);
    buffer_finish(&encoded);
}

static void
send_listener(struct child *child, enum role_service service, host_handle original)
{
    host_handle copy = host_handle_copy(child->parent->host, original);
    struct parent_role_listen note = {.service = (uint8_t)service, .listener = copy};

    if (copy >= 0)
        send(child, parent_role_put_listen(&child->parent->note, &child->ledger, &note), copy);
}

static void
send_listeners(struct child *child)
{
    struct parent *parent = child->parent;

    for (size_t i = 0; i < parent->listener_count; i++) {
        const struct parent_listener *listener = &parent->listeners[i];
        if (role_of_service(listener->service) == child->kind)
            send_listener(child, listener->service, listener->handle);
    }
    if (child->kind == ROLE_STORE)
        send_listener(child, SERVICE_ADMIN, parent->store_admin);
}

void
child_send_certificate(struct child *child, const struct certificate *certificate)
{
    bool has_keys = child->kind == ROLE_KEYS;
    struct parent_role_certificate note = {
        .name = certificate->name,
        .chain = buffer_slice(&certificate->chain),
        .key = has_keys ? buffer_slice(&certificate->key) : SLICE(""),
    };
    bool is_of_mail = note.chain.len == 0 && buffer_len(&certificate->key) > 0;
    if (has_keys || (!is_of_mail && (child->kind == ROLE_SMTP || child->kind == ROLE_ACCESS)))
        send(child, parent_role_put_certificate(&child->parent->note, &child->ledger, &note),
             HOST_HANDLE_NONE);
}

void
child_send_stop(struct child *child)
{
    struct parent *parent = child->parent;
    struct parent_role_stop note = {.deadline_ms =
                                        (uint32_t)(parent->config.shutdown_timer.ns / 1000000)};

    child->state = TOOL_PARENT_STATE_STOPPING;
    send(child, parent_role_put_stop(&parent->note, &child->ledger, &note), HOST_HANDLE_NONE);
}

void
child_ask_stats(struct child *child, uint64_t id)
{
    struct parent_role_stats_ask note = {.id = id};

    send(child, parent_role_put_stats_ask(&child->parent->note, &child->ledger, &note),
         HOST_HANDLE_NONE);
}

void
child_ask_life(struct child *child)
{
    struct parent_role_life_ask note = {.id = ++child->parent->life_round};

    child->is_asked = true;
    child->unanswered = 0;
    send(child, parent_role_put_life_ask(&child->parent->note, &child->ledger, &note),
         HOST_HANDLE_NONE);
}

void
child_give_up(struct child *child)
{
    log_child(child, HOST_LEVEL_ERROR, "role_silent", "action", SLICE("killed"));
    child->is_given_up = true;
    host_process_signal(child->process, SIGKILL);
}

void
child_begin(struct child *child)
{
    struct parent_role_start note = {.confine = child->parent->options->is_confined};

    send(child, parent_role_put_start(&child->parent->note, &child->ledger, &note),
         HOST_HANDLE_NONE);
}

static void
attach(struct child *child, const struct child *peer, host_handle handle)
{
    struct parent_role_attach note = {
        .peer = (uint8_t)peer->kind, .peer_index = peer->index, .channel = handle};

    send(child, parent_role_put_attach(&child->parent->note, &child->ledger, &note), handle);
}

void
child_link(struct child *left, struct child *right)
{
    host_handle to_left, to_right;

    if (!left->control || !right->control ||
        host_channel_pair(left->parent->host, &to_left, &to_right) < 0)
        return;
    attach(left, right, to_left);
    attach(right, left, to_right);
}

void
child_link_all(struct child *child)
{
    struct parent *parent = child->parent;

    for (size_t i = 0; i < COUNT_OF(links); i++) {
        for (size_t k = 0; k < parent->child_count; k++) {
            struct child *other = &parent->children[k];
            if (links[i].left == child->kind && links[i].right == other->kind)
                child_link(child, other);
            else if (links[i].right == child->kind && links[i].left == other->kind)
                child_link(other, child);
        }
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

void
child_init(struct child *child, struct parent *parent, enum role_kind kind, unsigned index)
{
    *child = (struct child){
        .parent = parent,
        .kind = kind,
        .index = index,
        .delay_ms = RESTART_FIRST_MS,
        .restart = host_timer_open(parent->host, restart, child),
    };
}

bool
programs_open(struct parent *parent)
{
    for (size_t i = 0; i < PARENT_PROGRAMS; i++) {
        struct buffer *path = &parent->program_paths[i];
        buffer_init(path, PROGRAM_PATH_MAX);
        int error = host_program_open(programs[i].name, path, &parent->programs[i]);
        if (error < 0) {
            struct slice text = buffer_slice(path);
            parent_complain(parent, "the program %.*s cannot be opened: %s; install Facteur anew",
                            (int)text.len, (const char *)text.at, strerror(-error));
            return false;
        }
    }
    return true;
}

void
programs_close(struct parent *parent)
{
    for (size_t i = 0; i < PARENT_PROGRAMS; i++) {
        host_handle_close(parent->host, parent->programs[i]);
        buffer_finish(&parent->program_paths[i]);
    }
}

/* Its name and number stand in the list of processes: "facteur: smtp/0". */
static int
spawn(struct child *child, host_handle channel)
{
    size_t program = program_of(child->kind);
    char name[48];

    snprintf(name, sizeof(name), "facteur: %s/%u", role_kind_name(child->kind), child->index);
    const char *const arguments[] = {name, NULL};

    return host_process_spawn(child->parent->host, child->parent->programs[program], arguments,
                              channel, on_process_end, child, &child->process);
}

int
child_start(struct child *child)
{
    struct parent *parent = child->parent;
    host_handle ours, theirs;
    int status = host_channel_pair(parent->host, &ours, &theirs);

    if (status == 0 && (status = spawn(child, theirs)) < 0)
        host_handle_close(parent->host, ours);
    if (status < 0) {
        log_child(child, HOST_LEVEL_ERROR, "role_not_started", "error",
                  slice_of_string(strerror(-status)));
        return status;
    }
    child->state = TOOL_PARENT_STATE_STARTING;
    child->started = host_now(parent->host);
    child->started_wall = host_wall(parent->host);
    child->control = host_channel_open(parent->host, ours, &control_handler, child);
    child->reload_round = parent->reload_round;
    child->is_asked = child->is_given_up = false;
    send_configure(child);
    send_listeners(child);
    certificates_send(parent, child);
    return 0;
}

void
child_finish(struct child *child)
{
    host_timer_close(&child->restart);
    host_channel_close(&child->control);
    host_process_close(&child->process);
    note_ledger_finish(&child->ledger);
}
