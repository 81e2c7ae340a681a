/* SPDX-License-Identifier: ISC */
/* The way through all mailboxes, and what is done when the connection breaks: the mailbox is begun
 * again, which costs its list of messages and no more. */
#include "tool/migrate.h"

#include "base/hash.h"
#include "imap/use.h"
#include "tool/migrate_private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

enum {
    TRIES_MAX = 6, /* in a row without a single message */
    ARENA_MAX = 64 << 20,
    BOX_ARENA_MAX = 64 * 1024,
};

/* ---- the other server ------------------------------------------------------------------------ */

static int
code_of(enum client_problem_kind kind)
{
    switch (kind) {
    case CLIENT_PROBLEM_SETTINGS:
        return EX_USAGE;
    case CLIENT_PROBLEM_INSECURE:
    case CLIENT_PROBLEM_PROTOCOL:
        return EX_PROTOCOL;
    case CLIENT_PROBLEM_LOGIN:
        return EX_NOPERM;
    case CLIENT_PROBLEM_NONE:
    case CLIENT_PROBLEM_UNREACHABLE:
    case CLIENT_PROBLEM_TEMPORARY:
    case CLIENT_PROBLEM_REFUSED:
    case CLIENT_PROBLEM_MISSING:
    case CLIENT_PROBLEM_FILE:
    case CLIENT_PROBLEM_TOO_LARGE:
        break;
    }
    return EX_TEMPFAIL;
}

static int
tell_problem(const struct migrate *migrate)
{
    return say_error(code_of(migrate->problem.kind),
                     "%s: %s; what has come stays, begin again to go on",
                     migrate->options->login->account->incoming.host, migrate->problem.text);
}

static bool
connect_again(struct migrate *migrate)
{
    client_imap_close(&migrate->imap);
    migrate->problem = (struct client_problem){0};
    migrate->imap = client_imap_open(migrate->options->login, &migrate->problem);
    return migrate->imap;
}

/* ---- one mailbox ----------------------------------------------------------------------------- */

static uint8_t
use_of(uint32_t attributes)
{
    static const struct {
        uint32_t attribute;
        enum imap_use use;
    } uses[] = {
        {IMAP_CLIENT_ARCHIVE, IMAP_USE_ARCHIVE}, {IMAP_CLIENT_DRAFTS, IMAP_USE_DRAFTS},
        {IMAP_CLIENT_JUNK, IMAP_USE_JUNK},       {IMAP_CLIENT_SENT, IMAP_USE_SENT},
        {IMAP_CLIENT_TRASH, IMAP_USE_TRASH},
    };

    for (size_t i = 0; i < COUNT_OF(uses); i++) {
        if (attributes & uses[i].attribute)
            return (uint8_t)uses[i].use;
    }
    return IMAP_USE_NONE;
}

static int
make_mailbox(struct migrate *migrate, uint32_t uid_validity)
{
    struct tool_store_mailbox_make make = {
        .mailbox = migrate->box->name,
        .use = use_of(migrate->box->attributes),
        .is_subscribed = migrate->box->is_subscribed,
        .uid_validity = uid_validity,
    };

    return appender_make(&migrate->appender, &make);
}

/* Whose messages they are, for their keys. */
static uint64_t
place_of(const struct migrate *migrate, uint32_t uid_validity)
{
    const struct client_account *account = migrate->options->login->account;
    uint64_t place = hash64(slice_of_string(account->incoming.host), uid_validity);

    place = hash64(slice_of_string(account->login), place);
    return hash64(migrate->box->wire_name, place);
}

/* Once through. False: the problem says what is wrong with the server. */
static bool
bring_once(struct migrate *migrate)
{
    uint32_t uid_validity;

    if (!migrate_list_messages(migrate, &uid_validity))
        return false;
    migrate->place = place_of(migrate, uid_validity);
    migrate->known = 0;
    migrate->code = make_mailbox(migrate, uid_validity);
    return migrate->code != EX_OK || migrate_fetch(migrate);
}

