/* SPDX-License-Identifier: ISC */
#include "tool/mail/seal.h"

#include "client/openpgp.h"
#include "mime/downgrade.h"
#include "text/base64.h"
#include "text/utf8.h"
#include "tool/files.h"
#include "tool/letter.h"
#include "tool/mail/seal_private.h"
#include "tool/say.h"

#include <stdlib.h>
#include <sysexits.h>

enum { WORK_MAX = 256 << 20, BOUNDARY_OCTETS = 16, LIST_MAX = 4096 };

/* ---- parts of a message -------------------------------------------------------------------- */

static bool
is_of_content(const struct field *field)
{
    return slice_starts_with_nocase(field->name, SLICE("Content-")) ||
           field->id == FIELD_MIME_VERSION;
}

static bool
is_of_message(const struct field *field)
{
    return !is_of_content(field);
}

void
seal_put_outer(struct slice message, struct buffer *out)
{
    header_put_without(out, message, is_of_content);
}

void
seal_put_entity(struct slice message, struct buffer *out)
{
    struct header header;
    struct arena arena;

    arena_init(&arena, WORK_MAX);
    header_parse(&arena, message, &header);
    header_put_without(out, message, is_of_message);
    buffer_put_text(out, "\r\n");
    buffer_put(out, slice_skip(message, header.body_offset));
    arena_finish(&arena);
}

void
seal_put_base64(struct slice bytes, struct buffer *out)
{
    struct base64_encoder encoder;

    base64_encoder_init(&encoder);
    base64_encoder_feed(&encoder, bytes, out);
    base64_encoder_finish(&encoder, out);
    if (!slice_ends_with(buffer_slice(out), SLICE("\r\n")))
        buffer_put_text(out, "\r\n");
}

void
seal_put_pair(struct slice message, const struct seal_pair *pair, struct buffer *out)
{
    const struct slice parts[] = {pair->first, pair->second};
    uint8_t random[BOUNDARY_OCTETS];
    struct buffer boundary;

    files_random(random, sizeof(random));
    buffer_init(&boundary, 128);
    buffer_put_text(&boundary, "=_");
    buffer_put_hex(&boundary, slice_of(random, sizeof(random)));
    seal_put_outer(message, out);
    buffer_put_text(out, "MIME-Version: 1.0\r\nContent-Type: ");
    buffer_put(out, pair->type);
    buffer_put_text(out, ";\r\n boundary=\"");
    buffer_put(out, buffer_slice(&boundary));
    buffer_put_text(out, "\"\r\n\r\n");
    buffer_put(out, pair->preamble);
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        buffer_put_text(out, "\r\n--");
        buffer_put(out, buffer_slice(&boundary));
        buffer_put_text(out, "\r\n");
        buffer_put(out, parts[i]);
    }
    buffer_put_text(out, "\r\n--");
    buffer_put(out, buffer_slice(&boundary));
    buffer_put_text(out, "--\r\n");
    buffer_finish(&boundary);
}

/* What stands behind a signer must arrive as it was: 7 bits, which no relay changes. */
static int
make_7bit(struct buffer *content)
{
    struct mime_downgrade how;
    struct buffer converted;
    struct arena arena;
    int code = EX_OK;

    if (utf8_is_ascii(buffer_slice(content)))
        return EX_OK;
    buffer_init(&converted, LETTER_MAX);
    arena_init(&arena, WORK_MAX);
    if (mime_downgrade_put(buffer_slice(content), &arena, &converted, &how)) {
        buffer_clear(content);
        buffer_put(content, buffer_slice(&converted));
    } else {
        code = say_error(EX_DATAERR, "the message cannot be signed: a part of it is neither text "
                                     "nor encoded");
    }
    arena_finish(&arena);
    buffer_finish(&converted);
    return code;
}

/* ---- which form ---------------------------------------------------------------------------- */

