/* SPDX-License-Identifier: ISC */
/* The public part of the directory as an immutable table: parse a file's bytes once, look up as
 * often as wanted, close. One look-up costs about a hash; 100,000 accounts load in well under half
 * a second. */
#ifndef DIRECTORY_DIRECTORY_H
#define DIRECTORY_DIRECTORY_H

#include "base/arena.h"
#include "base/buffer.h"
#include "directory/address.h"

/* What one entry may hold, and how far an alias may lead. */
enum {
    DIRECTORY_LINE_MAX = 512 * 1024, /* octets of one line: 1000 members of 320 and some */
    DIRECTORY_MEMBERS_MAX = 1000,    /* of one alias or list */
    DIRECTORY_TARGETS_MAX = 1000,    /* of one address when all is expanded; as note/smtp_route */
    DIRECTORY_DEPTH_MAX = 16,        /* aliases behind aliases */
    DIRECTORY_PROBLEMS_MAX = 100,    /* kept with their text; the rest is only counted */
    DIRECTORY_MATCHES_MAX = 100,     /* possibilities shown for an ambiguous query */
    DIRECTORY_DETAIL_MAX = 128,      /* behind the separator; a longer one is dropped */
};

enum directory_delivery { DIRECTORY_STORE, DIRECTORY_MBOX, DIRECTORY_MAILDIR };

struct directory_account {
    uint64_t id;            /* never 0, never used again */
    struct slice name;      /* alice@example.test, canonical: what users log in with */
    struct slice full_name; /* for VRFY; may be empty */
    bool is_enabled;        /* false: cannot log in, mail is refused */
    bool has_quota;         /* false: both quotas are the configuration's defaults */
    uint64_t quota_bytes;   /* 0: no bound */
    uint64_t quota_messages;
    bool has_delivery; /* false: the configuration's default */
    enum directory_delivery delivery;
    struct slice path;  /* of the mbox or Maildir */
    struct slice login; /* of a system user whose password PAM knows, or empty */
};

enum directory_list_kind { DIRECTORY_ALIAS, DIRECTORY_LIST };

struct directory_alias {
    enum directory_list_kind kind;
    struct slice name;           /* canonical; "@domain" for a catch-all */
    struct slice full_name;      /* of a list */
    bool is_private;             /* EXPN does not show the members */
    bool is_closed;              /* of a list: only its members may write to it */
    struct slice owner;          /* of a list: who gets its bounces; empty: the postmaster */
    struct slice unsubscribe;    /* of a list: an https: or mailto: address, or empty */
    const struct slice *members; /* addresses as written, each parsed once to see that it is one,
                                    and paths of files (directory/unix_aliases.h) */
    size_t count;
};

struct directory_moved {
    struct slice name;
    struct slice to; /* the new address, as written */
};

/* A domain that is not ours, but whose mail we take and pass on (RFC 5321 §3.7: a relay). */
struct directory_relay {
    struct slice name; /* canonical */
    bool is_listed;    /* only for recipients that have a line; false: for any name */
};

struct directory_domain {
    struct slice name;       /* canonical */
    struct slice same_as;    /* canonical name of the domain that it stands for, or empty */
    struct slice postmaster; /* address, or empty */
};

/* What is wrong with one line. */
struct directory_problem {
    size_t line;        /* from 1 */
    struct slice place; /* the words of the line that it is about, cut to something printable */
    const char *what;   /* what was expected */
};

struct directory_options {
    struct slice separators; /* of the detail in user+detail; each octet is one; empty: none */
    struct slice postmaster; /* the account for postmaster and abuse where nobody else is named; may
                                be empty: then the enabled account with the lowest id */
    uint64_t seed;           /* random: strangers ask for names */
    /* Names of domains that other servers keep, as these have told them (names.h); borrowed, and
     * listed in the array for as long as the directory is. Such a domain needs no `relay` line. */
    struct directory_names *const *names;
    size_t names_count;
};

struct directory;

/* Never fails: a damaged line becomes a problem and all others stand. `accounts` is not needed
 * afterwards. */
struct directory *directory_parse(struct slice accounts, const struct directory_options *options);
/* The same with what directory/unix_aliases.h has made before it: a line of `accounts` wins. */
struct directory *directory_parse_both(struct slice aliases, struct slice accounts,
                                       const struct directory_options *options);
void directory_close(struct directory **directory);

/* Number of problems, and the first DIRECTORY_PROBLEMS_MAX of them by index. */
size_t directory_problem_count(const struct directory *directory);
const struct directory_problem *directory_problem(const struct directory *directory, size_t index);

