/* SPDX-License-Identifier: ISC */
/* The directory's files on disk: read, and changed under their lock. See directory/README.md for
 * what stands in them. */
#ifndef TOOL_PEOPLE_H
#define TOOL_PEOPLE_H

#include "directory/directory.h"
#include "directory/names.h"
#include "directory/edit.h"
#include "directory/secret.h"
#include "tool/settings.h"

/* A directory larger than this does not fit this machine's patience: some ten million lines. */
enum { PEOPLE_FILE_MAX = 1 << 30, PEOPLE_FEEDS_MAX = 64 /* as the option relay_feeds */ };

struct people {
    const struct settings *settings;
    char *folder; /* DATA/directory */
    char *accounts_path;
    char *aliases_path;
    char *secrets_path;
    int lock;               /* -1: only read */
    struct buffer accounts; /* the file's bytes */
    struct buffer aliases;  /* what newaliases has made; not read for changes */
    struct directory *directory;
    /* What the servers of other domains have told (option relay_feeds); not read for changes. */
    struct directory_names *names[PEOPLE_FEEDS_MAX];
    size_t names_count;
    const char *done; /* what a change was, when it was another than the command usually does */
};

/* Reads the accounts; with `is_change` makes the folder where it is missing and takes the lock.
 * Damaged lines are told and passed over. people_close is due in any case. */
MUST_USE int people_open(const struct settings *settings, bool is_change,
                         struct people *ret_people);
void people_close(struct people *people);

/* The account of this address or login name; EX_NOUSER after having said that there is none. */
MUST_USE int people_find(const struct people *people, const char *name,
                         const struct directory_account **ret_account);

/* Puts `lines` in the place of what newaliases made before. */
MUST_USE int people_replace_aliases(struct people *people, struct slice lines);

/* Append lines (made by directory/edit.h) to the accounts, or (by directory/secret.h) to the
 * secrets. The files are compacted when more than half of them is overruled. */
MUST_USE int people_append_accounts(struct people *people, struct slice lines);
MUST_USE int people_append_secrets(struct people *people, struct slice lines);

/* Makes and appends the secret of a new password. Says why when the password cannot be used. */
struct people_password {
    struct slice name; /* the account's */
    uint64_t id;
    struct slice password;
    bool is_hash; /* it is one that another server has made of the password */
    bool with_apop;
};
MUST_USE int people_set_password(struct people *people, const struct people_password *password);

/* Warns of each alias of which the address is a member, with how to go on. */
void people_warn_of_members(const struct people *people, struct slice address);
/* Warns when mail for the address leads nowhere, or in a circle. */
void people_warn_of_dead_end(const struct people *people, struct slice address);

/* Has a running server read the directory again, and says `done` together with what came of it. */
MUST_USE int people_reload(const struct settings *settings, const char *done);

/* A whole command that changes the directory: reads the configuration, takes the lock, has `apply`
 * do the change, and reloads. The command has the option --config. */
MUST_USE int people_change(const struct command_call *call,
                           int (*apply)(const struct command_call *call, struct people *people),
                           const char *done);

#endif
