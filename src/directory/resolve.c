/* SPDX-License-Identifier: ISC */
/* Where an address leads: RFC 5321 §3.4 (moved users), §3.9 (aliases and lists), §4.5.1
 * (postmaster), RFC 2142 (abuse), RFC 5233 (subaddress). Expansion is a list of work, no recursion.
 */
#include "directory/names.h"
#include "directory/table.h"
#include "directory/unix_aliases.h"

enum { WORK_MAX = 4 * DIRECTORY_TARGETS_MAX, SAME_AS_MAX = 4 };

struct work {
    struct slice address;
    struct slice detail; /* comes along from the alias it was found behind */
    unsigned depth;
    const struct directory_alias *list; /* the innermost that it was found behind */
};

/* One resolution under way. */
struct resolution {
    const struct directory *directory;
    struct arena *arena;
    struct directory_answer *answer;
    struct work *work; /* a queue: what is before `next` has been looked at */
    size_t next, count, size;
    struct directory_target *targets;
    size_t target_count, target_size;
    struct map seen; /* aliases that were opened, targets that are there */
    bool has_seen;
    unsigned disabled_count;
    bool is_damaged;
    bool is_over; /* too many, too deep */
};

/* ---- lists that grow in the arena ---------------------------------------------------------- */

static bool
add_work(struct resolution *run, struct slice address, struct slice detail, unsigned depth,
         const struct directory_alias *list)
{
    if (run->count == WORK_MAX || depth > DIRECTORY_DEPTH_MAX) {
        run->is_over = true;
        return false;
    }
    if (run->count == run->size) {
        size_t size = run->size ? run->size * 2 : 2;
        struct work *bigger = ARENA_ARRAY(run->arena, struct work, size);
        if (!bigger)
            return false;
        if (run->count > 0)
            memcpy(bigger, run->work, run->count * sizeof(*bigger));
        run->work = bigger;
        run->size = size;
    }
    run->work[run->count++] = (struct work){address, detail, depth, list};
    return true;
}

/* True the first time. The map exists only where an alias was met: most addresses need none. */
static bool
is_new(struct resolution *run, char kind, struct slice name, struct slice detail)
{
    struct buffer key;

    if (!run->has_seen) {
        map_init(&run->seen, run->directory->accounts.by_name.seed);
        run->has_seen = true;
    }
    buffer_init(&key, 1024 + DIRECTORY_DETAIL_MAX);
    buffer_put_byte(&key, (uint8_t)kind);
    buffer_put(&key, name);
    buffer_put_byte(&key, 0);
    buffer_put(&key, detail);
    bool is_first = map_set(&run->seen, buffer_slice(&key), run) == NULL;
    buffer_finish(&key);
    return is_first;
}

static void
add_target(struct resolution *run, struct directory_target target)
{
    if (run->count > 1 && !is_new(run, target.account ? 't' : 'f', target.name, target.detail))
        return;
    if (run->target_count == DIRECTORY_TARGETS_MAX) {
        run->is_over = true;
        return;
    }
    if (run->target_count == run->target_size) {
        size_t size = run->target_size ? run->target_size * 2 : 1;
        struct directory_target *bigger = ARENA_ARRAY(run->arena, struct directory_target, size);
        if (!bigger)
            return;
        if (run->target_count > 0)
            memcpy(bigger, run->targets, run->target_count * sizeof(*bigger));
        run->targets = bigger;
        run->target_size = size;
    }
    run->targets[run->target_count++] = target;
}

/* ---- one address --------------------------------------------------------------------------- */

/* An alias NAME beside which there is owner-NAME: failures are the owner's, as with a list. */
static bool
has_owner(struct resolution *run, const struct directory_alias *alias)
{
    struct buffer name;
    bool is_there = false;

    buffer_init(&name, DIRECTORY_NAME_MAX + 8);
    buffer_put_text(&name, "owner-");
    buffer_put(&name, alias->name);
    if (alias->name.len > 0 && alias->name.at[0] != '@' && alias->name.at[0] != '"')
        is_there = map_find(&run->directory->aliases.by_name, buffer_slice(&name)) != NULL;
    buffer_finish(&name);
    return is_there;
}

