/* SPDX-License-Identifier: ISC */
#include "tool/terminal/inbox.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

int
bell_open(void)
{
    int bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (bell < 0)
        abort();
    return bell;
}

void
bell_ring(int bell)
{
    uint64_t one = 1;

    (void)!write(bell, &one, sizeof(one));
}

void
bell_quiet(int bell)
{
    uint64_t count;

    (void)!read(bell, &count, sizeof(count));
}

void
inbox_open(struct inbox *inbox)
{
    *inbox = (struct inbox){.bell = bell_open()};
    if (pthread_mutex_init(&inbox->lock, NULL) != 0)
        abort();
}

void
inbox_close(struct inbox *inbox)
{
    for (struct news *news; (news = inbox_take(inbox));)
        news_free(news);
    close(inbox->bell);
    pthread_mutex_destroy(&inbox->lock);
}

void
inbox_put(struct inbox *inbox, struct news *news)
{
    pthread_mutex_lock(&inbox->lock);
    if (inbox->last)
        inbox->last->next = news;
    else
        inbox->first = news;
    inbox->last = news;
    bell_ring(inbox->bell);
    pthread_mutex_unlock(&inbox->lock);
}

struct news *
inbox_take(struct inbox *inbox)
{
    struct news *news;

    pthread_mutex_lock(&inbox->lock);
    news = inbox->first;
    if (news) {
        inbox->first = news->next;
        news->next = NULL;
    }
    if (!inbox->first) {
        inbox->last = NULL;
        bell_quiet(inbox->bell);
    }
    pthread_mutex_unlock(&inbox->lock);
    return news;
}
