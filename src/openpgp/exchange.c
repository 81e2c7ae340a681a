/* SPDX-License-Identifier: ISC */
/* Records: an octet that says what it is, the length in four, and the octets. */
#include "openpgp/exchange.h"

#include "base/cursor.h"

enum { VERSION = 1, LENGTH_OCTETS = 4 };

enum tag {
    TAG_QUESTION = 1, /* version, verb */
    TAG_ANSWER,       /* version, is_done, verdict, is_encrypted */
    TAG_SIGNER,
    TAG_RECIPIENT,
    TAG_CONTENT,
    TAG_SIGNATURE,
    TAG_WHY,
    TAG_DIGEST,
    TAG_MISSING,
    TAG_NAME,
    TAG_ADDRESS,
    TAG_FINGERPRINT
};

static void
put_record(struct buffer *out, enum tag tag, struct slice bytes)
{
    buffer_put_byte(out, (uint8_t)tag);
    buffer_put_le32(out, (uint32_t)bytes.len);
    buffer_put(out, bytes);
}

static void
put_records(struct buffer *out, enum tag tag, const struct slice *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        put_record(out, tag, list[i]);
}

void
openpgp_question_put(const struct openpgp_question *question, struct buffer *out)
{
    const uint8_t head[] = {VERSION, (uint8_t)question->verb};

    put_record(out, TAG_QUESTION, slice_of(head, sizeof(head)));
    put_record(out, TAG_SIGNER, question->signer);
    put_records(out, TAG_RECIPIENT, question->recipients, question->recipients_count);
    put_record(out, TAG_CONTENT, question->content);
    put_record(out, TAG_SIGNATURE, question->signature);
}

void
openpgp_answer_put(const struct openpgp_answer *answer, struct buffer *out)
{
    const uint8_t head[] = {VERSION, answer->is_done, (uint8_t)answer->verdict,
                            answer->is_encrypted};

    put_record(out, TAG_ANSWER, slice_of(head, sizeof(head)));
    put_record(out, TAG_WHY, answer->why);
    put_record(out, TAG_CONTENT, answer->content);
    put_record(out, TAG_DIGEST, answer->digest);
    put_records(out, TAG_MISSING, answer->missing, answer->missing_count);
    put_record(out, TAG_NAME, answer->name);
    put_records(out, TAG_ADDRESS, answer->addresses, answer->addresses_count);
    put_record(out, TAG_FINGERPRINT, answer->fingerprint);
}

/* ---- reading ------------------------------------------------------------------------------- */

static bool
take_record(struct cursor *cursor, uint8_t *ret_tag, struct slice *ret_bytes)
{
    struct slice length;
    size_t len = 0;

    if (!cursor_take_any(cursor, ret_tag) || !cursor_take_bytes(cursor, LENGTH_OCTETS, &length))
        return false;
    for (size_t i = LENGTH_OCTETS; i-- > 0;)
        len = len << 8 | length.at[i];
    return cursor_take_bytes(cursor, len, ret_bytes);
}

static bool
add(struct slice *list, size_t *count, struct slice bytes)
{
    if (!list || *count == OPENPGP_ADDRESSES_MAX)
        return false;
    list[(*count)++] = bytes;
    return true;
}

bool
openpgp_question_parse(struct slice bytes, struct arena *arena,
                       struct openpgp_question *ret_question)
{
    struct slice *recipients = ARENA_ARRAY(arena, struct slice, OPENPGP_ADDRESSES_MAX), record;
    struct openpgp_question question = {.recipients = recipients};
    struct cursor cursor = cursor_of(bytes);
    uint8_t tag;

    while (!cursor_is_done(&cursor)) {
        if (!take_record(&cursor, &tag, &record))
            return false;
        if (tag == TAG_QUESTION && record.len == 2 && record.at[0] == VERSION &&
            record.at[1] < OPENPGP_VERBS)
            question.verb = (enum openpgp_verb)record.at[1];
        else if (tag == TAG_SIGNER)
            question.signer = record;
        else if (tag == TAG_CONTENT)
            question.content = record;
        else if (tag == TAG_SIGNATURE)
            question.signature = record;
        else if (tag != TAG_RECIPIENT || !add(recipients, &question.recipients_count, record))
            return false;
    }
    if (question.verb == 0)
        return false;
    *ret_question = question;
    return true;
}

/* One record of an answer; false for what does not belong there. */
static bool
take_part_of_answer(struct openpgp_answer *answer, uint8_t tag, struct slice record,
                    struct slice *missing, struct slice *addresses)
{
    switch (tag) {
    case TAG_WHY:
        answer->why = record;
        return true;
    case TAG_CONTENT:
        answer->content = record;
        return true;
    case TAG_DIGEST:
        answer->digest = record;
        return true;
    case TAG_NAME:
        answer->name = record;
        return true;
    case TAG_FINGERPRINT:
        answer->fingerprint = record;
        return true;
    case TAG_MISSING:
        return add(missing, &answer->missing_count, record);
    case TAG_ADDRESS:
        return add(addresses, &answer->addresses_count, record);
    default:
        return false;
    }
}

bool
openpgp_answer_parse(struct slice bytes, struct arena *arena, struct openpgp_answer *ret_answer)
{
    struct slice *missing = ARENA_ARRAY(arena, struct slice, OPENPGP_ADDRESSES_MAX);
    struct slice *addresses = ARENA_ARRAY(arena, struct slice, OPENPGP_ADDRESSES_MAX), head;
    struct openpgp_answer answer = {.missing = missing, .addresses = addresses};
    struct cursor cursor = cursor_of(bytes);
    uint8_t tag;

    if (!take_record(&cursor, &tag, &head) || tag != TAG_ANSWER || head.len != 4 ||
        head.at[0] != VERSION || head.at[2] >= OPENPGP_VERDICTS)
        return false;
    answer.is_done = head.at[1] != 0;
    answer.verdict = (enum openpgp_verdict)head.at[2];
    answer.is_encrypted = head.at[3] != 0;
    while (!cursor_is_done(&cursor)) {
        struct slice record;
        if (!take_record(&cursor, &tag, &record) ||
            !take_part_of_answer(&answer, tag, record, missing, addresses))
            return false;
    }
    *ret_answer = answer;
    return true;
}
