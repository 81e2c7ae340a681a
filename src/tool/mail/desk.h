/* SPDX-License-Identifier: ISC */
/* What the commands of a person's own mail share: the file of accounts, passwords, where state
 * lies, and how problems are told. */
#ifndef TOOL_MAIL_DESK_H
#define TOOL_MAIL_DESK_H

#include "client/folder.h"
#include "tool/command.h"

/* Options that these commands share. */
#define DESK_OPTION_ACCOUNT                                                                        \
    {                                                                                              \
        "account", "NAME", "Account, by its name or address; default: the first."                  \
    }
#define DESK_OPTION_FOLDER                                                                         \
    {                                                                                              \
        "folder", "NAME", "Folder of the account; default: INBOX."                                 \
    }
#define DESK_OPTION_BOX                                                                            \
    {                                                                                              \
        "box", "PATH", "An mbox file or a Maildir of this machine, instead of an account."         \
    }
#define DESK_OPTION_TRACE                                                                          \
    {                                                                                              \
        "trace", NULL, "Show states and dialogue with the server, passwords masked."               \
    }

struct desk {
    struct arena arena;
    struct client_accounts accounts;
    struct client_login login; /* of the account in use, after desk_log_in */
    struct buffer password, trace;
};

/* Reads the accounts; a file that is not there is empty. EX_OK, or a code after having said why.
 * desk_close is due in any case. */
MUST_USE int desk_open(struct desk *ret_desk);
/* Shows the trace, if there is one, and frees. */
void desk_close(struct desk *desk);

/* All of a command: opens the desk, does it, closes the desk. */
typedef int (*desk_fn)(struct desk *desk, const struct command_call *call);
MUST_USE int desk_run(const struct command_call *call, desk_fn fn);

/* Chooses the account (NULL: the first) and fetches its password. */
MUST_USE int desk_log_in(struct desk *desk, const char *account, bool is_traced);

/* The folder that a call's options name: --account, --folder, --box, --trace. */
MUST_USE int desk_open_folder(struct desk *desk, const struct command_call *call, bool is_read_only,
                              struct client_folder **ret_folder);

/* Says the problem and returns the code for it. */
int desk_tell(const struct client_problem *problem);

/* The code alone. */
int desk_code(enum client_problem_kind kind);

/* Paths, owned by the caller: below $XDG_CONFIG_HOME/facteur and $XDG_STATE_HOME/facteur, with the
 * folders above them made. NULL after having said why. */
MUST_USE char *desk_config_path(const char *name);
MUST_USE char *desk_state_path(const char *name);

/* Where the copy of an account lies (sync/copy.h): as the account says, else ~/Mail/NAME. Owned by
 * the caller; NULL after having said why. */
MUST_USE char *desk_copy_root(const struct client_account *account);

/* Changes the file of accounts: writes all of them. */
MUST_USE int desk_write_accounts(const struct client_accounts *accounts);

/* Sets or, with an empty password, removes the stored password of an account: in the keyring of
 * the session, or where there is none, in a file. */
MUST_USE int desk_store_password(const char *account, struct slice password);

#endif
