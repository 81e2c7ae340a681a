/* SPDX-License-Identifier: ISC */
#include "dsn/status.h"

#include "envelope/xtext.h"
#include "message/fold.h"
#include "text/date.h"
#include "text/utf8.h"

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

/* What other hosts said, and what came with the envelope: one line of printable text, in ASCII
 * where the report is. */
static void
put_harmless(struct buffer *buffer, struct slice text, bool is_utf8)
{
    bool keeps_utf8 = is_utf8 && utf8_is_valid(text);

    text = slice_first(text, DSN_DIAGNOSTIC_MAX);
    for (size_t i = 0; i < text.len; i++) {
        uint8_t octet = text.at[i];
        bool is_control = octet < ' ' || octet == 127;
        buffer_put_byte(buffer, is_control ? ' ' : octet < 127 || keeps_utf8 ? octet : '?');
    }
}

/* An address with its type: "rfc822; a@b", "utf-8; …" as it is or in its ASCII form. */
static void
put_address(struct buffer *out, const char *name, struct slice type, struct slice address,
            bool is_utf8)
{
    bool is_ascii = utf8_is_ascii(address);
    struct field field;

    begin(&field, "");
    put_harmless(&field.body, is_ascii ? type : SLICE("utf-8"), false);
    buffer_put_text(&field.body, "; ");
    if (!is_ascii && !is_utf8 && utf8_is_valid(address))
        envelope_unitext_put(&field.body, address);
    else
        put_harmless(&field.body, address, is_utf8);
    end(&field, out, name);
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
put_words(struct buffer *out, const char *name, const char *type, struct slice text, bool is_utf8)
{
    struct field field;

    if (text.len == 0)
        return;
    begin(&field, type);
    put_harmless(&field.body, text, is_utf8);
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
    put_harmless(&field.body, recipient->text, is_utf8);
    end(&field, out, "Diagnostic-Code");
}

static void
put_recipient(struct buffer *out, const struct dsn_facts *facts,
              const struct dsn_recipient *recipient)
{
    struct field field;

    buffer_put_text(out, "\r\n");
    if (recipient->original.len > 0)
        put_address(out, "Original-Recipient", recipient->original_type, recipient->original,
                    facts->is_utf8);
    put_address(out, "Final-Recipient", SLICE("rfc822"), recipient->address, facts->is_utf8);
    put_words(out, "Action", "", slice_of_string(dsn_action_name(recipient->action)), false);
    begin(&field, "");
    envelope_status_put(&field.body, dsn_status_of(recipient));
    end(&field, out, "Status");
    put_words(out, "Remote-MTA", "dns", recipient->host, false);
    put_diagnostic(out, recipient, facts->is_utf8);
    put_date(out, "Last-Attempt-Date", recipient->last_attempt);
    put_words(out, "Final-Log-ID", "", facts->queue_id, false);
    if (recipient->action == DSN_DELAYED)
        put_date(out, "Will-Retry-Until", recipient->retry_until);
}

void
dsn_status_put(struct buffer *buffer, const struct dsn_facts *facts,
               const struct dsn_recipient *recipients, size_t count)
{
    assert(count > 0);
    put_words(buffer, "Original-Envelope-Id", "", facts->envelope_id, false);
    put_words(buffer, "Reporting-MTA", "dns", facts->hostname, false);
    put_date(buffer, "Arrival-Date", facts->arrival);
    put_date(buffer, "Deliver-By-Date", facts->deliver_by);
    put_words(buffer, "Future-Release-Request", "", facts->hold, false);
    for (size_t i = 0; i < count; i++)
        put_recipient(buffer, facts, &recipients[i]);
}
