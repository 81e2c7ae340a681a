/* SPDX-License-Identifier: ISC */
#include "directory/unix_aliases.h"

#include "base/hash.h"
#include "directory/line.h"

/* The alias that is being read. */
struct reading {
    const struct directory_unix *machine;
    struct arena arena; /* of this alias */
    struct buffer members;
    size_t member_count;
    size_t line;
    size_t problem_count;
    struct slice place;
    const char *damage; /* the first of this alias, or NULL */
    struct slice login; /* of the user whose .forward it is */
};

/* ---- files --------------------------------------------------------------------------------- */

bool
directory_is_file(struct slice member)
{
    return member.len > 1 && member.at[0] == '/' && slice_find_byte(member, '@') == member.len;
}

/* "/a/../b" and "/a/..": names that lead up again. */
static bool
leads_up(struct slice path)
{
    while (path.len > 0) {
        size_t end = slice_find_byte(path, '/');
        if (slice_equal(slice_first(path, end), SLICE("..")))
            return true;
        path = slice_skip(path, end + 1);
    }
    return false;
}

bool
directory_file_is_below(struct slice path, const struct slice *folders, size_t count)
{
    for (size_t i = 0; i < count && !leads_up(path); i++) {
        struct slice folder = folders[i];
        while (folder.len > 0 && folder.at[folder.len - 1] == '/')
            folder.len--;
        if (path.len > folder.len + 1 && slice_starts_with(path, folder) &&
            path.at[folder.len] == '/')
            return true;
    }
    return false;
}

/* ---- programs ------------------------------------------------------------------------------ */

static void
put_key(struct slice command, struct buffer *out)
{
    uint64_t hash = hash64(command, 0);
    uint8_t octets[8];

    for (size_t i = 0; i < sizeof(octets); i++)
        octets[i] = (uint8_t)(hash >> (8 * i));
    buffer_put_byte(out, '|');
    buffer_put_hex(out, slice_of(octets, sizeof(octets)));
}

bool
directory_is_program(struct slice member)
{
    bool is_program = member.len == DIRECTORY_PROGRAM_KEY_LEN && member.at[0] == '|';

    for (size_t i = 1; i < member.len && is_program; i++)
        is_program = byte_is_digit(member.at[i]) || (member.at[i] >= 'a' && member.at[i] <= 'f');
    return is_program;
}

/* ---- words --------------------------------------------------------------------------------- */

static void
damage(struct reading *reading, struct slice place, const char *what)
{
    if (!reading->damage) {
        reading->damage = what;
        reading->place = place;
    }
}

/* Where the part ends: at `mark`, which does not count between double quotes. */
static size_t
end_of(struct slice text, uint8_t mark)
{
    bool is_quoted = false;
    size_t i = 0;

    for (; i < text.len && (is_quoted || text.at[i] != mark); i++) {
        if (text.at[i] == '\\' && i + 1 < text.len)
            i++;
        else if (text.at[i] == '"')
            is_quoted = !is_quoted;
    }
    return i;
}

size_t
directory_member_end(struct slice members)
{
    return end_of(members, ',');
}

/* "…" around the whole: what sendmail asks for around paths and commands with blanks. An address
 * with a quoted local part goes on behind the second quote. */
static struct slice
unquote(struct slice word)
{
    bool is_whole = word.len > 1 && word.at[0] == '"' && word.at[word.len - 1] == '"' &&
                    slice_find_byte(slice_between(word, 1, word.len - 1), '"') == word.len - 2;

    return is_whole ? slice_between(word, 1, word.len - 1) : word;
}

/* A name as an address, with the machine's domain when it has none. Empty for what is none. */
static struct slice
address_of(struct reading *reading, struct slice name)
{
    struct directory_address address;
    struct slice result = SLICE("");
    struct buffer text;

    if (name.len > 0 && name.at[0] == '\\')
        name = slice_skip(name, 1);
    buffer_init(&text, 4 * DIRECTORY_NAME_MAX);
    buffer_put(&text, name);
    if (end_of(name, '@') == name.len) {
        buffer_put_byte(&text, '@');
        buffer_put(&text, reading->machine->domain);
    }
    if (!buffer_overflowed(&text) &&
        directory_address_parse(&reading->arena, arena_copy(&reading->arena, buffer_slice(&text)),
                                &address) &&
        address.domain.len > 0) {
        buffer_clear(&text);
        directory_address_format(&text, &address);
        result = arena_copy(&reading->arena, buffer_slice(&text));
    }
    buffer_finish(&text);
    return result.len <= DIRECTORY_NAME_MAX ? result : SLICE("");
}

