/* SPDX-License-Identifier: ISC */
#include "oracle.h"

#include "base/hash.h"
#include "signed.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { ATTEMPTS_MAX = 20000, UIDS_MAX = 20000, NOBODY = UINT32_MAX };

struct attempt {
    uint32_t len;
    bool is_addressed[ORACLE_MAILBOXES];
    bool is_acknowledged[ORACLE_MAILBOXES];
    uint64_t hazards_before;
    bool is_signed;
};

struct letter {
    uint32_t attempt; /* NOBODY: not read yet */
    bool is_listed;
    bool is_deleting;
    bool is_deleted;
};

struct account {
    struct letter letters[UIDS_MAX]; /* by uid */
    uint32_t last_uid;               /* of any whole listing */
    uint64_t validity;               /* 0: not known yet */
};

struct oracle {
    struct attempt attempts[ATTEMPTS_MAX];
    uint32_t attempt_count;
    struct account accounts[ORACLE_MAILBOXES];
    uint64_t hazards;
    uint64_t copies; /* too many, but allowed */
    bool is_unreadable;
    uint64_t acknowledgements;
    uint64_t messages_read;
    char reason[400];
};

struct oracle *
oracle_open(void)
{
    struct oracle *oracle = calloc(1, sizeof(*oracle));

    if (!oracle)
        abort();
    for (size_t i = 0; i < ORACLE_MAILBOXES; i++)
        for (size_t k = 0; k < UIDS_MAX; k++)
            oracle->accounts[i].letters[k].attempt = NOBODY;
    return oracle;
}

void
oracle_close(struct oracle **oracle)
{
    free(*oracle);
    *oracle = NULL;
}

bool
oracle_has_failed(const struct oracle *oracle)
{
    return oracle->reason[0] != 0;
}

const char *
oracle_reason(const struct oracle *oracle)
{
    return oracle->reason;
}

void
oracle_fail(struct oracle *oracle, const char *format, ...)
{
    va_list arguments;

    if (oracle_has_failed(oracle))
        return;
    va_start(arguments, format);
    vsnprintf(oracle->reason, sizeof(oracle->reason), format, arguments);
    va_end(arguments);
}

/* ---- senders -------------------------------------------------------------------------------- */

uint32_t
oracle_attempt(struct oracle *oracle, uint32_t len)
{
    if (oracle->attempt_count == ATTEMPTS_MAX) {
        oracle_fail(oracle, "more than %d attempts: senders are never served", ATTEMPTS_MAX);
        return 0;
    }
    oracle->attempts[oracle->attempt_count].len = len;
    oracle->attempts[oracle->attempt_count].hazards_before = oracle->hazards;
    return oracle->attempt_count++;
}

void
oracle_put_message(const struct oracle *oracle, uint32_t attempt, struct buffer *buffer)
{
    size_t start = buffer_len(buffer);
    uint64_t random = attempt + 1;

    buffer_put(buffer, SLICE("Message-ID: <"));
    buffer_put_decimal(buffer, attempt);
    buffer_put(buffer, SLICE("@simulation>\r\nFrom: <sender@elsewhere.test>\r\n"
                             "Date: Sun, 15 Jun 2025 15:06:40 +0000\r\nSubject: attempt\r\n\r\n"));
    while (buffer_len(buffer) - start < oracle->attempts[attempt].len) {
        random = hash64(slice_of(&random, sizeof(random)), attempt);
        size_t len = random % 70;
        for (size_t i = 0; i < len; i++)
            buffer_put_byte(buffer,
                            random >> (i % 48) & 7 ? (uint8_t)('a' + (random + i) % 26) : '.');
        buffer_put(buffer, SLICE("\r\n"));
    }
    buffer_put(buffer, SLICE("the end\r\n"));
}

void
oracle_addressed(struct oracle *oracle, uint32_t attempt, unsigned account)
{
    oracle->attempts[attempt].is_addressed[account] = true;
}

void
oracle_signed(struct oracle *oracle, uint32_t attempt)
{
    oracle->attempts[attempt].is_signed = true;
}

void
oracle_acknowledged(struct oracle *oracle, uint32_t attempt, unsigned account)
{
    oracle->attempts[attempt].is_acknowledged[account] = true;
    oracle->acknowledgements++;
}

