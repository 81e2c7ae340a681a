/* SPDX-License-Identifier: ISC */
#include "role/smtp/sign.h"

#include "dkim/sign.h"
#include "mime/downgrade.h"
#include "role/smtp/smtp.h"
#include "text/utf8.h"

enum {
    SIGNATURES_MAX = 4,
    CONVERTED_MAX = 4 * TRANSACTION_INLINE_MAX, /* an octet takes three, and lines are folded */
    CONVERT_ARENA_MAX = 1024 * 1024,
};

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

static bool
is_key_of(struct slice entry, struct slice domain, struct slice *ret_record)
{
    struct slice path, selector, key_domain;

    return config_dkim_key(entry, ret_record, &path) &&
           dkim_record_name_parse(*ret_record, &selector, &key_domain) &&
           slice_equal_nocase(domain, key_domain);
}

static bool
has_key(const struct smtp_session *session, struct slice domain)
{
    const struct config_strings *entries = &session->role->config->dkim_keys;
    struct slice record;

    for (size_t i = 0; i < entries->count; i++)
        if (is_key_of(entries->at[i], domain, &record))
            return true;
    return false;
}

static void
log_unsigned(struct smtp_session *session, const char *what, struct slice value)
{
    struct log_line line;

    smtp_session_log(&line, session, HOST_LEVEL_WARNING, "not_signed");
    log_address(&line, what, value);
    log_end(&line);
}

static void
log_unfit(struct smtp_session *session)
{
    struct log_line line;

    smtp_session_log(&line, session, HOST_LEVEL_WARNING, "not_signed");
    log_string(&line, "reason", "no single author, or a header that is too long to be signed");
    log_end(&line);
}

/* True when route is to be asked about the author. */
static bool
find_author(struct smtp_session *session)
{
    struct transaction *transaction = session->transaction;
    struct slice identity = smtp_server_facts(session->engine).identity;
    struct buffer author;
    bool is_open = false;

    if (!transaction->is_signed)
        return false;
    buffer_init(&author, DKIM_AUTHOR_MAX);
    if (!dkim_collection_author(&transaction->collection, &author)) {
        log_unfit(session);
    } else if (has_key(session, dkim_author_domain(buffer_slice(&author)))) {
        transaction->author = arena_copy(&transaction->arena, buffer_slice(&author));
        is_open = !session->is_relay && (!transaction->is_claimed || transaction->is_foreign) &&
                  !slice_equal_nocase(identity, transaction->author);
    }
    buffer_finish(&author);
    return is_open;
}

void
sign_or_hand_over(struct smtp_session *session)
{
    if (!find_author(session))
        smtp_session_hand_over(session);
    else if (!smtp_session_ask_claim(session, session->transaction->author, WAITING_SIGNER))
        smtp_session_answer_body(session, NULL);
}

void
sign_take_claim(struct smtp_session *session, enum smtp_route_claim_result result)
{
    if (result == SMTP_ROUTE_CLAIM_RESULT_TEMPORARY) {
        smtp_session_answer_body(session, NULL);
        return;
    }
    if (result != SMTP_ROUTE_CLAIM_RESULT_OWN) {
        log_unsigned(session, "author", session->transaction->author);
        session->transaction->author = SLICE("");
    }
    smtp_session_hand_over(session);
}

/* A field for each key of this domain. */
static bool
put_fields(struct smtp_session *session, struct slice domain, const struct dkim_content *content,
           struct buffer *prefix)
{
    const struct config_strings *entries = &session->role->config->dkim_keys;
    enum identity_signing result = IDENTITY_SIGNED;
    struct slice record;
    struct buffer field;
    size_t count = 0;

    buffer_init(&field, DKIM_FIELD_MAX);
    for (size_t i = 0; i < entries->count && count < SIGNATURES_MAX; i++) {
        if (!is_key_of(entries->at[i], domain, &record))
            continue;
        count++;
        buffer_clear(&field);
        result = identity_sign_mail(&session->role->identity, record, content, &field);
        if (result == IDENTITY_NO_ANSWER)
            break; /* the next one would wait as long */
        if (result == IDENTITY_SIGNED && buffer_len(&field) <= buffer_room(prefix))
            buffer_put(prefix, buffer_slice(&field));
        else
            log_unsigned(session, "key", record);
    }
    buffer_finish(&field);
    return result != IDENTITY_NO_ANSWER;
}

/* RFC 6376 §5.3: what has more than 7 bits is encoded before it is signed, for a host that does not
 * take it would get it so, and the signature would not hold there. Not what has outgrown a note,
 * nor what its author has signed in another way, nor a header that needs 8 bits. */
static void
convert(struct smtp_session *session)
{
    struct transaction *transaction = session->transaction;
    struct slice message = buffer_slice(&transaction->body);
    struct mime_downgrade how;
    struct buffer converted;
    struct arena arena;

    if (transaction->blob || transaction->body_error || utf8_is_ascii(message))
        return;
    arena_init(&arena, CONVERT_ARENA_MAX);
    buffer_init(&converted, CONVERTED_MAX);
    if (mime_downgrade_put(message, &arena, &converted, &how) && how.parts > 0 &&
        !how.breaks_signature) {
        dkim_collection_finish(&transaction->collection);
        dkim_collection_begin(&transaction->collection);
        sign_take(session, buffer_slice(&converted));
        session->role->body_bytes -= transaction->body_bytes;
        transaction_replace_body(transaction, buffer_slice(&converted));
        session->role->body_bytes += transaction->body_bytes;
    }
    buffer_finish(&converted);
    arena_finish(&arena);
}

bool
sign_put(struct smtp_session *session, struct buffer *prefix)
{
    struct transaction *transaction = session->transaction;
    struct buffer names, fields;
    struct dkim_content content;
    bool is_good = true;

    if (transaction->author.len == 0)
        return true;
    convert(session);
    buffer_init(&names, DKIM_NAMES_MAX);
    buffer_init(&fields, DKIM_HEADER_MAX);
    if (dkim_collection_end(&transaction->collection, &names, &fields, &content))
        is_good = put_fields(session, dkim_author_domain(transaction->author), &content, prefix);
    else
        log_unfit(session);
    buffer_finish(&names);
    buffer_finish(&fields);
    return is_good;
}
