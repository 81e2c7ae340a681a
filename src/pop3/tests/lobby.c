/* SPDX-License-Identifier: ISC */
#include "pop3/tests/lobby.h"

#include "tls/digest.h"

#include <stdio.h>
#include <stdlib.h>

enum { JOURNAL_MAX = 1 << 20 };

static void
free_message(struct lobby_message *message)
{
    union {
        const uint8_t *kept;
        void *freed;
    } bytes = {message->bytes.at};

    free(bytes.freed);
    message->bytes = (struct slice){0};
}

void
lobby_finish(struct lobby *lobby)
{
    for (size_t i = 0; i < lobby->message_count; i++)
        free_message(&lobby->messages[i]);
    lobby->message_count = 0;
}

size_t
lobby_add_user(struct lobby *lobby, const char *name, const char *password)
{
    assert(lobby->user_count < LOBBY_USERS_MAX);
    struct lobby_user *user = &lobby->users[lobby->user_count];
    snprintf(user->name, sizeof(user->name), "%s", name);
    snprintf(user->password, sizeof(user->password), "%s", password);
    return lobby->user_count++;
}

uint32_t
lobby_add_message(struct lobby *lobby, size_t user, struct slice bytes)
{
    uint8_t *copy = malloc(bytes.len + 1);

    assert(copy && lobby->message_count < LOBBY_MESSAGES_MAX);
    if (bytes.len > 0)
        memcpy(copy, bytes.at, bytes.len);
    lobby->messages[lobby->message_count] =
        (struct lobby_message){.user = user,
                               .uid = (uint32_t)lobby->message_count + 1,
                               .bytes = slice_of(copy, bytes.len)};
    return lobby->messages[lobby->message_count++].uid;
}

size_t
lobby_count(const struct lobby *lobby, size_t user)
{
    size_t count = 0;

    for (size_t i = 0; i < lobby->message_count; i++)
        count += lobby->messages[i].user == user && lobby->messages[i].bytes.at;
    return count;
}

void
lobby_desk_init(struct lobby_desk *desk, struct lobby *lobby, struct pop3_server *server,
                struct slice timestamp)
{
    *desk = (struct lobby_desk){
        .lobby = lobby, .server = server, .timestamp = timestamp, .user = LOBBY_USERS_MAX};
    buffer_init(&desk->journal, JOURNAL_MAX);
}

static void
unlock(struct lobby_desk *desk)
{
    if (desk->has_lock)
        desk->lobby->users[desk->user].is_locked = false;
    desk->has_lock = false;
}

void
lobby_desk_finish(struct lobby_desk *desk)
{
    unlock(desk);
    buffer_finish(&desk->journal);
    pop3_server_close(&desk->server);
}

/* ---- logins -------------------------------------------------------------------------------- */

static size_t
find_user(const struct lobby *lobby, struct slice name)
{
    for (size_t i = 0; i < lobby->user_count; i++) {
        if (slice_equal_nocase(name, slice_of_string(lobby->users[i].name)))
            return i;
    }
    return LOBBY_USERS_MAX;
}

static void
answer_kind(struct lobby_desk *desk, enum pop3_answer_kind kind, struct instant now)
{
    pop3_server_answer(desk->server, &(struct pop3_answer){.kind = kind}, now);
}

static void
challenge(struct lobby_desk *desk, const char *text, struct instant now)
{
    pop3_server_answer(
        desk->server,
        &(struct pop3_answer){.kind = POP3_ANSWER_CHALLENGE, .challenge = slice_of_string(text)},
        now);
}

static void
decide(struct lobby_desk *desk, bool is_right, size_t user, const char *last, struct instant now)
{
    struct pop3_answer answer = {.kind = is_right ? POP3_ANSWER_OK : POP3_ANSWER_CREDENTIALS,
                                 .challenge = slice_of_string(is_right ? last : ""),
                                 .delay_ms = is_right ? 0 : desk->lobby->delay_ms};

    desk->user = is_right ? user : LOBBY_USERS_MAX;
    pop3_server_answer(desk->server, &answer, now);
}

