/* SPDX-License-Identifier: ISC */
/* The fields of each kind of line in directory/accounts. */
#include "directory/table.h"
#include "directory/unix_aliases.h"

enum { FULL_NAME_MAX = 128, UNSUBSCRIBE_MAX = 512, PATH_BYTES_MAX = 1024, LOGIN_MAX = 64 };

#define KIB ((uint64_t)1024)

void *
directory_line_damage(struct directory_line *line, struct slice place, const char *what)
{
    if (!line->damage) {
        line->damage = what;
        line->place = place;
    }
    return NULL;
}

struct slice
directory_key(struct arena *arena, const struct directory_address *address)
{
    struct buffer text;

    buffer_init(&text, 2 * DIRECTORY_LOCAL_MAX + DIRECTORY_DOMAIN_MAX + 3);
    directory_address_format(&text, address);
    struct slice key = arena_copy(arena, buffer_slice(&text));
    buffer_finish(&text);
    return key;
}

bool
directory_name_read(struct arena *arena, struct directory_line *line, struct slice *ret_name)
{
    struct directory_address address = {0};

    if (slice_equal(line->kind, SLICE("domain")) || slice_equal(line->kind, SLICE("relay"))) {
        if (directory_domain_parse(arena, line->name, ret_name)) {
            *ret_name = arena_copy(arena, *ret_name);
            return true;
        }
        directory_line_damage(line, line->name, "expected a domain name");
        return false;
    }
    bool is_alias = slice_equal(line->kind, SLICE("alias"));
    if (is_alias && line->name.len > 1 && line->name.at[0] == '@' &&
        directory_domain_parse(arena, slice_skip(line->name, 1), &address.domain)) {
        uint8_t *key = arena_new(arena, address.domain.len + 1);
        if (!key)
            return false;
        key[0] = '@';
        memcpy(key + 1, address.domain.at, address.domain.len);
        *ret_name = slice_of(key, address.domain.len + 1);
        return true;
    }
    if (!directory_address_parse(arena, line->name, &address) || address.domain.len == 0) {
        directory_line_damage(line, line->name,
                              is_alias ? "expected an address, user@domain or @domain"
                                       : "expected an address, user@domain");
        return false;
    }
    *ret_name = directory_key(arena, &address);
    return ret_name->len > 0 && ret_name->len <= DIRECTORY_NAME_MAX;
}

/* Number of octets with an optional unit: 500MiB, 1GiB, 1000000. */
static bool
parse_size(struct slice text, uint64_t *ret_bytes)
{
    static const struct {
        struct slice name;
        uint64_t factor;
    } units[] = {
        {{(const uint8_t *)"", 0}, 1},
        {{(const uint8_t *)"KiB", 3}, KIB},
        {{(const uint8_t *)"MiB", 3}, KIB * KIB},
        {{(const uint8_t *)"GiB", 3}, KIB * KIB * KIB},
        {{(const uint8_t *)"TiB", 3}, KIB * KIB * KIB * KIB},
    };
    struct cursor cursor = cursor_of(text);
    uint64_t number;

    if (!cursor_take_u64(&cursor, 0, UINT64_MAX, &number))
        return false;
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (slice_equal_nocase(cursor_rest(&cursor), units[i].name))
            return !__builtin_mul_overflow(number, units[i].factor, ret_bytes);
    }
    return false;
}

static bool
parse_number(struct slice text, uint64_t min, uint64_t *ret_number)
{
    struct cursor cursor = cursor_of(text);
    uint64_t number;

    if (!cursor_take_u64(&cursor, min, UINT64_MAX - 1, &number) || !cursor_is_done(&cursor))
        return false;
    *ret_number = number;
    return true;
}

static const char *
read_delivery(struct arena *arena, struct slice value, struct directory_account *account)
{
    account->has_delivery = true;
    if (slice_equal(value, SLICE("store")))
        return NULL;
    if (slice_starts_with(value, SLICE("mbox:/"))) {
        account->delivery = DIRECTORY_MBOX;
        value = slice_skip(value, 5);
    } else if (slice_starts_with(value, SLICE("maildir:/"))) {
        account->delivery = DIRECTORY_MAILDIR;
        value = slice_skip(value, 8);
    } else {
        return "expected store, mbox:/PATH or maildir:/PATH";
    }
    if (value.len > PATH_BYTES_MAX)
        return "expected a shorter path";
    account->path = arena_copy(arena, value);
    return NULL;
}

