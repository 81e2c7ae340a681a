/* SPDX-License-Identifier: ISC */
#include "smtp/tests/office.h"

#include <stdlib.h>

enum { JOURNAL_MAX = 64 * 1024 * 1024 };

struct rule {
    const char *name;
    uint16_t code;
    struct envelope_status status;
    const char *text;
};

static const struct rule recipient_rules[] = {
    {"unknown", 550, {5, 1, 1}, "No such user here"},
    {"green", 550, {5, 1, 1}, "No such user here"},
    {"moved", 551, {5, 1, 6}, "User not local; please try <moved@bar.com>"},
    {"forwarded", 251, {2, 1, 5}, "User not local; will forward to <forwarded@bar.com>"},
    {"busy", 450, {4, 2, 1}, "Mailbox busy"},
    {"fault", 451, {4, 3, 0}, "Cannot look it up now"},
    {"full", 452, {4, 2, 2}, "Mailbox full"},
    {"overquota", 552, {5, 2, 2}, "Mailbox full for good"},
    {"ambiguous", 553, {5, 1, 4}, "Ambiguous"},
};

static const struct rule verify_rules[] = {
    {"crispin", 250, {2, 1, 5}, "Mark Crispin <Admin.MRC@foo.com>"},
    {"smith",
     553,
     {5, 1, 4},
     "Ambiguous; possibilities are\nJoe Smith <jsmith@foo.com>\nHarry Smith <hsmith@foo.com>\n"
     "Melvin Smith <dweep@foo.com>"},
    {"moved", 551, {5, 1, 6}, "User not local; please try <moved@bar.com>"},
    {"forwarded", 251, {2, 1, 5}, "User not local; will forward"},
    {"cannot-tell", 252, {2, 5, 2}, "Cannot verify, but will take messages"},
    {"unknown", 550, {5, 1, 1}, "No such user here"},
};

static const struct rule expand_rules[] = {
    {"exemple-email-list",
     250,
     {2, 1, 5},
     "Jon Postel <Postel@foo.com>\nFred Fonebone <Fonebone@foo.com>\nSam Q. Smith "
     "<SQSmith@foo.com>"},
    {"unknown", 550, {5, 1, 1}, "No such list here"},
};

static const struct rule *
find_rule(struct slice name, const struct rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_equal_nocase(name, slice_of_string(rules[i].name)))
            return &rules[i];
    }
    return NULL;
}

static struct smtp_verdict
verdict_of(const struct rule *rule)
{
    if (!rule)
        return (struct smtp_verdict){0};
    return (struct smtp_verdict){
        .code = rule->code, .status = rule->status, .text = slice_of_string(rule->text)};
}

/* A NUL-terminated lower-case copy. */
static char *
copy_lower(struct slice bytes)
{
    char *copy = calloc(1, bytes.len + 1);

    if (!copy)
        abort();
    for (size_t i = 0; i < bytes.len; i++)
        copy[i] = (char)byte_to_lower(bytes.at[i]);
    return copy;
}

void
office_finish(struct office *office)
{
    for (size_t i = 0; i < office->message_count; i++) {
        union {
            const uint8_t *kept;
            void *freed;
        } bytes = {office->messages[i].bytes.at};
        free(bytes.freed);
        free(office->messages[i].recipient);
    }
    office->message_count = 0;
}

void
office_desk_init(struct office_desk *desk, struct office *office, struct smtp_server *server)
{
    *desk = (struct office_desk){.office = office, .server = server};
    buffer_init(&desk->journal, JOURNAL_MAX);
    buffer_init(&desk->body, JOURNAL_MAX);
}

static void
forget_transaction(struct office_desk *desk)
{
    while (desk->recipient_count > 0)
        free(desk->recipients[--desk->recipient_count]);
    desk->answered_count = 0;
    buffer_clear(&desk->body);
}

void
office_desk_finish(struct office_desk *desk)
{
    forget_transaction(desk);
    buffer_finish(&desk->journal);
    buffer_finish(&desk->body);
    smtp_server_close(&desk->server);
}

static void
write_word(struct office_desk *desk, const char *name, struct slice value)
{
    buffer_put_byte(&desk->journal, ' ');
    buffer_put_text(&desk->journal, name);
    buffer_put(&desk->journal, value);
}

static void
write_number(struct office_desk *desk, const char *name, uint64_t value)
{
    buffer_put_byte(&desk->journal, ' ');
    buffer_put_text(&desk->journal, name);
    buffer_put_decimal(&desk->journal, value);
}

static void
write_path(struct office_desk *desk, const struct envelope_path *path)
{
    buffer_put_byte(&desk->journal, ' ');
    envelope_path_put(&desk->journal, path, true);
}

