/* SPDX-License-Identifier: ISC */
/* Where things stand in a parse record: private to its writer and its reader. All numbers are
 * little-endian. */
#ifndef MIME_RECORD_LAYOUT_H
#define MIME_RECORD_LAYOUT_H

/* "Fprc" */
#define RECORD_MAGIC UINT32_C(0x63727046)

enum record_flag { RECORD_IS_CUT = 1 };

/* The header: magic u32, version u16, flags u16, record length u32, body length u32, counts of
 * parts, messages, fields, parameters, addresses, defects u32 each, length of the strings u32,
 * zero u32, defect kinds u64. */
enum record_header {
    RECORD_AT_MAGIC = 0,
    RECORD_AT_VERSION = 4,
    RECORD_AT_FLAGS = 6,
    RECORD_AT_LEN = 8,
    RECORD_AT_BODY_LEN = 12,
    RECORD_AT_COUNTS = 16,
    RECORD_AT_STRINGS_LEN = 40,
    RECORD_AT_ZERO = 44,
    RECORD_AT_DEFECT_KINDS = 48,
    RECORD_HEADER_SIZE = 56
};

/* The tables in their order. */
enum record_table {
    RECORD_PARTS,
    RECORD_MESSAGES,
    RECORD_FIELDS,
    RECORD_PARAMETERS,
    RECORD_ADDRESSES,
    RECORD_DEFECTS,
    RECORD_TABLES
};

enum record_part_row {
    PART_AT_KIND = 0,     /* u8 */
    PART_AT_ENCODING = 1, /* u8, then u16 zero */
    PART_AT_PARENT = 4,
    PART_AT_AFTER = 8,
    PART_AT_HEADER_START = 12,
    PART_AT_BODY_START = 16,
    PART_AT_BODY_END = 20,
    PART_AT_LINES = 24,
    PART_AT_MESSAGE = 28,
    PART_AT_STRINGS = 32, /* PART_STRINGS references */
    PART_AT_PARAMETERS = 68, /* first of the parameters; then three counts, u16 */
    PART_AT_COUNTS = 72,
    PART_AT_ZERO = 78, /* u16 */
    PART_ROW_SIZE = 80
};

enum record_part_string {
    PART_TYPE,
    PART_SUBTYPE,
    PART_ENCODING_NAME,
    PART_ID,
    PART_DESCRIPTION,
    PART_MD5,
    PART_LOCATION,
    PART_DISPOSITION,
    PART_FILE_NAME,
    PART_STRINGS
};

enum record_message_flag { MESSAGE_HAS_WALL = 1, MESSAGE_IS_REPLY = 2 };

enum record_message_row {
    MESSAGE_AT_PART = 0,
    MESSAGE_AT_FIELDS_FIRST = 4,
    MESSAGE_AT_FIELDS_COUNT = 8,
    MESSAGE_AT_FLAGS = 12,
    MESSAGE_AT_WALL = 16, /* i64, nanoseconds */
    MESSAGE_AT_ZONE = 24, /* i32, seconds */
    MESSAGE_AT_STRINGS = 28, /* MESSAGE_STRINGS references */
    MESSAGE_AT_FIRSTS = 60, /* six u32 */
    MESSAGE_AT_COUNTS = 84, /* six u16 */
    MESSAGE_ROW_SIZE = 96
};

enum record_message_string {
    MESSAGE_DATE,
    MESSAGE_SUBJECT,
    MESSAGE_ID,
    MESSAGE_IN_REPLY_TO,
    MESSAGE_REFERENCES,
    MESSAGE_SUBJECT_TEXT,
    MESSAGE_BASE_SUBJECT,
    MESSAGE_PREVIEW,
    MESSAGE_STRINGS
};

enum record_field_row {
    FIELD_AT_START = 0,
    FIELD_AT_LEN = 4,
    FIELD_AT_BODY = 8,
    FIELD_AT_NAME_LEN = 12, /* u16 */
    FIELD_AT_ID = 14,       /* u16 */
    FIELD_ROW_SIZE = 16
};

/* name, value */
enum { PARAMETER_STRINGS = 2, PARAMETER_ROW_SIZE = 8 };
/* name, route, mailbox, host */
enum { ADDRESS_STRINGS = 4, ADDRESS_ROW_SIZE = 16 };
/* kind, offset */
enum { DEFECT_ROW_SIZE = 8 };

static const uint32_t record_row_sizes[RECORD_TABLES] = {
    [RECORD_PARTS] = PART_ROW_SIZE,           [RECORD_MESSAGES] = MESSAGE_ROW_SIZE,
    [RECORD_FIELDS] = FIELD_ROW_SIZE,         [RECORD_PARAMETERS] = PARAMETER_ROW_SIZE,
    [RECORD_ADDRESSES] = ADDRESS_ROW_SIZE,    [RECORD_DEFECTS] = DEFECT_ROW_SIZE,
};

#endif
