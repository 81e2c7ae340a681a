/* SPDX-License-Identifier: ISC */
#include "dsn/words.h"

#include "text/date.h"
#include "text/utf8.h"

/* One language. %s in none of them: what is filled in stands on lines of its own. */
struct words {
    const char *subjects[DSN_EXPANDED + 1];
    const char *openings[DSN_EXPANDED + 1]; /* what has become of the recipients listed below it */
    const char *greeting;
    const char *about;    /* before the message's subject */
    const char *host;     /* before the name of the host that said it */
    const char *reason;   /* before our own reason */
    const char *until;    /* before the date at which we give up */
    const char *nothing;  /* delayed: nothing needs to be done */
    const char *returned; /* what comes with the report */
    const char *header;   /* the same, when it is only the header */
    const char *meaning;  /* before a sentence for the status */
};

static const struct words english = {
    .subjects = {[DSN_FAILED] = "Undelivered: ",
                 [DSN_DELAYED] = "Delayed: ",
                 [DSN_DELIVERED] = "Delivered: ",
                 [DSN_RELAYED] = "Passed on: ",
                 [DSN_EXPANDED] = "Sent to a list: "},
    .openings = {[DSN_FAILED] = "Your message could not be delivered to:",
                 [DSN_DELAYED] = "Your message has not been delivered yet to:",
                 [DSN_DELIVERED] = "Your message has been delivered to:",
                 [DSN_RELAYED] = "Your message has been passed on to a server that does not report "
                                 "deliveries, for:",
                 [DSN_EXPANDED] = "Your message has been sent to the members behind this address:"},
    .greeting = "This is the mail server ",
    .about = "Subject: ",
    .host = "said the server ",
    .reason = "reason: ",
    .until = "It will be tried again until ",
    .nothing = "You need not do anything.",
    .returned = "Your message is attached.",
    .header = "The header of your message is attached.",
    .meaning = "That is: ",
};

static const struct words french = {
    .subjects = {[DSN_FAILED] = "Non remis : ",
                 [DSN_DELAYED] = "Retardé : ",
                 [DSN_DELIVERED] = "Remis : ",
                 [DSN_RELAYED] = "Transmis : ",
                 [DSN_EXPANDED] = "Envoyé à une liste : "},
    .openings = {[DSN_FAILED] = "Votre message n’a pas pu être remis à :",
                 [DSN_DELAYED] = "Votre message n’a pas encore pu être remis à :",
                 [DSN_DELIVERED] = "Votre message a été remis à :",
                 [DSN_RELAYED] =
                     "Votre message a été transmis à un serveur qui ne rend pas compte des "
                     "remises, pour :",
                 [DSN_EXPANDED] =
                     "Votre message a été envoyé aux membres que désigne cette adresse :"},
    .greeting = "Ici le serveur de courrier ",
    .about = "Objet : ",
    .host = "réponse du serveur ",
    .reason = "raison : ",
    .until = "De nouveaux essais seront faits jusqu’au ",
    .nothing = "Vous n’avez rien à faire.",
    .returned = "Votre message est joint.",
    .header = "L’en-tête de votre message est joint.",
    .meaning = "C’est-à-dire : ",
};

/* RFC 3463's codes that people meet, in both languages. */
static const struct {
    uint16_t subject, detail;
    const char *english, *french;
} meanings[] = {
    {1, 1, "there is no such mailbox; look at the spelling of the address.",
     "cette boîte n’existe pas ; vérifiez l’orthographe de l’adresse."},
    {1, 2, "there is no such domain; look at what stands behind the @.",
     "ce domaine n’existe pas ; vérifiez ce qui suit le @."},
    {1, 10, "this domain takes no mail.", "ce domaine ne reçoit pas de courrier."},
    {2, 1, "the mailbox takes no mail now.", "cette boîte ne reçoit pas de courrier."},
    {2, 2, "the mailbox is full.", "la boîte est pleine."},
    {2, 3, "the message is too big for that mailbox.",
     "le message est trop gros pour cette boîte."},
    {3, 4, "the message is too big for that server.", "le message est trop gros pour ce serveur."},
    {4, 1, "the server does not answer.", "le serveur ne répond pas."},
    {4, 3, "the name of the server could not be looked up.",
     "le nom du serveur n’a pas pu être résolu."},
    {4, 6, "the message went in a circle.", "le message tournait en rond."},
    {4, 7, "all attempts in the time allowed have failed.",
     "tous les essais, dans le délai prévu, ont échoué."},
    {6, 7, "the address has letters that the server cannot deal with.",
     "l’adresse a des lettres que ce serveur n’accepte pas."},
    {7, 1, "the server refuses the message.", "le serveur refuse ce message."},
};

