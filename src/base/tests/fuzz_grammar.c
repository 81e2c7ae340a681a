/* SPDX-License-Identifier: ISC */
/* Mutations of whole units of a language; see the header. */
#include "base/tests/fuzz_grammar.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { UNITS_MAX = 400, TEXT_MAX = 8192, DEPTH_MAX = 10, WORDS_MAX = 200 };

struct text {
    uint8_t at[TEXT_MAX];
    size_t len;
};

struct span {
    size_t start, len;
};

struct session {
    const struct fuzz_grammar *grammar;
    uint8_t *at;
    size_t len, max;
    uint64_t state;
    struct span units[UNITS_MAX];
    size_t count;
};

static uint64_t
draw(struct session *session, uint64_t bound)
{
    session->state = session->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (session->state >> 33) % bound;
}

static void
text_put(struct text *text, const void *bytes, size_t len)
{
    if (len > TEXT_MAX - text->len)
        len = TEXT_MAX - text->len;
    memcpy(text->at + text->len, bytes, len);
    text->len += len;
}

static void
text_put_number(struct session *session, struct text *text)
{
    static const char *const edges[] = {"0",
                                        "1",
                                        "2",
                                        "9",
                                        "10",
                                        "63",
                                        "64",
                                        "255",
                                        "256",
                                        "65535",
                                        "65536",
                                        "4095",
                                        "4096",
                                        "2147483647",
                                        "2147483648",
                                        "4294967295",
                                        "4294967296",
                                        "9223372036854775807",
                                        "9223372036854775808",
                                        "18446744073709551615",
                                        "18446744073709551616",
                                        "00",
                                        "-1",
                                        "99999999999999999999999999",
                                        "1000000"};
    char number[32];

    if (draw(session, 2) == 0) {
        snprintf(number, sizeof(number), "%u", (unsigned)draw(session, 20));
        text_put(text, number, strlen(number));
        return;
    }
    const char *edge = edges[draw(session, sizeof(edges) / sizeof(edges[0]))];
    text_put(text, edge, strlen(edge));
}

static void
text_put_octets(struct session *session, struct text *text, const char *alphabet,
                size_t alphabet_len)
{
    size_t len = draw(session, draw(session, 8) == 0 ? 1100 : 20);

    for (size_t i = 0; i < len; i++) {
        uint8_t octet = (uint8_t)draw(session, 256);
        if (alphabet_len)
            octet = (uint8_t)alphabet[octet % alphabet_len];
        text_put(text, &octet, 1);
    }
}

static const struct fuzz_rule *
rule_find(const struct fuzz_grammar *grammar, const char *name, size_t len)
{
    for (size_t i = 0; i < grammar->rules_count; i++) {
        const struct fuzz_rule *rule = &grammar->rules[i];
        if (strncmp(rule->name, name, len) == 0 && rule->name[len] == '\0')
            return rule;
    }
    return NULL;
}

/* Letters, and hyphens between them. */
static size_t
name_length(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    size_t len = strspn(name, letters);

    while (name[len] == '-' && strspn(name + len + 1, letters) > 0)
        len += 1 + strspn(name + len + 1, letters);
    return len;
}

static void text_put_rule(struct session *session, struct text *text, const char *name, size_t len,
                          unsigned depth);

/* What is counted, and its count: right, or wrong one time in four. */
static void
text_put_counted(struct session *session, struct text *text, bool is_literal, unsigned depth)
{
    static const char *const ends[] = {"", "", "+", "-"};
    struct text content = {.len = 0};
    char count[80];

    if (depth < DEPTH_MAX && rule_find(session->grammar, "content", strlen("content")))
        text_put_rule(session, &content, "content", strlen("content"), depth + 3);
    else
        text_put_octets(session, &content, NULL, 0);
    size_t len = content.len;
    if (draw(session, 4) == 0)
        len = draw(session, 2) == 0 ? len + 1
                                    : (size_t)(draw(session, UINT32_MAX) << draw(session, 32));
    if (is_literal)
        snprintf(count, sizeof(count), "{%zu%s}\r\n", len, ends[draw(session, 4)]);
    else
        snprintf(count, sizeof(count), "%zu%s\r\n", len, draw(session, 2) == 0 ? " LAST" : "");
    text_put(text, count, strlen(count));
    text_put(text, content.at, content.len);
}

