/* SPDX-License-Identifier: ISC */
/* The role that parses: `parse` in, `parsed` out; `extract` in, `extracted` out. See README.md. */
#include "dsn/report.h"
#include "host/log.h"
#include "mime/record.h"
#include "mime/text.h"
#include "note/store_deliver.h"
#include "role/role.h"
#include "search/key.h"
#include "text/charset.h"

enum {
    /* The largest tree (10,000 parts with their parameters, 10,000 fields in each of some messages
     * inside) stays below; a message that needs more is cut. */
    DELIVER_ARENA_MAX = 64 * 1024 * 1024,
    NOTE_ARENA_MAX = 64 * 1024,
    /* A record that is longer travels as a blob: the note has other fields too. */
    INLINE_RECORD_MAX = 60 * 1024,
};

struct deliver {
    struct host *host;
    struct host_channel *store;
    struct note_ledger ledger;
    struct charset_modules *charsets;
    struct arena note_arena;
    struct arena arena; /* of the message that is being parsed */
    struct buffer record;
    struct buffer report; /* a notification that is being built */
    struct buffer note;
    uint32_t head_len; /* of a text that was extracted */
    uint64_t messages, octets, defective, cut, refused, reports, extracted;
};

static void
forget_store(struct deliver *deliver)
{
    host_channel_close(&deliver->store);
    note_ledger_finish(&deliver->ledger);
}

/* What is to be done with a body; its result stands in deliver->record. */
typedef void (*body_fn)(struct deliver *deliver, struct slice body);

/* Parses into deliver->record. */
static void
parse_body(struct deliver *deliver, struct slice body)
{
    struct mime_record record;

    mime_record_make(body, &deliver->arena, &deliver->record, &record);
    deliver->messages++;
    deliver->octets += body.len;
    deliver->defective += record.defect_kinds != 0;
    deliver->cut += record.is_cut;
}

/* What is over the bound is left out: enough is told when it is reached. */
static bool
add_text(void *context, struct slice text)
{
    struct buffer *key = context;

    search_key_put(key, text);
    return !buffer_overflowed(key);
}

/* The key of the header, deliver->head_len octets, and behind it that of the body. */
static void
extract_body(struct deliver *deliver, struct slice body)
{
    struct mime_tree tree;

    mime_tree_parse(body, &deliver->arena, &tree);
    deliver->record.max = SEARCH_HEAD_MAX;
    mime_text_head(&tree, add_text, &deliver->record);
    deliver->head_len = (uint32_t)buffer_len(&deliver->record);
    deliver->record.overflowed = false;
    deliver->record.max = deliver->head_len + SEARCH_BODY_MAX;
    mime_text_body(&tree, add_text, &deliver->record);
    deliver->record.overflowed = false;
    deliver->record.max = MIME_RECORD_MAX;
    deliver->extracted++;
}

/* The message is what stands in the note (the prefix) and behind it the bytes of the blob. */
static void
do_joined(struct deliver *deliver, struct slice prefix, struct slice rest, body_fn fn)
{
    struct buffer whole;

    buffer_init(&whole, prefix.len + rest.len);
    buffer_put(&whole, prefix);
    buffer_put(&whole, rest);
    fn(deliver, buffer_slice(&whole));
    buffer_finish(&whole);
}

/* Does it with a body that came inline or as a blob; leaves deliver->record empty when the body
 * cannot be had. */
static void
do_body(struct deliver *deliver, struct slice body, host_handle handle, struct slice queue_id,
        body_fn fn)
{
    struct host_mapping mapping;

    if (handle == HOST_HANDLE_NONE) {
        fn(deliver, body);
        return;
    }
    int error = host_blob_map(deliver->host, handle, &mapping);
    if (error == 0) {
        if (slice_is_empty(body))
            fn(deliver, mapping.bytes);
        else
            do_joined(deliver, body, mapping.bytes, fn);
        host_blob_unmap(deliver->host, &mapping);
        return;
    }
    struct log_line line;
    log_begin(&line, deliver->host, HOST_LEVEL_ERROR, "body_not_mapped");
    log_text(&line, "id", queue_id);
    log_error(&line, "error", error);
    log_end(&line);
    deliver->refused++;
}

/* Octets as a sealed blob; HOST_HANDLE_NONE when it cannot be made. */
static host_handle
as_blob(struct deliver *deliver, struct slice bytes)
{
    struct host_blob *blob = NULL;
    host_handle handle = HOST_HANDLE_NONE;
    int error = host_blob_open(deliver->host, &blob);

    if (error == 0)
        error = host_blob_put(blob, bytes);
    if (error == 0)
        error = host_blob_seal(&blob, &handle);
    if (blob)
        host_blob_close(&blob);
    if (error == 0)
        return handle;
    struct log_line line;
    log_begin(&line, deliver->host, HOST_LEVEL_ERROR, "answer_not_sent");
    log_error(&line, "error", error);
    log_end(&line);
    return HOST_HANDLE_NONE;
}

