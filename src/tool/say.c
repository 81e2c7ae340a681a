/* SPDX-License-Identifier: ISC */
#include "tool/say.h"

#include "text/utf8.h"
#include "tool/files.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

enum { PIECE_MAX = 4096 };

/* A piece of one line. What grows most is an octet that is none: three for one. */
static bool
put_piece(FILE *out, struct slice piece)
{
    struct buffer clean;

    buffer_init(&clean, 3 * PIECE_MAX);
    utf8_put_printable(&clean, piece);
    struct slice text = buffer_slice(&clean);
    bool is_out = fwrite(text.at, 1, text.len, out) == text.len;
    buffer_finish(&clean);
    return is_out;
}

bool
say_text(FILE *out, struct slice text)
{
    bool is_out = true;

    while (text.len > 0 && is_out) {
        size_t end = slice_find_byte(text, '\n');
        struct slice piece = utf8_first(slice_first(text, end), PIECE_MAX);
        is_out = put_piece(out, piece);
        text = slice_skip(text, piece.len);
        if (piece.len == end && text.len > 0) {
            is_out = is_out && fputc('\n', out) != EOF;
            text = slice_skip(text, 1);
        }
    }
    return is_out;
}

static void __attribute__((format(printf, 2, 0)))
say(const char *prefix, const char *format, va_list arguments)
{
    char *sentence;

    if (vasprintf(&sentence, format, arguments) < 0)
        abort();
    fputs(prefix, stderr);
    (void)say_text(stderr, slice_of_string(sentence));
    fputc('\n', stderr);
    free(sentence);
}

int
say_error(int code, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say("facteur: ", format, arguments);
    va_end(arguments);
    return code;
}

void
say_warning(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say("facteur: warning: ", format, arguments);
    va_end(arguments);
}

void
say_line(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say("", format, arguments);
    va_end(arguments);
}

int
say_output_failed(void)
{
    return errno == EPIPE ? EX_IOERR
                          : say_error(EX_IOERR, "cannot write to standard output: %s; look where "
                                                "it leads, and whether there is space",
                                      strerror(errno));
}

int
say_code_of_errno(int error)
{
    switch (error) {
    case EACCES:
    case EPERM:
        return EX_NOPERM;
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
        return EX_NOINPUT;
    case ENOSPC:
    case EDQUOT:
    case EIO:
        return EX_IOERR;
    case EAGAIN:
        return EX_TEMPFAIL;
    default:
        return EX_OSERR;
    }
}

/* ---- progress ------------------------------------------------------------------------------ */

enum { BAR_WIDTH = 40, REDRAWS = 200, STEP_OF_UNKNOWN = 50 };

void
say_progress_begin(struct say_progress *progress, const char *what, uint64_t whole)
{
    *progress = (struct say_progress){
        .what = what,
        .whole = whole,
        .shown = UINT64_MAX,
        .is_terminal = isatty(STDERR_FILENO) == 1,
    };
}

static void
draw_bar(struct say_progress *progress, uint64_t done)
{
    char bar[BAR_WIDTH + 1];
    size_t filled = progress->whole ? (size_t)(done * BAR_WIDTH / progress->whole) : 0;

    memset(bar, '.', BAR_WIDTH);
    memset(bar, '#', filled < BAR_WIDTH ? filled : BAR_WIDTH);
    bar[BAR_WIDTH] = '\0';
    fputc('\r', stderr);
    (void)say_text(stderr, slice_of_string(progress->what));
    if (progress->whole)
        fprintf(stderr, " [%s] %llu of %llu", bar, (unsigned long long)done,
                (unsigned long long)progress->whole);
    else
        fprintf(stderr, " %llu", (unsigned long long)done);
    progress->is_open = true;
}

void
say_progress_show(struct say_progress *progress, uint64_t done)
{
    uint64_t step = progress->whole ? progress->whole / REDRAWS : STEP_OF_UNKNOWN;
    bool is_last = progress->whole && done >= progress->whole;
    bool is_first = progress->shown == UINT64_MAX;

    if (!progress->is_terminal || done == progress->shown ||
        (!is_first && !is_last && done < progress->shown + (step ? step : 1)))
        return;
    progress->shown = done;
    draw_bar(progress, done);
}

