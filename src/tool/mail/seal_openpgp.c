/* SPDX-License-Identifier: ISC */
/* Signing and encrypting with OpenPGP (RFC 3156). */
#include "client/openpgp.h"
#include "tool/letter.h"
#include "tool/mail/desk.h"
#include "tool/mail/seal_private.h"
#include "tool/say.h"

#include <stdlib.h>

enum { WORK_MAX = 1 << 30, TYPE_MAX = 256 };

/* Armor has the line ends of this machine; a last one belongs to the boundary behind it. */
static void
put_armor(struct slice armor, struct buffer *out)
{
    for (struct slice rest = armor; rest.len > 0;) {
        struct slice line = slice_first(rest, slice_find_byte(rest, '\n'));
        rest = slice_skip(rest, line.len + 1);
        buffer_put(out, line);
        buffer_put_text(out, rest.len > 0 ? "\r\n" : "");
    }
}

/* RFC 3156 §5. */
static void
put_signed(struct slice message, struct slice entity, const struct openpgp_answer *answer,
           struct buffer *out)
{
    struct buffer type, part;

    buffer_init(&type, TYPE_MAX);
    buffer_init(&part, LETTER_MAX);
    buffer_put_text(&type, "multipart/signed; micalg=pgp-");
    buffer_put(&type, answer->digest);
    buffer_put_text(&type, ";\r\n protocol=\"application/pgp-signature\"");
    buffer_put_text(&part, "Content-Type: application/pgp-signature; name=\"signature.asc\"\r\n"
                           "Content-Description: OpenPGP signature\r\n\r\n");
    put_armor(answer->content, &part);
    struct seal_pair pair = {.type = buffer_slice(&type),
                             .preamble = SLICE("This message is signed (OpenPGP)."),
                             .first = entity,
                             .second = buffer_slice(&part)};
    seal_put_pair(message, &pair, out);
    buffer_finish(&type);
    buffer_finish(&part);
}

/* RFC 3156 §4. */
static void
put_encrypted(struct slice message, struct slice armor, struct buffer *out)
{
    struct buffer part;

    buffer_init(&part, LETTER_MAX);
    buffer_put_text(&part, "Content-Type: application/octet-stream; name=\"encrypted.asc\"\r\n"
                           "Content-Disposition: inline; filename=\"encrypted.asc\"\r\n\r\n");
    put_armor(armor, &part);
    struct seal_pair pair = {
        .type = SLICE("multipart/encrypted;\r\n protocol=\"application/pgp-encrypted\""),
        .preamble = SLICE("This message is encrypted (OpenPGP)."),
        .first = SLICE("Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n"),
        .second = buffer_slice(&part)};
    seal_put_pair(message, &pair, out);
    buffer_finish(&part);
}

static int
tell_missing(const struct openpgp_answer *answer, const struct composed *composed)
{
    struct slice first = answer->missing[0], sender = buffer_slice(&composed->sender);

    if (slice_equal_nocase(first, sender))
        return say_error(EX_CONFIG,
                         "you have no OpenPGP key for %.*s; make one with 'gpg --quick-gen-key "
                         "%.*s'",
                         CLIENT_TEXT(sender), CLIENT_TEXT(sender));
    return say_error(EX_NOINPUT,
                     "no OpenPGP key of %.*s is known that somebody vouches for whom you trust: "
                     "nothing was sent. Import it with 'gpg --import FILE', and when you are sure "
                     "that it is theirs, sign it: gpg --quick-lsign-key FINGERPRINT",
                     CLIENT_TEXT(first));
}

static int
ask(const struct openpgp_question *question, const struct composed *composed, struct arena *arena,
    struct openpgp_answer *ret_answer)
{
    struct client_problem problem = {0};

    if (!client_openpgp_ask(question, arena, ret_answer, &problem))
        return desk_tell(&problem);
    if (ret_answer->missing_count > 0 && question->verb != OPENPGP_FIND)
        return tell_missing(ret_answer, composed);
    return ret_answer->is_done ? EX_OK
                               : say_error(EX_UNAVAILABLE, "GnuPG says: %.*s; nothing was sent",
                                           CLIENT_TEXT(ret_answer->why));
}

/* Everybody who gets it, and who writes, when there is a key: what is kept among the sent must be
 * readable for its writer. */
static int
find_readers(const struct composed *composed, struct arena *arena,
             struct openpgp_question *question)
{
    size_t count = composed->outgoing.count;
    struct slice *readers = ARENA_ARRAY(arena, struct slice, count + 1);
    struct slice self = buffer_slice(&composed->sender);
    struct openpgp_question find = {
        .verb = OPENPGP_FIND, .recipients = &self, .recipients_count = 1};
    struct openpgp_answer answer = {0};

    if (!readers)
        abort();
    int code = ask(&find, composed, arena, &answer);
    if (count > 0)
        memcpy(readers, composed->outgoing.recipients, count * sizeof(*readers));
    if (answer.missing_count == 0)
        readers[count++] = self;
    question->recipients = readers;
    question->recipients_count = count;
    return code;
}

int
seal_put_openpgp(const struct seal_wish *wish, struct composed *composed)
{
    struct buffer *content = &composed->outgoing.content;
    struct openpgp_question question = {.verb = OPENPGP_SIGN,
                                        .signer = buffer_slice(&composed->sender)};
    struct openpgp_answer answer;
    struct buffer entity, sealed;
    struct arena arena;
    int code = EX_OK;

    buffer_init(&entity, LETTER_MAX);
    buffer_init(&sealed, LETTER_MAX);
    arena_init(&arena, WORK_MAX);
    seal_put_entity(buffer_slice(content), &entity);
    question.content = buffer_slice(&entity);
    if (wish->is_encrypted) {
        question.verb = wish->is_signed ? OPENPGP_SIGN_ENCRYPT : OPENPGP_ENCRYPT;
        code = find_readers(composed, &arena, &question);
    }
    if (code == EX_OK)
        code = ask(&question, composed, &arena, &answer);
    if (code == EX_OK) {
        if (wish->is_encrypted)
            put_encrypted(buffer_slice(content), answer.content, &sealed);
        else
            put_signed(buffer_slice(content), question.content, &answer, &sealed);
        buffer_clear(content);
        buffer_put(content, buffer_slice(&sealed));
    }
    arena_finish(&arena);
    buffer_finish(&entity);
    buffer_finish(&sealed);
    return code;
}
