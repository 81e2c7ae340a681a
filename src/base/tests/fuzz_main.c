/* SPDX-License-Identifier: ISC */
/* Runs a fuzz target without a fuzzer: replays every file of the folders and files named on the
 * command line, then ROUNDS seeded mutations of them (option --rounds N), so that each target
 * and its corpus are part of the ordinary tests. A target that mutates by a grammar of its own
 * (fuzz_grammar.h) is asked to. The same target links against libFuzzer. */
#include <dirent.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
size_t LLVMFuzzerMutate(uint8_t *data, size_t len, size_t len_max);

/* Only where a target has them. */
__attribute__((weak)) size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t len_max,
                                                     unsigned seed);
__attribute__((weak)) size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_len,
                                                       const uint8_t *other, size_t other_len,
                                                       uint8_t *out, size_t out_max, unsigned seed);

enum { INPUT_MAX = 1 << 20, INPUTS_MAX = 20000, GROWTH_MAX = 4096 };

struct input {
    uint8_t *bytes;
    size_t len;
};

static struct input inputs[INPUTS_MAX];
static size_t input_count;
static uint64_t state = 0x9E3779B97F4A7C15;

/* xorshift64*: any fixed sequence will do, as long as it is the same on every machine. */
static uint64_t
next_random(void)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545F4914F6CDD1D;
}

/* An exact-size copy on the heap, so that a sanitizer sees one octet too many. */
static void
run(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);

    if (!copy)
        abort();
    if (len)
        memcpy(copy, bytes, len);
    LLVMFuzzerTestOneInput(copy, len);
    free(copy);
}

static void
load_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(INPUT_MAX);

    if (!file || !bytes || input_count == INPUTS_MAX) {
        fprintf(stderr, "cannot read corpus file %s\n", path);
        exit(2);
    }
    size_t len = fread(bytes, 1, INPUT_MAX, file);
    fclose(file);
    uint8_t *fitted = realloc(bytes, len ? len : 1);
    inputs[input_count++] = (struct input){fitted ? fitted : bytes, len};
}

static void
load(const char *path)
{
    struct stat info = {0}; /* MSan does not see that the library fills it */

    if (stat(path, &info) == 0 && !S_ISDIR(info.st_mode)) {
        load_file(path);
        return;
    }
    DIR *folder = opendir(path);
    if (!folder) {
        fprintf(stderr, "cannot open corpus folder %s\n", path);
        exit(2);
    }
    for (struct dirent *entry; (entry = readdir(folder));) {
        char name[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        load(name);
    }
    closedir(folder);
}

/* Flips, inserts, deletes, repeats or splices, one to eight times. */
size_t
LLVMFuzzerMutate(uint8_t *work, size_t len, size_t len_max)
{
    for (uint64_t times = next_random() % 8 + 1; times-- > 0;) {
        size_t at = len ? next_random() % len : 0;
        size_t span = next_random() % 16 + 1;
        const struct input *other = &inputs[next_random() % input_count];
        switch (next_random() % 4) {
        case 0:
            if (len)
                work[at] = (uint8_t)next_random();
            break;
        case 1:
            span = span > len - at ? len - at : span;
            memmove(work + at, work + at + span, len - at - span);
            len -= span;
            break;
        case 2:
            if (len + span <= len_max) {
                memmove(work + at + span, work + at, len - at);
                memset(work + at, (int)(next_random() & 0xFF), span);
                len += span;
            }
            break;
        default:
            span = other->len < len - at ? other->len : len - at;
            memcpy(work + at, other->bytes, span);
        }
    }
    return len;
}

/* A mutation of one input, or of two. */
static void
mutate(void)
{
    static uint8_t work[INPUT_MAX];
    const struct input *seed = &inputs[next_random() % input_count];
    const struct input *other = &inputs[next_random() % input_count];
    size_t len = seed->len;

    memcpy(work, seed->bytes, len);
    if (!LLVMFuzzerCustomMutator) {
        run(work, LLVMFuzzerMutate(work, len, INPUT_MAX));
        return;
    }
    size_t len_max = len + GROWTH_MAX < INPUT_MAX ? len + GROWTH_MAX : INPUT_MAX;
    if (LLVMFuzzerCustomCrossOver && next_random() % 8 == 0)
        len = LLVMFuzzerCustomCrossOver(seed->bytes, seed->len, other->bytes, other->len, work,
                                        len_max, (unsigned)next_random());
    run(work, LLVMFuzzerCustomMutator(work, len, len_max, (unsigned)next_random()));
}

int
main(int argc, char **argv)
{
    unsigned long rounds = 2000;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc)
            rounds = strtoul(argv[++i], NULL, 10);
        else
            load(argv[i]);
    }
    run((const uint8_t *)"", 0);
    for (size_t i = 0; i < input_count; i++)
        run(inputs[i].bytes, inputs[i].len);
    for (unsigned long i = 0; input_count && i < rounds; i++)
        mutate();
    printf("%zu corpus files, %lu mutations\n", input_count, input_count ? rounds : 0);
    for (size_t i = 0; i < input_count; i++)
        free(inputs[i].bytes);
    return 0;
}
