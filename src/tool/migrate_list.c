/* SPDX-License-Identifier: ISC */
/* What the other server has: mailboxes, and the messages of one. */
#include "imap/grammar.h"
#include "tool/box.h"
#include "tool/migrate_private.h"

#include <stdlib.h>

enum { KEYWORD_MAX = 100 };

static bool
ask(struct migrate *migrate, const struct imap_client_question *question, client_imap_fn fn)
{
    return client_imap_ask(migrate->imap, question, fn, migrate, &migrate->problem);
}

/* ---- mailboxes ------------------------------------------------------------------------------- */

static void
on_namespace(void *context, const struct imap_client_event *event)
{
    struct migrate *migrate = context;

    if (event->kind != IMAP_CLIENT_EVENT_NAMESPACE)
        return;
    migrate->delimiter = event->delimiter;
    migrate->prefix = arena_copy(&migrate->arena, event->name);
}

static struct slice
local_name(struct migrate *migrate, const struct imap_client_event *event)
{
    struct buffer out;
    struct slice name = SLICE("");

    buffer_init(&out, 8 * MIGRATE_NAME_MAX);
    if (migrate_put_name(event->name, event->delimiter, migrate->prefix, &out))
        name = arena_copy(&migrate->arena, buffer_slice(&out));
    else
        say_warning("a mailbox is passed over: its name is too long, or there is none");
    buffer_finish(&out);
    return name;
}

static void
on_list(void *context, const struct imap_client_event *event)
{
    struct migrate *migrate = context;
    const char *only = migrate->options->only;
    const uint32_t none = IMAP_CLIENT_NOSELECT | IMAP_CLIENT_FLAGGED; /* no messages of its own */

    if (event->kind != IMAP_CLIENT_EVENT_LIST || (event->attributes & none) ||
        migrate->box_count == MIGRATE_BOXES_MAX)
        return;
    struct slice name = local_name(migrate, event);
    if (name.len == 0 || (only && !slice_equal(name, slice_of_string(only))))
        return;
    if (migrate->box_count == migrate->box_size) {
        migrate->box_size = migrate->box_size ? migrate->box_size * 2 : 32;
        migrate->boxes = realloc(migrate->boxes, migrate->box_size * sizeof(*migrate->boxes));
        if (!migrate->boxes)
            abort();
    }
    migrate->boxes[migrate->box_count++] = (struct migrate_box){
        .wire_name = arena_copy(&migrate->arena, event->wire_name),
        .name = name,
        .attributes = event->attributes,
    };
}

static void
on_lsub(void *context, const struct imap_client_event *event)
{
    struct migrate *migrate = context;

    /* \Noselect: only something below it is (RFC 3501 §6.3.9). */
    if (event->kind != IMAP_CLIENT_EVENT_LIST || (event->attributes & IMAP_CLIENT_NOSELECT))
        return;
    for (size_t i = 0; i < migrate->box_count; i++) {
        if (slice_equal(migrate->boxes[i].wire_name, event->wire_name))
            migrate->boxes[i].is_subscribed = true;
    }
}

static void
on_status(void *context, const struct imap_client_event *event)
{
    struct migrate *migrate = context;

    if (event->kind == IMAP_CLIENT_EVENT_STATUS)
        migrate->whole += event->status.messages;
}

/* The inbox first, the others by name: what is read most is there soonest. */
static int
compare_boxes(const void *left, const void *right)
{
    const struct migrate_box *a = left, *b = right;
    int a_rank = !slice_equal(a->name, SLICE("INBOX"));
    int b_rank = !slice_equal(b->name, SLICE("INBOX"));

    return a_rank != b_rank ? a_rank - b_rank : slice_compare(a->name, b->name);
}

bool
migrate_list(struct migrate *migrate)
{
    struct imap_client_facts facts = client_imap_facts(migrate->imap);
    struct imap_client_question question = {.command = IMAP_CLIENT_NAMESPACE};
    bool is_good = !facts.has_namespace || ask(migrate, &question, on_namespace);

    question = (struct imap_client_question){.command = IMAP_CLIENT_LIST, .other = SLICE("*")};
    if (facts.has_list_extended && facts.has_special_use)
        question.text = SLICE("SPECIAL-USE");
    is_good = is_good && ask(migrate, &question, on_list);
    question = (struct imap_client_question){.command = IMAP_CLIENT_LSUB, .other = SLICE("*")};
    is_good = is_good && ask(migrate, &question, on_lsub);
    if (migrate->box_count > 1)
        qsort(migrate->boxes, migrate->box_count, sizeof(*migrate->boxes), compare_boxes);
    for (size_t i = 0; is_good && i < migrate->box_count; i++) {
        question = (struct imap_client_question){.command = IMAP_CLIENT_STATUS,
                                                 .mailbox = migrate->boxes[i].wire_name,
                                                 .is_wire = true,
                                                 .text = SLICE("MESSAGES")};
        is_good = ask(migrate, &question, on_status) ||
                  migrate->problem.kind == CLIENT_PROBLEM_MISSING ||
                  migrate->problem.kind == CLIENT_PROBLEM_REFUSED;
    }
    return is_good;
}

