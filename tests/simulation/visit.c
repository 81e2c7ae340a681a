/* SPDX-License-Identifier: ISC */
#include "visit.h"

#include "lines.h"
#include "reader.h"
#include "sasl/client.h"
#include "sasl/scram.h"
#include "seeds.h"
#include "sender.h"
#include "text/base64.h"

#include <stdlib.h>

enum { LITERAL_MAX = 256 * 1024, SASL_MAX = 4096 };

enum phase { GREETING, LOGIN, ASKING };

struct visit {
    struct host *host;
    struct lines *lines;
    struct visit_handler handler;
    void *context;
    struct sasl_client *sasl;
    enum phase phase;
    unsigned tag;
    bool is_asking;
    struct buffer name, secret;
    struct buffer line; /* that a literal follows */
    struct buffer literal;
    size_t literal_left;
    uint8_t nonce[SASL_NONCE_LEN];
};

struct buffer *
visit_more(struct visit *visit)
{
    return lines_output(visit->lines);
}

struct buffer *
visit_ask(struct visit *visit)
{
    struct buffer *output = visit_more(visit);

    visit->tag++;
    visit->is_asking = true;
    buffer_put_byte(output, 't');
    buffer_put_decimal(output, visit->tag);
    buffer_put_byte(output, ' ');
    return output;
}

/* What is said stands in the log of a seed that is run by itself. */
static void
log_words(struct visit *visit, const char *who, struct slice words)
{
    struct buffer line;

    buffer_init(&line, 400);
    buffer_put_text(&line, who);
    buffer_put(&line, slice_first(words, words.len < 300 ? words.len : 300));
    host_log(visit->host, HOST_LEVEL_DEBUG, buffer_slice(&line));
    buffer_finish(&line);
}

void
visit_send(struct visit *visit)
{
    log_words(visit, "C: ", buffer_slice(visit_more(visit)));
    buffer_put(visit_more(visit), SLICE("\r\n"));
    lines_flush(visit->lines);
}

unsigned
visit_tag(const struct visit *visit)
{
    return visit->tag;
}

/* ---- login ----------------------------------------------------------------------------------- */

static void
begin_login(struct visit *visit)
{
    struct sasl_client_options options = {
        .mechanism = SASL_SCRAM_SHA_256,
        .authcid = buffer_slice(&visit->name),
        .password = buffer_slice(&visit->secret),
        .nonce = slice_of(visit->nonce, sizeof(visit->nonce)),
    };

    visit->phase = LOGIN;
    visit->sasl = sasl_client_open(&options);
    if (!visit->sasl)
        abort();
    buffer_put(visit_ask(visit), SLICE("AUTHENTICATE SCRAM-SHA-256 "));
    base64_format(sasl_client_initial(visit->sasl), visit_more(visit));
    visit_send(visit);
}

static void
on_challenge(struct visit *visit, struct slice text)
{
    struct buffer challenge;
    struct slice response;

    buffer_init(&challenge, SASL_MAX);
    if (!base64_parse(text, &challenge) ||
        !sasl_client_step(visit->sasl, buffer_slice(&challenge), &response))
        buffer_put_byte(visit_more(visit), '*');
    else
        base64_format(response, visit_more(visit));
    visit_send(visit);
    buffer_finish(&challenge);
}

void
visit_put_secret(struct buffer *secrets, unsigned account)
{
    struct buffer address, password;

    buffer_init(&address, 100);
    buffer_init(&password, 100);
    sender_put_address(&address, account);
    reader_put_secret(&password, account);
    const struct seeds_person person = {
        .address = buffer_slice(&address), .password = buffer_slice(&password), .id = account + 1};
    seeds_put_secret(secrets, &person);
    buffer_finish(&address);
    buffer_finish(&password);
}

/* ---- what the server says -------------------------------------------------------------------- */

