/* SPDX-License-Identifier: ISC */
/* attachments NUMBER [WHICH]: lists what is attached to message n, or saves one of them. */
#include "account.h"

static void
save(const struct facteur_attachment *attachment)
{
    FILE *file = fopen(attachment->name, "wbx"); /* x: nothing is overwritten */

    if (!file || fwrite(attachment->data, 1, attachment->len, file) != attachment->len)
        perror(attachment->name);
    if (file)
        (void)fclose(file);
}

int
main(int argc, char **argv)
{
    struct facteur_account account = account_of_environment();
    struct facteur_error error = {0};
    struct facteur_attachment attachment;
    size_t number = argc > 1 ? strtoul(argv[1], NULL, 10) : 0, len;
    size_t wanted = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    struct facteur_session *session = facteur_open(&account, "INBOX", &error);
    char *message = session ? facteur_read(session, number, &len, &error) : NULL;
    struct facteur_letter *letter = message ? facteur_letter_open(message, len) : NULL;

    for (size_t i = 0; letter && facteur_letter_attachment(letter, i, &attachment); i++) {
        if (wanted == i + 1)
            save(&attachment);
        else if (wanted == 0 && attachment.url)
            printf("%zu %s\n", i + 1, attachment.url);
        else if (wanted == 0)
            printf("%zu %s %s %zu\n", i + 1, attachment.name, attachment.type, attachment.len);
    }
    if (letter)
        facteur_letter_close(&letter);
    free(message);
    (void)facteur_close(&session, &error);
    return error.kind == FACTEUR_OK ? 0 : account_complain(&error);
}
