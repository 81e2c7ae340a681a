/* SPDX-License-Identifier: ISC */
/* What parsing found wrong in a message, and at which octet. Parsing never fails because of it:
 * each kind says what was assumed instead. */
#ifndef MIME_DEFECT_H
#define MIME_DEFECT_H

#include "base/slice.h"

enum mime_defect_kind {
    MIME_DEFECT_NONE,
    /* Header fields. */
    MIME_DEFECT_HEADER,              /* a line that is no field, or octets not allowed there */
    MIME_DEFECT_HEADER_UNFINISHED,   /* no empty line before the boundary or the end */
    MIME_DEFECT_FIELD_REPEATED,      /* a Content- field twice: the first one counts */
    MIME_DEFECT_CONTENT_TYPE,        /* no valid type: text/plain assumed (RFC 2045 5.2) */
    MIME_DEFECT_ENCODING,            /* unknown transfer encoding: content taken as it is */
    MIME_DEFECT_ENCODED_COMPOSITE,   /* multipart or message encoded against RFC 2045 6.4 */
    MIME_DEFECT_DISPOSITION,         /* no disposition type */
    MIME_DEFECT_PARAMETER,           /* not attribute=value; what could be made of it was kept */
    MIME_DEFECT_PARAMETER_REPEATED,  /* same attribute twice: the first one counts */
    MIME_DEFECT_PARAMETER_SECTION,   /* RFC 2231 sections missing or doubled */
    MIME_DEFECT_PARAMETER_ENCODING,  /* bad percent encoding, charset, or an RFC 2047 word inside */
    MIME_DEFECT_PARAMETERS_LIMIT,    /* more than MIME_PARAMETERS_MAX: the rest is dropped */
    MIME_DEFECT_FIELDS_LIMIT,        /* more than HEADER_FIELDS_MAX: most are not indexed */
    /* Structure. */
    MIME_DEFECT_NO_BOUNDARY,         /* multipart without a usable boundary: has no children */
    MIME_DEFECT_BOUNDARY_LONG,       /* longer than 70 octets or with octets not allowed; used */
    MIME_DEFECT_BOUNDARY_TRAILING,   /* something but blanks behind a boundary on its line */
    MIME_DEFECT_NO_PARTS,            /* the boundary never comes */
    MIME_DEFECT_MISSING_END,         /* a multipart ends without its closing boundary */
    MIME_DEFECT_DEPTH_LIMIT,         /* nested deeper than MIME_DEPTH_MAX: not looked into */
    MIME_DEFECT_PARTS_LIMIT,         /* more than MIME_PARTS_MAX: the last part swallows the rest */
    MIME_DEFECT_MEMORY_LIMIT,        /* the arena was full: the tree is cut */
    MIME_DEFECT_TOO_LONG,            /* message above MIME_MESSAGE_MAX: only its start was read */
    /* Lines. */
    MIME_DEFECT_BARE_LF,             /* lines that end in LF alone; offset of the first */
    MIME_DEFECT_NUL,                 /* octet 0 in a header */
    /* Content, found while decoding. */
    MIME_DEFECT_BASE64,
    MIME_DEFECT_QUOTED_PRINTABLE,
    MIME_DEFECT_UUENCODE,
    MIME_DEFECT_CHARSET,             /* unknown charset, or octets that are not of it */
    MIME_DEFECT_KINDS
};

struct mime_defect {
    enum mime_defect_kind kind;
    uint32_t offset; /* in the message */
};

/* At most this many of one message are listed, for the parse record is bounded. `kinds` has all. */
enum { MIME_DEFECTS_MAX = 32 };

struct mime_defects {
    struct mime_defect items[MIME_DEFECTS_MAX];
    size_t count;
    uint64_t kinds; /* bit 1 << kind for each kind that occurred, listed or not */
};

/* Notes one; when the list is full only the bit is set. */
void mime_defects_add(struct mime_defects *defects, enum mime_defect_kind kind, size_t offset);

static inline bool
mime_defects_have(const struct mime_defects *defects, enum mime_defect_kind kind)
{
    return (defects->kinds >> kind & 1) != 0;
}

/* A short phrase for people, like "a multipart has no closing boundary". */
const char *mime_defect_text(enum mime_defect_kind kind);

#endif
