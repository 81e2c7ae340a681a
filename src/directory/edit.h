/* SPDX-License-Identifier: ISC */
/* Lines to append to the directory's files. Each call puts one line with its end; the caller has
 * made sure that the file's last line has one (directory_needs_line_end). Names are written in
 * their canonical form. False, and nothing put, when a field cannot stand in the file (no address,
 * control characters, too long). Lines of kind `moved` are written by hand only. */
#ifndef DIRECTORY_EDIT_H
#define DIRECTORY_EDIT_H

#include "directory/directory.h"

/* The line of a whole entry: a new one, or one that takes the place of the entry of that name. */
MUST_USE bool directory_put_account(struct buffer *buffer, const struct directory_account *account);
MUST_USE bool directory_put_alias(struct buffer *buffer, const struct directory_alias *alias);
MUST_USE bool directory_put_domain(struct buffer *buffer, const struct directory_domain *domain);
MUST_USE bool directory_put_relay(struct buffer *buffer, const struct directory_relay *relay);
MUST_USE bool directory_put_recipient(struct buffer *buffer, struct slice name);

/* The lines that take a name away. The id stays known, so that it is never given again. */
MUST_USE bool directory_put_account_removed(struct buffer *buffer, struct slice name, uint64_t id);
MUST_USE bool directory_put_alias_removed(struct buffer *buffer, struct slice name);
MUST_USE bool directory_put_domain_removed(struct buffer *buffer, struct slice name);
MUST_USE bool directory_put_relay_removed(struct buffer *buffer, struct slice name);
MUST_USE bool directory_put_recipient_removed(struct buffer *buffer, struct slice name);

static inline bool
directory_needs_line_end(struct slice file)
{
    return file.len > 0 && file.at[file.len - 1] != '\n';
}

/* How many lines of the file have been overruled by later ones: compact when it is more than half
 * of `ret_lines`. Works for both files. */
size_t directory_dead_lines(struct slice file, size_t *ret_lines);

/* The file without them; comments, order and damaged lines are kept. The caller replaces the file
 * in one step (new file, fdatasync, rename). `buffer` needs room for file.len + 64. Of accounts, a
 * line says which id is the next; the file of secrets has none, whatever strayed into it. */
void directory_compact(struct slice file, bool is_secrets, struct buffer *buffer);

#endif
