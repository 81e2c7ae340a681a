/* SPDX-License-Identifier: ISC */
#include "search/gram.h"

enum { WORD_BITS = 64, CHARACTER_MASK = 0x1FFFFF };

static uint64_t
key_of(enum gram_kind kind, uint64_t number)
{
    return (uint64_t)kind << GRAM_KIND_SHIFT | number;
}

static uint64_t
key_of_narrow(enum gram_kind kind, uint32_t first, uint32_t second, uint32_t third)
{
    return key_of(kind, (uint64_t)first << (2 * GRAM_BITS) | (uint64_t)second << GRAM_BITS | third);
}

static bool
is_wide(uint32_t character)
{
    return character >= GRAM_WIDE_FROM;
}

/* The length of the character that begins here, as its first octet has it. */
static size_t
character_len(uint8_t lead)
{
    return lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

/* Never 0, which stands for none. */
static uint32_t
take_character(struct slice text, size_t *at)
{
    uint8_t lead = text.at[*at];
    size_t len = character_len(lead), end = *at + len < text.len ? *at + len : text.len;
    uint32_t character = len == 1 ? lead : lead & (0x7FU >> len);

    for (size_t i = *at + 1; i < end; i++)
        character = character << 6 | (text.at[i] & 0x3F);
    *at = end;
    return character ? character & CHARACTER_MASK : 1;
}

void
gram_walk_init(struct gram_walk *walk, struct slice text)
{
    *walk = (struct gram_walk){.text = text};
}

static void
look_ahead(struct gram_walk *walk)
{
    while (walk->count < GRAM_CHARACTERS && walk->next < walk->text.len) {
        walk->places[walk->count] = (uint32_t)walk->next;
        walk->characters[walk->count++] = take_character(walk->text, &walk->next);
    }
}

static void
shift(struct gram_walk *walk)
{
    walk->count--;
    memmove(walk->characters, walk->characters + 1, walk->count * sizeof(walk->characters[0]));
    memmove(walk->places, walk->places + 1, walk->count * sizeof(walk->places[0]));
}

/* The key of the narrow ones at hand. */
static uint64_t
narrow_key(struct gram_walk *walk)
{
    uint32_t *of = walk->characters;
    uint32_t second = walk->count > 1 && !is_wide(of[1]) ? of[1] : 0;
    uint32_t third = second && walk->count > 2 && !is_wide(of[2]) ? of[2] : 0;

    if (walk->is_behind_wide) {
        walk->waiting[walk->waiting_count++] =
            (struct gram){key_of_narrow(GRAM_BEHIND_WIDE, of[0], 0, 0), walk->places[0]};
        if (second)
            walk->waiting[walk->waiting_count++] =
                (struct gram){key_of_narrow(GRAM_BEHIND_WIDE, of[0], second, 0), walk->places[0]};
    }
    return key_of_narrow(GRAM_NARROW, of[0], second, third);
}

bool
gram_next(struct gram_walk *walk, struct gram *ret_gram)
{
    if (walk->waiting_count > 0) {
        *ret_gram = walk->waiting[--walk->waiting_count];
        return true;
    }
    look_ahead(walk);
    if (walk->count == 0)
        return false;
    uint32_t first = walk->characters[0], place = walk->places[0];
    uint64_t key = is_wide(first) ? key_of(GRAM_WIDE, first) : narrow_key(walk);
    walk->is_behind_wide = is_wide(first);
    shift(walk);
    *ret_gram = (struct gram){key, place};
    return true;
}

void
gram_present(struct slice text, gram_present_fn fn, void *context)
{
    uint64_t seen[GRAM_WIDE_FROM / WORD_BITS] = {0};

    for (size_t at = 0; at < text.len;) {
        uint32_t character = take_character(text, &at);
        if (!is_wide(character))
            seen[character / WORD_BITS] |= UINT64_C(1) << character % WORD_BITS;
    }
    for (uint32_t word = 0; word < COUNT_OF(seen); word++) {
        for (uint64_t left = seen[word]; left; left &= left - 1) {
            uint32_t character = word * WORD_BITS + (uint32_t)__builtin_ctzll(left);
            fn(context, key_of_narrow(GRAM_PRESENT, character, 0, 0));
        }
    }
}

/* ---- what is sought -------------------------------------------------------------------------- */

/* How many characters a key of narrow ones has. */
static unsigned
characters_of(uint64_t key)
{
    uint64_t mask = (1 << GRAM_BITS) - 1;

    return key & mask ? 3 : key >> GRAM_BITS & mask ? 2 : 1;
}

static struct gram_term
term_of(uint64_t key, uint64_t stretch, uint32_t at)
{
    return (struct gram_term){key, key + stretch, at};
}

/* One or two characters that end the sought text: more may follow in what is looked through. */
static struct gram_term
term_of_end(struct gram gram)
{
    uint64_t of_it = gram.key & ((UINT64_C(1) << GRAM_KIND_SHIFT) - 1);

    if (gram.at > 0)
        return term_of(key_of(GRAM_BEHIND_WIDE, of_it), 1, gram.at);
    if (characters_of(gram.key) == 1)
        return term_of(key_of(GRAM_PRESENT, of_it), 1, gram.at);
    return term_of(gram.key, UINT64_C(1) << GRAM_BITS, gram.at);
}

size_t
gram_plan(struct slice text, struct gram_term *ret_terms)
{
    struct gram gram, last = {0};
    struct gram_walk walk;
    size_t count = 0;
    unsigned in_run = 0; /* grams of this run of narrow characters that were met */

    gram_walk_init(&walk, text);
    while (gram_next(&walk, &gram)) {
        uint64_t kind = gram.key >> GRAM_KIND_SHIFT;
        unsigned characters = characters_of(gram.key);
        if (kind == GRAM_WIDE)
            ret_terms[count++] = term_of(gram.key, 1, gram.at);
        else if (kind == GRAM_NARROW && in_run == 0 && walk.count + 1 == characters &&
                 characters < GRAM_CHARACTERS)
            ret_terms[count++] = term_of_end(gram);
        else if (kind == GRAM_NARROW &&
                 (in_run == 0 || (characters == GRAM_CHARACTERS && in_run % GRAM_CHARACTERS == 0)))
            ret_terms[count++] = term_of(gram.key, 1, gram.at);
        else if (kind == GRAM_NARROW && characters == 2 &&
                 characters_of(last.key) == GRAM_CHARACTERS && (in_run - 1) % GRAM_CHARACTERS != 0)
            ret_terms[count++] = term_of(last.key, 1, last.at); /* the last whole one */
        in_run = kind == GRAM_WIDE ? 0 : kind == GRAM_NARROW ? in_run + 1 : in_run;
        last = gram;
    }
    return count;
}
