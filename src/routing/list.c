/* SPDX-License-Identifier: ISC */
#include "routing/list.h"

static struct slice
local_of(struct slice address)
{
    return slice_first(address, slice_find_last_byte(address, '@'));
}

static struct slice
domain_of(struct slice address)
{
    return slice_skip(address, slice_find_last_byte(address, '@') + 1);
}

/* A phrase as a quoted string (RFC 5322 §3.2.4); what is no printable ASCII has no place in it, and
 * such a name is left out. */
static void
put_phrase(struct slice text, struct buffer *out)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < 0x20 || text.at[i] >= 0x7F)
            return;
    }
    if (text.len == 0)
        return;
    buffer_put_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '"' || text.at[i] == '\\')
            buffer_put_byte(out, '\\');
        buffer_put_byte(out, text.at[i]);
    }
    buffer_put_text(out, "\" ");
}

/* An address inside mailto: (RFC 6068 §2): what is not plain is written as %XX. */
static void
put_mailto(struct slice address, struct buffer *out)
{
    static const char plain[] = "!$'*+-._~@";

    buffer_put_text(out, "<mailto:");
    for (size_t i = 0; i < address.len; i++) {
        uint8_t octet = address.at[i];
        if (byte_is_alpha(octet) || byte_is_digit(octet) ||
            (octet != 0 && strchr(plain, octet) != NULL)) {
            buffer_put_byte(out, octet);
        } else {
            buffer_put_byte(out, '%');
            buffer_put_hex(out, slice_of(&octet, 1));
        }
    }
    buffer_put_byte(out, '>');
}

void
routing_list_put_sender(const struct directory_alias *list, struct buffer *out)
{
    if (list->owner.len > 0) {
        buffer_put(out, list->owner);
        return;
    }
    if (list->kind == DIRECTORY_ALIAS) { /* no list: an alias of a Unix machine with its owner */
        buffer_put_text(out, "owner-");
        buffer_put(out, list->name);
        return;
    }
    struct slice local = local_of(list->name);
    /* A quoted local part ends in its quote. */
    bool is_quoted = local.len > 0 && local.at[local.len - 1] == '"';
    buffer_put(out, slice_first(local, local.len - is_quoted));
    buffer_put_text(out, is_quoted ? "-owner\"@" : "-owner@");
    buffer_put(out, domain_of(list->name));
}

/* List-Id: phrase <label.domain> (RFC 2919 §2): the label is the local part, dots and all, with
 * other octets as hyphens. */
static void
put_list_id(const struct directory_alias *list, struct buffer *out)
{
    struct slice local = local_of(list->name);

    buffer_put_text(out, "List-Id: ");
    put_phrase(list->full_name, out);
    buffer_put_byte(out, '<');
    for (size_t i = 0; i < local.len; i++) {
        uint8_t octet = local.at[i];
        bool is_good = byte_is_alpha(octet) || byte_is_digit(octet) || octet == '.';
        buffer_put_byte(out, is_good ? octet : '-');
    }
    buffer_put_byte(out, '.');
    buffer_put(out, domain_of(list->name));
    buffer_put_text(out, ">\r\n");
}

void
routing_list_put_fields(const struct directory_alias *list, struct buffer *out)
{
    struct buffer owner;

    if (list->kind == DIRECTORY_ALIAS)
        return;
    put_list_id(list, out);
    buffer_put_text(out, "List-Post: ");
    put_mailto(list->name, out);
    buffer_init(&owner, 2 * DIRECTORY_NAME_MAX);
    routing_list_put_sender(list, &owner);
    buffer_put_text(out, "\r\nList-Owner: ");
    put_mailto(buffer_slice(&owner), out);
    buffer_put_text(out, "\r\n");
    buffer_finish(&owner);
    if (list->unsubscribe.len > 0) {
        buffer_put_text(out, "List-Unsubscribe: <");
        buffer_put(out, list->unsubscribe);
        buffer_put_text(out, ">\r\n");
        if (slice_starts_with(list->unsubscribe, SLICE("https://")))
            buffer_put_text(out, "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n");
    }
    buffer_put_text(out, "Precedence: list\r\n");
}

bool
routing_list_takes(const struct directory_alias *list, struct slice sender)
{
    struct directory_address from, member;
    struct arena arena;
    bool is_member = !list->is_closed;

    if (is_member || sender.len == 0)
        return is_member;
    arena_init(&arena, 1024 * 1024);
    bool is_address = directory_address_parse(&arena, sender, &from);
    for (size_t i = 0; i <= list->count && is_address && !is_member; i++) {
        struct slice text = i < list->count ? list->members[i] : list->owner;
        is_member = text.len > 0 && directory_address_parse(&arena, text, &member) &&
                    slice_equal(member.local, from.local) &&
                    slice_equal(member.domain, from.domain);
    }
    arena_finish(&arena);
    return is_member;
}
