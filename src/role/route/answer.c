/* SPDX-License-Identifier: ISC */
/* What directory/ has found, as notes. */
#include "role/route/route_private.h"

#include "directory/unix_aliases.h"
#include "host/log.h"
#include "routing/list.h"
#include "routing/recipient.h"
#include "routing/source_route.h"
#include "routing/srs.h"

/* One text of the answer, in the arena. */
static struct slice
text_about(struct route *route, const char *before, struct slice address)
{
    struct buffer text;

    buffer_init(&text, SMTP_ROUTE_ROUTE_TEXT_MAX);
    buffer_put_text(&text, before);
    if (address.len > 0) {
        buffer_put_text(&text, " <");
        buffer_put(&text, address);
        buffer_put_byte(&text, '>');
    }
    struct slice copy = arena_copy(&route->arena, buffer_slice(&text));
    buffer_finish(&text);
    return copy;
}

/* %u and %d of delivery_default. A local part that would leave its folder has no letter box. */
static bool
expand_path(struct route *route, struct slice pattern, struct slice name, struct slice *ret_path)
{
    size_t at = slice_find_last_byte(name, '@');
    struct slice user = slice_first(name, at), domain = slice_skip(name, at + 1);
    struct buffer path;

    if (slice_find_byte(user, '/') < user.len || user.len == 0 || user.at[0] == '.' ||
        user.at[0] == '"' || slice_find_byte(domain, '/') < domain.len)
        return false;
    buffer_init(&path, SMTP_ROUTE_TARGET_PATH_MAX);
    for (size_t i = 0; i < pattern.len; i++) {
        if (pattern.at[i] == '%' && i + 1 < pattern.len && pattern.at[i + 1] == 'u') {
            buffer_put(&path, user);
            i++;
        } else if (pattern.at[i] == '%' && i + 1 < pattern.len && pattern.at[i + 1] == 'd') {
            buffer_put(&path, domain);
            i++;
        } else {
            buffer_put_byte(&path, pattern.at[i]);
        }
    }
    bool is_good = !buffer_overflowed(&path);
    if (is_good)
        *ret_path = arena_copy(&route->arena, buffer_slice(&path));
    buffer_finish(&path);
    return is_good;
}

/* Where the account's mail goes; false when there is no such place. */
static bool
fill_box(struct route *route, const struct directory_account *account,
         struct smtp_route_target *target)
{
    struct slice standard = route->start.config->delivery_default;

    target->box = SMTP_ROUTE_BOX_STORE;
    target->path = SLICE("");
    if (account->has_delivery) {
        if (account->delivery != DIRECTORY_STORE)
            target->box =
                account->delivery == DIRECTORY_MBOX ? SMTP_ROUTE_BOX_MBOX : SMTP_ROUTE_BOX_MAILDIR;
        target->path = account->path;
        return true;
    }
    if (slice_starts_with(standard, SLICE("mbox:")))
        target->box = SMTP_ROUTE_BOX_MBOX;
    else if (slice_starts_with(standard, SLICE("maildir:")))
        target->box = SMTP_ROUTE_BOX_MAILDIR;
    else
        return true;
    size_t prefix = slice_find_byte(standard, ':') + 1;
    return expand_path(route, slice_skip(standard, prefix), account->name, &target->path);
}

static bool
fill_target(struct route *route, const struct directory_target *from, struct smtp_route_target *to)
{
    const struct config *config = route->start.config;
    const struct directory_account *account = from->account;

    *to = (struct smtp_route_target){
        .account = account->id,
        .detail = from->detail,
        .name = account->name,
        .user = account->login,
        .quota_bytes = account->has_quota ? account->quota_bytes : config->quota_default,
        .quota_messages =
            account->has_quota ? account->quota_messages : config->quota_messages_default,
    };
    return fill_box(route, account, to);
}

static void
warn(struct route *route, const char *why, struct slice address)
{
    struct log_line line;

    log_begin(&line, route->start.host, HOST_LEVEL_WARNING, "address_leads_nowhere");
    log_address(&line, "address", address);
    log_string(&line, "why", why);
    log_end(&line);
}

/* ---- what targets have in common ------------------------------------------------------------ */

/* The groups of one answer; each for a list, or (list NULL) for all that is sent on. */
struct groups {
    struct smtp_route_group at[SMTP_ROUTE_ROUTE_GROUPS_MAX];
    const struct directory_alias *lists[SMTP_ROUTE_ROUTE_GROUPS_MAX];
    size_t count;
};

