/* SPDX-License-Identifier: ISC */
/* The parent's own confinement, entered when its sockets are bound and before the first child is
 * started: so every child, the first and one that replaces it, starts under the same conditions. */
#include "role/parent/parent_private.h"

#include "host/linux/sandbox.h"
#include "host/log.h"

#include <unistd.h>

/* PAM asks a set-user-id program when an ordinary user wants a password verified; our confinement,
 * which children inherit, would take that program its rights. */
static bool
needs_set_user_id(const struct config *config)
{
    return geteuid() != 0 && config->system_users;
}

void
parent_forbid_rings(const struct config *config, const struct parent_options *options)
{
    /* Where this fails, confinement will fail, too, and be told. */
    if (options->is_confined && !needs_set_user_id(config))
        (void)!sandbox_forbid_rings();
}

bool
parent_confine(struct parent *parent)
{
    char prefix[32];
    struct buffer report;
    struct sandbox_request request = {.user_prefix = prefix};
    int error = 0;

    buffer_init(&report, REPORT_MAX);
    snprintf(prefix, sizeof(prefix), "%.*s", (int)parent->config.run_as.len,
             (const char *)parent->config.run_as.at);
    if (!parent->options->is_confined)
        buffer_put_text(&report, "none");
    else if (needs_set_user_id(&parent->config))
        buffer_put_text(&report, "none (system_users needs set-user-id programs)");
    else
        error = sandbox_enter(sandbox_find("parent"), &request, &report);
    snprintf(parent->report, sizeof(parent->report), "%.*s", (int)buffer_len(&report),
             (const char *)buffer_slice(&report).at);
    buffer_finish(&report);
    if (error < 0)
        parent_complain(parent,
                        "cannot confine itself: %s: %s; the kernel or the supervisor denies it",
                        parent->report, strerror(-error));
    else
        log_event(parent->host, HOST_LEVEL_INFO, "confined", "confinement",
                  slice_of_string(parent->report));
    return error == 0;
}
