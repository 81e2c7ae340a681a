/* SPDX-License-Identifier: ISC */
/* What auth knows: both files of the directory, and the installation's key. */
#include "role/auth/auth_private.h"

#include "host/log.h"
#include "role/snapshot.h"
#include "sasl/digest.h"

#include <errno.h>

enum { FILE_BYTES_MAX = 1 << 30 };

#define LOOK_AGAIN duration_ms(100)

/* Before the first account there is no file: that is no error. */
static bool
read_file(struct auth *auth, const char *name, uint64_t known_stamp,
          struct snapshot *ret_snapshot)
{
    int error = snapshot_read(auth->dir, name, FILE_BYTES_MAX, ret_snapshot);
    bool is_new = error == -ENOENT && known_stamp == 0;
    struct log_line line;

    if (error == 0)
        return true;
    log_begin(&line, auth->start.host, is_new ? HOST_LEVEL_INFO : HOST_LEVEL_ERROR,
              "directory_not_read");
    log_string(&line, "file", name);
    log_error(&line, "error", error);
    log_end(&line);
    return false;
}

static void
log_problem(struct auth *auth, const char *file, const struct directory_problem *problem)
{
    struct log_line line;

    log_begin(&line, auth->start.host, HOST_LEVEL_ERROR, "directory_line_damaged");
    log_string(&line, "file", file);
    log_number(&line, "line", problem->line);
    log_text(&line, "at", problem->place);
    log_string(&line, "why", problem->what);
    log_end(&line);
}

/* route tells what is wrong with this file; one process is enough for that. */
static void
load_accounts(struct auth *auth)
{
    struct directory_options options = {SLICE(""), SLICE(""), 0};
    struct snapshot snapshot;

    if (!read_file(auth, "accounts", auth->accounts_stamp, &snapshot))
        return;
    host_random(auth->start.host, &options.seed, sizeof(options.seed));
    directory_close(&auth->directory);
    auth->directory = directory_parse(buffer_slice(&snapshot.bytes), &options);
    auth->accounts_stamp = snapshot.stamp;
    snapshot_finish(&snapshot);
}

static void
load_secrets(struct auth *auth)
{
    const struct directory_problem *problem;
    struct snapshot snapshot;
    uint64_t seed;

    if (!read_file(auth, "secrets", auth->secrets_stamp, &snapshot))
        return;
    host_random(auth->start.host, &seed, sizeof(seed));
    directory_secrets_close(&auth->secrets);
    auth->secrets = directory_secrets_parse(buffer_slice(&snapshot.bytes), seed);
    auth->secrets_stamp = snapshot.stamp;
    snapshot_finish(&snapshot);
    for (size_t i = 0; (problem = directory_secrets_problem(auth->secrets, i)); i++)
        log_problem(auth, "secrets", problem);
    struct slice key = directory_secrets_key(auth->secrets);
    if (key.len == DIRECTORY_KEY_LEN)
        memcpy(auth->installation_key, key.at, key.len);
}

/* Appends a line to `secrets` under the lock that the tool takes too. */
static int
append_secret(struct auth *auth, struct slice text)
{
    struct host_file *lock = NULL, *file = NULL;
    uint64_t size;
    int error = host_file_open(auth->dir, "lock", HOST_FILE_WRITE | HOST_FILE_CREATE, &lock);

    if (error == 0)
        error = host_file_lock(lock);
    if (error == 0)
        error = host_file_open(auth->dir, "secrets", HOST_FILE_WRITE, &file);
    if (error == 0)
        error = host_file_size(file, &size);
    uint8_t last = '\n';
    if (error == 0 && size > 0 && host_file_read(file, &last, 1, size - 1) != 1)
        last = '\n';
    /* A last line without its end would swallow ours. */
    const struct slice pieces[] = {last == '\n' ? SLICE("") : SLICE("\n"), text};
    if (error == 0)
        error = host_file_write(file, pieces, COUNT_OF(pieces), size);
    if (error == 0)
        error = host_file_sync(file);
    host_file_close(&file);
    host_file_close(&lock);
    return error;
}

/* The first start makes the key that fake salts come from. One that cannot be kept serves as well
 * until the next start, only that fake salts change then. */
static void
make_key(struct auth *auth)
{
    struct buffer text;
    struct log_line line;

    host_random(auth->start.host, auth->installation_key, sizeof(auth->installation_key));
    if (!auth->secrets)
        return;
    buffer_init(&text, 256);
    directory_secret_put_key(&text,
                             slice_of(auth->installation_key, sizeof(auth->installation_key)));
    int error = append_secret(auth, buffer_slice(&text));
    if (error < 0) {
        log_begin(&line, auth->start.host, HOST_LEVEL_WARNING, "installation_key_not_kept");
        log_error(&line, "error", error);
        log_end(&line);
    }
    sasl_wipe(text.at, text.size);
    buffer_finish(&text);
}

void
auth_tables_load(struct auth *auth)
{
    static const uint8_t none[DIRECTORY_KEY_LEN];

    auth->looked = host_now(auth->start.host);
    load_accounts(auth);
    load_secrets(auth);
    if (memcmp(auth->installation_key, none, sizeof(none)) == 0)
        make_key(auth);
}

void
auth_tables_refresh(struct auth *auth)
{
    struct instant now = host_now(auth->start.host);

    if (instant_is_before(now, instant_after(auth->looked, LOOK_AGAIN)))
        return;
    auth->looked = now;
    if (!auth->directory || snapshot_has_changed(auth->dir, "accounts", auth->accounts_stamp))
        load_accounts(auth);
    if (!auth->secrets || snapshot_has_changed(auth->dir, "secrets", auth->secrets_stamp))
        load_secrets(auth);
}

void
auth_tables_finish(struct auth *auth)
{
    directory_close(&auth->directory);
    directory_secrets_close(&auth->secrets);
    host_dir_close(&auth->dir);
    sasl_wipe(auth->installation_key, sizeof(auth->installation_key));
}
