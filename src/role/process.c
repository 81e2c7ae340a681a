/* SPDX-License-Identifier: ISC */
#include "role/process.h"

#include "host/linux/linux.h"
#include "host/linux/process.h"
#include "host/linux/sandbox.h"
#include "role/frame.h"
#include "table/table.h"

#include <sysexits.h>

enum {
    FILES_PER_CONNECTION = 2,
    FILES_SPARE = 256,
    FOLDERS_MAX = 20,
    FOLDER_BYTES_MAX = 4096,
    INDEX_NICENESS = 10
};

/* Folders by path, for the sandbox. */
struct folders {
    char text[FOLDERS_MAX][FOLDER_BYTES_MAX];
    const char *at[FOLDERS_MAX];
    size_t count;
};

static void
add_folder(struct folders *folders, struct slice root, const char *below)
{
    if (folders->count == FOLDERS_MAX)
        return;
    snprintf(folders->text[folders->count], FOLDER_BYTES_MAX, "%.*s%s", (int)root.len,
             (const char *)root.at, below);
    folders->at[folders->count] = folders->text[folders->count];
    folders->count++;
}

/* What each role may go on reaching by path. */
static void
name_folders(enum role_kind kind, const struct config *config, struct folders *readable,
             struct folders *writable)
{
    if (kind == ROLE_STORE)
        add_folder(writable, config->data_dir, "/store");
    if (kind == ROLE_INDEX)
        add_folder(writable, config->data_dir, "/index");
    if (kind == ROLE_AUTH)
        add_folder(writable, config->data_dir, "/directory");
    if (kind == ROLE_ROUTE)
        add_folder(readable, config->data_dir, "/directory");
    for (size_t i = 0; kind == ROLE_LETTERBOX && i < config->letterbox_dirs.count; i++)
        add_folder(writable, config->letterbox_dirs.at[i], "");
}

/* A table's file lies in a folder; who asks a server finds it, and its certificate, through /etc.
 * Returns the profile. */
static const char *
name_table_folders(const struct config *config, unsigned index, struct folders *readable)
{
    struct table_spec spec;

    if (index >= config->tables.count || table_spec_parse(config->tables.at[index], &spec))
        return "table";
    if (!table_is_remote(spec.kind)) {
        size_t slash = slice_find_last_byte(spec.place, '/');
        add_folder(readable, slice_first(spec.place, slash > 0 ? slash : 1), "");
        return "table";
    }
    add_folder(readable, SLICE("/etc"), "");
    add_folder(readable, SLICE("/usr/lib"), "");
    add_folder(readable, SLICE("/usr/share/ca-certificates"), "");
    return "table-remote";
}

static bool
confine(void *context, enum role_kind kind, unsigned index, const struct config *config,
        struct buffer *report)
{
    static struct folders readable, writable; /* one role in one process: too large for the stack */
    const char *profile = role_kind_name(kind);
    char prefix[32];

    (void)context;

    name_folders(kind, config, &readable, &writable);
    if (kind == ROLE_TABLE)
        profile = name_table_folders(config, index, &readable);
    snprintf(prefix, sizeof(prefix), "%.*s", (int)config->run_as.len,
             (const char *)config->run_as.at);
    struct sandbox_request request = {
        .user_prefix = prefix,
        .readable = readable.at,
        .readable_count = readable.count,
        .writable = writable.at,
        .writable_count = writable.count,
        /* The index waits while mail needs the processor. */
        .niceness = kind == ROLE_INDEX ? INDEX_NICENESS : 0,
        .files_max = config->connections_max * FILES_PER_CONNECTION + FILES_SPARE,
    };
    return sandbox_enter(sandbox_find(profile), &request, report) == 0;
}

int
role_process_main(const struct role *const *roles)
{
    struct host *host;
    host_handle channel;

    if (host_process_parent_channel(&channel) < 0) {
        fputs("facteur: only the parent runs this program; start the server with 'facteur serve'\n",
              stderr);
        return EX_USAGE;
    }
    if (host_linux_open(&host) < 0)
        return EX_OSERR;
    struct role_frame *frame = role_frame_open(host, roles, channel, confine, NULL);
    host_linux_run(host);
    bool is_good = role_frame_close(&frame);
    host_linux_close(&host);
    return is_good ? 0 : EX_SOFTWARE;
}
