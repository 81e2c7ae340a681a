/* SPDX-License-Identifier: ISC */
#include "imap/tests/server_world.h"

static const char plain[] = "From: a@b.test\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
                            "Content-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n\r\nz\r\n"
                            "--y\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nw\r\n"
                            "--y--\r\n";

static const char encoded[] =
    "From: \"A. B\" <c@b.test>\r\nTo: ann@example.test\r\nSubject: Re: x\r\n"
    "Date: Mon, 2 Feb 2026 10:00:00 +0100\r\nMessage-ID: <2@b.test>\r\nIn-Reply-To: <1@b.test>\r\n"
    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=q\r\n\r\n"
    "--q\r\nContent-Type: text/plain; charset=utf-8\r\n"
    "Content-Transfer-Encoding: base64\r\n\r\nAHjDqXh4\r\n"
    "--q\r\nContent-Type: text/html; charset=iso-8859-1\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n\r\n<p>=E9t=E9=\r\n x</p>\r\n"
    "--q\r\nContent-Transfer-Encoding: x-none\r\n\r\nx\r\n--q--\r\n";

void
world_begin(struct lobby *lobby)
{
    lobby_deliver(lobby, 0, plain);
    lobby_deliver(lobby, 0, plain);
    lobby_deliver(lobby, 0, encoded);
}

static void
tell(struct lobby *lobby, uint64_t watch, bool are_rights)
{
    struct access_store_note note = {.kind = ACCESS_STORE_CHANGES,
                                     .as.changes = {.watch = watch, .are_rights = are_rights}};

    if (watch)
        imap_mailboxes_on_note(&lobby->mailboxes, &note);
}

static void
rename_box(struct lobby *lobby, size_t box, struct slice name)
{
    lobby->boxes[box].name = name;
    tell(lobby, lobby->account_watch, false);
    lobby_work(lobby);
}

static void
allow(struct lobby *lobby, uint16_t rights)
{
    lobby->rights = rights;
    for (size_t i = 0; i < lobby->box_count; i++)
        tell(lobby, lobby->boxes[i].watch, true);
    lobby_work(lobby);
}

static void
wait_for_it(struct lobby *lobby)
{
    struct instant due = imap_server_deadline(lobby->server);

    if (instant_is_never(due))
        return;
    lobby->now = due;
    imap_server_expire(lobby->server, due);
    lobby_work(lobby);
}

static void
stop(struct lobby *lobby)
{
    imap_server_stop(lobby->server, lobby->now);
    lobby_work(lobby);
}

static void
change_store(struct lobby *lobby, uint8_t kind, uint8_t argument)
{
    switch (kind) {
    case 'a':
        lobby->is_apart = !lobby->is_apart;
        break;
    case 'c':
        lobby->is_cut = !lobby->is_cut;
        break;
    case 'i': /* the text index knows so much */
        lobby->indexed_below = argument % 32;
        lobby->indexed_uid = 1 + argument / 32;
        break;
    case 'k':
        lobby->is_away = true;
        break;
    case 'l':
        lobby->is_late = !lobby->is_late;
        break;
    case 'h':
        lobby->is_short = !lobby->is_short;
        break;
    case 'j':
        lobby->is_down = !lobby->is_down;
        break;
    case 'v':
        lobby->hidden_uid = argument % 4;
        break;
    case 'z': /* reads end with the store */
        lobby->is_lost = !lobby->is_lost;
        break;
    case 'o': /* "Other" is somebody else's */
        lobby->boxes[1].owner = 9;
        break;
    case 'r':
        lobby->is_raced = true;
        break;
    case 't':
        lobby->tick_s = argument;
        break;
    case 'u':
        lobby->is_unlimited = !lobby->is_unlimited;
        break;
    default:
        break;
    }
}

void
world_happens(struct lobby *lobby, struct slice event)
{
    uint8_t kind = event.len > 0 ? event.at[0] : 0, argument = event.len > 1 ? event.at[1] : 0;

    switch (kind) {
    case 'b':
        for (uint8_t i = 0; i < argument % LOBBY_MESSAGES / 2; i++)
            lobby_deliver(lobby, 0, plain);
        break;
    case 'd':
        lobby_deliver(lobby, argument & 1, argument & 2 ? plain : encoded);
        break;
    case 'f':
        lobby_flag(lobby, argument & 1);
        break;
    case 'g':
        allow(lobby, (uint16_t)(argument << 3 | argument >> 5));
        break;
    case 'm': /* another one is there, below "Other"; the next time it is gone */
        lobby->box_count = lobby->box_count == 2 ? 3 : 2;
        rename_box(lobby, 0, SLICE("INBOX"));
        break;
    case 'n': /* "Other" gets another name, and what is below it with it */
        lobby->boxes[2].name = argument & 1 ? SLICE("New/b") : SLICE("Other/b");
        rename_box(lobby, 1, argument & 1 ? SLICE("New") : SLICE("Other"));
        break;
    case 's':
        stop(lobby);
        break;
    case 'w':
        wait_for_it(lobby);
        break;
    case 'y': /* the store has gone, and all that was known of mailboxes with it */
        imap_mailboxes_detach(&lobby->mailboxes);
        lobby_work(lobby);
        break;
    case 'x':
        lobby_remove(lobby, argument & 1);
        break;
    default:
        change_store(lobby, kind, argument);
    }
}
