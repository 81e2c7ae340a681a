/* SPDX-License-Identifier: ISC */
/* The command line of `sendmail`, as programs have written it for forty years: letters with values
 * behind them or in the next word, switches that may stand together, addresses at the end. What has
 * no meaning here, but does no harm, is passed over. */
#ifndef TOOL_SENDMAIL_OPTIONS_H
#define TOOL_SENDMAIL_OPTIONS_H

#include "base/slice.h"

enum sendmail_mode {
    SENDMAIL_SEND,    /* -bm: a message on standard input */
    SENDMAIL_SESSION, /* -bs: SMTP on standard input and output */
    SENDMAIL_VERIFY,  /* -bv: are these addresses good? */
    SENDMAIL_QUEUE,   /* -bp, or called mailq: what waits */
    SENDMAIL_RETRY,   /* -q: try now what waits */
    SENDMAIL_ALIASES, /* -bi, -I, or called newaliases */
    SENDMAIL_HELP     /* --help */
};

/* Strings are those of main. */
struct sendmail_options {
    enum sendmail_mode mode;
    const char *config;      /* -C */
    const char *sender;      /* -f, -r; NULL: the user who calls */
    const char *full_name;   /* -F */
    const char *notify;      /* -N: as NOTIFY of RFC 3461 §4.1 */
    const char *ret;         /* -R: FULL or HDRS */
    const char *envelope_id; /* -V */
    bool from_header;        /* -t: recipients stand in To, Cc and Bcc, too */
    bool dots_are_text;      /* -i, -oi: a line that is a dot does not end the message */
    bool is_verbose;         /* -v */
    char **recipients;
    size_t recipient_count;
};

/* 0, or EX_USAGE after having said what is wrong. `words` begins with the program's name, by which
 * it may be called mailq or newaliases. */
MUST_USE int sendmail_options_read(int count, char **words, struct sendmail_options *ret_options);

#endif
