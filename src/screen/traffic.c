/* SPDX-License-Identifier: ISC */
#include "screen/traffic.h"

#include <stdlib.h>

/* ---- memory -------------------------------------------------------------------------------- */

static void *
check(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

void *
traffic_array(size_t count, size_t size)
{
    return check(calloc(count ? count : 1, size));
}

void *
traffic_grow(void *array, size_t count, size_t size)
{
    if (count >= 8 && (count & (count - 1)) != 0)
        return array; /* rooms are powers of two */
    return count == 0 || count >= 8 ? check(reallocarray(array, count ? 2 * count : 8, size))
                                    : array;
}

char *
traffic_copy(struct slice text)
{
    return check(strndup((const char *)text.at, text.len));
}

void
traffic_set(char **string, struct slice text)
{
    char *copy = traffic_copy(text);

    free(*string);
    *string = copy;
}

/* ---- wishes -------------------------------------------------------------------------------- */

struct wish *
wish_new(enum wish_kind kind, uint32_t account)
{
    struct wish *wish = traffic_array(1, sizeof(*wish));

    wish->kind = kind;
    wish->account = account;
    return wish;
}

void
wish_free(struct wish *wish)
{
    free(wish->folder);
    free(wish->text);
    free(wish->ids);
    draft_free(wish->draft);
    free(wish);
}

/* ---- drafts and sheets --------------------------------------------------------------------- */

struct draft *
draft_new(uint32_t account)
{
    struct draft *draft = traffic_array(1, sizeof(*draft));

    draft->account = account;
    return draft;
}

static char *
copy_if_any(const char *string)
{
    return string ? traffic_copy(slice_of_string(string)) : NULL;
}

struct draft *
draft_copy(const struct draft *draft)
{
    struct draft *copy = draft_new(draft->account);

    *copy = *draft;
    copy->to = copy_if_any(draft->to);
    copy->cc = copy_if_any(draft->cc);
    copy->bcc = copy_if_any(draft->bcc);
    copy->subject = copy_if_any(draft->subject);
    copy->text = copy_if_any(draft->text);
    copy->files = NULL;
    for (size_t i = 0; i < draft->files_count; i++) {
        copy->files = traffic_grow(copy->files, i, sizeof(*copy->files));
        copy->files[i] = copy_if_any(draft->files[i]);
    }
    copy->in_reply_to = copy_if_any(draft->in_reply_to);
    copy->references = copy_if_any(draft->references);
    copy->forwarded = draft->forwarded ? traffic_array(draft->forwarded_len, 1) : NULL;
    if (draft->forwarded)
        memcpy(copy->forwarded, draft->forwarded, draft->forwarded_len);
    copy->forwarded_name = copy_if_any(draft->forwarded_name);
    copy->answered_folder = copy_if_any(draft->answered_folder);
    return copy;
}

void
draft_free(struct draft *draft)
{
    if (!draft)
        return;
    free(draft->to);
    free(draft->cc);
    free(draft->bcc);
    free(draft->subject);
    free(draft->text);
    for (size_t i = 0; i < draft->files_count; i++)
        free(draft->files[i]);
    free(draft->files);
    free(draft->in_reply_to);
    free(draft->references);
    free(draft->forwarded);
    free(draft->forwarded_name);
    free(draft->answered_folder);
    free(draft);
}

void
sheet_text_free(struct sheet_text *sheet)
{
    if (!sheet)
        return;
    for (size_t i = 0; i < sheet->fields_count; i++) {
        free(sheet->fields[i].label);
        free(sheet->fields[i].value);
    }
    free(sheet->fields);
    for (size_t i = 0; i < sheet->parts_count; i++) {
        free(sheet->parts[i].name);
        free(sheet->parts[i].type);
    }
    free(sheet->parts);
    free(sheet->head);
    free(sheet->asks);
    free(sheet->notes);
    free(sheet->text);
    free(sheet);
}

/* ---- news ---------------------------------------------------------------------------------- */

struct news *
news_new(enum news_kind kind, uint32_t account)
{
    struct news *news = traffic_array(1, sizeof(*news));

    news->kind = kind;
    news->account = account;
    return news;
}

void
news_free(struct news *news)
{
    for (size_t i = 0; i < news->folders_count; i++)
        free(news->folders[i].name);
    for (size_t i = 0; i < news->heads_count; i++)
        head_finish(&news->heads[i]);
    for (size_t i = 0; i < news->names_count; i++)
        free(news->names[i]);
    free(news->names);
    free(news->folders);
    free(news->heads);
    free(news->items);
    free(news->folder);
    free(news->text);
    sheet_text_free(news->sheet);
    draft_free(news->draft);
    free(news);
}

void
news_add_item(struct news *news, struct item item)
{
    news->items = traffic_grow(news->items, news->items_count, sizeof(item));
    news->items[news->items_count++] = item;
}

struct folder *
news_add_folder(struct news *news, const char *name)
{
    news->folders = traffic_grow(news->folders, news->folders_count, sizeof(*news->folders));
    struct folder *folder = &news->folders[news->folders_count++];
    *folder = (struct folder){.name = traffic_copy(slice_of_string(name))};
    return folder;
}

struct head *
news_add_head(struct news *news)
{
    news->heads = traffic_grow(news->heads, news->heads_count, sizeof(*news->heads));
    struct head *head = &news->heads[news->heads_count++];
    *head = (struct head){0};
    return head;
}

void
news_add_name(struct news *news, struct slice name)
{
    news->names = traffic_grow(news->names, news->names_count, sizeof(*news->names));
    news->names[news->names_count++] = traffic_copy(name);
}
