/* SPDX-License-Identifier: ISC */
/* Next hops for the store, and recipients about which tables must be asked: each decision is taken
 * again with every round of answers, until nothing is missing. */
#include "host/log.h"
#include "role/route/route_private.h"

#include "routing/credentials.h"
#include "routing/tls_report.h"

#include <stdlib.h>

enum {
    DECISIONS_MAX = 1000, /* that wait at the same time */
    DECISION_ARENA_MAX = 4 << 20,
    VALID_FAILED_S = 0,
    /* Of all hosts of a hop, as much as one may have: so much fits into a note beside names,
     * addresses, steps, and later a message. A record has 35 octets as a rule. */
    HOP_TLSA_OCTETS_MAX = ROUTING_TLSA_MAX * DNS_TLSA_DATA_MAX
};

struct decision {
    struct list link;
    struct route *route;
    uint64_t id;
    uint64_t seed;
    struct slice sender, recipient;
    struct slice way;           /* not empty: a row that the store wants to be followed */
    struct slice report_domain; /* not empty: where it wants reports is the question */
    struct route_smtp *smtp;    /* who asked about a recipient; NULL: the store wants a next hop */
    struct smtp_route_recipient about;
    bool is_claim; /* somebody wants to send as an address */
    struct smtp_route_claim claim;
    struct arena arena;
    struct routing_facts facts;
    size_t open; /* questions without an answer */
};

/* A question that resolve or a table has not answered yet. */
struct ask {
    struct decision *decision; /* NULL: given up */
    uint64_t id;
    struct routing_question question; /* its texts live as long as the decision */
    struct route_table *table;        /* NULL: resolve was asked */
};

static void
finish(struct decision *decision)
{
    struct route *route = decision->route;
    const struct map_item *item;
    size_t place = 0;

    while (decision->open > 0 && (item = map_next(&route->asks, &place))) {
        struct ask *ask = item->value;
        if (ask->decision == decision) {
            ask->decision = NULL;
            decision->open--;
        }
    }
    list_remove(&decision->link);
    route->decision_count--;
    arena_finish(&decision->arena);
    free(decision);
}

/* ---- the hop as a note --------------------------------------------------------------------- */

/* The records of a host travel all or not at all. False: there is no room for them, and the host is
 * not to be tried, as if they could not be had: without them it would seem to have none. */
static bool
take_tlsa(const struct routing_host *host, uint8_t index, struct store_route_tlsa *rows,
          size_t *count, size_t *octets)
{
    size_t more = 0;

    for (size_t k = 0; k < host->tlsa_count; k++)
        more += host->tlsa[k].data.len;
    if (*count + host->tlsa_count > STORE_ROUTE_HOP_TLSA_MAX ||
        *octets + more > HOP_TLSA_OCTETS_MAX)
        return false;
    for (size_t k = 0; k < host->tlsa_count; k++)
        rows[(*count)++] =
            (struct store_route_tlsa){index, host->tlsa[k].usage, host->tlsa[k].selector,
                                      host->tlsa[k].matching, host->tlsa[k].data};
    *octets += more;
    return true;
}

/* Room for the flattened lists; freed with the decision. */
static void
fill_hosts(struct decision *decision, const struct routing_hop *hop, struct store_route_hop *note)
{
    size_t most = hop->host_count + 1, octets = 0;
    struct store_route_host *hosts = ARENA_ARRAY(&decision->arena, struct store_route_host, most);
    struct store_route_address *addresses =
        ARENA_ARRAY(&decision->arena, struct store_route_address, most * ROUTING_ADDRESSES_MAX);
    struct store_route_tlsa *tlsa =
        ARENA_ARRAY(&decision->arena, struct store_route_tlsa, most * ROUTING_TLSA_MAX);

    note->hosts.at = hosts;
    note->addresses.at = addresses;
    note->tlsa.at = tlsa;
    for (size_t i = 0; hosts && addresses && tlsa && i < hop->host_count; i++) {
        const struct routing_host *host = &hop->hosts[i];
        bool fits = take_tlsa(host, (uint8_t)i, tlsa, &note->tlsa.count, &octets);
        hosts[note->hosts.count++] =
            (struct store_route_host){.name = host->name,
                                      .preference = host->preference,
                                      .is_secure = host->is_secure,
                                      .tlsa_failed = host->tlsa_failed || !fits};
        for (size_t k = 0; k < host->address_count; k++)
            addresses[note->addresses.count++] = (struct store_route_address){
                (uint8_t)i, slice_of(host->addresses[k].bytes, host->addresses[k].len)};
    }
}