/* The smallest number that no account has ever had. */
uint64_t directory_id_next(const struct directory *directory);

/* Walks over the living entries in the order of their lines; NULL behind the last. */
const struct directory_account *directory_account_at(const struct directory *directory,
                                                     size_t index);
const struct directory_alias *directory_alias_at(const struct directory *directory, size_t index);
const struct directory_moved *directory_moved_at(const struct directory *directory, size_t index);
const struct directory_domain *directory_domain_at(const struct directory *directory, size_t index);

/* Exact look-ups of one entry, no expansion; `name` in any spelling. */
const struct directory_account *directory_account_find(const struct directory *directory,
                                                       struct slice name);
const struct directory_account *directory_account_find_id(const struct directory *directory,
                                                          uint64_t id);
const struct directory_alias *directory_alias_find(const struct directory *directory,
                                                   struct slice name);
const struct directory_moved *directory_moved_find(const struct directory *directory,
                                                   struct slice name);
const struct directory_domain *directory_domain_find(const struct directory *directory,
                                                     struct slice name);
const struct directory_relay *directory_relay_at(const struct directory *directory, size_t index);
const struct directory_relay *directory_relay_find(const struct directory *directory,
                                                   struct slice name);

/* The known names of relay domains: addresses in canonical form; NULL behind the last. */
const struct slice *directory_recipient_at(const struct directory *directory, size_t index);
bool directory_recipient_is_known(const struct directory *directory, struct slice name);

/* Whom a login name means: an account's address, or its local part alone where that is unique
 * (`alice`), or an address of a domain that stands for another. Disabled accounts are found too. */
const struct directory_account *directory_login_find(const struct directory *directory,
                                                     struct slice name);

/* ---- where does an address lead? ----------------------------------------------------------- */

enum directory_verdict {
    DIRECTORY_FOUND,       /* to the targets */
    DIRECTORY_UNKNOWN,     /* the domain is ours, nobody has that name */
    DIRECTORY_FOREIGN,     /* the domain is not ours */
    DIRECTORY_RELAYED,     /* the domain is not ours, but we pass its mail on: to the one target */
    DIRECTORY_AWAITED,     /* we pass its mail on, but do not know its names yet */
    DIRECTORY_HAS_MOVED,   /* `moved_to` is the new address; targets are there when it is here */
    DIRECTORY_DISABLED,    /* the one account behind it takes no mail */
    DIRECTORY_BAD_ADDRESS, /* no address at all */
    DIRECTORY_BROKEN,      /* aliases in a loop, too deep, too many, or leading nowhere */
};

struct directory_target {
    const struct directory_account *account; /* NULL: an address of a foreign domain, in `name` */
    struct slice name;                       /* the account's, or the foreign address */
    bool is_file;                            /* `name` is the path of a file that an alias names */
    bool is_program;     /* `name` is KEY@DOMAIN (unix_aliases.h), KEY.LOGIN@DOMAIN of a .forward */
    struct slice user;   /* of a file of a .forward: whose it is; else empty */
    struct slice detail; /* behind the separator, case kept; may be empty */
    const struct directory_alias *list; /* the innermost list that led here, or NULL */
    bool is_forwarded;                  /* by an alias, a list or a moved user */
};

struct directory_answer {
    enum directory_verdict verdict;
    const struct directory_target *targets; /* in the arena; no account and detail twice */
    size_t count;
    struct slice moved_to;
    const char *why; /* for DIRECTORY_BROKEN */
};

/* Resolves one recipient. The answer lives in the arena and borrows from directory and address. */
void directory_resolve(const struct directory *directory, struct slice address, struct arena *arena,
                       struct directory_answer *ret_answer);

/* VRFY (RFC 5321 §3.5): `query` is an address, a local part or (part of) a full name. Puts one line
 * "Full Name <address>" for each match into ret_lines, in the arena; FOUND with one line is
 * an answer, FOUND with several is ambiguous. EXPN: one line for each member; UNKNOWN for what
 * is no list, DISABLED for a private one. */
struct directory_lines {
    const struct slice *at;
    size_t count;
};
enum directory_verdict directory_verify(const struct directory *directory, struct slice query,
                                        struct arena *arena, struct directory_lines *ret_lines);
enum directory_verdict directory_expand(const struct directory *directory, struct slice query,
                                        struct arena *arena, struct directory_lines *ret_lines);

#endif
