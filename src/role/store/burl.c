/* SPDX-License-Identifier: ISC */
/* BURL (RFC 4468): what a URL stands for goes to smtp whole, with its parse record behind it;
 * cutting out what the URL means needs parsing, which is not done here. */
#include "role/store/store_role.h"
#include "role/store/url_claim.h"

#include <stdlib.h>

struct burl {
    struct list link; /* in smtp->burls; alone once smtp is gone */
    struct store_role *role;
    struct store_smtp *smtp; /* NULL: gone */
    uint64_t id;
    body_id body;
    uint32_t len, read;
    struct host_blob *blob;
};

static void
answer(struct store_smtp *smtp, const struct smtp_store_fetched *note)
{
    struct store_role *role = smtp->role;

    buffer_clear(&role->note);
    bool is_put = smtp_store_put_fetched(&role->note, &smtp->ledger, note);
    assert(is_put);
    host_channel_send(smtp->channel, buffer_slice(&role->note), note->content);
}

static void
end(struct burl *burl, bool is_good)
{
    struct smtp_store_fetched note = {
        .id = burl->id, .is_temporary = !is_good, .content = HOST_HANDLE_NONE};
    host_handle handle = HOST_HANDLE_NONE;

    if (burl->smtp) {
        note.is_found = is_good && host_blob_seal(&burl->blob, &handle) == 0;
        note.is_temporary = !note.is_found;
        note.len = note.is_found ? burl->len : 0;
        note.content = note.is_found ? handle : HOST_HANDLE_NONE;
        burl->smtp->burl_count--;
        answer(burl->smtp, &note);
    }
    list_remove(&burl->link);
    host_blob_close(&burl->blob);
    free(burl);
}

static void
on_record(void *context, enum store_result result, struct slice bytes)
{
    struct burl *burl = context;

    /* Without one it is served as far as that goes. */
    bool is_good = result != STORE_OK || host_blob_put(burl->blob, bytes) == 0;
    end(burl, is_good);
}

static void read_on(struct burl *burl);

static void
on_octets(void *context, enum store_result result, struct slice bytes)
{
    struct burl *burl = context;

    if (result != STORE_OK || bytes.len == 0 || host_blob_put(burl->blob, bytes) < 0) {
        end(burl, false);
        return;
    }
    burl->read += (uint32_t)bytes.len;
    if (burl->read < burl->len)
        read_on(burl);
    else
        mailbox_record_read(burl->role->store, burl->body, on_record, burl);
}

static void
read_on(struct burl *burl)
{
    mailbox_body_read(burl->role->store, burl->body, burl->read, BODY_READ_MAX, on_octets, burl);
}

void
burl_fetch(struct store_smtp *smtp, const struct smtp_store_fetch *note)
{
    struct store_role *role = smtp->role;
    struct smtp_store_fetched refusal = {.id = note->id, .content = HOST_HANDLE_NONE};
    struct message_entry entry;
    struct reached reached;
    struct url_claim claim = {
        .asker = note->user,
        .is_submission = true,
        .owner = note->owner,
        .name = note->name,
        .uid = note->uid,
        .expires_s = note->expires_s,
        .reach = ACCESS_STORE_URL_REACH_SUBMIT,
        .user = note->url_user,
        .rump = note->rump,
        .token = note->token,
    };

    bool is_found = url_claim_find(role, &claim, &reached, &entry);
    refusal.is_temporary = is_found;
    struct burl *burl =
        is_found && smtp->burl_count < STORE_BURLS_MAX ? calloc(1, sizeof(*burl)) : NULL;
    if (burl && host_blob_open(role->host, &burl->blob) < 0) {
        free(burl);
        burl = NULL;
    }
    if (!burl) {
        answer(smtp, &refusal);
        return;
    }
    burl->role = role;
    burl->smtp = smtp;
    burl->id = note->id;
    burl->body = entry.body;
    burl->len = entry.len;
    list_append(&smtp->burls, &burl->link);
    smtp->burl_count++;
    read_on(burl);
}

void
burls_forget(struct store_smtp *smtp)
{
    LIST_EACH (link, &smtp->burls) {
        LIST_ITEM(link, struct burl, link)->smtp = NULL;
        list_remove(link);
    }
    smtp->burl_count = 0;
}
