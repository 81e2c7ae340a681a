/* SPDX-License-Identifier: ISC */
/* Holds private keys and signs with them for processes that speak with strangers. It reads nothing
 * but what the parent says and small notes of fixed shape. */
#include "base/arena.h"
#include "base/list.h"
#include "dkim/sign.h"
#include "host/log.h"
#include "note/asker_keys.h"
#include "role/role.h"
#include "tls/signer.h"

#include <stdlib.h>

enum {
    ASKERS_MAX = 128, /* smtp and access: at most 64 processes each */
    NOTE_ARENA_MAX = 4096,
    PROBLEM_MAX = 512,
    TICKET_SECRETS = 2, /* as tls_context_set_tickets takes them */
    SIDE_ASKER = 0,
};

struct keys_role;

struct asker {
    struct keys_role *role;
    enum role_kind kind;
    unsigned index;
    struct host_channel *channel;
    struct note_ledger ledger;
};

/* The key of one name. Who asks may have the new certificate a moment later than we. */
struct identity_key {
    struct list link;
    struct slice name; /* owned */
    struct tls_signer *signer, *before;
    bool is_of_mail; /* DKIM: signs mail and no handshakes; the others no mail */
};

struct keys_role {
    struct role_start start;
    struct list names; /* of struct identity_key */
    struct asker askers[ASKERS_MAX];
    size_t asker_count;
    struct arena arena; /* of the note in hand */
    struct buffer note;
    uint64_t signatures, mails, refused;
};

/* ---- certificates and keys ------------------------------------------------------------------- */

static struct identity_key *
key_of_name(struct keys_role *role, struct slice name)
{
    LIST_EACH (link, &role->names) {
        struct identity_key *key = LIST_ITEM(link, struct identity_key, link);
        if (slice_equal_nocase(key->name, name))
            return key;
    }
    struct identity_key *fresh = calloc(1, sizeof(*fresh));
    uint8_t *copy = malloc(name.len + 1);
    if (!fresh || !copy)
        abort();
    memcpy(copy, name.at, name.len);
    fresh->name = slice_of(copy, name.len);
    list_append(&role->names, &fresh->link);
    return fresh;
}

static void
forget_key(struct identity_key *key)
{
    list_remove(&key->link);
    tls_signer_close(&key->signer);
    tls_signer_close(&key->before);
    free((void *)(uintptr_t)key->name.at);
    free(key);
}

static void
forget_name(struct keys_role *role, struct slice name)
{
    LIST_EACH (link, &role->names) {
        struct identity_key *key = LIST_ITEM(link, struct identity_key, link);
        if (slice_equal_nocase(key->name, name))
            forget_key(key);
    }
}

static bool
has_id(const struct tls_signer *signer, struct slice id)
{
    return signer && slice_equal(slice_of(tls_signer_id(signer), TLS_KEY_ID_SIZE), id);
}

static void
keys_tls(void *state, struct slice name, struct slice chain, struct slice key)
{
    struct keys_role *role = state;
    struct buffer problem;

    if (key.len == 0) {
        forget_name(role, name);
        return;
    }
    buffer_init(&problem, PROBLEM_MAX);
    struct tls_signer *signer = chain.len > 0 ? tls_signer_open(chain, key, &problem)
                                              : tls_signer_open_bare(key, &problem);
    struct identity_key *place = signer ? key_of_name(role, name) : NULL;
    if (place && has_id(place->signer, slice_of(tls_signer_id(signer), TLS_KEY_ID_SIZE))) {
        tls_signer_close(&signer); /* the same again, at a reload */
    } else if (place) {
        tls_signer_close(&place->before);
        place->before = place->signer;
        place->signer = signer;
    } else {
        log_event(role->start.host, HOST_LEVEL_ERROR, "key_refused", "problem",
                  buffer_slice(&problem));
    }
    if (place)
        place->is_of_mail = chain.len == 0;
    buffer_finish(&problem);
}

static const struct tls_signer *
find_signer(const struct keys_role *role, struct slice id)
{
    LIST_EACH (link, &role->names) {
        const struct identity_key *key = LIST_ITEM(link, struct identity_key, link);
        if (key->is_of_mail)
            continue;
        if (has_id(key->signer, id))
            return key->signer;
        if (has_id(key->before, id))
            return key->before;
    }
    return NULL;
}

