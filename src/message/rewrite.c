/* SPDX-License-Identifier: ISC */
#include "message/rewrite.h"

#include "message/address.h"
#include "message/field.h"

enum { SPEC_OCTETS_MAX = 1024 };

/* ---- rules --------------------------------------------------------------------------------- */

static struct slice
take_word(struct slice *rest)
{
    size_t len = 0;

    while (len < rest->len && rest->at[len] != ' ' && rest->at[len] != '\t')
        len++;
    struct slice word = slice_first(*rest, len);
    *rest = slice_trim(slice_skip(*rest, len));
    return word;
}

const char *
rewrite_rule_parse(struct slice text, struct rewrite_rule *ret_rule)
{
    struct slice rest = slice_trim(text);
    struct slice from = take_word(&rest), to = take_word(&rest);
    size_t from_at = slice_find_last_byte(from, '@'), to_at = slice_find_last_byte(to, '@');
    struct rewrite_rule rule = {
        .from_local = slice_first(from, from_at),
        .from_domain = slice_skip(from, from_at + 1),
        .to_local = slice_first(to, to_at),
        .to_domain = slice_skip(to, to_at + 1),
    };

    if (slice_starts_with(rule.from_domain, SLICE("*."))) {
        rule.is_below = true;
        rule.from_domain = slice_skip(rule.from_domain, 2);
    }
    if (rest.len > 0 || rule.from_domain.len == 0 || rule.to_domain.len == 0 ||
        slice_find_byte(rule.to_domain, '*') < rule.to_domain.len)
        return "expected two addresses, or two domains with @ in front, as @*.example.org "
               "@example.org";
    if (rule.from_local.len == 0 && rule.to_local.len > 0)
        return "expected @ in front of the second, too: all cannot become one";
    *ret_rule = rule;
    return NULL;
}

const char *
rewrite_rules_parse(const struct slice *texts, size_t count, struct arena *arena,
                    struct rewrite_rules *ret_rules, size_t *ret_bad)
{
    struct rewrite_rule *rules = ARENA_ARRAY(arena, struct rewrite_rule, count);

    for (size_t i = 0; rules && i < count; i++) {
        const char *what = rewrite_rule_parse(arena_copy(arena, texts[i]), &rules[i]);
        if (what) {
            *ret_bad = i;
            return what;
        }
    }
    *ret_rules = (struct rewrite_rules){rules, rules ? count : 0};
    return NULL;
}

static bool
is_about(const struct rewrite_rule *rule, struct slice local, struct slice domain)
{
    if (rule->from_local.len > 0 && !slice_equal_nocase(rule->from_local, local))
        return false;
    if (!rule->is_below)
        return slice_equal_nocase(rule->from_domain, domain);
    if (domain.len <= rule->from_domain.len + 1)
        return false;
    struct slice end = slice_skip(domain, domain.len - rule->from_domain.len - 1);
    return end.at[0] == '.' && slice_equal_nocase(slice_skip(end, 1), rule->from_domain);
}

bool
rewrite_address(const struct rewrite_rules *rules, struct slice local, struct slice domain,
                struct buffer *out)
{
    for (size_t i = 0; local.len > 0 && i < rules->count; i++) {
        const struct rewrite_rule *rule = &rules->at[i];
        if (!is_about(rule, local, domain))
            continue;
        struct address address = {.local = rule->to_local.len > 0 ? rule->to_local : local,
                                  .domain = rule->to_domain};
        address_put_spec(out, &address);
        return true;
    }
    return false;
}

bool
rewrite_mailbox(const struct rewrite_rules *rules, struct slice mailbox, struct buffer *out)
{
    struct address_list list;
    struct arena arena;
    bool is_put = false;

    arena_init(&arena, 16 * SPEC_OCTETS_MAX);
    address_list_parse(&arena, mailbox, &list);
    if (list.count == 1 && !list.is_cut && list.first->kind == ADDRESS_MAILBOX)
        is_put = rewrite_address(rules, list.first->local, list.first->domain, out);
    arena_finish(&arena);
    return is_put;
}

/* ---- headers ------------------------------------------------------------------------------- */

