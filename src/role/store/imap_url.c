/* SPDX-License-Identifier: ISC */
/* URLs that carry a permission (RFC 4467): tokens are made and looked at here, where the secrets
 * are. What a token permits is one message, in the way in which the URL's user may read it now. */
#include "mailbox/sharing.h"
#include "mailbox/url_key.h"
#include "role/store/imap_change.h"
#include "role/store/url_claim.h"
#include "sasl/digest.h"

#include <stdlib.h>

enum { TOKEN_LEN = SASL_DIGEST_MAX, SIGNED_MAX = 8192 };

/* What a token is made of. */
struct signed_claim {
    uint32_t uid;
    int64_t expires_s;
    enum access_store_url_reach reach;
    struct slice user, rump;
};

static void
make_token(const uint8_t key[URL_KEY_LEN], const struct signed_claim *claim,
           uint8_t ret_token[TOKEN_LEN])
{
    struct buffer bytes;

    buffer_init(&bytes, SIGNED_MAX);
    buffer_put_le32(&bytes, claim->uid);
    buffer_put_le64(&bytes, (uint64_t)claim->expires_s);
    buffer_put_le8(&bytes, (uint8_t)claim->reach);
    buffer_put_le16(&bytes, (uint16_t)claim->user.len);
    buffer_put(&bytes, claim->user);
    buffer_put(&bytes, claim->rump);
    assert(!buffer_overflowed(&bytes)); /* the note's bounds are below */
    sasl_hmac_sha_256(slice_of(key, URL_KEY_LEN), buffer_slice(&bytes), ret_token);
    buffer_finish(&bytes);
}

/* ---- making ---------------------------------------------------------------------------------- */

static void
sign_file(struct job *job)
{
    const struct access_store_url_sign *note = &job->change->note.as.url_sign;
    const struct signed_claim claim = {note->uid, note->expires_s, note->reach, note->user,
                                       note->rump};
    struct store *store = job->role->store;
    struct reach reach = imap_reach_for(job);
    struct reached reached;
    uint8_t key[URL_KEY_LEN], token[TOKEN_LEN];

    job->result = slice_equal_nocase(note->owner, job->change->user)
                      ? reach_find(&reach, note->name, RIGHT_READ, &reached)
                      : STORE_NOT_FOUND;
    /* By that name the URL will be understood. */
    if (job->result == STORE_OK)
        job->result = mailbox_owner_set(store, job->asker, job->change->user);
    if (job->result != STORE_OK)
        return;
    enum store_result result =
        mailbox_url_key_get(store, job->asker, reached.account, reached.mailbox, key);
    if (result == STORE_NOT_FOUND)
        mailbox_url_key_make(store, job->asker, reached.account, reached.mailbox, key);
    else
        job->result = result;
    make_token(key, &claim, token);
    sasl_wipe(key, sizeof(key));
    buffer_clear(&job->change->told);
    buffer_put(&job->change->told, slice_of(token, sizeof(token)));
}

static void
sign_answer(struct job *job, enum store_result result)
{
    struct buffer *buffer = &job->role->note;
    struct access_store_url_signed note = {
        .id = job->id,
        .result = imap_result_of(result),
        .token = result == STORE_OK ? buffer_slice(&job->change->told) : slice_of("", 0),
    };

    buffer_clear(buffer);
    bool is_put = access_store_put_url_signed(buffer, &job->access->ledger, &note);
    assert(is_put);
    host_channel_send(job->access->channel, buffer_slice(buffer), HOST_HANDLE_NONE);
}

const struct job_kind imap_url_sign_kind = {sign_file, sign_answer};

static void
reset_file(struct job *job)
{
    const struct access_store_url_reset *note = &job->change->note.as.url_reset;
    struct store *store = job->role->store;
    struct reach reach = imap_reach_for(job);
    struct reached reached;
    uint8_t key[URL_KEY_LEN];

    if (note->name.len == 0) {
        job->result = mailbox_url_key_drop(store, job->asker);
        return;
    }
    job->result = reach_find(&reach, note->name, RIGHT_READ, &reached);
    if (job->result == STORE_OK)
        mailbox_url_key_make(store, job->asker, reached.account, reached.mailbox, key);
}