static void
write_mail(struct office_desk *desk, const struct smtp_event *event)
{
    static const char *const verbs[] = {"MAIL", "SEND", "SOML", "SAML"};
    const struct envelope_mail_parameters *parameters = event->mail.parameters;

    buffer_put_text(&desk->journal, verbs[event->mail.verb]);
    write_path(desk, event->mail.path);
    if (parameters->size > 0)
        write_number(desk, "size=", parameters->size);
    if (parameters->body != ENVELOPE_BODY_7BIT)
        write_number(desk, "body=", parameters->body);
    if (parameters->ret != ENVELOPE_RET_NONE)
        write_number(desk, "ret=", parameters->ret);
    if (parameters->envid.len > 0)
        write_word(desk, "envid=", parameters->envid);
    if (parameters->has_auth)
        write_word(desk, "auth=", parameters->auth);
    if (parameters->is_utf8)
        write_word(desk, "utf8", SLICE(""));
    if (parameters->requires_tls)
        write_word(desk, "requiretls", SLICE(""));
}

static void
write_rcpt(struct office_desk *desk, const struct smtp_event *event)
{
    buffer_put_text(&desk->journal, "RCPT");
    write_path(desk, event->rcpt.path);
    if (event->rcpt.parameters->notify != 0)
        write_number(desk, "notify=", event->rcpt.parameters->notify);
    if (event->rcpt.parameters->orcpt.len > 0) {
        write_word(desk, "orcpt=", event->rcpt.parameters->orcpt_type);
        buffer_put_byte(&desk->journal, ';');
        buffer_put(&desk->journal, event->rcpt.parameters->orcpt);
    }
}

static void
write_auth(struct office_desk *desk, const struct smtp_event *event)
{
    bool is_begin = event->kind == SMTP_EVENT_AUTH_BEGIN;

    buffer_put_text(&desk->journal, is_begin ? "AUTH " : "STEP");
    if (is_begin)
        buffer_put_text(&desk->journal, event->auth.mechanism);
    if (event->auth.has_response) {
        buffer_put_byte(&desk->journal, ' ');
        for (size_t i = 0; i < event->auth.response.len; i++)
            buffer_put_byte(&desk->journal,
                            event->auth.response.at[i] ? event->auth.response.at[i] : '/');
    }
}

static void
write_event(struct office_desk *desk, const struct smtp_event *event)
{
    static const char *const names[SMTP_EVENT_KINDS] = {
        [SMTP_EVENT_CONNECT] = "CONNECT",   [SMTP_EVENT_HELLO] = "HELLO",
        [SMTP_EVENT_STARTTLS] = "STARTTLS", [SMTP_EVENT_AUTH_ABORT] = "AUTH_ABORT",
        [SMTP_EVENT_VERIFY] = "VERIFY",     [SMTP_EVENT_EXPAND] = "EXPAND",
        [SMTP_EVENT_RETRY] = "RETRY",       [SMTP_EVENT_TURN] = "TURN",
        [SMTP_EVENT_NAMES] = "NAMES",       [SMTP_EVENT_BODY_BEGIN] = "BODY_BEGIN",
        [SMTP_EVENT_BODY_END] = "BODY_END", [SMTP_EVENT_ABORT] = "ABORT",
        [SMTP_EVENT_CLOSE] = "CLOSE",       [SMTP_EVENT_URL] = "URL",
    };

    if (event->kind == SMTP_EVENT_BODY_PIECE)
        return;
    if (names[event->kind])
        buffer_put_text(&desk->journal, names[event->kind]);
    if (event->kind == SMTP_EVENT_MAIL)
        write_mail(desk, event);
    else if (event->kind == SMTP_EVENT_RCPT)
        write_rcpt(desk, event);
    else if (event->kind == SMTP_EVENT_AUTH_BEGIN || event->kind == SMTP_EVENT_AUTH_STEP)
        write_auth(desk, event);
    else if (event->kind == SMTP_EVENT_HELLO)
        write_word(desk, event->hello.is_extended ? "extended " : "", event->hello.name);
    else if (event->kind == SMTP_EVENT_VERIFY || event->kind == SMTP_EVENT_EXPAND ||
             event->kind == SMTP_EVENT_RETRY || event->kind == SMTP_EVENT_TURN ||
             event->kind == SMTP_EVENT_URL)
        write_word(desk, "", event->query);
    else if (event->kind == SMTP_EVENT_CLOSE)
        write_number(desk, "", (uint64_t)event->reason);
    else if (event->kind == SMTP_EVENT_BODY_END) {
        write_number(desk, "", event->body_bytes);
        write_word(desk, "[", buffer_slice(&desk->body));
        buffer_put_byte(&desk->journal, ']');
    }
    buffer_put_byte(&desk->journal, '\n');
}

