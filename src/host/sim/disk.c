/* SPDX-License-Identifier: ISC */
#include "host/sim/disk_private.h"

#include <errno.h>
#include <stdlib.h>

enum { SECTOR_BYTES = 512, SIZE_FIRST = 8 };

/* ---- entries of folders --------------------------------------------------------------------- */

static struct entry *
find_entry(const struct entries *entries, const char *name)
{
    for (size_t i = 0; i < entries->count; i++)
        if (strcmp(entries->items[i].name, name) == 0)
            return &entries->items[i];
    return NULL;
}

struct node *
entries_find(const struct entries *entries, const char *name)
{
    const struct entry *entry = find_entry(entries, name);

    return entry ? entry->node : NULL;
}

static char *
copy_name(const char *name)
{
    char *copy = name ? strdup(name) : NULL;

    if (name && !copy)
        abort();
    return copy;
}

void
entries_set(struct entries *entries, const char *name, struct node *node)
{
    struct entry *entry = find_entry(entries, name);

    if (entry) {
        entry->node = node;
        return;
    }
    if (entries->count == entries->size) {
        entries->size = entries->size ? entries->size * 2 : SIZE_FIRST;
        entries->items = realloc(entries->items, entries->size * sizeof(struct entry));
        if (!entries->items)
            abort();
    }
    entries->items[entries->count++] = (struct entry){copy_name(name), node};
}

void
entries_remove(struct entries *entries, const char *name)
{
    struct entry *entry = find_entry(entries, name);

    if (!entry)
        return;
    free(entry->name);
    *entry = entries->items[--entries->count];
}

static void
entries_free(struct entries *entries)
{
    for (size_t i = 0; i < entries->count; i++)
        free(entries->items[i].name);
    free(entries->items);
    *entries = (struct entries){0};
}

/* ---- folders -------------------------------------------------------------------------------- */

static void
apply_change(struct entries *from, struct entries *to, const struct change *change)
{
    if (change->from_name)
        entries_remove(from, change->from_name);
    if (change->to_name)
        entries_set(to, change->to_name, change->node);
}

static void
make_change_durable(const struct change *change)
{
    apply_change(change->from ? &change->from->durable_entries : NULL,
                 change->to ? &change->to->durable_entries : NULL, change);
}

static void
free_change(struct change *change)
{
    free(change->from_name);
    free(change->to_name);
}

void
folder_change(struct disk *disk, struct change change)
{
    apply_change(change.from ? &change.from->entries : NULL, change.to ? &change.to->entries : NULL,
                 &change);
    if (disk->change_count == disk->change_size) {
        disk->change_size = disk->change_size ? disk->change_size * 2 : SIZE_FIRST;
        disk->changes = realloc(disk->changes, disk->change_size * sizeof(struct change));
        if (!disk->changes)
            abort();
    }
    change.from_name = copy_name(change.from_name);
    change.to_name = copy_name(change.to_name);
    disk->changes[disk->change_count++] = change;
}

/* Marks the folders that moves have tied to marked ones; true when there was a new one. */
static bool
spread_marks(struct disk *disk)
{
    bool is_new = false;

    for (size_t i = 0; i < disk->change_count; i++) {
        struct change *change = &disk->changes[i];
        if (!change->from || !change->to || change->from->is_marked == change->to->is_marked)
            continue;
        change->from->is_marked = change->to->is_marked = true;
        is_new = true;
    }
    return is_new;
}

static bool
is_marked(const struct change *change)
{
    return (change->from && change->from->is_marked) || (change->to && change->to->is_marked);
}

/* Only changes of this folder become durable (and of those that moves tie to it, since a move is
 * never half done): a name in an unsynced parent may still vanish. */
void
folder_sync(struct disk *disk, struct node *folder)
{
    size_t kept = 0;

    folder->is_marked = true;
    while (spread_marks(disk))
        continue;
    for (size_t i = 0; i < disk->change_count; i++) {
        if (is_marked(&disk->changes[i])) {
            make_change_durable(&disk->changes[i]);
            free_change(&disk->changes[i]);
        } else {
            disk->changes[kept++] = disk->changes[i];
        }
    }
    disk->change_count = kept;
    LIST_EACH (link, &disk->nodes)
        LIST_ITEM(link, struct node, in_disk)->is_marked = false;
}

