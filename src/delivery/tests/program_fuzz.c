/* SPDX-License-Identifier: ISC */
/* Any line, any address: as many arguments as the line has words, none of them made an option. */
#include "delivery/program.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
must(bool is_true)
{
    if (!is_true)
        abort();
}

static void
check(const struct program *program, const struct program_facts *facts, struct arena *arena)
{
    const char *const *arguments;
    size_t count = 0;

    if (program_expand(program, facts, arena, &arguments))
        return;
    while (arguments[count]) {
        must(arguments[count][0] != '-' || program->words[count].at[0] == '-');
        count++;
    }
    must(count == program->count);
    must(arguments[0][0] == '/');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice line = slice_first(slice_of(data, len), 300);
    struct slice rest = slice_skip(slice_of(data, len), 300);
    struct program_facts facts = {.sender = rest,
                                  .recipient = line,
                                  .local = rest,
                                  .detail = line,
                                  .domain = rest,
                                  .queue_id = SLICE("Q")};
    struct program_verdict verdict;
    struct program program;
    struct arena arena;
    struct buffer made;

    arena_init(&arena, 1 << 20);
    buffer_init(&made, 1 << 16);
    if (!program_parse(line, &arena, &program))
        check(&program, &facts, &arena);
    if (!program_parse_command(line, &arena, &program))
        check(&program, &facts, &arena);
    for (const char *const *variable = program_variables(&facts, &arena); *variable; variable++)
        must(strchr(*variable, ';') == NULL && strchr(*variable, '\n') == NULL);
    program_put_message(&made, true, (struct wall){0}, &facts, rest);
    program_judge(len > 0 ? data[0] - 64 : 0, rest, &verdict);
    must(verdict.text_len <= sizeof(verdict.text));
    buffer_finish(&made);
    arena_finish(&arena);
    return 0;
}