static struct slice
copy_and_finish(struct route *route, struct buffer *text)
{
    struct slice copy = arena_copy(&route->arena, buffer_slice(text));

    buffer_finish(text);
    return copy;
}

/* A null sender stays null: what it returns must not make new returns. */
static void
fill_list_group(struct route *route, const struct directory_alias *list, struct slice sender,
                struct smtp_route_group *group)
{
    struct buffer text;

    buffer_init(&text, ROUTING_LIST_FIELDS_MAX);
    routing_list_put_sender(list, &text);
    group->has_sender = sender.len > 0;
    group->sender = copy_and_finish(route, &text);
    buffer_init(&text, ROUTING_LIST_FIELDS_MAX);
    routing_list_put_fields(list, &text);
    group->fields = copy_and_finish(route, &text);
}

/* False when the sender stays as it is: SRS is off, or the sender is of a domain of ours. */
static bool
fill_forward_group(struct route *route, struct slice sender, struct smtp_route_group *group)
{
    const struct config *config = route->start.config;
    struct slice key = buffer_slice(&route->tables.srs_key);
    uint32_t days = (uint32_t)(wall_seconds(host_wall(route->start.host)) / (24 * 3600));
    struct slice domain = slice_skip(sender, slice_find_last_byte(sender, '@') + 1);
    struct buffer text;

    if (config->srs_domain.len == 0 || key.len < ROUTING_SRS_KEY_MIN ||
        directory_domain_find(route->tables.directory, domain))
        return false;
    buffer_init(&text, 1024);
    group->has_sender = routing_srs_forward(key, days, config->srs_domain, sender, &text);
    group->sender = copy_and_finish(route, &text);
    group->fields = SLICE("");
    return group->has_sender;
}

/* The number of the target's group, 0 for none; false when there are too many. */
static bool
find_group(struct route *route, const struct directory_target *target, struct slice sender,
           struct groups *groups, uint16_t *ret_group)
{
    bool is_sent_on = !target->account && !target->is_file && !target->is_program &&
                      target->is_forwarded && !target->list;
    size_t i = 0;

    *ret_group = 0;
    if (!target->list && !is_sent_on)
        return true;
    while (i < groups->count && groups->lists[i] != target->list)
        i++;
    if (i == COUNT_OF(groups->at))
        return false;
    if (i == groups->count) {
        if (target->list)
            fill_list_group(route, target->list, sender, &groups->at[i]);
        else if (!fill_forward_group(route, sender, &groups->at[i]))
            return true;
        groups->lists[groups->count++] = target->list;
    }
    *ret_group = (uint16_t)(i + 1);
    return true;
}

/* ---- targets ------------------------------------------------------------------------------- */

/* What stands behind RCPT TO at another host: without brackets and source route (RFC 5321
 * §4.1.1.3). */
static struct slice
plain_address(struct slice address)
{
    if (address.len >= 2 && address.at[0] == '<')
        address = slice_between(address, 1, address.len - 1);
    if (address.len > 0 && address.at[0] == '@')
        address = slice_skip(address, slice_find_byte(address, ':') + 1);
    return address;
}

static void
fill_remote(struct slice address, struct smtp_route_target *to)
{
    *to = (struct smtp_route_target){.name = plain_address(address),
                                     .box = SMTP_ROUTE_BOX_REMOTE,
                                     .detail = SLICE(""),
                                     .path = SLICE(""),
                                     .user = SLICE("")};
}

/* A file of /etc/aliases, which belongs to nobody, or of a user's .forward: an mbox, or with a
 * slash at its end a Maildir. */
static bool
fill_file(struct route *route, const struct directory_target *from, struct smtp_route_target *to)
{
    struct slice path = from->name;
    const struct config *config = route->start.config;
    bool is_maildir = path.at[path.len - 1] == '/';

    *to =
        (struct smtp_route_target){.name = path,
                                   .box = is_maildir ? SMTP_ROUTE_BOX_MAILDIR : SMTP_ROUTE_BOX_MBOX,
                                   .detail = SLICE(""),
                                   .path = slice_first(path, path.len - is_maildir),
                                   .user = from->user};
    return directory_file_is_below(to->path, config->letterbox_dirs.at,
                                   config->letterbox_dirs.count);
}

/* A member of a list that lives here gets the list's own copy, with its fields and its owner as
 * sender, as all members do: by the queue, which makes that copy. */
static void
send_by_queue(struct route *route, const struct directory_target *from,
              struct smtp_route_target *to)
{
    struct slice name = from->account->name, separators = route->start.config->subaddress_separator;
    size_t at = slice_find_last_byte(name, '@');
    struct buffer text;

