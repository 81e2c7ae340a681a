/* SPDX-License-Identifier: ISC */
/* The messages that the store has not seen yet, a few hundred at a time. */
#include "tool/migrate_private.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    KEY_MAX = 64,
    ASKED_MAX = 500, /* keys in one question to the store */
    BATCH_MAX = 400, /* messages in one question to the server */
    BATCH_BYTES_MAX = 16 << 20,
    SET_MAX = 8192,
};

void
migrate_show(void *context)
{
    struct migrate *migrate = context;
    const struct appender *appender = &migrate->appender;

    say_progress_show(&migrate->progress, appender->imported + appender->there + appender->refused +
                                              migrate->there + migrate->refused);
}

static struct slice
put_key(const struct migrate *migrate, uint32_t uid, char memory[KEY_MAX])
{
    int len = snprintf(memory, KEY_MAX, "migrate-%016" PRIx64 "-%" PRIu32, migrate->place, uid);

    return slice_of(memory, (size_t)len);
}

/* ---- what is known --------------------------------------------------------------------------- */

struct known {
    struct migrate *migrate;
    size_t at, count;
    enum tool_store_result result;
};

static enum client_next
on_known(void *context, const struct tool_store_note *note)
{
    struct known *known = context;
    struct migrate *migrate = known->migrate;

    if (note->kind != TOOL_STORE_IMPORT_KNOWN)
        return CLIENT_WAIT;
    known->result = note->as.import_known.result;
    for (size_t i = 0; i < note->as.import_known.facts.count && i < known->count; i++) {
        migrate->messages[known->at + i].was_there = note->as.import_known.facts.at[i].was_there;
        migrate->known += note->as.import_known.facts.at[i].was_there;
    }
    return CLIENT_DONE;
}

static int
ask_store(struct migrate *migrate, size_t at, size_t count)
{
    struct client *client = migrate->options->store;
    struct tool_store_import_key keys[ASKED_MAX];
    char memory[ASKED_MAX][KEY_MAX];
    struct known known = {migrate, at, count, TOOL_STORE_RESULT_OK};

    for (size_t i = 0; i < count; i++)
        keys[i].key = put_key(migrate, migrate->messages[at + i].uid, memory[i]);
    struct tool_store_import_ask note = {
        client_next_id(client), migrate->options->account, {keys, count}};
    bool is_put = tool_store_put_import_ask(&migrate->appender.note, client_ledger(client), &note);
    assert(is_put);
    client_send(client, &migrate->appender.note, HOST_HANDLE_NONE);
    int code = client_wait_store(client, on_known, &known);
    if (code == EX_OK && known.result != TOOL_STORE_RESULT_OK)
        return say_error(client_store_result_code(known.result), "the store cannot tell: %s",
                         client_store_result_text(known.result));
    return code;
}

/* ---- bodies ---------------------------------------------------------------------------------- */

static struct migrate_message *
find_message(struct migrate *migrate, uint32_t uid)
{
    size_t low = 0, high = migrate->message_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (migrate->messages[middle].uid < uid)
            low = middle + 1;
        else
            high = middle;
    }
    bool is_there = low < migrate->message_count && migrate->messages[low].uid == uid;
    return is_there ? &migrate->messages[low] : NULL;
}

static void
file_message(struct migrate *migrate, struct migrate_message *message)
{
    struct tool_store_keyword keywords[MIGRATE_KEYWORDS_MAX];
    char key[KEY_MAX];
    struct appender_message append = {
        .mailbox = migrate->box->name,
        .content = buffer_slice(&migrate->body),
        .key = put_key(migrate, message->uid, key),
        .flags = message->flags,
        .keywords = keywords,
        .received = message->date,
        .uid = message->uid,
    };

    for (size_t i = 0; i < migrate->keyword_count; i++) {
        if (message->keywords & UINT64_C(1) << i)
            keywords[append.keyword_count++] = migrate->keywords[i];
    }
    message->was_there = true;
    migrate->code = appender_put(&migrate->appender, &append);
}

static void
on_body(void *context, const struct imap_client_event *event)
{
    struct migrate *migrate = context;
    const struct imap_client_body *body = &event->body;

    if (event->kind == IMAP_CLIENT_EVENT_BODY && body->section.len == 0) {
        if (body->offset == 0)
            buffer_clear(&migrate->body);
        buffer_put(&migrate->body, body->bytes);
        migrate->is_body_whole = body->offset + body->bytes.len == body->octets &&
                                 body->octets > 0 && !buffer_overflowed(&migrate->body);
    } else if (event->kind == IMAP_CLIENT_EVENT_FETCH) {
        struct migrate_message *message = find_message(migrate, event->message.uid);
        bool is_wanted = message && !message->was_there && migrate->is_body_whole;
        if (is_wanted && migrate->code == EX_OK)
            file_message(migrate, message);
        migrate->is_body_whole = false;
    }
}

