/* SPDX-License-Identifier: ISC */
/* digest NUMBER TO [URL]: passes the last NUMBER messages on as one digest, and says where the rest
 * is. */
#include "account.h"

enum { MESSAGES_MAX = 100 };

int
main(int argc, char **argv)
{
    struct facteur_account account = account_of_environment();
    struct facteur_error error = {0};
    struct facteur_attachment attachments[MESSAGES_MAX] = {{0}};
    size_t wanted = argc > 2 ? strtoul(argv[1], NULL, 10) : 0, count = 0;
    struct facteur_session *session = facteur_open(&account, "INBOX", &error);
    size_t all = session ? facteur_count(session) : 0;

    for (size_t i = 0; i < wanted && i < all && i < MESSAGES_MAX - 1; i++, count++)
        attachments[i].data =
            facteur_read(session, all - i, &attachments[i].len, &error); /* newest first */
    if (argc > 3)
        attachments[count++].url = argv[3];
    struct facteur_message message = {.to = argc > 2 ? argv[2] : "",
                                      .subject = "Digest",
                                      .text = "The newest messages:",
                                      .attachments = attachments,
                                      .attachments_count = count,
                                      .is_digest = true};
    if (error.kind == FACTEUR_OK)
        (void)facteur_send(&account, &message, &error);
    for (size_t i = 0; i < count; i++)
        free((void *)(uintptr_t)attachments[i].data);
    (void)facteur_close(&session, &error);
    return error.kind == FACTEUR_OK ? 0 : account_complain(&error);
}
