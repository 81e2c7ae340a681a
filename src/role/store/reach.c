/* SPDX-License-Identifier: ISC */
#include "role/store/reach.h"

#include "mailbox/sharing.h"

enum { SHARES_MAX = 10000 }; /* that one session sees */

/* ---- names ----------------------------------------------------------------------------------- */

/* True when the name lies below the prefix; *ret_rest is what follows. */
static bool
is_below(struct slice name, struct slice prefix, struct slice *ret_rest)
{
    if (slice_is_empty(prefix) || name.len < prefix.len + 1 || !slice_starts_with(name, prefix) ||
        name.at[prefix.len] != '/')
        return false;
    *ret_rest = slice_skip(name, prefix.len + 1);
    return true;
}

static bool
is_in_namespace(const struct reach *reach, struct slice name)
{
    const struct config *config = reach->config;
    struct slice rest;

    return slice_equal(name, config->imap_others) || slice_equal(name, config->imap_shared) ||
           is_below(name, config->imap_others, &rest) || is_below(name, config->imap_shared, &rest);
}

enum store_result
reach_resolve(const struct reach *reach, struct slice name, account_id *ret_account,
              struct slice *ret_name)
{
    const struct config *config = reach->config;
    struct slice rest, owner = config->imap_shared_account;

    if (!is_in_namespace(reach, name)) {
        *ret_account = reach->account;
        *ret_name = name;
        return STORE_OK;
    }
    if (is_below(name, config->imap_others, &rest)) {
        owner = slice_first(rest, slice_find_byte(rest, '/'));
        rest = slice_skip(rest, owner.len + 1);
    } else if (!is_below(name, config->imap_shared, &rest)) {
        return STORE_NOT_FOUND; /* the namespace itself */
    }
    if (slice_is_empty(owner) || slice_is_empty(rest))
        return STORE_NOT_FOUND;
    *ret_name = rest;
    return mailbox_owner_find(reach->store, owner, ret_account);
}

bool
reach_put_name(const struct reach *reach, account_id owner, struct slice name,
               struct buffer *buffer)
{
    const struct config *config = reach->config;
    struct slice owner_name;

    if (mailbox_owner_name(reach->store, owner, &owner_name) != STORE_OK)
        return false;
    bool is_shared =
        config->imap_shared.len > 0 && slice_equal(owner_name, config->imap_shared_account);
    if (!is_shared && slice_is_empty(config->imap_others))
        return false;
    size_t before = buffer_len(buffer);
    buffer_put(buffer, is_shared ? config->imap_shared : config->imap_others);
    buffer_put_byte(buffer, '/');
    if (!is_shared) {
        buffer_put(buffer, owner_name);
        buffer_put_byte(buffer, '/');
    }
    buffer_put(buffer, name);
    return buffer_len(buffer) - before <= MAILBOX_NAME_MAX;
}

/* ---- rights ---------------------------------------------------------------------------------- */

enum store_result
reach_get(const struct reach *reach, account_id owner, mailbox_id mailbox, unsigned needed,
          struct reached *ret_reached)
{
    bool is_own = owner == 0 || owner == reach->account;
    unsigned rights =
        is_own ? RIGHTS_ALL : mailbox_rights(reach->store, owner, mailbox, reach->user);
    struct mailbox_entry entry;

    /* A list outlives its mailbox for a moment. */
    if (!is_own && rights != 0 &&
        mailbox_get(reach->store, owner, mailbox, &entry) == STORE_NOT_FOUND)
        return STORE_NOT_FOUND;
    if (!(rights & needed))
        return rights & RIGHT_LOOKUP ? STORE_FORBIDDEN : STORE_NOT_FOUND;
    *ret_reached = (struct reached){is_own ? reach->account : owner, mailbox, rights};
    return STORE_OK;
}

enum store_result
reach_find(const struct reach *reach, struct slice name, unsigned needed,
           struct reached *ret_reached)
{
    account_id account;
    mailbox_id mailbox;
    struct slice rest;
    enum store_result result = reach_resolve(reach, name, &account, &rest);

    if (result == STORE_OK)
        result = mailbox_find(reach->store, account, rest, &mailbox);
    if (result == STORE_OK)
        result = reach_get(reach, account, mailbox, needed, ret_reached);
    return result;
}

