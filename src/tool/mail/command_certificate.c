/* SPDX-License-Identifier: ISC */
/* facteur certificate: certificates and keys of S/MIME, one's own and those of others. */
#include "smime/card.h"
#include "tool/files.h"
#include "tool/mail/desk.h"
#include "tool/mail/seal_private.h"
#include "tool/report.h"
#include "tool/say.h"

#include <dirent.h>
#include <stdlib.h>

enum { FILE_MAX = 1 << 20, WORDS_MAX = 4096, ARENA_MAX = 16 << 20, LISTED_MAX = 10000 };

static const struct files_owner owner = {.user = FILES_NOBODY, .mode = 0600};

/* ---- add ----------------------------------------------------------------------------------- */

/* Key and certificate of a PKCS #12 file, as PEM: without a passphrase, or with the one that the
 * user gives. */
static int
open_pkcs12(const struct command_call *call, struct slice bytes, struct buffer *ret_pem)
{
    struct buffer passphrase, problem;
    bool is_wrong;

    buffer_init(&problem, WORDS_MAX);
    buffer_init(&passphrase, SAY_PASSWORD_MAX + 1);
    buffer_init(ret_pem, FILE_MAX);
    bool is_read = smime_pkcs12_read(bytes, "", ret_pem, &is_wrong, &problem);
    int code = EX_OK;
    if (!is_read && is_wrong) {
        code = say_ask_password(command_has(call, "passphrase-stdin"), false, &passphrase);
        buffer_put_byte(&passphrase, '\0');
        buffer_clear(&problem);
        is_read =
            code == EX_OK && smime_pkcs12_read(bytes, (const char *)buffer_slice(&passphrase).at,
                                               ret_pem, &is_wrong, &problem);
    }
    if (code == EX_OK && !is_read)
        code = say_error(EX_DATAERR, "%s: %.*s", call->arguments[0],
                         CLIENT_TEXT(buffer_slice(&problem)));
    buffer_wipe(&passphrase);
    buffer_finish(&problem);
    return code;
}

static bool
is_of(const struct smime_card *card, const char *address)
{
    for (size_t i = 0; i < card->addresses_count; i++) {
        if (slice_equal_nocase(card->addresses[i], slice_of_string(address)))
            return true;
    }
    return false;
}

/* The account signs with it from now on. */
static int
keep_own(struct desk *desk, const struct command_call *call, struct slice pem,
         const struct smime_card *card)
{
    const char *wanted = command_value(call, "account");
    struct client_account *account = NULL;
    char *folder = desk_config_path("keys"), *name = NULL, *path = NULL;
    int code = folder ? files_make_folder(folder, 0700) : EX_CONFIG;

    for (size_t i = 0; i < desk->accounts.count && !account; i++) {
        struct client_account *each = &desk->accounts.accounts[i];
        if (wanted ? strcmp(each->name, wanted) == 0 || strcmp(each->address, wanted) == 0
                   : is_of(card, each->address))
            account = each;
    }
    if (!account)
        code = say_error(EX_CONFIG, "no account has an address of this certificate; say which one "
                                    "it is for: --account");
    else if (!is_of(card, account->address))
        say_warning("the certificate is not for %s: others will be told so", account->address);
    if (code == EX_OK) {
        if (asprintf(&name, "%s.pem", account->name) < 0)
            abort();
        path = files_path(folder, name);
        code = files_replace(path, pem, &owner);
    }
    if (code == EX_OK) {
        account->certificate = arena_copy_string(&desk->arena, slice_of_string(path));
        code = account->certificate ? desk_write_accounts(&desk->accounts) : EX_OSERR;
    }
    if (code == EX_OK)
        say_line("%s signs with it from now on; certificate and key are in %s.", account->name,
                 path);
    free(folder);
    free(name);
    free(path);
    return code;
}

static int
keep_other(const struct smime_card *card)
{
    size_t count = 0;
    int code = EX_OK;

    for (size_t i = 0; i < card->addresses_count && code == EX_OK; i++) {
        char *path = seal_certificate_path(card->addresses[i]);
        if (path) {
            code = files_replace(path, card->certificate, &owner);
            count++;
            say_line("Messages to %.*s can be encrypted from now on.",
                     CLIENT_TEXT(card->addresses[i]));
        }
        free(path);
    }
    return code == EX_OK && count == 0
               ? say_error(EX_DATAERR, "the certificate has no mail address")
               : code;
}

