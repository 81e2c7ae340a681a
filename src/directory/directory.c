/* SPDX-License-Identifier: ISC */
/* The tables of directory/accounts: building them, and looking one entry up. */
#include "directory/table.h"

#include <stdlib.h>

enum {
    ARENA_FACTOR = 64, /* octets of table for one of text, at the very most */
    ARENA_MIN = 1024 * 1024,
    BARE_DOMAINS_MAX = 100, /* beyond as many domains nobody logs in by a local part alone */
};

static void *
grow(void *at, size_t size)
{
    void *bigger = realloc(at, size);

    if (!bigger)
        abort();
    return bigger;
}

static struct slice
name_of(const struct directory_table *table, const void *entry)
{
    struct slice name;

    memcpy(&name, (const char *)entry + table->name_offset, sizeof(name));
    return name;
}

/* The later line wins; the entry that it overrules is swept out at the end. */
static void
table_set(struct directory_table *table, void *entry)
{
    (void)map_set(&table->by_name, name_of(table, entry), entry);
    if (table->count == table->size) {
        table->size = table->size ? table->size * 2 : 16;
        table->at = grow(table->at, table->size * sizeof(*table->at));
    }
    table->at[table->count++] = entry;
}

static void
table_finish(struct directory_table *table)
{
    map_finish(&table->by_name);
    free(table->at);
}

static void *
table_find(const struct directory_table *table, struct slice name)
{
    return map_find(&table->by_name, name);
}

/* ---- one line ------------------------------------------------------------------------------ */

static void
know_id(struct directory *directory, uint64_t id)
{
    if (id > directory->id_max)
        directory->id_max = id;
}

static void
forget_account(struct directory *directory, struct slice name)
{
    struct directory_account *account = map_remove(&directory->accounts.by_name, name);

    if (account)
        (void)map_remove(&directory->accounts_by_id, map_key_u64(&account->id));
}

static void
add_account(struct directory *directory, struct directory_line *line)
{
    struct directory_account *account = directory_account_read(&directory->arena, line);

    if (!account)
        return;
    struct directory_account *owner =
        map_find(&directory->accounts_by_id, map_key_u64(&account->id));
    if (owner && !slice_equal(owner->name, account->name)) {
        directory_line_damage(line, line->name, "expected an id that no other account has");
        return;
    }
    know_id(directory, account->id);
    struct directory_account *before = table_find(&directory->accounts, account->name);
    if (before && before->id != account->id)
        (void)map_remove(&directory->accounts_by_id, map_key_u64(&before->id));
    (void)map_set(&directory->accounts_by_id, map_key_u64(&account->id), account);
    table_set(&directory->accounts, account);
}

static void
add_alias(struct directory *directory, struct directory_line *line)
{
    struct directory_alias *alias = directory_alias_read(&directory->arena, line);

    if (alias)
        table_set(&directory->aliases, alias);
}

static void
add_moved(struct directory *directory, struct directory_line *line)
{
    struct directory_moved *moved = directory_moved_read(&directory->arena, line);

    if (moved)
        table_set(&directory->moved, moved);
}

static void
add_domain(struct directory *directory, struct directory_line *line)
{
    struct directory_domain *domain = directory_domain_read(&directory->arena, line);

    if (domain)
        table_set(&directory->domains, domain);
}

static void
add_relay(struct directory *directory, struct directory_line *line)
{
    struct directory_relay *relay = directory_relay_read(&directory->arena, line);

    if (relay)
        table_set(&directory->relays, relay);
}

static void
add_recipient(struct directory *directory, struct directory_line *line)
{
    struct directory_recipient *recipient = directory_recipient_read(&directory->arena, line);

    if (recipient)
        table_set(&directory->recipients, recipient);
}

/* ids next=N: what a compacted file remembers of accounts that are gone. */
static void
read_ids(struct directory *directory, struct directory_line *line)
{
    const struct directory_field *next = directory_line_find(line, "next");
    struct cursor cursor = cursor_of(next ? next->value : SLICE(""));
    uint64_t number;

    if (cursor_take_u64(&cursor, 1, UINT64_MAX - 1, &number) && cursor_is_done(&cursor))
        know_id(directory, number - 1);
    else
        directory_line_damage(line, line->kind, "expected ids next=NUMBER");
}

