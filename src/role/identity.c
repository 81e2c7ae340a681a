/* SPDX-License-Identifier: ISC */
#include "role/identity.h"

#include "base/arena.h"
#include "host/log.h"

#include <stdlib.h>

enum { PROBLEM_MAX = 512, PEM_MAX = 128 * 1024 };

struct kept {
    struct list link;
    struct arena arena;
    struct slice name, chain, key; /* in the arena */
};

void
identity_init(struct identity *identity, struct host *host)
{
    *identity = (struct identity){.host = host};
    list_init(&identity->kept);
}

static void
forget(struct identity *identity, struct kept *kept)
{
    list_remove(&kept->link);
    identity->kept_count--;
    arena_wipe(&kept->arena); /* there is a key in it */
    free(kept);
}

void
identity_finish(struct identity *identity)
{
    LIST_EACH (link, &identity->kept) {
        forget(identity, LIST_ITEM(link, struct kept, link));
    }
    tls_context_close(&identity->context);
}

static void
keep(struct identity *identity, struct slice name, struct slice chain, struct slice key)
{
    struct kept *kept = calloc(1, sizeof(*kept));

    if (!kept)
        abort();
    LIST_EACH (link, &identity->kept) {
        struct kept *old = LIST_ITEM(link, struct kept, link);
        if (slice_equal_nocase(old->name, name))
            forget(identity, old);
    }
    arena_init(&kept->arena, PEM_MAX);
    kept->name = arena_copy(&kept->arena, name);
    kept->chain = arena_copy(&kept->arena, chain);
    kept->key = arena_copy(&kept->arena, key);
    list_append(&identity->kept, &kept->link);
    identity->kept_count++;
}

static void
set(struct identity *identity, struct slice name, struct slice chain, struct slice key)
{
    struct buffer problem;

    buffer_init(&problem, PROBLEM_MAX);
    if (!tls_context_set(identity->context, name, chain, key, &problem))
        log_event(identity->host, HOST_LEVEL_ERROR, "certificate_refused", "problem",
                  buffer_slice(&problem));
    buffer_finish(&problem);
}

void
identity_set(struct identity *identity, struct slice name, struct slice chain, struct slice key,
             bool is_read_now)
{
    identity->is_there = true;
    if (is_read_now || identity->kept_count >= IDENTITY_KEPT_MAX)
        (void)identity_context(identity);
    if (identity->context)
        set(identity, name, chain, key);
    else
        keep(identity, name, chain, key);
}

bool
identity_is_there(const struct identity *identity)
{
    return identity->is_there;
}

struct tls_context *
identity_context(struct identity *identity)
{
    assert(identity->is_there);
    if (identity->context)
        return identity->context;
    identity->context = tls_context_open_server();
    identity_set_time(identity);
    LIST_EACH (link, &identity->kept) {
        struct kept *kept = LIST_ITEM(link, struct kept, link);
        set(identity, kept->name, kept->chain, kept->key);
        forget(identity, kept);
    }
    return identity->context;
}

void
identity_set_time(struct identity *identity)
{
    if (identity->context)
        tls_context_set_time(identity->context, host_wall(identity->host));
}
