/* SPDX-License-Identifier: ISC */
/* facteur demo: a complete mail system on loopback from nothing. */
#include "base/cursor.h"
#include "tool/command.h"
#include "tool/demo/demo.h"
#include "tool/files.h"
#include "tool/say.h"

#include <stdlib.h>
#include <unistd.h>

/* The greeter is a process of its own, started before the server has any thread or descriptor: it
 * speaks LMTP with it like anybody. */
static int
serve(struct demo *demo, struct settings *settings)
{
    int ends[2];

    if (pipe(ends) != 0)
        return say_error(EX_OSERR, "there are no descriptors left; close some programs");
    fflush(NULL);
    pid_t greeter = fork();
    if (greeter < 0)
        return say_error(EX_OSERR, "there is no room for another process; end some programs");
    if (greeter == 0) {
        close(ends[1]);
        _exit(demo_greet(demo, settings, ends[0]));
    }
    close(ends[0]);
    int code = command_become_parent(demo->config_path, ends[1]);
    close(ends[1]);
    return code;
}

static int
read_port_base(const struct command_call *call, struct demo *demo)
{
    const char *text = command_value(call, "port-base");
    struct cursor cursor = cursor_of(slice_of_string(text ? text : ""));
    uint32_t base = DEMO_PORT_BASE;

    if (text &&
        (!cursor_take_u32(&cursor, 0, DEMO_PORT_BASE_MAX, &base) || !cursor_is_done(&cursor)))
        return say_error(EX_USAGE, "--port-base: expected a number from 0 to %d, not '%s'",
                         DEMO_PORT_BASE_MAX, text);
    demo->port_base = base;
    demo->is_port_given = text != NULL;
    return EX_OK;
}

/* The folder must exist for its absolute path to be known. */
static int
find_folder(const struct command_call *call, struct demo *demo)
{
    const char *folder = command_value(call, "dir");
    int code = files_make_folder(folder ? folder : "./var/demo", 0755);

    if (code != EX_OK)
        return code;
    demo->folder = realpath(folder ? folder : "./var/demo", NULL);
    if (!demo->folder)
        return say_error(EX_OSERR, "cannot find the folder %s; give another --dir",
                         folder ? folder : "./var/demo");
    demo->config_path = files_path(demo->folder, "facteur.conf");
    demo->credentials_path = files_path(demo->folder, "credentials");
    return EX_OK;
}

static void
forget(struct demo *demo)
{
    free(demo->folder);
    free(demo->config_path);
    free(demo->credentials_path);
    free(demo->domain);
}

static int
run_demo(const struct command_call *call)
{
    const char *domain = command_value(call, "domain");
    struct demo demo = {.domain = domain ? strdup(domain) : NULL};
    struct settings settings = {0};
    int code = read_port_base(call, &demo);

    if (domain && !demo.domain)
        abort();
    if (code == EX_OK)
        code = find_folder(call, &demo);
    if (code == EX_OK)
        code = demo_make_place(&demo);
    if (code == EX_OK)
        code = settings_load_path(demo.config_path, true, &settings);
    if (code == EX_OK)
        code = demo_make_people(&demo, &settings);
    if (code == EX_OK)
        code = demo_make_desk(&demo, &settings);
    if (code == EX_OK)
        code = serve(&demo, &settings);
    settings_finish(&settings);
    forget(&demo);
    return code;
}

const struct command command_demo = {
    .name = "demo",
    .arguments = "",
    .summary = "Start a complete mail system on loopback to play with",
    .about =
        "Makes a configuration, a self-signed certificate, the accounts alice and bob with fresh "
        "passwords and a welcome message, and serves in the foreground, without root, on "
        "loopback only: SMTP 10025, submission 10587 and 10465, LMTP 10024, POP3 10110 and "
        "10995, IMAP 10143 and 10993.\n\nWhen all ports listen it prints what to type next and "
        "then the line 'ready'. DIR/credentials has 'address password' a line. A second start "
        "finds everything as it "
        "was. Ctrl-C ends it.",
    .examples = "facteur demo\nfacteur demo --dir /tmp/post --port-base 20000",
    .options = {{"dir", "DIR", "Where everything lies; default: ./var/demo."},
                {"port-base", "N", "Added to the standard ports; default: 10000."},
                {"domain", "DOMAIN", "The domain; default: example.test."}},
    .run = run_demo,
};