static void
fill_sts(struct decision *decision, const struct routing_hop *hop, struct store_route_hop *note)
{
    struct store_route_address *addresses =
        ARENA_ARRAY(&decision->arena, struct store_route_address, ROUTING_ADDRESSES_MAX);

    note->sts_domain = hop->sts_domain;
    note->sts_id = hop->sts_id;
    note->sts_addresses.at = addresses;
    for (size_t i = 0; addresses && i < hop->sts_address_count; i++)
        addresses[note->sts_addresses.count++] = (struct store_route_address){
            .bytes = slice_of(hop->sts_addresses[i].bytes, hop->sts_addresses[i].len)};
}

static void
fill_steps(struct decision *decision, const struct routing_steps *steps,
           struct store_route_hop *note)
{
    struct store_route_step *lines =
        ARENA_ARRAY(&decision->arena, struct store_route_step, ROUTING_STEPS_MAX);

    for (size_t i = 0; lines && i < steps->count; i++)
        lines[i].text = steps->at[i];
    note->steps.at = lines;
    note->steps.count = lines ? steps->count : 0;
}

/* Credentials that are not there: nothing is sent without them. */
static bool
fill_credentials(struct route *route, const struct routing_hop *hop, struct store_route_hop *note)
{
    struct routing_credentials found;

    if (hop->auth.len == 0)
        return true;
    if (!routing_credentials_find(buffer_slice(&route->tables.credentials), hop->auth, &found))
        return false;
    note->auth_name = found.user;
    note->auth_secret = found.secret;
    return true;
}

static void
send_hop(struct route *route, struct store_route_hop *note)
{
    if (note->outcome != STORE_ROUTE_OUTCOME_FOUND)
        route->hops_failed++;
    if (!store_route_put_hop(&route->note, &route->store_ledger, note)) {
        /* The steps are the least that is needed. */
        buffer_clear(&route->note);
        note->steps.count = 0;
        bool is_put = store_route_put_hop(&route->note, &route->store_ledger, note);
        assert(is_put);
    }
    host_channel_send(route->store, buffer_slice(&route->note), HOST_HANDLE_NONE);
    buffer_clear(&route->note);
}

static void
send_failure(struct route *route, uint64_t id, struct slice text)
{
    struct store_route_hop note = {
        .id = id,
        .outcome = STORE_ROUTE_OUTCOME_TEMPORARY,
        .code = 451,
        .status = SLICE("4.3.0"),
        .text = text,
        .valid_s = VALID_FAILED_S,
    };

    send_hop(route, &note);
}

/* For who wants to see everything: how each decision was reached, in the order of its steps. */
static void
log_steps(const struct decision *decision, const struct routing_steps *steps)
{
    for (size_t i = 0; i < steps->count; i++) {
        struct log_line line;
        log_begin(&line, decision->route->start.host, HOST_LEVEL_DEBUG, "next_hop_step");
        log_address(&line, "to", decision->recipient);
        log_text(&line, "step", steps->at[i]);
        log_end(&line);
    }
}