static void
on_answer(struct visit *visit, struct slice line)
{
    struct slice word = slice_skip(line, slice_find_byte(line, ' ') + 1);
    enum visit_status status = slice_starts_with(word, SLICE("OK "))   ? VISIT_OK
                               : slice_starts_with(word, SLICE("NO ")) ? VISIT_NO
                                                                       : VISIT_BAD;

    visit->is_asking = false;
    if (visit->phase == ASKING) {
        visit->handler.on_answer(visit->context, status, word);
        return;
    }
    visit->phase = ASKING;
    if (status == VISIT_OK && sasl_client_is_done(visit->sasl))
        visit->handler.on_ready(visit->context);
    else
        visit->handler.on_end(visit->context);
}

/* "{n}" at the end of a line: its number, or -1. */
static int64_t
literal_len(struct slice line)
{
    size_t at = slice_find_last_byte(line, '{');
    int64_t len = 0;

    if (line.len < 3 || line.at[line.len - 1] != '}' || at + 2 >= line.len)
        return -1;
    for (size_t i = at + 1; i < line.len - 1; i++) {
        if (!byte_is_digit(line.at[i]) || len > LITERAL_MAX)
            return -1;
        len = len * 10 + (line.at[i] - '0');
    }
    return len;
}

static void
on_data(struct visit *visit, struct slice line)
{
    int64_t len = literal_len(line);

    buffer_put(&visit->line, line);
    if (len >= 0) {
        visit->literal_left = (size_t)len;
        return;
    }
    if (visit->phase == ASKING)
        visit->handler.on_data(visit->context, slice_skip(buffer_slice(&visit->line), 2),
                               buffer_slice(&visit->literal));
    buffer_clear(&visit->line);
    buffer_clear(&visit->literal);
}

/* Messages here end with a line's end, so a literal ends between two lines. */
static void
on_literal(struct visit *visit, struct slice line)
{
    buffer_put(&visit->literal, line);
    buffer_put(&visit->literal, SLICE("\r\n"));
    visit->literal_left -= visit->literal_left < line.len + 2 ? visit->literal_left : line.len + 2;
}

static void
on_line(void *context, struct slice line)
{
    struct visit *visit = context;

    if (visit->literal_left == 0)
        log_words(visit, "S: ", line);
    if (visit->literal_left > 0) {
        on_literal(visit, line);
    } else if (buffer_len(&visit->line) > 0 || slice_starts_with(line, SLICE("* "))) {
        if (visit->phase == GREETING)
            begin_login(visit);
        else
            on_data(visit, line);
    } else if (line.len > 0 && line.at[0] == '+') {
        if (visit->phase == LOGIN)
            on_challenge(visit, slice_trim(slice_skip(line, 1)));
        else
            visit->handler.on_continue(visit->context);
    } else {
        on_answer(visit, line);
    }
}

static void
on_end(void *context)
{
    struct visit *visit = context;

    visit->handler.on_end(visit->context);
}

/* ---- opening and closing --------------------------------------------------------------------- */

struct visit *
visit_open(struct sim *sim, struct host *host, const struct visit_options *options,
           const struct visit_handler *handler, void *context)
{
    static const struct lines_handler lines_handler = {on_line, on_end};
    struct visit *visit = calloc(1, sizeof(*visit));

    if (!visit)
        abort();
    visit->handler = *handler;
    visit->context = context;
    visit->host = host;
    for (size_t i = 0; i < sizeof(visit->nonce); i++)
        visit->nonce[i] = (uint8_t)('a' + sim_random(sim, 26));
    buffer_init(&visit->name, 100);
    buffer_init(&visit->secret, 100);
    buffer_init(&visit->line, 64 * 1024);
    buffer_init(&visit->literal, LITERAL_MAX);
    sender_put_address(&visit->name, options->account);
    reader_put_secret(&visit->secret, options->account);
    visit->lines = lines_open(host, &options->server, &lines_handler, visit);
    return visit;
}

void
visit_close(struct visit **visit_at)
{
    struct visit *visit = *visit_at;

    if (!visit)
        return;
    *visit_at = NULL;
    lines_close(&visit->lines);
    sasl_client_close(&visit->sasl);
    buffer_finish(&visit->name);
    buffer_finish(&visit->secret);
    buffer_finish(&visit->line);
    buffer_finish(&visit->literal);
    free(visit);
}