    fill_remote(name, to);
    to->account = from->account->id; /* so that it gets one copy, however it is reached */
    to->detail = from->detail;
    if (from->detail.len == 0 || separators.len == 0)
        return;
    buffer_init(&text, SMTP_ROUTE_TARGET_NAME_MAX);
    buffer_put(&text, slice_first(name, at));
    buffer_put(&text, slice_first(separators, 1));
    buffer_put(&text, from->detail);
    buffer_put(&text, slice_skip(name, at));
    if (!buffer_overflowed(&text))
        to->name = arena_copy(&route->arena, buffer_slice(&text));
    buffer_finish(&text);
}

/* Why this target cannot be had, or NULL. */
static const char *
fill_any(struct route *route, const struct directory_target *from,
         const struct smtp_route_recipient *recipient, struct groups *groups,
         struct smtp_route_target *to)
{
    if (from->is_file)
        return fill_file(route, from, to)
                   ? NULL
                   : "an alias leads to a file that is not below letterbox_dirs";
    if (!from->account && !recipient->takes_remote)
        return "an alias leads to another domain, and nothing carries mail there yet";
    if (!from->account)
        fill_remote(from->name, to);
    else if (!fill_target(route, from, to))
        return "delivery_default gives this account no letter box";
    else if (from->list && recipient->takes_remote)
        send_by_queue(route, from, to);
    if (to->name.len > SMTP_ROUTE_TARGET_NAME_MAX)
        return "an address is too long";
    return find_group(route, from, recipient->sender, groups, &to->group)
               ? NULL
               : "aliases lead to too many lists";
}

/* All targets, or a temporary failure: nothing is delivered to some and lost to others. */
static void
answer_found(struct route *route, const struct directory_answer *found,
             const struct smtp_route_recipient *recipient, struct smtp_route_route *answer)
{
    struct smtp_route_target *targets =
        ARENA_ARRAY(&route->arena, struct smtp_route_target, found->count);
    struct groups *groups = ARENA_NEW(&route->arena, struct groups);
    const char *why = targets && groups ? NULL : "too many targets";

    for (size_t i = 0; i < found->count && !why; i++)
        why = fill_any(route, &found->targets[i], recipient, groups, &targets[i]);
    if (why) {
        warn(route, why, recipient->address);
        answer->verdict = SMTP_ROUTE_VERDICT_TEMPORARY;
        answer->text = SLICE("the address is not set up rightly");
        return;
    }
    answer->targets.at = targets;
    answer->targets.count = found->count;
    answer->groups.at = groups->at;
    answer->groups.count = groups->count;
}

/* ---- other domains ------------------------------------------------------------------------- */

/* Who may send through us: users who have said who they are, and networks that are listed. Nobody
 * else, however the address is written: it has been taken apart by now. */
static bool
may_relay(const struct smtp_route_recipient *recipient)
{
    return recipient->is_authenticated || recipient->is_trusted_network;
}

/* Whether the next host is to be asked about it: its names are not known, and it is no name that
 * everybody has. */
static bool
asks_ahead(struct route *route, struct slice recipient)
{
    const struct config_strings *rows = &route->start.config->call_ahead;
    const struct directory *directory = route->tables.directory;
    struct directory_address address;
    struct slice domain;

    if (rows->count == 0 || !directory_address_parse(&route->arena, recipient, &address) ||
        slice_equal(address.local, SLICE("postmaster")))
        return false;
    const struct directory_relay *relay = directory_relay_find(directory, address.domain);
    if (!relay || relay->is_listed || names_are_known(route, address.domain))
        return false;
    for (size_t i = 0; i < rows->count; i++) {
        if (directory_domain_parse(&route->arena, rows->at[i], &domain) &&
            slice_equal(domain, address.domain))
            return true;
    }
    return false;
}

static void
answer_foreign(struct route *route, const struct smtp_route_recipient *recipient,
               struct slice address, struct smtp_route_route *answer)
{
    struct smtp_route_target *target = ARENA_NEW(&route->arena, struct smtp_route_target);
    struct slice plain = plain_address(address);

    if (!target || !recipient->takes_remote || plain.len > SMTP_ROUTE_TARGET_NAME_MAX) {
        answer->verdict = SMTP_ROUTE_VERDICT_RELAY_DENIED;
        return;
    }
    fill_remote(address, target);
    answer->verdict = SMTP_ROUTE_VERDICT_LOCAL;
    answer->targets.at = target;
    answer->targets.count = 1;
}

