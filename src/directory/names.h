/* SPDX-License-Identifier: ISC */
/* All names of a domain: put together where the domain is kept, looked up where its mail is only
 * passed on. As a text they are addresses in canonical form, one a line; "@domain" stands for every
 * name. */
#ifndef DIRECTORY_NAMES_H
#define DIRECTORY_NAMES_H

#include "directory/directory.h"

enum {
    DIRECTORY_NAMES_MAX = 1000000,       /* of a domain that another server keeps */
    DIRECTORY_NAMES_BYTES_MAX = 64 << 20 /* of the text */
};

/* Puts every name of a domain of ours that takes mail. False when it is none. Of a domain that
 * stands for another, the names are the other's. */
MUST_USE bool directory_put_names(const struct directory *directory, struct slice domain,
                                  struct buffer *text);

/* Takes one line without its end: *ret_name is the canonical form, in the arena, or empty for every
 * name. False when it is no name of the domain (which is in canonical form). */
MUST_USE bool directory_name_take(struct arena *arena, struct slice domain, struct slice line,
                                  struct slice *ret_name);

struct directory_names;

/* Copies what it needs. Without is_known there is no text yet: the domain's mail has to wait. Lines
 * that are no names of the domain, and what is above the limits, are passed over. */
struct directory_names *directory_names_open(struct slice domain, bool is_known, struct slice text,
                                             uint64_t seed);
void directory_names_close(struct directory_names **names);

struct slice directory_names_domain(const struct directory_names *names);
bool directory_names_are_known(const struct directory_names *names);
/* How many there are. */
size_t directory_names_count(const struct directory_names *names);
/* `name` in canonical form. */
bool directory_names_have(const struct directory_names *names, struct slice name);

#endif
