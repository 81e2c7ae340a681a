/* SPDX-License-Identifier: ISC */
/* Private to the room: what directory_parse builds and directory_resolve walks through. */
#ifndef DIRECTORY_TABLE_H
#define DIRECTORY_TABLE_H

#include "base/map.h"
#include "directory/directory.h"
#include "directory/line.h"
#include "directory/secret.h"

/* Entries of one kind: by canonical name, and in the order of the file. */
struct directory_table {
    struct map by_name;
    void **at;
    size_t count;
    size_t size;
    size_t name_offset; /* of the canonical name in an entry */
};

struct directory {
    struct arena arena;
    struct directory_table accounts, aliases, moved, domains, relays, recipients;
    struct map accounts_by_id;
    struct map damaged; /* names that only damaged lines are about */
    uint64_t id_max;
    const struct directory_account *first_account; /* enabled, lowest id */
    struct slice separators;
    struct slice postmaster;
    struct directory_names *const *names; /* of domains that other servers keep */
    size_t names_count;
    struct directory_problems problems;
};

/* An address of a relay domain that is known to exist there. */
struct directory_recipient {
    struct slice name;
};

/* Reads the fields of one line; NULL, and `damage` set in the line, when it is wrong. Everything is
 * copied into the arena. */
struct directory_account *directory_account_read(struct arena *arena, struct directory_line *line);
struct directory_alias *directory_alias_read(struct arena *arena, struct directory_line *line);
struct directory_moved *directory_moved_read(struct arena *arena, struct directory_line *line);
struct directory_domain *directory_domain_read(struct arena *arena, struct directory_line *line);
struct directory_relay *directory_relay_read(struct arena *arena, struct directory_line *line);
struct directory_recipient *directory_recipient_read(struct arena *arena,
                                                     struct directory_line *line);
struct directory_secret *directory_secret_read(struct arena *arena, struct directory_line *line);

/* The name of a line in canonical form, in the arena; "@domain" is one for aliases only. */
MUST_USE bool directory_name_read(struct arena *arena, struct directory_line *line,
                                  struct slice *ret_name);

/* The key that an address has in the tables; in the arena. */
struct slice directory_key(struct arena *arena, const struct directory_address *address);

/* Marks the line as damaged; NULL for convenience. */
void *directory_line_damage(struct directory_line *line, struct slice place, const char *what);

#endif
