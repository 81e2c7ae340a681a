/* SPDX-License-Identifier: ISC */
/* What directory/ has found, as notes. */
#include "role/route/route_private.h"

#include "host/log.h"

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

/* All targets, or a temporary failure: nothing is delivered to some and lost to others. */
static void
answer_found(struct route *route, const struct directory_answer *found, struct slice address,
             struct smtp_route_route *answer)
{
    struct smtp_route_target *targets =
        ARENA_ARRAY(&route->arena, struct smtp_route_target, found->count);
    const char *why = targets ? NULL : "too many targets";

    for (size_t i = 0; i < found->count && !why; i++) {
        if (!found->targets[i].account)
            why = "an alias leads to another domain, and nothing carries mail there yet";
        else if (!fill_target(route, &found->targets[i], &targets[i]))
            why = "delivery_default gives this account no letter box";
    }
    if (why) {
        warn(route, why, address);
        answer->verdict = SMTP_ROUTE_VERDICT_TEMPORARY;
        answer->text = SLICE("the address is not set up rightly");
        return;
    }
    answer->targets.at = targets;
    answer->targets.count = found->count;
}

void
route_answer_recipient(struct route *route, const struct smtp_route_recipient *recipient,
                       struct smtp_route_route *ret_answer)
{
    struct directory_answer found;

    *ret_answer = (struct smtp_route_route){
        .id = recipient->id, .verdict = SMTP_ROUTE_VERDICT_TEMPORARY, .text = SLICE("")};
    if (!route->directory)
        return;
    directory_resolve(route->directory, recipient->address, &route->arena, &found);
    switch (found.verdict) {
    case DIRECTORY_FOUND:
        ret_answer->verdict = SMTP_ROUTE_VERDICT_LOCAL;
        answer_found(route, &found, recipient->address, ret_answer);
        break;
    case DIRECTORY_HAS_MOVED:
        ret_answer->verdict = SMTP_ROUTE_VERDICT_MOVED;
        ret_answer->text = text_about(route,
                                      found.count > 0 ? "the user has moved, forwarding to"
                                                      : "the user has moved, please try",
                                      found.moved_to);
        answer_found(route, &found, recipient->address, ret_answer);
        break;
    case DIRECTORY_UNKNOWN:
    case DIRECTORY_BAD_ADDRESS:
        ret_answer->verdict = SMTP_ROUTE_VERDICT_UNKNOWN;
        break;
    case DIRECTORY_FOREIGN:
    case DIRECTORY_RELAYED:
        ret_answer->verdict = SMTP_ROUTE_VERDICT_RELAY_DENIED;
        break;
    case DIRECTORY_DISABLED:
        ret_answer->verdict = SMTP_ROUTE_VERDICT_REFUSED;
        ret_answer->text = SLICE("the mailbox is disabled");
        break;
    case DIRECTORY_BROKEN:
        warn(route, found.why, recipient->address);
        break;
    }
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
    if (!route->directory)
        return;
    enum directory_verdict verdict =
        verify->expand ? directory_expand(route->directory, verify->query, &route->arena, &found)
                       : directory_verify(route->directory, verify->query, &route->arena, &found);
    ret_answer->verdict = verdict_of_query(verdict, found.count, verify->expand);
    struct smtp_route_line *lines = ARENA_ARRAY(&route->arena, struct smtp_route_line, found.count);
    for (size_t i = 0; lines && i < found.count; i++)
        lines[i].text = found.at[i];
    ret_answer->lines.at = lines;
    ret_answer->lines.count = lines ? found.count : 0;
}