/* <@us,@next:user@domain>, where the operator has that followed: on to the next host, with the way
 * back in the sender. False: not to be followed. */
static bool
answer_routed(struct route *route, const struct smtp_route_recipient *recipient,
              struct smtp_route_route *answer)
{
    const struct config *config = route->start.config;
    struct smtp_route_group *group = ARENA_NEW(&route->arena, struct smtp_route_group);
    struct smtp_route_target *target = ARENA_NEW(&route->arena, struct smtp_route_target);
    struct slice first = routing_route_first(recipient->address);
    struct slice left =
        routing_route_peel(&route->tables.settings, recipient->address, &route->arena);
    /* We go into the way back by the name that we were called. */
    bool is_called = left.len < recipient->address.len;

    if (config->source_routes != CONFIG_ROUTES_HONOUR || !recipient->takes_remote ||
        first.len == 0 || !group || !target || left.len > SMTP_ROUTE_TARGET_NAME_MAX)
        return false;
    fill_remote(routing_route_drop(left), target);
    target->name = left;
    *group = (struct smtp_route_group){
        .has_sender = recipient->sender.len > 0,
        .sender = routing_route_prepend(is_called ? first : config->hostname, recipient->sender,
                                        &route->arena),
        .fields = SLICE("")};
    if (group->sender.len > SMTP_ROUTE_GROUP_SENDER_MAX)
        return false;
    target->group = 1;
    answer->verdict = SMTP_ROUTE_VERDICT_LOCAL;
    answer->targets.at = target;
    answer->targets.count = 1;
    answer->groups.at = group;
    answer->groups.count = 1;
    answer->is_passing = true; /* the sender is in it */
    return true;
}

/* A bounce to an address that SRS has made: on to whom it was made from. True when the address is
 * one of these, good or not. */
static bool
answer_srs(struct route *route, const struct smtp_route_recipient *recipient,
           struct smtp_route_route *answer)
{
    struct slice key = buffer_slice(&route->tables.srs_key), domain = SLICE("");
    struct slice address = plain_address(recipient->address);
    uint32_t days = (uint32_t)(wall_seconds(host_wall(route->start.host)) / (24 * 3600));
    size_t at = slice_find_last_byte(address, '@');
    struct buffer back;

    if (route->start.config->srs_domain.len == 0 || key.len < ROUTING_SRS_KEY_MIN ||
        !directory_domain_parse(&route->arena, slice_skip(address, at + 1), &domain) ||
        !slice_equal_nocase(domain, route->start.config->srs_domain))
        return false;
    buffer_init(&back, 1024);
    enum routing_srs_verdict verdict =
        routing_srs_reverse(key, days, slice_first(address, at), &back);
    answer->is_passing = true; /* such an address is good for some days only */
    if (verdict == ROUTING_SRS_GOOD)
        answer_foreign(route, recipient, arena_copy(&route->arena, buffer_slice(&back)), answer);
    else if (verdict != ROUTING_SRS_NONE)
        answer->verdict = SMTP_ROUTE_VERDICT_UNKNOWN;
    buffer_finish(&back);
    return verdict != ROUTING_SRS_NONE;
}

/* A list that this sender may not write to is behind the address. */
static bool
is_closed_to(const struct directory_answer *found, struct slice sender)
{
    for (size_t i = 0; i < found->count; i++) {
        if (found->targets[i].list && !routing_list_takes(found->targets[i].list, sender))
            return true;
    }
    return false;
}

bool
route_resolve(const struct route *route, struct slice address, bool has_forwards,
              struct routing_facts *facts, struct directory_answer *ret_found)
{
    const struct config *config = route->start.config;
    struct routing_steps steps;
    struct routing_names names = {
        .directory = route->tables.directory,
        .alias_tables = config->alias_tables.at,
        .alias_table_count = config->alias_tables.count,
        .has_forwards = has_forwards,
        .separators = config->subaddress_separator,
    };

    return routing_recipient(&names, address, facts, &steps, ret_found) != ROUTING_MISSING;
}

bool
route_answer_recipient(struct route *route, const struct smtp_route_recipient *recipient,
                       struct routing_facts *facts, struct smtp_route_route *ret_answer)
{
    struct directory_answer found;

