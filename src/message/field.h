/* SPDX-License-Identifier: ISC */
/* One header field after the other over the raw octets of a message: RFC 5322 §2.2, §3.6, §4.5,
 * lines ended by CRLF or bare LF. Never fails: what is no field is given as junk, with its defect.
 *
 * The header ends at the first empty line. A line that is neither field nor fold is passed over as
 * junk if more fields follow it, for mailers forget the blank of a fold; if what follows is no
 * field either, the empty line was forgotten and the body begins there. */
#ifndef MESSAGE_FIELD_H
#define MESSAGE_FIELD_H

#include "base/slice.h"

/* The fields that somebody in Facteur asks for by name. The order is that of field_names.c; numbers
 * are not stored anywhere but in parse records of one version. */
enum field_id {
    FIELD_OTHER,
    /* RFC 5322 §3.6.1-3.6.5 */
    FIELD_DATE,
    FIELD_FROM,
    FIELD_SENDER,
    FIELD_REPLY_TO,
    FIELD_TO,
    FIELD_CC,
    FIELD_BCC,
    FIELD_MESSAGE_ID,
    FIELD_IN_REPLY_TO,
    FIELD_REFERENCES,
    FIELD_SUBJECT,
    FIELD_COMMENTS,
    FIELD_KEYWORDS,
    /* §3.6.6 */
    FIELD_RESENT_DATE,
    FIELD_RESENT_FROM,
    FIELD_RESENT_SENDER,
    FIELD_RESENT_TO,
    FIELD_RESENT_CC,
    FIELD_RESENT_BCC,
    FIELD_RESENT_MESSAGE_ID,
    FIELD_RESENT_REPLY_TO,
    /* §3.6.7 and other traces */
    FIELD_RETURN_PATH,
    FIELD_RECEIVED,
    FIELD_DELIVERED_TO,
    FIELD_X_ORIGINAL_TO,
    FIELD_RECEIVED_SPF,
    FIELD_AUTHENTICATION_RESULTS,
    FIELD_ARC_AUTHENTICATION_RESULTS,
    FIELD_ARC_MESSAGE_SIGNATURE,
    FIELD_ARC_SEAL,
    FIELD_DKIM_SIGNATURE,
    /* MIME */
    FIELD_MIME_VERSION,
    FIELD_CONTENT_TYPE,
    FIELD_CONTENT_TRANSFER_ENCODING,
    FIELD_CONTENT_ID,
    FIELD_CONTENT_DESCRIPTION,
    FIELD_CONTENT_DISPOSITION,
    FIELD_CONTENT_LANGUAGE,
    FIELD_CONTENT_LOCATION,
    FIELD_CONTENT_MD5,
    FIELD_CONTENT_DURATION,
    FIELD_CONTENT_FEATURES,
    FIELD_CONTENT_LENGTH,
    /* lists: RFC 2369, 2919, 8058 */
    FIELD_LIST_ID,
    FIELD_LIST_HELP,
    FIELD_LIST_POST,
    FIELD_LIST_OWNER,
    FIELD_LIST_ARCHIVE,
    FIELD_LIST_SUBSCRIBE,
    FIELD_LIST_UNSUBSCRIBE,
    FIELD_LIST_UNSUBSCRIBE_POST,
    FIELD_MAILING_LIST,
    /* what programs say to programs */
    FIELD_AUTO_SUBMITTED,
    FIELD_PRECEDENCE,
    FIELD_X_LOOP,
    FIELD_DISPOSITION_NOTIFICATION_TO,
    FIELD_RETURN_RECEIPT_TO,
    FIELD_ERRORS_TO,
    FIELD_MAIL_FOLLOWUP_TO,
    FIELD_MAIL_REPLY_TO,
    FIELD_APPARENTLY_TO,
    FIELD_ORIGINAL_RECIPIENT,
    FIELD_TLS_REQUIRED,
    FIELD_EXPIRES,
    FIELD_IMPORTANCE,
    FIELD_PRIORITY,
    FIELD_X_PRIORITY,
    FIELD_SENSITIVITY,
    FIELD_USER_AGENT,
    FIELD_X_MAILER,
    FIELD_ORGANIZATION,
    FIELD_ORIGINAL_FROM,
    FIELD_STATUS,
    FIELD_X_STATUS,
    FIELD_X_UID,
    FIELD_X_KEYWORDS,
    FIELD_X_SPAM_FLAG,
    FIELD_X_SPAM_STATUS,
    FIELD_ID_COUNT
};

/* The id of a name (case does not matter), FIELD_OTHER when it has none. */
enum field_id field_id_of(struct slice name);

/* The name of an id as it is usually written: "Message-ID"; "" for FIELD_OTHER. */
struct slice field_name(enum field_id id);

enum field_kind {
    FIELD_KIND_FIELD,     /* name ":" body */
    FIELD_KIND_MBOX_FROM, /* "From " at the start, or ">From " anywhere: a letter box's line */
    FIELD_KIND_JUNK       /* no colon, or nothing before it; all of it is the body */
};

/* Of one field; gathered over all in field_reader.defects. */
enum field_defect {
    FIELD_DEFECT_JUNK = 1 << 0,       /* not "name: body" */
    FIELD_DEFECT_NAME = 1 << 1,       /* the name has octets that RFC 5322 §2.2 excludes */
    FIELD_DEFECT_NAME_BLANK = 1 << 2, /* blanks before the colon: obs-optional, §4.5.8 */
    FIELD_DEFECT_LONG_LINE = 1 << 3,  /* more than 998 octets, §2.1.1 */
    FIELD_DEFECT_8BIT = 1 << 4,       /* octets above 127: RFC 6532, or wrong */
    FIELD_DEFECT_NUL = 1 << 5,
    FIELD_DEFECT_BARE_CR = 1 << 6,
    FIELD_DEFECT_BARE_LF = 1 << 7,
    FIELD_DEFECT_BLANK_FOLD = 1 << 8, /* a continuation line of blanks alone: obs-FWS, §4.2 */
    FIELD_DEFECT_MBOX_FROM = 1 << 9,
    /* of the header as a whole */
    FIELD_DEFECT_NO_END = 1 << 10,    /* the empty line is missing */
    FIELD_DEFECT_FIRST_FOLD = 1 << 11 /* begins with a continuation line (given as junk) */
};

enum { FIELD_LINE_MAX = 998 };

/* All slices borrow from the message. */
struct field {
    enum field_kind kind;
    enum field_id id;
    struct slice name; /* without blanks at its end */
    struct slice body; /* behind the colon, folds as they are, without blanks at both ends and
                          without the line end */
    struct slice raw;  /* from the first octet to behind the line end */
    size_t offset;     /* of raw in the message */
    uint16_t defects;
    bool is_folded;    /* body has line ends inside: see unstructured.h */
};

struct field_reader {
    struct slice message;
    size_t offset;     /* where the next field begins */
    size_t header_len; /* when done: octets of fields, without the empty line */
    size_t body_offset; /* when done: behind the empty line */
    uint16_t defects;
    bool is_done;
};

/* Reads from the first octet of `message`, which may be followed by its body. */
void field_reader_init(struct field_reader *reader, struct slice message);

/* Gives the next field; false, with anything in ret_field, at the end of the header. */
MUST_USE bool field_next(struct field_reader *reader, struct field *ret_field);

#endif