static void
conclude(struct decision *decision, enum routing_outcome outcome, const struct routing_hop *hop,
         const struct routing_steps *steps)
{
    struct route *route = decision->route;
    struct store_route_hop note = {
        .id = decision->id,
        .outcome = outcome == ROUTING_FOUND       ? STORE_ROUTE_OUTCOME_FOUND
                   : outcome == ROUTING_PERMANENT ? STORE_ROUTE_OUTCOME_PERMANENT
                                                  : STORE_ROUTE_OUTCOME_TEMPORARY,
        .carrier = (enum store_route_carrier)hop->carrier,
        .destination = slice_first(hop->destination, STORE_ROUTE_HOP_DESTINATION_MAX),
        .path = hop->path,
        .port = hop->port,
        .tls = (enum store_route_tls)hop->tls,
        .source_ipv4 = slice_of(hop->source_ipv4.bytes, hop->source_ipv4.len),
        .source_ipv6 = slice_of(hop->source_ipv6.bytes, hop->source_ipv6.len),
        .proxy = hop->proxy,
        .code = hop->code,
        .status = slice_of_string(hop->status),
        .text = slice_first(hop->text, STORE_ROUTE_HOP_TEXT_MAX),
        .valid_s = hop->valid_s,
        .is_for_domain = hop->is_for_domain,
    };

    if (outcome == ROUTING_FOUND && !fill_credentials(route, hop, &note)) {
        note.outcome = STORE_ROUTE_OUTCOME_TEMPORARY;
        note.code = 451;
        note.status = SLICE("4.3.5");
        note.text = SLICE("directory/credentials does not have what the transport's auth= names");
    }
    if (note.outcome == STORE_ROUTE_OUTCOME_FOUND) {
        fill_hosts(decision, hop, &note);
        fill_sts(decision, hop, &note);
    }
    fill_steps(decision, steps, &note);
    log_steps(decision, steps);
    send_hop(route, &note);
    finish(decision);
}

static_assert((int)ROUTING_PATH_MAX <= (int)STORE_ROUTE_HOP_PATH_MAX, "a path fits into its note");
static_assert((int)STORE_ROUTE_CARRIER_LOCAL == (int)ROUTING_LOCAL &&
                  (int)STORE_ROUTE_CARRIER_PIPE == (int)ROUTING_PIPE &&
                  (int)STORE_ROUTE_TLS_VERIFY == (int)ROUTING_TLS_VERIFY,
              "the note names carriers and TLS in the order of routing/hop.h");

/* ---- deciding ------------------------------------------------------------------------------ */

static void
await(struct decision *decision, const struct routing_question *question, struct route_table *table)
{
    struct route *route = decision->route;
    struct ask *ask = calloc(1, sizeof(*ask));

    if (!ask)
        abort();
    *ask = (struct ask){decision, route->ask_id, *question, table};
    decision->open++;
    (void)map_set(&route->asks, map_key_u64(&ask->id), ask);
}

static void
ask_resolve(struct decision *decision, const struct routing_question *question)
{
    struct route *route = decision->route;
    struct route_resolve_ask note = {
        .id = ++route->ask_id, .type = (uint16_t)question->type, .name = question->key};
    /* A name longer than any: nobody has to be asked. */
    struct dns_answer answer = {.outcome = DNS_NO_NAME, .canonical = SLICE(""), .why = SLICE("")};

    if (!route->resolve) {
        answer.outcome = DNS_TEMPORARY;
        answer.why = SLICE("the name system cannot be asked for now");
    } else if (route_resolve_put_ask(&route->note, &route->resolve_ledger, &note)) {
        host_channel_send(route->resolve, buffer_slice(&route->note), HOST_HANDLE_NONE);
        buffer_clear(&route->note);
        await(decision, question, NULL);
        return;
    }
    buffer_clear(&route->note);
    (void)!routing_facts_add_dns(&decision->facts, question->key, question->type, &answer);
}

static struct route_table *
find_table(struct route *route, struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(route->others); i++) {
        if (route->others[i].name.len > 0 && slice_equal(route->others[i].name, name))
            return &route->others[i];
    }
    return NULL;
}

/* A table that is not there is as one that cannot be asked: mail waits for the operator. */
static void
ask_table(struct decision *decision, const struct routing_question *question)
{
    struct route *route = decision->route;
    struct route_table *table = find_table(route, question->table);
    struct route_table_ask note = {.id = ++route->ask_id, .key = question->key};

    if (table && table->channel && route_table_put_ask(&route->note, &table->ledger, &note)) {
        host_channel_send(table->channel, buffer_slice(&route->note), HOST_HANDLE_NONE);
        buffer_clear(&route->note);
        await(decision, question, table);
        return;
    }
    buffer_clear(&route->note);
    (void)!routing_facts_add_table(&decision->facts, question->table, question->key,
                                   ROUTING_TABLE_TEMPORARY, SLICE(""));
}

/* False: tables and names must be asked. */
static bool
try_recipient(struct decision *decision)
{
    struct smtp_route_route answer;

    if (!route_answer_recipient(decision->route, &decision->about, &decision->facts, &answer))
        return false;
    route_send_answer(decision->smtp, &answer);
    finish(decision);
    return true;
}

