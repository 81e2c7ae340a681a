/* SPDX-License-Identifier: ISC */
/* BURL (RFC 4468): the store, which keeps the mailboxes too, gives what the URL stands for, if its
 * user handed it to this server: urlauth=submit+USER. No other server is asked. */
#include "role/smtp/smtp.h"

#include "imap/url_part.h"

static const struct smtp_verdict not_there = {
    .code = 554, .status = ENVELOPE_STATUS(5, 6, 6), .text = SLICE("that URL cannot be resolved")};
static const struct smtp_verdict not_trusted = {
    .code = 554,
    .status = ENVELOPE_STATUS(5, 7, 8),
    .text = SLICE("only URLs of this server with urlauth=submit+USER, for who has logged in")};

static struct smtp_store_fetch
question(const struct imap_url *url, struct slice user)
{
    return (struct smtp_store_fetch){
        .user = user,
        .owner = url->owner,
        .name = url->mailbox,
        .uid = url->uid,
        .expires_s = url->expires_s,
        .url_user = url->user,
        .rump = url->rump,
        .token = url->token,
    };
}

void
smtp_session_on_url(struct smtp_session *session, struct slice text)
{
    struct transaction *transaction = session->transaction;
    struct slice user = smtp_server_facts(session->engine).identity;
    struct imap_url_part part;

    if (!imap_url_part_parse(text, &transaction->arena, &part)) {
        smtp_session_answer(session, &not_there);
        return;
    }
    if (!part.url.is_authorized || part.url.access != IMAP_URL_SUBMIT ||
        !slice_equal_nocase(part.url.user, user)) {
        smtp_session_answer(session, &not_trusted);
        return;
    }
    struct smtp_store_fetch note = question(&part.url, user);
    if (note.owner.len > SMTP_STORE_FETCH_OWNER_MAX || note.name.len > SMTP_STORE_FETCH_NAME_MAX ||
        note.url_user.len > SMTP_STORE_FETCH_URL_USER_MAX ||
        note.rump.len > SMTP_STORE_FETCH_RUMP_MAX || note.token.len > SMTP_STORE_FETCH_TOKEN_MAX ||
        note.name.len == 0) {
        smtp_session_answer(session, &not_there);
        return;
    }
    transaction->url_part = part;
    if (!smtp_session_ask_fetch(session, &note))
        smtp_session_answer(session, &smtp_try_later);
}

/* Cuts out what is meant; false when the message has no such part. */
static bool
take(struct smtp_session *session, const struct smtp_store_fetched *note,
     const struct host_mapping *mapping, uint64_t *ret_len)
{
    struct slice message = slice_first(mapping->bytes, note->len), octets;
    uint64_t max = session->role->config->message_size_max;
    struct buffer made;

    buffer_init(&made, mapping->bytes.len + 16);
    bool is_found = imap_url_part_cut(&session->transaction->url_part, message,
                                      slice_skip(mapping->bytes, note->len), &made, &octets);
    if (is_found) {
        *ret_len = octets.len;
        /* What is too much is counted, and not kept. */
        if (smtp_server_facts(session->engine).body_bytes + octets.len <= max)
            smtp_session_keep_piece(session, octets);
    }
    buffer_finish(&made);
    return is_found;
}

void
smtp_session_on_fetched(struct smtp_session *session, const struct smtp_store_fetched *note)
{
    struct host *host = session->role->host;
    struct host_mapping mapping;
    uint64_t len = 0;

    if (!note->is_found) {
        smtp_session_answer_later(session, note->is_temporary ? &smtp_try_later : &not_there);
        return;
    }
    if (host_blob_map(host, note->content, &mapping) < 0) {
        smtp_session_answer_later(session, &smtp_try_later);
        return;
    }
    bool is_taken = take(session, note, &mapping, &len);
    host_blob_unmap(host, &mapping);
    if (!is_taken) {
        smtp_session_answer_later(session, &not_there);
        return;
    }
    session->waiting = WAITING_NOT;
    smtp_server_take_url(session->engine, len, host_now(host));
    connection_wake(session->connection);
}
