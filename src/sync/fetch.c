/* SPDX-License-Identifier: ISC */
/* What is new on the server comes here: some messages at a time are written, made durable, moved to
 * their places and become pairs. */
#include "delivery/maildir.h"
#include "sync/run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BATCH_MAX = 64, BATCH_BYTES = 16 << 20, HOST_MAX = 128 };

struct arrival {
    uint32_t uid, flags;
    char *file; /* unique name, the same in the folder for what is not complete */
};

struct fetching {
    struct work *work;
    struct buffer message;
    bool has_message; /* a body has come, also an empty one */
    struct arrival batch[BATCH_MAX];
    size_t count;
    uint64_t bytes;
    char host[HOST_MAX];
    bool has_failed;
};

/* What nobody has seen is new; all else is in cur. */
char *
work_path(const struct run_item *item, const char *file, uint32_t flags)
{
    struct buffer name;
    char *path = NULL;

    buffer_init(&name, PATH_MAX);
    if (flags == 0)
        buffer_put_text(&name, file);
    else
        scan_put_name(&name, slice_of_string(file), flags, SLICE(""));
    if (asprintf(&path, "%s/%s/%.*s", item->path, flags ? "cur" : "new",
                 CLIENT_TEXT(buffer_slice(&name))) < 0)
        abort();
    buffer_finish(&name);
    return path;
}

/* ---- places -------------------------------------------------------------------------------- */

static char *
path_before(const struct fetching *fetching, const char *file)
{
    char *path = NULL;

    if (asprintf(&path, "%s/.facteur/tmp/%s", fetching->work->run->options->root, file) < 0)
        abort();
    return path;
}

static void
fail(struct fetching *fetching, const char *path)
{
    fetching->has_failed = true;
    client_problem_set(&fetching->work->problem, CLIENT_PROBLEM_FILE, "%s: %s", path,
                       strerror(errno));
}

/* ---- a batch ------------------------------------------------------------------------------- */

static bool
make_durable(struct fetching *fetching)
{
    char *path = path_before(fetching, "");
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_good = descriptor >= 0 && syncfs(descriptor) == 0;

    if (!is_good)
        fail(fetching, path);
    if (descriptor >= 0)
        close(descriptor);
    free(path);
    return is_good;
}

static void
place(struct fetching *fetching, struct arrival *arrival)
{
    char *from = path_before(fetching, arrival->file);
    char *to = work_path(fetching->work->item, arrival->file, arrival->flags);

    if (rename(from, to) != 0)
        fail(fetching, to);
    free(from);
    free(to);
}

/* They are pairs as soon as they are on the disk; what a run that dies has not moved to its place
 * the next one moves (sync.c). So nobody can have deleted what we do not know to be a pair. */
static void
finish_batch(struct fetching *fetching)
{
    struct work *work = fetching->work;

    fetching->has_failed = fetching->has_failed || (fetching->count > 0 && !make_durable(fetching));
    for (size_t i = 0; i < fetching->count && !fetching->has_failed; i++) {
        struct arrival *arrival = &fetching->batch[i];
        (void)state_pair(work->state, arrival->uid, arrival->flags, arrival->file);
    }
    if (!fetching->has_failed && !state_commit(work->state, &work->problem))
        fetching->has_failed = true;
    for (size_t i = 0; i < fetching->count; i++) {
        struct arrival *arrival = &fetching->batch[i];
        if (!fetching->has_failed)
            place(fetching, arrival);
        if (!fetching->has_failed)
            work_tell(work, SYNC_FETCHED, arrival->uid, arrival->file, NULL);
        free(arrival->file);
    }
    if (fetching->count > 0)
        scan_sync(work->scan);
    fetching->count = 0;
    fetching->bytes = 0;
}

static bool
write_file(const char *path, struct slice bytes, struct wall received)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, {.tv_sec = wall_seconds(received)}};
    int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool is_good = descriptor >= 0;

    while (is_good && bytes.len > 0) {
        ssize_t count = write(descriptor, bytes.at, bytes.len);
        is_good = count >= 0 || errno == EINTR;
        bytes = slice_skip(bytes, count > 0 ? (size_t)count : 0);
    }
    if (is_good)
        (void)futimens(descriptor, times);
    if (descriptor >= 0)
        close(descriptor);
    return is_good;
}

/* The whole message has come. */
static void
keep(struct fetching *fetching, const struct imap_client_message *message)
{
    struct arrival *arrival = &fetching->batch[fetching->count];
    struct wall received = message->said & IMAP_CLIENT_SAID_DATE && message->date.ns > 0
                               ? message->date
                               : client_wall();
    struct buffer content, name;
    uint64_t random;

    client_random(&random, sizeof(random));
    buffer_init(&content, CLIENT_MESSAGE_MAX);
    buffer_init(&name, NAME_MAX);
    maildir_put_lf(&content, buffer_slice(&fetching->message));
    maildir_put_name(&name, received, random, slice_of_string(fetching->host),
                     buffer_len(&content));
    *arrival = (struct arrival){.uid = message->uid, .flags = run_flags(message)};
    struct slice text = buffer_slice(&name);
    arrival->file = strndup((const char *)text.at, text.len);
    if (!arrival->file)
        abort();
    char *path = path_before(fetching, arrival->file);
    if (!write_file(path, buffer_slice(&content), received))
        fail(fetching, path);
    free(path);
    fetching->count++;
    fetching->bytes += buffer_len(&content);
    buffer_finish(&content);
    buffer_finish(&name);
    if (fetching->count == BATCH_MAX || fetching->bytes >= BATCH_BYTES)
        finish_batch(fetching);
}

