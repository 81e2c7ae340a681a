/* SPDX-License-Identifier: ISC */
#include "role/issuer/verdicts.h"

#include "base/list.h"
#include "base/map.h"
#include "sasl/digest.h"

#include <stdlib.h>

struct entry {
    struct list by_age;
    uint8_t mark[VERDICTS_MARK_LEN];
    enum token_result result;
    struct instant until;
    size_t name_len;
    uint8_t name[TOKEN_NAME_MAX];
};

struct verdicts {
    uint8_t key[VERDICTS_KEY_LEN];
    struct map entries; /* by their marks */
    struct list oldest;
};

struct verdicts *
verdicts_open(struct slice key)
{
    struct verdicts *verdicts = calloc(1, sizeof(*verdicts));

    if (!verdicts)
        abort();
    assert(key.len == VERDICTS_KEY_LEN);
    memcpy(verdicts->key, key.at, key.len);
    map_init(&verdicts->entries, 0); /* nobody chooses marks */
    list_init(&verdicts->oldest);
    return verdicts;
}

static void
drop(struct verdicts *verdicts, struct entry *entry)
{
    (void)map_remove(&verdicts->entries, slice_of(entry->mark, sizeof(entry->mark)));
    list_remove(&entry->by_age);
    sasl_wipe(entry, sizeof(*entry));
    free(entry);
}

void
verdicts_clear(struct verdicts *verdicts)
{
    while (!list_is_empty(&verdicts->oldest))
        drop(verdicts, LIST_ITEM(verdicts->oldest.next, struct entry, by_age));
}

void
verdicts_close(struct verdicts **verdicts)
{
    if (!*verdicts)
        return;
    verdicts_clear(*verdicts);
    map_finish(&(*verdicts)->entries);
    sasl_wipe(*verdicts, sizeof(**verdicts));
    free(*verdicts);
    *verdicts = NULL;
}

void
verdicts_mark(const struct verdicts *verdicts, struct slice token,
              uint8_t ret_mark[VERDICTS_MARK_LEN])
{
    static_assert(VERDICTS_MARK_LEN == 32, "a digest of SHA-256");
    sasl_hmac(SASL_HASH_SHA_256, slice_of(verdicts->key, sizeof(verdicts->key)), token, ret_mark);
}

bool
verdicts_find(struct verdicts *verdicts, const uint8_t mark[VERDICTS_MARK_LEN], struct instant now,
              struct verdict *ret_verdict)
{
    struct entry *entry = map_find(&verdicts->entries, slice_of(mark, VERDICTS_MARK_LEN));

    if (!entry)
        return false;
    if (!instant_is_before(now, entry->until)) {
        drop(verdicts, entry);
        return false;
    }
    *ret_verdict =
        (struct verdict){.result = entry->result, .name = slice_of(entry->name, entry->name_len)};
    return true;
}

void
verdicts_add(struct verdicts *verdicts, const uint8_t mark[VERDICTS_MARK_LEN],
             const struct verdict *verdict, struct instant until)
{
    struct entry *entry = map_find(&verdicts->entries, slice_of(mark, VERDICTS_MARK_LEN));

    if (entry)
        drop(verdicts, entry);
    else if (verdicts->entries.count == VERDICTS_MAX)
        drop(verdicts, LIST_ITEM(verdicts->oldest.next, struct entry, by_age));
    entry = calloc(1, sizeof(*entry));
    if (!entry)
        abort();
    struct slice name = slice_first(verdict->name, TOKEN_NAME_MAX);
    memcpy(entry->mark, mark, sizeof(entry->mark));
    entry->result = verdict->result;
    entry->until = until;
    entry->name_len = name.len;
    if (name.len > 0)
        memcpy(entry->name, name.at, name.len);
    list_append(&verdicts->oldest, &entry->by_age);
    (void)map_set(&verdicts->entries, slice_of(entry->mark, sizeof(entry->mark)), entry);
}

size_t
verdicts_count(const struct verdicts *verdicts)
{
    return verdicts->entries.count;
}
