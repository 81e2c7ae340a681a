/* SPDX-License-Identifier: ISC */
/* Notes made by their description, which notegen.py writes down for each target: nearly none that a
 * fuzzer writes by itself has all its fields and nothing behind them. In a shape, a digit is a
 * number of so many octets, `b` a bool, `e` and a letter an enum with so many values ('a': one),
 * `s` octets, and brackets are around the fields of a list's records. */
#include "note/tests/note_shapes.h"

#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t len, size_t len_max);

enum { OCTETS_MAX = 24, RECORDS_MAX = 4 };

struct maker {
    uint8_t *at;
    size_t len, max;
    uint32_t state;
};

static uint32_t
draw(struct maker *maker, uint32_t below)
{
    maker->state = maker->state * 1664525 + 1013904223;
    return (maker->state >> 8) % below;
}

static void
put_number(struct maker *maker, uint64_t number, size_t size)
{
    for (size_t i = 0; i < size && maker->len < maker->max; i++)
        maker->at[maker->len++] = (uint8_t)(number >> 8 * i);
}

static uint64_t
draw_number(struct maker *maker)
{
    switch (draw(maker, 4)) {
    case 0:
        return 0;
    case 1:
        return UINT64_MAX - draw(maker, 2);
    case 2:
        return UINT64_C(1) << draw(maker, 64);
    default:
        return draw(maker, 1000);
    }
}

static void
put_octets(struct maker *maker)
{
    static const uint8_t usual[] = "a@b.test/\0\r\n\xC3\xA9=\"<>[]";
    uint32_t len = draw(maker, OCTETS_MAX);

    put_number(maker, len, 4);
    while (len-- > 0)
        put_number(maker, usual[draw(maker, sizeof(usual) - 1)], 1);
}

static const char *
skip_record(const char *shape)
{
    for (int depth = 1; depth > 0; shape++)
        depth += (*shape == '(') - (*shape == ')');
    return shape;
}

/* Up to the end, or the bracket that closes this record; the shape behind it. Records are in
 * records only as deep as a description says. */
static const char *
put_fields(struct maker *maker, const char *shape)
{
    for (; *shape && *shape != ')'; shape++) {
        if (*shape >= '1' && *shape <= '8') {
            put_number(maker, draw_number(maker), (size_t)(*shape - '0'));
        } else if (*shape == 'b') {
            put_number(maker, draw(maker, 2), 1);
        } else if (*shape == 'e') {
            put_number(maker, draw(maker, (uint32_t)(*++shape - 'a') + 1), 1);
        } else if (*shape == 's') {
            put_octets(maker);
        } else {
            uint32_t count = draw(maker, RECORDS_MAX);
            put_number(maker, count, 4);
            while (count-- > 0)
                (void)put_fields(maker, shape + 1);
            shape = skip_record(shape + 1) - 1;
        }
    }
    return shape;
}

size_t
note_shapes_mutate(const char *const *shapes, size_t count, uint8_t *data, size_t len,
                   size_t len_max, unsigned seed)
{
    struct maker maker = {.at = data, .max = len_max, .state = seed};

    for (int i = 0; i < 4; i++) /* linear generators begin alike for like seeds */
        (void)draw(&maker, 2);
    if (draw(&maker, 3) > 0)
        return LLVMFuzzerMutate(data, len, len_max);
    uint32_t kind = draw(&maker, (uint32_t)count);
    put_number(&maker, kind + 1, 1);
    (void)put_fields(&maker, shapes[kind]);
    return maker.len;
}
