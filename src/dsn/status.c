/* SPDX-License-Identifier: ISC */
#include "dsn/status.h"

#include "dsn/fields.h"
#include "message/fold.h"
#include "text/date.h"

enum { FIELD_MAX = 8 * 1024 };

const char *
dsn_action_name(enum dsn_action action)
{
    static const char *const names[] = {[DSN_FAILED] = "failed",
                                        [DSN_DELAYED] = "delayed",
                                        [DSN_DELIVERED] = "delivered",
                                        [DSN_RELAYED] = "relayed",
                                        [DSN_EXPANDED] = "expanded"};

    return names[action];
}

struct envelope_status
dsn_status_of(const struct dsn_recipient *recipient)
{
    if (envelope_status_is_given(recipient->status))
        return recipient->status;
    return ENVELOPE_STATUS(recipient->action == DSN_FAILED    ? 5
                           : recipient->action == DSN_DELAYED ? 4
                                                              : 2,
                           0, 0);
}

/* ---- fields -------------------------------------------------------------------------------- */

/* One field, being written. */
struct field {
    struct buffer body;
};

static void
begin(struct field *field, const char *type)
{
    buffer_init(&field->body, FIELD_MAX);
    if (*type) {
        buffer_put_text(&field->body, type);
        buffer_put_text(&field->body, "; ");
    }
}

static void
end(struct field *field, struct buffer *out, const char *name)
{
    fold_put_field(out, slice_of_string(name), buffer_slice(&field->body));
    buffer_finish(&field->body);
}

static void
put_date(struct buffer *out, const char *name, struct wall date)
{
    struct field field;

    if (date.ns == 0)
        return;
    begin(&field, "");
    date_format_rfc5322(date, 0, &field.body);
    end(&field, out, name);
}

static void
put_diagnostic(struct buffer *out, const struct dsn_recipient *recipient, bool is_utf8)
{
    struct field field;

    if (recipient->code == 0 && recipient->text.len == 0)
        return;
    begin(&field, recipient->code > 0 ? "smtp" : "x-facteur");
    if (recipient->code > 0) {
        buffer_put_decimal(&field.body, recipient->code);
        buffer_put_byte(&field.body, ' ');
    }
    dsn_fields_put_harmless(&field.body, recipient->text, is_utf8);
    end(&field, out, "Diagnostic-Code");
}

static void
put_recipient(struct buffer *out, const struct dsn_facts *facts,
              const struct dsn_recipient *recipient)
{
    struct field field;

    buffer_put_text(out, "\r\n");
    if (recipient->original.len > 0)
        dsn_fields_put_address(out, "Original-Recipient", recipient->original_type,
                               recipient->original, facts->is_utf8);
    dsn_fields_put_address(out, "Final-Recipient", SLICE("rfc822"), recipient->address,
                           facts->is_utf8);
    dsn_fields_put_words(out, "Action", "", slice_of_string(dsn_action_name(recipient->action)),
                         false);
    begin(&field, "");
    envelope_status_put(&field.body, dsn_status_of(recipient));
    end(&field, out, "Status");
    dsn_fields_put_words(out, "Remote-MTA", "dns", recipient->host, false);
    put_diagnostic(out, recipient, facts->is_utf8);
    put_date(out, "Last-Attempt-Date", recipient->last_attempt);
    dsn_fields_put_words(out, "Final-Log-ID", "", facts->queue_id, false);
    if (recipient->action == DSN_DELAYED)
        put_date(out, "Will-Retry-Until", recipient->retry_until);
}

void
dsn_status_put(struct buffer *buffer, const struct dsn_facts *facts,
               const struct dsn_recipient *recipients, size_t count)
{
    assert(count > 0);
    dsn_fields_put_words(buffer, "Original-Envelope-Id", "", facts->envelope_id, false);
    dsn_fields_put_words(buffer, "Reporting-MTA", "dns", facts->hostname, false);
    put_date(buffer, "Arrival-Date", facts->arrival);
    put_date(buffer, "Deliver-By-Date", facts->deliver_by);
    dsn_fields_put_words(buffer, "Future-Release-Request", "", facts->hold, false);
    for (size_t i = 0; i < count; i++)
        put_recipient(buffer, facts, &recipients[i]);
}
