/* SPDX-License-Identifier: ISC */
#include "dsn/tls_report.h"

#include "base/filled.h"
#include "text/date.h"

#include <zlib.h>

enum { FIELD_MAX = 2048, GZIP = 16, WINDOW_BITS = 15, MEMORY_LEVEL = 8 };

/* ---- JSON (RFC 8460 §4.4) ------------------------------------------------------------------ */

static void
put_string(struct buffer *out, struct slice text)
{
    buffer_put_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        bool is_odd = text.at[i] < ' ' || text.at[i] >= 0x7f;
        if (text.at[i] == '"' || text.at[i] == '\\')
            buffer_put_byte(out, '\\');
        buffer_put_byte(out, is_odd ? '?' : text.at[i]);
    }
    buffer_put_byte(out, '"');
}

static void
put_member(struct buffer *out, const char *name, struct slice text)
{
    put_string(out, slice_of_string(name));
    buffer_put_byte(out, ':');
    put_string(out, text);
}

static void
put_count(struct buffer *out, const char *name, uint64_t count)
{
    put_string(out, slice_of_string(name));
    buffer_put_byte(out, ':');
    buffer_put_decimal(out, count);
}

static void
put_time(struct buffer *out, const char *name, int64_t seconds)
{
    struct buffer text;

    buffer_init(&text, FIELD_MAX);
    date_format_iso8601(wall_of_seconds(seconds), 0, &text);
    put_member(out, name, buffer_slice(&text));
    buffer_finish(&text);
}

/* The lines of the policy, or (prefix not empty) what stands behind the prefix in some. */
static void
put_lines(struct buffer *out, const char *name, struct slice text, struct slice prefix)
{
    bool is_first = true;

    put_string(out, slice_of_string(name));
    buffer_put_text(out, ":[");
    while (text.len > 0) {
        size_t end = slice_find_byte(text, ';');
        struct slice line = slice_first(text, end);
        text = slice_skip(text, end + 1);
        if (line.len == 0 || !slice_starts_with(line, prefix))
            continue;
        if (!is_first)
            buffer_put_byte(out, ',');
        is_first = false;
        put_string(out, slice_skip(line, prefix.len));
    }
    buffer_put_byte(out, ']');
}

static void
put_failure(struct buffer *out, const struct dsn_tls_failure *failure)
{
    buffer_put_byte(out, '{');
    put_member(out, "result-type", failure->result);
    if (failure->host.len > 0) {
        buffer_put_byte(out, ',');
        put_member(out, "receiving-mx-hostname", failure->host);
    }
    if (failure->address.len > 0) {
        buffer_put_byte(out, ',');
        put_member(out, "receiving-ip", failure->address);
    }
    buffer_put_byte(out, ',');
    put_count(out, "failed-session-count", failure->count);
    if (failure->reason.len > 0) {
        buffer_put_byte(out, ',');
        put_member(out, "failure-reason-code", failure->reason);
    }
    buffer_put_byte(out, '}');
}

static void
put_policy(struct buffer *out, struct slice domain, const struct dsn_tls_policy *policy)
{
    static const struct slice mx = {(const uint8_t *)"mx: ", 4};

    buffer_put_text(out, "{\"policy\":{");
    put_member(out, "policy-type", slice_of_string(policy->type));
    if (policy->text.len > 0) {
        buffer_put_byte(out, ',');
        put_lines(out, "policy-string", policy->text, SLICE(""));
    }
    buffer_put_byte(out, ',');
    put_member(out, "policy-domain", domain);
    if (slice_find(policy->text, mx) < policy->text.len) {
        buffer_put_byte(out, ',');
        put_lines(out, "mx-host", policy->text, mx);
    }
    buffer_put_text(out, "},\"summary\":{");
    put_count(out, "total-successful-session-count", policy->successes);
    buffer_put_byte(out, ',');
    put_count(out, "total-failure-session-count", policy->failures);
    buffer_put_byte(out, '}');
    for (size_t i = 0; i < policy->count; i++) {
        buffer_put_text(out, i == 0 ? ",\"failure-details\":[" : ",");
        put_failure(out, &policy->details[i]);
    }
    buffer_put_text(out, policy->count > 0 ? "]}" : "}");
}

void
dsn_tls_report_put_json(struct buffer *out, const struct dsn_tls_report *report)
{
    struct buffer contact;

    buffer_put_byte(out, '{');
    put_member(out, "organization-name", report->submitter);
    buffer_put_text(out, ",\"date-range\":{");
    put_time(out, "start-datetime", report->start_s);
    buffer_put_byte(out, ',');
    put_time(out, "end-datetime", report->end_s - 1);
    buffer_put_text(out, "},");
    buffer_init(&contact, FIELD_MAX);
    buffer_put_text(&contact, "postmaster@");
    buffer_put(&contact, report->submitter);
    put_member(out, "contact-info", buffer_slice(&contact));
    buffer_finish(&contact);
    buffer_put_byte(out, ',');
    put_member(out, "report-id", report->id);
    buffer_put_text(out, ",\"policies\":[");
    for (size_t i = 0; i < report->count; i++) {
        if (i > 0)
            buffer_put_byte(out, ',');
        put_policy(out, report->domain, &report->policies[i]);
    }
    buffer_put_text(out, "]}\n");
}

/* ---- gzip ---------------------------------------------------------------------------------- */