/* KEY@DOMAIN, by which the store's queue knows the program. */
static void
add_program(struct resolution *run, const struct directory_alias *alias, struct slice key,
            const struct directory_alias *list)
{
    struct slice domain = slice_skip(alias->name, slice_find_last_byte(alias->name, '@'));
    struct buffer name;

    buffer_init(&name, DIRECTORY_NAME_MAX + DIRECTORY_PROGRAM_KEY_LEN);
    buffer_put(&name, key);
    buffer_put(&name, domain);
    add_target(run, (struct directory_target){.name = arena_copy(run->arena, buffer_slice(&name)),
                                              .is_program = true,
                                              .detail = SLICE(""),
                                              .list = list,
                                              .is_forwarded = true});
    buffer_finish(&name);
}

static bool
open_alias(struct resolution *run, const struct directory_alias *alias, const struct work *work,
           struct slice detail)
{
    if (!is_new(run, 'a', alias->name, SLICE("")))
        return false;
    const struct directory_alias *list =
        alias->kind == DIRECTORY_LIST || has_owner(run, alias) ? alias : work->list;
    for (size_t i = 0; i < alias->count; i++) {
        if (directory_is_program(alias->members[i]))
            add_program(run, alias, alias->members[i], list);
        else if (!add_work(run, alias->members[i], detail, work->depth + 1, list))
            break;
    }
    return true;
}

/* Looks one canonical name up, without its detail or with it as part of the name. */
static bool
find_name(struct resolution *run, struct slice key, const struct work *work, struct slice detail)
{
    const struct directory *directory = run->directory;
    const struct directory_moved *moved = map_find(&directory->moved.by_name, key);
    const struct directory_alias *alias = map_find(&directory->aliases.by_name, key);
    const struct directory_account *account = map_find(&directory->accounts.by_name, key);

    if (moved) {
        if (work->depth == 0)
            run->answer->moved_to = moved->to;
        (void)!add_work(run, moved->to, detail, work->depth + 1, work->list);
        return true;
    }
    /* An alias that names itself means the account of that name. */
    if (alias && (open_alias(run, alias, work, detail) || !account))
        return true;
    if (!account)
        return false;
    if (!account->is_enabled)
        run->disabled_count++;
    else
        add_target(run, (struct directory_target){.account = account,
                                                  .name = account->name,
                                                  .detail = detail,
                                                  .list = work->list,
                                                  .is_forwarded = work->depth > 0});
    return true;
}

static bool
is_separator(const struct directory *directory, uint8_t octet)
{
    return slice_find_byte(directory->separators, octet) < directory->separators.len;
}

/* Where the detail begins: the first separator that is not in front of everything. */
static size_t
separator_of(const struct directory *directory, struct slice local)
{
    for (size_t i = 1; i < local.len; i++) {
        if (is_separator(directory, local.at[i]))
            return i;
    }
    return local.len;
}

/* The detail with the case that it was written in, where it is found there: mailboxes may be
 * named after it. */
static struct slice
written_detail(struct slice written, struct slice detail)
{
    written = slice_first(written, slice_find_last_byte(written, '@'));
    for (size_t end = written.len; end >= detail.len; end--) {
        struct slice part = slice_between(written, end - detail.len, end);
        if (slice_equal_nocase(part, detail))
            return part;
    }
    return detail;
}

/* True, and kept in mind, when only a damaged line is about that name. */
static bool
is_damaged(struct resolution *run, struct slice key)
{
    if (!map_find(&run->directory->damaged, key))
        return false;
    run->is_damaged = true;
    return true;
}

static bool
find_mailbox(struct resolution *run, const struct directory_address *address,
             const struct work *work)
{
    struct directory_address base = *address;
    size_t at = separator_of(run->directory, address->local);
    struct slice key = directory_key(run->arena, address);

    if (find_name(run, key, work, work->detail) || is_damaged(run, key))
        return true;
    if (at == address->local.len)
        return false;
    struct slice detail = slice_skip(address->local, at + 1);
    detail = detail.len > DIRECTORY_DETAIL_MAX ? SLICE("") : written_detail(work->address, detail);
    base.local = slice_first(address->local, at);
    key = directory_key(run->arena, &base);
    return find_name(run, key, work, detail.len > 0 ? detail : work->detail) ||
           is_damaged(run, key);
}