static bool
is_password(const struct lobby *lobby, size_t user, struct slice password)
{
    return user < lobby->user_count &&
           slice_equal(password, slice_of_string(lobby->users[user].password));
}

/* RFC 4616 §2: authzid NUL authcid NUL password. */
static void
answer_plain(struct lobby_desk *desk, struct slice message, struct instant now)
{
    struct slice rest = slice_skip(message, slice_find_byte(message, 0) + 1);
    size_t end = slice_find_byte(rest, 0);

    if (end == rest.len) {
        answer_kind(desk, POP3_ANSWER_MALFORMED, now);
        return;
    }
    size_t user = find_user(desk->lobby, slice_first(rest, end));
    decide(desk, is_password(desk->lobby, user, slice_skip(rest, end + 1)), user, "", now);
}

static void
answer_auth(struct lobby_desk *desk, const struct pop3_event *event, struct instant now)
{
    const char *mechanism = desk->mechanism;

    if (strcmp(mechanism, "PLAIN") == 0 && desk->auth_step == 1) {
        answer_plain(desk, event->response, now);
    } else if (strcmp(mechanism, "LOGIN") == 0 && desk->auth_step == 2) {
        size_t user = find_user(desk->lobby, slice_of_string(desk->login_name));
        decide(desk, is_password(desk->lobby, user, event->response), user, "", now);
    } else if (strcmp(mechanism, "LOGIN") == 0 && desk->auth_step == 1) {
        snprintf(desk->login_name, sizeof(desk->login_name), "%.*s", (int)event->response.len,
                 (const char *)event->response.at);
        challenge(desk, "Password:", now);
    } else if (strncmp(mechanism, "SCRAM", 5) == 0 && desk->auth_step == 2) {
        decide(desk, slice_equal(event->response, SLICE("c=biws,p=proof")), 0, "v=signature", now);
    } else if (desk->auth_step == 0) {
        challenge(desk, strcmp(mechanism, "LOGIN") == 0 ? "Username:" : "", now);
    } else {
        challenge(desk, "r=nonce,s=c2FsdA==,i=4096", now);
    }
}

static void
answer_apop(struct lobby_desk *desk, const struct pop3_event *event, struct instant now)
{
    size_t user = find_user(desk->lobby, event->name);
    uint8_t digest[TLS_MD5_SIZE];
    struct buffer text;

    buffer_init(&text, 2 * sizeof(digest));
    if (user < desk->lobby->user_count) {
        struct slice pieces[] = {desk->timestamp,
                                 slice_of_string(desk->lobby->users[user].password)};
        tls_md5(pieces, COUNT_OF(pieces), digest);
        buffer_put_hex(&text, slice_of(digest, sizeof(digest)));
    }
    decide(desk, slice_equal(buffer_slice(&text), event->digest), user, "", now);
    buffer_finish(&text);
}

/* ---- the maildrop -------------------------------------------------------------------------- */

static void
answer_open(struct lobby_desk *desk, struct instant now)
{
    struct lobby *lobby = desk->lobby;
    struct pop3_answer answer = {.kind = lobby->open_answer, .uid_validity = LOBBY_UID_VALIDITY};

    if (lobby->users[desk->user].is_locked)
        answer.kind = POP3_ANSWER_IN_USE;
    for (size_t i = 0; answer.kind == POP3_ANSWER_OK && i < lobby->message_count; i++) {
        const struct lobby_message *message = &lobby->messages[i];
        if (message->user == desk->user && message->bytes.at)
            pop3_server_add_message(desk->server, message->uid, message->bytes.len);
    }
    desk->has_lock = answer.kind == POP3_ANSWER_OK;
    if (desk->has_lock)
        lobby->users[desk->user].is_locked = true;
    pop3_server_answer(desk->server, &answer, now);
}