/* What stands in deliver->record: inline, or as a blob. */
static struct slice
result_of(struct deliver *deliver, host_handle *ret_blob)
{
    *ret_blob = HOST_HANDLE_NONE;
    if (buffer_len(&deliver->record) <= INLINE_RECORD_MAX)
        return buffer_slice(&deliver->record);
    *ret_blob = as_blob(deliver, buffer_slice(&deliver->record));
    return slice_of("", 0);
}

static void
answer_parse(struct deliver *deliver, uint64_t id)
{
    struct store_deliver_parsed parsed = {
        .id = id,
        .action = STORE_DELIVER_FILTER_ACTION_KEEP,
        .text = slice_of("", 0),
    };

    parsed.parse_record = result_of(deliver, &parsed.parse_record_blob);
    buffer_clear(&deliver->note);
    bool is_put = store_deliver_put_parsed(&deliver->note, &deliver->ledger, &parsed);
    assert(is_put);
    host_channel_send(deliver->store, buffer_slice(&deliver->note), parsed.parse_record_blob);
}

static void
answer_extract(struct deliver *deliver, uint64_t id)
{
    struct store_deliver_extracted extracted = {.id = id, .head_len = deliver->head_len};

    extracted.text = result_of(deliver, &extracted.text_blob);
    buffer_clear(&deliver->note);
    bool is_put = store_deliver_put_extracted(&deliver->note, &deliver->ledger, &extracted);
    assert(is_put);
    host_channel_send(deliver->store, buffer_slice(&deliver->note), extracted.text_blob);
}

/* Gives memory back that only a large message needed. */
static void
forget_message(struct deliver *deliver)
{
    arena_reset(&deliver->arena);
    buffer_clear(&deliver->record);
    if (deliver->record.size > INLINE_RECORD_MAX)
        buffer_finish(&deliver->record);
}

/* ---- notifications --------------------------------------------------------------------------- */

static struct envelope_status
status_of(struct slice text)
{
    struct cursor cursor = cursor_of(text);
    struct envelope_status status = {0};

    if (!envelope_status_take(&cursor, &status) || !cursor_is_done(&cursor))
        status = (struct envelope_status){0};
    return status;
}

static struct wall
wall_of(int64_t seconds)
{
    int64_t ns;

    return __builtin_mul_overflow(seconds, 1000000000, &ns) ? (struct wall){0} : (struct wall){ns};
}

static struct dsn_recipient *
report_rows(struct deliver *deliver, const struct store_deliver_report *report)
{
    struct dsn_recipient *rows =
        ARENA_ARRAY(&deliver->arena, struct dsn_recipient, report->recipients.count);

    for (size_t i = 0; rows && i < report->recipients.count; i++) {
        const struct store_deliver_reported *from = &report->recipients.at[i];
        rows[i] = (struct dsn_recipient){
            .address = from->address,
            .original = from->original,
            .original_type = from->original_type,
            .action = (enum dsn_action)from->action,
            .status = status_of(from->status),
            .host = from->host,
            .code = from->code,
            .text = from->text,
            .last_attempt = wall_of(from->last_attempt_s),
            .retry_until = wall_of(from->retry_until_s),
        };
    }
    return rows;
}

/* Builds into deliver->record; leaves it empty when there is no room. */
static void
build_report(struct deliver *deliver, const struct store_deliver_report *note, struct slice message)
{
    struct dsn_recipient *rows = report_rows(deliver, note);
    struct dsn_report report = {
        .facts =
            {
                .hostname = note->hostname,
                .envelope_id = note->envelope_id,
                .queue_id = note->queue_id,
                .arrival = wall_of(note->arrival_s),
                .deliver_by = wall_of(note->deliver_by_s),
                .hold = note->hold,
                .is_utf8 = note->is_utf8,
            },
        .recipients = rows,
        .count = note->recipients.count,
        .sender = note->sender,
        .domain = note->domain,
        .id = note->report_id,
        .date = wall_of(note->now_s),
        .language = (enum dsn_language)note->language,
        .message = slice_skip(message, note->skip),
        .returns_message = note->returns_message,
    };
    struct buffer text;

    if (!rows || report.count == 0 || note->sender.len == 0)
        return;
    host_random(deliver->host, &report.entropy, sizeof(report.entropy));
    buffer_init(&text, message.len + DSN_REPORT_EXTRA);
    if (dsn_report_put(&text, &deliver->arena, &report))
        deliver->report = text;
    else
        buffer_finish(&text);
    deliver->reports++;
}