const char *
dsn_words_subject(enum dsn_action action, enum dsn_language language)
{
    return (language == DSN_FRENCH ? &french : &english)->subjects[action];
}

static void
put_line(struct buffer *buffer, const char *first, struct slice rest)
{
    buffer_put_text(buffer, first);
    buffer_put(buffer, rest);
    buffer_put_text(buffer, "\n");
}

/* What another host said: its line ends must not look like our own words, and octets that are no
 * characters would make none of ours. */
static void
put_quoted(struct buffer *buffer, struct slice text)
{
    utf8_put_printable(buffer, utf8_first(text, DSN_DIAGNOSTIC_MAX));
}

static void
put_meaning(struct buffer *buffer, const struct words *words, struct envelope_status status)
{
    for (size_t i = 0; status.class != 2 && i < COUNT_OF(meanings); i++) {
        if (meanings[i].subject != status.subject || meanings[i].detail != status.detail)
            continue;
        buffer_put_text(buffer, "    ");
        put_line(buffer, words->meaning,
                 slice_of_string(words == &french ? meanings[i].french : meanings[i].english));
    }
}

static void
put_recipient(struct buffer *buffer, const struct words *words,
              const struct dsn_recipient *recipient)
{
    struct slice asked = recipient->original.len > 0 ? recipient->original : recipient->address;

    buffer_put_text(buffer, "\n  <");
    put_quoted(buffer, asked);
    buffer_put_text(buffer, ">\n");
    if (recipient->text.len > 0) {
        buffer_put_text(buffer, "    ");
        buffer_put_text(buffer, recipient->host.len > 0 ? words->host : words->reason);
        put_quoted(buffer, recipient->host);
        buffer_put_text(buffer, recipient->host.len > 0 ? ":\n    " : "");
        if (recipient->code > 0) {
            buffer_put_decimal(buffer, recipient->code);
            buffer_put_byte(buffer, ' ');
        }
        put_quoted(buffer, recipient->text);
        buffer_put_text(buffer, "\n");
    }
    put_meaning(buffer, words, dsn_status_of(recipient));
}

static void
put_until(struct buffer *buffer, const struct words *words, const struct dsn_report *report)
{
    struct wall until = {0};

    for (size_t i = 0; i < report->count; i++) {
        if (report->recipients[i].action == DSN_DELAYED &&
            report->recipients[i].retry_until.ns > until.ns)
            until = report->recipients[i].retry_until;
    }
    if (until.ns > 0) {
        buffer_put_text(buffer, words->until);
        date_format_rfc5322(until, 0, buffer);
        buffer_put_text(buffer, ".\n");
    }
    put_line(buffer, words->nothing, SLICE(""));
}

/* Recipients by what has become of them, the worst first. */
static void
put_language(struct buffer *buffer, const struct words *words, const struct dsn_report *report,
             struct slice subject)
{
    bool is_delayed = false;

    put_line(buffer, words->greeting, report->facts.hostname);
    if (subject.len > 0) {
        buffer_put_text(buffer, words->about);
        put_quoted(buffer, subject);
        buffer_put_text(buffer, "\n");
    }
    for (enum dsn_action action = DSN_FAILED; action <= DSN_EXPANDED; action++) {
        bool is_first = true;
        for (size_t i = 0; i < report->count; i++) {
            if (report->recipients[i].action != action)
                continue;
            if (is_first)
                put_line(buffer, "\n", slice_of_string(words->openings[action]));
            is_first = false;
            is_delayed = is_delayed || action == DSN_DELAYED;
            put_recipient(buffer, words, &report->recipients[i]);
        }
    }
    buffer_put_text(buffer, "\n");
    if (is_delayed)
        put_until(buffer, words, report);
    put_line(buffer, report->returns_message ? words->returned : words->header, SLICE(""));
}

void
dsn_words_put(struct buffer *buffer, const struct dsn_report *report, struct slice subject)
{
    if (report->language != DSN_FRENCH)
        put_language(buffer, &english, report, subject);
    if (report->language == DSN_BOTH)
        buffer_put_text(buffer, "\n* * *\n\n"); /* what follows "-- " is hidden as a signature */
    if (report->language != DSN_ENGLISH)
        put_language(buffer, &french, report, subject);
}
