/* SPDX-License-Identifier: ISC */
/* Waiting for changes on either side. What happens between a run and the wait is not missed: the
 * copy is watched all the time, and the server's INBOX is compared with what the run has left. */
#include "client/imap.h"
#include "sync/copy.h"
#include "sync/state.h"
#include "sync/sync.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { SETTLE_MS = 300 };

struct sync_watch {
    int descriptor;
};

void
sync_watch_close(struct sync_watch **watch)
{
    if (!*watch)
        return;
    if ((*watch)->descriptor >= 0)
        close((*watch)->descriptor);
    free(*watch);
    *watch = NULL;
}

static void
add_path(struct sync_watch *watch, const char *path, const char *below)
{
    const uint32_t events = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR;
    char *whole = NULL;

    if (asprintf(&whole, "%s%s", path, below) < 0)
        abort();
    (void)inotify_add_watch(watch->descriptor, whole, events); /* what cannot be watched is seen
                                                                 when the seconds are over */
    free(whole);
}

/* The folders that there are now; those that are watched already stay so. */
static bool
add_folders(struct sync_watch *watch, const char *root, struct client_problem *problem)
{
    struct copy_folders folders;
    struct arena arena;

    arena_init(&arena, (size_t)1 << 30);
    bool is_good = copy_list(&arena, root, &folders, problem);
    add_path(watch, root, "");
    for (size_t i = 0; i < folders.count; i++) {
        add_path(watch, folders.folders[i].path, "");
        add_path(watch, folders.folders[i].path, "/new");
        add_path(watch, folders.folders[i].path, "/cur");
    }
    arena_finish(&arena);
    return is_good;
}

struct sync_watch *
sync_watch_open(const char *root, struct client_problem *problem)
{
    struct sync_watch *watch = calloc(1, sizeof(*watch));

    if (!watch)
        abort();
    watch->descriptor = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watch->descriptor < 0)
        client_problem_set(problem, CLIENT_PROBLEM_FILE, "inotify: %s", strerror(errno));
    else if (add_folders(watch, root, problem))
        return watch;
    sync_watch_close(&watch);
    return NULL;
}

/* Takes what has been seen, until it is quiet for a moment: true when there was something. */
static bool
take_seen(struct sync_watch *watch)
{
    struct pollfd poller = {.fd = watch->descriptor, .events = POLLIN};
    char bytes[16 * 1024];
    bool has_seen = false;

    while (poll(&poller, 1, has_seen ? SETTLE_MS : 0) > 0) {
        if (read(watch->descriptor, bytes, sizeof(bytes)) < 0 && errno != EINTR)
            break;
        has_seen = true;
    }
    return has_seen;
}

/* Whether INBOX is as the run has left it, as far as it has kept that: what it could not fetch is
 * not asked for without a pause. */
static bool
is_same(const struct sync_options *options, const struct client_imap *imap)
{
    struct imap_client_status now = client_imap_mailbox(imap).status;
    struct client_problem unused = {0};
    struct state state;

    bool is_read = state_open(&state, options->root, "INBOX", true, &unused);
    bool is_same = is_read && state.validity == now.uid_validity &&
                   state.end.uid_next == now.uid_next && state.end.messages == now.messages &&
                   (state.end.modseq == 0 || state.end.modseq == now.highest_modseq);
    state_finish(&state);
    return is_same;
}

bool
sync_watch_wait(struct sync_watch *watch, const struct sync_options *options, unsigned seconds,
                struct client_problem *problem)
{
    struct instant deadline = instant_after(client_now(), duration_s(seconds));
    struct imap_client_question examine = {.command = IMAP_CLIENT_EXAMINE,
                                           .mailbox = SLICE("INBOX")};

    if (!add_folders(watch, options->root, problem))
        return false;
    if (take_seen(watch))
        return true;
    struct client_imap *imap = client_imap_open(options->login, problem);
    if (!imap)
        return false;
    examine.text = client_imap_facts(imap).has_condstore ? SLICE("CONDSTORE") : SLICE("");
    client_imap_watch(imap, watch->descriptor);
    bool is_good =
        client_imap_ask(imap, &examine, NULL, NULL, problem) &&
        (!is_same(options, imap) || client_imap_wait(imap, deadline, NULL, NULL, problem));
    client_imap_close(&imap);
    (void)take_seen(watch);
    return is_good;
}
