/* SPDX-License-Identifier: ISC */
/* Is it the password? What takes milliseconds is done in helper processes, one question at a time
 * for each, so that the order of those that wait is ours: who has logged in before goes first. */
#include "role/auth/auth_private.h"

#include "base/cursor.h"

/* ---- in the helper ------------------------------------------------------------------------- */

static bool
take_question(struct slice question, struct slice *ret_verifier, struct slice *ret_password)
{
    struct cursor cursor = cursor_of(question);
    uint32_t len;

    if (!cursor_take_le32(&cursor, &len) || !cursor_take_bytes(&cursor, len, ret_verifier))
        return false;
    *ret_password = cursor_rest(&cursor);
    return true;
}

void
auth_helper_hash(void *context, struct slice question, struct buffer *answer)
{
    struct slice crypt, password;

    (void)context;
    enum directory_password result = DIRECTORY_PASSWORD_WRONG;
    if (take_question(question, &crypt, &password))
        result = directory_password_verify(crypt, password);
    buffer_put_byte(answer, (uint8_t)result);
}

void
auth_helper_pam(void *context, struct slice question, struct buffer *answer)
{
    char login[65] = {0}, text[DIRECTORY_PASSWORD_MAX + 1] = {0};
    struct slice name, password;
    enum directory_password result = DIRECTORY_PASSWORD_WRONG;

    (void)context;
    if (take_question(question, &name, &password) && name.len > 0 && name.len < sizeof(login) &&
        password.len > 0 && password.len < sizeof(text) &&
        slice_find_byte(password, 0) == password.len) {
        memcpy(login, name.at, name.len);
        memcpy(text, password.at, password.len);
        result = auth_pam_verify(login, text);
        sasl_wipe(text, sizeof(text));
    }
    buffer_put_byte(answer, (uint8_t)result);
}

/* ---- the queue ----------------------------------------------------------------------------- */

/* What the session's password is compared with: its verifier, or one that nothing fits. */
static struct slice
verifier_of(const struct auth_session *session)
{
    struct auth *auth = session->client->auth;
    const struct directory_secret *secret =
        session->is_real && auth->secrets ? directory_secret_find(auth->secrets, session->account)
                                          : NULL;

    return secret && secret->crypt.len > 0 ? secret->crypt : directory_password_fake();
}

/* The login name for PAM, or empty. */
static struct slice
login_of(const struct auth_session *session)
{
    struct auth *auth = session->client->auth;
    const struct directory_account *account =
        session->is_real && auth->directory
            ? directory_account_find_id(auth->directory, session->account)
            : NULL;

    return account && auth->pam.channel ? account->login : SLICE("");
}

static void
ask(struct auth_helper *helper, struct auth_session *session)
{
    struct slice login = helper == &helper->auth->pam ? login_of(session) : SLICE("");
    struct slice verifier = login.len > 0 ? login : verifier_of(session);
    struct buffer question;

    buffer_init(&question, HOST_NOTE_MAX);
    buffer_put_le32(&question, (uint32_t)verifier.len);
    buffer_put(&question, verifier);
    buffer_put(&question, sasl_server_password(session->sasl));
    host_channel_send(helper->channel, buffer_slice(&question), HOST_HANDLE_NONE);
    sasl_wipe(question.at, question.size);
    buffer_finish(&question);
    helper->is_busy = true;
    helper->session = session;
    helper->secrets_stamp = helper->auth->secrets_stamp;
    session->helper = helper;
    helper->auth->hashed++;
}

static struct auth_session *
take_job(struct auth *auth, struct list *jobs)
{
    if (list_is_empty(jobs))
        return NULL;
    struct auth_session *session = LIST_ITEM(jobs->next, struct auth_session, job);
    list_remove(&session->job);
    session->is_queued = false;
    auth->job_count--;
    return session;
}

static void
feed_helper(struct auth_helper *helper)
{
    struct auth *auth = helper->auth;
    struct auth_session *session = NULL;

    if (!helper->channel || helper->is_busy)
        return;
    if (helper == &auth->pam) {
        session = take_job(auth, &auth->jobs_pam);
    } else {
        session = take_job(auth, &auth->jobs_known);
        if (!session)
            session = take_job(auth, &auth->jobs_unknown);
    }
    if (session)
        ask(helper, session);
}

static void
feed_helpers(struct auth *auth)
{
    for (size_t i = 0; i < AUTH_HELPERS; i++)
        feed_helper(&auth->helpers[i]);
    feed_helper(&auth->pam);
}

static size_t
count_customer(struct list *jobs, const struct auth_session *like)
{
    size_t count = 0;

    LIST_EACH (link, jobs) {
        const struct auth_session *session = LIST_ITEM(link, struct auth_session, job);
        count += slice_equal(auth_session_customer(session), auth_session_customer(like));
    }
    return count;
}