void
oracle_hazard(struct oracle *oracle)
{
    oracle->hazards++;
}

void
oracle_unreadable(struct oracle *oracle)
{
    oracle->is_unreadable = true;
}

uint64_t
oracle_copies(const struct oracle *oracle)
{
    return oracle->copies;
}

uint64_t
oracle_acknowledgements(const struct oracle *oracle)
{
    return oracle->acknowledgements;
}

/* ---- readers -------------------------------------------------------------------------------- */

/* What has been in a whole listing stays until its owner deletes it: whoever saw it saw something
 * that was on disk. */
static void
check_nothing_vanished(struct oracle *oracle, unsigned account, const bool *is_there)
{
    const struct account *of = &oracle->accounts[account];

    for (uint32_t uid = 1; uid <= of->last_uid; uid++) {
        const struct letter *letter = &of->letters[uid];
        if (letter->is_listed && !is_there[uid] && !letter->is_deleting)
            oracle_fail(oracle, "account %u: uid %u was seen and is gone, nobody deleted it",
                        account, uid);
    }
}

void
oracle_listed(struct oracle *oracle, unsigned account, const struct oracle_listing *listing)
{
    struct account *of = &oracle->accounts[account];
    bool *is_there = calloc(UIDS_MAX, sizeof(bool));
    uint32_t last = 0;

    if (!is_there)
        abort();
    if (of->validity && listing->count && of->validity != listing->validity)
        oracle_fail(oracle, "account %u: uidvalidity was %llu and is %llu", account,
                    (unsigned long long)of->validity, (unsigned long long)listing->validity);
    if (listing->count)
        of->validity = listing->validity;
    for (size_t i = 0; i < listing->count; i++) {
        uint32_t uid = listing->uids[i];
        if (uid <= last || uid >= UIDS_MAX) {
            oracle_fail(oracle, "account %u: uid %u after %u", account, uid, last);
            break;
        }
        last = uid;
        is_there[uid] = true;
        if (of->letters[uid].is_deleted)
            oracle_fail(oracle, "account %u: uid %u was deleted and is back", account, uid);
        if (!of->letters[uid].is_listed && uid <= of->last_uid)
            oracle_fail(oracle, "account %u: new uid %u, but %u was given before", account, uid,
                        of->last_uid);
        of->letters[uid].is_listed = true;
    }
    check_nothing_vanished(oracle, account, is_there);
    if (last > of->last_uid)
        of->last_uid = last;
    free(is_there);
}

/* The number behind the first such words; NOBODY when there is none. */
static uint32_t
number_behind(const struct oracle *oracle, struct slice mark, struct slice message)
{
    uint32_t number = NOBODY;

    for (struct slice rest = message; rest.len > 0 && number == NOBODY;) {
        rest = slice_skip(rest, slice_find(rest, mark) + mark.len);
        size_t end = slice_find(rest, SLICE("@simulation"));
        for (size_t i = 0; i < end && end < rest.len && byte_is_digit(rest.at[i]); i++)
            number = (number == NOBODY ? 0 : number * 10) + (uint32_t)(rest.at[i] - '0');
    }
    return number < oracle->attempt_count ? number : NOBODY;
}

/* The number of the attempt that a message says it is from, or that it brings back; NOBODY when it
 * says nothing. */
static uint32_t
attempt_of(const struct oracle *oracle, unsigned account, struct slice message)
{
    uint32_t number = number_behind(oracle, SLICE("\r\nMessage-ID: <"), message);

    if (number == NOBODY && account == ORACLE_RETURNED && oracle->is_unreadable)
        number = number_behind(oracle, SLICE("\r\nOriginal-Envelope-Id: "), message);
    return number;
}

/* A notification that says what became of it. */
static bool
is_return(struct slice message)
{
    return slice_find(message, SLICE("report-type=delivery-status")) < message.len &&
           slice_find(message, SLICE("Status: 5.1.1")) < message.len &&
           slice_starts_with(message, SLICE("Return-Path: <>"));
}