static bool
try_claim(struct decision *decision)
{
    struct smtp_route_claimed answer;

    if (!route_answer_claim(decision->route, &decision->claim, &decision->facts, &answer))
        return false;
    route_send_claimed(decision->smtp, &answer);
    finish(decision);
    return true;
}

/* What is asked over such a way is for those only who are meant: who else listens, or answers in
 * their name, is kept out by TLS, but on this machine. */
static enum routing_outcome
follow_way(struct decision *decision, struct routing_steps *steps, struct routing_hop *hop)
{
    struct routing_transport row;
    const char *what = routing_transport_parse(decision->way, decision->facts.arena, &row);

    if (what || row.carrier != ROUTING_SMTP || row.host.len == 0)
        row = (struct routing_transport){.carrier = ROUTING_ERROR,
                                         .status = "4.3.5",
                                         .host = SLICE(""),
                                         .path = SLICE(""),
                                         .auth = SLICE(""),
                                         .written = SLICE("error:"),
                                         .text = SLICE("that is no way to a host")};
    if (!row.has_tls)
        row.tls = ROUTING_TLS_VERIFY;
    row.has_tls = true;
    enum routing_outcome outcome =
        routing_follow_row(&decision->route->tables.settings, &row, decision->recipient,
                           decision->seed, &decision->facts, steps, hop);
    if (outcome != ROUTING_FOUND || hop->carrier != ROUTING_SMTP ||
        hop->tls >= ROUTING_TLS_ENCRYPT || routing_hop_is_loopback(hop))
        return outcome;
    hop->status = "4.7.0";
    hop->text = SLICE("it needs tls=verify or tls=encrypt");
    return ROUTING_TEMPORARY;
}

static bool
try_hop(struct decision *decision)
{
    struct routing_steps steps;
    struct routing_hop hop;
    enum routing_outcome outcome =
        decision->way.len > 0
            ? follow_way(decision, &steps, &hop)
            : routing_next_hop(&decision->route->tables.settings, decision->sender,
                               decision->recipient, decision->seed, &decision->facts, &steps, &hop);

    if (outcome == ROUTING_MISSING)
        return false;
    conclude(decision, outcome, &hop, &steps);
    return true;
}

static void
send_report_addresses(struct route *route, uint64_t id, enum store_route_outcome outcome,
                      const struct routing_tls_report *report)
{
    struct store_route_report_mailbox rows[ROUTING_TLS_REPORT_ADDRESSES_MAX];
    struct store_route_report_addresses note = {.id = id, .outcome = outcome, .addresses.at = rows};

    for (size_t i = 0; outcome == STORE_ROUTE_OUTCOME_FOUND && i < report->count; i++)
        rows[note.addresses.count++].address = report->addresses[i];
    bool is_put = store_route_put_report_addresses(&route->note, &route->store_ledger, &note);
    assert(is_put);
    host_channel_send(route->store, buffer_slice(&route->note), HOST_HANDLE_NONE);
    buffer_clear(&route->note);
}

static bool
try_report(struct decision *decision)
{
    static const enum store_route_outcome outcomes[] = {
        [ROUTING_TLS_REPORT_FOUND] = STORE_ROUTE_OUTCOME_FOUND,
        [ROUTING_TLS_REPORT_NONE] = STORE_ROUTE_OUTCOME_PERMANENT,
        [ROUTING_TLS_REPORT_TEMPORARY] = STORE_ROUTE_OUTCOME_TEMPORARY,
    };
    struct routing_tls_report report;
    enum routing_tls_report_outcome outcome =
        routing_find_tls_report(&decision->facts, decision->report_domain, &report);

    if (outcome == ROUTING_TLS_REPORT_MISSING)
        return false;
    send_report_addresses(decision->route, decision->id, outcomes[outcome], &report);
    finish(decision);
    return true;
}

static bool
try_any(struct decision *decision)
{
    if (decision->report_domain.len > 0)
        return try_report(decision);
    if (decision->is_claim)
        return try_claim(decision);
    return decision->smtp ? try_recipient(decision) : try_hop(decision);
}

