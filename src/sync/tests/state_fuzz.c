/* SPDX-License-Identifier: ISC */
/* Whatever stands in the file where a copy keeps what it knows: it opens, and what is told of it
 * agrees with itself. */
#include "sync/state.h"

#include "sync/copy.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static char root[] = "/tmp/facteur-state-fuzz-XXXXXX";
static char file[sizeof(root) + 32];

static void
remove_root(void)
{
    static const char *const below[] = {"/.facteur/state/INBOX", "/.facteur/state", "/.facteur",
                                        ""};
    char path[sizeof(root) + 32];

    for (size_t i = 0; i < COUNT_OF(below); i++) {
        (void)snprintf(path, sizeof(path), "%s%s", root, below[i]);
        (void)remove(path);
    }
}

static void
make_root(void)
{
    struct client_problem problem = {0};
    char path[sizeof(root) + 32];

    if (!mkdtemp(root))
        abort();
    (void)snprintf(path, sizeof(path), "%s/.facteur/state", root);
    (void)snprintf(file, sizeof(file), "%s/.facteur/state/INBOX", root);
    if (!copy_make_path(path, &problem) || atexit(remove_root) != 0)
        abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct client_problem problem = {0};
    struct state state;

    if (!file[0])
        make_root();
    FILE *out = fopen(file, "we");
    if (!out || fwrite(data, 1, len, out) != len || fclose(out) != 0)
        abort();
    bool is_open = state_open(&state, root, "INBOX", true, &problem);
    assert(is_open || problem.kind != CLIENT_PROBLEM_NONE);
    size_t left = 0;
    for (size_t i = 0; i < state.count; i++) {
        const struct state_entry *entry = state.entries[i];
        if (entry->uid == 0)
            continue;
        left++;
        assert(state_of_uid(&state, entry->uid) == entry);
        assert(state_of_file(&state, entry->file) == entry);
        assert(entry->flags <= STATE_FLAGS);
    }
    assert(left + state.forgotten == state.count);
    state_finish(&state);
    return 0;
}