static int
add(struct desk *desk, const struct command_call *call)
{
    struct buffer bytes, pem = {0};
    struct smime_card card;
    struct arena arena;
    int code = files_read(call->arguments[0], FILE_MAX, &bytes);
    struct slice content = code == EX_OK ? buffer_slice(&bytes) : SLICE("");
    bool has_key = slice_find(content, SLICE("PRIVATE KEY-----")) < content.len;

    arena_init(&arena, ARENA_MAX);
    if (code == EX_OK && !smime_card_read(content, &arena, &card)) {
        code = open_pkcs12(call, content, &pem);
        content = code == EX_OK ? buffer_slice(&pem) : SLICE("");
        has_key = true;
        if (code == EX_OK && !smime_card_read(content, &arena, &card))
            code = EX_DATAERR;
    }
    if (code == EX_OK)
        code = has_key ? keep_own(desk, call, content, &card) : keep_other(&card);
    buffer_wipe(&pem);
    buffer_wipe(&bytes);
    arena_finish(&arena);
    return code;
}

static int
run_add(const struct command_call *call)
{
    return desk_run(call, add);
}

const struct command command_certificate_add = {
    .name = "certificate add",
    .arguments = "FILE",
    .summary = "Take a certificate for S/MIME",
    .about = "A certificate with its key (PKCS #12, as authorities give it and browsers export "
             "it, or PEM) becomes that of the account with its address; the key is kept in a file "
             "that only you can read. A certificate without a key (PEM or DER) is somebody "
             "else's: messages to them can be encrypted then. Those of good signatures are taken "
             "when they are shown.",
    .examples = "facteur certificate add alice.p12\nfacteur certificate add bob.pem",
    .arguments_min = 1,
    .arguments_max = 1,
    .options = {{"account", "NAME", "Whose it is; default: the account with its address."},
                {"passphrase-stdin", NULL, "Read the file's passphrase from standard input."}},
    .run = run_add,
};

/* ---- list ---------------------------------------------------------------------------------- */

static void
report_card(struct report *report, const char *path, const char *account)
{
    struct smime_card card;
    struct buffer bytes;
    struct arena arena;

    arena_init(&arena, ARENA_MAX);
    if (files_read(path, FILE_MAX, &bytes) == EX_OK &&
        smime_card_read(buffer_slice(&bytes), &arena, &card)) {
        report_row(report);
        report_texts(report, "addresses", card.addresses, card.addresses_count);
        report_text(report, "name", card.name);
        report_text(report, "issuer", card.issuer);
        report_time(report, "until", card.until);
        report_text(report, "account", slice_of_string(account));
    }
    buffer_wipe(&bytes);
    arena_finish(&arena);
}

static int
by_name(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static void
report_others(struct report *report)
{
    char *folder = desk_config_path("certificates"), **names = NULL;
    DIR *directory = folder ? opendir(folder) : NULL;
    size_t count = 0;

    names = calloc(LISTED_MAX, sizeof(*names));
    if (!names)
        abort();
    for (struct dirent *entry; directory && count < LISTED_MAX && (entry = readdir(directory));) {
        if (slice_ends_with(slice_of_string(entry->d_name), SLICE(".pem")))
            names[count++] = files_path(folder, entry->d_name);
    }
    qsort(names, count, sizeof(*names), by_name);
    for (size_t i = 0; i < count; i++) {
        report_card(report, names[i], "");
        free(names[i]);
    }
    if (directory)
        closedir(directory);
    free(names);
    free(folder);
}

static int
run_list(const struct command_call *call)
{
    struct desk desk;
    int code = desk_open(&desk);

    if (code == EX_OK) {
        struct report *report = report_open(command_has(call, "json"));
        report_list(report, "certificates");
        for (size_t i = 0; i < desk.accounts.count; i++) {
            const struct client_account *account = &desk.accounts.accounts[i];
            if (account->certificate && files_exists(account->certificate))
                report_card(report, account->certificate, account->name);
        }
        report_others(report);
        report_list_end(report);
        code = report_close(&report);
    }
    desk_close(&desk);
    return code;
}

const struct command command_certificate_list = {
    .name = "certificate list",
    .arguments = "",
    .summary = "List certificates for S/MIME",
    .about = "Your own, with the account that signs with it, and those of others that messages can "
             "be encrypted for.",
    .examples = "facteur certificate list",
    .options = {COMMAND_OPTION_JSON},
    .run = run_list,
};
