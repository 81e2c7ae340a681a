/* SPDX-License-Identifier: ISC */
/* The program `facteur-mail`, which `facteur mail` becomes: keys go to the screen, its wishes to
 * the workers, their news to the screen. Its arguments are that command's: ACCOUNT BOX THEME, empty
 * where nothing was said. */
#include "client/wire.h"
#include "screen/screen.h"
#include "tool/mail/compose.h"
#include "tool/say.h"
#include "tool/terminal/display.h"
#include "tool/terminal/worker.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { STOP_MS = 3000, TICK_MS = 30 * 1000, SAID_MAX = 64 * 1024 };

struct program {
    struct display *display;
    struct screen *screen;
    struct inbox inbox;
    struct worker **workers; /* one for each account on the screen; owned */
    struct desk *desks;      /* theirs; owned */
    size_t count;
    struct canvas canvas;
    int said_in, said_out, error; /* standard error goes into a pipe; what it was */
    struct buffer said;
};

/* ---- standard error ------------------------------------------------------------------------ */

/* What is said while the screen is up is shown in its line for words. */
static void
listen_to_errors(struct program *program)
{
    int ends[2];

    program->error = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0 || program->error < 0)
        abort();
    program->said_in = ends[0];
    program->said_out = ends[1];
    buffer_init(&program->said, SAID_MAX);
    (void)fflush(stderr);
    (void)dup2(program->said_out, STDERR_FILENO);
}

static void
show_errors(const struct program *program, bool is_shown)
{
    (void)fflush(stderr);
    (void)dup2(is_shown ? program->error : program->said_out, STDERR_FILENO);
}

static void
take_errors(struct program *program)
{
    uint8_t bytes[4096];
    ssize_t count;
    size_t end;

    while ((count = read(program->said_in, bytes, sizeof(bytes))) > 0)
        buffer_put(&program->said, slice_of(bytes, (size_t)count));
    while ((end = slice_find_byte(buffer_slice(&program->said), '\n')) <
           buffer_len(&program->said)) {
        struct slice line = slice_first(buffer_slice(&program->said), end);
        struct news *news = news_new(NEWS_SAID, 0);
        if (slice_starts_with(line, SLICE("facteur: ")))
            line = slice_skip(line, 9);
        traffic_set(&news->text, line);
        news->is_alert = true;
        screen_tell(program->screen, news);
        buffer_consume(&program->said, end + 1);
    }
    if (buffer_overflowed(&program->said))
        buffer_clear(&program->said);
}

/* ---- time ---------------------------------------------------------------------------------- */

static int
zone_minutes(struct wall now)
{
    time_t seconds = (time_t)wall_seconds(now);
    struct tm local;

    return localtime_r(&seconds, &local) ? (int)(local.tm_gmtoff / 60) : 0;
}

/* ---- wishes -------------------------------------------------------------------------------- */

/* The editor gets the terminal. The draft comes back whatever happens. */
static void
edit(struct program *program, struct wish *wish)
{
    struct news *news = news_new(NEWS_DRAFT, wish->account);
    struct buffer text;
    char *written;

    display_leave(program->display);
    show_errors(program, true);
    int code = compose_read_text(traffic_text(wish->draft->text), &text, &written);
    show_errors(program, false);
    display_return(program->display);
    if (code == EX_OK)
        traffic_set(&wish->draft->text, buffer_slice(&text));
    else
        say_warning("the editor failed; VISUAL or EDITOR names another");
    compose_end_text(written, code);
    buffer_finish(&text);
    news->wish = WISH_EDIT;
    news->draft = wish->draft;
    wish->draft = NULL;
    screen_tell(program->screen, news);
    wish_free(wish);
}

/* False when the screen wants to end. */
static bool
grant_wishes(struct program *program)
{
    struct wish *wish;

    while ((wish = screen_next_wish(program->screen))) {
        if (wish->kind == WISH_QUIT) {
            wish_free(wish);
            return false;
        }
        if (wish->kind == WISH_EDIT)
            edit(program, wish);
        else
            worker_wish(program->workers[wish->account], wish);
    }
    return true;
}

/* ---- the loop ------------------------------------------------------------------------------ */

static void
fit(struct program *program)
{
    size_t rows, columns;

    display_size(program->display, &rows, &columns);
    canvas_finish(&program->canvas);
    canvas_init(&program->canvas, rows, columns);
    screen_resize(program->screen, program->canvas.rows, program->canvas.columns);
}

static void
take_keys(struct program *program)
{
    struct key key;
    bool is_resized = false, is_key;

    while ((is_key = display_take(program->display, &key, &is_resized)) || is_resized) {
        if (is_key && key_is(&key, KEY_CONTROL('L')))
            display_return(program->display); /* somebody else has written on it */
        else if (is_key)
            screen_press(program->screen, &key);
        else
            fit(program);
    }
}

