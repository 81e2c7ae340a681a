/* SPDX-License-Identifier: ISC */
/* The table of verifiers, lines for new ones, and the check of a password. */
#include "directory/secret.h"

#include "base/cursor.h"
#include "base/map.h"
#include "directory/password.h"
#include "directory/table.h"
#include "sasl/prepare.h"
#include "text/base64.h"

#include <stdlib.h>

enum { ARENA_FACTOR = 64, ARENA_MIN = 1024 * 1024 };

struct directory_secrets {
    struct arena arena;
    struct map by_id;
    struct slice key;
    struct directory_problems problems;
};

/* ---- reading ------------------------------------------------------------------------------- */

static bool
is_argon2id(struct slice crypt)
{
    return slice_starts_with(crypt, SLICE("$argon2id$"));
}

static const char *
read_scram(struct arena *arena, enum sasl_hash hash, struct slice value,
           const struct sasl_scram_keys **ret_keys)
{
    struct sasl_scram_keys *keys = ARENA_NEW(arena, struct sasl_scram_keys);

    if (!keys || !sasl_scram_parse(hash, value, keys))
        return "expected ITERATIONS,SALT,STOREDKEY,SERVERKEY, the last three in base64";
    *ret_keys = keys;
    return NULL;
}

static const char *
read_value(struct arena *arena, const struct directory_field *field,
           struct directory_secret *secret)
{
    struct cursor number = cursor_of(field->value);

    if (slice_equal(field->key, SLICE("id")))
        return secret->id == 0 && cursor_take_u64(&number, 1, UINT64_MAX - 1, &secret->id) &&
                       cursor_is_done(&number)
                   ? NULL
                   : "expected the number of an account, once";
    if (slice_equal(field->key, SLICE("crypt"))) {
        secret->crypt = arena_copy(arena, field->value);
        return is_argon2id(field->value) || directory_crypt_is_known(field->value)
                   ? NULL
                   : "expected a hash of crypt(3) ($y$…, $6$…) or $argon2id$…";
    }
    if (slice_equal(field->key, SLICE("scram-sha-256")))
        return read_scram(arena, SASL_HASH_SHA_256, field->value, &secret->sha_256);
    if (slice_equal(field->key, SLICE("scram-sha-1")))
        return read_scram(arena, SASL_HASH_SHA_1, field->value, &secret->sha_1);
    if (slice_equal(field->key, SLICE("apop"))) {
        secret->apop = arena_copy(arena, field->value);
        return field->value.len > 0 && field->value.len <= DIRECTORY_PASSWORD_MAX
                   ? NULL
                   : "expected a password";
    }
    return "expected id, crypt, scram-sha-256, scram-sha-1 or apop";
}

struct directory_secret *
directory_secret_read(struct arena *arena, struct directory_line *line)
{
    struct directory_secret *secret = ARENA_NEW(arena, struct directory_secret);

    if (!secret)
        return NULL;
    for (size_t i = 0; i < line->count; i++) {
        const struct directory_field *field = &line->fields[i];
        const char *what = "expected key=value";
        if (field->has_value)
            what = read_value(arena, field, secret);
        if (what)
            return directory_line_damage(line, field->key, what);
    }
    if (secret->id == 0)
        return directory_line_damage(line, line->name, "expected id=NUMBER among the fields");
    return secret;
}

/* secret NAME id=N removed */
static void
remove_secret(struct directory_secrets *secrets, struct directory_line *line)
{
    const struct directory_field *field = directory_line_find(line, "id");
    struct cursor number = cursor_of(field ? field->value : SLICE(""));
    uint64_t id;

    if (cursor_take_u64(&number, 1, UINT64_MAX - 1, &id) && cursor_is_done(&number))
        (void)map_remove(&secrets->by_id, map_key_u64(&id));
    else
        directory_line_damage(line, line->name, "expected id=NUMBER among the fields");
}

/* installation key=BASE64 */
static void
read_key(struct directory_secrets *secrets, struct directory_line *line)
{
    const struct directory_field *field = directory_line_find(line, "key");
    struct buffer key;

    buffer_init(&key, DIRECTORY_KEY_LEN + 3);
    if (field && base64_parse(field->value, &key) && buffer_len(&key) == DIRECTORY_KEY_LEN)
        secrets->key = arena_copy(&secrets->arena, buffer_slice(&key));
    else
        directory_line_damage(line, line->kind, "expected installation key=BASE64 of 32 octets");
    buffer_finish(&key);
}