static const struct kind {
    const char *name;
    void (*add)(struct directory *directory, struct directory_line *line);
    size_t table; /* offset in struct directory */
} kinds[] = {
    {"account", add_account, offsetof(struct directory, accounts)},
    {"alias", add_alias, offsetof(struct directory, aliases)},
    {"list", add_alias, offsetof(struct directory, aliases)},
    {"moved", add_moved, offsetof(struct directory, moved)},
    {"domain", add_domain, offsetof(struct directory, domains)},
    {"relay", add_relay, offsetof(struct directory, relays)},
    {"recipient", add_recipient, offsetof(struct directory, recipients)},
};

static const struct kind *
find_kind(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (slice_equal(name, slice_of_string(kinds[i].name)))
            return &kinds[i];
    }
    return NULL;
}

/* NAME removed [id=N] */
static void
remove_entry(struct directory *directory, const struct kind *kind, struct directory_line *line,
             struct slice name)
{
    const struct directory_field *id = directory_line_find(line, "id");
    struct directory_table *table = (void *)((char *)directory + kind->table);
    struct cursor cursor = cursor_of(id ? id->value : SLICE(""));
    uint64_t number;

    if (cursor_take_u64(&cursor, 1, UINT64_MAX - 1, &number))
        know_id(directory, number);
    if (table == &directory->accounts)
        forget_account(directory, name);
    else
        (void)map_remove(&table->by_name, name);
}

/* The same key for an address and for a domain's line, so that mail for either is not refused for
 * good while its line is damaged. */
static struct slice
damaged_key(struct directory *directory, const struct kind *kind, struct slice name)
{
    if (kind->table != offsetof(struct directory, domains) &&
        kind->table != offsetof(struct directory, relays))
        return name;
    uint8_t *key = arena_new(&directory->arena, name.len + 1);
    assert(key);
    key[0] = '@';
    memcpy(key + 1, name.at, name.len);
    return slice_of(key, name.len + 1);
}

static void
read_line(struct directory *directory, struct directory_line *line)
{
    const struct kind *kind = find_kind(line->kind);
    const char *damage = line->damage;
    struct slice name;

    if (!kind) {
        if (slice_equal(line->kind, SLICE("ids")))
            read_ids(directory, line);
        else if (line->kind.len > 0)
            directory_line_damage(
                line, line->kind,
                "expected domain, account, alias, list, moved, relay, recipient or ids");
        return;
    }
    if (line->name.len == 0 || !directory_name_read(&directory->arena, line, &name))
        return;
    if (!damage && directory_line_has(line, "removed"))
        remove_entry(directory, kind, line, name);
    else if (!damage)
        kind->add(directory, line);
    struct slice key = damaged_key(directory, kind, name);
    if (line->damage)
        (void)map_set(&directory->damaged, key, directory);
    else
        (void)map_remove(&directory->damaged, key);
}

/* ---- the whole ----------------------------------------------------------------------------- */

static void
table_init(struct directory_table *table, size_t name_offset, uint64_t seed)
{
    map_init(&table->by_name, seed);
    table->name_offset = name_offset;
}

/* Keeps what no later line has overruled or removed. */
static void
table_sweep(struct directory_table *table)
{
    size_t kept = 0;

    for (size_t i = 0; i < table->count; i++) {
        if (table_find(table, name_of(table, table->at[i])) == table->at[i])
            table->at[kept++] = table->at[i];
    }
    table->count = kept;
}

static void
find_first_account(struct directory *directory)
{
    for (size_t i = 0; i < directory->accounts.count; i++) {
        const struct directory_account *account = directory->accounts.at[i];
        if (account->is_enabled &&
            (!directory->first_account || account->id < directory->first_account->id))
            directory->first_account = account;
    }
}

static void
read_text(struct directory *directory, struct slice text)
{
    struct cursor file = cursor_of(text);
    struct directory_line line;
    size_t number = 0;

    while (directory_line_take(&file, &number, &directory->arena, &line)) {
        read_line(directory, &line);
        if (line.damage)
            directory_problem_add(&directory->problems, &directory->arena, line.number, line.place,
                                  line.damage);
    }
}

