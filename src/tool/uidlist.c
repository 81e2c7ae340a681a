/* SPDX-License-Identifier: ISC */
#include "tool/uidlist.h"

#include "base/cursor.h"
#include "delivery/maildir.h"
#include "note/tool_store.h"
#include "tool/files.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

enum { LIST_MAX = 1 << 30, WORDS_MAX = 64 * 1024 };

static bool
read_file(const char *maildir, const char *name, size_t max, struct buffer *ret_text)
{
    char *path = files_path(maildir, name);
    bool is_there = access(path, R_OK) == 0 &&
                    files_read_plain(AT_FDCWD, path, path, max, ret_text) == EX_OK;

    free(path);
    return is_there;
}

/* A line without its end; false behind the last. */
static bool
take_line(struct slice *rest, struct slice *ret_line)
{
    size_t end = slice_find_byte(*rest, '\n');

    if (rest->len == 0)
        return false;
    *ret_line = slice_first(*rest, end);
    *rest = slice_skip(*rest, end + 1);
    return true;
}

static struct slice
take_word(struct slice *line)
{
    size_t end = slice_find_byte(*line, ' ');
    struct slice word = slice_first(*line, end);

    *line = slice_skip(*line, end + 1);
    return word;
}

static uint32_t
number_of(struct slice text)
{
    struct cursor cursor = cursor_of(text);
    uint32_t number;

    return cursor_take_u32(&cursor, 0, UINT32_MAX, &number) && cursor_is_done(&cursor) ? number : 0;
}

/* "3 V1275660208 N25022 G…", or of old "1 1173189136 20221". */
static uint32_t
validity_of(struct slice line)
{
    struct slice version = take_word(&line);

    if (slice_equal(version, SLICE("1")))
        return number_of(take_word(&line));
    while (slice_equal(version, SLICE("3")) && line.len > 0) {
        struct slice word = take_word(&line);
        if (word.len > 1 && word.at[0] == 'V')
            return number_of(slice_skip(word, 1));
    }
    return 0;
}

/* "25006 W1394 :1276528487.M364837P9451.host,S=1355:2,S": in version 1 without the colon. */
static void
add_line(struct uidlist *list, struct slice line)
{
    uintptr_t uid = number_of(take_word(&line));
    struct slice unique;
    unsigned flags;

    for (size_t i = 0; i < line.len; i++) {
        if (line.at[i] == ':' && (i == 0 || line.at[i - 1] == ' ')) {
            line = slice_skip(line, i + 1);
            break;
        }
    }
    maildir_parse_name(line, &unique, &flags);
    if (uid > 0 && unique.len > 0)
        (void)map_set(&list->uids, unique, (void *)uid);
}

static void
read_uids(struct uidlist *list)
{
    struct slice rest = buffer_slice(&list->list), line;

    if (!take_line(&rest, &line))
        return;
    list->uid_validity = validity_of(line);
    while (list->uid_validity != 0 && take_line(&rest, &line))
        add_line(list, line);
}

/* What IMAP can carry as a keyword (RFC 9051 §9, flag-keyword). */
static bool
is_keyword(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] <= ' ' || text.at[i] > '~' ||
            slice_find_byte(SLICE("(){%*\"\\]"), text.at[i]) < 8)
            return false;
    }
    return text.len > 0 && text.len <= TOOL_STORE_KEYWORD_NAME_MAX;
}

/* "0 $Forwarded" */
static void
read_keywords(struct uidlist *list)
{
    struct slice rest = buffer_slice(&list->words), line;

    while (take_line(&rest, &line)) {
        struct slice number = take_word(&line);
        size_t index = number_of(number);
        bool is_number = index > 0 || slice_equal(number, SLICE("0"));
        if (is_number && index < UIDLIST_KEYWORDS_MAX && is_keyword(line))
            list->keywords[index] = line;
    }
}

void
uidlist_open(struct uidlist *list, const char *maildir)
{
    uint64_t seed;

    *list = (struct uidlist){0};
    files_random(&seed, sizeof(seed));
    map_init(&list->uids, seed);
    if (read_file(maildir, "dovecot-uidlist", LIST_MAX, &list->list))
        read_uids(list);
    if (read_file(maildir, "dovecot-keywords", WORDS_MAX, &list->words))
        read_keywords(list);
}

void
uidlist_finish(struct uidlist *list)
{
    map_finish(&list->uids);
    buffer_finish(&list->list);
    buffer_finish(&list->words);
}

uint32_t
uidlist_find(const struct uidlist *list, struct slice unique)
{
    return (uint32_t)(uintptr_t)map_find(&list->uids, unique);
}

size_t
uidlist_keywords(const struct uidlist *list, struct slice name,
                 struct slice ret_keywords[UIDLIST_KEYWORDS_MAX])
{
    struct slice info = slice_skip(name, slice_find(name, SLICE(":2,")));
    size_t count = 0;

    for (size_t i = 0; i < info.len; i++) {
        if (info.at[i] < 'a' || info.at[i] > 'z')
            continue;
        struct slice keyword = list->keywords[info.at[i] - 'a'];
        if (keyword.len > 0 && count < UIDLIST_KEYWORDS_MAX)
            ret_keywords[count++] = keyword;
    }
    return count;
}