/* ---- batches --------------------------------------------------------------------------------- */

static void
put_uid(struct buffer *set, uint32_t first, uint32_t last)
{
    if (buffer_len(set) > 0)
        buffer_put_byte(set, ',');
    buffer_put_decimal(set, first);
    if (last > first) {
        buffer_put_byte(set, ':');
        buffer_put_decimal(set, last);
    }
}

/* The UIDs of the next batch, from *at on, which is moved behind it. Neighbours in the list become
 * a range: nothing lies between them there. */
static void
put_batch(const struct migrate *migrate, size_t *at, struct buffer *set)
{
    uint64_t bytes = 0;
    size_t count = 0, i = *at;

    while (i < migrate->message_count && count < BATCH_MAX && bytes < BATCH_BYTES_MAX) {
        size_t first = i;
        while (i < migrate->message_count && !migrate->messages[i].was_there && count < BATCH_MAX &&
               bytes < BATCH_BYTES_MAX) {
            bytes += migrate->messages[i++].size;
            count++;
        }
        if (i > first)
            put_uid(set, migrate->messages[first].uid, migrate->messages[i - 1].uid);
        else
            i++;
    }
    *at = i;
}

/* What the server does not give although it told of it: gone meanwhile, or too large for both. */
static void
count_missing(struct migrate *migrate, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        migrate->refused += !migrate->messages[i].was_there;
}

static bool
fetch(struct migrate *migrate, struct slice uids)
{
    struct imap_client_question question = {
        .command = IMAP_CLIENT_FETCH, .uids = uids, .text = SLICE("BODY.PEEK[]")};

    migrate->is_body_whole = false;
    return client_imap_ask(migrate->imap, &question, on_body, migrate, &migrate->problem);
}

/* The server cannot read one of them: each that has not come is asked for alone, and that one is
 * named. */
static bool
fetch_alone(struct migrate *migrate, size_t from, size_t to, struct buffer *set)
{
    for (size_t i = from; i < to && migrate->code == EX_OK; i++) {
        uint32_t uid = migrate->messages[i].uid;
        if (migrate->messages[i].was_there)
            continue;
        buffer_clear(set);
        put_uid(set, uid, uid);
        if (fetch(migrate, buffer_slice(set)))
            continue;
        if (migrate->problem.kind != CLIENT_PROBLEM_REFUSED)
            return false;
        say_warning("message %" PRIu32 " of %.*s: %s: it is passed over", uid,
                    (int)migrate->box->name.len, (const char *)migrate->box->name.at,
                    migrate->problem.text);
        migrate->problem = (struct client_problem){0};
    }
    return true;
}

static bool
fetch_batch(struct migrate *migrate, size_t from, size_t to, struct buffer *set)
{
    if (fetch(migrate, buffer_slice(set)))
        return true;
    if (migrate->problem.kind != CLIENT_PROBLEM_REFUSED)
        return false;
    migrate->problem = (struct client_problem){0};
    return fetch_alone(migrate, from, to, set);
}

static bool
is_too_large(const struct migrate_message *message)
{
    return message->size > IMAP_CLIENT_MESSAGE_BYTES_MAX;
}

static void
pass_over_large(struct migrate *migrate)
{
    for (size_t i = 0; i < migrate->message_count; i++) {
        struct migrate_message *message = &migrate->messages[i];
        if (message->was_there || !is_too_large(message))
            continue;
        say_warning("message %" PRIu32 " of %.*s is too large: it is passed over", message->uid,
                    (int)migrate->box->name.len, (const char *)migrate->box->name.at);
        message->was_there = true;
        migrate->refused++;
    }
}

bool
migrate_fetch(struct migrate *migrate)
{
    struct buffer set;
    bool is_good = true;

    for (size_t at = 0; migrate->code == EX_OK && at < migrate->message_count; at += ASKED_MAX) {
        size_t left = migrate->message_count - at;
        migrate->code = ask_store(migrate, at, left < ASKED_MAX ? left : ASKED_MAX);
    }
    /* When the mailbox is begun again, some of those were brought before the connection broke. */
    migrate->there += migrate->known - migrate->brought;
    pass_over_large(migrate);
    migrate_show(migrate);
    buffer_init(&set, SET_MAX);
    for (size_t at = 0; is_good && migrate->code == EX_OK && at < migrate->message_count &&
                        appender_goes_on(&migrate->appender);) {
        size_t from = at;
        buffer_clear(&set);
        put_batch(migrate, &at, &set);
        if (buffer_len(&set) == 0)
            break;
        is_good = fetch_batch(migrate, from, at, &set);
        if (is_good && migrate->code == EX_OK)
            count_missing(migrate, from, at);
    }
    buffer_finish(&set);
    return is_good;
}
