/* SPDX-License-Identifier: ISC */
#include "dsn/fields.h"

#include "dsn/status.h"
#include "envelope/xtext.h"
#include "message/fold.h"
#include "text/utf8.h"

enum { FIELD_MAX = 8 * 1024 };

static void
end(struct buffer *body, struct buffer *out, const char *name)
{
    fold_put_field(out, slice_of_string(name), buffer_slice(body));
    buffer_finish(body);
}

/* What other hosts said, and what came with the envelope: one line of printable text, in ASCII
 * where the report is. */
void
dsn_fields_put_harmless(struct buffer *buffer, struct slice text, bool is_utf8)
{
    bool keeps_utf8 = is_utf8 && utf8_is_valid(text);

    text =
        keeps_utf8 ? utf8_first(text, DSN_DIAGNOSTIC_MAX) : slice_first(text, DSN_DIAGNOSTIC_MAX);
    for (size_t i = 0; i < text.len; i++) {
        uint8_t octet = text.at[i];
        bool is_control = octet < ' ' || octet == 127;
        buffer_put_byte(buffer, is_control ? ' ' : octet < 127 || keeps_utf8 ? octet : '?');
    }
}

/* An address with its type: "rfc822; a@b", "utf-8; …" as it is or in its ASCII form. */
void
dsn_fields_put_address(struct buffer *out, const char *name, struct slice type,
                       struct slice address, bool is_utf8)
{
    bool is_ascii = utf8_is_ascii(address);
    struct buffer body;

    buffer_init(&body, FIELD_MAX);
    dsn_fields_put_harmless(&body, is_ascii ? type : SLICE("utf-8"), false);
    buffer_put_text(&body, "; ");
    if (!is_ascii && !is_utf8 && utf8_is_valid(address))
        envelope_unitext_put(&body, address);
    else
        dsn_fields_put_harmless(&body, address, is_utf8);
    end(&body, out, name);
}

void
dsn_fields_put_words(struct buffer *out, const char *name, const char *type, struct slice text,
                     bool is_utf8)
{
    struct buffer body;

    if (text.len == 0)
        return;
    buffer_init(&body, FIELD_MAX);
    if (*type) {
        buffer_put_text(&body, type);
        buffer_put_text(&body, "; ");
    }
    dsn_fields_put_harmless(&body, text, is_utf8);
    end(&body, out, name);
}
