/* SPDX-License-Identifier: ISC */
/* Whether a fuzz target's work grows as its input does: counted, not timed. The compiler calls
 * __sanitizer_cov_trace_pc in each basic block, the linker sends the C library's loops over octets
 * here (a step for each 16), so the same input takes the same steps on every machine (meson option
 * `work`; `tools/fuzz work`). An input is the beginning of one of the corpus, units again and
 * again, and the end of another; four times as many octets may take six times as many steps. What a
 * limit stops is no fall: it is asked again with more, up to SIZE_LAST. */
#include "base/tests/fuzz_inputs.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SIZE_FIRST = 2048,
    SIZE_LAST = 128 * 1024,
    FACTOR = 4,
    /* Of ten: n log n has 4.6 here, n^1.5 has 8. */
    GROWTH_MAX = 60,
    UNIT_MAX = 64,
    EDGE_MAX = 400,
    OCTETS_A_STEP = 16
};

#ifdef __clang__
#define UNCOUNTED __attribute__((no_sanitize("coverage")))
#else
#define UNCOUNTED __attribute__((no_sanitize_coverage))
#endif

static uint64_t steps;
static uint8_t input[INPUT_MAX];

UNCOUNTED void __sanitizer_cov_trace_pc(void);
void
__sanitizer_cov_trace_pc(void)
{
    steps++;
}

#define COUNTED(type, name, octets, parameters, ...)                                               \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    UNCOUNTED type __wrap_##name parameters                                                        \
    {                                                                                              \
        type found = __real_##name(__VA_ARGS__);                                                   \
        steps += (octets) / OCTETS_A_STEP;                                                         \
        return found;                                                                              \
    }

static inline uint64_t
passed(const void *from, const void *found, size_t len)
{
    return found ? (uint64_t)((const uint8_t *)found - (const uint8_t *)from) : len;
}

COUNTED(void *, memcpy, len, (void *to, const void *from, size_t len), to, from, len)
COUNTED(void *, memmove, len, (void *to, const void *from, size_t len), to, from, len)
COUNTED(void *, memset, len, (void *to, int value, size_t len), to, value, len)
COUNTED(int, memcmp, len, (const void *one, const void *other, size_t len), one, other, len)
COUNTED(void *, memchr, passed(from, found, len), (const void *from, int octet, size_t len), from,
        octet, len)
COUNTED(void *, memrchr, len, (const void *from, int octet, size_t len), from, octet, len)
COUNTED(void *, memmem, passed(from, found, len),
        (const void *from, size_t len, const void *what, size_t what_len), from, len, what,
        what_len)
COUNTED(size_t, strlen, found, (const char *text), text)
COUNTED(void *, realloc, len, (void *old, size_t len), old, len)

/* What parsers nest, repeat or look for. '#' becomes a number that rises. */
static const char *const units[] = {
    "(", ")", "\"", "\\", "<", ">", ",", ";", ":", "a,", "a@b,", "a:", "\r\n", "\n", "\r", "\r\n ",
    "\n ", "--", "\r\n--", "\n--#\n", "=?", "=?=", "=?a?q?", "?=", "=?utf-8?q?a?= ",
    "=?utf-8?b?YQ?= ", "=\r\n", "=3D", "a=b;", "a*#=b;", "a*#*=%41;", "a*0*=''", ";=", "<a@b> ",
    "<#@b> ", "References: <#@b>\r\n", "X: y\r\n", "x#: y\r\n", "To: a@b\r\n",
    "Received: by a; b\r\n", "<a>", "</a>", "<!--", "-->", "&", "&amp;", "&#", "<script>",
    "<style", "<a b=", "*", "%", "*%", "a*", "OR ", "NOT ", "((", "()", "1,", "#:*,", "{0+}\r\n",
    "{", "[", "]", "BODY[", "a.", ".", "/", "\\(", "\"\\", "\\\"", "(\"", "\t", " ", "\xC3\xA9",
    "\xF0\x9F\x98\x80", "\xFF", "\xCC\x81", "\xE2\x80\x8D", "\x1B$B", "\x1B(B", "+AGE-", "&AGE-",
    "a b ", "a#\n", "# ", "0", "1.", "begin 644 a\n", "-----BEGIN PGP", "\x30\x80", "\xA0\x80",
    "{\"a\":", "[[", "{}", "\\u0041", "Re: ", "[a] ", "(fwd)", "Fwd: [", "From ", "v=1; ", "h=a:",
    "Content-Type: ", "content-type: message/rfc822\r\n\r\n",
    "content-type: multipart/mixed; boundary=#\r\n\r\n--#\r\n",
};

struct kind {
    uint8_t prefix[EDGE_MAX], unit[2][UNIT_MAX], suffix[EDGE_MAX];
    size_t prefix_len, unit_len[2], suffix_len;
    bool has_two; /* the second one in a second half: what is opened is closed */
};