/* ---- files ---------------------------------------------------------------------------------- */

static void
add_pending(struct node *node, struct pending pending)
{
    if (node->pending_count == node->pending_size) {
        node->pending_size = node->pending_size ? node->pending_size * 2 : SIZE_FIRST;
        node->pending = realloc(node->pending, node->pending_size * sizeof(struct pending));
        if (!node->pending)
            abort();
    }
    node->pending[node->pending_count++] = pending;
}

static void
drop_pending(struct node *node)
{
    for (size_t i = 0; i < node->pending_count; i++)
        free(node->pending[i].bytes);
    node->pending_count = 0;
}

/* Charges the growth of a file; returns the size that there is room for. */
static uint64_t
charge(struct disk *disk, struct node *node, uint64_t size)
{
    if (size <= node->charged)
        return size;
    uint64_t growth = size - node->charged;
    uint64_t left = disk->room > disk->used ? disk->room - disk->used : 0;
    if (growth > left)
        growth = left;
    node->charged += growth;
    disk->used += growth;
    return node->charged;
}

/* What is written over a bad sector can be read again; in the midst of one nothing is healed. */
static void
heal(struct node *node, uint64_t start, uint64_t end)
{
    if (start <= node->spoilt_from && end > node->spoilt_from)
        node->spoilt_from = end < node->spoilt_end ? end : node->spoilt_end;
    else if (start < node->spoilt_end && end >= node->spoilt_end)
        node->spoilt_end = start;
}

size_t
node_write(struct disk *disk, struct node *node, struct slice bytes, uint64_t offset)
{
    uint64_t end = charge(disk, node, offset + bytes.len);

    if (end < offset + bytes.len)
        bytes = slice_first(bytes, end > offset ? (size_t)(end - offset) : 0);
    if (bytes.len == 0)
        return 0;
    heal(node, offset, offset + bytes.len);
    pages_write(&node->seen, bytes, offset);
    uint8_t *copy = sim_allocate(bytes.len);
    memcpy(copy, bytes.at, bytes.len);
    add_pending(node, (struct pending){.offset = offset, .len = bytes.len, .bytes = copy});
    return bytes.len;
}

bool
node_resize(struct disk *disk, struct node *node, uint64_t size)
{
    if (size < node->charged) {
        disk->used -= node->charged - size;
        node->charged = size;
    } else if (charge(disk, node, size) < size) {
        return false;
    }
    pages_resize(&node->seen, size);
    add_pending(node, (struct pending){.is_resize = true, .offset = size});
    return true;
}

static void
apply_pending(struct pages *pages, const struct pending *pending)
{
    if (pending->is_resize)
        pages_resize(pages, pending->offset);
    else
        pages_write(pages, slice_of(pending->bytes, pending->len), pending->offset);
}

void
node_sync(struct node *node)
{
    for (size_t i = 0; i < node->pending_count; i++)
        apply_pending(&node->durable, &node->pending[i]);
    drop_pending(node);
}

void
node_forget(struct disk *disk, struct node *node)
{
    for (size_t i = 0; i < node->pending_count; i++)
        if (sim_random(disk->sim, 2) == 0)
            apply_pending(&node->durable, &node->pending[i]);
    drop_pending(node);
    node->has_forgotten = true;
}

/* Part of a write that was on its way: up to any octet, or any of its sectors. */
static void
apply_torn(struct sim *sim, struct pages *pages, const struct pending *pending)
{
    if (pending->is_resize)
        return;
    struct slice bytes = slice_of(pending->bytes, pending->len);
    if (sim_random(sim, 2) == 0) {
        size_t len = (size_t)sim_random(sim, bytes.len + 1);
        pages_write(pages, slice_first(bytes, len), pending->offset);
        return;
    }
    for (size_t at = 0; at < bytes.len; at += SECTOR_BYTES)
        if (sim_random(sim, 2) == 0)
            pages_write(pages, slice_between(bytes, at, at + SECTOR_BYTES), pending->offset + at);
}