    *ret_answer = (struct smtp_route_route){
        .id = recipient->id, .verdict = SMTP_ROUTE_VERDICT_TEMPORARY, .text = SLICE("")};
    if (!route->tables.directory || answer_srs(route, recipient, ret_answer))
        return true;
    if (!route_resolve(route, recipient->address,
                       route->start.config->forward_files != CONFIG_FORWARD_NO, facts, &found))
        return false;
    ret_answer->is_passing = facts->count > 0;
    switch (found.verdict) {
    case DIRECTORY_FOUND:
        ret_answer->verdict = SMTP_ROUTE_VERDICT_LOCAL;
        if (!is_closed_to(&found, recipient->sender)) {
            answer_found(route, &found, recipient, ret_answer);
            break;
        }
        ret_answer->verdict = SMTP_ROUTE_VERDICT_REFUSED;
        ret_answer->text = SLICE("only members may write to this list");
        break;
    case DIRECTORY_HAS_MOVED:
        ret_answer->verdict = SMTP_ROUTE_VERDICT_MOVED;
        ret_answer->text = text_about(route,
                                      found.count > 0 ? "the user has moved, forwarding to"
                                                      : "the user has moved, please try",
                                      found.moved_to);
        answer_found(route, &found, recipient, ret_answer);
        break;
    case DIRECTORY_UNKNOWN:
    case DIRECTORY_BAD_ADDRESS:
        ret_answer->verdict = SMTP_ROUTE_VERDICT_UNKNOWN;
        break;
    case DIRECTORY_FOREIGN:
        ret_answer->verdict = SMTP_ROUTE_VERDICT_RELAY_DENIED;
        if (may_relay(recipient) && !answer_routed(route, recipient, ret_answer))
            answer_foreign(route, recipient, recipient->address, ret_answer);
        /* The domain alone has decided, unless tables elsewhere were asked. */
        ret_answer->is_for_domain =
            ret_answer->verdict == SMTP_ROUTE_VERDICT_LOCAL && !ret_answer->is_passing;
        break;
    case DIRECTORY_RELAYED:
        answer_foreign(route, recipient, recipient->address, ret_answer);
        ret_answer->asks_ahead = !may_relay(recipient) && asks_ahead(route, recipient->address);
        break;
    case DIRECTORY_DISABLED:
        ret_answer->verdict = SMTP_ROUTE_VERDICT_REFUSED;
        ret_answer->text = SLICE("the mailbox is disabled");
        break;
    case DIRECTORY_AWAITED:
        ret_answer->text = SLICE("the names of that domain are not known yet, try again later");
        break;
    case DIRECTORY_BROKEN:
        warn(route, found.why, recipient->address);
        break;
    }
    return true;
}

static enum smtp_route_verdict
verdict_of_query(enum directory_verdict verdict, size_t count, bool is_expand)
{
    switch (verdict) {
    case DIRECTORY_FOUND:
        return count == 1 || is_expand ? SMTP_ROUTE_VERDICT_LOCAL : SMTP_ROUTE_VERDICT_AMBIGUOUS;
    case DIRECTORY_HAS_MOVED:
        return SMTP_ROUTE_VERDICT_MOVED;
    case DIRECTORY_FOREIGN:
    case DIRECTORY_RELAYED:
        return SMTP_ROUTE_VERDICT_UNVERIFIED;
    case DIRECTORY_DISABLED:
        return is_expand ? SMTP_ROUTE_VERDICT_REFUSED : SMTP_ROUTE_VERDICT_UNKNOWN;
    case DIRECTORY_AWAITED:
    case DIRECTORY_BROKEN:
        return SMTP_ROUTE_VERDICT_TEMPORARY;
    case DIRECTORY_UNKNOWN:
    case DIRECTORY_BAD_ADDRESS:
        break;
    }
    return SMTP_ROUTE_VERDICT_UNKNOWN;
}

void
route_answer_verify(struct route *route, const struct smtp_route_verify *verify,
                    struct smtp_route_verified *ret_answer)
{
    struct directory_lines found = {0};

    *ret_answer =
        (struct smtp_route_verified){.id = verify->id, .verdict = SMTP_ROUTE_VERDICT_TEMPORARY};
    if (!route->tables.directory)
        return;
    enum directory_verdict verdict =
        verify->expand
            ? directory_expand(route->tables.directory, verify->query, &route->arena, &found)
            : directory_verify(route->tables.directory, verify->query, &route->arena, &found);
    ret_answer->verdict = verdict_of_query(verdict, found.count, verify->expand);
    struct smtp_route_line *lines = ARENA_ARRAY(&route->arena, struct smtp_route_line, found.count);
    for (size_t i = 0; lines && i < found.count; i++)
        lines[i].text = found.at[i];
    ret_answer->lines.at = lines;
    ret_answer->lines.count = lines ? found.count : 0;
}