/* ---- messages -------------------------------------------------------------------------------- */

/* The bit of a keyword; 0 for what is none, or when there are too many. */
static uint64_t
keyword_bit(struct migrate *migrate, struct slice name)
{
    size_t i = 0;

    for (size_t at = 0; at < name.len; at++) {
        if (!imap_is_atom_char(name.at[at]))
            return 0;
    }
    if (name.len == 0 || name.len > KEYWORD_MAX)
        return 0;
    while (i < migrate->keyword_count && !slice_equal_nocase(migrate->keywords[i].name, name))
        i++;
    if (i == MIGRATE_KEYWORDS_MAX)
        return 0;
    if (i == migrate->keyword_count)
        migrate->keywords[migrate->keyword_count++].name = arena_copy(&migrate->box_arena, name);
    return UINT64_C(1) << i;
}

static uint64_t
keyword_bits(struct migrate *migrate, struct slice flags)
{
    uint64_t bits = 0;

    while (flags.len > 0) {
        struct slice flag = slice_first(flags, slice_find_byte(flags, ' '));
        bits |= keyword_bit(migrate, flag); /* system flags are no atoms */
        flags = slice_skip(flags, flag.len + 1);
    }
    return bits;
}

static void
on_message(void *context, const struct imap_client_event *event)
{
    struct migrate *migrate = context;
    const struct imap_client_message *said = &event->message;

    if (event->kind != IMAP_CLIENT_EVENT_FETCH || !(said->said & IMAP_CLIENT_SAID_UID) ||
        migrate->message_count == MIGRATE_MESSAGES_MAX)
        return;
    if (migrate->message_count == migrate->message_size) {
        migrate->message_size = migrate->message_size ? migrate->message_size * 2 : 1024;
        migrate->messages =
            realloc(migrate->messages, migrate->message_size * sizeof(*migrate->messages));
        if (!migrate->messages)
            abort();
    }
    migrate->messages[migrate->message_count++] = (struct migrate_message){
        .uid = said->uid,
        .flags = said->flag_bits, /* the same bits: RFC 9051 §2.3.2 in its order */
        .keywords = keyword_bits(migrate, said->flags),
        .size = said->size,
        .date = said->date,
    };
}

static int
compare_messages(const void *left, const void *right)
{
    const struct migrate_message *a = left, *b = right;

    return (a->uid > b->uid) - (a->uid < b->uid);
}

/* A server may tell of one twice. */
static void
put_in_order(struct migrate *migrate)
{
    size_t kept = 0;

    if (migrate->message_count == 0)
        return;
    qsort(migrate->messages, migrate->message_count, sizeof(*migrate->messages), compare_messages);
    for (size_t i = 1; i < migrate->message_count; i++) {
        if (migrate->messages[i].uid != migrate->messages[kept].uid)
            migrate->messages[++kept] = migrate->messages[i];
        else
            migrate->messages[kept] = migrate->messages[i];
    }
    migrate->message_count = kept + 1;
}

bool
migrate_list_messages(struct migrate *migrate, uint32_t *ret_uid_validity)
{
    static_assert(BOX_SEEN == (int)IMAP_SEEN && BOX_DRAFT == (int)IMAP_DRAFT);
    struct imap_client_question question = {
        .command = IMAP_CLIENT_EXAMINE, .mailbox = migrate->box->wire_name, .is_wire = true};

    migrate->message_count = migrate->keyword_count = 0;
    arena_reset(&migrate->box_arena);
    if (!ask(migrate, &question, NULL))
        return false;
    struct imap_client_status status = client_imap_mailbox(migrate->imap).status;
    *ret_uid_validity = status.uid_validity;
    question = (struct imap_client_question){.command = IMAP_CLIENT_FETCH,
                                             .uids = SLICE("1:*"),
                                             .text = SLICE("FLAGS INTERNALDATE RFC822.SIZE")};
    if (status.messages > 0 && !ask(migrate, &question, on_message))
        return false;
    put_in_order(migrate);
    return true;
}