static bool
login_is_sound(struct slice login)
{
    for (size_t i = 0; i < login.len; i++) {
        if (login.at[i] <= 0x20 || login.at[i] == ':' || login.at[i] == '/' || login.at[i] >= 0x7F)
            return false;
    }
    return login.len > 0 && login.len <= LOGIN_MAX && login.at[0] != '-';
}

/* Reads one key=value of an account; NULL when all is well, else what was expected. */
static const char *
read_account_value(struct arena *arena, const struct directory_field *field,
                   struct directory_account *account)
{
    if (slice_equal(field->key, SLICE("id")))
        return parse_number(field->value, 1, &account->id) ? NULL : "expected a number from 1";
    if (slice_equal(field->key, SLICE("full-name"))) {
        account->full_name = arena_copy(arena, field->value);
        return field->value.len <= FULL_NAME_MAX ? NULL : "expected at most 128 octets";
    }
    if (slice_equal(field->key, SLICE("quota"))) {
        account->has_quota = true;
        return parse_size(field->value, &account->quota_bytes)
                   ? NULL
                   : "expected a size: 500MiB, 1GiB, or octets";
    }
    if (slice_equal(field->key, SLICE("messages"))) {
        account->has_quota = true;
        return parse_number(field->value, 0, &account->quota_messages) ? NULL : "expected a number";
    }
    if (slice_equal(field->key, SLICE("delivery")))
        return read_delivery(arena, field->value, account);
    if (slice_equal(field->key, SLICE("system"))) {
        account->login = arena_copy(arena, field->value);
        return login_is_sound(field->value) ? NULL : "expected the name of a system user";
    }
    return "expected id, full-name, quota, messages, delivery, system or the word disabled";
}

struct directory_account *
directory_account_read(struct arena *arena, struct directory_line *line)
{
    struct directory_account *account = ARENA_NEW(arena, struct directory_account);

    if (!account || !directory_name_read(arena, line, &account->name))
        return NULL;
    account->is_enabled = !directory_line_has(line, "disabled");
    for (size_t i = 0; i < line->count; i++) {
        const struct directory_field *field = &line->fields[i];
        const char *what = NULL;
        if (field->has_value)
            what = read_account_value(arena, field, account);
        else if (!slice_equal(field->key, SLICE("disabled")))
            what = "expected id, full-name, quota, messages, delivery, system or the word disabled";
        if (what)
            return directory_line_damage(line, field->key, what);
    }
    if (account->id == 0)
        return directory_line_damage(line, line->name, "expected id=NUMBER among the fields");
    return account;
}

/* Members of an alias or list; each must be an address. */
static const char *
read_members(struct arena *arena, struct slice value, struct directory_alias *alias)
{
    struct directory_address address;
    struct slice copy = arena_copy(arena, value);

    if (!directory_value_split(arena, copy, DIRECTORY_MEMBERS_MAX, &alias->members, &alias->count))
        return "expected 1 to 1000 addresses with commas between them";
    for (size_t i = 0; i < alias->count; i++) {
        if (alias->members[i].len > DIRECTORY_NAME_MAX)
            return "expected shorter addresses";
        if (!directory_is_file(alias->members[i]) && !directory_is_program(alias->members[i]) &&
            (!directory_address_parse(arena, alias->members[i], &address) ||
             address.domain.len == 0))
            return "expected addresses, each user@domain";
    }
    return NULL;
}

/* An address of a list's owner, or where one unsubscribes: it stands in header fields. */
static bool
is_field_safe(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] <= 0x20 || text.at[i] >= 0x7F || text.at[i] == '<' || text.at[i] == '>' ||
            text.at[i] == ',')
            return false;
    }
    return text.len > 0 && text.len <= UNSUBSCRIBE_MAX;
}

static const char *
read_list_value(struct arena *arena, const struct directory_field *field,
                struct directory_alias *list)
{
    struct directory_address address;

    if (slice_equal(field->key, SLICE("full-name"))) {
        list->full_name = arena_copy(arena, field->value);
        return field->value.len <= FULL_NAME_MAX ? NULL : "expected at most 128 octets";
    }
    if (slice_equal(field->key, SLICE("owner"))) {
        list->owner = arena_copy(arena, field->value);
        return field->value.len <= DIRECTORY_NAME_MAX && is_field_safe(field->value) &&
                       directory_address_parse(arena, list->owner, &address) &&
                       address.domain.len > 0
                   ? NULL
                   : "expected an address, user@domain";
    }
    if (slice_equal(field->key, SLICE("unsubscribe"))) {
        list->unsubscribe = arena_copy(arena, field->value);
        return is_field_safe(field->value) && (slice_starts_with(field->value, SLICE("https://")) ||
                                               slice_starts_with(field->value, SLICE("mailto:")))
                   ? NULL
                   : "expected https://… or mailto:…";
    }
    return "expected to, full-name, owner, unsubscribe or the words private and closed";
}

