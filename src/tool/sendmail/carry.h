/* SPDX-License-Identifier: ISC */
/* Hands a message to the server on this machine, over the socket for its users (option
 * local_submission), and waits for the answer. */
#ifndef TOOL_SENDMAIL_CARRY_H
#define TOOL_SENDMAIL_CARRY_H

#include "envelope/parameter.h"
#include "host/host.h"
#include "tool/settings.h"

/* Connects to RUNTIME_DIR/submit. 0, or an exit code after having said why not: EX_TEMPFAIL when
 * nobody serves there now. The descriptor is the caller's. */
MUST_USE int carry_connect(const struct settings *settings, int *ret_descriptor);

struct carry {
    struct slice sender; /* canonical; empty: the null reverse-path */
    struct envelope_mail_parameters mail;
    struct envelope_rcpt_parameters rcpt; /* of every recipient, but for ORCPT */
    const struct slice *recipients;       /* canonical */
    size_t count;
    struct slice content;
    bool is_verbose; /* shows the dialogue on standard output */
};

/* Sends it, in as many transactions as it takes. EX_OK, or the gravest exit code after having said
 * for each recipient that was refused what the server says: EX_TEMPFAIL, EX_NOUSER, EX_UNAVAILABLE,
 * EX_PROTOCOL. */
MUST_USE int carry_message(int descriptor, const struct carry *carry);

#endif