static bool
is_local(const struct envelope_path *path)
{
    return path->kind == ENVELOPE_PATH_POSTMASTER || slice_equal(path->domain, SLICE("foo.com")) ||
           slice_equal(path->domain, SLICE("example.test")) ||
           slice_equal(path->domain, SLICE("jussieu.fr"));
}

static struct smtp_verdict
judge_recipient(struct office_desk *desk, const struct envelope_path *path)
{
    struct smtp_verdict verdict = {0};

    if (is_local(path))
        verdict = verdict_of(find_rule(path->local, recipient_rules, COUNT_OF(recipient_rules)));
    else if (smtp_server_facts(desk->server).identity.len == 0)
        verdict = (struct smtp_verdict){
            .code = 554, .status = ENVELOPE_STATUS(5, 7, 1), .text = SLICE("Relay access denied")};
    if (verdict.code < 300 && desk->recipient_count < OFFICE_RECIPIENTS_MAX)
        desk->recipients[desk->recipient_count++] = copy_lower(path->canonical);
    return verdict;
}

static void
keep_message(struct office_desk *desk, const char *recipient)
{
    struct office *office = desk->office;
    struct slice body = buffer_slice(&desk->body);
    uint8_t *copy = malloc(body.len + 1);

    if (!copy || office->message_count == OFFICE_MESSAGES_MAX)
        abort();
    memcpy(copy, body.at, body.len);
    office->messages[office->message_count++] = (struct office_message){
        .recipient = copy_lower(slice_of_string(recipient)), .bytes = slice_of(copy, body.len)};
}

static bool
body_says(struct office_desk *desk, struct slice line)
{
    struct slice body = buffer_slice(&desk->body);

    return slice_find(body, line) < body.len;
}

/* SMTP: all recipients at once; LMTP: the next one. */
static struct smtp_verdict
judge_body(struct office_desk *desk)
{
    bool is_lmtp = smtp_server_facts(desk->server).service == SMTP_SERVICE_LMTP;

    if (body_says(desk, SLICE("X-Office: full")))
        return (struct smtp_verdict){.code = 452};
    if (body_says(desk, SLICE("X-Office: refused")))
        return (struct smtp_verdict){.code = 554, .status = ENVELOPE_STATUS(5, 6, 0)};
    if (body_says(desk, SLICE("X-Office: fault")))
        return (struct smtp_verdict){.code = 451};
    if (body_says(desk, SLICE("X-Office: gone")))
        return (struct smtp_verdict){.code = 421};
    if (body_says(desk, SLICE("X-Office: last")))
        return (struct smtp_verdict){.closes = true};
    if (is_lmtp) {
        const char *recipient = desk->recipients[desk->answered_count++];
        if (strncmp(recipient, "late", 4) == 0)
            return (struct smtp_verdict){.code = 552, .text = SLICE("Mailbox full after all")};
        keep_message(desk, recipient);
        if (strncmp(recipient, "held-", 5) == 0)
            return (struct smtp_verdict){.delay = duration_ms(strtol(recipient + 5, NULL, 10))};
        return (struct smtp_verdict){0};
    }
    for (size_t i = 0; i < desk->recipient_count; i++)
        keep_message(desk, desk->recipients[i]);
    return (struct smtp_verdict){.text = SLICE("Message accepted")};
}

static struct smtp_verdict
judge_password(bool is_right)
{
    if (is_right)
        return (struct smtp_verdict){.identity = SLICE("alice@example.test")};
    return (struct smtp_verdict){.code = 535};
}

/* PLAIN and LOGIN as they are; SCRAM by a fixed exchange of two steps that shows its order. */
static void
answer_auth(struct office_desk *desk, const struct smtp_event *event, struct instant now)
{
    struct slice response = event->auth.response;
    struct smtp_verdict verdict;

    if (event->kind == SMTP_EVENT_AUTH_BEGIN) {
        desk->auth_step = event->auth.has_response ? 1 : 0;
        snprintf(desk->mechanism, sizeof(desk->mechanism), "%s", event->auth.mechanism);
    } else {
        desk->auth_step++;
    }
    if (strcmp(desk->mechanism, "PLAIN") == 0 && desk->auth_step == 1) {
        struct slice cut = slice_skip(response, slice_find_byte(response, '\0'));
        verdict = judge_password(slice_equal(cut, SLICE("\0alice@example.test\0wonderland")));
    } else if (strcmp(desk->mechanism, "LOGIN") == 0 && desk->auth_step == 2) {
        verdict = judge_password(slice_equal(response, SLICE("wonderland")));
    } else if (strncmp(desk->mechanism, "SCRAM", 5) == 0 && desk->auth_step == 2) {
        verdict = judge_password(slice_equal(response, SLICE("c=biws,p=proof")));
        if (verdict.code == 0)
            verdict.last_challenge = SLICE("v=signature");
    } else {
        struct slice challenge =
            strcmp(desk->mechanism, "LOGIN") != 0
                ? (desk->auth_step == 0 ? SLICE("") : SLICE("r=nonce,s=c2FsdA==,i=4096"))
            : desk->auth_step == 0 ? SLICE("Username:")
                                   : SLICE("Password:");
        smtp_server_challenge(desk->server, challenge, now);
        return;
    }
    smtp_server_answer(desk->server, &verdict, now);
}

