/* SPDX-License-Identifier: ISC */
#include "role/identity.h"

#include "base/arena.h"
#include "dkim/sign.h"
#include "host/log.h"
#include "note/asker_keys.h"

#include <errno.h>
#include <stdlib.h>

enum {
    PROBLEM_MAX = 512,
    PEM_MAX = 128 * 1024,
    NOTE_MAX = 16 * 1024, /* of an answer, and of a question about a handshake */
    SIDE_KEYS = 1
};

struct kept {
    struct list link;
    struct arena arena;
    struct slice name, chain; /* in the arena */
};

/* ---- the role that has the keys -------------------------------------------------------------- */

static void
lose_keys(struct identity *identity)
{
    if (identity->keys != HOST_HANDLE_NONE)
        host_handle_close(identity->host, identity->keys);
    identity->keys = HOST_HANDLE_NONE;
    identity->is_silent = false;
    note_ledger_finish(&identity->ledger);
}

void
identity_attach(struct identity *identity, host_handle keys)
{
    lose_keys(identity);
    identity->keys = keys;
}

static void
log_failure(struct identity *identity, int error)
{
    if (error == -EPROTO)
        log_event(identity->host, HOST_LEVEL_ERROR, "bad_note", "from", SLICE("keys"));
    else
        log_event(identity->host, HOST_LEVEL_ERROR, "no_answer_of_keys", "error",
                  slice_of_string(strerror(-error)));
}

/* Which question an answer belongs to; 0: it is none. */
static uint64_t
id_of(const struct asker_keys_note *note)
{
    switch (note->kind) {
    case ASKER_KEYS_SIGNATURE:
        return note->as.signature.id;
    case ASKER_KEYS_SECRETS:
        return note->as.secrets.id;
    case ASKER_KEYS_MAIL_SIGNATURE:
        return note->as.mail_signature.id;
    case ASKER_KEYS_SIGN_MAIL:
    case ASKER_KEYS_SIGN:
    case ASKER_KEYS_TICKETS:
        break;
    }
    return 0;
}

/* One question, and the answer that is waited for. */
struct inquiry {
    struct buffer question, bytes; /* of the answer */
    struct arena arena;
    struct asker_keys_note answer; /* borrows from both */
};

static void
inquiry_init(struct inquiry *inquiry, size_t question_bytes_max)
{
    arena_init(&inquiry->arena, NOTE_MAX);
    buffer_init(&inquiry->question, question_bytes_max);
    buffer_init(&inquiry->bytes, NOTE_MAX);
}

static void
inquiry_finish(struct inquiry *inquiry)
{
    buffer_finish(&inquiry->question);
    buffer_finish(&inquiry->bytes);
    arena_finish(&inquiry->arena);
}

/* True when the answer to the last question has come. */
static bool
ask(struct identity *identity, struct inquiry *inquiry, struct duration patience)
{
    int error = host_ask(identity->host, identity->keys, buffer_slice(&inquiry->question), patience,
                         &inquiry->bytes);
    bool was_silent = identity->is_silent;

    if (error == 0 && !(asker_keys_take(buffer_slice(&inquiry->bytes), HOST_HANDLE_NONE, SIDE_KEYS,
                                        &identity->ledger, &inquiry->arena, &inquiry->answer) &&
                        id_of(&inquiry->answer) == identity->last_id))
        error = -EPROTO;
    identity->is_silent = error == -ETIMEDOUT;
    if (error < 0 && !(was_silent && identity->is_silent))
        log_failure(identity, error);
    if (error < 0 && !identity->is_silent)
        lose_keys(identity);
    return error == 0;
}

/* Whether a question would be heard. Whose last answer is overdue may have stopped: only when it
 * has come is he asked again, so that of all who want something of him one has to wait. */
static bool
is_awake(struct identity *identity)
{
    struct inquiry nothing;

    if (identity->keys == HOST_HANDLE_NONE || !identity->is_silent)
        return identity->keys != HOST_HANDLE_NONE;
    inquiry_init(&nothing, NOTE_MAX);
    bool has_come = ask(identity, &nothing, duration_s(0));
    inquiry_finish(&nothing);
    return has_come;
}

/* For OpenSSL, in the middle of a handshake. */
static bool
sign(void *context, const struct tls_signature_question *question, struct buffer *ret_signature)
{
    struct identity *identity = context;
    struct inquiry inquiry;

    if (!is_awake(identity))
        return false;
    inquiry_init(&inquiry, NOTE_MAX);
    struct asker_keys_sign note = {
        .id = ++identity->last_id,
        .key = slice_of(question->key_id, TLS_KEY_ID_SIZE),
        .form = (enum asker_keys_form)question->form,
        .digest = (enum asker_keys_digest)question->digest,
        .text = question->text,
    };
    bool is_signed = asker_keys_put_sign(&inquiry.question, &identity->ledger, &note) &&
                     ask(identity, &inquiry, identity->patience) &&
                     inquiry.answer.kind == ASKER_KEYS_SIGNATURE &&
                     inquiry.answer.as.signature.octets.len > 0;
    if (is_signed)
        buffer_put(ret_signature, inquiry.answer.as.signature.octets);
    inquiry_finish(&inquiry);
    return is_signed;
}