static bool
text_put_builtin(struct session *session, struct text *text, const char *name, size_t len,
                 unsigned depth)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789.-_";
    static const char base64[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";

    if (len == 6 && memcmp(name, "number", len) == 0)
        text_put_number(session, text);
    else if (len == 6 && memcmp(name, "octets", len) == 0)
        text_put_octets(session, text, NULL, 0);
    else if (len == 7 && memcmp(name, "letters", len) == 0)
        text_put_octets(session, text, letters, sizeof(letters) - 1);
    else if (len == 6 && memcmp(name, "armour", len) == 0)
        text_put_octets(session, text, base64, sizeof(base64) - 1);
    else if (len == 7 && memcmp(name, "literal", len) == 0)
        text_put_counted(session, text, true, depth);
    else if (len == 5 && memcmp(name, "chunk", len) == 0)
        text_put_counted(session, text, false, depth);
    else
        return false;
    return true;
}

/* One of the rule's choices, with the rules in it. Bounded by DEPTH_MAX and by TEXT_MAX. */
static void
text_put_rule(struct session *session, struct text *text, const char *name, size_t len,
              unsigned depth)
{
    size_t count = 0;

    if (text_put_builtin(session, text, name, len, depth))
        return;
    const struct fuzz_rule *rule = rule_find(session->grammar, name, len);
    if (!rule) {
        fprintf(stderr, "no rule ^%.*s\n", (int)len, name);
        abort();
    }
    while (count < FUZZ_CHOICES_MAX && rule->choices[count])
        count++;
    const char *choice = rule->choices[depth >= DEPTH_MAX ? 0 : draw(session, count)];
    while (*choice && text->len < TEXT_MAX) {
        if (*choice != '^') {
            text_put(text, choice++, 1);
            continue;
        }
        size_t name_len = name_length(choice + 1);
        text_put_rule(session, text, choice + 1, name_len, depth + 1);
        choice += 1 + name_len;
    }
}

/* A new text of a rule; the one before is gone. */
static const struct text *
made(struct session *session, const char *name)
{
    static struct text text;

    text.len = 0;
    text_put_rule(session, &text, name, strlen(name), 0);
    return &text;
}

/* Where the digits of a count stand at the end of the line `line` (`{12+}` before CRLF), or at the
 * beginning (`BDAT 12`); length 0: it has none. */
static struct span
count_find(const struct session *session, size_t start, size_t end)
{
    const uint8_t *at = session->at;
    size_t last = end, first;

    if (session->grammar->has_chunks && end - start > 5 &&
        strncasecmp((const char *)at + start, "BDAT ", 5) == 0) {
        for (last = first = start + 5; last < end && at[last] >= '0' && at[last] <= '9';)
            last++;
        return (struct span){first, last - first};
    }
    while (last > start && (at[last - 1] == '\n' || at[last - 1] == '\r'))
        last--;
    if (!session->grammar->has_literals || last == start || at[last - 1] != '}')
        return (struct span){0};
    last--;
    if (last > start && (at[last - 1] == '+' || at[last - 1] == '-'))
        last--;
    for (first = last; first > start && at[first - 1] >= '0' && at[first - 1] <= '9';)
        first--;
    bool is_count = first > start && at[first - 1] == '{';
    return is_count ? (struct span){first, last - first} : (struct span){0};
}

static uint64_t
count_value(const struct session *session, struct span digits)
{
    uint64_t value = 0;

    for (size_t i = 0; i < digits.len && value < UINT32_MAX; i++)
        value = value * 10 + session->at[digits.start + i] - '0';
    return value;
}

/* Behind the unit that begins here: its line, what it counts, and for literals the line goes on. */
static size_t
unit_end(const struct session *session, size_t start)
{
    size_t at = start;

    for (;;) {
        const uint8_t *feed = memchr(session->at + at, '\n', session->len - at);
        if (!feed)
            return session->len;
        size_t end = (size_t)(feed - session->at) + 1;
        struct span digits = count_find(session, at, end);
        uint64_t counted = count_value(session, digits);
        if (digits.len == 0 || counted > session->len - end)
            return end;
        at = end + counted;
        if (!session->grammar->has_literals || at == session->len)
            return at;
    }
}

static void
divide(struct session *session)
{
    size_t at = session->grammar->head_len;

    session->count = 0;
    while (at < session->len && session->count < UNITS_MAX) {
        size_t end = session->count == UNITS_MAX - 1 ? session->len : unit_end(session, at);
        session->units[session->count++] = (struct span){at, end - at};
        at = end;
    }
}

