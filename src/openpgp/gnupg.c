/* SPDX-License-Identifier: ISC */
#include "openpgp/gnupg.h"

#include <errno.h>
#include <gpgme.h>
#include <locale.h>
#include <stdlib.h>

enum { SEALED_MAX = 1 << 29 /* our own message, armored */ };

/* One question being answered. */
struct work {
    const struct openpgp_question *question;
    struct arena *arena;
    struct openpgp_answer answer;
    gpgme_ctx_t context;
    gpgme_key_t signer;
    gpgme_key_t *keys; /* of the recipients; ends with NULL */
    size_t keys_count;
};

static struct slice
keep(struct work *work, const char *text)
{
    return text ? arena_copy(work->arena, slice_of_string(text)) : SLICE("");
}

static bool
fail(struct work *work, gpgme_error_t error)
{
    work->answer.why = keep(work, gpgme_strerror(error));
    return false;
}

/* ---- octets -------------------------------------------------------------------------------- */

static gpgme_data_t
open_input(struct slice bytes)
{
    gpgme_data_t data;

    if (gpgme_data_new_from_mem(&data, (const char *)bytes.at, bytes.len, 0) != 0)
        abort();
    return data;
}

struct output {
    struct gpgme_data_cbs functions;
    gpgme_data_t data;
    struct buffer bytes;
};

/* -1, and GnuPG is ended, when there is more than we hold. */
static ssize_t
take_output(void *handle, const void *bytes, size_t len)
{
    struct output *output = handle;

    buffer_put(&output->bytes, slice_of(bytes, len));
    if (!buffer_overflowed(&output->bytes))
        return (ssize_t)len;
    errno = EFBIG;
    return -1;
}

static void
open_output(struct output *output, size_t max)
{
    *output = (struct output){.functions = {.write = take_output}};
    buffer_init(&output->bytes, max);
    if (gpgme_data_new_from_cbs(&output->data, &output->functions, output) != 0)
        abort();
}

/* What came out is kept, if all is well; returns the error that there was. */
static gpgme_error_t
close_output(struct work *work, struct output *output, gpgme_error_t error)
{
    gpgme_data_release(output->data);
    if (buffer_overflowed(&output->bytes))
        error = gpgme_error(GPG_ERR_TOO_LARGE);
    if (error == 0)
        work->answer.content = arena_copy(work->arena, buffer_slice(&output->bytes));
    buffer_wipe(&output->bytes);
    return error;
}

/* ---- keys ---------------------------------------------------------------------------------- */

static bool
is_for(const struct _gpgme_user_id *id, struct slice address)
{
    return id->email && !id->revoked && !id->invalid &&
           slice_equal_nocase(slice_of_string(id->email), address);
}

/* To encrypt, the address must be vouched for; to sign, the key is the user's own. */
static bool
is_usable(gpgme_key_t key, struct slice address, bool is_secret)
{
    if (key->revoked || key->expired || key->disabled || key->invalid ||
        !(is_secret ? key->can_sign : key->can_encrypt))
        return false;
    for (gpgme_user_id_t id = key->uids; id; id = id->next) {
        if (is_for(id, address) && (is_secret || id->validity >= GPGME_VALIDITY_FULL))
            return true;
    }
    return false;
}

static long
made_at(gpgme_key_t key)
{
    return key && key->subkeys ? key->subkeys->timestamp : 0;
}

/* The newest key for an address; NULL without one. */
static gpgme_key_t
find_key(struct work *work, struct slice address, bool is_secret)
{
    gpgme_key_t best = NULL, key;
    char *pattern = NULL;

    if (address.len == 0 || address.len > INT16_MAX ||
        slice_find_byte(address, '\0') < address.len ||
        asprintf(&pattern, "<%.*s>", (int)address.len, (const char *)address.at) < 0)
        return NULL;
    if (gpgme_op_keylist_start(work->context, pattern, is_secret) == 0) {
        while (gpgme_op_keylist_next(work->context, &key) == 0) {
            bool is_better =
                is_usable(key, address, is_secret) && (!best || made_at(key) > made_at(best));
            if (is_better && best)
                gpgme_key_unref(best);
            if (is_better)
                best = key;
            else
                gpgme_key_unref(key);
        }
        gpgme_op_keylist_end(work->context);
    }
    free(pattern);
    return best;
}