static bool
is_lost(const struct migrate *migrate)
{
    return migrate->problem.kind == CLIENT_PROBLEM_UNREACHABLE ||
           migrate->problem.kind == CLIENT_PROBLEM_TEMPORARY;
}

/* A mailbox that cannot be selected is told, and the others are brought. */
static int
end_mailbox(struct migrate *migrate, bool is_good)
{
    if (is_good || migrate->code != EX_OK)
        return migrate->code;
    if (migrate->problem.kind != CLIENT_PROBLEM_REFUSED &&
        migrate->problem.kind != CLIENT_PROBLEM_MISSING)
        return tell_problem(migrate);
    say_warning("the mailbox %.*s is passed over: %s", (int)migrate->box->name.len,
                (const char *)migrate->box->name.at, migrate->problem.text);
    migrate->problem = (struct client_problem){0};
    return EX_OK;
}

static int
bring_mailbox(struct migrate *migrate)
{
    const struct appender *appender = &migrate->appender;
    uint64_t start = appender->imported + appender->there;
    uint64_t there = migrate->there, refused = migrate->refused, last = start;
    bool is_good = false;

    migrate->brought = 0;
    for (unsigned tries = 0; tries < TRIES_MAX; tries++) {
        migrate->there = there;
        migrate->refused = refused;
        is_good = (tries == 0 || connect_again(migrate)) && bring_once(migrate);
        int ended = appender_end(&migrate->appender);
        if (migrate->code == EX_OK)
            migrate->code = ended;
        if (is_good || migrate->code != EX_OK || !is_lost(migrate))
            break;
        migrate->brought = appender->imported + appender->there - start;
        if (start + migrate->brought > last)
            tries = 0;
        last = start + migrate->brought;
        (void)nanosleep(&(struct timespec){1 << tries, 0}, NULL);
    }
    return end_mailbox(migrate, is_good);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static int
bring_all(struct migrate *migrate, struct migrate_result *ret_result)
{
    int code = EX_OK;

    if (migrate->options->only && migrate->box_count == 0)
        return say_error(EX_NOINPUT, "%s has no mailbox '%s'",
                         migrate->options->login->account->incoming.host, migrate->options->only);
    say_progress_begin(&migrate->progress, "migrating", migrate->whole);
    for (size_t i = 0;
         i < migrate->box_count && code == EX_OK && appender_goes_on(&migrate->appender); i++) {
        migrate->box = &migrate->boxes[i];
        code = bring_mailbox(migrate);
        ret_result->mailboxes += code == EX_OK;
    }
    say_progress_end(&migrate->progress);
    return code;
}

int
migrate_run(const struct migrate_options *options, struct migrate_result *ret_result)
{
    struct migrate migrate = {.options = options};
    int code;

    *ret_result = (struct migrate_result){0};
    migrate.appender.client = options->store;
    migrate.appender.account = options->account;
    migrate.appender.moved = migrate_show;
    migrate.appender.context = &migrate;
    appender_init(&migrate.appender);
    arena_init(&migrate.arena, ARENA_MAX);
    arena_init(&migrate.box_arena, BOX_ARENA_MAX);
    buffer_init(&migrate.body, IMAP_CLIENT_MESSAGE_BYTES_MAX);
    if (connect_again(&migrate) && migrate_list(&migrate))
        code = bring_all(&migrate, ret_result);
    else
        code = tell_problem(&migrate);
    ret_result->migrated = migrate.appender.imported;
    ret_result->there = migrate.there + migrate.appender.there;
    ret_result->refused = migrate.refused + migrate.appender.refused;
    code = appender_result(&migrate.appender, code);
    if (code == EX_OK && migrate.refused > 0)
        code = say_error(EX_UNAVAILABLE,
                         "not all is migrated: %" PRIu64 " messages, named above, stayed there; "
                         "begin again when they can be read, what is here stays",
                         migrate.refused);
    client_imap_close(&migrate.imap);
    appender_finish(&migrate.appender);
    arena_finish(&migrate.arena);
    arena_finish(&migrate.box_arena);
    buffer_finish(&migrate.body);
    free(migrate.boxes);
    free(migrate.messages);
    return code;
}
