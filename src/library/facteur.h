/* SPDX-License-Identifier: ISC */
/* libfacteur: mail for programs. One header, plain C, calls that wait.
 *
 *     struct facteur_error error = {0};
 *     struct facteur_session *session = facteur_open(&account, "INBOX", &error);
 *     printf("%zu messages\n", facteur_count(session));
 *     facteur_close(&session, &error);
 *
 * Calls that can fail return false or NULL, and say why in `error`, which begins as {0}; the first
 * error stays. Nothing is printed, no signal is touched (SIGPIPE cannot come), nothing is global:
 * threads may work side by side, each with sessions of its own. Strings are UTF-8. Link with
 * `pkg-config --cflags --libs facteur`; facteur(3) is the manual page. */
#ifndef LIBRARY_FACTEUR_H
#define LIBRARY_FACTEUR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum facteur_error_kind {
    FACTEUR_OK,
    FACTEUR_SETTINGS,    /* a wrong URL, an address that is none */
    FACTEUR_UNREACHABLE, /* no connection, or it was lost: try again later */
    FACTEUR_INSECURE,    /* no TLS, or a certificate that nobody vouches for */
    FACTEUR_LOGIN,       /* name or password */
    FACTEUR_PROTOCOL,    /* the server breaks the rules */
    FACTEUR_TEMPORARY,   /* the server says: not now */
    FACTEUR_REFUSED,     /* the server says: no */
    FACTEUR_MISSING,     /* no such folder, message or part */
    FACTEUR_FILE,        /* on this machine */
    FACTEUR_TOO_LARGE
};

struct facteur_error {
    enum facteur_error_kind kind;
    char text[600]; /* one sentence, safe to print */
};

/* ---- accounts ------------------------------------------------------------------------------ */

/* Strings are the caller's, for as long as a session is open; NULL where nothing is to be said. */
struct facteur_account {
    const char *address; /* alice@example.org */
    const char *name;    /* of the person; for From */
    const char *login;   /* NULL: the address */
    const char *password;
    const char *incoming; /* imaps://HOST[:PORT], imap://, pop3s://, pop3:// */
    const char *outgoing; /* smtps://HOST[:PORT], smtp:// */
    const char *trust;    /* file with certificates (PEM); NULL: the system's */
    /* Without TLS nothing is said to a server, unless this is true: for servers of one's own. */
    bool allows_clear;
    /* Called with each line of the dialogue and each state, passwords masked; may be NULL. */
    void (*trace)(void *context, const char *line);
    void *trace_context;
};

/* ---- reading ------------------------------------------------------------------------------- */

struct facteur_session;

/* Logs in and opens a folder; with POP3 there is "INBOX" only. */
struct facteur_session *facteur_open(const struct facteur_account *account, const char *folder,
                                     struct facteur_error *error);

/* The same for an mbox file or a Maildir of this machine. */
struct facteur_session *facteur_open_box(const char *path, struct facteur_error *error);

/* How many messages there are. Their numbers are 1 (the oldest) to this, until close. */
size_t facteur_count(const struct facteur_session *session);

enum facteur_flag {
    FACTEUR_SEEN = 1,
    FACTEUR_ANSWERED = 2,
    FACTEUR_FLAGGED = 4,
    FACTEUR_DELETED = 8,
    FACTEUR_DRAFT = 16
};

struct facteur_info {
    uint64_t size;      /* octets */
    uint32_t flags;     /* set of enum facteur_flag; POP3 has none */
    const char *unique; /* the same in every session; NULL when there is none; until close */
};

/* What is known of a message; false for a number that does not exist. */
bool facteur_info(const struct facteur_session *session, size_t number,
                  struct facteur_info *ret_info);

/* The whole message, or its header; to be freed with free(). A NUL stands behind it. */
char *facteur_read(struct facteur_session *session, size_t number, size_t *ret_len,
                   struct facteur_error *error);
char *facteur_read_head(struct facteur_session *session, size_t number, size_t *ret_len,
                        struct facteur_error *error);

/* Sets and takes away flags; deletes for good. */
bool facteur_flag(struct facteur_session *session, size_t number, uint32_t add, uint32_t remove,
                  struct facteur_error *error);
bool facteur_delete(struct facteur_session *session, size_t number, struct facteur_error *error);

/* Makes the changes lasting and frees the session, also when it fails. Takes a pointer to NULL. */
bool facteur_close(struct facteur_session **session, struct facteur_error *error);

/* ---- what a message says ------------------------------------------------------------------- */

struct facteur_letter;

/* Takes a message apart, whatever it is; the octets must live as long as the letter. NULL when it
 * has no end of parts. */
struct facteur_letter *facteur_letter_open(const char *message, size_t len);
void facteur_letter_close(struct facteur_letter **letter);

/* A field by its name ("Subject"), decoded, in one line without control characters; "" without it.
 * Until close. */
const char *facteur_letter_field(struct facteur_letter *letter, const char *name);

/* What it says: plain text, or HTML as text. Lines end in LF. Until close. */
const char *facteur_letter_text(struct facteur_letter *letter);

struct facteur_attachment {
    const char *name; /* safe as the name of a file */
    const char *type; /* "image/png" */
    const char *data; /* decoded */
    size_t len;
    const char *url; /* where it is to be had when it is not in the message, else NULL; nothing is
                        fetched (message/external-body) */
};

/* How many attachments it has, and one of them, from 0 on; until close. */
size_t facteur_letter_attachments(const struct facteur_letter *letter);
bool facteur_letter_attachment(struct facteur_letter *letter, size_t index,
                               struct facteur_attachment *ret_attachment);

/* ---- writing ------------------------------------------------------------------------------- */

/* Lists of addresses as people write them: "Bob <bob@example.org>, carol@example.org". */
struct facteur_message {
    const char *to, *cc, *bcc;
    const char *subject;
    const char *text;
    /* type NULL: by the ending of the name. With a url neither name, type nor data are looked at:
     * it is said where it is. */
    const struct facteur_attachment *attachments;
    size_t attachments_count;
    bool is_digest; /* the attachments are messages, sent as one multipart/digest */
};

/* Sends it through the account's server. False when not everybody will get it. */
bool facteur_send(const struct facteur_account *account, const struct facteur_message *message,
                  struct facteur_error *error);

#ifdef __cplusplus
}
#endif

#endif