static void
find_keys(struct work *work, bool has_signer)
{
    const struct openpgp_question *question = work->question;
    size_t count = question->recipients_count;
    struct slice *missing = ARENA_ARRAY(work->arena, struct slice, count + 1);

    work->keys = calloc(count + 2, sizeof(*work->keys));
    if (!work->keys || !missing)
        abort();
    work->answer.missing = missing;
    if (has_signer) {
        work->signer = find_key(work, question->signer, true);
        if (!work->signer)
            missing[work->answer.missing_count++] = question->signer;
    }
    for (size_t i = 0; i < count; i++) {
        gpgme_key_t key = find_key(work, question->recipients[i], false);
        if (key)
            work->keys[work->keys_count++] = key;
        else
            missing[work->answer.missing_count++] = question->recipients[i];
    }
}

static void
release_keys(struct work *work)
{
    for (size_t i = 0; i < work->keys_count; i++)
        gpgme_key_unref(work->keys[i]);
    free(work->keys);
    if (work->signer)
        gpgme_key_unref(work->signer);
}

/* ---- making -------------------------------------------------------------------------------- */

static void
keep_digest(struct work *work)
{
    gpgme_sign_result_t result = gpgme_op_sign_result(work->context);
    const char *name = NULL;

    if (result && result->signatures)
        name = gpgme_hash_algo_name(result->signatures->hash_algo);
    struct slice digest = keep(work, name);
    char *lower = arena_copy_string(work->arena, digest);
    for (size_t i = 0; lower && i < digest.len; i++)
        lower[i] = (char)byte_to_lower((uint8_t)lower[i]);
    if (lower)
        work->answer.digest = slice_of(lower, digest.len);
}

static bool
make(struct work *work)
{
    enum openpgp_verb verb = work->question->verb;
    bool is_signed = verb != OPENPGP_ENCRYPT;
    gpgme_error_t error = 0;

    find_keys(work, is_signed);
    if (work->answer.missing_count > 0)
        return fail(
            work, gpgme_error(is_signed && !work->signer ? GPG_ERR_NO_SECKEY : GPG_ERR_NO_PUBKEY));
    gpgme_data_t input = open_input(work->question->content);
    struct output output;
    open_output(&output, SEALED_MAX);
    gpgme_set_armor(work->context, 1);
    if (is_signed)
        error = gpgme_signers_add(work->context, work->signer);
    if (error == 0 && verb == OPENPGP_SIGN)
        error = gpgme_op_sign(work->context, input, output.data, GPGME_SIG_MODE_DETACH);
    else if (error == 0 && verb == OPENPGP_ENCRYPT)
        error = gpgme_op_encrypt(work->context, work->keys, 0, input, output.data);
    else if (error == 0)
        error = gpgme_op_encrypt_sign(work->context, work->keys, 0, input, output.data);
    if (error == 0 && verb == OPENPGP_SIGN)
        keep_digest(work);
    gpgme_data_release(input);
    error = close_output(work, &output, error);
    return error == 0 || fail(work, error);
}

/* ---- verdicts ------------------------------------------------------------------------------ */

static enum openpgp_verdict
verdict_of(gpgme_signature_t signature)
{
    static const struct {
        gpg_err_code_t code;
        enum openpgp_verdict verdict;
    } rows[] = {
        {GPG_ERR_NO_ERROR, OPENPGP_GOOD},       {GPG_ERR_SIG_EXPIRED, OPENPGP_EXPIRED},
        {GPG_ERR_KEY_EXPIRED, OPENPGP_EXPIRED}, {GPG_ERR_CERT_REVOKED, OPENPGP_REVOKED},
        {GPG_ERR_NO_PUBKEY, OPENPGP_UNKNOWN},   {GPG_ERR_BAD_SIGNATURE, OPENPGP_CHANGED},
    };
    gpg_err_code_t code = gpgme_err_code(signature->status);

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (rows[i].code == code)
            return rows[i].verdict;
    }
    return OPENPGP_BROKEN;
}

/* Addresses that are trusted; all of them when none is. */
static void
keep_addresses(struct work *work, gpgme_key_t key)
{
    struct slice *addresses = ARENA_ARRAY(work->arena, struct slice, OPENPGP_ADDRESSES_MAX);
    size_t count = 0;
    bool is_any = false;

    for (gpgme_user_id_t id = key->uids; id; id = id->next)
        is_any = is_any || (!id->revoked && id->validity >= GPGME_VALIDITY_FULL);
    for (gpgme_user_id_t id = key->uids; id; id = id->next) {
        bool is_told =
            !id->revoked && !id->invalid && (!is_any || id->validity >= GPGME_VALIDITY_FULL);
        if (!is_told || !addresses || count == OPENPGP_ADDRESSES_MAX)
            continue;
        if (work->answer.name.len == 0)
            work->answer.name = keep(work, id->name);
        if (id->email && id->email[0])
            addresses[count++] = keep(work, id->email);
    }
    work->answer.addresses = addresses;
    work->answer.addresses_count = count;
    if (work->answer.verdict == OPENPGP_GOOD && !is_any)
        work->answer.verdict = OPENPGP_UNTRUSTED;
}

