/* SPDX-License-Identifier: ISC */
/* facteur mime split, join: large messages in pieces (RFC 2046 §5.2.2). */
#include "delivery/maildir.h"
#include "mime/downgrade.h"
#include "mime/partial.h"
#include "tool/command.h"
#include "tool/files.h"
#include "tool/letter.h"
#include "tool/say.h"

#include <stdlib.h>

enum { PIECE_DEFAULT = 1 << 20, PIECE_MIN = 1000, ID_OCTETS = 16, PATH_ROOM = 4096 };
#define WORK_MAX ((size_t)1 << 30)

/* ---- split --------------------------------------------------------------------------------- */

static int
read_size(const struct command_call *call, size_t *ret_size)
{
    const char *text = command_value(call, "size");
    char *end = NULL;
    unsigned long size = text ? strtoul(text, &end, 10) : PIECE_DEFAULT;

    if (text && (end == text || *end != '\0' || size < PIECE_MIN || size > LETTER_MAX))
        return say_error(EX_USAGE, "--size: expected octets, at least %d, not '%s'", PIECE_MIN,
                         text);
    *ret_size = size;
    return EX_OK;
}

static int
write_piece(const struct command_call *call, const struct mime_partial *partial, size_t number)
{
    static const struct files_owner owner = {.user = FILES_NOBODY, .mode = 0600};
    char *path = NULL;
    struct buffer piece;

    if (asprintf(&path, "%s.%zu", command_value(call, "to") ? command_value(call, "to") : "piece",
                 number) < 0)
        abort();
    buffer_init(&piece, LETTER_MAX);
    mime_partial_put(partial, number, &piece);
    int code =
        files_exists(path)
            ? say_error(EX_CANTCREAT, "%s is there already; give another name with --to", path)
            : files_replace(path, buffer_slice(&piece), &owner);
    if (code == EX_OK)
        printf("%s\n", path);
    buffer_finish(&piece);
    free(path);
    return code;
}

/* Pieces are of 7 bits, whatever the message is of: nobody on the way can change that any more. */
static int
make_7bit(struct slice message, struct buffer *ret_message)
{
    struct mime_downgrade how;
    struct buffer whole;
    struct arena arena;

    buffer_init(&whole, LETTER_MAX);
    buffer_init(ret_message, LETTER_MAX);
    maildir_put_crlf(&whole, message);
    arena_init(&arena, WORK_MAX);
    bool is_done = mime_downgrade_put(buffer_slice(&whole), &arena, ret_message, &how);
    arena_finish(&arena);
    buffer_finish(&whole);
    return is_done ? EX_OK
                   : say_error(EX_DATAERR, "the message has 8-bit octets outside of what can be "
                                           "encoded; look at: facteur mime check");
}

static int
run_split(const struct command_call *call)
{
    struct mime_partial partial = {0};
    uint8_t random[ID_OCTETS];
    struct buffer content, message, id;
    int code = files_read_or_stdin(call->arguments[0], LETTER_MAX, &content);

    files_random(random, sizeof(random));
    buffer_init(&message, 0);
    buffer_init(&id, 128);
    buffer_put_hex(&id, slice_of(random, sizeof(random)));
    buffer_put_text(&id, "@pieces.invalid");
    if (code == EX_OK)
        code = read_size(call, &partial.piece_max);
    if (code == EX_OK)
        code = make_7bit(buffer_slice(&content), &message);
    partial.message = buffer_slice(&message);
    partial.id = buffer_slice(&id);
    size_t count = code == EX_OK ? mime_partial_count(&partial) : 0;
    if (code == EX_OK && count == 0)
        code = say_error(EX_DATAERR, "it would take more than %d pieces; give a larger --size",
                         MIME_PARTIAL_PIECES_MAX);
    for (size_t i = 1; i <= count && code == EX_OK; i++)
        code = write_piece(call, &partial, i);
    buffer_finish(&content);
    buffer_finish(&message);
    buffer_finish(&id);
    return code;
}

const struct command command_mime_split = {
    .name = "mime split",
    .arguments = "FILE",
    .summary = "Cut a large message into pieces",
    .about = "Writes the message in FILE as several (message/partial), for a way that takes none "
             "of its size, and prints the names of the files: NAME.1, NAME.2 and so on. "
             "'facteur mime join' and other mail programs put them together.",
    .examples = "facteur mime split large.eml --size 500000 --to part",
    .arguments_min = 1,
    .arguments_max = 1,
    .options = {{"size", "OCTETS", "Of content in a piece; default: 1048576."},
                {"to", "NAME", "How the files begin; default: piece."}},
    .run = run_split,
};

/* ---- join ---------------------------------------------------------------------------------- */

struct joining {
    struct letter *letters;          /* as they were given */
    const struct mime_tree **pieces; /* by number */
    size_t count;
};

static int
place_piece(struct joining *joining, const char *path, struct letter *letter, struct slice *id)
{
    struct slice own;
    uint32_t number, total;
    int code = letter_open(path, letter);

    if (code != EX_OK)
        return code;
    if (!mime_partial_is_piece(&letter->tree, &own, &number, &total))
        return say_error(EX_DATAERR, "%s is no piece of a message (message/partial)", path);
    if (id->len > 0 && !slice_equal(own, *id))
        return say_error(EX_DATAERR, "%s is a piece of another message", path);
    if (total > joining->count)
        return say_error(EX_NOINPUT, "%s is one of %u pieces; give all of them", path, total);
    if (number > joining->count || joining->pieces[number - 1])
        return say_error(EX_DATAERR, "%s is piece %u, which was given twice, or others are missing",
                         path, number);
    *id = own;
    joining->pieces[number - 1] = &letter->tree;
    return EX_OK;
}

static int
write_whole(const struct joining *joining)
{
    struct buffer whole;

    buffer_init(&whole, LETTER_MAX);
    mime_partial_join(joining->pieces, joining->count, &whole);
    struct slice bytes = buffer_slice(&whole);
    bool is_out = !buffer_overflowed(&whole) &&
                  fwrite(bytes.at, 1, bytes.len, stdout) == bytes.len && fflush(stdout) == 0;
    buffer_finish(&whole);
    return is_out ? EX_OK : say_output_failed();
}

static int
run_join(const struct command_call *call)
{
    struct joining joining = {.count = call->count};
    struct slice id = SLICE("");
    int code = EX_OK;

    joining.letters = calloc(call->count, sizeof(*joining.letters));
    joining.pieces = calloc(call->count, sizeof(*joining.pieces));
    if (!joining.letters || !joining.pieces)
        abort();
    for (size_t i = 0; i < call->count && code == EX_OK; i++)
        code = place_piece(&joining, call->arguments[i], &joining.letters[i], &id);
    if (code == EX_OK)
        code = write_whole(&joining);
    for (size_t i = 0; i < call->count; i++)
        letter_finish(&joining.letters[i]);
    free(joining.letters);
    free(joining.pieces);
    return code;
}

const struct command command_mime_join = {
    .name = "mime join",
    .arguments = "FILE...",
    .summary = "Put the pieces of a message together",
    .about = "Writes the message that was cut (message/partial) to standard output. All of its "
             "pieces must be given, in any order.",
    .examples = "facteur mime join piece.* > whole.eml",
    .arguments_min = 1,
    .arguments_max = MIME_PARTIAL_PIECES_MAX,
    .run = run_join,
};
