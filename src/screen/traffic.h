/* SPDX-License-Identifier: ISC */
/* What goes between the screen and the world: wishes out, news in. Both are values that one side
 * makes and the other frees; ids are those of an account's open folder. */
#ifndef SCREEN_TRAFFIC_H
#define SCREEN_TRAFFIC_H

#include "screen/head.h"

/* What folders are for: as in RFC 6154. */
enum folder_use {
    FOLDER_OTHER,
    FOLDER_INBOX,
    FOLDER_DRAFTS,
    FOLDER_SENT,
    FOLDER_ARCHIVE,
    FOLDER_JUNK,
    FOLDER_TRASH
};

struct folder {
    char *name;
    enum folder_use use;
    char delimiter;
    bool is_counted;
    uint32_t messages, unseen;
};

/* A message that is being written. Strings are owned; NULL is empty. */
struct draft {
    uint32_t account;
    char *to, *cc, *bcc, *subject;
    char *text; /* UTF-8 */
    char **files;
    size_t files_count;
    char *in_reply_to, *references; /* fields as they stand */
    char *forwarded;                /* a whole message, attached */
    size_t forwarded_len;
    char *forwarded_name; /* what to call it */
    uint32_t answered;    /* becomes \Answered when it is sent; 0: none */
    uint32_t answered_account, answered_generation;
    char *answered_folder;
    bool is_signed, is_encrypted;
};

/* A message as it is read. */
struct sheet_field {
    char *label, *value;
};
struct sheet_part {
    uint32_t index; /* by which the world knows it */
    char *name, *type;
    uint64_t octets;
};
struct sheet_text {
    uint32_t id;
    struct sheet_field *fields;
    size_t fields_count;
    char *head;  /* the whole header, printable */
    char *asks;  /* "a@b asks for a receipt": the person decides; NULL: nothing to decide */
    char *notes; /* a sentence a line: signatures, what was done to the text */
    char *text;  /* UTF-8, LF, printable */
    struct sheet_part *parts;
    size_t parts_count;
};

enum wish_kind {
    WISH_FOLDERS,  /* NEWS_FOLDERS */
    WISH_OPEN,     /* folder: NEWS_OPENED */
    WISH_HEADS,    /* ids: NEWS_HEADS */
    WISH_READ,     /* id: NEWS_SHEET */
    WISH_FLAG,     /* ids, add, remove */
    WISH_DELETE,   /* ids: for good */
    WISH_MOVE,     /* ids, folder: NEWS_MOVED */
    WISH_BRING,    /* folder, first, count: back from there */
    WISH_SEARCH,   /* text, serial: NEWS_FOUND */
    WISH_SAVE,     /* id, part, text: the path */
    WISH_SHOW,     /* id, part: by the program of the desktop */
    WISH_ANSWER,   /* id, answer: NEWS_DRAFT */
    WISH_RESEND,   /* id, text: to whom */
    WISH_RECEIPT,  /* id, add: 1 to send the one that it asks for, 0 to refuse it */
    WISH_RESUME,   /* id of a draft: NEWS_DRAFT */
    WISH_EDIT,     /* draft: NEWS_DRAFT */
    WISH_SEND,     /* draft: NEWS_SENT */
    WISH_KEEP,     /* draft: into the folder of drafts */
    WISH_COMPLETE, /* text: NEWS_ADDRESSES */
    WISH_FILES,    /* text, the beginning of a path: NEWS_FILES */
    WISH_QUIT
};

enum answer_kind { ANSWER_SENDER, ANSWER_ALL, ANSWER_FORWARD };

struct wish {
    struct wish *next;
    enum wish_kind kind;
    uint32_t account;
    uint32_t serial;
    uint32_t generation; /* of the list that the ids are of: NEWS_OPENED told it */
    char *folder, *text;
    uint32_t *ids;
    size_t ids_count;
    uint32_t id, part, add, remove, first, count;
    enum answer_kind answer;
    struct draft *draft;
};

enum news_kind {
    NEWS_STATE,     /* text: how the account does; is_online, is_local */
    NEWS_FOLDERS,   /* folders */
    NEWS_OPENED,    /* folder, items: ids and \Seen; generation: as before when the ids are, too */
    NEWS_ARRIVED,   /* items; the next three too belong to the open folder */
    NEWS_GONE,      /* items */
    NEWS_FLAGS,     /* items */
    NEWS_HEADS,     /* heads */
    NEWS_SHEET,     /* sheet */
    NEWS_FOUND,     /* serial, items */
    NEWS_MOVED,     /* folder, first, count: where they are now, and what they are called there */
    NEWS_DRAFT,     /* draft; wish, which made it; of RESUME first: its id in the folder */
    NEWS_SENT,      /* text */
    NEWS_ADDRESSES, /* names: addresses that go on as the text does; text */
    NEWS_FILES,     /* the same with paths */
    NEWS_DONE,      /* wish: the kind that is answered by nothing else */
    NEWS_FAILED,    /* wish, text: why not */
    NEWS_SAID       /* text: for the person; is_alert */
};

struct item {
    uint32_t id, flags;
};

struct news {
    struct news *next;
    enum news_kind kind;
    uint32_t generation;
    enum wish_kind wish;
    uint32_t account;
    uint32_t serial, first, count;
    bool is_online, is_local, is_alert;
    char *folder, *text;
    struct item *items;
    size_t items_count;
    struct folder *folders;
    size_t folders_count;
    struct head *heads;
    size_t heads_count;
    char **names;
    size_t names_count;
    struct sheet_text *sheet;
    struct draft *draft;
};

/* Empty; freed by the other side. */
struct wish *wish_new(enum wish_kind kind, uint32_t account);
void wish_free(struct wish *wish);
struct news *news_new(enum news_kind kind, uint32_t account);
void news_free(struct news *news);
struct draft *draft_new(uint32_t account);
struct draft *draft_copy(const struct draft *draft);
void draft_free(struct draft *draft); /* accepts NULL */
void sheet_text_free(struct sheet_text *sheet);

/* Adds to the arrays of news. */
void news_add_item(struct news *news, struct item item);
struct folder *news_add_folder(struct news *news, const char *name);
struct head *news_add_head(struct news *news);
void news_add_name(struct news *news, struct slice name);

/* Strings: a copy, or another in the place of the old one. */
char *traffic_copy(struct slice text);
void traffic_set(char **string, struct slice text);

/* "" for NULL. */
static inline struct slice
traffic_text(const char *string)
{
    return string ? slice_of_string(string) : SLICE("");
}

/* Memory for `count` things, cleared; aborts without. */
void *traffic_array(size_t count, size_t size);
/* The same array with room for one more, `count` being used: it grows by doubling. */
void *traffic_grow(void *array, size_t count, size_t size);

#endif
