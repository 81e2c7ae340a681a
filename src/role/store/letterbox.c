/* SPDX-License-Identifier: ISC */
/* Recipients whose mail goes into an mbox or a Maildir outside the store. */
#include "role/store/store_role.h"

enum { SIDE_LETTERBOX = 1, RECIPIENT_BITS = 10 };

/* A request's number: the parcel's and the recipient's. */
static uint64_t
request_of(const struct parcel *parcel, size_t index)
{
    return parcel->parse << RECIPIENT_BITS | index;
}

static void
make_ready(struct store_role *role, struct parcel *parcel)
{
    (void)!map_remove(&role->parcels, map_key_u64(&parcel->parse));
    list_remove(&parcel->link);
    list_append(&role->ready, &parcel->link);
    store_role_turn_soon(role);
}

static bool
put(struct store_role *role, struct parcel *parcel, size_t index)
{
    const struct parcel_recipient *recipient = &parcel->recipients[index];
    host_handle copy = HOST_HANDLE_NONE;

    if (!role->letterbox)
        return false;
    if (parcel->blob != HOST_HANDLE_NONE && (copy = host_handle_copy(role->host, parcel->blob)) < 0)
        return false;
    struct store_letterbox_put note = {
        .id = request_of(parcel, index),
        .queue_id = parcel->queue_id,
        .kind = recipient->box == SMTP_STORE_BOX_MBOX ? STORE_LETTERBOX_BOX_KIND_MBOX
                                                      : STORE_LETTERBOX_BOX_KIND_MAILDIR,
        .path = recipient->path,
        .user = recipient->user,
        .reverse_path = parcel->reverse_path,
        .received_ns = host_wall(role->host).ns,
        .body = parcel->head,
        .body_blob = copy,
    };
    buffer_clear(&role->note);
    if (!store_letterbox_put_put(&role->note, &role->letterbox_ledger, &note)) {
        host_handle_close(role->host, copy);
        return false;
    }
    host_channel_send(role->letterbox, buffer_slice(&role->note), copy);
    return true;
}

void
letterbox_take(struct store_role *role, struct parcel *parcel)
{
    bool is_kept = parcel->action == STORE_DELIVER_FILTER_ACTION_KEEP;

    for (size_t i = 0; is_kept && i < parcel->recipient_count; i++) {
        struct parcel_recipient *recipient = &parcel->recipients[i];
        if (recipient->box == SMTP_STORE_BOX_STORE || recipient->box == SMTP_STORE_BOX_REMOTE)
            continue;
        if (put(role, parcel, i))
            parcel->boxes_open++;
        else
            parcel_settle(recipient, SMTP_STORE_OUTCOME_KIND_TEMPORARY,
                          "the letter box cannot be reached now");
    }
    if (parcel->from == PARCEL_IMAP && !imap_append_is_ready(parcel, &parcel))
        return;
    if (parcel->boxes_open == 0) {
        make_ready(role, parcel);
        return;
    }
    (void)!map_set(&role->parcels, map_key_u64(&parcel->parse), parcel);
    list_append(&role->boxing, &parcel->link);
}

static void
settle(struct store_role *role, struct parcel *parcel, size_t index,
       enum store_letterbox_put_result result)
{
    static const struct {
        enum smtp_store_outcome_kind kind;
        const char *text;
    } outcomes[] = {
        [STORE_LETTERBOX_PUT_RESULT_DONE] = {SMTP_STORE_OUTCOME_KIND_DELIVERED, ""},
        [STORE_LETTERBOX_PUT_RESULT_TEMPORARY] = {SMTP_STORE_OUTCOME_KIND_TEMPORARY,
                                                  "the letter box cannot be written now"},
        [STORE_LETTERBOX_PUT_RESULT_NO_SPACE] = {SMTP_STORE_OUTCOME_KIND_NO_SPACE,
                                                 "the disk is full"},
        /* The operator's mistake, which the log names: no reason to send mail back. */
        [STORE_LETTERBOX_PUT_RESULT_MISPLACED] = {SMTP_STORE_OUTCOME_KIND_TEMPORARY,
                                                  "the letter box is not set up as it must be"},
    };

    parcel_settle(&parcel->recipients[index], outcomes[result].kind, outcomes[result].text);
    if (--parcel->boxes_open == 0)
        make_ready(role, parcel);
}

static void
lose(struct store_role *role)
{
    host_channel_close(&role->letterbox);
    note_ledger_finish(&role->letterbox_ledger);
    LIST_EACH (link, &role->boxing) {
        struct parcel *parcel = LIST_ITEM(link, struct parcel, link);
        for (size_t i = 0; i < parcel->recipient_count; i++) {
            struct parcel_recipient *recipient = &parcel->recipients[i];
            bool is_box = recipient->box == SMTP_STORE_BOX_MBOX ||
                          recipient->box == SMTP_STORE_BOX_MAILDIR;
            if (is_box && !recipient->has_outcome)
                parcel_settle(recipient, SMTP_STORE_OUTCOME_KIND_TEMPORARY,
                              "the letter box cannot be reached now");
        }
        parcel->boxes_open = 0;
        make_ready(role, parcel);
    }
}

static void
on_note(void *context, struct slice bytes, host_handle handle)
{
    struct store_role *role = context;
    struct store_letterbox_note note;

    arena_reset(&role->note_arena);
    if (!store_letterbox_take(bytes, handle, SIDE_LETTERBOX, &role->letterbox_ledger,
                              &role->note_arena, &note) ||
        note.kind != STORE_LETTERBOX_PUT_DONE) {
        store_role_bad_note(role, handle, "letterbox");
        lose(role);
        return;
    }
    uint64_t parse = note.as.put_done.id >> RECIPIENT_BITS;
    size_t index = note.as.put_done.id & ((1 << RECIPIENT_BITS) - 1);
    struct parcel *parcel = map_find(&role->parcels, map_key_u64(&parse));
    assert(parcel && index < parcel->recipient_count); /* the ledger knows the number */
    settle(role, parcel, index, note.as.put_done.result);
}

static void
on_closed(void *context)
{
    lose(context);
}

static const struct host_channel_handler handler = {on_note, on_closed, NULL};

void
letterbox_attach(struct store_role *role, host_handle handle)
{
    if (role->letterbox)
        lose(role);
    role->letterbox = host_channel_open(role->host, handle, &handler, role);
}

void
letterbox_close(struct store_role *role)
{
    host_channel_close(&role->letterbox);
    note_ledger_finish(&role->letterbox_ledger);
}
