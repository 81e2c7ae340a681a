/* SPDX-License-Identifier: ISC */
/* May an account send in the name of an address? Of those whose mail reaches it, as a recipient is
 * resolved: its own with any detail, aliases that it is one of, the catch-all, what tables say, the
 * domains whose mail it fetches; and of those that the operator permits. Not as a list, of which it
 * is one reader, and not as who has his mail forwarded to it by a file. */
#include "role/route/route_private.h"

enum { ADDRESS_ARENA_MAX = 64 * 1024 }; /* an address has a kilobyte at most */

/* The row's account is this one. */
static bool
is_about(const struct route *route, struct slice name, uint64_t account)
{
    const struct directory_account *found = directory_account_find(route->tables.directory, name);

    return found && found->id == account;
}

/* "*", "@DOMAIN", "DOMAIN", or an address. */
static bool
covers(struct slice what, const struct directory_address *address)
{
    struct directory_address named;
    struct slice domain;
    struct arena arena;
    bool is_covered = slice_equal(what, SLICE("*"));

    arena_init(&arena, ADDRESS_ARENA_MAX);
    size_t at = slice_find_last_byte(what, '@');
    bool is_domain = at == 0 || at == what.len;
    if (is_domain && !is_covered)
        is_covered = directory_domain_parse(&arena, slice_skip(what, at == 0), &domain) &&
                     slice_equal(domain, address->domain);
    else if (!is_covered)
        is_covered = directory_address_parse(&arena, what, &named) &&
                     slice_equal(named.local, address->local) &&
                     slice_equal(named.domain, address->domain);
    arena_finish(&arena);
    return is_covered;
}

static bool
has_row(const struct route *route, const struct config_strings *rows, uint64_t account,
        const struct directory_address *address)
{
    struct slice who, what;

    for (size_t i = 0; i < rows->count; i++) {
        if (config_pair(rows->at[i], &who, &what) && covers(what, address) &&
            is_about(route, who, account))
            return true;
    }
    return false;
}

static bool
is_permitted(const struct route *route, const struct smtp_route_claim *claim)
{
    const struct config *config = route->start.config;
    struct directory_address address;
    struct arena arena;

    arena_init(&arena, ADDRESS_ARENA_MAX);
    bool is_own = directory_address_parse(&arena, claim->address, &address) &&
                  (has_row(route, &config->send_as, claim->account, &address) ||
                   has_row(route, &config->atrn, claim->account, &address));
    arena_finish(&arena);
    return is_own;
}

static bool
reaches(const struct directory_answer *found, uint64_t account)
{
    for (size_t i = 0; i < found->count; i++) {
        const struct directory_target *target = &found->targets[i];
        if (target->account && target->account->id == account && !target->list)
            return true;
    }
    return false;
}

bool
route_answer_claim(const struct route *route, const struct smtp_route_claim *claim,
                   struct routing_facts *facts, struct smtp_route_claimed *ret_answer)
{
    struct directory_answer found;
    enum smtp_route_claim_result result = SMTP_ROUTE_CLAIM_RESULT_OTHER;

    *ret_answer =
        (struct smtp_route_claimed){.id = claim->id, .result = SMTP_ROUTE_CLAIM_RESULT_TEMPORARY};
    if (!route->tables.directory)
        return true;
    if (is_permitted(route, claim)) {
        ret_answer->result = SMTP_ROUTE_CLAIM_RESULT_OWN;
        return true;
    }
    if (!route_resolve(route, claim->address, false, facts, &found))
        return false;
    if (found.verdict == DIRECTORY_BROKEN)
        result = SMTP_ROUTE_CLAIM_RESULT_TEMPORARY;
    else if (found.verdict == DIRECTORY_FOREIGN)
        result = SMTP_ROUTE_CLAIM_RESULT_FOREIGN;
    else if ((found.verdict == DIRECTORY_FOUND || found.verdict == DIRECTORY_HAS_MOVED) &&
             reaches(&found, claim->account))
        result = SMTP_ROUTE_CLAIM_RESULT_OWN;
    ret_answer->result = result;
    return true;
}