static size_t
some_of_corpus(uint8_t *to, size_t max, bool is_start, bool is_end)
{
    const struct fuzz_input *seed = &fuzz_inputs[fuzz_random() % fuzz_input_count];
    size_t len = fuzz_random() % (max + 1);

    len = len > seed->len ? seed->len : len;
    size_t at = is_start ? 0 : is_end ? seed->len - len : fuzz_random() % (seed->len - len + 1);
    memcpy(to, seed->bytes + at, len);
    return len;
}

static size_t
choose_unit(uint8_t *unit)
{
    size_t len = 0;

    if (fuzz_random() % 2)
        return some_of_corpus(unit, UNIT_MAX, false, false);
    for (uint64_t times = fuzz_random() % 3 + 1; times > 0; times--) {
        const char *chosen = units[fuzz_random() % (sizeof(units) / sizeof(*units))];
        size_t chosen_len = strlen(chosen);
        if (len + chosen_len <= UNIT_MAX) {
            memcpy(unit + len, chosen, chosen_len);
            len += chosen_len;
        }
    }
    return len;
}

static void
choose(struct kind *kind)
{
    bool has_edges = fuzz_input_count > 0 && fuzz_random() % 4 != 0;

    kind->prefix_len = has_edges ? some_of_corpus(kind->prefix, EDGE_MAX, true, false) : 0;
    kind->suffix_len = has_edges ? some_of_corpus(kind->suffix, EDGE_MAX, false, true) : 0;
    kind->has_two = fuzz_random() % 4 == 0;
    for (int i = 0; i < 2; i++)
        kind->unit_len[i] = choose_unit(kind->unit[i]);
}

static size_t
put_unit(size_t at, const uint8_t *unit, size_t len, unsigned number)
{
    for (size_t i = 0; i < len; i++) {
        if (unit[i] == '#')
            at += (size_t)snprintf((char *)input + at, 12, "%u", number);
        else
            input[at++] = unit[i];
    }
    return at;
}

/* The steps of the target. */
static uint64_t
measure(const struct kind *kind, size_t size)
{
    unsigned number = 0;
    size_t at = kind->prefix_len;

    memcpy(input, kind->prefix, at);
    for (int i = 0; i <= kind->has_two; i++) {
        size_t end = kind->has_two && i == 0 ? size / 2 : size;
        while (kind->unit_len[i] && at < end)
            at = put_unit(at, kind->unit[i], kind->unit_len[i], number++);
    }
    memcpy(input + at, kind->suffix, kind->suffix_len);
    uint64_t before = steps;
    fuzz_run(input, at + kind->suffix_len);
    return steps - before;
}

static void
show(const char *what, const uint8_t *octets, size_t len)
{
    printf(" %s \"", what);
    for (size_t i = 0; i < len; i++) {
        if (octets[i] < ' ' || octets[i] > '~' || octets[i] == '"' || octets[i] == '\\')
            printf("\\x%02X", octets[i]);
        else
            putchar(octets[i]);
    }
    putchar('"');
}

static void
show_kind(const struct kind *kind)
{
    show("prefix", kind->prefix, kind->prefix_len);
    show("unit", kind->unit[0], kind->unit_len[0]);
    if (kind->has_two)
        show("then", kind->unit[1], kind->unit_len[1]);
    show("suffix", kind->suffix, kind->suffix_len);
    putchar('\n');
}

/* False when the steps grow faster than the input at every size up to the last. *dearest: the most
 * steps for an octet. */
static bool
is_linear(const struct kind *kind, double *dearest, struct kind *dearest_kind)
{
    uint64_t few = measure(kind, SIZE_FIRST), many = 0;
    size_t size = SIZE_FIRST;
    double growth = 100;

    for (; size < SIZE_LAST && growth * 10 > GROWTH_MAX; size *= FACTOR) {
        many = measure(kind, size * FACTOR);
        growth = (double)many / (double)(few + 1);
        few = many;
    }
    double each = (double)many / (double)size;
    if (each > *dearest) {
        *dearest = each;
        *dearest_kind = *kind;
    }
    if (growth * 10 <= GROWTH_MAX)
        return true;
    printf("GROWS: %.1f times the steps for %d times the octets, %.0f an octet of %zu:", growth,
           FACTOR, each, size);
    show_kind(kind);
    return false;
}

int
main(int argc, char **argv)
{
    unsigned long rounds = 300, falls = 0;
    struct kind kind, dearest_kind = {0};
    double dearest = 0;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc)
            rounds = strtoul(argv[++i], NULL, 10);
        else
            fuzz_inputs_load(argv[i]);
    }
    for (unsigned long i = 0; i < rounds && falls < 5; i++) {
        choose(&kind);
        falls += !is_linear(&kind, &dearest, &dearest_kind);
        fflush(stdout);
    }
    printf("%s: %.0f steps an octet at most:", falls ? "FELL" : "linear", dearest);
    show("unit", dearest_kind.unit[0], dearest_kind.unit_len[0]);
    putchar('\n');
    fuzz_inputs_free();
    return falls ? 1 : 0;
}