static void
read_line(struct directory_secrets *secrets, struct directory_line *line)
{
    if (line->damage || line->kind.len == 0)
        return;
    if (slice_equal(line->kind, SLICE("installation"))) {
        read_key(secrets, line);
    } else if (!slice_equal(line->kind, SLICE("secret"))) {
        directory_line_damage(line, line->kind, "expected secret or installation");
    } else if (directory_line_has(line, "removed")) {
        remove_secret(secrets, line);
    } else {
        struct directory_secret *secret = directory_secret_read(&secrets->arena, line);
        if (secret)
            (void)map_set(&secrets->by_id, map_key_u64(&secret->id), secret);
    }
}

struct directory_secrets *
directory_secrets_parse(struct slice text, uint64_t seed)
{
    struct directory_secrets *secrets = calloc(1, sizeof(*secrets));
    struct cursor file = cursor_of(text);
    struct directory_line line;
    size_t number = 0;

    if (!secrets)
        abort();
    arena_init(&secrets->arena, text.len * ARENA_FACTOR + ARENA_MIN);
    map_init(&secrets->by_id, seed);
    while (directory_line_take(&file, &number, &secrets->arena, &line)) {
        read_line(secrets, &line);
        /* No word of such a line is shown: any of them may be a password. */
        if (line.damage)
            directory_problem_add(&secrets->problems, &secrets->arena, line.number,
                                  line.name.len > 0 ? line.name : SLICE("(hidden)"), line.damage);
    }
    assert(!arena_failed(&secrets->arena));
    return secrets;
}

void
directory_secrets_close(struct directory_secrets **secrets)
{
    if (!*secrets)
        return;
    map_finish(&(*secrets)->by_id);
    arena_wipe(&(*secrets)->arena);
    free(*secrets);
    *secrets = NULL;
}

size_t
directory_secrets_problem_count(const struct directory_secrets *secrets)
{
    return secrets->problems.count;
}

const struct directory_problem *
directory_secrets_problem(const struct directory_secrets *secrets, size_t index)
{
    return index < secrets->problems.count && index < DIRECTORY_PROBLEMS_MAX
               ? &secrets->problems.at[index]
               : NULL;
}

const struct directory_secret *
directory_secret_find(const struct directory_secrets *secrets, uint64_t id)
{
    return map_find(&secrets->by_id, map_key_u64(&id));
}

struct slice
directory_secrets_key(const struct directory_secrets *secrets)
{
    return secrets->key;
}

/* ---- making -------------------------------------------------------------------------------- */

static bool
put_head(struct buffer *buffer, struct slice name, uint64_t id)
{
    if (name.len == 0 || name.len > DIRECTORY_NAME_MAX || !directory_text_is_sound(name) || id == 0)
        return false;
    buffer_put_text(buffer, "secret ");
    directory_put_word(buffer, name);
    buffer_put_text(buffer, " id=");
    buffer_put_decimal(buffer, id);
    return true;
}

static void
put_scram(struct buffer *buffer, const char *key, enum sasl_hash hash, struct slice prepared,
          struct slice salt)
{
    struct sasl_scram_keys keys;

    sasl_scram_derive(hash, prepared, salt, SASL_ITERATIONS_DEFAULT, &keys);
    buffer_put_text(buffer, key);
    sasl_scram_format(buffer, &keys);
    sasl_wipe(&keys, sizeof(keys));
}

/* Everything behind the name, for a prepared password. */
static bool
put_verifiers(struct buffer *buffer, const struct directory_secret_options *options,
              struct slice prepared, struct slice random)
{
    struct slice salts[3];

    for (size_t i = 0; i < COUNT_OF(salts); i++)
        salts[i] = slice_between(random, i * SASL_SALT_LEN, (i + 1) * SASL_SALT_LEN);
    buffer_put_text(buffer, " crypt=");
    if (!(options->scheme == DIRECTORY_ARGON2ID ? directory_argon2_make(buffer, prepared, salts[0])
                                                : directory_crypt_make(buffer, prepared, salts[0])))
        return false;
    if (!options->without_scram)
        put_scram(buffer, " scram-sha-256=", SASL_HASH_SHA_256, prepared, salts[1]);
    if (!options->without_scram && options->with_sha_1)
        put_scram(buffer, " scram-sha-1=", SASL_HASH_SHA_1, prepared, salts[2]);
    if (options->with_apop)
        directory_put_field(buffer, "apop", prepared);
    buffer_put_byte(buffer, '\n');
    return !buffer_overflowed(buffer);
}

