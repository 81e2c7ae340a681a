/* SPDX-License-Identifier: ISC */
/* read NUMBER: shows message n. */
#include "account.h"

int
main(int argc, char **argv)
{
    struct facteur_account account = account_of_environment();
    struct facteur_error error = {0};
    size_t number = argc == 2 ? strtoul(argv[1], NULL, 10) : 0, len;
    struct facteur_session *session = facteur_open(&account, "INBOX", &error);
    char *message = session ? facteur_read(session, number, &len, &error) : NULL;
    struct facteur_letter *letter = message ? facteur_letter_open(message, len) : NULL;

    if (letter)
        printf("From: %s\nSubject: %s\n\n%s", facteur_letter_field(letter, "From"),
               facteur_letter_field(letter, "Subject"), facteur_letter_text(letter));
    if (letter)
        facteur_letter_close(&letter);
    free(message);
    (void)facteur_close(&session, &error);
    return error.kind == FACTEUR_OK ? 0 : account_complain(&error);
}