static void
take_message(void *context, const struct imap_client_event *event)
{
    struct fetching *fetching = context;
    struct work_new *new;

    if (fetching->has_failed)
        return;
    if (event->kind == IMAP_CLIENT_EVENT_BODY) {
        if (event->body.offset == 0)
            buffer_clear(&fetching->message);
        buffer_put(&fetching->message, event->body.bytes);
        fetching->has_message = true;
    } else if (event->kind == IMAP_CLIENT_EVENT_FETCH &&
               (event->message.said & IMAP_CLIENT_SAID_UID) &&
               (event->message.said & IMAP_CLIENT_SAID_FLAGS) && fetching->has_message) {
        new = work_find_new(fetching->work, event->message.uid);
        /* Some servers tell an empty message of one that another client has just taken away. */
        bool is_gone = new && new->size > 0 && buffer_len(&fetching->message) == 0;
        if (new && !new->is_taken && !is_gone && !buffer_overflowed(&fetching->message)) {
            new->is_taken = true;
            keep(fetching, &event->message);
        }
        buffer_clear(&fetching->message);
        fetching->has_message = false;
    }
}

/* ---- all of them --------------------------------------------------------------------------- */

static void
take_size(void *context, const struct imap_client_event *event)
{
    struct work_new *new;

    if (event->kind != IMAP_CLIENT_EVENT_FETCH || !(event->message.said & IMAP_CLIENT_SAID_UID) ||
        !(event->message.said & IMAP_CLIENT_SAID_SIZE))
        return;
    new = work_find_new(context, event->message.uid);
    if (new)
        new->size = event->message.size;
}

bool
work_ask_sizes(struct work *work)
{
    struct imap_client_question question = {.command = IMAP_CLIENT_FETCH,
                                            .text = SLICE("RFC822.SIZE")};
    struct run_uids uids = {0};

    for (size_t i = 0; i < work->news_count; i++) {
        if (!work->news[i].is_taken && work->news[i].size == 0)
            run_uids_add(&uids, work->news[i].uid);
    }
    bool is_good = run_ask_of_each(work->run, &uids, question, take_size, work, &work->problem);
    run_uids_finish(&uids);
    return is_good;
}

static bool
choose(struct work *work, struct run_uids *uids)
{
    if (!work_ask_sizes(work))
        return false;
    for (size_t i = 0; i < work->news_count; i++) {
        struct work_new *new = &work->news[i];
        if (new->is_taken)
            continue;
        if (new->size > IMAP_CLIENT_MESSAGE_BYTES_MAX)
            work_tell(work, SYNC_PASSED_OVER, new->uid, NULL, "a message is too large");
        else if (work->run->options->is_dry)
            work_tell(work, SYNC_FETCHED, new->uid, NULL, NULL);
        else
            run_uids_add(uids, new->uid);
    }
    return true;
}

/* Asks; true, and why in *ret_refusal, also when the server says no: it cannot read one of them. */
static bool
ask_for(struct fetching *fetching, struct run_uids *uids, struct client_problem *ret_refusal)
{
    struct imap_client_question question = {.command = IMAP_CLIENT_FETCH,
                                            .text = SLICE("FLAGS INTERNALDATE BODY.PEEK[]")};
    struct client_problem *problem = &fetching->work->problem;

    *ret_refusal = (struct client_problem){0};
    if (run_ask_of_each(fetching->work->run, uids, question, take_message, fetching, problem))
        return true;
    if (problem->kind != CLIENT_PROBLEM_REFUSED)
        return false;
    *ret_refusal = *problem;
    *problem = (struct client_problem){0};
    return true;
}

/* Each that has not come, alone: one that the server cannot read keeps back no other. */
static bool
ask_alone(struct fetching *fetching, const struct run_uids *uids)
{
    struct client_problem refusal;
    bool is_good = true;

    for (size_t i = 0; is_good && i < uids->count; i++) {
        const struct work_new *new = work_find_new(fetching->work, uids->at[i]);
        if (!new || new->is_taken)
            continue;
        struct run_uids one = {.at = &uids->at[i], .count = 1};
        is_good = ask_for(fetching, &one, &refusal);
        if (is_good && refusal.kind != CLIENT_PROBLEM_NONE)
            work_tell(fetching->work, SYNC_PASSED_OVER, uids->at[i], NULL, refusal.text);
    }
    return is_good;
}

/* What has not come is asked for again by the next run, which lists all. */
static void
forget_end(struct work *work, const struct run_uids *uids)
{
    for (size_t i = 0; i < uids->count; i++) {
        const struct work_new *new = work_find_new(work, uids->at[i]);
        if (new && !new->is_taken)
            work->end.modseq = 0;
    }
}

bool
work_fetch(struct work *work)
{
    struct fetching fetching = {.work = work};
    struct client_problem refusal = {0};
    struct run_uids uids = {0};

    if (gethostname(fetching.host, sizeof(fetching.host) - 1) != 0)
        (void)snprintf(fetching.host, sizeof(fetching.host), "localhost");
    buffer_init(&fetching.message, CLIENT_MESSAGE_MAX);
    bool is_good = choose(work, &uids) && ask_for(&fetching, &uids, &refusal);
    if (is_good && refusal.kind != CLIENT_PROBLEM_NONE)
        is_good = ask_alone(&fetching, &uids);
    forget_end(work, &uids);
    finish_batch(&fetching);
    buffer_finish(&fetching.message);
    run_uids_finish(&uids);
    return is_good && !fetching.has_failed;
}
