/* SPDX-License-Identifier: ISC */
/* What is read as a question or an answer is put and read the same again, and put as the same
 * octets then. */
#include "openpgp/exchange.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    struct openpgp_question question, question_again;
    struct openpgp_answer answer, answer_again;
    struct buffer octets, again;
    struct arena arena;

    buffer_init(&octets, len + 1024);
    buffer_init(&again, len + 1024);
    arena_init(&arena, 1 << 20);
    if (openpgp_question_parse(slice_of(at, len), &arena, &question)) {
        openpgp_question_put(&question, &octets);
        assert(openpgp_question_parse(buffer_slice(&octets), &arena, &question_again));
        assert(question.recipients_count == question_again.recipients_count);
        assert(slice_equal(question.content, question_again.content));
        openpgp_question_put(&question_again, &again);
        assert(slice_equal(buffer_slice(&octets), buffer_slice(&again)));
    }
    buffer_clear(&again);
    buffer_clear(&octets);
    if (openpgp_answer_parse(slice_of(at, len), &arena, &answer)) {
        openpgp_answer_put(&answer, &octets);
        assert(openpgp_answer_parse(buffer_slice(&octets), &arena, &answer_again));
        assert(answer.verdict == answer_again.verdict);
        assert(answer.addresses_count == answer_again.addresses_count);
        assert(slice_equal(answer.content, answer_again.content));
        openpgp_answer_put(&answer_again, &again);
        assert(slice_equal(buffer_slice(&octets), buffer_slice(&again)));
    }
    buffer_finish(&octets);
    buffer_finish(&again);
    arena_finish(&arena);
    return 0;
}
