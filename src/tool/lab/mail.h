/* SPDX-License-Identifier: ISC */
/* What the lab's people do: one sends, one reads. */
#ifndef TOOL_LAB_MAIL_H
#define TOOL_LAB_MAIL_H

#include "base/buffer.h"
#include "tool/lab/lab.h"

struct lab_letter {
    struct slice sender; /* a person of the lab */
    const struct slice *recipients;
    size_t count;
    struct slice content; /* CRLF lines */
};

/* Hands the letter to the sender's server, as mail programs do: port of submission, STARTTLS,
 * login. The session is put into ret_dialogue, what the server called the message into ret_id.
 * Recipients that were refused are told; EX_OK when one was taken. */
MUST_USE int lab_submit(const struct lab *lab, const struct lab_host *host,
                        const struct lab_letter *letter, struct buffer *ret_dialogue,
                        struct buffer *ret_id);

/* Reads the newest message of the host's person that has `id` in its header, by POP3. EX_NOHOST,
 * with nothing put, when it is not there. */
MUST_USE int lab_read(const struct lab *lab, const struct lab_host *host, struct slice id,
                      struct buffer *ret_message, struct buffer *ret_dialogue);

#endif