/* Puts bytes in the place of others, if there is room. */
static void
splice(struct session *session, struct span old, const uint8_t *bytes, size_t len)
{
    size_t tail = old.start + old.len;

    if (len > old.len && len - old.len > session->max - session->len)
        return;
    memmove(session->at + old.start + len, session->at + tail, session->len - tail);
    if (len)
        memcpy(session->at + old.start, bytes, len);
    session->len = session->len - old.len + len;
}

static struct span
unit_any(struct session *session)
{
    return session->units[draw(session, session->count)];
}

/* A copy of some octets, because splicing moves them. */
static const struct text *
copied(const struct session *session, struct span span)
{
    static struct text copy;

    copy.len = 0;
    text_put(&copy, session->at + span.start, span.len);
    return &copy;
}

static void
insert(struct session *session, size_t at, const struct text *text)
{
    splice(session, (struct span){at, 0}, text->at, text->len);
}

/* A word of a unit: what lies between blanks, brackets and quotes. */
static struct span
word_any(struct session *session, struct span unit)
{
    static const char edges[] = " ()[]<>{}\":;=,\r\n";
    struct span words[WORDS_MAX];
    size_t count = 0, end = unit.start + unit.len;

    for (size_t at = unit.start; at < end && count < WORDS_MAX;) {
        size_t first = at;
        while (at < end && !memchr(edges, session->at[at], sizeof(edges) - 1))
            at++;
        if (at > first)
            words[count++] = (struct span){first, at - first};
        else
            at++;
    }
    return count ? words[draw(session, count)] : (struct span){unit.start, 0};
}

static void
change_word(struct session *session, struct span unit)
{
    struct span word = word_any(session, unit);
    const struct text *text;

    switch (draw(session, 6)) {
    case 0:
        text = copied(session, word_any(session, unit_any(session)));
        break;
    case 1: /* once more */
        insert(session, word.start + word.len,
               copied(session, (struct span){word.start, word.len}));
        return;
    case 2:
        splice(session, word, NULL, 0);
        return;
    case 3:
        text = made(session, "number");
        break;
    case 4:
        for (size_t i = 0; i < word.len; i++) {
            uint8_t *octet = &session->at[word.start + i];
            bool is_letter = (*octet | 0x20) >= 'a' && (*octet | 0x20) <= 'z';
            *octet ^= is_letter ? 0x20 : 0;
        }
        return;
    default:
        text = made(session, "word");
    }
    splice(session, word, text->at, text->len);
}

/* Another end of the line, or none. */
static void
change_end(struct session *session, struct span unit)
{
    static const struct {
        const char *at;
        size_t len;
    } ends[] = {{"\n", 1},     {"\r", 1},        {"", 0},      {"\r\n\r\n", 4}, {"\r\r\n", 3},
                {"\0\r\n", 3}, {"\r\n.\r\n", 5}, {"\n.\n", 3}, {" \r\n", 3},    {"\r\n ", 3}};
    size_t end = unit.start + unit.len, first = end;
    size_t which = draw(session, sizeof(ends) / sizeof(ends[0]));

    while (first > unit.start && (session->at[first - 1] == '\n' || session->at[first - 1] == '\r'))
        first--;
    splice(session, (struct span){first, end - first}, (const uint8_t *)ends[which].at,
           ends[which].len);
}

/* What the unit counts first is one more, one less, or something else. */
static void
change_count(struct session *session, struct span unit)
{
    const uint8_t *feed = memchr(session->at + unit.start, '\n', unit.len);
    struct span digits = {0};
    char number[32];

    if (feed)
        digits = count_find(session, unit.start, (size_t)(feed - session->at) + 1);
    if (digits.len == 0) {
        change_word(session, unit);
        return;
    }
    if (draw(session, 2) == 0) {
        const struct text *text = made(session, "number");
        splice(session, digits, text->at, text->len);
        return;
    }
    uint64_t value = count_value(session, digits) + draw(session, 3) - 1;
    snprintf(number, sizeof(number), "%" PRIu64, value);
    splice(session, digits, (const uint8_t *)number, strlen(number));
}

/* Some units in a row, in the middle of what the rules "before" and "after" make. */
static void
wrap(struct session *session)
{
    if (!rule_find(session->grammar, "before", strlen("before")))
        return;
    size_t first = draw(session, session->count);
    size_t last = first + draw(session, session->count - first);
    size_t end = session->units[last].start + session->units[last].len;

    insert(session, end, made(session, "after"));
    insert(session, session->units[first].start, made(session, "before"));
}

