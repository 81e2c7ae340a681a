/* SPDX-License-Identifier: ISC */
/* The parent's own life: start, reload, stop. */
#include "role/parent/parent_private.h"

#include "base/hash.h"
#include "config/option.h"
#include "host/linux/linux.h"
#include "host/log.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

enum { PROBLEMS_MAX = 16384, STOP_STAGES = 3, KILL_GRACE_MS = 2000 };

void
parent_complain(const struct parent *parent, const char *format, ...)
{
    va_list arguments;

    host_linux_flush_log(parent->host);
    va_start(arguments, format);
    fputs("facteur: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

static void
complain_lines(const struct parent *parent, struct slice lines)
{
    while (lines.len) {
        size_t len = slice_find_byte(lines, '\n');
        parent_complain(parent, "%.*s", (int)len, (const char *)lines.at);
        lines = slice_skip(lines, len + 1);
    }
}

/* ---- configuration --------------------------------------------------------------------------- */

/* Takes a copy that lives as long as it is in force. */
static bool
adopt_config(struct parent *parent, const struct config *config)
{
    struct arena *arena = &parent->config_arenas[parent->config_turn];
    struct buffer encoded;

    buffer_init(&encoded, CONFIG_ENCODED_MAX);
    config_encode(config, &encoded);
    arena_finish(arena);
    bool is_good = !buffer_overflowed(&encoded) &&
                   config_decode(buffer_slice(&encoded), arena, &parent->config);
    buffer_finish(&encoded);
    if (is_good)
        parent->config_turn ^= 1;
    return is_good;
}

/* Hashes of the values that hold until a restart, in the order of the table. */
static void
put_fixed(const struct config *config, struct buffer *out)
{
    struct buffer value;

    buffer_init(&value, CONFIG_ENCODED_MAX);
    for (const struct config_option *o = NULL; (o = config_option_next(o));) {
        if (o->is_reloadable)
            continue;
        buffer_clear(&value);
        config_value_put(o, config, &value);
        buffer_put_le64(out, hash64(buffer_slice(&value), 0));
    }
    buffer_finish(&value);
}

/* Says which options are no more what they were when the server started, and need a restart. */
static void
tell_late(struct parent *parent)
{
    struct slice then = buffer_slice(&parent->fixed), now;
    struct buffer values;

    buffer_init(&values, SIZE_MAX);
    put_fixed(&parent->config, &values);
    now = buffer_slice(&values);
    buffer_clear(&parent->late);
    for (const struct config_option *o = NULL; (o = config_option_next(o));) {
        if (o->is_reloadable)
            continue;
        if (!slice_equal(slice_first(now, 8), slice_first(then, 8))) {
            buffer_put_text(&parent->late, buffer_len(&parent->late) ? ", " : "");
            buffer_put_text(&parent->late, o->name);
        }
        now = slice_skip(now, 8);
        then = slice_skip(then, 8);
    }
    buffer_finish(&values);
    if (buffer_len(&parent->late) > 0)
        log_event(parent->host, HOST_LEVEL_WARNING, "needs_restart", "options",
                  buffer_slice(&parent->late));
}

static void
configure_log(struct parent *parent)
{
    struct host_log_settings settings = {.mask_seed = parent->log_seed, .process = "parent"};

    config_log_settings(&parent->config, &settings);
    host_log_configure(parent->host, &settings);
}

/* Parses the file once more. On success the values are in `ret_config`, in `arena`. */
static bool
read_config(const char *path, struct arena *arena, struct buffer *problems,
            struct config *ret_config)
{
    struct slice name = slice_of_string(path);
    struct buffer text;

    buffer_init(&text, CONFIG_TEXT_MAX);
    int error = file_read(name, CONFIG_TEXT_MAX, &text);
    if (error < 0) {
        buffer_put(problems, name);
        buffer_put_text(problems, ": ");
        buffer_put_text(problems, strerror(-error));
        buffer_put_text(problems, "; the configuration in force stays\n");
    }
    bool is_good = error == 0 &&
                   config_parse(buffer_slice(&text), name, arena, problems, ret_config) &&
                   config_check(ret_config, name, problems);
    buffer_finish(&text);
    return is_good;
}

bool
parent_reload(struct parent *parent, struct buffer *problems)
{
    struct config fresh = parent->config;
    struct certificates certificates = {.count = 0};
    struct arena arena;

    arena_init(&arena, CONFIG_ARENA_MAX);
    bool is_good = !parent->options->config_path ||
                   read_config(parent->options->config_path, &arena, problems, &fresh);
    /* The machine's name was filled in at the start; an empty one stays what it was. */
    if (is_good && fresh.hostname.len == 0)
        fresh.hostname = parent->config.hostname;
    is_good = is_good && certificates_read(&fresh, problems, &certificates) &&
              (!parent->options->config_path || adopt_config(parent, &fresh));
    if (is_good)
        certificates_borrow(parent, &certificates);
    arena_finish(&arena);
    log_event(parent->host, is_good ? HOST_LEVEL_INFO : HOST_LEVEL_ERROR, "reload", "result",
              is_good ? SLICE("done") : buffer_slice(problems));
    if (!is_good) {
        certificates_forget(&certificates);
        return false;
    }
    tell_late(parent);
    configure_log(parent);
    folders_give_directory(parent);
    parent->reload_round++;
    for (size_t i = 0; i < parent->child_count; i++)
        child_send_reload(&parent->children[i]);
    (void)certificates_adopt(parent, &certificates);
    host_rest_again(parent->host);
    return true;
}

static void
on_certificate_watch(void *context)
{
    struct parent *parent = context;
    struct certificates fresh;
    struct buffer problems;

    buffer_init(&problems, PROBLEMS_MAX);
    bool is_good = certificates_read(&parent->config, &problems, &fresh);
    if (!is_good)
        log_event(parent->host, HOST_LEVEL_ERROR, "certificate_unreadable", "problem",
                  buffer_slice(&problems));
    buffer_finish(&problems);
    if (is_good && certificates_adopt(parent, &fresh))
        log_event(parent->host, HOST_LEVEL_INFO, "certificate_changed", "action",
                  SLICE("sent to all"));
    host_timer_set(parent->certificate_watch,
                   instant_after(host_now(parent->host), duration_s(CERTIFICATE_WATCH_S)));
}

/* ---- stop ------------------------------------------------------------------------------------ */

/* Those who speak with strangers go first, the store last: what was acknowledged is written. */
static unsigned
stage_of(enum role_kind kind)
{
    if (kind == ROLE_SMTP || kind == ROLE_ACCESS)
        return 0;
    return kind == ROLE_STORE ? 2 : 1;
}

static void
begin_stage(struct parent *parent)
{
    struct instant now = host_now(parent->host);

    for (size_t i = 0; i < parent->child_count; i++) {
        if (stage_of(parent->children[i].kind) == parent->stop_stage &&
            child_is_alive(&parent->children[i]))
            child_send_stop(&parent->children[i]);
    }
    host_timer_set(parent->deadline,
                   instant_after(instant_after(now, parent->config.shutdown_timer),
                                 duration_ms(KILL_GRACE_MS)));
}

/* The time for this stage is over: what still runs is killed. */
static void
on_deadline(void *context)
{
    struct parent *parent = context;

    for (size_t i = 0; i < parent->child_count; i++) {
        struct child *child = &parent->children[i];
        if (stage_of(child->kind) == parent->stop_stage && child_is_alive(child))
            host_process_signal(child->process, SIGKILL);
    }
}

static bool
is_stage_over(const struct parent *parent)
{
    for (size_t i = 0; i < parent->child_count; i++) {
        if (stage_of(parent->children[i].kind) == parent->stop_stage &&
            child_is_alive(&parent->children[i]))
            return false;
    }
    return true;
}

void
parent_stop(struct parent *parent)
{
    if (parent->is_stopping)
        return;
    parent->is_stopping = true;
    host_supervisor_tell(SLICE("STOPPING=1"));
    log_event(parent->host, HOST_LEVEL_INFO, "stopping", "hostname", parent->config.hostname);
    begin_stage(parent);
    parent_look(parent);
}

static void
look_for_ready(struct parent *parent)
{
    for (size_t i = 0; i < parent->child_count; i++) {
        if (parent->children[i].state != TOOL_PARENT_STATE_READY)
            return;
    }
    parent->is_ready = true;
    log_event(parent->host, HOST_LEVEL_INFO, "ready", "hostname", parent->config.hostname);
    host_supervisor_tell(SLICE("READY=1"));
    if (parent->options->on_ready)
        parent->options->on_ready(parent->options->context, parent->host);
}

void
parent_look(struct parent *parent)
{
    if (!parent->is_stopping && !parent->is_ready)
        look_for_ready(parent);
    while (parent->is_stopping && parent->stop_stage < STOP_STAGES && is_stage_over(parent)) {
        parent->stop_stage++;
        begin_stage(parent);
    }
    if (parent->stop_stage == STOP_STAGES)
        host_stop(parent->host);
}

/* ---- start ----------------------------------------------------------------------------------- */

static void
add_children(struct parent *parent, enum role_kind kind, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        child_init(&parent->children[parent->child_count++], parent, kind, i);
}

static bool
needs_hand(const struct config *config)
{
    return config->programs.count || config->socket_dirs.count ||
           config->alias_programs_user.len || config->forward_files != CONFIG_FORWARD_NO;
}

/* The store first and what needs it behind it: so their channels find somebody awake. */
static bool
start_children(struct parent *parent)
{
    parent->processes = parent->config.processes ? parent->config.processes
                                                 : (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    if (parent->processes > PROCESSES_MAX)
        parent->processes = PROCESSES_MAX;
    add_children(parent, ROLE_STORE, 1);
    if (parent->config.letterbox_dirs.count)
        add_children(parent, ROLE_LETTERBOX, 1);
    if (needs_hand(&parent->config))
        add_children(parent, ROLE_HAND, 1);
    add_children(parent, ROLE_DELIVER, parent->processes);
    if (parent->config.search_index)
        add_children(parent, ROLE_INDEX, 1);
    if (parent->config.oauth_jwks.len || parent->config.oauth_introspection.len)
        add_children(parent, ROLE_ISSUER, 1);
    add_children(parent, ROLE_KEYS, 1); /* knows a new key before others show its certificate */
    add_children(parent, ROLE_AUTH, 1);
    add_children(parent, ROLE_RESOLVE, 1);
    add_children(parent, ROLE_TABLE, (unsigned)parent->config.tables.count);
    add_children(parent, ROLE_ROUTE, 1);
    add_children(parent, ROLE_TRANSPORT, parent->processes);
    add_children(parent, ROLE_SMTP, parent->processes);
    add_children(parent, ROLE_ACCESS, parent->processes);
    for (size_t i = 0; i < parent->child_count; i++) {
        int status = child_start(&parent->children[i]);
        if (status < 0) {
            parent_complain(parent, "cannot start a process: %s", strerror(-status));
            return false;
        }
        /* The others of a pair that stand before it are there already. */
        child_link_all(&parent->children[i]);
    }
    for (size_t i = 0; i < parent->child_count; i++)
        child_begin(&parent->children[i]);
    return true;
}

static void
on_end_signal(void *context)
{
    parent_stop(context);
}

static void
on_reload_signal(void *context)
{
    struct buffer problems;

    buffer_init(&problems, PROBLEMS_MAX);
    (void)parent_reload(context, &problems);
    buffer_finish(&problems);
}

static bool
open_signals(struct parent *parent)
{
    return host_signal_open(parent->host, SIGTERM, on_end_signal, parent, &parent->signals[0]) ==
               0 &&
           host_signal_open(parent->host, SIGINT, on_end_signal, parent, &parent->signals[1]) ==
               0 &&
           host_signal_open(parent->host, SIGHUP, on_reload_signal, parent, &parent->signals[2]) ==
               0;
}

static bool
load_certificates(struct parent *parent)
{
    struct certificates fresh;
    struct buffer problems;

    buffer_init(&problems, PROBLEMS_MAX);
    bool is_good = certificates_read(&parent->config, &problems, &fresh);
    if (is_good)
        (void)certificates_adopt(parent, &fresh);
    complain_lines(parent, buffer_slice(&problems));
    buffer_finish(&problems);
    return is_good;
}

static void
finish(struct parent *parent)
{
    for (size_t i = 0; i < parent->child_count; i++)
        child_finish(&parent->children[i]);
    admin_close(parent);
    listeners_close(parent);
    programs_close(parent);
    certificates_forget(&parent->certificates);
    for (size_t i = 0; i < COUNT_OF(parent->signals); i++)
        host_signal_close(&parent->signals[i]);
    host_timer_close(&parent->certificate_watch);
    life_close(parent);
    host_timer_close(&parent->deadline);
    for (size_t i = 0; i < COUNT_OF(parent->config_arenas); i++)
        arena_finish(&parent->config_arenas[i]);
    arena_finish(&parent->note_arena);
    buffer_finish(&parent->note);
    buffer_finish(&parent->fixed);
    buffer_finish(&parent->late);
    host_linux_close(&parent->host);
    free(parent);
}

/* NULL when not even a loop can be had. */
static struct parent *
open_parent(const struct config *config, const struct parent_options *options)
{
    struct parent *parent = calloc(1, sizeof(*parent));

    if (!parent)
        abort();
    parent_forbid_rings(config, options);
    if (host_linux_open(&parent->host) < 0) {
        free(parent);
        return NULL;
    }
    parent->options = options;
    parent->store_admin = HOST_HANDLE_NONE;
    for (size_t i = 0; i < PARENT_PROGRAMS; i++)
        parent->programs[i] = HOST_HANDLE_NONE;
    parent->started_wall = host_wall(parent->host);
    host_random(parent->host, &parent->log_seed, sizeof(parent->log_seed));
    arena_init(&parent->config_arenas[0], CONFIG_ARENA_MAX);
    arena_init(&parent->config_arenas[1], CONFIG_ARENA_MAX);
    arena_init(&parent->note_arena, 1024 * 1024);
    buffer_init(&parent->note, HOST_NOTE_MAX);
    buffer_init(&parent->fixed, SIZE_MAX);
    buffer_init(&parent->late, TOOL_PARENT_RELOAD_DONE_TEXT_MAX / 2);
    put_fixed(config, &parent->fixed);
    parent->certificate_watch = host_timer_open(parent->host, on_certificate_watch, parent);
    parent->deadline = host_timer_open(parent->host, on_deadline, parent);
    if (!adopt_config(parent, config))
        parent->exit_code = EX_SOFTWARE;
    return parent;
}

int
parent_serve(const struct config *config, const struct parent_options *options)
{
    struct parent *parent = open_parent(config, options);

    if (!parent)
        return EX_OSERR;
    configure_log(parent);
    bool is_good = parent->exit_code == 0 && folders_make(parent) && load_certificates(parent) &&
                   listeners_open(parent);
    if (!is_good && parent->exit_code == 0)
        parent->exit_code = EX_CONFIG;
    if (is_good && !(programs_open(parent) && open_signals(parent) && parent_confine(parent) &&
                     start_children(parent))) {
        parent->exit_code = EX_OSERR;
        is_good = false;
    }
    if (is_good) {
        host_timer_set(parent->certificate_watch,
                       instant_after(host_now(parent->host), duration_s(CERTIFICATE_WATCH_S)));
        life_open(parent);
        host_linux_run(parent->host);
    }
    int exit_code = parent->exit_code;
    finish(parent);
    return exit_code;
}
