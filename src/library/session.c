/* SPDX-License-Identifier: ISC */
#include "client/folder.h"
#include "library/library_private.h"

#include <stdlib.h>

enum {
    ACCOUNT_MAX = 1 << 20,
    FLAGS = FACTEUR_SEEN | FACTEUR_ANSWERED | FACTEUR_FLAGGED | FACTEUR_DELETED | FACTEUR_DRAFT
};

struct facteur_session {
    struct arena arena;
    struct client_account account;
    struct facteur_account given;
    struct client_login login;
    struct client_folder *folder;
    struct buffer trace;
};

/* ---- for the room -------------------------------------------------------------------------- */

bool
library_fail(struct facteur_error *error, const struct client_problem *problem)
{
    static const enum facteur_error_kind kinds[] = {
        [CLIENT_PROBLEM_NONE] = FACTEUR_OK,
        [CLIENT_PROBLEM_SETTINGS] = FACTEUR_SETTINGS,
        [CLIENT_PROBLEM_UNREACHABLE] = FACTEUR_UNREACHABLE,
        [CLIENT_PROBLEM_INSECURE] = FACTEUR_INSECURE,
        [CLIENT_PROBLEM_LOGIN] = FACTEUR_LOGIN,
        [CLIENT_PROBLEM_PROTOCOL] = FACTEUR_PROTOCOL,
        [CLIENT_PROBLEM_TEMPORARY] = FACTEUR_TEMPORARY,
        [CLIENT_PROBLEM_REFUSED] = FACTEUR_REFUSED,
        [CLIENT_PROBLEM_MISSING] = FACTEUR_MISSING,
        [CLIENT_PROBLEM_FILE] = FACTEUR_FILE,
        [CLIENT_PROBLEM_TOO_LARGE] = FACTEUR_TOO_LARGE,
    };

    static_assert(sizeof(error->text) == sizeof(problem->text), "one is copied into the other");
    if (error && error->kind == FACTEUR_OK) {
        error->kind = kinds[problem->kind];
        memcpy(error->text, problem->text, sizeof(error->text));
    }
    return false;
}

bool
library_account(struct arena *arena, const struct facteur_account *from,
                struct client_account *ret_account, struct facteur_error *error)
{
    struct client_problem problem = {0};
    struct client_account account = {
        .name = from->address,
        .address = from->address ? from->address : "",
        .person = from->name,
        .login = from->login ? from->login : from->address,
        .trust = from->trust,
        .sent = "",
        .tls = from->allows_clear ? CLIENT_TLS_OFFERED : CLIENT_TLS_REQUIRED,
    };

    if (!strchr(account.address, '@'))
        client_problem_set(&problem, CLIENT_PROBLEM_SETTINGS, "the account has no address");
    else if (from->incoming && !client_server_parse(arena, slice_of_string(from->incoming),
                                                    &account.incoming, &problem))
        return library_fail(error, &problem);
    else if (from->outgoing && !client_server_parse(arena, slice_of_string(from->outgoing),
                                                    &account.outgoing, &problem))
        return library_fail(error, &problem);
    if (account.incoming.protocol == CLIENT_SMTP ||
        (from->outgoing && account.outgoing.protocol != CLIENT_SMTP))
        client_problem_set(&problem, CLIENT_PROBLEM_SETTINGS,
                           "incoming is IMAP or POP3, outgoing is SMTP");
    if (problem.kind != CLIENT_PROBLEM_NONE)
        return library_fail(error, &problem);
    *ret_account = account;
    return true;
}

void
library_trace(const struct facteur_account *account, const struct buffer *trace)
{
    struct slice rest = buffer_slice(trace);

    while (account->trace && rest.len > 0) {
        struct slice line = slice_first(rest, slice_find_byte(rest, '\n'));
        char *text = strndup((const char *)line.at, line.len);
        rest = slice_skip(rest, line.len + 1);
        if (!text)
            abort();
        account->trace(account->trace_context, text);
        free(text);
    }
}

/* ---- opening and closing ------------------------------------------------------------------- */

static struct facteur_session *
new_session(void)
{
    struct facteur_session *session = calloc(1, sizeof(*session));

    if (!session)
        abort();
    arena_init(&session->arena, ACCOUNT_MAX);
    buffer_init(&session->trace, LIBRARY_TRACE_MAX);
    return session;
}

static void
free_session(struct facteur_session **session)
{
    struct facteur_session *s = *session;

    client_folder_close(&s->folder);
    library_trace(&s->given, &s->trace);
    buffer_finish(&s->trace);
    arena_finish(&s->arena);
    free(s);
    *session = NULL;
}

static struct facteur_session *
open_at(struct facteur_session *session, const struct client_folder_place *place,
        struct facteur_error *error)
{
    struct client_problem problem = {0};

