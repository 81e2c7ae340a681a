/* SPDX-License-Identifier: ISC */
/* The simulated disk: what readers see, what a power cut would leave, and the difference.
 * Private to the room. */
#ifndef HOST_SIM_DISK_PRIVATE_H
#define HOST_SIM_DISK_PRIVATE_H

#include "host/sim/pages.h"
#include "host/sim/world_private.h"

/* A change of a file that is not durable yet. */
struct pending {
    bool is_resize;
    uint64_t offset; /* or the new size */
    size_t len;
    uint8_t *bytes; /* owned */
};

struct entry {
    char *name; /* owned */
    struct node *node;
};

struct entries {
    struct entry *items;
    size_t count;
    size_t size;
};

struct node {
    struct list in_disk;
    uint64_t number; /* inode */
    bool is_folder;
    bool is_marked; /* by folder_sync, for a moment */
    /* files */
    struct pages seen;
    struct pages durable;
    struct pending *pending;
    size_t pending_count;
    size_t pending_size;
    bool has_forgotten; /* a sync has failed: `seen` has what will never be durable */
    uint64_t charged;   /* bytes of the disk's room */
    uint64_t spoilt_from, spoilt_end; /* cannot be read */
    int64_t modified_ns;
    struct host_file *locked_by;        /* flock */
    struct host_file *record_locked_by; /* fcntl */
    /* folders */
    struct entries entries;
    struct entries durable_entries;
};

/* A change of folders that is not durable yet. An empty name: no such side. */
struct change {
    struct node *from;
    char *from_name; /* owned; NULL: something new */
    struct node *to;
    char *to_name; /* owned; NULL: removed */
    struct node *node;
};

struct disk {
    struct sim *sim;
    struct sim_machine *machine;
    struct list nodes; /* all that ever were */
    struct node *root;
    struct change *changes;
    size_t change_count;
    size_t change_size;
    uint64_t used;
    uint64_t room; /* UINT64_MAX: no limit */
    uint64_t operations;
    uint64_t crash_at; /* UINT64_MAX: never */
    bool crash_is_power_cut;
    uint64_t next_number;
    enum sim_disk_fault fault;
    unsigned fault_count;
    int fault_error;
    struct sim_disk_hits hits;
};

/* Where in an operation the crash comes, if it does. */
enum moment { MOMENT_NONE, MOMENT_BEFORE, MOMENT_WITHIN, MOMENT_AFTER };

/* Starts an operation that changes the disk or makes it durable. */
enum moment disk_begin(struct disk *disk);
/* The crash that disk_begin announced; returns what the operation then answers. */
int disk_crash(struct disk *disk, struct host *host);
/* The error that was asked for, or 0. */
int disk_fault(struct disk *disk, enum sim_disk_fault fault);
/* What an operation answers that found no room. */
int disk_is_full(struct disk *disk);

struct node *disk_node(struct disk *disk, bool is_folder);
/* By a path from the root, NULL when it is not there. */
struct node *disk_find(struct disk *disk, const char *path);

/* The names in a folder; find returns NULL for one that is not there. */
struct node *entries_find(const struct entries *entries, const char *name);
void entries_set(struct entries *entries, const char *name, struct node *node);
void entries_remove(struct entries *entries, const char *name);

/* What readers see changes at once; what is durable, by the syncs. */
void folder_change(struct disk *disk, struct change change);
void folder_sync(struct disk *disk, struct node *folder);
/* Returns how many of the bytes found room. */
size_t node_write(struct disk *disk, struct node *node, struct slice bytes, uint64_t offset);
/* False: no room. */
bool node_resize(struct disk *disk, struct node *node, uint64_t size);
void node_sync(struct node *node);
/* A sync that failed: some of what it was to write is forgotten. */
void node_forget(struct disk *disk, struct node *node);

#endif
