/* SPDX-License-Identifier: ISC */
#include "search/index.h"
#include "search/key.h"
#include "search/tests/folder.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { LINES_MAX = 60 };

static struct search_index *the_index;
static const char *the_folder;
static uint64_t bodies, accounts;

static void
remove_index(void)
{
    search_index_close(&the_index);
    folder_remove(the_folder);
}

static void
open_once(void)
{
    struct buffer why;
    bool is_new;

    if (the_index)
        return;
    buffer_init(&why, 1000);
    the_folder = folder_make();
    assert(search_index_open(the_folder, &why, &is_new, &the_index) == 0 && is_new);
    buffer_finish(&why);
    (void)atexit(remove_index);
}

static bool
count(void *context, uint64_t body)
{
    (void)body;
    (*(size_t *)context)++;
    return true;
}

/* What happens between two messages, as the length of a line has it: nothing, a segment, segments
 * that become one. */
static void
pass_time(size_t len)
{
    bool is_done = len % 11 != 0;

    if (len % 5 == 0)
        assert(search_index_commit(the_index) == SEARCH_OK);
    while (!is_done)
        assert(search_index_tend(the_index, &is_done) == SEARCH_OK);
}

/* The first line is what is sought, the others are bodies (and heads, by turns): as many are found
 * as have it, whatever octets it has. At the end all of them go. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice left = slice_of(data, len);
    struct buffer sought, key;
    size_t expected[2] = {0}, found[2] = {0};

    open_once();
    accounts++;
    buffer_init(&sought, SEARCH_SOUGHT_MAX);
    buffer_init(&key, SEARCH_HEAD_MAX);
    size_t end = slice_find_byte(left, '\n');
    search_key_put(&sought, slice_first(left, end < 200 ? end : 200));
    left = slice_skip(left, end + 1);
    struct slice wanted = buffer_slice(&sought);
    for (unsigned line = 0; line < LINES_MAX && left.len; line++) {
        end = slice_find_byte(left, '\n');
        buffer_clear(&key);
        search_key_put(&key, slice_first(left, end < 20000 ? end : 20000));
        left = slice_skip(left, end + 1);
        struct slice text = buffer_slice(&key), none = slice_of("", 0);
        bool is_head = line % 3 == 2;
        bool has = wanted.len == 0 || slice_find(text, wanted) < text.len;
        expected[SEARCH_IN_BODY] += wanted.len == 0 || (has && !is_head);
        expected[SEARCH_IN_TEXT] += has;
        assert(search_index_put(the_index, accounts, ++bodies, is_head ? text : none,
                                is_head ? none : text) == SEARCH_OK);
        pass_time(end);
    }
    for (int scope = SEARCH_IN_BODY; scope <= SEARCH_IN_TEXT; scope++) {
        assert(search_index_find(the_index, accounts, (enum search_scope)scope, wanted, count,
                                 &found[scope]) == SEARCH_OK);
        assert(found[scope] == expected[scope]);
    }
    /* The octets as they are, as a process that lies would send them. */
    assert(search_index_find(the_index, accounts, SEARCH_IN_TEXT, slice_of(data, len), count,
                             &found[0]) == SEARCH_OK);
    assert(search_index_retain(the_index, accounts, NULL, 0) == SEARCH_OK);
    found[0] = 0;
    assert(search_index_find(the_index, accounts, SEARCH_IN_TEXT, SLICE(""), count, &found[0]) ==
           SEARCH_OK);
    assert(found[0] == 0);
    buffer_finish(&sought);
    buffer_finish(&key);
    return 0;
}
