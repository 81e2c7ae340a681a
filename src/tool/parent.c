/* SPDX-License-Identifier: ISC */
/* The program of the parent: what `facteur serve` and `facteur demo` become (command_serve.c), with
 * the arguments that are given there. */
#include "base/cursor.h"
#include "role/parent/parent.h"
#include "tool/settings.h"

#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

enum { ARGUMENT_PATH = 3, ARGUMENT_READY, DESCRIPTORS_MAX = 1 << 16 };

static void
tell_ready(void *context, struct host *host)
{
    uint32_t *descriptor = context;

    (void)host;
    (void)!write((int)*descriptor, "", 1);
    close((int)*descriptor);
}

static int
serve(const char *path, uint32_t *descriptor)
{
    struct settings settings;
    int code = settings_load_path(path, true, &settings);

    if (code == EX_OK) {
        struct parent_options options = {.config_path = path,
                                         .on_ready = descriptor ? tell_ready : NULL,
                                         .context = descriptor,
                                         .is_confined = true};
        code = parent_serve(&settings.config, &options);
    }
    settings_finish(&settings);
    return code;
}

int
main(int argc, char **argv)
{
    uint32_t descriptor;

    if (argc == ARGUMENT_READY)
        return serve(argv[ARGUMENT_PATH], NULL);
    if (argc == ARGUMENT_READY + 1) {
        struct cursor cursor = cursor_of(slice_of_string(argv[ARGUMENT_READY]));
        if (cursor_take_u32(&cursor, 0, DESCRIPTORS_MAX, &descriptor) && cursor_is_done(&cursor))
            return serve(argv[ARGUMENT_PATH], &descriptor);
    }
    fputs("facteur-parent: start the server with 'facteur serve'\n", stderr);
    return EX_USAGE;
}
