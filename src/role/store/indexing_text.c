/* SPDX-License-Identifier: ISC */
/* One message on its way to the index: its body is read, a deliver process makes the text, the
 * index takes it. */
#include "host/log.h"
#include "role/store/indexing.h"

enum { INLINE_MAX = 60000 };

void
indexing_drop_text(struct indexing *indexing)
{
    host_blob_close(&indexing->blob);
    host_handle_close(indexing->role->host, indexing->body_handle);
    indexing->body_handle = HOST_HANDLE_NONE;
    buffer_finish(&indexing->head);
    indexing->deliver = NULL;
}

static struct indexing_message *
message_at_hand(struct indexing *indexing)
{
    return &indexing->batch[indexing->batch_at];
}

/* ---- put ------------------------------------------------------------------------------------- */

static void
put(struct indexing *indexing, uint32_t head_len, struct slice text, host_handle blob)
{
    struct store_index_put note = {
        .id = ++indexing->ids,
        .account = indexing->account,
        .body = message_at_hand(indexing)->body,
        .head_len = head_len,
        .text = text,
        .text_blob = blob,
    };

    indexing_drop_text(indexing);
    indexing->phase = INDEXING_PUT;
    indexing->texts++;
    buffer_clear(&indexing->role->note);
    indexing_send(indexing, store_index_put_put(&indexing->role->note, &indexing->ledger, &note),
                  blob);
}

/* What cannot be read or made has no text: it is in the index with nothing to find. */
static void
put_nothing(struct indexing *indexing, const char *why)
{
    struct log_line line;

    log_begin(&line, indexing->role->host, HOST_LEVEL_WARNING, "not_indexed");
    log_number(&line, "account", indexing->account);
    log_number(&line, "body", message_at_hand(indexing)->body);
    log_string(&line, "why", why);
    log_end(&line);
    put(indexing, 0, SLICE(""), HOST_HANDLE_NONE);
}

/* ---- extract --------------------------------------------------------------------------------- */

/* Somebody who has nothing else to do: mail goes first. */
static void
extract(struct indexing *indexing)
{
    struct store_role *role = indexing->role;
    struct store_deliver *deliver = parsers_least_busy(role);
    host_handle copy = HOST_HANDLE_NONE;

    if (!deliver || deliver->count > 0) {
        indexing->phase = INDEXING_BUSY;
        indexing_step_in(indexing, INDEXING_BUSY_MS);
        return;
    }
    if (indexing->body_handle != HOST_HANDLE_NONE &&
        (copy = host_handle_copy(role->host, indexing->body_handle)) < 0) {
        put_nothing(indexing, "no handle for its body");
        return;
    }
    struct store_deliver_extract note = {
        .id = indexing->extract_id = ++role->parse_count,
        .body = buffer_slice(&indexing->head),
        .body_blob = copy,
    };
    indexing->phase = INDEXING_EXTRACT;
    indexing->deliver = deliver;
    buffer_clear(&role->note);
    bool is_put = store_deliver_put_extract(&role->note, &deliver->ledger, &note);
    assert(is_put);
    host_channel_send(deliver->channel, buffer_slice(&role->note), copy);
}

void
indexing_on_extracted(struct store_role *role, const struct store_deliver_extracted *note,
                      host_handle handle)
{
    struct indexing *indexing = role->indexing;
    host_handle copy = HOST_HANDLE_NONE;

    if (indexing->phase != INDEXING_EXTRACT || note->id != indexing->extract_id)
        return; /* the index died meanwhile */
    indexing->deliver = NULL;
    if (handle != HOST_HANDLE_NONE && (copy = host_handle_copy(role->host, handle)) < 0)
        put_nothing(indexing, "no handle for its text");
    else
        put(indexing, note->head_len, note->text, copy);
}

void
indexing_lose_deliver(struct store_role *role, const struct store_deliver *deliver)
{
    struct indexing *indexing = role->indexing;

    if (indexing->deliver != deliver)
        return;
    indexing->deliver = NULL;
    if (++indexing->deaths >= INDEXING_DEATHS_MAX) {
        put_nothing(indexing, "deliver died of it twice");
        return;
    }
    indexing->phase = INDEXING_BUSY;
    indexing_step_in(indexing, INDEXING_BUSY_MS);
}

/* ---- read ------------------------------------------------------------------------------------ */

static void read_on(struct indexing *indexing);

static bool
seal(struct indexing *indexing)
{
    return !indexing->blob || host_blob_seal(&indexing->blob, &indexing->body_handle) == 0;
}

static bool
keep(struct indexing *indexing, struct slice bytes)
{
    if (message_at_hand(indexing)->len <= INLINE_MAX) {
        buffer_init(&indexing->head, INLINE_MAX);
        buffer_put(&indexing->head, bytes);
        return !buffer_overflowed(&indexing->head);
    }
    return (indexing->blob || host_blob_open(indexing->role->host, &indexing->blob) == 0) &&
           host_blob_put(indexing->blob, bytes) == 0;
}

static void
on_body(void *context, enum store_result result, struct slice bytes)
{
    struct indexing *indexing = context;

    indexing->is_reading = false;
    if (indexing->phase != INDEXING_READING) { /* given up meanwhile */
        indexing_step_in(indexing, 0);
        return;
    }
    if (result == STORE_NOT_FOUND) { /* expunged since the batch was chosen */
        put(indexing, 0, SLICE(""), HOST_HANDLE_NONE);
        return;
    }
    if (result != STORE_OK || bytes.len == 0 || !keep(indexing, bytes)) {
        put_nothing(indexing, "its body cannot be read");
        return;
    }
    indexing->body_at += bytes.len;
    if (indexing->body_at < message_at_hand(indexing)->len)
        read_on(indexing);
    else if (seal(indexing))
        extract(indexing);
    else
        put_nothing(indexing, "no memory for its body");
}

static void
read_on(struct indexing *indexing)
{
    uint64_t left = message_at_hand(indexing)->len - indexing->body_at;

    indexing->is_reading = true;
    mailbox_body_read(indexing->role->store, message_at_hand(indexing)->body, indexing->body_at,
                      left < BODY_READ_MAX ? (size_t)left : BODY_READ_MAX, on_body, indexing);
}

void
indexing_next_text(struct indexing *indexing)
{
    if (indexing->phase == INDEXING_BUSY) {
        extract(indexing);
        return;
    }
    while (indexing->batch_at < indexing->batch_count && !message_at_hand(indexing)->is_wanted)
        indexing->batch_at++;
    if (indexing->batch_at == indexing->batch_count) {
        indexing_batch_done(indexing);
        return;
    }
    indexing->body_at = 0;
    indexing->deaths = 0;
    indexing->phase = INDEXING_READING;
    if (message_at_hand(indexing)->len > 0)
        read_on(indexing);
    else
        put(indexing, 0, SLICE(""), HOST_HANDLE_NONE);
}