struct directory_alias *
directory_alias_read(struct arena *arena, struct directory_line *line)
{
    struct directory_alias *alias = ARENA_NEW(arena, struct directory_alias);
    bool is_list = slice_equal(line->kind, SLICE("list"));

    if (!alias || !directory_name_read(arena, line, &alias->name))
        return NULL;
    alias->kind = is_list ? DIRECTORY_LIST : DIRECTORY_ALIAS;
    for (size_t i = 0; i < line->count; i++) {
        const struct directory_field *field = &line->fields[i];
        const char *what = NULL;
        if (field->has_value && slice_equal(field->key, SLICE("to")))
            what = read_members(arena, field->value, alias);
        else if (field->has_value && is_list)
            what = read_list_value(arena, field, alias);
        else if (!field->has_value && is_list && slice_equal(field->key, SLICE("closed")))
            alias->is_closed = true;
        else if (!field->has_value && slice_equal(field->key, SLICE("private")))
            alias->is_private = true;
        else
            what = is_list ? "expected to, full-name, owner, unsubscribe or the words private and "
                             "closed"
                           : "expected to or the word private";
        if (what)
            return directory_line_damage(line, field->key, what);
    }
    if (alias->count == 0)
        return directory_line_damage(line, line->name, "expected to=ADDRESS,… among the fields");
    return alias;
}

struct directory_moved *
directory_moved_read(struct arena *arena, struct directory_line *line)
{
    struct directory_moved *moved = ARENA_NEW(arena, struct directory_moved);
    const struct directory_field *to = directory_line_find(line, "to");
    struct directory_address address;

    if (!moved || !directory_name_read(arena, line, &moved->name))
        return NULL;
    if (!to || line->count != 1 || to->value.len > DIRECTORY_NAME_MAX ||
        !directory_address_parse(arena, to->value, &address) || address.domain.len == 0)
        return directory_line_damage(line, line->name, "expected to=ADDRESS and nothing else");
    moved->to = arena_copy(arena, to->value);
    return moved;
}

struct directory_domain *
directory_domain_read(struct arena *arena, struct directory_line *line)
{
    struct directory_domain *domain = ARENA_NEW(arena, struct directory_domain);
    struct directory_address address;

    if (!domain || !directory_name_read(arena, line, &domain->name))
        return NULL;
    for (size_t i = 0; i < line->count; i++) {
        const struct directory_field *field = &line->fields[i];
        const char *what = NULL;
        if (field->has_value && slice_equal(field->key, SLICE("same-as"))) {
            if (!directory_domain_parse(arena, field->value, &domain->same_as) ||
                slice_equal(domain->same_as, domain->name))
                what = "expected the name of another domain";
            else
                domain->same_as = arena_copy(arena, domain->same_as);
        } else if (field->has_value && slice_equal(field->key, SLICE("postmaster"))) {
            if (!directory_address_parse(arena, field->value, &address) ||
                address.domain.len == 0 || field->value.len > DIRECTORY_NAME_MAX)
                what = "expected an address";
            domain->postmaster = arena_copy(arena, field->value);
        } else {
            what = "expected same-as or postmaster";
        }
        if (what)
            return directory_line_damage(line, field->key, what);
    }
    return domain;
}

struct directory_relay *
directory_relay_read(struct arena *arena, struct directory_line *line)
{
    struct directory_relay *relay = ARENA_NEW(arena, struct directory_relay);

    if (!relay || !directory_name_read(arena, line, &relay->name))
        return NULL;
    relay->is_listed = directory_line_has(line, "listed");
    if (line->count != relay->is_listed)
        return directory_line_damage(line, line->name, "expected the word listed, or nothing else");
    return relay;
}

struct directory_recipient *
directory_recipient_read(struct arena *arena, struct directory_line *line)
{
    struct directory_recipient *recipient = ARENA_NEW(arena, struct directory_recipient);

    if (!recipient || !directory_name_read(arena, line, &recipient->name))
        return NULL;
    if (line->count != 0)
        return directory_line_damage(line, line->name, "expected nothing behind the address");
    return recipient;
}
