/* SPDX-License-Identifier: ISC */
/* The examples take their account from the environment: MAIL_ADDRESS, MAIL_PASSWORD,
 * MAIL_INCOMING (imaps://host), MAIL_OUTGOING (smtps://host), MAIL_TRUST (a file; optional).
 * With MAIL_TRACE the dialogue is shown. */
#ifndef DOCS_EXAMPLES_ACCOUNT_H
#define DOCS_EXAMPLES_ACCOUNT_H

#include <facteur.h>

#include <stdio.h>
#include <stdlib.h>

static void
account_print_line(void *context, const char *line)
{
    (void)context;
    (void)fprintf(stderr, "%s\n", line);
}

static struct facteur_account
account_of_environment(void)
{
    struct facteur_account account = {
        .address = getenv("MAIL_ADDRESS"),
        .password = getenv("MAIL_PASSWORD"),
        .incoming = getenv("MAIL_INCOMING"),
        .outgoing = getenv("MAIL_OUTGOING"),
        .trust = getenv("MAIL_TRUST"),
        .trace = getenv("MAIL_TRACE") ? account_print_line : NULL,
    };

    return account;
}

static int
account_complain(const struct facteur_error *error)
{
    (void)fprintf(stderr, "%s\n", error->text);
    return 1;
}

#endif
