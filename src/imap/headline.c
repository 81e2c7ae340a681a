/* SPDX-License-Identifier: ISC */
#include "imap/headline.h"

#include <stdlib.h>

static size_t
octets_of(const struct imap_headline *headline)
{
    size_t end = (size_t)headline->base_at + headline->base_len;

    return sizeof(*headline) + (end > headline->subject_len ? end : headline->subject_len);
}

void
imap_headline_drop(struct imap_mailbox *mailbox, uint32_t place)
{
    struct imap_headline *headline = mailbox->headlines ? mailbox->headlines[place] : NULL;

    if (!headline)
        return;
    mailbox->all->headline_bytes -= octets_of(headline);
    free(headline);
    mailbox->headlines[place] = NULL;
}

void
imap_headlines_drop(struct imap_mailbox *mailbox)
{
    if (!mailbox->headlines)
        return;
    for (uint32_t i = 0; i < mailbox->count; i++)
        imap_headline_drop(mailbox, i);
    mailbox->all->headline_bytes -= mailbox->size * sizeof(*mailbox->headlines);
    free(mailbox->headlines);
    mailbox->headlines = NULL;
    list_remove(&mailbox->headlines_link);
}

void
imap_headline_move(struct imap_mailbox *mailbox, uint32_t to, uint32_t from)
{
    if (!mailbox->headlines || to == from)
        return;
    mailbox->headlines[to] = mailbox->headlines[from];
    mailbox->headlines[from] = NULL;
}

void
imap_headlines_grow(struct imap_mailbox *mailbox, uint32_t count)
{
    size_t more = mailbox->size - count;

    if (!mailbox->headlines)
        return;
    mailbox->headlines =
        reallocarray(mailbox->headlines, mailbox->size, sizeof(*mailbox->headlines));
    if (!mailbox->headlines)
        abort();
    memset(mailbox->headlines + count, 0, more * sizeof(*mailbox->headlines));
    mailbox->all->headline_bytes += more * sizeof(*mailbox->headlines);
}

void
imap_headlines_touch(struct imap_mailbox *mailbox)
{
    if (!mailbox->headlines)
        return;
    list_remove(&mailbox->headlines_link);
    list_append(&mailbox->all->headlined, &mailbox->headlines_link);
}

/* False when that much cannot be had, whatever others give up. */
static bool
make_room(struct imap_mailbox *mailbox, size_t octets)
{
    struct imap_mailboxes *all = mailbox->all;

    while (all->headline_bytes + octets > IMAP_HEADLINES_BYTES_MAX) {
        struct imap_mailbox *oldest =
            list_is_empty(&all->headlined)
                ? mailbox
                : LIST_ITEM(all->headlined.next, struct imap_mailbox, headlines_link);
        if (oldest == mailbox)
            return false;
        imap_headlines_drop(oldest);
    }
    return true;
}

static bool
has_column(struct imap_mailbox *mailbox)
{
    size_t octets = mailbox->size * sizeof(*mailbox->headlines);

    if (mailbox->headlines)
        return true;
    if (!make_room(mailbox, octets))
        return false;
    mailbox->headlines = calloc(mailbox->size, sizeof(*mailbox->headlines));
    if (!mailbox->headlines)
        abort();
    mailbox->all->headline_bytes += octets;
    list_append(&mailbox->all->headlined, &mailbox->headlines_link);
    return true;
}

/* Where the base subject stands in the subject; the subject's length when it does not. Most often
 * it is the end of it. */
static size_t
find_base(struct slice subject, struct slice base)
{
    size_t at = subject.len - (base.len < subject.len ? base.len : subject.len);

    return slice_equal(slice_skip(subject, at), base) ? at : subject.len;
}

void
imap_headline_keep(struct imap_mailbox *mailbox, uint32_t place,
                   const struct access_store_message *message,
                   const struct mime_record_message *summary)
{
    struct slice subject = summary ? summary->subject_text : slice_of(NULL, 0);
    struct slice base = summary ? summary->base_subject : slice_of(NULL, 0);

    if (mailbox->is_detached || place >= mailbox->count || mailbox->uids[place] != message->uid ||
        imap_headline_find(mailbox, place) || subject.len + base.len > UINT16_MAX)
        return;
    size_t base_at = find_base(subject, base);
    size_t text_len = base_at == subject.len ? subject.len + base.len : subject.len;
    size_t octets = sizeof(struct imap_headline) + text_len;
    if (!has_column(mailbox) || !make_room(mailbox, octets))
        return;
    struct imap_headline *headline = malloc(octets);
    if (!headline)
        abort();
    *headline = (struct imap_headline){
        .arrival_ns = message->internal_ns,
        .date_ns = summary ? summary->wall.ns : 0,
        .zone_s = summary ? summary->zone_s : 0,
        .message_len = message->len,
        .subject_len = (uint16_t)subject.len,
        .base_at = (uint16_t)base_at,
        .base_len = (uint16_t)base.len,
        .has_subject = subject.at,
        .has_date = summary && summary->has_wall,
    };
    if (subject.len > 0)
        memcpy(headline->text, subject.at, subject.len);
    if (text_len > subject.len)
        memcpy(headline->text + subject.len, base.at, base.len);
    mailbox->headlines[place] = headline;
    mailbox->all->headline_bytes += octets;
}

void
imap_headline_keep_opened(struct imap_mailbox *mailbox, uint32_t place,
                          const struct access_store_message *message,
                          const struct imap_message *opened)
{
    struct mime_record_message summary;

    if (place >= mailbox->count || imap_headline_find(mailbox, place))
        return;
    if (opened->has_record)
        mime_record_message(&opened->record, 0, &summary);
    imap_headline_keep(mailbox, place, message, opened->has_record ? &summary : NULL);
}