/* ---- members ------------------------------------------------------------------------------- */

static void
put_member(struct reading *reading, struct slice member)
{
    if (reading->member_count++ > 0)
        buffer_put_byte(&reading->members, ',');
    buffer_put(&reading->members, member);
    if (reading->member_count > DIRECTORY_MEMBERS_MAX || buffer_overflowed(&reading->members))
        damage(reading, SLICE(""), "expected at most 1000 members");
}

static void
read_file(struct reading *reading, struct slice path)
{
    const struct directory_unix *machine = reading->machine;

    if (path.len > DIRECTORY_NAME_MAX || slice_find_byte(path, ',') < path.len ||
        slice_find_byte(path, '"') < path.len || !directory_text_is_sound(path))
        damage(reading, path, "expected a short path without commas and quotes");
    else if (!directory_file_is_below(path, machine->folders, machine->folder_count))
        damage(reading, path, "expected a file below one of letterbox_dirs");
    else
        put_member(reading, path);
}

/* "|command" and |"command" are the same. */
static struct slice
command_of(struct slice word)
{
    return unquote(slice_trim(slice_skip(word, 1)));
}

static void
read_program(struct reading *reading, struct slice word)
{
    struct buffer key;

    if (!reading->machine->may_run) {
        damage(reading, word, "expected an address or a file: programs are not permitted here");
        return;
    }
    buffer_init(&key, DIRECTORY_PROGRAM_KEY_LEN);
    put_key(command_of(word), &key);
    put_member(reading, buffer_slice(&key));
    buffer_finish(&key);
}

/* \LOGIN, in LOGIN's own file: no further, into the mailbox. */
static bool
is_own_mailbox(const struct reading *reading, struct slice word)
{
    return reading->login.len > 0 && word.len > 1 && word.at[0] == '\\' &&
           slice_equal(slice_skip(word, 1), reading->login);
}

static void
read_member(struct reading *reading, struct slice written, bool is_included)
{
    struct slice word = unquote(written), address;

    if (word.len > 0 && word.at[0] == '|' && is_included) {
        damage(reading, word, "expected an address: others may write to an included file");
    } else if (word.len > 0 && word.at[0] == '|') {
        read_program(reading, word);
    } else if (is_own_mailbox(reading, word)) {
        put_member(reading, SLICE("="));
    } else if (directory_is_file(word) && is_included) {
        damage(reading, word, "expected an address: others may write to an included file");
    } else if (directory_is_file(word)) {
        read_file(reading, word);
    } else {
        address = address_of(reading, word.len > 0 ? word : written);
        if (address.len == 0)
            damage(reading, written, "expected an address");
        else
            put_member(reading, address);
    }
}

static void read_members(struct reading *reading, struct slice text, bool is_included);

static void
read_included(struct reading *reading, struct slice path)
{
    const struct directory_unix *machine = reading->machine;
    struct slice text;

    if (path.len == 0 || path.at[0] != '/' || !machine->include ||
        !machine->include(machine->context, path, &text)) {
        damage(reading, path, "expected the path of a file that can be read behind :include:");
        return;
    }
    while (text.len > 0) {
        size_t end = slice_find_byte(text, '\n');
        struct slice line = slice_trim(slice_first(text, end));
        text = slice_skip(text, end + 1);
        if (line.len > 0 && line.at[0] != '#')
            read_members(reading, line, true);
    }
}

static void
read_members(struct reading *reading, struct slice text, bool is_included)
{
    while (text.len > 0 && !reading->damage) {
        size_t end = end_of(text, ',');
        struct slice word = slice_trim(slice_first(text, end));
        text = slice_skip(text, end + 1);
        if (slice_starts_with(unquote(word), SLICE(":include:")) && !is_included)
            read_included(reading, slice_trim(slice_skip(unquote(word), 9)));
        else if (word.len > 0 && word.at[0] == ':')
            damage(reading, word, "expected an address, a file, or :include:/PATH");
        else if (word.len > 0)
            read_member(reading, word, is_included);
    }
}

/* ---- aliases ------------------------------------------------------------------------------- */

