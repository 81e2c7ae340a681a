/* SPDX-License-Identifier: ISC */
/* The program facteur-openpgp: one question on standard input, the answer on standard output. It is
 * run by client/openpgp.c. */
#include "openpgp/gnupg.h"

#include <stdio.h>
#include <sysexits.h>

enum { CONTENT_MAX = 1 << 29, ARENA_MAX = 1 << 30, PIECE = 1 << 16 };

static bool
read_all(struct buffer *out)
{
    for (;;) {
        uint8_t *space = buffer_reserve(out, PIECE);
        if (!space)
            return false;
        size_t count = fread(space, 1, PIECE, stdin);
        buffer_commit(out, count);
        if (count == 0)
            return ferror(stdin) == 0;
    }
}

int
main(void)
{
    struct openpgp_question question;
    struct buffer input, output;
    struct arena arena;
    int code = EX_DATAERR;

    buffer_init(&input, CONTENT_MAX);
    buffer_init(&output, CONTENT_MAX);
    arena_init(&arena, ARENA_MAX);
    if (read_all(&input) && openpgp_question_parse(buffer_slice(&input), &arena, &question)) {
        struct openpgp_answer answer = gnupg_answer(&question, &arena);
        openpgp_answer_put(&answer, &output);
        struct slice bytes = buffer_slice(&output);
        bool is_out = !buffer_overflowed(&output) && !arena_failed(&arena) &&
                      fwrite(bytes.at, 1, bytes.len, stdout) == bytes.len && fflush(stdout) == 0;
        code = is_out ? EX_OK : EX_IOERR;
    }
    buffer_finish(&input);
    buffer_finish(&output);
    arena_finish(&arena);
    return code;
}
