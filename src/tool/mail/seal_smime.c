/* SPDX-License-Identifier: ISC */
/* Signing and encrypting with S/MIME. */
#include "tool/files.h"
#include "tool/letter.h"
#include "tool/mail/desk.h"
#include "tool/mail/seal_private.h"
#include "tool/say.h"

#include <stdlib.h>

enum { PEM_FILE_MAX = 1 << 20, WORDS_MAX = 4096 };

/* ---- certificates -------------------------------------------------------------------------- */

struct smime_identity *
seal_identity(const struct client_account *account, bool is_quiet)
{
    struct buffer pem, problem;
    struct smime_identity *identity = NULL;

    if (!account->certificate && !is_quiet)
        say_error(EX_CONFIG,
                  "the account %s has no certificate; set it with 'facteur certificate add "
                  "FILE'",
                  account->name);
    if (!account->certificate || (is_quiet && !files_exists(account->certificate)))
        return NULL;
    buffer_init(&problem, WORDS_MAX);
    if (files_read(account->certificate, PEM_FILE_MAX, &pem) == EX_OK) {
        identity = smime_identity_open(buffer_slice(&pem), &problem);
        if (!identity && !is_quiet)
            say_error(EX_DATAERR, "%s: %.*s", account->certificate,
                      CLIENT_TEXT(buffer_slice(&problem)));
    }
    buffer_wipe(&pem);
    buffer_finish(&problem);
    return identity;
}

char *
seal_certificate_path(struct slice address)
{
    char *folder = desk_config_path("certificates"), *path = NULL;
    struct buffer name;

    buffer_init(&name, 512);
    for (size_t i = 0; i < address.len; i++)
        buffer_put_byte(&name, byte_to_lower(address.at[i]));
    buffer_put_text(&name, ".pem");
    buffer_put_byte(&name, '\0');
    bool is_sound = !buffer_overflowed(&name) && address.len > 0 && address.at[0] != '.' &&
                    slice_find_byte(address, '/') == address.len &&
                    slice_find_byte(address, '\0') == address.len;
    if (folder && is_sound && files_make_folder(folder, 0700) == EX_OK)
        path = files_path(folder, (const char *)buffer_slice(&name).at);
    buffer_finish(&name);
    free(folder);
    return path;
}

bool
seal_has_certificate(struct slice address)
{
    char *path = seal_certificate_path(address);
    bool is_there = path && files_exists(path);

    free(path);
    return is_there;
}

/* ---- signing ------------------------------------------------------------------------------- */

/* RFC 8551 §3.5.3. */
static void
put_signed(struct slice message, struct slice entity, struct slice signature, struct buffer *out)
{
    struct buffer part;

    buffer_init(&part, LETTER_MAX);
    buffer_put_text(&part, "Content-Type: application/pkcs7-signature; name=\"smime.p7s\"\r\n"
                           "Content-Transfer-Encoding: base64\r\n"
                           "Content-Disposition: attachment; filename=\"smime.p7s\"\r\n\r\n");
    seal_put_base64(signature, &part);
    buffer_truncate(&part, buffer_len(&part) - 2); /* the line end belongs to the boundary */
    struct seal_pair pair = {.type = SLICE("multipart/signed; micalg=sha-256;\r\n"
                                           " protocol=\"application/pkcs7-signature\""),
                             .preamble = SLICE("This message is signed (S/MIME)."),
                             .first = entity,
                             .second = buffer_slice(&part)};
    seal_put_pair(message, &pair, out);
    buffer_finish(&part);
}

