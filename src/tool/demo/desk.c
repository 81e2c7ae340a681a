/* SPDX-License-Identifier: ISC */
/* The accounts of the demo's people for the programs that read and write mail. */
#include "client/account.h"
#include "tool/demo/demo.h"
#include "tool/files.h"

#include <stdlib.h>

enum { TEXT_MAX = 65536 };

static const struct files_owner own = {.user = FILES_NOBODY, .group = FILES_NOBODY, .mode = 0600};

static void
put_account(const struct demo *demo, const struct settings *settings, struct slice address,
            struct buffer *out)
{
    struct arena arena;
    char *trust = files_path(demo->folder, "tls/chain.pem");

    arena_init(&arena, TEXT_MAX);
    struct slice local = slice_first(address, slice_find_byte(address, '@'));
    struct client_account account = {
        .name = arena_copy_string(&arena, local),
        .address = arena_copy_string(&arena, address),
        .login = arena_copy_string(&arena, address),
        .person = slice_equal(local, SLICE("alice")) ? "Alice Liddell" : "Bob Sawyer",
        .sent = "Sent",
        .trust = trust,
        .incoming = {CLIENT_IMAP, true, demo_port_of(&settings->config.imaps_listen), "localhost"},
        .outgoing = {CLIENT_SMTP, true, demo_port_of(&settings->config.submissions_listen),
                     "localhost"},
    };
    buffer_put_text(out, buffer_len(out) > 0 ? "\n" : "");
    client_account_format(&account, out);
    arena_finish(&arena);
    free(trust);
}

/* "address password" a line becomes "name password" and an account. */
static void
put_people(const struct demo *demo, const struct settings *settings, struct slice credentials,
           struct buffer *accounts, struct buffer *passwords)
{
    while (credentials.len > 0) {
        struct slice line = slice_first(credentials, slice_find_byte(credentials, '\n'));
        size_t blank = slice_find_byte(line, ' ');
        credentials = slice_skip(credentials, line.len + 1);
        if (blank == line.len)
            continue;
        put_account(demo, settings, slice_first(line, blank), accounts);
        buffer_put(passwords, slice_first(line, slice_find_byte(line, '@')));
        buffer_put(passwords, slice_skip(line, blank));
        buffer_put_byte(passwords, '\n');
    }
}

/* Not when the file begins with it: a person may have added to it, and the disk may be full. */
static int
put_file(const char *path, const struct buffer *content)
{
    struct buffer found;
    int code = files_read_if_any(path, TEXT_MAX, &found);

    if (code == EX_OK && (buffer_len(&found) == 0 ||
                          !slice_starts_with(buffer_slice(&found), buffer_slice(content))))
        code = files_replace(path, buffer_slice(content), &own);
    buffer_wipe(&found);
    return code;
}

int
demo_make_desk(const struct demo *demo, const struct settings *settings)
{
    char *folder = files_path(demo->folder, "desk/config/facteur");
    char *accounts_path = files_path(folder, "accounts");
    char *passwords_path = files_path(folder, "passwords");
    struct buffer credentials, accounts, passwords;
    int code = files_make_folder(folder, 0700);

    buffer_init(&accounts, TEXT_MAX);
    buffer_init(&passwords, TEXT_MAX);
    buffer_init(&credentials, TEXT_MAX);
    if (code == EX_OK)
        code = files_read(demo->credentials_path, TEXT_MAX, &credentials);
    if (code == EX_OK) {
        put_people(demo, settings, buffer_slice(&credentials), &accounts, &passwords);
        code = put_file(accounts_path, &accounts);
    }
    if (code == EX_OK)
        code = put_file(passwords_path, &passwords);
    buffer_wipe(&credentials);
    buffer_wipe(&passwords);
    buffer_finish(&accounts);
    free(accounts_path);
    free(passwords_path);
    free(folder);
    return code;
}
