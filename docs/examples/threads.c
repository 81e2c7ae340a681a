/* SPDX-License-Identifier: ISC */
/* threads [SECOND_URL]: two threads read all messages at once, each with a session of its own; the
 * second one at another server where it is named (imaps://…), and each sends itself a message. */
#include "account.h"

#include <pthread.h>
#include <string.h>

struct reader {
    struct facteur_account account;
    struct facteur_error error;
    size_t messages, octets_of_text;
};

static void
read_message(struct reader *reader, struct facteur_session *session, size_t number)
{
    size_t len;
    char *message = facteur_read(session, number, &len, &reader->error);
    struct facteur_letter *letter = message ? facteur_letter_open(message, len) : NULL;

    if (letter) {
        reader->messages++;
        reader->octets_of_text += strlen(facteur_letter_text(letter));
        facteur_letter_close(&letter);
    }
    free(message);
}

static void *
run(void *context)
{
    struct reader *reader = context;
    struct facteur_session *session = facteur_open(&reader->account, "INBOX", &reader->error);
    size_t count = session ? facteur_count(session) : 0;

    for (size_t number = 1; number <= count && reader->error.kind == FACTEUR_OK; number++)
        read_message(reader, session, number);
    if (!session || !facteur_close(&session, &reader->error))
        return NULL;
    struct facteur_message note = {
        .to = reader->account.address, .subject = "Read", .text = "All of it.\n"};
    (void)facteur_send(&reader->account, &note, &reader->error);
    return NULL;
}

int
main(int argc, char **argv)
{
    struct reader readers[2] = {{.account = account_of_environment()},
                                {.account = account_of_environment()}};
    pthread_t threads[2];

    if (argc == 2)
        readers[1].account.incoming = argv[1];
    for (int i = 0; i < 2; i++) {
        if (pthread_create(&threads[i], NULL, run, &readers[i]) != 0)
            return 1;
    }
    for (int i = 0; i < 2; i++)
        (void)pthread_join(threads[i], NULL);
    for (int i = 0; i < 2; i++) {
        if (readers[i].error.kind != FACTEUR_OK)
            return account_complain(&readers[i].error);
        printf("%zu messages, %zu octets of text\n", readers[i].messages,
               readers[i].octets_of_text);
    }
    return 0;
}