static void
move_unit(struct session *session, bool removes)
{
    struct span unit = unit_any(session), goal = unit_any(session);

    if (unit.len > TEXT_MAX)
        return;
    const struct text *copy = copied(session, unit);
    if (removes)
        splice(session, unit, NULL, 0);
    if (removes && goal.start > unit.start)
        goal.start -= unit.len;
    insert(session, goal.start, copy);
}

static void
repeat_unit(struct session *session)
{
    struct span unit = unit_any(session);
    size_t times = draw(session, 16) == 0 ? draw(session, 200) : draw(session, 4) + 1;

    if (unit.len > TEXT_MAX)
        return;
    const struct text *copy = copied(session, unit);
    while (times-- > 0)
        insert(session, unit.start, copy);
}

/* The fuzzer's own mutation of one unit alone. */
static void
blur_unit(struct session *session, struct span unit)
{
    size_t room = unit.len + 64;
    uint8_t *work = malloc(room);

    if (!work)
        abort();
    memcpy(work, session->at + unit.start, unit.len);
    size_t len = LLVMFuzzerMutate(work, unit.len, room);
    splice(session, unit, work, len);
    free(work);
}

static void
change(struct session *session)
{
    divide(session);
    if (session->count == 0 || draw(session, 6) == 0) {
        size_t at = session->count ? unit_any(session).start : session->len;
        insert(session, draw(session, 3) == 0 ? session->len : at, made(session, "unit"));
        return;
    }
    struct span unit = unit_any(session);
    size_t part = draw(session, unit.len);
    switch (draw(session, 13)) {
    case 0: {
        const struct text *text = made(session, "unit");
        splice(session, unit, text->at, text->len);
        break;
    }
    case 1:
        splice(session, unit, NULL, 0);
        break;
    case 2:
        repeat_unit(session);
        break;
    case 3:
        move_unit(session, true);
        break;
    case 4:
        move_unit(session, false);
        break;
    case 5: /* cut anywhere: the end of it goes, or the beginning, or of all that follows */
        splice(session, (struct span){unit.start + part, unit.len - part}, NULL, 0);
        break;
    case 6:
        splice(session, (struct span){unit.start, part}, NULL, 0);
        break;
    case 7:
        change_end(session, unit);
        break;
    case 8:
        change_count(session, unit);
        break;
    case 9:
        wrap(session);
        break;
    case 10:
        blur_unit(session, unit);
        break;
    default:
        change_word(session, unit);
    }
}

size_t
fuzz_grammar_mutate(const struct fuzz_grammar *grammar, uint8_t *data, size_t len, size_t len_max,
                    unsigned seed)
{
    struct session session = {
        .grammar = grammar, .at = data, .len = len, .max = len_max, .state = seed};

    /* Linear generators begin alike for like seeds. */
    for (int i = 0; i < 4; i++)
        (void)draw(&session, 2);
    if (draw(&session, 3) == 0)
        return LLVMFuzzerMutate(data, len, len_max);
    while (session.len < grammar->head_len && session.len < len_max)
        session.at[session.len++] = 0;
    if (session.len < grammar->head_len)
        return session.len;
    if (grammar->head_len && draw(&session, 8) == 0)
        session.at[draw(&session, grammar->head_len)] = (uint8_t)draw(&session, 256);
    for (uint64_t times = draw(&session, 4) + 1; times-- > 0;)
        change(&session);
    return session.len;
}

size_t
fuzz_grammar_cross(const struct fuzz_grammar *grammar, const uint8_t *one, size_t one_len,
                   const uint8_t *other, size_t other_len, uint8_t *out, size_t out_max,
                   unsigned seed)
{
    struct session session = {.grammar = grammar, .state = seed, .max = out_max};
    size_t len = 0;

    (void)draw(&session, 2);
    /* Only read: divide() and unit_any() change nothing. */
    session.at = (uint8_t *)(uintptr_t)one;
    session.len = one_len;
    divide(&session);
    if (session.count)
        len = unit_any(&session).start;
    if (len > out_max)
        return 0;
    if (len)
        memcpy(out, one, len);
    session.at = (uint8_t *)(uintptr_t)other;
    session.len = other_len;
    divide(&session);
    if (session.count == 0)
        return len;
    size_t start = unit_any(&session).start;
    size_t rest = other_len - start < out_max - len ? other_len - start : out_max - len;
    memcpy(out + len, other + start, rest);
    return len + rest;
}
