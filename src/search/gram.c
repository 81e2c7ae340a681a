/* SPDX-License-Identifier: ISC */
#include "search/gram.h"

#include "base/hash.h"

#include <stdlib.h>

enum { SET_SIZE_MIN = 1 << 10, SET_SIZE_KEPT = 1 << 18 };

void
gram_set_init(struct gram_set *set)
{
    *set = (struct gram_set){0};
}

void
gram_set_finish(struct gram_set *set)
{
    free(set->places);
    gram_set_init(set);
}

void
gram_set_clear(struct gram_set *set)
{
    if (set->size > SET_SIZE_KEPT)
        gram_set_finish(set);
    else if (set->count)
        memset(set->places, 0, set->size * sizeof(*set->places));
    set->count = 0;
}

static size_t
place_of(const struct gram_set *set, uint64_t gram)
{
    size_t place = (size_t)(gram * UINT64_C(0x9E3779B97F4A7C15) >> 32) & (set->size - 1);

    while (set->places[place] && set->places[place] != gram)
        place = (place + 1) & (set->size - 1);
    return place;
}

static void
grow(struct gram_set *set)
{
    struct gram_set old = *set;

    set->size = old.size ? old.size * 2 : SET_SIZE_MIN;
    set->places = calloc(set->size, sizeof(*set->places));
    if (!set->places)
        abort();
    for (size_t i = 0; i < old.size; i++) {
        if (old.places[i])
            set->places[place_of(set, old.places[i])] = old.places[i];
    }
    free(old.places);
}

/* True when it was not in the set. */
static bool
enter(struct gram_set *set, uint64_t gram)
{
    if (set->count * 2 >= set->size)
        grow(set);
    size_t place = place_of(set, gram);
    if (set->places[place])
        return false;
    set->places[place] = gram;
    set->count++;
    return true;
}

/* The length of the character that begins here, as its first octet has it. */
static size_t
character_len(uint8_t lead)
{
    return lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

size_t
gram_characters(struct slice text, size_t max)
{
    size_t count = 0;

    for (size_t at = 0; at < text.len && count < max; count++)
        at += character_len(text.at[at]);
    return count;
}

/* A gram as a number: itself when it has up to seven octets, else a hash, which may in theory be
 * another gram's; then that one is missed. 56 bits are enough for never. */
static uint64_t
number_of(struct slice gram)
{
    uint64_t number = 0;

    if (gram.len > 7)
        return hash64(gram, 0) | UINT64_C(0x80) << 56;
    memcpy(&number, gram.at, gram.len);
    return number | (uint64_t)gram.len << 56;
}

bool
gram_next(struct gram_walk *walk, struct gram_set *set, struct slice *ret_gram)
{
    struct slice text = walk->text;

    while (walk->at < text.len) {
        size_t end = walk->at;
        for (unsigned i = 0; i < GRAM_CHARACTERS && end < text.len; i++)
            end += character_len(text.at[end]);
        struct slice gram = slice_between(text, walk->at, end);
        walk->at += character_len(text.at[walk->at]);
        if (enter(set, number_of(gram))) {
            *ret_gram = gram;
            return true;
        }
    }
    return false;
}

/* ---- words ----------------------------------------------------------------------------------- */

static bool
is_of_word(uint8_t octet)
{
    return (octet >= 'A' && octet <= 'Z') || (octet >= 'a' && octet <= 'z') ||
           (octet >= '0' && octet <= '9') || octet >= 0x80;
}

static size_t
word_len(struct slice text)
{
    size_t len = 0;

    while (len < text.len && is_of_word(text.at[len]))
        len++;
    return len;
}

bool
word_next(struct gram_walk *walk, struct gram_set *set, struct slice *ret_word)
{
    while (walk->at < walk->text.len) {
        struct slice rest = slice_skip(walk->text, walk->at);
        size_t len = word_len(rest), kept = 0;
        walk->at += len + 1;
        while (kept < len && kept + character_len(rest.at[kept]) <= WORD_LEN_MAX)
            kept += character_len(rest.at[kept]);
        struct slice word = slice_first(rest, kept < len ? kept : len);
        if (gram_characters(word, GRAM_CHARACTERS + 1) > GRAM_CHARACTERS &&
            enter(set, number_of(word))) {
            *ret_word = word;
            return true;
        }
    }
    return false;
}

bool
word_is_beginning(struct slice text)
{
    return text.len <= WORD_LEN_MAX && word_len(text) == text.len &&
           gram_characters(text, GRAM_CHARACTERS + 1) > GRAM_CHARACTERS;
}

/* ---- counts ---------------------------------------------------------------------------------- */

static uint32_t
count_place(struct slice gram)
{
    return (uint32_t)(hash64(gram, 0) % GRAM_COUNTS);
}

void
gram_counts_add(struct gram_counts *counts, struct gram_set *set, struct slice text)
{
    struct gram_walk walk = {.text = text};
    struct slice gram;

    gram_set_clear(set);
    counts->texts += counts->texts < UINT32_MAX;
    while (gram_next(&walk, set, &gram)) {
        uint32_t *count = &counts->at[count_place(gram)];
        *count += *count < UINT32_MAX;
    }
}

/* Puts a gram in its place among those that were chosen; the last may fall out. */
static size_t
choose_one(const struct gram_counts *counts, struct slice gram, struct slice *grams, size_t count,
           size_t max)
{
    uint32_t often = counts->at[count_place(gram)];
    size_t at = count;

    for (size_t i = 0; i < count; i++) {
        if (slice_equal(grams[i], gram))
            return count;
    }
    while (at > 0 && counts->at[count_place(grams[at - 1])] > often)
        at--;
    if (at == max)
        return count;
    count += count < max;
    memmove(grams + at + 1, grams + at, (count - at - 1) * sizeof(*grams));
    grams[at] = gram;
    return count;
}

static bool
is_in_most(const struct gram_counts *counts, struct slice gram)
{
    return counts->at[count_place(gram)] > counts->texts - counts->texts / 4;
}

size_t
gram_choose(const struct gram_counts *counts, struct slice text, struct slice *ret_grams,
            size_t max)
{
    size_t count = 0;

    for (size_t at = 0; at < text.len; at += character_len(text.at[at])) {
        size_t end = at, characters = 0;
        for (; characters < GRAM_CHARACTERS && end < text.len; characters++)
            end += character_len(text.at[end]);
        if (characters == GRAM_CHARACTERS)
            count = choose_one(counts, slice_between(text, at, end), ret_grams, count, max);
    }
    while (count > 1 && is_in_most(counts, ret_grams[count - 1]))
        count--;
    return count;
}
