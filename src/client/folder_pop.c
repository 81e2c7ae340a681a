/* SPDX-License-Identifier: ISC */
#include "client/folder_private.h"
#include "client/pop.h"

static bool
read_letter(struct client_folder *folder, size_t index, struct buffer *out,
            struct client_problem *problem)
{
    return client_pop_read(folder->state, folder->letters[index].id, out, problem);
}

static bool
read_heads(struct client_folder *folder, struct client_chosen chosen, client_head_fn fn,
           void *context, struct client_problem *problem)
{
    bool is_good = true;

    for (size_t i = 0; i < chosen.count && is_good; i++) {
        struct buffer head;
        buffer_init(&head, CLIENT_MESSAGE_MAX);
        is_good =
            client_pop_top(folder->state, folder->letters[chosen.indexes[i]].id, 0, &head, problem);
        if (is_good)
            fn(context, chosen.indexes[i], buffer_slice(&head));
        buffer_finish(&head);
    }
    return is_good;
}

static bool
remove_letters(struct client_folder *folder, struct client_chosen chosen,
               struct client_problem *problem)
{
    for (size_t i = 0; i < chosen.count; i++) {
        if (!client_pop_delete(folder->state, folder->letters[chosen.indexes[i]].id, problem))
            return false;
    }
    return true;
}

static bool
finish(struct client_folder *folder, struct client_problem *problem)
{
    return client_pop_quit(folder->state, problem);
}

static void
close_folder(struct client_folder *folder)
{
    struct client_pop *pop = folder->state;

    client_pop_close(&pop);
}

static const struct folder_kind kind = {.read = read_letter,
                                        .heads = read_heads,
                                        .remove = remove_letters,
                                        .finish = finish,
                                        .close = close_folder};

bool
folder_open_pop(struct client_folder *folder, struct client_problem *problem)
{
    struct client_pop *pop = client_pop_open(folder->login, problem);

    if (!pop)
        return false;
    folder->kind = &kind;
    folder->state = pop;
    for (uint32_t number = 1; number <= client_pop_count(pop); number++) {
        struct client_pop_message message = client_pop_message(pop, number);
        struct client_letter *letter = folder_add(folder);
        letter->id = number;
        letter->size = message.octets;
        letter->unique = message.uid;
    }
    return true;
}