struct directory *
directory_parse(struct slice accounts, const struct directory_options *options)
{
    return directory_parse_both(SLICE(""), accounts, options);
}

struct directory *
directory_parse_both(struct slice aliases, struct slice accounts,
                     const struct directory_options *options)
{
    struct directory *directory = calloc(1, sizeof(*directory));

    if (!directory)
        abort();
    arena_init(&directory->arena, (aliases.len + accounts.len) * ARENA_FACTOR + ARENA_MIN);
    table_init(&directory->accounts, offsetof(struct directory_account, name), options->seed);
    table_init(&directory->aliases, offsetof(struct directory_alias, name), options->seed);
    table_init(&directory->moved, offsetof(struct directory_moved, name), options->seed);
    table_init(&directory->domains, offsetof(struct directory_domain, name), options->seed);
    table_init(&directory->relays, offsetof(struct directory_relay, name), options->seed);
    table_init(&directory->recipients, offsetof(struct directory_recipient, name), options->seed);
    map_init(&directory->accounts_by_id, options->seed);
    map_init(&directory->damaged, options->seed);
    directory->separators = arena_copy(&directory->arena, options->separators);
    directory->postmaster = arena_copy(&directory->arena, options->postmaster);
    directory->names = options->names;
    directory->names_count = options->names_count;
    read_text(directory, aliases);
    read_text(directory, accounts);
    assert(!arena_failed(&directory->arena));
    table_sweep(&directory->accounts);
    table_sweep(&directory->aliases);
    table_sweep(&directory->moved);
    table_sweep(&directory->domains);
    table_sweep(&directory->relays);
    table_sweep(&directory->recipients);
    find_first_account(directory);
    return directory;
}

void
directory_close(struct directory **directory)
{
    if (!*directory)
        return;
    table_finish(&(*directory)->accounts);
    table_finish(&(*directory)->aliases);
    table_finish(&(*directory)->moved);
    table_finish(&(*directory)->domains);
    table_finish(&(*directory)->relays);
    table_finish(&(*directory)->recipients);
    map_finish(&(*directory)->accounts_by_id);
    map_finish(&(*directory)->damaged);
    arena_finish(&(*directory)->arena);
    free(*directory);
    *directory = NULL;
}

size_t
directory_problem_count(const struct directory *directory)
{
    return directory->problems.count;
}

const struct directory_problem *
directory_problem(const struct directory *directory, size_t index)
{
    return index < directory->problems.count && index < DIRECTORY_PROBLEMS_MAX
               ? &directory->problems.at[index]
               : NULL;
}

uint64_t
directory_id_next(const struct directory *directory)
{
    return directory->id_max + 1;
}

/* ---- one entry ----------------------------------------------------------------------------- */

const struct directory_account *
directory_account_at(const struct directory *directory, size_t index)
{
    return index < directory->accounts.count ? directory->accounts.at[index] : NULL;
}

const struct directory_alias *
directory_alias_at(const struct directory *directory, size_t index)
{
    return index < directory->aliases.count ? directory->aliases.at[index] : NULL;
}

const struct directory_moved *
directory_moved_at(const struct directory *directory, size_t index)
{
    return index < directory->moved.count ? directory->moved.at[index] : NULL;
}

const struct directory_domain *
directory_domain_at(const struct directory *directory, size_t index)
{
    return index < directory->domains.count ? directory->domains.at[index] : NULL;
}

const struct directory_relay *
directory_relay_at(const struct directory *directory, size_t index)
{
    return index < directory->relays.count ? directory->relays.at[index] : NULL;
}

enum { SCRATCH_MAX = 16 * 1024 }; /* one address, however it is written */

/* Looks a name up under its canonical form. */
static void *
find_address(const struct directory_table *table, struct slice name)
{
    struct directory_address address;
    struct arena scratch;
    void *entry = NULL;

    arena_init(&scratch, SCRATCH_MAX);
    if (directory_address_parse(&scratch, name, &address) && address.domain.len > 0)
        entry = table_find(table, directory_key(&scratch, &address));
    arena_finish(&scratch);
    return entry;
}