bool
auth_jobs_are_many(const struct auth *auth, struct list *jobs, const struct auth_session *session)
{
    struct lockout_who who = auth_session_who(session);

    return auth->job_count >= AUTH_JOBS_MAX ||
           (!who.is_trusted && count_customer(jobs, session) >= AUTH_JOBS_PER_CUSTOMER_MAX);
}

static void
queue(struct auth *auth, struct auth_session *session)
{
    struct lockout_who who = auth_session_who(session);
    struct list *jobs = login_of(session).len > 0                ? &auth->jobs_pam
                        : lockout_is_known(auth->lockouts, &who) ? &auth->jobs_known
                                                                 : &auth->jobs_unknown;

    if (auth_jobs_are_many(auth, jobs, session)) {
        auth_session_on_proof_failed(session);
        return;
    }
    list_append(jobs, &session->job);
    session->is_queued = true;
    auth->job_count++;
    feed_helpers(auth);
}

void
auth_proof_ask(struct auth_session *session)
{
    struct auth *auth = session->client->auth;

    session->wait = AUTH_WAIT_PROOF;
    if (session->is_real && login_of(session).len == 0 &&
        recent_has(auth->recents, session->account, verifier_of(session),
                   sasl_server_password(session->sasl), host_now(auth->start.host))) {
        auth->remembered++;
        auth_session_on_proof(session, true);
        return;
    }
    queue(auth, session);
}

void
auth_proof_forget(struct auth_session *session)
{
    if (session->is_queued) {
        list_remove(&session->job);
        session->is_queued = false;
        session->client->auth->job_count--;
    }
    if (session->helper)
        session->helper->session = NULL;
    session->helper = NULL;
}

/* ---- answers ------------------------------------------------------------------------------- */

static void
tell(struct auth_helper *helper, struct auth_session *session, uint8_t result)
{
    struct auth *auth = helper->auth;
    bool is_right = result == DIRECTORY_PASSWORD_RIGHT && session->is_real;

    /* Of nobody's password that is said, too: it tells nothing of who is real. */
    if (result == DIRECTORY_PASSWORD_UNKNOWN) {
        auth_session_on_proof_unknown(session);
        return;
    }
    /* A verifier that has been exchanged meanwhile was not what the password was held to. */
    if (is_right && helper != &auth->pam && helper->secrets_stamp == auth->secrets_stamp)
        recent_add(auth->recents, session->account, verifier_of(session),
                   sasl_server_password(session->sasl), host_now(auth->start.host));
    auth_session_on_proof(session, is_right);
}

static void
on_answer(void *context, struct slice answer, host_handle handle)
{
    struct auth_helper *helper = context;
    struct auth_session *session = helper->session;

    host_handle_close(helper->auth->start.host, handle);
    helper->is_busy = false;
    helper->session = NULL;
    if (session) {
        session->helper = NULL;
        tell(helper, session, answer.len == 1 ? answer.at[0] : DIRECTORY_PASSWORD_WRONG);
    }
    feed_helper(helper);
}

/* Without a right to fork another, the process had better be started anew. */
static void
on_helper_closed(void *context)
{
    struct auth_helper *helper = context;
    struct auth *auth = helper->auth;

    host_channel_close(&helper->channel);
    auth->start.fail(auth->start.fail_context, "a helper process of auth has ended");
}

static int
open_helper(struct auth *auth, struct auth_helper *helper, enum host_helper_kind kind,
            host_helper_fn fn)
{
    static const struct host_channel_handler handler = {.on_note = on_answer,
                                                        .on_closed = on_helper_closed};
    host_handle handle;
    int error = host_helper_open(auth->start.host, kind, fn, NULL, &handle);

    if (error < 0)
        return error;
    helper->auth = auth;
    helper->channel = host_channel_open(auth->start.host, handle, &handler, helper);
    return 0;
}

int
auth_helpers_open(struct auth *auth)
{
    int error = 0;

    list_init(&auth->jobs_known);
    list_init(&auth->jobs_unknown);
    list_init(&auth->jobs_pam);
    auth->pam.auth = auth;
    for (size_t i = 0; i < AUTH_HELPERS; i++)
        auth->helpers[i].auth = auth;
    for (size_t i = 0; i < AUTH_HELPERS && error == 0; i++)
        error = open_helper(auth, &auth->helpers[i], HOST_HELPER_PURE, auth_helper_hash);
    if (error == 0 && auth->start.config->system_users)
        error = open_helper(auth, &auth->pam, HOST_HELPER_PRIVILEGED, auth_helper_pam);
    return error;
}

void
auth_helpers_close(struct auth *auth)
{
    for (size_t i = 0; i < AUTH_HELPERS; i++)
        host_channel_close(&auth->helpers[i].channel);
    host_channel_close(&auth->pam.channel);
}