/* The default's key makes the tickets; without one, the first that came. */
static const struct tls_signer *
signer_of_tickets(const struct keys_role *role)
{
    const struct tls_signer *found = NULL;

    LIST_EACH (link, &role->names) {
        const struct identity_key *key = LIST_ITEM(link, struct identity_key, link);
        if (!key->is_of_mail && (key->name.len == 0 || !found))
            found = key->signer;
    }
    return found;
}

/* ---- questions ------------------------------------------------------------------------------- */

static void
send(struct asker *asker, bool is_put)
{
    assert(is_put);
    (void)is_put;
    host_channel_send(asker->channel, buffer_slice(&asker->role->note), HOST_HANDLE_NONE);
    buffer_clear(&asker->role->note);
}

static void
on_sign(struct asker *asker, const struct asker_keys_sign *note)
{
    struct keys_role *role = asker->role;
    const struct tls_signer *signer = find_signer(role, note->key);
    struct tls_signature_question question = {
        .key_id = note->key.at,
        .form = (enum tls_signature_form)note->form,
        .digest = (enum tls_signature_digest)note->digest,
        .text = note->text,
    };
    struct buffer signature;

    buffer_init(&signature, TLS_SIGNATURE_MAX);
    bool is_signed = signer && tls_text_is_of_handshake(note->text) &&
                     tls_signer_sign(signer, &question, &signature);
    role->signatures += is_signed;
    role->refused += !is_signed;
    struct asker_keys_signature answer = {.id = note->id, .octets = buffer_slice(&signature)};
    send(asker, asker_keys_put_signature(&role->note, &asker->ledger, &answer));
    buffer_finish(&signature);
}

static void
on_tickets(struct asker *asker, const struct asker_keys_tickets *note)
{
    struct keys_role *role = asker->role;
    const struct tls_signer *signer = signer_of_tickets(role);
    int64_t now = tls_ticket_epoch(host_wall(role->start.host));
    uint8_t secrets[TICKET_SECRETS * TLS_TICKET_SECRET_SIZE];
    struct asker_keys_secrets answer = {.id = note->id, .secrets = SLICE("")};

    /* Its clock and ours are the same; an epoch may end between the two looks at it. */
    if (signer && (note->epoch == now || note->epoch == now - 1)) {
        for (size_t i = 0; i < TICKET_SECRETS; i++)
            tls_signer_ticket_secret(signer, note->epoch - (int64_t)i,
                                     secrets + i * TLS_TICKET_SECRET_SIZE);
        answer.secrets = slice_of(secrets, sizeof(secrets));
    }
    send(asker, asker_keys_put_secrets(&role->note, &asker->ledger, &answer));
    explicit_bzero(secrets, sizeof(secrets));
}

/* RFC 6376 §3.3.1; RFC 8463 §3: Ed25519 signs the digest of what RSA would sign. */
static bool
sign_mail(void *context, struct slice text, struct buffer *ret_signature)
{
    const struct tls_signer *signer = context;
    bool is_rsa = tls_signer_form(signer) == TLS_SIGNATURE_PKCS1;
    uint8_t digest[TLS_SHA256_SIZE];
    struct tls_signature_question question = {
        .key_id = tls_signer_id(signer),
        .form = is_rsa ? TLS_SIGNATURE_PKCS1 : TLS_SIGNATURE_EDDSA,
        .digest = is_rsa ? TLS_SIGNATURE_SHA256 : TLS_SIGNATURE_NO_DIGEST,
        .text = text,
    };

    if (!is_rsa) {
        struct tls_sha256 *hash = tls_sha256_begin();
        tls_sha256_add(hash, text);
        tls_sha256_end(&hash, digest);
        question.text = slice_of(digest, sizeof(digest));
    }
    return tls_signer_sign(signer, &question, ret_signature);
}

static const struct identity_key *
find_mail_key(const struct keys_role *role, struct slice record)
{
    LIST_EACH (link, &role->names) {
        const struct identity_key *key = LIST_ITEM(link, struct identity_key, link);
        if (key->is_of_mail && slice_equal_nocase(key->name, record))
            return key;
    }
    return NULL;
}

