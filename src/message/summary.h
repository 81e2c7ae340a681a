/* SPDX-License-Identifier: ISC */
/* The summary: the ten fields of a message that a list of messages shows and that IMAP calls
 * ENVELOPE (RFC 9051 §7.5.2), gathered in one pass over the header. */
#ifndef MESSAGE_SUMMARY_H
#define MESSAGE_SUMMARY_H

#include "message/address.h"
#include "message/header.h"
#include "text/date.h"

/* Slices borrow from the message where they can, else live in the arena. Of a field that came
 * twice the first counts; but lists of To, Cc, Bcc, Reply-To and From are joined (§4.5.3). */
struct summary {
    struct slice date_text;   /* unfolded, as it stands */
    struct date date;         /* meaningful when has_date */
    bool has_date;
    struct slice subject;     /* unfolded; encoded words as they are (room mime decodes) */
    struct address_list from;
    struct address_list sender;
    struct address_list reply_to;
    struct address_list to;
    struct address_list cc;
    struct address_list bcc;
    struct slice in_reply_to; /* unfolded, as it stands */
    struct slice message_id;  /* unfolded, as it stands */
    struct slice references;  /* unfolded, as it stands: not in ENVELOPE, but threads need it */
    uint32_t seen;            /* 1 << (id - FIELD_DATE) of the fields up to FIELD_SUBJECT */
    uint32_t repeated;        /* the same, of those that came more than once */
};

/* True when the message has this field; id from FIELD_DATE to FIELD_SUBJECT. An address field that
 * is there may still have an empty list. */
MUST_USE bool summary_has(const struct summary *summary, enum field_id id);

/* Never fails; what the message does not have is empty. The header must outlive the summary. */
void summary_gather(struct arena *arena, const struct header *header, struct summary *ret_summary);

/* From, when Sender (Reply-To) has no address: RFC 9051 §7.5.2 wants it so in ENVELOPE. */
const struct address_list *summary_sender(const struct summary *summary);
const struct address_list *summary_reply_to(const struct summary *summary);

#endif
