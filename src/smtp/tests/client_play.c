/* SPDX-License-Identifier: ISC */
#include "smtp/tests/client_play.h"

enum { JOURNAL_MAX = 16 * 1024 * 1024 };

void
client_play_init(struct client_play *play)
{
    *play = (struct client_play){
        .options = {.hostname = SLICE("bar.com"), .nonce = SLICE("abcdefghijklmnopqrstuvwx")}};
    play->now = (struct instant){1000000000};
    buffer_init(&play->journal, JOURNAL_MAX);
}

void
client_play_set_message(struct client_play *play, const struct smtp_client_message *message)
{
    play->messages[0] = message;
    play->message_count = 1;
}

void
client_play_begin(struct client_play *play)
{
    play->client = smtp_client_open(&play->options);
    if (play->binding)
        smtp_client_bind(play->client, SLICE("tls-exporter"), slice_of_string(play->binding));
    smtp_client_connected(play->client, play->now);
}

void
client_play_finish(struct client_play *play)
{
    smtp_client_close(&play->client);
    buffer_finish(&play->journal);
}

static void
write_reply(struct client_play *play, const struct smtp_client_reply *reply)
{
    buffer_put_byte(&play->journal, ' ');
    buffer_put_decimal(&play->journal, reply->code);
    if (envelope_status_is_given(reply->status)) {
        buffer_put_byte(&play->journal, ' ');
        envelope_status_put(&play->journal, reply->status);
    }
    buffer_put_byte(&play->journal, ' ');
    buffer_put(&play->journal, reply->text);
}

static void
write_event(struct client_play *play, const struct smtp_client_event *event)
{
    static const char *const kinds[] = {"STARTTLS", "READY", "CONVERT", "ANSWER",
                                        "RESULT",   "DONE",  "CLOSE"};
    static const char *const outcomes[] = {"delivered", "temporary", "permanent", "unknown"};
    static const char *const reasons[] = {"quit",     "refused", "insecure", "login",
                                          "protocol", "silence", "lost"};

    buffer_put_text(&play->journal, kinds[event->kind]);
    if (event->kind == SMTP_CLIENT_EVENT_RESULT) {
        buffer_put_byte(&play->journal, ' ');
        buffer_put_decimal(&play->journal, event->recipient);
        buffer_put_byte(&play->journal, ' ');
        buffer_put_text(&play->journal, outcomes[event->outcome]);
        write_reply(play, &event->reply);
        buffer_put_text(&play->journal, event->is_of_session ? " session" : "");
        buffer_put_text(&play->journal, event->is_too_many ? " too-many" : "");
        buffer_put_text(&play->journal, event->dsn_passed ? " dsn-passed" : "");
        buffer_put_text(&play->journal, event->by_passed ? " by-passed" : "");
    } else if (event->kind == SMTP_CLIENT_EVENT_CLOSE) {
        buffer_put_byte(&play->journal, ' ');
        buffer_put_text(&play->journal, reasons[event->close]);
        write_reply(play, &event->reply);
    } else if (event->kind == SMTP_CLIENT_EVENT_CONVERT) {
        buffer_put_text(&play->journal, event->is_7bit_wanted ? " 7bit" : " text");
    }
    buffer_put_byte(&play->journal, '\n');
}

static void
carry_next(struct client_play *play)
{
    if (play->carried < play->message_count)
        smtp_client_carry(play->client, play->messages[play->carried++], play->now);
    else if (!play->stays)
        smtp_client_quit(play->client, play->now);
}

void
client_play_work(struct client_play *play)
{
    struct smtp_client_event event;

    while (smtp_client_next(play->client, &event)) {
        write_event(play, &event);
        switch (event.kind) {
        case SMTP_CLIENT_EVENT_STARTTLS:
            play->is_tls_due = true;
            break;
        case SMTP_CLIENT_EVENT_CONVERT:
            if (play->converted)
                play->content = slice_of_string(play->converted);
            smtp_client_convert(play->client, play->converted ? &play->content : NULL, play->now);
            break;
        case SMTP_CLIENT_EVENT_READY:
            carry_next(play);
            break;
        case SMTP_CLIENT_EVENT_DONE:
            if (smtp_client_facts(play->client).is_ready)
                carry_next(play);
            break;
        case SMTP_CLIENT_EVENT_CLOSE:
            play->is_closed = true;
            break;
        case SMTP_CLIENT_EVENT_ANSWER:
        case SMTP_CLIENT_EVENT_RESULT:
            break;
        }
    }
}