enum identity_signing
identity_sign_mail(struct identity *identity, struct slice record,
                   const struct dkim_content *content, struct buffer *ret_field)
{
    enum identity_signing result = IDENTITY_CANNOT_SIGN;
    struct inquiry inquiry;

    if (!is_awake(identity))
        return IDENTITY_NO_ANSWER;
    inquiry_init(&inquiry, HOST_NOTE_MAX);
    struct asker_keys_sign_mail note = {
        .id = ++identity->last_id,
        .record = record,
        .time_s = wall_seconds(host_wall(identity->host)),
        .names = content->names,
        .fields = content->fields,
        .body_hash = slice_of(content->body_hash, sizeof(content->body_hash)),
    };
    if (asker_keys_put_sign_mail(&inquiry.question, &identity->ledger, &note)) {
        if (!ask(identity, &inquiry, identity->patience)) {
            result = IDENTITY_NO_ANSWER;
        } else if (inquiry.answer.kind == ASKER_KEYS_MAIL_SIGNATURE &&
                   inquiry.answer.as.mail_signature.field.len > 0) {
            buffer_put(ret_field, inquiry.answer.as.mail_signature.field);
            result = IDENTITY_SIGNED;
        }
    }
    inquiry_finish(&inquiry);
    return result;
}

static void
ask_tickets(struct identity *identity, int64_t epoch)
{
    struct asker_keys_tickets note = {.id = ++identity->last_id, .epoch = epoch};
    struct inquiry inquiry;

    inquiry_init(&inquiry, NOTE_MAX);
    if (asker_keys_put_tickets(&inquiry.question, &identity->ledger, &note) &&
        ask(identity, &inquiry, identity->patience) &&
        inquiry.answer.kind == ASKER_KEYS_SECRETS &&
        inquiry.answer.as.secrets.secrets.len == TLS_TICKET_SECRETS * TLS_TICKET_SECRET_SIZE) {
        tls_context_set_tickets(identity->context, epoch,
                                inquiry.answer.as.secrets.secrets.at);
        identity->has_tickets = true;
        identity->ticket_epoch = epoch;
    }
    inquiry_finish(&inquiry);
}

/* ---- certificates ---------------------------------------------------------------------------- */

void
identity_init(struct identity *identity, struct host *host)
{
    *identity = (struct identity){.host = host,
                                  .keys = HOST_HANDLE_NONE,
                                  .patience = duration_s(IDENTITY_PATIENCE_S)};
    list_init(&identity->kept);
}

static void
forget(struct identity *identity, struct kept *kept)
{
    list_remove(&kept->link);
    identity->kept_count--;
    arena_finish(&kept->arena);
    free(kept);
}

void
identity_finish(struct identity *identity)
{
    LIST_EACH (link, &identity->kept) {
        forget(identity, LIST_ITEM(link, struct kept, link));
    }
    tls_context_close(&identity->context);
    lose_keys(identity);
}

static void
forget_name(struct identity *identity, struct slice name)
{
    LIST_EACH (link, &identity->kept) {
        struct kept *old = LIST_ITEM(link, struct kept, link);
        if (slice_equal_nocase(old->name, name))
            forget(identity, old);
    }
}

static void
keep(struct identity *identity, struct slice name, struct slice chain)
{
    struct kept *kept = calloc(1, sizeof(*kept));

    if (!kept)
        abort();
    forget_name(identity, name);
    arena_init(&kept->arena, PEM_MAX);
    kept->name = arena_copy(&kept->arena, name);
    kept->chain = arena_copy(&kept->arena, chain);
    list_append(&identity->kept, &kept->link);
    identity->kept_count++;
}

static void
set(struct identity *identity, struct slice name, struct slice chain)
{
    struct buffer problem;

    buffer_init(&problem, PROBLEM_MAX);
    if (!tls_context_set(identity->context, name, chain, SLICE(""), &problem))
        log_event(identity->host, HOST_LEVEL_ERROR, "certificate_refused", "problem",
                  buffer_slice(&problem));
    buffer_finish(&problem);
}

void
identity_set(struct identity *identity, struct slice name, struct slice chain)
{
    if (chain.len == 0) {
        forget_name(identity, name);
        if (identity->context)
            (void)tls_context_remove(identity->context, name);
        return;
    }
    identity->has_certificate = true;
    identity->has_tickets = false; /* their secrets are the key's */
    if (identity->kept_count >= IDENTITY_KEPT_MAX)
        (void)identity_context(identity);
    if (identity->context)
        set(identity, name, chain);
    else
        keep(identity, name, chain);
}

bool
identity_is_there(struct identity *identity)
{
    return identity->has_certificate && is_awake(identity);
}

struct tls_context *
identity_context(struct identity *identity)
{
    assert(identity->has_certificate);
    if (identity->context)
        return identity->context;
    identity->context = tls_context_open_server();
    tls_context_set_signer(identity->context, sign, identity);
    LIST_EACH (link, &identity->kept) {
        struct kept *kept = LIST_ITEM(link, struct kept, link);
        set(identity, kept->name, kept->chain);
        forget(identity, kept);
    }
    identity_set_time(identity);
    return identity->context;
}

void
identity_set_time(struct identity *identity)
{
    int64_t epoch = tls_ticket_epoch(host_wall(identity->host));

    if (identity->context && (!identity->has_tickets || identity->ticket_epoch != epoch) &&
        is_awake(identity))
        ask_tickets(identity, epoch);
}