/* It ends in exactly the bytes that were sent; in front stands what delivery adds. */
static bool
is_whole(struct oracle *oracle, uint32_t attempt, struct slice message)
{
    struct buffer sent;

    buffer_init(&sent, ORACLE_MESSAGE_MAX);
    oracle_put_message(oracle, attempt, &sent);
    bool result = slice_ends_with(message, buffer_slice(&sent)) &&
                  slice_starts_with(message, SLICE("Return-Path: <"));
    if (result && signed_count(message) != oracle->attempts[attempt].is_signed)
        oracle_fail(oracle, "attempt %u has %u signatures", attempt, signed_count(message));
    if (result && oracle->attempts[attempt].is_signed)
        result = signed_is_good(message, buffer_slice(&sent));
    buffer_finish(&sent);
    return result;
}

static void
check_copies(struct oracle *oracle, unsigned account, uint32_t uid, uint32_t attempt)
{
    const struct account *of = &oracle->accounts[account];
    uint64_t allowed = oracle->hazards - oracle->attempts[attempt].hazards_before;
    uint64_t copies = 0;

    for (uint32_t other = 1; other < UIDS_MAX; other++)
        copies += other != uid && of->letters[other].attempt == attempt;
    if (copies > allowed)
        oracle_fail(oracle, "account %u: attempt %u is there %llu times, the last as uid %u",
                    account, attempt, (unsigned long long)copies + 1, uid);
    oracle->copies += copies > 0;
}

void
oracle_retrieved(struct oracle *oracle, unsigned account, uint32_t uid, struct slice message)
{
    struct letter *letter = &oracle->accounts[account].letters[uid];
    uint32_t attempt = attempt_of(oracle, account, message);

    oracle->messages_read++;
    if (attempt == NOBODY) {
        oracle_fail(oracle, "account %u: uid %u is a message that nobody sent", account, uid);
        return;
    }
    if (!oracle->attempts[attempt].is_addressed[account])
        oracle_fail(oracle, "account %u: uid %u is attempt %u, which was for others", account, uid,
                    attempt);
    if (letter->attempt != NOBODY && letter->attempt != attempt)
        oracle_fail(oracle, "account %u: uid %u was attempt %u and is %u", account, uid,
                    letter->attempt, attempt);
    if (account == ORACLE_RETURNED ? !is_return(message) : !is_whole(oracle, attempt, message))
        oracle_fail(oracle, "account %u: uid %u (attempt %u) is not what was sent", account, uid,
                    attempt);
    if (letter->attempt == NOBODY)
        check_copies(oracle, account, uid, attempt);
    letter->attempt = attempt;
}

bool
oracle_is_read(const struct oracle *oracle, unsigned account, uint32_t uid)
{
    return oracle->accounts[account].letters[uid].attempt != NOBODY;
}

void
oracle_deleting(struct oracle *oracle, unsigned account, uint32_t uid)
{
    oracle->accounts[account].letters[uid].is_deleting = true;
}

void
oracle_deleted(struct oracle *oracle, unsigned account, uint32_t uid)
{
    oracle->accounts[account].letters[uid].is_deleted = true;
}

/* ---- the end -------------------------------------------------------------------------------- */

static bool
has_letter(const struct oracle *oracle, unsigned account, uint32_t attempt)
{
    for (uint32_t uid = 1; uid < UIDS_MAX; uid++)
        if (oracle->accounts[account].letters[uid].attempt == attempt)
            return true;
    return false;
}

bool
oracle_is_complete(const struct oracle *oracle)
{
    for (uint32_t attempt = 0; attempt < oracle->attempt_count; attempt++)
        for (unsigned account = 0; account < ORACLE_MAILBOXES; account++)
            if (oracle->attempts[attempt].is_acknowledged[account] &&
                !has_letter(oracle, account, attempt))
                return false;
    return true;
}

void
oracle_conclude(struct oracle *oracle)
{
    for (uint32_t attempt = 0; attempt < oracle->attempt_count; attempt++)
        for (unsigned account = 0; account < ORACLE_MAILBOXES; account++)
            if (oracle->attempts[attempt].is_acknowledged[account] &&
                !has_letter(oracle, account, attempt))
                oracle_fail(oracle, "account %u: attempt %u was acknowledged with 250 and is lost",
                            account, attempt);
}

uint64_t
oracle_messages_read(const struct oracle *oracle)
{
    return oracle->messages_read;
}