int
seal_read_options(const struct command_call *call, struct seal_wish *ret_wish)
{
    const char *form = command_value(call, "seal");
    struct seal_wish wish = {.is_signed = command_has(call, "sign"),
                             .is_encrypted = command_has(call, "encrypt")};

    if (form && strcmp(form, "smime") == 0)
        wish.form = SEAL_SMIME;
    else if (form && strcmp(form, "openpgp") == 0)
        wish.form = SEAL_OPENPGP;
    else if (form)
        return say_error(EX_USAGE, "--seal: expected smime or openpgp, not '%s'", form);
    if (form && !wish.is_signed && !wish.is_encrypted)
        return say_error(EX_USAGE, "--seal: with --sign, --encrypt or both");
    *ret_wish = wish;
    return EX_OK;
}

static bool
can_smime(const struct client_account *account, const struct seal_wish *wish,
          const struct outgoing *outgoing)
{
    bool is_known = account->certificate || !wish->is_signed;

    for (size_t i = 0; i < outgoing->count && wish->is_encrypted; i++)
        is_known = is_known && seal_has_certificate(outgoing->recipients[i]);
    return is_known;
}

/* EX_OK when there are OpenPGP keys for all of it. */
static int
find_openpgp(const struct client_account *account, const struct seal_wish *wish,
             const struct composed *composed)
{
    struct openpgp_question question = {.verb = OPENPGP_FIND};
    struct client_problem problem = {0};
    struct openpgp_answer answer;
    struct buffer missing;
    struct arena arena;

    if (wish->is_signed)
        question.signer = buffer_slice(&composed->sender);
    question.recipients = composed->outgoing.recipients;
    question.recipients_count = wish->is_encrypted ? composed->outgoing.count : 0;
    arena_init(&arena, WORK_MAX);
    buffer_init(&missing, LIST_MAX);
    bool is_answered = client_openpgp_ask(&question, &arena, &answer, &problem) && answer.is_done;
    for (size_t i = 0; is_answered && i < answer.missing_count; i++) {
        buffer_put_text(&missing, i > 0 ? ", " : "");
        buffer_put(&missing, answer.missing[i]);
    }
    struct slice names = buffer_slice(&missing);
    int code = EX_OK;
    if (wish->is_signed && !account->certificate && (!is_answered || names.len > 0) &&
        !wish->is_encrypted)
        code = say_error(EX_CONFIG,
                         "the account %s has no certificate (S/MIME), and there is no OpenPGP key "
                         "of yours; set the one with 'facteur certificate add FILE', or "
                         "make the other with 'gpg --quick-gen-key %.*s'",
                         account->name, CLIENT_TEXT(buffer_slice(&composed->sender)));
    else if (!is_answered || names.len > 0)
        code = say_error(EX_NOINPUT,
                         "nothing was sent: not everybody has a certificate (S/MIME), and no "
                         "OpenPGP key that is vouched for is known of: %.*s. Show a message of "
                         "theirs that is signed, or import their key into GnuPG and sign it",
                         CLIENT_TEXT(names));
    arena_finish(&arena);
    buffer_finish(&missing);
    return code;
}

int
seal_put(const struct client_account *account, const struct seal_wish *wish,
         struct composed *composed)
{
    struct seal_wish chosen = *wish;
    int code = EX_OK;

    if (!wish->is_signed && !wish->is_encrypted)
        return EX_OK;
    if (wish->form == SEAL_ANY && can_smime(account, wish, &composed->outgoing)) {
        chosen.form = SEAL_SMIME;
    } else if (wish->form == SEAL_ANY) {
        chosen.form = SEAL_OPENPGP;
        code = find_openpgp(account, wish, composed);
    }
    if (code == EX_OK)
        code = make_7bit(&composed->outgoing.content);
    if (code != EX_OK)
        return code;
    return chosen.form == SEAL_SMIME ? seal_put_smime(account, &chosen, composed)
                                     : seal_put_openpgp(&chosen, composed);
}
