/* SPDX-License-Identifier: ISC */
/* How long the directory takes with many accounts: bench_directory [ACCOUNTS]. */
#include "directory/directory.h"

#include <stdio.h>
#include <time.h>

enum { ROUNDS = 1000000, DOMAINS = 100 };

static double
seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
put_file(struct buffer *file, uint64_t accounts)
{
    for (uint64_t i = 0; i < DOMAINS; i++) {
        buffer_put_text(file, "domain d");
        buffer_put_decimal(file, i);
        buffer_put_text(file, ".test\n");
    }
    for (uint64_t i = 1; i <= accounts; i++) {
        buffer_put_text(file, "account user");
        buffer_put_decimal(file, i);
        buffer_put_text(file, "@d");
        buffer_put_decimal(file, i % DOMAINS);
        buffer_put_text(file, ".test id=");
        buffer_put_decimal(file, i);
        buffer_put_text(file, " full-name=\"User Number\" quota=1GiB messages=100000\n");
    }
}

static void
time_resolve(const struct directory *directory, uint64_t accounts, const char *user,
             const char *what)
{
    static char addresses[4096][64];
    struct directory_answer answer;
    struct arena arena;
    uint64_t found = 0;

    arena_init(&arena, 1 << 20);
    for (uint64_t i = 0; i < COUNT_OF(addresses); i++) {
        uint64_t number = i * 2654435761u % accounts + 1;
        snprintf(addresses[i], sizeof(addresses[i]), "%s%llu@d%llu.test", user,
                 (unsigned long long)number, (unsigned long long)(number % DOMAINS));
    }
    double start = seconds();
    for (uint64_t i = 0; i < ROUNDS; i++) {
        arena_reset(&arena);
        directory_resolve(directory, slice_of_string(addresses[i % COUNT_OF(addresses)]), &arena,
                          &answer);
        found += answer.count;
    }
    printf("%-22s %6.0f ns each, %llu found\n", what, (seconds() - start) * 1e9 / ROUNDS,
           (unsigned long long)found);
    arena_finish(&arena);
}

int
main(int argc, char **argv)
{
    struct directory_options options = {SLICE("+"), SLICE(""), 12345};
    uint64_t accounts = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000;
    struct buffer file;

    buffer_init(&file, (size_t)1 << 32);
    put_file(&file, accounts ? accounts : 1);
    double start = seconds();
    struct directory *directory = directory_parse(buffer_slice(&file), &options);
    printf("%llu accounts, %zu bytes: loaded in %.0f ms\n", (unsigned long long)accounts,
           buffer_len(&file), (seconds() - start) * 1e3);
    time_resolve(directory, accounts, "user", "known address");
    time_resolve(directory, accounts, "nobody", "unknown address");
    directory_close(&directory);
    buffer_finish(&file);
    return 0;
}
