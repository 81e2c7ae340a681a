/* SPDX-License-Identifier: ISC */
/* Stands in for facteur-openpgp beside the tests: the answer's content is what it was asked, its
 * name the terminal that the environment names. */
#include "openpgp/exchange.h"

#include <stdlib.h>
#include <unistd.h>

enum { SIZE_MAX_OF_TEST = 1 << 20 };

int
main(void)
{
    static uint8_t bytes[SIZE_MAX_OF_TEST];
    struct openpgp_question question;
    const char *terminal = getenv("GPG_TTY");
    struct buffer out;
    struct arena arena;
    ssize_t len = read(STDIN_FILENO, bytes, sizeof(bytes));

    arena_init(&arena, SIZE_MAX_OF_TEST);
    buffer_init(&out, SIZE_MAX_OF_TEST);
    if (len < 0 || !openpgp_question_parse(slice_of(bytes, (size_t)len), &arena, &question))
        return 1;
    struct openpgp_answer answer = {
        .is_done = true,
        .content = question.content,
        .name = slice_of_string(terminal ? terminal : ""),
    };
    openpgp_answer_put(&answer, &out);
    struct slice said = buffer_slice(&out);
    ssize_t put = write(STDOUT_FILENO, said.at, said.len);
    bool is_whole = put == (ssize_t)said.len;
    buffer_finish(&out);
    arena_finish(&arena);
    return is_whole ? 0 : 1;
}
