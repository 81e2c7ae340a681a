/* SPDX-License-Identifier: ISC */
#include "base/tests/fuzz_inputs.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct fuzz_input fuzz_inputs[INPUTS_MAX];
size_t fuzz_input_count;
static uint64_t state = 0x9E3779B97F4A7C15;

/* xorshift64*: any fixed sequence will do, as long as it is the same on every machine. */
uint64_t
fuzz_random(void)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545F4914F6CDD1D;
}

void
fuzz_run(const uint8_t *bytes, size_t len)
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

    if (!file || !bytes || fuzz_input_count == INPUTS_MAX) {
        fprintf(stderr, "cannot read corpus file %s\n", path);
        exit(2);
    }
    size_t len = fread(bytes, 1, INPUT_MAX, file);
    fclose(file);
    uint8_t *fitted = realloc(bytes, len ? len : 1);
    fuzz_inputs[fuzz_input_count++] = (struct fuzz_input){fitted ? fitted : bytes, len};
}

void
fuzz_inputs_load(const char *path)
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
        fuzz_inputs_load(name);
    }
    closedir(folder);
}

size_t
LLVMFuzzerMutate(uint8_t *work, size_t len, size_t len_max)
{
    for (uint64_t times = fuzz_random() % 8 + 1; times-- > 0;) {
        size_t at = len ? fuzz_random() % len : 0;
        size_t span = fuzz_random() % 16 + 1;
        const struct fuzz_input *other = &fuzz_inputs[fuzz_random() % fuzz_input_count];
        switch (fuzz_random() % 4) {
        case 0:
            if (len)
                work[at] = (uint8_t)fuzz_random();
            break;
        case 1:
            span = span > len - at ? len - at : span;
            memmove(work + at, work + at + span, len - at - span);
            len -= span;
            break;
        case 2:
            if (len + span <= len_max) {
                memmove(work + at + span, work + at, len - at);
                memset(work + at, (int)(fuzz_random() & 0xFF), span);
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

void
fuzz_inputs_free(void)
{
    for (size_t i = 0; i < fuzz_input_count; i++)
        free(fuzz_inputs[i].bytes);
}