static int
sign(const struct client_account *account, struct composed *composed)
{
    struct smime_identity *identity = seal_identity(account, false);
    struct buffer *content = &composed->outgoing.content;
    struct buffer entity, signature, sealed, problem;
    int code = identity ? EX_OK : EX_CONFIG;

    buffer_init(&entity, LETTER_MAX);
    buffer_init(&signature, LETTER_MAX);
    buffer_init(&sealed, LETTER_MAX);
    buffer_init(&problem, WORDS_MAX);
    if (code == EX_OK) {
        seal_put_entity(buffer_slice(content), &entity);
        if (!smime_sign(identity, buffer_slice(&entity), &signature, &problem))
            code = say_error(EX_SOFTWARE, "%.*s", CLIENT_TEXT(buffer_slice(&problem)));
    }
    if (code == EX_OK) {
        put_signed(buffer_slice(content), buffer_slice(&entity), buffer_slice(&signature), &sealed);
        buffer_clear(content);
        buffer_put(content, buffer_slice(&sealed));
    }
    smime_identity_close(&identity);
    buffer_finish(&entity);
    buffer_finish(&signature);
    buffer_finish(&sealed);
    buffer_finish(&problem);
    return code;
}

/* ---- encrypting ---------------------------------------------------------------------------- */

static int
read_certificate(struct slice address, struct buffer *ret_pem)
{
    char *path = seal_certificate_path(address);
    int code;

    if (path && files_exists(path))
        code = files_read(path, PEM_FILE_MAX, ret_pem);
    else
        code = say_error(EX_NOINPUT,
                         "no certificate of %.*s is known: nothing was sent. Show a message of "
                         "theirs that is signed, or put their certificate into %s",
                         CLIENT_TEXT(address), path ? path : "a file");
    free(path);
    return code;
}

/* RFC 8551 §3.3. */
static int
put_encrypted(const struct buffer *cards, size_t count, struct slice message, struct buffer *out)
{
    struct slice *slices = calloc(count + 1, sizeof(*slices));
    struct buffer entity, envelope, problem;
    int code = EX_OK;

    if (!slices)
        abort();
    buffer_init(&entity, LETTER_MAX);
    buffer_init(&envelope, LETTER_MAX);
    buffer_init(&problem, WORDS_MAX);
    for (size_t i = 0; i < count; i++)
        slices[i] = buffer_slice(&cards[i]);
    seal_put_entity(message, &entity);
    if (!smime_encrypt(slices, count, buffer_slice(&entity), &envelope, &problem))
        code = say_error(EX_DATAERR, "%.*s; nothing was sent", CLIENT_TEXT(buffer_slice(&problem)));
    seal_put_outer(message, out);
    buffer_put_text(out, "MIME-Version: 1.0\r\n"
                         "Content-Type: application/pkcs7-mime; smime-type=enveloped-data;\r\n"
                         " name=\"smime.p7m\"\r\n"
                         "Content-Transfer-Encoding: base64\r\n"
                         "Content-Disposition: attachment; filename=\"smime.p7m\"\r\n\r\n");
    seal_put_base64(buffer_slice(&envelope), out);
    free(slices);
    buffer_finish(&entity);
    buffer_finish(&envelope);
    buffer_finish(&problem);
    return code;
}

static int
encrypt(const struct client_account *account, struct composed *composed)
{
    struct outgoing *outgoing = &composed->outgoing;
    struct buffer *cards = calloc(outgoing->count + 1, sizeof(*cards));
    size_t count = 0;
    struct buffer sealed;
    int code = EX_OK;

    if (!cards)
        abort();
    buffer_init(&sealed, LETTER_MAX);
    for (; count < outgoing->count && code == EX_OK; count++)
        code = read_certificate(outgoing->recipients[count], &cards[count]);
    /* What is kept among the sent must be readable for its writer. */
    if (code == EX_OK && account->certificate)
        code = files_read(account->certificate, PEM_FILE_MAX, &cards[count++]);
    if (code == EX_OK)
        code = put_encrypted(cards, count, buffer_slice(&outgoing->content), &sealed);
    if (code == EX_OK) {
        buffer_clear(&outgoing->content);
        buffer_put(&outgoing->content, buffer_slice(&sealed));
    }
    for (size_t i = 0; i < count; i++)
        buffer_wipe(&cards[i]);
    free(cards);
    buffer_finish(&sealed);
    return code;
}

int
seal_put_smime(const struct client_account *account, const struct seal_wish *wish,
               struct composed *composed)
{
    int code = wish->is_signed ? sign(account, composed) : EX_OK;

    return code == EX_OK && wish->is_encrypted ? encrypt(account, composed) : code;
}