static struct smtp_verdict
judge(struct office_desk *desk, const struct smtp_event *event)
{
    if (event->kind == SMTP_EVENT_CONNECT)
        return (struct smtp_verdict){.code = desk->greeting};
    if (event->kind == SMTP_EVENT_STARTTLS) {
        desk->is_tls_due = desk->tls_code == 0;
        return (struct smtp_verdict){.code = desk->tls_code};
    }
    if (event->kind == SMTP_EVENT_HELLO)
        smtp_server_offer_names(desk->server, desk->offers_names);
    if (event->kind == SMTP_EVENT_HELLO)
        return desk->hello;
    if (event->kind == SMTP_EVENT_BODY_BEGIN)
        return desk->body_begin;
    if (event->kind == SMTP_EVENT_NAMES && event->names.from > 0)
        return (struct smtp_verdict){.code = 450, .status = ENVELOPE_STATUS(4, 5, 0)};
    if (event->kind == SMTP_EVENT_NAMES)
        return (struct smtp_verdict){.text = SLICE("170 end\nalice bob")};
    if (event->kind == SMTP_EVENT_TURN && slice_equal(event->query, SLICE("idle.test")))
        return (struct smtp_verdict){.code = 453, .text = SLICE("You have no mail")};
    if (event->kind == SMTP_EVENT_RCPT)
        return judge_recipient(desk, event->rcpt.path);
    if (event->kind == SMTP_EVENT_VERIFY)
        return verdict_of(find_rule(event->query, verify_rules, COUNT_OF(verify_rules)));
    if (event->kind == SMTP_EVENT_EXPAND)
        return verdict_of(find_rule(event->query, expand_rules, COUNT_OF(expand_rules)));
    if (event->kind == SMTP_EVENT_RETRY && slice_equal(event->query, SLICE("idle.test")))
        return (struct smtp_verdict){.code = 251};
    if (event->kind == SMTP_EVENT_URL)
        return (struct smtp_verdict){
            .code = slice_equal(event->query, SLICE("imap://later")) ? 451 : 554};
    if (event->kind == SMTP_EVENT_BODY_END)
        return judge_body(desk);
    return (struct smtp_verdict){0};
}

static void
handle(struct office_desk *desk, const struct smtp_event *event, struct instant now)
{
    write_event(desk, event);
    switch (event->kind) {
    case SMTP_EVENT_BODY_PIECE:
        buffer_put(&desk->body, event->body);
        return;
    case SMTP_EVENT_ABORT:
        forget_transaction(desk);
        return;
    case SMTP_EVENT_CLOSE:
        desk->is_closed = true;
        return;
    case SMTP_EVENT_AUTH_ABORT:
        return;
    case SMTP_EVENT_URL:
        if (!slice_starts_with(event->query, SLICE("imap://a/")))
            break;
        buffer_put(&desk->body, slice_skip(event->query, 9));
        smtp_server_take_url(desk->server, event->query.len - 9, now);
        return;
    case SMTP_EVENT_AUTH_BEGIN:
    case SMTP_EVENT_AUTH_STEP:
        answer_auth(desk, event, now);
        return;
    case SMTP_EVENT_CONNECT:
    case SMTP_EVENT_HELLO:
    case SMTP_EVENT_STARTTLS:
    case SMTP_EVENT_MAIL:
    case SMTP_EVENT_RCPT:
    case SMTP_EVENT_VERIFY:
    case SMTP_EVENT_EXPAND:
    case SMTP_EVENT_RETRY:
    case SMTP_EVENT_TURN:
    case SMTP_EVENT_NAMES:
    case SMTP_EVENT_BODY_BEGIN:
    case SMTP_EVENT_BODY_END:
    case SMTP_EVENT_KINDS:
        break;
    }
    do {
        struct smtp_verdict verdict = judge(desk, event);
        smtp_server_answer(desk->server, &verdict, now);
    } while (smtp_server_is_asking(desk->server));
    if (event->kind == SMTP_EVENT_BODY_END)
        forget_transaction(desk);
}

void
office_desk_work(struct office_desk *desk, struct instant now)
{
    struct smtp_event event;

    while (smtp_server_next(desk->server, &event))
        handle(desk, &event, now);
}
