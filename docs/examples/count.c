/* SPDX-License-Identifier: ISC */
/* count: tells how many messages a user has. With MAIL_INCOMING=pop3s://… and MAIL_TRACE=1 the five
 * states of the POP3 client are seen. */
#include "account.h"

int
main(void)
{
    struct facteur_account account = account_of_environment();
    struct facteur_error error = {0};
    struct facteur_session *session = facteur_open(&account, "INBOX", &error);

    if (!session)
        return account_complain(&error);
    printf("%zu\n", facteur_count(session));
    return facteur_close(&session, &error) ? 0 : account_complain(&error);
}