static void
read_alias(struct reading *reading, struct slice text, struct buffer *out)
{
    size_t colon = end_of(text, ':');
    struct slice name = address_of(reading, unquote(slice_trim(slice_first(text, colon))));

    reading->damage = NULL;
    reading->member_count = 0;
    buffer_clear(&reading->members);
    if (colon == text.len || name.len == 0)
        damage(reading, slice_first(text, colon), "expected NAME: MEMBER, MEMBER");
    else
        read_members(reading, slice_skip(text, colon + 1), false);
    if (!reading->damage && reading->member_count == 0)
        damage(reading, slice_first(text, colon), "expected members behind the colon");
    if (name.len > 0) {
        buffer_put_text(out, "alias ");
        directory_put_word(out, name);
        if (!reading->damage)
            directory_put_field(out, "to", buffer_slice(&reading->members));
        buffer_put_byte(out, '\n');
    }
    if (reading->damage) {
        reading->problem_count++;
        reading->machine->problem(reading->machine->context, reading->line, reading->place,
                                  reading->damage);
    }
    arena_reset(&reading->arena);
}

/* Up to a line that neither is empty nor a comment nor goes on with this one. */
static struct slice
take_logical(struct slice *text, size_t *number, struct buffer *joined)
{
    buffer_clear(joined);
    do {
        size_t end = slice_find_byte(*text, '\n');
        struct slice line = slice_first(*text, end);
        *text = slice_skip(*text, end + 1);
        ++*number;
        if (slice_trim(line).len > 0 && line.at[0] != '#') {
            buffer_put(joined, slice_trim(line));
            buffer_put_byte(joined, ' ');
        }
    } while (text->len > 0 && (text->at[0] == ' ' || text->at[0] == '\t'));
    return slice_trim(buffer_slice(joined));
}

size_t
directory_unix_aliases(struct slice text, const struct directory_unix *machine, struct buffer *out)
{
    struct reading reading = {.machine = machine};
    struct buffer joined;
    size_t number = 0;

    arena_init(&reading.arena, 16 * DIRECTORY_LINE_MAX);
    buffer_init(&reading.members, DIRECTORY_LINE_MAX / 2);
    buffer_init(&joined, DIRECTORY_LINE_MAX);
    while (text.len > 0) {
        reading.line = number + 1;
        struct slice line = take_logical(&text, &number, &joined);
        if (line.len > 0)
            read_alias(&reading, line, out);
    }
    arena_finish(&reading.arena);
    buffer_finish(&reading.members);
    buffer_finish(&joined);
    return reading.problem_count;
}

/* ---- .forward ------------------------------------------------------------------------------ */

static struct slice
take_line(struct slice *text)
{
    size_t end = slice_find_byte(*text, '\n');
    struct slice line = slice_trim(slice_first(*text, end));

    *text = slice_skip(*text, end + 1);
    return line.len > 0 && line.at[0] == '#' ? SLICE("") : line;
}

const char *
directory_unix_forward(struct slice text, const struct directory_unix *machine, struct slice login,
                       struct buffer *out)
{
    struct reading reading = {.machine = machine, .login = login};

    arena_init(&reading.arena, 16 * DIRECTORY_LINE_MAX);
    buffer_init(&reading.members, DIRECTORY_LINE_MAX / 2);
    while (text.len > 0 && !reading.damage)
        read_members(&reading, take_line(&text), false);
    if (!reading.damage)
        buffer_put(out, buffer_slice(&reading.members));
    buffer_finish(&reading.members);
    arena_finish(&reading.arena);
    return reading.damage;
}

/* ---- commands ------------------------------------------------------------------------------ */

static bool
find_command(struct slice members, struct slice key, struct buffer *out)
{
    struct buffer made;
    bool is_found = false;

    while (members.len > 0 && !is_found) {
        size_t end = end_of(members, ',');
        struct slice word = unquote(slice_trim(slice_first(members, end)));
        members = slice_skip(members, end + 1);
        if (word.len == 0 || word.at[0] != '|')
            continue;
        buffer_init(&made, DIRECTORY_PROGRAM_KEY_LEN);
        put_key(command_of(word), &made);
        is_found = slice_equal(buffer_slice(&made), key);
        buffer_finish(&made);
        if (is_found)
            buffer_put(out, command_of(word));
    }
    return is_found;
}

bool
directory_unix_command(struct slice text, bool is_forward, struct slice key, struct buffer *out)
{
    struct buffer joined;
    bool is_found = false;
    size_t number = 0;

    buffer_init(&joined, DIRECTORY_LINE_MAX);
    while (text.len > 0 && !is_found) {
        struct slice line = is_forward ? take_line(&text) : take_logical(&text, &number, &joined);
        size_t colon = is_forward ? 0 : end_of(line, ':');
        is_found = find_command(slice_skip(line, colon + !is_forward), key, out);
    }
    buffer_finish(&joined);
    return is_found;
}