static void
read_on(struct lobby_desk *desk, struct instant now)
{
    struct slice bytes = desk->lobby->messages[desk->read_uid - 1].bytes;

    while (desk->read_offset < bytes.len && !pop3_server_has_enough(desk->server)) {
        size_t wanted = pop3_server_wants_body(desk->server);
        if (wanted == 0)
            return;
        struct slice piece = slice_first(slice_skip(bytes, desk->read_offset), wanted);
        size_t taken = pop3_server_put_body(desk->server, piece);
        assert(taken == piece.len);
        desk->read_offset += taken;
    }
    desk->is_reading = false;
    answer_kind(desk, desk->lobby->read_answer, now);
}

static void
answer_update(struct lobby_desk *desk, struct instant now)
{
    size_t place = 0;
    uint32_t uid;

    while (desk->lobby->update_answer == POP3_ANSWER_OK &&
           pop3_server_next_deleted(desk->server, &place, &uid))
        free_message(&desk->lobby->messages[uid - 1]);
    answer_kind(desk, desk->lobby->update_answer, now);
}

/* ---- events -------------------------------------------------------------------------------- */

static void
write_event(struct lobby_desk *desk, const struct pop3_event *event)
{
    static const char *const names[] = {"AUTH",   "STEP",  "APOP",     "OPEN", "READ",
                                        "UPDATE", "ABORT", "STARTTLS", "CLOSE"};
    struct buffer *journal = &desk->journal;

    buffer_put_text(journal, names[event->kind]);
    if (event->kind == POP3_EVENT_AUTH_BEGIN) {
        buffer_put_byte(journal, ' ');
        buffer_put(journal, event->mechanism);
    }
    if (event->kind == POP3_EVENT_APOP) {
        buffer_put_byte(journal, ' ');
        buffer_put(journal, event->name);
    }
    for (size_t i = 0; i < event->response.len; i++) {
        buffer_put_text(journal, i == 0 ? " " : "");
        buffer_put_byte(journal, event->response.at[i] ? event->response.at[i] : '/');
    }
    if (event->kind == POP3_EVENT_READ) {
        buffer_put_text(journal, event->is_top ? " top " : " ");
        buffer_put_decimal(journal, event->uid);
    }
    if (event->kind == POP3_EVENT_CLOSE) {
        buffer_put_byte(journal, ' ');
        buffer_put_decimal(journal, event->close);
    }
    buffer_put_byte(journal, '\n');
}

static void
begin_auth(struct lobby_desk *desk, const struct pop3_event *event)
{
    desk->auth_step = event->has_initial ? 1 : 0;
    snprintf(desk->mechanism, sizeof(desk->mechanism), "%.*s", (int)event->mechanism.len,
             (const char *)event->mechanism.at);
}

static void
handle(struct lobby_desk *desk, const struct pop3_event *event, struct instant now)
{
    switch (event->kind) {
    case POP3_EVENT_AUTH_BEGIN:
        begin_auth(desk, event);
        answer_auth(desk, event, now);
        break;
    case POP3_EVENT_AUTH_STEP:
        desk->auth_step++;
        answer_auth(desk, event, now);
        break;
    case POP3_EVENT_APOP:
        answer_apop(desk, event, now);
        break;
    case POP3_EVENT_OPEN:
        answer_open(desk, now);
        break;
    case POP3_EVENT_READ:
        desk->is_reading = true;
        desk->read_uid = event->uid;
        desk->read_offset = 0;
        break;
    case POP3_EVENT_UPDATE:
        answer_update(desk, now);
        break;
    case POP3_EVENT_AUTH_ABORT:
        break;
    case POP3_EVENT_STARTTLS:
        if (desk->starts_tls)
            pop3_server_tls_started(desk->server, now);
        desk->is_tls_due = !desk->starts_tls;
        break;
    case POP3_EVENT_CLOSE:
        unlock(desk);
        desk->is_reading = false;
        desk->is_closed = true;
        desk->close = event->close;
        break;
    }
}

void
lobby_desk_work(struct lobby_desk *desk, struct instant now)
{
    struct pop3_event event;

    do {
        if (desk->is_reading)
            read_on(desk, now);
        while (pop3_server_next(desk->server, &event)) {
            write_event(desk, &event);
            handle(desk, &event, now);
        }
    } while (desk->is_reading && pop3_server_wants_body(desk->server) > 0);
}
