/* SPDX-License-Identifier: ISC */
#include "role/auth/recent.h"

#include "base/buffer.h"
#include "sasl/digest.h"

#include <stdlib.h>

/* A table of fixed size: an account has one place, and whoever else falls there takes it. */
struct entry {
    uint64_t account;
    struct instant until;
    uint8_t mark[SASL_DIGEST_MAX];
};

struct recents {
    uint8_t key[RECENT_KEY_LEN];
    struct entry entries[RECENT_ENTRIES_MAX];
};

struct recents *
recents_open(struct slice key)
{
    struct recents *recents = calloc(1, sizeof(*recents));

    if (!recents)
        abort();
    assert(key.len == RECENT_KEY_LEN);
    memcpy(recents->key, key.at, key.len);
    return recents;
}

void
recents_close(struct recents **recents)
{
    if (!*recents)
        return;
    sasl_wipe(*recents, sizeof(**recents));
    free(*recents);
    *recents = NULL;
}

/* HMAC over verifier and password, each with its length in front. */
static void
make_mark(const struct recents *recents, struct slice crypt, struct slice password,
          uint8_t *ret_mark)
{
    struct buffer text;

    buffer_init(&text, crypt.len + password.len + 8);
    buffer_put_le32(&text, (uint32_t)crypt.len);
    buffer_put(&text, crypt);
    buffer_put_le32(&text, (uint32_t)password.len);
    buffer_put(&text, password);
    sasl_hmac(SASL_HASH_SHA_256, slice_of(recents->key, sizeof(recents->key)), buffer_slice(&text),
              ret_mark);
    sasl_wipe(text.at, text.size);
    buffer_finish(&text);
}

void
recent_add(struct recents *recents, uint64_t account, struct slice crypt, struct slice password,
           struct instant now)
{
    struct entry *entry = &recents->entries[account % RECENT_ENTRIES_MAX];

    entry->account = account;
    entry->until = instant_after(now, duration_s(RECENT_SECONDS));
    make_mark(recents, crypt, password, entry->mark);
}

bool
recent_has(struct recents *recents, uint64_t account, struct slice crypt, struct slice password,
           struct instant now)
{
    const struct entry *entry = &recents->entries[account % RECENT_ENTRIES_MAX];
    uint8_t mark[SASL_DIGEST_MAX];

    if (entry->account != account || !instant_is_before(now, entry->until))
        return false;
    make_mark(recents, crypt, password, mark);
    return sasl_equal(slice_of(mark, sizeof(mark)), slice_of(entry->mark, sizeof(entry->mark)));
}