/* `mood` of the whole disk: nothing had been written, everything had, or each as it came. */
static void
power_cycle_file(struct sim *sim, struct node *node, uint64_t mood)
{
    if (node->pending_count == 0 && !node->has_forgotten)
        return;
    for (size_t i = 0; i < node->pending_count; i++) {
        uint64_t fate = mood < 2 ? mood : sim_random(sim, 3);
        if (fate == 1)
            apply_pending(&node->durable, &node->pending[i]);
        else if (fate == 2)
            apply_torn(sim, &node->durable, &node->pending[i]);
    }
    drop_pending(node);
    pages_copy(&node->seen, &node->durable);
    node->has_forgotten = false;
}

static void
power_cycle_folder(struct node *node)
{
    entries_free(&node->entries);
    for (size_t i = 0; i < node->durable_entries.count; i++)
        entries_set(&node->entries, node->durable_entries.items[i].name,
                    node->durable_entries.items[i].node);
}

/* What is reachable has room; the rest gives it back. */
static void
recharge(struct disk *disk, struct node *folder)
{
    for (size_t i = 0; i < folder->entries.count; i++) {
        struct node *node = folder->entries.items[i].node;
        if (node->is_folder) {
            recharge(disk, node);
            continue;
        }
        node->charged = node->seen.size;
        disk->used += node->charged;
    }
}

void
sim_disk_power_cycle(struct sim_machine *machine)
{
    struct sim *sim = machine->sim;
    struct disk *disk = machine->disk;
    uint64_t mood = sim_random(sim, 4);
    /* File systems keep the order of such changes: some first ones are there, the others not. */
    size_t kept = mood < 2 ? (size_t)mood * disk->change_count
                           : (size_t)sim_random(sim, disk->change_count + 1);

    LIST_EACH (link, &sim->hosts) {
        const struct host *host = LIST_ITEM(link, struct host, in_world);
        assert(host->is_dead || host->machine != machine);
    }
    for (size_t i = 0; i < disk->change_count; i++) {
        if (i < kept)
            make_change_durable(&disk->changes[i]);
        free_change(&disk->changes[i]);
    }
    disk->change_count = 0;
    disk->used = 0;
    LIST_EACH (link, &disk->nodes) {
        struct node *node = LIST_ITEM(link, struct node, in_disk);
        node->locked_by = node->record_locked_by = NULL;
        node->charged = 0;
        if (node->is_folder)
            power_cycle_folder(node);
        else
            power_cycle_file(sim, node, mood);
    }
    recharge(disk, disk->root);
    machine->is_off = false;
}

/* ---- operations and faults ------------------------------------------------------------------ */

enum moment
disk_begin(struct disk *disk)
{
    if (disk->operations++ != disk->crash_at)
        return MOMENT_NONE;
    disk->crash_at = UINT64_MAX;
    return MOMENT_BEFORE + (enum moment)sim_random(disk->sim, 3);
}

int
disk_crash(struct disk *disk, struct host *host)
{
    if (disk->crash_is_power_cut)
        sim_power_cut(disk->machine);
    else
        sim_host_kill(host);
    disk->sim->has_crashed = true;
    disk->sim->crashed_host = host;
    return -EIO;
}

int
disk_fault(struct disk *disk, enum sim_disk_fault fault)
{
    if (disk->fault != fault || disk->fault_count == 0)
        return 0;
    disk->fault_count--;
    disk->hits.writes += fault == SIM_FAULT_WRITE;
    disk->hits.syncs += fault == SIM_FAULT_SYNC;
    disk->hits.reads += fault == SIM_FAULT_READ;
    return disk->fault_error;
}

int
disk_is_full(struct disk *disk)
{
    disk->hits.room++;
    return -ENOSPC;
}

const struct sim_disk_hits *
sim_disk_hits(const struct sim_machine *machine)
{
    return &machine->disk->hits;
}