static void
look_at_signer(struct work *work, gpgme_signature_t signature)
{
    gpgme_key_t key = NULL;

    work->answer.verdict = verdict_of(signature);
    work->answer.fingerprint = keep(work, signature->fpr);
    work->answer.name = SLICE("");
    work->answer.addresses_count = 0;
    if (work->answer.verdict == OPENPGP_BROKEN)
        (void)fail(work, signature->status);
    if (signature->fpr && gpgme_get_key(work->context, signature->fpr, &key, 0) == 0) {
        keep_addresses(work, key);
        gpgme_key_unref(key);
    }
}

/* With several signatures the worst is told. */
static void
look_at_signatures(struct work *work)
{
    gpgme_verify_result_t result = gpgme_op_verify_result(work->context);
    struct openpgp_answer worst = work->answer;

    if (!result)
        return;
    gpgme_result_ref(result);
    for (gpgme_signature_t each = result->signatures; each; each = each->next) {
        look_at_signer(work, each);
        if (each == result->signatures || work->answer.verdict > worst.verdict)
            worst = work->answer;
    }
    work->answer = worst;
    gpgme_result_unref(result);
}

/* ---- reading ------------------------------------------------------------------------------- */

static bool
verify(struct work *work)
{
    const struct openpgp_question *question = work->question;
    bool is_detached = question->signature.len > 0;
    gpgme_data_t content = open_input(question->content), signature = NULL;
    struct output output;
    gpgme_error_t error;

    if (is_detached) {
        signature = open_input(question->signature);
        error = gpgme_op_verify(work->context, signature, content, NULL);
        gpgme_data_release(signature);
    } else {
        open_output(&output, OPENPGP_OPENED_MAX);
        error = gpgme_op_verify(work->context, content, NULL, output.data);
        gpgme_error_t late = close_output(work, &output, 0); /* what was read is kept in any case */
        error = error != 0 ? error : late;
    }
    gpgme_data_release(content);
    work->answer.verdict = OPENPGP_BROKEN;
    if (error != 0)
        (void)fail(work, error);
    else
        look_at_signatures(work);
    return true;
}

static bool
open_envelope(struct work *work)
{
    gpgme_data_t input = open_input(work->question->content);
    struct output output;

    open_output(&output, OPENPGP_OPENED_MAX);
    gpgme_error_t error = gpgme_op_decrypt_verify(work->context, input, output.data);
    gpgme_data_release(input);
    error = close_output(work, &output, error);
    if (gpgme_err_code(error) == GPG_ERR_NO_DATA) {
        /* Signed alone; or damaged, and then nothing of it is passed on. */
        if (verify(work) && work->answer.verdict != OPENPGP_BROKEN)
            return true;
        work->answer.content = SLICE("");
        work->answer.verdict = OPENPGP_UNSIGNED;
    }
    if (error != 0)
        return fail(work, error);
    work->answer.is_encrypted = true;
    look_at_signatures(work);
    return true;
}

/* ---- all of it ----------------------------------------------------------------------------- */

static bool
find(struct work *work)
{
    find_keys(work, work->question->signer.len > 0);
    return true;
}

static bool
do_it(struct work *work)
{
    switch (work->question->verb) {
    case OPENPGP_FIND:
        return find(work);
    case OPENPGP_VERIFY:
        return verify(work);
    case OPENPGP_OPEN:
        return open_envelope(work);
    case OPENPGP_SIGN:
    case OPENPGP_ENCRYPT:
    case OPENPGP_SIGN_ENCRYPT:
        return make(work);
    case OPENPGP_VERBS:
        break;
    }
    return false;
}

struct openpgp_answer
gnupg_answer(const struct openpgp_question *question, struct arena *arena)
{
    struct work work = {.question = question, .arena = arena};
    gpgme_error_t error;

    (void)setlocale(LC_ALL, "");
    (void)gpgme_check_version(NULL);
    error = gpgme_engine_check_version(GPGME_PROTOCOL_OpenPGP);
    if (error == 0)
        error = gpgme_new(&work.context);
    if (error != 0) {
        (void)fail(&work, error);
        return work.answer;
    }
    gpgme_set_offline(work.context, 1); /* who reads is told to nobody */
    work.answer.is_done = do_it(&work);
    release_keys(&work);
    gpgme_release(work.context);
    return work.answer;
}
