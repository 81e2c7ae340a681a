/* SPDX-License-Identifier: ISC */
#include "requests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 8 * 1024 * 1024 };

void
requests_fail(const char *why)
{
    printf("error %s\n", why);
    exit(1);
}

void
requests_print(const char *what, size_t id, struct slice bytes)
{
    printf("%s %zu ", what, id);
    for (size_t i = 0; i < bytes.len; i++)
        printf("%02x", bytes.at[i]);
    printf("\n");
}

static void
feed(const struct requests_handler *handler, size_t id, const char *hex, size_t split)
{
    size_t len = strlen(hex) / 2, step = split > 0 ? split : len;
    uint8_t *bytes = malloc(len + 1);

    if (!bytes)
        abort();
    for (size_t i = 0; i < len; i++) {
        char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    for (size_t at = 0; at < len; at += step)
        handler->feed(id, slice_between(slice_of(bytes, len), at, at + step));
    free(bytes);
}

/* Requests about one connection. */
static void
handle_connection(const struct requests_handler *handler, const char *verb, size_t id,
                  const char *rest, size_t split)
{
    if (id >= REQUESTS_SESSIONS_MAX)
        requests_fail("no such connection");
    bool is_opening = strcmp(verb, "open") == 0;
    if (is_opening == handler->is_open(id))
        requests_fail(is_opening ? "open already" : "not open");
    if (is_opening)
        handler->open(id, rest);
    else if (strcmp(verb, "feed") == 0)
        feed(handler, id, rest, split);
    else if (strcmp(verb, "tls") == 0 && handler->tls)
        handler->tls(id);
    else if (strcmp(verb, "end") == 0)
        handler->end(id);
    else if (strcmp(verb, "stop") == 0)
        handler->stop(id);
    else
        requests_fail("not now");
    handler->settle(id);
}

static void
handle(const struct requests_handler *handler, char *line, size_t *split)
{
    char *first = strchr(line, ' ');
    char *rest = first ? strchr(first + 1, ' ') : NULL;

    if (!first)
        requests_fail("a request has a verb and an argument");
    *first++ = '\0';
    if (rest)
        *rest++ = '\0';
    if (strcmp(line, "set") == 0 && rest)
        handler->set(first, rest);
    else if (strcmp(line, "split") == 0)
        *split = strtoul(first, NULL, 10);
    else if (strcmp(line, "time") == 0)
        handler->pass_time(duration_ms(strtol(first, NULL, 10)));
    else if (strcmp(line, "mail") == 0 && handler->mail)
        handler->mail(first);
    else
        handle_connection(handler, line, strtoul(first, NULL, 10), rest ? rest : "", *split);
    printf("done\n");
    fflush(stdout);
}

void
requests_serve(const struct requests_handler *handler)
{
    char *line = malloc(LINE_MAX_BYTES);
    size_t split = 0;

    if (!line)
        abort();
    while (fgets(line, LINE_MAX_BYTES, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        handle(handler, line, &split);
    }
    free(line);
}
