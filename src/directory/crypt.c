/* SPDX-License-Identifier: ISC */
/* Wraps crypt(3) of libxcrypt: yescrypt, and whatever else a password file from elsewhere holds. */
#include "directory/password.h"

#include "directory/secret.h"
#include "sasl/digest.h"

#include <crypt.h>
#include <stdlib.h>

/* Runs crypt(3) with the work area on the heap: it is 32 KiB and full of secrets. */
static bool
run(struct slice password, struct slice setting, struct buffer *ret_hash)
{
    struct crypt_data *data = calloc(1, sizeof(*data));
    char phrase[DIRECTORY_PASSWORD_MAX + 1] = {0}, text[DIRECTORY_CRYPT_MAX + 1] = {0};
    bool is_done = false;

    if (!data)
        abort();
    if (password.len > 0 && password.len <= DIRECTORY_PASSWORD_MAX && setting.len > 0 &&
        setting.len <= DIRECTORY_CRYPT_MAX) {
        memcpy(phrase, password.at, password.len);
        memcpy(text, setting.at, setting.len);
        const char *hash = crypt_rn(phrase, text, data, (int)sizeof(*data));
        is_done = hash != NULL && hash[0] != '*';
        if (is_done)
            buffer_put_text(ret_hash, hash);
    }
    sasl_wipe(phrase, sizeof(phrase));
    sasl_wipe(data, sizeof(*data));
    free(data);
    return is_done && !buffer_overflowed(ret_hash);
}

enum directory_password
directory_crypt_verify(struct slice crypt, struct slice password)
{
    enum directory_password result = DIRECTORY_PASSWORD_UNKNOWN;
    struct buffer hash;

    buffer_init(&hash, DIRECTORY_CRYPT_MAX);
    if (run(password, crypt, &hash))
        result = sasl_equal(buffer_slice(&hash), crypt) ? DIRECTORY_PASSWORD_RIGHT
                                                        : DIRECTORY_PASSWORD_WRONG;
    buffer_finish(&hash);
    return result;
}

bool
directory_crypt_make(struct buffer *buffer, struct slice password, struct slice salt)
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    size_t before = buffer_len(buffer);

    assert(salt.len == DIRECTORY_HASH_SALT_LEN);
    if (!crypt_gensalt_rn("$y$", 0, (const char *)salt.at, (int)salt.len, setting,
                          (int)sizeof(setting)))
        return false;
    if (run(password, slice_of_string(setting), buffer))
        return true;
    buffer_truncate(buffer, before);
    return false;
}

bool
directory_crypt_is_known(struct slice crypt)
{
    char text[DIRECTORY_CRYPT_MAX + 1] = {0};

    /* Without a dollar sign it is DES, which anybody breaks. */
    if (crypt.len < 4 || crypt.len > DIRECTORY_CRYPT_MAX || crypt.at[0] != '$')
        return false;
    memcpy(text, crypt.at, crypt.len);
    int verdict = crypt_checksalt(text);
    return verdict == CRYPT_SALT_OK || verdict == CRYPT_SALT_METHOD_LEGACY;
}