uint64_t
sim_disk_operations(const struct sim_machine *machine)
{
    return machine->disk->operations;
}

void
sim_crash_at(struct sim_machine *machine, uint64_t operation, bool is_power_cut)
{
    machine->disk->crash_at = operation;
    machine->disk->crash_is_power_cut = is_power_cut;
}

void
sim_disk_fail(struct sim_machine *machine, enum sim_disk_fault fault, unsigned count, int error)
{
    machine->disk->fault = fault;
    machine->disk->fault_count = count;
    machine->disk->fault_error = error;
}

void
sim_disk_set_free(struct sim_machine *machine, uint64_t bytes)
{
    uint64_t used = machine->disk->used;

    machine->disk->room = bytes < UINT64_MAX - used ? used + bytes : UINT64_MAX;
}

int
sim_disk_damage(struct sim_machine *machine, const char *path, uint64_t offset, unsigned bit)
{
    struct node *node = disk_find(machine->disk, path);
    uint8_t byte;

    if (!node || node->is_folder)
        return -ENOENT;
    if (pages_read(&node->seen, &byte, 1, offset) == 0)
        return -EINVAL;
    byte ^= (uint8_t)(1U << bit % 8);
    pages_write(&node->seen, slice_of(&byte, 1), offset);
    if (offset < node->durable.size)
        pages_write(&node->durable, slice_of(&byte, 1), offset);
    return 0;
}

int
sim_disk_spoil(struct sim_machine *machine, const char *path, uint64_t offset, uint64_t len)
{
    struct node *node = disk_find(machine->disk, path);

    if (!node || node->is_folder)
        return -ENOENT;
    node->spoilt_from = offset;
    node->spoilt_end = offset + len;
    return 0;
}

int
sim_disk_size(struct sim_machine *machine, const char *path, uint64_t *ret_size)
{
    const struct node *node = disk_find(machine->disk, path);

    if (!node || node->is_folder)
        return -ENOENT;
    *ret_size = node->seen.size;
    return 0;
}

/* ---- life ------------------------------------------------------------------------------------ */

struct node *
disk_node(struct disk *disk, bool is_folder)
{
    struct node *node = sim_allocate(sizeof(*node));

    node->is_folder = is_folder;
    node->number = ++disk->next_number;
    list_append(&disk->nodes, &node->in_disk);
    return node;
}

struct node *
disk_find(struct disk *disk, const char *path)
{
    struct slice rest = slice_of_string(path);
    struct node *node = disk->root;
    char name[256];

    while (node) {
        while (rest.len > 0 && rest.at[0] == '/')
            rest = slice_skip(rest, 1);
        if (rest.len == 0)
            return node;
        struct slice part = slice_first(rest, slice_find_byte(rest, '/'));
        rest = slice_skip(rest, part.len);
        if (!node->is_folder || part.len >= sizeof(name))
            return NULL;
        memcpy(name, part.at, part.len);
        name[part.len] = 0;
        node = entries_find(&node->entries, name);
    }
    return NULL;
}

struct disk *
disk_open(struct sim_machine *machine, uint64_t size)
{
    struct disk *disk = sim_allocate(sizeof(*disk));

    disk->sim = machine->sim;
    disk->machine = machine;
    disk->room = size ? size : UINT64_MAX;
    disk->crash_at = UINT64_MAX;
    list_init(&disk->nodes);
    disk->root = disk_node(disk, true);
    return disk;
}

void
disk_close(struct disk **disk_at)
{
    struct disk *disk = *disk_at;

    *disk_at = NULL;
    LIST_EACH (link, &disk->nodes) {
        struct node *node = LIST_ITEM(link, struct node, in_disk);
        drop_pending(node);
        free(node->pending);
        pages_free(&node->seen);
        pages_free(&node->durable);
        entries_free(&node->entries);
        entries_free(&node->durable_entries);
        free(node);
    }
    for (size_t i = 0; i < disk->change_count; i++)
        free_change(&disk->changes[i]);
    free(disk->changes);
    free(disk);
}
