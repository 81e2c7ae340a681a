/* SPDX-License-Identifier: ISC */
#include "note/ledger.h"

#include <stdlib.h>

enum { LEDGER_SIZE_FIRST = 64 };

/* Fibonacci hashing: ids count upwards, so this spreads them well. */
static size_t
home_of(size_t size, uint64_t key)
{
    return (size_t)(key * 0x9E3779B97F4A7C15u >> 20) & (size - 1);
}

static size_t
find_place(const uint64_t *ids, size_t size, uint64_t key)
{
    size_t at = home_of(size, key);

    while (ids[at] && ids[at] != key)
        at = (at + 1) & (size - 1);
    return at;
}

static void
grow(struct note_ledger *ledger)
{
    size_t size = ledger->size ? ledger->size * 2 : LEDGER_SIZE_FIRST;
    uint64_t *ids = calloc(size, sizeof(*ids));

    if (!ids)
        abort();
    for (size_t i = 0; i < ledger->size; i++) {
        if (ledger->ids[i])
            ids[find_place(ids, size, ledger->ids[i])] = ledger->ids[i];
    }
    free(ledger->ids);
    ledger->ids = ids;
    ledger->size = size;
}

bool
note_ledger_open(struct note_ledger *ledger, uint64_t id)
{
    if (id == UINT64_MAX)
        return false;
    if (ledger->is_lenient)
        return true;
    if (ledger->count >= NOTE_LEDGER_MAX)
        return false;
    if (ledger->count * 2 >= ledger->size)
        grow(ledger);
    size_t at = find_place(ledger->ids, ledger->size, id + 1);
    if (ledger->ids[at])
        return false;
    ledger->ids[at] = id + 1;
    ledger->count++;
    return true;
}

bool
note_ledger_has(const struct note_ledger *ledger, uint64_t id)
{
    if (id == UINT64_MAX)
        return false;
    return ledger->is_lenient ||
           (ledger->count > 0 && ledger->ids[find_place(ledger->ids, ledger->size, id + 1)] != 0);
}

/* Moves later ids of the run forward, so that no search stops at the place set free. */
static void
close_gap(struct note_ledger *ledger, size_t gap)
{
    size_t mask = ledger->size - 1;

    for (size_t at = (gap + 1) & mask; ledger->ids[at]; at = (at + 1) & mask) {
        size_t home = home_of(ledger->size, ledger->ids[at]);
        if (((at - home) & mask) >= ((at - gap) & mask)) {
            ledger->ids[gap] = ledger->ids[at];
            gap = at;
        }
    }
    ledger->ids[gap] = 0;
}

bool
note_ledger_answer(struct note_ledger *ledger, uint64_t id)
{
    if (!note_ledger_has(ledger, id))
        return false;
    if (ledger->is_lenient)
        return true;
    close_gap(ledger, find_place(ledger->ids, ledger->size, id + 1));
    ledger->count--;
    return true;
}

void
note_ledger_finish(struct note_ledger *ledger)
{
    free(ledger->ids);
    *ledger = (struct note_ledger){.is_lenient = ledger->is_lenient};
}
