/* SPDX-License-Identifier: ISC */
#include "client/problem.h"

#include "text/utf8.h"

#include <stdarg.h>

bool
client_problem_set(struct client_problem *problem, enum client_problem_kind kind,
                   const char *format, ...)
{
    char text[sizeof(problem->text)];
    struct buffer shown;
    va_list arguments;

    if (problem->kind != CLIENT_PROBLEM_NONE)
        return false;
    va_start(arguments, format);
    int len = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    size_t held = len < 0 ? 0 : (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1;
    /* A server's words may hold anything: nothing of it reaches a terminal as it is. One octet can
     * become three. */
    buffer_init(&shown, 3 * sizeof(text));
    utf8_put_printable(&shown, slice_of(text, held));
    struct slice fit = utf8_first(buffer_slice(&shown), sizeof(problem->text) - 1);
    memcpy(problem->text, fit.at, fit.len);
    problem->text[fit.len] = '\0';
    problem->kind = kind;
    buffer_finish(&shown);
    return false;
}
