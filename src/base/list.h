/* SPDX-License-Identifier: ISC */
/* An intrusive doubly linked ring. The head is a link too; an element is found with LIST_ITEM. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/compiler.h"

struct list {
    struct list *previous;
    struct list *next;
};

#define LIST_ITEM(link, type, member) CONTAINER_OF(link, type, member)

/* Walks from first to last; the body may remove `link` itself. */
#define LIST_EACH(link, head)                                                             \
    for (struct list *link = (head)->next, *link##_next = link->next; link != (head);    \
         link = link##_next, link##_next = link->next)

/* Makes an empty head, or a link that is in no list. */
static inline void
list_init(struct list *list)
{
    list->previous = list->next = list;
}

static inline bool
list_is_empty(const struct list *head)
{
    return head->next == head;
}

/* Adds `link` as the last (first) element. */
static inline void
list_append(struct list *head, struct list *link)
{
    link->previous = head->previous;
    link->next = head;
    head->previous->next = link;
    head->previous = link;
}

static inline void
list_prepend(struct list *head, struct list *link)
{
    list_append(head->next, link);
}

/* Takes `link` out of its list; harmless on one that is in none. */
static inline void
list_remove(struct list *link)
{
    link->previous->next = link->next;
    link->next->previous = link->previous;
    list_init(link);
}

#endif