    session->folder = client_folder_open(place, &problem);
    if (!session->folder) {
        library_fail(error, &problem);
        free_session(&session);
    }
    return session;
}

struct facteur_session *
facteur_open(const struct facteur_account *account, const char *folder, struct facteur_error *error)
{
    struct facteur_session *session = new_session();
    struct client_folder_place place = {.login = &session->login,
                                        .folder = folder ? folder : "INBOX"};

    session->given = *account;
    if (!library_account(&session->arena, account, &session->account, error)) {
        free_session(&session);
        return NULL;
    }
    session->login = (struct client_login){
        .account = &session->account,
        .password = slice_of_string(account->password ? account->password : ""),
        .trace = account->trace ? &session->trace : NULL,
    };
    return open_at(session, &place, error);
}

struct facteur_session *
facteur_open_box(const char *path, struct facteur_error *error)
{
    struct client_folder_place place = {.path = path};

    return open_at(new_session(), &place, error);
}

bool
facteur_close(struct facteur_session **session, struct facteur_error *error)
{
    struct client_problem problem = {0};

    if (!*session)
        return true;
    bool is_done = client_folder_finish((*session)->folder, &problem);
    if (!is_done)
        library_fail(error, &problem);
    free_session(session);
    return is_done;
}

/* ---- messages ------------------------------------------------------------------------------ */

size_t
facteur_count(const struct facteur_session *session)
{
    return client_folder_count(session->folder);
}

bool
facteur_info(const struct facteur_session *session, size_t number, struct facteur_info *ret_info)
{
    if (number == 0 || number > facteur_count(session))
        return false;
    const struct client_letter *letter = client_folder_letter(session->folder, number - 1);
    *ret_info = (struct facteur_info){
        .size = letter->size, .flags = letter->flags & FLAGS, .unique = letter->unique};
    return true;
}

/* A message by its number; false, and the error is set, without it. */
static bool
choose(const struct facteur_session *session, size_t number, size_t *ret_index,
       struct facteur_error *error)
{
    struct client_problem problem = {0};

    *ret_index = number - 1;
    if (number > 0 && number <= facteur_count(session))
        return true;
    client_problem_set(&problem, CLIENT_PROBLEM_MISSING, "there is no message %zu", number);
    return library_fail(error, &problem);
}

/* The caller's copy, with a NUL behind it. */
static char *
hand_over(struct slice bytes, size_t *ret_len)
{
    char *text = malloc(bytes.len + 1);

    if (!text)
        abort();
    memcpy(text, bytes.at, bytes.len);
    text[bytes.len] = '\0';
    *ret_len = bytes.len;
    return text;
}

char *
facteur_read(struct facteur_session *session, size_t number, size_t *ret_len,
             struct facteur_error *error)
{
    struct client_problem problem = {0};
    struct buffer message;
    char *text = NULL;
    size_t index;

    if (!choose(session, number, &index, error))
        return NULL;
    buffer_init(&message, CLIENT_MESSAGE_MAX);
    if (client_folder_read(session->folder, index, &message, &problem))
        text = hand_over(buffer_slice(&message), ret_len);
    else
        library_fail(error, &problem);
    buffer_finish(&message);
    return text;
}

static void
take_head(void *context, size_t index, struct slice head)
{
    struct buffer *out = context;
    size_t end = slice_find(head, SLICE("\r\n\r\n"));

    (void)index;
    buffer_clear(out);
    buffer_put(out, slice_first(head, end + 2));
}

char *
facteur_read_head(struct facteur_session *session, size_t number, size_t *ret_len,
                  struct facteur_error *error)
{
    struct client_problem problem = {0};
    struct buffer head;
    char *text = NULL;
    size_t index;

    if (!choose(session, number, &index, error))
        return NULL;
    struct client_chosen one = {.indexes = &index, .count = 1};
    buffer_init(&head, CLIENT_MESSAGE_MAX);
    if (client_folder_heads(session->folder, one, take_head, &head, &problem))
        text = hand_over(buffer_slice(&head), ret_len);
    else
        library_fail(error, &problem);
    buffer_finish(&head);
    return text;
}

bool
facteur_flag(struct facteur_session *session, size_t number, uint32_t add, uint32_t remove,
             struct facteur_error *error)
{
    struct client_problem problem = {0};
    size_t index;

    if (!choose(session, number, &index, error))
        return false;
    struct client_chosen one = {.indexes = &index, .count = 1};
    return client_folder_flag(session->folder, one, add, remove, &problem) ||
           library_fail(error, &problem);
}

bool
facteur_delete(struct facteur_session *session, size_t number, struct facteur_error *error)
{
    struct client_problem problem = {0};
    size_t index;

    if (!choose(session, number, &index, error))
        return false;
    struct client_chosen one = {.indexes = &index, .count = 1};
    return client_folder_delete(session->folder, one, &problem) || library_fail(error, &problem);
}