/* True while somebody has the other side of the terminal open. */
static bool
wait_for_something(struct program *program)
{
    struct pollfd pollers[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                               {.fd = program->inbox.bell, .events = POLLIN},
                               {.fd = program->said_in, .events = POLLIN}};

    (void)poll(pollers, COUNT_OF(pollers), TICK_MS);
    return (pollers[0].revents & (POLLHUP | POLLERR | POLLNVAL)) == 0;
}

static void
run(struct program *program)
{
    struct news *news;

    do {
        struct wall now = client_wall();
        screen_set_time(program->screen, now, zone_minutes(now));
        take_keys(program);
        while ((news = inbox_take(&program->inbox)))
            screen_tell(program->screen, news);
        take_errors(program);
        if (!grant_wishes(program))
            return;
        screen_draw(program->screen, &program->canvas);
        display_show(program->display, &program->canvas);
    } while (wait_for_something(program));
}

/* ---- beginning and end --------------------------------------------------------------------- */

/* A desk for each account, the first being the one that was named; or none for a letter box. */
static int
open_desks(struct program *program, const char *account, const char *box)
{
    struct desk all;
    int code = desk_open(&all);
    const struct client_account *first = client_accounts_find(&all.accounts, account);

    if (code == EX_OK && !box && !first)
        code = account ? say_error(EX_CONFIG,
                                   "there is no account %s; 'facteur account list' "
                                   "shows all",
                                   account)
                       : say_error(EX_CONFIG, "there is no account yet; begin with 'facteur "
                                              "account add'");
    size_t count = box || code != EX_OK ? 0 : all.accounts.count;
    program->desks = traffic_array(count, sizeof(*program->desks));
    for (size_t i = 0; code == EX_OK && i < count; i++) {
        size_t at = (size_t)(first - all.accounts.accounts);
        const struct client_account *next = &all.accounts.accounts[(at + i) % count];
        code = desk_open(&program->desks[i]);
        program->count = i + 1;
        if (code == EX_OK)
            code = desk_log_in(&program->desks[i], next->name, false);
    }
    desk_close(&all);
    return code;
}

static void
open_screen(struct program *program, const char *box)
{
    struct screen_account *accounts = traffic_array(program->count + 1, sizeof(*accounts));
    struct screen_options options = {.accounts = accounts, .now = client_wall()};

    client_random(&options.seed, sizeof(options.seed));
    options.zone_minutes = zone_minutes(options.now);
    for (size_t i = 0; i < program->count; i++)
        accounts[i] = (struct screen_account){program->desks[i].login.account->name,
                                              program->desks[i].login.account->address};
    options.accounts_count = program->count;
    if (box) {
        accounts[0] = (struct screen_account){box, box};
        options.accounts_count = 1;
    }
    display_size(program->display, &options.rows, &options.columns);
    canvas_init(&program->canvas, options.rows, options.columns);
    program->screen = screen_new(&options);
    program->workers = traffic_array(options.accounts_count, sizeof(*program->workers));
    for (size_t i = 0; i < options.accounts_count; i++) {
        struct worker_options worker = {.account = (uint32_t)i,
                                        .name = box ? NULL : accounts[i].name,
                                        .path = box,
                                        .desk = box ? NULL : &program->desks[i],
                                        .inbox = &program->inbox};
        program->workers[i] = worker_open(&worker);
    }
    if (box)
        program->count = 1;
    free(accounts);
}

/* False when a worker was left behind: what it may still use must stay. */
static bool
close_workers(struct program *program)
{
    bool are_done = true;

    for (size_t i = 0; i < program->count; i++)
        are_done = worker_close(&program->workers[i], STOP_MS) && are_done;
    return are_done;
}

int
main(int count, char **words)
{
    const char *account = count > 1 && words[1][0] ? words[1] : NULL;
    const char *box = count > 2 && words[2][0] ? words[2] : NULL;
    const char *theme = count > 3 ? words[3] : "";
    struct program program = {0};
    enum display_theme look = strcmp(theme, "dark") == 0    ? DISPLAY_DARK
                              : strcmp(theme, "light") == 0 ? DISPLAY_LIGHT
                              : strcmp(theme, "mono") == 0  ? DISPLAY_MONO
                                                            : DISPLAY_AUTO;

    (void)signal(SIGPIPE, SIG_IGN);
    int code = open_desks(&program, account, box);
    if (code == EX_OK)
        code = display_open(look, &program.display);
    if (code == EX_OK) {
        inbox_open(&program.inbox);
        listen_to_errors(&program);
        open_screen(&program, box);
        run(&program);
        display_close(&program.display);
        show_errors(&program, true);
        if (!close_workers(&program))
            _exit(EX_OK);
        take_errors(&program);
        screen_free(&program.screen);
        inbox_close(&program.inbox);
        canvas_finish(&program.canvas);
        buffer_finish(&program.said);
        free(program.workers);
    }
    for (size_t i = 0; program.desks && !box && i < program.count; i++)
        desk_close(&program.desks[i]);
    free(program.desks);
    return code;
}
