/* SPDX-License-Identifier: ISC */
#include "pop3/maildrop.h"

#include "pop3/server.h"

#include <stdlib.h>

enum { SIZE_FIRST = 16 };

static const uint64_t deleted_mark = (uint64_t)1 << 63;

void
pop3_maildrop_finish(struct pop3_maildrop *maildrop)
{
    free(maildrop->uids);
    free(maildrop->marks);
    *maildrop = (struct pop3_maildrop){0};
}

static void
grow(struct pop3_maildrop *maildrop)
{
    uint32_t size = maildrop->size ? maildrop->size * 2 : SIZE_FIRST;
    uint32_t *uids = realloc(maildrop->uids, size * sizeof(*uids));
    uint64_t *marks = realloc(maildrop->marks, size * sizeof(*marks));

    if (!uids || !marks)
        abort();
    maildrop->uids = uids;
    maildrop->marks = marks;
    maildrop->size = size;
}

bool
pop3_maildrop_add(struct pop3_maildrop *maildrop, uint32_t uid, uint64_t bytes)
{
    if (maildrop->count >= POP3_MESSAGES_MAX)
        return false;
    if (maildrop->count == maildrop->size)
        grow(maildrop);
    bytes &= ~deleted_mark;
    maildrop->uids[maildrop->count] = uid;
    maildrop->marks[maildrop->count] = bytes;
    maildrop->bytes += bytes;
    maildrop->count++;
    return true;
}

bool
pop3_maildrop_has(const struct pop3_maildrop *maildrop, uint32_t number)
{
    return number >= 1 && number <= maildrop->count;
}

uint32_t
pop3_maildrop_uid(const struct pop3_maildrop *maildrop, uint32_t number)
{
    assert(pop3_maildrop_has(maildrop, number));
    return maildrop->uids[number - 1];
}

uint64_t
pop3_maildrop_bytes(const struct pop3_maildrop *maildrop, uint32_t number)
{
    assert(pop3_maildrop_has(maildrop, number));
    return maildrop->marks[number - 1] & ~deleted_mark;
}

bool
pop3_maildrop_is_deleted(const struct pop3_maildrop *maildrop, uint32_t number)
{
    assert(pop3_maildrop_has(maildrop, number));
    return (maildrop->marks[number - 1] & deleted_mark) != 0;
}

void
pop3_maildrop_delete(struct pop3_maildrop *maildrop, uint32_t number)
{
    if (pop3_maildrop_is_deleted(maildrop, number))
        return;
    maildrop->deleted_count++;
    maildrop->deleted_bytes += pop3_maildrop_bytes(maildrop, number);
    maildrop->marks[number - 1] |= deleted_mark;
}

void
pop3_maildrop_reset(struct pop3_maildrop *maildrop)
{
    for (uint32_t i = 0; i < maildrop->count; i++)
        maildrop->marks[i] &= ~deleted_mark;
    maildrop->deleted_count = 0;
    maildrop->deleted_bytes = 0;
}
