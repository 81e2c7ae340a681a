/* SPDX-License-Identifier: ISC */
#include "role/auth/lockout.h"

#include "base/buffer.h"
#include "base/list.h"
#include "base/map.h"

#include <stdlib.h>

enum { KEY_MAX = 512, DELAY_STEP_MS = 250 };

struct entry {
    struct list by_use; /* in lockouts->by_use, longest unused first */
    struct slice key;   /* owned */
    unsigned failures;
    bool is_known;
    struct instant last; /* failure */
    struct instant locked_until;
};

struct lockouts {
    struct map entries;
    struct list by_use;
};

struct lockouts *
lockouts_open(uint64_t seed)
{
    struct lockouts *lockouts = calloc(1, sizeof(*lockouts));

    if (!lockouts)
        abort();
    map_init(&lockouts->entries, seed);
    list_init(&lockouts->by_use);
    return lockouts;
}

static void
forget(struct lockouts *lockouts, struct entry *entry)
{
    (void)map_remove(&lockouts->entries, entry->key);
    list_remove(&entry->by_use);
    free(entry);
}

void
lockouts_close(struct lockouts **lockouts)
{
    if (!*lockouts)
        return;
    LIST_EACH (link, &(*lockouts)->by_use)
        forget(*lockouts, LIST_ITEM(link, struct entry, by_use));
    map_finish(&(*lockouts)->entries);
    free(*lockouts);
    *lockouts = NULL;
}

size_t
lockouts_count(const struct lockouts *lockouts)
{
    return lockouts->entries.count;
}

/* customer, NUL, name: a customer's own entry has no name, and no name is empty. */
static void
put_key(struct buffer *key, struct slice customer, struct slice name)
{
    buffer_init(key, KEY_MAX);
    buffer_put(key, slice_first(customer, 16));
    buffer_put_byte(key, 0);
    buffer_put(key, slice_first(name, KEY_MAX - 32));
}

static struct entry *
find(struct lockouts *lockouts, struct slice customer, struct slice name)
{
    struct buffer key;

    put_key(&key, customer, name);
    struct entry *entry = map_find(&lockouts->entries, buffer_slice(&key));
    buffer_finish(&key);
    return entry;
}

static struct entry *
find_or_make(struct lockouts *lockouts, struct slice customer, struct slice name)
{
    struct entry *entry = find(lockouts, customer, name);
    struct buffer key;

    if (entry) {
        list_remove(&entry->by_use);
        list_append(&lockouts->by_use, &entry->by_use);
        return entry;
    }
    if (lockouts->entries.count >= LOCKOUT_ENTRIES_MAX)
        forget(lockouts, LIST_ITEM(lockouts->by_use.next, struct entry, by_use));
    put_key(&key, customer, name);
    size_t len = buffer_len(&key);
    entry = calloc(1, sizeof(*entry) + len);
    if (!entry)
        abort();
    memcpy(entry + 1, buffer_slice(&key).at, len);
    entry->key = slice_of(entry + 1, len);
    buffer_finish(&key);
    list_append(&lockouts->by_use, &entry->by_use);
    (void)map_set(&lockouts->entries, entry->key, entry);
    return entry;
}

static bool
is_locked(const struct entry *entry, struct instant now)
{
    return entry && instant_is_before(now, entry->locked_until);
}

bool
lockout_is_locked(struct lockouts *lockouts, const struct lockout_who *who, struct instant now)
{
    const struct entry *pair = find(lockouts, who->customer, who->name);

    if (is_locked(pair, now))
        return true;
    if (who->is_trusted || (pair && pair->is_known))
        return false;
    return is_locked(find(lockouts, who->customer, SLICE("")), now);
}

bool
lockout_is_known(struct lockouts *lockouts, const struct lockout_who *who)
{
    const struct entry *pair = find(lockouts, who->customer, who->name);

    return pair && pair->is_known;
}

static void
count_failure(struct entry *entry, unsigned patience, struct instant now)
{
    struct duration silence = instant_since(now, entry->last);

    if (silence.ns > duration_s(LOCKOUT_FORGET_S).ns)
        entry->failures = 0;
    entry->failures++;
    entry->last = now;
    if (entry->failures <= patience)
        return;
    unsigned doublings = entry->failures - patience - 1;
    int64_t seconds = doublings > 5 ? LOCKOUT_LOCK_MAX_S : (int64_t)LOCKOUT_LOCK_MIN_S << doublings;
    if (seconds > LOCKOUT_LOCK_MAX_S)
        seconds = LOCKOUT_LOCK_MAX_S;
    entry->locked_until = instant_after(now, duration_s(seconds));
}

struct duration
lockout_fail(struct lockouts *lockouts, const struct lockout_who *who, struct instant now)
{
    if (!who->is_trusted)
        count_failure(find_or_make(lockouts, who->customer, SLICE("")), LOCKOUT_PATIENCE_CUSTOMER,
                      now);
    struct entry *pair = find_or_make(lockouts, who->customer, who->name);
    count_failure(pair, pair->is_known ? LOCKOUT_PATIENCE_KNOWN : LOCKOUT_PATIENCE, now);
    int64_t ms = (int64_t)pair->failures * pair->failures * DELAY_STEP_MS;
    return duration_ms(ms < LOCKOUT_DELAY_MAX_MS ? ms : LOCKOUT_DELAY_MAX_MS);
}

void
lockout_succeed(struct lockouts *lockouts, const struct lockout_who *who, struct instant now)
{
    struct entry *pair = find_or_make(lockouts, who->customer, who->name);

    pair->failures = 0;
    pair->is_known = true;
    pair->last = now;
}