static void
decide(struct decision *decision)
{
    struct routing_question questions[ROUTING_QUESTIONS_MAX];

    while (decision->open == 0) {
        if (try_any(decision))
            return;
        size_t count = decision->facts.question_count;
        memcpy(questions, decision->facts.questions, count * sizeof(*questions));
        for (size_t i = 0; i < count; i++) {
            if (questions[i].kind == ROUTING_ASK_DNS)
                ask_resolve(decision, &questions[i]);
            else
                ask_table(decision, &questions[i]);
        }
    }
}

static struct decision *
open_decision(struct route *route)
{
    struct decision *decision = calloc(1, sizeof(*decision));

    if (!decision)
        abort();
    decision->route = route;
    host_random(route->start.host, &decision->seed, sizeof(decision->seed));
    arena_init(&decision->arena, DECISION_ARENA_MAX);
    routing_facts_init(&decision->facts, &decision->arena);
    list_append(&route->decisions, &decision->link);
    route->decision_count++;
    return decision;
}

void
decision_begin(struct route *route, const struct store_route_next_hop *note)
{
    route->hops++;
    (void)tables_look_again(route);
    if (!tables_are_read(route)) {
        send_failure(route, note->id, SLICE("a table of this server cannot be read"));
        return;
    }
    if (route->decision_count == DECISIONS_MAX) {
        send_failure(route, note->id, SLICE("too many decisions wait for the name system"));
        return;
    }
    struct decision *decision = open_decision(route);
    decision->id = note->id;
    decision->sender = arena_copy(&decision->arena, note->sender);
    decision->recipient = arena_copy(&decision->arena, note->recipient);
    decision->way = arena_copy(&decision->arena, note->way);
    decide(decision);
}

void
decision_begin_report(struct route *route, const struct store_route_report_address *note)
{
    if (route->decision_count == DECISIONS_MAX || note->domain.len == 0) {
        send_report_addresses(route, note->id, STORE_ROUTE_OUTCOME_TEMPORARY, NULL);
        return;
    }
    struct decision *decision = open_decision(route);
    decision->id = note->id;
    decision->report_domain = arena_copy(&decision->arena, note->domain);
    decide(decision);
}

void
decision_begin_recipient(struct route_smtp *smtp, const struct smtp_route_recipient *recipient)
{
    struct smtp_route_route busy = {.id = recipient->id,
                                    .verdict = SMTP_ROUTE_VERDICT_TEMPORARY,
                                    .text = SLICE("too many look-ups are open")};

    if (smtp->route->decision_count == DECISIONS_MAX) {
        route_send_answer(smtp, &busy);
        return;
    }
    struct decision *decision = open_decision(smtp->route);
    decision->smtp = smtp;
    decision->about = *recipient;
    decision->about.address = arena_copy(&decision->arena, recipient->address);
    decision->about.sender = arena_copy(&decision->arena, recipient->sender);
    decide(decision);
}

void
decision_begin_claim(struct route_smtp *smtp, const struct smtp_route_claim *claim)
{
    struct smtp_route_claimed busy = {.id = claim->id, .result = SMTP_ROUTE_CLAIM_RESULT_TEMPORARY};

    if (smtp->route->decision_count == DECISIONS_MAX) {
        route_send_claimed(smtp, &busy);
        return;
    }
    struct decision *decision = open_decision(smtp->route);
    decision->smtp = smtp;
    decision->is_claim = true;
    decision->claim = *claim;
    decision->claim.address = arena_copy(&decision->arena, claim->address);
    decide(decision);
}

/* ---- answers ------------------------------------------------------------------------------- */

static void
read_answer(const struct route_resolve_answer *note, struct dns_record *records,
            struct dns_answer *ret_answer)
{
    static const enum dns_outcome outcomes[] = {
        [ROUTE_RESOLVE_OUTCOME_FOUND] = DNS_FOUND,
        [ROUTE_RESOLVE_OUTCOME_NO_DATA] = DNS_NO_DATA,
        [ROUTE_RESOLVE_OUTCOME_NO_NAME] = DNS_NO_NAME,
        [ROUTE_RESOLVE_OUTCOME_BOGUS] = DNS_BOGUS,
        [ROUTE_RESOLVE_OUTCOME_TEMPORARY] = DNS_TEMPORARY,
    };