/* postmaster and abuse where nobody is named so: RFC 5321 §4.5.1 leaves no choice. */
static bool
find_postmaster(struct resolution *run, const struct directory_address *address,
                const struct directory_domain *domain, const struct work *work)
{
    const struct directory *directory = run->directory;
    const struct directory_account *account = directory->first_account;
    struct slice to =
        domain && domain->postmaster.len > 0 ? domain->postmaster : directory->postmaster;

    if (!slice_equal(address->local, SLICE("postmaster")) &&
        !slice_equal(address->local, SLICE("abuse")))
        return false;
    if (to.len > 0 && is_new(run, 'p', to, SLICE("")))
        return add_work(run, to, work->detail, work->depth + 1, work->list);
    if (!account)
        return false;
    add_target(run, (struct directory_target){.account = account,
                                              .name = account->name,
                                              .detail = work->detail,
                                              .list = work->list,
                                              .is_forwarded = work->depth > 0});
    return true;
}

/* team-owner and owner-team lead to the owner of the list team (RFC 2142 §6 has -request; owners
 * are what RFC 5321 §3.9 returns failures to). */
static bool
find_list_owner(struct resolution *run, const struct directory_address *address,
                const struct work *work)
{
    struct directory_address base = *address;

    if (slice_ends_with(base.local, SLICE("-owner")))
        base.local = slice_first(base.local, base.local.len - 6);
    else if (slice_starts_with(base.local, SLICE("owner-")))
        base.local = slice_skip(base.local, 6);
    else
        return false;
    const struct directory_alias *list =
        map_find(&run->directory->aliases.by_name, directory_key(run->arena, &base));
    if (!list || list->kind != DIRECTORY_LIST)
        return false;
    base.local = SLICE("postmaster");
    struct slice to = list->owner.len > 0 ? list->owner : directory_key(run->arena, &base);
    return is_new(run, 'o', list->name, SLICE("")) &&
           add_work(run, to, work->detail, work->depth + 1, work->list);
}

/* "@domain" is the key of a catch-all alias, and of a domain whose line is damaged. */
static struct slice
domain_key(struct arena *arena, struct slice domain)
{
    uint8_t *key = arena_new(arena, domain.len + 1);

    if (!key)
        return SLICE("");
    key[0] = '@';
    memcpy(key + 1, domain.at, domain.len);
    return slice_of(key, domain.len + 1);
}

static bool
find_catch_all(struct resolution *run, const struct directory_address *address,
               const struct work *work)
{
    struct slice key = domain_key(run->arena, address->domain);
    const struct directory_alias *alias = map_find(&run->directory->aliases.by_name, key);

    return (alias && open_alias(run, alias, work, work->detail)) || is_damaged(run, key);
}

/* A domain of ours, by way of same-as if need be; NULL for one that is not. */
static const struct directory_domain *
find_domain(const struct directory *directory, struct directory_address *address)
{
    const struct directory_domain *domain = map_find(&directory->domains.by_name, address->domain);

    for (unsigned i = 0; domain && domain->same_as.len > 0 && i < SAME_AS_MAX; i++) {
        address->domain = domain->same_as;
        domain = map_find(&directory->domains.by_name, address->domain);
    }
    return domain;
}

/* A local part that the next host could take for a route of its own: a%b, b!a, "a@b". Strangers may
 * not send such through us (README.md of routing). */
static bool
is_route(struct slice local)
{
    return slice_find_byte(local, '%') < local.len || slice_find_byte(local, '!') < local.len ||
           slice_find_byte(local, '@') < local.len;
}

/* What the domain's own server has told of its names, or NULL. */
static const struct directory_names *
find_names(const struct directory *directory, struct slice domain)
{
    for (size_t i = 0; i < directory->names_count; i++) {
        if (slice_equal(directory_names_domain(directory->names[i]), domain))
            return directory->names[i];
    }
    return NULL;
}

static bool
is_known(const struct resolution *run, const struct directory_names *names,
         const struct directory_address *address)
{
    struct slice key = directory_key(run->arena, address);

    return names ? directory_names_have(names, key)
                 : map_find(&run->directory->recipients.by_name, key) != NULL;
}

/* With its detail, or without. */
static bool
is_listed_recipient(const struct resolution *run, const struct directory_names *names,
                    const struct directory_address *address)
{
    struct directory_address base = *address;

    base.local = slice_first(address->local, separator_of(run->directory, address->local));
    return is_known(run, names, address) || is_known(run, names, &base);
}