static bool
compress_text(struct slice text, struct buffer *out)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)text.at, .avail_in = (uInt)text.len};

    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW_BITS + GZIP, MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    uLong bound = deflateBound(&stream, (uLong)text.len);
    stream.next_out = buffer_reserve(out, bound);
    stream.avail_out = (uInt)bound;
    bool is_done = stream.next_out && deflate(&stream, Z_FINISH) == Z_STREAM_END;
    if (is_done) {
        memory_is_filled(buffer_slice(out).at + buffer_len(out), stream.total_out);
        buffer_commit(out, stream.total_out);
    }
    deflateEnd(&stream);
    return is_done;
}

/* ---- the message (RFC 8460 §5.3) ----------------------------------------------------------- */

static struct slice
keep(struct arena *arena, struct buffer *text)
{
    struct slice kept = arena_copy(arena, buffer_slice(text));

    buffer_finish(text);
    return kept;
}

/* "before", the slice, "after": one field or text. */
static struct slice
join(struct arena *arena, const char *before, struct slice middle, const char *after)
{
    struct buffer text;

    buffer_init(&text, FIELD_MAX);
    buffer_put_text(&text, before);
    buffer_put(&text, middle);
    buffer_put_text(&text, after);
    return keep(arena, &text);
}

static struct slice
make_id(struct arena *arena, const struct dsn_tls_report *report)
{
    struct buffer text;

    buffer_init(&text, FIELD_MAX);
    buffer_put_byte(&text, '<');
    buffer_put(&text, report->id);
    buffer_put_byte(&text, '@');
    buffer_put(&text, report->submitter);
    buffer_put_byte(&text, '>');
    return keep(arena, &text);
}

static void
add_fields(struct mime_draft *draft, struct arena *arena, const struct dsn_tls_report *report)
{
    struct slice id = make_id(arena, report);
    struct buffer text;

    buffer_init(&text, FIELD_MAX);
    date_format_rfc5322(report->date, 0, &text);
    mime_draft_add_field(draft, "Date", keep(arena, &text));
    mime_draft_add_field(draft, "Message-ID", id);
    mime_draft_add_field(draft, "From", join(arena, "<postmaster@", report->submitter, ">"));
    mime_draft_add_field(draft, "To", join(arena, "<", report->recipient, ">"));
    buffer_init(&text, FIELD_MAX);
    buffer_put_text(&text, "Report Domain: ");
    buffer_put(&text, report->domain);
    buffer_put_text(&text, " Submitter: ");
    buffer_put(&text, report->submitter);
    buffer_put_text(&text, " Report-ID: ");
    buffer_put(&text, id);
    mime_draft_add_field(draft, "Subject", keep(arena, &text));
    mime_draft_add_field(draft, "TLS-Report-Domain", report->domain);
    mime_draft_add_field(draft, "TLS-Report-Submitter", report->submitter);
    mime_draft_add_field(draft, "Auto-Submitted", SLICE("auto-generated")); /* RFC 3834 §5 */
    /* RFC 8689 §5: whatever is wrong with TLS there must not keep it from arriving. */
    mime_draft_add_field(draft, "TLS-Required", SLICE("No"));
    mime_draft_add_parameter(draft, "report-type", SLICE("tlsrpt"));
}

/* RFC 8460 §5.1 */
static struct slice
make_file_name(struct arena *arena, const struct dsn_tls_report *report)
{
    struct buffer name;

    buffer_init(&name, FIELD_MAX);
    buffer_put(&name, report->submitter);
    buffer_put_byte(&name, '!');
    buffer_put(&name, report->domain);
    buffer_put_byte(&name, '!');
    buffer_put_decimal(&name, (uint64_t)report->start_s);
    buffer_put_byte(&name, '!');
    buffer_put_decimal(&name, (uint64_t)report->end_s - 1);
    buffer_put_byte(&name, '!');
    buffer_put(&name, report->id);
    buffer_put_text(&name, ".json.gz");
    return keep(arena, &name);
}

static struct mime_draft *
new_words(struct arena *arena, const struct dsn_tls_report *report)
{
    struct buffer text;

    buffer_init(&text, FIELD_MAX);
    buffer_put_text(&text, "This is an aggregate report about TLS (RFC 8460) from ");
    buffer_put(&text, report->submitter);
    buffer_put_text(&text, ":\nhow mail for ");
    buffer_put(&text, report->domain);
    buffer_put_text(&text, " was sent. The file that is attached has the figures.\n");
    return mime_draft_new_text(arena, "plain", keep(arena, &text));
}

static struct mime_draft *
new_file(struct arena *arena, const struct dsn_tls_report *report)
{
    struct mime_draft *part = NULL;
    struct buffer json, packed;

    buffer_init(&json, DSN_TLS_JSON_MAX);
    buffer_init(&packed, DSN_TLS_JSON_MAX + FIELD_MAX);
    dsn_tls_report_put_json(&json, report);
    if (!buffer_overflowed(&json) && compress_text(buffer_slice(&json), &packed))
        part = mime_draft_new_bytes(arena, "application/tlsrpt+gzip",
                                    arena_copy(arena, buffer_slice(&packed)));
    buffer_finish(&json);
    buffer_finish(&packed);
    if (part)
        mime_draft_set_disposition(part, "attachment", make_file_name(arena, report));
    return part;
}

bool
dsn_tls_report_put(struct buffer *out, struct arena *arena, const struct dsn_tls_report *report)
{
    struct mime_draft *draft = mime_draft_new_multipart(arena, "report");
    struct mime_draft *words = new_words(arena, report), *file = new_file(arena, report);

    if (!draft || !words || !file)
        return false;
    add_fields(draft, arena, report);
    mime_draft_append(draft, words);
    mime_draft_append(draft, file);
    return !arena_failed(arena) && mime_draft_put(draft, &report->entropy, out);
}
