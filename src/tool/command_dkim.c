/* SPDX-License-Identifier: ISC */
/* facteur dkim generate, show: keys that sign what users send (RFC 6376, RFC 8463), and the records
 * by which others verify it. */
#include "dkim/sign.h"
#include "tls/signer.h"
#include "tool/command.h"
#include "tool/files.h"
#include "tool/records.h"
#include "tool/say.h"
#include "tool/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    KEY_MAX = 16384,
    RECORD_MAX = 4096,
    NAME_MAX_OCTETS = 256,
};

/* Says the record of this key (RFC 6376 §3.6.1, RFC 8463 §4). */
static int
say_record(struct slice name, struct slice key)
{
    struct buffer text, line;
    int code = EX_OK;

    buffer_init(&text, RECORD_MAX);
    buffer_init(&line, RECORD_MAX);
    if (!records_put_dkim(key, &text)) {
        code = say_error(EX_DATAERR,
                         "%.*s: not a key of RSA or Ed25519 in PEM; make one with "
                         "'facteur dkim generate'",
                         (int)name.len, (const char *)name.at);
    } else {
        records_put_text(name, buffer_slice(&text), &line);
        buffer_put_byte(&line, '\n');
        if (!files_write(STDOUT_FILENO, buffer_slice(&line)))
            code = say_error(EX_IOERR, "standard output: %s", strerror(errno));
    }
    buffer_finish(&text);
    buffer_finish(&line);
    return code;
}

/* The one that the file lies in; only root looks into it. */
static int
make_folder_of(const char *path)
{
    char *folder = strdup(path);

    if (!folder)
        abort();
    *strrchr(folder, '/') = '\0';
    int code = *folder ? files_make_folder(folder, 0700) : EX_OK;
    free(folder);
    return code;
}

static int
make_key(const char *path, bool is_rsa, struct slice name)
{
    static const struct files_owner own = {
        .user = FILES_NOBODY, .group = FILES_NOBODY, .mode = 0600};
    struct buffer key;

    buffer_init(&key, KEY_MAX);
    tls_signer_make_key(is_rsa, &key);
    int code = files_replace(path, buffer_slice(&key), &own);
    if (code == EX_OK) {
        say_line("The key is in %s. Publish this record:", path);
        code = say_record(name, buffer_slice(&key));
    }
    buffer_wipe(&key);
    return code;
}

static int
generate(const struct command_call *call)
{
    const char *selector = command_value(call, "selector"), *path = command_value(call, "file");
    char name[NAME_MAX_OCTETS];
    struct slice parts[2];
    int len = snprintf(name, sizeof(name), "%s._domainkey.%s", selector ? selector : "mail",
                       call->arguments[0]);

    if (len < 0 || (size_t)len >= sizeof(name) ||
        !dkim_record_name_parse(slice_of(name, (size_t)len), &parts[0], &parts[1]))
        return say_error(EX_USAGE, "'%s' is no name of a record; give a domain like example.org",
                         name);
    if (!path || path[0] != '/')
        return say_error(EX_USAGE, "name the file of the key: --file /absolute/path");
    if (files_exists(path))
        return say_error(EX_CANTCREAT, "%s: is there already; a key in use is not replaced", path);
    int code = make_folder_of(path);
    if (code == EX_OK)
        code = make_key(path, !command_has(call, "ed25519"), slice_of(name, (size_t)len));
    if (code == EX_OK)
        say_line("When the name system has it, add to dkim_keys: \"%s %s\" and 'facteur reload'.",
                 name, path);
    return code;
}

static int
show_one(struct slice name, struct slice path)
{
    struct buffer key;
    char text[4096];

    if (path.len >= sizeof(text))
        return say_error(EX_CONFIG, "dkim_keys: a path is too long");
    memcpy(text, path.at, path.len);
    text[path.len] = 0;
    int code = files_read(text, KEY_MAX, &key);
    if (code == EX_OK)
        code = say_record(name, buffer_slice(&key));
    buffer_wipe(&key);
    return code;
}

static int
show(const struct command_call *call)
{
    struct settings settings;
    struct slice name, path, selector, domain;
    int code = settings_load(call, &settings);

    for (size_t i = 0; code == EX_OK && i < settings.config.dkim_keys.count; i++) {
        if (config_dkim_key(settings.config.dkim_keys.at[i], &name, &path) &&
            dkim_record_name_parse(name, &selector, &domain) &&
            (call->count == 0 || slice_equal_nocase(domain, slice_of_string(call->arguments[0]))))
            code = show_one(name, path);
    }
    settings_finish(&settings);
    return code;
}

const struct command command_dkim_generate = {
    .name = "dkim generate",
    .arguments = "DOMAIN",
    .summary = "Make a key that signs what users send from a domain",
    .about =
        "Makes a private key (DKIM, RFC 6376), which only root should read, and prints the record "
        "that others verify signatures by.\n\n"
        "Messages that users hand in from addresses of theirs, and that come from relay_networks, "
        "are signed with all keys of the domain in their From: field (option dkim_keys). A second "
        "key of another kind may stand beside the first: who knows only RSA passes over Ed25519.",
    .examples = "facteur dkim generate example.org --file /etc/facteur/dkim/example.org.pem\n"
                "facteur dkim generate example.org --selector ed --ed25519 --file /etc/facteur/"
                "dkim/example.org.ed.pem",
    .arguments_min = 1,
    .arguments_max = 1,
    .options = {{"selector", "NAME", "Which key of the domain it is; default: mail."},
                {"file", "FILE", "Where the key goes; must not be there yet, its folder is made."},
                {"ed25519", NULL, "A key of Ed25519 (RFC 8463) instead of RSA with 2048 bits."}},
    .run = generate,
};

const struct command command_dkim_show = {
    .name = "dkim show",
    .arguments = "[DOMAIN]",
    .summary = "Show the records of the keys that sign mail",
    .about = "Reads the keys that option dkim_keys names, and prints the record of each as it must "
             "stand in the name system.",
    .examples = "facteur dkim show example.org",
    .arguments_max = 1,
    .options = {COMMAND_OPTION_CONFIG},
    .run = show,
};