const struct job_kind imap_url_reset_kind = {reset_file, imap_done_answer};

/* ---- using ----------------------------------------------------------------------------------- */

/* RFC 4467 §3: who may use the URL. A submission server says for whom it asks (RFC 4468 §3.3). */
static bool
is_user_allowed(const struct config *config, const struct url_claim *claim)
{
    if (claim->is_submission)
        return claim->reach == ACCESS_STORE_URL_REACH_SUBMIT &&
               slice_equal_nocase(claim->user, claim->asker);
    switch (claim->reach) {
    case ACCESS_STORE_URL_REACH_USER:
        return slice_equal_nocase(claim->user, claim->asker);
    case ACCESS_STORE_URL_REACH_SUBMIT:
        return config->imap_submit_user.len > 0 &&
               slice_equal_nocase(config->imap_submit_user, claim->asker);
    case ACCESS_STORE_URL_REACH_AUTHUSER:
    case ACCESS_STORE_URL_REACH_ANONYMOUS: /* all are logged in here */
        return true;
    case ACCESS_STORE_URL_REACH_COUNT:
        break;
    }
    return false;
}

/* Whatever is wrong, a token is made and compared (§6): the time that it takes tells nothing. */
static bool
is_token_good(struct store *store, const struct reach *user, const struct reached *reached,
              const struct url_claim *claim)
{
    const struct signed_claim made = {claim->uid, claim->expires_s, claim->reach, claim->user,
                                      claim->rump};
    uint8_t key[URL_KEY_LEN] = {0}, token[TOKEN_LEN];
    bool is_known = mailbox_url_key_get(store, user->account, reached->account, reached->mailbox,
                                        key) == STORE_OK;

    make_token(key, &made, token);
    bool is_same = sasl_equal(claim->token, slice_of(token, sizeof(token)));
    sasl_wipe(key, sizeof(key));
    return is_known && is_same;
}

bool
url_claim_find(struct store_role *role, const struct url_claim *claim, struct reached *ret_reached,
               struct message_entry *ret_entry)
{
    struct reach user = reach_of(role, 0, claim->owner);
    bool is_found = mailbox_owner_find(role->store, claim->owner, &user.account) == STORE_OK &&
                    reach_find(&user, claim->name, RIGHT_READ, ret_reached) == STORE_OK;
    bool is_expired =
        claim->expires_s != 0 && claim->expires_s < wall_seconds(host_wall(role->host));

    if (!is_found)
        *ret_reached = (struct reached){0};
    return is_token_good(role->store, &user, ret_reached, claim) && is_found && !is_expired &&
           is_user_allowed(user.config, claim) &&
           mailbox_message_get(role->store, ret_reached->account, ret_reached->mailbox, claim->uid,
                               ret_entry) == STORE_OK;
}

void
imap_url_ask(struct store_access *access, const struct grant *grant,
             const struct access_store_url_ask *note)
{
    struct url_claim claim = {
        .asker = grant_user(grant),
        .owner = note->owner,
        .name = note->name,
        .uid = note->uid,
        .expires_s = note->expires_s,
        .reach = note->reach,
        .user = note->user,
        .rump = note->rump,
        .token = note->token,
    };
    struct message_entry entry;
    struct reached reached;

    if (!url_claim_find(access->role, &claim, &reached, &entry)) {
        imap_answer_done(access, note->id, ACCESS_STORE_RESULT_NOT_FOUND, 0);
        return;
    }
    struct reading *reading =
        reading_new(access->role, access, NULL,
                    note->has_record ? READING_IMAP_MESSAGES : READING_OCTETS, note->id);
    reading->account = reached.account;
    reading->mailbox = reached.mailbox;
    if (note->has_record) {
        reading->wants_more = true;
        reading->range_count = 1;
        reading->ranges = calloc(1, sizeof(*reading->ranges));
        if (!reading->ranges)
            abort();
        reading->ranges[0] = (struct uid_range){note->uid, note->uid};
    } else {
        uint64_t rest = note->offset < entry.len ? entry.len - note->offset : 0;
        reading->body = entry.body;
        reading->offset = note->offset;
        reading->left = rest < note->len ? rest : note->len;
        reading->is_done = reading->left == 0;
        reading->ends_in_done = true;
    }
    reading_start(reading);
}
