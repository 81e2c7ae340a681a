/* SPDX-License-Identifier: ISC */
#include "role/smtp/answers.h"

enum { OF_DOMAIN = 2 }; /* no question about an address begins so */

void
answers_init(struct answers *answers, uint64_t seed)
{
    answers->seed = seed;
    map_init(&answers->map, seed);
    arena_init(&answers->arena, ANSWERS_BYTES_MAX);
}

void
answers_finish(struct answers *answers)
{
    map_finish(&answers->map);
    arena_finish(&answers->arena);
}

void
answers_forget(struct answers *answers)
{
    answers_finish(answers);
    answers_init(answers, answers->seed);
}

/* All that the answer may depend on. False when it is too long to be kept. */
static bool
put_question(struct buffer *buffer, const struct smtp_route_recipient *question)
{
    buffer_put_byte(buffer, question->is_authenticated);
    buffer_put_byte(buffer, question->is_trusted_network);
    buffer_put_byte(buffer, question->takes_remote);
    buffer_put_le64(buffer, question->account);
    buffer_put_le16(buffer, (uint16_t)question->sender.len);
    buffer_put(buffer, question->sender);
    buffer_put(buffer, question->address);
    return !buffer_overflowed(buffer);
}

static bool
is_plain_byte(uint8_t byte)
{
    return byte_is_alpha(byte) || byte_is_digit(byte) || byte == '.' || byte == '-';
}

/* The domain of an address that can only be read in one way, in lower case, and who asks. False for
 * all others: no source route, percent hack, quotes, literals. */
static bool
put_domain_question(struct buffer *buffer, const struct smtp_route_recipient *question)
{
    struct slice address = question->address;
    size_t at = slice_find_byte(address, '@');
    struct slice domain = slice_skip(address, at + 1);

    buffer_put_byte(buffer, OF_DOMAIN);
    buffer_put_byte(buffer, question->is_authenticated);
    buffer_put_byte(buffer, question->is_trusted_network);
    for (size_t i = 0; i < at; i++) {
        if (!is_plain_byte(address.at[i]) && address.at[i] != '_' && address.at[i] != '+')
            return false;
    }
    for (size_t i = 0; i < domain.len; i++) {
        if (!is_plain_byte(domain.at[i]))
            return false;
        buffer_put_byte(buffer, byte_to_lower(domain.at[i]));
    }
    return at > 0 && domain.len > 0 && address.len <= SMTP_ROUTE_TARGET_NAME_MAX &&
           !buffer_overflowed(buffer);
}

static const struct smtp_route_route *
find_domain(struct answers *answers, const struct smtp_route_recipient *question)
{
    const struct smtp_route_route *found = NULL;
    struct buffer key;

    buffer_init(&key, ANSWERS_QUESTION_MAX);
    if (put_domain_question(&key, question))
        found = map_find(&answers->map, buffer_slice(&key));
    buffer_finish(&key);
    if (!found)
        return NULL;
    answers->foreign = *found;
    answers->foreign_target = found->targets.at[0];
    answers->foreign_target.name = question->address;
    answers->foreign.targets.at = &answers->foreign_target;
    return &answers->foreign;
}

const struct smtp_route_route *
answers_find(struct answers *answers, const struct smtp_route_recipient *question)
{
    const struct smtp_route_route *found = NULL;
    struct buffer key;

    if (answers->map.count == 0)
        return NULL;
    buffer_init(&key, ANSWERS_QUESTION_MAX);
    if (put_question(&key, question))
        found = map_find(&answers->map, buffer_slice(&key));
    buffer_finish(&key);
    return found ? found : find_domain(answers, question);
}

static bool
is_plain(const struct smtp_route_route *answer)
{
    return answer->verdict == SMTP_ROUTE_VERDICT_LOCAL && answer->text.len == 0 &&
           !answer->is_passing && answer->targets.count > 0 && answer->groups.count == 0;
}

/* NULL when the arena is full. */
static struct smtp_route_route *
copy_answer(struct arena *arena, const struct smtp_route_route *answer)
{
    struct smtp_route_route *copy = ARENA_NEW(arena, struct smtp_route_route);
    struct smtp_route_target *targets =
        ARENA_ARRAY(arena, struct smtp_route_target, answer->targets.count);

    if (!copy || !targets)
        return NULL;
    *copy = *answer;
    copy->text = SLICE("");
    copy->targets.at = targets;
    copy->groups.at = NULL;
    for (size_t i = 0; i < answer->targets.count; i++) {
        const struct smtp_route_target *from = &answer->targets.at[i];
        targets[i] = *from;
        targets[i].detail = arena_copy(arena, from->detail);
        targets[i].name = arena_copy(arena, from->name);
        targets[i].path = arena_copy(arena, from->path);
        targets[i].user = arena_copy(arena, from->user);
    }
    return arena_failed(arena) ? NULL : copy;
}

static bool
is_about_domain(const struct smtp_route_route *answer)
{
    return answer->is_for_domain && answer->targets.count == 1 &&
           answer->targets.at[0].box == SMTP_ROUTE_BOX_REMOTE;
}

static bool
put_key(struct buffer *key, const struct smtp_route_recipient *question,
        const struct smtp_route_route *answer)
{
    if (is_about_domain(answer) && put_domain_question(key, question))
        return true;
    buffer_clear(key);
    return put_question(key, question);
}

void
answers_keep(struct answers *answers, const struct smtp_route_recipient *question,
             const struct smtp_route_route *answer)
{
    struct buffer key;

    if (!is_plain(answer))
        return;
    if (answers->map.count == ANSWERS_MAX)
        answers_forget(answers);
    buffer_init(&key, ANSWERS_QUESTION_MAX);
    /* The second try is in an empty arena. */
    for (int tries = 0; tries < 2 && put_key(&key, question, answer); tries++) {
        struct smtp_route_route *copy = copy_answer(&answers->arena, answer);
        if (copy) {
            (void)!map_set(&answers->map, buffer_slice(&key), copy);
            break;
        }
        answers_forget(answers);
        buffer_clear(&key);
    }
    buffer_finish(&key);
}
