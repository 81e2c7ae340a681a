/* SPDX-License-Identifier: ISC */
#include "role/smtp/sign.h"

#include "dkim/sign.h"
#include "role/smtp/smtp.h"

enum { SIGNATURES_MAX = 4 };

/* Strangers' mail is not ours to vouch for, whatever its author claims. */
static bool
is_ours(const struct smtp_session *session)
{
    return session->role->config->dkim_keys.count > 0 && session->service != SERVICE_LMTP &&
           (session->account != 0 || session->is_relay);
}

void
sign_begin(struct smtp_session *session)
{
    struct transaction *transaction = session->transaction;

    if (is_ours(session) && !transaction->is_signed) {
        transaction->is_signed = true;
        dkim_collection_begin(&transaction->collection);
    }
}

void
sign_take(struct smtp_session *session, struct slice piece)
{
    if (session->transaction->is_signed)
        dkim_collection_take(&session->transaction->collection, piece);
}

static void
log_unsigned(struct smtp_session *session, struct slice record)
{
    struct log_line line;

    smtp_session_log(&line, session, HOST_LEVEL_WARNING, "not_signed");
    log_text(&line, "key", record);
    log_end(&line);
}

/* A field for each key of this domain. */
static void
put_fields(struct smtp_session *session, struct slice author, const struct dkim_content *content,
           struct buffer *prefix)
{
    const struct config_strings *entries = &session->role->config->dkim_keys;
    struct slice record, path, selector, domain;
    struct buffer field;
    size_t count = 0;

    buffer_init(&field, DKIM_FIELD_MAX);
    for (size_t i = 0; i < entries->count && count < SIGNATURES_MAX; i++) {
        if (!config_dkim_key(entries->at[i], &record, &path) ||
            !dkim_record_name_parse(record, &selector, &domain) ||
            !slice_equal_nocase(domain, author))
            continue;
        count++;
        buffer_clear(&field);
        if (identity_sign_mail(&session->role->identity, record, content, &field) &&
            buffer_len(&field) <= buffer_room(prefix))
            buffer_put(prefix, buffer_slice(&field));
        else
            log_unsigned(session, record);
    }
    buffer_finish(&field);
}

void
sign_put(struct smtp_session *session, struct buffer *prefix)
{
    struct dkim_collection *collection = &session->transaction->collection;
    struct buffer author, names, fields;
    struct dkim_content content;

    if (!session->transaction->is_signed)
        return;
    buffer_init(&author, DKIM_DOMAIN_MAX);
    buffer_init(&names, DKIM_NAMES_MAX);
    buffer_init(&fields, DKIM_HEADER_MAX);
    if (dkim_collection_author(collection, &author) &&
        dkim_collection_end(collection, &names, &fields, &content))
        put_fields(session, buffer_slice(&author), &content, prefix);
    buffer_finish(&author);
    buffer_finish(&names);
    buffer_finish(&fields);
}
