/* SPDX-License-Identifier: ISC */
/* Any bytes as /etc/aliases: what comes out is lines of accounts, damaged ones as many as problems
 * with a name. */
#include "directory/unix_aliases.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool
include(void *context, struct slice path, struct slice *ret_text)
{
    *ret_text = *(struct slice *)context;
    return path.len % 2 == 0;
}

static void
tell(void *context, size_t line, struct slice place, const char *what)
{
    (void)context;
    assert(line > 0 && what && (place.len == 0 || place.at));
}

/* What a .forward has named can be found in it. */
static void
check_members(struct slice text, struct slice members)
{
    struct buffer command;

    buffer_init(&command, 1 << 20);
    while (members.len > 0) {
        size_t end = directory_member_end(members);
        struct slice member = slice_first(members, end);
        members = slice_skip(members, end + 1);
        if (directory_is_program(member))
            assert(directory_unix_command(text, true, member, &command));
        buffer_clear(&command);
    }
    buffer_finish(&command);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice text = slice_of(data, len), folder = SLICE("/var/mail");
    struct directory_unix machine = {.domain = SLICE("example.test"),
                                     .folders = &folder,
                                     .folder_count = 1,
                                     .include = include,
                                     .problem = tell,
                                     .context = &text};
    struct directory_options options = {SLICE("+"), SLICE(""), 1};
    const struct directory_alias *alias;
    struct buffer lines;

    buffer_init(&lines, 64 << 20);
    size_t problems = directory_unix_aliases(text, &machine, &lines);
    struct directory *directory = directory_parse(buffer_slice(&lines), &options);
    assert(directory_problem_count(directory) <= problems);
    for (size_t i = 0; (alias = directory_alias_at(directory, i)); i++) {
        for (size_t k = 0; k < alias->count; k++)
            assert(!directory_is_file(alias->members[k]) ||
                   directory_file_is_below(alias->members[k], &folder, 1));
    }
    directory_close(&directory);
    buffer_clear(&lines);
    machine.may_run = true;
    if (!directory_unix_forward(text, &machine, SLICE("fred"), &lines))
        check_members(text, buffer_slice(&lines));
    buffer_finish(&lines);
    return 0;
}