    *ret_answer = (struct dns_answer){
        .outcome = outcomes[note->outcome],
        .is_secure = note->is_secure,
        .ttl_s = note->ttl_s,
        .canonical = note->canonical,
        .why = note->why,
        .records = records,
        .count = note->records.count,
    };
    for (size_t i = 0; i < note->records.count; i++)
        records[i] = (struct dns_record){note->records.at[i].preference, note->records.at[i].name,
                                         note->records.at[i].data};
}

/* Records of a type have its shape, whatever a hijacked resolve may send. */
static bool
is_sound(enum dns_type type, const struct dns_answer *answer)
{
    for (size_t i = 0; i < answer->count; i++) {
        const struct dns_record *record = &answer->records[i];
        if ((type == DNS_A && record->data.len != 4) ||
            (type == DNS_AAAA && record->data.len != 16) ||
            (type == DNS_TLSA && record->data.len > 3 + DNS_TLSA_DATA_MAX) ||
            (record->name.len > 0 && !dns_name_is_sound(record->name)))
            return false;
    }
    return answer->outcome != DNS_FOUND || answer->count > 0;
}

void
decision_on_answer(struct route *route, const struct route_resolve_answer *note)
{
    struct dns_record records[DNS_RECORDS_MAX];
    struct ask *ask = map_remove(&route->asks, map_key_u64(&note->id));
    struct dns_answer answer;

    if (!ask)
        return;
    struct decision *decision = ask->decision;
    read_answer(note, records, &answer);
    if (!is_sound(ask->question.type, &answer))
        answer = (struct dns_answer){.outcome = DNS_TEMPORARY,
                                     .canonical = SLICE(""),
                                     .why = SLICE("the answer makes no sense")};
    if (decision) {
        decision->open--;
        (void)!routing_facts_add_dns(&decision->facts, ask->question.key, ask->question.type,
                                     &answer);
        decide(decision);
    }
    free(ask);
}

void
decision_on_row(struct route *route, const struct route_table_answer *note)
{
    static const enum routing_table_outcome outcomes[] = {
        [ROUTE_TABLE_OUTCOME_FOUND] = ROUTING_TABLE_FOUND,
        [ROUTE_TABLE_OUTCOME_NOT_FOUND] = ROUTING_TABLE_NOT_FOUND,
        [ROUTE_TABLE_OUTCOME_TEMPORARY] = ROUTING_TABLE_TEMPORARY,
    };
    struct ask *ask = map_remove(&route->asks, map_key_u64(&note->id));

    if (!ask)
        return;
    struct decision *decision = ask->decision;
    if (decision) {
        decision->open--;
        (void)!routing_facts_add_table(&decision->facts, ask->question.table, ask->question.key,
                                       outcomes[note->outcome], note->value);
        decide(decision);
    }
    free(ask);
}

/* An open question to that table (or to resolve: NULL), or NULL when there is none any more. */
static const struct ask *
find_ask(const struct route *route, const struct route_table *table)
{
    const struct map_item *item;
    size_t place = 0;

    while ((item = map_next(&route->asks, &place))) {
        const struct ask *ask = item->value;
        if (ask->table == table)
            return ask;
    }
    return NULL;
}

void
decisions_lose_table(struct route_table *table)
{
    const struct ask *ask;

    while ((ask = find_ask(table->route, table))) {
        struct route_table_answer lost = {
            .id = ask->id, .outcome = ROUTE_TABLE_OUTCOME_TEMPORARY, .value = SLICE("")};
        decision_on_row(table->route, &lost);
    }
}

void
decisions_fail(struct route *route)
{
    const struct ask *ask;

    while ((ask = find_ask(route, NULL))) {
        struct route_resolve_answer lost = {
            .id = ask->id,
            .outcome = ROUTE_RESOLVE_OUTCOME_TEMPORARY,
            .canonical = SLICE(""),
            .why = SLICE("the name system cannot be asked for now"),
        };
        decision_on_answer(route, &lost);
    }
}

void
decisions_drop(struct route *route)
{
    LIST_EACH (link, &route->decisions) {
        struct decision *decision = LIST_ITEM(link, struct decision, link);
        if (!decision->smtp)
            finish(decision);
    }
}

void
decisions_drop_recipients(struct route_smtp *smtp)
{
    LIST_EACH (link, &smtp->route->decisions) {
        struct decision *decision = LIST_ITEM(link, struct decision, link);
        if (decision->smtp == smtp)
            finish(decision);
    }
}