enum directory_secret_result
directory_secret_make(struct buffer *buffer, const struct directory_secret_options *options,
                      struct slice password, struct slice random)
{
    enum directory_secret_result result = DIRECTORY_SECRET_MADE;
    size_t start = buffer_len(buffer);
    struct buffer prepared;

    assert(random.len == DIRECTORY_RANDOM_LEN);
    buffer_init(&prepared, DIRECTORY_PASSWORD_MAX);
    if (!sasl_prepare(&prepared, password))
        result = DIRECTORY_SECRET_BAD_PASSWORD;
    else if (!put_head(buffer, options->name, options->id))
        result = DIRECTORY_SECRET_BAD_NAME;
    else if (!put_verifiers(buffer, options, buffer_slice(&prepared), random))
        result = DIRECTORY_SECRET_NO_MEMORY;
    if (result != DIRECTORY_SECRET_MADE)
        buffer_truncate(buffer, start);
    sasl_wipe(prepared.at, prepared.size);
    buffer_finish(&prepared);
    return result;
}

bool
directory_secret_import(struct buffer *buffer, const struct directory_secret_options *options,
                        struct slice crypt)
{
    size_t start = buffer_len(buffer);

    /* {SHA512-CRYPT}$6$…: a prefix that other servers write. */
    if (crypt.len > 0 && crypt.at[0] == '{')
        crypt = slice_skip(crypt, slice_find_byte(crypt, '}') + 1);
    bool is_good = crypt.len <= DIRECTORY_CRYPT_MAX && directory_text_is_sound(crypt) &&
                   (is_argon2id(crypt) || directory_crypt_is_known(crypt)) &&
                   put_head(buffer, options->name, options->id);
    if (is_good) {
        directory_put_field(buffer, "crypt", crypt);
        buffer_put_byte(buffer, '\n');
    }
    if (!is_good || buffer_overflowed(buffer))
        buffer_truncate(buffer, start);
    return is_good && !buffer_overflowed(buffer);
}

bool
directory_secret_put_removed(struct buffer *buffer, struct slice name, uint64_t id)
{
    if (!put_head(buffer, name, id))
        return false;
    buffer_put_text(buffer, " removed\n");
    return !buffer_overflowed(buffer);
}

void
directory_secret_put_key(struct buffer *buffer, struct slice key)
{
    assert(key.len == DIRECTORY_KEY_LEN);
    buffer_put_text(buffer, "installation key=");
    base64_format(key, buffer);
    buffer_put_byte(buffer, '\n');
}

/* ---- checking ------------------------------------------------------------------------------ */

static enum directory_password
verify(struct slice crypt, struct slice password)
{
    if (password.len == 0 || password.len > DIRECTORY_PASSWORD_MAX ||
        slice_find_byte(password, 0) < password.len || crypt.len == 0 ||
        crypt.len > DIRECTORY_CRYPT_MAX)
        return DIRECTORY_PASSWORD_WRONG;
    return is_argon2id(crypt) ? directory_argon2_verify(crypt, password)
                              : directory_crypt_verify(crypt, password);
}

/* A hash from elsewhere may have been made before SASLprep: what was typed is tried as well. */
enum directory_password
directory_password_verify(struct slice crypt, struct slice password)
{
    enum directory_password result = DIRECTORY_PASSWORD_WRONG;
    struct buffer prepared;

    buffer_init(&prepared, DIRECTORY_PASSWORD_MAX);
    bool is_prepared = sasl_prepare(&prepared, password);
    if (is_prepared)
        result = verify(crypt, buffer_slice(&prepared));
    if (result == DIRECTORY_PASSWORD_WRONG &&
        !(is_prepared && slice_equal(buffer_slice(&prepared), password)))
        result = verify(crypt, password);
    sasl_wipe(prepared.at, prepared.size);
    buffer_finish(&prepared);
    return result;
}

struct slice
directory_password_fake(void)
{
    return SLICE("$y$j9T$ZmFjdGV1ci5ub2JvZHku$9mmEMTyT3gCcIy8SBVIo1Id8ewLDVtbLTgIrPJTP0f4");
}
