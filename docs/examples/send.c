/* SPDX-License-Identifier: ISC */
/* send TO SUBJECT TEXT: sends a message. */
#include "account.h"

int
main(int argc, char **argv)
{
    struct facteur_account account = account_of_environment();
    struct facteur_error error = {0};

    if (argc != 4)
        return 2;
    struct facteur_message message = {.to = argv[1], .subject = argv[2], .text = argv[3]};
    return facteur_send(&account, &message, &error) ? 0 : account_complain(&error);
}