static bool
has_addresses(enum field_id id)
{
    static const enum field_id ids[] = {
        FIELD_FROM,
        FIELD_SENDER,
        FIELD_REPLY_TO,
        FIELD_TO,
        FIELD_CC,
        FIELD_BCC,
        FIELD_RESENT_FROM,
        FIELD_RESENT_SENDER,
        FIELD_RESENT_REPLY_TO,
        FIELD_RESENT_TO,
        FIELD_RESENT_CC,
        FIELD_RESENT_BCC,
        FIELD_DISPOSITION_NOTIFICATION_TO,
    };

    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        if (ids[i] == id)
            return true;
    }
    return false;
}

/* Where "local@domain" stands in the address's text as it is; the whole text otherwise. */
static struct slice
find_spec(const struct address *address, struct buffer *spec)
{
    buffer_clear(spec);
    address_put_spec(spec, address);
    /* Behind the name, which may say the same. */
    size_t open = address->name.len > 0 ? slice_find_last_byte(address->raw, '<') : 0;
    struct slice from = slice_skip(address->raw, open < address->raw.len ? open : 0);
    size_t at = slice_find(from, buffer_slice(spec));

    return at < from.len ? slice_between(from, at, at + buffer_len(spec)) : address->raw;
}

/* Puts what comes in the address's place; false when it stays. */
static bool
put_replaced(const struct rewrite_rules *rules, const struct address *address, struct buffer *spec,
             struct buffer *out)
{
    struct buffer replaced;

    buffer_init(&replaced, SPEC_OCTETS_MAX);
    bool is_replaced = rewrite_address(rules, address->local, address->domain, &replaced) &&
                       !buffer_overflowed(&replaced);
    if (is_replaced) {
        struct slice old = find_spec(address, spec);
        bool is_whole = old.len == address->raw.len && address->name.len > 0;
        buffer_put(out, slice_first(address->raw, (size_t)(old.at - address->raw.at)));
        if (is_whole) { /* blanks or comments within it: written anew */
            struct address named = *address;
            struct slice text = buffer_slice(&replaced);
            size_t at = slice_find_last_byte(text, '@');
            named.domain = slice_skip(text, at + 1);
            named.local = slice_equal_nocase(slice_first(text, at), address->local)
                              ? address->local
                              : slice_first(text, at);
            address_format(&named, out);
        } else {
            buffer_put(out, buffer_slice(&replaced));
        }
        buffer_put(out, slice_skip(address->raw, (size_t)(old.at - address->raw.at) + old.len));
    }
    buffer_finish(&replaced);
    return is_replaced;
}

/* Puts the whole field. */
static void
put_field(const struct rewrite_rules *rules, const struct field *field, struct arena *arena,
          struct buffer *out)
{
    size_t body = (size_t)(field->body.at - field->raw.at), done = 0;
    struct address_list list;
    struct buffer spec;

    address_list_parse(arena, field->body, &list);
    buffer_init(&spec, SPEC_OCTETS_MAX);
    buffer_put(out, slice_first(field->raw, body));
    for (const struct address *address = list.first; address && !list.is_cut;
         address = address->next) {
        if (address->kind != ADDRESS_MAILBOX || address->offset < done)
            continue;
        buffer_put(out, slice_between(field->body, done, address->offset));
        if (!put_replaced(rules, address, &spec, out))
            buffer_put(out, address->raw);
        done = address->offset + address->raw.len;
    }
    buffer_put(out, slice_skip(field->raw, body + done));
    buffer_finish(&spec);
}

void
rewrite_header(const struct rewrite_rules *rules, struct slice header, struct arena *arena,
               struct buffer *out)
{
    struct field_reader reader;
    struct field field;
    size_t done = 0;

    field_reader_init(&reader, header);
    while (field_next(&reader, &field)) {
        if (field.kind == FIELD_KIND_FIELD && has_addresses(field.id)) {
            arena_reset(arena);
            put_field(rules, &field, arena, out);
        } else {
            buffer_put(out, field.raw);
        }
        done = field.offset + field.raw.len;
    }
    buffer_put(out, slice_skip(header, done));
}