bool
reach_parent(struct store *store, account_id account, struct slice name, mailbox_id *ret_parent)
{
    for (size_t end = slice_find_last_byte(name, '/'); end < name.len;
         end = slice_find_last_byte(name, '/')) {
        name = slice_first(name, end);
        if (mailbox_find(store, account, name, ret_parent) == STORE_OK)
            return true;
    }
    return false;
}

enum store_result
reach_check_new(const struct reach *reach, account_id account, struct slice name)
{
    mailbox_id parent;

    if (account == reach->account)
        return STORE_OK;
    if (!reach_parent(reach->store, account, name, &parent))
        return STORE_FORBIDDEN;
    return mailbox_rights(reach->store, account, parent, reach->user) & RIGHT_CREATE
               ? STORE_OK
               : STORE_FORBIDDEN;
}

uint32_t
reach_flags(unsigned rights)
{
    return (rights & RIGHT_SEEN ? MESSAGE_SEEN : 0) |
           (rights & RIGHT_DELETE ? MESSAGE_DELETED : 0) |
           (rights & RIGHT_WRITE ? MESSAGE_FLAGS & ~(uint32_t)(MESSAGE_SEEN | MESSAGE_DELETED) : 0);
}

bool
reach_put_identifier(const struct reach *reach, struct slice sent, struct slice owner,
                     struct buffer *buffer)
{
    size_t at = slice_find_byte(owner, '@');
    struct slice name = slice_starts_with(sent, SLICE("-")) ? slice_skip(sent, 1) : sent;
    bool is_anyone = slice_equal_nocase(name, SLICE("anyone"));

    if (slice_is_empty(name))
        return false;
    for (size_t i = 0; i < sent.len; i++)
        buffer_put_byte(buffer, byte_to_lower(sent.at[i]));
    if (!is_anyone && slice_find_byte(name, '@') == name.len)
        buffer_put(buffer, slice_skip(owner, at));
    if (is_anyone)
        return reach->config->imap_share_with_anyone;
    name = slice_skip(buffer_slice(buffer), sent.len - name.len);
    return !slice_equal(name, owner) && !buffer_overflowed(buffer) &&
           mailbox_identifier_is_valid(buffer_slice(buffer));
}

/* ---- what is shared -------------------------------------------------------------------------- */

struct listing {
    const struct reach *reach;
    struct buffer *shares;
    bool is_for_all; /* the identifier is "anyone" */
};

static bool
add_share(void *context, account_id owner, mailbox_id mailbox)
{
    struct listing *listing = context;
    const struct reach *reach = listing->reach;
    struct reached reached;

    if (owner == reach->account)
        return true;
    /* What is shared with the user himself, too, has come before. */
    if (listing->is_for_all && mailbox_acl_get(reach->store, owner, mailbox, reach->user) != 0)
        return true;
    if (reach_get(reach, owner, mailbox, RIGHT_LOOKUP, &reached) == STORE_OK)
        buffer_put(listing->shares, slice_of(&reached, sizeof(reached)));
    return buffer_len(listing->shares) < SHARES_MAX * sizeof(reached);
}

enum store_result
reach_list(const struct reach *reach, struct buffer *ret_shares)
{
    struct listing listing = {reach, ret_shares, false};

    buffer_init(ret_shares, SHARES_MAX * sizeof(struct reached));
    (void)!mailbox_share_list(reach->store, reach->user, add_share, &listing);
    listing.is_for_all = true;
    if (!slice_equal(reach->user, SLICE("anyone")))
        (void)!mailbox_share_list(reach->store, SLICE("anyone"), add_share, &listing);
    return store_is_readable(reach->store) ? STORE_OK : STORE_TEMPORARY;
}

static bool
stop(void *context, struct slice identifier, unsigned rights)
{
    bool *is_found = context;

    (void)identifier;
    (void)rights;
    *is_found = true;
    return false;
}

bool
reach_is_shared(struct store *store, account_id account, mailbox_id mailbox)
{
    bool is_found = false;

    (void)!mailbox_acl_list(store, account, mailbox, stop, &is_found);
    return is_found;
}