/* As find_address for what may also be @domain or a plain domain. */
static void *
find_domain(const struct directory_table *table, struct slice name, struct slice prefix)
{
    struct slice domain;
    struct arena scratch;
    struct buffer key;
    void *entry = NULL;

    arena_init(&scratch, SCRATCH_MAX);
    buffer_init(&key, DIRECTORY_DOMAIN_MAX + 1);
    if (directory_domain_parse(&scratch, name, &domain)) {
        buffer_put(&key, prefix);
        buffer_put(&key, domain);
        entry = table_find(table, buffer_slice(&key));
    }
    buffer_finish(&key);
    arena_finish(&scratch);
    return entry;
}

const struct directory_account *
directory_account_find(const struct directory *directory, struct slice name)
{
    return find_address(&directory->accounts, name);
}

const struct directory_account *
directory_account_find_id(const struct directory *directory, uint64_t id)
{
    return map_find(&directory->accounts_by_id, map_key_u64(&id));
}

const struct directory_alias *
directory_alias_find(const struct directory *directory, struct slice name)
{
    if (name.len > 0 && name.at[0] == '@')
        return find_domain(&directory->aliases, slice_skip(name, 1), SLICE("@"));
    return find_address(&directory->aliases, name);
}

const struct directory_moved *
directory_moved_find(const struct directory *directory, struct slice name)
{
    return find_address(&directory->moved, name);
}

const struct directory_domain *
directory_domain_find(const struct directory *directory, struct slice name)
{
    return find_domain(&directory->domains, name, SLICE(""));
}

const struct directory_relay *
directory_relay_find(const struct directory *directory, struct slice name)
{
    return find_domain(&directory->relays, name, SLICE(""));
}

const struct slice *
directory_recipient_at(const struct directory *directory, size_t index)
{
    const struct directory_recipient *recipient =
        index < directory->recipients.count ? directory->recipients.at[index] : NULL;

    return recipient ? &recipient->name : NULL;
}

bool
directory_recipient_is_known(const struct directory *directory, struct slice name)
{
    return find_address(&directory->recipients, name) != NULL;
}

/* alice, where only one of our domains has an alice. */
static const struct directory_account *
find_bare(const struct directory *directory, struct slice name, struct arena *arena)
{
    const struct directory_account *found = NULL;
    struct directory_address address;
    struct buffer text;

    if (directory->domains.count > BARE_DOMAINS_MAX)
        return NULL;
    buffer_init(&text, 1024);
    for (size_t i = 0; i < directory->domains.count; i++) {
        const struct directory_domain *domain = directory->domains.at[i];
        buffer_clear(&text);
        buffer_put(&text, name);
        buffer_put_byte(&text, '@');
        buffer_put(&text, domain->name);
        arena_reset(arena);
        const struct directory_account *account = NULL;
        if (directory_address_parse(arena, buffer_slice(&text), &address) &&
            slice_equal(address.domain, domain->name))
            account = table_find(&directory->accounts, directory_key(arena, &address));
        if (account && found) {
            found = NULL;
            break;
        }
        found = account ? account : found;
    }
    buffer_finish(&text);
    return found;
}

const struct directory_account *
directory_login_find(const struct directory *directory, struct slice name)
{
    const struct directory_account *account = NULL;
    struct directory_address address;
    struct arena arena;

    arena_init(&arena, SCRATCH_MAX);
    if (name.len <= DIRECTORY_NAME_MAX && slice_find_byte(name, '@') == name.len) {
        account = find_bare(directory, name, &arena);
    } else if (name.len <= DIRECTORY_NAME_MAX && directory_address_parse(&arena, name, &address) &&
               address.domain.len > 0) {
        const struct directory_domain *domain = table_find(&directory->domains, address.domain);
        if (domain && domain->same_as.len > 0)
            address.domain = domain->same_as;
        account = table_find(&directory->accounts, directory_key(&arena, &address));
    }
    arena_finish(&arena);
    return account;
}
