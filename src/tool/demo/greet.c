/* SPDX-License-Identifier: ISC */
/* The first letter, and what to type next. */
#include "tool/demo/demo.h"

#include "tool/say.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { TEXT_MAX = 65536, PATH_BYTES_MAX = 4096, ANSWER_TIMEOUT_S = 10 };

uint16_t
demo_port_of(const struct config_listeners *listeners)
{
    for (size_t i = 0; i < listeners->count; i++) {
        if (listeners->at[i].address.family == HOST_FAMILY_IPV4)
            return listeners->at[i].address.port;
    }
    return 0;
}

/* ---- the welcome message, by our own LMTP (RFC 2033) ---------------------------------------- */

static void
put_welcome(const struct demo *demo, struct buffer *text)
{
    struct timespec now;
    struct tm tm;
    char date[64] = "";

    clock_gettime(CLOCK_REALTIME, &now);
    if (gmtime_r(&now.tv_sec, &tm))
        strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S +0000", &tm);
    buffer_put_text(text, "From: Facteur <postmaster@");
    buffer_put_text(text, demo->domain);
    buffer_put_text(text, ">\r\nTo: Alice Liddell <alice@");
    buffer_put_text(text, demo->domain);
    buffer_put_text(text, ">, Bob Sawyer <bob@");
    buffer_put_text(text, demo->domain);
    buffer_put_text(text, ">\r\nSubject: Your post office is open\r\nDate: ");
    buffer_put_text(text, date);
    buffer_put_text(text, "\r\nMessage-ID: <welcome.");
    buffer_put_decimal(text, (uint64_t)now.tv_sec);
    buffer_put_text(text, "@mail.");
    buffer_put_text(text, demo->domain);
    buffer_put_text(
        text, ">\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"
              "Welcome!\r\n\r\n"
              "This message came in by LMTP, was parsed by a process that holds nothing but\r\n"
              "this message, and was on disk before the answer 250 was given.\r\n\r\n"
              "The terminal of `facteur demo` shows what to type next.\r\n");
}

/* Reads answers until one line's fourth octet is a space, as many times as `count`; false when one
 * does not begin with `code`. */
static bool
expect(FILE *stream, char code, unsigned count)
{
    char line[1024];

    while (count > 0) {
        if (!fgets(line, sizeof(line), stream) || strlen(line) < 4 || line[0] != code)
            return false;
        count -= line[3] == ' ';
    }
    return true;
}

static bool
converse(const struct demo *demo, FILE *stream)
{
    struct buffer text;

    if (!expect(stream, '2', 1) || fprintf(stream, "LHLO demo.%s\r\n", demo->domain) < 0 ||
        !expect(stream, '2', 1) ||
        fprintf(stream, "MAIL FROM:<postmaster@%s>\r\n", demo->domain) < 0 ||
        !expect(stream, '2', 1) || fprintf(stream, "RCPT TO:<alice@%s>\r\n", demo->domain) < 0 ||
        !expect(stream, '2', 1) || fprintf(stream, "RCPT TO:<bob@%s>\r\n", demo->domain) < 0 ||
        !expect(stream, '2', 1) || fputs("DATA\r\n", stream) < 0 || !expect(stream, '3', 1))
        return false;
    buffer_init(&text, TEXT_MAX);
    put_welcome(demo, &text);
    buffer_put_text(&text, ".\r\n");
    bool is_sent =
        fwrite(buffer_slice(&text).at, 1, buffer_len(&text), stream) == buffer_len(&text);
    buffer_finish(&text);
    /* One answer for each recipient. */
    return is_sent && expect(stream, '2', 2) && fputs("QUIT\r\n", stream) >= 0 &&
           expect(stream, '2', 1);
}

static bool
deliver_welcome(const struct demo *demo, const struct settings *settings)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(demo_port_of(&settings->config.lmtp_listen)),
        .sin_addr = {htonl(INADDR_LOOPBACK)},
    };
    struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (descriptor < 0)
        return false;
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    if (connect(descriptor, (const struct sockaddr *)(const void *)&address, sizeof(address)) !=
        0) {
        close(descriptor);
        return false;
    }
    FILE *stream = fdopen(descriptor, "r+");
    if (!stream) {
        close(descriptor);
        return false;
    }
    /* A stream that is read and written must not buffer what it writes. */
    setvbuf(stream, NULL, _IONBF, 0);
    bool is_good = converse(demo, stream);
    fclose(stream);
    return is_good;
}