/* A domain whose mail we pass on: postmaster is always taken, others as the relay's line says. */
static enum directory_verdict
find_relay(struct resolution *run, const struct directory_address *address, const struct work *work)
{
    const struct directory *directory = run->directory;
    const struct directory_relay *relay = map_find(&directory->relays.by_name, address->domain);

    const struct directory_names *names = find_names(directory, address->domain);

    if (!relay && !names)
        return DIRECTORY_FOREIGN;
    if (is_route(address->local))
        return DIRECTORY_UNKNOWN;
    bool is_postmaster = slice_equal(address->local, SLICE("postmaster"));
    if (names && !directory_names_are_known(names)) {
        /* Until something was told, the relay's line counts, if there is one. */
        if (!relay && !is_postmaster)
            return DIRECTORY_AWAITED;
        names = NULL;
    }
    if (!is_postmaster && (names || relay->is_listed) && !is_listed_recipient(run, names, address))
        return DIRECTORY_UNKNOWN;
    add_target(run, (struct directory_target){.name = work->address, .detail = SLICE("")});
    return DIRECTORY_RELAYED;
}

static enum directory_verdict
look_at(struct resolution *run, const struct work *work)
{
    struct directory_address address;

    if (work->depth > 0 && directory_is_file(work->address)) {
        add_target(run, (struct directory_target){.name = work->address,
                                                  .is_file = true,
                                                  .user = SLICE(""),
                                                  .detail = SLICE(""),
                                                  .list = work->list});
        return DIRECTORY_FOUND;
    }
    if (!directory_address_parse(run->arena, work->address, &address))
        return DIRECTORY_BAD_ADDRESS;
    const struct directory_domain *domain = find_domain(run->directory, &address);
    if (!domain && address.domain.len > 0) {
        if (is_damaged(run, domain_key(run->arena, address.domain)))
            return DIRECTORY_FOUND;
        if (work->depth > 0)
            add_target(run, (struct directory_target){.name = work->address,
                                                      .detail = SLICE(""),
                                                      .list = work->list,
                                                      .is_forwarded = true});
        return work->depth > 0 ? DIRECTORY_FOREIGN : find_relay(run, &address, work);
    }
    if ((domain && find_mailbox(run, &address, work)) ||
        (domain && find_list_owner(run, &address, work)) ||
        find_postmaster(run, &address, domain, work) || find_catch_all(run, &address, work))
        return DIRECTORY_FOUND;
    return DIRECTORY_UNKNOWN;
}

/* ---- the whole ----------------------------------------------------------------------------- */

static void
conclude(struct resolution *run, enum directory_verdict first)
{
    struct directory_answer *answer = run->answer;

    answer->targets = run->targets;
    answer->count = run->target_count;
    answer->verdict = first;
    if (run->is_over || arena_failed(run->arena)) {
        answer->verdict = DIRECTORY_BROKEN;
        answer->why = "aliases lead too deep or to too many";
    } else if (run->is_damaged && run->target_count == 0) {
        answer->verdict = DIRECTORY_BROKEN;
        answer->why = "the line about it is damaged";
    } else if (answer->moved_to.len > 0) {
        answer->verdict = DIRECTORY_HAS_MOVED;
        /* A new address elsewhere is told, not served. */
        if (answer->count > 0 && !answer->targets[0].account)
            answer->count = 0;
    } else if (first == DIRECTORY_FOUND && answer->count == 0) {
        answer->verdict = run->disabled_count > 0 ? DIRECTORY_DISABLED : DIRECTORY_BROKEN;
        answer->why = "its alias leads nowhere or in a circle";
    }
    if (answer->verdict != DIRECTORY_FOUND && answer->verdict != DIRECTORY_HAS_MOVED &&
        answer->verdict != DIRECTORY_RELAYED)
        answer->count = 0;
}

void
directory_resolve(const struct directory *directory, struct slice address, struct arena *arena,
                  struct directory_answer *ret_answer)
{
    struct resolution run = {.directory = directory, .arena = arena, .answer = ret_answer};
    enum directory_verdict first = DIRECTORY_BAD_ADDRESS;

    *ret_answer = (struct directory_answer){.moved_to = SLICE(""), .why = ""};
    (void)!add_work(&run, address, SLICE(""), 0, NULL);
    while (run.next < run.count && !run.is_over) {
        /* The list may move while it grows. */
        struct work work = run.work[run.next++];
        enum directory_verdict verdict = look_at(&run, &work);
        if (work.depth == 0)
            first = verdict;
    }
    conclude(&run, first);
    if (run.has_seen)
        map_finish(&run.seen);
}