static void
on_report(struct deliver *deliver, const struct store_deliver_report *report, host_handle handle)
{
    struct host_mapping mapping;

    buffer_init(&deliver->report, 0);
    if (handle == HOST_HANDLE_NONE) {
        build_report(deliver, report, report->body);
    } else if (host_blob_map(deliver->host, handle, &mapping) == 0) {
        build_report(deliver, report, mapping.bytes);
        host_blob_unmap(deliver->host, &mapping);
    } else {
        deliver->refused++;
    }
    struct store_deliver_report_built built = {
        .id = report->id,
        .message = buffer_slice(&deliver->report),
        .message_blob = HOST_HANDLE_NONE,
    };
    if (built.message.len > INLINE_RECORD_MAX) {
        built.message_blob = as_blob(deliver, built.message);
        built.message = slice_of("", 0);
    }
    buffer_clear(&deliver->note);
    bool is_put = store_deliver_put_report_built(&deliver->note, &deliver->ledger, &built);
    assert(is_put);
    host_channel_send(deliver->store, buffer_slice(&deliver->note), built.message_blob);
    buffer_finish(&deliver->report);
}

static void
on_note(void *context, struct slice bytes, host_handle handle)
{
    struct deliver *deliver = context;
    struct store_deliver_note note;

    arena_reset(&deliver->note_arena);
    if (!store_deliver_take(bytes, handle, 0, &deliver->ledger, &deliver->note_arena, &note)) {
        host_handle_close(deliver->host, handle);
        log_event(deliver->host, HOST_LEVEL_ERROR, "bad_note", "from", SLICE("store"));
        forget_store(deliver);
        return;
    }
    if (note.kind == STORE_DELIVER_REPORT) {
        on_report(deliver, &note.as.report, handle);
    } else if (note.kind == STORE_DELIVER_PARSE) {
        do_body(deliver, note.as.parse.body, handle, note.as.parse.queue_id, parse_body);
        answer_parse(deliver, note.as.parse.id);
    } else {
        deliver->head_len = 0;
        do_body(deliver, note.as.extract.body, handle, slice_of("", 0), extract_body);
        answer_extract(deliver, note.as.extract.id);
    }
    host_handle_close(deliver->host, handle);
    forget_message(deliver);
}

static void
on_closed(void *context)
{
    forget_store(context);
}

/* ---- the role ------------------------------------------------------------------------------ */

static void *
deliver_open(const struct role_start *start)
{
    struct deliver *deliver = calloc(1, sizeof(*deliver));

    if (!deliver)
        abort();
    deliver->host = start->host;
    deliver->charsets = charset_modules_open();
    arena_init(&deliver->note_arena, NOTE_ARENA_MAX);
    arena_init(&deliver->arena, DELIVER_ARENA_MAX);
    buffer_init(&deliver->record, MIME_RECORD_MAX);
    buffer_init(&deliver->note, HOST_NOTE_MAX);
    return deliver;
}

static void
deliver_attach(void *state, enum role_kind peer, unsigned peer_index, host_handle handle)
{
    static const struct host_channel_handler handler = {.on_note = on_note, .on_closed = on_closed};
    struct deliver *deliver = state;

    (void)peer_index;
    if (peer != ROLE_STORE) {
        host_handle_close(deliver->host, handle);
        return;
    }
    forget_store(deliver);
    deliver->store = host_channel_open(deliver->host, handle, &handler, deliver);
}

static void
deliver_reload(void *state, const struct config *config)
{
    (void)state;
    (void)config;
}

static void
deliver_stats(void *state, struct role_stats *stats)
{
    const struct deliver *deliver = state;

    role_stats_add(stats, "messages", deliver->messages);
    role_stats_add(stats, "octets", deliver->octets);
    role_stats_add(stats, "messages_with_defects", deliver->defective);
    role_stats_add(stats, "records_cut", deliver->cut);
    role_stats_add(stats, "bodies_refused", deliver->refused);
    role_stats_add(stats, "reports_built", deliver->reports);
    role_stats_add(stats, "texts_extracted", deliver->extracted);
}

static void
deliver_close(void *state)
{
    struct deliver *deliver = state;

    forget_store(deliver);
    arena_finish(&deliver->note_arena);
    arena_finish(&deliver->arena);
    buffer_finish(&deliver->record);
    buffer_finish(&deliver->note);
    charset_modules_close(&deliver->charsets);
    free(deliver);
}

const struct role role_deliver = {
    .kind = ROLE_DELIVER,
    .open = deliver_open,
    .attach = deliver_attach,
    .reload = deliver_reload,
    .stats = deliver_stats,
    .close = deliver_close,
};