static void
on_sign_mail(struct asker *asker, const struct asker_keys_sign_mail *note)
{
    struct keys_role *role = asker->role;
    const struct identity_key *key = find_mail_key(role, note->record);
    struct dkim_content content = {.names = note->names, .fields = note->fields};
    struct dkim_wish wish = {.record_name = note->record, .time_s = note->time_s,
                             .content = &content};
    struct buffer field;
    bool is_signed = false;

    buffer_init(&field, DKIM_FIELD_MAX);
    if (key && note->body_hash.len == sizeof(content.body_hash)) {
        memcpy(content.body_hash, note->body_hash.at, sizeof(content.body_hash));
        wish.algorithm = tls_signer_form(key->signer) == TLS_SIGNATURE_PKCS1
                             ? DKIM_RSA_SHA256
                             : DKIM_ED25519_SHA256;
        is_signed = dkim_field_put(&wish, sign_mail, key->signer, &field);
    }
    role->mails += is_signed;
    role->refused += !is_signed;
    struct asker_keys_mail_signature answer = {.id = note->id, .field = buffer_slice(&field)};
    send(asker, asker_keys_put_mail_signature(&role->note, &asker->ledger, &answer));
    buffer_finish(&field);
}

static void
lose(struct asker *asker)
{
    host_channel_close(&asker->channel);
    note_ledger_finish(&asker->ledger);
}

static void
on_note(void *context, struct slice bytes, host_handle handle)
{
    struct asker *asker = context;
    struct keys_role *role = asker->role;
    struct asker_keys_note note;
    bool is_good = handle == HOST_HANDLE_NONE;

    arena_reset(&role->arena);
    is_good =
        is_good && asker_keys_take(bytes, handle, SIDE_ASKER, &asker->ledger, &role->arena, &note);
    if (is_good && note.kind == ASKER_KEYS_SIGN) {
        on_sign(asker, &note.as.sign);
    } else if (is_good && note.kind == ASKER_KEYS_TICKETS) {
        on_tickets(asker, &note.as.tickets);
    } else if (is_good && note.kind == ASKER_KEYS_SIGN_MAIL) {
        on_sign_mail(asker, &note.as.sign_mail);
    } else {
        host_handle_close(role->start.host, handle);
        log_event(role->start.host, HOST_LEVEL_ERROR, "bad_note", "from",
                  slice_of_string(role_kind_name(asker->kind)));
        lose(asker);
    }
}

static void
on_closed(void *context)
{
    lose(context);
}

/* ---- the role's functions -------------------------------------------------------------------- */

static void *
keys_open(const struct role_start *start)
{
    struct keys_role *role = calloc(1, sizeof(*role));

    if (!role)
        abort();
    role->start = *start;
    list_init(&role->names);
    arena_init(&role->arena, NOTE_ARENA_MAX);
    buffer_init(&role->note, HOST_NOTE_MAX);
    return role;
}

/* The place of this process, if it has asked before, or a free one. */
static struct asker *
place_of(struct keys_role *role, enum role_kind kind, unsigned index)
{
    for (size_t i = 0; i < role->asker_count; i++)
        if (role->askers[i].kind == kind && role->askers[i].index == index)
            return &role->askers[i];
    return role->asker_count < ASKERS_MAX ? &role->askers[role->asker_count++] : NULL;
}

static void
keys_attach(void *state, enum role_kind peer, unsigned peer_index, host_handle handle)
{
    static const struct host_channel_handler handler = {.on_note = on_note, .on_closed = on_closed};
    struct keys_role *role = state;
    struct asker *asker = place_of(role, peer, peer_index);

    if (!asker) {
        host_handle_close(role->start.host, handle);
        return;
    }
    lose(asker);
    *asker = (struct asker){.role = role, .kind = peer, .index = peer_index};
    asker->channel = host_channel_open(role->start.host, handle, &handler, asker);
}

static void
keys_reload(void *state, const struct config *config)
{
    (void)state, (void)config; /* keys come as notes of their own */
}

static void
keys_stats(void *state, struct role_stats *stats)
{
    const struct keys_role *role = state;
    size_t count = 0;

    LIST_EACH (link, &role->names) {
        count++;
    }
    role_stats_add(stats, "keys", count);
    role_stats_add(stats, "signatures", role->signatures);
    role_stats_add(stats, "mails", role->mails);
    role_stats_add(stats, "refused", role->refused);
}

static void
keys_close(void *state)
{
    struct keys_role *role = state;

    for (size_t i = 0; i < role->asker_count; i++)
        lose(&role->askers[i]);
    LIST_EACH (link, &role->names) {
        forget_key(LIST_ITEM(link, struct identity_key, link));
    }
    arena_finish(&role->arena);
    buffer_finish(&role->note);
    free(role);
}

const struct role role_keys = {
    .kind = ROLE_KEYS,
    .open = keys_open,
    .attach = keys_attach,
    .tls = keys_tls,
    .reload = keys_reload,
    .stats = keys_stats,
    .close = keys_close,
};