void
say_progress_end(struct say_progress *progress)
{
    if (progress->is_open)
        fputc('\n', stderr);
    progress->is_open = false;
}

/* ---- questions ----------------------------------------------------------------------------- */

enum { ANSWER_MAX = 1024 };

bool
say_ask(const char *question, struct buffer *ret_line)
{
    char line[ANSWER_MAX];

    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return false;
    (void)say_text(stderr, slice_of_string(question));
    fputs(": ", stderr);
    if (!fgets(line, sizeof(line), stdin))
        return false;
    buffer_put(ret_line, slice_trim(slice_of_string(line)));
    return buffer_len(ret_line) > 0;
}

bool
say_ask_yes(const char *question, bool *ret_is_no)
{
    struct buffer line;

    buffer_init(&line, ANSWER_MAX);
    uint8_t first = say_ask(question, &line) ? buffer_slice(&line).at[0] : 0;
    buffer_finish(&line);
    *ret_is_no = first == 'n' || first == 'N';
    return first == 'y' || first == 'Y';
}

/* ---- passwords ----------------------------------------------------------------------------- */

/* One line without its end. False at the end of input, or when it is too long. */
static bool
read_line(FILE *from, struct buffer *ret_line)
{
    int c;

    buffer_clear(ret_line);
    while ((c = fgetc(from)) != EOF && c != '\n')
        buffer_put_byte(ret_line, (uint8_t)c);
    return !buffer_overflowed(ret_line) && (c != EOF || buffer_len(ret_line) > 0);
}

/* Reads a line from the terminal while it shows nothing of what is typed. */
static bool
ask(FILE *terminal, const char *prompt, struct buffer *ret_line)
{
    struct termios shown, hidden;
    bool can_hide = tcgetattr(fileno(terminal), &shown) == 0;

    /* First the echo, then the prompt: who answers at once, as programs do, is heard and not
     * shown. */
    if (can_hide) {
        hidden = shown;
        hidden.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(fileno(terminal), TCSAFLUSH, &hidden);
    }
    fputs(prompt, terminal);
    fflush(terminal);
    bool is_read = read_line(terminal, ret_line);
    if (can_hide)
        tcsetattr(fileno(terminal), TCSAFLUSH, &shown);
    fputc('\n', terminal);
    return is_read;
}

static int
ask_on_terminal(FILE *terminal, bool is_new, struct buffer *ret_password)
{
    struct buffer again;

    buffer_init(&again, SAY_PASSWORD_MAX);
    bool is_read = ask(terminal, is_new ? "New password: " : "Password: ", ret_password) &&
                   (!is_new || ask(terminal, "The same again: ", &again));
    bool is_same = !is_new || slice_equal(buffer_slice(ret_password), buffer_slice(&again));
    buffer_wipe(&again);
    if (!is_read)
        return say_error(EX_USAGE, "no password of 1 to %d bytes was given; try again",
                         SAY_PASSWORD_MAX);
    if (!is_same)
        return say_error(EX_USAGE, "the two passwords differ; try again");
    return EX_OK;
}

int
say_ask_password(bool from_stdin, bool is_new, struct buffer *ret_password)
{
    buffer_finish(ret_password);
    buffer_init(ret_password, SAY_PASSWORD_MAX);
    if (from_stdin) {
        if (!read_line(stdin, ret_password) || buffer_len(ret_password) == 0)
            return say_error(EX_USAGE,
                             "no password of 1 to %d bytes on standard input; "
                             "write it there as one line",
                             SAY_PASSWORD_MAX);
        return EX_OK;
    }
    FILE *terminal = fopen("/dev/tty", "r+");
    if (!terminal)
        return say_error(EX_USAGE, "there is no terminal to ask for the password; "
                                   "use --password-stdin");
    int code = ask_on_terminal(terminal, is_new, ret_password);
    fclose(terminal);
    return code;
}