/* ---- what to type next ---------------------------------------------------------------------- */

/* Who has built and not installed it needs to be told where the program is: the length of its
 * folder in `path`; 0 when $PATH has it. */
static size_t
find_folder(char path[PATH_BYTES_MAX])
{
    ssize_t len = readlink("/proc/self/exe", path, PATH_BYTES_MAX - 1);
    const char *places = getenv("PATH");

    if (len <= 0 || !places)
        return 0;
    path[len] = '\0';
    char *slash = strrchr(path, '/');
    size_t folder = (size_t)(slash - path);
    for (const char *at = places; at; at = strchr(at, ':')) {
        at += *at == ':';
        size_t span = strcspn(at, ":");
        if (span == folder && memcmp(at, path, folder) == 0)
            return 0;
    }
    return folder;
}

static void
print_hints(const struct demo *demo, const struct settings *settings)
{
    const struct config *config = &settings->config;
    unsigned smtp = demo_port_of(&config->smtp_listen), pop3 = demo_port_of(&config->pop3_listen);
    unsigned submission = demo_port_of(&config->submission_listen);
    unsigned submissions = demo_port_of(&config->submissions_listen);
    unsigned pop3s = demo_port_of(&config->pop3s_listen), lmtp = demo_port_of(&config->lmtp_listen);
    unsigned imap = demo_port_of(&config->imap_listen), imaps = demo_port_of(&config->imaps_listen);
    const char *d = demo->domain;
    char path[PATH_BYTES_MAX];
    size_t folder = find_folder(path);

    printf("\nFacteur serves %s on 127.0.0.1:\n", d);
    printf("  SMTP %u, submission %u (STARTTLS) and %u (TLS), LMTP %u, POP3 %u and %u (TLS),\n"
           "  IMAP %u and %u (TLS)\n",
           smtp, submission, submissions, lmtp, pop3, pop3s, imap, imaps);
    printf("  accounts alice@%s and bob@%s; passwords in %s\n", d, d, demo->credentials_path);
    printf("\nSend a letter by hand; type what stands behind C:\n"
           "  nc -C 127.0.0.1 %u\n"
           "    C: HELO me\n    C: MAIL FROM:<bob@%s>\n    C: RCPT TO:<alice@%s>\n    C: DATA\n"
           "    C: Subject: Hello\n    C:\n    C: Hello, Alice!\n    C: .\n    C: QUIT\n",
           smtp, d, d);
    printf("or with a program:\n"
           "  swaks --server 127.0.0.1:%u --from bob@%s --to alice@%s\n",
           smtp, d, d);
    printf("\nRead alice's first letter:\n"
           "  curl -k -u \"$(sed -n '1s/ /:/p' %s)\" pop3s://127.0.0.1:%u/1\n",
           demo->credentials_path, pop3s);
    printf("or read and write in the terminal, as alice and bob (? shows the keys):\n"
           "  %.*s%sfacteur mail --demo --dir %s\n",
           (int)folder, path, folder > 0 ? "/" : "", demo->folder);
    printf("\nLook around:\n"
           "  export FACTEUR_CONFIG=%s",
           demo->config_path);
    if (folder > 0)
        printf(" PATH=\"$PATH:%.*s\"", (int)folder, path);
    printf("\n  facteur status; facteur user list; facteur mailbox show alice@%s\n", d);
    printf("\nEach message that passes is shown below. Ctrl-C ends it; everything stays in %s.\n",
           demo->folder);
}

int
demo_greet(const struct demo *demo, const struct settings *settings, int ready)
{
    uint8_t byte;

    if (read(ready, &byte, 1) != 1)
        return EX_OK; /* it never came to that; the parent has said why */
    if (demo->is_first && !deliver_welcome(demo, settings))
        say_warning("the welcome message could not be delivered; the log below says why");
    print_hints(demo, settings);
    printf("ready\n");
    return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}
